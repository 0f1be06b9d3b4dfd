"""Flip bits in files of every format: reading them must give a result, or an error in one line.

``python tests/flip_bits.py 2000 FOLDER SEED`` tries 2,000 bits of each format and writes to FOLDER.
A damaged file may crash the process, so the tests run this script in another one; it prints each
try before making it.
"""

from __future__ import annotations

import gzip
import io
import os
import random
import signal
import sys
import threading
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from sklearn.datasets import dump_svmlight_file

import fastlogit as fl
from fastlogit.cli import main
from fastlogit.scoring import read_table, score
from fastlogit.tables.formats import format_by_suffix, input_formats
from fastlogit.tables.source import open_table

ROWS = 120
_RNG = np.random.default_rng(0)
_NUMBERS = {
    "a": _RNG.normal(size=ROWS),
    "b": pa.array(_RNG.normal(size=ROWS), mask=_RNG.random(ROWS) < 0.1),
    "flag": _RNG.random(ROWS) < 0.5,
    "t": _RNG.integers(0, 2, ROWS),
}
_TEXTS = {
    "k": [f"text {number}é" for number in range(ROWS)],
    "kd": [f"c{number % 7}" for number in range(ROWS)],
}
PLAIN = pa.table({**_NUMBERS, **_TEXTS})
# With all types whose indices and offsets can point outside a buffer.
RICH = PLAIN.set_column(5, "kd", PLAIN["kd"].combine_chunks().dictionary_encode())
RICH = RICH.append_column("view", PLAIN["kd"].cast(pa.string_view()))
RICH = RICH.append_column("di", PLAIN["t"].combine_chunks().dictionary_encode())
RICH = RICH.append_column("d", PLAIN["t"].cast(pa.decimal128(20, 0)))
X = np.column_stack([_NUMBERS["a"], _NUMBERS["a"] ** 2, _NUMBERS["t"]])
KEPT = ["k", "kd"]
NAMED = fl.LogisticModel(
    [1.0, 2.0, 0.5, 3.0], 0.5, ("a", "b", "flag", "kd=c1"), categories={"kd": ["c1"]}
)
UNNAMED, UNNAMED_3 = fl.LogisticModel([1.0, 2.0]), fl.LogisticModel([1.0, 2.0, 3.0])


def _ipc(opening, compression=None):
    file = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(
        compression=compression, emit_dictionary_deltas=opening is pa.ipc.new_stream
    )
    with opening(file, RICH.schema, options=options) as writer:
        writer.write_table(RICH, max_chunksize=50)
    return file.getvalue()


def _written(write, *args, **options):
    file = io.BytesIO()
    write(*args, file, **options)
    return file.getvalue()


def _csv(delimiter=","):
    options = pa.csv.WriteOptions(delimiter=delimiter)
    return _written(pa.csv.write_csv, PLAIN, write_options=options)


def _numpy(save, array, **options):
    file = io.BytesIO()
    save(file, array, **options)
    return file.getvalue()


# Files of every format by the end of their name.
SAMPLES = {
    "parquet": lambda: _written(pq.write_table, PLAIN, row_group_size=50),
    "plain.parquet": lambda: _written(
        pq.write_table, PLAIN, row_group_size=50, use_dictionary=False, compression="none"
    ),
    "arrow": lambda: _ipc(pa.ipc.new_file),
    "lz4.arrow": lambda: _ipc(pa.ipc.new_file, "lz4"),
    "arrows": lambda: _ipc(pa.ipc.new_stream),
    "zstd.arrows": lambda: _ipc(pa.ipc.new_stream, "zstd"),
    "csv": _csv,
    "csv.gz": lambda: gzip.compress(_csv()),
    "csv.zst": lambda: pa.compress(_csv(), "zstd", asbytes=True),
    "tsv": lambda: _csv("\t"),
    "npy": lambda: _numpy(np.save, X),
    "columns.npy": lambda: _numpy(np.save, np.asfortranarray(X, np.float32)),
    "npz": lambda: _numpy(np.savez_compressed, X),
    "libsvm": lambda: _written(dump_svmlight_file, X[:, :2], X[:, 2], zero_based=False),
}


class Doors:
    """Functions that read the bytes of a file, by the command line or the library."""

    def __init__(self, name, folder, content):
        self.kind = name.rpartition(".")[2]
        self.path = folder / f"in.{name}"
        self.path.write_bytes(content)
        chosen = format_by_suffix(self.path, input_formats())
        self.format = chosen.name
        self.sink, self.pipe = folder / "y.parquet", folder / "pipe"
        self.model = folder / "model.json"
        self.columns = ["--unknown", "ignore"]
        table = open_table(self.path)
        if table.names is not None:
            self.scored = self.evaluated = NAMED
            self.label = ["--label", "t"]
            self.columns += ["--keep", *KEPT]
        else:
            self.scored, self.evaluated = UNNAMED if table.has_labels else UNNAMED_3, UNNAMED
            self.label = [] if table.has_labels else ["--label", "-1"]
        self.all = [self.score, self.train, self.evaluate]
        if self.kind == "arrows" or (chosen.is_text and self.kind not in ("gz", "zst")):
            self.all += [self.standard_input, self.fifo]
        if self.kind in ("arrow", "arrows"):
            self.all += [self.reader, self.table, self.fit]

    def _command(self, name, model, *options):
        model.save(self.model)
        return main([name, str(self.model), *options, "--quiet"])

    def _score(self, source, *options):
        out = ["-o", str(self.sink), "--force", "--missing", "nan"]
        return self._command("score", self.scored, str(source), *out, *options, *self.columns)

    def score(self, content):
        self.path.write_bytes(content)
        return self._score(self.path)

    def evaluate(self, content):
        self.path.write_bytes(content)
        options = [*self.label, "--unknown", "ignore"]
        return self._command("evaluate", self.evaluated, str(self.path), *options)

    def train(self, content):
        self.path.write_bytes(content)
        out = ["-o", str(self.sink.with_suffix(".json")), "--force", "--missing", "skip"]
        categorical = ["--categorical", *KEPT] if self.scored is NAMED else []
        options = ["--max-passes", "2", *self.label, *categorical]
        return main(["train", str(self.path), *out, *options])

    def standard_input(self, content):
        sys.stdin = SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(content)))
        return self._score("-", "--input-format", self.format)

    def fifo(self, content):
        if not self.pipe.exists():
            os.mkfifo(self.pipe)

        def write():
            with suppress(BrokenPipeError):  # who reads has seen enough
                self.pipe.write_bytes(content)

        writer = threading.Thread(target=write)
        writer.start()
        status = self._score(self.pipe, "--input-format", self.format)
        writer.join(10.0)
        return status

    def _opened(self, content):
        opening = pa.ipc.open_stream if self.kind == "arrows" else pa.ipc.open_file
        return opening(pa.py_buffer(content))

    def reader(self, content):
        source = self._opened(content)
        source = source if self.kind == "arrows" else source.read_all()
        list(score(NAMED, source, missing="nan", unknown="ignore", keep=KEPT))

    def table(self, content):
        table = self._opened(content).read_all()
        X = table.select(["a", "b", "flag", "kd"])
        NAMED.decision(X, missing="nan", unknown="ignore")
        read_table(table, "t", missing="skip", categorical=["k", "kd", "view"])

    def fit(self, content):
        table = self._opened(content).read_all()
        fl.fit(table.select(["a", "flag"]), np.arange(table.num_rows) % 2, max_passes=1)


def flip(name, times, folder, seed):
    """Print each try, and its status: 0, or 1 for an error in one line."""
    whole = SAMPLES[name]()
    doors = Doors(name, folder, whole)
    numbers = random.Random(f"{name} {seed}")
    for door in doors.all:
        assert _tried(door, whole, folder) == 0, (name, door.__name__)
    for number in range(times):
        door = doors.all[number % len(doors.all)]
        damaged = bytearray(whole)
        place, bit = numbers.randrange(len(whole)), numbers.randrange(8)
        damaged[place] ^= 1 << bit
        print(name, door.__name__, place, bit, end=" ", flush=True)
        signal.alarm(60)  # a try may hang
        print(_tried(door, bytes(damaged), folder), flush=True)
        signal.alarm(0)


def _tried(door, content, folder):
    """The status of a command; for a function, 0, or 1 if it raises an exception that it may."""
    said = io.StringIO()
    with redirect_stdout(io.StringIO()), redirect_stderr(said):
        try:
            status = door(content)
        except (ValueError, TypeError, OSError, MemoryError, KeyError, pa.ArrowException):
            return 1  # pyarrow raises KeyError when this script selects columns
    lines = said.getvalue().splitlines()
    errors = [line for line in lines if line.startswith("fastlogit: error: ")]
    assert len(errors) == (status == 1), lines
    assert all(str(folder) in line or "standard input" in line for line in errors), lines
    assert all(line.startswith("fastlogit: ") and len(line) < 1000 for line in lines), lines
    return status or 0


if __name__ == "__main__":
    for name in sys.argv[4:] or SAMPLES:
        flip(name, int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
