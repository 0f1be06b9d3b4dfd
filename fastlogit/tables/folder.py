"""Many files as one table: a folder or a pattern, and the keys in Hive's names of folders."""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.core.arrow import common_type
from fastlogit.tables.table import Conflict, Table, numpy_dtype

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

    from fastlogit.tables.table import Batch, Wanted


# Numbers in names of folders; int64 holds all of these integers.
_WHOLE_NUMBER = re.compile("-?[0-9]{1,18}")
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?")


def find_files(source: str | os.PathLike[str]) -> tuple[Path, list[Path]]:
    """The files of a path, a folder or a pattern, in order, and the folder that has them all.

    Files and folders whose names begin with . or _ are left out.
    """
    path = Path(source)
    if path.is_dir():
        base, found = path, sorted(path.rglob("*"))
    elif glob.has_magic(str(source)) and not path.exists():
        fixed = next(number for number, part in enumerate(path.parts) if glob.has_magic(part))
        base = Path(*path.parts[:fixed])
        found = sorted(base.glob(str(Path(*path.parts[fixed:]))))
    else:
        return path.parent, [path]
    found = [file for file in found if file.is_file() and not _is_hidden(file.relative_to(base))]
    if not found:
        raise FileNotFoundError(f"{source}: there are no such files")
    return base, found


def _is_hidden(file: Path) -> bool:
    return any(part.startswith((".", "_")) for part in file.parts)


def folder_keys(base: Path, files: list[Path]) -> dict[str, list[Any]]:
    """The value of each key for each file, from Hive's names of folders: ``year=2013/1.parquet``.

    The value is None if the folder says null, or has no such key.
    """
    folders = [file.relative_to(base).parent for file in files]
    parts = (part for folder in folders for part in folder.parts)
    names = list(dict.fromkeys(part.partition("=")[0] for part in parts if "=" in part))
    if not names:
        return {}
    import pyarrow as pa
    from pyarrow import dataset

    schema = pa.schema([(name, pa.string()) for name in names])
    hive = dataset.partitioning(schema, flavor="hive")
    found = [dataset.get_partition_keys(hive.parse(f"{folder}/")) for folder in folders]
    return {name: _parse_values([values.get(name) for values in found]) for name in names}


def _parse_values(values: list[str | None]) -> list[Any]:
    """Values as integers or floats if all of them are, as Spark and Polars do; else as texts."""
    kind: Callable[[str], Any]
    for pattern, kind in ((_WHOLE_NUMBER, int), (_NUMBER, float)):
        if all(value is None or pattern.fullmatch(value) for value in values):
            return [None if value is None else kind(value) for value in values]
    return values


def join_tables(name: str, tables: list[Table], keys: dict[str, list[Any]]) -> Table:
    """Make a table that reads several, one after another, with a constant column for each key.

    Columns are found by their names.  A column's type is the narrowest that holds its values in
    all tables.  Raises a ValueError if some tables have names, CSV cells or labels and others not.
    """
    import pyarrow as pa

    first = tables[0]
    for table in tables:
        if _kind(table) != _kind(first):
            raise ValueError(
                f"{name}: its files must be of one kind; {first.name} and {table.name} are not"
            )
    constants = {key: _constants(values, first.typed) for key, values in keys.items()}
    names, schema = None, None
    if first.names is None:
        if keys or {len(table.dtypes) for table in tables} != {len(first.dtypes)}:
            raise ValueError(
                f"{name}: its files must have the same number of columns, and no keys in folders"
            )
        by_column = zip(*(table.dtypes for table in tables), strict=True)
        dtypes = [_common_dtype(dtypes, tables) for dtypes in by_column]
    else:
        schema, dtypes = _common_schema(tables)
        for key, values in constants.items():
            schema = schema.append(pa.field(key, values.type))
            dtypes.append(numpy_dtype(values.type))
        names = tuple(schema.names)
    counts = [table.rows for table in tables]
    return Table(
        name,
        names,
        tuple(dtypes),
        None if None in counts else sum(count or 0 for count in counts),
        tuple(file for table in tables for file in table.files),
        lambda wanted: _read_joined(tables, names, constants, wanted),
        schema,
        first.csv,
        tuple({one for table in tables for one in table.index}),
        first.has_labels,
        edges=_join_edges(tables),
        cells=lambda columns, _: _join_cells(tables, columns),
    )


def _read_joined(
    tables: list[Table], names: tuple[str, ...] | None, constants: dict[str, Any], wanted: Wanted
) -> Iterator[Batch]:
    """Read the tables one after another; `constants` has the values of each key by table."""
    if names is not None:
        stored = [names[column] for column in wanted.columns if names[column] not in constants]
        for table in tables:
            table.find(stored)
    # Rows and bytes of the tables before the current one.
    row, before = 0, 0
    for number, table in enumerate(tables):
        stop = None
        if table.rows is not None:
            stop = table.rows if wanted.stop is None else min(table.rows, wanted.stop - row)
        start = max(0, wanted.start - row)
        if stop is None or start < stop:
            values = {key: each[number] for key, each in constants.items()}
            here = wanted._replace(start=start, stop=stop)
            for batch in _read_one(table, names, values, here):
                read = None if batch.bytes_read is None else before + batch.bytes_read
                yield batch._replace(bytes_read=read)
        row += table.rows or 0
        before += table.size or 0


def _read_one(
    table: Table, names: tuple[str, ...] | None, values: dict[str, Any], wanted: Wanted
) -> Iterator[Batch]:
    """Read one of the tables: its columns by their names, and a constant column for each key."""
    if names is None:
        yield from table.reader(wanted)
        return
    import pyarrow as pa

    asked = [names[column] for column in wanted.columns]
    stored = [name for name in asked if name not in values]
    columns = table.find(stored)
    text = {
        column
        for name, column in zip(stored, columns, strict=True)
        if any(names[other] == name for other in wanted.text)
    }
    for batch in table.reader(wanted._replace(columns=columns, text=text)):
        data = [
            pa.repeat(values[name], batch.data.num_rows)
            if name in values
            else batch.data.column(name)
            for name in asked
        ]
        yield batch._replace(data=pa.record_batch(data, asked))


def _constants(values: list[Any], typed: bool) -> Any:
    """The values of a key as an Arrow array.

    For CSV files, texts are large strings.  This tells them from cells, which are strings and may
    stand for a missing value.
    """
    import pyarrow as pa

    array = pa.array(values)
    has_cells = pa.types.is_string(array.type) and not typed
    return array.cast(pa.large_string()) if has_cells else array


def _kind(table: Table) -> tuple[bool, ...]:
    """Properties that all files of a folder must share."""
    return table.names is None, table.typed, table.has_labels


def _common_schema(tables: list[Table]) -> tuple[Any, list[np.dtype[Any] | str]]:
    """Schema and dtypes of all columns of the tables, with types that hold all their values."""
    import pyarrow as pa

    is_typed = tables[0].typed
    kinds: dict[str, list[tuple[Any, str]]] = {}
    for table in tables:
        for field in table.schema:
            kinds.setdefault(field.name, []).append((field.type, table.name))
    fields: dict[str, Any] = {}
    dtypes: dict[str, np.dtype[Any] | str] = {}
    for name, found in kinds.items():
        common = common_type([kind for kind, _ in found])
        if common is None:
            # A type that is neither of numbers nor of text.
            common, dtypes[name] = pa.struct([]), _conflict(found)
        else:
            dtypes[name] = numpy_dtype(common) if is_typed else np.dtype(np.float64)
        fields[name] = pa.field(name, common)
    own = tables[0].names or ()  # a name may be repeated here
    names = [*own, *(name for name in kinds if name not in set(own))]
    return pa.schema([fields[name] for name in names]), [dtypes[name] for name in names]


def _common_dtype(dtypes: Sequence[np.dtype[Any] | str], tables: list[Table]) -> Any:
    """The dtype that holds the values of a column in all tables."""
    if len(set(dtypes)) == 1:
        return dtypes[0]
    if any(isinstance(dtype, str) for dtype in dtypes):
        return _conflict([(dtype, table.name) for dtype, table in zip(dtypes, tables, strict=True)])
    return np.result_type(*dtypes)


def _conflict(found: Sequence[tuple[Any, str]]) -> Conflict:
    """The first two types that differ, and the tables that have them."""
    (one, here), *others = found
    other, there = next(filter(lambda pair: pair[0] != one, others), (one, here))
    return Conflict(f"{one} in {here} and {other} in {there}")


def _join_cells(tables: list[Table], columns: int) -> int | None:
    """How many numbers this many columns have in all tables; None if one does not know."""
    counts = [table.count_cells(columns) for table in tables]
    return None if None in counts else sum(count or 0 for count in counts)


def _join_edges(tables: list[Table]) -> list[int] | None:
    """The edges of all tables, one after another; None if a table has none."""
    edges = [0]
    for table in tables:
        if table.edges is None:
            return None
        edges += [edges[-1] + edge for edge in table.edges[1:]]
    return edges
