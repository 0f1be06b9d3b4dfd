"""Tables that are read again in every pass, as they would not fit in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastlogit.training.partitions import Partitions, as_header, merged

if TYPE_CHECKING:
    from fastlogit.tables.table import Batch, Table, Wanted
    from fastlogit.training.partitions import R, Task


class TablePartitions(Partitions):
    """The batches of a table, which several threads of this process read.

    Parameters
    ----------
    table : Table
        Can be read again and again.
    threads : int
    """

    def __init__(self, table: Table, threads: int) -> None:
        self.header = as_header(table)
        self._table, self._threads = table, threads
        self._numbers = {str(path): number for number, path in enumerate(table.files)}

    def run(self, task: Task[R], wanted: Wanted) -> R | None:
        """The result of a task for all batches in order; None if there are none."""

        def of_batch(batch: Batch) -> R | None:
            return task.of_batch(batch._replace(number=self._numbers.get(batch.file, 0)))

        # Threads begin at multiples of a power of two, or where a file begins.  Batches of such a
        # size are the same for any number of threads.
        rows = 1 << (wanted.batch_rows.bit_length() - 1)
        wanted = wanted._replace(batch_rows=rows, threads=self._threads)
        try:
            return merged(task, self._table.map(of_batch, wanted))
        except Exception:
            self._table.must_be_unchanged()  # a change explains any other error
            raise
