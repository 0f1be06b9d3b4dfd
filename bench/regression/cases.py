"""Timed calls of a revision's public functions, by descriptive names.

Old revisions must work too, so functions are looked up when needed and get the arguments that
their own signatures ask for.
"""

from __future__ import annotations

import inspect
import os
import tempfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.data import COLUMNS, DTYPES, argument

Call = Callable[[], Any]


class Case(NamedTuple):
    """A maker of a call with its arguments, and the threads that the call uses."""

    make: Callable[[], Call]
    threads: int


# In the first caches and beyond the last; the same for rows of 32 columns.
SIZES = {4_096: 1, 4_000_000: 2}
ROWS = {1_000: 1, 300_000: 2}
# The quick set: names with all words of a line.
QUICK = (
    ("sigmoid,", "4,096", "float64"),
    ("sigmoid,", "4,000,000", "float64"),
    ("softplus,", "4,096"),
    ("logistic_loss,", "4,096", "float64"),
    ("log_loss_gradient,", "4,096", "float64"),
    ("log_loss_gradient,", "4,000,000", "float64"),
    ("linear.probability,", "300,000", "rows"),
    ("linear.log_loss_gradient,", "rows"),
    ("linear.hessian,", "300,000", "float64"),
    ("fit,",),
)
# Calls of NumPy that stand for the machine where only stored times exist, by number of threads.
REFERENCES = {1: "reference: divisions", 2: "reference: a copy"}


def cases() -> dict[str, Case]:
    """All cases of fastlogit, by name."""
    return dict(_all())


def references() -> dict[str, Case]:
    """The calls that `REFERENCES` names."""
    return {REFERENCES[1]: Case(_divisions, 1), REFERENCES[2]: Case(_copy, 1)}


def is_quick(name: str) -> bool:
    """Whether a case is in the quick set."""
    return any(all(word in name for word in words) for words in QUICK)


def _all() -> Iterator[tuple[str, Case]]:
    import fastlogit as fl

    for module in (fl.elementwise, fl.losses):
        for name in sorted(module.__all__):
            for dtype in DTYPES:
                for n, threads in SIZES.items():
                    make = partial(_call, getattr(module, name), n, dtype, threads)
                    yield f"{name}, {dtype}, {n:,}", Case(make, threads)
    for name in sorted(fl.linear.__all__):
        for dtype in DTYPES:
            for n, threads in ROWS.items():
                make = partial(_call, getattr(fl.linear, name), n, dtype, threads)
                yield f"linear.{name}, rows, {dtype}, {n:,}", Case(make, threads)
    for layout, lay in LAYOUTS.items():
        make = partial(_call, fl.linear.log_loss_gradient, 300_000, "float64", 2, lay)
        yield f"linear.log_loss_gradient, {layout}, float64, 300,000", Case(make, 2)
    yield "sigmoid of a number", Case(lambda: partial(fl.sigmoid, 0.5), 1)
    yield "predict_proba, 1 x 32", Case(_predict_one, 1)
    yield "fit, 1,000 x 32", Case(partial(fit, 1_000), 1)
    yield "fit, 100,000 x 32", Case(partial(fit, 100_000), 2)
    yield "score, Parquet, 300,000 x 32", Case(score_file, 2)


def _call(function: Any, n: int, dtype: str, threads: int, lay: Any = None) -> Call:
    parameters = inspect.signature(function).parameters
    args = [
        argument(name, n, dtype)
        for name, parameter in parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if lay is not None:
        args[0] = lay(args[0])
    options: dict[str, Any] = {"threads": threads}
    if "out" in parameters and not function.__module__.endswith("linear"):
        options["out"] = np.empty(n, dtype)
    return partial(function, *args, **options)


def _divisions() -> Call:
    y = argument("y", 4_096, "float64")
    return partial(np.divide, 1.0, y, out=np.empty_like(y))


def _copy() -> Call:
    z = argument("z", 8_000_000, "float64")
    return partial(np.copyto, np.empty_like(z), z)


def _arrow(X: Any) -> Any:
    import pyarrow as pa

    return pa.table({f"x{j}": column for j, column in enumerate(np.asfortranarray(X).T)})


def _csr(X: Any) -> Any:
    from scipy import sparse

    return sparse.csr_array(np.where(np.abs(X) > 1.0, X, 0.0))


LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "columns": np.asfortranarray,
    "Arrow": _arrow,
    "CSR": _csr,
}


@cache
def _model() -> Any:
    import fastlogit as fl

    coef = argument("coef", COLUMNS, "float64")
    return fl.LogisticModel(coef, 0.5, tuple(f"x{j}" for j in range(coef.size)))


def _predict_one() -> Call:
    return partial(_model().predict_proba, argument("X", 1, "float64"))


def drawn(n: int, dtype: str = "float64") -> tuple[Any, Any]:
    """Rows, and labels that depend on them with noise."""
    X, z = argument("X", n, dtype), argument("z", n, dtype)
    # A copy, as users' arrays may be written to: for others, kernels would be compiled once more.
    return X.copy(), (X @ argument("coef", n, dtype) + z > 0).astype(dtype)


def fit(n: int) -> Call:
    """A fit to n rows."""
    import fastlogit as fl

    return partial(fl.fit, *drawn(n))


def score_file() -> Call:
    """A Parquet file scored to another one."""
    import pyarrow.parquet as pq

    import fastlogit as fl

    folder = Path(tempfile.gettempdir()) / f"fastlogit-bench-{os.getpid()}"
    folder.mkdir(exist_ok=True)
    source, sink = folder / "in.parquet", folder / "out.parquet"
    pq.write_table(_arrow(argument("X", 300_000, "float32")), source)
    return partial(fl.score, _model(), source, sink, threads=2, force=True)


def results(name: str, n: int, dtype: str) -> list[Any]:
    """The parts of the result of a sum, a pass or a fit, on one thread."""
    import fastlogit as fl

    if name == "fit":
        model = fl.fit(*drawn(n, dtype), threads=1)
        return [np.append(model.coef, model.intercept)]
    result = _call(attrgetter(name)(fl), n, dtype, 1)()
    return list(result) if isinstance(result, tuple) else [result]
