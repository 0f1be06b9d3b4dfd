"""Tables with Arrow types, of every format: types, damage, and the index of a data frame."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

import fastlogit as fl
from fastlogit.cli import main
from fastlogit.scoring import read_table, score
from tests.scoring_data import (
    PAIR_MODEL,
    PAIR_WRITERS,
    pair_logits,
    write,
)


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


@pytest.mark.parametrize("name", ["x.arrow", "x.arrows", "x.csv.gz", "x.csv.zst"])
def test_files_that_are_cut_short(tmp_path, name):
    path = tmp_path / name
    PAIR_WRITERS[name](path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(ValueError, match=rf"{name}: "):
        pair_logits(path)


@pytest.mark.parametrize("name", ["missing", "twice", "text"])
def test_long_names_are_shortened(refuses, tmp_path, name):
    long = "x" * 60_000  # a model has none that is much longer
    table = pa.table([[1.0], [1.0]], names=["y", "y" if name == "missing" else long])
    if name == "twice":
        table = pa.table([[1.0], [1.0]], names=[long, long])
    if name == "text":
        table = pa.table({long: ["a"]})
    pq.write_table(table, tmp_path / "in.parquet")
    model = fl.LogisticModel([1.0], 0.0, (long,))
    assert "xxx ..." in refuses(model, tmp_path / "in.parquet")


@pytest.mark.parametrize("suffix", ["arrow", "feather", "parquet", "csv"])
def test_columns_of_the_wrong_type_are_named(refuses, tmp_path, suffix):
    path = tmp_path / f"in.{suffix}"
    table = pa.table({"a": [1.0], "b": ["many"]})
    if suffix == "parquet":
        pq.write_table(table, path)
    elif suffix == "csv":
        pa.csv.write_csv(table, path)
    else:
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    assert f"{path}: column 'b'" in refuses(PAIR_MODEL, path)


# The index of a data frame -----------------------------------------------------------------

FRAME = pd.DataFrame({"x": [1.0, 2.0, 3.0], "t": [0, 1, 1]})
INDEXES = {
    "none": (FRAME, []),
    "range": (FRAME.iloc[1:], []),
    "numbers": (FRAME.set_index(pd.Index([5, 3, 4])), ["__index_level_0__"]),
    "texts": (FRAME.set_index(pd.Index(["u", "v", "w"])), ["__index_level_0__"]),
    "times": (FRAME.set_index(pd.date_range("2020", periods=3, name="time")), ["time"]),
    "two levels": (
        FRAME.set_index([pd.Index([5, 3, 4], name="u"), pd.Index(["u", "v", "w"])]),
        ["u", "__index_level_1__"],
    ),
}


@pytest.mark.parametrize("form", ["parquet", "feather", "frame", "table", "data set", "folder"])
@pytest.mark.parametrize("name", INDEXES)
def test_an_index_is_no_feature_unless_it_is_asked_for(tmp_path, form, name):
    frame, index = INDEXES[name]
    table = pa.Table.from_pandas(frame)

    def source():
        path = tmp_path / "x.parquet"
        if form == "feather":
            pa.feather.write_feather(table, tmp_path / "x.feather")
            return tmp_path / "x.feather"
        if form in ("frame", "table"):
            return frame if form == "frame" else table
        frame.to_parquet(path)
        if form == "folder":
            FRAME.iloc[:1].to_parquet(tmp_path / "y.parquet")
        return {"parquet": path, "folder": tmp_path}.get(form, pa.dataset.dataset(path))

    data = read_table(source(), "t")
    assert data.feature_names == ("x",)
    assert [re.search(r"left out column '(\w+)' of", note)[1] for note in data.notes] == index
    x = [*frame["x"], *([1.0] if form == "folder" else [])]
    assert data.X[:, 0].tolist() == x
    without_names = score(fl.LogisticModel([1.0, 0.0]), source(), output="logit")
    assert [z for batch in without_names for z in batch["logit"].to_pylist()] == x
    if name == "numbers" and form != "folder":  # where one file has none
        model = fl.LogisticModel([1.0, 10.0], 0.0, ("x", *index))
        (batch,) = score(model, source(), output="logit", keep=index)
        assert batch["logit"].to_pylist() == [51.0, 32.0, 43.0]
        assert batch[index[0]].to_pylist() == [5, 3, 4]
        data = read_table(source(), "t", categorical=index)
        assert data.categories == {index[0]: ("3", "4", "5")}
        assert data.notes == ()
    assert read_table(source(), "t", ignore=index).notes == ()


@pytest.mark.parametrize("form", ["csv", "parquet", "frame"])
@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_every_round_through_a_csv_leaves_an_index(tmp_path, rounds, form):
    path = tmp_path / "x.csv"
    pd.concat([FRAME, FRAME]).to_csv(path)
    for _ in range(rounds - 1):
        pd.read_csv(path).to_csv(path)
    frame = pd.read_csv(path)  # "Unnamed: 0.1", "Unnamed: 0", x, t
    frame.to_parquet(tmp_path / "x.parquet")
    source = frame if form == "frame" else tmp_path / f"x.{form}"
    data = read_table(source, "t")
    assert data.feature_names == ("x",)
    assert len(data.notes) == rounds
    assert data.X[:, 0].tolist() == [1.0, 2.0, 3.0] * 2


def test_only_leading_whole_numbers_without_a_name_are_an_index():
    frame = pd.DataFrame({"x": [1, 2], "Unnamed: 0": [3, 4], "t": [0, 1]})
    assert read_table(frame, "t").feature_names == ("x", "Unnamed: 0")
    frame = pd.DataFrame({"Unnamed: 0": [0, 1], "Unnamed: 0.1": [0.5, 4.0], "t": [0, 1]})
    assert read_table(frame, "t").feature_names == ("Unnamed: 0.1",)
    frame = pd.DataFrame({"Unnamed: 0": [0, 1], "Unnamed: 1": [3, 4], "t": [0, 1]})
    assert read_table(frame, "t").feature_names == ("Unnamed: 1",)


def test_a_note_tells_how_an_index_becomes_a_feature(tmp_path):
    frame = FRAME.assign(u=[5.0, 6.0, 7.0])
    frame.set_index("x").to_parquet(tmp_path / "x.parquet")
    (note,) = read_table(tmp_path / "x.parquet", "t").notes
    assert note.endswith("(after reset_index() in pandas it is a feature)")
    frame.set_index("x").reset_index().to_parquet(tmp_path / "x.parquet")
    assert read_table(tmp_path / "x.parquet", "t").feature_names == ("x", "u")
    frame.to_csv(tmp_path / "x.csv")
    (note,) = read_table(tmp_path / "x.csv", "t").notes
    assert note.endswith("(under another name it is a feature)")


def test_the_command_notes_the_columns_that_it_leaves_out(tmp_path, capsys):
    FRAME.to_csv(tmp_path / "x.csv")
    out = tmp_path / "m.json"
    assert main(["train", str(tmp_path / "x.csv"), "--label", "t", "-o", str(out)]) == 0
    assert "fastlogit: note: left out column '' of " in capsys.readouterr().err
    assert fl.load(out).feature_names == ("x",)


@pytest.mark.parametrize(
    "damaged", [b"{", b"[1]", b'{"index_columns": 3}', b'{"index_columns": [3]}', b"\xff"]
)
def test_damaged_metadata_of_pandas_says_nothing(damaged):
    table = pa.table({"x": [1.0, 2.0], "t": [0, 1]}).replace_schema_metadata({b"pandas": damaged})
    assert read_table(table, "t").feature_names == ("x",)
