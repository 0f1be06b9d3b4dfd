"""CSV and TSV: read by Arrow in blocks of lines, and written so that every common reader agrees."""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.core.arrow import is_number
from fastlogit.core.checks import shown
from fastlogit.core.pipeline import map_in_order
from fastlogit.tables import text_file
from fastlogit.tables.csv_options import CellError, CSVOptions
from fastlogit.tables.errors import errors_naming
from fastlogit.tables.record_batches import index_names, split_batches
from fastlogit.tables.table import UNTYPED, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from fastlogit.tables.file_format import ReadOptions, Write
    from fastlogit.tables.table import Batch, Wanted
    from fastlogit.tables.text_file import Block, Text

# Rows that are turned into text at a time, so that the text stays in the cache.
_WRITTEN_ROWS = 1 << 16


# Reading ----------------------------------------------------------------------------------


def open_csv(path: Path, options: ReadOptions, *, delimiter: str = ",") -> Table:
    """Open a CSV with a header, compressed if its suffix says so."""
    csv = options.csv or CSVOptions()
    text = text_file.open_text(path, csv.delimiter or delimiter, csv.encoding)
    return _csv_table(text, csv, delimiter)


def open_csv_stream(name: str, file: Any, options: ReadOptions, *, delimiter: str = ",") -> Table:
    """Read a CSV from a pipe, once."""
    csv = options.csv or CSVOptions()
    text = text_file.open_text_stream(name, file, csv.delimiter or delimiter, csv.encoding)
    return _csv_table(text, csv, delimiter)


def _csv_table(text: Text, csv: CSVOptions, delimiter: str) -> Table:
    """Make a table that reads a CSV; its first lines give names and types.

    Each block is parsed by one thread, without Arrow's own threads: only then do Arrow's errors
    tell the row.
    """
    _check_head(text.head, csv, delimiter)
    parse_lines = partial(_parse_lines, csv, csv.delimiter or delimiter)
    head = parse_lines(text.head)
    schema = _guess_schema(head, csv)
    has_one_column = len(schema) == 1

    def read(wanted: Wanted) -> Iterator[Batch]:
        names = [schema.names[column] for column in wanted.columns]
        parse = _block_parser(csv, schema, wanted, parse_lines)
        blocks = text_file.without_blank_lines(text.blocks(), only_first=has_one_column)
        tables = map_in_order(parse, enumerate(blocks), wanted.threads)
        row, is_first = 0, True
        while True:
            with errors_naming(text.name, schema.names, -1 if is_first else row):
                found = next(tables, None)
            if found is None:
                return
            table, block = found
            for batch in split_batches(table.to_batches(), names, text.name, wanted, row):
                after = batch.first + batch.data.num_rows - row
                yield batch._replace(bytes_read=block.bytes_read(after, table.num_rows))
            row, is_first = row + table.num_rows, False

    # Columns are read as numbers or text as the caller wants, not as their first rows look.
    dtypes = (np.dtype(np.float64),) * len(schema)
    return Table(
        text.name,
        tuple(schema.names),
        dtypes,
        None,
        text.files,
        read,
        schema,
        csv,
        _index_names(schema, head),
        cells=lambda columns, size: text.scaled(columns * len(head), size),
    )


def _block_parser(
    csv: CSVOptions, schema: Any, wanted: Wanted, parse_lines: Any
) -> Callable[[tuple[int, Block]], tuple[Any, Block]]:
    """A function that parses a numbered block: its columns of numbers as float64 if Arrow can."""
    import pyarrow as pa

    names = [schema.names[column] for column in wanted.columns]
    types = {
        name: pa.string()
        if column in wanted.text or csv.thousands or not _may_be_float(schema.types[column])
        else pa.float64()
        for name, column in zip(names, wanted.columns, strict=True)
    }

    def parse(numbered: tuple[int, Block]) -> tuple[Any, Block]:
        number, block = numbered
        given = schema.names if number else ()
        try:
            table = parse_lines(block.lines, types, given, blank_rows=len(schema) == 1)
        except pa.ArrowInvalid:
            # If a cell is no plain number, it is parsed later; any other error occurs again here.
            as_text = dict.fromkeys(names, pa.string())
            table = parse_lines(block.lines, as_text, given, blank_rows=len(schema) == 1)
        return table.combine_chunks(), block

    return parse


def _parse_lines(
    options: CSVOptions,
    delimiter: str,
    lines: bytes,
    types: Mapping[str, Any] | None = None,
    names: Sequence[str] = (),
    *,
    blank_rows: bool = False,
) -> Any:
    """Parse lines of a CSV into an Arrow table with all columns, or only those in `types`.

    The first line is the header unless `names` are given.  Blank lines are skipped unless they
    are `blank_rows`.
    """
    import pyarrow as pa
    from pyarrow import csv

    types = types or {}
    end = b"" if lines.endswith(b"\n") else b"\n"  # Arrow needs one after a header
    return csv.read_csv(
        pa.BufferReader(lines + end if end else lines),
        csv.ReadOptions(use_threads=False, column_names=list(names)),
        csv.ParseOptions(
            delimiter=delimiter,
            newlines_in_values=b'"' in lines,
            ignore_empty_lines=not blank_rows,
        ),
        csv.ConvertOptions(
            include_columns=list(types),
            column_types=types,
            null_values=["", *options.null_values],
            decimal_point=options.decimal,
            strings_can_be_null=False,  # kept columns are written unchanged
        ),
    )


def _check_head(head: bytes, csv: CSVOptions, delimiter: str) -> None:
    """Check the encoding and the delimiter of the first lines."""
    if csv.encoding == "utf-8":
        text_file.must_be_utf8(head)
    if excel := re.match(rb'"?sep=([^\r\n])"?\r?\n', head, re.IGNORECASE):
        other = excel[1].decode(errors="replace")
        raise ValueError(
            f"its first line must be the header; got {shown(excel[0].decode().strip())}, which is "
            f"for Excel (delete the line; csv=CSVOptions(delimiter={other!r}) reads the others)"
        )
    if csv.delimiter is None:
        _must_have(delimiter, head)


def _must_have(delimiter: str, head: bytes) -> None:
    """Check that the header does not have several names separated by another delimiter."""
    header = head.partition(b"\n")[0].decode()
    for other in ";\t|,":
        if other in header and delimiter not in header:
            remedy = f"csv=CSVOptions(delimiter={other!r})"
            remedy = "source_format='tsv'" if other == "\t" else remedy
            raise ValueError(
                f"its header {shown(header)} has {other!r} and no {delimiter!r} ({remedy} reads it "
                "as several columns)"
            )


def _guess_schema(head: Any, csv: CSVOptions) -> Any:
    """The schema of the first rows, of numbers, booleans, text and nulls.

    Arrow reads numbers as text if some cells are blank or have groups of digits; this parses them.
    Columns that Arrow reads as dates are text here.
    """
    import pyarrow as pa

    types = []
    for column in head.columns:
        kind = column.type
        if pa.types.is_string(kind):
            with suppress(CellError):
                found = csv.numbers(column)
                kind = pa.null() if found.null_count == len(found) else found.type
        types.append(kind if is_number(kind) or pa.types.is_null(kind) else pa.string())
    return pa.schema(list(zip(head.column_names, types, strict=True)))


def _index_names(schema: Any, head: Any) -> tuple[str, ...]:
    """Names of index columns; a first column of repeated texts without a name is none."""
    import pyarrow as pa

    index = index_names(schema)
    first = schema.names[0]
    if (
        first in index
        and not pa.types.is_integer(schema.types[0])
        and len(head.column(0).unique()) < len(head)
    ):
        return tuple(name for name in index if name != first)
    return index


def _may_be_float(kind: Any) -> bool:
    """Whether Arrow can parse a column as float64 if its first rows have this type."""
    from pyarrow import types

    return any(is_(kind) for is_ in (types.is_null, types.is_integer, types.is_floating))


# Writing ----------------------------------------------------------------------------------


@contextmanager
def write_csv(
    file: BinaryIO, schema: Any, _compression: str | None, *, delimiter: str = ","
) -> Iterator[Write]:
    """Give a function that writes a record batch as CSV.

    Every common reader finds the rows and types by default.  Arrow's own writer fails at that:

    - it leaves a line empty for a null in the only column; pandas and pyarrow skip such lines;
    - it writes NaN as `nan`, and Polars then reads the column as text;
    - it writes 1.0 as `1`; Polars and DuckDB then fail at the first fraction after many such rows.
    """
    import pyarrow as pa
    from pyarrow import compute

    for field in schema:
        if not _can_be_text(field.type):
            raise ValueError(
                f"a CSV file cannot hold column {field.name!r}, which is {field.type} (a .parquet "
                "or .arrow file can)"
            )
    null = ""
    if len(schema) == 1:
        null = "NaN" if pa.types.is_floating(schema.types[0]) else '""'
    ends = [_binary(delimiter.encode())] * (len(schema) - 1) + [_binary(b"\n")]

    def write(batch: Any) -> None:
        for first in range(0, batch.num_rows, _WRITTEN_ROWS):
            rows = batch[first : first + _WRITTEN_ROWS]
            strings = []
            for column, field, end in zip(rows.columns, schema, ends, strict=True):
                strings += [*_cells(column, field, delimiter), end]
            lines = compute.binary_join_element_wise(
                *strings, _binary(b""), null_handling="replace", null_replacement=null
            )
            file.write(_content(lines))

    names = ('"' + name.replace('"', '""') + '"' for name in schema.names)
    file.write(f"{delimiter.join(names)}\n".encode())
    yield write


def _can_be_text(kind: Any) -> bool:
    """Whether every value of this type can be written as text; binary values need not be text."""
    import pyarrow as pa

    types = pa.types
    binary = types.is_binary, types.is_large_binary, types.is_fixed_size_binary
    if any(is_one(kind) for is_one in binary):
        return False
    try:
        pa.nulls(0, kind).cast(pa.large_string())
    except pa.ArrowNotImplementedError:
        return False
    return True


def _cells(column: Any, field: Any, delimiter: str) -> list[Any]:
    """Columns of binary strings that give the cells when joined; for a null, one is null."""
    import pyarrow as pa

    if column.type in (pa.string(), pa.large_string()):
        is_untyped = (field.metadata or {}).items() >= UNTYPED.items()
        return _text_cells(column.cast(pa.large_binary()), delimiter, if_needed=is_untyped)
    cells = _float_cells(column) if pa.types.is_floating(column.type) else column
    return [cells.cast(pa.large_string()).cast(pa.large_binary())]


def _text_cells(text: Any, delimiter: str, *, if_needed: bool) -> list[Any]:
    """Text in quotes, or only in quotes where it needs them: Polars reads a quoted "1" as text."""
    from pyarrow import compute

    content = bytes(_content(text))
    marks = [mark for mark in ('"', "\r", "\n", delimiter) if mark.encode() in content]
    if if_needed and not marks:
        return [text]
    doubled = compute.replace_substring(text, b'"', b'""') if '"' in marks else text
    strings = [_binary(b'"'), doubled, _binary(b'"')]
    if not if_needed and not text.null_count:
        return strings
    quoted = compute.binary_join_element_wise(*strings, _binary(b""))
    if not if_needed:
        return [quoted]
    needs = compute.match_substring_regex(text, f"[{''.join(marks)}]")
    return [compute.if_else(needs, quoted, text)]


def _float_cells(column: Any) -> Any:
    """Text that every reader recognizes as floating-point numbers."""
    import pyarrow as pa
    from pyarrow import compute

    text = column.cast(pa.large_string())
    values = column.to_numpy(zero_copy_only=False)
    with np.errstate(invalid="ignore"):  # infinities
        if np.all(np.abs(values - np.trunc(values)) > 0):
            return text
    text = compute.replace_substring_regex(text, "^(-?[0-9]+)$", r"\1.0")
    return compute.if_else(compute.equal(text, "nan"), "NaN", text)


def _binary(value: bytes) -> Any:
    import pyarrow as pa

    return pa.scalar(value, pa.large_binary())


def _content(column: Any) -> memoryview:
    """All values of a column of binary strings, end to end."""
    _, offsets, data = column.buffers()
    ends = np.frombuffer(offsets, np.int64)
    return memoryview(data or b"")[ends[column.offset] : ends[column.offset + len(column)]]
