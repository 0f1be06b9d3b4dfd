"""From a file through a model to a file, in bounded memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal, SupportsIndex, TypeVar

import numpy as np

from fastlogit import arrays, files, linear
from fastlogit.scoring.sinks import open_sink
from fastlogit.scoring.sources import open_table

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from fastlogit.model import LogisticModel
    from fastlogit.scoring.sources import Batch, Table

T = TypeVar("T")


def score(
    model: LogisticModel,
    source: str | os.PathLike[str],
    sink: str | os.PathLike[str],
    *,
    missing: Literal["error", "nan"] = "error",
    batch_rows: int | None = None,
    threads: SupportsIndex | None = None,
    force: bool = False,
    progress: Callable[[int, int | None], object] | None = None,
) -> int:
    """Write the probability of every row of a file to another file.

    Parameters
    ----------
    model : LogisticModel
        Its columns are found by their names, and no others are read.  If the model or the
        file has no names, columns are taken by position and their number must be the same.
    source : path
        A ``.parquet``, ``.csv`` (with a header) or ``.npy`` file (two axes).
    sink : path
        Likewise, and another file; one column ``probability``, float64.  It appears when it
        is complete.
    missing : {"error", "nan"}
        What a null gives: an error that names its column and row (the first row of data is
        row 0, as in all messages), or the probability NaN.
        NaN in a column of floating-point numbers is data and always gives NaN.
    batch_rows : int, optional
        Rows to read at a time, but for CSV, which comes in parts of its own; default: as
        many as take some 32 MB.  Memory is for about three batches.
    threads : int, optional
        Most threads to use; default: all cores that the process may use.
    force : bool
        Whether to replace `sink` if it exists.
    progress : callable, optional
        Called after each batch with the number of rows done, and of all rows or None.

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    OSError
        If a file cannot be read or written.
    ValueError
        If `source` does not suit the model or has a null, naming file and column; or `sink` is
        `source`, or an argument is out of range.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import numpy as np
    >>> import fastlogit as fl
    >>> from fastlogit.scoring import score
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     source, sink = pathlib.Path(folder, "x.npy"), pathlib.Path(folder, "y.npy")
    ...     np.save(source, [[0.0, 0.5], [1.0, 0.0]])
    ...     score(fl.LogisticModel([2.0, -1.0], 0.5), source, sink)
    ...     np.load(sink)
    2
    array([0.5       , 0.92414182])
    """
    if missing not in ("error", "nan"):
        raise ValueError(f"missing must be 'error' or 'nan'; got {missing!r}")
    if batch_rows is not None:
        arrays.whole_number(batch_rows, "batch_rows", 1)
    files.keep_apart(sink, source)
    table = open_table(source)
    columns = _match(table, model)
    batches = table.read(columns, nulls=missing == "nan", batch_rows=batch_rows)
    done = 0
    with open_sink(sink, force=force) as write:
        for batch in read_ahead(batches):
            y = _probability(batch, model, threads)
            write(y)
            done += y.size
            if progress is not None:
                progress(done, table.rows)
    return done


def read_ahead(batches: Iterator[T]) -> Iterator[T]:
    """Give the same batches, and read the next one while the last one is in use."""
    with ThreadPoolExecutor(1) as reader:
        following = reader.submit(next, batches, None)
        while (batch := following.result()) is not None:
            following = reader.submit(next, batches, None)
            yield batch


def _match(table: Table, model: LogisticModel) -> list[int]:
    """Positions of the model's columns in a table."""
    if model.feature_names is not None and table.names is not None:
        return table.find(model.feature_names)
    if len(table.dtypes) != model.coef.size:
        raise ValueError(
            f"{table.path}: must have {model.coef.size} columns, as the model has; "
            f"it has {len(table.dtypes)}"
        )
    return list(range(model.coef.size)) if table.names is None else table.find(table.names)


def _probability(
    batch: Batch, model: LogisticModel, threads: SupportsIndex | None
) -> NDArray[np.float64]:
    X = dict(enumerate(batch)) if isinstance(batch, list) else batch
    return linear.probability(X, model.coef, model.intercept, threads=threads)
