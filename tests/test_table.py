"""Tables of any format: columns by name or position, batches, and what has no numbers."""

from __future__ import annotations

import os

import numpy as np
import pyarrow as pa
import pytest
from scoring_data import PAIR_WRITERS, SUFFIXES, N, write

import fastlogit as fl
from fastlogit.scoring import read_table, score
from fastlogit.scoring.sources import open_table
from fastlogit.scoring.table import _state


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_columns_are_found_by_name(tmp_path, table, model, expected, suffix):
    table = table.append_column("name", pa.array(["x"] * N)).append_column("t", [[None] * N])
    source = write(table.select([5, 3, 1, 4, 0, 2]), tmp_path / f"in{suffix}")
    score(model, source, tmp_path / "out.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)


def test_missing_columns_are_all_listed_with_nearest_names(tmp_path, table, model):
    source = write(table.rename_columns(["Age", "incom", "q", "visits"]), tmp_path / "in.parquet")
    message = r"in.parquet: missing columns 'age' \(is it 'Age'\?\), 'income' .*'incom'.*, 'score'$"
    with pytest.raises(ValueError, match=message):
        score(model, source, tmp_path / "out.npy")


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_duplicate_names(tmp_path, suffix):
    source = write(pa.table([[1.0], [2.0], [3.0]], names=["x", "y", "x"]), tmp_path / f"in{suffix}")
    with pytest.raises(ValueError, match="2 columns have the name 'x'"):
        score(fl.LogisticModel([1.0], 0.0, ("x",)), source, tmp_path / "out.npy")
    assert score(fl.LogisticModel([1.0], 0.0, ("y",)), source, tmp_path / "out.npy").rows == 1


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["a"]),
        pa.array([[1.0]]),
        pa.array([0], pa.timestamp("us")),
        pa.array([1], pa.decimal128(5, 2)),
        pa.array(["a"]).dictionary_encode(),
        pa.nulls(1),
    ],
    ids=lambda values: str(values.type),
)
def test_columns_that_hold_no_numbers(tmp_path, values):
    source = write(pa.table({"x": values}), tmp_path / "in.parquet")
    with pytest.raises(ValueError, match=r"in.parquet: column 'x' must hold numbers; it holds "):
        score(fl.LogisticModel([1.0], 0.0, ("x",)), source, tmp_path / "out.npy")
    with pytest.raises(ValueError, match="column 'x' must hold numbers"):
        read_table(source, "x")


@pytest.mark.parametrize("start", [0, 1, 299, 300, 650, N - 1, N])
@pytest.mark.parametrize("name", PAIR_WRITERS)
def test_every_format_can_be_read_from_a_row_on(tmp_path, name, start):
    path = tmp_path / name
    PAIR_WRITERS[name](path)
    table = open_table(path, width=2)
    columns = [0, 1] if table.names is None else table.find(["a", "b"])
    batches = list(table.read(table.want(columns, batch_rows=90, start=start)))
    firsts = [batch.first for batch in batches]
    sizes = [fl.features.of(batch.data).shape[0] for batch in batches]
    assert sum(sizes) == N - start
    assert firsts == [start + sum(sizes[:number]) for number in range(len(sizes))]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("rows", [0, 5])
def test_batches_may_be_larger_than_any_file(tmp_path, suffix, rows):
    source = write(pa.table({"x": np.arange(float(rows))}), tmp_path / f"in{suffix}")
    model = fl.LogisticModel([1.0], 0.0, ("x",))
    assert score(model, source, tmp_path / "out.npy", batch_rows=10**20).rows == rows


def test_a_pipe_has_no_state_that_might_change(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    assert _state(tmp_path / "pipe") is None
    before = _state(tmp_path / "file")
    (tmp_path / "file").write_text("x")
    assert None is not _state(tmp_path / "file") != before
