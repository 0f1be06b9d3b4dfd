"""Many files as one table."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import fastlogit as fl
from fastlogit.scoring import CSVOptions, evaluate, read_table
from fastlogit.tables.source import open_table
from tests.scoring_data import PAIR_MODEL, PAIR_Z, PAIRS, N, as_source, pair_logits


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
    with pytest.raises(ValueError, match=r"2\.parquet: has no column 'a' \(did you mean 'A'\?\)$"):
        pair_logits(tmp_path)


@pytest.mark.parametrize("source", ["nowhere", "nowhere*.csv", ""])
def test_a_source_without_files_is_an_error(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"nowhere|no such files"):
        pair_logits(source)


@pytest.mark.parametrize("keys", [["1_0", "20"], ["0x1", "2"], ["9" * 23, "1"], ["\u0661", "2"]])
def test_a_key_that_is_no_plain_number_stays_a_text(tmp_path, keys):
    for key in keys:
        (tmp_path / f"k={key}").mkdir()
        pq.write_table(PAIRS, tmp_path / f"k={key}" / "x.parquet")
    batches = list(fl.score(PAIR_MODEL, tmp_path, keep=["k"]))
    assert set(pa.Table.from_batches(batches)["k"].to_pylist()) == set(keys)


@pytest.mark.parametrize(
    "keys", [["01", "12"], ["-1", "007"], ["1.5", "2"], ["0.25", "-3.5"], ["1e3", "02"]]
)
@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_keys_that_are_all_numbers_are_features(tmp_path, keys, suffix):
    for key in keys:
        (tmp_path / f"k={key}").mkdir()
        as_source(pa.table({"x": [1.0, 2.0], "t": [0, 1]}), suffix, tmp_path / f"k={key}")
    data = read_table(tmp_path, "t")
    assert data.feature_names == ("x", "k")
    expected = sorted(float(key) for key in keys for _ in range(2))
    assert sorted(data.X[:, 1].tolist()) == expected
    batches = fl.score(fl.LogisticModel([1.0], 0.0, ("k",)), tmp_path, output="logit")
    found = [z for batch in batches for z in batch["logit"].to_pylist()]
    assert sorted(found) == expected


@pytest.mark.parametrize("key", ["NA", "null", "N%2FA", "?"])
@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_only_one_key_is_null(tmp_path, key, suffix):
    csv = CSVOptions(null_values=["?", "NA", "null", "N/A"]) if suffix == "csv" else None
    for other in (key, "GB"):
        (tmp_path / f"k={other}").mkdir()
        as_source(pa.table({"x": [1.0, 2.0], "t": [0, 1]}), suffix, tmp_path / f"k={other}")
    data = read_table(tmp_path, "t", csv=csv)
    country = key.replace("%2F", "/")
    assert data.categories == {"k": tuple(sorted([country, "GB"]))}
    names = (f"k={country}", "k=GB")
    model = fl.LogisticModel([2.0, 3.0], 0.0, names, categories={"k": (country, "GB")})
    batches = list(fl.score(model, tmp_path, output="logit", keep=["k"], csv=csv))
    rows = pa.Table.from_batches(batches).to_pylist()
    assert sorted((row["k"], row["logit"]) for row in rows) == sorted(
        [("GB", 3.0)] * 2 + [(country, 2.0)] * 2
    )
    assert evaluate(model, tmp_path, "t", csv=csv).rows == 4


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_column_that_one_file_lacks_can_be_left_out(tmp_path, suffix):
    for number, names in enumerate((["x", "c", "t"], ["x", "t"])):
        table = pa.table({name: [0, 1] for name in names})
        as_source(table, suffix, tmp_path).rename(tmp_path / f"{number}.{suffix}")
    message = rf"1\.{suffix}: has no column 'c' \(ignore=\['c'\] leaves it out\)$"
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path, "t")
    assert read_table(tmp_path, "t", ignore=["c"]).feature_names == ("x",)
    with pytest.raises(ValueError, match=r"has no column 'c'$"):  # which no option mends
        read_table(tmp_path, "c")
    with pytest.raises(ValueError, match=r"has no column 'c'$"):
        list(fl.score(fl.LogisticModel([1.0], 0.0, ("c",)), tmp_path))


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
    key = 1 if (others, suffix) == ("1", ".parquet") else others  # what a CSV has is kept as text
    assert sorted(found["k"].to_pylist(), key=str) == sorted([None] * 400 + [key] * 600, key=str)
    fl.score(PAIR_MODEL, tmp_path / "in", tmp_path / "y.csv", keep=["k"])


@pytest.mark.parametrize("null", ["__HIVE_DEFAULT_PARTITION__", None])
def test_keys_are_features_and_a_null_is_missing(tmp_path, null):
    folders = ["k=1", f"k={null}" if null else "", "k=20"]  # the second says null, or nothing
    for number, folder in enumerate(folders):
        (tmp_path / folder).mkdir(exist_ok=True)
        table = pa.table({"x": [float(number), 1.0], "t": [0, 1]})
        pq.write_table(table, tmp_path / folder / f"{number}.parquet")
    model = fl.LogisticModel([1.0, 100.0], 0.0, ("x", "k"))
    with pytest.raises(ValueError, match="column 'k' is null in row 0"):
        list(fl.score(model, tmp_path))
    with pytest.raises(ValueError, match="column 'k' has 2 missing values in 6 rows"):
        read_table(tmp_path, "t")
    batches = fl.score(model, tmp_path, missing="skip", output="logit")
    logits = np.concatenate([batch["logit"].to_numpy() for batch in batches])
    assert sorted(logits) == [100, 101, 2001, 2002]
    assert evaluate(model, tmp_path, "t").skipped == 2
    data = read_table(tmp_path, "t", missing="skip")
    assert data.feature_names == ("x", "k")
    assert sorted(data.X[:, 1]) == [1, 1, 20, 20]


# Types that differ between files -----------------------------------------------------------


def decimals(*texts, scale=2):
    return pa.array(texts).cast(pa.decimal128(9, scale))


# Columns of two files.
MIXED = {
    "int16 and float64": (pa.array([1, 2], pa.int16()), pa.array([16777217.0, 0.1])),
    "float32 and float64": (pa.array([0.1, 1.0], pa.float32()), pa.array([1e39, 0.1])),
    "float32 and int32": (pa.array([0.1, 1.0], pa.float32()), pa.array([16777217, 1], pa.int32())),
    "float16 and int32": (pa.array([0.5, 1.0], pa.float16()), pa.array([16777217, 1], pa.int32())),
    "bool and int8": (pa.array([True, False]), pa.array([-5, 1], pa.int8())),
    "bool and float64": (pa.array([True, False]), pa.array([0.1, 1.0])),
    "int64 and uint64": (pa.array([-1, 1]), pa.array([2**62, 1], pa.uint64())),
    "int64 and float64": (pa.array([2**53, 1]), pa.array([0.1, 1.0])),
    "decimal and int64": (decimals("0.10", "1"), pa.array([2, 3])),
    "decimal and bool": (decimals("0.10", "1"), pa.array([True, False])),
    "decimal and float32": (decimals("0.10", "1"), pa.array([0.1, 3], pa.float32())),
    "two decimals": (decimals("0.10", "1"), decimals("0.001", "2", scale=5)),
    "dictionary and float64": (pa.array([1, 2]).dictionary_encode(), pa.array([0.1, 0.2])),
}


def write_files(folder, columns, form):
    for number, column in enumerate(columns):
        table = pa.table({"x": column, "t": [number % 2] * len(column)})
        as_source(table, form, folder).rename(folder / f"{number}.{form}")


@pytest.mark.parametrize("form", ["parquet", "arrow"])
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("mix", MIXED)
def test_a_column_has_the_widest_type_of_all_files(tmp_path, mix, order, form):
    columns = MIXED[mix][::order]
    write_files(tmp_path, columns, form)
    expected = np.array([float(value) for column in columns for value in column.to_pylist()])
    np.testing.assert_array_equal(read_table(tmp_path, "t").X[:, 0], expected)
    model = fl.LogisticModel([1.0], 0.0, ("x",))
    found = pa.Table.from_batches(list(fl.score(model, tmp_path, output="logit", keep=["x"])))
    np.testing.assert_array_equal(found["logit"].to_numpy(), expected)
    np.testing.assert_array_equal([float(value) for value in found["x"].to_pylist()], expected)
    assert evaluate(model, tmp_path, "t").rows == 4


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    "texts",
    [
        ("1\n2\n", "0.5\n16777217.1\n"),
        ("true\nfalse\n", "0.5\n3\n"),
        ("True\nFALSE\n", "TRUE\nfalse\n"),
        ("NA\n\n", "7\n8\n"),
        (" \n3\n", "+4\n-5.5e3\n"),
    ],
)
def test_first_rows_of_csv_files_may_look_different(tmp_path, texts, order):
    for number, text in enumerate(texts[::order]):
        rows = "".join(f"{number},{cell}\n" for cell in text.splitlines())
        (tmp_path / f"{number}.csv").write_text(f"t,x\n{rows}")
    words = {"true": 1.0, "false": 0.0, "na": np.nan, "": np.nan}
    cells = [cell.strip().lower() for text in texts[::order] for cell in text.splitlines()]
    expected = np.array([words[cell] if cell in words else float(cell) for cell in cells])
    there = ~np.isnan(expected)
    data = read_table(tmp_path, "t", missing="skip")
    np.testing.assert_array_equal(data.X[:, 0], expected[there])
    model = fl.LogisticModel([1.0], 0.0, ("x",))
    batches = fl.score(model, tmp_path, output="logit", keep=["x"], missing="nan")
    found = pa.Table.from_batches(list(batches))
    np.testing.assert_array_equal(found["logit"].to_numpy(), expected)
    assert evaluate(model, tmp_path, "t").rows == np.count_nonzero(there)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("kinds", "dtype"),
    [
        (("int16", "float32"), np.float32),
        (("int32", "float32"), np.float64),
        (("bool", "uint16"), np.float32),
        (("float16", "uint16"), np.float32),
        (("float16", "int32"), np.float64),
        (("null", "float32"), np.float32),
        (("float32", "float64"), np.float64),
    ],
)
def test_float32_holds_every_file_or_is_not_taken(tmp_path, kinds, dtype, order):
    columns = [
        pa.nulls(2) if kind == "null" else pa.array([0, 1]).cast(kind) for kind in kinds[::order]
    ]
    columns.insert(1, pa.array([True]))  # so that there are both labels
    write_files(tmp_path, [*columns, columns[0]], "arrow")
    assert read_table(tmp_path, "t", missing="skip").X.dtype == dtype


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("form", ["parquet", "arrow", "csv"])
@pytest.mark.parametrize("other", [1.5, True, 7])
def test_numbers_in_one_file_and_text_in_another(tmp_path, order, form, other):
    write_files(tmp_path, [pa.array([other] * 2), pa.array(["a", "b"])][::order], form)
    model = fl.LogisticModel([1.0], 0.0, ("x",))
    message = r"column 'x' must hold numbers; it holds .* in .*0\.\w+ and .* in .*1\."
    for fails in (
        lambda: read_table(tmp_path, "t"),
        lambda: list(fl.score(model, tmp_path)),
        lambda: evaluate(model, tmp_path, "t"),
    ):
        with pytest.raises(ValueError, match=message):
            fails()
    if form != "csv":  # in which all is text
        with pytest.raises(ValueError, match=r"'x' must have one type to be kept; it is .* in "):
            list(fl.score(fl.LogisticModel([1.0], 0.0, ("t",)), tmp_path, keep=["x"]))


@pytest.mark.parametrize("order", [1, -1])
def test_texts_of_different_types_are_text(tmp_path, order):
    columns = [
        pa.array(["a", "b"]),
        pa.array(["a", "c"], pa.large_string()),
        pa.array(["d", "a"]).dictionary_encode(),
        pa.array(["a", None], pa.string_view()),
        pa.nulls(2),
    ][::order]
    write_files(tmp_path, columns, "arrow")
    model = fl.LogisticModel([1.0, 2.0], 0.0, ("x=a", "x=b"), categories={"x": ["a", "b"]})
    batches = fl.score(model, tmp_path, output="logit", keep=["x"], missing="nan", unknown="ignore")
    found = pa.Table.from_batches(list(batches)).to_pydict()
    texts = [text for column in columns for text in column.to_pylist()]
    assert found["x"] == texts
    expected = [{"a": 1.0, "b": 2.0, None: np.nan}.get(text, 0.0) for text in texts]
    np.testing.assert_array_equal(found["logit"], expected)
    assert read_table(tmp_path, "t", missing="skip").categories == {"x": ("a", "b", "c", "d")}


def test_a_kept_value_that_the_common_type_does_not_hold_is_an_error(tmp_path):
    write_files(tmp_path, [pa.array([2**53 + 1]), pa.array([0.5])], "parquet")
    model = fl.LogisticModel([1.0], 0.0, ("t",))
    with pytest.raises(ValueError, match=r"0\.parquet: column 'x' cannot be kept: Integer value"):
        list(fl.score(model, tmp_path, keep=["x"]))


def test_a_later_file_may_have_more_columns_and_none_is_left_out_in_silence(tmp_path):
    write_files(tmp_path, [pa.array([1.0, 2.0])], "parquet")
    pq.write_table(pa.table({"x": [1.0], "t": [1], "z": [3.0]}), tmp_path / "1.parquet")
    with pytest.raises(ValueError, match=r"0\.parquet: has no column 'z'"):
        read_table(tmp_path, "t")
    assert read_table(tmp_path, "t", ignore=["z"]).X.tolist() == [[1.0], [2.0], [1.0]]


def test_arrays_of_different_dtypes(tmp_path):
    np.save(tmp_path / "0.npy", np.array([[1, 0]], np.int16))
    np.save(tmp_path / "1.npy", np.array([[16777217.0, 1]]))
    assert read_table(tmp_path, -1).X.tolist() == [[1.0], [16777217.0]]


def test_files_of_a_folder_are_of_one_kind(tmp_path):
    write_files(tmp_path, [pa.array([1.0, 2.0])], "parquet")
    (tmp_path / "1.csv").write_text("x,t\n1,0\n")
    with pytest.raises(ValueError, match=r"must be of one kind; .*0\.parquet and .*1\.csv are not"):
        read_table(tmp_path, "t")
