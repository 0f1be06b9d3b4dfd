"""σ and logit of a float32 in float32 arithmetic: a vector holds 16 elements, and 8 of float64.

Both use the formulas of :mod:`fastlogit.kernels.exponential` with 24 bits.  `logit` has a docstring
of its own.  For σ, z may have either sign:

    e^-z = s N / D (1 - rest),   N = R + r,   D = R - r,   σ(z) = D / (D + s N (1 - rest))

* The difference r = -z - k log 2 is exact for log 2 rounded to float32.
* R and r are rounded to multiples of 2**-22, so that N and D are exact.
* `rest` is what these roundings lose, of log 2, r and R.  By the derivatives of N / D, the second
  counts 1 + r²/6 times, and the third r/2 times.
* D + s N has a low word, and the quotient one correction.

The error of σ is at most 0.507 ULP, also of a subnormal result, which is rounded once.  Without the
error of R, and with two coefficients, σ would be 14 % faster and err by 0.74 ULP (Zen 4).
"""

from __future__ import annotations

import numpy as np

from fastlogit.kernels import jit
from fastlogit.kernels.exponential import EXP_FLOAT32, LOG_FLOAT32
from fastlogit.kernels.ieee import (
    fast_two_sum,
    float32_bits,
    float32_from_bits,
    fma_float32,
    two_sum,
)

MINUS_LOG2_E = np.float32(-1.4426950408889634)
# log 2 and its rest.
LN2, LN2_REST = np.float32(0.6931471805599453), np.float32(-1.904654299957768e-09)
EXP = tuple(np.float32(coefficient) for coefficient in EXP_FLOAT32)

# Below the first σ is 0, and from 17.4 on it is 1.  Between the two, s is a normal number.
SMALLEST_Z, LARGEST_Z = -105.0, 64.0
# D and s are multiplied by this, as s may be 2**152.
LOWERED = np.float32(2.0**-26)
# Adding 1.5 * 2**23 rounds to an integer.  The bias of an exponent and the exponent of `LOWERED`
# are added as well: the low bits become the exponent of s.
SHIFT = np.float32(1.5 * 2.0**23 + 127.0 - 26.0)
MINUS_HALF, ONE, TWO, THREE = (np.float32(number) for number in (-0.5, 1.0, 2.0, 3.0))
MANTISSA = np.int32(23)

LOG = tuple(np.float32(coefficient) for coefficient in LOG_FLOAT32)
# log 2 to 16 bits, so that k times it is exact, and its rest as a share of that.
LN2_HIGH = 0.693145751953125
LN2_SHARE = np.float32((0.6931471805599453 - LN2_HIGH) / LN2_HIGH)
# Makes a subnormal probability a normal number.
UPSCALE, UPSCALE_EXPONENT = np.float32(2.0**24), 24
# They make k log 2 of the bits of a raised exponent.
LN2_PER_BIT = np.float32(LN2_HIGH * 2.0**-23)
RAISED_LN2 = np.float32(-UPSCALE_EXPONENT * LN2_HIGH)
HALF, ZERO = np.float32(0.5), np.float32(0.0)
HALF_EXPONENT, EXPONENT_MASK = np.int32(1 << 22), np.int32(-1 << 23)
# Raised exponents of the quotients of y between 0 and 1 are from -125 to 48.
SMALLEST_EXPONENT, EXPONENTS = np.int32(125 << 23), np.uint32((125 + 48) << 23)
INFINITY_BITS, SIGN = np.int32(0x7F800000), np.int32(31)


@jit.scalar
def sigmoid(z: float) -> np.float32:
    """σ(z) for a float32 z."""
    # LLVM would do comparisons after the rounding to float32 in float64: 28 % slower.
    z = SMALLEST_Z if z < SMALLEST_Z else z
    z = LARGEST_Z if z > LARGEST_Z else z
    shifted = fma_float32(z, MINUS_LOG2_E, SHIFT)
    k = shifted - SHIFT
    minus_r = fma_float32(k, LN2, z)
    minus_r_high = (minus_r + THREE) - THREE
    minus_r_low = minus_r - minus_r_high
    v = minus_r * minus_r
    tail = fma_float32(fma_float32(EXP[2], v, EXP[1]), v, EXP[0]) * v
    even = tail + TWO
    even_low = tail - (even - TWO)
    rest = fma_float32(k, LN2_REST, fma_float32(tail, minus_r_low, minus_r_low))
    rest = fma_float32(MINUS_HALF * even_low, minus_r_high, rest)
    s = float32_from_bits(float32_bits(shifted) << MANTISSA)

    n = s * (even - minus_r_high)
    d = LOWERED * (even + minus_r_high)
    total, total_low = two_sum(d, n)
    total_low = fma_float32(-n, rest, total_low)
    reciprocal = ONE / total
    y = d * reciprocal
    remainder = fma_float32(-y, total_low, fma_float32(-y, total, d))
    return fma_float32(remainder, reciprocal, y)


@jit.scalar
def logit(y: np.float32) -> np.float32:
    """Log-odds of a float32 y, within 0.52 ULP (measured for every float32).

    y / (1 - y) = 2**k n / d, and log(n / d) = 2 atanh(u / 2), where u = (n - d) / ((n + d) / 2).
    n - d is exact; 1 - y, the mean and the quotient have a low word.

    At y = 0 and 1, k is -151 and 127, out of the range of other probabilities.  The result is an
    infinity with the sign of k.  Outside [0, 1], y or 1 - y has a sign bit, and all bits of the
    result are set: a NaN.  Comparisons and selections for the four cases took 8 % longer (Zen 4).
    """
    y = np.float32(y)  # the caller passes it as a float64
    d = ONE - y
    d_low = (ONE - d) - y
    raised = fma_float32(y, UPSCALE, ZERO)  # 0 where y is -0
    outside = np.int32(float32_bits(raised) | float32_bits(d)) >> SIGN
    # As in `log_fraction`, but k remains in the bits of an exponent.
    difference = np.int32(float32_bits(raised) - float32_bits(d) + HALF_EXPONENT)
    exponent = np.int32(difference & EXPONENT_MASK)
    n = float32_from_bits(np.int32(float32_bits(raised) - exponent))
    k_ln2 = fma_float32(np.float32(exponent), LN2_PER_BIT, RAISED_LN2)

    top = n - d
    mean = fma_float32(HALF, top, d)
    mean_low = fma_float32(HALF, d_low, fma_float32(HALF, top, d - mean))
    reciprocal = ONE / mean
    u = top * reciprocal
    remainder = fma_float32(-u, mean_low, fma_float32(-u, mean, top) - d_low)
    u_low = remainder * reciprocal
    v = u * u
    p = fma_float32(fma_float32(LOG[3], v, LOG[2]), v, LOG[1])
    p = fma_float32(p, v, LOG[0])
    low = fma_float32(p * v, fma_float32(THREE, u_low, u), u_low)
    total, total_low = fast_two_sum(k_ln2, u)  # k is 0, or its product is the larger one
    z = total + (total_low + fma_float32(k_ln2, LN2_SHARE, low))

    inside = np.uint32(exponent + SMALLEST_EXPONENT) <= EXPONENTS
    bits = float32_bits(z) if inside else np.int32(exponent | INFINITY_BITS)
    return float32_from_bits(np.int32(bits | outside))
