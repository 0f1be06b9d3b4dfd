"""Samples of rows that are read batch by batch.

Each row gets a random number u in (0, 1) that depends on the seed, on its file or partition and on
its place there.  A uniform sample has the rows of the smallest u; one whose chances depend on
scores has those of the smallest u / score (priority sampling: Duffield, Lund and Thorup, J. ACM
2007).  So samples of several batches can be merged, in any order, and need no second read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit.core.arrow import decoded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from fastlogit.core.linalg import Vector
    from fastlogit.tables.table import Batch

# The generator draws four numbers at once.
_DRAWN = 4


def random_numbers(seed: int, batch: Batch, rows: int) -> Vector:
    """The random numbers, in (0, 1), of the rows of a batch."""
    skipped = batch.first % _DRAWN
    generator = np.random.Philox(key=[seed, batch.number], counter=batch.first // _DRAWN)
    drawn = np.random.Generator(generator).random(skipped + rows)[skipped:]
    return np.maximum(drawn, 2.0**-54)


class RowSample(NamedTuple):
    """Some rows, with their keys in ascending order.

    Attributes
    ----------
    keys, scores : ndarray (rows,)
        Keys u / score, and scores.
    batch : Batch
        The rows; their places in it mean nothing.
    """

    keys: Vector
    scores: Vector
    batch: Batch

    def smallest(self, size: int) -> RowSample:
        """The rows with the smallest keys."""
        if self.keys.size <= size:
            return self
        return RowSample(
            self.keys[:size], self.scores[:size], take_rows(self.batch, np.arange(size))
        )


def draw(batch: Batch, keys: Vector, scores: Vector, size: int) -> RowSample:
    """At most `size` rows of a batch with the smallest keys; a key of infinity is never drawn."""
    found = np.flatnonzero(keys < np.inf)
    if found.size > size:
        found = found[np.argpartition(keys[found], size)[:size]]
    found = found[np.argsort(keys[found], kind="stable")]
    return RowSample(keys[found], scores[found], take_rows(batch, found))


def merge_samples(samples: Sequence[RowSample], size: int) -> RowSample:
    """The rows of several samples with the smallest keys, `size` at most."""
    keys = np.concatenate([sample.keys for sample in samples])
    order = np.argsort(keys, kind="stable")[:size]
    scores = np.concatenate([sample.scores for sample in samples])
    together = _join([sample.batch for sample in samples])
    return RowSample(keys[order], scores[order], take_rows(together, order))


def row_count(batch: Batch) -> int:
    """The number of rows of a batch."""
    data = batch.data
    return int(data.num_rows if hasattr(data, "schema") else data.shape[0])


def take_rows(batch: Batch, rows: NDArray[np.int64]) -> Batch:
    """Copy some rows of a batch."""
    data = batch.data
    return batch._replace(
        data=data.take(_as_arrow(rows)) if hasattr(data, "schema") else data[rows],
        labels=None if batch.labels is None else _take(batch.labels, rows),
        weight=None if batch.weight is None else batch.weight[rows],
        offset=None if batch.offset is None else batch.offset[rows],
        bytes_read=None,
    )


def _take(labels: Any, rows: NDArray[np.int64]) -> Any:
    return labels[rows] if isinstance(labels, np.ndarray) else labels.take(_as_arrow(rows))


def _as_arrow(rows: NDArray[np.int64]) -> Any:
    from fastlogit.core.arrow import from_numpy

    return from_numpy(np.ascontiguousarray(rows, np.int64))


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

    return pa.concat_arrays(columns)


def _join_record_batches(batches: Sequence[Any]) -> Any:
    """Record batches as one; partitions may differ in how they store a column."""
    import pyarrow as pa

    if any(batch.schema != batches[0].schema for batch in batches):
        # Arrow joins no dictionaries with other columns.
        batches = [
            pa.record_batch(list(map(decoded, batch.columns)), batch.schema.names)
            for batch in batches
        ]
    tables = [pa.Table.from_batches([batch]) for batch in batches]
    table = pa.concat_tables(tables, promote_options="permissive")
    whole = table.unify_dictionaries().combine_chunks().to_batches()
    return whole[0] if whole else batches[0]
