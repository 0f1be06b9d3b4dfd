"""How f is minimised: each solver a few lines over :class:`fastlogit.training.objective.Objective`.

A solver is a generator of what it tried, one `Trial` for each read of X that evaluates f.  The
caller ends it at a point that has converged (:mod:`fastlogit.training.convergence`).  The Hessian
at the point decides that, or a solver's own estimate.  A solver ends by itself where rounding
allows no further step.

``newton``
    Steps -H⁻¹ g; one read of X gives f, g and H at once.
``sampled-newton``
    The optimum of a sample of the rows is near that of all, and so is its Hessian.  From there
    on quasi-Newton steps (L-BFGS) learn the difference between the two Hessians.
``lbfgs``
    The same from the diagonal of the Hessian alone, where there are too many columns for all.
``gradient-descent``
    Steps along -g, as textbooks have it.

Quasi-Newton steps that each shrink by a factor Θ end at most 1 / (1 - Θ) steps from where the last
one begins: this estimates the distance (Deuflhard).  A sample whose Hessian is wrong in some
direction has a wrong optimum in that direction too, so that Θ is near 1.  If Θ is above 3/4 or
unknown, the Hessian of all rows decides.  It always does for the other two solvers, unless there
are too many columns for it.  In a direction that a sample hardly determines, what is added to its
Hessian for unseen rows would make steps so short that Θ does not show them.  So nothing is added
where each column has a penalty, which determines collinear columns as well, and otherwise Newton's
method with all rows goes on from the optimum of the sample.

A step that does not lower f enough (Armijo's rule) is cut and tried again; f is convex, so that
this always ends.  Near the optimum f changes by less than its own rounding error, where the
gradient is still right: a step is good there as well if the slope at its end is (the approximate
Wolfe condition).

L-BFGS: Nocedal and Wright, Numerical Optimization, algorithm 7.4.  Approximate Wolfe condition:
Hager and Zhang, SIAM J. Optim. 16 (2005), 170-192.  Contraction: Deuflhard, Newton Methods for
Nonlinear Problems (2004), section 2.1.
"""

from __future__ import annotations

import math
from collections import deque
from contextlib import suppress
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fastlogit.core.linalg import invert, least_eigenvalue
from fastlogit.training.convergence import is_near
from fastlogit.training.objective import NoReadLeftError, dot
from fastlogit.training.sampling import sample

if TYPE_CHECKING:
    from collections.abc import Generator

    from fastlogit.core.linalg import Inverse, Matrix, Vector
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
# A solver ends after this many consecutive steps at rounding level.
_IDLE = 20
# Θ is the largest of this many ratios of consecutive steps.
_RATIOS = 2
# A sample has so many rows for each column, and at least so many.
_SAMPLED_PER_COLUMN, _LEAST_SAMPLED = 40, 20_000
# When an approximate Hessian has not been good enough for so many steps, another is tried: of a
# larger sample, or the diagonal at the new place, and then for twice as many steps.
_PATIENCE, _GROWTH, _FIRST_PATIENCE = 20, 4, 10
# An estimate of the distance is trusted up to this many steps: with the Hessian of a sample; and
# with a diagonal, where the whole Hessian can be formed instead, and where it cannot.
_TRUSTED_OF_SAMPLE, _TRUSTED_OF_FEW, _TRUSTED_OF_MANY = 4.0, 0.0, math.inf
# What a single 1 adds to the Hessian at most, for a column that a sample has not seen.
_OF_ONE_ROW = 0.25
# Where the Hessian of a sample of n rows, with a diagonal of ones, has an eigenvalue below this
# / n, the 1 / n that is added for unseen rows makes steps too short, and Θ does not show it.
_DETERMINED = 4.0
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
    # Whether the point has converged by the solver's own estimate.
    near: bool = False


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
    start: Vector | None = None,
    *,
    tol: float = 0.0,
    seed: int = 0,
    step_size: float | None = None,
) -> Steps:
    """Run a solver from θ, or from 0 if that is better."""
    point = None
    if start is not None:
        point = objective.at(start, hessian=solver == "newton" or _has_few_columns(objective))
        yield Trial(point, 0.0, accepted=True)
        if not point.value <= objective.value_at_zero:
            point = None
    if solver == "newton":
        yield from _newton(objective, point)
    elif solver == "sampled-newton":
        yield from _sampled_newton(objective, point, tol, seed)
    elif solver == "lbfgs":
        yield from _lbfgs(objective, point, tol)
    else:
        yield from _gradient_descent(objective, point, tol, step_size)


def _has_few_columns(objective: Objective) -> bool:
    return objective.d <= MANY_COLUMNS


def _newton(objective: Objective, point: Point | None) -> Steps:
    if point is None or point.hessian is None:
        point = objective.start(_theta(objective, point), hessian=True)
        yield Trial(point, 0.0, accepted=True)
    idle = _Idleness()
    while not idle.ends:
        trial = yield from _search(objective, point, point.newton_step, hessian=True)
        if trial is None:
            return
        yield trial
        idle.note(point, point.newton_step)
        point = trial.point


def _sampled_newton(objective: Objective, point: Point | None, tol: float, seed: int) -> Steps:
    size = max(_SAMPLED_PER_COLUMN * objective.d, _LEAST_SAMPLED)
    few = sample(objective, max(1, min(size, objective.n // 2)), seed)
    few.most_rows = objective.most_rows - objective.rows_read - 2 * objective.n
    start = _theta(objective, point)
    near, hessian = _near_optimum(few, start)
    objective.rows_read += few.rows_read
    if (near != start).any():
        there = objective.start(near)
        better = there.value <= (objective.value_at_zero if point is None else point.value)
        yield Trial(there, 0.0, better)
        point = there if better else point
    point = yield from _begin(objective, point)
    memory = _Memory(maxlen=_MEMORY)
    # With a penalty for each column the Hessian of a sample has no direction of its own that is 0.
    # Without, what no row of the sample has told, one row more might have.
    is_penalised = bool(objective.penalties[: objective.d].all())
    while is_penalised or least_eigenvalue(hessian) * few.n > _DETERMINED:
        if not is_penalised:
            diagonal = np.diag(hessian)
            unseen = np.where(diagonal > 0.0, diagonal / few.n, _OF_ONE_ROW)
            hessian = hessian + np.diag(unseen)
        inverse = invert(hessian * (objective.total / few.total))
        point, goes_on = yield from _quasi_newton(
            objective, point, inverse, memory, _PATIENCE, tol, trusted=_TRUSTED_OF_SAMPLE
        )
        size *= _GROWTH
        if not goes_on or size >= objective.n // 2:
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
    if _gain(point) > near:
        with suppress(NoReadLeftError):
            for trial in _newton(few, point):
                point = trial.point if trial.accepted else point
                if _gain(point) <= near:
                    break
        theta = point.theta + point.newton_step
    assert point.hessian is not None
    return theta, point.hessian


def _gain(point: Point) -> float:
    """Twice what f is expected to lose by a Newton step."""
    return -dot(point.newton_step, point.gradient)


def _lbfgs(objective: Objective, point: Point | None, tol: float) -> Steps:
    point = yield from _begin(objective, point)
    memory, patience, goes_on = _Memory(maxlen=_MEMORY), _FIRST_PATIENCE, True
    trusted = _TRUSTED_OF_FEW if _has_few_columns(objective) else _TRUSTED_OF_MANY
    while goes_on:
        inverse = _by_diagonal(objective, point)
        point, goes_on = yield from _quasi_newton(
            objective, point, inverse, memory, patience, tol, trusted=trusted
        )
        patience *= 2
    if _has_few_columns(objective):
        yield from _newton(objective, point)


def _by_diagonal(objective: Objective, point: Point) -> Inverse:
    """Inverse of the diagonal of the Hessian."""
    diagonal = objective.hessian_diagonal(point.theta)
    with np.errstate(over="ignore"):  # of what rounds to 0
        return partial(np.multiply, 1.0 / np.where(diagonal > 0.0, diagonal, 1.0))


def _quasi_newton(
    objective: Objective,
    point: Point,
    inverse: Inverse,
    memory: _Memory,
    most: int,
    tol: float,
    *,
    trusted: float,
) -> Generator[Trial, None, tuple[Point, bool]]:
    """L-BFGS, at most `most` steps; the last point, and whether more steps make sense.

    They do not where only rounding errors are left, or where the point seems to have converged
    but the estimate is not `trusted`.
    """
    idle, pace = _Idleness(), _Pace()
    step = -_improved(inverse, memory, point.gradient)
    pace.note(point, step)
    for _ in range(most):
        trial = yield from _search(objective, point, step)
        if trial is None:
            return point, False
        s, y = trial.point.theta - point.theta, trial.point.gradient - point.gradient
        if (sy := dot(s, y)) > 0.0:  # else all is rounding
            memory.append((s, y, sy))
        idle.note(point, step)
        point = trial.point
        step = -_improved(inverse, memory, point.gradient)
        pace.note(point, step)
        away = pace.steps_away
        yield trial._replace(near=away <= trusted and is_near(objective, point, step, tol, away))
        if idle.ends or (away > trusted and is_near(objective, point, step, tol)):
            return point, False
    return point, True


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
    objective: Objective, point: Point | None, tol: float, step_size: float | None
) -> Steps:
    """Steps of a fixed size times the gradient of f / Σ weight, or of the size that is good."""
    point = yield from _begin(objective, point)
    inverse = _by_diagonal(objective, point)
    size, idle, pace = 1.0, _Idleness(), _Pace()
    while np.isfinite(point.value) and not idle.ends:
        step = -point.gradient / objective.total
        if step_size is None:
            trial = yield from _search(objective, point, step, length=size)
            if trial is None:
                return
            size = 2.0 * trial.length
            idle.note(point, trial.length * step)
        else:
            there = objective.at(point.theta + step_size * step)
            trial = Trial(there, step_size, bool(np.isfinite(there.value)))
        point = trial.point
        newton_step = -inverse(point.gradient)
        pace.note(point, newton_step)
        if _has_few_columns(objective):
            yield trial
            if is_near(objective, point, newton_step, tol):
                point = objective.at(point.theta, hessian=True)
                yield Trial(point, 0.0, accepted=True)
                inverse = _inverse_at(point)
        else:
            away = pace.steps_away
            yield trial._replace(near=is_near(objective, point, newton_step, tol, away))


def _search(
    objective: Objective,
    point: Point,
    step: Vector,
    *,
    length: float = 1.0,
    hessian: bool = False,
) -> Generator[Trial, None, Trial | None]:
    """Try a step, and cut it until it is good; None if rounding errors leave no good one."""
    slope = dot(point.gradient, step)
    while True:
        there = objective.at(point.theta + length * step, hessian=hessian)
        rise = there.value - point.value
        good = rise <= _SUFFICIENT * length * slope
        if not good and rise <= RISE * abs(point.value):
            good = dot(there.gradient, step) <= (2.0 * _SUFFICIENT - 1.0) * slope
        if good:
            return Trial(there, length, accepted=True)
        yield Trial(there, length, accepted=False)
        length *= _cut(point, there)
        if length < _SHORTEST:
            return None


class _Idleness:
    """Counts consecutive steps at rounding level that promise no smaller gain."""

    def __init__(self) -> None:
        self.least, self.steps = np.inf, 0

    @property
    def ends(self) -> bool:
        return self.steps >= _IDLE

    def note(self, point: Point, step: Vector) -> None:
        """Count a step that was taken."""
        gain = -dot(point.gradient, step)
        of_rounding = gain <= _ROUNDING * abs(point.value) and not gain < self.least
        self.steps = self.steps + 1 if of_rounding else 0
        self.least = min(self.least, gain)


class _Pace:
    """How fast quasi-Newton steps become shorter, measured by the decrement."""

    def __init__(self) -> None:
        self.decrements: deque[float] = deque(maxlen=_RATIOS + 1)

    def note(self, point: Point, step: Vector) -> None:
        """Note the step from a point."""
        self.decrements.append(math.sqrt(max(0.0, -dot(point.gradient, step))))

    @property
    def steps_away(self) -> float:
        """Distance to the optimum in units of the last step; infinity if not known."""
        if len(self.decrements) <= _RATIOS:
            return math.inf
        pairs = pairwise(self.decrements)
        worst = max(after / before if before else 0.0 for before, after in pairs)
        return 1.0 / (1.0 - worst) if worst < 1.0 else math.inf


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


def _theta(objective: Objective, point: Point | None) -> Vector:
    return np.zeros(objective.penalties.size) if point is None else point.theta


def _begin(objective: Objective, point: Point | None) -> Generator[Trial, None, Point]:
    """The point to begin at: the given one, or 0."""
    if point is None:
        point = objective.start(_theta(objective, point))
        yield Trial(point, 0.0, accepted=True)
    return point
