"""Train on the columns of a table: read into memory, or read again in every pass."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit.core import checks
from fastlogit.core import threads as _threads
from fastlogit.core.memory import available
from fastlogit.core.warning import warn_caller
from fastlogit.tables.source import open_table
from fastlogit.tables.spool import spooled
from fastlogit.training.checkpoint import open_checkpoint
from fastlogit.training.fit_arrays import check_start, fit_arrays, train_problem
from fastlogit.training.partitions import first_read
from fastlogit.training.partitions.streamed import TablePartitions
from fastlogit.training.progress import ReadingBar
from fastlogit.training.table.reading import make_request, read_all
from fastlogit.training.targets import class_factors, wrong_class_weight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import ArrayLike

    from fastlogit.core.checks import Missing
    from fastlogit.core.linalg import Vector
    from fastlogit.models.model import LogisticModel
    from fastlogit.tables.csv_options import CSVOptions
    from fastlogit.tables.table import Columns, Table
    from fastlogit.training.options import Options
    from fastlogit.training.partitions.contract import Partitions
    from fastlogit.training.progress import Callback, Progress
    from fastlogit.training.table.features import Request
    from fastlogit.training.targets import ClassWeight, Label


# A table that would take more of the memory is read again in every pass.  Training in memory needs
# up to two times the size of the table.
_MEMORY_SHARE = 0.25


@dataclasses.dataclass(frozen=True, kw_only=True)
class TableOptions:
    """The arguments of `fit` about the columns of a table."""

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
    # Whether a table that can be read only once may be copied to disk.
    spool: bool = True

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

    @property
    def all_warnings(self) -> list[Warning]:
        """The notes, as warnings, and then the warnings."""
        return [*map(UserWarning, self.notes), *self.warnings]


def fit_table(
    source: Any,
    table_options: TableOptions,
    options: Options,
    *,
    l2: float | ArrayLike = 1.0,
    class_weight: ClassWeight = None,
    start: LogisticModel | None = None,
    check: Callable[[Request], object] | None = None,
    note: Callable[[str], object] | None = None,
) -> TableFit:
    """Train on a table; see :func:`fastlogit.fit`.

    `check` is called with the columns before any row is read, and may raise an error.  `note` is
    called with each text that a user should read at once; the default gives a warning.
    """
    began = time.perf_counter()
    _check_values(l2, class_weight, start)
    if table_options.out_of_core is not None:
        checks.true_or_false(table_options.out_of_core, "out_of_core")
    checks.true_or_false(table_options.spool, "spool")
    given = table_options
    table = open_table(source, file_format=given.source_format, width=given.width, csv=given.csv)
    request = _request(table, given, l2, options)
    if check is not None:
        check(request)
    with ExitStack() as stack:
        stack.enter_context(_naming(table))
        if is_copied := _is_copied(table, given):
            tell = _once(
                note or _warn, f"{table.name} can be read only once, so it is copied to disk"
            )
            request = request._replace(table=stack.enter_context(spooled(table, tell)))
        is_streamed = _is_streamed(request, given.out_of_core)
        if is_copied and is_streamed:
            tell()
        if options.checkpoint is not None and table.files:
            # These determine the result of a pass at some θ; the penalty and the solver do not.
            # The seed draws the rows that decide about centres.
            columns = dataclasses.replace(given, out_of_core=None, spool=True)
            others = request.drop_first, request.intercept, class_weight, options.seed
            options.checkpoint.begin(
                {
                    "the input": table.file_states,
                    "an option": repr((columns, *others)),
                    "out_of_core": is_streamed,
                }
            )
        fit = _fit_streamed if is_streamed else _fit_in_memory
        return fit(request, options, began, l2, class_weight, start)


def _warn(text: str) -> None:
    warn_caller(UserWarning(text))


def _once(note: Callable[[str], object], text: str) -> Callable[[], None]:
    """A function that gives a note when it is called first."""
    left = [text]

    def tell() -> None:
        if left:
            note(left.pop())

    return tell


def _check_values(l2: Any, class_weight: ClassWeight, start: Any) -> None:
    """Check, before any read, all that can be checked without knowing columns and classes."""
    check_start(start)
    checks.l2(l2, np.size(l2))
    if isinstance(class_weight, Mapping):
        class_factors(class_weight, list(class_weight), "t")
    elif not (class_weight is None or class_weight == "balanced"):
        raise wrong_class_weight(class_weight)


def _request(table: Table, given: TableOptions, l2: float | ArrayLike, options: Options) -> Request:
    return make_request(
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


def _is_copied(table: Table, given: TableOptions) -> bool:
    """Whether a table is copied to disk, as it can be read only once and may be large."""
    if table.is_repeatable:
        return False
    if given.out_of_core and not given.spool:
        raise ValueError(
            f"{table.name}: can be read only once, training reads it several times, and a copy "
            "on disk is not allowed"
        )
    return given.spool and given.out_of_core is not False


def _is_streamed(request: Request, out_of_core: bool | None) -> bool:
    """Whether the rows of a table are read again in every pass."""
    table, roles = request.table, request.roles
    if out_of_core is not None or not table.is_repeatable:
        return bool(out_of_core)
    columns = range(len(table.dtypes)) if roles is None else roles.order
    needed, memory = table.in_memory_bytes(columns), available()
    if needed is None:  # a source of unknown size may be of any size
        return True
    return memory is not None and needed > _MEMORY_SHARE * memory


def _fit_in_memory(
    request: Request,
    options: Options,
    began: float,
    l2: float | ArrayLike,
    class_weight: ClassWeight,
    start: LogisticModel | None,
) -> TableFit:
    """Train on a table that is read into memory."""
    data = read_all(request)
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
        categories=data.categories,
        began=began,
    )
    return TableFit(model, warnings, data.notes, dataset.n, data.skipped, dataset.class_weights)


def _fit_streamed(
    request: Request,
    options: Options,
    began: float,
    l2: float | ArrayLike,
    class_weight: ClassWeight,
    start: LogisticModel | None,
) -> TableFit:
    """Train on a table that is read again in every pass."""
    with ReadingBar() if options.progress else nullcontext() as bar:
        if bar is not None:
            options = dataclasses.replace(
                options, progress=False, callback=_both(bar.point, options.callback)
            )
        partitions = TablePartitions(request.table, _threads.resolve(options.threads), bar)
        return fit_partitions(partitions, request, options, began, l2, class_weight, start)


@contextmanager
def _naming(table: Table) -> Iterator[None]:
    """Put the table's name before a message, unless it begins with that or with a file."""
    try:
        yield
    except ValueError as error:
        if str(error).startswith((table.name, *map(str, table.files))):
            raise
        raise type(error)(f"{table.name}: {error}") from error


def _both(first: Callback, second: Callback | None) -> Callback:
    """Call two functions, and return the answer of the second."""

    def callback(progress: Progress) -> object:
        first(progress)
        return None if second is None else second(progress)

    return callback


def fit_and_warn(
    partitions: Partitions,
    given: TableOptions,
    options: Options,
    *,
    l2: float | ArrayLike,
    class_weight: ClassWeight,
    start: LogisticModel | None,
    checkpoint: Any,
    resume: bool,
    offsets_apart: bool = False,
) -> LogisticModel:
    """Train on partitions, and issue the warnings and notes; see `fit_partitions`."""
    began = time.perf_counter()
    _check_values(l2, class_weight, start)
    request = _request(partitions.header, given, l2, options)
    with open_checkpoint(checkpoint, resume=resume) as opened:
        options = dataclasses.replace(options, checkpoint=opened)
        fitted = fit_partitions(
            partitions,
            request,
            options,
            began,
            l2,
            class_weight,
            start,
            offsets_apart=offsets_apart,
        )
    for warning in fitted.all_warnings:
        warn_caller(warning)
    return fitted.model


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
    request = request._replace(table=partitions.header)
    checked, categories, notes, skipped = first_read.read(
        partitions,
        request,
        options,
        l2=l2,
        class_weight=class_weight,
        start=start,
        threads=_threads.resolve(options.threads),
        offsets_apart=offsets_apart,
    )
    model, warnings, dataset = train_problem(checked, options, began, categories)
    return TableFit(model, warnings, notes, dataset.n, skipped, dataset.class_weights)
