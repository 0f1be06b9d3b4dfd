"""Checks of users' arguments, before any work: shapes, dtypes, ranges.

A check takes a value and the name of its argument, and returns the value in the form that the
kernels need.  Otherwise it raises a TypeError or ValueError with the name, the expected value and
the given one.  Arrays over the rows are not copied, except to widen float16.
"""

from __future__ import annotations

import math
import sys
from contextlib import suppress
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np

from fastlogit.core import threads as _threads
from fastlogit.kernels import sums

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

# Treatment of missing values; most functions accept only some of these.
Missing = Literal["error", "nan", "skip"]

# Default of `missing` and `unknown`.  Python has one object for it, which short calls look for.
ERROR: Literal["error"] = "error"

# Booleans as text formats write them, in lower case.
BOOLEANS = {"false": False, "true": True}

# Arrays that suit a kernel; Numba would compile it again for read-only ones.
PLAIN: tuple[Literal["C"], Literal["A"], Literal["W"]] = ("C", "A", "W")
# Largest distance from 1 of a sum of probabilities.
TOLERANCE = 1e-6

# Steps to decide whether two arrays overlap, which is a hard problem in general.
_OVERLAP_WORK = 10_000
# Longest value in a message, in characters.
_LONGEST_VALUE = 60


def real_array(value: ArrayLike, name: str, ndim: int, *, float16: bool = False) -> NDArray[Any]:
    """An array of real numbers in native byte order, with `ndim` axes, none of them empty.

    float16 is widened to float32, unless `float16` is set.
    """
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(f"{name} must have no masked elements; got {np.ma.getmask(value).sum()}")
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} must have {_axes(ndim)}, of rows of the same length") from None
    if array.ndim == 0 and array.dtype.kind not in "buif":
        raise TypeError(f"{name} must be an array of real numbers; got {type(value).__name__}")
    if array.ndim != ndim:
        raise ValueError(f"{name} must have {_axes(ndim)}; got shape {array.shape}")
    if array.dtype.kind not in "buif":
        raise TypeError(f"{name} must hold real numbers; got dtype {array.dtype}")
    if array.dtype.itemsize > 8:
        raise TypeError(f"{name} must hold numbers of at most 64 bits; {_as_float64(array)}")
    if isinstance(value, list | tuple) and array.dtype.kind != "f":
        array = array.astype(np.float64)  # a list has no dtype
    if not array.dtype.isnative:
        raise TypeError(f"{name} must be in native byte order; got dtype {array.dtype.str}")
    if array.size == 0:
        raise ValueError(f"{name} must not be empty; got shape {array.shape}")
    if array.dtype == np.float16 and not float16:
        return array.astype(np.float32)  # the kernels have no float16
    return _for_kernels(array)


class _Writeable(NamedTuple):
    """The memory of a read-only array, as NumPy takes it for an array that is none."""

    array: NDArray[Any]

    @property
    def __array_interface__(self) -> dict[str, Any]:
        given = self.array.__array_interface__
        return given | {"data": (given["data"][0], False)}


def _for_kernels(array: NDArray[Any]) -> NDArray[Any]:
    """The array as if it were writeable, as Numba would compile kernels again for read-only ones.

    Kernels write to no array but `out`.
    """
    return array if array.flags.writeable else np.asarray(_Writeable(array))


def _as_float64(array: NDArray[Any]) -> str:
    return f"got {array.dtype} (.astype(np.float64) converts)"


def _axes(ndim: int) -> str:
    return "one axis" if ndim == 1 else f"{ndim} axes"


def vector(value: ArrayLike, name: str, n: int, like: str) -> NDArray[Any]:
    """One number for each of `n` rows or columns, which messages call `like`."""
    array = real_array(value, name, 1)
    if array.shape[0] != n:
        raise ValueError(f"{name} must have one element for each {like}, {n}; got {array.shape[0]}")
    return array


def check_targets(t: NDArray[Any], threads: int) -> bool:
    """Whether a target is strictly between 0 and 1; all must be in [0, 1]."""
    return _check_range(t, "t", 1.0, "lie between 0 and 1", threads)


def class_targets(t: Any, shape: tuple[int, ...], *, while_read: bool = False) -> NDArray[Any]:
    """Checked class numbers, int64 (n,), or probabilities (n, K), for logits of a shape.

    With `while_read` the caller's kernel finds integers that are no class numbers.  To look for
    them here would take a quarter of the time that reading 32 columns takes.
    """
    *leading, K = shape
    rows = tuple(leading)
    try:
        array = np.asarray(t)
    except ValueError:
        raise ValueError("t must have rows of the same length") from None
    if np.ma.is_masked(t):
        raise ValueError(f"t must have no masked elements; got {np.ma.getmask(t).sum()}")
    if array.dtype.kind not in "buif" or array.dtype.itemsize > 8:
        raise TypeError(f"t must hold class numbers or probabilities; got dtype {array.dtype}")
    if array.shape not in (rows, shape):
        raise ValueError(
            f"t must have the shape {rows} of class numbers or {shape} of probabilities; got "
            f"{array.shape}"
        )
    if array.shape == shape:
        _check_probabilities(array)
        return _for_kernels(array.reshape(-1, K))
    if not (while_read and np.can_cast(array.dtype, np.int64)):
        right = (array >= 0) & (array < K)
        if array.dtype.kind == "f":
            right &= array == np.floor(array)
        _check_each(right, array, f"be a class number from 0 to {K - 1}")
    return np.require(array.reshape(-1), np.int64, PLAIN)


def _check_probabilities(t: NDArray[Any]) -> None:
    """Check that all elements are in [0, 1], and that each row has the sum 1."""
    _check_each((t >= 0) & (t <= 1), t, "be a class number, or a probability between 0 and 1")
    total = t.sum(axis=-1, dtype=np.float64)
    precision = float(np.finfo(t.dtype).eps) if t.dtype.kind == "f" else 0.0
    # The sum of K numbers that were rounded, and divided by a rounded sum, errs by about this.
    wrong = abs(total - 1.0) > max(TOLERANCE, math.sqrt(t.shape[-1]) * precision)
    if wrong.any():
        place = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
        raise ValueError(
            f"every row of t must have the sum 1; got {total[place]} at {index(place)} "
            f"({np.count_nonzero(wrong)} such)"
        )


def _check_each(right: NDArray[np.bool_], array: NDArray[Any], rule: str) -> None:
    if not right.all():
        place = np.unravel_index(int(np.argmin(right)), right.shape)
        raise ValueError(
            f"every element of t must {rule}; got {array[place]} at {index(place)} "
            f"({right.size - np.count_nonzero(right)} such)"
        )


def index(place: tuple[Any, ...]) -> str:
    """A place in an array, as messages show it."""
    numbers = ", ".join(str(int(number)) for number in place)
    return f"index {numbers}" if len(place) == 1 else f"index ({numbers})"


def weights(weight: ArrayLike | None, n: int, like: str, threads: int) -> NDArray[Any] | None:
    """Sample weights: None, or n finite numbers of at least 0."""
    if weight is None:
        return None
    array = vector(weight, "weight", n, like)
    _check_range(array, "weight", sys.float_info.max, "be finite and not negative", threads)
    return array


def total_weight(weight: NDArray[Any], name: str = "weight") -> float:
    """The sum of the weights, finite and above 0, by which a mean divides."""
    with np.errstate(over="ignore"):
        total = float(np.sum(weight, dtype=np.float64))
    if total == 0.0:
        raise ValueError(f"at least one {name} must be above 0; all are 0")
    if total == np.inf:
        raise ValueError(f"{name} must have a finite sum; its largest is {weight.max()}")
    return total


def _check_range(array: NDArray[Any], name: str, high: float, rule: str, threads: int) -> bool:
    """Whether an element is strictly between 0 and `high`; all must be in [0, high]."""
    if array.dtype.kind == "b":
        return False
    is_float = array.dtype.kind == "f"
    largest = float(np.finfo(array.dtype).max) if is_float else np.iinfo(array.dtype).max
    top = array.dtype.type(min(high, largest))
    if array.size <= _threads.PART:  # a single part: faster without the loop
        outside, between = sums.compare(array, top)
    else:
        slices = _threads.parts(array.size)
        found = np.empty((len(slices), 2), np.bool_)

        def task(part: int) -> None:
            found[part] = sums.compare(array[slices[part]], top)

        _threads.run(task, len(slices), threads)
        outside, between = (bool(column.any()) for column in found.T)
    if outside:
        bad = ~((array >= 0) & (array <= top))
        first = int(np.argmax(bad))
        raise ValueError(
            f"every element of {name} must {rule}; got {array[first]} at index {first} "
            f"({np.count_nonzero(bad)} such)"
        )
    return bool(between)


def number(value: Any, name: str) -> float:
    """One real number."""
    if type(value) is float:  # first, as short calls count
        return value
    try:
        array = np.asarray(value)
        if array.ndim == 0 and array.dtype.kind in "buif" and not np.ma.is_masked(value):
            return float(array)
    except ValueError:  # rows of different length
        pass
    raise TypeError(f"{name} must be a real number; got {shown(value)}")


def not_negative(value: Any, name: str) -> float:
    """One finite number of at least 0."""
    result = number(value, name)
    if not 0.0 <= result < np.inf:
        raise ValueError(f"{name} must be finite and not negative; got {result}")
    return result


def l2(value: Any, d: int) -> float | NDArray[np.float64]:
    """The penalty: one number for all columns, or a new array with one for each of `d` columns."""
    if np.ndim(value) == 0:
        return not_negative(value, "l2")
    penalties = vector(value, "l2", d, "column of X").astype(np.float64)
    wrong = ~((penalties >= 0.0) & (penalties < np.inf))
    if wrong.any():
        column = int(np.argmax(wrong))
        raise ValueError(
            f"l2 must be finite and not negative; got {penalties[column]} for column {column}"
        )
    return penalties


def probability(value: Any, name: str) -> float:
    """One number between 0 and 1."""
    result = number(value, name)
    if not 0.0 <= result <= 1.0:
        raise ValueError(f"{name} must lie between 0 and 1; got {result}")
    return result


def whole_number(value: Any, name: str, least: int) -> int:
    """One whole number of at least `least`."""
    if not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}; got {shown(value)}")
    return int(value)


def choice(value: Any, name: str, choices: Sequence[str]) -> Any:
    """One of the strings `choices`."""
    if isinstance(value, str) and value in choices:
        return value
    *others, last = map(repr, choices)
    raise ValueError(f"{name} must be {', '.join(others)} or {last}; got {shown(value)}")


def names(value: Any, name: str) -> list[str]:
    """A sequence of strings as a list; a set has no order."""
    if not isinstance(value, str | bytes | set | frozenset):
        with suppress(TypeError, NotImplementedError):  # not iterable, or with pandas' NA
            strings = list(value)
            if all(isinstance(one, str) for one in strings):
                return strings
    raise TypeError(f"{name} must be a sequence of names; got {shown(value)}")


def missing(value: Any, allowed: Sequence[str] = get_args(Missing)) -> Missing:
    """The treatment of missing values, one of those that a function accepts."""
    checked: Missing = choice(value, "missing", allowed)
    return checked


def function(value: Any, name: str) -> Any:
    """A callable, or None."""
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be a function or None; got {shown(value)}")
    return value


def true_or_false(value: Any, name: str) -> bool:
    """A bool; numbers and text are refused."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False; got {shown(value)}")
    return bool(value)


def output(out: NDArray[Any] | None, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """`out`, if it suits the result; a new array if it is None."""
    if out is None:
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray):
        raise TypeError(f"out must be an array; got {type(out).__name__}")
    if out.shape != shape:
        raise ValueError(f"out must have shape {shape}; got {out.shape}")
    if out.dtype.kind != "f" or out.dtype.itemsize not in (4, 8) or not out.dtype.isnative:
        raise TypeError(f"out must be float64 or float32; got dtype {out.dtype.str}")
    if not out.flags.writeable:
        raise ValueError("out must be writeable; it is read-only")
    return out


def separate(out: NDArray[Any], **others: NDArray[Any] | None) -> None:
    """Check that writing `out` cannot overwrite an input before it is read.

    They may share memory only if they are the same array.
    """
    for name, other in others.items():
        if other is not None and _overlap(out, other):
            same = out.__array_interface__["data"] == other.__array_interface__["data"]
            if not (same and out.strides == other.strides and out.dtype == other.dtype):
                exception = ", unless it is the same array" if other.shape == out.shape else ""
                raise ValueError(f"out must not overlap {name}{exception}")


def _overlap(a: NDArray[Any], b: NDArray[Any]) -> bool:
    try:
        return np.shares_memory(a, b, max_work=_OVERLAP_WORK)  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True


def shown(value: Any) -> str:
    """A value as messages show it, cut if it is long."""
    if isinstance(value, np.generic):  # np.int64(3) is shown as 3
        value = value.item()
    if isinstance(value, str):
        return repr(cut(value, _LONGEST_VALUE))
    try:
        return cut(repr(value), _LONGEST_VALUE)
    except ValueError:  # an integer with more digits than Python converts
        return "a number with thousands of digits"


def listed(items: Sequence[object], most: int = 5) -> str:
    """The first values as messages show them, and the number of the others."""
    text = ", ".join(map(shown, items[:most]))
    return text if len(items) <= most else f"{text} and {len(items) - most} more"


def cut(text: str, most: int) -> str:
    """The text, cut after `most` characters."""
    return text if len(text) <= most else f"{text[:most]} ..."
