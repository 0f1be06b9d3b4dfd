"""The rows of a batch for a pass of training, after the first read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.core.checks import shown
from fastlogit.matrix import as_matrix
from fastlogit.training.dataset import ArrayDataset
from fastlogit.training.partitions.row_samples import take_rows
from fastlogit.training.table.columns import (
    column_at,
    is_soft,
    numeric_columns,
    present_rows,
    read_matrix,
    text_column,
)
from fastlogit.training.table.features import one_hot
from fastlogit.training.table.labels import Labels, as_array, encode_labels, read_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fastlogit.core.linalg import Vector
    from fastlogit.matrix import Matrix
    from fastlogit.tables.table import Batch, Table
    from fastlogit.training.family import Family
    from fastlogit.training.table.features import TextFeatures
    from fastlogit.training.table.roles import ColumnRoles


@dataclass(frozen=True)
class RowReader:
    """Makes an `ArrayDataset` of a batch.

    Attributes
    ----------
    table : Table
        The columns, without a reader.
    roles : ColumnRoles or None
        None if batches are matrices with labels besides.
    family : Family
    classes : tuple of labels
    soft : bool
        Whether targets are probabilities.
    texts : list of TextFeatures
        Of each column of text.
    skips : bool
        Whether some rows have a missing value and are left out.
    offsets_apart : bool
        Whether batches have offsets besides their columns.
    class_factors : ndarray (K,), or None
        The factors of weights by class.
    centres : ndarray (d,), or None
        Subtracted from the columns.
    offset_centre : float, or ndarray (K,)
        Subtracted from the offsets.
    """

    table: Table
    roles: ColumnRoles | None
    family: Family
    classes: tuple[Any, ...]
    soft: bool
    texts: list[TextFeatures]
    skips: bool
    offsets_apart: bool = False
    class_factors: Vector | None = None
    centres: Vector | None = None
    offset_centre: float | Vector = 0.0

    @property
    def has_offset(self) -> bool:
        """Whether rows have an offset."""
        return self.offsets_apart if self.roles is None else bool(self.roles.offsets)

    def rows(self, batch: Batch, threads: int = 1) -> ArrayDataset | None:
        """The rows of a batch that miss no value; None if there are none."""
        if self.skips:
            batch = self.keep(batch, self.present(batch))
        X = self._matrix(batch)
        if X is None:
            return None
        t = self._targets(batch)
        weight, offset = self._weight(batch), self._offset(batch)
        if self.class_factors is not None:
            factors = self.class_factors[t.astype(np.intp)]
            weight = factors if weight is None else factors * weight
        if self.centres is not None:
            X = X.subtract(self.centres)
        return ArrayDataset(self.family, X, t, weight, offset, threads=threads)

    def _matrix(self, batch: Batch) -> Matrix | None:
        data = batch.data
        if batch.rows == 0:
            return None
        if self.roles is None:
            return as_matrix(data)
        count = len(self.roles.numbers)
        if not self.roles.text:
            if hasattr(data, "schema"):
                return as_matrix(data.select(range(count)))
            return as_matrix(data[:, self.roles.numbers])
        first = len(self.roles.order) - len(self.roles.text)
        places, counts = [], []
        for place, position in enumerate(self.roles.text, first):
            texts = text_column(self.table, data.column(place), position).dictionary_encode()
            features = self.texts[place - first]
            of_texts = [self._place(features, text, batch) for text in texts.dictionary.to_pylist()]
            codes = texts.indices.to_numpy(zero_copy_only=False)
            places.append(np.array(of_texts, np.int32)[codes])
            counts.append(features.size)
        numbers = numeric_columns(data, self.roles.numbers)
        dtype = np.result_type(np.float32, *(column.dtype for column in numbers))
        X = np.empty((data.num_rows, count + len(places)), dtype)
        for j, column in enumerate(numbers):
            X[:, j] = column
        return as_matrix(one_hot(X, places, counts))

    def _targets(self, batch: Batch) -> NDArray[Any]:
        """Targets as the kernels of the family need them."""
        roles = self.roles
        soft = is_soft(batch) if roles is None else not roles.labels
        if soft:
            rows: NDArray[np.float64] = (
                batch.labels
                if roles is None
                else np.column_stack(self._measures(batch)[-len(roles.targets) :])
            ).astype(np.float64)
            rows /= rows.sum(axis=1, keepdims=True)
            if rows.shape[1] == 2:
                return rows[:, 1].copy()
            return rows if self.soft else np.argmax(rows, axis=1)
        if roles is None:
            column = batch.labels
        else:
            place = len(roles.numbers) + len(roles.measures)
            column = column_at(batch.data, roles.labels[0], place)
        column = as_array(read_labels(self.table, column, self.classes, batch))
        if isinstance(column, np.ndarray) and (self.soft or self.classes == (0, 1)):
            numbers: NDArray[np.float64] = column.astype(np.float64)
            return numbers  # checked by the first read, and by the kernels
        found = encode_labels(column, self.classes, batch.file, batch.first)
        return found if self.family.outputs == 1 else found.astype(np.int64)

    def present(self, batch: Batch) -> NDArray[np.int64]:
        """The rows of a batch without a missing value."""
        if not self.skips:
            return np.arange(batch.rows)
        if self.roles is None:
            return read_matrix(batch, Labels(self.table, None)).present
        return present_rows(self.table, self.roles, batch)

    @staticmethod
    def keep(batch: Batch, present: NDArray[np.int64]) -> Batch:
        """The rows that are present: copies, or the batch itself if it misses no value."""
        return batch if present.size == batch.rows else take_rows(batch, present)

    def _place(self, features: TextFeatures, text: str, batch: Batch) -> int:
        place = features.places.get(text, features.group)
        if place is None:
            raise ValueError(
                f"{batch.file}: has changed since the first read, which did not find {shown(text)}"
            )
        return place

    def _weight(self, batch: Batch) -> NDArray[np.float64] | None:
        if self.roles is None:
            return batch.weight
        return self._measures(batch)[0].astype(np.float64) if self.roles.has_weight else None

    def _offset(self, batch: Batch) -> NDArray[np.float64] | None:
        offset = batch.offset
        if self.roles is not None:
            first, count = int(self.roles.has_weight), len(self.roles.offsets)
            columns = self._measures(batch)[first : first + count]
            if columns:
                wide = count > 1
                offset = np.column_stack(columns) if wide else columns[0]
        if offset is None:
            return None
        with np.errstate(over="ignore"):  # an infinite loss is an error later
            return offset - self.offset_centre

    def _measures(self, batch: Batch) -> list[NDArray[Any]]:
        assert self.roles is not None
        return numeric_columns(batch.data, self.roles.measures, len(self.roles.numbers))
