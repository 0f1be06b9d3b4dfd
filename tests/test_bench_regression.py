"""The verdicts of `python -m bench compare`, on noise that was recorded; no speed is measured."""

from __future__ import annotations

import json
import mmap
import signal
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import expit

from bench import compare
from bench.implementations import PASSES, SUMS
from bench.regression import cases, exactness, noise, others, sides, times, worker
from bench.regression.times import MOST_PAIRS, Timing
from bench.regression.verdicts import TIME, Interval, interval
from tests.fake_sides import fake, logged

RECORDED = noise.load()
STATES = list(RECORDED)
SECONDS = 1e-3


def sampled(state, case, rng, slower=1.0, most=MOST_PAIRS):
    """A timing that is sampled until it is settled, of pairs that are drawn from what was recorded.

    Either side may be the one that was called the base: of all pairs, as one of them might be
    favoured.
    """
    timing = Timing(case, 1, base_s=[SECONDS], head_s=[SECONDS])
    pool, sign = RECORDED[state][case], rng.choice([-1.0, 1.0])
    while not timing.is_settled and len(timing.samples) < most:
        timing.samples.append(sign * pool[rng.integers(len(pool))] + np.log(slower))
    return timing


# Noise ------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("case", noise.CASES)
def test_a_revision_against_itself_raises_no_alarm_in_fifty_runs(state, case):
    rng = np.random.default_rng(1)
    found = [sampled(state, case, rng).verdict for _ in range(50)]
    assert set(found) <= {"same", "inconclusive"}


@pytest.mark.parametrize("case", noise.CASES)
def test_on_a_quiet_machine_it_is_the_same(case):
    rng = np.random.default_rng(2)
    found = [sampled(noise.QUIET, case, rng).verdict for _ in range(20)]
    assert found.count("same") >= 19


@pytest.mark.parametrize("change", [1.1, 1 / 1.1])
@pytest.mark.parametrize("case", noise.CASES)
def test_a_change_of_a_tenth_is_found(case, change):
    rng = np.random.default_rng(3)
    found = [sampled(noise.QUIET, case, rng, change).verdict for _ in range(20)]
    assert found.count("slower" if change > 1 else "faster") >= 19
    assert "same" not in found


@pytest.mark.parametrize("case", noise.CASES)
def test_nor_is_it_taken_for_the_same_when_a_core_is_loaded(case):
    rng = np.random.default_rng(4)
    found = [sampled(noise.LOADED, case, rng, 1.1).verdict for _ in range(50)]
    assert set(found) <= {"slower", "inconclusive"}


@pytest.mark.parametrize("state", STATES)
def test_a_planted_slow_down_is_found_and_it_alone(state):
    rng = np.random.default_rng(5)
    planted = "logistic_loss, float64, 4,096"
    for _ in range(5):
        found = {
            case: sampled(state, case, rng, 1.1 if case == planted else 1.0).verdict
            for case in noise.CASES
        }
        assert [case for case, verdict in found.items() if verdict == "slower"] == [planted]


# Sides that fail --------------------------------------------------------------------------


def test_a_case_that_fails_is_named_and_the_others_are_timed(both, monkeypatch):
    monkeypatch.setattr(sides, "PATIENCE_S", 3.0)
    expected = {
        "dies in the head": ("failed", "head: its process has ended, with status 3"),
        "hangs in the head": ("failed", "head: no answer after 3 s"),
        "fails in the head": ("failed", "head: AttributeError: gone"),
        "fails in the base": ("new", "base: AttributeError: gone"),
        "dies in the base": ("new", "base: its process has ended, with status 3"),
        "dies late in the head": ("failed", "head: its process has ended, with status 3"),
        "dies late in the base": ("new", "base: its process has ended, with status 3"),
        "is fine": ("same", ""),
    }
    timings = [Timing(case, 1) for case in expected]
    times.measure(*both, timings, 0.0)
    rows = [compare.row_of_time(timing) for timing in timings]
    assert {row.what: (row.verdict, row.error) for row in rows} == expected


def test_compiling_goes_on_where_a_case_fails(both):
    (found,) = others.compile_all(*both, cases=["fails in the head", "x"])
    assert found.values == (10.0, 10.0)


@pytest.mark.parametrize(
    ("side", "values", "verdict"),
    [("base", (None, 10.0), "new"), ("head", (10.0, None), "failed")],
)
def test_of_a_process_that_dies_nobody_knows_how_long_it_compiled(both, side, values, verdict):
    (found,) = others.compile_all(*both, cases=[f"dies in the {side}", "x"])
    assert found.values == values
    assert others.verdict(found) == verdict
    assert found.error == f"{side}: a process ended before its time was known"


def test_of_a_process_that_dies_once_the_other_time_counts(both, monkeypatch):
    found = iter([[10.0, None], [12.0, 11.0]])
    monkeypatch.setattr(others, "_compile", lambda *_: next(found))
    (measured,) = others.compile_all(*both, cases=["x"])
    assert measured.values == (10.0, 11.0)
    assert measured.error == ""


def test_what_was_compiled_before_is_compiled_again(both):
    for side in both:
        side.cache.mkdir()
        (side.cache / "before").touch()
    list(others.compile_all(*both, cases=["x"]))
    assert not any((side.cache / "before").exists() for side in both)


def test_what_seems_slower_is_sampled_until_that_is_sure_whatever_the_time(both):
    timings = [Timing(case, 1) for case in ("is slow in the head", "is slow in the base", "x")]
    times.measure(*both, timings, 0.0)
    assert [timing.verdict for timing in timings] == ["slower", "faster", "same"]
    assert [len(timing.samples) for timing in timings] == [12, 12, 5]


@pytest.mark.parametrize(("budget_s", "expected"), [(0.0, 5), (600.0, 7)])
def test_what_is_inconclusive_is_sampled_while_there_is_time(both, monkeypatch, budget_s, expected):
    monkeypatch.setattr(times, "MOST_PAIRS", 7)
    never = SimpleNamespace(verdict=lambda *_: "inconclusive")
    timings = [Timing("x", 1, thresholds=never), Timing("y", 1)]
    times.measure(*both, timings, budget_s)
    assert [len(timing.samples) for timing in timings] == [expected, 5]


def test_a_function_that_is_gone_fails_and_a_new_one_does_not(both, monkeypatch):
    monkeypatch.setattr(exactness, "_CHUNKS", 1)
    rows = [compare.row(one) for one in exactness.errors(*both, only=["softplus"])]
    assert {row.verdict for row in rows} == {"failed"}
    assert {row.error for row in rows} == {"head: AttributeError: gone"}
    assert all(row.base is not None and row.head is None for row in rows)
    rows = [compare.row(one) for one in exactness.errors(*both[::-1], only=["softplus"])]
    assert {row.verdict for row in rows} == {"new"}
    assert "head: AttributeError: gone" in compare.text(rows)


# Turns ------------------------------------------------------------------------------------


def test_processes_take_turns_and_whoever_starts_first_changes(both, tmp_path):
    timing = Timing("x", 1)
    times.measure(*both, [timing], 0.0)
    assert len(timing.samples) == 5
    turns = ["".join(line["side"][0] for line in logged(tmp_path, "time"))]
    pairs = ["bhhb" * 24, "hbbh" * 24]
    assert turns == ["".join((pairs * 3)[:5])]
    prepared = [line["side"] for line in logged(tmp_path, "prepare")]
    assert prepared == (["base", "head", "head", "base"] * 3)[:10]


def test_what_has_one_thread_stays_on_one_core_which_is_another_in_each_pair(both, tmp_path):
    times.measure(*both, [Timing("one", 1), Timing("two", 2)], 0.0)
    cores = {"one": [], "two": []}
    for line in logged(tmp_path, "time"):
        cores[line["case"]].append(line["core"])
    assert cores == {
        "one": [pair for pair in range(5) for _ in range(24 * 4)],
        "two": [None] * (5 * 24 * 4),
    }


def test_both_are_warmed_and_called_as_often(both, tmp_path):
    expected = {
        "x": (True, 1),
        "is slow in the head": (True, 1),
        "is short and is slow in the head": (True, 2),
        "is long": (True, 1),
        "is long and is slow in the head": (False, 1),
    }
    times.measure(*both, [Timing(name, 1) for name in expected], 0.0)
    found = {(line["case"], (line["warm"], line["calls"])) for line in logged(tmp_path, "time")}
    assert found == set(expected.items())


def test_paths_of_both_must_be_equally_long(tmp_path):
    with pytest.raises(ValueError, match="are not equally long"):
        times.measure(fake(tmp_path, "base"), fake(tmp_path, "longer"), [Timing("x", 1)], 0.0)


def test_arrays_of_both_begin_elsewhere_with_each_pair(both):
    moved = []
    for _ in range(8):
        with sides.workers(*both) as started:
            moved.append({worker.pages for worker in started})
            assert started[0].process.args[-1] == str(started[0].pages)
    assert {len(pages) for pages in moved} == {1}
    assert len(set.union(*moved)) > 4
    assert all(0 < pages * mmap.PAGESIZE <= 2 << 20 for pages in set.union(*moved))


@pytest.mark.parametrize(("warm", "expected"), [(True, 4), (False, 3)])
def test_a_process_calls_as_often_as_it_is_told_where_it_is_told(monkeypatch, warm, expected):
    done, cores = [], []
    monkeypatch.setitem(worker._ready, "x", lambda: done.append(1))
    monkeypatch.setattr(worker, "_stay_on", cores.append)
    assert worker._time("x", 3, warm=warm, core=7) > 0
    assert len(done) == expected
    assert cores == [7]


def test_processes_have_a_cache_of_their_own_and_nobody_elses_sources(both, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "elsewhere")
    code = "import json, os, sys; print(json.dumps([dict(os.environ), sys.path]))"
    environments, paths = zip(
        *(json.loads(side.run("-c", code).stdout) for side in both), strict=True
    )
    assert not any("elsewhere" in path for each in paths for path in each)
    for side, environment in zip(both, environments, strict=True):
        for name in ("NUMBA_CACHE_DIR", "TMPDIR"):
            assert Path(environment[name]).is_relative_to(side.folder)


def test_a_process_that_does_not_end_is_killed(both, monkeypatch):
    monkeypatch.setattr(sides, "END_S", 0.5)
    (both[1].folder / "stays").touch()
    with sides.workers(*both) as started:
        for worker in started:
            worker.do("prepare", case="x")
    assert [worker.process.returncode for worker in started] == [0, -signal.SIGKILL]


def test_an_import_that_takes_more_time_and_memory_is_worse(both, monkeypatch):
    heavy = (
        "import time; held = bytearray(b'x') * 40_000_000\nwhile time.process_time() < 0.2: pass"
    )
    (both[1].folder / "fastlogit.py").write_text(heavy)
    monkeypatch.setattr(others, "_MEMORY", {"import": "import fastlogit"})
    for order, expected in ((both, "worse"), (both[::-1], "better"), (both[:1] * 2, "same")):
        (time,) = others.importing(*order)
        (memory,) = others.memory(*order)
        assert [others.verdict(time), others.verdict(memory)] == [expected] * 2


def test_what_fails_has_no_memory_and_its_error(both, monkeypatch):
    monkeypatch.setattr(others, "_MEMORY", {"import": "import fastlogit"})
    (both[1].folder / "fastlogit.py").write_text("import no_such_module")
    for order, expected in ((both, "failed"), (both[::-1], "new")):
        (memory,) = others.memory(*order)
        assert others.verdict(memory) == expected
        assert "head: ModuleNotFoundError: No module named 'no_such_module'" in memory.error


@pytest.mark.parametrize(("least", "expected"), [(1.11, "worse"), (1.09, "inconclusive")])
def test_an_import_is_worse_by_more_than_a_tenth(least, expected):
    found = Interval(1.2, least, 1.3)
    measured = others.Measured("x", (0.4, 0.48), "s", others.IMPORT, found)
    assert others.verdict(measured) == expected


def test_compiling_that_seems_to_take_longer_is_done_once_more(both, monkeypatch):
    found = iter([[10.0, 20.0], [12.0, 11.0], [10.0, 10.0]])
    monkeypatch.setattr(others, "_compile", lambda *_: next(found))
    (measured,) = others.compile_all(*both, cases=["x"])
    assert measured.values == (10.0, 11.0)
    assert next(found) == [10.0, 10.0]


# Intervals and thresholds -----------------------------------------------------------------


def test_an_interval_is_that_of_the_median_over_pairs_of_processes():
    rng = np.random.default_rng(6)
    pairs = [rng.normal(bias, 0.01, 24) for bias in rng.normal(np.log(1.2), 0.02, 12)]
    found = interval(pairs)
    assert found.least < 1.2 < found.most
    assert found.ratio == pytest.approx(1.2, rel=0.02)
    # Rounds alone would say much more than there is to know.
    assert 0.01 < found.most - found.least < 0.1
    assert interval(pairs) == found  # again the same


def test_within_a_pair_rounds_are_resampled():
    rng = np.random.default_rng(9)
    found = interval([rng.normal(0.0, 0.1, 1000)])
    # Standard deviation of a median: by theory.
    expected = 2 * 1.96 * 0.1 * np.sqrt(np.pi / 2 / 1000)
    assert np.log(found.most / found.least) == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize(("pairs", "least"), [(5, 0.86), (8, 0.89), (12, 0.92)])
def test_intervals_cover_as_often_as_they_say(pairs, least):
    rng = np.random.default_rng(7)
    hits = 0
    for _ in range(200):
        found = interval([rng.normal(bias, 0.02, 24) for bias in rng.normal(0.0, 0.02, pairs)])
        hits += found.least <= 1.0 <= found.most
    assert least < hits / 200 < 0.99


def test_one_slow_process_is_no_alarm_and_among_many_is_nothing():
    rng = np.random.default_rng(8)
    pairs = [rng.normal(0.0, 0.01, 24) for _ in range(24)]
    pairs[3] += 1.0
    assert TIME.verdict(interval(pairs[:8]), SECONDS) == "inconclusive"
    assert TIME.verdict(interval(pairs), SECONDS) == "same"


@pytest.mark.parametrize(
    ("least", "most", "base_s", "expected"),
    [
        (1.051, 1.2, 1.0, "slower"),
        (1.049, 1.2, 1.0, "inconclusive"),
        (0.96, 1.04, 1.0, "same"),
        (0.8, 0.94, 1.0, "faster"),
        (0.8, 0.96, 1.0, "inconclusive"),
        (0.8, 1.2, 1.0, "inconclusive"),
        (1.051, 1.2, 1e-6, "inconclusive"),  # fewer than 100 ns of a microsecond
        (1.01, 1.09, 1e-6, "same"),
        (1.2, 1.3, 1e-6, "slower"),
    ],
)
def test_both_thresholds_must_be_passed(least, most, base_s, expected):
    assert TIME.verdict(Interval((least + most) / 2, least, most), base_s) == expected


def test_no_alarm_is_believed_before_twelve_pairs():
    timing = Timing("x", 1, base_s=[SECONDS], head_s=[SECONDS])
    for count in range(1, 13):
        timing.samples.append(np.full(24, np.log(1.5)))
        assert timing.is_settled == (count == 12)
    assert timing.verdict == "slower"


# What is no time --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "head", "thresholds", "expected"),
    [
        (0.57, 0.77, exactness.EXACTNESS, "worse"),  # 0.2 ULP
        (0.57, 0.60, exactness.EXACTNESS, "same"),
        (0.77, 0.57, exactness.EXACTNESS, "better"),
        (np.inf, np.inf, exactness.EXACTNESS, "same"),
        (0.57, np.inf, exactness.EXACTNESS, "worse"),
        (np.inf, 0.57, exactness.EXACTNESS, "better"),
        (300e6, 340e6, others.MEMORY, "worse"),
        (100e6, 112e6, others.MEMORY, "same"),  # more than a tenth, but only 12 MB
        (300e6, 320e6, others.MEMORY, "same"),
        (0.25, 0.28, exactness.EXACTNESS_ON_AVERAGE, "worse"),
        (0.25, 0.26, exactness.EXACTNESS_ON_AVERAGE, "same"),
        (100.0, 125.0, others.COMPILATION, "worse"),
        (100.0, 115.0, others.COMPILATION, "same"),
        (4.0, 5.5, others.COMPILATION, "same"),  # more than a fifth, but only 1.5 s
        (500e3, 530e3, others.SIZE, "worse"),
        (500e3, 515e3, others.SIZE, "same"),
    ],
)
def test_what_does_not_vary_is_compared_with_thresholds(base, head, thresholds, expected):
    measured = others.Measured("x", (base, head), "", thresholds)
    assert others.verdict(measured) == expected


class Altered:
    """A worker that computes here, and changes what comes of it."""

    def __init__(self, folder, change):
        self.side, self.change = SimpleNamespace(name="head", folder=folder), change

    def do(self, what, **given):
        assert what == "results"
        parts = cases.results(given["function"], given["n"], given["dtype"])
        np.savez(given["to"], *map(self.change, parts))


@pytest.fixture
def altered(tmp_path, monkeypatch):
    """Errors of two sides, of which the second changes its results."""

    def errors(change, name):
        both = Altered(tmp_path, lambda part: part), Altered(tmp_path, change)
        monkeypatch.setattr(exactness, "workers", lambda *_: nullcontext(both))
        return list(exactness.errors(*both, only=[name]))

    return errors


@pytest.mark.parametrize("name", [*SUMS, *PASSES, exactness.FIT])
def test_a_sum_that_is_a_little_wrong_shows_and_a_last_place_does_not(altered, name):
    """By a part of 10⁷, or by two units in the last place of float64."""
    for change, expected in ((1e-7, "worse"), (2.0**-53, "same")):
        found = altered(lambda part, change=change: part * (1 + change), name)
        assert {one.what: others.verdict(one) for one in found} == {
            f"relative error: {name}, float64": expected,
            f"relative error: {name}, float32": expected,
        }
        assert all(one.values[0] < (1e-8 if "float64" in one.what else 1e-7) for one in found)


@pytest.mark.parametrize("name", ["linear.log_loss_gradient", "log_loss"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_result_that_is_no_number_is_worse_than_any(altered, name, value):
    found = altered(lambda part: part * value, name)
    assert {others.verdict(one) for one in found} == {"worse"}
    assert all(one.values[1] == np.inf for one in found)


def test_a_pass_of_another_shape_fails_and_the_others_are_compared(altered):
    found = altered(lambda part: np.zeros(7), "linear.decision")
    assert {others.verdict(one) for one in found} == {"failed"}
    assert all("could not be broadcast" in one.error for one in found)


def test_a_function_of_another_shape_fails_and_nothing_else(altered, monkeypatch):
    monkeypatch.setattr(exactness, "_values", lambda side, _, args: side.change(expit(args[0])))
    found = altered(lambda part: part[:, None], "sigmoid")
    assert {others.verdict(one) for one in found} == {"failed"}
    assert all(": sigmoid gives results of shape" in one.error for one in found)


def test_a_loss_of_a_fifth_of_a_unit_shows_in_the_errors(monkeypatch):
    """Beside the exact result, one that is rounded after a fifth of a unit was added."""

    class Side:
        def __init__(self, loss):
            self.loss = loss

    def values(side, name, args):
        exact = exactness._points(name, np.dtype(args[0].dtype).type, False)[1]
        with np.errstate(all="ignore"):
            shift = side.loss * np.spacing(np.abs(exact).astype(args[0].dtype))
            shift[~np.isfinite(shift)] = 0.0
            return (exact + shift).astype(args[0].dtype)

    monkeypatch.setattr(exactness, "workers", lambda *sides: nullcontext(sides))
    monkeypatch.setattr(exactness, "_values", values)
    for loss, expected in ((0.0, {"same"}), (0.2, {"worse"})):
        found = list(exactness.errors(Side(0.0), Side(loss), only=["softplus"]))
        assert {others.verdict(one) for one in found if "largest" in one.what} == expected
        assert found[0].values[0] <= 0.5001


def test_a_wrong_limit_shows_in_the_errors(monkeypatch):
    def values(side, name, args):
        exact = exactness._points(name, np.dtype(args[0].dtype).type, False)[1]
        return np.where(np.isposinf(args[0]), side.limit, exact).astype(args[0].dtype)

    monkeypatch.setattr(exactness, "workers", lambda *sides: nullcontext(sides))
    monkeypatch.setattr(exactness, "_values", values)
    both = (SimpleNamespace(limit=limit) for limit in (1.0, np.nan))
    found = list(exactness.errors(*both, only=["sigmoid"]))
    assert {others.verdict(one) for one in found if "largest" in one.what} == {"worse"}
