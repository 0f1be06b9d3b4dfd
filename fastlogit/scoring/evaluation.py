"""Measures of a model's probabilities against labels, in one pass over a table of any size."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex

import numpy as np

from fastlogit import elementwise, losses
from fastlogit.core import checks
from fastlogit.models.model import loaded, warn_without_offset
from fastlogit.scoring.observations import read_observations
from fastlogit.scoring.roc import RocArea

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from numpy.typing import NDArray

    from fastlogit.core.checks import Missing
    from fastlogit.matrix.onehot import Unknown
    from fastlogit.models.model import LogisticModel
    from fastlogit.tables.csv_options import CSVOptions
    from fastlogit.tables.table import Columns, ReadProgress

# Bins of the calibration table.
_CALIBRATION_BINS = 10


class Bin(NamedTuple):
    """The rows with a probability from `least` to below `most`."""

    least: float
    most: float
    rows: int
    mean_probability: float
    mean_target: float


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
        Bound of its error: 0 for up to ten million rows.
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
        content = {
            name: value if not isinstance(value, float) or math.isfinite(value) else None
            for name, value in self._asdict().items()
        }
        content["calibration"] = [one._asdict() for one in self.calibration]
        return json.dumps(content, indent=1)

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
    missing: Missing = "skip",
    unknown: Unknown = "error",
    source_format: str | None = None,
    csv: CSVOptions | None = None,
    threads: SupportsIndex | None = None,
    progress: Callable[[ReadProgress], object] | None = None,
) -> Evaluation:
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
        The probability above which a row counts as the second class, for the accuracy.
    missing : {"skip", "error"}
        How to treat rows without a label or a score (null or NaN): leave them out and count them
        in `Evaluation.skipped`, or raise an error that names the first.

    Returns
    -------
    Evaluation

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
    """
    model = loaded(model)
    warn_without_offset(model, offset)
    found = Evaluator(threshold, threads)
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


class Evaluator:
    """Collects logits and targets; `result` gives the measures."""

    def __init__(self, threshold: float = 0.5, threads: SupportsIndex | None = None) -> None:
        self.threshold, self.threads = checks.probability(threshold, "threshold"), threads
        self.rows = self.skipped = self.correct = 0
        self.losses: list[float] = []
        self.squares: list[float] = []
        self.roc = RocArea()
        self.bins = np.zeros((3, _CALIBRATION_BINS))

    def add(self, z: NDArray[np.float64], t: NDArray[np.float64]) -> None:
        """Add rows with logits z and targets t, 0 or 1; a row with NaN is skipped."""
        there = ~(np.isnan(z) | np.isnan(t))
        if not there.all():
            self.skipped += int(z.size - there.sum())
            z, t = z[there], t[there]
        if z.size == 0:
            return
        y = elementwise.sigmoid(z, threads=self.threads)
        self.rows += z.size
        self.losses.append(losses.log_loss(z, t, threads=self.threads))
        self.squares.append(float(np.square(elementwise.residual(z, t)).sum()))
        self.correct += int(np.count_nonzero((y > self.threshold) == (t > 0.5)))
        self.roc.add(z, t > 0.5)
        number = np.minimum((y * _CALIBRATION_BINS).astype(np.int64), _CALIBRATION_BINS - 1)
        for row, weights in enumerate((None, y, t)):
            self.bins[row] += np.bincount(number, weights, _CALIBRATION_BINS)

    def result(self) -> Evaluation:
        """The measures of all rows."""
        n = self.rows
        auc, error = self.roc.result()
        edges = np.linspace(0.0, 1.0, _CALIBRATION_BINS + 1).tolist()
        return Evaluation(
            n,
            self.skipped,
            int(self.bins[2].sum()),
            math.fsum(self.losses) / n,
            self.correct / n,
            math.fsum(self.squares) / n,
            auc,
            error,
            [
                Bin(edges[i], edges[i + 1], int(count), y / count, t / count)
                for i, (count, y, t) in enumerate(self.bins.T.tolist())
                if count
            ],
        )
