"""Passes over X, whatever its layout, each of which reads X from memory once.

      X (n, d)            a block of rows, in the first caches
    ┌──────────┐   1. z = X_block @ coef + intercept + offset     reads the block from memory
    │░░░░░░░░░░│   2. loss, residual, curvature of each row       in L1, d times less to do
    ├──────────┤   3. sums += X_blockᵀ @ residual                 reads it again, from L1 or L2
    │          │
    └──────────┘

A layout (:mod:`dense`, :mod:`columns`, :mod:`sparse`) says how large a block is and how it is
multiplied, accumulated and packed; a pass is written once, and compiled for each layout.  Blocks,
and the parts that a caller splits X into, depend on X alone.

``[X | 1]``: the intercept is handled as one more column of ones, the last.  Partial results
have shape (2, size), high and low parts, and are added up by `sums.merge`.

Error: with u = 2**-53, z is within ``(d + 2) u`` of the exact one relative to Σ|x coef| +
|intercept| + |offset| (row-major: ``(d / 8 + 8) u``; sparse: d is the entries of the row), where
integers beyond 2**53 are first rounded to float64; a term within ``6 u`` of that of this z; a sum
over n rows within ``(SUMMED_ROWS + 4) u`` relative to Σ|terms|, whatever n, as so many are added
plainly, and these sums with their rounding errors (sparse: u times the entries of the column).
Losses are added without an error that counts.  Where X and `coef` are float32
(`narrow`), z is as exact, but terms are only good to 2**-30.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastlogit.kernels import jit, lanes, logistic, sums
from fastlogit.kernels.ieee import two_sum
from fastlogit.kernels.layouts import columns, dense, sparse

# At most so many rows, or a block if that has more, are added plainly.
SUMMED_ROWS = 512
# Rows and columns of H that are summed in registers at a time.
TILE_ROWS, TILE_COLUMNS = 4, 2 * lanes.WIDTH
# A block that is packed for H takes as much, and has at least and at most so many rows.
PACKED_BYTES = 1 << 17
LEAST_PACKED, MOST_PACKED = 16, 128


def _of_each_layout(name: str, *, allocating: bool = False) -> Any:
    """The function of that name in each layout's module."""
    modules = {
        np.ndarray: dense,
        dense.CentredArray: dense,
        columns.Columns: columns,
        sparse.Rows: sparse,
        sparse.CentredRows: sparse,
    }
    functions = {layout: getattr(module, name) for layout, module in modules.items()}
    return jit.by_layout(functions, allocating=allocating)


shape = _of_each_layout("shape")
block_rows = _of_each_layout("block_rows")
workspace = _of_each_layout("workspace", allocating=True)
partial_sums = _of_each_layout("partial_sums", allocating=True)
multiply = _of_each_layout("multiply")
accumulate = _of_each_layout("accumulate")
accumulate_squares = _of_each_layout("accumulate_squares")
add_pairs = _of_each_layout("add_pairs")
pack = _of_each_layout("pack")


# What is done with a block ----------------------------------------------------------------


@jit.inner
def _decide(
    X: Any,
    first: int,
    rows: int,
    coef: NDArray[np.float64],
    intercept: float,
    offset: NDArray[Any] | None,
    z: NDArray[np.float64],
    work: Any,
) -> bool:
    """Put z of some rows into the first `rows` elements of `z`; False if X is damaged."""
    good: bool = multiply(X, first, rows, coef, z, work)
    known = None if offset is None else offset[first : first + rows]
    for i in range(rows):
        z[i] += intercept if known is None else intercept + known[i]
    return good


@jit.inner
def _differentiate(
    z: NDArray[np.float64],
    t: NDArray[Any],
    weight: NDArray[Any] | None,
    narrow: bool | None,
    first: int,
    rows: int,
    losses: NDArray[np.float64],
    slopes: NDArray[np.float64],
) -> bool:
    """Put the loss of each row and its derivative, and zeros to make up whole eights.

    False unless each t is in [0, 1]: to check that in advance would read t once more.
    """
    here = slice(first, first + rows)  # a slice: see sums.log_loss_gradient
    targets = t[here]
    weights = None if weight is None else weight[here]
    outside = 0
    for i in range(rows):
        target = np.float64(targets[i])
        outside += not (0.0 <= target <= 1.0)
        loss, slope = logistic.loss_and_residual(z[i], target, narrow is not None)
        losses[i] = loss if weights is None else sums.weighted(loss, weights[i])
        slopes[i] = slope if weights is None else sums.weighted(slope, weights[i])
    for i in range(rows, lanes.padded(rows)):
        losses[i] = slopes[i] = 0.0
    return outside == 0


@jit.inner
def _curve(
    z: NDArray[np.float64],
    weight: NDArray[Any] | None,
    first: int,
    rows: int,
    curvatures: NDArray[np.float64],
) -> None:
    """D: weight times σ(z) σ(-z)."""
    weights = None if weight is None else weight[first : first + rows]
    for i in range(rows):
        value = logistic.curvature(z[i])
        curvatures[i] = value if weights is None else sums.weighted(value, weights[i])


class _Sums(NamedTuple):
    """Sums over rows that are on their way to a total: of each column, and of the intercept."""

    columns: NDArray[np.float64]
    ones: NDArray[np.float64]  # eight lanes
    rows: NDArray[np.int64]  # how many have been added


@jit.loop
def _no_sums(X: Any) -> _Sums:
    return _Sums(partial_sums(X), np.zeros(lanes.WIDTH), np.zeros(1, np.int64))


@jit.inner
def _accumulate(
    X: Any,
    first: int,
    rows: int,
    factor: NDArray[np.float64],
    squared: bool | None,
    partial: _Sums,
    total: NDArray[np.float64],
    work: Any,
) -> None:
    """Add ``[X | 1]ᵀ @ factor`` over some rows, by way of `partial`, to ``total = [high, low]``.

    Or, unless `squared` is None, the same of the squares of X.  `factor` is padded with zeros to
    whole eights.
    """
    if squared is None:
        accumulate(X, first, rows, factor, partial.columns, total, work)
    else:
        accumulate_squares(X, first, rows, factor, partial.columns, total, work)
    ones = lanes.load(partial.ones, 0)
    for i in range(0, rows, lanes.WIDTH):
        ones = lanes.add(ones, lanes.load(factor, i))
    lanes.store(partial.ones, 0, ones)
    partial.rows[0] += rows
    if partial.rows[0] + rows > SUMMED_ROWS:
        _hand_over(partial, total)


@jit.inner
def _hand_over(partial: _Sums, total: NDArray[np.float64]) -> None:
    """Add partial sums to a total with their rounding errors, and begin anew."""
    high, low = total[0], total[1]
    last = high.size - 1
    for j in range(min(partial.columns.size, last)):
        high[j], error = two_sum(high[j], partial.columns[j])
        low[j] += error
    high[last], error = two_sum(high[last], lanes.total(lanes.load(partial.ones, 0)))
    low[last] += error
    partial.columns[:] = 0.0
    partial.ones[:] = 0.0
    partial.rows[0] = 0


# Passes -----------------------------------------------------------------------------------
#
# Each returns whether what it read was good, and ends where it is not.  It raises nothing: Numba
# would keep all that the function holds.


@jit.loop
def score(
    X: Any,
    coef: NDArray[np.float64],
    intercept: float,
    offset: NDArray[Any] | None,
    probability: bool | None,
    narrow: bool | None,
    out: NDArray[Any],
) -> bool:
    """Z of each row, or σ(z) unless `probability` is None; `narrow` unless `out` is float64."""
    n, _ = shape(X)
    block = block_rows(X)
    work = workspace(X)
    z = np.empty(lanes.padded(block))
    for first in range(0, n, block):
        rows = min(block, n - first)
        if not _decide(X, first, rows, coef, intercept, offset, z, work):
            return False
        _put(z, first, rows, probability, narrow, out)
    return True


@jit.inner
def _put(
    z: NDArray[np.float64],
    first: int,
    rows: int,
    probability: bool | None,
    narrow: bool | None,
    out: NDArray[Any],
) -> None:
    part = out[first : first + rows]
    for i in range(rows):
        if probability is None:
            part[i] = z[i]
        else:
            part[i] = logistic.sigmoid(z[i]) if narrow is None else logistic.sigmoid_float32(z[i])


@jit.loop
def log_loss_gradient(
    X: Any,
    t: NDArray[Any],
    narrow: bool | None,
    coef: NDArray[np.float64],
    intercept: float,
    weight: NDArray[Any] | None,
    offset: NDArray[Any] | None,
    loss: NDArray[np.float64],
    gradient: NDArray[np.float64] | None,
    hessian: NDArray[np.float64] | None,
) -> bool:
    """Put the sums over all rows of the loss and, where wanted, its derivatives.

    `loss` is (2,), `gradient` (2, d + 1) or None, `hessian` as of the function `hessian` or
    None; all are added to.
    """
    n, d = shape(X)
    block = block_rows(X) if hessian is None else packed_rows(d)
    work = workspace(X)
    size = lanes.padded(block)
    z, losses, slopes = np.empty(size), np.empty(size), np.empty(size)
    carried, partial = np.zeros((2, lanes.WIDTH)), _no_sums(X)
    packed, scaled = _packing(d, hessian)
    for first in range(0, n, block):
        rows = min(block, n - first)
        good = _decide(X, first, rows, coef, intercept, offset, z, work)
        if not (good and _differentiate(z, t, weight, narrow, first, rows, losses, slopes)):
            return False
        sums.carry(losses, lanes.padded(rows), carried)
        if gradient is not None:
            _accumulate(X, first, rows, slopes, None, partial, gradient, work)
        if hessian is not None:
            _curve(z, weight, first, rows, slopes)
            _add_products(X, first, rows, slopes, packed, scaled, work, hessian)
    high, low = sums.carried(carried)
    loss[0], error = two_sum(loss[0], high)
    loss[1] += error + low
    if gradient is not None:
        _hand_over(partial, gradient)
    return True


@jit.loop
def hessian(
    X: Any,
    coef: NDArray[np.float64],
    intercept: float,
    weight: NDArray[Any] | None,
    offset: NDArray[Any] | None,
    result: NDArray[np.float64],
) -> bool:
    """Add ``[X | 1]ᵀ D [X | 1]`` to the upper triangle of `result`, (2, m, m) with padded m."""
    n, d = shape(X)
    block = packed_rows(d)
    work = workspace(X)
    z, curvatures = np.empty(block), np.empty(block)
    packed, scaled = _packing(d, result)
    for first in range(0, n, block):
        rows = min(block, n - first)
        if not _decide(X, first, rows, coef, intercept, offset, z, work):
            return False
        _curve(z, weight, first, rows, curvatures)
        _add_products(X, first, rows, curvatures, packed, scaled, work, result)
    return True


@jit.loop
def hessian_product(
    X: Any,
    coef: NDArray[np.float64],
    intercept: float,
    direction: NDArray[np.float64],
    intercept_direction: float,
    weight: NDArray[Any] | None,
    offset: NDArray[Any] | None,
    result: NDArray[np.float64],
) -> bool:
    """Add ``[X | 1]ᵀ D [X | 1] v`` to `result` (2, d + 1)."""
    n, _ = shape(X)
    block = block_rows(X)
    work = workspace(X)
    size = lanes.padded(block)
    z, along, factor = np.empty(size), np.empty(size), np.empty(size)
    partial = _no_sums(X)
    for first in range(0, n, block):
        rows = min(block, n - first)
        if not _decide(X, first, rows, coef, intercept, offset, z, work):
            return False
        _decide(X, first, rows, direction, intercept_direction, None, along, work)
        _curve(z, weight, first, rows, factor)
        _scale(factor, along, rows)
        _accumulate(X, first, rows, factor, None, partial, result, work)
    _hand_over(partial, result)
    return True


@jit.loop
def hessian_diagonal(
    X: Any,
    coef: NDArray[np.float64],
    intercept: float,
    weight: NDArray[Any] | None,
    offset: NDArray[Any] | None,
    result: NDArray[np.float64],
) -> bool:
    """Add the diagonal of ``[X | 1]ᵀ D [X | 1]`` to `result` (2, d + 1)."""
    n, _ = shape(X)
    block = block_rows(X)
    work = workspace(X)
    size = lanes.padded(block)
    z, curvatures = np.empty(size), np.empty(size)
    partial = _no_sums(X)
    for first in range(0, n, block):
        rows = min(block, n - first)
        if not _decide(X, first, rows, coef, intercept, offset, z, work):
            return False
        _curve(z, weight, first, rows, curvatures)
        curvatures[rows : lanes.padded(rows)] = 0.0
        _accumulate(X, first, rows, curvatures, True, partial, result, work)
    _hand_over(partial, result)
    return True


@jit.inner
def _scale(factor: NDArray[np.float64], along: NDArray[np.float64], rows: int) -> None:
    """Multiply the first `rows`, and put zeros to make up whole eights."""
    for i in range(rows):
        factor[i] *= along[i]
    for i in range(rows, lanes.padded(rows)):
        factor[i] = 0.0


# The Hessian ------------------------------------------------------------------------------


@jit.inner
def hessian_size(d: int) -> int:
    """D + 1, padded to whole tiles."""
    return (d + TILE_COLUMNS) // TILE_COLUMNS * TILE_COLUMNS


@jit.inner
def packed_rows(d: int) -> int:
    """Rows of a block that is packed."""
    fitting = PACKED_BYTES // (8 * hessian_size(d))
    return max(LEAST_PACKED, min(MOST_PACKED, lanes.padded(fitting)))


@jit.loop
def _packing(
    d: int, hessian: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scratch for a block of ``[X | 1]`` in float64, with and without its factor D."""
    size = 0 if hessian is None else hessian_size(d)
    rows = packed_rows(d)
    packed = np.zeros((rows, size))
    if size > 0:
        packed[:, d] = 1.0
    return packed, np.zeros((rows, size))


@jit.inner
def _add_products(
    X: Any,
    first: int,
    rows: int,
    curvatures: NDArray[np.float64],
    packed: NDArray[np.float64],
    scaled: NDArray[np.float64],
    work: Any,
    result: NDArray[np.float64],
) -> None:
    """Add ``[X | 1]ᵀ diag(curvatures) [X | 1]`` over some rows to the upper triangle."""
    if add_pairs(X, first, rows, curvatures, result):
        return
    _, d = shape(X)
    size = packed.shape[1]
    pack(X, first, rows, packed, work)
    for i in range(rows):
        packed_row, scaled_row = packed[i], scaled[i]
        for j in range(size):
            scaled_row[j] = packed_row[j] * curvatures[i]
    for a in range(0, d + 1, TILE_ROWS):
        for b in range(a // TILE_COLUMNS * TILE_COLUMNS, size, TILE_COLUMNS):
            _add_tile(packed, scaled, rows, a, b, result)


@jit.inlined
def _add_tile(
    packed: NDArray[np.float64],
    scaled: NDArray[np.float64],
    rows: int,
    a: int,
    b: int,
    result: NDArray[np.float64],
) -> None:
    """Add ``scaled[:, a:a + 4].T @ packed[:, b:b + 16]``, in eight registers."""
    b_next = b + lanes.WIDTH
    left_0 = left_1 = left_2 = left_3 = lanes.zeros()
    right_0 = right_1 = right_2 = right_3 = lanes.zeros()
    for i in range(rows):
        left, right = lanes.load(packed, (i, b)), lanes.load(packed, (i, b_next))
        factor = lanes.broadcast(scaled[i, a])
        left_0, right_0 = lanes.fma(factor, left, left_0), lanes.fma(factor, right, right_0)
        factor = lanes.broadcast(scaled[i, a + 1])
        left_1, right_1 = lanes.fma(factor, left, left_1), lanes.fma(factor, right, right_1)
        factor = lanes.broadcast(scaled[i, a + 2])
        left_2, right_2 = lanes.fma(factor, left, left_2), lanes.fma(factor, right, right_2)
        factor = lanes.broadcast(scaled[i, a + 3])
        left_3, right_3 = lanes.fma(factor, left, left_3), lanes.fma(factor, right, right_3)
    _add_to(result, a, b, left_0, right_0)
    _add_to(result, a + 1, b, left_1, right_1)
    _add_to(result, a + 2, b, left_2, right_2)
    _add_to(result, a + 3, b, left_3, right_3)


@jit.inlined
def _add_to(result: NDArray[np.float64], a: int, b: int, left: Any, right: Any) -> None:
    """Add two vectors to ``high + low`` of a row of the result."""
    for terms in (left, right):
        high, error = lanes.two_sum(lanes.load(result, (0, a, b)), terms)
        lanes.store(result, (0, a, b), high)
        lanes.store(result, (1, a, b), lanes.add(lanes.load(result, (1, a, b)), error))
        b += lanes.WIDTH


@jit.loop
def gather(X: Any, rows: NDArray[np.int64], out: NDArray[np.float64]) -> None:
    """Copy the rows of those numbers into `out` (rows.size, d)."""
    work = workspace(X)
    for i in range(rows.size):
        pack(X, rows[i], 1, out[i : i + 1], work)


@jit.loop
def unpack(X: Any, out: NDArray[np.float64]) -> None:
    """Copy X into `out` (n, d)."""
    n, _ = shape(X)
    block = block_rows(X)
    work = workspace(X)
    for first in range(0, n, block):
        rows = min(block, n - first)
        pack(X, first, rows, out[first : first + rows], work)
