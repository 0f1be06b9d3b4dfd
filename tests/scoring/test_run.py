"""Scoring runs: output is written atomically, and an interrupted run is resumed."""

from __future__ import annotations

import os
import random
import re
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import fastlogit as fl
from fastlogit.scoring import evaluate, run, score
from tests import processes
from tests.scoring_data import (
    LONG_MODEL,
    LONG_ROWS,
    PAIR_MODEL,
    PAIR_WRITERS,
    PAIRS,
    SCORE_LONG,
    SUFFIXES,
    N,
    files_in,
    read,
    write,
)


@pytest.mark.parametrize("sink", SUFFIXES)
@pytest.mark.parametrize("source", SUFFIXES)
def test_every_format_gives_the_same(tmp_path, table, model, expected, source, sink):
    source, sink = write(table, tmp_path / f"in{source}"), tmp_path / f"out{sink}"
    assert score(model, source, sink, batch_rows=130).rows == N
    y = read(sink)
    assert y.dtype == np.float64
    np.testing.assert_allclose(y, expected, rtol=1e-13, atol=0)
    assert files_in(tmp_path) == sorted([source.name, sink.name])


@pytest.mark.parametrize("source", SUFFIXES)
def test_bits_depend_neither_on_batches_nor_on_threads(tmp_path, table, model, source):
    source = write(table, tmp_path / f"in{source}")
    score(model, source, tmp_path / "once.npy")
    for threads, batch_rows in (1, 1), (2, 333), (1, N), (2, 10**9):
        sink = tmp_path / f"{threads}-{batch_rows}.npy"
        score(model, source, sink, threads=threads, batch_rows=batch_rows)
        assert sink.read_bytes() == (tmp_path / "once.npy").read_bytes()


@pytest.mark.parametrize("source", SUFFIXES)
@pytest.mark.parametrize("sink", SUFFIXES)
def test_no_rows(tmp_path, table, model, source, sink):
    source, sink = write(table.slice(0, 0), tmp_path / f"in{source}"), tmp_path / f"out{sink}"
    assert score(model, source, sink).rows == 0
    assert read(sink).shape == (0,)


@pytest.mark.parametrize("arguments", [{"missing": "none"}, {"batch_rows": 0}, {"threads": 0}])
def test_arguments_out_of_range(tmp_path, table, model, arguments):
    source = write(table, tmp_path / "in.npy")
    with pytest.raises(ValueError, match=next(iter(arguments))):
        score(model, source, tmp_path / "out.npy", **arguments)
    assert files_in(tmp_path) == [source.name]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("name", ["in.npy", "symbolic.npy", "hard.npy"])
def test_a_table_is_not_its_own_output(tmp_path, table, model, name, force):
    source = write(table, tmp_path / "in.npy")
    (tmp_path / "symbolic.npy").symlink_to(source)
    (tmp_path / "hard.npy").hardlink_to(source)
    content, names = source.read_bytes(), files_in(tmp_path)
    with pytest.raises(ValueError, match=rf"{name}: is a file to read; give the output another"):
        score(model, source, tmp_path / name, force=force)
    assert source.read_bytes() == content
    assert files_in(tmp_path) == names


def test_progress(tmp_path, table, model):
    seen = []
    write(table, tmp_path / "in.parquet")
    score(
        model,
        tmp_path / "in.parquet",
        tmp_path / "out.npy",
        batch_rows=400,
        progress=lambda *state: seen.append(state),
    )
    size = (tmp_path / "in.parquet").stat().st_size
    # Row groups have 300 rows, and two are read together.
    assert seen == [((rows, N, size * rows // N, size),) for rows in (400, 600, N)]


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_run_of_more_than_two_classes_is_resumed_to_the_same_bytes(tmp_path, table, suffix):
    features = len(table.column_names)
    coef = np.linspace(-1.0, 1.0, 4 * features).reshape(4, features)
    model = fl.LogisticModel(coef, 0.0, tuple(table.column_names), classes=("a", "b", "c", "d"))
    source, whole, sink = (tmp_path / f"{name}{suffix}" for name in ("in", "whole", "out"))
    write(table, source)
    options = {"output": ["probability", "label"], "batch_rows": 130, "threads": 1}
    score(model, source, whole, **options)

    def stop(progress):
        if progress.rows > 400:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score(model, source, sink, progress=stop, **options)
    assert not sink.exists()
    other = fl.LogisticModel(coef, 0.0, model.feature_names, classes=("a", "b", "c", "e"))
    with pytest.raises(ValueError, match="cannot be resumed, as its run differs in the model"):
        score(other, source, sink, resume=True, **options)
    assert score(model, source, sink, resume=True, **options).rows == N
    assert sink.read_bytes() == whole.read_bytes()
    assert score(model, source, sink, resume=True, **options).was_complete


@pytest.mark.parametrize(("suffix", "kills"), [(".parquet", 3), (".csv", 2), (".arrow", 2)])
def test_a_killed_run_is_resumed_to_the_same_bytes(tmp_path, long_source, suffix, kills):
    whole, sink = tmp_path / f"whole{suffix}", tmp_path / f"out{suffix}"
    start = time.monotonic()
    assert processes.run(SCORE_LONG, long_source, whole).returncode == 0
    seconds = time.monotonic() - start
    rng = random.Random(5)
    for _ in range(kills):
        process = processes.start(SCORE_LONG, long_source, sink, "--resume")
        time.sleep(rng.random() * seconds / 2)
        process.kill()
        process.join()
        if sink.exists():  # it was done before
            assert sink.read_bytes() == whole.read_bytes()
            sink.unlink()
    assert processes.run(SCORE_LONG, long_source, sink, "--resume").returncode == 0
    assert sink.read_bytes() == whole.read_bytes()
    skipped = (tmp_path / f"{name}{suffix}.skipped.csv" for name in ("whole", "out"))
    assert next(skipped).read_bytes() == next(skipped).read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_finished_batches_are_not_scored_again(tmp_path, long_source, monkeypatch):
    sink = tmp_path / "out.parquet"

    def interrupt(done):
        if done.rows >= LONG_ROWS // 2:
            raise KeyboardInterrupt

    options = {"missing": "skip", "batch_rows": 10_000}
    with pytest.raises(KeyboardInterrupt):
        fl.score(LONG_MODEL, long_source, sink, progress=interrupt, **options)
    assert not sink.exists()
    read = []
    whole = run._scored_batches

    def counted(*arguments):
        for batch in whole(*arguments):
            read.append(batch.read)
            yield batch

    monkeypatch.setattr(run, "_scored_batches", counted)
    scored = fl.score(LONG_MODEL, long_source, sink, resume=True, **options)
    assert scored.rows == LONG_ROWS
    assert sum(read) <= LONG_ROWS // 2
    again = tmp_path / "again.parquet"
    assert fl.score(LONG_MODEL, long_source, again, **options) == scored
    assert again.read_bytes() == sink.read_bytes()


def test_without_a_sink_it_gives_record_batches(long_source):
    batches = list(fl.score(LONG_MODEL, long_source, missing="nan", output="logit", keep=["id"]))
    table = pa.Table.from_batches(batches)
    assert table.column_names == ["id", "logit"]
    whole = pq.read_table(long_source)
    expected = LONG_MODEL.decision(whole.select(["a", "b"]), missing="nan")
    np.testing.assert_array_equal(table["logit"].to_numpy(), expected)
    assert table["id"].equals(whole["id"])


def test_skipped_rows_need_their_own_file(tmp_path, long_source):
    with pytest.raises(ValueError, match="skipped must be another file than sink"):
        fl.score(LONG_MODEL, long_source, tmp_path / "y.csv", skipped=str(tmp_path / "y.csv"))
    assert not list(tmp_path.iterdir())


def take_away(path, how):
    if how == "unlinked":
        path.unlink()
    elif how == "renamed":
        path.rename(path.with_name("elsewhere"))
    elif how == "cut":
        os.truncate(path, path.stat().st_size // 2)
    elif how == "emptied":
        os.truncate(path, 0)
    else:
        path.with_name("other").write_bytes(path.read_bytes())
        path.with_name("other").replace(path)


@pytest.mark.parametrize("how", ["unlinked", "renamed", "cut", "emptied", "replaced"])
@pytest.mark.parametrize("name", PAIR_WRITERS)
def test_an_input_that_is_removed_while_it_is_read_is_an_error(tmp_path, monkeypatch, name, how):
    monkeypatch.setattr("fastlogit.tables.text_file._BLOCK_BYTES", 1000)
    source, sink = tmp_path / name, tmp_path / "out.csv"
    PAIR_WRITERS[name](source)
    is_there = True

    def after_a_while(done):
        nonlocal is_there
        if is_there and done.rows >= 100:
            is_there = False
            take_away(source, how)

    # (A FileNotFoundError has the name as an attribute.)
    with pytest.raises((ValueError, FileNotFoundError), match=re.escape(str(source))):
        score(PAIR_MODEL, source, sink, batch_rows=10, progress=after_a_while)
    left = {"unlinked": [], "renamed": ["elsewhere"]}.get(how, [name])
    assert [one for one in files_in(tmp_path) if not one.startswith(".")] == left


@pytest.mark.skipif(sys.platform != "linux", reason="the signal comes where a map ends")
@pytest.mark.parametrize("name", ["x.npy", "x.arrow", "x.arrows", "x.parquet", "x.csv"])
def test_a_process_survives_when_its_input_is_cut(tmp_path, name):
    source = tmp_path / name
    rows = pa.table({"a": np.zeros(LONG_ROWS), "b": np.ones(LONG_ROWS)})
    if name == "x.npy":
        np.save(source, np.zeros((LONG_ROWS, 2)))
    elif name == "x.parquet":
        pq.write_table(rows, source, use_dictionary=False)
    elif name == "x.csv":
        pa.csv.write_csv(rows, source)
    else:
        opening = pa.ipc.new_file if name == "x.arrow" else pa.ipc.new_stream
        with opening(source, rows.schema) as writer:
            writer.write_table(rows, max_chunksize=50_000)
    code = (
        "import os, sys, fastlogit as fl; path, sink = sys.argv[1:]; "
        "cut = lambda done: os.truncate(path, 5000) if done.rows == 20000 else None; "
        "m = fl.LogisticModel([1.0, 2.0], 0.0, ('a', 'b')); "
        "fl.score(m, path, sink, batch_rows=20000, progress=cut)"
    )
    done = processes.run(code, source, tmp_path / "y.csv")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"ValueError: {source}: ")
    assert files_in(tmp_path) == [name]


def test_a_removed_file_of_a_folder_is_named(tmp_path):
    sink = tmp_path / "y.csv"
    (tmp_path / "in").mkdir()
    for number in range(5):
        pq.write_table(PAIRS, tmp_path / "in" / f"{number}.parquet")

    def after_a_while(done):
        if done.rows == 100:
            (tmp_path / "in" / "3.parquet").unlink()

    with pytest.raises(FileNotFoundError, match=r"3\.parquet"):
        score(PAIR_MODEL, tmp_path / "in", sink, batch_rows=10, progress=after_a_while)
    assert not sink.exists()


def test_an_input_that_is_cut_while_it_is_evaluated_is_an_error(tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("b,a,t\n" + "1,2,0\n3,4,1\n" * 500_000)

    def cut(done):
        os.truncate(source, source.stat().st_size - 12)

    with pytest.raises(ValueError, match=r"in\.csv: has changed while it was read$"):
        evaluate(PAIR_MODEL, source, "t", progress=cut)
