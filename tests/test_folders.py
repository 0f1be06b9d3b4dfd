"""Many files as one table."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from scoring_data import PAIR_MODEL, PAIR_Z, PAIRS, N, pair_logits

import fastlogit as fl
from fastlogit.scoring.sources import open_table


@pytest.mark.parametrize("pattern", ["", "*.csv", "**/*.csv"])
def test_folders_and_patterns_are_read_in_the_order_of_their_names(tmp_path, pattern):
    for number in range(3):
        part = PAIRS.slice(400 * number, 400)
        order = ["a", "other", "b"] if number else PAIRS.column_names  # names count, not places
        pa.csv.write_csv(part.select(order), tmp_path / f"{number}.csv")
    (tmp_path / ".hidden.csv").write_text("nonsense")
    (tmp_path / "_SUCCESS").touch()
    source = str(tmp_path / pattern) if pattern else tmp_path
    np.testing.assert_array_equal(pair_logits(source), PAIR_Z)
    assert open_table(source).rows is None


def test_names_of_folders_are_columns(tmp_path):
    for year, part in (2012, PAIRS.slice(0, 400)), (2013, PAIRS.slice(400)):
        (tmp_path / f"year={year}" / "by=C%2FA").mkdir(parents=True)
        pq.write_table(part, tmp_path / f"year={year}" / "by=C%2FA" / "x.parquet")
    model = fl.LogisticModel([2.0, -1.0, 1.0], 0.5, ("a", "b", "year"))
    batches = list(fl.score(model, tmp_path, output="logit", keep=["by", "other", "year"]))
    found = pa.Table.from_batches(batches)
    expected = PAIR_Z + np.where(np.arange(N) < 400, 2012.0, 2013.0)
    np.testing.assert_array_equal(found["logit"].to_numpy(), expected)
    assert set(found["by"].to_pylist()) == {"C/A"}
    assert found["other"].to_pylist() == PAIRS["other"].to_pylist()


def test_files_of_a_folder_must_all_have_the_columns(tmp_path):
    pq.write_table(PAIRS, tmp_path / "1.parquet")
    pq.write_table(PAIRS.rename_columns(["other", "b", "A"]), tmp_path / "2.parquet")
    with pytest.raises(ValueError, match=r"2\.parquet: missing column 'a' \(is it 'A'\?\)$"):
        pair_logits(tmp_path)


@pytest.mark.parametrize("source", ["nowhere", "nowhere*.csv", ""])
def test_what_is_not_there(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"nowhere|no such files"):
        pair_logits(source)


@pytest.mark.parametrize("keys", [["1_0", "20"], ["01", "2"], ["9" * 23, "1"], ["\u0661", "2"]])
def test_a_key_that_is_no_plain_number_stays_a_text(tmp_path, keys):
    for key in keys:
        (tmp_path / f"k={key}").mkdir()
        pq.write_table(PAIRS, tmp_path / f"k={key}" / "x.parquet")
    batches = list(fl.score(PAIR_MODEL, tmp_path, keep=["k"]))
    assert set(pa.Table.from_batches(batches)["k"].to_pylist()) == set(keys)


@pytest.mark.parametrize("others", ["a", "1", None])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_key_may_be_null(tmp_path, suffix, others):
    null = "__HIVE_DEFAULT_PARTITION__"
    for key, part in (null, PAIRS.slice(0, 400)), (others or null, PAIRS.slice(400)):
        folder = tmp_path / "in" / f"k={key}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{part.num_rows}{suffix}"
        (pq.write_table if suffix == ".parquet" else pa.csv.write_csv)(part, path)
    found = pa.Table.from_batches(list(fl.score(PAIR_MODEL, tmp_path / "in", keep=["k"])))
    assert found.schema.field("k").type == pa.string()
    assert sorted(found["k"].to_pylist(), key=str) == sorted(
        [None] * 400 + [others] * (N - 400), key=str
    )
    fl.score(PAIR_MODEL, tmp_path / "in", tmp_path / "y.csv", keep=["k"])


def test_kept_columns_of_a_folder_have_one_type(tmp_path):
    for name, kept in (("a", [True]), ("b", [7])):
        pq.write_table(pa.table({"a": [1.0], "b": [2.0], "k": kept}), tmp_path / f"{name}.parquet")
    with pytest.raises(
        ValueError, match=r"b\.parquet: column 'k' is int64, and before it was bool"
    ):
        list(fl.score(PAIR_MODEL, tmp_path, keep=["k"]))
