"""Samples of rows whose weighted loss and Hessian estimate the loss and Hessian of all rows.

Rows are drawn uniformly where every column has many entries that are not 0.  A rare column, such as
a rare category, would hardly appear in such a sample, and the sample's Hessian could be wrong by
any factor in its direction.  So the chance of a row grows with its share of the rare columns,
Σ (x_j / |x_j|)² over them, which is close to the row's leverage.  A row is weighted by the inverse
of its chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fastlogit.core.linalg import Vector

# A column with entries in fewer rows of a sample than this, or in a smaller share, is rare.
_ENOUGH_ROWS, _ENOUGH_SHARE = 500, 0.25
# Share of the rows that are drawn uniformly even where there are rare columns.
_UNIFORM = 0.25


def draw_uniformly(n: int, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """One row from each of `size` equal intervals of the numbers below n."""
    size = min(size, n)
    places = (np.arange(size) + rng.random(size)) * (n / size)
    return np.minimum(places.astype(np.int64), n - 1)


def rare_column_factors(entries: NDArray[np.int64], size: int, n: int) -> Vector | None:
    """1 / |x_j| for rare columns and 0 for others; None if no column is rare.

    `entries` is the number of elements that are not 0, for each column of a uniform sample of
    `size` of n rows.
    """
    if entries.min() >= min(_ENOUGH_ROWS, _ENOUGH_SHARE * size):
        return None
    # A column without entries in the sample is taken to have one.
    factors: Vector = 1.0 / np.sqrt(np.maximum(entries, 1) * (n / size))
    factors[entries >= _ENOUGH_SHARE * size] = 0.0
    return factors


class RareColumns(NamedTuple):
    """Scores for rare columns, where the scores of all rows are not known together.

    Attributes
    ----------
    factors : ndarray (d,)
        As `rare_column_factors` returns them.
    rows : int
        The rows from which a sample is drawn.
    """

    factors: Vector
    rows: int

    def chances(self, scores: Vector) -> Vector:
        """The chances of rows with these scores, except for a factor; see `chances_by_score`."""
        # The scores of all rows add up to about 1 for each rare column.
        total = max(1, int(np.count_nonzero(self.factors)))
        return _UNIFORM / self.rows + (1.0 - _UNIFORM) / total * scores


def chances_by_score(scores: Vector, weight: NDArray[Any] | None, size: int) -> Vector:
    """The chance of each row: partly uniform, partly in proportion to its score; sum `size`."""
    uniform = np.ones(scores.size) if weight is None else (weight > 0.0).astype(np.float64)
    chances: Vector = _UNIFORM / uniform.sum() * uniform + (1.0 - _UNIFORM) / scores.sum() * scores
    for _ in range(4):  # capping at 1 lowers the sum, so scale again
        np.minimum(chances * (size / chances.sum()), 1.0, out=chances)
    return chances


def draw_by_chance(chances: Vector, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows drawn by their chances, each at most once, in ascending order."""
    edges = np.cumsum(chances)
    places = np.arange(int(edges[-1])) + rng.random()
    return np.unique(np.minimum(np.searchsorted(edges, places, "right"), chances.size - 1))
