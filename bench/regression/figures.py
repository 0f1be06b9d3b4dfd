"""Compilation, import, memory and size of two sides."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
from tqdm import tqdm

from bench.regression.sides import Side, SideError, Worker, workers
from bench.regression.verdicts import Measured, Thresholds, interval

MEMORY = Thresholds(0.1, 16e6)
COMPILATION = Thresholds(0.2, 2.0)
IMPORT = Thresholds(0.1, 0.02)
SIZE = Thresholds(0.05, 20e3)
_LEAST_IMPORTS, _MOST_IMPORTS, _RUNS = 8, 30, 2


def compilation(*sides: Side, cases: Iterable[str]) -> Measured:
    """CPU time of compiling all cases into empty caches; the least of two if one seems worse."""
    cases = list(cases)
    runs: list[list[float | None]] = []
    while True:
        runs.append(_compile(sides, cases))
        least = tuple(
            min((seconds for seconds in each if seconds is not None), default=None)
            for each in zip(*runs, strict=True)
        )
        error = joined(
            f"{side.name}: a process ended before its time was known" if value is None else ""
            for side, value in zip(sides, least, strict=True)
        )
        found = Measured("compile all of it, CPU time", least, "s", COMPILATION, error=error)
        if len(sides) == 1 or len(runs) == _RUNS or found.verdict == "same":
            return found


def _compile(sides: Sequence[Side], cases: Sequence[str]) -> list[float | None]:
    """Seconds of each side, all at once; None if its process ended on the way."""
    for side in sides:
        shutil.rmtree(side.cache, ignore_errors=True)
    with workers(*sides) as started, ThreadPoolExecutor() as pool:
        processes = [worker.process for worker in started]
        for case in tqdm(cases, desc="compile", file=sys.stderr, disable=None):
            list(pool.map(_prepare, started, [case] * len(started)))
        return [
            float(worker.do("cpu_seconds")) if worker.process is process else None
            for worker, process in zip(started, processes, strict=True)
        ]


def _prepare(worker: Worker, case: str) -> None:
    with suppress(SideError):  # the timing reports it
        worker.do("prepare", case=case)


# Prints a process's CPU time and its peak memory.
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


def importing(*sides: Side) -> Measured:
    """CPU time of a process that imports fastlogit; in turns, until two sides are told apart."""
    code = "import fastlogit\n" + _REPORT
    times: list[list[float]] = []
    found = None
    for number in range(_MOST_IMPORTS):
        order = sides if number % 2 == 0 else sides[::-1]
        times.append([json.loads(side.run("-c", code))[0] for side in order])
        if number % 2:
            times[-1].reverse()
        if number + 1 < _LEAST_IMPORTS:
            continue
        if len(sides) == 1:
            break
        found = interval([np.log([head / base for base, head in times])])
        if IMPORT.verdict(found, times[0][0]) != "inconclusive":
            break
    medians = tuple(np.median(times, axis=0).tolist())
    return Measured("import fastlogit, CPU time", medians, "s", IMPORT, found)


_MEMORY = {
    "import": "import fastlogit",
    "fit, 300,000 x 32": "from bench.regression.cases import fit\nfit(300_000)()",
    "score, Parquet, 300,000 x 32": (
        "from bench.regression.cases import score_file\nscore_file()()"
    ),
}


def memory(*sides: Side) -> Iterator[Measured]:
    """Peak memory of processes that do one thing; the least of two runs, all sides at once."""
    for what, code in _MEMORY.items():

        def peak(side: Side, code: str = f"{code}\n{_REPORT}") -> tuple[int | None, str]:
            try:
                return min(json.loads(side.run("-c", code))[1] for _ in range(_RUNS)), ""
            except SideError as error:
                return None, str(error)

        with ThreadPoolExecutor() as pool:
            peaks, errors = zip(*pool.map(peak, sides), strict=True)
        yield Measured(f"memory: {what}", peaks, "B", MEMORY, error=joined(errors))


def size(*sides: Side) -> Measured:
    """Bytes of the wheels."""
    return Measured("wheel", tuple(side.wheel.stat().st_size for side in sides), "B", SIZE)


def joined(errors: Iterable[str]) -> str:
    """The errors of all sides in one text."""
    return "; ".join(filter(None, errors))
