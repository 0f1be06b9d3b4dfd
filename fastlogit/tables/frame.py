"""Columns in memory or from a stream: dicts, data frames, Arrow's own objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastlogit.matrix.table import named_columns
from fastlogit.tables.errors import errors_naming
from fastlogit.tables.record_batches import stream_table

if TYPE_CHECKING:
    from fastlogit.tables.table import Table


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
    elif isinstance(source, dataset.Dataset):
        source = source.scanner().to_reader()
    elif isinstance(source, pa.RecordBatch):
        source = pa.Table.from_batches([source])
    elif not callable(getattr(source, "__arrow_c_stream__", None)):
        raise TypeError(f"source must be a path or a table; got {name}")
    if isinstance(source, pa.Table):
        source = source.to_reader()
    elif not isinstance(source, pa.RecordBatchReader):
        with errors_naming(name):
            source = pa.RecordBatchReader.from_stream(source)
    return stream_table(name, source)
