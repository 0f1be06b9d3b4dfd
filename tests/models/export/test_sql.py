"""SQL of a model: run by DuckDB, SQLite and PostgreSQL, and parsed in the other dialects."""

from __future__ import annotations

import math
import sqlite3

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
import sqlglot
from sqlglot import expressions

import fastlogit as fl
from fastlogit.core.ulp import ulp_error
from fastlogit.data import flights_path
from fastlogit.models.export import sql
from tests.models.export.databases import DuckDB, numbers
from tests.references import multiprecision

RNG = np.random.default_rng(29)
LINE = fl.LogisticModel([1.0], 0.0, ("z",))
PLANE = fl.LogisticModel(np.eye(3), 0.0, ("a", "b", "c"), classes=("x", "y", "z"))
TEXT = fl.LogisticModel(
    [0.5, 1.0, -2.0, 4.0, 8.0],
    0.25,
    ("age", "from=EWR", "from=JFK", "from=LGA", "day=2"),
    categories={"from": ("EWR", "JFK", "LGA"), "day": ("1", "2")},
)
GROUPS = fl.LogisticModel(
    [[0.5, 1.0, -2.0], [0.25, -1.0, 3.0], [-0.75, 0.0, -1.0]],
    [0.125, -0.5, 0.375],
    ("age", "from=JFK", "from (all others)"),
    classes=("early", "it's late", "never"),
    categories={"from": ("JFK", None)},
)
# Where the tails of the probability are hard, and where it is near 1/2.
ENDS = [0.0, 1e-300, 2.0**-53, 2.0**-52, 2.0**-51, 0.5, 16.6, 36.0, 36.7, 37.0, 37.4, 40.0, 700.0]
ENDS += [708.4, 709.8, 745.1, 745.1332191019411, 745.1332191019412, 746.0, 800.0, 1e300]


def outputs(database, model, columns, output="probability", **options):
    """The output of each row: by an expression, and the same by a query."""
    expression = model.to_sql(database.dialect, output, **options)
    rows = database.rows(f"SELECT {expression} FROM t", columns)
    query = model.to_sql(database.dialect, output, "t", **options)
    everything = database.rows(query, columns)
    assert [len(row) for row in everything] == [len(columns) + len(rows[0])] * len(rows)
    found = [row[len(columns) :] for row in everything]
    assert repr(found) == repr(rows)
    return rows


@pytest.mark.parametrize("model", [LINE, PLANE])
@pytest.mark.parametrize("output", ["probability", "label"])
def test_columns_with_the_names_of_intermediate_results(model, output):
    names = ["fastlogit_z0", "FASTLOGIT_e", "fastlogit_q", "fastlogit_m", "fastlogit_e1"]
    columns = {name: [0.5] for name in model.feature_names}
    (expected,) = DuckDB().rows(f"SELECT {model.to_sql(output=output)} FROM t", columns)
    columns |= {name: [9.0] for name in names}
    (row,) = DuckDB().rows(model.to_sql(output=output, table="t"), columns)
    assert row == (*[0.5] * len(model.feature_names), *[9.0] * len(names), *expected)


def test_outputs_with_the_name_of_an_input_or_of_another():
    model = fl.LogisticModel([1.0], 0.0, ("Probability",))
    with pytest.raises(ValueError, match=r"'probability', which the dialect .* from 'Probability'"):
        model.to_sql(table="t")
    model.to_sql("snowflake", table="t")
    model = fl.LogisticModel(np.eye(3, 1), 0.0, ("a",), classes=("x", "X", "y"))
    with pytest.raises(
        ValueError, match=r"'probability_X', which the dialect .* from 'probability_"
    ):
        model.to_sql()
    model.to_sql(output="label")
    model.to_sql(names=["x", "other x", "y"])
    for names in (["p", "p", "q"], ["p", "q", "a"]):  # equal literals are one object
        with pytest.raises(ValueError, match=r"^names must differ from each other and from the"):
            model.to_sql(names=names)


def test_names_of_the_results(database):
    columns = {"z": [0.0], "probability": [9.0]}
    assert numbers(outputs(database, LINE, columns, names="p {} ü")) == [[0.5]]
    query = LINE.to_sql(database.dialect, table="t", names="p {} ü")
    rows = database.rows('SELECT "p {} ü", probability FROM (' + query + ") AS s", columns)
    assert numbers(rows) == [[0.5, 9.0]]
    assert LINE.to_sql(database.dialect, names="probability") != LINE.to_sql(database.dialect)
    query = PLANE.to_sql(database.dialect, "logit", "t", names=["p", "q", "r"])
    columns = {"a": [1.0], "b": [2.0], "c": [3.0]}
    assert numbers(database.rows(f"SELECT r, p FROM ({query}) AS s", columns)) == [[3.0, 1.0]]


@pytest.mark.parametrize("value", ["12abc", "12", "", b"12", "abc"])
@pytest.mark.parametrize("is_offset", [False, True])
def test_text_in_a_column_of_numbers_is_null_in_sqlite(value, is_offset):
    columns = {"x": [1.0], "z": [1.0]} | {"x" if is_offset else "z": [value]}
    for output in sql.OUTPUTS:
        query = LINE.to_sql("sqlite", output, "t", offset="x")
        with sqlite3.connect(":memory:") as connection:
            connection.execute("CREATE TABLE t (x BLOB, z BLOB)")
            connection.execute("INSERT INTO t VALUES (?, ?)", (columns["x"][0], columns["z"][0]))
            (row,) = connection.execute(query).fetchall()
        assert row[2] is None


@pytest.mark.parametrize("database", ["duckdb", "sqlite"], indirect=True)
@pytest.mark.parametrize("model", [TEXT, GROUPS])
def test_categories_in_a_column_of_floats_are_no_silent_wrong_answer(database, model):
    columns = {"age": [1.0], "from": [1.0], "day": [2.0]}
    names = [*model.columns.numbers, *model.columns.text]
    for options in ({}, {"unknown": "ignore"}):
        rows = outputs(database, model, {name: columns[name] for name in names}, **options)
        assert set(rows[0]) == {None}


def label(database, model, columns, **options):
    """The labels, as texts."""
    rows = outputs(database, model, columns, "label", **options)
    return [None if row[0] is None else str(row[0]) for row in rows]


def check(found, exact):
    """Check probabilities: 4 ULP, and 1 only where it is nearest, 0 only below all numbers."""
    assert ulp_error(found, exact).max() <= 4
    np.testing.assert_array_equal(np.equal(found, 1), exact.astype(np.float64) == 1)
    assert not (np.equal(found, 0) & (exact >= 5e-324)).any()


# Exactness --------------------------------------------------------------------------------


def test_two_classes_to_the_end_of_both_tails(database):
    z = np.concatenate([ENDS, np.negative(ENDS), RNG.uniform(-745, 745, 300)])
    y = np.ravel(numbers(outputs(database, LINE, {"z": z.tolist()})))
    check(y, np.array([multiprecision.sigmoid(one) for one in z], object))
    assert label(database, LINE, {"z": z.tolist()}) == list(map(str, LINE.predict(z[:, None])))


def test_many_classes_to_the_end_of_the_tails(database):
    hard = [
        [0.0, -745.0, -746.0],
        [745.0, -745.0, 0.1],
        [0.0, -37.0, -37.4],
        [-800.0, -1.5, -900.0],
    ]
    hard += [[5.0, 5.0, 5.0], [0.1, 0.1, -744.0], [1e300, 1.0, -1e300], [0.0, -744.44, 0.0]]
    Z = np.concatenate([hard, RNG.uniform(-700, 700, (60, 3)), RNG.uniform(-9, 9, (20, 3))])
    columns = dict(zip("abc", Z.T.tolist(), strict=True))
    p = np.array(numbers(outputs(database, PLANE, columns)))
    check(p, np.array([multiprecision.softmax(row).probability for row in Z]))
    assert label(database, PLANE, columns) == PLANE.predict(Z).tolist()


def test_many_classes_beyond_700(database):
    Z = np.array([[0.0, -745.0, -746.0], [745.0, -745.0, 0.1], [-800.0, -1.5, -900.0]])
    Z = np.concatenate([Z, [[0.1, 0.1, -744.0], [1e300, 1.0, -1e300], [0.0, -744.44, 0.0]]])
    Z = np.concatenate([Z, [[-800.0, -801.0, -1545.0], [5000.0, 5036.9, 4290.0]]])
    columns = dict(zip("abc", Z.T.tolist(), strict=True))
    p = np.array(numbers(outputs(database, PLANE, columns)))
    exact = np.array([multiprecision.softmax(row).probability for row in Z])
    bound = 2 + np.abs(Z - Z.max(axis=1, keepdims=True)).clip(max=746)
    assert (ulp_error(p, exact) <= bound).all()
    assert not (np.equal(p, 0) & (exact >= 5e-324)).any()
    assert label(database, PLANE, columns) == PLANE.predict(Z).tolist()


def test_the_boundary_of_the_label_is_that_of_the_probability():
    assert fl.sigmoid(sql._LARGEST_HALF) == 0.5
    assert fl.sigmoid(np.nextafter(sql._LARGEST_HALF, 1)) > 0.5
    assert math.exp(sql._SMALLEST_EXPONENT) > 0.0
    assert math.exp(np.nextafter(sql._SMALLEST_EXPONENT, -1e9)) == 0.0


@pytest.mark.parametrize("output", ["probability", "label"])
def test_no_number_and_infinity(output):
    # SQLite has no NaN; PostgreSQL is as DuckDB.
    z = [math.nan, math.inf, -math.inf, None]
    found = [row[0] for row in outputs(DuckDB(), LINE, {"z": z}, output)]
    expected = {"probability": [math.nan, 1.0, 0.0, None], "label": [None, 1, 0, None]}[output]
    assert list(map(repr, found)) == list(map(repr, expected))
    rows = outputs(DuckDB(), PLANE, {"a": z, "b": [0.0] * 4, "c": [0.0] * 4}, output)
    assert list(map(repr, rows[0])) == ["nan"] * 3 if output == "probability" else ["None"]
    assert set(rows[3]) == {None}


# The flights ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def flights():
    """A model of the flights, and the table."""
    model = fl.fit(str(flights_path()), label="late", missing="skip")
    return model, pq.read_table(flights_path(), columns=list(model.feature_names))


def test_every_flight_in_duckdb(flights):
    model, X = flights
    with duckdb.connect() as connection:
        connection.register("flights", X)
        found = {
            output: connection.sql(model.to_sql(output=output, table="flights"))
            .select(output)
            .to_arrow_table()[output]
            .to_numpy()
            for output in ("logit", "probability", "label")
        }
    z = model.decision(X, missing="nan")
    np.testing.assert_allclose(found["logit"], z, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(found["probability"], fl.sigmoid(z), rtol=1e-12)
    known = ~np.isnan(z)
    np.testing.assert_array_equal(np.isnan(found["label"]), ~known)
    np.testing.assert_array_equal(found["label"][known], z[known] > 0)


def test_some_flights(database, flights):
    model, X = flights
    X = X.take(np.arange(0, len(X), 1000))
    z = model.decision(X, missing="nan")
    y = np.ravel(numbers(outputs(database, model, X.to_pydict())))
    np.testing.assert_allclose(y, fl.sigmoid(z), rtol=1e-12)


# Columns ----------------------------------------------------------------------------------


def test_columns_of_text(database):
    columns = {
        "age": [1.0, 2.0, 3.0, 4.0],
        "from": ["JFK", "LGA", "EWR", "JFK"],
        "day": [1, 2, 2, 1],
    }
    expected = [0.25 + 0.5 - 2, 0.25 + 1 + 4 + 8, 0.25 + 1.5 + 1 + 8, 0.25 + 2 - 2]
    assert np.ravel(numbers(outputs(database, TEXT, columns, "logit"))).tolist() == expected
    y = np.ravel(numbers(outputs(database, TEXT, columns)))
    np.testing.assert_allclose(y, fl.sigmoid(expected), rtol=1e-15)


def test_unknown_categories_and_nulls(database):
    columns = {
        "age": [1.0, 1.0, 1.0, None, 1.0],
        "from": ["JFK", None, "BOS", "EWR", "jfk"],
        "day": [1, 1, 1, 1, 2],
    }
    nan = math.nan
    found = np.ravel(numbers(outputs(database, TEXT, columns, "logit")))
    np.testing.assert_array_equal(found, [-1.25, nan, nan, nan, nan])
    found = np.ravel(numbers(outputs(database, TEXT, columns, "logit", unknown="ignore")))
    np.testing.assert_array_equal(found, [-1.25, nan, 0.75, nan, 8.75])
    assert label(database, TEXT, columns, unknown="ignore") == ["0", None, "1", None, "1"]


# Columns whose collation takes "a" for "A".
COLLATIONS = {
    "duckdb": ["CREATE TABLE t (c VARCHAR COLLATE NOCASE);"],
    "sqlite": ["CREATE TABLE t (c TEXT COLLATE NOCASE);"],
    "postgres": [
        "CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', "
        "deterministic = false);",
        "CREATE TABLE t (c TEXT COLLATE any_case);",
    ],
}


@pytest.mark.parametrize("known", [("A", "b"), ("A", None)])
@pytest.mark.parametrize("unknown", ["null", "ignore"])
def test_collations_do_not_matter(database, known, unknown):
    names = ["c=A", "c=b" if known[1] else "c (all others)"]
    model = fl.LogisticModel([1.0, 2.0], 0.0, names, categories={"c": known})
    other = 2.0 if known[1] is None else 0.0 if unknown == "ignore" else math.nan
    for table in (None, "t"):
        query = model.to_sql(database.dialect, "logit", table, unknown=unknown)
        query = query if table else f"SELECT c, {query} FROM t"
        commands = [*COLLATIONS[database.dialect], "INSERT INTO t VALUES ('A'), ('a');"]
        found = numbers([row[1:] for row in database.after(commands, query)])
        np.testing.assert_array_equal(found, [[1.0], [other]])


def test_a_group_has_all_other_texts(database):
    columns = {"age": [1.0, 2.0, 3.0, 4.0, 0.0], "from": ["JFK", "", None, "LGA", "JFK"]}
    known = {name: values[:2] + values[3:] for name, values in columns.items()}
    for output in ("logit", "probability"):
        found = np.array(numbers(outputs(database, GROUPS, columns, output)))
        assert np.isnan(found[2]).all()
        function = {"logit": GROUPS.decision, "probability": GROUPS.predict_proba}[output]
        np.testing.assert_allclose(found[[0, 1, 3, 4]], function(known), rtol=1e-15)
    expected = GROUPS.predict(known).tolist()
    assert label(database, GROUPS, columns) == [*expected[:2], None, *expected[2:]]


def test_a_group_that_is_alone(database):
    model = fl.LogisticModel([2.0], 0.5, ("on (all others)",), categories={"on": (None,)})
    found = np.ravel(numbers(outputs(database, model, {"on": ["x", None]}, "logit")))
    np.testing.assert_array_equal(found, [2.5, math.nan])


@pytest.mark.parametrize("values", [[True, False], ["True", "False"], [1, 0], ["TRUE", "0"]])
def test_booleans_in_any_spelling(database, values):
    model = fl.LogisticModel([2.0], 0.5, ("on=true",), categories={"on": ("false", "true")})
    found = outputs(database, model, {"on": values}, "logit")
    assert np.ravel(numbers(found)).tolist() == [2.5, 0.5]


@pytest.mark.parametrize(
    ("classes", "expected"),
    [((0, 1), "01"), ((False, True), None), ((-2.5, 1e300), None), (("it's", 'a"\\\n'), None)],
)
def test_labels_of_every_type(database, classes, expected):
    model = fl.LogisticModel([1.0], 0.0, ("z",), classes=classes)
    found = label(database, model, {"z": [-1.0, 1.0]})
    if isinstance(classes[0], bool):
        words = {"duckdb": ["False", "True"], "sqlite": ["0", "1"], "postgres": ["f", "t"]}
        assert found == words[database.dialect]
    elif isinstance(classes[0], float):
        assert list(map(float, found)) == list(classes)
    else:
        assert found == list(map(str, classes))


def test_offsets(database):
    model = fl.LogisticModel([1.0], 0.5, ("x",), with_offset=True)
    columns = {"x": [1.0, 2.0, 3.0], "w": [0.25, None, -9.0]}
    found = np.ravel(numbers(outputs(database, model, columns, "logit", offset="w")))
    np.testing.assert_array_equal(found, [1.75, math.nan, -5.5])
    columns = {name: [1.0, 2.0, 3.0] for name in "abc"}
    columns |= {"u": [0.25, None, -9.0], "v": [1.0, 1.0, 0.5], "w": [4.0, 1.0, 0.5]}
    found = np.array(numbers(outputs(database, PLANE, columns, offset=["u", "v", "w"])))
    Z = np.array([[1.25, 2.0, 5.0], [-6.0, 3.5, 3.5]])
    np.testing.assert_allclose(found[[0, 2]], fl.softmax(Z), rtol=1e-15)
    assert np.isnan(found[1]).all()
    assert label(database, PLANE, columns, offset=["u", "v", "w"]) == ["z", None, "y"]


def test_an_offset_that_is_not_given():
    model = fl.LogisticModel([1.0], 0.5, ("x",), with_offset=True)
    with pytest.warns(fl.OffsetWarning, match="offset must be given"):
        assert model.to_sql(output="logit") == '(0.5e0\n+ "x" * 1.0e0)'


# Names and sizes --------------------------------------------------------------------------

HOSTILE = ['a"b', "it's", "a`b", "select", "t; DROP TABLE t; --", "new\nline", "雪 ünd 🎿", "\\"]
HOSTILE += [" ", "a.b", "%s", ":name", "?", "{z0}", "{", "$1", "/* */", "tab\t", "[x]", "=", "\\'"]


def test_hostile_names(database):
    coef = RNG.normal(size=len(HOSTILE))
    model = fl.LogisticModel(coef, 0.5, HOSTILE)
    columns = {name: [float(k), 1.0] for k, name in enumerate(HOSTILE)}
    table = 'r"; DROP TABLE "t'
    query = model.to_sql(database.dialect, table=table)
    found = [row[-1:] for row in database.rows(query, columns, table)]
    z = [coef @ np.arange(coef.size) + 0.5, coef.sum() + 0.5]
    np.testing.assert_allclose(np.ravel(numbers(found)), fl.sigmoid(z), rtol=1e-12)


def test_hostile_texts(database):
    names = [f"c={text}" for text in HOSTILE]
    coef = np.arange(1.0, len(HOSTILE) + 1.0)
    model = fl.LogisticModel(coef, 0.5, names, categories={"c": HOSTILE})
    found = outputs(database, model, {"c": HOSTILE}, "logit")
    assert np.ravel(numbers(found)).tolist() == (coef + 0.5).tolist()
    model = fl.LogisticModel(np.eye(len(HOSTILE)), 0.0, HOSTILE, classes=HOSTILE)
    columns = {name: np.eye(len(HOSTILE))[k].tolist() for k, name in enumerate(HOSTILE)}
    query = model.to_sql(database.dialect, "label", "t")
    assert [row[-1] for row in database.rows(query, columns)] == HOSTILE


def test_five_thousand_columns(database):
    coef = RNG.normal(size=5000)
    names = [f"x{j}" for j in range(5000)]
    model = fl.LogisticModel(coef, 0.5, names)
    if database.dialect == "duckdb":  # which plans a probability in seven seconds
        query = model.to_sql(output="logit", table="t")
        rows = [
            [fl.sigmoid(row[-1])] for row in database.rows(query, {name: [1.0] for name in names})
        ]
    else:  # which have fewer columns in a table
        ones = [f"1 AS {name}" for name in names]
        parts = [", ".join(ones[first : first + 1250]) for first in range(0, 5000, 1250)]
        tables = ", ".join(f"(SELECT {part}) AS t{number}" for number, part in enumerate(parts))
        query = f"SELECT {model.to_sql(database.dialect)} FROM {tables}"
        rows = database.rows(query, {"x": [1.0]})
    np.testing.assert_allclose(float(rows[0][-1]), fl.sigmoid(coef.sum() + 0.5), rtol=1e-10)


def test_ten_thousand_categories(database):
    categories = tuple(f"category {number}" for number in range(10_000))
    coef = RNG.normal(size=10_000)
    names = [f"c={category}" for category in categories]
    model = fl.LogisticModel(coef, 0.0, names, categories={"c": categories})
    columns = {"c": [categories[0], categories[9_999], None]}
    rows = database.rows(model.to_sql(database.dialect, table="t"), columns)
    found = np.ravel(numbers(row[1:] for row in rows))
    np.testing.assert_allclose(found, [*fl.sigmoid(coef[[0, -1]]), math.nan], rtol=1e-14)


@pytest.mark.parametrize(("count", "output"), [(130, "label"), (12, "probability")])
def test_many_labels(database, count, output):
    model = fl.LogisticModel(RNG.normal(size=(count, 1)), 0.0, ("x",))
    query = model.to_sql(database.dialect, output, "t")
    found = numbers(row[1:] for row in database.rows(query, {"x": [-1.5, 2.0]}))
    function = {"label": model.predict, "probability": model.predict_proba}[output]
    expected = np.reshape(function([[-1.5], [2.0]]), (2, -1))
    np.testing.assert_allclose(found, expected, rtol=1e-14)


# Other dialects ---------------------------------------------------------------------------

OTHERS = ["bigquery", "snowflake", "ansi"]


@pytest.mark.parametrize("output", sql.OUTPUTS)
@pytest.mark.parametrize("table", [None, ["s", "t"]])
@pytest.mark.parametrize("dialect", OTHERS)
def test_other_dialects_are_parsed(dialect, table, output):
    for model in (LINE, TEXT, GROUPS):
        text = model.to_sql(dialect, output, table)
        query = text if table else f"SELECT {text} FROM s.t"
        tree = sqlglot.parse_one(query, dialect="" if dialect == "ansi" else dialect)
        own = {column.name for column in tree.find_all(expressions.Column)}
        own = {name for name in own if not name.startswith("fastlogit_")}
        assert own == {*model.columns.numbers, *model.columns.text}
        assert [(one.db, one.name) for one in tree.find_all(expressions.Table)] == [("s", "t")]


def in_duckdb(dialect, query, columns):
    """The rows of a query in another dialect, translated for DuckDB."""
    if dialect != "ansi":
        [query] = sqlglot.transpile(query, read=dialect, write="duckdb")
    return DuckDB().rows(query, columns)


@pytest.mark.parametrize("output", sql.OUTPUTS)
@pytest.mark.parametrize("dialect", OTHERS)
def test_other_dialects_compute_the_same(dialect, output):
    line = {"z": [*ENDS, *np.negative(ENDS).tolist(), None]}
    groups = {"age": [1.0, 2.0, None, -900.0], "from": ["JFK", "x", "JFK", None]}
    for model, columns in ((LINE, line), (GROUPS, groups)):
        expected = outputs(DuckDB(), model, columns, output)
        text = model.to_sql(dialect, output)
        rows = in_duckdb(dialect, f"SELECT {text} FROM t", columns)
        assert repr(rows) == repr(expected)
        rows = in_duckdb(dialect, model.to_sql(dialect, output, "t"), columns)
        assert repr([row[-len(expected[0]) :] for row in rows]) == repr(expected)


@pytest.mark.parametrize("dialect", OTHERS)
def test_hostile_names_and_texts_in_other_dialects(dialect):
    names = [f"c={text}" for text in HOSTILE]
    coef = np.arange(1.0, len(HOSTILE) + 1.0)
    model = fl.LogisticModel(coef, 0.5, names, categories={"c": HOSTILE})
    query = f"SELECT {model.to_sql(dialect, 'logit')} FROM t"
    rows = in_duckdb(dialect, query, {"c": HOSTILE})
    assert np.ravel(rows).tolist() == (coef + 0.5).tolist()
    names = [name for name in HOSTILE if name != "a.b"]  # a path for BigQuery
    coef = coef[: len(names)]
    model = fl.LogisticModel(coef, 0.5, names)
    columns = {name: [float(k)] for k, name in enumerate(names)}
    rows = in_duckdb(dialect, f"SELECT {model.to_sql(dialect, 'logit')} FROM t", columns)
    np.testing.assert_allclose(rows, [[coef @ np.arange(coef.size) + 0.5]], rtol=1e-15)


# Errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dialect": "mysql"}, "dialect must be 'duckdb', .* or 'ansi'; got 'mysql'"),
        ({"output": "odds"}, "output must be 'probability', 'logit' or 'label'; got 'odds'"),
        ({"unknown": "error"}, "unknown must be 'null' or 'ignore'; got 'error'"),
        ({"offset": ["u", "v"]}, r"offset must be one column; got \['u', 'v'\]"),
        ({"offset": "z"}, "offset must be a column of its own, not that of a feature or of"),
        ({"offset": "Z"}, "feature_names and offset must .* not distinguish 'z' from 'Z'"),
        ({"offset": ""}, "offset must have a name; got ''"),
        ({"table": []}, r"table must have a name; got \[\]"),
        ({"offset": "fastlogit_z0"}, "offset must not be empty or begin with 'fastlogit_'; got"),
        ({"table": "t\0"}, r"table must have no NUL; got 't\\x00'"),
        ({"names": "p\0"}, r"names must have no NUL; got 'p\\x00'"),
        ({"names": ["p", "q"]}, r"names must have one name for each result, 1; got \['p', 'q'\]"),
        ({"names": ["Z"]}, "names must differ .*; got 'Z', which the dialect does not .* 'z'"),
        ({"names": "z"}, "names must differ from each other and from the model's columns; got 'z'"),
        ({"names": ""}, "names must have a name; got ''"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        LINE.to_sql(**options)


@pytest.mark.parametrize("options", [{"offset": 1}, {"table": 1}, {"table": {"a", "b"}}])
def test_names_of_a_wrong_type(options):
    with pytest.raises(TypeError, match="must be a sequence of names; got"):
        LINE.to_sql(**options)


@pytest.mark.parametrize(
    ("dialect", "names", "message"),
    [
        ("duckdb", None, "^model must have feature_names, as columns are found by name"),
        ("sqlite", ("a", "A"), "does not distinguish 'a' from 'A'"),
        ("postgres", ("é" * 40 + "a", "é" * 40 + "b"), "does not distinguish 'éé"),
        ("duckdb", ("a", "b\0"), "feature_names must have no NUL"),
        ("duckdb", ("a", ""), "feature_names must not be empty"),
        ("duckdb", ("a", "Fastlogit_z0"), "feature_names must not be empty or begin with"),
    ],
)
def test_names_that_a_database_lacks(dialect, names, message):
    with pytest.raises(ValueError, match=message):
        fl.LogisticModel([1.0, 2.0], 0.0, names).to_sql(dialect)


@pytest.mark.parametrize("offset", ["x", ["x"]])
def test_an_offset_that_is_a_feature(offset):
    model = fl.LogisticModel([1.0], 0.0, ("x",))
    with pytest.raises(ValueError, match=r"^offset must be a column of its own, .*; got 'x'$"):
        model.to_sql(offset=offset)
    model = fl.LogisticModel(np.eye(3, 1), 0.0, ("x",))
    with pytest.raises(ValueError, match=r"^offset must be a column of its own, .*; got 'o'$"):
        model.to_sql(offset=["o", "p", "o"])


def test_texts_that_a_database_lacks():
    model = fl.LogisticModel([1.0], 0.0, ("z",), classes=("a", "b\0c"))
    with pytest.raises(ValueError, match="classes must have no NUL"):
        model.to_sql(output="label")
    model = fl.LogisticModel([1.0], 0.0, ("c=\0",), categories={"c": ("\0",)})
    with pytest.raises(ValueError, match="categories must have no NUL"):
        model.to_sql()


def test_names_that_differ_in_the_case_of_other_letters(database):
    names = ("ä", "Ä", "ß", "ẞ")
    model = fl.LogisticModel([1.0, 2.0, 4.0, 8.0], 0.0, names)
    table = dict(zip(names, ([3.0], [5.0], [7.0], [9.0]), strict=True))
    query = f"SELECT {model.to_sql(database.dialect, 'logit')} FROM t"
    assert numbers(database.rows(query, table)) == [[113.0]]


def test_names_that_differ_in_case_where_the_database_tells_them_apart(postgres):
    model = fl.LogisticModel([1.0, 2.0], 0.0, ("a", "A"))
    query = f"SELECT {model.to_sql('postgres', 'logit')} FROM t"
    assert numbers(postgres.rows(query, {"a": [3.0], "A": [5.0]})) == [[13.0]]


def test_an_expression_that_is_too_long():
    model = fl.LogisticModel(np.ones((20, 500)), 0.0, [f"x{j}" for j in range(500)])
    with pytest.raises(ValueError, match="table must be given: without it, the SQL would have"):
        model.to_sql("snowflake")
    assert len(model.to_sql("snowflake", table="t")) < 1e6


def test_sqlite_does_not_read_an_absent_column_as_text():
    with sqlite3.connect(":memory:") as connection:
        connection.execute("CREATE TABLE t (x REAL)")
        connection.execute("INSERT INTO t VALUES (1.0)")
        with pytest.raises(sqlite3.OperationalError, match="no such column: z"):
            connection.execute(LINE.to_sql("sqlite", table="t"))
