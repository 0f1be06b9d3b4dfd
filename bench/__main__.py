"""``python -m bench``: what to print."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench import accuracy, fits, passes, report, scoring, table


def main() -> None:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Print Markdown tables.")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("table", help="speed and error against NumPy, for the README (default)")
    commands.add_parser("report", help="speed against the other libraries that are installed")
    commands.add_parser("passes", help="passes over X against reading it, and against others")
    fit = commands.add_parser("fit", help="time to the same optimum, against other trainers")
    fit.add_argument(
        "problems", nargs="*", type=int, help="which, by their numbers from 0 (default: all)"
    )
    fit.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    fit.add_argument("--names", nargs="+", default=(), help="parts of contenders' names")
    score = commands.add_parser("score", help="files to files, against reading and others' scoring")
    score.add_argument(
        "--rows", type=int, default=scoring.ROWS, help="of the tables (default: %(default)s)"
    )
    score.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    score.add_argument(
        "--only", nargs="+", choices=scoring.PARTS, metavar="PART", help=", ".join(scoring.PARTS)
    )
    score.add_argument(
        "--folder", type=Path, help="for the files, which are used again (default: a temporary one)"
    )
    errors = commands.add_parser("accuracy", help="errors of every function, by whom and where")
    errors.add_argument(
        "--points", type=int, default=accuracy.POINTS, help="of float64 (default: %(default)s)"
    )
    errors.add_argument(
        "--exhaustive", action="store_true", help="instead, every float32 by functions of one"
    )
    options = parser.parse_args()
    if options.command == "report":
        report.main()
    elif options.command == "passes":
        passes.main()
    elif options.command == "fit":
        fits.main(options.problems, options.names, options.rounds)
    elif options.command == "score":
        scoring.main(options.rows, options.rounds, options.only, options.folder)
    elif options.command != "accuracy":
        table.main()
    elif options.exhaustive:
        accuracy.exhaustive()
    else:
        accuracy.main(options.points)


if __name__ == "__main__":
    main()
