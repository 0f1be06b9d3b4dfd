"""The command line as a whole: exit status, files that are read or written, streams."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

import fastlogit as fl
from fastlogit.cli import main
from tests.cli.commands import SCORE, TRAIN, closed, run, running


@pytest.mark.parametrize("command", [TRAIN, SCORE])
def test_a_wrong_variable_is_an_error_before_any_work(fails, here, monkeypatch, command):
    monkeypatch.setenv("FASTLOGIT_NUM_THREADS", "all")
    (here / "data.parquet").write_text("damaged, but not looked at")
    message = "FASTLOGIT_NUM_THREADS must be a whole number between 1 and 4096; got 'all'\n"
    assert fails(*command) == f"fastlogit: error: {message}"


@pytest.mark.parametrize("name", ["gone.parquet", "gone.csv", "gone.npy"])
def test_a_file_that_is_not_there(fails, name):
    message = f"{name}: No such file or directory"
    assert message in fails("score", "model.json", name, "-o", "y.csv")
    assert message in fails("train", name, "--label", "t", "-o", "m.json")


def test_a_model_that_is_not_there(fails):
    assert "gone.json: No such file or directory" in fails(
        "score", "gone.json", "data.parquet", "-o", "y.csv"
    )


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", "[" * 100_000, '{"format": "other"}'])
def test_a_file_that_is_not_a_model(fails, here, content):
    (here / "model.json").write_text(content)
    assert "error: model.json: " in fails("score", "model.json", "data.parquet", "-o", "y.csv")


def test_a_model_without_coefficients(fails, here):
    content = json.loads((here / "model.json").read_text())
    del content["coef"]
    (here / "model.json").write_text(json.dumps(content))
    assert "'coef' is missing" in fails("score", "model.json", "data.parquet", "-o", "y.csv")


def test_a_truncated_file(fails, here):
    whole = (here / "data.parquet").read_bytes()
    (here / "data.parquet").write_bytes(whole[: len(whole) // 2])
    assert "error: data.parquet: Parquet magic bytes not found" in fails(
        "score", "model.json", "data.parquet", "-o", "y.csv"
    )


@pytest.mark.parametrize(
    ("folder", "reason"), [("gone", "No such file or directory"), ("file", "Not a directory")]
)
def test_an_output_folder_that_cannot_be_written(fails, here, folder, reason):
    (here / "file").touch()
    (here / "data.parquet").write_text("damaged, but the output is looked at before any work")
    message = fails("train", "data.parquet", "--label", "t", "-o", f"{folder}/m.json")
    assert message == f"fastlogit: error: {folder}/m.json: cannot write here: {reason}\n"
    fl.LogisticModel([1.0]).save("model.json")
    np.save("data.npy", np.empty((1, 1)))
    message = fails("score", "model.json", "data.npy", "-o", f"{folder}/y.csv")
    assert message == f"fastlogit: error: {folder}/y.csv: cannot write here: {reason}\n"


def test_an_output_that_exists(fails):
    message = "model.json: exists already (--force replaces it)"
    assert message in fails("train", "data.parquet", "--label", "t", "-o", "model.json")


@pytest.mark.parametrize("force", [[], ["--force"]])
@pytest.mark.parametrize("name", ["./", "symbolic-", "hard-", "absolute"])
def test_an_output_that_is_an_input(fails, here, name, force):
    (here / "model.json").rename("model.csv")  # `score` may write a file of this name
    for file in ("data.parquet", "model.csv"):
        (here / f"symbolic-{file}").symlink_to(file)
        (here / f"hard-{file}").hardlink_to(here / file)
    data, model = (
        str(here / file) if name == "absolute" else name + file
        for file in ("data.parquet", "model.csv")
    )
    message = "is a file to read; give the output another name\n"
    score = ["score", "model.csv", "data.parquet"]
    for command, output in (
        (["train", "data.parquet", "--label", "t"], data),
        (score, data),
        (score, model),
    ):
        assert fails(*command, "-o", output, *force) == f"fastlogit: error: {output}: {message}"


def test_a_closed_pipe_is_quiet(here):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "fastlogit", "train", "data.parquet", "--label", "t"]
    done = subprocess.run(
        [*command, "-o", "m.json"], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")
    assert fl.load("m.json").converged


@pytest.mark.skipif(sys.platform == "win32", reason="has no such pipes")
@pytest.mark.usefixtures("here")
def test_an_error_ends_it_while_a_pipe_is_open():
    with running("score", "model.json", "-", "-o", "y.csv") as process:
        with contextlib.suppress(BrokenPipeError):  # it has ended
            process.stdin.write(b"x,k\n1.5,many\n" + b"1.5,2\n" * 3_000_000)
            process.stdin.flush()
        assert process.wait(timeout=60) == 1
        assert b"column 'k': row 0: " in process.stderr.read()


def test_closed_streams_are_errors_in_one_line(here, capsys, monkeypatch):
    for stream, argv in (
        ("stdin", ["score", "model.json", "-", "-o", "y.csv"]),
        ("stdout", ["score", "model.json", "data.parquet", "-o", "-"]),
        ("stdout", ["evaluate", "model.json", "data.parquet", "--label", "t"]),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(sys, stream, None)
            assert main(argv) == 1
        assert re.search("error: standard (in|out)put is closed\n$", capsys.readouterr().err)


@pytest.mark.skipif(sys.platform == "win32", reason="has no such shell")
@pytest.mark.parametrize("command", [SCORE, TRAIN])
def test_standard_output_may_be_closed_where_nothing_is_written_to_it(here, command):
    assert closed(">&-", *command).returncode == 0
    assert (here / command[-1]).stat().st_size > 0


@pytest.mark.skipif(sys.platform == "win32", reason="has no such shell")
def test_standard_error_may_be_closed(here):
    score = [*SCORE[:-1], "-"]
    done = closed("2>&-", *score)
    assert (done.returncode, done.stdout) == (0, run(*score).stdout)
    assert closed("2>&-", *SCORE).stdout == b""
    assert (here / "y.csv").read_bytes() == done.stdout
    done = closed("2>&-", *SCORE)  # y.csv exists
    assert (done.returncode, done.stdout) == (1, b"")
