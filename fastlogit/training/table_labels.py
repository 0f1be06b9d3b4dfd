"""The labels in a table as targets t: to train on, or compared with a model's classes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.core import arrow
from fastlogit.core.arrow import decoded, string_array
from fastlogit.core.checks import shown
from fastlogit.tables.csv_options import CellError, looks_missing
from fastlogit.training import targets
from fastlogit.training.categories import Categories, Place, is_number, missing_remedy
from fastlogit.training.targets import Targets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fastlogit.tables.csv_options import CSVOptions
    from fastlogit.tables.table import Batch, Table

# float64 holds all integers up to this one.
_MOST = 2**53


# The column of the labels --------------------------------------------------------------------


def find_labels(table: Table, label: str | int | None) -> int | None:
    """Position of the labels' column; None for LIBSVM, which has labels besides its columns."""
    if table.has_labels:
        must_be_absent(table, label=label)
        return None
    if label is None:
        raise ValueError(f"{table.name}: label must be given: the column of the labels")
    position = table.position(label)
    dtype = table.dtypes[position]
    if table.typed and isinstance(dtype, str) and not table.holds_text(position):
        raise ValueError(
            f"{table.name}: {table.describe(position)} must have labels: numbers, text or "
            f"booleans; it holds {dtype}"
        )
    return position


def must_be_absent(table: Table, **columns: str | int | None) -> None:
    """Raise a ValueError if an argument names a column of LIBSVM."""
    for argument, column in columns.items():
        if column is not None:
            raise ValueError(
                f"{table.name}: {argument} must not be given for LIBSVM, whose lines begin with "
                f"their labels; got {shown(column)}"
            )


# Targets to train on -------------------------------------------------------------------------


class Labels:
    """The labels of a table, collected batch by batch; texts are numbered.

    Call `parse` and then `add` for each batch, and at the end `targets`.

    Parameters
    ----------
    table : Table
    position : int or None
        The labels' column; None for LIBSVM.
    """

    def __init__(self, table: Table, position: int | None) -> None:
        self.table = table
        self.name = "the label" if position is None else table.describe(position)
        self.kind = "" if position is None else _dtype_kind(table, position)
        self.texts = Categories()
        # The first number, and the first one outside [0, 1].
        self.number: tuple[float, Place] | None = None
        self.outside: tuple[float, Place] | None = None
        # Whether some numbers stand for CSV cells such as "true".
        self.has_booleans = False

    def parse(self, column: Any) -> Any:
        """The labels of a batch: an array with NaN for nulls, or an Arrow array of texts."""
        if isinstance(column, np.ndarray):
            return self._as_float64(column)
        import pyarrow as pa

        column = decoded(column)
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            return self._parse_cells(column) if self.table.csv else column.cast(pa.string())
        if pa.types.is_boolean(column.type):
            column = column.cast(pa.uint8())
        return self._as_float64(arrow.numbers(column).to_numpy(zero_copy_only=False))

    def _parse_cells(self, column: Any) -> Any:
        """The labels of a batch of a CSV, whose booleans are texts."""
        from pyarrow import compute

        assert self.table.csv is not None
        texts = _stripped(self.table.csv, column)
        is_boolean = _are_booleans(texts)
        try:
            numbers = _parse_numbers(self.table.csv, texts, is_boolean)
        except CellError:
            return texts
        self.has_booleans |= bool(compute.any(is_boolean).as_py())
        return numbers.to_numpy(zero_copy_only=False)

    def _as_float64(self, values: NDArray[Any]) -> NDArray[np.float64]:
        if values.dtype.kind in "iu" and ((values > _MOST) | (values < -_MOST)).any():
            raise ValueError(f"{self.table.name}: {self.name} must have labels within ±2**53")
        return values.astype(np.float64)

    def add(self, values: Any, file: str, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Numbers that stand for the labels of some rows of a file; no label may be missing."""
        if not isinstance(values, np.ndarray):
            return self.texts.number(values, file, rows).astype(np.float64)
        if self.number is None and values.size:
            self.number = float(values[0]), Place(file, int(rows[0]))
        good = (values >= 0.0) & (values <= 1.0)
        if self.outside is None and not good.all():
            first = int(np.argmin(good))
            self.outside = float(values[first]), Place(file, int(rows[first]))
        return values

    def targets(self, added: NDArray[np.float64], positive: Any = None) -> Targets:
        """The targets and classes, from the results of `add` for all rows.

        `positive` is the label of t = 1; by default it is the later one in their order.
        """
        found = self._text_targets(added) if self.texts.numbers else self._number_targets(added)
        return found if positive is None else self._with_positive(found, positive)

    def _text_targets(self, codes: NDArray[np.float64]) -> Targets:
        texts = list(self.texts.numbers)
        if not self.table.typed:
            self._must_not_be_mixed(texts)
        if len(texts) != 2:
            nulls = sorted(filter(looks_missing, texts))
            remedy = missing_remedy(nulls, self.table.csv) if len(texts) == 2 + len(nulls) else ""
            raise ValueError(
                f"{self.table.name}: {self.name} must have two different labels; "
                f"got {targets.listed(sorted(texts))}{remedy}"
            )
        first, second = sorted(texts)
        is_second = codes == self.texts.numbers[second]
        return Targets(is_second.astype(np.float64), (first, second), False)

    def _must_not_be_mixed(self, texts: list[str]) -> None:
        """Raise a ValueError if a CSV's labels are numbers and words."""
        numbers = [text for text in texts if is_number(text, self.table.csv)]
        words = [text for text in texts if not is_number(text, self.table.csv)]
        if self.number is not None or (words and numbers):
            number = numbers[0] if numbers else f"{self.number[0]:g}"  # type: ignore[index]
            has = "booleans" if self.has_booleans else f"numbers, such as {number!r},"
            others = [word for word in words if word.lower() not in targets.TRUTHS] or texts
            file, row = self.texts.places[self.texts.numbers[others[0]]]
            raise ValueError(
                f"{file}: {self.name} has {has} and other text, such as {shown(others[0])} "
                f"in row {row}{missing_remedy(others, self.table.csv)}"
            )

    def _number_targets(self, values: NDArray[np.float64]) -> Targets:
        others = values[(values != 0.0) & (values != 1.0)]
        if self.has_booleans and others.size:
            raise ValueError(
                f"{self.table.name}: {self.name} must have two different labels; got booleans and "
                f"{self._original(others[0])}"
            )
        if self.kind == "b" or self.has_booleans:
            return Targets(values, (False, True), soft=False)
        try:
            found = targets.read_targets(values, values.size, 1)
        except ValueError as error:
            if self.outside is None:
                raise
            outside, (file, row) = self.outside
            different = [self._original(label) for label in np.unique(values).tolist()]
            raise ValueError(
                f"{file}: {self.name} must have two different labels, or lie between 0 and 1; got "
                f"{targets.listed(different)} ({self._original(outside)} in row {row})"
            ) from error
        if self.outside is None:
            return found
        first, second = map(self._original, found.classes)
        return Targets(found.t.astype(np.float64, copy=False), (first, second), found.soft)

    def _original(self, value: Any) -> int | float:
        """A number with the type that it has in its column; a whole number of a CSV is an int."""
        is_whole = float(value).is_integer() and self.kind != "f"
        return int(value) if is_whole else float(value)

    def _with_positive(self, found: Targets, positive: Any) -> Targets:
        """The targets with `positive` as t = 1."""
        if found.soft:
            raise ValueError(
                f"{self.table.name}: positive must go with two labels; {self.name} has numbers "
                "between 0 and 1"
            )
        first, second = found.classes
        if targets.key(positive) == targets.key(second):
            return found
        if targets.key(positive) == targets.key(first):
            return Targets(1.0 - found.t, (second, first), soft=False)
        raise ValueError(
            f"{self.table.name}: positive must be a label of {self.name}, {first!r} or {second!r}; "
            f"got {shown(positive)}"
        )


def _dtype_kind(table: Table, position: int) -> str:
    """NumPy's kind of a column's dtype; empty for text, and for every column of a CSV."""
    dtype = table.dtypes[position]
    return dtype.kind if table.typed and isinstance(dtype, np.dtype) else ""


# Labels of known classes ---------------------------------------------------------------------


def read_labels(table: Table, column: Any, classes: tuple[Any, Any], batch: Batch) -> Any:
    """The labels of a batch; the cells of a CSV are numbers if the classes are.

    Raises
    ------
    ValueError
        If the classes are numbers and a cell is none, naming file and row.
    """
    import pyarrow as pa

    # Keys in names of folders are large strings, and are not cells.
    if table.csv is None or not pa.types.is_string(column.type):
        return column
    texts = _stripped(table.csv, column)
    if isinstance(classes[0], str):
        return texts
    try:
        return _parse_numbers(table.csv, texts, _are_booleans(texts))
    except CellError as error:
        cell = column[error.place].as_py()
        raise _unknown_label(cell, classes, batch.file, batch.first + error.place) from error


def encode_labels(
    given: Any, classes: tuple[Any, Any], where: str, first: int = 0
) -> NDArray[np.float64]:
    """The target of each label: 0 or 1, or NaN for a missing label.

    A label can be written in any form: class 1 matches 1, 1.0, True, "1" and "true".

    Parameters
    ----------
    given : array_like (n,), or Arrow array
        The labels.
    classes : tuple of two labels
        The labels of t = 0 and t = 1.
    where : str
        How a message names their source.
    first : int
        The number of the first row in messages.

    Raises
    ------
    ValueError
        If a label is none of the classes.
    """
    key = targets.key if targets.key(classes[0]) != targets.key(classes[1]) else _identity
    negative, positive = map(key, classes)
    values = given if isinstance(given, np.ndarray) else _as_array(given)
    if isinstance(values, np.ndarray) and values.dtype.kind in "buif":
        data = np.ma.getdata(values)
        t = np.where(data == positive, 1.0, np.where(data == negative, 0.0, -1.0))
        t[targets.missing(values)] = np.nan
    else:
        different, codes = _distinct_labels(values)
        known = {None: math.nan, negative: 0.0, positive: 1.0}
        t = np.array([known.get(key(label), -1.0) for label in different])[codes]
    if (t < 0.0).any():
        row = int(np.argmax(t < 0.0))
        raise _unknown_label(given[row : row + 1].tolist()[0], classes, where, first + row)
    return t


def _unknown_label(label: Any, classes: tuple[Any, Any], where: str, row: int) -> ValueError:
    first, second = classes
    return ValueError(
        f"{where}: the label must be {first!r} or {second!r}; got {shown(label)} in row {row}"
    )


def _identity(label: Any) -> Any:
    """The key of a label if the classes are two spellings of one number, such as "1" and "1.0"."""
    return label


def _as_array(column: Any) -> Any:
    """An Arrow column of numbers as an array; any other decoded."""
    column = arrow.numbers(column)
    holds_numbers = arrow.is_number(column.type)
    return column.to_numpy(zero_copy_only=False) if holds_numbers else decoded(column)


def _distinct_labels(values: Any) -> tuple[list[Any], NDArray[np.intp]]:
    """The distinct labels, None for missing ones, and the index of each row's label in them."""
    if not isinstance(values, np.ndarray):
        encoded = values.dictionary_encode()
        different = [*encoded.dictionary.to_pylist(), None]
        return different, encoded.indices.fill_null(len(different) - 1).to_numpy()
    absent = targets.missing(values).tolist()
    given = np.ma.getdata(values).tolist()
    listed = [None if gone else label for label, gone in zip(given, absent, strict=True)]
    number = {label: place for place, label in enumerate(dict.fromkeys(listed))}
    return list(number), np.array([number[label] for label in listed], np.intp)


# Cells of a CSV ------------------------------------------------------------------------------


def _stripped(csv: CSVOptions, column: Any) -> Any:
    """Cells without spaces around them; null for missing values."""
    from pyarrow import compute

    return compute.utf8_trim_whitespace(csv.texts(column))


def _are_booleans(texts: Any) -> Any:
    from pyarrow import compute

    return compute.is_in(compute.utf8_lower(texts), string_array(targets.TRUTHS))


def _parse_numbers(csv: CSVOptions, texts: Any, is_boolean: Any) -> Any:
    """Cells as numbers, with booleans in any spelling as 1 and 0; raises a CellError."""
    from pyarrow import compute

    return csv.numbers(compute.if_else(is_boolean, compute.utf8_lower(texts), texts))
