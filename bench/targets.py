"""``python -m bench targets``: how fast fastlogit is, next to the best of the other libraries.

``TARGETS`` says what is compared and what fastlogit wants to reach; ``bench_targets.py`` asserts
the part of it that holds.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from bench import machine
from bench.commands import parser
from bench.implementations import FASTLOGIT, FUNCTIONS, library_of
from bench.markdown import duration
from bench.measure import interleaved, on_cores, ratio
from bench.peers import JAX, LIBRARIES, SCIPY, SKLEARN, TORCH, copy

COPY = "copy"

FAR_BEYOND_CACHE = 10_000_000
IN_CACHE = 4_096
THREADS = (1, 2)
ROUNDS = 5
CALLS_OVER = 1_000_000  # elements, or as many calls at most as:
MOST_CALLS = 20_000
# Arrays that each function reads and writes: a copy of the same bytes moves as many.
_ARRAYS = {"sigmoid": 2, "log_loss_gradient": 3}


class Target(NamedTuple):
    """To be: `times` times as fast as the fastest of `peers`."""

    function: str
    dtype: str
    peers: tuple[str, ...]
    times: float
    sizes: tuple[int, ...] = (FAR_BEYOND_CACHE, IN_CACHE)
    threads: tuple[int | None, ...] = THREADS
    out: bool = True


class Case(NamedTuple):
    """One line of the report."""

    target: Target
    n: int
    threads: int | None


def _targets() -> list[Target]:
    frameworks = (SCIPY, TORCH, JAX)
    losses = (SKLEARN, TORCH, JAX)
    both = ("float64", "float32")
    large, two = (FAR_BEYOND_CACHE,), (2,)
    return [
        Target("sigmoid", "float64", (TORCH,), 1.0),
        Target("sigmoid", "float32", (TORCH,), 1 / 1.1),
        Target("sigmoid", "float64", (COPY,), 1 / 1.5, large, two),
        Target("sigmoid", "float32", (COPY,), 1 / 1.3, large, two),
        *(
            Target(function, dtype, frameworks, 3.0)
            for function in ("log_sigmoid", "softplus", "logistic_loss")
            for dtype in both
        ),
        Target("log_loss_gradient", "float64", losses, 4.0),
        Target("log_loss_gradient", "float32", losses, 3.0),
        Target("log_loss_gradient", "float64", (COPY,), 1 / 3.5, large, two),
        *(Target("log_loss", dtype, losses, 5.0) for dtype in both),
        *(
            Target("sigmoid", dtype, (SCIPY,), 1 / 1.5, (1, 10, 1000), (None,), out=False)
            for dtype in both
        ),
    ]


TARGETS = _targets()


def installed(target: Target) -> tuple[str, ...]:
    return tuple(peer for peer in target.peers if peer == COPY or peer in LIBRARIES)


def cases() -> list[Case]:
    return [
        Case(target, n, threads)
        for target in TARGETS
        for n in target.sizes
        for threads in target.threads
    ]


def measure(case: Case) -> tuple[dict[str, float], str, float]:
    """Median seconds of each, the fastest peer, and how many times as fast fastlogit is."""
    peers = installed(case.target)
    calls = min(MOST_CALLS, max(1, CALLS_OVER // case.n))
    bound = {peer: _bind(case, peer) for peer in (FASTLOGIT, *peers)}
    with ExitStack() as stack:
        stack.enter_context(on_cores(case.threads))
        for peer in bound.keys() - {COPY}:
            stack.enter_context(library_of(peer).context())
        seconds = interleaved(bound, ROUNDS, calls)
    medians = {peer: statistics.median(times) for peer, times in seconds.items()}
    best = min(peers, key=medians.__getitem__)
    return medians, best, ratio(seconds, best, FASTLOGIT)


def _bind(case: Case, peer: str) -> Callable[[], Any]:
    target, n, threads = case
    if peer == COPY:
        return copy(_ARRAYS[target.function] * n * np.dtype(target.dtype).itemsize, threads or 1)
    return FUNCTIONS[target.function].bind(peer, n, target.dtype, threads, out=target.out)


def main(arguments: Sequence[str] = ()) -> None:
    """Measure every case, and print as it goes."""
    parser("targets").parse_args(arguments)
    print(f"{machine.text('scipy', 'scikit-learn', 'torch', 'jax')}\n")
    print("| | elements | threads | fastlogit | others | times as fast | wanted | |")
    print("|---|--:|--:|--:|---|--:|--:|---|")
    measured = [case for case in cases() if installed(case.target)]
    reached = 0
    for case in tqdm(measured, unit="case", disable=None):
        target = case.target
        medians, best, times = measure(case)
        others = [f"{peer} {duration(medians[peer])}" for peer in installed(target)]
        good = times >= target.times
        reached += good
        tqdm.write(
            f"| `{target.function}`, {target.dtype} | {case.n:,} | {case.threads or ''} "
            f"| {duration(medians[FASTLOGIT])} | {', '.join(others)} | {times:.2f} x {best} "
            f"| {target.times:.2f} | {'reached' if good else 'not reached'} |"
        )
    print(f"\n{reached} of {len(measured)} reached.")
