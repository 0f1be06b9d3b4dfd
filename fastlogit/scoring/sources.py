"""What to score: tables of any format, opened by their suffix and read in batches, in order.

A format is one function, from a file to a :class:`Table`, and one line in `_FORMATS`.  Formats
with columns are read as record batches of Arrow, in which a column that is not asked for costs
nothing; arrays and LIBSVM as arrays and CSR matrices, as they are.  Messages count rows from 0,
within a file, and do not count a header.
"""

from __future__ import annotations

import difflib
import glob
import io
import os
import re
import sys
import zipfile
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    Read = Callable[["Wanted"], Iterator["Batch"]]

# A batch takes about this much memory as float64: little beside an interpreter with NumPy, ...
_BATCH_BYTES = 64 << 20
# ... and has this many rows at most and at least, whatever the number of columns.
_MOST_ROWS, _LEAST_ROWS = 1 << 18, 1 << 10
# What is read of each column of a Parquet file at a time.
_PARQUET_BUFFER = 1 << 18
# What is read of a text at a time.
_TEXT_BYTES = 1 << 22
# What an empty field of a CSV file looks like; "nan" is none of these, but a number.
_CSV_NULLS = ["", "NA", "N/A", "NULL", "null"]
# How standard input and output are called.
STANDARD = "-"
# What Arrow's files and streams begin with.
_ARROW_FILE, _ARROW_STREAM = b"ARROW1", b"\xff\xff\xff\xff"
# Suffixes of compressed texts, and Arrow's names for how.
CODECS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2", ".lz4": "lz4"}


class Batch(NamedTuple):
    """Rows of a table: a record batch of Arrow, an array or a CSR matrix."""

    data: Any
    # Where they are, for messages: the file, and the first row's number in it.
    file: str
    first: int
    # Of formats where they are no column.
    labels: NDArray[np.float64] | None = None


class Wanted(NamedTuple):
    """What to read of a table."""

    # Positions of columns, and which of them are taken as text where the format knows no types.
    columns: Sequence[int]
    text: Collection[int] = ()
    # Rows of a batch, at most; and the first row, of tables that know how many they have.
    batch_rows: int = _MOST_ROWS
    start: int = 0


@dataclass(frozen=True)
class Table:
    """Something with rows and columns that can be read.

    Attributes
    ----------
    name : str
        What messages call it.
    names : tuple of str, or None
        Names of its columns; None where columns only have positions.
    dtypes : tuple of (dtype or str)
        Of each column; where that is no number, what the source calls its type.
    rows : int or None
        None where only reading tells.
    files : tuple of path
        What it is read from; empty where it can be read once only.
    """

    name: str
    names: tuple[str, ...] | None
    dtypes: tuple[np.dtype[Any] | str, ...]
    rows: int | None
    files: tuple[Path, ...]
    _read: Read
    # Of Arrow; and whether it is the source's own, so that no column can be read as text.
    schema: Any = None
    typed: bool = True

    def find(self, wanted: Sequence[str]) -> list[int]:
        """Positions of the columns of these names; a ValueError lists all that are missing."""
        names = self.names or ()
        where = {name: position for position, name in enumerate(names)}
        missing = [name for name in wanted if name not in where]
        if missing:
            listed = ", ".join(_with_nearest(name, names) for name in missing)
            raise ValueError(f"{self.name}: missing column{'s' * (len(missing) > 1)} {listed}")
        counts = Counter(names)
        for name in wanted:
            if counts[name] > 1:
                raise ValueError(f"{self.name}: {counts[name]} columns have the name {name!r}")
        return [where[name] for name in wanted]

    def position(self, label: str | int) -> int:
        """Position of the column of the labels, of a name or, where there are none, a number."""
        if self.names is not None:
            return self.find([str(label), *self.names])[0]
        width = len(self.dtypes)
        try:
            position = int(label)
        except ValueError:
            position = width
        if not -width <= position < width:
            raise ValueError(
                f"{self.name}: columns have no names here, so that the label must be a position "
                f"from {-width} to {width - 1}; got {label!r}"
            )
        return position % width

    def label(self, position: int) -> str:
        """How messages call a column."""
        return f"column {self.names[position]!r}" if self.names else f"column {position}"

    def field(self, position: int) -> Any:
        """How a column that is carried over is written, as a field of Arrow."""
        import pyarrow as pa

        field = self.schema.field(position)
        return field if self.typed else pa.field(field.name, pa.string())

    def must_hold_numbers(self, columns: Sequence[int]) -> None:
        """Check the types of columns."""
        for position in columns:
            if isinstance(self.dtypes[position], str):
                raise ValueError(
                    f"{self.name}: {self.label(position)} must hold numbers; "
                    f"it holds {self.dtypes[position]}"
                )

    def read(
        self,
        columns: Sequence[int],
        *,
        text: Collection[int] = (),
        batch_rows: int | None = None,
        start: int = 0,
    ) -> Iterator[Batch]:
        """Read some of the columns, in batches, from row `start` on.

        Record batches have just these columns, in this order; arrays and CSR matrices have all.
        """
        by_memory = _BATCH_BYTES // (8 * max(len(columns), 1))
        rows = batch_rows or min(max(by_memory, _LEAST_ROWS), _MOST_ROWS)
        if self.rows is not None:
            rows = min(rows, max(self.rows, 1))
            return self._read(Wanted(columns, text, rows, start))
        return _without_first(self._read(Wanted(columns, text, rows)), start)


# What is opened --------------------------------------------------------------------------


def open_table(source: Any, *, file_format: str | None = None, width: int | None = None) -> Table:
    """Open a source for reading.

    Parameters
    ----------
    source : path, "-" or object
        A file, a folder or a pattern of files; standard input; or anything that is a table.
    file_format : str, optional
        One of `FORMATS`; default: by the suffix.
    width : int, optional
        How many columns it must have where the format does not tell (LIBSVM).

    Raises
    ------
    OSError
        If a file is not there or cannot be read.
    TypeError, ValueError
        If no format has this suffix, a file is not in it, or `source` is no table.
    """
    if file_format is not None and file_format not in FORMATS:
        raise ValueError(f"source_format must be one of {', '.join(FORMATS)}; got {file_format!r}")
    if not (isinstance(source, str) or hasattr(source, "__fspath__")):
        return _of_object(source)
    if str(source) == STANDARD:
        return _of_standard_input(file_format, width)
    base, files = _files(source)
    tables = [_open_file(file, file_format, width) for file in files]
    keys = _partition_keys(base, files)
    return tables[0] if len(tables) == 1 and not keys else _chain(str(source), tables, keys)


def format_of(path: Path, formats: Collection[str]) -> str:
    """Which of some formats the suffix of a path stands for, whatever it is compressed with."""
    known = {suffix: name for name, suffix in _SUFFIXES if name in formats}
    *others, last = ("", *(suffix.lower() for suffix in path.suffixes))
    if last in CODECS and known.get(others[-1]) in _TEXTS:
        last = others[-1]
    if last in known:
        return known[last]
    raise ValueError(f"{path}: the suffix must be one of {', '.join(known)}")


def _open_file(path: Path, file_format: str | None, width: int | None) -> Table:
    with path.open("rb"):  # for the operating system's own error
        pass
    open_format = FORMATS[file_format or format_of(path, FORMATS)]
    with _naming(str(path)):
        return open_format(path, width)


def _files(source: str | os.PathLike[str]) -> tuple[Path, list[Path]]:
    """The files that a path, a folder or a pattern stands for, and the folder they are all in."""
    path = Path(source)
    if path.is_dir():
        base, found = path, sorted(path.rglob("*"))
    elif glob.has_magic(str(source)) and not path.exists():
        plain = next(number for number, part in enumerate(path.parts) if glob.has_magic(part))
        base = Path(*path.parts[:plain])
        found = sorted(base.glob(str(Path(*path.parts[plain:]))))
    else:
        return path.parent, [path]
    found = [file for file in found if file.is_file() and _is_shown(file.relative_to(base))]
    if not found:
        raise FileNotFoundError(f"{source}: there are no such files")
    return base, found


def _is_shown(file: Path) -> bool:
    """Whether a file is part of a data set: what begins with . or _ is not."""
    return not any(part.startswith((".", "_")) for part in file.parts)


def _partition_keys(base: Path, files: list[Path]) -> dict[str, list[Any]]:
    """What Hive's names of folders, as in ``year=2013/1.parquet``, say of each file."""
    folders = [file.relative_to(base).parent for file in files]
    names = [part.partition("=")[0] for part in folders[0].parts if "=" in part]
    if not names:
        return {}
    import pyarrow as pa
    from pyarrow import dataset

    schema = pa.schema([(name, pa.string()) for name in names])
    hive = dataset.partitioning(schema, flavor="hive")
    found = [dataset.get_partition_keys(hive.parse(f"{folder}/")) for folder in folders]
    keys = {name: [values.get(name) for values in found] for name in names}
    for name, values in keys.items():
        with suppress(ValueError, TypeError):
            keys[name] = list(map(int, values))
    return keys


def _chain(name: str, tables: list[Table], keys: dict[str, list[Any]]) -> Table:
    """Read tables of one kind one after another, with a constant column for each key."""
    import pyarrow as pa

    first = tables[0]
    if any((table.names is None) != (first.names is None) for table in tables):
        raise ValueError(f"{name}: some of its files have names of columns, and others have not")
    if first.names is None and (
        keys or {len(table.dtypes) for table in tables} != {len(first.dtypes)}
    ):
        raise ValueError(f"{name}: its files must have as many columns, and no keys in folders")
    names = None if first.names is None else (*first.names, *keys)
    kinds = [np.dtype(int) if isinstance(values[0], int) else "string" for values in keys.values()]
    counts = [table.rows for table in tables]

    def read(wanted: Wanted) -> Iterator[Batch]:
        start = wanted.start
        for number, table in enumerate(tables):
            if table.rows is not None and start >= table.rows:
                start -= table.rows
                continue
            values = {key: each[number] for key, each in keys.items()}
            yield from _read_one(table, names, values, wanted._replace(start=start))
            start = 0

    rows = None if None in counts else sum(count or 0 for count in counts)
    files = tuple(file for table in tables for file in table.files)
    schema = first.schema
    for key, values in keys.items():
        schema = schema.append(pa.field(key, pa.array(values).type))
    return Table(name, names, (*first.dtypes, *kinds), rows, files, read, schema, first.typed)


def _read_one(
    table: Table, names: tuple[str, ...] | None, values: dict[str, Any], wanted: Wanted
) -> Iterator[Batch]:
    """Read columns of one of the tables of a chain, by their names, beside constant ones."""
    if names is None:
        yield from table._read(wanted)
        return
    import pyarrow as pa

    asked = [names[column] for column in wanted.columns]
    there = [name for name in asked if name not in values]
    columns = table.find(there)
    text = {
        column
        for name, column in zip(there, columns, strict=True)
        if any(names[other] == name for other in wanted.text)
    }
    for batch in table._read(wanted._replace(columns=columns, text=text)):
        data = [
            pa.repeat(values[name], batch.data.num_rows)
            if name in values
            else batch.data.column(name)
            for name in asked
        ]
        yield batch._replace(data=pa.record_batch(data, asked))


def _without_first(batches: Iterator[Batch], rows: int) -> Iterator[Batch]:
    """Leave out so many rows at the beginning."""
    for batch in batches:
        count = batch.data.num_rows if hasattr(batch.data, "num_rows") else batch.data.shape[0]
        if rows < count:
            data = batch.data.slice(rows) if hasattr(batch.data, "slice") else batch.data[rows:]
            labels = None if batch.labels is None else batch.labels[rows:]
            yield Batch(data, batch.file, batch.first + rows, labels)
        rows = max(0, rows - count)


# Formats with columns ---------------------------------------------------------------------


def _parquet(path: Path, _width: int | None) -> Table:
    import pyarrow.parquet as pq

    def open_file() -> Any:
        # Pages are read as they are needed.  Otherwise, after some time, all of the file is in
        # memory.
        return pq.ParquetFile(
            path, buffer_size=_PARQUET_BUFFER, pre_buffer=False, page_checksum_verification=True
        )

    with open_file() as file:
        schema, metadata = file.schema_arrow, file.metadata
    sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    edges = np.cumsum([0, *sizes]).tolist()

    def read(wanted: Wanted) -> Iterator[Batch]:
        first_group = bisect_right(edges, wanted.start) - 1
        row = edges[first_group]
        groups = list(range(first_group, len(sizes)))
        names = [schema.names[column] for column in wanted.columns]
        with _naming(str(path)), open_file() as file:
            for batch in file.iter_batches(wanted.batch_rows, row_groups=groups, columns=names):
                skipped = max(0, wanted.start - row)
                if batch.num_rows > skipped:
                    yield Batch(batch.select(names)[skipped:], str(path), row + skipped)
                row += batch.num_rows

    return _of_schema(str(path), (path,), schema, metadata.num_rows, read)


def _arrow(path: Path, _width: int | None) -> Table:
    """Arrow's IPC format, as a file or as a stream."""
    import pyarrow as pa

    with path.open("rb") as file:
        is_file = file.read(len(_ARROW_FILE)) == _ARROW_FILE
    opening = pa.ipc.open_file if is_file else pa.ipc.open_stream
    with pa.memory_map(str(path)) as file, opening(file) as reader:
        schema = reader.schema

    def read(wanted: Wanted) -> Iterator[Batch]:
        with _naming(str(path)), pa.memory_map(str(path)) as file, opening(file) as reader:
            numbers = range(reader.num_record_batches) if is_file else None
            batches = map(reader.get_batch, numbers) if numbers is not None else iter(reader)
            names = [schema.names[column] for column in wanted.columns]
            yield from _of_batches(batches, names, str(path), wanted)

    return _of_schema(str(path), (path,), schema, None, read)


def _csv(path: Path, _width: int | None, *, delimiter: str = ",") -> Table:
    return _of_csv(str(path), (path,), lambda: str(path), lambda: str(path), delimiter)


def _of_csv(
    name: str,
    files: tuple[Path, ...],
    head: Callable[[], Any],
    whole: Callable[[], Any],
    delimiter: str,
) -> Table:
    """Read a CSV: its first rows, for names and types, and then all of it."""
    from pyarrow import csv

    with csv.open_csv(head(), **_csv_options(delimiter)) as first:
        schema = first.schema

    def read(wanted: Wanted) -> Iterator[Batch]:
        names = [schema.names[column] for column in wanted.columns]
        text = {schema.names[column] for column in wanted.text}
        options = _csv_options(delimiter, names, text)
        with _naming(name, schema.names), csv.open_csv(whole(), **options) as batches:
            yield from _of_batches(batches, names, name, wanted)

    return _of_schema(name, files, schema, None, read, typed=False)


def _csv_options(
    delimiter: str, names: Sequence[str] = (), text: Collection[str] = ()
) -> dict[str, Any]:
    """What to read of a CSV: of one type throughout, whatever the first rows look like."""
    import pyarrow as pa
    from pyarrow import csv

    types = {name: pa.string() if name in text else pa.float64() for name in names}
    return {
        # Its errors tell the row only without threads.
        "read_options": csv.ReadOptions(use_threads=False),
        "parse_options": csv.ParseOptions(delimiter=delimiter),
        "convert_options": csv.ConvertOptions(
            include_columns=list(names),
            column_types=types,
            null_values=_CSV_NULLS,
            strings_can_be_null=True,
        ),
    }


def _of_batches(
    batches: Iterable[Any], names: Sequence[str], file: str, wanted: Wanted
) -> Iterator[Batch]:
    """Columns of these names, of record batches of any size."""
    row = 0
    for whole in batches:
        batch = whole.select(names)
        for first in range(0, batch.num_rows, wanted.batch_rows):
            yield Batch(batch[first : first + wanted.batch_rows], file, row + first)
        row += batch.num_rows


def _of_schema(
    name: str,
    files: tuple[Path, ...],
    schema: Any,
    rows: int | None,
    read: Read,
    *,
    typed: bool = True,
) -> Table:
    # What a source has no types for is read as numbers, whatever the first rows look like.
    dtypes = tuple(_dtype(field.type) if typed else np.dtype(np.float64) for field in schema)
    return Table(name, tuple(schema.names), dtypes, rows, files, read, schema, typed)


def _dtype(arrow_type: Any) -> np.dtype[Any] | str:
    """NumPy's name of an Arrow type, or Arrow's where that is no number."""
    from pyarrow import types

    if any(is_(arrow_type) for is_ in (types.is_integer, types.is_floating, types.is_boolean)):
        dtype: np.dtype[Any] = np.dtype(arrow_type.to_pandas_dtype())
        return dtype
    return str(arrow_type)


# Arrays -----------------------------------------------------------------------------------


def _npy(path: Path, _width: int | None) -> Table:
    # Mapped anew for each batch, since pages count as memory of ours for as long as a map is there.
    return _of_array(path, lambda: np.lib.format.open_memmap(path, mode="r"))


def _npz(path: Path, _width: int | None) -> Table:
    """The only array of an archive, or the one called X, unpacked as it is read."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        name = names[0] if len(names) == 1 else "X.npy"
        if name not in names:
            raise ValueError(f"must have one array, or one called X; it has {', '.join(names)}")
        with archive.open(name) as file:
            shape, by_columns, dtype = _read_header(file)
    if len(shape) != 2:
        raise ValueError(f"must have two axes; it has shape {shape}")
    if by_columns and shape[1] > 1:
        raise ValueError("must be row-major (C order) to be read in batches")
    n, d = shape

    def read(wanted: Wanted) -> Iterator[Batch]:
        size = d * dtype.itemsize
        with _naming(str(path)), zipfile.ZipFile(path) as archive, archive.open(name) as file:
            _read_header(file)
            file.seek(wanted.start * size, os.SEEK_CUR)
            for first in range(wanted.start, n, wanted.batch_rows):
                count = min(wanted.batch_rows, n - first)
                block = file.read(count * size)
                rows = np.frombuffer(block, dtype, count * d).reshape(count, d)
                yield Batch(_native(rows), str(path), first)

    return Table(str(path), None, (_kind(dtype),) * d, n, (path,), read)


def _read_header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    reader = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    header: tuple[tuple[int, ...], bool, np.dtype[Any]] = reader(file)
    return header


def _of_array(path: Path, array_of: Callable[[], NDArray[Any]]) -> Table:
    array = array_of()
    if array.ndim != 2:
        raise ValueError(f"must have two axes; it has shape {array.shape}")
    n, d = array.shape

    def read(wanted: Wanted) -> Iterator[Batch]:
        for first in range(wanted.start, n, wanted.batch_rows):
            yield Batch(_native(array_of()[first : first + wanted.batch_rows]), str(path), first)

    return Table(str(path), None, (_kind(array.dtype),) * d, n, (path,), read)


def _kind(dtype: np.dtype[Any]) -> np.dtype[Any] | str:
    is_number = dtype.kind in "buif" and dtype.itemsize <= 8
    return dtype if is_number else str(dtype)


def _native(array: NDArray[Any]) -> NDArray[Any]:
    """In a byte order that the kernels read."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _libsvm(path: Path, width: int | None, *, first_column: int = 1) -> Table:
    """Text with ``label column:value ...`` in each line, the columns counted from 1 or from 0."""
    return _of_libsvm(str(path), (path,), lambda: _uncompressed(path), width, first_column)


def _of_libsvm(
    name: str,
    files: tuple[Path, ...],
    opened: Callable[[], AbstractContextManager[Any]],
    width: int | None,
    first_column: int,
) -> Table:
    if width is None:
        raise ValueError("LIBSVM does not tell how many columns there are")

    def read(_wanted: Wanted) -> Iterator[Batch]:
        with _naming(name), opened() as file:
            yield from _of_lines(file, name, width, first_column)

    return Table(name, None, (np.dtype(np.float64),) * width, None, files, read)


def _of_lines(file: Any, name: str, width: int, first_column: int) -> Iterator[Batch]:
    from sklearn.datasets import load_svmlight_file

    row, rest = 0, b""
    while True:
        block = file.read(_TEXT_BYTES)
        lines, _, rest = (rest + block).rpartition(b"\n") if block else (rest, b"", b"")
        if lines:
            X, labels = load_svmlight_file(
                io.BytesIO(lines), n_features=width, zero_based=first_column == 0
            )
            yield Batch(X, name, row, labels)
            row += X.shape[0]
        if not block:
            return


@contextmanager
def _uncompressed(path: Path) -> Iterator[Any]:
    import pyarrow as pa

    with pa.input_stream(str(path), compression="detect") as file:
        yield file


# What is no file ----------------------------------------------------------------------------


def _of_standard_input(file_format: str | None, width: int | None) -> Table:
    """Arrow's stream, CSV, TSV or LIBSVM; by default whichever of the first two it begins like."""
    file, name = sys.stdin.buffer, "standard input"
    head = file.read(_TEXT_BYTES)
    whole = io.BufferedReader(_Prepended(head, file))
    if file_format is None:
        file_format = "arrow" if head.startswith(_ARROW_STREAM) else "csv"
    with _naming(name):
        if file_format == "arrow":
            import pyarrow as pa

            return _of_reader(name, pa.ipc.open_stream(whole))
        if file_format in ("csv", "tsv"):
            lines = head if len(head) < _TEXT_BYTES else head[: head.rfind(b"\n") + 1]
            delimiter = {"csv": ",", "tsv": "\t"}[file_format]
            return _of_csv(name, (), lambda: io.BytesIO(lines), lambda: whole, delimiter)
        if file_format.startswith("libsvm"):
            first_column = int(file_format == "libsvm")
            return _of_libsvm(name, (), lambda: nullcontext(whole), width, first_column)
        raise ValueError(f"must be arrow, csv, tsv or libsvm; it cannot be {file_format}")


class _Prepended(io.RawIOBase):
    """What has been read of a file already, and then the rest."""

    def __init__(self, head: bytes, rest: Any) -> None:
        self.head, self.rest = io.BytesIO(head), rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self.head.readinto(buffer) or self.rest.readinto(buffer)


def _of_object(source: Any) -> Table:
    """Whatever is a table in memory, or gives one batch by batch."""
    name = type(source).__name__
    if hasattr(type(source), "tocsr") or isinstance(source, np.ndarray | list | tuple):
        return _of_matrix(name, source)
    import pyarrow as pa
    from pyarrow import dataset

    if isinstance(source, Mapping):
        source = pa.table(dict(source))
    elif isinstance(source, dataset.Dataset):
        source = source.scanner().to_reader()
    elif not hasattr(source, "__arrow_c_stream__"):
        raise TypeError(f"source must be a path or a table; got {name}")
    return _of_reader(name, pa.RecordBatchReader.from_stream(source))


def _of_reader(name: str, reader: Any) -> Table:
    """Read a stream of record batches, once."""
    schema = reader.schema

    def read(wanted: Wanted) -> Iterator[Batch]:
        names = [schema.names[column] for column in wanted.columns]
        with _naming(name), reader:
            yield from _of_batches(reader, names, name, wanted)

    return _of_schema(name, (), schema, None, read)


def _of_matrix(name: str, source: Any) -> Table:
    X = source if hasattr(type(source), "tocsr") else np.asarray(source)
    if X.ndim != 2:
        raise ValueError(f"source must have two axes; it has shape {X.shape}")
    n, d = X.shape

    def read(wanted: Wanted) -> Iterator[Batch]:
        for first in range(wanted.start, n, wanted.batch_rows):
            yield Batch(X[first : first + wanted.batch_rows], name, first)

    return Table(name, None, (_kind(X.dtype),) * d, n, (), read)


# Helpers --------------------------------------------------------------------------------


@contextmanager
def _naming(name: str, columns: Sequence[str] = ()) -> Iterator[None]:
    """Turn what a reader raises into a ValueError that names the file, column and row."""
    try:
        yield
    except (ImportError, FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # a damaged file gives a dozen different ones
        text = re.sub(
            r"In CSV column #(\d+)", lambda match: f"column {columns[int(match[1])]!r}", str(error)
        )
        # Arrow counts from 1, and the header too.
        text = re.sub(r"Row #(\d+)", lambda match: f"row {int(match[1]) - 2}", text)
        raise ValueError(f"{name}: {text}") from error


def _with_nearest(name: str, names: Sequence[str]) -> str:
    small = {other.lower(): other for other in names}
    nearest = difflib.get_close_matches(name.lower(), small, n=1)
    return f"{name!r} (is it {small[nearest[0]]!r}?)" if nearest else repr(name)


FORMATS: dict[str, Callable[[Path, int | None], Table]] = {
    "parquet": _parquet,
    "arrow": _arrow,
    "csv": _csv,
    "tsv": partial(_csv, delimiter="\t"),
    "npy": _npy,
    "npz": _npz,
    "libsvm": _libsvm,
    "libsvm0": partial(_libsvm, first_column=0),
}
_TEXTS = ("csv", "tsv", "libsvm")
_SUFFIXES = [
    ("parquet", ".parquet"),
    ("arrow", ".arrow"),
    ("arrow", ".arrows"),
    ("arrow", ".feather"),
    ("csv", ".csv"),
    ("tsv", ".tsv"),
    ("npy", ".npy"),
    ("npz", ".npz"),
    ("libsvm", ".libsvm"),
    ("libsvm", ".svm"),
    ("libsvm", ".svmlight"),
]
