"""Copies on disk of tables that can be read only once."""

from __future__ import annotations

import errno
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING

from fastlogit.tables.stream import read_anew

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import BinaryIO

    from fastlogit.tables.table import Stream, Table

# Errors of a disk, a quota or a limit on the size of files.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# Copying more bytes takes a second or more.
_NOTED_BYTES = 1 << 28


@contextmanager
def spooled(table: Table, note: Callable[[], object] = bool) -> Iterator[Table]:
    """Give a table that can be read again: `table` itself, or its copy in a temporary file.

    `note` is called once the copy has become large.

    A pipe is copied byte by byte, and an Arrow stream as an Arrow file.  So reading the copy gives
    the same batches and messages.  The file is in the folder for temporary files, which `TMPDIR`
    sets, and has no name there: it is gone when the block or the process ends.

    Raises
    ------
    OSError
        If the copy cannot be written.
    """
    if table.stream is None:
        yield table
        return
    reopen = table.stream.reopen
    with _copied(table, table.stream, note) as file:
        size, lock = file.tell(), Lock()
        yield replace(read_anew(lambda: reopen(_Reading(file, lock))), size=size)


@contextmanager
def _copied(table: Table, stream: Stream, note: Callable[[], object]) -> Iterator[BinaryIO]:
    """A temporary file with all that a stream holds."""
    folder = tempfile.gettempdir()
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            stream.copy(_Noting(file, note))  # type: ignore[arg-type]
            file.flush()
        except BaseException as error:
            with suppress(OSError):  # closing writes the rest
                file.close()
            if isinstance(error, OSError) and error.errno in _FULL:
                raise OSError(
                    f"{folder}: has no room for a copy of {table.name}, which can be read only "
                    f"once: {error.strerror} (set TMPDIR to a folder with more room, or save the "
                    "input as a file and read that)"
                ) from None
            raise
        yield file


class _Noting:
    """Writes a file, and calls a function once it has become large."""

    def __init__(self, file: BinaryIO, note: Callable[[], object]) -> None:
        self.file, self.note, self.closed = file, note, False
        self.is_noted = False

    def write(self, content: bytes) -> int:
        """Write bytes."""
        written = self.file.write(content)
        if not self.is_noted and self.file.tell() > _NOTED_BYTES:
            self.is_noted = True
            self.note()
        return written

    def writelines(self, several: Iterable[bytes]) -> None:
        """Write bytes one after the other."""
        for content in several:
            self.write(content)

    def tell(self) -> int:
        """Number of bytes written."""
        return self.file.tell()

    def flush(self) -> None:
        """Write the buffer to the file."""
        self.file.flush()


class _Reading:
    """Reads a file from its beginning; others may read the same file meanwhile."""

    def __init__(self, file: BinaryIO, lock: Lock) -> None:
        self.file, self.lock = file, lock
        self.place, self.closed = 0, False

    def read(self, size: int = -1) -> bytes:
        """The next bytes; none at the end."""
        with self.lock:
            self.file.seek(self.place)
            content = self.file.read(size)
            self.place += len(content)
        return content
