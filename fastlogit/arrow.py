"""Arrays of Arrow: made without pandas, and without what only stands for their values.

Arrow's own function first imports pandas where that is installed, which takes 0.25 s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray


def array_of(values: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> Any:
    """Numbers over the same memory; null where not `valid`."""
    import pyarrow as pa

    kind = pa.from_numpy_dtype(values.dtype)
    bits = None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [bits, pa.py_buffer(values)])


def texts_of(texts: Collection[str]) -> Any:
    """Strings."""
    import pyarrow as pa

    encoded = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(encoded), buffers)


def plain_type(kind: Any) -> Any:
    """What a dictionary or a view holds: not all functions and formats know these."""
    import pyarrow as pa

    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}.get(kind, kind)


def plain(column: Any) -> Any:
    """The values of a dictionary or a view."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        return plain(column.dictionary).take(column.indices)
    return column.cast(plain_type(column.type))
