"""Measures of predictions, against scikit-learn's."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from scipy import sparse
from sklearn import metrics
from sklearn.datasets import dump_svmlight_file

import fastlogit as fl
from fastlogit.scoring import evaluate, read_table, roc

N = 5000
RNG = np.random.default_rng(4)
Z = np.round(RNG.normal(size=N) * 2.0, 1)  # with ties
T = (RNG.random(N) < fl.sigmoid(Z)).astype(np.int64)
MODEL = fl.LogisticModel([1.0], 0.0, ("x",))


@pytest.fixture(params=["exact", "bins"])
def found(request, monkeypatch, tmp_path):
    if request.param == "bins":
        monkeypatch.setattr(roc, "EXACT_ROWS", 1000)
    pq.write_table(pa.table({"late": T, "x": Z}), tmp_path / "x.parquet", row_group_size=700)
    monkeypatch.setattr("fastlogit.tables.table.MOST_ROWS", 700)
    return evaluate(MODEL, tmp_path / "x.parquet", "late", threshold=0.4)


def test_measures_are_those_of_scikit_learn(found):
    y = fl.sigmoid(Z)
    assert (found.rows, found.skipped, found.positives) == (N, 0, T.sum())
    assert found.mean_log_loss == pytest.approx(metrics.log_loss(T, y), rel=1e-12)
    assert found.accuracy == metrics.accuracy_score(T, y > 0.4)
    assert found.brier_score == pytest.approx(metrics.brier_score_loss(T, y), rel=1e-12)
    error = found.auc_error + 1e-12
    assert found.auc == pytest.approx(metrics.roc_auc_score(T, y), abs=error, rel=0)


def test_the_calibration_is_that_of_each_bin(found):
    y = fl.sigmoid(Z)
    for least, most, rows, mean_y, mean_t in found.calibration:
        here = (y >= least) & (y < most)
        assert rows == here.sum()
        assert mean_y == pytest.approx(y[here].mean(), rel=1e-12)
        assert mean_t == pytest.approx(T[here].mean(), rel=1e-12)
    assert sum(each.rows for each in found.calibration) == N


KINDS = {"text": ["no", "yes"], "bool": [False, True], "numbers": [-1.5, 2.0]}
FORMS = ["text csv", "numbers csv", "text parquet", "bool parquet", "numbers table", "bool table"]


@pytest.mark.parametrize(("labels", "form"), [each.split() for each in FORMS])
def test_labels_of_any_kind(tmp_path, labels, form):
    labels = KINDS[labels]
    model = fl.LogisticModel([1.0], 0.0, ("x",), classes=labels)
    table = pa.table({"x": Z, "t": [labels[t] for t in T]})
    source = tmp_path / f"x.{form}"
    if form == "table":
        source = table
    elif form == "parquet":
        pq.write_table(table, source)
    else:
        pa.csv.write_csv(table, source)
    found = evaluate(model, source, "t")
    assert found.positives == T.sum()
    assert found.auc == pytest.approx(metrics.roc_auc_score(T, Z), rel=1e-12)


def test_labels_of_arrays_and_libsvm(tmp_path):
    np.save(tmp_path / "x.npy", np.column_stack([T, Z]))
    dump_svmlight_file(sparse.csr_matrix(Z[:, None]), T, str(tmp_path / "x.svm"), zero_based=False)
    for source, label in (
        (tmp_path / "x.npy", 0),
        (tmp_path / "x.npy", "-2"),
        (tmp_path / "x.svm", None),
    ):
        assert evaluate(MODEL, source, label).auc == pytest.approx(metrics.roc_auc_score(T, Z))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_columns_that_are_not_needed_may_have_one_name(tmp_path, suffix):
    columns = [pa.array(Z), pa.array(T), pa.array(Z), pa.array(T)]
    table = pa.table(columns, names=["twice", "t", "x", "twice"])
    source = tmp_path / f"x{suffix}"
    (pq.write_table if suffix == ".parquet" else pa.csv.write_csv)(table, source)
    assert evaluate(MODEL, source, "t") == evaluate(MODEL, {"x": Z, "t": T}, "t")
    with pytest.raises(ValueError, match="2 columns have the name 'twice'"):
        evaluate(MODEL, source, "twice")


def test_missing_labels_and_scores_are_counted():
    table = pa.table({"x": [1.0, None, 2.0, np.nan, -1.0], "t": [1, 1, None, 0, 0]})
    found = evaluate(MODEL, table, "t")
    assert (found.rows, found.skipped, found.auc) == (2, 3, 1.0)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("t", None, "row 2 has no label"),
        ("x", np.nan, "row 2 has no score, as column 'x' is missing"),
        ("x", None, "row 2 has no score, as column 'x' is missing"),
    ],
)
@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".npy"])
def test_missing_may_be_an_error_that_names_the_row(tmp_path, column, value, message, suffix):
    table = {"x": [1.0, 2.0, 3.0, 4.0], "t": [0.0, 1.0, 0.0, 1.0]}
    table[column][2] = value
    source, label = tmp_path / f"in{suffix}", "t"
    if suffix == ".npy":
        np.save(source, np.array(list(table.values()), float).T)
        label = 1
        message = message.replace("column 'x' is missing", "a feature is missing or infinite")
    elif suffix == ".csv":
        pa.csv.write_csv(pa.table(table), source)
    else:
        pq.write_table(pa.table(table), source)
    with pytest.raises(ValueError, match=rf"in\{suffix}: {message}.*missing='skip' leaves"):
        evaluate(MODEL, source, label, missing="error")
    assert evaluate(MODEL, source, label).skipped == 1
    assert evaluate(MODEL, source, label, missing="skip").rows == 3


def test_complete_rows_pass_with_missing_error():
    table = {"x": Z, "t": T}
    assert evaluate(MODEL, table, "t", missing="error") == evaluate(MODEL, table, "t")
    with pytest.raises(ValueError, match="missing must be 'error' or 'skip'; got 'nan'"):
        evaluate(MODEL, table, "t", missing="nan")


@pytest.mark.parametrize("label", ["t", 0, -1])
def test_libsvm_has_its_own_labels(tmp_path, label):
    path = tmp_path / "x.svm"
    dump_svmlight_file(sparse.csr_matrix(Z[:, None]), T, str(path), zero_based=False)
    with pytest.raises(ValueError, match="label must not be given for LIBSVM, whose lines begin"):
        evaluate(MODEL, path, label)


def test_the_auc_of_one_class_is_nan():
    found = evaluate(MODEL, {"x": [1.0, 2.0], "t": [1, 1]}, "t")
    assert np.isnan(found.auc)
    assert json.loads(found.to_json())["auc"] is None
    assert "AUC           nan" in str(found)


@pytest.mark.parametrize(
    ("table", "label", "message"),
    [
        ({"x": [1.0], "t": [2]}, "t", "the label must be 0 or 1; got 2 in row 0"),
        ({"x": [1.0], "t": [1]}, "T", r"has no column 'T' \(did you mean 't'\?\)"),
        ({"x": [1.0], "t": [1]}, None, "label must be given: the column of the labels"),
        ({"x": [1.0], "t": [1], "u": [0]}, ["t", "u"], "dict: label must be one column; got 2"),
        ({"x": [np.nan], "t": [1]}, "t", "has no row with a label and a score"),
        ({"x": ["a"], "t": [1]}, "t", "column 'x' must hold numbers; it holds string"),
    ],
)
def test_a_table_without_measurable_rows_is_an_error(table, label, message):
    with pytest.raises(ValueError, match=message):
        evaluate(MODEL, table, label)


@pytest.mark.parametrize("threshold", ["t", None, [0.5], {}, 1.5, -0.1, np.nan, np.ma.masked])
def test_a_threshold_is_a_probability(threshold):
    with pytest.raises((TypeError, ValueError), match=r"^threshold must "):
        evaluate(MODEL, {"x": [1.0], "t": [1]}, "t", threshold=threshold)


def test_json_has_no_infinity():
    model = fl.LogisticModel([1.0], 0.0, ("x",))
    found = evaluate(model, {"x": [np.inf, 1.0], "t": [0, 1]}, "t")
    assert found.mean_log_loss == np.inf
    assert json.loads(found.to_json(), parse_constant=pytest.fail)["mean_log_loss"] is None


@pytest.mark.parametrize("threshold", [None, "", "0.5", [0.5], np.zeros(2), 1.5, -0.1, np.nan])
def test_a_threshold_outside_0_and_1_is_an_error(threshold):
    model = fl.LogisticModel([1.0], 0.0, ("x",))
    with pytest.raises((TypeError, ValueError), match=r"^threshold must "):
        evaluate(model, {"x": [1.0], "t": [1]}, "t", threshold=threshold)


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
@pytest.mark.parametrize("labels", [(0, 1), (-1, 1), ("no", "yes")])
def test_labels_that_are_names_of_folders(tmp_path, labels, suffix):
    mark = "\t" if suffix == "tsv" else ","
    for label, x in zip(labels, ("-1.0", "2.0"), strict=True):
        (tmp_path / f"y={label}").mkdir()
        (tmp_path / f"y={label}" / f"p.{suffix}").write_text(f"x{mark}z\n{x}{mark}0\n")
    data = read_table(tmp_path, "y")
    assert (data.t.tolist(), data.classes) == ([0.0, 1.0], labels)
    model = fl.LogisticModel([1.0, 0.0], 0.0, ("x", "z"), classes=data.classes)
    found = evaluate(model, tmp_path, "y")
    assert (found.rows, found.positives, found.accuracy) == (2, 1, 1.0)
