"""Messages of the library as the command says them: its arguments become options.

A message names an argument in one of three ways: with a value, as in ``missing='skip'``; before a
rule, as in ``threshold must be ...``; or alone, if its name is no English word, as ``max_passes``.
"""

from __future__ import annotations

import ast
import re
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

# Options of a CSV, which messages write as Python does.
_CSV = re.compile(r"csv=CSVOptions\(((?:[^()'\"]|'[^']*'|\"[^\"]*\")*)\)")
_TEXT = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_VALUE = rf"\[(?:{_TEXT}|[^\]'\"])*\]|{_TEXT}|[\w.+-]+"
# Names without an underscore or a digit that are no words either.
_NO_WORDS = ("tol",)


def options_of(parser: argparse.ArgumentParser) -> dict[str, str]:
    """The options of a command, by the names of the arguments that they stand for."""
    return {
        name: action.option_strings[-1]
        for action in parser._actions
        if action.option_strings
        for name in (action.dest, action.option_strings[-1].lstrip("-").replace("-", "_"))
    }


def as_options(message: str, options: dict[str, str]) -> str:
    """A message in which the arguments that it names are options."""
    if not options:
        return message
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


def _is_word(name: str) -> bool:
    return name.isalpha() and name not in _NO_WORDS


def _with_value(option: str, value: str) -> str:
    """An option as it is typed."""
    try:
        given = ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return f"{option} {value}"
    if isinstance(given, bool):
        return option
    values = given if isinstance(given, list) else [given]
    return " ".join([option, *(shlex.quote(str(one)) for one in values)])
