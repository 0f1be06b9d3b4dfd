"""``python -m bench report``: how fast fastlogit is, next to the best of the other libraries.

``TARGETS`` says what is compared and what fastlogit wants to reach; ``bench_targets.py`` asserts
the part of it that holds.
"""

from __future__ import annotations

import statistics
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from bench.implementations import FASTLOGIT, FUNCTIONS
from bench.measure import interleaved, ratio
from bench.peers import JAX, LIBRARIES, SCIPY, SKLEARN, TORCH, copy

COPY = "copy"

FAR_BEYOND_CACHE = 10_000_000
IN_CACHE = 4_096
THREADS = (1, 2)
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
    threads: tuple[int, ...] = THREADS
    out: bool = True


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
            Target("sigmoid", dtype, (SCIPY,), 1 / 1.5, (1, 10, 1000), (1,), out=False)
            for dtype in both
        ),
    ]


TARGETS = _targets()


def installed(target: Target) -> tuple[str, ...]:
    return tuple(peer for peer in target.peers if peer == COPY or peer in LIBRARIES)


def measure(target: Target, n: int, threads: int) -> tuple[dict[str, float], str, float]:
    """Median seconds of each peer, the fastest other than fastlogit, and how many times as fast."""
    calls = min(MOST_CALLS, max(1, CALLS_OVER // n))
    functions = {peer: _bind(target, peer, n, threads) for peer in (FASTLOGIT, *installed(target))}
    seconds = interleaved(functions, calls=calls)
    medians = {peer: statistics.median(times) for peer, times in seconds.items()}
    best = min(installed(target), key=medians.__getitem__)
    return medians, best, ratio(seconds, best, FASTLOGIT)


def _bind(target: Target, peer: str, n: int, threads: int) -> Any:
    if peer == COPY:
        return copy(_ARRAYS[target.function] * n * np.dtype(target.dtype).itemsize, threads)
    return FUNCTIONS[target.function].bind(peer, n, target.dtype, threads, out=target.out)


def main() -> None:
    """Measure every target, and print as it goes."""
    print(
        "| function | type | elements | threads | fastlogit | others | times as fast | target | |"
    )
    print("|---|---|--:|--:|--:|---|--:|--:|---|")
    cases = [
        (target, n, threads)
        for target in TARGETS
        if installed(target)
        for n in target.sizes
        for threads in target.threads
    ]
    reached = 0
    for target, n, threads in tqdm(cases, unit="case"):
        medians, best, times = measure(target, n, threads)
        others = ", ".join(
            f"**{peer} {_time(medians[peer])}**"
            if peer == best
            else f"{peer} {_time(medians[peer])}"
            for peer in installed(target)
        )
        reached += times >= target.times
        verdict = "reached" if times >= target.times else "not reached"
        tqdm.write(
            f"| `{target.function}` | {target.dtype} | {n:,} | {threads} "
            f"| {_time(medians[FASTLOGIT])} | {others} | {times:.2f} | ≥ {target.times:.2f} "
            f"| {verdict} |"
        )
    print(f"\n{reached} of {len(cases)} targets reached.")


def _time(seconds: float) -> str:
    for unit, size in (("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"
