"""What the optimum is like: standard errors, collinear columns, and labels that are separated.

Labels can be separated where some direction r has t = 1 in every row with x r > 0 and t = 0 in
every row with x r < 0.  Then f falls for ever along r (if that is not penalised), and its
gradient vanishes; but Newton's steps keep a length at which each moves some z by 1.  So a step
that is still as long where the gradient has vanished shows r, which the rows then prove.  Still
further out the Hessian is 0 along r except for rounding, and Newton's step has no part there; but
θ has a long one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fastlogit.core import linalg
from fastlogit.training import solvers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastlogit.core.linalg import Vector
    from fastlogit.training.objective import Objective, Point

# A Newton step that moves no z by as much as this leads to a minimum.
_MOVES = 0.1
# Mean loss above which labels are not yet separated by θ itself, or not to be seen.
_SEPARATED_LOSS = 0.1
# What is less than this share of the largest does not count, ...
_NEGLIGIBLE = 1e-3
# ... and of what columns contribute to r, less than this is not worth to be named.
_MINOR = 0.05
# Columns that a message names.
_NAMED = 8


class SeparationWarning(UserWarning):
    """The labels can be separated, so that there are no best coefficients."""


class CollinearityWarning(UserWarning):
    """Columns are sums of multiples of others, so that many coefficients are the best."""


class SeparationError(ValueError):
    """What `SeparationWarning` says, with ``on_separation="raise"``."""


class Diagnosis(NamedTuple):
    """Columns by their numbers; that after the last is the intercept."""

    # Those that separate the labels, if any do.
    separating: list[int]
    # Those that others explain, where that is not so.
    dependent: list[int]
    # Those that others nearly explain, where neither is so.
    nearly: list[int]
    # Those that the rows no longer determine at the point, where none of the three is so.
    lost: list[int]
    # Of the estimates at the point that was diagnosed, where there is no penalty.
    variances: Vector | None


def diagnose(objective: Objective, point: Point, separating: list[int] | None) -> Diagnosis:
    """Diagnose a point, with a few reads of X where columns have no penalty.

    `separating` is the result of `separating_columns`, if that has been called.
    """
    d, penalties = objective.d, objective.penalties
    if separating is None:
        separating = separating_columns(objective, point)
    if penalties[:d].all() or d > solvers.MANY_COLUMNS:
        return Diagnosis(separating, [], [], [], None)
    hessian = objective.hessian(point.theta) if point.hessian is None else point.hessian
    dependent = [] if separating else linalg.dependent(hessian)
    if dependent:  # of X, and not of where its rows still count
        dependent = linalg.dependent(objective.hessian(np.zeros(penalties.size)))
    if penalties.any():
        return Diagnosis(separating, dependent, [], [], None)
    variances = linalg.variances(hessian, objective.X.centres)
    nearly: list[int] = []
    if np.isnan(variances).all() and not separating and not dependent:
        nearly = linalg.nearly_dependent(hessian)
    known = separating or dependent or nearly
    lost: list[int] = [] if known else np.flatnonzero(np.isnan(variances)).tolist()
    return Diagnosis(separating, dependent, nearly, lost, variances)


def separating_columns(objective: Objective, point: Point) -> list[int]:
    """Columns by which the labels can be separated, if that shows at a point; else none."""
    d, penalties = objective.d, objective.penalties
    if penalties.size > d and _all_the_same(objective):
        return [d]
    if penalties[:d].all():
        return []
    separating = [] if penalties.any() else _separating(objective, point, point.theta)
    if separating or d > solvers.MANY_COLUMNS:
        return separating
    if point.hessian is None:
        point = replace(point, hessian=objective.hessian(point.theta))
    assert point.hessian is not None
    return _separating(objective, point, point.newton_step) or _separating(
        objective, point, linalg.flat_part(point.hessian, point.theta)
    )


def _all_the_same(objective: Objective) -> bool:
    """Whether the intercept alone separates the labels."""
    t = objective.t if objective.weight is None else objective.t[objective.weight > 0.0]
    return t[0] in (0, 1) and bool((t == t[0]).all())


def _separating(objective: Objective, point: Point, step: Vector) -> list[int]:
    """Columns by which the labels are separated along a step, or along θ itself; none if not."""
    grows = (np.abs(step) > _NEGLIGIBLE * np.abs(point.theta)).any()
    if not grows or (step is point.theta and point.loss > _SEPARATED_LOSS * objective.total):
        return []  # no read is needed to see that
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
    shares = (np.abs(step) * lengths)[: objective.d]
    return np.flatnonzero(shares > _MINOR * shares.max()).tolist() or [objective.d]


# Messages ---------------------------------------------------------------------------------


def separated(columns: list[int], names: Sequence[str] | None, d: int) -> str:
    """Say so, and what to do."""
    if columns == [d]:
        return "the labels are all the same, so that the intercept would have to be infinite"
    return (
        f"the labels can be separated, mainly by {_named(columns, names, d)}, so that coefficients "
        "would have to be infinite; raise l2 above 0, or leave columns out"
    )


def collinear(columns: list[int], names: Sequence[str] | None, d: int) -> str:
    """Say so, and what to do."""
    return (
        f"collinear: {_named(columns, names, d)} can be made from other columns (or the "
        "intercept), so that many coefficients are the best: these are the shortest; leave "
        "columns out, or raise l2 above 0"
    )


def nearly_collinear(columns: list[int], names: Sequence[str] | None, d: int) -> str:
    """Say so, and what to do."""
    return (
        f"nearly collinear: {_named(columns, names, d)} can almost be made from other columns (or "
        "the intercept), so that rounding errors spoil the standard errors, which are NaN; centre "
        "columns that are far from 0, leave columns out, or raise l2 above 0"
    )


def lost(columns: list[int], names: Sequence[str] | None, d: int) -> str:
    """Say so, and what to do."""
    named = "the intercept" if columns == [d] else _named(columns, names, d)
    return (
        f"not converged: rounding hides what determines {named}; raise l2 above 0, or leave "
        "columns out"
    )


def _named(columns: list[int], names: Sequence[str] | None, d: int) -> str:
    """Columns in words; position d is the intercept, which goes without saying."""
    columns = [column for column in columns if column < d]
    shown = [repr(names[column]) if names else str(column) for column in columns[:_NAMED]]
    if len(columns) > _NAMED:
        shown.append(f"{len(columns) - _NAMED} more")
    text = " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]
    return f"column{'s' * (len(columns) > 1)} {text}"
