"""How a CSV is written: what its cells stand for, and options that say so."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from fastlogit.scoring import CSVOptions
from fastlogit.scoring.csv_options import CellError

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
        ({"thousands": "'"}, {"1'234.5": 1234.5}),
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
        ({}, "?", ""),
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
        ({"null_values": ["?"]}, "NA", ""),
    ],
)
def test_a_cell_that_is_no_number_is_named_with_what_would_read_it(options, cell, remedy):
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


def test_what_is_missing_among_texts():
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
        ({"thousands": "."}, "thousands must be one character .* another than decimal; got '.'"),
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
