"""Newton's method: steps -H⁻¹ g, where one pass over X gives f, g and H together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastlogit.training.solvers.search import Idleness, begin, search

if TYPE_CHECKING:
    from fastlogit.training.objective import Objective, Point
    from fastlogit.training.solvers.search import Settings, Steps


def newton_steps(objective: Objective, point: Point | None, _: Settings) -> Steps:
    """Steps of Newton's method with the Hessian of all rows."""
    point = yield from begin(objective, point, hessian=True)
    idle = Idleness()
    while not idle.ends:
        trial = yield from search(objective, point, point.newton_step, hessian=True)
        if trial is None:
            return
        yield trial
        idle.note(point, point.newton_step)
        point = trial.point
