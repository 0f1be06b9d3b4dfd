"""Predictions of models with K classes, from arrays and tables; their files and summaries."""

from __future__ import annotations

import json
import math
import pickle
from copy import deepcopy

import numpy as np
import polars as pl
import pytest
from scipy.special import log_softmax, softmax

import fastlogit as fl
from fastlogit.models import predictions
from fastlogit.models.model import OffsetWarning

RNG = np.random.default_rng(4)
COEF, INTERCEPT = RNG.normal(size=(3, 2)), RNG.normal(size=3)
CLASSES = ("low", "middle", "high")
VARIANCES = np.array([[1.0, 4.0, math.nan], [9.0, 16.0, 25.0]])
MODEL = fl.LogisticModel(COEF, INTERCEPT, ("a", "b"), classes=CLASSES, variances=VARIANCES)
X = RNG.normal(size=(50, 2))
LOGITS = X @ COEF.T + INTERCEPT


def test_logits_probabilities_and_labels():
    Z = MODEL.decision(X)
    np.testing.assert_array_equal(Z, fl.linear.decision(X, COEF, INTERCEPT))
    np.testing.assert_allclose(Z, LOGITS, rtol=1e-12)
    out = np.empty((50, 3))
    assert MODEL.decision(X, out=out, threads=2) is out
    np.testing.assert_allclose(MODEL.predict_proba(X), softmax(LOGITS, axis=1), rtol=1e-12)
    labels = np.array(CLASSES)[LOGITS.argmax(axis=1)]
    np.testing.assert_array_equal(MODEL.predict(X), labels)


def test_equal_logits_give_the_first_class():
    assert fl.LogisticModel(np.zeros((3, 1))).predict([[1.0]]).tolist() == [0]


def test_a_row_with_nan_has_no_label():
    broken = X.copy()
    broken[7, 1] = math.nan
    assert np.isnan(MODEL.predict_proba(broken)[7]).all()
    assert np.isfinite(np.delete(MODEL.predict_proba(broken), 7, axis=0)).all()
    with pytest.raises(ValueError, match="X gives no label in row 7: its probability is NaN"):
        MODEL.predict(broken)
    with pytest.raises(ValueError, match="X gives no label in row 0"):
        fl.LogisticModel([[1e300], [0.0], [0.0]]).predict([[1e300]])


def test_classes_have_no_threshold():
    with pytest.raises(ValueError, match="threshold must go with two classes; the model has 3"):
        MODEL.predict(X, threshold=0.4)


def test_offsets_have_a_column_for_each_class():
    offset = RNG.normal(size=(50, 3))
    np.testing.assert_allclose(MODEL.decision(X, offset=offset), LOGITS + offset, rtol=1e-12)
    with pytest.raises(ValueError, match=r"offset must have 2 axes|offset must have one row"):
        MODEL.decision(X, offset=np.zeros(50))
    trained = fl.LogisticModel(COEF, INTERCEPT, with_offset=True)
    with pytest.warns(OffsetWarning):
        trained.predict(X)


def test_text_columns_have_a_coefficient_for_each_class():
    names = ("a", "b", "from=JFK", "from=LGA")
    places = {"from": ("EWR", "JFK", "LGA")}
    wide = np.column_stack([COEF, RNG.normal(size=(3, 2))])
    model = fl.LogisticModel(wide, INTERCEPT, names, classes=CLASSES, categories=places)
    places = ["JFK", "EWR", "LGA", "JFK", None]
    table = pl.DataFrame({"from": places, "a": X[:5, 0], "b": X[:5, 1]})
    known = np.column_stack([X[:5], [[1, 0], [0, 0], [0, 1], [1, 0], [math.nan, 0]]])
    expected = known @ wide.T + INTERCEPT
    with pytest.raises(ValueError, match="X must have no nulls; column 'from' has 1"):
        model.decision(table)
    np.testing.assert_allclose(model.decision(table, missing="nan"), expected, rtol=1e-12)
    offset = np.ones((4, 3))
    got = model.decision(table[:4], offset=offset)
    np.testing.assert_allclose(got, expected[:4] + 1.0, rtol=1e-12)
    only_text = fl.LogisticModel(wide[:, 2:], INTERCEPT, names[2:], categories=model.categories)
    expected = known[:4, 2:] @ wide[:, 2:].T + INTERCEPT
    np.testing.assert_allclose(only_text.decision(table[:4].select("from")), expected, rtol=1e-12)
    table[0, "from"] = "BOS"
    with pytest.raises(ValueError, match="column 'from' has 'BOS' in row 0"):
        model.decision(table[:4])


@pytest.mark.parametrize("count", [2, 3])
def test_two_classes_and_more_have_the_same_functions(count):
    logits = RNG.normal(size=50) if count == 2 else LOGITS
    both = np.column_stack([np.zeros(50), logits]) if count == 2 else logits
    np.testing.assert_allclose(predictions.probabilities(logits), softmax(both, axis=1), rtol=1e-12)
    expected = log_softmax(both, axis=1)
    np.testing.assert_allclose(predictions.log_probabilities(logits), expected, rtol=1e-12)
    np.testing.assert_array_equal(predictions.class_numbers(logits), both.argmax(axis=1))
    broken = logits.copy()
    broken[3] = math.nan
    assert predictions.class_numbers(broken)[3] == -1


# Files and copies -------------------------------------------------------------------------


def test_a_file_keeps_every_bit(tmp_path):
    path = tmp_path / "model.json"
    MODEL.save(path)
    content = json.loads(path.read_text())
    assert content["version"] == 4
    assert content["coef"] == COEF.tolist()
    assert content["intercept"] == INTERCEPT.tolist()
    assert content["variances"][0][2] is None
    for copy in (fl.load(path), pickle.loads(pickle.dumps(MODEL)), deepcopy(MODEL)):
        for name, value in vars(MODEL).items():
            np.testing.assert_array_equal(getattr(copy, name), value)
        for name in ("coef", "intercept", "variances"):
            with pytest.raises(ValueError, match="read-only"):
                getattr(copy, name)[0] = 1.0
        np.testing.assert_array_equal(copy.predict_proba(X), MODEL.predict_proba(X))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"coef": [[1.0, 2.0], [1.0]]}, "'coef' must have lists of one length"),
        ({"coef": [[1.0], 2.0, [1.0]]}, "'coef' must be a list; got 2.0"),
        ({"coef": [[1.0], ["x"], [1.0]]}, "'coef' must be a finite number; got 'x'"),
        ({"coef": [[], [], []]}, "coef must not be empty"),
        ({"coef": [[1.0, 2.0]] * 2}, r"coef must have shape \(d,\) .*; got \(2, 2\)"),
        ({"intercept": [1.0]}, "intercept must have one number for each row of coef, 3; got 1"),
        ({"classes": [0, 1]}, r"classes must be 3 different labels; got \(0, 1\)"),
        ({"classes": ["x", "y", "x"]}, "classes must be 3 different labels"),
        ({"variances": [1.0, 2.0]}, "variances must have 2 axes"),
    ],
)
def test_a_broken_file_is_an_error_that_says_where(tmp_path, changes, message):
    path = tmp_path / "model.json"
    path.write_text(json.dumps(MODEL.content() | changes))
    with pytest.raises(ValueError, match=f"model.json: not a valid model: {message}"):
        fl.load(path)


# Summaries --------------------------------------------------------------------------------


def test_the_summary_has_a_part_for_each_class():
    lines = MODEL.summary().splitlines()
    assert lines[1].startswith("classes: 3")
    titles = [line for line in lines if line.startswith("class '")]
    assert titles == ["class 'middle' minus class 'low'", "class 'high' minus class 'low'"]
    row = lines[lines.index(titles[1]) + 2].split()
    difference = COEF[2, 1] - COEF[0, 1]
    assert row[:4] == ["b", f"{difference:.6g}", "4", f"{difference / 4.0:.3f}"]
    plain = fl.LogisticModel(COEF, INTERCEPT, classes=CLASSES).summary().splitlines()
    titles = [line for line in plain if line.startswith("class '")]
    assert titles == ["class 'low'", "class 'middle'", "class 'high'"]
    assert plain[plain.index("class 'high'") + 1].split() == ["x0", f"{COEF[2, 0]:.6g}"]


def test_log_odds_keep_their_digits_in_both_tails():
    Z = np.array([[0.0, -40.0, -1000.0], [0.0, 0.0, 0.0], [-800.0, 0.0, -900.0]])
    odds = predictions.log_odds(Z)
    np.testing.assert_allclose(odds[0], [40.0, -40.0, -1000.0], rtol=1e-15)
    np.testing.assert_allclose(odds[1], -math.log(2.0), rtol=1e-15)
    assert odds[2].tolist() == [-800.0, math.inf, -900.0]
