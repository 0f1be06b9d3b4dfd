"""`fastlogit warmup`: the functions that it compiles, and the lines that it prints."""

import re

import numpy as np
from numba.core import event
from scipy import sparse

import fastlogit as fl
from fastlogit import elementwise, linear, losses, warmup


def test_it_compiles_every_public_function_and_then_finds_all_of_them_ready(capsys):
    warmup.run()
    first = capsys.readouterr().out
    names = {line.split()[3].removesuffix(",") for line in first.splitlines()[:-1]}
    public = {*elementwise.__all__, *losses.__all__, *(f"linear.{x}" for x in linear.__all__)}
    assert names == public | {"fit", "threads"}

    warmup.run()
    *lines, last = capsys.readouterr().out.splitlines()
    assert all(re.match(r" +[\d.]+ s  ready     ", line) for line in lines)
    assert re.match(r" +[\d.]+ s  0 compiled, kept in ", last)


def test_it_compiles_the_functions_that_users_call(capsys):
    warmup.run()
    assert capsys.readouterr().out
    with event.install_recorder("numba:compile") as recorder:
        fl.sigmoid([0.5])
        fl.log_loss_gradient([0.5, 1.0], [1.0, 0.0])
        fl.fit([[0.0], [1.0], [2.0], [3.0]], [0.0, 0.0, 1.0, 1.0])
        model = fl.fit({"x": np.arange(4.0)}, [0.0, 0.0, 1.0, 1.0])
        model.predict({"x": np.arange(4.0)})
        fl.fit(sparse.csr_array([[0.0], [1.0], [2.0], [3.0]]), [0.0, 0.0, 1.0, 1.0])
    assert not recorder.buffer
