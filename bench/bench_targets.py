"""Ratios that fastlogit promises: to NumPy's usual stable formula, to other libraries, to itself.

Those of `bench.targets` that are not listed here are not reached, or not by enough to be promised.
"""

import os
import subprocess
import sys

import numba
import numpy as np
import pytest

from bench import targets
from bench.data import argument
from bench.implementations import ELEMENTWISE, FASTLOGIT, FUNCTIONS, STABLE, TUNED
from bench.measure import interleaved, ratio
from fastlogit import kernels
from fastlogit.kernels.ufuncs import ufunc

# Function, type, elements, threads.
PROMISED = {
    ("log_sigmoid", "float32", 10_000_000, 2),
    ("logistic_loss", "float64", 10_000_000, 1),
    ("logistic_loss", "float64", 10_000_000, 2),
    ("logistic_loss", "float32", 10_000_000, 2),
    ("sigmoid", "float64", 1_000, None),
    ("sigmoid", "float32", 1_000, None),
}


def _measure(name, n, threads, capsys, what):
    function = FUNCTIONS[name]
    seconds = interleaved(
        {
            STABLE: function.bind(STABLE, n),
            TUNED: function.bind(TUNED, n),
            FASTLOGIT: function.bind(FASTLOGIT, n, threads=threads),
        }
    )
    stable, tuned = (ratio(seconds, peer, FASTLOGIT) for peer in (STABLE, TUNED))
    with capsys.disabled():
        print(f"\n{name}, {what}: {stable:.2f} x {STABLE}, {tuned:.2f} x {TUNED}")
    return stable


def test_log_loss_gradient_is_6_times_as_fast_as_numpy_on_one_thread(capsys):
    what = "10,000,000 float64, one thread"
    assert _measure("log_loss_gradient", 10_000_000, 1, capsys, what) >= 6.0


def test_linear_log_loss_gradient_is_2_5_times_as_fast_as_numpy_on_two_threads(capsys):
    what = "1,000,000 x 32 float64, two threads"
    assert _measure("linear.log_loss_gradient", 1_000_000, 2, capsys, what) >= 2.5


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_a_loop_over_a_kernel_takes_at_most_a_tenth_longer_than_ours(name, dtype, capsys):
    kernel, n = getattr(kernels, name), 100_000
    args = [argument(arg, n, dtype) for arg in ELEMENTWISE[name].arguments]
    out = np.empty(n, dtype)

    @numba.njit
    def of_one(z, out):
        for i in range(out.size):
            out[i] = kernel(z[i])

    @numba.njit
    def of_two(z, t, out):
        for i in range(out.size):
            out[i] = kernel(z[i], t[i])

    loop = of_one if len(args) == 1 else of_two
    both = {"loop": lambda: loop(*args, out), FASTLOGIT: lambda: ufunc(name)(*args, out)}
    times = ratio(interleaved(both, rounds=9, calls=20), "loop", FASTLOGIT)
    with capsys.disabled():
        print(f"\n{name}, {dtype}, a loop of one's own: {times:.2f} x fastlogit's")
    assert times <= 1.1


STARTUP = """
import time
begin = time.perf_counter()
import numba
imported = time.perf_counter()
import fastlogit as fl
after = time.perf_counter()
fl.sigmoid(0.5)
print(imported - begin, after - imported, time.perf_counter() - after)
"""


def test_importing_and_a_first_call_from_the_cache_take_a_third_of_importing_numba(capsys):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", STARTUP]
    lines = [
        subprocess.run(command, env=environment, capture_output=True, check=True).stdout
        for _ in range(6)
    ]
    # The first fills the caches.
    seconds = np.median([list(map(float, line.split())) for line in lines[1:]], axis=0)
    with capsys.disabled():
        print("\nimport numba {:.3f} s, fastlogit {:.3f} s, first call {:.3f} s".format(*seconds))
    assert max(seconds[1:]) <= seconds[0] / 3


def _promised():
    return [
        pytest.param(case, id=f"{case.target.function}-{case.target.dtype}-{case.n}-{case.threads}")
        for case in targets.cases()
        if (case.target.function, case.target.dtype, case.n, case.threads) in PROMISED
        and targets.COPY not in case.target.peers
    ]


@pytest.mark.parametrize("case", _promised())
def test_times_as_fast_as_other_libraries(case, capsys):
    peers = targets.installed(case.target)
    if len(peers) < len(case.target.peers):
        pytest.skip(f"needs {', '.join(case.target.peers)}")
    _, best, times = targets.measure(case)
    with capsys.disabled():
        print(f"\n{case.target.function}, {case.target.dtype}: {times:.2f} x {best}")
    assert times >= case.target.times
