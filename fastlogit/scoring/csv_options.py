"""How a CSV is written: delimiter, decimals, encoding and missing values.

Arrow parses plain numbers.  If a block has a cell that Arrow refuses, such as a blank, "true" or
"1,234", its columns are read as text, and `CSVOptions.numbers` parses them.
"""

from __future__ import annotations

import codecs
import re
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from fastlogit.arrays import short
from fastlogit.arrow import texts_of

if TYPE_CHECKING:
    from collections.abc import Sequence

# Missing values by default.  "nan" is a number.
NULLS = ("", "NA", "N/A", "NULL", "null")
# Booleans, as Python, R, SQL and spreadsheets write them.
_FALSE, _TRUE = (("false", "False", "FALSE"), ("true", "True", "TRUE"))
# Options to suggest for a number that is not written as Python writes it.
_OTHER_OPTIONS: tuple[dict[str, Any], ...] = (
    {"decimal": ","},
    {"thousands": ","},
    {"thousands": " "},
    {"thousands": "'"},
    {"decimal": ",", "thousands": "."},
    {"decimal": ",", "thousands": " "},
)
# Other characters that `thousands` stands for as well: no-break and thin spaces, an apostrophe.
_ALIKE = {" ": " \u00a0\u2009\u202f", "'": "'\u2019"}
# Texts that often stand for a missing value: of marks alone, of spreadsheets, and words.  (The
# command cannot be given one that begins like its options.)
_LIKE_MISSING = re.compile(
    r"(?!--)[^\w\s]{1,3}|#N/?A|#\w+(/0)?[!?]|<?NA>?|n/?a|nat|none|null|nil|missing|unknown",
    re.IGNORECASE,
)
# Characters that cannot separate cells or digits.
_OF_NUMBERS = '0123456789+-eE"\r\n'


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
        As Python calls it: "utf-8", "utf-16", "latin-1", "cp1252", ...
    null_values : sequence of str
        Texts that stand for a missing value.  An empty cell, or one of spaces, always does.

    Raises
    ------
    TypeError, ValueError
        If one of them is something else.

    Notes
    -----
    In a column of numbers, ``true`` and ``false`` are 1 and 0, also with capitals.  A blank line is
    skipped; in a file with one column it is a row with a missing value.

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
                f"got {short(self.delimiter)}"
            )
        if self.decimal not in (".", ","):
            raise ValueError(f"decimal must be '.' or ','; got {short(self.decimal)}")
        if self.thousands is not None and not (
            _is_character(self.thousands) and self.thousands != self.decimal
        ):
            raise ValueError(
                "thousands must be one character that no number has, and another than decimal; "
                f"got {short(self.thousands)}"
            )
        object.__setattr__(self, "encoding", _codec(self.encoding))
        nulls = self.null_values
        if isinstance(nulls, str) or not hasattr(nulls, "__iter__"):
            raise TypeError(f"null_values must be a sequence of texts; got {short(nulls)}")
        nulls = tuple(nulls)
        for text in nulls:
            if not isinstance(text, str):
                raise TypeError(f"null_values must be texts; got {short(text)}")
        object.__setattr__(self, "null_values", nulls)

    def __repr__(self) -> str:
        """As Python writes it, without what is as by default."""
        given = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                shown = list(value) if isinstance(value, tuple) else value
                given.append(f"{field.name}={shown!r}")
        return f"CSVOptions({', '.join(given)})"

    @property
    def _groups(self) -> str:
        """A pattern of what is between groups of digits."""
        return f"[{re.escape(_ALIKE.get(self.thousands or '', self.thousands or ''))}]"

    @property
    def _grouped(self) -> str:
        """A pattern for numbers with groups of three digits, or in India two before the last."""
        group, point = self._groups, re.escape(self.decimal)
        digits = rf"\d{{1,3}}(?:{group}\d{{2,3}})*{group}\d{{3}}"
        return rf"^[+-]?{digits}(?:{point}\d*)?(?:[eE][+-]?\d+)?$"

    def texts(self, cells: Any) -> Any:
        """Cells with null for missing values, an array of Arrow."""
        from pyarrow import compute

        nulls = texts_of({"", *(text.strip() for text in self.null_values)})
        is_null = compute.is_in(compute.utf8_trim_whitespace(cells), nulls)
        return compute.if_else(is_null, None, cells)

    def numbers(self, cells: Any) -> Any:
        """Cells as float64, booleans as 1 and 0, with null for missing values.

        Raises
        ------
        CellError
            If a cell is not a number.
        """
        import pyarrow as pa

        texts = self._spelled(self.texts(cells))
        try:
            return texts.cast(pa.float64())
        except pa.ArrowInvalid:
            place = _first_bad(texts)
            text = cells[place].as_py()
            raise CellError(place, f"{short(text)}{self._remedy(text)}") from None

    def _spelled(self, cells: Any) -> Any:
        """Cells spelled so that Arrow parses them."""
        from pyarrow import compute

        texts = compute.utf8_trim_whitespace(cells)
        for number, words in enumerate((_FALSE, _TRUE)):
            texts = compute.if_else(compute.is_in(texts, texts_of(words)), str(number), texts)
        if self.thousands is not None:
            is_grouped = compute.match_substring_regex(texts, self._grouped)
            without = compute.replace_substring_regex(texts, self._groups, "")
            texts = compute.if_else(is_grouped, without, texts)
        if self.decimal != ".":
            # "1.5" must be an error then: "1..5" is one.
            texts = compute.replace_substring(texts, ".", "..")
            texts = compute.replace_substring(texts, self.decimal, ".")
        return texts

    def _remedy(self, text: str) -> str:
        """Options that would read a cell as a number, for the message."""
        found: list[str] = []
        for options in _OTHER_OPTIONS:
            if len(options) > 1 and found:  # one option is enough
                break
            with suppress(ValueError):  # not a number either
                replace(self, **options)._spelled(texts_of([text])).cast("float64")
                given = ", ".join(f"{name}={value!r}" for name, value in options.items())
                found.append(f"csv=CSVOptions({given})")
        if found:
            return f" ({' or '.join(found)} reads it)"
        if not _LIKE_MISSING.fullmatch(text.strip()):
            return ""
        nulls = [text.strip(), *filter(None, self.null_values)]
        return f" (csv={replace(self, null_values=nulls)!r} takes it as missing)"


class CellError(ValueError):
    """A cell that is not a number, and its place in the column."""

    def __init__(self, place: int, text: str) -> None:
        super().__init__(f"CSV conversion error to double: invalid value {text}")
        self.place = place


def _first_bad(texts: Any) -> int:
    """Place of the first text that cannot be cast to a number, by halves."""
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
    return isinstance(value, str) and len(value) == 1 and value not in _OF_NUMBERS


def _codec(encoding: Any) -> str:
    """The name of an encoding of text, as Python spells it."""
    try:
        found = codecs.lookup(encoding)
        "".encode(found.name)  # not all codecs are of text
    except (LookupError, TypeError, ValueError):
        raise ValueError(
            f"encoding must be one that Python knows, as 'latin-1'; got {short(encoding)}"
        ) from None
    return found.name
