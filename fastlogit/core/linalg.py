"""Small linear algebra with a Hessian: inverses, variances, and columns that depend on others.

Every function first scales rows and columns so that the diagonal is 1.  The units of the columns
then do not count in the condition number.  Where columns are collinear the Hessian has no inverse;
the pseudo-inverse then gives the solution that is shortest in the scaled units.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
SquareMatrix = NDArray[np.float64]
# Multiplies a vector by an inverse, exact or approximate.
Inverse = Callable[[Vector], Vector]

# With a diagonal of ones, an eigenvalue below the first, or a squared pivot of Cholesky's method
# below the second, is 0 except for rounding.
_SINGULAR, _NO_PIVOT = 1e-12, 1e-13
# A column is independent if other columns leave at least this share of its squared length.
_INDEPENDENT = 1e-13
# Relative to the largest, an eigenvalue up to the first is 0 except for rounding (measured: 5e-16),
# and one up to the second is not known to four digits.
_NOISE, _FEW_DIGITS = 5e-15, 1e-11
# Columns below this share of the largest element of an eigenvector are not named.
_MINOR = 0.05
# An estimate has a variance if at least this share of it is determined.
_DETERMINED = 1.0 - 1e-6


def dot(a: Vector, b: Vector) -> float:
    """Σ a b, without BLAS.

    BLAS wakes its own threads for long vectors.  They then wait for more work on cores that the
    next read of X needs, and their number changes the result.
    """
    return float(np.einsum("i,i", a, b))


def scale_to_unit_diagonal(hessian: SquareMatrix) -> tuple[SquareMatrix, Vector]:
    """The matrix with a diagonal of ones, and the factor of each row and column."""
    diagonal = np.diag(hessian)
    scale = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    return hessian * scale * scale[:, np.newaxis], scale


def invert(hessian: SquareMatrix) -> Inverse:
    """Inverse of a Hessian, or its pseudo-inverse, as a function of a vector."""
    from scipy import linalg  # imported here: it takes longer than importing all of fastlogit

    scaled, scale = scale_to_unit_diagonal(hessian)
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


def least_eigenvalue(hessian: SquareMatrix) -> float:
    """Smallest eigenvalue after scaling to a diagonal of ones."""
    return float(np.linalg.eigvalsh(scale_to_unit_diagonal(hessian)[0])[0])


def flat_part(hessian: SquareMatrix, vector: Vector) -> Vector:
    """Component of a vector along the directions in which the Hessian is 0 or has few digits."""
    scaled, scale = scale_to_unit_diagonal(hessian)
    values, vectors = np.linalg.eigh(scaled)
    flat = vectors[:, values <= _FEW_DIGITS * values[-1]]
    part: Vector = flat @ (flat.T @ (vector / scale)) * scale
    return part


def variances(hessian: SquareMatrix, estimates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Variances of estimates; NaN for estimates that collinear columns leave undetermined.

    If columns are so nearly collinear that rounding errors spoil the fourth digit, all are NaN.
    The last axis of `estimates` has the factors by which an estimate depends on the parameters.
    """
    scaled, scale = scale_to_unit_diagonal(hessian)
    values, vectors = np.linalg.eigh(scaled)
    if _have_few_digits(values).any():
        return np.full(estimates.shape[:-1], np.nan)
    kept = values > _NOISE * values[-1]
    # By the scaled parameters, in units in which the largest factor is 1.
    factors = estimates * scale
    units = np.abs(factors).max(axis=-1)
    factors /= units[..., np.newaxis]
    along = np.square(factors @ vectors[:, kept])
    with np.errstate(over="ignore"):  # columns below 1e-154 have an infinite variance
        result: NDArray[np.float64] = along @ (1.0 / values[kept]) * units * units
    result[along.sum(axis=-1) < _DETERMINED * np.square(factors).sum(axis=-1)] = np.nan
    return result


def nearly_dependent_columns(hessian: SquareMatrix) -> list[int]:
    """Columns that are so nearly collinear that all `variances` are NaN; else an empty list."""
    values, vectors = np.linalg.eigh(scale_to_unit_diagonal(hessian)[0])
    few = _have_few_digits(values)
    if not few.any():
        return []
    shares = np.abs(vectors[:, np.argmax(few)])
    columns: list[int] = np.flatnonzero(shares > _MINOR * shares.max()).tolist()
    return columns


def _have_few_digits(values: Vector) -> NDArray[np.bool_]:
    """Which eigenvalues (ascending) are not 0, but not known to four digits either."""
    few: NDArray[np.bool_] = (values > _NOISE * values[-1]) & (values <= _FEW_DIGITS * values[-1])
    return few


def dependent_columns(hessian: SquareMatrix, outputs: int = 1) -> list[int]:
    """Columns that are linear combinations of earlier ones; the last `outputs` count as the first.

    Those are the intercepts, if the model has some.
    """
    left, _ = scale_to_unit_diagonal(hessian)
    with suppress(np.linalg.LinAlgError):  # a fast proof that all columns are independent
        if np.square(np.diag(np.linalg.cholesky(left))).min() > _INDEPENDENT:
            return []
    size = left.shape[0]
    dependent = []
    for j in [*range(size - outputs, size), *range(size - outputs)]:
        # Elimination: `left` holds the share of each column that earlier ones do not explain.
        if left[j, j] <= _INDEPENDENT:
            dependent.append(j)
        else:
            left = left - np.outer(left[j] / left[j, j], left[j])
    return dependent
