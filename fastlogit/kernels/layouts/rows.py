"""X as a row-major array: multiply and accumulate blocks of its rows, and pack them.

A row is read in its own dtype, eight elements at a time (:mod:`fastlogit.kernels.lanes`).  Rows of
up to two cache lines are multiplied eight at a time, so that the lanes of all eight are summed
together.  Longer rows are multiplied one after another, the order that processors predict best.
The order of each sum depends on d and the dtype alone.

A block is one page of memory: while it is multiplied and accumulated in L1, the processor already
fetches the next.  With larger blocks these two take turns, and explicit prefetch instructions
disturb the processor's own prefetching (as measured on a Zen 4).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastlogit.kernels import jit, lanes

BLOCK_BYTES = 1 << 12
# Fewest rows of a block, as eight are multiplied at a time, and most, so that z, the factors and
# other vectors over rows stay in L1.
LEAST_ROWS, MOST_ROWS = 8, 512
# Most elements and bytes of a short row.
SHORT, SHORT_BYTES = 4 * lanes.WIDTH, 128


class CentredRows(NamedTuple):
    """An array from whose columns `centres` are subtracted; these end with zeros."""

    array: NDArray[Any]
    centres: NDArray[np.float64]


Layout = NDArray[Any] | CentredRows


# Reading either of the two ----------------------------------------------------------------


@jit.inlined
def _array_shape(X: NDArray[Any]) -> tuple[int, int]:
    return X.shape[0], X.shape[1]


@jit.inlined
def _centred_shape(X: CentredRows) -> tuple[int, int]:
    return X.array.shape[0], X.array.shape[1]


@jit.inlined
def _array_itemsize(X: NDArray[Any]) -> int:
    return X.itemsize


@jit.inlined
def _centred_itemsize(X: CentredRows) -> int:
    return X.array.itemsize


@jit.inlined
def _array_element(X: NDArray[Any], i: int, j: int) -> float:
    return np.float64(X[i, j])


@jit.inlined
def _centred_element(X: CentredRows, i: int, j: int) -> float:
    return np.float64(X.array[i, j]) - X.centres[j]


@jit.inlined
def _load_array(X: NDArray[Any], i: int, j: int) -> Any:
    return lanes.load(X, (i, j))


@jit.inlined
def _load_centred(X: CentredRows, i: int, j: int) -> Any:
    return lanes.subtract(lanes.load(X.array, (i, j)), lanes.load(X.centres, j))


@jit.inlined
def _load_first_array(X: NDArray[Any], i: int, j: int, count: int) -> Any:
    return lanes.load_first(X, (i, j), count)


@jit.inlined
def _load_first_centred(X: CentredRows, i: int, j: int, count: int) -> Any:
    return lanes.subtract(lanes.load_first(X.array, (i, j), count), lanes.load(X.centres, j))


@jit.inlined
def _load_four_array(X: NDArray[Any], i: int, j: int) -> Any:
    return lanes.load_four(X, (i, j))


@jit.inlined
def _load_four_centred(X: CentredRows, i: int, j: int) -> Any:
    x_0, x_1, x_2, x_3 = lanes.load_four(X.array, (i, j))
    centre_0, centre_1, centre_2, centre_3 = lanes.load_four(X.centres, j)
    return (
        lanes.subtract(x_0, centre_0),
        lanes.subtract(x_1, centre_1),
        lanes.subtract(x_2, centre_2),
        lanes.subtract(x_3, centre_3),
    )


def _either(for_array: Any, for_centred: Any) -> Any:
    functions: dict[type, Any] = {np.ndarray: for_array, CentredRows: for_centred}
    return jit.by_class(functions.__getitem__, inline=True)


shape = _either(_array_shape, _centred_shape)
_itemsize = _either(_array_itemsize, _centred_itemsize)
_element = _either(_array_element, _centred_element)
# Eight elements from ``X[i, j]`` on; the first `count` of them, then zeros; 32 elements.
_load = _either(_load_array, _load_centred)
_load_first = _either(_load_first_array, _load_first_centred)
_load_four = _either(_load_four_array, _load_four_centred)


# Blocks of rows -----------------------------------------------------------------------------


@jit.inner
def block_rows(X: Layout) -> int:
    """Rows of a block."""
    fitting = BLOCK_BYTES // max(1, shape(X)[1] * _itemsize(X))
    return max(LEAST_ROWS, min(MOST_ROWS, fitting // 8 * 8))


@jit.loop
def workspace(X: Layout) -> None:
    """No scratch is needed."""
    return


@jit.inner
def partial_size(X: Layout) -> int:
    """Number of partial sums: d, rounded up to whole vectors."""
    return lanes.round_up(shape(X)[1])


@jit.inlined
def _multiply_add(X: Layout, i: int, j: int, count: int, b: Any, c: Any) -> Any:
    """``X[i, j:j + 8] * b + c``, or only the first `count` elements of the row."""
    if count >= lanes.WIDTH:
        return lanes.fma(_load(X, i, j), b, c)
    return lanes.fma(_load_first(X, i, j, count), b, c)


@jit.inner
def multiply(
    X: Layout,
    first: int,
    rows: int,
    coef: NDArray[np.float64],
    z: NDArray[np.float64],
    work: None,
) -> bool:
    """Put ``X[first:first + rows] @ coef`` into z."""
    d = shape(X)[1]
    i = 0
    if d <= SHORT and d * _itemsize(X) <= SHORT_BYTES:
        while i + 8 <= rows:
            lanes.store(z, i, _multiply_eight(X, first + i, coef))
            i += 8
        while i < rows:
            z[i] = _multiply_short(X, first + i, coef)
            i += 1
    else:
        while i < rows:
            z[i] = _multiply_long(X, first + i, coef)
            i += 1
    return True


@jit.inlined
def _multiply_eight(X: Layout, i: int, coef: NDArray[np.float64]) -> Any:
    """Products of eight rows, each equal to `_multiply_short`."""
    zeros = lanes.zeros()
    sums = (zeros, zeros, zeros, zeros, zeros, zeros, zeros, zeros)
    whole = shape(X)[1] // lanes.WIDTH * lanes.WIDTH
    for j in range(0, whole, lanes.WIDTH):
        sums = _add_eight(X, i, j, lanes.WIDTH, lanes.load(coef, j), sums)
    if whole < shape(X)[1]:
        sums = _add_eight(X, i, whole, shape(X)[1] - whole, lanes.load(coef, whole), sums)
    return lanes.totals(*sums)


@jit.inlined
def _add_eight(X: Layout, i: int, j: int, count: int, factor: Any, sums: Any) -> Any:
    """Add ``X[i : i + 8, j : j + 8] * factor``, or the first `count` elements of each row."""
    return (
        _multiply_add(X, i, j, count, factor, sums[0]),
        _multiply_add(X, i + 1, j, count, factor, sums[1]),
        _multiply_add(X, i + 2, j, count, factor, sums[2]),
        _multiply_add(X, i + 3, j, count, factor, sums[3]),
        _multiply_add(X, i + 4, j, count, factor, sums[4]),
        _multiply_add(X, i + 5, j, count, factor, sums[5]),
        _multiply_add(X, i + 6, j, count, factor, sums[6]),
        _multiply_add(X, i + 7, j, count, factor, sums[7]),
    )


@jit.inlined
def _multiply_short(X: Layout, i: int, coef: NDArray[np.float64]) -> float:
    """Product of one row, summed in one vector."""
    sums = lanes.zeros()
    for j in range(0, shape(X)[1], lanes.WIDTH):
        sums = _multiply_add(X, i, j, shape(X)[1] - j, lanes.load(coef, j), sums)
    return lanes.total(sums)


@jit.inlined
def _multiply_long(X: Layout, i: int, coef: NDArray[np.float64]) -> float:
    """Product of one row, summed in four vectors: additions to one need not wait for another."""
    d = shape(X)[1]
    unrolled = d // (4 * lanes.WIDTH) * (4 * lanes.WIDTH)
    sum_0 = sum_1 = sum_2 = sum_3 = lanes.zeros()
    for j in range(0, unrolled, 4 * lanes.WIDTH):
        x_0, x_1, x_2, x_3 = _load_four(X, i, j)
        coef_0, coef_1, coef_2, coef_3 = lanes.load_four(coef, j)
        sum_0, sum_1 = lanes.fma(x_0, coef_0, sum_0), lanes.fma(x_1, coef_1, sum_1)
        sum_2, sum_3 = lanes.fma(x_2, coef_2, sum_2), lanes.fma(x_3, coef_3, sum_3)
    for j in range(unrolled, d, lanes.WIDTH):
        sum_0 = _multiply_add(X, i, j, d - j, lanes.load(coef, j), sum_0)
    return lanes.total(lanes.add(lanes.add(sum_0, sum_1), lanes.add(sum_2, sum_3)))


@jit.inner
def _accumulate_four(
    X: Layout,
    first: int,
    rows: int,
    j: int,
    factor: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> None:
    """Add ``Xᵀ @ factor`` of the 32 columns from j on to `sums`, in four registers."""
    sum_0, sum_1, sum_2, sum_3 = lanes.load_four(sums, j)
    for i in range(rows):
        x_0, x_1, x_2, x_3 = _load_four(X, first + i, j)
        value = lanes.broadcast(factor[i])
        sum_0, sum_1 = lanes.fma(x_0, value, sum_0), lanes.fma(x_1, value, sum_1)
        sum_2, sum_3 = lanes.fma(x_2, value, sum_2), lanes.fma(x_3, value, sum_3)
    lanes.store(sums, j, sum_0)
    lanes.store(sums, j + lanes.WIDTH, sum_1)
    lanes.store(sums, j + 2 * lanes.WIDTH, sum_2)
    lanes.store(sums, j + 3 * lanes.WIDTH, sum_3)


@jit.inlined
def _accumulate_one(
    X: Layout,
    first: int,
    rows: int,
    j: int,
    count: int,
    factor: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> None:
    """Add ``Xᵀ @ factor`` of the `count` columns from j on, up to 8, to `sums`.

    Every fourth row goes into the same register: additions to one need not wait for another.
    """
    sum_0 = lanes.load(sums, j)
    sum_1 = sum_2 = sum_3 = lanes.zeros()
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
    lanes.store(sums, j, lanes.add(lanes.add(sum_0, sum_1), lanes.add(sum_2, sum_3)))


@jit.inner
def accumulate(
    X: Layout,
    first: int,
    rows: int,
    factor: NDArray[np.float64],
    sums: NDArray[np.float64],
    total: NDArray[np.float64],
    work: None,
) -> None:
    """Add ``Xᵀ @ factor`` of a block to `sums`."""
    d = shape(X)[1]
    j = 0
    while j + 4 * lanes.WIDTH <= d:
        _accumulate_four(X, first, rows, j, factor, sums)
        j += 4 * lanes.WIDTH
    while j + lanes.WIDTH <= d:
        _accumulate_one(X, first, rows, j, lanes.WIDTH, factor, sums)
        j += lanes.WIDTH
    if j < d:
        _accumulate_one(X, first, rows, j, d - j, factor, sums)


@jit.inner
def accumulate_squares(
    X: Layout,
    first: int,
    rows: int,
    factor: NDArray[np.float64],
    sums: NDArray[np.float64],
    total: NDArray[np.float64],
    work: None,
) -> None:
    """Add ``(X * X)ᵀ @ factor`` of a block to `sums`."""
    for i in range(rows):
        value = factor[i]
        for j in range(shape(X)[1]):
            x = _element(X, first + i, j)
            sums[j] += (value * x) * x  # x * x may overflow


@jit.inner
def add_pairs(
    X: Layout, first: int, rows: int, factor: NDArray[np.float64], total: NDArray[np.float64]
) -> bool:
    """False: rows are always packed."""
    return False


@jit.inner
def pack(
    X: Layout,
    first: int,
    rows: int,
    packed: NDArray[np.float64],
    work: None,
) -> None:
    """Copy a block into the first d columns of `packed`."""
    for i in range(rows):
        packed_row = packed[i]
        for j in range(shape(X)[1]):
            packed_row[j] = _element(X, first + i, j)
