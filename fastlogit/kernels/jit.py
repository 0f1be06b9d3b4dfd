"""Compile options: the one place that decides how Numba compiles fastlogit.

Every kernel is compiled through :func:`scalar`, :func:`inlined`, :func:`inner`, :func:`loop` or
:func:`c_function`; a test forbids a bare ``@njit`` or the like anywhere else.  The options, and
why:

``error_model="numpy"``
    Numba's default raises on a zero divisor.  That branch keeps LLVM from vectorising
    the loop, which made it seven times slower when measured.
``fastmath=False``, written out
    A caller's ``fastmath=True`` spreads into callees that say nothing (numba issue
    7168) and would delete our NaN checks and our error-free transformations.
``nogil=True``
    So that :mod:`fastlogit.core.threads` can run kernels side by side.
``boundscheck=False``
    Array bounds are checked once, in Python, before a kernel is called; the indices of a sparse
    matrix by the kernel itself.
``_nrt=False``, for what is called in loops
    A function that is handed an array counts a reference to it, and takes it back in the end:
    two atomic operations, which LLVM neither removes nor moves out of a loop, and which take
    longer than to multiply a short row.  What allocates nothing need not count.

Compiled code is kept on disk (:class:`_Cache`).  Where no folder can be written, kernels are
compiled in each process instead, without a word.

Kernels are compiled also where ``NUMBA_DISABLE_JIT`` is set, which people do to debug their own
functions or to measure their coverage: kernels mean nothing in plain Python, and keep their bits.

Nothing here compiles: decorated functions compile at their first call.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

import numba
import numba.extending
import numpy as np
from numba import types
from numba.core import event
from numba.core.caching import FunctionCache
from numba.core.ccallback import CFunc
from numba.core.runtime import rtsys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


def inlined(function: F) -> F:
    """Compile a part of a loop over arrays; like `inner`, and inlined wherever it is called."""
    return _njit(function, forceinline=True, _nrt=False)


def inner(function: F) -> F:
    """Compile a loop over arrays that is called within loops.

    It neither allocates nor gives back an array, as it does not count references; and it raises
    nothing, as Numba does not give up what a caller holds where an error passes through.
    """
    return _njit(function, _nrt=False)


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
    types_of = (signature.args, signature.return_type)
    compiled = _cached(CFunc(function, types_of, locals={}, options=OPTIONS), function)
    with _enabled():
        compiled.compile()
    return compiled


@intrinsic
def _widened(typingctx: Any, value: Any) -> Any:
    """Number as a float64; at run time a TypeError of None, if it is optional."""
    if not typingctx.can_convert(value, types.float64):
        return None  # no number: an error of types
    return types.float64(types.float64), lambda context, builder, signature, args: args[0]


def by_precision(
    float32_function: Callable[..., float],
    float64_function: Callable[..., float],
    *,
    rounded: bool,
) -> Callable[..., float]:
    """Join two compiled functions into one for compiled code: the arguments' types choose.

    Both get float64 and give float64.  The first is called where the first argument is
    float32 and the others are float32, integer or bool, so that a label needs no cast.  Its
    result is made float32 if `rounded`.  An optional number, as ``dict.get`` gives it, counts as
    what it is when it is there.
    """
    short, full = float32_function, float64_function

    def choose(*args: float) -> float:
        raise NotImplementedError("only for compiled code")

    def _choose(*args: Any) -> Any:
        given = args[0] if isinstance(args[0], tuple) else args
        kinds = [kind.type if isinstance(kind, types.Optional) else kind for kind in given]
        narrow = kinds[0] == types.float32 and all(
            kind == types.float32 or isinstance(kind, types.Integer | types.Boolean)
            for kind in kinds
        )
        function = short if narrow else full
        one = len(kinds) == 1
        if narrow and rounded and one:
            return lambda *args: np.float32(function(_widened(args[0])))
        if narrow and rounded:
            return lambda *args: np.float32(function(_widened(args[0]), _widened(args[1])))
        if one:
            return lambda *args: function(_widened(args[0]))
        return lambda *args: function(_widened(args[0]), _widened(args[1]))

    options = OPTIONS | {"forceinline": True}
    numba.extending.overload(choose, strict=False, jit_options=options)(_choose)
    return choose


def by_layout(
    functions: dict[type, Callable[..., Any]], *, allocating: bool = False, inline: bool = False
) -> Callable[..., Any]:
    """Join compiled functions into one for compiled code: the class of its first argument chooses.

    The classes are `numpy.ndarray` and named tuples.  Unless the functions are `allocating` they
    are called as `inner` ones, or with `inline` as `inlined` ones.
    """

    def choose(*args: Any) -> Any:
        raise NotImplementedError("only for compiled code")

    def _choose(*args: Any) -> Any:
        kinds = args[0] if isinstance(args[0], tuple) else args
        function = functions[getattr(kinds[0], "instance_class", np.ndarray)]
        return lambda *args: function(*args)

    options = OPTIONS | {"_nrt": allocating} | ({"forceinline": True} if inline else {})
    numba.extending.overload(choose, strict=False, jit_options=options)(_choose)
    return choose


def _njit(function: F, **extra: Any) -> F:
    with _enabled():
        compiled: Any = numba.njit(**OPTIONS, **extra)(function)
    # Numba's own functions are made while one that calls them is compiled.
    compiled._compiler.compile = _enabled()(compiled._compiler.compile)
    kept: F = _cached(compiled, function)
    return kept


# What the user has set, once for each compilation under way: several threads may compile.
_settings: list[int] = []
_settings_lock = Lock()


@contextmanager
def _enabled() -> Iterator[None]:
    """Have Numba compile also where ``NUMBA_DISABLE_JIT`` is set."""
    with _settings_lock:
        _settings.append(_settings[0] if _settings else numba.config.DISABLE_JIT)
        numba.config.DISABLE_JIT = 0
    try:
        yield
    finally:
        with _settings_lock:
            setting = _settings.pop()
            if not _settings:  # the last one puts it back
                numba.config.DISABLE_JIT = setting


def _cached(compiled: Any, function: Callable[..., Any]) -> Any:
    """What Numba's ``cache=True`` does, with a cache of our own kind."""
    with suppress(RuntimeError):  # "cannot cache function ...: no locator available"
        compiled._cache = _Cache(function)
    return compiled


def compiles(call: Callable[[], Any]) -> bool:
    """Call a function; whether anything had to be compiled for that."""
    with event.install_recorder("numba:compile") as recorder:
        call()
    return bool(recorder.buffer)


def cache_folder(compiled: Any) -> str | None:
    """Where the compiled code of a kernel is kept; None if it is not."""
    path = compiled._cache.cache_path
    return None if path is None else str(path)


class _Cache(FunctionCache):  # type: ignore[misc]
    """Numba's cache on disk, but for what goes wrong with that.

    An edit of any kernel makes it stale: their code is inlined into each other, and Numba looks
    at one function's own file only (issue 1833).  A damaged file is as good as none (Numba
    raises, issue 10434), and what cannot be written is not kept.  What is loaded needs Numba's
    runtime only: Numba would first load all that it compiles with, which takes longer.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file._source_stamp = (self._cache_file._source_stamp, _kernels_stamp())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            rtsys.initialize(target_context)
            return self._load_overload(sig, target_context)
        except Exception:  # whatever unpickling half a file raises
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with suppress(OSError):
            super().save_overload(sig, data)


@cache
def _kernels_stamp() -> tuple[tuple[str, int, int], ...]:
    """Name, time and size of every file of the kernels."""
    files = [(path.name, path.stat()) for path in sorted(Path(__file__).parent.rglob("*.py"))]
    return tuple((name, status.st_mtime_ns, status.st_size) for name, status in files)
