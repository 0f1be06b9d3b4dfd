"""Checkpoints: interrupted training goes on, and ends with the same bits."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastlogit as fl
from fastlogit.cli import main
from fastlogit.training import checkpoint as checkpoint_module
from fastlogit.training.dataset import Dataset
from fastlogit.training.partitioned import _SumsTask

RNG = np.random.default_rng(28)
X = RNG.normal(size=(400, 3))
Z = X @ [1.0, -2.0, 0.5]
TWO = (RNG.random(400) < fl.sigmoid(Z)) * 1.0
THREE = np.argmax(np.column_stack([Z, -Z, X[:, 0]]) + RNG.gumbel(size=(400, 3)), axis=1)
# So many rows that sampled-newton draws a sample.
LONG_X = RNG.normal(size=(50_000, 2))
LONG_T = (RNG.random(50_000) < fl.sigmoid(LONG_X @ [1.0, -1.0])) * 1.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a table in three files, so that a read has several batches."""
    made = tmp_path_factory.mktemp("table")
    table = pa.table(
        {
            **{f"x{j}": X[:, j] for j in range(3)},
            "k": np.array(["a", "b", "c"])[np.arange(400) % 3],
            "o": 0.1 * X[:, 1],
            "two": TWO.astype(np.int8),
            "three": np.array(["low", "middle", "high"])[THREE],
        }
    )
    for number, rows in enumerate(np.array_split(np.arange(400), 3)):
        pq.write_table(table.take(rows), made / f"{number}.parquet")
    return made


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.ckpt"


def trained(*data, **options):
    """A model as its file has it, without times."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content = fl.fit(*data, **options).content()
    content["seconds"] = content["history"]["seconds"] = None
    return json.dumps(content)


class Reads:
    """Counts passes over all rows, and interrupts after `most` of them."""

    def __init__(self, monkeypatch):
        self.count, self.most = 0, None
        read = Dataset._read

        def counted(dataset, question, theta):
            if dataset.n not in (len(X), len(LONG_X)):  # a sample
                return read(dataset, question, theta)
            if self.count == self.most:
                raise KeyboardInterrupt
            self.count += 1
            return read(dataset, question, theta)

        monkeypatch.setattr(Dataset, "_read", counted)

    def made_by(self, work, most=None):
        """The result of a function, or None if it was interrupted; and the passes."""
        self.count, self.most = 0, most
        with contextlib.suppress(KeyboardInterrupt):
            return work(), self.count
        return None, self.count


@pytest.fixture
def reads(monkeypatch):
    return Reads(monkeypatch)


# Interruptions ----------------------------------------------------------------------------

IN_MEMORY = {
    "newton": (X, TWO, {"solver": "newton"}),
    "newton without a penalty": (X, TWO, {"solver": "newton", "l2": 0}),
    "newton of three classes": (X, THREE, {"solver": "newton", "l2": 0}),
    "lbfgs": (X, TWO, {"solver": "lbfgs", "weight": 1.0 + TWO}),
    "lbfgs of three classes": (X, THREE, {"solver": "lbfgs"}),
    "gradient descent": (X, TWO, {"solver": "gradient-descent", "max_passes": 6}),
    "a sample": (LONG_X, LONG_T, {"solver": "sampled-newton"}),
    "a sample without a penalty": (LONG_X, LONG_T, {"solver": "sampled-newton", "l2": 0}),
    "separated labels": (X, Z > 0, {"l2": 0}),
    "collinear columns": (X[:, [0, 1, 0]], TWO, {"l2": 0}),
    "a start": (X, TWO, {"start": fl.LogisticModel([0.5, -1.0, 0.5])}),
}
STREAMED = {
    "newton": {"label": "two", "ignore": ["three", "o"]},
    "categories, without a penalty": {"label": "two", "ignore": ["three", "o"], "l2": 0},
    "offsets": {"label": "two", "offset": "o", "ignore": ["three"], "solver": "lbfgs"},
    "three classes": {"label": "three", "ignore": ["two", "o"], "l2": 0},
}


def resumed_after_each_pass(reads, path, work, *, repeats_the_first):
    """Check a training that is interrupted after each of its passes."""
    plain, _ = reads.made_by(work)
    whole, passes = reads.made_by(lambda: work(checkpoint=path))
    assert whole == plain
    again, repeated = reads.made_by(lambda: work(checkpoint=path, resume=True))
    assert (again, repeated) == (whole, int(repeats_the_first))
    path.unlink()
    found, total, attempts = None, 0, 0
    while found is None:
        # The first pass is made again where only that shows that the rows are the same.
        most = 1 + (repeats_the_first and attempts > 0)
        found, made = reads.made_by(lambda: work(checkpoint=path, resume=True), most)
        total, attempts = total + made, attempts + 1
        assert attempts <= passes + 1
    assert found == whole
    assert attempts >= passes
    assert total == passes + (attempts - 1) * repeats_the_first


@pytest.mark.parametrize("case", IN_MEMORY)
def test_training_in_memory_is_resumed_after_each_pass(reads, path, case):
    features, t, options = IN_MEMORY[case]

    def work(**checkpoint):
        return trained(features, t, **options, **checkpoint)

    resumed_after_each_pass(reads, path, work, repeats_the_first=True)


@pytest.mark.parametrize("case", STREAMED)
def test_training_out_of_core_is_resumed_after_each_pass(reads, path, folder, case):
    def work(**checkpoint):
        return trained(folder, out_of_core=True, **STREAMED[case], **checkpoint)

    resumed_after_each_pass(reads, path, work, repeats_the_first=False)


def test_a_table_without_files_is_resumed_after_each_pass(reads, path, folder):
    table = pq.read_table(folder)

    def work(**checkpoint):
        return trained(table, out_of_core=True, **STREAMED["newton"], **checkpoint)

    resumed_after_each_pass(reads, path, work, repeats_the_first=True)


def test_files_that_are_read_into_memory_need_no_repeated_pass(reads, path, folder):
    def work(**checkpoint):
        return trained(folder, out_of_core=False, **STREAMED["newton"], **checkpoint)

    resumed_after_each_pass(reads, path, work, repeats_the_first=False)
