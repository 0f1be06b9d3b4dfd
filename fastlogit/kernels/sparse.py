"""X as compressed sparse rows (CSR): entries may be unsorted and repeated, zeros are not stored.

A block has about as many entries as fit into L2.  Its indices are checked before they are used.
The gradient is added up where it lies, entry by entry, so that its size costs nothing but memory.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastlogit.kernels import jit
from fastlogit.kernels.ieee import fma

# Rows of a block at most, as z and the other columns shall stay in L1, and entries on average.
BLOCK_ROWS = 512
BLOCK_ENTRIES = 1 << 14


class Rows(NamedTuple):
    """Row i has ``data[k]`` in column ``indices[k]``, for k in ``range(*indptr[i : i + 2])``.

    `indptr` may begin above 0, so that some of the rows of another such matrix are one.
    """

    data: NDArray[Any]
    indices: NDArray[Any]
    indptr: NDArray[Any]
    d: int


@jit.inner
def shape(X: Rows) -> tuple[int, int]:
    """N and d."""
    return X.indptr.size - 1, X.d


@jit.inner
def block_rows(X: Rows) -> int:
    """Rows of a block."""
    rows = X.indptr.size - 1
    entries = X.indptr[rows] - X.indptr[0]
    return max(8, min(BLOCK_ROWS, BLOCK_ENTRIES * rows // max(1, entries)))


@jit.loop
def workspace(X: Rows) -> None:
    """No scratch is needed."""
    return


@jit.loop
def partial_sums(X: Rows) -> NDArray[np.float64]:
    """None: `accumulate` adds to the total."""
    return np.empty(0)


@jit.inner
def are_below(indices: NDArray[Any], d: int) -> bool:
    """Whether all are at least 0 and below d."""
    outside = 0
    for k in range(indices.size):
        outside += not (0 <= indices[k] < d)
    return outside == 0


@jit.inner
def multiply(
    X: Rows,
    first: int,
    rows: int,
    coef: NDArray[np.float64],
    z: NDArray[np.float64],
    work: None,
) -> bool:
    """Put ``X[first:first + rows] @ coef`` into z; do nothing and say so if an index is wrong."""
    if not are_below(X.indices[X.indptr[first] : X.indptr[first + rows]], X.d):
        return False
    for i in range(rows):
        k, end = X.indptr[first + i], X.indptr[first + i + 1]
        sum_0 = sum_1 = sum_2 = sum_3 = 0.0  # so that none waits for the last
        while k + 4 <= end:
            sum_0 = fma(np.float64(X.data[k]), coef[np.uint64(X.indices[k])], sum_0)
            sum_1 = fma(np.float64(X.data[k + 1]), coef[np.uint64(X.indices[k + 1])], sum_1)
            sum_2 = fma(np.float64(X.data[k + 2]), coef[np.uint64(X.indices[k + 2])], sum_2)
            sum_3 = fma(np.float64(X.data[k + 3]), coef[np.uint64(X.indices[k + 3])], sum_3)
            k += 4
        while k < end:
            sum_0 = fma(np.float64(X.data[k]), coef[np.uint64(X.indices[k])], sum_0)
            k += 1
        z[i] = (sum_0 + sum_1) + (sum_2 + sum_3)
    return True


@jit.inner
def accumulate(
    X: Rows,
    first: int,
    rows: int,
    factor: NDArray[np.float64],
    sums: NDArray[np.float64],
    total: NDArray[np.float64],
    work: None,
) -> None:
    """Add ``Xᵀ @ factor`` over some rows to the first row of `total`."""
    high = total[0]
    for i in range(rows):
        for k in range(X.indptr[first + i], X.indptr[first + i + 1]):
            j = np.uint64(X.indices[k])  # which cannot mean to count from the end
            high[j] = fma(np.float64(X.data[k]), factor[i], high[j])


@jit.inner
def accumulate_squares(
    X: Rows,
    first: int,
    rows: int,
    factor: NDArray[np.float64],
    sums: NDArray[np.float64],
    total: NDArray[np.float64],
    work: None,
) -> None:
    """Add ``(X * X)ᵀ @ factor`` over some rows to the first row of `total`.

    In the second, where nothing else is added, repeated entries are added up before; the first
    of them then finds them all, and the others 0.
    """
    high, entries = total[0], total[1]
    for i in range(rows):
        row = range(X.indptr[first + i], X.indptr[first + i + 1])
        for k in row:
            entries[np.uint64(X.indices[k])] += np.float64(X.data[k])
        for k in row:
            j = np.uint64(X.indices[k])
            x = entries[j]
            entries[j] = 0.0
            high[j] = fma(x * x, factor[i], high[j])


@jit.inner
def pack(X: Rows, first: int, rows: int, packed: NDArray[np.float64], work: None) -> None:
    """Put some rows into the first d columns of `packed`."""
    packed[:rows, : X.d] = 0.0
    for i in range(rows):
        for k in range(X.indptr[first + i], X.indptr[first + i + 1]):
            packed[i, X.indices[k]] += np.float64(X.data[k])
