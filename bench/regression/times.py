"""Times of the cases of two sides, whose processes take turns: A B B A, or B A A B."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bench.regression.sides import Side, SideError, Worker, workers
from bench.regression.verdicts import TIME, Interval, Thresholds, Verdict, interval

# Seconds of a turn: many short ones, of which the system interrupts few.  Before its turn, a
# process makes a call that is not timed, unless calls of one of both are longer than that.
_TURN_S, _WARM_S = 0.001, 0.004
# Rounds of a pair of processes: so many, or fewer if they would take longer.
_MOST_ROUNDS, _LEAST_ROUNDS, _PAIR_S = 24, 8, 0.5
# Pairs of processes: at least, until slower or faster is believed, and at most.
LEAST_PAIRS, SURE_PAIRS, MOST_PAIRS = 5, 12, 48


@dataclass
class Timing:
    """A case of both sides, or of one beside a reference.

    Attributes
    ----------
    base_case : str
        What is timed of the base: the same, or what stands for it on any machine.
    expected : float
        Ratio head / base of before; 1 where both are timed.
    base_s, head_s : list of float
        Seconds of calls.
    samples : list of ndarray
        Logarithms of ratios of rounds to what was expected, by pairs of processes.
    errors : list of str
        Why the base could not be timed, and why the head.
    """

    case: str
    threads: int
    base_case: str = ""
    expected: float = 1.0
    thresholds: Thresholds = TIME
    base_s: list[float] = field(default_factory=list)
    head_s: list[float] = field(default_factory=list)
    samples: list[NDArray[np.float64]] = field(default_factory=list)
    errors: list[str] = field(default_factory=lambda: ["", ""])

    @property
    def seconds(self) -> tuple[float, float]:
        """Of a call: what was expected, and what it takes."""
        return float(np.median(self.base_s)) * self.expected, float(np.median(self.head_s))

    @property
    def interval(self) -> Interval:
        return interval(self.samples)

    @property
    def verdict(self) -> Verdict:
        return self.thresholds.verdict(self.interval, self.seconds[0])

    @property
    def is_settled(self) -> bool:
        """Whether more pairs would be of no use."""
        if any(self.errors) or len(self.samples) >= MOST_PAIRS:
            return True
        if len(self.samples) < LEAST_PAIRS or self.is_unsure:
            return False
        return self.verdict != "inconclusive"

    @property
    def is_unsure(self) -> bool:
        """Whether what looks slower or faster has been sampled too seldom to say so."""
        return len(self.samples) < SURE_PAIRS and self.verdict in ("slower", "faster")


def measure(
    base: Side,
    head: Side,
    timings: Sequence[Timing],
    budget_s: float,
    progress: Callable[[str, int], object] = lambda _case, _left: None,
) -> None:
    """Sample until all is settled or the time is used up.

    Whatever the time, every case gets `LEAST_PAIRS`, and what then seems slower or faster
    `SURE_PAIRS`. Paths of both must be equally long: from their length follows where a process has
    its memory, and so how fast it is.
    """
    if len(str(base.folder)) != len(str(head.folder)):
        raise ValueError(f"{base.folder} and {head.folder} are not equally long")
    end = time.monotonic() + budget_s
    for pair in range(MOST_PAIRS):
        left = [timing for timing in timings if not timing.is_settled]
        if pair >= LEAST_PAIRS and time.monotonic() > end:
            left = [timing for timing in left if timing.is_unsure]
        if not left:
            break
        sample_all(base, head, left, pair, progress)


def sample_all(
    base: Side,
    head: Side,
    timings: Sequence[Timing],
    pair: int,
    progress: Callable[[str, int], object] = lambda _case, _left: None,
) -> None:
    """Start a pair of processes, and add what it gives of each case."""
    # Whoever starts first may lie elsewhere in memory.
    order = (base, head) if pair % 2 == 0 else (head, base)
    with workers(*order) as started:
        a, b = started if pair % 2 == 0 else reversed(started)
        for number, timing in enumerate(timings):
            progress(timing.case, len(timings) - number)
            sample(timing, a, b, pair)


def sample(timing: Timing, a: Worker, b: Worker, pair: int) -> None:
    """Add what a pair of processes gives, or why that is nothing."""
    # Both on the same core, as others may be busy with something else; each pair on the next.
    core = pair if timing.threads == 1 else None
    order = ((a, timing.base_case or timing.case), (b, timing.case))
    # Neither is always the first to get its memory and to begin a round.
    is_base_first = pair % 2 == 0
    if not is_base_first:
        order = order[::-1]
    seconds = []
    for worker, case in order:
        try:
            seconds.append(worker.do("prepare", case=case))
        except SideError as error:
            timing.errors[worker is b] = str(error)
    if any(timing.errors):
        return
    longest = max(seconds)
    first, second = (
        partial(
            worker.do,
            "time",
            case=case,
            calls=max(1, round(_TURN_S / (of_a_call if timing.base_case else longest))),
            warm=longest <= _WARM_S,
            core=core,
        )
        for (worker, case), of_a_call in zip(order, seconds, strict=True)
    )
    rounds = []
    for _ in range(min(_MOST_ROUNDS, max(_LEAST_ROUNDS, round(_PAIR_S / (4 * longest))))):
        try:
            found = [turn() for turn in (first, second, second, first)]
        except SideError as error:
            timing.errors[error.worker is b] = str(error)
            return
        base, head = (found[0], found[3]), (found[1], found[2])
        if not is_base_first:
            base, head = head, base
        timing.base_s.append(min(base))
        timing.head_s.append(min(head))
        rounds.append(math.log(math.prod(head) / math.prod(base)) / 2)
    timing.samples.append(np.array(rounds) - math.log(timing.expected))
