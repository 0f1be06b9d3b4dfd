"""``python -m bench readme``: fill the tables of bench/README.md with the stored results.

The table of ``bench/results/NAME.json`` goes between ``<!-- bench: NAME -->`` and
``<!-- /bench -->``, followed by the command, date and machine.  Nothing is measured.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from bench import render, results
from bench.commands import parser

README = Path(__file__).with_name("README.md")
END = "<!-- /bench -->"
_PLACE = re.compile(rf"(<!-- bench: (\S+) -->\n)(.*?)({END})", re.DOTALL)


def filled(text: str, folder: Path = results.FOLDER) -> str:
    """A text with its tables filled; ValueError if a marker has no stored result, or no end."""

    def table(place: re.Match[str]) -> str:
        begin, name, between, end = place.groups()
        path = folder / f"{name}.json"
        if name not in render.TABLES or not path.exists():
            raise ValueError(f"bench/results has no {name}.json for the marker {begin.strip()}")
        if "<!--" in between:
            raise ValueError(f"{begin.strip()} has no {END}")
        stored = json.loads(path.read_text(encoding="utf-8"))
        return f"{begin}\n{render.result(name, stored)}\n\n{end}"

    found = _PLACE.sub(table, text)
    if found.count("<!-- bench:") != found.count(END):
        raise ValueError(f"each <!-- bench: NAME --> must have its {END}")
    return found


def main(arguments: Sequence[str] = ()) -> None:
    """Write the page; with ``--check`` fail if it would change."""
    command = parser("readme")
    command.add_argument("--check", action="store_true", help="write nothing; fail if it changes")
    options = command.parse_args(arguments)
    before = README.read_text(encoding="utf-8")
    after = filled(before)
    if not options.check:
        README.write_text(after, encoding="utf-8")
    elif before != after:
        raise SystemExit("bench/README.md does not show the stored results")
