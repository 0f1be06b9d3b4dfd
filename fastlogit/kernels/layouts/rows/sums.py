"""Sums over the rows of a block, each row with a factor."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastlogit.kernels import jit, lanes
from fastlogit.kernels.layouts.rows.elements import (
    Layout,
    load,
    load_first,
    load_four,
    prefetch,
    shape,
)
from fastlogit.kernels.layouts.rows.products import TRIPLES, spreads


@jit.inner
def accumulate(
    X: Layout,
    first: int,
    rows: int,
    factor: NDArray[np.float64],
    sums: NDArray[np.float64],
    total: NDArray[np.float64],
    work: None,
) -> None:
    """Add ``Xᵀ @ factor`` of a block to `sums`."""
    _accumulate(X, first, rows, 0, factor, None, sums)


@jit.inner
def accumulate_outputs(
    X: Layout,
    first: int,
    rows: int,
    factors: NDArray[np.float64],
    sums: NDArray[np.float64],
    total: NDArray[np.float64],
    work: None,
) -> None:
    """Add ``Xᵀ @ factor`` of a block to a row of `sums`, for each output."""
    K, j = sums.shape[0], 0
    while j + 4 * lanes.WIDTH <= shape(X)[1]:
        k = 0
        while TRIPLES and k + 2 < K:
            if k == 0 and spreads(X, K):
                _accumulate_three(X, first, rows, first + rows + rows // 2, j, factors, 0, sums)
            else:
                _accumulate_three(X, first, rows, None, j, factors, k, sums)
            k += 3
        while k < K:
            _accumulate_four(X, first, rows, j, factors[k], None, sums[k])
            k += 1
        j += 4 * lanes.WIDTH
    for k in range(K):
        _accumulate(X, first, rows, j, factors[k], None, sums[k])


@jit.inner
def _accumulate_three(
    X: Layout,
    first: int,
    rows: int,
    ahead: int | None,
    j: int,
    factors: NDArray[np.float64],
    k: int,
    sums: NDArray[np.float64],
) -> None:
    """`_accumulate_four` for three outputs: a vector of X is loaded once for all of them."""
    four, others = lanes.load_four(sums, (k, j)), lanes.load_four(sums, (k + 1, j))
    more = lanes.load_four(sums, (k + 2, j))
    for i in range(rows):
        if ahead is not None:
            column = j + (i & 1) * 2 * lanes.WIDTH
            prefetch(X, ahead + (i >> 1), column)
            prefetch(X, ahead + (i >> 1), column + lanes.WIDTH)
        x = load_four(X, first + i, j)
        four = lanes.fma(x, lanes.broadcast(factors[k, i]), four)
        others = lanes.fma(x, lanes.broadcast(factors[k + 1, i]), others)
        more = lanes.fma(x, lanes.broadcast(factors[k + 2, i]), more)
    lanes.store_four(sums, (k, j), four)
    lanes.store_four(sums, (k + 1, j), others)
    lanes.store_four(sums, (k + 2, j), more)


@jit.inner
def accumulate_squares(
    X: Layout,
    first: int,
    rows: int,
    factor: NDArray[np.float64],
    sums: NDArray[np.float64],
    total: NDArray[np.float64],
    work: None,
) -> None:
    """Add ``(X * X)ᵀ @ factor`` of a block to `sums`."""
    _accumulate(X, first, rows, 0, factor, True, sums)


@jit.inlined
def _accumulate(
    X: Layout,
    first: int,
    rows: int,
    j: int,
    factor: NDArray[np.float64],
    squared: Literal[True] | None,
    sums: NDArray[np.float64],
) -> None:
    """Add ``Xᵀ @ factor`` of the columns from j on to `sums`; with `squared`, of ``X * X``."""
    d = shape(X)[1]
    while j + 4 * lanes.WIDTH <= d:
        _accumulate_four(X, first, rows, j, factor, squared, sums)
        j += 4 * lanes.WIDTH
    while j + lanes.WIDTH <= d:
        _accumulate_one(X, first, rows, j, lanes.WIDTH, factor, squared, sums)
        j += lanes.WIDTH
    if j < d:
        _accumulate_one(X, first, rows, j, d - j, factor, squared, sums)


@jit.inner
def _accumulate_four(
    X: Layout,
    first: int,
    rows: int,
    j: int,
    factor: NDArray[np.float64],
    squared: Literal[True] | None,
    sums: NDArray[np.float64],
) -> None:
    """Accumulate 32 columns from j on, in four registers."""
    four = lanes.load_four(sums, j)
    for i in range(rows):
        four = _add_terms(load_four(X, first + i, j), factor[i], squared, four)
    lanes.store_four(sums, j, four)


@jit.inlined
def _accumulate_one(
    X: Layout,
    first: int,
    rows: int,
    j: int,
    count: int,
    factor: NDArray[np.float64],
    squared: Literal[True] | None,
    sums: NDArray[np.float64],
) -> None:
    """Accumulate `count` columns from j on, up to 8.

    Every fourth row goes into the same register: additions to one need not wait for another.
    """
    sum_0 = lanes.load(sums, j)
    sum_1 = sum_2 = sum_3 = lanes.zeros()
    i = 0
    while i + 4 <= rows:
        row = first + i
        sum_0 = _add_terms(_load_some(X, row, j, count), factor[i], squared, sum_0)
        sum_1 = _add_terms(_load_some(X, row + 1, j, count), factor[i + 1], squared, sum_1)
        sum_2 = _add_terms(_load_some(X, row + 2, j, count), factor[i + 2], squared, sum_2)
        sum_3 = _add_terms(_load_some(X, row + 3, j, count), factor[i + 3], squared, sum_3)
        i += 4
    while i < rows:
        x = _load_some(X, first + i, j, count)
        sum_0 = _add_terms(x, factor[i], squared, sum_0)
        i += 1
    lanes.store(sums, j, lanes.add(lanes.add(sum_0, sum_1), lanes.add(sum_2, sum_3)))


@jit.inlined
def _load_some(X: Layout, i: int, j: int, count: int) -> Any:
    """`_load` if `count` is at least 8, else `_load_first`."""
    return load(X, i, j) if count >= lanes.WIDTH else load_first(X, i, j, count)


@jit.inlined
def _add_terms(x: Any, factor: float, squared: Literal[True] | None, sums: Any) -> Any:
    """``x * factor + sums``; with `squared` ``(x * factor) * x + sums``, as x * x may overflow."""
    if squared is None:
        return lanes.fma(x, lanes.broadcast(factor), sums)
    return lanes.fma(lanes.multiply(x, lanes.broadcast(factor)), x, sums)
