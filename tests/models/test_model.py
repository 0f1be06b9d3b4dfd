"""`LogisticModel`: its fields, predictions and offsets."""

from __future__ import annotations

import math
import pickle
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import fastlogit as fl
from fastlogit.models.model import History, OffsetWarning, loaded

HISTORY = History((1, 2), (0.5, 0.25), (0.1, 1e-9), (0.0, 1.0), (0.01, 0.02))
MODEL = fl.LogisticModel(
    [2.0, -1.0],
    0.5,
    ("a", "b"),
    1.0,
    0.25,
    1e-9,
    True,
    7,
    ("no", "yes"),
    True,
    0.75,
    100.0,
    "newton",
    0.02,
    HISTORY,
    [0.1, math.nan, 4.0],
)


def fields(model):
    """All fields, floats as their bits, so that NaN and -0.0 compare."""
    values = dict(vars(model))
    for name, value in values.items():
        if isinstance(value, float | np.ndarray):
            values[name] = np.float64(value).tobytes()
    if model.history is not None:
        values["history"] = [np.array(column).tobytes() for column in model.history]
    return values


# Predictions ------------------------------------------------------------------------------


def test_decision_and_probabilities_are_those_of_linear():
    X = np.random.default_rng(0).normal(size=(50, 2))
    z = fl.linear.decision(X, MODEL.coef, MODEL.intercept)
    assert (MODEL.decision(X) == z).all()
    out = np.empty(50)
    assert MODEL.decision(X, out=out, threads=2) is out
    np.testing.assert_array_equal(
        MODEL.predict_proba(X), np.column_stack([fl.sigmoid(-z), fl.sigmoid(z)])
    )


def test_both_tails_of_the_probabilities_are_kept():
    model = fl.LogisticModel([1.0])
    both = model.predict_proba([[745.1], [-745.1], [40.0], [-40.0], [0.0]])
    assert both[0].tolist() == [5e-324, 1.0]
    assert both[1].tolist() == [1.0, 5e-324]
    assert both[2].tolist() == [fl.sigmoid(-40.0), 1.0]
    assert both[3].tolist() == [1.0, fl.sigmoid(-40.0)]
    assert both[4].tolist() == [0.5, 0.5]


def test_labels_are_one_where_the_probability_is_above_the_threshold():
    model = fl.LogisticModel([1.0])
    X = np.array([[-1.0], [0.0], [1.0], [40.0], [800.0]])
    y = fl.sigmoid(X[:, 0])
    assert model.predict(X).tolist() == [0, 0, 1, 1, 1]
    assert model.predict(X).dtype == np.int64
    assert model.predict(X, threshold=float(y[0])).tolist() == [0, 1, 1, 1, 1]
    assert model.predict(X, threshold=0.0).tolist() == [1, 1, 1, 1, 1]
    assert model.predict(X, threshold=1.0).tolist() == [0, 0, 0, 0, 0]


@pytest.mark.parametrize("threshold", ["a", None, [0.5], 0.5j])
def test_a_threshold_must_be_a_number(threshold):
    with pytest.raises(TypeError, match=r"^threshold must be a real number; got "):
        MODEL.predict([[0.0, 0.0]], threshold=threshold)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, math.nan, math.inf])
def test_a_threshold_outside_0_and_1_is_an_error(threshold):
    with pytest.raises(ValueError, match=f"^threshold must .*{threshold}"):
        MODEL.predict([[0.0, 0.0]], threshold=threshold)


def test_a_row_with_nan_has_no_label_but_a_nan_for_a_probability():
    X = [[0.0, 0.0], [1.0, math.nan], [math.nan, 1.0]]
    assert np.isnan(MODEL.predict_proba(X)).tolist() == [[False] * 2, [True] * 2, [True] * 2]
    with pytest.raises(ValueError, match=r"^X .*row 1.*NaN"):
        MODEL.predict(X)


@pytest.mark.parametrize("method", ["decision", "predict", "predict_proba"])
def test_rows_of_another_width_are_an_error(method):
    with pytest.raises(ValueError, match=r"X must have 2 columns, as the model has coef.*; got 3"):
        getattr(MODEL, method)([[1.0, 2.0, 3.0]])


def test_nulls_are_an_error_or_nan():
    table = pa.table({"x": [1.0, None]})
    model = fl.LogisticModel([2.0], 0.0, feature_names=("x",))
    for function in (model.decision, model.predict_proba, model.predict):
        with pytest.raises(ValueError, match=r"^X must have no nulls; column 'x'"):
            function(table)
    np.testing.assert_array_equal(model.decision(table, missing="nan"), [2.0, np.nan])
    y = model.predict_proba(table, missing="nan")
    np.testing.assert_array_equal(y[:, 1], [fl.sigmoid(2.0), np.nan])


# Offsets ----------------------------------------------------------------------------------

OFFSET = np.array([0.5, -1.0, 3.0])
ROWS = np.array([[0.0, 1.0], [2.0, -1.0], [1.0, 0.5]])
TRAINED_WITH = replace(MODEL, with_offset=True)


@pytest.mark.parametrize(
    "offset",
    [
        OFFSET,
        OFFSET.tolist(),
        OFFSET.astype(np.float32),
        pa.array(OFFSET),
        pa.chunked_array([OFFSET[:1], OFFSET[1:]]),
        pd.Series(OFFSET, index=[7, 8, 9]),
        pd.Series(OFFSET, dtype="Float64"),
        pl.Series(OFFSET),
    ],
    ids=lambda offset: f"{type(offset).__module__}.{type(offset).__name__}",
)
@pytest.mark.parametrize("model", [MODEL, TRAINED_WITH], ids=["without", "with"])
def test_an_offset_is_added_to_the_logits(model, offset):
    z = ROWS @ MODEL.coef + MODEL.intercept + OFFSET
    np.testing.assert_allclose(model.decision(ROWS, offset=offset), z, rtol=1e-15)
    y = model.predict_proba(ROWS, offset=offset)
    np.testing.assert_allclose(y, np.column_stack([fl.sigmoid(-z), fl.sigmoid(z)]), rtol=1e-14)
    labels = np.array(["no", "yes"])[(z > 0).astype(int)]
    assert model.predict(ROWS, offset=offset).tolist() == labels.tolist()


def test_an_offset_is_added_to_columns_of_text():
    model = fl.LogisticModel(
        [2.0, -1.0], 0.5, ("a", "b=x"), categories={"b": ("x", "y")}, with_offset=True
    )
    table = pa.table({"a": [0.0, 1.0, 2.0], "b": ["x", "y", "x"]})
    z = [-0.5 + 0.5, 2.5 - 1.0, 3.5 + 3.0]
    assert model.decision(table, offset=OFFSET).tolist() == z
    only_text = fl.LogisticModel([-1.0], 0.5, ("b=x",), categories={"b": ("x", "y")})
    assert only_text.decision(table.select(["b"]), offset=OFFSET).tolist() == [0.0, -0.5, 2.5]
    with pytest.raises(ValueError, match=r"offset must have one element for each row of X, 3"):
        model.decision(table, offset=OFFSET[:2])


@pytest.mark.parametrize("method", ["decision", "predict_proba", "predict"])
def test_a_model_that_was_trained_with_an_offset_warns_once_without_one(method):
    predict = getattr(TRAINED_WITH, method)
    with pytest.warns(OffsetWarning, match=r"^offset must be given, as the model was ") as caught:
        found = predict(ROWS)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(found, getattr(MODEL, method)(ROWS))


def test_standard_errors_of_data_without_the_offset_warn():
    model = replace(TRAINED_WITH, l2=0.0)
    for method in ("standard_errors", "z_values", "p_values", "confidence_intervals"):
        with pytest.warns(OffsetWarning) as caught:
            getattr(model, method)(ROWS)
        assert [warning.filename for warning in caught] == [__file__]
    model.standard_errors(ROWS, offset=OFFSET)
    model.standard_errors()


@pytest.mark.parametrize(
    "offset",
    [
        pa.array([0.5, None, 3.0]),
        pa.chunked_array([[0.5], [None, 3.0]]),
        pd.Series([0.5, None, 3.0], dtype="Float64"),
        pl.Series([0.5, None, 3.0]),
    ],
    ids=["Arrow", "Arrow in chunks", "pandas", "Polars"],
)
def test_nulls_of_an_offset_follow_missing(offset):
    with pytest.raises(ValueError, match=r"^offset must have no nulls; it has 1"):
        MODEL.decision(ROWS, offset=offset)
    expected = MODEL.decision(ROWS, offset=[0.5, np.nan, 3.0])
    assert np.isnan(expected).tolist() == [False, True, False]
    np.testing.assert_array_equal(MODEL.decision(ROWS, offset=offset, missing="nan"), expected)


@pytest.mark.parametrize(
    "offset",
    [
        *("x", ["a"] * 3, 0.5, np.zeros(2), [[1.0]] * 3, pd.NA),
        *(pd.Series(list("abc")), pa.array(list("abc")), pl.Series(list("abc"))),
        *(pd.DataFrame({"a": OFFSET}), pa.table({"a": OFFSET}), pa.scalar(1.0), {"a": OFFSET}),
    ],
)
def test_an_odd_offset_is_an_error(offset):
    with pytest.raises((TypeError, ValueError), match=r"^offset must "):
        MODEL.decision(ROWS, offset=offset)


def test_fit_says_whether_there_was_an_offset():
    t = [0, 1, 0]
    assert fl.fit(ROWS, t, offset=OFFSET).with_offset
    assert not fl.fit(ROWS, t).with_offset


# A model or its file ----------------------------------------------------------------------


def test_a_model_or_the_path_of_its_file(tmp_path):
    path = tmp_path / "model.json"
    MODEL.save(path)
    assert loaded(MODEL) is MODEL
    for given in (path, str(path)):
        assert fields(loaded(given)) == fields(MODEL)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json"):
        loaded(tmp_path / "nowhere.json")


@pytest.mark.parametrize("given", [None, pd.NA, 3, b"model.json", {"coef": [1.0]}, [1.0]])
def test_another_object_is_not_a_model(given):
    with pytest.raises(TypeError, match=r"^model must be a LogisticModel or the path of its file"):
        loaded(given)


# The constructor --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"coef": []}, "coef .*empty"),
        ({"coef": [[1.0]]}, r"coef must have shape \(d,\) for two .* K >= 3 .*; got \(1, 1\)"),
        ({"coef": np.ones((2, 3))}, r"coef must have shape .*; got \(2, 3\)"),
        ({"coef": np.ones((3, 2, 1))}, "coef must have one axis"),
        ({"coef": [[1.0], [math.nan], [0.0]]}, "coef must be finite; got nan"),
        (
            {"coef": np.ones((3, 2)), "intercept": [1.0]},
            "intercept must have .* row of coef, 3; got 1",
        ),
        ({"coef": np.ones((3, 2)), "intercept": [1.0, 2.0, math.inf]}, "intercept must be finite"),
        (
            {"coef": np.ones((3, 2)), "classes": (0, 1)},
            r"classes must be 3 different .*got \(0, 1\)",
        ),
        ({"coef": np.ones((3, 2)), "classes": "abc"}, "classes must be 3 labels; got 'abc'"),
        ({"coef": np.ones((3, 2)), "classes": {"a", "b", "c"}}, "classes must be 3 labels; got {"),
        ({"coef": np.ones((3, 2)), "variances": np.ones(9)}, "variances must have 2 axes"),
        (
            {"coef": np.ones((3, 2)), "variances": np.ones((3, 3))},
            r"variances .* \(2, 3\); got \(3, 3",
        ),
        ({"coef": np.ones((3, 2)), "feature_names": tuple("abc")}, "feature_names .*, 2; got 3"),
        ({"coef": np.ones((3, 2)), "l2": np.ones(3)}, "l2 must .*, 2; got 3"),
        ({"coef": 1.0}, "coef .*one axis"),
        ({"coef": ["a"]}, "coef must hold real numbers; got dtype <U1"),
        ({"coef": [1j]}, "coef must hold real numbers; got dtype complex128"),
        ({"coef": np.ones(2, complex)}, "coef must hold real numbers; got dtype complex128"),
        ({"coef": None}, "coef must be an array of real numbers; got NoneType"),
        ({"coef": [[1.0], [1.0, 2.0]]}, "coef must have one axis, of rows of the same length"),
        ({"coef": np.ma.masked_array([1.0, 2.0], [0, 1])}, "coef must have no masked elements"),
        ({"coef": [1.0], "intercept": "x"}, "intercept must be a real number; got 'x'"),
        ({"coef": [1.0], "intercept": None}, "intercept must be a real number; got None"),
        ({"coef": [1.0], "intercept": 1j}, "intercept must be a real number; got 1j"),
        ({"coef": [1.0], "intercept": [0.5]}, "intercept must be a real number; got"),
        ({"coef": [1.0], "intercept": np.ma.masked}, "intercept must be a real number; got mask"),
        ({"coef": [1.0, math.nan]}, "coef must be finite; got nan"),
        ({"coef": [1.0, -math.inf]}, "coef must be finite; got -inf"),
        ({"coef": [1.0], "intercept": math.nan}, "intercept must be finite; got nan"),
        ({"coef": [1.0], "intercept": math.inf}, "intercept must be finite; got inf"),
        ({"coef": [1.0], "l2": "x"}, "l2 must be a real number; got 'x'"),
        ({"coef": [1.0], "l2": math.nan}, "l2 must be finite and not negative; got nan"),
        (
            {"coef": [1.0], "mean_log_loss": math.inf},
            "mean_log_loss must be finite and not negative",
        ),
        ({"coef": [1.0], "gradient_norm": -1.0}, "gradient_norm must be finite and not negative"),
        ({"coef": [1.0], "converged": "yes"}, "converged must be True or False; got 'yes'"),
        ({"coef": [1.0], "passes": -1}, "passes must be a whole number of at least 0; got -1"),
        ({"coef": [1.0], "passes": 0.5}, "passes must be a whole number of at least 0; got 0.5"),
        ({"coef": [1.0], "feature_names": ("a", "b")}, "feature_names .* 1; got 2"),
        ({"coef": [1.0], "feature_names": ()}, "feature_names .* 1; got 0"),
        ({"coef": [1.0, 2.0], "feature_names": ("a", "a")}, "feature_names .*'a' more than once"),
        ({"coef": [1.0], "feature_names": (1,)}, "feature_names must be a sequence of names; got "),
    ],
)
def test_a_model_that_could_not_predict_is_an_error(arguments, message):
    with pytest.raises((TypeError, ValueError), match=f"^{message}"):
        fl.LogisticModel(**arguments)


def test_a_model_copies_its_arrays_and_is_immutable():
    coef = np.array([1.0, 2.0])
    model = fl.LogisticModel(coef)
    coef[0] = 9.0
    assert model.coef.tolist() == [1.0, 2.0]
    assert coef.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        model.coef[0] = 9.0
    with pytest.raises(AttributeError):
        model.intercept = 9.0


def test_copies_are_immutable():
    for copy in (pickle.loads(pickle.dumps(MODEL)), deepcopy(MODEL)):
        assert fields(copy) == fields(MODEL)
        with pytest.raises(ValueError, match="read-only"):
            copy.coef[0] = 9.0


# Odd arguments ----------------------------------------------------------------------------


class Lying(dict):
    """A mapping that has fewer columns than it says."""

    def __iter__(self):
        return iter(["a", "b"])


class Raising(Mapping):
    def __getitem__(self, name):
        raise KeyError(name)

    def __iter__(self):
        return iter(["a", "b"])

    def __len__(self):
        return 2


class NoStream:
    __arrow_c_stream__ = 3


@pytest.mark.parametrize(
    "X",
    [pd.NA, pd.NaT, "x", 3, NoStream(), Lying(), Lying({"a": [1.0]}), Raising(), object],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("method", ["decision", "predict_proba", "predict", "z_values"])
def test_an_object_that_is_not_a_table_is_an_error_that_names_it(X, method):
    with pytest.raises((TypeError, ValueError), match=r"^X "):
        getattr(replace(MODEL, l2=0.0), method)(X)


@pytest.mark.parametrize(
    "value", [pd.NA, None, np.int64(0), np.zeros(2), pd.Series([1, 2]), [], {}, b"nan", "skip"]
)
@pytest.mark.parametrize("name", ["missing", "unknown"])
@pytest.mark.parametrize("method", ["decision", "predict_proba"])
def test_an_odd_option_is_an_error_that_names_it(method, name, value):
    with pytest.raises(
        ValueError, match=f"^{name} must be 'error' or '(nan|ignore)'; got"
    ) as caught:
        getattr(MODEL, method)(ROWS, **{name: value})
    assert "np.int64" not in str(caught.value)


def test_standard_errors_need_a_hessian_that_fits():
    model = fl.LogisticModel(np.zeros((100, 100)))
    with pytest.raises(ValueError, match=r"at most 10,000 coefficients and .* got 10,100$"):
        model.standard_errors(np.zeros((1, 100)))
    with pytest.raises(ValueError, match=r"at most 10,000 coefficients and .* got 10,001$"):
        fl.LogisticModel(np.zeros(10_000)).p_values(np.zeros((1, 10_000)))


def test_standard_errors_need_finite_data():
    model = fl.LogisticModel([1.0, 2.0])
    with pytest.raises(ValueError, match=r"^X, weight and offset must be finite"):
        model.standard_errors(ROWS, offset=[np.nan, 1.0, 2.0])
    with pytest.raises(ValueError, match=r"^X, weight and offset must be finite"):
        model.p_values([[1.0, np.nan], [2.0, 1.0]])


def test_an_infinite_variance_becomes_nan(tmp_path):
    model = fl.LogisticModel([1.0], 0.0, variances=[np.inf, 4.0])
    assert np.isnan(model.variances).tolist() == [True, False]
    model.save(tmp_path / "model.json")
    assert fields(fl.load(tmp_path / "model.json")) == fields(model)


def test_classes_may_be_any_finite_numbers():
    for classes in ((0.0, 1e300), (-(2**63), 2**63 - 1), (-1, 2.5)):
        model = fl.LogisticModel([1.0], 0.0, classes=classes)
        assert model.predict([[-1.0], [1.0]]).tolist() == list(classes)
