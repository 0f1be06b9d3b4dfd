"""X as a row-major array: multiply and accumulate blocks of its rows, and pack them.

A row is read in its own dtype, eight elements at a time (:mod:`fastlogit.kernels.lanes`).  Rows of
up to two cache lines are multiplied eight at a time, so that the lanes of all eight are summed
together.  Longer rows are multiplied one after another, the order that processors predict best:
two rows side by side took up to three times as long from memory, on a Zen 4.
The order of each sum depends on d and the dtype alone.

A block is a page of memory: while it is multiplied and accumulated in L1, the processor already
fetches the next.  With larger blocks these two take turns, and so they do with explicit prefetch
instructions, or if the next block is multiplied before this one is accumulated (as measured on a
Zen 4).  If a page has fewer than 32 rows, a block is two pages: the logistic functions take as long
for a few rows as for 32.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastlogit.kernels import jit, lanes

PAGE = 1 << 12
# Rows of a block for which two pages are taken.
ENOUGH_ROWS = 32
# Fewest rows of a block, as eight are multiplied at a time, and most, so that z, the factors and
# other vectors over rows stay in L1.
LEAST_ROWS, MOST_ROWS = 8, 512
# Most elements (four vectors) and bytes of a short row.
SHORT, SHORT_BYTES = 4 * lanes.WIDTH, 128
# Most products that four vectors of float32 add up: four in each lane, and the rest of a row brings
# four more at most.
MOST_NARROW = 4 * SHORT


class CentredRows(NamedTuple):
    """An array from whose columns `centres` are subtracted; these end with zeros."""

    array: NDArray[Any]
    centres: NDArray[np.float64]


Layout = NDArray[Any] | CentredRows
# float32 only if X is a float32 array without centres; its products are then formed in float32.
Coefficients = NDArray[np.float64] | NDArray[np.float32]


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
    return lanes.subtract(lanes.load_four(X.array, (i, j)), lanes.load_four(X.centres, j))


@jit.inlined
def _load_eight_rows_array(X: NDArray[Any], i: int, j: int, count: int | None) -> Any:
    return lanes.load_eight_rows(X, i, j, count)


@jit.inlined
def _load_eight_rows_centred(X: CentredRows, i: int, j: int, count: int | None) -> Any:
    return lanes.subtract(lanes.load_eight_rows(X.array, i, j, count), lanes.load(X.centres, j))


def _either(for_array: Any, for_centred: Any) -> Any:
    functions: dict[type, Any] = {np.ndarray: for_array, CentredRows: for_centred}
    return jit.by_class(functions.__getitem__, inline=True)


shape = _either(_array_shape, _centred_shape)
_itemsize = _either(_array_itemsize, _centred_itemsize)
_element = _either(_array_element, _centred_element)
# Eight elements from ``X[i, j]`` on; the first `count` of them, then zeros; 32 elements; and these
# of eight rows, the first `count` of each or all.
_load = _either(_load_array, _load_centred)
_load_first = _either(_load_first_array, _load_first_centred)
_load_four = _either(_load_four_array, _load_four_centred)
_load_eight_rows = _either(_load_eight_rows_array, _load_eight_rows_centred)


# Blocks of rows -----------------------------------------------------------------------------


@jit.inner
def block_rows(X: Layout) -> int:
    """Rows of a block."""
    row = max(1, shape(X)[1] * _itemsize(X))
    fitting = max(PAGE // row, min(ENOUGH_ROWS, 2 * PAGE // row))
    return max(LEAST_ROWS, min(MOST_ROWS, fitting // 8 * 8))


@jit.allocating
def workspace(X: Layout) -> None:
    """No scratch is needed."""
    return


@jit.inner
def partial_size(X: Layout) -> int:
    """Number of partial sums: d, rounded up to whole vectors."""
    return lanes.round_up(shape(X)[1])


@jit.inlined
def _unrolled(X: Layout) -> int:
    """Elements of a row that are summed in four vectors; the rest, or a short row, in one."""
    d = shape(X)[1]
    is_short = d <= SHORT and d * _itemsize(X) <= SHORT_BYTES
    return 0 if is_short else d // SHORT * SHORT


@jit.inner
def multiply(
    X: Layout,
    first: int,
    rows: int,
    coef: Coefficients,
    z: NDArray[np.float64],
    work: None,
) -> bool:
    """Put ``X[first:first + rows] @ coef`` into z."""
    _multiply(X, first, rows, coef, lanes.is_float32(coef), z)
    return True


@jit.inlined
def _multiply(
    X: Layout,
    first: int,
    rows: int,
    coef: Coefficients,
    narrow: Literal[True] | None,
    z: NDArray[np.float64],
) -> None:
    """`narrow` says whether `coef` is float32."""
    zero = lanes.rounded(lanes.zeros(), coef)
    done, unrolled = 0, _unrolled(X)
    if unrolled == 0 and shape(X)[1] * _itemsize(X) <= SHORT_BYTES:
        done = rows // 8 * 8
        _multiply_short_rows(X, first, done, coef, zero, z)
    if unrolled == SHORT:
        start = lanes.rounded(lanes.load_four(coef, 0), zero)
        _multiply_rows(X, first, done, rows, coef, zero, start, z)
    elif narrow is not None and unrolled > MOST_NARROW:
        _multiply_long_rows(X, first, rows, coef, zero, z)
    else:
        _multiply_rows(X, first, done, rows, coef, zero, None, z)
    if narrow is not None:
        _repair(X, first, rows, coef, z)


@jit.inner
def _repair(X: Layout, first: int, rows: int, coef: Coefficients, z: NDArray[np.float64]) -> None:
    """Multiply rows again, in float64, whose products in float32 overflowed."""
    check = lanes.zeros()
    for i in range(0, rows, lanes.WIDTH):
        check = lanes.fma(lanes.load(z, i), lanes.zeros(), check)
    if lanes.total(check) == 0.0:
        return
    for i in range(rows):
        if not np.isfinite(z[i]):
            _multiply_rows(X, first, i, i + 1, coef, lanes.zeros(), None, z)


@jit.inner
def multiply_two(
    X: Layout,
    first: int,
    rows: int,
    coef: Coefficients,
    other: Coefficients,
    z: NDArray[np.float64],
    other_z: NDArray[np.float64],
    work: None,
) -> bool:
    """Put the products with `coef` and with `other` into z and `other_z`, as `multiply` does."""
    unrolled = _unrolled(X)
    if unrolled == 0 or lanes.is_float32(coef) is not None:
        multiply(X, first, rows, coef, z, work)
        return multiply(X, first, rows, other, other_z, work)
    if unrolled == SHORT:
        starts = lanes.load_four(coef, 0), lanes.load_four(other, 0)
        _multiply_two_rows(X, first, rows, coef, other, starts, z, other_z)
    else:
        _multiply_two_rows(X, first, rows, coef, other, None, z, other_z)
    return True


@jit.inlined
def _multiply_two_rows(
    X: Layout,
    first: int,
    rows: int,
    coef: Coefficients,
    other: Coefficients,
    starts: Any,
    z: NDArray[np.float64],
    other_z: NDArray[np.float64],
) -> None:
    """Both products of rows, in float64; `starts` is None, or the first vectors of both factors."""
    zero, unrolled = lanes.zeros(), _unrolled(X)
    for i in range(rows):
        sums = other_sums = (zero, zero, zero, zero)
        if starts is not None:
            x = _load_four(X, first + i, 0)
            sums, other_sums = lanes.fma(x, starts[0], sums), lanes.fma(x, starts[1], other_sums)
        for j in range(0 if starts is None else SHORT, unrolled, SHORT):
            x = _load_four(X, first + i, j)
            sums = lanes.fma(x, lanes.load_four(coef, j), sums)
            other_sums = lanes.fma(x, lanes.load_four(other, j), other_sums)
        z[i] = _add_up(_add_rest(X, first + i, unrolled, coef, sums))
        other_z[i] = _add_up(_add_rest(X, first + i, unrolled, other, other_sums))


@jit.inlined
def _multiply_short_rows(
    X: Layout, first: int, rows: int, coef: Coefficients, zero: Any, z: NDArray[np.float64]
) -> None:
    """Products of rows, eight at a time, with the bits of `_multiply_rows`.

    A row is summed in one vector, and the vectors of eight rows are added up together.
    """
    d = shape(X)[1]
    whole = d // lanes.WIDTH * lanes.WIDTH
    for i in range(0, rows, 8):
        sums = (zero, zero, zero, zero, zero, zero, zero, zero)
        for j in range(0, whole, lanes.WIDTH):
            x = _load_eight_rows(X, first + i, j, None)
            sums = _add_products(x, lanes.load(coef, j), sums)
        if whole < d:
            x = _load_eight_rows(X, first + i, whole, d - whole)
            sums = _add_products(x, lanes.load(coef, whole), sums)
        lanes.store(z, i, lanes.totals(*lanes.widened(sums)))


@jit.inlined
def _multiply_rows(
    X: Layout,
    first: int,
    done: int,
    rows: int,
    coef: Coefficients,
    zero: Any,
    start: Any,
    z: NDArray[np.float64],
) -> None:
    """Products of rows, each summed in four vectors: additions to one need not wait for another.

    `zero`, a vector of zeros, says in which dtype.  `start` is None, or the first four vectors of
    `coef`.  They stay in registers: loading them again for each row takes as long as loading the
    row.
    """
    unrolled = _unrolled(X)
    for i in range(done, rows):
        sums = (zero, zero, zero, zero)
        if start is not None:
            sums = _add_products(_load_four(X, first + i, 0), start, sums)
        for j in range(0 if start is None else SHORT, unrolled, SHORT):
            x = _load_four(X, first + i, j)
            sums = _add_products(x, lanes.load_four(coef, j), sums)
        z[i] = _add_up(lanes.widened(_add_rest(X, first + i, unrolled, coef, sums)))


@jit.inlined
def _multiply_long_rows(
    X: Layout, first: int, rows: int, coef: Coefficients, zero: Any, z: NDArray[np.float64]
) -> None:
    """As `_multiply_rows`; the sums of every `MOST_NARROW` products are added up in float64."""
    zeros, unrolled = lanes.zeros(), _unrolled(X)
    for i in range(rows):
        wide = (zeros, zeros, zeros, zeros)
        for begin in range(0, unrolled, MOST_NARROW):
            sums = (zero, zero, zero, zero)
            for j in range(begin, min(begin + MOST_NARROW, unrolled), SHORT):
                x = _load_four(X, first + i, j)
                sums = _add_products(x, lanes.load_four(coef, j), sums)
            if begin + MOST_NARROW >= unrolled:
                sums = _add_rest(X, first + i, unrolled, coef, sums)
            wide = lanes.add(wide, lanes.widened(sums))
        z[i] = _add_up(wide)


@jit.inlined
def _add_products(x: Any, w: Any, sums: Any) -> Any:
    """``x * w + sums`` in the dtype of `sums`."""
    return lanes.fma(lanes.rounded(x, sums), lanes.rounded(w, sums), sums)


@jit.inlined
def _add_rest(X: Layout, i: int, start: int, coef: Coefficients, sums: Any) -> Any:
    """Add the products of a row from the element `start` on to the first of four vectors."""
    d = shape(X)[1]
    if start == d:
        return sums
    sum_0, sum_1, sum_2, sum_3 = sums
    whole = d // lanes.WIDTH * lanes.WIDTH
    for j in range(start, whole, lanes.WIDTH):
        sum_0 = _add_products(_load(X, i, j), lanes.load(coef, j), sum_0)
    if whole < d:
        x = _load_first(X, i, whole, d - whole)
        sum_0 = _add_products(x, lanes.load(coef, whole), sum_0)
    return sum_0, sum_1, sum_2, sum_3


@jit.inlined
def _add_up(sums: Any) -> float:
    """Sum of all lanes of four vectors."""
    sum_0, sum_1, sum_2, sum_3 = sums
    return lanes.total(lanes.add(lanes.add(sum_0, sum_1), lanes.add(sum_2, sum_3)))


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
    _accumulate(X, first, rows, factor, None, sums)


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
    _accumulate(X, first, rows, factor, True, sums)


@jit.inlined
def _accumulate(
    X: Layout,
    first: int,
    rows: int,
    factor: NDArray[np.float64],
    squared: Literal[True] | None,
    sums: NDArray[np.float64],
) -> None:
    d = shape(X)[1]
    j = 0
    while j + 4 * lanes.WIDTH <= d:
        _accumulate_four(X, first, rows, j, factor, squared, sums)
        j += 4 * lanes.WIDTH
    while j + lanes.WIDTH <= d:
        _accumulate_one(X, first, rows, j, lanes.WIDTH, factor, squared, sums)
        j += lanes.WIDTH
    if j < d:
        _accumulate_one(X, first, rows, j, d - j, factor, squared, sums)


@jit.inner
def _accumulate_four(
    X: Layout,
    first: int,
    rows: int,
    j: int,
    factor: NDArray[np.float64],
    squared: Literal[True] | None,
    sums: NDArray[np.float64],
) -> None:
    """Accumulate 32 columns from j on, in four registers."""
    four = lanes.load_four(sums, j)
    for i in range(rows):
        four = _add_terms(_load_four(X, first + i, j), factor[i], squared, four)
    lanes.store_four(sums, j, four)


@jit.inlined
def _accumulate_one(
    X: Layout,
    first: int,
    rows: int,
    j: int,
    count: int,
    factor: NDArray[np.float64],
    squared: Literal[True] | None,
    sums: NDArray[np.float64],
) -> None:
    """Accumulate `count` columns from j on, up to 8.

    Every fourth row goes into the same register: additions to one need not wait for another.
    """
    sum_0 = lanes.load(sums, j)
    sum_1 = sum_2 = sum_3 = lanes.zeros()
    i = 0
    while i + 4 <= rows:
        row = first + i
        sum_0 = _add_terms(_load_some(X, row, j, count), factor[i], squared, sum_0)
        sum_1 = _add_terms(_load_some(X, row + 1, j, count), factor[i + 1], squared, sum_1)
        sum_2 = _add_terms(_load_some(X, row + 2, j, count), factor[i + 2], squared, sum_2)
        sum_3 = _add_terms(_load_some(X, row + 3, j, count), factor[i + 3], squared, sum_3)
        i += 4
    while i < rows:
        x = _load_some(X, first + i, j, count)
        sum_0 = _add_terms(x, factor[i], squared, sum_0)
        i += 1
    lanes.store(sums, j, lanes.add(lanes.add(sum_0, sum_1), lanes.add(sum_2, sum_3)))


@jit.inlined
def _load_some(X: Layout, i: int, j: int, count: int) -> Any:
    """`_load` if `count` is at least 8, else `_load_first`."""
    return _load(X, i, j) if count >= lanes.WIDTH else _load_first(X, i, j, count)


@jit.inlined
def _add_terms(x: Any, factor: float, squared: Literal[True] | None, sums: Any) -> Any:
    """``x * factor + sums``; with `squared` ``(x * factor) * x + sums``, as x * x may overflow."""
    if squared is None:
        return lanes.fma(x, lanes.broadcast(factor), sums)
    return lanes.fma(lanes.multiply(x, lanes.broadcast(factor)), x, sums)


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
