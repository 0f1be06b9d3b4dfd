"""Statistics of estimates: p-values, confidence intervals, likelihoods, and the summary table.

The standard errors s come from the inverse of the Hessian.  If the true value of an estimate is
0, z = estimate / s is standard normal (Wald's test).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit.core import checks

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    return np.column_stack([estimates - width, estimates + width])


def proportion_intervals(shares: Vector, counts: NDArray[Any], level: float) -> NDArray[np.float64]:
    """Ends of Wilson's intervals for probabilities, from shares of `counts` trials."""
    square = _deviations(level) ** 2 / counts
    middle = (shares + square / 2.0) / (1.0 + square)
    width = np.sqrt(square * (shares * (1.0 - shares) + square / 4.0)) / (1.0 + square)
    return np.column_stack([middle - width, middle + width])


def _deviations(level: float) -> float:
    """The half-width of a confidence interval in standard errors."""
    level = checks.number(level, "level")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must lie between 0 and 1; got {level}")
    from scipy import special

    return float(-special.ndtri((1.0 - level) / 2.0))


class Likelihood(NamedTuple):
    """Log-likelihoods of a model and of one with only an intercept (NaN if not known)."""

    model: float
    null: float
    columns: int

    @property
    def pseudo_r_squared(self) -> float:
        """McFadden's pseudo R²; NaN if the null model is already perfect."""
        return 1.0 - self.model / self.null if self.null else math.nan

    @property
    def p_value(self) -> float:
        """The p-value that all coefficients are 0, by the likelihood-ratio test."""
        ratio = max(0.0, 2.0 * (self.model - self.null))
        from scipy import special

        return float(special.gammaincc(self.columns / 2.0, ratio / 2.0))


def table(
    facts: Sequence[tuple[str, str]],
    names: Sequence[str],
    estimates: Vector,
    errors: Vector | None,
    level: float,
) -> str:
    """Lay out facts in two columns, then one row for each estimate."""
    header, rows = (
        ["", "coef"],
        [[name, f"{b:.6g}"] for name, b in zip(names, estimates, strict=True)],
    )
    if errors is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            z = estimates / errors
        tail = f"{(1.0 - level) / 2.0:.4g}"
        header += ["std err", "z", "P>|z|", f"[{tail}", f"{1.0 - float(tail):.4g}]"]
        ends = confidence_intervals(estimates, errors, level)
        for row, *numbers in zip(rows, errors, z, p_values(z), ends, strict=True):
            error, score, p, (low, high) = numbers
            row += [f"{error:.4g}", f"{score:.3f}", f"{p:.3f}", f"{low:.4g}", f"{high:.4g}"]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in [header, *rows]
    ]
    half = -(-len(facts) // 2)
    left = max((len(name) + 2 + len(value) for name, value in facts[:half]), default=0)
    first = []
    for i in range(half):
        cells = [f"{name}: {value}" for name, value in facts[i::half]]
        first.append("   ".join([cells[0].ljust(left), *cells[1:]]).rstrip())
    width = max(map(len, [*first, *lines]))
    rule = "-" * width
    return "\n".join(["=" * width, *first, rule, lines[0], rule, *lines[1:], "=" * width])
