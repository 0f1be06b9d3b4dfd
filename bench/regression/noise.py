"""Rounds of two builds of a revision, recorded: what the tests of the verdicts draw from.

``python -m bench.regression.noise`` records them anew, in some minutes, on a quiet machine and
with one core loaded by another process; to be done where `times` or `worker` take turns in another
way.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench import machine, results
from bench.regression import others, sides, times
from bench.regression.sides import WORKING_TREE
from bench.regression.times import Timing

FILE = Path(__file__).with_suffix(".json")
PAIRS = 16
CASES = {
    "sigmoid, float64, 4,096": 1,
    "logistic_loss, float64, 4,096": 1,
    "sigmoid, float64, 4,000,000": 2,
    "linear.log_loss_gradient, rows, float32, 1,000": 1,
    "linear.log_loss_gradient, rows, float64, 300,000": 2,
    "fit, 1,000 x 32": 1,
}
QUIET, LOADED = "quiet", "one core loaded"
_BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"


@contextmanager
def loaded_core() -> Iterator[None]:
    """Keep one core busy, at the longest until this process ends."""
    busy = subprocess.Popen([sys.executable, "-c", _BUSY])
    try:
        yield
    finally:
        busy.kill()
        busy.wait()


def load() -> dict[str, dict[str, list[NDArray[np.float64]]]]:
    """Logarithms of ratios, by the state of the machine and the case: an array for each pair."""
    stored = json.loads(FILE.read_text())["rounds"]
    return {
        state: {case: [np.array(pair) for pair in pairs] for case, pairs in cases.items()}
        for state, cases in stored.items()
    }


def main() -> None:
    """Record, and store."""
    ArgumentParser(prog="python -m bench.regression.noise", description=__doc__).parse_args()
    rounds: dict[str, dict[str, list[list[float]]]] = {}
    with tempfile.TemporaryDirectory(prefix="fastlogit-noise-") as folder:
        both = [sides.build(WORKING_TREE, Path(folder, name)) for name in ("base", "head")]
        list(others.compile_all(*both, cases=CASES))
        for state, load_of in ((QUIET, nullcontext()), (LOADED, loaded_core())):
            timings = [Timing(case, threads) for case, threads in CASES.items()]
            with load_of:
                for pair in range(PAIRS):
                    times.sample_all(*both, timings, pair)
            rounds[state] = {
                timing.case: [np.round(sample, 4).tolist() for sample in timing.samples]
                for timing in timings
            }
    results.write(FILE, {"date": results.today(), "machine": machine.brief(), "rounds": rounds})


if __name__ == "__main__":
    main()
