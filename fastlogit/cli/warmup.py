"""``fastlogit warmup``: compile in advance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastlogit.cli import options

if TYPE_CHECKING:
    import argparse


def add_parser(commands: options.Subparsers) -> None:
    """Add the command."""
    options.add_command(
        commands,
        "warmup",
        run,
        "compile in advance the functions for float32 and float64 data",
        "fastlogit warmup",
    )


def run(_args: argparse.Namespace) -> None:
    """Compile all functions and print their names."""
    from fastlogit import warmup

    warmup.run()
