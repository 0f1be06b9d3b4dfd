"""What can be said of the ratio of two revisions' times, from rounds in which they took turns.

Each pair of processes differs from the next by where its memory and its code happen to lie, which
no number of rounds averages away.  So rounds are resampled within pairs, and the pairs as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Verdict = Literal["faster", "slower", "same", "inconclusive"]
# Logarithms of head / base: an array of rounds for each pair of processes.
Samples = Sequence[NDArray[np.float64]]

CONFIDENCE = 0.95
_RESAMPLES = 2000


class Interval(NamedTuple):
    """A ratio head / base, and between which values it is, with the confidence of `CONFIDENCE`."""

    ratio: float
    least: float
    most: float


def interval(samples: Samples) -> Interval:
    """Bootstrap the mean over pairs of the medians over rounds: pairs, and rounds within them.

    The mean is without the highest and the lowest fifth, as now and then a process is slow alone.
    Of few pairs an interval is a little too short: of normal noise it covers the ratio in 89 of 100
    runs of five pairs, in 92 of eight and in 95 of twelve.
    """
    rng = np.random.default_rng(2013)
    medians = np.stack([_resampled_medians(np.asarray(rounds).tobytes()) for rounds in samples])
    pairs = rng.integers(0, len(samples), (_RESAMPLES, len(samples)))
    drawn = rng.integers(0, _RESAMPLES, pairs.shape)
    of_all = _middle(medians[pairs, drawn])
    tail = (1 - CONFIDENCE) / 2
    least, most = np.quantile(of_all, [tail, 1 - tail])
    ratio = _middle(np.array([[np.median(rounds) for rounds in samples]]))[0]
    return Interval(*(math.exp(value) for value in (ratio, least, most)))


@cache
def _resampled_medians(rounds: bytes) -> NDArray[np.float64]:
    """Medians of resampled rounds of a pair (which are asked for again with each further pair)."""
    drawn = np.random.default_rng(2014).choice(
        np.frombuffer(rounds), (_RESAMPLES, len(rounds) // 8)
    )
    medians: NDArray[np.float64] = np.median(drawn, axis=1)
    return medians


def _middle(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of each row without its extremes: a fifth on either side, or one if there are three."""
    count = values.shape[1]
    cut = max(1, count // 5) if count > 2 else 0
    middle: NDArray[np.float64] = np.sort(values, axis=1)[:, cut : count - cut].mean(axis=1)
    return middle


class Thresholds(NamedTuple):
    """A change is one of more than this share, and of more than this much."""

    relative: float
    absolute: float

    def verdict(self, found: Interval, base: float) -> Verdict:
        """Say whether a ratio lies wholly beyond both thresholds, or wholly within one of them."""
        share = max(self.relative, self.absolute / base)
        if found.least > 1 + share:
            return "slower"
        if found.most < 1 / (1 + share):
            return "faster"
        if 1 / (1 + share) <= found.least and found.most <= 1 + share:
            return "same"
        return "inconclusive"


TIME = Thresholds(0.05, 100e-9)
