"""Seconds until the mean log-loss is within 1e-6 of the optimum, of libraries that read batches.

No penalty.  The others get standardised columns, already converted to their own format; ours gets
the file as it is.  Each of the others is tried with several settings, for a limited time each, and
its best counts.  The time runs while it trains, and stands still while its loss is computed.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import special

import fastlogit as fl
from bench.files import COLUMNS, GROUP_ROWS, LABEL, NAMES, Files, Rows, row_major
from bench.measure import available
from bench.render import OURS, Row

GAP = 1e-6
# Rows that partial_fit gets at once; times that the loss is looked at in a pass.
BATCH_ROWS, LOOKS = 1 << 17, 4


class Look(NamedTuple):
    """Where training is after some seconds."""

    seconds: float
    coef: Any
    intercept: float


# From the seconds that it may take: how a library trains with one setting.
Course = Callable[[float], Iterator[Look]]


def mean_loss(rows: Rows, coef: Any, intercept: float) -> float:
    """Mean log-loss, by NumPy and SciPy; logits are float32, sums float64."""
    total = 0.0
    for start in range(0, len(rows.t), GROUP_ROWS):
        X, t = (part[start : start + GROUP_ROWS] for part in rows)
        z = (X @ np.asarray(coef, np.float32)).astype(np.float64) + intercept
        total += float(np.sum(special.softplus(z) - t * z))
    return total / len(rows.t)


# fastlogit --------------------------------------------------------------------------------


def fastlogit(files: Files, threads: int) -> dict[str, Course]:
    """Coefficients for standardised columns, at several tolerances."""
    fit = partial(fl.fit, label=LABEL, l2=0.0, out_of_core=True, threads=threads)

    def course(tol: float, _: float) -> Iterator[Look]:
        model = fit(files.features(), tol=tol)
        yield Look(model.seconds, *files.standardised_theta(model.coef, model.intercept))

    return {f"tol={tol:g}": partial(course, tol) for tol in (1e-2, 1e-3, 1e-4, 1e-6, 1e-12)}


# scikit-learn -----------------------------------------------------------------------------


def sklearn(files: Files, _: int) -> dict[str, Course]:
    """`SGDClassifier.partial_fit` on batches that pyarrow reads ahead."""
    import pyarrow.dataset as ds
    from sklearn.linear_model import SGDClassifier

    source = ds.dataset(files.standardised())
    between = max(files.rows // LOOKS, 1)

    def course(options: dict[str, Any], _: float) -> Iterator[Look]:
        model = SGDClassifier(loss="log_loss", penalty=None, **options)
        seconds, rows, start = 0.0, 0, time.perf_counter()
        while True:
            for batch in source.to_batches(batch_size=BATCH_ROWS):
                model.partial_fit(*row_major(batch), classes=[0, 1])
                rows += batch.num_rows
                if rows >= between:
                    seconds += time.perf_counter() - start
                    yield Look(seconds, model.coef_[0], model.intercept_[0])
                    rows, start = 0, time.perf_counter()

    after = files.rows // 20
    settings = [
        {"learning_rate": "invscaling", "eta0": 0.1, "power_t": 0.25, "average": after},
        {"learning_rate": "invscaling", "eta0": 1.0, "power_t": 0.5, "average": after},
        {"learning_rate": "constant", "eta0": 1e-3, "average": after},
        {"learning_rate": "invscaling", "eta0": 1.0, "power_t": 0.5},
    ]
    return {_words(options): partial(course, options) for options in settings}


def _words(options: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in options.items())


# Vowpal Wabbit ----------------------------------------------------------------------------

# The index of its constant feature, and the option without which it stores no model of bfgs.
_CONSTANT, _VW_FINAL = 11650396, "--predict_only_model"


def vowpal_wabbit(files: Files, _: int) -> dict[str, Course]:
    """Its command line on its binary cache, which stores the weights after each pass."""
    import_module("vowpalwabbit")
    text = _vw_text(files)
    cache = text.with_suffix(".cache")
    if not cache.exists():
        _vw("-d", text, "--cache_file", cache, "--noop", timeout=None)

    def course(setting: str, limit: float) -> Iterator[Look]:
        model = text.with_suffix(".model")
        words = ["-d", text, "--cache_file", cache, "-f", model, "--loss_function", "logistic"]
        words += ["--passes", 1000, "--holdout_off", "--save_per_pass", *setting.split()]
        for path in text.parent.glob(f"{model.name}.*"):
            path.unlink()  # of the setting before, which was left early
        began = time.time()
        _vw(*words, timeout=limit)
        several = list(text.parent.glob(f"{model.name}.*"))
        for path in sorted(several, key=lambda path: path.stat().st_mtime):
            yield Look(path.stat().st_mtime - began, *_vw_weights(path, setting))

    # Without any penalty, its line search ends after the second pass.
    bfgs = f"{_VW_FINAL} --bfgs --l2 0.001"
    settings = ["--sgd -l 0.05", "--sgd -l 0.02", bfgs, "-l 0.5"]
    return {setting: partial(course, setting) for setting in settings}


def _vw_text(files: Files) -> Path:
    """The rows in its text format."""
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    path = files.folder / f"standardised-{files.rows}.vw"
    if path.exists():
        return path
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("wb") as file:
        for batch in ds.dataset(files.standardised()).to_batches(batch_size=BATCH_ROWS):
            labels = pc.if_else(pc.equal(batch[LABEL], 1), "1 |", "-1 |")
            features = (
                pc.binary_join_element_wise(f"{j}", batch[name].cast("string"), ":")
                for j, name in enumerate(NAMES)
            )
            lines = pc.binary_join_element_wise(labels, *features, " ")
            file.write(("\n".join(lines.to_pylist()) + "\n").encode())
    return unfinished.rename(path)


def _vw(*words: Any, timeout: float | None) -> None:
    command = [sys.executable, "-m", "vowpalwabbit", "--quiet", *map(str, words)]
    with suppress(subprocess.TimeoutExpired):  # the weights after each pass are stored
        subprocess.run(command, check=True, timeout=timeout)


def _vw_weights(path: Path, setting: str) -> tuple[Any, float]:
    from vowpalwabbit import Workspace

    option = _VW_FINAL if _VW_FINAL in setting else ""
    model = Workspace(f"-i {path} --quiet -t {option}")
    coef = np.array([model.get_weight(j) for j in range(COLUMNS)])
    intercept = model.get_weight(_CONSTANT)
    model.finish()
    return coef, intercept


# XGBoost ----------------------------------------------------------------------------------


def xgboost(files: Files, threads: int) -> dict[str, Course]:
    """`gblinear` on a matrix in external memory."""
    import pyarrow.parquet as pq
    import xgboost as xgb

    class Batches(xgb.DataIter):  # type: ignore[misc]
        def __init__(self) -> None:
            self.reset()
            super().__init__(cache_prefix=str(files.folder / "xgboost"))

        def reset(self) -> None:
            self.batches = pq.ParquetFile(files.standardised()).iter_batches(GROUP_ROWS)

        def next(self, input_data: Callable[..., object]) -> bool:
            batch = next(self.batches, None)
            if batch is not None:
                X, t = row_major(batch)
                input_data(data=X, label=t)
            return batch is not None

    matrix = xgb.DMatrix(Batches(), nthread=threads)

    def course(options: dict[str, Any], _: float) -> Iterator[Look]:
        common = {"booster": "gblinear", "objective": "binary:logistic", "base_score": 0.5}
        model = xgb.Booster(common | options | {"nthread": threads, "lambda": 0.0}, [matrix])
        seconds = 0.0
        for step in range(1_000_000):
            start = time.perf_counter()
            model.update(matrix, step)
            seconds += time.perf_counter() - start
            found = json.loads(model.save_raw("json"))["learner"]["gradient_booster"]["model"]
            yield Look(seconds, found["weights"][:-1], found["weights"][-1])

    settings = [
        {"updater": "coord_descent", "eta": 1.0},
        {"updater": "coord_descent", "eta": 0.5},
        {"updater": "shotgun", "eta": 0.1},
    ]
    return {_words(options): partial(course, options) for options in settings}


PEERS: dict[str, Callable[[Files, int], dict[str, Course]]] = {
    OURS: fastlogit,
    "Vowpal Wabbit": vowpal_wabbit,
    "scikit-learn SGDClassifier": sklearn,
    "XGBoost gblinear": xgboost,
}


# Measuring --------------------------------------------------------------------------------


def best_setting(courses: dict[str, Course], gap: Callable[[Look], float], patience: float) -> Row:
    """The setting that gets there first; if none does, the one that comes closest."""
    best: Row = {"reached": False, "gap": math.inf, "seconds": patience}
    for setting, course in courses.items():
        # Once one has got there, the others need not take longer.
        limit, closest, seconds = best["seconds"], math.inf, 0.0
        for look in course(limit):
            if look.seconds > limit:
                break
            seconds, found = look.seconds, gap(look)
            closest = min(closest, found)
            if found <= GAP:
                break
        came = f"{closest:.1e} above the optimum, {seconds:.3g} s" if seconds else "slower"
        print(f"  {setting}: {came}", flush=True)
        if closest <= GAP:
            best = {"reached": True, "gap": closest, "seconds": seconds, "setting": setting}
        elif not best["reached"] and closest < best["gap"]:
            best |= {"gap": closest, "setting": setting}
    return best


def measure(files: Files, threads: int, patience: float) -> Row:
    """The best setting of everyone who is installed."""
    rows = files.in_memory(files.standardised())
    (exact,) = fastlogit(files, threads)["tol=1e-12"](patience)
    optimum = mean_loss(rows, exact.coef, exact.intercept)

    def gap(look: Look) -> float:
        return mean_loss(rows, look.coef, look.intercept) - optimum

    print(f"\n### Mean log-loss within {GAP:g} of {optimum:.6f}, {files.rows:,} rows\n")
    contenders = {}
    for name, make in PEERS.items():
        for courses in available([partial(make, files, threads)]):
            print(name, flush=True)
            contenders[name] = best_setting(courses, gap, patience)
    ours = contenders[OURS]["seconds"]
    for each in contenders.values():
        each["times_as_long"] = each["seconds"] / ours
        each["note"] = f"{each['gap']:.1e} above the optimum after {patience:.0f} s"
    return {"rows": files.rows, "optimum": optimum, "contenders": contenders}
