"""What ``pytest bench --benchmark-json=FILE`` stored, and ratios of it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

from bench.implementations import FASTLOGIT, FUNCTIONS

STORAGE = Path(".benchmarks")


class Timing(NamedTuple):
    """Of one implementation of a function."""

    function: str
    implementation: str
    dtype: str
    n: int
    elements: int
    bytes: int
    threads: int
    seconds: float

    @property
    def nanoseconds(self) -> float:
        """Of an element."""
        return self.seconds / self.elements * 1e9


class Stream(NamedTuple):
    """Bytes a second that the machine reads, copies or puts together, of so many in all."""

    kind: str
    size: int
    threads: int
    rate: float


class FirstCall(NamedTuple):
    """Of a function in a new process: what compiling takes (cold), or loading (cached)."""

    function: str
    cache: str
    seconds: float


class Comparison(NamedTuple):
    """Of fastlogit with all others that computed the same."""

    ours: Timing
    others: dict[str, Timing]

    def ratio(self, peer: str) -> float:
        """How many times as fast fastlogit is."""
        return self.others[peer].seconds / self.ours.seconds

    @property
    def best(self) -> str:
        """Who is the fastest of the others."""
        return min(self.others, key=lambda peer: self.others[peer].seconds)


class Results(NamedTuple):
    """A run's medians, what was not measured left out."""

    machine: dict[str, Any]
    date: str
    timings: list[Timing]
    streams: list[Stream]
    first_calls: list[FirstCall]

    @property
    def most_threads(self) -> int:
        return max(timing.threads for timing in self.timings)

    def comparisons(self, threads: int) -> list[Comparison]:
        """Where others are measured as well; those that have one thread are, on one."""
        found: dict[Any, Comparison] = {}
        cases = {(*timing[:5], timing.threads): timing for timing in self.timings}
        for timing in self.timings:
            if timing.implementation == FASTLOGIT and timing.threads == threads:
                found[timing.function, timing.dtype, timing.n] = Comparison(timing, {})
        for timing in self.timings:
            row = found.get((timing.function, timing.dtype, timing.n))
            if row is None or timing.implementation == FASTLOGIT:
                continue
            several = (*timing[:5], threads) in cases
            if timing.threads == (threads if several else 1):
                row.others[timing.implementation] = timing
        places = {name: place for place, name in enumerate(FUNCTIONS)}
        rows = [row for row in found.values() if row.others]
        return sorted(
            rows, key=lambda row: (places.get(row.ours.function, len(places)), row.ours.n)
        )

    def bandwidth(self, kind: str, size: float, threads: int) -> float | None:
        """Bytes a second of `size` bytes: between measured sizes, by their logarithms."""
        points = sorted(
            (stream.size, stream.rate)
            for stream in self.streams
            if (stream.kind, stream.threads) == (kind, threads)
        )
        if not points:
            return None
        below = [point for point in points if point[0] <= size] or points[:1]
        above = [point for point in points if point[0] >= size] or points[-1:]
        (low, slow), (high, fast) = below[-1], above[0]
        if low >= high:
            return slow
        share = math.log(size / low) / math.log(high / low)
        return slow ** (1 - share) * fast**share


def load(path: Path) -> Results:
    """Read a file of pytest-benchmark's."""
    stored = json.loads(path.read_text())
    timings, streams, first_calls = [], [], []
    for benchmark in stored["benchmarks"]:
        info, seconds = benchmark["extra_info"], benchmark["stats"]["median"]
        if "stream" in info:
            rate = info["bytes"] / seconds
            streams.append(Stream(info["stream"], info["size"], info["threads"], rate))
        elif "cache" in info:
            first_calls.append(FirstCall(info["function"], info["cache"], seconds))
        elif "elements" in info:
            timings.append(Timing(*(info[field] for field in Timing._fields[:-1]), seconds))
    return Results(stored["machine_info"], stored["datetime"], timings, streams, first_calls)


def newest(folder: Path = STORAGE) -> Path:
    """The last file that pytest-benchmark stored."""
    return max(folder.glob("*/*.json"), key=lambda path: path.stat().st_mtime)
