"""A folder with a table and a model, and commands that must fail."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastlogit as fl
from fastlogit.cli import main
from tests.cli.commands import ROWS


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to work in, with a table and a model."""
    monkeypatch.chdir(tmp_path)
    pq.write_table(pa.table(ROWS), "data.parquet")
    fl.LogisticModel([2.0, -1.0], 0.5, ("x", "k")).save("model.json")
    return tmp_path


@pytest.fixture
def fails(here, capsys):
    """A function that runs a command, which must fail, and returns its message."""

    def run(*argv):
        before = {path: path.read_bytes() for path in here.iterdir() if path.is_file()}
        assert main(argv) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("fastlogit: error: ")
        assert err.count("\n") == 1
        assert {path: path.read_bytes() for path in here.iterdir() if path.is_file()} == before
        return err

    return run
