"""Tables whose columns have names and Arrow types: parts shared by Parquet, Arrow, CSV and Dask."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.core.arrow import common_type
from fastlogit.core.checks import shown
from fastlogit.tables.errors import errors_naming
from fastlogit.tables.stream import read_once
from fastlogit.tables.table import Batch, Stream, Table, numpy_dtype

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from fastlogit.tables.table import Reader, Wanted


def typed_table(
    name: str, files: tuple[Path, ...], schema: Any, rows: int | None, reader: Reader
) -> Table:
    """Make a table whose columns have the types of this Arrow schema."""
    dtypes = tuple(map(numpy_dtype, schema.types))
    index = index_names(schema)
    return Table(name, tuple(schema.names), dtypes, rows, files, reader, schema, index=index)


def stream_table(name: str, reader: Any) -> Table:
    """Make a table that reads a `pyarrow.RecordBatchReader`, once."""
    schema = reader.schema
    bits = sum(map(_least_bits, schema.types))

    def read(wanted: Wanted) -> Iterator[Batch]:
        names = [schema.names[column] for column in wanted.columns]
        with errors_naming(name), reader:
            yield from split_batches(reader, names, name, wanted)

    def copy(file: BinaryIO) -> None:
        import pyarrow as pa

        # Uncompressed: 0.5 GB of float32 are read again in 0.07 s, compressed by lz4 in 0.14 s.
        with reader, pa.ipc.new_stream(file, schema) as writer:
            for batch in _validated(name, reader):
                writer.write_batch(batch)

    def reopen(file: Any) -> Table:
        import pyarrow as pa

        return stream_table(name, pa.ipc.open_stream(file))

    def cells(columns: int, size: int | None) -> int | None:
        return columns * (8 * size // bits) if size is not None and bits else None

    table = replace(typed_table(name, (), schema, None, read), cells=cells)
    return read_once(table, Stream(copy, reopen))


def _validated(name: str, batches: Iterable[Any]) -> Iterator[Any]:
    with errors_naming(name):
        for batch in batches:
            batch.validate(full=True)  # writing reads memory as the batch says
            yield batch


def _least_bits(kind: Any) -> int:
    """How many bits a value of an Arrow type takes at least."""
    import pyarrow as pa

    try:
        return int(kind.bit_width)
    except ValueError:  # text has an offset of 32 bits
        return 0 if pa.types.is_null(kind) else 32


def split_batches(
    batches: Iterable[Any], names: Sequence[str], file: str, wanted: Wanted, first: int = 0
) -> Iterator[Batch]:
    """Take these columns of record batches, and split batches with too many rows.

    `first` is the number of the first row of the first one.
    """
    for whole in batches:
        batch = whole.select(names)
        for start in range(0, batch.num_rows, wanted.batch_rows):
            yield Batch(batch[start : start + wanted.batch_rows], file, first + start)
        first += batch.num_rows


def index_names(schema: Any) -> tuple[str, ...]:
    """Names of the columns that are the index of a data frame.

    pandas lists them in the schema's metadata.  In a CSV it writes the index first, without a
    name; a CSV that it has read and written again has the new index first, then the old one.
    """
    import pyarrow as pa

    names = schema.names
    found = [name for name in names if re.fullmatch(r"__index_level_\d+__", name)]
    for place, (name, kind) in enumerate(zip(names, schema.types, strict=True)):
        may_be_text = place == 0 and not pa.types.is_floating(kind)
        if not is_unnamed(name) or not (may_be_text or pa.types.is_integer(kind)):
            break
        found.append(name)
    with suppress(KeyError, TypeError, ValueError):  # pandas' metadata is absent or damaged
        listed = json.loads(schema.metadata[b"pandas"])["index_columns"]
        found += [name for name in listed if isinstance(name, str) and name in names]
    return tuple(dict.fromkeys(found))


def is_unnamed(name: str) -> bool:
    """Whether a column has no name: pandas reads such columns as "Unnamed: 0" and so on."""
    return re.fullmatch(r"(Unnamed: 0(\.[0-9]+)*)?", name) is not None


def must_fit(name: str, kind: Any, declared: Any) -> None:
    """Raise a ValueError unless a column's declared type promises enough.

    Text must be declared for text, and float64 where that is needed.
    """
    if not _fits(kind, declared):
        raise ValueError(f"column {shown(name)} holds {kind}, and the table declares {declared}")


def _fits(kind: Any, declared: Any) -> bool:
    """Whether the declared type promises enough."""
    common = common_type([kind, declared])
    if common is None:
        return False
    found, expected = numpy_dtype(common), numpy_dtype(declared)
    if isinstance(found, str) or isinstance(expected, str):
        return True
    if expected == np.bool_:
        return found == np.bool_
    return bool(np.result_type(np.float32, found) == np.result_type(np.float32, expected))
