"""What is done with a Hessian, in any units of the columns: inverses, and columns that depend.

A diagonal of ones takes the units out of its condition number.  Where columns are collinear it
has no inverse, but a pseudo-inverse, which gives the shortest solution in those units.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
# An inverse, exact or not, times a vector.
Inverse = Callable[[Vector], Vector]

# Eigenvalues, and squares of the diagonal of Cholesky's factor, below these are 0 but for
# rounding, where the diagonal is 1.
_SINGULAR, _NO_PIVOT = 1e-12, 1e-13
# Of a column's squared length, the part that no other columns explain, if it is independent.
_INDEPENDENT = 1e-13
# Relative to the largest, an eigenvalue up to the first is 0 except for rounding (measured: 5e-16),
# and one up to the second is not known to four digits.  Columns below the third of the largest
# element of an eigenvector are not named.
_NOISE, _FEW_DIGITS, _MINOR = 5e-15, 1e-11, 0.05
# Of an estimate, the part that must be determined for it to have a variance.
_DETERMINED = 1.0 - 1e-6


def of_unit_diagonal(hessian: Matrix) -> tuple[Matrix, Vector]:
    """Scale rows and columns; and by what."""
    diagonal = np.diag(hessian)
    scale = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    return hessian * scale * scale[:, np.newaxis], scale


def invert(hessian: Matrix) -> Inverse:
    """Solve with it."""
    from scipy import linalg  # not above: it takes longer to import than all of fastlogit

    scaled, scale = of_unit_diagonal(hessian)
    with suppress(linalg.LinAlgError):
        factor = linalg.cho_factor(scaled, check_finite=False)
        if np.square(np.diag(factor[0])).min() > _NO_PIVOT:
            return lambda vector: (
                linalg.cho_solve(factor, vector * scale, check_finite=False) * scale
            )
    values, vectors = np.linalg.eigh(scaled)
    kept = values > _SINGULAR * values[-1]
    roots = vectors[:, kept] / np.sqrt(values[kept]) * scale[:, np.newaxis]
    return lambda vector: roots @ (roots.T @ vector)


def least_eigenvalue(hessian: Matrix) -> float:
    """Smallest eigenvalue where the diagonal is 1."""
    return float(np.linalg.eigvalsh(of_unit_diagonal(hessian)[0])[0])


def flat_part(hessian: Matrix, vector: Vector) -> Vector:
    """Part of a vector along the directions in which the Hessian is 0, or has few digits."""
    scaled, scale = of_unit_diagonal(hessian)
    values, vectors = np.linalg.eigh(scaled)
    flat = vectors[:, values <= _FEW_DIGITS * values[-1]]
    part: Vector = flat @ (flat.T @ (vector / scale)) * scale
    return part


def variances(hessian: Matrix, centres: Vector) -> Vector:
    """Variances of estimates; NaN for estimates that collinear columns leave undetermined.

    If columns are so nearly collinear that rounding errors spoil the fourth digit, all are NaN.
    The columns of the Hessian have had their `centres` subtracted.  The variance of the
    intercept, the last if there is one, is given for the columns before that.
    """
    scaled, scale = of_unit_diagonal(hessian)
    values, vectors = np.linalg.eigh(scaled)
    if _have_few_digits(values).any():
        return np.full(scale.size, np.nan)
    kept = values > _NOISE * values[-1]
    # A row for each estimate, in units in which its own factor is 1: its factors of the
    # parameters of the scaled Hessian.
    sums = np.eye(scale.size)
    if scale.size > centres.size:
        sums[-1, :-1] = -centres * scale[:-1] / scale[-1]
    along = np.square(sums @ vectors[:, kept])
    with np.errstate(over="ignore"):  # of columns below 1e-154: infinite
        result: Vector = along @ (1.0 / values[kept]) * scale * scale
    result[along.sum(axis=1) < _DETERMINED * np.square(sums).sum(axis=1)] = np.nan
    return result


def nearly_dependent(hessian: Matrix) -> list[int]:
    """Columns that are so nearly collinear that `variances` are all NaN, or []."""
    values, vectors = np.linalg.eigh(of_unit_diagonal(hessian)[0])
    few = _have_few_digits(values)
    if not few.any():
        return []
    shares = np.abs(vectors[:, np.argmax(few)])
    found: list[int] = np.flatnonzero(shares > _MINOR * shares.max()).tolist()
    return found


def _have_few_digits(values: Vector) -> NDArray[np.bool_]:
    """Which eigenvalues (ascending) are not 0, but not known to four digits."""
    few: NDArray[np.bool_] = (values > _NOISE * values[-1]) & (values <= _FEW_DIGITS * values[-1])
    return few


def dependent(hessian: Matrix) -> list[int]:
    """Columns that are sums of multiples of the last, the intercept, and of those before them."""
    left, _ = of_unit_diagonal(hessian)
    with suppress(np.linalg.LinAlgError):  # which would say so in much less time
        if np.square(np.diag(np.linalg.cholesky(left))).min() > _INDEPENDENT:
            return []
    last = left.shape[0] - 1
    found = []
    for j in [last, *range(last)]:
        # What is left of column j, when those before it are taken out, is taken out of the rest.
        if left[j, j] <= _INDEPENDENT:
            found.append(j)
        else:
            left = left - np.outer(left[j] / left[j, j], left[j])
    return found
