"""`converged` means digits: against the optimum in extended precision, for every solver."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

import fastlogit as fl
from fastlogit.core import linalg
from fastlogit.training import solvers
from fastlogit.training.convergence import has_converged, is_near
from fastlogit.training.messages import ConvergenceWarning
from fastlogit.training.solvers import sampled_newton
from tests.hard_problems import Problem, check, fit, problem, solve
from tests.objectives import binomial

RNG = np.random.default_rng(5)
N, D = 900, 4
X = RNG.normal(size=(N, D))
T = (RNG.random(N) < fl.sigmoid(X @ [1.0, -0.5, 0.25, 0.0] - 0.5)) * 1.0
SOLVERS = list(solvers.SOLVERS)


# Against the optimum ----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(16))
def test_every_solver_is_right_or_says_that_it_did_not_converge(seed):
    hard = problem(seed)
    for solver in SOLVERS:
        if solver == "gradient-descent" and hard.X.shape[0] * hard.X.shape[1] > 2e5:
            continue
        model, warned = fit(hard, solver=solver, max_passes=400)
        assert check(model, hard, warned) == [], solver
        assert model.converged or solver == "gradient-descent"


@pytest.mark.parametrize("l2", [1.0, 0.0])
@pytest.mark.parametrize("solver", ["auto", "lbfgs"])
def test_six_positives_in_three_million_rows(solver, l2):
    rng = np.random.default_rng(1)
    rows = np.concatenate([rng.normal(size=(600, 2)), rng.normal(0.5, 1.0, size=(6, 2))])
    rows, t = rows.astype(np.float32), np.repeat([0.0, 1.0], [600, 6])
    repeats = np.where(t == 0, 5000, 1)
    optimum = solve(rows, t, l2=l2, weight=repeats)
    many, labels = np.repeat(rows, repeats, axis=0), np.repeat(t, repeats)
    hard = Problem(0, "rare", many, labels, {"l2": l2}, *optimum)
    model, warned = fit(hard, solver=solver)
    assert model.converged
    assert check(model, hard, warned) == []


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("ratio", [2, 1e3, 1e6])
def test_one_positive_for_many_rows_by_their_weight(solver, ratio):
    weight = np.where(T == 1, 1.0, ratio * np.sum(T == 1) / np.sum(T == 0))
    hard = Problem(0, "", X, T, {"l2": 1.0, "weight": weight}, *solve(X, T, l2=1.0, weight=weight))
    model, warned = fit(hard, solver=solver)
    assert model.converged
    assert check(model, hard, warned) == []


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("n", [30, 300])
def test_weights_over_24_decades(solver, n):
    weight = 10.0 ** RNG.permutation(np.linspace(-12.0, 12.0, n))
    given = {"l2": 1e-3, "weight": weight}
    hard = Problem(0, "", X[:n], T[:n], given, *solve(X[:n], T[:n], **given))
    model, warned = fit(hard, solver=solver, max_passes=3000)
    assert check(model, hard, warned) == []
    assert model.converged or solver == "gradient-descent"


def test_many_columns_are_right_without_their_hessian():
    rng = np.random.default_rng(2)
    wide = rng.normal(size=(3000, 1100)) + rng.normal(size=(3000, 1))
    t = (rng.random(3000) < fl.sigmoid(wide[:, 0])) * 1.0
    model = fl.fit(wide, t)
    assert (model.solver, model.converged) == ("lbfgs", True)
    f = binomial(wide, t)
    point = f.evaluate(np.append(model.coef, model.intercept), hessian=True)
    assert has_converged(f, point, 1e-8)


@pytest.mark.parametrize("wrong", [1e6, 1e-6])
@pytest.mark.parametrize("column", [0, 3])
def test_a_sample_that_is_wrong_in_one_direction_is_no_proof(wrong, column, monkeypatch):
    exact = fl.fit(X, T, tol=1e-18)
    original = sampled_newton._near_optimum

    def distorted(few, theta):
        point = yield from original(few, theta)
        factor = np.ones(D + 1)
        factor[column] = np.sqrt(wrong)
        return replace(point, hessian=point.hessian * factor * factor[:, None])

    monkeypatch.setattr(sampled_newton, "_near_optimum", distorted)
    model = fl.fit(X, T, solver="sampled-newton")
    assert model.converged
    np.testing.assert_allclose(model.coef, exact.coef, rtol=0, atol=1e-5 * exact.coef.max())


# What must not matter ---------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["newton", "sampled-newton", "lbfgs"])
def test_units_of_columns_change_nothing(solver):
    units = 2.0 ** np.array([40.0, -40.0, 0.0, 10.0])
    plain = fl.fit(X, T, l2=1.0, solver=solver)
    other = fl.fit(X * units, T, l2=units**2, solver=solver)
    # All but the comparison with the largest coefficient is the same.
    assert other.passes <= plain.passes + 2
    np.testing.assert_allclose(other.coef * units, plain.coef, rtol=1e-4)


@pytest.mark.parametrize("solver", ["newton", "sampled-newton", "lbfgs"])
@pytest.mark.parametrize("unit", [2.0**-40, 2.0**40])
def test_units_of_weights_change_nothing(solver, unit):
    plain = fl.fit(X, T, l2=1.0, solver=solver, tol=1e-12)
    other = fl.fit(X, T, l2=unit, weight=np.full(N, unit), solver=solver, tol=1e-12)
    assert other.converged
    np.testing.assert_allclose(other.coef, plain.coef, rtol=0, atol=1e-6)


@pytest.mark.parametrize("solver", ["newton", "sampled-newton", "lbfgs"])
def test_rows_without_information_change_nothing(solver):
    plain = fl.fit(X, T, solver=solver)
    many = np.concatenate([X, RNG.normal(size=(50_000, D))])
    t = np.concatenate([T, np.zeros(50_000)])
    offset = np.where(np.arange(len(t)) < N, 0.0, -1e4)
    other = fl.fit(many, t, offset=offset, solver=solver)
    assert other.converged
    np.testing.assert_allclose(other.coef, plain.coef, rtol=0, atol=1e-5)


def test_coefficients_that_are_all_0_converge():
    balanced = np.concatenate([X, X])
    t = np.repeat([0.0, 1.0], N)
    for solver in SOLVERS:
        for l2 in (0.0, 1.0):
            model = fl.fit(balanced, t, l2=l2, solver=solver)
            assert model.converged
            assert np.abs(model.coef).max() < 1e-12


# The criterion ----------------------------------------------------------------------------


def test_a_point_has_converged_by_its_own_hessian_alone():
    f = binomial(X, T)
    theta = np.append(fl.fit(X, T, tol=1e-20).coef, fl.fit(X, T, tol=1e-20).intercept)
    point = f.evaluate(theta, hessian=True)
    assert has_converged(f, point, 1e-20)
    assert not has_converged(f, f.evaluate(theta), 1e-8)
    assert not has_converged(f, point, 0.0)
    errors = np.sqrt(np.diag(np.linalg.inv(point.hessian)))
    for j in range(D + 1):
        for share, expected in ((1e-6, True), (2e-4, False)):
            moved = theta.copy()
            moved[j] += share * errors[j]
            assert has_converged(f, f.evaluate(moved, hessian=True), 1e-8) == expected


def test_a_step_that_only_leads_part_of_the_way_must_be_shorter():
    f = binomial(X, T)
    point = f.evaluate(np.append(fl.fit(X, T).coef, fl.fit(X, T).intercept), hessian=True)
    step = 1e-6 * np.ones(D + 1) / np.sqrt(np.diag(point.hessian))
    moved = f.evaluate(point.theta + step, hessian=True)
    assert is_near(f, moved, moved.newton_step, 1e-8)
    assert not is_near(f, moved, moved.newton_step, 1e-8, steps=1e4)
    assert not is_near(f, moved, moved.newton_step, 1e-8, steps=np.inf)


def test_a_direction_that_rounding_hides_is_not_called_converged():
    # The heaviest rows are separable; how far their coefficients go is decided by rows of 1e-20
    # of their weight.
    found = []
    for seed in (113, 136):
        rng = np.random.default_rng(seed)
        n, d = int(10 ** rng.uniform(1.2, 2.3)), int(rng.integers(1, 7))
        rows = rng.normal(size=(n, d))
        t = (rng.random(n) < fl.sigmoid(rows @ rng.normal(size=d))) * 1.0
        weight = 10 ** rng.uniform(-12, 12, n)
        with pytest.warns(ConvergenceWarning, match="not converged after"):
            found.append(fl.fit(rows, t, l2=0.0, weight=weight))
    assert not any(model.converged for model in found)


def test_ordinary_data_take_as_few_passes_as_ever():
    rng = np.random.default_rng(0)
    passes = []
    for n, d, solver in ((400, 5, "newton"), (60_000, 20, "sampled-newton"), (2000, 10, "lbfgs")):
        rows = rng.normal(size=(n, d))
        t = (rng.random(n) < fl.sigmoid(rows @ rng.normal(size=d) - 0.5)) * 1.0
        with warnings.catch_warnings(action="error"):
            passes.append(fl.fit(rows, t, solver=solver).passes)
    assert passes[0] <= 8
    assert passes[1] <= 10
    assert passes[2] <= 22


def test_standard_errors_of_the_criterion_are_those_of_the_model():
    model = fl.fit(X, T, l2=0.0)
    f = binomial(X, T, l2=0.0)
    point = f.evaluate(np.append(model.coef, model.intercept), hessian=True)
    expected = np.sqrt(linalg.variances(point.hessian, np.eye(len(point.hessian))))
    np.testing.assert_allclose(model.standard_errors(), expected, rtol=1e-10)


# What the Hessian of a sample, or rounding, does not show -----------------------------------


def one_hot(rng, n, counts, slope=0.02):
    groups = [rng.integers(0, count, n) for count in counts]
    columns = [np.eye(c)[g] for c, g in zip(counts, groups, strict=True)]
    t = (rng.random(n) < 0.3 + slope * groups[0]) * 1.0
    return np.column_stack(columns), t


def sum_of_columns(noise):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(30_000, 4))
    last = rows[:, 0] + (noise * rng.normal(size=30_000) if noise else rows[:, 1])
    t = (rng.random(30_000) < fl.sigmoid(rows[:, 0])) * 1.0
    return np.column_stack([rows, last]), t


@pytest.mark.parametrize(
    ("make", "l2"),
    [
        (lambda: one_hot(np.random.default_rng(0), 60_000, (20, 20, 20)), 1e-5),
        (lambda: one_hot(np.random.default_rng(0), 30_000, (12, 10, 5)), 1e-4),
        (lambda: one_hot(np.random.default_rng(0), 30_000, (12, 10, 5)), 1e-6),
        (lambda: sum_of_columns(0.0), 1e-4),
        (lambda: sum_of_columns(3e-7), 1e-6),
        (lambda: sum_of_columns(1e-4), 0.0),
    ],
)
def test_a_direction_that_a_sample_hardly_determines_is_found(make, l2):
    rows, t = make()
    coef, intercept, *_ = solve(rows, t, l2=l2)
    largest = float(np.abs(coef).max())
    for form in (np.asarray, sparse.csr_array):
        model = fl.fit(form(rows), t, l2=l2, solver="sampled-newton")
        assert model.converged
        assert model.passes <= 15
        np.testing.assert_allclose(model.coef, coef.astype(float), rtol=0, atol=1e-6 * largest)
        assert abs(model.intercept - float(intercept)) <= 1e-6 * max(largest, 1.0)


@pytest.mark.parametrize("solver", ["newton", "sampled-newton", "lbfgs"])
@pytest.mark.parametrize("l2", [0.0, 1.0])
def test_weights_of_any_size_change_nothing(solver, l2):
    exact = fl.fit(X, T, l2=l2, tol=1e-16)
    for unit in (1e-290, 1e-30, 1e-10, 1e10, 1e22, 1e26, 1e30, 1e290):
        model = fl.fit(X, T, l2=l2 * unit, weight=np.full(N, unit), solver=solver)
        assert model.converged, unit
        assert model.passes <= 30
        np.testing.assert_allclose(model.coef, exact.coef, rtol=0, atol=1e-6)


def test_heavy_weights_do_not_hide_what_light_ones_decide():
    weight = np.where(np.arange(N) < N // 2, 1e26, 1.0)
    rows = X.copy()
    rows[: N // 2, 3] = 0.0
    model, warned = fit(Problem(0, "", rows, T, {"l2": 0.0, "weight": weight}, *[None] * 4))
    alone = fl.fit(
        rows[N // 2 :, 3:],
        T[N // 2 :],
        l2=0.0,
        offset=rows[N // 2 :, :3] @ model.coef[:3] + model.intercept,
        intercept=False,
    )
    assert not model.converged or abs(model.coef[3] - alone.coef[0]) < 1e-5
    assert model.converged or warned


@pytest.mark.parametrize("l2", [1e-18, 1e-40, 1e-323])
@pytest.mark.parametrize("solver", ["newton", "sampled-newton", "lbfgs"])
def test_a_penalty_below_rounding_errors_is_not_called_converged(solver, l2):
    rng = np.random.default_rng(1)
    x, rare = rng.normal(size=1000), rng.random(1000) < 0.05
    t = (rng.random(1000) < fl.sigmoid(x)) & ~rare
    rows = np.column_stack([x, (rare - rare.mean()) / rare.std()])
    with pytest.warns(ConvergenceWarning, match="rounding allows no less"):
        model = fl.fit(rows, t, l2=l2, solver=solver)
    assert not model.converged
