"""Arrow arrays: made without pandas, decoded from dictionaries, cast to numbers.

`pyarrow.array` imports pandas where that is installed, which takes 0.25 s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray


def from_numpy(values: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> Any:
    """An Arrow array of numbers over the same memory; null where not `valid`."""
    import pyarrow as pa

    kind = pa.from_numpy_dtype(values.dtype)
    bits = None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [bits, pa.py_buffer(values)])


def string_array(texts: Collection[str]) -> Any:
    """An Arrow array of strings."""
    import pyarrow as pa

    encoded = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(encoded), buffers)


def as_column(values: Any) -> Any:
    """A column of any library as an Arrow array or chunked array.

    Arrow's own arrays are returned unchanged.  An export by the C interface loses the sizes of the
    buffers, and then validation cannot find a buffer that is too short.
    """
    import pyarrow as pa

    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    return pa.chunked_array(values) if hasattr(values, "__arrow_c_stream__") else pa.array(values)


def decoded_type(kind: Any) -> Any:
    """The type of the values of a dictionary or a view; any other type unchanged.

    Not all functions and file formats support dictionaries and views.
    """
    import pyarrow as pa

    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}.get(kind, kind)


def decoded(column: Any) -> Any:
    """The values of a dictionary or a view; any other column unchanged."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        return decoded(column.dictionary).take(column.indices)
    return column.cast(decoded_type(column.type))


def is_number(kind: Any) -> bool:
    """Whether a decoded type is of integers, floats, decimals or booleans."""
    from pyarrow import types

    return any(
        is_one(kind)
        for is_one in (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal)
    )


def numbers(column: Any) -> Any:
    """A column as integers, floats or booleans; unchanged if it does not hold numbers."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = decoded(column)
    if pa.types.is_decimal(column.type):
        # Arrow's direct cast is off by 1 ULP for one decimal in ten.
        return column.cast(pa.string()).cast(pa.float64())
    return column.cast(pa.float64()) if pa.types.is_null(column.type) else column


def floats(column: Any, name: str, missing: str) -> NDArray[np.float64]:
    """A column of any library in float64; nulls are NaN if `missing` is "nan", else an error."""
    import pyarrow as pa

    try:
        whole = numbers(as_column(column))
    except (pa.ArrowException, TypeError):
        raise TypeError(f"{name} must hold real numbers; got {type(column).__name__}") from None
    if not is_number(whole.type):
        raise TypeError(f"{name} must hold real numbers; got {whole.type}")
    whole.validate()
    if missing == "error" and whole.null_count:
        raise ValueError(
            f"{name} must have no nulls; it has {whole.null_count} (decision and predict_proba "
            "take them as NaN with missing='nan')"
        )
    result: NDArray[np.float64] = np.asarray(whole.cast(pa.float64(), safe=False), np.float64)
    return result


def common_type(kinds: Collection[Any]) -> Any:
    """The narrowest decoded type that holds columns of all these types, or None.

    Integers and floats together are floats; booleans among numbers are 0 and 1.
    """
    import pyarrow as pa

    kinds = {decoded_type(kind) for kind in kinds} - {pa.null()}
    if len(kinds) > 1 and all(map(is_number, kinds)):
        kinds -= {pa.bool_()}
        if any(map(pa.types.is_decimal, kinds)):
            # Decimals and floats together are float64.  Integers have up to 20 digits.
            other = pa.decimal128(20, 0)
            other = pa.float64() if any(map(pa.types.is_floating, kinds)) else other
            kinds = {kind if pa.types.is_decimal(kind) else other for kind in kinds}
    if len(kinds) < 2:
        return next(iter(kinds), pa.null())
    schemas = [pa.schema([("", kind)]) for kind in kinds]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive").types[0]
    except pa.ArrowTypeError:
        return None


def as_type(column: Any, kind: Any) -> Any:
    """A column cast to the `common_type` of its own type and others.

    Raises
    ------
    pyarrow.ArrowInvalid
        If the type does not hold a value.
    """
    import pyarrow as pa

    column = decoded(column)
    if pa.types.is_floating(kind):
        column = numbers(column)
    elif pa.types.is_boolean(column.type) and pa.types.is_decimal(kind):
        column = column.cast(pa.int8())  # Arrow casts no boolean to a decimal
    return column.cast(kind)
