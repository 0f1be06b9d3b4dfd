"""Short calls: results of few rows, from arguments that need no check.

The general way takes 12 µs to check arguments and to prepare those of the kernel, while NumPy
multiplies 128 rows of 32 columns in 1.3 µs.  :func:`call` takes 2 µs if it sees at a glance that
all arguments are right: arrays of NumPy in C order, with features and coefficients of float64 or
float32, and a float as the intercept.  Otherwise it returns None, and its caller goes the general
way, which knows all kinds of arguments and has all messages.

The results have the bits of the general way, as the same compiled code reads X.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from numpy import dtype, empty, float32, float64, may_share_memory, ndarray, newaxis, zeros

from fastlogit.core.threads import MOST_THREADS
from fastlogit.kernels import jit, lanes, passes, sums
from fastlogit.kernels.families import Binomial
from fastlogit.kernels.passes import Results
from fastlogit.matrix.base import PART_ELEMENTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[Any]
    # Scratch memory: d, padded coefficients, the first d of these, an intercept.
    Scratch = tuple[int, Array, Array, Array]
    # Compiled code of `passes.run`, its argument `float32`, the dtype of its coefficients, and
    # scratch memory that no call uses.
    Code = tuple[Callable[..., bool], Literal[True] | None, dtype[Any], list[Scratch]]

# Most elements of X: the general way, too, reads them as one part, by one call of the kernel.
MOST_ELEMENTS = PART_ELEMENTS // 2

_BINOMIAL = Binomial()
_FLOAT64, _FLOAT32 = dtype(float64), dtype(float32)
# Types of targets that the kernel reads.
_TARGETS = frozenset(map(dtype, "?bhilqBHILQfd"))
# Code for each result and dtypes of X, coef, and t or `out`.
_codes: dict[tuple[Any, ...], Code] = {}


def call(
    result: str, X: Any, coef: Any, intercept: Any, t: Any = None, out: Array | None = None
) -> Any:
    """A result for all rows, or None if the call must go the general way.

    Parameters
    ----------
    result : {"logits", "probabilities", "loss", "gradient"}
    X, coef, intercept
        As in :mod:`fastlogit.linear`, not yet checked.
    t
        Targets, for the last two results.
    out
        Array for one of the first two, or None.

    Returns
    -------
    ndarray (n,), float, or tuple of float and ndarray (d + 1,)
        The tuple is the loss and its derivatives by [coef, intercept].
    """
    # One function, as each further call within it takes 3 % of the time.
    if not (
        type(X) is ndarray
        and type(coef) is ndarray
        and (type(intercept) is float or type(intercept) is float64)
        and X.ndim == 2
        and coef.ndim == 1
        and (flags := X.flags).c_contiguous
        and flags.aligned
    ):
        return None
    n, d = X.shape
    if len(coef) != d or not 0 < n * d <= MOST_ELEMENTS:
        return None
    is_sum = result == "loss" or result == "gradient"
    key: tuple[Any, ...]
    if not is_sum and out is None:
        key = result, X.dtype, coef.dtype
    elif not is_sum and type(out) is ndarray and out.shape == (n,) and out.flags.carray:
        if may_share_memory(out, X):
            return None
        key = result, X.dtype, coef.dtype, out.dtype
    elif (
        is_sum
        and type(t) is ndarray
        and t.ndim == 1
        and len(t) == n
        and (flags := t.flags).c_contiguous
        and flags.aligned
    ):
        key = result, X.dtype, coef.dtype, t.dtype
    else:
        return None
    code = _codes.get(key) or _compiled(*key)
    if code is None:
        return None

    run, is_float32, kind, spare = code
    scratch = spare.pop() if spare else _scratch(d, kind)
    if scratch[0] != d:
        scratch = _scratch(d, kind)
    _, padded, first, constant = scratch
    first[:] = coef
    constant[0] = intercept
    scores = empty(n, coef.dtype) if out is None and not is_sum else out
    loss = zeros(2) if is_sum else None
    gradient = zeros((1, 2, d + 1)) if result == "gradient" else None
    good = run(
        X, _BINOMIAL, padded, constant, t, None, None, is_float32,
        scores if result == "logits" else None,
        scores if result == "probabilities" else None,
        loss, gradient, None, None, None, None, None,
    )  # fmt: skip
    spare.append(scratch)
    return _merged(loss, gradient) if is_sum and good else scores


def is_count(threads: Any) -> bool:
    """Whether a number of threads is right at a glance."""
    return type(threads) is int and 0 < threads <= MOST_THREADS


def _merged(loss: Any, gradient: Array | None) -> float | tuple[float, Array]:
    """Sums as single numbers, merged as in the general way."""
    total = empty(1)
    sums.merge(loss[newaxis, :, newaxis], total)
    if gradient is None:
        return float(total[0])
    merged = empty(gradient.shape[2])
    sums.merge(gradient, merged)
    return float(total[0]), merged


def _scratch(d: int, kind: dtype[Any]) -> Scratch:
    padded = zeros((1, lanes.round_up(d)), kind)
    return d, padded, padded[0, :d], empty(1)


def _compiled(
    result: str, X: dtype[Any], coef: dtype[Any], last: dtype[Any] | None = None
) -> Code | None:
    """Code for dtypes of X, `coef`, and t or `out`; None if they must go the general way."""
    is_sum = result in ("loss", "gradient")
    if coef not in (_FLOAT64, _FLOAT32) or X not in (coef, _FLOAT32):
        return None
    if last is not None and last not in (_TARGETS if is_sum else (_FLOAT64, _FLOAT32)):
        return None
    kind = coef if is_sum or last is None else last
    scores = None if is_sum else empty(1, kind)
    results = {
        "logits": Results(logits=scores),
        "probabilities": Results(probabilities=scores),
        "loss": Results(loss=empty(2)),
        "gradient": Results(loss=empty(2), gradient=empty((1, 2, 2))),
    }
    is_float32: Literal[True] | None = True if kind == _FLOAT32 else None
    # The kernel forms products in float32 if both factors are float32.
    products = _FLOAT32 if X == coef == _FLOAT32 else _FLOAT64
    _, padded, _, constant = _scratch(1, products)
    t = empty(1, last) if is_sum else None
    first = empty((1, 1), X), _BINOMIAL, padded, constant, t, None, None, is_float32
    run = jit.compiled_code(passes.run, (*first, *results[result]))
    code: Code = run, is_float32, products, []
    _codes[(result, X, coef) if last is None else (result, X, coef, last)] = code
    return code
