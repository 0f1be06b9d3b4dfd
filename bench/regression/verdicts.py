"""Verdicts on two revisions: intervals of ratios, thresholds, better or worse.

Pairs of processes differ by the places of their memory and code, which no number of rounds
averages away.  So rounds are resampled within pairs, and the pairs as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# Logarithms of head / base: an array of rounds for each pair of processes.
Samples = Sequence[NDArray[np.float64]]

CONFIDENCE = 0.95
_RESAMPLES = 2000
# Verdicts that make `compare` fail.
FAILING = ("slower", "worse", "missing", "failed")


class Interval(NamedTuple):
    """A ratio head / base and its confidence interval."""

    ratio: float
    least: float
    most: float


def interval(samples: Samples) -> Interval:
    """Bootstrap interval of the trimmed mean over pairs of the medians over rounds.

    The mean leaves out the highest and the lowest fifth, since a process may be slow on its own.
    With few pairs the interval is a little too short: for normal noise it covers the ratio in
    89 % of runs with five pairs, 92 % with eight and 95 % with twelve.
    """
    rng = np.random.default_rng(2013)
    medians = np.stack([_resampled_medians(np.asarray(rounds).tobytes()) for rounds in samples])
    pairs = rng.integers(0, len(samples), (_RESAMPLES, len(samples)))
    drawn = rng.integers(0, _RESAMPLES, pairs.shape)
    means = _trimmed_means(medians[pairs, drawn])
    tail = (1 - CONFIDENCE) / 2
    least, most = np.quantile(means, [tail, 1 - tail])
    ratio = _trimmed_means(np.array([[np.median(rounds) for rounds in samples]]))[0]
    return Interval(*(math.exp(value) for value in (ratio, least, most)))


@cache
def _resampled_medians(rounds: bytes) -> NDArray[np.float64]:
    """Medians of resampled rounds; cached, as each further pair asks for them again."""
    rng = np.random.default_rng(2014)
    drawn = rng.choice(np.frombuffer(rounds), (_RESAMPLES, len(rounds) // 8))
    medians: NDArray[np.float64] = np.median(drawn, axis=1)
    return medians


def _trimmed_means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of each row without a fifth at either end; without one value if there are three."""
    count = values.shape[1]
    cut = max(1, count // 5) if count > 2 else 0
    means: NDArray[np.float64] = np.sort(values, axis=1)[:, cut : count - cut].mean(axis=1)
    return means


class Thresholds(NamedTuple):
    """A change counts if it exceeds a share of the base and also an absolute amount."""

    relative: float
    absolute: float

    def verdict(self, found: Interval, base: float) -> str:
        """Whether an interval lies beyond both thresholds, or within them."""
        share = max(self.relative, self.absolute / base)
        if found.least > 1 + share:
            return "slower"
        if found.most < 1 / (1 + share):
            return "faster"
        if 1 / (1 + share) <= found.least and found.most <= 1 + share:
            return "same"
        return "inconclusive"


TIME = Thresholds(0.05, 100e-9)


@dataclass
class Measured:
    """A quantity of every side that should be small; None for a side that failed.

    `interval` belongs to the ratio of two sides, where it varies from run to run; `pairs` counts
    processes, for times of calls; `known` is the verdict of a case that one side does not have.
    """

    what: str
    values: tuple[float | None, ...] = (None, None)
    unit: str = ""
    thresholds: Thresholds = TIME
    interval: Interval | None = None
    pairs: int | None = None
    error: str = ""
    known: str = ""

    @property
    def ratio(self) -> float | None:
        """Head / base."""
        base, head = self.values
        if self.interval is not None:
            return self.interval.ratio
        return head / base if head is not None and base else None

    @property
    def verdict(self) -> str:
        """Better or worse (times: faster or slower), same, inconclusive, new, missing, failed."""
        base, head = self.values
        if self.known:
            return self.known
        if head is None:
            return "failed"
        if base is None:
            return "new"
        if self.interval is not None:
            found = self.thresholds.verdict(self.interval, base)
            words = {} if self.pairs else {"slower": "worse", "faster": "better"}
            return words.get(found, found)
        if base == head:  # including infinite errors
            return "same"
        if math.isinf(base) or math.isinf(head):
            return "worse" if head > base else "better"
        least = max(self.thresholds.relative * base, self.thresholds.absolute)
        return "worse" if head - base > least else "better" if base - head > least else "same"
