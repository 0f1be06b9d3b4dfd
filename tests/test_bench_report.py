"""What is made of measurements: tables that hide no loss, pictures, bounds and counts."""

import json
import os
import re
import sys
from contextlib import suppress
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest

from bench import (
    commands,
    counts,
    pictures,
    readme,
    report,
    reproduce,
    results,
    roofline,
    timings,
)

KEYS = ("function", "implementation", "dtype", "n", "elements", "bytes", "threads")
SIZES = (4_096, 65_536, 1 << 23)
# Nanoseconds of an element: logit is slower than PyTorch's in the caches.
TIMES = {
    ("sigmoid", "fastlogit", 1): (3.0, 2.0, 2.0),
    ("sigmoid", "fastlogit", 2): (3.0, 1.0, 1.25),
    ("sigmoid", "scipy", 1): (6.0, None, 5.0),
    ("sigmoid", "torch", 1): (4.0, None, 2.5),
    ("sigmoid", "torch", 2): (4.0, None, 1.5),
    ("logit", "fastlogit", 1): (4.0, 4.0, 4.0),
    ("logit", "torch", 1): (2.0, None, 6.0),
}


def _benchmark(seconds, **info):
    return {"extra_info": info, "stats": {"median": seconds}}


@pytest.fixture
def stored(tmp_path):
    benchmarks = [
        _benchmark(
            time * n * 1e-9,
            **dict(zip(KEYS, (name, peer, "float64", n, n, 16 * n, threads), strict=True)),
        )
        for (name, peer, threads), times in TIMES.items()
        for n, time in zip(SIZES, times, strict=True)
        if time is not None
    ]
    for threads in (1, 2):
        for size, rate in ((1 << 16, 100e9), (1 << 28, 10e9 * threads)):
            for kind in ("copy", "read"):
                info = {"stream": kind, "size": size, "bytes": 3 * size, "threads": threads}
                benchmarks.append(_benchmark(3 * size / rate, **info))
    benchmarks += [
        _benchmark(4.5, function="sigmoid", implementation="fastlogit", cache="cold"),
        _benchmark(0.078, function="sigmoid", implementation="fastlogit", cache="cached"),
    ]
    machine = {
        "processor": "A processor",
        "cores": 2,
        "python": "CPython 3.12",
        "caches": {"L1": 1 << 15, "L2": 1 << 19, "L3": 1 << 25},
        "versions": {"numpy": "2.0"},
    }
    path = tmp_path / "run.json"
    run = {"machine_info": machine, "datetime": "2026-01-02T03:04:05", "benchmarks": benchmarks}
    path.write_text(json.dumps(run))
    return path


@pytest.fixture
def run(stored):
    return timings.load(stored)


EXPECTED = """\
A processor, 2 cores, CPython 3.12, numpy 2.0; 2026-01-02.

How many times as fast fastlogit is (▼: slower), and nanoseconds of an element: a logit, or \
one of X.

fastlogit is the fastest in 5 of 6 cases; compared with one other at a time it is faster in \
9 of 10.

| fastest on       | type    |     in | the worst of these is | compared with | times as fast |
| ---------------- | ------- | -----: | --------------------- | ------------- | ------------: |
| 4,096 logits     | float64 | 2 of 3 | `logit`               | PyTorch       |          0.50 |
| 8,388,608 logits | float64 | 3 of 3 | `sigmoid`             | PyTorch       |          1.20 |

Where it is not:

| loss    | type    |     n | threads | to    | times as fast | fastlogit, ns | other, ns |
| ------- | ------- | ----: | ------: | ----- | ------------: | ------------: | --------: |
| `logit` | float64 | 4,096 |       1 | torch |        ▼ 0.50 |             4 |         2 |

| float64, one thread |         n | fastlogit, ns | scipy |  torch |
| ------------------- | --------: | ------------: | ----: | -----: |
| `sigmoid`           |     4,096 |             3 |  2.00 |   1.33 |
| `sigmoid`           | 8,388,608 |             2 |  2.50 |   1.25 |
| `logit`             |     4,096 |             4 |       | ▼ 0.50 |
| `logit`             | 8,388,608 |             4 |       |   1.50 |

| float64, 2 threads |         n | fastlogit, ns | scipy | torch |
| ------------------ | --------: | ------------: | ----: | ----: |
| `sigmoid`          |     4,096 |             3 |  2.00 |  1.33 |
| `sigmoid`          | 8,388,608 |          1.25 |  4.00 |  1.20 |

| first call in a new process | compiles | from the cache |
| --------------------------- | -------: | -------------: |
| `sigmoid`                   |    4.5 s |        0.078 s |
"""


def test_tables(run):
    assert report.tables(run) == EXPECTED


def test_no_loss_is_said_to_be_none(run):
    won = [timing for timing in run.timings if timing.function == "sigmoid"]
    text = report.tables(run._replace(timings=won))
    assert "it is faster in 8 of 8." in text
    assert "▼ " not in text


def test_the_command_writes_everything_and_the_same_again(stored, tmp_path, capsys):
    report.main([str(stored), "--folder", str(tmp_path / "a")])
    assert EXPECTED in capsys.readouterr().out
    report.main([str(stored), "--folder", str(tmp_path / "b")])
    pairs = product(("times", "ratios", "threads", "tails"), ("svg", "png"))
    names = {"report.md", *(f"{name}.{kind}" for name, kind in pairs)}
    for folder in "ab":
        assert {path.name for path in (tmp_path / folder).iterdir()} == names
    for name in names:
        first = (tmp_path / "a" / name).read_bytes()
        assert first == (tmp_path / "b" / name).read_bytes()
        assert len(first) < 300_000
    assert (tmp_path / "a" / "report.md").read_text(encoding="utf-8") == EXPECTED


def test_a_function_of_one_size_beside_others_of_three_has_its_bars(run, tmp_path):
    sizes = {timing.n for timing in run.timings}
    several = [
        timing._replace(n=n, elements=n)
        for timing in run.timings
        for n in (sizes if timing.function == "sigmoid" else ())
    ]
    one = [t for t in run.timings if t.function == "logit" and t.n == min(sizes)]
    pictures.write(run._replace(timings=several + one), tmp_path)
    assert "in the last cache" in pictures.ratios(run._replace(timings=several)).axes[1].get_title(
        loc="left"
    )


def test_what_is_saved_gives_the_same_report_again(stored, tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    monkeypatch.setattr(report, "_left_out", lambda _: [])
    monkeypatch.chdir(tmp_path)
    report.main([str(stored), "--save"])
    kept = tmp_path / "results" / "report.json"
    assert timings.load(kept).machine == timings.load(stored).machine
    report.main([str(kept)])
    for name in ("report.md", "times.svg", "ratios.png", "threads.svg"):
        again = tmp_path / ".benchmarks" / "report" / name
        assert again.read_bytes() == (tmp_path / "results" / name).read_bytes()
    assert (tmp_path / "results" / "report.md").read_text(encoding="utf-8") == EXPECTED


def test_a_run_of_a_part_is_not_saved(stored, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    with pytest.raises(SystemExit):
        report.main([str(stored), "--save"])
    said = capsys.readouterr().err
    assert "is a run of a part, without jax, numexpr, sklearn, torch-compile, sigmoid by" in said
    assert "in float64 at 3 sizes, threads: all" not in said  # beyond those that are shown
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        (lambda timing: timing.implementation != "jax", "jax"),
        (
            lambda timing: timing.dtype == "float64",
            "sigmoid by fastlogit in float32 at 3 sizes, threads: 1",
        ),
        (
            lambda timing: timing.threads == 1,
            "sigmoid by fastlogit in float64 at 3 sizes, threads: all",
        ),
        (
            lambda timing: timing.function != "logit" or timing.n > 4096,
            "logit by numpy-stable in float64 at 3 sizes, threads: 1",
        ),
    ],
)
def test_what_is_stored_is_a_whole_run_and_its_parts_are_none(kept, expected):
    run = timings.load(results.FOLDER / report.KEPT)
    assert report._left_out(run) == []
    part = run._replace(timings=[timing for timing in run.timings if kept(timing)])
    assert report._left_out(part)[0] == expected


def test_a_run_says_of_which_revision_it_is(stored, tmp_path):
    run = json.loads(stored.read_text())
    for said in ("0123456", "0123456 with changes"):
        run["machine_info"]["revision"] = said
        stored.write_text(json.dumps(run))
        report.main([str(stored), "--folder", str(tmp_path)])
        assert f"2026-01-02, {said}." in (tmp_path / "report.md").read_text(encoding="utf-8")
        for name in ("times.svg", "threads.png"):
            picture = (tmp_path / name).read_bytes()
            assert f"pytest bench, 2026-01-02T03:04:05, fastlogit {said}".encode() in picture


@pytest.mark.parametrize("picture", ["times", "ratios", "threads"])
def test_the_pictures_of_the_readme_are_of_the_run_that_is_stored(picture):
    name = timings.load(results.FOLDER / report.KEPT).name
    assert name.encode() in (results.FOLDER / f"{picture}.svg").read_bytes()


def test_the_tables_of_the_report_are_of_the_run_that_is_stored():
    path = results.FOLDER / report.KEPT
    run = timings.load(path)
    assert report.tables(run) == (path.with_name("report.md")).read_text(encoding="utf-8")
    rows = results.load(path)[-1]["rows"]
    assert rows == timings.keep(run)["rows"]


def test_the_newest_is_found(tmp_path):
    for number, name in enumerate(("b.json", "a.json")):
        path = tmp_path / "Linux" / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (number, number))
    assert timings.newest(tmp_path).name == "a.json"


def test_nothing_to_report_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        report.main([])
    assert ".benchmarks is empty" in capsys.readouterr().err


def test_times(run):
    figure = pictures.times(run)
    panels = figure.axes
    assert [ax.get_title("left") for ax in panels] == list(pictures.SHOWN)
    assert all(ax.get_xlabel() == "elements (logits, or of X)" for ax in panels[3:])
    assert panels[0].get_ylabel() == "time per element in ns"
    lines = {line.get_label(): line.get_data() for line in panels[0].lines}
    np.testing.assert_allclose(lines["fastlogit"], (SIZES, (3.0, 2.0, 2.0)))
    np.testing.assert_allclose(lines["torch"], (SIZES[::2], (4.0, 2.5)))
    # 16 bytes of an element, at what is measured for as many bytes in all.
    elements, bound = lines["copy"]
    assert elements[[0, -1]] == pytest.approx([SIZES[0], SIZES[-1]])
    assert bound[0] == pytest.approx(0.16)
    assert bound[-1] == pytest.approx(16 / (run.bandwidth("copy", 1 << 27, 1) / 1e9))
    assert [text.get_text() for text in panels[0].texts] == ["L2", "L3"]
    drawn = [line.get_xdata()[0] for line in panels[0].lines[-2:]]
    assert drawn == [(1 << 19) / 16, (1 << 25) / 16]


def test_ratios(run):
    small, large = pictures.ratios(run).axes
    assert small.get_title("left") == "4,096 elements: in the first caches"
    assert small.get_xlabel() == "times as fast (logarithmic)"
    assert [tick.get_text() for tick in small.get_yticklabels()] == ["sigmoid", "logit"]
    for ax, expected in (small, (4 / 3, 0.5)), (large, (1.25, 1.5)):
        assert [bar.get_x() + bar.get_width() for bar in ax.patches] == pytest.approx(expected)
        assert any(list(line.get_xdata()) == [1, 1] for line in ax.lines)
        low, high = ax.get_xlim()
        assert low < min(expected) < max(expected) < high
    win, loss = small.patches
    assert (win.get_hatch(), loss.get_hatch()) == ("", "////")
    assert win.get_facecolor() != loss.get_facecolor()
    assert [text.get_text() for text in small.texts] == ["1.33 torch", "0.50 torch"]


def test_threads(run):
    (ax,) = pictures.threads(run).axes
    assert ax.get_xlabel() == "speed of 2 threads relative to one (times)"
    lines = {line.get_label(): line.get_xdata()[0] for line in ax.lines}
    assert lines == pytest.approx(
        {"2 times as fast": 2, "memory, read": 2.0, "memory, copy": 2.0, "float64": 1.6}
    )


def test_bandwidth_between_what_was_measured(run):
    assert run.bandwidth("copy", 1, 1) == pytest.approx(100e9)
    assert run.bandwidth("copy", 1 << 22, 1) == pytest.approx(np.sqrt(100e9 * 10e9))
    assert run.bandwidth("copy", 1 << 40, 1) == pytest.approx(10e9)
    assert run.bandwidth("triad", 1 << 22, 1) is None


# Bounds -------------------------------------------------------------------------------


def test_operations_are_counted_in_the_compiled_code():
    code = """
      %a = fadd double %x, 1.0
      %b = tail call double @llvm.fma.f64(double %a, double %x, double %x)
      %c = fdiv double %b, %a
      %d = fmul <2 x double> %v, %w
      %e = call <4 x double> @llvm.fma.v4f64(<4 x double> %v, <4 x double> %v, <4 x double> %v)
      %f = fcmp olt double %c, 1.0
      declare double @llvm.fma.f64(double, double, double)
    """
    assert roofline.count_operations(code) == (1 + 1 + 2 + 4, 1)


def test_what_functions_need():
    sigmoid = roofline.need("sigmoid", "float64")
    assert sigmoid.bytes == 16
    assert sigmoid.operations["divisions"] == 1
    assert 15 < sigmoid.operations["multiply-adds"] < 60
    decision = roofline.need("linear.decision", "float32")
    assert decision == roofline.Need(4 * 33, {"multiply-adds": 32, "divisions": 0})


def test_bounds():
    rates = roofline.Rates(
        {"copy": {"L2": 100e9, "memory": 20e9}},
        {"multiply-adds": {"float64": 20e9}, "divisions": {"float64": 2e9}},
    )
    needed = roofline.Need(16, {"multiply-adds": 30, "divisions": 1})
    expected = {"memory": 0.8e-9, "multiply-adds": 1.5e-9, "divisions": 0.5e-9}
    assert roofline.bounds(rates, needed, "copy", "memory") == pytest.approx(expected)
    assert roofline.like("sigmoid") == "copy"
    assert roofline.like("log_loss") == roofline.like("linear.probability") == "read"
    assert roofline.like("log_loss_gradient") == "triad"


def test_where_bytes_are(monkeypatch):
    monkeypatch.setattr(roofline.machine, "caches", lambda: {"L1": 10, "L2": 100, "L3": 1000})
    where = [roofline.place_of(size, threads=2) for size in (20, 21, 200, 201, 1000, 1001)]
    assert where == ["L1", "L2", "L2", "L3", "L3", "memory"]


def test_streams_do_what_they_say():
    for kind in roofline.STREAMS:
        roofline.stream(kind, 1 << 12, threads=2, repeats=2)()
    a, b, c = np.arange(9), np.zeros(9, int), np.zeros(9, int)
    assert roofline._read(a, 3) == 3 * 36
    roofline._copy(a, b, 1)
    roofline._triad(a, b, c, 1)
    assert list(c) == [4 * i for i in range(9)]


# Counts -------------------------------------------------------------------------------


def test_what_a_call_takes_at_any_size_is_subtracted(monkeypatch):
    def totals(python, cases, folder, environment, progress):
        sizes = [int(case.split()[2]) for case in cases]
        assert cases[0] == f"sigmoid float64 {sizes[0]} z"
        assert environment["PYTHONHASHSEED"] == "0"
        return [1_000_000 + 13 * size for size in sizes]

    monkeypatch.setattr(counts, "tool", lambda: counts.VALGRIND)
    monkeypatch.setattr(counts, "_by_valgrind", totals)
    names = ["sigmoid float64", "linear.decision float32"]
    assert counts.counts(sys.executable, names) == dict.fromkeys(names, 13.0)


def test_counts_by_perf(monkeypatch):
    def run(command, folder, environment):
        n, calls = int(command[-1].split()[2]), int(command[-2])
        return f"{10**9 + calls * (500 + 13 * n)},,instructions:u,1,100.00,,\n"

    monkeypatch.setattr(counts, "tool", lambda: counts.PERF)
    monkeypatch.setattr(counts, "_run", run)
    assert counts.counts(sys.executable, ["sigmoid float64"]) == {"sigmoid float64": 13.0}


def test_without_a_counter_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr(counts.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit) as ended:
        counts.main([])
    assert ended.value.code == 1
    assert "valgrind is not installed" in capsys.readouterr().err

    denied = SimpleNamespace(stderr="<not supported>,,instructions:u,0,100.00,,\n")
    monkeypatch.setattr(counts.shutil, "which", lambda name: name if name == "perf" else None)
    monkeypatch.setattr(counts.subprocess, "run", lambda *args, **options: denied)
    with pytest.raises(counts.NoCounterError, match="no counters"):
        counts.tool()


def test_a_dump_of_callgrind():
    assert counts._total("version: 1\nevents: Ir\nfn=(1)\n1 2\n\ntotals: 452320\n") == 452320


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file"), ("x", "is no file of pytest-benchmark's"), ("[]", "is no file of")],
)
def test_a_report_of_something_else_is_wrong_usage(tmp_path, capsys, content, message):
    path = tmp_path / "run.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SystemExit) as end:
        report.main([str(path)])
    assert end.value.code == 2
    assert message in capsys.readouterr().err


# Commands -----------------------------------------------------------------------------


def test_results_of_nothing_that_is_known_to_others_give_tables_all_the_same(stored, tmp_path):
    run = json.loads(stored.read_text())
    peers = {"scipy", "torch"}
    ours = [b for b in run["benchmarks"] if b["extra_info"].get("implementation") not in peers]
    info = dict(zip(KEYS, ("gone", "fastlogit", "float64", 9, 9, 144, 1), strict=True))
    gone = [_benchmark(1e-6, **info | {"implementation": who}) for who in ("fastlogit", "scipy")]
    path = tmp_path / "other.json"
    path.write_text(json.dumps(run | {"benchmarks": [*ours, *gone]}))
    report.main([str(path), "--folder", str(tmp_path)])
    assert "`gone`" in (tmp_path / "report.md").read_text()
    assert (tmp_path / "ratios.svg").exists()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("compare HEAD HEAD --json {}", "'{}' cannot be written"),
        ("gate --markdown {}/x", "'{}/x' cannot be written"),
        ("counts --json {}", "'{}' cannot be written"),
        ("roofline --json {}", "'{}' cannot be written"),
        ("fits 99", "problems go from 0 to 5; got 99"),
        ("fits --rounds 0", "--rounds: must be a whole number above 0; got '0'"),
        ("fits --name glum --save", "a row has all contenders: --save takes no --name"),
        ("scoring --rows -3", "--rows: must be a whole number above 0; got '-3'"),
        ("scoring --rounds x", "--rounds: must be a whole number above 0; got 'x'"),
        ("accuracy --points 0", "--points: must be a whole number above 0; got '0'"),
        ("accuracy --exhaustive --points 9", "--exhaustive takes no --save, as it is not stored"),
        ("compare HEAD HEAD --minutes inf", "must be a number above 0; got 'inf'"),
        ("reproduce table all", "no such step: all; they are table, passes, "),
        ("readme --readme {}/x", "No such file"),
        ("report {}/x", "No such file"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_measured(command, message, tmp_path, capsys):
    folder = tmp_path / "x.json"
    if "/x" not in command:
        folder.mkdir()
    with pytest.raises(SystemExit) as info:
        commands.run(command.format(folder).split())
    assert info.value.code == 2
    assert message.format(folder) in capsys.readouterr().err


def test_a_readme_that_is_no_text_is_an_error(tmp_path, capsys):
    path = tmp_path / "README.md"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SystemExit):
        readme.main(["--readme", str(path)])
    assert "is no text in UTF-8" in capsys.readouterr().err


def test_reproduce_does_what_is_named_in_order_and_tells_what_failed(monkeypatch, capsys):
    done = []

    def run(words, cwd, check):
        done.append(words)
        return SimpleNamespace(returncode="passes" in words)

    monkeypatch.setattr(reproduce.subprocess, "run", run)
    reproduce.main(["readme", "table"])
    assert [words[1:] for words in done] == [
        ["-m", "bench", "table", "--save"],
        ["-m", "bench", "readme"],
    ]
    with pytest.raises(SystemExit, match=r"failed: passes$"):
        reproduce.main([])
    assert len(done) == 2 + len(reproduce.STEPS)
    assert "== 8 of 8: python -m bench readme" in capsys.readouterr().out


@pytest.mark.parametrize(("status", "left_out"), [(0, False), (1, False), (2, True), (-9, True)])
def test_nothing_is_reported_anew_where_pytest_stored_nothing(monkeypatch, status, left_out):
    done = []

    def run(words, **_):
        done.append(words[-1])
        return SimpleNamespace(returncode=status if "pytest" in words else 0)

    monkeypatch.setattr(reproduce.subprocess, "run", run)
    with suppress(SystemExit):
        reproduce.main(["pytest", "report", "readme"])
    assert done == ["-q", *([] if left_out else ["--save"]), "readme"]


def test_reproduce_has_all_tables_of_the_readme():
    tables = re.findall("<!-- bench: (.+) -->", readme.README.read_text())
    assert set(tables) <= reproduce.STEPS.keys()
    words = [step.split() for step in reproduce.STEPS.values()]
    assert {step[2] for step in words if step[1] == "bench"} <= commands.COMMANDS.keys()
