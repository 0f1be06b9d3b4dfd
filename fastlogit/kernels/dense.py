"""X as one row-major array: how a block of its rows is multiplied, with what, and added up.

A row is read in the dtype that it has, eight elements at a time (:mod:`fastlogit.kernels.lanes`),
and row after row, as processors foresee that best: reading four rows at once took up to twice
as long.  Each sum has an order of its own that depends on d alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastlogit.kernels import jit, lanes
from fastlogit.kernels.ieee import two_sum

# A block of X takes 128 KiB: a quarter of the smallest L2 that is common, as the other
# operands, the next block and a second thread on the core need room too.
BLOCK_BYTES = 1 << 17
# Above that many rows nothing is gained, and z, t and the other columns would leave L1.
BLOCK_ROWS = 512


@jit.loop
def shape(X: NDArray[Any]) -> tuple[int, int]:
    """N and d."""
    return X.shape[0], X.shape[1]


@jit.loop
def block_rows(X: NDArray[Any]) -> int:
    """Rows of a block."""
    fitting = BLOCK_BYTES // max(1, X.shape[1] * X.itemsize)
    return max(8, min(BLOCK_ROWS, fitting // 8 * 8))


@jit.loop
def workspace(X: NDArray[Any], rows: int) -> NDArray[np.float64]:
    """Scratch: the sum of a block, padded."""
    return np.empty(lanes.padded(X.shape[1]))


@jit.scalar
def _multiply_add(X: NDArray[Any], i: int, j: int, count: int, b: Any, c: Any) -> Any:
    """``X[i, j:j + 8] * b + c``, where only the first `count` of the row are left."""
    if count >= lanes.WIDTH:
        return lanes.fma(lanes.load(X, (i, j)), b, c)
    return lanes.fma(lanes.load_first(X, (i, j), count), b, c)


@jit.loop
def multiply(
    X: NDArray[Any],
    first: int,
    rows: int,
    coef: NDArray[np.float64],
    z: NDArray[np.float64],
    work: NDArray[np.float64],
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
def accumulate(
    X: NDArray[Any],
    first: int,
    rows: int,
    factor: NDArray[np.float64],
    high: NDArray[np.float64],
    low: NDArray[np.float64],
    work: NDArray[np.float64],
) -> None:
    """Add ``Xᵀ @ factor`` over some rows to ``high + low``."""
    d = X.shape[1]
    block_sum = work
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


@jit.loop
def pack(
    X: NDArray[Any],
    first: int,
    rows: int,
    packed: NDArray[np.float64],
    work: NDArray[np.float64],
) -> None:
    """Copy some rows into the first d columns of `packed`."""
    for i in range(rows):
        row, packed_row = X[first + i], packed[i]
        for j in range(X.shape[1]):
            packed_row[j] = row[j]
