"""LIBSVM: lines of text with ``label column:value ...``, read as CSR matrices and labels."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.tables import text_file
from fastlogit.tables.errors import errors_naming
from fastlogit.tables.table import Batch, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from fastlogit.tables.file_format import ReadOptions
    from fastlogit.tables.table import Wanted
    from fastlogit.tables.text_file import Block, Text

# Patterns in scikit-learn's errors about LIBSVM, and the text that replaces them.
_SKLEARN_MESSAGES = {
    "Invalid index 0 in .*": (
        "a column has the number 0, and the first one should be 1 (source_format='libsvm0' counts "
        "them from 0)"
    ),
    r"n_features was set to (\d+), but input file contains (\d+) features": (
        r"there must be at most \1 columns, as the model or width=\1 says; got \2"
    ),
}


def open_libsvm(path: Path, options: ReadOptions, *, first_column: int = 1) -> Table:
    """Open a file; if `options` has no width, the file is read once to find it."""
    return _libsvm_table(text_file.open_text(path), options.width, first_column)


def open_libsvm_stream(
    name: str, file: Any, options: ReadOptions, *, first_column: int = 1
) -> Table:
    """Read LIBSVM from a pipe, once; `options` must have a width."""
    if options.width is None:
        raise ValueError(
            "LIBSVM that is read once does not tell how many columns it has: width must say so"
        )
    return _libsvm_table(text_file.open_text_stream(name, file), options.width, first_column)


def _libsvm_table(text: Text, width: int | None, first_column: int) -> Table:
    if width is None:
        widths = (X.shape[1] for _, X, _ in _parse_blocks(text, None, first_column))
        width = max(widths, default=0)

    def read(wanted: Wanted) -> Iterator[Batch]:
        row = 0
        with errors_naming(text.name):
            for block, X, labels in _parse_blocks(text, width, first_column):
                for first in range(0, X.shape[0], wanted.batch_rows):
                    here = slice(first, first + wanted.batch_rows)
                    read = block.bytes_read(min(here.stop, X.shape[0]), X.shape[0])
                    yield Batch(X[here], text.name, row + first, labels[here], read)
                row += X.shape[0]

    dtypes = (np.dtype(np.float64),) * width
    return Table(
        text.name,
        None,
        dtypes,
        None,
        text.files,
        read,
        has_labels=True,
        # A CSR matrix stores 8 bytes for a number, and 4 for its column.
        cells=lambda _, size: text.scaled(text.head.count(b":") * 3 // 2, size),
    )


def _parse_blocks(
    text: Text, width: int | None, first_column: int
) -> Iterator[tuple[Block, Any, NDArray[np.float64]]]:
    """Parse a text block by block, into X and labels."""
    from sklearn.datasets import load_svmlight_file

    def parse(lines: bytes) -> Any:
        file = io.BytesIO(lines)
        return load_svmlight_file(file, n_features=width, zero_based=first_column == 0)

    row = 0
    for block in text_file.without_blank_lines(text.blocks()):
        try:
            X, labels = parse(block.lines)
        except ValueError as error:
            bad = row + _first_bad(block.lines, parse)
            raise ValueError(f"row {bad}: {_reworded(error)}") from error
        yield block, X, labels
        row += X.shape[0]


def _reworded(error: ValueError) -> str:
    """scikit-learn's message in the words of this package."""
    text = str(error)
    for pattern, replacement in _SKLEARN_MESSAGES.items():
        text = re.sub(pattern, replacement, text)
    return text


def _first_bad(text: bytes, parse: Callable[[bytes], Any]) -> int:
    """Number of the first row that cannot be parsed; blank lines and comments are no rows."""
    lines = [line for line in text.splitlines(keepends=True) if line.partition(b"#")[0].strip()]
    first, stop = 0, len(lines)
    while stop - first > 1:
        middle = (first + stop) // 2
        try:
            parse(b"".join(lines[first:middle]))
        except ValueError:
            stop = middle
        else:
            first = middle
    return first
