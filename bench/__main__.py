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
from bench.implementations import (
    LINEAR_LOG_LOSS_GRADIENT,
    LOG_LOSS_GRADIENT,
    LOGISTIC_LOSS,
    SIGMOID,
    SOFTPLUS,
    Implementations,
)
from bench.measure import interleaved, ratio

N = 10_000_000
SHAPE = (1_000_000, 32)
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
        "| float64, per element or row | NumPy, naive | NumPy, stable | fastlogit, 1 thread | "
        f"fastlogit, {THREADS} threads | largest error: naive, stable, fastlogit |"
    )
    print("|---|--:|--:|--:|--:|---|")
    rng = np.random.default_rng(2013)
    z = rng.normal(scale=3.0, size=N)
    t = (rng.random(N) < 0.3).astype(float)
    _row("`sigmoid(z)`", SIGMOID, (z,), _errors(SIGMOID, _sigmoid))
    _row("`softplus(z)`", SOFTPLUS, (z,), _errors(SOFTPLUS, _softplus))
    _row("`logistic_loss(z, t)`", LOGISTIC_LOSS, (z, t), _errors(LOGISTIC_LOSS, _loss_of_one, 1.0))
    _row("`log_loss_gradient(z, t)`", LOG_LOSS_GRADIENT, (z, t))
    del z, t
    X = rng.normal(size=SHAPE)
    coef = rng.normal(scale=0.2, size=SHAPE[1])
    t = (rng.random(SHAPE[0]) < 0.3).astype(float)
    name = f"`linear.log_loss_gradient(X, t, coef)`, X {SHAPE[0]:,} x {SHAPE[1]}"
    _row(name, LINEAR_LOG_LOSS_GRADIENT, (X, t, coef))


def _row(
    name: str, implementations: Implementations, args: tuple[Any, ...], errors: str = ""
) -> None:
    """Print times, and for fastlogit how many times as fast as stable NumPy it is."""
    fast = implementations["fastlogit"]
    seconds = interleaved(
        {
            "naive": lambda: implementations["numpy-naive"](*args),
            "stable": lambda: implementations["numpy-stable"](*args),
            "one": lambda: fast(*args, threads=1),
            "more": lambda: fast(*args, threads=THREADS),
        }
    )
    cells = []
    for key, values in seconds.items():
        text = f"{statistics.median(values) / len(args[0]) * 1e9:.1f} ns"
        ours = key in ("one", "more")
        cells.append(f"{text} ({ratio(seconds, 'stable', key):.1f} x)" if ours else text)
    print(f"| {name} | {' | '.join(cells)} | {errors} |", flush=True)


def _errors(implementations: Implementations, exact: Callable[[Any], Any], *args: float) -> str:
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
        for name in ("numpy-naive", "numpy-stable", "fastlogit"):
            got = implementations[name](z, *args)
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
