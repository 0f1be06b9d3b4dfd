"""`fastlogit evaluate`: its measures, and rows without a label."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import fastlogit as fl
from fastlogit import scoring
from fastlogit.cli import main
from tests.cli.commands import ROWS


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
    assert "label must be given: the column of the labels" in fails(
        "evaluate", "model.json", "data.parquet"
    )


def test_evaluate_takes_one_label(here, capsys):
    with pytest.raises(SystemExit):
        main(["evaluate", "model.json", "data.parquet", "--label", "x", "--label", "t"])
    assert "argument --label: must be given once, as it is one column" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["evaluate", "plot"])
def test_rows_without_a_label_are_skipped_or_an_error(here, capsys, command):
    pq.write_table(pa.table({**ROWS, "t": [0, 1, None, 0, 1]}), "gaps.parquet")
    words = ["evaluate"] if command == "evaluate" else ["plot", "roc"]
    words += ["model.json", "gaps.parquet", "--label", "t"]
    words += ["-o", "x.svg"] if command == "plot" else []
    assert main(words) == 0
    shown = capsys.readouterr().out if command == "evaluate" else Path("x.svg").read_text()
    assert re.search("left out +1\\n", shown) or "4 of 5 rows" in shown
    assert main([*words, "--missing", "error", *["--force"] * (command == "plot")]) == 1
    assert capsys.readouterr().err == (
        "fastlogit: error: gaps.parquet: row 2 has no label (--missing skip leaves out such rows)\n"
    )
