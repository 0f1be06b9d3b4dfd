"""The commands of ``python -m bench``: each is a module with a function ``main(arguments)``."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

COMMANDS = {
    "table": "speed and error against NumPy",
    "targets": "speed against the other libraries that are installed, and what is wanted",
    "passes": "passes over X against reading it, and against others",
    "fits": "time to the same optimum, against other trainers",
    "scoring": "files to files, against reading them and others' scoring",
    "accuracy": "errors of every function, by whom and where",
    "compare": "whether one of two revisions is slower, less exact or hungrier",
    "gate": "the working tree against the last tag or the stored baseline, for a CI",
    "readme": "put what --save has stored into the README",
    "reproduce": "measure all that the README shows anew, and put it there",
    "roofline": "what the machine can do, and how close every function comes",
    "report": "tables and pictures of what `pytest bench` stored",
    "counts": "instructions of every function, which do not vary",
}


def run(arguments: Sequence[str]) -> None:
    """Run the command that the first argument names, with the others."""
    listed = "\n".join(f"  {name:<10} {what}" for name, what in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        usage="python -m bench COMMAND [--help] ...",
        description=f"Measure.  Commands:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, help=argparse.SUPPRESS)
    command = parser.parse_args(arguments[:1]).command
    import_module(f"bench.{command}").main(arguments[1:])


def output(text: str) -> Path:
    """Path of a file that will be written when all is measured; of the command line."""
    path = Path(text)
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text!r} cannot be written")
    return path


def positive(text: str) -> float:
    """Of the command line: a finite number above 0."""
    with suppress(ValueError):
        if 0.0 < (number := float(text)) < float("inf"):
            return number
    raise argparse.ArgumentTypeError(f"must be a number above 0; got {text!r}")


def count(text: str) -> int:
    """Of the command line: how many, at least one."""
    with suppress(ValueError):
        if (number := int(text)) > 0:
            return number
    raise argparse.ArgumentTypeError(f"must be a whole number above 0; got {text!r}")


def parser(command: str) -> argparse.ArgumentParser:
    """Parser of the arguments of a command."""
    return argparse.ArgumentParser(prog=f"python -m bench {command}", description=COMMANDS[command])
