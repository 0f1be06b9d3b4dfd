"""Newton's method: steps -H⁻¹ g, where one pass over X gives f, g and H together.

Of several outputs, a Hessian takes as long as many gradients.  So it gets a pass of its own, after
the step was found to be good.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fastlogit.training.solvers.search import Idleness, begin, search

if TYPE_CHECKING:
    from fastlogit.training.objective import Objective, Point
    from fastlogit.training.solvers.search import Settings, Steps


def newton_steps(objective: Objective, point: Point | None, _: Settings) -> Steps:
    """Steps of Newton's method with the Hessian of all rows."""
    point = yield from begin(objective, point, hessian=True)
    idle = Idleness()
    together = objective.dataset.family.outputs == 1
    while not idle.ends:
        trial = yield from search(objective, point, point.newton_step, hessian=together)
        if trial is None:
            return
        if not together:
            hessian = objective.hessian(trial.point.theta)
            trial = trial._replace(point=replace(trial.point, hessian=hessian))
        yield trial
        idle.note(point, point.newton_step)
        point = trial.point
