"""A whole table as a feature matrix and its targets, to train on; text becomes categories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from fastlogit import onehot
from fastlogit.arrays import short
from fastlogit.arrow import array_of
from fastlogit.scoring.sources import open_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from fastlogit.scoring.csv_options import CSVOptions
    from fastlogit.scoring.table import Batch, Table


# Small enough that the rows being filled, column by column, stay in the cache.
_BATCH_ROWS = 1 << 14


class TrainingData(NamedTuple):
    """What :func:`read_table` read.

    Attributes
    ----------
    X : ndarray or csr_array (n, d)
        Row-major; CSR if there are categories; float32 if that holds every column of numbers
        exactly, else float64.
    t : ndarray (n,)
        float64.
    feature_names : tuple of str, or None
        None if the columns have no names.
    skipped : int
        Rows left out.
    categories : dict of tuple of str
        Of each column of text, in order, those of rows that are not left out.  It has a feature
        for each of them, after those of numbers, as :class:`fastlogit.LogisticModel` wants them.
    """

    X: Any
    t: NDArray[np.float64]
    feature_names: tuple[str, ...] | None
    skipped: int
    categories: dict[str, tuple[str, ...]]


def read_table(
    source: Any,
    label: str | int,
    *,
    missing: Literal["error", "skip"] = "error",
    categorical: Sequence[str] = (),
    ignore: Sequence[str] = (),
    drop_first: bool = False,
    intercept: bool = True,
    csv: CSVOptions | None = None,
) -> TrainingData:
    """Read one column of a table as the target t, and all others as the features X.

    Parameters
    ----------
    source : path or table
        As of :func:`fastlogit.score`; LIBSVM excepted.
    label : str, or int
        Name of the target's column, or where columns have none its position (-1 is the last).
    missing : {"error", "skip"}
        What a row with a null or NaN gives: an error that names the column, or nothing.
    categorical : sequence of str
        Columns of integers, booleans or (in a CSV) whatever, that are taken as text.
    ignore : sequence of str
        Columns that are neither read nor features.
    drop_first : bool
        Whether the first category of each column has no feature: without a penalty, the features
        and the intercept would else not be independent.
    intercept : bool
        Whether there will be one; without, the first column of text keeps all categories.
    csv : CSVOptions, optional
        How a CSV or TSV is written: its delimiter, decimals, encoding and missing values.

    Returns
    -------
    TrainingData
        Memory is for one copy of X; a quarter more while the number of rows is not known.

    Raises
    ------
    OSError
        If a file cannot be read.
    ValueError
        If there is no such label or column, a column holds neither numbers nor text, one of a
        CSV holds both, a value is missing or infinite, or a target not between 0 and 1; it names
        column and row (from 0).

    Examples
    --------
    >>> from fastlogit.data import flights_path
    >>> from fastlogit.scoring import read_table
    >>> data = read_table(flights_path(), "late", missing="skip")
    >>> data.X.shape, data.X.dtype, data.t.mean().item(), data.skipped
    ((327346, 48), dtype('float32'), 0.23714968259884037, 9430)
    >>> data = read_table({"late": [1, 0, 1], "month": [1, 1, 2], "from": ["JFK", "LGA", "JFK"]},
    ...                   "late")
    >>> data.X.toarray().tolist()
    [[1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [2.0, 1.0, 0.0]]
    >>> data.feature_names, data.categories
    (('month', 'from=JFK', 'from=LGA'), {'from': ('JFK', 'LGA')})
    """
    if missing not in ("error", "skip"):
        raise ValueError(f"missing must be 'error' or 'skip'; got {missing!r}")
    table = open_table(source, csv=csv)
    target = table.position(label)
    left_out = {target, *_find(table, ignore, "ignore")}
    features = [position for position in range(len(table.dtypes)) if position not in left_out]
    if table.names is not None:
        table.find([table.names[position] for position in features])  # whether they differ
    chosen = _find(table, categorical, "categorical")
    is_text = {one: one in chosen or table.holds_text(one) for one in features}
    text = [one for one in features if is_text[one]]
    numbers = [one for one in features if not is_text[one]]
    order = [*numbers, target, *text]
    table.must_hold_numbers([*numbers, target])
    table.must_hold_text(text)
    if not features:
        raise ValueError(f"{table.name}: has no column beside {table.label(target)}")

    dtype = np.result_type(np.float32, *(table.dtypes[position] for position in numbers))
    found = _Rows(table.rows or 0, len(numbers), len(text), dtype)
    categories = [_Categories() for _ in text]
    rows = 0
    absent = np.zeros(len(order), np.int64)
    for batch in table.read(table.want(order, text=set(text), batch_rows=_BATCH_ROWS)):
        columns = _to_numpy(batch.data, [*numbers, target])
        _check_values(table, [*numbers, target], columns, batch)
        texts_here = [
            onehot.as_text(table.text_of(batch.data.column(place)))
            for place in range(len(columns), len(order))
        ]
        nulls = [np.isnan(column) for column in columns] + [
            column.is_null().to_numpy(zero_copy_only=False) for column in texts_here
        ]
        absent += [np.count_nonzero(null) for null in nulls]
        rows += len(columns[0])
        present = np.flatnonzero(~np.logical_or.reduce(nulls))
        if len(present) < len(columns[0]):
            columns = [column[present] for column in columns]
            texts_here = [column.take(array_of(present)) for column in texts_here]
        codes = [
            values.number(column, batch.file, batch.first + present)
            for values, column in zip(categories, texts_here, strict=True)
        ]
        found.append(columns, codes)
    if missing == "error" and absent.any():
        _refuse(table, order, absent, rows)
    if found.count == 0:
        raise ValueError(f"{table.name}: has no rows{' without a missing value' * (rows > 0)}")
    found.resize(found.count)
    skipped = rows - found.count
    if table.names is None:
        return TrainingData(found.X, found.t, None, skipped, {})
    names = [table.names[position] for position in numbers]
    taken = set(names)  # also by categories without a feature
    texts: dict[str, tuple[str, ...]] = {}
    dropped = [int(drop_first and (intercept or place > 0)) for place in range(len(text))]
    for position, values, first in zip(text, categories, dropped, strict=True):
        if not table.typed and position not in chosen:
            values.must_not_be_mixed(table.label(position))
        column = table.names[position]
        texts[column] = values.sorted()
        features_of = [onehot.feature_name(column, one) for one in texts[column]]
        if twice := taken & set(features_of):
            raise ValueError(
                f"{table.name}: {short(min(twice))} is a feature twice, once of {column!r}"
            )
        taken |= set(features_of)
        names += features_of[first:]
    X = _encode(found, categories, list(texts.values()), dropped) if text else found.X
    return TrainingData(X, found.t, tuple(names), skipped, texts)


def _find(table: Table, names: Sequence[str], argument: str) -> set[int]:
    if isinstance(names, str):
        raise TypeError(f"{argument} must be a sequence of names; got {names!r}")
    if names and table.names is None:
        raise ValueError(f"{table.name}: has no names of columns, so that {argument} finds none")
    return {position for found in table.find_all(list(names)) for position in found}


class _Rows:
    """Rows of X, which grow in place.

    Attributes
    ----------
    X : ndarray (n, d + number of columns of text)
        Numbers, and in the last columns 1, as of the one category that a row has.
    t : ndarray (n,)
    codes : ndarray (n, number of columns of text)
        Which category that is.
    """

    def __init__(self, rows: int, d: int, text: int, dtype: np.dtype[Any]) -> None:
        self.X, self.t = np.empty((rows, d + text), dtype), np.empty(rows)
        self.codes = np.empty((rows, text), np.int32)
        self.count = 0

    def append(self, columns: list[NDArray[Any]], codes: list[NDArray[np.int32]]) -> None:
        """Add rows; the last column is t."""
        here = slice(self.count, self.count + len(columns[0]))
        if here.stop > len(self.t):
            self.resize(max(here.stop, len(self.t) * 5 // 4))
        for j, column in enumerate(columns[:-1]):
            self.X[here, j] = column
        self.t[here] = columns[-1]
        for j, column in enumerate(codes):
            self.codes[here, j] = column
        self.X[here, len(columns) - 1 :] = 1.0
        self.count = here.stop

    def resize(self, rows: int) -> None:
        """Change the number of rows, for which the system moves pages and copies none."""
        for array in (self.X, self.t, self.codes):
            array.resize((rows, *array.shape[1:]), refcheck=False)


class _Categories:
    """The texts of a column, numbered in the order in which they come."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        # Of each, where it came first.
        self.places: list[tuple[str, int]] = []

    def number(self, column: Any, file: str, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Number the values of some rows of a file, of which none is null."""
        encoded = column.dictionary_encode()
        texts = encoded.dictionary.to_pylist()
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        if not self.numbers.keys() >= set(texts):
            _, first = np.unique(codes, return_index=True)
            for text, row in zip(texts, rows[first].tolist(), strict=True):
                if text not in self.numbers:
                    self.numbers[text] = len(self.numbers)
                    self.places.append((file, row))
        number_of = np.array([self.numbers[text] for text in texts], np.int32)
        result: NDArray[np.int32] = number_of[codes]
        return result

    def sorted(self) -> tuple[str, ...]:
        """All texts."""
        return tuple(sorted(self.numbers))

    def must_not_be_mixed(self, where: str) -> None:
        """Check that it is no column of numbers with some other text among them."""
        numbers = [text for text in self.numbers if _is_number(text)]
        others = [text for text in self.numbers if not _is_number(text)]
        if numbers and others:
            file, row = self.places[self.numbers[others[0]]]
            raise ValueError(
                f"{file}: {where} has numbers, as {short(numbers[0])}, and other text, as "
                f"{short(others[0])} in row {row} (categorical=[...] with its name takes all of "
                "them as text)"
            )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _encode(
    rows: _Rows,
    categories: list[_Categories],
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
        place_of = np.empty(len(ordered), np.int32)
        place_of[[values.numbers[text] for text in ordered]] = range(len(ordered))
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


def _to_numpy(batch: Any, order: list[int]) -> list[NDArray[Any]]:
    """Columns of numbers in this order, with NaN for nulls."""
    if not hasattr(batch, "columns"):
        return [batch[:, position] for position in order]
    import pyarrow as pa

    numbers = batch.columns[: len(order)]
    # Booleans of Arrow are single bits.
    columns = (one.cast(pa.uint8()) if pa.types.is_boolean(one.type) else one for one in numbers)
    return [column.to_numpy(zero_copy_only=False) for column in columns]


def _check_values(
    table: Table, order: list[int], columns: list[NDArray[Any]], batch: Batch
) -> None:
    """Check the rows while they are still counted as in the file."""
    for position, column in zip(order, columns, strict=True):
        good = ~np.isinf(column)
        rule = "be finite"
        if column is columns[-1]:
            good = ~((column < 0) | (column > 1))  # NaN is missing, which is another matter
            rule = "lie between 0 and 1, as it is the target"
        if not good.all():
            row = int(np.argmin(good))
            raise ValueError(
                f"{batch.file}: {table.label(position)} must {rule}; got {column[row]} in row "
                f"{batch.first + row}"
            )


def _refuse(table: Table, order: list[int], absent: NDArray[np.int64], rows: int) -> None:
    """Raise the error for missing values."""
    first = int(np.argmax(absent > 0))
    count, others = int(absent[first]), int(np.count_nonzero(absent)) - 1
    also = f", and there are some in {others} other column{'s' * (others > 1)}" if others else ""
    raise ValueError(
        f"{table.name}: {table.label(order[first])} has {count} missing value{'s' * (count > 1)} "
        f"in {rows} row{'s' * (rows > 1)}{also} (missing='skip' leaves those rows out)"
    )
