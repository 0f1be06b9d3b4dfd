"""The softmax family over a row of K logits, one for each class, in float64 and in float32.

With m the largest logit of a row, and S the sum of e^(z_j - m) over all classes but one with this
logit:

    p_k = e^(z_k - m) / (1 + S)                log Σ e^z_j = m + log(1 + S)
    loss(t) = (m - z_t) + log(1 + S)           ∂loss / ∂z_k = p_k, or -Σ p_j (j ≠ t) for k = t

No step subtracts nearly equal numbers, so nothing is lost where one logit is far above the others:
there 1 + S rounds to 1, while S and log(1 + S) keep all their digits.

Error, with u = 2**-53.  In float64:

* z_k - m is kept together with its rounding error, which becomes a factor of the exponential.
* e^(z_k - m) is the sum 1 + r + r² P(r) of :mod:`fastlogit.kernels.exponential`, kept as high + low
  with a relative error below 2**-55.
* S is a sum without any rounding error, of terms that are rounded to a multiple of a fixed unit.
  This rounding gives S a relative error below 2**-57 up to 2**28 classes.
* Only the last addition or multiplication rounds: 0.5 ULP.  All that is neglected adds 0.2 ULP.

float32 logits are computed in float64 by shorter polynomials, and their results rounded once.
Their S has a relative error of at most K 2**-43.

Unit of sums.  In float64 the exponentials, S and log(1 + S) are kept multiplied by `RAISED`,
2**128, so that the low word of a tiny one is a normal number.  For float32 the unit is 1.

Order.  The sum S has the same bits in any order of the classes, and so for any vectors: see
`term`.  All other operations are those of a single class.  Adding a constant to all logits, if
that rounds none of them, changes no z_k - m, and so no bit either.

Special values.  A logit of -inf has probability 0.  One of NaN or inf makes the whole row NaN, and
so do logits that are all -inf, as there is no limit.  log Σ e^z_j has a limit for each infinity.

Sources.  For the sums see Demmel & Nguyen, Parallel Reproducible Summation (IEEE Transactions on
Computers, 2015).  For the shifted quotient see Blanchard, Higham & Higham, Accurately computing the
log-sum-exp and softmax functions (IMA Journal of Numerical Analysis, 2021).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastlogit.kernels import jit, lanes
from fastlogit.kernels.exponential import (
    LOG2_E,
    LOWERED,
    ONE_BITS,
    RAISED_ONE_BITS,
    SHIFT,
    exp_sum,
    exp_sum_float32,
    log1p_sum,
    log1p_sum_float32,
)
from fastlogit.kernels.ieee import (
    add_in_any_order,
    fast_two_sum,
    float64_bits,
    float64_from_bits,
    fma,
    two_product,
    two_sum,
)
from fastlogit.kernels.lane_operators import select, times_power, zero

# A choice at compile time, see :mod:`jit`: whether the logits are float32.
Float32 = Literal[True] | None
# Terms e^(z - m) and sums of them are kept multiplied by this.
RAISED = 2.0**128
# Even 2**64 times e^SMALLEST is below half the smallest subnormal.
SMALLEST = -790.0
# Below this the exponential of a float32 logit counts as 0: it must be a normal float64.
SMALLEST_FLOAT32 = -700.0
# A sum of distances above this is scaled down.
LARGE = 2.0**800
EXPONENT_BITS = np.int64(0x7FF0000000000000)
# Most terms that are added before the sum is split into high + low.
TERMS = 1024
# Units of the two words of a term, relative to the power of two next to the largest term; see
# `term`.
COARSE = 1.5 * TERMS
FINER = TERMS * 2.0**-53


# One class ----------------------------------------------------------------------------------


@jit.scalar
def exponential(z: float, largest: float, float32: Float32) -> tuple[float, float]:
    """``e^(z - largest)`` in the unit of sums, as high + low."""
    power, high, low = exponential_parts(z, largest, float32)
    return power * high, power * low


@jit.scalar
def exponential_parts(z: float, largest: float, float32: Float32) -> tuple[float, float, float]:
    """A power of two, and high + low: their product is what `exponential` returns."""
    if float32 is not None:
        a = z - largest
        far = a < SMALLEST_FLOAT32
        power, value = exp_sum_float32(select(far, SMALLEST_FLOAT32, a))
        return select(far, 0.0, power), value, zero(value)
    a, low = two_sum(z, -largest)
    far = a < SMALLEST
    return exp_sum(select(far, SMALLEST, a), select(far, 0.0, low))


@jit.scalar
def share(high: float, low: float, inverse: float, inverse_low: float, float32: Float32) -> float:
    """``(high + low) / (1 + S)``, for a number in the unit of sums."""
    if float32 is not None:
        return high * inverse
    return LOWERED * fma(high, inverse, fma(high, inverse_low, low * inverse))


@jit.scalar
def plus_log(value: float, low: float, log: float, log_low: float, float32: Float32) -> float:
    """``value + low + log(1 + S)``, for a logarithm in the unit of sums."""
    if float32 is not None:
        return value + log
    total, rest = two_sum(value, LOWERED * log)
    rest += low + LOWERED * log_low
    rounded = total + rest
    rounded = select(rounded == rounded, rounded, total)  # the rest of an infinite sum is NaN
    return select(value == 0.0, LOWERED * (log + log_low), rounded)


@jit.scalar
def loss(z: float, largest: float, log: float, log_low: float, float32: Float32) -> float:
    """``-log p`` of a class, for ``log(1 + S)`` in the unit of sums."""
    value, low = two_sum(largest, -z)
    return plus_log(value, low, log, log_low, float32)


@jit.scalar
def others(
    z: float, largest: float, e: float, e_low: float, s: float, s_low: float, float32: Float32
) -> tuple[float, float]:
    """``1 + S - e^(z - largest)`` in the unit of sums: the exponentials of all other classes."""
    total, total_low = two_sum(1.0 if float32 is not None else RAISED, s)
    total, rest = two_sum(total, -e)
    rest += total_low + (s_low - e_low)
    return (s, s_low) if z == largest else (total, rest)


# Sums over the classes ------------------------------------------------------------------------


@jit.scalar
def larger_two(z: float, largest: float, second: float) -> tuple[float, float]:
    """The larger two of `z`, `largest` and `second <= largest`, in order; NaN does not count."""
    smaller = select(z > largest, largest, z)
    return select(z > largest, z, largest), select(smaller > second, smaller, second)


@jit.scalar
def unit(second: float, largest: float, float32: Float32) -> float:
    """`COARSE` times the power of two next to ``e^(second - largest)``, in the unit of sums."""
    a = second - largest
    smallest = SMALLEST_FLOAT32 if float32 is not None else SMALLEST
    shifted = fma(select(a < smallest, smallest, a), LOG2_E, SHIFT)
    return COARSE * times_power(ONE_BITS if float32 is not None else RAISED_ONE_BITS, shifted)


@jit.scalar
def term(power: float, high: float, low: float, unit: float) -> tuple[float, float]:
    """``power (high + low)`` rounded to two words.

    With 2**k next to the largest of all terms, the first word is a multiple of 2**(k - 42), and the
    second a multiple of 2**(k - 85).  Both `TERMS` first words and `TERMS` second words have sums
    that fit into 53 bits, so these sums have no rounding error, in any order.
    """
    # A multiplication by a power of two is exact, and costs nothing in a fused multiply-add.
    first = fma(power, high, unit) - unit
    rest = fma(power, low, fma(power, high, -first))
    fine = FINER * unit
    return first, (rest + fine) - fine


@jit.scalar
def limit(largest: float, second: float) -> float:
    """Logits from this on do not count in S: the largest, or none if several are the largest."""
    return select(second == largest, np.inf, largest)


@jit.scalar
def start(largest: float, second: float, float32: Float32) -> float:
    """First term of S: -1 if all of several largest logits count; NaN for an infinite logit."""
    one = 1.0 if float32 is not None else RAISED
    return select(second == largest, -one, 0.0) + (largest - largest)


@jit.scalar
def inverse(s: float, s_low: float, float32: Float32) -> tuple[float, float]:
    """``1 / (1 + S)`` as high + low, for S in the unit of sums."""
    if float32 is not None:
        return 1.0 / (1.0 + s), zero(s)
    total, total_low = two_sum(1.0, LOWERED * s)
    total_low = fma(LOWERED, s_low, total_low)
    high = 1.0 / total
    return high, high * (fma(-total, high, 1.0) - total_low * high)


@jit.scalar
def log_total(s: float, s_low: float, float32: Float32) -> tuple[float, float]:
    """``log(1 + S)`` as high + low, in the unit of sums like S."""
    if float32 is not None:
        return log1p_sum_float32(s), 0.0
    return log1p_sum(s, s_low, LOWERED)


@jit.scalar
def joined(s: float, s_low: float, rest: float, rest_low: float) -> tuple[float, float]:
    """Sum of all first words and of all second words, both high + low, for any order of the terms.

    Two numbers whose sum is exact may be split in several ways.  Here the first is always the
    rounded sum.
    """
    s, s_low = fast_two_sum(s, s_low)
    rest, rest_low = two_sum(rest, rest_low)
    s, error = fast_two_sum(s, rest)
    return s, s_low + error + rest_low


# Soft targets ---------------------------------------------------------------------------------


@jit.scalar
def distance(z: float, t: float, largest: float, scale: float) -> tuple[float, float]:
    """``scale t (largest - z)`` as high + low, at least 0; 0 for ``t = 0``."""
    a, low = two_sum(largest, -z)
    high, rest = two_product(t, scale * a)
    rest = fma(t, scale * low, rest)
    return (0.0 if t == 0.0 else high), (rest if t != 0.0 and high < np.inf else 0.0)


@jit.scalar
def distance_scale(most: float) -> float:
    """Power of two that keeps sums of distances up to `most` finite."""
    return LOWERED if most > LARGE else 1.0


@jit.scalar
def distance_unit(most: float) -> float:
    """As `unit`, for sums of distances up to `most`, a scaled distance; 0 if it is infinite."""
    power = float64_from_bits(float64_bits(most) & EXPONENT_BITS)
    return COARSE * (power if power < np.inf else 0.0)


@jit.scalar
def soft_loss(
    high: float, low: float, scale: float, log: float, log_low: float, float32: Float32
) -> float:
    """Sum of a total distance, which is multiplied by `scale`, and ``log(1 + S)``."""
    # Where the scale is not 1, the logarithm is too small to matter.
    return plus_log(high, low, log, log_low, float32) / scale


@jit.scalar
def soft_residual(
    t: float,
    e: float,
    e_low: float,
    rest: float,
    rest_low: float,
) -> tuple[float, float]:
    """``(1 - t) e - t rest`` as high + low."""
    c, c_low = fast_two_sum(1.0, -t)
    own, own_low = two_product(c, e)
    other, other_low = two_product(t, rest)
    total, total_low = two_sum(own, -other)
    total_low += fma(c, e_low, fma(c_low, e, own_low)) - fma(t, rest_low, other_low)
    return total, total_low


# A row ----------------------------------------------------------------------------------------


@jit.scalar
def _largest_two(row: NDArray[Any]) -> tuple[float, float]:
    """Largest and second largest logit."""
    largest = second = -np.inf
    for k in range(row.size):
        largest, second = larger_two(np.float64(row[k]), largest, second)
    return largest, second


@jit.inner
def _total(row: NDArray[Any]) -> tuple[float, float, float]:
    """Largest logit, and S as high + low."""
    jit.wide_vectors(row)
    float32 = lanes.float32_flag(row)
    largest, second = _largest_two(row)
    coarse, end = unit(second, largest, float32), limit(largest, second)
    s, s_low, rest, rest_low = start(largest, second, float32), 0.0, 0.0, 0.0
    for first in range(0, row.size, TERMS):
        high = low = 0.0
        for k in range(first, min(first + TERMS, row.size)):
            z = np.float64(row[k])
            word, next_word = term(*exponential_parts(z, largest, float32), coarse)
            high = add_in_any_order(high, select(z >= end, 0.0, word))
            if float32 is None:
                low = add_in_any_order(low, select(z >= end, 0.0, next_word))
        s, error = two_sum(s, high)
        s_low += error
        rest, error = two_sum(rest, low)
        rest_low += error
    s, s_low = joined(s, s_low, rest, rest_low)
    return largest, s, s_low


@jit.inner
def softmax(row: NDArray[Any], out: NDArray[Any]) -> None:
    """Probabilities of K classes, p_k = e^z_k / Σ e^z_j.

    Parameters
    ----------
    row : float64 or float32 (K,)
        Logits; other numbers are converted to float64.
    out : array (K,)
        Place for the result; it may be `row`.

    Returns
    -------
    None
        It is put into `out`.

    Notes
    -----
    Raises nothing.  NaN or inf in the row gives NaN.
    :func:`fastlogit.softmax` has the derivation and the accuracy.
    """
    jit.wide_vectors(row)
    float32 = lanes.float32_flag(row)
    largest, s, s_low = _total(row)
    one, one_low = inverse(s, s_low, float32)
    for k in range(row.size):
        e, e_low = exponential(np.float64(row[k]), largest, float32)
        out[k] = share(e, e_low, one, one_low, float32)


@jit.inner
def log_softmax(row: NDArray[Any], out: NDArray[Any]) -> None:
    """Logarithms of the probabilities of K classes, z_k - log Σ e^z_j.

    Parameters
    ----------
    row : float64 or float32 (K,)
        Logits; other numbers are converted to float64.
    out : array (K,)
        Place for the result; it may be `row`.

    Returns
    -------
    None
        It is put into `out`.

    Notes
    -----
    Raises nothing.  NaN or inf in the row gives NaN.
    :func:`fastlogit.log_softmax` has the derivation and the accuracy.
    """
    jit.wide_vectors(row)
    float32 = lanes.float32_flag(row)
    largest, s, s_low = _total(row)
    log, log_low = log_total(s, s_low, float32)
    for k in range(row.size):
        out[k] = -loss(np.float64(row[k]), largest, log, log_low, float32)


@jit.inner
def log_sum_exp(row: NDArray[Any]) -> float:
    """Logarithm of a sum of exponentials, log Σ e^z_j.

    Parameters
    ----------
    row : float64 or float32 (K,)
        Logits; other numbers are converted to float64.

    Returns
    -------
    float64
        inf for an inf, -inf if all logits are -inf.

    Notes
    -----
    Raises nothing.  NaN in the row gives NaN.
    :func:`fastlogit.log_sum_exp` has the derivation and the accuracy.
    """
    float32 = lanes.float32_flag(row)
    largest, s, s_low = _total(row)
    log, log_low = log_total(s, s_low, float32)
    return (
        infinite_sum(row, largest)
        if abs(largest) == np.inf
        else plus_log(largest, 0.0, log, log_low, float32)
    )


@jit.inner
def infinite_sum(row: NDArray[Any], largest: float) -> float:
    """`largest`, which is infinite, or NaN if there is a NaN in the row."""
    for k in range(row.size):
        if np.isnan(row[k]):
            return np.nan
    return largest


@jit.inner
def _class_loss(row: NDArray[Any], t: int) -> float:
    float32 = lanes.float32_flag(row)
    largest, s, s_low = _total(row)
    log, log_low = log_total(s, s_low, float32)
    return loss(np.float64(row[t]), largest, log, log_low, float32)


@jit.inner
def _soft_loss(row: NDArray[Any], t: NDArray[Any]) -> float:
    float32 = lanes.float32_flag(row)
    largest, s, s_low = _total(row)
    log, log_low = log_total(s, s_low, float32)
    high, low, scale = total_distance(row, t, largest)
    return soft_loss(high, low, scale, log, log_low, float32)


@jit.inner
def total_distance(
    row: NDArray[Any], t: NDArray[Any], largest: float
) -> tuple[float, float, float]:
    """``Σ t (largest - z)`` as high + low, times a scale, which is the last result."""
    most = 0.0
    for k in range(row.size):
        high, _ = distance(np.float64(row[k]), np.float64(t[k]), largest, 1.0)
        most = high if high > most else most
    scale = distance_scale(most)
    coarse = distance_unit(most * scale)
    total, total_low, rest, rest_low = 0.0, 0.0, 0.0, 0.0
    for first in range(0, row.size, TERMS):
        high = low = 0.0
        for k in range(first, min(first + TERMS, row.size)):
            high_k, low_k = distance(np.float64(row[k]), np.float64(t[k]), largest, scale)
            word, next_word = term(1.0, high_k, low_k, coarse)
            high, low = add_in_any_order(high, word), add_in_any_order(low, next_word)
        total, error = two_sum(total, high)
        total_low += error
        rest, error = two_sum(rest, low)
        rest_low += error
    total, total_low = joined(total, total_low, rest, rest_low)
    return (np.inf if most == np.inf else total), total_low, scale


@jit.inner
def _class_residual(row: NDArray[Any], t: int, out: NDArray[Any]) -> None:
    jit.wide_vectors(row)
    float32 = lanes.float32_flag(row)
    largest, s, s_low = _total(row)
    one, one_low = inverse(s, s_low, float32)
    z = np.float64(row[t])
    e, e_low = exponential(z, largest, float32)
    rest, rest_low = others(z, largest, e, e_low, s, s_low, float32)
    for k in range(row.size):
        e, e_low = exponential(np.float64(row[k]), largest, float32)
        out[k] = share(e, e_low, one, one_low, float32)
    out[t] = -share(rest, rest_low, one, one_low, float32)


@jit.inner
def _soft_residual(row: NDArray[Any], t: NDArray[Any], out: NDArray[Any]) -> None:
    jit.wide_vectors(row)
    float32 = lanes.float32_flag(row)
    largest, s, s_low = _total(row)
    one, one_low = inverse(s, s_low, float32)
    for k in range(row.size):
        z = np.float64(row[k])
        e, e_low = exponential(z, largest, float32)
        rest, rest_low = others(z, largest, e, e_low, s, s_low, float32)
        high, low = soft_residual(np.float64(t[k]), e, e_low, rest, rest_low)
        out[k] = share(high, low, one, one_low, float32)


_loss = jit.by_target(_class_loss, _soft_loss)
_residual = jit.by_target(_class_residual, _soft_residual)


@jit.inner
def softmax_loss(row: NDArray[Any], t: int | NDArray[Any]) -> float:
    """Cross-entropy of a target and K logits, ξ = -Σ t_k log p_k.

    Parameters
    ----------
    row : float64 or float32 (K,)
        Logits; other numbers are converted to float64.
    t : int or array (K,)
        Class number, or probabilities; not checked.

    Returns
    -------
    float64
        At least 0, in nats.

    Notes
    -----
    Raises nothing.  NaN or inf in the row gives NaN.
    :func:`fastlogit.softmax_loss` has the derivation and the accuracy.
    """
    return _loss(row, t)


@jit.inner
def softmax_residual(row: NDArray[Any], t: int | NDArray[Any], out: NDArray[Any]) -> None:
    """Derivative of `softmax_loss` by each logit, p_k - t_k.

    Parameters
    ----------
    row : float64 or float32 (K,)
        Logits; other numbers are converted to float64.
    t : int or array (K,)
        Class number, or probabilities; not checked.
    out : array (K,)
        Place for the result; it may be `row`.

    Returns
    -------
    None
        It is put into `out`.

    Notes
    -----
    Raises nothing.  NaN or inf in the row gives NaN.
    :func:`fastlogit.softmax_residual` has the derivation and the accuracy.
    """
    _residual(row, t, out)
