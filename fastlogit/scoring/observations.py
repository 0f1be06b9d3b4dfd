"""Observations: the rows of a table with their logits and labels, for evaluation and plots."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex

import numpy as np

from fastlogit.core import checks
from fastlogit.core import threads as _threads
from fastlogit.scoring.model_columns import ModelColumns, open_model_table, without_score
from fastlogit.training.table.labels import encode_labels, find_labels, read_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from fastlogit.core.checks import Missing
    from fastlogit.matrix.onehot import Unknown
    from fastlogit.models.model import LogisticModel
    from fastlogit.tables.csv_options import CSVOptions
    from fastlogit.tables.table import Batch, Columns, ReadProgress, Table


class Observations(NamedTuple):
    """Some rows, with NaN where a value is missing."""

    # Logits, (n,) or (n, K), and class numbers.
    z: NDArray[np.float64]
    t: NDArray[np.float64]
    # The features as they were read: an array, a CSR matrix or a record batch; None by default.
    X: Any


def read_observations(
    model: LogisticModel,
    source: Any,
    label: str | int | None,
    *,
    offset: Columns = None,
    missing: Missing = "skip",
    unknown: Unknown = "error",
    source_format: str | None = None,
    csv: CSVOptions | None = None,
    threads: SupportsIndex | None = None,
    progress: Callable[[ReadProgress], object] | None = None,
    with_features: bool = False,
) -> Iterator[Observations]:
    """Observations of each batch of a table; arguments and errors as in `evaluate`."""
    checks.function(progress, "progress")
    table = open_model_table(source, model, offset, source_format, csv)
    observer = Observer(
        model,
        table,
        label,
        offset=offset,
        missing=missing,
        unknown=unknown,
    )

    def observe(batch: Batch) -> tuple[Observations, int | None]:
        found = observer.observe(batch)
        return found if with_features else found._replace(X=None), batch.bytes_read

    rows = known = 0
    wanted = observer.wanted._replace(threads=_threads.resolve(threads))
    for found, bytes_read in table.map(observe, wanted):
        yield found
        rows += found.t.size
        known += int(np.count_nonzero(~(without_score(found.z) | np.isnan(found.t))))
        if progress is not None:
            progress(table.progress(rows, bytes_read))
    must_be_known(table, known)


class Observer:
    """Reads logits and labels from the batches of a table; arguments as in `evaluate`.

    Attributes
    ----------
    table : Table
    wanted : tables.table.Wanted
        The columns to read.
    """

    def __init__(
        self,
        model: LogisticModel,
        table: Table,
        label: str | int | None,
        *,
        offset: Columns = None,
        missing: Missing = "skip",
        unknown: Unknown = "error",
    ) -> None:
        checks.missing(missing, ("error", "skip"))
        targets = find_labels(table, label)
        if len(targets) > 1:
            raise ValueError(f"{table.name}: label must be one column; got {len(targets)}")
        target = targets[0] if targets else None
        features = ModelColumns(
            model, table, offset=offset, missing="nan", unknown=unknown, without=target, threads=1
        )
        columns, text = list(features.positions), set(features.text)
        in_array = target if table.names is None else None
        if target is not None:
            if target in features.offsets or (target in columns and in_array is None):
                role = "the offset" if target in features.offsets else "a feature of the model"
                raise ValueError(
                    f"{table.name}: {table.describe(target)} is {role}, so it cannot be the label"
                )
            columns.append(target)
            text.add(target)
        self.table, self.wanted = table, table.want(columns, text=text, results=len(model.classes))
        self._classes, self._features, self._missing = model.classes, features, missing
        self._in_array = in_array

    def observe(self, batch: Batch) -> Observations:
        """The observations of a batch."""
        X, labels = _split(batch, len(self._features.positions), self._in_array)
        z, _ = self._features.logits(X, batch)
        labels = read_labels(self.table, labels, self._classes, batch)
        t = encode_labels(labels, self._classes, batch.file, batch.first)
        if self._missing == "error":
            _refuse_missing(z, t, X, batch)
        return Observations(z, t, X)


def must_be_known(table: Table, rows: int) -> None:
    """Raise a ValueError if no row has both a label and a score."""
    if rows == 0:
        raise ValueError(f"{table.name}: has no row with a label and a score")


def _split(batch: Batch, width: int, target: int | None) -> tuple[Any, Any]:
    """Features and labels of a batch; `target` is the column of the labels in an array."""
    data = batch.data
    if target is not None:
        others = [column for column in range(data.shape[1]) if column != target]
        return data[:, others], data[:, target]
    if batch.labels is not None:
        return data, batch.labels
    return data.select(range(width)), data.column(width)


def _refuse_missing(z: NDArray[np.float64], t: NDArray[np.float64], X: Any, batch: Batch) -> None:
    """Raise an error for the first row without a label or a score."""
    absent = without_score(z) | np.isnan(t)
    if absent.any():
        row = int(np.argmax(absent))
        what = "label" if np.isnan(t[row]) else f"score, as {_feature_without_score(X, row)}"
        raise ValueError(
            f"{batch.file}: row {batch.first + row} has no {what} (missing='skip' leaves out such "
            "rows)"
        )


def _feature_without_score(X: Any, row: int) -> str:
    """The first column that is null, NaN or infinite in a row, as messages say it."""
    if hasattr(X, "schema"):
        for name, column in zip(X.schema.names, X.columns, strict=True):
            value = column[row].as_py()
            if value is None or value != value:
                return f"column {checks.shown(name)} is missing"
            if value in (math.inf, -math.inf):
                return f"column {checks.shown(name)} is infinite"
    return "a feature is missing or infinite"
