"""Models as estimators of scikit-learn, and back."""

from __future__ import annotations

import dataclasses
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import fastlogit as fl
from tests.models.export import models

CATEGORIES = ("x", "y", "z")
ROWS = pd.DataFrame(
    {"a": [0.5, 1.5, -2.0, 0.0], "c": list("xyzx"), "d": list("pqpr"), "b": [1.0, 0.0, 2.0, 3.0]}
)
# A group in `d`, and a category without a coefficient in `c`.
FEATURES = ("a", "c=y", "c=z", "d=p", "d=q", "d (all others)", "b")
MIXED = fl.LogisticModel(
    np.array([0.1, -1 / 3, 5e-324, 1e300, -0.0, 2.0, 0.7]),
    0.2,
    FEATURES,
    classes=("no", "yes"),
    categories={"c": CATEGORIES, "d": ("p", "q", None)},
)


def moderate(model):
    """The same model with coefficients that do not overflow."""
    return dataclasses.replace(model, coef=np.linspace(-1.0, 1.0, model.coef.size))


def assert_close(found, model, rows, **options):
    """Probabilities of scikit-learn, which has 1 - y for the first class."""
    exact = model.predict_proba(rows, **options)
    np.testing.assert_allclose(found[:, 1], exact[:, 1], rtol=1e-13)
    np.testing.assert_array_equal(found[:, 0], 1.0 - found[:, 1])


def assert_same(found, model):
    """All that an estimator holds of a model, bit for bit."""
    assert found.coef.tobytes() == model.coef.tobytes()
    assert np.asarray(found.intercept).tobytes() == np.asarray(model.intercept).tobytes()
    assert found.feature_names == model.feature_names
    assert found.classes == model.classes
    assert [*map(type, found.classes)] == [*map(type, model.classes)]
    assert found.with_intercept == model.with_intercept
    assert found.categories == model.categories


@pytest.mark.parametrize("name", models.MODELS)
def test_predictions_are_those_of_the_model(name):
    model, table = models.MODELS[name]()
    estimator, frame = model.to_sklearn(), pd.DataFrame(table)[[*reversed(table)]]
    if not model.categories:
        frame = frame[[*model.feature_names]]
    p, exact = estimator.predict_proba(frame), model.predict_proba(table)
    assert estimator.predict(frame).tolist() == model.predict(table).tolist()
    right = np.abs(p - exact) <= models.tolerance(model, table, exact)
    if len(model.classes) == 2:
        # scikit-learn has 1 - y for the first class, and 0 for y that 1 / y overflows for.
        right[:, 0] = p[:, 0] == 1.0 - p[:, 1]
        right[:, 1] |= (p[:, 1] == 0.0) & (exact[:, 1] < 1.0 / np.finfo(np.float64).max)
    assert right.all()


@pytest.mark.parametrize("name", models.MODELS)
def test_a_round_trip_keeps_every_bit(name):
    model, _ = models.MODELS[name]()
    assert_same(fl.from_sklearn(model.to_sklearn()), model)


@pytest.mark.parametrize(
    "model",
    [
        fl.LogisticModel([0.1, -0.0, 5e-324, 1.7976931348623157e308], 1 / 3),
        fl.LogisticModel([1.0], classes=(True, False), with_intercept=False),
        fl.LogisticModel([1.0], classes=(0.5, -1.5)),
        fl.LogisticModel(np.eye(3, 2) / 3, [0.1, 0.2, 0.3], ("b", "a"), classes=(7, 5, 6)),
        fl.LogisticModel([1.0], 0.0, ('"; drop table\n',)),
        fl.LogisticModel([1.0, 2.0], 0.0, ("ü=' ", "ü="), categories={"ü": ("' ", "")}),
        MIXED,
    ],
    ids=["bits", "bool", "float", "three classes", "name", "text", "mixed"],
)
def test_a_round_trip_keeps_every_bit_of_odd_models(model):
    assert_same(fl.from_sklearn(model.to_sklearn()), model)


def test_features_of_a_column_come_together():
    names = ("d=q", "c=y", "a", "d=p")
    categories = {"c": ("x", "y"), "d": ("p", "q")}
    model = fl.LogisticModel([1.0, 2.0, 3.0, 4.0], 0.2, names, categories=categories)
    found = fl.from_sklearn(model.to_sklearn())
    assert found.feature_names == ("d=p", "d=q", "c=y", "a")
    assert found.coef.tolist() == [4.0, 1.0, 2.0, 3.0]
    assert found.categories == categories


def test_a_pipeline_treats_every_text_as_the_model_does():
    model = moderate(MIXED)
    estimator = model.to_sklearn()
    assert_close(estimator.predict_proba(ROWS), model, ROWS)
    assert estimator[-1].n_features_in_ == 7
    with pytest.raises(ValueError, match="unknown categories"):
        estimator.predict_proba(ROWS.assign(c="?"))
    rows = ROWS.assign(c=list("xy?z"), d=["infrequent_sklearn", "(all others)", "?", "p"])
    estimator = model.to_sklearn(unknown="ignore")
    with pytest.warns(UserWarning, match="unknown categories .* encoded as all zeros"):
        found = estimator.predict_proba(rows)
    assert_close(found, model, rows, unknown="ignore")


@pytest.mark.parametrize("values", [(None,), ("(all others)", None), ("x", None), ("x", "y", "z")])
@pytest.mark.parametrize("kept", [0, 1, None])
def test_categories_with_and_without_coefficients(values, kept):
    every = ["c (all others)" if value is None else f"c={value}" for value in values][:kept]
    model = fl.LogisticModel(
        np.arange(1.0, len(every) + 2), 0.5, ("a", *every), categories={"c": values}
    )
    estimator = model.to_sklearn()
    texts = [value or "other" for value in values] + ["?"] * (None in values)
    rows = pd.DataFrame({"c": texts, "a": np.linspace(-1.0, 1.0, len(texts))})
    with warnings.catch_warnings(action="ignore"):  # it warns of unknown texts in a group
        assert_close(estimator.predict_proba(rows), model, rows)
    back = fl.from_sklearn(estimator)
    np.testing.assert_array_equal(back.predict_proba(rows), model.predict_proba(rows))
    assert back.categories == {"c": values}


def test_a_pipeline_of_scikit_learn_is_converted():
    table = {name: models.text()[1][name] for name in ("hour", "carrier", "month", "rain")}
    frame, t = pd.DataFrame(table), models.raw()["late"].to_numpy()
    encoders = [OneHotEncoder(drop="first"), OneHotEncoder(min_frequency=60, sparse_output=False)]
    encoders[1].set_params(handle_unknown="infrequent_if_exist")
    parts = [("p", "passthrough", ["hour"]), ("o", encoders[0], ["month", "carrier"])]
    for transformers, remainder in (
        (parts, "passthrough"),
        ([("o", encoders[1], [1, 2]), ("d", "drop", ["rain"]), *parts[:1]], "drop"),
        ([("e", OneHotEncoder(), []), *parts], "drop"),
    ):
        transformer = ColumnTransformer(transformers, remainder=remainder)
        theirs = make_pipeline(transformer, LogisticRegression(max_iter=20, tol=1.0)).fit(frame, t)
        model = fl.from_sklearn(theirs)
        assert len(model.feature_names) == model.coef.size
        rows = frame[[*model.columns.numbers, *model.columns.text]]
        np.testing.assert_allclose(
            model.predict_proba(rows)[:, 1], theirs.predict_proba(frame)[:, 1], rtol=1e-9
        )


ANOTHER_LIBRARYS = type("OneHotEncoder", (StandardScaler,), {})


@pytest.mark.parametrize("steps", [[], ["passthrough"]])
def test_a_pipeline_that_changes_no_column(steps):
    theirs = make_pipeline(*steps, LogisticRegression()).fit(ROWS[["a"]], [0, 1, 0, 1])
    model = fl.from_sklearn(theirs)
    assert model.feature_names == ("a",)
    np.testing.assert_array_equal(model.coef, theirs[-1].coef_[0])


@pytest.mark.parametrize(
    ("steps", "error", "message"),
    [
        ([StandardScaler()], TypeError, "got Pipeline of StandardScaler before the last step"),
        ([ColumnTransformer([("s", StandardScaler(), ["a"])])], TypeError, "got StandardScaler"),
        (
            [ColumnTransformer([("o", ANOTHER_LIBRARYS(), ["a"])])],
            TypeError,
            "scikit-learn's OneHotEncoder; got OneHotEncoder",
        ),
        (
            [ColumnTransformer([("o", OneHotEncoder(), ["a"])])],
            TypeError,
            "category -2.0 in column",
        ),
        ([ColumnTransformer([("a", "passthrough", slice(1))])], TypeError, "got slice"),
        (
            [ColumnTransformer([("a", "passthrough", ["a"])], transformer_weights={"a": 2.0})],
            ValueError,
            "without transformer_weights",
        ),
        (
            [ColumnTransformer([("o", OneHotEncoder(min_frequency=2), ["c"])])],
            ValueError,
            "handle_unknown='infrequent_if_exist'.*got 'error' for column 'c'",
        ),
    ],
)
def test_another_kind_of_pipeline_is_an_error(steps, error, message):
    rows = ROWS[["a"]] if isinstance(steps[0], StandardScaler) else ROWS
    theirs = make_pipeline(*steps, LogisticRegression()).fit(rows, [0, 1, 0, 1])
    with pytest.raises(error, match=rf"^estimator must be .*{message}"):
        fl.from_sklearn(theirs)


def test_a_pipeline_that_is_not_fitted_or_has_no_names_is_an_error():
    transformer = ColumnTransformer([("a", "passthrough", [0])])
    theirs = Pipeline([("t", transformer), ("l", LogisticRegression())])
    with pytest.raises(TypeError, match=r"^estimator must be a fitted linear classifier"):
        fl.from_sklearn(theirs)
    theirs.fit(ROWS[["a"]].to_numpy(), [0, 1, 0, 1])
    with pytest.raises(ValueError, match=r"^estimator must be .* a table with column names"):
        fl.from_sklearn(theirs)


@pytest.mark.parametrize(
    ("l2", "C"), [(0.0, np.inf), (4.0, 0.25), ([1.0, 2.0], 1.0)], ids=["none", "one", "many"]
)
def test_the_penalty_is_an_inverse_strength(l2, C):
    assert fl.LogisticModel([1.0, 2.0], l2=l2).to_sklearn().C == C


def test_the_estimator_shares_no_memory_with_the_model():
    model = fl.LogisticModel([1.0, 2.0])
    model.to_sklearn().coef_ *= 2.0
    assert model.coef.tolist() == [1.0, 2.0]


def test_many_columns_and_categories():
    values = [f"category {i}" for i in range(10_000)]
    names = [f"x{j}" for j in range(5000)] + [f"c={one}" for one in values]
    coef = np.random.default_rng(6).normal(size=len(names))
    model = fl.LogisticModel(coef, 0.5, names, categories={"c": values})
    estimator = model.to_sklearn()
    assert_same(fl.from_sklearn(estimator), model)
    rows = pd.DataFrame(np.ones((2, 5000)) / 5000, columns=names[:5000])
    rows = pd.concat([rows, pd.DataFrame({"c": [values[-1], values[7]]})], axis=1)
    assert_close(estimator.predict_proba(rows), model, rows)


def test_an_offset_or_a_wrong_option_is_an_error():
    with pytest.raises(
        ValueError, match=r"^model must be trained without an offset, as scikit-learn"
    ):
        fl.LogisticModel([1.0], with_offset=True).to_sklearn()
    with pytest.raises(ValueError, match=r"^unknown must be 'error' or 'ignore'; got 'nan'"):
        fl.LogisticModel([1.0]).to_sklearn(unknown="nan")


@pytest.mark.parametrize(
    ("package", "message"),
    [
        ("sklearn.linear_model", r"this needs scikit-learn: pip install 'fastlogit\[sklearn\]'$"),
        ("pandas", "a pipeline for categories needs pandas: pip install pandas$"),
    ],
)
def test_a_missing_package_is_named(monkeypatch, package, message):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=f"^{message}"):
        MIXED.to_sklearn()
