"""What a run that dies leaves, and when it is taken up again."""

from __future__ import annotations

import os

import pytest
from scoring_data import LONG_MODEL, LONG_ROWS

import fastlogit as fl


@pytest.mark.parametrize("changed", ["model", "input", "option"])
def test_a_run_is_only_resumed_as_what_it_was(tmp_path, long_source, changed):
    model = LONG_MODEL
    mine, sink = tmp_path / "in.parquet", tmp_path / "out.parquet"
    mine.write_bytes(long_source.read_bytes())

    def interrupt(done, rows):
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
    with pytest.raises(ValueError, match=rf"journal: cannot be resumed: .* {changed} has changed"):
        fl.score(model, mine, sink, missing=missing, resume=True)
    assert journal.read_bytes() == content
    fl.score(model, mine, sink, missing=missing)  # anew
    assert not journal.exists()


def test_a_damaged_journal_is_done_again_from_the_damage(tmp_path, long_source):
    sink = tmp_path / "out.parquet"

    def interrupt(done, rows):
        if done >= LONG_ROWS // 2:
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


def test_what_was_finished_is_not_lost_by_a_wrong_argument(tmp_path, long_source):
    def interrupt(done, rows):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fl.score(LONG_MODEL, long_source, tmp_path / "out.csv", missing="nan", progress=interrupt)
    content = (tmp_path / ".out.csv.journal").read_bytes()
    with pytest.raises(ValueError, match="threads"):
        fl.score(
            LONG_MODEL, long_source, tmp_path / "out.csv", missing="nan", resume=True, threads=0
        )
    assert (tmp_path / ".out.csv.journal").read_bytes() == content
