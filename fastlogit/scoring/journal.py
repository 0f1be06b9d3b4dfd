"""What a run that dies leaves: every part that it had finished, to be taken up again.

A journal lies beside the output, and is removed once that is complete.  Its first line tells, as
JSON, what the run was: the model, the files with their sizes and times, all options.  A record
follows for each part, with a checksum: what a crash has cut or damaged is found, and done again.

    lengths of the following, rows read, unknown values, CRC-32
    | record batch | rows left out | name of the file

(SQLite would do all of this, and takes six times as long as to compute what it keeps.)
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.core import files
from fastlogit.scoring.predictions import Part
from fastlogit.tables.source import open_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

_HEAD = struct.Struct("<QQQQQQ")
# Key of the fingerprint in the metadata of Parquet and Arrow files.
_KEY = b"fastlogit.run"


@contextmanager
def open_journal(output: str | os.PathLike[str], run: dict[str, Any]) -> Iterator[Journal]:
    """Give the journal of an output; at a clean end, and where data are wrong, it is removed."""
    journal = Journal(output, run)
    try:
        yield journal
    except (ValueError, TypeError):
        journal.close(keep=False)
        raise
    except BaseException:
        journal.close(keep=True)
        raise
    journal.close(keep=False)


class Journal:
    """The parts of a run that are finished, in order."""

    def __init__(self, output: str | os.PathLike[str], run: dict[str, Any]) -> None:
        self.path = Path(output).with_name(f".{Path(output).name}.journal")
        self.run = run
        self.file: BinaryIO | None = None
        self.is_empty = True

    def begin(self, schema: Any, *, resume: bool) -> Iterator[Part]:
        """Begin it, or `resume`: give what is finished, up to the first part that is damaged."""
        # Another run may begin as soon as the output has its name, before this is removed.
        self.file = file = files.open_alone(self.path)
        if not resume or not self.is_there():
            file.truncate(0)
            self._write(json.dumps(self.run, sort_keys=True).encode(), b"\n")
            return
        file.seek(0)
        file.readline()
        good = file.tell()
        while (part := _read(file, schema)) is not None:
            self.is_empty = False
            good = file.tell()
            yield part
        file.truncate(good)

    def is_there(self) -> bool:
        """Whether there is a journal of this very run, to be resumed.

        Raises
        ------
        ValueError
            If there is one of another run, and what is different.
        """
        try:
            with self.path.open("rb") as file:
                line = file.readline()
        except FileNotFoundError:
            return False
        before = None
        with suppress(ValueError):  # cut, or damaged: nothing is known to be finished
            before = json.loads(line)
        if not isinstance(before, dict):
            return False
        now = json.loads(json.dumps(self.run))
        changed = [name for name in now if name in before and before[name] != now[name]]
        if changed:
            raise ValueError(f"{self.path}: cannot be resumed: {', '.join(changed)} has changed")
        return bool(before == now)

    def discard(self) -> None:
        """Remove what this very run has left, unless another process still has it."""
        with suppress(ValueError, BlockingIOError):
            if self.is_there():
                self.file = files.open_alone(self.path)
                self.close(keep=False)

    def add(self, part: Part) -> None:
        """Note a part."""
        fields = (memoryview(part.rows.serialize()), part.skipped.tobytes(), part.file.encode())
        counts = (*(len(field) for field in fields), part.read, part.unknown)
        self._write(_HEAD.pack(*counts, _checksum(counts, fields)), *fields)
        self.is_empty = False

    def _write(self, *fields: Any) -> None:
        """Write to the system, which keeps it when the process is killed."""
        assert self.file is not None
        try:
            self.file.writelines(fields)
            self.file.flush()
        except OSError as error:
            raise OSError(f"{self.path}: cannot be written: {error}") from error

    def close(self, *, keep: bool) -> None:
        """Close it; what has no part is not worth keeping."""
        if self.file is None:
            return
        if not keep or self.is_empty:
            self.path.unlink(missing_ok=True)
        with suppress(OSError):
            self.file.close()


def fingerprint(run: dict[str, Any]) -> dict[str, str]:
    """Hash of each part of a run; no path or time can be read from it."""
    encoded = {name: json.dumps(value, sort_keys=True).encode() for name, value in run.items()}
    return {name: hashlib.sha256(value).hexdigest() for name, value in encoded.items()}


def add_fingerprint(schema: Any, said: dict[str, str]) -> Any:
    """A schema whose metadata tell the run that writes a file, in Parquet and Arrow."""
    return schema.with_metadata({_KEY: json.dumps(said, sort_keys=True)}) if said else schema


def read_fingerprint(path: str | os.PathLike[str]) -> dict[str, str] | None:
    """The fingerprint of the run that wrote a file; None if the file has none."""
    if not Path(path).is_file():
        return None
    try:
        said = json.loads(open_table(Path(path)).schema.metadata[_KEY])
    except (AttributeError, KeyError, TypeError, ValueError):  # any other file
        return None
    return said if isinstance(said, dict) else None


def _read(file: BinaryIO, schema: Any) -> Part | None:
    """Read the next part; None if that is not whole."""
    import pyarrow as pa

    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    *counts, checksum = _HEAD.unpack(head)
    *sizes, read, unknown = counts
    if sum(sizes) > os.fstat(file.fileno()).st_size - file.tell():
        return None
    fields = [file.read(size) for size in sizes]
    if _checksum(counts, fields) != checksum:
        return None
    rows, skipped, name = fields
    return Part(
        pa.ipc.read_record_batch(pa.py_buffer(rows), schema),
        np.frombuffer(skipped, np.int64),
        read,
        name.decode(),
        unknown,
    )


def _checksum(counts: Sequence[int], fields: Any) -> int:
    checksum = zlib.crc32(_HEAD.pack(*counts, 0))
    for field in fields:
        checksum = zlib.crc32(field, checksum)
    return checksum
