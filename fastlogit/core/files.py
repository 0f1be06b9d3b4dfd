"""Write files so that they appear whole or not at all, and never over one that is read."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

try:
    import fcntl
except ImportError:  # where files are not locked so
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO


@contextmanager
def replacing(path: str | os.PathLike[str], *, alone: bool = False) -> Iterator[Path]:
    """Give the name of an empty file beside `path`, which becomes `path` at a clean end.

    If the block raises, the file is removed and `path` is as it was.  A process that is killed
    leaves it; who is `alone` in writing to `path` uses its file again.

    Raises
    ------
    OSError
        If the folder does not exist or cannot be written, or `path` is a folder or a device;
        before the block is entered.
    """
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(f"{target}: is a folder, not a file")
    if target.exists() and not target.is_file():
        raise OSError(f"{target}: is no regular file, so that it cannot be replaced")
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


def _partial(target: Path) -> Path:
    return target.with_name(f".{target.name}.partial")


def remove_partial(path: str | os.PathLike[str]) -> None:
    """Remove the partial file of `path` that a killed process left, unless another writes it."""
    temporary = _partial(Path(path))
    if temporary.exists():
        with suppress(BlockingIOError), open_alone(temporary):
            temporary.unlink()


def open_alone(path: Path) -> BinaryIO:
    """Open a file, to read and append to, that no other process has opened so.

    Raises
    ------
    BlockingIOError
        If one has.
    """
    with ExitStack() as stack:
        file = stack.enter_context(path.open("ab+"))
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise BlockingIOError(errno.EAGAIN, "another run writes it", str(path)) from None
            here = os.fstat(file.fileno())
            # Another run may have finished in between, whose output this is now.
            if not path.exists() or not os.path.samestat(here, path.stat()):
                raise BlockingIOError(errno.EAGAIN, "another run has just written it", str(path))
        stack.pop_all()
    return file


def keep_apart(output: str | os.PathLike[str], *inputs: str | os.PathLike[str]) -> None:
    """Check that `output` is none of the files to read, whatever their names and links.

    Raises
    ------
    ValueError
        If it is.
    """
    for path in inputs:
        with suppress(OSError):  # where one is not there, they are not the same
            if Path(output).samefile(path):
                raise ValueError(f"{output}: is a file to read; give the output another name")
