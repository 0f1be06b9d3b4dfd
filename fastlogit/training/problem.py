"""The training problem: checks of the data, and the dataset and penalty made from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit.core import checks
from fastlogit.core import threads as _threads
from fastlogit.matrix import as_matrix, centring
from fastlogit.matrix.arguments import of_rows
from fastlogit.models.fields import checked_names
from fastlogit.training.dataset import ArrayDataset
from fastlogit.training.penalty import L2, l2_penalty
from fastlogit.training.targets import class_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from fastlogit.core.linalg import Vector
    from fastlogit.models.model import LogisticModel
    from fastlogit.training.dataset import Dataset
    from fastlogit.training.family import Family
    from fastlogit.training.options import Options
    from fastlogit.training.targets import ClassWeight, Targets

# Sums of weights below this have too few digits left.
_LEAST_WEIGHT = 1e-290


class Problem(NamedTuple):
    """Checked data.

    Columns far from 0, and offsets, are centred; the intercept makes up for both.
    """

    dataset: Dataset
    penalty: L2
    # As it was given: for all columns, or one for each.
    l2: float | Vector
    classes: tuple[Any, ...]
    names: tuple[str, ...] | None
    # θ to begin with.
    start: Vector | None
    # The number that was subtracted from the offsets of each output.
    offset_centre: float | Vector
    with_offset: bool

    def coefficients(self, theta: Vector) -> tuple[Vector, Any]:
        """Coefficients and intercept of the model, for the original columns and offsets."""
        return self.dataset.family.from_theta(theta, self.dataset.centres, self.offset_centre)


def check(
    X: Any,
    t: ArrayLike,
    options: Options,
    from_targets: Callable[[ArrayLike, int, int], tuple[Family, Targets]],
    *,
    l2: float | ArrayLike,
    weight: ArrayLike | None,
    class_weight: ClassWeight,
    offset: ArrayLike | None,
    start: LogisticModel | None,
    feature_names: Sequence[str] | None,
) -> Problem:
    """Check the data arguments of `fit`; a TypeError or ValueError names one that is wrong.

    `from_targets` gives the family and checked targets, from t and the numbers of rows and threads.
    `start` may be any model with coef, intercept, classes and feature_names.
    """
    threads = _threads.resolve(options.threads)
    given = as_matrix(X)
    n, d = given.shape
    family, targets = from_targets(t, n, threads)
    weights = class_weights(class_weight, targets, checks.weights(weight, n, "row of X", threads))
    if weights is not None:
        must_have_weight(weights)
    offsets = None if offset is None else _checked_offset(offset, family.logits_shape(n))
    columns = given.names if feature_names is None else feature_names
    names = None if columns is None else checked_names(columns, d)
    # float64, for which the kernels are already compiled; they are read as often as X.
    weight64, offset64 = map(_as_float64, (weights, offsets))
    centre: float | Vector = 0.0
    if options.intercept:
        if offset64 is not None:
            offset64, centre = centre_offset(family, offset64, targets.t, weight64, threads)
        given = centring.centre_columns(given, weights, threads)
    dataset = ArrayDataset(family, given, targets.t, weight64, offset64, threads=threads)
    return make(
        dataset, targets.classes, names, options, l2, start, centre, with_offset=offset is not None
    )


def make(
    dataset: Dataset,
    classes: tuple[Any, ...],
    names: tuple[str, ...] | None,
    options: Options,
    l2: float | ArrayLike,
    start: LogisticModel | None,
    offset_centre: float | Vector,
    *,
    with_offset: bool,
) -> Problem:
    """The problem of a dataset, with its penalty and its start checked."""
    family, d = dataset.family, dataset.d
    penalties = checks.l2(l2, d)
    theta = None
    if start is not None:
        _check_start(start, (d,) if family.outputs == 1 else (family.outputs, d), names)
        theta = family.to_theta(
            *_in_order(start, classes),
            dataset.centres,
            offset_centre,
            with_intercept=options.intercept,
        )
        theta = family.without_gauge(theta, d)
    penalty = l2_penalty(penalties, d, family.outputs, with_intercept=options.intercept)
    return Problem(dataset, penalty, penalties, classes, names, theta, offset_centre, with_offset)


def must_have_weight(weights: NDArray[Any]) -> None:
    """Raise a ValueError if the sum of the weights is 0, infinite, or too small."""
    if (total := checks.total_weight(weights)) < _LEAST_WEIGHT:
        raise ValueError(
            f"weight must have a sum of at least {_LEAST_WEIGHT:g}; got {total:g}: multiply weight "
            "and l2 by the same number"
        )


def _as_float64(array: NDArray[Any] | None) -> Any:
    return None if array is None else np.asarray(array, np.float64)


def _checked_offset(offset: ArrayLike, shape: tuple[int, ...]) -> NDArray[Any]:
    array = of_rows(offset, "offset", shape)
    finite = np.isfinite(array).reshape(shape[0], -1).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise ValueError(f"offset must be finite; got {array[row]} in row {row}")
    return array


def centre_offset(
    family: Family, offset: Vector, t: Vector, weight: Vector | None, threads: int
) -> tuple[Vector, float | Vector]:
    """Offsets minus a centre, and the centre: the median of each output, or 0.

    Otherwise digits of X @ coef would be lost between a large offset and the intercept that makes
    up for it.  The median is a bad start if most rows have an offset that decides their label.
    """
    weighted = offset if weight is None else offset[weight > 0.0]
    middle = len(weighted) // 2
    centre = np.partition(weighted, middle, axis=0)[middle]
    with np.errstate(over="ignore"):
        centred = offset - centre
    original_loss, centred_loss = (
        family.log_loss(z, t, weight, threads) for z in (offset, centred)
    )
    return (offset, 0.0) if original_loss < centred_loss else (centred, centre)


def _check_start(start: LogisticModel, shape: tuple[int, ...], names: Sequence[str] | None) -> None:
    """Check that a model has coefficients of this shape, for columns of these names."""
    if names is not None and start.feature_names not in (None, tuple(names)):
        differing = sorted(set(names).symmetric_difference(start.feature_names))
        found = f"; only one of them has {checks.listed(differing)}" if differing else ""
        raise ValueError(f"start must have the feature names of X, in their order{found}")
    if start.coef.shape != shape:
        raise ValueError(f"start must have coef of shape {shape}; got {start.coef.shape}")


def _in_order(start: LogisticModel, classes: Sequence[Any]) -> tuple[Vector, Any]:
    """Coefficients and intercept of a model, with its classes in this order.

    A model made from coefficients has numbers in place of names, which stand for any classes.
    """
    if set(start.classes) != set(classes):
        if start.classes == tuple(range(len(classes))):
            return start.coef, start.intercept
        raise ValueError(
            f"start must have the classes of t, {checks.listed(classes)}; got "
            f"{checks.listed(start.classes)}"
        )
    order = [start.classes.index(label) for label in classes]
    if len(order) == 2:
        return (start.coef, start.intercept) if order == [0, 1] else (-start.coef, -start.intercept)
    return start.coef[order], start.intercept[order]
