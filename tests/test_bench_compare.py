"""`python -m bench compare` and `gate` on sides that are none: what they compare, say and write."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from bench import compare, gate, machine
from bench.compare import Row
from bench.regression import exactness, noise, others, sides
from bench.regression.cases import QUICK, REFERENCES, cases, is_quick
from bench.regression.times import Timing
from bench.regression.verdicts import Interval, Thresholds
from tests.fake_sides import fake, logged

ROOT = Path(__file__).parents[1]

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
    Row("g", "same", np.inf, np.inf, "ULP"),
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
    assert lines[-1] == "7 benchmarks: 1 slower, 1 worse, 1 missing, 1 failed, 3 same."
    assert len(lines) == 7
    assert len(compare.text(ROWS, every=True).splitlines()) == 10
    assert compare.text(ROWS[:1]) == "1 benchmarks: 1 same."


def test_markdown_and_json_have_all_rows():
    lines = compare.markdown(ROWS).splitlines()
    assert lines[2] == "| b | 2 µs | 2.4 µs | 1.200 | 1.100 to 1.300 | slower |"
    assert len(lines) == 2 + len(ROWS) + 2
    content = json.loads(
        json.dumps(compare.content("HEAD", ".", [None, None], ROWS), allow_nan=False)
    )
    assert [row["what"] for row in content["rows"]] == list("abcdefg")
    assert content["rows"][-1]["base"] == "inf"
    assert content["rows"][1]["interval"] == {"ratio": 1.2, "least": 1.1, "most": 1.3}
    assert content["machine"]["processor"]


def test_a_revision_that_is_not_there_is_one_clear_line():
    command = [sys.executable, "-m", "bench", "compare", *["no-such-revision"] * 2]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "no-such-revision" in done.stderr


# Commands ---------------------------------------------------------------------------------

LISTED = {
    "base": ["fit, fine", "fit, is long", "fit, is slow in the head", "fit, gone"],
    "head": ["fit, fine", "fit, is long", "fit, is slow in the head", "fit, fresh"],
}


@pytest.fixture
def built(tmp_path, monkeypatch):
    """Sides that are none, by the names they are asked for as: of few processes and points."""
    made = {name: fake(tmp_path, name, listed) for name, listed in LISTED.items()}
    asked = []

    def build(name, folder):
        asked.append(name)
        return made["head" if name in ("head", ".") else "base"]

    monkeypatch.setattr(sides, "build", build)
    for name in ("_LEAST_IMPORTS", "_MOST_IMPORTS"):
        monkeypatch.setattr(others, name, 2)
    monkeypatch.setattr(exactness, "_CHUNKS", 1)
    monkeypatch.setattr(others, "IMPORT", Thresholds(9.0, 1.0))
    return asked


def status(command, *arguments):
    with pytest.raises(SystemExit) as ended:
        command.main([*map(str, arguments)])
    return ended.value.code


def verdicts(path):
    rows = json.loads(path.read_text())["rows"]
    return {row["what"]: row["verdict"] for row in rows}


def test_everything_is_compared_and_what_is_worse_is_the_status(built, tmp_path, capsys):
    path = tmp_path / "out.json"
    options = ["--quick", "--minutes", "0.001", "--json", path, "--markdown", tmp_path / "out.md"]
    assert status(compare, "base", "head", *options) == 1
    errors = {
        f"{kind} error: {name}, {dtype}": "failed" if "softplus" in name else "same"
        for kind in ("largest", "mean")
        for name in (
            "sigmoid",
            "softplus",
            "logistic_loss, hard labels",
            "logistic_loss, soft labels",
        )
        for dtype in ("float64", "float32")
    }
    errors |= {
        f"relative error: {name}, {dtype}": "same"
        for name in ("linear.log_loss_gradient", "fit")
        for dtype in ("float64", "float32")
    }
    assert verdicts(path) == errors | {
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
    assert (slower["base"], slower["head"]) == (0.001, 0.002)
    assert (content["base"], content["head"]) == ("base", "head")
    printed = capsys.readouterr().out
    assert "1 slower, 1 missing, 4 failed, 1 new" in printed
    assert "`base` against `head`" in (tmp_path / "out.md").read_text()


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
    assert status(compare, base, head, "--only", only, "--minutes", "0.001") == expected


def test_what_cannot_be_written_at_the_end_is_no_loss_of_speed(built, capsys):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("has no full device")
    options = ["--only", "fine", "--minutes", "0.001", "--json", full]
    assert status(compare, "base", "base", *options) == 2
    assert "No space left on device" in capsys.readouterr().err


def test_a_quick_set_without_a_word_is_said_to_be_one(built, capsys):
    assert status(compare, "base", "base", "--quick", "--only", "zz") == 2
    assert "no benchmark of the quick set with zz in its name" in capsys.readouterr().err


def test_what_was_compared_can_be_found_again(tmp_path):
    wheel = tmp_path / "x.whl"
    wheel.write_bytes(b"x")
    hashed = "sha256 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    said = machine.revision().get("revision")
    assert [sides.revision_of(name) for name in (".", str(wheel))] == [said, hashed]


def test_what_was_compared_is_known_from_the_beginning(built, tmp_path, monkeypatch):
    """A branch may have moved on when all is measured."""
    monkeypatch.setattr(sides, "revision_of", lambda name: f"{name}, {len(built)} built")
    path = tmp_path / "x.json"
    status(compare, "base", "head", "--only", "fine", "--minutes", "0.001", "--json", path)
    assert json.loads(path.read_text())["revisions"] == ["base, 0 built", "head, 0 built"]


def test_a_fault_of_its_own_is_no_loss_of_speed():
    code = (
        "import runpy, sys; from bench import compare; del compare.report;"
        "sys.argv = ['bench', 'compare', 'HEAD', 'HEAD'];"
        "runpy.run_module('bench', run_name='__main__')"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "NameError" in done.stderr


@pytest.mark.parametrize(
    ("options", "expected"),
    [((), 6.0), (("--quick",), 1.2), (("--quick", "--minutes", "3"), 3.0)],
)
def test_turns_are_taken_as_long_as_is_said(built, monkeypatch, options, expected):
    given = []
    monkeypatch.setattr(compare, "take_turns", lambda *args: given.append(args[-1]))
    monkeypatch.setattr(compare, "row_of_time", lambda timing: compare.Row(timing.case, "same"))
    assert status(compare, "base", "base", "--only", "fit", *options) == 0
    assert given == [expected]


def test_without_git_that_is_said(monkeypatch, capsys):
    def run(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr(sides.subprocess, "run", run)
    assert status(compare, "HEAD", "HEAD") == 2
    said = capsys.readouterr().err
    assert "git is not installed" in said
    assert "Traceback" not in said


@pytest.mark.skipif(sys.platform == "win32", reason="has no signals of this kind")
@pytest.mark.parametrize(("name", "expected"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_ends_it_and_leaves_nothing(name, expected, tmp_path):
    """While it waits for a build that takes long."""
    program = tmp_path / "git"
    program.write_text('#!/bin/sh\ntouch "$TMPDIR/begun"\nexec sleep 300\n')
    program.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "bench", "compare", "HEAD", "HEAD"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True, process_group=0
    )
    try:
        while not (tmp_path / "begun").exists():
            assert process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, getattr(signal, name))
        said = process.communicate(timeout=60)[1]
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == expected
    assert "Traceback" not in said
    assert not list(tmp_path.glob("fastlogit-*"))


# Gate -------------------------------------------------------------------------------------

# Of the base; what stands for the machine takes a millisecond.
TIMES = {
    name: {"seconds": seconds, "ratio": seconds / 0.001}
    for name, seconds in zip(LISTED["base"], (0.001, 0.003, 0.001, 0.001), strict=True)
}


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository of git with two commits and a stored baseline; and what git says there."""
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
    content = {"revision": revision, "date": "2026-01-02", "machine": machine.brief()}
    content |= {"times": TIMES, "others": others}
    gate.BASELINE.write_text(json.dumps(content | changed))


def test_the_gate_takes_the_last_tag_or_else_the_baseline(repository, monkeypatch):
    asked = []

    def report(base, head, options):
        asked.append((base, head))
        return 7

    monkeypatch.setattr(compare, "report", report)
    revision = repository("rev-parse", "HEAD~1")
    store(revision)
    assert status(gate) == 7
    repository("tag", "v1", "HEAD~1")
    assert status(gate, "--head", "HEAD") == 7
    assert asked == [(revision, "."), ("v1", "HEAD")]
    # The last tag before what is measured, and not its own but where it was changed.
    repository("tag", "v2")
    for head in (".", "HEAD", "x.whl"):
        assert status(gate, "--head", head) == 7
        assert asked.pop() == ("v1", head)
    (sides.ROOT / "new").touch()
    assert status(gate) == 7
    assert asked.pop() == ("v2", ".")
    assert status(gate, "--head", "HEAD~1") == 7
    assert asked.pop() == (revision, "HEAD~1")


def test_the_gate_takes_what_is_stored_if_that_is_asked_for(repository, built, capsys):
    repository("tag", "v1", "HEAD~1")
    assert status(gate, "--stored", "--only", "fine", "--minutes", "0.001") == 0
    assert "against what was stored" in capsys.readouterr().err


def test_without_either_the_gate_takes_what_is_stored(repository, built, tmp_path, capsys):
    path = tmp_path / "out.json"
    assert status(gate, "--minutes", "0.001", "--json", path) == 1
    assert "against what was stored of 0000" in capsys.readouterr().err
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
    assert found["fit, fresh"] == found["import fastlogit, CPU time"] == "new"
    references = {line["case"] for line in logged(tmp_path, "time")} - {*LISTED["head"]}
    assert references == {REFERENCES[1]}
    assert status(gate, "--stored", "--only", "fine", "--minutes", "0.001") == 0


PART = '{"revision": "", "date": "", "others": {}, "machine": %s, "times": %s}'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        ("[", "Expecting value"),
        ("[]", "list instead of an object"),
        ('{"revision": 7, "date": "", "times": {}}', "without revision, machine, others"),
        (PART % ("{}", "{}"), "without processor, cores, python, versions"),
        (PART % (json.dumps(machine.brief()), '{"x": {}}'), "without ratio"),
        (PART % (json.dumps(machine.brief()), '{"x": 1}'), "int instead of an object"),
        (PART % (json.dumps(machine.brief()), '{"x": {"ratio": 0}}'), "the ratio of x is 0"),
        (
            (PART % (json.dumps(machine.brief()), "{}")).replace("{}", '{"wheel": "x"}', 1),
            "without wheel",
        ),
    ],
)
def test_without_a_baseline_only_a_tag_will_do(
    repository, built, monkeypatch, capsys, content, message
):
    gate.BASELINE.unlink()
    if content is not None:
        gate.BASELINE.write_text(content)
    assert status(gate) == 2
    assert f"baseline.json: {message}" in capsys.readouterr().err
    repository("tag", "v1", "HEAD~1")
    monkeypatch.setattr(compare, "report", lambda base, *_: base)
    assert status(gate) == "v1"


def test_what_stands_for_the_machine_cannot_be_new(repository, built, monkeypatch):
    monkeypatch.setattr(gate, "REFERENCES", {1: "fails in the head"})
    assert status(gate, "--stored", "--only", "fine", "--minutes", "0.001") == 1


def test_a_baseline_of_another_machine_is_refused(repository, built, capsys):
    store("0" * 40, machine=machine.brief() | {"cores": 4000})
    assert status(gate, "--stored") == 2
    assert "another kind of machine, cores 4000; this has" in capsys.readouterr().err
    assert built == []


def test_other_versions_are_told(repository, built, capsys):
    here = machine.brief()
    store("0" * 40, machine=here | {"versions": here["versions"] | {"numpy": "1.0"}})
    status(gate, "--stored", "--only", "fine", "--minutes", "0.001")
    assert f"numpy was 1.0, is {np.__version__}" in capsys.readouterr().err


def test_renewing_measures_a_revision_and_stores_which(repository, built, monkeypatch, capsys):
    before = gate.BASELINE.read_bytes()
    assert status(gate, "--renew", "--minutes", "0.001") == 2
    assert "largest error: logit, float64: infinite" in capsys.readouterr().err
    assert gate.BASELINE.read_bytes() == before
    built.clear()
    monkeypatch.setattr(exactness, "errors", lambda *_, only: [])
    gate.main(["--renew", "--minutes", "0.001", "--head", "HEAD~1"])
    stored = json.loads(gate.BASELINE.read_text())
    assert built == [stored["revision"]] == [repository("rev-parse", "HEAD~1")]
    assert stored["times"] == TIMES
    assert stored["others"]["wheel"] == 1000
    gate.main(["--renew", "--minutes", "0.001"])
    assert json.loads(gate.BASELINE.read_text())["revision"] == repository("rev-parse", "HEAD")


@pytest.mark.parametrize(
    "option",
    ["--quick", "--stored", "--only fit", "--head nowhere", "--all", "--json x", "--markdown x"],
)
def test_renewing_part_of_it_is_wrong_usage(repository, built, option):
    before = gate.BASELINE.read_bytes()
    assert status(gate, "--renew", *option.split()) == 2
    assert built == []
    assert gate.BASELINE.read_bytes() == before


def test_the_baseline_has_every_benchmark_and_says_of_what_it_is():
    baseline = json.loads(gate.BASELINE.read_text())
    assert gate.BASELINE.stat().st_size < 50_000
    assert baseline.keys() == {"revision", "date", "machine", "times", "others"}
    assert baseline["times"].keys() == cases().keys()
    assert all(one["seconds"] > 0 and one["ratio"] > 0 for one in baseline["times"].values())


def test_the_baseline_has_whatever_else_is_measured(built, tmp_path):
    side = sides.build("head", tmp_path)
    measured = [*others.compile_all(side, cases=["x"]), *compare.the_rest(side, quick=False)]
    baseline = json.loads(gate.BASELINE.read_text())
    assert baseline["others"].keys() == {one.what for one in measured}
    assert all(value >= 0 for value in baseline["others"].values())


def test_stored_times_are_compared_as_ratios_to_a_reference():
    timing = Timing("x", 1, "reference", 2.0, Thresholds(0.3, 0.0), base_s=[1.0], head_s=[3.0])
    timing.samples = [np.full(8, np.log(3.0) - np.log(2.0)) for _ in range(8)]
    row = compare.row_of_time(timing)
    assert (row.base, row.head, row.verdict) == (2.0, 3.0, "slower")
    assert row.ratio == pytest.approx(1.5)
