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
def _accumulate_four(
    X: NDArray[Any],
    first: int,
    rows: int,
    j: int,
    factor: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Put ``Xᵀ @ factor`` of 32 columns from j on into `out`: four vectors, in registers."""
    j_1, j_2, j_3 = j + lanes.WIDTH, j + 2 * lanes.WIDTH, j + 3 * lanes.WIDTH
    sum_0 = sum_1 = sum_2 = sum_3 = lanes.zeros()
    for i in range(rows):
        row, value = first + i, lanes.broadcast(factor[i])
        sum_0 = lanes.fma(lanes.load(X, (row, j)), value, sum_0)
        sum_1 = lanes.fma(lanes.load(X, (row, j_1)), value, sum_1)
        sum_2 = lanes.fma(lanes.load(X, (row, j_2)), value, sum_2)
        sum_3 = lanes.fma(lanes.load(X, (row, j_3)), value, sum_3)
    lanes.store(out, j, sum_0)
    lanes.store(out, j_1, sum_1)
    lanes.store(out, j_2, sum_2)
    lanes.store(out, j_3, sum_3)


@jit.loop
def _accumulate_one(
    X: NDArray[Any],
    first: int,
    rows: int,
    j: int,
    factor: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """The same of up to 8 columns: one vector, of every fourth row, so that none waits."""
    count = X.shape[1] - j
    sum_0 = sum_1 = sum_2 = sum_3 = lanes.zeros()
    i = 0
    while i + 4 <= rows:
        row = first + i
        sum_0 = _multiply_add(X, row, j, count, lanes.broadcast(factor[i]), sum_0)
        sum_1 = _multiply_add(X, row + 1, j, count, lanes.broadcast(factor[i + 1]), sum_1)
        sum_2 = _multiply_add(X, row + 2, j, count, lanes.broadcast(factor[i + 2]), sum_2)
        sum_3 = _multiply_add(X, row + 3, j, count, lanes.broadcast(factor[i + 3]), sum_3)
        i += 4
    while i < rows:
        sum_0 = _multiply_add(X, first + i, j, count, lanes.broadcast(factor[i]), sum_0)
        i += 1
    lanes.store(out, j, lanes.add(lanes.add(sum_0, sum_1), lanes.add(sum_2, sum_3)))


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
    j = 0
    while j + 4 * lanes.WIDTH <= d:
        _accumulate_four(X, first, rows, j, factor, work)
        j += 4 * lanes.WIDTH
    while j < d:
        _accumulate_one(X, first, rows, j, factor, work)
        j += lanes.WIDTH
    for j in range(d):
        high[j], error = two_sum(high[j], work[j])
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
