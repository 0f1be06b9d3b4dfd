"""Work that overlaps, in threads, with results in order: side by side, and behind."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# How many items may wait for a thread: little memory, and enough that it seldom waits for them.
_WAITING = 3

# How long a read that nobody needs any more is waited for.
_PATIENCE_S = 1.0

S = TypeVar("S")
T = TypeVar("T")


def side_by_side(function: Callable[[S], T], items: Iterable[S], threads: int) -> Iterator[T]:
    """Call a function for each item, for some at a time, while the next ones are read.

    A result is given as soon as it and all before it are there, also where no item follows yet.
    """
    from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

    source = iter(items)
    reader = ThreadPoolExecutor(1)
    with ThreadPoolExecutor(threads) as workers:
        running: deque[Any] = deque()
        following: Any = reader.submit(next, source, None)
        try:
            while following is not None or running:
                # Some wait for a worker, so that none waits for them.
                has_room = following is not None and len(running) < threads + _WAITING
                wait(
                    [*([following] if has_room else []), *list(running)[:1]], None, FIRST_COMPLETED
                )
                if running and running[0].done():
                    yield running.popleft().result()
                elif (item := following.result()) is None:
                    following = None
                else:
                    running.append(workers.submit(function, item))
                    following = reader.submit(next, source, None)
        finally:
            for future in running:
                future.cancel()
            _leave(reader, following)


def _leave(reader: Any, following: Any) -> None:
    """End a reader; one that waits for a pipe is left to itself."""
    from concurrent.futures import wait

    if following is not None:
        wait([following], _PATIENCE_S)
    reader.shutdown(wait=following is None or following.done())


def write_behind(items: Iterator[T], write: Callable[[T], object]) -> Iterator[T]:
    """Give the same items when they are written, which happens while the next ones are made."""
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
