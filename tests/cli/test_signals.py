"""Ctrl-C and SIGTERM."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from fastlogit import scoring
from fastlogit.cli import main
from tests.cli.commands import SCORE, raising, running


def test_an_interrupt_is_quiet(here, capsys, monkeypatch):
    monkeypatch.setattr(scoring, "score", raising(KeyboardInterrupt))
    assert main(["score", "model.json", "data.parquet", "-o", "y.csv"]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_signal_to_end_leaves_nothing_behind(here):
    os.mkfifo("data.csv")  # the command begins its output, then waits here
    before = set(here.iterdir())
    command = [sys.executable, "-m", "fastlogit", "train", "data.csv", "--label", "t"]
    with subprocess.Popen([*command, "-o", "m.json"], stderr=subprocess.PIPE) as process:
        while set(here.iterdir()) == before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(0.2)
        process.terminate()
        assert process.communicate(timeout=60) == (None, b"")
    assert process.returncode == 143
    assert set(here.iterdir()) == before


@pytest.mark.parametrize("known", [signal.SIG_DFL, signal.SIG_IGN])
def test_signals_are_left_to_other_handlers_and_threads(here, monkeypatch, known):
    seen = []
    monkeypatch.setattr(
        scoring,
        "score",
        lambda *_, **__: seen.append(signal.getsignal(signal.SIGTERM)) or scoring.Scored(1, 0),
    )
    before = signal.signal(signal.SIGTERM, known)
    try:
        assert main(SCORE) == 0
        thread = threading.Thread(target=main, args=[SCORE])
        thread.start()
        thread.join()
        assert signal.getsignal(signal.SIGTERM) == known
    finally:
        signal.signal(signal.SIGTERM, before)
    assert len(seen) == 2
    assert (seen[0] == known) == (known == signal.SIG_IGN)
    assert seen[1] == known


@pytest.mark.skipif(sys.platform == "win32", reason="has other signals")
@pytest.mark.parametrize("command", ["score", "evaluate"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_while_it_waits_for_a_pipe(here, command, number, status):
    options = ["-o", "y.csv"] if command == "score" else ["--label", "t"]
    with running(command, "model.json", "-", *options, "-q") as process:
        process.stdin.write(b"x,k,t\n" + b"1.5,2,1\n" * 3_000_000)
        process.stdin.flush()
        time.sleep(0.5)
        process.send_signal(number)
        assert process.wait(timeout=60) == status
        assert process.stderr.read() == b""
    assert not list(here.glob("*y.csv*"))
