"""The functions in extended precision, for millions of points: the reference for errors.

Each takes and returns `numpy.longdouble` (64 significant bits and exponents to ±16 000 on x86).
So no formula needs a second form for its tail, and none loses more than two of the eleven bits
that float64 lacks.  For float32 the same formulas in float64 will do.  Limits, and arguments
without a result, come out right too.  ``check`` compares all of them with multi-precision
arithmetic.
"""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
from numpy.typing import NDArray

from . import multiprecision

Extended = NDArray[np.longdouble]

# Roundings that the formulas may cost; the most that was seen is 2.
ROUNDINGS = 4
CHECKED = 300
# The multi-precision formulas are plain, and lack the digits for the tails beyond.
LARGEST_Z = 800


def wider(dtype: Any) -> Any:
    """The type in which references for `dtype` are computed."""
    return np.float64 if dtype == np.float32 else np.longdouble


def _decay(z: Extended) -> Extended:
    return np.exp(-np.abs(z))


def sigmoid(z: Extended) -> Extended:
    u = _decay(z)
    return np.where(z >= 0, 1, u) / (1 + u)


def sigmoid_derivative(z: Extended) -> Extended:
    u = _decay(z)
    return u / (1 + u) ** 2


def softplus(z: Extended) -> Extended:
    return np.maximum(z, 0) + np.log1p(_decay(z))


def log_sigmoid(z: Extended) -> Extended:
    return -softplus(-z)


def logit(y: Extended) -> Extended:
    # 2 y - 1 and 1 - y are exact near 1/2, where the logarithm would lose digits.
    near = np.abs(y - 0.5) < 0.25
    return np.where(
        near,
        np.log1p((2 * y - 1) / (1 - y), where=near, out=np.zeros_like(y)),
        np.log(y) - np.log1p(-y),
    )


def _times(weight: Extended, value: Extended) -> Extended:
    """Product in which 0 times infinity is 0."""
    return np.where(weight == 0, 0, weight * value)


def logistic_loss(z: Extended, t: Extended) -> Extended:
    return _times(np.where(z >= 0, 1 - t, t), np.abs(z)) + np.log1p(_decay(z))


def residual(z: Extended, t: Extended) -> Extended:
    u = _decay(z)
    big = np.where(z >= 0, 1 - t, -t)
    small = np.where(z >= 0, -t, 1 - t)
    return (big + small * u) / (1 + u)


def residual_terms(z: Extended, t: Extended) -> Extended:
    """Sum of the absolute terms of `residual`, which cancel."""
    return (1 - t) * sigmoid(z) + t * sigmoid(-z)


def cross_entropy(y: Extended, t: Extended) -> Extended:
    loss = -_times(t, np.log(y)) - _times(1 - t, np.log1p(-y))
    return np.where((y >= 0) & (y <= 1), loss, np.nan)


def cross_entropy_derivative(y: Extended, t: Extended) -> Extended:
    y = np.where((y >= 0) & (y <= 1), np.abs(y), np.nan)
    soft = (y - t) / (y * (1 - y))
    return np.where(t == 0, 1 / (1 - y), np.where(t == 1, -1 / y, soft))


def check(name: str, args: list[NDArray[Any]]) -> None:
    """Compare with multi-precision arithmetic at some points; ArithmeticError if it differs."""
    wide = wider(args[0].dtype)
    info = np.finfo(wide)
    near = np.abs(args[0]) < LARGEST_Z
    args = [arg[near][:CHECKED] for arg in args]
    got = globals()[name](*(arg.astype(wide) for arg in args))
    for value, *point in zip(got, *args, strict=True):
        exact = getattr(multiprecision, name)(*map(float, point))
        scale = residual_terms(*map(wide, point)) if name == "residual" else abs(value)
        with mpmath.workprec(multiprecision.PRECISION):
            error = abs(_exactly(value) - exact)
            allowed = _exactly(ROUNDINGS * info.eps) * _exactly(scale)
            allowed += _exactly(info.smallest_subnormal)
        if not error <= allowed:
            where = ", ".join(map(str, point))
            raise ArithmeticError(f"{wide.__name__} is not exact enough for {name}({where})")


def _exactly(value: Any) -> Any:
    """A floating-point number of any type, as an mpf."""
    mantissa, exponent = np.frexp(value)
    high = float(mantissa)
    return mpmath.ldexp(mpmath.mpf(high) + float(mantissa - high), int(exponent))
