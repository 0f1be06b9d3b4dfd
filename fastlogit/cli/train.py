"""``fastlogit train``: train a model on a table and save it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fastlogit.cli import options, report, wording
from fastlogit.core.checks import listed, shown
from fastlogit.core.files import keep_apart
from fastlogit.core.warning import warn_caller

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from fastlogit.training.checkpoint import Checkpoint
    from fastlogit.training.fit_table import TableFit
    from fastlogit.training.table.features import Request


def add_parser(commands: options.Subparsers) -> None:
    """Add the command."""
    parser = options.add_command(
        commands,
        "train",
        run,
        "train a model on a table",
        "fastlogit train flights.parquet --label late -o model.json",
        "fastlogit train flights.csv --label late --categorical month --ignore flight "
        "--missing skip -o model.json",
        "fastlogit train irises.csv --label species -o irises.json",
    )
    parser.add_argument("data", metavar="DATA", help=options.TABLE)
    parser.add_argument(
        "--label",
        metavar="COLUMN",
        action="append",
        help="the target: two or more labels, texts or whole numbers; or numbers between 0 and 1; "
        "or, given several times, the probabilities of several labels.  In a .npy file, its "
        "position (0 is the first column, -1 the last); LIBSVM files contain their labels.  All "
        "other columns are features",
    )
    parser.add_argument(
        "--positive",
        metavar="VALUE",
        help="of two labels, the one of t = 1 (default: the later in sort order)",
    )
    parser.add_argument("--weight", metavar="COLUMN", help="sample weights; not a feature")
    options.add_offset(parser, "known addition to each row's logit; not a feature")
    options.add_columns(
        parser,
        "--categorical",
        "columns to treat as text: integers, booleans, or text that looks like numbers, dates or "
        "identifiers.  Each category of a text column has a coefficient; with --l2 0, the first "
        "category has none",
    )
    options.add_columns(parser, "--ignore", "columns to leave out")
    parser.add_argument(
        "--min-count",
        type=options.positive,
        default=1,
        metavar="N",
        help="group the categories of a column that have fewer than N rows: they share a "
        "coefficient, and the model takes text that it does not know as one of them "
        "(default: %(default)s)",
    )
    options.add_missing(
        parser,
        "rows with a null or NaN: 'error' stops, 'skip' leaves them out (default: error)",
        default="error",
    )
    _add_fit(parser)
    options.add_output(parser, "MODEL", "the model, as JSON")
    options.add_threads(parser)
    options.add_quiet(parser)
    parser.add_argument(
        "--columns",
        dest="width",
        type=options.positive,
        metavar="N",
        help="number of columns of a LIBSVM file (default: its largest index)",
    )
    options.add_input_format(parser)


def _add_fit(parser: argparse.ArgumentParser) -> None:
    """Add the options of `fit`."""
    parser.add_argument(
        "--l2",
        type=options.not_negative,
        default=1.0,
        help="penalty l2/2 Σ coef² (default: %(default)s)",
    )
    parser.add_argument(
        "--tol",
        type=options.not_negative,
        default=1e-8,
        help="stop within √TOL / 10 standard errors of the optimum (default: %(default)s)",
    )
    parser.add_argument(
        "--max-passes",
        type=options.positive,
        default=1000,
        metavar="N",
        help="most passes over the data (default: %(default)s)",
    )
    parser.add_argument(
        "--no-intercept", dest="intercept", action="store_false", help="no intercept"
    )
    parser.add_argument(
        "--out-of-core",
        action="store_true",
        default=None,
        help="read the rows again in each pass, so that they need not fit in memory (default: if "
        "they would take more than a quarter of it)",
    )
    parser.add_argument(
        "--no-spool",
        dest="spool",
        action="store_false",
        help="read standard input into memory, instead of copying it to disk to see its size; with "
        "--out-of-core it is refused",
    )
    parser.add_argument(
        "--checkpoint",
        metavar="FILE",
        help="keep the result of each pass in this file until the model is saved",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="continue an interrupted run from its checkpoint, if there is one",
    )
    parser.add_argument(
        "--progress",
        action="store_true",
        help="show passes and gradient norm; out of core also rows, speed and the time that a pass "
        "still takes",
    )


def run(args: argparse.Namespace) -> None:
    """Train the model, save it, and print a summary."""
    from fastlogit.core.files import replacing
    from fastlogit.models import file
    from fastlogit.training.checkpoint import open_checkpoint

    for path in filter(None, (args.out, args.checkpoint)):
        keep_apart(path, args.data)
    out = Path(args.out)
    if args.checkpoint is not None and Path(args.checkpoint).resolve() == out.resolve():
        raise ValueError(f"checkpoint must be another file than the model; got {out} for both")
    # A run that was killed at its very end has left its model.
    was_there = args.resume and not args.force and out.is_file()
    check = _check_columns(out, args) if was_there else None
    start = time.perf_counter()
    with (
        report.warnings_as_messages(args.parser),
        open_checkpoint(args.checkpoint, resume=args.resume, force=args.force) as checkpoint,
    ):
        with replacing(out, force=args.force or was_there, alone=True) as temporary:
            fitted = _fit(args, checkpoint, check)
            file.write(temporary, fitted.model.content())
            if was_there and temporary.read_bytes() != out.read_bytes():
                raise _other_model(out)
        if checkpoint is not None:
            checkpoint.remove()
    if not args.quiet:
        print(_summary(fitted, args, time.perf_counter() - start))


def _check_columns(out: Path, args: argparse.Namespace) -> Callable[[Request], None]:
    """A function that raises an error if a model that exists has other columns or options.

    Only the end of training shows whether it is the same in all else.
    """
    from fastlogit.models.model import load

    try:
        model = load(out)
    except ValueError as error:
        raise _other_model(out) from error
    if not np.array_equal(model.l2, args.l2) or model.with_intercept != args.intercept:
        raise _other_model(out)

    def check(request: Request) -> None:
        table, roles = request.table, request.roles
        numbers, texts = table.names, set[str]()
        if roles is not None and table.names is not None:
            numbers = tuple(table.names[column] for column in roles.numbers)
            texts = {table.names[column] for column in roles.text}
        names = model.feature_names
        begins = names == numbers
        if texts and names is not None and numbers is not None:
            begins = names[: len(numbers)] == numbers  # features of text follow
        if not begins or model.categories.keys() != texts:
            raise _other_model(out)

    return check


def _other_model(out: Path) -> FileExistsError:
    return FileExistsError(f"{out}: exists already, and is another model (--force replaces it)")


def _fit(
    args: argparse.Namespace,
    checkpoint: Checkpoint | None,
    check: Callable[[Request], None] | None,
) -> TableFit:
    """Train a model, and report the notes on the table and the warnings about the optimum."""
    from fastlogit.training.fit_table import TableOptions, fit_table
    from fastlogit.training.options import Options

    columns = TableOptions(
        label=args.label,
        positive=args.positive,
        weight=args.weight,
        offset=args.offset,
        missing=args.missing,
        categorical=args.categorical,
        ignore=args.ignore,
        min_count=args.min_count,
        source_format=args.source_format,
        width=args.width,
        csv=options.csv_options(args),
        out_of_core=args.out_of_core,
        spool=args.spool,
    )
    how = Options(
        tol=args.tol,
        max_passes=args.max_passes,
        intercept=args.intercept,
        checkpoint=checkpoint,
        progress=args.progress,
        threads=args.threads,
    )

    def note(text: str) -> None:
        if not args.quiet:
            report.message("note", wording.as_options(text, args.parser))

    fitted = fit_table(args.data, columns, how, l2=args.l2, check=check, note=note)
    for text in fitted.notes:
        note(text)
    if fitted.skipped:
        rows = report.count_rows(fitted.skipped)
        note(f"left out {rows} of {_name(args.data)} with a missing value")
    for warning in fitted.warnings:
        warn_caller(warning)
    return fitted


def _summary(fitted: TableFit, args: argparse.Namespace, seconds: float) -> str:
    """The facts about a new model, a line each."""
    model = fitted.model
    facts = {
        "rows": f"{fitted.rows:,}",
        **_class_facts(fitted, args),
        "features": f"{model.coef.shape[-1]:,}",
        "mean log-loss": f"{model.mean_log_loss:.6f}",
        "solver": model.solver,
        "passes": model.passes,
        "seconds": f"{seconds:.1f}, any compilation included",
        "converged": "yes" if model.converged else "NO",
        "gradient norm": f"{model.gradient_norm:.1e}",
        "model": args.out,
    }
    return "\n".join(f"{name:<14} {value}" for name, value in facts.items())


def _class_facts(fitted: TableFit, args: argparse.Namespace) -> dict[str, str]:
    """The labels, if they are others than 0 and 1."""
    classes = fitted.model.classes
    if classes == (0, 1):
        return {}
    if len(classes) == 2:
        return {"positive": f"{classes[1]!r} (--positive chooses)"}
    facts = {"classes": f"{len(classes)}: {listed(classes)}"}
    if args.label is None or len(args.label) == 1:
        rarest = int(np.argmin(fitted.class_weights))
        weight = float(fitted.class_weights[rarest])
        size = f"weight {weight:g}" if args.weight else report.count_rows(int(weight))
        facts["rarest class"] = f"{shown(classes[rarest])}, {size}"
    return facts


def _name(source: str) -> str:
    """The input's name in messages."""
    return "standard input" if source == "-" else source
