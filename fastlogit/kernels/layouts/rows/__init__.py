"""X as a row-major array: multiply and accumulate blocks of its rows, and pack them.

A row is read in its own dtype, eight elements at a time (:mod:`fastlogit.kernels.lanes`).

A block of one output is a page of memory: while it is multiplied and accumulated in L1, the
processor already fetches the next.  With larger blocks these two take turns, and so they do with
explicit prefetch instructions, or if the next block is multiplied before this one is accumulated
(as measured on a Zen 4).  Intel's processors need such instructions (`products.AHEAD_BYTES`).  If a
page has fewer than 32 rows, a block is two pages: the logistic functions take as long for a few
rows as for 32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fastlogit.kernels import jit, lanes
from fastlogit.kernels.layouts.rows.elements import CentredRows as CentredRows
from fastlogit.kernels.layouts.rows.elements import element, itemsize
from fastlogit.kernels.layouts.rows.elements import shape as shape
from fastlogit.kernels.layouts.rows.products import multiply as multiply
from fastlogit.kernels.layouts.rows.products import multiply_outputs as multiply_outputs
from fastlogit.kernels.layouts.rows.products import multiply_two as multiply_two
from fastlogit.kernels.layouts.rows.sums import accumulate as accumulate
from fastlogit.kernels.layouts.rows.sums import accumulate_outputs as accumulate_outputs
from fastlogit.kernels.layouts.rows.sums import accumulate_squares as accumulate_squares

if TYPE_CHECKING:
    from fastlogit.kernels.layouts.rows.elements import Layout

PAGE = 1 << 12
# Rows of a block for which two pages are taken.
ENOUGH_ROWS = 32
# Fewest rows of a block, as eight are multiplied at a time, and most, so that z, the factors and
# other vectors over rows stay in L1.
LEAST_ROWS, MOST_ROWS = 8, 512


@jit.inner
def block_rows(X: Layout) -> int:
    """Rows of a block."""
    row = max(1, shape(X)[1] * itemsize(X))
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
            packed_row[j] = element(X, first + i, j)
