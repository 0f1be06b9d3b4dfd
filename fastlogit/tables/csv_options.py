"""How a CSV is written: delimiter, decimals, encoding and missing values.

Arrow parses most numbers.  If it refuses a cell, such as a blank, "true" or "1,234", the block's
columns are read as text, and `CSVOptions.numbers` parses them.
"""

from __future__ import annotations

import codecs
import re
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from fastlogit.core.arrow import string_array
from fastlogit.core.checks import BOOLEANS, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

# Cells that are missing values by default.  "nan" is a number.
NULLS = ("", "NA", "N/A", "NULL", "null")
# Spellings of 0 and 1 by Python, R, SQL and spreadsheets.
_BOOLEANS = {
    str(int(value)): (word, word.title(), word.upper()) for word, value in BOOLEANS.items()
}
# Separators of groups of digits, and the characters that each matches: a space also matches
# no-break and thin spaces.
_ALIKE = {",": ",", ".": ".", " ": " \u00a0\u2009\u202f", "'": "'\u2019"}
_SEPARATORS = "".join(_ALIKE.values())
# Words for a missing value, without signs around them, and errors of spreadsheets.
_MISSING = {
    "nan", "na", "n/a", "n.a", "k.a", "s.o", "nd", "n/d", "n.d", "none", "nil", "null", "missing",
    "unknown", "unspecified", "undefined", "not available", "not applicable", "no data", "empty",
    "#value!", "#ref!", "#div/0!", "#num!", "#name?", "#null!", "unbekannt", "inconnu",
}  # fmt: skip
# A text without letters and digits stands for a missing value if it is at most this long.
_MOST_SIGNS = 3
# Characters that cannot separate cells or digits.
_RESERVED = '0123456789+-eE"\r\n'


@dataclass(frozen=True, repr=False)
class CSVOptions:
    """How a CSV or TSV file is written.

    Attributes
    ----------
    delimiter : str, optional
        The character between cells; default: a comma, or in a ``.tsv`` a tab.
    decimal : str
        The character before the fraction of a number.
    thousands : str, optional
        The character between groups of digits, as in "1,234".  A space stands for no-break and
        thin spaces as well.
    encoding : str
        Python's name of the encoding: "utf-8", "utf-16", "latin-1", "cp1252", ...
    null_values : sequence of str
        Texts that stand for a missing value.  An empty or blank cell always does.

    Raises
    ------
    TypeError, ValueError
        If an option is none of these.

    Notes
    -----
    In a column of numbers, ``true`` and ``false`` are 1 and 0, also with capitals.  Blank lines are
    skipped; in a file with one column, a blank line is a row with a missing value.

    Examples
    --------
    >>> from fastlogit.scoring import CSVOptions
    >>> CSVOptions(delimiter=";", decimal=",", null_values=["?"]).null_values
    ('?',)
    """

    delimiter: str | None = None
    decimal: str = "."
    thousands: str | None = None
    encoding: str = "utf-8"
    null_values: Sequence[str] = NULLS

    def __post_init__(self) -> None:
        """Check the options."""
        if self.delimiter is not None and not (
            _is_character(self.delimiter) and self.delimiter.isascii()
        ):
            raise ValueError(
                "delimiter must be one ASCII character that no number has; "
                f"got {shown(self.delimiter)}"
            )
        if self.decimal not in (".", ","):
            raise ValueError(f"decimal must be '.' or ','; got {shown(self.decimal)}")
        if self.thousands is not None and not (
            _is_character(self.thousands) and self.thousands != self.decimal
        ):
            raise ValueError(
                "thousands must be one character that no number has, and not the decimal; "
                f"got {shown(self.thousands)}"
            )
        object.__setattr__(self, "encoding", _codec(self.encoding))
        nulls = self.null_values
        if isinstance(nulls, str) or not hasattr(nulls, "__iter__"):
            raise TypeError(f"null_values must be a sequence of texts; got {shown(nulls)}")
        nulls = tuple(nulls)
        for text in nulls:
            if not isinstance(text, str):
                raise TypeError(f"null_values must be texts; got {shown(text)}")
        object.__setattr__(self, "null_values", nulls)

    def __repr__(self) -> str:
        """The call that makes these options, without the defaults."""
        given = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                shown = list(value) if isinstance(value, tuple) else value
                given.append(f"{field.name}={shown!r}")
        return f"CSVOptions({', '.join(given)})"

    @property
    def _groups(self) -> str:
        """A pattern for the separator of groups of digits."""
        return f"[{re.escape(_ALIKE.get(self.thousands or '', self.thousands or ''))}]"

    @property
    def _grouped(self) -> str:
        """A pattern for numbers with groups of three digits, or of two before the last (India)."""
        group, point = self._groups, re.escape(self.decimal)
        digits = rf"[1-9]\d{{0,2}}(?:{group}\d{{2,3}})*{group}\d{{3}}"
        return rf"^[+-]?{digits}(?:{point}\d*)?(?:[eE][+-]?\d+)?$"

    def texts(self, cells: Any) -> Any:
        """The cells, an Arrow array, with null for missing values."""
        from pyarrow import compute

        nulls = string_array({"", *(text.strip() for text in self.null_values)})
        is_null = compute.is_in(compute.utf8_trim_whitespace(cells), nulls)
        return compute.if_else(is_null, None, cells)

    def numbers(self, cells: Any) -> Any:
        """The cells as float64: booleans are 1 and 0, missing values are null.

        Raises
        ------
        CellError
            If a cell is not a number.
        """
        import pyarrow as pa
        from pyarrow import compute

        texts = self._rewritten(self.texts(cells))
        try:
            return texts.cast(pa.float64())
        except pa.ArrowInvalid:
            place = _first_bad(texts)
            text = cells[place].as_py()
            like = rf"^[-+]?[\d{_SEPARATORS}]+$"
            given = compute.utf8_trim_whitespace(self.texts(cells))
            others = compute.unique(given.filter(compute.match_substring_regex(given, like)))
            others = [text, *others.drop_null().to_pylist()]
            remedy = self.remedy(text, self.other_options(others))
            if not remedy and looks_missing(text):
                remedy = self.as_missing([text])
            raise CellError(place, f"{shown(text)}{remedy}") from None

    def _rewritten(self, cells: Any) -> Any:
        """The cells, rewritten so that Arrow can parse them as numbers."""
        from pyarrow import compute

        texts = compute.utf8_trim_whitespace(cells)
        for number, words in _BOOLEANS.items():
            texts = compute.if_else(compute.is_in(texts, string_array(words)), number, texts)
        if self.thousands is not None:
            is_grouped = compute.match_substring_regex(texts, self._grouped)
            without = compute.replace_substring_regex(texts, self._groups, "")
            texts = compute.if_else(is_grouped, without, texts)
        if self.decimal != ".":
            # "1.5" must be an error with a decimal comma, and "1..5" is one.
            texts = compute.replace_substring(texts, ".", "..")
            texts = compute.replace_substring(texts, self.decimal, ".")
        return texts

    def other_options(self, texts: Sequence[str]) -> dict[str, str] | None:
        """Options with which all these texts are numbers, or None.

        The comma in "1,234" separates groups of digits, unless another text such as "1,5" shows
        that it is a decimal comma.
        """
        written, cells = set("".join(texts)), string_array(texts)
        marks = [{"thousands": mark} for mark, alike in _ALIKE.items() if written & {*alike}]
        for decimal in (self.decimal, *({".", ","} - {self.decimal})):
            point = {} if decimal == self.decimal else {"decimal": decimal}
            for group in (*marks, {}, {"thousands": "." if decimal == "," else ","}):
                with suppress(ValueError):  # such options contradict, or a text is no number
                    replace(self, **group, **point)._rewritten(cells).cast("float64")
                    return group | point
        return None

    def remedy(self, text: str, options: dict[str, str] | None) -> str:
        """The end of a message: the number that other options make of a text; empty if none."""
        if not options:
            return ""
        try:
            number = (
                replace(self, **options)._rewritten(string_array([text])).cast("float64")[0].as_py()
            )
        except ValueError:
            return ""
        given = ", ".join(f"{name}={value!r}" for name, value in options.items())
        return f" (csv=CSVOptions({given}) reads it as {number:.15g})"

    def as_missing(self, texts: Sequence[str]) -> str:
        """The end of a message: the option that makes these texts missing values."""
        nulls = [*(text.strip() for text in texts), *filter(None, self.null_values)]
        listed = " and ".join(map(shown, texts))
        return f" (csv=CSVOptions(null_values={nulls!r}) takes {listed} as missing)"


class CellError(ValueError):
    """A cell that is not a number; `place` is its index in the column."""

    def __init__(self, place: int, text: str) -> None:
        super().__init__(f"CSV conversion error to double: invalid value {text}")
        self.place = place


def looks_missing(text: str) -> bool:
    """Whether a text looks like a missing value: a word for that, or a few signs such as "?"."""
    text = text.strip()
    if text.startswith("--"):  # the command line would read it as an option
        return False
    if len(text) <= _MOST_SIGNS and not any(map(str.isalnum, text)):
        return True
    return not _MISSING.isdisjoint((text.casefold(), text.strip("#!?<>()[]. ").casefold()))


def _first_bad(texts: Any) -> int:
    """Index of the first text that cannot be cast to a number, by bisection."""
    import pyarrow as pa

    first, stop = 0, len(texts)
    while stop - first > 1:
        middle = (first + stop) // 2
        try:
            texts[first:middle].cast(pa.float64())
        except pa.ArrowInvalid:
            stop = middle
        else:
            first = middle
    return first


def _is_character(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 1 and value not in _RESERVED


def _codec(encoding: Any) -> str:
    """Python's name of an encoding, checked to be one of text."""
    try:
        found = codecs.lookup(encoding)
        "".encode(found.name)  # some codecs are not of text
    except (LookupError, TypeError, ValueError):
        raise ValueError(
            f"encoding must be one that Python knows, such as 'latin-1'; got {shown(encoding)}"
        ) from None
    return found.name
