"""Arrow's IPC format, as a file (`.arrow`, `.feather`) or as a stream (`.arrows`)."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.core.arrow import from_numpy
from fastlogit.tables.errors import errors_naming
from fastlogit.tables.record_batches import split_batches, stream_table, typed_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from fastlogit.tables.file_format import Write
    from fastlogit.tables.table import Batch, Table, Wanted

# A file whose record batches are larger than this on average is mapped instead of read.
_LARGE_BATCH_BYTES = 1 << 28
# First bytes of Arrow's files and streams.  No text begins like a stream, UTF-16 included.
_FILE_MARK, STREAM_MARK = b"ARROW1", b"\xff\xff"


def open_arrow(path: Path, *_: Any) -> Table:
    """Open a file in Arrow's IPC format, either a file or a stream by its first bytes."""
    import pyarrow as pa

    with path.open("rb") as file:
        is_file = file.read(len(_FILE_MARK)) == _FILE_MARK
    opening = pa.ipc.open_file if is_file else pa.ipc.open_stream
    with pa.OSFile(str(path)) as file, opening(file) as reader:
        schema = reader.schema
        count = reader.num_record_batches if is_file else None
    # If a mapped file is cut short while it is read, the process is killed.  But reading takes
    # memory for a whole record batch.
    is_mapped = count is not None and path.stat().st_size > max(1, count) * _LARGE_BATCH_BYTES
    open_file = pa.memory_map if is_mapped else pa.OSFile

    def read(wanted: Wanted) -> Iterator[Batch]:
        # Pages of a mapped column are read only when they are used.
        only = [] if is_mapped else sorted(set(wanted.columns))
        options = pa.ipc.IpcReadOptions(included_fields=only)
        with (
            errors_naming(str(path)),
            open_file(str(path)) as file,
            opening(file, options=options) as reader,
        ):
            names = [schema.names[column] for column in wanted.columns]
            yield from split_batches(_batches(reader, count), names, str(path), wanted)

    def cells(columns: int, _: int | None) -> int:
        # Of a mapped file, little more is read than the lengths of the batches.
        options = pa.ipc.IpcReadOptions(included_fields=[0])
        with (
            errors_naming(str(path)),
            pa.memory_map(str(path)) as file,
            opening(file, options=options) as reader,
        ):
            return columns * sum(int(batch.num_rows) for batch in _batches(reader, count))

    return replace(typed_table(str(path), (path,), schema, None, read), cells=cells)


def _batches(reader: Any, count: int | None) -> Iterator[Any]:
    """The record batches of a file, which tells their number, or of a stream."""
    return iter(reader) if count is None else map(reader.get_batch, range(count))


def open_arrow_stream(name: str, file: Any, *_: Any) -> Table:
    """Read Arrow's stream format from a pipe, once."""
    import pyarrow as pa

    return stream_table(name, pa.ipc.open_stream(file))


@contextmanager
def write_arrow(
    file: BinaryIO, schema: Any, compression: str | None, *, stream: bool = False
) -> Iterator[Write]:
    """Give a function that writes the next record batch."""
    import pyarrow as pa

    options = pa.ipc.IpcWriteOptions(compression=compression)
    opening = pa.ipc.new_stream if stream else pa.ipc.new_file
    if stream:
        # A stream that is cut short can look complete, so its metadata must not claim that.
        schema = schema.remove_metadata()
    with opening(file, schema, options=options) as writer:
        yield lambda batch: writer.write_batch(_compact(batch))


def _compact(batch: Any) -> Any:
    """A copy of a record batch without bytes that are not part of its values.

    Arrow also writes what lies beyond the end of a slice and under nulls.  There may be other
    rows' values, and the same rows would not give the same bytes.
    """
    import pyarrow as pa

    every = from_numpy(np.arange(batch.num_rows))

    def copied(column: Any) -> Any:
        if pa.types.is_float64(column.type) and not column.null_count:
            return column  # Arrow writes just the values of such a slice
        try:
            return column.take(every)
        except pa.ArrowNotImplementedError:  # for example views within lists
            return column

    return pa.record_batch([copied(column) for column in batch.columns], schema=batch.schema)
