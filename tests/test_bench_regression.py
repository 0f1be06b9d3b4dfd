"""The verdicts of `python -m bench compare`, on noise that was recorded; no speed is measured."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench import compare, gate
from bench.compare import Row
from bench.regression import noise, others, sides, times
from bench.regression.cases import QUICK, cases, is_quick
from bench.regression.times import MOST_PAIRS, Timing
from bench.regression.verdicts import TIME, Interval, Thresholds, interval

ROOT = Path(__file__).parents[1]
RECORDED = noise.load()
STATES = list(RECORDED)
SECONDS = 1e-3


def sampled(state, case, rng, slower=1.0, most=MOST_PAIRS):
    """A timing that is sampled until it is settled, of pairs that are drawn from what was recorded.

    Either side may be the one that was called the base, so that signs are drawn as well.
    """
    timing = Timing(case, 1, base_s=[SECONDS], head_s=[SECONDS])
    pool = RECORDED[state][case]
    while not timing.is_settled and len(timing.samples) < most:
        sign = rng.choice([-1.0, 1.0])
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

# Stands for bench.regression.worker: what it does goes by the names of the case and of the side.
WORKER = """
import json, os, sys, time
side = os.path.basename(os.getcwd())
for line in sys.stdin:
    request = json.loads(line)
    case = request.get("case", request.get("function", ""))
    answer = {"result": 0.001}
    if case == f"dies in the {side}":
        os._exit(3)
    if case == f"hangs in the {side}":
        time.sleep(60)
    if case == f"fails in the {side}" or (case == "softplus" and side == "head"):
        answer = {"error": "AttributeError: gone"}
    elif case == f"is slow in the {side}" and request["do"] == "time":
        answer = {"result": 0.002}
    elif "to" in request:
        import numpy as np
        np.save(request["to"], np.logaddexp(0.0, np.load(request["arguments"])[0]))
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def both(tmp_path):
    """Two sides."""
    for side in ("base", "head"):
        package = tmp_path / side / "bench" / "regression"
        package.mkdir(parents=True)
        for path in (package.parent / "__init__.py", package / "__init__.py"):
            path.touch()
        (package / "worker.py").write_text(WORKER)
    wheel = tmp_path / "x.whl"
    return [
        sides.Side(side, wheel, Path(sys.executable), tmp_path / side) for side in ("base", "head")
    ]


def test_a_case_that_fails_is_named_and_the_others_are_timed(both, monkeypatch):
    monkeypatch.setattr(sides, "PATIENCE_S", 3.0)
    expected = {
        "dies in the head": ("failed", "head: its process has ended, with status 3"),
        "hangs in the head": ("failed", "head: no answer after 3 s"),
        "fails in the head": ("failed", "head: AttributeError: gone"),
        "fails in the base": ("new", "base: AttributeError: gone"),
        "dies in the base": ("new", "base: its process has ended, with status 3"),
        "is fine": ("same", ""),
    }
    timings = [Timing(case, 1) for case in expected]
    times.measure(*both, timings, 0.0)
    rows = [compare.row_of_time(timing) for timing in timings]
    assert {row.what: (row.verdict, row.error) for row in rows} == expected


def test_compiling_goes_on_where_a_case_fails(both):
    (found,) = others.compile_all(*both, cases=["fails in the head", "dies in the head", "x"])
    assert found.values == (0.001, 0.001)


def test_what_seems_slower_is_sampled_until_that_is_sure_whatever_the_time(both):
    timings = [Timing(case, 1) for case in ("is slow in the head", "is slow in the base", "x")]
    times.measure(*both, timings, 0.0)
    assert [timing.verdict for timing in timings] == ["slower", "faster", "same"]
    assert [len(timing.samples) for timing in timings] == [8, 8, 5]


def test_a_function_that_is_gone_fails_and_a_new_one_does_not(both, monkeypatch):
    monkeypatch.setattr(others, "_CHUNKS", 1)
    rows = [compare.row(one) for one in others.exactness(*both, only=["softplus"])]
    assert {row.verdict for row in rows} == {"failed"}
    assert {row.error for row in rows} == {"head: AttributeError: gone"}
    assert all(row.base is not None and row.head is None for row in rows)
    rows = [compare.row(one) for one in others.exactness(*both[::-1], only=["softplus"])]
    assert {row.verdict for row in rows} == {"new"}
    assert "head: AttributeError: gone" in compare.text(rows)


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


def test_intervals_cover_as_often_as_they_say():
    rng = np.random.default_rng(7)
    hits = 0
    for _ in range(100):
        found = interval([rng.normal(bias, 0.02, 24) for bias in rng.normal(0.0, 0.02, 8)])
        hits += found.least <= 1.0 <= found.most
    assert hits >= 85


def test_one_slow_process_is_no_alarm_and_among_many_is_nothing():
    rng = np.random.default_rng(8)
    pairs = [rng.normal(0.0, 0.01, 24) for _ in range(MOST_PAIRS)]
    pairs[3] += 0.4
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


def test_no_alarm_is_believed_before_eight_pairs():
    timing = Timing("x", 1, base_s=[SECONDS], head_s=[SECONDS])
    for count in range(1, 9):
        timing.samples.append(np.full(24, np.log(1.5)))
        assert timing.is_settled == (count == 8)
    assert timing.verdict == "slower"


# What is no time --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "head", "thresholds", "expected"),
    [
        (0.57, 0.77, others.EXACTNESS, "worse"),  # 0.2 ULP
        (0.57, 0.60, others.EXACTNESS, "same"),
        (0.77, 0.57, others.EXACTNESS, "better"),
        (np.inf, np.inf, others.EXACTNESS, "same"),
        (0.57, np.inf, others.EXACTNESS, "worse"),
        (300e6, 340e6, others.MEMORY, "worse"),
        (100e6, 112e6, others.MEMORY, "same"),  # more than a tenth, but only 12 MB
        (300e6, 320e6, others.MEMORY, "same"),
    ],
)
def test_what_does_not_vary_is_compared_with_thresholds(base, head, thresholds, expected):
    measured = others.Measured("x", (base, head), "", thresholds)
    assert others.verdict(measured) == expected


def test_a_loss_of_a_fifth_of_a_unit_shows_in_the_errors(monkeypatch):
    """Beside the exact result, one that is rounded after a fifth of a unit was added."""

    class Side:
        def __init__(self, loss):
            self.loss = loss

    def values(side, name, args):
        exact = others._points(name, np.dtype(args[0].dtype).type, False)[1]
        with np.errstate(all="ignore"):
            shift = side.loss * np.spacing(np.abs(exact).astype(args[0].dtype))
            shift[~np.isfinite(shift)] = 0.0
            return (exact + shift).astype(args[0].dtype)

    class Both:
        def __init__(self, *sides):
            self.sides = sides

        def __enter__(self):
            return self.sides

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(others, "workers", Both)
    monkeypatch.setattr(others, "_values", values)
    for loss, expected in ((0.0, {"same"}), (0.2, {"worse"})):
        found = list(others.exactness(Side(0.0), Side(loss), only=["softplus"]))
        assert {others.verdict(one) for one in found if "largest" in one.what} == expected
        assert found[0].values[0] <= 0.5001


# Benchmarks of both sides -----------------------------------------------------------------


def test_a_benchmark_that_disappears_fails_and_a_new_one_does_not():
    base, head = {"a, 1": 1, "b, 1": 2, "c": 1}, {"b, 1": 2, "c": 1, "d, 1": 1}
    assert compare.matched(base, head, False, ()) == (
        {"b, 1": 2, "c": 1},
        {"a, 1": "missing", "d, 1": "new"},
    )
    assert compare.matched(base, head, False, ["b"]) == ({"b, 1": 2}, {})
    with pytest.raises(sides.SideError, match="no benchmark with b and zz in its name"):
        compare.matched(base, head, False, ["b", "zz"])
    assert "missing" in compare.FAILING
    assert "new" not in compare.FAILING


def test_the_quick_set_has_something_of_each_of_its_words():
    names = cases().keys()
    quick = [name for name in names if is_quick(name)]
    assert 10 <= len(quick) <= 20
    for words in QUICK:
        assert any(all(word in name for word in words) for name in quick)
    assert noise.CASES.keys() <= names


# Output -----------------------------------------------------------------------------------

ROWS = [
    Row("a", "same", 1e-3, 1.01e-3, "s", Interval(1.01, 0.99, 1.02), 5),
    Row("b", "slower", 2e-6, 2.4e-6, "s", Interval(1.2, 1.1, 1.3), 8),
    Row("c", "missing"),
    Row("d", "failed", error="AttributeError: no d"),
    Row("e", "same", 0.5, 0.5, "ULP"),
    Row("f", "worse", 3e8, 4e8, "B"),
]


def test_what_is_worse_comes_first_and_what_is_the_same_is_counted():
    lines = compare.text(ROWS).splitlines()
    assert lines[0].split("  ")[0] == "benchmark"
    assert [line.split()[0] for line in lines[1:5]] == ["b", "f", "c", "d"]
    assert re.split(" {2,}", lines[1].strip()) == [
        "b",
        "2 µs",
        "2.4 µs",
        "1.200",
        "1.100 to 1.300",
        "slower",
    ]
    assert lines[-1] == "6 benchmarks: 1 slower, 1 worse, 1 missing, 1 failed, 2 same."
    assert len(lines) == 7
    assert len(compare.text(ROWS, every=True).splitlines()) == 9
    assert compare.text(ROWS[:1]) == "1 benchmarks: 1 same."


def test_markdown_and_json_have_all_rows():
    lines = compare.markdown(ROWS).splitlines()
    assert lines[2] == "| b | 2 µs | 2.4 µs | 1.200 | 1.100 to 1.300 | slower |"
    assert len(lines) == 2 + len(ROWS) + 2
    content = json.loads(json.dumps(compare.content("HEAD", ".", ROWS)))
    assert [row["what"] for row in content["rows"]] == list("abcdef")
    assert content["rows"][1]["interval"] == {"ratio": 1.2, "least": 1.1, "most": 1.3}
    assert content["machine"]["processor"]


def test_a_revision_that_is_not_there_is_one_clear_line():
    command = [sys.executable, "-m", "bench", "compare", *["no-such-revision"] * 2]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "no-such-revision" in done.stderr


# Gate -------------------------------------------------------------------------------------


def test_the_baseline_has_every_benchmark_and_says_of_what_it_is():
    baseline = json.loads(gate.BASELINE.read_text())
    assert gate.BASELINE.stat().st_size < 50_000
    assert baseline.keys() == {"revision", "date", "machine", "times", "others"}
    assert noise.CASES.keys() <= baseline["times"].keys()
    assert all(one["seconds"] > 0 and one["ratio"] > 0 for one in baseline["times"].values())
    assert any("ULP" not in name and "memory" in name for name in baseline["others"])


def test_a_baseline_of_another_machine_is_refused():
    here = {"processor": "this", "cores": 2}
    gate._must_be_alike(here, dict(here))
    with pytest.raises(sides.SideError, match=r"another kind of machine, cores 4; this has 2"):
        gate._must_be_alike(here | {"cores": 4}, here)


def test_stored_times_are_compared_as_ratios_to_a_reference():
    timing = Timing("x", 1, "reference", 2.0, Thresholds(0.3, 0.0), base_s=[1.0], head_s=[3.0])
    timing.samples = [np.full(8, np.log(3.0) - np.log(2.0)) for _ in range(8)]
    row = compare.row_of_time(timing)
    assert (row.base, row.head, row.verdict) == (2.0, 3.0, "slower")
    assert row.ratio == pytest.approx(1.5)
