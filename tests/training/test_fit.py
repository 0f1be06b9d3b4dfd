"""`fl.fit` against scikit-learn and against what its own result must fulfil."""

from __future__ import annotations

import math
import sys
import warnings

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from scipy.special import expit
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression

import fastlogit as fl
from fastlogit.data import flights_path
from fastlogit.matrix import passes
from fastlogit.training import solvers
from fastlogit.training.messages import CollinearityWarning, ConvergenceWarning, SeparationWarning
from fastlogit.training.solvers import sampled_newton


@pytest.fixture(scope="module")
def flights():
    """All features in float64, label, and the names of the features."""
    table = pq.read_table(flights_path())
    table = table.filter(table["late"].is_valid())
    names = [name for name in table.column_names if name != "late"]
    return (
        np.column_stack([table[name].to_numpy().astype(np.float64) for name in names]),
        table["late"].to_numpy().astype(np.float64),
        names,
    )


@pytest.fixture(scope="module")
def cancer():
    """569 rows, 30 columns whose scales differ by 10⁵, and a label."""
    X, t = load_breast_cancer(return_X_y=True)
    return X, t.astype(np.float64)


@pytest.fixture
def small():
    rng = np.random.default_rng(7)
    X = rng.normal(size=(400, 5))
    t = (rng.random(400) < fl.sigmoid(X @ [1.0, -2.0, 0.5, 0.0, 3.0] - 0.5)).astype(float)
    return X, t


def standardised(X):
    return (X - X.mean(axis=0)) / X.std(axis=0)


def gradient_norm(model, X, t, weight=None, offset=0.0, intercept=True):
    """Largest element of the gradient of the mean loss and penalty, by NumPy and SciPy alone."""
    weight = np.ones(len(t)) if weight is None else np.asarray(weight)
    z = X @ model.coef + model.intercept + offset
    residual = weight * (expit(z) - t)
    gradient = np.append(residual @ X + model.l2 * model.coef, residual.sum())
    return float(np.abs(gradient if intercept else gradient[:-1]).max() / weight.sum())


def assert_same(model, other, rtol=1e-9):
    scale = np.abs(other.coef).max()
    np.testing.assert_allclose(model.coef, other.coef, rtol=0, atol=rtol * scale)
    assert model.intercept == pytest.approx(other.intercept, rel=rtol, abs=rtol * scale)


def assert_as_sklearn(model, peer, *, vector, element):
    """`vector` is relative to the largest coefficient, `element` to each one."""
    difference = np.abs(model.coef - peer.coef_[0])
    assert difference.max() <= vector * np.abs(model.coef).max()
    assert (difference <= element * np.abs(model.coef)).all()
    assert abs(model.intercept - peer.intercept_[0]) <= vector * np.abs(model.coef).max()


# scikit-learn -----------------------------------------------------------------------------


def lbfgs(X, t):
    """Run scikit-learn's lbfgs as far as it goes.

    It stops when the loss changes by less than 64 epsilon, whatever tol says; begun again where
    it stopped, it goes on a little.
    """
    peer = LogisticRegression(C=1.0, solver="lbfgs", tol=1e-10, max_iter=10_000, warm_start=True)
    for _ in range(6):
        peer.fit(X, t)
    return peer


def test_flights_give_the_coefficients_of_lbfgs(flights):
    # On raw columns lbfgs does not converge within minutes.  On standardised ones it stops at a
    # gradient of 1e-8, where its coefficients of columns that are nearly collinear, like
    # temperature and dew point, are still 1.5e-6 of the largest away from the optimum.  So the
    # columns are made orthogonal here; as they are, newton-cholesky has them below.
    X, t, _ = flights
    Q = np.linalg.qr(standardised(X))[0] * math.sqrt(len(t))
    model = fl.fit(Q, t, tol=1e-16)
    assert model.converged
    assert_as_sklearn(model, lbfgs(Q, t), vector=1e-7, element=1e-6)


def test_flights_as_they_are_give_the_coefficients_of_newton_cholesky(flights):
    X, t, names = flights
    X, t = X[::4], t[::4]
    model = fl.fit(X, t, feature_names=names, tol=1e-16)
    assert model.converged
    assert model.passes <= 14
    assert model.feature_names == tuple(names)
    assert gradient_norm(model, X, t) <= 1.1e-10
    peer = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-10).fit(X, t)
    assert_as_sklearn(model, peer, vector=1e-8, element=1e-7)


def test_flights_in_float32_give_nearly_the_same_model_for_any_number_of_threads(flights):
    X, t, _ = flights
    narrow = X.astype(np.float32)  # exact: that is how they are stored
    one, two = (fl.fit(narrow, t, threads=threads) for threads in (1, 2))
    assert one.coef.tobytes() == two.coef.tobytes()
    assert (one.intercept, one.mean_log_loss, one.gradient_norm, one.passes) == (
        two.intercept,
        two.mean_log_loss,
        two.gradient_norm,
        two.passes,
    )
    assert_same(one, fl.fit(X, t), rtol=1e-6)


def test_breast_cancer_gives_the_coefficients_of_lbfgs(cancer):
    X, t = standardised(cancer[0]), cancer[1]
    assert_as_sklearn(fl.fit(X, t, tol=1e-16), lbfgs(X, t), vector=1e-6, element=1e-5)


@pytest.mark.parametrize("l2", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("scaled", [standardised, lambda X: X], ids=["standardised", "raw"])
def test_breast_cancer_gives_the_coefficients_of_newton_cholesky(cancer, l2, scaled):
    X, t = scaled(cancer[0]), cancer[1]
    model = fl.fit(X, t, l2=l2, tol=1e-18)
    peer = LogisticRegression(C=1 / l2, solver="newton-cholesky", tol=1e-10, max_iter=1000)
    assert_as_sklearn(model, peer.fit(X, t), vector=1e-9, element=1e-8)


def test_weights_and_no_intercept_are_those_of_scikit_learn(small):
    X, t = small
    weight = np.random.default_rng(8).random(400)
    model = fl.fit(X, t, weight=weight, intercept=False, l2=2.0, tol=1e-16)
    assert model.intercept == 0.0
    peer = LogisticRegression(C=0.5, solver="newton-cholesky", tol=1e-12, fit_intercept=False).fit(
        X, t, sample_weight=weight
    )
    assert_as_sklearn(model, peer, vector=1e-8, element=1e-7)


# Arguments --------------------------------------------------------------------------------


def test_the_default_penalty_is_one(small):
    assert_same(fl.fit(*small), fl.fit(*small, l2=1.0), rtol=0)
    assert fl.fit(*small).l2 == 1.0


def test_without_a_penalty_the_mean_probability_is_that_of_the_labels(small):
    X, t = small
    model = fl.fit(X, t, l2=0.0)
    assert model.converged
    assert model.predict_proba(X)[:, 1].mean() == pytest.approx(t.mean(), rel=1e-8)
    assert model.mean_log_loss < fl.fit(X, t).mean_log_loss


def test_the_intercept_is_not_penalised(small):
    X, t = small
    model = fl.fit(X, t, l2=1e12)
    assert np.abs(model.coef).max() < 1e-9
    assert model.intercept == pytest.approx(fl.logit(t.mean()), rel=1e-6)


def test_log_loss_is_the_mean_over_the_weights_without_the_penalty(small):
    X, t = small
    weight = np.random.default_rng(8).random(400)
    model = fl.fit(X, t, weight=weight, l2=50.0)
    loss = fl.linear.log_loss(X, t, model.coef, model.intercept, weight=weight)
    assert model.mean_log_loss == pytest.approx(loss / weight.sum(), rel=1e-14)


def test_weights_are_repetitions(small):
    X, t = small
    weight = np.random.default_rng(9).integers(0, 4, 400)
    repeated = fl.fit(np.repeat(X, weight, axis=0), np.repeat(t, weight))
    assert_same(fl.fit(X, t, weight=weight.astype(np.float64)), repeated)


def test_soft_labels_are_pairs_of_weighted_labels(small):
    X, t = small
    soft = 0.8 * t + 0.1
    pairs = fl.fit(
        np.vstack([X, X]),
        np.repeat([1.0, 0.0], 400),
        weight=np.concatenate([soft, 1 - soft]),
    )
    assert_same(fl.fit(X, soft), pairs)


@pytest.mark.parametrize("offset", [np.float64(1.5e308), np.float32(3e38)])
def test_an_offset_may_be_as_large_as_its_type_allows(small, offset):
    X, t = small
    model = fl.fit(X, t, offset=np.full(400, offset))
    assert model.converged
    np.testing.assert_array_equal(model.coef, fl.fit(X, t).coef)


@pytest.mark.parametrize("offset", [2.5, -100.0, 700.0, 1e4])
def test_a_constant_offset_moves_the_intercept(small, offset):
    X, t = small
    moved = fl.fit(X, t, offset=np.full(400, offset))
    plain = fl.fit(X, t)
    assert moved.converged
    assert moved.passes <= plain.passes + 1
    np.testing.assert_allclose(moved.coef, plain.coef, rtol=1e-9)
    assert moved.intercept == pytest.approx(plain.intercept - offset, rel=1e-9)


@pytest.mark.parametrize("offset", [999.0, 1e10, 1e308])
def test_offsets_of_rows_without_weight_do_not_count(small, offset):
    X, t = small
    without = np.arange(400) < 250
    rest = np.linspace(-1.0, 1.0, 400) - offset * (offset == 1e308)
    model = fl.fit(X, t, offset=np.where(without, offset, rest), weight=1.0 - without)
    assert model.converged
    assert_same(model, fl.fit(X[~without], t[~without], offset=rest[~without]))


def test_an_offset_that_decides_some_rows_changes_nothing_for_the_others(small):
    X, t = small
    decided = np.arange(400) < 40
    offset = np.where(decided, np.where(t == 1, 1e6, -1e6), 0.0)
    model = fl.fit(X, t, offset=offset)
    assert model.converged
    assert_same(model, fl.fit(X[~decided], t[~decided]))


def test_an_offset_holds_what_is_known(small):
    X, t = small
    whole = fl.fit(X, t, l2=0.0)
    rest = fl.fit(X[:, 1:], t, l2=0.0, offset=X[:, 0] * whole.coef[0])
    np.testing.assert_allclose(rest.coef, whole.coef[1:], rtol=1e-7)
    assert rest.intercept == pytest.approx(whole.intercept, rel=1e-7)


def test_a_warm_start_takes_fewer_passes_and_ends_at_the_same_model(small):
    X, t = small
    cold = fl.fit(X, t, tol=1e-16)
    again = fl.fit(X, t, start=cold)
    assert again.passes == 1
    assert_same(again, cold, rtol=0)
    near = fl.fit(X, t, start=fl.fit(X[:300], t[:300]), tol=1e-16)
    assert near.passes < cold.passes
    assert_same(near, cold)


@pytest.mark.parametrize(
    ("coef", "intercept"),
    [
        ([30.0, 30.0, -30.0, 10.0, -50.0], 20.0),
        ([1e3, -2e3, 5e2, 0.0, 3e3], -5e2),
        ([0.0, 0.0, 0.0, 0.0, 0.0], 1e4),
        ([1e308, 1e308, 0.0, 0.0, 0.0], 0.0),
    ],
)
def test_a_start_that_is_worse_than_none_is_not_used(small, coef, intercept):
    X, t = small
    plain = fl.fit(X, t)
    far = fl.fit(X, t, start=fl.LogisticModel(coef, intercept))
    assert far.passes == plain.passes + 1
    assert_same(far, plain, rtol=0)


def test_a_start_is_judged_with_weight_and_offset(small):
    X, t = small
    given = {"weight": np.linspace(0.0, 2.0, 400), "offset": np.linspace(-50.0, 80.0, 400)}
    model = fl.fit(X, t, **given)
    assert fl.fit(X, t, start=model, **given).passes == 1


def test_a_step_that_is_far_too_long_is_cut_in_a_few_passes(small):
    X, t = small
    offset = np.full(400, -30.0)  # without an intercept nothing makes up for it
    model = fl.fit(np.column_stack([X, np.ones(400)]), t, l2=1e-9, intercept=False, offset=offset)
    assert model.converged
    assert model.passes <= 15


def test_a_start_with_an_intercept_gives_none_to_a_model_without(small):
    X, t = small
    plain = fl.fit(X, t, intercept=False, tol=1e-16)
    assert_same(fl.fit(X, t, intercept=False, start=fl.fit(X, t), tol=1e-16), plain)


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_other_dtypes_give_the_model_of_the_same_numbers_in_float64(small, dtype):
    X, t = (small[0] > 0).astype(dtype), small[1]
    assert_same(fl.fit(X, t), fl.fit(X.astype(np.float64), t), rtol=1e-12)


def test_arguments_are_not_modified(small):
    X, t = small
    given = {"weight": np.ones(400), "offset": np.ones(400), "start": fl.fit(X, t)}
    before = [X.copy(), t.copy(), given["start"].coef.copy()]
    fl.fit(X, t, **given)
    for array, copy in zip([X, t, given["start"].coef], before, strict=True):
        np.testing.assert_array_equal(array, copy)
    assert (given["weight"] == 1).all()
    assert (given["offset"] == 1).all()


# Hard problems ----------------------------------------------------------------------------


def test_a_column_twice_shares_its_coefficient(small):
    X, t = small
    twice = fl.fit(np.column_stack([X, X[:, 0]]), t, l2=1.0)
    assert twice.converged
    assert twice.coef[0] == pytest.approx(twice.coef[5], rel=1e-9)


@pytest.mark.parametrize(
    "extra",
    [
        lambda X: X[:, :1],
        lambda X: X[:, :1] * 1e5,
        lambda X: X @ [[1.0], [1.0], [-2.0], [0.0], [0.5]],
        lambda X: np.full((len(X), 1), 3.0),
        lambda X: np.zeros((len(X), 1)),
    ],
    ids=["twice", "another unit", "a sum", "constant", "zero"],
)
def test_without_a_penalty_a_collinear_column_changes_no_prediction(small, extra):
    X, t = small
    plain = fl.fit(X, t, l2=0.0)
    wide = np.hstack([X, extra(X)])
    with pytest.warns(CollinearityWarning, match="column 5 can be made from other columns"):
        model = fl.fit(wide, t, l2=0.0)
    assert model.converged
    assert np.abs(model.coef).max() < 100
    np.testing.assert_allclose(model.decision(wide), plain.decision(X), rtol=1e-6, atol=1e-6)


def test_with_a_penalty_a_constant_column_gets_no_coefficient(small):
    X, t = small
    model = fl.fit(np.column_stack([X, np.full(400, 3.0)]), t)
    assert abs(model.coef[5]) < 1e-8
    np.testing.assert_allclose(model.coef[:5], fl.fit(X, t).coef, rtol=1e-6)


@pytest.mark.parametrize("l2", [0.0, 1e-3])
def test_columns_of_very_different_scales_converge(small, l2):
    X, t = small
    scale = np.array([1e-6, 1e-3, 1.0, 1e3, 1e6])
    model = fl.fit(X * scale, t, l2=l2)
    assert model.converged
    plain = fl.fit(X, t, l2=l2 / scale**2, tol=1e-16)
    np.testing.assert_allclose(model.coef * scale, plain.coef, rtol=1e-4, atol=1e-12)


def test_more_columns_than_rows_converge():
    rng = np.random.default_rng(10)
    X, t = rng.normal(size=(20, 50)), rng.integers(0, 2, 20).astype(np.float64)
    model = fl.fit(X, t)
    assert model.converged
    assert gradient_norm(model, X, t) <= 1e-8


def test_labels_that_a_line_separates_converge_with_a_penalty():
    X = np.linspace(-1.0, 1.0, 50)[:, None]
    model = fl.fit(X, np.heaviside(X[:, 0], 0), l2=1e-6)
    assert model.converged
    assert (model.predict(X) == (X[:, 0] > 0)).all()


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_labels_that_are_all_the_same_give_a_prediction_for_them(label):
    X = np.linspace(-1.0, 1.0, 50)[:, None]
    with pytest.warns(SeparationWarning, match="labels are all the same"):
        model = fl.fit(X, np.full(50, label))
    assert not model.converged
    assert model.gradient_norm <= 1e-8
    assert (model.predict(X) == label).all()


def test_a_start_that_overflows_leaves_a_model_that_can_be_saved(small, tmp_path):
    model = fl.fit(*small, start=fl.LogisticModel([1e308, 1e308, 0.0, 0.0, 0.0]))
    assert model.converged
    model.save(tmp_path / "model.json")
    assert fl.load(tmp_path / "model.json").history.objective[0] == math.inf


def test_columns_with_large_means_converge():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(200, 4))
        t = (rng.random(200) < fl.sigmoid(X @ [1.0, -1.0, 0.5, 0.0])) * 1.0
        for l2 in (1.0, 0.0):
            assert fl.fit(X + np.array([1000.0, 2000.0, 3000.0, 10.0]), t, l2=l2).converged


def test_a_sample_that_uses_up_the_reads_is_no_error():
    X = np.random.default_rng(0).normal(size=(60_000, 20))
    t = X[:, 3] + 0.5 * X[:, 7] > 0.0
    for max_passes in (4, 5, 6):
        with pytest.warns(ConvergenceWarning):
            model = fl.fit(X, t, l2=1e-3, max_passes=max_passes)
        assert model.passes <= max_passes


def test_a_start_must_have_the_same_columns(small):
    X, t = small
    start = fl.fit(X, t, feature_names=list("abcde"))
    with pytest.raises(ValueError, match="start must have the feature names of X"):
        fl.fit(X, t, start=start, feature_names=list("abced"))
    message = "start must have the feature names of X, .*; only one of them has 'd', 'e', 'f'$"
    with pytest.raises(ValueError, match=message):
        fl.fit(X[:, :4], t, start=start, feature_names=list("abcf"))
    assert fl.fit(X, t, start=start).passes == 1


def test_one_row_is_enough():
    model = fl.fit([[2.0]], [1], on_separation="ignore")
    assert model.predict([[2.0]]).tolist() == [1]


# What it says about itself ----------------------------------------------------------------


@pytest.mark.parametrize("tol", [1e-2, 1e-5, 1e-8, 1e-16])
def test_converged_and_gradient_norm_are_true(small, tol):
    X, t = small
    weight, offset = np.linspace(0.1, 2.0, 400), np.linspace(-1.0, 1.0, 400)
    model = fl.fit(X, t, weight=weight, offset=offset, tol=tol)
    norm = gradient_norm(model, X, t, weight, offset)
    assert model.gradient_norm == pytest.approx(norm, rel=1e-6, abs=1e-14)
    assert model.converged
    exact = fl.fit(X, t, weight=weight, offset=offset, tol=1e-20)
    hessian = fl.linear.hessian(X, exact.coef, exact.intercept, weight=weight, offset=offset)
    errors = np.sqrt(np.diag(np.linalg.inv(hessian + np.eye(5))))
    off = np.abs(model.coef - exact.coef)
    assert (off <= math.sqrt(tol) * errors).all()
    assert off.max() <= 0.1 * math.sqrt(tol) * np.abs(exact.coef).max()


@pytest.mark.parametrize("max_passes", [1, 2, 3, 4])
def test_too_few_passes_are_a_warning_that_says_what_was_reached(small, max_passes):
    X, t = small
    with pytest.warns(ConvergenceWarning, match=f"not converged after {max_passes} pass") as caught:
        model = fl.fit(X, t, max_passes=max_passes)
    assert not model.converged
    assert model.passes == max_passes
    assert model.gradient_norm > 1e-8
    assert model.gradient_norm == pytest.approx(gradient_norm(model, X, t), rel=1e-9)
    message = str(caught[0].message)
    assert f"{model.gradient_norm:.2g}" in message
    assert "1e-08" in message
    assert "max_passes" in message
    assert caught[0].filename == __file__


def test_a_tolerance_that_rounding_forbids_ends_with_a_warning(small):
    X, t = small
    with pytest.warns(ConvergenceWarning):
        model = fl.fit(X, t, tol=0.0)
    assert not model.converged
    assert_same(model, fl.fit(X, t), rtol=1e-7)


def test_columns_that_are_far_from_0_give_the_same_model(small):
    X, t = small
    model = fl.fit(X + 1e6, t)
    np.testing.assert_allclose(model.coef, fl.fit(X, t).coef, rtol=1e-6)


@pytest.mark.parametrize("l2", [1.0, 0.0])
@pytest.mark.parametrize("solver", list(solvers.SOLVERS))
def test_passes_counts_the_reads_of_x_and_of_samples(small, solver, l2, monkeypatch):
    rows = []

    def counting(function):
        def count(model, data, *args, **kwargs):
            rows.append(data.X.shape[0])
            return function(model, data, *args, **kwargs)

        return count

    for name in ("score", "derivatives", "hessian", "hessian_diagonal"):
        monkeypatch.setattr(passes, name, counting(getattr(passes, name)))
    monkeypatch.setattr(sampled_newton, "_LEAST_SAMPLED", 100)
    monkeypatch.setattr(sampled_newton, "_SAMPLED_PER_COEFFICIENT", 20)
    far = fl.LogisticModel([30.0, 30.0, -30.0, 10.0, -50.0], 20.0)
    model = fl.fit(*small, start=far, solver=solver, tol=1e-6, l2=l2)
    assert model.converged
    assert model.passes == math.ceil(sum(rows) / 400) > 5
    assert any(count < 400 for count in rows) == (solver == "sampled-newton")


# Bad input --------------------------------------------------------------------------------

X, T = np.arange(8.0).reshape(4, 2), np.array([0.0, 1.0, 0.0, 1.0])


def with_one(value, row, column):
    changed = X.copy()
    changed[row, column] = value
    return changed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X": with_one(math.nan, 2, 1)}, "X must be finite; got nan in row 2, column 1"),
        ({"X": with_one(-math.inf, 0, 1)}, "X must be finite; got -inf in row 0, column 1"),
        (
            {"X": with_one(math.inf, 3, 0), "feature_names": ["age", "sex"]},
            r"X must be finite; got inf in row 3, column 0 \('age'\)",
        ),
        (
            {"X": with_one(math.nan, 2, 1), "weight": [1, 1, 0, 1]},
            "X must be finite; got nan in row 2, column 1",
        ),
        ({"offset": [0, math.nan, 0, 0]}, "offset must be finite; got nan in row 1"),
        ({"offset": [0, 0, math.inf, 0]}, "offset must be finite; got inf in row 2"),
        (
            {"X": np.outer([1.0, -1.0, 1.0, -1.0], [1.7e308] * 2), "t": [0, 0, 0, 0]},
            "X, offset and start must be small",
        ),
        ({"X": np.where(X > 0, 1e200, 0.0)}, "X, offset and start must be small enough"),
        ({"offset": [1.5e308, -1.5e308, 0, 0]}, "X, offset and start must be small enough"),
        ({"X": X[:, 0]}, "X must have 2 axes"),
        ({"X": X[:, :, None]}, "X must have 2 axes"),
        ({"X": X.astype(object)}, "X must hold real numbers"),
        ({"X": X.astype(str)}, "X must hold real numbers"),
        ({"X": X[:0]}, "X must not be empty"),
        ({"t": T[:3]}, "t must have one element for each row of X, 4; got 3"),
        (
            {"t": [0, 1, 2.5, 0]},
            "every element of t must .*2.5 at index 2 .* whole numbers; got 2.5",
        ),
        ({"t": [[0.5, 0.5, 0.5]] * 4}, "every row of t must have the sum 1; got 1.5"),
        ({"t": [0, 1, math.nan, 0]}, "t must have no missing values; got nan at index 2"),
        ({"t": [1j, 0, 1, 0]}, "t must hold real numbers"),
        ({"t": ["a", "a", "a", "a"]}, "t must have two or more different labels; got 'a' alone"),
        ({"t": ["a", "b", None, "b"]}, "t must have no missing values; got None at index 2"),
        ({"t": ["a", "b"]}, "t must have one element for each row of X, 4; got 2"),
        ({"t": [["a"]] * 4}, "t must have one axis"),
        ({"t": [0, 1, 0, 0.5], "class_weight": "balanced"}, "class_weight needs labels; t has pro"),
        ({"class_weight": "even"}, "class_weight must be a dict, 'balanced' or None; got 'even'"),
        ({"class_weight": {2: 1.0}}, "class_weight must have the labels of t, 0, 1; got 2"),
        ({"class_weight": {1: -1.0}}, r"class_weight\[1\] must be finite and not negative"),
        ({"class_weight": {0: 0, 1: 0}}, "at least one weight must be above 0"),
        ({"weight": [1, 1, 1]}, "weight must have one element"),
        ({"weight": [1, 1, -1, 1]}, "every element of weight must .*-1.0 at index 2"),
        ({"weight": [0, 0, 0, 0]}, "at least one weight must be above 0"),
        ({"weight": [1e308] * 4}, "weight must have a finite sum"),
        ({"offset": [0, 0]}, "offset must have one element for each row of X, 4; got 2"),
        ({"l2": -1.0}, "l2 must be finite and not negative; got -1"),
        ({"l2": math.nan}, "l2 must be finite and not negative; got nan"),
        ({"l2": math.inf}, "l2 must be finite and not negative; got inf"),
        ({"l2": None}, "l2 must be a real number; got None"),
        ({"l2": "1"}, "l2 must be a real number; got '1'"),
        ({"l2": [1.0, 2.0, 3.0]}, "l2 must have one element for each column of X, 2; got 3"),
        ({"l2": [1.0, -2.0]}, "l2 must be finite and not negative; got -2.0 for column 1"),
        ({"l2": [[1.0, 2.0]]}, "l2 must have one axis"),
        ({"tol": -1e-8}, "tol must be finite and not negative"),
        ({"tol": math.nan}, "tol must be finite and not negative; got nan"),
        ({"tol": "small"}, "tol must be a real number"),
        ({"intercept": "no"}, "intercept must be True or False; got 'no'"),
        ({"intercept": 0.5}, "intercept must be True or False; got 0.5"),
        ({"max_passes": 0}, "max_passes must be .*1; got 0"),
        ({"max_passes": -5}, "max_passes must be .*1; got -5"),
        ({"max_passes": 1.5}, "max_passes must be .*1.5"),
        ({"max_passes": math.nan}, "max_passes must be .*nan"),
        ({"max_passes": None}, "max_passes must be .*None"),
        ({"max_passes": "9"}, "max_passes must be .*9"),
        ({"solver": "liblinear"}, "solver must be .*'auto'.*got 'liblinear'"),
        ({"max_passes": 3, "solver": "sampled-newton"}, "max_passes must be at least 4 for"),
        ({"max_passes": 1, "solver": "lbfgs"}, "max_passes must be at least 2 for"),
        ({"max_seconds": -1}, "max_seconds must be finite and not negative"),
        ({"step_size": 0.1}, "step_size must be None unless solver is 'gradient-descent'; got 0.1"),
        ({"step_size": 0, "solver": "gradient-descent"}, "step_size must be above 0"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
        ({"seed": None}, "seed must be a whole number of at least 0"),
        ({"on_separation": "stop"}, "on_separation must be 'warn', 'raise' or 'ignore'; got 'st"),
        ({"progress": 1}, "progress must be True or False; got 1"),
        ({"callback": 3}, "callback must be a function or None; got 3"),
        ({"solver": None}, "solver must be .*got None"),
        ({"start": fl.LogisticModel([1.0])}, r"start must have coef of shape \(2,\); got \(1,\)"),
        ({"start": np.zeros(2)}, "start must be a LogisticModel"),
        ({"feature_names": ["a"]}, "feature_names must have one name for each column, 2; got 1"),
        ({"feature_names": ["a", "a"]}, "feature_names must differ; got 'a' more than once"),
        ({"feature_names": ["a", 1]}, r"feature_names must be a sequence of names; got \['a', 1\]"),
        ({"feature_names": 5}, "feature_names must be"),
        ({"feature_names": "ab"}, "feature_names must be"),
        ({"threads": 0}, "threads must be between 1 and 4096"),
        ({"threads": "two"}, "threads must be a whole number"),
    ],
)
def test_bad_input_is_an_error_that_says_what_and_where(arguments, message):
    arguments = {"X": X, "t": T} | arguments
    with pytest.raises((TypeError, ValueError), match=f"^{message}"):
        fl.fit(**arguments)


def test_a_nan_far_down_is_found_with_its_row():
    far = np.zeros((100_000, 2))
    far[99_998, 1] = math.nan
    with pytest.raises(ValueError, match="nan in row 99998, column 1"):
        fl.fit(far, np.zeros(100_000))


def test_a_good_fit_warns_of_nothing(small):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fl.fit(*small)


# Solvers ----------------------------------------------------------------------------------

SOLVERS = list(solvers.SOLVERS)


@pytest.fixture(scope="module")
def large():
    """Enough rows to be sampled, with a rare column and one that is nearly another."""
    rng = np.random.default_rng(21)
    X = rng.normal(size=(60_000, 12))
    X[:, 1] = X[:, 0] + 0.1 * X[:, 1]
    X[:, 2] = rng.random(60_000) < 0.002
    t = (rng.random(60_000) < fl.sigmoid(X @ np.linspace(-1.0, 1.0, 12) - 1.0)) * 1.0
    return X, t


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_ends_at_the_same_model_and_says_so(small, solver):
    X, t = small
    given = {"weight": np.linspace(0.5, 2.0, 400), "offset": np.linspace(-1.0, 1.0, 400)}
    expected = fl.fit(X, t, tol=1e-13, **given)
    tol = 1e-10 if solver == "gradient-descent" else 1e-16
    model = fl.fit(X, t, solver=solver, tol=tol, **given)
    assert model.converged
    assert model.solver == solver
    assert_same(model, expected, rtol=math.sqrt(tol))
    assert model.gradient_norm == pytest.approx(gradient_norm(model, X, t, **given), rel=1e-3)


@pytest.mark.parametrize("solver", ["sampled-newton", "lbfgs"])
def test_large_data_give_the_model_of_newton(large, solver):
    X, t = large
    expected = fl.fit(X, t, solver="newton", tol=1e-12)
    model = fl.fit(X, t, solver=solver, tol=1e-11)
    assert model.converged
    assert_same(model, expected, rtol=1e-7)
    assert model.passes <= {"sampled-newton": 13, "lbfgs": 80}[solver]


def test_scales_that_differ_by_12_decades_need_no_help(large):
    X, t = large
    scale = 10.0 ** np.linspace(-6, 6, 12)
    plain = fl.fit(X, t, l2=0.0, solver="newton", tol=1e-12)
    for solver in ("newton", "sampled-newton", "lbfgs"):
        model = fl.fit(X * scale, t, l2=0.0, solver=solver, tol=1e-8)
        assert model.converged
        np.testing.assert_allclose(model.coef * scale, plain.coef, rtol=1e-5)


@pytest.mark.parametrize("solver", ["newton", "sampled-newton", "lbfgs"])
def test_the_number_of_threads_changes_no_bit(large, solver):
    X, t = large
    X = np.tile(X, (3, 1))
    t = np.tile(t, 3)
    models = [fl.fit(X, t, solver=solver, tol=1e-6, threads=threads) for threads in (1, 2, 3)]
    for model in models[1:]:
        assert_same(model, models[0], rtol=0)
        assert model.history[:4] == models[0].history[:4]


def test_the_seed_decides_which_rows_are_drawn_and_not_where_it_ends(large):
    X, t = large
    given = {"solver": "sampled-newton", "tol": 1e-10}
    one, same, other = (fl.fit(X, t, seed=seed, **given) for seed in (1, 1, 2))
    assert_same(same, one, rtol=0)
    assert other.history.objective != one.history.objective
    assert_same(other, one, rtol=1e-7)


def test_solvers_go_on_from_a_start_that_is_near(large):
    X, t = large
    near = fl.fit(X, t, solver="newton", tol=1e-3)
    for solver in ("newton", "sampled-newton", "lbfgs"):
        cold = fl.fit(X, t, solver=solver)
        warm = fl.fit(X, t, solver=solver, start=near)
        assert warm.converged
        assert warm.passes < cold.passes
        assert warm.history.objective[0] < cold.history.objective[0] or solver != "lbfgs"
        assert fl.fit(X, t, solver=solver, start=cold).passes == 1


@pytest.mark.parametrize("solver", ["sampled-newton", "lbfgs", "gradient-descent"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_every_solver_finds_out_that_x_is_not_finite(large, solver, value):
    X, t = large
    X = X.copy()
    X[59_999, 2] = value
    with pytest.raises(ValueError, match=r"X must be finite; got .* in row 59999, column 2"):
        fl.fit(X, t, solver=solver)


def test_a_fixed_step_that_is_too_long_ends_with_advice(small):
    X, t = small
    with pytest.warns(ConvergenceWarning, match="max_passes|lower step_size"):
        model = fl.fit(X, t, solver="gradient-descent", step_size=1e300, max_passes=50)
    assert not model.converged


@pytest.mark.parametrize("solver", list(solvers.SOLVERS))
@pytest.mark.parametrize("max_passes", [4, 5])
def test_max_passes_is_a_bound_for_every_solver(large, solver, max_passes):
    X, t = large
    with pytest.warns(ConvergenceWarning, match=f"not converged after {max_passes} passes"):
        model = fl.fit(X, t, solver=solver, max_passes=max_passes, tol=1e-13)
    assert model.passes == max_passes


# Labels, weights of classes, penalties ----------------------------------------------------


def test_labels_are_remembered_and_predicted(small, tmp_path):
    X, t = small
    plain = fl.fit(X, t)
    for labels in (["no", "yes"], [2, 7], [-1.0, 1.5], [False, True]):
        model = fl.fit(X, np.array(labels)[t.astype(int)])
        assert model.classes == tuple(labels)
        assert_same(model, plain, rtol=0)
        np.testing.assert_array_equal(
            model.predict(X), np.array(labels)[plain.predict(X).astype(int)]
        )
        model.save(tmp_path / "model.json")
        again = fl.load(tmp_path / "model.json")
        assert [*map(type, again.classes)] == [*map(type, labels)]
        np.testing.assert_array_equal(again.predict(X), model.predict(X))


@pytest.mark.parametrize("class_weight", ["balanced", {0: 3.0, 1: 0.5}, {1: 2.0}])
def test_weights_of_classes_are_those_of_scikit_learn(small, class_weight):
    X, t = small
    t[:60] = 0.0
    weight = np.linspace(0.1, 2.0, 400)
    peer = LogisticRegression(solver="newton-cholesky", tol=1e-12, class_weight=class_weight)
    model = fl.fit(X, t, class_weight=class_weight, weight=weight, tol=1e-16)
    peer.fit(X, t, weight)
    assert_as_sklearn(model, peer, vector=1e-8, element=1e-7)


def test_each_column_can_have_a_penalty_of_its_own(small):
    X, t = small
    l2 = np.array([0.0, 4.0, 0.25, 1.0, 100.0])
    for solver in ("newton", "lbfgs"):
        model = fl.fit(X, t, l2=l2, solver=solver, tol=1e-18)
        np.testing.assert_array_equal(model.l2, l2)
        # A column in other units has another penalty.
        units = np.sqrt(np.where(l2 > 0, l2, 1.0))
        alike = fl.fit(X[:, 1:] / units[1:], t, tol=1e-16, offset=X[:, 0] * model.coef[0])
        np.testing.assert_allclose(model.coef[1:] * units[1:], alike.coef, rtol=1e-6)
        assert gradient_norm(model, X, t) <= 1e-10


# History, callback, progress, time --------------------------------------------------------


def test_the_history_has_every_read(small):
    X, t = small
    model = fl.fit(X, t)
    history = model.history
    assert history.passes == tuple(range(1, model.passes + 1))
    assert history.gradient_norm[-1] == model.gradient_norm
    penalty = 0.5 * (model.coef @ model.coef) / 400
    assert history.objective[-1] == pytest.approx(model.mean_log_loss + penalty, rel=1e-14)
    assert history.objective[0] == pytest.approx(math.log(2.0), rel=1e-14)
    assert history.step[0] == 0.0
    assert set(history.step[1:]) == {1.0}
    assert list(history.seconds) == sorted(history.seconds)
    assert history.seconds[-1] <= model.seconds


def test_a_callback_sees_the_history_as_it_grows_and_can_end_it(small):
    X, t = small
    seen = []
    model = fl.fit(X, t, callback=seen.append)
    assert model.converged
    assert [progress.objective for progress in seen] == list(model.history.objective)
    with pytest.warns(ConvergenceWarning, match="after 3 passes.*the callback ended it"):
        model = fl.fit(X, t, callback=lambda progress: np.bool_(progress.passes == 3))
    assert model.passes == 3
    assert len(model.history.passes) == 3

    def fail(progress):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fl.fit(X, t, callback=fail)


def test_the_time_is_bounded(small):
    X, t = small
    with pytest.warns(ConvergenceWarning, match="after 1 pass: .*max_seconds have passed"):
        model = fl.fit(X, t, max_seconds=0)
    assert model.passes == 1
    assert fl.fit(X, t, max_seconds=3600).converged


def test_progress_is_a_bar_on_standard_error(small, capsys):
    X, t = small
    model = fl.fit(X, t, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert f"training: {model.passes} passes" in err
    assert "loss " in err
    assert "gradient norm " in err


def test_progress_without_tqdm_is_an_error_that_says_what_to_install(small, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(ImportError, match=r"pip install 'fastlogit\[cli\]'"):
        fl.fit(*small, progress=True)


# Names ------------------------------------------------------------------------------------


def test_names_of_a_table_are_checked_when_it_predicts(small):
    X, t = small
    names = list("abcde")
    table = dict(zip(names, X.T, strict=True))
    model = fl.fit(table, t)
    assert model.feature_names == tuple(names)
    np.testing.assert_array_equal(model.predict(table), model.predict(X))
    swapped = {name: table[name] for name in "abdce"}
    for wrong, message in (
        (swapped, "order of the model's feature_names: column 2 must be 'c'; got 'd'"),
        ({**table, "f": X[:, 0]}, "X must have only columns of the model; got also 'f'"),
        ({name: table[name] for name in "abc"}, "X must have all .*; missing 'd', 'e'"),
    ):
        for method in (model.decision, model.predict, model.predict_proba):
            with pytest.raises(ValueError, match=message):
                method(wrong)


# One point --------------------------------------------------------------------------------


def assert_describes_one_point(model, X, t):
    """Everything that a model says of itself is true of its own coefficients."""
    z = X @ model.coef + model.intercept
    residual = expit(z) - t
    gradient = np.append(residual @ X + model.l2 * model.coef, residual.sum()) / len(t)
    norm = np.abs(gradient).max()
    assert model.gradient_norm == pytest.approx(norm, rel=1e-6, abs=1e-15)
    loss = fl.linear.log_loss(X, t, model.coef, model.intercept) / len(t)
    assert model.mean_log_loss == pytest.approx(loss, rel=1e-13)
    history = model.history
    assert history.gradient_norm[-1] == model.gradient_norm
    penalty = 0.5 * model.l2 * (model.coef @ model.coef) / len(t)
    assert history.objective[-1] == pytest.approx(loss + penalty, rel=1e-13)
    if model.variances is not None:
        D = expit(z) * expit(-z)
        wide = np.column_stack([X, np.ones(len(t))])
        covariance = np.linalg.inv(wide.T @ (wide * D[:, None]))
        np.testing.assert_allclose(model.variances, np.diag(covariance), rtol=1e-9)


@pytest.mark.parametrize("l2", [0.0, 1.0])
@pytest.mark.parametrize("solver", list(solvers.SOLVERS))
@pytest.mark.parametrize("max_passes", [4, 5, 6, 7, 8, 60])
def test_a_model_describes_one_point_whatever_the_budget(small, solver, l2, max_passes):
    X, t = small
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = fl.fit(X, t, l2=l2, solver=solver, max_passes=max_passes)
    assert_describes_one_point(model, X, t)
    assert model.history.passes[-1] <= max_passes
    assert model.converged == (not caught)
    for warning in caught:
        assert f"the gradient norm is {model.gradient_norm:.2g}," in str(warning.message)


@pytest.mark.parametrize("solver", ["newton", "gradient-descent"])
def test_one_pass_gives_the_start(small, solver):
    X, t = small
    for start in (None, fl.LogisticModel([0.1, -0.1, 0.0, 0.0, 0.2], 0.3)):
        with pytest.warns(ConvergenceWarning, match="after 1 pass:"):
            model = fl.fit(X, t, l2=0, solver=solver, max_passes=1, start=start)
        expected = np.zeros(5) if start is None else start.coef
        np.testing.assert_array_equal(model.coef, expected)
        assert model.intercept == (0.0 if start is None else start.intercept)
        assert_describes_one_point(model, X, t)


@pytest.mark.parametrize("tol", [0.5, 1e-1, 1e-2, 1e-3])
def test_errors_are_those_of_the_point_where_a_coarse_tolerance_ends(small, tol):
    X, t = small
    model = fl.fit(X, t, l2=0, tol=tol)
    assert model.converged
    assert_describes_one_point(model, X, t)
    np.testing.assert_allclose(model.standard_errors(), model.standard_errors(X), rtol=1e-9)


def test_the_history_ends_with_the_best_point_where_a_worse_one_was_tried_last(small):
    X, t = small
    # The first step from there is far too long, and no read is left to cut it.
    offset = np.full(400, -30.0)
    with pytest.warns(ConvergenceWarning):
        model = fl.fit(X, t, l2=1e-9, intercept=False, offset=offset, max_passes=2)
    assert (model.coef == 0.0).all()
    assert model.history.passes == (1, 2, 2)
    assert model.history.objective[0] == model.history.objective[2] < model.history.objective[1]
    assert model.history.gradient_norm[-1] == model.gradient_norm


@pytest.mark.parametrize("answer", [pd.NA, np.zeros(2), np.zeros((2, 2))])
def test_a_callback_must_return_something_true_or_false(answer):
    with pytest.raises(TypeError, match="callback must return something true or false; got"):
        fl.fit(X, T, callback=lambda _: answer)


def ordinary():
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(900, 4))
    return rows, (rng.random(900) < expit(rows[:, 0] - 0.5)) * 1.0


def test_the_reads_of_the_diagnosis_are_named():
    with pytest.warns(
        ConvergenceWarning, match=r"after 3 passes: .* \(the diagnosis took 2 more\); "
    ):
        model = fl.fit(*ordinary(), l2=0.0, solver="lbfgs", max_passes=3)
    assert model.passes == 5


@pytest.mark.parametrize("solver", ["newton", "sampled-newton", "lbfgs"])
@pytest.mark.parametrize("unit", [1e-152, 1e-155, 1e-157])
def test_columns_whose_squares_nearly_vanish(solver, unit):
    rows, t = ordinary()
    plain = fl.fit(rows, t, l2=0.0)
    model = fl.fit(rows * unit, t, l2=0.0, solver=solver)
    assert model.converged
    np.testing.assert_allclose(model.coef * unit, plain.coef, rtol=0, atol=1e-5)


@pytest.mark.parametrize("unit", [1e-320, 1e-300])
def test_weights_without_digits_are_refused(unit):
    rows, t = ordinary()
    with pytest.raises(ValueError, match="weight must have a sum of at least 1e-290; got"):
        fl.fit(rows, t, weight=np.full(t.size, unit))
