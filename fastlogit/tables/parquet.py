"""Parquet: files are read and written by row groups."""

from __future__ import annotations

from bisect import bisect_right
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.tables.errors import errors_naming
from fastlogit.tables.record_batches import typed_table
from fastlogit.tables.table import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from fastlogit.tables.file_format import Write
    from fastlogit.tables.table import Table, Wanted

# Bytes of each column that are read at a time.
_COLUMN_BUFFER = 1 << 18
# Row groups that need at most this much memory are read whole, which is faster.
_GROUP_BYTES = 1 << 27


def open_parquet(path: Path, *_: Any) -> Table:
    """Open a Parquet file; only the wanted columns are read."""
    import pyarrow.parquet as pq

    def open_file() -> Any:
        # Pages are read when they are needed: a reader that buffers ahead ends up with the whole
        # file in memory.
        return pq.ParquetFile(
            path, buffer_size=_COLUMN_BUFFER, pre_buffer=False, page_checksum_verification=True
        )

    with open_file() as file:
        schema, metadata = file.schema_arrow, file.metadata
    sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    edges = np.cumsum([0, *sizes]).tolist()
    if edges[-1] != metadata.num_rows:
        raise ValueError(f"has {metadata.num_rows} rows, and {edges[-1]} in its row groups")

    def read(wanted: Wanted) -> Iterator[Batch]:
        names = [schema.names[column] for column in wanted.columns]
        width = sum(_value_bytes(schema.types[column]) for column in wanted.columns)
        first = bisect_right(edges, wanted.start) - 1
        most_rows = _GROUP_BYTES // max(1, width)
        with errors_naming(str(path)), open_file() as file:
            for groups in _joined_groups(sizes, first, wanted.batch_rows, most_rows):
                row, stop = edges[groups.start], edges[groups.stop]
                is_small = (stop - row) * width <= _GROUP_BYTES
                try:
                    for batch in _read_groups(file, groups, names, wanted, whole=is_small):
                        skipped = max(0, wanted.start - row)
                        if batch.num_rows > skipped:
                            yield Batch(batch.select(names)[skipped:], str(path), row + skipped)
                        row += batch.num_rows
                except Exception as error:
                    raise ValueError(f"{_damaged_group(file, groups, names)}{error}") from error
                if row != stop:
                    raise ValueError(f"row groups {groups}: {row} rows, and should be {stop}")

    return typed_table(str(path), (path,), schema, metadata.num_rows, read)


def _joined_groups(sizes: Sequence[int], first: int, least: int, most: int) -> Iterator[range]:
    """Join small row groups, from the first on, until they have `least` rows together."""
    while first < len(sizes):
        stop, rows = first + 1, sizes[first]
        while stop < len(sizes) and rows < least and rows + sizes[stop] <= most:
            rows += sizes[stop]
            stop += 1
        yield range(first, stop)
        first = stop


def _read_groups(
    file: Any, groups: range, names: list[str], wanted: Wanted, *, whole: bool
) -> Iterator[Any]:
    """Read row groups: whole, or batch by batch to save memory."""
    threads = wanted.threads > 1
    if whole:
        table = file.read_row_groups(list(groups), names, use_threads=threads)
        yield from table.to_batches(wanted.batch_rows)
    else:
        yield from file.iter_batches(wanted.batch_rows, list(groups), names, use_threads=threads)


def _damaged_group(file: Any, groups: range, names: Sequence[str]) -> str:
    """The beginning of a message, which names the row group that cannot be read."""
    for group in groups:
        try:
            for _ in file.iter_batches(row_groups=[group], columns=names):
                pass
        except Exception:  # the caller already reports this error
            return f"row group {group}: "
    return ""


def _value_bytes(kind: Any) -> int:
    """About how many bytes a value of an Arrow type takes."""
    try:
        return max(1, int(kind.bit_width) // 8)
    except ValueError:  # text has no fixed width
        return 64


@contextmanager
def write_parquet(file: BinaryIO, schema: Any, compression: str | None) -> Iterator[Write]:
    """Give a function that writes a record batch as one row group."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Floats such as probabilities hardly repeat: a dictionary or compression would only cost time.
    repeating = [field.name for field in schema if not pa.types.is_floating(field.type)]
    by_column = {name: "snappy" if name in repeating else "none" for name in schema.names}
    with pq.ParquetWriter(
        file,
        schema,
        compression=compression or by_column,
        use_dictionary=repeating,
        write_page_checksum=True,
    ) as writer:
        yield lambda batch: writer.write_batch(batch, row_group_size=max(1, batch.num_rows))
