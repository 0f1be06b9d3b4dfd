"""Formats with columns, read as record batches of Arrow: what is not asked for costs nothing."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.scoring import texts
from fastlogit.scoring.csv_options import CSVOptions, with_delimiter
from fastlogit.scoring.overlap import side_by_side
from fastlogit.scoring.table import Batch, Table, naming

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from fastlogit.scoring.table import Read, Wanted
    from fastlogit.scoring.texts import Block, Text

# What is read of each column of a Parquet file at a time.
_PARQUET_BUFFER = 1 << 18
# A row group of Parquet that takes so much memory is read at once.
_GROUP_BYTES = 1 << 27
# Record batches of Arrow up to this size, on average, are read; larger ones are mapped.
_ARROW_BYTES = 1 << 28
# What Arrow's files and streams begin with; no text does with the latter.
_ARROW_FILE, ARROW_STREAM = b"ARROW1", b"\xff"


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

    return _of_schema(str(path), (path,), schema, metadata.num_rows, read)


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
            valid = (_valid(batch.select(names)) for batch in batches)
            yield from _of_batches(valid, names, str(path), wanted)

    return _of_schema(str(path), (path,), schema, None, read)


def _valid(batch: Any) -> Any:
    """A record batch; not one that points outside itself, for which Arrow looks only if asked."""
    batch.validate(full=True)
    return batch


def open_csv(
    path: Path, _width: int | None, csv: CSVOptions | None, *, delimiter: str = ","
) -> Table:
    """CSV with a header, compressed or not."""
    options = with_delimiter(csv, delimiter)
    return of_csv(texts.of_file(path, options.delimiter), options)


def of_csv(text: Text, how: CSVOptions) -> Table:
    """Read a CSV: its first lines, for names and types, and then all of it, in blocks of lines.

    A thread reads a block alone, as Arrow's errors tell the row only without its own threads.
    """
    import pyarrow as pa
    from pyarrow import csv

    def parsed(lines: bytes, **options: Any) -> Any:
        is_quoted = b'"' in lines
        end = b"" if lines.endswith(b"\n") else b"\n"  # which a header must have
        options = _csv_options(how, newlines_in_values=is_quoted, **options)
        return csv.read_csv(pa.BufferReader(lines + end if end else lines), **options)

    schema = parsed(text.head).schema

    def read(wanted: Wanted) -> Iterator[Batch]:
        types = {
            schema.names[column]: pa.string() if column in wanted.text else pa.float64()
            for column in wanted.columns
        }

        def parse(numbered: tuple[int, Block]) -> tuple[Any, Block]:
            number, block = numbered
            names = schema.names if number else ()
            table = parsed(block.lines, names=names, types=types)
            return table.combine_chunks(), block

        tables = side_by_side(parse, enumerate(text.blocks()), wanted.threads)
        row, is_first = 0, True
        while True:
            with naming(text.name, schema.names, -1 if is_first else row):
                found = next(tables, None)
            if found is None:
                return
            table, block = found
            for batch in _of_batches(table.to_batches(), list(types), text.name, wanted, row):
                after = batch.first + batch.data.num_rows - row
                yield batch._replace(position=block.position(after, table.num_rows))
            row, is_first = row + table.num_rows, False

    return replace(_of_schema(text.name, text.files, schema, None, read, typed=False), csv=how)


def _csv_options(
    how: CSVOptions,
    *,
    newlines_in_values: bool,
    names: Sequence[str] = (),
    types: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """How to read a CSV, of which `names` are given where it has no header."""
    from pyarrow import csv

    types = types or {}
    return {
        "read_options": csv.ReadOptions(use_threads=False, column_names=list(names)),
        "parse_options": csv.ParseOptions(
            delimiter=how.delimiter, newlines_in_values=newlines_in_values
        ),
        "convert_options": csv.ConvertOptions(
            include_columns=list(types),
            column_types=types,
            null_values=how.null_values,
            strings_can_be_null=False,  # as what is kept is kept as it is
        ),
    }


def _of_batches(
    batches: Iterable[Any], names: Sequence[str], file: str, wanted: Wanted, row: int = 0
) -> Iterator[Batch]:
    """Columns of these names, of record batches of any size, of which the first begins at `row`."""
    for whole in batches:
        batch = whole.select(names)
        for first in range(0, batch.num_rows, wanted.batch_rows):
            yield Batch(batch[first : first + wanted.batch_rows], file, row + first)
        row += batch.num_rows


def _of_schema(
    name: str,
    files: tuple[Path, ...],
    schema: Any,
    rows: int | None,
    read: Read,
    *,
    typed: bool = True,
) -> Table:
    # What a source has no types for is read as numbers, whatever the first rows look like.
    dtypes = tuple(_dtype(field.type) if typed else np.dtype(np.float64) for field in schema)
    return Table(name, tuple(schema.names), dtypes, rows, files, read, schema, typed)


def _dtype(arrow_type: Any) -> np.dtype[Any] | str:
    """NumPy's name of an Arrow type, or Arrow's where that is no number."""
    from pyarrow import types

    if any(is_(arrow_type) for is_ in (types.is_integer, types.is_floating, types.is_boolean)):
        dtype: np.dtype[Any] = np.dtype(arrow_type.to_pandas_dtype())
        return dtype
    return str(arrow_type)


def of_reader(name: str, reader: Any) -> Table:
    """Read a stream of record batches, once."""
    schema = reader.schema

    def read(wanted: Wanted) -> Iterator[Batch]:
        names = [schema.names[column] for column in wanted.columns]
        with naming(name), reader:
            yield from _of_batches(reader, names, name, wanted)

    return _of_schema(name, (), schema, None, read)
