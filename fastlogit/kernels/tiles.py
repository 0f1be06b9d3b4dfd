"""Blocks of a matrix in registers: eight rows at a time, transposed; and tiles of a Hessian.

The vectors are those of :mod:`fastlogit.kernels.lanes`.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from fastlogit.kernels import jit
from fastlogit.kernels.lanes import (
    HAS_AVX512,
    WIDTH,
    first_lanes,
    fma_vectors,
    itemsize,
    lane_numbers,
    lanes_type,
    masked_load,
    narrow,
    splat,
    vector_address,
    widen,
)

_I32, _I64, _F64 = ir.IntType(32), ir.IntType(64), ir.DoubleType()
_VECTOR = ir.VectorType(_F64, WIDTH)

# Rows and vectors of a tile: they fill the registers, 32 of 512 bits or 16 of 256 bits.
# No result depends on them.
TILE_ROWS, TILE_VECTORS = (8, 2) if HAS_AVX512 else (4, 1)


@jit.intrinsic
def load_eight_rows(typingctx: Any, array: Any, row: Any, column: Any, count: Any) -> Any:
    """Eight vectors: `load_first` in each of eight rows, or `load` if `count` is None."""
    signature = types.UniTuple(lanes_type, 8)(array, types.int64, types.int64, count)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        mask = None if count == types.none else first_lanes(builder, args[3])
        vectors = []
        for number in range(8):
            indices = [builder.add(args[1], ir.Constant(args[1].type, number)), args[2]]
            pointer, element = vector_address(context, builder, array, args[0], indices)
            if mask is None:
                vector = builder.load(pointer, align=itemsize(element))
            else:
                vector = masked_load(builder, pointer, element, mask)
            vectors.append(widen(builder, array.dtype, vector))
        return context.make_tuple(builder, signature.return_type, vectors)

    return signature, codegen


@jit.intrinsic
def transposed(typingctx: Any, vectors: Any) -> Any:
    """Eight vectors as the columns of eight others."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        v = cgutils.unpack_tuple(builder, args[0], WIDTH)
        for size in (4, 2, 1):
            # Exchange the blocks of this size above and below the diagonal.
            starts = range(0, WIDTH, 2 * size)
            blocks = [start + lane for start in starts for lane in range(size)]
            left = [
                start + lane + other
                for start in starts
                for other in (0, WIDTH)
                for lane in range(size)
            ]
            right = [lane + size for lane in left]
            for i in blocks:
                upper, lower = v[i], v[i + size]
                v[i] = builder.shuffle_vector(upper, lower, lane_numbers(left))
                v[i + size] = builder.shuffle_vector(upper, lower, lane_numbers(right))
        return context.make_tuple(builder, signature.return_type, v)

    return vectors(vectors), codegen


@jit.intrinsic
def store_eight_rows(typingctx: Any, array: Any, row: Any, column: Any, vectors: Any) -> Any:
    """Put eight vectors into eight rows of a float64 or float32 array, from a column on."""
    signature = types.void(array, types.int64, types.int64, vectors)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        for number, vector in enumerate(cgutils.unpack_tuple(builder, args[3], WIDTH)):
            indices = [builder.add(args[1], ir.Constant(args[1].type, number)), args[2]]
            pointer, element = vector_address(context, builder, array, args[0], indices)
            value = narrow(builder, array.dtype, vector)
            builder.store(value, pointer, align=itemsize(element))

    return signature, codegen


@jit.intrinsic
def load_column(typingctx: Any, array: Any, row: Any, column: Any) -> Any:
    """Elements of a column in eight rows, loaded one by one."""
    signature = lanes_type(array, types.int64, types.int64)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = None
        for lane in range(WIDTH):
            place = _place_in_column(context, builder, array, args, lane)
            element = builder.load(place)
            if vector is None:
                vector = ir.Constant(ir.VectorType(element.type, WIDTH), ir.Undefined)
            vector = builder.insert_element(vector, element, ir.Constant(_I32, lane))
        return widen(builder, array.dtype, vector)

    return signature, codegen


@jit.intrinsic
def store_column(typingctx: Any, array: Any, row: Any, column: Any, value: Any) -> Any:
    """Put eight float64 into a column of a float64 or float32 array, one by one."""
    signature = types.void(array, types.int64, types.int64, lanes_type)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = narrow(builder, array.dtype, args[3])
        for lane in range(WIDTH):
            element = builder.extract_element(value, ir.Constant(_I32, lane))
            builder.store(element, _place_in_column(context, builder, array, args, lane))

    return signature, codegen


def _place_in_column(context: Any, builder: Any, array: Any, args: Any, lane: int) -> Any:
    struct = context.make_array(array)(context, builder, args[0])
    indices = [builder.add(args[1], ir.Constant(_I64, lane)), args[2]]
    return cgutils.get_item_pointer(context, builder, array, struct, indices)


def _tile(vectors: int) -> Any:
    """Make the function that adds up a tile that is some vectors wide."""
    starts = range(0, WIDTH * vectors, WIDTH)

    @jit.intrinsic
    def add(typingctx: Any, left: Any, right: Any, rows: Any, a: Any, b: Any, total: Any) -> Any:
        """Add ``left[:rows, a:a + TILE_ROWS].T @ right[:rows, b:b + 8 * vectors]`` to `total`.

        `total` has a high and a low word, (2, m, m); all arrays are float64.  The rows are summed
        in order, in registers, and their sum is added with the rounding error.
        """

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            def place(kind: Any, array: Any, *indices: Any) -> Any:
                return vector_address(context, builder, kind, array, list(indices))[0]

            def shifted(index: Any, offset: int) -> Any:
                return builder.add(index, ir.Constant(_I64, offset))

            zeros = ir.Constant(_VECTOR, None)
            tile = [
                [cgutils.alloca_once_value(builder, zeros) for _ in starts]
                for _ in range(TILE_ROWS)
            ]
            with cgutils.for_range(builder, args[2]) as loop:
                i = loop.index
                x = [
                    builder.load(place(right, args[1], i, shifted(args[4], start)), align=8)
                    for start in starts
                ]
                for k, sums in enumerate(tile):
                    pointer = place(left, args[0], i, shifted(args[3], k))
                    number = builder.load(builder.bitcast(pointer, _F64.as_pointer()))
                    factor = splat(builder, number)
                    for vector, one in zip(x, sums, strict=True):
                        builder.store(fma_vectors(builder, factor, vector, builder.load(one)), one)
            for k, sums in enumerate(tile):
                for start, one in zip(starts, sums, strict=True):
                    here = shifted(args[3], k), shifted(args[4], start)
                    high, low = (
                        place(total, args[5], ir.Constant(_I64, word), *here) for word in (0, 1)
                    )
                    value, error = _two_sum(builder, builder.load(high, align=8), builder.load(one))
                    builder.store(value, high, align=8)
                    builder.store(builder.fadd(builder.load(low, align=8), error), low, align=8)

        return types.void(left, right, types.int64, types.int64, types.int64, total), codegen

    return add


def _two_sum(builder: Any, a: Any, b: Any) -> Any:
    """`two_sum` in generated code."""
    sums = builder.fadd(a, b)
    b_part = builder.fsub(sums, a)
    a_error = builder.fsub(a, builder.fsub(sums, b_part))
    return sums, builder.fadd(a_error, builder.fsub(b, b_part))


add_tile = _tile(TILE_VECTORS)
add_narrow_tile = _tile(1)
