"""Sources that are read only once, and tables that open their source again for each read."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from fastlogit.core.checks import shown
from fastlogit.tables.errors import errors_naming
from fastlogit.tables.table import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import BinaryIO

    from fastlogit.tables.table import Batch, Table, Wanted

# Bytes of a pipe that are copied at a time.
_COPIED_BYTES = 1 << 20


def read_once(table: Table, stream: Stream) -> Table:
    """The table of a stream, which raises a ValueError if it is read or copied a second time."""
    is_used = False

    def use() -> None:
        nonlocal is_used
        if is_used:
            raise ValueError(f"{table.name}: can be read only once")
        is_used = True

    def read(wanted: Wanted) -> Iterator[Batch]:
        use()
        yield from table.reader(wanted)

    def copy(file: BinaryIO) -> None:
        use()
        stream.copy(file)

    return replace(table, reader=read, stream=stream._replace(copy=copy))


def read_anew(opening: Callable[[], Table]) -> Table:
    """A table that calls a function for each read, which opens the source as a table.

    The first call comes at once: its table has the columns, and is the one that is read first.  A
    later read raises a ValueError if it gives other columns or another number of rows.
    """
    first = opening()
    unread, counts = [first], list[int]()

    def read(wanted: Wanted) -> Iterator[Batch]:
        table = unread.pop() if unread else opening()
        with errors_naming(first.name):
            must_be_same(_columns(table), _columns(first))
        rows = 0
        for batch in table.reader(wanted):
            rows += batch.rows
            yield batch
        if not (rows or counts):
            opening()  # an error if the source gives the same stream, which may have been read
        counts.append(rows)
        if rows != counts[0]:
            raise ValueError(
                f"{first.name}: must give the same rows at each read; got {rows} rows, and "
                f"{counts[0]} at the first read"
            )

    cells = first.cells if first.rows is None else lambda columns, _: first.count_cells(columns)
    return replace(first, rows=None, reader=read, edges=None, stream=None, cells=cells)


def must_be_same(columns: Sequence[str], first: Sequence[str]) -> None:
    """Check that columns, as `described`, are those that were given first."""
    pairs = zip_longest(columns, first, fillvalue="none")
    for place, (now, before) in enumerate(pairs):
        if now != before:
            raise ValueError(
                f"must always have the same columns; column {place} is {now}, and was {before} "
                "before"
            )


def described(names: Sequence[str], kinds: Sequence[Any]) -> list[str]:
    """Names and types of columns, as messages show them."""
    return [f"{shown(name)} ({kind})" for name, kind in zip(names, kinds, strict=True)]


def _columns(table: Table) -> list[str]:
    kinds = table.dtypes if table.schema is None else table.schema.types
    return described(table.names or ("",) * len(kinds), kinds)


class Pipe:
    """A stream of bytes that keeps those in `head` which an opener has read to find the columns."""

    def __init__(self, file: Any) -> None:
        self.file, self.closed = file, False
        self.head: list[bytes] | None = []

    def read(self, size: int = -1) -> bytes:
        """The next bytes; none at the end."""
        content: bytes = self.file.read(size)
        if self.head is not None:
            self.head.append(content)
        return content


def pipe_table(file: Any, open_stream: Callable[[Any], Table], *, close: bool) -> Table:
    """Open a stream of bytes as a table that is read once; with `close`, it is closed then."""
    pipe = Pipe(file)
    table = open_stream(pipe)
    closing: AbstractContextManager[object] = file if close else nullcontext()

    def read(wanted: Wanted) -> Iterator[Batch]:
        pipe.head = None
        with closing:
            yield from table.reader(wanted)

    def copy(copied: BinaryIO) -> None:
        with closing:
            copied.writelines(pipe.head or ())
            pipe.head = None
            shutil.copyfileobj(file, copied, _COPIED_BYTES)

    return read_once(replace(table, reader=read), Stream(copy, open_stream))
