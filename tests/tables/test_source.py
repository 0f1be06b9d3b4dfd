"""Sources: every file format and object gives the same rows, in order."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pytest
from scipy import sparse

import fastlogit as fl
from fastlogit.scoring import evaluate, read_table, score
from fastlogit.tables.formats import format_by_suffix, input_formats
from tests import flip_bits
from tests.scoring_data import (
    PAIR_WRITERS,
    PAIR_X,
    PAIR_Z,
    PAIRS,
    arrow_stream,
    files_in,
    libsvm_text,
    pair_logits,
    pair_text,
    standard_input,
    write,
)


@pytest.mark.parametrize("name", PAIR_WRITERS)
def test_every_format_gives_all_rows_in_order(tmp_path, name):
    path = tmp_path / name
    PAIR_WRITERS[name](path)
    np.testing.assert_array_equal(pair_logits(path), PAIR_Z)
    np.testing.assert_array_equal(pair_logits(str(path), batch_rows=7), PAIR_Z)


OBJECTS = {
    "table of Arrow": lambda: PAIRS,
    "reader": lambda: PAIRS.to_reader(max_chunksize=100),
    "data set": lambda: pa.dataset.dataset(PAIRS),
    "polars": lambda: pl.from_arrow(PAIRS),
    "duckdb": lambda: duckdb.from_arrow(PAIRS).filter("a is not null"),
    "pandas": lambda: PAIRS.to_pandas(),
    "dict": lambda: {name: PAIRS[name].to_numpy() for name in ("b", "a")},
    "array": lambda: PAIR_X,
    "float32, by columns": lambda: np.asfortranarray(PAIR_X, np.float32),
    "list": lambda: PAIR_X.tolist(),
    "CSR": lambda: sparse.csr_array(PAIR_X),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_tables_in_memory(name):
    np.testing.assert_array_equal(pair_logits(OBJECTS[name](), batch_rows=130), PAIR_Z)


def test_only_texts_are_compressed_by_suffix(tmp_path):
    (tmp_path / "x.parquet.gz").touch()
    with pytest.raises(ValueError, match=r"x\.parquet\.gz: the suffix must be one of"):
        pair_logits(tmp_path / "x.parquet.gz")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("in.txt", b"x\n1\n", r"suffix must be one of .parquet, "),
        ("in.parquet", b"", "size is 0 bytes"),
        ("in.parquet", b"PAR1, it says", "magic bytes"),
        ("in.csv", b"", "Empty CSV"),
        ("in.csv", b"x\n1\n1,2\n", "row 1 has 2 cells; the header has 1 .the header must be the"),
        ("in.csv", b"x,y\n1,2\n3\n", "row 1 has 1 cell; the header has 2 .the header must be the"),
        ("in.npy", b"", "magic"),
        ("in.npy", b"not an array", "magic"),
    ],
)
def test_damaged_files(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}: .*{message}"):
        score(fl.LogisticModel([1.0], 0.0, ("x",)), tmp_path / name, tmp_path / "out.npy")
    assert files_in(tmp_path) == [name]


@pytest.mark.parametrize("source", [3, object(), [1.0, 2.0], np.zeros(3)])
def test_an_object_that_is_no_table_is_an_error(source):
    with pytest.raises((TypeError, ValueError), match=r"source must (be|have)"):
        pair_logits(source)


@pytest.mark.parametrize(
    ("text", "source_format"),
    [
        (pair_text, None),
        (lambda: pair_text("\t"), "tsv"),
        (arrow_stream, None),
        (arrow_stream, "arrow"),
        (libsvm_text, "libsvm"),
    ],
)
@pytest.mark.parametrize("block", [1 << 22, 1000])
def test_standard_input(monkeypatch, text, source_format, block):
    monkeypatch.setattr("fastlogit.tables.text_file._BLOCK_BYTES", block)
    standard_input(monkeypatch, text())
    np.testing.assert_array_equal(pair_logits("-", source_format=source_format), PAIR_Z)


@pytest.mark.parametrize("source_format", ["parquet", "xml"])
def test_formats_that_standard_input_cannot_have(monkeypatch, source_format):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"x")))
    with pytest.raises(ValueError, match=r"source_format|standard input: must be arrow, csv, tsv"):
        pair_logits("-", source_format=source_format)


@pytest.mark.parametrize("suffix", [".parquet", ".npy"])
def test_truncated_files(tmp_path, table, model, suffix):
    source = write(table, tmp_path / f"in{suffix}")
    source.write_bytes(source.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=rf"in\{suffix}: "):
        score(model, source, tmp_path / "out.npy")
    assert files_in(tmp_path) == [source.name]


def test_bits_of_every_format_are_flipped():
    formats = {format_by_suffix(Path(f"x.{name}"), input_formats()) for name in flip_bits.SAMPLES}
    assert formats == {one for one in input_formats() if one.suffixes}


def test_a_flipped_bit_gives_a_result_or_one_line(tmp_path):
    script = Path(__file__).parents[1] / "flip_bits.py"
    command = [sys.executable, "-W", "ignore", script, "4", tmp_path, "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.returncode, done.stdout[-100:], done.stderr[-2000:])
    statuses = [line.split()[-1] for line in done.stdout.splitlines()]
    assert len(statuses) == 4 * len(flip_bits.SAMPLES)
    assert statuses.count("0") > 12
    assert statuses.count("1") > 12
    assert not list(tmp_path.glob(".*"))


def text_column(offsets, text):
    buffers = [None, pa.py_buffer(np.array(offsets, np.int32)), pa.py_buffer(text)]
    return pa.Array.from_buffers(pa.string(), len(offsets) - 1, buffers)


OUTSIDE = {
    "an index beyond a dictionary": lambda: pa.DictionaryArray.from_arrays(
        pa.array([0, 7]), pa.array(["a", "b"]), safe=False
    ),
    "an index before a dictionary": lambda: pa.DictionaryArray.from_arrays(
        pa.array([0, -1]), pa.array(["a", "b"]), safe=False
    ),
    "a text that ends before it begins": lambda: text_column([0, 2, 1], b"ab"),
    "a text in the middle that ends elsewhere": lambda: text_column([0, 1 << 30, 2], b"ab"),
    "a text that is none": lambda: text_column([0, 1, 2], b"a\xff"),
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_memory_that_points_outside_itself(name):
    table = pa.table({"k": OUTSIDE[name](), "x": [1.0, 2.0], "t": [0, 1]})
    model = fl.LogisticModel([1.0, 1.0], 0.0, ("x", "k=a"), categories={"k": ["a"]})
    reader = table.to_reader()
    for fails in (
        lambda: list(score(model, table)),
        lambda: list(score(model, reader)),
        lambda: list(score(fl.LogisticModel([1.0], 0.0, ("x",)), table, keep=["k"])),
        lambda: read_table(table, "t", categorical=["k"]),
        lambda: evaluate(model, table, "t"),
        lambda: model.decision(table.select(["x", "k"])),
    ):
        with pytest.raises(ValueError, match=r"Invalid|invalid|out of bounds|offset"):
            fails()


def test_numbers_that_are_not_there():
    file = io.BytesIO()
    table = pa.table({"x": np.arange(77.0) + 0.5, "t": np.tile([False, True], 39)[:77]})
    with pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    promised = file.getvalue().replace(struct.pack("<q", 77), struct.pack("<q", 77_777))

    def damaged():
        return pa.ipc.open_stream(promised).read_all()

    model = fl.LogisticModel([1.0], 0.0, ("x",))
    for fails in (
        lambda: list(score(model, damaged())),
        lambda: list(score(model, pa.ipc.open_stream(promised))),
        lambda: read_table(damaged(), "t"),
        lambda: evaluate(model, damaged(), "t"),
        lambda: model.decision(damaged().select(["x"])),
        lambda: fl.fit(damaged().select(["x"]), np.arange(77_777) % 2),
        lambda: fl.fit(pa.ipc.open_stream(promised), np.arange(77_777) % 2),
        lambda: fl.fit({"x": damaged()["x"]}, np.arange(77_777) % 2),
    ):
        with pytest.raises(ValueError, match="Buffer #1 too small"):
            fails()
