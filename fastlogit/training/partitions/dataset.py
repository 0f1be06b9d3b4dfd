"""Datasets whose rows are read again in every pass, from files or by a cluster."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit.training import sampling
from fastlogit.training.dataset import ArrayDataset, Dataset, DatasetSums
from fastlogit.training.family import Margins
from fastlogit.training.partitions import row_samples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastlogit.core.linalg import Vector
    from fastlogit.tables.table import Batch, Wanted
    from fastlogit.training.dataset import WantedSums
    from fastlogit.training.partitions.contract import Partitions, Task
    from fastlogit.training.partitions.row_reader import RowReader
    from fastlogit.training.partitions.row_samples import Rows, RowSample


# Reading a row takes at least this many times as long as a pass over it in memory (measured).
_CHEAP_SHARE = 8
# If rows are drawn for rare columns, this many batches may give all of them.
_FEW_BATCHES = 8
# Sums of weights may differ by this share of all weight, by rounding.
_SAME = 1e-9


class PartitionedDataset(Dataset):
    """Rows that are read batch by batch in every pass.

    Parameters
    ----------
    partitions : Partitions
    columns : tables.table.Wanted
        The columns to read.
    reader : RowReader
    n, d : int
        Rows without a missing value, and features.
    class_weights : ndarray (K,)
        Σ weight P(class) of each class.
    weighted : int
        Rows with a weight.
    sample : RowSample
        Some of these, drawn uniformly with `seed` by the first read.
    """

    def __init__(
        self,
        partitions: Partitions,
        columns: Wanted,
        reader: RowReader,
        n: int,
        d: int,
        class_weights: Vector,
        weighted: int,
        sample: RowSample,
        seed: int,
        *,
        threads: int,
    ) -> None:
        super().__init__(reader.family, n, d, float(class_weights.sum()))
        self._partitions, self._columns, self.reader = partitions, columns, reader
        self._class_weights, self._weighted = class_weights, weighted
        self._sample, self._seed, self._threads = sample, seed, threads
        self.counter.add(n)  # the first read

    def sums(self, wanted: WantedSums, theta: Vector) -> DatasetSums:
        """Sums of the loss and its derivatives at θ."""
        counted: _CountedSums = self._run(_SumsTask(self.reader, wanted, theta))
        self._must_have_all(counted.rows, counted.class_weights)
        return counted.sums

    def read_margins(self, theta: Vector) -> Margins:
        """Margins of the rows that have a weight."""
        margins: Margins = self._run(_MarginsTask(self.reader, theta))
        return margins

    @cached_property
    def loss_at_zero(self) -> float:
        """Loss where all of θ is 0; with offsets, this takes a pass over X."""
        if not self.reader.has_offset:
            return self.total_weight * math.log(self.class_weights.size)
        size = self.family.outputs * (self.d + 1)
        return self.derivatives("gradient", np.zeros(size)).loss

    @property
    def class_weights(self) -> Vector:
        """Σ weight P(class) of each class."""
        return self._class_weights

    @property
    def cheap_sample(self) -> int:
        """Rows that the first read has drawn; fewer of a small dataset."""
        return min(self._sample.size, self._weighted // _CHEAP_SHARE)

    @property
    def centres(self) -> Vector:
        """Centres of the columns."""
        return super().centres if self.reader.centres is None else self.reader.centres

    def sample(self, size: int, seed: int) -> tuple[ArrayDataset, float]:
        """Draw rows uniformly, or by their share of rare columns; see `sampling`."""
        # Rows of a class whose factor is 0 count among the rows with a weight.
        reader = replace(self.reader, class_factors=None)
        if seed != self._seed or self._sample.size < min(size, self._weighted):
            self.counter.add(self.n)
            most = self._partitions.share(size, self._columns)
            self._sample = self._run(_SampleTask(reader, size, seed, most))
            self._seed = seed
        uniform = self._rows(self._sample.smallest(size).joined())
        factors = sampling.rare_column_factors(uniform.X.count_nonzero(), uniform.n, self._weighted)
        if factors is None:
            return uniform, self._weighted / uniform.n
        self.counter.add(self.n)
        scoring = sampling.RareColumns(factors, self._weighted)
        # Few batches may hold most of the rare columns' entries.
        most = 1 + max(self._partitions.share(size, self._columns), size // _FEW_BATCHES)
        # One more row than wanted: its key tells the chances of the others.
        drawn: RowSample = self._run(_SampleTask(reader, size + 1, seed, most, scoring))
        few = drawn.below_limit().joined()
        return self._rows(few, 1.0 / np.minimum(1.0, drawn.limit * few.scores)), 1.0

    def first_not_finite(self) -> tuple[int, int, float] | None:
        """None, as the first read found every element finite."""
        return None

    def _rows(self, sample: Rows, factors: Vector | None = None) -> ArrayDataset:
        reader = replace(self.reader, skips=False)
        # With a counter of its own: passes over it are no reads.
        rows = reader.rows(sample.batch, self._threads)
        assert rows is not None
        return rows.take(np.arange(rows.n), factors)  # row by row, as they are read often

    def _run(self, task: Task[Any]) -> Any:
        result = self._partitions.run(task, self._columns)
        if result is None:
            self._must_have_all(0)
        return result

    def _must_have_all(self, rows: int, class_weights: Vector | None = None) -> None:
        """Raise a ValueError if a pass has read other rows than the first read.

        Files are compared by their times.  Of other sources, only what a pass has at hand is.
        """
        name = self._partitions.header.name
        if rows != self.n:
            raise ValueError(
                f"{name}: has changed between two reads: it had {self.n:,} rows without a missing "
                f"value, and now has {rows:,}"
            )
        close = _SAME * self.total_weight
        if class_weights is not None and (abs(class_weights - self._class_weights) > close).any():
            raise ValueError(
                f"{name}: has changed between two reads: labels or weights are not those of the "
                "first one"
            )


# Tasks ------------------------------------------------------------------------------------


class _CountedSums(NamedTuple):
    """Sums over rows, the number of the rows, and Σ weight P(class)."""

    rows: int
    class_weights: Vector
    sums: DatasetSums


@dataclass(frozen=True)
class _SumsTask:
    """Sums of the loss and its derivatives at θ."""

    reader: RowReader
    wanted: WantedSums
    theta: Vector

    @property
    def name(self) -> str:
        return self.wanted

    def of_batch(self, batch: Batch) -> _CountedSums | None:
        rows = self.reader.rows(batch)
        if rows is None:
            return None
        sums = rows.sums(self.wanted, self.theta).as_one_part()
        return _CountedSums(rows.n, rows.class_weights, sums)

    def merge(self, results: Sequence[_CountedSums]) -> _CountedSums:
        together = results[0].sums
        for one in results[1:]:
            together = together.join(one.sums)
        class_weights = np.sum([one.class_weights for one in results], axis=0)
        rows = sum(one.rows for one in results)
        return _CountedSums(rows, class_weights, together.as_one_part())


@dataclass(frozen=True)
class _MarginsTask:
    """Margins of the rows along θ."""

    reader: RowReader
    theta: Vector
    name = "margins"

    def of_batch(self, batch: Batch) -> Margins | None:
        rows = self.reader.rows(batch)
        if rows is None or not (rows.weight is None or (rows.weight > 0.0).any()):
            return None
        return rows.read_margins(self.theta)

    def merge(self, results: Sequence[Margins]) -> Margins:
        return Margins(
            min(one.least for one in results),
            max(one.largest for one in results),
            np.max([one.leads for one in results], axis=0),
        )


@dataclass(frozen=True)
class _SampleTask:
    """A sample of rows with a weight: uniform, or partly by their share of rare columns."""

    reader: RowReader
    size: int
    seed: int
    # Rows that one batch gives at most.
    most: int
    rare: sampling.RareColumns | None = None
    name = "sample"

    def of_batch(self, batch: Batch) -> RowSample | None:
        present = self.reader.present(batch)
        few = self.reader.keep(batch, present)
        rows = replace(self.reader, skips=False).rows(few)
        if rows is None:
            return None
        drawn = row_samples.random_numbers(self.seed, batch)[present]
        scores = np.ones(rows.n)
        if self.rare is not None:
            scores = self.rare.chances(rows.scores(self.rare.factors))
        keys = drawn / scores
        if rows.weight is not None:
            keys[rows.weight <= 0.0] = np.inf
        return row_samples.draw(few, keys, scores, self.most)

    def merge(self, results: Sequence[RowSample]) -> RowSample:
        return results[0].merge(results[1:], self.size)
