"""The reference of `hard_problems` against mpmath, and `fastlogit.fit` against the reference."""

from __future__ import annotations

import functools
from dataclasses import replace

import mpmath
import numpy as np
import pytest
from mpmath import mpf
from scipy import sparse

from tests.hard_problems import NoOptimumError, check, fit, problem, solve

# Small ones, among them a mean/std of 10⁶, weights over 24 decades, int64, soft labels, offsets.
SMALL = [3, 35, 79, 101, 163, 168, 185, 241, 289]


# The solvers are tried one after the other on the same problem.
solved = functools.lru_cache(maxsize=1)(problem)


def exact(value):
    """A float of any precision as a number of mpmath, without rounding."""
    high = float(value)
    return mpf(high) + mpf(float(value - np.longdouble(high)))


def newton(hard, steps):
    """Estimates and standard errors after steps of Newton's method in 50 digits."""
    n, d = hard.X.shape
    given = hard.arguments
    with_intercept = given.get("intercept", True)
    X = hard.X.toarray() if sparse.issparse(hard.X) else hard.X
    rows = [[*map(exact, row)] + [mpf(1)] * with_intercept for row in X.astype(np.longdouble)]
    weight, offset = (
        [exact(x) for x in np.broadcast_to(given.get(name, default), n)]
        for name, default in (("weight", 1.0), ("offset", 0.0))
    )
    l2 = [exact(x) for x in np.broadcast_to(given["l2"], d)] + [mpf(0)] * with_intercept
    theta = mpmath.matrix([exact(x) for x in [*hard.coef, hard.intercept][: len(l2)]])
    for _ in range(steps):
        gradient = mpmath.matrix([a * b for a, b in zip(l2, theta, strict=True)])
        hessian = mpmath.diag(l2)
        for x, t, w, o in zip(map(mpmath.matrix, rows), hard.t, weight, offset, strict=True):
            y = 1 / (1 + mpmath.exp(-(mpmath.fdot(x, theta) + o)))
            gradient += w * (y - exact(t)) * x
            hessian += w * y * (1 - y) * x * x.T
        inverse = hessian**-1
        theta -= inverse * gradient
    return theta, [mpmath.sqrt(inverse[j, j]) for j in range(len(l2))]


@pytest.mark.parametrize("seed", SMALL)
def test_the_reference_agrees_with_50_digits(seed):
    hard = problem(seed)
    with mpmath.workdps(50):
        theta, errors = newton(hard, 2)
        estimates = [*hard.coef, hard.intercept][: len(errors)]
        for estimate, best, ours, error in zip(estimates, theta, hard.errors, errors, strict=True):
            assert abs(exact(estimate) - best) <= 1e-11 * error
            assert abs(exact(ours) / error - 1) <= 1e-11


def test_separable_labels_have_no_optimum():
    x = np.arange(6.0).reshape(-1, 1)
    with pytest.raises(NoOptimumError):
        solve(x, x[:, 0] > 2, l2=0.0)
    coef, *_ = solve(x, x[:, 0] > 2, l2=1e-3)
    assert 1 < coef[0] < 10


def test_the_same_seed_gives_the_same_problem():
    one, same, other = problem(6), problem(6), problem(9)
    np.testing.assert_array_equal(one.X, same.X)
    np.testing.assert_array_equal(one.coef, same.coef)
    assert one.X.shape != other.X.shape


@pytest.mark.parametrize(
    ("part", "by", "message"),
    [
        ("coef", 2e-4, "a coefficient is off by 2.0e-04 of its standard error"),
        ("intercept", 2e-4, "the intercept is off by 2.0e-04 of its standard error"),
        ("variances", 3e-4, "standard errors are off by 1.5e-04"),
    ],
)
def test_what_is_wrong_is_found(part, by, message):
    hard = problem(60)
    model, warned = fit(hard)
    assert not hard.penalised
    assert check(model, hard, warned) == []
    errors = model.standard_errors()
    moved = {
        "coef": model.coef + by * errors[:-1],
        "intercept": model.intercept + by * errors[-1],
        "variances": model.variances * (1 + by),
    }
    assert message in check(replace(model, **{part: moved[part]}), hard, warned)
    assert check(replace(model, converged=False), hard, ["ConvergenceWarning"]) == []
    assert check(replace(model, converged=False), hard, []) != []


@pytest.mark.parametrize("seed", range(30))
def test_a_fit_converges_to_the_optimum(seed):
    hard = problem(seed)
    model, warned = fit(hard)
    assert check(model, hard, warned) == []
    assert model.converged


@pytest.mark.parametrize("solver", ["newton", "sampled-newton", "lbfgs", "gradient-descent"])
@pytest.mark.parametrize("seed", [*SMALL, 7, 11])  # 7: 287 columns, 11: 67 714 rows
def test_a_fit_with_any_solver_is_right_or_warns(seed, solver):
    hard = solved(seed)
    model, warned = fit(hard, solver=solver)
    assert check(model, hard, warned) == []
