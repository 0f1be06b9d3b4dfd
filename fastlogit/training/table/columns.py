"""A batch of a table that is trained on: its columns by role, without rows that miss a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit.core.arrow import as_type, decoded_type, from_numpy, is_number
from fastlogit.core.checks import TOLERANCE
from fastlogit.matrix import onehot
from fastlogit.tables.errors import ColumnError
from fastlogit.training.table.labels import Labels
from fastlogit.training.table.roles import FINITE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from fastlogit.tables.table import Batch, Table
    from fastlogit.training.table.categories import Categories
    from fastlogit.training.table.roles import ColumnRoles


class BatchColumns(NamedTuple):
    """The columns of a batch; all but `absent` and `read` are of rows without a missing value."""

    # Features that are numbers; weight, offsets and probabilities of classes, in this order.
    numbers: list[NDArray[Any]]
    measures: list[NDArray[Any]]
    # Numbers that stand for labels (`Labels.add`); None if the targets are probabilities.
    labels: NDArray[np.float64] | None
    # Of each column of text, the number of the row's category.
    codes: list[NDArray[np.int32]]
    # The rows that these are, counted within the batch.
    present: NDArray[np.int64]
    # Missing values of each column, in the order of the roles, and all rows of the batch.
    absent: NDArray[np.int64]
    read: int

    def have_fractions(self) -> bool:
        """Whether a column of numbers holds one that is not whole."""
        return any((one != np.trunc(one)).any() for one in (*self.numbers, *self.measures))


def read_columns(
    table: Table,
    roles: ColumnRoles,
    batch: Batch,
    labels: Labels | None,
    categories: Sequence[Categories],
) -> BatchColumns:
    """Check the columns of a batch, and number its labels and categories."""
    d = len(roles.numbers)
    arrays, others = _columns_by_role(table, roles, batch, labels)
    # Each column is read from memory once here, which takes longer than the arithmetic.
    finite = [_is_finite(column) for column in arrays]
    _check_values(table, roles, arrays, finite, batch)
    absent, present = _find_absent([*arrays, *others], [*finite, *map(_is_full, others)])
    read = batch.rows
    if present.size < read:
        arrays = [column[present] for column in arrays]
        others = [column.take(_as_indices(column, present)) for column in others]
    here = batch.first + present
    added = None if labels is None else labels.add(others.pop(0), batch.file, here)
    codes = [
        values.number(column, batch.file, here)
        for values, column in zip(categories, others, strict=True)
    ]
    return BatchColumns(arrays[:d], arrays[d:], added, codes, present, absent, read)


def present_rows(table: Table, roles: ColumnRoles, batch: Batch) -> NDArray[np.int64]:
    """The rows of a batch without a missing value, whose columns `read_columns` has checked."""
    labels = Labels(table, roles.labels[0]) if roles.labels else None
    arrays, others = _columns_by_role(table, roles, batch, labels)
    columns = [*arrays, *others]
    return _find_absent(columns, map(_is_full, columns))[1]


def _columns_by_role(
    table: Table, roles: ColumnRoles, batch: Batch, labels: Labels | None
) -> tuple[list[NDArray[Any]], list[Any]]:
    """The columns of numbers; and the labels, if there are any, with the columns of text."""
    numeric = [*roles.numbers, *roles.measures]
    arrays = numeric_columns(batch.data, numeric)
    others = [
        text_column(table, batch.data.column(place), position)
        for place, position in enumerate(roles.text, len(roles.order) - len(roles.text))
    ]
    if labels is not None:
        others.insert(0, labels.parse(column_at(batch.data, roles.labels[0], len(numeric))))
    return arrays, others


def _find_absent(
    columns: Sequence[Any], full: Iterable[bool]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The number of missing values of each column, and the rows without any.

    `full` is true for the columns that are known to have all values.
    """
    absent = np.zeros(len(columns), np.int64)
    lacking = np.zeros(len(columns[0]), np.bool_)
    for place, (column, is_full) in enumerate(zip(columns, full, strict=True)):
        if not is_full:
            null = _is_null(column)
            absent[place] = np.count_nonzero(null)
            lacking |= null
    return absent, np.flatnonzero(~lacking)


def column_at(data: Any, position: int, place: int) -> Any:
    """A column of an array by its position, or of a record batch by its place in that."""
    return data.column(place) if hasattr(data, "column") else data[:, position]


def numeric_columns(data: Any, positions: Sequence[int], first: int = 0) -> list[NDArray[Any]]:
    """Columns of numbers, in this order, with NaN for nulls.

    In a record batch they begin at the place `first`.
    """
    columns = [column_at(data, position, place) for place, position in enumerate(positions, first)]
    if not hasattr(data, "column"):
        return columns
    import pyarrow as pa

    # Arrow's booleans are single bits.
    columns = [one.cast(pa.uint8()) if pa.types.is_boolean(one.type) else one for one in columns]
    return [column.to_numpy(zero_copy_only=False) for column in columns]


def text_column(table: Table, column: Any, position: int) -> Any:
    """A text column as strings; booleans become integers if another file has integers."""
    kind = decoded_type(table.schema.field(position).type)
    if table.typed and is_number(kind):
        column = as_type(column, kind)
    return onehot.as_text(table.clean_text(column))


def _is_full(column: Any) -> bool:
    """Whether no value is null or NaN; False also if a value is infinite."""
    return _is_finite(column) if isinstance(column, np.ndarray) else column.null_count == 0


def _is_finite(column: NDArray[Any]) -> bool:
    """Whether all numbers are finite."""
    if column.dtype.kind != "f" or column.size == 0:
        return True
    # NaN is the minimum and the maximum of any numbers with it.
    return bool(np.isfinite(column.min()) and np.isfinite(column.max()))


def _is_null(column: Any) -> NDArray[np.bool_]:
    if isinstance(column, np.ndarray):
        return np.isnan(column)
    null: NDArray[np.bool_] = column.is_null().to_numpy(zero_copy_only=False)
    return null


def _as_indices(column: Any, rows: NDArray[np.int64]) -> Any:
    """Row numbers in the form that the column's `take` needs."""
    return rows if isinstance(column, np.ndarray) else from_numpy(rows)


def _check_values(
    table: Table,
    roles: ColumnRoles,
    arrays: list[NDArray[Any]],
    finite: list[bool],
    batch: Batch,
) -> None:
    """Check the values of a batch, whose rows are still numbered as in the file; NaN is allowed."""
    positions = [*roles.numbers, *roles.measures]
    for position, column, is_finite in zip(positions, arrays, finite, strict=True):
        rule = roles.rules.get(position, FINITE)
        if rule is FINITE and is_finite:
            continue
        bad = np.isinf(column) | (column < rule.least)
        if bad.any():
            row = int(np.argmax(bad))
            text = str(column[row])
            remedy = table.csv.as_missing([text]) if table.csv and "inf" in text else ""
            names = [table.names[position]] if table.names else []
            raise ColumnError(
                f"{batch.file}: {table.describe(position)} must {rule.text}; got {text} in row "
                f"{batch.first + row}{remedy}",
                names,
            )
    if len(roles.targets) > 1:
        total = np.sum(arrays[-len(roles.targets) :], axis=0)
        if (wrong := abs(total - 1.0) > TOLERANCE).any():
            row = int(np.argmax(wrong))
            raise ValueError(
                f"{batch.file}: the labels must be probabilities with the sum 1; got "
                f"{total[row]:.9g} in row {batch.first + row}"
            )


# Matrices with labels besides their columns ------------------------------------------------


class BatchMatrix(NamedTuple):
    """The contents of a batch that is a matrix, with its labels apart."""

    # Of the rows without a missing value: numbers that stand for labels, or probabilities (n, K);
    # and these rows.
    labels: NDArray[np.float64]
    present: NDArray[np.int64]
    # The first row with a missing value, if there is one, and all rows of the batch.
    first_absent: int | None
    read: int


def is_soft(batch: Batch) -> bool:
    """Whether a batch has the probabilities of the classes besides its columns."""
    return isinstance(batch.labels, np.ndarray) and batch.labels.ndim == 2


def read_matrix(batch: Batch, labels: Labels) -> BatchMatrix:
    """Check a batch of LIBSVM, or of arrays with their labels, and number its labels."""
    X, soft = batch.data, is_soft(batch)
    t = batch.labels if soft else labels.parse(batch.labels)
    absent = np.isnan(t) if isinstance(t, np.ndarray) else _is_null(t)
    if soft:
        absent = np.logical_or.reduce(absent, axis=1)
    if not _is_finite(X.data if hasattr(X, "indptr") else X):
        infinite = _rows_where(np.isinf, X)
        if infinite.size:
            row = batch.first + int(infinite[0])
            raise ValueError(f"{batch.file}: every value must be finite; got inf in row {row}")
        absent[_rows_where(np.isnan, X)] = True
    present = np.flatnonzero(~absent)
    first = int(np.argmax(absent)) if present.size < absent.size else None
    if soft:
        return BatchMatrix(t[present], present, first, absent.size)
    kept = t if first is None else t.take(_as_indices(t, present))
    added = labels.add(kept, batch.file, batch.first + present)
    return BatchMatrix(added, present, first, absent.size)


def _rows_where(test: Callable[[Any], NDArray[np.bool_]], X: Any) -> NDArray[np.int64]:
    """The rows with an element that passes a test; a row of CSR may be there several times."""
    if hasattr(X, "indptr"):
        return np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))[test(X.data)]
    return np.flatnonzero(test(X).any(axis=1))


def missing_row(file: str, row: int) -> ValueError:
    """The error for a missing value in a row of a file or partition."""
    return ValueError(
        f"{file}: row {row} has a missing value (missing='skip' leaves out such rows)"
    )
