"""Many files as one table: a folder or a pattern, and what Hive's names of folders say."""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.arrays import short
from fastlogit.scoring.table import Table

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from fastlogit.scoring.table import Batch, Wanted


# What is a number when it is text again.
_WHOLE_NUMBER = re.compile("0|-?[1-9][0-9]{0,17}", re.ASCII)


def find_files(source: str | os.PathLike[str]) -> tuple[Path, list[Path]]:
    """The files that a path, a folder or a pattern stands for, and the folder they are all in."""
    path = Path(source)
    if path.is_dir():
        base, found = path, sorted(path.rglob("*"))
    elif glob.has_magic(str(source)) and not path.exists():
        plain = next(number for number, part in enumerate(path.parts) if glob.has_magic(part))
        base = Path(*path.parts[:plain])
        found = sorted(base.glob(str(Path(*path.parts[plain:]))))
    else:
        return path.parent, [path]
    found = [file for file in found if file.is_file() and _is_shown(file.relative_to(base))]
    if not found:
        raise FileNotFoundError(f"{source}: there are no such files")
    return base, found


def _is_shown(file: Path) -> bool:
    """Whether a file is part of a data set: what begins with . or _ is not."""
    return not any(part.startswith((".", "_")) for part in file.parts)


def partition_keys(base: Path, files: list[Path]) -> dict[str, list[Any]]:
    """What Hive's names of folders, as in ``year=2013/1.parquet``, say of each file."""
    folders = [file.relative_to(base).parent for file in files]
    names = [part.partition("=")[0] for part in folders[0].parts if "=" in part]
    if not names:
        return {}
    import pyarrow as pa
    from pyarrow import dataset

    schema = pa.schema([(name, pa.string()) for name in names])
    hive = dataset.partitioning(schema, flavor="hive")
    found = [dataset.get_partition_keys(hive.parse(f"{folder}/")) for folder in folders]
    keys = {name: [values.get(name) for values in found] for name in names}
    for name, values in keys.items():
        if all(value is not None and _WHOLE_NUMBER.fullmatch(value) for value in values):
            keys[name] = list(map(int, values))
    return keys


def chain(name: str, tables: list[Table], keys: dict[str, list[Any]]) -> Table:
    """Read tables of one kind one after another, with a constant column for each key."""
    import pyarrow as pa

    first = tables[0]
    if any((table.names is None) != (first.names is None) for table in tables):
        raise ValueError(f"{name}: some of its files have names of columns, and others have not")
    if first.names is None and (
        keys or {len(table.dtypes) for table in tables} != {len(first.dtypes)}
    ):
        raise ValueError(f"{name}: its files must have as many columns, and no keys in folders")
    names = None if first.names is None else (*first.names, *keys)
    # Of one type in all files, though a value may be null.
    constants = {
        key: pa.array(values, pa.int64() if isinstance(values[0], int) else pa.string())
        for key, values in keys.items()
    }
    kinds = [
        np.dtype(int) if pa.types.is_integer(values.type) else "string"
        for values in constants.values()
    ]
    counts = [table.rows for table in tables]

    def read(wanted: Wanted) -> Iterator[Batch]:
        # Rows and bytes before a table.
        row, before = 0, 0
        for number, table in enumerate(tables):
            stop = None
            if table.rows is not None:
                stop = table.rows if wanted.stop is None else min(table.rows, wanted.stop - row)
            start = max(0, wanted.start - row)
            if stop is None or start < stop:
                if names is not None:
                    _must_agree(table, first, [names[column] for column in wanted.columns])
                values = {key: each[number] for key, each in constants.items()}
                here = wanted._replace(start=start, stop=stop)
                for batch in _read_one(table, names, values, here):
                    position = None if batch.position is None else before + batch.position
                    yield batch._replace(position=position)
            row += table.rows or 0
            before += sum(path.stat().st_size for path in table.files)

    rows = None if None in counts else sum(count or 0 for count in counts)
    files = tuple(file for table in tables for file in table.files)
    schema = first.schema
    for key, values in constants.items():
        schema = schema.append(pa.field(key, values.type))
    dtypes = (*first.dtypes, *kinds)
    edges = _edges(tables)
    return Table(
        name, names, dtypes, rows, files, read, schema, first.typed, first.has_labels, edges=edges
    )


def _must_agree(table: Table, first: Table, names: list[str]) -> None:
    """Check that columns are of one kind in both, numbers or of the same other type."""
    for name in names:
        if name in (first.names or ()):
            one, other = (each.dtypes[each.find([name])[0]] for each in (table, first))
            if (isinstance(one, str) or isinstance(other, str)) and one != other:
                raise ValueError(
                    f"{table.name}: column {short(name)} holds {one}; in {first.name} it holds "
                    f"{other}"
                )


def _edges(tables: list[Table]) -> list[int] | None:
    """Those of all tables, one after another."""
    edges = [0]
    for table in tables:
        if table.edges is None:
            return None
        edges += [edges[-1] + edge for edge in table.edges[1:]]
    return edges


def _read_one(
    table: Table, names: tuple[str, ...] | None, values: dict[str, Any], wanted: Wanted
) -> Iterator[Batch]:
    """Read columns of one of the tables of a chain, by their names, beside constant ones."""
    if names is None:
        yield from table._read(wanted)
        return
    import pyarrow as pa

    asked = [names[column] for column in wanted.columns]
    there = [name for name in asked if name not in values]
    columns = table.find(there)
    text = {
        column
        for name, column in zip(there, columns, strict=True)
        if any(names[other] == name for other in wanted.text)
    }
    for batch in table._read(wanted._replace(columns=columns, text=text)):
        data = [
            pa.repeat(values[name], batch.data.num_rows)
            if name in values
            else batch.data.column(name)
            for name in asked
        ]
        yield batch._replace(data=pa.record_batch(data, asked))
