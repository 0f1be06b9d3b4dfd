"""Measures of the probabilities of more than two classes against labels."""

from __future__ import annotations

import math
from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex

import numpy as np

from fastlogit import classes
from fastlogit.core import checks
from fastlogit.models import predictions
from fastlogit.scoring.measures import Bin, Calibration, as_json, known_rows
from fastlogit.scoring.roc import RocArea

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Numbers k of the default top-k accuracies.
_TOP = (2, 3, 5)
# Most classes with a confusion matrix, which takes 8 bytes for each pair of classes.
_MOST_CONFUSED = 1000
# Most classes of the printed tables, and the longest label in them, in characters.
_MOST_PRINTED = 20
_LONGEST_LABEL = 20


class ClassMeasures(NamedTuple):
    """Measures of one class against all others.

    Attributes
    ----------
    label : bool, int, float or str
    rows, predicted : int
        Rows with this label, and rows for which this class is predicted.
    precision : float
        Share of the predicted rows that have the label; NaN if there are none.
    recall : float
        Share of the rows with the label that are predicted; NaN if there are none.
    f1 : float
        Harmonic mean of precision and recall: 0 if no prediction is right; NaN if the class has
        neither rows nor predictions.
    auc : float
        Area under the ROC curve of the class against all others; NaN if there is nothing to
        compare.
    calibration_error : float
        Mean over the rows of the distance, in the bin of the row, of the mean probability from the
        share of the label.
    calibration : list of Bin
        Bins of the probability of this class, those with rows.
    """

    label: Any
    rows: int
    predicted: int
    precision: float
    recall: float
    f1: float
    auc: float
    calibration_error: float
    calibration: list[Bin]


class MulticlassEvaluation(NamedTuple):
    """Measures of a model of more than two classes on a table.

    Attributes
    ----------
    rows, skipped : int
        Rows that were measured, and rows left out as they have no label or no score.
    mean_log_loss, accuracy : float
        Means over the rows.
    brier_score : float
        Mean of Σ (p_k - t_k)² over the rows, between 0 and 2.
    top_accuracy : dict of int to float
        Share of the rows whose label is one of the k most probable; k is 2, 3 and 5 by default.
    macro_precision, macro_recall, macro_f1 : float
        Means over the classes that have rows or predictions, as in scikit-learn.  The precision of
        a class without predictions, and the recall of one without rows, count as 0.
    macro_auc : float
        Mean of the areas of the classes that have one.
    auc_error : float
        Bound of the error of each area: 0 if rows times classes are at most ten million, else
        usually below 6e-4.  Above 256 classes it doubles each time the number of classes does.
    classes : list of ClassMeasures
        In the order of the model's classes.
    confusion : list of list of int, or None
        Numbers of rows: a list for each label, with an element for each predicted class.  None for
        more than 1000 classes.
    """

    rows: int
    skipped: int
    mean_log_loss: float
    accuracy: float
    brier_score: float
    top_accuracy: dict[int, float]
    macro_precision: float
    macro_recall: float
    macro_f1: float
    macro_auc: float
    auc_error: float
    classes: list[ClassMeasures]
    confusion: list[list[int]] | None

    def to_json(self) -> str:
        """These measures as JSON, with null for NaN and infinity; raises nothing.

        Returns
        -------
        str
        """
        return as_json(self)

    def __str__(self) -> str:
        """The measures as printed tables."""
        bound = f" within {self.auc_error:.1g}" if self.auc_error else ""
        facts = [
            ("rows", f"{self.rows:,}"),
            ("left out", f"{self.skipped:,}"),
            ("mean log-loss", f"{self.mean_log_loss:.6f}"),
            ("accuracy", f"{self.accuracy:.6f}"),
            *((f"in the top {k}", f"{share:.6f}") for k, share in self.top_accuracy.items()),
            ("Brier score", f"{self.brier_score:.6f}"),
            ("macro AUC", f"{self.macro_auc:.6f}{bound}"),
            ("macro F1", f"{self.macro_f1:.6f}"),
        ]
        lines = [f"{name:<13} {value}" for name, value in facts]
        lines += ["", *self._class_table()]
        if self.confusion is not None and len(self.classes) <= _MOST_PRINTED:
            lines += ["", "rows of each label (lines) by predicted class (columns)"]
            lines += _confusion_table([_printed(one.label) for one in self.classes], self.confusion)
        return "\n".join(lines)

    def _class_table(self) -> list[str]:
        """A line for each class, or for those with the most rows."""
        chosen = sorted(self.classes, key=lambda one: -one.rows)[:_MOST_PRINTED]
        if len(chosen) == len(self.classes):
            chosen = self.classes
        width = max(5, *(len(_printed(one.label)) for one in chosen))
        heads = f"{'rows':>13}  predicted  precision  recall      F1     AUC  calibration error"
        lines = [f"{'class':<{width}}{heads}"]
        lines += [
            f"{_printed(one.label):<{width}}{one.rows:>13,}{one.predicted:>11,}"
            f"{one.precision:>11.4f}{one.recall:>8.4f}{one.f1:>8.4f}{one.auc:>8.4f}"
            f"{one.calibration_error:>19.4f}"
            for one in chosen
        ]
        if others := len(self.classes) - len(chosen):
            lines += [f"and {others:,} more classes"]
        return lines


def _printed(label: Any) -> str:
    """A label in a printed table."""
    return " ".join(checks.cut(str(label), _LONGEST_LABEL).split())


def _confusion_table(labels: list[str], confusion: list[list[int]]) -> list[str]:
    counts = [[f"{count:,}" for count in row] for row in confusion]
    first = max(map(len, labels))
    widths = [max(map(len, column)) for column in zip(labels, *counts, strict=True)]
    lines = zip(["", *labels], [labels, *counts], strict=True)
    return [
        "  ".join([f"{head:<{first}}", *map(str.rjust, cells, widths)]) for head, cells in lines
    ]


class MulticlassEvaluator:
    """Collects logits and class numbers; `result` gives the measures."""

    def __init__(
        self,
        labels: Sequence[Any],
        top: Sequence[int] | None = None,
        threads: SupportsIndex | None = None,
    ) -> None:
        K = len(labels)
        self.labels, self.threads = labels, threads
        self.top = _checked_top(top, K)
        self.rows = self.skipped = 0
        self.losses: list[float] = []
        self.squares: list[float] = []
        # Rows by the place of their label among the classes, the most probable first.
        self.ranks = np.zeros(K, np.int64)
        # Rows of each class: with its label, predicted, and both.
        self.counts = np.zeros((3, K), np.int64)
        self.confusion = np.zeros((K, K) if K <= _MOST_CONFUSED else (0, 0), np.int64)
        self.calibration = Calibration(K)
        self.areas = [RocArea(K) for _ in labels]

    def add(self, Z: NDArray[np.float64], t: NDArray[np.float64]) -> None:
        """Add rows with logits Z (n, K) and class numbers t; a row with NaN is skipped."""
        Z, t, skipped = known_rows(Z, t)
        self.skipped += skipped
        if t.size == 0:
            return
        K, rows, numbers = len(self.labels), np.arange(t.size), t.astype(np.intp)
        predicted = predictions.class_numbers(Z)
        self.rows += numbers.size
        self.losses.append(classes.softmax_log_loss(Z, numbers, threads=self.threads))
        residual = classes.softmax_residual(Z, numbers, threads=self.threads)
        self.squares.append(float(np.square(residual).sum()))
        self.ranks += np.bincount(_ranks(Z, numbers), minlength=K)
        right = numbers[predicted == numbers]
        for row, some in enumerate((numbers, predicted, right)):
            self.counts[row] += np.bincount(some, minlength=K)
        if self.confusion.size:
            pairs = np.bincount(numbers * K + predicted, minlength=K * K)
            self.confusion += pairs.reshape(K, K)
        p = predictions.probabilities(Z, self.threads)
        self.calibration.add(p, rows, numbers)
        odds = predictions.log_odds(Z, self.threads)
        for k, column in enumerate(np.ascontiguousarray(odds.T)):
            self.areas[k].add(column, numbers == k)

    def merge(self, other: MulticlassEvaluator) -> MulticlassEvaluator:
        """The measures of these and of other rows, as a new object."""
        both = copy(self)
        for name in ("rows", "skipped", "losses", "squares", "ranks", "counts", "confusion"):
            setattr(both, name, getattr(self, name) + getattr(other, name))
        both.calibration = self.calibration.merge(other.calibration)
        both.areas = [one.merge(more) for one, more in zip(self.areas, other.areas, strict=True)]
        return both

    def result(self) -> MulticlassEvaluation:
        """The measures of all rows."""
        n, areas = self.rows, [area.result() for area in self.areas]
        calibrations = self.calibration.result()
        measures = [
            ClassMeasures(
                label=label,
                rows=rows,
                predicted=predicted,
                precision=_ratio(right, predicted),
                recall=_ratio(right, rows),
                f1=_ratio(2 * right, rows + predicted),
                auc=areas[k][0],
                calibration_error=_calibration_error(calibrations[k]),
                calibration=calibrations[k],
            )
            for k, (label, (rows, predicted, right)) in enumerate(
                zip(self.labels, self.counts.T.tolist(), strict=True)
            )
        ]
        seen = [one for one in measures if one.rows or one.predicted]
        in_top = np.cumsum(self.ranks).tolist()
        return MulticlassEvaluation(
            rows=n,
            skipped=self.skipped,
            mean_log_loss=math.fsum(self.losses) / n,
            accuracy=in_top[0] / n,
            brier_score=math.fsum(self.squares) / n,
            top_accuracy={k: in_top[k - 1] / n for k in self.top},
            macro_precision=_mean([one.precision if one.predicted else 0.0 for one in seen]),
            macro_recall=_mean([one.recall if one.rows else 0.0 for one in seen]),
            macro_f1=_mean([one.f1 for one in seen]),
            macro_auc=_mean([one.auc for one in measures if not math.isnan(one.auc)]),
            auc_error=max(error for _, error in areas),
            classes=measures,
            confusion=self.confusion.tolist() if self.confusion.size else None,
        )


def _checked_top(top: Sequence[int] | None, K: int) -> list[int]:
    """The numbers k of the top-k accuracies, each below K."""
    if top is None:
        return [k for k in _TOP if k < K]
    if not isinstance(top, list | tuple):
        raise TypeError(f"top must be a list of whole numbers; got {checks.shown(top)}")
    numbers = [checks.whole_number(k, "top", 1) for k in top]
    if max(numbers, default=0) >= K:
        raise ValueError(f"top must be below the number of classes, {K}; got {max(numbers)}")
    return numbers


def _ranks(Z: NDArray[np.float64], t: NDArray[np.intp]) -> NDArray[np.intp]:
    """The number of classes before the label: more probable, or as probable and in front of it."""
    own = np.take_along_axis(Z, t[:, np.newaxis], axis=1)
    before = (own == Z) & (np.arange(Z.shape[1]) < t[:, np.newaxis])
    ranks: NDArray[np.intp] = np.count_nonzero((own < Z) | before, axis=1)
    return ranks


def _calibration_error(bins: Sequence[Bin]) -> float:
    distances = (one.rows * abs(one.mean_probability - one.mean_target) for one in bins)
    return math.fsum(distances) / sum(one.rows for one in bins)


def _ratio(count: int, total: int) -> float:
    return count / total if total else math.nan


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan
