"""Samples of rows that are read batch by batch.

Each row gets a random number u in (0, 1) that depends on the seed, on its file or partition and on
its place there.  A uniform sample has the rows of the smallest u; one whose chances depend on
scores has those of the smallest u / score (priority sampling: Duffield, Lund and Thorup, J. ACM
2007).  So samples of several batches can be merged, in any order, and need no second read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit.core import arrow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from fastlogit.core.linalg import Vector
    from fastlogit.tables.table import Batch

# The generator draws four numbers at once.
_DRAWN = 4


def random_numbers(seed: int, batch: Batch) -> Vector:
    """The random numbers, in (0, 1), of the rows of a batch."""
    skipped = batch.first % _DRAWN
    # A seed may have more than 64 bits, which a key of the generator cannot hold.
    key = np.random.SeedSequence(seed, spawn_key=(batch.number,)).generate_state(2, np.uint64)
    generator = np.random.Philox(key=key, counter=batch.first // _DRAWN)
    drawn = np.random.Generator(generator).random(skipped + batch.rows)[skipped:]
    return np.maximum(drawn, 2.0**-54, out=drawn)


class Rows(NamedTuple):
    """Some rows with their keys u / score and their scores; their places mean nothing."""

    keys: Vector
    scores: Vector
    batch: Batch

    def up_to(self, limit: float) -> Rows:
        """The rows whose key is at most `limit`."""
        few = np.flatnonzero(self.keys <= limit)
        if few.size == self.keys.size:
            return self
        return Rows(self.keys[few], self.scores[few], take_rows(self.batch, few))


class RowSample(NamedTuple):
    """The rows with the smallest keys of some batches.

    Attributes
    ----------
    pieces : tuple of Rows
        In the order of the batches.
    limit : float
        The sample has all rows whose key is at most this.
    """

    pieces: tuple[Rows, ...]
    limit: float

    @property
    def size(self) -> int:
        """Number of rows."""
        return sum(piece.keys.size for piece in self.pieces)

    def smallest(self, size: int) -> RowSample:
        """The rows with the `size` smallest keys."""
        if self.size <= size:
            return self
        keys = np.concatenate([piece.keys for piece in self.pieces])
        return self._up_to(float(np.partition(keys, size - 1)[size - 1]))

    def below_limit(self) -> RowSample:
        """The rows with a key below the limit: each had the same chance, but for its score."""
        return self if self.limit == np.inf else self._up_to(float(np.nextafter(self.limit, 0.0)))

    def _up_to(self, limit: float) -> RowSample:
        pieces = (piece.up_to(limit) for piece in self.pieces)
        return RowSample(tuple(piece for piece in pieces if piece.keys.size), limit)

    def merge(self, others: Sequence[RowSample], size: int) -> RowSample:
        """The rows of this and of other samples with the smallest keys, `size` at most.

        Where one sample has all rows up to some key only, so has the result.
        """
        together = RowSample(sum((one.pieces for one in others), self.pieces), np.inf)
        limit = min(self.limit, *(one.limit for one in others))
        return (together._up_to(limit) if limit < np.inf else together).smallest(size)

    def joined(self) -> Rows:
        """All rows as one piece."""
        keys, scores = (np.concatenate([piece[place] for piece in self.pieces]) for place in (0, 1))
        return Rows(keys, scores, _join([piece.batch for piece in self.pieces]))


def draw(batch: Batch, keys: Vector, scores: Vector, size: int) -> RowSample:
    """At most `size` rows of a batch with the smallest keys; a key of infinity is never drawn."""
    chosen, limit = keys < np.inf, np.inf
    if np.count_nonzero(chosen) > size:
        limit = float(np.partition(keys, size - 1)[size - 1])
        chosen = keys <= limit
    rows = np.flatnonzero(chosen)
    if rows.size == 0:
        return RowSample((), limit)
    return RowSample((Rows(keys[rows], scores[rows], take_rows(batch, rows)),), limit)


def take_rows(batch: Batch, rows: NDArray[np.int64]) -> Batch:
    """Copy some rows of a batch."""
    indices = arrow.from_numpy(np.ascontiguousarray(rows, np.int64))
    data, labels = batch.data, batch.labels
    if labels is not None:
        labels = labels[rows] if isinstance(labels, np.ndarray) else labels.take(indices)
    return batch._replace(
        data=_take_columns(data, indices) if hasattr(data, "schema") else data[rows],
        labels=labels,
        weight=None if batch.weight is None else batch.weight[rows],
        offset=None if batch.offset is None else batch.offset[rows],
        bytes_read=None,
    )


def _take_columns(data: Any, indices: Any) -> Any:
    """Copy some rows of a record batch; Arrow takes none of a view."""
    import pyarrow as pa

    if {pa.string_view(), pa.binary_view()}.isdisjoint(data.schema.types):
        return data.take(indices)
    taken = []
    for column in data.columns:
        is_coded = pa.types.is_dictionary(column.type)
        values = column if is_coded else column.cast(arrow.decoded_type(column.type))
        taken.append(values.take(indices))
    return pa.record_batch(taken, data.schema.names)


def _join(batches: Sequence[Batch]) -> Batch:
    """The rows of several batches as one."""
    first = batches[0]
    if hasattr(first.data, "schema"):
        return first._replace(data=_join_record_batches([batch.data for batch in batches]))
    data: Any
    if hasattr(first.data, "indptr"):
        from scipy.sparse import csr_array, vstack

        data = csr_array(vstack([batch.data for batch in batches], "csr"))
    else:
        data = np.concatenate([batch.data for batch in batches])
    return first._replace(
        data=data,
        labels=_join_columns([batch.labels for batch in batches]),
        weight=_join_columns([batch.weight for batch in batches]),
        offset=_join_columns([batch.offset for batch in batches]),
    )


def _join_columns(columns: Sequence[Any]) -> Any:
    if columns[0] is None:
        return None
    if isinstance(columns[0], np.ndarray):
        return np.concatenate(columns)
    import pyarrow as pa

    return pa.concat_arrays(_of_one_type(columns))


def _join_record_batches(batches: Sequence[Any]) -> Any:
    """Record batches as one; partitions may differ in how they store a column."""
    import pyarrow as pa

    columns = zip(*(batch.columns for batch in batches), strict=True)
    joined = [pa.concat_arrays(_of_one_type(several)) for several in columns]
    return pa.record_batch(joined, batches[0].schema.names)


def _of_one_type(columns: Sequence[Any]) -> Sequence[Any]:
    """Columns with the type that holds all their values, except for rounding to floats."""
    import pyarrow as pa

    kinds = {column.type for column in columns}
    common = arrow.common_type(kinds)
    if kinds == {common}:
        return columns
    if pa.types.is_floating(common):
        return [arrow.numbers(column).cast(pa.float64(), safe=False) for column in columns]
    return [arrow.as_type(column, common) for column in columns]
