"""What ``pytest bench`` stored, or ``report --save`` kept of that, and ratios of it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

from bench.implementations import FASTLOGIT, FUNCTIONS
from bench.results import rounded

STORAGE = Path(".benchmarks")
# Of what a reader wants to know the version.
_PACKAGES = (
    "fastlogit",
    "numba",
    "llvmlite",
    "numpy",
    "scipy",
    "scikit-learn",
    "torch",
    "jax",
    "numexpr",
    "pytest-benchmark",
)


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
    def name(self) -> str:
        """Which run it was, as pictures have it in their metadata."""
        revision = self.machine.get("revision")
        return f"pytest bench, {self.date}" + (f", fastlogit {revision}" if revision else "")

    @property
    def counts(self) -> dict[str, int]:
        """In how many of all cases fastlogit is the fastest, and faster than one of the others."""
        rows = self.cases
        ratios = [row.ratio(peer) for row in rows for peer in row.others]
        return {
            "fastest": sum(row.ratio(row.best) >= 1 for row in rows),
            "cases": len(rows),
            "faster": sum(ratio >= 1 for ratio in ratios),
            "pairs": len(ratios),
        }

    @property
    def parts(self) -> list[dict[str, Any]]:
        """The same of passes or not, a type and a size each, and where fastlogit is worst."""
        found: dict[tuple[bool, int, str], list[Comparison]] = {}
        for row in self.cases:
            is_pass = row.ours.n != row.ours.elements
            found.setdefault((is_pass, row.ours.n, row.ours.dtype), []).append(row)
        parts = []
        for (is_pass, n, dtype), rows in sorted(found.items(), key=lambda item: item[0][:2]):
            worst = min(rows, key=lambda row: row.ratio(row.best))
            parts.append(
                {
                    "is_pass": is_pass,
                    "dtype": dtype,
                    "n": n,
                    "fastest": sum(row.ratio(row.best) >= 1 for row in rows),
                    "cases": len(rows),
                    "worst": worst.ours.function,
                    "than": worst.best,
                    "times_as_fast": worst.ratio(worst.best),
                }
            )
        return parts

    @property
    def cases(self) -> list[Comparison]:
        """All that is compared, on one thread and on all."""
        return [row for threads in self.thread_counts for row in self.comparisons(threads)]

    @property
    def thread_counts(self) -> list[int]:
        return sorted({1, self.most_threads})

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
    """Read a file of pytest-benchmark's, or what was kept of one."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    return _kept(stored[-1]) if isinstance(stored, list) else _of_pytest(stored)


def keep(results: Results) -> dict[str, Any]:
    """Make of it a run as `bench.results` has them, from which `load` makes it again."""
    rows = {
        "timings": results.timings,
        "streams": results.streams,
        "first calls": results.first_calls,
    }
    run: dict[str, Any] = rounded(
        {
            "command": "pytest bench",
            "date": results.date[:10],
            "began": results.date,
            "machine": results.machine,
            "rows": rows,
        }
    )
    kept = _kept(run)
    run["rows"] |= rounded({"counts": kept.counts, "parts": kept.parts})
    return run


def _kept(run: dict[str, Any]) -> Results:
    rows = run["rows"]
    return Results(
        run["machine"],
        run["began"],
        [Timing(*row) for row in rows["timings"]],
        [Stream(*row) for row in rows["streams"]],
        [FirstCall(*row) for row in rows["first calls"]],
    )


def _of_pytest(stored: dict[str, Any]) -> Results:
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
    return Results(_machine(stored), stored["datetime"], timings, streams, first_calls)


def _machine(stored: dict[str, Any]) -> dict[str, Any]:
    """What is told of the machine, and which revision ran there."""
    described = stored["machine_info"]
    kept = {name: described[name] for name in ("processor", "cores", "caches", "python")}
    found = described["versions"]
    kept["versions"] = {name: found[name] for name in _PACKAGES if name in found}
    return kept | {name: described[name] for name in ("revision",) if name in described}


def newest(folder: Path = STORAGE) -> Path:
    """The last file that pytest-benchmark stored."""
    return max(folder.glob("*/*.json"), key=lambda path: path.stat().st_mtime)
