"""A whole table as a feature matrix and its targets, to train on; text becomes categories."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit.core.arrow import array_of, as_type, is_number, plain_type
from fastlogit.core.checks import missing as checked_missing
from fastlogit.core.checks import names as checked_names
from fastlogit.core.checks import shown, true_or_false
from fastlogit.matrix import onehot
from fastlogit.tables.categories import MOST_COLUMNS, Categories, Reason, refuse, why_none
from fastlogit.tables.source import open_table
from fastlogit.tables.table import ColumnError, Conflict
from fastlogit.training.targets import Labels, find_labels, must_be_absent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from fastlogit.core.checks import Missing
    from fastlogit.tables.csv_options import CSVOptions
    from fastlogit.tables.table import Batch, Table
    from fastlogit.training.labels import Label


class Rule(NamedTuple):
    """The least number that a column may hold, and how messages say it."""

    least: float
    text: str


_FINITE = Rule(-math.inf, "be finite")
_WEIGHT = Rule(0.0, "be finite and not negative, as it is the weight")
# From so many rows on, it is noted if each has a category of its own.
_LEAST_NOTED = 20
# Small enough that the rows being filled, column by column, stay in the cache.
_BATCH_ROWS = 1 << 14


class TrainingData(NamedTuple):
    """What :func:`read_table` read.

    Attributes
    ----------
    X : ndarray or csr_array (n, d)
        Row-major; CSR if there are categories, and of LIBSVM; float32 if that holds every column
        of numbers exactly, else float64.
    t : ndarray (n,)
        float64, in [0, 1].
    feature_names : tuple of str, or None
        None if the columns have no names.
    skipped : int
        Rows left out.
    categories : dict of tuple of str
        Of each column of text, in order, those of rows that are not left out.  It has a feature
        for each of them, after those of numbers, as :class:`fastlogit.LogisticModel` wants them.
    classes : tuple of two labels
        What t = 0 and t = 1 stand for, as :class:`fastlogit.LogisticModel` wants them.
    weight, offset : ndarray (n,), or None
        float64.
    notes : tuple of str
        What may not be as it was meant: an index of the rows was left out, or a column has a
        category for each row.
    """

    X: Any
    t: NDArray[np.float64]
    feature_names: tuple[str, ...] | None
    skipped: int
    categories: dict[str, tuple[str, ...]]
    classes: tuple[Label, Label] = (0, 1)
    weight: NDArray[np.float64] | None = None
    offset: NDArray[np.float64] | None = None
    notes: tuple[str, ...] = ()


def read_table(
    source: Any,
    label: str | int | None = None,
    *,
    positive: Label | None = None,
    weight: str | int | None = None,
    offset: str | int | None = None,
    missing: Missing = "error",
    categorical: Sequence[str] = (),
    ignore: Sequence[str] = (),
    drop_first: bool = False,
    intercept: bool = True,
    source_format: str | None = None,
    width: int | None = None,
    csv: CSVOptions | None = None,
) -> TrainingData:
    """Read one column of a table as the target t, and all others as the features X.

    Parameters
    ----------
    source, source_format : path or table, str
        As of :func:`fastlogit.score`.
    label : str or int, optional
        Name of the target's column, or where columns have none its position (-1 is the last).
        LIBSVM has labels of its own, and needs none.
    positive : label, optional
        Which of two labels is t = 1; default: the later one in their order.
    weight, offset : str or int, optional
        Columns of sample weights, and of a known addition to the logits; they are no features.
    missing : {"error", "skip"}
        What a row with a null or NaN gives: an error that names the column, or nothing.
    categorical : sequence of str
        Columns to take as text: text that looks like numbers, dates or identifiers, integers, or
        booleans.
    ignore : sequence of str
        Columns that are neither read nor features.
    drop_first : bool
        Whether the first category of each column has no feature: without a penalty, the features
        and the intercept would else not be independent.
    intercept : bool
        Whether there will be one; without, the first column of text keeps all categories.
    width : int, optional
        How many columns LIBSVM has; default: as many as its largest index says.
    csv : CSVOptions, optional
        How a CSV or TSV is written: its delimiter, decimals, encoding and missing values.

    Returns
    -------
    TrainingData
        Memory is for one copy of X, of LIBSVM for two; a quarter more while the number of rows is
        not known.

    Raises
    ------
    OSError
        If a file cannot be read.
    ValueError
        If there is no such label or column; a column holds neither numbers nor categories, but
        formatted numbers, dates, identifiers, or numbers and words; a value is missing, infinite
        or a negative weight; or the targets are neither two labels nor between 0 and 1.  It names
        the column, and a row (from 0).

    Notes
    -----
    Labels are those of :func:`fastlogit.fit`: numbers between 0 and 1 are taken as they are, any
    two other labels are t = 0 and t = 1 in their order.  True and False of a CSV are booleans.
    The index of a data frame is no feature, unless `categorical` names it; `notes` says so.

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
    """
    checked_missing(missing, ("error", "skip"))
    drop_first = true_or_false(drop_first, "drop_first")
    intercept = true_or_false(intercept, "intercept")
    if not isinstance(positive, bool | int | float | str | np.generic | None):
        raise TypeError(f"positive must be a label; got {shown(positive)}")
    table = open_table(source, file_format=source_format, width=width, csv=csv)
    target = find_labels(table, label)
    if target is None:
        must_be_absent(table, weight=weight, offset=offset)
        for argument, names in (("ignore", ignore), ("categorical", categorical)):
            _find(table, names, argument)
        return _read_sparse(table, missing, positive)
    columns = _choose(table, target, weight, offset, categorical, ignore)
    with _naming_remedies(table, columns):
        found, labels, categories, rows = _read_rows(table, columns, missing)
    t, classes = labels.targets(found.vectors[0], positive)
    others = iter(found.vectors[1:])
    weights, offsets = (next(others) if one is not None else None for one in (weight, offset))
    skipped = rows - found.count
    if table.names is None:
        return TrainingData(found.X, t, None, skipped, {}, classes, weights, offsets)
    notes = [table.index_note(position) for position in columns.index_columns]
    notes += [
        f"{table.label(position)} of {table.name} has a category for each of its {found.count} "
        f"rows (ignore=[{table.names[position]!r}] leaves it out)"
        for position, values in zip(columns.text, categories, strict=True)
        if position not in columns.chosen and len(values.numbers) == found.count >= _LEAST_NOTED
    ]
    reasons = {
        table.names[position]: why_none(values, table.name, found.count, table.csv)
        for position, values in zip(columns.text, categories, strict=True)
        if position not in columns.chosen
    }
    if any(reasons.values()):
        numbers = (found.X, *found.vectors)
        has_fractions = any((values != np.trunc(values)).any() for values in numbers)
        refuse(table.name, reasons, may_be_text=True, csv=table.csv, has_fractions=has_fractions)
    dropped = [int(drop_first and (intercept or place > 0)) for place in range(len(categories))]
    names, texts = _name_features(table, columns, categories, dropped)
    X = _encode(found, categories, list(texts.values()), dropped) if texts else found.X
    return TrainingData(X, t, names, skipped, texts, classes, weights, offsets, tuple(notes))


class _Columns(NamedTuple):
    """Positions of the columns of a table, by their role."""

    numbers: list[int]
    # Weights, offsets, or both in this order.
    measures: list[int]
    target: int
    text: list[int]
    # Columns that the caller calls categorical.
    chosen: set[int]
    # The index of a data frame, which is left out.
    index_columns: list[int]
    rules: dict[int, Rule]

    @property
    def order(self) -> list[int]:
        """As they are read."""
        return [*self.numbers, *self.measures, self.target, *self.text]


def _choose(
    table: Table,
    target: int,
    weight: str | int | None,
    offset: str | int | None,
    categorical: Sequence[str],
    ignore: Sequence[str],
) -> _Columns:
    """Find and check the columns."""
    what, rules = {target: "label"}, {}
    for argument, name, rule in (("weight", weight, _WEIGHT), ("offset", offset, _FINITE)):
        if name is not None:
            position = table.position(name, argument)
            if position in what:
                raise ValueError(
                    f"{table.name}: {argument} must be a column of its own; got {name!r}, which is "
                    f"the {what[position]}"
                )
            what[position], rules[position] = argument, rule
    measures = list(rules)
    chosen = _find(table, categorical, "categorical")
    ignored = _find(table, ignore, "ignore")
    for position in sorted((ignored | chosen) & what.keys() or ignored & chosen):
        argument = "ignore" if position in ignored else "categorical"
        role = f"the {what[position]}" if position in what else "in categorical"
        raise ValueError(
            f"{table.name}: {argument} must name no column of another use; "
            f"{table.label(position)} is {role}"
        )
    left_out = {target, *measures, *ignored}
    index_columns = [one for one in table.index_columns if one not in left_out | chosen]
    left_out.update(index_columns)
    features = [position for position in range(len(table.dtypes)) if position not in left_out]
    if table.names is not None:
        table.find([table.names[position] for position in features])  # whether they differ
    text = [one for one in features if one in chosen or _is_text(table, one)]
    numbers = sorted(set(features) - set(text))
    if table.names is not None:
        held = {table.names[one]: table.dtypes[one] for one in numbers}
        reasons = {
            name: Reason(f"must hold numbers; it holds {dtype}") if isinstance(dtype, str) else None
            for name, dtype in held.items()
        }
        refuse(table.name, reasons, may_be_text=not table.typed)
    table.must_hold_numbers([*numbers, *measures])
    table.must_hold_text(text)
    if not features:
        raise ValueError(f"{table.name}: has no column beside {table.label(target)}")
    return _Columns(numbers, measures, target, text, chosen, index_columns, rules)


@contextmanager
def _naming_remedies(table: Table, columns: _Columns) -> Iterator[None]:
    """Add to an error of features how to do without them."""
    try:
        yield
    except ColumnError as error:
        names = table.names or ()
        features = {names[one] for one in (*columns.numbers, *columns.text) if names}
        found = [name for name in error.columns if name in features]
        if not found:
            raise
        it = "it" if len(found) == 1 else "them"
        remedy = f"ignore={found!r} leaves {it} out"
        if error.may_be_text:
            remedy = f"categorical={found!r} takes {it} as text, {remedy}"
        raise ValueError(f"{error} ({remedy})") from None


def _read_rows(
    table: Table, columns: _Columns, missing: str
) -> tuple[_Rows, Labels, list[Categories], int]:
    """Read all rows without a missing value; the last result is how many there are in all."""
    numeric, order = [*columns.numbers, *columns.measures], columns.order
    dtype = np.result_type(np.float32, *(table.dtypes[position] for position in columns.numbers))
    d, vectors = len(columns.numbers), 1 + len(columns.measures)
    found = _Rows(table.rows or 0, d, vectors, len(columns.text), dtype)
    labels = Labels(table, columns.target)
    categories = [Categories() for _ in columns.text]
    rows = 0
    absent = np.zeros(len(order), np.int64)
    text = {*columns.text, columns.target}
    for batch in table.read(table.want(order, text=text, batch_rows=_BATCH_ROWS)):
        arrays = _to_numpy(batch.data, numeric)
        _check_values(table, columns, arrays, batch)
        others = [labels.values(_column(batch.data, columns.target, len(numeric)))]
        others += [
            _names(table, batch.data.column(place), position)
            for place, position in enumerate(columns.text, len(numeric) + 1)
        ]
        nulls = [_is_null(column) for column in (*arrays, *others)]
        absent += [np.count_nonzero(null) for null in nulls]
        rows += len(nulls[0])
        present = np.flatnonzero(~np.logical_or.reduce(nulls))
        if len(present) < len(nulls[0]):
            arrays = [column[present] for column in arrays]
            others = [column.take(_indices(column, present)) for column in others]
        here = batch.first + present
        t = labels.add(others[0], batch.file, here)
        codes = [
            values.number(column, batch.file, here)
            for values, column in zip(categories, others[1:], strict=True)
        ]
        found.append(arrays[:d], [t, *arrays[d:]], codes)
    if found.count == 0 or (missing == "error" and absent.any()):
        _refuse_empty(table, columns, absent, rows)
    if missing == "error" and absent.any():
        _refuse(table, order, absent, rows)
    _must_have_rows(table, found.count, rows)
    found.resize(found.count)
    return found, labels, categories, rows


def _name_features(
    table: Table, columns: _Columns, categories: list[Categories], dropped: list[int]
) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Names of the features, and the categories of each column of text."""
    assert table.names is not None
    names = [table.names[position] for position in columns.numbers]
    taken = set(names)  # also by categories without a feature
    texts: dict[str, tuple[str, ...]] = {}
    for position, values, first in zip(columns.text, categories, dropped, strict=True):
        column = table.names[position]
        texts[column] = tuple(sorted(set(values.spelled())))
        features_of = [onehot.feature_name(column, one) for one in texts[column]]
        if twice := taken & set(features_of):
            raise ValueError(
                f"{table.name}: {shown(min(twice))} is a feature twice, once of {column!r}"
            )
        taken |= set(features_of)
        names += features_of[first:]
    return tuple(names), texts


def _read_sparse(table: Table, missing: str, positive: Label | None) -> TrainingData:
    """Read LIBSVM: CSR matrices, each with labels."""
    from scipy.sparse import csr_array, vstack

    labels = Labels(table, None)
    blocks, numbers, rows = [], [], 0
    for batch in table.read(table.want(range(len(table.dtypes)))):
        X, t = batch.data, labels.values(batch.labels)
        row_of = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        if np.isinf(X.data).any():
            row = batch.first + int(row_of[np.argmax(np.isinf(X.data))])
            raise ValueError(f"{batch.file}: every value must be finite; got inf in row {row}")
        absent = np.isnan(t)
        absent[row_of[np.isnan(X.data)]] = True
        if missing == "error" and absent.any():
            row = batch.first + int(np.argmax(absent))
            raise ValueError(
                f"{batch.file}: row {row} has a missing value (missing='skip' leaves out such rows)"
            )
        rows += t.size
        present = np.flatnonzero(~absent)
        blocks.append(X if present.size == t.size else X[present])
        numbers.append(labels.add(t[present], batch.file, batch.first + present))
    count = sum(map(len, numbers))
    _must_have_rows(table, count, rows)
    t, classes = labels.targets(np.concatenate(numbers), positive)
    X = csr_array(vstack(blocks, "csr"))
    return TrainingData(X, t, None, rows - count, {}, classes)


def _must_have_rows(table: Table, count: int, rows: int) -> None:
    if count == 0:
        raise ValueError(f"{table.name}: has no rows{' without a missing value' * (rows > 0)}")


def _is_text(table: Table, position: int) -> bool:
    """Whether a column is read as text: in a CSV also dates, so that the error names one."""
    dtype = table.dtypes[position]
    is_date = not table.typed and isinstance(dtype, str) and not isinstance(dtype, Conflict)
    return is_date or table.holds_text(position)


def _find(table: Table, names: Sequence[str], argument: str) -> set[int]:
    names = checked_names(names, argument)
    if names and table.names is None:
        raise ValueError(f"{table.name}: has no names of columns, so that {argument} finds none")
    return {position for found in table.find_all(names) for position in found}


class _Rows:
    """Rows of X, which grow in place.

    Attributes
    ----------
    X : ndarray (n, d + number of columns of text)
        Numbers, and in the last columns 1, as of the one category that a row has.
    vectors : list of ndarray (n,)
        Numbers that are no features: the labels first.
    codes : ndarray (n, number of columns of text)
        Which category that is.
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
        """Add rows."""
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
        """Change the number of rows, for which the system moves pages and copies none."""
        for array in (self.X, self.codes, *self.vectors):
            array.resize((rows, *array.shape[1:]), refcheck=False)


def _encode(
    rows: _Rows,
    categories: list[Categories],
    texts: list[tuple[str, ...]],
    dropped: list[int],
) -> Any:
    """One-hot encode what is text, of which `texts` has the categories in order."""
    from scipy.sparse import csr_array

    n, width = rows.X.shape
    d = width - len(categories)
    indices = np.empty((n, width), np.int32)
    indices[:, :d] = np.arange(d)
    total = d
    for j, (values, ordered, first) in enumerate(zip(categories, texts, dropped, strict=True), d):
        place_in_order = {text: place for place, text in enumerate(ordered)}
        place_of = np.array([place_in_order[text] for text in values.spelled()], np.int32)
        place = place_of[rows.codes[:, j - d]] - first
        # A category without a feature is an entry of 0, wherever it lies.
        rows.X[:, j] = place >= 0
        size = len(ordered) - first
        indices[:, j] = np.maximum(place, 0) + total if size else 0
        total += size
    if total == 0:
        raise ValueError("X must have a column that is not the same everywhere")
    index_type = np.int32 if n * width < 2**31 else np.int64
    indptr = np.arange(n + 1, dtype=index_type) * index_type(width)
    return csr_array((rows.X.reshape(-1), indices.reshape(-1), indptr), (n, total))


def _column(data: Any, position: int, place: int) -> Any:
    """A column of an array, or of a record batch in which it is at `place`."""
    return data.column(place) if hasattr(data, "column") else data[:, position]


def _names(table: Table, column: Any, position: int) -> Any:
    """A column of categories as strings, booleans as integers where another file has these."""
    kind = plain_type(table.schema.field(position).type)
    if table.typed and is_number(kind):
        column = as_type(column, kind)
    return onehot.as_text(table.text_of(column))


def _to_numpy(data: Any, positions: list[int]) -> list[NDArray[Any]]:
    """Columns of numbers in this order, with NaN for nulls."""
    columns = [_column(data, position, place) for place, position in enumerate(positions)]
    if not hasattr(data, "column"):
        return columns
    import pyarrow as pa

    # Booleans of Arrow are single bits.
    columns = [one.cast(pa.uint8()) if pa.types.is_boolean(one.type) else one for one in columns]
    return [column.to_numpy(zero_copy_only=False) for column in columns]


def _is_null(column: Any) -> NDArray[np.bool_]:
    if isinstance(column, np.ndarray):
        return np.isnan(column)
    null: NDArray[np.bool_] = column.is_null().to_numpy(zero_copy_only=False)
    return null


def _indices(column: Any, rows: NDArray[np.int64]) -> Any:
    """Numbers of rows as the column wants them."""
    return rows if isinstance(column, np.ndarray) else array_of(rows)


def _check_values(
    table: Table, columns: _Columns, arrays: list[NDArray[Any]], batch: Batch
) -> None:
    """Check the rows while they are still counted as in the file; NaN is another matter."""
    positions = [*columns.numbers, *columns.measures]
    for position, column in zip(positions, arrays, strict=True):
        rule = columns.rules.get(position, _FINITE)
        bad = np.isinf(column) | (column < rule.least)
        if bad.any():
            row = int(np.argmax(bad))
            text = str(column[row])
            remedy = table.csv.as_missing([text]) if table.csv and "inf" in text else ""
            names = [table.names[position]] if table.names else []
            raise ColumnError(
                f"{batch.file}: {table.label(position)} must {rule.text}; got {text} in row "
                f"{batch.first + row}{remedy}",
                names,
            )


def _refuse_empty(table: Table, columns: _Columns, absent: NDArray[np.int64], rows: int) -> None:
    """Raise an error if columns are empty: without them, there may be no missing values."""
    counts = zip(columns.order, absent.tolist(), strict=True)
    empty = [position for position, count in counts if count == rows > 0]
    features = [one for one in empty if one not in (columns.target, *columns.measures)]
    if not empty:
        return
    remedy = ""
    if features and table.names is not None:
        names = [table.names[one] for one in features[:MOST_COLUMNS]]
        remedy = f" (ignore={names!r} leaves out {'that column' if len(names) == 1 else 'those'})"
    told = [table.label(one) for one in empty[:MOST_COLUMNS]]
    told += [f"{len(empty) - len(told)} more"] * (len(empty) > len(told))
    has = "has" if len(empty) == 1 else "have"
    raise ValueError(f"{table.name}: {', '.join(told)} {has} no value in any row{remedy}")


def _refuse(table: Table, order: list[int], absent: NDArray[np.int64], rows: int) -> None:
    """Raise the error for missing values."""
    first = int(np.argmax(absent > 0))
    count, others = int(absent[first]), int(np.count_nonzero(absent)) - 1
    also = f", and there are some in {others} other column{'s' * (others > 1)}" if others else ""
    raise ValueError(
        f"{table.name}: {table.label(order[first])} has {count} missing value{'s' * (count > 1)} "
        f"in {rows} row{'s' * (rows > 1)}{also} (missing='skip' leaves those rows out)"
    )
