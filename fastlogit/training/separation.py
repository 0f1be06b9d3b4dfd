"""Whether labels can be separated, so that there are no best coefficients.

They are where some direction r has t = 1 in every row with x r > 0 and t = 0 in every row with
x r < 0.  Then f falls for ever along r (if that is not penalised), and its gradient vanishes; but
Newton's steps keep a length at which each moves some z by 1.  So a step that is still as long
where the gradient has vanished shows r, which the rows then prove.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastlogit.hessians import invert

if TYPE_CHECKING:
    from fastlogit.hessians import Matrix
    from fastlogit.training.objective import Objective, Point

# A Newton step that moves no z by as much as this leads to a minimum.
_MOVES = 0.1
# What is less than this share of the largest does not count, ...
_NEGLIGIBLE = 1e-3
# ... and of what columns contribute to r, less than this is not worth to be named.
_MINOR = 0.05


def separating(objective: Objective, point: Point, hessian: Matrix) -> list[int]:
    """Columns (after the last: the intercept) along which f falls for ever; none if it does not."""
    step = -invert(hessian)(point.gradient)
    if (np.abs(step) <= _NEGLIGIBLE * np.abs(point.theta)).all():
        return []  # no coefficient grows; no read is needed to see that
    moves = objective.logits(step)
    if not np.abs(moves).max() > _MOVES:
        return []
    # How far each row moves to the side of its label.
    t = objective.t
    margins = np.where(t == 1, moves, np.where(t == 0, -moves, -np.abs(moves)))
    if objective.weight is not None:
        margins = margins[objective.weight > 0.0]
    if not (margins.max() > _MOVES and margins.min() >= -_NEGLIGIBLE * margins.max()):
        return []
    lengths = np.sqrt(objective.hessian_diagonal(np.zeros(step.size)))
    shares = np.abs(step) * lengths
    return [int(j) for j in np.flatnonzero(shares > _MINOR * shares.max())]
