"""The contract of a file format: the functions that open, stream and write its files."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from fastlogit.tables.csv_options import CSVOptions
    from fastlogit.tables.table import Table

# Writes the next record batch.
Write = Callable[[Any], object]


class ReadOptions(NamedTuple):
    """Options for reading a file; a format ignores options that it does not need."""

    # Number of columns, where the format does not tell (LIBSVM).
    width: int | None = None
    csv: CSVOptions | None = None


class Format(NamedTuple):
    """A file format.  A function that the format does not offer is None.

    Attributes
    ----------
    name : str
        Its name as `source_format` or `sink_format`.
    suffixes : tuple of str
        Suffixes of its files, in small letters.
    open_file : callable
        ``open_file(path, options)`` returns a :class:`~fastlogit.tables.table.Table`.  It raises a
        ValueError, without the path, if the file does not follow the format.
    open_stream : callable
        ``open_stream(name, file, options)`` does the same for a pipe or standard input, which can
        be read once; `name` is its name in messages.
    write : callable
        ``write(file, schema, compression)`` is a context manager that gives a function to write
        the next record batch.  It raises a ValueError at once if the format cannot hold a column.
        The same batches must give the same bytes.
    is_text : bool
        Whether files can be compressed as a whole, which a second suffix such as ``.gz`` says.
    takes_csv_options : bool
        Whether `CSVOptions` apply.
    takes_compression : bool
        Whether `write` can compress parts of the file.
    writes_groups : bool
        Whether batches are joined into large groups even for standard output.
    needs_seek : bool
        Whether `write` goes back in the file, so that standard output cannot be written.
    """

    name: str
    suffixes: tuple[str, ...] = ()
    open_file: Callable[[Path, ReadOptions], Table] | None = None
    open_stream: Callable[[str, BinaryIO, ReadOptions], Table] | None = None
    write: Callable[[Any, Any, str | None], AbstractContextManager[Write]] | None = None
    is_text: bool = False
    takes_csv_options: bool = False
    takes_compression: bool = False
    writes_groups: bool = False
    needs_seek: bool = False
