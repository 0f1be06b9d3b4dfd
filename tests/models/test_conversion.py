"""Converted models of other libraries."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from glum import GeneralizedLinearRegressor
from sklearn import linear_model, pipeline, preprocessing, svm
from sklearn.datasets import make_classification
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from statsmodels.miscmodels.ordinal_model import OrderedModel
from statsmodels.tools.sm_exceptions import SpecificationWarning

import fastlogit as fl
from fastlogit.models.model import OffsetWarning
from fastlogit.sklearn import LogisticRegression

X, T = make_classification(300, 4, n_informative=3, n_redundant=0, random_state=3)
LABELS = np.array(["no", "yes"])[T]
FRAME = pd.DataFrame(X, columns=list("abcd"))
# Three classes, none of which can be separated.
NUMBERS = np.argmax(X[:, :3] + np.random.default_rng(4).gumbel(size=(300, 3)), axis=1)
SPECIES = np.array(["a", "b", "c"])[NUMBERS]


def one_vs_rest(estimator, **attributes):
    """An estimator as scikit-learn fitted it up to 1.7."""
    estimator.fit(FRAME, SPECIES)
    vars(estimator).update(attributes)
    return estimator


@pytest.mark.parametrize(
    "estimator",
    [
        linear_model.LogisticRegression(),
        linear_model.LogisticRegression(fit_intercept=False),
        linear_model.LogisticRegressionCV(
            Cs=2, l1_ratios=(0,), use_legacy_attributes=False, scoring="neg_log_loss"
        ),
        linear_model.SGDClassifier(loss="log_loss", random_state=0),
        LogisticRegression(),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_classifiers_of_scikit_learn_predict_the_same(estimator):
    estimator.fit(FRAME, LABELS)
    model = fl.from_sklearn(estimator)
    np.testing.assert_allclose(model.predict_proba(X), estimator.predict_proba(FRAME), rtol=1e-9)
    np.testing.assert_array_equal(model.predict(FRAME), estimator.predict(FRAME))
    assert model.classes == ("no", "yes")
    assert model.feature_names == tuple("abcd")
    assert model.with_intercept is estimator.fit_intercept


@pytest.mark.parametrize(
    "estimator",
    [
        linear_model.LogisticRegression(),
        linear_model.LogisticRegression(fit_intercept=False),
        type("Subclass", (linear_model.LogisticRegression,), {})(),
        linear_model.LogisticRegressionCV(
            Cs=2, l1_ratios=(0,), use_legacy_attributes=False, scoring="neg_log_loss"
        ),
        LinearDiscriminantAnalysis(),
        LogisticRegression(),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_softmax_classifiers_of_scikit_learn_predict_the_same(estimator):
    estimator.fit(FRAME, SPECIES)
    model = fl.from_sklearn(estimator)
    np.testing.assert_array_equal(model.coef, estimator.coef_)
    np.testing.assert_array_equal(model.intercept, estimator.intercept_)
    np.testing.assert_allclose(model.predict_proba(X), estimator.predict_proba(FRAME), rtol=1e-9)
    np.testing.assert_array_equal(model.predict(FRAME), estimator.predict(FRAME))
    assert model.classes == ("a", "b", "c")
    assert model.feature_names == tuple("abcd")
    assert model.with_intercept is getattr(estimator, "fit_intercept", True)


def test_sparse_coefficients_are_converted():
    estimator = linear_model.LogisticRegression().fit(X, T).sparsify()
    model = fl.from_sklearn(estimator)
    np.testing.assert_allclose(model.predict_proba(X), estimator.predict_proba(X), rtol=1e-9)


def test_glum_predicts_the_same():
    estimator = GeneralizedLinearRegressor(family="binomial", alpha=0.01).fit(FRAME, T)
    model = fl.from_sklearn(estimator)
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], estimator.predict(FRAME), rtol=1e-9)
    assert model.feature_names == tuple("abcd")


@pytest.mark.parametrize(
    ("estimator", "error", "message"),
    [
        (linear_model.LogisticRegression(), TypeError, "fitted linear classifier, which has coef_"),
        (
            pipeline.make_pipeline(
                preprocessing.StandardScaler(), linear_model.LogisticRegression()
            ).fit(X, T),
            TypeError,
            "got Pipeline .*last step",
        ),
        (
            linear_model.LinearRegression().fit(X, T),
            TypeError,
            "a classifier whose probabilities .*; got Linear",
        ),
        (
            linear_model.SGDClassifier(loss="log_loss", random_state=0).fit(FRAME, SPECIES),
            ValueError,
            "softmax; SGDClassifier may be one-vs-rest",
        ),
        (
            one_vs_rest(linear_model.LogisticRegression(), multi_class="ovr"),
            ValueError,
            "softmax; LogisticRegression is one-vs-rest",
        ),
        (
            one_vs_rest(linear_model.LogisticRegression(), solver="liblinear"),
            ValueError,
            "softmax; LogisticRegression is one-vs-rest",
        ),
        (linear_model.SGDClassifier().fit(X, T), ValueError, "loss 'log_loss'; .* has 'hinge'"),
        (
            GeneralizedLinearRegressor(family="normal", alpha=0.1).fit(X, T),
            ValueError,
            "binomial with logit link; got 'normal'",
        ),
        (linear_model.RidgeClassifier().fit(X, T), TypeError, "probabilities .*got RidgeClass"),
        (svm.SVC(kernel="linear").fit(X, T), TypeError, "probabilities .*got SVC"),
        (3, TypeError, "got int"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_another_kind_of_estimator_is_an_error(estimator, error, message):
    with pytest.raises(
        error, match=f"^estimator must be.*{message}|^estimator must have.*{message}"
    ):
        fl.from_sklearn(estimator)


@pytest.mark.parametrize(
    "make",
    [lambda t, X: sm.Logit(t, X), lambda t, X: sm.GLM(t, X, sm.families.Binomial())],
    ids=["Logit", "GLM"],
)
def test_statsmodels_predicts_the_same(make):
    exog = sm.add_constant(FRAME)
    fit = make(T, exog)
    results = fit.fit(disp=False) if isinstance(fit, sm.Logit) else fit.fit()
    model = fl.from_statsmodels(results)
    np.testing.assert_allclose(model.predict_proba(FRAME)[:, 1], results.predict(exog), rtol=1e-9)
    assert model.feature_names == tuple("abcd")
    assert model.with_intercept
    np.testing.assert_allclose(model.standard_errors(FRAME), np.roll(results.bse, -1), rtol=1e-6)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (NUMBERS, (0, 1, 2)),
        (NUMBERS.tolist(), (0, 1, 2)),
        (pd.Series(NUMBERS - 1), (-1, 0, 1)),
        (0.5 * NUMBERS, (0.0, 0.5, 1.0)),
        (SPECIES, ("a", "b", "c")),
        (NUMBERS.astype(str), ("0", "1", "2")),
        (pd.Series(pd.Categorical(SPECIES, ["c", "a", "b"]), name="t"), ("c", "a", "b")),
        (pd.DataFrame({"t": SPECIES}), ("a", "b", "c")),
        (np.eye(3)[NUMBERS], (0, 1, 2)),
        (pd.DataFrame(np.eye(3)[NUMBERS], columns=["x", "y", "z"]), ("x", "y", "z")),
        (NUMBERS == 1, (False, True)),
    ],
    ids=[
        *("numbers", "list", "series", "halves", "text", "digits", "categories", "frame"),
        *("indicators", "frame of indicators", "two"),
    ],
)
def test_multinomial_results_of_statsmodels_predict_the_same(labels, classes):
    with warnings.catch_warnings(action="ignore", category=SpecificationWarning):
        results = sm.MNLogit(labels, sm.add_constant(FRAME)).fit(disp=False)
    model = fl.from_statsmodels(results)
    np.testing.assert_allclose(model.predict_proba(FRAME), results.predict(), rtol=1e-9)
    assert model.classes == classes
    assert [type(label) for label in model.classes] == [type(label) for label in classes]
    assert model.feature_names == tuple("abcd")
    assert model.with_intercept
    theirs = np.roll(np.asarray(results.params).T, -1, axis=1)
    if len(classes) > 2:
        np.testing.assert_array_equal(model.coef, np.vstack([np.zeros(4), theirs[:, :-1]]))
        np.testing.assert_array_equal(model.intercept, np.append(0.0, theirs[:, -1]))
    errors = np.squeeze(np.roll(np.asarray(results.bse).T, -1, axis=1))
    np.testing.assert_allclose(model.standard_errors(FRAME), errors, rtol=1e-5)


def test_multinomial_results_of_a_formula_an_array_or_a_penalty():
    table = FRAME.assign(t=NUMBERS + 1)
    results = smf.mnlogit("t ~ a + b", table).fit(disp=False)
    for model in (fl.from_statsmodels(results), fl.from_statsmodels(results)):
        assert model.classes == (1, 2, 3)
        assert model.feature_names == ("a", "b")
        proba = model.predict_proba(FRAME[["a", "b"]])
        np.testing.assert_allclose(proba, results.predict(table), rtol=1e-9)
        results.remove_data()
    for results in (
        sm.MNLogit(NUMBERS, X).fit(disp=False),
        sm.MNLogit(NUMBERS, X).fit_regularized(alpha=0.5, disp=False),
    ):
        model = fl.from_statsmodels(results)
        assert not model.with_intercept
        np.testing.assert_allclose(model.predict_proba(X), results.predict(X), rtol=1e-9)


def test_statsmodels_may_have_no_constant():
    model = fl.from_statsmodels(sm.Logit(T, X).fit(disp=False))
    assert not model.with_intercept
    assert model.intercept == 0.0
    assert model.coef.shape == (4,)


# The positive class ------------------------------------------------------------------------

LATE = T == 1
RESPONSES = pd.DataFrame(
    {
        "late": LATE,
        "text": LABELS,
        "digits": np.array(["1", "0"])[T],
        "number": T,
        "grade": T + 1,
        "ordered": pd.Categorical(LABELS, ["yes", "no"]),
        "successes": 3 * T + 1,
        "failures": 5 - 3 * T,
        "x": X[:, 0],
        "y": X[:, 1],
    }
)
BINOMIAL = sm.families.Binomial()


def assert_same_as_theirs(results, labels, **offset):
    """The probabilities of statsmodels, and labels that agree with most rows."""
    model = fl.from_statsmodels(results)
    y = model.predict_proba(RESPONSES[["x", "y"]], **offset)[:, 1]
    np.testing.assert_allclose(y, np.asarray(results.predict(**offset)), rtol=1e-9)
    if labels is not None:
        predicted = model.predict(RESPONSES[["x", "y"]], **offset)
        assert np.mean(predicted == np.asarray(labels)) > 0.7
        assert type(model.classes[0]) is type(np.asarray(labels)[:1].tolist()[0])
    return model


@pytest.mark.parametrize(
    ("response", "classes"),
    [
        ("late", (True, False)),
        ("C(late)", (True, False)),
        ("text", ("yes", "no")),
        ("C(text)", ("yes", "no")),
        ("C(text, levels=['yes', 'no'])", ("no", "yes")),
        ("ordered", ("no", "yes")),
        ("digits", ("1", "0")),
        ("number", (0, 1)),
        ("C(number)", (1, 0)),
        ("C(grade)", (2, 1)),
    ],
)
@pytest.mark.parametrize("removed", [False, True])
def test_the_first_category_of_a_formula_is_the_positive_class(response, classes, removed):
    results = smf.glm(f"{response} ~ x + y", RESPONSES, family=BINOMIAL).fit()
    column = response.removeprefix("C(").partition(",")[0].removesuffix(")")
    assert assert_same_as_theirs(results, RESPONSES[column]).classes == classes
    if removed and response != "digits":  # whose text looks like numbers
        results.remove_data()
        assert fl.from_statsmodels(results).classes == classes


def test_two_columns_of_counts_are_successes_and_failures():
    table = sm.add_constant(RESPONSES[["x", "y"]])
    for endog in (
        RESPONSES[["successes", "failures"]],
        RESPONSES[["successes", "failures"]].to_numpy(),
    ):
        results = sm.GLM(endog, table, family=BINOMIAL).fit()
        assert assert_same_as_theirs(results, T).classes == (0, 1)
    results = smf.glm("successes + failures ~ x + y", RESPONSES, family=BINOMIAL).fit()
    assert assert_same_as_theirs(results, T).classes == (0, 1)


@pytest.mark.parametrize("make", [smf.logit, smf.glm])
@pytest.mark.parametrize("response", ["number", "I(late * 1)", "I(1 - number)"])
def test_numbers_of_a_formula_are_0_and_1(make, response):
    options = {"family": BINOMIAL} if make is smf.glm else {}
    fit = make(f"{response} ~ x + y", RESPONSES, **options)
    results = fit.fit(disp=False) if make is smf.logit else fit.fit()
    assert assert_same_as_theirs(results, None).classes == (0, 1)


def test_truth_values_in_an_array_are_0_and_1():
    table = sm.add_constant(RESPONSES[["x", "y"]])
    model = fl.from_statsmodels(sm.Logit(RESPONSES["late"], table).fit(disp=False))
    assert np.mean(model.predict(RESPONSES[["x", "y"]]) == LATE) > 0.7


def test_a_response_beyond_0_and_1_is_an_error():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = smf.glm("grade ~ x + y", RESPONSES, family=BINOMIAL).fit()
    with pytest.raises(ValueError, match=r"^results must be of a response between 0 and 1"):
        fl.from_statsmodels(results)


def test_glum_takes_0_and_1_or_truth_values():
    for t in (T, LATE):
        estimator = GeneralizedLinearRegressor(family="binomial", alpha=0.01).fit(FRAME, t)
        model = fl.from_sklearn(estimator)
        assert np.mean(model.predict(FRAME) == t) > 0.7


def test_a_column_named_const_without_ones_is_a_feature():
    table = RESPONSES[["x", "y"]].rename(columns={"x": "const"})
    results = sm.Logit(T, table).fit(disp=False)
    model = fl.from_statsmodels(results)
    assert model.feature_names == ("const", "y")
    np.testing.assert_allclose(model.predict_proba(table)[:, 1], results.predict(), rtol=1e-9)


# Offsets -----------------------------------------------------------------------------------

OFFSET = np.linspace(-2.0, 2.0, T.size)


@pytest.mark.parametrize(
    "make",
    [
        lambda table: sm.GLM(T, table, family=BINOMIAL, offset=OFFSET),
        lambda table: sm.GLM(LATE, table, family=BINOMIAL, offset=pd.Series(OFFSET)),
        lambda table: sm.Logit(T, table, offset=OFFSET),
        lambda table: smf.glm("number ~ x + y", RESPONSES, family=BINOMIAL, offset=OFFSET),
        lambda table: smf.glm("late ~ x + y", RESPONSES, family=BINOMIAL, offset=OFFSET),
    ],
    ids=["GLM", "GLM of a series", "Logit", "formula", "formula of truth values"],
)
def test_a_model_with_an_offset_says_so_and_needs_it(make):
    fit = make(sm.add_constant(RESPONSES[["x", "y"]]))
    results = fit.fit(disp=False) if isinstance(fit, sm.Logit) else fit.fit()
    model = fl.from_statsmodels(results)
    assert model.with_offset
    assert "predictions need one" in model.summary()
    theirs = np.asarray(results.predict(offset=OFFSET))
    y = model.predict_proba(RESPONSES[["x", "y"]], offset=OFFSET)[:, 1]
    np.testing.assert_allclose(y, theirs, rtol=1e-9)
    with pytest.warns(OffsetWarning, match="was trained with one"):
        without = model.predict_proba(RESPONSES[["x", "y"]])[:, 1]
    assert np.abs(without - y).max() > 0.1


def test_a_model_without_an_offset_says_so():
    for fit in (sm.GLM(T, X, family=BINOMIAL), sm.Logit(T, X)):
        results = fit.fit(disp=False) if isinstance(fit, sm.Logit) else fit.fit()
        assert not fl.from_statsmodels(results).with_offset


@pytest.mark.parametrize(
    "results",
    [
        sm.OLS(T, X).fit(),
        sm.Probit(T, X).fit(disp=False),
        sm.GLM(T, X, sm.families.Binomial(sm.families.links.Probit())).fit(),
        OrderedModel(NUMBERS, X, distr="logit").fit(disp=False, method="bfgs"),
        sm.Logit(T, X),
        None,
    ],
    ids=["OLS", "Probit", "a probit GLM", "ordered", "not fitted", "None"],
)
def test_other_results_of_statsmodels_are_an_error(results):
    with pytest.raises((TypeError, ValueError), match=r"^results must be"):
        fl.from_statsmodels(results)


def test_a_multinomial_model_of_two_classes_has_doubled_logits():
    estimator = linear_model.LogisticRegression().fit(X, T)
    estimator.multi_class = "multinomial"  # as scikit-learn took it up to 1.7
    z = estimator.decision_function(X)
    np.testing.assert_allclose(fl.from_sklearn(estimator).decision(X), 2.0 * z, rtol=1e-9)


@pytest.mark.parametrize("exog", [X, FRAME], ids=["array", "data frame"])
def test_results_without_their_data_have_no_column_names(exog):
    for fit in (sm.GLM(T, exog, family=BINOMIAL), sm.Logit(T, exog)):
        results = fit.fit(disp=False) if isinstance(fit, sm.Logit) else fit.fit()
        results.remove_data()
        with pytest.raises(ValueError, match=r"^results must have column names"):
            fl.from_statsmodels(results)


def test_results_of_a_formula_are_converted_without_their_data():
    results = smf.logit("number ~ x + y", RESPONSES, offset=OFFSET).fit(disp=False)
    model = fl.from_statsmodels(results)
    results.remove_data()
    again = fl.from_statsmodels(results)
    assert again.feature_names == model.feature_names == ("x", "y")
    assert again.coef.tolist() == model.coef.tolist()
    assert again.with_offset
