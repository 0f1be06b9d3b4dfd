"""``python -m bench``: print the README's table, speed and error against NumPy, as Markdown."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Callable
from typing import Any

import mpmath
import numba
import numpy as np

import fastlogit as fl
from bench.data import COLUMNS
from bench.implementations import FASTLOGIT, FUNCTIONS, NAIVE, STABLE, TUNED
from bench.measure import interleaved, ratio

NUMPY = (NAIVE, STABLE, TUNED)
N = 10_000_000
ROWS = 1_000_000
THREADS = 2
ERROR_POINTS = 4_000
ALL_DIGITS = 2.0**52


def main() -> None:
    """Measure, and print as it goes."""
    np.seterr(all="ignore")  # the naive formulas overflow
    print(
        f"{_processor()}, {platform.python_implementation()} {platform.python_version()}, "
        f"NumPy {np.__version__}, Numba {numba.__version__}, fastlogit {fl.__version__}\n"
    )
    print(
        "| float64, per element or row | NumPy, naive | stable | tuned | fastlogit, 1 thread "
        f"| {THREADS} threads | largest error: naive, stable, tuned, fastlogit |"
    )
    print("|---|--:|--:|--:|--:|--:|---|")
    _row("sigmoid", N, _errors("sigmoid", _sigmoid))
    _row("softplus", N, _errors("softplus", _softplus))
    _row("logistic_loss", N, _errors("logistic_loss", _loss_of_one, 1.0))
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
        f"{times[ours] / n * 1e9:.1f} ns ({ratio(seconds, best, ours):.1f} x)"
        for ours in ("one", "more")
    ]
    what = f"`{name}({', '.join(function.arguments)})`"
    if "X" in function.arguments:
        what += f", X {n:,} x {COLUMNS}"
    if dtype != "float64":
        what += f", {dtype}"
    print(f"| {what} | {' | '.join(cells)} | {errors} |", flush=True)


def _errors(name: str, exact: Callable[[Any], Any], *args: float) -> str:
    """Largest errors over points from -745 to 745, dense near 0."""
    rng = np.random.default_rng(2013)
    share = ERROR_POINTS // 4
    z = np.concatenate(
        [
            rng.uniform(-745, 745, share),
            rng.uniform(-40, 40, 2 * share),
            rng.normal(size=share) * 2.0 ** rng.integers(-60, 3, share),
        ]
    )
    with mpmath.workprec(1200):
        reference = [exact(mpmath.mpf(float(value))) for value in z]
        cells = []
        for peer in (*NUMPY, FASTLOGIT):
            got = FUNCTIONS[name].implementations[peer](z, *args)
            worst = max(_ulp(a, b) for a, b in zip(got, reference, strict=True))
            text = f"{worst:.2f} ULP" if worst < 1000 else f"{worst:.0e} ULP"
            cells.append("all digits" if worst > ALL_DIGITS else text)
    return ", ".join(cells)


def _ulp(got: float, exact: Any) -> float:
    if not np.isfinite(got):
        return np.inf
    spacing = mpmath.mpf(float(np.spacing(abs(float(exact)))))
    return float(abs(mpmath.mpf(float(got)) - exact) / spacing)


def _sigmoid(z: Any) -> Any:
    return 1 / (1 + mpmath.exp(-z))


def _softplus(z: Any) -> Any:
    return mpmath.log(1 + mpmath.exp(z))


def _loss_of_one(z: Any) -> Any:
    return _softplus(-z)


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="ascii") as file:  # noqa: PTH123
            names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
        return f"{names[0]}, {len(names)} cores"
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
