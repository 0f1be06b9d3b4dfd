"""`fastlogit score`: its outputs, pipes, and errors before any work."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import fastlogit as fl
from fastlogit.cli import main
from fastlogit.core import files
from fastlogit.tables import sink
from tests.cli.commands import ROWS, SCORE, run


def test_score(here, capsys):
    assert main(["score", "model.json", "data.parquet", "-o", "scores.npy"]) == 0
    out, err = capsys.readouterr()
    y = fl.sigmoid(2.0 * np.array(ROWS["x"]) - ROWS["k"] + 0.5)
    np.testing.assert_allclose(np.load("scores.npy"), y, rtol=1e-15)
    assert out == ""
    assert err.startswith("scored 5 rows in ")
    assert err.endswith(" rows/s) -> scores.npy\n")


def test_score_options(here):
    pq.write_table(pa.table({**ROWS, "k": [None, 0, 1, 0, 1]}), "gaps.parquet")
    options = ["--missing", "nan", "--threads", "1", "--batch-rows", "2", "--force", "-q"]
    (here / "scores.npy").touch()
    assert main(["score", "model.json", "gaps.parquet", "-o", "scores.npy", *options]) == 0
    np.testing.assert_array_equal(np.isnan(np.load("scores.npy")), [True, *[False] * 4])


def test_train_then_score_from_a_shell(here):
    def run(*argv):
        command = [sys.executable, "-W", "error", "-m", "fastlogit", *argv]
        return subprocess.run(command, capture_output=True, text=True, check=True)

    run("train", "data.parquet", "--label", "t", "-o", "trained.json")
    run("score", "trained.json", "data.parquet", "-o", "scores.csv")
    model = fl.load("trained.json")
    y = np.loadtxt("scores.csv", skiprows=1)
    X = np.column_stack([ROWS["x"], ROWS["k"]])
    np.testing.assert_allclose(y, model.predict_proba(X)[:, 1], rtol=1e-14)


def test_missing_column(fails):
    pq.write_table(pa.table(ROWS).drop_columns("x"), "data.parquet")
    assert "data.parquet: has no column 'x'" in fails(
        "score", "model.json", "data.parquet", "-o", "y.csv"
    )


def test_exchanged_arguments(fails):
    message = fails("score", "data.parquet", "model.json", "-o", "y.csv")
    assert message.startswith("fastlogit: error: data.parquet: ")
    assert message.endswith(" (MODEL comes before DATA)\n")
    Path("bad.json").write_text("{")
    assert "MODEL" not in fails("score", "bad.json", "data.parquet", "-o", "y.csv")


def test_a_stream_cannot_be_resumed(fails):
    message = "--resume must have files as input and output; got standard output"
    assert message in fails(*SCORE[:-1], "-", "--resume")


def test_an_output_of_unknown_suffix(fails):
    message = "y.txt: the suffix must be one of .parquet, .arrow, .arrows, .feather, .csv, "
    assert message in fails("score", "model.json", "data.parquet", "-o", "y.txt")


def test_errors_of_nulls_name_the_remedy(fails):
    pq.write_table(pa.table({**ROWS, "x": [0.5, None, None, 0.0, 1.0]}), "data.parquet")
    message = fails("score", "model.json", "data.parquet", "-o", "y.csv")
    assert "column 'x' is null in row 1 (--missing nan scores such rows as NaN, " in message
    assert message.endswith("--missing skip leaves them out)\n")
    assert "column 'x' has 2 missing values in 5 rows (--missing skip leaves " in fails(
        "train", "data.parquet", "--label", "t", "-o", "m.json"
    )


def test_skipped_rows_are_reported_and_written(here, capsys):
    pq.write_table(pa.table({**ROWS, "k": [None, 0, 1, 0, 1]}), "gaps.parquet")
    command = ["score", "model.json", "gaps.parquet", "-o", "y.csv", "--missing", "skip"]
    assert main([*command, "--skipped", "skipped.csv", "--name", "late"]) == 0
    assert "fastlogit: note: left out 1 row with a missing value" in capsys.readouterr().err
    assert Path("skipped.csv").read_text().split()[1] == '"gaps.parquet",0'
    assert Path("y.csv").read_text().split()[0] == '"late"'


def test_a_pipe_is_scored(here):
    done = run("score", "model.json", "-", "-o", "-", "-q", given=b"k,x\n1,0.5\n0,2\n")
    assert (done.returncode, done.stderr) == (0, b"")
    y = [float(line) for line in done.stdout.split()[1:]]
    np.testing.assert_allclose(y, fl.sigmoid([0.5, 4.5]), rtol=1e-15)


def test_a_pipe_of_arrow_is_scored(here):
    given = io.BytesIO()
    with pa.ipc.new_stream(given, pa.table(ROWS).schema) as writer:
        writer.write_table(pa.table(ROWS))
    options = ["--output-format", "arrow-stream", "--output", "logit", "--keep", "t"]
    done = run("score", "model.json", "-", "-o", "-", "-q", *options, given=given.getvalue())
    assert done.stderr == b""
    found = pa.ipc.open_stream(done.stdout).read_all()
    assert found["t"].to_pylist() == ROWS["t"]
    np.testing.assert_allclose(found["logit"].to_numpy(), [0.5, 4.5, 1.5, 0.5, -1.5], rtol=1e-15)


@pytest.mark.skipif(sys.platform == "win32", reason="has no such pipes")
def test_a_named_pipe_is_read(here):
    os.mkfifo("pipe")
    writer = threading.Thread(target=Path("pipe").write_bytes, args=[b"k,x\n1,2\n3,4\n"])
    writer.start()
    assert main(["score", "model.json", "pipe", "-o", "y.npy", "--output", "logit"]) == 0
    writer.join()
    assert np.load("y.npy").tolist() == [0.5 + 4 - 1, 0.5 + 8 - 3]


def test_an_output_that_cannot_be_written_fails_before_any_work(fails):
    score = ["score", "model.json", "data.parquet"]
    message = "y.parquet: cannot be written: Unsupported compression: foo"
    assert message in fails(*score, "-o", "y.parquet", "--compression", "foo")
    message = "standard output cannot be npy"
    assert message in fails(*score, "-o", "-", "--output-format", "npy")
    pq.write_table(pa.table({**ROWS, "id": [2**53 + 1] * 5}), "ids.parquet")
    message = "a .npy file holds float64; column 'id' has larger integers"
    assert message in fails("score", "model.json", "ids.parquet", "-o", "y.npy", "--keep", "id")
    message = "column 'x' is a feature of the model, so it cannot be the label"
    assert message in fails("evaluate", "model.json", "data.parquet", "--label", "x")


def test_two_runs_do_not_write_one_output(here, fails):
    with files.replacing(here / "y.csv", alone=True):
        assert "y.csv: cannot write here: another run writes it" in fails(*SCORE)
    assert (here / "y.csv").exists()


def test_a_file_that_appears_meanwhile_is_not_replaced(here, capsys, monkeypatch):
    whole = sink._grouped

    @contextlib.contextmanager
    def slow(write, schema):
        with whole(write, schema) as add:
            yield add
        Path("y.csv").write_text("mine")

    monkeypatch.setattr(sink, "_grouped", slow)
    assert main(SCORE) == 1
    assert "y.csv: exists already" in capsys.readouterr().err
    assert Path("y.csv").read_text() == "mine"
