"""NumPy's own formats: an array in a `.npy` file, or in a `.npz` archive."""

from __future__ import annotations

import io
import os
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.core.checks import listed, shown
from fastlogit.tables.array import array_dtypes, array_edges
from fastlogit.tables.errors import errors_naming
from fastlogit.tables.table import Batch, Table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import NDArray

    from fastlogit.tables.file_format import Write
    from fastlogit.tables.table import Wanted

# Bytes of a .npy file that are read at a time, into memory that the allocator uses again.  Larger
# arrays come from the system, which clears their pages: 640 MB took 0.17 s instead of 0.10 s.
_READ_BYTES = 1 << 22
# More columns than any model has: a damaged header may promise any number.
_MOST_COLUMNS = 1 << 24


def open_npy(path: Path, *_: Any) -> Table:
    """Open a `.npy` file with two axes.

    The file is read, not mapped into memory: if a mapped file is cut short meanwhile, the process
    is killed.
    """
    with path.open("rb") as file:
        n, d, by_columns, dtype = _read_header(file)
        begin = file.tell()
    if dtype.hasobject:
        raise ValueError("holds Python objects, which are not read")
    size = path.stat().st_size - begin
    if size < n * d * dtype.itemsize:
        raise ValueError(f"is cut short: it has {size} bytes for {n} rows and {d} columns")

    def read(wanted: Wanted) -> Iterator[Batch]:
        with errors_naming(str(path)), path.open("rb", buffering=0) as file:
            most = min(wanted.batch_rows, max(1, _READ_BYTES // max(1, d * dtype.itemsize)))
            stop = n if wanted.stop is None else wanted.stop
            for first in range(wanted.start, stop, most):
                count = min(most, stop - first)
                # One read, or one for each column of a column-major array.
                arrays = np.empty((d, count) if by_columns else (1, count * d), dtype)
                for j, array in enumerate(arrays):
                    place = j * n + first if by_columns else first * d
                    file.seek(begin + place * dtype.itemsize)
                    if file.readinto(array.view(np.uint8)) < array.nbytes:
                        raise ValueError(f"is cut short in the rows from {first} on")
                X = arrays.T if by_columns else arrays.reshape(count, d)
                yield Batch(_native(X), str(path), first)

    dtypes = array_dtypes(dtype, d)
    return Table(str(path), None, dtypes, n, (path,), read, edges=array_edges(n))


def open_npz(path: Path, *_: Any) -> Table:
    """Open the only array of a `.npz` archive, or the one called X; it is unpacked while read."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        name = names[0] if len(names) == 1 else "X.npy"
        if name not in names:
            raise ValueError(f"must have one array, or one called X; it has {listed(names)}")
        with archive.open(name) as file:
            n, d, by_columns, dtype = _read_header(file)
    if by_columns and d > 1:
        raise ValueError("must be row-major (C order) to be read in batches")

    def read(wanted: Wanted) -> Iterator[Batch]:
        size = d * dtype.itemsize
        with errors_naming(str(path)), zipfile.ZipFile(path) as archive, archive.open(name) as file:
            _read_header(file)
            file.seek(wanted.start * size, os.SEEK_CUR)
            for first in range(wanted.start, n, wanted.batch_rows):
                count = min(wanted.batch_rows, n - first)
                content = file.read(count * size)
                if len(content) < count * size:
                    raise ValueError(f"is cut short in row {first + len(content) // size}")
                rows = np.frombuffer(content, dtype, count * d).reshape(count, d)
                yield Batch(_native(rows), str(path), first)
            if file.read(1):  # zipfile compares the checksum at the end
                raise ValueError(f"has more than the {n} rows of its header")

    return Table(str(path), None, array_dtypes(dtype, d), n, (path,), read)


def _read_header(file: Any) -> tuple[int, int, bool, np.dtype[Any]]:
    """Numbers of rows and columns, whether the array is column-major, and its dtype."""
    version = np.lib.format.read_magic(file)
    # Versions 2 and 3 differ only in the names of fields, which a table of numbers lacks.
    is_first = version == (1, 0)
    read = np.lib.format.read_array_header_1_0 if is_first else np.lib.format.read_array_header_2_0
    shape, by_columns, dtype = read(file)
    if len(shape) != 2 or min(shape) < 0:
        raise ValueError(f"must have two axes; it has shape {shown(shape)}")
    if shape[1] > _MOST_COLUMNS:
        raise ValueError(f"must have at most {_MOST_COLUMNS} columns; it has {shown(shape[1])}")
    return int(shape[0]), int(shape[1]), by_columns, dtype


def _native(array: NDArray[Any]) -> NDArray[Any]:
    """The array in the machine's byte order."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)


@contextmanager
def write_npy(file: BinaryIO, schema: Any, _compression: str | None) -> Iterator[Write]:
    """Give a function that writes a record batch as rows of a float64 array.

    The header, which has the number of rows, is written last: `file` must be able to seek.
    """
    import pyarrow as pa

    for field in schema:
        if not (pa.types.is_floating(field.type) or pa.types.is_integer(field.type)):
            raise ValueError(f"a .npy file holds numbers; column {field.name!r} is {field.type}")
    width = len(schema)
    rows = 0
    file.seek(len(_header(rows, width)))

    def write(batch: Any) -> None:
        nonlocal rows
        columns = []
        for field, column in zip(schema, batch.columns, strict=True):
            try:
                numbers = column.cast(pa.float64())
            except pa.ArrowInvalid as error:
                raise ValueError(
                    f"a .npy file holds float64; column {field.name!r} has larger integers"
                ) from error
            columns.append(numbers.to_numpy(zero_copy_only=False))
        file.write((np.column_stack(columns) if width > 1 else columns[0]).data)
        rows += batch.num_rows

    yield write
    file.seek(0)
    file.write(_header(rows, width))


def _header(rows: int, width: int) -> bytes:
    """The header; NumPy pads it so that its length does not depend on the number of rows."""
    shape = (rows,) if width == 1 else (rows, width)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": shape}
    )
    return header.getvalue()
