"""Proof that `python -m bench compare` can be trusted, with revisions that were made worse.

Some twenty minutes, so that it runs only when asked for: ``pytest bench -m proof``.
"""

import shutil

import numpy as np
import pytest

from bench.regression import exactness, others, sides, times
from bench.regression.cases import is_quick
from bench.regression.noise import loaded_core
from bench.regression.times import Timing

pytestmark = pytest.mark.proof

MINUTES, QUICKLY = 3.0, 2.0
SAME, AGAIN, SLOWER, LESS_EXACT = "original", "repeated", "slowdown", "rounding"
SLOWED = "logistic_loss, float64, 4,096"
# A tenth of the elements once more, of a call of which the checks before take a tenth as well.
TENTH = (
    (
        "kernels/ufuncs.py",
        "@jit.scalar\ndef _unary(",
        "def _slow_loop(args: Any, dimensions: Any, steps: Any, data: Any) -> None:\n"
        "    _binary(kernel, args, dimensions, steps)\n"
        "    _binary(kernel, args, (dimensions[0] // 9,), steps)\n\n\n"
        "@jit.scalar\ndef _unary(",
    ),
    (
        "kernels/ufuncs.py",
        "    loop = specialised(template, name,",
        '    template = _slow_loop if name == "logistic_loss" else template\n'
        "    loop = specialised(template, name,",
    ),
)
# A tenth to a fifth of a unit in the last place, before the last rounding.
FIFTH = (
    "kernels/logistic.py",
    "    loss = total + fma(scale, low, total_low)\n",
    "    loss = total + (fma(scale, low, total_low) + 2.2e-17 * total)\n",
)


def changed(folder, name, *changes):
    """Build the working tree with some changes."""
    source = folder / f"{name} source"
    sides.copy_sources(source)
    for file, before, after in changes:
        path = source / "fastlogit" / file
        text = path.read_text()
        assert text.count(before) == 1
        path.write_text(text.replace(before, after))
    return sides.install(name, sides.wheel_of(source, folder), folder / name)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Sides by what they are: as it is, the same again, slower, and less exact; compiled."""
    folder = tmp_path_factory.mktemp("sides")
    found = {
        SAME: changed(folder, SAME),
        AGAIN: changed(folder, AGAIN),
        SLOWER: changed(folder, SLOWER, *TENTH),
        LESS_EXACT: changed(folder, LESS_EXACT, FIFTH),
    }
    for timed in ((SAME, AGAIN), (SLOWER,)):
        list(others.compile_all(*map(found.get, timed), cases=quick(found[SAME])))
    yield found
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


@pytest.mark.parametrize("_time", range(5))
def test_the_same_is_never_slower_or_faster(built, _time):
    found = verdicts(built[SAME], built[AGAIN])
    assert set(found.values()) <= {"same", "inconclusive"}
    assert list(found.values()).count("same") >= 0.8 * len(found)


@pytest.mark.parametrize("_time", range(5))
def test_a_slow_down_of_a_tenth_is_found_and_it_alone(built, _time):
    found = verdicts(built[SAME], built[SLOWER])
    assert [case for case, verdict in found.items() if verdict == "slower"] == [SLOWED]
    assert "faster" not in found.values()


def test_another_process_on_one_core_makes_nothing_slower(built):
    with loaded_core():
        found = verdicts(built[SAME], built[AGAIN], MINUTES)
    assert set(found.values()) <= {"same", "inconclusive"}


def test_a_slow_down_is_found_beside_another_process(built):
    with loaded_core():
        found = verdicts(built[SAME], built[SLOWER], MINUTES)
    assert [case for case, verdict in found.items() if verdict == "slower"] == [SLOWED]


def test_a_loss_of_exactness_is_found_and_it_alone(built):
    found = list(exactness.errors(built[SAME], built[LESS_EXACT]))
    worse = [one.what for one in found if others.verdict(one) == "worse" and "largest" in one.what]
    assert worse == [
        "largest error: log_sigmoid, float64",
        "largest error: softplus, float64",
    ]
    for one in found:
        if one.what in worse:
            base, head = one.values
            assert 0.1 < head - base < 0.25, one
        assert np.isfinite(one.values).all()
