"""What is written: every format holds the same, and appears whole or not at all."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv
from scoring_data import LONG_MODEL, PAIR_MODEL, SUFFIXES, N, files_in, long_command, read, write

import fastlogit as fl
from fastlogit.scoring import score
from fastlogit.scoring.sinks import open_sink


def test_tail_is_kept(tmp_path):
    np.save(tmp_path / "z.npy", [[-745.1], [-700.0], [0.0], [np.nan], [np.inf]])
    for suffix in SUFFIXES:
        sink = tmp_path / f"y{suffix}"
        score(fl.LogisticModel([1.0]), tmp_path / "z.npy", sink)
        np.testing.assert_array_equal(read(sink), fl.sigmoid([-745.1, -700.0, 0.0, np.nan, np.inf]))


@pytest.mark.parametrize("sink", SUFFIXES)
@pytest.mark.parametrize("exists", [False, True])
def test_an_interrupt_leaves_no_output(tmp_path, table, model, sink, exists):
    source, sink = write(table, tmp_path / "in.parquet"), tmp_path / f"out{sink}"
    if exists:
        sink.write_text("of yesterday")
    before = files_in(tmp_path)

    def interrupt(done):
        assert done[:2] == (100, N)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        score(model, source, sink, batch_rows=100, force=exists, progress=interrupt)
    (tmp_path / f".{sink.name}.journal").unlink()  # to be resumed
    assert files_in(tmp_path) == before
    assert not exists or sink.read_text() == "of yesterday"


def test_an_output_is_replaced_only_by_force(tmp_path, table, model, expected):
    source, sink = write(table, tmp_path / "in.parquet"), tmp_path / "out.npy"
    sink.write_text("of yesterday")
    with pytest.raises(
        FileExistsError, match=r"out.npy: exists already \(force=True replaces it\)$"
    ):
        score(model, source, sink)
    assert sink.read_text() == "of yesterday"
    score(model, source, sink, force=True)
    np.testing.assert_array_equal(np.load(sink), expected)


@pytest.mark.parametrize("suffix", [".csv.gz", ".tsv.zst", ".arrow", ".parquet"])
def test_outputs_of_every_format_hold_the_same(tmp_path, long_source, suffix):
    sink = tmp_path / f"y{suffix}"
    compression = "zstd" if suffix in (".arrow", ".parquet") else None
    fl.score(LONG_MODEL, long_source, sink, missing="nan", keep=["id"], compression=compression)
    if suffix == ".arrow":
        found = pa.ipc.open_file(sink).read_all()
    elif suffix == ".parquet":
        found = pq.read_table(sink)
        assert pq.ParquetFile(sink).metadata.row_group(0).column(0).compression == "ZSTD"
    else:
        delimiter = "\t" if "tsv" in suffix else ","
        found = csv.read_csv(sink, parse_options=csv.ParseOptions(delimiter=delimiter))
    whole = pq.read_table(long_source)
    expected = LONG_MODEL.predict_proba(whole.select(["a", "b"]), missing="nan")[:, 1]
    np.testing.assert_allclose(found["probability"].to_numpy(), expected, rtol=1e-15)
    assert found["id"].to_pylist() == whole["id"].to_pylist()


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_binary(), pa.int8(), pa.int64(), pa.bool_(), pa.float64()],
    ids=str,
)
@pytest.mark.parametrize("suffix", [".arrow", ".parquet"])
def test_bytes_do_not_depend_on_how_rows_lie_in_memory(tmp_path, monkeypatch, suffix, kind):
    monkeypatch.setattr("fastlogit.scoring.sinks._GROUP_ROWS", 16 * 100)
    texts = [str(row % 2) for row in range(250)]
    plain = pa.array(texts) if not pa.types.is_primitive(kind) else pa.array(texts).cast(pa.int8())
    plain = plain.cast(kind)
    # Values are there under nulls as well, of which there is no trace when they are taken.
    nulls = pa.array([row % 7 > 0 for row in range(250)]).buffers()[1]
    masked = pa.Array.from_buffers(kind, 250, [nulls, *plain.buffers()[1:]])
    batch = pa.record_batch({"x": masked, "s": texts})
    tidy = batch.take(pa.array(range(250)))
    written = set()
    for number, (rows, cuts) in enumerate(
        [(batch, [0, 250]), (tidy, [0, 250]), (batch, [0, 30, 150, 210, 250]), (tidy, [0, 3, 250])]
    ):
        sink = tmp_path / f"{number}{suffix}"
        with open_sink(sink, rows.schema) as write_rows:
            for first, stop in pairwise(cuts):
                write_rows(rows[first:stop])
        written.add(sink.read_bytes())
    assert len(written) == 1


@pytest.mark.parametrize("kind", [pa.int64(), pa.uint64()])
@pytest.mark.parametrize("others", [[], [None]])
def test_integers_of_an_array_are_exact_or_refused(tmp_path, kind, others):
    sink = tmp_path / "y.npy"
    for number in 2**53, 2**53 + 1, 2**63 - 1:
        values = [number, *others, 3]
        table = pa.table({"id": pa.array(values, kind), "a": [1.0] * len(values)})
        model = fl.LogisticModel([1.0], 0.0, ("a",))
        if number == 2**53:
            score(model, table, sink, keep=["id"])
            expected = [np.nan if value is None else value for value in values]
            np.testing.assert_array_equal(np.load(sink)[:, 0], expected)
            sink.unlink()
        else:
            with pytest.raises(ValueError, match="float64; column 'id' has larger integers"):
                score(model, table, sink, keep=["id"])
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_an_error_and_leaves_no_output(tmp_path, long_source):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)); "
    argv = long_command(long_source, tmp_path / "out.csv")
    argv[2] = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); " + limit + argv[2]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 1
    assert "OSError" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "out.csv").exists()


FILL = """
import os, resource, sys
from fastlogit.cli import main
model, source, sink, *limits = sys.argv[1:]
score = ["score", model, source, "-o", sink, "-q", "--batch-rows", "1000", "--force"]
assert main(score) == 0  # whatever is compiled is so without a limit
size = os.path.getsize(sink)
os.unlink(sink)
for limit in [0, 1, 100, 1000, size // 2, size - 1]:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    print(main(score), flush=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    print(sorted(name for name in os.listdir() if not name.endswith(".journal")), flush=True)
"""


@pytest.mark.parametrize("suffix", [".csv", ".tsv.gz", ".parquet", ".arrow", ".npy"])
def test_a_disk_that_is_full_at_any_place_is_an_error_in_one_line(tmp_path, monkeypatch, suffix):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    np.save("in.npy", rng.normal(size=(20_000, 2)))
    PAIR_MODEL.save("model.json")
    command = [sys.executable, "-c", FILL, "model.json", "in.npy", f"y{suffix}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["1", str(["in.npy", "model.json"])] * 6, done.stderr
    errors = done.stderr.splitlines()
    assert len(errors) == 6
    for error in errors:
        assert re.match(rf"fastlogit: error: \.?y\{suffix}(\.journal)?: cannot be written: ", error)
