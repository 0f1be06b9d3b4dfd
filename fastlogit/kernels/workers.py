"""Worker threads without the GIL: they wait for work, and share a loop over arrays.

Python needs some tens of microseconds to start a waiting thread.  The system wakes the thread, it
asks for the GIL, the caller still holds that, and it sleeps once more.  Here a worker waits in
compiled code.  After each piece of work it looks for the next one for 80 µs, then it sleeps.
Between two looks it lets other threads run.  On a busy machine these run longer than 80 µs, so that
the worker sleeps at once.

A worker has a record, and so has a loop that threads share.  A record is an array of 64-bit words,
and the functions receive its address.  A worker serves one caller at a time.  Its `STATE` is

=========  ========================================================
`FREE`     it waits, and looks at this word again and again
`ASLEEP`   it waits for the lock `WAKE`
`CALLED`   a caller has given it work, and may still take that back
`BUSY`     it has begun
`AWAITED`  it has begun, and the caller waits for the lock `ENDED`
=========  ========================================================

Every change of the state is one atomic operation.  The locks come from Python's C interface; they
exist on every system and need no GIL.
"""

from __future__ import annotations

import ctypes
import sys
import time
from array import array
from typing import TYPE_CHECKING, Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.core.compiler_lock import global_compiler_lock

from fastlogit.kernels import jit

if TYPE_CHECKING:
    from collections.abc import Callable

FREE, ASLEEP, CALLED, BUSY, AWAITED = range(5)

# Words of a worker, by their offsets in bytes: its state; the loop to share, or 0 for a call of
# Python; the caller's core; two locks; arguments of an inner loop; a set of 1024 cores; a time.
STATE, LOOP, CORE, WAKE, ENDED, ARGUMENTS, CORES, TIME = 0, 8, 16, 24, 32, 40, 72, 200
# Words of a loop: the first element that nobody has taken; then see `loop_record`; arguments of the
# inner loop, for the caller.  Words that change are two cache lines away from those that do not.
NEXT, SIZE, PART, FUNCTION, ARRAYS, STEPS, CALLERS = 0, 128, 136, 144, 152, 176, 320

# Nanoseconds for which a thread looks before it sleeps.
_LOOKING = 80_000
# Microseconds that a caller sleeps before it returns to Python, which then raises interrupts.
_SLEEP = 50_000
# Parts that a caller takes before it returns to Python, which then raises interrupts.
_TURNS = 64


def worker_record() -> array[int]:
    """Record of a new worker."""
    arguments, cores, time = [0] * 4, [0] * 16, [0] * 2
    return array("q", [FREE, 0, -1, _closed_lock(), _closed_lock(), *arguments, *cores, *time])


def loop_record(
    size: int, part: int, function: int, arrays: list[int], steps: list[int]
) -> array[int]:
    """Record of a loop over arrays of `size` elements; a thread takes `part` of them at a time.

    `function` is the address of the inner loop of a ufunc; `arrays` and `steps` are the addresses
    and strides of at most 3 arrays.
    """
    far, none, arguments = [0] * 15, [0] * (3 - len(arrays)), [0] * 4
    words = [0, *far, size, part, function, *arrays, *none, *steps, *none, *far, *arguments]
    return array("q", words)


def _closed_lock() -> int:
    """Address of a new lock that is held."""
    allocate = ctypes.pythonapi.PyThread_allocate_lock
    acquire = ctypes.pythonapi.PyThread_acquire_lock
    allocate.restype, acquire.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_int]
    lock: int = allocate()
    acquire(lock, 1)
    return lock


# Words ------------------------------------------------------------------------------------

_WORD = ir.IntType(64)


def _pointer(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, _WORD.as_pointer())


@jit.intrinsic
def _load(typingctx: Any, address: Any) -> Any:
    """Word at an address."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(_pointer(builder, args[0]), "seq_cst", 8)

    return types.int64(types.int64), codegen


@jit.intrinsic
def _exchange(typingctx: Any, address: Any, value: Any) -> Any:
    """Put a value into a word; the value before."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.atomic_rmw("xchg", _pointer(builder, args[0]), args[1], "seq_cst")

    return types.int64(types.int64, types.int64), codegen


@jit.intrinsic
def _add(typingctx: Any, address: Any, value: Any) -> Any:
    """Add a value to a word; the value before."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", _pointer(builder, args[0]), args[1], "seq_cst")

    return types.int64(types.int64, types.int64), codegen


@jit.intrinsic
def _replaced(typingctx: Any, address: Any, old: Any, new: Any) -> Any:
    """Put a value into a word if it holds `old`; whether it did."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        found = builder.cmpxchg(_pointer(builder, args[0]), args[1], args[2], "seq_cst")
        return builder.extract_value(found, 1)

    return types.boolean(types.int64, types.int64, types.int64), codegen


@jit.intrinsic
def _call(typingctx: Any, function: Any, arrays: Any, size: Any, steps: Any) -> Any:
    """Call the inner loop of a ufunc; all arguments are addresses."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        prototype = ir.FunctionType(ir.VoidType(), [_WORD] * 4)
        function = builder.inttoptr(args[0], prototype.as_pointer())
        builder.call(function, [*args[1:], _WORD(0)])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4), codegen


# The system -------------------------------------------------------------------------------


def _external(name: str, result: Any, *arguments: Any) -> Any:
    return types.ExternalFunction(name, result(*arguments))


_acquire = _external(
    "PyThread_acquire_lock_timed", types.int32, types.int64, types.int64, types.int32
)
_release = _external("PyThread_release_lock", types.void, types.int64)
_ACQUIRED = 1  # other results: the time is over, or a signal came
_FOREVER = -1

# A steady clock.  Windows has none by this name; there, threads sleep at once.
_CLOCK = getattr(time, "CLOCK_MONOTONIC", None)
_gettime = _external("clock_gettime", types.int32, types.int32, types.int64)
_let_others_run = _external("sched_yield", types.int32)

_LINUX = sys.platform == "linux"
_getcpu = _external("sched_getcpu", types.int32)
_getaffinity = _external("sched_getaffinity", types.int32, types.int32, types.int64, types.int64)
_setaffinity = _external("sched_setaffinity", types.int32, types.int32, types.int64, types.int64)


@jit.scalar
def _now(scratch: int) -> int:
    """Nanoseconds of a steady clock, which writes two words to `scratch`."""
    if _CLOCK is None:
        return 0
    _gettime(_CLOCK, scratch)
    return _load(scratch) * 1_000_000_000 + _load(scratch + 8)


@jit.scalar
def _may_look(start: int, scratch: int) -> bool:
    """Let other threads run; False if the time for looking is over."""
    if _CLOCK is None or _now(scratch) - start > _LOOKING:
        return False
    _let_others_run()
    return True


@jit.scalar
def _is_on_callers_core(worker: int) -> bool:
    return _LINUX and _getcpu() == _load(worker + CORE)


@jit.scalar
def _leave_callers_core(worker: int) -> None:
    """Move the thread to another core, if it may run on another."""
    core, cores = _load(worker + CORE), worker + CORES
    if _is_on_callers_core(worker) and core < 1024 and _getaffinity(0, 128, cores) == 0:
        word = cores + core // 64 * 8
        before = _exchange(word, _load(word) & ~(1 << core % 64))
        if _setaffinity(0, 128, cores) == 0:
            _exchange(word, before)
            _setaffinity(0, 128, cores)


# Functions --------------------------------------------------------------------------------


@jit.scalar
def _work(loop: int, arguments: int) -> int:
    """Do the next parts of a loop; whether there may be more."""
    size, part = _load(loop + SIZE), _load(loop + PART)
    for _ in range(_TURNS):
        first = _add(loop + NEXT, part)
        if first >= size:
            return 0
        _exchange(arguments, min(part, size - first))
        for k in range(0, 24, 8):
            start = _load(loop + ARRAYS + k) + first * _load(loop + STEPS + k)
            _exchange(arguments + 8 + k, start)
        _call(_load(loop + FUNCTION), arguments + 8, arguments, loop + STEPS)
    return 1


def _share(loop: int) -> int:
    return _work(loop, loop + CALLERS)


def _serve(worker: int) -> None:
    while True:
        if not _replaced(worker + STATE, BUSY, FREE) and _replaced(worker + STATE, AWAITED, FREE):
            _release(_load(worker + ENDED))
        start = _now(worker + ARGUMENTS)
        while not _replaced(worker + STATE, CALLED, BUSY):
            if not _is_on_callers_core(worker) and _may_look(start, worker + ARGUMENTS):
                pass
            elif _replaced(worker + STATE, FREE, ASLEEP):
                _acquire(_load(worker + WAKE), _FOREVER, 0)
                _leave_callers_core(worker)  # before it begins, as the caller would wait
                start = _now(worker + ARGUMENTS)
        loop = _load(worker + LOOP)
        if loop == 0:
            return
        while _work(loop, worker + ARGUMENTS) != 0:
            pass


def _ask(worker: int, loop: int) -> None:
    _exchange(worker + LOOP, loop)
    _exchange(worker + CORE, _getcpu() if _LINUX else -1)
    if _exchange(worker + STATE, CALLED) == ASLEEP:
        _release(_load(worker + WAKE))


def _settle(worker: int) -> int:
    start = _now(worker + TIME)
    while not _replaced(worker + STATE, CALLED, FREE) and _load(worker + STATE) >= BUSY:
        if _may_look(start, worker + TIME):
            pass
        elif _replaced(worker + STATE, BUSY, AWAITED):
            too_early = _acquire(_load(worker + ENDED), _SLEEP, 1) != _ACQUIRED
            if too_early and _replaced(worker + STATE, AWAITED, BUSY):
                return 0
            if too_early:  # the worker has just ended, and opens the lock
                _acquire(_load(worker + ENDED), _FOREVER, 0)
    return 1


class Functions(NamedTuple):
    """The compiled functions.  Their arguments are addresses of records; a call releases the GIL.

    Attributes
    ----------
    serve : function (worker)
        Work on loops, in a worker, until a caller asks for a call of Python.  The next call of
        `serve` says that the call of Python has ended.
    ask : function (worker, loop)
        Give a loop to a worker, or ask it for a call of Python: `loop` is 0.
    settle : function (worker) -> int
        Take the work back, or wait until the worker has done it.  The result is 0 if it has not
        yet, but Python should look for interrupts.
    share : function (loop) -> int
        Work on a loop, in its caller.  The result is 1 if there may be more to do.
    """

    serve: Callable[[int], None]
    ask: Callable[[int, int], None]
    settle: Callable[[int], int]
    share: Callable[[int], int]


_compiled: list[Functions] = []


def functions() -> Functions:
    """Compile the functions, or load them from the cache, once for all threads that call."""
    if not _compiled:
        with global_compiler_lock:
            if not _compiled:
                _compiled.append(_compile())
    return _compiled[0]


def _compile() -> Functions:
    word, nothing = types.int64, types.void
    return Functions(
        jit.c_function(_serve, nothing(word)).ctypes,
        jit.c_function(_ask, nothing(word, word)).ctypes,
        jit.c_function(_settle, word(word)).ctypes,
        jit.c_function(_share, word(word)).ctypes,
    )
