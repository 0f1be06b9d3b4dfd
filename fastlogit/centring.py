"""Columns that are far from 0 are read less a centre, so that no digits are lost; X is not copied.

With an intercept b the model w x + b is the model w (x - m) + (b + w m).  Where the mean of a
column is R times its standard deviation, the Hessian of the first has a condition number of R²,
and sums over its elements lose as many digits; x - m is nearly exact, and has neither problem.
A centre need only be near the mean.  It is an element of the column, so that a constant column
becomes 0, and a column that needs none keeps its compiled code and its bits.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fastlogit.features import Features

# A column is far from 0 where its mean is so many of its standard deviations.  Less costs four
# digits of 16 at most.
_FAR = 100.0
# The mean and the standard deviation are those of at most so many rows and elements.
_ROWS, _ELEMENTS = 1024, 1 << 20


def centred(X: Features, weight: NDArray[Any] | None, threads: int) -> Features:
    """Subtract a centre from the columns that are far from 0, over the rows that have a weight."""
    rows = np.arange(X.shape[0]) if weight is None else np.flatnonzero(weight > 0.0)
    if rows.size == 0:
        return X
    rows = rows[:: -(-rows.size // max(1, min(_ROWS, _ELEMENTS // X.shape[1])))]
    numbers, values = X.sample(rows, threads).full_columns()
    if numbers.size == 0:
        return X
    shares = None if weight is None else weight[rows]
    with np.errstate(all="ignore"):
        means = np.average(values, axis=0, weights=shares)
        apart = np.abs(values - means)
        deviations = np.sqrt(np.average(np.square(apart), axis=0, weights=shares))
        far = np.isfinite(means) & (np.abs(means) > _FAR * deviations)
    if not far.any():
        return X
    nearest = np.argmin(apart[:, far], axis=0)
    centres = np.zeros(X.shape[1])
    centres[numbers[far]] = values[:, far][nearest, np.arange(nearest.size)]
    return X.less(centres)


def moved(intercept: float, centres: NDArray[np.float64], coef: NDArray[np.float64]) -> float:
    """Intercept beside columns less their centres, for one beside the columns as they are."""
    return math.fsum([intercept, *(centres * coef).tolist()])
