"""Evaluate a model on Dask collections: each partition is measured where it is."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

from fastlogit.dask.partitions import array_partitions, frame_partitions
from fastlogit.models.input import warn_without_offset
from fastlogit.models.model import loaded
from fastlogit.scoring.evaluation import make_evaluator
from fastlogit.scoring.observations import Observer, must_be_known
from fastlogit.tables.dask_frame import is_dask_frame

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from fastlogit.core.checks import Missing
    from fastlogit.matrix.onehot import Unknown
    from fastlogit.models.model import LogisticModel
    from fastlogit.tables.table import Batch

__all__ = ["evaluate"]


def evaluate(
    X: Any,
    model: LogisticModel | str | os.PathLike[str],
    t: Any = None,
    *,
    label: str | None = None,
    offset: Any = None,
    threshold: float = 0.5,
    top: Sequence[int] | None = None,
    missing: Missing = "skip",
    unknown: Unknown = "error",
) -> Any:
    """Measures of a model's probabilities against labels, in one pass over a collection.

    Parameters
    ----------
    X : dask array (n, d), or dask data frame
        As in :func:`fastlogit.dask.fit`.
    model : LogisticModel, or path of its file
    t : dask array or array_like (n,)
        Labels for an array X, of any dtype.
    label : str
        The column of the labels in a data frame.
    offset : dask array or array_like, (n,) or (n, K); or names of columns, optional
        A known addition to the logits; a model that was trained with one needs it.
    threshold, top, missing, unknown
        As in :func:`fastlogit.scoring.evaluate`.

    Returns
    -------
    Evaluation, or MulticlassEvaluation for more than two classes
        What :func:`fastlogit.scoring.evaluate` returns for the same rows, except for the rounding
        of sums.  The same bits for any scheduler and any number of workers.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong, before anything is computed; if a label is not one of the model's
        classes, naming partition and row; or if no row has both a label and a score.
    RuntimeError
        As in :func:`fastlogit.dask.fit`.

    Warns
    -----
    OffsetWarning
        If the model was trained with an offset, and none is given.

    Notes
    -----
    For up to ten million rows the area under the ROC curve is exact, and the logits and labels
    travel: 9 bytes for each row, and for each class of more than two.

    Examples
    --------
    >>> import dask.array as da
    >>> import fastlogit as fl
    >>> from fastlogit.dask import evaluate
    >>> X = da.from_array([[-2.0], [1.0], [0.5], [3.0]], chunks=(2, 1))
    >>> found = evaluate(X, fl.LogisticModel([1.0]), [0, 0, 1, 1])
    >>> found.accuracy, found.auc, round(found.mean_log_loss, 4)
    (0.75, 0.75, 0.4907)
    """
    model = loaded(model)
    warn_without_offset(model, offset)
    evaluator = make_evaluator(model.classes, threshold, top, threads=1)
    is_frame = is_dask_frame(X)
    partitions = (
        frame_partitions(X, t) if is_frame else array_partitions(X, t, label, offset=offset)
    )
    observer = Observer(
        model,
        partitions.header,
        label,
        offset=offset if is_frame else None,
        missing=missing,
        unknown=unknown,
    )
    found = partitions.run(_EvaluationTask(observer, evaluator), observer.wanted)
    must_be_known(partitions.header, 0 if found is None else found.rows)
    assert found is not None
    return found.result()


@dataclass(frozen=True)
class _EvaluationTask:
    """The measures of the rows, in an evaluator that has seen none."""

    observer: Observer
    evaluator: Any
    name = "evaluation"

    def of_batch(self, batch: Batch) -> Any:
        rows = self.observer.observe(batch)
        found = copy.deepcopy(self.evaluator)
        found.add(rows.z, rows.t)
        return found

    def merge(self, results: Sequence[Any]) -> Any:
        return reduce(lambda both, one: both.merge(one), results)
