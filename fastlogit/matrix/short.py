"""Short calls: results of few rows, from arguments that need no check.

The general way takes 12 µs to check and prepare the arguments of the kernel, while NumPy
multiplies 128 rows of 32 columns in 1.3 µs.  :func:`call` takes 2 µs if it sees at a glance that
all arguments are right: arrays of NumPy in C order, with features and coefficients of float64 or
float32, and a float as the intercept.  For logits and probabilities of K classes, whose intercepts
are an array, it takes 4 µs.  Otherwise it returns None, and its caller goes the general way, which
knows all kinds of arguments and has all messages.

The results have the bits of the general way, as the same compiled code reads X.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from numpy import dtype, empty, float32, float64, may_share_memory, ndarray, zeros

from fastlogit.core.threads import MOST_THREADS
from fastlogit.kernels import jit, lanes, passes
from fastlogit.kernels.families import Binomial, Softmax
from fastlogit.kernels.passes import Results
from fastlogit.kernels.sums import merge
from fastlogit.matrix.base import PART_ELEMENTS
from fastlogit.matrix.passes import PartialSums, multiplies_much, symmetric

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[Any]
    # Scratch memory: d, padded coefficients, the first d of these, an intercept.
    Scratch = tuple[int, Array, Array, Array]
    # Compiled code of `passes.run`, its argument `float32`, the dtype of its coefficients, and
    # scratch memory that no call uses.
    Code = tuple[Callable[..., bool], Literal[True] | None, dtype[Any], list[Scratch]]

# Most elements of X: the general way, too, reads them as one part, by one call of the kernel; only
# for a Hessian that `multiplies_much` it makes two.
MOST_ELEMENTS = PART_ELEMENTS // 2

_BINOMIAL, _SOFTMAX = Binomial(), Softmax()
_FLOAT64, _FLOAT32 = dtype(float64), dtype(float32)
# Results that are sums: those that need targets, or another vector, and all.
_WITH_TARGETS = frozenset(["loss", "gradient", "newton"])
_WITH_VECTOR = _WITH_TARGETS | {"product"}
_SUMS = _WITH_VECTOR | {"hessian", "diagonal"}
_PAIRS = frozenset(["hessian", "newton"])
# Types of targets that the kernel reads.
_TARGETS = frozenset(map(dtype, "?bhilqBHILQfd"))
# Code for each result and dtypes of X, coef, and t or `out`.
_codes: dict[tuple[Any, ...], Code] = {}
# Compiled code of `passes.run` for K classes, for each result and dtypes of X and coef.
_class_codes: dict[tuple[str, dtype[Any], dtype[Any]], Callable[..., bool]] = {}


def call(
    result: str, X: Any, coef: Any, intercept: Any, vector: Any = None, out: Array | None = None
) -> Any:
    """A result for all rows, or None if the call must go the general way.

    Parameters
    ----------
    result : {"logits", "probabilities"}, or one of `_SUMS`
    X, coef, intercept
        As in :mod:`fastlogit.linear`, not yet checked.
    vector
        Targets, the direction of a product, or None for results that need neither.
    out
        Array for logits or probabilities, or None.

    Returns
    -------
    ndarray (n,) or (n, K), or a list with an array for each of the sums
        Derivatives are by [coef, intercept].
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
        return _of_classes(result, X, coef, intercept, out)
    n, d = X.shape
    if len(coef) != d or not 0 < n * d <= MOST_ELEMENTS:
        return None
    if result in _PAIRS and multiplies_much(n, n * d):
        return None
    key: tuple[Any, ...]
    if result in _WITH_VECTOR:
        if not (
            type(vector) is ndarray
            and vector.ndim == 1
            and len(vector) == (d if result == "product" else n)
            and (flags := vector.flags).c_contiguous
            and flags.aligned
        ):
            return None
        key = result, X.dtype, coef.dtype, vector.dtype
    elif out is None:
        key = result, X.dtype, coef.dtype
    elif type(out) is ndarray and out.shape == (n,) and out.flags.carray:
        if may_share_memory(out, X):
            return None
        key = result, X.dtype, coef.dtype, out.dtype
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
    done: Any
    if result in _SUMS:
        done = _sums(result, d, vector, code, X, padded, constant)
    else:
        done = empty(n, coef.dtype) if out is None else out
        run(
            X, _BINOMIAL, padded, constant, None, None, None, is_float32,
            done if result == "logits" else None,
            done if result == "probabilities" else None,
            None, None, None, None, None, None, None,
        )  # fmt: skip
    spare.append(scratch)
    return done


def _of_classes(result: str, X: Any, coef: Any, intercept: Any, out: Any) -> Array | None:
    """Logits or probabilities of K classes, or None."""
    if not (
        type(X) is type(coef) is type(intercept) is ndarray
        and X.ndim == coef.ndim == 2
        and intercept.ndim == 1
        and intercept.dtype in (_FLOAT64, _FLOAT32)
        and len(intercept) == len(coef) > 1
        and coef.shape[1] == X.shape[1]
        and 0 < X.size <= MOST_ELEMENTS
        and (flags := X.flags).c_contiguous
        and flags.aligned
        and result not in _SUMS
        and out is None
    ):
        return None
    kind = coef.dtype
    run = _class_codes.get((result, X.dtype, kind)) or _class_code(result, X.dtype, kind)
    if run is None:
        return None
    K, d = coef.shape
    padded = zeros((K, lanes.round_up(d)), kind)
    padded[:, :d] = coef
    done = empty((len(X), K), kind)
    run(
        X, _SOFTMAX, padded, intercept.astype(float64), None, None, None,
        True if kind == _FLOAT32 else None,
        done if result == "logits" else None,
        done if result == "probabilities" else None,
        None, None, None, None, None, None, None,
    )  # fmt: skip
    return done


def is_count(threads: Any) -> bool:
    """Whether a number of threads is right at a glance."""
    return type(threads) is int and 0 < threads <= MOST_THREADS


def _sums(
    result: str, d: int, vector: Any, code: Code, X: Array, padded: Array, constant: Array
) -> list[Array] | None:
    """Sums over all rows; None if a target is wrong."""
    run, is_float32, kind, _ = code
    t, direction = (None, vector) if result == "product" else (vector, None)
    results = _empty_sums(result, d, kind, direction)
    if not run(X, _BINOMIAL, padded, constant, t, None, None, is_float32, *results):
        return None
    _, _, loss, gradient, pairs, diagonal, product, _, _ = results
    sums = [] if loss is None else [_merged(loss.reshape(1, 2, 1))]
    sums += [_merged(one) for one in (gradient, diagonal, product) if one is not None]
    if pairs is not None:
        sums.append(symmetric(PartialSums(pairs[None]), d))
    return sums


def _merged(partials: Array) -> Array:
    result = empty(partials.shape[2])
    merge(partials, result)
    return result


def _empty_sums(result: str, d: int, kind: dtype[Any], direction: Array | None) -> Results:
    """Arrays for the kernel to fill, all zeros, and for a product its direction."""
    loss = zeros(2) if result in _WITH_TARGETS else None
    if result == "loss":
        return Results(None, None, loss)
    columns = zeros((1, 2, d + 1))
    if result == "gradient":
        return Results(None, None, loss, columns)
    if result == "diagonal":
        return Results(None, None, None, None, None, columns)
    if direction is not None:
        _, along, first, _ = _scratch(d, kind if direction.dtype == _FLOAT32 else _FLOAT64)
        first[:] = direction
        return Results(None, None, None, None, None, None, columns, along, zeros(1))
    size = passes.hessian_size(d)
    pairs = zeros((1, 1, 2, size, size))
    return Results(None, None, loss, None if loss is None else columns, pairs)


def _scratch(d: int, kind: dtype[Any]) -> Scratch:
    padded = zeros((1, lanes.round_up(d)), kind)
    return d, padded, padded[0, :d], empty(1)


def _class_code(result: str, X: dtype[Any], coef: dtype[Any]) -> Callable[..., bool] | None:
    """Code for K classes and these dtypes; None: go the general way."""
    if coef not in (_FLOAT64, _FLOAT32) or X not in (coef, _FLOAT32):
        return None
    matrix, is_float32 = empty((1, 1), coef), True if coef == _FLOAT32 else None
    given = empty((1, 1), X), _SOFTMAX, matrix, empty(1), None, None, None, is_float32
    run = jit.compiled_code(passes.run, (*given, *Results(**{result: matrix})))
    _class_codes[result, X, coef] = run
    return run


def _compiled(
    result: str, X: dtype[Any], coef: dtype[Any], last: dtype[Any] | None = None
) -> Code | None:
    """Code for dtypes of X, `coef`, and t, direction or `out`; None: go the general way."""
    needs_t = result in _WITH_TARGETS
    kinds = _TARGETS if needs_t else (_FLOAT64, _FLOAT32)
    if coef not in (_FLOAT64, _FLOAT32) or X not in (coef, _FLOAT32):
        return None
    if last is not None and last not in kinds:
        return None
    is_sum = result in _SUMS
    # The kernel forms products in float32 if both factors are float32.
    products = _FLOAT32 if X == coef == _FLOAT32 else _FLOAT64
    kind = products if is_sum else (coef if last is None else last)
    is_float32: Literal[True] | None = True if kind == _FLOAT32 else None
    _, padded, _, constant = _scratch(1, products)
    t = empty(1, last) if needs_t else None
    if is_sum:
        direction = empty(1, last) if result == "product" else None
        results = _empty_sums(result, 1, products, direction)
    else:
        results = Results(**{result: empty(1, kind)})
    run = jit.compiled_code(
        passes.run,
        (empty((1, 1), X), _BINOMIAL, padded, constant, t, None, None, is_float32, *results),
    )
    code: Code = run, is_float32, products, []
    _codes[(result, X, coef) if last is None else (result, X, coef, last)] = code
    return code
