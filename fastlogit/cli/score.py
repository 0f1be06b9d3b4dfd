"""``fastlogit score``: score every row of a table with a model."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, get_args

from fastlogit.cli import options, report
from fastlogit.core import checks
from fastlogit.core.files import keep_apart
from fastlogit.scoring.scorer import OUTPUTS
from fastlogit.tables import formats

if TYPE_CHECKING:
    import argparse

    from fastlogit.scoring import Scored


def add_parser(commands: options.Subparsers) -> None:
    """Add the command."""
    parser = options.add_command(
        commands,
        "score",
        run,
        "score every row of a table; resume an interrupted run",
        "fastlogit score model.json flights.parquet -o scores.parquet",
        "fastlogit score model.json 'flights/*.parquet' -o scores.csv.gz --keep flight "
        "--output probability --output label --threshold 0.2",
        "zcat flights.csv.gz | fastlogit score model.json - -o - > scores.csv",
    )
    options.add_model(parser)
    options.add_table(parser)
    options.add_offset(parser)
    options.add_missing(
        parser,
        "rows with a null: 'error' stops, 'nan' scores them as NaN, 'skip' leaves them out, with "
        "all other rows whose score is NaN (default: error)",
        choices=get_args(checks.Missing),
        default="error",
    )
    options.add_unknown(parser)
    options.add_threshold(parser)
    _add_outputs(parser)
    options.add_output(
        parser,
        "FILE",
        f"the file, with the suffix {', '.join(formats.suffixes(formats.output_formats()))} "
        "(text files also as .gz, .zst), or - for standard output",
    )
    parser.add_argument(
        "--output-format",
        dest="sink_format",
        metavar="NAME",
        help=f"format of the file that --out names: {formats.names(formats.output_formats())} "
        "(default: by suffix; standard output: csv)",
    )
    parser.add_argument(
        "--compression",
        metavar="NAME",
        help="compression of Parquet (default: snappy for kept columns, none for scores) or Arrow "
        "(default: none): zstd, lz4, ...",
    )
    parser.add_argument(
        "--resume", action="store_true", help="continue an interrupted run, if there is one"
    )
    parser.add_argument(
        "--batch-rows", type=options.positive, metavar="N", help="most rows to read at a time"
    )
    options.add_threads(parser)
    options.add_quiet(parser)
    options.add_input_format(parser)


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    """Add the options for the columns of the output, and for skipped rows."""
    parser.add_argument(
        "--output",
        action="append",
        choices=OUTPUTS,
        help="what to write for each row; may be given several times (default: probability).  With "
        "two labels, probability and logit belong to the second; with more, each label has a "
        "column.  --out names the file",
    )
    parser.add_argument(
        "--name",
        dest="names",
        action="append",
        metavar="COLUMN",
        help="name of that column; once for each column",
    )
    options.add_columns(parser, "--keep", "columns of the input to copy to the output")
    parser.add_argument("--skipped", metavar="FILE", help="file for the positions of skipped rows")


def run(args: argparse.Namespace) -> None:
    """Score the table and report how many rows were read, skipped or of unknown categories."""
    from fastlogit import scoring

    for path in filter(None, (args.out, args.skipped)):
        keep_apart(path, args.model)
    start = time.perf_counter()
    with (
        report.warnings_as_messages(args.parser),
        report.progress_bar(quiet=args.quiet) as progress,
    ):
        scored = scoring.score(
            options.load_model(args),
            args.data,
            args.out,
            output=args.output or "probability",
            names=args.names,
            keep=args.keep,
            skipped=args.skipped,
            sink_format=args.sink_format,
            compression=args.compression,
            batch_rows=args.batch_rows,
            force=args.force,
            resume=args.resume,
            progress=progress,
            **options.scoring_arguments(args),
        )
    if not args.quiet:
        _report(scored, time.perf_counter() - start, args.out)


def _report(scored: Scored, seconds: float, path: str) -> None:
    """Print the notes and the summary."""
    if scored.was_complete:
        report.message("note", f"{path} is complete already")
        return
    if scored.skipped:
        rows = report.count_rows(scored.skipped)
        report.message("note", f"left out {rows} with a missing value")
    if scored.unknown:
        values = f"{scored.unknown:,} value{'s' * (scored.unknown != 1)}"
        report.message("note", f"ignored {values} of unknown categories")
    rows = report.count_rows(scored.rows - scored.skipped)
    speed = f"{scored.rows / seconds:,.0f} rows/s"
    print(f"scored {rows} in {seconds:.1f} s ({speed}) -> {path}", file=sys.stderr)
