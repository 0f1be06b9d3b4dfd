"""Partitions that compare the rows of each read with the rows of the first one.

A pass has no time to compare everything.  So it counts the rows of each file or partition, and
compares some of them.  This finds a source that makes up new numbers in each read, but perhaps not
one that changes a few rows.  Databases and shuffles may give the same rows in another order.  That
is no error, as it changes sums over the rows by rounding only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NamedTuple
from zlib import crc32

import numpy as np

from fastlogit.core import arrow
from fastlogit.training.partitions.contract import Partitions, R, Task, merge_present
from fastlogit.training.partitions.row_samples import take_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from fastlogit.tables.table import Batch, Wanted

    Numbers = NDArray[np.uint64]

# The rows that are compared where their order is fixed: few of a large file, some of a small one.
_CHOSEN = np.append(0, 1 << np.arange(62))
# Elsewhere a number is compared for each 256 rows.
_EVERY = 256
# Any odd number with many digits: multiples of it differ in all bits.
_ODD, _ODD_32 = np.uint64(0x9E3779B97F4A7C15), np.uint32(0x9E3779B1)
_ONE, _HIGHEST = np.uint64(1), 0xFFFFFFFF


class ComparedPartitions(Partitions):
    """Partitions whose every read must give the rows of the first one.

    Parameters
    ----------
    partitions : Partitions
        Where the rows are.
    """

    def __init__(self, partitions: Partitions) -> None:
        self.header, self.sample_bytes = partitions.header, partitions.sample_bytes
        self._partitions = partitions
        self._first: _Checksums | None = None

    def count(self, wanted: Wanted) -> int | None:
        """About how many batches there are; None if that is not known."""
        return self._partitions.count(wanted)

    def place(self, number: int) -> str:
        """How messages name the file or partition with a number."""
        return self._partitions.place(number)

    def run(self, task: Task[R], wanted: Wanted) -> R | None:
        """The result of a task for all batches in order; None if there are none.

        Raises
        ------
        ValueError
            If this read gives other rows than the first one; it names the file or partition.
        """
        found = self._partitions.run(_ComparedTask(task, self._partitions.keeps_order), wanted)
        checksums = _NONE if found is None else found.checksums
        if self._first is None:
            self._first = checksums
        self._must_agree(self._first, checksums)
        return None if found is None else found.result

    def _must_agree(self, before: _Checksums, now: _Checksums) -> None:
        numbers, rows, sums = before.merge([_Checksums(now.numbers, -now.rows, ~now.sums + _ONE)])
        changed = numbers[(rows != 0) | (sums != 0)].tolist()
        if not changed:
            return
        had, has = (int(one.rows[one.numbers == changed[0]].sum()) for one in (before, now))
        how = f"it had {had:,} rows, and now has {has:,}"
        if had == has:
            how = "its rows are not those of the first one"
        raise ValueError(f"{self.place(changed[0])}: has changed between two reads: {how}")


class _Checksums(NamedTuple):
    """Rows and checksums of the files or partitions with these numbers, each once, ascending."""

    numbers: NDArray[np.int64]
    rows: NDArray[np.int64]
    sums: Numbers

    def merge(self, others: Sequence[_Checksums]) -> _Checksums:
        """Rows and checksums of several batches together."""
        numbers, rows, sums = (np.concatenate(each) for each in zip(self, *others, strict=True))
        different, places = np.unique(numbers, return_inverse=True)
        merged = np.zeros(different.size, np.int64), np.zeros(different.size, np.uint64)
        np.add.at(merged[0], places, rows)
        np.add.at(merged[1], places, sums)
        return _Checksums(different, *merged)


_NONE = _Checksums(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint64))


class _Compared(NamedTuple, Generic[R]):
    """A result of a task, or None, and the checksums of its rows."""

    checksums: _Checksums
    result: R | None


@dataclass(frozen=True)
class _ComparedTask(Generic[R]):
    """A task that also computes checksums."""

    task: Task[R]
    keeps_order: bool

    @property
    def name(self) -> str:
        return self.task.name

    def of_batch(self, batch: Batch) -> _Compared[R]:
        result = self.task.of_batch(batch)
        numbers, rows = (np.array([one], np.int64) for one in (batch.number, batch.rows))
        # Afterwards, as the rows are in the cache then.
        sums = np.array([checksum(batch, keeps_order=self.keeps_order)], np.uint64)
        return _Compared(_Checksums(numbers, rows, sums), result)

    def merge(self, results: Sequence[_Compared[R]]) -> _Compared[R]:
        checksums = results[0].checksums.merge([one.checksums for one in results[1:]])
        return _Compared(checksums, merge_present(self.task, [one.result for one in results]))


def checksum(batch: Batch, *, keeps_order: bool) -> int:
    """The checksum of some rows of a batch.

    The sum of all checksums modulo 2⁶⁴ does not depend on how a table is divided into batches, nor,
    unless the source `keeps_order`, on the order of the rows of record batches.
    """
    data, total = batch.data, 0
    if keeps_order or not hasattr(data, "schema"):
        places = _CHOSEN - batch.first
        rows = places[(places >= 0) & (places < batch.rows)]
    else:  # chosen by a column, which is compared as a whole
        keys, every = _keys(data.column(_key_column(data.schema))), _EVERY * data.num_columns
        rows = np.flatnonzero(keys > np.uint32(_HIGHEST - _HIGHEST // every))
        total = int(keys.sum(dtype=np.uint32)) << 32
    if rows.size:
        bits = _mixed(_numbers(batch, rows).view(np.uint64))
        factors = _ODD * np.arange(1, 2 * bits.shape[1], 2, dtype=np.uint64)
        total += int(_mixed(bits @ factors).sum())
    return total % 2**64


def _key_column(schema: Any) -> int:
    """The first column of floats, whose values rarely repeat, or the first one."""
    import pyarrow as pa

    floats = (j for j in range(len(schema)) if pa.types.is_floating(schema.field(j).type))
    return next(floats, 0)


def _keys(column: Any) -> NDArray[np.uint32]:
    """Numbers that look random, equal for equal values."""
    import pyarrow as pa

    is_single = column.type == pa.float32()
    numbers = column.to_numpy(zero_copy_only=False) if is_single else _column_numbers(column)
    halves = numbers.view(np.uint32)
    return (halves if is_single else halves[::2] ^ halves[1::2]) * _ODD_32


def _mixed(bits: Numbers) -> Numbers:
    """Numbers whose sum tells, as good as surely, whether these are the same."""
    return (bits ^ bits >> np.uint64(29)) * _ODD


def _numbers(batch: Batch, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Some rows of a batch as a matrix of numbers; equal texts give equal numbers."""
    data = batch.data
    if hasattr(data, "indptr"):
        features = _csr_numbers(data, rows)
        batch = batch._replace(data=np.empty((batch.rows, 0)))
    few = take_rows(batch, rows)
    if hasattr(data, "schema"):
        features = _record_numbers(few.data)
    elif not hasattr(data, "indptr"):
        features = [few.data]
    others = [
        one if isinstance(one, np.ndarray) else _column_numbers(one)
        for one in (few.labels, few.weight, few.offset)
        if one is not None
    ]
    return np.ascontiguousarray(np.column_stack([*features, *others]), np.float64)


def _record_numbers(data: Any) -> list[NDArray[Any]]:
    """Columns or matrices of numbers for the columns of a record batch."""
    import pyarrow as pa

    are_floats = [pa.types.is_floating(kind) for kind in data.schema.types]
    floats = [j for j, is_float in enumerate(are_floats) if is_float]
    others = [j for j, is_float in enumerate(are_floats) if not is_float]
    # Column by column, this would take ten times as long.
    matrix = [data.select(floats).to_tensor(null_to_nan=True).to_numpy()] if floats else []
    return [*matrix, *(_column_numbers(data.column(j)) for j in others)]


def _column_numbers(column: Any) -> NDArray[np.float64]:
    numbers = arrow.numbers(column)
    if arrow.is_number(numbers.type):
        return arrow.floats(numbers, "", "nan")
    encoded = numbers.dictionary_encode()
    texts = [crc32(str(text).encode()) for text in encoded.dictionary.to_pylist()]
    codes = encoded.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)
    found: NDArray[np.float64] = np.array([*texts, np.nan])[codes]
    return found


def _csr_numbers(data: Any, rows: NDArray[np.int64]) -> list[NDArray[np.float64]]:
    """A number for the entries of each row, and one for their columns."""
    here = [slice(data.indptr[row], data.indptr[row + 1]) for row in rows]
    arrays = data.data, data.indices
    return [np.array([crc32(one[row]) for row in here], np.float64) for one in arrays]
