"""Parts that solvers share: trials, the line search, and the test for steps at rounding level.

A step that does not lower f enough (Armijo's rule) is cut and tried again; f is convex, so this
always ends.  Near the optimum f changes by less than its own rounding error, where the gradient is
still accurate.  There a step is also good if the slope at its end is (the approximate Wolfe
condition).

Approximate Wolfe condition: Hager and Zhang, SIAM J. Optim. 16 (2005), 170-192.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fastlogit.core.linalg import dot
from fastlogit.training.dataset import NoPassLeftError

if TYPE_CHECKING:
    from fastlogit.core.linalg import Vector
    from fastlogit.training.objective import Objective, Point

# Armijo's rule: a step must lower f by this share of the decrease that its slope predicts.
_SUFFICIENT = 1e-4
# f may rise by this share of itself if the slope at the end of the step is good.
RISE = 1e-9
# A step is at rounding level if it promises less than this share of f.
_ROUNDING = 1e-14
# A step that is too long is cut to between these shares of its length, ...
_SHORTEST_CUT, _LONGEST_CUT = 1e-15, 0.5
# ... and given up below this share of the first length, where only rounding makes it fail.
# (Far from the optimum, Newton's steps were up to 1e67 times too long.)
_SHORTEST = 1e-100
# A solver ends after this many consecutive steps at rounding level.
_IDLE = 20


class Trial(NamedTuple):
    """A point that a solver tried."""

    point: Point
    # The share of the solver's step that was taken; 0 for a start.
    length: float
    # Whether the solver goes on from this point.
    accepted: bool
    # Whether the point has converged by the solver's own estimate.
    near: bool = False


Steps = Generator[Trial, None, None]


class Settings(NamedTuple):
    """Options of `fit` for solvers; each solver uses those that it needs."""

    tol: float = 0.0
    # Of the random sample of rows.
    seed: int = 0
    # Fixed size of gradient descent's steps; None for a line search.
    step_size: float | None = None


def zero_or_theta(objective: Objective, point: Point | None) -> Vector:
    """θ of a point, or 0 without one."""
    return np.zeros(objective.size) if point is None else point.theta


def begin(
    objective: Objective, point: Point | None, *, hessian: bool = False
) -> Generator[Trial, None, Point]:
    """Point to begin at; evaluated at its θ, or at 0, if it is None or lacks its Hessian."""
    if point is None or (hessian and point.hessian is None):
        theta = zero_or_theta(objective, point)
        point = objective.evaluate_start(theta, hessian=hessian)
        yield Trial(point, 0.0, accepted=True)
    return point


def search(
    objective: Objective,
    point: Point,
    step: Vector,
    *,
    length: float = 1.0,
    hessian: bool = False,
) -> Generator[Trial, None, Trial | None]:
    """The first good trial along a step, which is not yielded; None if rounding leaves none.

    Trials that are too long are yielded as not accepted.  Of several outputs, a Hessian takes much
    longer than a gradient.  So after a trial that was too long, it gets a pass of its own.
    """
    slope, is_first = dot(point.gradient, step), True
    while True:
        together = hessian and (is_first or objective.dataset.family.outputs == 1)
        there = objective.evaluate(point.theta + length * step, hessian=together)
        rise = there.value - point.value
        is_good = rise <= _SUFFICIENT * length * slope
        if not is_good and rise <= RISE * abs(point.value):
            is_good = dot(there.gradient, step) <= (2.0 * _SUFFICIENT - 1.0) * slope
        if is_good and hessian and not together:
            try:
                there = replace(there, hessian=objective.hessian(there.theta))
            except NoPassLeftError:
                yield Trial(there, length, accepted=True)
                raise
        if is_good:
            return Trial(there, length, accepted=True)
        yield Trial(there, length, accepted=False)
        is_first = False
        length *= _cut(point, there)
        if length < _SHORTEST:
            return None


@np.errstate(all="ignore")
def _cut(point: Point, trial: Point) -> float:
    """Share of a step at which the tangents of f at its two ends meet.

    One or two steps beyond the minimum f is nearly straight on both sides of it.
    """
    step = trial.theta - point.theta
    before, after = dot(point.gradient, step), dot(trial.gradient, step)
    share = np.divide(after - (trial.value - point.value), after - before)
    if not np.isfinite(share):
        return _SHORTEST_CUT
    return float(np.clip(share, _SHORTEST_CUT, _LONGEST_CUT))


class Idleness:
    """Counts consecutive steps at rounding level, until one promises less than half of the least.

    A walk among rounding errors promises a little less now and then, which must not count.
    """

    def __init__(self) -> None:
        self.least, self.steps = np.inf, 0

    @property
    def ends(self) -> bool:
        """Whether a solver should end."""
        return self.steps >= _IDLE

    def note(self, point: Point, step: Vector) -> None:
        """Count a step that was taken from a point."""
        gain = -dot(point.gradient, step)
        is_rounding = gain <= _ROUNDING * abs(point.value) and not gain < 0.5 * self.least
        self.steps = self.steps + 1 if is_rounding else 0
        self.least = min(self.least, gain)
