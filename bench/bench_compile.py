"""First calls in a new process: compiled, or loaded from the cache.  Takes five minutes.

The start of Python and the imports are not counted; two of the cases measure the imports.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import fastlogit as fl

IMPORTS = "import numba, numpy as np, fastlogit as fl; from fastlogit import warmup\n"
DATA = """
z, t, X, coef = np.ones(8), np.ones(8), np.ones((8, 3)), np.ones(3)
t[::2] = 0
"""
# The timed code, and the code before it.
CALLS = {
    "sigmoid": ("fl.sigmoid(z)", IMPORTS + DATA),
    "log_loss_gradient": ("fl.log_loss_gradient(z, t)", IMPORTS + DATA),
    "linear.probability": ("fl.linear.probability(X, coef)", IMPORTS + DATA),
    "linear.log_loss_gradient": ("fl.linear.log_loss_gradient(X, t, coef)", IMPORTS + DATA),
    "fit": ("fl.fit(X, t)", IMPORTS + DATA),
    "fastlogit warmup": ("warmup.run()", IMPORTS),
    "import numba": ("import numba", ""),
    "import fastlogit": ("import fastlogit", "import numba"),
}
SECONDS = [0.0]  # reported by the processes, in sum: the clock


def run(name, folder):
    call, before = CALLS[name]
    timed = f"begin = time.perf_counter()\n{call}\nprint(time.perf_counter() - begin)"
    command = [sys.executable, "-c", f"import time\n{before}\n{timed}"]
    source = str(Path(fl.__file__).parents[1])
    environment = os.environ | {"NUMBA_CACHE_DIR": str(folder), "PYTHONPATH": source}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    SECONDS[0] += float(done.stdout.splitlines()[-1])


def clock():
    return SECONDS[0]


@pytest.mark.benchmark(timer=clock)
@pytest.mark.parametrize("cache", ["cold", "cached"])
@pytest.mark.parametrize("name", CALLS)
def test_first_call(benchmark, name, cache, tmp_path):
    benchmark.extra_info.update(function=name, implementation="fastlogit", cache=cache)
    folders = iter(range(100))

    def setup():
        return (name, tmp_path / (f"{next(folders)}" if cache == "cold" else "same")), {}

    rounds = 1 if name == "fastlogit warmup" and cache == "cold" else 3
    benchmark.pedantic(run, setup=setup, rounds=rounds, warmup_rounds=int(cache == "cached"))
