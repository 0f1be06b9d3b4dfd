"""Options that several commands share."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import fastlogit as fl
from fastlogit.cli import COMMANDS, main
from fastlogit.cli.parser import make_parser
from tests.cli.commands import ROWS, SCORE


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
    assert "has no column 'w'" in fails(*SCORE, "--offset", "w")


def test_text_in_a_column_of_numbers(fails, here):
    (here / "data.csv").write_text("x,k,t\n1,2,0\n1,many,1\n")
    message = "data.csv: column 'k': row 1: CSV conversion error to double: invalid value 'many'"
    assert message in fails("score", "model.json", "data.csv", "-o", "y.csv")
    message = "column 'k' has numbers, such as '2', and other text, such as 'many' in row 1 ("
    assert message in fails("train", "data.csv", "--label", "t", "-o", "m.json")


@pytest.mark.parametrize("command", ["train", "score", "evaluate", "plot"])
def test_options_of_csv_are_refused_for_other_formats_by_their_names(fails, command):
    words = {
        "train": ["data.parquet", "--label", "t", "-o", "y.json"],
        "score": ["model.json", "data.parquet", "-o", "y.csv"],
        "evaluate": ["model.json", "data.parquet", "--label", "t"],
        "plot": ["roc", "model.json", "data.parquet", "--label", "t", "-o", "y.svg"],
    }[command]
    message = fails(command, *words, "--null-values", "?", "--delimiter", ";")
    assert "only CSV and TSV take --delimiter ';' --null-values '?'; the input is" in message


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("t,x\n" + "0,1\n1,2\n" * 5 + "1,?\n", {"score": "(--null-values '?' NA N/A NULL null t"}),
        ("t,x\n0,1\n1,inf\n", {"train": "null takes 'inf' as missing) (--ignore x leaves it out)"}),
        ("sep=;\nt;x\n0;1\n1;2\n", dict.fromkeys(["train", "score"], "(delete the line; --delimi")),
        ('"sep=;"\r\nt;x\r\n0;1\r\n', {"train": "(delete the line; --delimiter ';' reads"}),
        ("Sales of May\nt,x\n0,1\n1,2\n", {"train": "row 0 has 2 cells; the header has 1 (the"}),
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


@pytest.mark.parametrize("delimiter", [";", r"\t"])
def test_every_command_that_reads_takes_options_for_csv(tmp_path, capsys, delimiter):
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
def test_wrong_options_of_csv(tmp_path, capsys, option, message):
    (tmp_path / "x.csv").write_text("t,x\n0,1\n1,2\n")
    command = ["train", str(tmp_path / "x.csv"), "--label", "t", "-o", str(tmp_path / "m.json")]
    assert main([*command, *option]) == 1
    assert capsys.readouterr().err.startswith(f"fastlogit: error: {message}")


# The commands that have each shared option.
READING = {"train", "score", "evaluate", "plot"}
SHARED = {
    "--label": {"train", "evaluate", "plot"},
    "--offset": {*READING, "export"},
    "--missing": READING,
    "--unknown": {"score", "evaluate", "plot", "export"},
    "--threshold": {"score", "evaluate"},
    "--input-format": READING,
    "--delimiter": READING,
    "--null-values": READING,
    "--threads": {*READING, "demo"},
    "--quiet": READING,
    "--out": {"train", "score", "plot", "export"},
    "--force": {"train", "score", "plot", "export"},
    "--debug": {*READING, "export", "demo", "warmup"},
}


def test_commands_share_options():
    actions = make_parser(COMMANDS)._actions
    parsers = next(action.choices for action in actions if action.dest == "command")
    for option, commands in SHARED.items():
        have = {name for name, one in parsers.items() if option in one._option_string_actions}
        assert have == commands, option


@pytest.mark.parametrize("command", ["train", "score", "evaluate", "plot"])
def test_quiet_reports_only_warnings_and_errors(here, capsys, command):
    pq.write_table(pa.table({**ROWS, "x": [0.5, 2.0, 1.0, 0.0, None]}), "data.parquet")
    words = {
        "train": ["data.parquet", "--label", "t", "-o", "m.json"],
        "score": ["model.json", "data.parquet", "-o", "y.csv"],
        "evaluate": ["model.json", "data.parquet", "--label", "t", "--json"],
        "plot": ["roc", "model.json", "data.parquet", "--label", "t", "-o", "x.svg"],
    }[command]
    assert main([command, *words, "--missing", "skip", "--quiet", "--threads", "1"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert bool(out) == (command == "evaluate")
