"""The rows of a table with their logits and labels: what a model says, beside what is so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex

import numpy as np

from fastlogit import threads as _threads
from fastlogit.scoring.logits import Columns
from fastlogit.scoring.sources import open_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from fastlogit.model import LogisticModel
    from fastlogit.onehot import Unknown
    from fastlogit.scoring.csv_options import CSVOptions
    from fastlogit.scoring.table import Batch, Progress


class Labelled(NamedTuple):
    """Some rows: logits, and t of their labels, 0 or 1; NaN is missing."""

    z: NDArray[np.float64]
    t: NDArray[np.float64]
    # As they were read: an array, a CSR matrix or a record batch; None unless asked for.
    X: Any


def labelled(
    model: LogisticModel,
    source: Any,
    label: str | int | None,
    *,
    unknown: Unknown = "error",
    source_format: str | None = None,
    csv: CSVOptions | None = None,
    threads: SupportsIndex | None = None,
    progress: Callable[[Progress], object] | None = None,
    with_features: bool = False,
) -> Iterator[Labelled]:
    """Read a table once; arguments and errors as of :func:`fastlogit.scoring.evaluate`."""
    table = open_table(source, file_format=source_format, width=model.coef.size, csv=csv)
    target = None if label is None else table.position(label)
    of_arrays = table.names is None and target is not None
    features = Columns(model, table, missing="nan", unknown=unknown, without=target, threads=1)
    columns, text = list(features.positions), set(features.text)
    if target is not None and target in columns and not of_arrays:
        raise ValueError(f"{table.name}: {table.label(target)} is a feature of the model, no label")
    if target is not None:
        columns.append(target)
        text |= {target} if isinstance(model.classes[0], str) else set()

    def compare(batch: Batch) -> tuple[Labelled, int | None]:
        X, labels = _split(batch, len(features.positions), target if of_arrays else None)
        z, _ = features.logits(X, batch)
        labels = table.text_of(labels) if text - features.text else labels
        t = t_of(labels, model.classes, batch.file, batch.first)
        return Labelled(z, t, X if with_features else None), batch.position

    rows = known = 0
    wanted = table.want(columns, text=text, threads=_threads.resolve(threads))
    for some, position in table.map(compare, wanted):
        yield some
        rows += some.z.size
        known += int(np.count_nonzero(~(np.isnan(some.z) | np.isnan(some.t))))
        if progress is not None:
            progress(table.progress(rows, position))
    if known == 0:
        raise ValueError(f"{table.name}: has no row with a label and a score")


def _split(batch: Batch, width: int, target: int | None) -> tuple[Any, Any]:
    """Features and labels of a batch; `target` is the labels' column in an array."""
    data = batch.data
    if target is not None:
        others = [column for column in range(data.shape[1]) if column != target]
        return data[:, others], data[:, target]
    if batch.labels is not None:
        return data, batch.labels
    if not hasattr(data, "schema") or data.num_columns == width:
        raise ValueError(f"{batch.file}: label must say which column the labels are")
    return data.select(range(width)), data.column(width)


def t_of(labels: Any, classes: tuple[Any, Any], where: str, first: int = 0) -> NDArray[np.float64]:
    """T of each label, NaN where it is missing; messages call the first row by its number."""
    if hasattr(labels, "to_numpy"):
        labels = labels.to_numpy(zero_copy_only=False)
    missing = labels == np.array(None) if labels.dtype.kind == "O" else labels != labels
    t = np.where(labels == classes[1], 1.0, 0.0)
    unknown = ~(missing | (labels == classes[0]) | (labels == classes[1]))
    if unknown.any():
        row = int(np.argmax(unknown))
        raise ValueError(
            f"{where}: the label must be {classes[0]!r} or {classes[1]!r}; got "
            f"{labels[row : row + 1].tolist()[0]!r} in row {first + row}"
        )
    t[missing] = np.nan
    return t
