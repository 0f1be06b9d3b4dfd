"""Passes over X, whatever its layout, each of which reads X from memory once.

      X (n, d)            one block of rows, in L2
    ┌──────────┐   1. z = X_block @ coef + intercept + offset     reads the block from memory
    │░░░░░░░░░░│   2. loss, residual, curvature of each row       in L1, d times less to do
    ├──────────┤   3. sum += X_blockᵀ @ residual                  reads it again, from L2
    │          │
    └──────────┘

A layout (:mod:`dense`, :mod:`columns`, :mod:`sparse`) says how large a block is and how it is
multiplied, accumulated and packed; a pass is written once, and compiled for each layout.  Blocks,
and the parts that a caller splits X into, depend on X alone.

``[X | 1]``: the intercept is handled as one more column of ones, the last.  Partial results
have shape (2, size), high and low parts, and are added up by `sums.merge`.

Error: with u = 2**-53, z is within ``(d + 2) u`` of the exact one relative to Σ|x coef| +
|intercept| + |offset| (row-major: ``(d / 8 + 8) u``; sparse: d is the entries of the row); a sum
over n rows within ``(BLOCK_ROWS + 4) u`` relative to Σ|terms|, whatever n, as blocks are added
with their rounding errors (sparse: ``n u``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastlogit.kernels import columns, dense, jit, lanes, scalar, sparse, sums
from fastlogit.kernels.ieee import two_sum

# Rows and columns of H that are summed in registers at a time.
TILE_ROWS, TILE_COLUMNS = 4, 2 * lanes.WIDTH


def _of_each_layout(name: str) -> Any:
    """The function of that name in each layout's module."""
    modules = {np.ndarray: dense, columns.Columns: columns, sparse.Rows: sparse}
    return jit.by_layout({layout: getattr(module, name) for layout, module in modules.items()})


shape = _of_each_layout("shape")
block_rows = _of_each_layout("block_rows")
workspace = _of_each_layout("workspace")
multiply = _of_each_layout("multiply")
accumulate = _of_each_layout("accumulate")
pack = _of_each_layout("pack")


@jit.loop
def _decide(
    X: Any,
    first: int,
    rows: int,
    coef: NDArray[np.float64],
    intercept: float,
    offset: NDArray[Any] | None,
    z: NDArray[np.float64],
    work: Any,
) -> None:
    """Put z of some rows into the first `rows` elements of `z`."""
    multiply(X, first, rows, coef, z, work)
    known = None if offset is None else offset[first : first + rows]
    for i in range(rows):
        z[i] += intercept if known is None else intercept + known[i]


@jit.loop
def _accumulate(
    X: Any,
    first: int,
    rows: int,
    factor: NDArray[np.float64],
    total: NDArray[np.float64],
    work: Any,
) -> None:
    """Add ``[X | 1]ᵀ @ factor`` over some rows to ``total = [high, low]``."""
    _, d = shape(X)
    accumulate(X, first, rows, factor, total[0], total[1], work)
    total[0, d], error = two_sum(total[0, d], lanes.add_up(factor, rows))
    total[1, d] += error


@jit.loop
def _add_losses(losses: NDArray[np.float64], rows: int, total: NDArray[np.float64]) -> None:
    """Add the first `rows` of `losses` to ``total = [high, low]``."""
    losses[rows:] = 0.0
    high, low = sums.add_up(losses)
    total[0], error = two_sum(total[0], high)
    total[1] += error + low


@jit.loop
def score(
    X: Any,
    coef: NDArray[np.float64],
    intercept: float,
    offset: NDArray[Any] | None,
    probability: bool | None,
    out: NDArray[Any],
) -> None:
    """Z of each row, or σ(z) unless `probability` is None."""
    n, _ = shape(X)
    block = block_rows(X)
    work = workspace(X, block)
    z = np.empty(block)
    for first in range(0, n, block):
        rows = min(block, n - first)
        _decide(X, first, rows, coef, intercept, offset, z, work)
        part = out[first : first + rows]
        for i in range(rows):
            part[i] = z[i] if probability is None else scalar.sigmoid(z[i])


@jit.loop
def log_loss_gradient(
    X: Any,
    t: NDArray[Any],
    soft: bool | None,
    coef: NDArray[np.float64],
    intercept: float,
    weight: NDArray[Any] | None,
    offset: NDArray[Any] | None,
    loss: NDArray[np.float64],
    gradient: NDArray[np.float64] | None,
    hessian: NDArray[np.float64] | None,
) -> None:
    """Put the sums over all rows of the loss and, where wanted, its derivatives.

    `loss` is (2,), `gradient` (2, d + 1) or None, `hessian` as of the function `hessian` or
    None; all are added to.  `soft` is None where every t is 0 or 1.
    """
    n, d = shape(X)
    block = block_rows(X)
    work = workspace(X, block)
    z, slopes, curvatures = np.empty(block), np.empty(block), np.empty(block)
    losses = np.empty(sums.padded(block))
    packed, scaled = _packing(d, block, hessian)
    for first in range(0, n, block):
        rows = min(block, n - first)
        _decide(X, first, rows, coef, intercept, offset, z, work)
        here = slice(first, first + rows)  # a slice: see sums.log_loss_gradient
        targets = t[here]
        weights = None if weight is None else weight[here]
        for i in range(rows):
            scale = 1.0 if weights is None else weights[i]
            value, slope = sums.loss_and_residual(z[i], targets[i], soft)
            curvature = scalar.sigmoid_derivative(z[i])
            losses[i] = value if weights is None else sums.weighted(value, scale)
            if gradient is not None:
                slopes[i] = slope if weights is None else sums.weighted(slope, scale)
            if hessian is not None:
                curvatures[i] = curvature if weights is None else sums.weighted(curvature, scale)
        _add_losses(losses, rows, loss)
        if gradient is not None:
            _accumulate(X, first, rows, slopes, gradient, work)
        if hessian is not None:
            _add_products(X, first, rows, curvatures, packed, scaled, work, hessian)


@jit.loop
def hessian(
    X: Any,
    coef: NDArray[np.float64],
    intercept: float,
    weight: NDArray[Any] | None,
    offset: NDArray[Any] | None,
    result: NDArray[np.float64],
) -> None:
    """Add ``[X | 1]ᵀ D [X | 1]`` to the upper triangle of `result`, (2, m, m) with padded m."""
    n, d = shape(X)
    block = block_rows(X)
    work = workspace(X, block)
    z, curvatures = np.empty(block), np.empty(block)
    packed, scaled = _packing(d, block, result)
    for first in range(0, n, block):
        rows = min(block, n - first)
        _decide(X, first, rows, coef, intercept, offset, z, work)
        _curve(z, rows, weight, first, curvatures)
        _add_products(X, first, rows, curvatures, packed, scaled, work, result)


@jit.loop
def hessian_product(
    X: Any,
    coef: NDArray[np.float64],
    intercept: float,
    direction: NDArray[np.float64],
    intercept_direction: float,
    weight: NDArray[Any] | None,
    offset: NDArray[Any] | None,
    result: NDArray[np.float64],
) -> None:
    """Add ``[X | 1]ᵀ D [X | 1] v`` to `result` (2, d + 1)."""
    n, _ = shape(X)
    block = block_rows(X)
    work = workspace(X, block)
    z, along, curvatures = np.empty(block), np.empty(block), np.empty(block)
    for first in range(0, n, block):
        rows = min(block, n - first)
        _decide(X, first, rows, coef, intercept, offset, z, work)
        _decide(X, first, rows, direction, intercept_direction, None, along, work)
        _curve(z, rows, weight, first, curvatures)
        for i in range(rows):
            curvatures[i] *= along[i]
        _accumulate(X, first, rows, curvatures, result, work)


@jit.loop
def _curve(
    z: NDArray[np.float64],
    rows: int,
    weight: NDArray[Any] | None,
    first: int,
    curvatures: NDArray[np.float64],
) -> None:
    """D: weight times σ(z) σ(-z)."""
    weights = None if weight is None else weight[first : first + rows]
    for i in range(rows):
        value = scalar.sigmoid_derivative(z[i])
        curvatures[i] = value if weights is None else sums.weighted(value, weights[i])


@jit.loop
def hessian_size(d: int) -> int:
    """D + 1, padded to whole tiles."""
    return (d + TILE_COLUMNS) // TILE_COLUMNS * TILE_COLUMNS


@jit.loop
def _packing(
    d: int, block: int, hessian: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scratch for a block of ``[X | 1]`` in float64, with and without its factor D."""
    size = 0 if hessian is None else hessian_size(d)
    packed = np.zeros((block, size))
    if size > 0:
        packed[:, d] = 1.0
    return packed, np.zeros((block, size))


@jit.loop
def _add_products(
    X: Any,
    first: int,
    rows: int,
    curvatures: NDArray[np.float64],
    packed: NDArray[np.float64],
    scaled: NDArray[np.float64],
    work: Any,
    result: NDArray[np.float64],
) -> None:
    """Add ``[X | 1]ᵀ diag(curvatures) [X | 1]`` over some rows to the upper triangle."""
    _, d = shape(X)
    size = packed.shape[1]
    pack(X, first, rows, packed, work)
    for i in range(rows):
        packed_row, scaled_row = packed[i], scaled[i]
        for j in range(size):
            scaled_row[j] = packed_row[j] * curvatures[i]
    for a in range(0, d + 1, TILE_ROWS):
        for b in range(a // TILE_COLUMNS * TILE_COLUMNS, size, TILE_COLUMNS):
            _add_tile(packed, scaled, rows, a, b, result)


@jit.scalar
def _add_tile(
    packed: NDArray[np.float64],
    scaled: NDArray[np.float64],
    rows: int,
    a: int,
    b: int,
    result: NDArray[np.float64],
) -> None:
    """Add ``scaled[:, a:a + 4].T @ packed[:, b:b + 16]``, in eight registers."""
    b_next = b + lanes.WIDTH
    left_0 = left_1 = left_2 = left_3 = lanes.zeros()
    right_0 = right_1 = right_2 = right_3 = lanes.zeros()
    for i in range(rows):
        left, right = lanes.load(packed, (i, b)), lanes.load(packed, (i, b_next))
        factor = lanes.broadcast(scaled[i, a])
        left_0, right_0 = lanes.fma(factor, left, left_0), lanes.fma(factor, right, right_0)
        factor = lanes.broadcast(scaled[i, a + 1])
        left_1, right_1 = lanes.fma(factor, left, left_1), lanes.fma(factor, right, right_1)
        factor = lanes.broadcast(scaled[i, a + 2])
        left_2, right_2 = lanes.fma(factor, left, left_2), lanes.fma(factor, right, right_2)
        factor = lanes.broadcast(scaled[i, a + 3])
        left_3, right_3 = lanes.fma(factor, left, left_3), lanes.fma(factor, right, right_3)
    _add_to(result, a, b, left_0, right_0)
    _add_to(result, a + 1, b, left_1, right_1)
    _add_to(result, a + 2, b, left_2, right_2)
    _add_to(result, a + 3, b, left_3, right_3)


@jit.scalar
def _add_to(result: NDArray[np.float64], a: int, b: int, left: Any, right: Any) -> None:
    """Add two vectors to ``high + low`` of a row of the result."""
    for terms in (left, right):
        high, error = lanes.two_sum(lanes.load(result, (0, a, b)), terms)
        lanes.store(result, (0, a, b), high)
        lanes.store(result, (1, a, b), lanes.add(lanes.load(result, (1, a, b)), error))
        b += lanes.WIDTH


@jit.loop
def unpack(X: Any, out: NDArray[np.float64]) -> None:
    """Copy X into `out` (n, d)."""
    n, _ = shape(X)
    block = block_rows(X)
    work = workspace(X, block)
    for first in range(0, n, block):
        rows = min(block, n - first)
        pack(X, first, rows, out[first : first + rows], work)
