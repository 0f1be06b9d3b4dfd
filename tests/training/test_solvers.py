"""The solvers: all end at the same optimum, from anywhere; and the table of them."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import optimize

import fastlogit as fl
from fastlogit.training import solvers
from fastlogit.training.dataset import ArrayDataset
from fastlogit.training.objective import Objective
from fastlogit.training.solvers import quasi_newton, sampled_newton
from fastlogit.training.solvers.search import Settings
from tests.objectives import binomial

RNG = np.random.default_rng(9)
N, D = 3000, 6
X = RNG.normal(size=(N, D)) @ np.linalg.cholesky(0.5 * np.eye(D) + 0.5)
T = (RNG.random(N) < 1 / (1 + np.exp(-X @ np.linspace(-1, 1, D)))).astype(np.float64)
SOLVERS = list(solvers.SOLVERS)


@pytest.fixture(autouse=True)
def small_samples(monkeypatch):
    monkeypatch.setattr(sampled_newton, "_LEAST_SAMPLED", 1000)


def objective(X=X, t=T, l2=1.0):
    return binomial(X, t, l2)


def run(solver, f, start=None, tol=1e-9, most=300, **options):
    """All trials until the tolerance, and the best point."""
    trials, best = [], None
    for trial in solvers.steps(solver, f, start, Settings(**options)):
        trials.append(trial)
        best = trial.point if trial.accepted else best
        if (best is not None and f.gradient_norm(best) <= tol) or len(trials) == most:
            break
    return trials, best


def minimum(f):
    """By SciPy, from the same f and its derivatives (which have tests of their own)."""
    found = optimize.minimize(
        lambda theta: f.evaluate(theta).value,
        np.zeros(f.size),
        jac=lambda theta: f.evaluate(theta).gradient,
        hess=f.hessian,
        method="trust-exact",
        options={"gtol": 1e-9 * f.dataset.n},
    )
    return found.x


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_ends_at_the_optimum_of_scipy(solver):
    f = objective()
    tol = 1e-7 if solver == "gradient-descent" else 1e-9
    _, best = run(solver, f, tol=tol)
    assert f.gradient_norm(best) <= tol
    np.testing.assert_allclose(best.theta, minimum(f), rtol=1e3 * tol)


@pytest.mark.parametrize("solver", SOLVERS)
def test_accepted_points_never_rise_by_more_than_rounding(solver):
    trials, _ = run(solver, objective())
    values = [trial.point.value for trial in trials if trial.accepted]
    assert np.diff(values).max() <= 1e-13 * values[0]
    assert trials[0].length == 0.0
    assert all(trial.length > 0.0 for trial in trials[1:])


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_trial_is_one_pass_but_for_the_first_ones(solver):
    f = objective()
    before = []
    for trial in solvers.steps(solver, f, None, Settings()):
        before.append(f.dataset.counter.rows)
        if f.gradient_norm(trial.point) <= 1e-6:
            break
    steps = np.diff(before) / N
    # The diagonal is read before the first step, and by lbfgs after ten.
    diagonals = {"lbfgs": [0, 10], "gradient-descent": [0]}.get(solver, [])
    assert (steps == [2.0 if i in diagonals else 1.0 for i in range(steps.size)]).all()
    assert before[0] <= 5 * N  # the sample is a third of the rows here


@pytest.mark.parametrize("solver", ["newton", "sampled-newton", "lbfgs"])
def test_a_point_that_is_the_optimum_is_left_at_once(solver):
    f = objective()
    _, best = run("newton", f, tol=1e-12)
    trials, again = run(solver, f, best.theta, most=3)
    assert all(f.gradient_norm(trial.point) < 1e-3 for trial in trials)
    assert f.gradient_norm(again or best) <= 1e-9


@pytest.mark.parametrize("solver", ["newton", "lbfgs", "sampled-newton"])
def test_a_solver_ends_by_itself_where_rounding_allows_no_more(solver):
    trials = list(solvers.steps(solver, objective(), None, Settings()))
    assert len(trials) < 100
    assert objective().gradient_norm(trials[-1].point) < 1e-13


def test_sampled_newton_takes_larger_samples_and_in_the_end_all_rows(monkeypatch):
    monkeypatch.setattr(sampled_newton, "_LEAST_SAMPLED", 50)
    monkeypatch.setattr(sampled_newton, "_SAMPLED_PER_COEFFICIENT", 1)
    monkeypatch.setattr(sampled_newton, "_PATIENCE", 2)
    monkeypatch.setattr(sampled_newton, "_DETERMINED", 0.0)
    sizes = []
    original = Objective.sample

    def noting(f, size, seed):
        sizes.append(size)
        return original(f, size, seed)

    monkeypatch.setattr(Objective, "sample", noting)
    f = objective()
    used = hessian_rows(monkeypatch)
    _, best = run("sampled-newton", f, tol=1e-12)
    assert sizes == [50, 200, 800]
    # The first Hessian of each number of rows, but for samples that come close to an optimum.
    assert list(dict.fromkeys(used[used.index(200) :])) == [200, 800, N]
    np.testing.assert_allclose(best.theta, minimum(f), rtol=1e-6)


def hessian_rows(monkeypatch):
    """The numbers of rows of all Hessians from now on."""
    rows, original = [], Objective.hessian

    def noting(f, theta):
        rows.append(f.dataset.n)
        return original(f, theta)

    monkeypatch.setattr(Objective, "hessian", noting)
    return rows


def test_all_rows_serve_where_a_sample_would_take_half(monkeypatch):
    monkeypatch.setattr(sampled_newton, "_LEAST_SAMPLED", N // 2)
    monkeypatch.setattr(Objective, "sample", None)
    f = objective()
    used = hessian_rows(monkeypatch)
    _, best = run("sampled-newton", f)
    assert set(used) == {N}
    assert len(used) <= 2
    np.testing.assert_allclose(best.theta, minimum(f), rtol=1e-6)


def test_a_sample_that_leads_astray_is_not_followed(monkeypatch):
    f = objective()

    def astray(few, theta):
        yield from ()
        point = few.evaluate(theta, hessian=True)
        return replace(point, theta=np.full(D + 1, 50.0), gradient=np.zeros(D + 1))

    monkeypatch.setattr(sampled_newton, "_near_optimum", astray)
    trials, best = run("sampled-newton", f)
    assert [trial.accepted for trial in trials[:2]] == [False, True]
    assert (trials[1].point.theta == 0.0).all()
    np.testing.assert_allclose(best.theta, minimum(f), rtol=1e-6)


def test_lbfgs_turns_what_it_remembers_into_steps():
    rng = np.random.default_rng(1)
    hessian = np.diag(rng.uniform(1.0, 9.0, 5)) + 0.5
    memory = deque(maxlen=20)
    for _ in range(3):
        s = rng.normal(size=5)
        memory.append((s, hessian @ s, float(s @ hessian @ s)))
    s, y, _ = memory[-1]
    product = quasi_newton.improved_product
    np.testing.assert_allclose(product(lambda g: g, memory, y), s, rtol=1e-12)
    np.testing.assert_array_equal(product(lambda g: 2 * g, deque(), y), 2 * y)


@pytest.mark.parametrize("step_size", [0.05, 0.5])
def test_gradient_descent_takes_the_textbooks_steps(step_size):
    f = objective()
    trials, _ = run("gradient-descent", f, most=6, step_size=step_size)
    theta = np.zeros(D + 1)
    for trial in trials:
        np.testing.assert_allclose(trial.point.theta, theta, rtol=1e-13, atol=1e-16)
        theta = theta - step_size * trial.point.gradient / N
    assert [trial.length for trial in trials] == [0.0] + [step_size] * 5


def test_gradient_descent_ends_where_its_fixed_step_is_far_too_long():
    settings = Settings(step_size=1e305)
    trials = list(solvers.steps("gradient-descent", objective(1e3 * X), None, settings))
    assert 1 <= len(trials) < 10


def test_a_solver_needs_one_line_of_the_table(monkeypatch):
    def none_of_its_own(objective, point, settings):
        yield from solvers.SOLVERS["newton"].steps(objective, point, settings)

    mine = solvers.Solver(none_of_its_own, least_passes=3)
    monkeypatch.setitem(solvers.SOLVERS, "mine", mine)
    model = fl.fit(X, T, solver="mine")
    assert (model.solver, model.converged) == ("mine", True)
    with pytest.raises(ValueError, match="max_passes must be at least 3 for solver 'mine'; got 2"):
        fl.fit(X, T, solver="mine", max_passes=2)
    with pytest.raises(ValueError, match=r"solver must be .* or 'mine'; got 'yours'"):
        fl.fit(X, T, solver="yours")


def test_the_docstring_of_fit_describes_every_solver():
    choices = ", ".join(f'"{name}"' for name in ("auto", *solvers.SOLVERS))
    assert f"solver : {{{choices}}}" in fl.fit.__doc__
    for name in solvers.SOLVERS:
        assert f"* {name}: " in fl.fit.__doc__
    assert list(solvers.SOLVERS) == SOLVERS


@pytest.mark.parametrize(
    ("n", "d", "max_passes", "solver"),
    [
        (569, 30, 100, "newton"),
        (100_000, 10, 100, "newton"),
        (1_000_000, 10, 100, "sampled-newton"),
        (1_000_000, 50, 4, "sampled-newton"),
        (1_000_000, 50, 3, "newton"),
        (300_000, 300, 100, "sampled-newton"),
        (1_797, 640, 100, "sampled-newton"),
        (200_000, 50_000, 2, "lbfgs"),
        (200_000, 50_000, 1, "gradient-descent"),
        (10, 1001, 3, "lbfgs"),
    ],
)
def test_the_solver_is_chosen_by_rows_columns_and_reads(n, d, max_passes, solver):
    f = SimpleNamespace(dataset=SimpleNamespace(n=n), coefficients=d, forms_hessian=d <= 1000)
    assert solvers.choose(f, max_passes) == solver


def test_a_column_that_the_sample_has_not_seen_takes_steps(monkeypatch):
    X2 = X.copy()
    X2[:, 3] = 0.0
    X2[[5, 6, 7, 8], 3] = 1.0
    f = objective(X2, l2=1e-3)
    original = ArrayDataset.sample

    def blind(dataset, size, seed):
        few, factor = original(dataset, size, seed)
        few.X.X[:, 3] = 0.0
        return few, factor

    monkeypatch.setattr(ArrayDataset, "sample", blind)
    monkeypatch.setattr(sampled_newton, "_PATIENCE", 1000)
    _, best = run("sampled-newton", f, most=40)
    assert f.gradient_norm(best) <= 1e-9


def test_a_singular_sample_is_no_end(monkeypatch):
    X2 = X.copy()
    X2[:, 1] = X2[:, 0]
    X2[[5, 6, 7, 8], 1] += [1.0, -1.0, 1.0, -1.0]
    f = objective(X2, l2=0.0)
    original = ArrayDataset.sample

    def blind(dataset, size, seed):
        few, factor = original(dataset, size, seed)
        few.X.X[:, 1] = few.X.X[:, 0]
        return few, factor

    monkeypatch.setattr(ArrayDataset, "sample", blind)
    _, best = run("sampled-newton", f)
    assert f.gradient_norm(best) <= 1e-9
    np.testing.assert_allclose(best.theta, minimum(f), rtol=1e-4)
