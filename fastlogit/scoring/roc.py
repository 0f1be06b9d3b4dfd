"""The area under the ROC curve, exact, or from a histogram of logits if there are many rows."""

from __future__ import annotations

import math
from copy import copy
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Up to this number of rows all logits are kept, and the area is exact.
EXACT_ROWS = 10_000_000
# A bin of the histogram is the leading bits of a float32: a logit's bin is 2**-11 of it wide.
_BITS = 20
# The histograms of several areas have together at most 2**24 bins for each label, 256 MB, which are
# the leading bits of a float16; up to 256 areas have all of its bits.
_ALL_BITS = 24


class RocArea:
    """Collects logits and targets; `result` gives the area.

    It takes its share of the memory if there are several `areas` of the same rows.  Bins of a
    histogram have a relative width of 2**-11 for one area and 2**-10 for up to 256; the width
    doubles each time the number of areas does.  So the error grows where the logits lie far from 0,
    compared with their standard deviation; `result` has its bound.
    """

    def __init__(self, areas: int = 1) -> None:
        self.kept: list[tuple[NDArray[np.float64], NDArray[np.bool_]]] = []
        self.rows = 0
        self.most = EXACT_ROWS // areas
        self.bits = _BITS if areas == 1 else min(16, _ALL_BITS - (areas - 1).bit_length())
        self.counts: NDArray[np.int64] | None = None

    def add(self, z: NDArray[np.float64], t: NDArray[np.bool_]) -> None:
        """Add rows with logits z and targets t."""
        self.rows += z.size
        self.kept.append((z, t))
        self._count_many()

    def merge(self, other: RocArea) -> RocArea:
        """The area of these and of other rows, as a new object; both have the same limits."""
        both = copy(self)
        both.rows, both.kept = self.rows + other.rows, self.kept + other.kept
        counts = [one for one in (self.counts, other.counts) if one is not None]
        both.counts = np.sum(counts, axis=0) if counts else None
        both._count_many()
        return both

    def _count_many(self) -> None:
        """Count the logits that are kept if they are too many."""
        if self.rows > self.most:
            if self.counts is None:
                self.counts = np.zeros((2, 1 << self.bits), np.int64)
            for z, t in self.kept:
                bins = _bins(z, self.bits)
                for label in (0, 1):
                    self.counts[label] += np.bincount(bins[t == label], minlength=1 << self.bits)
            self.kept = []

    def result(self) -> tuple[float, float]:
        """The area and a bound of its error."""
        if self.counts is not None:
            return area(*self.counts)
        z = np.concatenate([z for z, _ in self.kept])
        t = np.concatenate([t for _, t in self.kept])
        return _exact_area(np.sort(z[~t]), np.sort(z[t])), 0.0


def _exact_area(negatives: NDArray[np.float64], positives: NDArray[np.float64]) -> float:
    """The area under the ROC curve from the sorted logits of each class; see `area`.

    (From sorted logits it takes half of the time that counts of equal logits take.)
    """
    pairs = float(negatives.size) * float(positives.size)
    if pairs == 0.0:
        return math.nan
    below, not_above = (np.searchsorted(negatives, positives, side) for side in ("left", "right"))
    return (float(below.sum()) + float(not_above.sum())) / 2.0 / pairs


def count_by_logit(
    z: NDArray[np.float64], t: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """The distinct logits, ascending, and the numbers of rows with t = 0 and t = 1 at each."""
    distinct, places = np.unique(z, return_inverse=True)
    negatives, positives = (
        np.bincount(places[t == label], minlength=distinct.size) for label in (False, True)
    )
    return distinct, negatives, positives


def area(negatives: NDArray[np.int64], positives: NDArray[np.int64]) -> tuple[float, float]:
    """The area under the ROC curve from counts in ascending bins, and a bound of its error.

    It is the share of pairs, one row of each class, whose positive is in a later bin.  Pairs in
    one bin count half; if they are no ties, that is off by at most half of them.
    """
    pairs = float(negatives.sum()) * float(positives.sum())
    if pairs == 0.0:
        return math.nan, 0.0
    below = np.cumsum(negatives) - negatives
    ties = float(positives @ negatives.astype(np.float64)) / 2.0
    return (float(positives @ below.astype(np.float64)) + ties) / pairs, ties / pairs


def _bins(z: NDArray[np.float64], bits: int) -> NDArray[np.int64]:
    """The bin of each logit.  The bits of a float, signs aside, are in the order of its value."""
    width = 32 if bits > 16 else 16
    with np.errstate(over="ignore"):
        number = z.astype(f"f{width // 8}").view(f"u{width // 8}").astype(np.int64)
    sign = 1 << (width - 1)
    ordered = np.where(number & sign, ~number & (2 * sign - 1), number | sign)
    return ordered >> (width - bits)
