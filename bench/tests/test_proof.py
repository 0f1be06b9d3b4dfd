"""Proof that ``python -m bench compare`` finds a planted slow-down and nothing else.

Takes twenty minutes, so it runs only on request: ``pytest bench/tests -m proof``.
"""

import re
import shutil
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest

from bench.regression import exactness, figures, sides, times
from bench.regression.cases import is_quick
from bench.regression.times import Timing

pytestmark = pytest.mark.proof

MINUTES, QUICKLY = 3.0, 2.0
SLOWED = "logistic_loss, float64, 4,096"
# A tenth of the elements once more; the checks before take a tenth of a call as well.
TENTH = [
    (
        "kernels/ufuncs.py",
        r"(?m)^def _binary_loop\(",
        "def _slow_loop(args: Any, dimensions: Any, steps: Any, data: Any) -> None:\n"
        "    _binary(kernel, args, dimensions, steps)\n"
        "    _binary(kernel, args, (dimensions[0] // 9,), steps)\n\n\n"
        "def _binary_loop(",
    ),
    (
        "kernels/ufuncs.py",
        r"(?m)^    loop = specialised\(template, name,",
        '    template = _slow_loop if name == "logistic_loss" else template\n'
        "    loop = specialised(template, name,",
    ),
]
# A tenth to a fifth of a unit in the last place, before the last rounding.
FIFTH = [
    (
        "kernels/*.py",
        r"loss = total \+ fma\(scale, low, total_low\)\n",
        "loss = total + (fma(scale, low, total_low) + 2.2e-17 * total)\n",
    )
]
BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"


@contextmanager
def busy_core():
    """Keep one core busy."""
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def changed(folder, name, changes=()):
    """Build the working tree with changes, each of one place."""
    source = folder / f"{name} source"
    source.mkdir()
    sides.copy_sources(source)
    for files, pattern, replacement in changes:
        counts = []
        for path in (source / "fastlogit").glob(files):
            text, count = re.subn(pattern, replacement, path.read_text())
            path.write_text(text)
            counts.append(count)
        assert sum(counts) == 1
    return sides.install(name, sides.build_wheel(source, folder), folder / name)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Compiled sides: the original, the same again, a slower one and a less exact one."""
    folder = tmp_path_factory.mktemp("sides")
    original, again = changed(folder, "original"), changed(folder, "repeated")
    slower, inexact = changed(folder, "slowdown", TENTH), changed(folder, "rounding", FIFTH)
    figures.compilation(original, again, cases=quick(original))
    figures.compilation(slower, cases=quick(original))
    yield original, again, slower, inexact
    shutil.rmtree(folder)


def quick(side):
    with sides.workers(side) as (worker,):
        return {name: threads for name, threads in worker.do("list").items() if is_quick(name)}


def verdicts(base, head, minutes=QUICKLY):
    timings = [Timing(case, threads) for case, threads in quick(base).items()]
    times.measure(base, head, timings, 60 * minutes)
    assert not any(any(timing.errors) for timing in timings)
    for timing in timings:
        print(timing.case, timing.interval, timing.verdict)
    return {timing.case: timing.verdict for timing in timings}


def slower_cases(found):
    assert "faster" not in found.values()
    return [case for case, verdict in found.items() if verdict == "slower"]


@pytest.mark.parametrize("_time", range(5))
def test_the_same_is_never_slower_and_a_planted_tenth_is(built, _time):
    original, again, slower, _ = built
    found = verdicts(original, again)
    assert slower_cases(found) == []
    assert list(found.values()).count("same") >= 0.8 * len(found)
    assert slower_cases(verdicts(original, slower)) == [SLOWED]


def test_a_busy_core_hides_nothing_and_makes_nothing_slower(built):
    original, again, slower, _ = built
    with busy_core():
        assert slower_cases(verdicts(original, again, MINUTES)) == []
        assert slower_cases(verdicts(original, slower, MINUTES)) == [SLOWED]


def test_a_loss_of_exactness_is_found_and_nothing_else(built):
    original, _, _, inexact = built
    found = list(exactness.errors(original, inexact))
    worse = [one.what for one in found if one.verdict == "worse" and "largest" in one.what]
    names = [f"largest error: {name}, float64" for name in ("log_sigmoid", "softplus")]
    assert worse == names
    for one in found:
        if one.what in worse:
            base, head = one.values
            assert 0.1 < head - base < 0.25, one
        assert np.isfinite(one.values).all()
