"""Verdicts on two revisions: statistics, thresholds, and errors that must be seen."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest

from bench.registry import PASSES, SUMS
from bench.regression import cases, exactness, figures
from bench.regression.times import MOST_PAIRS, Timing
from bench.regression.verdicts import TIME, Interval, Measured, interval

SECONDS = 1e-3
# Standard deviations between pairs of processes and within them, as two builds of one revision
# had them on a virtual machine with two cores: quiet, and with one core busy.
QUIET = {
    "sigmoid, float64, 4,096": (0.005, 0.017),
    "logistic_loss, float64, 4,096": (0.012, 0.015),
    "sigmoid, float64, 4,000,000": (0.009, 0.033),
    "linear.log_loss_gradient, rows, float64, 300,000": (0.038, 0.032),
    "fit, 1,000 x 32": (0.013, 0.040),
}
LOADED = QUIET | {
    "sigmoid, float64, 4,000,000": (0.073, 0.35),
    "linear.log_loss_gradient, rows, float64, 300,000": (0.1, 0.34),
}


def sampled(noise, rng, slower=1.0):
    """A timing that is sampled until it is settled; now and then a process is slow alone."""
    between, within = noise
    timing = Timing("x", 1, base_s=[SECONDS], head_s=[SECONDS])
    while not timing.is_settled and len(timing.samples) < MOST_PAIRS:
        bias = rng.normal(np.log(slower), between)
        bias += (rng.random() < 0.02) * rng.choice([-0.3, 0.3])
        timing.samples.append(bias + within * rng.standard_t(4, 24) / np.sqrt(2))
    return timing.verdict


@pytest.mark.parametrize("noise", dict.fromkeys([*QUIET.values(), *LOADED.values()]))
def test_a_revision_against_itself_raises_no_alarm(noise):
    rng = np.random.default_rng(1)
    found = [sampled(noise, rng) for _ in range(20)]
    alarms = found.count("slower") + found.count("faster")
    if noise in QUIET.values():
        assert alarms == 0
        assert found.count("same") >= 18
    assert alarms <= 1


@pytest.mark.parametrize(("change", "expected"), [(1.1, "slower"), (1 / 1.1, "faster")])
def test_a_change_of_a_tenth_is_found(change, expected):
    rng = np.random.default_rng(3)
    for noise in QUIET.values():
        found = [sampled(noise, rng, change) for _ in range(10)]
        assert found.count(expected) >= 9
        assert "same" not in found


def test_a_planted_slow_down_is_found_and_nothing_else():
    rng = np.random.default_rng(5)
    planted = "logistic_loss, float64, 4,096"
    for state in (QUIET, LOADED):
        for _ in range(3):
            found = {
                case: sampled(noise, rng, 1.1 if case == planted else 1.0)
                for case, noise in state.items()
            }
            assert [case for case, verdict in found.items() if verdict == "slower"] == [planted]


def test_an_interval_is_that_of_the_median_over_pairs_of_processes():
    rng = np.random.default_rng(6)
    pairs = [rng.normal(bias, 0.01, 24) for bias in rng.normal(np.log(1.2), 0.02, 12)]
    found = interval(pairs)
    assert found.least < 1.2 < found.most
    assert found.ratio == pytest.approx(1.2, rel=0.02)
    assert 0.01 < found.most - found.least < 0.1  # the rounds alone would make it far shorter
    assert interval(pairs) == found
    # Within a pair, the standard deviation of a median is known.
    found = interval([rng.normal(0.0, 0.1, 1000)])
    expected = 2 * 1.96 * 0.1 * np.sqrt(np.pi / 2 / 1000)
    assert np.log(found.most / found.least) == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize(("pairs", "least"), [(5, 0.86), (8, 0.89), (12, 0.92)])
def test_intervals_cover_as_often_as_they_say(pairs, least):
    rng = np.random.default_rng(7)
    hits = 0
    for _ in range(100):
        found = interval([rng.normal(bias, 0.02, 24) for bias in rng.normal(0.0, 0.02, pairs)])
        hits += found.least <= 1.0 <= found.most
    assert least < hits / 100 < 0.99


@pytest.mark.parametrize(
    ("least", "most", "base_s", "expected"),
    [
        (1.051, 1.2, 1.0, "slower"),
        (1.049, 1.2, 1.0, "inconclusive"),
        (0.96, 1.04, 1.0, "same"),
        (0.8, 0.94, 1.0, "faster"),
        (0.8, 0.96, 1.0, "inconclusive"),
        (1.051, 1.2, 1e-6, "inconclusive"),  # less than 100 ns
        (1.01, 1.09, 1e-6, "same"),
        (1.2, 1.3, 1e-6, "slower"),
    ],
)
def test_both_thresholds_must_be_exceeded(least, most, base_s, expected):
    assert TIME.verdict(Interval((least + most) / 2, least, most), base_s) == expected


def test_no_alarm_is_believed_before_twelve_pairs():
    timing = Timing("x", 1, base_s=[SECONDS], head_s=[SECONDS])
    for count in range(1, 13):
        timing.samples.append(np.full(24, np.log(1.5)))
        assert timing.is_settled == (count == 12)
    assert timing.verdict == "slower"


@pytest.mark.parametrize(
    ("base", "head", "thresholds", "expected"),
    [
        (0.57, 0.77, exactness.EXACTNESS, "worse"),  # 0.2 ULP
        (0.57, 0.60, exactness.EXACTNESS, "same"),
        (0.77, 0.57, exactness.EXACTNESS, "better"),
        (np.inf, np.inf, exactness.EXACTNESS, "same"),
        (0.57, np.inf, exactness.EXACTNESS, "worse"),
        (np.inf, 0.57, exactness.EXACTNESS, "better"),
        (300e6, 340e6, figures.MEMORY, "worse"),
        (100e6, 112e6, figures.MEMORY, "same"),  # more than a tenth, but only 12 MB
        (0.25, 0.28, exactness.MEAN_EXACTNESS, "worse"),
        (100.0, 125.0, figures.COMPILATION, "worse"),
        (4.0, 5.5, figures.COMPILATION, "same"),  # more than a fifth, but only 1.5 s
        (500e3, 530e3, figures.SIZE, "worse"),
        (None, 1.0, figures.SIZE, "new"),
        (1.0, None, figures.SIZE, "failed"),
    ],
)
def test_figures_are_compared_with_thresholds(base, head, thresholds, expected):
    assert Measured("x", (base, head), "", thresholds).verdict == expected


# Exactness --------------------------------------------------------------------------------


class Altered:
    """A worker that computes here, and changes the results."""

    def __init__(self, folder, change):
        self.side, self.change = SimpleNamespace(name="head", folder=folder), change

    def do(self, what, **given):
        assert what == "results"
        parts = cases.results(given["function"], given["n"], given["dtype"])
        np.savez(given["to"], *map(self.change, parts))


@pytest.fixture
def altered(tmp_path, monkeypatch):
    """Errors of two sides; the second one changes its results."""

    def errors(change, name):
        both = Altered(tmp_path, lambda part: part), Altered(tmp_path, change)
        monkeypatch.setattr(exactness, "workers", lambda *_: nullcontext(both))
        return list(exactness.errors(*both, only=[name]))

    return errors


@pytest.mark.parametrize("name", [*SUMS, *PASSES, exactness.FIT])
def test_an_error_of_a_sum_is_seen_and_a_last_place_is_not(altered, name):
    for change, expected in ((1e-7, "worse"), (2.0**-53, "same")):
        found = altered(lambda part, change=change: part * (1 + change), name)
        assert [one.verdict for one in found] == [expected, expected]
        assert all(one.values[0] < (1e-8 if "float64" in one.what else 1e-7) for one in found)
    assert {one.verdict for one in altered(lambda part: part * np.nan, name)} == {"worse"}
    assert {one.verdict for one in altered(lambda _: np.zeros((3, 5)), name)} <= {"failed", "worse"}


def test_a_loss_of_a_fifth_of_a_unit_and_a_wrong_limit_are_seen(monkeypatch):
    def values(side, name, args):
        exact = exactness.points(name, np.dtype(args[0].dtype).type, False)[1]
        with np.errstate(all="ignore"):
            shift = side.loss * np.spacing(np.abs(exact).astype(args[0].dtype))
            shift[~np.isfinite(shift)] = 0.0
            found = (exact + shift).astype(args[0].dtype)
        return np.where(np.isposinf(args[0]), side.limit, found).astype(args[0].dtype)

    monkeypatch.setattr(exactness, "workers", lambda *sides: nullcontext(sides))
    monkeypatch.setattr(exactness, "_values", values)
    good = SimpleNamespace(loss=0.0, limit=np.inf)
    for loss, limit, expected in ((0.0, np.inf, "same"), (0.2, np.inf, "worse"), (0.0, 1, "worse")):
        bad = SimpleNamespace(loss=loss, limit=limit)
        found = list(exactness.errors(good, bad, only=["softplus"]))
        assert {one.verdict for one in found if "largest" in one.what} == {expected}
        assert found[0].values[0] <= 0.5001
