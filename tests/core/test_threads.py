"""`fastlogit.core.threads`: every part runs once, errors come through, nothing can block."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import numpy as np
import pytest

import fastlogit as fl
from fastlogit.core import threads
from tests import processes

ROOT = Path(fl.__file__).parents[1]


# Parts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 999, 1000, 1001, 10_000, 123_457])
def test_parts_cover_a_range_once_and_in_order(n):
    slices = threads.parts(n, smallest=1000, most=7)
    assert [i for part in slices for i in range(n)[part]] == list(range(n))
    assert len(slices) <= 7


# How many ---------------------------------------------------------------------------------


@pytest.fixture
def environment(monkeypatch):
    monkeypatch.delenv(threads.ENVIRONMENT, raising=False)
    monkeypatch.setattr(threads, "_quota", lambda: threads.MOST_THREADS)
    return monkeypatch


def test_the_default_is_the_number_of_cores_that_the_process_may_use(environment):
    environment.setattr(os, "sched_getaffinity", lambda pid: {0, 3, 5}, raising=False)
    assert threads.resolve(None) == 3


def test_where_there_is_no_affinity_the_default_is_the_number_of_cores(environment):
    environment.delattr(os, "sched_getaffinity", raising=False)
    environment.setattr(os, "cpu_count", lambda: 7)
    assert threads.resolve(None) == 7
    environment.setattr(os, "cpu_count", lambda: None)
    assert threads.resolve(None) == 1


V2, V1 = "0::/a/b\n", "5:memory:/x\n4:cpu,cpuacct:/a/b\n0::/\n"
NONE = threads.MOST_THREADS


@pytest.mark.parametrize(
    ("groups", "files", "cores"),
    [
        (None, {}, NONE),
        (V2, {}, NONE),
        (V2, {"a/b/cpu.max": "max 100000"}, NONE),
        (V2, {"a/b/cpu.max": "200000 100000"}, 2),
        (V2, {"a/b/cpu.max": "200001 100000"}, 3),
        (V2, {"a/b/cpu.max": "1000 100000"}, 1),
        (V2, {"a/b/cpu.max": "800000 100000", "a/cpu.max": "150000 50000"}, 3),
        (V2, {"cpu.max": "400000 100000"}, 4),
        (V2, {"a/b/c/cpu.max": "100000 100000"}, NONE),
        (V2, {"a/b/cpu.max": "nonsense"}, NONE),
        (V1, {"cpu/a/b/cpu.cfs_quota_us": "-1", "cpu/a/b/cpu.cfs_period_us": "100000"}, NONE),
        (V1, {"cpu/a/b/cpu.cfs_quota_us": "350000", "cpu/a/b/cpu.cfs_period_us": "100000"}, 4),
        (V1, {"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "25000"}, 2),
        (V1, {"cpu/a/cpu.cfs_quota_us": "50000"}, NONE),
        (V1, {"memory/x/cpu.max": "100000 100000"}, NONE),
    ],
)
def test_the_limits_of_control_groups_are_read_and_rounded_up(tmp_path, groups, files, cores):
    texts = {f"sys/fs/cgroup/{name}": text + "\n" for name, text in files.items()}
    for name, text in (texts | ({"proc/self/cgroup": groups} if groups else {})).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert threads._quota(tmp_path) == cores


@pytest.mark.parametrize(("quota", "expected"), [(2, 2), (8, 3)])
def test_the_default_is_no_more_than_the_control_groups_allow(environment, quota, expected):
    environment.setattr(os, "sched_getaffinity", lambda pid: {0, 3, 5}, raising=False)
    environment.setattr(threads, "_quota", lambda: quota)
    assert threads.resolve(None) == expected


@pytest.mark.parametrize(("text", "expected"), [("5", 5), (" 2 ", 2), ("4096", 4096)])
def test_the_environment_sets_the_default(environment, text, expected):
    environment.setenv("FASTLOGIT_NUM_THREADS", text)
    assert threads.resolve(None) == expected
    assert threads.resolve(3) == 3


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_variable_is_none(environment, text):
    environment.setenv("FASTLOGIT_NUM_THREADS", text)
    assert threads.resolve(None) == threads.available()


@pytest.mark.parametrize("text", ["two", "2.5", "0", "-1", "4097", "1000000", "1e3", "2,3"])
def test_nonsense_in_the_environment_is_an_error_that_names_the_variable(environment, text):
    environment.setenv("FASTLOGIT_NUM_THREADS", text)
    with pytest.raises(ValueError, match=f"^FASTLOGIT_NUM_THREADS must be .*{text}"):
        fl.log_loss(np.zeros(100_000), np.ones(100_000))


@pytest.mark.parametrize("value", [1, 4096, np.int64(2), np.uint8(2)])
def test_whole_numbers_are_taken(value):
    assert threads.resolve(value) == int(value)


@pytest.mark.parametrize("value", [0, -1, 4097, 10**6, 2.0, "2", True, [2], np.ones(2)])
def test_anything_else_is_an_error_that_names_the_argument(value):
    with pytest.raises((TypeError, ValueError), match=r"^threads must be "):
        fl.log_loss([0.0], [1], threads=value)


# Parts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [0, 1, 2, 7, 1000])
@pytest.mark.parametrize("count", [1, 2, 3, 16])
def test_every_part_is_called_once(parts, count):
    calls = []
    threads.run(calls.append, parts, count)
    assert sorted(calls) == list(range(parts))


@pytest.mark.parametrize("count", [2, 5])
def test_no_more_threads_work_than_were_asked_for(count):
    at_work, most, lock = set(), [], threading.Lock()

    def task(part):
        with lock:
            at_work.add(threading.get_ident())
            most.append(len(at_work))
        time.sleep(0.002)
        with lock:
            at_work.discard(threading.get_ident())

    threads.run(task, 60, count)
    assert max(most) == count


def test_one_thread_is_the_caller_itself():
    seen = set()
    threads.run(lambda part: seen.add(threading.get_ident()), 10, 1)
    assert seen == {threading.get_ident()}


class PartError(Exception):
    pass


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("bad", [0, 3])
def test_an_exception_comes_through_and_stops_further_parts(count, bad):
    calls = []

    def task(part):
        calls.append(part)
        if part == bad:
            raise PartError(part)
        time.sleep(0.001)

    with pytest.raises(PartError, match=str(bad)):
        threads.run(task, 10_000, count)
    assert len(calls) < 1000
    settled = len(calls)
    time.sleep(0.02)
    assert len(calls) == settled
    threads.run(calls.append, 5, count)
    assert calls[settled:] != []


def test_an_exception_in_a_helper_comes_through():
    caller = threading.get_ident()

    def task(part):
        if threading.get_ident() != caller:
            raise PartError
        time.sleep(0.005)

    with pytest.raises(PartError):
        threads.run(task, 1000, 2)


def test_when_it_returns_no_part_is_under_way():
    under_way = []

    def task(part):
        under_way.append(part)
        time.sleep(0.05 * (part == 0))
        under_way.remove(part)
        if part == 3:
            raise PartError

    with pytest.raises(PartError):
        threads.run(task, 4, 4)
    assert under_way == []


class Interrupts:
    """Raise a KeyboardInterrupt at one line of `threads`, the next one for each call."""

    def __init__(self):
        self.lines = 0

    def __call__(self, frame, event, argument):
        if frame.f_code.co_filename != threads.__file__:
            return None
        self.left -= event == "line"
        if self.left < 0:
            raise KeyboardInterrupt
        return self

    def interrupted(self, call):
        """Whether the call has as many lines."""
        self.left = self.lines
        self.lines += 1
        before = sys.gettrace()
        sys.settrace(self)
        try:
            call()
        except KeyboardInterrupt:
            return True
        finally:
            sys.settrace(before)
        return False


def test_an_interrupt_at_any_line_is_raised_when_no_part_is_under_way():
    under_way, interrupts = [], Interrupts()

    def task(part):
        under_way.append(part)
        time.sleep(0.002)
        under_way.remove(part)

    while interrupts.interrupted(lambda: threads.run(task, 4, 3)):
        assert under_way == []
    assert interrupts.lines > 40


def test_after_an_interrupt_at_any_line_nobody_writes_results():
    z, interrupts = np.linspace(-40.0, 40.0, 200_000), Interrupts()
    expected, out = fl.sigmoid(z, threads=1), np.zeros(200_000)
    while interrupts.interrupted(lambda: fl.sigmoid(z, out=out, threads=3)):
        then = out.copy()
        time.sleep(0.0005)
        assert np.array_equal(out, then)
        out[:] = 0.0
    assert interrupts.lines > 30
    assert np.array_equal(out, expected)


# Loops ------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 3, 16])
@pytest.mark.parametrize("size", [1 << 16, 100_001, 1_000_003])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_threads_that_share_a_loop_compute_every_element(size, dtype, count):
    z = np.linspace(-40.0, 40.0, 2 * size).astype(dtype)
    t = np.linspace(0.0, 1.0, size).astype(dtype)
    expected = fl.residual(z[::2].copy(), t, threads=1)
    out = np.full((size, 3), 7.0, dtype)
    fl.residual(z[::2], t, out=out[:, 1], threads=count)
    assert np.array_equal(out[:, 1], expected)
    assert np.all(out[:, [0, 2]] == 7.0)


# Waiting ----------------------------------------------------------------------------------


def test_idle_workers_use_no_processor_time():
    threads.run(lambda part: time.sleep(0.001), 8, 4)
    fl.sigmoid(np.zeros(200_000), threads=4)
    time.sleep(0.05)
    start = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - start < 0.01


class Held:
    pass


def test_a_worker_keeps_its_work_until_it_has_ended():
    held, may_end, worker = Held(), threading.Event(), threads._Worker()
    gone = weakref.ref(held)
    worker.ask(lambda held=held: may_end.wait(), 0)
    del held
    assert gone() is not None
    may_end.set()
    while not worker.settled():
        pass
    assert gone() is None


def test_what_a_task_holds_is_let_go():
    held = Held()
    gone = weakref.ref(held)
    for parts in 4, 40:
        threads.run(lambda part, held=held: time.sleep(0.0005), parts, 3)
    del held
    assert gone() is None


# Many callers -----------------------------------------------------------------------------


def test_a_call_from_inside_a_worker_works():
    z = np.linspace(-40.0, 40.0, 200_000)
    expected = fl.log_loss(z, z > 0, threads=1)
    results = {}

    def task(part):
        results[part] = fl.log_loss(z, z > 0, threads=2)

    threads.run(task, 8, 2)
    assert results == dict.fromkeys(range(8), expected)


def test_calls_nested_three_deep_work():
    calls = []

    def outermost(a):
        threads.run(lambda b: threads.run(lambda c: calls.append((a, b, c)), 3, 3), 3, 3)

    threads.run(outermost, 3, 3)
    assert len(set(calls)) == len(calls) == 27


# Processes --------------------------------------------------------------------------------


def printed(script):
    """Run a script in a process of its own; its standard output."""
    done = processes.run(script)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def printed_by_interpreter(tmp_path, script):
    """The same in a new interpreter, which runs a file and then shuts down."""
    path = tmp_path / "script.py"
    path.write_text(script)
    search = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        # From 3.12 on, Python warns of any fork of a process with threads.
        [sys.executable, "-W", "error", "-W", "ignore:This process:DeprecationWarning", str(path)],
        env=os.environ | {"PYTHONPATH": search},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


COMMON = """
import multiprocessing, os, signal, subprocess, sys, threading, time
import numpy as np
import fastlogit as fl

Z = np.linspace(-40.0, 40.0, 1_000_003)

def loss(part=0):
    return fl.log_loss(Z, Z > 0, threads=2)
"""

# Two or three parts in every layout.
LAYOUTS = """
import pandas, scipy.sparse

rng = np.random.default_rng(0)
X = rng.integers(-4, 5, (300_000, 8)).astype(np.float64)
X[rng.random(X.shape) < 0.5] = 0.0
coef, t = rng.normal(size=8), rng.random(300_000)
layouts = [
    X,
    np.asfortranarray(X),
    scipy.sparse.csr_array(X),
    {str(j): X[:, j].copy() for j in range(8)},
    pandas.DataFrame(X),
]

def bits(result):
    return b"".join(np.asarray(each).tobytes() for each in result)
"""

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")


def test_many_threads_may_call_different_functions_at_once():
    script = """
from concurrent.futures import ThreadPoolExecutor

functions = [
    lambda count: bits([fl.sigmoid(Z, threads=count)]),
    lambda count: bits([fl.log_loss(Z, Z > 0, threads=count)]),
]
for layout in layouts:
    functions += [
        lambda count, X=layout: bits([fl.linear.probability(X, coef, threads=count)]),
        lambda count, X=layout: bits(fl.linear.log_loss_gradient(X, t, coef, threads=count)),
        lambda count, X=layout: bits([fl.linear.hessian(X, coef, threads=count)]),
    ]
quiet = [function(1) for function in functions]
start = threading.Barrier(16)

def call(number):
    start.wait(timeout=60)
    end, calls, same = time.monotonic() + 0.5, 0, True
    while calls < 4 or time.monotonic() < end:
        number = (number + 1) % len(functions)
        same &= functions[number](2 + number % 3) == quiet[number]
        calls += 1
    return same

with ThreadPoolExecutor(16) as pool:
    print(all(pool.map(call, range(16))))
"""
    assert printed(COMMON + LAYOUTS + script) == ["True"]


def test_a_hundred_calls_under_load_give_the_same_bits():
    script = """
def passes(layout, count):
    return bits(fl.linear.log_loss_gradient_hessian(layout, t, coef, threads=count))

quiet = [passes(layout, 1) for layout in layouts]
burn = [sys.executable, "-c", "while True: pass"]
others = [subprocess.Popen(burn) for _ in range(os.cpu_count())]
try:
    for k in range(100):
        number = k % len(layouts)
        assert passes(layouts[number], (1, 2, 3, 16)[k % 4]) == quiet[number]
finally:
    for other in others:
        other.kill()
        other.wait()
print("done")
"""
    assert printed(COMMON + LAYOUTS + script) == ["done"]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system sets no affinity")
def test_on_one_core_nobody_else_is_asked():
    script = """
os.environ.pop("FASTLOGIT_NUM_THREADS", None)
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
fl.log_loss(Z, Z > 0)
print(threading.active_count())
"""
    assert printed(COMMON + script) == ["1"]


@needs_fork
def test_a_forked_child_and_then_the_parent_can_call():
    script = """
before = loss()
assert threading.active_count() > 1
child = os.fork()
if child == 0:
    assert threading.active_count() == 1
    same = loss() == before and threading.active_count() > 1
    os._exit(0 if same else 1)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status), loss() == before)
"""
    assert printed(COMMON + script) == ["0", "True"]


@needs_fork
def test_a_child_forked_while_other_threads_are_calling_can_call():
    script = """
before, stop = loss(), threading.Event()

def keep_calling():
    while not stop.is_set():
        loss()

callers = [threading.Thread(target=keep_calling) for _ in range(4)]
for caller in callers:
    caller.start()
codes = []
for _ in range(20):
    child = os.fork()
    if child == 0:
        os._exit(0 if loss() == before else 1)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
stop.set()
for caller in callers:
    caller.join()
print(sum(codes), loss() == before)
"""
    assert printed(COMMON + script) == ["0", "True"]


@pytest.mark.parametrize(
    "method",
    [
        pytest.param("fork", marks=needs_fork),
        "spawn",
        pytest.param("forkserver", marks=needs_fork),
    ],
)
def test_worker_processes_can_call(tmp_path, method):
    script = f"""
if __name__ == "__main__":
    before = loss()
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        print(set(pool.map(loss, range(4))) == {{before}}, loss() == before)
"""
    assert printed_by_interpreter(tmp_path, COMMON + script) == ["True", "True"]


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_workers_of_joblib_can_call(tmp_path, backend):
    script = f"""
from joblib import Parallel, delayed

if __name__ == "__main__":
    before = loss()
    print(set(Parallel(2, backend={backend!r})(delayed(loss)(k) for k in range(4))) == {{before}})
    print(loss() == before)
"""
    assert printed_by_interpreter(tmp_path, COMMON + script) == ["True", "True"]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="Windows has no interval timer")
@pytest.mark.parametrize("layout", ["rows", "sparse"])
def test_an_interrupt_ends_a_long_pass_and_leaves_the_library_usable(layout):
    script = f"""
import scipy.sparse
from numpy.lib.stride_tricks import as_strided

def features(n):   # gigabytes, were they not all one element
    if {layout!r} != "sparse":
        return as_strided(np.ones(8), (n, 8), (0, 8))
    X = scipy.sparse.csr_array((n, 8))
    X.indptr = np.arange(0, 256 * n + 1, 256)
    X.data = as_strided(np.ones(1), (256 * n,), (0,))
    X.indices = as_strided(np.ones(1, np.int32), (256 * n,), (0,))
    return X

def derive(n, threads):
    t = as_strided(np.ones(1, bool), (n,), (0,))
    return fl.linear.log_loss_gradient(features(n), t, np.ones(8), threads=threads)[0]

def interrupt(signal_number, frame):
    raise KeyboardInterrupt

before, small = loss(), derive(1000, 1)
signal.signal(signal.SIGALRM, interrupt)
for threads in 1, 2:
    start = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        derive(1 << 23 if {layout!r} == "sparse" else 1 << 30, threads)
    except KeyboardInterrupt:
        print(time.monotonic() - start < 0.8, loss() == before, derive(1000, 2) == small)
"""
    assert printed(COMMON + script) == ["True"] * 6


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="Windows has no pthread_kill")
def test_an_interrupt_while_the_caller_waits_is_raised_when_no_part_is_under_way():
    script = """
from fastlogit.core import threads

caller, ended = threading.get_ident(), []

def task(part):
    if threading.get_ident() == caller:
        while not helping:
            time.sleep(0.001)
        threading.Timer(0.2, signal.pthread_kill, [caller, signal.SIGINT]).start()
        return
    helping.append(part)
    time.sleep(0.6)
    ended.append(part)

helping = []
try:
    threads.run(task, 2, 2)
except KeyboardInterrupt:
    print(len(ended))
"""
    assert printed(COMMON + script) == ["1"]


def test_a_call_while_the_interpreter_shuts_down_works(tmp_path):
    script = """
import atexit
before = loss()
atexit.register(lambda: print(loss() == before))
"""
    assert printed_by_interpreter(tmp_path, COMMON + script) == ["True"]


def test_a_call_when_threads_can_no_longer_run_python_works(tmp_path):
    script = """
class Last:   # its end is after that of all threads
    def __del__(self, loss=loss, before=loss(), print=print, finalizing=sys.is_finalizing):
        print(finalizing(), loss() == before, flush=True)

last = Last()
"""
    assert printed_by_interpreter(tmp_path, COMMON + script) == ["True", "True"]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system does not tell cores")
def test_helpers_keep_their_affinity():
    before = os.sched_getaffinity(0)
    seen = []
    for _ in range(20):
        threads.run(lambda part: seen.append(os.sched_getaffinity(0)), 8, 2)
    assert all(cores == before for cores in seen)
