"""Files to read: each opened by its suffix, and read in batches of the columns asked for.

A format is one function, from a path to a :class:`Table`, and one line in `_FORMATS`.
Messages count rows from 0, and do not count a header.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    # Separate columns in the order asked for, or the same side by side in a row-major array.
    Batch = list[NDArray[Any]] | NDArray[Any]
    # Positions of columns, most rows of a batch, and whether nulls are read as NaN.
    Read = Callable[[Sequence[int], int, bool], Iterator[Batch]]

T = TypeVar("T")

# A batch takes about this much memory as float64: little beside an interpreter with NumPy, ...
_BATCH_BYTES = 32 << 20
# ... and has this many rows at most and at least, whatever the number of columns.
_MOST_ROWS, _LEAST_ROWS = 1 << 17, 1 << 10
# What is read of each column of a Parquet file at a time.
_PARQUET_BUFFER = 1 << 18
# What an empty field of a CSV file looks like; "nan" is none of these, but a number.
_CSV_NULLS = ["", "NA", "N/A", "NULL", "null"]


@dataclass(frozen=True)
class Table:
    """A file that is open for reading.

    Attributes
    ----------
    path : Path
    names : tuple of str, or None
        Names of its columns; None where columns only have positions.
    dtypes : tuple of (dtype or str)
        Of each column; where that is no number, what the file calls its type.
    rows : int or None
        None where only reading tells.
    """

    path: Path
    names: tuple[str, ...] | None
    dtypes: tuple[np.dtype[Any] | str, ...]
    rows: int | None
    _read: Read

    def find(self, wanted: Sequence[str]) -> list[int]:
        """Positions of the columns of these names; a ValueError lists all that are missing."""
        names = self.names or ()
        where = {name: position for position, name in enumerate(names)}
        missing = [name for name in wanted if name not in where]
        if missing:
            listed = ", ".join(_with_nearest(name, names) for name in missing)
            raise ValueError(f"{self.path}: missing column{'s' * (len(missing) > 1)} {listed}")
        counts = Counter(names)
        for name in wanted:
            if counts[name] > 1:
                raise ValueError(f"{self.path}: {counts[name]} columns have the name {name!r}")
        return [where[name] for name in wanted]

    def label(self, position: int) -> str:
        """How messages call a column."""
        return f"column {self.names[position]!r}" if self.names else f"column {position}"

    def read(
        self, columns: Sequence[int], *, nulls: bool = False, batch_rows: int | None = None
    ) -> Iterator[Batch]:
        """Read some of the columns, in batches.

        Parameters
        ----------
        columns : sequence of int
            Their positions.
        nulls : bool
            Whether a null is read as NaN, or is an error.
        batch_rows : int, optional
            Most rows of a batch (CSV: of a size of its own); default: by the number of columns.

        Raises
        ------
        ValueError
            If a column does not hold numbers, now; if the file cannot be read or has a null,
            at that batch.  The message begins with the path, and names the column.
        """
        for position in columns:
            if isinstance(self.dtypes[position], str):
                raise ValueError(
                    f"{self.path}: {self.label(position)} must hold numbers; "
                    f"it holds {self.dtypes[position]}"
                )
        by_memory = _BATCH_BYTES // (8 * max(len(columns), 1))
        rows = batch_rows or min(max(by_memory, _LEAST_ROWS), _MOST_ROWS)
        if self.rows is not None:
            rows = min(rows, max(self.rows, 1))
        return self._named(self._read(columns, rows, nulls))

    def _named(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        with _naming(self.path, self.names or ()):
            yield from batches


def open_table(path: str | os.PathLike[str]) -> Table:
    """Open a file for reading, in the format that its suffix stands for.

    Raises
    ------
    OSError
        If it is not there or cannot be read.
    ValueError
        If no format has this suffix, or the file is not in it.
    """
    file = Path(path)
    open_format = by_suffix(file, _FORMATS)
    with file.open("rb"):  # for the operating system's own error
        pass
    with _naming(file):
        return open_format(file)


def by_suffix(path: Path, formats: Mapping[str, T]) -> T:
    """Look up what `formats` has for the suffix of a path."""
    try:
        return formats[path.suffix.lower()]
    except KeyError:
        known = ", ".join(formats)
        raise ValueError(f"{path}: the suffix must be one of {known}") from None


def _parquet(path: Path) -> Table:
    import pyarrow.parquet as pq

    # Pages are read as they are needed.  Otherwise, after some time, all of the file is in memory.
    file = pq.ParquetFile(path, buffer_size=_PARQUET_BUFFER, pre_buffer=False)
    names = file.schema_arrow.names

    def read(columns: Sequence[int], rows: int, nulls: bool) -> Iterator[Batch]:
        wanted = [names[j] for j in columns]
        batches = file.iter_batches(batch_size=rows, columns=wanted)
        return _from_arrow(batches, wanted, nulls)

    dtypes = tuple(_dtype(field.type) for field in file.schema_arrow)
    return Table(path, tuple(names), dtypes, file.metadata.num_rows, read)


def _csv(path: Path) -> Table:
    import pyarrow as pa
    from pyarrow import csv

    # Its threads gain nothing here, and its errors tell the row only without them.
    options = csv.ReadOptions(use_threads=False)
    with csv.open_csv(path, read_options=options) as head:
        names = head.schema.names

    def read(columns: Sequence[int], _rows: int, nulls: bool) -> Iterator[Batch]:
        wanted = [names[j] for j in columns]
        # Of one type throughout, whatever the first rows look like.
        convert = csv.ConvertOptions(
            include_columns=wanted,
            column_types=dict.fromkeys(wanted, pa.float64()),
            null_values=_CSV_NULLS,
        )
        with csv.open_csv(path, read_options=options, convert_options=convert) as batches:
            yield from _from_arrow(batches, wanted, nulls)

    return Table(path, tuple(names), (np.dtype(np.float64),) * len(names), None, read)


def _npy(path: Path) -> Table:
    array = np.lib.format.open_memmap(path, mode="r")
    if array.ndim != 2:
        raise ValueError(f"must have two axes; it has shape {array.shape}")
    width = array.shape[1]
    is_number = array.dtype.kind in "buif" and array.dtype.itemsize <= 8
    dtype = array.dtype if is_number else str(array.dtype)

    def read(columns: Sequence[int], rows: int, _nulls: bool) -> Iterator[Batch]:
        whole_rows = list(columns) == list(range(width)) and array.flags.c_contiguous
        for start in range(0, len(array), rows):
            # Mapped anew, since pages count as memory of ours for as long as a map is there.
            block = np.lib.format.open_memmap(path, mode="r")[start : start + rows]
            yield _native(block) if whole_rows else [_native(block[:, j]) for j in columns]

    return Table(path, None, (dtype,) * width, len(array), read)


_FORMATS: dict[str, Callable[[Path], Table]] = {".parquet": _parquet, ".csv": _csv, ".npy": _npy}


def _dtype(arrow_type: Any) -> np.dtype[Any] | str:
    """NumPy's name of an Arrow type, or Arrow's where that is no number."""
    from pyarrow import types

    if any(is_(arrow_type) for is_ in (types.is_integer, types.is_floating, types.is_boolean)):
        dtype: np.dtype[Any] = np.dtype(arrow_type.to_pandas_dtype())
        return dtype
    return str(arrow_type)


def _from_arrow(batches: Iterator[Any], names: Sequence[str], nulls: bool) -> Iterator[Batch]:
    """Columns of Arrow record batches as arrays, without a copy where Arrow's layout allows."""
    start = 0
    for batch in batches:
        columns = [batch.column(name) for name in names]
        if not nulls:
            _refuse_nulls(columns, names, start)
        if batch.num_rows:
            yield [_to_numpy(column) for column in columns]
        start += batch.num_rows


def _refuse_nulls(columns: Sequence[Any], names: Sequence[str], start: int) -> None:
    for column, name in zip(columns, names, strict=True):
        if column.null_count:
            row = start + int(np.argmin(column.is_valid()))
            raise ValueError(
                f"column {name!r} is null in row {row} (missing='nan' scores such rows as NaN)"
            )


def _to_numpy(column: Any) -> NDArray[Any]:
    """Convert an Arrow array; nulls become NaN."""
    import pyarrow as pa

    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())  # Arrow's are single bits
    return _native(column.to_numpy(zero_copy_only=False))


def _native(array: NDArray[Any]) -> NDArray[Any]:
    """Give an array in a dtype that the kernels read; most are that already."""
    if array.dtype == np.float16:
        return array.astype(np.float32)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


@contextmanager
def _naming(path: Path, columns: Sequence[str] = ()) -> Iterator[None]:
    """Turn what a reader raises into a ValueError that names the file, column and row."""
    try:
        yield
    except ImportError:
        raise
    except Exception as error:  # a damaged file gives a dozen different ones
        text = re.sub(
            r"In CSV column #(\d+)", lambda match: f"column {columns[int(match[1])]!r}", str(error)
        )
        # Arrow counts from 1, and the header too.
        text = re.sub(r"Row #(\d+)", lambda match: f"row {int(match[1]) - 2}", text)
        raise ValueError(f"{path}: {text}") from error


def _with_nearest(name: str, names: Sequence[str]) -> str:
    nearest = difflib.get_close_matches(name, names, n=1)
    return f"{name!r} (is it {nearest[0]!r}?)" if nearest else repr(name)
