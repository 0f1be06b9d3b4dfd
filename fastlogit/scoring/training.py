"""A whole file as a feature matrix and its targets, to train on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from fastlogit.scoring.sources import open_table

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from fastlogit.scoring.sources import Table


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
        If there is no such label, a column does not hold numbers, or a value is missing.

    Examples
    --------
    >>> from fastlogit.data import flights_path
    >>> from fastlogit.scoring import read_table
    >>> X, t, feature_names, skipped = read_table(flights_path(), "late")
    >>> X.shape, X.dtype, t.mean().round(3), skipped
    """
    if missing not in ("error", "skip"):
        raise ValueError(f"missing must be 'error' or 'skip'; got {missing!r}")
    table = open_table(path)
    target = _position(table, label)
    features = [position for position in range(len(table.dtypes)) if position != target]
    batches = table.read([*features, target], nulls=True)

    dtype = np.result_type(np.float32, *(table.dtypes[position] for position in features))
    X = np.empty((table.rows or 0, len(features)), dtype)
    t = np.empty(len(X))
    n, skipped = 0, 0
    missing_counts = np.zeros(len(features) + 1, np.int64)
    for batch in batches:
        *columns, targets = batch if isinstance(batch, list) else batch.T
        end = n + len(targets)
        if end > len(X):
            _resize(X, t, max(end, len(X) * 5 // 4))
        block = X[n:end]
        for j, column in enumerate(columns):
            block[:, j] = column
        t[n:end] = targets
