"""Passes over a matrix: split it into parts, run a kernel on threads, and collect sums.

Arguments are not checked here.  Errors that a kernel finds while it reads, a wrong index or target,
are raised with their place.  The parts depend on X alone and their sums are added up in order, so
that no result depends on the number of threads.
"""

from __future__ import annotations

import math
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from fastlogit.core import checks, threads
from fastlogit.kernels import lanes, passes, sums
from fastlogit.kernels.families import Softmax
from fastlogit.kernels.passes import Results

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from fastlogit.matrix.base import Matrix

    Array = NDArray[Any]
    FloatArray = NDArray[np.float64]

# Most memory that the sums of all parts take together.
PARTIAL_BYTES = 64 << 20
# A Hessian that needs this number of products takes 0.4 ms; a second part costs 20 µs.
MANY_PRODUCTS = 1 << 23


class LinearModel(NamedTuple):
    """A family with its coefficients, of K outputs.

    Attributes
    ----------
    family : instance of a class of :data:`fastlogit.kernels.families.MODULES`
    coef : ndarray (K, d rounded up to 8)
        Coefficients of each output, then zeros.  float64, or float32 if `float32` and the X of the
        pass `multiplies_float32`.
    intercept : ndarray (K,)
    float32 : bool
        Whether X and the coefficients are float32, so that less accurate terms are enough.
    """

    family: Any
    coef: Array
    intercept: FloatArray
    float32: bool


def with_zeros(coef: Array) -> FloatArray:
    """Coefficients (K, d) as float64, followed by zeros as in `LinearModel`."""
    K, d = coef.shape
    padded = np.zeros((K, lanes.round_up(d)))
    padded[:, :d] = coef
    return padded


class PassInput(NamedTuple):
    """The rows to read.

    Attributes
    ----------
    X : Matrix (n, d)
    t, weight, offset : ndarray of n rows, or None
        Targets, sample weights and known additions to the logits, of any real dtype.
    threads : int
        Maximum number of threads.
    """

    X: Matrix
    t: Array | None
    weight: Array | None
    offset: Array | None
    threads: int


class PartialSums(NamedTuple):
    """Sums over rows, kept part by part: concatenate `partials` to add up several datasets.

    Attributes
    ----------
    partials : ndarray (parts, 2, size), or (parts, K, K, 2, size, size) of a Hessian
        High and low word of each sum.
    """

    partials: FloatArray

    def merged(self) -> FloatArray:
        """Sums over all rows, (size,): the parts are added up in order, without rounding errors.

        For a Hessian see `symmetric`.
        """
        result = np.empty(self.partials.shape[2])
        sums.merge(self.partials, result)
        return result

    def as_one_part(self) -> PartialSums:
        """The same sums with a single part: the parts are added up in order."""
        words = 3 if self.partials.ndim == 6 else 1  # the axis of the high and low words
        high, low = (self.partials[0].take(word, words - 1) for word in (0, 1))
        with np.errstate(over="ignore", invalid="ignore"):
            for part in self.partials[1:]:
                more, more_low = (part.take(word, words - 1) for word in (0, 1))
                total = high + more
                rest = total - high
                low = low + (((high - (total - rest)) + (more - rest)) + more_low)
                high = total
        return PartialSums(np.stack([high, low], words - 1)[np.newaxis])


_EMPTY = PartialSums(np.empty((0, 2, 0)))


class DerivativeSums(NamedTuple):
    """Sums of the loss and its derivatives by [coef.ravel(), intercept]; see `derivatives`."""

    loss: PartialSums
    gradient: PartialSums
    hessian: PartialSums


def score(model: LinearModel, data: PassInput, out: Array, *, probability: bool) -> None:
    """Put the logits or the probabilities of all rows into `out`."""

    def wanted(_: int, here: slice) -> Results:
        return Results(None, out[here]) if probability else Results(out[here])

    _run(model, data, split(data.X, 0), wanted, float32=out.dtype == np.float32)


def derivatives(model: LinearModel, data: PassInput, order: int) -> DerivativeSums:
    """Sum the loss and its derivatives up to `order` (0, 1 or 2) in one read of X.

    Derivatives of a higher order are empty.
    """
    outputs, d = model.intercept.size, data.X.shape[1]
    size = passes.hessian_size(d) if order == 2 else 0
    sums_size = outputs * (2 * d + 2 * outputs * size * size)
    two = order == 2
    parts = _split_pairs(data.X, outputs, sums_size) if two else split(data.X, sums_size)
    loss = np.zeros((len(parts), 2))
    gradient = np.zeros((len(parts), outputs, 2, d + 1)) if order >= 1 else None
    hessian = np.zeros((len(parts), outputs, outputs, 2, size, size)) if order == 2 else None

    def wanted(part: int, _: slice) -> Results:
        return Results(
            None,
            None,
            loss[part],
            None if gradient is None else gradient[part],
            None if hessian is None else hessian[part],
        )

    _run(model, data, parts, wanted, float32=model.float32)
    return DerivativeSums(
        PartialSums(loss[..., np.newaxis]),
        _EMPTY if gradient is None else _columns(gradient),
        _EMPTY if hessian is None else PartialSums(hessian),
    )


def hessian(model: LinearModel, data: PassInput) -> PartialSums:
    """Sum the Hessian over all rows, in one read of X; see `symmetric`."""
    outputs, size = model.intercept.size, passes.hessian_size(data.X.shape[1])
    shape = outputs, outputs, 2, size, size
    parts = _split_pairs(data.X, outputs, math.prod(shape))
    wanted = _curvatures(model, data, parts, shape, lambda partial: Results(hessian=partial))
    return PartialSums(wanted)


def hessian_diagonal(model: LinearModel, data: PassInput) -> PartialSums:
    """Sum the diagonal of the Hessian over all rows, in one read of X."""
    shape = model.intercept.size, 2, data.X.shape[1] + 1
    parts = split(data.X, math.prod(shape))
    wanted = _curvatures(model, data, parts, shape, lambda partial: Results(diagonal=partial))
    return _columns(wanted)


def hessian_product(
    model: LinearModel, data: PassInput, direction: FloatArray, intercept_direction: FloatArray
) -> PartialSums:
    """Sum the Hessian times a vector over all rows, in one read of X."""
    shape = model.intercept.size, 2, data.X.shape[1] + 1

    def wanted(partial: FloatArray) -> Results:
        return Results(
            product=partial, direction=direction, intercept_direction=intercept_direction
        )

    parts = split(data.X, math.prod(shape))
    return _columns(_curvatures(model, data, parts, shape, wanted))


def symmetric(hessian: PartialSums, d: int) -> FloatArray:
    """Hessian by [coef.ravel(), intercept], from its sums."""
    outputs = hessian.partials.shape[1]
    block = np.empty((d + 1, d + 1))
    if outputs == 1:
        sums.merge_symmetric(hessian.partials[:, 0, 0], block)
        return block
    size = outputs * d
    result = np.empty((size + outputs, size + outputs))
    for k, other in combinations_with_replacement(range(outputs), 2):
        # A copy, for which the function is already compiled.
        sums.merge_symmetric(np.ascontiguousarray(hessian.partials[:, k, other]), block)
        for first, second in ((k, other), (other, k)):
            rows, columns = (slice(one * d, (one + 1) * d) for one in (first, second))
            result[rows, columns] = block[:d, :d]
            result[rows, size + second] = result[size + first, columns] = block[:d, d]
            result[size + first, size + second] = block[d, d]
    return result


def split(X: Matrix, partial_size: int) -> list[slice]:
    """Parts of X whose sums, of `partial_size` float64 each, stay small together."""
    return X.parts(min(threads.MOST_PARTS, PARTIAL_BYTES // (8 * max(1, partial_size))))


def multiplies_much(n: int, elements: int, outputs: int = 1) -> bool:
    """Whether the Hessian of X is split into two parts even if X itself is small."""
    return elements * (elements // n) * outputs * (outputs + 1) // 2 >= MANY_PRODUCTS


def _split_pairs(X: Matrix, outputs: int, partial_size: int) -> list[slice]:
    """As `split`, for a Hessian."""
    n = X.shape[0]
    parts = split(X, partial_size)
    fits = 2 * 8 * partial_size <= PARTIAL_BYTES
    if len(parts) > 1 or not fits or not multiplies_much(n, X.elements, outputs):
        return parts
    middle = n // (2 * X.whole_rows) * X.whole_rows
    return [part for part in (slice(0, middle), slice(middle, n)) if part.start < part.stop]


def _curvatures(
    model: LinearModel,
    data: PassInput,
    parts: list[slice],
    shape: tuple[int, ...],
    wanted: Callable[[FloatArray], Results],
) -> FloatArray:
    """Sums that need no t, for each part; `wanted` takes the array of one part, of `shape`."""
    partials = np.zeros((len(parts), *shape))
    data = data if data.t is None else data._replace(t=None)
    _run(model, data, parts, lambda part, _: wanted(partials[part]), float32=model.float32)
    return partials


def _columns(partials: FloatArray) -> PartialSums:
    """Sums of columns, (parts, outputs, 2, d + 1), in the order [coef.ravel(), intercept]."""
    parts, outputs, _, size = partials.shape
    if outputs == 1:  # without a copy
        return PartialSums(partials.reshape(parts, 2, size))
    ordered = partials.swapaxes(1, 2)
    coef = ordered[..., :-1].reshape(parts, 2, outputs * (size - 1))
    return PartialSums(np.concatenate([coef, ordered[..., -1]], axis=2))


def _run(
    model: LinearModel,
    data: PassInput,
    parts: list[slice],
    wanted: Callable[[int, slice], Results],
    *,
    float32: bool,
) -> None:
    """Read all parts; `wanted` takes a part's number and the rows of one call of the kernel.

    `float32` says whether less accurate terms are enough.
    """
    family, coef, intercept, _ = model
    flag: Literal[True] | None = True if float32 else None
    wrong: list[int] = []

    def task(part: int) -> Iterator[None]:
        for here, X in data.X.kernel_calls(parts[part]):
            good = passes.run(
                X,
                family,
                coef,
                intercept,
                None if data.t is None else data.t[here],
                None if data.weight is None else data.weight[here],
                None if data.offset is None else data.offset[here],
                flag,
                *wanted(part, here),
            )
            if not good:
                wrong.append(part)
            if wrong:
                return
            yield

    threads.run(task, len(parts), data.threads)
    if wrong:
        data.X.check(data.threads)
        if data.t is not None and isinstance(family, Softmax):
            checks.class_targets(data.t, (data.X.shape[0], intercept.size))
        elif data.t is not None:
            checks.check_targets(data.t, data.threads)
        raise ValueError("X or t was changed while it was read")
