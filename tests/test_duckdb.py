"""Models as functions of DuckDB: the bits of `predict_proba`, nulls, wrong rows, odd queries."""

from __future__ import annotations

import gc
import importlib
import re
import sys

import duckdb
import numpy as np
import pyarrow as pa
import pytest

import fastlogit as fl
from fastlogit.duckdb import register
from fastlogit.models.model import OffsetWarning
from tests.engine_data import (
    HOSTILE,
    MODELS,
    OFFSET,
    ROWS,
    N,
    must_be,
    null,
    probabilities,
    with_offset,
)

each_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
PAIR = fl.LogisticModel([2.0, -1.0], 0.5, ("a", "b"))


@pytest.fixture
def connection():
    with duckdb.connect() as connection:
        connection.sql("SET threads = 2")
        connection.register("arrow", ROWS)
        connection.execute("CREATE TABLE rows AS FROM arrow")
        yield connection


def column(connection, query):
    return connection.sql(query).to_arrow_table().column(0).combine_chunks()


def values(connection, query):
    """The only row of a result."""
    (only,) = connection.sql(query).fetchall()
    return only


# Scores -----------------------------------------------------------------------------------


@each_model
def test_the_bits_of_predict_proba_and_nulls(connection, model):
    call = register(connection, model)
    p, is_null = probabilities(model), null(model)
    for query in (f"SELECT {call} FROM rows", "SELECT probability(rows) FROM rows"):
        found = column(connection, query)
        if len(model.classes) == 2:
            must_be(found, p[:, 1], is_null)
            continue
        np.testing.assert_array_equal(found.is_null().to_numpy(zero_copy_only=False), is_null)
        for k, label in enumerate(model.classes):
            must_be(found.field(f"probability_{label}"), p[:, k], is_null)


@each_model
def test_labels(connection, model):
    register(connection, model, "label", output="label")
    p, labels = probabilities(model), np.array(model.classes)
    expected = [
        None if np.isnan(row).any() else label
        for row, label in zip(p, labels[np.argmax(p, axis=1)].tolist(), strict=True)
    ]
    assert column(connection, "SELECT label(rows) FROM rows").to_pylist() == expected


def test_a_threshold_and_logits(connection):
    model = MODELS["text"]
    register(connection, model, "late", output="label", threshold=0.9)
    register(connection, model, "z", output="logit")
    z = model.decision(ROWS.select(["kind", "a", "count"]), missing="nan")
    must_be(column(connection, "SELECT z(rows) FROM rows"), z, null(model))
    late = column(connection, "SELECT late(rows)::INT FROM rows").to_pylist()
    expected = probabilities(model)[:, 1]
    assert late == [None if np.isnan(y) else int(y > 0.9) for y in expected]


def test_tails_keep_their_digits(connection):
    register(connection, fl.LogisticModel([1.0], 0.0, ("z",)))
    z = [-745.1, -700.0, -40.0, 0.0, 37.0, 745.0]
    rows = ", ".join(f"({one}::DOUBLE)" for one in z)
    found = column(connection, f"SELECT probability(v) FROM (VALUES {rows}) AS v(z)")
    np.testing.assert_array_equal(found.to_numpy(), fl.sigmoid(np.array(z)))


@pytest.mark.parametrize("missing", ["null", "nan"])
def test_nulls_as_null_or_nan(connection, missing):
    register(connection, MODELS["numbers"], missing=missing)
    expected = probabilities(MODELS["numbers"])[:, 1]
    is_null = null(MODELS["numbers"]) & (missing == "null")
    must_be(column(connection, "SELECT probability(rows) FROM rows"), expected, is_null)


def test_nulls_as_errors(connection):
    register(connection, MODELS["numbers"], missing="error")
    with pytest.raises(duckdb.Error, match=r"probability\(row\): column 'a' must have no nulls"):
        column(connection, "SELECT probability(rows) FROM rows")
    whole = "a + b + flag::INT IS NOT NULL"
    found = column(connection, f"SELECT probability(r) FROM rows r WHERE {whole}")
    assert found.null_count == 0


def test_an_offset(connection):
    with pytest.warns(OffsetWarning):
        register(connection, OFFSET, "without")
    call = register(connection, OFFSET, offset="exposure")
    must_be(column(connection, f"SELECT {call} FROM rows"), *with_offset())


def test_offsets_of_three_classes(connection):
    model = fl.LogisticModel(np.eye(3, 1), 0.0, ("x",), classes=("u", "v", "w"))
    register(connection, model, offset=["r", "s", "t"])
    row = "{x: 0.5, t: 3.0, s: 2.0, r: 1.0}"
    (found,) = values(connection, f"SELECT probability({row})")
    assert list(found.values()) == fl.softmax([1.5, 2.0, 3.0]).tolist()


def test_unknown_categories(connection):
    row = "{kind: 'ash', a: 1.0, count: 2}"
    register(connection, MODELS["text"])
    with pytest.raises(duckdb.Error, match=r"column 'kind' has 'ash' in row 0.*does not know"):
        connection.sql(f"SELECT probability({row})").fetchall()
    register(connection, MODELS["text"], "tolerant", unknown="ignore")
    (found,) = values(connection, f"SELECT tolerant({row})")
    X = pa.table({"kind": ["ash"], "a": [1.0], "count": [2]})
    assert found == MODELS["text"].predict_proba(X, unknown="ignore")[0, 1]


def test_types_of_columns(connection):
    register(connection, fl.LogisticModel([1.0] * 6, 0.0, tuple("dhubtf")))
    row = "1.25::DECIMAL(9, 2) d, 3::HUGEINT h, 4::UTINYINT u, true b, NULL t, 0.5::FLOAT f"
    for t, expected in ("NULL", None), ("-9", fl.sigmoid(0.75)):
        query = f"SELECT probability(r) FROM (SELECT {row.replace('NULL', t)}) r"
        assert values(connection, query) == (expected,)


def test_an_enum_has_categories(connection):
    register(connection, MODELS["text alone"])
    connection.execute("CREATE TYPE kinds AS ENUM ('elm', 'oak', 'größe', 'it''s')")
    query = "SELECT probability({kind: kind::kinds}) FROM rows"
    must_be(
        column(connection, query),
        probabilities(MODELS["text alone"])[:, 1],
        null(MODELS["text alone"]),
    )


# Queries ----------------------------------------------------------------------------------


def test_names_that_must_be_quoted(connection):
    model = fl.LogisticModel(np.linspace(-1.0, 1.0, len(HOSTILE)), 0.5, tuple(HOSTILE))
    X = pa.table(dict(zip(HOSTILE, np.random.default_rng(1).normal(size=(9, 7)), strict=True)))
    connection.register("hostile", X)
    call = register(connection, model, 'of "rows"; --')
    assert call.startswith('"of ""rows""; --"({')
    expected = model.predict_proba(X)[:, 1]
    for query in (f"SELECT {call} FROM hostile", 'SELECT "of ""rows""; --"(hostile) FROM hostile'):
        np.testing.assert_array_equal(column(connection, query).to_numpy(), expected)


def test_fields_are_found_by_name_in_any_order(connection):
    register(connection, PAIR)
    rows = ["{a: 3.0, b: 1}", "{b: 1, a: 3.0}", "{b: 1.0::FLOAT, c: 'x', a: 3}"]
    found = {values(connection, f"SELECT probability({row})") for row in rows}
    assert found == {(fl.sigmoid(5.5),)}


def test_the_case_of_names_in_a_call(connection):
    call = register(connection, fl.LogisticModel([1.0], 0.0, ("Wind",)))
    connection.sql("CREATE TABLE days AS SELECT 0.0 AS wind")
    assert values(connection, f"SELECT {call} FROM days") == (0.5,)
    with pytest.raises(duckdb.Error, match=r"no column 'Wind' \(did you mean 'wind'\?\)"):
        connection.sql("SELECT probability(days) FROM days").fetchall()


@pytest.mark.parametrize("count", [0, 1, 2, 2047, 2048, 2049])
def test_chunks_of_any_length(connection, count):
    register(connection, PAIR)
    query = f"SELECT probability(r) FROM (SELECT a, b FROM rows WHERE other < {count}) r"
    rows = ROWS.slice(0, count)
    expected = probabilities(PAIR, rows)[:, 1] if count else np.empty(0)
    is_null = null(PAIR, rows) if count else np.empty(0, bool)
    must_be(column(connection, query), expected, is_null)


def test_rows_that_are_null(connection):
    register(connection, PAIR)
    query = """SELECT probability(r) FROM range(4) t(n) LEFT JOIN
        (VALUES (1, 1.0, 2.0), (3, 0.5, 0.0)) r(n, a, b) USING (n) ORDER BY n"""
    found = column(connection, query).to_pylist()
    assert found == [None, fl.sigmoid(0.5), None, fl.sigmoid(1.5)]
    row = "CASE WHEN n % 2 = 1 THEN {a: 1.0, b: 2.0} END"
    found = column(connection, f"SELECT probability({row}) FROM range(4) t(n)").to_pylist()
    assert found == [None, fl.sigmoid(0.5), None, fl.sigmoid(0.5)]
    assert values(connection, "SELECT probability(NULL::STRUCT(a INT, b INT))") == (None,)


def test_nested_queries(connection):
    call = register(connection, PAIR)
    register(connection, PAIR, "z", output="logit")
    y = probabilities(PAIR)[:, 1]
    above = values(
        connection,
        f"""WITH scored AS (SELECT *, {call} AS y FROM rows)
        SELECT count(*), max(y), max(z(s)) FROM scored s
        WHERE y > (SELECT avg({call}) FROM rows WHERE NOT isnan(a)) AND NOT isnan(y)""",
    )
    kept = y[y > np.nanmean(y)]
    assert above[:2] == (len(kept), kept.max())
    # Its own result is a column of the next model.
    inner = fl.LogisticModel([1.0], 0.0, ("y",))
    register(connection, inner, "again")
    found = column(connection, f"SELECT again({{y: {call}}}) FROM rows")
    must_be(found, fl.sigmoid(y), null(PAIR))


def test_two_tables_of_other_types_in_one_query(connection):
    register(connection, PAIR)
    query = "SELECT probability({a: 1, b: 2.0}) + probability({b: 2::TINYINT, a: 1.0::FLOAT})"
    assert values(connection, query) == (2 * fl.sigmoid(0.5),)


def test_many_threads(connection):
    connection.sql("SET threads = 8")
    call = register(connection, MODELS["text"])
    connection.execute(
        "CREATE TABLE many AS SELECT r.*, n FROM range(80) t(n), rows r ORDER BY n, other"
    )
    found = column(connection, f"SELECT {call} FROM many ORDER BY n, other")
    y, is_null = probabilities(MODELS["text"])[:, 1], null(MODELS["text"])
    assert len(found) == 80 * N
    must_be(found, np.tile(y, 80), np.tile(is_null, 80))


def test_cursors_have_the_function(connection):
    cursor = connection.cursor()
    register(connection, PAIR)
    for each in (cursor, connection.cursor()):
        assert values(each, "SELECT probability({a: 0, b: 0.5})") == (0.5,)


def test_a_cursor_outlives_its_connection():
    connection = duckdb.connect()
    register(connection, PAIR)
    cursor = connection.cursor()
    del connection
    gc.collect()
    assert values(cursor, "SELECT probability({a: 0, b: 0.5})") == (0.5,)


def test_a_model_in_a_file(connection, tmp_path):
    PAIR.save(tmp_path / "model.json")
    register(connection, tmp_path / "model.json")
    assert values(connection, "SELECT probability({a: 0, b: 0.5})") == (0.5,)


# Errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{a: 1}", r"probability\(row\): has no column 'b'"),
        ("{a: '1', b: 2}", r"column 'a' must hold numbers; it holds string"),
        ("{a: DATE '2024-02-29', b: 2}", r"column 'a' must hold numbers; it holds date32"),
        ("{a: [1], b: 2}", r"column 'a' must hold numbers; it holds list"),
        ("{a: 1::UNION(n INT, t TEXT), b: 2}", r"column 'a' must hold numbers or text; it holds"),
        ("1.5", r"row must be a struct, such as the name of a table; got decimal"),
        ("[1.0, 2.0]", r"row must be a struct, such as the name of a table; got list"),
    ],
)
def test_wrong_rows(connection, row, message):
    register(connection, PAIR)
    with pytest.raises(duckdb.InvalidInputException, match=message) as caught:
        connection.sql(f"SELECT probability({row})").fetchall()
    assert re.search(message, str(caught.value).splitlines()[0])


def test_numbers_where_text_is_expected(connection):
    register(connection, MODELS["text alone"])
    for value in ("1.5::DOUBLE", "['a']", "{x: 'a'}", "MAP {'a': 1}"):
        with pytest.raises(
            duckdb.Error, match="column 'kind' must hold text, integers or booleans"
        ):
            connection.sql(f"SELECT probability({{kind: {value}}})").fetchall()


def test_a_union_that_the_model_does_not_need(connection):
    register(connection, PAIR)
    connection.sql("CREATE TABLE u (b INT, c UNION(n INT, t TEXT), a DOUBLE, a2 TEXT)")
    connection.sql("INSERT INTO u VALUES (1, 'x', 2.0, 'y'), (2, NULL, NULL, 'y')")
    expected = connection.sql("SELECT probability({a: 2.0, b: 1})").fetchall()
    found = connection.sql("SELECT probability(u) FROM u").fetchall()
    assert found == [*expected, (None,)]
    assert connection.sql("SELECT probability(NULL::STRUCT(a INT, b INT))").fetchall() == [(None,)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output": "odds"}, "output must be 'probability', 'logit'"),
        ({"output": ["label", "logit"]}, "output must be 'probability', 'logit'"),
        ({"missing": "skip"}, "missing must be 'null', 'nan' or 'error'; got 'skip'"),
        ({"unknown": "nan"}, "unknown must be 'error' or 'ignore'; got 'nan'"),
        ({"threshold": 2.0}, "threshold must lie between 0 and 1"),
        ({"offset": ["c", "d"]}, "offset must be 1 column"),
        ({"offset": "a"}, "column 'a' is a feature of the model, so it cannot be the offset"),
    ],
)
def test_wrong_options(connection, options, message):
    with pytest.raises(ValueError, match=message):
        register(connection, PAIR, **options)


def test_wrong_arguments(connection):
    with pytest.raises(ValueError, match="model must have feature_names, as columns are found"):
        register(connection, fl.LogisticModel([1.0]))
    with pytest.raises(TypeError, match="model must be a LogisticModel or the path"):
        register(connection, 3)
    with pytest.raises(TypeError, match="connection must be a connection of DuckDB; got str"):
        register("rows.db", PAIR)
    with pytest.raises(TypeError, match="name must be a string; got 3"):
        register(connection, PAIR, 3)


def test_the_function_must_be_new(connection):
    register(connection, PAIR)
    for name in ("probability", "PROBABILITY", "sum", "hash", ""):
        with pytest.raises(
            ValueError, match=f"name must be the name of a new function; .*'{name}'"
        ):
            register(connection, PAIR, name)
    assert values(connection, "SELECT hash(1) = hash(1)") == (True,)
    connection.remove_function("probability")
    register(connection, PAIR)


def test_names_that_differ_only_in_case(connection):
    with pytest.raises(ValueError, match=r"columns that differ in more.*; got 'a' and 'A'"):
        register(connection, fl.LogisticModel([1.0, 2.0], 0.0, ("a", "A")))
    three = fl.LogisticModel(np.eye(3, 1), 0.0, ("x",), classes=("u", "v", "U"))
    with pytest.raises(ValueError, match="classes that differ in more than case"):
        register(connection, three)
    register(connection, three, output="label")
    assert values(connection, "SELECT probability({x: 9})") == ("u",)


def test_names_that_differ_in_the_case_of_other_letters(connection):
    names = ("ä", "Ä", "ß", "ẞ")
    model = fl.LogisticModel([0.5, -1.0, 2.0, 0.25], 0.1, names)
    call = register(connection, model)
    row = ", ".join(f'{value} AS "{name}"' for value, name in enumerate(names, 1))
    expected = model.predict_proba([[1.0, 2.0, 3.0, 4.0]])[0, 1]
    assert values(connection, f"SELECT {call} FROM (SELECT {row})") == (expected,)


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_names_that_duckdb_cannot_hold(connection, name):
    with pytest.raises(ValueError, match=r"^model must have columns that are not empty, without"):
        register(connection, fl.LogisticModel([1.0, 2.0], 0.0, ("a", name)))


def test_views_prepared_statements_and_updates(connection):
    call = register(connection, PAIR)
    expected = probabilities(PAIR)[:, 1]
    connection.execute(f"CREATE VIEW scored AS SELECT *, {call} AS y FROM rows")
    must_be(column(connection, "SELECT y FROM scored ORDER BY other"), expected, null(PAIR))
    connection.execute("ALTER TABLE rows ADD COLUMN y DOUBLE")
    connection.execute(f"UPDATE rows SET y = {call}")
    must_be(column(connection, "SELECT y FROM rows ORDER BY other"), expected, null(PAIR))
    prepared = "SELECT probability({'a': ?, 'b': ?})"
    for row in ([0.5, 1], [1, 0.5], [None, 1.0]):
        found = connection.execute(prepared, row).fetchall()
        assert found == [(None if None in row else fl.sigmoid(2.0 * row[0] - row[1] + 0.5),)]


@pytest.mark.parametrize("absent", ["duckdb", "pyarrow"])
def test_without_the_package(monkeypatch, absent):
    monkeypatch.setitem(sys.modules, absent, None)
    monkeypatch.delitem(sys.modules, "fastlogit.duckdb")
    message = rf"fastlogit.duckdb needs {absent}: pip install 'fastlogit\[duckdb\]'"
    with pytest.raises(ModuleNotFoundError, match=message):
        importlib.import_module("fastlogit.duckdb")
