"""The options of a CSV, and the values that its cells stand for."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from fastlogit.scoring import CSVOptions
from fastlogit.tables.csv_options import CellError

NAN = np.nan


@pytest.mark.parametrize(
    ("options", "cells"),
    [
        ({}, {"1": 1, " 2.5\t": 2.5, "+3e2": 300, "-.5": -0.5, "7.": 7, "\u00a08": 8, "007": 7}),
        ({}, {"true": 1, "True": 1, "TRUE": 1, "false": 0, "False": 0, " FALSE ": 0}),
        ({}, {"": NAN, " ": NAN, "\t": NAN, "NA": NAN, " NA ": NAN, "null": NAN, "N/A": NAN}),
        ({"null_values": ["?", "-"]}, {"?": NAN, "-": NAN, "": NAN, "  ": NAN, "-1": -1}),
        ({"null_values": []}, {"": NAN, "1": 1}),
        ({"null_values": ["-999"]}, {"-999": NAN, "-999.5": -999.5}),
        ({"decimal": ","}, {"1,5": 1.5, "-,5": -0.5, "2": 2, "1,5e3": 1500, "true": 1}),
        (
            {"thousands": ","},
            {"1,234": 1234, "-12,345.25": -12345.25, "12,34,567": 1234567, "1": 1, "1,000e2": 1e5},
        ),
        ({"thousands": ".", "decimal": ","}, {"1.234,5": 1234.5, "1.234.567": 1234567, "0,5": 0.5}),
        ({"thousands": " "}, {"1 234": 1234, " 12 345 ": 12345}),
        ({"thousands": "'"}, {"1'234.5": 1234.5, "1\u2019234\u2019567": 1234567}),
        ({"thousands": " "}, {"10\u00a0530": 10530, "1\u202f234.5": 1234.5, "1\u2009234": 1234}),
        (
            {"thousands": " ", "decimal": ","},
            {"10\u00a0530,00": 10530, "-1\u202f234\u202f567,5": -1234567.5, "1 000": 1000, "2": 2},
        ),
        ({"thousands": "\u00a0"}, {"10\u00a0530": 10530}),
    ],
)
def test_numbers_of_cells(options, cells):
    found = CSVOptions(**options).numbers(pa.array(list(cells)))
    assert found.type == pa.float64()
    expected = [None if np.isnan(number) else float(number) for number in cells.values()]
    assert found.to_pylist() == expected


@pytest.mark.parametrize(
    ("options", "cell", "remedy"),
    [
        ({}, "many", ""),
        ({}, "12%", ""),
        ({}, "1_000", ""),
        ({}, "tRUE", ""),
        ({}, "abc", ""),
        (
            {},
            "10\u00a0530,00",
            "csv=CSVOptions(thousands=' ', decimal=',') reads it as 10530",
        ),
        ({}, "10\u202f530", "csv=CSVOptions(thousands=' ') reads it as 10530"),
        ({"thousands": " "}, "10 53", ""),
        ({}, "1,5", "csv=CSVOptions(decimal=',') reads it as 1.5"),
        ({}, "1,234.5", "csv=CSVOptions(thousands=',') reads it as 1234.5"),
        ({}, "1,234", "csv=CSVOptions(thousands=',') reads it as 1234"),
        ({}, "0,234", "csv=CSVOptions(decimal=',') reads it as 0.234"),
        ({}, "1.234,5", "csv=CSVOptions(thousands='.', decimal=',') reads it as 1234.5"),
        ({}, "1 234", "csv=CSVOptions(thousands=' ') reads it as 1234"),
        ({"decimal": ","}, "1.5", "csv=CSVOptions(decimal='.') reads it as 1.5"),
        (
            {"decimal": ",", "thousands": "."},
            "1.5",
            "csv=CSVOptions(thousands=',', decimal='.') reads it as 1.5",
        ),
        ({"thousands": ","}, "1,23", "csv=CSVOptions(thousands='.', decimal=',') reads it as 1.23"),
        (
            {"thousands": ","},
            "1,2345",
            "csv=CSVOptions(thousands='.', decimal=',') reads it as 1.2345",
        ),
        ({"thousands": ","}, "1,234,5", ""),
        (
            {"thousands": ","},
            ",234",
            "csv=CSVOptions(thousands='.', decimal=',') reads it as 0.234",
        ),
    ],
)
def test_an_error_names_a_cell_and_the_option_that_would_read_it(options, cell, remedy):
    cells = pa.array(["1", "2", "", cell, "3", cell])
    with pytest.raises(CellError) as caught:
        CSVOptions(**options).numbers(cells)
    assert caught.value.place == 3
    ending = f" ({remedy})" if remedy else ""
    assert str(caught.value) == f"CSV conversion error to double: invalid value {cell!r}{ending}"


def test_all_cells_tell_whether_a_comma_is_a_decimal_sign():
    for cells, remedy in (
        (["1,573", "2,001"], "thousands=',') reads it as 1573)"),
        (["1,573", "11,5"], "decimal=',') reads it as 1.573)"),
        (["1,573", "0,500", "NA", "?"], "decimal=',') reads it as 1.573)"),
        (["1,573", "11.5"], "thousands=',') reads it as 1573)"),
    ):
        with pytest.raises(CellError) as caught:
            CSVOptions().numbers(pa.array(cells))
        assert str(caught.value).endswith(f"invalid value '1,573' (csv=CSVOptions({remedy}")


@pytest.mark.parametrize(
    "cell", ["?", "-", "*", ".", "#N/A", "n/a", "None", " missing ", "NIL", "#DIV/0!", "<NA>"]
)
@pytest.mark.parametrize("options", [{}, {"decimal": ",", "null_values": ["x"]}])
def test_an_error_names_the_option_that_makes_a_cell_missing(options, cell):
    with pytest.raises(CellError) as caught:
        CSVOptions(**options).numbers(pa.array(["1", cell]))
    before = options.get("null_values", ["NA", "N/A", "NULL", "null"])
    given = f"csv=CSVOptions(null_values={[cell.strip(), *before]!r})"
    assert str(caught.value).endswith(f" ({given} takes {cell!r} as missing)")
    taken = CSVOptions(**{**options, "null_values": [cell.strip(), *before]})
    assert taken.numbers(pa.array(["1", cell])).to_pylist() == [1.0, None]


@pytest.mark.parametrize("cell", ["abc", "many", "12%", "n/b", "nothing", "????", "--"])
def test_a_cell_that_says_something_is_not_offered_as_missing(cell):
    with pytest.raises(CellError) as caught:
        CSVOptions().numbers(pa.array([cell]))
    assert "null_values" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "written"),
    [
        ({}, "CSVOptions()"),
        ({"delimiter": ";", "decimal": ","}, "CSVOptions(delimiter=';', decimal=',')"),
        ({"null_values": ("?",)}, "CSVOptions(null_values=['?'])"),
        ({"encoding": "latin-1", "thousands": "'"}, None),
    ],
)
def test_options_are_written_as_they_are_given(options, written):
    given = CSVOptions(**options)
    assert eval(repr(given)) == given
    assert repr(given) == (written or repr(given))


def test_missing_values_among_texts():
    cells = pa.array(["NA", "GB", "", " ", "?", " GB"])
    assert CSVOptions().texts(cells).to_pylist() == [None, "GB", None, None, "?", " GB"]
    other = CSVOptions(null_values=["?"])  # so that Namibia is a country
    assert other.texts(cells).to_pylist() == ["NA", "GB", None, None, None, " GB"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delimiter": ""}, "delimiter must be one ASCII character that no number has; got ''"),
        ({"delimiter": ";;"}, "delimiter must be"),
        ({"delimiter": '"'}, "delimiter must be"),
        ({"delimiter": "1"}, "delimiter must be"),
        ({"delimiter": "¦"}, "delimiter must be"),
        ({"delimiter": 5}, "delimiter must be"),
        ({"decimal": ";"}, "decimal must be '.' or ','; got ';'"),
        ({"decimal": None}, "decimal must be"),
        ({"thousands": "."}, "thousands must be one character .* and not the decimal; got '.'"),
        ({"thousands": ",,"}, "thousands must be"),
        ({"thousands": "0"}, "thousands must be"),
        ({"encoding": "utf-99"}, "encoding must be one that Python knows, .* got 'utf-99'"),
        ({"encoding": "base64"}, "encoding must be"),
        ({"encoding": None}, "encoding must be"),
        ({"null_values": "NA"}, "null_values must be a sequence of texts; got 'NA'"),
        ({"null_values": 3}, "null_values must be a sequence"),
        ({"null_values": [1]}, "null_values must be texts; got 1"),
    ],
)
def test_options_that_cannot_be(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        CSVOptions(**options)


def test_options_are_spelled_in_one_way():
    assert CSVOptions(encoding="UTF8") == CSVOptions(encoding="utf-8") == CSVOptions()
    assert CSVOptions(null_values=["?"]) == CSVOptions(null_values=("?",))
