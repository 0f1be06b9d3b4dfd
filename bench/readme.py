"""``python -m bench readme``: puts stored results into the marked places of the README.

Between ``<!-- bench: NAME -->`` and ``<!-- /bench -->`` comes the table of bench/results/NAME.json,
with what it was measured by, when and on what; below ``<!-- picture: NAME TEXT -->`` comes the
picture bench/results/NAME.svg, with a text for those who do not see it.  Nothing is measured.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

from bench import markdown, results
from bench.commands import parser

README = Path(__file__).parents[1] / "README.md"
END = "<!-- /bench -->"
_TABLE = re.compile(r"<!-- bench: (\S+) -->")
_PICTURE = re.compile(r"<!-- picture: (\S+) (.+) -->")


class MarkerError(ValueError):
    """A marker that cannot be followed, and its line."""


def filled(text: str, folder: Path = results.FOLDER) -> str:
    """A text with its marked places filled from a folder of results."""
    written: list[str] = []
    lines = enumerate(text.splitlines(), 1)
    below_picture = False
    for number, line in lines:
        if below_picture and line.startswith("!["):
            continue  # the former one
        written.append(line)
        below_picture = False
        if not line.startswith("<!--"):
            continue
        try:
            if found := _TABLE.fullmatch(line):
                written += ["", _table(found[1], folder), "", END]
                if next((each for _, each in lines if each.startswith("<!--")), "") != END:
                    raise MarkerError(f"without {END}")
            elif found := _PICTURE.fullmatch(line):
                written.append(_picture(*found.groups(), folder))
                below_picture = True
            else:
                raise MarkerError("unknown, or where it cannot be")
        except MarkerError as error:
            raise MarkerError(f"line {number}, {line}: {error}") from None
    return "\n".join(written) + "\n"


def _table(name: str, folder: Path) -> str:
    stored = sorted(path.stem for path in folder.glob("*.json") if path.stem in markdown.TABLES)
    if name not in stored:
        raise MarkerError(f"no such result is stored, but {', '.join(stored) or 'none at all'}")
    return markdown.result(name, results.load(folder / f"{name}.json"))


def _picture(name: str, text: str, folder: Path) -> str:
    if not (folder / f"{name}.svg").exists():
        raise MarkerError("there is no such picture in bench/results")
    return f"![{text}](bench/results/{name}.svg)"


def main(arguments: Sequence[str] = ()) -> None:
    """Write the README, or with ``--check`` show how it differs from what would be written."""
    command = parser("readme")
    command.add_argument(
        "--check", action="store_true", help="write nothing; print differences, and fail if any"
    )
    command.add_argument("--readme", type=Path, default=README, metavar="PATH", help="another file")
    options = command.parse_args(arguments)
    try:
        before = options.readme.read_text(encoding="utf-8")
    except OSError as error:
        command.error(f"{options.readme}: {error.strerror}")
    except UnicodeDecodeError:
        command.error(f"{options.readme}: is no text in UTF-8")
    try:
        after = filled(before)
    except MarkerError as error:
        command.error(f"{options.readme.name}, {error}")
    if not options.check:
        options.readme.write_text(after, encoding="utf-8")
    elif before != after:
        both = before.splitlines(keepends=True), after.splitlines(keepends=True)
        print(*difflib.unified_diff(*both, "as it is", "as generated"), sep="", end="")
        raise SystemExit(1)
