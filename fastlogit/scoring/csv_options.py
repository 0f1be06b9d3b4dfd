"""How a CSV is written: what separates its cells, and what their texts stand for."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fastlogit.arrays import short

if TYPE_CHECKING:
    from collections.abc import Sequence

# What stands for a missing value by default, beside an empty cell; "nan" is none, but a number.
NULLS = ("", "NA", "N/A", "NULL", "null")
# What can be part of a number, or of how a cell is quoted, so that it separates nothing.
_OF_NUMBERS = '0123456789+-eE"\r\n'


@dataclass(frozen=True)
class CSVOptions:
    """How a CSV or TSV file is written.

    Attributes
    ----------
    delimiter : str, optional
        The character between cells; default: a comma, or in a ``.tsv`` a tab.
    decimal : str
        The character before the fraction of a number.
    thousands : str, optional
        The character between groups of digits, as in "1,234".
    encoding : str
        As Python calls it: "utf-8", "utf-16", "latin-1", "cp1252", ...
    null_values : sequence of str
        What stands for a missing value.  Cells with nothing but spaces are missing whatever this
        says.

    Raises
    ------
    TypeError, ValueError
        If one of them is something else.

    Examples
    --------
    >>> import io
    >>> import fastlogit as fl
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


def with_delimiter(csv: CSVOptions | None, delimiter: str) -> CSVOptions:
    """Options in which nothing is left open: by default, this delimiter."""
    csv = csv or CSVOptions()
    return csv if csv.delimiter else replace(csv, delimiter=delimiter)


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
