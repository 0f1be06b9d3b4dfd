"""``fastlogit plot``: draw the mathematics, or a model and how good it is on a table.

Each picture is a function of :mod:`fastlogit.plot`.  It takes the arguments and options that are
parameters of the function.
"""

from __future__ import annotations

import inspect
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastlogit.cli import options, report
from fastlogit.core.files import keep_apart

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection

# Pictures that need nothing, a model, or a model and data.
_MATHEMATICS = ("logistic", "derivative", "cross_entropy", "gradient", "softmax", "tails")
_MODEL = ("convergence", "coefficients")
_DATA = ("reliability", "roc", "precision_recall", "confusion_matrix", "decision_boundary")
PICTURES = (*_MATHEMATICS, *_MODEL, *_DATA)
_FORMATS = ("png", "svg", "pdf")
# The parameters that options set, if their names differ.
_PARAMETERS = {"data": "X", "label": "t"} | dict.fromkeys(options.CSV_NAMES, "csv")
# Options that every picture takes.
_COMMON = {"picture", "out", "force", "quiet", "debug"}


def add_parser(commands: options.Subparsers) -> None:
    """Add the command."""
    parser = options.add_command(
        commands,
        "plot",
        run,
        "draw the mathematics, or a model and how good it is on a table",
        "fastlogit plot cross-entropy -o loss.svg",
        "fastlogit plot tails --function softplus -o tails.png",
        "fastlogit plot coefficients model.json -o coefficients.pdf",
        "fastlogit plot reliability model.json flights.parquet --label late -o reliability.png",
        "fastlogit plot confusion-matrix model.json flowers.csv --label species -o species.png",
    )
    parser.add_argument(
        "picture",
        metavar="NAME",
        type=_with_underscores,
        choices=PICTURES,
        help=f"the mathematics: {', '.join(_MATHEMATICS)}; a model: {', '.join(_MODEL)}; a model "
        f"on data: {', '.join(_DATA)}.  Hyphens may replace underscores",
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        nargs="?",
        help="a file written by 'fastlogit train', for a picture of a model, with or without data",
    )
    parser.add_argument(
        "data",
        metavar="DATA",
        nargs="?",
        help=f"for a picture of a model on data, {options.TABLE}",
    )
    parser.add_argument(
        "--function",
        type=_with_underscores,
        choices=("log_sigmoid", "softplus", "sigmoid", "sigmoid_derivative"),
        help="for 'tails', the function whose errors are drawn (default: log_sigmoid)",
    )
    options.add_label(parser)
    options.add_offset(parser)
    # Options without a default, so that a picture can refuse those that are given.
    options.add_missing(parser, options.WITHOUT_LABEL_OR_SCORE, default=None)
    options.add_unknown(parser, default=None)
    options.add_output(parser, "FILE", "a .png, .svg or .pdf file")
    options.add_threads(parser)
    options.add_quiet(parser)
    options.add_input_format(parser)


def _with_underscores(name: str) -> str:
    return name.replace("-", "_")


def run(args: argparse.Namespace) -> None:
    """Draw the picture and write it to its file."""
    if "matplotlib" not in sys.modules:
        os.environ["MPLBACKEND"] = "agg"  # a notebook's backend may not be installed here
    from matplotlib import pyplot as plt

    from fastlogit import plot
    from fastlogit.core.files import replacing

    draw = getattr(plot, args.picture)
    takes = inspect.signature(draw).parameters
    file_format = Path(args.out).suffix.lower().removeprefix(".")
    if file_format not in _FORMATS:
        suffixes = ", ".join(f".{name}" for name in _FORMATS)
        raise ValueError(f"{args.out}: a picture's name must end in {suffixes}")
    _check_usage(args, takes)
    for path in filter(None, (args.model, args.data)):
        keep_apart(args.out, path)
    with ExitStack() as stack:
        stack.enter_context(report.warnings_as_messages(args.parser))
        temporary = stack.enter_context(replacing(args.out, force=args.force, alone=True))
        given = _arguments(args, takes)
        if "progress" in takes:
            given["progress"] = stack.enter_context(report.progress_bar(quiet=args.quiet))
        drawn = draw(**given)
        figure = (drawn if hasattr(drawn, "figure") else drawn[0]).figure
        figure.savefig(temporary, format=file_format, dpi=150)
        plt.close(figure)


def _check_usage(args: argparse.Namespace, takes: Collection[str]) -> None:
    """End with wrong usage if the picture does not take an argument, or needs another."""
    for action in args.parser._actions:
        value = getattr(args, action.dest, None)
        parameter = _PARAMETERS.get(action.dest, action.dest)
        name = action.option_strings[-1] if action.option_strings else action.metavar
        if value is not None and parameter not in takes and action.dest not in _COMMON:
            args.parser.error(f"{args.picture} takes no {name}; got {value!r}")
        if value is None and parameter in takes and not action.option_strings:
            args.parser.error(f"{args.picture} needs {name}")


def _arguments(args: argparse.Namespace, takes: Collection[str]) -> dict[str, Any]:
    """The arguments of the picture's function that are given."""
    given = {_PARAMETERS.get(name, name): value for name, value in vars(args).items()}
    given["csv"] = options.csv_options(args)
    if args.model is not None:
        given["model"] = options.load_model(args)
    return {name: value for name, value in given.items() if name in takes and value is not None}
