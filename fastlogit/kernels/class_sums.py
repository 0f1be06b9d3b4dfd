"""Sums over the classes of a block of rows: the first steps of :mod:`class_blocks`.

1. Copy the logits, and find the largest and the second largest of each row.
2. Add up the exponentials, and put them, high + low, if a result needs them.

Rows of few classes are copied class by class, (K, rows), so that every operation runs over the
rows.  Rows of more classes are copied row by row, (rows, K), so that it runs along the row.  Both
ways give the same sums to the bit, as :mod:`fastlogit.kernels.multinomial` explains.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastlogit.kernels import jit, lanes, multinomial, tiles
from fastlogit.kernels.ieee import fast_two_sum, two_sum
from fastlogit.kernels.lane_operators import select

# Words of a block: of its logits and exponentials, and of its rows.  They are in the second cache.
# Blocks of half as many words and of half as many again take as long (Zen 4).
BLOCK_BY_CLASS, BLOCK_BY_ROW = 8192, 12288
# Most classes that are kept class by class.
MOST_BY_CLASS = 48

# Numbers of each row: its two largest logits; S, 1 / (1 + S) and log(1 + S), high + low; of its
# target the logit and the exponential; its loss and its weight.
LARGEST, SECOND, TOTAL, TOTAL_LOW, INVERSE, INVERSE_LOW, LOG, LOG_LOW = range(8)
OWN, OWN_HIGH, OWN_LOW, LOSS, WEIGHT = range(8, 13)


class Block(NamedTuple):
    """Memory for a block of rows.  Few arrays: each takes ten words of every call."""

    logits: NDArray[np.float64]
    """(K, rows) or (rows, K)."""
    high: NDArray[np.float64]
    """Exponentials, in the unit of sums, like `logits`."""
    low: NDArray[np.float64]
    """Their low words."""
    of_rows: NDArray[np.float64]
    """The numbers above, (13, rows)."""


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
    of_rows = np.zeros((WEIGHT + 1, lanes.round_up(shape[1] if by_class else shape[0])))
    return Block(np.full(shape, -np.inf), np.empty(shape), np.empty(shape), of_rows)


@jit.inner
def add_by_class(
    Z: NDArray[Any],
    first: int,
    rows: int,
    b: Block,
    float32: Literal[True] | None,
    out: NDArray[Any],
) -> None:
    """Put the logits, the largest of each row, the exponentials and their sum.

    `out` is the place of the results, or empty.
    """
    jit.wide_vectors(b.logits)
    classes = Z.shape[1]
    for i in range(0, rows, lanes.WIDTH):
        take_rows(Z, first + i, min(rows - i, lanes.WIDTH), b.logits, i)
        largest = second = lanes.broadcast(-np.inf)
        for k in range(classes):
            z = lanes.load(b.logits, (k, i))
            largest, second = multinomial.larger_two(z, largest, second)
        unit = multinomial.unit(second, largest, float32)
        end = multinomial.limit(largest, second)
        total, total_low = multinomial.start(largest, second, float32), lanes.zeros()
        for k in range(classes):
            _fetch(Z, out, (first + i) * classes + k * lanes.WIDTH, rows * classes)
            z = lanes.load(b.logits, (k, i))
            total, total_low = _add_vector(
                z, largest, unit, end, total, total_low, float32, b.high[k], b.low[k], i, True
            )
        total, total_low = fast_two_sum(total, total_low)
        inverse, inverse_low = multinomial.inverse(total, total_low, float32)
        lanes.store(b.of_rows, (LARGEST, i), largest)
        lanes.store(b.of_rows, (TOTAL, i), total)
        lanes.store(b.of_rows, (TOTAL_LOW, i), total_low)
        lanes.store(b.of_rows, (INVERSE, i), inverse)
        lanes.store(b.of_rows, (INVERSE_LOW, i), inverse_low)


@jit.inner
def add_by_row(
    Z: NDArray[Any],
    first: int,
    rows: int,
    b: Block,
    float32: Literal[True] | None,
    out: NDArray[Any],
    keep: bool,
) -> None:
    """The same, along the rows; the exponentials only with `keep`.

    Without them `log_softmax` takes 4 to 10 % less time (Zen 4).  Class by class that gains 4 % for
    ten classes, but loses 2 % for three.

    Each step is done for all rows before the next: the last operations of a step wait for each
    other, while those of other rows need not wait.
    """
    jit.wide_vectors(b.logits)
    classes = Z.shape[1]
    for i in range(rows):
        largest, second = _copy_row(Z, first + i, b.logits, i)
        b.of_rows[LARGEST, i], b.of_rows[SECOND, i] = largest, second
    for i in range(rows):
        at = (first + i) * classes
        total, total_low = _add_row(b, i, float32, Z, out, at, rows * classes, keep)
        b.of_rows[TOTAL, i], b.of_rows[TOTAL_LOW, i] = total, total_low
    for i in range(0, rows, lanes.WIDTH):
        total, total_low = lanes.load(b.of_rows, (TOTAL, i)), lanes.load(b.of_rows, (TOTAL_LOW, i))
        inverse, inverse_low = multinomial.inverse(total, total_low, float32)
        lanes.store(b.of_rows, (INVERSE, i), inverse)
        lanes.store(b.of_rows, (INVERSE_LOW, i), inverse_low)


@jit.inlined
def take_rows(
    source: NDArray[Any], first: int, count: int, out: NDArray[np.float64], at: int
) -> None:
    """Put up to eight rows of `source` into the columns of `out` from `at` on."""
    columns = source.shape[1]
    whole = columns // lanes.WIDTH * lanes.WIDTH
    if count == lanes.WIDTH:
        for k in range(0, whole, lanes.WIDTH):
            tile = tiles.load_eight_rows(source, first, k, None)
            tiles.store_eight_rows(out, k, at, tiles.transposed(tile))
        for k in range(whole, columns):
            lanes.store(out, (k, at), tiles.load_column(source, first, k))
    else:
        for i in range(count):
            for k in range(columns):
                out[k, at + i] = source[first + i, k]


@jit.inlined
def put_rows(source: NDArray[np.float64], at: int, out: NDArray[Any]) -> None:
    """Put up to eight columns of `source` from `at` on into these rows of `out`."""
    rows, columns = out.shape
    whole = columns // lanes.WIDTH * lanes.WIDTH
    if at + lanes.WIDTH <= rows:
        for k in range(0, whole, lanes.WIDTH):
            tile = tiles.load_eight_rows(source, k, at, None)
            tiles.store_eight_rows(out, at, k, tiles.transposed(tile))
        for k in range(whole, columns):
            tiles.store_column(out, at, k, lanes.load(source, (k, at)))
    else:
        for i in range(at, rows):
            for k in range(columns):
                out[i, k] = source[k, i]


@jit.inlined
def _copy_row(
    Z: NDArray[Any], row: int, padded: NDArray[np.float64], i: int
) -> tuple[float, float]:
    """Copy a row; the largest and the second largest logit."""
    largest = second = lanes.broadcast(-np.inf)
    last = Z.shape[1] - lanes.WIDTH
    for k in range(0, last, lanes.WIDTH):
        z = lanes.load(Z, (row, k))
        lanes.store(padded, (i, k), z)
        largest, second = multinomial.larger_two(z, largest, second)
    z = lanes.load(Z, (row, last))
    lanes.store(padded, (i, last), z)
    # Some of the last eight have been compared before: faster than to load less than eight.
    z = lanes.select_first(-last % lanes.WIDTH, lanes.broadcast(-np.inf), z)
    return lanes.two_largest(*multinomial.larger_two(z, largest, second))


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
    keep: bool,
) -> tuple[Any, Any]:
    """Add the exponentials of eight logits below `end` to both words of a sum.

    With `keep` put the exponentials of all eight.
    """
    power, e, e_low = multinomial.exponential_parts(z, largest, float32)
    if keep:
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


@jit.inlined
def _add_row(
    b: Block,
    i: int,
    float32: Literal[True] | None,
    Z: NDArray[Any],
    out: NDArray[Any],
    at: int,
    ahead: int,
    keep: bool,
) -> tuple[float, float]:
    """The sum of the exponentials of a row; with `keep` put these."""
    largest, second = b.of_rows[LARGEST, i], b.of_rows[SECOND, i]
    middle = lanes.broadcast(largest)
    unit = lanes.broadcast(multinomial.unit(second, largest, float32))
    end = lanes.broadcast(multinomial.limit(largest, second))
    total, more, rest, more_rest = multinomial.start(largest, second, float32), 0.0, 0.0, 0.0
    size = b.logits.shape[1]
    for first in range(0, size, multinomial.TERMS):
        sums, low_sums = lanes.zeros(), lanes.zeros()
        for k in range(first, min(first + multinomial.TERMS, size), lanes.WIDTH):
            _fetch(Z, out, at + k, ahead)
            z = lanes.load(b.logits, (i, k))
            sums, low_sums = _add_vector(
                z, middle, unit, end, sums, low_sums, float32, b.high[i], b.low[i], k, keep
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
