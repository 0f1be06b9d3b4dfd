"""Tables, models and files that the tests of scoring share."""

from __future__ import annotations

import gzip
import io
import os
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from scipy import sparse
from sklearn.datasets import dump_svmlight_file

import fastlogit as fl
from fastlogit.tables.formats import output_formats

SUFFIXES = [".parquet", ".csv", ".npy"]
# Of every format that can be written; these hold columns of text.
WRITTEN = [one.suffixes[0] for one in output_formats()]
WRITTEN_WITH_TEXT = [suffix for suffix in WRITTEN if suffix != ".npy"]
N = 1000


def write(table, path):
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=300)
    elif path.suffix == ".csv":
        pa.csv.write_csv(table, path)
    else:
        np.save(path, np.column_stack([column.to_numpy() for column in table.columns]))
    return path


def as_source(table, form, folder):
    """A table as a file in a folder, or as an object."""
    path = folder / f"in.{form}"
    if form == "parquet":
        pq.write_table(table, path)
    elif form in ("arrow", "arrows"):
        opening = {"arrow": pa.ipc.new_file, "arrows": pa.ipc.new_stream}[form]
        with opening(path, table.schema) as writer:
            writer.write_table(table)
    elif form == "csv":
        pa.csv.write_csv(table, path)
    else:
        return table.to_reader() if form == "reader" else table
    return path


def read(path):
    if path.suffix == ".npy":
        return np.load(path)
    table = pq.read_table(path) if path.suffix == ".parquet" else pa.csv.read_csv(path)
    assert table.column_names == ["probability"]
    return table["probability"].to_numpy()


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


# Two features and another column, in every format -----------------------------------------

_RNG = np.random.default_rng(2)
PAIR_X = _RNG.integers(-64, 64, (N, 2)) / 8.0  # whose text gives the same numbers
PAIRS = pa.table({"other": [str(i) for i in range(N)], "b": PAIR_X[:, 1], "a": PAIR_X[:, 0]})
PAIR_MODEL = fl.LogisticModel([2.0, -1.0], 0.5, ("a", "b"))
PAIR_Z = 2.0 * PAIR_X[:, 0] - PAIR_X[:, 1] + 0.5


def pair_logits(source, **options):
    batches = fl.score(PAIR_MODEL, source, output="logit", **options)
    return np.concatenate([batch.column(0).to_numpy() for batch in batches])


def write_ipc(path, opening, compression=None):
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with opening(path, PAIRS.schema, options=options) as writer:
        writer.write_table(PAIRS, max_chunksize=300)


def pair_text(delimiter=","):
    options = pa.csv.WriteOptions(delimiter=delimiter)
    file = io.BytesIO()
    pa.csv.write_csv(PAIRS, file, options)
    return file.getvalue()


def libsvm_text(zero_based=False):
    file = io.BytesIO()
    dump_svmlight_file(sparse.csr_matrix(PAIR_X), np.zeros(N), file, zero_based=zero_based)
    return file.getvalue()


def write_libsvm(path, zero_based):
    path.write_bytes(libsvm_text(zero_based))


def arrow_stream():
    file = io.BytesIO()
    write_ipc(file, pa.ipc.new_stream)
    return file.getvalue()


def standard_input(monkeypatch, content):
    """Make standard input hold these bytes."""
    file = io.BufferedReader(io.BytesIO(content))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=file))


def fifo(path, content):
    """A named pipe, into which a thread writes."""
    os.mkfifo(path)
    threading.Thread(target=path.write_bytes, args=[content], daemon=True).start()
    return path


PAIR_WRITERS = {
    "x.parquet": lambda path: pq.write_table(PAIRS, path, row_group_size=300),
    "x.arrow": lambda path: write_ipc(path, pa.ipc.new_file),
    "x.arrows": lambda path: write_ipc(path, pa.ipc.new_stream, "zstd"),
    "x.feather": lambda path: write_ipc(path, pa.ipc.new_file, "lz4"),
    "x.csv": lambda path: path.write_bytes(pair_text()),
    "x.csv.gz": lambda path: path.write_bytes(gzip.compress(pair_text())),
    "x.csv.zst": lambda path: path.write_bytes(pa.compress(pair_text(), "zstd", asbytes=True)),
    "x.TSV": lambda path: path.write_bytes(pair_text("\t")),
    "x.npy": lambda path: np.save(path, PAIR_X),
    "x.npz": lambda path: np.savez(path, PAIR_X),
    "y.npz": lambda path: np.savez_compressed(path, X=PAIR_X.astype(">f4"), t=np.zeros(N)),
    "x.libsvm": lambda path: write_libsvm(path, False),
    "x.svm": lambda path: write_libsvm(path, False),
}


# A table that takes seconds to score ----------------------------------------------------------

LONG_ROWS = 400_000
LONG_MODEL = fl.LogisticModel([1.0, -2.0], 0.1, ("a", "b"))


def write_long(path):
    rng = np.random.default_rng(3)
    table = pa.table(
        {
            "id": [f"row {i}" for i in range(LONG_ROWS)],
            "a": rng.normal(size=LONG_ROWS),
            "b": pa.array(rng.normal(size=LONG_ROWS), mask=rng.random(LONG_ROWS) < 1e-3),
        }
    )
    pq.write_table(table, path, row_group_size=50_000)
    return path


# For a process of its own: source, sink, and "--resume" or not.
SCORE_LONG = """
import sys
import fastlogit as fl
source, sink, *options = sys.argv[1:]
model = fl.LogisticModel([1.0, -2.0], 0.1, ("a", "b"))
kept = {"keep": ["id"], "output": ["label", "logit"], "skipped": sink + ".skipped.csv"}
resume = {"force": True, "resume": "--resume" in options}
fl.score(model, source, sink, batch_rows=2000, missing="skip", **kept, **resume)
"""
