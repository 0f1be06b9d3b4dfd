"""Formats in which columns only have positions, read as arrays and CSR matrices, as they are."""

from __future__ import annotations

import io
import os
import re
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.core.checks import shown
from fastlogit.tables import text_file
from fastlogit.tables.table import Batch, Table, naming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from fastlogit.tables.table import Wanted
    from fastlogit.tables.text_file import Block, Text

# What is read of a NPY file at a time: in blocks that the allocator hands out again.  Larger ones
# come from the system, which clears their pages: 640 MB took 0.17 s, and so 0.10 (mapped: 0.09).
_BLOCK_BYTES = 1 << 22
# More than any model has: a damaged header may promise any number.
_MOST_COLUMNS = 1 << 24
# What one thread reads of what can be read from any row on.
_RANGE_ROWS = 1 << 17
# Patterns of what scikit-learn says of LIBSVM, and what we say.
_OF_SKLEARN = {
    "Invalid index 0 in .*": (
        "a column has the number 0, and the first one should be 1 (source_format='libsvm0' counts "
        "them from 0)"
    ),
    r"n_features was set to (\d+), but input file contains (\d+) features": (
        r"there must be at most \1 columns, as the model or width=\1 says; got \2"
    ),
}


def open_npy(path: Path, *_: Any) -> Table:
    """NumPy's own format.

    It is read, and not mapped into memory: if the file is cut short meanwhile, a map kills the
    process.
    """
    with path.open("rb") as file:
        n, d, by_columns, dtype = _read_header(file)
        begin = file.tell()
    if dtype.hasobject:
        raise ValueError("holds Python objects, which are not read")
    there = path.stat().st_size - begin
    if there < n * d * dtype.itemsize:
        raise ValueError(f"is cut short: it has {there} bytes for {n} rows and {d} columns")

    def read(wanted: Wanted) -> Iterator[Batch]:
        with naming(str(path)), path.open("rb", buffering=0) as file:
            most = min(wanted.batch_rows, max(1, _BLOCK_BYTES // max(1, d * dtype.itemsize)))
            stop = n if wanted.stop is None else wanted.stop
            for first in range(wanted.start, stop, most):
                count = min(most, stop - first)
                # In one piece, or one for each column.
                rows = np.empty((d, count) if by_columns else (1, count * d), dtype)
                for j, piece in enumerate(rows):
                    place = j * n + first if by_columns else first * d
                    file.seek(begin + place * dtype.itemsize)
                    if file.readinto(piece.view(np.uint8)) < piece.nbytes:
                        raise ValueError(f"is cut short in the rows from {first} on")
                X = rows.T if by_columns else rows.reshape(count, d)
                yield Batch(_native(X), str(path), first)

    kinds = (_kind(dtype),) * d
    return Table(str(path), None, kinds, n, (path,), read, edges=_edges(n))


def open_npz(path: Path, *_: Any) -> Table:
    """The only array of an archive, or the one called X, unpacked as it is read."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        name = names[0] if len(names) == 1 else "X.npy"
        if name not in names:
            listed = ", ".join(map(shown, names[:5])) + ", ..." * (len(names) > 5)
            raise ValueError(f"must have one array, or one called X; it has {listed}")
        with archive.open(name) as file:
            n, d, by_columns, dtype = _read_header(file)
    if by_columns and d > 1:
        raise ValueError("must be row-major (C order) to be read in batches")

    def read(wanted: Wanted) -> Iterator[Batch]:
        size = d * dtype.itemsize
        with naming(str(path)), zipfile.ZipFile(path) as archive, archive.open(name) as file:
            _read_header(file)
            file.seek(wanted.start * size, os.SEEK_CUR)
            for first in range(wanted.start, n, wanted.batch_rows):
                count = min(wanted.batch_rows, n - first)
                block = file.read(count * size)
                if len(block) < count * size:
                    raise ValueError(f"is cut short in row {first + len(block) // size}")
                rows = np.frombuffer(block, dtype, count * d).reshape(count, d)
                yield Batch(_native(rows), str(path), first)
            if file.read(1):  # up to the end, where the checksum is compared
                raise ValueError(f"has more than the {n} rows of its header")

    return Table(str(path), None, (_kind(dtype),) * d, n, (path,), read)


def _read_header(file: Any) -> tuple[int, int, bool, np.dtype[Any]]:
    """Numbers of rows and columns, whether they are stored by columns, and of which type."""
    version = np.lib.format.read_magic(file)
    # (Version 3 differs in names of fields alone.)
    is_first = version == (1, 0)
    reader = (
        np.lib.format.read_array_header_1_0 if is_first else np.lib.format.read_array_header_2_0
    )
    shape, by_columns, dtype = reader(file)
    if len(shape) != 2 or min(shape) < 0:
        raise ValueError(f"must have two axes; it has shape {shown(shape)}")
    if shape[1] > _MOST_COLUMNS:
        raise ValueError(f"must have at most {_MOST_COLUMNS} columns; it has {shown(shape[1])}")
    return int(shape[0]), int(shape[1]), by_columns, dtype


def _kind(dtype: np.dtype[Any]) -> np.dtype[Any] | str:
    is_number = dtype.kind in "buif" and dtype.itemsize <= 8
    return dtype if is_number else str(dtype)


def _native(array: NDArray[Any]) -> NDArray[Any]:
    """In a byte order that the kernels read."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def open_libsvm(path: Path, width: int | None, *_: Any, first_column: int = 1) -> Table:
    """Text with ``label column:value ...`` in each line, the columns counted from 1 or from 0."""
    return of_libsvm(text_file.of_file(path), width, first_column)


def of_libsvm(text: Text, width: int | None, first_column: int) -> Table:
    """LIBSVM, wherever it comes from; without `width`, a file is first read for it."""
    if width is None:
        if not text.files:
            raise ValueError(
                "LIBSVM that is read once does not tell how many columns it has: width must say so"
            )
        width = max((X.shape[1] for _, X, _ in _parsed(text, None, first_column)), default=0)

    def read(wanted: Wanted) -> Iterator[Batch]:
        row = 0
        with naming(text.name):
            for block, X, labels in _parsed(text, width, first_column):
                for first in range(0, X.shape[0], wanted.batch_rows):
                    here = slice(first, first + wanted.batch_rows)
                    after = block.position(min(here.stop, X.shape[0]), X.shape[0])
                    yield Batch(X[here], text.name, row + first, labels[here], after)
                row += X.shape[0]

    dtypes = (np.dtype(np.float64),) * width
    return Table(text.name, None, dtypes, None, text.files, read, has_labels=True)


def _parsed(
    text: Text, width: int | None, first_column: int
) -> Iterator[tuple[Block, Any, NDArray[np.float64]]]:
    """Read LIBSVM block by block, as X and labels."""
    from sklearn.datasets import load_svmlight_file

    def parse(lines: bytes) -> Any:
        file = io.BytesIO(lines)
        return load_svmlight_file(file, n_features=width, zero_based=first_column == 0)

    row = 0
    for block in text_file.without_blank_lines(text.blocks()):
        try:
            X, labels = parse(block.lines)
        except ValueError as error:
            bad = row + _first_bad(block.lines, parse)
            raise ValueError(f"row {bad}: {_said(error)}") from error
        yield block, X, labels
        row += X.shape[0]


def _said(error: ValueError) -> str:
    """What scikit-learn says of LIBSVM, in our words."""
    text = str(error)
    for one, ours in _OF_SKLEARN.items():
        text = re.sub(one, ours, text)
    return text


def _first_bad(text: bytes, parse: Callable[[bytes], Any]) -> int:
    """Number of the first row that cannot be parsed; blank lines and comments are none."""
    lines = [line for line in text.splitlines(keepends=True) if line.partition(b"#")[0].strip()]
    first, stop = 0, len(lines)
    while stop - first > 1:
        middle = (first + stop) // 2
        try:
            parse(b"".join(lines[first:middle]))
        except ValueError:
            stop = middle
        else:
            first = middle
    return first


def of_matrix(name: str, source: Any) -> Table:
    """An array or a CSR matrix in memory."""
    is_sparse = hasattr(type(source), "tocsr")
    if is_sparse and getattr(source, "format", None) != "csr":
        kind = getattr(source, "format", type(source).__name__)
        raise TypeError(
            f"source must be row-major if it is sparse; got {kind} (source.tocsr() converts)"
        )
    if np.ma.is_masked(source):
        count = np.ma.getmask(source).sum()
        raise ValueError(f"source must have no masked elements; got {count}")
    X = source if is_sparse else _as_array(source)
    if X.ndim != 2:
        raise ValueError(f"source must have two axes; it has shape {X.shape}")
    n, d = X.shape

    def read(wanted: Wanted) -> Iterator[Batch]:
        stop = n if wanted.stop is None else wanted.stop
        for first in range(wanted.start, stop, wanted.batch_rows):
            yield Batch(X[first : min(first + wanted.batch_rows, stop)], name, first)

    return Table(name, None, (_kind(X.dtype),) * d, n, (), read, edges=_edges(n))


def _as_array(source: Any) -> NDArray[Any]:
    try:
        return np.asarray(source)
    except ValueError:
        raise ValueError("source must have two axes, of rows of the same length") from None


def _edges(rows: int) -> list[int] | None:
    """Of what can be read from any row on."""
    return [*range(0, rows, _RANGE_ROWS), rows]
