"""Centring: columns that are far from 0 have a number subtracted as they are read.

With an intercept b, the models w x + b and w (x - m) + (b + w m) are the same.  If the mean of a
column is R times its standard deviation, the Hessian of the first has a condition number of about
R², and rounding errors take as many digits.  x - m is nearly exact and has neither problem.  X is
not copied.

A centre need only be near the mean.  It is an element of the column, so that a constant column
becomes 0.  Columns that need none keep their compiled code and their bits.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fastlogit.features import Features

# A column is far from 0 if its mean is more than this many standard deviations.  A smaller ratio
# costs at most four digits of 16.
_FAR = 100.0
# Mean and standard deviation are taken from at most this many rows and elements.
_ROWS, _ELEMENTS = 1024, 1 << 20


def centred(X: Features, weight: NDArray[Any] | None, threads: int) -> Features:
    """X with a centre subtracted from each column that is far from 0 in rows with a weight."""
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
    """Intercept for centred columns, from the one for columns that are not."""
    return math.fsum([intercept, *(centres * coef).tolist()])
