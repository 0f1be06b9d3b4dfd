"""The journal of a scoring run: the finished batches, so that an interrupted run can be resumed.

It is in the folder of the output and is removed when the output is complete.  Its first line is
JSON with the identity of the run: the model, the files with their sizes and times, all options.
A record follows for each batch.  Its checksum reveals a cut or damaged record, which is scored
again:

    lengths of the three fields, rows read, unknown values, CRC-32
    | record batch | rows left out | name of the file

(SQLite would do all of this, but takes six times as long as scoring the rows.)
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.core import files
from fastlogit.scoring.scorer import ScoredBatch
from fastlogit.tables.source import open_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

_HEAD = struct.Struct("<QQQQQQ")
# Key of the fingerprint in the metadata of Parquet and Arrow files.
_KEY = b"fastlogit.run"


@contextmanager
def open_journal(output: str | os.PathLike[str], run: dict[str, Any]) -> Iterator[Journal]:
    """The journal of an output; it is kept if the run is interrupted.

    After a TypeError or ValueError it is removed, as the data are wrong and would be wrong again.
    """
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
    """The finished batches of a run, in order."""

    def __init__(self, output: str | os.PathLike[str], run: dict[str, Any]) -> None:
        self.path = Path(output).with_name(f".{Path(output).name}.journal")
        self.run = run
        self.file: BinaryIO | None = None
        self.is_empty = True

    def begin(self, schema: Any, *, resume: bool) -> Iterator[ScoredBatch]:
        """Start the journal; with `resume`, yield its batches up to the first damaged one."""
        # Another run may begin once the output has its name, before this journal is removed.
        self.file = file = files.open_alone(self.path)
        if not resume or not self.is_there():
            file.truncate(0)
            self._write(json.dumps(self.run, sort_keys=True).encode(), b"\n")
            return
        file.seek(0)
        file.readline()
        good = file.tell()
        while (batch := _read(file, schema)) is not None:
            self.is_empty = False
            good = file.tell()
            yield batch
        file.truncate(good)

    def is_there(self) -> bool:
        """Whether a journal of the same run exists, ready to resume.

        Raises
        ------
        ValueError
            If the journal is of another run, with a list of the differences.
        """
        try:
            with self.path.open("rb") as file:
                line = file.readline()
        except FileNotFoundError:
            return False
        before = None
        with suppress(ValueError):  # a damaged first line: no batch counts as finished
            before = json.loads(line)
        if not isinstance(before, dict):
            return False
        now = json.loads(json.dumps(self.run))
        changed = [name for name in now if name in before and before[name] != now[name]]
        if changed:
            raise ValueError(
                f"{self.path}: cannot be resumed, as its run differs in {', '.join(changed)}"
            )
        return bool(before == now)

    def discard(self) -> None:
        """Remove the journal of the same run, unless another process is using it."""
        with suppress(ValueError, BlockingIOError):
            if self.is_there():
                self.file = files.open_alone(self.path)
                self.close(keep=False)

    def add(self, batch: ScoredBatch) -> None:
        """Append a finished batch."""
        fields = (memoryview(batch.rows.serialize()), batch.skipped.tobytes(), batch.file.encode())
        counts = (*(len(field) for field in fields), batch.read, batch.unknown)
        self._write(_HEAD.pack(*counts, _checksum(counts, fields)), *fields)
        self.is_empty = False

    def _write(self, *fields: Any) -> None:
        """Hand data to the system, which keeps them even if the process is killed."""
        assert self.file is not None
        try:
            self.file.writelines(fields)
            self.file.flush()
        except OSError as error:
            raise OSError(f"{self.path}: cannot be written: {error}") from error

    def close(self, *, keep: bool) -> None:
        """Close the journal, and remove it if it is empty or not to be kept."""
        if self.file is None:
            return
        if not keep or self.is_empty:
            self.path.unlink(missing_ok=True)
        with suppress(OSError):
            self.file.close()


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


def _read(file: BinaryIO, schema: Any) -> ScoredBatch | None:
    """The next batch, or None if it is cut or damaged."""
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
    return ScoredBatch(
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
