"""Work that overlaps, in threads, with results in order: ahead, side by side, and behind."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# How many items may wait for a thread: little memory, and enough that it seldom waits for them.
_WAITING = 3

S = TypeVar("S")
T = TypeVar("T")


def read_ahead(items: Iterator[T]) -> Iterator[T]:
    """Give the same items, and get the next one while the last one is in use."""
    from concurrent.futures import ThreadPoolExecutor  # takes 20 ms

    with ThreadPoolExecutor(1) as reader:
        following = reader.submit(next, items, None)
        while (item := following.result()) is not None:
            following = reader.submit(next, items, None)
            yield item


def side_by_side(function: Callable[[S], T], items: Iterable[S], threads: int) -> Iterator[T]:
    """Call a function for each item, for some at a time."""
    if threads == 1:
        yield from map(function, items)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads) as workers:
        running: deque[Any] = deque()
        try:
            for item in items:
                running.append(workers.submit(function, item))
                # Some wait for a worker, so that none waits for them.
                if len(running) > threads + _WAITING:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()


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
