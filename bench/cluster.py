"""``python -m bench cluster``: training on a Dask cluster, against one process and dask-ml.

The cluster is a `LocalCluster` of two processes with one thread each; the process has two threads.
The rows are those of :mod:`bench.files`; nobody has a penalty.  Two parts:

frame     `fastlogit.dask.fit` on `dd.read_parquet`, which reads the file in each pass, against
          `fastlogit.fit`, which reads the same file as often
arrays    standardised columns as persisted arrays of float64, against the solvers of dask-ml

The goal is a gradient norm of 1e-7 of standardised columns, checked by NumPy and SciPy.  As in
`bench fits`, each solver runs at its loosest tolerance that gets there; one that takes longer than
its patience is not tried at another.
"""

from __future__ import annotations

import signal
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import fastlogit as fl
from bench import fits, machine, render, results
from bench.commands import count
from bench.files import LABEL, MOST_ROWS, NAMES, Files
from bench.measure import Goal, available, interleaved, medians, on_cores
from bench.render import OURS, Row

ROWS, WORKERS = 20_000_000, 2
MOST_TIMES, LEAST_TIMES = Goal(most=1.3), Goal(least=10)
SOLVERS = ("lbfgs", "newton", "admm", "gradient_descent", "proximal_grad")


class Setting(NamedTuple):
    """The files, and how often to repeat."""

    files: Files
    times: int
    rounds: int
    patience: float

    @property
    def data(self) -> fits.Data:
        """The standardised rows without repetitions, which have the same optimum."""
        return fits.Data(*self.files.in_memory(self.files.standardised()), l2=0.0)


@contextmanager
def cluster() -> Iterator[None]:
    """Two worker processes, which are the default scheduler."""
    from distributed import Client, LocalCluster

    options = {"n_workers": WORKERS, "threads_per_worker": 1, "memory_limit": None}
    with (
        LocalCluster(processes=True, dashboard_address=":0", **options) as made,
        Client(made) as client,
    ):
        client.wait_for_workers(WORKERS)
        yield


def frame(setting: Setting) -> Row:
    """A file that is read in each pass, by the workers or by this process."""
    import dask.dataframe as dd

    import fastlogit.dask

    path = setting.files.features(setting.times)
    data, models = setting.data, {}
    # Columns of Arrow, as they are in the file, need no copy.
    rows = dd.read_parquet(path, split_row_groups=True, dtype_backend="pyarrow")

    def fit(name: str, tol: float) -> fits.Solution:
        options: dict[str, Any] = {"label": LABEL, "l2": 0.0, "tol": tol, "threads": WORKERS}
        if name == "cluster":
            model = fastlogit.dask.fit(rows, **options)
        else:
            model = fl.fit(path, out_of_core=True, **options)
        models[name] = model
        return setting.files.standardised_theta(model.coef, model.intercept)

    ways = ("cluster", "process")
    tols = {name: _loosest(data, partial(fit, name)).tol for name in ways}
    calls = {name: partial(fit, name, tols[name]) for name in ways}
    seconds = interleaved(calls, setting.rounds, warm=True)
    row: Row = {"rows": setting.files.rows * setting.times, "partitions": rows.npartitions}
    for name, median in medians(seconds).items():
        row[name] = {"seconds": median, "passes": models[name].passes}
        print(f"{name}: {render.duration(median)}, {models[name].passes} passes")
    pairs = zip(seconds["cluster"], seconds["process"], strict=True)
    row["times_as_long"] = statistics.median(ours / theirs for ours, theirs in pairs)
    times = row["times_as_long"]
    print(f"{times:.2f} x as long on the cluster; goal: {MOST_TIMES.judged(times)}", flush=True)
    return row


def _loosest(data: fits.Data, fit: fits.Fit) -> fits.Chosen:
    found = fits.loosest(data, fit)
    if found is None or found.norm > fits.TARGET:
        raise RuntimeError(f"no tolerance gives a gradient norm of {fits.TARGET:g}")
    return found


def arrays(setting: Setting) -> Row:
    """Persisted arrays, against dask-ml."""
    import dask.dataframe as dd
    from distributed import wait

    import fastlogit.dask

    once = dd.read_parquet(setting.files.standardised(), split_row_groups=True)
    rows = dd.concat([once] * setting.times)
    # Together, as Dask joins partitions by the number of columns that it reads.
    whole = rows[[*NAMES, LABEL]].to_dask_array(lengths=True).astype(np.float64).persist()
    X = whole[:, :-1].map_blocks(np.ascontiguousarray).persist()
    t = whole[:, -1].map_blocks(np.ascontiguousarray).persist()
    wait([X, t])
    del whole

    def ours(tol: float) -> fits.Solution:
        model = fastlogit.dask.fit(X, t, l2=0.0, tol=tol, threads=WORKERS)
        return model.coef, model.intercept

    found = {OURS: ours}
    for others in available([partial(_dask_ml, X, t, setting.patience)]):
        found |= others
    contenders = fits.compared(setting.data, found, setting.rounds)
    for each in contenders.values():
        each["note"] = f"gradient norm {each['gradient_norm']:.0e} in {each['seconds']:.0f} s"
    for name in [name for name in found if name not in contenders]:
        contenders[name] = {
            "seconds": setting.patience,
            "times_as_long": setting.patience / contenders[OURS]["seconds"],
            "reached": False,
            "note": f"not done in {setting.patience:.0f} s",
        }
    row = {"rows": X.shape[0], "partitions": X.numblocks[0], "contenders": contenders}
    print(f"\n{fits.judged(row, LEAST_TIMES)}")
    return row


def _dask_ml(X: Any, t: Any, patience: float) -> dict[str, fits.Fit]:
    """Its solvers, which raise a TimeoutError after a while."""
    from dask_ml.linear_model import LogisticRegression

    def fit(solver: str, tol: float) -> fits.Solution:
        # There is hardly a penalty; "admm" has two tolerances of its own.
        options = {"abstol": tol, "reltol": tol} if solver == "admm" else {}
        model = LogisticRegression(
            solver=solver, C=1e12, tol=tol, max_iter=1000, solver_kwargs=options
        )
        with at_most(patience):
            model.fit(X, t)
        return model.coef_, model.intercept_

    return {f"dask-ml {solver}": partial(fit, solver) for solver in SOLVERS}


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise a TimeoutError in the main thread after some seconds."""

    def end(*_: Any) -> None:
        raise TimeoutError(f"not done in {seconds:g} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


PARTS: dict[str, Callable[[Setting], Row]] = {"frame": frame, "arrays": arrays}


def main(arguments: Sequence[str] = ()) -> None:
    """Measure both parts, or one, and print as it goes."""
    command = results.parser("cluster")
    command.add_argument("--rows", type=count, default=ROWS, help="default: %(default)s")
    command.add_argument("--rounds", type=count, default=3, help="default: %(default)s")
    command.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=", ".join(PARTS))
    command.add_argument(
        "--patience", type=count, default=60, help="seconds for a fit; default: %(default)s"
    )
    command.add_argument("--folder", type=Path, help="keep the files there for the next run")
    options = command.parse_args(arguments)
    here = machine.describe("dask", "distributed", "dask-ml", "pyarrow", "pandas")
    print(f"{render.machine(here)}\n")
    times = max(round(options.rows / MOST_ROWS), 1)
    with on_cores(WORKERS), tempfile.TemporaryDirectory() as temporary, cluster():
        files = Files(options.folder or Path(temporary), options.rows // times)
        setting = Setting(files, times, options.rounds, options.patience)
        measured = {name: PARTS[name](setting) for name in options.only or PARTS}
    results.finish("cluster", arguments, here, measured)
