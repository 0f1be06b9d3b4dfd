"""Tables read whole as X and t, to train on."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import sparse

import fastlogit as fl
from fastlogit.scoring import read_table
from tests.scoring_data import SUFFIXES, N, write


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_read_table(tmp_path, table, suffix):
    t = np.arange(N) % 2
    table = table.add_column(1, "t", [t])
    label = 1 if suffix == ".npy" else "t"
    X, targets, names, skipped, *_ = read_table(write(table, tmp_path / f"in{suffix}"), label)
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
    X, t, _, skipped, *_ = read_table(source, label, missing="skip")
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ignore": ["t"]}, "ignore must name no column of another use; column 't' is the label"),
        ({"ignore": ["w"], "weight": "w"}, "ignore must name no .* column 'w' is the weight"),
        ({"ignore": ["w"], "offset": "w"}, "ignore must name no .* column 'w' is the offset"),
        ({"ignore": ["x"], "categorical": ["x"]}, "column 'x' is in categorical"),
        ({"categorical": ["t"]}, "categorical must name no .* column 't' is the label"),
        ({"categorical": ["w"], "weight": "w"}, "categorical must .* column 'w' is the weight"),
    ],
)
def test_a_column_has_one_use(options, message):
    table = {"x": [1, 2, 3], "w": [1.0, 1.0, 2.0], "t": [0, 1, 1]}
    with pytest.raises(ValueError, match=message):
        read_table(table, "t", **options)


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
        (".parquet", "Age", r"has no column 'Age' \(did you mean 'age'\?\)"),
        (".npy", "age", "position from -4 to 3; got 'age'"),
        (".npy", 4, "position from -4 to 3; got 4"),
    ],
)
def test_labels_that_are_not_there(tmp_path, table, suffix, label, message):
    with pytest.raises(ValueError, match=message):
        read_table(write(table, tmp_path / f"in{suffix}"), label)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"missing": "nan"}, "missing must be 'error' or 'skip'; got 'nan'"),
        ({"missing": pd.NA}, "missing must be 'error' or 'skip'; got <NA>"),
        ({"positive": pd.NA}, "positive must be a label; got <NA>"),
        ({"positive": ["a"]}, r"positive must be a label; got \['a'\]"),
        ({"drop_first": pd.NA}, "drop_first must be True or False; got <NA>"),
        ({"intercept": 1}, "intercept must be True or False; got 1"),
        ({"min_count": 0}, "min_count must be a whole number of at least 1; got 0"),
        ({"min_count": 2.0}, "min_count must be a whole number of at least 1; got 2.0"),
        ({"source_format": ["csv"]}, r"source_format must be one of .*; got \['csv'\]"),
        ({"weight": 1.5}, "weight must be the name or the position of a column; got 1.5"),
        ({"offset": [1.0]}, r"offset must be the name or the position of a column; got 1.0"),
    ],
)
def test_arguments_of_another_kind(options, message):
    with pytest.raises((TypeError, ValueError), match=f"^{message}"):
        read_table({"x": [1.0, 2.0], "t": [0, 1]}, "t", **options)


# Text -------------------------------------------------------------------------------------

TEXTS = {
    "x": [0.5, 1.5, 2.5, 3.5],
    "from": ["LGA", "JFK", None, "LGA"],
    "late": [0, 1, 1, 1],
    "day": [1, 2, 1, 10],
}


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
@pytest.mark.parametrize("drop_first", [False, True])
def test_text_is_encoded(tmp_path, suffix, drop_first):
    source = write(pa.table(TEXTS), tmp_path / f"in{suffix}")
    found = read_table(source, "late", missing="skip", categorical=["day"], drop_first=drop_first)
    assert found.categories == {"from": ("JFK", "LGA"), "day": ("1", "10", "2")}
    names = ["x", "from=JFK", "from=LGA", "day=1", "day=10", "day=2"]
    X = np.array([[0.5, 0, 1, 1, 0, 0], [1.5, 1, 0, 0, 0, 1], [3.5, 0, 1, 0, 1, 0]])
    kept = [0, 2, 4, 5] if drop_first else list(range(6))
    assert found.feature_names == tuple(names[j] for j in kept)
    np.testing.assert_array_equal(found.X.toarray(), X[:, kept])
    assert found.t.tolist() == [0, 1, 1]
    assert found.skipped == 1


def test_a_null_among_texts_is_told(tmp_path):
    source = write(pa.table(TEXTS), tmp_path / "in.parquet")
    with pytest.raises(ValueError, match="column 'from' has 1 missing value in 4 rows"):
        read_table(source, "late")


def test_texts_of_many_batches_are_numbered_alike(monkeypatch):
    monkeypatch.setattr("fastlogit.training.table.reading._BATCH_ROWS", 7)
    rng = np.random.default_rng(1)
    texts = rng.integers(0, 30, 200).astype(str)
    codes = pa.array(texts).dictionary_encode()
    views = pa.DictionaryArray.from_arrays(codes.indices, codes.dictionary.cast(pa.string_view()))
    for column in (pa.array(texts), codes, views):
        found = read_table({"t": np.zeros(200), "k": column}, "t", categorical=["k"])
        categories = np.array(found.categories["k"])
        assert categories.tolist() == sorted(set(texts.tolist()))
        assert (categories[found.X.indices] == texts).all()
        assert found.X.dtype == np.float32


def test_a_fitted_model_scores_its_own_table():
    rng = np.random.default_rng(2)
    table = pa.table(
        {"x": rng.normal(size=500), "k": rng.integers(0, 4, 500).astype(str)}
        | {"t": rng.integers(0, 2, 500)}
    )
    for l2 in (0.0, 1.0):
        data = read_table(table, "t", drop_first=l2 == 0, categorical=["k"])
        fitted = fl.fit(data.X, data.t, l2=l2, feature_names=data.feature_names)
        model = dataclasses.replace(fitted, categories=data.categories)
        z = model.decision(table.drop_columns("t"))
        np.testing.assert_allclose(z, fitted.decision(data.X), rtol=1e-13)


def test_text_among_numbers_of_a_csv_is_an_error_unless_it_is_wanted(tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("k,t\n" + "1.5,0\n" * 30 + "many,1\n" + "nan,0\n")
    message = (
        r"in.csv: column 'k' has numbers, such as '1.5', and other text, such as 'many' in row 30"
    )
    with pytest.raises(ValueError, match=message):
        read_table(source, "t")
    found = read_table(source, "t", categorical=["k"])
    assert found.categories == {"k": ("1.5", "many", "nan")}


def test_columns_that_are_ignored(tmp_path):
    source = write(pa.table(TEXTS), tmp_path / "in.parquet")
    found = read_table(source, "late", ignore=["from", "day"])
    assert found.feature_names == ("x",)
    np.testing.assert_array_equal(found.X, np.array([TEXTS["x"]]).T)


def test_features_have_different_names():
    table = pa.table([[0.5, 1.5], [1.0, 2.0], [3.0, 4.0], [0, 1]], names=["a", "x", "x", "late"])
    with pytest.raises(ValueError, match="2 columns have the name 'x'"):
        read_table(table, "late")
    with pytest.raises(ValueError, match="2 columns have the name 'x'"):
        read_table(table, "x", ignore=["late"])
    found = read_table(table, "late", ignore=["x"])
    assert found.feature_names == ("a",)
    assert found.X.tolist() == [[0.5], [1.5]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ignore": ["age"]}, "has no column 'age'"),
        ({"categorical": ["age"]}, "has no column 'age'"),
        ({"categorical": "day"}, "categorical must be a sequence of names; got 'day'"),
        ({"categorical": ["x"]}, "column 'x' must hold text, integers or booleans"),
        ({"ignore": ["x", "from", "day"]}, "has no column besides column 'late'"),
    ],
)
def test_columns_that_cannot_be_chosen(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        read_table(TEXTS, "late", **options)


def test_names_can_be_given_only_where_there_are_some():
    with pytest.raises(ValueError, match="ndarray: has no names of columns, so that ignore finds"):
        read_table(np.zeros((2, 2)), 1, ignore=["x"])


# Weights, offsets, and labels that are no column -----------------------------------------

MEASURED = {
    "x": [0.5, 1.5, 2.5, 3.5],
    "late": ["no", "no", "yes", "yes"],
    "rows": [1, 2, 0, 4],
    "known": [0.5, -1.0, 0.0, 2.5],
}


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_weights_and_offsets_are_no_features(tmp_path, suffix):
    source = write(pa.table(MEASURED), tmp_path / f"in{suffix}")
    found = read_table(source, "late", weight="rows", offset="known")
    assert found.feature_names == ("x",)
    assert found.weight.tolist() == MEASURED["rows"]
    assert found.offset.tolist() == MEASURED["known"]
    assert found.weight.dtype == found.offset.dtype == np.float64
    found = read_table(source, "late", offset="known")
    assert found.feature_names == ("x", "rows")
    assert found.weight is None
    assert found.offset.tolist() == MEASURED["known"]


def test_weights_and_offsets_of_an_array_are_positions(tmp_path):
    array = np.column_stack([MEASURED["x"], MEASURED["rows"], MEASURED["known"], [0, 0, 1, 1]])
    np.save(tmp_path / "in.npy", array)
    found = read_table(tmp_path / "in.npy", -1, weight=1, offset="2")
    np.testing.assert_array_equal(found.X, array[:, :1])
    np.testing.assert_array_equal(found.weight, array[:, 1])
    np.testing.assert_array_equal(found.offset, array[:, 2])


def test_weights_and_offsets_are_read_in_the_form_that_fit_needs():
    data = read_table(MEASURED, "late", weight="rows", offset="known")
    model = fl.fit(data.X, data.t, weight=data.weight, offset=data.offset)
    again = fl.fit(
        np.transpose([MEASURED["x"]]),
        MEASURED["late"],
        weight=MEASURED["rows"],
        offset=MEASURED["known"],
    )
    np.testing.assert_array_equal(model.coef, again.coef)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_missing_weights_and_offsets_are_missing_rows(tmp_path, suffix):
    table = pa.table(MEASURED | {"rows": [1, None, 0, 4], "known": [0.5, 1.0, None, 2.5]})
    source = write(table, tmp_path / f"in{suffix}")
    found = read_table(source, "late", weight="rows", offset="known", missing="skip")
    assert (found.weight.tolist(), found.offset.tolist()) == ([1.0, 4.0], [0.5, 2.5])
    assert found.skipped == 2
    with pytest.raises(ValueError, match="column 'rows' has 1 missing value in 4 rows, and there"):
        read_table(source, "late", weight="rows", offset="known")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"rows": [1, 2, -3, 4]},
            "'rows' must be finite and not negative, as .*; got -3.* in row 2",
        ),
        (
            {"rows": [1.0, np.inf, 3, 4]},
            "'rows' must be finite and not negative, .*; got inf in row 1",
        ),
        ({"known": [1.0, 2, 3, -np.inf]}, "'known' must be finite; got -inf in row 3"),
        ({"known": list("abcd")}, "column 'known' must hold numbers; it holds string"),
    ],
)
def test_weights_and_offsets_that_are_none(changed, message):
    with pytest.raises(ValueError, match=message):
        read_table(MEASURED | changed, "late", weight="rows", offset="known")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"weight": "late"}, "weight must be a column of its own; got column 'late', which is the"),
        ({"weight": "x", "offset": "x"}, "offset must be .* of its own; got column 'x', which is"),
        ({"weight": ["x"]}, r"weight must be the name or the position of a column; got \['x'\]"),
        ({"offset": ["x", "x"]}, "offset must be .*; got column 'x', which is the offset"),
        ({"offset": ["x", "rows"]}, r"offset must be 1 column; got 2"),
        ({"weight": "row"}, r"has no column 'row' \(did you mean 'rows'\?\)"),
    ],
)
def test_columns_that_are_no_weights(columns, message):
    with pytest.raises((TypeError, ValueError), match=message):
        read_table(MEASURED, "late", **columns)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_more_than_two_labels_have_an_offset_each(tmp_path, suffix):
    table = {"x": [1, 2, 3], "t": ["c", "a", "b"], "o": [4, 5, 6], "p": [7, 8, 9], "q": [0, 0, 1]}
    source = write(pa.table(table | {"w": [2, 1, 3]}), tmp_path / f"in{suffix}")
    found = read_table(source, "t", offset=["q", "o", "p"], weight="w")
    assert found.offset.tolist() == [[0, 4, 7], [0, 5, 8], [1, 6, 9]]
    assert (found.X.tolist(), found.weight.tolist()) == ([[1], [2], [3]], [2, 1, 3])
    for offset, count in (("o", 1), (["o", "p"], 2)):
        with pytest.raises(
            ValueError, match=f"offset must be 3 columns, one for each label; got {count}"
        ):
            read_table(source, "t", offset=offset)


SHARES = {
    "x": [1.0, 2.0, 3.0, 4.0],
    "w": [1, 2, 3, 4],
    "red": [0.25, 0.0, 1.0, 0.5],
    "blue": [0.5, 0.0, 0.0, 0.0],
    "green": [0.25, 1.0, 0.0, 0.5],
}
COLOURS = ["red", "green", "blue"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_columns_of_probabilities_are_targets(tmp_path, suffix):
    source = write(pa.table(SHARES), tmp_path / f"in{suffix}")
    places = [2, -1, 3] if suffix == ".npy" else COLOURS
    found = read_table(source, places, weight=1 if suffix == ".npy" else "w")
    np.testing.assert_array_equal(found.t, np.transpose([SHARES[name] for name in COLOURS]))
    assert found.classes == ((0, 1, 2) if suffix == ".npy" else tuple(COLOURS))
    assert (found.X.tolist(), found.weight.tolist()) == ([[1], [2], [3], [4]], [1, 2, 3, 4])
    offset = [0, 0, 0] if suffix == ".npy" else ["x"] * 3
    with pytest.raises(ValueError, match="offset must be a column of its own; got"):
        read_table(source, places, offset=offset)


def test_columns_of_two_probabilities_are_two_classes():
    table = {"x": SHARES["x"], "no": [0.25, 1.0, 0.0, 0.5], "yes": [0.75, 0.0, 1.0, 0.5]}
    found = read_table(table, ["no", "yes"])
    assert (found.t.tolist(), found.classes) == (table["yes"], ("no", "yes"))
    found = read_table(table | {"no": [1, 1, 0, 0], "yes": [0, 0, 1, 1]}, ["no", "yes"])
    assert (found.t.tolist(), found.t.dtype, found.classes) == ([0, 0, 1, 1], float, ("no", "yes"))


def test_certain_probabilities_are_class_numbers():
    certain = {name: [0, 0, 0, 0] for name in COLOURS} | {"red": [1, 0, 0, 0], "blue": [0, 1, 1, 1]}
    found = read_table(SHARES | certain, COLOURS, missing="skip", ignore=["w"])
    assert (found.t.tolist(), found.classes) == ([0, 2, 2, 2], tuple(COLOURS))


def test_rows_with_a_missing_probability_are_left_out():
    table = pa.table(SHARES | {"red": [0.25, None, 1.0, 0.5], "blue": [0.5, 0.0, np.nan, 0.0]})
    found = read_table(table, COLOURS, missing="skip")
    assert (found.t.tolist(), found.skipped) == ([[0.25, 0.25, 0.5], [0.5, 0.5, 0.0]], 2)
    with pytest.raises(ValueError, match="column 'red' has 1 missing value in 4 rows, and there"):
        read_table(table, COLOURS)


@pytest.mark.parametrize(
    ("changed", "options", "message"),
    [
        ({"red": [0.25, 0.0, 1.0, 0.6]}, {}, "the labels must be prob.* sum 1; got 1.1 in row 3"),
        ({"red": [0.25, 0.0, 1.0, -0.5]}, {}, "'red' must be a probability, .*; got -0.5 in row 3"),
        (
            {"red": [0.25, np.inf, 1.0, 0.5]},
            {},
            "'red' must be a probability, .*; got inf in row 1",
        ),
        ({"red": list("abcd")}, {}, "column 'red' must hold numbers; it holds string"),
        ({}, {"positive": "red"}, "positive must go with one column of labels; got 3"),
        ({}, {"weight": "red"}, "label must be a column of its own; got column 'red', which is th"),
        ({}, {"ignore": ["red"]}, "ignore must name no column of another use; column 'red' is the"),
    ],
)
def test_columns_that_are_no_probabilities(changed, options, message):
    with pytest.raises(ValueError, match=message):
        read_table(SHARES | changed, COLOURS, **options)


LIBSVM = "+1 1:0.5 3:2\n-1 2:1.5\n-1\n+1 1:-1 2:4 3:1e-3\n"


def test_libsvm_is_read_without_a_dense_copy(tmp_path):
    (tmp_path / "in.svm").write_text(LIBSVM)
    data = read_table(tmp_path / "in.svm", width=5)
    assert isinstance(data.X, sparse.csr_array)
    assert data.X.dtype == np.float64
    assert data.X.nnz == 6
    expected = [[0.5, 0, 2, 0, 0], [0, 1.5, 0, 0, 0], [0] * 5, [-1, 4, 1e-3, 0, 0]]
    assert data.X.toarray().tolist() == expected
    assert (data.t.tolist(), data.classes, data.feature_names) == ([1, 0, 0, 1], (-1, 1), None)
    model = fl.fit(data.X, data.t)
    np.testing.assert_allclose(
        model.coef, fl.fit(np.array(expected), data.t).coef, rtol=1e-9, atol=1e-9
    )


def test_libsvm_is_as_wide_as_its_largest_index(tmp_path):
    (tmp_path / "in.libsvm").write_text(LIBSVM)
    assert read_table(tmp_path / "in.libsvm").X.shape == (4, 3)
    (tmp_path / "zero.txt").write_text(LIBSVM.replace(" 1:", " 0:"))
    assert read_table(tmp_path / "zero.txt", source_format="libsvm0").X.shape == (4, 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": "t"}, "label must not be given for LIBSVM, whose lines begin with .*; got 't'"),
        ({"label": 0}, "label must not be given for LIBSVM"),
        ({"weight": "w"}, "weight must not be given for LIBSVM"),
        ({"offset": 1}, "offset must not be given for LIBSVM"),
        ({"ignore": ["x"]}, "has no names of columns, so that ignore finds none"),
        ({"categorical": ["x"]}, "has no names of columns, so that categorical finds none"),
    ],
)
def test_libsvm_has_no_columns(tmp_path, options, message):
    (tmp_path / "in.svm").write_text(LIBSVM)
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / "in.svm", width=3, **options)


def test_a_label_must_be_given_where_it_is_a_column():
    with pytest.raises(ValueError, match="dict: label must be given: the column of the labels"):
        read_table(MEASURED)
