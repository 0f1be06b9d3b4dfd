"""Time of single calls: functions, and passes over X of several shapes and layouts.

All of it takes twelve minutes on two cores; ``-m quick`` takes three.
"""

from functools import partial
from itertools import product

import numpy as np
import pytest
from scipy import sparse

import fastlogit as fl
from bench.data import COLUMNS, DTYPES, argument
from bench.machine import cores, few, sizes
from bench.measure import on_cores
from bench.registry import (
    ELEMENTWISE,
    FASTLOGIT,
    FUNCTIONS,
    LIBRARIES,
    PASSES,
    SUMS,
    TUNED,
    cases,
    thread_counts,
)
from bench.registry.peers import SCIPY, SKLEARN, TORCH
from bench.roofline import stream
from bench.timings import READING


def time_rounds(benchmark, call, size, **info):
    """Time a call; the first round, which compiles, does not count."""
    benchmark.extra_info.update(info)
    benchmark.pedantic(
        call,
        rounds=20 if size < 1_000_000 else 5,
        iterations=max(1, 200_000 // size),
        warmup_rounds=1,
    )


# Functions by library ---------------------------------------------------------------------


def grid(names, counts):
    """Every function by everyone: fastlogit at all sizes, the others at three.

    The smallest and the largest in float64 on one thread are marked as quick.
    """
    for name, library in cases(names):
        ns = counts if library == FASTLOGIT else few(counts)
        for dtype, n, threads in product(DTYPES, ns, thread_counts(name, library)):
            quick = (dtype, threads) == ("float64", 1) and n in (counts[0], counts[-1])
            label = f"{name}-{library}-{dtype}-{n}-{threads or 'all'}"
            marks = [pytest.mark.quick] if quick else []
            yield pytest.param(name, library, dtype, n, threads, marks=marks, id=label)


ROWS = [elements // COLUMNS for elements in sizes(arrays=1)]
GRID = [*grid(ELEMENTWISE | SUMS, sizes(arrays=2)), *grid(PASSES, ROWS)]


@pytest.mark.parametrize(("name", "library", "dtype", "n", "threads"), GRID)
def test_function(benchmark, name, library, dtype, n, threads):
    function = FUNCTIONS[name]
    benchmark.group = f"{name} {dtype} {n:,} {threads or 'all'}"
    info = {"function": name, "implementation": library, "dtype": dtype, "n": n}
    info |= {"elements": function.elements(n), "threads": threads or cores()}
    with on_cores(threads), LIBRARIES[library].context():
        call = function.bind(library, n, dtype, threads, out=True)
        time_rounds(benchmark, call, function.elements(n), **info)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 10, 1000])
@pytest.mark.parametrize("library", [FASTLOGIT, SCIPY])
def test_short_call(benchmark, library, n, dtype):
    """The sigmoid of a few numbers, without ``out=``."""
    benchmark.group = f"short call {n} {dtype}"
    info = {"function": "sigmoid, short", "implementation": library, "dtype": dtype}
    info |= {"n": n, "elements": n}
    call = FUNCTIONS["sigmoid"].bind(library, n, dtype)
    time_rounds(benchmark, call, n, threads=1, **info)


# Layouts of X -----------------------------------------------------------------------------

SHAPES = [(1_000_000, 32), (300_000, 128), (50_000, 1000), (2_000_000, 8)]
GRADIENT = FUNCTIONS["linear.log_loss_gradient"]


def features(n, d, dtype):
    return np.random.default_rng([n, d]).standard_normal((n, d), np.float32).astype(dtype)


def arrow_table(X):
    pa = pytest.importorskip("pyarrow")
    return pa.table({f"x{j}": column for j, column in enumerate(np.asfortranarray(X).T)})


def gradient(library, X, t, coef, threads):
    """The pass of one library, or of fastlogit over another layout, or a sum of X's bytes."""
    if library == READING:
        return stream("read", X.nbytes, threads)
    layouts = {"column-major": np.asfortranarray, "Arrow table": arrow_table}
    if library in layouts:
        return partial(fl.linear.log_loss_gradient, layouts[library](X), t, coef)
    return GRADIENT.ready(library, (X, t, coef), threads)


WHO = [FASTLOGIT, READING, TUNED, "column-major", "Arrow table"]
WHO += [library for library in (SKLEARN, TORCH) if library in LIBRARIES]


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_layout(benchmark, shape, dtype, who):
    n, d = shape
    X, t = features(n, d, dtype), (argument("y", n, dtype) < 0.3).astype(dtype)
    coef = np.random.default_rng(d).normal(scale=d**-0.5, size=d).astype(dtype)
    _time_layout(benchmark, f"{n:,} x {d:,} {dtype}", who, X, t, coef)


@pytest.mark.parametrize("who", [FASTLOGIT, TUNED])
def test_csr(benchmark, who):
    """Columns filled by a power law, like words in texts."""
    n, d, entries = 200_000, 50_000, 10_000_000
    rng = np.random.default_rng(0)
    columns = np.minimum((d ** rng.random(entries) - 1).astype(np.int64), d - 1)
    rows = rng.integers(0, n, entries)
    X = sparse.csr_array((rng.standard_normal(entries), (rows, columns)), shape=(n, d))
    what = f"CSR {n:,} x {d:,}, {X.nnz:,} entries"
    _time_layout(benchmark, what, who, X, argument("t", n, "float64"), rng.normal(size=d))


def _time_layout(benchmark, what, who, X, t, coef):
    benchmark.group = f"log_loss_gradient {what}"
    library = LIBRARIES.get(who, LIBRARIES[FASTLOGIT])
    threads = min(2, cores())
    with on_cores(threads), library.context():
        call = gradient(who, X, t, coef, threads)
        time_rounds(benchmark, call, 1_000_000, implementation=who, X=what)
