"""Errors of readers, which name the file, the column and the row.

Rows are counted from 0 within a file, without its header.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fastlogit.core.checks import cut, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Longest text of a library's error that is repeated: a file may hold names of any length.
_MOST_TEXT = 400
# Patterns in Arrow's errors about a CSV, and the text that replaces them.
_ARROW_MESSAGES = {
    r"CSV parse error: (row -?\d+): Expected (\d+) columns, got (\d+)": (
        r"\1 has \3 cells; the header has \2 (the header must be the first line)"
    ),
    r"\bhas 1 cells\b": "has 1 cell",
    "Empty CSV file or block: cannot infer number of columns": (
        "Empty CSV file, or one with a header of more than a megabyte"
    ),
    r"straddling object straddles two block boundaries \(try to increase block size\?\)": (
        "a line is longer than a megabyte"
    ),
    "invalid UTF8 data": (
        "invalid UTF-8 (csv=CSVOptions(encoding='cp1252') reads what Windows writes)"
    ),
}


class ColumnError(ValueError):
    """An error in some columns; it would not occur if the caller left them out.

    Attributes
    ----------
    columns : list of str
        Names of these columns.
    may_be_text : bool
        Whether reading them as text would also avoid the error.
    """

    def __init__(
        self, message: str, columns: Sequence[str] = (), *, may_be_text: bool = False
    ) -> None:
        super().__init__(message)
        self.columns, self.may_be_text = list(columns), may_be_text


@contextmanager
def errors_naming(name: str, columns: Sequence[str] = (), first: int = -1) -> Iterator[None]:
    """Turn a reader's exceptions into a ValueError that names the file, column and row.

    Parameters
    ----------
    name : str
        How the message names the file.
    columns : sequence of str
        Names of a CSV's columns, which Arrow's errors number.
    first : int
        Number of the row that Arrow calls row 1; by default that is the header.
    """
    try:
        yield
    except (ImportError, FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # a damaged file raises one of a dozen types
        text = " ".join(str(error)[: 2 * _MOST_TEXT].split()) or type(error).__name__
        text = re.sub(
            r"In CSV column #(\d+)",
            lambda match: f"column {shown(columns[int(match[1])])}",
            text,
        )
        text = re.sub(r"Row #(\d+)", lambda match: f"row {int(match[1]) - 1 + first}", text)
        for pattern, replacement in _ARROW_MESSAGES.items():
            text = re.sub(pattern, replacement, text)
        raise ValueError(f"{name}: {cut(text, _MOST_TEXT)}") from error
