"""Usual and odd arguments of functions over X, and outcomes of calls."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any
from unittest import mock

import numpy as np

from fastlogit.matrix import passes
from tests.references.multiprecision import bits

N, D = 5, 9


class Subclass(np.ndarray):
    """Looks like an array of NumPy, and may mean something else."""


class Float(float):
    """A float that says that it is another one."""

    def __float__(self):
        return 7.0


class Text(str):
    """A string that is not the default."""


def usual(seed: int = 0) -> dict[str, Any]:
    """X, coef, intercept, t and direction that every function takes."""
    rng = np.random.default_rng(seed)
    X, coef = rng.normal(size=(N, D)), rng.normal(size=D)
    t, direction = (rng.random(N) < 0.5).astype(np.float64), rng.normal(size=D)
    return {"X": X, "coef": coef, "intercept": 0.5, "t": t, "direction": direction}


def unaligned(array: np.ndarray) -> np.ndarray:
    raw = np.frombuffer(bytearray(b"x" + array.tobytes()), np.uint8)[1:]
    return raw.view(array.dtype).reshape(array.shape)


def read_only(array: np.ndarray) -> np.ndarray:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def with_metadata(array: np.ndarray) -> np.ndarray:
    return array.astype(np.dtype(array.dtype, metadata={"unit": "m"}))


def odd_arrays(array: np.ndarray) -> list[Any]:
    """Values in place of an array of float64, unusual or wrong; few are of other good dtypes."""
    one, two = array.copy(), np.concatenate([array, array])
    holes = np.ma.masked_array(array, np.arange(array.size).reshape(array.shape) == 1)
    special = [array.copy() for _ in range(4)]
    for changed, value in zip(special, (np.nan, np.inf, -np.inf, -0.0), strict=True):
        changed.flat[1] = value
    return [
        *special,
        *(array.astype(dtype) for dtype in ("f2", "g", ">f8", ">f4", "O", "c8", "c16", "U9", "S9")),
        np.zeros(array.shape, [("a", float)]),
        np.zeros(array.shape, "M8[s]"),
        with_metadata(array),
        array[::-1],
        array[..., ::-1],
        two[::2],
        np.asfortranarray(array),
        array.T,
        array.ravel(),
        array[np.newaxis],
        array[..., np.newaxis],
        array[:0],
        array[..., :0],
        array[:1],
        array[:-1],
        array[..., :-1],
        two,
        np.broadcast_to(array[:1], array.shape),
        unaligned(array),
        read_only(array),
        array.view(Subclass),
        np.ma.masked_array(array),
        holes,
        array.tolist(),
        tuple(array.tolist()),
        [[1.0, 2.0], [3.0]],
        np.array(1.0),
        np.float64(1.0),
        one.flat[0].item(),
        memoryview(array),
        None,
        "text",
        b"bytes",
        np.ndarray,
        {},
        object(),
    ]


INTERCEPTS = [
    *(-0.0, 1e308, 5e-324, np.nan, np.inf, -np.inf),
    *(np.float64(0.5), np.float32(0.1), np.float16(0.5), np.longdouble(0.5), np.complex128(1)),
    *(0, 1, 2**53 + 1, 10**30, 10**400, True, np.int64(3), np.bool_(True)),
    *(np.array(0.5), np.array([0.5]), [0.5], np.ma.masked, np.ma.masked_array(0.5)),
    *(Float(0.5), Decimal("0.5"), Fraction(1, 2), 1j, "0.5", b"1", None, float, object()),
]
TARGETS = [np.full(N, value) for value in (0.5, -0.0, 1.0, 1.0000000000000002, -5e-324)]
MISSING = ["error", "".join(["err", "or"]), Text("error"), "nan", "skip", None, np.array(["error"])]


def odd(
    rng: np.random.Generator, pools: dict[str, list[Any]], given: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Usual arguments, one or more of them replaced by odd ones."""
    given = dict(given or usual())
    first = rng.integers(len(pools))
    for number, (name, pool) in enumerate(pools.items()):
        if number == first or rng.random() < 0.15:
            given[name] = pool[rng.integers(len(pool))]
    return given


class Computed(Exception):  # noqa: N818  an outcome, not an error
    """The general way has found that all arguments are right."""


def outcome(call: Callable[[], Any]) -> tuple[Any, ...]:
    """All that a caller sees of a call."""
    with warnings.catch_warnings(record=True, action="always") as given:
        try:
            result = call()
        except Exception as error:
            return type(error), str(error)
    results = result if isinstance(result, tuple) else (result,)
    found = [(type(one), np.shape(one), bits(one)) for one in results]
    return "result", found, [(one.category, str(one.message)) for one in given]


def compared(
    call: Callable[[], Any], general: Callable[[], Any], stop: tuple[Any, str] = (passes, "_run")
) -> Any:
    """Compare a call with one that goes the general way, and say how both went.

    The general way stops at this function, where it would read the data: to compile for odd types
    takes minutes.
    """
    with mock.patch.object(*stop, side_effect=Computed):
        quick, slow = outcome(call), outcome(general)
    if quick != slow:  # a short call, which the general way must take
        assert slow[0] is Computed
        assert quick == outcome(general)
    return quick[0]


def all_happened(outcomes: Counter[Any]) -> None:
    """Check that the tests have met all outcomes."""
    for one in ("result", Computed, TypeError, ValueError):
        assert outcomes[one] >= 10, one
