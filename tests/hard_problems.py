"""Seeded fitting problems of every difficulty, each with its optimum in extended precision.

``python -m tests.hard_problems 300`` runs :func:`fastlogit.fit` over 300 of them and prints, for
each kind, how many models converged and are right, did not converge and say so, or are wrong.

The reference shares nothing with fastlogit: Newton's method in 80-bit floats (64 bits of
mantissa), on columns that are centred where there is an intercept, with a Cholesky
factorisation of its own.  It is checked against mpmath in ``test_hard_problems.py``.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

import fastlogit as fl

Extended = np.longdouble
EPSILON = 2.0**-52
# Above this many multiplications a Hessian is summed in float64 (BLAS); the gradient never is.
MOST_EXTENDED = 6e7


class NoOptimumError(Exception):
    """Newton's method does not end: without a penalty the labels are separable."""


@dataclass(frozen=True)
class Problem:
    """Arguments of `fastlogit.fit`, and the optimum."""

    seed: int
    kind: str
    X: Any
    t: Any
    # Keyword arguments: l2, and others where the kind has them.
    arguments: dict[str, Any]
    # The optimum; standard errors of coefficients and intercept, from the penalised Hessian; and
    # the means of the columns.
    coef: Any
    intercept: Any
    errors: Any
    means: Any

    @property
    def penalised(self) -> bool:
        return bool(np.any(self.arguments["l2"]))


# The optimum in extended precision ---------------------------------------------------------


def cholesky(matrix: Any) -> Any:
    """Lower factor of a positive definite matrix of any floating-point type."""
    left = np.array(matrix)
    for j in range(len(left)):
        if not left[j, j] > 0:
            raise np.linalg.LinAlgError(f"no pivot in column {j}")
        left[j:, j] /= np.sqrt(left[j, j])
        left[j + 1 :, j + 1 :] -= np.outer(left[j + 1 :, j], left[j + 1 :, j])
    return np.tril(left)


def inverse_lower(factor: Any) -> Any:
    """Inverse of a lower triangular matrix, by forward substitution."""
    inverse = np.eye(len(factor), dtype=factor.dtype)
    for j in range(len(factor)):
        inverse[j] = (inverse[j] - factor[j, :j] @ inverse[:j]) / factor[j, j]
    return inverse


class Likelihood:
    """f(θ) over the columns of `rows`; all arrays have one float type."""

    def __init__(self, rows: Any, t: Any, weight: Any, offset: Any, penalties: Any) -> None:
        # One row of memory for each column, as it is read by column.
        self.columns = np.ascontiguousarray(rows.T)
        self.t, self.weight, self.offset, self.penalties = t, weight, offset, penalties

    def astype(self, dtype: Any) -> Likelihood:
        parts = (self.t, self.weight, self.offset, self.penalties)
        return Likelihood(self.columns.T.astype(dtype), *(part.astype(dtype) for part in parts))

    def logits(self, theta: Any) -> Any:
        return theta @ self.columns + self.offset

    def value(self, z: Any, theta: Any) -> Any:
        losses = self.t * np.logaddexp(0, -z) + (1 - self.t) * np.logaddexp(0, z)
        return (self.weight * losses).sum() + (self.penalties * theta * theta).sum() / 2

    def gradient(self, z: Any, theta: Any) -> Any:
        # (1 - t) σ(z) - t σ(-z): no digit is lost where σ(z) is next to t.
        residual = (1 - self.t) / (1 + np.exp(-z)) - self.t / (1 + np.exp(z))
        return self.columns @ (self.weight * residual) + self.penalties * theta

    def factor(self, z: Any) -> tuple[Any, Any]:
        """Inverse of the Cholesky factor of the Hessian of unit diagonal, and what scales it."""
        curvature = self.weight / ((1 + np.exp(-z)) * (1 + np.exp(z)))
        d, n = self.columns.shape
        dtype = self.columns.dtype if n * d * d <= MOST_EXTENDED else np.float64
        columns = self.columns.astype(dtype)
        hessian = columns @ (columns * curvature.astype(dtype)).T
        diagonal = np.einsum("ij,ij,j->i", self.columns, self.columns, curvature) + self.penalties
        scale = 1 / np.sqrt(diagonal)
        scaled = hessian * scale * scale[:, np.newaxis]
        scaled[np.diag_indices(d)] = 1
        return inverse_lower(cholesky(scaled)), scale


@np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore")
def minimise(likelihood: Likelihood, theta: Any, steps: int = 200) -> tuple[Any, Any]:
    """Optimum and inverse of the Hessian there, by Newton's method until rounding ends it."""
    z = likelihood.logits(theta)
    value = likelihood.value(z, theta)
    precision = np.finfo(theta.dtype).eps
    best = np.inf
    for _ in range(steps):
        inverse, scale = likelihood.factor(z)
        whitened = inverse @ (likelihood.gradient(z, theta) * scale)
        decrement = whitened @ whitened
        step = -(inverse.T @ whitened) * scale
        moves = step @ likelihood.columns
        # Rows of little weight may still move far, so both must have ended.
        largest = max(np.abs(moves).max(), np.sqrt(decrement))
        if not largest > 1e-13 or (largest < 1e-3 and not largest < best / 2):
            return theta, (inverse.T @ inverse) * scale * scale[:, np.newaxis]
        best = largest if largest < 1e-3 else np.inf
        share = theta.dtype.type(1)
        slack = 64 * precision * abs(value)
        for _ in range(60):
            tried = theta + share * step
            reached = z + share * moves
            found = likelihood.value(reached, tried)
            if found <= value - share * decrement / 10 + slack:
                break
            share /= 2
        theta, value = tried, found
        z = likelihood.logits(theta)
    raise NoOptimumError


def solve(
    X: Any,
    t: Any,
    *,
    l2: Any,
    weight: Any = None,
    offset: Any = None,
    intercept: bool = True,
) -> tuple[Any, Any, Any, Any]:
    """Coefficients, intercept, standard errors and means of columns, in extended precision."""
    rows = np.asarray(X.toarray() if sparse.issparse(X) else X).astype(Extended)
    n, d = rows.shape
    ones = np.ones(n, Extended)
    weight = ones if weight is None else np.asarray(weight).astype(Extended)
    offset = 0 * ones if offset is None else np.asarray(offset).astype(Extended)
    means = weight @ rows / weight.sum() if intercept else np.zeros(d, Extended)
    rows = rows - means  # exact: a float64 less a number that is as large has 64 bits or fewer
    size = np.abs(rows).max(axis=0)
    units = np.exp2(np.floor(np.log2(np.where(size > 0, size, 1))))
    rows = rows / units
    penalties = np.broadcast_to(np.asarray(l2, Extended), (d,)) / units**2
    if intercept:
        rows = np.column_stack([rows, ones])
        penalties = np.append(penalties, Extended(0))
    likelihood = Likelihood(rows, np.asarray(t).astype(Extended), weight, offset, penalties)
    theta = np.zeros(rows.shape[1])
    # Most of the way in float64; where that fails, all of it in extended precision.
    try:
        theta, _ = minimise(likelihood.astype(np.float64), theta)
    except np.linalg.LinAlgError:
        theta = np.zeros(rows.shape[1])
    theta, covariance = minimise(likelihood, theta.astype(Extended))
    # Back to the columns as they were: coef = theta / units, intercept = theta - means @ coef.
    back = np.diag(1 / (np.append(units, Extended(1)) if intercept else units))
    if intercept:
        back[d, :d] = -means / units
    estimates = back @ theta
    errors = np.sqrt(np.einsum("ij,jk,ik->i", back, covariance, back))
    return estimates[:d], estimates[d] if intercept else Extended(0), errors, means


# The problems ------------------------------------------------------------------------------


def labels(rng: Any, z: Any, share: float = 0.5) -> Any:
    """Labels with the logits z plus an intercept, of which about `share` are 1."""
    low, high = -60.0 - np.abs(z).max(), 60.0 + np.abs(z).max()
    for _ in range(60):
        middle = (low + high) / 2
        expected = np.mean(1 / (1 + np.exp(-(z + middle).clip(-700, 700))))
        low, high = (middle, high) if expected < share else (low, middle)
    t = (rng.random(len(z)) < 1 / (1 + np.exp(-(z + middle).clip(-700, 700)))).astype(float)
    while t.min() == t.max():
        t[rng.integers(len(t), size=2)] = [0.0, 1.0]
    return t


def standard(X: Any) -> Any:
    """Columns with mean 0 and variance 1, from which labels are drawn."""
    deviation = X.std(axis=0)
    return (X - X.mean(axis=0)) / np.where(deviation > 0, deviation, 1)


def slopes(rng: Any, d: int) -> Any:
    return rng.normal(size=d) / np.sqrt(d)


def normal_columns(rng: Any, d: int, n: int) -> dict[str, Any]:
    X = rng.normal(size=(n, d))
    return {"X": X, "t": labels(rng, X @ slopes(rng, d), rng.uniform(0.2, 0.8))}


def penalty(rng: Any) -> float:
    return float(rng.choice([0.0, 0.0, 0.0, 1e-6, 0.1, 1.0, 10.0]))


def ordinary(rng: Any) -> dict[str, Any]:
    d = int(rng.integers(1, 12))
    n = int(20 * d * 10 ** rng.uniform(0, 1.5))
    X = rng.normal(size=(n, d)) if rng.random() < 0.5 else rng.integers(-3, 4, size=(n, d)) * 1.0
    return {"X": X, "t": labels(rng, X @ slopes(rng, d)), "l2": penalty(rng)}


def imbalance(rng: Any) -> dict[str, Any]:
    ratio = 10 ** rng.uniform(0.3, 4.5)
    d = int(rng.integers(1, 5))
    n = int(min(200_000, max(200, 10 * d * ratio)))
    X = rng.normal(size=(n, d)).astype(rng.choice([np.float32, np.float64]))
    t = labels(rng, X @ slopes(rng, d), 1 / ratio)
    return {"X": X, "t": t if rng.random() < 0.5 else 1 - t, "l2": penalty(rng)}


def imbalance_by_weight(rng: Any) -> dict[str, Any]:
    """Each 0 stands for up to a million rows."""
    made = normal_columns(rng, int(rng.integers(1, 8)), int(10 ** rng.uniform(2, 3.5)))
    weight = np.where(made["t"] == 0, 10 ** rng.uniform(1, 6), 1.0)
    return {**made, "weight": weight, "l2": penalty(rng)}


def imbalance_by_rows(rng: Any) -> dict[str, Any]:
    """A few positives in more than a million rows, 500 of them different."""
    positives = int(rng.integers(3, 13))
    X = np.concatenate([rng.normal(size=(500, 3)), rng.normal(0.3, 1.0, size=(positives, 3))])
    t = np.repeat([0.0, 1.0], [500, positives])
    repeats = np.where(t == 0, rng.integers(2000, 8000, size=len(t)), 1)
    return {"X": X.astype(np.float32), "t": t, "repeats": repeats, "l2": penalty(rng)}


def weights(rng: Any) -> dict[str, Any]:
    made = normal_columns(rng, int(rng.integers(1, 6)), int(10 ** rng.uniform(1.5, 3.3)))
    width = rng.choice([4.0, 8.0, 12.0])
    weight = 10 ** rng.uniform(-width, width, size=len(made["t"]))
    return {**made, "weight": weight, "l2": penalty(rng)}


def far_means(rng: Any) -> dict[str, Any]:
    made = normal_columns(rng, int(rng.integers(1, 6)), int(10 ** rng.uniform(2, 3.5)))
    d = made["X"].shape[1]
    far = np.where(rng.random(d) < 0.6, 10 ** rng.uniform(2, 9, size=d), 0.0)
    X = (made["X"] + far) * 10 ** rng.uniform(-3, 3, size=d)
    l2 = penalty(rng)
    # float32 holds no more digits than this.
    is_float32 = far.max() < 1e5 and rng.random() < 0.7
    return {**made, "X": X.astype(np.float32) if is_float32 else X, "l2": l2}


def time_stamps(rng: Any) -> dict[str, Any]:
    """Time stamps of an hour or a day in seconds to microseconds, all columns int64 or float64."""
    n = int(10 ** rng.uniform(2, 3.5))
    unit = rng.choice([1, 1000, 1_000_000])
    span = rng.choice([3600, 86_400])
    stamps = 1_700_000_000 * unit + rng.integers(span * unit, size=n)
    X = np.column_stack([stamps, rng.integers(10, size=n), rng.integers(1000, 9000, size=n)])
    t = labels(rng, standard(X * 1.0) @ slopes(rng, 3), rng.uniform(0.1, 0.9))
    return {"X": X.astype(rng.choice([np.int64, np.float64])), "t": t, "l2": penalty(rng)}


def scales(rng: Any) -> dict[str, Any]:
    made = normal_columns(rng, int(rng.integers(2, 12)), int(10 ** rng.uniform(2.5, 3.5)))
    by = 10 ** rng.uniform(-8, 8, size=made["X"].shape[1])
    X = (made["X"] * by).astype(rng.choice([np.float32, np.float64]))
    return {**made, "X": X, "l2": penalty(rng)}


def correlated(rng: Any) -> dict[str, Any]:
    d, n = int(rng.integers(2, 10)), int(10 ** rng.uniform(2.5, 3.7))
    apart = 10 ** rng.uniform(-5, -1)
    X = rng.normal(size=(n, 1)) + apart * rng.normal(size=(n, d))
    return {"X": X, "t": labels(rng, X[:, 0] + slopes(rng, d).sum()), "l2": penalty(rng)}


def rare_indicators(rng: Any) -> dict[str, Any]:
    """Columns that are 1 in only a few rows, dense or CSR."""
    d, n = int(rng.integers(3, 12)), int(10 ** rng.uniform(3, 5))
    X = (rng.random((n, d)) < np.maximum(10 ** rng.uniform(-4, -0.5, size=d), 12 / n)) * 1.0
    t = labels(rng, X @ rng.normal(size=d), rng.uniform(0.2, 0.8))
    return {"X": sparse.csr_array(X) if rng.random() < 0.5 else X, "t": t, "l2": penalty(rng)}


def csr(rng: Any) -> dict[str, Any]:
    d = int(10 ** rng.uniform(0.5, 2.2))
    n = int(d * 10 ** rng.uniform(1.2, 2))
    X = sparse.random_array((n, d), density=rng.uniform(0.02, 0.3), format="csr", rng=rng)
    X.data *= 10 ** rng.uniform(-1, 2)
    X = X.astype(rng.choice([np.float32, np.float64]))
    t = labels(rng, standard(X.toarray()) @ slopes(rng, d))
    return {"X": X, "t": t, "l2": penalty(rng)}


def offsets(rng: Any) -> dict[str, Any]:
    made = normal_columns(rng, int(rng.integers(1, 8)), int(10 ** rng.uniform(2, 3.5)))
    offset = rng.choice([0.5, 3.0]) * rng.normal(size=len(made["t"])) + rng.choice([0.0, -5, 1000])
    return {**made, "offset": offset, "l2": penalty(rng)}


def soft_labels(rng: Any) -> dict[str, Any]:
    made = normal_columns(rng, int(rng.integers(1, 8)), int(10 ** rng.uniform(1.5, 3)))
    share = 10 ** rng.uniform(-6, 0)
    return {**made, "t": rng.random(len(made["t"])) * share, "l2": penalty(rng)}


def column_penalties(rng: Any) -> dict[str, Any]:
    made = normal_columns(rng, int(rng.integers(2, 12)), int(10 ** rng.uniform(2.5, 3.5)))
    d = made["X"].shape[1]
    return {**made, "l2": np.where(rng.random(d) < 0.4, 0.0, 10 ** rng.uniform(-6, 6, size=d))}


def wide(rng: Any) -> dict[str, Any]:
    d = int(rng.integers(50, 301))
    made = normal_columns(rng, d, int(d * rng.uniform(12, 20)))
    return {**made, "l2": penalty(rng)}


def without_intercept(rng: Any) -> dict[str, Any]:
    d, n = int(rng.integers(1, 8)), int(10 ** rng.uniform(2, 3.5))
    X = rng.normal(size=(n, d)) + 10 ** rng.uniform(-1, 2)
    t = labels(rng, standard(X) @ slopes(rng, d), rng.uniform(0.1, 0.9))
    return {"X": X, "t": t, "intercept": False, "l2": penalty(rng)}


def many_rows(rng: Any) -> dict[str, Any]:
    """Enough rows for the solver that begins with a sample."""
    made = normal_columns(rng, int(rng.integers(15, 25)), int(rng.integers(60_000, 120_000)))
    weight = rng.exponential(size=len(made["t"])) if rng.random() < 0.5 else None
    return {**made, "weight": weight, "l2": penalty(rng)}


def mixed(rng: Any) -> dict[str, Any]:
    """Far means, scales, correlation, weights, offsets and imbalance together."""
    d, n = int(rng.integers(2, 10)), int(10 ** rng.uniform(3, 4.3))
    X = rng.normal(size=(n, d)) + rng.uniform(0, 3) * rng.normal(size=(n, 1))
    offset = rng.normal(size=n)
    t = labels(rng, standard(X) @ slopes(rng, d) + offset, 10 ** rng.uniform(-2, -0.3))
    X = (X + 10 ** rng.uniform(-2, 5, size=d)) * 10 ** rng.uniform(-6, 6, size=d)
    weight = 10 ** rng.uniform(-3, 3, size=n)
    return {"X": X, "t": t, "weight": weight, "offset": offset, "l2": penalty(rng)}


KINDS: tuple[Callable[[Any], dict[str, Any]], ...] = (
    ordinary,
    imbalance,
    imbalance_by_weight,
    weights,
    far_means,
    time_stamps,
    scales,
    correlated,
    rare_indicators,
    csr,
    offsets,
    soft_labels,
    column_penalties,
    without_intercept,
    mixed,
)
# These take longer, so each is drawn for only one seed in 25.
LARGE = {7: wide, 11: many_rows, 23: imbalance_by_rows}


def laid_out(X: Any, seed: int) -> Any:
    """X by rows, by columns or, although it has few zeros, as CSR."""
    order = seed // len(KINDS) % 3
    if order == 0 or sparse.issparse(X):
        return X
    if order == 1 and X.dtype.kind == "f" and X.size < 100_000:
        return sparse.csr_array(X)
    return np.asfortranarray(X)


def problem(seed: int) -> Problem:
    """The problem of a seed; drawn again where its labels are separable without a penalty."""
    kind = LARGE.get(seed % 25, KINDS[seed % len(KINDS)])
    for attempt in range(100):
        made = kind(np.random.default_rng([seed, attempt]))
        X, t, repeats = made.pop("X"), made.pop("t"), made.pop("repeats", None)
        try:
            optimum = solve(X, t, **(made if repeats is None else {**made, "weight": repeats}))
        except (NoOptimumError, np.linalg.LinAlgError):
            continue
        if repeats is not None:
            X, t = np.repeat(X, repeats, axis=0), np.repeat(t, repeats)
        return Problem(seed, kind.__name__, laid_out(X, seed), t, made, *optimum)
    raise AssertionError(f"no problem of seed {seed} has an optimum")


def problems(seeds: Iterable[int]) -> Iterator[Problem]:
    """Problems one by one, so that few are in memory."""
    return map(problem, seeds)


# fastlogit against the optimum -------------------------------------------------------------


def fit(hard: Problem, **arguments: Any) -> tuple[fl.LogisticModel, list[str]]:
    """The model of :func:`fastlogit.fit`, and the names of its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = fl.fit(hard.X, hard.t, **hard.arguments, **arguments)
    return model, [warning.category.__name__ for warning in caught]


def check(model: fl.LogisticModel, hard: Problem, warned: Sequence[str]) -> list[str]:
    """List the errors of a model; none if it warns that it did not converge."""
    if not model.converged:
        return [] if warned else ["not converged, without a warning"]
    found = []
    d = len(hard.coef)
    off = np.abs(model.coef - hard.coef)
    in_errors = float((off / hard.errors[:d]).max())
    if not in_errors <= 1e-4:
        found.append(f"a coefficient is off by {in_errors:.1e} of its standard error")
    of_largest = float(off.max() / np.abs(hard.coef).max())
    if not of_largest <= 1e-5:
        found.append(f"a coefficient is off by {of_largest:.1e} of the largest")
    if hard.arguments.get("intercept", True):
        # b = b_c - Σ mean coef is rounded to float64, as are its terms.
        rounding = 4 * EPSILON * (abs(hard.intercept) + np.abs(hard.means * hard.coef).sum())
        off_intercept = abs(model.intercept - hard.intercept)
        if not off_intercept <= 1e-4 * hard.errors[d] + rounding:
            share = float(off_intercept / hard.errors[d])
            found.append(f"the intercept is off by {share:.1e} of its standard error")
    if not hard.penalised:
        errors = model.standard_errors()
        if np.isnan(errors).all():
            if not warned:
                found.append("all standard errors are NaN, without a warning")
        else:
            relative = np.abs(errors / hard.errors - 1)
            if not (relative <= 1e-4).all():
                found.append(f"standard errors are off by {float(relative.max()):.1e}")
    return found


def main(count: int) -> int:
    """Print a table by kind, and each failure; status 1 if there is one."""
    begin = time.perf_counter()
    seen: Counter[tuple[str, str]] = Counter()
    solving = fitting = 0.0
    for seed in range(count):
        start = time.perf_counter()
        hard = problem(seed)
        middle = time.perf_counter()
        model, warned = fit(hard)
        solving, fitting = solving + middle - start, fitting + time.perf_counter() - middle
        wrong = check(model, hard, warned)
        seen[hard.kind, "wrong" if wrong else "right" if model.converged else "not converged"] += 1
        if wrong or not model.converged:
            shown = "; ".join(wrong) or f"not converged: {', '.join(warned)}"
            shape = f"{hard.X.shape[0]} x {hard.X.shape[1]}"
            print(f"seed {seed}, {hard.kind}, {shape}, l2 {hard.arguments['l2']}: {shown}")
    print(f"\n{'kind':22}{'right':>8}{'not converged':>16}{'wrong':>8}")
    outcomes = ("right", "not converged", "wrong")
    for kind in sorted({kind for kind, _ in seen}):
        right, ended, wrong_ones = (seen[kind, outcome] for outcome in outcomes)
        print(f"{kind:22}{right:8}{ended:16}{wrong_ones:8}")
    right, ended, wrong_ones = (
        sum(number for (_, outcome), number in seen.items() if outcome == one) for one in outcomes
    )
    print(f"{'all':22}{right:8}{ended:16}{wrong_ones:8}")
    seconds = time.perf_counter() - begin
    print(f"{seconds:.0f} s: {solving:.0f} for the references, {fitting:.0f} for fits")
    return int(wrong_ones > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 300))
