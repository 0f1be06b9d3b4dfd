"""The contract of a table: named or numbered columns, read in order, batch by batch.

Every format's opener returns a `Table`; everything that reads a table uses only this class.
"""

from __future__ import annotations

import difflib
import stat
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from numbers import Integral
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, TypeVar

import numpy as np

from fastlogit.core.arrow import decoded_type, is_number, numbers
from fastlogit.core.checks import listed, shown
from fastlogit.core.pipeline import map_in_order
from fastlogit.tables.csv_options import CellError
from fastlogit.tables.errors import ColumnError, errors_naming

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from fastlogit.tables.csv_options import CSVOptions

    Reader = Callable[["Wanted"], Iterator["Batch"]]
    # One column or several, each by its name or its position.
    Columns = str | int | Sequence[str | int] | None

T = TypeVar("T")

# Memory of a batch as float64: little compared with an interpreter that has imported NumPy.
_BATCH_BYTES = 32 << 20
# Limits on the rows of a batch, for tables of very few or very many columns.
MOST_ROWS, _LEAST_ROWS = 1 << 17, 1 << 10
# If at most this many names are missing, a message says which names are similar.
_MOST_HINTS = 2
# Metadata of a field whose text was copied from a CSV and may be numbers: it is written without
# quotes unless it needs them.
UNTYPED = {b"fastlogit": b"untyped"}


class Batch(NamedTuple):
    """Consecutive rows of a table."""

    # A record batch of Arrow, an array or a CSR matrix.
    data: Any
    # The file, as messages name it, and the number of the first row in it.
    file: str
    first: int
    # Labels of sources that store them apart from the columns (LIBSVM, arrays of Dask), or the
    # probabilities of K classes, (n, K).
    labels: Any = None
    # Bytes of the file read so far, if the number of rows in the file is unknown.
    bytes_read: int | None = None
    # Weights and offsets of sources that store them apart (arrays of Dask).
    weight: NDArray[np.float64] | None = None
    offset: NDArray[np.float64] | None = None
    # The number of the partition, counted from 0; a reader of files does not set it.
    number: int = 0

    @property
    def rows(self) -> int:
        """Number of rows."""
        data = self.data
        return int(data.num_rows if hasattr(data, "num_rows") else data.shape[0])


class ReadProgress(NamedTuple):
    """Rows and bytes read so far, and how many there are; None where unknown."""

    rows: int
    all_rows: int | None
    bytes: int | None
    all_bytes: int | None

    @property
    def expected_rows(self) -> int | None:
        """`all_rows`, or an estimate from the bytes of a row so far; None if neither is known."""
        if self.all_rows is None and self.bytes and self.all_bytes:
            return self.rows * self.all_bytes // self.bytes
        return self.all_rows


class Wanted(NamedTuple):
    """The columns and rows to read."""

    # Positions of the columns.  Columns in `text` are returned as they are stored (a CSV's as
    # text); in all others, decimals, dictionaries of numbers, nulls and CSV cells become numbers.
    columns: Sequence[int]
    text: Collection[int] = ()
    # Most rows of a batch.
    batch_rows: int = MOST_ROWS
    # The first row, and the row after the last one; None stands for the end of the table.
    start: int = 0
    stop: int | None = None
    # Most threads that the reader may use.
    threads: int = 1


class Stream(NamedTuple):
    """A source that can be read only once."""

    # Write all that it holds to a file, instead of reading it.
    copy: Callable[[BinaryIO], object]
    # Open a file with that: it needs a method `read`, and can also be read only once.
    reopen: Callable[[Any], Table]


class Conflict(str):
    """Message: the types of a column in two files conflict."""

    __slots__ = ()


@dataclass(frozen=True)
class Table:
    """A table that can be read batch by batch.

    An opener looks only at a file's header or metadata, and raises a ValueError if the file does
    not follow its format.  Code that uses a table calls `read` or `map`, never `reader`.

    Attributes
    ----------
    name : str
        How messages name the table: the path of a file, the type of an object.
    names : tuple of str, or None
        Names of the columns, which may repeat; None if columns only have positions.
    dtypes : tuple of (dtype or str)
        The NumPy dtype of each column of numbers; the name of any other type.  Columns of a CSV
        are float64, as only reading tells whether their cells are numbers.
    rows : int or None
        Number of rows; None if the source does not store it.
    files : tuple of path
        The files read; empty for an object in memory, or a stream that can be read only once.
    reader : callable
        Takes a :class:`Wanted` and yields the batches, in order.  It must

        - yield record batches with just the wanted columns, in this order, or arrays and CSR
          matrices with all columns; each of at most `batch_rows` rows;
        - begin at `start` and end before `stop` if `rows` is known, and else read everything;
        - open the file itself, so that each call reads from the beginning, and several threads
          can call it at once if there are `edges`;
        - raise a ValueError that names the file if it is damaged (`errors_naming` does that).

        It need not validate record batches or convert their columns: `read` and `map` do.
    schema : pyarrow.Schema, or None
        The Arrow types of the columns; None if `reader` yields arrays.  The schema of a CSV is a
        guess from its first rows.
    csv : CSVOptions, or None
        How a CSV is written; None for other formats.
    index : tuple of str
        Names of columns that are the index of a data frame.
    has_labels : bool
        Whether batches have labels besides their columns.
    label_kind : str
        NumPy's kind of these labels; empty if the source does not know.
    edges : sequence of int, or None
        Rows at which any thread can begin to read, from 0 to the number of rows.  None if a
        single thread must read the table, or if `reader` uses several threads itself.
    stream : Stream, or None
        The source, if it can be read only once: a pipe, or an Arrow stream.
    size : int or None
        Bytes of the source; default: of the files.
    cells : callable, or None
        If `rows` is None, ``cells(columns, size)`` estimates how many numbers this many columns
        have in a source of this many bytes, or returns None.  The size may be None.
    """

    name: str
    names: tuple[str, ...] | None
    dtypes: tuple[np.dtype[Any] | str, ...]
    rows: int | None
    files: tuple[Path, ...]
    reader: Reader
    schema: Any = None
    csv: CSVOptions | None = None
    index: tuple[str, ...] = ()
    has_labels: bool = False
    label_kind: str = ""
    edges: Sequence[int] | None = None
    stream: Stream | None = None
    size: int | None = None
    cells: Callable[[int, int | None], int | None] | None = None
    _states: tuple[Any, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Record the files' sizes and times, to notice a change."""
        object.__setattr__(self, "_states", tuple(map(_file_state, self.files)))
        if self.size is None and self.files:
            object.__setattr__(self, "size", sum(path.stat().st_size for path in self.files))

    @property
    def typed(self) -> bool:
        """Whether the source knows the types of its columns; a CSV does not."""
        return self.csv is None

    @property
    def is_repeatable(self) -> bool:
        """Whether the table can be read more than once."""
        return self.stream is None

    @property
    def file_states(self) -> list[list[Any]]:
        """Path, size and time of each file, for runs that are resumed."""
        seen = [(str(path.resolve()), path.stat()) for path in self.files]
        return [[name, status.st_size, status.st_mtime_ns] for name, status in seen]

    # Columns ------------------------------------------------------------------------------

    def describe(self, position: int) -> str:
        """A column as messages name it."""
        return f"column {shown(self.names[position])}" if self.names else f"column {position}"

    @property
    def index_columns(self) -> tuple[int, ...]:
        """Positions of the columns that are the index of a data frame."""
        names = enumerate(self.names or ())
        return tuple(position for position, name in names if name in self.index)

    def find_all(self, wanted: Sequence[str]) -> list[list[int]]:
        """Positions of all columns with each of these names; an error lists all missing names."""
        names = self.names or ()
        where: dict[str, list[int]] = {}
        for position, name in enumerate(names):
            where.setdefault(name, []).append(position)
        missing = [name for name in wanted if name not in where]
        if missing:
            hints = ", ".join(_with_nearest(name, names) for name in missing[:_MOST_HINTS])
            text = hints if len(missing) <= _MOST_HINTS else listed(missing)
            plural = "s" * (len(missing) > 1)
            raise ColumnError(f"{self.name}: has no column{plural} {text}", missing)
        return [where[name] for name in wanted]

    def find(self, wanted: Sequence[str]) -> list[int]:
        """Positions of the columns with these names, which must be unique."""
        found = self.find_all(wanted)
        for name, positions in zip(wanted, found, strict=True):
            if len(positions) > 1:
                raise ValueError(
                    f"{self.name}: {len(positions)} columns have the name {shown(name)}; "
                    "rename or leave out all but one"
                )
        return [positions[0] for positions in found]

    def position(self, column: str | int, role: str = "label") -> int:
        """Position of a column given by its name or, if columns have none, by a number."""
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
                f"{self.name}: columns have no names here: {role} must be a position from {-width} "
                f"to {width - 1}; got {shown(column)}"
            )
        return position % width

    def positions(self, columns: Columns, role: str) -> list[int]:
        """Positions of one column or of several, each given as for `position`; empty for None."""
        if columns is None:
            return []
        given: Sequence[Any] = columns if isinstance(columns, list | tuple) else [columns]
        return [self.position(column, role) for column in given]

    def arrow_field(self, position: int) -> Any:
        """The Arrow field with which a column is written when it is copied to an output."""
        import pyarrow as pa

        field = self.schema.field(position)
        if not self.typed:
            return pa.field(field.name, pa.string(), metadata=UNTYPED)
        if isinstance(kinds := self.dtypes[position], Conflict):
            raise ValueError(
                f"{self.name}: {self.describe(position)} must have one type to be kept; "
                f"it is {kinds}"
            )
        return field.with_type(decoded_type(field.type))

    # Types --------------------------------------------------------------------------------

    def holds_text(self, position: int) -> bool:
        """Whether a column's declared type is text; False for columns without an Arrow type."""
        import pyarrow as pa

        return self._type(position) in (pa.string(), pa.large_string())

    def _type(self, position: int) -> Any:
        """The decoded Arrow type of a column; None without one."""
        return None if self.schema is None else decoded_type(self.schema.field(position).type)

    def must_hold_numbers(self, columns: Sequence[int]) -> None:
        """Raise a ValueError for a column whose type is not numeric."""
        for position in columns:
            if isinstance(self.dtypes[position], str):
                raise ValueError(
                    f"{self.name}: {self.describe(position)} must hold numbers; it holds "
                    f"{self.dtypes[position]} (convert it to numbers first)"
                )

    def must_hold_text(self, columns: Sequence[int]) -> None:
        """Raise a ValueError for a column that cannot hold categories by its type."""
        import pyarrow as pa

        for position in columns:
            dtype, kind = self.dtypes[position], self._type(position)
            is_nested = kind is not None and pa.types.is_nested(kind)
            has_fractions = not isinstance(dtype, str) and dtype.kind not in "biu"
            if self.typed and (is_nested or has_fractions):
                raise ValueError(
                    f"{self.name}: {self.describe(position)} must hold text, integers or booleans "
                    f"to have categories; it holds {dtype}"
                )

    def clean_text(self, column: Any) -> Any:
        """A text column with null for the cells that stand for a missing value in a CSV."""
        # Keys in names of folders are large strings, and are not cells.
        return self.csv.texts(column) if self.csv and _is_string(column) else column

    def parse_numbers(self, column: Any, position: int, batch: Batch) -> Any:
        """A column that was read unchanged, as numbers.

        A CSV cell that is no number raises a ColumnError; a column of another format that holds
        no numbers is returned unchanged.
        """
        if not (self.csv and _is_string(column)):
            return numbers(column)
        try:
            return self.csv.numbers(column)
        except CellError as error:
            row = batch.first + error.place
            message = f"{batch.file}: {self.describe(position)}: row {row}: {error}"
            names = [self.names[position]] if self.names else []
            raise ColumnError(message, names, may_be_text=True) from None

    # Reading ------------------------------------------------------------------------------

    def want(
        self,
        columns: Sequence[int],
        *,
        text: Collection[int] = (),
        batch_rows: int | None = None,
        start: int = 0,
        threads: int = 1,
        results: int = 0,
    ) -> Wanted:
        """Make a `Wanted`; by default, batches take about 32 MB, with many `results` of a row."""
        by_memory = _BATCH_BYTES // (8 * max(len(columns), results, 1))
        rows = batch_rows or min(max(by_memory, _LEAST_ROWS), MOST_ROWS)
        if self.rows is not None:
            rows = min(rows, max(self.rows, 1))
        return Wanted(columns, text, rows, start, threads=threads)

    def read(self, wanted: Wanted) -> Iterator[Batch]:
        """Read columns, batch by batch.

        Record batches have just the wanted columns, in this order; arrays and CSR matrices have
        all columns.
        """
        for batch in self._batches(wanted):
            yield self.converted(batch, wanted)
        self.must_be_unchanged()

    def map(self, function: Callable[[Batch], T], wanted: Wanted) -> Iterator[T]:
        """Call a function for each batch, several at a time; yield the results in order."""

        def results(load: Callable[[], Iterable[Batch]]) -> list[T]:
            return [function(self.converted(batch, wanted)) for batch in load()]

        for some in map_in_order(results, self._loads(wanted), wanted.threads):
            yield from some
        self.must_be_unchanged()

    def progress(self, rows: int, bytes_read: int | None) -> ReadProgress:
        """The progress of a reader, from its rows and the `bytes_read` of its last batch."""
        if self.rows is not None and self.size is not None:
            bytes_read = self.size * rows // max(self.rows, 1)
        return ReadProgress(rows, self.rows, bytes_read, self.size)

    def in_memory_bytes(self, columns: Sequence[int]) -> int | None:
        """About how many bytes these columns take as one matrix in memory; None if unknown.

        It is exact if the number of rows is known.  Otherwise it is rather too high than too low.
        """
        dtypes = [self.dtypes[column] for column in columns]
        is_number = [dtype for dtype in dtypes if not isinstance(dtype, str)]
        cells = self.count_cells(len(columns))
        return None if cells is None else cells * np.result_type(np.float32, *is_number).itemsize

    def count_cells(self, columns: int) -> int | None:
        """About how many numbers this many columns have; None if unknown."""
        if self.rows is not None:
            return self.rows * columns
        return None if self.cells is None else self.cells(columns, self.size)

    def must_be_unchanged(self) -> None:
        """Raise a ValueError or an OSError if a file has changed since the table was opened."""
        for path, before in zip(self.files, self._states, strict=True):
            try:
                state = _file_state(path)
            except FileNotFoundError:
                raise FileNotFoundError(f"{path}: was removed while it was read") from None
            if state != before:
                raise ValueError(f"{path}: has changed while it was read")

    def _batches(self, wanted: Wanted) -> Iterator[Batch]:
        if self.rows is not None:
            yield from self.reader(wanted)
        else:
            yield from _without_first(self.reader(wanted._replace(start=0)), wanted.start)

    def _loads(self, wanted: Wanted) -> Iterator[Callable[[], Iterable[Batch]]]:
        """Functions that read the batches together, each of them in any thread."""
        edges = self.edges or ()
        if wanted.threads == 1 or len(edges) <= wanted.threads:
            yield from (partial(_only, batch) for batch in self._batches(wanted))
            return
        for first, stop in pairwise(edges):
            if wanted.start < stop:
                start = max(wanted.start, first)
                yield partial(self.reader, wanted._replace(start=start, stop=stop, threads=1))

    def converted(self, batch: Batch, wanted: Wanted) -> Batch:
        """A batch whose memory is validated, and whose columns are numbers unless read as text."""
        data = batch.data
        if not hasattr(data, "schema"):
            return batch
        import pyarrow as pa

        with errors_naming(batch.file):
            data.validate(full=True)  # Arrow validates nothing by itself
        columns = [
            column if position in wanted.text else self.parse_numbers(column, position, batch)
            for position, column in zip(wanted.columns, data.columns, strict=True)
        ]
        return batch._replace(data=pa.record_batch(columns, data.schema.names))


def numpy_dtype(kind: Any) -> np.dtype[Any] | str:
    """The dtype that holds the numbers of an Arrow type; the name of a type without numbers."""
    import pyarrow as pa

    decoded = decoded_type(kind)
    if pa.types.is_decimal(decoded):
        return np.dtype(np.float64)
    if pa.types.is_null(decoded):  # any dtype holds a column of nulls
        return np.dtype(np.bool_)
    if is_number(decoded):
        dtype: np.dtype[Any] = np.dtype(decoded.to_pandas_dtype())
        return dtype
    return str(kind)


def _is_string(column: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(column.type))


def _only(batch: Batch) -> tuple[Batch]:
    return (batch,)


def _file_state(path: Path) -> tuple[int, ...] | None:
    """Properties that change when a file is written or replaced; None for a pipe."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _without_first(batches: Iterator[Batch], rows: int) -> Iterator[Batch]:
    """Leave out this number of rows at the beginning."""
    for batch in batches:
        if rows < batch.rows:
            data = batch.data.slice(rows) if hasattr(batch.data, "slice") else batch.data[rows:]
            labels = None if batch.labels is None else batch.labels[rows:]
            yield batch._replace(data=data, first=batch.first + rows, labels=labels)
        rows = max(0, rows - batch.rows)


def _with_nearest(name: str, names: Sequence[str]) -> str:
    """A missing name, and the most similar one of `names` if there is such."""
    small = {other.lower(): other for other in names}
    nearest = difflib.get_close_matches(name.lower(), small, n=1)
    return f"{shown(name)} (did you mean {shown(small[nearest[0]])}?)" if nearest else shown(name)
