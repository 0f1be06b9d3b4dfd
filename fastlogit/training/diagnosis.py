"""Diagnosis of the point where training ended: variances, collinear columns, separated labels.

Two classes are separated if, along some direction r, t = 1 in every row with x r > 0 and t = 0 in
every row with x r < 0.  Without a penalty f then falls for ever along r, and its gradient vanishes.
Of more classes, some may be separated and others not.  Newton's steps, however, stay so long that
they move some z by 1.  So a step of that length is a candidate for r if the gradient has vanished.
The margins of the rows prove it.  Further out, the Hessian along r is 0 except for rounding, and
Newton's step has no component along r.  There, θ itself is the candidate.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fastlogit.core import linalg

if TYPE_CHECKING:
    from numpy.typing import NDArray

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


class Separation(NamedTuple):
    """What separates the labels: columns, or d for an intercept."""

    columns: list[int]
    # The classes that are separated from all others, or that no row has.
    classes: list[int]


class Diagnosis(NamedTuple):
    """Numbers of columns, where d stands for an intercept; at most one of the fields is filled."""

    separation: Separation | None
    # Columns that others explain.
    dependent: list[int]
    # Columns that others nearly explain.
    nearly: list[int]
    # Columns that the rows no longer determine at the point.
    lost: list[int]
    # Of the family's `estimates` at the point; None with a penalty.
    variances: NDArray[np.float64] | None


def diagnose(objective: Objective, point: Point, separation: Separation | None) -> Diagnosis:
    """Diagnose a point, with a few passes over X if columns have no penalty.

    `separation` is the result of `find_separation`, if that found one before.
    """
    has_more = objective.forms_hessian and not objective.penalises_every_coefficient
    if has_more and point.hessian is None:
        point = replace(point, hessian=objective.hessian(point.theta))
    if separation is None:
        separation = find_separation(objective, point)
    if not has_more:
        return Diagnosis(separation, [], [], [], None)
    hessian = point.hessian
    assert hessian is not None
    dependent = [] if separation else _dependent(objective, hessian)
    if dependent:  # look where all rows count, as they may not at the point
        dependent = _dependent(objective, objective.hessian(np.zeros(objective.size)))
    if objective.penalty.is_penalised.any():
        return Diagnosis(separation, dependent, [], [], None)
    dataset = objective.dataset
    estimates = dataset.family.estimates(dataset.centres, with_intercept=objective.with_intercept)
    variances = linalg.variances(hessian, estimates)
    unknown = np.isnan(variances)
    nearly: list[int] = []
    if unknown.all() and not separation and not dependent:
        nearly = _columns(objective, linalg.nearly_dependent_columns(hessian))
    is_known = separation or dependent or nearly
    lost = [] if is_known else sorted(set(np.nonzero(unknown)[-1].tolist()))
    return Diagnosis(separation, dependent, nearly, lost, variances)


def find_separation(objective: Objective, point: Point) -> Separation | None:
    """What separates the labels, if that shows at a point."""
    dataset = objective.dataset
    absent = dataset.family.absent_classes(dataset.class_weights)
    if objective.with_intercept and absent:
        return Separation([objective.dataset.d], absent)
    if objective.penalises_every_coefficient:
        return None
    is_penalised = objective.penalty.is_penalised.any()
    separating = None if is_penalised else _separating(objective, point, point.theta)
    if separating or not objective.forms_hessian:
        return separating
    if point.hessian is None:
        point = replace(point, hessian=objective.hessian(point.theta))
    assert point.hessian is not None
    return _separating(objective, point, point.newton_step) or _separating(
        objective, point, linalg.flat_part(point.hessian, point.theta)
    )


def _separating(objective: Objective, point: Point, step: Vector) -> Separation | None:
    """What separates the labels along a step, or along θ itself."""
    dataset = objective.dataset
    # Two tests that need no pass over X.
    grows = (np.abs(step) > _NEGLIGIBLE * np.abs(point.theta)).any()
    if not grows:
        return None
    if step is point.theta and point.loss > _SEPARATED_LOSS * dataset.total_weight:
        return None
    least, largest, leads = dataset.margins(step)
    if not (largest > _MOVES and least >= -_NEGLIGIBLE * largest):
        return None
    lengths = np.sqrt(objective.hessian_diagonal(np.zeros(step.size)))
    shares = (np.abs(step) * lengths)[: objective.coefficients]
    main = np.flatnonzero(shares > _MINOR * shares.max()).tolist()
    classes = np.flatnonzero(leads > _NEGLIGIBLE * largest).tolist()
    return Separation(_columns(objective, main) or [dataset.d], classes)


def _dependent(objective: Objective, hessian: SquareMatrix) -> list[int]:
    """Collinear columns."""
    return _columns(objective, linalg.dependent_columns(hessian, objective.dataset.family.outputs))


def _columns(objective: Objective, elements: list[int]) -> list[int]:
    """Columns that elements of θ belong to; d for intercepts."""
    d, coefficients = objective.dataset.d, objective.coefficients
    return sorted({element % d if element < coefficients else d for element in elements})
