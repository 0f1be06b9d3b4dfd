"""Threads: split a task into parts and run them on several cores, by kernels that release the GIL.

The edges of the parts depend on the shape of the data alone, so a result does not depend on the
number of threads.  Each thread takes the next part when it has finished one, and the calling thread
works too.  The caller never waits for a worker that has not begun.  If all workers are busy (many
callers at once, or a call from inside a worker), the caller does all parts itself, so nothing can
block.

The pool is created at first use, and again in a forked child, which does not inherit the threads.

A thread that wakes after a pause often runs on the caller's core.  Linux leaves it there for many
milliseconds even if another core is idle, and two threads take as long as one.  So a worker that
starts on the caller's core moves to another.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import math
import os
import threading
from contextlib import suppress
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, SupportsIndex

from fastlogit.kernels import sums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import ThreadPoolExecutor

ENVIRONMENT = "FASTLOGIT_NUM_THREADS"
MOST_THREADS = 4096

# Smallest part of an array, in elements: a thread costs about 20 µs, an element 2 ns.
PART = 1 << 15
# More parts do not balance better, and their partial results take memory.
MOST_PARTS = 256

_pool: ThreadPoolExecutor | None = None
_pool_lock = threading.Lock()


def available() -> int:
    """Number of cores that this process may use, by its affinity and its CPU quota."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return min(cores, _quota())


@functools.cache
def _quota(root: Path = Path("/")) -> int:
    """Number of cores by the CPU quotas of Linux's control groups, rounded up.

    A group's quota also limits the groups inside it.  Many containers do not show the path of the
    process's own group; there the quota of the container is at the top.
    """
    least = float(MOST_THREADS)
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
    except (OSError, ValueError):
        return MOST_THREADS
    for line in groups:
        _, controllers, path = line.split(":", 2)
        if controllers == "":  # version 2
            top, names = root / "sys/fs/cgroup", ["cpu.max"]
        elif "cpu" in controllers.split(","):
            top, names = root / "sys/fs/cgroup/cpu", ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
        else:
            continue
        inside = path.strip("/").split("/")
        for depth in range(len(inside) + 1):
            group = top.joinpath(*inside[:depth])
            with suppress(OSError, ValueError):  # the file is absent, or contains "max"
                texts = [(group / name).read_text() for name in names]
                quota, period = map(int, " ".join(texts).split())
                if quota > 0:  # -1 means no quota
                    least = min(least, quota / period)
    return math.ceil(least)


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
    begun: list[threading.Event] = []  # one for each helper, set when it has ended
    errors: list[BaseException] = []
    stopped = False
    callers_core = _core()

    def work(helping: bool) -> None:
        nonlocal callers_core
        while not stopped and (part := next(numbers)) < parts:
            if helping:
                _leave(callers_core)
            else:
                callers_core = _core()
            for _ in task(part) or ():
                if stopped:
                    return

    def help_out() -> None:
        nonlocal stopped
        ended = threading.Event()
        begun.append(ended)
        try:
            work(helping=True)
        except BaseException as error:
            stopped = True
            errors.append(error)
        finally:
            ended.set()

    # An interrupt may come at any line.  Helpers that begin later find nothing left to do.
    try:
        with suppress(RuntimeError):  # no thread can start (for example at exit): work alone
            for _ in range(helpers):
                _executor().submit(help_out)
        work(helping=False)
        for ended in begun:
            ended.wait()
    except BaseException:
        stopped = True
        raise
    finally:
        _wait(begun)
    if errors:
        raise errors.pop()


# The number of the core that the calling thread runs on, or -1 if the system does not tell.
_core: Callable[[], int] = (
    ctypes.PyDLL(None).sched_getcpu if hasattr(os, "sched_setaffinity") else lambda: -1
)


def _leave(core: int) -> None:
    """Move the calling thread to another core, if it runs on this one and may run elsewhere."""
    if _core() != core or core < 0:
        return
    allowed = os.sched_getaffinity(0)  # of this thread
    if len(allowed) > 1:
        with suppress(OSError):
            os.sched_setaffinity(0, allowed - {core})
            os.sched_setaffinity(0, allowed)


def _wait(events: list[threading.Event]) -> None:
    """Wait for all events; an interrupt is raised after the last."""
    try:
        for event in events:
            event.wait()
    except BaseException:
        _wait(events)
        raise


def _executor() -> ThreadPoolExecutor:
    """The pool, which starts a thread only if none is idle."""
    global _pool
    with _pool_lock:
        if _pool is None:
            from concurrent.futures import ThreadPoolExecutor  # imports for 20 ms

            _pool = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="fastlogit")
        return _pool


def _forget_pool() -> None:
    global _pool, _pool_lock
    _pool, _pool_lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
