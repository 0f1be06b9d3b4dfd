"""The logits of tables with columns of text or an offset."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from scipy import sparse
from sklearn.datasets import dump_svmlight_file

import fastlogit as fl
from fastlogit.models.model import OffsetWarning
from fastlogit.scoring import evaluate, score
from fastlogit.scoring.scorer import Scorer
from fastlogit.tables.source import open_table

MODEL = fl.LogisticModel(
    [0.5, 1.0, -2.0], 0.25, ("age", "from=JFK", "from=LGA"), categories={"from": ("JFK", "LGA")}
)
N = 3000
CODES = np.arange(N) % 2
DATA = pa.table(
    {
        "from": np.array(["JFK", "LGA"])[CODES],
        "late": CODES,
        "age": np.arange(N) / 16,
    }
)
LOGITS = 0.25 + DATA["age"].to_numpy() / 2 + np.array([1.0, -2.0])[CODES]


def logits(source, **options):
    batches = score(MODEL, source, output="logit", **options)
    return np.concatenate([batch["logit"].to_numpy() for batch in batches])


def as_parquet(path, table):
    pq.write_table(table, path, row_group_size=700)


def partition_to_arrow(path, table):
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table, 700)


def as_folder(path, table):
    for name in ("JFK", "LGA"):
        folder = path / f"from={name}"
        folder.mkdir(parents=True)
        chosen = table.filter(pa.compute.field("from") == name).drop_columns("from")
        pq.write_table(chosen, folder / "1.parquet")


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("x.parquet", as_parquet),
        ("x.arrow", partition_to_arrow),
        ("x.csv", lambda path, table: pa.csv.write_csv(table, path)),
    ],
)
@pytest.mark.parametrize("encoded", [False, True])
def test_files(tmp_path, name, write, encoded):
    table = DATA
    if encoded and name != "x.csv":
        table = table.set_column(0, "from", DATA["from"].dictionary_encode())
    write(tmp_path / name, table)
    np.testing.assert_array_equal(logits(tmp_path / name, batch_rows=500), LOGITS)


def test_a_folder_whose_names_are_the_categories(tmp_path):
    as_folder(tmp_path / "data", DATA)
    np.testing.assert_array_equal(
        logits(tmp_path / "data"), np.concatenate([LOGITS[0::2], LOGITS[1::2]])
    )


def test_numbers_of_a_csv_may_be_categories(tmp_path):
    model = fl.LogisticModel([1.0, 2.0], 0.0, ("k=01", "k=2"), categories={"k": ("01", "2", "3")})
    (tmp_path / "x.csv").write_text("k\n01\n2\n3\n")
    (batch,) = score(model, tmp_path / "x.csv", output="logit")
    assert batch["logit"].to_pylist() == [1.0, 2.0, 0.0]


UNKNOWN = DATA.set_column(
    0,
    "from",
    [["SFO" if row in (1234, 2999) else x for row, x in enumerate(DATA["from"].to_pylist())]],
)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_unknown_texts(tmp_path, suffix):
    source = tmp_path / f"x.{suffix}"
    (pa.csv.write_csv if suffix == "csv" else pq.write_table)(UNKNOWN, source)
    with pytest.raises(ValueError, match=r"x.\w+: column 'from' has 'SFO' in row 1234, which the "):
        score(MODEL, source, tmp_path / "y.parquet", batch_rows=500)
    assert not (tmp_path / "y.parquet").exists()
    done = score(MODEL, source, tmp_path / "y.parquet", batch_rows=500, unknown="ignore")
    assert done[:3] == (N, 0, 2)
    expected = LOGITS.copy()
    expected[[1234, 2999]] -= [1.0, -2.0]
    np.testing.assert_array_equal(
        pq.read_table(tmp_path / "y.parquet")["probability"], fl.sigmoid(expected)
    )


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_group_knows_all_texts(tmp_path, suffix):
    names = ("age", "from=LGA", "from (all others)")
    model = fl.LogisticModel([0.5, -2.0, 1.0], 0.25, names, categories={"from": ("LGA", None)})
    source = tmp_path / f"x.{suffix}"
    (pa.csv.write_csv if suffix == "csv" else pq.write_table)(UNKNOWN, source)
    expected = LOGITS.copy()
    expected[2999] += 3.0
    for unknown in ("error", "ignore"):
        done = score(model, source, tmp_path / "y.npy", output="logit", unknown=unknown, force=True)
        assert done[:3] == (N, 0, 0)
        np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), expected)
    assert evaluate(model, source, "late").rows == N


def test_nulls_follow_missing():
    texts = pa.array([None if row == 1234 else x for row, x in enumerate(DATA["from"].to_pylist())])
    source = DATA.set_column(0, "from", texts)
    with pytest.raises(ValueError, match="column 'from' is null in row 1234"):
        list(score(MODEL, source))
    assert np.flatnonzero(np.isnan(logits(source, missing="nan"))).tolist() == [1234]
    np.testing.assert_array_equal(logits(source, missing="skip"), np.delete(LOGITS, 1234))


def test_evaluate_reads_columns_of_text():
    found = evaluate(MODEL, DATA, "late")
    assert found.mean_log_loss == pytest.approx(fl.log_loss(LOGITS, CODES) / N, rel=1e-14)
    with pytest.raises(ValueError, match="has 'SFO' in row 1234"):
        evaluate(MODEL, UNKNOWN, "late")
    assert evaluate(MODEL, UNKNOWN, "late", unknown="ignore").rows == N


def test_columns_that_hold_no_text():
    source = DATA.set_column(0, "from", DATA["age"])
    with pytest.raises(ValueError, match=r"column 'from' must hold text, .*; it holds float64"):
        list(score(MODEL, source))


def test_columns_without_names(tmp_path):
    message = "columns of text must have names, as in the model"
    with pytest.raises(ValueError, match=f"ndarray: {message}"):
        list(score(MODEL, np.zeros((2, 3))))
    np.save(tmp_path / "x.npy", np.zeros((2, 3)))
    with pytest.raises(ValueError, match=f"x.npy: {message}"):
        list(score(MODEL, tmp_path / "x.npy"))


def test_a_null_in_a_dictionary_is_a_null():
    column = pa.DictionaryArray.from_arrays([0, 1, 0], ["JFK", None])
    source = pa.table({"from": column, "age": [1.0, 2.0, 3.0]})
    with pytest.raises(ValueError, match="column 'from' is null in row 1"):
        list(score(MODEL, source))
    assert np.isnan(logits(source, missing="nan")).tolist() == [False, True, False]


@pytest.mark.parametrize("text", ["", "NA", "null"])
def test_a_missing_value_of_a_csv_is_a_null(tmp_path, text):
    (tmp_path / "x.csv").write_text(f"from,age\nJFK,1\n{text},2\n")
    with pytest.raises(ValueError, match="column 'from' is null in row 1"):
        list(score(MODEL, tmp_path / "x.csv"))


def test_files_of_a_folder_must_agree(tmp_path):
    pq.write_table(DATA, tmp_path / "1.parquet")
    pq.write_table(DATA.set_column(2, "age", DATA["from"]), tmp_path / "2.parquet")
    with pytest.raises(
        ValueError, match=r"'age' .* holds double in .*1\.parquet and string in .*2\."
    ):
        list(score(MODEL, tmp_path))


# Offsets ----------------------------------------------------------------------------------

PAIR = fl.LogisticModel([2.0, -1.0], 0.5, ("a", "b"), with_offset=True)
FEATURES = np.random.default_rng(4).integers(-64, 64, (500, 2)) / 8.0
OFFSET = np.random.default_rng(5).integers(-64, 64, 500) / 8.0
Z = FEATURES @ PAIR.coef + PAIR.intercept + OFFSET
TABLE = pa.table(
    {"w": OFFSET, "other": ["x"] * 500, "b": FEATURES[:, 1], "late": Z > 0, "a": FEATURES[:, 0]}
)
MATRIX = np.column_stack([FEATURES[:, 0], OFFSET, FEATURES[:, 1]])


def write_npy(path):
    np.save(path, MATRIX)


def write_svmlight(path):
    dump_svmlight_file(sparse.csr_matrix(MATRIX), Z > 0, str(path), zero_based=False)


def logits_with(source, offset, model=PAIR, **options):
    batches = score(model, source, output="logit", offset=offset, **options)
    return np.concatenate([batch["logit"].to_numpy() for batch in batches])


@pytest.mark.parametrize(
    ("name", "write", "offset"),
    [
        ("x.parquet", lambda path: pq.write_table(TABLE, path, row_group_size=200), "w"),
        ("x.arrow", lambda path: partition_to_arrow(path, TABLE), "w"),
        ("x.csv", lambda path: pa.csv.write_csv(TABLE, path), "w"),
        ("x.npy", write_npy, 1),
        ("x.npy", write_npy, "1"),
        ("x.npy", write_npy, -2),
        ("x.npz", lambda path: np.savez(path, MATRIX), 1),
        ("x.libsvm", write_svmlight, 1),
    ],
)
@pytest.mark.parametrize("batch_rows", [None, 130])
def test_the_offset_of_files(tmp_path, name, write, offset, batch_rows):
    path = tmp_path / name
    write(path)
    np.testing.assert_array_equal(logits_with(path, offset, batch_rows=batch_rows), Z)


@pytest.mark.parametrize(
    ("source", "offset"),
    [
        (TABLE, "w"),
        (TABLE.to_pandas(), "w"),
        ({"b": FEATURES[:, 1], "a": FEATURES[:, 0], "w": OFFSET.astype(np.float32)}, "w"),
        (MATRIX, 1),
        (MATRIX[:, [1, 0, 2]], 0),
        (MATRIX[:, [0, 2, 1]], np.int64(-1)),
        (sparse.csr_array(MATRIX), 1),
    ],
    ids=["Arrow", "pandas", "dict", "array", "first", "last", "CSR"],
)
@pytest.mark.parametrize("names", [("a", "b"), None])
def test_the_offset_of_tables_in_memory(source, offset, names):
    if names is None and not isinstance(source, np.ndarray | sparse.csr_array):
        source = pa.table({"a": FEATURES[:, 0], "w": OFFSET, "b": FEATURES[:, 1]})
    model = fl.LogisticModel([2.0, -1.0], 0.5, names, with_offset=True)
    np.testing.assert_array_equal(logits_with(source, offset, model), Z)


def test_an_offset_that_is_kept_and_read_as_text(tmp_path):
    path = tmp_path / "x.csv"
    pa.csv.write_csv(TABLE, path)
    score(PAIR, path, tmp_path / "y.parquet", offset="w", keep=["w", "a"], output="logit")
    found = pq.read_table(tmp_path / "y.parquet")
    np.testing.assert_array_equal(found["logit"], Z)
    np.testing.assert_array_equal(found["w"].to_numpy().astype(float), OFFSET)


def test_an_offset_beside_text_and_labels():
    table = DATA.append_column("w", pa.array(np.arange(N) / 8.0))
    assert (logits_with(table, "w", MODEL) == LOGITS + np.arange(N) / 8.0).all()
    found = evaluate(MODEL, table, "late", offset="w")
    z, t = LOGITS + np.arange(N) / 8.0, CODES
    assert found.mean_log_loss == pytest.approx(
        np.logaddexp(0.0, np.where(t, -z, z)).mean(), rel=1e-12
    )


@pytest.mark.parametrize(
    ("source", "label", "offset"),
    [(TABLE, "late", "w"), (np.column_stack([Z > 0, MATRIX]), 0, 2)],
    ids=["table", "array"],
)
def test_evaluate_with_an_offset(source, label, offset):
    model = fl.LogisticModel([2.0, -1.0], 0.5, ("a", "b"), classes=(False, True), with_offset=True)
    found = evaluate(model, source, label, offset=offset)
    expected = np.logaddexp(0.0, np.where(Z > 0, -Z, Z)).mean()
    assert found.mean_log_loss == pytest.approx(expected, rel=1e-12)
    assert found.accuracy == 1.0


def test_evaluate_with_an_offset_of_libsvm(tmp_path):
    write_svmlight(tmp_path / "x.libsvm")
    assert evaluate(PAIR, tmp_path / "x.libsvm", offset=1).accuracy == 1.0


@pytest.mark.parametrize("missing", ["nan", "skip"])
@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_missing_offsets(tmp_path, missing, suffix):
    table = TABLE.set_column(0, "w", pa.array(OFFSET, mask=np.arange(500) % 5 == 0))
    path = tmp_path / f"x{suffix}"
    (pq.write_table if suffix == ".parquet" else pa.csv.write_csv)(table, path)
    expected = np.where(np.arange(500) % 5 == 0, np.nan, Z)
    expected = expected if missing == "nan" else expected[~np.isnan(expected)]
    np.testing.assert_array_equal(logits_with(path, "w", missing=missing), expected)
    with pytest.raises(ValueError, match=r"column 'w' is null in row 0 .*missing="):
        logits_with(path, "w")
    assert evaluate(replace(PAIR, classes=(False, True)), table, "late", offset="w").skipped == 100


@pytest.mark.parametrize(
    ("source", "offset", "message"),
    [
        (TABLE, "v", "has no column 'v'"),
        (TABLE, "a", "column 'a' is a feature of the model, so it cannot be the offset"),
        (TABLE, "other", "column 'other' must hold numbers; it holds string"),
        (MATRIX, 3, "here: offset must be a position from -3 to 2; got 3"),
        (MATRIX, "w", "here: offset must be a position from -3 to 2; got 'w'"),
        (MATRIX[:, :2], 1, "must have 2 columns beside the label and the offset, .*it has 1"),
        (TABLE, 1.0, "offset must be the name or the position of a column; got 1.0"),
        (TABLE, pd.NA, "offset must be the name or the position of a column; got <NA>"),
        (TABLE, OFFSET, "offset must be the name or the position of a column; got array"),
        (TABLE, b"w", "offset must be the name or the position of a column; got b'w'"),
        (MATRIX, True, "offset must be the name or the position of a column; got True"),
    ],
)
def test_an_offset_that_cannot_be_read_is_an_error(source, offset, message):
    with pytest.raises((TypeError, ValueError), match=message):
        logits_with(source, offset)


def test_the_offset_cannot_be_the_label():
    for source, label in ((TABLE, "late"), (MATRIX, 1)):
        with pytest.raises(ValueError, match="is the offset, so it cannot be the label"):
            evaluate(PAIR, source, label, offset=label)


def test_a_model_that_was_trained_with_an_offset_warns_without_one(tmp_path):
    with pytest.warns(OffsetWarning) as caught:
        batches = score(PAIR, TABLE, output="logit")
    assert [warning.filename for warning in caught] == [__file__]
    np.testing.assert_array_equal(next(batches)["logit"], Z - OFFSET)
    with pytest.warns(OffsetWarning) as caught:
        evaluate(replace(PAIR, classes=(False, True)), TABLE, "late")
    assert [warning.filename for warning in caught] == [__file__]


def test_another_offset_is_another_run(tmp_path):
    options = [
        Scorer(PAIR, open_table(TABLE.append_column("v", TABLE["w"])), offset=offset).options
        for offset in ("w", "v", None)
    ]
    assert options[0] != options[1] != options[2]


# More than two classes --------------------------------------------------------------------

CLASSES = fl.LogisticModel(
    [[0.5, 1.0, -2.0], [0.0, 3.0, 0.25], [-1.0, 0.0, 1.0]],
    [0.25, 0.0, -1.0],
    MODEL.feature_names,
    classes=("a", "b", "c"),
    categories=MODEL.categories,
)
LOGITS_OF_CLASSES = (
    np.outer(DATA["age"], CLASSES.coef[:, 0]) + CLASSES.coef[:, 1:].T[CODES] + CLASSES.intercept
)


def logits_of_classes(model, source, **options):
    batches = score(model, source, output="logit", **options)
    return np.concatenate([np.column_stack([*batch.columns]) for batch in batches])


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_text_has_a_coefficient_for_each_class(tmp_path, suffix):
    source = tmp_path / f"x.{suffix}"
    (pa.csv.write_csv if suffix == "csv" else pq.write_table)(DATA, source)
    found = logits_of_classes(CLASSES, source, batch_rows=500)
    np.testing.assert_array_equal(found, LOGITS_OF_CLASSES)
    np.testing.assert_array_equal(found, CLASSES.decision(DATA.select(["from", "age"])))
    (pa.csv.write_csv if suffix == "csv" else pq.write_table)(UNKNOWN, source)
    with pytest.raises(ValueError, match="column 'from' has 'SFO' in row 1234"):
        logits_of_classes(CLASSES, source)
    found = logits_of_classes(CLASSES, source, unknown="ignore")
    np.testing.assert_array_equal(found[1234], LOGITS_OF_CLASSES[1234] - CLASSES.coef[:, 1])


def test_a_null_is_missing_for_all_classes():
    texts = pa.array([None if row == 1234 else x for row, x in enumerate(DATA["from"].to_pylist())])
    source = DATA.set_column(0, "from", texts)
    with pytest.raises(ValueError, match="column 'from' is null in row 1234"):
        logits_of_classes(CLASSES, source)
    found = logits_of_classes(CLASSES, source, missing="nan")
    assert np.flatnonzero(np.isnan(found).all(axis=1)).tolist() == [1234]
    assert np.isnan(found).sum() == 3
    assert len(logits_of_classes(CLASSES, source, missing="skip")) == N - 1


def test_a_model_of_text_alone():
    model = fl.LogisticModel(
        CLASSES.coef[:, 1:], CLASSES.intercept, ("from=JFK", "from=LGA"),
        classes=CLASSES.classes, categories=MODEL.categories,
    )  # fmt: skip
    expected = model.coef.T[CODES] + model.intercept
    np.testing.assert_array_equal(logits_of_classes(model, DATA), expected)


THREE = fl.LogisticModel(
    [[2.0, -1.0], [0.0, 1.0], [-1.0, 0.5]], [0.5, 0.0, 1.0], ("a", "b"), with_offset=True
)
OFFSETS = np.random.default_rng(6).integers(-64, 64, (500, 3)) / 8.0
Z3 = FEATURES @ THREE.coef.T + THREE.intercept + OFFSETS
TABLE3 = TABLE.drop_columns("w")
for _k in range(3):
    TABLE3 = TABLE3.append_column(f"w{_k}", pa.array(OFFSETS[:, _k]))
MATRIX3 = np.column_stack([OFFSETS[:, 2], FEATURES[:, 0], OFFSETS[:, :2], FEATURES[:, 1]])


@pytest.mark.parametrize(
    ("source", "offset"),
    [
        (TABLE3, ["w0", "w1", "w2"]),
        (TABLE3.to_pandas(), ("w0", "w1", "w2")),
        (MATRIX3, [2, -2, 0]),
        (sparse.csr_array(MATRIX3), ["2", 3, 0]),
    ],
    ids=["Arrow", "pandas", "array", "CSR"],
)
def test_each_class_has_an_offset(source, offset):
    np.testing.assert_array_equal(logits_of_classes(THREE, source, offset=offset), Z3)


def test_offsets_beside_labels_are_no_features(tmp_path):
    t = Z3.argmax(axis=1)
    table = TABLE3.append_column("t", pa.array(t))
    assert evaluate(THREE, table, "t", offset=["w0", "w1", "w2"]).accuracy == 1.0
    with pytest.warns(OffsetWarning):
        assert evaluate(THREE, table, "t").accuracy < 1.0
    found = evaluate(THREE, np.column_stack([MATRIX3, t]), -1, offset=[2, 3, 0])
    assert found.accuracy == 1.0
    path = tmp_path / "x.svm"
    dump_svmlight_file(sparse.csr_matrix(MATRIX3), t, str(path), zero_based=False)
    assert evaluate(THREE, path, offset=[2, 3, 0]).accuracy == 1.0
    for label, offset in (("w1", ["w0", "w1", "w2"]), ("a", ["w0", "w1", "w2"])):
        with pytest.raises(ValueError, match=f"'{label}' is .*, so it cannot be the label"):
            evaluate(THREE, table, label, offset=offset)
    with pytest.raises(ValueError, match="column 'b' is a feature of the model, so it cannot be"):
        evaluate(THREE, table, "t", offset=["w0", "b", "w2"])


def test_batches_have_room_for_the_columns_of_all_classes():
    classes = 5000
    model = fl.LogisticModel(np.zeros((classes, 1)), 0.0, ("x",))
    batches = list(score(model, {"x": np.zeros(2000)}, output="logit"))
    assert [len(batch) for batch in batches] == [1024, 976]


# Models -----------------------------------------------------------------------------------


def test_the_model_may_be_the_path_of_its_file(tmp_path):
    path = tmp_path / "model.json"
    MODEL.save(path)
    for model in (path, str(path)):
        batch = next(score(model, DATA, output="logit"))
        assert (batch["logit"].to_numpy() == LOGITS).all()
        assert evaluate(model, DATA, "late") == evaluate(MODEL, DATA, "late")


@pytest.mark.parametrize("model", [None, 3, b"model.json", pd.NA, [1.0], {}])
def test_a_model_must_be_a_model_or_a_path(model):
    for call in (lambda: score(model, DATA), lambda: evaluate(model, DATA, "late")):
        with pytest.raises(TypeError, match=r"^model must be a LogisticModel or the path"):
            call()


class Lying(dict):
    """A mapping that has fewer columns than it says."""

    def __iter__(self):
        return iter(["age", "from"])


class NoStream:
    __arrow_c_stream__ = 3


@pytest.mark.parametrize(
    "source",
    [
        Lying(age=[1.0]),
        {"age": 1.0, "from": 2},
        {"age": None},
        {"age": [1.0], "from": []},
        {1: [1.0]},
        NoStream(),
        pd.NA,
        None,
        pd.Series([1.0], name="age"),
        pa.chunked_array([[1.0]]),
        pd.DataFrame({"age": [object()], "from": ["JFK"]}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_object_that_is_not_a_table_is_an_error_that_names_it(source):
    name = (
        f"source must be a path or a table|source must have a column for|{type(source).__name__}: "
    )
    for call in (lambda: score(MODEL, source), lambda: evaluate(MODEL, source, "late")):
        with pytest.raises((TypeError, ValueError), match=f"^({name})"):
            call()


def test_a_mapping_without_a_column_for_a_key_is_an_error():
    with pytest.raises(ValueError, match=r"^source must have a column for each of its keys; 'from"):
        score(MODEL, Lying(age=[1.0]))


@pytest.mark.parametrize("value", [[], 3, pd.NA, np.zeros(2), np.int64(0), "excel", b"csv"])
def test_an_unknown_format_is_an_error(value):
    with pytest.raises(
        ValueError, match=r"^source_format must be one of parquet, .*; got"
    ) as caught:
        score(MODEL, DATA, source_format=value)
    assert "np.int64" not in str(caught.value)
