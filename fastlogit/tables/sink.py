"""Where to write: record batches become a file, which appears under its name when it is complete.

A format is one function, which gives what writes the next record batch, and one line in
`FORMATS`.  Rows are written so many at a time, whatever parts they come in, so that the same rows
give the same bytes.
"""

from __future__ import annotations

import io
import json
import sys
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.core import files
from fastlogit.core.arrow import array_of
from fastlogit.tables.source import STANDARD, format_of, open_table
from fastlogit.tables.table import UNTYPED
from fastlogit.tables.text_file import CODECS

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from typing import BinaryIO

    Write = Callable[[Any], object]

# Rows that are written at a time: a row group of a Parquet file.
_GROUP_ROWS = 1 << 20
# Rows whose text is made at a time, so that it stays in the cache.
_CSV_ROWS = 1 << 16


@contextmanager
def open_sink(
    path: str | os.PathLike[str],
    schema: Any,
    *,
    file_format: str | None = None,
    compression: str | None = None,
    force: bool = False,
    compare: bool = False,
) -> Iterator[Write]:
    """Give a function that writes the next record batch to a file, or "-", standard output.

    The file appears under its name at a clean end, and not at all otherwise.  With `compare`, a
    file that exists is not written; it must hold the bytes that would be written.

    Raises
    ------
    OSError
        If the folder is not there or cannot be written, or the file exists and `force` does
        not say to replace it, before the block is entered; or it differs where they `compare`.
    ValueError
        If no format has this suffix, or it cannot hold such columns; likewise.
    """
    if str(path) == STANDARD:
        file_format = checked_format(file_format or "csv")
        if file_format == "npy":
            raise ValueError("standard output cannot be npy, which begins with the number of rows")
        if sys.stdout is None:
            raise ValueError("standard output is closed")
        with ExitStack() as stack, _writing("standard output"):
            write = stack.enter_context(
                FORMATS[file_format](sys.stdout.buffer, schema, compression)
            )
            if file_format == "parquet":
                write = stack.enter_context(_grouped(write, schema))
            yield write
            stack.close()
            sys.stdout.buffer.flush()
        return
    target = Path(path)
    open_format = FORMATS[checked_format(file_format or format_of(target, FORMATS))]
    is_compared = compare and target.is_file()
    place = nullcontext(target) if is_compared else replacing(target, force=force)
    with place as path, ExitStack() as stack:
        with _writing(target):
            opening = _compared(target) if is_compared else path.open("wb")
            uncompressed = stack.enter_context(_compressed(stack.enter_context(opening), target))
            write = stack.enter_context(open_format(uncompressed, schema, compression))
            write_groups = stack.enter_context(_grouped(write, schema))

        def named(batch: Any) -> None:
            with _writing(target):
                write_groups(batch)

        try:
            yield named
        except BaseException:
            with suppress(OSError):  # of what was not written yet, instead of what has failed
                stack.__exit__(*sys.exc_info())
            raise
        with _writing(target):
            stack.close()


def checked_format(name: str) -> str:
    """Check that a format can be written."""
    if name not in FORMATS:
        raise ValueError(f"sink_format must be one of {', '.join(FORMATS)}; got {name!r}")
    return name


@contextmanager
def replacing(path: str | os.PathLike[str], *, force: bool) -> Iterator[Path]:
    """As :func:`fastlogit.core.files.replacing`, and only with `force` in place of another file."""
    _refuse_existing(path, force)
    with files.replacing(path, alone=True) as temporary:
        yield temporary
        _refuse_existing(path, force)  # which came meanwhile


def _refuse_existing(path: str | os.PathLike[str], force: bool) -> None:
    if Path(path).is_file() and not force:
        raise FileExistsError(f"{path}: exists already (force=True replaces it)")


@contextmanager
def _compared(target: Path) -> Iterator[BinaryIO]:
    with target.open("rb") as file:
        comparison = _Comparison(target, file)
        yield comparison  # type: ignore[misc]
        comparison.must_end()


class _Comparison(io.RawIOBase):
    """A file that takes just the bytes that another one has."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self.other, self.stop = path, file, 0

    def writable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.other.seek(offset, whence)

    def tell(self) -> int:
        return self.other.tell()

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        if self.other.read(size) != bytes(data):
            self._refuse()
        self.stop = max(self.stop, self.tell())
        return size

    def must_end(self) -> None:
        """Check that the other file has no more."""
        if self.stop < self.seek(0, io.SEEK_END):
            self._refuse()

    def _refuse(self) -> None:
        raise FileExistsError(
            f"{self.path}: exists already, and is not what this run writes: the model, the input "
            "or an option has changed (force=True replaces it)"
        )


# Of the metadata of Parquet and Arrow.
_RUN = b"fastlogit.run"


def with_run(schema: Any, run: dict[str, str]) -> Any:
    """A schema with which Parquet and Arrow files say which run has written them."""
    return schema.with_metadata({_RUN: json.dumps(run, sort_keys=True)}) if run else schema


def run_of(path: str | os.PathLike[str]) -> dict[str, str] | None:
    """The run that has written a file, if the file says it."""
    if not Path(path).is_file():
        return None
    try:
        run = json.loads(open_table(Path(path)).schema.metadata[_RUN])
    except (AttributeError, KeyError, TypeError, ValueError):  # of any other file
        return None
    return run if isinstance(run, dict) else None


@contextmanager
def _writing(target: Path | str) -> Iterator[None]:
    """Put the file's name into errors of writing, which is all that they lack."""
    import pyarrow as pa

    try:
        yield
    except (BrokenPipeError, FileExistsError):
        raise
    except (OSError, pa.ArrowException) as error:
        kind = OSError if isinstance(error, OSError) else ValueError
        raise kind(f"{target}: cannot be written: {error}") from error


@contextmanager
def _compressed(file: BinaryIO, target: Path) -> Iterator[Any]:
    """Give what compresses into a file if its final name says so."""
    import pyarrow as pa

    codec = CODECS.get(target.suffix.lower())
    if codec is None:
        yield file
    else:
        with pa.CompressedOutputStream(file, codec) as compressed:
            yield compressed


@contextmanager
def _grouped(write: Write, schema: Any) -> Iterator[Write]:
    """Join and cut what comes to record batches of as many rows, and the last of what is left.

    Of fewer rows if some columns may be wide, as all of a group is in memory.
    """
    import pyarrow as pa

    waiting: list[Any] = []
    count = 0
    is_narrow = all(pa.types.is_primitive(field.type) for field in schema)
    group_rows = _GROUP_ROWS if is_narrow else _GROUP_ROWS // 16

    def write_group(rows: int) -> None:
        nonlocal waiting, count
        table = pa.Table.from_batches(waiting, schema)
        for batch in table.slice(0, rows).combine_chunks().to_batches():
            write(batch)  # one; some, of more than 2 GB of text
        waiting = table.slice(rows).to_batches()
        count -= rows

    def add(batch: Any) -> None:
        nonlocal count
        waiting.append(batch)
        count += batch.num_rows
        while count >= group_rows:
            write_group(group_rows)

    yield add
    if count:
        write_group(count)


@contextmanager
def _parquet(file: BinaryIO, schema: Any, compression: str | None) -> Iterator[Write]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Probabilities hardly repeat, so that a dictionary or compression would only cost time.
    repeating = [field.name for field in schema if not pa.types.is_floating(field.type)]
    by_column = {name: "snappy" if name in repeating else "none" for name in schema.names}
    with pq.ParquetWriter(
        file,
        schema,
        compression=compression or by_column,
        use_dictionary=repeating,
        write_page_checksum=True,
    ) as writer:
        yield lambda batch: writer.write_batch(batch, row_group_size=_GROUP_ROWS)


@contextmanager
def _arrow(
    file: BinaryIO, schema: Any, compression: str | None, *, stream: bool = False
) -> Iterator[Write]:
    import pyarrow as pa

    options = pa.ipc.IpcWriteOptions(compression=compression)
    opening = pa.ipc.new_stream if stream else pa.ipc.new_file
    if stream:  # one that is cut may look whole, and must not say which run has written it
        schema = schema.remove_metadata()
    with opening(file, schema, options=options) as writer:
        yield lambda batch: writer.write_batch(_copied(batch))


def _copied(batch: Any) -> Any:
    """Put rows into memory of their own, which Arrow writes as it is.

    Beyond the end of a slice, and under nulls, is what came there by chance, as other rows.
    """
    import pyarrow as pa

    every = array_of(np.arange(batch.num_rows))

    def copied(column: Any) -> Any:
        if pa.types.is_float64(column.type) and not column.null_count:
            return column  # of which just the values are written
        try:
            return column.take(every)
        except pa.ArrowNotImplementedError:  # as views within lists
            return column

    return pa.record_batch([copied(column) for column in batch.columns], schema=batch.schema)


@contextmanager
def _csv(
    file: BinaryIO, schema: Any, compression: str | None, *, delimiter: str = ","
) -> Iterator[Write]:
    """Write CSV of which every common reader finds the rows and types by default.

    Arrow's own writer leaves a line empty for a null of the only column, and pandas and pyarrow
    skip such lines.  It writes NaN as `nan`, with which Polars takes the column for text, and 1.0
    as `1`, so that Polars and DuckDB fail at the first fraction after many such rows.
    """
    import pyarrow as pa
    from pyarrow import compute

    _refuse(compression)
    for field in schema:
        if not _is_text_in_csv(field.type):
            raise ValueError(
                f"a CSV file cannot hold column {field.name!r}, which is {field.type} (a .parquet "
                "or .arrow file can)"
            )
    null = ""
    if len(schema) == 1:
        null = "NaN" if pa.types.is_floating(schema.types[0]) else '""'
    ends = [_binary(delimiter.encode())] * (len(schema) - 1) + [_binary(b"\n")]

    def write(batch: Any) -> None:
        for first in range(0, batch.num_rows, _CSV_ROWS):
            rows = batch[first : first + _CSV_ROWS]
            parts = []
            for column, field, end in zip(rows.columns, schema, ends, strict=True):
                parts += [*_csv_parts(column, field, delimiter), end]
            lines = compute.binary_join_element_wise(
                *parts, _binary(b""), null_handling="replace", null_replacement=null
            )
            file.write(_content(lines))

    names = ('"' + name.replace('"', '""') + '"' for name in schema.names)
    file.write(f"{delimiter.join(names)}\n".encode())
    yield write


def _is_text_in_csv(kind: Any) -> bool:
    """Whether every value of this type can be written as text; bytes need not be text."""
    import pyarrow as pa

    types = pa.types
    of_bytes = types.is_binary, types.is_large_binary, types.is_fixed_size_binary
    if any(is_one(kind) for is_one in of_bytes):
        return False
    try:
        pa.nulls(0, kind).cast(pa.large_string())
    except pa.ArrowNotImplementedError:
        return False
    return True


def _csv_parts(column: Any, field: Any, delimiter: str) -> list[Any]:
    """Binary strings that joined are the fields of a column; of a null, one is null."""
    import pyarrow as pa

    if column.type in (pa.string(), pa.large_string()):
        is_untyped = (field.metadata or {}).items() >= UNTYPED.items()
        return _csv_texts(column.cast(pa.large_binary()), delimiter, if_needed=is_untyped)
    fields = _csv_floats(column) if pa.types.is_floating(column.type) else column
    return [fields.cast(pa.large_string()).cast(pa.large_binary())]


def _csv_texts(text: Any, delimiter: str, *, if_needed: bool) -> list[Any]:
    """Text in quotes, with which Polars takes "1" for text; or only where it needs quotes."""
    from pyarrow import compute

    content = bytes(_content(text))
    marks = [mark for mark in ('"', "\r", "\n", delimiter) if mark.encode() in content]
    if if_needed and not marks:
        return [text]
    doubled = compute.replace_substring(text, b'"', b'""') if '"' in marks else text
    parts = [_binary(b'"'), doubled, _binary(b'"')]
    if not if_needed and not text.null_count:
        return parts
    quoted = compute.binary_join_element_wise(*parts, _binary(b""))
    if not if_needed:
        return [quoted]
    needs = compute.match_substring_regex(text, f"[{''.join(marks)}]")
    return [compute.if_else(needs, quoted, text)]


def _csv_floats(column: Any) -> Any:
    """Text that every reader takes for floating-point numbers."""
    import pyarrow as pa
    from pyarrow import compute

    text = column.cast(pa.large_string())
    values = column.to_numpy(zero_copy_only=False)
    with np.errstate(invalid="ignore"):  # of infinities
        if np.all(np.abs(values - np.trunc(values)) > 0):
            return text
    text = compute.replace_substring_regex(text, "^(-?[0-9]+)$", r"\1.0")
    return compute.if_else(compute.equal(text, "nan"), "NaN", text)


def _binary(value: bytes) -> Any:
    import pyarrow as pa

    return pa.scalar(value, pa.large_binary())


def _content(column: Any) -> memoryview:
    """All values of a column of binary strings, end to end."""
    _, offsets, data = column.buffers()
    ends = np.frombuffer(offsets, np.int64)
    return memoryview(data or b"")[ends[column.offset] : ends[column.offset + len(column)]]


@contextmanager
def _npy(file: BinaryIO, schema: Any, compression: str | None) -> Iterator[Write]:
    import pyarrow as pa

    _refuse(compression)
    for field in schema:
        if not (pa.types.is_floating(field.type) or pa.types.is_integer(field.type)):
            raise ValueError(f"a .npy file holds numbers; column {field.name!r} is {field.type}")
    width = len(schema)
    rows = 0
    file.seek(len(_npy_header(rows, width)))

    def write(batch: Any) -> None:
        nonlocal rows
        columns = []
        for field, column in zip(schema, batch.columns, strict=True):
            try:
                numbers = column.cast(pa.float64())
            except pa.ArrowInvalid as error:
                raise ValueError(
                    f"a .npy file holds float64; column {field.name!r} has larger integers"
                ) from error
            columns.append(numbers.to_numpy(zero_copy_only=False))
        file.write((np.column_stack(columns) if width > 1 else columns[0]).data)
        rows += batch.num_rows

    yield write
    file.seek(0)
    file.write(_npy_header(rows, width))


def _npy_header(rows: int, width: int) -> bytes:
    """The header, which NumPy pads so that it has one length for any number of rows."""
    shape = (rows,) if width == 1 else (rows, width)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": shape}
    )
    return header.getvalue()


def _refuse(compression: str | None) -> None:
    if compression is not None:
        raise ValueError(
            f"compression={compression!r} is for Parquet and Arrow; a .csv may end with "
            f"{', '.join(CODECS)}"
        )


FORMATS: dict[str, Callable[[Any, Any, str | None], AbstractContextManager[Write]]] = {
    "parquet": _parquet,
    "arrow": _arrow,
    "arrow-stream": partial(_arrow, stream=True),
    "csv": _csv,
    "tsv": partial(_csv, delimiter="\t"),
    "npy": _npy,
}
