"""Quasi-Newton steps that begin at the optimum of a sample of the rows, with its Hessian.

That optimum is close to the optimum of all rows, and so is the Hessian.  L-BFGS learns the
difference between the two Hessians.  Where a sample would take half of the rows, all of them serve.

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
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from fastlogit.core.linalg import dot, invert, least_eigenvalue
from fastlogit.training.dataset import NoPassLeftError
from fastlogit.training.solvers.newton import newton_steps
from fastlogit.training.solvers.quasi_newton import empty_memory, quasi_newton_steps
from fastlogit.training.solvers.search import Trial, begin, zero_or_theta

if TYPE_CHECKING:
    from collections.abc import Generator

    from fastlogit.core.linalg import Vector
    from fastlogit.training.objective import Objective, Point
    from fastlogit.training.solvers.search import Settings, Steps

T = TypeVar("T")

# Rows of the first sample for each coefficient, and at least.
_SAMPLED_PER_COEFFICIENT, _LEAST_SAMPLED = 40, 20_000
# The Hessian is computed again after at least this many steps that were not enough: first of the
# same rows, as it changes on the way, and then of a sample that is larger by the factor.
_PATIENCE, _GROWTH = 10, 4
# An old Hessian promises too small a gain, so it must be smaller by this factor.
_SURELY = 16.0
# Most rounds on the way to the optimum of a sample; usually one to three are enough.
_MOST_ROUNDS = 20
# A pass for a Hessian takes the time of coefficients / 8 passes for a gradient (measured).
_COEFFICIENTS_PER_STEP = 8
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
    """Rounds of L-BFGS, each with the Hessian of a sample, or at last of all rows."""
    dataset, seed = objective.dataset, settings.seed
    size = max(
        _SAMPLED_PER_COEFFICIENT * objective.coefficients, _LEAST_SAMPLED, dataset.cheap_sample
    )
    start = zero_or_theta(objective, point)
    if size < dataset.n // 2:
        few = objective.sample(size, seed)
        with dataset.counter.reserve(2 * dataset.n):
            found = _result(_near_optimum(few, start))
        near = found.theta + found.newton_step
        if (near != start).any():
            there = objective.evaluate_start(near)
            better = there.value <= (objective.value_at_zero if point is None else point.value)
            yield Trial(there, 0.0, better)
            point = there if better else point
        point = yield from begin(objective, point)
    else:
        few = objective
        point = found = yield from _near_optimum(objective, start)
    hessian = found.hessian
    assert hessian is not None
    # With a penalty for each column, the sample's Hessian is singular in no direction.  Without,
    # one more row might add to a direction in which the sampled rows are all 0.
    is_penalised = objective.penalises_every_coefficient
    growth = 1
    while is_penalised or least_eigenvalue(hessian) * few.dataset.n > _DETERMINED:
        if not is_penalised:
            diagonal = np.diag(hessian)
            unseen = np.where(diagonal > 0.0, diagonal / few.dataset.n, _MOST_CURVATURE)
            hessian = hessian + np.diag(unseen)
        inverse = invert(hessian * (dataset.total_weight / few.dataset.total_weight))
        most = _patience(few, objective)
        point, goes_on = yield from quasi_newton_steps(
            objective, point, inverse, empty_memory(), most, settings.tol, trusted=_TRUSTED
        )
        if not goes_on or few is objective:
            break
        size *= growth
        if growth > 1:
            few = objective.sample(size, seed) if size < dataset.n // 2 else objective
        growth = _GROWTH
        hessian = few.hessian(point.theta)
    yield from newton_steps(objective, point, settings)


def _patience(of: Objective, at: Objective) -> int:
    """Steps at `at` that take as long as the Hessian of `of`, or the least that are worth one."""
    ratio = of.dataset.n * of.coefficients // (_COEFFICIENTS_PER_STEP * at.dataset.n)
    return max(_PATIENCE, ratio)


def _near_optimum(few: Objective, theta: Vector) -> Generator[Trial, None, Point]:
    """A point near the optimum if that is better than θ, with its Hessian.

    By rounds of L-BFGS.
    """
    enough = _NEAR * theta.size * few.dataset.total_weight / few.dataset.n
    point = few.evaluate_start(theta, hessian=True)
    yield Trial(point, 0.0, accepted=True)
    with suppress(NoPassLeftError):
        for _round in range(_MOST_ROUNDS):
            assert point.hessian is not None
            if -dot(point.newton_step, point.gradient) <= enough:
                break
            inverse, most = invert(point.hessian), _patience(few, few)
            after, _ = yield from quasi_newton_steps(
                few, point, inverse, empty_memory(), most, 0.0, trusted=0.0, enough=enough / _SURELY
            )
            point = replace(after, hessian=few.hessian(after.theta))
    return point


def _result(steps: Generator[Trial, None, T]) -> T:
    """The value that a generator returns after all its trials."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
