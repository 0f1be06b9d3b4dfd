"""The criterion of convergence: independent of the units of columns and weights.

The Newton step -H⁻¹ g leads to the optimum up to terms of second order.  With the standard errors
s_j = √(H⁻¹)_jj and the Newton decrement λ = √(gᵀ H⁻¹ g), |step_j| ≤ λ s_j.  A point has converged
where both of these hold, with ε = √tol / 10:

    2 λ ≤ ε min(1, √f)               each coefficient is within ε of its standard error,
    2 |step_j| ≤ ε / 10 max |coef|   and within ε / 10 of the largest coefficient

The default, 1e-8, means 1e-5 of a standard error and 1e-6 of the largest coefficient.  The factor 2
leaves room for the terms of second order.  Small weights make f small and standard errors large;
hence √f, by which λ is compared with the loss.

The gradient relative to Σ weight is no measure of the distance.  Where few rows carry the
information it is small long before the optimum; columns of large numbers keep it large there.

A λ at the level of rounding errors, relative to √f, takes the place of either condition, but not of
both.  If all coefficients are 0 except for rounding, the second cannot hold; with weights of 1e22
and more, standard errors are so small that rounding does not let the first hold.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from fastlogit.core.linalg import least_eigenvalue, of_unit_diagonal
from fastlogit.training.objective import dot

if TYPE_CHECKING:
    from fastlogit.core.linalg import Vector
    from fastlogit.training.objective import Objective, Point

# ε / √tol, and the factor 2 and the divisor 10 of the two conditions.
_OF_TOL, _CAUTION, _OF_LARGEST = 0.1, 2.0, 0.1
# Rounding errors reach about this λ / √f.
_ROUNDING = 1e-13
# A solver of linear equations leaves less than this share of λ as its residual.
_RESIDUAL = 1e-8
# Smallest eigenvalue for each column at which a pseudo-inverse may leave out a direction.
_SINGULAR = 1e-12


def has_converged(objective: Objective, point: Point, tol: float) -> bool:
    """Whether a point is near enough to the optimum; False for a point without a Hessian."""
    if point.hessian is None or not np.isfinite(point.hessian).all():
        return False
    if not is_near(objective, point, point.newton_step, tol):
        return False
    # A pseudo-inverse leaves out the directions in which the Hessian is singular.  The gradient
    # must not have a part there.
    scaled, scale = of_unit_diagonal(point.hessian)
    left = point.gradient * scale + scaled @ (point.newton_step / scale)
    gain = -dot(point.gradient, point.newton_step)
    if not dot(left, left) <= _RESIDUAL**2 * gain + _ROUNDING**2 * point.value:
        return False
    if not objective.penalties.any() or least_eigenvalue(point.hessian) > _SINGULAR * scale.size:
        return True
    # A penalty below rounding errors still says how far to go there.
    penalties = objective.penalties * scale * scale
    share = _share(tol)
    with np.errstate(all="ignore"):  # of penalties that round to 0
        missing = left / penalties.min(initial=np.inf, where=objective.penalties > 0.0)
        tight = dot(left, missing) <= share**2 * min(1.0, point.value)
        return tight and _is_small(objective, point, missing * scale, share)


def is_near(
    objective: Objective, point: Point, step: Vector, tol: float, steps: float = 1.0
) -> bool:
    """Whether the optimum, `steps` times a Newton or quasi-Newton step away, is near enough."""
    gain = -dot(point.gradient, step)
    share = _share(tol) / steps
    tight = gain <= share**2 * min(1.0, point.value)
    of_rounding = gain <= _ROUNDING**2 * point.value
    return tight + of_rounding + _is_small(objective, point, step, share) >= 2


def _share(tol: float) -> float:
    """Of a standard error, how far the optimum may be away by the estimate."""
    return _OF_TOL * math.sqrt(tol) / _CAUTION


def _is_small(objective: Objective, point: Point, step: Vector, share: float) -> bool:
    """Whether a step is short beside the largest coefficient."""
    largest = np.abs(point.theta[: objective.d]).max()
    return bool(np.abs(step[: objective.d]).max() <= _OF_LARGEST * share * largest)
