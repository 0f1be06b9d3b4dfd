"""Train on the columns of a table: read into memory, or read again in every pass."""

from __future__ import annotations

import dataclasses
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit.core import threads as _threads
from fastlogit.tables.source import open_table
from fastlogit.training import first_read
from fastlogit.training.fit_arrays import check_start, fit_arrays, train_problem
from fastlogit.training.streamed import TablePartitions
from fastlogit.training.table import make_request, read_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike

    from fastlogit.core.checks import Missing
    from fastlogit.core.linalg import Vector
    from fastlogit.models.model import LogisticModel
    from fastlogit.tables.csv_options import CSVOptions
    from fastlogit.tables.table import Columns, Table
    from fastlogit.training.options import Options
    from fastlogit.training.partitions import Partitions
    from fastlogit.training.table_features import Request
    from fastlogit.training.targets import ClassWeight, Label


@dataclasses.dataclass(frozen=True, kw_only=True)
class TableOptions:
    """The arguments of `fit` that say what the columns of a table are."""

    label: Columns = None
    positive: Label | None = None
    weight: str | int | None = None
    offset: Columns = None
    missing: Missing = "error"
    categorical: Sequence[str] = ()
    ignore: Sequence[str] = ()
    min_count: int = 1
    source_format: str | None = None
    width: int | None = None
    csv: CSVOptions | None = None
    # Whether rows are read again in every pass; None: if they would take much memory.
    out_of_core: bool | None = None

    def must_be_absent(self) -> None:
        """Raise a ValueError if an argument is given that needs a table."""
        for one in dataclasses.fields(self):
            if one.name not in ("weight", "offset") and getattr(self, one.name) != one.default:
                raise ValueError(
                    f"{one.name} must go with a table, whose target is the column label; t is given"
                )


class TableFit(NamedTuple):
    """A model, and what its table held.

    Attributes
    ----------
    model : LogisticModel
    warnings : list of Warning
        About the optimum.
    notes : tuple of str
        About columns and labels, for people.
    rows, skipped : int
        Rows that were trained on, and rows that were left out.
    class_weights : ndarray (K,)
        Σ weight P(class) of each class.
    """

    model: LogisticModel
    warnings: list[Warning]
    notes: tuple[str, ...]
    rows: int
    skipped: int
    class_weights: Vector


def fit_table(
    source: Any,
    table_options: TableOptions,
    options: Options,
    *,
    l2: float | ArrayLike = 1.0,
    class_weight: ClassWeight = None,
    start: LogisticModel | None = None,
) -> TableFit:
    """Train on a table; see :func:`fastlogit.fit`."""
    began = time.perf_counter()
    check_start(start)
    given = table_options
    table = open_table(source, file_format=given.source_format, width=given.width, csv=given.csv)
    request = make_request(
        table,
        given.label,
        positive=given.positive,
        weight=given.weight,
        offset=given.offset,
        missing=given.missing,
        categorical=given.categorical,
        ignore=given.ignore,
        min_count=given.min_count,
        # Otherwise the categories of a column and the intercept would be collinear.
        drop_first=np.ndim(l2) == 0 and l2 == 0.0,
        intercept=options.intercept,
    )
    fitting = fit_streamed if given.out_of_core else fit_in_memory
    return fitting(request, options, began, l2, class_weight, start)


def fit_in_memory(
    request: Request,
    options: Options,
    began: float,
    l2: float | ArrayLike,
    class_weight: ClassWeight,
    start: LogisticModel | None,
) -> TableFit:
    """Read a table into memory, and train on it."""
    data = read_all(request)
    with _naming(request.table):
        model, warnings, dataset = fit_arrays(
            data.X,
            data.t,
            options,
            classes=data.classes,
            weight=data.weight,
            class_weight=class_weight,
            offset=data.offset,
            l2=l2,
            start=start,
            feature_names=data.feature_names,
        )
    model = dataclasses.replace(
        model, categories=data.categories, seconds=time.perf_counter() - began
    )
    return TableFit(model, warnings, data.notes, dataset.n, data.skipped, dataset.class_weights)


def fit_streamed(
    request: Request,
    options: Options,
    began: float,
    l2: float | ArrayLike,
    class_weight: ClassWeight,
    start: LogisticModel | None,
) -> TableFit:
    """Train on a table that is read again in every pass."""
    partitions = TablePartitions(request.table, _threads.resolve(options.threads))
    with _naming(request.table):
        return fit_partitions(partitions, request, options, began, l2, class_weight, start)


def fit_partitions(
    partitions: Partitions,
    request: Request,
    options: Options,
    began: float,
    l2: float | ArrayLike,
    class_weight: ClassWeight,
    start: LogisticModel | None,
    *,
    offsets_apart: bool = False,
) -> TableFit:
    """Train on rows that are read again in every pass.

    `request` has the table `Partitions.header`; `offsets_apart` says whether batches have offsets
    besides their columns.
    """
    checked, categories, notes, skipped = first_read.read(
        partitions,
        request._replace(table=partitions.header),
        options,
        l2=l2,
        class_weight=class_weight,
        start=start,
        threads=_threads.resolve(options.threads),
        offsets_apart=offsets_apart,
    )
    model, warnings, dataset = train_problem(checked, options, began, categories)
    return TableFit(model, warnings, notes, dataset.n, skipped, dataset.class_weights)


@contextmanager
def _naming(table: Table) -> Iterator[None]:
    """Put the table's name before a message, unless it begins with that or with a file."""
    try:
        yield
    except ValueError as error:
        if str(error).startswith((table.name, *map(str, table.files))):
            raise
        raise type(error)(f"{table.name}: {error}") from error
