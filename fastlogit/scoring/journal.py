"""What a run that dies leaves: every part that it had finished, to be taken up again.

A journal is an SQLite database beside the output, and is removed once that is complete.  It tells
what the run was (the model, the files with their sizes and times, all options), and has a row
for each part, with a checksum.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.scoring.predictions import Part

_TABLES = """
PRAGMA synchronous = OFF;
CREATE TABLE IF NOT EXISTS run (description TEXT);
CREATE TABLE IF NOT EXISTS parts (
    number INTEGER PRIMARY KEY, read INTEGER, file TEXT, batch BLOB, skipped BLOB, checksum INTEGER
);
"""

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def open_journal(output: Path, run: dict[str, Any]) -> Iterator[Journal]:
    """Give the journal of an output; at a clean end, and where data are wrong, it is removed."""
    journal = Journal(output.with_name(f".{output.name}.journal"), json.dumps(run, sort_keys=True))
    try:
        yield journal
    except (ValueError, TypeError):
        journal.remove()
        raise
    except BaseException:
        journal.keep()
        raise
    journal.remove()


class Journal:
    """The parts of a run that are finished, in order."""

    def __init__(self, path: Path, run: str) -> None:
        self.path, self.run = path, run
        self.database: sqlite3.Connection | None = None

    def begin(self, schema: Any, *, resume: bool) -> Iterator[Part]:
        """Begin it, or `resume`: give what is finished, up to the first part that is damaged.

        Raises
        ------
        ValueError
            If it is the journal of another run, and what is different; it stays as it is.
        """
        if not resume:
            for suffix in ("", "-journal"):  # SQLite's own, if it was killed as well
                Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        # Nothing is synchronised: what a process that is killed has written, the system keeps.
        database = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            database.executescript(_TABLES)
            self._check_run(database)
        except sqlite3.Error as error:
            database.close()
            raise OSError(f"{self.path}: cannot be used: {error}") from error
        except BaseException:
            database.close()
            raise
        self.database = database
        yield from _parts(database, schema)

    def _check_run(self, database: sqlite3.Connection) -> None:
        found = database.execute("SELECT description FROM run").fetchone()
        if found is None:
            database.execute("INSERT INTO run VALUES (?)", (self.run,))
            return
        before, now = json.loads(found[0]), json.loads(self.run)
        changed = [name for name in now if before.get(name) != now[name]]
        if changed:
            raise ValueError(f"{self.path}: cannot be resumed: {', '.join(changed)} has changed")

    def add(self, part: Part) -> None:
        """Note a part."""
        assert self.database is not None
        batch, skipped = memoryview(part.rows.serialize()), part.skipped.tobytes()
        checksum = zlib.crc32(skipped, zlib.crc32(batch))
        record = (part.read, part.file, batch, skipped, checksum)
        try:
            self.database.execute(
                "INSERT INTO parts (read, file, batch, skipped, checksum) VALUES (?, ?, ?, ?, ?)",
                record,
            )
        except sqlite3.Error as error:
            raise OSError(f"{self.path}: cannot be written: {error}") from error

    def keep(self) -> None:
        """Close it; what has no part is not worth keeping."""
        if self.database is None:
            return
        with suppress(sqlite3.Error):
            parts = self.database.execute("SELECT count(*) FROM parts").fetchone()
            self.database.close()
            if parts == (0,):
                self.path.unlink()

    def remove(self) -> None:
        """Close it, and remove it."""
        if self.database is not None:
            self.database.close()
            self.path.unlink()


def _parts(database: sqlite3.Connection, schema: Any) -> Iterator[Part]:
    import pyarrow as pa

    number = 0
    with suppress(sqlite3.DatabaseError):
        for read, file, batch, skipped, checksum in database.execute(
            "SELECT read, file, batch, skipped, checksum FROM parts ORDER BY number"
        ):
            if zlib.crc32(skipped, zlib.crc32(batch)) != checksum:
                break
            number += 1
            rows = pa.ipc.read_record_batch(pa.py_buffer(batch), schema)
            yield Part(rows, np.frombuffer(skipped, np.int64), read, file)
    database.execute("DELETE FROM parts WHERE number > ?", (number,))
