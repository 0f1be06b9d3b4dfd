"""Columns in memory or from a stream: dicts, data frames, Arrow's own objects, functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from fastlogit.matrix.table import named_columns
from fastlogit.tables.errors import errors_naming
from fastlogit.tables.record_batches import split_batches, stream_table, typed_table
from fastlogit.tables.stream import described, must_be_same, read_anew
from fastlogit.tables.table import MOST_ROWS, Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastlogit.tables.table import Batch, Wanted

# Batches that Arrow reads of a data set before they are wanted; by default 16.
_READ_AHEAD = 4


def open_frame(name: str, source: Any) -> Table:
    """Make a table of an object with Arrow columns, which may be a stream that is read once.

    pyarrow's own objects are read directly.  An export by the C interface loses the sizes of the
    buffers, and then validation cannot find a buffer that is too short.
    """
    import pyarrow as pa
    from pyarrow import dataset

    if isinstance(source, Mapping):
        columns = named_columns(source, "source")
        with errors_naming(name):
            source = pa.table(dict(columns))
    elif isinstance(source, pa.RecordBatch):
        source = pa.Table.from_batches([source])
    if isinstance(source, pa.Table):
        return _open_arrow_table(name, source)
    if isinstance(source, dataset.Dataset):
        return _open_dataset(name, source)
    if isinstance(source, pa.RecordBatchReader):
        return stream_table(name, source)
    if isinstance(source, Iterator):
        return stream_table(name, _joined(name, source))
    if not callable(getattr(type(source), "__arrow_c_stream__", None)):
        raise TypeError(f"source must be a path or a table; got {name}")

    def opening() -> Table:
        with errors_naming(name):
            return stream_table(name, pa.RecordBatchReader.from_stream(source))

    # An object with a length holds its rows, or computes them anew for each export: a data frame,
    # a relation of DuckDB.  Any other may export its rows only once.
    if not hasattr(type(source), "__len__"):
        return opening()
    return replace(read_anew(opening), cells=lambda columns, _: columns * len(source))


def open_function(name: str, source: Any, open_object: Callable[[Any], Table]) -> Table:
    """Make a table of a function that gives an object with the same rows at each call."""
    last: Any = open_object  # no source gives that

    def opening() -> Table:
        nonlocal last
        given = source()
        if given is last:
            raise ValueError(
                f"{name}: must give a new stream at each call; got the same {type(given).__name__} "
                "again"
            )
        table = open_object(given)
        last = open_object if table.is_repeatable else given
        return table

    return read_anew(opening)


def _open_arrow_table(name: str, source: Any) -> Table:
    schema = source.schema

    def read(wanted: Wanted) -> Iterator[Batch]:
        names = [schema.names[column] for column in wanted.columns]
        with errors_naming(name):
            batches = source.slice(wanted.start).to_batches()
            yield from split_batches(batches, names, name, wanted, wanted.start)

    return typed_table(name, (), schema, source.num_rows, read)


def _open_dataset(name: str, source: Any) -> Table:
    schema = source.schema

    def read(wanted: Wanted) -> Iterator[Batch]:
        names = [schema.names[column] for column in wanted.columns]
        with errors_naming(name):
            scanner = source.scanner(
                names,
                batch_size=min(wanted.batch_rows, MOST_ROWS),
                batch_readahead=_READ_AHEAD,
                use_threads=wanted.threads > 1,
            )
            with scanner.to_reader() as reader:
                yield from split_batches(reader, names, name, wanted)

    table = typed_table(name, (), schema, None, read)
    return replace(table, cells=lambda columns, _: columns * source.count_rows())


def _joined(name: str, source: Iterator[Any]) -> Any:
    """One reader of an iterator of record batches, or of tables."""
    import pyarrow as pa

    tables = _arrow_tables(name, source)
    first = next(tables, None)
    if first is None:
        raise ValueError(f"{name}: must give a record batch at least, as that has the columns")
    every = chain([first], tables)
    batches = (batch for table in every for batch in table.to_batches())
    return pa.RecordBatchReader.from_batches(first.schema, batches)


def _arrow_tables(name: str, source: Iterator[Any]) -> Iterator[Any]:
    """The items of an iterator as tables of Arrow, which must have the same columns."""
    import pyarrow as pa

    first = None
    for item in source:
        if isinstance(item, pa.RecordBatch):
            table = pa.Table.from_batches([item])
        elif isinstance(item, pa.Table):
            table = item
        elif callable(getattr(item, "__arrow_c_stream__", None)):
            table = pa.table(item)
        else:
            kind = type(item).__name__
            raise TypeError(f"source must be a path or a table; got {name} of {kind}")
        columns = described(table.schema.names, table.schema.types)
        first = first or columns
        must_be_same(columns, first)
        yield table
