"""σ of a float32 in float32 arithmetic: a vector holds twice as many elements as of float64.

The fraction for e^-z is that of :mod:`fastlogit.kernels.exponential`, with 24 bits.  z may have
either sign:

    e^-z = s N / D (1 - rest),   N = R + r,   D = R - r,   σ(z) = D / (D + s N (1 - rest))

* The difference r = -z - k log 2 is exact for log 2 rounded to float32.
* R and r are rounded to multiples of 2**-22, so that N and D are exact.
* `rest` is what these roundings lose, of log 2, r and R.  By the derivatives of N / D, the second
  counts 1 + r²/6 times, and the third r/2 times.
* D + s N has a low word, and the quotient one correction.

The error is at most 0.507 ULP, also of a subnormal result, which is rounded once.  Without the
error of R, and with two coefficients, σ would be 14 % faster and err by 0.74 ULP (Zen 4).
"""

from __future__ import annotations

import numpy as np

from fastlogit.kernels import jit
from fastlogit.kernels.exponential import EXP_FLOAT32
from fastlogit.kernels.ieee import float32_bits, float32_from_bits, fma_float32, two_sum

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
