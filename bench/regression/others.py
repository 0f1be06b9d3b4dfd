"""What else is compared of two sides: memory, compilation, import and size of the wheel."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from bench.regression.sides import Side, SideError, Worker, workers
from bench.regression.verdicts import Interval, Thresholds, interval

MEMORY = Thresholds(0.1, 16e6)
COMPILATION = Thresholds(0.2, 2.0)
IMPORT = Thresholds(0.1, 0.02)
SIZE = Thresholds(0.05, 20e3)
_LEAST_IMPORTS, _MOST_IMPORTS, _RUNS = 8, 30, 2


class Measured(NamedTuple):
    """Something of every side, of which more is worse; None of a side that could not do it."""

    what: str
    values: tuple[float | None, ...]
    unit: str
    thresholds: Thresholds
    # Of the ratio of two sides, where it varies from run to run.
    interval: Interval | None = None
    error: str = ""


def compile_all(*sides: Side, cases: Iterable[str]) -> Iterable[Measured]:
    """Compile what the cases need, into empty caches; the least of two runs if one seems worse."""
    cases = list(cases)
    runs = []
    while True:
        runs.append(_compile(sides, cases))
        by_side = zip(*runs, strict=True)
        least = tuple(
            min((one for one in seconds if one is not None), default=None) for seconds in by_side
        )
        found = Measured(
            "compile all of it, CPU time",
            least,
            "s",
            COMPILATION,
            error=joined(
                f"{side.name}: a process ended before its time was known" if value is None else ""
                for side, value in zip(sides, least, strict=True)
            ),
        )
        if len(sides) == 1 or len(runs) == _RUNS or verdict(found) == "same":
            break
    yield found


def _compile(sides: Sequence[Side], cases: Sequence[str]) -> list[float | None]:
    """Seconds of each side, all at the same time; None where its process has ended in between."""
    for side in sides:
        side.empty_cache()
    with workers(*sides) as started, ThreadPoolExecutor() as pool:
        processes = [worker.process for worker in started]
        for case in tqdm(cases, desc="compile", file=sys.stderr, disable=None):
            list(pool.map(_prepared, started, [case] * len(started)))
        return [
            float(worker.do("cpu_seconds")) if worker.process is process else None
            for worker, process in zip(started, processes, strict=True)
        ]


def _prepared(worker: Worker, case: str) -> None:
    with suppress(SideError):  # of which the times will tell
        worker.do("prepare", case=case)


# At the end of a process: seconds of its CPU time, and bytes of memory at most.
_REPORT = """
import json, pathlib, time
seconds = time.process_time()
try:
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    peak = 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
except OSError:
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([seconds, peak]))
"""


def importing(*sides: Side) -> Iterable[Measured]:
    """CPU time of a process that imports fastlogit, in turns; until two sides are told apart."""
    code = "import fastlogit\n" + _REPORT
    times: list[list[float]] = []
    found = None
    for number in range(_MOST_IMPORTS):
        order = sides if number % 2 == 0 else sides[::-1]
        times.append([json.loads(side.run("-c", code).stdout)[0] for side in order])
        if number % 2:
            times[-1].reverse()
        if len(sides) == 2 and number + 1 >= _LEAST_IMPORTS:
            ratios = np.log([head / base for base, head in times])
            found = interval([ratios])
            if IMPORT.verdict(found, times[0][0]) != "inconclusive":
                break
        elif number + 1 >= _LEAST_IMPORTS:
            break
    medians = tuple(np.median(times, axis=0).tolist())
    yield Measured("import fastlogit, CPU time", medians, "s", IMPORT, found)


_MEMORY = {
    "import": "import fastlogit",
    "fit, 300,000 x 32": """
from bench.regression.cases import fit
fit(300_000)()
""",
    "score, Parquet, 300,000 x 32": """
from bench.regression.cases import score_file
score_file()()
""",
}


def memory(*sides: Side) -> Iterable[Measured]:
    """Memory of processes that do one thing, at most; the least of some runs, all sides at once."""
    for what, code in _MEMORY.items():

        def peak(side: Side, code: str = code + _REPORT) -> tuple[int | None, str]:
            try:
                return min(json.loads(side.run("-c", code).stdout)[1] for _ in range(_RUNS)), ""
            except SideError as error:
                return None, str(error)

        with ThreadPoolExecutor() as pool:
            peaks, errors = zip(*pool.map(peak, sides), strict=True)
        yield Measured(f"memory: {what}", peaks, "B", MEMORY, error=joined(errors))


def size(*sides: Side) -> Iterable[Measured]:
    """Of the wheels."""
    yield Measured("wheel", tuple(side.wheel.stat().st_size for side in sides), "B", SIZE)


def joined(errors: Iterable[str]) -> str:
    """Why each side could not do it, as one text."""
    return "; ".join(filter(None, errors))


def verdict(measured: Measured) -> str:
    """Of two sides: better, worse, same or inconclusive, or that one of them could not do it."""
    base, head = measured.values
    if head is None:
        return "failed"
    if base is None:
        return "new"
    thresholds = measured.thresholds
    if measured.interval is not None:
        found = thresholds.verdict(measured.interval, base)
        return {"slower": "worse", "faster": "better"}.get(found, found)
    if base == head:  # infinite errors as well
        return "same"
    if math.isinf(base) or math.isinf(head):
        return "worse" if head > base else "better"
    beyond = max(thresholds.relative * base, thresholds.absolute)
    return "worse" if head - base > beyond else "better" if base - head > beyond else "same"
