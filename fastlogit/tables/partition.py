"""Data frames of Dask, read partition by partition, so that one at a time is in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.core.arrow import common_type
from fastlogit.core.checks import shown
from fastlogit.tables.csv import of_batches, of_schema
from fastlogit.tables.table import dtype_of, naming

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastlogit.tables.table import Batch, Table, Wanted

# Where the classes of data frames are; dask_expr had them for a time.
_MODULES = ("dask.dataframe", "dask_expr")


def is_frame(source: Any) -> bool:
    """Whether it is a data frame of Dask, which need not be imported to find out."""
    return any(
        kind.__name__ == "DataFrame" and kind.__module__.startswith(_MODULES)
        for kind in type(source).__mro__
    )


def of_frame(name: str, frame: Any) -> Table:
    """A data frame as a table; columns are found by their names, and its index is none."""
    schema = schema_of(frame)

    def read(wanted: Wanted) -> Iterator[Batch]:
        columns = list(wanted.columns)
        names = [schema.names[column] for column in columns]
        chosen = frame[[frame.columns[column] for column in columns]]
        for number in range(chosen.npartitions):
            where = f"{name}, partition {number}"
            with naming(where):
                rows = as_arrow(chosen.get_partition(number).compute(), schema)
            yield from of_batches(rows.to_batches(), names, where, wanted)

    return of_schema(name, (), schema, None, read)


def schema_of(frame: Any) -> Any:
    """The schema that a data frame of Dask declares, before anything is computed.

    What pandas calls objects are texts.
    """
    import pyarrow as pa

    kinds = pa.Schema.from_pandas(frame._meta, preserve_index=False)
    is_object = pa.types.is_null
    return pa.schema(
        [kind.with_type(pa.string()) if is_object(kind.type) else kind for kind in kinds]
    )


def as_arrow(partition: Any, schema: Any) -> Any:
    """A partition, a data frame of pandas, as a table of Arrow without an index.

    A column without any value gets the declared type, as pandas may have given it another.
    In another, a type that the declared one does not stand for is an error.
    """
    import pyarrow as pa

    table = pa.Table.from_pandas(partition, preserve_index=False)
    for place, name in enumerate(table.column_names):
        column, kind = table.column(place), schema.field(name).type
        if column.null_count == len(column) and column.type != kind:
            table = table.set_column(place, name, pa.nulls(len(column), kind))
        elif not _can_be(column.type, kind):
            raise ValueError(
                f"column {shown(name)} holds {column.type}, and the data frame declares {kind}"
            )
    return table


def _can_be(kind: Any, declared: Any) -> bool:
    """Whether a declared type promises enough: text for text, and float64 where it is needed."""
    common = common_type([kind, declared])
    if common is None:
        return False
    found, expected = dtype_of(common), dtype_of(declared)
    if isinstance(found, str) or isinstance(expected, str):
        return True
    return bool(np.result_type(np.float32, found) == np.result_type(np.float32, expected))
