"""Sums over an array of logits: the loss, and the loss with the gradient.

An array is read in blocks of `BLOCK` elements, which stay in the first cache.  One loop, which
vectorises, computes the terms of a block into a buffer; a second loop adds up the buffer.

A sum is carried as high + low in 32 lanes: four vectors, so that an addition need not wait for the
one before.  Each addition is an error-free transformation.  The error of a sum therefore does not
grow with its length, and its order is fixed.  The blocks of :mod:`fastlogit.kernels.passes` are
short; `carry` takes eight lanes from one block to the next.

A partial result is a pair of rows ``[high, low]``.  `merge` adds partial results in order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastlogit.kernels import jit, lanes, logistic
from fastlogit.kernels.ieee import two_sum

# The buffer of 1024 float64 takes 8 KiB of the first cache, beside z, t, weight and output.
BLOCK = 1024


@jit.scalar
def _add_lanes(high: Any, low: Any, terms: Any) -> tuple[Any, Any]:
    """Add `terms` to ``high + low``, lane by lane."""
    high, error = lanes.two_sum(high, terms)
    return high, lanes.add(low, error)


@jit.inner
def add_up(terms: NDArray[np.float64]) -> tuple[float, float]:
    """Sum of `terms` as high + low; their number must be a multiple of 32."""
    high_0 = high_1 = high_2 = high_3 = lanes.zeros()
    low_0 = low_1 = low_2 = low_3 = lanes.zeros()
    for i in range(0, terms.size, 4 * lanes.WIDTH):
        high_0, low_0 = _add_lanes(high_0, low_0, lanes.load(terms, i))
        high_1, low_1 = _add_lanes(high_1, low_1, lanes.load(terms, i + lanes.WIDTH))
        high_2, low_2 = _add_lanes(high_2, low_2, lanes.load(terms, i + 2 * lanes.WIDTH))
        high_3, low_3 = _add_lanes(high_3, low_3, lanes.load(terms, i + 3 * lanes.WIDTH))
    low_0, low_2 = lanes.add(low_0, low_1), lanes.add(low_2, low_3)
    high_0, low_0 = _add_lanes(high_0, low_0, high_1)
    high_2, low_2 = _add_lanes(high_2, low_2, high_3)
    return _sum_lanes(*_add_lanes(high_0, lanes.add(low_0, low_2), high_2))


@jit.scalar
def _sum_lanes(highs: Any, lows: Any) -> tuple[float, float]:
    """Sum of the lanes of ``highs + lows``, as high + low."""
    high, low = 0.0, lanes.total(lows)
    for lane in range(lanes.WIDTH):
        high, error = two_sum(high, lanes.extract(highs, lane))
        low += error
    return high, low


@jit.inner
def carry(terms: NDArray[np.float64], count: int, state: NDArray[np.float64]) -> None:
    """Add the first `count` of `terms` to `state`, (2, 8): eight lanes of high and of low words.

    `count` must be a multiple of eight.
    """
    highs, lows = lanes.load(state, (0, 0)), lanes.load(state, (1, 0))
    for i in range(0, count, lanes.WIDTH):
        highs, lows = _add_lanes(highs, lows, lanes.load(terms, i))
    lanes.store(state, (0, 0), highs)
    lanes.store(state, (1, 0), lows)


@jit.inner
def carried(state: NDArray[np.float64]) -> tuple[float, float]:
    """Sum of all terms that `carry` has added to `state`, as high + low."""
    return _sum_lanes(lanes.load(state, (0, 0)), lanes.load(state, (1, 0)))


@jit.scalar
def weighted(value: float, weight: float) -> float:
    """Product of a value and its weight; 0 for a weight of 0, even if the value is NaN."""
    return value * np.float64(weight) if weight != 0 else 0.0


@jit.scalar
def _loss_and_residual(z: float, t: float, soft: bool | None) -> tuple[float, float]:
    """Terms of the loss and of the gradient; `soft` is None if every t is 0 or 1.

    LLVM computes common parts of the two once, and drops a term that the caller does not use.
    """
    if soft is None:
        return logistic.label_loss_term(z, t), logistic.label_residual_term(z, t)
    return logistic.loss_term(z, t), logistic.residual_term(z, t)


@jit.loop
def log_loss_gradient(
    z: NDArray[Any],
    t: NDArray[Any],
    soft: bool | None,
    weight: NDArray[Any] | None,
    gradient: NDArray[Any] | None,
    divisor: float | None,
    total: NDArray[np.float64],
) -> None:
    """Put the sum of the losses into `total` (2,), and the derivatives by z into `gradient`.

    `soft` is None if every t is 0 or 1.  Without `gradient` only the sum is computed.  The
    gradient is divided by `divisor` before it is rounded to the dtype of `gradient`.
    """
    losses = np.zeros(BLOCK)
    high = low = 0.0
    for start in range(0, z.size, BLOCK):
        count = min(BLOCK, z.size - start)
        losses[count:] = 0.0
        # LLVM could not rule out that an index like start + i is negative, and would not vectorise
        # the loop.  Slices avoid that.
        logits, targets = z[start : start + count], t[start : start + count]
        weights = None if weight is None else weight[start : start + count]
        slopes = None if gradient is None else gradient[start : start + count]
        for i in range(count):
            scale = 1.0 if weights is None else weights[i]
            loss, slope = _loss_and_residual(logits[i], targets[i], soft)
            losses[i] = loss if weights is None else weighted(loss, scale)
            if slopes is not None:
                term = slope if weights is None else weighted(slope, scale)
                slopes[i] = term if divisor is None else term / divisor
        block_high, block_low = add_up(losses)
        high, error = two_sum(high, block_high)
        low += error + block_low
    total[0], total[1] = high, low


@jit.loop
def merge(partials: NDArray[np.float64], result: NDArray[np.float64]) -> None:
    """Add `partials`, (parts, 2, size), in order, and put the sums into `result` (size,)."""
    parts, _, size = partials.shape
    highs, lows = np.empty(BLOCK), np.empty(BLOCK)
    for start in range(0, size, BLOCK):
        here = slice(start, min(start + BLOCK, size))
        highs[:] = 0.0
        lows[:] = 0.0
        for part in range(parts):
            _add_each(partials[part, 0, here], partials[part, 1, here], highs, lows)
        sums = result[here]
        for i in range(sums.size):
            # The low word is NaN after an overflow or an infinite term.
            sums[i] = highs[i] + lows[i] if np.isfinite(lows[i]) else highs[i]


@jit.inner
def _add_each(
    high: NDArray[np.float64],
    low: NDArray[np.float64],
    highs: NDArray[np.float64],
    lows: NDArray[np.float64],
) -> None:
    """Add each ``high + low`` to the element of ``highs + lows`` at its position."""
    for i in range(high.size):
        highs[i], error = two_sum(highs[i], high[i])
        lows[i] += error + low[i]


@jit.loop
def count_outside(values: NDArray[Any], high: float) -> tuple[int, int]:
    """Count the values outside [0, high], which NaN is, and the values other than 0 and `high`."""
    outside = between = 0
    for i in range(values.size):
        value = values[i]
        outside += not (0.0 <= value <= high)
        between += value != 0.0 and value != high
    return outside, between
