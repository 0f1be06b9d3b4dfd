"""Text columns: categories, or numbers, dates and identifiers."""

from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import fastlogit as fl
from fastlogit.scoring import CSVOptions, read_table
from fastlogit.training.table.categories import Categories, choose_categories, find_categories
from tests.scoring_data import write

T = [0, 1, 1, 0]


def refused(table, label="t", **options):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        read_table(table, label, **options)
    return str(error.value)


NUMBERS = [
    ["1,234", "900", "12,345"],
    ["1,5", "2,25", "10,0"],
    ["$12.50", "$3", "$1,200.00"],
    ["12%", "3.5%", "100 %"],
    ["€ 3", "€ 4,50", "€ 1.000,00"],
    ["3 €", "12,50 €", "1 EUR"],
    ["1 234", "12 345 678", "1 000,5"],
    ["1\u00a0234", "2\u202f000", "3\u00a0000"],
    ["(12)", "($1,200.00)", "(3)"],
    ["1'234", "2'000'000.5", "3'000"],
    ["12,34,567", "1,00,000", "2,00,00,000"],
    ["5 kg", "1e5 kg", "0.5 kg"],
    ["1.8kg", "2kg", "0.75kg"],
    ["10L", "1.5L", "20L"],
    ["5 miles", "1 mile", "12 miles"],
    ["64GB", "128 GB", "1TB"],
    ["90 min", "45min", "2 hours"],
    ["100 km/h", "50km/h", "80 km/h"],
    ["20 m²", "35m²", "50.5 m²"],
    ["21°C", "3.5 °C", "-4 ° C"],
    ["USD 5", "EUR 1,000", "7 GBP"],
    ["US$5", "A$ 7", "5CHF"],
    ["+1", "-2", "3"],
    ["1e5", ".5", "7."],
]
DATES = [
    ["2013-01-02", "2013-12-31", "2014-02-28"],
    ["01/02/2013", "1/2/2013", "12/31/99"],
    ["2.1.2013", "31.12.2013", "1.1.14"],
    ["2013-01-02T12:30:00Z", "2013-01-02 12:30:00.123", "2013-01-02 12:30:00+01:00"],
    ["12:30", "1:05", "23:59:59"],
    ["3:05 PM", "12:00 am", "11:59 pm"],
    ["5 Jan 2013", "05-JAN-13", "Jan 5, 2013"],
    ["2013-01", "2013-02", "2013-12"],
    ["2010-11", "2011-12", "2012-01"],
    ["Mon Jan 1 2020", "Tue Jan 2 2020", "Wednesday Mar 13 2020"],
    ["Mon, 01 Jan 2020 10:00:00 GMT", "Thu, 12 Mar 2020 23:59:59 +0000", "Sat, 1 Feb 2020"],
    ["Mon Jan  1 10:00:00 2020", "Tue Dec 12 23:00:01 2020", "Fri Mar  3 00:00:00 2021"],
    ["2020年1月1日", "2020年12月31日", "2021年2月3日"],
    ["2020년 1월 1일", "2020년 12월 31일", "2021년 2월 3일"],
    ["1. Januar 2020", "12. März 2020", "24. Dez. 2020"],
    ["1 janvier 2020", "14 juillet 2020", "25 déc. 2020"],
]
CATEGORIES = [
    ["1st", "2nd", "3rd"],
    ["2WD", "4WD", "AWD"],
    ["10+", "<1", "1-9"],
    ["0-17", "18-64", "65+"],
    ["10+ years", "2 years", "< 1 year"],
    ["E11.9", "V27", "C85"],
    ["May", "Mar", "jan"],
    ["Q1", "Q2", "2013-Q3"],
    ["v1.2", "1.2.3.4", "2.x"],
    ["-", "%", "$"],
    ["USD", "EUR", "kg"],
    ["<=50K", ">50K", "a,b"],
    ["CAT1", "CAT2", "CAT3"],
    ["EUR1", "EUR5", "EUR6"],
    ["LOT 5", "LOT 7", "LOT 12"],
    ["BUS 12", "BUS 7", "TRAM 3"],
    ["BMW 320", "BMW 520", "VW 3"],
    ["ABC 1", "ABC 2", "ABC 3"],
    ["12 A", "12 B", "7 F"],
    ["101 A", "101A", "203 V"],
    ["2010-11", "2011-12", "2012-13"],
    ["1998-99", "1999-00", "2000-01"],
    ["50:50", "70:30", "25:75"],
    ["16:9", "4:3", "21:9"],
    ["36 months", "60 months", "24 months"],
    ["4K", "8K", "720p"],
]


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".tsv", ".arrow"])
@pytest.mark.parametrize("texts", [*NUMBERS[:4], *DATES[:2]], ids=lambda texts: texts[0])
def test_formatted_numbers_and_dates_are_told_in_every_format(tmp_path, texts, suffix):
    table = pa.table({"x": [1.0, 2, 3, 4], "k": [texts[0], *texts], "t": T})
    path = tmp_path / f"in{suffix}"
    if suffix in (".csv", ".parquet"):
        write(table, path)
    elif suffix == ".tsv":
        pd.DataFrame(table.to_pydict()).to_csv(path, sep="\t", index=False)
    else:
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    message = refused(path)
    assert message.startswith(f"{path}: column 'k' ")
    assert f"'{texts[0]}' in row 0" in message
    assert message.endswith("(categorical=['k'] takes it as text, ignore=['k'] leaves it out)")
    assert read_table(path, "t", ignore=["k"]).feature_names == ("x",)
    found = read_table(path, "t", categorical=["k"])
    assert found.categories == {"k": tuple(sorted(texts))}


@pytest.mark.parametrize("texts", NUMBERS, ids=lambda texts: texts[0])
def test_formatted_numbers_are_no_categories(texts):
    is_plain = texts[0] in ("+1", "1e5")
    kind = "holds numbers as text" if is_plain else "looks like formatted numbers"
    assert kind in refused({"k": texts, "t": T[:3]})


@pytest.mark.parametrize("texts", DATES, ids=lambda texts: texts[0])
def test_dates_and_times_are_no_categories(texts):
    assert "column 'k' looks like dates or times, such as " in refused({"k": texts, "t": T[:3]})
    message = refused({"k": [*texts, "unknown"], "t": T})
    assert "looks like dates or times" in message


@pytest.mark.parametrize("texts", CATEGORIES, ids=lambda texts: texts[0])
def test_other_texts_are_categories(texts):
    assert read_table({"k": texts, "t": T[:3]}, "t").categories == {"k": tuple(sorted(texts))}


FRAMES = {
    "pandas": lambda texts: pd.DataFrame({"k": texts, "t": T}),
    "pandas categorical": lambda texts: pd.DataFrame({"k": pd.Categorical(texts), "t": T}),
    "polars": lambda texts: pl.DataFrame({"k": texts, "t": T}),
    "polars categorical": lambda texts: pl.DataFrame(
        {"k": pl.Series(texts, dtype=pl.Categorical), "t": T}
    ),
    "large strings": lambda texts: pa.table({"k": pa.array(texts, pa.large_string()), "t": T}),
    "string views": lambda texts: pa.table({"k": pa.array(texts, pa.string_view()), "t": T}),
    "dictionaries": lambda texts: pa.table({"k": pa.array(texts).dictionary_encode(), "t": T}),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_frames_in_memory_are_checked_too(kind):
    make = FRAMES[kind]
    assert "holds numbers as text, such as '12' in row 0" in refused(make(["12", "7", "12", "3.5"]))
    assert "has numbers, such as '12', and other text, such as 'many' in row 2 (cat" in refused(
        make(["12", "7", "many", "12"])
    )
    assert read_table(make(list("abca")), "t").categories == {"k": ("a", "b", "c")}


def test_identifiers_are_told():
    rows = 2000
    table = {"x": np.arange(rows), "id": [f"a{row}" for row in range(rows)], "t": [0, 1] * 1000}
    message = refused(table)
    assert "column 'id' has 2,000 different texts in 2,000 rows, which identify rows" in message
    assert "as 'a0' in row 0" in message
    assert len(read_table(table, "t", categorical=["id"]).categories["id"]) == rows
    table["id"] = [f"a{row // 2}" for row in range(rows)]  # two rows each
    assert "column 'id' has 1,000 different texts in 2,000 rows, which id" in refused(table)
    table["id"] = [f"a{row // 3}" for row in range(rows)]
    assert len(read_table(table, "t").categories["id"]) == 667


def test_identifiers_are_told_only_if_grouping_leaves_them():
    rows = 2000
    table = {"x": np.arange(rows), "id": [f"a{row}" for row in range(rows)], "t": [0, 1] * 1000}
    found = read_table(table, "t", min_count=2)
    assert found.categories == {"id": (None,)}
    assert found.notes == (
        "column 'id' of dict has fewer than 2 rows of each text, so all are one category "
        "(ignore=['id'] leaves it out)",
    )
    table["id"] = [f"a{row // 2}" for row in range(rows)]  # two rows each
    assert "column 'id' has 1,000 different texts in 2,000 rows" in refused(table, min_count=2)
    table["id"] = ["b" if row % 2 else f"a{row}" for row in range(rows)]
    assert "column 'id' has 1,001 different texts in 2,000 rows" in refused(table)
    found = read_table(table, "t", min_count=2)
    assert (found.categories, found.notes) == ({"id": ("b", None)}, ())


def test_other_reasons_hold_for_rare_texts_too():
    assert "numbers, such as '7', and other" in refused({"k": list("aa7b"), "t": T}, min_count=2)
    assert "looks like dates" in refused({"k": DATES[0], "t": T[:3]}, min_count=9)


@pytest.mark.parametrize(("rows", "is_told"), [(50, False), (51, True)])
def test_small_tables_may_have_a_text_for_each_row(rows, is_told):
    table = {"id": [f"a{row}" for row in range(rows)], "t": [0, 1, *[0] * (rows - 2)]}
    if is_told:
        assert "identify rows" in refused(table)
    else:
        assert len(read_table(table, "t").categories["id"]) == rows


@pytest.mark.parametrize(("rows", "different"), [(19, 19), (20, 20), (50, 50), (30, 29)])
def test_a_text_for_each_row_is_noted(rows, different):
    k = [f"a{row % different}" for row in range(rows)]
    found = read_table({"k": k, "t": [0, 1, *[0] * (rows - 2)]}, "t")
    note = (
        f"column 'k' of dict has a category for each of its {rows} rows (ignore=['k'] leaves it "
        "out)"
    )
    assert found.notes == ((note,) if rows == different >= 20 else ())


def test_all_columns_are_told_at_once():
    table = {
        "price": ["$1", "$2", "$3", "$4"],
        "day": ["2013-01-02", "2013-01-03", "2013-01-02", "2013-01-03"],
        "from": ["JFK", "LGA", "JFK", "LGA"],
        "size": ["1", "2", "big", "1"],
        "t": T,
    }
    assert refused(table) == (
        "dict: column 'price' looks like formatted numbers, such as '$1' in row 0; "
        "column 'day' looks like dates or times, such as '2013-01-02' in row 0; "
        "column 'size' has numbers, such as '1', and other text, such as 'big' in row 2 "
        "(categorical=['price', 'day', 'size'] takes them as text, "
        "ignore=['price', 'day', 'size'] leaves them out)"
    )


def test_many_columns_are_not_all_listed():
    table = {f"k{j}": ["$1", "$2", "$3", "$4"] for j in range(20)} | {"t": T}
    assert "; 14 more columns are such (" in refused(table)


@pytest.mark.parametrize(
    ("texts", "nulls"),
    [
        (["1", "2", "?"], ["?"]),
        (["1", "2", "-", "1", "#N/A", "."], ["-", "#N/A", "."]),
        (["1.5", "#VALUE!"], ["#VALUE!"]),
        (["1", "Missing", "unknown"], ["Missing", "unknown"]),
        (["1", "n.a.", "<NA>"], ["n.a.", "<NA>"]),
        (["red", "nan", "blue"], ["nan"]),
        (["NaN", "red", "blue", "nan"], ["NaN", "nan"]),
        (["1", "2", "3+"], None),
        (["1", "12345", "K1A 0B1"], None),
        (["1", "?", "many"], None),
        (["1", "?", "-", ".", "--"], None),
        (["1", "---------"], None),
        (["Inf", "red"], None),
    ],
)
def test_only_texts_that_look_missing_are_proposed_as_missing(tmp_path, texts, nulls):
    path = tmp_path / "in.csv"
    path.write_text("k,t\n" + "".join(f"{text},{t % 2}\n" for t, text in enumerate(texts)))
    message = refused(path)
    assert "(categorical=['k'] takes it as text, " in message
    if nulls is None:
        assert "null_values" not in message
    else:
        assert f"(csv=CSVOptions(null_values={[*nulls, 'NA', 'N/A', 'NULL', 'null']!r})" in message
        how = CSVOptions(null_values=nulls)
        data = read_table(path, "t", csv=how, missing="skip", categorical=["k"])
        assert data.categories == {"k": tuple(sorted(set(texts) - set(nulls)))}


def test_the_file_of_a_folder_is_named(tmp_path):
    (tmp_path / "in").mkdir()
    for name, texts in (("1", ["a", "b"]), ("2", ["a", "7"])):
        table = pa.table({"k": texts, "t": [0, 1]})
        write(table, tmp_path / "in" / f"{name}.parquet")
    message = refused(tmp_path / "in")
    assert (
        f"has numbers, such as '7', and other text, such as 'a' in row 0 of {tmp_path}" in message
    )


@pytest.mark.parametrize(
    ("texts", "remedy"),
    [
        (["1,234", "5,678"], "(csv=CSVOptions(thousands=',') reads it as 1234)"),
        (["573", "1,573", "12", "2,001"], "as '1,573' in row 1 (csv=CSVOptions(thousands=',') r"),
        (["1,234,567", "12,345"], "(csv=CSVOptions(thousands=',') reads it as 1234567)"),
        (["0,123", "1,234"], "(csv=CSVOptions(decimal=',') reads it as 0.123)"),
        (["1,234", "12,5"], "(csv=CSVOptions(decimal=',') reads it as 1.234)"),
        (["1,5", "2,25"], "(csv=CSVOptions(decimal=',') reads it as 1.5)"),
        (["1.234,5", "1,0"], "(csv=CSVOptions(thousands='.', decimal=',') reads it as 1234.5)"),
        (["1,234.5", "2,000.0"], "(csv=CSVOptions(thousands=',') reads it as 1234.5)"),
        (["1 234", "2 000"], "(csv=CSVOptions(thousands=' ') reads it as 1234)"),
        (["900", "1,234"], "as '1,234' in row 1 (csv=CSVOptions(thousands=',') reads it as 1234)"),
        (["1,5", "2,5", "?"], "(csv=CSVOptions(decimal=',') reads it as 1.5)"),
        (["1,234", "1,234 kg"], "as '1,234' in row 0 (categorical=["),
    ],
)
def test_options_of_a_csv_that_would_read_numbers_are_told(tmp_path, texts, remedy):
    path = tmp_path / "in.tsv"
    path.write_text("k\tt\n" + "".join(f"{text}\t{t % 2}\n" for t, text in enumerate(texts)))
    assert remedy in refused(path)


@pytest.mark.parametrize(
    ("other", "remedy"),
    [
        ("2\t3", "csv=CSVOptions(decimal=',') reads it as 1.5)"),
        ("2.5\t3.0", None),  # a decimal point
        ("2,5\t3,25", "csv=CSVOptions(decimal=',') reads it as 1.5)"),
        ("2,500\t3,000", None),  # groups of digits
        ("2.000,5\t3", "csv=CSVOptions(decimal=',', thousands='.') reads it as 1.5)"),
        ("2 000\t3", "csv=CSVOptions(decimal=',', thousands=' ') reads it as 1.5)"),
        ("2 000.5\t3", None),
        ("2,000.5\t3", None),
        ("2%\t3%", "csv=CSVOptions(decimal=',') reads it as 1.5)"),
        ("a\tb", "csv=CSVOptions(decimal=',') reads it as 1.5)"),
    ],
)
def test_options_of_a_csv_are_told_only_if_they_suit_all_columns(tmp_path, other, remedy):
    path = tmp_path / "in.tsv"
    first, second = other.split("\t")
    path.write_text(f"k\tx\tt\n1,5\t{first}\t0\n2,25\t{second}\t1\n")
    message = refused(path)
    assert ("CSVOptions" in message) == (remedy is not None)
    assert (remedy or "(categorical=['k'") in message


def test_points_where_commas_are_expected_are_told(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("k;t\n1.5;0\n2.25;1\n")
    message = refused(path, csv=CSVOptions(delimiter=";", decimal=","))
    assert "as '1.5' in row 0 (csv=CSVOptions(decimal='.') reads it as 1.5)" in message


def test_words_among_numbers_are_told_with_the_options_that_are_there(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("k;x;t\n" + "1,5;1;0\n2,5;2;1\n-;3;0\n3,5;4;1\nk.A.;5;1\n")
    how = CSVOptions(delimiter=";", decimal=",", null_values=["NA"])
    message = refused(path, csv=how)
    assert (
        "has numbers, such as '1,5', and other text, such as '-' in row 2 "
        "(csv=CSVOptions(null_values=['-', '" in (message)
    )
    how = CSVOptions(delimiter=";", decimal=",", null_values=["-", "k.A.", "NA"])
    assert read_table(path, "t", csv=how, missing="skip").X.tolist() == [
        [1.5, 1],
        [2.5, 2],
        [3.5, 4],
    ]


@pytest.mark.parametrize(
    "values",
    [
        [datetime.date(2013, 1, 2)] * 4,
        [datetime.datetime(2013, 1, 2)] * 4,
        [datetime.time(1, 2)] * 4,
        [datetime.timedelta(1)] * 4,
        [b"a"] * 4,
        [[1.0]] * 4,
    ],
    ids=lambda values: type(values[0]).__name__,
)
def test_types_that_are_neither_numbers_nor_text_are_told_with_the_remedy(values):
    message = refused({"x": [1.0, 2, 3, 4], "when": values, "t": T})
    assert "column 'when' must hold numbers" in message
    assert "ignore=['when']" in message


def test_decimals_are_numbers():
    table = pa.table({"x": pa.array(map(Decimal, ["1.5", "2.5", "3.5", "4.5"])), "t": T})
    assert read_table(table, "t").X.tolist() == [[1.5], [2.5], [3.5], [4.5]]


FLAGS = [True, False, True, True]


def flags(folder, kind):
    """A table with a column of booleans, in one of the formats."""
    path = folder / f"{kind}.{kind.split()[-1]}"
    data = {"b": FLAGS, "x": [1.0, 2, 3, 4], "t": T}
    if kind == "pandas csv":
        pd.DataFrame(data).to_csv(path, index=False)
    elif kind == "polars csv":
        pl.DataFrame(data).write_csv(path)
    elif kind == "capitals csv":
        pd.DataFrame(data | {"b": ["TRUE", "FALSE", "True", "true"]}).to_csv(path, index=False)
    elif kind == "text parquet":
        pl.DataFrame(data | {"b": list(map(str, FLAGS))}).write_parquet(path)
    else:
        pl.DataFrame(data).write_parquet(path)
    return path


def test_booleans_are_the_same_categories_in_all_formats(tmp_path):
    kinds = ["pandas csv", "polars csv", "capitals csv", "text parquet", "parquet"]
    sources = [flags(tmp_path, kind) for kind in kinds]
    sources += [pd.read_parquet(sources[-1]), pl.read_parquet(sources[-1])]
    expected = [[1.0, 0, 1], [2, 1, 0], [3, 0, 1], [4, 0, 1]]
    for source in sources:
        found = read_table(source, "t", categorical=["b"])
        assert found.categories == {"b": ("false", "true")}
        assert found.X.toarray().tolist() == expected
    for categories in (("false", "true"), ("False", "True"), ("FALSE", "TRUE")):
        names = ("x", *(f"b={one}" for one in categories))
        model = fl.LogisticModel([0.0, 1.0, 2.0], 0.0, names, categories={"b": categories})
        for path in sources[: len(kinds)]:
            out = tmp_path / "out.npy"
            fl.score(model, path, out, output="logit", force=True)
            assert np.load(out).tolist() == [2.0, 1.0, 2.0, 2.0]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("reverse", [False, True])
def test_booleans_among_the_integers_of_another_file_are_integers(tmp_path, suffix, reverse):
    columns = [[True, False, True], [1, 0, 2]]
    for name, values in zip("ab", columns[::-1] if reverse else columns, strict=True):
        write(pa.table({"c": values, "t": [0, 1, 1]}), tmp_path / f"{name}.{suffix}")
    found = read_table(tmp_path, "t", categorical=["c"])
    assert found.categories == {"c": ("0", "1", "2")}
    rows = [[0, 1, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    assert found.X.toarray().tolist() == [*rows[reverse], *rows[not reverse]]
    model = fl.LogisticModel([5.0, 6, 7], 0.0, ("c=0", "c=1", "c=2"), categories=found.categories)
    fl.score(model, tmp_path, tmp_path / "out.npy", output="logit")
    first = [6.0, 5, 6], [6.0, 5, 7]
    assert np.load(tmp_path / "out.npy").tolist() == [*first[reverse], *first[not reverse]]


# Rare categories ----------------------------------------------------------------------------


def test_texts_are_counted_in_the_order_of_their_numbers():
    texts = Categories()
    for batch in (["b", "a", "b"], [], ["c", "a", "b"], ["a"]):
        texts.number(pa.array(batch, pa.string()), "file", np.arange(len(batch)))
    assert list(texts.numbers) == ["b", "a", "c"]
    assert texts.counts == [3, 3, 1]


@pytest.mark.parametrize(
    ("counts", "min_count", "categories"),
    [
        ({"b": 2, "a": 1}, 1, ("a", "b")),
        ({"b": 2, "a": 1}, 2, ("b", None)),
        ({"b": 2, "a": 3}, 2, ("a", "b")),
        ({"b": 2, "a": 1}, 3, (None,)),
        ({"a": 9, "": 1, "b": 9}, 2, ("a", "b", None)),
        ({"true": 2, "TRUE": 1, "False": 2}, 3, ("true", None)),
        ({"true": 2, "1": 1, "0": 2, "2": 3}, 3, ("1", "2", None)),
        ({"true": 2, "TRUE": 1, "other": 3}, 3, ("other", None)),
    ],
)
def test_rare_texts_are_grouped(counts, min_count, categories):
    assert choose_categories(counts, list(counts.values()), min_count) == categories


@pytest.mark.parametrize(
    ("texts", "categories", "places"),
    [
        ("bca", ("a", "b", None), [1, 2, 0]),
        ("ab", (None,), [0, 0]),
        (["TRUE", "0", "1"], ("true", None), [0, 1, 0]),
        (["TRUE", "x", "True"], ("True", None), [0, 1, 0]),
        (["TRUE", "x", "True"], ("True", "x", None), [2, 1, 0]),
    ],
)
def test_training_finds_a_category_where_scoring_does(texts, categories, places):
    assert find_categories(texts, categories).tolist() == places
    names = [f"k={one}" for one in categories[:-1]] + ["k (all others)"]
    coef = np.arange(len(names))
    model = fl.LogisticModel(coef, 0.0, names, categories={"k": categories})
    assert model.decision({"k": list(texts)}).tolist() == places


def test_merged_texts_are_those_of_one_read():
    rng = np.random.default_rng(0)
    texts = rng.choice([f"x{number}" for number in range(40)], 100)
    whole, parts = Categories(), []
    whole.number(pa.array(texts), "a", np.arange(100))
    for first in range(0, 100, 15):
        parts.append(Categories())
        few = texts[first : first + 15]
        parts[-1].number(pa.array(few), "a", np.arange(first, first + len(few)))
    before = [dict(one.numbers) for one in parts]
    merged = parts[0].merge([parts[1].merge(parts[2:4]), *parts[4:]])
    for name in ("numbers", "places", "counts"):
        assert getattr(merged, name) == getattr(whole, name)
    assert list(merged.numbers) == list(whole.numbers)
    assert [one.numbers for one in parts] == before
