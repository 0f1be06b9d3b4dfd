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

from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from numpy import dtype, empty, float32, float64, may_share_memory, ndarray, zeros

from fastlogit.kernels import jit, lanes, passes
from fastlogit.kernels.families import Binomial, Softmax
from fastlogit.kernels.passes import Results
from fastlogit.kernels.sums import merge, merge_symmetric
from fastlogit.matrix.base import PART_ELEMENTS
from fastlogit.matrix.passes import multiplies_much

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[Any]
    # Scratch memory: d, padded coefficients, the first d of these, an intercept, the padded
    # direction of a product, and its first d elements.
    Scratch = tuple[int, Array, Array, Array, Array, Array]
    # Compiled code of `passes.run`, its argument `float32`, the dtypes of its coefficients and of
    # its direction, and scratch memory that no call uses.
    Code = tuple[Callable[..., bool], Literal[True] | None, dtype[Any], dtype[Any], list[Scratch]]

# Most elements of X: the general way, too, reads them as one part, by one call of the kernel; only
# for a Hessian that `multiplies_much` it makes two.
MOST_ELEMENTS = PART_ELEMENTS // 2

_BINOMIAL, _SOFTMAX = Binomial(), Softmax()
_FLOAT64, _FLOAT32 = dtype(float64), dtype(float32)
# The direction of a product by the intercept.
_ZERO = zeros(1)
# Results that are sums: those that need targets, or another vector, and all.
_WITH_TARGETS = frozenset(["loss", "gradient", "newton"])
_WITH_VECTOR = _WITH_TARGETS | {"product"}
_SUMS = _WITH_VECTOR | {"hessian", "diagonal"}
_PAIRS = frozenset(["hessian", "newton"])
_WITHOUT_COLUMNS = frozenset(["loss", "hessian"])
# Types of targets that kernels read.
TARGETS = frozenset(map(dtype, "?bhilqBHILQfd"))
# Code for each result and dtypes of X, coef, and t or `out`.
_codes: dict[tuple[Any, ...], Code] = {}
# Compiled code of `passes.run` for K classes, for each result and dtypes of X and coef.
_class_codes: dict[tuple[str, dtype[Any], dtype[Any]], Callable[..., bool]] = {}


def call(
    result: str,
    X: Any,
    coef: Any,
    intercept: Any,
    vector: Any = None,
    out: Array | None = None,
    *,
    with_intercept: bool = True,
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
    with_intercept
        Whether a Hessian has the row and the column of the intercept.

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

    run, is_float32, kind, along_kind, spare = code
    scratch = spare.pop() if spare else _scratch(d, kind, along_kind)
    if scratch[0] != d:
        scratch = _scratch(d, kind, along_kind)
    _, padded, first, constant, _, along = scratch
    first[:] = coef
    constant[0] = intercept
    done: Any
    if result in _SUMS:
        if result == "product":
            along[:] = vector
        done = _sums(result, vector, code, X, scratch, with_intercept)
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
    padded = zeros((K, _round_up(d)), kind)
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


def _sums(
    result: str, vector: Any, code: Code, X: Array, scratch: Scratch, with_intercept: bool
) -> list[Array] | None:
    """Sums over all rows; None if a target is wrong."""
    d, padded, _, constant, along, _ = scratch
    t = vector if result in _WITH_TARGETS else None
    results = _empty_sums(result, d, along)
    if not code[0](X, _BINOMIAL, padded, constant, t, None, None, code[1], *results):
        return None
    _, _, loss, gradient, pairs, diagonal, product, _, _ = results
    merged, merged_symmetric = _mergers()
    sums = []
    if loss is not None:
        sums.append(empty(1))
        merged(loss.reshape(1, 2, 1), sums[0])
    for columns in (gradient, diagonal, product):
        if columns is not None:
            sums.append(empty(d + 1))
            merged(columns, sums[-1])
    if pairs is not None:
        size = d + 1 if with_intercept else d
        sums.append(empty((size, size)))
        merged_symmetric(pairs[0], sums[-1])
    return sums


def _empty_sums(result: str, d: int, along: Array) -> tuple[Any, ...]:
    """`Results` for the kernel to fill, all zeros, and for a product the direction `along`.

    A plain tuple, as `Results` takes 0.2 µs to make.
    """
    columns = None if result in _WITHOUT_COLUMNS else zeros((1, 2, d + 1))
    if result == "product":
        return None, None, None, None, None, None, columns, along, _ZERO
    if result == "diagonal":
        return None, None, None, None, None, columns, None, None, None
    loss = zeros(2) if result in _WITH_TARGETS else None
    pairs = None
    if result in _PAIRS:
        size = _round_up(d + 1)
        pairs = zeros((1, 1, 2, size, size))
    return None, None, loss, columns, pairs, None, None, None, None


@cache
def _mergers() -> tuple[Callable[..., None], Callable[..., None]]:
    """Code of `merge` and of `merge_symmetric`."""
    columns, pairs = (zeros((1, 2, 1)), zeros(1)), (zeros((1, 2, 1, 1)), zeros((1, 1)))
    return jit.compiled_code(merge, columns), jit.compiled_code(merge_symmetric, pairs)


def _scratch(d: int, kind: dtype[Any], direction: dtype[Any]) -> Scratch:
    size = _round_up(d)
    padded, along = zeros((1, size), kind), zeros((1, size), direction)
    return d, padded, padded[0, :d], empty(1), along, along[0, :d]


def _round_up(count: int) -> int:
    """As `lanes.round_up`, for which a call from Python takes 0.15 µs."""
    return -(-count // lanes.WIDTH) * lanes.WIDTH


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
    kinds = TARGETS if needs_t else (_FLOAT64, _FLOAT32)
    if coef not in (_FLOAT64, _FLOAT32) or X not in (coef, _FLOAT32):
        return None
    if last is not None and last not in kinds:
        return None
    is_sum = result in _SUMS
    # The kernel forms products in float32 if both factors are float32.
    products = _FLOAT32 if X == coef == _FLOAT32 else _FLOAT64
    kind = products if is_sum else (coef if last is None else last)
    is_float32: Literal[True] | None = True if kind == _FLOAT32 else None
    direction = products if result == "product" and last == _FLOAT32 else _FLOAT64
    _, padded, _, constant, along, _ = _scratch(1, products, direction)
    t = empty(1, last) if needs_t else None
    results = _empty_sums(result, 1, along) if is_sum else Results(**{result: empty(1, kind)})
    run = jit.compiled_code(
        passes.run,
        (empty((1, 1), X), _BINOMIAL, padded, constant, t, None, None, is_float32, *results),
    )
    code: Code = run, is_float32, products, direction, []
    _codes[(result, X, coef) if last is None else (result, X, coef, last)] = code
    return code
