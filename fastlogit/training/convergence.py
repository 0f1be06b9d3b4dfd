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

If all coefficients are 0 except for rounding, the second condition cannot hold.  A λ at the level
of rounding errors, relative to √f, takes its place.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from fastlogit.hessians import of_unit_diagonal
from fastlogit.training.objective import dot

if TYPE_CHECKING:
    from fastlogit.hessians import Vector
    from fastlogit.training.objective import Objective, Point

# ε / √tol, and the factor 2 and the divisor 10 of the two conditions.
_OF_TOL, _CAUTION, _OF_LARGEST = 0.1, 2.0, 0.1
# Rounding errors reach about this λ / √f.
_ROUNDING = 1e-13
# A solver of linear equations leaves less than this share of λ as its residual.
_RESIDUAL = 1e-8


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
    return dot(left, left) <= _RESIDUAL**2 * gain + _ROUNDING**2 * point.value


def is_near(
    objective: Objective, point: Point, step: Vector, tol: float, steps: float = 1.0
) -> bool:
    """Whether the optimum, `steps` times a Newton or quasi-Newton step away, is near enough."""
    gain = -dot(point.gradient, step)
    share = _OF_TOL * math.sqrt(tol) / (_CAUTION * steps)
    if not gain <= share**2 * min(1.0, point.value):
        return False
    d = objective.d
    largest = float(np.abs(point.theta[:d]).max())
    small = float(np.abs(step[:d]).max()) <= _OF_LARGEST * share * largest
    return small or gain <= _ROUNDING**2 * point.value
