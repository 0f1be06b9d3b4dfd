"""CSV: ways of writing it, its rows, and damaged files."""

from __future__ import annotations

import gzip
import io
import re
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

import fastlogit as fl
from fastlogit.cli import main
from fastlogit.scoring import CSVOptions, evaluate, read_table, score
from fastlogit.tables.source import open_table
from tests import processes
from tests.scoring_data import (
    PAIR_MODEL,
    PAIRS,
    files_in,
)


def test_text_late_in_a_csv_names_column_and_row(tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("k,x\n" + "1,2.5\n" * 500_000 + "1,many\n")
    with pytest.raises(ValueError, match=r"in.csv: column 'x': row 500000: .*'many'"):
        score(fl.LogisticModel([1.0], 0.0, ("x",)), source, tmp_path / "out.npy")
    assert files_in(tmp_path) == ["in.csv"]


@pytest.mark.parametrize("bad", ["", "many", "1,2"])
def test_every_error_counts_the_rows_of_a_csv_in_the_same_way(tmp_path, bad):
    source = tmp_path / "in.csv"
    source.write_text(f"k,x\n1,2\n\n1,2\n1,{bad}\n")  # an empty line is no row
    with pytest.raises(ValueError, match=r"\brow 2\b"):
        score(fl.LogisticModel([1.0], 0.0, ("x",)), source, tmp_path / "out.npy")


def test_integers_before_fractions_in_a_csv(tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("x\n" + "1\n" * 600_000 + "0.5\n")
    score(fl.LogisticModel([1.0], 0.0, ("x",)), source, tmp_path / "out.npy")
    assert np.load(tmp_path / "out.npy")[-1] == fl.sigmoid(0.5)


@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_text_in_row_5_million_of_a_csv_names_column_and_row(refuses, tmp_path, kind):
    source = tmp_path / f"in.{kind}"
    separator = {"csv": ",", "tsv": "\t"}[kind]
    line = f"1{separator}2\n"
    source.write_text(f"k{separator}x\n" + line * 5_000_000 + f"1{separator}many\n" + line)
    message = f"{source}: column 'x': row 5000000: CSV conversion error to double: invalid value "
    error = refuses(fl.LogisticModel([1.0], 0.0, ("x",)), source, "--threads", "2")
    assert error == f"fastlogit: error: {message}'many'\n"


MEGABYTE = b"a" * 1_000_000
BOMBS = {
    "a name of 200 MB": [MEGABYTE] * 200 + [b",x\n1,2\n"],
    "names of 200 MB": [b",".join([b"a" * 999] * 1000)] * 200 + [b",x\n1,2\n"],
    "a name of 900 kB": [MEGABYTE[:900_000], b"\n1\n"],
    "a field of 200 MB": [b"x\n1\n"] + [MEGABYTE] * 200,
    "a field of 900 kB": [b"x\n1\n", MEGABYTE[:900_000], b"\n"],
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_compressed_line_without_end_is_an_error_in_one_line(refuses, tmp_path, bomb):
    source = tmp_path / "in.csv.gz"
    with gzip.open(source, "wb") as file:
        file.writelines(BOMBS[bomb])
    assert source.stat().st_size < 1_000_000
    error = refuses(fl.LogisticModel([1.0], 0.0, ("x",)), source)
    assert str(source) in error
    assert ("megabyte" in error) == ("200" in bomb)


SCORE_AND_MEASURE = """
import resource, sys
import fastlogit as fl
model = fl.LogisticModel([1.0], 0.0, ("x",))
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
small, source, sink = sys.argv[1:]
fl.score(model, small, sink)
before = peak()
try:
    fl.score(model, source, sink, force=True)
except ValueError:
    print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere ru_maxrss is in other units")
@pytest.mark.parametrize("bomb", [name for name in BOMBS if "200" in name])
def test_a_compressed_line_without_end_takes_little_memory(tmp_path, bomb):
    small, source, sink = tmp_path / "small.csv.gz", tmp_path / "in.csv.gz", tmp_path / "y.csv"
    small.write_bytes(gzip.compress(b"x\n1\n"))
    with gzip.open(source, "wb") as file:
        file.writelines(BOMBS[bomb])
    done = processes.run(SCORE_AND_MEASURE, small, source, sink)
    assert int(done.stdout) < 100_000  # kilobytes, of 200 megabytes


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("size", [20, 1000, 1 << 23])
def test_rows_of_a_csv_with_breaks_in_fields(tmp_path, monkeypatch, threads, size):
    monkeypatch.setattr("fastlogit.tables.text_file._BLOCK_BYTES", size)
    source = tmp_path / "x.csv"
    source.write_text("a,b,k\n" + "".join(f'{row},0,"x\n7,0,evil\n8,1,z"\n' for row in range(500)))
    table = open_table(source)
    batches = list(table.read(table.want(table.find(["a", "k"]), text=[2], threads=threads)))
    found = pa.Table.from_batches([batch.data for batch in batches])
    assert found["a"].to_pylist() == list(range(500))
    assert set(found["k"].to_pylist()) == {"x\n7,0,evil\n8,1,z"}


def test_a_stray_quote_in_a_csv_is_an_error(refuses, tmp_path):
    source = tmp_path / "x.csv"
    source.write_text("a,b,k\n" + "1,2,x\n" * 500 + '1,2,"5 inch disk\n' + "1,2,x\n" * 500)
    assert "the quoted field that begins with '\"5 inch disk" in refuses(PAIR_MODEL, source)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_csv_of_only_a_header(tmp_path, end):
    (tmp_path / "x.csv").write_text(f"a,b{end}")
    assert score(PAIR_MODEL, tmp_path / "x.csv", tmp_path / "y.npy")[:3] == (0, 0, 0)


@pytest.mark.parametrize("size", [3, 20, 1 << 23])
def test_empty_lines_of_a_csv_are_no_rows_wherever_they_are(tmp_path, monkeypatch, size):
    monkeypatch.setattr("fastlogit.tables.text_file._BLOCK_BYTES", size)
    source = tmp_path / "x.csv"
    source.write_bytes(b"\n" * 50 + b"a,b\r\n1,2\r\n" + b"\r\n" * 30 + b"3,4\n" + b"\n" * 40)
    table = open_table(source)
    batches = list(table.read(table.want([0, 1])))
    assert [batch.first for batch in batches] == list(range(len(batches)))[: len(batches)]
    found = pa.Table.from_batches([batch.data for batch in batches])
    assert found.to_pydict() == {"a": [1.0, 3.0], "b": [2.0, 4.0]}
    source.write_bytes(b"\n" * 50)
    with pytest.raises(ValueError, match=r"x.csv: .*Empty CSV file"):
        open_table(source)


# How a CSV is written ---------------------------------------------------------------------

PLAIN = "t,x,k\n0,1.5,NA\n1,,b\n0,1234,é\n1,-2,b\n"
WRITTEN = {
    "semicolons": (PLAIN.replace(",", ";"), {"delimiter": ";"}, "utf-8"),
    "decimal commas": (
        PLAIN.replace(",", ";").replace("1.5", "1,5"),
        {"delimiter": ";", "decimal": ","},
        "utf-8",
    ),
    "thousands": (PLAIN.replace("1234", '"1,234"'), {"thousands": ","}, "utf-8"),
    "blank cells": (PLAIN.replace("1,,", "1,  ,"), {}, "utf-8"),
    "other nulls": (PLAIN.replace("1,,", "1,#N/A,"), {"null_values": ["#N/A", "NA"]}, "utf-8"),
    "UTF-8 with a mark": ("\ufeff" + PLAIN.replace("t,", '"t",'), {}, "utf-8"),
    "UTF-16": (PLAIN, {"encoding": "utf-16"}, "utf-16"),
    "UTF-16 without a mark": (PLAIN, {"encoding": "utf-16-be"}, "utf-16-be"),
    "Latin-1": (PLAIN, {"encoding": "latin-1"}, "latin-1"),
    "tabs": (PLAIN.replace(",", "\t"), {"delimiter": "\t"}, "utf-8"),
}


@pytest.mark.parametrize("size", [5, 1 << 23])
@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "stdin"])
@pytest.mark.parametrize("name", WRITTEN)
def test_every_way_of_writing_a_csv(tmp_path, monkeypatch, name, suffix, size):
    text, options, encoding = WRITTEN[name]
    content = text.encode(encoding)
    source = tmp_path / f"x.{suffix}"
    source.write_bytes(gzip.compress(content) if suffix == "csv.gz" else content)
    csv = CSVOptions(**options) if options else None
    model = fl.LogisticModel([1.0], 0.0, ("x",))

    def read(function, *args, **given):
        if suffix == "stdin":
            buffer = io.BufferedReader(io.BytesIO(content))
            monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=buffer))
        where = "-" if suffix == "stdin" else source
        return function(*args, where, csv=csv, source_format="csv", **given)

    data = read(read_table, label="t", missing="skip")
    assert data.feature_names == ("x", "k=b", "k=é")
    assert data.X.toarray().tolist() == [[1234, 0, 1], [-2, 1, 0]]
    monkeypatch.setattr("fastlogit.tables.text_file._BLOCK_BYTES", size)
    found = pa.Table.from_batches(
        list(read(score, model, output="logit", missing="nan", keep=["k"]))
    )
    np.testing.assert_array_equal(found["logit"].to_numpy(), [1.5, np.nan, 1234, -2])
    assert found["k"].to_pylist() == ["NA", "b", "é", "b"]
    assert read(evaluate, model, label="t").rows == 3
    with pytest.raises(ValueError, match="column 'x' is null in row 1"):
        list(read(score, model))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"t;x\n0;1\n", r"its header 't;x' has ';' and no ',' \(csv=CSVOptions\(delimiter=';'\)"),
        (b"t;x\n0;1,5\n", r"has ';' and no ','"),
        (b"t\tx\n0\t1\n", r"has '\\t' and no ',' \(source_format='tsv' reads it"),
        (b"t|x\n0|1\n", r"delimiter='\|'"),
        (PLAIN.encode("utf-16"), r"looks like UTF-16 \(csv=CSVOptions\(encoding='utf-16'\)"),
        (PLAIN.encode("utf-16-le"), r"encoding='utf-16-le'"),
        (PLAIN.encode("utf-16-be"), r"encoding='utf-16-be'"),
        (PLAIN.encode("latin-1"), r"got the byte 0xe9 in line 4 \(csv=CSVOptions\(encoding='cp12"),
    ],
)
def test_an_error_says_which_option_would_read_the_csv(tmp_path, capsys, content, message):
    source, model = tmp_path / "x.csv", fl.LogisticModel([1.0], 0.0, ("x",))
    source.write_bytes(content)
    for fails in (
        lambda: read_table(source, "t"),
        lambda: list(score(model, source)),
        lambda: evaluate(model, source, "t"),
    ):
        with pytest.raises(ValueError, match=rf"x\.csv: .*{message}"):
            fails()
    assert main(["train", str(source), "--label", "t", "-o", str(tmp_path / "m.json")]) == 1
    assert re.search(r"\(--(delimiter|encoding|input-format) \S+ reads ", capsys.readouterr().err)


def test_a_text_that_is_not_in_the_encoding_given(tmp_path):
    (tmp_path / "x.csv").write_text(PLAIN)
    for encoding in ("utf-16", "ascii"):
        with pytest.raises(ValueError, match=rf"x.csv: must be text in {encoding}: "):
            open_table(tmp_path / "x.csv", csv=CSVOptions(encoding=encoding))


def test_late_text_that_is_no_utf8_names_its_row(tmp_path, monkeypatch):
    monkeypatch.setattr("fastlogit.tables.text_file._BLOCK_BYTES", 10)
    source, model = tmp_path / "x.csv", fl.LogisticModel([1.0], 0.0, ("x",))
    source.write_bytes(b"x,k\n1,a\n2,b\n3,\xe9\n")
    assert sum(map(len, score(model, source))) == 3  # a column that is not read may be anything
    with pytest.raises(ValueError, match=r"column 'k': row 2: .*encoding='cp1252'"):
        list(score(model, source, keep=["k"]))


def test_csv_options_for_another_format_are_an_error(tmp_path):
    pq.write_table(PAIRS, tmp_path / "x.parquet")
    csv = CSVOptions(delimiter=";")
    refused = r"only CSV and TSV take csv=CSVOptions\(delimiter=';'\); the input is "
    with pytest.raises(ValueError, match=f"{refused}parquet"):
        open_table(tmp_path / "x.parquet", csv=csv)
    with pytest.raises(ValueError, match=f"{refused}Table"):
        open_table(PAIRS, csv=csv)


@pytest.mark.parametrize("size", [3, 1 << 23])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_blank_lines_of_one_column_are_missing_values(tmp_path, monkeypatch, size, threads, end):
    monkeypatch.setattr("fastlogit.tables.text_file._BLOCK_BYTES", size)
    text = '\n\nx\n\n1\n\n\n""\n" "\n4\n\n'.replace("\n", end)
    (tmp_path / "x.csv").write_bytes(text.encode())
    nan = np.nan
    expected = pd.read_csv(tmp_path / "x.csv", skip_blank_lines=False, header=2)["x"]
    expected = pd.to_numeric(expected.str.strip() if expected.dtype != float else expected)
    np.testing.assert_array_equal(expected, [nan, 1, nan, nan, nan, nan, 4, nan])
    model = fl.LogisticModel([1.0], 0.0, ("x",))
    options = {"missing": "nan", "output": "logit", "threads": threads}
    found = pa.Table.from_batches(list(score(model, tmp_path / "x.csv", keep=["x"], **options)))
    np.testing.assert_array_equal(found["logit"].to_numpy(), expected)
    assert found["x"].to_pylist() == ["", "1", "", "", "", " ", "4", ""]
    sink, skipped = tmp_path / "y.parquet", tmp_path / "skipped.csv"
    done = score(model, tmp_path / "x.csv", sink, missing="skip", skipped=skipped, threads=threads)
    assert (done.rows, done.skipped) == (8, 6)
    assert pd.read_csv(skipped)["row"].tolist() == [0, 2, 3, 4, 5, 7]


def test_truth_values_of_a_csv_are_1_and_0(tmp_path):
    source = tmp_path / "x.csv"
    source.write_text("t,x\nTrue,true\nFalse,FALSE\nTrue,\nFalse,True\nTrue,2.5\n")
    data = read_table(source, "t", missing="skip")
    assert data.X.tolist() == [[1.0], [0.0], [1.0], [2.5]]
    model = fl.LogisticModel([1.0], 0.0, ("x",), classes=(False, True))
    batches = list(score(model, source, output="logit", missing="nan"))
    np.testing.assert_array_equal(batches[0]["logit"].to_numpy(), [1, 0, np.nan, 1, 2.5])
    assert evaluate(model, source, "t").rows == 4


@pytest.mark.parametrize("name", [" x", "X", "x "])
def test_the_nearest_name_is_that_with_blanks(tmp_path, name):
    (tmp_path / "x.csv").write_text(f"t,{name}\n0,1\n1,2\n")
    with pytest.raises(ValueError, match=rf"has no column 'x' \(did you mean '{name}'\?\)"):
        list(score(fl.LogisticModel([1.0], 0.0, ("x",)), tmp_path / "x.csv"))
    assert read_table(tmp_path / "x.csv", "t").feature_names == (name,)


def test_columns_of_the_same_name_in_a_csv(tmp_path):
    (tmp_path / "x.csv").write_text("t,x,,\n0,1,,\n1,2,,\n")  # as spreadsheets write them
    with pytest.raises(ValueError, match="2 columns have the name ''; rename or leave out all"):
        read_table(tmp_path / "x.csv", "t")
    assert read_table(tmp_path / "x.csv", "t", ignore=[""]).feature_names == ("x",)


@pytest.mark.parametrize("header", ["", "Unnamed: 0", '""'])
@pytest.mark.parametrize(
    ("cells", "is_index"),
    [
        (["0", "1", "2"], True),
        (["1", "2", "3"], True),
        (["7", "2", "5"], True),
        (["a", "b", "c"], True),  # names of rows, as R writes them
        (["0", "1", "1"], True),  # as pandas.concat leaves it
        (["a", "b", "b"], False),
        (["0.5", "1.5", "2.5"], False),
    ],
)
def test_a_first_column_without_a_name(tmp_path, header, cells, is_index):
    rows = "".join(f"{cell},{x},{x % 2}\n" for x, cell in enumerate(cells))
    (tmp_path / "x.csv").write_text(f"{header},x,t\n{rows}")
    name = header.strip('"')
    data = read_table(tmp_path / "x.csv", "t")
    categories = tuple(f"{name}={cell}" for cell in data.categories.get(name, ()))
    own = () if is_index else categories or (name,)
    assert sorted(data.feature_names) == sorted([*own, "x"])
    assert len(data.notes) == is_index
    if cells[0] != "a":
        model = fl.LogisticModel([1.0, 10.0], 0.0, ("x", name))
        (batch,) = score(model, tmp_path / "x.csv", output="logit", keep=[name])
        assert batch["logit"].to_pylist() == [10 * float(cell) + x for x, cell in enumerate(cells)]
    if is_index:  # as pandas and Polars read it
        for frame in pd.read_csv(tmp_path / "x.csv"), pl.read_csv(tmp_path / "x.csv"):
            assert read_table(frame, "t").feature_names == ("x",)
