"""Models of other libraries, taken over."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from glum import GeneralizedLinearRegressor
from sklearn import linear_model, pipeline, preprocessing, svm
from sklearn.datasets import make_classification

import fastlogit as fl
from fastlogit.sklearn import LogisticRegression

X, T = make_classification(300, 4, n_informative=3, n_redundant=0, random_state=3)
LABELS = np.array(["no", "yes"])[T]
FRAME = pd.DataFrame(X, columns=list("abcd"))


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


def test_sparse_coefficients_are_taken_as_they_are():
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
            "a classifier with probabilities .*; got Linear",
        ),
        (
            linear_model.LogisticRegression().fit(X, np.arange(300) % 3),
            ValueError,
            "of two classes; it has 3",
        ),
        (linear_model.SGDClassifier().fit(X, T), ValueError, "loss 'log_loss'; .* is 'hinge'"),
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
def test_what_is_no_such_model_is_an_error(estimator, error, message):
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


def test_statsmodels_may_have_no_constant():
    model = fl.from_statsmodels(sm.Logit(T, X).fit(disp=False))
    assert not model.with_intercept
    assert model.intercept == 0.0
    assert model.coef.shape == (4,)


@pytest.mark.parametrize(
    "results",
    [
        sm.OLS(T, X).fit(),
        sm.Probit(T, X).fit(disp=False),
        sm.GLM(T, X, sm.families.Binomial(sm.families.links.Probit())).fit(),
        sm.Logit(T, X),
        None,
    ],
    ids=["OLS", "Probit", "a probit GLM", "not fitted", "None"],
)
def test_other_results_of_statsmodels_are_an_error(results):
    with pytest.raises((TypeError, ValueError), match=r"^results must be"):
        fl.from_statsmodels(results)
