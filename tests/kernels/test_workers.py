"""`fastlogit.kernels.workers`: who waits for whom, without threads where that can be."""

from __future__ import annotations

import ctypes
import os
import threading
import time

import numpy as np
import pytest
from numba import types

from fastlogit.kernels import jit, workers
from fastlogit.kernels.ufuncs import addresses, ufunc

STATE, LOOP, CORE, WAKE, ENDED = 0, 1, 2, 3, 4


@pytest.fixture
def functions():
    return workers.functions()


def address(record):
    return record.buffer_info()[0]


def is_open(lock):
    acquire = ctypes.pythonapi.PyThread_acquire_lock
    acquire.argtypes = [ctypes.c_void_p, ctypes.c_int]
    return bool(acquire(lock, 0))


def wait_until(condition):
    end = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


# A caller ---------------------------------------------------------------------------------


def test_work_that_no_worker_has_begun_is_taken_back(functions):
    worker = workers.worker_record()
    functions.ask(address(worker), 0)
    assert worker[STATE] == workers.CALLED
    assert functions.settle(address(worker)) == 1
    assert worker[STATE] == workers.FREE
    assert not is_open(worker[WAKE])


def test_only_a_worker_that_sleeps_is_woken(functions):
    worker = workers.worker_record()
    worker[STATE] = workers.ASLEEP
    functions.ask(address(worker), 0)
    assert worker[STATE] == workers.CALLED
    assert is_open(worker[WAKE])


@pytest.mark.parametrize("state", [workers.FREE, workers.ASLEEP])
def test_a_worker_that_has_ended_is_not_waited_for(functions, state):
    worker = workers.worker_record()
    worker[STATE] = state
    assert functions.settle(address(worker)) == 1
    assert worker[STATE] == state


def test_a_caller_that_waits_returns_to_python_from_time_to_time(functions):
    worker = workers.worker_record()
    worker[STATE] = workers.BUSY
    assert functions.settle(address(worker)) == 0
    assert worker[STATE] == workers.BUSY


# A worker ---------------------------------------------------------------------------------


@pytest.mark.parametrize("pause", [0.0, 0.02])
def test_a_worker_works_when_it_is_asked_and_its_caller_waits(functions, pause):
    worker = workers.worker_record()
    at, settled = address(worker), []
    begun, may_end = threading.Event(), threading.Event()

    def serve():
        functions.serve(at)
        begun.set()
        may_end.wait()
        functions.serve(at)

    def settle():
        while not functions.settle(at):
            pass
        settled.append(True)

    thread = threading.Thread(target=serve, daemon=True)
    caller = threading.Thread(target=settle, daemon=True)
    thread.start()
    time.sleep(pause)
    functions.ask(at, 0)
    assert begun.wait(20.0)
    caller.start()
    wait_until(lambda: worker[STATE] == workers.AWAITED)
    assert settled == []
    may_end.set()
    wait_until(lambda: settled == [True])
    wait_until(lambda: worker[STATE] == workers.ASLEEP)
    functions.ask(at, 0)
    thread.join(20.0)
    assert not thread.is_alive()


# Loops ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "part"), [(1, 10), (10, 10), (101, 10), (1000, 1)])
def test_each_part_of_a_loop_is_taken_once(functions, size, part):
    z, out = np.linspace(-3.0, 3.0, 2 * size)[::2], np.zeros(size + 1)
    expected = ufunc("sigmoid")(z)
    places = [array.ctypes.data for array in (z, out)]
    loop = workers.loop_record(size, part, addresses["sigmoid", z.dtype], places, [16, 8])
    calls = 1
    while functions.share(address(loop)):
        calls += 1
    assert np.array_equal(out, [*expected, 0.0])
    # A caller returns to Python from time to time, where interrupts are raised.
    assert calls == 1 + size // part // 64


# Cores ------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system sets no affinity")
@pytest.mark.parametrize("only", [False, True])
def test_a_worker_leaves_the_callers_core_if_it_may(only):
    leave = jit.c_function(_leave, types.void(types.int64)).ctypes
    core = ctypes.PyDLL(None).sched_getcpu
    before = os.sched_getaffinity(0)
    worker = workers.worker_record()
    try:
        allowed = {min(before)} if only else before
        os.sched_setaffinity(0, allowed)
        worker[CORE] = here = core()
        leave(address(worker))
        assert (core() != here) == (len(allowed) > 1)
        assert os.sched_getaffinity(0) == allowed
        worker[CORE] = (1 + core()) % 1024  # the caller is elsewhere
        here = core()
        leave(address(worker))
        assert os.sched_getaffinity(0) == allowed
    finally:
        os.sched_setaffinity(0, before)


def _leave(worker):
    workers._leave_callers_core(worker)
