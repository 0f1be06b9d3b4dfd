"""The columns of a batch: values that they may hold, and rows that miss one."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastlogit.scoring import read_table
from tests.scoring_data import write


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("late", 2.5, r"column 'late' must .* labels, or .*; got 3: 0.0, 1.0, 2.5 \(2.5 in row 3"),
        (
            "late",
            -0.5,
            r"column 'late' must .*, or lie between 0 and 1; got 3: -0.5, 0.0, 1.0 \(-0.5 in row 3",
        ),
        ("late", np.inf, r"column 'late' must .*; got 3: 0.0, 1.0, inf \(inf in row 30000\)"),
        ("a", np.inf, "column 'a' must be finite; got inf in row 30000"),
    ],
)
def test_values_out_of_range_name_the_row_of_the_file(tmp_path, column, value, message):
    values = {"a": np.zeros(40_000), "late": np.zeros(40_000)}
    values["late"][:5] = np.nan  # skipped, and counted
    values["late"][5] = 1.0
    values[column][30_000] = value
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table(values), path)
    with pytest.raises(ValueError, match=rf"x\.parquet: {message}"):
        read_table(path, "late", missing="skip")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_columns_may_hold_the_largest_numbers(dtype):
    x = np.full(4, np.finfo(dtype).max) * np.array([1, 1, 1, -1], dtype)
    data = read_table({"x": x, "t": [0, 1, 1, 0]}, "t")
    assert (data.X.ravel().tolist(), data.skipped) == (x.tolist(), 0)
    x[2] = np.nan
    assert read_table({"x": x, "t": [0, 1, 1, 0]}, "t", missing="skip").skipped == 1


def test_rows_of_a_folder_are_counted_within_their_file(tmp_path):
    (tmp_path / "in").mkdir()
    for name, last in (("1", 1), ("2", 2.5)):
        table = pa.table({"x": [1.0, 2.0], "t": [0.0, last]})
        write(table, tmp_path / "in" / f"{name}.parquet")
    with pytest.raises(ValueError, match=r"2\.parquet: column 't' must .* \(2.5 in row 1\)$"):
        read_table(tmp_path / "in", "t")


@pytest.mark.parametrize("kind", [pa.string(), pa.dictionary(pa.int8(), pa.string())])
def test_categories_of_rows_that_are_left_out_are_none(kind):
    texts = pa.array(["a", "b", "b", None, "c"]).cast(kind)
    table = pa.table({"x": [None, 1.0, 2.0, 3.0, 4.0], "k": texts, "t": [1, 0, 1, 1, 0]})
    data = read_table(table, "t", missing="skip", drop_first=True)
    assert data.categories == {"k": ("b", "c")}
    assert data.X.toarray().tolist() == [[1.0, 0.0], [2.0, 0.0], [4.0, 1.0]]
    assert (data.t.tolist(), data.skipped) == ([0.0, 1.0, 0.0], 2)


def test_missing_values_of_libsvm(tmp_path):
    path = tmp_path / "in.svm"
    path.write_text("1 1:1\n0 2:nan\nnan 1:2\n0 1:3\n")
    with pytest.raises(ValueError, match=r"in.svm: row 1 has a missing value \(missing='skip'"):
        read_table(path, width=2)
    data = read_table(path, width=2, missing="skip")
    assert (data.X.toarray().tolist(), data.t.tolist()) == ([[1, 0], [3, 0]], [1, 0])
    assert data.skipped == 2
    path.write_text("1 1:1\n0 2:inf\n")
    with pytest.raises(ValueError, match=r"in.svm: every value must be finite; got inf in row 1"):
        read_table(path, width=2)


@pytest.mark.parametrize("words", [("True", "False"), ("true", "false"), ("TRUE", "FALSE")])
def test_truth_values_of_a_csv_are_numbers(tmp_path, words):
    source = tmp_path / "in.csv"
    rows = [(words[0], "1"), (words[1], "0"), (words[0], "0"), ("", "1")]
    source.write_text("x,t\n" + "".join(f"{x},{t}\n" for x, t in rows))
    found = read_table(source, "t", missing="skip")
    assert found.X.tolist() == [[1.0], [0.0], [1.0]]
    assert read_table(source, "t", missing="skip", categorical=["x"]).categories == {
        "x": ("false", "true")
    }


def test_a_null_column_is_missing_values():
    table = pa.table({"x": pa.nulls(2), "t": [0, 1]})
    with pytest.raises(ValueError, match="column 'x' has no value in any row \\(ignore"):
        read_table(table, "t")
