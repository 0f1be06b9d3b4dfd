"""Operators of lanes: a function of one number, compiled for eight of them.

``+``, ``-``, ``*``, ``/`` and comparisons take two vectors, or a vector and a number.  A comparison
gives a mask, for `select`.  So :mod:`fastlogit.kernels.multinomial` has one source for a number and
for eight.  LLVM would vectorise the same loops, but with a test of whether arrays overlap before
each, and with sums in memory: an exponential took 1.3 times as long (Zen 4).
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from llvmlite import ir
from numba import types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin, models, register_model

from fastlogit.kernels import jit, lanes
from fastlogit.kernels.lanes import WIDTH, LanesType, lanes_type

if TYPE_CHECKING:
    from collections.abc import Callable

_I64 = ir.IntType(64)


class _MaskType(types.Type):  # type: ignore[misc]
    """Numba's type of eight truth values."""


_mask_type = _MaskType("mask")


@register_model(_MaskType)
class _MaskModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, numba_type: Any) -> None:
        super().__init__(manager, numba_type, ir.VectorType(ir.IntType(1), WIDTH))


def _widened(context: Any, builder: Any, kinds: Any, values: Any) -> list[Any]:
    """Vectors: those among the values, and each number in all lanes of one."""
    return [
        value
        if kind == lanes_type
        else lanes.splat(builder, context.cast(builder, value, kind, types.float64))
        for kind, value in zip(kinds, values, strict=True)
    ]


def _define(symbol: Any, result: Any, code: Callable[..., Any]) -> None:
    """Let an operator take lanes."""

    class Template(AbstractTemplate):  # type: ignore[misc]
        def generic(self, args: Any, kws: Any) -> Any:
            return signature(result, *args) if lanes_type in args else None

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return code(builder, *_widened(context, builder, signature.args, args))

    infer_global(symbol)(Template)
    if symbol is operator.neg:
        lower_builtin(symbol, LanesType)(lower)
    else:
        lower_builtin(symbol, LanesType, LanesType)(lower)
        lower_builtin(symbol, LanesType, types.Number)(lower)
        lower_builtin(symbol, types.Number, LanesType)(lower)


_define(operator.add, lanes_type, lambda builder, a, b: builder.fadd(a, b))
_define(operator.iadd, lanes_type, lambda builder, a, b: builder.fadd(a, b))
_define(operator.sub, lanes_type, lambda builder, a, b: builder.fsub(a, b))
_define(operator.mul, lanes_type, lambda builder, a, b: builder.fmul(a, b))
_define(operator.truediv, lanes_type, lambda builder, a, b: builder.fdiv(a, b))
_define(operator.neg, lanes_type, lambda builder, a: builder.fneg(a))
_define(operator.lt, _mask_type, lambda builder, a, b: builder.fcmp_ordered("<", a, b))
_define(operator.gt, _mask_type, lambda builder, a, b: builder.fcmp_ordered(">", a, b))
_define(operator.ge, _mask_type, lambda builder, a, b: builder.fcmp_ordered(">=", a, b))
_define(operator.eq, _mask_type, lambda builder, a, b: builder.fcmp_ordered("==", a, b))


@jit.intrinsic
def fma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """``a * b + c``, rounded once, of numbers or of vectors."""
    wide = lanes_type in (a, b, c)
    kind = lanes_type if wide else types.float64

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if not wide:
            return builder.fma(*args)
        return lanes.fma_vectors(builder, *_widened(context, builder, signature.args, args))

    return kind(*([a, b, c] if wide else [kind] * 3)), codegen


@jit.intrinsic
def select(typingctx: Any, mask: Any, a: Any, b: Any) -> Any:
    """`a` where `mask` is true, else `b`: of numbers, or of each lane."""
    wide = mask == _mask_type or lanes_type in (a, b)
    kind = lanes_type if wide else types.float64

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        mask, *both = args
        if wide:
            both = _widened(context, builder, signature.args[1:], both)
        return builder.select(mask, *both)

    return kind(mask, *([a, b] if wide else [kind, kind])), codegen


@jit.intrinsic
def zero(typingctx: Any, like: Any) -> Any:
    """0 as a number or a vector, like the argument."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return ir.Constant(args[0].type, None if like == lanes_type else 0.0)

    return like(like), codegen


@jit.intrinsic
def times_power(typingctx: Any, bits: Any, shifted: Any) -> Any:
    """The number with these bits times 2**k; the low bits of `shifted` are k."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bits = args[0] if shifted != lanes_type else lanes.splat(builder, args[0])
        return _scale(builder, bits, args[1])

    return shifted(types.int64, shifted), codegen


@jit.intrinsic
def scaled(typingctx: Any, value: Any, shifted: Any) -> Any:
    """``value * 2**k``, if that is a normal number; `shifted` is k plus a multiple of 2**51."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value, power = args
        kind = _I64 if shifted != lanes_type else ir.VectorType(_I64, WIDTH)
        return _scale(builder, builder.bitcast(value, kind), power)

    return shifted(value, shifted), codegen


def _scale(builder: Any, bits: Any, shifted: Any) -> Any:
    """Number whose bits are `bits`, with its exponent increased by the low bits of `shifted`."""
    exponent = ir.Constant(bits.type, 52 if bits.type == _I64 else [52] * WIDTH)
    power = builder.shl(builder.bitcast(shifted, bits.type), exponent)
    return builder.bitcast(builder.add(power, bits), shifted.type)
