"""Times of the cases of two sides, whose processes take turns: A B B A, and the next round."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bench.regression.sides import Side, SideError, Worker, workers
from bench.regression.verdicts import TIME, Interval, Thresholds, Verdict, interval

# Seconds of a turn: many short ones, of which the system interrupts few.  Before its turn, a
# process makes a call that is not timed, unless calls are longer than that.
_TURN_S, _WARM_S = 0.001, 0.004
# Rounds of a pair of processes: so many, or fewer if they would take longer.
_MOST_ROUNDS, _LEAST_ROUNDS, _PAIR_S = 24, 8, 0.5
# Pairs of processes: at least, until an alarm is believed, and at most.
LEAST_PAIRS, SURE_PAIRS, MOST_PAIRS = 5, 8, 24


@dataclass
class Timing:
    """A case: seconds of a call of either side, and logarithms of ratios of rounds, by pairs."""

    case: str
    threads: int
    thresholds: Thresholds = TIME
    base_s: list[float] = field(default_factory=list)
    head_s: list[float] = field(default_factory=list)
    samples: list[NDArray[np.float64]] = field(default_factory=list)
    error: str = ""

    @property
    def interval(self) -> Interval:
        return interval(self.samples)

    @property
    def verdict(self) -> Verdict:
        return self.thresholds.verdict(self.interval, float(np.median(self.base_s)))

    @property
    def is_settled(self) -> bool:
        """Whether more pairs would be of no use."""
        if self.error or len(self.samples) >= MOST_PAIRS:
            return True
        if len(self.samples) < LEAST_PAIRS:
            return False
        found = self.verdict
        return found == "same" or (found != "inconclusive" and len(self.samples) >= SURE_PAIRS)


def measure(
    base: Side,
    head: Side,
    cases: Mapping[str, int],
    budget_s: float,
    progress: Callable[[str, int], object] = lambda _case, _left: None,
) -> list[Timing]:
    """Sample until all is settled or the time is used up; every case gets `LEAST_PAIRS`.

    Cases come with their numbers of threads.
    """
    timings = [Timing(case, threads) for case, threads in cases.items()]
    end = time.monotonic() + budget_s
    for pair in range(MOST_PAIRS):
        left = [timing for timing in timings if not timing.is_settled]
        if not left or (pair >= LEAST_PAIRS and time.monotonic() > end):
            break
        # Whoever starts first may lie elsewhere in memory.
        order = (base, head) if pair % 2 == 0 else (head, base)
        with workers(*order) as started:
            a, b = started if pair % 2 == 0 else reversed(started)
            for number, timing in enumerate(left):
                progress(timing.case, len(left) - number)
                try:
                    _sample(timing, a, b, pair)
                except SideError as error:
                    timing.error = str(error)
    return timings


def _sample(timing: Timing, a: Worker, b: Worker, pair: int) -> None:
    case = timing.case
    seconds = a.do("prepare", case=case)
    b.do("prepare", case=case)
    is_long = seconds > _WARM_S
    turn = {
        "case": case,
        "calls": max(1, round(_TURN_S / seconds)),
        "warm": not is_long,
        # Both on the same one, as others may be busy with something else; each pair on the next.
        "core": pair if timing.threads == 1 else None,
    }
    rounds = []
    for _ in range(min(_MOST_ROUNDS, max(_LEAST_ROUNDS, round(_PAIR_S / (4 * seconds))))):
        first, second, third, fourth = (worker.do("time", **turn) for worker in (a, b, b, a))
        timing.base_s.append(min(first, fourth))
        timing.head_s.append(min(second, third))
        rounds.append(math.log(second * third / (first * fourth)) / 2)
    timing.samples.append(np.array(rounds))
