"""Labels that can be separated are found, with the columns that do it; others are not."""

from __future__ import annotations

import numpy as np
import pytest

import fastlogit as fl
from fastlogit.training import diagnosis
from fastlogit.training.messages import ConvergenceWarning, SeparationError, SeparationWarning

RNG = np.random.default_rng(10)
N = 2000
X = RNG.normal(size=(N, 4))
T = (RNG.random(N) < fl.sigmoid(X @ [1.0, -1.0, 0.5, 0.0])) * 1.0
RARE = np.zeros(N)
RARE[np.flatnonzero(T == 1)[:7]] = 1.0
SOLVERS = ["newton", "sampled-newton", "lbfgs"]


def fit(X, t, **options):
    return fl.fit(X, t, **({"l2": 0.0, "max_passes": 300} | options))


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_column_that_separates_all_rows_is_named(solver):
    with pytest.warns(SeparationWarning, match="separated, mainly by column 2, so"):
        model = fit(X, X[:, 2] > 0.3, solver=solver)
    assert not model.converged
    assert (model.predict(X) == (X[:, 2] > 0.3)).all()


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_rare_column_that_separates_its_own_rows_is_named(solver):
    names = {f"x{j}": X[:, j] for j in range(4)} | {"rare": RARE}
    with pytest.warns(SeparationWarning, match="separated, mainly by column 'rare', so"):
        model = fit(names, T, solver=solver)
    # The others are as they would be without those rows.
    rest = fit(X[RARE == 0], T[RARE == 0])
    np.testing.assert_allclose(model.coef[:4], rest.coef, rtol=1e-4)
    assert model.coef[4] > 5.0


def test_a_sum_of_columns_that_separates_is_named_by_all_of_them():
    t = X[:, 0] - 2.0 * X[:, 3] > 0.1
    with pytest.warns(SeparationWarning, match=r"separated, mainly by columns 0 and 3, so"):
        fit(X, t)


def test_many_columns_are_not_all_named():
    wide = RNG.normal(size=(30, 20))
    with pytest.warns(SeparationWarning, match=r"columns (\d+, ){7}\d+ and \d+ more, so"):
        fit(wide, RNG.random(30) < 0.5)


def test_it_can_be_an_error_or_nothing():
    with pytest.raises(SeparationError, match="separated, mainly by column 2"):
        fit(X, X[:, 2] > 0.3, on_separation="raise")
    assert not fit(X, X[:, 2] > 0.3, on_separation="ignore").converged


def test_a_penalty_prevents_it():
    assert fit(X, X[:, 2] > 0.3, l2=1e-6).converged
    penalties = [0.0, 0.0, 1e-6, 0.0]
    assert fit(X, X[:, 2] > 0.3, l2=penalties).converged


def test_it_is_found_where_only_some_columns_have_a_penalty():
    with pytest.warns(SeparationWarning, match="separated, mainly by column 4, so"):
        fit(np.column_stack([X, RARE]), T, l2=[1.0, 1.0, 1.0, 1.0, 0.0])


def test_labels_that_are_nearly_separated_are_not():
    t = X[:, 2] > 0.0
    t[np.argmax(X[:, 2])] = False
    model = fit(X, t)
    assert model.converged
    assert np.isfinite(model.standard_errors()).all()


def test_all_rows_are_proof_enough_for_any_number_of_columns():
    wide = np.random.default_rng(3).normal(size=(80, 1200))
    with pytest.raises(SeparationError, match="separated, mainly by columns"):
        fit(wide, np.arange(80) % 2, on_separation="raise")


def test_labels_that_are_nearly_separated_are_not_whenever_it_ends():
    t = X[:, 2] > 0.0
    t[np.argsort(np.abs(X[:, 2]))[40:44]] ^= True
    for max_passes in (3, 5, 8):
        with pytest.warns(ConvergenceWarning) as caught:
            fit(X, t, max_passes=max_passes, tol=0.0)
        assert len(caught) == 1


def test_that_it_has_not_converged_is_said_as_well():
    for options in ({}, {"on_separation": "ignore"}):
        with pytest.warns() as caught:
            fit(X, X[:, 2] > 0.3, max_passes=15, **options)
        kinds = [warning.category for warning in caught]
        assert ConvergenceWarning in kinds
        assert (SeparationWarning in kinds) == (not options)


def test_columns_far_from_0_are_not_collinear():
    t = T[:500]
    for mean, deviation in ((300.0, 1e-3), (1e5, 1.0)):
        model = fit(mean + deviation * X[:500, :1], t)
        plain = fit(X[:500, :1], t)
        assert model.converged
        np.testing.assert_allclose(model.coef * deviation, plain.coef, rtol=1e-5)


def test_soft_labels_are_never_separated():
    assert fit(X, np.where(X[:, 2] > 0.3, 1.0 - 1e-6, 1e-6)).converged


def test_rows_without_weight_do_not_count():
    t = X[:, 2] > 0.3
    t[:50] = ~t[:50]
    with pytest.warns(SeparationWarning, match="separated, mainly by column 2, so"):
        fit(X, t, weight=np.arange(N) >= 50)
    assert fit(X, t).converged


def test_offsets_do_not_hide_it():
    with pytest.warns(SeparationWarning, match="separated, mainly by column 2, so"):
        fit(X, X[:, 2] > 0.3, offset=RNG.normal(size=N))


def test_without_an_intercept_a_column_must_do_it_alone():
    with pytest.warns(SeparationWarning, match="separated, mainly by column 2, so"):
        fit(X, X[:, 2] > 0.0, intercept=False)
    assert fit(X, X[:, 2] > 0.3, intercept=False).converged


@pytest.mark.parametrize("weight", [None, np.arange(N) % 2])
def test_labels_that_are_all_the_same_are_separated_by_the_intercept(weight):
    t = np.ones(N)
    if weight is not None:
        t[weight == 0] = 0.0
    with pytest.warns(SeparationWarning, match="the labels are all the same"):
        model = fl.fit(X, t, weight=weight)
    assert not model.converged
    assert (model.predict(X) == 1).all()
    assert fl.fit(X, t, weight=weight, intercept=False).converged


# Far out, where the Hessian is singular along what separates ------------------------------


# L-BFGS does not follow all three.
NAMED = r"mainly by columns? [123](, 2)?( and [23])?, so"


def standardised(columns):
    return (columns - columns.mean(axis=0)) / columns.std(axis=0)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("seed", [0, 1, 29])
def test_standardised_rare_columns_that_separate_are_named(solver, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=1000)
    rare = np.where(rng.random((1000, 6)) < 0.01, rng.integers(1, 17, (1000, 6)), 0.0)
    t = (rng.random(1000) < fl.sigmoid(x)) & (rare[:, :3].sum(axis=1) == 0)
    with pytest.warns(SeparationWarning, match=NAMED) as caught:
        model = fit(np.column_stack([x, standardised(rare)]), t, solver=solver)
    assert len(caught) == 1
    assert not model.converged


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("far", [-10.0, -30.0, -100.0])
@pytest.mark.parametrize("l2", [0.0, [1.0, 0.0]])
def test_separation_is_found_from_a_start_far_out(solver, far, l2):
    rare = standardised(RARE)
    start = fl.LogisticModel([1.0, far], -2.0 + far * np.ptp(rare) * RARE.mean())
    with pytest.warns(SeparationWarning, match="mainly by column 1, so"):
        model = fit(np.column_stack([X[:, 0], rare]), 1.0 - T, solver=solver, start=start, l2=l2)
    assert not model.converged


def test_no_variance_is_nan_without_a_warning(monkeypatch):
    # No other diagnosis is known to leave such a case; it must not pass in silence all the same.
    monkeypatch.setattr(diagnosis.linalg, "nearly_dependent_columns", lambda _: [])
    monkeypatch.setattr(diagnosis.linalg, "variances", lambda *_: np.array([1.0, np.nan, np.nan]))
    with pytest.warns(ConvergenceWarning, match="rounding hides what determines column 1"):
        model = fit(X[:, :2], T)
    assert np.isnan(model.variances[1:]).all()
    assert not model.converged
