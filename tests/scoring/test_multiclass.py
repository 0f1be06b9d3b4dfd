"""Measures of more than two classes, against scikit-learn's."""

from __future__ import annotations

import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn import metrics

import fastlogit as fl
from fastlogit.scoring import evaluate, multiclass, roc

N, K = 3000, 4
LABELS = ("ant", "bee", "cat", "dog")
RNG = np.random.default_rng(27)
X = RNG.normal(size=(N, 3))
COEF = RNG.normal(size=(K, 3)) * 1.5
Z = X @ COEF.T + [0.0, 0.5, -0.5, -1.0]
P = fl.softmax(Z)
T = (P.cumsum(axis=1) < RNG.random((N, 1))).sum(axis=1)
MODEL = fl.LogisticModel(COEF, [0.0, 0.5, -0.5, -1.0], ("x", "y", "z"), classes=LABELS)
TABLE = pa.table(
    {"t": np.array(LABELS)[T], "x": X[:, 0], "y": X[:, 1], "z": X[:, 2], "o": ["?"] * N}
)


@pytest.fixture(params=["exact", "bins"])
def found(request, monkeypatch, tmp_path):
    if request.param == "bins":
        monkeypatch.setattr(roc, "EXACT_ROWS", 2000)
    pq.write_table(TABLE, tmp_path / "x.parquet", row_group_size=700)
    monkeypatch.setattr("fastlogit.tables.table.MOST_ROWS", 700)
    return evaluate(MODEL, tmp_path / "x.parquet", "t")


def test_measures_are_those_of_scikit_learn(found):
    predicted = Z.argmax(axis=1)
    assert (found.rows, found.skipped) == (N, 0)
    assert found.mean_log_loss == pytest.approx(metrics.log_loss(T, P), rel=1e-12)
    assert found.accuracy == metrics.accuracy_score(T, predicted)
    assert found.brier_score == pytest.approx(metrics.brier_score_loss(T, P), rel=1e-12)
    assert found.top_accuracy == {k: metrics.top_k_accuracy_score(T, P, k=k) for k in (2, 3)}
    assert found.confusion == metrics.confusion_matrix(T, predicted).tolist()
    of_classes = metrics.precision_recall_fscore_support(T, predicted)
    for one, *expected in zip(found.classes, *of_classes, strict=True):
        np.testing.assert_allclose((*one[3:6], one.rows), expected, rtol=1e-15)
    macro = metrics.precision_recall_fscore_support(T, predicted, average="macro")[:3]
    np.testing.assert_allclose(found[6:9], macro, rtol=1e-15)
    assert [one.label for one in found.classes] == list(LABELS)
    assert [one.predicted for one in found.classes] == np.bincount(predicted).tolist()


def test_areas_are_those_of_scikit_learn(found):
    areas = [metrics.roc_auc_score(k == T, P[:, k]) for k in range(K)]
    error = found.auc_error + 1e-12
    np.testing.assert_allclose([one.auc for one in found.classes], areas, rtol=0, atol=error)
    assert found.macro_auc == pytest.approx(
        metrics.roc_auc_score(T, P, multi_class="ovr"), rel=0, abs=error
    )
    assert found.auc_error < 2e-3


def test_the_calibration_is_that_of_each_class_and_bin(found):
    for k, one in enumerate(found.classes):
        assert sum(each.rows for each in one.calibration) == N
        distances = []
        for least, most, rows, mean_y, mean_t in one.calibration:
            here = (P[:, k] >= least) & (P[:, k] < most)
            assert rows == here.sum()
            assert mean_y == pytest.approx(P[here, k].mean(), rel=1e-12)
            assert mean_t == pytest.approx((T[here] == k).mean(), rel=1e-12)
            distances.append(rows * abs(mean_y - mean_t))
        assert one.calibration_error == pytest.approx(sum(distances) / N, rel=1e-12)


def test_probabilities_near_1_have_an_order():
    """In probabilities, all rows of the class would be equal to 1."""
    model = fl.LogisticModel([[1.0], [0.0], [-1.0]], 0.0, ("x",))
    found = evaluate(model, {"x": [50.0, 60.0, 70.0, 80.0], "t": [1, 0, 0, 2]}, "t")
    assert [one.auc for one in found.classes] == [0.5, 1.0, 0.0]


def test_of_equal_classes_the_first_is_predicted_and_ranks_first():
    model = fl.LogisticModel(np.zeros((4, 1)), 0.0, ("x",))
    found = evaluate(model, {"x": np.zeros(8), "t": [0, 0, 0, 0, 1, 1, 2, 3]}, "t")
    assert (found.accuracy, found.top_accuracy) == (0.5, {2: 0.75, 3: 0.875})
    assert [one.predicted for one in found.classes] == [8, 0, 0, 0]
    assert [one.auc for one in found.classes] == [0.5] * 4


def test_classes_without_rows_or_predictions():
    model = fl.LogisticModel([[1.0], [0.0], [-1.0], [-9.0]], 0.0, ("x",), classes=LABELS)
    found = evaluate(model, {"x": [1.0, 2.0, 3.0], "t": ["ant", "ant", "cat"]}, "t")
    ant, bee, cat, dog = found.classes
    assert ant[1:6] == (2, 3, 2 / 3, 1.0, 0.8)
    assert cat[1:3] == (1, 0)
    assert math.isnan(cat.precision)
    assert cat[4:6] == (0.0, 0.0)
    for one in (bee, dog):
        assert one[1:3] == (0, 0)
        assert np.isnan(one[3:7]).all()
    assert found.macro_precision == pytest.approx(1 / 3)
    assert (found.macro_recall, found.macro_f1) == (0.5, 0.4)
    assert found.macro_auc == pytest.approx((ant.auc + cat.auc) / 2)
    content = json.loads(found.to_json(), parse_constant=pytest.fail)
    assert content["classes"][1]["recall"] is None
    assert content["confusion"] == [[2, 0, 0, 0], [0] * 4, [1, 0, 0, 0], [0] * 4]
    assert content["top_accuracy"] == {"2": 2 / 3, "3": 1.0}
    assert "bee" in str(found)


def test_a_class_that_is_only_predicted_counts_in_the_means():
    kept = T != 2
    found = evaluate(
        MODEL,
        {"x": X[kept, 0], "y": X[kept, 1], "z": X[kept, 2], "t": np.array(LABELS)[T[kept]]},
        "t",
    )
    macro = metrics.precision_recall_fscore_support(
        T[kept], Z[kept].argmax(axis=1), average="macro", zero_division=0
    )[:3]
    np.testing.assert_allclose(found[6:9], macro, rtol=1e-15)


@pytest.mark.parametrize(
    ("top", "expected"), [([1], {1}), ((3, 2), {3, 2}), ([], set()), (None, {2, 3})]
)
def test_numbers_of_the_top_accuracies(top, expected):
    assert set(evaluate(MODEL, TABLE, "t", top=top).top_accuracy) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top": [4]}, "top must be below the number of classes, 4; got 4"),
        ({"top": [0]}, "top must be a whole number of at least 1; got 0"),
        ({"top": 3}, "top must be a list of whole numbers; got 3"),
        ({"threshold": 0.4}, "threshold must go with two classes; the model has 4"),
        ({"offset": "o"}, "offset must be 4 different columns, one for each class; got 'o'"),
    ],
)
def test_options_that_do_not_fit(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        evaluate(MODEL, TABLE, "t", **options)


def test_top_is_for_more_than_two_classes():
    model = fl.LogisticModel([1.0], 0.0, ("x",))
    with pytest.raises(ValueError, match="top must go with more than two classes; the model has 2"):
        evaluate(model, {"x": [1.0], "t": [1]}, "t", top=[1])


def test_rows_without_a_label_or_a_score():
    table = {"x": [1.0, None, np.nan, np.inf, 2.0, 3.0], "t": ["a", "b", "c", "a", None, "b"]}
    model = fl.LogisticModel([[1.0], [0.0], [-1.0]], 0.0, ("x",), classes=("a", "b", "c"))
    found = evaluate(model, table, "t")
    assert (found.rows, found.skipped) == (2, 4)
    with pytest.raises(ValueError, match="row 1 has no score, as column 'x' is missing"):
        evaluate(model, table, "t", missing="error")
    with pytest.raises(ValueError, match="row 1 has no score, as column 'x' is infinite"):
        evaluate(model, {"x": [1.0, -np.inf], "t": ["a", "b"]}, "t", missing="error")
    with pytest.raises(ValueError, match="row 1 has no label"):
        evaluate(model, {"x": [1.0, 2.0], "t": ["a", None]}, "t", missing="error")
    with pytest.raises(ValueError, match="must be one of 'a', 'b', 'c'; got 'd' in row 1"):
        evaluate(model, {"x": [1.0, 2.0], "t": ["a", "d"]}, "t")


def test_the_printed_tables(found):
    lines = str(found).splitlines()
    assert lines[0] == "rows          3,000"
    assert any(line.startswith("in the top 3  0.9") for line in lines)
    table = lines[lines.index("") + 1 :][: K + 1]
    assert [line.split()[0] for line in table] == ["class", *LABELS]
    assert len({len(line) for line in table}) == 1
    matrix = lines[-K - 1 :]
    assert len({len(line) for line in matrix}) == 1
    assert [line.split()[0] for line in matrix[1:]] == list(LABELS)
    assert int(matrix[1].split()[2].replace(",", "")) == found.confusion[0][1]


def test_many_classes_have_short_tables_and_no_confusion_matrix(monkeypatch):
    monkeypatch.setattr(multiclass, "_MOST_CONFUSED", 20)
    classes = tuple(f"a  long label {k:03d} with more" for k in range(25))
    model = fl.LogisticModel(np.arange(25.0)[:, np.newaxis], 0.0, ("x",), classes=classes)
    rows = np.repeat(np.arange(25), np.arange(25) + 1)
    found = evaluate(model, {"x": rows / 25, "t": np.array(classes)[rows]}, "t")
    assert found.confusion is None
    lines = str(found).splitlines()
    assert lines[-1] == "and 5 more classes"
    assert lines[-2].startswith("a long label 005 wi ... ")
    assert json.loads(found.to_json())["confusion"] is None
