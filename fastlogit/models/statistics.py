"""Statistics of estimates: p-values, confidence intervals and likelihoods.

The standard errors s come from the inverse of the Hessian.  If the true value of an estimate is
0, z = estimate / s is standard normal (Wald's test).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit.core import checks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]


def p_values(z: Vector) -> Vector:
    """P(|Z| > |z|) for a standard normal Z, exact in the tail."""
    from scipy import special

    result: Vector = special.erfc(np.abs(z) / math.sqrt(2.0))
    return result


def confidence_intervals(estimates: Vector, errors: Vector, level: float) -> NDArray[np.float64]:
    """Lower and upper ends of intervals that hold the true values with probability `level`."""
    width = _deviations(level) * errors
    return np.stack([estimates - width, estimates + width], axis=-1)


def proportion_intervals(shares: Vector, counts: NDArray[Any], level: float) -> NDArray[np.float64]:
    """Ends of Wilson's intervals for probabilities, from shares of `counts` trials."""
    square = _deviations(level) ** 2 / counts
    middle = (shares + square / 2.0) / (1.0 + square)
    width = np.sqrt(square * (shares * (1.0 - shares) + square / 4.0)) / (1.0 + square)
    return np.column_stack([middle - width, middle + width])


def checked_level(level: float) -> float:
    """A level between 0 and 1."""
    number = checks.number(level, "level")
    if not 0.0 < number < 1.0:
        raise ValueError(f"level must lie between 0 and 1; got {number}")
    return number


def _deviations(level: float) -> float:
    """The half-width of a confidence interval in standard errors."""
    level = checked_level(level)
    from scipy import special

    return float(-special.ndtri((1.0 - level) / 2.0))


class Likelihood(NamedTuple):
    """Log-likelihoods of a model and of one with only an intercept (NaN if not known)."""

    model: float
    null: float
    # Number of coefficients that the second model lacks.
    coefficients: int

    @property
    def pseudo_r_squared(self) -> float:
        """McFadden's pseudo R²; NaN if the null model is already perfect."""
        return 1.0 - self.model / self.null if self.null else math.nan

    @property
    def p_value(self) -> float:
        """The p-value that all coefficients are 0, by the likelihood-ratio test."""
        ratio = max(0.0, 2.0 * (self.model - self.null))
        from scipy import special

        return float(special.gammaincc(self.coefficients / 2.0, ratio / 2.0))
