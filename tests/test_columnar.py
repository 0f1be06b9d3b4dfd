"""Parquet, Arrow and CSV: their types, and what is damaged."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scoring_data import PAIR_WRITERS, files_in, pair_logits, write

import fastlogit as fl
from fastlogit.scoring import score


@pytest.mark.parametrize(
    "values",
    [
        pa.array([True, False, True]),
        pa.array([1, 0, 1], pa.uint64()),
        pa.array([1, 0, 1], pa.float16()),
    ],
    ids=lambda values: str(values.type),
)
def test_types_of_arrow(tmp_path, values):
    table = pa.table({"x": pa.chunked_array([values, values.slice(1)])})
    source = write(table, tmp_path / "in.parquet")
    score(fl.LogisticModel([2.0], 0.0, ("x",)), source, tmp_path / "out.npy")
    y = np.load(tmp_path / "out.npy")
    np.testing.assert_array_equal(y, fl.sigmoid([2.0, 0.0, 2.0, 0.0, 2.0]))


def test_dots_and_prefixes_in_names(tmp_path):
    names = ("a", "a.b", "a.b.c")
    source = write(pa.table([[1.0], [2.0], [4.0]], names=names), tmp_path / "in.parquet")
    score(fl.LogisticModel([1.0, 0.5, 0.25], 0.0, names), source, tmp_path / "out.npy")
    assert np.load(tmp_path / "out.npy") == fl.sigmoid(3.0)


def test_text_late_in_a_csv_names_column_and_row(tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("k,x\n" + "1,2.5\n" * 500_000 + "1,many\n")
    with pytest.raises(ValueError, match=r"in.csv: column 'x': row 500000: .*'many'"):
        score(fl.LogisticModel([1.0], 0.0, ("x",)), source, tmp_path / "out.npy")
    assert files_in(tmp_path) == ["in.csv"]


@pytest.mark.parametrize("bad", ["", "many", "1,2"])
def test_rows_of_a_csv_are_counted_alike_whatever_is_wrong(tmp_path, bad):
    source = tmp_path / "in.csv"
    source.write_text(f"k,x\n1,2\n\n1,2\n1,{bad}\n")  # an empty line is no row
    with pytest.raises(ValueError, match=r"\brow 2\b"):
        score(fl.LogisticModel([1.0], 0.0, ("x",)), source, tmp_path / "out.npy")


def test_integers_before_fractions_in_a_csv(tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("x\n" + "1\n" * 600_000 + "0.5\n")
    score(fl.LogisticModel([1.0], 0.0, ("x",)), source, tmp_path / "out.npy")
    assert np.load(tmp_path / "out.npy")[-1] == fl.sigmoid(0.5)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("in.parquet", b"", "size is 0 bytes"),
        ("in.parquet", b"PAR1, it says", "magic bytes"),
        ("in.csv", b"", "Empty CSV"),
        ("in.csv", b"x\n1\n1,2\n", "Expected 1 columns, got 2"),
    ],
)
def test_damaged_files(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}: .*{message}"):
        score(fl.LogisticModel([1.0], 0.0, ("x",)), tmp_path / name, tmp_path / "out.npy")
    assert files_in(tmp_path) == [name]


@pytest.mark.parametrize("suffix", [".parquet"])
def test_truncated_files(tmp_path, table, model, suffix):
    source = write(table, tmp_path / f"in{suffix}")
    source.write_bytes(source.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=rf"in\{suffix}: "):
        score(model, source, tmp_path / "out.npy")
    assert files_in(tmp_path) == [source.name]


@pytest.mark.parametrize("name", ["x.arrow", "x.arrows", "x.csv.gz", "x.csv.zst"])
def test_files_that_are_cut_short(tmp_path, name):
    path = tmp_path / name
    PAIR_WRITERS[name](path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(ValueError, match=rf"{name}: "):
        pair_logits(path)


def test_damage_in_the_middle(tmp_path, table, model):
    source = write(table, tmp_path / "in.parquet")
    damaged = bytearray(source.read_bytes())
    middle = pq.ParquetFile(source).metadata.row_group(2).column(0).data_page_offset
    damaged[middle : middle + 200] = bytes(200)
    source.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"in.parquet: "):
        score(model, source, tmp_path / "out.csv", batch_rows=100)
    assert files_in(tmp_path) == [source.name]
