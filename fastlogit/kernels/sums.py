"""Sums over an array of logits: the loss, and the loss with the gradient.

An array is read in blocks of `BLOCK` elements.  The loss of an element is c |z| - log σ(|z|), with
c as in :mod:`fastlogit.kernels.logistic`.  A logarithm takes as long as all the rest.  So the
σ(|z|) of 16 elements are multiplied, and the logarithm of the product is taken.  Where all are
nearly 1, it needs the digits of 1 minus the product.  So 1 - p is kept as well as the product p:
1 - p y = (1 - p) + p (1 - y), where 1 - y = σ(-|z|).  The error of a term is a few 2**-53.  With
weights, each element has a logarithm of its own.

A sum is carried as high + low in 32 lanes: four vectors, so that an addition need not wait for the
one before.  Each addition is an error-free transformation.  The error of a sum therefore does not
grow with its length, and its order is fixed.  The blocks of :mod:`fastlogit.kernels.passes` are
short; `carry` takes eight lanes from one block to the next.

A partial result is a pair of rows ``[high, low]``.  `merge` adds partial results in order.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastlogit.kernels import jit, lanes
from fastlogit.kernels.exponential import minus_log
from fastlogit.kernels.ieee import below, fma, larger, ordered_bits, smaller, two_sum
from fastlogit.kernels.logistic import label_terms, soft_terms

# 1024 elements take 5 % longer, and 4096 float64 of z, t and output more than the first cache.
BLOCK = 2048
# Elements that are this far apart are multiplied.
GROUPS = BLOCK // 16


@jit.scalar
def _add_lanes(high: Any, low: Any, terms: Any) -> tuple[Any, Any]:
    """Add `terms` to ``high + low``, lane by lane."""
    high, error = two_sum(high, terms)
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


@jit.loop
def compare(values: NDArray[Any], high: Any) -> tuple[bool, bool]:
    """Whether a value is outside [0, high], which NaN is; and whether one is between 0 and `high`.

    `high` has the dtype of the values.  The bits are compared, as unsigned integers: their largest
    and smallest take few instructions, and comparisons of floats take many to combine.
    """
    top = ordered_bits(high)
    largest, smallest_below = ordered_bits(values.dtype.type(0)), top
    for i in range(values.size):
        bits = ordered_bits(values[i])
        largest = larger(largest, bits)
        smallest_below = smaller(smallest_below, below(bits))  # 0 has none
    return largest > top, smallest_below < below(top)


@jit.loop
def log_loss_gradient(
    z: NDArray[Any],
    t: NDArray[Any],
    weight: NDArray[Any] | None,
    gradient: NDArray[Any] | None,
    divisor: float | None,
    total: NDArray[np.float64],
) -> bool:
    """Put the sum of the losses into `total` (2,), and the derivatives by z into `gradient`.

    Without `gradient` only the sum is computed.  The gradient is divided by `divisor` before it is
    rounded to the dtype of `gradient`.  Returns whether a target is outside [0, 1].
    """
    terms, products = np.zeros(BLOCK), np.empty((2, GROUPS))
    high = low = 0.0
    outside = False
    for start in range(0, z.size, BLOCK):
        here = slice(start, min(start + BLOCK, z.size))
        wrong, soft = compare(t[here], t.dtype.type(1))
        outside |= wrong
        weights = None if weight is None else weight[here]
        slopes = None if gradient is None else gradient[here]
        # Where every t is 0 or 1, the same bits take a fifth less work.
        if not soft:
            _put_terms(z[here], t[here], None, weights, slopes, divisor, products, terms)
        else:
            _put_terms(z[here], t[here], True, weights, slopes, divisor, products, terms)
        block_high, block_low = add_up(terms if weight is not None else terms[: 2 * GROUPS])
        high, error = two_sum(high, block_high)
        low += error + block_low
    total[0], total[1] = high, low
    return outside


@jit.inner
def _put_terms(
    z: NDArray[Any],
    t: NDArray[Any],
    soft: Literal[True] | None,
    weight: NDArray[Any] | None,
    gradient: NDArray[Any] | None,
    divisor: float | None,
    products: NDArray[np.float64],
    terms: NDArray[np.float64],
) -> None:
    """Put numbers whose sum is the loss of a block into `terms`, and its derivatives."""
    if weight is not None:
        _weigh(z, t, soft, weight, gradient, divisor, terms)
        return
    shares, logs = terms[:GROUPS], terms[GROUPS : 2 * GROUPS]
    small, large = products[0], products[1]
    shares[:] = 0.0
    small[:] = 0.0
    large[:] = 1.0
    for start in range(0, z.size, GROUPS):
        here = slice(start, min(start + GROUPS, z.size))
        slopes = None if gradient is None else gradient[here]
        _multiply(z[here], t[here], soft, slopes, divisor, shares, small, large)
    for i in range(GROUPS):
        logs[i] = minus_log(small[i], large[i])


@jit.inner
def _multiply(
    z: NDArray[Any],
    t: NDArray[Any],
    soft: Literal[True] | None,
    gradient: NDArray[Any] | None,
    divisor: float | None,
    shares: NDArray[np.float64],
    small: NDArray[np.float64],
    large: NDArray[np.float64],
) -> None:
    """Multiply each of `large` by σ(|z|), keep 1 minus it in `small`, and add to `shares`."""
    jit.wide_float32_vectors(z)
    for i in range(z.size):
        terms = label_terms(z[i], t[i]) if soft is None else soft_terms(z[i], t[i])
        slope, share, complement, y = terms
        small[i] = fma(complement, large[i], small[i])
        large[i] *= y
        shares[i] += share
        if gradient is not None:
            gradient[i] = slope if divisor is None else slope / divisor
    jit.interleaved()


@jit.inner
def _weigh(
    z: NDArray[Any],
    t: NDArray[Any],
    soft: Literal[True] | None,
    weight: NDArray[Any],
    gradient: NDArray[Any] | None,
    divisor: float | None,
    losses: NDArray[np.float64],
) -> None:
    """Put the weighted losses of a block, and zeros after them."""
    jit.wide_float32_vectors(z)
    losses[z.size :] = 0.0
    for i in range(z.size):
        terms = label_terms(z[i], t[i]) if soft is None else soft_terms(z[i], t[i])
        slope, share, small, large = terms
        losses[i] = weighted(share + minus_log(small, large), weight[i])
        if gradient is not None:
            slope = weighted(slope, weight[i])
            gradient[i] = slope if divisor is None else slope / divisor


@jit.loop
def merge(partials: NDArray[np.float64], result: NDArray[np.float64]) -> None:
    """Add `partials`, (parts, 2, size), in order, and put the sums into `result` (size,)."""
    parts, _, size = partials.shape
    width = min(size, BLOCK)
    highs, lows = np.empty(width), np.empty(width)
    for start in range(0, size, BLOCK):
        here = slice(start, min(start + BLOCK, size))
        highs[:] = 0.0
        lows[:] = 0.0
        for part in range(parts):
            _add_each(partials[part, 0, here], partials[part, 1, here], highs, lows)
        sums = result[here]
        for i in range(sums.size):
            sums[i] = _rounded(highs[i], lows[i])


@jit.loop
def merge_symmetric(partials: NDArray[np.float64], result: NDArray[np.float64]) -> None:
    """Add the upper triangles of `partials`, (parts, 2, m, m), as `merge` does.

    `result` is the symmetric matrix of their first rows and columns.
    """
    parts, size = partials.shape[0], result.shape[0]
    highs, lows = np.empty(size), np.empty(size)
    for i in range(size):
        for j in range(i, size):
            highs[j], lows[j] = partials[0, 0, i, j], partials[0, 1, i, j]
        for part in range(1, parts):
            high, low = partials[part, 0, i, i:size], partials[part, 1, i, i:size]
            _add_each(high, low, highs[i:], lows[i:])
        for j in range(i, size):
            result[i, j] = result[j, i] = _rounded(highs[j], lows[j])


@jit.scalar
def _rounded(high: float, low: float) -> float:
    """``high + low``; `low` is NaN after an overflow or an infinite term."""
    return high + low if np.isfinite(low) else high


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
