"""How good a model's probabilities are: measured in one pass over a table of any size."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex

import numpy as np

from fastlogit import elementwise, losses
from fastlogit.core import checks
from fastlogit.models.model import loaded, warn_without_offset
from fastlogit.scoring.labelled import labelled

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from numpy.typing import NDArray

    from fastlogit.core.checks import Missing
    from fastlogit.matrix.onehot import Unknown
    from fastlogit.models.model import LogisticModel
    from fastlogit.tables.csv_options import CSVOptions
    from fastlogit.tables.table import Progress

# Up to so many rows, logits are kept, and the area under the ROC curve is exact.
EXACT_ROWS = 10_000_000
# Bins of logits beyond that, by the leading bits of a float32: each is 2**-11 of its value wide.
_BITS = 20
# Bins of the calibration table.
_CALIBRATION_BINS = 10


class Bin(NamedTuple):
    """Rows whose probability lies from `least` to below `most`."""

    least: float
    most: float
    rows: int
    mean_probability: float
    mean_target: float


class Evaluation(NamedTuple):
    """What was measured.

    Attributes
    ----------
    rows, skipped : int
        Rows that count, and rows without a label or a score.
    log_loss, accuracy, brier_score : float
        Means over the rows.
    auc : float
        Area under the ROC curve; NaN where all labels are the same.
    auc_error : float
        How far that may be off: 0 for up to ten million rows.
    calibration : list of Bin
        Those that have rows.
    """

    rows: int
    skipped: int
    positives: int
    log_loss: float
    accuracy: float
    brier_score: float
    auc: float
    auc_error: float
    calibration: list[Bin]

    def to_json(self) -> str:
        """All of it as JSON, in which NaN and infinity are null; raises nothing.

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
        """A table for people."""
        bound = f" within {self.auc_error:.1g}" if self.auc_error else ""
        facts = [
            ("rows", f"{self.rows:,} ({self.positives:,} of the second class)"),
            ("left out", f"{self.skipped:,}"),
            ("log-loss", f"{self.log_loss:.6f}"),
            ("accuracy", f"{self.accuracy:.6f}"),
            ("Brier score", f"{self.brier_score:.6f}"),
            ("AUC", f"{self.auc:.6f}{bound}"),
        ]
        lines = [f"{name:<12} {value}" for name, value in facts]
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
    offset: str | int | None = None,
    threshold: float = 0.5,
    missing: Missing = "skip",
    unknown: Unknown = "error",
    source_format: str | None = None,
    csv: CSVOptions | None = None,
    threads: SupportsIndex | None = None,
    progress: Callable[[Progress], object] | None = None,
) -> Evaluation:
    """Compare the probabilities of a model with labels, in one pass over a table.

    Parameters
    ----------
    model : LogisticModel, or path of its file
    source, offset, unknown, source_format, csv, threads, progress
        As of :func:`fastlogit.score`.
    label : str or int, optional
        The column of the labels: its name, or of an array its position.  LIBSVM has labels of its
        own.  A label is one of the model's `classes`, however a format writes it: class 1 is 1,
        1.0, True, "1" and "true".
    threshold : float
        The probability above which a row is taken for the second class, for the accuracy.
    missing : {"skip", "error"}
        Whether rows without a label or a score (null or NaN) are left out, and counted in
        `Evaluation.skipped`, or raise an error that names the first.

    Returns
    -------
    Evaluation

    Raises
    ------
    OSError
        If a file cannot be read.
    TypeError, ValueError
        If `source` does not suit the model, or has a label that is none of its classes, naming
        the row; or if no row has a label and a score.

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
    >>> found.accuracy, found.auc, round(found.log_loss, 4)
    (0.75, 0.75, 0.4907)
    """
    model = loaded(model)
    warn_without_offset(model, offset)
    found = Evaluator(threshold, threads)
    for rows in labelled(
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
    """Adds up what is to be measured."""

    def __init__(self, threshold: float = 0.5, threads: SupportsIndex | None = None) -> None:
        self.threshold, self.threads = checks.probability(threshold, "threshold"), threads
        self.rows = self.skipped = self.correct = 0
        self.losses: list[float] = []
        self.squares: list[float] = []
        self.ranking = _Ranking()
        self.bins = np.zeros((3, _CALIBRATION_BINS))

    def add(self, z: NDArray[np.float64], t: NDArray[np.float64]) -> None:
        """Add rows with logits z and labels t, 0 or 1, of which NaN is missing."""
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
        self.ranking.add(z, t > 0.5)
        number = np.minimum((y * _CALIBRATION_BINS).astype(np.int64), _CALIBRATION_BINS - 1)
        for row, weights in enumerate((None, y, t)):
            self.bins[row] += np.bincount(number, weights, _CALIBRATION_BINS)

    def result(self) -> Evaluation:
        """What has been added up."""
        n = self.rows
        auc, error = self.ranking.area()
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


class _Ranking:
    """Logits of both classes, as they are or, when they are many, counted in bins."""

    def __init__(self) -> None:
        self.kept: list[tuple[NDArray[np.float64], NDArray[np.bool_]]] = []
        self.rows = 0
        self.counts: NDArray[np.int64] | None = None

    def add(self, z: NDArray[np.float64], t: NDArray[np.bool_]) -> None:
        self.rows += z.size
        self.kept.append((z, t))
        if self.rows > EXACT_ROWS:
            if self.counts is None:
                self.counts = np.zeros((2, 1 << _BITS), np.int64)
            for z, t in self.kept:
                numbers = _bin(z)
                for label in (0, 1):
                    self.counts[label] += np.bincount(numbers[t == label], minlength=1 << _BITS)
            self.kept.clear()

    def area(self) -> tuple[float, float]:
        """Area under the ROC curve, and its greatest error."""
        if self.counts is not None:
            return area(*self.counts)
        z = np.concatenate([z for z, _ in self.kept])
        t = np.concatenate([t for _, t in self.kept])
        return area(*ranked(z, t)[1:])[0], 0.0


def ranked(
    z: NDArray[np.float64], t: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """The different logits, ascending, and how many rows of t = 0 and of t = 1 have each."""
    different, numbers = np.unique(z, return_inverse=True)
    negatives, positives = (
        np.bincount(numbers[t == label], minlength=different.size) for label in (False, True)
    )
    return different, negatives, positives


def _bin(z: NDArray[np.float64]) -> NDArray[np.int64]:
    """Numbers that rise with z: the leading bits of float32, whose order is that of its bits."""
    with np.errstate(over="ignore"):
        bits = z.astype(np.float32).view(np.uint32)
    ordered = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    return (ordered >> np.uint32(32 - _BITS)).astype(np.int64)


def area(negatives: NDArray[np.int64], positives: NDArray[np.int64]) -> tuple[float, float]:
    """Share of pairs, one of each class, of which the positive is in the later bin.

    Pairs in the same bin count half; were they not ties, all of them might be right or wrong.
    """
    pairs = float(negatives.sum()) * float(positives.sum())
    if pairs == 0.0:
        return math.nan, 0.0
    below = np.cumsum(negatives) - negatives
    ties = float(positives @ negatives.astype(np.float64)) / 2.0
    return (float(positives @ below.astype(np.float64)) + ties) / pairs, ties / pairs
