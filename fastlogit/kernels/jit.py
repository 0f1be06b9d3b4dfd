"""Compile options: the one place that decides how Numba compiles fastlogit.

Every kernel is compiled through :func:`scalar`, :func:`loop` or :func:`c_function`; a test
forbids a bare ``@njit`` or the like anywhere else.  The options, and why:

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
import numba.extending
import numpy as np
from numba import types

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


def intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function for compiled code from one that writes LLVM's code for it."""
    made: Callable[..., Any] = numba.extending.intrinsic(function)
    return made


def c_function(function: Callable[..., Any], signature: Any) -> Any:
    """Compile `function` now, or load it from the cache, to be called by C code.

    Unlike the decorators this does the work when it is called, so it is called at the first
    use of what it makes, and not at import.  The result's ``address`` is the entry point.
    """
    try:
        return numba.cfunc(signature, cache=True, **OPTIONS)(function)
    except RuntimeError:  # as in _njit
        return numba.cfunc(signature, **OPTIONS)(function)


def by_precision(
    float32_function: Callable[..., float],
    float64_function: Callable[..., float],
    *,
    rounded: bool,
) -> Callable[..., float]:
    """Join two compiled functions into one for compiled code: the arguments' types choose.

    Both get float64 and give float64.  The first is called where the first argument is
    float32 and the others are float32, integer or bool, so that a label needs no cast.  Its
    result is made float32 if `rounded`.
    """
    short, full = float32_function, float64_function

    def choose(*args: float) -> float:
        raise NotImplementedError("only for compiled code")

    def _choose(*args: Any) -> Any:
        kinds = args[0] if isinstance(args[0], tuple) else args
        narrow = kinds[0] == types.float32 and all(
            kind == types.float32 or isinstance(kind, types.Integer | types.Boolean)
            for kind in kinds
        )
        function = short if narrow else full
        one = len(kinds) == 1
        if narrow and rounded and one:
            return lambda *args: np.float32(function(np.float64(args[0])))
        if narrow and rounded:
            return lambda *args: np.float32(function(np.float64(args[0]), np.float64(args[1])))
        if one:
            return lambda *args: function(np.float64(args[0]))
        return lambda *args: function(np.float64(args[0]), np.float64(args[1]))

    options = OPTIONS | {"forceinline": True}
    numba.extending.overload(choose, strict=False, jit_options=options)(_choose)
    return choose


def _njit(function: F, **extra: Any) -> F:
    try:
        compiled: F = numba.njit(cache=True, **OPTIONS, **extra)(function)
    except RuntimeError:  # "cannot cache function ...: no locator available"
        compiled = numba.njit(**OPTIONS, **extra)(function)
    return compiled
