"""X as separate columns, each where it lies: of a table, or of an array that is not row-major.

     x_0 … x_7  x_8 …     A block is some rows of all columns, which stay in L2, or L3.  It is read
    ┌┐┌┐┌┐┌┐┌┐┌┐┌┐┌┐      eight columns at a time, so that memory has enough to fetch, and of those
    ░░░░░░░░░░░░░░░░      one piece (░) after another: multiply adds Σ coef_j x_j to the piece of z,
    ││││││││││││││││      accumulate takes the scalar products of x_j with the piece of residuals.
    └┘└┘└┘└┘└┘└┘└┘└┘
                          float64 is read in place, and so are eight columns of float32; anything
                          else is widened in L1, piece by piece.

A column is an address, a stride and the function that reads it, so that a pass is compiled once
for every mixture of types.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import carray, types
from numba.core import cgutils
from numpy.typing import NDArray

from fastlogit.kernels import jit, lanes
from fastlogit.kernels.ieee import float64_from_bits, shifted

# A block of X takes so much as float64, more than L2 has: long runs of each column matter more,
# as memory is slow to begin with the next one.  Hence also at least and at most so many rows.
BLOCK_BYTES = 1 << 21
LEAST_ROWS, BLOCK_ROWS = 64, 2048
# Eight pieces of float64 are half of L1.
PIECE = 256
# Instead of the address of a reader: what is read in place, if it lies side by side.
FLOAT64, FLOAT32 = 0, 1
# Columns that are read at a time; fewer leave memory waiting.
TOGETHER = lanes.WIDTH


class Columns(NamedTuple):
    """Where each column begins, how far its elements are apart, and the address of its `reader`.

    `validity` is where Arrow's bits begin that say which elements there are, and 0 for a column
    that has all; an element that is missing is NaN.  Bits have addresses and strides in bits.
    `centres` are subtracted as the columns are read; one that is not 0 needs a reader that is
    not in place.
    """

    addresses: NDArray[np.int64]
    strides: NDArray[np.int64]
    readers: NDArray[np.int64]
    validity: NDArray[np.int64]
    rows: int
    centres: NDArray[np.float64]


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


def reader(kind: str, *, in_place: bool = False) -> int:
    """Address of the compiled function that widens a column: of a dtype by its name, or "bits".

    `FLOAT64` or `FLOAT32` if it may be read `in_place` and is of that type, as it is where nothing
    is missing and the stride is the size of an element.
    """
    if in_place and kind in ("float64", "float32"):
        return FLOAT64 if kind == "float64" else FLOAT32
    return _compiled_reader(kind)


@cache
def _compiled_reader(kind: str) -> int:
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


def _pointer_to(dtype: Any) -> Any:
    """Make a function that turns an address, or a tuple of such, into pointers to a type."""

    @jit.intrinsic
    def pointer(typingctx: Any, address: Any) -> Any:
        kind = types.CPointer(dtype)
        many = isinstance(address, types.UniTuple)

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            numbers = cgutils.unpack_tuple(builder, args[0]) if many else args
            pointers = [builder.inttoptr(n, context.get_value_type(kind)) for n in numbers]
            return context.make_tuple(builder, result, pointers) if many else pointers[0]

        result = types.UniTuple(kind, address.count) if many else kind
        return result(address if many else types.int64), codegen

    return pointer


_bytes_at = _pointer_to(types.uint8)
_float64_at = _pointer_to(types.float64)
_float32_at = _pointer_to(types.float32)
_int64_at = _pointer_to(types.int64)


@jit.scalar
def bit(address: int) -> int:
    """The bit at an address in bits."""
    return (_bytes_at(address >> 3)[0] >> (address & 7)) & 1


# Arrow's C data interface: structs whose members take eight bytes each.
_FORMAT, _METADATA, _KINDS, _DICTIONARY = 0, 2, 5, 6
_NULLS, _OFFSET, _BUFFER_COUNT, _BUFFERS, _CHILDREN = 1, 2, 3, 5, 6


@jit.loop
def describe(schema: int, array: int, fields: NDArray[np.int64]) -> None:
    """Put what an ArrowSchema and an ArrowArray at two addresses say of each column.

    A row of `fields` is: the format, if it is a single letter and there is no dictionary, else 0;
    whether there is metadata; how many elements come before the first; how many nulls there are,
    or -1; and where the validity and the values begin.
    """
    kinds, children = _word(schema, _KINDS), _word(array, _CHILDREN)
    for j in range(fields.shape[0]):
        kind, column = _word(kinds, j), _word(children, j)
        letters = _bytes_at(_word(kind, _FORMAT))
        of_numbers = letters[0] != 0 and letters[1] == 0 and _word(kind, _DICTIONARY) == 0
        of_numbers = of_numbers and _word(column, _BUFFER_COUNT) == 2
        buffers = _word(column, _BUFFERS)
        fields[j, 0] = letters[0] if of_numbers else 0
        fields[j, 1] = _word(kind, _METADATA) != 0
        fields[j, 2] = _word(column, _OFFSET) + _word(array, _OFFSET)
        fields[j, 3] = _word(column, _NULLS)
        fields[j, 4] = _word(buffers, 0) if of_numbers else 0
        fields[j, 5] = _word(buffers, 1) if of_numbers else 0


@jit.scalar
def _word(address: int, number: int) -> int:
    """One of the words of eight bytes from an address on."""
    return _int64_at(address)[number]


@jit.inlined
def _piece(X: Columns, j: int, first: int, count: int, scratch: Any) -> Any:
    """Some rows of a column, as float64 that may be read eight at a time; 0 past the last column.

    They are where they lie, or in `scratch`, which ends with zeros.
    """
    address: Any = np.int64(scratch[0].ctypes.data)
    if j < X.addresses.size:
        reader, lies = X.readers[j], _place(X, j, first)
        if reader == FLOAT64 and count % lanes.WIDTH == 0:
            address = lies
        else:
            out = scratch[1 + j % TOGETHER]
            address = np.int64(out.ctypes.data)
            if reader == FLOAT64:
                _copy(_float64_at(lies), count, out)
            elif reader == FLOAT32:
                _copy(_float32_at(lies), count, out)
            else:
                _call(reader, lies, X.strides[j], count, out.ctypes)
            if X.validity[j] != 0:
                _forget_missing(X.validity[j] + first, count, out)
            if X.centres[j] != 0.0:
                _centre(X.centres[j], count, out)
            out[count : lanes.padded(count)] = 0.0
    return _float64_at(address)


@jit.inner
def _shared_reader(X: Columns, j: int, count: int) -> int:
    """`FLOAT64` or `FLOAT32` if eight columns are that and whole eights of them read, else -1."""
    if count % lanes.WIDTH != 0 or j + TOGETHER > X.addresses.size:
        return -1
    reader = X.readers[j]
    for k in range(j + 1, j + TOGETHER):
        reader = reader if X.readers[k] == reader else -1
    return reader if reader in (FLOAT64, FLOAT32) else -1


@jit.inlined
def _place(X: Columns, j: int, first: int) -> int:
    """Address of an element."""
    return X.addresses[j] + first * X.strides[j]


@jit.inner
def _copy(values: Any, count: int, out: NDArray[np.float64]) -> None:
    for i in range(count):
        out[i] = values[i]


@jit.inner
def _forget_missing(validity: int, count: int, values: NDArray[np.float64]) -> None:
    """Make NaN what the bits from an address on say is missing."""
    for i in range(count):
        values[i] = values[i] if bit(validity + i) else np.nan


@jit.inner
def _centre(centre: float, count: int, values: NDArray[np.float64]) -> None:
    for i in range(count):
        values[i] -= centre


# A block ----------------------------------------------------------------------------------


@jit.inner
def shape(X: Columns) -> tuple[int, int]:
    """N and d."""
    return X.rows, X.addresses.size


@jit.inner
def block_rows(X: Columns) -> int:
    """Rows of a block."""
    fitting = BLOCK_BYTES // (8 * max(1, X.addresses.size))
    return max(LEAST_ROWS, min(BLOCK_ROWS, fitting // LEAST_ROWS * LEAST_ROWS))


@jit.loop
def workspace(X: Columns) -> NDArray[np.float64]:
    """Scratch: a column of zeros, and those that are widened."""
    return np.zeros((1 + TOGETHER, PIECE))


@jit.loop
def partial_sums(X: Columns) -> NDArray[np.float64]:
    """Sums of columns that `accumulate` adds to."""
    return np.zeros(lanes.padded(X.addresses.size))


@jit.inner
def multiply(
    X: Columns,
    first: int,
    rows: int,
    coef: NDArray[np.float64],
    z: NDArray[np.float64],
    work: NDArray[np.float64],
) -> bool:
    """Put ``X @ coef`` of some rows into z; `coef` is padded with 0, z has room for eights."""
    z[: lanes.padded(rows)] = 0.0
    for j in range(0, X.addresses.size, TOGETHER):
        for start in range(0, rows, PIECE):
            count = min(PIECE, rows - start)
            _multiply_piece(X, j, first + start, count, coef, z[start:], work)
    return True


@jit.inner
def _multiply_piece(
    X: Columns,
    j: int,
    first: int,
    count: int,
    coef: NDArray[np.float64],
    z: NDArray[np.float64],
    work: NDArray[np.float64],
) -> None:
    reader = _shared_reader(X, j, count)
    if reader == FLOAT64:
        _add_products(_float64_at(_places(X, j, first)), coef, j, count, z)
    elif reader == FLOAT32:
        _add_products(_float32_at(_places(X, j, first)), coef, j, count, z)
    else:
        _add_products(_pieces(X, j, first, count, work), coef, j, count, z)


@jit.inlined
def _pieces(X: Columns, j: int, first: int, count: int, work: NDArray[np.float64]) -> Any:
    return (
        _piece(X, j, first, count, work),
        _piece(X, j + 1, first, count, work),
        _piece(X, j + 2, first, count, work),
        _piece(X, j + 3, first, count, work),
        _piece(X, j + 4, first, count, work),
        _piece(X, j + 5, first, count, work),
        _piece(X, j + 6, first, count, work),
        _piece(X, j + 7, first, count, work),
    )


@jit.inlined
def _places(X: Columns, j: int, first: int) -> Any:
    return (
        _place(X, j, first),
        _place(X, j + 1, first),
        _place(X, j + 2, first),
        _place(X, j + 3, first),
        _place(X, j + 4, first),
        _place(X, j + 5, first),
        _place(X, j + 6, first),
        _place(X, j + 7, first),
    )


@jit.inlined
def _add_products(
    x: Any, coef: NDArray[np.float64], j: int, count: int, z: NDArray[np.float64]
) -> None:
    """Add ``Σ coef[j + k] x[k]`` to the first `count` of z."""
    x_0, x_1, x_2, x_3, x_4, x_5, x_6, x_7 = x
    coef_0, coef_1 = lanes.broadcast(coef[j]), lanes.broadcast(coef[j + 1])
    coef_2, coef_3 = lanes.broadcast(coef[j + 2]), lanes.broadcast(coef[j + 3])
    coef_4, coef_5 = lanes.broadcast(coef[j + 4]), lanes.broadcast(coef[j + 5])
    coef_6, coef_7 = lanes.broadcast(coef[j + 6]), lanes.broadcast(coef[j + 7])
    for i in range(0, count, lanes.WIDTH):
        value = lanes.fma(lanes.load(x_0, i), coef_0, lanes.load(z, i))
        value = lanes.fma(lanes.load(x_1, i), coef_1, value)
        value = lanes.fma(lanes.load(x_2, i), coef_2, value)
        value = lanes.fma(lanes.load(x_3, i), coef_3, value)
        value = lanes.fma(lanes.load(x_4, i), coef_4, value)
        value = lanes.fma(lanes.load(x_5, i), coef_5, value)
        value = lanes.fma(lanes.load(x_6, i), coef_6, value)
        lanes.store(z, i, lanes.fma(lanes.load(x_7, i), coef_7, value))


@jit.inner
def accumulate(
    X: Columns,
    first: int,
    rows: int,
    factor: NDArray[np.float64],
    sums: NDArray[np.float64],
    total: NDArray[np.float64],
    work: NDArray[np.float64],
) -> None:
    """Add ``Xᵀ @ factor`` over some rows to `sums`; `factor` is padded with 0.

    From the last column to the first: what `multiply` has read last is in the nearest cache.
    """
    last = (X.addresses.size - 1) // TOGETHER * TOGETHER
    for j in range(last, -1, -TOGETHER):
        for start in range(0, rows, PIECE):
            count = min(PIECE, rows - start)
            _accumulate_piece(X, j, first + start, count, factor[start:], sums, work)


@jit.inner
def _accumulate_piece(
    X: Columns,
    j: int,
    first: int,
    count: int,
    factor: NDArray[np.float64],
    sums: NDArray[np.float64],
    work: NDArray[np.float64],
) -> None:
    reader = _shared_reader(X, j, count)
    if reader == FLOAT64:
        products = _dots(_float64_at(_places(X, j, first)), factor, count)
    elif reader == FLOAT32:
        products = _dots(_float32_at(_places(X, j, first)), factor, count)
    else:
        products = _dots(_pieces(X, j, first, count, work), factor, count)
    lanes.store(sums, j, lanes.add(lanes.load(sums, j), products))


@jit.inlined
def _dots(x: Any, factor: NDArray[np.float64], count: int) -> Any:
    """Scalar products of eight columns with the first `count` of `factor`, side by side."""
    x_0, x_1, x_2, x_3, x_4, x_5, x_6, x_7 = x
    sum_0 = sum_1 = sum_2 = sum_3 = sum_4 = sum_5 = sum_6 = sum_7 = lanes.zeros()
    for i in range(0, count, lanes.WIDTH):
        value = lanes.load(factor, i)
        sum_0 = lanes.fma(lanes.load(x_0, i), value, sum_0)
        sum_1 = lanes.fma(lanes.load(x_1, i), value, sum_1)
        sum_2 = lanes.fma(lanes.load(x_2, i), value, sum_2)
        sum_3 = lanes.fma(lanes.load(x_3, i), value, sum_3)
        sum_4 = lanes.fma(lanes.load(x_4, i), value, sum_4)
        sum_5 = lanes.fma(lanes.load(x_5, i), value, sum_5)
        sum_6 = lanes.fma(lanes.load(x_6, i), value, sum_6)
        sum_7 = lanes.fma(lanes.load(x_7, i), value, sum_7)
    return lanes.totals(sum_0, sum_1, sum_2, sum_3, sum_4, sum_5, sum_6, sum_7)


@jit.inner
def accumulate_squares(
    X: Columns,
    first: int,
    rows: int,
    factor: NDArray[np.float64],
    sums: NDArray[np.float64],
    total: NDArray[np.float64],
    work: NDArray[np.float64],
) -> None:
    """Add ``(X * X)ᵀ @ factor`` over some rows to `sums`."""
    for j in range(X.addresses.size):
        for start in range(0, rows, PIECE):
            count = min(PIECE, rows - start)
            values = _piece(X, j, first + start, count, work)
            for i in range(count):
                sums[j] += (factor[start + i] * values[i]) * values[i]  # a square may be too large


@jit.inner
def add_pairs(
    X: Columns, first: int, rows: int, factor: NDArray[np.float64], total: NDArray[np.float64]
) -> bool:
    """Whether there is a way to add products but to pack the rows: there is none."""
    return False


@jit.inner
def pack(
    X: Columns,
    first: int,
    rows: int,
    packed: NDArray[np.float64],
    work: NDArray[np.float64],
) -> None:
    """Copy some rows into the first d columns of `packed`."""
    for j in range(X.addresses.size):
        for start in range(0, rows, PIECE):
            count = min(PIECE, rows - start)
            values = _piece(X, j, first + start, count, work)
            for i in range(count):
                packed[start + i, j] = values[i]
