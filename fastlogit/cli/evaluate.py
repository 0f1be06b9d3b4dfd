"""``fastlogit evaluate``: compare a model's probabilities with labels."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from fastlogit.cli import options, report

if TYPE_CHECKING:
    import argparse


def add_parser(commands: options.Subparsers) -> None:
    """Add the command."""
    parser = options.add_command(
        commands,
        "evaluate",
        run,
        "measure log-loss, accuracy, AUC and calibration of a model on a table with labels",
        "fastlogit evaluate model.json flights.parquet --label late",
        "fastlogit evaluate model.json flights.csv --label late --missing error --json",
        "fastlogit evaluate irises.json irises.csv --label species --top 2",
    )
    options.add_model(parser)
    options.add_table(parser)
    options.add_label(parser)
    options.add_offset(parser)
    options.add_missing(parser, options.WITHOUT_LABEL_OR_SCORE, default="skip")
    options.add_unknown(parser)
    options.add_threshold(parser)
    parser.add_argument(
        "--top",
        type=options.positive,
        action="append",
        metavar="K",
        help="of more than two labels: count how often the label is one of the K most probable; "
        "may be given several times (default: 2, 3 and 5)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    options.add_threads(parser)
    options.add_quiet(parser)
    options.add_input_format(parser)


def run(args: argparse.Namespace) -> None:
    """Evaluate the model and print the result."""
    from fastlogit.scoring import evaluate

    if sys.stdout is None:
        raise ValueError("standard output is closed")
    with (
        report.warnings_as_messages(args.parser),
        report.progress_bar(quiet=args.quiet) as progress,
    ):
        evaluation = evaluate(
            options.load_model(args),
            args.data,
            args.label,
            top=args.top,
            progress=progress,
            **options.scoring_arguments(args),
        )
    print(evaluation.to_json() if args.json else evaluation)
