"""Open a source to read it: a file of any format, a folder, standard input or an object."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from fastlogit.tables.array import is_array, open_array
from fastlogit.tables.arrow_ipc import STREAM_MARK
from fastlogit.tables.dask_frame import is_dask_frame, open_dask_frame
from fastlogit.tables.errors import errors_naming
from fastlogit.tables.file_format import ReadOptions
from fastlogit.tables.folder import find_files, folder_keys, join_tables
from fastlogit.tables.formats import (
    choose_format,
    format_by_suffix,
    input_formats,
    names,
    stream_formats,
)
from fastlogit.tables.frame import open_frame, open_function
from fastlogit.tables.stream import pipe_table

if TYPE_CHECKING:
    from pathlib import Path

    from fastlogit.tables.csv_options import CSVOptions
    from fastlogit.tables.file_format import Format
    from fastlogit.tables.table import Table

# The path that stands for standard input or output.
STANDARD = "-"


def open_table(
    source: Any,
    *,
    file_format: str | None = None,
    width: int | None = None,
    csv: CSVOptions | None = None,
) -> Table:
    """Open a source for reading.

    Parameters
    ----------
    source : path, "-" or object
        A file, a folder or a pattern of files; standard input; any object that is a table; or a
        function that gives a new one, with the same rows, at each call.
    file_format : str, optional
        Name of one of the `input_formats`; default: by the suffix.
    width : int, optional
        The number of columns, where the format does not tell (LIBSVM); default: files are read
        once to find it.
    csv : CSVOptions, optional
        How a CSV or TSV is written.

    Raises
    ------
    OSError
        If a file does not exist or cannot be read.
    TypeError, ValueError
        If no format has this suffix, a file does not follow its format, or `source` is no table.
    """
    options = ReadOptions(width, csv)
    given = None
    if file_format is not None:
        given = choose_format(input_formats(), file_format, "source_format")
    if not (isinstance(source, str) or hasattr(source, "__fspath__")):
        return _open_object(source, options)
    if str(source) == STANDARD:
        if sys.stdin is None:
            raise ValueError("standard input is closed")
        return _open_stream("standard input", sys.stdin.buffer, given, options, close=False)
    base, files = find_files(source)
    tables = [_open_file(file, given, options) for file in files]
    if width is None and tables[0].has_labels:
        # LIBSVM lacks the last columns of a file if they are empty: all files get the same width.
        options = options._replace(width=max(len(table.dtypes) for table in tables))
        tables = [_open_file(file, given, options) for file in files]
    keys = folder_keys(base, files)
    return tables[0] if len(tables) == 1 and not keys else join_tables(str(source), tables, keys)


def _open_file(path: Path, given: Format | None, options: ReadOptions) -> Table:
    if path.is_fifo() or path.is_char_device():
        return _open_stream(str(path), path.open("rb"), given, options, close=True)
    with path.open("rb"):  # raises the operating system's own error
        pass
    one = given or format_by_suffix(path, input_formats())
    assert one.open_file is not None
    with errors_naming(str(path)):
        _must_be_csv(one, options)
        return one.open_file(path, options)


def _open_stream(
    name: str, file: Any, given: Format | None, options: ReadOptions, *, close: bool
) -> Table:
    """Read a stream in the given format; by default Arrow's if it begins like that, else CSV."""
    if given is None:
        is_arrow = options.csv is None and file.peek(2).startswith(STREAM_MARK)
        given = choose_format(stream_formats(), "arrow" if is_arrow else "csv", "source_format")
    with errors_naming(name):
        _must_be_csv(given, options)
        if (open_stream := given.open_stream) is None:
            raise ValueError(
                f"source_format must be one of {names(stream_formats())}; got {given.name!r}"
            )
        return pipe_table(file, lambda pipe: open_stream(name, pipe, options), close=close)


def _open_object(source: Any, options: ReadOptions) -> Table:
    name = type(source).__name__
    _must_have_no_csv_options(name, options)

    def open_object(given: Any) -> Table:
        if is_array(given):
            return open_array(name, given)
        if is_dask_frame(given):
            return open_dask_frame(name, given)
        return open_frame(name, given)

    is_function = callable(source) and not isinstance(source, type)
    return open_function(name, source, open_object) if is_function else open_object(source)


def _must_be_csv(given: Format, options: ReadOptions) -> None:
    if not given.takes_csv_options:
        _must_have_no_csv_options(given.name, options)


def _must_have_no_csv_options(name: str, options: ReadOptions) -> None:
    if options.csv is not None:
        raise ValueError(f"only CSV and TSV take csv={options.csv!r}; the input is {name}")
