"""Times of the same calls on two sides, whose processes take turns: A B B A, or B A A B."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bench.regression.sides import Side, SideError, Worker, workers
from bench.regression.verdicts import TIME, Interval, Measured, Thresholds, interval

# Seconds of a turn: many short ones, so that the system interrupts few of them.  A call that takes
# less than the second figure is made once, untimed, before its turn.
_TURN_S, _WARM_S = 0.001, 0.004
# Rounds of a pair of processes; fewer if they would take longer than the seconds.
_MOST_ROUNDS, _LEAST_ROUNDS, _PAIR_S = 24, 8, 0.5
# Pairs of processes: at least; before slower or faster is believed; at most.
LEAST_PAIRS, SURE_PAIRS, MOST_PAIRS = 5, 12, 48

Progress = Callable[[str, int], object]  # the case, and how many are left


@dataclass
class Timing:
    """Samples of a case on both sides, or of one side and a reference.

    The base runs `base_case`: the same, or a reference that stands for the machine.  `expected` is
    then the stored ratio head / base of a former revision.  `samples` has the logarithms of the
    ratios of the rounds to the expected one, by pairs of processes; `errors` says why the base
    could not be timed, and why the head.
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
        """Expected and measured seconds of a call."""
        return float(np.median(self.base_s)) * self.expected, float(np.median(self.head_s))

    @property
    def interval(self) -> Interval:
        return interval(self.samples)

    @property
    def verdict(self) -> str:
        return self.thresholds.verdict(self.interval, self.seconds[0])

    @property
    def is_settled(self) -> bool:
        """Whether more pairs would not help."""
        if any(self.errors) or len(self.samples) >= MOST_PAIRS:
            return True
        if len(self.samples) < LEAST_PAIRS or self.is_unsure:
            return False
        return self.verdict != "inconclusive"

    @property
    def is_unsure(self) -> bool:
        """Whether it seems slower or faster, with too few samples to say so."""
        return len(self.samples) < SURE_PAIRS and self.verdict in ("slower", "faster")

    def measured(self) -> Measured:
        """The result."""
        if any(self.errors):
            # A failure of the base makes a case new, but not if the base is a reference.
            failed = self.errors[1] or self.base_case
            error = "; ".join(filter(None, self.errors))
            return Measured(self.case, error=error, known="failed" if failed else "new")
        pairs = len(self.samples)
        return Measured(self.case, self.seconds, "s", self.thresholds, self.interval, pairs)


def measure(
    base: Side,
    head: Side,
    timings: Sequence[Timing],
    budget_s: float,
    progress: Progress = lambda _case, _left: None,
) -> None:
    """Sample until everything is settled or the time is used up.

    In any case every case gets `LEAST_PAIRS`, and one that seems slower or faster `SURE_PAIRS`.
    The paths of both sides must be equally long: the place of a process's memory, and so its
    speed, depends on their length.
    """
    if len(str(base.folder)) != len(str(head.folder)):
        raise ValueError(f"paths must be equally long; got {base.folder} and {head.folder}")
    end = time.monotonic() + budget_s
    for pair in range(MOST_PAIRS):
        left = [timing for timing in timings if not timing.is_settled]
        if pair >= LEAST_PAIRS and time.monotonic() > end:
            left = [timing for timing in left if timing.is_unsure]
        if not left:
            break
        # The first process may get another place in memory, so the order alternates.
        order = (base, head) if pair % 2 == 0 else (head, base)
        with workers(*order) as started:
            a, b = started if pair % 2 == 0 else reversed(started)
            for number, timing in enumerate(left):
                progress(timing.case, len(left) - number)
                _sample(timing, a, b, pair)


def _sample(timing: Timing, base: Worker, head: Worker, pair: int) -> None:
    """Add the rounds of a pair of processes, or the reason why there are none."""
    # Both on the same core, because others may be busy; each pair on the next one.
    core = pair if timing.threads == 1 else None
    order = [(base, timing.base_case or timing.case), (head, timing.case)]
    is_base_first = pair % 2 == 0
    if not is_base_first:
        order.reverse()
    seconds = []
    for worker, case in order:
        try:
            seconds.append(worker.do("prepare", case=case))
        except SideError as error:
            timing.errors[worker is head] = str(error)
    if any(timing.errors):
        return
    longest = max(seconds)
    turns = []
    for (worker, case), own in zip(order, seconds, strict=True):
        calls = max(1, round(_TURN_S / (own if timing.base_case else longest)))
        options = {"case": case, "calls": calls, "warm": longest <= _WARM_S, "core": core}
        turns.append(partial(worker.do, "time", **options))
    rounds = []
    for _ in range(min(_MOST_ROUNDS, max(_LEAST_ROUNDS, round(_PAIR_S / (4 * longest))))):
        try:
            found = [turns[which]() for which in (0, 1, 1, 0)]
        except SideError as error:
            timing.errors[error.worker is head] = str(error)
            return
        outer, inner = (found[0], found[3]), (found[1], found[2])
        of_base, of_head = (outer, inner) if is_base_first else (inner, outer)
        timing.base_s.append(min(of_base))
        timing.head_s.append(min(of_head))
        rounds.append(math.log(math.prod(of_head) / math.prod(of_base)) / 2)
    timing.samples.append(np.array(rounds) - math.log(timing.expected))
