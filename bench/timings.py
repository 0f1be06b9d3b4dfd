"""A run of ``pytest bench`` as pytest-benchmark stored it, and ratios of its medians."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from bench.registry import FASTLOGIT, FUNCTIONS

STORAGE = Path(".benchmarks")
READING = "reading X"  # the name of a sum of its bytes, among the implementations of a pass


class Timing(NamedTuple):
    """Seconds of one implementation of a function."""

    function: str
    implementation: str
    dtype: str
    n: int
    elements: int
    threads: int
    seconds: float

    @property
    def nanoseconds(self) -> float:
        """Nanoseconds per element: a logit, or a number of X."""
        return self.seconds / self.elements * 1e9


class Comparison(NamedTuple):
    """fastlogit and all others that computed the same."""

    ours: Timing
    others: dict[str, Timing]

    def ratio(self, library: str) -> float:
        """How many times as fast fastlogit is."""
        return self.others[library].seconds / self.ours.seconds

    @property
    def best(self) -> str:
        """The fastest of the others."""
        return min(self.others, key=lambda library: self.others[library].seconds)

    @property
    def lead(self) -> float:
        """How many times as fast fastlogit is as the fastest of the others."""
        return self.ratio(self.best)


class Run(NamedTuple):
    """Medians of a run.

    `first_calls` has seconds by function and by "cold" or "cached", `layouts` seconds of a pass by
    description of X and by implementation, and `classes` seconds of functions of K classes by
    description, number of threads and implementation.
    """

    machine: dict[str, Any]
    date: str
    timings: list[Timing]
    first_calls: dict[tuple[str, str], float]
    layouts: dict[str, dict[str, float]]
    classes: dict[str, dict[int, dict[str, float]]]

    @property
    def thread_counts(self) -> list[int]:
        return sorted({1, max(timing.threads for timing in self.timings)})

    @property
    def cases(self) -> list[Comparison]:
        """Comparisons of the functions in the registry, on one thread and on all."""
        rows = [row for threads in self.thread_counts for row in self.comparisons(threads)]
        return [row for row in rows if row.ours.function in FUNCTIONS]

    def comparisons(self, threads: int) -> list[Comparison]:
        """Comparisons on a number of threads; a library with a single thread takes part with it."""
        found: dict[Any, Comparison] = {}
        measured = {(*timing[:5], timing.threads) for timing in self.timings}
        for timing in self.timings:
            if timing.implementation == FASTLOGIT and timing.threads == threads:
                found[timing.function, timing.dtype, timing.n] = Comparison(timing, {})
        for timing in self.timings:
            row = found.get((timing.function, timing.dtype, timing.n))
            if row is None or timing.implementation == FASTLOGIT:
                continue
            several = (*timing[:5], threads) in measured
            if timing.threads == (threads if several else 1):
                row.others[timing.implementation] = timing
        places = {name: place for place, name in enumerate(FUNCTIONS)}
        return sorted(
            (row for row in found.values() if row.others),
            key=lambda row: (places.get(row.ours.function, len(places)), row.ours.n),
        )


def load(path: Path) -> Run:
    """Read a file of pytest-benchmark."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    run = Run(stored["machine_info"], stored["datetime"], [], {}, {}, {})
    for benchmark in stored["benchmarks"]:
        info, seconds = benchmark["extra_info"], benchmark["stats"]["median"]
        if "cache" in info:
            run.first_calls[info["function"], info["cache"]] = seconds
        elif "X" in info:
            run.layouts.setdefault(info["X"], {})[info["implementation"]] = seconds
        elif "classes" in info:
            counts = run.classes.setdefault(info["classes"], {})
            counts.setdefault(info["threads"], {})[info["implementation"]] = seconds
        elif "elements" in info:
            run.timings.append(Timing(*(info[field] for field in Timing._fields[:-1]), seconds))
    return run


def newest(folder: Path = STORAGE) -> Path:
    """The last file that pytest-benchmark stored."""
    return max(folder.glob("*/*.json"), key=lambda path: path.stat().st_mtime)
