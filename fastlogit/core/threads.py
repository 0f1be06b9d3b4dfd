"""Split work over cores: plain threads over kernels that have released the GIL.

Work comes as numbered parts, whose number and edges the caller derives from the shape of the
data alone, so that a result does not depend on the number of threads.  Threads take the next
part when they are done with one, and the calling thread works too.  It never waits for a
worker that has not begun: where all workers are busy (many callers at once, a call from
inside a worker) the caller does everything itself, so nothing can block.

The pool is made at first use, and again in a forked child, where the parent's threads do
not exist.

A thread that is woken after a pause often finds itself on the caller's core, where Linux leaves
it for many milliseconds although another core is idle: two threads take as long as one.  So a
worker that finds itself there moves away.
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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import ThreadPoolExecutor

ENVIRONMENT = "FASTLOGIT_NUM_THREADS"
MOST_THREADS = 4096

_pool: ThreadPoolExecutor | None = None
_pool_lock = threading.Lock()


def available() -> int:
    """How many cores this process may use, by its affinity and its share of processor time."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return min(cores, _quota())


@functools.cache
def _quota(root: Path = Path("/")) -> int:
    """How many cores Linux's control groups give this process time for, rounded up.

    A group's limit holds for all groups in it.  Where the path that the process is told is not
    to be seen, as in many containers, the container's own limit is at the top.
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
            with suppress(OSError, ValueError):  # there is no such file, or it says "max"
                texts = [(group / name).read_text() for name in names]
                quota, period = map(int, " ".join(texts).split())
                if quota > 0:  # -1 is for none
                    least = min(least, quota / period)
    return math.ceil(least)


def resolve(threads: SupportsIndex | None, parts: int = MOST_THREADS) -> int:
    """Number of threads to use, from an argument ``threads=``.

    Parameters
    ----------
    threads : int or None
        None stands for the environment variable ``FASTLOGIT_NUM_THREADS``, or, without
        that, for the number of cores that the process may use.
    parts : int
        Of the work.  Where that is a single one, and `threads` None, nobody is asked.

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

    Returns when all are done.  The first exception of a task, or an interrupt of the caller,
    keeps further parts from being started and is raised once those under way have ended.  A
    task that is a generator does a piece of its part at a time, and may be ended after each.
    """
    helpers = min(threads, parts) - 1
    if helpers < 1:
        for part in range(parts):
            for _ in task(part) or ():
                pass
        return

    numbers = itertools.count()  # whose next() is atomic
    begun: list[threading.Event] = []  # of each helper, which sets it when it has ended
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
        with suppress(RuntimeError):  # no thread can be started, at exit for one: do it alone
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


# The number of the core that a thread runs on, which only some systems tell.
_core: Callable[[], int] = (
    ctypes.PyDLL(None).sched_getcpu if hasattr(os, "sched_setaffinity") else lambda: -1
)


def _leave(core: int) -> None:
    """Move the calling thread away from a core, if it is there and may run elsewhere."""
    if _core() != core or core < 0:
        return
    allowed = os.sched_getaffinity(0)  # of this thread
    if len(allowed) > 1:
        with suppress(OSError):
            os.sched_setaffinity(0, allowed - {core})
            os.sched_setaffinity(0, allowed)


def _wait(events: list[threading.Event]) -> None:
    """Wait for all; an interrupt is raised when they have come."""
    try:
        for event in events:
            event.wait()
    except BaseException:
        _wait(events)
        raise


def _executor() -> ThreadPoolExecutor:
    """Return the pool; it starts a thread only where a task finds none idle."""
    global _pool
    with _pool_lock:
        if _pool is None:
            from concurrent.futures import ThreadPoolExecutor  # takes 20 ms of fastlogit's 70

            _pool = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="fastlogit")
        return _pool


def _forget_pool() -> None:
    global _pool, _pool_lock
    _pool, _pool_lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
