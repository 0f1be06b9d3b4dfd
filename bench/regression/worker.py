"""A process of one side: it reads requests in JSON, one a line, and answers each in a line.

Its argument is the number of memory pages that it leaves unused.

    {"do": "list"}                                       names of all cases, and their threads
    {"do": "prepare", "case": name}                      seconds of a call, after a first one
    {"do": "time", "case": name, "calls": 100, "warm": true, "core": 0}      seconds of a call
    {"do": "cpu_seconds"}                                of the process so far
    {"do": "values", "function": name, "arguments": file, "to": file}
    {"do": "results", "function": name, "n": 1000, "dtype": "float64", "to": file}
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.regression.cases import Call, cases, references, results

_ready: dict[str, Call] = {}
# Cores of the process; only Linux lets a process choose.
_cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def _list() -> dict[str, int]:
    return {name: case.threads for name, case in cases().items()}


def _prepare(case: str) -> float:
    _stay_on(None)
    _ready[case] = (references() | cases())[case].make()
    _ready[case]()
    return min(_seconds(_ready[case], 1) for _ in range(3))


def _time(case: str, calls: int, *, warm: bool, core: int | None) -> float:
    _stay_on(core)
    if warm:
        _ready[case]()
    return _seconds(_ready[case], calls)


def _stay_on(core: int | None) -> None:
    """Keep the main thread on one core, or on none in particular."""
    if _cores:
        os.sched_setaffinity(0, _cores if core is None else {_cores[core % len(_cores)]})


def _seconds(call: Call, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls


def _values(function: str, arguments: str, to: str) -> str:
    import fastlogit as fl

    with np.errstate(all="ignore"):
        np.save(to, getattr(fl, function)(*np.load(arguments), threads=1))
    return to


def _results(function: str, n: int, dtype: str, to: str) -> str:
    np.savez(to, *results(function, n, dtype))
    return to


_DO: dict[str, Callable[..., Any]] = {
    "list": _list,
    "prepare": _prepare,
    "time": _time,
    "cpu_seconds": time.process_time,
    "values": _values,
    "results": _results,
}


def main() -> None:
    """Serve until standard input ends; only answers go to standard output."""
    pages = mmap.mmap(-1, int(sys.argv[1]) * mmap.PAGESIZE)  # later arrays lie elsewhere
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the parent handles Ctrl-C
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"result": _DO[request.pop("do")](**request)}
        except Exception as error:  # the parent judges it
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)
    pages.close()


if __name__ == "__main__":
    main()
