"""What can be scored: every format and form gives the same rows, in order."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pytest
from scipy import sparse
from scoring_data import (
    PAIR_WRITERS,
    PAIR_X,
    PAIR_Z,
    PAIRS,
    N,
    files_in,
    pair_logits,
    pair_text,
    write,
    write_ipc,
)
from sklearn.datasets import dump_svmlight_file

import fastlogit as fl
from fastlogit.scoring import score


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
        ("in.csv", b"x\n1\n1,2\n", "Expected 1 columns, got 2"),
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
def test_what_is_no_table_is_an_error(source):
    with pytest.raises((TypeError, ValueError), match=r"source must (be|have)"):
        pair_logits(source)


def arrow_stream():
    file = io.BytesIO()
    write_ipc(file, pa.ipc.new_stream)
    return file.getvalue()


def libsvm_text():
    file = io.BytesIO()
    dump_svmlight_file(sparse.csr_matrix(PAIR_X), np.zeros(N), file, zero_based=False)
    return file.getvalue()


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
    monkeypatch.setattr("fastlogit.scoring.texts._BLOCK_BYTES", block)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(text()))))
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
