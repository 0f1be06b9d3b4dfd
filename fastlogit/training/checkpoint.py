"""Checkpoints: files with the results of all passes over X, so that training can be resumed.

Training is deterministic: the results of the passes so far decide which point θ is tried next.  So
training that is resumed begins anew, and takes results that the checkpoint has from there instead
of reading X.  The state of a solver need not be stored.  As a result depends on the rows and θ
alone, training with another penalty or solver may use the same checkpoint.

The first line is JSON with the identity of the rows.  A record follows for each pass:

    length, CRC-32 | question, θ and results, as a NumPy array (.npy)

Records are appended: the Hessians of many passes are too long to be written again after each.  If
a kill has cut a record, or it is damaged, it is dropped together with all that follow it, and
these passes are made again.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from fastlogit.core import checks, files
from fastlogit.core.fingerprint import fingerprint
from fastlogit.core.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import BinaryIO

    from fastlogit.core.linalg import Vector

R = TypeVar("R")

_FORMAT = "fastlogit.checkpoint"
# The first line begins with this, and has fewer bytes than the second.
_BEGINNING, _LONGEST_LINE = f'{{"format": "{_FORMAT}"'.encode(), 1 << 16
_HEAD = struct.Struct("<QI")


@contextmanager
def open_checkpoint(
    path: str | os.PathLike[str] | None, *, resume: bool = False, force: bool = False
) -> Iterator[Checkpoint | None]:
    """Open a checkpoint, which no other process can use meanwhile; None without a path.

    It stays at the end of the block, unless it has no results.

    Parameters
    ----------
    path : path, optional
    resume : bool
        Whether to go on with an existing checkpoint.  Without one, a new one begins.
    force : bool
        Whether to replace an existing checkpoint otherwise.

    Raises
    ------
    OSError
        If the file cannot be written, another process uses it, or it exists.
    TypeError, ValueError
        If an argument is wrong, or the file is something else.
    """
    checks.true_or_false(resume, "resume")
    if path is None:
        if resume:
            raise ValueError("resume must go with checkpoint, the file to resume from; got none")
        yield None
        return
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"checkpoint must be a path; got {checks.shown(path)}")
    with files.open_alone(Path(path)) as file:
        checkpoint = Checkpoint(Path(path), file)
        if not resume:
            checkpoint.clear(force=force)
        try:
            yield checkpoint
        finally:
            checkpoint.remove_if_empty()


class Checkpoint:
    """The results of passes over X, in a file.

    Parameters
    ----------
    path : Path
    file : BinaryIO
        Opened to read and append, and locked.

    Attributes
    ----------
    is_identified : bool
        Whether `begin` has compared the rows.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self._file = path, file
        self._identity = self._read_identity()
        self.is_identified = False
        # Where the record of each question begins, in the order of the file.
        self._places: dict[bytes, int] = {}

    def _read_identity(self) -> dict[str, str] | None:
        """The identity of the rows; None if the file is empty, or its first line was cut."""
        self._file.seek(0)
        line = self._file.readline(_LONGEST_LINE)
        if _BEGINNING.startswith(line[: len(_BEGINNING)]) and not line.endswith(b"\n"):
            return None
        try:
            content = json.loads(line)
            if content["format"] == _FORMAT:
                return dict(content["identity"])
        except (ValueError, LookupError, TypeError, RecursionError):  # any other file
            pass
        raise ValueError(f"{self.path}: is no checkpoint of a training")

    def clear(self, *, force: bool) -> None:
        """Remove all results; an error if the file has some, unless `force` is given."""
        if self._identity is not None and not force:
            raise FileExistsError(
                f"{self.path}: exists already (resume=True goes on with it; remove it to begin "
                "anew)"
            )
        self._file.truncate(0)
        self._identity = None

    def begin(self, identity: Mapping[str, Any]) -> None:
        """Start the file, or check that training on the same rows has written it.

        Parameters
        ----------
        identity : dict
            All that determines the result of a pass at some θ, ready for JSON.  Messages name the
            keys.

        Raises
        ------
        ValueError
            If an item differs.
        """
        now = fingerprint({"the version of fastlogit": __version__, **identity})
        before = self._identity
        if before is None:
            self._file.truncate(0)
            line = json.dumps({"format": _FORMAT, "identity": now})
            self._write(line.encode() + b"\n")
            self._identity = now
        else:
            changed = [name for name in {**now, **before} if now.get(name) != before.get(name)]
            if changed:
                raise ValueError(
                    f"{self.path}: cannot be resumed, as its training differs in "
                    f"{', '.join(changed)}"
                )
            self._find_records()
        self.is_identified = True

    def _find_records(self) -> None:
        """Find all records up to the first damaged one, and drop that and all after it."""
        self._file.seek(0)
        self._file.readline()
        place = self._file.tell()
        while (record := self._read_record()) is not None:
            question, theta, _ = _decode(record)
            self._places[_key(question, theta)] = place
            place = self._file.tell()
        self._file.truncate(place)

    def must_agree(self, read: Callable[[Any, Vector], Any]) -> None:
        """Make the first pass again; a ValueError if its result is not the same.

        Parameters
        ----------
        read : function of a question and θ
            As for `recall`.
        """
        if not self._places:
            return
        question, theta, before = self._at(next(iter(self._places.values())))
        now = read(question, theta)._asdict()
        if any(
            np.asarray(now[name]).tobytes() != np.asarray(before[name]).tobytes() for name in before
        ):
            raise ValueError(f"{self.path}: cannot be resumed, as its training differs in the rows")

    def recall(
        self, question: str, theta: Vector, kind: type[R], read: Callable[[Any, Vector], R]
    ) -> R:
        """The result of a pass from the file, after it was made if the file does not have it.

        Parameters
        ----------
        question : str
            The kind of pass.
        theta : ndarray
            Where.
        kind : type
            A NamedTuple of arrays, numbers and None, which is the default of its fields.
        read : function of a question and θ
            Makes the pass.
        """
        key = _key(question, theta)
        if key in self._places:
            _, _, fields = self._at(self._places[key])
        else:
            record = _encode(question, theta, read(question, theta))
            place = self._file.seek(0, os.SEEK_END)
            self._write(_HEAD.pack(len(record), zlib.crc32(record)), record)
            self._places[key] = place
            # Not the result itself: a resumed training gets decoded arrays.  Their layout may
            # differ, and sums over them might be added up in another order.
            _, _, fields = _decode(record)
        return kind(**fields)

    def _at(self, place: int) -> tuple[str, Vector, dict[str, Any]]:
        """The record at a place."""
        self._file.seek(place)
        record = self._read_record()
        if record is None:
            raise OSError(f"{self.path}: has changed while training used it")
        return _decode(record)

    def _read_record(self) -> bytes | None:
        """The next record; None at the end, or if it is cut or damaged."""
        head = self._file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return None
        length, checksum = _HEAD.unpack(head)
        if not 0 < length <= os.fstat(self._file.fileno()).st_size - self._file.tell():
            return None
        record = self._file.read(length)
        return record if zlib.crc32(record) == checksum else None

    def _write(self, *fields: bytes) -> None:
        """Append data, which then survive the end of the process and of the machine."""
        try:
            self._file.writelines(fields)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            with suppress(OSError):  # closing tries again to write
                self._file.close()
            raise OSError(f"{self.path}: cannot be written: {error.strerror}") from error

    def remove_if_empty(self) -> None:
        """Remove the file if it has no results."""
        if self._identity is None or (self.is_identified and not self._places):
            self.remove()

    def remove(self) -> None:
        """Remove the file, as the model is saved."""
        self.path.unlink(missing_ok=True)


def _key(question: str, theta: Vector) -> bytes:
    """A hash, as θ may be long."""
    return hashlib.sha256(question.encode() + b" " + theta.tobytes()).digest()


def _encode(question: str, theta: Vector, result: Any) -> bytes:
    """A record with the fields of a NamedTuple that are not None."""
    given = {"theta": theta, **result._asdict(), "question": question}
    fields = {name: np.asarray(value) for name, value in given.items() if value is not None}
    record = np.empty((), [(name, one.dtype, one.shape) for name, one in fields.items()])
    for name, value in fields.items():
        record[name] = value
    file = io.BytesIO()
    np.save(file, record, allow_pickle=False)
    return file.getvalue()


def _decode(record: bytes) -> tuple[str, Vector, dict[str, Any]]:
    """Question, θ and fields of a result."""
    array = np.load(io.BytesIO(record), allow_pickle=False)
    fields = {name: array[name] for name in array.dtype.names}
    question, theta = fields.pop("question").item(), fields.pop("theta")
    return (
        question,
        theta,
        {name: value if value.ndim else value.item() for name, value in fields.items()},
    )
