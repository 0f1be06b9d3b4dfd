"""How exact two sides are: errors of functions in ULP, of sums, passes and a fit beside their size.

Everything is computed at the same arguments by a process of each side, and compared here with
extended precision.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import product
from typing import Any

import numpy as np

from bench.data import argument
from bench.regression import cases
from bench.regression.others import Measured, joined
from bench.regression.sides import Side, SideError, Worker, workers
from bench.regression.verdicts import Thresholds

# Chunks of points (`bench.accuracy.CHUNK`) at which errors are compared: the same in every run.
_CHUNKS = 8
# Of functions, in ULP.
EXACTNESS = Thresholds(0.0, 0.1)
EXACTNESS_ON_AVERAGE = Thresholds(0.0, 0.02)
# Of sums and passes, over so many rows, and of a fit, which is as exact as its tolerance.
OF_SUMS = Thresholds(0.5, 2.0**-52)
OF_FITS = Thresholds(1.0, 1e-9)
ROWS = 1_000
FIT = "fit"
_STEPS = 20


def errors(*sides: Side, only: Iterable[str] = ()) -> Iterable[Measured]:
    """All of them, or of some functions."""
    try:
        from bench import implementations
    except AttributeError as error:  # the fastlogit that is imported here lost what it names
        nothing = (None,) * len(sides)
        yield Measured("exactness", nothing, "ULP", EXACTNESS, error=f"the registry: {error}")
        return
    with workers(*sides) as started:
        chosen = set(only) or {*implementations.FUNCTIONS, FIT}
        yield from _of_functions(started, chosen)
        yield from _of_sums(started, chosen)


def _of_functions(started: Sequence[Worker], chosen: Collection[str]) -> Iterable[Measured]:
    """In ULP, at points of all exponents, as of `python -m bench accuracy`."""
    from bench import accuracy
    from bench.implementations import ELEMENTWISE

    for name, function in ELEMENTWISE.items():
        if name not in chosen:
            continue
        for labels in ("hard labels", "soft labels") if "t" in function.arguments else ("",):
            for dtype in accuracy.TYPES:
                args, exact, counted = _points(name, dtype, labels == "soft labels")
                what = ", ".join(filter(None, [name, labels, np.dtype(dtype).name]))
                found = [_errors(worker, name, args, exact, counted) for worker in started]
                largest, mean, failures = zip(*found, strict=True)
                error = joined(failures)
                yield Measured(f"largest error: {what}", largest, "ULP", EXACTNESS, error=error)
                yield Measured(
                    f"mean error: {what}", mean, "ULP", EXACTNESS_ON_AVERAGE, error=error
                )


def _points(name: str, dtype: Any, soft: bool) -> tuple[list[Any], Any, Any]:
    """Arguments, exact results, and which of them count: not those that are ill conditioned."""
    from bench import accuracy
    from bench.implementations import ELEMENTWISE
    from tests.references import extended as references

    function = ELEMENTWISE[name]
    chunks = [
        accuracy.arguments(np.random.default_rng([2013, number]), function, dtype, soft)
        for number in range(_CHUNKS)
    ]
    special = accuracy.special_points(function, dtype, soft)
    args = [np.concatenate(arg) for arg in zip(*chunks, special.T, strict=True)]
    with np.errstate(all="ignore"):
        wide = [arg.astype(references.wider(dtype)) for arg in args]
        exact = getattr(references, name)(*wide)
        ranges = accuracy.in_ranges(name, args, wide, exact)
    counted = np.logical_or.reduce(list(ranges.values()))
    counted[-len(special) :] = True
    return args, exact, counted


def _errors(
    worker: Worker, name: str, args: list[Any], exact: Any, counted: Any
) -> tuple[float | None, float | None, str]:
    """The largest and the mean of what counts, or why there is none."""
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


def _of_sums(started: Sequence[Worker], chosen: Collection[str]) -> Iterable[Measured]:
    """Of sums, passes and a fit: the largest of a result, relative to its largest number."""
    from bench.implementations import PASSES, SUMS

    names = [name for name in (*SUMS, *PASSES, FIT) if name in chosen]
    for name, dtype in product(names, cases.DTYPES):
        exact = _exact(name, dtype)
        found = [_relative_error(worker, name, dtype, exact) for worker in started]
        relative, failures = zip(*found, strict=True)
        thresholds = OF_FITS if name == FIT else OF_SUMS
        what = f"relative error: {name}, {dtype}"
        yield Measured(what, relative, "", thresholds, error=joined(failures))


def _exact(name: str, dtype: str) -> list[Any]:
    """The results, by plain formulas in the wider type."""
    from bench.implementations import FUNCTIONS, STABLE
    from tests.references import extended as references

    wider = references.wider(np.dtype(dtype))
    if name == FIT:
        return [_optimum(*(array.astype(wider) for array in cases.drawn(ROWS, dtype)))]
    args = [argument(each, ROWS, dtype).astype(wider) for each in FUNCTIONS[name].arguments]
    return cases.parts(FUNCTIONS[name].ready(STABLE, args)())


def _optimum(X: Any, t: Any) -> Any:
    """Coefficients, and the intercept, of the least loss with the penalty of `fit`, by Newton."""
    from tests.references import extended as references

    X = np.column_stack([X, np.ones_like(t)])
    penalty = np.append(np.ones(X.shape[1] - 1), 0.0)
    coef = np.zeros_like(X[0])
    for _ in range(_STEPS):
        z = X @ coef
        gradient = references.residual(z, t) @ X + penalty * coef
        hessian = (X * references.sigmoid_derivative(z)[:, None]).T @ X + np.diag(penalty)
        coef -= np.linalg.solve(hessian.astype(np.float64), gradient.astype(np.float64))
    return coef


def _relative_error(
    worker: Worker, name: str, dtype: str, exact: list[Any]
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
        except ValueError as error:  # of other numbers or shapes than the reference
            return None, f"{worker.side.name}: {error}"
