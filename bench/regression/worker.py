"""A process of one side: it does what a line of JSON on standard input says, and answers in one.

Its argument is how many pages of memory it leaves out.

    {"do": "list"}                                    names of all cases, and how many threads
    {"do": "prepare", "case": name}                   seconds of a call, after a first one
    {"do": "time", "case": name, "calls": 100, "warm": true, "core": 0}      seconds of a call
    {"do": "cpu_seconds"}                             of the process so far
    {"do": "values", "function": name, "arguments": file, "to": file}
    {"do": "results", "function": name, "n": 1000, "dtype": "float64", "to": file}

What fails is answered with the error.
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


# Cores that the process may use; on other systems than Linux nobody can choose.
_cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def _list() -> dict[str, int]:
    return {name: case.threads for name, case in cases().items()}


def _prepare(case: str) -> float:
    _stay_on(None)
    _ready[case] = (references() | cases())[case].make()
    _ready[case]()
    return min(_seconds(_ready[case], 1) for _ in range(3))


def _time(case: str, calls: int, *, warm: bool, core: int | None) -> float:
    function = _ready[case]
    _stay_on(core)
    if warm:
        function()
    return _seconds(function, calls)


def _stay_on(core: int | None) -> None:
    """Keep the main thread on one core, or let it go wherever the system likes."""
    if _cores:
        os.sched_setaffinity(0, _cores if core is None else {_cores[core % len(_cores)]})


def _seconds(function: Call, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - start) / calls


def _cpu_seconds() -> float:
    return time.process_time()


def _values(function: str, arguments: str, to: str) -> str:
    import fastlogit as fl

    compute = getattr(fl, function)
    with np.errstate(all="ignore"):
        np.save(to, compute(*np.load(arguments), threads=1))
    return to


def _results(function: str, n: int, dtype: str, to: str) -> str:
    np.savez(to, *results(function, n, dtype))
    return to


_DO: dict[str, Callable[..., Any]] = {
    "list": _list,
    "prepare": _prepare,
    "time": _time,
    "cpu_seconds": _cpu_seconds,
    "values": _values,
    "results": _results,
}


def main() -> None:
    """Serve until standard input ends; nothing else can write to standard output."""
    # Arrays that come later begin elsewhere within a huge page.
    pages = mmap.mmap(-1, int(sys.argv[1]) * mmap.PAGESIZE)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C is told by whoever started this
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"result": _DO[request.pop("do")](**request)}
        except Exception as error:  # which is the other side's to judge
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)
    pages.close()


if __name__ == "__main__":
    main()
