"""Gradient descent as in textbooks: steps along -g."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastlogit.core.linalg import invert
from fastlogit.training.convergence import is_near
from fastlogit.training.solvers.quasi_newton import Pace, invert_diagonal
from fastlogit.training.solvers.search import Idleness, Trial, begin, search

if TYPE_CHECKING:
    from fastlogit.training.objective import Objective, Point
    from fastlogit.training.solvers.search import Settings, Steps


def gradient_descent_steps(objective: Objective, point: Point | None, settings: Settings) -> Steps:
    """Steps along the gradient of f / Σ weight, of a fixed size or found by a line search."""
    point = yield from begin(objective, point)
    inverse = invert_diagonal(objective, point)
    size, idle, pace = 1.0, Idleness(), Pace()
    while np.isfinite(point.value) and not idle.ends:
        step = -point.gradient / objective.dataset.total_weight
        if settings.step_size is None:
            trial = yield from search(objective, point, step, length=size)
            if trial is None:
                return
            size = 2.0 * trial.length
            idle.note(point, trial.length * step)
        else:
            there = objective.evaluate(point.theta + settings.step_size * step)
            trial = Trial(there, settings.step_size, bool(np.isfinite(there.value)))
        point = trial.point
        newton_step = -inverse(point.gradient)
        pace.note(point, newton_step)
        if objective.forms_hessian:
            yield trial
            if is_near(objective, point, newton_step, settings.tol):
                point = objective.evaluate(point.theta, hessian=True)
                yield Trial(point, 0.0, accepted=True)
                assert point.hessian is not None
                inverse = invert(point.hessian)
        else:
            away = pace.steps_away
            near = is_near(objective, point, newton_step, settings.tol, away)
            yield trial._replace(near=near)
