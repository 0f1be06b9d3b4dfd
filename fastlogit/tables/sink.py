"""Open a sink to write it: record batches become a file, which appears when it is complete."""

from __future__ import annotations

import io
import sys
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastlogit.core.files import replacing
from fastlogit.tables.formats import choose_format, format_by_suffix, names, output_formats
from fastlogit.tables.source import STANDARD
from fastlogit.tables.text_file import CODECS

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from typing import BinaryIO

    from fastlogit.tables.file_format import Format, Write

# Rows that are written at a time, for example a row group of a Parquet file.
_GROUP_ROWS = 1 << 20


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
    """Give a function that writes the next record batch to a file, or to "-", standard output.

    The file appears under its name when the block ends without an exception.  Rows are written in
    groups of a fixed size: the bytes depend on the rows, not on the batches.  With `compare`, an
    existing file is not written, but must hold the same bytes.

    Raises
    ------
    OSError
        Before the block is entered, if the folder does not exist or cannot be written, or if the
        file exists without `force`; later, if a compared file differs.
    ValueError
        Before the block is entered, if no format has this suffix or name, or if the format cannot
        hold such columns or has no such compression.
    """
    if str(path) == STANDARD:
        with _open_standard_output(schema, file_format, compression) as write:
            yield write
        return
    target = Path(path)
    chosen = _choose_output(file_format, target)
    _check_compression(chosen, compression)
    is_compared = compare and target.is_file()
    place = nullcontext(target) if is_compared else replacing(target, force=force, alone=True)
    with place as path, ExitStack() as stack:
        with _writing(target):
            opening = _compared(target) if is_compared else path.open("wb")
            uncompressed = stack.enter_context(_compressed(stack.enter_context(opening), target))
            write = _enter_writer(stack, chosen, uncompressed, schema, compression, groups=True)

        def write_batch(batch: Any) -> None:
            with _writing(target):
                write(batch)

        try:
            yield write_batch
        except BaseException:
            with suppress(OSError):  # of closing the file; the first exception is the cause
                stack.__exit__(*sys.exc_info())
            raise
        with _writing(target):
            stack.close()


@contextmanager
def _open_standard_output(
    schema: Any, file_format: str | None, compression: str | None
) -> Iterator[Write]:
    chosen = choose_format(output_formats(), file_format or "csv", "sink_format")
    if chosen.needs_seek:
        raise ValueError(
            f"standard output cannot be {chosen.name}, which begins with the number of rows"
        )
    _check_compression(chosen, compression)
    if sys.stdout is None:
        raise ValueError("standard output is closed")
    file = sys.stdout.buffer
    with ExitStack() as stack, _writing("standard output"):
        groups = chosen.writes_groups
        yield _enter_writer(stack, chosen, file, schema, compression, groups=groups)
        stack.close()
        file.flush()


def _choose_output(file_format: str | None, target: Path) -> Format:
    if file_format is None:
        return format_by_suffix(target, output_formats())
    return choose_format(output_formats(), file_format, "sink_format")


def _check_compression(chosen: Format, compression: str | None) -> None:
    if compression is not None and not chosen.takes_compression:
        takes = names(one for one in output_formats() if one.takes_compression)
        raise ValueError(
            f"only {takes} take compression={compression!r}; the output is {chosen.name} (the name "
            f"of a compressed text file ends in {', '.join(CODECS)})"
        )


def _enter_writer(
    stack: ExitStack,
    chosen: Format,
    file: Any,
    schema: Any,
    compression: str | None,
    *,
    groups: bool,
) -> Write:
    """Enter a writer on the stack; with `groups`, it gets batches joined into large groups."""
    assert chosen.write is not None
    write = stack.enter_context(chosen.write(file, schema, compression))
    return stack.enter_context(_grouped(write, schema)) if groups else write


@contextmanager
def _compared(target: Path) -> Iterator[BinaryIO]:
    with target.open("rb") as file:
        comparison = _Comparison(target, file)
        yield comparison  # type: ignore[misc]
        comparison.must_end()


class _Comparison(io.RawIOBase):
    """A file that accepts only the bytes that another file holds."""

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
        """Check that the other file has no more bytes."""
        if self.stop < self.seek(0, io.SEEK_END):
            self._refuse()

    def _refuse(self) -> None:
        raise FileExistsError(
            f"{self.path}: exists already, and is not what this run writes: an input or an option "
            "has changed (force=True replaces it)"
        )


@contextmanager
def _writing(target: Path | str) -> Iterator[None]:
    """Name the file in errors of writing."""
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
    """Give the file, or one that compresses into it if the suffix of `target` says so."""
    import pyarrow as pa

    codec = CODECS.get(target.suffix.lower())
    if codec is None:
        yield file
    else:
        with pa.CompressedOutputStream(file, codec) as compressed:
            yield compressed


@contextmanager
def _grouped(write: Write, schema: Any) -> Iterator[Write]:
    """Join and split record batches into groups of equal size; the last one may be smaller.

    Groups are smaller if columns may be wide, as a whole group is in memory.
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
            write(batch)  # one, or several if there are more than 2 GB of text
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
