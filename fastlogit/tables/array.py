"""Arrays and CSR matrices in memory, whose columns only have positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.tables.table import Batch, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from fastlogit.tables.table import Wanted

# Rows that a thread reads; it can begin at any row of an array.
_THREAD_ROWS = 1 << 17


def is_array(source: Any) -> bool:
    """Whether an object is an array, nested lists or a sparse matrix."""
    return hasattr(type(source), "tocsr") or isinstance(source, np.ndarray | list | tuple)


def open_array(name: str, source: Any) -> Table:
    """Make a table of an array (n, d), of lists of rows, or of a CSR matrix."""
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

    return Table(name, None, array_dtypes(X.dtype, d), n, (), read, edges=array_edges(n))


def array_dtypes(dtype: np.dtype[Any], columns: int) -> tuple[np.dtype[Any] | str, ...]:
    """The dtype of each column, or its name if the kernels cannot read such numbers."""
    is_number = dtype.kind in "buif" and dtype.itemsize <= 8
    return (dtype if is_number else str(dtype),) * columns


def array_edges(rows: int) -> list[int] | None:
    """`Table.edges` of a table that can be read from any row on."""
    return [*range(0, rows, _THREAD_ROWS), rows]


def _as_array(source: Any) -> NDArray[Any]:
    try:
        return np.asarray(source)
    except ValueError:
        raise ValueError("source must have two axes, of rows of the same length") from None
