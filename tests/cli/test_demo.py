"""The demonstration: every step of it on few rows."""

import re

import numpy as np
import pytest

from fastlogit.cli import demo, main


def test_it_prints_commands_scores_and_ratios(capsys, tmp_path):
    demo.run(main, rows=20_000, keep=tmp_path)
    printed = capsys.readouterr().out
    assert printed.count("$ fastlogit train") == 1
    assert printed.count("$ fastlogit score") == 2
    log_loss, auc, accuracy = (
        float(re.search(rf"{what} ([\d.]+)", printed)[1])
        for what in ("log-loss", "AUC", "accuracy")
    )
    assert log_loss < 0.5
    assert auc > 0.7
    assert accuracy > 0.77
    assert len(re.findall(r"rows/s.*: [\d.]+ times as fast", printed)) == 2
    assert (tmp_path / "scores.parquet").exists()


def test_it_replaces_nobodys_files(tmp_path):
    flights = tmp_path / "flights.parquet"
    flights.write_bytes(b"mine")
    with pytest.raises(ValueError, match="keep must be a new or empty folder"):
        demo.run(main, rows=1000, keep=tmp_path)
    assert flights.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [flights]


def test_rows_must_be_positive(tmp_path):
    with pytest.raises(ValueError, match="rows must be at least 1; got 0"):
        demo.run(main, rows=0, keep=tmp_path)


def test_the_area_under_the_curve_counts_ties_by_half():
    t, y = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.4, 0.4, 0.9])
    assert demo._auc(t, y) == 0.875
