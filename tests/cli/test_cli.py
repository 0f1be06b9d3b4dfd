"""The command line: its results, its one-line errors and its exit status."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import matplotlib as mpl
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

mpl.use("Agg")

import matplotlib.pyplot as plt

import fastlogit as fl
from fastlogit import cli, plot, scoring
from fastlogit.cli import main
from fastlogit.core import files
from fastlogit.tables import sink

ROWS = {"t": [0, 1, 1, 0, 1], "x": [0.5, 2.0, 1.0, 0.0, -0.5], "k": [1, 0, 1, 0, 1]}
TRAIN = ["train", "data.parquet", "--label", "t", "-o", "m.json"]
SCORE = ["score", "model.json", "data.parquet", "-o", "y.csv"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to work in, with a table and a model."""
    monkeypatch.chdir(tmp_path)
    pq.write_table(pa.table(ROWS), "data.parquet")
    fl.LogisticModel([2.0, -1.0], 0.5, ("x", "k")).save("model.json")
    return tmp_path


@pytest.fixture
def fails(here, capsys):
    """Run a command that must fail, and give its message."""

    def run(*argv):
        before = {path: path.read_bytes() for path in here.iterdir() if path.is_file()}
        assert main(argv) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("fastlogit: error: ")
        assert err.count("\n") == 1
        assert {path: path.read_bytes() for path in here.iterdir() if path.is_file()} == before
        return err

    return run


def test_train(here, capsys):
    assert main(["train", "data.parquet", "--label", "t", "-o", "trained.json", "--l2", "0.5"]) == 0
    out, err = capsys.readouterr()
    model = fl.load("trained.json")
    again = fl.fit(np.column_stack([ROWS["x"], ROWS["k"]]), ROWS["t"], l2=0.5)
    np.testing.assert_array_equal(model.coef, again.coef)
    assert model.feature_names == ("x", "k")
    assert dict(re.split(" {2,}", line) for line in out.splitlines()) == {
        "rows": "5",
        "features": "2",
        "mean log-loss": f"{model.mean_log_loss:.6f}",
        "solver": "newton",
        "passes": str(model.passes),
        "seconds": mock.ANY,
        "converged": "yes",
        "gradient norm": f"{model.gradient_norm:.1e}",
        "model": "trained.json",
    }
    assert re.search(r"^seconds        \d+\.\d, any compilation included$", out, re.MULTILINE)
    assert err == ""


def test_train_on_an_array_with_a_label_from_the_end(here):
    np.save("data.npy", np.column_stack([ROWS["x"], ROWS["k"], ROWS["t"]]))
    command = ["train", "data.npy", "--label", "-1", "-o", "trained.json", "--no-intercept"]
    assert main(command) == 0
    model = fl.load("trained.json")
    assert model.feature_names is None
    assert model.intercept == 0.0


def test_train_says_what_it_left_out(here, capsys):
    pq.write_table(pa.table({**ROWS, "x": [0.5, None, 1.0, 0.0, np.nan]}), "gaps.parquet")
    assert main(["train", "gaps.parquet", "--label", "t", "-o", "m.json", "--missing", "skip"]) == 0
    out, err = capsys.readouterr()
    assert err == "fastlogit: note: left out 2 rows of gaps.parquet with a missing value\n"
    assert "rows           3\n" in out


def test_train_warns_when_it_did_not_converge(here, capsys):
    train = ["train", "data.parquet", "--label", "t", "-o", "m.json"]
    assert main([*train, "--max-passes", "2"]) == 0
    out, err = capsys.readouterr()
    assert err.startswith("fastlogit: warning: not converged after 2 passes: ")
    assert re.search("above --tol 1e-08; .*--max-passes", err)
    assert "max_passes" not in err
    assert "converged      NO\n" in out
    assert not fl.load("m.json").converged


def test_an_offset_in_the_commands(here, capsys):
    model = fl.LogisticModel([2.0, -1.0], 0.5, ("x", "k"), with_offset=True)
    model.save("model.json")
    pq.write_table(pa.table({**ROWS, "w": [3.0, -3.0, 0.5, 0.0, 1.0]}), "data.parquet")
    z = 2.0 * np.array(ROWS["x"]) - np.array(ROWS["k"]) + 0.5
    score = ["score", "model.json", "data.parquet", "-o", "y.npy", "--output", "logit", "--force"]
    assert main([*score, "-q", "--offset", "w"]) == 0
    assert capsys.readouterr().err == ""
    np.testing.assert_array_equal(np.load("y.npy") - z, [3.0, -3.0, 0.5, 0.0, 1.0])
    evaluate = ["evaluate", "model.json", "data.parquet", "--label", "t", "--json"]
    assert main([*evaluate, "--offset", "w"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out)["accuracy"] == 0.4
    for command in ([*score, "-q"], evaluate):
        assert main(command) == 0
        assert re.fullmatch(
            "fastlogit: warning: --offset must be given, as the model was trained with one; .*\n",
            capsys.readouterr().err,
        )
    np.testing.assert_array_equal(np.load("y.npy"), z)
    plot = ["plot", "roc", "model.json", "data.parquet", "--label", "t", "-o", "roc.svg"]
    assert main([*plot, "--offset", "w"]) == 0
    assert capsys.readouterr().err == ""
    assert main([*plot, "--force"]) == 0
    assert capsys.readouterr().err.startswith("fastlogit: warning: --offset must be given")


def test_an_offset_that_is_not_there(fails):
    assert "missing column 'w'" in fails(*SCORE, "--offset", "w")


def test_score(here, capsys):
    assert main(["score", "model.json", "data.parquet", "-o", "scores.npy"]) == 0
    out, err = capsys.readouterr()
    y = fl.sigmoid(2.0 * np.array(ROWS["x"]) - ROWS["k"] + 0.5)
    np.testing.assert_allclose(np.load("scores.npy"), y, rtol=1e-15)
    assert out == ""
    assert err.startswith("scored 5 rows in ")
    assert err.endswith(" rows/s) -> scores.npy\n")


def test_score_options(here):
    pq.write_table(pa.table({**ROWS, "k": [None, 0, 1, 0, 1]}), "gaps.parquet")
    options = ["--missing", "nan", "--threads", "1", "--batch-rows", "2", "--force", "-q"]
    (here / "scores.npy").touch()
    assert main(["score", "model.json", "gaps.parquet", "-o", "scores.npy", *options]) == 0
    np.testing.assert_array_equal(np.isnan(np.load("scores.npy")), [True, *[False] * 4])


def test_train_then_score_from_a_shell(here):
    def run(*argv):
        command = [sys.executable, "-W", "error", "-m", "fastlogit", *argv]
        return subprocess.run(command, capture_output=True, text=True, check=True)

    run("train", "data.parquet", "--label", "t", "-o", "trained.json")
    run("score", "trained.json", "data.parquet", "-o", "scores.csv")
    model = fl.load("trained.json")
    y = np.loadtxt("scores.csv", skiprows=1)
    X = np.column_stack([ROWS["x"], ROWS["k"]])
    np.testing.assert_allclose(y, model.predict_proba(X)[:, 1], rtol=1e-14)


@pytest.mark.parametrize("command", [[], ["train"], ["score"], ["demo"]])
def test_help(command, capsys):
    with pytest.raises(SystemExit) as exit_:
        main([*command, "--help"])
    assert exit_.value.code == 0
    assert "example" in capsys.readouterr().out


def test_version(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["--version"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out == f"fastlogit {fl.__version__}\n"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "required: COMMAND"),
        (["scoer"], "invalid choice: 'scoer'"),
        ([*TRAIN[:4]], "required: -o/--out"),
        ([*TRAIN, "--l2", "much"], "--l2: must be a finite number that is not negative; got 'm"),
        ([*TRAIN, "--l2", "-1"], "--l2: must be a finite number that is not negative; got '-1'"),
        ([*TRAIN, "--l2", "inf"], "--l2: must be a finite number"),
        ([*TRAIN, "--tol", "nan"], "--tol: must be a finite number"),
        ([*TRAIN, "--max-passes", "0"], "--max-passes: must be a whole number of at least 1"),
        ([*TRAIN, "--threads", "4097"], "--threads: must be a whole number between 1 and 4096"),
        ([*SCORE, "--threads", "0"], "--threads: must be a whole number between 1 and 4096"),
        ([*SCORE, "--batch-rows", "few"], "--batch-rows: must be a whole number of at least 1; g"),
    ],
)
def test_wrong_usage(argv, message, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(argv)
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", [TRAIN, SCORE])
def test_a_wrong_variable_is_an_error_before_any_work(fails, here, monkeypatch, command):
    monkeypatch.setenv("FASTLOGIT_NUM_THREADS", "all")
    (here / "data.parquet").write_text("damaged, but not looked at")
    message = "FASTLOGIT_NUM_THREADS must be a whole number between 1 and 4096; got 'all'\n"
    assert fails(*command) == f"fastlogit: error: {message}"


def test_missing_column(fails):
    pq.write_table(pa.table(ROWS).drop_columns("x"), "data.parquet")
    assert "data.parquet: missing column 'x'" in fails(
        "score", "model.json", "data.parquet", "-o", "y.csv"
    )


def test_missing_label(fails):
    message = "data.parquet: --label must say which column the labels are\n"
    assert message in fails("train", "data.parquet", "-o", "m.json")
    assert "data.parquet: missing column 'tt' (is it 't'?)" in fails(
        "train", "data.parquet", "--label", "tt", "-o", "m.json"
    )


def test_text_in_a_column_of_numbers(fails, here):
    (here / "data.csv").write_text("x,k,t\n1,2,0\n1,many,1\n")
    message = "data.csv: column 'k': row 1: CSV conversion error to double: invalid value 'many'"
    assert message in fails("score", "model.json", "data.csv", "-o", "y.csv")
    message = "column 'k' has numbers, such as '2', and other text, such as 'many' in row 1 ("
    assert message in fails("train", "data.csv", "--label", "t", "-o", "m.json")


@pytest.mark.parametrize("name", ["gone.parquet", "gone.csv", "gone.npy"])
def test_a_file_that_is_not_there(fails, name):
    message = f"{name}: No such file or directory"
    assert message in fails("score", "model.json", name, "-o", "y.csv")
    assert message in fails("train", name, "--label", "t", "-o", "m.json")


def test_a_model_that_is_not_there(fails):
    assert "gone.json: No such file or directory" in fails(
        "score", "gone.json", "data.parquet", "-o", "y.csv"
    )


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", "[" * 100_000, '{"format": "other"}'])
def test_a_model_that_is_none(fails, here, content):
    (here / "model.json").write_text(content)
    assert "error: model.json: " in fails("score", "model.json", "data.parquet", "-o", "y.csv")


def test_a_model_without_coefficients(fails, here):
    content = json.loads((here / "model.json").read_text())
    del content["coef"]
    (here / "model.json").write_text(json.dumps(content))
    assert "'coef' is missing" in fails("score", "model.json", "data.parquet", "-o", "y.csv")


def test_a_truncated_file(fails, here):
    whole = (here / "data.parquet").read_bytes()
    (here / "data.parquet").write_bytes(whole[: len(whole) // 2])
    assert "error: data.parquet: Parquet magic bytes not found" in fails(
        "score", "model.json", "data.parquet", "-o", "y.csv"
    )


@pytest.mark.parametrize(
    ("folder", "reason"), [("gone", "No such file or directory"), ("file", "Not a directory")]
)
def test_an_output_folder_that_cannot_be_written(fails, here, folder, reason):
    (here / "file").touch()
    (here / "data.parquet").write_text("damaged, but the output is looked at before any work")
    message = fails("train", "data.parquet", "--label", "t", "-o", f"{folder}/m.json")
    assert message == f"fastlogit: error: {folder}/m.json: cannot write here: {reason}\n"
    fl.LogisticModel([1.0]).save("model.json")
    np.save("data.npy", np.empty((1, 1)))
    message = fails("score", "model.json", "data.npy", "-o", f"{folder}/y.csv")
    assert message == f"fastlogit: error: {folder}/y.csv: cannot write here: {reason}\n"


def test_an_output_that_exists(fails):
    message = "model.json: exists already (--force replaces it)"
    assert message in fails("train", "data.parquet", "--label", "t", "-o", "model.json")


@pytest.mark.parametrize("force", [[], ["--force"]])
@pytest.mark.parametrize("name", ["./", "symbolic-", "hard-", "absolute"])
def test_an_output_that_is_an_input(fails, here, name, force):
    (here / "model.json").rename("model.csv")  # a name that an output of `score` may have
    for file in ("data.parquet", "model.csv"):
        (here / f"symbolic-{file}").symlink_to(file)
        (here / f"hard-{file}").hardlink_to(here / file)
    data, model = (
        str(here / file) if name == "absolute" else name + file
        for file in ("data.parquet", "model.csv")
    )
    message = "is a file to read; give the output another name\n"
    score = ["score", "model.csv", "data.parquet"]
    for command, output in (
        (["train", "data.parquet", "--label", "t"], data),
        (score, data),
        (score, model),
    ):
        assert fails(*command, "-o", output, *force) == f"fastlogit: error: {output}: {message}"


def test_an_output_of_unknown_suffix(fails):
    message = "y.txt: the suffix must be one of .parquet, .arrow, .arrows, .feather, .csv, "
    assert message in fails("score", "model.json", "data.parquet", "-o", "y.txt")


def test_nulls_say_how_to_go_on(fails):
    pq.write_table(pa.table({**ROWS, "x": [0.5, None, None, 0.0, 1.0]}), "data.parquet")
    message = fails("score", "model.json", "data.parquet", "-o", "y.csv")
    assert "column 'x' is null in row 1 (--missing nan scores such rows as NaN, " in message
    assert message.endswith("--missing skip leaves them out)\n")
    assert "column 'x' has 2 missing values in 5 rows (--missing skip leaves " in fails(
        "train", "data.parquet", "--label", "t", "-o", "m.json"
    )


def test_a_label_that_is_no_label(fails):
    pq.write_table(pa.table({**ROWS, "t": [0, 1, 2, 0, 1]}), "data.parquet")
    message = (
        "data.parquet: column 't' must have two different labels, or lie between 0 and 1; got 3: "
        "0, 1, 2 (2 in row 2)\n"
    )
    assert message in fails("train", "data.parquet", "--label", "t", "-o", "m.json")


def test_a_feature_that_is_infinite(fails):
    pq.write_table(pa.table({**ROWS, "x": [0.5, np.inf, 2.0, 0.0, 1.0]}), "data.parquet")
    message = "data.parquet: column 'x' must be finite; got inf in row 1"
    assert message in fails("train", "data.parquet", "--label", "t", "-o", "m.json")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError("no room\nfor all"), "no room for all"),
        (MemoryError(), "MemoryError"),
        (ModuleNotFoundError(name="pyarrow"), "this needs pyarrow: pip install 'fastlogit[cli]'"),
        (OSError(28, "No space left on device", "y.csv"), "y.csv: No space left on device"),
        (OSError("disk on fire"), "disk on fire"),
    ],
)
def test_errors_of_the_machine(fails, monkeypatch, error, message):
    monkeypatch.setattr(scoring, "score", raising(error))
    assert fails("score", "model.json", "data.parquet", "-o", "y.csv") == (
        f"fastlogit: error: {message}\n"
    )


def test_pyarrow_that_is_not_installed(fails, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert "this needs pyarrow.parquet: pip install 'fastlogit[cli]'" in fails(
        "score", "model.json", "data.parquet", "-o", "y.csv"
    )


def test_debug_shows_where_an_error_comes_from(here, capsys):
    assert main(["score", "gone.json", "data.parquet", "-o", "y.csv", "--debug"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("Traceback ")
    assert err.endswith("fastlogit: error: gone.json: No such file or directory\n")


def test_demo(monkeypatch):
    seen = mock.Mock()
    monkeypatch.setattr(fl, "demo", SimpleNamespace(run=seen), raising=False)
    assert main(["demo", "--rows", "1000", "--threads", "2", "--keep", "folder"]) == 0
    seen.assert_called_once_with(rows=1000, threads=2, keep=Path("folder"))


def test_an_interrupt_is_quiet(here, capsys, monkeypatch):
    monkeypatch.setattr(scoring, "score", raising(KeyboardInterrupt))
    assert main(["score", "model.json", "data.parquet", "-o", "y.csv"]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_signal_to_end_leaves_nothing_behind(here):
    os.mkfifo("data.csv")  # at which the command waits, its output begun
    before = set(here.iterdir())
    command = [sys.executable, "-m", "fastlogit", "train", "data.csv", "--label", "t"]
    with subprocess.Popen([*command, "-o", "m.json"], stderr=subprocess.PIPE) as process:
        while set(here.iterdir()) == before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(0.2)
        process.terminate()
        assert process.communicate(timeout=60) == (None, b"")
    assert process.returncode == 143
    assert set(here.iterdir()) == before


@pytest.mark.parametrize("known", [signal.SIG_DFL, signal.SIG_IGN])
def test_a_signal_is_left_to_who_waits_for_it(here, monkeypatch, known):
    seen = []
    monkeypatch.setattr(
        scoring,
        "score",
        lambda *_, **__: seen.append(signal.getsignal(signal.SIGTERM)) or scoring.Scored(1, 0),
    )
    before = signal.signal(signal.SIGTERM, known)
    try:
        assert main(SCORE) == 0
        thread = threading.Thread(target=main, args=[SCORE])
        thread.start()
        thread.join()
        assert signal.getsignal(signal.SIGTERM) == known
    finally:
        signal.signal(signal.SIGTERM, before)
    assert len(seen) == 2
    assert (seen[0] == known) == (known == signal.SIG_IGN)
    assert seen[1] == known


def test_a_closed_pipe_is_quiet(here):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "fastlogit", "train", "data.parquet", "--label", "t"]
    done = subprocess.run(
        [*command, "-o", "m.json"], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")
    assert fl.load("m.json").converged


@pytest.mark.skipif(sys.platform == "win32", reason="has no such terminals")
@pytest.mark.parametrize("name", ["data.parquet", "data.csv"])
def test_the_bar_is_for_terminals(here, name):
    import pty
    import termios

    pa.csv.write_csv(pq.read_table("data.parquet"), "data.csv")
    command = [sys.executable, "-m", "fastlogit", "score", "model.json", name, "-o", "y.csv"]
    for options, shown in (["--batch-rows", "2"], True), (["-q"], False):
        terminal, other_end = pty.openpty()
        termios.tcsetwinsize(terminal, (25, 100))
        subprocess.run(
            [*command, "--force", *options],
            stderr=other_end,
            env=os.environ | {"TQDM_MININTERVAL": "0"},
            check=True,
        )
        os.close(other_end)
        text = b""
        with contextlib.suppress(OSError):  # the end, on Linux
            while block := os.read(terminal, 1000):
                text += block
        os.close(terminal)
        bar = rb"\d+%\|.* \d\.00/5\.00 \[00:\d\d<[\d:?]+, .* rows/s, \d+ MB/s\]"
        assert bool(re.search(bar, text)) == shown
        assert (b"\r" in text) == shown


def raising(error):
    def function(*_args, **_kwargs):
        raise error

    return function


# Streams, and measures --------------------------------------------------------------------


def run(*argv, given=b""):
    command = [sys.executable, "-W", "error", "-m", "fastlogit", *argv]
    return subprocess.run(command, input=given, capture_output=True, check=False)


def test_a_pipe_is_scored(here):
    done = run("score", "model.json", "-", "-o", "-", "-q", given=b"k,x\n1,0.5\n0,2\n")
    assert (done.returncode, done.stderr) == (0, b"")
    y = [float(line) for line in done.stdout.split()[1:]]
    np.testing.assert_allclose(y, fl.sigmoid([0.5, 4.5]), rtol=1e-15)


def test_a_pipe_of_arrow_is_scored(here):
    given = io.BytesIO()
    with pa.ipc.new_stream(given, pa.table(ROWS).schema) as writer:
        writer.write_table(pa.table(ROWS))
    options = ["--output-format", "arrow-stream", "--output", "logit", "--keep", "t"]
    done = run("score", "model.json", "-", "-o", "-", "-q", *options, given=given.getvalue())
    assert done.stderr == b""
    found = pa.ipc.open_stream(done.stdout).read_all()
    assert found["t"].to_pylist() == ROWS["t"]
    np.testing.assert_allclose(found["logit"].to_numpy(), [0.5, 4.5, 1.5, 0.5, -1.5], rtol=1e-15)


def test_evaluate(here, capsys):
    command = ["evaluate", "model.json", "data.parquet", "--label", "t"]
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert err == ""
    expected = scoring.evaluate(fl.load("model.json"), "data.parquet", "t")
    assert out == f"{expected}\n"
    assert main([*command, "--json", "--threshold", "0.9"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["mean_log_loss"] == expected.mean_log_loss
    assert found["rows"] == 5


def test_evaluate_needs_a_label(fails):
    assert "label must say which column" in fails("evaluate", "model.json", "data.parquet")


def test_what_was_left_out_is_told_and_kept(here, capsys):
    pq.write_table(pa.table({**ROWS, "k": [None, 0, 1, 0, 1]}), "gaps.parquet")
    command = ["score", "model.json", "gaps.parquet", "-o", "y.csv", "--missing", "skip"]
    assert main([*command, "--skipped", "skipped.csv", "--name", "late"]) == 0
    assert "fastlogit: note: left out 1 row with a missing value" in capsys.readouterr().err
    assert Path("skipped.csv").read_text().split()[1] == '"gaps.parquet",0'
    assert Path("y.csv").read_text().split()[0] == '"late"'


STARTS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


@pytest.mark.parametrize("kind", STARTS)
@pytest.mark.parametrize(
    "words",
    [
        ["cross_entropy"],
        ["tails", "--function", "softplus"],
        ["coefficients", "model.json"],
        ["reliability", "model.json", "data.parquet", "--label", "t"],
    ],
    ids=lambda words: words[0],
)
def test_plot(here, capsys, words, kind):
    assert main(["plot", *words, "-o", f"picture.{kind}"]) == 0
    assert Path(f"picture.{kind}").read_bytes().startswith(STARTS[kind])
    assert capsys.readouterr() == ("", "")
    assert len(list(here.iterdir())) == 3


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", ["reliability", "roc", "precision_recall"])
def test_plot_reads_any_format_and_unknown_texts(name, capsys):
    model = fl.LogisticModel([1.0, 2.0], 0.0, ("x", "c=a"), categories={"c": ("a",)})
    model.save("text.json")
    Path("data.txt").write_text("t,x,c\n0,1,a\n1,2,b\n1,0,a\n0,1,b\n")
    words = ["plot", name, "text.json", "data.txt", "--label", "t", "-o", "x.svg"]
    assert main(words) == 1
    assert "the suffix must be one of" in capsys.readouterr().err
    assert main([*words, "--input-format", "csv"]) == 1
    assert "column 'c' has 'b' in row 1" in capsys.readouterr().err
    assert main([*words, "--input-format", "csv", "--unknown", "ignore"]) == 0


@pytest.mark.usefixtures("here")
def test_a_decision_boundary_of_any_format():
    Path("data.txt").write_text("t,x,k\n0,1,1\n1,2,0\n")
    words = ["plot", "decision_boundary", "model.json", "data.txt", "--label", "t", "-o", "x.svg"]
    assert main([*words, "--input-format", "csv"]) == 0


@pytest.mark.usefixtures("here")
def test_standard_input_is_named(monkeypatch, capsys):
    text = b"t,x\n0,1\n1,2\n1,NA\n0,1\n"
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(text))))
    words = ["train", "-", "--label", "t", "--missing", "skip", "-o", "trained.json"]
    assert main(words) == 0
    assert "note: left out 1 row of standard input with a missing value" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["train", "score", "evaluate", "plot"])
def test_options_of_csv_are_refused_for_other_formats_by_their_names(fails, command):
    words = {
        "train": ["data.parquet", "--label", "t", "-o", "y.json"],
        "score": ["model.json", "data.parquet", "-o", "y.csv"],
        "evaluate": ["model.json", "data.parquet", "--label", "t"],
        "plot": ["roc", "model.json", "data.parquet", "--label", "t", "-o", "y.svg"],
    }[command]
    message = fails(command, *words, "--null-values", "?", "--delimiter", ";")
    assert "--delimiter ';' --null-values '?' must be for a CSV or TSV; got it for" in message


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("t,x\n" + "0,1\n1,2\n" * 5 + "1,?\n", {"score": "(--null-values '?' NA N/A NULL null t"}),
        ("t,x\n0,1\n1,inf\n", {"train": "null takes 'inf' as missing) (--ignore x leaves it out)"}),
        ("sep=;\nt;x\n0;1\n1;2\n", dict.fromkeys(["train", "score"], "(delete the line; --delimi")),
        ('"sep=;"\r\nt;x\r\n0;1\r\n', {"train": "(delete the line; --delimiter ';' reads"}),
        ("Sales of May\nt,x\n0,1\n1,2\n", {"train": "row 0: 2 cells, and the header has 1 (the"}),
    ],
    ids=["question mark", "infinity", "Excel", "quoted", "title"],
)
def test_errors_of_a_csv_name_the_remedy(fails, text, messages):
    Path("x.csv").write_bytes(text.encode())
    fl.LogisticModel([1.0], 0.0, ("x",)).save("x.json")
    words = {
        "train": ["x.csv", "--label", "t", "-o", "y.json"],
        "score": ["x.json", "x.csv", "-o", "y.csv"],
    }
    for command, message in messages.items():
        assert message in fails(command, *words[command])


def test_text_late_in_a_csv_names_what_takes_it(fails, monkeypatch):
    monkeypatch.setattr("fastlogit.tables.text_file._BLOCK_BYTES", 64)
    Path("x.csv").write_text("t,x\n" + "0,1\n1,2\n" * 50 + "1,abc\n")
    message = fails("train", "x.csv", "--label", "t", "-o", "y.json")
    assert "row 100: CSV conversion error to double: invalid value 'abc'" in message
    assert "(--categorical x takes it as text, --ignore x leaves it out)" in message


@pytest.mark.usefixtures("here")
def test_plot_needs_no_backend_of_a_notebook(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "module://there.is.none")
    done = run("plot", "logistic", "-o", "x.svg")
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.usefixtures("here")
def test_plot_draws_all_there_is():
    before = plt.get_fignums()
    assert sorted(cli.PLOTS) == plot.__all__
    fl.fit(np.arange(6.0).reshape(6, 1), [0, 1, 0, 1, 0, 1]).save("trained.json")
    data = ["data.parquet", "--label", "t"]
    for name in cli.PLOTS:
        takes = inspect.signature(getattr(plot, name)).parameters
        model = "trained.json" if name == "convergence" else "model.json"
        words = [model] * ("model" in takes) + data * ("X" in takes)
        assert main(["plot", name, *words, "-o", f"{name}.svg"]) == 0
    assert plt.get_fignums() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["roc"], "roc needs MODEL"),
        (["roc", "model.json"], "roc needs DATA"),
        (["logistic", "model.json"], "logistic takes no MODEL; got 'model.json'"),
        (["coefficients", "model.json", "data.parquet"], "coefficients takes no DATA"),
        (["tails", "--label", "t"], "tails takes no --label; got 't'"),
        (["tails", "--input-format", "csv"], "tails takes no --input-format; got 'csv'"),
        (["coefficients", "model.json", "--unknown", "error"], "coefficients takes no --unknown"),
        (["roc", "model.json", "data.parquet", "--function", "sigmoid"], "takes no --function"),
        (["sigmoid"], "invalid choice: 'sigmoid'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_plot_tells_wrong_usage(here, capsys, words, message):
    with pytest.raises(SystemExit) as end:
        main(["plot", *words, "-o", "picture.png"])
    assert end.value.code == 2
    assert message in capsys.readouterr().err
    assert not Path("picture.png").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["logistic", "-o", "x.gif"], "x.gif: a picture's name must end in .png, .svg, .pdf"),
        (["coefficients", "model.json", "-o", "data.parquet"], "data.parquet: a picture's name"),
        (["coefficients", "gone.json", "-o", "x.png"], "gone.json: No such file"),
        (["convergence", "model.json", "-o", "x.png"], "model must have a history"),
        (["roc", "model.json", "data.parquet", "-o", "x.png"], "label must say which column"),
        (
            ["roc", "model.json", "data.parquet", "--label", "tt", "-o", "x.png"],
            "data.parquet: missing column 'tt' (is it 't'?)",
        ),
        (["logistic", "-o", "gone/x.png"], "gone/x.png: cannot write here"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_plot_fails_in_one_line(fails, words, message):
    assert message in fails("plot", *words)


def test_plot_replaces_only_if_told_to(fails, here):
    Path("x.svg").write_text("mine")
    assert "--force replaces it" in fails("plot", "logistic", "-o", "x.svg")
    assert main(["plot", "logistic", "-o", "x.svg", "--force"]) == 0
    assert Path("x.svg").read_text().startswith("<?xml")


def test_matplotlib_that_is_not_installed(fails, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("fastlogit.plot")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(fl, "plot")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    assert "pip install 'fastlogit[plot]'" in fails("plot", "logistic", "-o", "x.svg")


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion(capsys, shell):
    with pytest.raises(SystemExit) as end:
        main(["--print-completion", shell])
    assert end.value.code == 0
    script = capsys.readouterr().out
    for word in ("score", "evaluate", "--keep", "--categorical", "log-probability"):
        assert word in script


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes(here):
    script = """
        eval "$(%s -m fastlogit --print-completion bash)"
        COMP_WORDS=(fastlogit sc) COMP_CWORD=1; _shtab_fastlogit; echo "${COMPREPLY[@]}"
        COMP_WORDS=(fastlogit score mod) COMP_CWORD=2; _shtab_fastlogit; echo "${COMPREPLY[@]}"
        COMP_WORDS=(fastlogit score --miss) COMP_CWORD=2; _shtab_fastlogit; echo "${COMPREPLY[@]}"
    """
    done = subprocess.run(
        ["bash", "-c", script % sys.executable], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["score", "model.json", "--missing"]


def test_text_is_trained_on_and_scored(here, capsys):
    rows = 300
    table = pa.table(
        {
            "x": np.arange(rows) / rows,
            "k": np.array(["a", "b", "c"])[np.arange(rows) % 3],
            "t": np.arange(rows) % 2,
            "id": [f"row {row}" for row in range(rows)],
        }
    )
    pq.write_table(table, "text.parquet")
    assert (
        main([*["train", "text.parquet", "--label", "t", "--ignore", "id", "-o", "text.json"]]) == 0
    )
    model = fl.load("text.json")
    assert model.feature_names == ("x", "k=a", "k=b", "k=c")
    assert model.categories == {"k": ("a", "b", "c")}
    argv = [
        *[
            "train",
            "text.parquet",
            "--label",
            "t",
            "--ignore",
            "id",
            "--l2",
            "0",
            "--force",
            "-o",
            "text.json",
        ]
    ]
    assert main(argv) == 0
    model = fl.load("text.json")
    assert model.feature_names == ("x", "k=b", "k=c")
    assert model.converged
    pa.csv.write_csv(table.append_column("k2", table["k"]), "text.csv")
    assert main(["score", "text.json", "text.csv", "-o", "y.parquet"]) == 0
    expected = model.predict_proba(table.select(["x", "k"]))[:, 1]
    np.testing.assert_array_equal(pq.read_table("y.parquet")["probability"], expected)
    capsys.readouterr()

    pa.csv.write_csv(table.set_column(1, "k", [["d"] * rows]), "text.csv")
    command = ["score", "text.json", "text.csv", "-o", "z.parquet"]
    assert main(command) == 1
    assert capsys.readouterr().err == (
        "fastlogit: error: text.csv: column 'k' has 'd' in row 0, which the model does not know "
        "(--unknown ignore scores such rows as if that column added nothing)\n"
    )
    assert (
        main([*["score", "text.json", "text.csv", "-o", "z.parquet", "--unknown", "ignore"]]) == 0
    )
    assert "note: met 300 texts unknown to the model\n" in capsys.readouterr().err


# Pipes in which nothing comes --------------------------------------------------------------


@contextlib.contextmanager
def running(*argv):
    """A command that reads the text of more than one block from a pipe which stays open."""
    with subprocess.Popen(
        [sys.executable, "-m", "fastlogit", *argv], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()


@pytest.mark.skipif(sys.platform == "win32", reason="has other signals")
@pytest.mark.parametrize("command", ["score", "evaluate"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_while_it_waits_for_a_pipe(here, command, number, status):
    options = ["-o", "y.csv"] if command == "score" else ["--label", "t"]
    with running(command, "model.json", "-", *options, "-q") as process:
        process.stdin.write(b"x,k,t\n" + b"1.5,2,1\n" * 3_000_000)
        process.stdin.flush()
        time.sleep(0.5)
        process.send_signal(number)
        assert process.wait(timeout=60) == status
        assert process.stderr.read() == b""
    assert not list(here.glob("*y.csv*"))


@pytest.mark.skipif(sys.platform == "win32", reason="has no such pipes")
@pytest.mark.usefixtures("here")
def test_an_error_ends_it_while_a_pipe_is_open():
    with running("score", "model.json", "-", "-o", "y.csv") as process:
        with contextlib.suppress(BrokenPipeError):  # when it has ended
            process.stdin.write(b"x,k\n1.5,many\n" + b"1.5,2\n" * 3_000_000)
            process.stdin.flush()
        assert process.wait(timeout=60) == 1
        assert b"column 'k': row 0: " in process.stderr.read()


@pytest.mark.skipif(sys.platform == "win32", reason="has no such pipes")
def test_a_named_pipe_is_read(here):
    os.mkfifo("pipe")
    writer = threading.Thread(target=Path("pipe").write_bytes, args=[b"k,x\n1,2\n3,4\n"])
    writer.start()
    assert main(["score", "model.json", "pipe", "-o", "y.npy", "--output", "logit"]) == 0
    writer.join()
    assert np.load("y.npy").tolist() == [0.5 + 4 - 1, 0.5 + 8 - 3]


def test_closed_streams_are_errors_in_one_line(here, capsys, monkeypatch):
    for stream, argv in (
        ("stdin", ["score", "model.json", "-", "-o", "y.csv"]),
        ("stdout", ["score", "model.json", "data.parquet", "-o", "-"]),
        ("stdout", ["evaluate", "model.json", "data.parquet", "--label", "t"]),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(sys, stream, None)
            assert main(argv) == 1
        assert re.search("error: standard (in|out)put is closed\n$", capsys.readouterr().err)


def closed(stream, *argv):
    """Run a command without one of its streams, as a shell does."""
    script = f'exec "$@" {stream}'
    command = ["sh", "-c", script, "sh", sys.executable, "-W", "error", "-m", "fastlogit", *argv]
    return subprocess.run(command, capture_output=True, check=False)


@pytest.mark.skipif(sys.platform == "win32", reason="has no such shell")
@pytest.mark.parametrize("command", [SCORE, TRAIN])
def test_standard_output_may_be_closed_where_nothing_is_written_to_it(here, command):
    assert closed(">&-", *command).returncode == 0
    assert (here / command[-1]).stat().st_size > 0


@pytest.mark.skipif(sys.platform == "win32", reason="has no such shell")
def test_standard_error_may_be_closed(here):
    score = [*SCORE[:-1], "-"]
    done = closed("2>&-", *score)
    assert (done.returncode, done.stdout) == (0, run(*score).stdout)
    assert closed("2>&-", *SCORE).stdout == b""
    assert (here / "y.csv").read_bytes() == done.stdout
    done = closed("2>&-", *SCORE)  # which exists
    assert (done.returncode, done.stdout) == (1, b"")


def test_what_cannot_be_written_is_said_before_any_work(fails):
    score = ["score", "model.json", "data.parquet"]
    message = "y.parquet: cannot be written: Unsupported compression: foo"
    assert message in fails(*score, "-o", "y.parquet", "--compression", "foo")
    message = "standard output cannot be npy"
    assert message in fails(*score, "-o", "-", "--output-format", "npy")
    pq.write_table(pa.table({**ROWS, "id": [2**53 + 1] * 5}), "ids.parquet")
    message = "a .npy file holds float64; column 'id' has larger integers"
    assert message in fails("score", "model.json", "ids.parquet", "-o", "y.npy", "--keep", "id")
    message = "column 'x' is a feature of the model, so it cannot be the label"
    assert message in fails("evaluate", "model.json", "data.parquet", "--label", "x")


def test_two_runs_do_not_write_one_output(here, fails):
    with files.replacing(here / "y.csv", alone=True):
        assert "y.csv: cannot write here: another run writes it" in fails(*SCORE)
    assert (here / "y.csv").exists()


def test_what_came_meanwhile_is_not_replaced(here, capsys, monkeypatch):
    whole = sink._grouped

    @contextlib.contextmanager
    def slow(write, schema):
        with whole(write, schema) as add:
            yield add
        Path("y.csv").write_text("mine")

    monkeypatch.setattr(sink, "_grouped", slow)
    assert main(SCORE) == 1
    assert "y.csv: exists already" in capsys.readouterr().err
    assert Path("y.csv").read_text() == "mine"


# What people have -------------------------------------------------------------------------


def test_a_spreadsheet_is_trained_on_by_doing_what_the_errors_say(here, capsys):
    rng = np.random.default_rng(5)
    lines = [";Datum;Einkommen;Distanz;Stadt;Abo;Kunde;gekauft"]
    for row in range(80):
        income = rng.integers(900, 9000)
        amount = f"{income // 1000}.{income % 1000:03d},50" if income >= 1000 else f"{income},50"
        distance = {3: "", 5: " ", 7: "k.A."}.get(row, f"{row % 9},{row % 7}")
        city, member = ["Köln", "Bonn"][row % 2], ["True", "False"][row % 3 // 2]
        bought = "ja" if income + 2000 * rng.normal() > 5000 else "nein"
        day = f"{row % 28 + 1:02d}.02.2024"
        cells = [row, day, amount, distance, city, member, f"K{row:03d}", bought]
        lines.append(";".join(map(str, cells)))
    Path("kunden.csv").write_bytes("\n".join(lines).encode("cp1252"))

    command, model = ["train", "kunden.csv", "-o", "m.json"], "m.json"
    for message, remedy in [
        ("must be UTF-8 text", "--encoding cp1252"),
        ("has ';' and no ','", "--delimiter ';'"),
        ("--label must say which column", "--label gekauft"),
        ("column 'Distanz' has 2 missing values in 80 rows", "--missing skip"),
        ("column 'Einkommen' looks like formatted numbers", "--thousands . --decimal ,"),
        ("column 'Datum' looks like dates or times", "--ignore Datum"),
        ("as 'k.A.' in row 7", "--null-values k.A. NA N/A NULL null"),
        ("column 'Kunde' has 77 different texts in 77 rows", "--ignore Kunde"),
    ]:
        assert main(command) == 1
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert message in err
        assert remedy.split()[0] in err
        if not remedy.startswith(("--label", "--ignore")):
            assert remedy in err
        command += shlex.split(remedy)
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert "rows           77\n" in out
    assert err == (
        "fastlogit: note: left out column '' of kunden.csv, which is an index of the rows (under "
        "another name it is a feature)\n"
        "fastlogit: note: left out 3 rows of kunden.csv with a missing value\n"
    )
    trained = fl.load(model)
    assert trained.feature_names == ("Einkommen", "Distanz", "Abo", "Stadt=Bonn", "Stadt=Köln")
    assert trained.classes == ("ja", "nein")

    how = [*shlex.split("--encoding cp1252 --delimiter ';' --thousands . --decimal ,")]
    how += ["--null-values", "k.A."]
    score = ["score", model, "kunden.csv", "-o", "y.csv", "--missing", "skip", "--output", "label"]
    assert main([*score, "--keep", "Kunde", *how, "-q"]) == 0
    assert len(Path("y.csv").read_text().splitlines()) == 78
    first = Path("y.csv").read_text().splitlines()[1].replace('"', "")
    assert first in ("K000,ja", "K000,nein")
    assert main(["evaluate", model, "kunden.csv", "--label", "gekauft", *how, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mean_log_loss"] == pytest.approx(
        trained.mean_log_loss
    )


TRUE_OR_FALSE = "x,is,late\n0.5,True,no\n2,False,yes\n1,True,yes\n0,True,no\n-0.5,False,yes\n"


def test_labels_and_features_of_any_kind_go_through_all_commands(here, capsys):
    Path("in.csv").write_text(TRUE_OR_FALSE)
    assert main(["train", "in.csv", "--label", "late", "-o", "m.json"]) == 0
    model = fl.load("m.json")
    assert (model.classes, model.feature_names) == (("no", "yes"), ("x", "is"))
    X = np.column_stack([[0.5, 2, 1, 0, -0.5], [1, 0, 1, 1, 0]])
    np.testing.assert_array_equal(model.coef, fl.fit(X, [0, 1, 1, 0, 1]).coef)
    assert main(["score", "m.json", "in.csv", "-o", "y.csv", "--output", "label", "-q"]) == 0
    written = [line.strip('"') for line in Path("y.csv").read_text().split()[1:]]
    assert written == model.predict(X).tolist()
    capsys.readouterr()
    assert main(["evaluate", "m.json", "in.csv", "--label", "late", "--json"]) == 0
    accuracy = json.loads(capsys.readouterr().out)["accuracy"]
    assert accuracy == np.mean(model.predict(X) == ["no", "yes", "yes", "no", "yes"])
    assert main(["plot", "roc", "m.json", "in.csv", "--label", "late", "-o", "x.svg"]) == 0

    train = ["train", "in.csv", "--label", "late", "--force", "-o", "m.json"]
    assert main([*train, "--positive", "no"]) == 0
    other = fl.load("m.json")
    assert other.classes == ("yes", "no")
    np.testing.assert_allclose(other.coef, -model.coef, rtol=1e-6)
    assert main([*train[:2], "--label", "is", *train[4:], "--categorical", "late"]) == 0
    assert fl.load("m.json").classes == (False, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--positive", "maybe"],
            "--positive must be a label of column 'late', 'no' or 'yes'; got",
        ),
        (
            ["--weight", "late"],
            "--weight must be a column of its own; got 'late', which is the lab",
        ),
        (["--weight", "x"], "column 'x' must be finite and not negative, as it is the weight; got"),
        (["--offset", "z"], "missing column 'z'"),
        (["--input-format", "excel"], "--input-format must be one of parquet, "),
    ],
)
def test_options_of_train_are_named_in_errors(fails, options, message):
    Path("in.csv").write_text(TRUE_OR_FALSE)
    assert message in fails("train", "in.csv", "--label", "late", "-o", "m.json", *options)


def test_train_takes_weights_and_offsets(here):
    table = {**ROWS, "w": [1, 2, 1, 3, 0], "o": [0.5, 0.0, -1.0, 0.0, 2.0]}
    pq.write_table(pa.table(table), "data.parquet")
    assert main([*TRAIN, "--weight", "w", "--offset", "o"]) == 0
    model = fl.load("m.json")
    X = np.column_stack([ROWS["x"], ROWS["k"]])
    expected = fl.fit(X, ROWS["t"], weight=table["w"], offset=table["o"])
    np.testing.assert_array_equal(model.coef, expected.coef)
    assert model.intercept == expected.intercept
    assert model.feature_names == ("x", "k")


def test_train_takes_libsvm(here, capsys):
    Path("in.txt").write_text("+1 1:0.5 3:1\n-1 1:-1\n+1 2:3\n-1 3:0.5\n")
    train = ["train", "in.txt", "--input-format", "libsvm", "-o", "svm.json"]
    assert main(train) == 0
    assert "features       3\n" in capsys.readouterr().out
    assert main([*train, "--columns", "5", "--force"]) == 0
    model = fl.load("svm.json")
    assert (model.coef.size, model.classes, model.feature_names) == (5, (-1, 1), None)
    options = ["--input-format", "libsvm", "--json"]
    capsys.readouterr()
    assert main(["evaluate", "svm.json", "in.txt", *options]) == 0
    assert json.loads(capsys.readouterr().out)["mean_log_loss"] == pytest.approx(
        model.mean_log_loss
    )
    assert main([*train, "--label", "0", "--force"]) == 1
    assert "--label must not be given for LIBSVM" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["evaluate", "plot"])
def test_rows_without_a_label_are_left_out_unless_they_are_errors(here, capsys, command):
    pq.write_table(pa.table({**ROWS, "t": [0, 1, None, 0, 1]}), "gaps.parquet")
    words = ["evaluate"] if command == "evaluate" else ["plot", "roc"]
    words += ["model.json", "gaps.parquet", "--label", "t"]
    words += ["-o", "x.svg"] if command == "plot" else []
    assert main(words) == 0
    shown = capsys.readouterr().out if command == "evaluate" else Path("x.svg").read_text()
    assert "left out     1" in shown or "4 of 5 rows" in shown
    assert main([*words, "--missing", "error", *["--force"] * (command == "plot")]) == 1
    assert capsys.readouterr().err == (
        "fastlogit: error: gaps.parquet: row 2 has no label (--missing skip leaves out such rows)\n"
    )


# How a CSV is written ----------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [";", r"\t"])
def test_every_command_that_reads_a_csv_takes_how_it_is_written(tmp_path, capsys, delimiter):
    rows = ["late;delay;rate", "0;1.234;1,5", "1;-;2,5", "1;2;é", "0;3.000;0,5", "1;1;3,5"]
    text = "\n".join(rows).replace(";", delimiter.replace(r"\t", "\t"))
    (tmp_path / "x.csv").write_bytes(text.encode("utf-16"))
    how = ["--delimiter", delimiter, "--decimal", ",", "--thousands", ".", "--encoding", "utf16"]
    how += ["--null-values", "-", "é"]
    source, model = str(tmp_path / "x.csv"), str(tmp_path / "m.json")
    label = ["--label", "late"]
    assert main(["train", source, *label, "-o", model, "--missing", "skip", *how]) == 0
    assert "left out 2 rows" in capsys.readouterr().err
    expected = fl.fit([[1234.0, 1.5], [3000.0, 0.5], [1.0, 3.5]], [0, 0, 1])
    np.testing.assert_allclose(fl.load(model).coef, expected.coef, rtol=1e-6)
    scores = str(tmp_path / "y.csv")
    assert main(["score", model, source, "-o", scores, "--missing", "nan", *how]) == 0
    assert main(["evaluate", model, source, *label, "--json", *how]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 3
    assert main(["plot", "roc", model, source, *label, "-o", str(tmp_path / "roc.svg"), *how]) == 0


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--delimiter", ";;"], "--delimiter must be one ASCII character that no number has"),
        (["--decimal", ";"], "--decimal must be '.' or ','; got ';'"),
        (["--thousands", "."], "--thousands must be one character"),
        (["--encoding", "utf-99"], "--encoding must be one that Python knows"),
    ],
)
def test_how_no_csv_is_written(tmp_path, capsys, option, message):
    (tmp_path / "x.csv").write_text("t,x\n0,1\n1,2\n")
    command = ["train", str(tmp_path / "x.csv"), "--label", "t", "-o", str(tmp_path / "m.json")]
    assert main([*command, *option]) == 1
    assert capsys.readouterr().err.startswith(f"fastlogit: error: {message}")


@pytest.mark.parametrize(
    ("labels", "options", "line"),
    [
        (["no", "yes"], [], "positive       'yes' (--positive chooses)"),
        (["no", "yes"], ["--positive", "no"], "positive       'no' (--positive chooses)"),
        (["1", "2"], [], "positive       2 (--positive chooses)"),
        (["-1", "1"], [], "positive       1 (--positive chooses)"),
        (["0", "1"], ["--positive", "0"], "positive       0 (--positive chooses)"),
        (["0", "1"], [], None),
        (["False", "True"], [], None),
        (["0.25", "1"], [], None),
    ],
)
def test_train_says_which_label_is_positive(here, capsys, labels, options, line):
    rows = "".join(f"{x},{labels[x in (2, 3, 5)]}\n" for x in range(6))
    (here / "labels.csv").write_text(f"x,t\n{rows}")
    command = ["train", "labels.csv", "--label", "t", "-o", "trained.json", "--l2", "0.1"]
    assert main([*command, *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [one for one in lines if one.startswith("positive")] == [line] * (line is not None)


def test_train_notes_a_category_for_each_row(here, capsys):
    rows = "".join(f"name{x},{x % 2}\n" for x in range(20))
    (here / "names.csv").write_text(f"k,t\n{rows}")
    assert main(["train", "names.csv", "--label", "t", "-o", "trained.json"]) == 0
    assert capsys.readouterr().err == (
        "fastlogit: note: column 'k' of names.csv has a category for each of its 20 rows "
        "(--ignore k leaves it out)\n"
    )
