"""From a table to a file: all of it or nothing, and what dies is taken up again."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

import fastlogit as fl
from fastlogit.scoring import stream

N = 400_000


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    rng = np.random.default_rng(3)
    path = tmp_path_factory.mktemp("source") / "in.parquet"
    table = pa.table(
        {
            "id": [f"row {i}" for i in range(N)],
            "a": rng.normal(size=N),
            "b": pa.array(rng.normal(size=N), mask=rng.random(N) < 1e-3),
        }
    )
    pq.write_table(table, path, row_group_size=50_000)
    return path


@pytest.fixture
def model():
    return fl.LogisticModel([1.0, -2.0], 0.1, ("a", "b"))


def command(source, sink, *options):
    """Score in a process of its own."""
    code = (
        "import sys, fastlogit as fl; m = fl.LogisticModel([1.0, -2.0], 0.1, ('a', 'b')); "
        "print('begun', flush=True); "
        "fl.score(m, sys.argv[1], sys.argv[2], batch_rows=2000, keep=['id'], missing='skip', "
        "output=['label', 'logit'], skipped=sys.argv[2] + '.skipped.csv', force=True, "
        "resume='--resume' in sys.argv)"
    )
    return [sys.executable, "-c", code, str(source), str(sink), *options]


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_killed_run_is_resumed_to_the_same_bytes(tmp_path, source, suffix):
    whole, sink = tmp_path / f"whole{suffix}", tmp_path / f"out{suffix}"
    start = time.monotonic()
    subprocess.run(command(source, whole), check=True, capture_output=True)
    seconds = time.monotonic() - start
    rng = random.Random(5)
    for _ in range(10):
        process = subprocess.Popen(command(source, sink, "--resume"), stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(rng.random() * seconds / 2)
        process.kill()
        process.wait()
        process.stdout.close()
        if sink.exists():  # it was done before
            assert sink.read_bytes() == whole.read_bytes()
            sink.unlink()
    subprocess.run(command(source, sink, "--resume"), check=True, capture_output=True)
    assert sink.read_bytes() == whole.read_bytes()
    skipped = (tmp_path / f"{name}{suffix}.skipped.csv" for name in ("whole", "out"))
    assert next(skipped).read_bytes() == next(skipped).read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_finished_parts_are_not_scored_again(tmp_path, source, model, monkeypatch):
    sink = tmp_path / "out.parquet"

    def interrupt(done):
        if done.rows >= N // 2:
            raise KeyboardInterrupt

    options = {"missing": "skip", "batch_rows": 10_000}
    with pytest.raises(KeyboardInterrupt):
        fl.score(model, source, sink, progress=interrupt, **options)
    assert not sink.exists()
    read = []
    whole = stream._parts

    def counted(*arguments):
        for part in whole(*arguments):
            read.append(part.read)
            yield part

    monkeypatch.setattr(stream, "_parts", counted)
    scored = fl.score(model, source, sink, resume=True, **options)
    assert scored.rows == N
    assert sum(read) <= N // 2
    again = tmp_path / "again.parquet"
    assert fl.score(model, source, again, **options) == scored
    assert again.read_bytes() == sink.read_bytes()


@pytest.mark.parametrize("changed", ["model", "input", "option"])
def test_a_run_is_only_resumed_as_what_it_was(tmp_path, source, model, changed):
    mine, sink = tmp_path / "in.parquet", tmp_path / "out.parquet"
    mine.write_bytes(source.read_bytes())

    def interrupt(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fl.score(model, mine, sink, missing="nan", progress=interrupt)
    journal = tmp_path / ".out.parquet.journal"
    content = journal.read_bytes()
    if changed == "model":
        model = fl.LogisticModel([1.0, -2.0], 0.2, ("a", "b"))
    if changed == "input":
        os.utime(mine, ns=(1, 1))
    missing = "skip" if changed == "option" else "nan"
    with pytest.raises(ValueError, match=rf"journal: cannot be resumed: .* {changed} has changed"):
        fl.score(model, mine, sink, missing=missing, resume=True)
    assert journal.read_bytes() == content
    fl.score(model, mine, sink, missing=missing)  # anew
    assert not journal.exists()


def test_a_damaged_journal_is_done_again_from_the_damage(tmp_path, source, model):
    sink = tmp_path / "out.parquet"

    def interrupt(done):
        if done.rows >= N // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fl.score(model, source, sink, missing="nan", batch_rows=10_000, progress=interrupt)
    journal = tmp_path / ".out.parquet.journal"
    damaged = bytearray(journal.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    journal.write_bytes(damaged)
    fl.score(model, source, sink, missing="nan", resume=True)
    again = tmp_path / "again.parquet"
    fl.score(model, source, again, missing="nan")
    assert again.read_bytes() == sink.read_bytes()


def test_a_full_disk_is_an_error_and_leaves_no_output(tmp_path, source):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)); "
    argv = command(source, tmp_path / "out.csv")
    argv[2] = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); " + limit + argv[2]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 1
    assert "OSError" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "out.csv").exists()


def test_without_a_sink_it_gives_record_batches(source, model):
    batches = list(fl.score(model, source, missing="nan", output="logit", keep=["id"]))
    table = pa.Table.from_batches(batches)
    assert table.column_names == ["id", "logit"]
    whole = pq.read_table(source)
    expected = model.decision(whole.select(["a", "b"]), missing="nan")
    np.testing.assert_array_equal(table["logit"].to_numpy(), expected)
    assert table["id"].equals(whole["id"])


def test_what_was_finished_is_not_lost_by_a_wrong_argument(tmp_path, source, model):
    def interrupt(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fl.score(model, source, tmp_path / "out.csv", missing="nan", progress=interrupt)
    content = (tmp_path / ".out.csv.journal").read_bytes()
    with pytest.raises(ValueError, match="threads"):
        fl.score(model, source, tmp_path / "out.csv", missing="nan", resume=True, threads=0)
    assert (tmp_path / ".out.csv.journal").read_bytes() == content


def test_rows_left_out_are_not_written_to_the_output_itself(tmp_path, source, model):
    with pytest.raises(ValueError, match="skipped must be another file than sink"):
        fl.score(model, source, tmp_path / "y.csv", skipped=str(tmp_path / "y.csv"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".csv.gz", ".tsv.zst", ".arrow", ".parquet"])
def test_outputs_of_every_format_hold_the_same(tmp_path, source, model, suffix):
    sink = tmp_path / f"y{suffix}"
    compression = "zstd" if suffix in (".arrow", ".parquet") else None
    fl.score(model, source, sink, missing="nan", keep=["id"], compression=compression)
    if suffix == ".arrow":
        found = pa.ipc.open_file(sink).read_all()
    elif suffix == ".parquet":
        found = pq.read_table(sink)
        assert pq.ParquetFile(sink).metadata.row_group(0).column(0).compression == "ZSTD"
    else:
        delimiter = "\t" if "tsv" in suffix else ","
        found = csv.read_csv(sink, parse_options=csv.ParseOptions(delimiter=delimiter))
    whole = pq.read_table(source)
    expected = model.predict_proba(whole.select(["a", "b"]), missing="nan")[:, 1]
    np.testing.assert_allclose(found["probability"].to_numpy(), expected, rtol=1e-15)
    assert found["id"].to_pylist() == whole["id"].to_pylist()
