"""The contract of layouts, as a pass keeps it: the blocks that it hands to them."""

from __future__ import annotations

import types
from typing import Any, NamedTuple

import numpy as np
import pytest

from fastlogit import linear
from fastlogit.kernels import jit, layouts, passes
from fastlogit.kernels.families import Binomial
from fastlogit.kernels.layouts import rows as row_layout


class Watched(NamedTuple):
    """A row-major array, and the most rows of a block that each function was called with."""

    array: Any
    most: Any


MULTIPLY, ACCUMULATE, ADD_PAIRS, PACK = range(4)
DIMENSIONS = 100


@jit.inner
def shape(X):
    return X.array.shape[0], X.array.shape[1]


@jit.inner
def block_rows(X):
    return row_layout.block_rows(X.array)


@jit.loop
def workspace(X):
    return


@jit.inner
def partial_size(X):
    return row_layout.partial_size(X.array)


@jit.inner
def multiply(X, first, rows, coef, z, work):
    X.most[MULTIPLY] = max(X.most[MULTIPLY], rows)
    return row_layout.multiply(X.array, first, rows, coef, z, work)


@jit.inner
def accumulate(X, first, rows, factor, sums, total, work):
    X.most[ACCUMULATE] = max(X.most[ACCUMULATE], rows)
    row_layout.accumulate(X.array, first, rows, factor, sums, total, work)


@jit.inner
def add_pairs(X, first, rows, factor, total):
    X.most[ADD_PAIRS] = max(X.most[ADD_PAIRS], rows)
    return False


@jit.inner
def pack(X, first, rows, packed, work):
    X.most[PACK] = max(X.most[PACK], rows)
    row_layout.pack(X.array, first, rows, packed, work)


@pytest.fixture
def watched(monkeypatch):
    """The class of the layout; nothing that is compiled for it is kept on disk."""
    functions = [shape, block_rows, workspace, partial_size, multiply, accumulate, add_pairs, pack]
    module = types.SimpleNamespace(**{function.__name__: function for function in functions})
    monkeypatch.setitem(layouts.MODULES, Watched, module)
    monkeypatch.setattr(jit._Cache, "save_overload", lambda *args: None)
    return Watched


def test_a_pass_with_a_hessian_reads_blocks_of_packed_rows_however_short_other_blocks_are(watched):
    rng = np.random.default_rng(2)
    d, size = DIMENSIONS, passes.hessian_size(DIMENSIONS)
    array, t = rng.normal(size=(1000, d)), rng.integers(0, 2, 1000)
    coef = np.zeros((1, row_layout.partial_size(array)))
    coef[0, :d] = rng.normal(size=d) / 10
    loss, gradient, hessian = np.zeros(2), np.zeros((1, 2, d + 1)), np.zeros((1, 1, 2, size, size))
    X = watched(array, np.zeros(4, np.int64))
    wanted = passes.Results(loss=loss, gradient=gradient, hessian=hessian)
    assert passes.run(X, Binomial(), coef, np.zeros(1), t, None, None, None, *wanted)
    assert row_layout.block_rows(array) < passes.packed_rows(d)
    assert X.most.tolist() == [passes.packed_rows(d)] * 4
    assert gradient[0].sum(axis=0)[:d] == pytest.approx(
        linear.log_loss_gradient(array, t, coef[0, :d])[1], rel=1e-12
    )
