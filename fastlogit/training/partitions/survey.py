"""The first read of rows that are not in memory: all that training must know before it begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit.training.partitions import row_samples
from fastlogit.training.table.categories import Categories, Place
from fastlogit.training.table.columns import is_soft, read_columns, read_matrix
from fastlogit.training.table.features import MOST_TEXTS, Found, must_be_few
from fastlogit.training.table.labels import Labels
from fastlogit.training.targets import MOST_CLASSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from fastlogit.core.linalg import Vector
    from fastlogit.tables.table import Batch, Table
    from fastlogit.training.partitions.row_samples import RowSample
    from fastlogit.training.table.roles import ColumnRoles

# More different labels are an error, or numbers between 0 and 1.
_MOST_LABELS = MOST_CLASSES + 1


class TargetWeights(NamedTuple):
    """How the weight of the rows is spread over their targets.

    Attributes
    ----------
    of_labels : dict of label to float
        Σ weight of each label, a number or a text; at most `_MOST_LABELS` of them.
    of_classes : ndarray (K,)
        Σ weight P(class), where the targets are probabilities.
    total : float
        Σ weight.
    rows : int
        Rows with a weight.
    soft : bool
        Whether some of several columns of probabilities are neither 0 nor 1.
    """

    of_labels: dict[float | str, float]
    of_classes: Vector
    total: float
    rows: int
    soft: bool

    def merge(self, others: Sequence[TargetWeights]) -> TargetWeights:
        """The weights of these and of later rows."""
        of_labels, of_classes, total, rows, soft = self
        of_labels = dict(of_labels)
        for other in others:
            for label, weight in other.of_labels.items():
                if label in of_labels or len(of_labels) < _MOST_LABELS:
                    of_labels[label] = of_labels.get(label, 0.0) + weight
            of_classes = of_classes + other.of_classes
            total, rows, soft = total + other.total, rows + other.rows, soft or other.soft
        return TargetWeights(of_labels, of_classes, total, rows, soft)


class Survey(NamedTuple):
    """The result of the first read.

    Attributes
    ----------
    found : Found
    first_absent : Place or None
        The first row with a missing value.
    weights : TargetWeights
    sample : RowSample
        Rows with a weight, drawn uniformly.
    """

    found: Found
    first_absent: Place | None
    weights: TargetWeights
    sample: RowSample


@dataclass(frozen=True)
class SurveyTask:
    """The task of the first read.

    Parameters
    ----------
    table : Table
        The columns, without a reader.
    roles : ColumnRoles or None
        None if batches are matrices with labels besides.
    size, seed : int
        Rows of the sample, and its seed.
    most : int
        Rows of the sample that one batch gives at most.  The sample is smaller than `size` where
        few batches hold most rows.
    """

    table: Table
    roles: ColumnRoles | None
    size: int
    seed: int
    most: int
    name = "first read"

    @np.errstate(over="ignore")  # an infinite sum of weights is an error later
    def of_batch(self, batch: Batch) -> Survey:
        """The survey of a batch."""
        if self.roles is None:
            return self._of_matrix(batch)
        labels = Labels(self.table, self.roles.labels[0]) if self.roles.labels else None
        texts = [Categories() for _ in self.roles.text]
        found = read_columns(self.table, self.roles, batch, labels, texts)
        # The weight, if there is one, is the first of the measures.
        weight = found.measures[0] if self.roles.has_weight else None
        if labels is None:
            count = len(self.roles.targets)
            weights = _of_probabilities(np.column_stack(found.measures[-count:]), weight)
        else:
            weights = _of_labels(labels, found.labels, weight)
        first = None
        if found.present.size < found.read:
            absent = np.setdiff1d(np.arange(found.read), found.present, assume_unique=True)
            first = Place(batch.file, batch.first + int(absent[0]))
        has_fractions = self.table.csv is not None and found.have_fractions()
        kept = found.present.size
        summary = Found(found.read, kept, found.absent, labels, texts, has_fractions)
        return Survey(summary, first, weights, self._draw(batch, found.present, weight))

    def _of_matrix(self, batch: Batch) -> Survey:
        labels, soft = Labels(self.table, None), is_soft(batch)
        found = read_matrix(batch, labels)
        weight = None if batch.weight is None else batch.weight[found.present]
        first = found.first_absent
        kept = found.present.size
        absent = np.array([found.read - kept])
        weights = (
            _of_probabilities(found.labels, weight)
            if soft
            else _of_labels(labels, found.labels, weight)
        )
        return Survey(
            Found(found.read, kept, absent, None if soft else labels, [], has_fractions=False),
            None if first is None else Place(batch.file, batch.first + first),
            weights,
            self._draw(batch, found.present, weight),
        )

    def _draw(
        self, batch: Batch, present: NDArray[np.int64], weight: NDArray[Any] | None
    ) -> RowSample:
        """The rows of a batch that may be in the sample."""
        keys = row_samples.random_numbers(self.seed, batch)
        chosen = present if weight is None else present[weight > 0.0]
        if chosen.size < batch.rows:
            others = np.ones(batch.rows, np.bool_)
            others[chosen] = False
            keys[others] = np.inf
        return row_samples.draw(batch, keys, np.ones(batch.rows), self.most)

    @np.errstate(over="ignore")
    def merge(self, surveys: Sequence[Survey]) -> Survey:
        """The survey of several batches."""
        first, *others = (one.sample for one in surveys)
        sample = first.merge(others, self.size)
        weights = surveys[0].weights.merge([one.weights for one in surveys[1:]])
        found = _merge_found([one.found for one in surveys])
        for position, texts in zip(
            self.roles.text if self.roles else (), found.texts, strict=False
        ):
            must_be_few(self.table, position, len(texts.numbers), MOST_TEXTS)
        absent = next((one.first_absent for one in surveys if one.first_absent), None)
        return Survey(found, absent, weights, sample)


def _merge_found(several: Sequence[Found]) -> Found:
    """The contents of several batches together."""
    labels = [one.labels for one in several if one.labels is not None]
    texts = zip(*(one.texts for one in several), strict=True)
    return Found(
        sum(one.read for one in several),
        sum(one.kept for one in several),
        np.sum([one.absent for one in several], axis=0),
        labels[0].merge(labels[1:]) if labels else None,
        [first.merge(others) for first, *others in texts],
        any(one.has_fractions for one in several),
    )


def _of_labels(
    labels: Labels, numbers: NDArray[np.float64] | None, weight: NDArray[Any] | None
) -> TargetWeights:
    """The weights of labels, given by the numbers that stand for them."""
    assert numbers is not None
    texts = list(labels.texts.numbers)
    of_classes = np.zeros(2)
    if texts:
        of_texts = np.bincount(numbers.astype(np.intp), weight, len(texts)).tolist()
        of_labels: dict[float | str, float] = dict(zip(texts, of_texts, strict=True))
    else:
        values, of_values = _weights_of_numbers(numbers, weight)
        of_labels = dict(zip(values[:_MOST_LABELS].tolist(), of_values.tolist(), strict=False))
        if labels.broken is None:  # the labels 0 and 1, if there are no others
            of_classes = np.array([of_labels.get(label, 0.0) for label in (0.0, 1.0)])
        elif labels.outside is None:
            weights = 1.0 if weight is None else weight
            both = [np.sum(weights * share, dtype=np.float64) for share in (1.0 - numbers, numbers)]
            of_classes = np.array(both)
    return TargetWeights(of_labels, of_classes, *_total(weight, numbers.size), soft=False)


def _weights_of_numbers(
    numbers: NDArray[np.float64], weight: NDArray[Any] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The different numbers, and the weight of each."""
    ones = np.count_nonzero(numbers == 1.0)
    if weight is None and ones + np.count_nonzero(numbers == 0.0) == numbers.size:
        both = np.array([numbers.size - ones, ones], np.float64)  # faster than `bincount`
        present = np.flatnonzero(both)
        return present.astype(np.float64), both[present]
    if numbers.size and numbers.min() >= 0.0 and numbers.max() < MOST_CLASSES:
        places = numbers.astype(np.intp)
        if (places == numbers).all():  # ten times faster than sorting
            rows = np.bincount(places)
            weights = rows if weight is None else np.bincount(places, weight)
            found = np.flatnonzero(rows)
            return found.astype(np.float64), weights[found].astype(np.float64)
    values, places = np.unique(numbers, return_inverse=True)
    return values, np.bincount(places, weight, values.size).astype(np.float64)


def _of_probabilities(rows: NDArray[np.float64], weight: NDArray[Any] | None) -> TargetWeights:
    """The weights of classes whose probabilities are given."""
    rows = rows / rows.sum(axis=1, keepdims=True)
    of_classes = rows.sum(axis=0) if weight is None else weight @ rows
    soft = bool(((rows != 0.0) & (rows != 1.0)).any())
    return TargetWeights({}, of_classes, *_total(weight, len(rows)), soft)


def _total(weight: NDArray[Any] | None, rows: int) -> tuple[float, int]:
    """Σ weight, and the number of rows with a weight."""
    if weight is None:
        return float(rows), rows
    return float(np.sum(weight, dtype=np.float64)), int(np.count_nonzero(weight))
