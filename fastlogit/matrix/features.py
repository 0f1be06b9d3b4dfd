"""X, whatever it is: checked, and as the kernels read it, in place.

==================================================  =========================================
a NumPy array, row-major, of any dtype but float16  rows (``kernels.layouts.dense``)
any other NumPy array                               columns (``kernels.layouts.columns``)
a table: Arrow, Polars, pandas, a dict of arrays    columns
a CSR matrix or array of SciPy                      CSR (``kernels.layouts.sparse``)
==================================================  =========================================

A table of Arrow comes in chunks; each is read where it lies.
"""

from __future__ import annotations

import ctypes
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit.core import checks
from fastlogit.core import threads as _threads
from fastlogit.core.arrow import column_of, numbers
from fastlogit.kernels import lanes, passes
from fastlogit.kernels.layouts import columns, dense, sparse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from fastlogit.core.checks import Missing

    Layout = Any  # an array or a named tuple, for which the kernels have a function each

# A part of X has at least this many elements: some 0.5 ms of reading, against which the 25 µs
# that handing it to a kernel takes do not count.  Where it has more, it is read in pieces of
# about as many, so that an interrupt need not wait long.
PART_ELEMENTS = 1 << 20
# Entries of a sparse X, which take longer.
PART_ENTRIES = 1 << 18
# A column of a sparse X is centred if rows with this share of the weight have an entry of it.
NEARLY_ALL = 0.99
# Entries of a part for each column, whose sums are added up in the end.
ENTRIES_PER_COLUMN = 40


def _even(count: int) -> int:
    """How many parts: an even number, so that two threads have as much to do, or 1."""
    return max(1, count // 2 * 2)


@dataclass(frozen=True)
class Features:
    """Checked features; subclasses know where they lie."""

    shape: tuple[int, int]
    # Of all columns, or None if they differ.
    dtype: np.dtype[Any] | None
    # Of the columns, where X has some.
    names: Sequence[str] | None

    @property
    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """What a result must not overwrite, by the name for messages."""
        raise NotImplementedError

    @property
    def whole_rows(self) -> int:
        """Rows of a part and a piece are a multiple of this: blocks do not go beyond them."""
        return 8

    @property
    def elements(self) -> int:
        """How many are read."""
        return self.shape[0] * self.shape[1]

    def parts(self, most: int) -> list[slice]:
        """Slices of rows, at most so many, that depend on X alone."""
        n, whole = self.shape[0], self.whole_rows
        count = _even(min(most, self.elements // PART_ELEMENTS))
        rows = -(-n // (count * whole)) * whole
        return [slice(start, min(start + rows, n)) for start in range(0, n, rows)]

    def pieces(self, part: slice) -> Iterator[tuple[slice, Layout]]:
        """Rows of a part that one call of a kernel reads, and what it is given."""
        wanted = PART_ELEMENTS * self.shape[0] // max(1, self.elements)
        rows = max(1, wanted // self.whole_rows) * self.whole_rows
        for start in range(part.start, part.stop, rows):
            yield from self.layouts(slice(start, min(start + rows, part.stop)))

    def layouts(self, rows: slice) -> Iterator[tuple[slice, Layout]]:
        """Rows, and what a kernel is given to read them; some at a time if it must be."""
        raise NotImplementedError

    def sample(self, rows: NDArray[np.int64], threads: int) -> Features:
        """Copy some rows, whose numbers rise."""
        raise NotImplementedError

    def entries(self) -> NDArray[np.int64]:
        """How many elements of each column are not 0."""
        raise NotImplementedError

    @property
    def centres(self) -> NDArray[np.float64]:
        """A number for each column, which is subtracted as the column is read."""
        return np.zeros(self.shape[1])

    def less(
        self, centres: NDArray[np.float64], weight: NDArray[np.float64] | None = None
    ) -> Features:
        """Subtract a number from each column as it is read; see :mod:`fastlogit.matrix.centring`.

        Rows of weight 0 may then be read wrongly.
        """
        raise NotImplementedError

    def full_columns(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Numbers of the columns that are stored in nearly every row, and their elements."""
        raise NotImplementedError

    def check(self, threads: int) -> None:
        """Check what the kernels check only as they go; the error says more than theirs."""

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
    # Padded with 0 to whole vectors; None if all are 0.
    padded_centres: NDArray[np.float64] | None = None

    @property
    def arrays(self) -> Mapping[str, NDArray[Any]]:
        return {"X": self.X}

    def layouts(self, rows: slice) -> Iterator[tuple[slice, Layout]]:
        X, centres = self.X[rows], self.padded_centres
        yield rows, X if centres is None else dense.CentredArray(X, centres)

    def sample(self, rows: NDArray[np.int64], threads: int) -> Features:  # noqa: ARG002
        return replace(self, shape=(rows.size, self.shape[1]), X=self.X[rows])

    def entries(self) -> NDArray[np.int64]:
        counts: NDArray[np.int64] = np.count_nonzero(self.X, axis=0)
        return counts

    @property
    def centres(self) -> NDArray[np.float64]:
        known = self.padded_centres
        return super().centres if known is None else known[: self.shape[1]]

    def less(
        self,
        centres: NDArray[np.float64],
        weight: NDArray[np.float64] | None = None,  # noqa: ARG002
    ) -> Features:
        padded = np.zeros(lanes.padded(centres.size))
        padded[: centres.size] = centres
        return replace(self, padded_centres=padded)

    def full_columns(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        return np.arange(self.shape[1]), self.X.astype(np.float64)


@dataclass(frozen=True)
class _Sparse(Features):
    X: sparse.Rows | sparse.CentredRows

    @property
    def arrays(self) -> Mapping[str, NDArray[Any]]:
        # With an axis more, as no result may be the same array: entry i is not that of row i.
        parts = {"data": self.X.data, "indices": self.X.indices, "indptr": self.X.indptr}
        return {f"X.{name}": part[:, None] for name, part in parts.items()}

    @property
    def elements(self) -> int:
        return int(self.X.data.size)

    def parts(self, most: int) -> list[slice]:
        least = max(PART_ENTRIES, ENTRIES_PER_COLUMN * self.X.d)
        count = _even(min(most, checks.MOST_PARTS, self.elements // least))
        return self._of_as_many_entries(slice(0, self.shape[0]), count)

    def pieces(self, part: slice) -> Iterator[tuple[slice, Layout]]:
        for start in range(part.start, part.stop, PART_ELEMENTS):  # rows may be empty
            stop = min(start + PART_ELEMENTS, part.stop)
            entries = int(self.X.indptr[stop]) - int(self.X.indptr[start])
            count = max(1, entries // PART_ELEMENTS)
            for rows in self._of_as_many_entries(slice(start, stop), count):
                yield from self.layouts(rows)

    def _of_as_many_entries(self, rows: slice, count: int) -> list[slice]:
        if count == 1:
            return [rows]
        indptr = self.X.indptr[rows.start : rows.stop + 1]
        wanted = np.linspace(indptr[0], indptr[-1], count + 1)[1:-1].astype(indptr.dtype)
        edges = np.unique([0, *np.searchsorted(indptr, wanted), indptr.size - 1]) + rows.start
        return [slice(int(a), int(b)) for a, b in pairwise(edges)]

    def layouts(self, rows: slice) -> Iterator[tuple[slice, Layout]]:
        yield rows, self.X._replace(indptr=self.X.indptr[rows.start : rows.stop + 1])

    def sample(self, rows: NDArray[np.int64], threads: int) -> Features:
        self.check(threads)
        from scipy.sparse import csr_array

        data, indices, indptr = self.X[:3]
        some = csr_array((data, indices, indptr), self.shape)[rows]
        here = self.X._replace(data=some.data, indices=some.indices, indptr=some.indptr)
        return replace(self, shape=some.shape, X=here)

    def entries(self) -> NDArray[np.int64]:
        return np.bincount(self.X.indices, minlength=self.shape[1])

    @property
    def centres(self) -> NDArray[np.float64]:
        return self.X.centres if isinstance(self.X, sparse.CentredRows) else super().centres

    def less(
        self, centres: NDArray[np.float64], weight: NDArray[np.float64] | None = None
    ) -> Features:
        """Subtract from the columns that are stored in nearly every row with a weight.

        Where a column is not stored there, or is repeated, X is copied, with one entry for each.
        """
        n, d = self.shape
        weight = np.ones(n) if weight is None else weight
        rows, weights, repeated = np.zeros(d, np.int64), np.zeros(d), np.zeros(d, np.bool_)
        sparse.find_entries(self._stored, weight, rows, weights, repeated)
        full = (centres != 0.0) & (weights >= NEARLY_ALL * weight.sum())
        if not full.any():
            return self
        lacking = np.flatnonzero(full & (rows < np.count_nonzero(weight)))
        X = self._stored
        if repeated[full].any() or lacking.size:
            X = _with_one_entry(X, weight > 0.0, lacking)
        centred = sparse.CentredRows(*X, np.where(full, centres, 0.0))
        return replace(self, dtype=X.data.dtype, X=centred)

    def full_columns(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        from scipy.sparse import csr_array

        data, indices, indptr = self.X[:3]
        full = np.flatnonzero(self.entries() >= NEARLY_ALL * self.shape[0])
        values = csr_array((data.astype(np.float64), indices, indptr), self.shape)[:, full]
        return full, values.toarray()

    @property
    def _stored(self) -> sparse.Rows:
        return sparse.Rows(*self.X[:4])

    def check(self, threads: int) -> None:
        slices = checks.parts(self.elements)
        good = [True] * len(slices)

        def task(part: int) -> None:
            good[part] = sparse.are_below(self.X.indices[slices[part]], self.X.d)

        _threads.run(task, len(slices), threads)
        if not all(good):
            part = slices[good.index(False)]
            wrong = (self.X.indices[part] < 0) | (self.X.indices[part] >= self.X.d)
            entry = part.start + int(np.argmax(wrong))
            raise ValueError(
                f"X.indices must lie between 0 and {self.X.d - 1}; got {self.X.indices[entry]} "
                f"at entry {entry}"
            )

    def first_not_finite(self) -> tuple[int, int, float] | None:
        data, indices, indptr = self.X[:3]
        for part in checks.parts(data.size):
            finite = np.isfinite(data[part])
            if not finite.all():
                entry = part.start + int(np.argmin(finite))
                row = int(np.searchsorted(indptr, indptr.dtype.type(entry), "right")) - 1
                entries = slice(entry, int(indptr[row + 1]))
                bad = np.flatnonzero(~np.isfinite(data[entries])) + entry
                entry = int(bad[np.argmin(indices[bad])])
                return row, int(indices[entry]), float(data[entry])
        return None


class _Chunk(NamedTuple):
    """Rows of all columns that each lie in one place."""

    columns: columns.Columns
    dtypes: Sequence[np.dtype[Any]]

    def less(self, centres: NDArray[np.float64]) -> _Chunk:
        """Subtract centres; a column with one cannot be read in place."""
        readers = self.columns.readers.copy()
        for code, name in ((columns.FLOAT64, "float64"), (columns.FLOAT32, "float32")):
            readers[(readers == code) & (centres != 0.0)] = columns.reader(name)
        return self._replace(columns=self.columns._replace(readers=readers, centres=centres))


@dataclass(frozen=True)
class _Columns(Features):
    # Of rows from `starts[i]` to `starts[i + 1]`.
    chunks: Sequence[_Chunk]
    starts: Sequence[int]
    # What the addresses point into: the array that X is, or whatever it is.
    kept: Any

    @cached_property
    def whole_rows(self) -> int:
        return int(columns.block_rows(self.chunks[0].columns))

    @cached_property
    def arrays(self) -> Mapping[str, NDArray[Any]]:
        if isinstance(self.kept, np.ndarray):
            return {"X": self.kept}
        found: dict[str, NDArray[Any]] = {}
        names = self.names or range(self.shape[1])
        for place, (given, dtypes) in enumerate(self.chunks):
            for number, dtype in enumerate(dtypes):
                key, address = f"X[{names[number]!r}]", int(given.addresses[number])
                key = f"{key}, column {number}, chunk {place}" if key in found else key
                if given.readers[number] == columns.reader("bits"):
                    memory = _Memory.of_bits(address, given.rows)
                else:
                    memory = _Memory(address, int(given.strides[number]), given.rows, dtype)
                array = np.asarray(memory)
                # With an axis more where a result may not be the same array: row i of it is not i.
                found[key] = array[:, None] if self.starts[place] else array
                if given.validity[number]:
                    memory = _Memory.of_bits(int(given.validity[number]), given.rows)
                    found[f"the nulls of {key}"] = np.asarray(memory)
        return found

    def layouts(self, rows: slice) -> Iterator[tuple[slice, Layout]]:
        start = rows.start
        while start < rows.stop:
            number = bisect_right(self.starts, start) - 1
            stop = min(rows.stop, self.starts[number + 1])
            chunk, skipped = self.chunks[number].columns, start - self.starts[number]
            yield (
                slice(start, stop),
                columns.Columns(
                    chunk.addresses + skipped * chunk.strides,
                    chunk.strides,
                    chunk.readers,
                    np.where(chunk.validity == 0, 0, chunk.validity + skipped),
                    stop - start,
                    chunk.centres,
                ),
            )
            start = stop

    def sample(self, rows: NDArray[np.int64], threads: int) -> Features:
        result = np.empty((rows.size, self.shape[1]))
        slices = checks.parts(rows.size, smallest=1 << 10)

        def task(part: int) -> None:
            wanted, out = rows[slices[part]], result[slices[part]]
            edges = np.searchsorted(wanted, self.starts).tolist()
            for chunk, start, (first, stop) in zip(
                self.chunks, self.starts, pairwise(edges), strict=False
            ):
                if first < stop:
                    passes.gather(chunk.columns, wanted[first:stop] - start, out[first:stop])

        _threads.run(task, len(slices), threads)
        return _of_array(result)

    @property
    def centres(self) -> NDArray[np.float64]:
        return self.chunks[0].columns.centres

    def less(
        self,
        centres: NDArray[np.float64],
        weight: NDArray[np.float64] | None = None,  # noqa: ARG002
    ) -> Features:
        return replace(self, chunks=[chunk.less(centres) for chunk in self.chunks])


def of(X: Any, missing: Missing = "error") -> Features:
    """Check X, and find out how it is read.

    With `missing` "nan", what Arrow calls null is NaN instead of an error.
    """
    checks.missing(missing, ("error", "nan"))
    if isinstance(X, Features):
        return X
    if type(X) is np.ndarray:  # a short call is not asked what else X might be
        return _of_array(checks.real_array(X, "X", 2, float16=True))
    X = in_memory(X)
    if hasattr(type(X), "tocsr"):  # of the class, as a data frame could have a column "tocsr"
        return _of_sparse(X)
    if isinstance(X, Mapping):
        named = items(X, "X")
        return _of_table(
            [_chunks_of(value, name, missing) for name, value in named],
            [name for name, _ in named],
        )
    if (_is_of_pandas(X) and hasattr(X, "ndim")) or _is_of_arrow(X):  # pandas.NA has no axes
        return _of_frame(X, missing)
    return _of_array(checks.real_array(X, "X", 2, float16=True))


def items(X: Mapping[Any, Any], argument: str) -> list[tuple[str, Any]]:
    """Names and columns of a mapping."""
    try:
        return [(str(name), X[name]) for name in X]
    except KeyError as error:
        raise ValueError(
            f"{argument} must have a column for each of its keys; {error} has none"
        ) from None


class _Memory(NamedTuple):
    """Elements of a type at an address, which somebody else keeps."""

    address: int
    stride: int
    size: int
    dtype: np.dtype[Any]

    @classmethod
    def of_bits(cls, address: int, size: int) -> _Memory:
        """The bytes that so many bits are part of, from an address in bits on."""
        first, end = address // 8, (address + size + 7) // 8
        return cls(first, 1, end - first, np.dtype(np.uint8))

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return {
            "data": (self.address, False),
            "shape": (self.size,),
            "strides": (self.stride,),
            "typestr": self.dtype.str,
            "version": 3,
        }


def _of_array(X: NDArray[Any]) -> Features:
    n, d = X.shape
    by_rows = X.strides[1] == X.itemsize or d == 1
    if by_rows and X.dtype != np.float16:
        return _Rows((n, d), X.dtype, None, X)
    column = _Column.of(X[:, 0])
    addresses = column.address + np.arange(d) * X.strides[1]
    given = columns.Columns(
        addresses,
        np.full(d, column.stride, np.int64),
        np.full(d, column.reader, np.int64),
        np.zeros(d, np.int64),
        n,
        np.zeros(d),
    )
    return _Columns((n, d), X.dtype, None, [_Chunk(given, [X.dtype] * d)], [0, n], X)


# Tables -----------------------------------------------------------------------------------


class _Column(NamedTuple):
    """One column of a table, or a chunk of it, as in `columns.Columns`."""

    size: int
    dtype: np.dtype[Any]
    address: int
    stride: int
    reader: int
    validity: int
    kept: Any

    @classmethod
    def of(cls, array: NDArray[Any]) -> _Column:
        stride = array.strides[0]
        reader = columns.reader(array.dtype.name, in_place=stride == array.itemsize)
        address = array.__array_interface__["data"][0]
        return cls(array.size, array.dtype, address, stride, reader, 0, array)


def _is_of_pandas(value: Any) -> bool:
    return any(base.__module__.partition(".")[0] == "pandas" for base in type(value).__mro__)


def _is_of_arrow(value: Any) -> bool:
    return any(
        callable(getattr(value, f"__arrow_c_{kind}__", None)) for kind in ("stream", "array")
    )


def _chunks_of(value: Any, name: str, missing: Missing) -> list[_Column]:
    """Read one column, of whatever library."""
    if getattr(value, "ndim", 1) != 1 and not isinstance(value, np.ndarray):
        raise ValueError(f"X[{name!r}] must have one axis; got {type(value).__name__}")
    dtype = getattr(value, "dtype", None)
    if _is_of_pandas(value) and isinstance(dtype, np.dtype):
        value = value.to_numpy(copy=False)  # and not by Arrow, where NaN would be a null
    elif _is_of_arrow(value) or (_is_of_pandas(value) and dtype is not None):
        import pyarrow as pa

        try:
            whole = pa.array(value) if _is_of_pandas(value) else column_of(value)
        except (pa.ArrowException, TypeError):
            raise TypeError(f"X must hold real numbers; got {dtype} in column {name!r}") from None
        chunks = whole.chunks if isinstance(whole, pa.ChunkedArray) else [whole]
        table = pa.table({name: pa.chunked_array(chunks, whole.type)})
        return [_only_column(batch, missing) for batch in table.to_batches() if len(batch)]
    return [_Column.of(checks.real_array(value, f"X[{name!r}]", 1, float16=True))]


def in_memory(X: Any) -> Any:
    """A table of Arrow, or what can be read once as one; anything else is returned unchanged.

    Record batches stay what they are.  (pa.table would first import pandas.)
    """
    if callable(getattr(type(X), "collect", None)):  # lazy, as Polars calls it
        raise TypeError(f"X must be a table in memory; got {type(X).__name__} (collect it first)")
    if _is_of_pandas(X) or not _is_of_arrow(X):
        return X
    import pyarrow as pa

    if isinstance(X, pa.RecordBatch | pa.Table):
        return X
    try:
        # As in `column_of`, Arrow's own readers do not take the C interface.
        return X.read_all() if isinstance(X, pa.RecordBatchReader) else pa.table(X)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise TypeError(f"X must be a table; got {type(X).__name__} ({error})") from None


def _of_frame(X: Any, missing: Missing) -> Features:
    """Read a table of Arrow or pandas."""
    if _is_of_pandas(X):
        if X.ndim != 2:
            raise ValueError(f"X must have 2 axes; got shape {X.shape}")
        frame = [X.iloc[:, number] for number in range(X.shape[1])]  # names may be repeated
        names = list(map(str, X.columns))
        return _of_table(
            [_chunks_of(column, name, missing) for column, name in zip(frame, names, strict=True)],
            names,
        )
    import pyarrow as pa

    names = X.schema.names
    whole = [X] if isinstance(X, pa.RecordBatch) else X.to_batches()
    shape = _checked_shape(sum(map(len, whole)), names)
    batches = [_of_batch(batch, missing) for batch in whole if len(batch)]
    chunks = [chunk for chunk, _ in batches]
    starts = np.cumsum([0, *(chunk.columns.rows for chunk in chunks)]).tolist()
    return _of_chunks(shape, names, chunks, starts, batches)


# What Arrow calls a type of numbers, as a code of one letter.
_FORMATS = {
    "g": np.float64,
    "f": np.float32,
    "e": np.float16,
    "b": np.bool_,
    "l": np.int64,
    "i": np.int32,
    "s": np.int16,
    "c": np.int8,
    "L": np.uint64,
    "I": np.uint32,
    "S": np.uint16,
    "C": np.uint8,
}


def _of_batch(batch: Any, missing: Missing) -> tuple[_Chunk, Any]:
    """Read a record batch of Arrow; and what keeps its memory.

    By the Arrow C data interface, as to ask pyarrow for each column of many would take longer
    than to read them.
    """
    batch.validate()  # a damaged file may promise more rows than its buffers have
    capsules = batch.__arrow_c_array__()
    names = (b"arrow_schema", b"arrow_array")
    fields = np.empty((batch.num_columns, 6), np.int64)
    schema, array = map(_address_in, capsules, names)
    columns.describe(schema, array, fields)
    formats, marked, start, nulls, validity, address = fields.T
    for number in np.flatnonzero(marked):
        if isinstance(batch.schema.types[number], _extension_types()):
            formats[number] = 0
    found = {code: _FORMATS.get(chr(code)) for code in set(formats.tolist())}
    for number in np.flatnonzero([found[code] is None for code in formats.tolist()])[:1]:
        other = [numbers(column) for column in batch.columns]
        if [column.type for column in other] != batch.schema.types:
            return _of_batch(type(batch).from_arrays(other, batch.schema.names), missing)
        name, kind = batch.schema.names[number], batch.schema.types[number]
        raise TypeError(f"X must hold real numbers; got {kind} in column {name!r}")
    nulls = np.where(validity == 0, 0, nulls)
    for number in np.flatnonzero(nulls < 0):  # nobody has counted them
        nulls[number] = batch.column(int(number)).null_count
    if missing == "error":
        for number in np.flatnonzero(nulls)[:1]:
            raise ValueError(
                f"X must have no nulls; column {batch.schema.names[number]!r} has "
                f"{nulls[number]} (decision and probability take them as NaN with missing='nan')"
            )
    validity = np.where(nulls == 0, 0, 8 * validity + start)
    strides, readers = np.empty_like(start), np.empty_like(start)
    for code, kind in found.items():
        here = formats == code
        dtype = np.dtype(kind)
        strides[here] = 1 if kind is np.bool_ else dtype.itemsize
        name = "bits" if kind is np.bool_ else dtype.name
        readers[here] = columns.reader(name)
        readers[here & (validity == 0)] = columns.reader(name, in_place=True)
        if kind is np.bool_:
            address[here] *= 8
    addresses, centres = address + start * strides, np.zeros(len(start))
    given = columns.Columns(addresses, strides, readers, validity, len(batch), centres)
    return _Chunk(given, [np.dtype(found[code]) for code in formats.tolist()]), (batch, capsules)


@cache
def _extension_types() -> type:
    import pyarrow as pa

    kind: type = pa.BaseExtensionType
    return kind


def _address_in(capsule: Any, name: bytes) -> int:
    address: int = _capsule_pointer(capsule, name)
    return address


_capsule_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


def _only_column(batch: Any, missing: Missing) -> _Column:
    """The one column of a record batch."""
    (given, (dtype,)), kept = _of_batch(batch, missing)
    address, stride, reader, validity = (int(part[0]) for part in given[:4])
    return _Column(given.rows, dtype, address, stride, reader, validity, kept)


def _of_table(table: Sequence[Sequence[_Column]], names: Sequence[str]) -> Features:
    """Put chunks of columns together: each boundary of one is a boundary of all."""
    sizes = [sum(chunk.size for chunk in chunks) for chunks in table]
    for name, size in zip(names, sizes, strict=True):
        if size != sizes[0]:
            raise ValueError(
                f"X must have columns of one length; {names[0]!r} has {sizes[0]} elements and "
                f"{name!r} has {size}"
            )
    shape = _checked_shape(sizes[0] if sizes else 0, names)
    ends = [np.cumsum([0, *(chunk.size for chunk in chunks)]).tolist() for chunks in table]
    starts = sorted({edge for edges in ends for edge in edges})
    chunks = []
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
        given = columns.Columns(
            addresses, strides, readers, validity, stop - start, np.zeros(len(names))
        )
        chunks.append(_Chunk(given, dtypes))
    return _of_chunks(shape, names, chunks, starts, table)


def _checked_shape(n: int, names: Sequence[str]) -> tuple[int, int]:
    if not names:
        raise ValueError("X must have at least one column; it has none")
    if n == 0:
        raise ValueError(f"X must not be empty; got shape (0, {len(names)})")
    return n, len(names)


def _of_chunks(
    shape: tuple[int, int],
    names: Sequence[str],
    chunks: Sequence[_Chunk],
    starts: Sequence[int],
    kept: Any,
) -> Features:
    dtypes = {dtype for chunk in chunks for dtype in chunk.dtypes}
    dtype = dtypes.pop() if len(dtypes) == 1 else None
    return _Columns(shape, dtype, names, chunks, starts, kept)


# Sparse -----------------------------------------------------------------------------------


def _of_sparse(X: Any) -> Features:
    kind = getattr(X, "format", type(X).__name__)
    if kind != "csr":
        raise TypeError(f"X must be row-major if it is sparse; got {kind} (X.tocsr() converts)")
    for name in ("shape", "data", "indices", "indptr"):
        if not hasattr(X, name):
            raise TypeError(
                f"X must be a CSR matrix of SciPy; got {type(X).__name__} without {name}"
            )
    if len(X.shape) != 2 or 0 in X.shape:
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
    rows = sparse.Rows(data[:entries], indices[:entries], indptr, d)
    return _Sparse((n, d), data.dtype, None, rows)


def _with_one_entry(
    X: sparse.Rows, counted: NDArray[np.bool_], lacking: NDArray[np.int64]
) -> sparse.Rows:
    """Copy X without repeated entries, with a 0 where some columns have none in counted rows."""
    from scipy.sparse import csr_array

    shape = X.indptr.size - 1, X.d
    whole = csr_array((X.data.astype(np.float64), X.indices, X.indptr), shape, copy=True)
    whole.sum_duplicates()
    entries = np.flatnonzero(np.isin(whole.indices, lacking))
    rows = np.searchsorted(whole.indptr, entries, "right") - 1
    wanted = np.repeat(counted[:, np.newaxis], lacking.size, axis=1)
    wanted[rows, np.searchsorted(lacking, whole.indices[entries])] = False
    rows, columns_of = np.nonzero(wanted)
    places = whole.indptr[rows]
    added = np.cumsum(np.bincount(rows, minlength=shape[0]))
    filled = csr_array(
        (
            np.insert(whole.data, places, 0.0),
            np.insert(whole.indices, places, lacking[columns_of]),
            whole.indptr + np.append(0, added),
        ),
        shape,
    )
    return sparse.Rows(filled.data, filled.indices, filled.indptr, X.d)


def _part_of_sparse(X: Any, name: str, kinds: str) -> NDArray[Any]:
    array = np.asarray(getattr(X, name))
    dtype = array.dtype
    sizes = (1, 2, 4, 8) if "f" in kinds else (4, 8)
    fits = dtype.kind in kinds and dtype.itemsize in sizes and dtype != np.float16
    if not (fits and dtype.isnative):
        wanted = "hold float64, float32, integers or bool" if "f" in kinds else "be int32 or int64"
        raise TypeError(f"X.{name} must {wanted}; got dtype {dtype}")
    if array.ndim != 1:
        raise ValueError(f"X.{name} must have one axis; got shape {array.shape}")
    return array


def _rises(indptr: NDArray[Any]) -> bool:
    """Whether no element is below the one before."""
    steps = checks.parts(indptr.size - 1)  # as the whole comparison takes memory
    return all((indptr[a.start + 1 : a.stop + 1] >= indptr[a]).all() for a in steps)
