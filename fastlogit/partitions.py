"""Train with any engine that holds rows in partitions: Spark, Ray, a job queue.

==============  ==============================================================================
`Partitions`    base class: rows in pieces, and a method that runs a task for all of them
`header`        the columns of an Arrow schema
`compute`       the result of a task for one partition, which is a few record batches
`merged`        the result for all partitions, from theirs in order
`fit`           train a model
==============  ==============================================================================

An engine sends a task to its partitions, and gets back one result of each.  Tasks and results can
be pickled.  A result is small: sums over the rows, and once a sample of rows.  Partitions are
numbered from 0, and each read must give the same rows under the same number.  Then a model has the
same bits for any number of workers, any order in which they finish, and after repeated attempts.
With `Partitions.count`, each partition gives its share of the sample and no more.

The sources have worked examples for Spark (``bench/examples/spark.py``) and Ray Data
(``bench/examples/ray_data.py``); :mod:`fastlogit.dask` needs none of this.

Here the engine is a list, and the partitions are record batches of Arrow:

>>> import pyarrow as pa
>>> from fastlogit import partitions
>>> class ListPartitions(partitions.Partitions):
...     def __init__(self, batches):
...         self.header = partitions.header("batches", batches[0].schema)
...         self.batches = batches
...
...     def count(self, wanted):
...         return len(self.batches)
...
...     def run(self, task, wanted):
...         return partitions.merged(
...             task,
...             [
...                 partitions.compute(task, wanted, self.header, number, [batch])
...                 for number, batch in enumerate(self.batches)
...             ],
...         )
>>> batches = [
...     pa.record_batch({"late": ["no", "yes", "no"], "wind": [3.0, 9.0, 7.0]}),
...     pa.record_batch({"late": ["yes", "no", "yes"], "wind": [8.0, 1.0, 5.0]}),
... ]
>>> model = partitions.fit(ListPartitions(batches), "late")
>>> model.coef.round(4), model.classes
(array([0.5423]), ('no', 'yes'))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, SupportsIndex

from fastlogit.tables.errors import errors_naming
from fastlogit.tables.record_batches import must_fit, split_batches, typed_table
from fastlogit.training.fit_table import TableOptions, fit_and_warn
from fastlogit.training.options import Options
from fastlogit.training.partitions.contract import Partitions, Task, merged, nothing

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import ArrayLike

    from fastlogit.core.checks import Missing
    from fastlogit.models.model import LogisticModel
    from fastlogit.tables.table import Batch, Columns, Table, Wanted
    from fastlogit.training.options import OnSeparation
    from fastlogit.training.partitions.contract import R
    from fastlogit.training.progress import Callback
    from fastlogit.training.targets import ClassWeight, Label

__all__ = ["Partitions", "Task", "compute", "fit", "header", "merged"]


def header(name: str, schema: Any) -> Table:
    """The columns of rows that an engine holds: `Partitions.header`.

    Parameters
    ----------
    name : str
        How messages name the rows.
    schema : pyarrow.Schema
        Names and types of the columns.

    Returns
    -------
    Table
        It has the columns and reads nothing.

    Raises
    ------
    TypeError
        If `schema` is not a schema of Arrow.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from fastlogit import partitions
    >>> partitions.header("rows", pa.schema({"late": pa.string(), "wind": pa.float32()})).names
    ('late', 'wind')
    """
    import pyarrow as pa

    if not isinstance(schema, pa.Schema):
        raise TypeError(f"schema must be a pyarrow.Schema; got {type(schema).__name__}")
    return typed_table(name, (), schema, None, nothing)


def compute(
    task: Task[R], wanted: Wanted, header: Table, number: int, record_batches: Iterable[Any]
) -> R | None:
    """The result of a task for one partition; runs where the partition is.

    Parameters
    ----------
    task, wanted
        The arguments of `Partitions.run`.  ``wanted.columns`` are positions in `header`.
    header : Table
        The columns of all partitions.
    number : int
        The number of the partition, from 0.
    record_batches : iterable of pyarrow.RecordBatch
        The rows, with the wanted columns at least.  How they are divided into record batches does
        not change the result.

    Returns
    -------
    object or None
        None without rows, or if none of them counts.

    Raises
    ------
    ValueError
        If the rows are not as `header` says, or a value is wrong; with the partition and the row.

    Examples
    --------
    See :mod:`fastlogit.partitions`.
    """
    batches = partition_batches(header, number, record_batches, wanted)
    return merged(task, map(task.of_batch, batches))


def partition_batches(
    header: Table, number: int, record_batches: Iterable[Any], wanted: Wanted
) -> Iterator[Batch]:
    """The batches of a partition; the record batches of the engine do not change them."""
    import pyarrow as pa

    place = f"{header.name}, partition {number}"
    names = [header.schema.names[column] for column in wanted.columns]
    with errors_naming(place):
        given = [batch.select(names) for batch in record_batches]
        whole = pa.Table.from_batches(given).combine_chunks().to_batches() if given else []
        for field in given[0].schema if given else ():
            must_fit(field.name, field.type, header.schema.field(field.name).type)
    for batch in split_batches(whole, names, place, wanted):
        yield header.converted(batch, wanted)._replace(number=number)


def fit(
    partitions: Partitions,
    label: Columns,
    *,
    l2: float | ArrayLike = 1.0,
    weight: str | None = None,
    class_weight: ClassWeight = None,
    offset: Columns = None,
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
    callback: Callback | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    threads: SupportsIndex | None = None,
) -> LogisticModel:
    """Train a logistic model on partitions that an engine reads.

    Parameters
    ----------
    partitions : Partitions
    label, l2, weight, class_weight, offset, intercept, start, solver, tol, max_passes, max_seconds
        As in :func:`fastlogit.fit` for a table.
    seed, on_separation, positive, missing, categorical, ignore, min_count, callback
        As in :func:`fastlogit.fit`.
    checkpoint, resume
        As in :func:`fastlogit.fit`.
    threads : int, optional
        Maximum number of threads of this process, which trains on a sample; default: all cores.

    Returns
    -------
    LogisticModel

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong, before any read; if the rows are, with partition and row; or if a
        later read gives other rows of a partition.

    Warns
    -----
    ConvergenceWarning, SeparationWarning, CollinearityWarning
        As :func:`fastlogit.fit` does.

    Examples
    --------
    See :mod:`fastlogit.partitions`.
    """
    options = Options(
        intercept=intercept,
        solver=solver,
        tol=tol,
        max_passes=max_passes,
        max_seconds=max_seconds,
        seed=seed,
        on_separation=on_separation,
        callback=callback,
        threads=threads,
    )
    columns = TableOptions(
        label=label,
        positive=positive,
        weight=weight,
        offset=offset,
        missing=missing,
        categorical=categorical,
        ignore=ignore,
        min_count=min_count,
    )
    return fit_and_warn(
        partitions,
        columns,
        options,
        l2=l2,
        class_weight=class_weight,
        start=start,
        checkpoint=checkpoint,
        resume=resume,
    )
