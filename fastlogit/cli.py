"""The command ``fastlogit``: reads arguments, calls the library, reports.

Results go to standard output; messages, and a progress bar on a terminal, to standard error.
The exit status is 0 for success, 1 for an error, 2 for wrong usage, 130 for an interrupt and
141 when the reader of a pipe has gone.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import fastlogit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

FAILED, INTERRUPTED, BROKEN_PIPE = 1, 130, 141
# What libraries raise for what a user did; any other exception is an error of fastlogit.
_USER_ERRORS = (ValueError, TypeError, OSError, MemoryError, ImportError)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these arguments, by default the process's; return the exit status."""
    args = _parser().parse_args(argv)
    try:
        args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Else the interpreter fails at its last flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except _USER_ERRORS as error:
        if args.debug:
            traceback.print_exc()
        _report("error", _one_line(error))
        return FAILED
    return 0


def _train(args: argparse.Namespace) -> None:
    from fastlogit.scoring import read_table
    from fastlogit.scoring.sinks import replacing

    with replacing(args.output, force=args.force) as temporary:
        X, t, names, skipped = read_table(args.data, args.label, missing=args.missing)
        if skipped:
            _report("note", f"left out {skipped:,} rows of {args.data} with a missing value")
        start = time.perf_counter()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                model = fastlogit.fit(
                    X,
                    t,
                    l2=args.l2,
                    tol=args.tol,
                    intercept=args.intercept,
                    feature_names=names,
                    threads=args.threads,
                )
            except ValueError as error:
                raise ValueError(f"{args.data} (t is {args.label!r}): {error}") from error
        model.save(temporary)
    for warning in caught:
        _report("warning", str(warning.message))
    print(
        f"rows           {len(t):,}\n"
        f"features       {model.coef.size:,}\n"
        f"mean log-loss  {model.log_loss:.6f}\n"
        f"passes         {model.passes}, in {time.perf_counter() - start:.1f} s\n"
        f"converged      {'yes' if model.converged else 'NO'}\n"
        f"gradient norm  {model.gradient_norm:.1e}\n"
        f"model          {args.output}"
    )


def _score(args: argparse.Namespace) -> None:
    from fastlogit.scoring import score

    start = time.perf_counter()
    with _progress_bar(args.quiet) as progress:
        rows = score(
            fastlogit.load(args.model),
            args.input,
            args.output,
            missing=args.missing,
            batch_rows=args.batch_rows,
            threads=args.threads,
            force=args.force,
            progress=progress,
        )
    seconds = time.perf_counter() - start
    print(
        f"scored {rows:,} rows in {seconds:.1f} s ({rows / seconds:,.0f} rows/s) -> {args.output}",
        file=sys.stderr,
    )


def _demo(args: argparse.Namespace) -> None:
    from fastlogit import demo

    demo.run(rows=args.rows, threads=args.threads, keep=args.keep)


@contextmanager
def _progress_bar(quiet: bool) -> Iterator[Callable[[int, int | None], object]]:
    """Give a function that shows how many rows are done, on a terminal."""
    from tqdm import tqdm

    # disable=None shows the bar on a terminal only.
    with tqdm(unit=" rows", unit_scale=True, leave=False, disable=quiet or None) as bar:

        def show(done: int, rows: int | None) -> None:
            bar.total = rows
            bar.update(done - bar.n)

        yield show


def _report(kind: str, message: str) -> None:
    print(f"fastlogit: {kind}: {message}", file=sys.stderr)


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, ModuleNotFoundError):
        return f"this needs {error.name}: pip install 'fastlogit[cli]'"
    return " ".join(str(error).split()) or type(error).__name__


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fastlogit",
        description="Train a logistic model, and score tables of any size with it.",
        epilog="'fastlogit COMMAND --help' has an example of each.",
    )
    parser.add_argument("--version", action="version", version=f"fastlogit {fastlogit.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    files = "a .parquet, .csv (with a header) or .npy file"

    train = _command(
        commands,
        "train",
        _train,
        "train a model on a table",
        "fastlogit train flights.parquet --label late -o model.json",
    )
    train.add_argument("data", metavar="DATA", help=files)
    train.add_argument(
        "--label",
        metavar="COLUMN",
        required=True,
        help="the target t, between 0 and 1; all other columns are features (in a .npy file "
        "the column's position: 0 is the first, -1 the last)",
    )
    _add_output(train, "MODEL", "the model, as JSON")
    train.add_argument(
        "--l2", type=float, default=1.0, help="penalty l2/2 Σ coef² (default: %(default)s)"
    )
    train.add_argument(
        "--tol", type=float, default=1e-8, help="largest gradient at the end (default: %(default)s)"
    )
    train.add_argument(
        "--no-intercept", dest="intercept", action="store_false", help="no constant term"
    )
    train.add_argument(
        "--missing",
        choices=("error", "skip"),
        default="error",
        help="what to do with a row that has a null or NaN (default: %(default)s)",
    )

    score = _command(
        commands,
        "score",
        _score,
        "write a model's probability for every row of a table",
        "fastlogit score model.json flights.parquet -o scores.parquet",
    )
    score.add_argument("model", metavar="MODEL", help="what 'fastlogit train' wrote")
    score.add_argument("input", metavar="INPUT", help=f"{files}; columns are found by their names")
    _add_output(score, "OUTPUT", "likewise; its one column is 'probability'")
    score.add_argument(
        "--missing",
        choices=("error", "nan"),
        default="error",
        help="what to do with a row that has a null: stop, or score it as NaN "
        "(default: %(default)s); a NaN in the input scores as NaN",
    )
    score.add_argument(
        "--batch-rows", type=_positive, metavar="N", help="rows to read at a time (not for .csv)"
    )
    score.add_argument("-q", "--quiet", action="store_true", help="no progress bar")

    demo = _command(
        commands,
        "demo",
        _demo,
        "train and score on real data that come with fastlogit, and compare with NumPy",
        "fastlogit demo --rows 1000000",
    )
    demo.add_argument(
        "--rows", type=_positive, default=10_000_000, help="rows to score (default: %(default)s)"
    )
    demo.add_argument("--keep", metavar="DIR", type=Path, help="keep the files in this folder")
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], None],
    summary: str,
    example: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "--threads", type=_positive, metavar="N", help="most threads to use (default: all cores)"
    )
    parser.add_argument("--debug", action="store_true", help="show where an error comes from")
    return parser


def _add_output(parser: argparse.ArgumentParser, metavar: str, what: str) -> None:
    parser.add_argument("-o", "--output", metavar=metavar, required=True, help=what)
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1; got {number}")
    return number
