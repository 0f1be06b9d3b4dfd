"""Few rows that stand for all: f over them, weighted, is an estimate of f, as is its Hessian.

Rows are drawn alike where every column has many entries that are not 0.  Where some have few,
as those of rare categories do, a sample would hardly see them, and its Hessian would be wrong by
any factor in their direction.  There a row's chance rises with its share of the columns that
have few: with Σ (x_j / |x_j|)² over them, close to what is called the row's leverage.  A row
that was drawn weighs as much more as its chance was smaller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.training.objective import NotFiniteError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fastlogit.core.linalg import Vector
    from fastlogit.training.objective import Objective

# A column with entries in fewer rows of a sample than this, or in a smaller share, is rare.
_ENOUGH_ROWS, _ENOUGH_SHARE = 500, 0.25
# Share of the rows that are drawn alike also where there are rare columns.
_ALIKE = 0.25


def sample(objective: Objective, size: int, seed: int) -> Objective:
    """Draw about `size` of the rows that have a weight; the same for the same seed."""
    rng = np.random.default_rng(seed)
    rows = None if objective.weight is None else np.flatnonzero(objective.weight > 0.0)
    n = objective.n if rows is None else rows.size
    drawn = _draw_alike(n, size, rng)
    alike = drawn if rows is None else rows[drawn]
    first = objective.of_rows(alike, n / alike.size)
    entries = first.X.count_nonzero()
    if entries.min() >= min(_ENOUGH_ROWS, _ENOUGH_SHARE * alike.size):
        return first
    # 1 / |x_j| over all of X, by the sample; of a column that it has not seen, a guess.
    shares = 1.0 / np.sqrt(np.maximum(entries, 1) * (n / alike.size))
    shares[entries >= _ENOUGH_SHARE * alike.size] = 0.0
    scores = _scores(objective, shares)
    if not scores.any():
        return first
    chances = _chances(scores, objective.weight, alike.size)
    chosen = _draw(chances, rng)
    return objective.of_rows(chosen, 1.0 / chances[chosen])


def _draw_alike(n: int, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw one row from each of `size` equal stretches."""
    size = min(size, n)
    places = (np.arange(size) + rng.random(size)) * (n / size)
    return np.minimum(places.astype(np.int64), n - 1)


def _scores(objective: Objective, shares: Vector) -> Vector:
    """(Σ shares x)² of each row, or 0 where that has no weight."""
    theta = np.zeros(objective.penalties.size)
    theta[: objective.d] = shares
    with np.errstate(over="ignore"):
        scores = np.square(objective.logits(theta), dtype=np.float64)
    if objective.weight is not None:
        scores[objective.weight <= 0.0] = 0.0
    if not np.isfinite(scores.sum()):
        raise NotFiniteError
    return scores


def _chances(scores: Vector, weight: NDArray[Any] | None, size: int) -> Vector:
    """Chance of each row, of which the sum is about `size`."""
    alike = np.ones(scores.size) if weight is None else (weight > 0.0).astype(np.float64)
    chances: Vector = _ALIKE / alike.sum() * alike + (1.0 - _ALIKE) / scores.sum() * scores
    for _ in range(4):  # as none may be above 1
        np.minimum(chances * (size / chances.sum()), 1.0, out=chances)
    return chances


def _draw(chances: Vector, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw rows, once each, by their chances."""
    edges = np.cumsum(chances)
    places = np.arange(int(edges[-1])) + rng.random()
    return np.unique(np.minimum(np.searchsorted(edges, places, "right"), chances.size - 1))
