"""Arguments of the functions by name, identical in every run."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

COLUMNS = 32
DTYPES = ("float64", "float32")

_DRAW: dict[str, Callable[[Generator, int], NDArray[Any]]] = {
    "z": lambda rng, n: rng.normal(scale=3.0, size=n),
    "t": lambda rng, n: rng.random(n) < 0.3,
    "y": lambda rng, n: rng.uniform(0.001, 0.999, n),
    "X": lambda rng, n: rng.normal(size=(n, COLUMNS)),
    "coef": lambda rng, _: rng.normal(scale=0.2, size=COLUMNS),
    "direction": lambda rng, _: rng.normal(size=COLUMNS),
}


@cache
def argument(name: str, n: int, dtype: str) -> NDArray[Any]:
    """The argument called `name` for n elements or rows, read-only."""
    rng = np.random.default_rng([2013, *name.encode()])
    array = _DRAW[name](rng, n).astype(dtype)
    array.flags.writeable = False
    return array
