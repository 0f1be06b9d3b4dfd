"""The labels of a table as t: to train on, and as a model's classes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit.core import arrow
from fastlogit.core.arrow import plain, texts_of
from fastlogit.core.checks import shown
from fastlogit.tables.categories import Categories, Place, as_missing, is_number
from fastlogit.tables.csv_options import CellError, looks_missing
from fastlogit.training import labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fastlogit.tables.csv_options import CSVOptions
    from fastlogit.tables.table import Batch, Table

# Integers up to here are float64 numbers.
_MOST = 2**53


class Targets(NamedTuple):
    """t as numbers in [0, 1], and what 0 and 1 stand for."""

    t: NDArray[np.float64]
    classes: tuple[labels.Label, labels.Label]


class Labels:
    """The labels of a table, batch by batch: numbers as they are, texts numbered.

    Parameters
    ----------
    table : Table
    position : int or None
        Of the column of the labels; None for LIBSVM, where they are no column.
    """

    def __init__(self, table: Table, position: int | None) -> None:
        self.table = table
        self.name = "the label" if position is None else table.label(position)
        self.kind = "" if position is None else _kind(table, position)
        self.texts = Categories()
        # The first number, and the first that is no target.
        self.number: tuple[float, Place] | None = None
        self.outside: tuple[float, Place] | None = None
        # Whether some numbers stand for cells of a CSV such as "true".
        self.has_booleans = False

    def values(self, column: Any) -> Any:
        """The labels of a batch: an array with NaN for nulls, or texts of Arrow."""
        if isinstance(column, np.ndarray):
            return self._exact(column)
        import pyarrow as pa

        column = plain(column)
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            return self._of_cells(column) if self.table.csv else column.cast(pa.string())
        if pa.types.is_boolean(column.type):
            column = column.cast(pa.uint8())
        return self._exact(arrow.numbers(column).to_numpy(zero_copy_only=False))

    def _of_cells(self, column: Any) -> Any:
        """The labels of a batch of a CSV, in which truth values are texts."""
        from pyarrow import compute

        assert self.table.csv is not None
        texts = _texts(self.table.csv, column)
        is_boolean = _are_booleans(texts)
        try:
            numbers = _numbers_of_cells(self.table.csv, texts, is_boolean)
        except CellError:
            return texts
        self.has_booleans |= bool(compute.any(is_boolean).as_py())
        return numbers.to_numpy(zero_copy_only=False)

    def _exact(self, values: NDArray[Any]) -> NDArray[np.float64]:
        if values.dtype.kind in "iu" and ((values > _MOST) | (values < -_MOST)).any():
            raise ValueError(f"{self.table.name}: {self.name} must have labels within ±2**53")
        return values.astype(np.float64)

    def add(self, values: Any, file: str, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Numbers for the labels of some rows of a file; none may be missing."""
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
        """Targets and their classes, from the numbers that `add` gave for all rows.

        `positive` is the label that is t = 1; None stands for the later one in their order.
        """
        found = self._of_texts(added) if self.texts.numbers else self._of_numbers(added)
        if positive is None:
            return Targets(found.t, found.classes)
        return self._chosen(found, positive)

    def _of_texts(self, codes: NDArray[np.float64]) -> labels.Targets:
        texts = list(self.texts.numbers)
        if not self.table.typed:
            self._must_not_be_mixed(texts)
        if len(texts) != 2:
            nulls = sorted(filter(looks_missing, texts))
            remedy = as_missing(nulls, self.table.csv) if len(texts) == 2 + len(nulls) else ""
            raise ValueError(
                f"{self.table.name}: {self.name} must have two different labels; "
                f"got {labels.listed(sorted(texts))}{remedy}"
            )
        first, second = sorted(texts)
        return labels.Targets(_float(codes == self.texts.numbers[second]), (first, second), False)

    def _must_not_be_mixed(self, texts: list[str]) -> None:
        numbers = [text for text in texts if is_number(text, self.table.csv)]
        words = [text for text in texts if not is_number(text, self.table.csv)]
        if self.number is not None or (words and numbers):
            number = numbers[0] if numbers else f"{self.number[0]:g}"  # type: ignore[index]
            has = "booleans" if self.has_booleans else f"numbers, as {number!r},"
            others = [word for word in words if word.lower() not in labels.TRUTHS] or texts
            file, row = self.texts.places[self.texts.numbers[others[0]]]
            raise ValueError(
                f"{file}: {self.name} has {has} and other text, as {shown(others[0])} in row {row}"
                f"{as_missing(others, self.table.csv)}"
            )

    def _of_numbers(self, values: NDArray[np.float64]) -> labels.Targets:
        others = values[(values != 0.0) & (values != 1.0)]
        if self.has_booleans and others.size:
            raise ValueError(
                f"{self.table.name}: {self.name} must have two different labels; got booleans and "
                f"{self._label(others[0])}"
            )
        if self.kind == "b" or self.has_booleans:
            return labels.Targets(values, (False, True), soft=False)
        try:
            found = labels.targets(values, values.size, 1)
        except ValueError as error:
            if self.outside is None:
                raise
            outside, (file, row) = self.outside
            different = [self._label(label) for label in np.unique(values).tolist()]
            raise ValueError(
                f"{file}: {self.name} must have two different labels, or lie between 0 and 1; got "
                f"{labels.listed(different)} ({self._label(outside)} in row {row})"
            ) from error
        if self.outside is None:
            return found
        first, second = map(self._label, found.classes)
        return labels.Targets(_float(found.t), (first, second), found.soft)

    def _label(self, value: Any) -> int | float:
        """A number as its column has it; of a text, whole ones are integers."""
        is_whole = float(value).is_integer() and self.kind != "f"
        return int(value) if is_whole else float(value)

    def _chosen(self, found: labels.Targets, positive: Any) -> Targets:
        if found.soft:
            raise ValueError(
                f"{self.table.name}: positive must go with two labels; {self.name} has numbers "
                "between 0 and 1"
            )
        first, second = found.classes
        if labels.key(positive) == labels.key(second):
            return Targets(found.t, (first, second))
        if labels.key(positive) == labels.key(first):
            return Targets(1.0 - found.t, (second, first))
        raise ValueError(
            f"{self.table.name}: positive must be a label of {self.name}, {first!r} or {second!r}; "
            f"got {shown(positive)}"
        )


def _float(values: NDArray[Any]) -> NDArray[np.float64]:
    return values.astype(np.float64, copy=False)


def _kind(table: Table, position: int) -> str:
    """NumPy's kind of a column's dtype; empty for text, as in a CSV."""
    dtype = table.dtypes[position]
    return dtype.kind if table.typed and isinstance(dtype, np.dtype) else ""


def find_labels(table: Table, label: str | int | None) -> int | None:
    """Position of the column of the labels; None of LIBSVM, where they are no column."""
    if table.has_labels:
        must_be_absent(table, label=label)
        return None
    if label is None:
        raise ValueError(f"{table.name}: label must say which column the labels are")
    position = table.position(label)
    dtype = table.dtypes[position]
    if table.typed and isinstance(dtype, str) and not table.holds_text(position):
        raise ValueError(
            f"{table.name}: {table.label(position)} must have labels: numbers, text or booleans; "
            f"it holds {dtype}"
        )
    return position


def must_be_absent(table: Table, **columns: str | int | None) -> None:
    """Check that no columns are given of LIBSVM."""
    for argument, column in columns.items():
        if column is not None:
            raise ValueError(
                f"{table.name}: {argument} must not be given for LIBSVM, whose lines begin with "
                f"their labels; got {shown(column)}"
            )


def labels_of(table: Table, column: Any, classes: tuple[Any, Any], batch: Batch) -> Any:
    """The labels of a batch as `t_of` takes them: cells of a CSV as numbers, if the classes are."""
    import pyarrow as pa

    # (Names of folders beside a CSV may say numbers.)
    if table.csv is None or not pa.types.is_string(column.type):
        return column
    texts = _texts(table.csv, column)
    if isinstance(classes[0], str):
        return texts
    try:
        return _numbers_of_cells(table.csv, texts, _are_booleans(texts))
    except CellError as error:
        cell = column[error.place].as_py()
        raise _unknown(cell, classes, batch.file, batch.first + error.place) from error


def _texts(csv: CSVOptions, column: Any) -> Any:
    """Cells without the spaces around them."""
    from pyarrow import compute

    return compute.utf8_trim_whitespace(csv.texts(column))


def _are_booleans(texts: Any) -> Any:
    from pyarrow import compute

    return compute.is_in(compute.utf8_lower(texts), texts_of(labels.TRUTHS))


def _numbers_of_cells(csv: CSVOptions, texts: Any, is_boolean: Any) -> Any:
    """Numbers of cells, booleans in any spelling as 1 and 0; an error as of `csv.numbers`."""
    from pyarrow import compute

    return csv.numbers(compute.if_else(is_boolean, compute.utf8_lower(texts), texts))


def t_of(given: Any, classes: tuple[Any, Any], where: str, first: int = 0) -> NDArray[np.float64]:
    """The target of each label, NaN where it is missing; `first` is the number of the first row.

    A label is one of the classes however it is written: 1 is 1.0, True, "1" and "true".
    """
    key = labels.key if labels.key(classes[0]) != labels.key(classes[1]) else _itself
    negative, positive = map(key, classes)
    values = given if isinstance(given, np.ndarray) else _numbers(given)
    if isinstance(values, np.ndarray) and values.dtype.kind in "buif":
        data = np.ma.getdata(values)
        t = np.where(data == positive, 1.0, np.where(data == negative, 0.0, -1.0))
        t[labels.missing(values)] = np.nan
    else:
        different, codes = _different(values)
        t_of_label = {None: math.nan, negative: 0.0, positive: 1.0}
        t = np.array([t_of_label.get(key(label), -1.0) for label in different])[codes]
    if (t < 0.0).any():
        row = int(np.argmax(t < 0.0))
        raise _unknown(given[row : row + 1].tolist()[0], classes, where, first + row)
    return t


def _unknown(label: Any, classes: tuple[Any, Any], where: str, row: int) -> ValueError:
    first, second = classes
    return ValueError(
        f"{where}: the label must be {first!r} or {second!r}; got {shown(label)} in row {row}"
    )


def _itself(label: Any) -> Any:
    """Of classes that are two texts of one number."""
    return label


def _numbers(column: Any) -> Any:
    """A column of Arrow as an array, if it holds numbers."""
    column = arrow.numbers(column)
    holds_numbers = arrow.is_number(column.type)
    return column.to_numpy(zero_copy_only=False) if holds_numbers else plain(column)


def _different(values: Any) -> tuple[list[Any], NDArray[np.intp]]:
    """The different labels, None if missing, and the place among them of each row's."""
    if not isinstance(values, np.ndarray):
        encoded = values.dictionary_encode()
        different = [*encoded.dictionary.to_pylist(), None]
        return different, encoded.indices.fill_null(len(different) - 1).to_numpy()
    absent = labels.missing(values).tolist()
    given = np.ma.getdata(values).tolist()
    listed = [None if gone else label for label, gone in zip(given, absent, strict=True)]
    number = {label: place for place, label in enumerate(dict.fromkeys(listed))}
    return list(number), np.array([number[label] for label in listed], np.intp)
