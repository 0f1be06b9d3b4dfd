"""Train on Dask arrays and data frames: θ goes out to the partitions, and sums come back."""

from __future__ import annotations

import math
import time
from functools import cache
from typing import TYPE_CHECKING, Any, SupportsIndex

import dask
import dask.array as da
import numpy as np

from fastlogit.core import checks
from fastlogit.core.warning import warn_caller
from fastlogit.partitions import partition_batches
from fastlogit.tables.array import array_dtypes
from fastlogit.tables.dask_frame import (
    is_dask_frame,
    open_dask_frame,
    partition_to_arrow,
)
from fastlogit.tables.errors import errors_naming
from fastlogit.tables.table import Batch, Table
from fastlogit.training.fit_table import fit_partitions
from fastlogit.training.options import Options
from fastlogit.training.partitions.contract import FAN_IN, Partitions, as_header, merged, nothing
from fastlogit.training.table.reading import make_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import ArrayLike

    from fastlogit.core.checks import Missing
    from fastlogit.models.model import LogisticModel
    from fastlogit.tables.table import Columns, Wanted
    from fastlogit.training.options import OnSeparation
    from fastlogit.training.partitions.contract import R, Task
    from fastlogit.training.progress import Callback
    from fastlogit.training.targets import ClassWeight, Label

__all__ = ["DaskPartitions", "fit"]

# How messages name the data.
_NAME = "X"


def fit(
    X: Any,
    t: Any = None,
    *,
    label: Columns = None,
    l2: float | ArrayLike = 1.0,
    weight: Any = None,
    class_weight: ClassWeight = None,
    offset: Any = None,
    intercept: bool = True,
    start: LogisticModel | None = None,
    solver: str = "auto",
    tol: float = 1e-8,
    max_passes: int = 1000,
    max_seconds: float | None = None,
    seed: int = 0,
    on_separation: OnSeparation = "warn",
    positive: Label | None = None,
    missing: Missing = "error",
    categorical: Sequence[str] = (),
    ignore: Sequence[str] = (),
    min_count: int = 1,
    progress: bool = False,
    callback: Callback | None = None,
    threads: SupportsIndex | None = None,
) -> LogisticModel:
    """Train a logistic model on a Dask collection, whose partitions stay where they are.

    Parameters
    ----------
    X : dask array (n, d), or dask data frame
        Features.  The blocks of an array may be NumPy arrays or CSR matrices, and n may be unknown;
        an array that is chunked along the columns is rechunked to whole rows.  The columns of a
        data frame may be text.
    t : dask array or array_like (n,)
        Targets for an array X: numbers in [0, 1], or labels.
    label : str, or sequence of str
        The target's column in a data frame, or columns with the probabilities of the classes.
    weight : dask array or array_like (n,); or the name of a column, optional
        Sample weights.
    offset : dask array or array_like, (n,) or (n, K); or names of columns, optional
        A known addition to the logits.
    threads : int, optional
        Maximum number of threads of this process, which trains on a sample; default: all cores.
        Each partition is read on one thread.
    l2, class_weight, intercept, start, solver, tol, max_passes, max_seconds, seed
        As in :func:`fastlogit.fit`.
    on_separation, positive, missing, categorical, ignore, min_count, progress, callback
        As in :func:`fastlogit.fit`.

    Returns
    -------
    LogisticModel
        The same bits for any scheduler, any number of workers and any order in which they finish,
        also after a lost worker; for other partitions of the same rows the same within `tol`.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong, before anything is computed; or if the data are, with partition and
        row.
    RuntimeError
        If a partition ends its worker each time, or workers lack this package.

    Warns
    -----
    ConvergenceWarning, SeparationWarning, CollinearityWarning
        As :func:`fastlogit.fit` does.

    Notes
    -----
    A pass is one task for each partition and a tree of merges.  What travels is θ, and the sums of
    each partition: one number for each coefficient, or for each pair of them with the solver
    "newton".  A collection that is not persisted is computed again in each pass.  On the dashboard,
    the tasks of the third read are ``fastlogit-pass-3``.

    Examples
    --------
    >>> import dask.array as da
    >>> from fastlogit.dask import fit
    >>> X = da.from_array([[0.0], [1.0], [2.0], [3.0]], chunks=(2, 1))
    >>> model = fit(X, ["no", "no", "yes", "yes"])
    >>> model.coef.round(4), model.classes, model.passes
    (array([0.9583]), ('no', 'yes'), 6)
    """
    began = time.perf_counter()
    options = Options(
        intercept=intercept,
        solver=solver,
        tol=tol,
        max_passes=max_passes,
        max_seconds=max_seconds,
        seed=seed,
        on_separation=on_separation,
        progress=progress,
        callback=callback,
        threads=threads,
    )
    is_frame = is_dask_frame(X)
    if not is_frame and not isinstance(X, da.Array):
        raise TypeError(f"X must be a Dask array or data frame; got {type(X).__name__}")
    if is_frame and t is not None:
        raise TypeError("t must not be given for a data frame, whose target is the column label")
    if not is_frame and t is None:
        raise TypeError("t must be given for an array")
    partitions = _frame_partitions(X) if is_frame else _array_partitions(X, t, weight, offset)
    request = make_request(
        partitions.header,
        label,
        positive=positive,
        weight=weight if is_frame else None,
        offset=offset if is_frame else None,
        missing=missing,
        categorical=categorical,
        ignore=ignore,
        min_count=min_count,
        drop_first=np.ndim(l2) == 0 and l2 == 0.0,
        intercept=intercept,
    )
    fitted = fit_partitions(
        partitions,
        request,
        options,
        began,
        l2,
        class_weight,
        start,
        offsets_apart=not is_frame and offset is not None,
    )
    for warning in (*map(UserWarning, fitted.notes), *fitted.warnings):
        warn_caller(warning)
    return fitted.model


class DaskPartitions(Partitions):
    """Partitions of a Dask collection, read by tasks of a graph.

    Parameters
    ----------
    header : Table
        The columns.
    partitions : function of a tuple of int
        Returns a list of Delayed with the columns at these positions.
    batches : function of (Table, partition, number, Wanted)
        Yields the batches of a partition.
    """

    def __init__(
        self,
        header: Table,
        partitions: Callable[[tuple[int, ...]], list[Any]],
        batches: Callable[[Table, Any, int, Wanted], Iterable[Batch]],
    ) -> None:
        self.header = header
        self._partitions, self._batches = cache(partitions), batches
        self._passes = 0

    # Each partition sends its share.
    sample_bytes = 1 << 23

    def count(self, wanted: Wanted) -> int:
        """The number of partitions."""
        return len(self._partitions(tuple(wanted.columns)))

    def run(self, task: Task[R], wanted: Wanted) -> R | None:
        """The result of a task for all partitions in order; None if there are none."""
        self._passes += 1
        name = f"fastlogit-pass-{self._passes}"
        # One node of the graph, as θ would otherwise be copied for each partition.
        work = (self._batches, self.header, task, wanted)
        shared = dask.delayed(work, name=f"{name}-θ", traverse=False)
        partitions = self._partitions(tuple(wanted.columns))
        results = [
            dask.delayed(_of_partition)(shared, partition, number, dask_key_name=(name, number))
            for number, partition in enumerate(partitions)
        ]
        level = 0
        while len(results) > 1:
            level += 1
            groups = [results[i : i + FAN_IN] for i in range(0, len(results), FAN_IN)]
            results = [
                dask.delayed(_merge)(
                    shared, group, dask_key_name=(f"fastlogit-merge-{self._passes}", level, place)
                )
                for place, group in enumerate(groups)
            ]
        if not results:
            return None
        with _clear_errors(partitions, name):
            (result,) = dask.compute(results[0])
        return result  # type: ignore[no-any-return]


def _of_partition(work: Any, partition: Any, number: int) -> Any:
    """The result of the batches of a partition."""
    batches, header, task, wanted = work
    return merged(task, map(task.of_batch, batches(header, partition, number, wanted)))


def _merge(work: Any, results: list[Any]) -> Any:
    _, _, task, _ = work
    present = [result for result in results if result is not None]
    if len(present) < 2:
        return present[0] if present else None
    return task.merge(present)


class _clear_errors:  # noqa: N801  a context manager
    """Errors of a cluster, in words that name the partition or the remedy."""

    def __init__(self, partitions: Sequence[Any], name: str) -> None:
        self.keys = {str(one.key): number for number, one in enumerate(partitions)}
        self.keys |= {str((name, number)): number for number in range(len(partitions))}

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, _: Any) -> None:
        if kind is None:
            return
        if kind.__name__ == "KilledWorker":
            number = self.keys.get(str(getattr(error, "task", "")))
            where = "a task" if number is None else f"partition {number}"
            raise RuntimeError(
                f"{_NAME}: {where} ended every worker that read it: it may need more memory than a "
                f"worker has ({error})"
            ) from error
        lacks = getattr(error, "name", None) == "fastlogit" or "'fastlogit'" in str(error)
        if issubclass(kind, ImportError | RuntimeError) and lacks:
            raise RuntimeError(
                "a worker or the scheduler has no fastlogit: install the same version there"
            ) from error


# Data frames -------------------------------------------------------------------------------


def _frame_partitions(frame: Any) -> DaskPartitions:
    header = as_header(open_dask_frame(_NAME, frame))

    def partitions(columns: tuple[int, ...]) -> list[Any]:
        chosen = frame[[frame.columns[column] for column in columns]]
        return list(chosen.to_delayed())

    return DaskPartitions(header, partitions, _frame_batches)


def _frame_batches(header: Table, partition: Any, number: int, wanted: Wanted) -> Iterator[Batch]:
    """The batches of a partition, a data frame of pandas."""
    with errors_naming(f"{header.name}, partition {number}"):
        rows = partition_to_arrow(partition, header.schema)
    yield from partition_batches(header, number, rows.to_batches(), wanted)


# Arrays -----------------------------------------------------------------------------------


def _array_partitions(X: da.Array, t: Any, weight: Any, offset: Any) -> DaskPartitions:
    if X.ndim != 2:
        raise ValueError(f"X must have 2 axes; got shape {X.shape}")
    if math.isnan(X.shape[1]) or X.shape[1] == 0:
        raise ValueError(f"X must have a known number of columns, at least 1; got {X.shape[1]}")
    checks.real_array(np.zeros((1, 1), X.dtype), "X", 2)  # checks the dtype
    X = X.rechunk({1: -1})
    targets = aligned(t, "t", X, 1)
    columns = [targets, None, None]
    if weight is not None:
        columns[1] = aligned(weight, "weight", X, 1, real=True)
    if offset is not None:
        columns[2] = aligned(offset, "offset", X, np.ndim(offset), real=True)
    blocks = [
        [None] * X.numblocks[0] if one is None else one.to_delayed().ravel().tolist()
        for one in (X, *columns)
    ]
    parts = [dask.delayed(tuple)(list(several)) for several in zip(*blocks, strict=True)]
    dtypes = array_dtypes(X.dtype, X.shape[1])
    kind = targets.dtype.kind
    header = Table(_NAME, None, dtypes, None, (), nothing, has_labels=True, label_kind=kind)
    return DaskPartitions(header, lambda _: parts, _array_batches)


def aligned(given: Any, name: str, X: da.Array, axes: int, *, real: bool = False) -> da.Array:
    """An array with a row for each row of X, chunked like the rows of X."""
    if not isinstance(given, da.Array):
        given = np.asarray(given)
        if real:
            checks.real_array(given, name, axes)
        given = da.from_array(given, chunks=-1)
    if given.ndim != axes or axes not in (1, 2):
        raise ValueError(f"{name} must have one axis; got shape {given.shape}")
    rows, known = X.shape[0], not (math.isnan(X.shape[0]) or math.isnan(given.shape[0]))
    if known and given.shape[0] == rows:
        given = given.rechunk({0: X.chunks[0]})
    elif known or given.numblocks[0] != X.numblocks[0]:
        raise ValueError(
            f"{name} must have one element for each row of X, {rows}, and the chunks of X if that "
            f"is not known; got shape {given.shape} in {given.numblocks[0]} chunks"
        )
    return given.rechunk({1: -1}) if axes == 2 else given


def _array_batches(
    header: Table, partition: tuple[Any, ...], number: int, _: Wanted
) -> Iterator[Batch]:
    """The only batch of a partition: blocks of X, t, weight and offset."""
    X, t, weight, offset = partition
    place = f"{header.name}, partition {number}"
    for name, one in (("t", t), ("weight", weight), ("offset", offset)):
        if one is not None and len(one) != X.shape[0]:
            raise ValueError(f"{place}: {name} must have {X.shape[0]} rows, as X; got {len(one)}")
    if X.shape[0] == 0:  # a filter may leave no rows
        return
    for name, one, least in (("weight", weight, 0.0), ("offset", offset, -math.inf)):
        if one is not None:
            good = np.isfinite(one) & (one >= least)
            if not good.all():
                row = int(np.argwhere(~good)[0][0])
                rule = "be finite" + (" and not negative" if name == "weight" else "")
                raise ValueError(f"{place}: {name} must {rule}; got {one[row]} in row {row}")
    yield Batch(
        X if hasattr(X, "indptr") else np.asarray(X),
        place,
        0,
        _labels(np.asarray(t)),
        weight=None if weight is None else np.asarray(weight, np.float64),
        offset=None if offset is None else np.asarray(offset, np.float64),
        number=number,
    )


def _labels(t: Any) -> Any:
    """Numbers as they are; texts as an Arrow array, with nulls for missing labels."""
    if t.dtype.kind not in "OUT":
        return t
    import pyarrow as pa

    return pa.array(t.tolist())
