"""Passes over a dense row-major X, each of which reads X from memory once.

      X (n, d)            one block of rows, in L2
    ┌──────────┐   1. z = X_block @ coef + intercept + offset     reads the block from memory
    │░░░░░░░░░░│   2. loss, residual, curvature of each row       in L1, d times less to do
    ├──────────┤   3. sum += X_blockᵀ @ residual                  reads it again, from L2
    │          │
    └──────────┘

A row is read in the dtype that it has, eight elements at a time (:mod:`fastlogit.kernels.lanes`),
and row after row, as processors foresee that best: reading four rows at once took up to twice
as long.  Each sum has an order of its own that depends on d alone; the blocks, and the parts
that a caller splits X into, depend on the shape alone.

``[X | 1]``: the intercept is handled as one more column of ones, the last.  Partial results
have shape (2, size), high and low parts, and are added up by `sums.merge`.

Error: z is within ``(d / 8 + 8) u`` of the exact one relative to Σ|x coef| + |intercept| +
|offset|, with u = 2**-53; a sum over n rows within ``(BLOCK_ROWS + 4) u`` relative to Σ|terms|,
whatever n, as blocks are added with their rounding errors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastlogit.kernels import jit, lanes, scalar, sums
from fastlogit.kernels.ieee import two_sum

# A block of X takes 128 KiB: a quarter of the smallest L2 that is common, as the other
# operands, the next block and a second thread on the core need room too.
BLOCK_BYTES = 1 << 17
# Above that many rows nothing is gained, and z, t and the other columns would leave L1.
BLOCK_ROWS = 512
# Rows and columns of H that are summed in registers at a time.
TILE_ROWS, TILE_COLUMNS = 4, 2 * lanes.WIDTH


@jit.loop
def block_rows(X: NDArray[Any]) -> int:
    """Rows of a block."""
    fitting = BLOCK_BYTES // max(1, X.shape[1] * X.itemsize)
    return max(8, min(BLOCK_ROWS, fitting // 8 * 8))


@jit.scalar
def _multiply_add(X: NDArray[Any], i: int, j: int, count: int, b: Any, c: Any) -> Any:
    """``X[i, j:j + 8] * b + c``, where only the first `count` of the row are left."""
    if count >= lanes.WIDTH:
        return lanes.fma(lanes.load(X, (i, j)), b, c)
    return lanes.fma(lanes.load_first(X, (i, j), count), b, c)


@jit.loop
def _dot_rows(
    X: NDArray[Any], first: int, rows: int, coef: NDArray[np.float64], z: NDArray[np.float64]
) -> None:
    """Put ``X[first:first + rows] @ coef`` into z; `coef` is padded with 0."""
    d = X.shape[1]
    unrolled = d // (4 * lanes.WIDTH) * (4 * lanes.WIDTH)
    for i in range(rows):
        row = first + i
        sum_0 = sum_1 = sum_2 = sum_3 = lanes.zeros()
        for j in range(0, unrolled, 4 * lanes.WIDTH):
            j_1, j_2, j_3 = j + lanes.WIDTH, j + 2 * lanes.WIDTH, j + 3 * lanes.WIDTH
            sum_0 = lanes.fma(lanes.load(X, (row, j)), lanes.load(coef, j), sum_0)
            sum_1 = lanes.fma(lanes.load(X, (row, j_1)), lanes.load(coef, j_1), sum_1)
            sum_2 = lanes.fma(lanes.load(X, (row, j_2)), lanes.load(coef, j_2), sum_2)
            sum_3 = lanes.fma(lanes.load(X, (row, j_3)), lanes.load(coef, j_3), sum_3)
        for j in range(unrolled, d, lanes.WIDTH):
            sum_0 = _multiply_add(X, row, j, d - j, lanes.load(coef, j), sum_0)
        z[i] = lanes.total(lanes.add(lanes.add(sum_0, sum_1), lanes.add(sum_2, sum_3)))


@jit.loop
def _decide(
    X: NDArray[Any],
    first: int,
    rows: int,
    coef: NDArray[np.float64],
    intercept: float,
    offset: NDArray[Any] | None,
    z: NDArray[np.float64],
) -> None:
    """Put z of some rows into the first `rows` elements of `z`."""
    _dot_rows(X, first, rows, coef, z)
    known = None if offset is None else offset[first : first + rows]
    for i in range(rows):
        z[i] += intercept if known is None else intercept + known[i]


@jit.loop
def _accumulate(
    X: NDArray[Any],
    first: int,
    rows: int,
    factor: NDArray[np.float64],
    high: NDArray[np.float64],
    low: NDArray[np.float64],
    block_sum: NDArray[np.float64],
) -> None:
    """Add ``[X | 1]ᵀ @ factor`` over some rows to ``high + low``.

    `block_sum` is scratch with d elements, padded.
    """
    d = X.shape[1]
    block_sum[:] = 0.0
    i = 0
    while i + 4 <= rows:
        row = first + i
        factor_0, factor_1 = lanes.broadcast(factor[i]), lanes.broadcast(factor[i + 1])
        factor_2, factor_3 = lanes.broadcast(factor[i + 2]), lanes.broadcast(factor[i + 3])
        for j in range(0, d, lanes.WIDTH):
            column = lanes.load(block_sum, j)
            column = _multiply_add(X, row, j, d - j, factor_0, column)
            column = _multiply_add(X, row + 1, j, d - j, factor_1, column)
            column = _multiply_add(X, row + 2, j, d - j, factor_2, column)
            column = _multiply_add(X, row + 3, j, d - j, factor_3, column)
            lanes.store(block_sum, j, column)
        i += 4
    while i < rows:
        factor_0 = lanes.broadcast(factor[i])
        for j in range(0, d, lanes.WIDTH):
            column = _multiply_add(X, first + i, j, d - j, factor_0, lanes.load(block_sum, j))
            lanes.store(block_sum, j, column)
        i += 1
    for j in range(d):
        high[j], error = two_sum(high[j], block_sum[j])
        low[j] += error
    ones = 0.0
    for i in range(rows):
        ones += factor[i]
    high[d], error = two_sum(high[d], ones)  # type: ignore[arg-type]
    low[d] += error


@jit.loop
def _add_losses(losses: NDArray[np.float64], rows: int, total: NDArray[np.float64]) -> None:
    """Add the first `rows` of `losses` to ``total = [high, low]``."""
    losses[rows:] = 0.0
    high, low = sums.add_up(losses)
    total[0], error = two_sum(total[0], high)
    total[1] += error + low


@jit.loop
def score(
    X: NDArray[Any],
    coef: NDArray[np.float64],
    intercept: float,
    offset: NDArray[Any] | None,
    probability: bool | None,
    out: NDArray[Any],
) -> None:
    """Z of each row, or σ(z) unless `probability` is None."""
    block = block_rows(X)
    z = np.empty(block)
    for first in range(0, X.shape[0], block):
        rows = min(block, X.shape[0] - first)
        _decide(X, first, rows, coef, intercept, offset, z)
        part = out[first : first + rows]
        for i in range(rows):
            part[i] = z[i] if probability is None else scalar.sigmoid(z[i])


@jit.loop
def log_loss_gradient(
    X: NDArray[Any],
    t: NDArray[Any],
    soft: bool | None,
    coef: NDArray[np.float64],
    intercept: float,
    weight: NDArray[Any] | None,
    offset: NDArray[Any] | None,
    loss: NDArray[np.float64],
    gradient: NDArray[np.float64] | None,
    hessian: NDArray[np.float64] | None,
) -> None:
    """Put the sums over all rows of the loss and, where wanted, its derivatives.

    `loss` is (2,), `gradient` (2, d + 1) or None, `hessian` as of the function `hessian` or
    None; all are added to.  `soft` is None where every t is 0 or 1.
    """
    block = block_rows(X)
    z, slopes, curvatures = np.empty(block), np.empty(block), np.empty(block)
    losses = np.empty(sums.BLOCK)
    block_sum = np.empty(lanes.padded(X.shape[1]))
    packed, scaled = _packing(X, block, hessian)
    for first in range(0, X.shape[0], block):
        rows = min(block, X.shape[0] - first)
        _decide(X, first, rows, coef, intercept, offset, z)
        here = slice(first, first + rows)  # a slice: see sums.log_loss_gradient
        targets = t[here]
        weights = None if weight is None else weight[here]
        for i in range(rows):
            scale = 1.0 if weights is None else weights[i]
            value, slope = sums.loss_and_residual(z[i], targets[i], soft)
            curvature = scalar.sigmoid_derivative(z[i])
            losses[i] = value if weights is None else sums.weighted(value, scale)
            if gradient is not None:
                slopes[i] = slope if weights is None else sums.weighted(slope, scale)
            if hessian is not None:
                curvatures[i] = curvature if weights is None else sums.weighted(curvature, scale)
        _add_losses(losses, rows, loss)
        if gradient is not None:
            _accumulate(X, first, rows, slopes, gradient[0], gradient[1], block_sum)
        if hessian is not None:
            _add_products(X, first, rows, curvatures, packed, scaled, hessian)


@jit.loop
def hessian(
    X: NDArray[Any],
    coef: NDArray[np.float64],
    intercept: float,
    weight: NDArray[Any] | None,
    offset: NDArray[Any] | None,
    result: NDArray[np.float64],
) -> None:
    """Add ``[X | 1]ᵀ D [X | 1]`` to the upper triangle of `result`, (2, m, m) with padded m."""
    block = block_rows(X)
    z, curvatures = np.empty(block), np.empty(block)
    packed, scaled = _packing(X, block, result)
    for first in range(0, X.shape[0], block):
        rows = min(block, X.shape[0] - first)
        _decide(X, first, rows, coef, intercept, offset, z)
        _curve(z, rows, weight, first, curvatures)
        _add_products(X, first, rows, curvatures, packed, scaled, result)


@jit.loop
def hessian_product(
    X: NDArray[Any],
    coef: NDArray[np.float64],
    intercept: float,
    direction: NDArray[np.float64],
    intercept_direction: float,
    weight: NDArray[Any] | None,
    offset: NDArray[Any] | None,
    result: NDArray[np.float64],
) -> None:
    """Add ``[X | 1]ᵀ D [X | 1] v`` to `result` (2, d + 1)."""
    block = block_rows(X)
    z, along, curvatures = np.empty(block), np.empty(block), np.empty(block)
    block_sum = np.empty(lanes.padded(X.shape[1]))
    for first in range(0, X.shape[0], block):
        rows = min(block, X.shape[0] - first)
        _decide(X, first, rows, coef, intercept, offset, z)
        _decide(X, first, rows, direction, intercept_direction, None, along)
        _curve(z, rows, weight, first, curvatures)
        for i in range(rows):
            curvatures[i] *= along[i]
        _accumulate(X, first, rows, curvatures, result[0], result[1], block_sum)


@jit.loop
def _curve(
    z: NDArray[np.float64],
    rows: int,
    weight: NDArray[Any] | None,
    first: int,
    curvatures: NDArray[np.float64],
) -> None:
    """D: weight times σ(z) σ(-z)."""
    weights = None if weight is None else weight[first : first + rows]
    for i in range(rows):
        value = scalar.sigmoid_derivative(z[i])
        curvatures[i] = value if weights is None else sums.weighted(value, weights[i])


@jit.loop
def hessian_size(d: int) -> int:
    """D + 1, padded to whole tiles."""
    return (d + TILE_COLUMNS) // TILE_COLUMNS * TILE_COLUMNS


@jit.loop
def _packing(
    X: NDArray[Any], block: int, hessian: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scratch for a block of ``[X | 1]`` in float64, with and without its factor D."""
    size = 0 if hessian is None else hessian_size(X.shape[1])
    packed = np.zeros((block, size))
    if size > 0:
        packed[:, X.shape[1]] = 1.0
    return packed, np.zeros((block, size))


@jit.loop
def _add_products(
    X: NDArray[Any],
    first: int,
    rows: int,
    curvatures: NDArray[np.float64],
    packed: NDArray[np.float64],
    scaled: NDArray[np.float64],
    result: NDArray[np.float64],
) -> None:
    """Add ``[X | 1]ᵀ diag(curvatures) [X | 1]`` over some rows to the upper triangle."""
    d = X.shape[1]
    size = packed.shape[1]
    for i in range(rows):
        row, packed_row, scaled_row = X[first + i], packed[i], scaled[i]
        for j in range(d):
            packed_row[j] = row[j]
        for j in range(size):
            scaled_row[j] = packed_row[j] * curvatures[i]
    for a in range(0, d + 1, TILE_ROWS):
        for b in range(a // TILE_COLUMNS * TILE_COLUMNS, size, TILE_COLUMNS):
            _add_tile(packed, scaled, rows, a, b, result)


@jit.scalar
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


@jit.scalar
def _add_to(result: NDArray[np.float64], a: int, b: int, left: Any, right: Any) -> None:
    """Add two vectors to ``high + low`` of a row of the result."""
    for terms in (left, right):
        high, error = lanes.two_sum(lanes.load(result, (0, a, b)), terms)
        lanes.store(result, (0, a, b), high)
        lanes.store(result, (1, a, b), lanes.add(lanes.load(result, (1, a, b)), error))
        b += lanes.WIDTH
