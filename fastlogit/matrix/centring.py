"""Centring: subtract a number from columns that are far from 0, as they are read.

With an intercept b, the models w x + b and w (x - m) + (b + w m) are the same.  If the mean of a
column is R standard deviations, the Hessian of the first model has a condition number of about R²,
and rounding errors grow by the same factor.  x - m is nearly exact and avoids both.  X is not
copied.

A centre only has to be near the mean.  It is the median, which is an element of the column, so a
constant column becomes 0.  If no column needs a centre, the compiled code and the bits of the
results stay the same.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fastlogit.matrix.base import Matrix

# A column is far from 0 if its median exceeds this many standard deviations.  A smaller ratio costs
# at most four of 16 digits.
_FAR = 100.0
# Most rows and elements of the sample that decides, and its fewest rows.
_ROWS, _ELEMENTS, _LEAST_ROWS = 256, 1 << 20, 32
# The standard deviation is computed from this share of the rows, the nearest to the median.  So a
# few odd values, such as zeros among time stamps, do not count.
_NEAREST = 0.99


def centre_columns(X: Matrix, weight: NDArray[Any] | None, threads: int) -> Matrix:
    """X minus the centres of columns that are far from 0, judged by the rows with a weight."""
    if weight is not None:
        largest = weight.max()
        if not largest > 0.0:
            return X
        weight = np.divide(weight, largest, dtype=np.float64)
    numbers, values = X.sample(_evenly_spaced_rows(X, weight), threads).full_columns()
    if numbers.size == 0:
        return X
    with np.errstate(all="ignore"):
        middle, near = len(values) // 2, math.ceil(_NEAREST * len(values))
        medians = np.partition(values, middle, axis=0)[middle]
        apart = np.partition(np.abs(values - medians), near - 1, axis=0)[:near]
        deviations = np.sqrt(np.mean(np.square(apart), axis=0))
        far = np.isfinite(values).all(axis=0) & (np.abs(medians) > _FAR * deviations)
    if not far.any():
        return X
    centres = np.zeros(X.shape[1])
    centres[numbers[far]] = medians[far]
    centres = X.useful_centres(centres, weight)
    return X.subtract(centres, weight) if centres.any() else X


def _evenly_spaced_rows(X: Matrix, weight: NDArray[np.float64] | None) -> NDArray[np.int64]:
    """Rows at equal distances; with weights, at equal distances of the cumulated weight."""
    n = X.shape[0]
    most = max(_LEAST_ROWS, min(_ROWS, _ELEMENTS * n // max(1, X.elements)))
    count = min(n if weight is None else np.count_nonzero(weight), most)
    places = (np.arange(count) + 0.5) / count
    if weight is None:
        return (places * n).astype(np.int64)
    before = np.cumsum(weight)
    rows: NDArray[np.int64] = np.searchsorted(before, places * before[-1], "right")
    return rows


def shift_intercepts(
    intercepts: NDArray[np.float64], centres: NDArray[np.float64], coef: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Intercept of each output for centred columns, from those for the original columns.

    `coef` has a row for each output.  With negative centres, it is the way back.
    """
    terms = (centres * coef).tolist()
    return np.array([math.fsum([b, *row]) for b, row in zip(intercepts, terms, strict=True)])
