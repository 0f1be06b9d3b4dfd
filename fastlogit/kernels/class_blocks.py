"""Results of many rows of K logits: probabilities, losses and residuals, and sums of losses.

Rows are taken in blocks that stay in the caches.  A block takes three steps for every result:

1. Copy the logits, and find the largest and the second largest of each row.
2. Add up the exponentials, and put them, high + low, if a result needs them: :mod:`class_sums`.
3. Put the results of the rows and of the elements.

They have the same bits as from the functions of a row in :mod:`fastlogit.kernels.multinomial`.

One compiled function does all of it: numbers choose the results, once for each block.  A function
for each result would be no faster, and there would be 30 of them to compile.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastlogit.kernels import class_sums, jit, lanes, multinomial, sums
from fastlogit.kernels.class_sums import (
    INVERSE,
    INVERSE_LOW,
    LARGEST,
    LOG,
    LOG_LOW,
    LOSS,
    OWN,
    OWN_HIGH,
    OWN_LOW,
    TOTAL,
    TOTAL_LOW,
    WEIGHT,
)
from fastlogit.kernels.ieee import clear_flags
from fastlogit.kernels.lane_operators import select

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
    """Kinds of results, and their places; an array that is not wanted has no rows."""

    kind: int
    """Kind of the elements: one of the numbers above."""
    elements: NDArray[Any]
    """An array (n, K), which may be Z."""
    row_kind: int
    """Kind of the results of rows."""
    rows: NDArray[Any]
    """An array (n,)."""
    loss: NDArray[np.float64]
    """Place for the weighted sum of the losses (2,)."""


@jit.loop
def run(Z: NDArray[Any], targets: Targets, results: Results, float32: Literal[True] | None) -> None:
    """Compute the results of all rows of Z (n, K); `float32` is True if Z is."""
    n, K = Z.shape
    by_class = K <= class_sums.MOST_BY_CLASS
    block = class_sums.new_block(n, K, by_class)
    size = block.logits.shape[1] if by_class else block.logits.shape[0]
    state = np.zeros((2, lanes.WIDTH))
    for first in range(0, n, size):
        rows = min(size, n - first)
        _run_block(Z, targets, results, float32, by_class, block, state, first, rows)
    if results.loss.size:
        results.loss[0], results.loss[1] = sums.carried(state)
    clear_flags()


@jit.inner
def _run_block(
    Z: NDArray[Any],
    targets: Targets,
    results: Results,
    float32: Literal[True] | None,
    by_class: bool,
    block: class_sums.Block,
    state: NDArray[np.float64],
    first: int,
    rows: int,
) -> None:
    here = Z[first : first + rows]
    kind, row_kind, hard = results.kind, results.row_kind, targets.t.size > 0
    if by_class:
        class_sums.add_by_class(Z, first, rows, block, float32, results.elements)
    else:
        # Only these results use the exponentials.  `_pick` copies old ones for others, in vain.
        keep = kind in (PROBABILITIES, RESIDUALS)
        class_sums.add_by_row(Z, first, rows, block, float32, results.elements, keep)
    t, soft = targets.t[first : first + rows], targets.soft[first : first + rows]
    if kind == LOG_PROBABILITIES or row_kind != NOTHING or results.loss.size:
        class_sums.take_logs(
            block.of_rows[TOTAL],
            block.of_rows[TOTAL_LOW],
            float32,
            block.of_rows[LOG],
            block.of_rows[LOG_LOW],
        )
    if hard:
        _pick(here, t, by_class, block)
        _put_losses(
            block.of_rows[OWN],
            block.of_rows[LARGEST],
            block.of_rows[LOG],
            block.of_rows[LOG_LOW],
            float32,
            block.of_rows[LOSS],
        )
    elif soft.size:
        _put_soft_losses(here, soft, block, float32)
    if row_kind == LOG_SUMS:
        _put_log_sums(here, block, float32)
    if row_kind != NOTHING:
        _copy(block.of_rows[LOSS], results.rows[first : first + rows])
    weight = targets.weight[first : first + rows]
    if results.loss.size:
        _add_losses(block.of_rows[LOSS], rows, weight, state)
    if kind == NOTHING:
        return
    out = results.elements[first : first + rows]
    if hard:
        _put_own(block, float32)
    if weight.size or targets.divisor != 1.0:
        block.of_rows[WEIGHT, :] = 1.0
        _copy(weight, block.of_rows[WEIGHT])
        divisor = targets.divisor
        _put_elements(kind, soft, by_class, block, True, divisor, float32, out)
        if hard:
            _put_at(t, block.of_rows[OWN_HIGH], block.of_rows[WEIGHT], divisor, out)
    else:
        _put_elements(kind, soft, by_class, block, None, None, float32, out)
        if hard:
            _put_at(t, block.of_rows[OWN_HIGH], None, None, out)


# Results of the rows --------------------------------------------------------------------------


@jit.inner
def _pick(Z: NDArray[Any], t: NDArray[np.int64], by_class: bool, block: class_sums.Block) -> None:
    """Copy what belongs to the class of each target."""
    for i in range(t.size):
        k = t[i]
        block.of_rows[OWN, i] = Z[i, k]
        block.of_rows[OWN_HIGH, i] = block.high[k, i] if by_class else block.high[i, k]
        block.of_rows[OWN_LOW, i] = block.low[k, i] if by_class else block.low[i, k]


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
        losses[i] = multinomial.loss(z[i], largest[i], log[i], log_low[i], float32)


@jit.inner
def _put_soft_losses(
    Z: NDArray[Any],
    soft: NDArray[np.float64],
    block: class_sums.Block,
    float32: Literal[True] | None,
) -> None:
    """Put the losses of probabilities."""
    for i in range(Z.shape[0]):
        high, low, scale = multinomial.total_distance(Z[i], soft[i], block.of_rows[LARGEST, i])
        block.of_rows[LOSS, i] = multinomial.soft_loss(
            high, low, scale, block.of_rows[LOG, i], block.of_rows[LOG_LOW, i], float32
        )


@jit.inner
def _put_log_sums(Z: NDArray[Any], block: class_sums.Block, float32: Literal[True] | None) -> None:
    """Put the logarithms of the sums of the exponentials, in the place of the losses."""
    jit.wide_vectors(block.of_rows[LOG])
    for i in range(block.of_rows[LOG].size):
        block.of_rows[LOSS, i] = multinomial.plus_log(
            block.of_rows[LARGEST, i],
            0.0,
            block.of_rows[LOG, i],
            block.of_rows[LOG_LOW, i],
            float32,
        )
    for i in range(Z.shape[0]):
        if abs(block.of_rows[LARGEST, i]) == np.inf:
            block.of_rows[LOSS, i] = multinomial.infinite_sum(Z[i], block.of_rows[LARGEST, i])


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
def _put_own(block: class_sums.Block, float32: Literal[True] | None) -> None:
    """Put the residuals of the classes of the targets, minus all other probabilities."""
    jit.wide_vectors(block.of_rows[OWN])
    for i in range(block.of_rows[OWN].size):
        rest, rest_low = multinomial.others(
            block.of_rows[OWN, i],
            block.of_rows[LARGEST, i],
            block.of_rows[OWN_HIGH, i],
            block.of_rows[OWN_LOW, i],
            block.of_rows[TOTAL, i],
            block.of_rows[TOTAL_LOW, i],
            float32,
        )
        block.of_rows[OWN_HIGH, i] = -multinomial.share(
            rest, rest_low, block.of_rows[INVERSE, i], block.of_rows[INVERSE_LOW, i], float32
        )


# Results of the elements ----------------------------------------------------------------------
#
# `by_class` is True or None.  `weight` and `divisor` are None where there are none.


@jit.inner
def _put_elements(
    kind: int,
    soft: NDArray[np.float64],
    by_class: bool,
    b: class_sums.Block,
    weight: Literal[True] | None,
    divisor: float | None,
    float32: Literal[True] | None,
    out: NDArray[Any],
) -> None:
    """Put the results of the elements of a block into `out`."""
    if by_class:
        if soft.size:
            _mix(b, soft.T, float32, True)
        _put_by_class(kind, b, weight, divisor, float32, out)
    else:
        if soft.size:
            _mix(b, soft, float32, None)
        _put_by_row(kind, b, weight, divisor, float32, out)


@jit.inner
def _put_by_class(
    kind: int,
    b: class_sums.Block,
    weight: Literal[True] | None,
    divisor: float | None,
    float32: Literal[True] | None,
    out: NDArray[Any],
) -> None:
    """Put the results of eight rows at a time, in the place of their exponentials and in `out`."""
    jit.wide_vectors(b.high)
    for i in range(0, out.shape[0], lanes.WIDTH):
        if kind == LOG_PROBABILITIES:
            largest = lanes.load(b.of_rows, (LARGEST, i))
            log, log_low = lanes.load(b.of_rows, (LOG, i)), lanes.load(b.of_rows, (LOG_LOW, i))
            for k in range(out.shape[1]):
                z = lanes.load(b.logits, (k, i))
                lanes.store(b.high, (k, i), -multinomial.loss(z, largest, log, log_low, float32))
        else:
            one = lanes.load(b.of_rows, (INVERSE, i))
            one_low = lanes.load(b.of_rows, (INVERSE_LOW, i))
            w = lanes.load(b.of_rows, (WEIGHT, i))
            for k in range(out.shape[1]):
                e, e_low = lanes.load(b.high, (k, i)), lanes.load(b.low, (k, i))
                share = multinomial.share(e, e_low, one, one_low, float32)
                lanes.store(b.high, (k, i), _weighted(share, w, weight, divisor))
        class_sums.put_rows(b.high, i, out)


@jit.inner
def _put_by_row(
    kind: int,
    b: class_sums.Block,
    weight: Literal[True] | None,
    divisor: float | None,
    float32: Literal[True] | None,
    out: NDArray[Any],
) -> None:
    """Put the results along the rows."""
    jit.wide_vectors(b.high)
    last = out.shape[1] - lanes.WIDTH
    for i in range(out.shape[0]):
        for k in range(0, last, lanes.WIDTH):
            lanes.store(out, (i, k), _result(kind, b, i, k, weight, divisor, float32))
        # Some of the last eight have been put before: faster than to put less than eight.
        lanes.store(out, (i, last), _result(kind, b, i, last, weight, divisor, float32))


@jit.inlined
def _result(
    kind: int,
    b: class_sums.Block,
    i: int,
    k: int,
    weight: Literal[True] | None,
    divisor: float | None,
    float32: Literal[True] | None,
) -> Any:
    """Results of a row and eight classes."""
    if kind == LOG_PROBABILITIES:
        largest, log, log_low = b.of_rows[LARGEST, i], b.of_rows[LOG, i], b.of_rows[LOG_LOW, i]
        return -multinomial.loss(lanes.load(b.logits, (i, k)), largest, log, log_low, float32)
    one, one_low, w = b.of_rows[INVERSE, i], b.of_rows[INVERSE_LOW, i], b.of_rows[WEIGHT, i]
    e, e_low = lanes.load(b.high, (i, k)), lanes.load(b.low, (i, k))
    return _weighted(multinomial.share(e, e_low, one, one_low, float32), w, weight, divisor)


@jit.scalar
def _weighted(
    value: float, weight: float, weighted: Literal[True] | None, divisor: float | None
) -> float:
    """Product of a value and a weight, divided; or the value alone."""
    if weighted is None or divisor is None:
        return value
    return select(weight == 0.0, 0.0, value * weight) / divisor


@jit.inner
def _mix(
    b: class_sums.Block,
    t: NDArray[np.float64],
    float32: Literal[True] | None,
    by_class: Literal[True] | None,
) -> None:
    """Replace exponentials by residuals of probabilities, times the total."""
    jit.wide_vectors(b.high)
    for i in range(t.shape[0]):
        for j in range(t.shape[1]):
            row = i if by_class is None else j
            e, e_low = b.high[i, j], b.low[i, j] if float32 is None else 0.0
            s, s_low, most = (
                b.of_rows[TOTAL, row],
                b.of_rows[TOTAL_LOW, row],
                b.of_rows[LARGEST, row],
            )
            rest, rest_low = multinomial.others(b.logits[i, j], most, e, e_low, s, s_low, float32)
            b.high[i, j], low = multinomial.soft_residual(t[i, j], e, e_low, rest, rest_low)
            if float32 is None:
                b.low[i, j] = low


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
