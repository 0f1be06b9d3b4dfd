"""Sums over the classes of a block of rows: the first steps of :mod:`class_blocks`.

1. Copy the logits, and find the largest and the second largest of each row.
2. Put the exponentials, high + low, and add them up.

Rows of few classes are copied class by class, (K, rows), so that every operation runs over the
rows.  Rows of more classes are copied row by row, (rows, K), so that it runs along the row.  Both
ways give the same sums to the bit, as :mod:`fastlogit.kernels.multinomial` explains.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastlogit.kernels import jit, lanes, multinomial
from fastlogit.kernels.ieee import fast_two_sum, two_sum
from fastlogit.kernels.lane_operators import select

# Words of a block: of its logits and exponentials, and of its rows.  They are in the second cache;
# blocks that fit into the first one have so few rows that the calls for each block take longer.
BLOCK_BY_CLASS, BLOCK_BY_ROW = 8192, 12288
# Most classes that are kept class by class.
MOST_BY_CLASS = 48


class Block(NamedTuple):
    """Memory for a block of rows.

    The logits and two words of their exponentials are (K, rows) or (rows, K); all others are
    (rows,).  `total` and `log` are S and log(1 + S), in the unit of sums; `inverse` is 1 / (1 + S).
    `own` and the words after it are of the class of the target.
    """

    logits: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    largest: NDArray[np.float64]
    second: NDArray[np.float64]
    unit: NDArray[np.float64]
    limit: NDArray[np.float64]
    total: NDArray[np.float64]
    total_low: NDArray[np.float64]
    inverse: NDArray[np.float64]
    inverse_low: NDArray[np.float64]
    log: NDArray[np.float64]
    log_low: NDArray[np.float64]
    own: NDArray[np.float64]
    own_high: NDArray[np.float64]
    own_low: NDArray[np.float64]
    losses: NDArray[np.float64]
    weight: NDArray[np.float64]


@jit.allocating
def new_block(n: int, K: int, by_class: bool) -> Block:
    """Memory for blocks of at most n rows of K classes; rows that are not filled are harmless."""
    padded = lanes.round_up(K)
    if by_class:
        size = max(lanes.WIDTH, BLOCK_BY_CLASS // (3 * K + 8) // lanes.WIDTH * lanes.WIDTH)
        shape = (K, min(size, lanes.round_up(n)))
    else:
        size = max(1, BLOCK_BY_ROW // (3 * padded))
        size = size // lanes.WIDTH * lanes.WIDTH if size > lanes.WIDTH else size
        shape = (min(size, n), padded)
    of_rows = np.zeros((15, lanes.round_up(shape[1] if by_class else shape[0])))
    return Block(
        np.full(shape, -np.inf),
        np.empty(shape),
        np.empty(shape),
        of_rows[0],
        of_rows[1],
        of_rows[2],
        of_rows[3],
        of_rows[4],
        of_rows[5],
        of_rows[6],
        of_rows[7],
        of_rows[8],
        of_rows[9],
        of_rows[10],
        of_rows[11],
        of_rows[12],
        of_rows[13],
        of_rows[14],
    )


@jit.inner
def add_by_class(
    Z: NDArray[Any],
    first: int,
    rows: int,
    block: Block,
    float32: Literal[True] | None,
    out: NDArray[Any],
) -> None:
    """Put the logits, the largest of each row, the exponentials and their sum."""
    classes = Z.shape[1]
    transpose(Z[first : first + rows], block.logits, rows, classes)
    _add_classes(block, rows, float32, Z, out, first * classes, rows * classes)


@jit.inner
def add_by_row(
    Z: NDArray[Any],
    first: int,
    rows: int,
    block: Block,
    float32: Literal[True] | None,
    out: NDArray[Any],
) -> None:
    """The same, row by row.

    The unit and the inverse are single numbers here: vectors of only eight rows would take longer.
    """
    classes = Z.shape[1]
    for i in range(rows):
        largest, second = _copy_row(Z[first + i], block.logits[i])
        total, low = _add_row(
            block.logits[i],
            largest,
            multinomial.unit(second, largest, float32),
            multinomial.limit(largest, second),
            multinomial.start(largest, second, float32),
            float32,
            block.high[i],
            block.low[i],
            Z,
            out,
            (first + i) * classes,
            rows * classes,
        )
        block.largest[i], block.total[i], block.total_low[i] = largest, total, low
        inverse, inverse_low = multinomial.inverse(total, low, float32)
        block.inverse[i], block.inverse_low[i] = inverse, inverse_low


@jit.inner
def transpose(source: NDArray[Any], out: NDArray[Any], rows: int, columns: int) -> None:
    """Put the first rows and columns of `source` into the columns and rows of `out`."""
    jit.wide_vectors(source)
    whole_rows, whole_columns = rows - rows % lanes.WIDTH, columns - columns % lanes.WIDTH
    for i in range(0, whole_rows, lanes.WIDTH):
        for k in range(0, whole_columns, lanes.WIDTH):
            tile = lanes.load_eight_rows(source, i, k, None)
            lanes.store_eight_rows(out, k, i, lanes.transposed(tile))
    for k in range(whole_columns, columns):
        for i in range(whole_rows):
            out[k, i] = source[i, k]
    for i in range(whole_rows, rows):
        for k in range(columns):
            out[k, i] = source[i, k]


@jit.inner
def _copy_row(row: NDArray[Any], padded: NDArray[np.float64]) -> tuple[float, float]:
    """Copy a row; the largest and the second largest logit."""
    largest = second = lanes.broadcast(-np.inf)
    whole = row.size // lanes.WIDTH * lanes.WIDTH
    for k in range(0, padded.size, lanes.WIDTH):
        if k < whole:
            z = lanes.load(row, k)
        else:
            rest = row.size - whole
            z = lanes.select_first(rest, lanes.load_first(row, k, rest), lanes.broadcast(-np.inf))
        lanes.store(padded, k, z)
        second = lanes.larger(lanes.smaller(z, largest), second)
        largest = lanes.larger(z, largest)
    first, other = -np.inf, -np.inf
    for lane in range(lanes.WIDTH):
        first, other = multinomial.larger_two(lanes.extract(largest, lane), first, other)
        _, other = multinomial.larger_two(lanes.extract(second, lane), first, other)
    return first, other


@jit.inner
def _add_classes(
    b: Block,
    rows: int,
    float32: Literal[True] | None,
    Z: NDArray[Any],
    out: NDArray[Any],
    at: int,
    ahead: int,
) -> None:
    """Put the exponentials of each class and their sums, for eight rows at a time."""
    jit.wide_vectors(b.logits)
    classes = b.logits.shape[0]
    for i in range(0, rows, lanes.WIDTH):
        largest = second = lanes.broadcast(-np.inf)
        for k in range(classes):
            largest, second = multinomial.larger_two(lanes.load(b.logits, (k, i)), largest, second)
        unit = multinomial.unit(second, largest, float32)
        end = multinomial.limit(largest, second)
        total, total_low = multinomial.start(largest, second, float32), lanes.zeros()
        for k in range(classes):
            _fetch(Z, out, at + i * classes + k * lanes.WIDTH, ahead)
            z = lanes.load(b.logits, (k, i))
            total, total_low = _add_vector(
                z, largest, unit, end, total, total_low, float32, b.high[k], b.low[k], i
            )
        total, total_low = fast_two_sum(total, total_low)
        inverse, inverse_low = multinomial.inverse(total, total_low, float32)
        lanes.store(b.largest, i, largest)
        lanes.store(b.total, i, total)
        lanes.store(b.total_low, i, total_low)
        lanes.store(b.inverse, i, inverse)
        lanes.store(b.inverse_low, i, inverse_low)


@jit.inlined
def _add_vector(
    z: Any,
    largest: Any,
    unit: Any,
    end: Any,
    total: Any,
    total_low: Any,
    float32: Literal[True] | None,
    high: NDArray[np.float64],
    low: NDArray[np.float64],
    at: int,
) -> tuple[Any, Any]:
    """Put eight exponentials, and add those of logits below `end` to both words of a sum."""
    power, e, e_low = multinomial.exponential_parts(z, largest, float32)
    lanes.store(high, at, power * e)
    if float32 is None:
        lanes.store(low, at, power * e_low)
    word, next_word = multinomial.term(power, e, e_low, unit)
    total = select(z >= end, total, total + word)
    if float32 is None:
        total_low = select(z >= end, total_low, total_low + next_word)
    return total, total_low


@jit.inlined
def _fetch(Z: NDArray[Any], out: NDArray[Any], at: int, ahead: int) -> None:
    """Ask for eight logits of the next block, and for places of results of this block.

    They arrive while exponentials are computed: where the arrays are larger than the caches, all
    takes two thirds of the time.
    """
    lanes.prefetch(Z, at + ahead)
    if out.size:
        lanes.prefetch(out, at)


@jit.inner
def _add_row(
    z: NDArray[np.float64],
    largest: float,
    unit: float,
    limit: float,
    start: float,
    float32: Literal[True] | None,
    high: NDArray[np.float64],
    low: NDArray[np.float64],
    Z: NDArray[Any],
    out: NDArray[Any],
    at: int,
    ahead: int,
) -> tuple[float, float]:
    """Put the exponentials of a row; the sum of its terms and of `start`."""
    jit.wide_vectors(z)
    total, more, rest, more_rest = start, 0.0, 0.0, 0.0
    middle, coarse = lanes.broadcast(largest), lanes.broadcast(unit)
    end = lanes.broadcast(limit)
    for first in range(0, z.size, multinomial.TERMS):
        sums, low_sums = lanes.zeros(), lanes.zeros()
        for k in range(first, min(first + multinomial.TERMS, z.size), lanes.WIDTH):
            _fetch(Z, out, at + k, ahead)
            sums, low_sums = _add_vector(
                lanes.load(z, k), middle, coarse, end, sums, low_sums, float32, high, low, k
            )
        total, error = two_sum(total, lanes.total(sums))
        more += error
        rest, error = two_sum(rest, lanes.total(low_sums))
        more_rest += error
    return multinomial.joined(total, more, rest, more_rest)


@jit.inner
def take_logs(
    total: NDArray[np.float64],
    total_low: NDArray[np.float64],
    float32: Literal[True] | None,
    log: NDArray[np.float64],
    log_low: NDArray[np.float64],
) -> None:
    """Put the logarithm of each total."""
    jit.wide_vectors(total)
    for i in range(total.size):
        log[i], log_low[i] = multinomial.log_total(total[i], total_low[i], float32)
