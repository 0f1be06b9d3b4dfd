"""An orderly end after Ctrl-C or SIGTERM."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Seconds after which a process that has not ended by itself is killed.
_LAST_S = 10.0


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Turn SIGTERM into an exception within the block, so that temporary files are removed.

    Signals that somebody else handles, and calls outside the main thread, are left alone.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
    ):
        yield
        return

    timers: list[threading.Timer] = []

    def end(number: int, _frame: object) -> None:
        # C code may swallow the exception, and a thread may wait for a pipe.
        timers.append(threading.Timer(_LAST_S, os._exit, [128 + number]))
        timers[-1].daemon = True
        timers[-1].start()
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, end)
    is_interruptible = signal.getsignal(signal.SIGINT) == signal.default_int_handler
    if is_interruptible:
        signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if is_interruptible:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        for timer in timers:
            timer.cancel()
