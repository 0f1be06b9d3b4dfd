"""L-BFGS that begins with the diagonal of the Hessian, for columns that are too many for all of it.

If the Hessian can be formed, it decides about convergence; otherwise the estimated distance does.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fastlogit.training.solvers.newton import newton_steps
from fastlogit.training.solvers.quasi_newton import (
    empty_memory,
    invert_diagonal,
    quasi_newton_steps,
)
from fastlogit.training.solvers.search import begin

if TYPE_CHECKING:
    from fastlogit.training.objective import Objective, Point
    from fastlogit.training.solvers.search import Settings, Steps

# The diagonal is computed again after this many steps, and then at doubling intervals.
_PATIENCE = 10


def lbfgs_steps(objective: Objective, point: Point | None, settings: Settings) -> Steps:
    """Steps of L-BFGS, and then of Newton's method if the Hessian can be formed."""
    point = yield from begin(objective, point)
    memory, patience, goes_on = empty_memory(), _PATIENCE, True
    trusted = 0.0 if objective.forms_hessian else math.inf
    while goes_on:
        inverse = invert_diagonal(objective, point)
        point, goes_on = yield from quasi_newton_steps(
            objective, point, inverse, memory, patience, settings.tol, trusted=trusted
        )
        patience *= 2
    if objective.forms_hessian:
        yield from newton_steps(objective, point, settings)
