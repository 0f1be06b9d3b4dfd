"""Diagnosis of the point where training ended: variances, collinear columns, separated labels.

Two classes are separated if, along some direction r, t = 1 in every row with x r > 0 and t = 0 in
every row with x r < 0.  Without a penalty f then falls for ever along r, and its gradient vanishes.
Newton's steps, however, stay so long that they move some z by 1.  So a step of that length is a
candidate for r if the gradient has vanished.  The margins of the rows prove it.  Further out, the
Hessian along r is 0 except for rounding, and Newton's step has no component along r.  There, θ
itself is the candidate.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fastlogit.core import linalg

if TYPE_CHECKING:
    from fastlogit.core.linalg import SquareMatrix, Vector
    from fastlogit.training.objective import Objective, Point

# A Newton step that moves every logit by less leads to a minimum.
_MOVES = 0.1
# A mean loss above this shows that θ itself does not separate the labels.
_SEPARATED_LOSS = 0.1
# Margins, and elements of a step, below this share of the largest do not count.
_NEGLIGIBLE = 1e-3
# Columns that contribute less than this share to r are not named.
_MINOR = 0.05


class Diagnosis(NamedTuple):
    """Numbers of columns, where d stands for an intercept; at most one of the lists is filled."""

    # Columns that separate the labels.
    separating: list[int]
    # Columns that others explain.
    dependent: list[int]
    # Columns that others nearly explain.
    nearly: list[int]
    # Columns that the rows no longer determine at the point.
    lost: list[int]
    # Of the estimates at the point; None with a penalty.
    variances: Vector | None


def diagnose(objective: Objective, point: Point, separating: list[int] | None) -> Diagnosis:
    """Diagnose a point, with a few passes over X if columns have no penalty.

    `separating` is the result of `separating_columns`, if it was called before.
    """
    if separating is None:
        separating = separating_columns(objective, point)
    if objective.penalises_every_coefficient or not objective.forms_hessian:
        return Diagnosis(separating, [], [], [], None)
    outputs = objective.dataset.family.outputs
    hessian = objective.hessian(point.theta) if point.hessian is None else point.hessian
    dependent = [] if separating else _dependent(objective, hessian)
    if dependent:  # look where all rows count, as they may not at the point
        dependent = _dependent(objective, objective.hessian(np.zeros(objective.size)))
    if objective.penalty.is_penalised.any() or len(objective.gauge):
        return Diagnosis(separating, dependent, [], [], None)
    variances = linalg.variances(hessian, objective.dataset.centres, outputs)
    nearly: list[int] = []
    if np.isnan(variances).all() and not separating and not dependent:
        nearly = _columns(objective, linalg.nearly_dependent_columns(hessian))
    is_known = separating or dependent or nearly
    lost = [] if is_known else _columns(objective, np.flatnonzero(np.isnan(variances)).tolist())
    return Diagnosis(separating, dependent, nearly, lost, variances)


def separating_columns(objective: Objective, point: Point) -> list[int]:
    """Columns by which the labels can be separated, if that shows at a point; else none."""
    if objective.with_intercept and objective.dataset.intercept_separates:
        return [objective.dataset.d]
    if objective.penalises_every_coefficient:
        return []
    is_penalised = objective.penalty.is_penalised.any()
    separating = [] if is_penalised else _separating(objective, point, point.theta)
    if separating or not objective.forms_hessian:
        return separating
    if point.hessian is None:
        point = replace(point, hessian=objective.hessian(point.theta))
    assert point.hessian is not None
    return _separating(objective, point, point.newton_step) or _separating(
        objective, point, linalg.flat_part(point.hessian, point.theta)
    )


def _separating(objective: Objective, point: Point, step: Vector) -> list[int]:
    """Columns by which the labels are separated along a step, or along θ itself; else none."""
    dataset = objective.dataset
    # Two tests that need no pass over X.
    grows = (np.abs(step) > _NEGLIGIBLE * np.abs(point.theta)).any()
    if not grows:
        return []
    if step is point.theta and point.loss > _SEPARATED_LOSS * dataset.total_weight:
        return []
    least, largest = dataset.margin_range(step)
    if not (largest > _MOVES and least >= -_NEGLIGIBLE * largest):
        return []
    lengths = np.sqrt(objective.hessian_diagonal(np.zeros(step.size)))
    shares = (np.abs(step) * lengths)[: objective.coefficients]
    main = np.flatnonzero(shares > _MINOR * shares.max()).tolist()
    return _columns(objective, main) or [dataset.d]


def _dependent(objective: Objective, hessian: SquareMatrix) -> list[int]:
    """Collinear columns; directions of the gauge do not count."""
    gauge = objective.gauge
    if len(gauge):
        hessian = hessian + np.trace(hessian) * gauge.T @ gauge
    return _columns(objective, linalg.dependent_columns(hessian, objective.dataset.family.outputs))


def _columns(objective: Objective, elements: list[int]) -> list[int]:
    """Columns that elements of θ belong to; d for intercepts."""
    d, coefficients = objective.dataset.d, objective.coefficients
    return sorted({element % d if element < coefficients else d for element in elements})
