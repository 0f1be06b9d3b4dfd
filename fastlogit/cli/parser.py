"""The parser of the command line, from the commands' own, and shell completion."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import fastlogit
from fastlogit.cli import report

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

# Arguments that a shell completes with file names.
_FILES = ("DATA", "FILE", "MODEL")


def make_parser(commands: Iterable[ModuleType]) -> argparse.ArgumentParser:
    """The parser of ``fastlogit`` with these commands, each a module with `add_parser`."""
    parser = argparse.ArgumentParser(
        prog="fastlogit",
        description="Train a logistic model, and score tables of any size with it.",
        epilog="'fastlogit COMMAND --help' shows examples.  Exit status: 0 success, 1 error, "
        "2 wrong usage, 130 interrupted, 141 closed pipe, 143 SIGTERM.",
    )
    parser.add_argument("--version", action="version", version=f"fastlogit {fastlogit.__version__}")
    parser.add_argument(
        "--print-completion",
        action=_Completion,
        choices=("bash", "zsh"),
        help="print a completion script for the shell and exit: "
        'eval "$(fastlogit --print-completion bash)"',
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in commands:
        command.add_parser(subparsers)
    return parser


class _Completion(argparse.Action):
    """An option that prints a completion script and exits, as ``--help`` prints help."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        _namespace: argparse.Namespace,
        shell: Any,
        _option: str | None = None,
    ) -> None:
        try:
            import shtab
        except ImportError as error:
            parser.exit(1, f"fastlogit: error: {report.error_line(error, parser)}\n")
        commands = next(action.choices for action in parser._actions if action.dest == "command")
        for command in commands.values():  # type: ignore[union-attr]
            for action in command._actions:
                if action.metavar in _FILES:
                    action.complete = shtab.FILE
        print(shtab.complete(parser, shell))
        parser.exit()
