"""`fastlogit.fit` with more than two labels: against scikit-learn and statsmodels, and alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from scipy import sparse
from sklearn.linear_model import LogisticRegression

import fastlogit as fl
from fastlogit.training.messages import (
    CollinearityWarning,
    SeparationError,
    SeparationWarning,
)

RNG = np.random.default_rng(27)
N, D, K = 900, 3, 4
UNITS, CENTRES = np.array([1.0, 20.0, 0.1]), np.array([0.0, 500.0, 1.0])
PLAIN = RNG.normal(size=(N, D))
X = PLAIN * UNITS + CENTRES
BIASES = np.array([0.0, 1.0, -1.0, 0.5])
T = np.argmax(PLAIN @ RNG.normal(size=(D, K)) + BIASES + RNG.gumbel(size=(N, K)), axis=1)
LABELS = np.array(["ash", "elm", "fir", "oak"])[T]
WEIGHT = RNG.integers(0, 4, N).astype(float)
TIGHT = {"tol": 1e-14}


def gauge_free(coef):
    return coef - coef.mean(axis=0)


def differences(model):
    """Coefficients and intercepts of each class but the first, minus those of the first."""
    rows = np.column_stack([model.coef, model.intercept])
    return rows[1:] - rows[0]


# Other packages ---------------------------------------------------------------------------


@pytest.mark.parametrize("class_weight", [None, "balanced", {"elm": 3.0, "oak": 0.5}])
@pytest.mark.parametrize("intercept", [True, False])
def test_coefficients_are_those_of_scikit_learn(class_weight, intercept):
    model = fl.fit(
        X,
        LABELS,
        l2=0.5,
        weight=WEIGHT,
        class_weight=class_weight,
        intercept=intercept,
        **TIGHT,
    )
    theirs = LogisticRegression(
        C=2.0,
        solver="newton-cholesky",
        tol=1e-12,
        max_iter=1000,
        class_weight=class_weight,
        fit_intercept=intercept,
    ).fit(X, LABELS, WEIGHT)
    assert model.converged
    assert model.classes == tuple(theirs.classes_)
    np.testing.assert_allclose(model.coef, gauge_free(theirs.coef_), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(model.predict_proba(X), theirs.predict_proba(X), atol=1e-6)
    np.testing.assert_allclose(model.coef.sum(axis=0), 0.0, atol=1e-12)
    assert model.intercept.sum() == pytest.approx(0.0, abs=1e-9)


def test_statistics_are_those_of_statsmodels():
    model = fl.fit(X, LABELS, l2=0.0, **TIGHT)
    theirs = sm.MNLogit(T, sm.add_constant(X)).fit(disp=False, method="newton", tol=1e-12)

    def ours(columns):  # their constant comes first, and classes are columns
        return np.roll(np.asarray(columns).T, -1, axis=1)

    np.testing.assert_allclose(differences(model), ours(theirs.params), rtol=1e-6)
    np.testing.assert_allclose(model.standard_errors(), ours(theirs.bse), rtol=1e-6)
    np.testing.assert_allclose(model.standard_errors(X), model.standard_errors(), rtol=1e-9)
    np.testing.assert_allclose(model.z_values(), ours(theirs.tvalues), rtol=1e-6)
    np.testing.assert_allclose(model.p_values(), ours(theirs.pvalues), rtol=1e-5, atol=1e-300)
    ends = np.asarray(theirs.conf_int()).reshape(K - 1, D + 1, 2)
    np.testing.assert_allclose(model.confidence_intervals(), np.roll(ends, -1, axis=1), rtol=1e-6)
    assert -model.mean_log_loss * N == pytest.approx(theirs.llf, rel=1e-12)
    assert -model.mean_null_log_loss * N == pytest.approx(theirs.llnull, rel=1e-9)
    assert f"likelihood ratio p: {theirs.llr_pvalue:.3g}" in model.summary()


# One optimum ------------------------------------------------------------------------------

MODEL = fl.fit(X, LABELS, **TIGHT)


def same(model, expected=MODEL):
    np.testing.assert_allclose(model.coef, expected.coef, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(model.intercept, expected.intercept, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("solver", ["sampled-newton", "lbfgs"])
def test_every_solver_ends_there(solver):
    model = fl.fit(X, LABELS, solver=solver, **TIGHT)
    assert model.converged
    same(model)


@pytest.mark.parametrize(
    "given",
    [
        sparse.csr_array(X),
        np.asfortranarray(X),
        pl.DataFrame(X, schema=list("abc")),
        X[::-1][::-1],
    ],
    ids=["csr", "columns", "table", "strided"],
)
def test_every_layout_gives_it(given):
    same(fl.fit(given, LABELS, **TIGHT))


def test_threads_do_not_change_a_bit():
    one, two = (fl.fit(X, LABELS, threads=threads) for threads in (1, 2))
    np.testing.assert_array_equal(one.coef, two.coef)
    np.testing.assert_array_equal(one.intercept, two.intercept)


def test_weights_are_repetitions():
    repeated = np.repeat(np.arange(N), WEIGHT.astype(int))
    weighted = fl.fit(X, LABELS, weight=WEIGHT, **TIGHT)
    same(fl.fit(X[repeated], LABELS[repeated], **TIGHT), weighted)


def test_the_order_of_the_classes_orders_the_rows():
    renamed = fl.fit(X, np.array([3, 1, 0, 2])[T], **TIGHT)
    assert renamed.classes == (0, 1, 2, 3)
    order = [2, 1, 3, 0]
    np.testing.assert_allclose(renamed.coef, MODEL.coef[order], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(renamed.intercept, MODEL.intercept[order], rtol=1e-6)


def test_probabilities_are_targets_as_well():
    rows = np.eye(K)[T]
    np.testing.assert_array_equal(fl.fit(X, rows, **TIGHT).coef, fl.fit(X, T, **TIGHT).coef)
    soft = RNG.dirichlet(np.ones(K), N)
    model = fl.fit(X, soft, **TIGHT)
    everyone = np.tile(np.arange(K), N)
    repeated = fl.fit(np.repeat(X, K, axis=0), everyone, weight=soft.ravel(), **TIGHT)
    same(model, repeated)
    assert model.mean_log_loss == pytest.approx(repeated.mean_log_loss, rel=1e-9)


def test_classes_of_numbers_can_be_named():
    names = ("ash", "elm", "fir", "oak")
    for t in (T, T.astype(float), np.eye(K)[T]):
        model = fl.fit(X, t, classes=names)
        assert model.classes == names
        np.testing.assert_array_equal(model.coef, fl.fit(X, LABELS).coef)
    with pytest.warns(SeparationWarning, match="^no row with a weight has the label 'yew'"):
        fl.fit(X, T, classes=[*names, "yew"])
    for classes, message in (
        (["ash"], r"^classes must be two or more different labels; got \('ash',\)"),
        (["ash", "ash"], "^classes must be two or more different labels"),
        ("ash", "^classes must be two or more labels; got 'ash'"),
        (["ash", 1], "^classes must be of one type"),
        (names[:3], "^every element of t must be a class number from 0 to 2; got 3"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            fl.fit(X, T, classes=classes)


def test_an_offset_is_added_to_the_logits():
    moves = gauge_free(RNG.normal(size=(K, D)) / UNITS)
    plain, moved = (
        fl.fit(X, LABELS, l2=0.0, offset=offset, **TIGHT) for offset in (None, X @ moves.T)
    )
    np.testing.assert_allclose(moved.coef + moves, plain.coef, rtol=1e-6, atol=1e-6)
    assert moved.with_offset
    assert np.isnan(moved.mean_null_log_loss)


def test_a_penalty_for_each_column_holds_for_every_class():
    model = fl.fit(X, LABELS, l2=[1e9, 0.0, 1.0])
    assert np.abs(model.coef[:, 0]).max() < 1e-5
    assert model.converged
    assert model.variances is None


def test_a_start_in_any_gauge_ends_at_once():
    shifted = dataclasses.replace(
        MODEL, coef=MODEL.coef + np.arange(3.0), intercept=MODEL.intercept + 5.0
    )
    for start in (MODEL, shifted):
        again = fl.fit(X, LABELS, start=start)
        assert [*again.history.passes] == [1]
        same(again)
    with pytest.raises(ValueError, match=r"start must have coef of shape \(4, 3\); got \(3,\)"):
        fl.fit(X, LABELS, start=fl.LogisticModel(np.ones(3)))


def test_a_start_has_its_classes_in_any_order():
    order = [2, 0, 3, 1]
    turned = dataclasses.replace(
        MODEL,
        classes=tuple(MODEL.classes[k] for k in order),
        coef=MODEL.coef[order],
        intercept=MODEL.intercept[order],
    )
    unnamed = dataclasses.replace(MODEL, classes=())
    for start in (turned, unnamed):
        again = fl.fit(X, LABELS, start=start)
        assert [*again.history.passes] == [1]
        same(again)
    two = fl.fit(X, T > 1)
    opposite = fl.LogisticModel(-two.coef, -two.intercept, classes=(True, False))
    assert fl.fit(X, T > 1, start=opposite).passes == 1
    other = dataclasses.replace(MODEL, classes=("ash", "elm", "fir", "yew"))
    message = "^start must have the classes of t, 'ash', 'elm', 'fir', 'oak'; got 'ash', .*'yew'$"
    with pytest.raises(ValueError, match=message):
        fl.fit(X, LABELS, start=other)


def test_training_can_be_watched_and_ended():
    seen = []
    with pytest.warns(match="the callback ended it"):
        model = fl.fit(X, LABELS, callback=lambda progress: seen.append(progress) or len(seen) == 2)
    assert len(seen) == 2
    assert not model.converged
    with pytest.warns(match="not converged after 3 passes"):
        fl.fit(X, LABELS, max_passes=3, solver="lbfgs")


def test_rows_are_sampled_where_they_are_many():
    rng = np.random.default_rng(5)
    many = rng.normal(size=(90_000, 8))
    t = np.argmax(
        many @ rng.normal(size=(8, 3)) + [0, -3, 1] + rng.gumbel(size=(90_000, 3)), axis=1
    )
    model = fl.fit(many, t)
    assert (model.solver, model.converged) == ("sampled-newton", True)
    assert model.passes < 15
    same(model, fl.fit(many, t, solver="newton", **TIGHT))


# What has no single optimum ---------------------------------------------------------------


def test_one_separated_class_is_named_with_its_column():
    apart = np.column_stack([X, np.where(T == 2, 5.0, -1.0)])
    names = ["a", "b", "c", "d"]
    message = "^the label 'fir' can be separated from the others, mainly by column 'd', so"
    with pytest.warns(SeparationWarning, match=message):
        model = fl.fit(apart, LABELS, l2=0.0, feature_names=names)
    assert not model.converged
    with pytest.raises(SeparationError, match=message):
        fl.fit(apart, LABELS, l2=0.0, feature_names=names, on_separation="raise")
    assert fl.fit(apart, LABELS, l2=1e-3).converged


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_newton_finds_separated_classes_although_its_steps_are_far_too_long(seed):
    rng = np.random.default_rng(seed)
    group, t = rng.zipf(1.5, (2, 3000)) % np.array([[40], [12]])
    t = np.where(rng.random(3000) < 0.5, 5 * group % 12, t)
    indicators = 1.0 * (group[:, np.newaxis] == range(1, 40))
    features = np.column_stack([indicators, rng.normal(size=(3000, 2)) * [1.0, 10.0]])
    with pytest.warns(SeparationWarning):
        model = fl.fit(features, t, l2=0.0, solver="newton")
    assert not model.converged
    assert model.passes < 50


def test_a_class_of_one_row():
    t = T.copy()
    t[0] = 4
    model = fl.fit(X, t)
    assert model.converged
    assert model.classes == (0, 1, 2, 3, 4)
    assert 0.0 < model.predict_proba(X[:1])[0, 4] < 1.0


def test_a_label_of_rows_without_weight_is_named():
    weight = np.where(T == 1, 0.0, 1.0)
    with pytest.warns(SeparationWarning, match="^no row with a weight has the label 'elm', so an"):
        model = fl.fit(X, LABELS, weight=weight)
    assert not model.converged
    assert model.classes == ("ash", "elm", "fir", "oak")
    assert model.predict_proba(X)[:, 1].max() < 1e-3


@pytest.mark.parametrize("share", [1e-6, 1e-16, 1e-20, 1e-30])
def test_a_class_of_tiny_weights_has_all_digits(share):
    weight = np.where(T == 2, share, 1.0)
    model = fl.fit(PLAIN, T, l2=0.0, weight=weight)
    assert model.converged
    np.testing.assert_allclose(model.coef.sum(axis=0), 0.0, atol=1e-12)
    # In the limit, the other classes do not feel this one, and it fits the rest like an offset.
    rest = fl.fit(PLAIN[T != 2], T[T != 2], l2=0.0)
    kept = [0, 1, 3]
    np.testing.assert_allclose(gauge_free(model.coef[kept]), rest.coef, atol=1e3 * share + 1e-5)
    p = model.predict_proba(PLAIN)
    slopes = (weight[:, np.newaxis] * (p - np.eye(K)[T])).T @ np.column_stack([PLAIN, np.ones(N)])
    assert np.abs(slopes[2]).max() <= 1e-6 * share * N
    assert np.isfinite(model.standard_errors()).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_rounded_probabilities_have_an_optimum(dtype):
    rows = (np.eye(K)[T] * 0.7 + 0.075).astype(dtype)
    model = fl.fit(X, rows, **TIGHT)
    assert model.converged
    assert model.gradient_norm < 1e-9


def test_each_pass_of_newton_is_a_step():
    for passes in (2, 3):
        with pytest.warns(match=f"not converged after {passes} passes"):
            model = fl.fit(X, LABELS, solver="newton", max_passes=passes)
        assert len(set(model.history.objective)) == passes


def test_a_label_that_no_model_holds_is_refused_before_any_work():
    labels = np.array([1, 2, 3, 2**64 - 1], np.uint64)[T]
    with pytest.raises(ValueError, match=r"classes must lie between -2\*\*63 and 2\*\*63 - 1"):
        fl.fit(X, labels, callback=lambda _: pytest.fail("training has begun"))


def test_a_collinear_column_is_named_and_shared():
    wide = np.column_stack([X, X[:, 0] - X[:, 2]])
    with pytest.warns(CollinearityWarning, match="^collinear: column 'd' can be made"):
        model = fl.fit(wide, LABELS, l2=0.0, feature_names=list("abcd"))
    assert model.converged
    assert np.isnan(model.standard_errors()[:, [0, 2, 3]]).all()
    assert np.isfinite(model.standard_errors()[:, 1]).all()
    plain = fl.fit(X, LABELS, l2=0.0)
    np.testing.assert_allclose(model.predict_proba(wide), plain.predict_proba(X), atol=1e-5)
