"""``fastlogit export``: write a model in the language of another tool.

Each target is a method of the model.  It takes the options that are parameters of the method.
"""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any

from fastlogit.cli import options, report
from fastlogit.core.files import keep_apart, replacing
from fastlogit.models.export import sql
from fastlogit.models.export.dialects import DIALECTS
from fastlogit.models.model import load

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from pathlib import Path

TARGETS = ("onnx", "sql", "sklearn", "pmml")
# Options of some targets.
_OPTIONS = ("dialect", "output", "table", "offset", "unknown", "dtype", "names", "compat")


def add_parser(commands: options.Subparsers) -> None:
    """Add the command."""
    parser = options.add_command(
        commands,
        "export",
        run,
        "write a model as ONNX, SQL or PMML, or for scikit-learn",
        "fastlogit export model.json --to sql --table flights -o flights.sql",
        "fastlogit export model.json --to sql --dialect postgres --output label -o -",
        "fastlogit export model.json --to onnx -o model.onnx",
        "fastlogit export model.json --to sklearn -o model.joblib",
    )
    options.add_model(parser)
    parser.add_argument(
        "--to",
        dest="target",
        required=True,
        choices=TARGETS,
        help="a graph of ONNX; an expression or a query of SQL; an estimator, which joblib.load "
        "reads with the same version of scikit-learn; or a regression model of PMML",
    )
    parser.add_argument(
        "--dialect", choices=tuple(DIALECTS), help="the language of a database (default: duckdb)"
    )
    parser.add_argument(
        "--output",
        choices=sql.OUTPUTS,
        help="what SQL computes for each row (default: probability).  --out names the file",
    )
    parser.add_argument(
        "--table",
        nargs="+",
        metavar="NAME",
        help="a table, after the names of its schema and so on if need be, that the SQL is a query "
        "of (default: an expression, to follow SELECT); end the list by another option or --",
    )
    options.add_offset(parser)
    parser.add_argument(
        "--unknown",
        choices=("null", "nan", "error", "ignore"),
        help="categories that the model does not know: the score is 'null' (SQL) or 'nan' (ONNX), "
        "or an 'error' (scikit-learn, PMML); 'ignore' drops their contribution to the score "
        "(default: not 'ignore')",
    )
    parser.add_argument(
        "--dtype",
        choices=("float64", "float32"),
        help="the numbers that ONNX computes with (default: float64)",
    )
    parser.add_argument(
        "--names",
        nargs="+",
        metavar="NAME",
        help="names of ONNX's inputs, one for each column (default: one matrix X, or with "
        "categories the names of the columns), or of SQL's results (default: as --output); end the "
        "list by another option or --",
    )
    parser.add_argument(
        "--compat",
        action="store_const",
        const=True,
        help="one operator of ONNX that other converters understand; it loses digits",
    )
    options.add_output(parser, "FILE", "the file; for SQL also - for standard output")


def run(args: argparse.Namespace) -> None:
    """Write the model in the language of the target."""
    given = {name: getattr(args, name) for name in _OPTIONS if getattr(args, name) is not None}
    model = load(args.model)
    export = getattr(model, f"to_{args.target}")
    for name in sorted(given.keys() - inspect.signature(export).parameters):
        args.parser.error(f"--to {args.target} takes no --{name}")
    if args.out == "-" and args.target != "sql":
        args.parser.error("--out - must go with --to sql")
    if args.out == "-" and sys.stdout is None:
        raise ValueError("standard output is closed")
    with report.warnings_as_messages(args.parser):
        if args.out == "-":
            print(export(**given))
            return
        keep_apart(args.out, args.model)
        with replacing(args.out, force=args.force) as temporary:
            _write(args.target, export, given, temporary)


def _write(target: str, export: Callable[..., Any], given: dict[str, Any], path: Path) -> None:
    """Export a model to a file."""
    if target == "sql":
        path.write_text(f"{export(**given)}\n", encoding="utf-8")
    elif target == "sklearn":
        import joblib

        joblib.dump(export(**given), path)
    else:
        export(path, **given)
