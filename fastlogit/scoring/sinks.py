"""Where to write: record batches become a file, which appears under its name when it is complete.

A format is one function, which gives what writes the next record batch, and one line in
`FORMATS`.  Rows are written so many at a time, whatever parts they come in, so that the same rows
give the same bytes.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit import files
from fastlogit.arrow import array_of
from fastlogit.scoring.sources import STANDARD, format_of
from fastlogit.scoring.texts import CODECS

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from typing import BinaryIO

    Write = Callable[[Any], object]

# Rows that are written at a time: a row group of a Parquet file.
_GROUP_ROWS = 1 << 20


@contextmanager
def open_sink(
    path: str | os.PathLike[str],
    schema: Any,
    *,
    file_format: str | None = None,
    compression: str | None = None,
    force: bool = False,
) -> Iterator[Write]:
    """Give a function that writes the next record batch to a file, or "-", standard output.

    The file appears under its name at a clean end, and not at all otherwise.

    Raises
    ------
    OSError
        If the folder is not there or cannot be written, or the file exists and `force` does
        not say to replace it; before the block is entered.
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
    with replacing(target, force=force) as temporary, ExitStack() as stack:
        with _writing(target):
            file = stack.enter_context(_compressed(temporary, target))
            write = stack.enter_context(open_format(file, schema, compression))
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
    """As :func:`fastlogit.files.replacing`, and only with `force` in place of another file."""
    _refuse_existing(path, force)
    with files.replacing(path, alone=True) as temporary:
        yield temporary
        _refuse_existing(path, force)  # which came meanwhile


def _refuse_existing(path: str | os.PathLike[str], force: bool) -> None:
    if Path(path).is_file() and not force:
        raise FileExistsError(f"{path}: exists already (force=True replaces it)")


@contextmanager
def _writing(target: Path | str) -> Iterator[None]:
    """Put the file's name into errors of writing, which is all that they lack."""
    import pyarrow as pa

    try:
        yield
    except BrokenPipeError:
        raise
    except (OSError, pa.ArrowException) as error:
        kind = OSError if isinstance(error, OSError) else ValueError
        raise kind(f"{target}: cannot be written: {error}") from error


@contextmanager
def _compressed(temporary: Path, target: Path) -> Iterator[Any]:
    """Open a file to write, compressed if its final name says so."""
    import pyarrow as pa

    codec = CODECS.get(target.suffix.lower())
    with temporary.open("wb") as file:
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
    from pyarrow import csv

    _refuse(compression)
    options = csv.WriteOptions(delimiter=delimiter, quoting_style="needed")
    with csv.CSVWriter(file, schema, write_options=options) as writer:
        yield writer.write_batch


@contextmanager
def _npy(file: BinaryIO, schema: Any, compression: str | None) -> Iterator[Write]:
    import pyarrow as pa

    _refuse(compression)
    for field in schema:
        if not (pa.types.is_floating(field.type) or pa.types.is_integer(field.type)):
            raise ValueError(f"a .npy file holds numbers; column {field.name!r} is {field.type}")
    width = len(schema)
    rows = 0
    _write_npy_header(file, rows, width)

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
    _write_npy_header(file, rows, width)


def _write_npy_header(file: BinaryIO, rows: int, width: int) -> None:
    """Write the header, which NumPy pads so that it has one length for any number of rows."""
    shape = (rows,) if width == 1 else (rows, width)
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


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
