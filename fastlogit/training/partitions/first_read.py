"""Rows in partitions as a training problem: one read finds all that must be known before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit.matrix import centring
from fastlogit.training import problem
from fastlogit.training.family import from_classes
from fastlogit.training.partitions.checksums import ComparedPartitions
from fastlogit.training.partitions.dataset import PartitionedDataset
from fastlogit.training.partitions.row_reader import RowReader
from fastlogit.training.partitions.survey import SurveyTask
from fastlogit.training.table.columns import missing_row
from fastlogit.training.table.features import (
    Features,
    choose_features,
    label_notes,
    must_have_rows,
)
from fastlogit.training.table.labels import probability_targets
from fastlogit.training.table.reading import must_have_offsets
from fastlogit.training.table.roles import adding_remedies
from fastlogit.training.targets import factors_of_classes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fastlogit.core.linalg import Vector
    from fastlogit.models.model import LogisticModel
    from fastlogit.tables.table import Wanted
    from fastlogit.training.options import Options
    from fastlogit.training.partitions.contract import Partitions
    from fastlogit.training.partitions.survey import Survey, TargetWeights
    from fastlogit.training.table.features import Request
    from fastlogit.training.targets import ClassWeight

# A large sample saves passes, and training on it takes less time than a pass.  It has at least this
# many rows, as 256 of them decide about centres.
_LEAST_SAMPLE = 1 << 10


class FirstRead(NamedTuple):
    """The problem, and what else the first read has found."""

    problem: problem.Problem
    categories: dict[str, tuple[str | None, ...]]
    # Warnings for people about columns and labels.
    notes: tuple[str, ...]
    # Rows that were left out.
    skipped: int


def read(
    partitions: Partitions,
    request: Request,
    options: Options,
    *,
    l2: float | ArrayLike,
    class_weight: ClassWeight,
    start: LogisticModel | None,
    threads: int,
    offsets_apart: bool = False,
) -> FirstRead:
    """Read all rows once; a TypeError or ValueError names an argument or a row that is wrong."""
    table, roles = request.table, request.roles
    partitions, columns = ComparedPartitions(partitions), _columns(request)
    size = max(partitions.sample_bytes // (8 * len(columns.columns)), _LEAST_SAMPLE)
    most = partitions.share(size, columns)
    task = SurveyTask(table, roles, size, options.seed, most)
    with adding_remedies(table, roles):
        survey = partitions.run(task, columns)
        if survey is None:
            must_have_rows(table, 0, 0)
        assert survey is not None
        features = _features(request, survey)
    found, d = survey.found, _width(request, features)
    targets = _targets(request, survey)
    if roles is not None:
        must_have_offsets(table, roles, targets.classes)
    elif offsets_apart:
        _must_fit(survey.sample.pieces[0].batch.offset, targets.classes)
    class_weights, factors = _class_weights(targets, survey.weights, class_weight)
    problem.must_have_weight(class_weights)
    reader = RowReader(
        table,
        roles,
        from_classes(targets.classes),
        targets.classes,
        targets.soft,
        [one.without_rare() for one in features.texts],
        found.kept < found.read,
        offsets_apart,
        factors,
    )
    if options.intercept:
        reader = _centred(reader, survey, threads)
    dataset = PartitionedDataset(
        partitions,
        columns,
        reader,
        found.kept,
        d,
        class_weights,
        survey.weights.rows,
        survey.sample,
        options.seed,
        threads=threads,
    )
    made = problem.make(
        dataset,
        targets.classes,
        features.names,
        options,
        l2,
        start,
        reader.offset_centre,
        with_offset=reader.has_offset,
    )
    notes = (*features.notes, *label_notes(found, targets.classes)) if features.names else ()
    return FirstRead(made, features.categories, notes, found.read - found.kept)


def _columns(request: Request) -> Wanted:
    """The columns to read in each pass."""
    table, roles = request.table, request.roles
    if roles is None:
        return table.want(range(len(table.dtypes)))
    return table.want(roles.order, text=roles.as_stored)


def _features(request: Request, survey: Survey) -> Features:
    if request.roles is not None:
        return choose_features(request, survey.found)
    if survey.first_absent is not None and not request.skips:
        raise missing_row(*survey.first_absent)
    must_have_rows(request.table, survey.found.kept, survey.found.read)
    return Features(request.table.names, {}, [], [])


def _width(request: Request, features: Features) -> int:
    """Number of features."""
    if features.names is not None:
        return len(features.names)
    table, roles = request.table, request.roles
    return len(table.dtypes) if roles is None else len(roles.numbers)


class _Labelled(NamedTuple):
    """The classes, whether targets are probabilities, and the class of each label."""

    classes: tuple[Any, ...]
    soft: bool
    of_labels: dict[float | str, int]


def _targets(request: Request, survey: Survey) -> _Labelled:
    """The meaning of the labels, which follows from all of them."""
    table, roles, labels = request.table, request.roles, survey.found.labels
    if labels is None:
        columns = range(survey.weights.of_classes.size) if roles is None else roles.targets
        shares = list(np.eye(len(columns)))
        _, classes, _ = probability_targets(table, columns, shares, request.positive)
        return _Labelled(classes, survey.weights.soft, {})
    given: list[Any] = list(survey.weights.of_labels)
    if labels.texts.numbers:  # where some batches of a CSV have numbers, that is an error
        given = [label for label in given if isinstance(label, str)]
        numbers = np.array([labels.texts.numbers[str(text)] for text in given], np.float64)
    else:
        numbers = np.array(given, np.float64)
        if labels.outside is not None:
            numbers = np.append(numbers, labels.outside[0])
    t, classes, soft = labels.of_distinct(numbers, survey.found.kept, request.positive)
    of_labels = {} if soft else dict(zip(given, t.astype(int).tolist(), strict=False))
    return _Labelled(classes, soft, of_labels)


def _must_fit(offset: Any, classes: tuple[Any, ...]) -> None:
    """Raise a ValueError unless there is an offset for each logit."""
    shape = from_classes(classes).logits_shape(1)[1:]
    if offset.shape[1:] != shape:
        raise ValueError(
            f"offset must have shape {('n', *shape)}, as there are {len(classes)} classes; got "
            f"{('n', *offset.shape[1:])}"
        )


def _class_weights(
    targets: _Labelled, weights: TargetWeights, class_weight: ClassWeight
) -> tuple[Vector, Vector | None]:
    """Σ weight P(class) of each class, and the factors of the weights by class."""
    totals = weights.of_classes
    if targets.of_labels:
        totals = np.zeros(len(targets.classes))
        for label, place in targets.of_labels.items():
            totals[place] += weights.of_labels[label]
    if class_weight is None:
        return totals, None
    factors = factors_of_classes(class_weight, targets.classes, lambda: totals, soft=targets.soft)
    return totals * factors, factors


def _centred(reader: RowReader, survey: Survey, threads: int) -> RowReader:
    """The reader with centres of columns and offsets, judged by the sample."""
    rows = replace(reader, skips=False).rows(survey.sample.joined().batch, threads)
    assert rows is not None
    rows = rows.take(np.arange(rows.n))
    centre: float | Vector = 0.0
    if rows.offset is not None:
        _, centre = problem.centre_offset(rows.family, rows.offset, rows.t, rows.weight, threads)
    centres = centring.centre_columns(rows.X, rows.weight, threads).centres
    return replace(reader, centres=centres if centres.any() else None, offset_centre=centre)
