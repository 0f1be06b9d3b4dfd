"""Exponential and logarithm as fractions that keep every digit: shared by the whole family.

Representation.  For ``a <= 0`` let k be the integer nearest to ``a / log 2``.  With
``r = a - k log 2`` (so ``|r| <= 0.35``) and ``s = 2**k``,

    e^a = s N / D,   N = R + r,   D = R - r,   R = r coth(r / 2) = 2 + r²/6 - r⁴/360 + ...

R is even in r, so five coefficients give it to 2**-57.  An error of R moves N and D in the same
direction, so only a sixth of it reaches their quotient.  The fraction needs no division of its
own: every function of the family is a quotient of N and D already, see
:mod:`fastlogit.kernels.logistic`.

:mod:`fastlogit.kernels.multinomial` needs e^a itself, for which the fraction would need a division.
There ``e^r = 1 + r + r² P(r)`` takes three quarters of the time (Zen 4), see `exp_sum`.

Error.  In float64 each quantity is an unevaluated sum, high + low:

* R and r are rounded to multiples of 2**-51.  The high words of N and D, their sum and their
  difference are therefore exact.
* What r loses by that, and the rest of k log 2, is a factor 1 + rest of e^a.  It goes into the low
  part of N.
* Each quotient takes one division, of 1 by the denominator.  A fused multiply-add removes the
  error of that reciprocal.
* Only the last addition rounds: 0.5 ULP.  Neglected terms add 0.04 ULP to a quotient and 0.1 ULP
  to a logarithm.  Most of the 0.1 comes from the first coefficient of atanh, and from w² where w is
  near 1/3.

Range.  a is clipped at -746, where e^a is below half the smallest subnormal.  Where s is a factor
of the whole result (a tail), the result is computed without s, or 2**128 times too large, and
multiplied by s or by 2**-128 at the end.  A subnormal result is then rounded twice, but loses
nothing else.

Branches.  There are none: NaN and infinities pass through comparisons that are written as
selections, so a loop over any of these functions vectorises.

Sources.  The fraction for e^r comes from fdlibm's ``e_exp.c`` (Sun Microsystems, 1993), without its
division.  For atanh in place of log1p see Muller et al., Handbook of Floating-Point Arithmetic,
section 10.2.  ``tests/references/coefficients.py`` generates the coefficients.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from fastlogit.kernels import jit
from fastlogit.kernels.ieee import (
    fast_two_sum,
    float64_bits,
    float64_from_bits,
    fma,
    two_product,
    two_sum,
)
from fastlogit.kernels.lane_operators import scaled, times_power

# Constants ----------------------------------------------------------------------------

LOG2_E = 1.4426950408889634
# log 2 and its rest.  One fused multiply-add gives a - k log 2 exactly: the difference is below 1/2
# and a multiple of 2**-53, or of the unit of a where that is finer.
LN2, LN2_REST = 0.6931471805599453, 2.3190468138462996e-17
# log 2 to 41 bits, so that k times it is exact for |k| <= 1077, and the rest.
LN2_HIGH, LN2_LOW = 0.693147180559663, 2.8235290563031577e-13

EXP = (
    0.1666666666666666,
    -0.0027777777777562864,
    6.613756470855508e-05,
    -1.6534058842837582e-06,
    4.1437096880780196e-08,
)
EXP_FLOAT32 = (
    0.16666666657699858,
    -0.002777764364817963,
    6.584008754695645e-05,
)
EXP_SUM = (
    0.5000000000000013,
    0.16666666666666685,
    0.041666666666511254,
    0.008333333333315925,
    0.0013888888948007556,
    0.00019841269898777627,
    2.4801488979752748e-05,
    2.755723272155007e-06,
    2.763160847860161e-07,
    2.5112716809089683e-08,
)
EXP_SUM_FLOAT32 = (
    0.5000000081293258,
    0.16666666790816595,
    0.04166626151829786,
    0.008333280296458858,
    0.0013946561893078955,
    0.0001990978332929668,
)
LOG1P = (
    0.6666666666666666,
    0.39999999999999525,
    0.285714285716001,
    0.2222222219823677,
    0.18181819897962714,
    0.1538454396486055,
    0.13335178631449257,
    0.11734279061303197,
    0.10845178394880015,
    0.07492143795550767,
    0.1563057780092285,
)
LOG1P_FLOAT32 = (
    0.3333333366026371,
    0.1999985316596486,
    0.14296178997151418,
    0.10853287900440187,
    0.11612164612011674,
)
LOG_FLOAT32 = (
    0.08333332648730993,
    0.0125003470925376,
    0.0022263478150477685,
    0.0004730456683263319,
)
LOG = (
    0.3333333333333333,
    0.20000000000000445,
    0.14285714285397969,
    0.11111111196726314,
    0.0909089772726325,
    0.07693124894098052,
    0.0663425165639738,
    0.06544722572623156,
)
LOG_QUOTIENT = (
    0.08333333333333333,
    0.012500000000002747,
    0.0022321428567888594,
    0.0004340277951352209,
    8.877799195066388e-05,
    1.8785474994597705e-05,
    4.030131219281258e-06,
    1.0404820071308552e-06,
)

# 2 atanh(w) / w lies between 2 and 2.08 for w <= 1/3.  The difference from the middle of that range
# is small, and so is its rounding error.
MIDDLE = 2.0390625

# Below this e^a is 0 in float64.
SMALLEST_Z = -746.0
# Beyond this, with either sign, e^a is 0 or infinite in float32, with a wide margin.
LARGEST_Z_FLOAT32 = 150.0

# Adding 1.5 * 2**52 rounds to an integer and leaves that integer in the low bits.
SHIFT = 6755399441055744.0
# The same with the bias of an exponent in the low bits, which become the exponent of 2**k.
BIASED_SHIFT = SHIFT + 1023.0
ONE_BITS = np.int64(0x3FF0000000000000)
# The power of two of a tail is kept multiplied by 2**128, which makes it a normal number.
RAISED_ONE_BITS = ONE_BITS + np.int64(128 << 52)
RAISED_SHIFT = SHIFT + 128.0
LOWERED = 2.0**-128
SMALLEST_SHIFTED = SHIFT - 1074.0
SQRT_HALF_BITS = np.int64(0x3FE6A09E667F3BCD)
HALF_EXPONENT = np.int64(1 << 51)
# 2**52 as bits: with an integer below 2**52 in its mantissa it becomes 2**52 plus that integer.
TWO_52_BITS = np.int64(0x4330000000000000)
EXPONENT_BIAS = 1023
# A subnormal probability times UPSCALE is a normal number.  Only one below TINY is multiplied by it
# before a division.
TINY = 2.0**-900
UPSCALE = 2.0**110
UPSCALE_EXPONENT = 110.0


# Arguments ------------------------------------------------------------------------------


@jit.scalar
def clip(z: float) -> float:
    """``-|z|``, at least `SMALLEST_Z`; NaN stays NaN."""
    a = -abs(z)
    return SMALLEST_Z if a < SMALLEST_Z else a


@jit.scalar
def clip_float32(z: float) -> float:
    """Z within ±`LARGEST_Z_FLOAT32`; NaN stays NaN."""
    z = -LARGEST_Z_FLOAT32 if z < -LARGEST_Z_FLOAT32 else z
    return LARGEST_Z_FLOAT32 if z > LARGEST_Z_FLOAT32 else z


# The exponential ------------------------------------------------------------------------


@jit.scalar
def exp_fraction(a: float) -> tuple[float, float, float, float, float]:
    """N, its low word, D, its low word, and ``s / LOWERED``, for ``SMALLEST_Z <= a <= 0``.

    s itself, 2**k, may be too small for a float64.
    """
    return _exp_fraction(a, fma(a, LOG2_E, SHIFT))


@jit.scalar
def exp_fraction_scaled(a: float) -> tuple[float, float, float, float, float]:
    """N, its low word, D, its low word and s, which is exact: as `exp_fraction`, but s itself.

    k is at least -1074, so r is at least -1.6.  For r below -0.35, N / D has 21 correct bits, and
    e^a is 0 or the smallest subnormal.
    """
    shifted = fma(a, LOG2_E, SHIFT)
    shifted = SMALLEST_SHIFTED if shifted < SMALLEST_SHIFTED else shifted
    n, n_low, d, d_low, power = _exp_fraction(a, shifted)
    return n, n_low, d, d_low, power * LOWERED


@jit.scalar
def _exp_fraction(a: float, shifted: float) -> tuple[float, float, float, float, float]:
    k = shifted - SHIFT
    r = fma(-k, LN2, a)
    # Multiples of 2**-51, like `even` below: their sum and difference are exact.
    r_high = (r + 3.0) - 3.0
    # e^a = s e^r_high (1 + rest).
    rest = fma(-k, LN2_REST, r - r_high)

    v = r * r
    tail = _even_tail(v)
    even = fma(tail, v, 2.0)
    even_low = fma(tail, v, 2.0 - even)
    n = even + r_high
    n_low = fma(n, rest, even_low)
    d = even - r_high

    power = float64_from_bits((float64_bits(shifted) << 52) + RAISED_ONE_BITS)
    return n, n_low, d, even_low, power


@jit.scalar
def exp_sum(a: float, a_low: float) -> tuple[float, float, float]:
    """``e^(a + a_low)`` as ``s / LOWERED`` and high + low, for ``-880 <= a <= 0``.

    The last term of 1 + r + r² P(r) is below 0.08 e^r, and so are the effects of all its rounding
    errors: the relative error is below 2**-55.
    """
    shifted = fma(a, LOG2_E, SHIFT)
    k = shifted - SHIFT
    r = fma(-k, LN2, a)
    rest = fma(-k, LN2_REST, a_low)
    start = 1.0 + r
    start_low = r - (start - 1.0)
    high, low = fast_two_sum(start, r * r * _exp_rest(r))
    power = times_power(RAISED_ONE_BITS, shifted)
    return power, high, fma(high, rest, low + start_low)


@jit.scalar
def exp_sum_float32(a: float) -> tuple[float, float]:
    """``e^a`` as s and a factor, for ``-708 <= a <= 0``, with a relative error below 2**-33."""
    shifted = fma(a, LOG2_E, BIASED_SHIFT)
    k = shifted - BIASED_SHIFT
    r = fma(-k, LN2, a)
    value = fma(r * r, _exp_rest_float32(r), 1.0 + r)
    return times_power(0, shifted), value


@jit.scalar
def exp_rounded(a: float, float32: Literal[True] | None) -> float:
    """``e^a`` for ``SMALLEST_Z <= a <= 0``; relative error 2**-52, or 2**-33 with `float32`."""
    shifted = fma(a, LOG2_E, RAISED_SHIFT)
    k = shifted - RAISED_SHIFT
    r = fma(-k, LN2, a)
    if float32 is None:
        r = fma(-k, LN2_REST, r)
        value = fma(r * r, _exp_rest(r), 1.0 + r)
    else:
        value = fma(r * r, _exp_rest_float32(r), 1.0 + r)
    return LOWERED * scaled(value, shifted)


@jit.scalar
def _exp_rest(r: float) -> float:
    """P(r), where ``e^r = 1 + r + r² P(r)``."""
    # Even and odd powers apart: two short chains instead of one long chain.
    v = r * r
    even = fma(EXP_SUM[8], v, EXP_SUM[6])
    odd = fma(EXP_SUM[9], v, EXP_SUM[7])
    even = fma(even, v, EXP_SUM[4])
    odd = fma(odd, v, EXP_SUM[5])
    even = fma(even, v, EXP_SUM[2])
    odd = fma(odd, v, EXP_SUM[3])
    even = fma(even, v, EXP_SUM[0])
    odd = fma(odd, v, EXP_SUM[1])
    return fma(odd, r, even)


@jit.scalar
def _exp_rest_float32(r: float) -> float:
    """The same with a relative error of e^r below 2**-33."""
    v = r * r
    even = fma(EXP_SUM_FLOAT32[4], v, EXP_SUM_FLOAT32[2])
    odd = fma(EXP_SUM_FLOAT32[5], v, EXP_SUM_FLOAT32[3])
    even = fma(even, v, EXP_SUM_FLOAT32[0])
    odd = fma(odd, v, EXP_SUM_FLOAT32[1])
    return fma(odd, r, even)


@jit.scalar
def exp_fraction_float32(a: float) -> tuple[float, float, float]:
    """N, D and s, for ``|a| <= LARGEST_Z_FLOAT32``; e^a has a relative error below 2**-38."""
    shifted = fma(a, LOG2_E, BIASED_SHIFT)
    k = shifted - BIASED_SHIFT
    r = fma(-k, LN2, a)
    even = _even_float32(r * r)
    return even + r, even - r, float64_from_bits(float64_bits(shifted) << 52)


@jit.scalar
def exp_fraction_reduced(a: float, float32: bool) -> tuple[float, float]:
    """``e^a`` as a numerator and a denominator, for ``SMALLEST_Z <= a <= 0``.

    Relative error a few times 2**-53; below 2**-38 with `float32`.
    """
    shifted = fma(a, LOG2_E, RAISED_SHIFT)
    k = shifted - RAISED_SHIFT
    r = fma(-k, LN2, a)
    r = r if float32 else fma(-k, LN2_REST, r)
    v = r * r
    even = _even_float32(v) if float32 else fma(_even_tail(v), v, 2.0)
    return LOWERED * scaled(even + r, shifted), even - r


@jit.scalar
def _even_tail(v: float) -> float:
    """``(R - 2) / v`` for ``v = r²``."""
    c = fma(EXP[4], v, EXP[3])
    c = fma(c, v, EXP[2])
    c = fma(c, v, EXP[1])
    return fma(c, v, EXP[0])


@jit.scalar
def _even_float32(v: float) -> float:
    """R for ``v = r²``, with a relative error below 2**-38."""
    c = fma(EXP_FLOAT32[2], v, EXP_FLOAT32[1])
    c = fma(c, v, EXP_FLOAT32[0])
    return fma(c, v, 2.0)


# Quotients ------------------------------------------------------------------------------


@jit.scalar
def denominator(n: float, n_low: float, d: float, d_low: float, s: float) -> tuple[float, float]:
    """``D + s N`` as high + low."""
    # Where s N is not exact, because it is subnormal, D + s N is D.
    share = s * n
    total = d + share
    return total, (share + (d - total)) + (s * n_low + d_low)


@jit.scalar
def quotient(n: float, n_low: float, d: float, d_low: float) -> tuple[float, float]:
    """``(n + n_low) / (d + d_low)`` as high + low, with one division."""
    reciprocal = 1.0 / d
    q = n * reciprocal
    return q, _remainder(q, n, n_low, d, d_low) * reciprocal


@jit.scalar
def rounded_quotient(n: float, n_low: float, d: float, d_low: float) -> float:
    """``(n + n_low) / (d + d_low)``, rounded once."""
    reciprocal = 1.0 / d
    q = n * reciprocal
    return fma(_remainder(q, n, n_low, d, d_low), reciprocal, q)


@jit.scalar
def _remainder(q: float, n: float, n_low: float, d: float, d_low: float) -> float:
    return fma(-q, d, n) + fma(-q, d_low, n_low)


# Logarithms -----------------------------------------------------------------------------


@jit.scalar
def log1p_fraction(n: float, n_low: float, d: float, d_low: float, s: float) -> tuple[float, float]:
    """``log(1 + s N / D) / s`` as high + low: 2 atanh(s q) / s with q = N / (2 D + s N)."""
    bottom, bottom_low = denominator(n, n_low, d + d, d_low + d_low, s)
    q, q_low = quotient(n, n_low, bottom, bottom_low)
    w = s * q
    v = w * w
    high, high_low = two_product(q, MIDDLE)
    q_low += q_low
    return high, fma(q, _arctanh_rest(v), fma(q_low, v, q_low) + high_low)


@jit.scalar
def log1p_sum(s: float, s_low: float, scale: float) -> tuple[float, float]:
    """``log(1 + scale (s + s_low)) / scale`` as high + low, for any ``s >= 0``."""
    total, total_low = two_sum(1.0, scale * s)
    total_low = fma(scale, s_low, total_low)
    # total = m 2**k, with m in [sqrt 1/2, sqrt 2); log m = 2 atanh((m - 1) / (m + 1)).
    k, power = _halves(float64_bits(total) - SQRT_HALF_BITS, 0.0)
    m = total * power
    up = 1.0 / scale
    top = s if k == 0.0 else (m - 1.0) * up
    top_low = s_low if k == 0.0 else total_low * power * up
    bottom, bottom_low = two_sum(m, 1.0)
    bottom_low = fma(total_low, power, bottom_low)
    twice_w, twice_w_low = quotient(top + top, top_low + top_low, bottom, bottom_low)
    w = scale * twice_w
    v = 0.25 * (w * w)
    high, low = two_sum(k * up * LN2_HIGH, twice_w)
    low += fma(_polynomial(v, LOG) * v, twice_w, fma(k * up, LN2_LOW, twice_w_low))
    return fast_two_sum(high, low)


@jit.scalar
def log1p_sum_float32(s: float) -> float:
    """``log(1 + s)`` for ``s >= 0``, with a relative error below 2**-34."""
    total = 1.0 + s
    k, power = _halves(float64_bits(total) - SQRT_HALF_BITS, 0.0)
    m = total * power
    top = s if k == 0.0 else m - 1.0
    return fma(k, LN2, _log_from_difference((top + top) / (m + 1.0)))


@jit.scalar
def log1p_fraction_reduced(n: float, d: float) -> float:
    """``log(1 + n / d)`` for ``0 <= n <= d``, with a relative error of a few times 2**-53."""
    w = n / (d + d + n)
    return fma(w, (MIDDLE - 2.0) + _arctanh_rest(w * w), w + w)


@jit.scalar
def log1p_fraction_float32(n: float, d: float) -> float:
    """``log(1 + n / d)`` for ``0 <= n <= d``, with a relative error below 2**-31."""
    w = n / (d + d + n)
    v = w * w
    p = fma(LOG1P_FLOAT32[4], v, LOG1P_FLOAT32[3])
    p = fma(p, v, LOG1P_FLOAT32[2])
    p = fma(p, v, LOG1P_FLOAT32[1])
    p = fma(p, v, LOG1P_FLOAT32[0])
    half = fma(p * v, w, w)
    return half + half


@jit.scalar
def _arctanh_rest(v: float) -> float:
    """``2 atanh(w) / w - MIDDLE`` for ``v = w²`` and ``w <= 1/3``."""
    # Even and odd powers apart: two short chains instead of one long chain.
    square = v * v
    odd = fma(LOG1P[10], square, LOG1P[8])
    even = fma(LOG1P[9], square, LOG1P[7])
    odd = fma(odd, square, LOG1P[6])
    even = fma(even, square, LOG1P[5])
    odd = fma(odd, square, LOG1P[4])
    even = fma(even, square, LOG1P[3])
    odd = fma(odd, square, LOG1P[2])
    even = fma(even, square, LOG1P[1])
    odd = fma(odd, square, LOG1P[0])
    even = fma(even, square, 2.0 - MIDDLE)
    return fma(odd, v, even)


@jit.scalar
def _polynomial(v: float, coefficients: tuple[float, ...]) -> float:
    """Polynomial of degree 7."""
    p = fma(coefficients[7], v, coefficients[6])
    p = fma(p, v, coefficients[5])
    p = fma(p, v, coefficients[4])
    p = fma(p, v, coefficients[3])
    p = fma(p, v, coefficients[2])
    p = fma(p, v, coefficients[1])
    return fma(p, v, coefficients[0])


@jit.scalar
def log_fraction(n: float, d: float, d_low: float) -> tuple[float, float]:
    """``log(n / (d + d_low))`` as high + low, for n in (0, 1] and d in [2**-53, 1]."""
    # The bits of a number, as an integer, are nearly a linear function of its logarithm.  So their
    # difference gives k that brings n / 2**k / d between 2**-0.59 and 2**0.59, without a division.
    n *= UPSCALE
    k, power = _halves(float64_bits(n) - float64_bits(d) + HALF_EXPONENT, UPSCALE_EXPONENT)
    n *= power
    # There n - d is exact, and log(n / d) = 2 atanh(u / 2) with u = 2 (n - d) / (n + d).
    difference = n - d
    top, top_low = fast_two_sum(difference, -d_low)
    bottom, bottom_low = fast_two_sum(d + d, difference)
    u, u_low = quotient(top + top, top_low + top_low, bottom, bottom_low + d_low)
    v = u * u
    high, low = fast_two_sum(k * LN2_HIGH, u)  # k is 0, or its product is the larger one
    return high, low + fma(_polynomial(v, LOG_QUOTIENT) * v, u, fma(k, LN2_LOW, u_low))


@jit.scalar
def two_logs_float32(y: float) -> tuple[float, float]:
    """``log(y)`` and ``log(1 - y)`` with one division; relative errors below 2**-34."""
    k, power = _halves(float64_bits(y) - SQRT_HALF_BITS, 0.0)
    other_k, other_power = _halves(float64_bits(1.0 - y) - SQRT_HALF_BITS, 0.0)
    # Both differences from 1 are exact, for tiny y as well.
    above, other_above = fma(y, power, -1.0), fma(-y, other_power, other_power - 1.0)
    bottom, other_bottom = above + 2.0, other_above + 2.0
    reciprocal = 2.0 / (bottom * other_bottom)
    return (
        fma(k, LN2, _log_from_difference(above * other_bottom * reciprocal)),
        fma(other_k, LN2, _log_from_difference(other_above * bottom * reciprocal)),
    )


@jit.scalar
def _halves(exponents: int, raised: float) -> tuple[float, float]:
    """``k - raised`` and ``2**-k``, for an exponent k: the high bits of `exponents`."""
    exponent = np.int64(np.uint64(exponents + ONE_BITS) >> np.uint64(52))
    k = float64_from_bits(TWO_52_BITS | exponent) - (2.0**52 + EXPONENT_BIAS + raised)
    return k, float64_from_bits((2 * EXPONENT_BIAS - exponent) << 52)


@jit.scalar
def _log_from_difference(u: float) -> float:
    """``2 atanh(u / 2)``, the logarithm of n / d with ``u = 2 (n - d) / (n + d) <= 0.401``."""
    v = u * u
    p = fma(LOG_FLOAT32[3], v, LOG_FLOAT32[2])
    p = fma(p, v, LOG_FLOAT32[1])
    p = fma(p, v, LOG_FLOAT32[0])
    return fma(p * v, u, u)


@jit.scalar
def minus_log(complement: float, p: float) -> float:
    """``-log(p)`` for normal p up to 1 and ``complement = 1 - p``, within a few 2**-53."""
    # p = m 2**k, with m in [sqrt 1/2, sqrt 2); the log of 1 / m is 2 atanh((1 - m) / (1 + m)).
    k, power = _halves(float64_bits(p) - SQRT_HALF_BITS, 0.0)
    m = p * power
    top = complement if k == 0.0 else 1.0 - m
    twice_w = (top + top) / (1.0 + m)  # w itself may underflow
    v = 0.25 * (twice_w * twice_w)
    return fma(-k, LN2, fma(twice_w * v, _polynomial(v, LOG), twice_w))
