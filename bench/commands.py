"""The commands of ``python -m bench``: each is a module with a function ``main(arguments)``."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

COMMANDS = {
    "report": "tables and a picture of a run of `pytest bench`",
    "accuracy": "largest errors of every function in every library",
    "fits": "time to reach the same optimum, against other trainers",
    "scoring": "scoring files, against reading them and against other libraries",
    "engines": "models inside DuckDB and Polars, against their own expressions",
    "streams": "training on files that are read in every pass, against reading and other libraries",
    "cluster": "training on a Dask cluster, against one process and dask-ml",
    "plan": "bytes, tasks and memory of a pass over very many rows, by the merge tree",
    "roofline": "limits of this machine, and how close every function comes to them",
    "counts": "instructions per element of every function",
    "compare": "whether one of two revisions is slower, less accurate or larger",
    "gate": "the same for the working tree against the last tag or the stored baseline",
    "readme": "fill the tables of both READMEs with the stored results",
}


def run(arguments: Sequence[str]) -> None:
    """Run the command that the first argument names."""
    listed = "\n".join(f"  {name:<10} {summary}" for name, summary in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        usage="python -m bench COMMAND [--help] ...",
        description=f"Benchmarks of fastlogit. Commands:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, help=argparse.SUPPRESS)
    command = parser.parse_args(arguments[:1]).command
    import_module(f"bench.{command}").main(arguments[1:])


def parser(command: str) -> argparse.ArgumentParser:
    """Parser for the arguments of a command."""
    return argparse.ArgumentParser(prog=f"python -m bench {command}", description=COMMANDS[command])


def output(text: str) -> Path:
    """Path of an output file, checked before the measurements start."""
    path = Path(text)
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text!r} cannot be written")
    return path


def count(text: str) -> int:
    """Whole number above 0."""
    with suppress(ValueError):
        if (number := int(text)) > 0:
            return number
    raise argparse.ArgumentTypeError(f"must be a whole number above 0; got {text!r}")
