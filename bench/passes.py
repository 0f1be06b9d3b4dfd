"""``python -m bench passes``: passes over X against reading it, other layouts, other libraries.

The reading is a sum of the bytes of X as float64, by NumPy on as many threads.  Losses and wins
are printed alike, as how many times as long or as fast each is.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.linalg import blas
from tqdm import tqdm

import fastlogit as fl
from bench import machine, markdown, results
from bench.implementations import PASSES, TUNED, library_of
from bench.markdown import OURS, Row
from bench.measure import interleaved, on_cores, ratio
from bench.peers import SKLEARN, TORCH, Library

Call = Callable[[], Any]
ROUNDS, CALLS_OVER = 5, 0.05


class Comparison(NamedTuple):
    """What is measured: at most `most` times as long, or at least `least` times as fast as."""

    what: str
    ours: Call
    others: dict[str, Call]
    most: float | None = None
    least: float | None = None
    threads: int | None = 2


@cache
def features(n: int, d: int, dtype: str) -> Any:
    rng = np.random.default_rng([n, d])
    if np.dtype(dtype).kind == "u":
        return rng.integers(0, 10, (n, d)).astype(dtype)
    return rng.standard_normal((n, d), np.float32).astype(dtype)


@cache
def targets(n: int, dtype: str = "float64") -> Any:
    return (np.random.default_rng(n).random(n) < 0.3).astype(dtype)


def coefficients(d: int, dtype: str = "float64") -> Any:
    return np.random.default_rng(d).normal(scale=1 / np.sqrt(d), size=d).astype(dtype)


def read(X: Any, threads: int) -> Call:
    """Sum of all that X consists of, in equal shares."""
    flat = X.reshape(-1).view(np.float64) if X.flags.c_contiguous else X.T.reshape(-1)
    shares = np.array_split(flat, threads)

    def add() -> float:
        return float(sum(_pool.map(np.sum, shares)))

    return add


_pool = ThreadPoolExecutor(2)


def peers(X: Any, t: Any, coef: Any, threads: int | None) -> dict[str, Call]:
    row = PASSES["linear.log_loss_gradient"]
    names = {"numpy": TUNED, SKLEARN: SKLEARN, TORCH: TORCH}
    return {
        name: _inside(library_of(peer), row.ready(peer, (X, t, coef), threads))
        for name, peer in names.items()
        if peer in row.implementations
    }


def _inside(library: Library, call: Call) -> Call:
    def call_inside() -> Any:
        with library.context():
            return call()

    return call_inside


def comparisons() -> Iterator[Comparison]:
    """All of them, with their data made when they are reached."""
    for n, d in ((1_000_000, 32), (300_000, 128), (50_000, 1000), (2_000_000, 8)):
        for dtype in ("float64", "float32"):
            yield from _rows(n, d, dtype)
            yield from _columns(n, d, dtype)
            features.cache_clear()
    gradient = fl.linear.log_loss_gradient
    n, d = 300_000, 128
    X, t, coef = features(n, d, "float64"), targets(n), coefficients(d)
    bytes_ = features(n, d, "uint8")
    wide = {"float64": partial(gradient, X, t, coef)}
    yield Comparison(f"uint8 {n:,} x {d}", partial(gradient, bytes_, t, coef), wide, least=3.0)
    product = partial(fl.linear.hessian_product, X, coef, coef)
    first = {"log_loss_gradient": partial(gradient, X, t, coef)}
    yield Comparison(f"hessian_product {n:,} x {d}", product, first, most=1.1)
    scaled = np.asfortranarray(X.T)
    ready = {"syrk of a scaled copy": partial(blas.dsyrk, 1.0, scaled)}
    yield Comparison(f"hessian {n:,} x {d}", partial(fl.linear.hessian, X, coef), ready, most=1.3)
    features.cache_clear()
    X = features(1_000_000, 32, "float64")
    probability = partial(fl.linear.probability, X, coefficients(32))
    yield Comparison(
        "probability 1,000,000 x 32 float64", probability, {"reading X": read(X, 2)}, most=1.15
    )
    yield from _sparse()
    X, t, coef = np.ones((1, 10)), np.ones(1), np.ones(10)
    yield Comparison("log_loss_gradient 1 x 10", partial(gradient, X, t, coef), {}, threads=None)


def _rows(n: int, d: int, dtype: str) -> Iterator[Comparison]:
    """Row-major, against reading it and against other libraries."""
    X, t, coef = features(n, d, dtype), targets(n, dtype), coefficients(d, dtype)
    what = f"log_loss_gradient {n:,} x {d} {dtype}"
    for threads in (2, 1):
        ours = partial(fl.linear.log_loss_gradient, X, t, coef, threads=threads)
        reading = {"reading X": read(X, threads)}
        most = 1.25 if threads == 2 and d > 8 else None
        yield Comparison(what, ours, reading, most=most, threads=threads)
        others = peers(X, t, coef, threads)
        least = 4.0 if d == 8 else 2.3
        yield Comparison(what, ours, others, least=least, threads=threads)


def _columns(n: int, d: int, dtype: str) -> Iterator[Comparison]:
    """The same numbers by columns, against themselves by rows."""
    X, t, coef = features(n, d, dtype), targets(n, dtype), coefficients(d, dtype)
    by_columns = np.asfortranarray(X)
    gradient = fl.linear.log_loss_gradient
    rows = {"row-major": partial(gradient, X, t, coef)}
    ours = partial(gradient, by_columns, t, coef)
    yield Comparison(f"column-major {n:,} x {d} {dtype}", ours, rows, most=1.25)
    if find_spec("pyarrow"):
        import pyarrow as pa

        table = pa.table({f"x{j}": by_columns[:, j] for j in range(d)})
        ours = partial(gradient, table, t, coef)
        yield Comparison(f"Arrow table {n:,} x {d} {dtype}", ours, rows, most=1.3)


def _sparse() -> Iterator[Comparison]:
    """Columns filled by a power law, as words in texts are."""
    n, d, entries = 200_000, 50_000, 10_000_000
    rng = np.random.default_rng(0)
    columns = np.minimum((d ** rng.random(entries) - 1).astype(np.int64), d - 1)
    rows = rng.integers(0, n, entries)
    X = sparse.csr_array((rng.standard_normal(entries), (rows, columns)), shape=(n, d))
    t, coef = targets(n), coefficients(d)
    ours = partial(fl.linear.log_loss_gradient, X, t, coef)
    yield Comparison(
        f"CSR {n:,} x {d:,}, {X.nnz:,} entries",
        ours,
        {"scipy": PASSES["linear.log_loss_gradient"].ready(TUNED, (X, t, coef))},
        least=2.0,
    )


def main(arguments: Sequence[str] = ()) -> None:
    """Measure every comparison, and print as it goes."""
    results.parser("passes").parse_args(arguments)
    here = machine.brief("scipy", "scikit-learn", "torch", "pyarrow")
    print(f"{markdown.machine(here)}\n")
    measured: dict[tuple[str, int | None], dict[str, float]] = {}
    print("| | threads | fastlogit | others | | wanted | |")
    print("|---|--:|--:|---|--:|--:|---|")
    for case in tqdm(comparisons(), unit="case", disable=None):
        with on_cores(case.threads):
            seconds = interleaved({OURS: case.ours, **case.others}, ROUNDS, _calls(case.ours))
        medians = {name: statistics.median(times) for name, times in seconds.items()}
        paired = {name: ratio(seconds, name, OURS) for name in case.others}
        measured.setdefault((case.what, case.threads), {}).update(paired | {OURS: medians[OURS]})
        best = min(case.others, key=medians.__getitem__, default=OURS)
        times = paired.get(best, 1.0)
        if case.least is None:
            result, reached = f"{1 / times:.2f} x as long", 1 / times <= (case.most or np.inf)
            wanted = f"at most {case.most}" if case.most else ""
        else:
            result, reached = f"{times:.2f} x as fast", times >= case.least
            wanted = f"at least {case.least}"
        verdict = ("reached" if reached else "not reached") if wanted else ""
        others = ", ".join(f"{name} {medians[name] * 1e3:.3g} ms" for name in case.others)
        tqdm.write(
            f"| {case.what} | {case.threads or ''} | {medians[OURS] * 1e3:.3g} ms | {others} "
            f"| {result if case.others else ''} | {wanted} | {verdict} |"
        )
    results.finish("passes", arguments, here, _by_features(measured))


def _by_features(measured: dict[tuple[str, int | None], dict[str, float]]) -> dict[str, Row]:
    """How many times as long as fastlogit by rows everything takes, on two threads."""
    rows: dict[str, Row] = {}
    for (what, threads), found in measured.items():
        function, _, X = what.partition(" ")
        if function == "log_loss_gradient" and threads == 2:
            times = {name: found[name] for name in found if name != OURS}
            for layout in ("column-major", "Arrow table"):
                if there := measured.get((f"{layout} {X}", 2)):
                    times[layout] = 1 / there["row-major"]
            rows[X] = {"seconds": found[OURS], "times_as_long": times}
    return rows


def _calls(function: Call) -> int:
    """So many that they take longer than the clock is wrong."""
    function()
    start = time.perf_counter()
    function()
    return max(1, int(CALLS_OVER / max(time.perf_counter() - start, 1e-6)))
