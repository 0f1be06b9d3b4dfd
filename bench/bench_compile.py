"""What a first call takes in a new process: compiling, or loading what another one compiled.

Python's start and the imports are not counted.  It takes five minutes.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import fastlogit as fl

FIRST_CALL = """
import time
import numpy as np
import fastlogit as fl
from fastlogit import warmup
z, t, X, coef = np.ones(8), np.ones(8), np.ones((8, 3)), np.ones(3)
t[::2] = 0
begin = time.perf_counter()
{call}
print(time.perf_counter() - begin)
"""
CALLS = {
    "sigmoid": "fl.sigmoid(z)",
    "log_loss_gradient": "fl.log_loss_gradient(z, t)",
    "linear.probability": "fl.linear.probability(X, coef)",
    "linear.log_loss_gradient": "fl.linear.log_loss_gradient(X, t, coef)",
    "fit": "fl.fit(X, t)",
    "fastlogit warmup": "warmup.run()",
}


class Clock:
    """Adds up what processes say that they took."""

    def __init__(self):
        self.__name__ = "first_call"
        self.seconds = 0.0

    def __call__(self):
        return self.seconds

    def run(self, call, folder):
        environment = os.environ | {
            "NUMBA_CACHE_DIR": str(folder),
            "PYTHONPATH": str(Path(fl.__file__).parents[1]),
        }
        command = [sys.executable, "-c", FIRST_CALL.format(call=call)]
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
        return (CALLS[name], tmp_path / (f"{next(folders)}" if cache == "cold" else "same")), {}

    rounds = 1 if name == "fastlogit warmup" and cache == "cold" else 3
    benchmark.pedantic(CLOCK.run, setup=setup, rounds=rounds, warmup_rounds=int(cache == "cached"))
