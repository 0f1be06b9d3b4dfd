"""Formats in which columns only have positions, read as arrays and CSR matrices, as they are."""

from __future__ import annotations

import io
import os
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.scoring import texts
from fastlogit.scoring.table import Batch, Table, naming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from fastlogit.scoring.table import Wanted
    from fastlogit.scoring.texts import Text


def open_npy(path: Path, _width: int | None) -> Table:
    """NumPy's own format, mapped into memory."""
    # Mapped anew for each batch, since pages count as memory of ours for as long as a map is there.
    return _of_array(path, lambda: np.lib.format.open_memmap(path, mode="r"))


def open_npz(path: Path, _width: int | None) -> Table:
    """The only array of an archive, or the one called X, unpacked as it is read."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        name = names[0] if len(names) == 1 else "X.npy"
        if name not in names:
            raise ValueError(f"must have one array, or one called X; it has {', '.join(names)}")
        with archive.open(name) as file:
            shape, by_columns, dtype = _read_header(file)
    if len(shape) != 2:
        raise ValueError(f"must have two axes; it has shape {shape}")
    if by_columns and shape[1] > 1:
        raise ValueError("must be row-major (C order) to be read in batches")
    n, d = shape

    def read(wanted: Wanted) -> Iterator[Batch]:
        size = d * dtype.itemsize
        with naming(str(path)), zipfile.ZipFile(path) as archive, archive.open(name) as file:
            _read_header(file)
            file.seek(wanted.start * size, os.SEEK_CUR)
            for first in range(wanted.start, n, wanted.batch_rows):
                count = min(wanted.batch_rows, n - first)
                block = file.read(count * size)
                rows = np.frombuffer(block, dtype, count * d).reshape(count, d)
                yield Batch(_native(rows), str(path), first)

    return Table(str(path), None, (_kind(dtype),) * d, n, (path,), read)


def _read_header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    reader = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    header: tuple[tuple[int, ...], bool, np.dtype[Any]] = reader(file)
    return header


def _of_array(path: Path, array_of: Callable[[], NDArray[Any]]) -> Table:
    array = array_of()
    if array.ndim != 2:
        raise ValueError(f"must have two axes; it has shape {array.shape}")
    n, d = array.shape

    def read(wanted: Wanted) -> Iterator[Batch]:
        for first in range(wanted.start, n, wanted.batch_rows):
            yield Batch(_native(array_of()[first : first + wanted.batch_rows]), str(path), first)

    return Table(str(path), None, (_kind(array.dtype),) * d, n, (path,), read)


def _kind(dtype: np.dtype[Any]) -> np.dtype[Any] | str:
    is_number = dtype.kind in "buif" and dtype.itemsize <= 8
    return dtype if is_number else str(dtype)


def _native(array: NDArray[Any]) -> NDArray[Any]:
    """In a byte order that the kernels read."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def open_libsvm(path: Path, width: int | None, *, first_column: int = 1) -> Table:
    """Text with ``label column:value ...`` in each line, the columns counted from 1 or from 0."""
    return of_libsvm(texts.of_file(path), width, first_column)


def of_libsvm(text: Text, width: int | None, first_column: int) -> Table:
    """LIBSVM, wherever it comes from."""
    if width is None:
        raise ValueError("LIBSVM does not tell how many columns there are")

    def read(_wanted: Wanted) -> Iterator[Batch]:
        from sklearn.datasets import load_svmlight_file

        row = 0
        with naming(text.name):
            for lines, position in text.blocks():
                X, labels = load_svmlight_file(
                    io.BytesIO(lines), n_features=width, zero_based=first_column == 0
                )
                yield Batch(X, text.name, row, labels, position)
                row += X.shape[0]

    return Table(text.name, None, (np.dtype(np.float64),) * width, None, text.files, read)


def of_matrix(name: str, source: Any) -> Table:
    """An array or a CSR matrix in memory."""
    X = source if hasattr(type(source), "tocsr") else np.asarray(source)
    if X.ndim != 2:
        raise ValueError(f"source must have two axes; it has shape {X.shape}")
    n, d = X.shape

    def read(wanted: Wanted) -> Iterator[Batch]:
        for first in range(wanted.start, n, wanted.batch_rows):
            yield Batch(X[first : first + wanted.batch_rows], name, first)

    return Table(name, None, (_kind(X.dtype),) * d, n, (), read)
