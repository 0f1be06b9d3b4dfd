"""Tables, goals and pictures of a stored run, and bench/README.md."""

import json
import re
from pathlib import Path

import pytest

from bench import commands, pictures, readme, render, report, results, timings
from bench.measure import Goal

KEYS = ("function", "implementation", "dtype", "n", "elements", "threads")
SIZES = (4_096, 65_536, 1 << 23)
# Nanoseconds per element: logit is slower than PyTorch's in the caches.
TIMES = {
    ("sigmoid", "fastlogit", 1): (3.0, 2.0, 2.0),
    ("sigmoid", "fastlogit", 2): (3.0, 1.0, 1.25),
    ("sigmoid", "numpy-stable", 1): (6.0, None, 5.0),
    ("sigmoid", "torch", 1): (4.0, None, 2.5),
    ("sigmoid", "torch", 2): (4.0, None, 1.5),
    ("logit", "fastlogit", 1): (4.0, 4.0, 4.0),
    ("logit", "torch", 1): (2.0, None, 6.0),
}


def entry(seconds, **info):
    return {"extra_info": info, "stats": {"median": seconds}}


@pytest.fixture
def stored(tmp_path):
    entries = [
        entry(
            time * n * 1e-9,
            **dict(zip(KEYS, (name, library, "float64", n, n, threads), strict=True)),
        )
        for (name, library, threads), values in TIMES.items()
        for n, time in zip(SIZES, values, strict=True)
        if time is not None
    ]
    for who, seconds in (("fastlogit", 2.0), ("reading X", 1.8), ("torch", 3.0)):
        entries.append(entry(seconds, implementation=who, X="9 x 4 float64"))
    for who, threads, seconds in (
        ("fastlogit", 1, 2.0),
        ("fastlogit", 2, 1.0),
        ("reading X", 1, 1.5),
        ("reading X", 2, 0.8),
        ("numpy", 1, 6.0),
        ("torch", 2, 7.0),
    ):
        entries.append(entry(seconds, implementation=who, classes="`f`, K = 3", threads=threads))
    entries.append(entry(1.0, implementation="numpy", classes="`g`, K = 3", threads=1))
    entries.append(entry(4.5, function="sigmoid", cache="cold"))
    machine = {"processor": "A processor", "cores": 2, "python": "CPython 3.12"}
    machine |= {"caches": {"L1": 1 << 15}, "versions": {"numpy": "2.0"}}
    run = {"machine_info": machine, "datetime": "2026-01-02T03:04:05", "benchmarks": entries}
    path = tmp_path / "run.json"
    path.write_text(json.dumps(run))
    return path


# Without the padding of the tables.
EXPECTED = """\
A processor, 2 cores, CPython 3.12, NumPy 2.0; 2026-01-02.

fastlogit is the fastest in 5 of 6 cases (functions, types, sizes). It wins 9 of
10 comparisons with one other. The worst case is the function that loses most; 0.50 x takes
twice as long as the fastest.

| fastest on | float64 | float32 | worst case |
| - | -: | -: | - |
| 4,096 logits | 2 of 3 | | `logit`, 0.50 x PyTorch |
| 8,388,608 logits | 3 of 3 | | `sigmoid`, 1.20 x PyTorch |

| compared with | times as fast | goal | |
| - | -: | - | - |
| `sigmoid`, float64, 4,096, threads: 1, PyTorch | 1.33 | at least 1 | reached |
| `sigmoid`, float64, 8,388,608, threads: 1, PyTorch | 1.25 | at least 1 | reached |
| `sigmoid`, float64, 4,096, threads: 2, PyTorch | 1.33 | at least 1 | reached |
| `sigmoid`, float64, 8,388,608, threads: 2, PyTorch | 1.20 | at least 1 | reached |
| 9 x 4 float64, reading X | 0.90 | at least 0.8 | reached |
| 9 x 4 float64, PyTorch | 1.50 | at least 2.3 | not reached |

5 of 6 reached.

| per element or row | NumPy, naive | NumPy, stable | NumPy, tuned | fastlogit, 1 thread \
| 2 threads |
| - | -: | -: | -: | -: | -: |
| `sigmoid`, 8,388,608, float64 | | 5.0 ns | | 2.0 ns (2.5 x) | 1.2 ns (4.0 x) |

| loss and gradient, X | fastlogit | reading X | PyTorch |
| - | -: | -: | -: |
| 9 x 4 float64 | 2 s | 0.90 x | 1.50 x |

| K classes | 1 thread | times as fast | reading X | 2 threads | times as fast | reading X |
| - | -: | -: | -: | -: | -: | -: |
| `f`, K = 3 | 2 s | 3.00 x NumPy | 0.75 x | 1 s | 6.00 x NumPy | 0.80 x |

| first call in a new process | compiles | from the cache |
| - | -: | -: |
| `sigmoid` | 4.5 s | |

How many times as fast fastlogit is (▼: slower):

| float64, threads: 1 | n | fastlogit, ns | numpy-stable | torch |
| - | -: | -: | -: | -: |
| `sigmoid` | 4,096 | 3 | 2.00 | 1.33 |
| `sigmoid` | 8,388,608 | 2 | 2.50 | 1.25 |
| `logit` | 4,096 | 4 | | ▼ 0.50 |
| `logit` | 8,388,608 | 4 | | 1.50 |

| float64, threads: 2 | n | fastlogit, ns | numpy-stable | torch |
| - | -: | -: | -: | -: |
| `sigmoid` | 4,096 | 3 | 2.00 | 1.33 |
| `sigmoid` | 8,388,608 | 1.25 | 4.00 | 1.20 |
"""


def squeezed(text):
    """Tables without their padding."""
    return re.sub(r"-+", "-", re.sub(r" +", " ", text))


def test_the_command_writes_everything_and_the_same_again(stored, tmp_path, capsys):
    for folder in "ab":
        report.main([str(stored), "--folder", str(tmp_path / folder)])
        text = (tmp_path / folder / "report.md").read_text(encoding="utf-8")
        assert squeezed(text).splitlines() == EXPECTED.splitlines()
        assert text in capsys.readouterr().out
    for name in ("report.md", "ratios.svg"):
        first = (tmp_path / "a" / name).read_bytes()
        assert first == (tmp_path / "b" / name).read_bytes()
        assert len(first) < 300_000
    with pytest.raises(SystemExit):
        report.main([str(stored), "--folder", str(tmp_path), "--save"])
    assert "is not a whole run: without jax" in capsys.readouterr().err


def test_the_picture_shows_the_figures(stored):
    run = timings.load(stored)
    small, large = pictures.ratios(run).axes
    assert [tick.get_text() for tick in small.get_yticklabels()] == ["sigmoid", "logit"]
    for ax, expected in (small, (4 / 3, 0.5)), (large, (1.25, 1.5)):
        assert [bar.get_x() + bar.get_width() for bar in ax.patches] == pytest.approx(expected)
    assert [bar.get_hatch() for bar in small.patches] == ["", "////"]
    assert [text.get_text() for text in small.texts] == ["1.33 torch", "0.50 torch"]


def test_goals_are_judged_at_their_ends():
    assert Goal(2.0).judged(2.0) == "at least 2, reached"
    assert Goal(2.0).verdict(1.99) == "not reached"
    assert Goal(most=1.25).judged(1.26) == "at most 1.25, not reached"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(2.0, "2 s"), (0.0999, "99.9 ms"), (9.996e-4, "1 ms")],
)
def test_durations_have_three_digits(seconds, expected):
    assert render.duration(seconds) == expected


# Stored results and the page --------------------------------------------------------------


def run_of(rows, **changed):
    machine = {"processor": "Abacus", "cores": 1, "python": "CPython 3.11", "versions": {"x": "1"}}
    return {"command": "c", "date": "2026-01-01", "machine": machine, "rows": rows} | changed


def test_rows_that_are_measured_again_move_to_the_new_run(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    results.save("fits", run_of({"a": {"seconds": 1 / 3}, "b": {"seconds": 2}}))
    results.save("fits", run_of({"c": {"seconds": 3}}, date="2026-01-02"))
    results.save("fits", run_of({"b": {"seconds": 4}, "c": {"seconds": 5}}, date="2026-01-03"))
    found = json.loads((tmp_path / "fits.json").read_text())
    assert [(run["date"], run["rows"]) for run in found] == [
        ("2026-01-01", {"a": {"seconds": 0.33333}}),
        ("2026-01-03", {"b": {"seconds": 4}, "c": {"seconds": 5}}),
    ]
    said = render.measured(found)
    assert said.startswith(
        "a: measured by `c` on 2026-01-01, on Abacus, 1 core, CPython 3.11, x 1."
    )
    with pytest.raises(ValueError, match="JSON"):
        results.save("fits", run_of({"x": {"seconds": float("nan")}}))


def test_the_pages_show_the_stored_results():
    readme.main(["--check"])
    text = readme.README.read_text(encoding="utf-8")
    stored = {path.stem for path in results.FOLDER.glob("*.json")}
    assert stored == set(re.findall("<!-- bench: (.+) -->", text))
    named = set(re.findall(r"python -m bench ([a-z]+)", text))
    assert commands.COMMANDS.keys() <= named
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert [link for link in links if not (readme.README.parent / link).exists()] == []


@pytest.mark.parametrize("text", ["<!-- bench: gone -->\n<!-- /bench -->", "<!-- bench: fits -->"])
def test_a_marker_that_cannot_be_filled_is_an_error(text, tmp_path):
    (tmp_path / "x.md").write_text(text)
    with pytest.raises(ValueError, match="bench"):
        readme.filled(tmp_path / "x.md")


def test_trainers_that_do_not_reach_the_optimum_are_told():
    def contender(seconds, reached):
        return {"seconds": seconds, "times_as_long": seconds / 2.0, "reached": reached}

    ours = {"fastlogit": contender(2.0, True)}
    slow, stuck = contender(44.0, True), contender(30.0, False)
    rows = {
        "a": {"problem": 1, "passes": 9, "contenders": ours | {"x": slow, "y": stuck}},
        "b": {"problem": 0, "passes": 8, "contenders": ours | {"y": stuck}},
    }
    lines = squeezed(render.fits(rows)).splitlines()[2:]
    assert lines == [
        "| b | 2 s | 8 | y, 30 s (not reached) | over 15.0 x as fast |",
        "| a | 2 s | 9 | x, 44 s | 22.0 x as fast |",
    ]


def test_lost_digits_and_wrong_special_values_are_marked():
    rows = {"x": {"torch": {"float64": 1234.0, "float32": "all digits", "wrong": ["float32"]}}}
    assert "| x | 1e+03 / all digits† |" in squeezed(render.accuracy(rows))


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("compare HEAD HEAD --json {}", "'{}' cannot be written"),
        ("fits 99", "problems must be from 0 to 9; got 99"),
        ("fits --rounds 0", "--rounds: must be a whole number above 0; got '0'"),
        ("accuracy --exhaustive --points 9", "--exhaustive stores nothing"),
        ("report {}/x", "no run of pytest bench to report on"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_measured(command, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as info:
        commands.run(command.format(tmp_path).split())
    assert info.value.code == 2
    assert message.format(tmp_path) in capsys.readouterr().err


def test_all_commands_are_modules():
    folder = Path(commands.__file__).parent
    assert all((folder / f"{name}.py").exists() for name in commands.COMMANDS)
