"""A whole file as a feature matrix and its targets, to train on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from fastlogit.scoring.sources import open_table

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from fastlogit.scoring.table import Table


# Small enough that the rows being filled, column by column, stay in the cache.
_BATCH_ROWS = 1 << 14


class TrainingData(NamedTuple):
    """What :func:`read_table` read.

    Attributes
    ----------
    X : ndarray (n, d)
        Row-major; float32 if that holds every column exactly, else float64.
    t : ndarray (n,)
        float64.
    feature_names : tuple of str, or None
        None if the file's columns have no names.
    skipped : int
        Rows left out.
    """

    X: NDArray[Any]
    t: NDArray[np.float64]
    feature_names: tuple[str, ...] | None
    skipped: int


def read_table(
    path: str | os.PathLike[str], label: str | int, *, missing: Literal["error", "skip"] = "error"
) -> TrainingData:
    """Read one column of a file as the target t, and all others as the features X.

    Parameters
    ----------
    path : path
        A ``.parquet``, ``.csv`` (with a header) or ``.npy`` file (two axes).
    label : str, or int
        Name of the target's column, or in a ``.npy`` file its position (-1 is the last).
    missing : {"error", "skip"}
        What a row with a null or NaN gives: an error that names the column, or nothing.

    Returns
    -------
    TrainingData
        Memory is for one copy of X; a quarter more while the number of rows is not known.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If there is no such label, a column does not hold numbers, a value is missing or
        infinite, or a target not between 0 and 1; it names column and row (from 0).

    Examples
    --------
    >>> from fastlogit.data import flights_path
    >>> from fastlogit.scoring import read_table
    >>> X, t, feature_names, skipped = read_table(flights_path(), "late", missing="skip")
    >>> X.shape, X.dtype, t.mean().item(), skipped
    ((327346, 48), dtype('float32'), 0.23714968259884037, 9430)
    """
    if missing not in ("error", "skip"):
        raise ValueError(f"missing must be 'error' or 'skip'; got {missing!r}")
    table = open_table(path)
    target = table.position(label)
    features = [position for position in range(len(table.dtypes)) if position != target]
    order = [*features, target]
    table.must_hold_numbers(order)
    batches = table.read(order, batch_rows=_BATCH_ROWS)
    if not features:
        raise ValueError(f"{table.name}: has no column beside {table.label(target)}")

    dtype = np.result_type(np.float32, *(table.dtypes[position] for position in features))
    X, t = np.empty((table.rows or 0, len(features)), dtype), np.empty(table.rows or 0)
    rows, kept = 0, 0
    absent = np.zeros(len(order), np.int64)
    for batch in batches:
        columns = _to_numpy(batch.data, order)
        _check_values(table, order, columns, rows)
        rows += len(columns[0])
        nans = [np.isnan(column) for column in columns]
        counts = [np.count_nonzero(nan) for nan in nans]
        absent += counts
        if any(counts):
            present = ~np.logical_or.reduce(nans)
            columns = [column[present] for column in columns]
        here = slice(kept, kept + len(columns[0]))
        if here.stop > len(t):
            _resize(X, t, max(here.stop, len(t) * 5 // 4))
        for j, column in enumerate(columns[:-1]):
            X[here, j] = column
        t[here] = columns[-1]
        kept = here.stop
    if missing == "error" and absent.any():
        _refuse(table, order, absent, rows)
    if kept == 0:
        raise ValueError(f"{table.name}: has no rows{' without a missing value' * (rows > 0)}")
    _resize(X, t, kept)
    names = None if table.names is None else tuple(table.names[position] for position in features)
    return TrainingData(X, t, names, rows - kept)


def _to_numpy(batch: Any, order: list[int]) -> list[NDArray[Any]]:
    """Columns in this order, with NaN for nulls."""
    if not hasattr(batch, "columns"):
        return [batch[:, position] for position in order]
    import pyarrow as pa

    # Booleans of Arrow are single bits.
    columns = (one.cast(pa.uint8()) if pa.types.is_boolean(one.type) else one for one in batch)
    return [column.to_numpy(zero_copy_only=False) for column in columns]


def _resize(X: NDArray[Any], t: NDArray[np.float64], rows: int) -> None:
    """Change the number of rows in place, for which the system moves pages and copies none."""
    X.resize((rows, X.shape[1]), refcheck=False)
    t.resize(rows, refcheck=False)


def _check_values(table: Table, order: list[int], columns: list[NDArray[Any]], start: int) -> None:
    """Check the rows from `start` on while they are still counted as in the file."""
    for position, column in zip(order, columns, strict=True):
        good = ~np.isinf(column)
        rule = "be finite"
        if position == order[-1]:
            good = ~((column < 0) | (column > 1))  # NaN is missing, which is another matter
            rule = "lie between 0 and 1, as it is the target"
        if not good.all():
            row = int(np.argmin(good))
            raise ValueError(
                f"{table.name}: {table.label(position)} must {rule}; got {column[row]} in row "
                f"{start + row}"
            )


def _refuse(table: Table, order: list[int], absent: NDArray[np.int64], rows: int) -> None:
    """Raise the error for missing values."""
    first = int(np.argmax(absent > 0))
    count, others = int(absent[first]), int(np.count_nonzero(absent)) - 1
    also = f", and there are some in {others} other column{'s' * (others > 1)}" if others else ""
    raise ValueError(
        f"{table.name}: {table.label(order[first])} has {count} missing value{'s' * (count > 1)} "
        f"in {rows} row{'s' * (rows > 1)}{also} (missing='skip' leaves those rows out)"
    )
