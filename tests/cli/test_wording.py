"""Messages of the library with options in place of arguments, and the names of options."""

from __future__ import annotations

import argparse
import dataclasses
import inspect

import pytest

import fastlogit as fl
from fastlogit import plot
from fastlogit.cli import COMMANDS as MODULES
from fastlogit.cli import demo
from fastlogit.cli.parser import make_parser
from fastlogit.cli.plot import PICTURES
from fastlogit.cli.wording import as_options
from fastlogit.models.model import LogisticModel
from fastlogit.scoring import CSVOptions, evaluate, read_table, score

PARSER = make_parser(MODULES)
COMMANDS = next(action.choices for action in PARSER._actions if action.dest == "command")


@pytest.mark.parametrize(
    ("command", "message", "said"),
    [
        ("score", "y: exists already (force=True replaces it)", "(--force replaces it)"),
        (
            "score",
            "(missing='nan' scores, missing='skip' not)",
            "(--missing nan scores, --missing ",
        ),
        ("train", "(categorical=['a b', 'c'] takes it", "(--categorical 'a b' c takes it"),
        ("train", "ignore=[\"it's\", 'x]y']", """--ignore 'it'"'"'s' 'x]y'"""),
        ("train", "(null_values=['?', '#N/A'] takes", "(--null-values '?' '#N/A' takes"),
        ("train", "csv=CSVOptions(thousands='.', decimal=',')", "--thousands . --decimal ,"),
        ("train", "csv=CSVOptions(encoding='latin-1') reads", "--encoding latin-1 reads"),
        ("train", "(csv=CSVOptions(null_values=['(', ')']) takes", "(--null-values '(' ')' takes"),
        (
            "score",
            "take csv=CSVOptions(delimiter=';', null_values=['?']); the input",
            "take --delimiter ';' --null-values '?'; the input",
        ),
        ("train", "with intercept=False it", "with --no-intercept it"),
        ("train", "width=12 is", "--columns 12 is"),
        ("score", "source_format must be one of", "--input-format must be one of"),
        ("score", "sink_format must be one of", "--output-format must be one of"),
        ("train", "x.csv: label must be given", "x.csv: --label must be given"),
        ("train", "above tol 1e-08; raise max_passes.", "above --tol 1e-08; raise --max-passes."),
        ("train", "raise l2, or", "raise --l2, or"),
        ("evaluate", "delimiter must be one", "--delimiter must be one"),
    ],
)
def test_arguments_become_options(command, message, said):
    assert said in as_options(message, COMMANDS[command])


@pytest.mark.parametrize(
    "message",
    [
        "data.csv: has no column 'missing' (did you mean 'label'?)",
        "the label must be 0 or 1; got 2 in row 0",
        "'missing=skip' is a feature twice, once of 'missing'",
        "column 'max_passes' must be finite; got inf in row 0",
        "max_passes.csv: has no rows",
        "folder/max_passes/x.csv: has no rows",
        "X must have a column that is not the same everywhere",
        "ignored 2 values of unknown categories; the output and its names are kept",
    ],
)
def test_other_words_stay(message):
    for parser in COMMANDS.values():
        assert as_options(message, parser) == message


# Options of the command alone.
OWN = {"help", "debug", "quiet", "json", "out"}


def parameters(*functions):
    return {name for each in functions for name in inspect.signature(each).parameters}


READS = {field.name for field in dataclasses.fields(CSVOptions)}
BEHIND = {
    "train": parameters(read_table, fl.fit, LogisticModel.save) | READS,
    "score": parameters(score) | READS,
    "evaluate": parameters(evaluate) | READS,
    "plot": parameters(*(getattr(plot, name) for name in PICTURES)) | READS,
    "export": parameters(LogisticModel.to_onnx, LogisticModel.to_sql, LogisticModel.to_sklearn),
    "demo": parameters(demo.demonstrate) | {"keep"},
    "warmup": set(),
}
# Options whose argument has another name, with the reason.
OTHER = {
    ("plot", "label"): "t",  # a command takes a column, never an array
    ("plot", "force"): "force",  # the command writes the file
    ("train", "force"): "force",
    ("export", "force"): "force",
    ("export", "target"): "to_onnx",  # each target is a method
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_the_name_of_its_argument(command):
    assert isinstance(COMMANDS[command], argparse.ArgumentParser)
    for action in COMMANDS[command]._actions:
        if action.option_strings and action.dest not in OWN:
            known = action.dest in BEHIND[command] or (command, action.dest) in OTHER
            assert known, f"{command} {action.option_strings[-1]}: {action.dest}"
