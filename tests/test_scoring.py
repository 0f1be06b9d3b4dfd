"""Files through a model: formats, columns, missing values, and what happens when it fails."""

from __future__ import annotations

import re
import signal

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import fastlogit as fl
from fastlogit.scoring import read_table, score

SUFFIXES = [".parquet", ".csv", ".npy"]
N = 1000


@pytest.fixture
def table():
    rng = np.random.default_rng(7)
    return pa.table(
        {
            "age": rng.integers(-100, 100, N).astype(np.int8),
            "income": rng.normal(size=N),
            # Sixteenths: float32 numbers whose text gives the same float64.
            "score": (rng.integers(-50, 50, N) / 16).astype(np.float32),
            "visits": rng.integers(0, 2**40, N),
        }
    )


@pytest.fixture
def model(table):
    return fl.LogisticModel([0.02, -1.5, 2.5, 1e-12], 0.3, tuple(table.column_names))


@pytest.fixture
def expected(table, model):
    return fl.linear.probability(table, model.coef, model.intercept)


def write(table, path):
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=300)
    elif path.suffix == ".csv":
        pa.csv.write_csv(table, path)
    else:
        np.save(path, np.column_stack([column.to_numpy() for column in table.columns]))
    return path


def read(path):
    if path.suffix == ".npy":
        return np.load(path)
    table = pq.read_table(path) if path.suffix == ".parquet" else pa.csv.read_csv(path)
    assert table.column_names == ["probability"]
    return table["probability"].to_numpy()


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("sink", SUFFIXES)
@pytest.mark.parametrize("source", SUFFIXES)
def test_every_format_gives_the_same(tmp_path, table, model, expected, source, sink):
    source, sink = write(table, tmp_path / f"in{source}"), tmp_path / f"out{sink}"
    assert score(model, source, sink, batch_rows=130).rows == N
    y = read(sink)
    assert y.dtype == np.float64
    np.testing.assert_allclose(y, expected, rtol=1e-13, atol=0)
    assert files_in(tmp_path) == sorted([source.name, sink.name])


@pytest.mark.parametrize("source", SUFFIXES)
def test_bits_depend_neither_on_batches_nor_on_threads(tmp_path, table, model, source):
    source = write(table, tmp_path / f"in{source}")
    score(model, source, tmp_path / "once.npy")
    for threads, batch_rows in (1, 1), (2, 333), (1, N), (2, 10**9):
        sink = tmp_path / f"{threads}-{batch_rows}.npy"
        score(model, source, sink, threads=threads, batch_rows=batch_rows)
        assert sink.read_bytes() == (tmp_path / "once.npy").read_bytes()


def test_tail_is_kept(tmp_path):
    np.save(tmp_path / "z.npy", [[-745.1], [-700.0], [0.0], [np.nan], [np.inf]])
    for suffix in SUFFIXES:
        sink = tmp_path / f"y{suffix}"
        score(fl.LogisticModel([1.0]), tmp_path / "z.npy", sink)
        np.testing.assert_array_equal(read(sink), fl.sigmoid([-745.1, -700.0, 0.0, np.nan, np.inf]))


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_columns_are_found_by_name(tmp_path, table, model, expected, suffix):
    table = table.append_column("name", pa.array(["x"] * N)).append_column("t", [[None] * N])
    source = write(table.select([5, 3, 1, 4, 0, 2]), tmp_path / f"in{suffix}")
    score(model, source, tmp_path / "out.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)


def test_dots_and_prefixes_in_names(tmp_path):
    names = ("a", "a.b", "a.b.c")
    source = write(pa.table([[1.0], [2.0], [4.0]], names=names), tmp_path / "in.parquet")
    score(fl.LogisticModel([1.0, 0.5, 0.25], 0.0, names), source, tmp_path / "out.npy")
    assert np.load(tmp_path / "out.npy") == fl.sigmoid(3.0)


def test_model_without_names_takes_columns_by_position(tmp_path, table, model, expected):
    unnamed = fl.LogisticModel(model.coef, model.intercept)
    score(unnamed, write(table, tmp_path / "in.parquet"), tmp_path / "out.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)


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


@pytest.mark.parametrize("dtype", ["f2", ">f4", "<f8", ">i2", "?", "u1"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_dtypes_and_orders_of_npy(tmp_path, dtype, order):
    X = np.array([[0, 1], [1, 1], [1, 0]]).astype(dtype, order=order)
    np.save(tmp_path / "in.npy", X)
    score(fl.LogisticModel([2.0, -0.5]), tmp_path / "in.npy", tmp_path / "out.npy")
    y = np.load(tmp_path / "out.npy")
    np.testing.assert_array_equal(y, fl.sigmoid(X.astype(float) @ [2.0, -0.5]))


@pytest.mark.parametrize("source", SUFFIXES)
@pytest.mark.parametrize("sink", SUFFIXES)
def test_no_rows(tmp_path, table, model, source, sink):
    source, sink = write(table.slice(0, 0), tmp_path / f"in{source}"), tmp_path / f"out{sink}"
    assert score(model, source, sink).rows == 0
    assert read(sink).shape == (0,)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_nulls(tmp_path, suffix):
    columns = {"k": [1, 2, 3, None], "x": [0.5, np.nan, None, 1.0]}
    if suffix == ".csv":
        columns = {"k": ["1", "2", "3", "NA"], "x": ["0.5", "nan", "", "1"]}
    source, sink = write(pa.table(columns), tmp_path / f"in{suffix}"), tmp_path / "out.npy"
    model = fl.LogisticModel([1.0, 2.0], 0.0, ("k", "x"))
    message = (
        rf"in\{suffix}: column 'x' is null in row 2 "
        r"\(missing='nan' scores such rows as NaN, missing='skip' leaves them out\)$"
    )
    with pytest.raises(ValueError, match=message):
        score(fl.LogisticModel([2.0], 0.0, ("x",)), source, sink)
    assert not sink.exists()
    score(model, source, sink, missing="nan")
    np.testing.assert_array_equal(np.load(sink), [fl.sigmoid(2.0), np.nan, np.nan, np.nan])


def test_row_of_a_null_counts_all_batches(tmp_path, table, model):
    values = table["income"].to_pylist()
    values[777] = None
    source = write(table.set_column(1, "income", [values]), tmp_path / "in.parquet")
    with pytest.raises(ValueError, match="'income' is null in row 777"):
        score(model, source, tmp_path / "out.npy", batch_rows=100)


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
        ("in.npy", b"", "magic"),
        ("in.npy", b"not an array", "magic"),
        ("in.txt", b"x\n1\n", r"suffix must be one of .parquet, "),
    ],
)
def test_damaged_files(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}: .*{message}"):
        score(fl.LogisticModel([1.0], 0.0, ("x",)), tmp_path / name, tmp_path / "out.npy")
    assert files_in(tmp_path) == [name]


@pytest.mark.parametrize("suffix", [".parquet", ".npy"])
def test_truncated_files(tmp_path, table, model, suffix):
    source = write(table, tmp_path / f"in{suffix}")
    source.write_bytes(source.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=rf"in\{suffix}: "):
        score(model, source, tmp_path / "out.npy")
    assert files_in(tmp_path) == [source.name]


def test_damage_in_the_middle(tmp_path, table, model):
    source = write(table, tmp_path / "in.parquet")
    damaged = bytearray(source.read_bytes())
    middle = pq.ParquetFile(source).metadata.row_group(2).column(0).data_page_offset
    damaged[middle : middle + 200] = bytes(200)
    source.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"in.parquet: "):
        score(model, source, tmp_path / "out.csv", batch_rows=100)
    assert files_in(tmp_path) == [source.name]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(3), r"must have two axes; it has shape \(3,\)"),
        (np.zeros((3, 3)), "must have 2 columns, as the model has; it has 3"),
        (np.zeros((3, 2), complex), "column 0 must hold numbers; it holds complex128"),
        (np.array([["a", "b"]]), "column 0 must hold numbers; it holds <U1"),
    ],
)
def test_unsuitable_arrays(tmp_path, array, message):
    np.save(tmp_path / "in.npy", array)
    with pytest.raises(ValueError, match=rf"in.npy: {message}"):
        score(fl.LogisticModel([1.0, 2.0]), tmp_path / "in.npy", tmp_path / "out.npy")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("rows", [0, 5])
def test_batches_may_be_larger_than_any_file(tmp_path, suffix, rows):
    source = write(pa.table({"x": np.arange(float(rows))}), tmp_path / f"in{suffix}")
    model = fl.LogisticModel([1.0], 0.0, ("x",))
    assert score(model, source, tmp_path / "out.npy", batch_rows=10**20).rows == rows


def test_pickles_are_not_read(tmp_path):
    np.save(tmp_path / "in.npy", np.array([[object()]]))
    with pytest.raises(ValueError, match=r"in.npy: .*Python objects"):
        score(fl.LogisticModel([1.0]), tmp_path / "in.npy", tmp_path / "out.npy")


@pytest.mark.parametrize("arguments", [{"missing": "none"}, {"batch_rows": 0}, {"threads": 0}])
def test_arguments_out_of_range(tmp_path, table, model, arguments):
    source = write(table, tmp_path / "in.npy")
    with pytest.raises(ValueError, match=next(iter(arguments))):
        score(model, source, tmp_path / "out.npy", **arguments)
    assert files_in(tmp_path) == [source.name]


@pytest.mark.parametrize("sink", SUFFIXES)
@pytest.mark.parametrize("exists", [False, True])
def test_an_interrupt_leaves_no_output(tmp_path, table, model, sink, exists):
    source, sink = write(table, tmp_path / "in.parquet"), tmp_path / f"out{sink}"
    if exists:
        sink.write_text("of yesterday")
    before = files_in(tmp_path)

    def interrupt(done):
        assert done[:2] == (100, N)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        score(model, source, sink, batch_rows=100, force=exists, progress=interrupt)
    (tmp_path / f".{sink.name}.journal").unlink()  # to be resumed
    assert files_in(tmp_path) == before
    assert not exists or sink.read_text() == "of yesterday"


def test_an_output_is_replaced_only_by_force(tmp_path, table, model, expected):
    source, sink = write(table, tmp_path / "in.parquet"), tmp_path / "out.npy"
    sink.write_text("of yesterday")
    with pytest.raises(
        FileExistsError, match=r"out.npy: exists already \(force=True replaces it\)$"
    ):
        score(model, source, sink)
    assert sink.read_text() == "of yesterday"
    score(model, source, sink, force=True)
    np.testing.assert_array_equal(np.load(sink), expected)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("name", ["in.npy", "symbolic.npy", "hard.npy"])
def test_a_table_is_not_its_own_output(tmp_path, table, model, name, force):
    source = write(table, tmp_path / "in.npy")
    (tmp_path / "symbolic.npy").symlink_to(source)
    (tmp_path / "hard.npy").hardlink_to(source)
    content, names = source.read_bytes(), files_in(tmp_path)
    with pytest.raises(ValueError, match=rf"{name}: is a file to read; give the output another"):
        score(model, source, tmp_path / name, force=force)
    assert source.read_bytes() == content
    assert files_in(tmp_path) == names


def test_progress(tmp_path, table, model):
    seen = []
    write(table, tmp_path / "in.parquet")
    score(
        model,
        tmp_path / "in.parquet",
        tmp_path / "out.npy",
        batch_rows=400,
        progress=lambda *state: seen.append(state),
    )
    size = (tmp_path / "in.parquet").stat().st_size
    assert seen == [((rows, N, size * rows // N, size),) for rows in (400, 800, N)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_read_table(tmp_path, table, suffix):
    t = np.arange(N) % 2
    table = table.add_column(1, "t", [t])
    label = 1 if suffix == ".npy" else "t"
    X, targets, names, skipped, _ = read_table(write(table, tmp_path / f"in{suffix}"), label)
    features = table.drop_columns("t")
    assert X.dtype == np.float64
    assert X.flags.c_contiguous
    np.testing.assert_array_equal(X, np.column_stack([c.to_numpy() for c in features.columns]))
    np.testing.assert_array_equal(targets, t)
    assert names == (None if suffix == ".npy" else tuple(features.column_names))
    assert skipped == 0


@pytest.mark.parametrize(
    ("types", "dtype"),
    [
        ([pa.int8(), pa.uint16(), pa.bool_(), pa.float32(), pa.float16()], np.float32),
        ([pa.float32(), pa.int32()], np.float64),
        ([pa.uint8(), pa.float64()], np.float64),
    ],
)
def test_features_are_float32_where_that_is_exact(tmp_path, types, dtype):
    columns = [pa.array([0, 1]).cast(pa.float32()).cast(type_) for type_ in types]
    names = [f"x{j}" for j in range(len(types))]
    table = pa.table([*columns, [0, 1]], names=[*names, "t"])
    X, *_ = read_table(write(table, tmp_path / "in.parquet"), "t")
    assert X.dtype == dtype
    np.testing.assert_array_equal(X, np.repeat([[0], [1]], len(types), axis=1))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_rows_with_missing_values(tmp_path, suffix):
    table = pa.table(
        {"t": [0.0, 1, 1, None, 0], "x": [1, 2, None, 4, 5], "y": [1, np.nan, 3, 4, 5]}
    )
    source = tmp_path / f"in{suffix}"
    if suffix == ".npy":
        array = [[0, 1, 1], [1, 2, np.nan], [1, np.nan, 3], [np.nan, 4, 4], [0, 5, 5]]
        np.save(source, array)
    else:
        write(table, source)
    label = 0 if suffix == ".npy" else "t"
    X, t, _, skipped, _ = read_table(source, label, missing="skip")
    np.testing.assert_array_equal(X, [[1, 1], [5, 5]])
    np.testing.assert_array_equal(t, [0, 0])
    assert skipped == 3
    column = "column 1" if suffix == ".npy" else "column 'x'"
    message = (
        f"{source}: {column} has 1 missing value in 5 rows, and there are some in 2 other columns "
        "(missing='skip' leaves those rows out)"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read_table(source, label)


def test_missing_values_in_another_column_and_another_row(tmp_path):
    source = write(pa.table({"t": [0.0, None], "x": [None, None]}), tmp_path / "in.csv")
    message = "column 'x' has 2 missing values in 2 rows, and there are some in 1 other column "
    with pytest.raises(ValueError, match=message):
        read_table(source, "t")
    source = write(pa.table({"t": [0.0], "x": [np.nan]}), tmp_path / "in.parquet")
    with pytest.raises(ValueError, match=r"column 'x' has 1 missing value in 1 row \("):
        read_table(source, "t")


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("late", 2.0, "column 'late' must lie between 0 and 1, as it is the target; got 2.0"),
        ("late", -1.0, "column 'late' must lie between 0 and 1, as it is the target; got -1.0"),
        ("a", np.inf, "column 'a' must be finite; got inf"),
    ],
)
def test_values_out_of_range_name_the_row_of_the_file(tmp_path, column, value, message):
    values = {"a": np.zeros(40_000), "late": np.zeros(40_000)}
    values["late"][:5] = np.nan  # skipped, and counted
    values[column][30_000] = value
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table(values), path)
    with pytest.raises(ValueError, match=rf"x\.parquet: {message} in row 30000$"):
        read_table(path, "late", missing="skip")


def test_nothing_to_train_on_is_an_error(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"late": [1.0]}), path)
    with pytest.raises(ValueError, match="has no column beside column 'late'"):
        read_table(path, "late")
    pq.write_table(pa.table({"late": pa.array([], "f8"), "a": pa.array([], "f8")}), path)
    with pytest.raises(ValueError, match=r"has no rows$"):
        read_table(path, "late")
    pq.write_table(pa.table({"late": [1.0], "a": [np.nan]}), path)
    with pytest.raises(ValueError, match="has no rows without a missing value"):
        read_table(path, "late", missing="skip")


def test_read_table_grows_with_a_csv(tmp_path):
    rows = 700_000
    source = tmp_path / "in.csv"
    source.write_text("x,t\n" + "".join(f"{row},{row % 2}\n" for row in range(rows)))
    X, t, *_ = read_table(source, "t")
    np.testing.assert_array_equal(X[:, 0], np.arange(rows))
    np.testing.assert_array_equal(t, np.arange(rows) % 2)


@pytest.mark.parametrize(
    ("suffix", "label", "message"),
    [
        (".parquet", "Age", r"missing column 'Age' \(is it 'age'\?\)"),
        (".npy", "age", "position from -4 to 3; got 'age'"),
        (".npy", 4, "position from -4 to 3; got 4"),
    ],
)
def test_labels_that_are_not_there(tmp_path, table, suffix, label, message):
    with pytest.raises(ValueError, match=message):
        read_table(write(table, tmp_path / f"in{suffix}"), label)


def test_read_table_checks_missing(tmp_path, table):
    with pytest.raises(ValueError, match="missing must be 'error' or 'skip'; got 'nan'"):
        read_table(write(table, tmp_path / "in.parquet"), "age", missing="nan")
