"""Loops over many rows of K logits: probabilities, losses and residuals, and sums of losses.

Rows are taken in blocks that stay in the first cache.  Rows of few classes are copied class by
class, (K, rows), so that every operation runs over the rows.  Rows of more classes are copied row
by row, (rows, K), so that it runs along the row.  Both ways give the same bits, those of the
functions of :mod:`fastlogit.kernels.multinomial`.

A block takes the same three steps for every result:

1. Copy the logits, and find the largest and the second largest of each row.
2. Put the exponentials, high + low, and add them up.
3. Put the results of the rows, and those of the elements.

One compiled function does all of it: the results are chosen by numbers, once for each block.  A
function for each result would be no faster, and there would be 30 of them to compile.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastlogit.kernels import jit, lanes, multinomial, sums
from fastlogit.kernels.ieee import add_in_any_order, clear_flags, fast_two_sum, two_sum

# Words of a block: of its logits and exponentials, and of its rows.  They take 24 KB.
BLOCK = 3072
# Elements of a long row for which memory is asked at a time.
FETCHED = 192
CACHE_LINE = 64
# Most classes that are kept class by class.
MOST_BY_CLASS = 24

# Results of each element, and of each row.
NOTHING, PROBABILITIES, LOG_PROBABILITIES, RESIDUALS = range(4)
LOG_SUMS, LOSSES = 1, 2


class Targets(NamedTuple):
    """Targets and weights; an array that is not given has no rows."""

    t: NDArray[np.int64]
    """Class numbers (n,)."""
    soft: NDArray[np.float64]
    """Probabilities (n, K)."""
    weight: NDArray[np.float64]
    """Weights of the rows (n,)."""
    divisor: float
    """Number by which residuals are divided."""


class Results(NamedTuple):
    """What to compute, and where to put it; an array that is not wanted has no rows."""

    kind: int
    """What to put into `elements`."""
    elements: NDArray[Any]
    """An array (n, K), which may be Z."""
    row_kind: int
    """What to put into `rows`."""
    rows: NDArray[Any]
    """An array (n,)."""
    loss: NDArray[np.float64]
    """Place for the weighted sum of the losses (2,)."""


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


@jit.loop
def run(Z: NDArray[Any], targets: Targets, results: Results, float32: Literal[True] | None) -> None:
    """Compute the results of all rows of Z (n, K); `float32` is True if Z is."""
    n, K = Z.shape
    by_class = K <= MOST_BY_CLASS
    block = _new_block(n, K, by_class)
    size = block.logits.shape[1] if by_class else block.logits.shape[0]
    state = np.zeros((2, lanes.WIDTH))
    for first in range(0, n, size):
        rows = min(size, n - first)
        _run_block(Z, targets, results, float32, by_class, block, state, first, rows)
    if results.loss.size:
        results.loss[0], results.loss[1] = sums.carried(state)
    clear_flags()


@jit.allocating
def _new_block(n: int, K: int, by_class: bool) -> Block:
    padded = lanes.round_up(K)
    if by_class:
        size = max(lanes.WIDTH, BLOCK // (3 * K + 8) // lanes.WIDTH * lanes.WIDTH)
        shape = (K, min(size, lanes.round_up(n)))
    else:
        size = max(1, BLOCK // (3 * padded))
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
def _run_block(
    Z: NDArray[Any],
    targets: Targets,
    results: Results,
    float32: Literal[True] | None,
    by_class: bool,
    block: Block,
    state: NDArray[np.float64],
    first: int,
    rows: int,
) -> None:
    here = Z[first : first + rows]
    if by_class:
        _add_by_class(Z, first, rows, block, float32, results.elements)
    else:
        _add_by_row(Z, first, rows, block, float32, results.elements)
    kind, row_kind, hard = results.kind, results.row_kind, targets.t.size > 0
    t, soft = targets.t[first : first + rows], targets.soft[first : first + rows]
    if kind == LOG_PROBABILITIES or row_kind != NOTHING or results.loss.size:
        _take_logs(block.total, block.total_low, float32, block.log, block.log_low)
    if hard:
        _pick(here, t, by_class, block)
        _put_losses(block.own, block.largest, block.log, block.log_low, float32, block.losses)
    elif soft.size:
        _put_soft_losses(here, soft, block, float32)
    if row_kind == LOG_SUMS:
        _put_log_sums(here, block, float32)
    if row_kind != NOTHING:
        _copy(block.losses, results.rows[first : first + rows])
    weight = targets.weight[first : first + rows]
    if results.loss.size:
        _add_losses(block.losses, rows, weight, state)
    if kind == NOTHING:
        return
    out = results.elements[first : first + rows]
    if hard:
        _put_own(block, float32)
    if weight.size or targets.divisor != 1.0:
        block.weight[:] = 1.0
        _copy(weight, block.weight)
        scale, divisor = block.weight, targets.divisor
        _put_elements(kind, soft, by_class, block, scale, divisor, float32, out)
        if hard:
            _put_at(t, block.own_high, scale, divisor, out)
    else:
        _put_elements(kind, soft, by_class, block, None, None, float32, out)
        if hard:
            _put_at(t, block.own_high, None, None, out)


# The sum over the classes ---------------------------------------------------------------------


@jit.inner
def _add_by_class(
    Z: NDArray[Any],
    first: int,
    rows: int,
    block: Block,
    float32: Literal[True] | None,
    out: NDArray[Any],
) -> None:
    """Put the logits, the largest of each row, the exponentials and their sum."""
    _transpose(Z[first : first + rows], block.logits, rows, Z.shape[1])
    _compare(block.logits, block.largest, block.second)
    _begin(block.largest, block.second, float32, block.unit, block.limit, block.total)
    _add_classes(
        block.logits,
        block.largest,
        block.unit,
        block.limit,
        float32,
        block.high,
        block.low,
        block.total,
        block.total_low,
        Z,
        out,
        first * Z.shape[1],
        rows * Z.shape[1],
    )
    _join(block.total, block.total_low, float32, block.inverse, block.inverse_low)


@jit.inner
def _add_by_row(
    Z: NDArray[Any],
    first: int,
    rows: int,
    block: Block,
    float32: Literal[True] | None,
    out: NDArray[Any],
) -> None:
    """The same, row by row.

    What belongs to a row is computed as single numbers.  Vectors of only eight rows take longer.
    """
    classes, narrow = Z.shape[1], float32 is not None
    for i in range(rows):
        largest, second = _copy_row(Z[first + i], block.logits[i])
        total, low = _add_row(
            block.logits[i],
            largest,
            multinomial.unit(second, largest, narrow),
            multinomial.limit(largest, second),
            multinomial.start(largest, second, narrow),
            float32,
            block.high[i],
            block.low[i],
            Z,
            out,
            (first + i) * classes,
            rows * classes,
        )
        block.largest[i], block.total[i], block.total_low[i] = largest, total, low
        inverse, inverse_low = multinomial.inverse(total, low, narrow)
        block.inverse[i], block.inverse_low[i] = inverse, inverse_low


@jit.inner
def _transpose(source: NDArray[Any], out: NDArray[Any], rows: int, columns: int) -> None:
    """Put the first rows and columns of `source` into the columns and rows of `out`."""
    jit.wide_vectors(source)
    whole_rows, whole_columns = rows - rows % lanes.WIDTH, columns - columns % lanes.WIDTH
    for i in range(0, whole_rows, lanes.WIDTH):
        for k in range(0, whole_columns, lanes.WIDTH):
            tile = lanes.load_eight_rows(source, i, k, None)
            lanes.store_eight_rows(out, k, i, lanes.transposed(tile))
        for k in range(whole_columns, columns):
            for j in range(i, i + lanes.WIDTH):
                out[k, j] = source[j, k]
    for i in range(whole_rows, rows):
        for k in range(columns):
            out[k, i] = source[i, k]


@jit.inner
def _compare(
    logits: NDArray[np.float64], largest: NDArray[np.float64], second: NDArray[np.float64]
) -> None:
    """Put the largest and the second largest logit of each row."""
    jit.wide_vectors(logits)
    classes, rows = logits.shape
    for i in range(rows):
        largest[i] = second[i] = -np.inf
    for k in range(classes):
        for i in range(rows):
            largest[i], second[i] = multinomial.larger_two(logits[k, i], largest[i], second[i])


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
def _begin(
    largest: NDArray[np.float64],
    second: NDArray[np.float64],
    float32: Literal[True] | None,
    unit: NDArray[np.float64],
    limit: NDArray[np.float64],
    total: NDArray[np.float64],
) -> None:
    """Put what the terms of each row need, and the beginning of its sum."""
    jit.wide_vectors(largest)
    narrow = float32 is not None
    for i in range(largest.size):
        unit[i] = multinomial.unit(second[i], largest[i], narrow)
        limit[i] = multinomial.limit(largest[i], second[i])
        total[i] = multinomial.start(largest[i], second[i], narrow)


@jit.inner
def _add_classes(
    logits: NDArray[np.float64],
    largest: NDArray[np.float64],
    unit: NDArray[np.float64],
    limit: NDArray[np.float64],
    float32: Literal[True] | None,
    high: NDArray[np.float64],
    low: NDArray[np.float64],
    total: NDArray[np.float64],
    total_low: NDArray[np.float64],
    Z: NDArray[Any],
    out: NDArray[Any],
    at: int,
    ahead: int,
) -> None:
    """Put the exponentials, and add each class to the sums of the rows."""
    jit.wide_vectors(logits)
    classes, rows = logits.shape
    for i in range(rows):
        total_low[i] = 0.0
    for k in range(classes):
        _fetch(Z, out, at + k * rows, rows, ahead)
        for i in range(rows):
            z = logits[k, i]
            e = multinomial.exponential_parts(z, largest[i], float32 is not None)
            high[k, i] = e[0] * e[1]
            if float32 is None:
                low[k, i] = e[0] * e[2]
            term, term_low = multinomial.term(z, limit[i], *e, unit[i])
            total[i] += term
            total_low[i] += term_low


@jit.inner
def _fetch(Z: NDArray[Any], out: NDArray[Any], start: int, count: int, ahead: int) -> None:
    """Ask for logits of the next block, and for places of results of this block.

    They arrive while exponentials are computed: where the arrays are larger than the caches, all
    takes two thirds of the time.
    """
    for k in range(start, start + count, CACHE_LINE // Z.itemsize):
        lanes.prefetch(Z, k + ahead)
        if out.size:
            lanes.prefetch(out, k)


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
    total, more, rest, more_rest = start, 0.0, 0.0, 0.0
    for first in range(0, z.size, FETCHED):
        here = slice(first, min(first + FETCHED, z.size))
        _fetch(Z, out, at + first, min(FETCHED, z.size - first), ahead)
        word, next_word = _add_terms(z[here], largest, unit, limit, float32, high[here], low[here])
        total, error = two_sum(total, word)
        more += error
        rest, error = two_sum(rest, next_word)
        more_rest += error
    total, error = fast_two_sum(total, rest)
    return total, more + error + more_rest


@jit.inner
def _add_terms(
    z: NDArray[np.float64],
    largest: float,
    unit: float,
    limit: float,
    float32: Literal[True] | None,
    high: NDArray[np.float64],
    low: NDArray[np.float64],
) -> tuple[float, float]:
    """Put exponentials; both words of the sum of at most `multinomial.TERMS` terms."""
    jit.wide_vectors(z)
    total = total_low = 0.0
    for k in range(z.size):
        e = multinomial.exponential_parts(z[k], largest, float32 is not None)
        high[k] = e[0] * e[1]
        if float32 is None:
            low[k] = e[0] * e[2]
        term, term_low = multinomial.term(z[k], limit, *e, unit)
        total = add_in_any_order(total, term)
        total_low = add_in_any_order(total_low, term_low)
    jit.one_vector()
    return total, total_low


@jit.inner
def _join(
    total: NDArray[np.float64],
    total_low: NDArray[np.float64],
    float32: Literal[True] | None,
    inverse: NDArray[np.float64],
    inverse_low: NDArray[np.float64],
) -> None:
    """Make a normal pair of both words of each sum, and put the inverse."""
    jit.wide_vectors(total)
    for i in range(total.size):
        total[i], total_low[i] = fast_two_sum(total[i], total_low[i])
        inverse[i], inverse_low[i] = multinomial.inverse(
            total[i], total_low[i], float32 is not None
        )


@jit.inner
def _take_logs(
    total: NDArray[np.float64],
    total_low: NDArray[np.float64],
    float32: Literal[True] | None,
    log: NDArray[np.float64],
    log_low: NDArray[np.float64],
) -> None:
    """Put the logarithm of each total."""
    jit.wide_vectors(total)
    for i in range(total.size):
        log[i], log_low[i] = multinomial.log_total(total[i], total_low[i], float32 is not None)


# Results of the rows --------------------------------------------------------------------------


@jit.inner
def _pick(Z: NDArray[Any], t: NDArray[np.int64], by_class: bool, block: Block) -> None:
    """Copy what belongs to the class of each target."""
    for i in range(t.size):
        k = t[i]
        block.own[i] = Z[i, k]
        block.own_high[i] = block.high[k, i] if by_class else block.high[i, k]
        block.own_low[i] = block.low[k, i] if by_class else block.low[i, k]


@jit.inner
def _put_losses(
    z: NDArray[np.float64],
    largest: NDArray[np.float64],
    log: NDArray[np.float64],
    log_low: NDArray[np.float64],
    float32: Literal[True] | None,
    losses: NDArray[np.float64],
) -> None:
    """Put the losses of class numbers with the logits z."""
    jit.wide_vectors(z)
    for i in range(z.size):
        losses[i] = multinomial.loss(z[i], largest[i], log[i], log_low[i], float32 is not None)


@jit.inner
def _put_soft_losses(
    Z: NDArray[Any], soft: NDArray[np.float64], block: Block, float32: Literal[True] | None
) -> None:
    """Put the losses of probabilities."""
    for i in range(Z.shape[0]):
        high, low, scale = multinomial.total_distance(Z[i], soft[i], block.largest[i])
        block.losses[i] = multinomial.soft_loss(
            high, low, scale, block.log[i], block.log_low[i], float32 is not None
        )


@jit.inner
def _put_log_sums(Z: NDArray[Any], block: Block, float32: Literal[True] | None) -> None:
    """Put the logarithms of the sums of the exponentials, in the place of the losses."""
    jit.wide_vectors(block.log)
    for i in range(block.log.size):
        block.losses[i] = multinomial.plus_log(
            block.largest[i], 0.0, block.log[i], block.log_low[i], float32 is not None
        )
    for i in range(Z.shape[0]):
        if abs(block.largest[i]) == np.inf:
            block.losses[i] = multinomial.infinite_sum(Z[i], block.largest[i])


@jit.inner
def _copy(values: NDArray[Any], out: NDArray[Any]) -> None:
    for i in range(min(values.size, out.size)):
        out[i] = values[i]


@jit.inner
def _add_losses(
    losses: NDArray[np.float64],
    rows: int,
    weight: NDArray[np.float64],
    state: NDArray[np.float64],
) -> None:
    """Add the weighted losses of the first rows to `state`."""
    losses[rows:] = 0.0
    for i in range(weight.size):
        losses[i] = sums.weighted(losses[i], weight[i])
    sums.carry(losses, losses.size, state)


@jit.inner
def _put_own(block: Block, float32: Literal[True] | None) -> None:
    """Put the residuals of the classes of the targets, minus all other probabilities."""
    jit.wide_vectors(block.own)
    narrow = float32 is not None
    for i in range(block.own.size):
        rest, rest_low = multinomial.others(
            block.own[i],
            block.largest[i],
            block.own_high[i],
            block.own_low[i],
            block.total[i],
            block.total_low[i],
            narrow,
        )
        block.own_high[i] = -multinomial.share(
            rest, rest_low, block.inverse[i], block.inverse_low[i], narrow
        )


# Results of the elements ----------------------------------------------------------------------
#
# `by_class` is True or None.  `weight` and `divisor` are None where there are none.


@jit.inner
def _put_elements(
    kind: int,
    soft: NDArray[np.float64],
    by_class: bool,
    b: Block,
    weight: NDArray[np.float64] | None,
    divisor: float | None,
    float32: Literal[True] | None,
    out: NDArray[Any],
) -> None:
    """Put the results of the elements of a block into `out`."""
    if by_class:
        if kind == LOG_PROBABILITIES:
            _put_logs(b.logits, b.largest, b.log, b.log_low, float32, True, b.high)
        else:
            if soft.size:
                _mix(b, soft.T, float32, True)
            _put_shares(
                b.high, b.low, b.inverse, b.inverse_low, weight, divisor, float32, True, b.high
            )
        _transpose(b.high, out, out.shape[1], out.shape[0])
    elif kind == LOG_PROBABILITIES:
        _put_logs(b.logits, b.largest, b.log, b.log_low, float32, None, out)
    else:
        if soft.size:
            _mix(b, soft, float32, None)
        _put_shares(b.high, b.low, b.inverse, b.inverse_low, weight, divisor, float32, None, out)


@jit.inner
def _put_logs(
    logits: NDArray[np.float64],
    largest: NDArray[np.float64],
    log: NDArray[np.float64],
    log_low: NDArray[np.float64],
    float32: Literal[True] | None,
    by_class: Literal[True] | None,
    out: NDArray[Any],
) -> None:
    """Put logarithms of probabilities."""
    jit.wide_vectors(logits)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            row = i if by_class is None else j
            z, most, narrow = logits[i, j], largest[row], float32 is not None
            out[i, j] = -multinomial.loss(z, most, log[row], log_low[row], narrow)


@jit.inner
def _mix(
    b: Block,
    t: NDArray[np.float64],
    float32: Literal[True] | None,
    by_class: Literal[True] | None,
) -> None:
    """Replace exponentials by residuals of probabilities, times the total."""
    jit.wide_vectors(b.high)
    for i in range(t.shape[0]):
        for j in range(t.shape[1]):
            row, narrow = i if by_class is None else j, float32 is not None
            e, e_low = b.high[i, j], b.low[i, j] if float32 is None else 0.0
            s, s_low, most = b.total[row], b.total_low[row], b.largest[row]
            rest, rest_low = multinomial.others(b.logits[i, j], most, e, e_low, s, s_low, narrow)
            b.high[i, j], low = multinomial.soft_residual(t[i, j], e, e_low, rest, rest_low)
            if float32 is None:
                b.low[i, j] = low


@jit.inner
def _put_shares(
    high: NDArray[np.float64],
    low: NDArray[np.float64],
    inverse: NDArray[np.float64],
    inverse_low: NDArray[np.float64],
    weight: NDArray[np.float64] | None,
    divisor: float | None,
    float32: Literal[True] | None,
    by_class: Literal[True] | None,
    out: NDArray[Any],
) -> None:
    """Put shares of the total, times the weight of the row."""
    jit.wide_vectors(high)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            row = i if by_class is None else j
            rest = low[i, j] if float32 is None else 0.0
            value = multinomial.share(
                high[i, j], rest, inverse[row], inverse_low[row], float32 is not None
            )
            if weight is not None and divisor is not None:
                value = sums.weighted(value, weight[row]) / divisor
            out[i, j] = value


@jit.inner
def _put_at(
    t: NDArray[np.int64],
    values: NDArray[np.float64],
    weight: NDArray[np.float64] | None,
    divisor: float | None,
    out: NDArray[Any],
) -> None:
    """Put a value of each row at the class of its target."""
    for i in range(t.size):
        value = values[i]
        if weight is not None and divisor is not None:
            value = sums.weighted(value, weight[i]) / divisor
        out[i, t[i]] = value
