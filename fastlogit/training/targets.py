"""Targets: probabilities, or labels of any type, as numbers; and class weights."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit.core import checks
from fastlogit.matrix.onehot import column_names

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    Label = bool | int | float | str
    ClassWeight = Mapping[Label, float] | str | None


_NUMBERS = (bool, int, float, np.number, Decimal)
# More different labels are taken for something else, such as identifiers; and so are labels of more
# rows than the second that have at most two rows on average.
MOST_CLASSES, _FEW_ROWS = 10_000, 50


class Targets(NamedTuple):
    """Targets as numbers, with the labels of 0, 1 and so on.

    With two classes, `t` is the probability of the second, or whether it is the label.  With more,
    it holds class numbers as int64, or rows of probabilities as float64.
    """

    t: NDArray[Any]
    classes: tuple[Any, ...]
    # Whether some are probabilities, neither 0 nor 1.
    soft: bool


def read_targets(
    t: ArrayLike, n: int, threads: int, classes: tuple[Any, ...] | None = None
) -> Targets:
    """Targets of n rows.

    Numbers in [0, 1] are taken as they are.  Other labels get their numbers in sorted order.  A
    matrix has a probability for each class, a column each; two columns are two classes.  With
    `classes`, t holds class numbers or probabilities.
    """
    try:
        array = np.asarray(t) if not isinstance(t, np.ma.MaskedArray) else t
    except ValueError:
        raise ValueError(
            "t must have a label for each row of X, or rows of probabilities of the same length"
        ) from None
    must_be_present(array)
    names = _labels_of_columns(t)
    if array.dtype.kind == "O":
        kinds = {type(label) for label in array.ravel().tolist()}
        if kinds and all(issubclass(kind, _NUMBERS) for kind in kinds):
            t = array = np.array(array.tolist(), np.float64 if Decimal in kinds else None)
    if array.ndim == 2:
        return _rows_of_probabilities(array, n, classes, names)
    if classes is not None and array.dtype.kind in "OTU":
        given = checks.shown(array.tolist()[0])
        raise TypeError(
            f"t must hold class numbers or probabilities, as classes are given; got {given}"
        )
    if classes is not None and len(classes) > 2:
        numbers = checks.class_targets(array, (n, len(classes)))
        return Targets(numbers, classes, soft=False)
    if array.ndim == 1 and array.dtype.kind in "OTU":
        return _string_targets(array, n)
    if array.ndim == 1 and array.dtype in (np.float16, np.bool_):
        t = array.astype(np.float32) if array.dtype == np.float16 else array
    numbers = checks.vector(t, "t", n, "row of X")
    if numbers.dtype.kind == "b":
        return Targets(numbers, classes or (False, True), soft=False)
    try:
        soft = checks.check_targets(numbers, threads)
    except ValueError as error:
        if classes is not None:
            raise
        return _number_targets(array, str(error))
    return Targets(numbers, classes or (0, 1), soft)


def _number_targets(array: NDArray[Any], error: str) -> Targets:
    """Numbers as labels; `error` says why they are no probabilities."""
    values = np.unique(array)
    if values.size < 2 or not np.isfinite(values).all():
        raise ValueError(f"{error}; or t must have two or more different labels")
    broken = array[array != np.floor(array)]
    if values.size > 2 and broken.size:
        raise ValueError(
            f"{error}; or t must have two different labels, or more that are whole numbers; got "
            f"{broken[0]}"
        )
    return _hard_targets(np.searchsorted(values, array), values.tolist())


def _string_targets(array: NDArray[Any], n: int) -> Targets:
    if array.size != n:
        raise ValueError(f"t must have one element for each row of X, {n}; got {array.size}")
    labels = array.tolist()
    if any(not issubclass(kind, str) for kind in set(map(type, labels))):
        index = next(i for i, label in enumerate(labels) if not isinstance(label, str))
        raise TypeError(
            f"t must hold real numbers, or strings alone; got {array[index]!r} at index {index}"
        )
    number = {label: place for place, label in enumerate(sorted(set(labels)))}
    numbers = np.fromiter(map(number.__getitem__, labels), np.int64, n)
    return _hard_targets(numbers, list(number))


def _hard_targets(numbers: NDArray[np.int64], classes: list[Any]) -> Targets:
    """Class numbers as targets, if there are not too few or too many classes."""
    if len(classes) < 2:
        raise ValueError(f"t must have two or more different labels; got {classes[0]!r} alone")
    must_be_classes("t", classes, numbers.size)
    t = numbers == 1 if len(classes) == 2 else numbers
    return Targets(t, tuple(classes), soft=False)


def must_be_classes(where: str, labels: Collection[Any], rows: int = 0) -> None:
    """Raise a ValueError if there are too many labels, or nearly one for each row.

    `where` is their name in the message.  Without the number of rows, only labels count.
    """
    count = len(labels)
    rule = f"at most {MOST_CLASSES:,} different labels" if count > MOST_CLASSES else None
    if count > 2 and _FEW_ROWS < rows <= 2 * count:
        rule = f"labels with more than two of the {rows:,} rows on average"
    if rule is not None:
        raise ValueError(
            f"{where} must have {rule}; got {count:,} labels: {checks.listed(list(labels))}"
        )


def _labels_of_columns(t: Any) -> list[Any]:
    """Names of the columns of a table; pandas' may also be numbers."""
    columns: Any = getattr(t, "columns", None)
    return list(columns.tolist() if hasattr(columns, "tolist") else column_names(t))


def _rows_of_probabilities(
    array: NDArray[Any], n: int, classes: tuple[Any, ...] | None, names: list[Any]
) -> Targets:
    """Rows with the probability of each class; rows with a 1 are class numbers."""
    wanted = "number of" if classes is None else len(classes)
    if classes is None:
        classes = tuple(names if len(names) == array.shape[1] else range(array.shape[1]))
    if array.shape != (n, len(classes)) or len(classes) < 2:
        raise ValueError(
            f"t must have one axis, or a row of probabilities for each row of X, ({n}, {wanted} "
            f"classes); got the shape {array.shape}"
        )
    t = checks.class_targets(array, array.shape).astype(np.float64)
    soft = bool(((t != 0.0) & (t != 1.0)).any())
    if soft:  # the sums of rounded probabilities differ a little from 1
        t /= t.sum(axis=1, keepdims=True)
    if len(classes) == 2:
        return Targets(t[:, 1].copy(), classes, soft)
    return Targets(t if soft else np.argmax(t, axis=1), classes, soft)


def must_be_present(t: NDArray[Any]) -> None:
    """Raise a ValueError if a label is missing: masked, NaN, None, NaT or pandas.NA."""
    absent = missing(t)
    if absent.any():
        place = np.unravel_index(int(np.argmax(absent)), absent.shape)
        kind = "masked elements" if np.ma.is_masked(t) else "missing values"
        raise ValueError(
            f"t must have no {kind}; got {np.ma.getdata(t)[place]} at {checks.index(place)} "
            f"({np.count_nonzero(absent)} such)"
        )


def missing(t: NDArray[Any]) -> NDArray[np.bool_]:
    """Which labels are missing, as booleans."""
    absent: NDArray[np.bool_] = np.zeros(t.shape, np.bool_)
    if np.ma.is_masked(t):
        absent = np.ma.getmaskarray(t)
    elif t.dtype.kind in "fmM":
        absent = np.isnan(t)
    elif t.dtype.kind in "OT" and not all(issubclass(kind, str) for kind in set(map(type, t.flat))):
        absent = np.fromiter(map(_is_missing, t.flat), np.bool_, t.size).reshape(t.shape)
    return absent


def _is_missing(label: Any) -> bool:
    try:
        return label is None or bool(label != label)
    except TypeError:  # pandas.NA has no truth value
        return True
    except ValueError:  # nor has an array, which is no label either
        return False


def key(label: Any) -> Any:
    """Key of a label that is independent of its format: one for 1, 1.0, True, "1" and "true"."""
    if not isinstance(label, str):
        return label
    text = label.strip()
    if text.lower() in checks.BOOLEANS:
        return checks.BOOLEANS[text.lower()]
    with suppress(ValueError):
        if "_" not in text and math.isfinite(float(text)):
            return int(text) if text.lstrip("+-").isdecimal() else float(text)
    return label


def class_weights(
    class_weight: ClassWeight, found: Targets, weight: NDArray[Any] | None
) -> NDArray[Any] | None:
    """Weights of the rows, multiplied by the factors of their classes."""
    if class_weight is None:
        return weight
    numbers = found.t.astype(np.intp)

    def totals() -> NDArray[Any]:
        return np.bincount(numbers, weights=weight, minlength=len(found.classes))

    factors = factors_of_classes(class_weight, found.classes, totals, soft=found.soft)[numbers]
    return factors if weight is None else factors * weight


def factors_of_classes(
    class_weight: ClassWeight,
    classes: Sequence[Any],
    totals: Callable[[], NDArray[Any]],
    *,
    soft: bool,
) -> NDArray[np.float64]:
    """The factor of each class; `totals` gives the weights of the classes.

    `soft` says whether some targets are probabilities.
    """
    if soft:
        raise ValueError("class_weight needs labels; t has probabilities between 0 and 1")
    if isinstance(class_weight, Mapping):
        return np.array(class_factors(class_weight, classes, "t"))
    if isinstance(class_weight, str) and class_weight == "balanced":
        weights = totals()
        shares = weights.sum() / (weights.size * np.where(weights > 0.0, weights, np.inf))
        return np.asarray(shares, np.float64)
    raise wrong_class_weight(class_weight)


def wrong_class_weight(class_weight: Any) -> ValueError:
    """The error for factors of classes of another kind."""
    return ValueError(
        f"class_weight must be a dict, 'balanced' or None; got {checks.shown(class_weight)}"
    )


def class_factors(
    class_weight: Mapping[Any, float], classes: Sequence[Any], target: str
) -> list[float]:
    """The factor of each class, 1 for a class that is not in the mapping.

    `target` is the name of the argument with the labels, for messages.
    """
    for label in class_weight:
        if label not in classes:
            raise ValueError(
                f"class_weight must have the labels of {target}, {checks.listed(classes)}; got "
                f"{checks.shown(label)}"
            )
    return [
        checks.not_negative(class_weight.get(label, 1.0), f"class_weight[{label!r}]")
        for label in classes
    ]
