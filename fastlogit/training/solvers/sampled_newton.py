"""Quasi-Newton steps that begin at the optimum of a sample of the rows, with its Hessian.

That optimum is close to the optimum of all rows, and so is the Hessian.  L-BFGS learns the
difference between the two Hessians.

A sample whose Hessian is wrong in some direction has a wrong optimum in that direction too, so the
steps shrink slowly (see `quasi_newton`).  If their factor Θ is above 3/4 or unknown, the Hessian of
all rows decides about convergence.

A sample hardly determines some directions.  One could add to its Hessian for the unseen rows, but
the steps would then be so short that Θ does not show the error.  With a penalty on every column,
nothing is added: the penalty determines every direction.  Without, Newton's method over all rows
continues from the optimum of the sample.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from fastlogit.core.linalg import dot, invert, least_eigenvalue
from fastlogit.training.dataset import NoPassLeftError
from fastlogit.training.solvers.newton import newton_steps
from fastlogit.training.solvers.quasi_newton import empty_memory, quasi_newton_steps
from fastlogit.training.solvers.search import Trial, begin, zero_or_theta

if TYPE_CHECKING:
    from fastlogit.core.linalg import SquareMatrix, Vector
    from fastlogit.training.objective import Objective, Point
    from fastlogit.training.solvers.search import Settings, Steps

# Rows of the first sample for each coefficient, and at least.
_SAMPLED_PER_COEFFICIENT, _LEAST_SAMPLED = 40, 20_000
# After this many steps that were not enough, a sample that is larger by the factor is drawn.
_PATIENCE, _GROWTH = 20, 4
# An estimate of the distance is trusted up to this many steps: Θ up to 3/4.
_TRUSTED = 4.0
# The most that a single element 1 adds to the Hessian, for a column that a sample has not seen.
_MOST_CURVATURE = 0.25
# If the Hessian of a sample of n rows, scaled to a diagonal of ones, has an eigenvalue below this
# / n, the 1 / n that is added for unseen rows makes steps too short, and Θ does not show it.
_DETERMINED = 4.0
# In units of gᵀ H⁻¹ g, a sample's optimum is about d away from the optimum of all rows.  Closer to
# it than this multiple of d, one more step gains nothing or is the last.
_NEAR = 4.0


def sampled_newton_steps(objective: Objective, point: Point | None, settings: Settings) -> Steps:
    """Steps of L-BFGS from samples of growing size, and then of Newton's method if needed."""
    dataset, seed = objective.dataset, settings.seed
    size = max(_SAMPLED_PER_COEFFICIENT * objective.coefficients, _LEAST_SAMPLED)
    few = objective.sample(max(1, min(size, dataset.n // 2)), seed)
    start = zero_or_theta(objective, point)
    with dataset.counter.reserve(2 * dataset.n):
        near, hessian = _near_optimum(few, start, settings)
    if (near != start).any():
        there = objective.evaluate_start(near)
        better = there.value <= (objective.value_at_zero if point is None else point.value)
        yield Trial(there, 0.0, better)
        point = there if better else point
    point = yield from begin(objective, point)
    memory = empty_memory()
    # With a penalty for each column, the sample's Hessian is singular in no direction.  Without,
    # one more row might add to a direction in which the sampled rows are all 0.
    is_penalised = objective.penalises_every_coefficient
    while is_penalised or least_eigenvalue(hessian) * few.dataset.n > _DETERMINED:
        if not is_penalised:
            diagonal = np.diag(hessian)
            unseen = np.where(diagonal > 0.0, diagonal / few.dataset.n, _MOST_CURVATURE)
            hessian = hessian + np.diag(unseen)
        inverse = invert(hessian * (dataset.total_weight / few.dataset.total_weight))
        point, goes_on = yield from quasi_newton_steps(
            objective, point, inverse, memory, _PATIENCE, settings.tol, trusted=_TRUSTED
        )
        size *= _GROWTH
        if not goes_on or size >= dataset.n // 2:
            break
        few = objective.sample(size, seed)
        hessian = few.hessian(point.theta)
    yield from newton_steps(objective, point, settings)


def _near_optimum(few: Objective, theta: Vector, settings: Settings) -> tuple[Vector, SquareMatrix]:
    """A point near a sample's optimum if that is better than θ, and the Hessian close to it.

    By Newton's method; f is not evaluated after the last step.
    """
    near = _NEAR * theta.size * few.dataset.total_weight / few.dataset.n
    point = few.evaluate_start(theta, hessian=True)
    if _gain(point) > near:
        with suppress(NoPassLeftError):
            for trial in newton_steps(few, point, settings):
                point = trial.point if trial.accepted else point
                if _gain(point) <= near:
                    break
        theta = point.theta + point.newton_step
    assert point.hessian is not None
    return theta, point.hessian


def _gain(point: Point) -> float:
    """Twice the decrease of f that a Newton step promises."""
    return -dot(point.newton_step, point.gradient)
