"""Which tables can be read again, and what happens to those that cannot."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import dask.dataframe
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pytest
from scipy import sparse

import fastlogit as fl
from fastlogit.tables.source import open_table
from tests.scoring_data import (
    PAIR_WRITERS,
    PAIR_X,
    PAIR_Z,
    PAIRS,
    N,
    arrow_stream,
    fifo,
    libsvm_text,
    pair_logits,
    pair_text,
    standard_input,
)


class Exporter:
    """An object that exports a stream, of which nothing else is known."""

    def __init__(self, table):
        self.reader = table.to_reader()

    def __arrow_c_stream__(self, requested_schema=None):
        return self.reader.__arrow_c_stream__(requested_schema)


def batches():
    yield from PAIRS.to_batches(max_chunksize=300)


REPEATABLE = {
    "array": lambda: PAIR_X,
    "rows": lambda: PAIR_X.tolist(),
    "CSR": lambda: sparse.csr_array(PAIR_X),
    "dict": lambda: {"a": PAIR_X[:, 0], "b": PAIR_X[:, 1]},
    "pandas": lambda: PAIRS.to_pandas(),
    "Polars": lambda: pl.from_arrow(PAIRS),
    "Arrow table": lambda: PAIRS,
    "record batch": lambda: PAIRS.combine_chunks().to_batches()[0],
    "data set": lambda: pa.dataset.dataset(PAIRS),
    "relation of DuckDB": lambda: duckdb.from_arrow(PAIRS),
    "Dask": lambda: dask.dataframe.from_pandas(PAIRS.to_pandas(), npartitions=3),
    "generator function": lambda: batches,
    "function, reader": lambda: PAIRS.to_reader,
    "function, exporter": lambda: lambda: Exporter(PAIRS),
    "function, table": lambda: lambda: PAIRS,
    "function, array": lambda: lambda: PAIR_X,
    "function, frames": lambda: lambda: iter([pl.from_arrow(PAIRS)]),
    "function, lazy frame": lambda: pl.from_arrow(PAIRS).lazy().collect_batches,
}
ONCE = {
    "reader": lambda: PAIRS.to_reader(),
    "exporter": lambda: Exporter(PAIRS),
    "generator": batches,
    "iterator of tables": lambda: iter([PAIRS[:10], PAIRS[10:]]),
    "stream of DuckDB": lambda: pa.RecordBatchReader.from_stream(duckdb.from_arrow(PAIRS)),
}


def columns(table):
    return [0, 1] if table.names is None else table.find(["a", "b"])


def logits(table):
    """Logits of all rows of an open table."""
    read = [batch.data for batch in table.read(table.want(columns(table)))]
    return np.concatenate([fl.linear.decision(data, [2.0, -1.0], 0.5) for data in read])


@pytest.mark.parametrize("name", REPEATABLE)
def test_tables_that_give_the_same_rows_at_each_read(name):
    table = open_table(REPEATABLE[name]())
    assert table.is_repeatable
    for _ in range(3):
        np.testing.assert_array_equal(logits(table), PAIR_Z)
    np.testing.assert_array_equal(pair_logits(REPEATABLE[name](), threads=2), PAIR_Z)


@pytest.mark.parametrize("name", PAIR_WRITERS)
def test_files_and_folders_can_be_read_again(tmp_path, name):
    PAIR_WRITERS[name](tmp_path / name)
    for source in (tmp_path / name, tmp_path):
        assert open_table(source, width=2).is_repeatable


@pytest.mark.parametrize("name", ONCE)
def test_streams_are_read_once(name):
    table = open_table(ONCE[name]())
    assert not table.is_repeatable
    np.testing.assert_array_equal(logits(table), PAIR_Z)
    with pytest.raises(ValueError, match=rf"^{table.name}: can be read only once$"):
        logits(table)
    np.testing.assert_array_equal(pair_logits(ONCE[name]()), PAIR_Z)


@pytest.mark.parametrize("kind", ["standard input", "fifo"])
@pytest.mark.parametrize("content", [pair_text, libsvm_text, arrow_stream])
def test_pipes_are_read_once(tmp_path, monkeypatch, kind, content):
    source = "-"
    if kind == "fifo":
        source = fifo(tmp_path / "pipe", content())
    else:
        standard_input(monkeypatch, content())
    file_format = {libsvm_text: "libsvm", pair_text: "csv", arrow_stream: "arrow"}[content]
    table = open_table(source, file_format=file_format, width=2)
    assert not table.is_repeatable
    np.testing.assert_array_equal(logits(table), PAIR_Z)
    with pytest.raises(ValueError, match=r"(standard input|pipe): can be read only once$"):
        logits(table)


# Functions --------------------------------------------------------------------------------


def test_a_function_is_called_once_for_each_read():
    calls = []

    def source():
        calls.append(1)
        return PAIRS.to_reader()

    table = open_table(source)
    for reads in (1, 2, 3):
        logits(table)
        assert len(calls) == reads


@pytest.mark.parametrize("other", [PAIRS.to_reader, batches])
def test_a_function_that_gives_an_exhausted_stream_again_is_an_error(other):
    stream = other()
    message = r"^\w+: must give a new stream at each call; got the same \w+ again$"
    table = open_table(lambda: stream)
    np.testing.assert_array_equal(logits(table), PAIR_Z)
    with pytest.raises(ValueError, match=message):
        logits(table)
    with pytest.raises(ValueError, match=message + r"|must give a record batch at least"):
        pair_logits(lambda: stream)


def test_an_exhausted_stream_in_a_new_object_is_an_error():
    reader = PAIRS.to_reader()
    table = open_table(lambda: (batch for batch in chain([PAIRS[:1]], reader)))
    assert len(logits(table)) == N + 1
    message = r"^function: must give the same rows at each read; got 1 rows, and 1001 at the first"
    with pytest.raises(ValueError, match=message):
        logits(table)


def test_a_function_may_give_no_rows():
    empty = PAIRS[:0]
    for source in (lambda: empty, empty.to_reader):
        table = open_table(source)
        for _ in range(3):
            assert list(table.read(table.want(columns(table)))) == []


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (PAIRS.select(["other", "a", "b"]), r"column 1 is 'a' \(double\), and was 'b' \(double\)"),
        (PAIRS.select(["other", "b"]), r"column 2 is none, and was 'a' \(double\) before"),
        (PAIRS.append_column("c", PAIRS["a"]), r"column 3 is 'c' \(double\), and was none before"),
        (
            PAIRS.set_column(2, "a", PAIRS["a"].cast("float")),
            r"column 2 is 'a' \(float\), and was 'a' \(double\) before",
        ),
        (PAIR_X, r"column 0 is '' \(float64\), and was 'other' \(string\) before"),
    ],
)
def test_a_function_that_gives_other_columns_is_an_error(second, message):
    results = iter([PAIRS, second])
    table = open_table(lambda: next(results))
    logits(table)
    with pytest.raises(
        ValueError, match=rf"^function: must always have the same columns; {message}"
    ):
        logits(table)


@pytest.mark.parametrize("result", [None, 3, "x.csv", Path("x.csv"), b"a,b", lambda: PAIRS])
def test_a_function_that_gives_no_table_is_an_error(result):
    with pytest.raises(TypeError, match=r"^source must be a path or a table; got function"):
        open_table(lambda: result)


def test_a_class_is_no_function():
    with pytest.raises(TypeError, match=r"^source must be a path or a table; got type"):
        open_table(pd.DataFrame)


def test_errors_of_a_function_come_through():
    with pytest.raises(ZeroDivisionError):
        open_table(lambda: 1 // 0)


# Iterators --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "^list_iterator: must give a record batch at least, as that has the columns$"),
        ([PAIRS, PAIRS.select(["a", "b"])], "must always have the same columns; column 0 is 'a'"),
        ([PAIRS, 3], "^list_iterator: source must be a path or a table; got list_iterator of int$"),
    ],
)
def test_iterators_that_are_no_table(items, message):
    with pytest.raises(ValueError, match=message):
        pair_logits(iter(items))


@pytest.mark.parametrize("source", [iter([1]), iter(["a"]), iter([b"a,b"]), iter([None])])
def test_iterators_of_other_things(source):
    message = r"^source must be a path or a table; got list_iterator of "
    with pytest.raises(TypeError, match=message):
        open_table(source)


def test_an_error_in_an_iterator_names_it():
    def broken():
        yield PAIRS
        raise OSError("the line is dead")

    with pytest.raises(ValueError, match=r"^function: the line is dead$"):
        pair_logits(broken)
