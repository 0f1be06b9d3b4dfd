"""X as separate columns, each in its own place: a table, or an array that is not row-major.

     x_0 … x_7  x_8 …     A block is some rows of all columns, small enough for L2 or L3.  It is
    ┌┐┌┐┌┐┌┐┌┐┌┐┌┐┌┐      read eight columns at a time, so that memory always has requests to
    ░░░░░░░░░░░░░░░░      serve, and `L1_ROWS` rows at a time (░).  For these, multiply adds
    ││││││││││││││││      Σ coef_j x_j to z, and accumulate takes the scalar products of each x_j
    └┘└┘└┘└┘└┘└┘└┘└┘      with the factors.

float64 is read in place, and so are eight columns of float32.  Everything else is first widened to
float64 in L1.  A column is an address, a stride and the function that reads it, so that a pass is
compiled once for all mixtures of types.
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

# Size of a block as float64, and its fewest and most rows.  It is larger than L2, as long runs of
# each column matter more: memory is slow to begin the next one.
BLOCK_BYTES = 1 << 21
LEAST_ROWS, MOST_ROWS = 64, 2048
# Rows that are read at a time: eight columns of them, as float64, fill half of L1.
L1_ROWS = 256
# Stand for the address of a reader: the column is contiguous and is read in place.
FLOAT64, FLOAT32 = 0, 1
# Columns that are read at a time; with fewer, memory would idle.
TOGETHER = lanes.WIDTH


class Columns(NamedTuple):
    """Columns of X, each by its address, its stride and the address of its `reader`.

    `validity` is the address of Arrow's validity bits, or 0 if the column has no nulls.  A null is
    read as NaN.  Addresses and strides of bits count bits.  `centres` are subtracted as the columns
    are read; a column with a centre other than 0 must not have a reader in place.
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
        # Exponent and mantissa move to their places in float64; then the bias is corrected.
        value = float64_from_bits(size << 42) * 2.0**1008
        value = value if size < 0x7C00 else np.inf if size == 0x7C00 else np.nan
        target[i] = -value if bits > size else value


def _read_bits(address: int, stride: int, count: int, out: Any) -> None:
    target = carray(out, (count,))
    for i in range(count):
        target[i] = bit(address + i * stride)


def reader(kind: str, *, in_place: bool = False) -> int:
    """Address of the compiled function that widens a column of a dtype, or of "bits", to float64.

    With `in_place`, `FLOAT64` or `FLOAT32` for these dtypes.  That is allowed if the column is
    contiguous and has no nulls.
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


# Keeps compiled readers alive, as only their addresses are passed on.
_kept: list[Any] = []


@jit.intrinsic
def _call(typingctx: Any, function: Any, address: Any, stride: Any, count: Any, out: Any) -> Any:
    """Call a `reader`; a processor makes no difference between its pointers and integers."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        integer = ir.IntType(64)
        kind = ir.FunctionType(ir.VoidType(), [integer, integer, integer, args[4].type])
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])

    numbers = [types.int64] * 4
    return types.void(*numbers, types.CPointer(types.float64)), codegen


def _pointer_to(dtype: Any) -> Any:
    """Make a function that turns an address, or a tuple of addresses, into pointers to a type."""

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


# Members of the structs of Arrow's C data interface, eight bytes each.
_FORMAT, _METADATA, _KINDS, _DICTIONARY = 0, 2, 5, 6
_NULLS, _OFFSET, _BUFFER_COUNT, _BUFFERS, _CHILDREN = 1, 2, 3, 5, 6


@jit.loop
def describe(schema: int, array: int, fields: NDArray[np.int64]) -> None:
    """Describe the columns of an ArrowSchema and an ArrowArray, given by their addresses.

    Each row of `fields` becomes:

    0. the format, if it is a single letter and there is no dictionary, else 0
    1. whether there is metadata
    2. the offset of the first element
    3. the number of nulls, or -1 if it is unknown
    4. the address of the validity bits, or 0
    5. the address of the values
    """
    kinds, children = _word(schema, _KINDS), _word(array, _CHILDREN)
    for j in range(fields.shape[0]):
        kind, column = _word(kinds, j), _word(children, j)
        letters = _bytes_at(_word(kind, _FORMAT))
        is_numeric = letters[0] != 0 and letters[1] == 0 and _word(kind, _DICTIONARY) == 0
        is_numeric = is_numeric and _word(column, _BUFFER_COUNT) == 2
        buffers = _word(column, _BUFFERS)
        fields[j, 0] = letters[0] if is_numeric else 0
        fields[j, 1] = _word(kind, _METADATA) != 0
        fields[j, 2] = _word(column, _OFFSET) + _word(array, _OFFSET)
        fields[j, 3] = _word(column, _NULLS)
        fields[j, 4] = _word(buffers, 0) if is_numeric else 0
        fields[j, 5] = _word(buffers, 1) if is_numeric else 0


@jit.scalar
def _word(address: int, number: int) -> int:
    """The word of that number, of eight bytes each, from an address on."""
    return _int64_at(address)[number]


@jit.inlined
def _float64_column(X: Columns, j: int, first: int, count: int, scratch: Any) -> Any:
    """Pointer to rows of a column as float64, which may be loaded eight at a time.

    It points to the column itself, or to a copy in `scratch` that ends with zeros.  Behind the last
    column, all are zeros.
    """
    address: Any = np.int64(scratch[0].ctypes.data)
    if j < X.addresses.size:
        reader, source = X.readers[j], _address(X, j, first)
        if reader == FLOAT64 and count % lanes.WIDTH == 0:
            address = source
        else:
            out = scratch[1 + j % TOGETHER]
            address = np.int64(out.ctypes.data)
            if reader == FLOAT64:
                _copy(_float64_at(source), count, out)
            elif reader == FLOAT32:
                _copy(_float32_at(source), count, out)
            else:
                _call(reader, source, X.strides[j], count, out.ctypes)
            if X.validity[j] != 0:
                _erase_nulls(X.validity[j] + first, count, out)
            if X.centres[j] != 0.0:
                _centre(X.centres[j], count, out)
            out[count : lanes.round_up(count)] = 0.0
    return _float64_at(address)


@jit.inner
def _shared_reader(X: Columns, j: int, count: int) -> int:
    """`FLOAT64` or `FLOAT32` if all eight columns from j on have it, else -1.

    Also -1 unless `count` is a multiple of eight, so that whole vectors can be loaded.
    """
    if count % lanes.WIDTH != 0 or j + TOGETHER > X.addresses.size:
        return -1
    reader = X.readers[j]
    for k in range(j + 1, j + TOGETHER):
        reader = reader if X.readers[k] == reader else -1
    return reader if reader in (FLOAT64, FLOAT32) else -1


@jit.inlined
def _address(X: Columns, j: int, first: int) -> int:
    """Address of an element."""
    return X.addresses[j] + first * X.strides[j]


@jit.inner
def _copy(values: Any, count: int, out: NDArray[np.float64]) -> None:
    for i in range(count):
        out[i] = values[i]


@jit.inner
def _erase_nulls(validity: int, count: int, values: NDArray[np.float64]) -> None:
    """Replace nulls by NaN; `validity` is the address of their bits."""
    for i in range(count):
        values[i] = values[i] if bit(validity + i) else np.nan


@jit.inner
def _centre(centre: float, count: int, values: NDArray[np.float64]) -> None:
    for i in range(count):
        values[i] -= centre


# A block ----------------------------------------------------------------------------------


@jit.inner
def shape(X: Columns) -> tuple[int, int]:
    """(n, d)."""
    return X.rows, X.addresses.size


@jit.loop
def block_rows(X: Columns) -> int:
    """Rows of a block."""
    fitting = BLOCK_BYTES // (8 * max(1, X.addresses.size))
    return max(LEAST_ROWS, min(MOST_ROWS, fitting // LEAST_ROWS * LEAST_ROWS))


@jit.allocating
def workspace(X: Columns) -> NDArray[np.float64]:
    """Scratch memory: a column of zeros, and eight for widened columns."""
    return np.zeros((1 + TOGETHER, L1_ROWS))


@jit.inner
def partial_size(X: Columns) -> int:
    """Number of partial sums: d, rounded up to whole vectors."""
    return lanes.round_up(X.addresses.size)


@jit.inner
def multiply(
    X: Columns,
    first: int,
    rows: int,
    coef: NDArray[np.float64],
    z: NDArray[np.float64],
    work: NDArray[np.float64],
) -> bool:
    """Put ``X @ coef`` of a block into z."""
    z[: lanes.round_up(rows)] = 0.0
    for j in range(0, X.addresses.size, TOGETHER):
        for start in range(0, rows, L1_ROWS):
            count = min(L1_ROWS, rows - start)
            _multiply_eight_columns(X, j, first + start, count, coef, z[start:], work)
    return True


@jit.inner
def _multiply_eight_columns(
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
        _add_products(_float64_at(_eight_addresses(X, j, first)), coef, j, count, z)
    elif reader == FLOAT32:
        _add_products(_float32_at(_eight_addresses(X, j, first)), coef, j, count, z)
    else:
        _add_products(_eight_columns(X, j, first, count, work), coef, j, count, z)


@jit.inlined
def _eight_columns(X: Columns, j: int, first: int, count: int, work: NDArray[np.float64]) -> Any:
    return (
        _float64_column(X, j, first, count, work),
        _float64_column(X, j + 1, first, count, work),
        _float64_column(X, j + 2, first, count, work),
        _float64_column(X, j + 3, first, count, work),
        _float64_column(X, j + 4, first, count, work),
        _float64_column(X, j + 5, first, count, work),
        _float64_column(X, j + 6, first, count, work),
        _float64_column(X, j + 7, first, count, work),
    )


@jit.inlined
def _eight_addresses(X: Columns, j: int, first: int) -> Any:
    return (
        _address(X, j, first),
        _address(X, j + 1, first),
        _address(X, j + 2, first),
        _address(X, j + 3, first),
        _address(X, j + 4, first),
        _address(X, j + 5, first),
        _address(X, j + 6, first),
        _address(X, j + 7, first),
    )


@jit.inlined
def _add_products(
    x: Any, coef: NDArray[np.float64], j: int, count: int, z: NDArray[np.float64]
) -> None:
    """Add ``Σ coef[j + k] x[k]`` to the first `count` elements of z."""
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
    """Add ``Xᵀ @ factor`` of a block to `sums`.

    It goes from the last column to the first, as `multiply` has left the last ones in the nearest
    cache.
    """
    last = (X.addresses.size - 1) // TOGETHER * TOGETHER
    for j in range(last, -1, -TOGETHER):
        for start in range(0, rows, L1_ROWS):
            count = min(L1_ROWS, rows - start)
            _accumulate_eight_columns(X, j, first + start, count, factor[start:], sums, work)


@jit.inner
def _accumulate_eight_columns(
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
        products = _dots(_float64_at(_eight_addresses(X, j, first)), factor, count)
    elif reader == FLOAT32:
        products = _dots(_float32_at(_eight_addresses(X, j, first)), factor, count)
    else:
        products = _dots(_eight_columns(X, j, first, count, work), factor, count)
    lanes.store(sums, j, lanes.add(lanes.load(sums, j), products))


@jit.inlined
def _dots(x: Any, factor: NDArray[np.float64], count: int) -> Any:
    """Scalar products of eight columns with the first `count` elements of `factor`."""
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
    """Add ``(X * X)ᵀ @ factor`` of a block to `sums`."""
    for j in range(X.addresses.size):
        for start in range(0, rows, L1_ROWS):
            count = min(L1_ROWS, rows - start)
            values = _float64_column(X, j, first + start, count, work)
            for i in range(count):
                sums[j] += (factor[start + i] * values[i]) * values[i]  # a square may overflow


@jit.inner
def add_pairs(
    X: Columns, first: int, rows: int, factor: NDArray[np.float64], total: NDArray[np.float64]
) -> bool:
    """False: rows are always packed."""
    return False


@jit.inner
def pack(
    X: Columns,
    first: int,
    rows: int,
    packed: NDArray[np.float64],
    work: NDArray[np.float64],
) -> None:
    """Copy a block into the first d columns of `packed`."""
    for j in range(X.addresses.size):
        for start in range(0, rows, L1_ROWS):
            count = min(L1_ROWS, rows - start)
            values = _float64_column(X, j, first + start, count, work)
            for i in range(count):
                packed[start + i, j] = values[i]
