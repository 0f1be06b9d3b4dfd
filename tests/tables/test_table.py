"""Tables of any format: columns by name or position, batches, and columns without numbers."""

from __future__ import annotations

import os
import re
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import dataset

import fastlogit as fl
from fastlogit.core.arrow import decoded_type, numbers
from fastlogit.matrix import as_matrix
from fastlogit.scoring import evaluate, read_table, score
from fastlogit.tables.source import open_table
from fastlogit.tables.spool import spooled
from fastlogit.tables.table import _file_state
from tests.scoring_data import (
    PAIR_WRITERS,
    PAIR_X,
    PAIRS,
    SUFFIXES,
    N,
    arrow_stream,
    as_source,
    pair_text,
    standard_input,
    write,
)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_columns_are_found_by_name(tmp_path, table, model, expected, suffix):
    table = table.append_column("name", pa.array(["x"] * N)).append_column("t", [[None] * N])
    source = write(table.select([5, 3, 1, 4, 0, 2]), tmp_path / f"in{suffix}")
    score(model, source, tmp_path / "out.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["age", "Income", "score", "visits"], "no column 'income' (did you mean 'Income'?)"),
        (["Age", "q", "score", "visits"], "no columns 'age' (did you mean 'Age'?), 'income'"),
        (["Age", "incom", "q", "visits"], "no columns 'age', 'income', 'score'"),
    ],
)
def test_missing_columns_are_all_listed_and_few_with_similar_names(
    tmp_path, table, model, names, message
):
    source = write(table.rename_columns(names), tmp_path / "in.parquet")
    with pytest.raises(ValueError, match=rf"in.parquet: has {re.escape(message)}$"):
        score(model, source, tmp_path / "out.npy")


def test_the_first_of_many_missing_columns_are_listed():
    model = fl.LogisticModel(np.ones(48), 0.0, [f"month_{number}" for number in range(48)])
    message = r"dict: has no columns 'month_0', 'month_1', .* 'month_4' and 43 more$"
    with pytest.raises(ValueError, match=message):
        fl.score(model, {"month": [1.0]})


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_duplicate_names(tmp_path, suffix):
    source = write(pa.table([[1.0], [2.0], [3.0]], names=["x", "y", "x"]), tmp_path / f"in{suffix}")
    with pytest.raises(ValueError, match="2 columns have the name 'x'"):
        score(fl.LogisticModel([1.0], 0.0, ("x",)), source, tmp_path / "out.npy")
    assert score(fl.LogisticModel([1.0], 0.0, ("y",)), source, tmp_path / "out.npy").rows == 1


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["a"]),
        pa.array([[1.0]]),
        pa.array([0], pa.timestamp("us")),
        pa.array([0], pa.date32()),
        pa.array([0], pa.time64("ns")),
        pa.array([0], pa.duration("ns")),
        pa.array([b"1"]),
        pa.array([{"y": 1.0}]),
        pa.array(["a"]).dictionary_encode(),
    ],
    ids=lambda values: str(values.type),
)
@pytest.mark.parametrize("form", ["parquet", "table"])
def test_columns_that_hold_no_numbers(tmp_path, values, form):
    source = as_source(pa.table({"x": values, "t": [1.0]}), form, tmp_path)
    message = r"column 'x' must hold numbers; it holds .* \(convert it to numbers first"
    model = fl.LogisticModel([1.0], 0.0, ("x",))
    with pytest.raises(ValueError, match=message):
        list(score(model, source))
    with pytest.raises(ValueError, match=message):
        evaluate(model, source, "t")
    if not pa.types.is_string(decoded_type(values.type)):
        with pytest.raises(ValueError, match=rf"{message}, or leave it out with ignore=\['x'\]\)"):
            read_table(source, "t")


DECIMALS = pa.array(["1.10", None, "-3.33"])
NUMBERS = {
    "decimal": DECIMALS.cast(pa.decimal128(5, 2)),
    "small decimal": DECIMALS.cast(pa.decimal32(5, 2)),
    "large decimal": DECIMALS.cast(pa.decimal256(60, 2)),
    "dictionary of integers": pa.array([7, None, 3]).dictionary_encode(),
    "dictionary of floats": pa.array([0.1, None, 3.0]).dictionary_encode(),
    "dictionary of decimals": DECIMALS.cast(pa.decimal128(5, 2)).dictionary_encode(),
    "booleans": pa.array([True, None, False]),
    "nulls": pa.nulls(3),
}


@pytest.mark.parametrize("form", ["parquet", "arrow", "arrows", "table", "reader"])
@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_of_other_types(tmp_path, name, form):
    values = NUMBERS[name]
    expected = np.array([np.nan if x is None else float(x) for x in values.to_pylist()])
    table = pa.table({"x": values, "y": [1.0, 2.0, 3.0], "t": [0, 1, 1]})
    model = fl.LogisticModel([1.0, 0.5], 0.0, ("x", "y"))

    def source():
        return as_source(table, form, tmp_path)

    scored = score(model, source(), output="logit", missing="nan", keep=["x"])
    found = pa.Table.from_batches(list(scored))
    np.testing.assert_array_equal(found["logit"].to_numpy(), expected + np.array([0.5, 1.0, 1.5]))
    assert found["x"].to_pylist() == values.to_pylist()  # a decimal as it was
    with pytest.raises(ValueError, match=r"column 'x' is null in row [01] "):
        list(score(model, source()))
    told = "has no value in any row" if name == "nulls" else "has 1 missing value in 3 rows"
    with pytest.raises(ValueError, match=f"column 'x' {told}"):
        read_table(source(), "t")
    if name == "nulls":
        with pytest.raises(ValueError, match="column 'x' has no value in any row"):
            read_table(source(), "t", missing="skip")
    else:
        data = read_table(source(), "t", missing="skip")
        np.testing.assert_array_equal(data.X[:, 0], expected[[0, 2]])
        assert evaluate(model, source(), "t").rows == 2


@pytest.mark.parametrize("digits", [1, 5, 15, 17, 30])
def test_decimals_are_the_nearest_numbers(digits):
    rng = np.random.default_rng(digits)
    texts = ["".join(map(str, rng.integers(0, 10, digits))) for _ in range(200)]
    decimals = [Decimal(text).scaleb(-digits // 2) for text in texts]
    column = pa.array(decimals, pa.decimal128(38, 16))
    assert numbers(column).to_pylist() == [float(one) for one in decimals]


@pytest.mark.parametrize("start", [0, 1, 299, 300, 650, N - 1, N])
@pytest.mark.parametrize("name", PAIR_WRITERS)
def test_every_format_can_be_read_from_a_row_on(tmp_path, name, start):
    path = tmp_path / name
    PAIR_WRITERS[name](path)
    table = open_table(path, width=2)
    columns = [0, 1] if table.names is None else table.find(["a", "b"])
    batches = list(table.read(table.want(columns, batch_rows=90, start=start)))
    firsts = [batch.first for batch in batches]
    sizes = [as_matrix(batch.data).shape[0] for batch in batches]
    assert sum(sizes) == N - start
    assert firsts == [start + sum(sizes[:number]) for number in range(len(sizes))]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("rows", [0, 5])
def test_batches_may_be_larger_than_any_file(tmp_path, suffix, rows):
    source = write(pa.table({"x": np.arange(float(rows))}), tmp_path / f"in{suffix}")
    model = fl.LogisticModel([1.0], 0.0, ("x",))
    assert score(model, source, tmp_path / "out.npy", batch_rows=10**20).rows == rows


def test_a_pipe_has_no_state_that_might_change(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    assert _file_state(tmp_path / "pipe") is None
    before = _file_state(tmp_path / "file")
    (tmp_path / "file").write_text("x")
    assert None is not _file_state(tmp_path / "file") != before


# Memory ------------------------------------------------------------------------------------


def memory(table):
    return table.in_memory_bytes([0, 1] if table.names is None else table.find(["a", "b"]))


@pytest.mark.parametrize("name", PAIR_WRITERS)
def test_the_memory_of_a_small_file_is_known(tmp_path, name):
    PAIR_WRITERS[name](tmp_path / name)
    exact = N * 2 * 8
    if name == "y.npz":  # float32
        exact = N * 2 * 4
    elif "svm" in name:
        exact = np.count_nonzero(PAIR_X) * 12
    assert memory(open_table(tmp_path / name, width=2)) == exact
    (tmp_path / "k=1").mkdir()
    (tmp_path / name).rename(tmp_path / "k=1" / name)
    PAIR_WRITERS[name](tmp_path / "k=1" / f"2{name}")
    if "np" not in name and "svm" not in name:
        assert memory(open_table(tmp_path)) == 2 * exact


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x.csv.zst", "x.libsvm"])
def test_the_memory_of_a_large_text_is_estimated_rather_too_high(tmp_path, monkeypatch, name):
    monkeypatch.setattr("fastlogit.tables.text_file._BLOCK_BYTES", 1 << 20)
    numbers = np.random.default_rng(1).integers(0, 10**6, 400_000).tolist()
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    if name == "x.libsvm":
        text, exact = "\n".join(f"1 1:{a} 2:{b}" for a, b in pairs), len(numbers) * 12
    else:
        text, exact = "\n".join(["a,b", *(f"{a},{b}" for a, b in pairs)]), len(numbers) * 8
    content = text.encode()
    suffix = name.removeprefix("x.csv")
    if suffix in (".gz", ".zst"):
        content = pa.compress(content, {".gz": "gzip", ".zst": "zstd"}[suffix], asbytes=True)
    (tmp_path / name).write_bytes(content)
    assert exact < memory(open_table(tmp_path / name, width=2)) < 1.6 * exact


@pytest.mark.parametrize(
    ("kinds", "size"),
    [(["f2", "f4"], 4), (["f4", "i2"], 4), (["f4", "i4"], 8), (["?", "u1"], 4), (["f8", "f4"], 8)],
)
def test_the_memory_of_a_number_depends_on_its_type(kinds, size):
    columns = {name: np.zeros(10, kind) for name, kind in zip("ab", kinds, strict=True)}
    assert memory(open_table(columns)) == 20 * size
    assert memory(open_table(pa.table(columns))) == 20 * size


def test_text_takes_the_memory_of_a_number_at_least():
    table = open_table({"a": ["x", "y"], "b": [1.0, 2.0]})
    assert table.in_memory_bytes([0, 1]) == 2 * 2 * 8
    assert table.in_memory_bytes([0]) == 2 * 4
    assert table.in_memory_bytes([]) == 0


def test_the_memory_of_a_stream_is_unknown_and_of_its_copy_rather_too_high(monkeypatch):
    exact = N * 2 * 8
    for content in (pair_text(), arrow_stream()):
        standard_input(monkeypatch, content)
        table = open_table("-")
        assert memory(table) is None
        with spooled(table) as copied:
            assert exact <= memory(copied) <= 2 * exact
    assert memory(open_table(PAIRS.to_reader())) is None
    assert memory(open_table(PAIRS.to_reader)) is None


def test_the_memory_of_objects_that_know_their_rows_is_exact(tmp_path):
    pq.write_table(PAIRS, tmp_path / "pairs.parquet")
    for source in (
        PAIRS.to_pandas(),
        lambda: PAIRS,
        dataset.dataset(tmp_path / "pairs.parquet"),
        pl.from_arrow(PAIRS),
    ):
        assert memory(open_table(source)) == N * 2 * 8


# Names and positions -----------------------------------------------------------------------

SMALL = {"a": [1.0, 2.0], "t": [0, 1]}


@pytest.mark.parametrize("names", ["a", b"a", [b"a"], pd.NA, None, 3, [3], [None], np.ma.masked])
def test_names_of_columns_must_be_texts(names):
    model = fl.LogisticModel([1.0], 0.0, ("a",))
    for argument, function in (
        ("keep", lambda: list(score(model, SMALL, keep=names))),
        ("ignore", lambda: read_table(SMALL, "t", ignore=names)),
        ("categorical", lambda: read_table(SMALL, "t", categorical=names)),
    ):
        with pytest.raises(TypeError, match=f"{argument} must be a sequence of names; got "):
            function()


@pytest.mark.parametrize("label", [np.inf, np.nan, np.ma.masked, pd.NA, 1.0, True, b"t", [1.0]])
@pytest.mark.parametrize("source", [SMALL, np.eye(2)], ids=["names", "positions"])
def test_a_column_that_is_neither_named_nor_a_position(source, label):
    model = fl.LogisticModel([1.0], 0.0, ("a",))
    for function in (
        lambda: read_table(source, label),
        lambda: evaluate(model, source, label),
    ):
        with pytest.raises(TypeError, match="label must be the name or the position"):
            function()


# Columns of nulls --------------------------------------------------------------------------

NOTHING = {
    "Arrow": lambda _: pa.table({"a": [1.0, 2.0], "t": [0, 1], "x": pa.nulls(2)}),
    "Polars": lambda _: pl.DataFrame({"a": [1.0, 2.0], "t": [0, 1], "x": [None, None]}),
    "pandas": lambda _: pd.DataFrame(
        {"a": [1.0, 2.0], "t": [0, 1], "x": pd.Series([None, None], dtype=object)}
    ),
    "CSV": lambda path: path,
}


@pytest.mark.parametrize("name", NOTHING)
def test_a_column_of_nulls_is_missing_as_number_and_as_text(tmp_path, name):
    path = tmp_path / "x.csv"
    path.write_text("a,t,x\n1,0,\n2,1,\n")
    source = NOTHING[name](path)
    number = fl.LogisticModel([1.0, 1.0], 0.0, ("a", "x"))
    text = fl.LogisticModel([1.0, 1.0], 0.0, ("a", "x=u"), categories={"x": ["u"]})
    for model in (number, text):
        with pytest.raises(ValueError, match="column 'x' is null in row 0"):
            list(score(model, source))
        (batch,) = score(model, source, missing="nan", keep=["x"])
        assert np.isnan(batch["probability"].to_numpy()).all()
        assert set(batch["x"].to_pylist()) <= {None, ""}
        with pytest.raises(ValueError, match="no row with a label and a score"):
            evaluate(model, source, "t")
    for categorical in ([], ["x"]):
        with pytest.raises(ValueError, match="'x' has no value in any row"):
            read_table(source, "t", categorical=categorical)
    data = read_table(source, "t", ignore=["x"])
    assert data.X.tolist() == [[1.0], [2.0]]
