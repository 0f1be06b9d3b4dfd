"""Work in threads with results in order: map a function, or write while more is computed."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# Items that may wait for a thread: they take little memory, and the thread rarely has to wait.
_WAITING = 3

# How long to wait for the reader when its next item is no longer needed.
_PATIENCE_S = 1.0

S = TypeVar("S")
T = TypeVar("T")


def map_in_order(function: Callable[[S], T], items: Iterable[S], threads: int) -> Iterator[T]:
    """Call a function for each item, several at a time; yield the results in order.

    Another thread reads the next items meanwhile.  A result is yielded as soon as it and all
    before it are complete, even while the next item is still being read.
    """
    from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

    source = iter(items)
    reader, workers = ThreadPoolExecutor(1), ThreadPoolExecutor(threads)
    running: deque[Any] = deque()
    following: Any = reader.submit(next, source, None)
    was_interrupted = False
    try:
        while following is not None or running:
            # Some items wait for a worker, so that no worker waits for an item.
            has_room = following is not None and len(running) < threads + _WAITING
            wait([*([following] if has_room else []), *list(running)[:1]], None, FIRST_COMPLETED)
            if running and running[0].done():
                yield running.popleft().result()
            elif (item := following.result()) is None:
                following = None
            else:
                running.append(workers.submit(function, item))
                following = reader.submit(next, source, None)
    except KeyboardInterrupt:
        was_interrupted = True
        raise
    finally:
        # A person who interrupts does not wait for the items at work, which may take seconds.
        workers.shutdown(wait=not was_interrupted, cancel_futures=True)
        _stop_reader(reader, following)


def _stop_reader(reader: Any, following: Any) -> None:
    """Shut a reader down; one that waits for a pipe is abandoned."""
    from concurrent.futures import wait

    if following is not None:
        wait([following], _PATIENCE_S)
    reader.shutdown(wait=following is None or following.done())


def write_behind(items: Iterator[T], write: Callable[[T], object]) -> Iterator[T]:
    """Write items in another thread while the next ones are made; yield each once it is written."""
    from concurrent.futures import ThreadPoolExecutor

    def written(item: T) -> T:
        write(item)
        return item

    with ThreadPoolExecutor(1) as writer:
        waiting: deque[Any] = deque()
        for item in items:
            waiting.append(writer.submit(written, item))
            if len(waiting) > _WAITING:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
