"""Formats with columns, read as record batches of Arrow: what is not asked for costs nothing."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.core.arrow import is_number
from fastlogit.core.checks import shown
from fastlogit.core.pipeline import side_by_side
from fastlogit.tables import text_file
from fastlogit.tables.csv_options import CellError, CSVOptions
from fastlogit.tables.table import Batch, Table, dtype_of, is_unnamed, naming

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from fastlogit.tables.table import Read, Wanted
    from fastlogit.tables.text_file import Block, Text

# What is read of each column of a Parquet file at a time.
_PARQUET_BUFFER = 1 << 18
# A row group of Parquet that takes so much memory is read at once.
_GROUP_BYTES = 1 << 27
# Record batches of Arrow up to this size, on average, are read; larger ones are mapped.
_ARROW_BYTES = 1 << 28
# What Arrow's files and streams begin with; no text does with the latter, also not in UTF-16.
_ARROW_FILE, ARROW_STREAM = b"ARROW1", b"\xff\xff"


def open_parquet(path: Path, *_: Any) -> Table:
    """Parquet, of which each column is read alone."""
    import pyarrow.parquet as pq

    def open_file() -> Any:
        # Pages are read as they are needed.  Otherwise, after some time, all of the file is in
        # memory.
        return pq.ParquetFile(
            path, buffer_size=_PARQUET_BUFFER, pre_buffer=False, page_checksum_verification=True
        )

    with open_file() as file:
        schema, metadata = file.schema_arrow, file.metadata
    sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    edges = np.cumsum([0, *sizes]).tolist()
    if edges[-1] != metadata.num_rows:
        raise ValueError(f"has {metadata.num_rows} rows, and {edges[-1]} in its row groups")

    def read(wanted: Wanted) -> Iterator[Batch]:
        names = [schema.names[column] for column in wanted.columns]
        width = sum(_width_of(schema.types[column]) for column in wanted.columns)
        first = bisect_right(edges, wanted.start) - 1
        with naming(str(path)), open_file() as file:
            for groups in _together(sizes, first, wanted.batch_rows, _GROUP_BYTES // max(1, width)):
                row, stop = edges[groups.start], edges[groups.stop]
                is_small = (stop - row) * width <= _GROUP_BYTES
                try:
                    for batch in _of_groups(file, groups, names, wanted, at_once=is_small):
                        skipped = max(0, wanted.start - row)
                        if batch.num_rows > skipped:
                            yield Batch(batch.select(names)[skipped:], str(path), row + skipped)
                        row += batch.num_rows
                except Exception as error:
                    raise ValueError(f"{_damaged(file, groups, names)}{error}") from error
                if row != stop:
                    raise ValueError(f"row groups {groups}: {row} rows, and should be {stop}")

    return of_schema(str(path), (path,), schema, metadata.num_rows, read)


def _together(sizes: Sequence[int], first: int, least: int, most: int) -> Iterator[range]:
    """Take row groups from the first on together until they have so many rows at least."""
    while first < len(sizes):
        stop, rows = first + 1, sizes[first]
        while stop < len(sizes) and rows < least and rows + sizes[stop] <= most:
            rows += sizes[stop]
            stop += 1
        yield range(first, stop)
        first = stop


def _of_groups(
    file: Any, groups: range, names: list[str], wanted: Wanted, *, at_once: bool
) -> Iterator[Any]:
    """Read row groups: at once, which is faster, or in batches if that would take much memory."""
    threads = wanted.threads > 1
    if at_once:
        table = file.read_row_groups(list(groups), names, use_threads=threads)
        yield from table.to_batches(wanted.batch_rows)
    else:
        yield from file.iter_batches(wanted.batch_rows, list(groups), names, use_threads=threads)


def _damaged(file: Any, groups: range, names: Sequence[str]) -> str:
    """Say which row group cannot be read, if one cannot."""
    for group in groups:
        try:
            for _ in file.iter_batches(row_groups=[group], columns=names):
                pass
        except Exception:  # which is told already
            return f"row group {group}: "
    return ""


def _width_of(kind: Any) -> int:
    """About how many bytes a value takes."""
    try:
        return max(1, int(kind.bit_width) // 8)
    except ValueError:  # text has any width
        return 64


def open_arrow(path: Path, *_: Any) -> Table:
    """Arrow's IPC format, as a file or as a stream."""
    import pyarrow as pa

    with path.open("rb") as file:
        is_file = file.read(len(_ARROW_FILE)) == _ARROW_FILE
    opening = pa.ipc.open_file if is_file else pa.ipc.open_stream
    with pa.OSFile(str(path)) as file, opening(file) as reader:
        schema = reader.schema
        count = reader.num_record_batches if is_file else None
    # A mapped file that is cut short meanwhile kills the process; but all of a batch is in memory
    # when it is read.
    is_mapped = count is not None and path.stat().st_size > max(1, count) * _ARROW_BYTES
    open_file = pa.memory_map if is_mapped else pa.OSFile

    def read(wanted: Wanted) -> Iterator[Batch]:
        # (Of what is mapped, no column is read before it is used.)
        only = [] if is_mapped else sorted(set(wanted.columns))
        options = pa.ipc.IpcReadOptions(included_fields=only)
        with (
            naming(str(path)),
            open_file(str(path)) as file,
            opening(file, options=options) as reader,
        ):
            numbers = range(reader.num_record_batches) if is_file else None
            batches = map(reader.get_batch, numbers) if numbers is not None else iter(reader)
            names = [schema.names[column] for column in wanted.columns]
            yield from of_batches(batches, names, str(path), wanted)

    return of_schema(str(path), (path,), schema, None, read)


def open_csv(
    path: Path, _width: int | None, csv: CSVOptions | None, *, delimiter: str = ","
) -> Table:
    """CSV with a header, compressed or not."""
    how = csv or CSVOptions()
    return of_csv(text_file.of_file(path, how.delimiter or delimiter, how.encoding), how, delimiter)


def of_csv(text: Text, how: CSVOptions, delimiter: str) -> Table:
    """Read a CSV: its first lines, for names and types, and then all of it, in blocks of lines.

    A thread reads a block alone, as Arrow's errors tell the row only without its own threads.
    """
    import pyarrow as pa

    if how.encoding == "utf-8":
        text_file.must_be_utf8(text.head)
    if excel := re.match(rb'"?sep=([^\r\n])"?\r?\n', text.head, re.IGNORECASE):
        other = excel[1].decode(errors="replace")
        raise ValueError(
            f"its first line must be the header; got {shown(excel[0].decode().strip())}, which is "
            f"for Excel (delete the line; csv=CSVOptions(delimiter={other!r}) reads the others)"
        )
    if how.delimiter is None:
        _must_have(delimiter, text.head)
    parsed = partial(_parsed, how, how.delimiter or delimiter)
    head = parsed(text.head)
    schema = _schema_of(head, how)
    is_one = len(schema) == 1
    index = list(_index_of(schema))
    if (
        schema.names[0] in index
        and not pa.types.is_integer(schema.types[0])
        and len(head.column(0).unique()) < len(head)
    ):
        index.remove(schema.names[0])  # its texts repeat: a column without a name

    def read(wanted: Wanted) -> Iterator[Batch]:
        names = [schema.names[column] for column in wanted.columns]
        types = {
            name: pa.string()
            if column in wanted.text or how.thousands or not _is_plain(schema.types[column])
            else pa.float64()
            for name, column in zip(names, wanted.columns, strict=True)
        }

        def parse(numbered: tuple[int, Block]) -> tuple[Any, Block]:
            number, block = numbered
            given = schema.names if number else ()
            try:
                table = parsed(block.lines, types, given, blank_rows=is_one)
            except pa.ArrowInvalid:  # a cell is not a plain number; other errors are raised again
                as_text = dict.fromkeys(names, pa.string())
                table = parsed(block.lines, as_text, given, blank_rows=is_one)
            return table.combine_chunks(), block

        blocks = text_file.without_blank_lines(text.blocks(), only_first=is_one)
        tables = side_by_side(parse, enumerate(blocks), wanted.threads)
        row, is_first = 0, True
        while True:
            with naming(text.name, schema.names, -1 if is_first else row):
                found = next(tables, None)
            if found is None:
                return
            table, block = found
            for batch in of_batches(table.to_batches(), names, text.name, wanted, row):
                after = batch.first + batch.data.num_rows - row
                yield batch._replace(position=block.position(after, table.num_rows))
            row, is_first = row + table.num_rows, False

    return of_schema(text.name, text.files, schema, None, read, csv=how, index=tuple(index))


def _parsed(
    how: CSVOptions,
    delimiter: str,
    lines: bytes,
    types: Mapping[str, Any] | None = None,
    names: Sequence[str] = (),
    *,
    blank_rows: bool = False,
) -> Any:
    """Lines of a CSV as a table of Arrow, of all columns or of those with a type.

    The first line is the header, unless `names` are given.  Blank lines are skipped, unless
    `blank_rows`.
    """
    import pyarrow as pa
    from pyarrow import csv

    types = types or {}
    end = b"" if lines.endswith(b"\n") else b"\n"  # which a header must have
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
            null_values=["", *how.null_values],
            decimal_point=how.decimal,
            strings_can_be_null=False,  # columns that are kept are written unchanged
        ),
    )


def _schema_of(head: Any, how: CSVOptions) -> Any:
    """The schema of the first rows of a CSV: numbers, booleans, text and nulls.

    Arrow takes numbers for text if there are blank cells or groups of digits among them.  Its dates
    are text here.
    """
    import pyarrow as pa

    types = []
    for column in head.columns:
        kind = column.type
        if pa.types.is_string(kind):
            with suppress(CellError):
                found = how.numbers(column)
                kind = pa.null() if found.null_count == len(found) else found.type
        types.append(kind if is_number(kind) or pa.types.is_null(kind) else pa.string())
    return pa.schema(list(zip(head.column_names, types, strict=True)))


def _is_plain(kind: Any) -> bool:
    """Whether Arrow can parse such a column of a CSV as float64."""
    from pyarrow import types

    return any(is_(kind) for is_ in (types.is_null, types.is_integer, types.is_floating))


def _must_have(delimiter: str, head: bytes) -> None:
    """Check that the header is not several names with another delimiter."""
    header = head.partition(b"\n")[0].decode()
    for other in ";\t|,":
        if other in header and delimiter not in header:
            remedy = f"csv=CSVOptions(delimiter={other!r})"
            remedy = "source_format='tsv'" if other == "\t" else remedy
            raise ValueError(
                f"its header {shown(header)} has {other!r} and no {delimiter!r} ({remedy} reads it "
                "as several columns)"
            )


def of_batches(
    batches: Iterable[Any], names: Sequence[str], file: str, wanted: Wanted, row: int = 0
) -> Iterator[Batch]:
    """Columns of these names, of record batches of any size, of which the first begins at `row`."""
    for whole in batches:
        batch = whole.select(names)
        for first in range(0, batch.num_rows, wanted.batch_rows):
            yield Batch(batch[first : first + wanted.batch_rows], file, row + first)
        row += batch.num_rows


def of_schema(
    name: str,
    files: tuple[Path, ...],
    schema: Any,
    rows: int | None,
    read: Read,
    *,
    csv: CSVOptions | None = None,
    index: tuple[str, ...] | None = None,
) -> Table:
    """Make a table of what reads batches of this schema."""
    # A CSV's columns are read as numbers or text, whatever the first rows look like.
    dtypes = tuple(
        np.dtype(np.float64) if csv is not None else dtype_of(kind) for kind in schema.types
    )
    index = _index_of(schema) if index is None else index
    return Table(name, tuple(schema.names), dtypes, rows, files, read, schema, csv, index)


def _index_of(schema: Any) -> tuple[str, ...]:
    """Names of the columns that are the index of a data frame.

    pandas lists them in the schema's metadata.  It writes a CSV's index first, without a name; if
    it reads and writes such a CSV again, the old index comes after the new one.
    """
    import pyarrow as pa

    names = schema.names
    found = [name for name in names if re.fullmatch(r"__index_level_\d+__", name)]
    for place, (name, kind) in enumerate(zip(names, schema.types, strict=True)):
        may_be_text = place == 0 and not pa.types.is_floating(kind)
        if not is_unnamed(name) or not (may_be_text or pa.types.is_integer(kind)):
            break
        found.append(name)
    with suppress(KeyError, TypeError, ValueError):  # no metadata of pandas, or damaged
        listed = json.loads(schema.metadata[b"pandas"])["index_columns"]
        found += [name for name in listed if isinstance(name, str) and name in names]
    return tuple(dict.fromkeys(found))


def of_reader(name: str, reader: Any) -> Table:
    """Read a stream of record batches, once."""
    schema = reader.schema

    def read(wanted: Wanted) -> Iterator[Batch]:
        names = [schema.names[column] for column in wanted.columns]
        with naming(name), reader:
            yield from of_batches(reader, names, name, wanted)

    return of_schema(name, (), schema, None, read)
