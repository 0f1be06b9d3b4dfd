"""X as a table in memory: Arrow, Polars, pandas, or a dict of columns.

Data types that have no numbers of their own, such as dictionaries and decimals, are converted.  All
others are read in place.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.core import checks
from fastlogit.core.arrow import as_column, numbers
from fastlogit.kernels.layouts import columns
from fastlogit.kernels.layouts.columns import Columns
from fastlogit.matrix.columns import (
    Column,
    Segment,
    array_column,
    checked_shape,
    from_columns,
    from_segments,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastlogit.core.checks import Missing
    from fastlogit.matrix.base import Matrix


def is_frame(X: Any) -> bool:
    """Whether X is a table of Arrow or pandas, or exports one of Arrow."""
    return (_is_pandas(X) and hasattr(X, "ndim")) or _is_arrow(X)  # pandas.NA has no axes


def from_mapping(X: Mapping[Any, Any], missing: Missing) -> Matrix:
    """Matrix of a mapping from names to columns."""
    named = named_columns(X, "X")
    chunks = [_read_column(column, name, missing) for name, column in named]
    return from_columns(chunks, [name for name, _ in named])


def from_frame(X: Any, missing: Missing) -> Matrix:
    """Matrix of a table that `is_frame` and `in_memory`."""
    if _is_pandas(X):
        if X.ndim != 2:
            raise ValueError(f"X must have 2 axes; got shape {X.shape}")
        names = list(map(str, X.columns))
        series = [X.iloc[:, number] for number in range(X.shape[1])]  # names may be repeated
        chunks = [_read_column(one, name, missing) for one, name in zip(series, names, strict=True)]
        return from_columns(chunks, names)
    import pyarrow as pa

    whole = [X] if isinstance(X, pa.RecordBatch) else X.to_batches()
    shape = checked_shape(sum(map(len, whole)), X.schema.names)
    read = [_read_batch(batch, missing) for batch in whole if len(batch)]
    return from_segments(shape, X.schema.names, [batch for batch, _ in read], read)


def in_memory(X: Any) -> Any:
    """A table of Arrow, if X is one, exports one or can be read once as one; else X itself.

    Record batches and data frames of pandas stay as they are.  An object that is collected first,
    such as a lazy frame of Polars, raises a TypeError.
    """
    if callable(getattr(type(X), "collect", None)):
        raise TypeError(f"X must be a table in memory; got {type(X).__name__} (collect it first)")
    if _is_pandas(X) or not _is_arrow(X):
        return X
    import pyarrow as pa

    if isinstance(X, pa.RecordBatch | pa.Table):
        return X
    try:
        # `pa.table` would export Arrow's own readers by the C interface; see `as_column`.
        return X.read_all() if isinstance(X, pa.RecordBatchReader) else pa.table(X)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise TypeError(f"X must be a table; got {type(X).__name__} ({error})") from None


def named_columns(mapping: Mapping[Any, Any], argument: str) -> list[tuple[str, Any]]:
    """Names, as text, and columns of a mapping."""
    try:
        return [(str(name), mapping[name]) for name in mapping]
    except KeyError as error:
        raise ValueError(
            f"{argument} must have a column for each of its keys; {error} has none"
        ) from None


def _is_pandas(value: Any) -> bool:
    return any(base.__module__.partition(".")[0] == "pandas" for base in type(value).__mro__)


def _is_arrow(value: Any) -> bool:
    return any(
        callable(getattr(value, f"__arrow_c_{kind}__", None)) for kind in ("stream", "array")
    )


def _read_column(value: Any, name: str, missing: Missing) -> list[Column]:
    """The chunks of one column of any library."""
    if getattr(value, "ndim", 1) != 1 and not isinstance(value, np.ndarray):
        raise ValueError(f"X[{name!r}] must have one axis; got {type(value).__name__}")
    dtype = getattr(value, "dtype", None)
    if _is_pandas(value) and isinstance(dtype, np.dtype):
        value = value.to_numpy(copy=False)  # not through Arrow, which would make NaN a null
    elif _is_arrow(value) or (_is_pandas(value) and dtype is not None):
        import pyarrow as pa

        try:
            whole = pa.array(value) if _is_pandas(value) else as_column(value)
        except (pa.ArrowException, TypeError):
            raise TypeError(f"X must hold real numbers; got {dtype} in column {name!r}") from None
        chunks = whole.chunks if isinstance(whole, pa.ChunkedArray) else [whole]
        table = pa.table({name: pa.chunked_array(chunks, whole.type)})
        return [_read_only_column(batch, missing) for batch in table.to_batches() if len(batch)]
    return [array_column(checks.real_array(value, f"X[{name!r}]", 1, float16=True))]


# Arrow's C data interface -----------------------------------------------------------------

# NumPy's type for each of Arrow's formats of one letter.
_FORMATS = {
    "g": np.float64,
    "f": np.float32,
    "e": np.float16,
    "b": np.bool_,
    "l": np.int64,
    "i": np.int32,
    "s": np.int16,
    "c": np.int8,
    "L": np.uint64,
    "I": np.uint32,
    "S": np.uint16,
    "C": np.uint8,
}


def _read_batch(batch: Any, missing: Missing) -> tuple[Segment, Any]:
    """Read a record batch of Arrow; also returns the owner of its memory.

    It is read by the C data interface: asking pyarrow about each of many columns would take longer
    than reading them.
    """
    batch.validate()  # a damaged file may promise more rows than its buffers have
    capsules = batch.__arrow_c_array__()
    fields = np.empty((batch.num_columns, 6), np.int64)
    schema, array = map(_address, capsules, (b"arrow_schema", b"arrow_array"))
    columns.describe(schema, array, fields)
    formats, has_metadata, start, nulls, validity, address = fields.T
    for number in np.flatnonzero(has_metadata):
        if isinstance(batch.schema.types[number], _extension_types()):
            formats[number] = 0
    found = {code: _FORMATS.get(chr(code)) for code in set(formats.tolist())}
    for number in np.flatnonzero([found[code] is None for code in formats.tolist()])[:1]:
        converted = [numbers(column) for column in batch.columns]
        if [column.type for column in converted] != batch.schema.types:
            return _read_batch(type(batch).from_arrays(converted, batch.schema.names), missing)
        name, kind = batch.schema.names[number], batch.schema.types[number]
        raise TypeError(f"X must hold real numbers; got {kind} in column {name!r}")
    nulls = np.where(validity == 0, 0, nulls)
    for number in np.flatnonzero(nulls < 0):  # not counted yet
        nulls[number] = batch.column(int(number)).null_count
    if missing == "error":
        for number in np.flatnonzero(nulls)[:1]:
            raise ValueError(
                f"X must have no nulls; column {batch.schema.names[number]!r} has "
                f"{nulls[number]} (decision and probability take them as NaN with missing='nan')"
            )
    validity = np.where(nulls == 0, 0, 8 * validity + start)
    strides, readers = np.empty_like(start), np.empty_like(start)
    for code, kind in found.items():
        here = formats == code
        dtype = np.dtype(kind)
        strides[here] = 1 if kind is np.bool_ else dtype.itemsize
        name = "bits" if kind is np.bool_ else dtype.name
        readers[here] = columns.reader(name)
        readers[here & (validity == 0)] = columns.reader(name, in_place=True)
        if kind is np.bool_:
            address[here] *= 8
    addresses, centres = address + start * strides, np.zeros(len(start))
    given = Columns(addresses, strides, readers, validity, len(batch), centres)
    return Segment(given, [np.dtype(found[code]) for code in formats.tolist()]), (batch, capsules)


def _read_only_column(batch: Any, missing: Missing) -> Column:
    """The only column of a record batch."""
    (given, (dtype,)), kept = _read_batch(batch, missing)
    address, stride, reader, validity = (int(field[0]) for field in given[:4])
    return Column(given.rows, dtype, address, stride, reader, validity, kept)


@cache
def _extension_types() -> type:
    import pyarrow as pa

    kind: type = pa.BaseExtensionType
    return kind


def _address(capsule: Any, name: bytes) -> int:
    """Address in a capsule of Python."""
    address: int = _capsule_pointer(capsule, name)
    return address


_capsule_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)
