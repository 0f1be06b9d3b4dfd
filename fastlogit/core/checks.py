"""Check what users pass, before any work: shapes, dtypes, ranges.

Each function takes a value and the name of the argument that it came from, gives back what
the kernels want, and raises a TypeError or ValueError that names the argument, says what is
wrong with it and what was expected.  Nothing that is n long is copied,
but for float16.
"""

from __future__ import annotations

import sys
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from fastlogit.core import threads as _threads
from fastlogit.kernels import lanes, sums

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

# Treatment of missing values; most functions accept only some of these.
Missing = Literal["error", "nan", "skip"]

# Arrays of n elements are split into parts of at least this many: below, handing the work to
# another thread costs more than it saves (some 20 µs against 2 ns an element).
PART = 1 << 15
# More parts than this balance no better, and their partial results take memory.
MOST_PARTS = 256

# Whether two arrays share an element is a hard problem in general: steps to try it for.
_OVERLAP_WORK = 10_000
# What messages write of a value, at most.
_MOST_TEXT = 60


def parts(n: int, smallest: int = PART, most: int = MOST_PARTS) -> list[slice]:
    """Split ``range(n)`` into slices that depend on the arguments alone."""
    if n <= smallest:
        return [slice(0, n)]
    size = max(smallest, -(-n // most))
    size = -(-size // sums.BLOCK) * sums.BLOCK if size > sums.BLOCK else size
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def real_array(value: ArrayLike, name: str, ndim: int, *, float16: bool = False) -> NDArray[Any]:
    """`value` as an array of native real numbers with `ndim` axes, none of them empty.

    float16 is widened to float32, unless the caller takes `float16`.
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
        array = array.astype(np.float64)  # the array is ours, and of no particular type
    if not array.dtype.isnative:
        raise TypeError(f"{name} must be in native byte order; got dtype {array.dtype.str}")
    if array.size == 0:
        raise ValueError(f"{name} must not be empty; got shape {array.shape}")
    if array.dtype == np.float16 and not float16:
        return array.astype(np.float32)  # for which there are kernels
    return array


def _as_float64(array: NDArray[Any]) -> str:
    return f"got {array.dtype} (.astype(np.float64) converts)"


def _axes(ndim: int) -> str:
    return "one axis" if ndim == 1 else f"{ndim} axes"


def vector(value: ArrayLike, name: str, n: int, like: str) -> NDArray[Any]:
    """One number for each of `n` things; `like` says in the error what those are."""
    array = real_array(value, name, 1)
    if array.shape[0] != n:
        raise ValueError(f"{name} must have one element for each {like}, {n}; got {array.shape[0]}")
    return array


def targets(
    t: ArrayLike, n: int, like: str, threads: int
) -> tuple[NDArray[Any], Literal[True] | None]:
    """Targets: n numbers in [0, 1]; and None if they are labels, all 0 or 1, else True."""
    array = vector(t, "t", n, like)
    return array, True if check_targets(array, threads) else None


def check_targets(t: NDArray[Any], threads: int) -> int:
    """Check that all targets are in [0, 1]; return how many are no labels."""
    return _check_range(t, "t", 1.0, "lie between 0 and 1", threads)


def weights(weight: ArrayLike | None, n: int, like: str, threads: int) -> NDArray[Any] | None:
    """Sample weights: None, or n finite numbers that are not negative."""
    if weight is None:
        return None
    array = vector(weight, "weight", n, like)
    _check_range(array, "weight", sys.float_info.max, "be finite and not negative", threads)
    return array


def total_weight(weight: NDArray[Any], name: str = "weight") -> float:
    """Sum of the weights, which a mean divides by."""
    with np.errstate(over="ignore"):
        total = float(np.sum(weight, dtype=np.float64))
    if total == 0.0:
        raise ValueError(f"at least one {name} must be above 0; all are 0")
    if total == np.inf:
        raise ValueError(f"{name} must have a finite sum; its largest is {weight.max()}")
    return total


def _check_range(array: NDArray[Any], name: str, high: float, rule: str, threads: int) -> int:
    """Check that all elements are in [0, high]; return how many are neither 0 nor `high`."""
    if array.dtype.kind == "b":
        return 0
    if array.size <= PART:  # as below, for arrays that take less time than what is done there
        outside, between = sums.count_outside(array, high)
    else:
        slices = parts(array.size)
        counts = np.empty((len(slices), 2), np.int64)

        def task(part: int) -> None:
            counts[part] = sums.count_outside(array[slices[part]], high)

        _threads.run(task, len(slices), threads)
        outside, between = counts.sum(axis=0).tolist()
    if outside:
        here = next(part for part in parts(array.size) if sums.count_outside(array[part], high)[0])
        block = array[here]
        first = int(np.argmin((block >= 0) & (block <= np.float64(high))))
        raise ValueError(
            f"every element of {name} must {rule}; got {block[first]} at index "
            f"{here.start + first} ({outside} such)"
        )
    return int(between)


def coefficients(coef: ArrayLike, name: str, d: int) -> NDArray[np.float64]:
    """One number for each of `d` columns, in float64 and padded for the kernels."""
    array = vector(coef, name, d, "column of X")
    padded = np.zeros(lanes.padded(d))
    padded[:d] = array
    return padded


def number(value: Any, name: str) -> float:
    """One real number."""
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
    """One of some texts."""
    if isinstance(value, str) and value in choices:
        return value
    *others, last = map(repr, choices)
    raise ValueError(f"{name} must be {', '.join(others)} or {last}; got {shown(value)}")


def missing(value: Any, allowed: Sequence[str] = get_args(Missing)) -> Missing:
    """The treatment of missing values, one of those that a function accepts."""
    checked: Missing = choice(value, "missing", allowed)
    return checked


def function(value: Any, name: str) -> Any:
    """A function or another object that can be called, or None."""
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be a function or None; got {shown(value)}")
    return value


def true_or_false(value: Any, name: str) -> bool:
    """One truth value, and no number or text that could stand for it."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False; got {shown(value)}")
    return bool(value)


def output(out: NDArray[Any] | None, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """`out` if it can take the result, or a new array."""
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
    """Check that writing `out` cannot change an input before it is read.

    Only the very same elements in the same places may be shared.
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
    """How messages write what somebody gave, which may be of any length."""
    if isinstance(value, np.generic):  # which is no more than its number to a user
        value = value.item()
    if isinstance(value, str):
        return repr(cut(value, _MOST_TEXT))
    try:
        return cut(repr(value), _MOST_TEXT)
    except ValueError:  # an integer with more digits than Python converts
        return "a number with thousands of digits"


def cut(text: str, most: int) -> str:
    """The beginning of a text, if it is longer."""
    return text if len(text) <= most else f"{text[:most]} ..."
