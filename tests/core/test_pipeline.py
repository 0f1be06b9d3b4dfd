"""Work in threads: results come in order, and errors in their place."""

from __future__ import annotations

import threading
import time

import pytest

from fastlogit.core.pipeline import map_in_order, write_behind


def numbers(count, stop_at=None):
    for number in range(count):
        if number == stop_at:
            raise ValueError(f"number {number}")
        yield number


def slow_first(number):
    time.sleep(0.02 if number % 2 == 0 else 0)
    return number


WAYS = {
    "one": lambda items: map_in_order(slow_first, items, 1),
    "three": lambda items: map_in_order(slow_first, items, 3),
    "behind": lambda items: write_behind(items, slow_first),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_results_come_in_order(way, count):
    assert list(way(numbers(count))) == list(range(count))


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_an_error_of_the_source_is_raised_and_no_thread_is_left(way):
    before = threading.active_count()
    found = []
    with pytest.raises(ValueError, match=r"^number 5$"):
        found.extend(way(numbers(9, stop_at=5)))
    assert found == list(range(len(found)))
    assert threading.active_count() == before


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_stopping_early_leaves_no_thread(way):
    before = threading.active_count()
    items = way(numbers(1000))
    assert [next(items), next(items)] == [0, 1]
    items.close()
    assert threading.active_count() == before


def test_an_error_comes_after_the_earlier_results():
    def work(number):
        if number == 3:
            raise ValueError("three")
        return slow_first(number)

    found = []
    with pytest.raises(ValueError, match=r"^three$"):
        found.extend(map_in_order(work, range(100), 4))
    assert found == [0, 1, 2]


def test_no_more_is_begun_than_is_needed():
    begun = []
    items = map_in_order(begun.append, iter(range(1000)), 2)
    next(items)
    time.sleep(0.05)
    assert len(begun) <= 2 * (2 + 3)
    items.close()


def test_items_are_given_when_they_are_written():
    written = []
    for number in write_behind(iter(range(20)), written.append):
        assert number in written


def test_work_overlaps():
    together = threading.Barrier(2, timeout=10)
    assert list(map_in_order(lambda number: together.wait() >= 0, range(4), 2)) == [True] * 4


def test_a_result_does_not_wait_for_the_next_item():
    may_go_on = threading.Event()

    def slow():
        yield 1
        may_go_on.wait(10)
        yield 2

    items = map_in_order(lambda number: number, slow(), 2)
    assert next(items) == 1
    may_go_on.set()
    assert list(items) == [2]


def test_a_source_that_gives_nothing_is_left_to_itself(monkeypatch):
    monkeypatch.setattr("fastlogit.core.pipeline._PATIENCE_S", 0.01)
    end = threading.Event()

    def silent():
        yield 1
        yield 2
        end.wait(10)

    items = map_in_order(slow_first, silent(), 2)
    assert next(items) == 1
    before = time.monotonic()
    items.close()
    assert time.monotonic() - before < 5
    end.set()
