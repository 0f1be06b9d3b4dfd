"""The training problem: checks of the data, and the data set and penalty made from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit.core import checks
from fastlogit.core import threads as _threads
from fastlogit.matrix import as_matrix, centring
from fastlogit.models.fields import checked_names
from fastlogit.models.model import LogisticModel
from fastlogit.training.dataset import ArrayDataset
from fastlogit.training.penalty import L2, penalise_columns
from fastlogit.training.targets import class_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from fastlogit.core.linalg import Vector
    from fastlogit.matrix import Matrix
    from fastlogit.training.family import Family
    from fastlogit.training.options import Options
    from fastlogit.training.targets import ClassWeight, Label

# Sums of weights below this have too few digits left.
_LEAST_WEIGHT = 1e-290


class Problem(NamedTuple):
    """Checked data.

    Columns far from 0, and offsets, are centred; the intercept makes up for both.
    """

    dataset: ArrayDataset
    penalty: L2
    # As it was given: for all columns, or one for each.
    l2: float | Vector
    classes: tuple[Label, Label]
    names: tuple[str, ...] | None
    # θ to begin with.
    start: Vector | None
    # The number that was subtracted from the offsets.
    offset_centre: float

    def intercept(self, coef: Vector, intercept: float) -> float:
        """Intercept for the original columns and offsets."""
        return centring.shift_intercept(intercept - self.offset_centre, -self.dataset.centres, coef)


def check(
    X: Any,
    t: ArrayLike,
    options: Options,
    family: Family,
    *,
    l2: float | ArrayLike,
    weight: ArrayLike | None,
    class_weight: ClassWeight,
    offset: ArrayLike | None,
    start: LogisticModel | None,
    feature_names: Sequence[str] | None,
) -> Problem:
    """Check the data arguments of `fit`; a TypeError or ValueError names one that is wrong."""
    if not isinstance(start, LogisticModel | None):
        raise TypeError(f"start must be a LogisticModel; got {type(start).__name__}")
    threads = _threads.resolve(options.threads)
    given = as_matrix(X)
    n, d = given.shape
    targets = family.read_targets(t, n, threads)
    weights = class_weights(class_weight, targets, checks.weights(weight, n, "row of X", threads))
    if weights is not None and (total := checks.total_weight(weights)) < _LEAST_WEIGHT:
        raise ValueError(
            f"weight must have a sum of at least {_LEAST_WEIGHT:g}; got {total:g}: multiply weight "
            "and l2 by the same number"
        )
    offsets = None if offset is None else _checked_offset(offset, n)
    penalties = checks.l2(l2, d)
    columns = given.names if feature_names is None else feature_names
    names = None if columns is None else checked_names(columns, d)
    # float64, for which the kernels are already compiled; they are read as often as X.
    t64, weight64, offset64 = map(_as_float64, (targets.t, weights, offsets))
    centre = 0.0
    if options.intercept:
        if offset64 is not None:
            offset64, centre = _centre_offset(family, offset64, t64, weight64, threads)
        given = centring.centre_columns(given, weights, threads)
    theta = None
    if start is not None:
        theta = _start(start, given, names, centre, with_intercept=options.intercept)
    dataset = ArrayDataset(family, given, t64, weight64, offset64, threads=threads)
    penalty = penalise_columns(penalties, d, family.outputs, with_intercept=options.intercept)
    return Problem(dataset, penalty, penalties, targets.classes, names, theta, centre)


def _as_float64(array: NDArray[Any] | None) -> Any:
    return None if array is None else np.asarray(array, np.float64)


def _checked_offset(offset: ArrayLike, n: int) -> NDArray[Any]:
    array = checks.vector(offset, "offset", n, "row of X")
    finite = np.isfinite(array)
    if not finite.all():
        row = int(np.argmin(finite))
        raise ValueError(f"offset must be finite; got {array[row]} in row {row}")
    return array


def _centre_offset(
    family: Family, offset: Vector, t: Vector, weight: Vector | None, threads: int
) -> tuple[Vector, float]:
    """Offsets minus a centre, and the centre: their median, or 0.

    Otherwise digits of X @ coef would be lost between a large offset and the intercept that makes
    up for it.  The median is a bad start if most rows have an offset that decides their label.
    """
    weighted = offset if weight is None else offset[weight > 0.0]
    centre = float(np.partition(weighted, weighted.size // 2)[weighted.size // 2])
    with np.errstate(over="ignore"):
        centred = offset - np.float64(centre)
    original_loss, centred_loss = (
        family.log_loss(z, t, weight, threads) for z in (offset, centred)
    )
    return (offset, 0.0) if original_loss < centred_loss else (centred, centre)


def _start(
    start: LogisticModel,
    X: Matrix,
    names: Sequence[str] | None,
    centre: float,
    *,
    with_intercept: bool,
) -> Vector:
    """θ to begin with, for centred columns and offsets."""
    d = X.shape[1]
    if start.coef.size != d:
        raise ValueError(f"start must have {d} coefficients; it has {start.coef.size}")
    if names is not None and start.feature_names not in (None, tuple(names)):
        raise ValueError("start must have the feature names of X, in their order")
    if not with_intercept:
        return start.coef
    intercept = centring.shift_intercept(start.intercept + centre, X.centres, start.coef)
    return np.append(start.coef, intercept)
