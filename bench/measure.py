"""How speeds are compared: by pytest-benchmark side by side, or in turn and as a ratio."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

from bench.implementations import (
    FASTLOGIT,
    FUNCTIONS,
    Function,
    cases,
    library_of,
    thread_counts,
)
from bench.machine import cores
from bench.sizes import few

DTYPES = ("float64", "float32")

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
    that can.  BLAS is told, as threads that wait for each other on one core take longer than one.
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

    A round that is not counted compiles and warms up.  A warning is an error, but for NumPy's
    formulas, which may overflow.
    """
    function = FUNCTIONS[name]
    elements = function.elements(n)
    benchmark.group = f"{name} {dtype} {n:,} {threads or 'all'}"
    benchmark.extra_info.update(
        function=name,
        implementation=peer,
        dtype=dtype,
        n=n,
        elements=elements,
        bytes=function.bytes_moved(n, dtype),
        threads=threads or cores(),
    )
    with on_cores(threads), library_of(peer).context():
        time_rounds(benchmark, function.bind(peer, n, dtype, threads, out=True), elements)


def time_rounds(benchmark: Any, call: Callable[[], Any], elements: int) -> None:
    """As many rounds and calls in each as so many elements take no long time for."""
    benchmark.pedantic(
        call,
        rounds=20 if elements < 1_000_000 else 5,
        iterations=max(1, 200_000 // elements),
        warmup_rounds=1,
    )


def grid(table: dict[str, Function], sizes: list[int]) -> list[Any]:
    """Cases for pytest: every function of a table by everyone, in types, sizes and threads.

    fastlogit at all sizes, others at the least, one between and the most.  Those of float64 on one
    thread at the least and the most are marked as quick.
    """
    import pytest

    found = []
    for name, peer in cases(table):
        ns = sizes if peer == FASTLOGIT else few(sizes)
        for dtype, n, threads in product(DTYPES, ns, thread_counts(name, peer)):
            quick = (dtype, threads) == ("float64", 1) and n in (sizes[0], sizes[-1])
            marks = [pytest.mark.quick] if quick else []
            label = f"{name}-{peer}-{dtype}-{n}-{threads or 'all'}"
            found.append(pytest.param(name, peer, dtype, n, threads, marks=marks, id=label))
    return found
