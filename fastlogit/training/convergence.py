"""The convergence criterion, which does not depend on the units of columns and weights.

The Newton step -H⁻¹ g leads to the optimum up to terms of second order.  With the standard errors
s_j = √(H⁻¹)_jj and the Newton decrement λ = √(gᵀ H⁻¹ g), |step_j| ≤ λ s_j.  A point has converged
if all of these hold, with ε = √tol / 10:

    2 λ ≤ ε min(1, √f)               no coefficient is off by more than ε standard errors
    2 |step_j| ≤ ε / 10 max |coef|   nor by more than ε / 10 of the largest coefficient
    2 |step_k| ≤ ε                   and no intercept, which is a logit, by more than ε

The default, tol = 1e-8, means 1e-5 standard errors and 1e-6 of the largest coefficient.  The
factor 2 leaves room for the terms of second order.  Small weights make f small and standard errors
large, so λ is also compared with √f.

The gradient relative to Σ weight does not measure the distance.  If few rows carry the information
it is small long before the optimum; columns of large numbers keep it large at the optimum.

The third matters for a class with much smaller weights than the others.  Its intercept falls by 1
in each of many Newton steps, and f hardly changes.

In two cases rounding errors prevent one of the first two conditions:

- If all coefficients are 0 except for rounding, the second cannot hold.
- With weights of 1e22 and more, standard errors are so small that the first cannot hold.

There, a λ at the level of rounding errors, relative to √f, replaces that condition.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from fastlogit.core.linalg import dot, least_eigenvalue, scale_to_unit_diagonal

if TYPE_CHECKING:
    from fastlogit.core.linalg import Vector
    from fastlogit.training.objective import Objective, Point

# ε / √tol, and the factor 2 and the divisor 10 of the two conditions.
_PER_ROOT_TOL, _CAUTION, _PER_LARGEST = 0.1, 2.0, 0.1
# Rounding errors reach about this λ / √f.
_ROUNDING = 1e-13
# A solver of linear equations leaves less than this share of λ as its residual.
_RESIDUAL = 1e-8
# Smallest eigenvalue, per column, at which a pseudo-inverse may leave out a direction.
_SINGULAR = 1e-12


def has_converged(objective: Objective, point: Point, tol: float) -> bool:
    """Whether a point is close enough to the optimum; False for a point without a Hessian."""
    if point.hessian is None or not np.isfinite(point.hessian).all():
        return False
    if not is_near(objective, point, point.newton_step, tol):
        return False
    # The pseudo-inverse ignores directions in which the Hessian is singular.  The gradient must
    # have no component there.
    scaled, scale = scale_to_unit_diagonal(point.hessian)
    left = point.gradient * scale + scaled @ (point.newton_step / scale)
    gain = -dot(point.gradient, point.newton_step)
    if not dot(left, left) <= _RESIDUAL**2 * gain + _ROUNDING**2 * point.value:
        return False
    is_penalised = objective.penalty.is_penalised
    if not is_penalised.any() or least_eigenvalue(point.hessian) > _SINGULAR * scale.size:
        return True
    # Even a penalty below rounding errors determines the optimum in those directions.
    penalties = objective.penalty.curvature(point.theta) * scale * scale
    share = _allowed_step(tol)
    with np.errstate(all="ignore"):  # a scaled penalty may round to 0
        missing = left / penalties.min(initial=np.inf, where=is_penalised)
        tight = dot(left, missing) <= share**2 * min(1.0, point.value)
        return tight and _is_small(objective, point, missing * scale, share)


def is_near(
    objective: Objective, point: Point, step: Vector, tol: float, steps: float = 1.0
) -> bool:
    """Whether the optimum is close enough if it lies `steps` times a (quasi-)Newton step away."""
    gain = -dot(point.gradient, step)
    share = _allowed_step(tol) / steps
    is_tight = gain <= share**2 * min(1.0, point.value)
    is_rounding = gain <= _ROUNDING**2 * point.value
    is_small = _is_small(objective, point, step, share)
    largest = np.abs(step[objective.coefficients :]).max(initial=0.0)
    return is_tight + is_rounding + is_small >= 2 and bool(largest <= share)


def _allowed_step(tol: float) -> float:
    """Allowed length of the estimated step, in standard errors."""
    return _PER_ROOT_TOL * math.sqrt(tol) / _CAUTION


def _is_small(objective: Objective, point: Point, step: Vector, share: float) -> bool:
    """Whether a step is short relative to the largest coefficient."""
    coef = slice(objective.coefficients)
    largest = np.abs(point.theta[coef]).max()
    return bool(np.abs(step[coef]).max() <= _PER_LARGEST * share * largest)
