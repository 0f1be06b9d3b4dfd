"""What to score: tables of any format, opened by their suffix.

A format is one function, from a file to a :class:`~fastlogit.tables.table.Table`, in `columnar`
or `positional`, and one line in `FORMATS`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.core.checks import shown
from fastlogit.matrix.table import named_columns
from fastlogit.tables import text_file
from fastlogit.tables.columnar import (
    ARROW_STREAM,
    of_csv,
    of_reader,
    open_arrow,
    open_csv,
    open_parquet,
)
from fastlogit.tables.csv_options import CSVOptions
from fastlogit.tables.folder import chain, find_files, partition_keys
from fastlogit.tables.partition import is_frame, of_frame
from fastlogit.tables.positional import of_libsvm, of_matrix, open_libsvm, open_npy, open_npz
from fastlogit.tables.table import Table, naming

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from fastlogit.tables.table import Batch, Read, Wanted

FORMATS: dict[str, Callable[[Path, int | None, CSVOptions | None], Table]] = {
    "parquet": open_parquet,
    "arrow": open_arrow,
    "csv": open_csv,
    "tsv": partial(open_csv, delimiter="\t"),
    "npy": open_npy,
    "npz": open_npz,
    "libsvm": open_libsvm,
    "libsvm0": partial(open_libsvm, first_column=0),
}
_TEXTS = ("csv", "tsv", "libsvm")
_SUFFIXES = [
    ("parquet", ".parquet"),
    ("arrow", ".arrow"),
    ("arrow", ".arrows"),  # either is read
    ("arrow-stream", ".arrows"),  # is written
    ("arrow", ".feather"),
    ("csv", ".csv"),
    ("tsv", ".tsv"),
    ("npy", ".npy"),
    ("npz", ".npz"),
    ("libsvm", ".libsvm"),
    ("libsvm", ".svm"),
    ("libsvm", ".svmlight"),
]
# How standard input and output are called.
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
        A file, a folder or a pattern of files; standard input; or anything that is a table.
    file_format : str, optional
        One of `FORMATS`; default: by the suffix.
    width : int, optional
        How many columns it must have where the format does not tell (LIBSVM); default: files are
        read once to find out.
    csv : CSVOptions, optional
        How a CSV or TSV is written.

    Raises
    ------
    OSError
        If a file is not there or cannot be read.
    TypeError, ValueError
        If no format has this suffix, a file is not in it, or `source` is no table.
    """
    if file_format is not None and (not isinstance(file_format, str) or file_format not in FORMATS):
        listed = ", ".join(FORMATS)
        raise ValueError(f"source_format must be one of {listed}; got {shown(file_format)}")
    if not (isinstance(source, str) or hasattr(source, "__fspath__")):
        _must_be_csv(type(source).__name__, csv)
        return _of_object(source)
    if str(source) == STANDARD:
        if sys.stdin is None:
            raise ValueError("standard input is closed")
        return _of_stream("standard input", sys.stdin.buffer, file_format, width, csv)
    base, files = find_files(source)
    tables = [_open_file(file, file_format, width, csv) for file in files]
    if width is None and tables[0].has_labels:  # the last columns may be missing in some files
        width = max(len(table.dtypes) for table in tables)
        tables = [_open_file(file, file_format, width, csv) for file in files]
    keys = partition_keys(base, files)
    return tables[0] if len(tables) == 1 and not keys else chain(str(source), tables, keys)


def format_of(path: Path, formats: Collection[str]) -> str:
    """Which of some formats the suffix of a path stands for, whatever it is compressed with."""
    known = {suffix: name for name, suffix in _SUFFIXES if name in formats}
    *others, last = ("", *(suffix.lower() for suffix in path.suffixes))
    if last in text_file.CODECS and known.get(others[-1]) in _TEXTS:
        last = others[-1]
    if last in known:
        return known[last]
    raise ValueError(f"{path}: the suffix must be one of {', '.join(known)}")


def _open_file(
    path: Path, file_format: str | None, width: int | None, csv: CSVOptions | None
) -> Table:
    if path.is_fifo() or path.is_char_device():
        file = path.open("rb")
        table = _of_stream(str(path), file, file_format, width, csv)
        return replace(table, _read=partial(_closing, file, table._read))
    with path.open("rb"):  # for the operating system's own error
        pass
    file_format = file_format or format_of(path, FORMATS)
    with naming(str(path)):
        _must_be_csv(file_format, csv)
        return FORMATS[file_format](path, width, csv)


def _must_be_csv(file_format: str, csv: CSVOptions | None) -> None:
    if csv is not None and file_format not in ("csv", "tsv"):
        raise ValueError(f"csv={csv!r} must be for a CSV or TSV; got it for {file_format}")


def _closing(file: Any, read: Read, wanted: Wanted) -> Iterator[Batch]:
    with file:
        yield from read(wanted)


def _of_stream(
    name: str, file: Any, file_format: str | None, width: int | None, csv: CSVOptions | None
) -> Table:
    """Arrow's stream, CSV, TSV or LIBSVM; by default whichever of the first two it begins like."""
    if file_format is None:
        is_arrow = csv is None and file.peek(2).startswith(ARROW_STREAM)
        file_format = "arrow" if is_arrow else "csv"
    with naming(name):
        _must_be_csv(file_format, csv)
        if file_format == "arrow":
            import pyarrow as pa

            return of_reader(name, pa.ipc.open_stream(file))
        if file_format in ("csv", "tsv"):
            how, delimiter = csv or CSVOptions(), {"csv": ",", "tsv": "\t"}[file_format]
            text = text_file.of_stream(name, file, how.delimiter or delimiter, how.encoding)
            return of_csv(text, how, delimiter)
        if file_format.startswith("libsvm"):
            return of_libsvm(text_file.of_stream(name, file), width, int(file_format == "libsvm"))
        raise ValueError(f"must be arrow, csv, tsv or libsvm; it cannot be {file_format}")


def _of_object(source: Any) -> Table:
    """Whatever is a table in memory, or gives one batch by batch."""
    name = type(source).__name__
    if hasattr(type(source), "tocsr") or isinstance(source, np.ndarray | list | tuple):
        return of_matrix(name, source)
    if is_frame(source):
        return of_frame(name, source)
    import pyarrow as pa
    from pyarrow import dataset

    if isinstance(source, Mapping):
        columns = named_columns(source, "source")
        with naming(name):
            source = pa.table(dict(columns))
    elif isinstance(source, dataset.Dataset):
        source = source.scanner().to_reader()
    elif isinstance(source, pa.RecordBatch):
        source = pa.Table.from_batches([source])
    elif not callable(getattr(source, "__arrow_c_stream__", None)):
        raise TypeError(f"source must be a path or a table; got {name}")
    # As in `arrow.column_of`: an export by the C interface drops the sizes of the buffers.
    if isinstance(source, pa.Table):
        source = source.to_reader()
    elif not isinstance(source, pa.RecordBatchReader):
        with naming(name):
            source = pa.RecordBatchReader.from_stream(source)
    return of_reader(name, source)
