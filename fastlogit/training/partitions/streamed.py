"""Tables that are read again in every pass, as they would not fit in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastlogit.training.partitions.contract import Partitions, as_header, merged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastlogit.tables.table import Batch, Table, Wanted
    from fastlogit.training.partitions.contract import R, Task
    from fastlogit.training.progress import ReadingBar


# Bytes of a batch of an array as float64; a NPY file is read in pieces of no more.
_ARRAY_BYTES = 1 << 22


class TablePartitions(Partitions):
    """The batches of a table, which several threads of this process read.

    Parameters
    ----------
    table : Table
        Can be read again and again.
    threads : int
    bar : ReadingBar, optional
        Shows the rows that were read.
    """

    def __init__(self, table: Table, threads: int, bar: ReadingBar | None = None) -> None:
        self.header = as_header(table)
        self._table, self._threads, self._bar = table, threads, bar
        self._numbers = {str(path): number for number, path in enumerate(table.files)}
        self._rows = table.rows
        self.keeps_order = bool(table.files)
        self._places: dict[int, str] = {}

    def count(self, wanted: Wanted) -> int | None:
        """About how many batches there are; None if the number of rows cannot be estimated."""
        width = len(wanted.columns)
        cells = self._table.count_cells(width)
        return None if cells is None else cells // (width * self._in_batches(wanted).batch_rows)

    def place(self, number: int) -> str:
        """How messages name the file or partition with a number."""
        return self._places[number]

    def run(self, task: Task[R], wanted: Wanted) -> R | None:
        """The result of a task for all batches in order; None if there are none."""

        def of_batch(batch: Batch) -> tuple[R | None, int, int | None]:
            batch = batch._replace(number=self._numbers.get(batch.file, batch.number))
            self._places[batch.number] = batch.file
            return task.of_batch(batch), batch.rows, batch.bytes_read

        wanted = self._in_batches(wanted)
        try:
            return merged(task, self._observed(task.name, self._table.map(of_batch, wanted)))
        except Exception:
            self._table.must_be_unchanged()  # a change explains any other error
            raise

    def _in_batches(self, wanted: Wanted) -> Wanted:
        """The wanted columns, in batches that are the same for any number of threads.

        Threads begin at multiples of a power of two, or where a file begins.
        """
        most, table = wanted.batch_rows, self._table
        if table.schema is None and not table.has_labels:
            most = min(most, _ARRAY_BYTES // (8 * len(table.dtypes)))
        rows = 1 << (max(1, most).bit_length() - 1)
        return wanted._replace(batch_rows=rows, threads=self._threads)

    def _observed(
        self, name: str, results: Iterator[tuple[R | None, int, int | None]]
    ) -> Iterator[R | None]:
        """The results alone; the bar follows them."""
        if self._bar is not None:
            self._bar.begin(name, self._rows)
        total = 0
        for result, rows, bytes_read in results:
            total += rows
            if self._bar is not None:
                self._bar.read(self._table.progress(total, bytes_read))
            yield result
        self._rows = total  # known from the first read on
