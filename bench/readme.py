"""``python -m bench readme``: fill the tables of README.md and bench/README.md.

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
PAGES = (README, README.parents[1] / "README.md")
END = "<!-- /bench -->"
_PLACE = re.compile(rf"(<!-- bench: (\S+) -->\n)(.*?)({END})", re.DOTALL)


def filled(page: Path) -> str:
    """The page with its tables filled; ValueError if a marker has no stored result, or no end.

    The machines stand in bench/README.md only.
    """
    text = page.read_text(encoding="utf-8")

    def table(place: re.Match[str]) -> str:
        begin, name, between, end = place.groups()
        path = results.FOLDER / f"{name}.json"
        if name not in render.TABLES or not path.exists() or "<!--" in between:
            raise ValueError(f"{begin.strip()} has no stored result or no {END}")
        runs = json.loads(path.read_text(encoding="utf-8"))
        content = render.result(name, runs)
        if page != README:
            content = content.removesuffix(f"\n\n{render.measured(runs)}")
        return f"{begin}\n{content}\n\n{end}"

    found = _PLACE.sub(table, text)
    if found.count("<!-- bench:") != found.count(END):
        raise ValueError(f"each <!-- bench: NAME --> must have its {END}")
    return found


def main(arguments: Sequence[str] = ()) -> None:
    """Write the pages; with ``--check`` fail if one would change."""
    command = parser("readme")
    command.add_argument("--check", action="store_true", help="write nothing; fail if it changes")
    options = command.parse_args(arguments)
    for page in PAGES:
        after = filled(page)
        if not options.check:
            page.write_text(after, encoding="utf-8")
        elif page.read_text(encoding="utf-8") != after:
            raise SystemExit(f"{page} does not show the stored results")
