"""Passes over X in extended precision, with bounds on the errors of `fastlogit.linear`.

The reference computes in ``np.longdouble`` (64 bits of fraction on x86) by the textbook formulas.
Every tolerance is a number of roundings times the sum of the absolute terms, so that no absolute
error passes unseen.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from fastlogit.kernels.passes import SUMMED_ROWS

U = 2.0**-53


class Problem(NamedTuple):
    X: np.ndarray
    t: np.ndarray
    coef: np.ndarray
    intercept: float
    weight: np.ndarray
    offset: np.ndarray

    def data(self):
        return {"intercept": self.intercept, "weight": self.weight, "offset": self.offset}


class Within(NamedTuple):
    """An exact value, and a bound on the error of a result."""

    value: np.ndarray
    bound: np.ndarray

    def assert_holds(self, result):
        error = np.abs(np.asarray(result).astype(np.longdouble) - self.value)
        assert error.shape == np.shape(result)
        worst = np.max(error / np.maximum(self.bound, np.finfo(float).tiny))
        assert (error <= self.bound).all(), f"{float(worst):.3g} times the bound"


class Exact(NamedTuple):
    z: Within
    loss: Within
    gradient: Within  # the intercept's is the last
    curvatures: np.ndarray
    z_bound: np.ndarray


def integers(rng, info, shape):
    return rng.integers(info.min, info.max, shape, dtype=info.dtype, endpoint=True)


@functools.cache
def problem(dtype="float64", n=513, d=9):
    rng = np.random.default_rng([n, d])
    X = {
        "float64": lambda: rng.normal(size=(n, d)),
        "float32": lambda: rng.normal(size=(n, d)).astype(np.float32),
        "float16": lambda: rng.normal(size=(n, d)).astype(np.float16),
        "int64": lambda: rng.integers(-(10**12), 10**12, (n, d)),
        "uint64": lambda: rng.integers(0, 10**12, (n, d), dtype=np.uint64),
        "bool": lambda: rng.random((n, d)) < 0.5,
    }.get(dtype, lambda: integers(rng, np.iinfo(dtype), (n, d)))()
    spread = max(1.0, float(np.abs(X.astype(np.float64)).max())) * np.sqrt(d)
    return Problem(
        X,
        rng.random(n),
        rng.normal(size=d) * 15.0 / spread,
        0.7,
        rng.integers(0, 5, n) * rng.random(n),
        rng.normal(size=n),
    )


def exact_z(X, coef, intercept, offset, roundings=None):
    """Σ x w within ``(d/8 + 4) u``, or within the given number of roundings.

    Adding the intercept and the offset rounds twice more.
    """
    roundings = X.shape[1] / 8 + 4 if roundings is None else roundings
    terms = X.astype(np.longdouble) * np.asarray(coef, dtype=np.longdouble)
    known = np.longdouble(0.0) if offset is None else np.asarray(offset, dtype=np.longdouble)
    size = np.abs(terms).sum(axis=1)
    bound = roundings * U * size
    if intercept or offset is not None:
        bound += 2 * U * (size + abs(intercept) + np.abs(known))
    return Within(terms.sum(axis=1) + intercept + known, bound)


def exact_sigmoid(z):
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-z))


def exact(
    X, t, coef, intercept=0.0, weight=None, offset=None, roundings=None, adding=None, term=6 * U
):
    """All results of a pass; a sum over rows rounds `adding` times, by default `summing`.

    Terms have a relative error of `term`.
    """
    n = X.shape[0]
    t = np.asarray(t, dtype=np.longdouble)
    weight = np.ones(n) if weight is None else np.asarray(weight)
    weight = weight.astype(np.longdouble)
    z = exact_z(X, coef, intercept, offset, roundings)
    adding = summing(n) if adding is None else adding * U
    y, not_y = exact_sigmoid(z.value), exact_sigmoid(-z.value)
    softplus = np.log1p(np.exp(-np.abs(z.value)))
    losses = weight * ((1 - t) * np.maximum(z.value, 0) + t * np.maximum(-z.value, 0) + softplus)
    residuals = (1 - t) * y - t * not_y
    # A residual of a soft label is exact only relative to its two terms.
    rounding = term * np.where((t == 0) | (t == 1), np.abs(residuals), y + t)
    residual_bounds = weight * (y * not_y * z.bound + rounding)
    loss_bounds = weight * np.abs(residuals) * z.bound + term * losses
    ones = np.column_stack([X.astype(np.longdouble), np.ones(n, np.longdouble)])
    sizes = np.abs(ones)
    return Exact(
        z,
        Within(losses.sum(), loss_bounds.sum() + 4 * U * losses.sum()),  # added without error
        Within(
            (weight * residuals) @ ones,
            residual_bounds @ sizes + adding * (weight * np.abs(residuals)) @ sizes,
        ),
        weight * y * not_y,
        z.bound,
    )


def exact_hessian(X, exact):
    ones = np.column_stack([X.astype(np.longdouble), np.ones(X.shape[0], np.longdouble)])
    terms, sizes = exact.curvatures[:, None], np.abs(ones)
    error = terms * (exact.z_bound + 6 * U + summing(X.shape[0]))[:, None]
    return Within(ones.T @ (terms * ones), sizes.T @ (error * sizes))


def exact_product(X, exact, direction, roundings=None, adding=None):
    """Hessian with the intercept times `direction`."""
    n = X.shape[0]
    adding = summing(n) if adding is None else adding * U
    ones = np.column_stack([X.astype(np.longdouble), np.ones(n, np.longdouble)])
    along = exact_z(X, direction[:-1], direction[-1], None, roundings)
    error = exact.curvatures * (
        along.bound + np.abs(along.value) * (exact.z_bound + 6 * U + adding)
    )
    return Within((exact.curvatures * along.value) @ ones, error @ np.abs(ones))


def summing(n):
    return (min(n, SUMMED_ROWS) + 4) * U


@functools.cache
def exact_problem(*key):
    given = problem(*key)
    return exact(given.X, given.t, given.coef, given.intercept, given.weight, given.offset)
