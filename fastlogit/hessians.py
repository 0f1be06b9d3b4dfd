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


def variances(hessian: Matrix, centres: Vector) -> Vector:
    """Variances of estimates; NaN where collinear columns leave an estimate open.

    The Hessian is that of columns less their `centres`, beside which the intercept, where there
    is one, is larger by centres @ coef.
    """
    scaled, scale = of_unit_diagonal(hessian)
    inverse = np.linalg.pinv(scaled, rcond=_SINGULAR, hermitian=True)
    # Each estimate as a sum over those of the scaled Hessian.
    sums = np.diag(scale)
    if scale.size > centres.size:
        sums[-1, :-1] = -centres * scale[:-1]
    result: Vector = np.einsum("ij,ij->i", sums @ inverse, sums)
    seen = np.einsum("ij,ij->i", sums @ (inverse @ scaled), sums)
    result[seen < _DETERMINED * np.einsum("ij,ij->i", sums, sums)] = np.nan
    return result


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
