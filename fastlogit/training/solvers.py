"""How f is minimised: each solver a few lines over :class:`fastlogit.training.objective.Objective`.

A solver is a generator of what it tried, one `Trial` for each read of X that evaluates f.  Who
runs it decides when that is enough; it ends by itself where rounding allows no further step.

``newton``
    Steps -H⁻¹ g; one read of X gives f, g and H at once.
``sampled-newton``
    The optimum of a sample of the rows is near that of all, and so is its Hessian.  From there
    on quasi-Newton steps (L-BFGS) learn the difference between the two Hessians.
``lbfgs``
    The same from the diagonal of the Hessian alone, where there are too many columns for all.
``gradient-descent``
    Steps along -g, as textbooks have it.

A step that does not lower f enough (Armijo's rule) is cut and tried again; f is convex, so that
this always ends.  Near the optimum f changes by less than its own rounding error, where the
gradient is still right: a step is good there as well if the slope at its end is (the approximate
Wolfe condition).

L-BFGS: Nocedal and Wright, Numerical Optimization, algorithm 7.4.  Approximate Wolfe condition:
Hager and Zhang, SIAM J. Optim. 16 (2005), 170-192.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fastlogit.hessians import invert
from fastlogit.training.objective import NoReadLeftError, dot
from fastlogit.training.sampling import sample

if TYPE_CHECKING:
    from collections.abc import Generator

    from fastlogit.hessians import Inverse, Matrix, Vector
    from fastlogit.training.objective import Objective, Point

    Steps = Generator["Trial", None, None]

# Armijo's rule: a step must lower f by this share of what its slope promises.
_SUFFICIENT = 1e-4
# f, relative to itself, may rise by so much where the slope is good; and a slope that promises
# less than the rounding error is one of rounding.
RISE, _ROUNDING = 1e-9, 1e-14
# A step that is too long is cut to between these shares of itself, and not to less than this of
# the first, at which only rounding can let it be no good.
_SHORTEST_CUT, _LONGEST_CUT, _SHORTEST = 1e-15, 0.5, 1e-40
# How many steps L-BFGS remembers.
_MEMORY = 20
# A solver ends when so many steps in a row were of rounding, and none had a smaller gradient.
_IDLE = 20
# A sample has so many rows for each column, and at least so many.
_SAMPLED_PER_COLUMN, _LEAST_SAMPLED = 40, 20_000
# When an approximate Hessian has not been good enough for so many steps, another is tried: of a
# larger sample, or the diagonal at the new place, and then for twice as many steps.
_PATIENCE, _GROWTH, _FIRST_PATIENCE = 20, 4, 10
# What a single 1 adds to the Hessian at most, for a column that a sample has not seen.
_OF_ONE_ROW = 0.25
# A sample's optimum is about as far from that of all as d, in units of gᵀ H⁻¹ g: from nearer than
# so many d a step to it is no gain, or the last.
_NEAR = 4.0
# For newton: so many multiplications take no longer than the samples' overhead, ...
_FEW_PRODUCTS = 2e7
# ... and with fewer rows for each column there is nothing to be sampled.
_LEAST_ROWS_PER_COLUMN = 10
# The Hessian of more columns is not formed.
MANY_COLUMNS = 1000
# Reads that a solver may take before its first result is better than its start.
LEAST_PASSES = {"sampled-newton": 4, "lbfgs": 2}


class Trial(NamedTuple):
    """A point that was tried, how much of the step to it was taken, and whether it is better."""

    point: Point
    length: float
    accepted: bool


# Steps s that were taken, what they changed in the gradient, y, and s @ y.
_Memory = deque["tuple[Vector, Vector, float]"]


def choose(n: int, d: int, max_passes: int) -> str:
    """Choose the solver for so many rows and columns, and for so many reads of them."""
    if d > MANY_COLUMNS:
        return "lbfgs" if max_passes >= LEAST_PASSES["lbfgs"] else "gradient-descent"
    little = n * d * d <= _FEW_PRODUCTS or n < _LEAST_ROWS_PER_COLUMN * d
    if little or max_passes < LEAST_PASSES["sampled-newton"]:
        return "newton"
    return "sampled-newton"


def steps(
    solver: str,
    objective: Objective,
    start: Vector | Point,
    *,
    seed: int = 0,
    step_size: float | None = None,
) -> Steps:
    """Run a solver from θ, or from a point that has been evaluated already."""
    if solver == "newton":
        return _newton(objective, start)
    if solver == "sampled-newton":
        return _sampled_newton(objective, start, seed)
    if solver == "lbfgs":
        return _lbfgs(objective, start)
    return _gradient_descent(objective, start, step_size)


def _newton(objective: Objective, start: Vector | Point) -> Steps:
    point = yield from _begin(objective, start, hessian=True)
    idle = _Idleness(objective)
    while not idle.ends:
        step, _ = _newton_step(point)
        trial = yield from _search(objective, point, step, hessian=True)
        idle.note(point, step, trial.point)
        point = trial.point


def _sampled_newton(objective: Objective, start: Vector | Point, seed: int) -> Steps:
    size = max(_SAMPLED_PER_COLUMN * objective.d, _LEAST_SAMPLED)
    few = sample(objective, max(1, min(size, objective.n // 2)), seed)
    few.most_rows = objective.most_rows - objective.rows_read - 2 * objective.n
    near, hessian = _near_optimum(few, _theta(start))
    objective.rows_read += few.rows_read
    if (near == _theta(start)).all():
        point = yield from _begin(objective, start)
    else:
        point = objective.start(near)
        better = point.value <= _value(objective, start)
        yield Trial(point, 0.0, better)
        if not better:
            point = yield from _begin(objective, start)
    memory = _Memory(maxlen=_MEMORY)
    while True:
        # What no row of the sample has told, one row more might have.
        diagonal = np.diag(hessian)
        unseen = np.where(diagonal > 0.0, diagonal / few.n, _OF_ONE_ROW)
        inverse = invert((hessian + np.diag(unseen)) * (objective.total / few.total))
        point, idle = yield from _quasi_newton(objective, point, inverse, memory, _PATIENCE)
        size *= _GROWTH
        if idle or size >= objective.n // 2:
            break
        few = sample(objective, size, seed)
        hessian = few.hessian(point.theta)
        objective.rows_read += few.n
    yield from _newton(objective, point)


def _near_optimum(few: Objective, theta: Vector) -> tuple[Vector, Matrix]:
    """Go near a sample's optimum, if that is any better; and the Hessian about there.

    By Newton's method, the last step of which is not looked at.
    """
    near = _NEAR * theta.size * few.total / few.n
    point = few.start(theta, hessian=True)
    step, gain = _newton_step(point)
    if gain > near:
        with suppress(NoReadLeftError):
            for trial in _newton(few, point):
                point = trial.point if trial.accepted else point
                step, gain = _newton_step(point)
                if gain <= near:
                    break
        theta = point.theta + step
    assert point.hessian is not None
    return theta, point.hessian


def _newton_step(point: Point) -> tuple[Vector, float]:
    """The step, and twice what f is expected to lose by it."""
    step = -_inverse_at(point)(point.gradient)
    return step, -dot(step, point.gradient)


def _lbfgs(objective: Objective, start: Vector | Point) -> Steps:
    point = yield from _begin(objective, start)
    memory, patience, idle = _Memory(maxlen=_MEMORY), _FIRST_PATIENCE, False
    while not idle:
        diagonal = objective.hessian_diagonal(point.theta)
        inverse = partial(np.multiply, 1.0 / np.where(diagonal > 0.0, diagonal, 1.0))
        point, idle = yield from _quasi_newton(objective, point, inverse, memory, patience)
        patience *= 2


def _quasi_newton(
    objective: Objective, point: Point, inverse: Inverse, memory: _Memory, most: int
) -> Generator[Trial, None, tuple[Point, bool]]:
    """L-BFGS, at most so many steps; the last point, and whether only rounding is left."""
    idle = _Idleness(objective)
    for _ in range(most):
        step = -_improved(inverse, memory, point.gradient)
        trial = yield from _search(objective, point, step)
        idle.note(point, step, trial.point)
        if idle.ends:
            return trial.point, True
        s, y = trial.point.theta - point.theta, trial.point.gradient - point.gradient
        if (sy := dot(s, y)) > 0.0:  # else all is rounding
            memory.append((s, y, sy))
        point = trial.point
    return point, False


def _improved(inverse: Inverse, memory: _Memory, gradient: Vector) -> Vector:
    """Inverse times gradient, where the inverse is made to turn every remembered y into its s."""
    q, shares = gradient.copy(), []
    scratch = np.empty_like(q)
    for s, y, sy in reversed(memory):
        shares.append(dot(s, q) / sy)
        q -= np.multiply(y, shares[-1], out=scratch)
    r = inverse(q)
    for (s, y, sy), share in zip(memory, reversed(shares), strict=True):
        r += np.multiply(s, share - dot(y, r) / sy, out=scratch)
    return r


def _gradient_descent(
    objective: Objective, start: Vector | Point, step_size: float | None
) -> Steps:
    """Steps of a fixed size times the gradient of f / Σ weight, or of the size that is good."""
    point = yield from _begin(objective, start)
    size, idle = 1.0, _Idleness(objective)
    while np.isfinite(point.value) and not idle.ends:
        step = -point.gradient / objective.total
        if step_size is None:
            trial = yield from _search(objective, point, step, length=size)
            size = 2.0 * (trial.length or size)
            idle.note(point, trial.length * step, trial.point)
        else:
            there = objective.at(point.theta + step_size * step)
            trial = Trial(there, step_size, bool(np.isfinite(there.value)))
            yield trial
        point = trial.point


def _search(
    objective: Objective,
    point: Point,
    step: Vector,
    *,
    length: float = 1.0,
    hessian: bool = False,
) -> Generator[Trial, None, Trial]:
    """Try a step, and cut it until it is good."""
    slope = dot(point.gradient, step)
    while True:
        there = objective.at(point.theta + length * step, hessian=hessian)
        rise = there.value - point.value
        good = rise <= _SUFFICIENT * length * slope
        if not good and rise <= RISE * abs(point.value):
            good = dot(there.gradient, step) <= (2.0 * _SUFFICIENT - 1.0) * slope
        trial = Trial(there, length, bool(good))
        yield trial
        if good:
            return trial
        length *= _cut(point, there)
        if length < _SHORTEST:
            return Trial(point, 0.0, accepted=True)


class _Idleness:
    """How many steps in a row were of rounding, and brought no gradient that is smaller."""

    def __init__(self, objective: Objective) -> None:
        self.objective, self.least, self.steps = objective, np.inf, 0

    @property
    def ends(self) -> bool:
        return self.steps >= _IDLE

    def note(self, point: Point, step: Vector, reached: Point) -> None:
        """Count a step."""
        norm = self.objective.gradient_norm(reached)
        of_rounding = -dot(point.gradient, step) <= _ROUNDING * abs(point.value)
        of_rounding = of_rounding or reached is point
        self.steps = self.steps + 1 if of_rounding and not norm < self.least else 0
        self.least = min(self.least, norm)


@np.errstate(all="ignore")
def _cut(point: Point, trial: Point) -> float:
    """Share of a step at which the tangents of f at its two ends meet.

    Beyond a step or two f is nearly straight on both sides of its minimum along the step.
    """
    step = trial.theta - point.theta
    before, after = dot(point.gradient, step), dot(trial.gradient, step)
    share = (after - (trial.value - point.value)) / (after - before)
    if not np.isfinite(share):
        return _SHORTEST_CUT
    return float(np.clip(share, _SHORTEST_CUT, _LONGEST_CUT))


def _inverse_at(point: Point) -> Inverse:
    assert point.hessian is not None
    return invert(point.hessian)


def _theta(start: Vector | Point) -> Vector:
    return start if isinstance(start, np.ndarray) else start.theta


def _value(objective: Objective, start: Vector | Point) -> float:
    """Value of f at a start, without reading X: a start that has not been evaluated is 0."""
    return objective.value_at_zero if isinstance(start, np.ndarray) else start.value


def _begin(
    objective: Objective, start: Vector | Point, *, hessian: bool = False
) -> Generator[Trial, None, Point]:
    """Evaluate f where it has not been, or not with a Hessian."""
    if not isinstance(start, np.ndarray):
        if not hessian or start.hessian is not None:
            return start
        start = start.theta
    point = objective.start(start, hessian=hessian)
    yield Trial(point, 0.0, True)
    return point
