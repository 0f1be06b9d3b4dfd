"""The scikit-learn estimator with more than two classes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sklearn.linear_model
from scipy import sparse
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits, load_iris
from sklearn.ensemble import StackingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastlogit as fl
from fastlogit.sklearn import LogisticRegression

DIGITS, DIGIT = load_digits(return_X_y=True)
# Fewer rows and pixels take less time, and rows that are contiguous have compiled kernels.
DIGITS, DIGIT = np.ascontiguousarray(DIGITS[::2, 2::3]), DIGIT[::2]
FLOWERS, SPECIES = load_iris(return_X_y=True)
SPECIES = load_iris().target_names[SPECIES]
WEIGHT = np.random.default_rng(11).exponential(size=len(SPECIES))


def centred(classifier):
    """Coefficients and intercepts whose sums over the classes are 0, as ours always are."""
    every = np.column_stack([classifier.coef_, classifier.intercept_])
    return every - every.mean(axis=0)


@pytest.mark.parametrize(
    ("parameters", "has_weights"),
    [
        ({"C": 0.01}, False),
        ({"C": 100.0, "class_weight": "balanced"}, True),
        ({"fit_intercept": False}, False),
        ({"class_weight": {"setosa": 3.0, "virginica": 0.5}}, True),
        ({"class_weight": "balanced", "fit_intercept": False}, True),
    ],
    ids=str,
)
def test_several_classes_agree_with_scikit_learn(parameters, has_weights):
    rows, labels = FLOWERS[30:], SPECIES[30:]  # the first are of one class: not balanced
    weight = WEIGHT[30:] if has_weights else None
    expected = sklearn.linear_model.LogisticRegression(
        solver="newton-cholesky", tol=1e-12, **parameters
    ).fit(rows, labels, weight)
    got = LogisticRegression(tol=1e-16, **parameters).fit(rows, labels, weight)
    np.testing.assert_allclose(got.coef_.sum(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(got.intercept_.sum(), 0.0, atol=1e-12)
    np.testing.assert_allclose(centred(got), centred(expected), rtol=1e-6, atol=1e-9)
    for name in ("coef_", "intercept_", "classes_", "n_iter_"):
        assert getattr(got, name).shape == getattr(expected, name).shape
    np.testing.assert_array_equal(got.classes_, expected.classes_)
    np.testing.assert_array_equal(got.predict(FLOWERS), expected.predict(FLOWERS))
    for name in ("predict_proba", "predict_log_proba"):
        np.testing.assert_allclose(
            getattr(got, name)(FLOWERS), getattr(expected, name)(FLOWERS), rtol=1e-6
        )
    assert got.score(rows, labels, weight) == expected.score(rows, labels, weight)


def script(LogisticRegression, rows, labels):
    """What somebody might have written for scikit-learn."""
    classifier = LogisticRegression(tol=1e-10, solver="newton-cholesky")
    pipeline = make_pipeline(StandardScaler(), classifier).fit(rows, labels)
    search = GridSearchCV(
        clone(classifier),
        {"C": [0.01, 0.1], "class_weight": [None, "balanced"]},
        scoring="neg_log_loss",
        cv=3,
    ).fit(rows, labels)
    stacked = StackingClassifier([("one", clone(classifier))], clone(classifier), cv=3)
    calibrated = CalibratedClassifierCV(clone(classifier), method="temperature", cv=3)
    one_by_one = OneVsRestClassifier(clone(classifier))
    return {
        "coef": pipeline[-1].coef_,
        "intercept": pipeline[-1].intercept_,
        "decision": pipeline.decision_function(rows),
        "probability": pipeline.predict_proba(rows),
        "accuracy": pipeline.score(rows, labels),
        "loss": search.cv_results_["mean_test_score"],
        "accuracies": cross_val_score(classifier, rows, labels, cv=3),
        "stacked": stacked.fit(rows, labels).predict_proba(rows),
        "calibrated": calibrated.fit(rows, labels).predict_proba(rows),
        "one by one": one_by_one.fit(rows, labels).predict_proba(rows),
    }


@pytest.mark.parametrize(
    ("rows", "labels"), [(FLOWERS, SPECIES), (DIGITS, DIGIT)], ids=["flowers", "digits"]
)
def test_swapping_the_import_changes_no_result_of_several_classes(rows, labels):
    expected = script(sklearn.linear_model.LogisticRegression, rows, labels)
    got = script(LogisticRegression, rows, labels)
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-5, atol=1e-5, err_msg=name)


def test_several_classes_add_nothing_numerical():
    model = fl.fit(FLOWERS, SPECIES, l2=0.25, weight=WEIGHT)
    classifier = LogisticRegression(C=4.0).fit(FLOWERS, SPECIES, WEIGHT)
    np.testing.assert_array_equal(classifier.coef_, model.coef)
    np.testing.assert_array_equal(classifier.intercept_, model.intercept)
    np.testing.assert_array_equal(classifier.decision_function(FLOWERS), model.decision(FLOWERS))
    np.testing.assert_array_equal(classifier.predict_proba(FLOWERS), model.predict_proba(FLOWERS))
    np.testing.assert_array_equal(classifier.predict(FLOWERS), model.predict(FLOWERS))
    logits = classifier.decision_function(1000.0 * FLOWERS)
    np.testing.assert_array_equal(
        classifier.predict_log_proba(1000.0 * FLOWERS), fl.log_softmax(logits)
    )
    narrow = FLOWERS.astype(np.float32)
    classifier.coef_ = classifier.coef_.astype(np.float32)
    for name in ("decision_function", "predict_proba", "predict_log_proba"):
        assert getattr(classifier, name)(narrow).dtype == np.float32


@pytest.mark.parametrize(
    "labels",
    [
        np.unique(SPECIES, return_inverse=True)[1].astype(np.int8) - 1,
        np.unique(SPECIES, return_inverse=True)[1].astype(">i4"),
        np.unique(SPECIES, return_inverse=True)[1].astype(np.float16),
        SPECIES.astype(object),
        pd.Series(SPECIES, dtype="category"),
    ],
    ids=["int8", "big-endian", "float16", "object", "category"],
)
def test_any_labels(labels):
    classifier = LogisticRegression().fit(FLOWERS, labels)
    np.testing.assert_array_equal(classifier.classes_, np.unique(labels))
    assert classifier.predict(FLOWERS).dtype == np.asarray(labels).dtype
    expected = LogisticRegression().fit(FLOWERS, SPECIES)
    np.testing.assert_array_equal(classifier.coef_, expected.coef_)


def test_several_classes_have_sparse_coefficients_and_warm_starts():
    classifier = LogisticRegression(warm_start=True).fit(FLOWERS, SPECIES)
    coef, probability = classifier.coef_.copy(), classifier.predict_proba(FLOWERS)
    np.testing.assert_array_equal(classifier.sparsify().predict_proba(FLOWERS), probability)
    assert classifier.fit(FLOWERS, SPECIES).n_iter_ == 0
    np.testing.assert_allclose(classifier.coef_, coef, rtol=1e-12)
    assert classifier.fit(FLOWERS[:100], SPECIES[:100]).coef_.shape == (1, 4)
    assert classifier.fit(FLOWERS, SPECIES).coef_.shape == (3, 4)
    sparse_rows = sparse.csr_array(FLOWERS * (FLOWERS > 2.0))
    np.testing.assert_allclose(
        LogisticRegression(tol=1e-14).fit(sparse_rows, SPECIES).coef_,
        LogisticRegression(tol=1e-14).fit(sparse_rows.toarray(), SPECIES).coef_,
        rtol=1e-6,
    )


def test_a_separable_class_is_named():
    with pytest.warns(ConvergenceWarning, match=r"label 'setosa' can be sep.* column.*; lower C"):
        LogisticRegression(C=np.inf).fit(FLOWERS, SPECIES)


def test_factors_of_labels_that_a_fold_lacks_are_ignored_if_all_others_have_one():
    factors = {"setosa": 3.0, "versicolor": 1.0, "virginica": 2.0}
    for labels in (SPECIES[50:], SPECIES):
        rows = FLOWERS[-len(labels) :]
        expected = sklearn.linear_model.LogisticRegression(
            class_weight=factors, solver="newton-cholesky", tol=1e-10
        )
        got = LogisticRegression(class_weight=factors | {"other": 1.0}).fit(rows, labels)
        np.testing.assert_allclose(
            got.predict_proba(rows), expected.fit(rows, labels).predict_proba(rows), atol=1e-5
        )
    with pytest.raises(ValueError, match=r"labels of y, 'setosa', .*; got 'other'$"):
        LogisticRegression(class_weight={"setosa": 2.0, "other": 1.0}).fit(FLOWERS, SPECIES)


def test_liblinear_is_for_two_classes():
    LogisticRegression(solver="liblinear").fit(FLOWERS[:100], SPECIES[:100])
    with pytest.raises(ValueError, match=r"^Only binary .* 'liblinear'; y has 3 classes"):
        LogisticRegression(solver="liblinear").fit(FLOWERS, SPECIES)
