"""The labels of tables as targets, in every format, and compared with a model's classes."""

from __future__ import annotations

import io
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import dump_svmlight_file

import fastlogit as fl
from fastlogit.scoring import CSVOptions, evaluate, read_table
from fastlogit.training.table.labels import encode_labels

X = [0.5, -1.5, 2.0, 1.0, -0.25]
SECOND = [0, 1, 1, 0, 1]

# Labels, and the classes that they have in a CSV and in a typed table.
PAIRS = {
    "bool": ([False, True], (False, True), (False, True)),
    "yes": (["no", "yes"], ("no", "yes"), ("no", "yes")),
    "signs": ([-1, 1], (-1, 1), (-1, 1)),
    "one or two": ([1, 2], (1, 2), (1, 2)),
    "0 and 1": ([0, 1], (0, 1), (0, 1)),
    "0.0 and 1.0": ([0.0, 1.0], (0, 1), (0, 1)),
    "floats": ([1.0, 2.0], (1, 2), (1.0, 2.0)),
    "halves": ([-0.5, 1.5], (-0.5, 1.5), (-0.5, 1.5)),
    "text": (["A b", "ü"], ("A b", "ü"), ("A b", "ü")),
}


# More than two labels, in their order.
SEVERAL = {
    "three words": (["a b", "c", "ü"], ("a b", "c", "ü"), ("a b", "c", "ü")),
    "whole numbers": ([-3, 0, 7], (-3, 0, 7), (-3, 0, 7)),
    "whole floats": ([0.0, 1.0, 2.0], (0, 1, 2), (0.0, 1.0, 2.0)),
}
CLASS_NUMBERS = [2, 0, 1, 1, 2]


def frame(labels, numbers=SECOND):
    return pd.DataFrame({"x": X, "t": [labels[number] for number in numbers]})


def write(table, folder, kind):
    """A source in a common format, written by pandas or Polars."""
    path = folder / f"in.{kind.split()[-1]}"
    if kind == "pandas csv":
        table.to_csv(path, index=False)
    elif kind == "polars csv":
        pl.DataFrame(table.to_dict("list")).write_csv(path)
    elif kind == "tsv":
        table.to_csv(path, index=False, sep="\t")
    elif kind == "parquet":
        table.to_parquet(path, index=False)
    elif kind == "dictionary parquet":
        columns = {"x": X, "t": pa.array(table["t"]).dictionary_encode()}
        pq.write_table(pa.table(columns), path)
    elif kind == "arrow":
        pl.DataFrame(table.to_dict("list")).write_ipc(path)
    else:
        return {"pandas": table, "polars": pl.DataFrame(table.to_dict("list"))}[kind]
    return path


KINDS = [
    "pandas csv", "polars csv", "tsv", "parquet", "dictionary parquet", "arrow", "pandas", "polars",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PAIRS)
def test_two_labels_of_any_kind_in_any_format(tmp_path, name, kind):
    pair, read_csv_labels, typed = PAIRS[name]
    source = write(frame(pair), tmp_path, kind)
    classes = read_csv_labels if kind.endswith(("csv", "tsv")) else typed
    found = read_table(source, "t")
    assert found.t.tolist() == SECOND
    assert found.classes == classes
    assert [type(label) for label in found.classes] == [type(label) for label in classes]
    for positive in (pair[0], str(pair[0])):
        found = read_table(source, "t", positive=positive)
        assert found.classes == classes[::-1]
        assert found.t.tolist() == [1 - t for t in SECOND]
    assert read_table(source, "t", positive=pair[1]).classes == classes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SEVERAL)
def test_more_labels_of_any_kind_in_any_format(tmp_path, name, kind):
    labels, read_csv_labels, typed = SEVERAL[name]
    found = read_table(write(frame(labels, CLASS_NUMBERS), tmp_path, kind), "t")
    classes = read_csv_labels if kind.endswith(("csv", "tsv")) else typed
    assert (found.t.tolist(), found.t.dtype, found.notes) == (CLASS_NUMBERS, np.float64, ())
    assert found.classes == classes
    assert [type(label) for label in found.classes] == [type(label) for label in classes]


def test_a_model_trained_on_one_format_is_evaluated_on_every_other(tmp_path):
    for pair in (PAIRS["bool"][0], [0, 1], ["no", "yes"], [1, 2]):
        models, sources = [], []
        for number, kind in enumerate(KINDS):
            folder = tmp_path / f"{number}{pair[1]}"
            folder.mkdir()
            sources.append(write(frame(pair), folder, kind))
            data = read_table(sources[-1], "t")
            models.append(fl.LogisticModel([1.0], 0.0, ("x",), classes=data.classes))
        found = [evaluate(model, source, "t") for model in models for source in sources]
        assert found[0].positives == 3
        assert found.count(found[0]) == len(found)


SAME = [
    ((0, 1), [0, 1, 1]),
    ((0, 1), [0.0, 1.0, 1.0]),
    ((0, 1), [False, True, True]),
    ((0, 1), ["0", "1", " 1"]),
    ((0, 1), ["0.0", "1.0", "1e0"]),
    ((0, 1), ["false", "true", "TRUE"]),
    ((False, True), [0, 1, 1]),
    ((False, True), ["False", "True", "true"]),
    ((False, True), ["0", "1", "1"]),
    ((-1, 1), ["-1", "1", "1.0"]),
    ((-1, 1), [Decimal(-1), Decimal(1), Decimal("1.0")]),
    ((1, 2), ["1", "2", "2.0"]),
    (("1", "2"), [1, 2, 2]),
    (("1", "2"), [1.0, 2.0, 2.0]),
    (("no", "yes"), ["no", "yes", "yes"]),
    (("True", "False"), [True, False, False]),
    (("1", "1.0"), ["1", "1.0", "1.0"]),
    ((0.5, 2.5), ["0.5", "2.5", "2.50"]),
]


SAME_OF_THREE = [
    ((0, 1, 2), [0, 1, 1, 2]),
    ((0, 1, 2), ["0", "true", "1.0", " 2"]),
    ((2, 0, -7), np.array([2, 0, 0, -7], np.int8)),
    ((-1.0, 1.5, 300.0), [-1, 1.5, 1.5, 300]),
    (("a", "3", "0"), ["a", "3.0", "3", "0"]),
    (("5", "7", "2"), [5, 7, 7.0, 2]),
    (("1", "1.0", "a"), ["1", "1.0", "1.0", "a"]),
]


@pytest.mark.parametrize("form", ["array", "arrow", "dictionary"])
@pytest.mark.parametrize(("classes", "given"), SAME + SAME_OF_THREE)
def test_a_label_matches_its_class_in_every_spelling(classes, given, form):
    expected = [0, 1, 1, 2][: len(given)]
    values = pa.array([*given, None])
    if form == "array":
        values = np.array([*given, None], object)
    elif form == "dictionary":
        values = values.dictionary_encode()
    np.testing.assert_array_equal(encode_labels(values, classes, "t"), [*expected, np.nan])
    if form == "array":
        np.testing.assert_array_equal(encode_labels(np.array(given), classes, "t"), expected)


@pytest.mark.parametrize(
    ("classes", "given", "shown"),
    [
        ((0, 1), [0, 1, 2], "2"),
        ((0, 1), [0, 1, 0.5], "0.5"),
        ((0, 1), ["0", "1", "yes"], "'yes'"),
        ((0, 1), ["0", "1", "2"], "'2'"),
        (("no", "yes"), ["no", "yes", "Yes"], "'Yes'"),
        (("no", "yes"), [0, 1, 1], "0"),
        (("no", "yes"), [False, True, True], "False"),
        (("no", "yes"), ["no", "yes", "nan"], "'nan'"),
        ((-1, 1), [False, True, True], "False"),
    ],
)
def test_another_label_is_an_error_that_names_its_row(classes, given, shown):
    wrong = [str(one) == shown.strip("'") for one in given].index(True)
    for values in (np.array(given), np.array(given, object), pa.array(given)):
        with pytest.raises(ValueError, match=f"must be {classes[0]!r} or .*got {shown}") as error:
            encode_labels(values, classes, "in.csv", 100)
        assert str(error.value).endswith(f" in row {100 + wrong}")


@pytest.mark.parametrize(
    ("classes", "given", "message"),
    [
        ((1, 2, 4), [1, 4, 3], "must be one of 1, 2, 4; got 3 in row 2"),
        ((1, 2, 4), [1, 4, 5.0], "must be one of 1, 2, 4; got 5.0 in row 2"),
        ((1, 2, 4), [-1, 4, 1], "must be one of 1, 2, 4; got -1 in row 0"),
        (tuple("abcdefg"), ["a", "A"], "must be one of 'a', .*, 'e' and 2 more; got 'A' in row 1"),
        (("a", "b", "c"), [0, 1], "must be one of 'a', 'b', 'c'; got 0 in row 0"),
        (("a", "2", "c"), [2, 1], "must be one of 'a', '2', 'c'; got 1 in row 1"),
    ],
)
def test_another_label_than_three_is_an_error(classes, given, message):
    for values in (np.array(given), pa.array(given)):
        with pytest.raises(ValueError, match=f"in.csv: the label {message}"):
            encode_labels(values, classes, "in.csv")


def test_labels_that_are_not_there_are_missing():
    for values in (
        np.array([0.0, 1.0, np.nan]),
        np.ma.masked_array([0, 1, 1], [False, False, True]),
        pa.array([0, 1, None]),
        pa.array([False, True, None]),
        pa.array(["0", "1", None]),
        np.array(["0", "1", None], object),
        np.array([0, 1, pd.NA], object),
    ):
        np.testing.assert_array_equal(encode_labels(values, (0, 1), "t"), [0, 1, np.nan])


def csv(*labels):
    return io.StringIO("x,t\n" + "".join(f"{x},{label}\n" for x, label in enumerate(labels)))


def read_csv_labels(tmp_path, *labels, **options):
    path = tmp_path / "in.csv"
    path.write_text(csv(*labels).read())
    return read_table(path, "t", **options)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_numbers_between_0_and_1_are_as_they_are(tmp_path, suffix):
    t = [0.0, 0.25, 1.0, 0.5, 0.125]
    table = pd.DataFrame({"x": X, "t": t})
    path = tmp_path / f"in{suffix}"
    table.to_csv(path, index=False) if suffix == ".csv" else table.to_parquet(path)
    found = read_table(path, "t")
    assert (found.t.tolist(), found.classes) == (t, (0, 1))
    with pytest.raises(ValueError, match="positive must go with two labels; column 't' has numb"):
        read_table(path, "t", positive=1)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["yes", "yes"], "column 't' must have two different labels; got 1: 'yes'$"),
        (["5", "5"], r"or lie between 0 and 1; got 1: 5 \(5 in row 0\)$"),
        (
            ["0.5", "1.5", "0.25"],
            r"more that are whole numbers, or lie between 0 and 1; got 3: 0.25, 0.5, 1.5 "
            r"\(0.5 in row 0, 1.5 in row 1\)$",
        ),
        (["1", "2", "3", "4", "2.5"], r"got 5: 1, 2, 2.5, 3, 4 \(2.5 in row 4, 2 in row 1\)$"),
        (["1", "2", "inf"], r"got 3: 1, 2, inf \(inf in row 2, 2 in row 1\)$"),
        (["2", "-inf", "1"], r"got 3: -inf, 1, 2 \(-inf in row 1, 2 in row 0\)$"),
        (["1", "inf"], r"got 2: 1, inf \(inf in row 1\)$"),
        (
            ["0", "1", "unknown"],
            r"has numbers, such as '.*', and other text, such as 'unknown' in row 2 \(",
        ),
        (
            ["True", "False", "maybe"],
            "has booleans and other text, such as 'maybe' in row 2$",
        ),
        (["no", "True", "yes"], "has booleans and other text, such as 'no' in row 0$"),
        (["True", "False", "2"], "must have two different labels; got booleans and 2$"),
        (["true", "0.5"], "must have two different labels; got booleans and 0.5$"),
        (
            ["?", "no", "yes"],
            r"that do not look like missing values; got 3: '\?', 'no', 'yes' "
            r"\(csv=CSVOptions\(null_values=\['\?', 'NA', 'N/A', 'NULL', 'null'\]\) takes '\?' as "
            r"missing\); csv=CSVOptions\(null_values=\['NA', .*'null'\]\) takes '\?' as labels$",
        ),
        (["yes", "?", "-"], r"got 3: '-', '\?', 'yes' .* takes '-' and '\?' as missing"),
        (
            ["no", "None", "yes", "-"],
            r"null_values=\['-', 'None', .* takes '-' and 'None' as missi",
        ),
        (["9007199254740993", "2", "3"], r"column 't' must have labels within ±2\*\*53$"),
        (
            ["0", "1", "true", "maybe"],
            "has numbers, such as '0', and other text, such as 'maybe' in row 3$",
        ),
    ],
)
def test_other_labels_are_errors_that_list_them(tmp_path, labels, message):
    with pytest.raises(ValueError, match=message):
        read_csv_labels(tmp_path, *labels)


def test_words_among_the_numbers_of_another_batch_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr("fastlogit.training.table.reading._BATCH_ROWS", 3)
    for labels in (["0", "1", "1", "0", "?", "1"], ["?", "?", "?", "0", "1", "0"]):
        with pytest.raises(
            ValueError, match=r"as '\?' in row .*csv=CSVOptions\(null_values=\['\?', 'NA'"
        ) as error:
            read_csv_labels(tmp_path, *labels)
        assert f"row {labels.index('?')} (" in str(error.value)


@pytest.mark.parametrize("null", ["", "NA", "null", " ", '""'])
def test_missing_labels_are_missing_rows(tmp_path, null):
    for labels in (["yes", null, "no"], ["2", null, "1"], ["True", null, "False"]):
        found = read_csv_labels(tmp_path, *labels, missing="skip")
        assert (found.t.tolist(), found.skipped) == ([1.0, 0.0], 1)
        with pytest.raises(ValueError, match="column 't' has 1 missing value in 3 rows"):
            read_csv_labels(tmp_path, *labels)


def test_cells_are_read_alike_to_train_and_to_evaluate(tmp_path):
    path = tmp_path / "in.csv"
    how = CSVOptions(delimiter=";", decimal=",")
    for first, second in (("0,5", "1,5"), (" no", "yes "), (" false", "TRUE"), ("1,0", "2,0")):
        path.write_text(f"x;t\n1;{first}\n2;{second}\n3;\n4;NA\n")
        data = read_table(path, "t", csv=how, missing="skip")
        assert data.t.tolist() == [0.0, 1.0]
        model = fl.LogisticModel([1.0], 0.0, ("x",), classes=data.classes)
        found = evaluate(model, path, "t", csv=how)
        assert (found.rows, found.positives, found.skipped) == (2, 1, 2)
    path.write_text("x;t\n1;1,0\n2;maybe\n")
    with pytest.raises(ValueError, match="the label must be 1 or 2; got 'maybe' in row 1"):
        evaluate(model, path, "t", csv=how)


@pytest.mark.parametrize("labels", [("true", "0", "1"), ("1", "False", "TRUE"), ("1", "0", "tRUE")])
@pytest.mark.parametrize("batch_rows", [1, 2, 3])
def test_booleans_and_0_and_1_are_one_label(tmp_path, monkeypatch, labels, batch_rows):
    monkeypatch.setattr("fastlogit.training.table.reading._BATCH_ROWS", batch_rows)
    expected = ([1.0, 0.0, 1.0], (False, True))
    found = read_csv_labels(tmp_path, *labels)
    assert (found.t.tolist(), found.classes) == expected
    model = fl.LogisticModel([1.0], 0.0, ("x",), classes=found.classes)
    (tmp_path / "in.csv").unlink()
    for number, label in enumerate(labels):
        (tmp_path / f"{number}.csv").write_text(f"x,t\n1,{label}\n")
    found = read_table(tmp_path, "t")
    assert (found.t.tolist(), found.classes) == expected
    assert evaluate(model, tmp_path, "t").positives == 2


def test_words_among_the_booleans_of_another_batch_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr("fastlogit.training.table.reading._BATCH_ROWS", 2)
    for labels in (["True", "False", "True", "maybe"], ["True", "maybe", "True", "False"]):
        with pytest.raises(ValueError, match="has booleans and other text, such as 'maybe' in row"):
            read_csv_labels(tmp_path, *labels)


def test_one_truth_value_is_one_class(tmp_path):
    found = read_csv_labels(tmp_path, "True", "true")
    assert (found.t.tolist(), found.classes) == ([1.0, 1.0], (False, True))


def test_labels_of_rows_that_are_left_out_do_not_count(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("x,t\n1,yes\n,maybe\n2,no\n3,\n")
    found = read_table(path, "t", missing="skip")
    assert (found.classes, found.t.tolist(), found.skipped) == (("no", "yes"), [1.0, 0.0], 2)
    with pytest.raises(ValueError, match="column 'x' has 1 missing value in 4 rows, and"):
        read_table(path, "t")


@pytest.mark.parametrize(
    ("positive", "message"),
    [
        ("maybe", "positive must be a label of column 't', 'no' or 'yes'; got 'maybe'"),
        (1, "positive must be a label of column 't', 'no' or 'yes'; got 1"),
    ],
)
def test_a_positive_label_that_is_not_there(tmp_path, positive, message):
    with pytest.raises(ValueError, match=message):
        read_csv_labels(tmp_path, "yes", "no", positive=positive)
    with pytest.raises(
        ValueError, match=r"positive must go with two labels; column 't' has 3: 'a', 'b', 'c'$"
    ):
        read_csv_labels(tmp_path, "a", "b", "c", positive="b")


def test_a_label_that_looks_missing_is_a_label_if_the_missing_values_are_given(tmp_path):
    for labels in (["none", "low", "high"], ["+", "-", "±"]):
        how = CSVOptions(null_values=["k.A."]) if "low" in labels else None
        found = read_csv_labels(tmp_path, *labels, csv=how)
        assert found.classes == tuple(sorted(labels))
        wrong = [label for label in labels if label not in ("low", "high")]
        assert found.notes == tuple(
            f"column 't' of {tmp_path / 'in.csv'} has the label {label!r}, which looks like a "
            "missing value"
            for label in sorted(wrong)
        )


def test_labels_that_differ_in_case_are_noted(tmp_path):
    (note,) = read_csv_labels(tmp_path, "yes", "Yes", "no", "no").notes
    assert note.endswith("in.csv has 'Yes' and 'yes' as different labels")
    assert read_table({"x": X, "t": ["é", "É", "é ", "b", "c"]}, "t").notes == (
        "column 't' of dict has 'É' and 'é' as different labels",
        "column 't' of dict has 'É' and 'é ' as different labels",
    )


def test_many_labels_are_noted():
    for labels in (100, 101):
        table = {"x": np.arange(1000), "t": np.arange(1000) % labels}
        note = ("column 't' of dict has 101 different labels",)
        assert read_table(table, "t").notes == note * (labels > 100)


@pytest.mark.parametrize("kind", [str, int])
def test_labels_that_identify_rows_are_an_error(monkeypatch, kind):
    def read(n, different):
        labels = [kind(row % different + 10) for row in range(n)]
        return read_table({"x": np.arange(n), "t": labels}, "t")

    message = "column 't' must have labels with more than two of the 60 rows on average; got 30 la"
    with pytest.raises(ValueError, match=f"{message}.* and 25 more$"):
        read(60, 30)
    assert len(read(61, 30).classes) == 30
    assert len(read(50, 50).classes) == 50
    monkeypatch.setattr("fastlogit.training.targets.MOST_CLASSES", 10)
    with pytest.raises(
        ValueError, match=r"column 't' must have at most 10 different .* got 11 lab"
    ):
        read(100, 11)


def test_labels_of_arrays_and_libsvm(tmp_path):
    np.save(tmp_path / "in.npy", np.column_stack([X, np.array([-1, 1])[SECOND]]))
    found = read_table(tmp_path / "in.npy", 1)
    assert (found.t.tolist(), found.classes) == (SECOND, (-1.0, 1.0))
    signs = np.array([-1, 1])[SECOND]
    path = tmp_path / "in.svm"
    dump_svmlight_file(np.array(X)[:, None], signs, str(path), zero_based=False)
    found = read_table(path, width=1, positive=-1)
    assert (found.t.tolist(), found.classes) == ([1, 0, 0, 1, 0], (1, -1))
    path.write_text("3.000000 1:1\n1.000000 1:2\n2.000000 1:3\n1 1:4\n")
    found = read_table(path)
    assert (found.t.tolist(), found.classes) == ([2, 0, 1, 0], (1, 2, 3))
    path.write_text("3 1:1\n1 1:2\n2.5 1:3\n")
    with pytest.raises(ValueError, match=r"in.svm: the label must .*\(2.5 in row 2, 3 in row 0"):
        read_table(path)


def test_integers_that_are_no_float64_are_refused():
    with pytest.raises(ValueError, match=r"column 't' must have labels within ±2\*\*53"):
        read_table({"x": [1.0, 2.0], "t": [2**53 + 1, 2**53]}, "t")


@pytest.mark.parametrize("values", [[b"a", b"b"], [[1], [2]], pa.array([1, 2], pa.date32())])
def test_types_that_are_no_labels(values):
    with pytest.raises(
        ValueError, match="column 't' must have labels: numbers, text or booleans; "
    ):
        read_table({"x": [1.0, 2.0], "t": values}, "t")
    with pytest.raises(
        ValueError, match="column 't' must have labels: numbers, text or booleans; "
    ):
        evaluate(fl.LogisticModel([1.0], 0.0, ("x",)), {"x": [1.0, 2.0], "t": values}, "t")


def test_decimals_are_labels():
    t = pa.array([Decimal("1.0"), Decimal("2.0"), None])
    found = read_table({"x": [1.0, 2.0, 3.0], "t": t}, "t", missing="skip")
    assert (found.t.tolist(), found.classes, found.skipped) == ([0.0, 1.0], (1.0, 2.0), 1)
