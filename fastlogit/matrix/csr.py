"""X as a CSR matrix or array of SciPy; elements that it does not store are 0."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.core import threads as _threads
from fastlogit.kernels.layouts.csr import CSR, CentredCSR, are_below, find_entries
from fastlogit.matrix.base import Matrix, even

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from fastlogit.matrix.base import Layout

# Fewest entries of a part: they take longer than the elements of an array.
PART_ENTRIES = 1 << 18
# Entries of a kernel call, which take about 8 ms, as an interrupt waits for its end.
CALL_ENTRIES = 1 << 22
# Fewest entries of a part for each column, as the sums of the parts are added up in the end.
ENTRIES_PER_COLUMN = 40
# A column is centred if rows with at least this share of the weight have an entry of it.
NEARLY_ALL = 0.99


@dataclass(frozen=True)
class CSRMatrix(Matrix):
    """A CSR matrix, whose indices are checked when they are read.

    Attributes
    ----------
    X : CSR or CentredCSR
    """

    X: CSR | CentredCSR

    @property
    def arrays(self) -> Mapping[str, NDArray[Any]]:
        # With one axis more than `out`, so that none counts as the same array: entry i does not
        # belong to row i.
        arrays = {"data": self.X.data, "indices": self.X.indices, "indptr": self.X.indptr}
        return {f"X.{name}": array[:, None] for name, array in arrays.items()}

    @property
    def elements(self) -> int:
        return int(self.X.data.size)

    def parts(self, most: int) -> list[slice]:
        least = max(PART_ENTRIES, ENTRIES_PER_COLUMN * self.X.d)
        count = even(min(most, _threads.MOST_PARTS, self.elements // least))
        return self._split_evenly(slice(0, self.shape[0]), count)

    def kernel_calls(self, part: slice) -> Iterator[tuple[slice, Layout]]:
        # Rows may be empty, so their number is limited as well.
        for start in range(part.start, part.stop, CALL_ENTRIES):
            stop = min(start + CALL_ENTRIES, part.stop)
            entries = int(self.X.indptr[stop]) - int(self.X.indptr[start])
            count = max(1, entries // CALL_ENTRIES)
            for rows in self._split_evenly(slice(start, stop), count):
                yield from self.layouts(rows)

    def _split_evenly(self, rows: slice, count: int) -> list[slice]:
        """Split rows into slices with about equal numbers of entries."""
        if count == 1:
            return [rows]
        indptr = self.X.indptr[rows.start : rows.stop + 1]
        wanted = np.linspace(indptr[0], indptr[-1], count + 1)[1:-1].astype(indptr.dtype)
        edges = np.unique([0, *np.searchsorted(indptr, wanted), indptr.size - 1]) + rows.start
        return [slice(int(a), int(b)) for a, b in pairwise(edges)]

    def layouts(self, rows: slice) -> Iterator[tuple[slice, Layout]]:
        X = self.X._replace(indptr=self.X.indptr[rows.start : rows.stop + 1])
        if not all(array.flags.c_contiguous for array in X[:3]):
            entries = slice(int(X.indptr[0]), int(X.indptr[-1]))
            X = X._replace(
                data=np.ascontiguousarray(X.data[entries]),
                indices=np.ascontiguousarray(X.indices[entries]),
                indptr=np.ascontiguousarray(X.indptr) - X.indptr[0],
            )
        yield rows, X

    def sample(self, rows: NDArray[np.int64], threads: int) -> Matrix:
        self.check(threads)
        from scipy.sparse import csr_array

        data, indices, indptr = self.X[:3]
        some = csr_array((data, indices, indptr), self.shape)[rows]
        X = self.X._replace(data=some.data, indices=some.indices, indptr=some.indptr)
        return replace(self, shape=some.shape, X=X)

    def count_nonzero(self) -> NDArray[np.int64]:
        return np.bincount(self.X.indices, minlength=self.shape[1])

    @property
    def centres(self) -> NDArray[np.float64]:
        return self.X.centres if isinstance(self.X, CentredCSR) else super().centres

    def subtract(
        self, centres: NDArray[np.float64], weight: NDArray[np.float64] | None = None
    ) -> Matrix:
        """X with a number subtracted from each column.

        X is copied if some row with a weight does not store a column with a centre, or repeats it.
        """
        X, weight = CSR(*self.X[:4]), self._weights(weight)
        rows, _, repeated = self._entries(weight)
        centred = centres != 0.0
        lacking = np.flatnonzero(centred & (rows < np.count_nonzero(weight)))
        if repeated[centred].any() or lacking.size:
            X = _with_one_entry(X, weight > 0.0, lacking)
        return replace(self, dtype=X.data.dtype, X=CentredCSR(*X, centres))

    def useful_centres(
        self, centres: NDArray[np.float64], weight: NDArray[np.float64] | None
    ) -> NDArray[np.float64]:
        """Centres of the columns that nearly every row with a weight stores, 0 for all others."""
        weight = self._weights(weight)
        _, weights, _ = self._entries(weight)
        return np.where(weights >= NEARLY_ALL * weight.sum(), centres, 0.0)

    def _weights(self, weight: NDArray[np.float64] | None) -> NDArray[np.float64]:
        return np.ones(self.shape[0]) if weight is None else weight

    def _entries(
        self, weight: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
        """Of each column: rows that store it, their weight, and whether one repeats it."""
        d = self.shape[1]
        found = np.zeros(d, np.int64), np.zeros(d), np.zeros(d, np.bool_)
        find_entries(CSR(*self.X[:4]), weight, *found)
        return found

    def full_columns(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        from scipy.sparse import csr_array

        data, indices, indptr = self.X[:3]
        full = np.flatnonzero(self.count_nonzero() >= NEARLY_ALL * self.shape[0])
        values = csr_array((data.astype(np.float64), indices, indptr), self.shape)[:, full]
        return full, values.toarray()

    def check(self, threads: int) -> None:
        slices = _threads.parts(self.elements)
        good = [True] * len(slices)

        def task(part: int) -> None:
            good[part] = are_below(self.X.indices[slices[part]], self.X.d)

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
        for part in _threads.parts(data.size):
            finite = np.isfinite(data[part])
            if not finite.all():
                entry = part.start + int(np.argmin(finite))
                row = int(np.searchsorted(indptr, indptr.dtype.type(entry), "right")) - 1
                entries = slice(entry, int(indptr[row + 1]))
                bad = np.flatnonzero(~np.isfinite(data[entries])) + entry
                entry = int(bad[np.argmin(indices[bad])])
                return row, int(indices[entry]), float(data[entry])
        return None


def from_scipy(X: Any) -> Matrix:
    """Check a sparse matrix or array of SciPy, which must be CSR."""
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
    data = _checked_array(X, "data", "buif")
    indices = _checked_array(X, "indices", "i")
    indptr = _checked_array(X, "indptr", "i")
    if indptr.size != n + 1 or indptr[0] != 0 or not _increases(indptr):
        raise ValueError(f"X.indptr must rise from 0 and have {n + 1} elements")
    entries = int(indptr[-1])
    if entries > min(data.size, indices.size):
        raise ValueError(
            f"X.data and X.indices must have {entries} elements, as X.indptr says; got "
            f"{data.size} and {indices.size}"
        )
    return CSRMatrix((n, d), data.dtype, None, CSR(data[:entries], indices[:entries], indptr, d))


def _checked_array(X: Any, name: str, kinds: str) -> NDArray[Any]:
    """One of the arrays of a sparse matrix, of a dtype of these kinds."""
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


def _increases(indptr: NDArray[Any]) -> bool:
    """Whether no element is below the one before it; compared in parts, to save memory."""
    steps = _threads.parts(indptr.size - 1)
    return all((indptr[a.start + 1 : a.stop + 1] >= indptr[a]).all() for a in steps)


def _with_one_entry(X: CSR, counted: NDArray[np.bool_], lacking: NDArray[np.int64]) -> CSR:
    """Copy X, with repeated entries added up and a 0 where `counted` rows lack some columns."""
    from scipy.sparse import csr_array

    shape = X.indptr.size - 1, X.d
    whole = csr_array((X.data.astype(np.float64), X.indices, X.indptr), shape, copy=True)
    whole.sum_duplicates()
    entries = np.flatnonzero(np.isin(whole.indices, lacking))
    rows = np.searchsorted(whole.indptr, entries, "right") - 1
    wanted = np.repeat(counted[:, np.newaxis], lacking.size, axis=1)
    wanted[rows, np.searchsorted(lacking, whole.indices[entries])] = False
    rows, columns = np.nonzero(wanted)
    places = whole.indptr[rows]
    added = np.cumsum(np.bincount(rows, minlength=shape[0]))
    filled = csr_array(
        (
            np.insert(whole.data, places, 0.0),
            np.insert(whole.indices, places, lacking[columns]),
            whole.indptr + np.append(0, added),
        ),
        shape,
    )
    return CSR(filled.data, filled.indices, filled.indptr, X.d)
