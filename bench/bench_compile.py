"""First calls in a new process: compiled, or loaded from the cache.  Takes five minutes.

The start of Python and the imports are not counted; two of the cases measure the imports.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import fastlogit as fl

IMPORTS = "import numba, numpy as np, fastlogit as fl\nfrom fastlogit import warmup"
DATA = """
z, t, X, coef = np.ones(8), np.ones(8), np.ones((8, 3)), np.ones(3)
t[::2] = 0
"""
TIMED = (
    "import time\n{before}\nbegin = time.perf_counter()\n{call}\nprint(time.perf_counter() - begin)"
)
CALLS = {
    "sigmoid": "fl.sigmoid(z)",
    "log_loss_gradient": "fl.log_loss_gradient(z, t)",
    "linear.probability": "fl.linear.probability(X, coef)",
    "linear.log_loss_gradient": "fl.linear.log_loss_gradient(X, t, coef)",
    "fit": "fl.fit(X, t)",
    "fastlogit warmup": "warmup.run()",
    "import numba": "import numba",
    "import fastlogit": "import fastlogit",
}


class Clock:
    """Sum of the seconds that the processes report."""

    def __init__(self):
        self.__name__ = "first_call"
        self.seconds = 0.0

    def __call__(self):
        return self.seconds

    def run(self, name, folder):
        before = {"import numba": "", "import fastlogit": "import numba"}.get(name, IMPORTS + DATA)
        source = str(Path(fl.__file__).parents[1])
        environment = os.environ | {"NUMBA_CACHE_DIR": str(folder), "PYTHONPATH": source}
        command = [sys.executable, "-c", TIMED.format(before=before, call=CALLS[name])]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        self.seconds += float(done.stdout.splitlines()[-1])


CLOCK = Clock()


@pytest.mark.benchmark(timer=CLOCK)
@pytest.mark.parametrize("cache", ["cold", "cached"])
@pytest.mark.parametrize("name", CALLS)
def test_first_call(benchmark, name, cache, tmp_path):
    benchmark.group = f"first call {name}"
    benchmark.extra_info.update(function=name, implementation="fastlogit", cache=cache)
    folders = iter(range(100))

    def setup():
        return (name, tmp_path / (f"{next(folders)}" if cache == "cold" else "same")), {}

    rounds = 1 if name == "fastlogit warmup" and cache == "cold" else 3
    benchmark.pedantic(CLOCK.run, setup=setup, rounds=rounds, warmup_rounds=int(cache == "cached"))
