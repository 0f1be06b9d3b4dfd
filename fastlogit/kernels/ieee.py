"""IEEE 754 building blocks: fused multiply-add, bit casts, flags, and error-free sums.

The error-free transformations return a rounded result and its exact rounding error:

==================  ==========================================================  =====
``two_sum``         ``a + b`` for any a and b (Knuth, TAOCP 2, section 4.2.2)   6 ops
``fast_two_sum``    ``a + b`` where ``|a| >= |b|`` (Dekker 1971)                3 ops
``two_product``     ``a * b`` by one fused multiply-add                         2 ops
==================  ==========================================================  =====

The errors are exact if nothing overflows (and, for the product, underflows), and if the compiler
neither reassociates nor contracts; :mod:`fastlogit.kernels.jit` sets the options for that.  `fma`
rounds once on every processor: without such an instruction LLVM calls the C library, which is slow
but exact.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from fastlogit.kernels import jit
from fastlogit.kernels.lane_operators import fma as fma


@jit.intrinsic
def fma_float32(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """``a * b + c`` in float32, rounded once."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fma(*args)

    return types.float32(types.float32, types.float32, types.float32), codegen


@jit.intrinsic
def float64_bits(typingctx: Any, value: Any) -> Any:
    """Bits of a float64 as an int64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(types.float64), codegen


@jit.intrinsic
def float64_from_bits(typingctx: Any, bits: Any) -> Any:
    """Float64 with the bits of an int64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), codegen


@jit.intrinsic
def float32_bits(typingctx: Any, value: Any) -> Any:
    """Bits of a float32 as an int32."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(32))

    return types.int32(types.float32), codegen


@jit.intrinsic
def float32_from_bits(typingctx: Any, bits: Any) -> Any:
    """Float32 with the bits of an int32."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), codegen


@jit.intrinsic
def ordered_bits(typingctx: Any, value: Any) -> Any:
    """Bits of a number, or of 0 for -0, as an unsigned integer of its size.

    Numbers that are not negative have bits in the same order.  A negative number or a NaN has
    larger bits than any finite number of its type.
    """
    width = 8 if value == types.boolean else value.bitwidth

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (number,) = args
        if value == types.boolean:
            return builder.zext(number, ir.IntType(width))
        if isinstance(value, types.Float):
            number = builder.fadd(number, number.type(0.0))  # -0 + 0 is 0
        return builder.bitcast(number, ir.IntType(width))

    return types.Integer.from_bitwidth(width, False)(value), codegen


@jit.intrinsic
def below(typingctx: Any, bits: Any) -> Any:
    """``bits - 1`` in the type of `bits`; the largest number for 0."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.sub(args[0], args[0].type(1))

    return bits(bits), codegen


def _chosen(comparison: str) -> Any:
    """Make a function of two unsigned integers that keeps their type, as Numba's do not."""

    @jit.intrinsic
    def choose(typingctx: Any, a: Any, b: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.select(builder.icmp_unsigned(comparison, *args), *args)

        return a(a, a), codegen

    return choose


larger, smaller = _chosen(">"), _chosen("<")


@jit.intrinsic
def shifted(typingctx: Any, pointer: Any, offset: Any) -> Any:
    """`pointer` moved by `offset` bytes."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = builder.bitcast(args[0], ir.IntType(8).as_pointer())
        return builder.bitcast(builder.gep(start, [args[1]]), args[0].type)

    return pointer(pointer, types.intp), codegen


_EXCEPTIONS = 0x1F  # includes all flags that NumPy checks, on x86 and on ARM
_clear_exceptions = types.ExternalFunction("feclearexcept", types.int32(types.int32))
_test_exceptions = types.ExternalFunction("fetestexcept", types.int32(types.int32))


@jit.scalar
def clear_flags() -> None:
    """Clear the floating-point exception flags.

    Testing them first is six times faster where none is set.
    """
    if _test_exceptions(_EXCEPTIONS) != 0:
        _clear_exceptions(_EXCEPTIONS)


@jit.intrinsic
def add_in_any_order(typingctx: Any, a: Any, b: Any) -> Any:
    """``a + b``, for exact sums: the compiler may add up several of them in another order.

    So it can use vectors for a loop that adds to one number.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fadd(*args, flags=("reassoc",))

    return types.float64(types.float64, types.float64), codegen


@jit.scalar
def two_sum(a: float, b: float) -> tuple[float, float]:
    """Sum and its rounding error, for any `a` and `b`."""
    total = a + b
    b_part = total - a
    return total, (a - (total - b_part)) + (b - b_part)


@jit.scalar
def fast_two_sum(a: float, b: float) -> tuple[float, float]:
    """Sum and its rounding error, for ``abs(a) >= abs(b)``."""
    total = a + b
    return total, b - (total - a)


@jit.scalar
def two_product(a: float, b: float) -> tuple[float, float]:
    """Product and its rounding error."""
    product = a * b
    return product, fma(a, b, -product)
