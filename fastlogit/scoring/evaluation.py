"""Measures of a model's probabilities against labels, in one pass over a table of any size."""

from __future__ import annotations

import math
from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex

import numpy as np

from fastlogit import elementwise, losses
from fastlogit.models import predictions
from fastlogit.models.input import warn_without_offset
from fastlogit.models.model import loaded
from fastlogit.scoring.measures import Bin, Calibration, as_json, known_rows
from fastlogit.scoring.multiclass import MulticlassEvaluator
from fastlogit.scoring.observations import read_observations
from fastlogit.scoring.roc import RocArea

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from fastlogit.core.checks import Missing
    from fastlogit.matrix.onehot import Unknown
    from fastlogit.models.model import LogisticModel
    from fastlogit.tables.csv_options import CSVOptions
    from fastlogit.tables.table import Columns, ReadProgress


class Evaluation(NamedTuple):
    """Measures of a model on a table.

    Attributes
    ----------
    rows, skipped : int
        Rows that were measured, and rows left out as they have no label or no score.
    positives : int
        Rows of the second class.
    mean_log_loss, accuracy, brier_score : float
        Means over the rows.
    auc : float
        Area under the ROC curve; NaN if all labels are the same.
    auc_error : float
        Bound of its error: 0 for up to ten million rows, usually below 3e-4 for more.
    calibration : list of Bin
        Bins of probabilities, those with rows.
    """

    rows: int
    skipped: int
    positives: int
    mean_log_loss: float
    accuracy: float
    brier_score: float
    auc: float
    auc_error: float
    calibration: list[Bin]

    def to_json(self) -> str:
        """These measures as JSON, with null for NaN and infinity; raises nothing.

        Returns
        -------
        str
        """
        return as_json(self)

    def __str__(self) -> str:
        """The measures as a printed table."""
        bound = f" within {self.auc_error:.1g}" if self.auc_error else ""
        facts = [
            ("rows", f"{self.rows:,} ({self.positives:,} of the second class)"),
            ("left out", f"{self.skipped:,}"),
            ("mean log-loss", f"{self.mean_log_loss:.6f}"),
            ("accuracy", f"{self.accuracy:.6f}"),
            ("Brier score", f"{self.brier_score:.6f}"),
            ("AUC", f"{self.auc:.6f}{bound}"),
        ]
        lines = [f"{name:<13} {value}" for name, value in facts]
        lines += ["", "probability        rows  mean probability  share of the second class"]
        lines += [
            f"{least:.1f} to {most:.1f} {rows:>13,} {y:>17.4f} {t:>26.4f}"
            for least, most, rows, y, t in self.calibration
        ]
        return "\n".join(lines)


def evaluate(
    model: LogisticModel | str | os.PathLike[str],
    source: Any,
    label: str | int | None = None,
    *,
    offset: Columns = None,
    threshold: float = 0.5,
    top: Sequence[int] | None = None,
    missing: Missing = "skip",
    unknown: Unknown = "error",
    source_format: str | None = None,
    csv: CSVOptions | None = None,
    threads: SupportsIndex | None = None,
    progress: Callable[[ReadProgress], object] | None = None,
) -> Any:
    """Measures of a model's probabilities against labels, in one pass over a table.

    Parameters
    ----------
    model : LogisticModel, or path of its file
    source, offset, unknown, source_format, csv, threads, progress
        As in :func:`fastlogit.score`.
    label : str or int, optional
        The column of the labels: its name, or its position in an array.  LIBSVM has its own
        labels.  A label is one of the model's `classes`, in any spelling of the formats: class 1
        may be 1, 1.0, True, "1" or "true".
    threshold : float
        The probability above which a row counts as the second class, for the accuracy; for two
        classes only.
    top : sequence of int, optional
        Numbers k below the number of classes, for `MulticlassEvaluation.top_accuracy`; for more
        than two classes only.  Default: 2, 3 and 5.
    missing : {"skip", "error"}
        How to treat rows without a label or a score (null or NaN): leave them out and count them
        in `Evaluation.skipped`, or raise an error that names the first.

    Returns
    -------
    Evaluation, or MulticlassEvaluation for more than two classes

    Raises
    ------
    OSError
        If a file cannot be read.
    TypeError, ValueError
        If `source` does not suit the model; if a label is not one of its classes, naming the
        row; or if no row has both a label and a score.

    Warns
    -----
    OffsetWarning
        If the model was trained with an offset, and none is given.

    Examples
    --------
    >>> import fastlogit as fl
    >>> from fastlogit.scoring import evaluate
    >>> model = fl.LogisticModel([1.0], 0.0, ("x",))
    >>> found = evaluate(model, {"x": [-2.0, 1.0, 0.5, 3.0], "late": [0, 0, 1, 1]}, "late")
    >>> found.accuracy, found.auc, round(found.mean_log_loss, 4)
    (0.75, 0.75, 0.4907)
    >>> model = fl.LogisticModel([[1.0], [0.0], [-1.0]], 0.0, ("x",), classes=("a", "b", "c"))
    >>> found = evaluate(model, {"x": [2.0, 1.0, -2.0], "t": ["a", "b", "c"]}, "t")
    >>> found.top_accuracy, found.confusion
    ({2: 1.0}, [[1, 0, 0], [1, 0, 0], [0, 0, 1]])
    """
    model = loaded(model)
    warn_without_offset(model, offset)
    found = make_evaluator(model.classes, threshold, top, threads)
    for rows in read_observations(
        model,
        source,
        label,
        offset=offset,
        missing=missing,
        unknown=unknown,
        source_format=source_format,
        csv=csv,
        threads=threads,
        progress=progress,
    ):
        found.add(rows.z, rows.t)
    return found.result()


def make_evaluator(
    labels: tuple[Any, ...],
    threshold: float,
    top: Sequence[int] | None,
    threads: SupportsIndex | None,
) -> Evaluator | MulticlassEvaluator:
    """An evaluator of a model with these classes; arguments as in `evaluate`."""
    threshold = predictions.checked_threshold(threshold, labels)
    if len(labels) > 2:
        return MulticlassEvaluator(labels, top, threads)
    if top is not None:
        raise ValueError("top must go with more than two classes; the model has 2")
    return Evaluator(threshold, threads)


class Evaluator:
    """Collects logits and targets; `result` gives the measures."""

    def __init__(self, threshold: float = 0.5, threads: SupportsIndex | None = None) -> None:
        self.threshold, self.threads = threshold, threads
        self.rows = self.skipped = self.positives = self.correct = 0
        self.losses: list[float] = []
        self.squares: list[float] = []
        self.roc = RocArea()
        self.calibration = Calibration()

    def add(self, z: NDArray[np.float64], t: NDArray[np.float64]) -> None:
        """Add rows with logits z and targets t, 0 or 1; a row with NaN is skipped."""
        z, t, skipped = known_rows(z, t)
        self.skipped += skipped
        if z.size == 0:
            return
        y, is_second = elementwise.sigmoid(z, threads=self.threads), t > 0.5
        self.rows += z.size
        self.positives += int(np.count_nonzero(is_second))
        self.losses.append(losses.log_loss(z, t, threads=self.threads))
        self.squares.append(float(np.square(elementwise.residual(z, t)).sum()))
        self.correct += int(np.count_nonzero((y > self.threshold) == is_second))
        self.roc.add(z, is_second)
        self.calibration.add(y[:, np.newaxis], np.flatnonzero(is_second))

    def merge(self, other: Evaluator) -> Evaluator:
        """The measures of these and of other rows, as a new object."""
        both = copy(self)
        for name in ("rows", "skipped", "positives", "correct", "losses", "squares"):
            setattr(both, name, getattr(self, name) + getattr(other, name))
        both.roc = self.roc.merge(other.roc)
        both.calibration = self.calibration.merge(other.calibration)
        return both

    def result(self) -> Evaluation:
        """The measures of all rows."""
        n = self.rows
        return Evaluation(
            n,
            self.skipped,
            self.positives,
            math.fsum(self.losses) / n,
            self.correct / n,
            math.fsum(self.squares) / n,
            *self.roc.result(),
            self.calibration.result()[0],
        )
