"""X as columns, each in its own place: of an array that is not row-major, or of a table.

The rows of a table are split into segments, in which each column lies in one place.  Every segment
is read there.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit.core import threads as _threads
from fastlogit.kernels import passes
from fastlogit.kernels.layouts import columns
from fastlogit.kernels.layouts.columns import Columns
from fastlogit.matrix import rows as row_matrix
from fastlogit.matrix.base import Matrix

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from fastlogit.matrix.base import Layout


class Segment(NamedTuple):
    """Rows of X whose columns lie in one place each, and the dtypes of the columns."""

    columns: Columns
    dtypes: Sequence[np.dtype[Any]]

    def subtract(self, centres: NDArray[np.float64]) -> Segment:
        """Subtract centres; columns with one are no longer read in place."""
        readers = self.columns.readers.copy()
        for code, name in ((columns.FLOAT64, "float64"), (columns.FLOAT32, "float32")):
            readers[(readers == code) & (centres != 0.0)] = columns.reader(name)
        return self._replace(columns=self.columns._replace(readers=readers, centres=centres))


@dataclass(frozen=True)
class ColumnMatrix(Matrix):
    """Columns in one or more segments.

    Attributes
    ----------
    segments : sequence of Segment
    starts : sequence of int
        Segment i holds rows ``starts[i]`` to ``starts[i + 1]``.
    kept : object
        Keeps the memory alive that the addresses point to: the array that X is, or anything else.
    """

    segments: Sequence[Segment]
    starts: Sequence[int]
    kept: Any

    @cached_property
    def whole_rows(self) -> int:
        return int(columns.block_rows(self.segments[0].columns))

    @cached_property
    def arrays(self) -> Mapping[str, NDArray[Any]]:
        if isinstance(self.kept, np.ndarray):
            return {"X": self.kept}
        found: dict[str, NDArray[Any]] = {}
        names = self.names or range(self.shape[1])
        for place, (given, dtypes) in enumerate(self.segments):
            for number, dtype in enumerate(dtypes):
                key, address = f"X[{names[number]!r}]", int(given.addresses[number])
                key = f"{key}, column {number}, chunk {place}" if key in found else key
                if given.readers[number] == columns.reader("bits"):
                    memory = _bit_memory(address, given.rows)
                else:
                    memory = _Memory(address, int(given.strides[number]), given.rows, dtype)
                array = np.asarray(memory)
                # With one axis more than `out` unless row i of it is row i of X: then it may not
                # count as the same array.
                found[key] = array[:, None] if self.starts[place] else array
                if given.validity[number]:
                    memory = _bit_memory(int(given.validity[number]), given.rows)
                    found[f"the nulls of {key}"] = np.asarray(memory)
        return found

    def layouts(self, rows: slice) -> Iterator[tuple[slice, Layout]]:
        start = rows.start
        while start < rows.stop:
            number = bisect_right(self.starts, start) - 1
            stop = min(rows.stop, self.starts[number + 1])
            segment, skipped = self.segments[number].columns, start - self.starts[number]
            yield (
                slice(start, stop),
                Columns(
                    segment.addresses + skipped * segment.strides,
                    segment.strides,
                    segment.readers,
                    np.where(segment.validity == 0, 0, segment.validity + skipped),
                    stop - start,
                    segment.centres,
                ),
            )
            start = stop

    def sample(self, rows: NDArray[np.int64], threads: int) -> Matrix:
        result = np.empty((rows.size, self.shape[1]))
        slices = _threads.parts(rows.size, smallest=1 << 10)

        def task(part: int) -> None:
            wanted, out = rows[slices[part]], result[slices[part]]
            edges = np.searchsorted(wanted, self.starts).tolist()
            for segment, start, (first, stop) in zip(
                self.segments, self.starts, pairwise(edges), strict=False
            ):
                if first < stop:
                    passes.gather(segment.columns, wanted[first:stop] - start, out[first:stop])

        _threads.run(task, len(slices), threads)
        return row_matrix.from_array(result)

    @property
    def centres(self) -> NDArray[np.float64]:
        return self.segments[0].columns.centres

    def subtract(
        self,
        centres: NDArray[np.float64],
        weight: NDArray[np.float64] | None = None,  # noqa: ARG002
    ) -> Matrix:
        return replace(self, segments=[segment.subtract(centres) for segment in self.segments])


class _Memory(NamedTuple):
    """Memory that another object owns, as an array that NumPy can compare with others."""

    address: int
    stride: int
    size: int
    dtype: np.dtype[Any]

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return {
            "data": (self.address, False),
            "shape": (self.size,),
            "strides": (self.stride,),
            "typestr": self.dtype.str,
            "version": 3,
        }


def _bit_memory(address: int, size: int) -> _Memory:
    """The bytes that hold `size` bits, from an address in bits on."""
    first, end = address // 8, (address + size + 7) // 8
    return _Memory(first, 1, end - first, np.dtype(np.uint8))


# One column at a time ---------------------------------------------------------------------


class Column(NamedTuple):
    """One column of a table, or a chunk of it, as in `Columns`; `kept` owns the memory."""

    size: int
    dtype: np.dtype[Any]
    address: int
    stride: int
    reader: int
    validity: int
    kept: Any


def array_column(array: NDArray[Any]) -> Column:
    """A column in an array (n,), already checked."""
    stride = array.strides[0]
    reader = columns.reader(array.dtype.name, in_place=stride == array.itemsize)
    address = array.__array_interface__["data"][0]
    return Column(array.size, array.dtype, address, stride, reader, 0, array)


def from_array(X: NDArray[Any]) -> Matrix:
    """Matrix of an array (n, d) of any strides, already checked."""
    n, d = X.shape
    column = array_column(X[:, 0])
    addresses = column.address + np.arange(d) * X.strides[1]
    given = Columns(
        addresses,
        np.full(d, column.stride, np.int64),
        np.full(d, column.reader, np.int64),
        np.zeros(d, np.int64),
        n,
        np.zeros(d),
    )
    return ColumnMatrix((n, d), X.dtype, None, [Segment(given, [X.dtype] * d)], [0, n], X)


def from_columns(table: Sequence[Sequence[Column]], names: Sequence[str]) -> Matrix:
    """Matrix of columns in chunks; a segment ends where a chunk of any column ends."""
    sizes = [sum(chunk.size for chunk in chunks) for chunks in table]
    for name, size in zip(names, sizes, strict=True):
        if size != sizes[0]:
            raise ValueError(
                f"X must have columns of one length; {names[0]!r} has {sizes[0]} elements and "
                f"{name!r} has {size}"
            )
    shape = checked_shape(sizes[0] if sizes else 0, names)
    ends = [np.cumsum([0, *(chunk.size for chunk in chunks)]).tolist() for chunks in table]
    starts = sorted({edge for edges in ends for edge in edges})
    segments = []
    for start, stop in pairwise(starts):
        fields, dtypes = [], []
        for edges, column in zip(ends, table, strict=True):
            number = bisect_right(edges, start) - 1
            chunk, skipped = column[number], start - edges[number]
            validity = chunk.validity + skipped if chunk.validity else 0
            address = chunk.address + skipped * chunk.stride
            fields.append((address, chunk.stride, chunk.reader, validity))
            dtypes.append(chunk.dtype)
        addresses, strides, readers, validity = np.array(fields, np.int64).T.copy()
        given = Columns(addresses, strides, readers, validity, stop - start, np.zeros(len(names)))
        segments.append(Segment(given, dtypes))
    return from_segments(shape, names, segments, table)


def from_segments(
    shape: tuple[int, int], names: Sequence[str], segments: Sequence[Segment], kept: Any
) -> Matrix:
    """Matrix of segments that are not empty."""
    starts = np.cumsum([0, *(segment.columns.rows for segment in segments)]).tolist()
    dtypes = {dtype for segment in segments for dtype in segment.dtypes}
    dtype = dtypes.pop() if len(dtypes) == 1 else None
    return ColumnMatrix(shape, dtype, names, segments, starts, kept)


def checked_shape(n: int, names: Sequence[str]) -> tuple[int, int]:
    """Shape of a table, neither of whose numbers may be 0."""
    if not names:
        raise ValueError("X must have at least one column; it has none")
    if n == 0:
        raise ValueError(f"X must not be empty; got shape (0, {len(names)})")
    return n, len(names)
