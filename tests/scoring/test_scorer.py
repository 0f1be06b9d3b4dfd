"""The output columns of a batch: scores, names, kept columns, missing values."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

import fastlogit as fl
from fastlogit.scoring import score
from tests.scoring_data import PAIR_MODEL, PAIRS, write

TABLE = pa.table({"k": ["p", "q", None, "s"], "x": [0.5, None, -800.0, np.nan], "n": [1, 2, 3, 4]})
MODEL = fl.LogisticModel([1.0], 0.0, ("x",), classes=("no", "yes"))


def scored(source=TABLE, model=MODEL, **options):
    batches = fl.score(model, source, **options)
    return pa.Table.from_batches(list(batches))


def test_every_output_in_the_order_asked_for():
    found = scored(
        output=["log-probability", "label", "logit", "probability"],
        missing="nan",
        keep=["n", "k"],
        threshold=0.6,
    )
    assert found.column_names == ["n", "k", "log_probability", "label", "logit", "probability"]
    assert found.select(["n", "k"]).equals(TABLE.select(["n", "k"]))
    z = np.array([0.5, np.nan, -800.0, np.nan])
    np.testing.assert_array_equal(found["logit"].to_numpy(), z)
    np.testing.assert_array_equal(found["probability"].to_numpy(), fl.sigmoid(z))
    np.testing.assert_array_equal(found["log_probability"].to_numpy(), fl.log_sigmoid(z))
    assert found["label"].to_pylist() == ["yes", None, "no", None]


@pytest.mark.parametrize(
    ("classes", "kind"),
    [((0, 1), pa.int64()), ((False, True), pa.bool_()), ((-1.5, 2.0), pa.float64())],
)
def test_labels_have_the_type_of_the_classes(classes, kind):
    model = fl.LogisticModel([1.0], 0.0, ("x",), classes=classes)
    found = scored({"x": [-1.0, 1.0]}, model, output="label")
    assert found["label"].type == kind
    assert found["label"].to_pylist() == list(classes)


THREE = fl.LogisticModel([[1.0], [0.0], [-1.0]], 0.0, ("x",), classes=("a", "b b", "c"))
SINGLE = ["label", "label-probability"]


def test_more_than_two_classes_have_a_column_each():
    outputs = ["log-probability", *SINGLE, "logit", "probability"]
    found = scored(TABLE, THREE, output=outputs, missing="nan", keep=["n"])
    x = np.array([0.5, np.nan, -800.0, np.nan])
    Z = np.outer(x, [1.0, 0.0, -1.0])
    for name, expected in [
        ("log_probability", fl.log_softmax(Z)),
        ("logit", Z),
        ("probability", fl.softmax(Z)),
    ]:
        for label, column in zip(("a", "b b", "c"), expected.T, strict=True):
            np.testing.assert_array_equal(found[f"{name}_{label}"].to_numpy(), column)
    assert found["label"].to_pylist() == ["a", None, "c", None]
    np.testing.assert_array_equal(found["label_probability"].to_numpy(), fl.softmax(Z).max(axis=1))
    assert found.num_columns == 1 + 3 + 2 + 3 + 3
    assert found.column_names[1] == "log_probability_a"
    assert found.column_names[4:6] == ["label", "label_probability"]


def test_rows_of_more_than_two_classes_are_left_out():
    source = {"x": [0.5, np.nan, np.inf, -2.0], "n": [1, 2, 3, 4]}
    found = scored(source, THREE, output="label", missing="skip", keep=["n"])
    assert found.to_pydict() == {"n": [1, 4], "label": ["a", "c"]}
    # Infinity has no probability among several classes, but one among two.
    assert scored(source, THREE, output=SINGLE)["label"].to_pylist() == ["a", None, None, "c"]


def test_of_equal_classes_the_first_is_the_label():
    found = scored({"x": [0.0]}, THREE, output=SINGLE)
    assert found.to_pydict() == {"label": ["a"], "label_probability": [fl.softmax(np.zeros(3))[0]]}


@pytest.mark.parametrize("threshold", [0.5, 0.9])
def test_the_probability_of_the_label_of_two_classes(threshold):
    x = np.array([-40.0, 1.0, 3.0, 0.0])
    found = scored({"x": x}, output=SINGLE, threshold=threshold)
    second = fl.sigmoid(x) > threshold
    assert found["label"].to_pylist() == np.where(second, "yes", "no").tolist()
    expected = np.where(second, fl.sigmoid(x), fl.sigmoid(-x))
    np.testing.assert_array_equal(found["label_probability"].to_numpy(), expected)


@pytest.mark.parametrize(
    ("classes", "kind", "names"),
    [
        ((1, 2, 10), pa.int64(), ["1", "2", "10"]),
        ((-1.5, 0.0, 2.0), pa.float64(), ["-1.5", "0.0", "2.0"]),
        (("", "a,b", 'c"\n'), pa.string(), ["", "a,b", 'c"\n']),
    ],
)
def test_columns_are_named_after_classes_of_any_kind(tmp_path, classes, kind, names):
    model = fl.LogisticModel([[1.0], [0.0], [-1.0]], 0.0, ("x",), classes=classes)
    found = scored({"x": [-1.0, 1.0]}, model, output=["label", "probability"])
    assert found.schema.types[0] == kind
    assert found["label"].to_pylist() == [classes[2], classes[0]]
    assert found.column_names[1:] == [f"probability_{name}" for name in names]
    fl.score(model, {"x": [-1.0, 1.0]}, tmp_path / "y.csv")
    written = pa.csv.read_csv(
        tmp_path / "y.csv", parse_options=pa.csv.ParseOptions(newlines_in_values=True)
    )
    assert written.column_names == found.column_names[1:]


def test_names_of_outputs():
    found = scored(output=["logit", "label"], names=["z", "late"], missing="nan")
    assert found.column_names == ["z", "late"]
    assert scored(names="p", missing="nan").column_names == ["p"]


def test_skipped_rows_are_counted_and_listed(tmp_path):
    done = fl.score(
        MODEL,
        TABLE,
        tmp_path / "y.csv",
        missing="skip",
        keep=["n"],
        skipped=tmp_path / "skipped.csv",
    )
    assert done == (4, 2, 0, False)
    assert [line.split(",")[0] for line in (tmp_path / "y.csv").read_text().split()[1:]] == [
        "1",
        "3",
    ]
    assert (tmp_path / "skipped.csv").read_text().split()[1:] == ['"Table",1', '"Table",3']


def test_the_error_names_the_row_of_a_null():
    with pytest.raises(ValueError, match=r"^Table: column 'x' is null in row 1 \(missing='nan' "):
        scored()
    # NaN is a number.
    assert np.isnan(scored({"x": [np.nan]})["probability"].to_numpy()).all()


def test_a_feature_can_be_kept_too():
    found = scored({"x": [1.0, 2.0], "y": [3, 4]}, keep=["y", "x"])
    assert found["x"].to_pylist() == [1.0, 2.0]
    assert found["y"].to_pylist() == [3, 4]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output": "odds"}, "'logit', 'label', 'log-probability' or 'label-probability'; got"),
        ({"output": ["logit", "logit"]}, "output must be one or more different ones"),
        ({"output": []}, "output must be one or more different ones"),
        ({"names": ["a", "b"]}, "names must have one name for each column of the output, 1; got 2"),
        ({"names": "n", "keep": ["n"]}, "must differ; got 'n' twice"),
        ({"keep": ["probability"]}, "has no column 'probability'"),
        ({"keep": ["n", "n"]}, "must differ; got 'n' twice"),
        ({"keep": "n"}, "keep must be a sequence of names; got 'n'"),
        ({"threshold": 1.5}, "threshold must lie between 0 and 1; got 1.5"),
        ({"missing": "drop"}, "missing must be 'error', 'nan' or 'skip'; got 'drop'"),
        ({"model": THREE, "threshold": 0.4}, "threshold must go with two classes; the model has 3"),
        ({"model": THREE, "names": "p"}, "one name for each column of the output, 3; got 1"),
        ({"model": THREE, "names": list("ppq")}, "must differ; got 'p' twice"),
        ({"model": THREE, "names": list("npq"), "keep": ["n"]}, "must differ; got 'n' twice"),
        ({"model": THREE, "offset": "n"}, "offset must be 3 different columns, one for each cla"),
        ({"model": THREE, "offset": ["n", "x", "n"]}, "offset must be 3 different columns"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        scored(**options)


def test_columns_without_names_cannot_be_kept():
    with pytest.raises(ValueError, match="ndarray: has no column names, so keep must be empty"):
        scored(np.zeros((3, 1)), keep=["n"])


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_nulls(tmp_path, suffix):
    columns = {"k": [1, 2, 3, None], "x": [0.5, np.nan, None, 1.0]}
    if suffix == ".csv":
        columns = {"k": ["1", "2", "3", "NA"], "x": ["0.5", "nan", "", "1"]}
    source, sink = write(pa.table(columns), tmp_path / f"in{suffix}"), tmp_path / "out.npy"
    model = fl.LogisticModel([1.0, 2.0], 0.0, ("k", "x"))
    message = (
        rf"in\{suffix}: column 'x' is null in row 2 "
        r"\(missing='nan' scores such rows as NaN, missing='skip' leaves them out\)$"
    )
    with pytest.raises(ValueError, match=message):
        score(fl.LogisticModel([2.0], 0.0, ("x",)), source, sink)
    assert not sink.exists()
    score(model, source, sink, missing="nan")
    np.testing.assert_array_equal(np.load(sink), [fl.sigmoid(2.0), np.nan, np.nan, np.nan])


def test_row_of_a_null_counts_all_batches(tmp_path, table, model):
    values = table["income"].to_pylist()
    values[777] = None
    source = write(table.set_column(1, "income", [values]), tmp_path / "in.parquet")
    with pytest.raises(ValueError, match="'income' is null in row 777"):
        score(model, source, tmp_path / "out.npy", batch_rows=100)


def test_model_without_names_takes_columns_by_position(tmp_path, table, model, expected):
    unnamed = fl.LogisticModel(model.coef, model.intercept)
    score(unnamed, write(table, tmp_path / "in.parquet"), tmp_path / "out.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)


def test_texts_of_a_csv_are_kept_as_they_are(tmp_path):
    (tmp_path / "x.csv").write_text('id,x\nNA,1\nnull,2\n"",3\nN/A,4\n1.10,5\n')
    batches = list(fl.score(MODEL, tmp_path / "x.csv", keep=["id"]))
    assert pa.Table.from_batches(batches)["id"].to_pylist() == ["NA", "null", "", "N/A", "1.10"]


@pytest.mark.parametrize("missing", ["nan", "skip"])
@pytest.mark.parametrize("kind", [pa.string(), pa.string_view()])
@pytest.mark.parametrize("encoded", [False, True])
def test_dictionaries_and_views_are_kept_as_strings(tmp_path, kind, encoded, missing):
    column = pa.array(["a", None, "b", "a"])
    codes = column.dictionary_encode()
    column = column.cast(kind)
    if encoded:
        column = pa.DictionaryArray.from_arrays(codes.indices, codes.dictionary.cast(kind))
    table = pa.table({"x": [1.0, 2, 3, 4], "k": column})
    (batch,) = fl.score(MODEL, table, keep=["k"], missing=missing)
    assert batch.schema.field("k").type == pa.string()
    assert batch["k"].to_pylist() == ["a", None, "b", "a"]
    fl.score(MODEL, table, tmp_path / "y.csv", keep=["k"], names="y")
    lines = (tmp_path / "y.csv").read_text().splitlines()
    assert [line.partition(",")[0] for line in lines] == ['"k"', '"a"', "", '"b"', '"a"']


def test_scores_are_never_null_and_labels_may_be():
    (batch,) = fl.score(MODEL, {"x": [1.0, np.nan]}, output=["probability", "label"])
    assert [field.nullable for field in batch.schema] == [False, True]
    assert batch["label"].to_pylist() == ["yes", None]


def test_features_of_a_csv_are_kept_as_text_and_scored_as_numbers(tmp_path):
    lines = ["id,x", "007, 1.50", "008,NA", "009,nan", "010,-inf\t"]
    (tmp_path / "x.csv").write_text("\n".join([*lines, ""]))
    (batch,) = fl.score(MODEL, tmp_path / "x.csv", keep=["x", "id"], missing="nan", output="logit")
    assert batch["x"].to_pylist() == [" 1.50", "NA", "nan", "-inf\t"]
    (plain,) = fl.score(MODEL, tmp_path / "x.csv", missing="nan", output="logit")
    assert plain["logit"].to_pandas().equals(batch["logit"].to_pandas())
    with pytest.raises(ValueError, match=r"x.csv: column 'x' is null in row 1 \(missing='nan' "):
        list(fl.score(MODEL, tmp_path / "x.csv", keep=["x"]))
    (tmp_path / "x.csv").write_text("\n".join([*lines, "011,0x1", ""]))
    with pytest.raises(ValueError, match=r"x.csv: column 'x': row 4: .*'0x1'"):
        list(fl.score(MODEL, tmp_path / "x.csv", keep=["x"], missing="nan"))


@pytest.mark.parametrize(
    "text", ["many", " 0x1\t", "it's", "\N{GREEK SMALL LETTER SIGMA}", "9" * 999 + "x"]
)
def test_text_among_numbers_has_one_message_for_kept_and_other_columns(tmp_path, text):
    (tmp_path / "in.csv").write_text(f"a,x\n1,2\n3,NA\n5,{text}\n7,8\n")
    told = []
    for keep in [], ["x"]:
        with pytest.raises(ValueError, match="row 2: CSV conversion error to double: ") as caught:
            list(fl.score(MODEL, tmp_path / "in.csv", keep=keep, missing="nan"))
        told.append(str(caught.value))
    assert told[0] == told[1]
    assert told[0].startswith(f"{tmp_path / 'in.csv'}: column 'x': row 2: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("output", None),
        ("output", b"logit"),
        ("output", 3),
        ("output", [["logit"]]),
        ("output", np.int64(0)),
        ("names", 3),
        ("names", b"z"),
        ("names", [3]),
        ("keep", b"a"),
        ("keep", [b"a"]),
        ("keep", 3),
        ("missing", np.zeros(2)),
        ("missing", []),
        ("unknown", None),
        ("threshold", "0.5"),
        ("progress", 3),
        ("force", "yes"),
        ("resume", None),
    ],
)
def test_an_odd_argument_is_an_error_that_names_it(name, value):
    with pytest.raises((TypeError, ValueError), match=f"^{name} must ") as caught:
        fl.score(PAIR_MODEL, PAIRS, **{name: value})
    assert "np.int64" not in str(caught.value)
