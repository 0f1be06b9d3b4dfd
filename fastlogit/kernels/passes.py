"""Passes over X: each reads X from memory once, for any layout of X and any family.

      X (n, d)            a block of rows, in the first caches
    ┌──────────┐   1. z = X_block @ coef + intercept + offset     reads the block from memory
    │░░░░░░░░░░│   2. loss, slope, curvature of each row          in L1; 1/d of the work
    ├──────────┤   3. sums += X_blockᵀ @ factors                  reads it again, from L1 or L2
    │          │
    └──────────┘

:func:`run` is the only loop over blocks.  It is compiled for each set of results that callers want,
for each layout (:mod:`fastlogit.kernels.layouts`), which reads the block, and for each family
(:mod:`fastlogit.kernels.families`), which knows the loss.  Blocks, and the parts that a caller
splits X into, depend on X alone.

``[X | 1]``: the intercept is the coefficient of an extra last column of ones.  A sum is a high and
a low word, the second with rounding errors of the first.  A pass adds to its sums, and `sums.merge`
adds up the sums of several parts.

Error, with u = 2**-53, relative to the sum of the absolute terms:

- z: ``(d + 2) u``; row-major ``(d / 8 + 8) u``; CSR ``(entries of the row + 2) u``.  Integers
  beyond 2**53 are first rounded to float64.
- Loss, slope and curvature of a row, given its z: ``6 u``; for K classes see
  :mod:`fastlogit.kernels.families.softmax`.
- A sum of a column: ``(SUMMED_ROWS + 4) u`` for any number of rows.  Up to `SUMMED_ROWS` rows are
  added uncompensated, and these sums with their rounding errors.  A longer block of columns keeps
  the bound, as each of eight lanes adds an eighth of its rows.  The exceptions are the diagonal of
  the Hessian over columns, ``(columns.MOST_ROWS + 4) u``, and CSR: u times the entries of the
  column.
- The sum of the losses: negligible.
- With `float32`, losses and slopes have a relative error of 2**-30.
- With coefficients of float32, which row-major float32 takes: z ``8 * 2**-24`` more, as each lane
  adds up to eight products in float32, and ``d * 2**-150``, as products below 2**-126 lose digits.
  A z that overflows there is formed again in float64.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastlogit.kernels import families, jit, lanes, layouts, sums, tiles
from fastlogit.kernels.ieee import two_sum

# Blocks for several outputs are enlarged to at most this.
ENOUGH_ROWS = 128
# Most rows that are added uncompensated (without their rounding errors), or a block if it has more.
SUMMED_ROWS = 512
# Size of a block that is packed for the Hessian, and its fewest and most rows.
PACKED_BYTES = 1 << 17
LEAST_PACKED, MOST_PACKED = 64, 128


class Results(NamedTuple):
    """The arrays that a pass fills, and the direction of `product`; None if not wanted.

    They are the last arguments of `run`.  K is the number of outputs and m is ``hessian_size(d)``.
    Sums are added to.  At most one of `gradient`, `diagonal` and `product` may be wanted.
    """

    # Of each row, in the shape that the family has for them.
    logits: NDArray[Any] | None = None
    probabilities: NDArray[Any] | None = None
    # (2,).
    loss: NDArray[np.float64] | None = None
    # (K, 2, d + 1); only together with `loss`.
    gradient: NDArray[np.float64] | None = None
    # (K, K, 2, m, m): the upper triangle of ``[X | 1]ᵀ D [X | 1]``, for outputs k and other >= k.
    hessian: NDArray[np.float64] | None = None
    # (K, 2, d + 1): the diagonal of the Hessian.
    diagonal: NDArray[np.float64] | None = None
    # (K, 2, d + 1): the Hessian times a direction.
    product: NDArray[np.float64] | None = None
    # Input, only for `product`; in the shapes of `coef` and `intercept`.
    direction: NDArray[np.float64] | None = None
    intercept_direction: NDArray[np.float64] | None = None


@jit.loop
def run(
    X: Any,
    family: Any,
    coef: NDArray[np.float64],
    intercept: NDArray[np.float64],
    t: NDArray[Any] | None,
    weight: NDArray[Any] | None,
    offset: NDArray[Any] | None,
    float32: Literal[True] | None,
    logits: NDArray[Any] | None,
    probabilities: NDArray[Any] | None,
    loss: NDArray[np.float64] | None,
    gradient: NDArray[np.float64] | None,
    hessian: NDArray[np.float64] | None,
    diagonal: NDArray[np.float64] | None,
    product: NDArray[np.float64] | None,
    direction: NDArray[np.float64] | None,
    intercept_direction: NDArray[np.float64] | None,
) -> bool:
    """Read X once and compute `Results`; False, at once, if X or t turns out to be invalid.

    Parameters
    ----------
    X : any layout (n, d)
    family : instance of a class of :data:`fastlogit.kernels.families.MODULES`
    coef : ndarray (K, d rounded up to 8)
        Coefficients of each output, then zeros.  float64, or float32 if X is an array of float32:
        then z is formed in float32.
    intercept : ndarray (K,)
    t : array (n,) or None
        Targets; needed for `loss` only.
    weight, offset : array (n,) or None
    float32 : True or None
        True if X and the coefficients are float32: less accurate terms are enough.
    logits, ... : ndarray or None
        See `Results`.
    """
    n, d = layouts.shape(X)
    outputs = families.outputs(family, coef)
    block = _block_rows(X, outputs) if hessian is None else packed_rows(d)
    size = lanes.round_up(block)
    work = layouts.workspace(X)
    # Of a block: its logits, the factors by which X is accumulated, and terms of one output.
    z = np.empty((outputs + families.SCRATCH, size))
    if logits is None and probabilities is None:
        factors, terms = np.empty((outputs, size)), np.empty(size)
    if loss is not None:
        carried = np.zeros((2, lanes.WIDTH))
    if gradient is not None or diagonal is not None or product is not None:
        partial = _empty_partial(X, outputs)
    if product is not None:
        along = np.empty((outputs, size))
    if hessian is not None:
        packed = _packed_block(d)
    for first in range(0, n, block):
        rows = min(block, n - first)
        if product is None:
            good = _compute_logits(X, family, first, rows, coef, intercept, offset, z, work)
        else:
            both = intercept, intercept_direction
            good = _compute_two(
                X, family, first, rows, coef, direction, both, offset, z, along, work
            )
        if not good:
            return False
        if logits is not None:
            families.put_logits(family, z, first, rows, logits)
        if probabilities is not None:
            families.put_probabilities(family, z, first, rows, float32, probabilities)
        if loss is not None:
            good = families.differentiate(
                family, z, t, weight, float32, first, rows, terms, factors
            )
            if not good:
                return False
            sums.carry(terms, lanes.round_up(rows), carried)
        if gradient is not None:
            _accumulate(X, family, first, rows, factors, None, partial, gradient, work)
        if hessian is not None or diagonal is not None or product is not None:
            families.prepare_curvature(family, z, rows)
        if hessian is not None:
            _add_products(X, family, outputs, z, weight, first, rows, terms, packed, work, hessian)
        if diagonal is not None:
            _put_diagonal_factors(family, z, weight, first, rows, factors)
            _accumulate(X, family, first, rows, factors, True, partial, diagonal, work)
        if product is not None:
            _put_product_factors(family, z, along, weight, first, rows, terms, factors)
            _accumulate(X, family, first, rows, factors, None, partial, product, work)
    if loss is not None:
        high, low = sums.carried(carried)
        loss[0], error = two_sum(loss[0], high)
        loss[1] += error + low
    if gradient is not None:
        _flush(partial, gradient)
    if diagonal is not None:
        _flush(partial, diagonal)
    if product is not None:
        _flush(partial, product)
    return True


# Rows of a block --------------------------------------------------------------------------


@jit.inlined
def _block_rows(X: Any, outputs: int) -> int:
    """Rows of a block: for several outputs up to four times those of the layout.

    They read a block several times, and loops over 16 rows take twice as long for a row as loops
    over 128.
    """
    rows = layouts.block_rows(X)
    if outputs == 1:
        return rows
    # Shorter ones where the layout asks for the next block meanwhile: two share the caches then.
    return max(rows, min((2 if layouts.spreads(X, outputs) else 4) * rows, ENOUGH_ROWS))


@jit.inlined
def _compute_logits(
    X: Any,
    family: Any,
    first: int,
    rows: int,
    coef: NDArray[np.float64],
    intercept: NDArray[np.float64],
    offset: NDArray[Any] | None,
    z: NDArray[np.float64],
    work: Any,
) -> bool:
    """Put the logits of a block into `z`; False if X is damaged."""
    if not _multiply(family, X, first, rows, coef, z, work):
        return False
    families.add_constants(family, z, first, rows, intercept, offset)
    return True


@jit.inner
def _multiply_one(
    family: Any,
    X: Any,
    first: int,
    rows: int,
    coef: NDArray[np.float64],
    z: NDArray[np.float64],
    work: Any,
) -> bool:
    """Put ``X @ coef.T`` of a block into `z`, for a family of one output."""
    good: bool = layouts.multiply(X, first, rows, coef[0], z[0], work)
    return good


@jit.inner
def _multiply_several(
    family: Any,
    X: Any,
    first: int,
    rows: int,
    coef: NDArray[np.float64],
    z: NDArray[np.float64],
    work: Any,
) -> bool:
    """The same for a family of several outputs."""
    good: bool = layouts.multiply_outputs(X, first, rows, coef, z, work)
    return good


_multiply = families.by_outputs(_multiply_one, _multiply_several)


@jit.inlined
def _compute_two(
    X: Any,
    family: Any,
    first: int,
    rows: int,
    coef: NDArray[np.float64],
    direction: NDArray[np.float64] | Any,
    intercepts: tuple[NDArray[np.float64], Any],
    offset: NDArray[Any] | None,
    z: NDArray[np.float64],
    along: NDArray[np.float64],
    work: Any,
) -> bool:
    """Put the logits of a block into `z`, and its products with a direction into `along`."""
    for k in range(families.outputs(family, coef)):
        here = z[k], along[k]
        if not layouts.multiply_two(X, first, rows, coef[k], direction[k], *here, work):
            return False
    families.add_constants(family, z, first, rows, intercepts[0], offset)
    families.add_constants(family, along, first, rows, intercepts[1], None)
    return True


@jit.inner
def _put_diagonal_factors(
    family: Any,
    z: NDArray[np.float64],
    weight: NDArray[Any] | None,
    first: int,
    rows: int,
    factors: NDArray[np.float64],
) -> None:
    """Put the second derivative by each output: the factors of the Hessian's diagonal."""
    for k in range(factors.shape[0]):
        families.put_curvature(family, k, k, z, weight, first, rows, factors[k])


@jit.inner
def _put_product_factors(
    family: Any,
    z: NDArray[np.float64],
    along: NDArray[np.float64],
    weight: NDArray[Any] | None,
    first: int,
    rows: int,
    curvatures: NDArray[np.float64],
    factors: NDArray[np.float64],
) -> None:
    """Put the derivative of each slope along `along`: the factors of the Hessian's product."""
    for k in range(factors.shape[0]):
        factor = factors[k]
        factor[: lanes.round_up(rows)] = 0.0
        for other in range(factors.shape[0]):
            direction = along[other]
            families.put_curvature(family, k, other, z, weight, first, rows, curvatures)
            for i in range(rows):
                factor[i] += curvatures[i] * direction[i]


# Sums of columns --------------------------------------------------------------------------


class _Partial(NamedTuple):
    """Uncompensated sums over rows, of each output: of the columns, and for the intercept."""

    columns: NDArray[np.float64]
    ones: NDArray[np.float64]  # eight lanes
    rows: NDArray[np.int64]  # how many have been added


@jit.allocating
def _empty_partial(X: Any, outputs: int) -> _Partial:
    return _Partial(
        np.zeros((outputs, layouts.partial_size(X))),
        np.zeros((outputs, lanes.WIDTH)),
        np.zeros(1, np.int64),
    )


@jit.inlined
def _accumulate(
    X: Any,
    family: Any,
    first: int,
    rows: int,
    factors: NDArray[np.float64],
    squared: Literal[True] | None,
    partial: _Partial,
    total: NDArray[np.float64],
    work: Any,
) -> None:
    """Add ``[X | 1]ᵀ @ factor`` of a block to `total` for each output, by way of `partial`.

    With `squared`, the same of the squares of X.
    """
    columns, ones = partial.columns, partial.ones
    if squared is None:
        _add_columns(family, X, first, rows, factors, columns, total, work)
    for k in range(factors.shape[0]):
        if squared is not None:
            layouts.accumulate_squares(X, first, rows, factors[k], columns[k], total[k], work)
        _add_up(factors[k], rows, ones[k])
    partial.rows[0] += rows
    if partial.rows[0] + rows > SUMMED_ROWS:
        _flush(partial, total)


@jit.inner
def _add_columns_of_one(
    family: Any,
    X: Any,
    first: int,
    rows: int,
    factors: NDArray[np.float64],
    columns: NDArray[np.float64],
    total: NDArray[np.float64],
    work: Any,
) -> None:
    """Add ``Xᵀ @ factor`` of a block to `columns` or `total`, for a family of one output."""
    layouts.accumulate(X, first, rows, factors[0], columns[0], total[0], work)


@jit.inner
def _add_columns_of_several(
    family: Any,
    X: Any,
    first: int,
    rows: int,
    factors: NDArray[np.float64],
    columns: NDArray[np.float64],
    total: NDArray[np.float64],
    work: Any,
) -> None:
    """The same for a family of several outputs."""
    layouts.accumulate_outputs(X, first, rows, factors, columns, total, work)


_add_columns = families.by_outputs(_add_columns_of_one, _add_columns_of_several)


@jit.inlined
def _add_up(factor: NDArray[np.float64], rows: int, ones: NDArray[np.float64]) -> None:
    """Add the factors of a block to eight lanes."""
    sums = lanes.load(ones, 0)
    for i in range(0, rows, lanes.WIDTH):
        sums = lanes.add(sums, lanes.load(factor, i))
    lanes.store(ones, 0, sums)


@jit.inner
def _flush(partial: _Partial, total: NDArray[np.float64]) -> None:
    """Add partial sums to a total with their rounding errors, and reset them to 0."""
    last = total.shape[2] - 1
    for k in range(total.shape[0]):
        high, low, columns = total[k, 0], total[k, 1], partial.columns[k]
        for j in range(min(columns.size, last)):
            high[j], error = two_sum(high[j], columns[j])
            low[j] += error
        high[last], error = two_sum(high[last], lanes.total(lanes.load(partial.ones, (k, 0))))
        low[last] += error
    partial.columns[:] = 0.0
    partial.ones[:] = 0.0
    partial.rows[0] = 0


# The Hessian ------------------------------------------------------------------------------


@jit.loop
def hessian_size(d: int) -> int:
    """``d + 1`` rounded up to whole vectors."""
    return lanes.round_up(d + 1)


@jit.loop
def packed_rows(d: int) -> int:
    """Rows of a block that is packed."""
    fitting = PACKED_BYTES // (8 * lanes.round_up(d))
    return max(LEAST_PACKED, min(MOST_PACKED, lanes.round_up(fitting)))


class _Packed(NamedTuple):
    """A block of X in float64, without and with its factor D.

    Where X does not end with a whole vector, a column of ones follows.
    """

    values: NDArray[np.float64]
    scaled: NDArray[np.float64]


@jit.allocating
def _packed_block(d: int) -> _Packed:
    # An odd number of cache lines: consecutive rows lie in different sets of the cache.
    shape = packed_rows(d), (lanes.round_up(d) // lanes.WIDTH | 1) * lanes.WIDTH
    values = np.zeros(shape)
    if d % lanes.WIDTH != 0:
        values[:, d] = 1.0
    return _Packed(values, np.zeros(shape))


@jit.inlined
def _add_products(
    X: Any,
    family: Any,
    outputs: int,
    z: NDArray[np.float64],
    weight: NDArray[Any] | None,
    first: int,
    rows: int,
    curvatures: NDArray[np.float64],
    packed: _Packed,
    work: Any,
    total: NDArray[np.float64],
) -> None:
    """Add ``[X | 1]ᵀ D [X | 1]`` of a block to the upper triangle, for each pair of outputs."""
    is_packed = False
    for k in range(outputs):
        for other in range(k, outputs):
            families.put_curvature(family, k, other, z, weight, first, rows, curvatures)
            if layouts.add_pairs(X, first, rows, curvatures, total[k, other]):
                continue
            if not is_packed:
                layouts.pack(X, first, rows, packed.values, work)
                is_packed = True
            _scale(packed, rows, curvatures)
            _add_tiles(packed, rows, layouts.shape(X)[1], curvatures, total[k, other])


@jit.inner
def _scale(packed: _Packed, rows: int, factor: NDArray[np.float64]) -> None:
    """Multiply each row of a packed block by its factor."""
    for i in range(rows):
        row, scaled_row = packed.values[i], packed.scaled[i]
        for j in range(row.size):
            scaled_row[j] = row[j] * factor[i]


@jit.inner
def _add_tiles(
    packed: _Packed, rows: int, d: int, factor: NDArray[np.float64], total: NDArray[np.float64]
) -> None:
    """Add ``scaled.T @ values`` to the upper triangle of `total`, tile by tile."""
    values, scaled, end = packed.values, packed.scaled, lanes.round_up(d)
    for a in range(0, end, tiles.TILE_ROWS):
        b = a // lanes.WIDTH * lanes.WIDTH
        while b + tiles.TILE_VECTORS * lanes.WIDTH <= end:
            tiles.add_tile(scaled, values, rows, a, b, total)
            b += tiles.TILE_VECTORS * lanes.WIDTH
        if b < end:
            tiles.add_narrow_tile(scaled, values, rows, a, b, total)
    if d == end:
        for j in range(0, d, lanes.WIDTH):
            sums = lanes.zeros()
            for i in range(rows):
                sums = lanes.add(sums, lanes.load(scaled, (i, j)))
            for lane in range(lanes.WIDTH):
                _add_to(total, j + lane, d, lanes.extract(sums, lane))
        sums = lanes.zeros()
        for i in range(0, rows, lanes.WIDTH):
            sums = lanes.add(sums, lanes.load(factor, i))
        _add_to(total, d, d, lanes.total(sums))


@jit.inlined
def _add_to(total: NDArray[np.float64], a: int, b: int, value: float) -> None:
    """Add to an element of ``high + low``, with the rounding error."""
    total[0, a, b], error = two_sum(total[0, a, b], value)
    total[1, a, b] += error


# Copies of X ------------------------------------------------------------------------------


@jit.loop
def gather(X: Any, rows: NDArray[np.int64], out: NDArray[np.float64]) -> None:
    """Copy the rows of these numbers into `out` (rows.size, d)."""
    work = layouts.workspace(X)
    for i in range(rows.size):
        layouts.pack(X, rows[i], 1, out[i : i + 1], work)


@jit.loop
def unpack(X: Any, out: NDArray[np.float64]) -> None:
    """Copy X into `out` (n, d)."""
    layouts.pack(X, 0, layouts.shape(X)[0], out, layouts.workspace(X))
