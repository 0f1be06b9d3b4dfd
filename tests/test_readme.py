"""The README's tables are those that stored results give, and that is what is promised of them."""

import operator
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fastlogit as fl
from bench import commands, machine, markdown, readme, results
from fastlogit import cli, plot
from fastlogit.data import flights_path

ROOT = Path(__file__).parents[1]
MACHINE = {
    "processor": "Abacus (wood)",
    "cores": 10,
    "caches": {},
    "python": "CPython 3.11.0",
    "versions": {"fastlogit": "0.1.0", "numpy": "2.0.0", "statsmodels": "0.14.4"},
}
LOST = "all digits"

ROWS = {
    "table": {
        "`sigmoid(z)`": {
            "ns": {"numpy-naive": 4.44, "numpy-stable": 9.0, "1 thread": 3.0, "2 threads": 18.0},
            "times_as_fast": {"1 thread": 3.0, "2 threads": 0.5},
            "ulp": {
                "numpy-naive": {"float64": 3e14},
                "numpy-stable": {"float64": LOST, "wrong": ["float64"]},
                "fastlogit": {"float64": 0.768},
            },
        },
        "`logit(y)`": {
            "ns": {"numpy-tuned": 10.0, "1 thread": 3.0, "2 threads": 2.0},
            "times_as_fast": {"1 thread": 3.3333, "2 threads": 5.0},
        },
    },
    "accuracy": {
        "`sigmoid`": {
            "fastlogit": {"float64": 0.768, "float32": 0.5},
            "numpy-naive": {"float64": LOST, "float32": 1234.0},
        },
        "`residual`, hard labels": {
            "fastlogit": {"float64": 0.5, "float32": 0.5},
            "sklearn": {"float64": 2.23, "float32": LOST, "wrong": ["float64", "float32"]},
            "torch": {
                "float64": 1.5,
                "float32": 2.0,
                "wrong": ["float32"],
                "subnormal": ["float32"],
            },
        },
    },
    "passes": {
        "10 x 2 float64": {
            "seconds": 0.00815,
            "times_as_long": {"reading X": 0.9, "torch": 12.654},
        },
        "9 x 2 float64": {"seconds": 2e-6, "times_as_long": {"torch": 0.5, "Arrow table": 1.0}},
    },
    "fits": {
        "words": {
            "problem": 5,
            "passes": 50,
            "contenders": {
                "fastlogit": {"seconds": 3.0, "times_as_long": 1.0, "reached": False},
                "glum": {"seconds": 0.5, "times_as_long": 0.1667, "reached": False},
            },
        },
        "flowers": {
            "problem": 0,
            "passes": 9,
            "contenders": {
                "glum": {"seconds": 0.001, "times_as_long": 0.41667, "reached": True},
                "fastlogit": {"seconds": 0.0024, "times_as_long": 1.0, "reached": True},
                "torch": {"seconds": 240.0, "times_as_long": 100000.0, "reached": True},
            },
        },
    },
    "report": {
        "counts": {"fastest": 2, "cases": 3, "faster": 10, "pairs": 11},
        "parts": [
            {
                "is_pass": is_pass,
                "dtype": "float32",
                "n": 4096,
                "fastest": 1,
                "cases": 2 - is_pass,
                "worst": worst,
                "than": "torch-compile",
                "times_as_fast": ratio,
            }
            for is_pass, worst, ratio in ((False, "logit", 0.504), (True, "linear.hessian", 1.5))
        ],
        "timings": [],
    },
    "scoring": {
        "npy": {"rows": 2000, "seconds": 0.32, "times_as_long": {"`np.load`": 1.8, "a map": 0.2}},
        "parquet": {"rows": 1000000, "seconds": 1.0, "times_as_long": {"pyarrow": 1.54}},
        "memory": {"file_bytes": [1_400_000_000, 11e9], "peak_bytes": [597_000_000, 579e6]},
        "start": {"rows": 1000, "seconds": 0.7, "imports_seconds": 0.49},
    },
}

TABLES = {
    "report": """\
fastlogit is the fastest in 2 of 3 cases; compared with one other at a time it is faster in 10 of \
11.

| fastest on   | type    |     in | the worst of these is | compared with     | times as fast |
| ------------ | ------- | -----: | --------------------- | ----------------- | ------------: |
| 4,096 logits | float32 | 1 of 2 | `logit`               | PyTorch, compiled |          0.50 |
| 4,096 rows   | float32 | 1 of 1 | `linear.hessian`      | PyTorch, compiled |          1.50 |""",
    "table": """\
| float64, per element or row | NumPy, naive | NumPy, stable | NumPy, tuned | fastlogit, 1 thread \
| 2 threads | largest error: naive, stable, tuned, fastlogit |
|---|--:|--:|--:|--:|--:|---|
| `sigmoid(z)` | 4.4 ns | 9.0 ns |  | 3.0 ns (3.0 x) | 18.0 ns (0.5 x) \
| 3e+14 ULP, all digits†, 0.77 ULP |
| `logit(y)` |  |  | 10.0 ns | 3.0 ns (3.3 x) | 2.0 ns (5.0 x) |  |""",
    "accuracy": """\
| Largest error in ULP, float64 / float32 | fastlogit | NumPy, naive | scikit-learn | PyTorch |
|---|--:|--:|--:|--:|
| `sigmoid` | 0.77 / 0.50 | all digits / 1e+03 |  |  |
| `residual`, hard labels | 0.50 / 0.50 |  | 2.23† / all digits† | 1.50 / 2.00†‡ |""",
    "passes": """\
| Loss and gradient, X | fastlogit | reading X | PyTorch | Arrow table |
|---|--:|--:|--:|--:|
| 10 x 2 float64 | 8.15 ms | 0.90 x | 12.65 x |  |
| 9 x 2 float64 | 2 µs |  | 0.50 x | 1.00 x |""",
    "fits": """\
| Data | fastlogit | passes | the best of the others | fastlogit is |
|---|--:|--:|---|--:|
| flowers | 2.4 ms | 9 | glum, 1 ms | 0.4 x as fast |
| words | 3 s (not reached) | 50 |  |  |""",
    "scoring": """\
| Files | fastlogit | compared with | fastlogit takes |
|---|--:|---|--:|
| Parquet to Parquet, 1,000,000 rows | 1 s | pyarrow | 1.54 x as long |
| NPY to NPY, 2,000 rows | 320 ms | `np.load` | 1.80 x as long |
|  |  | a map | 0.20 x as long |
| peak memory for 1.4 GB and 11 GB of Parquet | 597 MB and 579 MB |  |  |
| `fastlogit score` of 1,000 rows, a whole process | 700 ms \
| of which 490 ms are Python's start and imports |  |""",
}


def run_of(rows, **changed):
    here = {"command": "python -m bench fits 0", "date": "2026-11-24", "machine": MACHINE}
    return here | {"rows": rows} | changed


@pytest.fixture
def folder(tmp_path):
    results.save(tmp_path / "fits.json", run_of(ROWS["fits"]))
    (tmp_path / "baseline.json").write_text("{}")
    (tmp_path / "times.svg").write_text("<svg/>")
    return tmp_path


def check(*options):
    command = [sys.executable, "-m", "bench", "readme", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")


def test_the_readme_is_what_stored_results_give():
    done = check("--check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_table_edited_by_hand_is_found_and_written_again(tmp_path):
    path = tmp_path / "README.md"
    shutil.copy(readme.README, path)
    text = path.read_text(encoding="utf-8")
    edited = text.replace(" ns |", " ps |", 1)
    path.write_text(edited, encoding="utf-8")
    found = check("--check", "--readme", str(path))
    assert found.returncode == 1
    changed = [line for line in found.stdout.splitlines() if line[:1] in "+-"][2:]
    assert [line[:2] for line in changed] == ["-|", "+|"]
    assert " ps |" in changed[0]
    assert path.read_text(encoding="utf-8") == edited
    assert check("--readme", str(path)).returncode == 0
    assert path.read_text(encoding="utf-8") == text


def test_an_unknown_marker_is_wrong_usage(tmp_path):
    path = tmp_path / "README.md"
    path.write_text("# Title\n<!-- bnech: fits -->\n", encoding="utf-8")
    done = check("--readme", str(path))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(
        "error: README.md, line 2, <!-- bnech: fits -->: unknown, or where it cannot be"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!-- bench: fits -->\n|", "line 1, <!-- bench: fits -->: without <!-- /bench -->"),
        (
            "\n<!-- bench: fits -->\n<!-- bench: fits -->\n<!-- /bench -->",
            "line 2, <!-- bench: fits -->: without <!-- /bench -->",
        ),
        ("a\n<!-- /bench -->", "line 2, <!-- /bench -->: unknown, or where it cannot be"),
        ("<!-- bench: fits", "line 1, <!-- bench: fits: unknown, or where it cannot be"),
        (
            "<!-- bench: baseline -->\n<!-- /bench -->",
            "line 1, <!-- bench: baseline -->: no such result is stored, but fits",
        ),
        (
            "<!-- picture: ratios Ratios -->",
            "line 1, <!-- picture: ratios Ratios -->: there is no such picture in bench/results",
        ),
        (
            "<!-- picture: times -->",
            "line 1, <!-- picture: times -->: unknown, or where it cannot be",
        ),
    ],
)
def test_a_marker_that_cannot_be_followed_is_named_with_its_line(folder, text, message):
    with pytest.raises(readme.MarkerError) as raised:
        readme.filled(text, folder)
    assert str(raised.value) == message


def test_marked_places_are_filled_and_the_rest_is_kept(folder):
    before = """\
# Title

<!-- bench: fits -->
old
<!-- /bench -->
<!-- picture: times Time per element -->
Text. ![a picture](elsewhere.svg)
![another](elsewhere.svg)
"""
    after = f"""\
# Title

<!-- bench: fits -->

{TABLES["fits"]}

Measured by `python -m bench fits 0` on 2026-11-24, on Abacus (wood), 10 cores, CPython 3.11.0,
fastlogit 0.1.0, NumPy 2.0.0, statsmodels 0.14.4.

<!-- /bench -->
<!-- picture: times Time per element -->
![Time per element](bench/results/times.svg)
Text. ![a picture](elsewhere.svg)
![another](elsewhere.svg)
"""
    assert readme.filled(before, folder) == after
    assert readme.filled(after, folder) == after


@pytest.mark.parametrize("kind", markdown.TABLES)
def test_a_table_is_rendered_exactly(kind):
    assert markdown.TABLES[kind](ROWS[kind]) == TABLES[kind]


def test_what_was_measured_elsewhere_says_so():
    runs = [
        run_of({"a": {}}),
        run_of({"b": {}, "c": {}}, command="x"),
        run_of({"d": {}}, command="y"),
        run_of({"e": {}}, date="2027-01-01", machine={**MACHINE, "cores": 1, "versions": {}}),
    ]
    same = """\
Measured by `python -m bench fits 0`, `x` and `y` on 2026-11-24, on Abacus (wood), 10 cores, CPython
3.11.0, fastlogit 0.1.0, NumPy 2.0.0, statsmodels 0.14.4."""
    other = """\
a; b; c; d: measured by `python -m bench fits 0`, `x` and `y` on 2026-11-24, on Abacus (wood), 10
cores, CPython 3.11.0, fastlogit 0.1.0, NumPy 2.0.0, statsmodels 0.14.4.

e: measured by `python -m bench fits 0` on 2027-01-01, on Abacus (wood), 1 core, CPython 3.11.0."""
    assert markdown.measured(runs[:3]) == same
    assert markdown.measured(runs) == other


def test_rows_measured_again_replace_those_of_the_same_name(tmp_path):
    path = tmp_path / "results" / "fits.json"
    results.save(path, run_of({"a": {"seconds": 1}, "b": {"seconds": 2}}, date="2026-01-01"))
    results.save(path, run_of({"c": {"seconds": 3}}, date="2026-01-02"))
    results.save(path, run_of({"b": {"seconds": 4}, "c": {"seconds": 5}}, date="2026-01-03"))
    found = [(run["date"], run["rows"]) for run in results.load(path)]
    assert found == [
        ("2026-01-01", {"a": {"seconds": 1}}),
        ("2026-01-03", {"b": {"seconds": 4}, "c": {"seconds": 5}}),
    ]


def test_a_command_prints_its_table_and_stores_it_if_told_to(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    rows = {"10 x 2": {"seconds": 1 / 3, "times_as_long": {"torch": 2.0}}}
    results.finish("passes", ["--only", "a b"], MACHINE, rows)
    assert "| 10 x 2 | 333 ms | 2.00 x |" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
    results.finish("passes", ["--folder", "/a/b", "--only", "a b", "--save"], MACHINE, rows)
    assert "bench/results/passes.json" in capsys.readouterr().out
    (run,) = results.load(tmp_path / "passes.json")
    assert run["command"] == "python -m bench passes --only 'a b'"
    assert run["machine"] == MACHINE | machine.revision()
    assert run["rows"]["10 x 2"]["seconds"] == 0.33333


def test_what_is_no_number_is_not_stored(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match="JSON"):
        results.finish("passes", ["--save"], MACHINE, {"x": {"seconds": float("nan")}})


@pytest.mark.parametrize("kind", markdown.TABLES)
def test_stored_files_are_as_a_command_writes_them(kind, tmp_path):
    stored, written = (folder / f"{kind}.json" for folder in (results.FOLDER, tmp_path))
    for run in results.load(stored):
        results.save(written, run)
    assert written.read_text(encoding="utf-8") == stored.read_text(encoding="utf-8")


def test_examples_of_the_readme_print_what_it_says(capsys):
    """One after the other, as a reader would copy them; what each prints is the block after it."""
    text = readme.README.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```", text, re.M | re.S)
    assert len(blocks) == text.count("```python") >= 4
    names = {}
    for code, printed in blocks:
        exec(compile(code, "README.md", "exec"), names)
        assert capsys.readouterr().out == printed


def test_commands_of_the_readme_do_what_it_says(tmp_path, monkeypatch, capsys):
    """One after the other, as a reader would copy them into a checkout."""
    text = readme.README.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [shlex.split(line) for block in blocks for line in block.splitlines()]
    (tmp_path / "fastlogit").mkdir()
    (tmp_path / "fastlogit" / "data").symlink_to(flights_path().parent)
    monkeypatch.chdir(tmp_path)
    for program, *words in lines:
        assert program == "fastlogit"
        assert cli.main(words) == 0
    written = {words[words.index("-o") + 1] for words in lines if "-o" in words}
    assert written <= {path.name for path in tmp_path.iterdir()}
    assert {"model.json", "scores.parquet"} <= written
    assert "AUC" in capsys.readouterr().out


def test_links_and_names_in_the_text_are_of_what_there_is():
    text = readme.README.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert len(links) > 5
    assert [link for link in links if not (ROOT / link).exists()] == []
    named = set(re.findall(r"python -m bench ([a-z]+)", text))
    assert commands.COMMANDS.keys() == named
    pictures = set(re.findall(r"fastlogit plot ([a-z_]+)", text))
    assert len(pictures) >= 4
    assert pictures <= set(plot.__all__)
    for path in set(re.findall(r"\bfl\.([a-z_.]*[a-z_])", text)):
        operator.attrgetter(path)(fl)
    for word in set(re.findall(r"`fastlogit ([a-z]+)", text)):
        with pytest.raises(SystemExit) as info:
            cli.main([word, "--help"])
        assert info.value.code == 0
