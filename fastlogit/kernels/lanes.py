"""Eight float64 side by side: the fixed-width vector of all sums over rows of X.

A sum is only reproducible if its order is.  Eight lanes, added up along one fixed tree, have the
same order on every processor: one AVX-512 register, two of AVX2 and four of NEON round alike.
LLVM would not vectorise such sums by itself, as it may not reorder additions.

Elements are read in place, in their own dtype, and widened in registers.  A row whose length is
not a multiple of eight ends with a masked load.  It touches nothing past the end of the row and
puts 0 into the other lanes.

Several vectors are a tuple.  `fma`, `add` and `subtract` take tuples too; a single vector
among their arguments is used for each element.

Operands of `load` and `store` are arrays with unit stride along their last axis, or pointers.
Matrices in registers are in :mod:`fastlogit.kernels.tiles`.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import config, types
from numba.core import cgutils
from numba.extending import models, register_model

from fastlogit.kernels import jit

WIDTH = 8
# Bytes of a cache line.
_LINE = 64

_I32, _I64, _F64 = ir.IntType(32), ir.IntType(64), ir.DoubleType()
_VECTOR, _FLOAT32_VECTOR = ir.VectorType(_F64, WIDTH), ir.VectorType(ir.FloatType(), WIDTH)


def _has(feature: str) -> bool:
    """Whether Numba compiles for a feature of processors, as far as its settings say."""
    if config.CPU_NAME or config.CPU_FEATURES:
        return f"+{feature}" in (config.CPU_FEATURES or "")
    return bool(get_host_cpu_features().get(feature, False))


HAS_AVX512 = _has("avx512f")
# AMD's processors alone have sse4a.
IS_INTEL = _has("sse4.2") and not _has("sse4a")
# Whether an instruction converts eight int64 to float64.
_CONVERTS_INT64 = _has("avx512dq")


class LanesType(types.Type):  # type: ignore[misc]
    """Numba's type of a value of eight float64, or eight float32."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        super().__init__(name=f"lanes({dtype})")


lanes_type, _float32_type = LanesType(types.float64), LanesType(types.float32)
_numbers_type = types.UniTuple(types.uint64, WIDTH)


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, numba_type: Any) -> None:
        is_float32 = numba_type == _float32_type
        super().__init__(manager, numba_type, _FLOAT32_VECTOR if is_float32 else _VECTOR)


def lane_numbers(values: list[int]) -> ir.Constant:
    """Numbers of lanes, as `shuffle_vector` takes them."""
    return ir.Constant(ir.VectorType(_I32, len(values)), values)


def splat(builder: Any, value: Any) -> Any:
    """Vector with `value` in each lane, in generated code."""
    one = builder.insert_element(
        ir.Constant(ir.VectorType(value.type, WIDTH), ir.Undefined), value, ir.Constant(_I32, 0)
    )
    return builder.shuffle_vector(one, one, lane_numbers([0] * WIDTH))


def vector_address(context: Any, builder: Any, array_type: Any, array: Any, indices: Any) -> Any:
    """Pointer to the vector of elements that starts at an element of an array."""
    if isinstance(array_type, types.CPointer):
        pointer = builder.gep(array, indices)
    else:
        struct = context.make_array(array_type)(context, builder, array)
        pointer = cgutils.get_item_pointer(context, builder, array_type, struct, indices)
    element = context.get_data_type(array_type.dtype)
    return builder.bitcast(pointer, ir.VectorType(element, WIDTH).as_pointer()), element


def _element(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """Pointer to an element of an array of one axis and unit stride; it need not exist."""
    struct = context.make_array(array_type)(context, builder, array)
    return builder.gep(struct.data, [index])


def widen(builder: Any, dtype: Any, vector: Any) -> Any:
    """Convert a vector of a dtype to float64."""
    if dtype == types.float64:
        return vector
    if isinstance(dtype, types.Float):
        return builder.fpext(vector, _VECTOR)
    signed = isinstance(dtype, types.Integer) and dtype.signed
    if _CONVERTS_INT64 and vector.type.element.width < 64:
        return _converted_int64(builder, vector, signed)
    return (builder.sitofp if signed else builder.uitofp)(vector, _VECTOR)


def _converted_int64(builder: Any, vector: Any, signed: bool) -> Any:
    """Convert short integers to int64, and these to float64.

    LLVM would convert them to int32 first.  From there to float64 the width changes again, which
    takes an operation more: 0.65 against 0.54 ns for a vector with its multiplication (Zen 4).
    """
    wide = ir.VectorType(_I64, WIDTH)
    function = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(_VECTOR, [wide, _I32]),
        f"llvm.x86.avx512.sitofp.round.v{WIDTH}f64.v{WIDTH}i64",
    )
    numbers = (builder.sext if signed else builder.zext)(vector, wide)
    as_set = ir.Constant(_I32, 4)  # the rounding
    return builder.call(function, [numbers, as_set])


def narrow(builder: Any, dtype: Any, vector: Any) -> Any:
    """Round a vector of float64 for an array of a dtype, float64 or float32."""
    return builder.fptrunc(vector, _FLOAT32_VECTOR) if dtype == types.float32 else vector


def itemsize(element: Any) -> int:
    """Bytes of an element."""
    return int(_llvm_name(element)[1:]) // 8


def _llvm_name(element: Any) -> str:
    """LLVM's name of a type in the names of its intrinsics, such as f64 or i8."""
    return {"float": "f32", "double": "f64"}.get(str(element), str(element))


@jit.intrinsic
def zeros(typingctx: Any) -> Any:
    """Eight zeros."""
    return lanes_type(), lambda context, builder, signature, args: ir.Constant(_VECTOR, None)


@jit.intrinsic
def broadcast(typingctx: Any, value: Any) -> Any:
    """One number in each lane."""
    return lanes_type(types.float64), lambda context, builder, signature, args: splat(
        builder, args[0]
    )


@jit.intrinsic
def fma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """``a * b + c``, rounded once."""
    return _each(fma_vectors, a, b, c)


def fma_vectors(builder: Any, *vectors: Any) -> Any:
    """`fma` in generated code."""
    kind = vectors[0].type
    name = f"llvm.fma.v{WIDTH}{_llvm_name(kind.element)}"
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(kind, [kind] * 3), name
    )
    return builder.call(function, vectors)


def _each(one: Any, *kinds: Any) -> Any:
    """Signature and code that apply `one` to vectors, or to each of tuples of them."""
    many = next((kind for kind in kinds if isinstance(kind, types.UniTuple)), None)
    result = many or kinds[0]

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if many is None:
            return one(builder, *args)
        operands = [
            cgutils.unpack_tuple(builder, arg) if kind == many else [arg] * many.count
            for kind, arg in zip(kinds, args, strict=True)
        ]
        vectors = [one(builder, *each) for each in zip(*operands, strict=True)]
        return context.make_tuple(builder, many, vectors)

    return result(*kinds), codegen


@jit.intrinsic
def multiply(typingctx: Any, a: Any, b: Any) -> Any:
    """``a * b``."""
    return _each(lambda builder, *vectors: builder.fmul(*vectors), a, b)


@jit.intrinsic
def add(typingctx: Any, a: Any, b: Any) -> Any:
    """``a + b``."""
    return _each(lambda builder, *vectors: builder.fadd(*vectors), a, b)


@jit.intrinsic
def subtract(typingctx: Any, a: Any, b: Any) -> Any:
    """``a - b``."""
    return _each(lambda builder, *vectors: builder.fsub(*vectors), a, b)


@jit.intrinsic
def rounded(typingctx: Any, a: Any, like: Any) -> Any:
    """`a` in the dtype of `like`, an array or vectors of float64 or float32.

    Elements that `load` has widened become what they were, and the compiler drops both conversions.
    """
    dtype = getattr(like.dtype, "dtype", like.dtype)  # of a tuple of vectors: a vector's
    return _convert(a, _float32_type if dtype == types.float32 else lanes_type, like)


@jit.intrinsic
def float32_flag(typingctx: Any, array: Any) -> Any:
    """True or None: a function that is given this compiles only the branch that it takes."""
    if array.dtype == types.float32:
        return types.boolean(array), lambda *_: ir.Constant(ir.IntType(1), 1)
    return types.none(array), lambda context, *_: context.get_dummy_value()


@jit.intrinsic
def widened(typingctx: Any, a: Any) -> Any:
    """`a` in float64."""
    return _convert(a, lanes_type)


def _convert(kind: Any, wanted: Any, *others: Any) -> Any:
    """Signature and code that convert a vector, or each of a tuple of them, to a type."""
    many = isinstance(kind, types.UniTuple)
    result = types.UniTuple(wanted, kind.count) if many else wanted

    def convert(builder: Any, vector: Any) -> Any:
        if wanted == (kind.dtype if many else kind):
            return vector
        to_float32 = wanted == _float32_type
        change = builder.fptrunc if to_float32 else builder.fpext
        return change(vector, _FLOAT32_VECTOR if to_float32 else _VECTOR)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if not many:
            return convert(builder, args[0])
        vectors = cgutils.unpack_tuple(builder, args[0], kind.count)
        return context.make_tuple(builder, result, [convert(builder, one) for one in vectors])

    return result(kind, *others), codegen


@jit.intrinsic
def total(typingctx: Any, a: Any) -> Any:
    """Sum of the lanes, as a tree: halves are added until one number is left."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (vector,) = args
        while vector.type.count > 1:
            vector = builder.fadd(*_halves(builder, vector))
        return builder.extract_element(vector, ir.Constant(_I32, 0))

    return types.float64(lanes_type), codegen


def _halves(builder: Any, vector: Any) -> list[Any]:
    """The first half of the lanes, and the second."""
    half = vector.type.count // 2
    return [
        builder.shuffle_vector(vector, vector, lane_numbers(list(range(start, start + half))))
        for start in (0, half)
    ]


@jit.intrinsic
def two_largest(typingctx: Any, largest: Any, second: Any) -> Any:
    """The two largest numbers in all lanes of both, for ``second <= largest``; without NaN."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def larger(a: Any, b: Any) -> Any:
            return builder.select(builder.fcmp_ordered(">", a, b), a, b)

        def smaller(a: Any, b: Any) -> Any:
            return builder.select(builder.fcmp_ordered("<", a, b), a, b)

        largest, second = args
        while largest.type.count > 1:
            a, b = _halves(builder, largest)
            second = larger(larger(*_halves(builder, second)), smaller(a, b))
            largest = larger(a, b)
        numbers = [builder.extract_element(one, ir.Constant(_I32, 0)) for one in (largest, second)]
        return context.make_tuple(builder, signature.return_type, numbers)

    return types.UniTuple(types.float64, 2)(lanes_type, lanes_type), codegen


@jit.intrinsic
def totals(typingctx: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any) -> Any:
    """The `total` of each of eight vectors, as the lanes of one: the same trees, side by side."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vectors = list(args)
        width = WIDTH
        while width > 1:
            half = width // 2
            # Each pair of vectors becomes one, which holds the sums of the halves of both.  The
            # lanes of the second vector count from WIDTH on.
            starts = range(0, WIDTH, width)
            low = [
                start + lane + vector
                for start in starts
                for vector in (0, WIDTH)
                for lane in range(half)
            ]
            high = [lane + half for lane in low]
            pairs = len(vectors) // 2
            vectors = [
                builder.fadd(
                    builder.shuffle_vector(vectors[i], vectors[i + pairs], lane_numbers(low)),
                    builder.shuffle_vector(vectors[i], vectors[i + pairs], lane_numbers(high)),
                )
                for i in range(pairs)
            ]
            width = half
        return vectors[0]

    return lanes_type(*[lanes_type] * WIDTH), codegen


@jit.intrinsic
def extract(typingctx: Any, a: Any, lane: Any) -> Any:
    """One lane."""
    return types.float64(
        lanes_type, types.int64
    ), lambda context, builder, signature, args: builder.extract_element(args[0], args[1])


@jit.intrinsic
def load(typingctx: Any, array: Any, index: Any) -> Any:
    """Elements ``array[index:index + 8]``; the index of a 2-D array is a tuple."""
    signature = lanes_type(array, index)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        indices = _indices(builder, signature.args[1], args[1])
        pointer, element = vector_address(context, builder, array, args[0], indices)
        vector = builder.load(pointer, align=itemsize(element))
        return widen(builder, array.dtype, vector)

    return signature, codegen


@jit.intrinsic
def load_four(typingctx: Any, array: Any, index: Any) -> Any:
    """Four vectors, from consecutive elements."""
    signature = types.UniTuple(lanes_type, 4)(array, index)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        indices = _indices(builder, signature.args[1], args[1])
        pointer, element = vector_address(context, builder, array, args[0], indices)
        vectors = []
        for number in range(4):
            place = builder.gep(pointer, [ir.Constant(_I32, number)])
            vector = builder.load(place, align=itemsize(element))
            vectors.append(widen(builder, array.dtype, vector))
        return context.make_tuple(builder, signature.return_type, vectors)

    return signature, codegen


@jit.intrinsic
def load_first(typingctx: Any, array: Any, index: Any, count: Any) -> Any:
    """The first `count` of eight elements, and 0 in the other lanes; these are not read."""
    signature = lanes_type(array, index, types.int64)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        indices = _indices(builder, signature.args[1], args[1])
        vector = _load_masked(context, builder, array, args[0], indices, args[2])
        return widen(builder, array.dtype, vector)

    return signature, codegen


def _load_masked(
    context: Any, builder: Any, array_type: Any, array: Any, indices: Any, count: Any
) -> Any:
    """The first `count` of eight elements, in their own type, and 0 in the other lanes."""
    pointer, element = vector_address(context, builder, array_type, array, indices)
    return masked_load(builder, pointer, element, first_lanes(builder, count))


@jit.intrinsic
def load_numbers(typingctx: Any, array: Any, index: Any) -> Any:
    """Eight integers that are not negative, ``array[index:index + 8]``, as a tuple for `gather`.

    Each is loaded by itself, which is faster than taking a vector apart.  The loads are atomic, as
    LLVM would otherwise take them from the vector that `are_below` loads.
    """
    signature = _numbers_type(array, index)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _element(context, builder, array, *args)
        places = [builder.gep(pointer, [ir.Constant(_I64, lane)]) for lane in range(WIDTH)]
        size = itemsize(pointer.type.pointee)
        numbers = [builder.load_atomic(place, "unordered", size) for place in places]
        return _make_numbers(context, builder, numbers)

    return signature, codegen


@jit.intrinsic
def load_first_numbers(typingctx: Any, array: Any, index: Any, count: Any) -> Any:
    """The first `count` of eight integers that are not negative, then zeros."""
    signature = _numbers_type(array, index, types.int64)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array_value, index, count = args
        vector = _load_masked(context, builder, array, array_value, [index], count)
        lanes = [ir.Constant(_I32, lane) for lane in range(WIDTH)]
        return _make_numbers(context, builder, [builder.extract_element(vector, i) for i in lanes])

    return signature, codegen


def _make_numbers(context: Any, builder: Any, numbers: list[Any]) -> Any:
    wide = [builder.zext(one, _I64) if one.type != _I64 else one for one in numbers]
    return context.make_tuple(builder, _numbers_type, wide)


@jit.intrinsic
def gather(typingctx: Any, array: Any, numbers: Any) -> Any:
    """Elements of a float64 array at the places that `load_numbers` returned.

    Many processors take longer for their gather instructions than for eight loads.
    """
    signature = lanes_type(array, _numbers_type)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = ir.Constant(_VECTOR, ir.Undefined)
        for lane, place in enumerate(cgutils.unpack_tuple(builder, args[1], WIDTH)):
            element = builder.load(_element(context, builder, array, args[0], place))
            vector = builder.insert_element(vector, element, ir.Constant(_I32, lane))
        return vector

    return signature, codegen


@jit.intrinsic
def are_below(typingctx: Any, array: Any, index: Any, bound: Any) -> Any:
    """Whether eight integers, ``array[index:index + 8]``, are at least 0 and below `bound`."""
    signature = types.boolean(array, index, types.int64)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array_value, index, bound = args
        pointer, element = vector_address(context, builder, array, array_value, [index])
        return _all_below(builder, builder.load(pointer, align=itemsize(element)), bound)

    return signature, codegen


@jit.intrinsic
def first_are_below(typingctx: Any, array: Any, index: Any, count: Any, bound: Any) -> Any:
    """As `are_below`, for the first `count` of eight integers."""
    signature = types.boolean(array, index, types.int64, types.int64)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array_value, index, count, bound = args
        vector = _load_masked(context, builder, array, array_value, [index], count)
        return _all_below(builder, vector, bound)

    return signature, codegen


def _all_below(builder: Any, vector: Any, bound: Any) -> Any:
    """Whether all lanes of a vector of integers are at least 0 and below `bound`."""
    wide = ir.VectorType(_I64, WIDTH)
    vector = builder.sext(vector, wide) if vector.type != wide else vector
    outside = builder.icmp_unsigned(">=", vector, splat(builder, bound))  # negative ones as well
    bits = builder.bitcast(outside, ir.IntType(WIDTH))
    return builder.icmp_unsigned("==", bits, ir.Constant(bits.type, 0))


@jit.intrinsic
def select_first(typingctx: Any, count: Any, a: Any, b: Any) -> Any:
    """The first `count` lanes of `a`, and the other lanes of `b`."""
    signature = lanes_type(types.int64, lanes_type, lanes_type)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        count, a, b = args
        return builder.select(first_lanes(builder, count), a, b)

    return signature, codegen


def _prefetch(nearness: int, elements: int = 1) -> Any:
    """Function that asks for elements of an array to be fetched; they need not exist."""

    @jit.intrinsic
    def prefetch(typingctx: Any, array: Any, index: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            if isinstance(index, types.BaseTuple):
                struct = context.make_array(array)(context, builder, args[0])
                places = _indices(builder, index, args[1])
                pointer = cgutils.get_item_pointer(context, builder, array, struct, places)
            else:
                pointer = _element(context, builder, array, *args)
            size = elements * context.get_abi_sizeof(context.get_data_type(array.dtype))
            pointer = builder.bitcast(pointer, ir.IntType(8).as_pointer())
            function = cgutils.get_or_insert_function(
                builder.module,
                ir.FunctionType(ir.VoidType(), [pointer.type, _I32, _I32, _I32]),
                "llvm.prefetch.p0",
            )
            reading, data = ir.Constant(_I32, 0), ir.Constant(_I32, 1)
            for first in range(0, size, _LINE):
                line = builder.gep(pointer, [ir.Constant(_I64, first)])
                builder.call(function, [line, reading, ir.Constant(_I32, nearness), data])

        return types.void(array, index), codegen

    return prefetch


# Into the first cache, and into the second; and four vectors into the second.
prefetch, prefetch_far = _prefetch(3), _prefetch(2)
prefetch_four = _prefetch(2, 4 * WIDTH)


def masked_load(builder: Any, pointer: Any, element: Any, mask: Any) -> Any:
    """Vector of the elements that `mask` selects, and 0 in the other lanes."""
    kind = ir.VectorType(element, WIDTH)
    function = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(kind, [pointer.type, _I32, mask.type, kind]),
        f"llvm.masked.load.v{WIDTH}{_llvm_name(element)}.p0",
    )
    alignment = ir.Constant(_I32, itemsize(element))
    return builder.call(function, [pointer, alignment, mask, ir.Constant(kind, None)])


@jit.intrinsic
def store(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """Put eight float64 into ``array[index:index + 8]`` of a float64 or float32 array."""
    signature = types.void(array, index, lanes_type)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        indices = _indices(builder, signature.args[1], args[1])
        pointer, element = vector_address(context, builder, array, args[0], indices)
        value = narrow(builder, array.dtype, args[2])
        builder.store(value, pointer, align=itemsize(element))

    return signature, codegen


@jit.intrinsic
def store_four(typingctx: Any, array: Any, index: Any, values: Any) -> Any:
    """Put four vectors into consecutive elements of a float64 array."""
    signature = types.void(array, index, types.UniTuple(lanes_type, 4))

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        indices = _indices(builder, signature.args[1], args[1])
        pointer, element = vector_address(context, builder, array, args[0], indices)
        for number, vector in enumerate(cgutils.unpack_tuple(builder, args[2], 4)):
            place = builder.gep(pointer, [ir.Constant(_I32, number)])
            builder.store(vector, place, align=itemsize(element))

    return signature, codegen


def _indices(builder: Any, index_type: Any, index: Any) -> Any:
    if isinstance(index_type, types.BaseTuple):
        return cgutils.unpack_tuple(builder, index, len(index_type))
    return [index]


def first_lanes(builder: Any, count: Any) -> Any:
    """Mask of the lanes below `count`."""
    numbers = ir.Constant(ir.VectorType(_I64, WIDTH), list(range(WIDTH)))
    return builder.icmp_signed("<", numbers, splat(builder, count))


@jit.loop
def round_up(count: int) -> int:
    """`count` rounded up to a multiple of the lanes."""
    return (count + WIDTH - 1) // WIDTH * WIDTH
