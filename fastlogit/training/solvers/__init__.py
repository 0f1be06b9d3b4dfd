"""Solvers: how training minimises the objective.  `SOLVERS` is the table.

A solver is a function of an objective, a point to begin at (or None for θ = 0) and `Settings`.  It
is a generator that yields a `Trial` for each pass over X that evaluates f.  The trainer ends it at
a point that has converged (:mod:`fastlogit.training.convergence`): by the Hessian at the point, or
by the solver's own estimate.  A solver ends by itself where rounding allows no further step.

newton, sampled_newton, lbfgs, gradient_descent
                one file a solver
search          trials and the line search, which all solvers use
quasi_newton    steps from an approximate inverse of the Hessian

To add a solver, write it in a file of its own and add a line to the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fastlogit.training.solvers.gradient_descent import gradient_descent_steps
from fastlogit.training.solvers.lbfgs import lbfgs_steps
from fastlogit.training.solvers.newton import newton_steps
from fastlogit.training.solvers.sampled_newton import sampled_newton_steps
from fastlogit.training.solvers.search import Trial

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastlogit.core.linalg import Vector
    from fastlogit.training.objective import Objective, Point
    from fastlogit.training.solvers.search import Settings, Steps

__all__ = ["SOLVERS", "Solver", "choose", "steps"]


class Solver(NamedTuple):
    """A solver, and its needs."""

    steps: Callable[[Objective, Point | None, Settings], Steps]
    # Passes over X that it may take before its first result is better than its start.
    least_passes: int = 1
    # Whether it needs the Hessian even of many columns.
    needs_hessian: bool = False
    # Whether it takes a `step_size`.
    has_step_size: bool = False


SOLVERS = {
    "newton": Solver(newton_steps, needs_hessian=True),
    "sampled-newton": Solver(sampled_newton_steps, least_passes=4),
    "lbfgs": Solver(lbfgs_steps, least_passes=2),
    "gradient-descent": Solver(gradient_descent_steps, has_step_size=True),
}

# For newton: up to this many multiplications per pass take no longer than the steps between them.
_FEW_PRODUCTS = 2e7


def choose(objective: Objective, max_passes: int) -> str:
    """Name of the best solver for an objective and this many passes over X."""
    n, coefficients = objective.dataset.n, objective.coefficients
    if not objective.forms_hessian:
        return "lbfgs" if max_passes >= SOLVERS["lbfgs"].least_passes else "gradient-descent"
    is_little = n * coefficients**2 <= _FEW_PRODUCTS
    if is_little or max_passes < SOLVERS["sampled-newton"].least_passes:
        return "newton"
    return "sampled-newton"


def steps(name: str, objective: Objective, start: Vector | None, settings: Settings) -> Steps:
    """Trials of a solver that begins at a start, or at 0 if that is better.

    A start that is worse than θ = 0 is ignored: far out the Hessian is nearly 0, so Newton's steps
    are useless.
    """
    solver = SOLVERS[name]
    point = None
    if start is not None:
        hessian = solver.needs_hessian or objective.forms_hessian
        point = objective.evaluate(start, hessian=hessian)
        yield Trial(point, 0.0, accepted=True)
        if not point.value <= objective.value_at_zero:
            point = None
    yield from solver.steps(objective, point, settings)
