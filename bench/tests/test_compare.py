"""`compare` and `gate` on fake sides: turns, failures, verdicts, output and exit status."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bench import compare, gate, machine
from bench.regression import exactness, figures, sides, times
from bench.regression.cases import QUICK, REFERENCES, cases, is_quick
from bench.regression.times import Timing
from bench.regression.verdicts import Thresholds
from bench.tests.fake_sides import fake, logged

ROOT = Path(__file__).parents[2]


@pytest.fixture
def both(tmp_path):
    return [fake(tmp_path, side) for side in ("base", "head")]


def status(command, *arguments):
    with pytest.raises(SystemExit) as ended:
        command.main([*map(str, arguments)])
    return ended.value.code


# Turns ------------------------------------------------------------------------------------


def test_processes_take_turns_on_one_core_and_the_first_to_start_changes(both, tmp_path):
    timings = [Timing("x", 1)]
    times.measure(*both, timings, 0.0)
    turns = "".join(line["side"][0] for line in logged(tmp_path, "time"))
    assert turns == "".join((["bhhb" * 24, "hbbh" * 24] * 3)[:5])
    cores = [line["core"] for line in logged(tmp_path, "time")]
    assert cores == [pair for pair in range(5) for _ in range(24 * 4)]
    prepared = [line["side"] for line in logged(tmp_path, "prepare")]
    assert prepared == (["base", "head", "head", "base"] * 3)[:10]


def test_both_are_warmed_and_called_equally_often(both, tmp_path):
    expected = {
        "x": (True, 1),
        "is short and is slow in the head": (True, 2),
        "is long and is slow in the head": (False, 1),
    }
    times.measure(*both, [Timing(name, 1) for name in expected], 0.0)
    found = {(line["case"], (line["warm"], line["calls"])) for line in logged(tmp_path, "time")}
    assert found == set(expected.items())


def test_what_seems_slower_is_sampled_until_it_is_sure(both, monkeypatch):
    never = SimpleNamespace(verdict=lambda *_: "inconclusive")
    monkeypatch.setattr(times, "MOST_PAIRS", 14)
    timings = [Timing(case, 1) for case in ("is slow in the head", "is slow in the base", "x")]
    timings.append(Timing("y", 1, thresholds=never))
    times.measure(*both, timings, 0.0)
    assert [timing.verdict for timing in timings[:3]] == ["slower", "faster", "same"]
    assert [len(timing.samples) for timing in timings] == [12, 12, 5, 5]
    times.measure(*both, timings[3:], 600.0)
    assert len(timings[3].samples) == 14


def test_a_case_that_fails_is_named_and_the_others_are_timed(both, monkeypatch):
    monkeypatch.setattr(sides, "PATIENCE_S", 3.0)
    expected = {
        "dies in the head": ("failed", "head: its process has ended, with status 3"),
        "hangs in the head": ("failed", "head: no answer after 3 s"),
        "fails in the head": ("failed", "head: AttributeError: gone"),
        "fails in the base": ("new", "base: AttributeError: gone"),
        "dies late in the head": ("failed", "head: its process has ended, with status 3"),
        "dies late in the base": ("new", "base: its process has ended, with status 3"),
        "is fine": ("same", ""),
    }
    timings = [Timing(case, 1) for case in expected]
    times.measure(*both, timings, 0.0)
    found = {one.what: (one.verdict, one.error) for one in (t.measured() for t in timings)}
    assert found == expected


def test_a_process_that_does_not_end_is_killed(both, monkeypatch):
    monkeypatch.setattr(sides, "END_S", 0.5)
    (both[1].folder / "stays").touch()
    with sides.workers(*both) as started:
        for worker in started:
            worker.do("prepare", case="x")
    assert [worker.process.returncode for worker in started] == [0, -signal.SIGKILL]
    assert len({worker.pages for worker in started}) == 1


def test_processes_have_their_own_cache_and_no_other_sources(both, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "elsewhere")
    code = "import json, os, sys; print(json.dumps([dict(os.environ), sys.path]))"
    for side in both:
        environment, path = json.loads(side.run("-c", code))
        assert not any("elsewhere" in entry for entry in path)
        for name in ("NUMBA_CACHE_DIR", "TMPDIR"):
            assert Path(environment[name]).is_relative_to(side.folder)
    with pytest.raises(ValueError, match="must be equally long"):
        times.measure(both[0], fake(both[0].folder, "x"), [Timing("x", 1)], 0.0)


# Figures ----------------------------------------------------------------------------------


def test_a_process_that_dies_has_no_compile_time_unless_a_second_run_gives_it(both, monkeypatch):
    both[0].cache.mkdir()
    (both[0].cache / "before").touch()
    found = figures.compilation(*both, cases=["dies in the head", "x"])
    assert (found.values, found.verdict) == ((10.0, None), "failed")
    assert found.error == "head: a process ended before its time was known"
    assert not (both[0].cache / "before").exists()
    runs = iter([[10.0, None], [12.0, 11.0]])
    monkeypatch.setattr(figures, "_compile", lambda *_: next(runs))
    found = figures.compilation(*both, cases=["x"])
    assert (found.values, found.error) == ((10.0, 11.0), "")


def test_an_import_that_takes_more_time_and_memory_is_worse(both, monkeypatch):
    heavy = (
        "import time; held = bytearray(b'x') * 40_000_000\nwhile time.process_time() < 0.1: pass"
    )
    (both[1].folder / "fastlogit.py").write_text(heavy)
    monkeypatch.setattr(figures, "_MEMORY", {"import": "import fastlogit"})
    for order, expected in ((both, "worse"), (both[::-1], "better")):
        (memory,) = figures.memory(*order)
        assert [figures.importing(*order).verdict, memory.verdict] == [expected] * 2
    (memory,) = figures.memory(*both[:1] * 2)
    assert memory.verdict == "same"
    # Other processes may make the time of an import uncertain.
    assert figures.importing(*both[:1] * 2).verdict in ("same", "inconclusive")
    (both[1].folder / "fastlogit.py").write_text("import no_such_module")
    (memory,) = figures.memory(*both)
    assert memory.verdict == "failed"
    assert "No module named 'no_such_module'" in memory.error


# Commands ---------------------------------------------------------------------------------

LISTED = {
    "base": ["fit, fine", "fit, is long", "fit, is slow in the head", "fit, gone"],
    "head": ["fit, fine", "fit, is long", "fit, is slow in the head", "fit, fresh"],
}
SHORT = ("--minutes", "0.001")


@pytest.fixture
def built(tmp_path, monkeypatch):
    """Fake sides with few processes and points, and the names they were asked for by."""
    made = {name: fake(tmp_path, name, listed) for name, listed in LISTED.items()}
    asked = []

    def build(name, folder):
        asked.append(name)
        return made["head" if name in ("head", ".") else "base"]

    monkeypatch.setattr(sides, "build", build)
    for name in ("_LEAST_IMPORTS", "_MOST_IMPORTS"):
        monkeypatch.setattr(figures, name, 2)
    monkeypatch.setattr(exactness, "_BLOCKS", 1)
    monkeypatch.setattr(figures, "IMPORT", Thresholds(9.0, 1.0))
    return asked


def verdicts(path):
    return {row["what"]: row["verdict"] for row in json.loads(path.read_text())["rows"]}


def test_everything_is_compared_and_a_failure_is_the_status(built, tmp_path, capsys):
    path = tmp_path / "out.json"
    options = ["--quick", *SHORT, "--json", path]
    assert status(compare, "base", "head", *options) == 1
    found = verdicts(path)
    errors = {what: verdict for what, verdict in found.items() if "error: " in what}
    assert len(errors) == 20
    assert all((v == "failed") == ("softplus" in what) for what, v in errors.items())
    assert {what: verdict for what, verdict in found.items() if what not in errors} == {
        "fit, gone": "missing",
        "fit, fresh": "new",
        "fit, fine": "same",
        "fit, is long": "same",
        "fit, is slow in the head": "slower",
        "compile all of it, CPU time": "same",
        "import fastlogit, CPU time": "same",
        "memory: import": "same",
        "memory: fit, 300,000 x 32": "same",
        "memory: score, Parquet, 300,000 x 32": "same",
        "wheel": "same",
    }
    content = json.loads(path.read_text())
    slower = next(row for row in content["rows"] if row["verdict"] == "slower")
    assert slower["interval"]["ratio"] == pytest.approx(2.0)
    assert (slower["base"], slower["head"], content["base"]) == (0.001, 0.002, "base")
    printed = capsys.readouterr().out
    assert "1 slower, 1 missing, 4 failed, 1 new" in printed
    assert printed.splitlines()[2].startswith("| fit, is slow in the head")
    assert " 1 ms | 2 ms | " in " ".join(printed.splitlines()[2].split())
    assert "| fit, fine" not in printed


@pytest.mark.parametrize(
    ("base", "head", "only", "expected"),
    [
        ("base", "head", "fine", 0),
        ("base", "head", "slow", 1),
        ("head", "head", "fit", 0),
        ("base", "head", "gone", 1),
        ("base", "head", "fresh", 0),
        ("base", "head", "zz", 2),
    ],
)
def test_the_status(built, base, head, only, expected):
    assert status(compare, base, head, "--only", only, *SHORT) == expected


def test_a_revision_that_does_not_exist_is_one_clear_line():
    command = [sys.executable, "-m", "bench", "compare", *["no-such-revision"] * 2]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "no-such-revision" in done.stderr


def test_the_quick_set_has_a_case_for_each_line():
    quick = [name for name in cases() if is_quick(name)]
    assert 10 <= len(quick) <= 20
    for words in QUICK:
        assert any(all(word in name for word in words) for name in quick)


# Gate -------------------------------------------------------------------------------------

# Stored times of the base; the calls that stand for the machine take a millisecond.
TIMES = {
    name: {"seconds": seconds, "ratio": seconds / 0.001}
    for name, seconds in zip(LISTED["base"], (0.001, 0.003, 0.001, 0.001), strict=True)
}


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A git repository with two commits and a stored baseline; calls git there."""
    root = tmp_path / "repository"
    root.mkdir()
    monkeypatch.setattr(sides, "ROOT", root)

    def run(*arguments):
        who = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
        done = subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)
        return done.stdout.decode().strip()

    run("init", "--quiet")
    for message in ("one", "two"):
        run("commit", "--quiet", "--allow-empty", "--message", message)
    monkeypatch.setattr(gate, "BASELINE", tmp_path / "baseline.json")
    store("0" * 40)
    return run


def store(revision, **changed):
    others = {"compile all of it, CPU time": 10.0, "wheel": 100_000}
    others |= {"memory: import": 1e9, "memory: former": 1e9}
    content = {"revision": revision, "date": "2026-01-02", "machine": machine.describe()}
    content |= {"times": TIMES, "others": others}
    gate.BASELINE.write_text(json.dumps(content | changed))


def test_the_gate_takes_the_last_tag_or_else_the_baseline(repository, monkeypatch):
    asked = []
    monkeypatch.setattr(compare, "report", lambda base, head, _: asked.append((base, head)) or 7)
    revision = repository("rev-parse", "HEAD~1")
    store(revision)
    assert status(gate) == 7
    repository("tag", "v1", "HEAD~1")
    assert status(gate, "--head", "HEAD") == 7
    assert asked == [(revision, "."), ("v1", "HEAD")]
    # The tag of the revision itself does not count, unless its sources were changed.
    repository("tag", "v2")
    status(gate)
    assert asked.pop() == ("v1", ".")
    (sides.ROOT / "new").touch()
    status(gate)
    assert asked.pop() == ("v2", ".")


def test_without_either_the_gate_takes_the_stored_figures(repository, built, tmp_path, capsys):
    path = tmp_path / "out.json"
    assert status(gate, *SHORT, "--json", path) == 1
    assert "stored on 2026-01-02" in capsys.readouterr().err
    found = {name: each for name, each in verdicts(path).items() if "softplus" not in name}
    assert {name: each for name, each in found.items() if each != "new"} == {
        "fit, gone": "missing",
        "fit, fine": "same",
        "fit, is long": "same",
        "fit, is slow in the head": "slower",
        "compile all of it, CPU time": "same",
        "wheel": "better",
        "memory: import": "better",
        "memory: former": "missing",
    }
    references = {line["case"] for line in logged(tmp_path, "time")} - {*LISTED["head"]}
    assert references == {REFERENCES[1]}


def test_a_baseline_that_cannot_be_used_is_refused(repository, built, capsys):
    store("0" * 40, machine=machine.describe() | {"cores": 4000})
    assert status(gate, "--stored") == 2
    assert "another kind of machine, cores 4000" in capsys.readouterr().err
    for text, message in (("{}", "without revision"), ("[", "Expecting value")):
        gate.BASELINE.write_text(text)
        assert status(gate, "--stored") == 2
        assert message in capsys.readouterr().err
    assert built == []


def test_renewing_measures_a_revision_and_stores_it(repository, built, monkeypatch, capsys):
    before = gate.BASELINE.read_bytes()
    assert status(gate, "--renew", "--quick") == 2  # wrong usage
    assert status(gate, "--renew", *SHORT) == 2
    assert "infinite" in capsys.readouterr().err
    assert gate.BASELINE.read_bytes() == before
    monkeypatch.setattr(exactness, "errors", lambda *_, only: [])
    gate.main(["--renew", *SHORT, "--head", "HEAD~1"])
    stored = json.loads(gate.BASELINE.read_text())
    assert built[-1] == stored["revision"] == repository("rev-parse", "HEAD~1")
    assert stored["times"] == TIMES
    assert stored["others"]["wheel"] == 1000


def test_the_baseline_has_every_case_and_figure(built, tmp_path):
    side = sides.build("head", tmp_path)
    measured = [figures.compilation(side, cases=["x"]), *compare.all_figures(side, quick=False)]
    baseline = gate._baseline()
    assert baseline["times"].keys() == cases().keys()
    assert baseline["others"].keys() == {one.what for one in measured}
    assert all(one["seconds"] > 0 and one["ratio"] > 0 for one in baseline["times"].values())


def test_stored_times_are_compared_as_ratios_to_a_reference():
    timing = Timing("x", 1, "reference", 2.0, Thresholds(0.3, 0.0), base_s=[1.0], head_s=[3.0])
    timing.samples = [np.full(8, np.log(3.0) - np.log(2.0)) for _ in range(8)]
    found = timing.measured()
    assert (found.values, found.verdict) == ((2.0, 3.0), "slower")
    assert found.ratio == pytest.approx(1.5)
