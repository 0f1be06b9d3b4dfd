"""Checkpoints: interrupted training goes on, and ends with the same bits."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import warnings
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastlogit as fl
from fastlogit.training import checkpoint as checkpoint_module
from fastlogit.training.dataset import Dataset
from fastlogit.training.partitions.dataset import _SumsTask

RNG = np.random.default_rng(28)
X = RNG.normal(size=(400, 3))
Z = X @ [1.0, -2.0, 0.5]
TWO = (RNG.random(400) < fl.sigmoid(Z)) * 1.0
THREE = np.argmax(np.column_stack([Z, -Z, X[:, 0]]) + RNG.gumbel(size=(400, 3)), axis=1)
# With enough rows that sampled-newton draws a sample.
LONG_X = RNG.normal(size=(50_000, 2))
LONG_T = (RNG.random(50_000) < fl.sigmoid(LONG_X @ [1.0, -1.0])) * 1.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a table in three files, so that a read has several batches."""
    made = tmp_path_factory.mktemp("table")
    table = pa.table(
        {
            **{f"x{j}": X[:, j] for j in range(3)},
            "k": np.array(["a", "b", "c"])[np.arange(400) % 3],
            "o": 0.1 * X[:, 1],
            "two": TWO.astype(np.int8),
            "three": np.array(["low", "middle", "high"])[THREE],
        }
    )
    for number, rows in enumerate(np.array_split(np.arange(400), 3)):
        pq.write_table(table.take(rows), made / f"{number}.parquet")
    return made


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.ckpt"


def trained(*data, **options):
    """A model as its file has it, without times."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content = fl.fit(*data, **options).content()
    content["seconds"] = content["history"]["seconds"] = None
    return json.dumps(content)


class Reads:
    """Counts passes over all rows, and interrupts after `most` of them."""

    def __init__(self, monkeypatch):
        self.count, self.most = 0, None
        read = Dataset._read

        def counted(dataset, question, theta):
            if dataset.n not in (len(X), len(LONG_X)):  # a sample
                return read(dataset, question, theta)
            if self.count == self.most:
                raise KeyboardInterrupt
            self.count += 1
            return read(dataset, question, theta)

        monkeypatch.setattr(Dataset, "_read", counted)

    def made_by(self, work, most=None):
        """The result of a function, or None if it was interrupted; and the passes."""
        self.count, self.most = 0, most
        with contextlib.suppress(KeyboardInterrupt):
            return work(), self.count
        return None, self.count


@pytest.fixture
def reads(monkeypatch):
    return Reads(monkeypatch)


# Interruptions ----------------------------------------------------------------------------

IN_MEMORY = {
    "newton": (X, TWO, {"solver": "newton"}),
    "newton without a penalty": (X, TWO, {"solver": "newton", "l2": 0}),
    "newton of three classes": (X, THREE, {"solver": "newton", "l2": 0}),
    "lbfgs": (X, TWO, {"solver": "lbfgs", "weight": 1.0 + TWO}),
    "lbfgs of three classes": (X, THREE, {"solver": "lbfgs", "l2": 100}),
    "gradient descent": (X, TWO, {"solver": "gradient-descent", "max_passes": 6}),
    "a sample": (LONG_X, LONG_T, {"solver": "sampled-newton"}),
    "a sample without a penalty": (LONG_X, LONG_T, {"solver": "sampled-newton", "l2": 0}),
    "separated labels": (X, Z > 0, {"l2": 0}),
    "collinear columns": (np.ascontiguousarray(X[:, [0, 1, 0]]), TWO, {"l2": 0}),
    "a start": (X, TWO, {"start": fl.LogisticModel([0.5, -1.0, 0.5])}),
}
STREAMED = {
    "newton": {"label": "two", "ignore": ["three", "o"]},
    "categories, without a penalty": {"label": "two", "ignore": ["three", "o"], "l2": 0},
    "offsets and a start": {
        "label": "two",
        "offset": "o",
        "ignore": ["three", "k"],
        "start": fl.LogisticModel([0.5, -1.0, 0.5]),
    },
    "three classes": {"label": "three", "ignore": ["two", "o"], "l2": 0},
}


def resumed_after_each_pass(reads, path, work, *, repeats_the_first):
    """Check a training that is interrupted after each of its passes."""
    plain, _ = reads.made_by(work)
    whole, passes = reads.made_by(lambda: work(checkpoint=path))
    assert whole == plain
    again, repeated = reads.made_by(lambda: work(checkpoint=path, resume=True))
    assert (again, repeated) == (whole, int(repeats_the_first))
    path.unlink()
    found, total, attempts = None, 0, 0
    while found is None:
        # The first pass is made again where only that shows that the rows are the same.
        most = 1 + (repeats_the_first and attempts > 0)
        found, made = reads.made_by(lambda: work(checkpoint=path, resume=True), most)
        total, attempts = total + made, attempts + 1
        assert attempts <= passes + 1
    assert found == whole
    assert attempts >= passes
    assert total == passes + (attempts - 1) * repeats_the_first


@pytest.mark.parametrize("case", IN_MEMORY)
def test_training_in_memory_is_resumed_after_each_pass(reads, path, case):
    features, t, options = IN_MEMORY[case]

    def work(**checkpoint):
        return trained(features, t, **options, **checkpoint)

    resumed_after_each_pass(reads, path, work, repeats_the_first=True)


@pytest.mark.parametrize("case", STREAMED)
def test_training_out_of_core_is_resumed_after_each_pass(reads, path, folder, case):
    def work(**checkpoint):
        return trained(folder, out_of_core=True, **STREAMED[case], **checkpoint)

    resumed_after_each_pass(reads, path, work, repeats_the_first=False)


def test_a_table_without_files_is_resumed_after_each_pass(reads, path, folder):
    table = pq.read_table(folder)

    def work(**checkpoint):
        return trained(table, out_of_core=True, **STREAMED["newton"], **checkpoint)

    resumed_after_each_pass(reads, path, work, repeats_the_first=True)


def test_files_that_are_read_into_memory_need_no_repeated_pass(reads, path, folder):
    def work(**checkpoint):
        return trained(folder, out_of_core=False, **STREAMED["newton"], **checkpoint)

    resumed_after_each_pass(reads, path, work, repeats_the_first=False)


# The same rows ----------------------------------------------------------------------------

ROWS = {"solver": "newton"}


def changed(array, *place):
    copy = array.copy()
    copy[place] += 1e-9
    return copy


@pytest.mark.parametrize(
    "other",
    [
        (changed(X, 399, 2), TWO),
        (X, 1.0 - TWO),
        (X, TWO, {"weight": changed(np.ones(400), 7)}),
        (X, TWO, {"offset": changed(np.zeros(400), 7)}),
        (X[:-1], TWO[:-1]),
        (np.ascontiguousarray(X[:, :2]), TWO),
        (X, THREE),
    ],
    ids=["X", "t", "weight", "offset", "a row", "a column", "classes"],
)
def test_other_rows_in_memory_are_an_error(path, other):
    trained(X, TWO, checkpoint=path)
    kept = path.read_bytes()
    features, t, *options = other
    message = f"{path}: cannot be resumed, as its training differs in the rows"
    with pytest.raises(ValueError, match=message):
        fl.fit(features, t, checkpoint=path, resume=True, **dict(*options))
    assert path.read_bytes() == kept


def test_other_files_and_other_options_for_rows_are_an_error(path, tmp_path, folder):
    table = tmp_path / "table"
    table.mkdir()
    for file in folder.iterdir():
        (table / file.name).write_bytes(file.read_bytes())
    options = {"label": "two", "ignore": ["three", "o"], "out_of_core": True}
    trained(table, checkpoint=path, **options)
    kept = path.read_bytes()
    for difference, changes in [
        ("an option", {"ignore": ["three"]}),
        ("an option", {"label": "three", "ignore": ["two", "o"]}),
        ("an option", {"class_weight": "balanced"}),
        ("an option", {"seed": 1}),
        ("out_of_core", {"out_of_core": False}),
        ("the input", None),
    ]:
        if changes is None:
            os.utime(table / "1.parquet", (0, 0))
        with pytest.raises(ValueError, match=f"as its training differs in {difference}$"):
            fl.fit(table, checkpoint=path, resume=True, **options | (changes or {}))
        assert path.read_bytes() == kept


def test_another_version_is_an_error(path, monkeypatch):
    trained(X, TWO, checkpoint=path)
    monkeypatch.setattr(checkpoint_module, "__version__", "0.0.0")
    with pytest.raises(ValueError, match=r"differs in the version of fastlogit$"):
        fl.fit(X, TWO, checkpoint=path, resume=True)


def test_options_that_change_no_pass_may_differ(reads, path):
    few, _ = reads.made_by(lambda: trained(X, TWO, **ROWS, max_passes=2, checkpoint=path))
    assert not json.loads(few)["converged"]
    plain, passes = reads.made_by(lambda: trained(X, TWO, **ROWS))
    more = reads.made_by(lambda: trained(X, TWO, **ROWS, checkpoint=path, resume=True))
    assert more == (plain, passes - 2 + 1)
    finer, _ = reads.made_by(lambda: trained(X, TWO, **ROWS, tol=1e-12))
    again, made = reads.made_by(
        lambda: trained(X, TWO, **ROWS, tol=1e-12, threads=1, checkpoint=path, resume=True)
    )
    assert again == finer
    assert made <= 2


def test_callbacks_are_called_for_all_points_again(path):
    points, again = [], []
    fl.fit(X, TWO, **ROWS, checkpoint=path, callback=points.append)
    fl.fit(X, TWO, **ROWS, checkpoint=path, resume=True, callback=again.append)
    assert [one[:4] for one in again] == [one[:4] for one in points]


def test_a_model_has_no_times(path, tmp_path):
    model = fl.fit(X, TWO, **ROWS, checkpoint=path)
    assert np.isnan(model.seconds)
    assert np.isnan(model.history.seconds).all()
    model.save(tmp_path / "model.json")
    read = fl.load(tmp_path / "model.json")
    assert np.isnan(read.seconds)
    assert np.isnan(read.history.seconds).all()
    assert read.history[:4] == model.history[:4]
    assert "nan" not in model.summary()


# The file ---------------------------------------------------------------------------------


def test_an_existing_checkpoint_needs_resume(path):
    plain = trained(X, TWO, **ROWS, checkpoint=path)
    kept = path.read_bytes()
    with pytest.raises(FileExistsError, match=r"exists already \(resume=True goes on with it"):
        fl.fit(X, TWO, checkpoint=path)
    assert path.read_bytes() == kept
    path.unlink()
    for left in (b"", kept[:20], kept[:100]):  # a kill in the first line leaves no results
        path.write_bytes(left)
        assert trained(X, TWO, **ROWS, checkpoint=path, resume=bool(left)) == plain


@pytest.mark.parametrize("content", [b"x,t\n1,0\n", b"{}\n", b"[" * 100_000, b"\xff" * 100_000])
def test_a_file_of_anything_else_is_an_error(path, content):
    path.write_bytes(content)
    for resume in (False, True):
        with pytest.raises(ValueError, match=f"{path}: is no checkpoint of a training$"):
            fl.fit(X, TWO, checkpoint=path, resume=resume)
    assert path.read_bytes() == content


def test_arguments_are_checked(path, tmp_path):
    with pytest.raises(ValueError, match="resume must go with checkpoint"):
        fl.fit(X, TWO, resume=True)
    with pytest.raises(TypeError, match="resume must be True or False"):
        fl.fit(X, TWO, checkpoint=path, resume=1)
    with pytest.raises(TypeError, match="checkpoint must be a path; got 7"):
        fl.fit(X, TWO, checkpoint=7)
    with pytest.raises(FileNotFoundError):
        fl.fit(X, TWO, checkpoint=tmp_path / "nowhere" / "run.ckpt")
    # Nothing is left of a training that had no pass.
    with pytest.raises(ValueError, match="tol must be"):
        fl.fit(X, TWO, checkpoint=path, tol=-1)
    with pytest.raises(ValueError, match="t must have"):
        fl.fit(X, TWO[:3], checkpoint=path)
    assert not path.exists()


def test_only_one_process_uses_a_checkpoint(path):
    def other(progress):
        with pytest.raises(BlockingIOError, match="another run writes it"):
            fl.fit(X, TWO, checkpoint=path, resume=True)
        return True

    with pytest.warns(fl.ConvergenceWarning):
        fl.fit(X, TWO, checkpoint=path, callback=other)


def test_a_damaged_checkpoint_gives_the_same_or_an_error(path):
    whole = trained(X, TWO, **ROWS, checkpoint=path)
    kept = path.read_bytes()
    outcomes = []
    for place in RNG.integers(len(kept), size=12):
        damaged = bytearray(kept)
        damaged[place] ^= 1 << int(RNG.integers(8))
        for content in (kept[:place], bytes(damaged)):
            path.write_bytes(content)
            try:
                outcomes.append(trained(X, TWO, **ROWS, checkpoint=path, resume=True) == whole)
                assert path.read_bytes() == kept
            except ValueError as error:
                assert str(error).startswith(f"{path}: ")  # noqa: PT017
                assert path.read_bytes() == content
    assert all(outcomes)
    assert len(outcomes) > 12


def test_a_full_disk_is_one_clear_error(path):
    whole = trained(X, TWO, **ROWS, checkpoint=path)
    kept = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for size in (len(kept) - 300, 500, 100):
        path.unlink()
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
            with pytest.raises(OSError, match=f"^{path}: cannot be written: File too large$"):
                fl.fit(X, TWO, **ROWS, checkpoint=path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert path.exists() == (size > 500)
        assert trained(X, TWO, **ROWS, checkpoint=path, resume=True) == whole
        assert path.read_bytes() == kept


# Interrupts and kills -----------------------------------------------------------------------


def interrupted_in_a_pass(work):
    """Call a function that must be interrupted, and give the seconds that its end takes."""
    sent = []

    def send():
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.5, send)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        work()
    return time.perf_counter() - sent[0]


def test_an_interrupt_ends_a_pass_in_memory_within_a_second(path, monkeypatch):
    whole = trained(X, TWO, **ROWS, checkpoint=path)
    kept = path.read_bytes()
    path.write_bytes(kept[:-1])  # without the result of the last pass
    # All rows lie in the same memory.  A pass takes seconds.
    rows, t = np.broadcast_to(np.ones(64), (20_000_000, 64)), np.zeros(20_000_000, np.float32)

    def slow(dataset, question, theta, n=20_000_000):
        fl.linear.log_loss_gradient_hessian(rows[:n], t[:n], np.zeros(64))

    slow(None, None, None, 100_000)  # compiles
    monkeypatch.setattr(Dataset, "_read", slow)
    work = partial(fl.fit, X, TWO, **ROWS, checkpoint=path, resume=True)
    assert interrupted_in_a_pass(work) < 1.0
    monkeypatch.undo()
    assert trained(X, TWO, **ROWS, checkpoint=path, resume=True) == whole
    assert path.read_bytes() == kept


def test_an_interrupt_ends_a_pass_out_of_core_within_a_second(path, folder, monkeypatch):
    options = {"out_of_core": True, **STREAMED["newton"]}
    whole = trained(folder, checkpoint=path, **options)
    kept = path.read_bytes()
    path.write_bytes(kept[:-1])
    of_batch = _SumsTask.of_batch

    def slow(task, batch):
        time.sleep(2.0)
        return of_batch(task, batch)

    monkeypatch.setattr(_SumsTask, "of_batch", slow)
    work = partial(fl.fit, folder, checkpoint=path, resume=True, threads=1, **options)
    assert interrupted_in_a_pass(work) < 1.0
    monkeypatch.undo()
    assert trained(folder, checkpoint=path, resume=True, **options) == whole
    assert path.read_bytes() == kept


# Kills a training at random moments and resumes it, until it has been killed 20 times.
_KILL = """
import json, os, random, signal, sys, time
from pathlib import Path
from fastlogit.cli import main
from fastlogit.training.partitions.dataset import _SumsTask

of_batch = _SumsTask.of_batch
def slow(task, batch):
    time.sleep(0.004)
    return of_batch(task, batch)
_SumsTask.of_batch = slow

def run(model, checkpoint):
    files = ["-o", model, "--checkpoint", checkpoint, "--resume"]
    return main(["train", *sys.argv[1:], *files, "--out-of-core", "-q", "--threads", "1"])

start = time.perf_counter()
assert run("whole.json", "whole.ckpt") == 0
seconds = time.perf_counter() - start
start = time.perf_counter()
assert run("again.json", "again.ckpt") == 0
seconds = min(seconds, time.perf_counter() - start)
whole = Path("whole.json").read_bytes()
rng, kills, lengths, models = random.Random(28), 0, set(), []
while kills < 20:
    if (child := os.fork()) == 0:
        os._exit(run("out.json", "out.ckpt"))
    time.sleep(rng.random() * seconds)
    os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -9), status
    kills += status == -9
    if Path("out.ckpt").exists():
        lengths.add(Path("out.ckpt").stat().st_size)
    if Path("out.json").exists():
        models.append(Path("out.json").read_bytes())
        if status == 0:
            Path("out.json").unlink()
assert run("out.json", "out.ckpt") == 0
models.append(Path("out.json").read_bytes())
same = all(model == whole for model in models)
print(json.dumps([same, len(lengths), sorted(path.name for path in Path().iterdir())]))
"""


def test_a_killed_training_is_resumed_to_the_same_bytes(tmp_path, folder):
    command = [str(folder), "--label", "two", "--ignore", "three", "o", "--l2", "0"]
    done = subprocess.run(
        [sys.executable, "-c", _KILL, *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    same, lengths, names = json.loads(done.stdout)
    assert same
    assert lengths > 2
    assert names == ["again.json", "out.json", "whole.json"]
