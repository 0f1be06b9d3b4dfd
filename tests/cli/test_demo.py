"""The demonstration: every step of it on few rows."""

import re

import pytest
from scipy import special

from fastlogit.cli import demo, main
from fastlogit.scoring import evaluate


def test_it_prints_commands_scores_and_ratios(capsys, tmp_path):
    assert main(["demo", "--rows", "20000", "--threads", "1", "--keep", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("$ fastlogit train") == 1
    assert printed.count("$ fastlogit score") == 2
    assert "-o scores.parquet --threads 1\n" in printed
    assert len(re.findall(r"rows/s.*: [\d.]+ times as fast", printed)) == 2
    assert printed.endswith(f"The files are in {tmp_path}\n")
    assert (tmp_path / "scores.parquet").exists()

    found = evaluate(tmp_path / "model.json", tmp_path / "test.parquet", "late")
    rate = found.positives / found.rows
    entropy = special.entr([rate, 1 - rate]).sum()
    assert (
        f"on {found.rows:,} held-out flights: log-loss {found.mean_log_loss:.4f} "
        f"(guessing the rate: {entropy:.4f}), AUC {found.auc:.4f}, "
        f"accuracy {found.accuracy:.4f} (guessing: {1 - rate:.4f})\n"
    ) in printed
    assert found.mean_log_loss < 0.5
    assert found.auc > 0.7
    assert found.accuracy > 0.77


def test_it_replaces_no_files(tmp_path):
    flights = tmp_path / "flights.parquet"
    flights.write_bytes(b"mine")
    with pytest.raises(ValueError, match="keep must be a new or empty folder"):
        demo.demonstrate(tmp_path, 1000)
    assert flights.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [flights]
