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
    from collections.abc import Iterator
    from typing import BinaryIO

    from fastlogit.tables.table import Stream, Table

# Errors of a disk, a quota or a limit on the size of files.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def spooled(table: Table) -> Iterator[Table]:
    """Give a table that can be read again: `table` itself, or its copy in a temporary file.

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
    with _copied(table, table.stream) as file:
        size, lock = file.tell(), Lock()
        yield replace(read_anew(lambda: reopen(_Reading(file, lock))), size=size)


@contextmanager
def _copied(table: Table, stream: Stream) -> Iterator[BinaryIO]:
    """A temporary file with all that a stream holds."""
    folder = tempfile.gettempdir()
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            stream.copy(file)
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
