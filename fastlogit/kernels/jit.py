"""Compile options: the one place that decides how Numba compiles fastlogit.

Every kernel is compiled through :func:`loop` or :func:`c_function`.  What only kernels call is
compiled through :func:`scalar`, :func:`inlined`, :func:`inner` or :func:`allocating`, as a part of
them (:mod:`fastlogit.kernels.parts`).  A test forbids a bare ``@njit`` or the like anywhere else.
The options, and why:

``error_model="numpy"``
    Numba's default raises an error for a zero divisor.  That branch keeps LLVM from vectorising
    the loop, which then took seven times as long when measured.
``fastmath=False``, written out
    A caller's ``fastmath=True`` spreads into callees that do not set it (numba issue 7168).  It
    would delete our NaN checks and our error-free transformations.
``nogil=True``
    So that :mod:`fastlogit.core.threads` can run kernels side by side.
``boundscheck=False``
    Array bounds are checked once, in Python, before a kernel is called.  The kernels themselves
    check the indices of a sparse matrix.
``_nrt=False``, for functions that are called in loops
    A function that receives an array increments its reference count and decrements it at the end.
    These are two atomic operations, which LLVM neither removes nor moves out of a loop.  They take
    longer than multiplying a short row.  A function that allocates nothing need not count.

Choices at compile time
-----------------------
Numba compiles a function once for each combination of its arguments' types.  The kernels use that
in three ways to leave out code that a call does not need.  None of them costs time at run time.

An argument that is None
    Numba deletes ``if argument is not None: ...`` before it compiles the function.  The argument
    must be a parameter of that same function: a field of a tuple is not recognised.  So a result
    that the caller does not want, or a weight that it does not have, is None.
A flag that is True or None
    The same for a choice that has no value of its own, ``flag: Literal[True] | None``.  A bool
    would be tested at run time, in the loop.
The class of a named tuple
    :func:`by_class` joins several functions into one.  The class of the first argument chooses.
    The layouts of X and the families are such classes.

Views of arrays (``array[i]``, ``array[a:b]``) are made in :func:`inner` functions, which do not
count references, and not in a :func:`loop` over blocks.

Compiled code is kept on disk (:class:`_Cache`).  Where no folder can be written, each process
compiles the kernels itself, without a warning.

Kernels are compiled even where ``NUMBA_DISABLE_JIT`` is set.  People set it to debug their own
functions or to measure their coverage.  Kernels do not work in plain Python, and keep their bits.
Python's garbage collector is paused meanwhile.

Nothing here compiles: decorated functions compile at their first call.
"""

from __future__ import annotations

import gc
import re
from contextlib import contextmanager, suppress
from functools import cache, cached_property, partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

import numba
import numba.extending
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import event
from numba.core.caching import CompileResultCacheImpl, FunctionCache, NullCache
from numba.core.ccallback import CFunc
from numba.core.runtime import rtsys
from numba.core.sigutils import normalize_signature

from fastlogit.kernels import parts

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
    return _part(function, forceinline=True)


def inlined(function: F) -> F:
    """Compile a part of a loop over arrays: as `inner`, and inlined wherever it is called."""
    return _part(function, forceinline=True, _nrt=False)


def inner(function: F) -> F:
    """Compile a loop over arrays that is called within loops.

    It counts no references, so it must neither allocate nor return an array.  It must not raise:
    Numba does not release a caller's arrays when an exception passes through.
    """
    return _part(function, _nrt=False)


def allocating(function: F) -> F:
    """Compile a function that makes arrays, for the kernels that call it."""
    return _part(function)


def loop(function: F) -> F:
    """Compile a function that loops over arrays, and that Python calls; it may allocate."""
    return _njit(function)


def intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function for compiled code from one that generates its LLVM code."""
    made: Callable[..., Any] = numba.extending.intrinsic(function)
    return made


_VECTOR_BYTES = 64


class _Attributes(ir.values.FunctionAttributes):  # type: ignore[misc]
    """llvmlite's list of attributes lacks the width of vectors."""

    WIDE = '"prefer-vector-width"="512"'
    _known = ir.values.FunctionAttributes._known | {WIDE}


def _wide_vectors(dtypes: tuple[Any, ...]) -> Any:
    """Make `wide_vectors` for data of some dtypes."""

    @intrinsic
    def wide_vectors(typingctx: Any, data: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            if data.dtype in dtypes:
                attributes = _Attributes(builder.function.attributes)
                attributes.add(_Attributes.WIDE)
                attributes.add("noinline")
                builder.function.attributes = attributes
            builder.function.attributes.alignstack = _VECTOR_BYTES
            return context.get_dummy_value()

        return types.none(data), codegen

    return wide_vectors


# Use vectors of 512 bits for the loops of the calling function, if its argument is float64.
#
# LLVM prefers 256 bits for Intel's processors, where float64 loops take 1.3 to 1.5 times as long
# with them.  The bits of the results are the same.  Call it in the function that has the loop after
# inlining.  That function is not inlined, as its callers do not have the attribute; so it must be
# neither a `scalar` nor an `inlined` function.
#
# It also aligns the stack of the calling function, for any argument.  Vectors lie there when
# registers run out.  LLVM does not align it by itself.  In most processes each of these vectors
# then crosses a cache line: `residual` took 1.38 to 1.68 ns an element, and a process kept its
# speed (Zen 4).
wide_vectors = _wide_vectors((types.float64,))
# The same for float32 too: for loops that compute in float32.
wide_float32_vectors = _wide_vectors((types.float64, types.float32))


@intrinsic
def interleaved(typingctx: Any) -> Any:
    """Let the loop before this call compute four vectors side by side, where registers suffice.

    An element is a long chain of operations.  A processor that looks 100 or 200 operations ahead
    finds too few that it can do at once.  With the operations of four vectors in turns, float32
    functions were 10 to 20 % faster on a Zen 4.  AVX2 has too few registers.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, _, features = context.codegen().magic_tuple()
        if "+avx512vl" in features:
            jump = _last_back_edge(builder.function)
            jump.set_metadata("llvm.loop", _loop_hint(builder.module, "interleave.count", 4))
        return context.get_dummy_value()

    return types.none(), codegen


def _last_back_edge(function: Any) -> Any:
    """The jump back of the last loop so far; Numba's blocks are called B12 or B12.if."""
    edges = {}
    for block in function.blocks:
        jump = block.terminator
        if isinstance(jump, ir.instructions.Branch):
            target = jump.operands[0].name
            if target[1:].isdigit() and int(target[1:]) <= int(re.findall(r"\d+", block.name)[0]):
                edges[int(target[1:])] = jump
    return edges[max(edges)]


def _loop_hint(module: Any, name: str, value: int) -> Any:
    """Metadata of a loop: a list whose first item is the list itself."""
    hint = module.add_metadata([f"llvm.loop.{name}", ir.IntType(32)(value)])
    loop = module.add_metadata([hint, ir.IntType(32)(len(module.metadata))])  # unique
    loop.operands = (loop, hint)
    return loop


def c_function(function: Callable[..., Any], signature: Any) -> Any:
    """Compile `function` now, or load it from the cache, to be called by C code.

    The decorators compile later; this compiles at once.  So call it when the result is first
    used, and not at import.  The result's ``address`` is the entry point.
    """
    its_types = (signature.args, signature.return_type)
    compiled: Any = CFunc(function, its_types, locals={}, options=OPTIONS)
    compiled._cache = _Cache(function, CompileResultCacheImpl)
    with _compiling():
        compiled.compile()
    return compiled


@intrinsic
def _widened(typingctx: Any, value: Any) -> Any:
    """Number as a float64.  An optional number that is None raises a TypeError at run time."""
    if not typingctx.can_convert(value, types.float64):
        return None  # not a number: a typing error
    return types.float64(types.float64), lambda context, builder, signature, args: args[0]


def by_precision(
    float32_function: Callable[..., Any],
    float64_function: Callable[..., Any],
    *,
    rounded: bool,
) -> Callable[..., Any]:
    """Join two compiled functions into one for compiled code: the arguments' types choose.

    Both take float64 and return it, or a tuple of it.  `float32_function` is called where the first
    argument is float32 and the others are float32, integer or bool, so that a label needs no cast.
    With `rounded` its result is rounded to float32.  An optional number, such as ``dict.get``
    returns, counts as a number of its type.
    """

    def choose(*args: float) -> Any:
        raise NotImplementedError("only for compiled code")

    def _choose(*args: Any) -> Any:
        given = args[0] if isinstance(args[0], tuple) else args
        kinds = [kind.type if isinstance(kind, types.Optional) else kind for kind in given]
        is_float32 = kinds[0] == types.float32 and all(
            kind == types.float32 or isinstance(kind, types.Integer | types.Boolean)
            for kind in kinds
        )
        function = float32_function if is_float32 else float64_function
        one = len(kinds) == 1
        if is_float32 and rounded and one:
            return lambda *args: np.float32(function(_widened(args[0])))
        if is_float32 and rounded:
            return lambda *args: np.float32(function(_widened(args[0]), _widened(args[1])))
        if one:
            return lambda *args: function(_widened(args[0]))
        return lambda *args: function(_widened(args[0]), _widened(args[1]))

    options = OPTIONS | {"forceinline": True, "pipeline_class": parts.Compiler}
    numba.extending.overload(choose, strict=False, jit_options=options)(_choose)
    return choose


def by_target(
    number_function: Callable[..., Any], array_function: Callable[..., Any]
) -> Callable[..., Any]:
    """Join two `inner` functions into one: the second argument is a number or an array."""

    def choose(*args: Any) -> Any:
        raise NotImplementedError("only for compiled code")

    def _choose(*args: Any) -> Any:
        kinds = args[0] if isinstance(args[0], tuple) else args
        function = array_function if isinstance(kinds[1], types.Array) else number_function
        return lambda *args: function(*args)

    options = OPTIONS | {"_nrt": False, "pipeline_class": parts.Compiler}
    numba.extending.overload(choose, strict=False, jit_options=options)(_choose)
    return choose


def by_class(
    find: Callable[[type], Callable[..., Any]],
    *,
    allocating: bool = False,
    inline: bool = False,
    large: bool = False,
) -> Callable[..., Any]:
    """Join compiled functions into one for compiled code: the class of its first argument chooses.

    Parameters
    ----------
    find : function
        From `numpy.ndarray` or the class of a named tuple to the compiled function.  It is called
        when a caller is compiled.
    allocating : bool
        Whether the functions allocate, and so must count references.
    inline : bool
        Whether they are `inlined` functions.  Otherwise they are `inner` functions.
    large : bool
        Whether to keep each function's code in the cache, and call that.  Otherwise each caller
        compiles a small function again, which is faster than to compile a call of it.
    """

    def choose(*args: Any) -> Any:
        raise NotImplementedError("only for compiled code")

    def _choose(*args: Any) -> Any:
        kinds = args[0] if isinstance(args[0], tuple) else args
        function = find(getattr(kinds[0], "instance_class", np.ndarray))
        small = None if large else getattr(function, "py_func", None)
        return small or (lambda *args: function(*args))

    options = OPTIONS | {"_nrt": allocating, "pipeline_class": parts.Compiler}
    if inline:
        options["forceinline"] = True
    numba.extending.overload(choose, strict=False, jit_options=options)(_choose)
    return choose


def _njit(function: F, **extra: Any) -> F:
    with _compiling():
        compiled = numba.njit(**OPTIONS, **extra)(function)
    return _prepared(compiled, _Cache(function, CompileResultCacheImpl))


def _part(function: F, **extra: Any) -> F:
    """Compile a function only into those that call it."""
    part: Any = parts.Dispatcher(function, {}, OPTIONS | {"nopython": True} | extra)
    part.make_ordinary = partial(_njit, function, **extra)
    return _prepared(part, _Cache(function, parts.CacheImpl))


def _prepared(compiled: Any, its_cache: _Cache) -> Any:
    """Give a dispatcher its cache, and let it compile even where ``NUMBA_DISABLE_JIT`` is set."""
    # Numba makes functions of its own while it compiles one of ours.
    compiled._compiler.compile = _compiling()(compiled._compiler.compile)
    compiled._cache = its_cache
    return compiled


# The user's settings, once for each compilation under way: several threads may compile.
_settings: list[tuple[int, bool]] = []
_settings_lock = Lock()


@contextmanager
def _compiling() -> Iterator[None]:
    """Let Numba compile even where ``NUMBA_DISABLE_JIT`` is set, without the garbage collector.

    The collector takes a tenth of the time of a compilation.  Without it a process that compiles a
    pass over X needs 272 MB in place of 233.
    """
    with _settings_lock:
        now = numba.config.DISABLE_JIT, gc.isenabled()
        _settings.append(_settings[0] if _settings else now)
        numba.config.DISABLE_JIT = 0
        gc.disable()
    try:
        yield
    finally:
        with _settings_lock:
            setting, collects = _settings.pop()
            if not _settings:  # the last one puts them back
                numba.config.DISABLE_JIT = setting
                if collects:
                    gc.enable()


def compiled_code(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Callable[..., Any]:
    """Return the code of a compiled function for arguments of the types of these.

    Numba looks at the type of each argument in each call.  With 17 arguments that takes longer than
    a pass over few rows.  The code does not look: it reads arguments of other types as if they were
    of these, or crashes.
    """
    dispatcher: Any = function
    its_types = tuple(map(numba.typeof, arguments))
    dispatcher.compile(its_types)
    return dispatcher.get_overload(its_types)


def compiles(call: Callable[[], Any]) -> bool:
    """Whether calling a function compiles anything; it is called once."""
    with event.install_recorder("numba:compile") as recorder:
        call()
    return bool(recorder.buffer)


class _Refused(BaseException):
    """A function would be compiled; no `except Exception` on the way stops this."""


class _Refusing(event.Listener):  # type: ignore[misc]
    """Stops each compilation before it begins."""

    def on_start(self, event: Any) -> None:
        raise _Refused

    def on_end(self, event: Any) -> None:
        pass


def loads(call: Callable[[], Any]) -> bool:
    """Whether a call finds all of its code in the cache; otherwise it is stopped."""
    try:
        with event.install_listener("numba:compile", _Refusing()):
            call()
    except _Refused:
        return False
    return True


def cache_folder(compiled: Any) -> str | None:
    """Folder that caches the compiled code of a kernel, or None."""
    path = compiled._cache.cache_path
    return None if path is None else str(path)


class _Cache:
    """The cache of a function on disk, which is looked for at its first use.

    To look for the folders of all functions at import would take 12 ms.
    """

    def __init__(self, function: Callable[..., Any], impl: type[CompileResultCacheImpl]) -> None:
        self._function, self._impl = function, impl

    @cached_property
    def _files(self) -> Any:
        try:
            return _CacheFiles(self._function, self._impl)
        except RuntimeError:  # "cannot cache function ...: no locator available"
            return NullCache()

    @property
    def cache_path(self) -> Any:
        return self._files.cache_path

    def flush(self) -> None:
        self._files.flush()

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        return self._files.load_overload(sig, target_context)

    def save_overload(self, sig: Any, data: Any) -> None:
        self._files.save_overload(sig, data)


class _CacheFiles(FunctionCache):  # type: ignore[misc]
    """Numba's on-disk cache, hardened against its known failures.

    - An edit of any kernel makes the cache stale, as kernels are inlined into each other.  Numba
      looks only at the function's own file (issue 1833).
    - A damaged file counts as a missing one.  Numba raises an error (issue 10434).
    - A file that cannot be written is skipped.
    - Loading initialises Numba's runtime only.  Numba would first load its whole compiler, which
      takes longer.
    """

    def __init__(self, function: Callable[..., Any], impl: type[CompileResultCacheImpl]) -> None:
        self._impl_class = impl
        super().__init__(function)
        self._cache_file._source_stamp = (self._cache_file._source_stamp, _kernels_stamp())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            rtsys.initialize(target_context)
            found = self._load_overload(sig, target_context)
            # Two processes may have saved under one number: Numba does not lock its index.
            if found is None or found.signature.args == normalize_signature(sig)[0]:
                return found
        except Exception:  # unpickling half a file may raise anything
            pass
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
