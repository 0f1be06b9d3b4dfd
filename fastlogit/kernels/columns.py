"""X as separate columns, each where it lies: of a table, or of an array that is not row-major.

      x_0   x_1   x_2     a block of rows of each: multiply adds coef_j x_j to z, which stays in
    ┌────┐┌────┐┌────┐    L1, four columns at a time; accumulate takes the scalar product of x_j
    │░░░░││░░░░││░░░░│    and the residuals, while the block is still in L2, or L3.
    │    ││    ││    │
    └────┘└────┘└────┘    float64 is read in place, and anything else is widened in L1 first.

A column is an address, a stride and the function that reads it, so that a pass is compiled once
for every mixture of types.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import carray, types
from numpy.typing import NDArray

from fastlogit.kernels import jit, lanes
from fastlogit.kernels.ieee import float64_from_bits, fma, shifted, two_sum

# A block of X takes so much as float64, more than L2 has: long pieces of each column matter
# more, as memory is slow to begin with the next one.  Hence at least and at most so many rows.
BLOCK_BYTES = 1 << 22
LEAST_ROWS, BLOCK_ROWS = 1024, 2048
# Columns that are read at a time, so that memory has more than one to fetch.
TOGETHER = 4


class Columns(NamedTuple):
    """Where each column begins, how far its elements are apart, and the address of its `reader`.

    `validity` is where Arrow's bits begin that say which elements there are, and 0 for a column
    that has all; an element that is missing is NaN.  Bits have addresses and strides in bits.
    """

    addresses: NDArray[np.int64]
    strides: NDArray[np.int64]
    readers: NDArray[np.int64]
    validity: NDArray[np.int64]
    rows: int


# Reading a column -------------------------------------------------------------------------


def _read(source: Any, stride: int, count: int, out: Any) -> None:
    values, target = carray(source, (count,)), carray(out, (count,))
    if stride == values.itemsize:
        for i in range(count):
            target[i] = values[i]
    else:
        for i in range(count):
            target[i] = shifted(source, i * stride)[0]


def _read_float16(source: Any, stride: int, count: int, out: Any) -> None:
    target = carray(out, (count,))
    for i in range(count):
        bits = np.int64(shifted(source, i * stride)[0])
        size = bits & 0x7FFF
        # Exponent and mantissa moved to where float64 has them: right but for the bias.
        value = float64_from_bits(size << 42) * 2.0**1008
        value = value if size < 0x7C00 else np.inf if size == 0x7C00 else np.nan
        target[i] = -value if bits > size else value


def _read_bits(address: int, stride: int, count: int, out: Any) -> None:
    target = carray(out, (count,))
    for i in range(count):
        target[i] = bit(address + i * stride)


@cache
def reader(kind: str) -> int:
    """Address of the compiled function that widens a column: of a dtype by its name, or "bits".

    0 for float64, which is read in place where nothing is missing and the stride is its size.
    """
    function = {"float16": _read_float16, "bits": _read_bits}.get(kind, _read)
    stored = {"float16": "uint16", "bool": "uint8"}.get(kind, kind)
    source = types.int64 if kind == "bits" else types.CPointer(getattr(types, stored))
    signature = types.void(source, types.int64, types.int64, types.CPointer(types.float64))
    compiled = jit.c_function(function, signature)
    _kept.append(compiled)
    return int(compiled.address)


# What an address points to must outlive it.
_kept: list[Any] = []


@jit.intrinsic
def _call(typingctx: Any, function: Any, address: Any, stride: Any, count: Any, out: Any) -> Any:
    """Call a `reader`, whose pointers look like integers to a processor."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        integer = ir.IntType(64)
        kind = ir.FunctionType(ir.VoidType(), [integer, integer, integer, args[4].type])
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])

    numbers = [types.int64] * 4
    return types.void(*numbers, types.CPointer(types.float64)), codegen


@jit.intrinsic
def _pointer(typingctx: Any, address: Any) -> Any:
    """Pointer with an address that is given as a number."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.int64), codegen


@jit.scalar
def bit(address: int) -> int:
    """The bit at an address in bits."""
    return (carray(_pointer(address >> 3), (1,), np.uint8)[0] >> (address & 7)) & 1


@jit.scalar
def _column(X: Columns, j: int, first: int, rows: int, scratch: Any) -> NDArray[np.float64]:
    """Some rows of a column: in place, or in `scratch`."""
    address = X.addresses[j] + first * X.strides[j]
    if X.readers[j] == 0:
        return carray(_pointer(address), (rows,), np.float64)
    out = scratch[:rows]
    _call(X.readers[j], address, X.strides[j], rows, out.ctypes)
    if X.validity[j] != 0:
        _forget_missing(X.validity[j] + first, out)
    return out


@jit.scalar
def _four_columns(X: Columns, j: int, first: int, rows: int, work: NDArray[np.float64]) -> Any:
    """Some rows of `TOGETHER` columns from j on."""
    return (
        _column(X, j, first, rows, work[0]),
        _column(X, j + 1, first, rows, work[1]),
        _column(X, j + 2, first, rows, work[2]),
        _column(X, j + 3, first, rows, work[3]),
    )


@jit.loop
def _forget_missing(validity: int, values: NDArray[np.float64]) -> None:
    """Make NaN what the bits from an address on say is missing."""
    for i in range(values.size):
        values[i] = values[i] if bit(validity + i) else np.nan


# A block ----------------------------------------------------------------------------------


@jit.loop
def shape(X: Columns) -> tuple[int, int]:
    """N and d."""
    return X.rows, X.addresses.size


@jit.loop
def block_rows(X: Columns) -> int:
    """Rows of a block."""
    fitting = BLOCK_BYTES // (8 * max(1, X.addresses.size))
    return max(LEAST_ROWS, min(BLOCK_ROWS, fitting // 32 * 32))


@jit.loop
def workspace(X: Columns, rows: int) -> NDArray[np.float64]:
    """Scratch: columns that are widened."""
    return np.empty((TOGETHER, rows))


@jit.loop
def multiply(
    X: Columns,
    first: int,
    rows: int,
    coef: NDArray[np.float64],
    z: NDArray[np.float64],
    work: NDArray[np.float64],
) -> None:
    """Put ``X[first:first + rows] @ coef`` into z."""
    d = X.addresses.size
    z[:rows] = 0.0
    j = 0
    while j + TOGETHER <= d:
        x_0, x_1, x_2, x_3 = _four_columns(X, j, first, rows, work)
        for i in range(rows):
            value = fma(x_0[i], coef[j], z[i])
            value = fma(x_1[i], coef[j + 1], value)
            value = fma(x_2[i], coef[j + 2], value)
            z[i] = fma(x_3[i], coef[j + 3], value)
        j += TOGETHER
    while j < d:
        x_0 = _column(X, j, first, rows, work[0])
        for i in range(rows):
            z[i] = fma(x_0[i], coef[j], z[i])
        j += 1


@jit.loop
def accumulate(
    X: Columns,
    first: int,
    rows: int,
    factor: NDArray[np.float64],
    high: NDArray[np.float64],
    low: NDArray[np.float64],
    work: NDArray[np.float64],
) -> None:
    """Add ``Xᵀ @ factor`` over some rows to ``high + low``."""
    d = X.addresses.size
    j = 0
    while j + TOGETHER <= d:
        x_0, x_1, x_2, x_3 = _four_columns(X, j, first, rows, work)
        sums = _dots(x_0, x_1, x_2, x_3, factor, rows)
        for k in range(TOGETHER):
            high[j + k], error = two_sum(high[j + k], sums[k])
            low[j + k] += error
        j += TOGETHER
    while j < d:
        column = _column(X, j, first, rows, work[0])
        high[j], error = two_sum(high[j], lanes.dot(column, factor, rows))
        low[j] += error
        j += 1


@jit.loop
def _dots(
    x_0: NDArray[np.float64],
    x_1: NDArray[np.float64],
    x_2: NDArray[np.float64],
    x_3: NDArray[np.float64],
    factor: NDArray[np.float64],
    count: int,
) -> tuple[float, float, float, float]:
    """Scalar products of four columns with one factor."""
    width = lanes.WIDTH
    even_0 = even_1 = even_2 = even_3 = lanes.zeros()
    odd_0 = odd_1 = odd_2 = odd_3 = lanes.zeros()
    unrolled = count // (2 * width) * (2 * width)
    for i in range(0, unrolled, 2 * width):
        value = lanes.load(factor, i)
        even_0 = lanes.fma(lanes.load(x_0, i), value, even_0)
        even_1 = lanes.fma(lanes.load(x_1, i), value, even_1)
        even_2 = lanes.fma(lanes.load(x_2, i), value, even_2)
        even_3 = lanes.fma(lanes.load(x_3, i), value, even_3)
        value = lanes.load(factor, i + width)
        odd_0 = lanes.fma(lanes.load(x_0, i + width), value, odd_0)
        odd_1 = lanes.fma(lanes.load(x_1, i + width), value, odd_1)
        odd_2 = lanes.fma(lanes.load(x_2, i + width), value, odd_2)
        odd_3 = lanes.fma(lanes.load(x_3, i + width), value, odd_3)
    for i in range(unrolled, count, width):
        left = count - i
        value = lanes.load_first(factor, i, left)
        even_0 = lanes.fma(lanes.load_first(x_0, i, left), value, even_0)
        even_1 = lanes.fma(lanes.load_first(x_1, i, left), value, even_1)
        even_2 = lanes.fma(lanes.load_first(x_2, i, left), value, even_2)
        even_3 = lanes.fma(lanes.load_first(x_3, i, left), value, even_3)
    return (
        lanes.total(lanes.add(even_0, odd_0)),
        lanes.total(lanes.add(even_1, odd_1)),
        lanes.total(lanes.add(even_2, odd_2)),
        lanes.total(lanes.add(even_3, odd_3)),
    )


@jit.loop
def pack(
    X: Columns,
    first: int,
    rows: int,
    packed: NDArray[np.float64],
    work: NDArray[np.float64],
) -> None:
    """Copy some rows into the first d columns of `packed`."""
    for j in range(X.addresses.size):
        packed[:rows, j] = _column(X, j, first, rows, work[0])
