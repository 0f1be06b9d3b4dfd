"""Naive multi-precision references: the textbook formulas with enough digits.

They know nothing of the kernels.  `PRECISION` bits hold 1 + e^-900 and 1 minus the smallest
subnormal, so that no formula needs a second form for its tail.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import mpmath
import numpy as np
from mpmath import mpf

PRECISION = 1300
# Beyond, e^-|z| does not change a number of PRECISION bits, which mpmath would find out slowly.
LARGEST_Z = 4000

# Where implementations of the logistic function break, with both signs: the middle, the end
# of 1 + e^-z, and both ends of e^z, normal and subnormal, in float64 and in float32.
_LARGEST = [float(np.finfo(dtype).max) for dtype in (np.float32, np.float64)]
_SMALLEST = [float(np.finfo(dtype).smallest_subnormal) for dtype in (np.float32, np.float64)]
_SIZES = [0.0, 0.5, 16.6, 17.4, 20.0, 36.0, 37.0, 40.0, 87.3, 88.7, 103.9, 104.0, 700.0, 708.4]
_SIZES += [709.8, 745.1, 746.0, *_LARGEST, *_SMALLEST]
_POINTS = {
    "z": [sign * size for size in _SIZES for sign in (1.0, -1.0)],
    "y": [0.5, 0.25, 0.7071067811865475, 0.7071067811865476, 1.0 - 2.0**-24, 1.0 - 2.0**-53],
    "t": [0.0, 1.0, 0.25, 0.5, 1.0 - 2.0**-20, 1e-30, *_SMALLEST],
}
_POINTS["y"] += [1e-30, 2.0**-126, 2.0**-900, 2.0**-1022, *_SMALLEST]
_SPECIAL = {
    "z": [np.inf, -np.inf, np.nan],
    "y": [0.0, -0.0, 1.0, -1.0, 1.5, -_SMALLEST[1], np.inf, -np.inf, np.nan],
    "t": [np.nan, -1.0, 2.0, np.inf],
}


def adversarial(arguments: tuple[str, ...], dtype: Any, *, special: bool) -> list[Any]:
    """Every combination of adversarial points for arguments called z, y or t, as arrays (n,).

    `special` adds limits and arguments without a result; the references accept only the others.
    """
    axes = []
    for name in arguments:
        with np.errstate(over="ignore", under="ignore"):
            axis = np.array(_POINTS[name] + _SPECIAL[name] * special).astype(dtype)
        if not special:
            axis = axis[(axis > 0) & (axis < 1)] if name == "y" else axis[np.isfinite(axis)]
        axes.append(axis)
    return [grid.ravel() for grid in np.meshgrid(*axes)]


def _exp(z: float) -> mpf:
    return mpmath.exp(mpf(min(max(z, -LARGEST_Z), LARGEST_Z)))


@mpmath.workprec(PRECISION)
def sigmoid(z: float) -> mpf:
    return 1 / (1 + _exp(-z))


@mpmath.workprec(PRECISION)
def sigmoid_derivative(z: float) -> mpf:
    return sigmoid(z) * sigmoid(-z)


@mpmath.workprec(PRECISION)
def softplus(z: float) -> mpf:
    return mpmath.log(1 + _exp(z)) if z < LARGEST_Z else mpf(z)


@mpmath.workprec(PRECISION)
def log_sigmoid(z: float) -> mpf:
    return -softplus(-z)


@mpmath.workprec(PRECISION)
def logit(y: float) -> mpf:
    return mpmath.log(mpf(y) / (1 - mpf(y)))


@mpmath.workprec(PRECISION)
def logistic_loss(z: float, t: float) -> mpf:
    return mpf(t) * softplus(-z) + (1 - mpf(t)) * softplus(z)


@mpmath.workprec(PRECISION)
def residual(z: float, t: float) -> mpf:
    return sigmoid(z) - mpf(t)


@mpmath.workprec(PRECISION)
def cross_entropy(y: float, t: float) -> mpf:
    return -mpf(t) * mpmath.log(mpf(y)) - (1 - mpf(t)) * mpmath.log(1 - mpf(y))


@mpmath.workprec(PRECISION)
def cross_entropy_derivative(y: float, t: float) -> mpf:
    return (mpf(y) - mpf(t)) / (mpf(y) * (1 - mpf(y)))


class Softmax(NamedTuple):
    """Exact results of one row of logits, as arrays (K,) of numbers, or numbers."""

    probability: Any
    others: Any
    """Sum of the probabilities of all other classes."""
    log_probability: Any
    log_sum: mpf


# Holds a sum of logits of any sizes.
_SUM_PRECISION = 2200


@mpmath.workprec(_SUM_PRECISION)
def softmax(row: Any) -> Softmax:
    """Textbook formulas, which divide by the sum of all exponentials."""
    z = [mpf(float(value)) for value in row]
    middle = max(z)  # any number that keeps the exponents small
    with mpmath.workprec(PRECISION):
        e = [_exp(value - middle) for value in z]
        total = mpmath.fsum(e)
        others = [mpmath.fsum(e[:k] + e[k + 1 :]) for k in range(len(e))] if len(e) < 100 else []
        log = mpmath.log(total)
        p, rest = [value / total for value in e], [value / total for value in others]
    logs = [value - middle - log for value in z]
    return Softmax(*(np.array(values, object) for values in (p, rest, logs)), middle + log)


def is_subnormal(exact: mpf, dtype: Any) -> bool:
    """Whether `exact` lies below the normal numbers of `dtype`."""
    return bool(abs(exact) < mpf(float(np.finfo(dtype).tiny)))


def bits(*values: Any) -> list[tuple[str, tuple[int, ...], bytes]]:
    """Dtype, shape and bits of each value: equal where nothing differs but the bits of a NaN.

    Every NaN counts as the same one.  Which operand's NaN an instruction hands on, and so its
    sign, is up to the compiler, which chooses other instructions for other processors.
    """
    found = []
    for value in map(np.asarray, values):
        plain = np.where(np.isnan(value), np.nan, value) if value.dtype.kind == "f" else value
        found.append((value.dtype.str, value.shape, plain.tobytes()))
    return found


def same_bits(a: Any, b: Any) -> bool:
    """Whether two values have the same `bits`."""
    return bits(a) == bits(b)


def digest(*values: Any) -> str:
    """A short text that differs where the `bits` of any of the values do."""
    return hashlib.sha256(repr(bits(*values)).encode()).hexdigest()[:16]
