"""Threads: split a task into parts and run them on several cores, by kernels that release the GIL.

The edges of the parts depend on the shape of the data alone, so a result does not depend on the
number of threads.  Each thread takes the next part when it has finished one, and the calling thread
works too.  The caller never waits for a worker that has not begun.  If no other core is idle (many
callers at once, or other processes), the caller does most parts itself.

A worker waits in compiled code, :mod:`fastlogit.kernels.workers`, and begins within microseconds
where a call follows soon after another.  On Linux it first leaves the caller's core: the system
often wakes it there, and does not move it for many milliseconds even if another core is idle.

A caller takes idle workers and starts new ones if there are too few, so nothing can block: a call
from inside a worker is like any other.  A forked child does not inherit the threads, and begins
with none.
"""

from __future__ import annotations

import functools
import itertools
import math
import os
import sys
import threading
from contextlib import suppress
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex

from fastlogit.core import control_groups
from fastlogit.kernels import sums, workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

ENVIRONMENT = "FASTLOGIT_NUM_THREADS"
MOST_THREADS = 4096

# Smallest part of an array, in elements: for a task of Python, which costs about 10 µs a part.
PART = 1 << 15
# Elements that a thread takes at a time from a compiled loop.  Parts of 10 µs balance well; where
# the arrays are larger than the caches, larger parts are 5 % faster.
LEAST_LOOP_PART, MOST_LOOP_PART = 1 << 13, 1 << 16
# More parts do not balance better, and their partial results take memory.
MOST_PARTS = 256


def available() -> int:
    """Number of cores that this process may use, by its affinity and its CPU quota."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return min(cores, _quota())


@functools.cache
def _quota(root: Path = Path("/")) -> int:
    """Number of cores by the CPU quotas of Linux's control groups, rounded up."""
    legacy = ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
    quotas = control_groups.limits("cpu", "cpu.max", legacy, root)
    # A quota of -1 is none.
    least = min((quota / period for quota, period in quotas if quota > 0), default=MOST_THREADS)
    return math.ceil(min(least, MOST_THREADS))


def parts(n: int, smallest: int = PART, most: int = MOST_PARTS) -> list[slice]:
    """Slices of ``range(n)``, the same for every number of threads."""
    if n <= smallest:
        return [slice(0, n)]
    size = max(smallest, -(-n // most))
    size = -(-size // sums.BLOCK) * sums.BLOCK if size > sums.BLOCK else size
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def resolve(threads: SupportsIndex | None, parts: int = MOST_THREADS) -> int:
    """Number of threads to use, from an argument ``threads=``.

    Parameters
    ----------
    threads : int or None
        None means the environment variable ``FASTLOGIT_NUM_THREADS`` or, if it is not set, the
        number of cores that the process may use.
    parts : int
        Number of parts of the work.  With one part and `threads` None, the environment is not
        read.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    TypeError, ValueError
        If the argument or the variable is not a whole number between 1 and 4096.
    """
    if threads is not None:
        return _checked(threads, "threads")
    if parts <= 1:
        return 1
    text = os.environ.get(ENVIRONMENT, "").strip()
    if not text:
        return available()
    try:
        number = int(text)
    except ValueError:
        raise ValueError(
            f"{ENVIRONMENT} must be a whole number between 1 and {MOST_THREADS}; got {text!r}"
        ) from None
    return _checked(number, ENVIRONMENT)


def is_count(threads: Any) -> bool:
    """Whether a number of threads is right at a glance."""
    return type(threads) is int and 0 < threads <= MOST_THREADS


def _checked(threads: SupportsIndex, name: str) -> int:
    try:
        number = index(threads)
    except TypeError:
        number = None
    if number is None or isinstance(threads, bool):
        raise TypeError(f"{name} must be a whole number or None; got {threads!r}")
    if not 1 <= number <= MOST_THREADS:
        raise ValueError(f"{name} must be between 1 and {MOST_THREADS}; got {number}")
    return number


def run(task: Callable[[int], Iterator[None] | None], parts: int, threads: int) -> None:
    """Call ``task(0)`` to ``task(parts - 1)``, each once, on up to `threads` threads.

    Returns when all parts are done.  After the first exception of a task, or an interrupt of the
    caller, no further part starts; the exception is raised when the running parts have ended.  A
    task that is a generator can be stopped at each ``yield``.
    """
    helpers = min(threads, parts) - 1
    if helpers < 1:
        for part in range(parts):
            for _ in task(part) or ():
                pass
        return

    numbers = itertools.count()  # next() is atomic
    errors: list[BaseException] = []
    stopped = False

    def work() -> None:
        while not stopped and (part := next(numbers)) < parts:
            for _ in task(part) or ():
                if stopped:
                    return

    def help_out() -> None:
        try:
            work()
        except BaseException as error:
            stop()
            errors.append(error)

    def stop() -> None:
        nonlocal stopped
        stopped = True

    _together(work, stop, helpers, help_out, 0)
    if errors:
        raise errors.pop()


def run_loop(function: int, arrays: Sequence[NDArray[Any]], threads: int) -> None:
    """Call the inner loop of a ufunc on all parts of its arrays, on up to `threads` threads.

    Parameters
    ----------
    function : int
        Address of the loop.
    arrays : sequence of at most 3 ndarrays
        Inputs and output of the loop: of its dtype, of one shape, and with one dimension or
        contiguous.
    threads : int
        Maximum number of threads.  Each has `PART` elements at least.

    Raises
    ------
    KeyboardInterrupt
        When the running parts have ended; the other parts are left out.
    """
    size = arrays[0].size
    threads = max(1, min(threads, size // PART))
    part = min(max(size // (16 * threads), LEAST_LOOP_PART), MOST_LOOP_PART)
    addresses = [array.__array_interface__["data"][0] for array in arrays]
    steps = [array.strides[0] if array.ndim == 1 else array.itemsize for array in arrays]
    loop = workers.loop_record(size, part, function, addresses, steps)
    at, _ = loop.buffer_info()
    share = workers.functions().share

    def work() -> None:
        while share(at):
            pass

    def stop() -> None:
        loop[0] = size  # the first element that nobody has taken

    _together(work, stop, threads - 1, (loop, arrays), at)


def _together(
    work: Callable[[], None],
    stop: Callable[[], None],
    helpers: int,
    task: Any,
    loop: int,
) -> None:
    """Call `work` while helpers do the same, which `stop` ends early.

    If `loop` is 0, the helpers call `task`.  Otherwise they share the loop at that address,
    and `task` keeps the loop's arrays alive.
    """
    taken: list[_Worker] = []
    # An interrupt may come at any line.
    try:
        # Where no thread can start, or none can take the GIL (both at exit), the caller is alone.
        with suppress(RuntimeError):
            while len(taken) < helpers and not sys.is_finalizing():
                taken.append(_idle_worker())
                taken[-1].ask(task, loop)
        work()
        _settle(taken)
    except BaseException:
        stop()
        raise
    finally:
        _settle_in_any_case(taken)


def _settle(taken: list[_Worker]) -> None:
    """Wait for all workers that have begun; an interrupt ends the waiting."""
    while taken:
        if taken[-1].settled():
            _idle.append(taken.pop())


def _settle_in_any_case(taken: list[_Worker]) -> None:
    """Wait for all workers that have begun; an interrupt is raised after the last."""
    try:
        _settle(taken)
    except BaseException:
        _settle_in_any_case(taken)
        raise


class _Worker(threading.Thread):
    """A thread that waits for work, without the GIL, until the process ends."""

    def __init__(self) -> None:
        super().__init__(name="fastlogit", daemon=True)
        self._record = workers.worker_record()
        self._at, _ = self._record.buffer_info()
        self._functions = workers.functions()
        self._task: Any = None
        self.start()

    def ask(self, task: Any, loop: int) -> None:
        """Give the worker, which must be idle, work; see `_together`.

        It keeps `task`, as interrupts one after the other may leave it alone with the work.
        """
        self._task = task
        self._functions.ask(self._at, loop)

    def settled(self) -> bool:
        """Take the work back, or wait until it is done; False if it is not done yet."""
        done = bool(self._functions.settle(self._at))
        if done:
            self._task = None  # it refers to arrays
        return done

    def run(self) -> None:
        while True:
            self._functions.serve(self._at)
            if self._task is not None:
                self._task()


_idle: list[_Worker] = []


def _idle_worker() -> _Worker:
    try:
        return _idle.pop()
    except IndexError:
        return _Worker()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)
