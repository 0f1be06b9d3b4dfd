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
this always ends.  Near the optimum f changes by less than its own rounding error, which the rule
allows for, as the gradient is still right there.

L-BFGS: Nocedal and Wright, Numerical Optimization, algorithm 7.4.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fastlogit.hessians import invert
from fastlogit.training.sampling import sample

if TYPE_CHECKING:
    from collections.abc import Generator

    from fastlogit.hessians import Inverse, Matrix, Vector
    from fastlogit.training.objective import Objective, Point

    Steps = Generator["Trial", None, None]

# Armijo's rule: a step must lower f by this share of what its slope promises, ...
_SUFFICIENT = 1e-4
# ... up to the rounding error of f, relative to f.
_ROUNDING = 1e-14
# A step that is too long is cut to between these shares of itself.
_SHORTEST_CUT, _LONGEST_CUT = 1e-15, 0.5
# How many steps L-BFGS remembers, and how many may change nothing but rounding errors, as it
# takes some steps to halve a gradient.
_MEMORY, _STALLS = 20, 3
# A sample has so many rows for each column, and at least so many.
_SAMPLED_PER_COLUMN, _LEAST_SAMPLED = 40, 20_000
# When an approximate Hessian has not been good enough for so many steps, another is tried: of a
# larger sample, or the diagonal at the new place, and then for twice as many steps.
_PATIENCE, _GROWTH, _FIRST_PATIENCE = 20, 4, 10
# What a single 1 in a column that a sample has not seen adds to the Hessian, at most.
_OF_ONE_ROW = 0.25
# A sample's optimum is about as far from that of all as d in units of gᵀ H⁻¹ g; to come as near
# to it as this share is near enough, and to leave for it from nearer than that is no gain.
_NEAR, _FAR = 0.1, 4.0
# For newton: so many multiplications take no longer than the samples' overhead, ...
_FEW_PRODUCTS = 2e7
# ... and with fewer rows for each column there is nothing to be sampled.
_LEAST_ROWS_PER_COLUMN = 10
# The Hessian of more columns is not formed.
MANY_COLUMNS = 1000


class Trial(NamedTuple):
    """A point that was tried, how much of the step to it was taken, and whether it is better."""

    point: Point
    length: float
    accepted: bool


# Steps s that were taken, what they changed in the gradient, y, and s @ y.
_Memory = deque["tuple[Vector, Vector, float]"]


def choose(n: int, d: int) -> str:
    """Choose the solver for so many rows and columns."""
    if d > MANY_COLUMNS:
        return "lbfgs"
    if n * d * d <= _FEW_PRODUCTS or n < _LEAST_ROWS_PER_COLUMN * d:
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
    while True:
        step = -_inverse_at(point)(point.gradient)
        trial, stalls = yield from _search(objective, point, step, hessian=True)
        point = trial.point
        if stalls:
            return


def _sampled_newton(objective: Objective, start: Vector | Point, seed: int) -> Steps:
    size = max(_SAMPLED_PER_COLUMN * objective.d, _LEAST_SAMPLED)
    few = sample(objective, max(1, min(size, objective.n // 2)), seed)
    where, hessian = _optimum_of_sample(few, _theta(start))
    objective.rows_read += few.rows_read
    if where is _theta(start):  # and has not moved
        point = yield from _begin(objective, start)
    else:
        point = objective.start(where)
        better = point.value <= _value(objective, start)
        yield Trial(point, 0.0, better)
        if not better:
            point = yield from _begin(objective, start)
    memory = _Memory(maxlen=_MEMORY)
    while True:
        unseen = np.where(np.diag(hessian) > 0.0, 0.0, _OF_ONE_ROW)
        inverse = invert((hessian + np.diag(unseen)) * (objective.total / few.total))
        stuck = yield from _quasi_newton(objective, point, inverse, memory, _PATIENCE)
        if stuck is None:
            return
        point, size = stuck, size * _GROWTH
        if size >= objective.n // 2:
            break
        few = sample(objective, size, seed)
        hessian = few.hessian(point.theta)
        objective.rows_read += few.n
    yield from _newton(objective, point)


def _optimum_of_sample(few: Objective, theta: Vector) -> tuple[Vector, Matrix]:
    """Go to a sample's optimum, about, if that is any better; and the Hessian there."""
    scale = few.total / few.n
    limit = _FAR
    for trial in _newton(few, theta):
        if trial.accepted:
            point = trial.point
            improvement = float(point.gradient @ _inverse_at(point)(point.gradient)) / scale
            if improvement <= limit * theta.size:
                break
            limit = _NEAR
    assert point.hessian is not None
    return point.theta, point.hessian


def _lbfgs(objective: Objective, start: Vector | Point) -> Steps:
    point = yield from _begin(objective, start)
    memory, patience = _Memory(maxlen=_MEMORY), _FIRST_PATIENCE
    while True:
        diagonal = objective.hessian_diagonal(point.theta)
        inverse = partial(np.multiply, 1.0 / np.where(diagonal > 0.0, diagonal, 1.0))
        stuck = yield from _quasi_newton(objective, point, inverse, memory, patience)
        if stuck is None:
            return
        point, patience = stuck, 2 * patience


def _quasi_newton(
    objective: Objective, point: Point, inverse: Inverse, memory: _Memory, most: int
) -> Generator[Trial, None, Point | None]:
    """L-BFGS, at most so many steps; the last point, or None where no step is left."""
    stalled = 0
    for _ in range(most):
        step = -_improved(inverse, memory, point.gradient)
        trial, stalls = yield from _search(objective, point, step)
        stalled = stalled + 1 if stalls else 0
        if stalled > _STALLS:
            return None
        s, y = trial.point.theta - point.theta, trial.point.gradient - point.gradient
        if s @ y > 0.0:  # else all is rounding
            memory.append((s, y, float(s @ y)))
        point = trial.point
    return point


def _improved(inverse: Inverse, memory: _Memory, gradient: Vector) -> Vector:
    """Inverse times gradient, where the inverse is made to turn every remembered y into its s."""
    q, shares = gradient, []
    for s, y, sy in reversed(memory):
        shares.append(float(s @ q) / sy)
        q = q - shares[-1] * y
    r = inverse(q)
    for (s, y, sy), share in zip(memory, reversed(shares), strict=True):
        r = r + (share - float(y @ r) / sy) * s
    return r


def _gradient_descent(
    objective: Objective, start: Vector | Point, step_size: float | None
) -> Steps:
    """Steps of a fixed size times the gradient of f / Σ weight, or of the size that is good."""
    point = yield from _begin(objective, start)
    size, stalls = 1.0, False
    while np.isfinite(point.value) and not stalls:
        step = -point.gradient / objective.total
        if step_size is None:
            trial, stalls = yield from _search(objective, point, step, length=size)
            size = 2.0 * trial.length
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
) -> Generator[Trial, None, tuple[Trial, bool]]:
    """Try a step, and cut it until it is good; that, and whether all that it changes is rounding.

    Then f was not to change by more than its rounding error, and the gradient did not get much
    smaller either.
    """
    slope = float(point.gradient @ step)
    slack = _ROUNDING * abs(point.value)
    while True:
        there = objective.at(point.theta + length * step, hessian=hessian)
        accepted = there.value <= point.value + _SUFFICIENT * length * slope + slack
        trial = Trial(there, length, accepted)
        yield trial
        if accepted:
            break
        length *= _cut(point, there)
    no_gain = objective.gradient_norm(there) > 0.5 * objective.gradient_norm(point)
    return trial, no_gain and -slope <= slack


@np.errstate(all="ignore")
def _cut(point: Point, trial: Point) -> float:
    """Share of a step at which the tangents of f at its two ends meet.

    Beyond a step or two f is nearly straight on both sides of its minimum along the step.
    """
    step = trial.theta - point.theta
    before, after = point.gradient @ step, trial.gradient @ step
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
