"""``fastlogit train``: train a model on a table and save it."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

import numpy as np

import fastlogit
from fastlogit.cli import options, report, wording
from fastlogit.core.checks import listed, shown
from fastlogit.core.files import keep_apart

if TYPE_CHECKING:
    import argparse

    from fastlogit.scoring import TrainingData


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


def run(args: argparse.Namespace) -> None:
    """Read the table, train the model, save it, and print a summary."""
    from fastlogit.core.files import replacing

    keep_apart(args.out, args.data)
    with (
        report.warnings_as_messages(args.parser),
        replacing(args.out, force=args.force, alone=True) as temporary,
    ):
        data = _read(args)
        start = time.perf_counter()
        model = _fit(data, args)
        seconds = time.perf_counter() - start
        model.save(temporary)
    if not args.quiet:
        print(_summary(model, data, seconds, args.out))


def _read(args: argparse.Namespace) -> TrainingData:
    """Read the table and report the notes on it."""
    from fastlogit.scoring import read_table

    data = read_table(
        args.data,
        args.label,
        positive=args.positive,
        weight=args.weight,
        offset=args.offset,
        missing=args.missing,
        categorical=args.categorical,
        ignore=args.ignore,
        min_count=args.min_count,
        drop_first=args.l2 == 0.0,
        intercept=args.intercept,
        source_format=args.source_format,
        width=args.width,
        csv=options.csv_options(args),
    )
    if not args.quiet:
        for note in data.notes:
            report.message("note", wording.as_options(note, args.parser))
        if data.skipped:
            rows, source = report.count_rows(data.skipped), _name(args.data)
            report.message("note", f"left out {rows} of {source} with a missing value")
    return data


def _fit(data: TrainingData, args: argparse.Namespace) -> fastlogit.LogisticModel:
    """Train a model with the table's categories and labels."""
    try:
        model = fastlogit.fit(
            data.X,
            data.t,
            classes=data.classes,
            weight=data.weight,
            offset=data.offset,
            l2=args.l2,
            tol=args.tol,
            max_passes=args.max_passes,
            intercept=args.intercept,
            feature_names=data.feature_names,
            threads=args.threads,
        )
    except ValueError as error:
        raise ValueError(f"{_name(args.data)}: {error}") from error
    return dataclasses.replace(model, categories=data.categories)


def _summary(model: fastlogit.LogisticModel, data: TrainingData, seconds: float, path: str) -> str:
    """The facts about a new model, a line each."""
    facts = {
        "rows": f"{len(data.t):,}",
        **_class_facts(data),
        "features": f"{model.coef.shape[-1]:,}",
        "mean log-loss": f"{model.mean_log_loss:.6f}",
        "solver": model.solver,
        "passes": model.passes,
        "seconds": f"{seconds:.1f}, any compilation included",
        "converged": "yes" if model.converged else "NO",
        "gradient norm": f"{model.gradient_norm:.1e}",
        "model": path,
    }
    return "\n".join(f"{name:<14} {value}" for name, value in facts.items())


def _class_facts(data: TrainingData) -> dict[str, str]:
    """The labels, if they are others than 0 and 1."""
    if data.classes == (0, 1):
        return {}
    if len(data.classes) == 2:
        return {"positive": f"{data.classes[1]!r} (--positive chooses)"}
    facts = {"classes": f"{len(data.classes)}: {listed(data.classes)}"}
    if data.t.ndim == 1:
        numbers, rows = np.unique(data.t, return_counts=True)
        label = data.classes[int(numbers[np.argmin(rows)])]
        facts["rarest class"] = f"{shown(label)}, {report.count_rows(int(rows.min()))}"
    return facts


def _name(source: str) -> str:
    """The input's name in messages."""
    return "standard input" if source == "-" else source
