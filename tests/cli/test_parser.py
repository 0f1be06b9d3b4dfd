"""The parser: help, wrong usage and shell completion."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

import fastlogit as fl
from fastlogit.cli import COMMANDS, main
from fastlogit.tables import formats
from tests.cli.commands import SCORE, TRAIN


@pytest.mark.parametrize(
    "command", [[], *([module.__name__.split(".")[-1]] for module in COMMANDS)]
)
def test_help(command, capsys):
    with pytest.raises(SystemExit) as exit_:
        main([*command, "--help"])
    assert exit_.value.code == 0
    assert "example" in capsys.readouterr().out


def test_help_names_every_format_of_tables(capsys):
    with pytest.raises(SystemExit):
        main(["score", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for listed in (formats.input_formats(), formats.output_formats()):
        assert f": {formats.names(listed)} (default: by suffix" in shown
        assert f"with the suffix {', '.join(formats.suffixes(listed))} (" in shown


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
        ([*TRAIN, "--l2", "much"], "--l2: must be a real number; got 'much'"),
        ([*TRAIN, "--l2", "-1"], "--l2: must be finite and not negative; got -1"),
        ([*TRAIN, "--l2", "inf"], "--l2: must be finite"),
        ([*TRAIN, "--tol", "nan"], "--tol: must be finite"),
        ([*TRAIN, "--max-passes", "0"], "--max-passes: must be a whole number of at least 1"),
        ([*TRAIN, "--threads", "4097"], "--threads: threads must be between 1 and 4096"),
        ([*SCORE, "--threads", "0"], "--threads: must be a whole number of at least 1; got 0"),
        (["demo", "--rows", "0"], "--rows: must be a whole number of at least 1; got 0"),
        ([*SCORE, "--batch-rows", "few"], "--batch-rows: must be a whole number of at least 1"),
    ],
)
def test_wrong_usage(argv, message, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(argv)
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err


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
