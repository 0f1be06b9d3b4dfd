"""The labels in a table as targets t: to train on, or compared with a model's classes."""

from __future__ import annotations

import math
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.core import arrow
from fastlogit.core.arrow import decoded, string_array
from fastlogit.core.checks import BOOLEANS, listed, shown
from fastlogit.tables.csv_options import NULLS, CellError, looks_missing
from fastlogit.training import targets
from fastlogit.training.table.categories import Categories, Place, is_number, missing_remedy
from fastlogit.training.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from fastlogit.tables.csv_options import CSVOptions
    from fastlogit.tables.table import Batch, Columns, Table

# float64 holds all integers up to this one, and larger ones may become it.
_MOST = 2**53
# A note tells if there are more labels than this, and most notes.
_MANY_LABELS = 100
_MOST_NOTES = 3


# The column of the labels --------------------------------------------------------------------


def find_labels(table: Table, label: Columns) -> list[int]:
    """Positions of the labels' columns; empty for LIBSVM, which has labels besides its columns."""
    if table.has_labels:
        must_be_absent(table, label=label)
        return []
    positions = table.positions(label, "label")
    if not positions:
        raise ValueError(f"{table.name}: label must be given: the column of the labels")
    for position in positions:
        dtype = table.dtypes[position]
        if table.typed and isinstance(dtype, str) and not table.holds_text(position):
            raise ValueError(
                f"{table.name}: {table.describe(position)} must have labels: numbers, text or "
                f"booleans; it holds {dtype}"
            )
    return positions


def must_be_absent(table: Table, **columns: Columns) -> None:
    """Raise a ValueError if an argument names a column of LIBSVM."""
    for argument, column in columns.items():
        if column is not None:
            raise ValueError(
                f"{table.name}: {argument} must not be given for LIBSVM, whose lines begin with "
                f"their labels; got {shown(column)}"
            )


# Targets to train on -------------------------------------------------------------------------


def probability_targets(
    table: Table, positions: Sequence[int], shares: Sequence[NDArray[np.float64]], positive: Any
) -> Targets:
    """The targets of columns with the probabilities of the classes, which have the columns' names.

    `positive` must be None.
    """
    if positive is not None:
        raise ValueError(
            f"{table.name}: positive must go with one column of labels; got {len(positions)}"
        )
    t, classes, soft = targets.read_targets(np.column_stack(shares), len(shares[0]), 1)
    if table.names is not None:
        classes = tuple(table.names[position] for position in positions)
    return Targets(t.astype(np.float64, copy=False), classes, soft)


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
        # Not the table, as the labels of each batch may travel.
        self.source, self.csv = table.name, table.csv
        self.name = "the label" if position is None else table.describe(position)
        self.kind = table.label_kind if position is None else _dtype_kind(table, position)
        self.texts = Categories()
        # A number; the first one outside [0, 1], and the first one that is not whole.
        self.number: float | None = None
        self.outside: tuple[float, Place] | None = None
        self.broken: tuple[float, Place] | None = None
        # Whether some numbers stand for CSV cells such as "true".
        self.has_booleans = False

    def parse(self, column: Any) -> Any:
        """The labels of a batch: an array with NaN for nulls, or an Arrow array of texts."""
        if isinstance(column, np.ndarray):
            return self._as_float64(column)
        import pyarrow as pa

        column = decoded(column)
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            return self._parse_cells(column) if self.csv else column.cast(pa.string())
        if pa.types.is_boolean(column.type):
            self.has_booleans |= self.kind == "O"  # objects, which may be anything
            column = column.cast(pa.uint8())
        return self._as_float64(arrow.numbers(column).to_numpy(zero_copy_only=False))

    def _parse_cells(self, column: Any) -> Any:
        """The labels of a batch of a CSV, whose booleans are texts."""
        from pyarrow import compute

        assert self.csv is not None
        texts = _stripped(self.csv, column)
        is_boolean = _are_booleans(texts)
        try:
            numbers = _parse_numbers(self.csv, texts, is_boolean)
        except CellError:
            return texts
        self.has_booleans |= bool(compute.any(is_boolean).as_py())
        values = numbers.to_numpy(zero_copy_only=False)
        self._must_be_exact((np.abs(values) >= _MOST) & np.isfinite(values))
        return values

    def _as_float64(self, values: NDArray[Any]) -> NDArray[np.float64]:
        if values.dtype.kind in "iu" and values.dtype.itemsize == 8:  # shorter ones are exact
            self._must_be_exact((values > _MOST) | (values < -_MOST))
        return values.astype(np.float64)

    def _must_be_exact(self, beyond: NDArray[np.bool_]) -> None:
        if beyond.any():
            raise ValueError(f"{self.source}: {self.name} must have labels within ±2**53")

    def add(self, values: Any, file: str, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Numbers that stand for the labels of some rows of a file; no label may be missing."""
        if not isinstance(values, np.ndarray):
            codes = self.texts.number(values, file, rows)
            self._must_be_classes(self.texts.numbers)
            return codes.astype(np.float64)

        def first(wrong: NDArray[np.bool_]) -> tuple[float, Place] | None:
            if not wrong.any():
                return None
            row = int(np.argmax(wrong))
            return float(values[row]), Place(file, int(rows[row]))

        if self.number is None and values.size:
            self.number = float(values[0])
        if ((values == 0.0) | (values == 1.0)).all():  # the others take longer to find
            return values
        self.outside = self.outside or first(~((values >= 0.0) & (values <= 1.0)))
        self.broken = self.broken or first(~np.isfinite(values) | (values != np.floor(values)))
        return values

    def merge(self, others: Sequence[Labels]) -> Labels:
        """The labels of these rows and of later ones, as a new object."""
        merged = copy(self)
        merged.texts = self.texts.merge(one.texts for one in others)
        merged._must_be_classes(merged.texts.numbers)
        for one in others:
            merged.number = one.number if merged.number is None else merged.number
            merged.outside = merged.outside or one.outside
            merged.broken = merged.broken or one.broken
            merged.has_booleans = merged.has_booleans or one.has_booleans
        return merged

    def targets(self, added: NDArray[np.float64], positive: Any = None) -> Targets:
        """The targets and classes, from the results of `add` for all rows.

        `positive` is the label of t = 1 of two; by default it is the later one in their order.
        """
        found = self._text_targets(added) if self.texts.numbers else self._number_targets(added)
        self._must_be_classes(found.classes, added.size)
        return found if positive is None else self._with_positive(found, positive)

    def of_distinct(self, added: NDArray[np.float64], rows: int, positive: Any = None) -> Targets:
        """As `targets`, from each different result of `add`, and the number of rows."""
        # Each three times, as labels of fewer rows would count as too many.
        found = self.targets(np.repeat(added, 3), positive)
        if not found.soft:
            self._must_be_classes(found.classes, rows)
        return found._replace(t=found.t[::3])

    def notes(self, classes: Sequence[Any]) -> list[str]:
        """Notes on labels, more than two, that may be mistakes."""
        texts = [label for label in classes if isinstance(label, str) and len(classes) > 2]
        where = f"{self.name} of {self.source}"
        notes = [f"{where} has {len(classes):,} different labels"] * (len(classes) > _MANY_LABELS)
        notes += [
            f"{where} has the label {shown(text)}, which looks like a missing value"
            for text in texts
            if looks_missing(text)
        ]
        first: dict[str, str] = {}
        for text in texts:
            alike = first.setdefault(text.strip().casefold(), text)
            if alike != text:
                notes.append(f"{where} has {shown(alike)} and {shown(text)} as different labels")
        return notes[:_MOST_NOTES]

    def _text_targets(self, codes: NDArray[np.float64]) -> Targets:
        texts = list(self.texts.numbers)
        if self.csv is not None:
            self._must_not_be_mixed(texts)
            self._must_not_look_missing(texts)
        if len(texts) < 2:
            raise ValueError(
                f"{self.source}: {self.name} must have two different labels; "
                f"got {len(texts)}: {listed(texts)}"
            )
        classes = sorted(texts)
        number = {text: place for place, text in enumerate(classes)}
        numbers = np.array([number[text] for text in texts], np.float64)
        return Targets(numbers[codes.astype(np.intp)], tuple(classes), soft=False)

    def _must_not_be_mixed(self, texts: list[str]) -> None:
        """Raise a ValueError if a CSV's labels are numbers or booleans, and words."""
        numbers = [text for text in texts if is_number(text, self.csv)]
        words = [text for text in texts if not is_number(text, self.csv)]
        others = [word for word in words if word.lower() not in BOOLEANS]
        # Two texts are two labels; of more, booleans and others cannot all be meant.
        has_booleans = len(texts) > 2 and len(others) < len(words)
        if self.number is not None or (words and numbers) or has_booleans:
            has = "booleans"
            if not self.has_booleans and (numbers or self.number is not None):
                number = numbers[0] if numbers else f"{self.number:g}"
                has = f"numbers, such as {number!r},"
            others = others or texts
            file, row = self.texts.places[self.texts.numbers[others[0]]]
            raise ValueError(
                f"{file}: {self.name} has {has} and other text, such as {shown(others[0])} "
                f"in row {row}{missing_remedy(others, self.csv)}"
            )

    def _must_not_look_missing(self, texts: list[str]) -> None:
        """Raise a ValueError if a third label of a CSV looks like a missing value.

        It is a label if the caller gives the missing values.
        """
        csv = self.csv
        nulls = sorted(filter(looks_missing, texts))
        if csv is None or csv.null_values != NULLS or not 2 < len(texts) > len(nulls) > 0:
            return
        if remedy := missing_remedy(nulls, csv):
            given = list(filter(None, NULLS))
            raise ValueError(
                f"{self.source}: {self.name} must have labels that do not look like missing "
                f"values; got {len(texts)}: {listed(sorted(texts))}{remedy}; "
                f"csv=CSVOptions(null_values={given!r}) takes {listed(nulls)} as labels"
            )

    def _must_be_classes(self, labels: Collection[Any], rows: int = 0) -> None:
        """Raise a ValueError if the labels are too many for classes."""
        targets.must_be_classes(f"{self.source}: {self.name}", labels, rows)

    def _number_targets(self, values: NDArray[np.float64]) -> Targets:
        others = values[(values != 0.0) & (values != 1.0)]
        if self.has_booleans and others.size:
            raise ValueError(
                f"{self.source}: {self.name} must have two different labels; got booleans and "
                f"{self._original(others[0])}"
            )
        if self.kind == "b" or self.has_booleans:
            return Targets(values, (False, True), soft=False)
        try:
            found = targets.read_targets(values, values.size, 1)
        except ValueError as error:
            if self.outside is None:
                raise
            different = [self._original(label) for label in np.unique(values).tolist()]
            if self.broken is None:
                self._must_be_classes(different, values.size)
            raise self._other_numbers(different) from error
        if self.outside is None:
            return found
        classes = tuple(map(self._original, found.classes))
        return Targets(found.t.astype(np.float64, copy=False), classes, found.soft)

    def _other_numbers(self, different: list[Any]) -> ValueError:
        """The error for numbers that are neither labels nor probabilities."""
        assert self.outside is not None
        (outside, (file, row)), expected = self.outside, "two different labels"
        where = f"{self._original(outside)} in row {row}"
        if len(different) > 2 and self.broken is not None:
            expected = "two different labels, or more that are whole numbers"
            broken, place = self.broken
            if broken != outside:
                where = f"{self._original(broken)} in row {place.row}, {where}"
        return ValueError(
            f"{file}: {self.name} must have {expected}, or lie between 0 and 1; got "
            f"{len(different)}: {listed(different)} ({where})"
        )

    def _original(self, value: Any) -> int | float:
        """A number with the type that it has in its column; a whole number of a CSV is an int."""
        is_whole = float(value).is_integer() and self.kind != "f"
        return int(value) if is_whole else float(value)

    def _with_positive(self, found: Targets, positive: Any) -> Targets:
        """The targets with `positive` as t = 1."""
        if found.soft:
            raise ValueError(
                f"{self.source}: positive must go with two labels; {self.name} has numbers "
                "between 0 and 1"
            )
        if len(found.classes) > 2:
            raise ValueError(
                f"{self.source}: positive must go with two labels; {self.name} has "
                f"{len(found.classes)}: {listed(found.classes)}"
            )
        first, second = found.classes
        if targets.key(positive) == targets.key(second):
            return found
        if targets.key(positive) == targets.key(first):
            return Targets(1.0 - found.t, (second, first), soft=False)
        raise ValueError(
            f"{self.source}: positive must be a label of {self.name}, {first!r} or {second!r}; "
            f"got {shown(positive)}"
        )


def _dtype_kind(table: Table, position: int) -> str:
    """NumPy's kind of a column's dtype; empty for text, and for every column of a CSV."""
    dtype = table.dtypes[position]
    return dtype.kind if table.typed and isinstance(dtype, np.dtype) else ""


# Labels of known classes ---------------------------------------------------------------------


def read_labels(table: Table, column: Any, classes: Sequence[Any], batch: Batch) -> Any:
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
    given: Any, classes: Sequence[Any], where: str, first: int = 0
) -> NDArray[np.float64]:
    """The class number of each label, 0 to K - 1, or NaN for a missing label.

    A label can be written in any form: class 1 matches 1, 1.0, True, "1" and "true".

    Parameters
    ----------
    given : array_like (n,), or Arrow array
        The labels.
    classes : sequence of K labels
    where : str
        How a message names their source.
    first : int
        The number of the first row in messages.

    Raises
    ------
    ValueError
        If a label is none of the classes.
    """
    number = {targets.key(label): place for place, label in enumerate(classes)}
    key = targets.key
    if len(number) < len(classes):  # some are two spellings of one number, such as "1" and "1.0"
        number, key = {label: place for place, label in enumerate(classes)}, _identity
    values = as_array(given)
    if isinstance(values, np.ndarray) and values.dtype.kind in "buif":
        t = _find_numbers(np.ma.getdata(values), number)
        t[targets.missing(values)] = np.nan
    else:
        different, codes = _distinct_labels(values)
        found = [math.nan if one is None else number.get(key(one), -1) for one in different]
        t = np.array(found, np.float64)[codes]
    if (t < 0.0).any():
        row = int(np.argmax(t < 0.0))
        raise _unknown_label(given[row : row + 1].tolist()[0], classes, where, first + row)
    return t


def _find_numbers(values: NDArray[Any], number: dict[Any, int]) -> NDArray[np.float64]:
    """The class number of each value, -1 for values that are no keys."""
    keys = sorted(key for key in number if not isinstance(key, str))
    if not keys:
        return np.full(values.size, -1.0)
    known = np.array(keys)
    # Keys after the last one, where values may belong, are no keys.
    places = np.minimum(np.searchsorted(known, values), len(keys) - 1)
    numbers = np.array([number[key] for key in keys], np.float64)
    return np.where(known[places] == values, numbers[places], -1.0)


def _unknown_label(label: Any, classes: Sequence[Any], where: str, row: int) -> ValueError:
    known = f"one of {listed(classes)}"
    if len(classes) == 2:
        known = " or ".join(map(repr, classes))
    return ValueError(f"{where}: the label must be {known}; got {shown(label)} in row {row}")


def _identity(label: Any) -> Any:
    return label


def as_array(column: Any) -> Any:
    """An Arrow column of numbers as an array; any other decoded.  An array is returned as it is."""
    if isinstance(column, np.ndarray):
        return column
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
    present = [None if gone else label for label, gone in zip(given, absent, strict=True)]
    number = {label: place for place, label in enumerate(dict.fromkeys(present))}
    return list(number), np.array([number[label] for label in present], np.intp)


# Cells of a CSV ------------------------------------------------------------------------------


def _stripped(csv: CSVOptions, column: Any) -> Any:
    """Cells without spaces around them; null for missing values."""
    from pyarrow import compute

    return compute.utf8_trim_whitespace(csv.texts(column))


def _are_booleans(texts: Any) -> Any:
    from pyarrow import compute

    return compute.is_in(compute.utf8_lower(texts), string_array(BOOLEANS))


def _parse_numbers(csv: CSVOptions, texts: Any, is_boolean: Any) -> Any:
    """Cells as numbers, with booleans in any spelling as 1 and 0; raises a CellError."""
    from pyarrow import compute

    return csv.numbers(compute.if_else(is_boolean, compute.utf8_lower(texts), texts))
