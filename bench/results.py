"""Stored figures: ``bench/results/NAME.json`` for each table of bench/README.md.

A file is a list of runs, each with command, date, machine and rows.  A row that is measured again
moves to the new run, so every row keeps its machine.
"""

from __future__ import annotations

import json
import shlex
from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from bench import commands, render
from bench.machine import revision
from bench.render import Rows

FOLDER = Path(__file__).with_name("results")
DIGITS, WIDTH = 5, 100


def parser(command: str) -> ArgumentParser:
    """Parser for a command that can store its figures."""
    made = commands.parser(command)
    made.add_argument("--save", action="store_true", help="store the figures for bench/README.md")
    return made


def finish(name: str, arguments: Sequence[str], machine: dict[str, Any], rows: Rows) -> None:
    """Print the table of a command; with ``--save`` store its rows."""
    words = [word for word in arguments if word != "--save"]
    run = {
        "command": shlex.join(["python", "-m", "bench", name, *words]),
        "date": today(),
        "machine": machine | revision(),
        "rows": rows,
    }
    print(f"\n{render.result(name, [rounded(run)])}")
    if len(words) < len(arguments):
        save(name, run)
        print(f"\nStored in bench/results/{name}.json; `python -m bench readme` shows it.")


def today() -> str:
    return date.today().isoformat()


def save(name: str, run: dict[str, Any]) -> None:
    """Add a run to the stored ones, which lose the rows that it measured again."""
    path = FOLDER / f"{name}.json"
    runs = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    for each in runs:
        each["rows"] = {key: row for key, row in each["rows"].items() if key not in run["rows"]}
    write(path, [each for each in [*runs, run] if each["rows"]])


def write(path: Path, content: Any) -> None:
    """Store JSON in few lines, with rounded numbers."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{_text(rounded(content))}\n", encoding="utf-8")


def rounded(value: Any) -> Any:
    """The value as it will be read: finite numbers with five digits."""
    text = json.dumps(value, allow_nan=False)
    return json.loads(text, parse_float=lambda number: float(f"{float(number):.{DIGITS}g}"))


def _text(value: Any, indent: str = "") -> str:
    """JSON with everything on one line that fits there."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or len(indent + line) < WIDTH:
        return line
    inner = f"{indent}  "
    if isinstance(value, dict):
        parts = [f"{_text(key)}: {_text(part, inner)}" for key, part in value.items()]
    else:
        parts = [_text(part, inner) for part in value]
    return f"{line[0]}\n{inner}" + f",\n{inner}".join(parts) + f"\n{indent}{line[-1]}"
