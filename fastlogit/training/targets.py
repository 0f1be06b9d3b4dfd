"""Targets of two classes: probabilities, or labels of any type; and class weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit.core import checks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Label = bool | int | float | str
    ClassWeight = Mapping[Label, float] | str | None


_NUMBERS = (bool, int, float, np.number, Decimal)
# Booleans as CSV files write them.
TRUTHS = {"false": False, "true": True}


class Targets(NamedTuple):
    """Targets as numbers in [0, 1], with the labels of 0 and 1."""

    t: NDArray[Any]
    classes: tuple[Label, Label]
    # Whether some are neither 0 nor 1.
    soft: bool


def read_targets(t: ArrayLike, n: int, threads: int) -> Targets:
    """Targets of n rows: numbers in [0, 1] unchanged, two different labels as 0 and 1 in order."""
    array = np.asarray(t) if not isinstance(t, np.ma.MaskedArray) else t
    if array.ndim == 1:
        must_be_present(array)
    if array.ndim == 1 and array.dtype.kind == "O":
        kinds = {type(label) for label in array.tolist()}
        if kinds and all(issubclass(kind, _NUMBERS) for kind in kinds):
            t = array = np.array(array.tolist(), np.float64 if Decimal in kinds else None)
    if array.ndim == 1 and array.dtype.kind in "OTU":
        return _string_targets(array, n)
    if array.ndim == 1 and array.dtype in (np.float16, np.bool_):
        t = array.astype(np.float32) if array.dtype == np.float16 else array
    numbers = checks.vector(t, "t", n, "row of X")
    if numbers.dtype.kind == "b":
        return Targets(numbers, (False, True), soft=False)
    try:
        soft = checks.check_targets(numbers, threads) > 0
    except ValueError as error:
        values = np.unique(array)
        if values.size != 2 or not np.isfinite(values).all():
            raise ValueError(f"{error}; or t must have two different labels") from None
        return Targets(array == values[1], (values[0].item(), values[1].item()), soft=False)
    return Targets(numbers, (0, 1), soft)


def _string_targets(array: NDArray[Any], n: int) -> Targets:
    if array.size != n:
        raise ValueError(f"t must have one element for each row of X, {n}; got {array.size}")
    found = set(array.tolist())
    if any(not isinstance(label, str) for label in found):
        index = next(i for i, label in enumerate(array.tolist()) if not isinstance(label, str))
        raise TypeError(
            f"t must hold real numbers, or strings alone; got {array[index]!r} at index {index}"
        )
    classes = sorted(found)
    if len(classes) != 2:
        raise ValueError(f"t must have two different labels; got {listed(classes)}")
    return Targets(array == classes[1], (classes[0], classes[1]), soft=False)


def must_be_present(t: NDArray[Any]) -> None:
    """Raise a ValueError if a label is missing: masked, NaN, None, NaT or pandas.NA."""
    absent = missing(t)
    if absent.any():
        index = int(np.argmax(absent))
        kind = "masked elements" if np.ma.is_masked(t) else "missing values"
        raise ValueError(
            f"t must have no {kind}; got {np.ma.getdata(t)[index]} at index {index} "
            f"({np.count_nonzero(absent)} such)"
        )


def missing(t: NDArray[Any]) -> NDArray[np.bool_]:
    """Which labels are missing, as booleans."""
    absent: NDArray[np.bool_] = np.zeros(t.size, np.bool_)
    if np.ma.is_masked(t):
        absent = np.ma.getmaskarray(t)
    elif t.dtype.kind in "fmM":
        absent = np.isnan(t)
    elif t.dtype.kind in "OT" and not all(issubclass(kind, str) for kind in set(map(type, t.flat))):
        absent = np.fromiter(map(_is_missing, t.flat), np.bool_, t.size)
    return absent


def _is_missing(label: Any) -> bool:
    try:
        return label is None or bool(label != label)
    except TypeError:  # pandas.NA has no truth value
        return True


def key(label: Any) -> Any:
    """Key of a label that is independent of its format: one for 1, 1.0, True, "1" and "true"."""
    if not isinstance(label, str):
        return label
    text = label.strip()
    if text.lower() in TRUTHS:
        return TRUTHS[text.lower()]
    with suppress(ValueError):
        if "_" not in text and math.isfinite(float(text)):
            return int(text) if text.lstrip("+-").isdecimal() else float(text)
    return label


def listed(classes: Sequence[Any]) -> str:
    """The number of labels, and the first of them, for a message."""
    shown = ", ".join(map(checks.shown, classes[:5])) + ", ..." * (len(classes) > 5)
    return f"{len(classes)}: {shown}"


def class_weights(
    class_weight: ClassWeight, found: Targets, weight: NDArray[Any] | None
) -> NDArray[Any] | None:
    """Weights of the rows, multiplied by the factors of their classes."""
    if class_weight is None:
        return weight
    if found.soft:
        raise ValueError("class_weight needs labels of two classes; t has values between 0 and 1")
    is_second = found.t.astype(bool)
    if isinstance(class_weight, Mapping):
        factors = class_factors(class_weight, found.classes, "t")
    elif isinstance(class_weight, str) and class_weight == "balanced":
        counts = np.bincount(is_second, weights=weight, minlength=2)
        factors = [counts.sum() / (2.0 * count) if count > 0.0 else 0.0 for count in counts]
    else:
        raise ValueError(
            f"class_weight must be a dict, 'balanced' or None; got {checks.shown(class_weight)}"
        )
    row_factors = np.where(is_second, factors[1], factors[0])
    return row_factors if weight is None else row_factors * weight


def class_factors(
    class_weight: Mapping[Any, float], classes: Sequence[Any], target: str
) -> list[float]:
    """The factor of each class, 1 for a class that is not in the mapping.

    `target` is the name of the argument with the labels, for messages.
    """
    first, second = classes
    for label in class_weight:
        if label not in classes:
            raise ValueError(
                f"class_weight must have the labels of {target}, {first!r} and {second!r}; got "
                f"{checks.shown(label)}"
            )
    return [
        checks.not_negative(class_weight.get(label, 1.0), f"class_weight[{label!r}]")
        for label in classes
    ]
