"""Quasi-Newton steps (L-BFGS) from an approximate inverse of the Hessian.

Steps that each shrink by a factor Θ end at most 1 / (1 - Θ) steps from where the last one begins,
which estimates the distance to the optimum.  The estimate fails where the approximate Hessian is
wrong in some direction, with Θ near 1; so it is trusted only up to a limit.

L-BFGS: Nocedal and Wright, Numerical Optimization, algorithm 7.4.  Contraction: Deuflhard, Newton
Methods for Nonlinear Problems (2004), section 2.1.
"""

from __future__ import annotations

import math
from collections import deque
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from fastlogit.core.linalg import dot
from fastlogit.training.convergence import is_near
from fastlogit.training.solvers.search import Idleness, search

if TYPE_CHECKING:
    from collections.abc import Generator

    from fastlogit.core.linalg import Inverse, Vector
    from fastlogit.training.objective import Objective, Point
    from fastlogit.training.solvers.search import Trial

# Steps s that were taken, the changes y of the gradient, and s @ y.
Memory = deque["tuple[Vector, Vector, float]"]
# How many steps L-BFGS remembers.
_MEMORY = 20
# Θ is the largest of this many ratios of consecutive steps.
_RATIOS = 2


def empty_memory() -> Memory:
    """A memory of the last steps, for `quasi_newton_steps`."""
    return deque(maxlen=_MEMORY)


def quasi_newton_steps(
    objective: Objective,
    point: Point,
    inverse: Inverse,
    memory: Memory,
    most: int,
    tol: float,
    *,
    trusted: float,
    enough: float = 0.0,
) -> Generator[Trial, None, tuple[Point, bool]]:
    """At most `most` steps of L-BFGS; the last point, and whether more steps make sense.

    More steps make no sense if only rounding errors are left, or if the point seems to have
    converged but the estimated distance exceeds `trusted` steps.  They also end where twice the
    decrease of f that the next one promises is below `enough`.
    """
    idle, pace = Idleness(), Pace()
    step = -improved_product(inverse, memory, point.gradient)
    pace.note(point, step)
    for _ in range(most):
        trial = yield from search(objective, point, step)
        if trial is None:
            return point, False
        s, y = trial.point.theta - point.theta, trial.point.gradient - point.gradient
        if (sy := dot(s, y)) > 0.0:  # otherwise the step is all rounding
            memory.append((s, y, sy))
        idle.note(point, step)
        point = trial.point
        step = -improved_product(inverse, memory, point.gradient)
        pace.note(point, step)
        away = pace.steps_away
        yield trial._replace(near=away <= trusted and is_near(objective, point, step, tol, away))
        if 0.0 <= -dot(point.gradient, step) < enough:
            break
        if idle.ends or (away > trusted and is_near(objective, point, step, tol)):
            return point, False
    return point, True


def improved_product(inverse: Inverse, memory: Memory, gradient: Vector) -> Vector:
    """Inverse times gradient; the inverse is corrected to map every remembered y to its s."""
    q, shares = gradient.copy(), []
    scratch = np.empty_like(q)
    for s, y, sy in reversed(memory):
        shares.append(dot(s, q) / sy)
        q -= np.multiply(y, shares[-1], out=scratch)
    r = inverse(q)
    for (s, y, sy), share in zip(memory, reversed(shares), strict=True):
        r += np.multiply(s, share - dot(y, r) / sy, out=scratch)
    return r


def invert_diagonal(objective: Objective, point: Point) -> Inverse:
    """Inverse of the diagonal of the Hessian at a point."""
    diagonal = objective.hessian_diagonal(point.theta)
    with np.errstate(over="ignore"):  # a diagonal element may round to 0
        return partial(np.multiply, 1.0 / np.where(diagonal > 0.0, diagonal, 1.0))


class Pace:
    """How fast steps become shorter, measured by the Newton decrement."""

    def __init__(self) -> None:
        self.decrements: deque[float] = deque(maxlen=_RATIOS + 1)

    def note(self, point: Point, step: Vector) -> None:
        """Note the next step from a point."""
        self.decrements.append(math.sqrt(max(0.0, -dot(point.gradient, step))))

    @property
    def steps_away(self) -> float:
        """Distance to the optimum in units of the last step; infinity if not known."""
        if len(self.decrements) <= _RATIOS:
            return math.inf
        pairs = pairwise(self.decrements)
        worst = max(after / before if before else 0.0 for before, after in pairs)
        return 1.0 / (1.0 - worst) if worst < 1.0 else math.inf
