"""How speeds are compared: by pytest-benchmark side by side, or in turn and as a ratio."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np

from bench.data import argument
from bench.implementations import FUNCTIONS

# The threads of a BLAS go on spinning for a while after it has returned, on the cores that the
# other side needs.
PAUSE_S = 0.2


def interleaved(
    functions: dict[str, Callable[[], Any]],
    rounds: int = 7,
    calls: int = 1,
    *,
    warm: bool = False,
    progress: Callable[[str], object] | None = None,
) -> dict[str, list[float]]:
    """Seconds that a call of each function takes in each round, the functions taking turns.

    Each is called once before the first round, and once, after a pause, before each
    measurement, so that neither compilation nor the other functions' traces in the caches count.
    With `warm`, there are only the pauses: for calls of seconds, all of which were called before.
    What is too short for the clock is measured over several calls.  `progress` is called with the
    name of each function before its turn.
    """
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for function in () if warm else functions.values():
        function()
    for _ in range(rounds):
        for name, function in functions.items():
            if progress is not None:
                progress(name)
            time.sleep(PAUSE_S)
            if not warm:
                function()
            start = time.perf_counter()
            for _ in range(calls):
                function()
            seconds[name].append((time.perf_counter() - start) / calls)
    return seconds


@contextmanager
def on_cores(count: int | None) -> Iterator[None]:
    """Keep every thread of the process on `count` cores; None, or another system: on any.

    So that a library which cannot be told how many threads to use has no more cores than one
    that can.
    """
    if count is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    _move(set(sorted(before)[:count]))
    try:
        yield
    finally:
        _move(before)


def _move(cores: set[int]) -> None:
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # it has ended in between
            os.sched_setaffinity(int(thread.name), cores)


def ratio(seconds: dict[str, list[float]], slow: str, fast: str) -> float:
    """How many times as fast `fast` is as `slow`: the median over the rounds."""
    return statistics.median(a / b for a, b in zip(seconds[slow], seconds[fast], strict=True))


def compare(
    benchmark: Any,
    name: str,
    peer: str,
    dtype: str,
    n: int,
    threads: int | None = None,
) -> None:
    """Time one implementation, in a group with its peers on the same arguments.

    A round that is not counted compiles and warms up.  NumPy's formulas may overflow; from
    anyone else a warning is an error.
    """
    function = FUNCTIONS[name]
    elements = max(argument(arg, n, dtype).size for arg in function.arguments)
    benchmark.group = f"{name} {dtype} {n:,}"
    with np.errstate(all="ignore") if peer.startswith("numpy-") else nullcontext():
        benchmark.pedantic(
            function.bind(peer, n, dtype, threads),
            rounds=20 if elements < 1_000_000 else 5,
            iterations=max(1, 200_000 // elements),
            warmup_rounds=1,
        )
