"""Atomic files: an output appears whole or not at all, and never replaces an input."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO


@contextmanager
def replacing(
    path: str | os.PathLike[str], *, force: bool = True, alone: bool = False
) -> Iterator[Path]:
    """Give the path of an empty temporary file, which replaces `path` when the block ends.

    If the block raises, the temporary file is removed and `path` is as it was.

    Parameters
    ----------
    path : path
        The file to write.
    force : bool
        Whether it may exist already.
    alone : bool
        Whether to lock the temporary file, so that only one process writes `path` at a time.  Its
        name is then fixed: a later call reuses the one that a killed process has left.

    Raises
    ------
    OSError
        Before the block is entered, if the folder does not exist or cannot be written, or if
        `path` is a folder or a device, or exists without `force`.
    """
    target = Path(path)
    _refuse_existing(target, force)
    if target.is_dir():
        raise IsADirectoryError(f"{target}: is a folder, not a file")
    if target.exists() and not target.is_file():
        raise OSError(f"{target}: is no regular file and cannot be replaced")
    with ExitStack() as stack:
        try:
            if alone:
                temporary = _partial(target)
                lock = stack.enter_context(open_alone(temporary))
                lock.truncate(0)
            else:
                handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
                os.close(handle)
                temporary = Path(name)
        except OSError as error:
            raise type(error)(f"{target}: cannot write here: {error.strerror}") from None
        try:
            yield temporary
            _refuse_existing(target, force)  # another process may have written it meanwhile
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)  # mkstemp makes a file for its owner alone
            temporary.replace(target)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise


def _refuse_existing(path: Path, force: bool) -> None:
    if not force and path.is_file():
        raise FileExistsError(f"{path}: exists already (force=True replaces it)")


def _partial(target: Path) -> Path:
    return target.with_name(f".{target.name}.partial")


def remove_partial(path: str | os.PathLike[str]) -> None:
    """Remove the temporary file of a killed process, unless another process is writing it."""
    temporary = _partial(Path(path))
    if temporary.exists():
        with suppress(BlockingIOError), open_alone(temporary):
            temporary.unlink()


def open_alone(path: Path) -> BinaryIO:
    """Open a file to read and append, and lock it against other processes.

    Raises
    ------
    BlockingIOError
        If another process has locked it.
    """
    with ExitStack() as stack:
        file = stack.enter_context(path.open("ab+"))
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise BlockingIOError(errno.EAGAIN, "another run writes it", str(path)) from None
            here = os.fstat(file.fileno())
            # Another run may have finished in between: this file is then its output.
            if not path.exists() or not os.path.samestat(here, path.stat()):
                raise BlockingIOError(errno.EAGAIN, "another run has just written it", str(path))
        stack.pop_all()
    return file


def keep_apart(output: str | os.PathLike[str], *inputs: str | os.PathLike[str]) -> None:
    """Raise a ValueError if `output` is one of the inputs, under any name or link."""
    for path in inputs:
        with suppress(OSError):  # a file that does not exist is none of them
            if Path(output).samefile(path):
                raise ValueError(f"{output}: is a file to read; give the output another name")
