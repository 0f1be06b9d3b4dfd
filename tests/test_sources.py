"""What can be scored: every format and form gives the same rows, in order."""

from __future__ import annotations

import gzip
import io
import sys
from types import SimpleNamespace

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from scipy import sparse
from sklearn.datasets import dump_svmlight_file

import fastlogit as fl
from fastlogit.scoring.sources import open_table

N = 1000
RNG = np.random.default_rng(2)
X = RNG.integers(-64, 64, (N, 2)) / 8.0  # whose text gives the same numbers
TABLE = pa.table({"other": [str(i) for i in range(N)], "b": X[:, 1], "a": X[:, 0]})
MODEL = fl.LogisticModel([2.0, -1.0], 0.5, ("a", "b"))
Z = 2.0 * X[:, 0] - X[:, 1] + 0.5


def logits(source, **options):
    batches = fl.score(MODEL, source, output="logit", **options)
    return np.concatenate([batch.column(0).to_numpy() for batch in batches])


def write_ipc(path, opening, compression=None):
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with opening(path, TABLE.schema, options=options) as writer:
        writer.write_table(TABLE, max_chunksize=300)


def text_of(delimiter=","):
    options = pa.csv.WriteOptions(delimiter=delimiter)
    file = io.BytesIO()
    pa.csv.write_csv(TABLE, file, options)
    return file.getvalue()


def write_libsvm(path, zero_based):
    dump_svmlight_file(sparse.csr_matrix(X), np.zeros(N), str(path), zero_based=zero_based)


WRITERS = {
    "x.parquet": lambda path: pq.write_table(TABLE, path, row_group_size=300),
    "x.arrow": lambda path: write_ipc(path, pa.ipc.new_file),
    "x.arrows": lambda path: write_ipc(path, pa.ipc.new_stream, "zstd"),
    "x.feather": lambda path: write_ipc(path, pa.ipc.new_file, "lz4"),
    "x.csv": lambda path: path.write_bytes(text_of()),
    "x.csv.gz": lambda path: path.write_bytes(gzip.compress(text_of())),
    "x.csv.zst": lambda path: path.write_bytes(pa.compress(text_of(), "zstd", asbytes=True)),
    "x.TSV": lambda path: path.write_bytes(text_of("\t")),
    "x.npy": lambda path: np.save(path, X),
    "x.npz": lambda path: np.savez(path, X),
    "y.npz": lambda path: np.savez_compressed(path, X=X.astype(">f4"), t=np.zeros(N)),
    "x.libsvm": lambda path: write_libsvm(path, False),
    "x.svm": lambda path: write_libsvm(path, False),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_all_rows_in_order(tmp_path, name):
    path = tmp_path / name
    WRITERS[name](path)
    np.testing.assert_array_equal(logits(path), Z)
    np.testing.assert_array_equal(logits(str(path), batch_rows=7), Z)


@pytest.mark.parametrize("start", [0, 1, 299, 300, 650, N - 1, N])
@pytest.mark.parametrize("name", WRITERS)
def test_every_format_can_be_read_from_a_row_on(tmp_path, name, start):
    path = tmp_path / name
    WRITERS[name](path)
    table = open_table(path, width=2)
    columns = [0, 1] if table.names is None else table.find(["a", "b"])
    batches = list(table.read(columns, batch_rows=90, start=start))
    firsts = [batch.first for batch in batches]
    sizes = [fl.features.of(batch.data).shape[0] for batch in batches]
    assert sum(sizes) == N - start
    assert firsts == [start + sum(sizes[:number]) for number in range(len(sizes))]


def test_libsvm_may_count_from_0(tmp_path):
    write_libsvm(tmp_path / "x.svm", True)
    np.testing.assert_array_equal(logits(tmp_path / "x.svm", source_format="libsvm0"), Z)
    with pytest.raises(ValueError, match=r"x\.svm: .*index 0 "):
        logits(tmp_path / "x.svm")


@pytest.mark.parametrize("pattern", ["", "*.csv", "**/*.csv"])
def test_folders_and_patterns_are_read_in_the_order_of_their_names(tmp_path, pattern):
    for number in range(3):
        part = TABLE.slice(400 * number, 400)
        order = ["a", "other", "b"] if number else TABLE.column_names  # names count, not places
        pa.csv.write_csv(part.select(order), tmp_path / f"{number}.csv")
    (tmp_path / ".hidden.csv").write_text("nonsense")
    (tmp_path / "_SUCCESS").touch()
    source = str(tmp_path / pattern) if pattern else tmp_path
    np.testing.assert_array_equal(logits(source), Z)
    assert open_table(source).rows is None


def test_names_of_folders_are_columns(tmp_path):
    for year, part in (2012, TABLE.slice(0, 400)), (2013, TABLE.slice(400)):
        (tmp_path / f"year={year}" / "by=C%2FA").mkdir(parents=True)
        pq.write_table(part, tmp_path / f"year={year}" / "by=C%2FA" / "x.parquet")
    model = fl.LogisticModel([2.0, -1.0, 1.0], 0.5, ("a", "b", "year"))
    batches = list(fl.score(model, tmp_path, output="logit", keep=["by", "other", "year"]))
    found = pa.Table.from_batches(batches)
    expected = Z + np.where(np.arange(N) < 400, 2012.0, 2013.0)
    np.testing.assert_array_equal(found["logit"].to_numpy(), expected)
    assert set(found["by"].to_pylist()) == {"C/A"}
    assert found["other"].to_pylist() == TABLE["other"].to_pylist()


def test_files_of_a_folder_must_all_have_the_columns(tmp_path):
    pq.write_table(TABLE, tmp_path / "1.parquet")
    pq.write_table(TABLE.rename_columns(["other", "b", "A"]), tmp_path / "2.parquet")
    with pytest.raises(ValueError, match=r"2\.parquet: missing column 'a' \(is it 'A'\?\)$"):
        logits(tmp_path)


@pytest.mark.parametrize("source", ["nowhere", "nowhere*.csv", ""])
def test_what_is_not_there(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"nowhere|no such files"):
        logits(source)


OBJECTS = {
    "table of Arrow": lambda: TABLE,
    "reader": lambda: TABLE.to_reader(max_chunksize=100),
    "data set": lambda: pa.dataset.dataset(TABLE),
    "polars": lambda: pl.from_arrow(TABLE),
    "pandas": lambda: TABLE.to_pandas(),
    "dict": lambda: {name: TABLE[name].to_numpy() for name in ("b", "a")},
    "array": lambda: X,
    "float32, by columns": lambda: np.asfortranarray(X, np.float32),
    "list": lambda: X.tolist(),
    "CSR": lambda: sparse.csr_array(X),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_tables_in_memory(name):
    np.testing.assert_array_equal(logits(OBJECTS[name](), batch_rows=130), Z)


def test_only_texts_are_compressed_by_suffix(tmp_path):
    (tmp_path / "x.parquet.gz").touch()
    with pytest.raises(ValueError, match=r"x\.parquet\.gz: the suffix must be one of"):
        logits(tmp_path / "x.parquet.gz")


@pytest.mark.parametrize("source", [3, object(), [1.0, 2.0], np.zeros(3)])
def test_what_is_no_table_is_an_error(source):
    with pytest.raises((TypeError, ValueError), match=r"source must (be|have)"):
        logits(source)


def arrow_stream():
    file = io.BytesIO()
    write_ipc(file, pa.ipc.new_stream)
    return file.getvalue()


def libsvm_text():
    file = io.BytesIO()
    dump_svmlight_file(sparse.csr_matrix(X), np.zeros(N), file, zero_based=False)
    return file.getvalue()


@pytest.mark.parametrize(
    ("text", "source_format"),
    [
        (text_of, None),
        (lambda: text_of("\t"), "tsv"),
        (arrow_stream, None),
        (arrow_stream, "arrow"),
        (libsvm_text, "libsvm"),
    ],
)
@pytest.mark.parametrize("block", [1 << 22, 1000])
def test_standard_input(monkeypatch, text, source_format, block):
    monkeypatch.setattr("fastlogit.scoring.texts._BLOCK_BYTES", block)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(text()))))
    np.testing.assert_array_equal(logits("-", source_format=source_format), Z)


@pytest.mark.parametrize("source_format", ["parquet", "xml"])
def test_formats_that_standard_input_cannot_have(monkeypatch, source_format):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"x")))
    with pytest.raises(ValueError, match=r"source_format|standard input: must be arrow, csv, tsv"):
        logits("-", source_format=source_format)


@pytest.mark.parametrize("name", ["x.arrow", "x.arrows", "x.npz", "x.csv.gz", "x.csv.zst"])
def test_files_that_are_cut_short(tmp_path, name):
    path = tmp_path / name
    WRITERS[name](path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(ValueError, match=rf"{name}: "):
        logits(path)
