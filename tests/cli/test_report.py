"""Errors in one line, and the progress bar."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from fastlogit import scoring
from fastlogit.cli import main
from tests.cli.commands import raising


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError("no room\nfor all"), "no room for all"),
        (MemoryError(), "MemoryError"),
        (ModuleNotFoundError(name="pyarrow"), "this needs pyarrow: pip install 'fastlogit[cli]'"),
        (OSError(28, "No space left on device", "y.csv"), "y.csv: No space left on device"),
        (OSError("disk on fire"), "disk on fire"),
    ],
)
def test_errors_of_the_machine(fails, monkeypatch, error, message):
    monkeypatch.setattr(scoring, "score", raising(error))
    assert fails("score", "model.json", "data.parquet", "-o", "y.csv") == (
        f"fastlogit: error: {message}\n"
    )


def test_pyarrow_that_is_not_installed(fails, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert "this needs pyarrow.parquet: pip install 'fastlogit[cli]'" in fails(
        "score", "model.json", "data.parquet", "-o", "y.csv"
    )


def test_debug_shows_where_an_error_comes_from(here, capsys):
    assert main(["score", "gone.json", "data.parquet", "-o", "y.csv", "--debug"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("Traceback ")
    assert err.endswith("fastlogit: error: gone.json: No such file or directory\n")


@pytest.mark.skipif(sys.platform == "win32", reason="has no such terminals")
@pytest.mark.parametrize("name", ["data.parquet", "data.csv"])
def test_the_bar_is_for_terminals(here, name):
    import pty
    import termios

    pa.csv.write_csv(pq.read_table("data.parquet"), "data.csv")
    command = [sys.executable, "-m", "fastlogit", "score", "model.json", name, "-o", "y.csv"]
    for options, shown in (["--batch-rows", "2"], True), (["-q"], False):
        terminal, other_end = pty.openpty()
        termios.tcsetwinsize(terminal, (25, 100))
        subprocess.run(
            [*command, "--force", *options],
            stderr=other_end,
            env=os.environ | {"TQDM_MININTERVAL": "0"},
            check=True,
        )
        os.close(other_end)
        text = b""
        with contextlib.suppress(OSError):  # the end, on Linux
            while block := os.read(terminal, 1000):
                text += block
        os.close(terminal)
        bar = rb"\d+%\|.* \d\.00/5\.00 \[00:\d\d<[\d:?]+, .* rows/s, \d+ MB/s\]"
        assert bool(re.search(bar, text)) == shown
        assert (b"\r" in text) == shown
