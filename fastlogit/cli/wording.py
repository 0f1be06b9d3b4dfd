"""Messages of the library in the words of the command line: arguments become options.

The options are read from the command's parser, so that a new option needs no entry here.
A message names an argument in one of three ways:

- with a value: ``missing='skip'``
- before a rule: ``threshold must be ...``
- alone, if it is not an English word: ``max_passes``
"""

from __future__ import annotations

import ast
import re
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

# Options for CSV, as Python writes them.
_CSV = re.compile(r"csv=CSVOptions\(((?:[^()'\"]|'[^']*'|\"[^\"]*\")*)\)")
_TEXT = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_VALUE = rf"\[(?:{_TEXT}|[^\]'\"])*\]|{_TEXT}|[\w.+-]+"
# Names of letters alone that are not English words.
_NOT_WORDS = ("tol",)


def as_options(message: str, parser: argparse.ArgumentParser) -> str:
    """The message with each argument that it names replaced by the command's option."""
    options = options_by_argument(parser)
    names = "|".join(map(re.escape, options))
    alone = "|".join(re.escape(name) for name in options if not _is_word(name)) or "(?!)"
    message = _CSV.sub(lambda found: re.sub(r",(?= \w+=)", "", found[1]), message)
    message = re.sub(
        rf"(?<![\w'\"=-])({names})=({_VALUE})",
        lambda found: _with_value(options[found[1]], found[2]),
        message,
    )
    message = re.sub(
        rf"(^|[:;(] ?)({names})(?= must\b)", lambda found: found[1] + options[found[2]], message
    )
    return re.sub(
        rf"(?<![\w'\"=/.-])({alone})(?![\w'\"=/-]|\.\w)",
        lambda found: options[found[1]],
        message,
    )


def options_by_argument(parser: argparse.ArgumentParser) -> dict[str, str]:
    """The options of a command by their arguments' names: ``{"max_passes": "--max-passes"}``."""
    return {
        name: action.option_strings[-1]
        for action in parser._actions
        if action.option_strings
        for name in (action.dest, action.option_strings[-1].lstrip("-").replace("-", "_"))
    }


def _is_word(name: str) -> bool:
    return name.isalpha() and name not in _NOT_WORDS


def _with_value(option: str, value: str) -> str:
    """An option and its value as they are typed into a shell."""
    try:
        given = ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return f"{option} {value}"
    if isinstance(given, bool):
        return option
    values = given if isinstance(given, list) else [given]
    return " ".join([option, *(shlex.quote(str(one)) for one in values)])
