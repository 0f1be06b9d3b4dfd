"""X as compressed sparse rows (CSR): entries may be unsorted and repeated; others are 0.

The entries of a block fit into L2.  A row is multiplied eight entries at a time, each in its lane
(:mod:`fastlogit.kernels.lanes`), right after their indices are checked.
The gradient is added up in place, entry by entry, so that a large d costs nothing but memory.
Where rows have few entries, the Hessian is added up in place too, for each pair of entries of a
row, with every rounding error.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastlogit.kernels import jit, lanes
from fastlogit.kernels.ieee import fma, two_sum

# Most rows of a block, so that vectors over rows stay in L1, and its entries on average.
MOST_ROWS = 512
BLOCK_ENTRIES = 1 << 13
# How many entries ahead the data are fetched into the first cache, and into the second; indices
# twice as far.  10 million entries took 7.8 ms on a Zen 4; 8.5 with one of them, 9.7 with none.
NEAR, FAR = np.uint64(56), np.uint64(512)
# Pairs of entries are multiplied one by one where they are at most this share of the d² pairs of
# columns.
PAIRS_SHARE = 1 / 64

_1, _2, _WIDTH = np.uint64(1), np.uint64(2), np.uint64(lanes.WIDTH)


class CSR(NamedTuple):
    """Row i has ``data[k]`` in column ``indices[k]``, for k in ``range(*indptr[i : i + 2])``.

    `indptr` may begin above 0: a part of the rows of such a matrix is such a matrix.  The arrays
    have unit stride.
    """

    data: NDArray[Any]
    indices: NDArray[Any]
    indptr: NDArray[Any]
    d: int


class CentredCSR(NamedTuple):
    """A `CSR` from whose entries `centres` are subtracted, one number for each column.

    A centre may differ from 0 only if every row with a weight has exactly one entry of its column.
    """

    data: NDArray[Any]
    indices: NDArray[Any]
    indptr: NDArray[Any]
    d: int
    centres: NDArray[np.float64]


@jit.inlined
def _stored(X: CSR, k: Any) -> float:
    return np.float64(X.data[k])


@jit.inlined
def _centred(X: CentredCSR, k: Any) -> float:
    return np.float64(X.data[k]) - X.centres[np.uint64(X.indices[k])]


@jit.inlined
def _load_stored(X: CSR, k: Any, columns: Any) -> Any:
    return lanes.load(X.data, k)


@jit.inlined
def _load_centred(X: CentredCSR, k: Any, columns: Any) -> Any:
    return lanes.subtract(lanes.load(X.data, k), lanes.gather(X.centres, columns))


@jit.inlined
def _load_first_stored(X: CSR, k: Any, count: int, columns: Any) -> Any:
    return lanes.load_first(X.data, k, count)


@jit.inlined
def _load_first_centred(X: CentredCSR, k: Any, count: int, columns: Any) -> Any:
    return lanes.subtract(lanes.load_first(X.data, k, count), lanes.gather(X.centres, columns))


def _either(for_stored: Any, for_centred: Any) -> Any:
    functions: dict[type, Any] = {CSR: for_stored, CentredCSR: for_centred}
    return jit.by_class(functions.__getitem__, inline=True)


# Value of entry k; of eight entries from k on, whose columns are given; of the first `count`.
_value = _either(_stored, _centred)
_load = _either(_load_stored, _load_centred)
_load_first = _either(_load_first_stored, _load_first_centred)


@jit.inner
def shape(X: CSR) -> tuple[int, int]:
    """(n, d)."""
    return X.indptr.size - 1, X.d


@jit.inner
def block_rows(X: CSR) -> int:
    """Rows of a block."""
    rows = X.indptr.size - 1
    entries = X.indptr[rows] - X.indptr[0]
    return max(8, min(MOST_ROWS, BLOCK_ENTRIES * rows // max(1, entries)))


@jit.allocating
def workspace(X: CSR) -> None:
    """No scratch is needed."""
    return


@jit.inner
def partial_size(X: CSR) -> int:
    """0: `accumulate` adds to the total."""
    return 0


@jit.loop
def are_below(indices: NDArray[Any], d: int) -> bool:
    """Whether all indices are at least 0 and below d."""
    outside = 0
    for k in range(indices.size):
        outside += not (0 <= indices[k] < d)
    return outside == 0


@jit.loop
def find_entries(
    X: CSR,
    weight: NDArray[np.float64],
    rows: NDArray[np.int64],
    weights: NDArray[np.float64],
    repeated: NDArray[np.bool_],
) -> None:
    """Count, for each column, the rows with a weight that have an entry of it.

    Their number is added to `rows`, their weight to `weights`.  `repeated` becomes True where a
    row has several entries of the column.  The indices must have been checked.
    """
    n, d = shape(X)
    last = np.full(d, -1)
    for i in range(n):
        if weight[i] > 0.0:
            for k in _entries(X, i):
                j = np.uint64(X.indices[k])
                if last[j] == i:
                    repeated[j] = True
                else:
                    last[j] = i
                    rows[j] += 1
                    weights[j] += weight[i]


@jit.inlined
def _entries(X: CSR, i: int) -> Any:
    """Range of the entries of a row.

    The numbers are unsigned: a signed index might be negative, and Numba would have to test it.
    """
    row = np.uint64(i)
    return range(np.uint64(X.indptr[row]), np.uint64(X.indptr[row + _1]))


@jit.inner
def multiply(
    X: CSR,
    first: int,
    rows: int,
    coef: NDArray[np.float64],
    z: NDArray[np.float64],
    work: None,
) -> bool:
    """Put ``X[first:first + rows] @ coef`` into z; False if an index is wrong."""
    size = np.uint64(X.indices.size)
    for i in range(rows):
        entries = _entries(X, first + i)
        k, end = entries.start, entries.stop
        sums = lanes.zeros()
        while k + _WIDTH <= end:
            _prefetch(X, k)
            columns = lanes.load_numbers(X.indices, k)
            if not lanes.are_below(X.indices, k, X.d):
                return False
            sums = lanes.fma(_load(X, k, columns), lanes.gather(coef, columns), sums)
            k += _WIDTH
        if k < end:
            count = np.int64(end - k)
            has_eight = k + _WIDTH <= size  # with the next rows' entries, which need no mask
            if has_eight:
                _prefetch(X, k)
                columns = lanes.load_numbers(X.indices, k)
                good = lanes.are_below(X.indices, k, X.d)
            else:
                columns = lanes.load_first_numbers(X.indices, k, count)
                good = lanes.first_are_below(X.indices, k, count, X.d)
            if not good:
                return False
            x = _load(X, k, columns) if has_eight else _load_first(X, k, count, columns)
            sums = lanes.select_first(count, lanes.fma(x, lanes.gather(coef, columns), sums), sums)
        z[i] = lanes.total(sums)
    return True


@jit.inlined
def _prefetch(X: CSR, k: Any) -> None:
    """Fetch the entries that are read some time after entry k."""
    lanes.prefetch(X.data, k + NEAR)
    lanes.prefetch(X.indices, k + _2 * NEAR)
    lanes.prefetch_far(X.data, k + FAR)
    lanes.prefetch_far(X.indices, k + _2 * FAR)


@jit.inner
def accumulate(
    X: CSR,
    first: int,
    rows: int,
    factor: NDArray[np.float64],
    sums: NDArray[np.float64],
    total: NDArray[np.float64],
    work: None,
) -> None:
    """Add ``Xᵀ @ factor`` of a block to the high words of `total`."""
    high = total[0]
    for i in range(rows):
        value = factor[i]
        for k in _entries(X, first + i):
            j = np.uint64(X.indices[k])
            high[j] = fma(_value(X, k), value, high[j])


@jit.inner
def accumulate_squares(
    X: CSR,
    first: int,
    rows: int,
    factor: NDArray[np.float64],
    sums: NDArray[np.float64],
    total: NDArray[np.float64],
    work: None,
) -> None:
    """Add ``(X * X)ᵀ @ factor`` of a block to the high words of `total`.

    Repeated entries are first added up, in the low words, which are otherwise unused.  The first of
    them finds their sum there, the others 0.
    """
    high, repeated = total[0], total[1]
    for i in range(rows):
        value = factor[i]
        for k in _entries(X, first + i):
            repeated[np.uint64(X.indices[k])] += _value(X, k)
        for k in _entries(X, first + i):
            j = np.uint64(X.indices[k])
            x = repeated[j]
            repeated[j] = 0.0
            high[j] = fma(value * x, x, high[j])  # x * x may overflow


@jit.inner
def add_pairs(
    X: CSR, first: int, rows: int, factor: NDArray[np.float64], total: NDArray[np.float64]
) -> bool:
    """Add ``[X | 1]ᵀ diag(factor) [X | 1]`` of a block to the upper triangle of `total`.

    Returns False, with nothing added, where packing is less work or the indices of a row do not
    increase.
    """
    pairs = 0.0
    for i in range(rows):
        entries = _entries(X, first + i)
        count = np.float64(entries.stop) - np.float64(entries.start)
        pairs += count * count
        if pairs > rows * PAIRS_SHARE * X.d * X.d or not _increase(X, entries):
            return False
    last = np.uint64(X.d)
    for i in range(rows):
        entries = _entries(X, first + i)
        for k in entries:
            a = np.uint64(X.indices[k])
            scaled = factor[i] * _value(X, k)
            for other in range(k, entries.stop):
                b = np.uint64(X.indices[other])
                _add_to(total, a, b, scaled * _value(X, other))
            _add_to(total, a, last, scaled)
        _add_to(total, last, last, factor[i])
    return True


@jit.inlined
def _increase(X: CSR, entries: Any) -> bool:
    """Whether the indices of some entries strictly increase."""
    falls = 0
    for k in range(entries.start + _1, entries.stop):
        falls += X.indices[k] <= X.indices[k - _1]
    return falls == 0


@jit.inlined
def _add_to(total: NDArray[np.float64], a: Any, b: Any, value: float) -> None:
    """Add to an element of ``high + low``, with the rounding error."""
    total[0, a, b], error = two_sum(total[0, a, b], value)
    total[1, a, b] += error


@jit.inner
def pack(X: CSR, first: int, rows: int, packed: NDArray[np.float64], work: None) -> None:
    """Put a block into the first d columns of `packed`; repeated entries are added up."""
    packed[:rows, : X.d] = 0.0
    for i in range(rows):
        for k in _entries(X, first + i):
            packed[i, np.uint64(X.indices[k])] += _value(X, k)
