"""One number in, one number out: the mathematics, in float64 and in float32.

Everything here follows from one representation.  With ``a = -|z|``, k the integer nearest
to ``a / log 2``, ``r = a - k log 2`` (so ``|r| <= 0.35``) and ``s = 2**k``,

    e^a = s N / D,   N = R + r,   D = R - r,   R = r coth(r / 2) = 2 + r²/6 - r⁴/360 + ...

R is even in r, so five coefficients give it to 2**-57; and as R moves N and D alike, its error
counts for only a sixth in their ratio.  The fraction costs no division of its own, because
every function of the family is a quotient in N and D already:

    σ(-|z|) = s N / (D + s N)              σ(|z|) = D / (D + s N)
    log(1 + e^-|z|) = 2 atanh(w),          w = s N / (2 D + s N) <= 1/3
    loss(z, t) = c |z| + log(1 + e^-|z|),  c = 1 - t where z >= 0, t where z < 0

No step subtracts nearly equal numbers: the two terms of the loss are never negative, so the
tails keep all their digits.  (Soft labels near σ(z) cancel in the residual because the
problem itself does.)

Error.  In float64 each quantity is an unevaluated sum, high + low.  R and r are rounded to
multiples of 2**-51, so that the high parts of N and D, their sum and difference, are exact; what
r loses by that, and the rest of k log 2, is a factor 1 + rest of e^a, in the low part of N.  The
one division of each quotient gives a reciprocal, whose error a fused multiply-add removes, and
only the last addition rounds: 0.5 ULP, and 0.04 from what is neglected; for the logarithms 0.1,
most of it from the first coefficient of atanh, and from w² where w is 1/3.  In float32 the same
formulas are evaluated plainly in float64, with shorter polynomials, and rounded once; for sums,
whose terms are not rounded, with the polynomials of float64.

Range.  z is clipped at -746, where e^z is below half the smallest subnormal.  Where s is a
factor of the whole result (a tail), the result is computed 2**128 times as large and multiplied
by 2**-128 at the end, so that a subnormal is rounded a second time but loses nothing.  NaN and
infinities pass through comparisons that are written as selections: there is no branch, so that
a loop over any function vectorises.

Flags.  Infinities as logits raise no floating-point flag.  NaN raises "invalid", as vectors are
ordered by instructions that signal it; NumPy turns that into a warning in a user's own ufunc (see
:mod:`fastlogit.kernels`).  To compare bits instead raises none and takes σ 5 % longer,
`cross_entropy_derivative` 11 to 24 % (measured on a Zen 4, in cache).

Cost.  For the elements of a vector, σ in float64 has one division, 22 multiplications, most of
them fused with an addition, 12 additions or comparisons and 8 others; log(1 + e^z) has one
division, 40, 22 and 9.  Where a processor multiplies and adds in units of their own, as Zen 4
does with 512 bits, the multiplications decide, and the division goes on beside them.

Sources: the fraction for e^r is that of fdlibm's ``e_exp.c`` (Sun Microsystems, 1993), here
without its division; atanh for log1p is Muller et al., Handbook of Floating-Point
Arithmetic, section 10.2; the coefficients come from ``tests/references/coefficients.py``.
"""

from __future__ import annotations

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

# Constants ----------------------------------------------------------------------------

LOG2_E = 1.4426950408889634
# log 2 and the rest of it.  a - k log 2 by one fused multiply-add is exact: a multiple of
# 2**-53 or of a finer unit of a, and below 1/2.
LN2, LN2_REST = 0.6931471805599453, 2.3190468138462996e-17
# The same with 41 bits, so that k times it is exact for |k| <= 1077.
LN2_HIGH, LN2_LOW = 0.693147180559663, 2.8235290563031577e-13

EXP = (
    0.1666666666666666,
    -0.0027777777777562864,
    6.613756470855508e-05,
    -1.6534058842837582e-06,
    4.1437096880780196e-08,
)
EXP_SHORT = (
    0.16666666657699858,
    -0.002777764364817963,
    6.584008754695645e-05,
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
LOG1P_SHORT = (
    0.3333333366026371,
    0.1999985316596486,
    0.14296178997151418,
    0.10853287900440187,
    0.11612164612011674,
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

# 2 atanh(w) / w lies between 2 and 2.08 for w <= 1/3.  What is added to the middle of that is
# small, and so is its rounding error.
MIDDLE = 2.0390625

# Below it e^z is 0 in float64.
SMALLEST_Z = -746.0
# Beyond it, with either sign, e^z is 0 or infinite in float32, with much room.
LARGEST_Z_FLOAT32 = 150.0

# Adding 1.5 * 2**52 rounds to an integer and leaves it in the low bits.
SHIFT = 6755399441055744.0
ONE_BITS = np.int64(0x3FF0000000000000)
# A power of two that belongs to a tail is kept multiplied by 2**128: a normal number.
RAISED_ONE_BITS = ONE_BITS + np.int64(128 << 52)
RAISED_SHIFT = SHIFT + 128.0
LOWERED = 2.0**-128
SQRT_HALF_BITS = np.int64(0x3FE6A09E667F3BCD)
# 2**52 as bits: an integer below 2**52 put into its mantissa is 2**52 plus that integer.
TWO_52_BITS = np.int64(0x4330000000000000)
EXPONENT_BIAS = 1023
# A probability below the first is scaled by the second before anything divides by it.
TINY = 2.0**-900
UPSCALE = 2.0**110
UPSCALE_EXPONENT = 110.0


# Parts shared by the functions ----------------------------------------------------------


@jit.scalar
def _even_tail(v: float) -> float:
    """``(R - 2) / v`` from ``v = r²``."""
    c = fma(EXP[4], v, EXP[3])
    c = fma(c, v, EXP[2])
    c = fma(c, v, EXP[1])
    return fma(c, v, EXP[0])


@jit.scalar
def _exp_fraction(a: float) -> tuple[float, float, float, float, float]:
    """For ``SMALLEST_Z <= a <= 0``: N, its low part, D, its low part, and ``s / LOWERED``.

    s itself, 2**k, may be too small for a float64.
    """
    shifted = fma(a, LOG2_E, SHIFT)
    k = shifted - SHIFT
    r = fma(-k, LN2, a)
    # Whole units of 2**-51, as `even` below: their sum and difference are exact.
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
def _even_short(v: float) -> float:
    """R from ``v = r²``, with a relative error below 2**-38."""
    c = fma(EXP_SHORT[2], v, EXP_SHORT[1])
    c = fma(c, v, EXP_SHORT[0])
    return fma(c, v, 2.0)


@jit.scalar
def _exp_fraction_short(a: float) -> tuple[float, float]:
    """For ``|a| <= LARGEST_Z_FLOAT32``: ``e^a`` as a numerator and a denominator.

    Relative error below 2**-38.
    """
    shifted = fma(a, LOG2_E, SHIFT)
    k = shifted - SHIFT
    r = fma(-k, LN2, a)
    even = _even_short(r * r)
    return _scaled(even + r, shifted), even - r


@jit.scalar
def _exp_fraction_plain(a: float, short: bool) -> tuple[float, float]:
    """The same for ``SMALLEST_Z <= a <= 0``; relative error a few times 2**-53 unless `short`."""
    shifted = fma(a, LOG2_E, RAISED_SHIFT)
    k = shifted - RAISED_SHIFT
    r = fma(-k, LN2, a)
    r = r if short else fma(-k, LN2_REST, r)
    v = r * r
    even = _even_short(v) if short else fma(_even_tail(v), v, 2.0)
    return LOWERED * _scaled(even + r, shifted), even - r


@jit.scalar
def _scaled(value: float, shifted: float) -> float:
    """``value * 2**k``, where that is a normal number; k is an integer plus a multiple of 2**51."""
    return float64_from_bits(float64_bits(value) + (float64_bits(shifted) << 52))


@jit.scalar
def _quotient(n: float, n_low: float, d: float, d_low: float) -> tuple[float, float]:
    """``(n + n_low) / (d + d_low)`` as high + low, with one division."""
    reciprocal = 1.0 / d
    q = n * reciprocal
    return q, _remainder(q, n, n_low, d, d_low) * reciprocal


@jit.scalar
def _rounded_quotient(n: float, n_low: float, d: float, d_low: float) -> float:
    """High + low of `_quotient`."""
    reciprocal = 1.0 / d
    q = n * reciprocal
    return fma(_remainder(q, n, n_low, d, d_low), reciprocal, q)


@jit.scalar
def _remainder(q: float, n: float, n_low: float, d: float, d_low: float) -> float:
    return fma(-q, d, n) + fma(-q, d_low, n_low)


@jit.scalar
def _total(n: float, n_low: float, d: float, d_low: float, s: float) -> tuple[float, float]:
    """``D + s N`` as high + low."""
    total = fma(s, n, d)
    return total, fma(s, n, d - total) + fma(s, n_low, d_low)


@jit.scalar
def _arctanh_rest(v: float) -> float:
    """``2 atanh(w) / w - MIDDLE`` from ``v = w²`` for ``w <= 1/3``."""
    # Even and odd powers apart: two short chains instead of a long one.
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
def _log1p_fraction_short(n: float, d: float) -> float:
    """``log(1 + n / d)`` for ``0 <= n <= d``, good to 2**-31: the float32 case."""
    w = n / (d + d + n)
    v = w * w
    p = fma(LOG1P_SHORT[4], v, LOG1P_SHORT[3])
    p = fma(p, v, LOG1P_SHORT[2])
    p = fma(p, v, LOG1P_SHORT[1])
    p = fma(p, v, LOG1P_SHORT[0])
    half = fma(p * v, w, w)
    return half + half


@jit.scalar
def _log1p_fraction_plain(n: float, d: float) -> float:
    """As `_log1p_fraction_short`, but with a relative error of a few times 2**-53."""
    w = n / (d + d + n)
    return fma(w, (MIDDLE - 2.0) + _arctanh_rest(w * w), w + w)


@jit.scalar
def _log_fraction(n: float, n_low: float, d: float, d_low: float) -> tuple[float, float]:
    """``log((n + n_low) / (d + d_low))`` as high + low, for n in (0, 1], d in [2**-53, 1]."""
    tiny = n < TINY
    n *= UPSCALE if tiny else 1.0
    # Divide by the power of two that brings the quotient into [sqrt 1/2, sqrt 2) ...
    biased = np.uint64((float64_bits(n / d) - SQRT_HALF_BITS) + ONE_BITS) >> np.uint64(52)
    exponent = np.int64(biased)
    k = float64_from_bits(TWO_52_BITS | exponent) - (2.0**52 + EXPONENT_BIAS)
    k -= UPSCALE_EXPONENT if tiny else 0.0
    power = float64_from_bits((2 * EXPONENT_BIAS - exponent) << 52)
    n *= power
    n_low *= power
    # ... where n - d is exact, and log(n / d) = 2 atanh((n - d) / (n + d)).
    top, top_low = two_sum(n - d, n_low - d_low)
    bottom, bottom_low = two_sum(n, d)
    bottom_low += n_low + d_low
    twice_w, twice_w_low = _quotient(2.0 * top, 2.0 * top_low, bottom, bottom_low)
    v = 0.25 * (twice_w * twice_w)
    p = fma(LOG[7], v, LOG[6])
    p = fma(p, v, LOG[5])
    p = fma(p, v, LOG[4])
    p = fma(p, v, LOG[3])
    p = fma(p, v, LOG[2])
    p = fma(p, v, LOG[1])
    p = fma(p, v, LOG[0])
    high, low = two_sum(k * LN2_HIGH, twice_w)
    low += fma(p * v, twice_w, fma(k, LN2_LOW, twice_w_low))
    return fast_two_sum(high, low)


@jit.scalar
def _clip(z: float) -> float:
    """``-|z|``, no smaller than `SMALLEST_Z`; NaN stays."""
    a = -abs(z)
    return SMALLEST_Z if a < SMALLEST_Z else a


# Float64 ------------------------------------------------------------------------------


@jit.scalar
def _hard_residual(z: float, t: float) -> float:
    # σ(z), or -σ(-z): s N / (D + s N) in the tail, D / (D + s N) elsewhere
    n, n_low, d, d_low, power = _exp_fraction(_clip(z))
    label = t != 0.0
    tail = (z < 0.0) != label
    total, total_low = _total(n, n_low, d, d_low, power * LOWERED)
    top = power * n if tail else d
    top_low = power * n_low if tail else d_low
    y = _rounded_quotient(top, top_low, total, total_low)
    y = LOWERED * y if tail else y
    return -y if label else y


@jit.scalar
def _hard_loss(z: float, t: float) -> float:
    # |z| + log(1 + e^-|z|), without |z| in the tail
    n, n_low, d, d_low, power = _exp_fraction(_clip(z))
    tail = (z < 0.0) != (t != 0.0)
    s = power * LOWERED
    high, low = _log1p_parts(n, n_low, d, d_low, s)
    size = 0.0 if tail else abs(z)
    share = 0.0 if size == np.inf else size  # as inf - inf would raise a floating-point flag
    scale = power if tail else s
    total, total_low = two_sum(share, scale * high)
    loss = total + fma(scale, low, total_low)
    loss = LOWERED * loss if tail else loss
    return size if size == np.inf else loss


@jit.scalar
def _log1p_parts(n: float, n_low: float, d: float, d_low: float, s: float) -> tuple[float, float]:
    """``log(1 + s N / D) / s`` as high + low: 2 atanh(s q) / s with q = N / (2 D + s N)."""
    bottom, bottom_low = _total(n, n_low, d + d, d_low + d_low, s)
    q, q_low = _quotient(n, n_low, bottom, bottom_low)
    w = s * q
    v = w * w
    high, high_low = two_product(q, MIDDLE)
    q_low += q_low
    return high, fma(q, _arctanh_rest(v), fma(q_low, v, q_low) + high_low)


@jit.scalar
def _sigmoid(z: float) -> float:
    return _hard_residual(z, 0.0)


@jit.scalar
def _sigmoid_derivative(z: float) -> float:
    # σ(z) σ(-z) = s N D / (D + s N)²
    n, n_low, d, d_low, power = _exp_fraction(_clip(z))
    s = power * LOWERED
    total, total_low = _total(n, n_low, d, d_low, s)
    n *= power
    n_low *= power
    top, top_low = two_product(n, d)
    top_low += fma(n, d_low, n_low * d)
    square, square_low = two_product(total, total)
    square_low += 2.0 * total * total_low
    return LOWERED * _rounded_quotient(top, top_low, square, square_low)


@jit.scalar
def _logistic_loss(z: float, t: float) -> float:
    # c |z| + log(1 + e^-|z|)
    n, n_low, d, d_low, power = _exp_fraction(_clip(z))
    infinite = abs(z) == np.inf
    size = 0.0 if infinite else abs(z)
    complement, complement_low = fast_two_sum(1.0, -t)
    c = t if z < 0.0 else complement
    c_low = 0.0 if z < 0.0 else complement_low
    tail = c == 0.0
    s = power * LOWERED
    high, low = _log1p_parts(n, n_low, d, d_low, s)
    scale = power if tail else s
    share, share_low = two_product(c, size)
    total, total_low = two_sum(share, scale * high)
    loss = total + (total_low + fma(scale, low, fma(c_low, size, share_low)))
    loss = LOWERED * loss if tail else loss
    return fma(c, np.inf if infinite & (not tail) else 0.0, loss)


@jit.scalar
def _residual(z: float, t: float) -> float:
    # (1 - t) σ(z) - t σ(-z) = (b D + c s N) / (D + s N)
    n, n_low, d, d_low, power = _exp_fraction(_clip(z))
    negative = z < 0.0
    complement, complement_low = fast_two_sum(1.0, -t)
    b = -t if negative else complement
    b_low = 0.0 if negative else complement_low
    c = complement if negative else -t
    c_low = complement_low if negative else 0.0
    tail = b == 0.0
    s = power * LOWERED
    total, total_low = _total(n, n_low, d, d_low, s)
    scale = power if tail else s
    n *= scale
    n_low *= scale
    big, big_low = two_product(b, d)
    small, small_low = two_product(c, n)
    top, top_low = two_sum(big, small)
    top_low += fma(b, d_low, fma(b_low, d, big_low))
    top_low += fma(c, n_low, fma(c_low, n, small_low))
    slope = _rounded_quotient(top, top_low, total, total_low)
    return LOWERED * slope if tail else slope


@jit.scalar
def _logit(y: float) -> float:
    complement, complement_low = fast_two_sum(1.0, -y)
    high, low = _log_fraction(y, 0.0, complement, complement_low)
    z = high + low
    z = -np.inf if y == 0.0 else z
    z = np.inf if y == 1.0 else z
    return z if 0.0 <= y <= 1.0 else np.nan


@jit.scalar
def _cross_entropy(y: float, t: float) -> float:
    complement, complement_low = fast_two_sum(1.0, -y)
    other, other_low = fast_two_sum(1.0, -t)
    log_y, log_y_low = _log_fraction(y, 0.0, 1.0, 0.0)
    log_rest, log_rest_low = _log_fraction(complement, complement_low, 1.0, 0.0)
    first, first_low = two_product(t, log_y)
    second, second_low = two_product(other, log_rest)
    total, total_low = two_sum(first, second)
    total_low += fma(t, log_y_low, first_low)
    total_low += fma(other, log_rest_low, fma(other_low, log_rest, second_low))
    loss = -(total + total_low)
    loss = (t * np.inf if t != 0.0 else 0.0) if y == 0.0 else loss
    loss = (other * np.inf if other != 0.0 else 0.0) if y == 1.0 else loss
    return loss if 0.0 <= y <= 1.0 else np.nan


@jit.scalar
def _cross_entropy_derivative(y: float, t: float) -> float:
    complement, complement_low = fast_two_sum(1.0, -y)
    scale = UPSCALE if y < TINY else 1.0
    top, top_low = two_sum(y * scale, -t * scale)
    bottom, bottom_low = two_product(y * scale, complement)
    slope, slope_low = _quotient(top, top_low, bottom, fma(y * scale, complement_low, bottom_low))
    # Far out in a tail the remainder is inf - inf; there the quotient alone is exact enough.
    slope += 0.0 if abs(slope) == np.inf else slope_low
    # 0 is not multiplied by infinity, also where the product would not be used: see Flags.
    slope = fma(-t, np.inf if t != 0.0 else 0.0, 1.0) if y == 0.0 else slope
    rest = 1.0 - t
    slope = fma(rest, np.inf if rest != 0.0 else 0.0, -1.0) if y == 1.0 else slope
    return slope if 0.0 <= y <= 1.0 else np.nan


# Float32, evaluated in float64 and rounded once -----------------------------------------


@jit.scalar
def _clip_short(z: float) -> float:
    z = -LARGEST_Z_FLOAT32 if z < -LARGEST_Z_FLOAT32 else z
    return LARGEST_Z_FLOAT32 if z > LARGEST_Z_FLOAT32 else z


@jit.scalar
def _sigmoid_short(z: float) -> float:
    n, d = _exp_fraction_short(_clip_short(z))  # of either sign: there are digits enough
    return n / (d + n)


@jit.scalar
def _sigmoid_derivative_short(z: float) -> float:
    n, d = _exp_fraction_short(_clip_short(z))
    total = d + n
    return n * d / (total * total)


@jit.scalar
def _hard_residual_from(z: float, t: float, n: float, d: float) -> float:
    label = t != 0.0
    y = (n if (z < 0.0) != label else d) / (d + n)
    return -y if label else y


@jit.scalar
def _hard_loss_from(z: float, t: float, log_term: float) -> float:
    return (0.0 if (z < 0.0) != (t != 0.0) else abs(z)) + log_term


@jit.scalar
def _residual_from(z: float, t: float, n: float, d: float) -> float:
    big = -t if z < 0.0 else -(t - 1.0)  # -0, not 0, where t is 1: the sign of a lost tail
    small = 1.0 - t if z < 0.0 else -t
    return fma(big, d, small * n) / (d + n)


@jit.scalar
def _loss_from(z: float, t: float, log_term: float) -> float:
    c = t if z < 0.0 else 1.0 - t
    size = 0.0 if c == 0.0 else abs(z)
    return fma(c, size, log_term)


@jit.scalar
def _hard_loss_short(z: float, t: float) -> float:
    n, d = _exp_fraction_short(_clip_short(-abs(z)))
    return _hard_loss_from(z, t, _log1p_fraction_short(n, d))


@jit.scalar
def _logistic_loss_short(z: float, t: float) -> float:
    n, d = _exp_fraction_short(_clip_short(-abs(z)))
    return _loss_from(z, t, _log1p_fraction_short(n, d))


@jit.scalar
def _residual_short(z: float, t: float) -> float:
    n, d = _exp_fraction_short(_clip_short(-abs(z)))
    return _residual_from(z, t, n, d)


# For sums, whose error shows in float64.


@jit.scalar
def _hard_loss_plain(z: float, t: float) -> float:
    n, d = _exp_fraction_plain(_clip(z), False)
    return _hard_loss_from(z, t, _log1p_fraction_plain(n, d))


@jit.scalar
def _hard_residual_plain(z: float, t: float) -> float:
    n, d = _exp_fraction_plain(_clip(z), False)
    return _hard_residual_from(z, t, n, d)


@jit.scalar
def _logistic_loss_plain(z: float, t: float) -> float:
    n, d = _exp_fraction_plain(_clip(z), False)
    return _loss_from(z, t, _log1p_fraction_plain(n, d))


@jit.scalar
def _residual_plain(z: float, t: float) -> float:
    n, d = _exp_fraction_plain(_clip(z), False)
    return _residual_from(z, t, n, d)


@jit.scalar
def loss_and_residual(z: float, t: float, short: bool) -> tuple[float, float]:
    """Terms of the loss and of the gradient for a z that is itself the result of a sum.

    Relative error a few times 2**-53, or 2**-31 if `short`; of the residual relative to
    (1 - t) σ(z) + t σ(-z).
    """
    n, d = _exp_fraction_plain(_clip(z), short)
    log_term = _log1p_fraction_short(n, d) if short else _log1p_fraction_plain(n, d)
    return _loss_from(z, t, log_term), _residual_from(z, t, n, d)


@jit.scalar
def short_sigmoid(z: float) -> float:
    """σ(z), for a result that is rounded to float32: relative error below 2**-37."""
    return _sigmoid_short(z)


@jit.scalar
def curvature(z: float) -> float:
    """σ(z) σ(-z) in the same way; relative error a few times 2**-53."""
    n, d = _exp_fraction_plain(_clip(z), False)
    total = d + n
    return n / total * (d / total)


# What is exported: one name for both precisions ------------------------------------------

# For sums: not rounded to float32.  Where every t is 0 or 1 the hard ones give the same bits
# with a fifth less work.
loss_term = jit.by_precision(_logistic_loss_plain, _logistic_loss, rounded=False)
residual_term = jit.by_precision(_residual_plain, _residual, rounded=False)
hard_loss_term = jit.by_precision(_hard_loss_plain, _hard_loss, rounded=False)
hard_residual_term = jit.by_precision(_hard_residual_plain, _hard_residual, rounded=False)

_any_sigmoid = jit.by_precision(_sigmoid_short, _sigmoid, rounded=True)
_any_derivative = jit.by_precision(_sigmoid_derivative_short, _sigmoid_derivative, rounded=True)
_any_hard_loss = jit.by_precision(_hard_loss_short, _hard_loss, rounded=True)
_any_loss = jit.by_precision(_logistic_loss_short, _logistic_loss, rounded=True)
_any_residual = jit.by_precision(_residual_short, _residual, rounded=True)
_any_logit = jit.by_precision(_logit, _logit, rounded=True)
_any_cross_entropy = jit.by_precision(_cross_entropy, _cross_entropy, rounded=True)
_any_cross_entropy_derivative = jit.by_precision(
    _cross_entropy_derivative, _cross_entropy_derivative, rounded=True
)


@jit.scalar
def sigmoid(z: float) -> float:
    """Logistic function, σ(z) = 1 / (1 + e^-z).

    Parameters
    ----------
    z : float64 or float32
        Logit; other numbers are taken as float64.

    Returns
    -------
    float64, or float32 of float32
        In [0, 1]; NaN of NaN.

    Notes
    -----
    Raises nothing.  :func:`fastlogit.sigmoid` derives it, and says how exact.
    """
    return _any_sigmoid(z)


@jit.scalar
def sigmoid_derivative(z: float) -> float:
    """Derivative of the logistic function, σ(z) σ(-z).

    Parameters
    ----------
    z : float64 or float32
        Logit; other numbers are taken as float64.

    Returns
    -------
    float64, or float32 of float32
        In [0, 1/4]; NaN of NaN.

    Notes
    -----
    Raises nothing.  :func:`fastlogit.sigmoid_derivative` derives it, and says how exact.
    """
    return _any_derivative(z)


@jit.scalar
def log_sigmoid(z: float) -> float:
    """Logarithm of the logistic function, log σ(z) = -log(1 + e^-z).

    Parameters
    ----------
    z : float64 or float32
        Logit; other numbers are taken as float64.

    Returns
    -------
    float64, or float32 of float32
        At most 0; NaN of NaN.

    Notes
    -----
    Raises nothing.  :func:`fastlogit.log_sigmoid` derives it, and says how exact.
    """
    return -_any_hard_loss(z, True)


@jit.scalar
def softplus(z: float) -> float:
    """Softplus, log(1 + e^z) = -log σ(-z).

    Parameters
    ----------
    z : float64 or float32
        Logit; other numbers are taken as float64.

    Returns
    -------
    float64, or float32 of float32
        At least 0; NaN of NaN.

    Notes
    -----
    Raises nothing.  :func:`fastlogit.softplus` derives it, and says how exact.
    """
    return _any_hard_loss(z, False)


@jit.scalar
def logit(y: float) -> float:
    """Log-odds, log(y / (1 - y)): the inverse of the logistic function.

    Parameters
    ----------
    y : float64 or float32
        Probability; other numbers are taken as float64.

    Returns
    -------
    float64, or float32 of float32
        NaN outside [0, 1], infinite at both ends; NaN of NaN.

    Notes
    -----
    Raises nothing.  :func:`fastlogit.logit` derives it, and says how exact.
    """
    return _any_logit(y)


@jit.scalar
def logistic_loss(z: float, t: float) -> float:
    """Cross-entropy of a target and a logit, -t log σ(z) - (1 - t) log σ(-z).

    Parameters
    ----------
    z : float64 or float32
        Logit; other numbers are taken as float64.
    t : number
        Target in [0, 1]; not checked.

    Returns
    -------
    float64, or float32 of float32
        At least 0; NaN of NaN.

    Notes
    -----
    Raises nothing.  :func:`fastlogit.logistic_loss` derives it, and says how exact.
    """
    return _any_loss(z, t)


@jit.scalar
def residual(z: float, t: float) -> float:
    """Derivative of `logistic_loss` by z, σ(z) - t.

    Parameters
    ----------
    z : float64 or float32
        Logit; other numbers are taken as float64.
    t : number
        Target in [0, 1]; not checked.

    Returns
    -------
    float64, or float32 of float32
        In [-1, 1]; NaN of NaN.

    Notes
    -----
    Raises nothing.  :func:`fastlogit.residual` derives it, and says how exact.
    """
    return _any_residual(z, t)


@jit.scalar
def cross_entropy(y: float, t: float) -> float:
    """Cross-entropy of a target and a probability, -t log y - (1 - t) log(1 - y).

    Parameters
    ----------
    y : float64 or float32
        Probability; other numbers are taken as float64.
    t : number
        Target in [0, 1]; not checked.

    Returns
    -------
    float64, or float32 of float32
        At least 0; NaN for y outside [0, 1]; NaN of NaN.

    Notes
    -----
    Raises nothing.  :func:`fastlogit.cross_entropy` derives it, and says how exact.
    """
    return _any_cross_entropy(y, t)


@jit.scalar
def cross_entropy_derivative(y: float, t: float) -> float:
    """Derivative of `cross_entropy` by y, (y - t) / (y (1 - y)).

    Parameters
    ----------
    y : float64 or float32
        Probability; other numbers are taken as float64.
    t : number
        Target in [0, 1]; not checked.

    Returns
    -------
    float64, or float32 of float32
        NaN for y outside [0, 1]; NaN of NaN.

    Notes
    -----
    Raises nothing.  :func:`fastlogit.cross_entropy_derivative` derives it, and says how exact.
    """
    return _any_cross_entropy_derivative(y, t)
