"""Loss, and loss with gradient, summed over an array of z.

Blocks of `BLOCK` elements stay in the first cache: one loop, which vectorises, computes
the terms of a block into a buffer, a second adds the buffer up.  The sum is carried as high
+ low in 32 lanes (four vectors, so that one addition need not wait for the last), each
addition by an error-free transformation; so the error of a sum does not grow with its
length, and its order is fixed.  Where blocks are short (in :mod:`fastlogit.kernels.passes`), eight
lanes are carried from one to the next.

Partial results are rows ``[high, low]``.  `merge` adds those of several calls, in order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastlogit.kernels import jit, lanes, logistic
from fastlogit.kernels.ieee import two_sum

# 1024 float64: half of a 16 KiB share of the first cache, beside z, t, weight and output.
BLOCK = 1024


@jit.scalar
def _add_lanes(high: Any, low: Any, terms: Any) -> tuple[Any, Any]:
    """Add `terms` to ``high + low``, lane by lane."""
    high, error = lanes.two_sum(high, terms)
    return high, lanes.add(low, error)


@jit.scalar
def padded(count: int) -> int:
    """`count` rounded up to what `add_up` takes."""
    return (count + 4 * lanes.WIDTH - 1) // (4 * lanes.WIDTH) * (4 * lanes.WIDTH)


@jit.inner
def add_up(terms: NDArray[np.float64]) -> tuple[float, float]:
    """Sum of `terms` as high + low; the length is a multiple of 32."""
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
    return _of_lanes(*_add_lanes(high_0, lanes.add(low_0, low_2), high_2))


@jit.scalar
def _of_lanes(highs: Any, lows: Any) -> tuple[float, float]:
    """Sum of the lanes of ``highs + lows``, as high + low."""
    high, low = 0.0, lanes.total(lows)
    for lane in range(lanes.WIDTH):
        high, error = two_sum(high, lanes.extract(highs, lane))
        low += error
    return high, low


@jit.inner
def carry(terms: NDArray[np.float64], count: int, state: NDArray[np.float64]) -> None:
    """Add the first `count` of `terms`, a multiple of eight, to eight lanes: (2, 8), high, low."""
    highs, lows = lanes.load(state, (0, 0)), lanes.load(state, (1, 0))
    for i in range(0, count, lanes.WIDTH):
        highs, lows = _add_lanes(highs, lows, lanes.load(terms, i))
    lanes.store(state, (0, 0), highs)
    lanes.store(state, (1, 0), lows)


@jit.inner
def carried(state: NDArray[np.float64]) -> tuple[float, float]:
    """Sum of all that was added by `carry`, as high + low."""
    return _of_lanes(lanes.load(state, (0, 0)), lanes.load(state, (1, 0)))


@jit.scalar
def weighted(value: float, weight: float) -> float:
    """Product, which is 0 for a weight of 0 whatever the value."""
    return value * np.float64(weight) if weight != 0 else 0.0


@jit.scalar
def _loss_and_residual(z: float, t: float, soft: bool | None) -> tuple[float, float]:
    """Terms of the loss and of the gradient; `soft` is None where every t is 0 or 1.

    LLVM sees what the two have in common and computes it once, and leaves out what nobody uses.
    """
    if soft is None:
        return logistic.hard_loss_term(z, t), logistic.hard_residual_term(z, t)
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
    """Put the sum of the losses into `total`, and the derivatives by z into `gradient`.

    Without `gradient` only the sum is computed; `divisor` is for the gradient, and before it is
    rounded to float32.
    """
    losses = np.zeros(BLOCK)
    high = low = 0.0
    for start in range(0, z.size, BLOCK):
        count = min(BLOCK, z.size - start)
        losses[count:] = 0.0
        # Slices, as an index like start + i could be negative for all that LLVM knows, and
        # the loop would not vectorise.
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
    """Add up partial results of shape (parts, 2, size), in order, into `result` (size,)."""
    parts, _, size = partials.shape
    highs, lows = np.empty(BLOCK), np.empty(BLOCK)
    for start in range(0, size, BLOCK):
        here = slice(start, min(start + BLOCK, size))
        highs[:] = 0.0
        lows[:] = 0.0
        for part in range(parts):
            _add_to(partials[part, 0, here], partials[part, 1, here], highs, lows)
        sums = result[here]
        for i in range(sums.size):
            # Past the largest number, or with an infinite term, the low part is NaN.
            sums[i] = highs[i] + lows[i] if np.isfinite(lows[i]) else highs[i]


@jit.inner
def _add_to(
    high: NDArray[np.float64],
    low: NDArray[np.float64],
    highs: NDArray[np.float64],
    lows: NDArray[np.float64],
) -> None:
    """Add ``high + low`` to the first of ``highs + lows``, each."""
    for i in range(high.size):
        highs[i], error = two_sum(highs[i], high[i])
        lows[i] += error + low[i]


@jit.loop
def count_outside(values: NDArray[Any], high: float) -> tuple[int, int]:
    """How many of `values` are not in [0, high] (NaN is not), and how many not 0 or `high`."""
    outside = between = 0
    for i in range(values.size):
        value = values[i]
        outside += not (0.0 <= value <= high)
        between += value != 0.0 and value != high
    return outside, between
