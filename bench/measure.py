"""How speeds are compared: in one process, the two sides in turn, as a ratio."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

# The threads of a BLAS go on spinning for a while after it has returned, on the cores that the
# other side needs.
PAUSE_S = 0.2


def interleaved(functions: dict[str, Callable[[], Any]], rounds: int = 7) -> dict[str, list[float]]:
    """Seconds of each function in each round, the functions taking turns.

    Each is called once before the first round, and once, after a pause, before each
    measurement, so that neither compilation nor the other functions' traces in the caches count.
    """
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in range(rounds):
        for name, function in functions.items():
            time.sleep(PAUSE_S)
            function()
            start = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def ratio(seconds: dict[str, list[float]], slow: str, fast: str) -> float:
    """How many times as fast `fast` is as `slow`: the median over the rounds."""
    return statistics.median(a / b for a, b in zip(seconds[slow], seconds[fast], strict=True))
