"""``python -m bench table``: the README's table, speed and error against NumPy, as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np

from bench import accuracy, machine
from bench.commands import parser
from bench.data import COLUMNS
from bench.implementations import FASTLOGIT, FUNCTIONS, NAIVE, STABLE, TUNED
from bench.measure import interleaved

NUMPY = (NAIVE, STABLE, TUNED)
N = 10_000_000
ROWS = 1_000_000
THREADS = 2
ERROR_POINTS = 1_000_000


def main(arguments: Sequence[str] = ()) -> None:
    """Measure, and print as it goes."""
    parser("table").parse_args(arguments)
    np.seterr(all="ignore")  # the naive formulas overflow
    print(f"{machine.text()}\n")
    print(
        "| float64, per element or row | NumPy, naive | stable | tuned | fastlogit, 1 thread "
        f"| {THREADS} threads | largest error: naive, stable, tuned, fastlogit |"
    )
    print("|---|--:|--:|--:|--:|--:|---|")
    _row("sigmoid", N, _errors("sigmoid"))
    _row("softplus", N, _errors("softplus"))
    _row("logistic_loss", N, _errors("logistic_loss"))
    _row("logit", N)
    _row("cross_entropy", N)
    _row("log_loss_gradient", N)
    _row("linear.probability", ROWS)
    _row("linear.probability", ROWS, dtype="float32")
    _row("linear.log_loss_gradient", ROWS)


def _row(name: str, n: int, errors: str = "", dtype: str = "float64") -> None:
    """Print times, and how many times as fast as NumPy's faster stable formula fastlogit is."""
    function = FUNCTIONS[name]
    peers = [peer for peer in NUMPY if peer in function.implementations]
    seconds = interleaved(
        {peer: function.bind(peer, n, dtype) for peer in peers}
        | {"one": function.bind(FASTLOGIT, n, dtype, 1)}
        | {"more": function.bind(FASTLOGIT, n, dtype, THREADS)}
    )
    times = {key: statistics.median(values) for key, values in seconds.items()}
    best = min(peers, key=lambda peer: (peer == NAIVE, times[peer]))
    cells = [f"{times[peer] / n * 1e9:.1f} ns" if peer in times else "" for peer in NUMPY]
    cells += [
        f"{times[ours] / n * 1e9:.1f} ns ({times[best] / times[ours]:.1f} x)"
        for ours in ("one", "more")
    ]
    what = f"`{name}({', '.join(function.arguments)})`"
    if "X" in function.arguments:
        what += f", X {n:,} x {COLUMNS}"
    if dtype != "float64":
        what += f", {dtype}"
    print(f"| {what} | {' | '.join(cells)} | {errors} |", flush=True)


def _errors(name: str) -> str:
    """Largest errors seen at points of all exponents, for hard labels."""
    table = accuracy.sweep(name, np.float64, soft=False, points=ERROR_POINTS)
    cells = [accuracy.largest(table, peer, np.float64) for peer in (*NUMPY, FASTLOGIT)]
    return ", ".join(f"{cell} ULP" if cell[0].isdigit() else cell for cell in cells)
