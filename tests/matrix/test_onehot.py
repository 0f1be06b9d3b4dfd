"""Columns of text in a model: categories, their file, and logits."""

from __future__ import annotations

import copy
import json
import pickle

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.preprocessing import OneHotEncoder

import fastlogit as fl
from fastlogit.matrix import onehot

CATEGORIES = {"from": ("EWR", "JFK", "LGA"), "day": ("1", "2")}
# The first day has no feature.
NAMES = ("age", "from=EWR", "from=JFK", "from=LGA", "day=2")
COEF = [0.5, 1.0, -2.0, 4.0, 8.0]
MODEL = fl.LogisticModel(COEF, 0.25, NAMES, categories=CATEGORIES)
TABLE = {
    "age": [1.0, 2.0, 3.0, 4.0],
    "from": ["JFK", "LGA", "EWR", "JFK"],
    "day": ["1", "2", "2", "1"],
}
LOGITS = [0.25 + 0.5 - 2, 0.25 + 1 + 4 + 8, 0.25 + 1.5 + 1 + 8, 0.25 + 2 - 2]

TABLES = {
    "dict": dict,
    "Arrow": pa.table,
    "batch": pa.RecordBatch.from_pydict,
    "pandas": pd.DataFrame,
    "Polars": pl.DataFrame,
    "dictionaries": lambda data: pa.table(
        {name: pa.array(data[name]).dictionary_encode() for name in ("from", "day")}
        | {"age": data["age"]}
    ),
    "chunks": lambda data: pa.concat_tables([pa.table(data).slice(0, 1), pa.table(data).slice(1)]),
}


@pytest.mark.parametrize("table_of", TABLES.values(), ids=TABLES)
def test_a_table_with_text(table_of):
    X = table_of(TABLE)
    np.testing.assert_array_equal(MODEL.decision(X), LOGITS)
    np.testing.assert_array_equal(MODEL.predict_proba(X)[:, 1], fl.sigmoid(LOGITS))
    assert MODEL.predict(X).tolist() == [0, 1, 1, 1]


class Stream:
    """Something that only gives a stream of Arrow."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize(
    "stream_of",
    [
        lambda table: duckdb.from_arrow(table),
        lambda table: table.to_reader(max_chunksize=3),
        lambda table: pl.from_arrow(table),
        Stream,
        lambda table: Stream(pl.from_arrow(table)),
    ],
    ids=["DuckDB", "reader", "Polars", "stream", "stream of Polars"],
)
def test_a_stream_with_text_is_read_once(stream_of):
    table = pa.table(TABLE)
    np.testing.assert_array_equal(MODEL.decision(stream_of(table)), LOGITS)
    np.testing.assert_array_equal(MODEL.predict_proba(stream_of(table))[:, 1], fl.sigmoid(LOGITS))
    assert MODEL.predict(stream_of(table)).tolist() == [0, 1, 1, 1]
    with pytest.raises(ValueError, match=r"^X must have all columns of the model; missing 'age'"):
        MODEL.decision(stream_of(table.drop_columns(["age"])))


def test_logits_equal_those_of_the_encoded_matrix():
    encoder = OneHotEncoder(categories=[list(one) for one in CATEGORIES.values()])
    encoded = encoder.fit_transform(np.column_stack([TABLE["from"], TABLE["day"]])).toarray()
    X = np.column_stack([TABLE["age"], np.delete(encoded, 3, axis=1)])
    np.testing.assert_array_equal(MODEL.decision(X), LOGITS)
    np.testing.assert_array_equal(MODEL.decision(dict(zip(NAMES, X.T, strict=True))), LOGITS)


def test_a_model_with_only_columns_of_text():
    model = fl.LogisticModel([2.0], 1.0, ("x=b",), categories={"x": ("a", "b")})
    out = np.empty(3)
    assert model.decision({"x": ["a", "b", "a"]}, out=out) is out
    assert out.tolist() == [1.0, 3.0, 1.0]


def test_integers_are_read_as_text():
    np.testing.assert_array_equal(MODEL.decision(TABLE | {"day": [1, 2, 2, 1]}), LOGITS)


def test_unknown_categories():
    X = TABLE | {"from": ["JFK", "SFO", "EWR", ""]}
    with pytest.raises(ValueError, match=r"^X: column 'from' has 'SFO' in row 1, which the model "):
        MODEL.decision(X)
    expected = np.array(LOGITS) - [0, 4, 0, -2]
    np.testing.assert_array_equal(MODEL.decision(X, unknown="ignore"), expected)
    with pytest.raises(ValueError, match="unknown must be 'error' or 'ignore'; got 'zero'"):
        MODEL.decision(X, unknown="zero")


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), "str")])
def test_nulls(kind):
    X = TABLE | {"from": pa.array(["JFK", None, "EWR", None], pa.string()).cast(kind)}
    with pytest.raises(ValueError, match="X must have no nulls; column 'from' has 2"):
        MODEL.decision(X)
    z = MODEL.decision(X, missing="nan")
    assert np.isnan(z).tolist() == [False, True, False, True]
    np.testing.assert_array_equal(z[::2], LOGITS[::2])


@pytest.mark.parametrize("values", [[], [None, None]])
def test_empty_dictionaries(values):
    column = pa.array(values, pa.string()).dictionary_encode()
    found = onehot.look_up(column, onehot.encoding({"a": 1.0}))
    assert np.isnan(found.logits).tolist() == [True] * len(values)
    assert not found.unknown.any()


# The last of these belongs to all days but the first.
GROUP = fl.LogisticModel(
    COEF,
    0.25,
    (*NAMES[:4], "day (all others)"),
    categories=CATEGORIES | {"day": ("1", None)},
)


@pytest.mark.parametrize("table_of", TABLES.values(), ids=TABLES)
def test_a_group_contains_all_other_texts(table_of):
    X = table_of(TABLE | {"day": ["1", "2", "", "01"]})
    expected = [*LOGITS[:3], LOGITS[3] + 8]
    np.testing.assert_array_equal(GROUP.decision(X), expected)
    assert list(GROUP.columns.text["day"].items()) == [("1", 0.0), (None, 8.0)]
    with pytest.raises(ValueError, match="column 'from' has 'SFO' in row 1"):
        GROUP.decision(TABLE | {"from": ["JFK", "SFO", "EWR", ""]})


def test_a_group_contains_no_nulls():
    X = TABLE | {"day": pa.array(["1", None, "7", None])}
    with pytest.raises(ValueError, match="X must have no nulls; column 'day' has 2"):
        GROUP.decision(X)
    assert np.isnan(GROUP.decision(X, missing="nan")).tolist() == [False, True, False, True]


def test_a_group_without_a_feature_adds_nothing():
    model = fl.LogisticModel([1.0], 2.0, ("x=a",), categories={"x": ("a", None), "y": (None,)})
    X = {"x": ["a", "b"], "y": ["c", "d"]}
    assert model.decision(X).tolist() == [3.0, 2.0]


def test_a_group_has_a_coefficient_for_each_class():
    coef = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    names = ("x=a", "x (all others)")
    model = fl.LogisticModel(coef, 0.0, names, categories={"x": ("a", None)})
    assert model.decision({"x": ["b", "a"]}).tolist() == [[2.0, 4.0, 6.0], [1.0, 3.0, 5.0]]


def test_the_summary_names_the_group():
    assert "\nday (all others)     8\n" in GROUP.summary()


def test_columns_must_be_those_of_the_model():
    with pytest.raises(ValueError, match="missing 'age'"):
        MODEL.decision({"from": ["JFK"], "day": ["1"]})
    with pytest.raises(ValueError, match="must have only columns of the model; got also 'x'"):
        MODEL.decision({"from": ["JFK"], "day": ["1"], "age": [1.0], "x": [1.0]})


@pytest.mark.parametrize(("given", "day"), [(MODEL, ["1", "2"]), (GROUP, ["1", None])])
def test_a_model_file_keeps_categories(tmp_path, given, day):
    path = tmp_path / "model.json"
    given.save(path)
    assert json.loads(path.read_text())["categories"] == {
        "from": ["EWR", "JFK", "LGA"],
        "day": day,
    }
    for model in (fl.load(path), copy.deepcopy(given), pickle.loads(pickle.dumps(given))):
        assert model.categories == CATEGORIES | {"day": tuple(day)}
        np.testing.assert_array_equal(model.decision(TABLE), LOGITS)


LISTS = "categories must map names to lists of texts, and only the last may be None"


@pytest.mark.parametrize(
    ("categories", "names", "message"),
    [
        (None, NAMES, "categories must map columns to categories; got None"),
        ({"from": "EWR"}, NAMES, f"{LISTS}; got .* for 'from'"),
        ({"from": [1, 2]}, NAMES, f"{LISTS}; got .* for 'from'"),
        ({"from": None}, NAMES, f"{LISTS}; got .* for 'from'"),
        ({1: ["a"]}, NAMES, f"{LISTS}; got .* for 1"),
        ({"from": [None, "a"]}, NAMES, f"{LISTS}; got .* for 'from'"),
        ({"from": ["a", None, None]}, NAMES, f"{LISTS}; got .* for 'from'"),
        ({"from": []}, NAMES, "categories of 'from' must be one or more, and differ"),
        ({"from": ["a", "a"]}, NAMES, "categories of 'from' must be one or more, and differ"),
        ({"age": ["a"]}, NAMES, "categories has 'age', which is in feature_names as well"),
        ({"a": ["b=c"], "a=b": ["c"]}, NAMES, "categories must differ; got 'a=b=c' twice"),
        (
            {"a": ["b (all others)"], "a=b": [None]},
            NAMES,
            r"categories must differ; got 'a=b \(all others\)' twice",
        ),
        ({"from": ["a"]}, None, "categories must go with feature_names"),
    ],
)
def test_invalid_categories(tmp_path, categories, names, message):
    with pytest.raises((TypeError, ValueError), match=message):
        fl.LogisticModel(COEF, 0.0, names, categories=categories)
    path = tmp_path / "model.json"
    MODEL.save(path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"categories": categories, "feature_names": names}))
    if 1 not in (categories or {}):  # JSON makes it a text
        with pytest.raises(ValueError, match=f"^{path}: not a valid model: .*{message}"):
            fl.load(path)


def test_a_null_in_a_dictionary_is_a_null():
    column = pa.DictionaryArray.from_arrays([0, 1, 2, 0], ["JFK", None, "EWR"])
    X = TABLE | {"from": column}
    with pytest.raises(ValueError, match="X must have no nulls; column 'from' has 1"):
        MODEL.decision(X)
    assert np.isnan(MODEL.decision(X, missing="nan")).tolist() == [False, True, False, False]


def test_an_unknown_text_is_cut_in_the_message():
    with pytest.raises(ValueError, match=r"^X: column 'from' has 'aaa") as caught:
        MODEL.decision(TABLE | {"from": ["JFK", "a" * 1_000_000, "EWR", "JFK"]})
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "categories",
    [("false", "true"), ("False", "True"), ("FALSE", "TRUE"), ("0", "1"), ("0", "1", "2")],
)
def test_booleans_are_found_in_every_spelling(categories):
    coefficients = dict(zip(categories, (1.0, 2.0, 3.0)[: len(categories)], strict=True))
    for values in (
        [False, True],
        ["false", "true"],
        ["False", "True"],
        ["FALSE", "TRUE"],
        [0, 1],
        pa.array(["False", "True"]).dictionary_encode(),
    ):
        found = onehot.look_up(pa.array(values), onehot.encoding(coefficients))
        assert found.logits.tolist() == [1.0, 2.0]
        assert not found.unknown.any()


def test_booleans_beside_a_group_are_found_in_every_spelling():
    known = onehot.encoding({"true": 1.0, None: 2.0})
    column = pa.array(["TRUE", "1", "true", "false", "0", "2", ""])
    assert onehot.look_up(column, known).logits.tolist() == [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0]


def test_other_texts_are_not_read_as_booleans():
    for categories in (("no", "true"), ("1", "one"), ("True", "unknown"), ("2", "3"), ("true",)):
        known = onehot.encoding(dict.fromkeys(categories, 1.0))
        found = onehot.look_up(pa.array(["FALSE", "0", "yes"]), known)
        assert found.unknown.all()
    both = onehot.encoding({"True": 1.0, "true": 2.0, "1": 3.0})
    assert onehot.look_up(pa.array(["True", "true", "1", "TRUE"]), both).logits.tolist() == [
        1.0, 2.0, 3.0, 2.0,
    ]  # fmt: skip


def test_texts_with_one_spelling_of_booleans():
    assert onehot.spelled(["True", "FALSE", "true"]) == ["true", "false", "true"]
    assert onehot.spelled(["2", "True", "0", "false"]) == ["2", "1", "0", "0"]
    assert onehot.spelled(["0", "-1"]) == ["0", "-1"]
    assert onehot.spelled(["True", "maybe", "1"]) == ["True", "maybe", "1"]
    assert onehot.spelled([]) == []
