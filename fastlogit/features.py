"""X, whatever it is: checked, and as the kernels read it, in place.

====================================================  ==========================================
a NumPy array, row-major, of any dtype but float16    rows, by :mod:`fastlogit.kernels.dense`
any other NumPy array                                 columns, by :mod:`fastlogit.kernels.columns`
a table: Arrow, Polars, pandas, a dict of arrays      columns
a CSR matrix or array of SciPy                        by :mod:`fastlogit.kernels.sparse`
====================================================  ==========================================

A table of Arrow comes in chunks; each is read where it lies.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from fastlogit import arrays
from fastlogit import threads as _threads
from fastlogit.kernels import columns, passes, sparse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Layout = Any  # an array or a named tuple, for which the kernels have a function each

Missing = Literal["error", "nan"]

# A part of X has at least this many elements: some 0.5 ms of reading, against which the 25 µs
# that handing it to a kernel takes do not count.  Where it has more, it is read in pieces of
# about as many, so that an interrupt need not wait long.
PART_ELEMENTS = 1 << 20
# Entries of a sparse X, which take longer.
PART_ENTRIES = 1 << 18
# Entries of a part for each column, whose sums are added up in the end.
ENTRIES_PER_COLUMN = 16


@dataclass(frozen=True)
class Features:
    """Checked features; subclasses know where they lie."""

    shape: tuple[int, int]
    # Of all columns, or None if they differ.
    dtype: np.dtype[Any] | None
    # What a result must not overwrite, by the name for messages.
    arrays: Mapping[str, NDArray[Any]]
    # Of the columns, where X has some.
    names: Sequence[str] | None

    @property
    def whole_rows(self) -> int:
        """Rows of a piece are a multiple of this, as a block does not go beyond a piece."""
        return 8

    @property
    def elements(self) -> int:
        """How many are read."""
        return self.shape[0] * self.shape[1]

    def parts(self, most: int) -> list[slice]:
        """Slices of rows, at most so many, that depend on X alone."""
        return arrays.parts(self.shape[0], max(1, PART_ELEMENTS // self.shape[1]), max(1, most))

    def pieces(self, part: slice) -> Iterator[tuple[slice, Layout]]:
        """Rows of a part that one call of a kernel reads, and what it is given."""
        wanted = PART_ELEMENTS * self.shape[0] // max(1, self.elements)
        rows = max(1, wanted // self.whole_rows) * self.whole_rows
        for start in range(part.start, part.stop, rows):
            yield from self.layouts(slice(start, min(start + rows, part.stop)))

    def layouts(self, rows: slice) -> Iterator[tuple[slice, Layout]]:
        """Rows, and what a kernel is given to read them; some at a time if it must be."""
        raise NotImplementedError

    def first_not_finite(self) -> tuple[int, int, float] | None:
        """Row, column and value of the first element that is NaN or infinite."""
        n, d = self.shape
        step = max(1, (1 << 20) // d)
        block = np.empty((min(step, n), d))
        for start in range(0, n, step):
            for here, X in self.layouts(slice(start, min(start + step, n))):
                rows = block[: here.stop - here.start]
                passes.unpack(X, rows)
                if not np.isfinite(rows).all():
                    row, column = np.argwhere(~np.isfinite(rows))[0]
                    return here.start + int(row), int(column), float(rows[row, column])
        return None


@dataclass(frozen=True)
class _Rows(Features):
    X: NDArray[Any]

    def layouts(self, rows: slice) -> Iterator[tuple[slice, Layout]]:
        yield rows, self.X[rows]


@dataclass(frozen=True)
class _Sparse(Features):
    X: sparse.Rows

    @property
    def elements(self) -> int:
        return int(self.X.data.size)

    def parts(self, most: int) -> list[slice]:
        indptr, d = self.X.indptr, self.X.d
        least = max(PART_ENTRIES, ENTRIES_PER_COLUMN * d)
        count = max(1, min(most, arrays.MOST_PARTS, self.elements // least))
        wanted = np.linspace(0, self.elements, count + 1)[1:-1].astype(indptr.dtype)
        edges = np.unique([0, *np.searchsorted(indptr, wanted), self.shape[0]])
        return [slice(int(a), int(b)) for a, b in pairwise(edges)]

    def layouts(self, rows: slice) -> Iterator[tuple[slice, Layout]]:
        yield rows, self.X._replace(indptr=self.X.indptr[rows.start : rows.stop + 1])

    def first_not_finite(self) -> tuple[int, int, float] | None:
        data, indices, indptr, _ = self.X
        for part in arrays.parts(data.size):
            finite = np.isfinite(data[part])
            if not finite.all():
                entry = part.start + int(np.argmin(finite))
                row = int(np.searchsorted(indptr, indptr.dtype.type(entry), "right")) - 1
                entries = slice(entry, int(indptr[row + 1]))
                bad = np.flatnonzero(~np.isfinite(data[entries])) + entry
                entry = int(bad[np.argmin(indices[bad])])
                return row, int(indices[entry]), float(data[entry])
        return None


@dataclass(frozen=True)
class _Columns(Features):
    # Of rows from `starts[i]` to `starts[i + 1]`.
    chunks: Sequence[columns.Columns]
    starts: Sequence[int]
    # What the addresses point into.
    kept: Any

    @property
    def whole_rows(self) -> int:
        return columns.BLOCK_ROWS

    def layouts(self, rows: slice) -> Iterator[tuple[slice, Layout]]:
        start = rows.start
        while start < rows.stop:
            number = bisect_right(self.starts, start) - 1
            stop = min(rows.stop, self.starts[number + 1])
            chunk, skipped = self.chunks[number], start - self.starts[number]
            yield (
                slice(start, stop),
                columns.Columns(
                    chunk.addresses + skipped * chunk.strides,
                    chunk.strides,
                    chunk.readers,
                    np.where(chunk.validity == 0, 0, chunk.validity + skipped),
                    stop - start,
                ),
            )
            start = stop


def of(X: Any, missing: Missing = "error") -> Features:
    """Check X, and find out how it is read.

    With `missing` "nan", what Arrow calls null is NaN instead of an error.
    """
    if missing not in ("error", "nan"):
        raise ValueError(f"missing must be 'error' or 'nan'; got {missing!r}")
    if isinstance(X, Features):
        return X
    if hasattr(type(X), "tocsr"):  # of the class, as a data frame could have a column "tocsr"
        return _of_sparse(X)
    if isinstance(X, Mapping):
        names = list(map(str, X))
        return _of_table(
            [
                _chunks_of(value, name, missing)
                for name, value in zip(names, X.values(), strict=True)
            ],
            names,
        )
    if _is_of_pandas(X) or _is_of_arrow(X):
        return _of_frame(X, missing)
    return _of_array(arrays.real_array(X, "X", 2, float16=True))


def _of_array(X: NDArray[Any]) -> Features:
    n, d = X.shape
    shared = {"X": X}
    by_rows = X.strides[1] == X.itemsize or d == 1
    if by_rows and X.dtype != np.float16:
        return _Rows((n, d), X.dtype, shared, None, X)
    column = _Column.of(X[:, 0])
    addresses = column.address + np.arange(d) * X.strides[1]
    chunk = columns.Columns(
        addresses,
        np.full(d, column.stride, np.int64),
        np.full(d, column.reader, np.int64),
        np.zeros(d, np.int64),
        n,
    )
    return _Columns((n, d), X.dtype, shared, None, [chunk], [0, n], X)


# Tables -----------------------------------------------------------------------------------


class _Column(NamedTuple):
    """One column of a table, or a chunk of it, as in `columns.Columns`."""

    size: int
    dtype: np.dtype[Any]
    address: int
    stride: int
    reader: int
    validity: int
    # What the addresses point into.
    values: NDArray[Any]
    bits: Any

    @classmethod
    def of(cls, array: NDArray[Any]) -> _Column:
        stride = array.strides[0]
        in_place = array.dtype == np.float64 and stride == array.itemsize
        reader = 0 if in_place else columns.reader(array.dtype.name)
        address = array.__array_interface__["data"][0]
        return cls(array.size, array.dtype, address, stride, reader, 0, array, None)


def _is_of_pandas(value: Any) -> bool:
    return any(base.__module__.partition(".")[0] == "pandas" for base in type(value).__mro__)


def _is_of_arrow(value: Any) -> bool:
    return hasattr(value, "__arrow_c_stream__") or hasattr(value, "__arrow_c_array__")


def _chunks_of(value: Any, name: str, missing: Missing) -> list[_Column]:
    """Read one column, of whatever library."""
    dtype = getattr(value, "dtype", None)
    if _is_of_pandas(value) and isinstance(dtype, np.dtype):
        value = value.to_numpy(copy=False)  # and not by Arrow, where NaN would be a null
    elif _is_of_arrow(value) or (_is_of_pandas(value) and dtype is not None):
        import pyarrow as pa

        is_stream = hasattr(value, "__arrow_c_stream__") and not _is_of_pandas(value)
        try:
            whole = pa.chunked_array(value) if is_stream else pa.array(value)
        except (pa.ArrowException, TypeError):
            raise TypeError(f"X must hold real numbers; got {dtype} in column {name!r}") from None
        chunks = whole.chunks if isinstance(whole, pa.ChunkedArray) else [whole]
        return [_of_arrow(chunk, name, missing) for chunk in chunks if len(chunk)]
    return [_Column.of(arrays.real_array(value, f"X[{name!r}]", 1, float16=True))]


def _of_frame(X: Any, missing: Missing) -> Features:
    """Read a table of Arrow, or of a library that can pass for one."""
    if _is_of_pandas(X):
        if X.ndim != 2:
            raise ValueError(f"X must have 2 axes; got shape {X.shape}")
        columns = [X.iloc[:, number] for number in range(X.shape[1])]  # names may be repeated
        names = list(map(str, X.columns))
    else:
        import pyarrow as pa

        try:
            table = pa.table(X)
        except pa.ArrowException as error:
            raise TypeError(
                f"X must be a table of real numbers; got {type(X).__name__} ({error})"
            ) from None
        columns, names = table.columns, table.column_names
    return _of_table(
        [_chunks_of(column, name, missing) for column, name in zip(columns, names, strict=True)],
        names,
    )


def _of_arrow(chunk: Any, name: str, missing: Missing) -> _Column:
    import pyarrow as pa

    kind = chunk.type
    is_bits = pa.types.is_boolean(kind)
    if not (is_bits or pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise TypeError(f"X must hold real numbers; got {kind} in column {name!r}")
    if chunk.null_count and missing == "error":
        raise ValueError(
            f"X must have no nulls; column {name!r} has {chunk.null_count} (missing='nan' takes "
            "them as NaN)"
        )
    bits, data = chunk.buffers()
    dtype = np.dtype(np.bool_ if is_bits else kind.to_pandas_dtype())
    start, stop = chunk.offset, chunk.offset + len(chunk)
    validity = 8 * bits.address + start if chunk.null_count else 0
    values = np.frombuffer(data, np.uint8)
    if is_bits:
        address, stride, reader = 8 * data.address + start, 1, columns.reader("bits")
        values = values[start // 8 : (stop + 7) // 8]
    else:
        stride = dtype.itemsize
        address = data.address + start * stride
        in_place = dtype == np.float64 and not validity
        reader = 0 if in_place else columns.reader(dtype.name)
        values = values[start * stride : stop * stride]
    return _Column(len(chunk), dtype, address, stride, reader, validity, values, bits)


def _of_table(table: Sequence[Sequence[_Column]], names: Sequence[str]) -> Features:
    """Put chunks of columns together: each boundary of one is a boundary of all."""
    if not names:
        raise ValueError("X must have at least one column; it has none")
    sizes = [sum(chunk.size for chunk in chunks) for chunks in table]
    for name, size in zip(names, sizes, strict=True):
        if size != sizes[0]:
            raise ValueError(
                f"X must have columns of one length; {names[0]!r} has {sizes[0]} elements and "
                f"{name!r} has {size}"
            )
    if sizes[0] == 0:
        raise ValueError(f"X must not be empty; got shape (0, {len(names)})")
    ends = [np.cumsum([0, *(chunk.size for chunk in chunks)]).tolist() for chunks in table]
    starts = sorted({edge for edges in ends for edge in edges})
    chunks = []
    for start, stop in pairwise(starts):
        fields = []
        for edges, column in zip(ends, table, strict=True):
            number = bisect_right(edges, start) - 1
            chunk, skipped = column[number], start - edges[number]
            validity = chunk.validity + skipped if chunk.validity else 0
            address = chunk.address + skipped * chunk.stride
            fields.append((address, chunk.stride, chunk.reader, validity))
        addresses, strides, readers, validity = np.array(fields, np.int64).T.copy()
        chunks.append(columns.Columns(addresses, strides, readers, validity, stop - start))
    dtypes = {chunk.dtype for column in table for chunk in column}
    shared: dict[str, NDArray[Any]] = {}
    for number, (name, column) in enumerate(zip(names, table, strict=True)):
        for place, chunk in enumerate(column):
            key = f"X[{name!r}]"
            shared[f"{key}, column {number}, chunk {place}" if key in shared else key] = (
                chunk.values
            )
    dtype = dtypes.pop() if len(dtypes) == 1 else None
    return _Columns((sizes[0], len(names)), dtype, shared, names, chunks, starts, table)


# Sparse -----------------------------------------------------------------------------------


def _of_sparse(X: Any) -> Features:
    kind = getattr(X, "format", type(X).__name__)
    if kind != "csr":
        raise TypeError(f"X must be row-major if it is sparse; got {kind} (X.tocsr() converts)")
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"X must have 2 axes and not be empty; got shape {X.shape}")
    n, d = map(int, X.shape)
    data = _part_of_sparse(X, "data", "buif")
    indices = _part_of_sparse(X, "indices", "i")
    indptr = _part_of_sparse(X, "indptr", "i")
    if indptr.size != n + 1 or indptr[0] != 0 or not _rises(indptr):
        raise ValueError(f"X.indptr must rise from 0 and have {n + 1} elements")
    entries = int(indptr[-1])
    if entries > min(data.size, indices.size):
        raise ValueError(
            f"X.data and X.indices must have {entries} elements, as X.indptr says; got "
            f"{data.size} and {indices.size}"
        )
    slices = arrays.parts(entries)
    good = [True] * len(slices)

    def task(part: int) -> None:
        good[part] = sparse.are_below(indices[slices[part]], d)

    _threads.run(task, len(slices), _threads.resolve(None, len(slices)))
    if not all(good):
        raise ValueError(f"X.indices must lie between 0 and {d - 1}")
    rows = sparse.Rows(data[:entries], indices[:entries], indptr, d)
    # With an axis more, as no result may be the same array: entry i is not that of row i.
    parts = {"data": data, "indices": indices, "indptr": indptr}
    shared = {f"X.{name}": part[:, None] for name, part in parts.items()}
    return _Sparse((n, d), data.dtype, shared, None, rows)


def _part_of_sparse(X: Any, name: str, kinds: str) -> NDArray[Any]:
    array = np.asarray(getattr(X, name))
    dtype = array.dtype
    if dtype.kind not in kinds or dtype.itemsize > 8 or dtype == np.float16 or not dtype.isnative:
        wanted = "hold float64, float32, integers or bool" if "f" in kinds else "be int32 or int64"
        raise TypeError(f"X.{name} must {wanted}; got dtype {dtype}")
    if array.ndim != 1:
        raise ValueError(f"X.{name} must have one axis; got shape {array.shape}")
    return array


def _rises(indptr: NDArray[Any]) -> bool:
    """Whether no element is below the one before."""
    steps = arrays.parts(indptr.size - 1)  # as the whole comparison takes memory
    return all((indptr[a.start + 1 : a.stop + 1] >= indptr[a]).all() for a in steps)
