"""Loops over many rows of K logits: probabilities, losses and residuals of :mod:`softmax`.

Rows are taken in blocks that stay in the first cache.  Rows of few classes are kept class by class,
(K, rows), so that every operation runs over the rows; rows of many classes are kept row by row,
(rows, K), so that it runs along the row.  Both ways give the same bits.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastlogit.kernels import jit, lanes, softmax, sums
from fastlogit.kernels.ieee import add_in_any_order, fast_two_sum

# Elements of a block: its logits and two words of their exponentials are 24 KB.
BLOCK = 1024
# Most classes that are kept class by class.
MOST_BY_CLASS = 24


@jit.inner
def first_two(row: NDArray[np.float64]) -> tuple[float, float]:
    """Largest and second largest of a padded row."""
    largest = second = lanes.broadcast(-np.inf)
    for k in range(0, row.size, lanes.WIDTH):
        z = lanes.load(row, k)
        second = lanes.larger(lanes.smaller(z, largest), second)
        largest = lanes.larger(z, largest)
    first, next_ = -np.inf, -np.inf
    for lane in range(lanes.WIDTH):
        value, other = lanes.extract(largest, lane), lanes.extract(second, lane)
        smaller = first if value > first else value
        next_ = smaller if smaller > next_ else next_
        next_ = other if other > next_ else next_
        first = value if value > first else first
    return first, next_


@jit.inner
def update_two(
    z: NDArray[np.float64], largest: NDArray[np.float64], second: NDArray[np.float64]
) -> None:
    jit.wide_vectors(z)
    for i in range(z.size):
        logit, first, other = z[i], largest[i], second[i]
        smaller = first if logit > first else logit
        second[i] = smaller if smaller > other else other
        largest[i] = logit if logit > first else first


@jit.inner
def prepare(largest, second, float32, coarse, limit, s, s_low):
    jit.wide_vectors(largest)
    narrow = float32 is not None
    for i in range(largest.size):
        coarse[i] = softmax.unit(second[i], largest[i], narrow)
        limit[i] = softmax.limit(largest[i], second[i])
        s[i] = softmax.start(largest[i], second[i], narrow)
        s_low[i] = 0.0


@jit.inner
def add_class(z, largest, coarse, limit, float32, high, low, s, s_low):
    jit.wide_vectors(z)
    narrow = float32 is not None
    for i in range(z.size):
        e, e_low = softmax.exponential(z[i], largest[i], narrow)
        high[i] = e
        if float32 is None:
            low[i] = e_low
        term, term_low = softmax.term(z[i], limit[i], e, e_low, coarse[i])
        s[i] += term
        s_low[i] += term_low


@jit.inner
def add_row(z, largest, coarse, limit, float32, high, low):
    jit.wide_vectors(z)
    narrow = float32 is not None
    total = rest = 0.0
    for i in range(z.size):
        e, e_low = softmax.exponential(z[i], largest, narrow)
        high[i] = e
        if float32 is None:
            low[i] = e_low
        term, term_low = softmax.term(z[i], limit, e, e_low, coarse)
        total = add_in_any_order(total, term)
        rest = add_in_any_order(rest, term_low)
    return total, rest


@jit.inner
def put_class(high, low, inverse, inverse_low, float32):
    jit.wide_vectors(high)
    narrow = float32 is not None
    for i in range(high.size):
        high[i] = softmax.share(high[i], low[i], inverse[i], inverse_low[i], narrow)


@jit.inner
def put_row(high, low, inverse, inverse_low, float32):
    jit.wide_vectors(high)
    narrow = float32 is not None
    for i in range(high.size):
        high[i] = softmax.share(high[i], low[i], inverse, inverse_low, narrow)


@jit.inner
def finish(s, s_low, float32, inverse, inverse_low):
    jit.wide_vectors(s)
    narrow = float32 is not None
    for i in range(s.size):
        s[i], s_low[i] = fast_two_sum(s[i], s_low[i])
        inverse[i], inverse_low[i] = softmax.inverse(s[i], s_low[i], narrow)


@jit.inner
def load(Z, by_class, z):
    n, K = Z.shape
    if by_class:
        for i in range(n):
            for k in range(K):
                z[k, i] = Z[i, k]
    else:
        for i in range(n):
            for k in range(K):
                z[i, k] = Z[i, k]


@jit.inner
def store(z, by_class, Z):
    n, K = Z.shape
    if by_class:
        for i in range(n):
            for k in range(K):
                Z[i, k] = z[k, i]
    else:
        for i in range(n):
            for k in range(K):
                Z[i, k] = z[i, k]


@jit.loop
def run(Z, float32, by_class, out):
    n, K = Z.shape
    if by_class:
        size = max(8, 3 * BLOCK // (3 * K + 8) // 8 * 8)
        shape = (K, size)
    else:
        padded = lanes.round_up(K)
        size = max(1, BLOCK // padded)
        size = size // 8 * 8 if size > 8 else size
        shape = (size, padded)
    z, high, low = np.full(shape, -np.inf), np.empty(shape), np.empty(shape)
    state = np.zeros((8, lanes.round_up(size)))
    largest, second, coarse, limit = state[0], state[1], state[2], state[3]
    s, s_low, inverse, inverse_low = state[4], state[5], state[6], state[7]
    for start in range(0, n, size):
        rows = min(size, n - start)
        here = Z[start : start + rows]
        load(here, by_class, z)
        if by_class:
            largest[:] = -np.inf
            second[:] = -np.inf
            for k in range(K):
                update_two(z[k], largest, second)
            prepare(largest, second, float32, coarse, limit, s, s_low)
            for k in range(K):
                add_class(z[k], largest, coarse, limit, float32, high[k], low[k], s, s_low)
            finish(s, s_low, float32, inverse, inverse_low)
            for k in range(K):
                put_class(high[k], low[k], inverse, inverse_low, float32)
        else:
            for i in range(rows):
                largest[i], second[i] = first_two(z[i])
            prepare(largest, second, float32, coarse, limit, s, s_low)
            for i in range(rows):
                t, r = add_row(z[i], largest[i], coarse[i], limit[i], float32, high[i], low[i])
                s[i] += t
                s_low[i] += r
            finish(s, s_low, float32, inverse, inverse_low)
            for i in range(rows):
                put_row(high[i], low[i], inverse[i], inverse_low[i], float32)
        store(high, by_class, out[start : start + rows])
