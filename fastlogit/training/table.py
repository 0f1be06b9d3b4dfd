"""A whole table as a feature matrix X and targets t, to train on; text becomes categories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit.core.arrow import as_type, decoded_type, from_numpy, is_number
from fastlogit.core.checks import TOLERANCE, listed, shown, true_or_false, whole_number
from fastlogit.core.checks import missing as checked_missing
from fastlogit.matrix import onehot
from fastlogit.tables.errors import ColumnError
from fastlogit.tables.record_batches import is_unnamed
from fastlogit.tables.source import open_table
from fastlogit.training.categories import (
    MOST_COLUMNS,
    Categories,
    choose_categories,
    find_categories,
    reason_against,
    refuse,
)
from fastlogit.training.roles import FINITE, adding_remedies, choose_roles, find_columns
from fastlogit.training.table_labels import (
    Labels,
    find_labels,
    must_be_absent,
    probability_targets,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from fastlogit.core.checks import Missing
    from fastlogit.tables.csv_options import CSVOptions
    from fastlogit.tables.table import Batch, Columns, Table
    from fastlogit.training.roles import ColumnRoles
    from fastlogit.training.targets import Label

# In a table of at least this many rows, a note says if a column has a category for each row.
_LEAST_NOTED = 20
# Few enough that the rows of X, which are filled column by column, stay in the cache.
_BATCH_ROWS = 1 << 14


class TrainingData(NamedTuple):
    """The result of :func:`read_table`.

    Attributes
    ----------
    X : ndarray or csr_array (n, d)
        Row-major; CSR if there are categories, and for LIBSVM.  float32 if that holds all numbers
        exactly, else float64.
    t : ndarray (n,), or (n, K)
        float64: in [0, 1]; or class numbers, 0 to K - 1, if there are more than two labels; or
        their probabilities.
    feature_names : tuple of str, or None
        None if the columns have no names.
    skipped : int
        Number of rows left out.
    categories : dict of tuple of str or None
        For each text column, the categories in the rows that were kept, in order.  If the last one
        is None, it is a group of rare ones.  Each has a feature; these follow the features that are
        numbers, in the order that :class:`fastlogit.LogisticModel` needs.
    classes : tuple of labels
        The labels of t = 0, t = 1 and so on, for :class:`fastlogit.LogisticModel`.
    weight, offset : ndarray (n,), or None
        float64; `offset` is (n, K) if there are K labels, more than two.
    notes : tuple of str
        Warnings for people: an index of the rows was left out, a column has a category for each
        row or only rare ones, or a label may be a mistake.
    """

    X: Any
    t: NDArray[np.float64]
    feature_names: tuple[str, ...] | None
    skipped: int
    categories: dict[str, tuple[str | None, ...]]
    classes: tuple[Label, ...] = (0, 1)
    weight: NDArray[np.float64] | None = None
    offset: NDArray[np.float64] | None = None
    notes: tuple[str, ...] = ()


def read_table(
    source: Any,
    label: Columns = None,
    *,
    positive: Label | None = None,
    weight: str | int | None = None,
    offset: Columns = None,
    missing: Missing = "error",
    categorical: Sequence[str] = (),
    ignore: Sequence[str] = (),
    min_count: int = 1,
    drop_first: bool = False,
    intercept: bool = True,
    source_format: str | None = None,
    width: int | None = None,
    csv: CSVOptions | None = None,
) -> TrainingData:
    """Read a column of a table as the target t, and all others as the features X.

    Parameters
    ----------
    source, source_format : path or table, str
        As in :func:`fastlogit.score`.
    label : str or int, or sequence of these, optional
        The target's column: its name, or its position if columns have no names (-1 is the last).
        Or columns with the probabilities of the classes, whose names are the labels.
        LIBSVM has labels besides its columns and needs none.
    positive : label, optional
        The label of t = 1; default: the later one of two labels in their order.
    weight : str or int, optional
        Column of sample weights; it is no feature.
    offset : str or int, or sequence of these, optional
        Column of a known addition to the logits; it is no feature.  More than two labels need a
        column for each, in their order.
    missing : {"error", "skip"}
        Whether a null or NaN raises an error that names the column, or its row is left out.
    categorical : sequence of str
        Columns to read as text: integers, booleans, or text that looks like numbers, dates or
        identifiers.
    ignore : sequence of str
        Columns that are left out.
    min_count : int
        Categories of a column with fewer rows are grouped into one, which is None in `categories`.
        When the model scores, all texts without a category of their own belong to this group, so
        none is unknown.  A single rare category makes a group, even if that has fewer rows as well;
        if all are rare, the group is the only category.  A column without rare categories has no
        group.  Rows that are left out do not count; weights are ignored.
    drop_first : bool
        Whether the first category of each column has no feature.  With an intercept and without a
        penalty, the features would otherwise be collinear.
    intercept : bool
        Whether the model will have one; without it, the first text column keeps all categories.
    width : int, optional
        Number of columns of LIBSVM; default: the largest index in it.
    csv : CSVOptions, optional
        How a CSV or TSV is written: its delimiter, decimals, encoding and missing values.

    Returns
    -------
    TrainingData
        Memory is needed for one copy of X, or two of LIBSVM; and for a quarter more while the
        number of rows is unknown.

    Raises
    ------
    OSError
        If a file cannot be read.
    ValueError
        If there is no such label or column; if a column holds neither numbers nor categories, but
        formatted numbers, dates, identifiers, or numbers and words; if a value is missing,
        infinite, or a negative weight; or if the targets are neither labels nor numbers between
        0 and 1.  The message names the column, and a row (from 0).

    Notes
    -----
    Labels are as in :func:`fastlogit.fit`: numbers between 0 and 1 are t; two other labels, or
    more that are text or whole numbers, are t = 0, t = 1 and so on in their order.  ``true`` and
    ``false`` in a CSV are booleans.  If a third label of a CSV looks like a missing value, such as
    "?", that is an error unless `csv` gives the missing values.
    The index of a data frame is no feature unless `categorical` names it; `notes` says so.

    A model needs the categories and classes to score other tables::

        model = fl.fit(data.X, data.t, classes=data.classes, feature_names=data.feature_names)
        model = dataclasses.replace(model, categories=data.categories)

    Examples
    --------
    >>> from fastlogit.data import flights_path
    >>> from fastlogit.scoring import read_table
    >>> data = read_table(flights_path(), "late", missing="skip")
    >>> data.X.shape, data.X.dtype, data.t.mean().item(), data.skipped
    ((327346, 48), dtype('float32'), 0.23714968259884037, 9430)
    >>> data = read_table({"late": ["no", "yes", "no"], "month": [1, 1, 2],
    ...                    "from": ["JFK", "LGA", "JFK"]}, "late")
    >>> data.X.toarray().tolist(), data.t.tolist()
    ([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [2.0, 1.0, 0.0]], [0.0, 1.0, 0.0])
    >>> data.feature_names, data.categories, data.classes
    (('month', 'from=JFK', 'from=LGA'), {'from': ('JFK', 'LGA')}, ('no', 'yes'))
    >>> data = read_table({"late": [0, 1, 1, 0], "from": ["JFK", "LGA", "JFK", "EWR"]}, "late",
    ...                   min_count=2)
    >>> data.feature_names, data.categories
    (('from=JFK', 'from (all others)'), {'from': ('JFK', None)})
    """
    checked_missing(missing, ("error", "skip"))
    drop_first = true_or_false(drop_first, "drop_first")
    intercept = true_or_false(intercept, "intercept")
    min_count = whole_number(min_count, "min_count", 1)
    if not isinstance(positive, bool | int | float | str | np.generic | None):
        raise TypeError(f"positive must be a label; got {shown(positive)}")
    table = open_table(source, file_format=source_format, width=width, csv=csv)
    targets = find_labels(table, label)
    if not targets:
        must_be_absent(table, weight=weight, offset=offset)
        for argument, names in (("ignore", ignore), ("categorical", categorical)):
            find_columns(table, names, argument)
        return _read_libsvm(table, missing, positive)
    roles = choose_roles(table, targets, weight, offset, categorical, ignore)
    with adding_remedies(table, roles):
        read = _read_rows(table, roles, missing, min_count)
    rows, skipped = read.rows, read.total - read.rows.count
    vectors = list(rows.vectors)
    if read.labels is not None:
        t, classes, _ = read.labels.targets(vectors.pop(0), positive)
    else:
        count = len(targets)
        t, classes, _ = probability_targets(table, targets, vectors[-count:], positive)
        del vectors[-count:]
    weights = vectors.pop(0) if weight is not None else None
    offsets = _offsets(table, vectors, classes)
    if table.names is None:
        return TrainingData(rows.X, t, None, skipped, {}, classes, weights, offsets)
    _refuse_texts(table, roles, read)
    dropped = [int(drop_first and (intercept or place > 0)) for place in range(len(read.texts))]
    feature_names, categories = _name_features(table, roles, read.categories, dropped)
    X = _one_hot(read, dropped) if categories else rows.X
    notes = _notes(table, roles, read, min_count, classes)
    return TrainingData(X, t, feature_names, skipped, categories, classes, weights, offsets, notes)


# Reading ----------------------------------------------------------------------------------


class _Rows:
    """Rows of X and of its vectors, which grow in place.

    Attributes
    ----------
    X : ndarray (n, d + number of text columns)
        The numbers; and in the last columns 1, the value of the one category that a row has.
    vectors : list of ndarray (n,)
        Numbers that are no features: the labels first.
    codes : ndarray (n, number of text columns)
        The number of this category.
    """

    def __init__(self, rows: int, d: int, vectors: int, text: int, dtype: np.dtype[Any]) -> None:
        self.X = np.empty((rows, d + text), dtype)
        self.vectors = [np.empty(rows) for _ in range(vectors)]
        self.codes = np.empty((rows, text), np.int32)
        self.count = 0

    def append(
        self,
        columns: list[NDArray[Any]],
        vectors: list[NDArray[Any]],
        codes: list[NDArray[np.int32]],
    ) -> None:
        """Add the rows of a batch."""
        here = slice(self.count, self.count + len(vectors[0]))
        if here.stop > len(self.X):
            self.resize(max(here.stop, len(self.X) * 5 // 4))
        for j, column in enumerate(columns):
            self.X[here, j] = column
        for vector, values in zip(self.vectors, vectors, strict=True):
            vector[here] = values
        for j, column in enumerate(codes):
            self.codes[here, j] = column
        self.X[here, len(columns) :] = 1.0
        self.count = here.stop

    def resize(self, rows: int) -> None:
        """Change the number of rows; the system moves the pages instead of copying them."""
        for array in (self.X, self.codes, *self.vectors):
            array.resize((rows, *array.shape[1:]), refcheck=False)


class _Read(NamedTuple):
    """The rows of a table that have no missing value, and how many rows it has in all."""

    rows: _Rows
    labels: Labels | None
    # Of each text column: all its texts, and its categories, where rare texts are grouped.
    texts: list[Categories]
    categories: list[tuple[str | None, ...]]
    total: int


def _read_rows(table: Table, roles: ColumnRoles, missing: str, min_count: int) -> _Read:
    numeric, order = [*roles.numbers, *roles.measures], roles.order
    dtype = np.result_type(np.float32, *(table.dtypes[position] for position in roles.numbers))
    d = len(roles.numbers)
    count = len(roles.labels) + len(roles.measures)
    rows = _Rows(table.rows or 0, d, count, len(roles.text), dtype)
    labels = Labels(table, roles.labels[0]) if roles.labels else None
    texts = [Categories() for _ in roles.text]
    total = 0
    absent = np.zeros(len(order), np.int64)
    text = {*roles.labels, *roles.text}
    for batch in table.read(table.want(order, text=text, batch_rows=_BATCH_ROWS)):
        arrays = _to_numpy(batch.data, numeric)
        _check_values(table, roles, arrays, batch)
        others = [
            _as_categories(table, batch.data.column(place), position)
            for place, position in enumerate(roles.text, len(order) - len(roles.text))
        ]
        if labels is not None:
            others.insert(0, labels.parse(_column(batch.data, roles.labels[0], len(numeric))))
        nulls = [_is_null(column) for column in (*arrays, *others)]
        absent += [np.count_nonzero(null) for null in nulls]
        total += len(nulls[0])
        present = np.flatnonzero(~np.logical_or.reduce(nulls))
        if len(present) < len(nulls[0]):
            arrays = [column[present] for column in arrays]
            others = [column.take(_as_indices(column, present)) for column in others]
        here = batch.first + present
        vectors = arrays[d:]
        if labels is not None:
            vectors.insert(0, labels.add(others.pop(0), batch.file, here))
        codes = [
            values.number(column, batch.file, here)
            for values, column in zip(texts, others, strict=True)
        ]
        rows.append(arrays[:d], vectors, codes)
    if rows.count == 0 or (missing == "error" and absent.any()):
        _refuse_empty(table, roles, absent, total)
    if missing == "error" and absent.any():
        _refuse_missing(table, order, absent, total)
    _must_have_rows(table, rows.count, total)
    rows.resize(rows.count)
    categories = [choose_categories(one.numbers, one.counts, min_count) for one in texts]
    return _Read(rows, labels, texts, categories, total)


def _offsets(
    table: Table, columns: list[NDArray[np.float64]], classes: Sequence[Label]
) -> NDArray[np.float64] | None:
    """The offsets as they belong to the logits; None without a column."""
    logits = 1 if len(classes) == 2 else len(classes)
    if len(columns) not in (0, logits):
        plural = "s, one for each label" if logits > 1 else ""
        raise ValueError(
            f"{table.name}: offset must be {logits} column{plural}; got {len(columns)}"
        )
    if not columns:
        return None
    return columns[0] if logits == 1 else np.column_stack(columns)


def _column(data: Any, position: int, place: int) -> Any:
    """A column of an array by its position, or of a record batch by its place in that."""
    return data.column(place) if hasattr(data, "column") else data[:, position]


def _to_numpy(data: Any, positions: list[int]) -> list[NDArray[Any]]:
    """Columns of numbers, in this order, with NaN for nulls."""
    columns = [_column(data, position, place) for place, position in enumerate(positions)]
    if not hasattr(data, "column"):
        return columns
    import pyarrow as pa

    # Arrow's booleans are single bits.
    columns = [one.cast(pa.uint8()) if pa.types.is_boolean(one.type) else one for one in columns]
    return [column.to_numpy(zero_copy_only=False) for column in columns]


def _as_categories(table: Table, column: Any, position: int) -> Any:
    """A text column as strings; booleans become integers if another file has integers."""
    kind = decoded_type(table.schema.field(position).type)
    if table.typed and is_number(kind):
        column = as_type(column, kind)
    return onehot.as_text(table.clean_text(column))


def _is_null(column: Any) -> NDArray[np.bool_]:
    if isinstance(column, np.ndarray):
        return np.isnan(column)
    null: NDArray[np.bool_] = column.is_null().to_numpy(zero_copy_only=False)
    return null


def _as_indices(column: Any, rows: NDArray[np.int64]) -> Any:
    """Row numbers in the form that the column's `take` needs."""
    return rows if isinstance(column, np.ndarray) else from_numpy(rows)


def _read_libsvm(table: Table, missing: str, positive: Label | None) -> TrainingData:
    """Read CSR matrices with their labels."""
    from scipy.sparse import csr_array, vstack

    labels = Labels(table, None)
    matrices, numbers, rows = [], [], 0
    for batch in table.read(table.want(range(len(table.dtypes)))):
        X, t = batch.data, labels.parse(batch.labels)
        row_numbers = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        if np.isinf(X.data).any():
            row = batch.first + int(row_numbers[np.argmax(np.isinf(X.data))])
            raise ValueError(f"{batch.file}: every value must be finite; got inf in row {row}")
        absent = np.isnan(t)
        absent[row_numbers[np.isnan(X.data)]] = True
        if missing == "error" and absent.any():
            row = batch.first + int(np.argmax(absent))
            raise ValueError(
                f"{batch.file}: row {row} has a missing value (missing='skip' leaves out such rows)"
            )
        rows += t.size
        present = np.flatnonzero(~absent)
        matrices.append(X if present.size == t.size else X[present])
        numbers.append(labels.add(t[present], batch.file, batch.first + present))
    count = sum(map(len, numbers))
    _must_have_rows(table, count, rows)
    t, classes, _ = labels.targets(np.concatenate(numbers), positive)
    X = csr_array(vstack(matrices, "csr"))
    return TrainingData(X, t, None, rows - count, {}, classes)


# Features ---------------------------------------------------------------------------------


def _name_features(
    table: Table, roles: ColumnRoles, categories: list[tuple[str | None, ...]], dropped: list[int]
) -> tuple[tuple[str, ...], dict[str, tuple[str | None, ...]]]:
    """Names of the features, and the categories of each text column."""
    assert table.names is not None
    names = [table.names[position] for position in roles.numbers]
    taken = set(names)  # includes the names of categories that have no feature
    named = {}
    for position, values, first in zip(roles.text, categories, dropped, strict=True):
        column = table.names[position]
        named[column] = values
        own = [onehot.feature_name(column, one) for one in values]
        if twice := taken & set(own):
            raise ValueError(
                f"{table.name}: {shown(min(twice))} is a feature twice, once of {column!r}"
            )
        taken |= set(own)
        names += own[first:]
    return tuple(names), named


def _one_hot(read: _Read, dropped: list[int]) -> Any:
    """X as a CSR matrix with a column for each category."""
    from scipy.sparse import csr_array

    rows = read.rows
    n, width = rows.X.shape
    d = width - len(read.texts)
    indices = np.empty((n, width), np.int32)
    indices[:, :d] = np.arange(d)
    total = d
    columns = zip(read.texts, read.categories, dropped, rows.codes.T, strict=True)
    for j, (texts, categories, first, codes) in enumerate(columns, d):
        place = find_categories(texts.numbers, categories)[codes] - first
        # A category without a feature is stored as 0, in any column.
        rows.X[:, j] = place >= 0
        size = len(categories) - first
        indices[:, j] = np.maximum(place, 0) + total if size else 0
        total += size
    if total == 0:
        raise ValueError("X must have a column that is not the same everywhere")
    index_type = np.int32 if n * width < 2**31 else np.int64
    indptr = np.arange(n + 1, dtype=index_type) * index_type(width)
    return csr_array((rows.X.reshape(-1), indices.reshape(-1), indptr), (n, total))


def _notes(
    table: Table,
    roles: ColumnRoles,
    read: _Read,
    min_count: int,
    classes: Sequence[Label],
) -> tuple[str, ...]:
    """Notes on index columns, on columns with one category or too many, and on labels."""
    assert table.names is not None
    notes = [_index_note(table, position) for position in roles.index_columns]
    count = read.rows.count
    for position, categories in zip(roles.text, read.categories, strict=True):
        reason = ""
        if categories == (None,):
            reason = f"has fewer than {min_count} rows of each text, so all are one category"
        elif position not in roles.chosen and len(categories) == count >= _LEAST_NOTED:
            reason = f"has a category for each of its {count} rows"
        if reason:
            remedy = f"ignore=[{table.names[position]!r}] leaves it out"
            notes.append(f"{table.describe(position)} of {table.name} {reason} ({remedy})")
    notes += read.labels.notes(classes) if read.labels is not None else []
    return tuple(notes)


def _index_note(table: Table, position: int) -> str:
    """A note that an index column was left out, and how to make it a feature."""
    assert table.names is not None
    unnamed = is_unnamed(table.names[position])
    remedy = "under another name" if unnamed else "after reset_index() in pandas"
    return (
        f"left out {table.describe(position)} of {table.name}, which is an index of the rows "
        f"({remedy} it is a feature)"
    )


# Errors -----------------------------------------------------------------------------------


def _check_values(
    table: Table, roles: ColumnRoles, arrays: list[NDArray[Any]], batch: Batch
) -> None:
    """Check the values of a batch, whose rows are still numbered as in the file; NaN is allowed."""
    positions = [*roles.numbers, *roles.measures]
    for position, column in zip(positions, arrays, strict=True):
        rule = roles.rules.get(position, FINITE)
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


def _refuse_texts(table: Table, roles: ColumnRoles, read: _Read) -> None:
    """Raise one error for all text columns that have no categories."""
    assert table.names is not None
    reasons = {
        table.names[position]: reason_against(
            texts, len(categories), table.name, read.rows.count, table.csv
        )
        for position, texts, categories in zip(roles.text, read.texts, read.categories, strict=True)
        if position not in roles.chosen
    }
    if any(reasons.values()):
        numbers = (read.rows.X, *read.rows.vectors)
        has_fractions = any((values != np.trunc(values)).any() for values in numbers)
        refuse(table.name, reasons, may_be_text=True, csv=table.csv, has_fractions=has_fractions)


def _refuse_empty(table: Table, roles: ColumnRoles, absent: NDArray[np.int64], rows: int) -> None:
    """Raise an error if columns are empty; without them, no value may be missing."""
    counts = zip(roles.order, absent.tolist(), strict=True)
    empty = [position for position, count in counts if count == rows > 0]
    features = [one for one in empty if one not in (*roles.labels, *roles.measures)]
    if not empty:
        return
    remedy = ""
    if features and table.names is not None:
        names = [table.names[one] for one in features[:MOST_COLUMNS]]
        remedy = f" (ignore={names!r} leaves out {'that column' if len(names) == 1 else 'those'})"
    columns = listed([table.names[one] if table.names else one for one in empty], MOST_COLUMNS)
    plural, has = ("", "has") if len(empty) == 1 else ("s", "have")
    raise ValueError(f"{table.name}: column{plural} {columns} {has} no value in any row{remedy}")


def _refuse_missing(table: Table, order: list[int], absent: NDArray[np.int64], rows: int) -> None:
    """Raise the error for missing values."""
    first = int(np.argmax(absent > 0))
    count, others = int(absent[first]), int(np.count_nonzero(absent)) - 1
    also = f", and there are some in {others} other column{'s' * (others > 1)}" if others else ""
    raise ValueError(
        f"{table.name}: {table.describe(order[first])} has {count} missing "
        f"value{'s' * (count > 1)} in {rows} row{'s' * (rows > 1)}{also} (missing='skip' leaves "
        "those rows out)"
    )


def _must_have_rows(table: Table, count: int, rows: int) -> None:
    if count == 0:
        raise ValueError(f"{table.name}: has no rows{' without a missing value' * (rows > 0)}")
