"""The scikit-learn estimator: scikit-learn's own checks, and scikit-learn's own results."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import warnings
from collections import Counter
from functools import partial
from itertools import product
from unittest import mock

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import sklearn.linear_model
from joblib import parallel_config
from scipy import sparse
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.callback import ScoringMonitor
from sklearn.datasets import load_breast_cancer, make_classification
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import fastlogit as fl
from fastlogit import sklearn as estimator
from fastlogit.sklearn import LogisticRegression
from fastlogit.training import messages
from fastlogit.training.messages import CollinearityWarning
from tests.hard_problems import problem
from tests.odd_arguments import all_happened, compared, odd_arrays, outcome, usual

X, T = make_classification(1000, 7, n_informative=4, n_redundant=0, random_state=11)
WEIGHT = np.random.default_rng(11).exponential(size=1000)
LABELS = np.array(["no", "yes"])[T]


def theta(classifier):
    return np.append(classifier.coef_, classifier.intercept_)


def test_check_estimator():
    estimator = LogisticRegression(class_weight="balanced")
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        results = check_estimator(estimator, on_skip=None)
    assert len(results) > 40
    for result in results:
        if result["status"] != "passed":
            # What scikit-learn does not check without pandas, or other arrays than NumPy's.
            reason = str(result["exception"])
            assert reason.startswith(("pandas is not installed", "SCIPY_ARRAY_API is not set"))


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weight"])
def test_agrees_with_scikit_learn(C, fit_intercept, weight):
    parameters = {"C": C, "fit_intercept": fit_intercept, "tol": 1e-12}
    # The solver that gets closest to the optimum; lbfgs stops where the loss stops to fall.
    expected = sklearn.linear_model.LogisticRegression(solver="newton-cholesky", **parameters)
    expected.fit(X, LABELS, weight)
    got = LogisticRegression(**parameters | {"tol": 1e-16}).fit(X, LABELS, weight)
    np.testing.assert_allclose(theta(got), theta(expected), rtol=1e-8)
    assert got.coef_.shape == expected.coef_.shape
    assert got.intercept_.shape == expected.intercept_.shape
    assert got.n_iter_.shape == expected.n_iter_.shape
    np.testing.assert_array_equal(got.classes_, expected.classes_)
    np.testing.assert_array_equal(got.predict(X), expected.predict(X))
    for name in ("decision_function", "predict_proba", "predict_log_proba"):
        np.testing.assert_allclose(
            getattr(got, name)(X), getattr(expected, name)(X), rtol=1e-6, atol=1e-12
        )
    assert got.score(X, LABELS, weight) == expected.score(X, LABELS, weight)


def test_no_penalty_agrees_with_scikit_learn():
    expected = sklearn.linear_model.LogisticRegression(
        C=np.inf, tol=1e-12, solver="newton-cholesky"
    ).fit(X, T)
    got = LogisticRegression(C=np.inf).fit(X, T)
    np.testing.assert_allclose(theta(got), theta(expected), rtol=1e-6)


def script(LogisticRegression):
    """What somebody might have written for scikit-learn."""
    data, target = load_breast_cancer(return_X_y=True)
    classifier = LogisticRegression(tol=1e-10, max_iter=1000)
    pipeline = make_pipeline(StandardScaler(), classifier).fit(data, target)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), clone(classifier)),
        {"logisticregression__C": [0.01, 0.1]},
        scoring="neg_log_loss",
        cv=3,
        n_jobs=2,
    )
    with parallel_config("threading"):
        search.fit(data, target)
    return {
        "coef": pipeline[-1].coef_,
        "intercept": pipeline[-1].intercept_,
        "probability": pipeline.predict_proba(data),
        "accuracy": pipeline.score(data, target),
        "loss": search.cv_results_["mean_test_score"],
        "best": search.best_params_["logisticregression__C"],
    }


def test_swapping_the_import_changes_no_result():
    expected = script(sklearn.linear_model.LogisticRegression)
    got = script(LogisticRegression)
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-5, err_msg=name)


def test_every_parameter_of_scikit_learn_is_taken():
    theirs = sklearn.linear_model.LogisticRegression().get_params()
    ours = LogisticRegression().get_params()
    assert theirs.keys() == ours.keys()
    differing = {name for name in ours if ours[name] != theirs[name]}
    assert differing == {"tol"}  # which is smaller, so that coefficients have digits
    LogisticRegression(**theirs).fit(X, T)


@pytest.mark.parametrize("C", [1.0, 10.0, 100.0, 500.0, 1e4])
def test_the_default_tolerance_gives_five_digits_of_the_largest_coefficients(C):
    data, target = load_breast_cancer(return_X_y=True)
    data = (data - data.mean(axis=0)) / data.std(axis=0)
    exact = LogisticRegression(C=C, tol=1e-18).fit(data, target)
    found = LogisticRegression(C=C).fit(data, target)
    largest = np.abs(exact.coef_).max()
    np.testing.assert_allclose(found.coef_, exact.coef_, rtol=0, atol=1e-5 * largest)


# Imbalance by rows, weights over 24 decades, float32, far means, time stamps, CSR.
@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 9, 17, 18, 20, 34, 48])
def test_the_default_tolerance_gives_five_digits_of_hard_problems(seed):
    hard = problem(seed)
    C = 1.0 / hard.arguments["l2"] if hard.penalised else np.inf
    classifier = LogisticRegression(C=C).fit(hard.X, hard.t, hard.arguments.get("weight"))
    off = np.abs(classifier.coef_[0] - hard.coef)
    assert (off <= 1e-4 * hard.errors[:-1]).all()
    assert off.max() <= 1e-5 * np.abs(hard.coef).max()


@pytest.mark.parametrize(
    "solver", ["lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga", "newton"]
)
def test_the_solvers_of_scikit_learn_are_taken_and_lead_to_the_same(solver):
    classifier = LogisticRegression(solver=solver).fit(X, T)
    np.testing.assert_array_equal(theta(classifier), theta(LogisticRegression().fit(X, T)))


@pytest.mark.parametrize("class_weight", ["balanced", {"no": 3.0, "yes": 0.5}, {"yes": 2.0}])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weight"])
def test_weights_of_classes_agree_with_scikit_learn(class_weight, weight):
    keep = slice(300, None)  # in the first rows of the labels nothing is balanced
    parameters = {"class_weight": class_weight, "tol": 1e-12}
    expected = sklearn.linear_model.LogisticRegression(solver="newton-cholesky", **parameters)
    weight = None if weight is None else weight[keep]
    expected.fit(X[keep], LABELS[keep], weight)
    got = LogisticRegression(**parameters | {"tol": 1e-16}).fit(X[keep], LABELS[keep], weight)
    np.testing.assert_allclose(theta(got), theta(expected), rtol=1e-8)


def test_penalty_none_is_an_infinite_c():
    got = LogisticRegression(penalty=None).fit(X, T)
    np.testing.assert_array_equal(theta(got), theta(LogisticRegression(C=np.inf).fit(X, T)))


def test_rows_of_a_rare_column_that_separate_without_a_penalty_are_a_warning():
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(60_000, 30))
    labels = rng.random(60_000) < fl.sigmoid(rows[:, 0])
    rows[:, 3] = 0.0
    rows[np.flatnonzero(labels)[:50], 3] = 1.0
    with pytest.warns(ConvergenceWarning, match="mainly by column 3, so"):
        LogisticRegression(C=np.inf).fit(rows, labels)


@pytest.mark.parametrize(
    ("parameters", "rows", "labels", "category", "messages"),
    [
        ({"penalty": None}, X, X[:, 0] > 0.1, ConvergenceWarning, ["separated.*; lower C, or"]),
        (
            {"penalty": None},
            pd.DataFrame(X, columns=list("abcdefg")),
            X[:, 0] > 0.1,
            ConvergenceWarning,
            ["mainly by columns? .*'a'"],
        ),
        ({"C": np.inf}, X[:, [0, 1, 0]], T, CollinearityWarning, ["or the intercept.*lower C$"]),
        ({"max_iter": 0}, X, T, ConvergenceWarning, ["after 0 iterations: .* or lower C$"]),
        ({"max_iter": 1}, X, T, ConvergenceWarning, ["after 1 iteration: .*raise max_iter or tol"]),
        ({"penalty": None, "C": 4}, X, T, UserWarning, ["penalty=None will ignore the C of 4$"]),
        (
            {"penalty": None, "C": 0.5, "max_iter": 2},
            X,
            T,
            UserWarning,
            ["after 2 iterations: ", "ignore the C of 0.5"],
        ),
    ],
    ids=["separable", "named", "collinear", "0", "1", "C", "two"],
)
def test_warnings_advise_what_the_estimator_has(parameters, rows, labels, category, messages):
    with pytest.warns(category) as caught:
        LogisticRegression(**parameters).fit(rows, labels)
    assert len(caught) == len(messages)
    for warning, message in zip(caught, messages, strict=True):
        text = str(warning.message)
        assert re.search(message, text)
        assert not re.search(r"l2|max_passes|max_seconds|\bpass(es)?\b", text)
        assert warning.filename == __file__


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csr_array, sparse.csc_array])
def test_sparse_features(kind):
    filled = np.where(np.abs(X) > 1.0, X, 0.0)
    expected = LogisticRegression(tol=1e-12).fit(filled, LABELS)
    classifier = LogisticRegression(tol=1e-12).fit(kind(filled), LABELS)
    np.testing.assert_allclose(theta(classifier), theta(expected), rtol=1e-9)
    np.testing.assert_allclose(
        classifier.predict_proba(kind(filled)), expected.predict_proba(filled), rtol=1e-9
    )


def test_sparse_coefficients():
    classifier = LogisticRegression().fit(X, T)
    dense, probability = classifier.coef_.copy(), classifier.predict_proba(X)
    assert classifier.sparsify() is classifier
    assert sparse.issparse(classifier.coef_)
    np.testing.assert_array_equal(classifier.predict_proba(X), probability)
    assert classifier.densify() is classifier
    np.testing.assert_array_equal(classifier.coef_, dense)
    classifier.densify()
    for method in ("sparsify", "densify"):
        with pytest.raises(NotFittedError):
            getattr(LogisticRegression(), method)()


def test_a_warm_start_begins_where_the_last_fit_ended():
    classifier = LogisticRegression(warm_start=True).fit(X, T)
    cold = theta(classifier)
    assert classifier.fit(X, T).n_iter_ == 0
    np.testing.assert_array_equal(theta(classifier), cold)
    classifier.sparsify()
    assert classifier.fit(X, T, WEIGHT).n_iter_ < 8
    assert classifier.fit(X[:, :3], T).coef_.shape == (1, 3)
    assert LogisticRegression().fit(X, T).fit(X, T).n_iter_ > 0


def test_a_random_state_decides_on_the_sample_alone():
    rows = np.random.default_rng(3).normal(size=(60_000, 60))
    labels = rows[:, 0] + np.random.default_rng(4).normal(size=60_000) > 0
    one, same, other, none = (
        theta(LogisticRegression(random_state=seed).fit(rows, labels))
        for seed in (1, np.random.RandomState(1), 2, None)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    np.testing.assert_allclose(one, other, atol=1e-6)
    np.testing.assert_array_equal(none, theta(LogisticRegression().fit(rows, labels)))


def test_verbose_shows_a_bar(capsys):
    LogisticRegression(verbose=1).fit(X, T)
    assert "gradient norm" in capsys.readouterr().err
    LogisticRegression().fit(X, T)
    assert capsys.readouterr() == ("", "")


class Recorded:
    """A callback that keeps its calls, and may ask to stop or fail at the end of a task."""

    def __init__(self, stop_at=None, fail_at=None):
        self.calls, self.given = [], []
        self.stop_at, self.fail_at = stop_at, fail_at

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
        self.calls.append(f"begin {context.task_name} {context.task_id}")

    def on_fit_task_end(self, estimator, context, *, metadata=None, fitted_estimator=None):
        task = f"{context.task_name} {context.task_id}"
        self.calls.append(f"end {task}")
        self.given.append((metadata, fitted_estimator))
        if task == self.fail_at:
            raise RuntimeError("no more")
        return task == self.stop_at


@pytest.mark.parametrize("solver", ["lbfgs", "newton-cholesky", "gradient-descent"])
def test_callbacks_are_told_of_each_iteration(solver):
    callback = Recorded()
    classifier = LogisticRegression(solver=solver, tol=1e-3).set_callbacks(callback)
    assert classifier.fit(X, T, WEIGHT) is classifier
    steps = int(classifier.n_iter_[0])
    assert steps > 1
    tasks = [f"{what} iteration {i}" for i in range(steps + 1) for what in ("begin", "end")]
    assert callback.calls == ["setup", "begin fit 0", *tasks, "end fit 0", "teardown"]
    metadata, fitted = callback.given[-1]
    np.testing.assert_array_equal(metadata["sample_weight"], WEIGHT)
    np.testing.assert_array_equal(fitted.predict(X), classifier.predict(X))
    np.testing.assert_array_equal(
        theta(classifier), theta(LogisticRegression(solver=solver, tol=1e-3).fit(X, T, WEIGHT))
    )


def test_a_callback_ends_the_fit():
    classifier = LogisticRegression().set_callbacks(Recorded(stop_at="iteration 1"))
    with pytest.warns(ConvergenceWarning, match="after 2 iterations: .*callback"):
        classifier.fit(X, T)
    assert classifier.n_iter_ == 2
    assert classifier.set_callbacks().fit(X, T).n_iter_ > 2


@pytest.mark.parametrize("task", ["iteration 0", "fit 0"])
def test_a_callback_that_fails_is_torn_down(task):
    callback = Recorded(fail_at=task)
    with pytest.raises(RuntimeError, match="no more"):
        LogisticRegression().set_callbacks(callback).fit(X, T)
    assert callback.calls[-2:] == [f"end {task}", "teardown"]


def test_a_scoring_monitor_logs_the_score_of_the_fit():
    monitor = ScoringMonitor(scoring="accuracy")
    classifier = LogisticRegression().set_callbacks(monitor)
    score = classifier.fit(X, T).score(X, T)
    assert [row["accuracy"] for row in monitor.get_logs().data] == [score]
    with pytest.raises(TypeError, match="FitCallback protocol"):
        classifier.set_callbacks(print)


def test_callbacks_of_a_search_are_called_for_its_fits():
    class Propagated(Recorded):
        max_propagation_depth = None

    callback = Propagated()
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2)
    search.set_callbacks(callback).fit(X, T)
    assert callback.calls.count("begin iteration 0") == 5  # 2 times 2, and the best again
    assert callback.calls.count("teardown") == 1
    begun = sum(call.startswith("begin") for call in callback.calls)
    assert begun == sum(call.startswith("end") for call in callback.calls)


def test_arrays_of_other_libraries_are_taken_with_array_api_dispatch_too():
    # A process of its own: SciPy reads the variable when it is imported.
    script = """if True:
        import array_api_strict, numpy as np, sklearn
        from sklearn.datasets import make_classification
        from fastlogit.sklearn import LogisticRegression
        X, y = make_classification(60, 3, n_redundant=0, random_state=0)
        own = LogisticRegression().fit(X, y)
        with sklearn.config_context(array_api_dispatch=True):
            for convert in (np.asarray, array_api_strict.asarray):
                rows, labels = convert(X), convert(y)
                for weight in (None, convert(np.ones(60))):
                    classifier = LogisticRegression().fit(rows, labels, weight)
                    np.testing.assert_array_equal(classifier.coef_, own.coef_)
                    for name in ("predict", "predict_proba", "decision_function"):
                        got = getattr(classifier, name)(rows)
                        assert type(got) is np.ndarray
                        np.testing.assert_array_equal(got, getattr(own, name)(X))
                    assert classifier.score(rows, labels) == own.score(X, y)
    """
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)


def test_long_doubles_become_float64_as_in_scikit_learn():
    long = X.astype(np.longdouble)
    classifier = LogisticRegression().fit(long, T, WEIGHT.astype(np.longdouble))
    expected = LogisticRegression().fit(X, T, WEIGHT)
    assert classifier.coef_.dtype == np.float64
    np.testing.assert_array_equal(theta(classifier), theta(expected))
    np.testing.assert_array_equal(classifier.predict_proba(long), expected.predict_proba(X))


def test_calibration():
    results = []
    for kind in (sklearn.linear_model.LogisticRegression, LogisticRegression):
        calibrated = CalibratedClassifierCV(kind(tol=1e-10), cv=3, method="isotonic")
        results.append(calibrated.fit(X, LABELS).predict_proba(X))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-4, atol=1e-6)


def test_metadata_routing_brings_the_weights():
    with sklearn.config_context(enable_metadata_routing=True):
        losses = [
            cross_val_score(
                kind(tol=1e-10)
                .set_fit_request(sample_weight=True)
                .set_score_request(sample_weight=True),
                X,
                LABELS,
                params={"sample_weight": WEIGHT},
            )
            for kind in (sklearn.linear_model.LogisticRegression, LogisticRegression)
        ]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-12)


def test_frames_of_a_pipeline_bring_their_names():
    frame = pd.DataFrame(X, columns=list("abcdefg"))
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    pipeline.set_output(transform="pandas").fit(frame, LABELS)
    assert pipeline[-1].feature_names_in_.tolist() == list("abcdefg")
    np.testing.assert_array_equal(
        pipeline.predict(frame),
        make_pipeline(StandardScaler(), LogisticRegression()).fit(X, LABELS).predict(X),
    )


def test_default_tolerance_finds_the_optimum():
    optimum = fl.fit(X, T, tol=1e-14)
    classifier = LogisticRegression().fit(X, T)
    np.testing.assert_allclose(theta(classifier), [*optimum.coef, optimum.intercept], rtol=1e-6)


def test_adds_nothing_numerical():
    model = fl.fit(X, T, l2=0.25, weight=WEIGHT)
    classifier = LogisticRegression(C=4.0).fit(X, LABELS, WEIGHT)
    np.testing.assert_array_equal(classifier.coef_, [model.coef])
    np.testing.assert_array_equal(classifier.intercept_, [model.intercept])
    np.testing.assert_array_equal(classifier.n_iter_, [model.passes - 1])
    np.testing.assert_array_equal(classifier.decision_function(X), model.decision(X))
    np.testing.assert_array_equal(classifier.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(classifier.predict(X) == "yes", model.predict(X))


def test_float32_stays_float32():
    narrow = X.astype(np.float32)
    classifier = LogisticRegression().fit(narrow, T)
    assert classifier.coef_.dtype == classifier.intercept_.dtype == np.float32
    for name in ("decision_function", "predict_proba", "predict_log_proba"):
        assert getattr(classifier, name)(narrow).dtype == np.float32
        assert getattr(classifier, name)(X).dtype == np.float64
    model = fl.fit(narrow, T)
    np.testing.assert_array_equal(classifier.coef_[0], model.coef.astype(np.float32))


def test_tails_are_exact():
    classifier = LogisticRegression(fit_intercept=False).fit(X[:, :1], T)
    x = 1000.0 / classifier.coef_[0, 0]
    z = classifier.decision_function([[x], [0.04 * x]])
    log = classifier.predict_log_proba([[x], [0.04 * x]])
    np.testing.assert_array_equal(log, np.column_stack([fl.log_sigmoid(-z), fl.log_sigmoid(z)]))
    assert log[0, 0] == -z[0]
    probability = classifier.predict_proba([[x], [0.04 * x]])
    np.testing.assert_array_equal(probability[:, 0], fl.sigmoid(-z))
    assert 0.0 < probability[1, 0] < 1e-17


def test_n_jobs_changes_no_bit():
    rows = np.tile(X, (400, 1))  # enough for several parts
    labels = np.tile(T, 400)
    results = []
    for n_jobs in (None, 1, 2, -1, -1000):
        classifier = LogisticRegression(n_jobs=n_jobs).fit(rows, labels)
        results.append([theta(classifier), *classifier.predict_proba(rows)])
    for result in results[1:]:
        np.testing.assert_array_equal(np.concatenate(result), np.concatenate(results[0]))


def test_processes():
    classifier = LogisticRegression()
    expected = cross_val_score(classifier, X, LABELS)
    np.testing.assert_array_equal(cross_val_score(classifier, X, LABELS, n_jobs=2), expected)


def test_not_converged():
    with pytest.warns(ConvergenceWarning, match="not converged after 2 iterations.*max_iter"):
        classifier = LogisticRegression(max_iter=2).fit(X, T)
    assert classifier.n_iter_ == 2
    assert classifier.predict(X).shape == (1000,)


def test_remedies_of_the_trainer_are_translated():
    # Each phrase is one of the trainer's, and none that advises l2 is missing.
    source = inspect.getsource(messages).splitlines()
    advice = [line for line in source if re.search("raise .*l2", line)]
    for phrase in estimator._REMEDIES:
        assert any(phrase in line for line in advice)
        advice = [line for line in advice if phrase not in line]
    assert advice == ['        "seconds": "max_seconds have passed: raise that, l2 or tol",']


@pytest.mark.parametrize("C", [0.1, 1.0, np.inf])
@pytest.mark.parametrize("max_iter", [0, 1, 2])
def test_the_warning_describes_the_coefficients(C, max_iter):
    with pytest.warns(ConvergenceWarning) as caught:
        classifier = LogisticRegression(C=C, max_iter=max_iter).fit(X, T)
    residual = classifier.predict_proba(X)[:, 1] - T
    gradient = np.append(residual @ X + classifier.coef_[0] / C, residual.sum()) / len(T)
    assert f"gradient norm is {np.abs(gradient).max():.2g}, " in str(caught[0].message)


def test_what_rounding_forbids_is_not_blamed_on_max_iter():
    with pytest.warns(ConvergenceWarning, match=r"rounding allows no less: raise tol$"):
        LogisticRegression(tol=0.0).fit(X, T)


def test_convergence_warning_points_at_the_caller():
    with pytest.warns(ConvergenceWarning) as caught:
        LogisticRegression(max_iter=0).fit(X, T)
    assert [warning.filename for warning in caught] == [__file__]


def test_convergence_warning_can_be_silenced():
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
        classifier = LogisticRegression(max_iter=0).fit(X, T)
    np.testing.assert_array_equal(theta(classifier), np.zeros(8))


def test_feature_names_are_checked():
    table = pa.table(dict(zip("abcdefg", X.T, strict=True)))
    classifier = LogisticRegression().fit(table, LABELS)
    assert classifier.feature_names_in_.tolist() == list("abcdefg")
    assert classifier.n_features_in_ == 7
    np.testing.assert_array_equal(theta(classifier), theta(LogisticRegression().fit(X, LABELS)))
    with pytest.raises(ValueError, match="feature names"):
        classifier.predict(table.select(list("gfedcba")))
    with pytest.raises(ValueError, match=r"8 features.*expecting 7"):
        LogisticRegression().fit(X, T).predict(np.ones((2, 8)))


def odd_frames(frame):
    """In place of a data frame of one row: unusual, or wrong."""
    names = list(frame.columns)
    special = [frame.assign(b=value) for value in (np.nan, np.inf, -np.inf, None, pd.NA, "text")]
    kinds = ["f4", "f2", "i8", "i1", "bool", "complex", "object", "Float64", "Int64", "category"]
    kinds += ["double[pyarrow]", pd.SparseDtype(float), "str"]
    return [
        *special,
        *(frame.round().astype(kind) for kind in kinds),
        *(frame.round().astype({"b": kind}) for kind in kinds),
        *(frame[names[::-1]], frame[names[:-1]], frame.assign(more=1.0)),
        *(frame.iloc[:0], frame.T, frame["a"], frame.reset_index(), frame.set_index("a")),
        pd.concat([frame, frame]),
        pd.concat([frame, frame["a"]], axis=1),
        frame.set_axis(range(len(names)), axis=1),
        frame.set_axis([names], axis=1),
        frame.set_axis(pd.CategoricalIndex(names), axis=1),
        frame.set_axis([np.str_("a"), *names[1:]], axis=1),
        frame.set_axis(["a", *names[:-1]], axis=1),
        type("Frame", (pd.DataFrame,), {})(frame),
        pa.table(frame),
        frame.to_dict("list"),
    ]


def test_odd_arguments_are_taken_as_without_short_calls():
    # With `n_jobs` every prediction goes the general way.
    given, outcomes = usual()["X"], Counter()
    frame = pd.DataFrame(given[:1], columns=list("abcdefghi"))
    rows = np.random.default_rng(5).normal(size=(50, 9))
    named = pd.DataFrame(rows, columns=frame.columns)
    for fitted, labels in product((rows, named), (T[:50], np.arange(50) % 3)):
        classifier = LogisticRegression().fit(fitted, labels)
        general = LogisticRegression(n_jobs=1).fit(fitted, labels)
        for features in (given, frame, *odd_arrays(given), *odd_frames(frame)):
            call = partial(classifier.decision_function, features)
            outcomes[compared(call, partial(general.decision_function, features))] += 1
    all_happened(outcomes)


@pytest.mark.parametrize("labels", [LABELS, np.arange(1000) % 3], ids=["two", "three"])
@pytest.mark.parametrize("kind", ["float64", "float32"])
@pytest.mark.parametrize("name", ["decision_function", "predict", "predict_proba"])
def test_few_rows_are_predicted_without_validation(name, kind, labels):
    frame = pd.DataFrame(X.astype(kind), columns=list("abcdefg"))
    row, integers = frame[:1].copy(), frame[:1].round().astype({"b": "int16"})
    for fitted, rows in ((X.astype(kind), X[:9].astype(kind)), (frame, row), (frame, integers)):
        classifier, general = LogisticRegression(), LogisticRegression(n_jobs=1)
        expected = outcome(partial(getattr(general.fit(fitted, labels), name), rows))
        call = partial(getattr(classifier.fit(fitted, labels), name), rows)
        with mock.patch.object(LogisticRegression, "_validated", side_effect=AssertionError):
            assert outcome(call) == expected


def test_changed_attributes_are_looked_at():
    classifier = LogisticRegression().fit(X, LABELS)
    classifier.intercept_ = classifier.intercept_ + 1.0
    expected = X @ classifier.coef_[0] + classifier.intercept_
    np.testing.assert_allclose(classifier.decision_function(X), expected)
    classifier.n_features_in_ = 8
    with pytest.raises(ValueError, match="expecting 8"):
        classifier.predict(X)


@pytest.mark.parametrize(
    "labels", [T.astype(bool), T * 2 - 1, T + 0.0, LABELS.astype(object)], ids=lambda t: t.dtype
)
def test_any_two_labels(labels):
    classifier = LogisticRegression().fit(X, labels)
    np.testing.assert_array_equal(classifier.classes_, np.unique(labels))
    assert classifier.predict(X).dtype == labels.dtype
    np.testing.assert_array_equal(theta(classifier), theta(LogisticRegression().fit(X, T)))


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"C": 0.0}, ValueError, "C must be above 0.*0.0"),
        ({"C": -1}, ValueError, "C must be above 0.*-1"),
        ({"C": np.nan}, ValueError, "C must be above 0.*nan"),
        ({"C": 5e-324}, ValueError, "C must be above 0.*5e-324"),
        ({"C": np.float64(0)}, ValueError, r"C must be above 0.*got 0\.0$"),
        ({"C": np.int64(-1)}, ValueError, "C must be above 0.*got -1$"),
        ({"C": "l2"}, TypeError, "C must be a real number; got 'l2'"),
        ({"tol": -1e-9}, ValueError, "tol must be finite and not negative"),
        ({"tol": "small"}, TypeError, "tol must be a real number"),
        ({"fit_intercept": "no"}, TypeError, "fit_intercept must be an instance of"),
        ({"max_iter": -1}, ValueError, "max_iter == -1, must be >= 0"),
        ({"max_iter": 1.5}, TypeError, "max_iter must be an instance of int"),
        ({"penalty": "l1"}, ValueError, "penalty must be 'l2' or None; got 'l1'"),
        ({"penalty": "elasticnet"}, ValueError, "penalty must be 'l2' or None"),
        ({"l1_ratio": 0.5}, ValueError, "l1_ratio must be 0, as there is no l1 penalty; got 0.5"),
        ({"l1_ratio": 1}, ValueError, "l1_ratio must be 0"),
        ({"l1_ratio": np.float64(0.5)}, ValueError, r"no l1 penalty; got 0\.5$"),
        ({"solver": np.str_("adam")}, ValueError, "got 'adam'$"),
        ({"dual": np.True_}, ValueError, "dual must be False; got True$"),
        ({"dual": True}, ValueError, "dual must be False; got True"),
        ({"solver": "adam"}, ValueError, "solver must be 'lbfgs', .*; got 'adam'"),
        ({"solver": ["lbfgs"]}, ValueError, "solver must be 'lbfgs', "),
        ({"class_weight": "even"}, ValueError, "class_weight"),
        ({"class_weight": {5: 1.0}}, ValueError, "have the labels of y, 0, 1; got 5"),
        ({"class_weight": {np.int64(5): 1.0}}, ValueError, "have the labels of y, 0, 1; got 5"),
        ({"class_weight": {0: -1.0}}, ValueError, r"class_weight\[0\] must be finite and not neg"),
        ({"penalty": np.array(["l2"])}, ValueError, "penalty must be 'l2' or None"),
        ({"l1_ratio": np.zeros(2)}, ValueError, "l1_ratio must be 0"),
        ({"intercept_scaling": 0}, ValueError, "intercept_scaling == 0, must be > 0"),
        ({"penalty": None, "C": -3}, ValueError, "C must be above 0"),
        ({"intercept_scaling": "1"}, TypeError, "intercept_scaling must be an instance of"),
        ({"verbose": -1}, ValueError, "verbose == -1"),
        ({"warm_start": "yes"}, TypeError, "warm_start must be an instance of"),
        ({"random_state": "seed"}, ValueError, "'seed' cannot be used to seed"),
        ({"n_jobs": 0}, ValueError, "n_jobs must not be 0"),
        ({"n_jobs": 1.5}, TypeError, "n_jobs must be an instance of int"),
    ],
    ids=str,
)
def test_wrong_parameters(parameters, error, message):
    with pytest.raises(error, match=message):
        LogisticRegression(**parameters).fit(X, T)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((X, np.zeros(1000)), "y must have from 2 to 10000 classes; got 1 class: 0.0$"),
        ((X, np.zeros(1000, int)), "got 1 class: 0$"),
        ((X, ["no"] * 1000), "got 1 class: 'no'$"),
        ((X, np.ones(1000, bool)), "got 1 class: True$"),
        (
            (np.ones((30_003, 1)), np.arange(30_003) % 10_001),
            "got 10001 classes: 0, 1, 2, 3, 4 and 9996 m",
        ),
        ((X, X[:, 0]), "Unknown label type"),
        ((X, np.column_stack([T, T])), "y should be a 1d array"),
        ((X, T, -WEIGHT), "Negative values in data passed to `sample_weight`"),
        ((X, T, WEIGHT[:-1]), "sample_weight"),
        ((X, T, 0.0 * WEIGHT), "at least one sample_weight must be above 0|zero"),
        ((X, T, np.full(1000, 1e308)), "^sample_weight must have a finite sum"),
        ((np.where(X > 2, np.nan, X), T), "X contains NaN"),
    ],
    ids=[
        "one",
        "integer",
        "text",
        "bool",
        "many",
        "continuous",
        "matrix",
        "negative",
        "short",
        "zero",
        "huge",
        "nan",
    ],
)
def test_wrong_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        LogisticRegression().fit(*arguments)


def test_not_fitted():
    with pytest.raises(NotFittedError):
        LogisticRegression().predict(X)


@pytest.mark.parametrize("C", [1.0, np.inf])
@pytest.mark.parametrize("max_iter", [0, 1, 2, 3])
def test_max_iter_is_a_budget(C, max_iter):
    classifier = LogisticRegression(C=C, max_iter=max_iter)
    with pytest.warns(ConvergenceWarning, match=f"after {max_iter} iteration"):
        classifier.fit(X, T)
    assert classifier.n_iter_ == max_iter
    assert (classifier.coef_ == 0.0).all() == (max_iter == 0)
