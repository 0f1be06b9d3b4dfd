"""A table, whatever it comes from: named or numbered columns, read batch by batch, in order.

Messages count rows from 0, within a file, and do not count a header.
"""

from __future__ import annotations

import difflib
import re
import stat
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import pairwise
from numbers import Integral
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from fastlogit.core.arrow import is_number, numbers, plain_type
from fastlogit.core.checks import cut, shown
from fastlogit.core.pipeline import side_by_side
from fastlogit.tables.csv_options import CellError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from fastlogit.tables.csv_options import CSVOptions

    Read = Callable[["Wanted"], Iterator["Batch"]]

T = TypeVar("T")

# A batch takes about this much memory as float64: little beside an interpreter with NumPy, ...
_BATCH_BYTES = 32 << 20
# ... and has this many rows at most and at least, whatever the number of columns.
_MOST_ROWS, _LEAST_ROWS = 1 << 17, 1 << 10
# Metadata of a text column from a source without types, which may hold numbers as well.
UNTYPED = {b"fastlogit": b"untyped"}
# What is said of a reader's error, at most: a file may hold names of any length.
_MOST_TEXT = 400
# Patterns of what Arrow says of a CSV, and what we say.
_OF_ARROW = {
    r"Expected (\d+) columns, got (\d+)": (
        r"\2 cells, and the header has \1 (the header must be the first line)"
    ),
    "Empty CSV file or block: cannot infer number of columns": (
        "Empty CSV file, or one with a header of more than a megabyte"
    ),
    r"straddling object straddles two block boundaries \(try to increase block size\?\)": (
        "a line is longer than a megabyte"
    ),
    "invalid UTF8 data": (
        "invalid UTF-8 (csv=CSVOptions(encoding='cp1252') reads what Windows writes)"
    ),
}


class Batch(NamedTuple):
    """Rows of a table: a record batch of Arrow, an array or a CSR matrix."""

    data: Any
    # Where they are, for messages: the file, and the first row's number in it.
    file: str
    first: int
    # Of formats where they are no column.
    labels: NDArray[np.float64] | None = None
    # Bytes of the file that have been read, where the number of rows does not tell.
    position: int | None = None


class Progress(NamedTuple):
    """How far a table has been read: rows, bytes of its files, and all of them.

    None is what is not known.
    """

    rows: int
    all_rows: int | None
    bytes: int | None
    all_bytes: int | None


class Wanted(NamedTuple):
    """What to read of a table."""

    # Positions of columns.  Those in `text` are read unchanged, in a CSV as text.  In all others,
    # decimals, dictionaries of numbers, nulls and cells of a CSV become numbers.
    columns: Sequence[int]
    text: Collection[int] = ()
    # Rows of a batch, at most.
    batch_rows: int = _MOST_ROWS
    # The first row, and that after the last, of tables that know how many they have.
    start: int = 0
    stop: int | None = None
    # Most threads to use, where a format can be read by several.
    threads: int = 1


class ColumnError(ValueError):
    """An error that is gone without some columns, or if they are taken as text."""

    def __init__(
        self, message: str, columns: Sequence[str] = (), *, may_be_text: bool = False
    ) -> None:
        super().__init__(message)
        self.columns, self.may_be_text = list(columns), may_be_text


class Conflict(str):
    """The types of a column in two files, such as numbers and text, that no type holds."""

    __slots__ = ()


@dataclass(frozen=True)
class Table:
    """Something with rows and columns that can be read.

    Attributes
    ----------
    name : str
        What messages call it.
    names : tuple of str, or None
        Names of its columns; None where columns only have positions.
    dtypes : tuple of (dtype or str)
        Of each column; where that is no number, what the source calls its type.
    rows : int or None
        None where only reading tells.
    files : tuple of path
        What it is read from; empty where it can be read once only.
    """

    name: str
    names: tuple[str, ...] | None
    dtypes: tuple[np.dtype[Any] | str, ...]
    rows: int | None
    files: tuple[Path, ...]
    _read: Read
    # Of Arrow.
    schema: Any = None
    # How a CSV is written, None for other formats.  The schema of a CSV is a guess by its first
    # rows.
    csv: CSVOptions | None = None
    # Names of columns that are the index of a data frame.
    index: tuple[str, ...] = ()
    # Whether batches have labels beside their columns.
    has_labels: bool = False
    # Where any thread can begin to read without what is before, from row 0 to the last; None for
    # what is read by one, or has threads of its own.
    edges: Sequence[int] | None = None
    _states: tuple[Any, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Remember what the files are."""
        object.__setattr__(self, "_states", tuple(map(_state, self.files)))

    @property
    def typed(self) -> bool:
        """Whether the source knows the types of its columns."""
        return self.csv is None

    @property
    def index_columns(self) -> tuple[int, ...]:
        """Positions of the index of a data frame, which is a feature only if asked for by name."""
        names = enumerate(self.names or ())
        return tuple(position for position, name in names if name in self.index)

    def index_note(self, position: int) -> str:
        """Say that such a column is left out, and what makes it a feature."""
        name = self.names[position] if self.names else ""
        remedy = "under another name" if is_unnamed(name) else "after reset_index() in pandas"
        return (
            f"left out {self.label(position)} of {self.name}, which is an index of the rows "
            f"({remedy} it is a feature)"
        )

    def find_all(self, wanted: Sequence[str]) -> list[list[int]]:
        """Positions of the columns of each of these names; an error lists all that are missing."""
        names = self.names or ()
        where: dict[str, list[int]] = {}
        for position, name in enumerate(names):
            where.setdefault(name, []).append(position)
        missing = [name for name in wanted if name not in where]
        if missing:
            listed = ", ".join(_with_nearest(name, names) for name in missing)
            raise ColumnError(
                f"{self.name}: missing column{'s' * (len(missing) > 1)} {listed}", missing
            )
        return [where[name] for name in wanted]

    def find(self, wanted: Sequence[str]) -> list[int]:
        """Position of the column of each of these names, of which there must be one."""
        found = self.find_all(wanted)
        for name, positions in zip(wanted, found, strict=True):
            if len(positions) > 1:
                raise ValueError(
                    f"{self.name}: {len(positions)} columns have the name {shown(name)}; "
                    "rename or leave out all but one"
                )
        return [positions[0] for positions in found]

    def position(self, column: str | int, role: str = "label") -> int:
        """Position of a column, of a name or, where there are none, a number."""
        if not isinstance(column, str | Integral) or isinstance(column, bool):
            raise TypeError(
                f"{role} must be the name or the position of a column; got {shown(column)}"
            )
        if self.names is not None:
            return self.find([str(column)])[0]
        width = len(self.dtypes)
        try:
            position = int(column)
        except ValueError:
            position = width
        if not -width <= position < width:
            raise ValueError(
                f"{self.name}: columns have no names here, so that the {role} must be a position "
                f"from {-width} to {width - 1}; got {shown(column)}"
            )
        return position % width

    def label(self, position: int) -> str:
        """How messages call a column."""
        return f"column {shown(self.names[position])}" if self.names else f"column {position}"

    def field(self, position: int) -> Any:
        """How a column that is carried over is written, as a field of Arrow."""
        import pyarrow as pa

        field = self.schema.field(position)
        if not self.typed:
            return pa.field(field.name, pa.string())
        if isinstance(kinds := self.dtypes[position], Conflict):
            raise ValueError(
                f"{self.name}: {self.label(position)} must be of one type to be kept; it is {kinds}"
            )
        return field.with_type(plain_type(field.type))

    def must_hold_numbers(self, columns: Sequence[int]) -> None:
        """Check the types of columns."""
        for position in columns:
            if isinstance(self.dtypes[position], str):
                raise ValueError(
                    f"{self.name}: {self.label(position)} must hold numbers; it holds "
                    f"{self.dtypes[position]} (convert it to numbers first)"
                )

    def holds_text(self, position: int) -> bool:
        """Whether a column is of text, as far as its type tells."""
        import pyarrow as pa

        if self.schema is None:
            return False
        return plain_type(self.schema.field(position).type) in (pa.string(), pa.large_string())

    def text_of(self, column: Any) -> Any:
        """A column of text as names: with nulls for what stands for them in a CSV."""
        import pyarrow as pa

        # (Names of folders beside a CSV may say numbers.)
        if self.csv is None or not pa.types.is_string(column.type):
            return column
        return self.csv.texts(column)

    def numbers_of(self, column: Any, position: int, batch: Batch) -> Any:
        """A column that was read unchanged, as numbers.

        If it holds something else, a cell of a CSV is an error, and a column of another format is
        returned unchanged.
        """
        import pyarrow as pa

        if self.csv is None or not pa.types.is_string(column.type):
            return numbers(column)
        try:
            return self.csv.numbers(column)
        except CellError as error:
            row = batch.first + error.place
            message = f"{batch.file}: {self.label(position)}: row {row}: {error}"
            names = [self.names[position]] if self.names else []
            raise ColumnError(message, names, may_be_text=True) from None

    def must_hold_text(self, columns: Sequence[int]) -> None:
        """Check the types of columns whose values are names: text, integers or booleans."""
        for position in columns:
            dtype = self.dtypes[position]
            is_name = self.holds_text(position) or getattr(dtype, "kind", "") in "biu"
            if self.typed and not is_name:
                raise ValueError(
                    f"{self.name}: {self.label(position)} must hold text, integers or booleans to "
                    f"have categories; it holds {dtype}"
                )

    @cached_property
    def _bytes(self) -> int | None:
        return sum(path.stat().st_size for path in self.files) if self.files else None

    def progress(self, rows: int, position: int | None) -> Progress:
        """How far it has been read, up to a row and, unless that tells, a `Batch.position`."""
        size = self._bytes
        if self.rows is not None and size is not None:
            position = size * rows // max(self.rows, 1)
        return Progress(rows, self.rows, position, size)

    def want(
        self,
        columns: Sequence[int],
        *,
        text: Collection[int] = (),
        batch_rows: int | None = None,
        start: int = 0,
        threads: int = 1,
    ) -> Wanted:
        """Say what to read, by default in batches that take little memory."""
        by_memory = _BATCH_BYTES // (8 * max(len(columns), 1))
        rows = batch_rows or min(max(by_memory, _LEAST_ROWS), _MOST_ROWS)
        if self.rows is not None:
            rows = min(rows, max(self.rows, 1))
        return Wanted(columns, text, rows, start, threads=threads)

    def read(self, wanted: Wanted) -> Iterator[Batch]:
        """Read some of the columns, in batches.

        Record batches have just these columns, in this order; arrays and CSR matrices have all.
        """
        for batch in self._batches(wanted):
            yield self._checked(batch, wanted)
        self.must_be_unchanged()

    def map(self, function: Callable[[Batch], T], wanted: Wanted) -> Iterator[T]:
        """Call a function for each batch, for some at a time; give what it returns, in order."""

        def results(load: Callable[[], Iterable[Batch]]) -> list[T]:
            return [function(self._checked(batch, wanted)) for batch in load()]

        for some in side_by_side(results, self._loads(wanted), wanted.threads):
            yield from some
        self.must_be_unchanged()

    def _checked(self, batch: Batch, wanted: Wanted) -> Batch:
        """A batch whose memory is validated, with numbers as `Wanted` says."""
        data = batch.data
        if not hasattr(data, "schema"):
            return batch
        import pyarrow as pa

        with naming(batch.file):
            data.validate(full=True)  # Arrow validates nothing by itself
        columns = [
            column if position in wanted.text else self.numbers_of(column, position, batch)
            for position, column in zip(wanted.columns, data.columns, strict=True)
        ]
        return batch._replace(data=pa.record_batch(columns, data.schema.names))

    def _batches(self, wanted: Wanted) -> Iterator[Batch]:
        if self.rows is not None:
            yield from self._read(wanted)
        else:
            yield from _without_first(self._read(wanted._replace(start=0)), wanted.start)

    def _loads(self, wanted: Wanted) -> Iterator[Callable[[], Iterable[Batch]]]:
        """Functions that together read what is wanted, each of them in any thread."""
        edges = self.edges or ()
        if wanted.threads == 1 or len(edges) <= wanted.threads:
            yield from (partial(_only, batch) for batch in self._batches(wanted))
            return
        for first, stop in pairwise(edges):
            if wanted.start < stop:
                start = max(wanted.start, first)
                yield partial(self._read, wanted._replace(start=start, stop=stop, threads=1))

    def must_be_unchanged(self) -> None:
        """Check that all that has been read can be of the same files."""
        for path, before in zip(self.files, self._states, strict=True):
            if _state(path) != before:
                raise ValueError(f"{path}: has changed while it was read")


def dtype_of(kind: Any) -> np.dtype[Any] | str:
    """The dtype of the numbers in columns of an Arrow type, or the type's name."""
    import pyarrow as pa

    plain = plain_type(kind)
    if pa.types.is_decimal(plain):
        return np.dtype(np.float64)
    if pa.types.is_null(plain):  # of which any type holds all
        return np.dtype(np.bool_)
    if is_number(plain):
        dtype: np.dtype[Any] = np.dtype(plain.to_pandas_dtype())
        return dtype
    return str(kind)


def _only(batch: Batch) -> tuple[Batch]:
    return (batch,)


def _state(path: Path) -> tuple[int, ...] | None:
    """What changes when a file is replaced or written; None of what is read once, as a pipe."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _without_first(batches: Iterator[Batch], rows: int) -> Iterator[Batch]:
    """Leave out so many rows at the beginning."""
    for batch in batches:
        count = batch.data.num_rows if hasattr(batch.data, "num_rows") else batch.data.shape[0]
        if rows < count:
            data = batch.data.slice(rows) if hasattr(batch.data, "slice") else batch.data[rows:]
            labels = None if batch.labels is None else batch.labels[rows:]
            yield batch._replace(data=data, first=batch.first + rows, labels=labels)
        rows = max(0, rows - count)


@contextmanager
def naming(name: str, columns: Sequence[str] = (), first: int = -1) -> Iterator[None]:
    """Turn what a reader raises into a ValueError that names the file, column and row.

    What Arrow calls row 1 is the row `first`, by default the header.
    """
    try:
        yield
    except (ImportError, FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # a damaged file gives a dozen different ones
        text = " ".join(str(error)[: 2 * _MOST_TEXT].split()) or type(error).__name__
        text = re.sub(
            r"In CSV column #(\d+)",
            lambda match: f"column {shown(columns[int(match[1])])}",
            text,
        )
        text = re.sub(r"Row #(\d+)", lambda match: f"row {int(match[1]) - 1 + first}", text)
        for one, ours in _OF_ARROW.items():
            text = re.sub(one, ours, text)
        raise ValueError(f"{name}: {cut(text, _MOST_TEXT)}") from error


def is_unnamed(name: str) -> bool:
    """Whether a column has no name: pandas reads such columns as "Unnamed: 0" and so on."""
    return re.fullmatch(r"(Unnamed: 0(\.[0-9]+)*)?", name) is not None


def _with_nearest(name: str, names: Sequence[str]) -> str:
    small = {other.lower(): other for other in names}
    nearest = difflib.get_close_matches(name.lower(), small, n=1)
    return f"{shown(name)} (is it {shown(small[nearest[0]])}?)" if nearest else shown(name)
