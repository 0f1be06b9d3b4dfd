"""Results that are stored, in ``bench/results/NAME.json``, for the tables of the README.

A file is a list of runs: each a command, its date and machine, and what it measured, as rows by
their names.  A row that is measured again leaves the run that it was in, and a run of which no row
is left goes; so every row stands beside the command, date and machine that it comes from.
"""

from __future__ import annotations

import json
import shlex
from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from bench import commands, markdown
from bench.machine import revision
from bench.markdown import Row, Run

FOLDER = Path(__file__).with_name("results")
DIGITS = 5
WIDTH = 100

# What is not stored with a command, as it changes no figure.
_unstored = ArgumentParser(add_help=False)
_unstored.add_argument("--save", action="store_true")
_unstored.add_argument("--folder")


def parser(command: str) -> ArgumentParser:
    """Parser of the arguments of a command whose result can be stored."""
    made = commands.parser(command)
    made.add_argument(
        "--save", action="store_true", help="store the result in bench/results, for the README"
    )
    return made


def finish(
    name: str, arguments: Sequence[str], machine: dict[str, Any], rows: dict[str, Row]
) -> None:
    """Print what a command has measured as the README's table; with ``--save`` store it."""
    options, words = _unstored.parse_known_args(arguments)
    run = rounded(
        {
            "command": shlex.join(["python", "-m", "bench", name, *words]),
            "date": today(),
            "machine": machine | revision(),
            "rows": rows,
        }
    )
    print(f"\n{markdown.result(name, [run])}")
    if options.save:
        save(FOLDER / f"{name}.json", run)
        print(f"\nStored in bench/results/{name}.json, for `python -m bench readme`.")


def today() -> str:
    return date.today().isoformat()


def save(path: Path, run: Run) -> None:
    """Add a run to a file, whose runs lose the rows that this one has."""
    runs = load(path) if path.exists() else []
    for each in runs:
        each["rows"] = {key: row for key, row in each["rows"].items() if key not in run["rows"]}
    runs = [each for each in [*runs, run] if each["rows"]]
    write(path, runs)


def write(path: Path, content: Any) -> None:
    """Store whatever JSON can hold, rounded, in few lines."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{_text(rounded(content))}\n", encoding="utf-8")


def load(path: Path) -> list[Run]:
    return json.loads(path.read_text(encoding="utf-8"))


def rounded(value: Any) -> Any:
    """As it will be read: numbers to so many digits, and all of them finite."""
    text = json.dumps(value, allow_nan=False)
    return json.loads(text, parse_float=lambda number: float(f"{float(number):.{DIGITS}g}"))


def _text(value: Any, indent: str = "") -> str:
    """JSON in which whatever fits into a line is one."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or len(indent + line) < WIDTH:
        return line
    inner = f"{indent}  "
    if isinstance(value, dict):
        parts = [f"{_text(key)}: {_text(part, inner)}" for key, part in value.items()]
    else:
        parts = [_text(part, inner) for part in value]
    return f"{line[0]}\n{inner}" + f",\n{inner}".join(parts) + f"\n{indent}{line[-1]}"
