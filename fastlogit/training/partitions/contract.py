"""Rows that are not in memory together: the contract by which training reads them.

A source of rows is a :class:`Partitions`.  It runs a *task*: a function of one batch, and a way to
merge the results of several.  All that training does with the rows is such a task, so that rows can
be in files, on a cluster, or anywhere else where functions can be sent.

The results are merged in a tree that depends on the number of results alone.  So neither the number
of threads or workers, nor the order in which they finish, nor a repeated attempt changes any bit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fastlogit.tables.table import Batch, Table, Wanted

# Results that are merged at a time.
FAN_IN = 8

# A batch gives this many times its share of a sample, as batches differ in size, and some rows
# more.  Both together are six standard deviations above any share.
_MARGIN, _MORE = 1.5, 64

R = TypeVar("R")


class Task(Protocol[R]):
    """A computation for each batch.  Tasks and results can be pickled and are never changed."""

    @property
    def name(self) -> str:
        """A word for progress bars, such as "gradient"."""

    def of_batch(self, batch: Batch) -> R | None:
        """The result of one batch, in any thread or process; None if no row counts."""

    def merge(self, results: Sequence[R]) -> R:
        """The result of one or more batches together, from theirs in order."""


class Partitions(ABC):
    """Rows in pieces, which can be read again and again.

    Attributes
    ----------
    header : Table
        The columns; only `run` reads rows.
    sample_bytes : int
        Most memory of a sample of the rows; it may be small where rows travel between machines.
    keeps_order : bool
        Whether every read gives the rows of a partition in the same order.
    """

    header: Table
    sample_bytes: int = 1 << 25
    keeps_order: bool = False

    def count(self, wanted: Wanted) -> int | None:  # noqa: ARG002
        """About how many batches there are, of about the same size; None if that is not known."""
        return None

    def share(self, size: int, wanted: Wanted) -> int:
        """Most rows of a sample of this size that one batch gives."""
        count = self.count(wanted)
        return size if count is None else min(size, int(_MARGIN * size / max(count, 1)) + _MORE)

    def place(self, number: int) -> str:
        """How messages name the partition with a number, as `Batch.number` has it."""
        return f"{self.header.name}, partition {number}"

    @abstractmethod
    def run(self, task: Task[R], wanted: Wanted) -> R | None:
        """The result of a task for all batches in order; None if there are none.

        Every read must give the same rows in the same batches.
        """


class Merger(Generic[R]):
    """Merges results that arrive in order, always in the same tree: `FAN_IN` neighbours at a time.

    It holds few results: at most `FAN_IN` of each level of the tree.
    """

    def __init__(self, task: Task[R]) -> None:
        self._task = task
        self._levels: list[list[R]] = []

    def add(self, result: R) -> None:
        """Take the next result."""
        for level in self._levels:
            level.append(result)
            if len(level) < FAN_IN:
                return
            result = self._task.merge(level)
            level.clear()
        self._levels.append([result])

    def result(self) -> R | None:
        """The result of all; None if there are none."""
        above: R | None = None
        for level in self._levels:
            above = merge_present(self._task, [*level, above])
        return above


def merge_present(task: Task[R], results: Sequence[R | None]) -> R | None:
    """The result of a task for these batches or partitions together; None if all of them are."""
    present = [result for result in results if result is not None]
    return task.merge(present) if len(present) > 1 else next(iter(present), None)


def merged(task: Task[R], results: Iterable[R | None]) -> R | None:
    """The result of a task for all partitions, from the results of each.

    Parameters
    ----------
    task
        The first argument of `Partitions.run`.
    results : iterable of object or None
        In the order of the partitions, as the place decides with which others one is merged.

    Returns
    -------
    object or None
        None if all of them are None.

    Raises
    ------
    Exception
        Any error of `results`.

    Examples
    --------
    See :mod:`fastlogit.partitions`.
    """
    merger = Merger(task)
    for result in results:
        if result is not None:
            merger.add(result)
    return merger.result()


def as_header(table: Table) -> Table:
    """A table without its reader, as tasks carry it to other processes."""
    return replace(table, reader=nothing, files=(), stream=None, size=None, cells=None)


def nothing(_: Wanted) -> Any:
    """The reader of a header."""
    raise AssertionError("only the source reads")
