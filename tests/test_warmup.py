"""`fastlogit warmup`: the functions that it compiles, and the lines that it prints."""

import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from numba.core import event
from scipy import sparse

import fastlogit as fl
from fastlogit import classes, elementwise, linear, losses, warmup


@pytest.fixture
def one_core(monkeypatch):
    """All is compiled in this process."""
    monkeypatch.setattr(warmup, "available", lambda: 1)


def test_it_compiles_every_public_function_and_then_finds_all_of_them_ready(
    capsys, monkeypatch, one_core
):
    warmup.run()
    first = capsys.readouterr().out
    names = {line.split()[3].removesuffix(",") for line in first.splitlines()[:-1]}
    public = {*elementwise.__all__, *losses.__all__, *classes.__all__}
    public |= {f"linear.{x}" for x in linear.__all__}
    assert names == public | {"fit", "threads"}

    monkeypatch.setattr(warmup, "available", lambda: 2)
    monkeypatch.setattr(subprocess, "Popen", None)  # it starts no process
    warmup.run()
    *lines, last = capsys.readouterr().out.splitlines()
    assert all(re.match(r" +[\d.]+ s  ready     ", line) for line in lines)
    assert re.match(r" +[\d.]+ s  0 compiled, kept in ", last)


def test_each_function_is_printed_once_whichever_process_compiles_it(capsys, monkeypatch):
    monkeypatch.setattr(warmup, "available", lambda: 2)
    load = warmup._load
    monkeypatch.setattr(warmup, "_load", lambda number: number > 1 and load(number))
    warmup.run()
    *lines, last = capsys.readouterr().out.splitlines()
    names = [line.split(maxsplit=3)[3] for line in lines]
    assert sorted(names) == sorted(name for group in warmup._GROUPS for name, _ in group())
    assert re.match(r" +[\d.]+ s  \d+ compiled, kept in ", last)


def test_an_interrupt_ends_the_processes():
    code = "from fastlogit import cli, warmup; warmup._load = lambda _: False; cli.run()"
    command = [sys.executable, "-c", code, "warmup"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert process.stderr.read() == ""  # at its end, so that all processes have ended


def test_it_compiles_the_functions_that_users_call(capsys, one_core):
    warmup.run()
    assert capsys.readouterr().out
    with event.install_recorder("numba:compile") as recorder:
        fl.sigmoid([0.5])
        fl.log_loss_gradient([0.5, 1.0], [1.0, 0.0])
        fl.softmax_log_loss_gradient(np.eye(3), np.eye(3))
        fl.fit([[0.0], [1.0], [2.0], [3.0]], [0.0, 0.0, 1.0, 1.0])
        model = fl.fit({"x": np.arange(4.0)}, [0.0, 0.0, 1.0, 1.0])
        model.predict({"x": np.arange(4.0)})
        fl.fit(sparse.csr_array([[0.0], [1.0], [2.0], [3.0]]), [0.0, 0.0, 1.0, 1.0])
    assert not recorder.buffer
