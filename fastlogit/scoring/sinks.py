"""Files to write: one column `probability`, float64 so that its tail is kept (5e-324 is not 0).

A format is one function, which gives what writes the next part of the column, and one line in
`_FORMATS`.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from fastlogit import files
from fastlogit.scoring.sources import by_suffix

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    Write = Callable[[NDArray[np.float64]], object]

COLUMN = "probability"


@contextmanager
def open_sink(path: str | os.PathLike[str], *, force: bool = False) -> Iterator[Write]:
    """Give a function that writes the next probabilities to a file.

    The file appears under its name at a clean end, and not at all otherwise.

    Raises
    ------
    OSError
        If the folder is not there or cannot be written, or the file exists and `force` does
        not say to replace it; before the block is entered.
    ValueError
        If no format has this suffix; likewise.
    """
    target = Path(path)
    open_format = by_suffix(target, _FORMATS)
    with replacing(target, force=force) as temporary, ExitStack() as stack:
        with _writing(target):
            write = stack.enter_context(open_format(temporary))

        def named(y: NDArray[np.float64]) -> None:
            with _writing(target):
                write(y)

        yield named
        with _writing(target):
            stack.close()


@contextmanager
def replacing(path: str | os.PathLike[str], *, force: bool) -> Iterator[Path]:
    """As :func:`fastlogit.files.replacing`, and only with `force` in place of another file."""
    if Path(path).is_file() and not force:
        raise FileExistsError(f"{path}: exists already (force=True replaces it)")
    with files.replacing(path) as temporary:
        yield temporary


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Put the file's name into errors of writing, which is all that they lack."""
    try:
        yield
    except OSError as error:
        raise OSError(f"{target}: cannot be written: {error}") from error


@contextmanager
def _parquet(path: Path) -> Iterator[Write]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema()
    # Probabilities hardly repeat, so that a dictionary would only cost time.
    with pq.ParquetWriter(path, schema, use_dictionary=False) as writer:
        yield lambda y: writer.write_batch(pa.record_batch([y], schema=schema))


@contextmanager
def _csv(path: Path) -> Iterator[Write]:
    import pyarrow as pa
    from pyarrow import csv

    schema = _schema()
    with csv.CSVWriter(path, schema) as writer:
        yield lambda y: writer.write_batch(pa.record_batch([y], schema=schema))


@contextmanager
def _npy(path: Path) -> Iterator[Write]:
    with path.open("wb") as file:
        _write_npy_header(file, 0)
        start = file.tell()
        yield lambda y: file.write(y.data)
        rows = (file.tell() - start) // np.dtype(np.float64).itemsize
        file.seek(0)
        _write_npy_header(file, rows)


_FORMATS: dict[str, Callable[[Path], AbstractContextManager[Write]]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".npy": _npy,
}


def _schema() -> Any:
    import pyarrow as pa

    return pa.schema([(COLUMN, pa.float64())])


def _write_npy_header(file: BinaryIO, rows: int) -> None:
    """Write the header, which NumPy pads so that it has one length for any number of rows."""
    header = {"descr": "<f8", "fortran_order": False, "shape": (rows,)}
    np.lib.format.write_array_header_1_0(file, header)
