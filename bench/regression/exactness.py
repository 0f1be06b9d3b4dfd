"""Exactness of two sides: errors of functions in ULP; of sums, passes and a fit relative to them.

A process of each side computes at the same arguments; the results are compared here with extended
precision.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

from bench.data import DTYPES, argument
from bench.regression import cases
from bench.regression.figures import joined
from bench.regression.sides import Side, SideError, Worker, workers
from bench.regression.verdicts import Measured, Thresholds

# Blocks of points (`tests.references.points.BLOCK`), the same in every run.
_BLOCKS = 8
# Of functions, in ULP.
EXACTNESS = Thresholds(0.0, 0.1)
MEAN_EXACTNESS = Thresholds(0.0, 0.02)
# Relative errors of sums and passes, and of a fit, which depends on its tolerance.
SUMS = Thresholds(0.5, 2.0**-52)
FITS = Thresholds(1.0, 1e-9)
ROWS = 1_000
FIT = "fit"
_STEPS = 20


def errors(*sides: Side, only: Collection[str] = ()) -> Iterator[Measured]:
    """Errors of all functions, or of some."""
    try:
        from bench import registry
    except AttributeError as error:  # the working tree lost a function that the registry names
        nothing = (None,) * len(sides)
        yield Measured("exactness", nothing, "ULP", EXACTNESS, error=f"the registry: {error}")
        return
    with workers(*sides) as started:
        chosen = set(only) or {*registry.FUNCTIONS, FIT}
        yield from _function_errors(started, chosen)
        yield from _sum_errors(started, chosen)


def _function_errors(started: Sequence[Worker], chosen: Collection[str]) -> Iterator[Measured]:
    """In ULP, at points of all exponents, like ``python -m bench accuracy``."""
    from bench.registry import ELEMENTWISE

    for name, arguments in ELEMENTWISE.items():
        if name not in chosen:
            continue
        for labels in ("hard labels", "soft labels") if "t" in arguments else ("",):
            for dtype in (np.float64, np.float32):
                args, exact, counted = points(name, dtype, labels == "soft labels")
                what = ", ".join(filter(None, [name, labels, np.dtype(dtype).name]))
                found = [_errors(worker, name, args, exact, counted) for worker in started]
                largest, mean, failures = zip(*found, strict=True)
                error = joined(failures)
                yield Measured(f"largest error: {what}", largest, "ULP", EXACTNESS, error=error)
                yield Measured(f"mean error: {what}", mean, "ULP", MEAN_EXACTNESS, error=error)


def points(name: str, dtype: Any, soft: bool) -> tuple[list[Any], Any, Any]:
    """Arguments, exact results, and which of them count: not the ill-conditioned ones."""
    from tests.references import points

    blocks = [points.drawn(name, dtype, soft, number) for number in range(_BLOCKS)]
    special = points.special(name, dtype, soft)
    args = [np.concatenate(arg) for arg in zip(*blocks, special.T, strict=True)]
    exact, ranges = points.exact_values(name, args)
    counted = np.logical_or.reduce(list(ranges.values()))
    counted[-len(special) :] = True
    return args, exact, counted


def _errors(
    worker: Worker, name: str, args: list[Any], exact: Any, counted: Any
) -> tuple[float | None, float | None, str]:
    """The largest and the mean error, or the reason for a failure."""
    from fastlogit.core.ulp import ulp_error

    try:
        got = _values(worker, name, args)
    except SideError as error:
        return None, None, str(error)
    if got.shape != exact.shape:
        shapes = f"{got.shape}, not {exact.shape}"
        return None, None, f"{worker.side.name}: {name} gives results of shape {shapes}"
    errors = ulp_error(got, exact, args[0].dtype)[counted]
    return float(errors.max()), float(errors.mean()), ""


def _values(worker: Worker, name: str, args: list[Any]) -> Any:
    given, got = (worker.side.folder / f"{file}.npy" for file in ("arguments", "values"))
    np.save(given, np.stack(args))
    worker.do("values", function=name, arguments=str(given), to=str(got))
    return np.load(got)


def _sum_errors(started: Sequence[Worker], chosen: Collection[str]) -> Iterator[Measured]:
    """Of sums, passes and a fit: the largest error relative to the largest number of a result."""
    from bench import registry

    names = [name for name in (*registry.SUMS, *registry.PASSES, FIT) if name in chosen]
    for name, dtype in product(names, DTYPES):
        exact = _exact(name, dtype)
        found = [_relative_error(worker, name, dtype, exact) for worker in started]
        relative, failures = zip(*found, strict=True)
        thresholds = FITS if name == FIT else SUMS
        what = f"relative error: {name}, {dtype}"
        yield Measured(what, relative, "", thresholds, error=joined(failures))


def _exact(name: str, dtype: str) -> list[Any]:
    """The results of plain formulas in the wider type."""
    from bench.registry import FUNCTIONS, STABLE, parts
    from tests.references.extended import wider

    wide = wider(np.dtype(dtype))
    if name == FIT:
        return [_optimum(*(array.astype(wide) for array in cases.drawn(ROWS, dtype)))]
    args = [argument(each, ROWS, dtype).astype(wide) for each in FUNCTIONS[name].arguments]
    return parts(FUNCTIONS[name].ready(STABLE, args)())


def _optimum(X: Any, t: Any) -> Any:
    """Coefficients and intercept of the least penalised loss, by Newton's method."""
    from tests.references import extended

    X = np.column_stack([X, np.ones_like(t)])
    penalty = np.append(np.ones(X.shape[1] - 1), 0.0)
    coef = np.zeros_like(X[0])
    for _ in range(_STEPS):
        z = X @ coef
        gradient = extended.residual(z, t) @ X + penalty * coef
        hessian = (X * extended.sigmoid_derivative(z)[:, None]).T @ X + np.diag(penalty)
        coef -= np.linalg.solve(hessian.astype(np.float64), gradient.astype(np.float64))
    return coef


def _relative_error(
    worker: Worker, name: str, dtype: str, exact: Iterable[Any]
) -> tuple[float | None, str]:
    file = worker.side.folder / "results.npz"
    try:
        worker.do("results", function=name, n=ROWS, dtype=dtype, to=str(file))
    except SideError as error:
        return None, str(error)
    with np.load(file) as got:
        try:
            pairs = zip(got.values(), exact, strict=True)
            with np.errstate(invalid="ignore"):
                errors = [np.max(abs(a - b)) / np.max(abs(b)) for a, b in pairs]
            return float(np.max(np.nan_to_num(errors, nan=np.inf, posinf=np.inf))), ""
        except ValueError as error:  # another number or shape of results
            return None, f"{worker.side.name}: {error}"
