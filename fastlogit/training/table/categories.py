"""The categories of text columns, and the reasons why a text column can have none.

A column of formatted numbers, dates or identifiers would have a feature for almost every row.  Such
a column is an error unless the user calls it categorical.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit.core.arrow import string_array
from fastlogit.core.checks import shown
from fastlogit.matrix import onehot
from fastlogit.tables.csv_options import looks_missing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from numpy.typing import NDArray

    from fastlogit.tables.csv_options import CSVOptions

# A column identifies rows if each of its texts has at most two rows on average: most coefficients
# would then describe one row.  In a table of at most this many rows, categories can be as rare.
_FEW_ROWS = 50
# Most texts of a column that a message proposes as missing values.
_MOST_NULLS = 3
# Most columns that a message names.
MOST_COLUMNS = 6

# Numbers as people write them: "-1,234.50", "(12)", "$ 3", "EUR 4", "12 %", "1e5 kg", "1'234".
_SIGN = "[-+\u2212\u2013]?"
_BLANK = "[ \u00a0\u202f]?"
_SYMBOL = r"(?:(?:US|AU?|CA?|NZ|HK|R)?\$|[€£¥₹₽₩₺₪])"
# Codes of currencies, except those that are words, such as ALL and TOP.
_CODE = (
    "(?:USD|EUR|GBP|JPY|CHF|CAD|AUD|NZD|CNY|RMB|HKD|SGD|SEK|NOK|DKK|ISK|PLN|CZK|HUF|RON|BGN|RUB|UAH"
    "|INR|IDR|MYR|THB|PHP|KRW|TWD|VND|BRL|MXN|ARS|CLP|ZAR|NGN|EGP|KES|AED|SAR|ILS|PKR|BDT)"
)
# "EUR 4" is an amount; "EUR4" is a name, like "CAT1".
_CURRENCY = f"(?:{_SYMBOL}|{_CODE}(?=[ \u00a0\u202f]))?"
_DIGITS = r"(?:\d{1,3}([,. '\u2019\u00a0\u202f])(?:\d{2,3}\1)*\d{3}|\d+)?(?:[.,]\d+|(?<=\d)[.,]?)"
# Other letters are no units: "12 A" is a seat, and "36 months" is a choice.
_UNIT = (
    f"(?:{_BLANK}(?:[%‰°]|° ?[CF]|{_SYMBOL}|{_CODE}|[glmsht]|L"
    "|(?i:mg|[µu]g|kg|kgs|lbs?|oz|tons?|[mcµn]m|km|mi|miles?|ft|feet|inch(?:es)?|yds?|yards?"
    "|[mcd]l|lit(?:er|re)s?|gal|gallons?|[mµn]s|secs?|seconds?|mins?|minutes?|hrs?|hours?"
    "|[kmg]w|[kmg]?wh|[kmg]?hz|[kmgt]i?b|km/h|kmh|kph|mph|m/s|m[²³]|km²|ha|acres?|[hk]?pa|mbar|psi"
    "|k?cal|kj|px|pts|kr|zł|kč)))?"
)
_FORMATTED = rf"\(?{_SIGN}{_BLANK}{_CURRENCY}{_BLANK}{_SIGN}{_DIGITS}(?:[eE][-+]?\d+)?{_UNIT}\)?-?"
# Dates with a year, or a year and a month, and times of day.
_DAY = "(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*[.,]{0,2} )?"
_MONTH = (
    "(?:jan|ene|feb|fev|fév|mar|mär|mrz|apr|abr|avr|may|mai|jun|jui|jul|aug|ago|aoû|sep|oct|okt"
    r"|nov|dec|dez|déc|dic)[^\W\d_]*[.,]?"
)
_TIME = (
    r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:[.,]\d+)?)?(?: ?[ap]m)?"
    r"(?: ?(?:z|utc|gmt|[ecmp][sd]t|[-+]\d{2}:?\d{2}))?"
)
_DATE = (
    r"(?:\d{4}([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.])\d{1,2}\2(?:\d{4}|\d{2})"
    rf"|\d{{1,2}}\.?[- ]{_MONTH}[- ]\d{{2,4}}|{_MONTH}  ?\d{{1,2}},? (?:{_TIME} )?\d{{4}}"
    rf"|{_MONTH}[- ]\d{{4}}|\d{{4}}-(?:0[1-9]|1[0-2])"
    r"|\d{4}[年년] ?\d{1,2}[月월](?: ?\d{1,2}[日일])?)"
)
_DATE_OR_TIME = rf"(?i)(?:{_DAY}{_DATE}(?:(?:,? |t){_TIME})?|{_TIME})"
# A year and the next one, such as "2013-14".
_YEARS = r"(\d{4})-(\d{2})"


class Place(NamedTuple):
    """The file and row of a value."""

    file: str
    row: int


class Categories:
    """The distinct texts of a column, numbered in order of appearance, and counted."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        # The first place of each, and the number of its rows.
        self.places: list[Place] = []
        self.counts: list[int] = []

    def number(self, column: Any, file: str, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Number the texts in some rows of a file; no text may be null."""
        encoded = column.dictionary_encode()
        texts = encoded.dictionary.to_pylist()
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        if not self.numbers.keys() >= set(texts):
            _, first = np.unique(codes, return_index=True)
            for text, row in zip(texts, rows[first].tolist(), strict=True):
                if text not in self.numbers:
                    self.numbers[text] = len(self.numbers)
                    self.places.append(Place(file, row))
                    self.counts.append(0)
        numbers = [self.numbers[text] for text in texts]
        counts = np.bincount(codes, minlength=len(texts)).tolist()
        for number, count in zip(numbers, counts, strict=True):
            self.counts[number] += count
        result: NDArray[np.int32] = np.array(numbers, np.int32)[codes]
        return result

    def merge(self, others: Iterable[Categories]) -> Categories:
        """The texts of these rows and of later ones, as a new object."""
        merged = Categories()
        merged.numbers, merged.places, merged.counts = (
            self.numbers.copy(),
            [*self.places],
            [*self.counts],
        )
        for one in others:
            for text, place, count in zip(one.numbers, one.places, one.counts, strict=True):
                number = merged.numbers.setdefault(text, len(merged.counts))
                if number == len(merged.counts):
                    merged.places.append(place)
                    merged.counts.append(0)
                merged.counts[number] += count
        return merged


def choose_categories(
    texts: Collection[str], counts: Sequence[int], min_count: int
) -> tuple[str | None, ...]:
    """The categories of a column, in the order of their features.

    Parameters
    ----------
    texts, counts : collection of str, sequence of int
        The distinct texts of the column, and the number of rows of each.
    min_count : int
        A text with fewer rows, in all its spellings if it is a boolean, is no category of its own.

    Returns
    -------
    tuple of str or None
        Sorted.  If some text is rare, None comes last: the group of all texts but those before it.
        It is made even for a single rare text, or where it has fewer than `min_count` rows, so that
        a model always has a coefficient for texts that it does not know.
    """
    rows = Counter[str]()
    for text, count in zip(onehot.spelled(texts), counts, strict=True):
        rows[text] += count
    frequent = sorted(text for text, count in rows.items() if count >= min_count)
    return tuple(frequent) if len(frequent) == len(rows) else (*frequent, None)


def find_categories(texts: Collection[str], categories: Sequence[str | None]) -> NDArray[np.int32]:
    """The place among a column's categories of each of its texts, as scoring would find it."""
    places = onehot.with_spellings({one: place for place, one in enumerate(categories)})
    return np.array([places[text if text in places else None] for text in texts], np.int32)


class Reason(NamedTuple):
    """Why a column cannot be a feature."""

    text: str
    # Of a column of formatted numbers: the one that `text` names, and all of them.
    example: str = ""
    numbers: Sequence[str] = ()


def refuse(
    name: str,
    reasons: dict[str, Reason | None],
    *,
    may_be_text: bool,
    csv: CSVOptions | None = None,
    has_fractions: bool = False,
) -> None:
    """Raise one ValueError for all columns that cannot be features.

    Parameters
    ----------
    name : str
        How messages name the table.
    reasons : dict of str to Reason or None
        The reason of each column; None for columns that can be features.
    may_be_text : bool
        Whether calling them `categorical` would avoid the error.
    csv : CSVOptions, optional
        How the table was read; the message may propose other options for formatted numbers.
    has_fractions : bool
        Whether other columns hold fractions, which shows that the decimal sign is right.
    """
    found = {column: reason for column, reason in reasons.items() if reason}
    if not found:
        return
    options = _common_options(list(found.values()), csv, has_fractions)
    named = list(found)[:MOST_COLUMNS]
    messages = [
        f"column {shown(column)} {found[column].text}"
        + (csv.remedy(found[column].example, options) if csv and found[column].numbers else "")
        for column in named
    ]
    messages += [f"{len(found) - len(named)} more columns are such"] * (len(found) > len(named))
    it = "it" if len(found) == 1 else "them"
    remedy = f"convert {it} to numbers first, or leave {it} out with ignore={named!r}"
    if may_be_text:
        remedy = f"categorical={named!r} takes {it} as text, ignore={named!r} leaves {it} out"
    raise ValueError(f"{name}: {'; '.join(messages)} ({remedy})")


def _common_options(
    reasons: Sequence[Reason], csv: CSVOptions | None, has_fractions: bool
) -> dict[str, str] | None:
    """Options that read the formatted numbers of all columns, or None if columns contradict."""
    if csv is None:
        return None
    common: dict[str, str] = {}
    texts: list[str] = []
    for reason in reasons:
        options = csv.other_options(reason.numbers) or {}
        if any(common.get(name, value) != value for name, value in options.items()):
            return None
        common |= options
        texts += reason.numbers if options else ()
    if has_fractions and "decimal" in common:
        return None
    try:
        replace(csv, **common).numbers(string_array(texts))
    except ValueError:  # a comma for both, or texts that are no numbers with these options
        return None
    return common


def reason_against(
    categories: Categories, count: int, name: str, rows: int, csv: CSVOptions | None
) -> Reason | None:
    """The reason why a column's texts are no categories, but numbers, dates or identifiers.

    Parameters
    ----------
    count : int
        The number of its categories, where rare texts share one.
    name : str
        How messages name the table.
    rows : int
        The number of its rows.
    csv : CSVOptions or None
        How it was read.

    Returns
    -------
    Reason, or None if they are categories
    """
    texts = list(categories.numbers)

    def example(text: str) -> str:
        file, row = categories.places[categories.numbers[text]]
        return f"{shown(text)} in row {row}{'' if file == name else f' of {file}'}"

    numbers = [text for text in texts if is_number(text, csv)]
    if texts and len(numbers) == len(texts):
        return Reason(f"holds numbers as text, such as {example(numbers[0])}")
    others = sorted(set(texts) - set(numbers), key=categories.numbers.__getitem__)
    dates = [text for text in others if re.fullmatch(_DATE_OR_TIME, text.strip())]
    if all(map(_are_two_years, dates)):
        dates = []
    if 2 * len(dates) > len(texts):
        return Reason(f"looks like dates or times, such as {example(dates[0])}")
    formatted = [text for text in others if re.fullmatch(_FORMATTED, text.strip())]
    if formatted and 2 * len(numbers + formatted) > len(texts):
        return Reason(
            f"looks like formatted numbers, such as {example(formatted[0])}",
            formatted[0],
            numbers + formatted,
        )
    if numbers and all(text.strip("+- ").lower() == "nan" for text in numbers):
        return Reason(
            f"has {example(numbers[0])} among other text, such as {example(others[0])}"
            f"{missing_remedy(numbers, csv)}"
        )
    if numbers:
        return Reason(
            f"has numbers, such as {shown(numbers[0])}, and other text, such as "
            f"{example(others[0])}{missing_remedy(others, csv)}"
        )
    if rows > _FEW_ROWS and 2 * count >= rows:
        return Reason(
            f"has {len(texts):,} different texts in {rows:,} rows, which identify rows, such as "
            f"{example(texts[0])}"
        )
    return None


def _are_two_years(text: str) -> bool:
    found = re.fullmatch(_YEARS, text.strip())
    return found is not None and (int(found[1]) + 1) % 100 == int(found[2])


def missing_remedy(texts: Sequence[str], csv: CSVOptions | None) -> str:
    """The end of a message: a remedy if a CSV's texts look like missing values; else empty."""
    if csv is None or len(texts) > _MOST_NULLS or not all(map(looks_missing, texts)):
        return ""
    return csv.as_missing(texts)


def is_number(text: str, csv: CSVOptions | None) -> bool:
    """Whether a text is a number for Python, once a CSV's decimal comma is a point."""
    if csv is not None and csv.decimal != ".":
        text = text.replace(".", "..").replace(csv.decimal, ".")
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text
