"""The journal of an interrupted run, and when the run is resumed."""

from __future__ import annotations

import json
import os
from contextlib import nullcontext

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastlogit as fl
from fastlogit.cli import main
from fastlogit.scoring.journal import Journal
from tests import processes
from tests.scoring_data import LONG_MODEL, LONG_ROWS, PAIR_MODEL


@pytest.mark.parametrize("changed", ["model", "input", "option"])
def test_a_run_is_resumed_only_with_the_same_options(tmp_path, long_source, changed):
    model = LONG_MODEL
    mine, sink = tmp_path / "in.parquet", tmp_path / "out.parquet"
    mine.write_bytes(long_source.read_bytes())

    def interrupt(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fl.score(model, mine, sink, missing="nan", progress=interrupt)
    journal = tmp_path / ".out.parquet.journal"
    content = journal.read_bytes()
    if changed == "model":
        model = fl.LogisticModel([1.0, -2.0], 0.2, ("a", "b"))
    if changed == "input":
        os.utime(mine, ns=(1, 1))
    missing = "skip" if changed == "option" else "nan"
    with pytest.raises(
        ValueError, match=rf"journal: cannot be resumed, as its run differs in .*{changed}"
    ):
        fl.score(model, mine, sink, missing=missing, resume=True)
    assert journal.read_bytes() == content
    fl.score(model, mine, sink, missing=missing)  # anew
    assert not journal.exists()


def test_batches_after_the_damage_of_a_journal_are_scored_again(tmp_path, long_source):
    sink = tmp_path / "out.parquet"

    def interrupt(done):
        if done.rows >= LONG_ROWS // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fl.score(
            LONG_MODEL, long_source, sink, missing="nan", batch_rows=10_000, progress=interrupt
        )
    journal = tmp_path / ".out.parquet.journal"
    damaged = bytearray(journal.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    journal.write_bytes(damaged)
    fl.score(LONG_MODEL, long_source, sink, missing="nan", resume=True)
    again = tmp_path / "again.parquet"
    fl.score(LONG_MODEL, long_source, again, missing="nan")
    assert again.read_bytes() == sink.read_bytes()


def test_a_wrong_argument_leaves_the_journal(tmp_path, long_source):
    def interrupt(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fl.score(LONG_MODEL, long_source, tmp_path / "out.csv", missing="nan", progress=interrupt)
    content = (tmp_path / ".out.csv.journal").read_bytes()
    with pytest.raises(ValueError, match="threads"):
        fl.score(
            LONG_MODEL, long_source, tmp_path / "out.csv", missing="nan", resume=True, threads=0
        )
    assert (tmp_path / ".out.csv.journal").read_bytes() == content


def test_a_journal_with_any_byte_replaced_gives_the_same_or_an_error(tmp_path):
    source, sink = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("x\n" + "".join(f"{row % 7}\n" for row in range(6_000)))
    model = fl.LogisticModel([1.0], 0.0, ("x",))
    fl.score(model, source, tmp_path / "whole.csv")
    whole = (tmp_path / "whole.csv").read_bytes()

    def interrupt(done):
        if done.rows == 150:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fl.score(model, source, sink, batch_rows=50, progress=interrupt)
    journal = tmp_path / ".out.csv.journal"
    content = journal.read_bytes()
    begin = content.index(b"\n") + 1
    resumed = 0
    # The first line, the head of the first record, then the whole file.
    places = [*range(0, begin, 7), *range(begin, begin + 40), *range(begin, len(content), 13)]
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        journal.write_bytes(damaged)
        error = ""
        try:
            fl.score(model, source, sink, resume=True, force=True)
        except ValueError as caught:
            error = str(caught)
        if error:
            assert place < begin
            assert "cannot be resumed, as its run differs in" in error
        else:
            assert sink.read_bytes() == whole
            resumed += 1
    assert resumed > len(places) // 2


@pytest.mark.parametrize("line", [b"", b"\n", b"[]\n", b"5\n", b"null\n", b"{}\n", b"\xff\n"])
def test_a_journal_without_batches_is_started_again(tmp_path, line):
    source, sink = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("x\n1\n")
    (tmp_path / ".out.csv.journal").write_bytes(line)
    assert fl.score(fl.LogisticModel([1.0]), source, sink, resume=True).rows == 1


@pytest.mark.parametrize("how", ["replaced", "cut", "gone"])
def test_a_run_is_not_resumed_on_another_input(tmp_path, refuses, how):
    source = tmp_path / "in.csv"
    source.write_text("b,a\n" + "1,2\n" * 1000)

    def interrupt(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fl.score(PAIR_MODEL, source, tmp_path / "y.csv", batch_rows=10, progress=interrupt)
    if how == "replaced":
        other = tmp_path / "other.csv"
        other.write_text("b,a\n" + "3,4\n" * 1000)  # of the same size
        other.replace(source)
    elif how == "cut":
        os.truncate(source, 2004)
    else:
        source.unlink()
    message = "No such file or directory" if how == "gone" else "differs in the input"
    assert message in refuses(PAIR_MODEL, source, "--resume", "--batch-rows", "10")


def test_a_run_with_a_kept_dictionary_is_resumed(tmp_path):
    source, sink = tmp_path / "in.parquet", tmp_path / "out.parquet"
    texts = pa.array([f"id {row % 7}" for row in range(2000)]).dictionary_encode()
    pq.write_table(pa.table({"x": np.arange(2000.0), "k": texts}), source)
    model = fl.LogisticModel([0.01], 0.0, ("x",))
    fl.score(model, source, tmp_path / "whole.parquet", keep=["k"])

    def interrupt(done):
        if done.rows >= 1000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fl.score(model, source, sink, keep=["k"], batch_rows=500, progress=interrupt)
    assert (tmp_path / ".out.parquet.journal").stat().st_size > 1000
    assert fl.score(model, source, sink, keep=["k"], resume=True).rows == 2000
    assert sink.read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def test_a_run_is_not_resumed_in_another_format(tmp_path):
    source = tmp_path / "in.svm"
    source.write_text("0 1:2.0\n" * 100)
    model = fl.LogisticModel([1.0, 2.0])

    def interrupt(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fl.score(model, source, tmp_path / "y.csv", progress=interrupt)
    with pytest.raises(ValueError, match="cannot be resumed, as its run differs in an option"):
        fl.score(model, source, tmp_path / "y.csv", source_format="libsvm0", resume=True)


def test_only_a_resumed_run_replaces_the_file_of_skipped_rows(tmp_path):
    source, sink, skipped = (tmp_path / name for name in ("in.csv", "y.csv", "skipped.csv"))
    source.write_text("x\n" + "1\nNA\n2\n" * 100)
    model = fl.LogisticModel([1.0], 0.0, ("x",))
    options = {"missing": "skip", "skipped": skipped, "batch_rows": 10}
    skipped.write_text("mine")
    with pytest.raises(FileExistsError, match=r"skipped\.csv: exists already"):
        fl.score(model, source, sink, resume=True, **options)
    assert skipped.read_text() == "mine"
    skipped.unlink()

    def interrupt(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fl.score(model, source, sink, progress=interrupt, **options)
    for other in {"skipped": None}, {"skipped": tmp_path / "other.csv"}:
        with pytest.raises(ValueError, match="cannot be resumed, as its run differs in an option"):
            fl.score(model, source, sink, resume=True, **options | other)
    skipped.write_text("of the run before")  # which died when it had written that
    assert fl.score(model, source, sink, resume=True, **options).skipped == 100
    assert len(skipped.read_text().splitlines()) == 101


@pytest.mark.parametrize("error", [None, KeyboardInterrupt, ValueError])
def test_a_journal_belongs_to_one_run_until_it_is_removed(tmp_path, monkeypatch, error):
    source, sink = tmp_path / "in.csv", tmp_path / "y.csv"
    source.write_text("x\n1\n2\n")
    model = fl.LogisticModel([1.0], 0.0, ("x",))
    close = Journal.close
    ended = []

    def end(journal, *, keep):
        monkeypatch.setattr(Journal, "close", close)
        # Another run begins after the output is written or abandoned.
        with pytest.raises(BlockingIOError, match="another run writes it"):
            fl.score(model, source, sink, force=True)
        close(journal, keep=keep)
        ended.append(keep)

    def progress(done):
        if error is not None:
            raise error

    monkeypatch.setattr(Journal, "close", end)
    with pytest.raises(error) if error else nullcontext():
        fl.score(model, source, sink, progress=progress)
    assert ended == [error is KeyboardInterrupt]
    fl.score(model, source, sink, force=True, resume=error is KeyboardInterrupt)
    assert not list(tmp_path.glob(".*"))


# Resume a complete run ----------------------------------------------------------------------

SINKS = [".parquet", ".arrow", ".arrows", ".csv", ".tsv.gz", ".npy"]
# One run is killed before its first change of a file (open, rename, remove, truncate), the next
# before its second, and so on until a run ends.  Each is resumed twice.
_KILL = """
import json, os, sys
from pathlib import Path
from fastlogit.cli import main

def files():
    return {path.name: path.read_bytes() for path in sorted(Path("out").iterdir())}

def run(*options):
    return main([*command, "-q", "--threads", "1", *options])

def killed(number, *options):
    # Kill a run before this change of its files; give its status, which is 9 if it was killed.
    if (child := os.fork()) == 0:
        left = number
        def hook(event, args):
            nonlocal left
            is_change = event in ("os.rename", "os.remove", "os.truncate", "os.chmod") or (
                event == "open" and isinstance(args[1], str) and args[1][0] in "aw"
            )
            if is_change and any("out" + os.sep in str(one) for one in args[:2]):
                left -= 1
                if left < 0:
                    os._exit(9)
        sys.addaudithook(hook)
        os._exit(run(*options))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

command = sys.argv[2:]
whole = run(), files()
totals, resumed = [], []
for options in json.loads(sys.argv[1]):
    changes, status = 0, 9
    while status == 9:
        for path in Path("out").iterdir() if not options else ():
            path.unlink()
        status = killed(changes, *options)
        changes += 1
        resumed += [(run("--resume"), files()) == whole, (run("--resume"), files()) == whole]
    totals.append([status, changes > 5])
print(json.dumps([totals, all(resumed), list(whole[1])]))
"""


@pytest.mark.parametrize("suffix", SINKS)
def test_a_run_is_resumed_after_a_kill_at_any_change_of_its_files(tmp_path, monkeypatch, suffix):
    (tmp_path / "out").mkdir()
    source = tmp_path / "in.csv"
    source.write_text("x\n" + "1\nNA\n2\n" * 20)
    fl.LogisticModel([1.0], 0.0, ("x",)).save(tmp_path / "model.json")
    skipped = {".parquet": "s.parquet", ".csv": "s.csv", ".npy": "s.arrow"}.get(suffix)
    options = ["--missing", "skip", "--skipped", f"out/{skipped}"] if skipped else []
    # Started again, or over the earlier output.
    runs = [[], ["--force"]] if suffix in (".parquet", ".csv") else [[]]
    command = ["score", "model.json", "in.csv", "-o", f"out/y{suffix}", "--missing", "nan"]
    monkeypatch.chdir(tmp_path)
    done = processes.run(_KILL, json.dumps(runs), *command, "--batch-rows", "7", *options)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    totals, are_resumed, names = json.loads(done.stdout)
    assert totals == [[0, True]] * len(runs)
    assert are_resumed
    assert names == sorted([f"y{suffix}", *([skipped] if skipped else [])])


@pytest.mark.parametrize("suffix", SINKS)
@pytest.mark.parametrize("changed", ["model", "input", "option"])
def test_the_output_of_another_run_is_an_error(tmp_path, suffix, changed):
    source, sink = tmp_path / "in.csv", tmp_path / f"y{suffix}"
    source.write_text("x\n" + "1\n2\nNA\n" * 10)
    model = fl.LogisticModel([1.0], 0.0, ("x",))
    fl.score(model, source, sink, missing="nan")
    content = sink.read_bytes()
    missing = "nan"
    if changed == "model":
        model = fl.LogisticModel([1.5], 0.0, ("x",))
    elif changed == "input":
        source.write_text("x\n" + "1\n3\nNA\n" * 10)
    else:
        missing = "skip"
    is_named = suffix in (".parquet", ".arrow")
    told = f"was written .* differs in .*{changed}" if is_named else "exists already, and is not"
    message = rf"y\{suffix}: {told}.* \(force=True replaces it\)$"
    with pytest.raises((FileExistsError, ValueError), match=message):
        fl.score(model, source, sink, missing=missing, resume=True)
    assert sink.read_bytes() == content
    assert not list(tmp_path.glob(".*"))
    assert not fl.score(model, source, sink, missing=missing, resume=True, force=True).was_complete
    assert fl.score(model, source, sink, missing=missing, resume=True).was_complete
    assert sink.read_bytes() != content


@pytest.mark.parametrize("suffix", SINKS)
def test_a_complete_run_reports_it_and_writes_nothing(tmp_path, capsys, suffix):
    source, sink, model = tmp_path / "in.csv", tmp_path / f"y{suffix}", tmp_path / "model.json"
    source.write_text("x\n" + "1\nNA\n2\n" * 10)
    fl.LogisticModel([1.0], 0.0, ("x",)).save(model)
    command = ["score", str(model), str(source), "-o", str(sink), "--missing", "nan", "--resume"]
    assert main(command) == 0
    assert "scored 30 rows" in capsys.readouterr().err
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in tmp_path.iterdir()}
    assert main(command) == 0
    assert capsys.readouterr().err == f"fastlogit: note: {sink} is complete already\n"
    after = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in tmp_path.iterdir()}
    assert after == before
    # Only a newly requested file of skipped rows is written.
    assert main([*command, "--skipped", str(tmp_path / "skipped.csv")]) == 0
    (tmp_path / "skipped.csv").unlink()
    after = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in tmp_path.iterdir()}
    assert after == before


@pytest.mark.parametrize("suffix", SINKS)
@pytest.mark.parametrize("how", ["cut", "longer", "other"])
def test_a_damaged_output_is_not_reported_as_complete(tmp_path, suffix, how):
    source, sink = tmp_path / "in.csv", tmp_path / f"y{suffix}"
    source.write_text("x\n" + "1\n2\n" * 10)
    model = fl.LogisticModel([1.0], 0.0, ("x",))
    fl.score(model, source, sink)
    whole = sink.read_bytes()
    content = {"cut": whole[:-1], "longer": whole + b"\n", "other": b"y\n1\n"}[how]
    sink.write_bytes(content)
    with pytest.raises(FileExistsError, match="exists already, and is not what this run writes"):
        fl.score(model, source, sink, resume=True)
    assert sink.read_bytes() == content
    assert not list(tmp_path.glob(".*"))
    fl.score(model, source, sink, resume=True, force=True)
    assert sink.read_bytes() == whole
