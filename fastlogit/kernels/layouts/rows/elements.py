"""Elements of a row-major array, with or without centres, in vectors of float64."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastlogit.kernels import jit, lanes, tiles


class CentredRows(NamedTuple):
    """An array from whose columns `centres` are subtracted; these end with zeros."""

    array: NDArray[Any]
    centres: NDArray[np.float64]


Layout = NDArray[Any] | CentredRows

# Reading either of the two ----------------------------------------------------------------


@jit.inlined
def _array_shape(X: NDArray[Any]) -> tuple[int, int]:
    return X.shape[0], X.shape[1]


@jit.inlined
def _centred_shape(X: CentredRows) -> tuple[int, int]:
    return X.array.shape[0], X.array.shape[1]


@jit.inlined
def _array_itemsize(X: NDArray[Any]) -> int:
    return X.itemsize


@jit.inlined
def _centred_itemsize(X: CentredRows) -> int:
    return X.array.itemsize


@jit.inlined
def _array_element(X: NDArray[Any], i: int, j: int) -> float:
    return np.float64(X[i, j])


@jit.inlined
def _centred_element(X: CentredRows, i: int, j: int) -> float:
    return np.float64(X.array[i, j]) - X.centres[j]


@jit.inlined
def _load_array(X: NDArray[Any], i: int, j: int) -> Any:
    return lanes.load(X, (i, j))


@jit.inlined
def _load_centred(X: CentredRows, i: int, j: int) -> Any:
    return lanes.subtract(lanes.load(X.array, (i, j)), lanes.load(X.centres, j))


@jit.inlined
def _load_first_array(X: NDArray[Any], i: int, j: int, count: int) -> Any:
    return lanes.load_first(X, (i, j), count)


@jit.inlined
def _load_first_centred(X: CentredRows, i: int, j: int, count: int) -> Any:
    return lanes.subtract(lanes.load_first(X.array, (i, j), count), lanes.load(X.centres, j))


@jit.inlined
def _load_four_array(X: NDArray[Any], i: int, j: int) -> Any:
    return lanes.load_four(X, (i, j))


@jit.inlined
def _load_four_centred(X: CentredRows, i: int, j: int) -> Any:
    return lanes.subtract(lanes.load_four(X.array, (i, j)), lanes.load_four(X.centres, j))


@jit.inlined
def _load_eight_rows_array(X: NDArray[Any], i: int, j: int, count: int | None) -> Any:
    return tiles.load_eight_rows(X, i, j, count)


@jit.inlined
def _load_eight_rows_centred(X: CentredRows, i: int, j: int, count: int | None) -> Any:
    return lanes.subtract(tiles.load_eight_rows(X.array, i, j, count), lanes.load(X.centres, j))


@jit.inlined
def _prefetch_array(X: NDArray[Any], i: int, j: int) -> None:
    lanes.prefetch_far(X, (i, j))


@jit.inlined
def _prefetch_centred(X: CentredRows, i: int, j: int) -> None:
    lanes.prefetch_far(X.array, (i, j))


@jit.inlined
def _prefetch_four_array(X: NDArray[Any], i: int, j: int) -> None:
    lanes.prefetch_four(X, (i, j))


@jit.inlined
def _prefetch_four_centred(X: CentredRows, i: int, j: int) -> None:
    lanes.prefetch_four(X.array, (i, j))


def _either(for_array: Any, for_centred: Any) -> Any:
    functions: dict[type, Any] = {np.ndarray: for_array, CentredRows: for_centred}
    return jit.by_class(functions.__getitem__, inline=True)


shape = _either(_array_shape, _centred_shape)
itemsize = _either(_array_itemsize, _centred_itemsize)
element = _either(_array_element, _centred_element)
# Ask for an element, or for 32, to be brought into the second cache; they need not exist.
prefetch = _either(_prefetch_array, _prefetch_centred)
prefetch_four = _either(_prefetch_four_array, _prefetch_four_centred)
# Eight elements from ``X[i, j]`` on; the first `count` of them, then zeros; 32 elements; and these
# of eight rows, the first `count` of each or all.
load = _either(_load_array, _load_centred)
load_first = _either(_load_first_array, _load_first_centred)
load_four = _either(_load_four_array, _load_four_centred)
load_eight_rows = _either(_load_eight_rows_array, _load_eight_rows_centred)
