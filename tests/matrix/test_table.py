"""Tables of several libraries as X, what is wrong with others, and memory that `out` shares."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse

import fastlogit as fl
from fastlogit import linear
from fastlogit.kernels import passes
from fastlogit.matrix import as_matrix, base

N = 700
RNG = np.random.default_rng(12)
NUMBERS = RNG.integers(0, 100, (N, 4))
# Columns of several dtypes, and the same numbers in float64.
MIXED = {
    "a": NUMBERS[:, 0] / 8,
    "b": NUMBERS[:, 1].astype(np.float32),
    "c": NUMBERS[:, 2].astype(np.uint8),
    "d": NUMBERS[:, 3] < 50,
}
DENSE = np.column_stack([column.astype(np.float64) for column in MIXED.values()])
COEF = np.array([0.5, -0.25, 1.0, 3.0])  # all products and sums with these are exact
KINDS = {
    "a dict": lambda columns: columns,
    "Arrow": pa.table,
    "a batch": pa.record_batch,
    "a reader": lambda columns: pa.table(columns).to_reader(max_chunksize=99),
    "pandas": pd.DataFrame,
    "Polars": pl.DataFrame,
    "a dict of Arrow": lambda columns: {name: pa.array(one) for name, one in columns.items()},
    "a dict of pandas": lambda columns: dict(pd.DataFrame(columns).items()),
    "a dict of Polars": lambda columns: {name: pl.Series(one) for name, one in columns.items()},
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def decide(X, coef=COEF, n=None):
    """Logits, with arguments of such types that all calls share compiled kernels."""
    n = as_matrix(X).shape[0] if n is None else n  # a reader can be read only once
    return linear.decision(X, coef, offset=np.zeros(n), out=np.empty(n))


def unpacked(X, missing="error"):
    """X as float64, by the functions that also read it in a pass."""
    given = as_matrix(X, missing)
    result = np.empty(given.shape)
    for here, X in given.kernel_calls(slice(0, given.shape[0])):
        passes.unpack(X, result[here])
    return result


# Tables -----------------------------------------------------------------------------------


@every_kind
def test_every_kind_of_table_gives_the_exact_result(kind):
    assert (decide(KINDS[kind](MIXED), n=N) == DENSE @ COEF).all()


@every_kind
def test_every_kind_of_table_has_the_names_and_the_dtype_of_its_columns(kind):
    assert as_matrix(KINDS[kind](MIXED)).names == ["a", "b", "c", "d"]
    assert as_matrix(KINDS[kind](MIXED)).dtype is None
    float32 = {"x": MIXED["b"], "y": MIXED["b"]}
    assert as_matrix(KINDS[kind](float32)).dtype == np.float32


def test_names_need_not_be_strings():
    assert as_matrix({1: MIXED["a"], (2, 3): MIXED["b"]}).names == ["1", "(2, 3)"]


@pytest.mark.parametrize("cuts", [[], [1], [8, 699], [100, 100, 333], [0, 64, 700]])
@pytest.mark.parametrize("kind", [pa.table, dict])
def test_chunks_that_differ_between_columns_are_read_where_they_lie(kind, cuts):
    a = pa.chunked_array(np.split(MIXED["a"], [100, 101, 500]))
    d = pa.chunked_array(np.split(MIXED["d"], cuts))
    table = kind({"a": a, "b": MIXED["b"], "c": MIXED["c"], "d": d})
    assert (decide(table) == DENSE @ COEF).all()
    calls = [here for here, _ in as_matrix(table).kernel_calls(slice(0, N))]
    assert [call.start for call in calls] == sorted({0, 100, 101, 500, *cuts} - {N})


@pytest.mark.parametrize("cuts", [[], [3, 333], [100, 100, 101]])
def test_nulls_keep_their_places_in_chunks_and_parts(cuts, monkeypatch):
    monkeypatch.setattr(base, "PART_ELEMENTS", 99)
    monkeypatch.setattr(base, "CALL_ELEMENTS", 99)
    valid = np.random.default_rng(7).random((2, N)) < 0.7
    columns = [of_type(kind, row) for kind, row in zip(ARROW_TYPES[2:4], valid, strict=True)]
    chunked = pa.chunked_array([columns[1][0][a:b] for a, b in pairwise([0, *cuts, N])])
    table = {"x": columns[0][0], "y": chunked}
    extra = {"offset": np.zeros(N), "missing": "nan", "out": np.empty(N)}
    expected = columns[0][1] + 128 * columns[1][1]
    expected[~valid.all(axis=0)] = np.nan
    np.testing.assert_array_equal(linear.decision(table, [1.0, 128.0], **extra), expected)


def test_the_calls_of_a_part_cover_its_rows_and_no_others():
    table = pa.table({"a": pa.chunked_array(np.split(MIXED["a"], [100, 101, 500]))})
    calls = [here for here, _ in as_matrix(table).kernel_calls(slice(50, 501))]
    assert calls == [slice(50, 100), slice(100, 101), slice(101, 500), slice(500, 501)]


@pytest.mark.parametrize("start", [1, 7, 8, 9, 100])
def test_slices_of_tables_begin_anywhere(start):
    table = pa.table(MIXED).slice(start, 501)
    assert (decide(table) == DENSE[start : start + 501] @ COEF).all()
    frame = pl.DataFrame(MIXED).slice(start, 501)
    assert (decide(frame) == DENSE[start : start + 501] @ COEF).all()


ARROW_TYPES = [pa.float64(), pa.float32(), pa.float16(), pa.bool_()]
ARROW_TYPES += [pa.int8(), pa.int16(), pa.int32(), pa.int64()]
ARROW_TYPES += [pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]


def of_type(kind, valid=None):
    numbers = NUMBERS[:, 0] % 2 if pa.types.is_boolean(kind) else NUMBERS[:, 0]
    missing = None if valid is None else ~valid
    array = pa.array(numbers.astype(kind.to_pandas_dtype()), kind, mask=missing)
    return array, numbers.astype(np.float64)


@pytest.mark.parametrize("kind", ARROW_TYPES, ids=str)
@pytest.mark.parametrize("start", [0, 3, 13])
def test_every_type_of_arrow_is_widened_exactly(kind, start):
    array, numbers = of_type(kind)
    assert (unpacked({"x": array[start:]})[:, 0] == numbers[start:]).all()


@pytest.mark.parametrize("kind", ARROW_TYPES, ids=str)
@pytest.mark.parametrize("start", [0, 3, 13])
def test_only_nulls_become_nan_on_request(kind, start):
    valid = np.random.default_rng(2).random(N) < 0.7
    array, numbers = of_type(kind, valid)
    table = pa.table({"x": array, "y": of_type(kind)[0]}).slice(start)
    expected = np.column_stack([np.where(valid, numbers, np.nan), numbers])[start:]
    np.testing.assert_array_equal(unpacked(table, "nan"), expected)


def test_uncounted_nulls_are_found():
    bits, data = pa.array([1.0, None, 3.0]).buffers()
    column = pa.Array.from_buffers(pa.float64(), 3, [bits, data], null_count=-1)
    with pytest.raises(ValueError, match=r"^X must have no nulls; column 'x' has 1"):
        decide({"x": column}, [1.0], n=3)
    column = pa.Array.from_buffers(pa.float64(), 3, [bits, data], null_count=-1)
    np.testing.assert_array_equal(unpacked({"x": column}, "nan")[:, 0], [1.0, np.nan, 3.0])


def test_metadata_of_a_column_does_not_make_it_another_type():
    field = pa.field("x", pa.int16(), metadata={"unit": "mm"})
    table = pa.table([pa.array([1, 2], pa.int16())], schema=pa.schema([field]))
    assert unpacked(table, "error").tolist() == [[1.0], [2.0]]


def test_nulls_are_scored_as_nan_by_decision_and_probability():
    table = pa.table({"x": [1.0, None, 2.0], "y": [None, 3, 4]})
    extra = {"offset": np.zeros(3), "missing": "nan"}
    z = linear.decision(table, [1.0, 1.0], **extra)
    np.testing.assert_array_equal(z, [np.nan, np.nan, 6.0])
    y = linear.probability(table, [1.0, 1.0], **extra)
    np.testing.assert_array_equal(y, fl.sigmoid(z))


NULLS = {
    "Arrow": lambda: pa.table({"x": [1.0, 2.0], "y": [1, None]}),
    "a batch": lambda: pa.record_batch({"x": [1.0, 2.0], "y": [1, None]}),
    "Polars": lambda: pl.DataFrame({"x": [1.0, 2.0], "y": [1, None]}),
    "pandas": lambda: pd.DataFrame({"x": [1.0, 2.0], "y": pd.array([1, None], dtype="Int64")}),
    "pandas of Arrow": lambda: pd.DataFrame({"y": pd.array([1, None], "int64[pyarrow]")}),
    "a dict of Arrow": lambda: {"x": [1.0, 2.0], "y": pa.array([1, None])},
    "a dict of pandas": lambda: {"y": pd.Series([True, None], dtype="boolean")},
    "a dict of Polars": lambda: {"x": [1.0, 2.0], "y": pl.Series([1, None])},
}


@pytest.mark.parametrize("kind", NULLS)
def test_a_null_is_an_error_that_names_its_column(kind):
    X = NULLS[kind]()
    with pytest.raises(ValueError, match=r"^X must have no nulls; column 'y' has 1"):
        decide(X, n=2)
    last = unpacked(X, "nan")[:, -1]
    np.testing.assert_array_equal(last, [1.0, np.nan])


@pytest.mark.parametrize("missing", ["NaN", None, True])
def test_other_values_of_missing_are_an_error(missing):
    with pytest.raises(ValueError, match=r"^missing must be 'error' or 'nan'; got"):
        linear.decision(DENSE, COEF, missing=missing)


NOT_NUMBERS = [
    pa.array(["1", "2"]),
    pa.array(["1", "2"]).dictionary_encode(),
    pa.array([1, 2], pa.timestamp("us")),
    pa.array([1, 2], pa.duration("s")),
    pa.array([[1.0], [2.0]]),
    pa.array([{"a": 1}, {"a": 2}]),
    pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16] * 2, pa.binary(16))),
    pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, 0], pa.int8())),
]


@pytest.mark.parametrize("column", NOT_NUMBERS, ids=lambda column: str(column.type))
def test_arrow_columns_without_numbers_raise_an_error_that_names_them(column):
    for X in (pa.table({"x": [1.0, 2.0], "bad": column}), {"x": [1.0, 2.0], "bad": column}):
        with pytest.raises(TypeError, match=r"^X must hold real numbers; got .* in column 'bad'"):
            decide(X, n=2)


ALSO_NUMBERS = {
    "decimal": lambda: pa.array(["1.10", None]).cast(pa.decimal128(9, 2)),
    "decimal of Polars": lambda: pl.Series(["1.10", None]).cast(pl.Decimal(9, 2)),
    "dictionary": lambda: pa.array([1.1, None]).dictionary_encode(),
    "dictionary of decimals": lambda: (
        pa.array(["1.10", None]).cast(pa.decimal128(9, 2)).dictionary_encode()
    ),
    "categories of pandas": lambda: pd.Series(pd.Categorical([1.1, None])),
}


@pytest.mark.parametrize("name", ALSO_NUMBERS)
def test_dictionaries_and_decimals_are_converted_to_numbers(name):
    column = ALSO_NUMBERS[name]()
    X = {"x": [1.0, 2.0], "also": column}
    frames = {pl.Series: [pl.DataFrame(X)], pd.Series: [pd.DataFrame(X)]}
    for table in (X, *frames.get(type(column), [pa.table(X)] if "pandas" not in name else [])):
        with pytest.raises(ValueError, match=r"^X must have no nulls; column 'also' has 1"):
            decide(table, n=2)
        np.testing.assert_array_equal(unpacked(table, "nan")[:, 1], [1.1, np.nan])


@pytest.mark.parametrize("column", [pa.nulls(2), pl.Series([None, None])], ids=["Arrow", "Polars"])
def test_a_column_of_nulls_is_missing(column):
    X = {"x": [1.0, 2.0], "none": column}
    with pytest.raises(ValueError, match=r"^X must have no nulls; column 'none' has 2"):
        decide(X, n=2)
    np.testing.assert_array_equal(unpacked(X, "nan")[:, 1], [np.nan, np.nan])


class Liar(dict):
    """A mapping without a value for its keys."""

    def __getitem__(self, name):
        raise KeyError(name)


def test_a_mapping_without_a_column_for_a_key_is_an_error():
    with pytest.raises(
        ValueError, match=r"^X must have a column for each of its keys; 'a' has none"
    ):
        decide(Liar(a=[1.0]), n=1)


@pytest.mark.parametrize("missing", ["shape", "data", "indices", "indptr"])
def test_an_object_that_only_looks_like_a_sparse_matrix_is_an_error(missing):
    X = sparse.csr_array(np.eye(2))
    parts = {name: getattr(X, name) for name in ("shape", "data", "indices", "indptr")}
    del parts[missing]
    other = type("Other", (), parts | {"format": "csr", "tocsr": lambda self: 1})
    with pytest.raises(TypeError, match=f"^X must be a CSR matrix .*; got Other without {missing}"):
        decide(other(), n=2)


@pytest.mark.parametrize("name", ["__arrow_c_stream__", "__arrow_c_array__"])
def test_an_object_that_only_looks_like_a_table_is_an_error(name):
    other = type("Other", (), {name: lambda self, schema=None: 1})
    with pytest.raises(TypeError, match=r"^X must be a table; got Other"):
        decide(other(), n=2)


def test_a_lazy_frame_is_not_collected():
    lazy = pl.DataFrame(MIXED).lazy()
    with pytest.raises(
        TypeError, match=r"^X must be a table in memory; got LazyFrame \(collect it"
    ):
        fl.LogisticModel(COEF).decision(lazy)
    with pytest.raises(TypeError, match=r"^X must be a table in memory; got LazyFrame"):
        fl.fit(lazy, MIXED["d"])


FRAMES = [
    pd.Series(["1", "2"]),
    pd.Series(["1", "2"], dtype=object),
    pd.Series(pd.Categorical(["1", "2"])),
    pd.Series(pd.to_datetime(["2020-01-01", "2020-01-02"])),
    pd.Series(pd.to_datetime(["2020-01-01", "2020-01-02"]).tz_localize("UTC")),
    pd.Series([1j, 2j]),
    pd.Series(pd.arrays.SparseArray([0.0, 1.0])),
    pd.Series(pd.period_range("2020", periods=2, freq="D")),
]


@pytest.mark.parametrize("column", FRAMES, ids=lambda column: str(column.dtype))
def test_pandas_columns_without_numbers_raise_an_error_that_names_them(column):
    with pytest.raises(TypeError, match=r"^X.* must hold real numbers; got .*"):
        decide(pd.DataFrame({"x": [1.0, 2.0], "bad": column}), n=2)
    with pytest.raises(TypeError, match=r"^X.*'bad'"):
        decide(pd.DataFrame({"x": [1.0, 2.0], "bad": column}), n=2)


@pytest.mark.parametrize("kind", [pl.String, pl.Categorical, pl.Date])
def test_polars_columns_without_numbers_raise_an_error_that_names_them(kind):
    texts = pl.Series(["2", "1"])
    column = texts.cast(pl.Int32).cast(pl.Date) if kind == pl.Date else texts.cast(kind)
    with pytest.raises(TypeError, match=r"^X must hold real numbers; got .* in column 'bad'"):
        decide(pl.DataFrame({"x": [1.0, 2.0], "bad": column}), n=2)


# pandas -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtypes",
    [
        {"a": "Float64", "b": "Float32", "c": "UInt8", "d": "boolean"},
        {"a": "double[pyarrow]", "b": "float[pyarrow]", "c": "uint8[pyarrow]"},
        {"c": "Int64", "d": "bool[pyarrow]"},
        {"b": "float16", "c": "int16"},
    ],
)
@pytest.mark.parametrize("filtered", [False, True])
def test_frames_of_pandas_may_mix_its_types_with_any_index(dtypes, filtered):
    frame, expected = pd.DataFrame(MIXED).astype(dtypes), DENSE @ COEF
    if filtered:
        frame, expected = frame[frame["a"] > 3.0], expected[MIXED["a"] > 3.0]
    assert (decide(frame) == expected).all()


def test_nan_in_a_frame_of_pandas_is_a_number_like_any_other():
    frame = pd.DataFrame({"x": [1.0, np.nan], "y": pd.array([1, 2], dtype="Int64")})
    np.testing.assert_array_equal(decide(frame, [1.0, 1.0]), [2.0, np.nan])


def test_columns_of_pandas_may_have_the_same_name():
    for dtype in ("float64", "Float64"):
        frame = pd.DataFrame(DENSE, columns=["a", "b", "a", "a"]).astype(dtype)
        assert (decide(frame) == DENSE @ COEF).all()
        assert as_matrix(frame).names == ["a", "b", "a", "a"]


def test_frames_of_pandas_are_read_in_place_and_may_be_of_a_class_of_ones_own():
    class Frame(pd.DataFrame):
        pass

    frame = Frame(pd.DataFrame(DENSE, index=RNG.permutation(N)))
    given = as_matrix(frame)
    assert (decide(given) == DENSE @ COEF).all()
    for j, array in enumerate(given.arrays.values()):
        assert np.shares_memory(frame.iloc[:, j].to_numpy(), array)
    assert len(given.arrays) == 4


def test_a_column_may_have_the_name_of_a_method():
    for name in ("tocsr", "indptr", "format", "__arrow_c_stream__"):
        assert (decide(pd.DataFrame({name: MIXED["a"]}), [1.0]) == MIXED["a"]).all()


# Not a table ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "X", [pd.Series([1.0]), pl.Series([1.0]), pa.array([1.0]), pa.chunked_array([[1.0]])]
)
def test_one_column_is_not_a_table(X):
    with pytest.raises((TypeError, ValueError), match=r"^X must (have 2 axes|be a table)"):
        linear.decision(X, [1.0])


@pytest.mark.parametrize("kind", ["Arrow", "a batch", "pandas", "Polars"])
def test_tables_without_rows_or_columns_are_an_error(kind):
    no_rows = KINDS[kind]({"a": np.empty(0), "b": np.empty(0, np.int8)})
    with pytest.raises(ValueError, match=r"^X.* must not be empty; got shape \(0"):
        linear.decision(no_rows, [1.0, 1.0])
    with pytest.raises(ValueError, match=r"^X must have at least one column; it has none"):
        linear.decision(KINDS[kind]({}), [])


def test_columns_of_different_length_are_an_error_that_names_them():
    with pytest.raises(ValueError, match="'a' has 3 elements and 'b' has 2"):
        linear.decision({"a": pa.array([1, 2, 3]), "b": np.ones(2)}, [1.0, 1.0])


def test_empty_chunks_are_skipped():
    a = pa.chunked_array([[], [1.0, 2.0], [], [3.0], []], pa.float64())
    b = pa.chunked_array([[1], [], [2, 3]], pa.int8())
    assert decide(pa.table({"a": a, "b": b}), [1.0, 1.0]).tolist() == [2.0, 4.0, 6.0]


# Memory that is shared --------------------------------------------------------------------


def test_out_must_not_overlap_a_column_in_any_of_its_chunks():
    memory = np.ones(8)
    chunked = pa.chunked_array([pa.array(np.zeros(2)), pa.array(memory[:4])])
    tables = [pa.table({"a": chunked}), {"a": chunked}]
    for table in tables:
        with pytest.raises(ValueError, match=r"^out must not overlap X\['a'\], column 0, chunk 1"):
            linear.decision(table, [1.0], out=memory[1:7])
    assert linear.decision(tables[0], [1.0], offset=np.zeros(6), out=np.empty(6)).size == 6


@pytest.mark.parametrize("kind", ["a dict", "Arrow", "pandas"])
def test_out_must_not_overlap_any_column(kind):
    memory = np.ones(8)
    table = KINDS[kind]({"x": np.zeros(4), "y": memory[:4]})
    if kind == "pandas":
        table = pd.DataFrame({"x": np.zeros(4)}).assign(y=pd.Series(memory[:4], copy=False))
        if not np.shares_memory(table["y"].to_numpy(), memory):
            pytest.skip("pandas copied it")
    with pytest.raises(ValueError, match=r"^out must not overlap X\['y'\]"):
        linear.decision(table, [1.0, 1.0], out=memory[1:5])


def test_out_must_not_overlap_bits():
    memory = np.zeros(8)
    buffer = pa.py_buffer(memory)
    bits = pa.Array.from_buffers(pa.bool_(), 8, [None, buffer], offset=129)  # of memory[2]
    with pytest.raises(ValueError, match=r"^out must not overlap X\['x'\]"):
        linear.decision({"x": bits}, [1.0], out=memory)
    beside = np.concatenate([memory, memory])[8:]
    assert linear.decision({"x": bits}, [1.0], offset=np.zeros(8), out=beside) is beside


def test_out_must_not_be_a_later_chunk_of_a_column():
    first, second = np.ones(5), np.arange(10.0)
    column = pa.chunked_array([pa.array(first), pa.array(second[:5])])
    with pytest.raises(ValueError, match=r"^out must not overlap X\['x'\]"):
        linear.decision({"x": column}, [2.0], offset=np.zeros(10), out=second)


def test_out_must_not_overlap_the_bits_of_what_is_missing():
    memory = np.full(64, 0.0)
    bits, data = pa.py_buffer(memory), pa.py_buffer(np.arange(64.0))
    column = pa.Array.from_buffers(pa.float64(), 64, [bits, data])
    with pytest.raises(ValueError, match=r"^out must not overlap the nulls of X\['x'\]"):
        linear.decision({"x": column}, [1.0], missing="nan", out=memory)


def test_out_may_lie_beside_what_is_read_of_a_column():
    memory = np.zeros(8)
    table = pa.table({"a": pa.array(memory)}).slice(4)
    linear.decision(table, [1.0], 3.0, offset=np.zeros(4), out=memory[:4])
    assert memory.tolist() == [3.0] * 4 + [0.0] * 4


def test_out_may_be_a_column_of_a_dict_itself():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=5000), rng.normal(size=5000)
    expected = decide({"x": x, "y": y}, [2.0, -3.0])
    linear.decision({"x": x, "y": y}, [2.0, -3.0], offset=np.zeros(5000), out=x)
    assert (x == expected).all()


def test_out_must_not_overlap_an_array_by_columns():
    X = np.asfortranarray(DENSE)
    with pytest.raises(ValueError, match=r"^out must not overlap X"):
        linear.decision(X, COEF, out=X[:, 1])


def test_the_memory_outlives_the_table_it_came_from():
    given = as_matrix(pa.table({"x": pa.array([1.0] * 1000 + [None])}), "nan")
    for _ in range(5):
        pa.array(np.full(1001, 7.0) + 1)  # would take the memory, were it free
    result = np.empty((1001, 1))
    for here, X in given.kernel_calls(slice(0, 1001)):
        passes.unpack(X, result[here])
    assert (result[:-1] == 1.0).all()
    assert np.isnan(result[-1, 0])
