"""The logistic family: one number in, one number out, in float64 and in float32.

Every function is a quotient of N and D, where ``e^-|z| = s N / D`` is the fraction of
:mod:`fastlogit.kernels.exponential`, or a logarithm of such a quotient:

    σ(-|z|) = s N / (D + s N)              σ(|z|) = D / (D + s N)
    log(1 + e^-|z|) = 2 atanh(w),          w = s N / (2 D + s N) <= 1/3
    loss(z, t) = c |z| + log(1 + e^-|z|),  c = 1 - t where z >= 0, t where z < 0

No step subtracts nearly equal numbers: N, D and both terms of the loss are never negative, so the
tails keep all their digits.  (Soft targets near σ(z) cancel in the residual because the problem
itself does.)

Each function has up to two versions:

=============  ==============================================================================
``name``       float64, accurate to 0.6 ULP: compensated arithmetic, rounded once
``_float32``   for float32: float64 arithmetic with shorter polynomials, to 2**-30 or better;
               the caller rounds the result to float32
=============  ==============================================================================

`sigmoid_float32` is for the logits of a pass, which are float64.  For float32 arguments, σ and
`logit` in float32 arithmetic are faster: :mod:`fastlogit.kernels.float32`.

The docstring of a float64 function derives its formula.  It is also the text of the public
function's docstring: :mod:`fastlogit.kernels.functions` lists the functions that are exported.

Floating-point flags.  Infinite logits raise none.  NaN raises "invalid", because vector
instructions that order numbers signal it; NumPy turns that into a warning in a user's own ufunc
(see :mod:`fastlogit.kernels`).  Comparing bits instead would raise none, but σ would take 5 %
longer and `cross_entropy_derivative` 11 to 24 % (measured on a Zen 4, in cache).

Cost.  For an element of a vector, σ in float64 takes one division, 19 multiplications (most of them
fused with an addition), 16 additions or comparisons and 7 other operations; log(1 + e^z) takes one
division, 39, 28 and 6.  On a processor with separate units for multiplication and addition, as a
Zen 4 has for 512 bits, the multiplications decide and the division runs beside them.
"""

from __future__ import annotations

import numpy as np

from fastlogit.kernels import jit
from fastlogit.kernels.exponential import (
    LOWERED,
    TINY,
    UPSCALE,
    clip,
    clip_float32,
    denominator,
    exp_fraction,
    exp_fraction_float32,
    exp_fraction_reduced,
    exp_fraction_scaled,
    log1p_fraction,
    log1p_fraction_float32,
    log1p_fraction_reduced,
    log_fraction,
    quotient,
    rounded_quotient,
    two_logs_float32,
)
from fastlogit.kernels.ieee import fast_two_sum, fma, two_product, two_sum

LARGEST = np.finfo(np.float64).max  # finite
# Float64 ------------------------------------------------------------------------------


@jit.scalar
def sigmoid(z: float) -> float:
    """Logistic function, σ(z) = 1 / (1 + e^-z): the probability of t = 1 at logit z.

    A logistic model says that the logarithm of the odds is a sum of effects,
    z = X @ coef + intercept.  With y the probability of t = 1 and 1 - y that of t = 0, the odds are
    y / (1 - y) = e^z.  Solving for y gives y = e^z / (1 + e^z) = σ(z).

    Exchanging the two classes turns z into -z: σ(-z) = 1 - σ(z).  Use ``sigmoid(-z)`` for the
    probability of t = 0: it is exact in its tail too, where ``1 - sigmoid(z)`` has no digits left.

    The computation starts from u = e^-|z|, which cannot overflow: σ(z) is 1 / (1 + u) for z >= 0
    and u / (1 + u) for z < 0.  Both are quotients of positive numbers, so nothing cancels.
    """
    return _label_residual(z, 0.0)


@jit.scalar
def sigmoid_derivative(z: float) -> float:
    """Derivative of the logistic function, σ'(z) = σ(z) σ(-z).

    With σ = (1 + e^-z)^-1, the chain rule gives σ' = e^-z (1 + e^-z)^-2.  This is the product of
    σ(z) = 1 / (1 + e^-z) and σ(-z) = e^-z / (1 + e^-z).  With y = σ(z) it is y (1 - y), the
    variance of a label.

    It is computed from u = e^-|z| as u / (1 + u)².  The form y (1 - y) would lose all digits of
    1 - y where y is nearly 1.
    """
    # s N D / (D + s N)²
    n, n_low, d, d_low, power = exp_fraction(clip(z))
    s = power * LOWERED
    total, total_low = denominator(n, n_low, d, d_low, s)
    n *= power
    n_low *= power
    top, top_low = two_product(n, d)
    top_low += fma(n, d_low, n_low * d)
    square, square_low = two_product(total, total)
    square_low += 2.0 * total * total_low
    return LOWERED * rounded_quotient(top, top_low, square, square_low)


@jit.scalar
def log_sigmoid(z: float) -> float:
    """Logarithm of the logistic function, log σ(z) = -log(1 + e^-z): the log-likelihood of t = 1.

    It equals -`softplus` (-z) and is computed as min(z, 0) - log(1 + e^-|z|).
    """
    return -_label_loss(z, 1.0)


@jit.scalar
def softplus(z: float) -> float:
    """Softplus, log(1 + e^z) = -log σ(-z): the loss of t = 0, and the integral of σ.

    The sum 1 + e^z loses e^z where it is small and overflows where it is large.  For z > 0, taking
    e^z out of the logarithm avoids both.  For either sign the result is max(z, 0) + log(1 + u) with
    u = e^-|z| <= 1.  That logarithm is 2 atanh(u / (2 + u)), a series in a number of at most 1/3,
    which is exact where u is tiny.
    """
    return _label_loss(z, 0.0)


@jit.scalar
def logit(y: float) -> float:
    """Log-odds, log(y / (1 - y)): the inverse of the logistic function.

    The odds of t = 1 are y / (1 - y): 1 where both classes are equally likely, 3 for y = 3/4 and
    1/3 for y = 1/4.  Their logarithms are 0, log 3 and -log 3.  The log-odds have no bounds, and
    change sign when the classes are exchanged.  A linear model therefore predicts them and not y;
    see `sigmoid`.

    1 - y is kept together with its rounding error.  The quotient is divided by a power of two that
    brings it near 1; the logarithm of the power is a multiple of log 2.  The logarithm of the
    rest, n / d, is 2 atanh((n - d) / (n + d)), where n - d is exact.  A z near 0, where y is near
    1/2, therefore has all its digits.
    """
    complement, complement_low = fast_two_sum(1.0, -y)
    high, low = log_fraction(y, complement, complement_low)
    z = high + low
    z = -np.inf if y == 0.0 else z
    z = np.inf if y == 1.0 else z
    return z if 0.0 <= y <= 1.0 else np.nan


@jit.scalar
def logistic_loss(z: float, t: float) -> float:
    """Cross-entropy of a target and a logit, ξ = -t log σ(z) - (1 - t) log σ(-z).

    A model that gives t = 1 the probability y = σ(z) gives a label t the probability
    y^t (1 - y)^(1 - t), which is y for t = 1 and 1 - y for t = 0.  The likelihood of n independent
    labels is the product of n such probabilities.

    The loss is the negative logarithm of the likelihood: -log y or -log(1 - y) for each label.  The
    logarithm has its maximum at the same place as the likelihood, and is a sum.  A sum has simple
    derivatives, while a product of some thousand probabilities underflows in float64.  For t
    between 0 and 1 the loss is the cross-entropy of the distributions (t, 1 - t) and (y, 1 - y).
    It is smallest at y = t, where it is the entropy of t.

    It is computed as c |z| + log(1 + e^-|z|), with c = 1 - t for z >= 0 and c = t for z < 0.
    Neither term is negative, so nothing cancels.  (In log(1 + e^z) - t z the two terms are nearly
    equal for t = 1 and large z.)
    """
    n, n_low, d, d_low, power = exp_fraction(clip(z))
    infinite = abs(z) == np.inf
    size = 0.0 if infinite else abs(z)
    complement, complement_low = fast_two_sum(1.0, -t)
    c = t if z < 0.0 else complement
    c_low = 0.0 if z < 0.0 else complement_low
    tail = c == 0.0
    s = power * LOWERED
    high, low = log1p_fraction(n, n_low, d, d_low, s)
    scale = power if tail else s
    share, share_low = two_product(c, size)
    total, total_low = two_sum(share, scale * high)
    loss = total + (total_low + fma(scale, low, fma(c_low, size, share_low)))
    loss = LOWERED * loss if tail else loss
    return fma(c, np.inf if infinite & (not tail) else 0.0, loss)


@jit.scalar
def residual(z: float, t: float) -> float:
    """Derivative of `logistic_loss` by z, ∂ξ/∂z = σ(z) - t.

    By the chain rule ∂ξ/∂z = ∂ξ/∂y · ∂y/∂z with y = σ(z).  The first factor is (y - t) / (y (1 -
    y)), see `cross_entropy_derivative`; the second is y (1 - y), see `sigmoid_derivative`.  Their
    product is y - t.  However wrong a prediction is, its pull on z is at most 1.

    It is computed as (1 - t) σ(z) - t σ(-z).  For t = 0 and for t = 1 only one of the terms is
    left, where σ(z) - 1 would have no digits for large z.
    """
    # (b D + c s N) / (D + s N)
    n, n_low, d, d_low, s = exp_fraction_scaled(clip(z))
    negative = z < 0.0
    complement, complement_low = fast_two_sum(1.0, -t)
    b = -t if negative else complement
    c = complement if negative else -t
    tail = b == 0.0
    total, total_low = denominator(n, n_low, d, d_low, s)
    n = n if tail else s * n
    n_low = n_low if tail else s * n_low
    big, big_low = two_product(b, d)
    small, small_low = two_product(c, n)
    top, top_low = two_sum(big, small)
    top_low += fma(b, d_low, big_low)
    top_low += fma(complement_low, n if negative else d, fma(c, n_low, small_low))
    slope = rounded_quotient(top, top_low, total, total_low)
    return slope * (s if tail else 1.0)


@jit.scalar
def cross_entropy(y: float, t: float) -> float:
    """Cross-entropy of a target and a probability, ξ = -t log y - (1 - t) log(1 - y).

    This is the negative log-likelihood of a label, as derived for `logistic_loss`.  Prefer
    `logistic_loss` if you have the logit: a probability next to 1 has lost the digits of its
    distance from 1.

    1 - y and both logarithms are kept together with their rounding errors, and neither term is
    negative.
    """
    complement, complement_low = fast_two_sum(1.0, -y)
    other, other_low = fast_two_sum(1.0, -t)
    log_y, log_y_low = log_fraction(y, 1.0, 0.0)
    minus_log_rest, minus_log_rest_low = log_fraction(1.0, complement, complement_low)
    first, first_low = two_product(t, log_y)
    second, second_low = two_product(other, minus_log_rest)
    total, total_low = two_sum(second, -first)
    total_low -= fma(t, log_y_low, first_low)
    total_low += fma(other, minus_log_rest_low, fma(other_low, minus_log_rest, second_low))
    loss = total + total_low
    c = t if y == 0.0 else other
    # 0 times infinity would raise a flag, even where the product is not selected.
    edge = c * (np.inf if c != 0.0 else 0.0)
    loss = edge if y == 0.0 else loss
    loss = edge if y == 1.0 else loss
    return loss if 0.0 <= y <= 1.0 else np.nan


@jit.scalar
def cross_entropy_derivative(y: float, t: float) -> float:
    """Derivative of `cross_entropy` by y, ∂ξ/∂y = (y - t) / (y (1 - y)).

    The terms -t log y and -(1 - t) log(1 - y) have the derivatives -t / y and (1 - t) / (1 - y).
    Over their common denominator the sum is (-t (1 - y) + (1 - t) y) / (y (1 - y)).  In the
    numerator t y cancels, and y - t remains.  This derivative has no bound where y is certain and
    wrong; the derivative by z has one, see `residual`.

    y - t, 1 - y and the product are kept together with their rounding errors.
    """
    complement, complement_low = fast_two_sum(1.0, -y)
    scale = UPSCALE if y < TINY else 1.0
    top, top_low = two_sum(y * scale, -t * scale)
    bottom, bottom_low = two_product(y * scale, complement)
    slope, slope_low = quotient(top, top_low, bottom, fma(y * scale, complement_low, bottom_low))
    # Far out in a tail the low word is inf - inf; there the quotient alone is exact enough.
    slope += 0.0 if abs(slope) == np.inf else slope_low
    # 0 times infinity would raise a flag, even where the product is not selected.
    slope = fma(-t, np.inf if t != 0.0 else 0.0, 1.0) if y == 0.0 else slope
    rest = 1.0 - t
    slope = fma(rest, np.inf if rest != 0.0 else 0.0, -1.0) if y == 1.0 else slope
    return slope if 0.0 <= y <= 1.0 else np.nan


@jit.scalar
def _label_residual(z: float, t: float) -> float:
    """Residual of a label, t = 0 or t = 1: σ(z) or -σ(-z)."""
    # s N / (D + s N) in the tail, D / (D + s N) elsewhere
    n, n_low, d, d_low, s = exp_fraction_scaled(clip(z))
    label = t != 0.0
    tail = (z < 0.0) != label
    total, total_low = denominator(n, n_low, d, d_low, s)
    y = rounded_quotient(n if tail else d, n_low if tail else d_low, total, total_low)
    y *= s if tail else 1.0
    return -y if label else y


@jit.scalar
def _label_loss(z: float, t: float) -> float:
    """Loss of a label, t = 0 or t = 1: |z| + log(1 + e^-|z|), without |z| in the tail."""
    n, n_low, d, d_low, s = exp_fraction_scaled(clip(z))
    tail = (z < 0.0) != (t != 0.0)
    high, low = log1p_fraction(n, n_low, d, d_low, s)
    size = 0.0 if tail else abs(z)
    scale = 1.0 if tail else s
    high *= scale
    large, small = (size, high) if size > high else (high, size)
    total = large + small
    # inf - inf would raise a floating-point flag.
    finite_total = LARGEST if total > LARGEST else total
    finite_large = LARGEST if large > LARGEST else large
    total_low = small - (finite_total - finite_large)
    return (total + fma(scale, low, total_low)) * (s if tail else 1.0)


# From a fraction with fewer digits --------------------------------------------------------


@jit.scalar
def _loss_from(z: float, t: float, log_term: float) -> float:
    c = t if z < 0.0 else 1.0 - t
    size = 0.0 if c == 0.0 else abs(z)
    return fma(c, size, log_term)


@jit.scalar
def _residual_from(z: float, t: float, n: float, d: float) -> float:
    big = -t if z < 0.0 else -(t - 1.0)  # -0, not 0, where t is 1: the sign of a lost tail
    small = 1.0 - t if z < 0.0 else -t
    return fma(big, d, small * n) / (d + n)


@jit.scalar
def _label_loss_from(z: float, t: float, log_term: float) -> float:
    return (0.0 if (z < 0.0) != (t != 0.0) else abs(z)) + log_term


# Float32: the caller rounds the result ----------------------------------------------------


@jit.scalar
def sigmoid_float32(z: float) -> float:
    """σ(z) with a relative error below 2**-37."""
    n, d, s = exp_fraction_float32(-clip_float32(z))  # of either sign: the digits suffice
    return d / fma(s, n, d)


@jit.scalar
def sigmoid_derivative_float32(z: float) -> float:
    """σ(z) σ(-z) with a relative error below 2**-37."""
    n, d, s = exp_fraction_float32(clip_float32(z))
    n *= s
    total = d + n
    return n * d / (total * total)


@jit.scalar
def log_sigmoid_float32(z: float) -> float:
    """Log σ(z) with a relative error below 2**-30."""
    return -_label_loss_float32(z, 1.0)


@jit.scalar
def softplus_float32(z: float) -> float:
    """``log(1 + e^z)`` with a relative error below 2**-30."""
    return _label_loss_float32(z, 0.0)


@jit.scalar
def logistic_loss_float32(z: float, t: float) -> float:
    """Loss with a relative error below 2**-30."""
    n, d, s = exp_fraction_float32(clip_float32(-abs(z)))
    return _loss_from(z, t, log1p_fraction_float32(s * n, d))


@jit.scalar
def _label_loss_float32(z: float, t: float) -> float:
    n, d, s = exp_fraction_float32(clip_float32(-abs(z)))
    return _label_loss_from(z, t, log1p_fraction_float32(s * n, d))


@jit.scalar
def residual_float32(z: float, t: float) -> float:
    """Residual with an error below 2**-37 relative to (1 - t) σ(z) + t σ(-z)."""
    n, d, s = exp_fraction_float32(-clip_float32(z))
    n *= s
    # -(t - 1) is -0, not 0, where t is 1: the sign of a lost tail.
    return fma(-(t - 1.0), d, -t * n) / (d + n)


@jit.scalar
def cross_entropy_float32(y: float, t: float) -> float:
    """``-t log(y) - (1 - t) log(1 - y)`` with a relative error below 2**-33, for float32 y."""
    log_y, log_rest = two_logs_float32(y)
    other = 1.0 - t
    loss = -fma(t, log_y, other * log_rest)
    loss = (t * np.inf if t != 0.0 else 0.0) if y == 0.0 else loss
    loss = (other * np.inf if other != 0.0 else 0.0) if y == 1.0 else loss
    return loss if 0.0 <= y <= 1.0 else np.nan


@jit.scalar
def cross_entropy_derivative_float32(y: float, t: float) -> float:
    """``(y - t) / (y (1 - y))`` with a relative error below 2**-50, for float32 y."""
    top = y - t
    bottom = y * (1.0 - y)
    edge = fma(top, np.inf if top != 0.0 else 0.0, 1.0 - t - t)
    slope = edge if bottom == 0.0 else top / bottom
    return slope if 0.0 <= y <= 1.0 else np.nan


# Terms of sums ----------------------------------------------------------------------------
#
# The terms of a logit in a sum: its residual, c |z|, σ(-|z|) and σ(|z|).  `minus_log` of the last
# two is log(1 + e^-|z|); the products of several logits need one logarithm.


@jit.scalar
def _label_terms(z: float, t: float) -> tuple[float, float, float, float]:
    """For t = 0 or t = 1, where the residual equals `residual`."""
    share = 0.0 if (z < 0.0) != (t != 0.0) else abs(z)
    return _label_residual(z, t), share, *_probabilities(z)


@jit.scalar
def _soft_terms(z: float, t: float) -> tuple[float, float, float, float]:
    """For any t; a label has the bits that `_label_terms` gives."""
    return residual(z, t), _share(z, t), *_probabilities(z)


@jit.scalar
def _terms_float32(z: float, t: float) -> tuple[float, float, float, float]:
    """For float32 logits: relative errors below 2**-37."""
    n, d = exp_fraction_reduced(clip(z), True)
    reciprocal = 1.0 / (d + n)
    small, large = n * reciprocal, d * reciprocal
    y, not_y = (small, large) if z < 0.0 else (large, small)
    # -(t - 1) is -0, not 0, where t is 1: the sign of a lost tail.
    return fma(-(t - 1.0), y, -t * not_y), _share(z, t), small, large


@jit.scalar
def _probabilities(z: float) -> tuple[float, float]:
    """σ(-|z|) and σ(|z|), with a relative error of a few 2**-53."""
    n, n_low, d, d_low, s = exp_fraction_scaled(clip(z))
    total, _ = denominator(n, n_low, d, d_low, s)
    reciprocal = 1.0 / total
    return (n + n_low) * reciprocal * s, d * reciprocal


@jit.scalar
def _share(z: float, t: float) -> float:
    c = t if z < 0.0 else 1.0 - t
    return 0.0 if c == 0.0 else c * abs(z)


label_terms = jit.by_precision(_terms_float32, _label_terms, rounded=False)
soft_terms = jit.by_precision(_terms_float32, _soft_terms, rounded=False)


@jit.scalar
def loss_and_residual(z: float, t: float, float32: bool) -> tuple[float, float]:
    """Loss and residual of a row of X, for sums over rows.

    z is itself the result of a sum, so that compensated arithmetic would not pay.  The relative
    error is a few times 2**-53, or below 2**-30 with `float32`; that of the residual is relative to
    (1 - t) σ(z) + t σ(-z).
    """
    n, d = exp_fraction_reduced(clip(z), float32)
    log_term = log1p_fraction_float32(n, d) if float32 else log1p_fraction_reduced(n, d)
    return _loss_from(z, t, log_term), _residual_from(z, t, n, d)


@jit.scalar
def curvature(z: float) -> float:
    """σ(z) σ(-z) of a row of X, with a relative error of a few times 2**-53."""
    n, d = exp_fraction_reduced(clip(z), False)
    total = d + n
    return n / total * (d / total)
