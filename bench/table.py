"""``python -m bench table``: speed and error against NumPy."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from bench import accuracy, machine, markdown, results
from bench.data import COLUMNS
from bench.implementations import FASTLOGIT, FUNCTIONS, NAIVE, STABLE, TUNED
from bench.markdown import Row
from bench.measure import interleaved

NUMPY = (NAIVE, STABLE, TUNED)
N = 10_000_000
ROWS = 1_000_000
THREADS = {"1 thread": 1, "2 threads": 2}
ERROR_POINTS = 1_000_000
# Function, elements or rows, type.
MEASURED = (
    ("sigmoid", N, "float64"),
    ("softplus", N, "float64"),
    ("logistic_loss", N, "float64"),
    ("logit", N, "float64"),
    ("cross_entropy", N, "float64"),
    ("log_loss_gradient", N, "float64"),
    ("linear.probability", ROWS, "float64"),
    ("linear.probability", ROWS, "float32"),
    ("linear.log_loss_gradient", ROWS, "float64"),
)
ERRORS = ("sigmoid", "softplus", "logistic_loss")


def main(arguments: Sequence[str] = ()) -> None:
    """Measure, and print as it goes."""
    results.parser("table").parse_args(arguments)
    np.seterr(all="ignore")  # the naive formulas overflow
    here = machine.brief()
    print(f"{markdown.machine(here)}\n")
    rows = {}
    for case in tqdm(MEASURED, unit="row", disable=None):
        name = _name(*case)
        rows[name] = measure(*case)
        tqdm.write(markdown.table({name: rows[name]}).splitlines()[-1])
    results.finish("table", arguments, here, rows)


def _name(name: str, n: int, dtype: str) -> str:
    arguments = FUNCTIONS[name].arguments
    what = f"`{name}({', '.join(arguments)})`"
    if "X" in arguments:
        what += f", X {n:,} x {COLUMNS}"
    return what if dtype == "float64" else f"{what}, {dtype}"


def measure(name: str, n: int, dtype: str) -> Row:
    """Times of an element, how much faster than NumPy's faster stable formula ours is, errors."""
    function = FUNCTIONS[name]
    peers = [peer for peer in NUMPY if peer in function.implementations]
    seconds = interleaved(
        {peer: function.bind(peer, n, dtype) for peer in peers}
        | {ours: function.bind(FASTLOGIT, n, dtype, count) for ours, count in THREADS.items()}
    )
    ns = {key: statistics.median(values) / n * 1e9 for key, values in seconds.items()}
    best = min(ns[peer] for peer in peers if peer != NAIVE)
    row = {"ns": ns, "times_as_fast": {ours: best / ns[ours] for ours in THREADS}}
    return row | ({"ulp": _errors(name)} if name in ERRORS else {})


def _errors(name: str) -> Row:
    """Largest errors seen at points of all exponents, for hard labels."""
    table = accuracy.sweep(name, np.float64, soft=False, points=ERROR_POINTS)
    return accuracy.errors({"float64": table}, (*NUMPY, FASTLOGIT))
