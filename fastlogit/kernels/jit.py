"""Compile options: the one place that decides how Numba compiles fastlogit.

Every kernel is compiled through :func:`scalar`, :func:`loop` or :func:`ufunc`; a test
forbids a bare ``@njit`` or ``@vectorize`` anywhere else.  The options, and why:

``error_model="numpy"``
    Numba's default raises on a zero divisor.  That branch keeps LLVM from vectorising
    the loop, which made it seven times slower when measured.
``fastmath=False``, written out
    A caller's ``fastmath=True`` spreads into callees that say nothing (numba issue
    7168) and would delete our NaN checks and our error-free transformations.
``nogil=True``
    So that :mod:`fastlogit.threads` can run kernels side by side.
``boundscheck=False``
    Array bounds are checked once, in Python, before a kernel is called.
``cache``
    Compiled code is kept on disk.  Where no folder can be written, kernels are compiled
    in each process instead, without a word.

Nothing here compiles: decorated functions compile at their first call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numba
import numpy as np
from numba import types
from numba.extending import overload

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")


OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": False,
    "boundscheck": False,
}


def scalar(function: F) -> F:
    """Compile a function from numbers to numbers; it is inlined wherever it is called."""
    return _njit(function, forceinline=True)


def loop(function: F) -> F:
    """Compile a function that loops over arrays."""
    return _njit(function)


def ufunc(function: Callable[..., Any], *signatures: str) -> np.ufunc:
    """Compile `function` now, for each of `signatures`, and return a NumPy ufunc.

    Unlike the decorators this compiles (or loads from the cache) when it is called, so
    it is called at the first use of a ufunc and not at import.
    """
    options = {"nopython": True, "fastmath": False, "boundscheck": False}
    try:
        dynamic = numba.vectorize(cache=True, **options)(function)
    except RuntimeError:  # as in _njit
        dynamic = numba.vectorize(**options)(function)
    for signature in signatures:
        dynamic.add(signature)
    return dynamic.ufunc


def by_precision(float32_function: F, float64_function: F, *args: float) -> float:
    """Call one of two compiled functions: within compiled code, the types of `args` choose.

    The first is called, and its result rounded to float32, where the first argument is
    float32 and the others are float32, integer or bool.
    """
    raise NotImplementedError("only for compiled code")


@overload(by_precision, strict=False, jit_options=OPTIONS)
def _by_precision(float32_function: Any, float64_function: Any, *args: Any) -> Any:
    kinds = args[0] if isinstance(args[0], tuple) else args
    narrow = kinds[0] == types.float32 and all(
        kind == types.float32 or isinstance(kind, types.Integer | types.Boolean) for kind in kinds
    )
    if narrow and len(kinds) == 1:
        return lambda short, full, *args: np.float32(short(np.float64(args[0])))
    if narrow:
        return lambda short, full, *args: np.float32(
            short(np.float64(args[0]), np.float64(args[1]))
        )
    if len(kinds) == 1:
        return lambda short, full, *args: full(np.float64(args[0]))
    return lambda short, full, *args: full(np.float64(args[0]), np.float64(args[1]))


def _njit(function: F, **extra: Any) -> F:
    try:
        return numba.njit(cache=True, **OPTIONS, **extra)(function)  # type: ignore[no-any-return]
    except RuntimeError:  # "cannot cache function ...: no locator available"
        return numba.njit(**OPTIONS, **extra)(function)  # type: ignore[no-any-return]
