"""Timing in turns, ratios within a round, and goals that a ratio reaches or not."""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

Call = Callable[[], Any]
Seconds = dict[str, list[float]]
T = TypeVar("T")

# A BLAS keeps its threads spinning for a while after a call, on cores that the next call needs.
_PAUSE_S = 0.2


class Goal(NamedTuple):
    """A range that a ratio should lie in; judges in one place whether it does."""

    least: float = 0.0
    most: float = math.inf

    def verdict(self, value: float) -> str:
        return "reached" if self.least <= value <= self.most else "not reached"

    def judged(self, value: float) -> str:
        """The goal and its verdict."""
        return f"{self}, {self.verdict(value)}"

    def __str__(self) -> str:
        return f"at most {self.most:.3g}" if self.most < math.inf else f"at least {self.least:.3g}"


def seconds_of(call: Call) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def interleaved(
    calls: Mapping[str, Call],
    rounds: int,
    *,
    warm: bool = False,
    progress: Callable[[str], object] = lambda _: None,
) -> Seconds:
    """Seconds of every call in each round; the calls take turns.

    A pause and an untimed call come before each timed one, so that neither compilation nor another
    call's data in the caches count; `warm` leaves the untimed calls out, for long calls.
    """
    seconds: Seconds = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            progress(name)
            time.sleep(_PAUSE_S)
            if not warm:
                call()
            seconds[name].append(seconds_of(call))
    return seconds


def medians(seconds: Seconds) -> dict[str, float]:
    """Median over the rounds, by name."""
    return {name: statistics.median(times) for name, times in seconds.items()}


def ratio(numerator: list[float], denominator: list[float]) -> float:
    """Median over the rounds of the ratios within a round."""
    return statistics.median(a / b for a, b in zip(numerator, denominator, strict=True))


@contextmanager
def on_cores(count: int | None) -> Iterator[None]:
    """Restrict all threads of the process to `count` cores; None, or not on Linux: no limit.

    This keeps a library that cannot be told its number of threads from using more.  BLAS is told
    as well, because threads that wait for each other on one core are slower than a single one.
    """
    with ExitStack() as stack:
        if count is not None and find_spec("threadpoolctl"):
            from threadpoolctl import threadpool_limits

            stack.enter_context(threadpool_limits(count, user_api="blas"))
        if count is not None and hasattr(os, "sched_setaffinity"):
            before = os.sched_getaffinity(0)
            _move(set(sorted(before)[:count]))
            stack.callback(_move, before)
        yield


def _move(cores: set[int]) -> None:
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # a thread that has ended since
            os.sched_setaffinity(int(thread.name), cores)


def available(makers: Iterable[Callable[[], T]]) -> list[T]:
    """Results of the makers whose libraries are installed."""
    found = []
    for make in makers:
        try:
            found.append(make())
        except ImportError as error:
            print(f"left out: {error}")
    return found
