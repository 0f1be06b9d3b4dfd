"""Data frames of Dask, read partition by partition, so that one at a time is in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.core.arrow import is_number
from fastlogit.tables.errors import errors_naming
from fastlogit.tables.record_batches import must_fit, split_batches, typed_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastlogit.tables.table import Batch, Table, Wanted

# Packages that have defined Dask's data frames.
_MODULES = ("dask.dataframe", "dask_expr")


def is_dask_frame(source: Any) -> bool:
    """Whether an object is a data frame of Dask; this does not import Dask."""
    return any(
        kind.__name__ == "DataFrame" and kind.__module__.startswith(_MODULES)
        for kind in type(source).__mro__
    )


def open_dask_frame(name: str, frame: Any) -> Table:
    """Make a table of a data frame, without its index."""
    schema = declared_schema(frame)

    def read(wanted: Wanted) -> Iterator[Batch]:
        columns = list(wanted.columns)
        names = [schema.names[column] for column in columns]
        chosen = frame[[frame.columns[column] for column in columns]]
        for number in range(chosen.npartitions):
            place = f"{name}, partition {number}"
            with errors_naming(place):
                rows = partition_to_arrow(chosen.get_partition(number).compute(), schema)
            for batch in split_batches(rows.to_batches(), names, place, wanted):
                yield batch._replace(number=number)

    return typed_table(name, (), schema, None, read)


def declared_schema(frame: Any) -> Any:
    """The Arrow schema that a data frame of Dask declares before anything is computed.

    Columns of pandas' dtype `object` are text.
    """
    import pyarrow as pa

    fields = pa.Schema.from_pandas(frame._meta, preserve_index=False)
    is_object = pa.types.is_null
    return pa.schema(
        [field.with_type(pa.string()) if is_object(field.type) else field for field in fields]
    )


def partition_to_arrow(partition: Any, schema: Any, *, keep_nan: bool = False) -> Any:
    """Convert a partition, a data frame of pandas, to an Arrow table without an index.

    A column without any value gets the type in `schema`, as pandas may have given it another, and
    so do booleans where numbers are declared.  Any other column raises a ValueError if its type
    does not fit the declared one.

    NaN becomes null.  A caller to whom NaN and null are the same passes `keep_nan`: then floats of
    NumPy stay where they are, and nobody has to look for NaN in them.
    """
    import pyarrow as pa

    kinds = partition.dtypes.items()
    in_place = [keep_nan and _stays(kind, schema.field(str(name)).type) for name, kind in kinds]
    others = partition.loc[:, [not stays for stays in in_place]]
    converted = iter(pa.Table.from_pandas(others, preserve_index=False).columns)
    columns = [
        pa.array(partition.iloc[:, place].to_numpy()) if stays else next(converted)
        for place, stays in enumerate(in_place)
    ]
    table = pa.table(columns, list(map(str, partition.columns)))
    for place, name in enumerate(table.column_names):
        column, kind = table.column(place), schema.field(name).type
        if column.null_count == len(column) and column.type != kind:
            table = table.set_column(place, name, pa.nulls(len(column), kind))
        elif pa.types.is_boolean(column.type) and is_number(kind):
            table = table.set_column(place, name, column.cast(kind))
        else:
            must_fit(name, column.type, kind)
    return table


def _stays(kind: Any, declared: Any) -> bool:
    """Whether a dtype of pandas is one of NumPy's floats, and the declared type of Arrow."""
    import pyarrow as pa

    is_float = isinstance(kind, np.dtype) and kind.kind == "f"
    return is_float and bool(pa.from_numpy_dtype(kind) == declared)
