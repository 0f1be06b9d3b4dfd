"""Products of rows with coefficients.

Rows of up to two cache lines are multiplied eight at a time, so that the lanes of all eight are
summed together.  Longer rows are multiplied one after another, the order that processors predict
best: two rows side by side took up to three times as long from memory, on a Zen 4.  For several
outputs a block is first loaded in that order, or asked for while the block before is multiplied,
and then multiplied eight rows at a time.

The order of each sum depends on d, on the dtypes, and on whether there are several outputs.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastlogit.kernels import jit, lanes
from fastlogit.kernels.layouts.rows.elements import (
    Layout,
    itemsize,
    load,
    load_eight_rows,
    load_first,
    load_four,
    prefetch,
    prefetch_four,
    shape,
)

# Most elements (four vectors) and bytes of a short row.
SHORT, SHORT_BYTES = 4 * lanes.WIDTH, 128
# Most products that four vectors of float32 add up: four in each lane, and the rest of a row brings
# four more at most.
MOST_FLOAT32 = 4 * SHORT
# Most bytes of a row that is asked for while the block before is multiplied.  With K = 3 over 32
# columns of float64, a pass took 2.7 times as long as reading X, and 3.2 times without this.  Over
# 128 columns it would take 2.7 times, and takes 2.3 (Zen 4).
MOST_FETCHED = 512
# Bytes between a row that is multiplied for one output and the row that is asked for meanwhile; 0
# if none is.  Without this, passes from memory took 1.1 to 1.4 times as long on an Emerald Rapids,
# as it fetches ahead only within a page.  A Zen 4 gained nothing by such instructions.
AHEAD_BYTES = 1 << 13 if lanes.IS_INTEL else 0
# Bytes of a cache line, and of an X that the second cache holds.
LINE, CACHED_BYTES = 64, 1 << 20
# Whether three outputs are multiplied at a time: the 16 registers of AVX2 are too few.  No result
# depends on it.
TRIPLES = lanes.HAS_AVX512

# float32 only if X is a float32 array without centres; its products are then formed in float32.
Coefficients = NDArray[np.float64] | NDArray[np.float32]


@jit.inlined
def _unrolled(X: Layout) -> int:
    """Elements of a row that are summed in four vectors; the rest, or a short row, in one."""
    d = shape(X)[1]
    is_short = d <= SHORT and d * itemsize(X) <= SHORT_BYTES
    return 0 if is_short else d // SHORT * SHORT


@jit.inlined
def _far_ahead(X: Layout) -> tuple[int, int]:
    """Rows and columns from an element to the one that lies `AHEAD_BYTES` after it.

    The rows are -1 if X fits in the second cache; then nothing is asked for.
    """
    row = max(1, shape(X)[1] * itemsize(X))
    if shape(X)[0] * row <= CACHED_BYTES:
        return -1, 0
    return (AHEAD_BYTES // row, 0) if row <= AHEAD_BYTES else (0, AHEAD_BYTES // itemsize(X))


@jit.inlined
def _nothing_ahead(X: Layout) -> None:
    return None


_ahead = _far_ahead if AHEAD_BYTES > 0 else _nothing_ahead


@jit.inlined
def _ask_ahead(X: Layout, i: int, j: int, ahead: Any) -> None:
    """Ask for 32 elements: `ahead` counts the rows and columns to them from row i, column j."""
    if ahead is not None:  # noqa: SIM102, as Numba leaves out what follows only for this alone
        if ahead[0] >= 0:
            prefetch_four(X, i + ahead[0], j + ahead[1])


@jit.inlined
def _ask_ahead_of_eight(X: Layout, first: int) -> None:
    """Ask for eight rows of up to two cache lines."""
    second = LINE // itemsize(X)
    for row in range(first, first + 8):
        prefetch(X, row, 0)
        if second < shape(X)[1]:
            prefetch(X, row, second)


@jit.inner
def multiply(
    X: Layout,
    first: int,
    rows: int,
    coef: Coefficients,
    z: NDArray[np.float64],
    work: None,
) -> bool:
    """Put ``X[first:first + rows] @ coef`` into z."""
    _multiply(X, first, rows, coef, lanes.float32_flag(coef), _ahead(X), z)
    return True


@jit.inlined
def _multiply(
    X: Layout,
    first: int,
    rows: int,
    coef: Coefficients,
    float32: Literal[True] | None,
    ahead: Any,
    z: NDArray[np.float64],
) -> None:
    """`float32` says whether `coef` is float32; `ahead` is None if nothing is asked for."""
    zero = lanes.rounded(lanes.zeros(), coef)
    done, unrolled = 0, _unrolled(X)
    if unrolled == 0 and shape(X)[1] * itemsize(X) <= SHORT_BYTES:
        done = rows // 8 * 8
        _multiply_short_rows(X, first, done, coef, zero, ahead, z)
    if unrolled == SHORT:
        start = lanes.rounded(lanes.load_four(coef, 0), zero)
        _multiply_rows(X, first, done, rows, coef, zero, start, ahead, z)
    elif float32 is not None and unrolled > MOST_FLOAT32:
        _multiply_long_rows(X, first, rows, coef, zero, ahead, z)
    else:
        _multiply_rows(X, first, done, rows, coef, zero, None, ahead, z)
    if float32 is not None:
        _repair(X, first, rows, coef, z)


@jit.inner
def _repair(X: Layout, first: int, rows: int, coef: Coefficients, z: NDArray[np.float64]) -> None:
    """Multiply rows again, in float64, whose products in float32 overflowed."""
    check = lanes.zeros()
    for i in range(0, rows, lanes.WIDTH):
        check = lanes.fma(lanes.load(z, i), lanes.zeros(), check)
    if lanes.total(check) == 0.0:
        return
    for i in range(rows):
        if not np.isfinite(z[i]):
            _multiply_rows(X, first, i, i + 1, coef, lanes.zeros(), None, None, z)


@jit.inner
def multiply_two(
    X: Layout,
    first: int,
    rows: int,
    coef: Coefficients,
    other: Coefficients,
    z: NDArray[np.float64],
    other_z: NDArray[np.float64],
    work: None,
) -> bool:
    """Put the products with `coef` and with `other` into z and `other_z`, as `multiply` does."""
    unrolled = _unrolled(X)
    if unrolled == 0 or lanes.float32_flag(coef) is not None:
        _multiply(X, first, rows, coef, lanes.float32_flag(coef), _ahead(X), z)
        _multiply(X, first, rows, other, lanes.float32_flag(other), None, other_z)
        return True
    if unrolled == SHORT:
        starts = lanes.load_four(coef, 0), lanes.load_four(other, 0)
        _multiply_two_rows(X, first, rows, coef, other, starts, z, other_z)
    else:
        _multiply_two_rows(X, first, rows, coef, other, None, z, other_z)
    return True


@jit.inner
def multiply_outputs(
    X: Layout,
    first: int,
    rows: int,
    coef: NDArray[Any],
    z: NDArray[np.float64],
    work: None,
) -> bool:
    """Put the products with each row of `coef` into the rows of z: eight rows of X at a time."""
    K, whole = coef.shape[0], rows // 8 * 8
    if lanes.float32_flag(coef) is not None:
        for k in range(K):
            multiply(X, first, rows, coef[k], z[k], work)
        return True
    spread = spreads(X, K)
    fetched = shape(X)[1] * itemsize(X) <= MOST_FETCHED
    if first == 0 or not (fetched or spread):
        _touch(X, first, rows, z)
    for i in range(0, whole, 8):
        if fetched and not spread:
            _fetch(X, first + rows + i)
        k = 0
        while TRIPLES and k + 2 < K:
            if spread and k == 0:
                _multiply_three(X, first + i, first + rows + i // 2, coef, 0, i, z)
            else:
                _multiply_three(X, first + i, None, coef, k, i, z)
            k += 3
        while k < K:
            _multiply_short_rows(X, first + i, 8, coef[k], lanes.zeros(), None, z[k, i:])
            k += 1
    for i in range(whole, rows):
        for k in range(K):
            _multiply_single(X, first + i, coef, k, i, z)
    return True


@jit.inlined
def spreads(X: Layout, outputs: int) -> bool:
    """Whether half of the next block is asked for here, and half while this one is accumulated.

    Otherwise reading and the arithmetic of three outputs take turns.
    """
    return TRIPLES and outputs >= 3 and itemsize(X) == 8 and shape(X)[1] % SHORT == 0


@jit.inlined
def _fetch(X: Layout, first: int) -> None:
    """Ask for eight rows of the next block, if it exists."""
    for i in range(first, first + 8):
        for j in range(0, shape(X)[1], lanes.WIDTH):
            prefetch(X, i, j)


@jit.inlined
def _touch(X: Layout, first: int, rows: int, z: NDArray[np.float64]) -> None:
    """Load a block row by row; without this, a pass took up to 1.5 times as long."""
    d, total = shape(X)[1], lanes.zeros()
    sums = (total, total, total, total)
    for i in range(rows):
        for j in range(0, d // SHORT * SHORT, SHORT):
            sums = lanes.add(sums, load_four(X, first + i, j))
        for j in range(d // SHORT * SHORT, d // lanes.WIDTH * lanes.WIDTH, lanes.WIDTH):
            total = lanes.add(total, load(X, first + i, j))
    lanes.store(z, (0, 0), total + lanes.broadcast(_add_up(sums)))  # or the loads would be dropped


@jit.inlined
def _multiply_three(
    X: Layout,
    first: int,
    ahead: int | None,
    coef: NDArray[np.float64],
    k: int,
    i: int,
    z: NDArray[np.float64],
) -> None:
    """Products of eight rows with three rows of `coef`: four rows at a time fill the registers.

    Four rows from `ahead` on are asked for meanwhile, if it is given.
    """
    sums, others, more = _add_three(X, first, ahead, coef, k)
    if ahead is None:
        sums_4, others_4, more_4 = _add_three(X, first + 4, None, coef, k)
    else:
        sums_4, others_4, more_4 = _add_three(X, first + 4, ahead + 2, coef, k)
    lanes.store(z, (k, i), lanes.totals(*sums, *sums_4))
    lanes.store(z, (k + 1, i), lanes.totals(*others, *others_4))
    lanes.store(z, (k + 2, i), lanes.totals(*more, *more_4))


@jit.inlined
def _add_three(X: Layout, first: int, ahead: int | None, coef: NDArray[np.float64], k: int) -> Any:
    """Vectors that add up to the products of four rows with three rows of `coef`."""
    d, zero = shape(X)[1], lanes.zeros()
    whole = d // lanes.WIDTH * lanes.WIDTH
    sums = others = more = (zero, zero, zero, zero)
    for j in range(0, whole, lanes.WIDTH):
        if ahead is not None:
            row, column = (ahead, 2 * j) if 2 * j < d else (ahead + 1, 2 * j - d)
            prefetch(X, row, column)
            prefetch(X, row, column + lanes.WIDTH)
        x = (load(X, first, j), load(X, first + 1, j), load(X, first + 2, j), load(X, first + 3, j))
        sums = lanes.fma(x, lanes.load(coef, (k, j)), sums)
        others = lanes.fma(x, lanes.load(coef, (k + 1, j)), others)
        more = lanes.fma(x, lanes.load(coef, (k + 2, j)), more)
    if whole < d:
        rest = d - whole
        x = (
            load_first(X, first, whole, rest),
            load_first(X, first + 1, whole, rest),
            load_first(X, first + 2, whole, rest),
            load_first(X, first + 3, whole, rest),
        )
        sums = lanes.fma(x, lanes.load(coef, (k, whole)), sums)
        others = lanes.fma(x, lanes.load(coef, (k + 1, whole)), others)
        more = lanes.fma(x, lanes.load(coef, (k + 2, whole)), more)
    return sums, others, more


@jit.inlined
def _multiply_single(
    X: Layout, row: int, coef: NDArray[np.float64], k: int, i: int, z: NDArray[np.float64]
) -> None:
    """The product of a row, with the bits of `_multiply_short_rows` for any d."""
    d, sums = shape(X)[1], lanes.zeros()
    whole = d // lanes.WIDTH * lanes.WIDTH
    for j in range(0, whole, lanes.WIDTH):
        sums = lanes.fma(load(X, row, j), lanes.load(coef, (k, j)), sums)
    if whole < d:
        x = load_first(X, row, whole, d - whole)
        sums = lanes.fma(x, lanes.load(coef, (k, whole)), sums)
    z[k, i] = lanes.total(sums)


@jit.inlined
def _multiply_two_rows(
    X: Layout,
    first: int,
    rows: int,
    coef: Coefficients,
    other: Coefficients,
    starts: Any,
    z: NDArray[np.float64],
    other_z: NDArray[np.float64],
) -> None:
    """Both products of rows, in float64; `starts` is None, or the first vectors of both factors."""
    zero, unrolled, ahead = lanes.zeros(), _unrolled(X), _ahead(X)
    for i in range(rows):
        sums = other_sums = (zero, zero, zero, zero)
        if starts is not None:
            _ask_ahead(X, first + i, 0, ahead)
            x = load_four(X, first + i, 0)
            sums, other_sums = lanes.fma(x, starts[0], sums), lanes.fma(x, starts[1], other_sums)
        for j in range(0 if starts is None else SHORT, unrolled, SHORT):
            _ask_ahead(X, first + i, j, ahead)
            x = load_four(X, first + i, j)
            sums = lanes.fma(x, lanes.load_four(coef, j), sums)
            other_sums = lanes.fma(x, lanes.load_four(other, j), other_sums)
        if unrolled < shape(X)[1]:
            _ask_ahead(X, first + i, unrolled, ahead)
        z[i] = _add_up(_add_rest(X, first + i, unrolled, coef, sums))
        other_z[i] = _add_up(_add_rest(X, first + i, unrolled, other, other_sums))


@jit.inlined
def _multiply_short_rows(
    X: Layout,
    first: int,
    rows: int,
    coef: Coefficients,
    zero: Any,
    ahead: Any,
    z: NDArray[np.float64],
) -> None:
    """Products of rows, eight at a time, with the bits of `_multiply_rows`.

    A row is summed in one vector, and the vectors of eight rows are added up together.
    """
    d = shape(X)[1]
    whole = d // lanes.WIDTH * lanes.WIDTH
    for i in range(0, rows, 8):
        if ahead is not None:  # noqa: SIM102
            if ahead[0] >= 0:
                _ask_ahead_of_eight(X, first + i + ahead[0])
        sums = (zero, zero, zero, zero, zero, zero, zero, zero)
        for j in range(0, whole, lanes.WIDTH):
            x = load_eight_rows(X, first + i, j, None)
            sums = _add_products(x, lanes.load(coef, j), sums)
        if whole < d:
            x = load_eight_rows(X, first + i, whole, d - whole)
            sums = _add_products(x, lanes.load(coef, whole), sums)
        lanes.store(z, i, lanes.totals(*lanes.widened(sums)))


@jit.inlined
def _multiply_rows(
    X: Layout,
    first: int,
    done: int,
    rows: int,
    coef: Coefficients,
    zero: Any,
    start: Any,
    ahead: Any,
    z: NDArray[np.float64],
) -> None:
    """Products of rows, each summed in four vectors: additions to one need not wait for another.

    `zero`, a vector of zeros, says in which dtype.  `start` is None, or the first four vectors of
    `coef`.  They stay in registers: loading them again for each row takes as long as loading the
    row.
    """
    unrolled = _unrolled(X)
    for i in range(done, rows):
        sums = (zero, zero, zero, zero)
        if start is not None:
            _ask_ahead(X, first + i, 0, ahead)
            sums = _add_products(load_four(X, first + i, 0), start, sums)
        for j in range(0 if start is None else SHORT, unrolled, SHORT):
            _ask_ahead(X, first + i, j, ahead)
            x = load_four(X, first + i, j)
            sums = _add_products(x, lanes.load_four(coef, j), sums)
        if unrolled < shape(X)[1]:
            _ask_ahead(X, first + i, unrolled, ahead)
        z[i] = _add_up(lanes.widened(_add_rest(X, first + i, unrolled, coef, sums)))


@jit.inlined
def _multiply_long_rows(
    X: Layout,
    first: int,
    rows: int,
    coef: Coefficients,
    zero: Any,
    ahead: Any,
    z: NDArray[np.float64],
) -> None:
    """As `_multiply_rows`; the sums of every `MOST_FLOAT32` products are added up in float64."""
    zeros, unrolled = lanes.zeros(), _unrolled(X)
    for i in range(rows):
        wide = (zeros, zeros, zeros, zeros)
        for begin in range(0, unrolled, MOST_FLOAT32):
            sums = (zero, zero, zero, zero)
            for j in range(begin, min(begin + MOST_FLOAT32, unrolled), SHORT):
                _ask_ahead(X, first + i, j, ahead)
                x = load_four(X, first + i, j)
                sums = _add_products(x, lanes.load_four(coef, j), sums)
            if begin + MOST_FLOAT32 >= unrolled:
                sums = _add_rest(X, first + i, unrolled, coef, sums)
            wide = lanes.add(wide, lanes.widened(sums))
        z[i] = _add_up(wide)


@jit.inlined
def _add_products(x: Any, w: Any, sums: Any) -> Any:
    """``x * w + sums`` in the dtype of `sums`."""
    return lanes.fma(lanes.rounded(x, sums), lanes.rounded(w, sums), sums)


@jit.inlined
def _add_rest(X: Layout, i: int, start: int, coef: Coefficients, sums: Any) -> Any:
    """Add the products of a row from the element `start` on to the first of four vectors."""
    d = shape(X)[1]
    if start == d:
        return sums
    sum_0, sum_1, sum_2, sum_3 = sums
    whole = d // lanes.WIDTH * lanes.WIDTH
    for j in range(start, whole, lanes.WIDTH):
        sum_0 = _add_products(load(X, i, j), lanes.load(coef, j), sum_0)
    if whole < d:
        x = load_first(X, i, whole, d - whole)
        sum_0 = _add_products(x, lanes.load(coef, whole), sum_0)
    return sum_0, sum_1, sum_2, sum_3


@jit.inlined
def _add_up(sums: Any) -> float:
    """Sum of all lanes of four vectors."""
    sum_0, sum_1, sum_2, sum_3 = sums
    return lanes.total(lanes.add(lanes.add(sum_0, sum_1), lanes.add(sum_2, sum_3)))
