"""Passes over separate columns, each read where it lies and in the dtype that it has.

z of a block is built up column after column, ``z += coef_j x_j``, while the block of z stays
in the cache; so no matrix is put together from the columns of a table.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastlogit.kernels import jit, scalar
from fastlogit.kernels.ieee import fma

# Elements of z at a time: 128 KiB, so that z stays in L2 while all columns are added.
PART = 1 << 14


@jit.loop
def add_column(column: NDArray[Any], coef: float, z: NDArray[np.float64]) -> None:
    """``z += coef * column``."""
    for i in range(z.size):
        z[i] = fma(np.float64(column[i]), coef, z[i])


@jit.loop
def score(z: NDArray[np.float64], probability: bool | None, out: NDArray[Any]) -> None:
    """Z itself, in the dtype of `out`, or σ(z) unless `probability` is None."""
    for i in range(z.size):
        out[i] = z[i] if probability is None else scalar.sigmoid(z[i])
