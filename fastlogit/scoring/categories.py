"""The categories of columns of text, and which columns of text are none."""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit.arrays import short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Identifiers have about as many values as there are rows: with fewer than two rows for each value
# there is nothing to learn of most of them.  Of a few rows that says little: examples are small.
_LEAST_ROWS = 50
# How many columns a message names.
_MOST_COLUMNS = 6

_SIGN, _CURRENCY, _BLANKS = (
    "[-+\u2212\u2013]?",
    "(?:[$€£¥₹]|[A-Z]{3}(?![A-Z]))?",
    "[ \u00a0\u202f]?",
)
_DIGITS = r"(?:\d{1,3}([,. '\u2019\u00a0\u202f])(?:\d{2,3}\1)*\d{3}|\d+)?(?:[.,]\d+|(?<=\d)[.,]?)"
# A unit stands behind a blank, as "1st" and "4WD" are categories.
_UNIT = "(?:[ \u00a0\u202f]?(?:[%‰$€£¥₹°]|[A-Z]{3})|[ \u00a0\u202f][A-Za-zµ°]{1,3}[²³]?)?"
_FORMATTED = re.compile(
    rf"\(?{_SIGN}{_BLANKS}{_CURRENCY}{_BLANKS}{_SIGN}{_DIGITS}(?:[eE][-+]?\d+)?{_UNIT}\)?-?"
)
_MONTH = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[.,]?"
_TIME = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[ap]m)?(?: ?(?:z|utc|[-+]\d{2}:?\d{2}))?"
_DATE = (
    r"(?:\d{4}([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.])\d{1,2}\2(?:\d{4}|\d{2})"
    rf"|\d{{1,2}}\.?[- ]{_MONTH}[- ]\d{{2,4}}|{_MONTH} \d{{1,2}},? \d{{4}}|{_MONTH}[- ]\d{{4}}"
    r"|\d{4}-(?:0[1-9]|1[0-2]))"
)
_DATE_OR_TIME = re.compile(rf"(?:{_DATE}(?:(?:,? |t){_TIME})?|{_TIME})", re.IGNORECASE)


class Place(NamedTuple):
    """Where a value is."""

    file: str
    row: int


class Categories:
    """The texts of a column, numbered in the order in which they come."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        # Of each, where it came first.
        self.places: list[Place] = []

    def number(self, column: Any, file: str, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Number the values of some rows of a file, of which none is null."""
        encoded = column.dictionary_encode()
        texts = encoded.dictionary.to_pylist()
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        if not self.numbers.keys() >= set(texts):
            _, first = np.unique(codes, return_index=True)
            for text, row in zip(texts, rows[first].tolist(), strict=True):
                if text not in self.numbers:
                    self.numbers[text] = len(self.numbers)
                    self.places.append(Place(file, row))
        number_of = np.array([self.numbers[text] for text in texts], np.int32)
        result: NDArray[np.int32] = number_of[codes]
        return result

    def sorted(self) -> tuple[str, ...]:
        """All texts."""
        return tuple(sorted(self.numbers))


def refuse(name: str, columns: dict[str, Categories], rows: int, *, has_options: bool) -> None:
    """Raise one error for all columns of text that are numbers, dates or identifiers.

    Parameters
    ----------
    name : str
        What messages call the table.
    columns : dict of str to Categories
        Columns that nobody has called categorical.
    rows : int
    has_options : bool
        Whether :class:`~fastlogit.scoring.CSVOptions` could make numbers of them.
    """
    found = {}
    for column, categories in columns.items():
        if reason := _why_none(categories, name, rows, has_options=has_options):
            found[column] = reason
    if not found:
        return
    shown = list(found)[:_MOST_COLUMNS]
    reasons = [f"column {short(column)} {found[column]}" for column in shown]
    reasons += [f"{len(found) - len(shown)} more columns are such"] * (len(found) > len(shown))
    it = "it" if len(found) == 1 else "them"
    raise ValueError(
        f"{name}: {'; '.join(reasons)} (categorical={shown!r} takes {it} as text, "
        f"ignore={shown!r} leaves {it} out)"
    )


def _why_none(categories: Categories, name: str, rows: int, *, has_options: bool) -> str | None:
    """Why the texts of a column are no categories, or None."""
    texts = list(categories.numbers)

    def example(text: str) -> str:
        file, row = categories.places[categories.numbers[text]]
        return f"{short(text)} in row {row}{'' if file == name else f' of {file}'}"

    numbers = [text for text in texts if is_number(text)]
    if numbers:
        others = [text for text in texts if not is_number(text)]
        if not others:
            return f"holds numbers as text, as {example(numbers[0])}"
        remedy = f" (null_values={others[:_MOST_COLUMNS]!r} takes it as missing)"
        return (
            f"has numbers, as {short(numbers[0])}, and other text, as {example(others[0])}"
            + remedy * has_options
        )
    for pattern, kind in ((_DATE_OR_TIME, "dates or times"), (_FORMATTED, "formatted numbers")):
        fitting = [text for text in texts if pattern.fullmatch(text.strip())]
        if 2 * len(fitting) > len(texts):
            options = _options(texts) if has_options else []
            remedy = f" ({' or '.join(options)} reads them as numbers)" if options else ""
            return f"looks like {kind}, as {example(fitting[0])}{remedy}"
    if rows > _LEAST_ROWS and 2 * len(texts) > rows:
        return (
            f"has {len(texts):,} different texts in {rows:,} rows, which identify rows, as "
            f"{example(texts[0])}"
        )
    return None


def is_number(text: str) -> bool:
    """Whether Python reads a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _options(texts: Sequence[str]) -> list[str]:
    """Options with which all texts are numbers."""
    found = []
    for thousands, decimal in product((None, *",. '\u2019"), ".,"):
        if thousands != decimal and all(_is_written(text, thousands, decimal) for text in texts):
            given = {"thousands": thousands, "decimal": decimal if decimal != "." else None}
            found.append(", ".join(f"{key}={one!r}" for key, one in given.items() if one))
    return found[:2]


def _is_written(text: str, thousands: str | None, decimal: str) -> bool:
    mark = re.escape(thousands) if thousands else ""
    digits = rf"(?:\d+|\d{{1,3}}(?:{mark}\d{{3}})+)" if thousands else r"\d+"
    pattern = (
        rf"[-+]?(?:{digits}(?:{re.escape(decimal)}\d*)?|{re.escape(decimal)}\d+)(?:[eE][-+]?\d+)?"
    )
    return re.fullmatch(pattern, text.strip()) is not None
