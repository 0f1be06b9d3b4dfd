"""The command ``fastlogit``: reads arguments, calls the library, reports.

Results go to standard output; messages, and a progress bar on a terminal, to standard error.
The exit status is 0 for success, 1 for an error, 2 for wrong usage, 130 for an interrupt, 141
when the reader of a pipe has gone and 143 when the process was told to end (SIGTERM).
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import math
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import fastlogit
from fastlogit.cli import wording
from fastlogit.core import threads
from fastlogit.core.files import keep_apart
from fastlogit.scoring.scorer import OUTPUTS
from fastlogit.tables.csv_options import NULLS, CSVOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fastlogit.tables.table import ReadProgress

Number = TypeVar("Number", int, float)

FAILED, INTERRUPTED, BROKEN_PIPE = 1, 130, 141
# How long after SIGTERM or SIGINT the process is there at most.
_LAST_S = 10.0
# What libraries raise for what a user did; any other exception is an error of fastlogit.
_USER_ERRORS = (ValueError, TypeError, OSError, MemoryError, ImportError)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these arguments, by default the process's; return the exit status."""
    args = _parser().parse_args(argv)
    try:
        threads.resolve(args.threads)  # of the environment, before any work
        with _ending_in_order():
            args.run(args)
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        if sys.stdout is not None:  # else the interpreter fails at its last flush
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:
        # What Arrow does not know how to do comes of what it was given, too.
        if not isinstance(error, _USER_ERRORS) and not type(error).__module__.startswith("pyarrow"):
            raise
        if args.debug:
            traceback.print_exc()
        _report("error", _one_line(error, wording.options_of(args.parser)))
        return FAILED
    return 0


def run() -> NoReturn:
    """Run the command as a process.

    After an error it ends at once: a thread may still wait for a pipe in which nothing comes.
    """
    if sys.stderr is None:  # for which print would take standard output
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    try:
        status: Any = main()
    except SystemExit as end:
        status = end.code
    if isinstance(status, int) and status != 0:
        with suppress(Exception):  # who would read it has gone
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """Let SIGTERM end the block as an exception does, so that no temporary file is left."""
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
    ):
        yield
        return

    timers: list[threading.Timer] = []

    def end(number: int, _frame: object) -> None:
        # For where an exception is lost, as in a callback of C, or a thread waits for a pipe.
        timers.append(threading.Timer(_LAST_S, os._exit, [128 + number]))
        timers[-1].daemon = True
        timers[-1].start()
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, end)
    is_interruptible = signal.getsignal(signal.SIGINT) == signal.default_int_handler
    if is_interruptible:
        signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if is_interruptible:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        for timer in timers:
            timer.cancel()


def _train(args: argparse.Namespace) -> None:
    from fastlogit.core.files import replacing
    from fastlogit.scoring import read_table

    keep_apart(args.out, args.data)
    with _reported_warnings(args), replacing(args.out, force=args.force, alone=True) as temporary:
        data = read_table(
            args.data,
            args.label,
            positive=args.positive,
            weight=args.weight,
            offset=args.offset,
            missing=args.missing,
            categorical=args.categorical,
            ignore=args.ignore,
            drop_first=args.l2 == 0.0,
            intercept=args.intercept,
            source_format=args.source_format,
            width=args.width,
            csv=_csv_options(args),
        )
        for note in data.notes:
            _report("note", wording.as_options(note, wording.options_of(args.parser)))
        if data.skipped:
            source = _named(args.data)
            _report("note", f"left out {_rows(data.skipped)} of {source} with a missing value")
        start = time.perf_counter()
        try:
            model = fastlogit.fit(
                data.X,
                data.t,
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
            raise ValueError(f"{_named(args.data)}: {error}") from error
        seconds = time.perf_counter() - start
        model = dataclasses.replace(model, categories=data.categories, classes=data.classes)
        model.save(temporary)
    positive = f"positive       {data.classes[1]!r} (--positive chooses)\n"
    print(
        f"rows           {len(data.t):,}\n"
        f"{positive if data.classes != (0, 1) else ''}"
        f"features       {model.coef.size:,}\n"
        f"mean log-loss  {model.mean_log_loss:.6f}\n"
        f"solver         {model.solver}\n"
        f"passes         {model.passes}\n"
        f"seconds        {seconds:.1f}, any compilation included\n"
        f"converged      {'yes' if model.converged else 'NO'}\n"
        f"gradient norm  {model.gradient_norm:.1e}\n"
        f"model          {args.out}"
    )


def _score(args: argparse.Namespace) -> None:
    from fastlogit import scoring

    for path in filter(None, (args.out, args.skipped)):
        keep_apart(path, args.model)
    start = time.perf_counter()
    with _reported_warnings(args), _progress_bar(args.quiet) as progress:
        done = scoring.score(
            fastlogit.load(args.model),
            args.input,
            args.out,
            output=args.outputs or "probability",
            names=args.names,
            keep=args.keep,
            offset=args.offset,
            threshold=args.threshold,
            missing=args.missing,
            unknown=args.unknown,
            skipped=args.skipped,
            source_format=args.source_format,
            csv=_csv_options(args),
            sink_format=args.sink_format,
            compression=args.compression,
            batch_rows=args.batch_rows,
            threads=args.threads,
            force=args.force,
            resume=args.resume,
            progress=progress,
        )
    seconds = time.perf_counter() - start
    if done.was_complete:
        if not args.quiet:
            _report("note", f"{args.out} is complete already")
        return
    if done.skipped and not args.quiet:
        _report("note", f"left out {_rows(done.skipped)} with a missing value")
    if done.unknown and not args.quiet:
        _report(
            "note", f"met {done.unknown:,} text{'s' * (done.unknown != 1)} unknown to the model"
        )
    if not args.quiet:
        print(
            f"scored {_rows(done.rows)} in {seconds:.1f} s ({done.rows / seconds:,.0f} rows/s) "
            f"-> {args.out}",
            file=sys.stderr,
        )


def _evaluate(args: argparse.Namespace) -> None:
    from fastlogit.scoring import evaluate

    if sys.stdout is None:
        raise ValueError("standard output is closed")
    with _reported_warnings(args), _progress_bar(args.quiet) as progress:
        found = evaluate(
            fastlogit.load(args.model),
            args.input,
            args.label,
            offset=args.offset,
            threshold=args.threshold,
            missing=args.missing,
            unknown=args.unknown,
            source_format=args.source_format,
            csv=_csv_options(args),
            threads=args.threads,
            progress=progress,
        )
    print(found.to_json() if args.json else found)


def _plot(args: argparse.Namespace) -> None:
    """Call the function of this name with what it takes of a model, data, a label and options."""
    if "matplotlib" not in sys.modules:
        os.environ["MPLBACKEND"] = "agg"  # nothing is shown, and a notebook's is not to be had
    from matplotlib import pyplot as plt

    from fastlogit import plot
    from fastlogit.core.files import replacing

    draw = getattr(plot, args.name)
    takes = inspect.signature(draw).parameters
    file_format = Path(args.out).suffix.lower().removeprefix(".")
    if file_format not in _PICTURES:
        raise ValueError(f"{args.out}: a picture's name must end in {', '.join(_SUFFIXES)}")
    given = {
        "model": args.model,
        "X": args.data,
        "t": args.label,
        "offset": args.offset,
        "function": args.function,
        "missing": args.missing,
        "unknown": args.unknown,
        "source_format": args.source_format,
        "csv": _csv_options(args),
    }
    for argument, value in given.items():
        if value is not None and argument not in takes:
            args.parser.error(f"{args.name} takes no {_PLOTTED[argument]}; got {value!r}")
        if value is None and argument in takes and argument in ("model", "X"):
            args.parser.error(f"{args.name} needs {_PLOTTED[argument]}")
    for path in filter(None, (args.model, args.data)):
        keep_apart(args.out, path)
    options = {name: value for name, value in given.items() if value is not None}
    with _reported_warnings(args), replacing(args.out, force=args.force, alone=True) as temporary:
        if args.model is not None:
            options["model"] = fastlogit.load(args.model)
        drawn = draw(**options)
        figure = (drawn if hasattr(drawn, "figure") else drawn[0]).figure
        figure.savefig(temporary, format=file_format, dpi=150)
        plt.close(figure)


def _demo(args: argparse.Namespace) -> None:
    from fastlogit import demo

    demo.run(main, rows=args.rows, threads=args.threads, keep=args.keep)


def _warmup(_args: argparse.Namespace) -> None:
    from fastlogit import warmup

    warmup.run()


@contextmanager
def _progress_bar(quiet: bool) -> Iterator[Callable[[ReadProgress], object]]:
    """Give a function that shows how far a table is read, on a terminal."""
    from tqdm import tqdm

    # disable=None shows the bar on a terminal only.
    with tqdm(unit=" rows", unit_scale=True, leave=False, disable=quiet or None) as bar:

        def show(progress: ReadProgress) -> None:
            rows, bar.total, size, all_bytes = progress
            if size and not bar.disable:
                bar.set_postfix_str(f"{size / bar.format_dict['elapsed'] / 1e6:.0f} MB/s", False)
                if bar.total is None and all_bytes:  # as if all rows were as long
                    bar.total = rows * all_bytes // size
            bar.update(rows - bar.n)

        yield show


@contextmanager
def _reported_warnings(args: argparse.Namespace) -> Iterator[None]:
    """Report each warning in one line, after the block."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    options = wording.options_of(args.parser)
    for warning in caught:
        _report("warning", wording.as_options(str(warning.message), options))


def _named(source: str) -> str:
    """Name of the input in messages."""
    return "standard input" if source == "-" else source


def _rows(number: int) -> str:
    return f"{number:,} row{'s' * (number != 1)}"


def _report(kind: str, message: str) -> None:
    print(f"fastlogit: {kind}: {message}", file=sys.stderr)


def _one_line(error: BaseException, options: dict[str, str]) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, ModuleNotFoundError):
        extra = "plot" if str(error.name).startswith("matplotlib") else "cli"
        return f"this needs {error.name}: pip install 'fastlogit[{extra}]'"
    text = " ".join(str(error).split()) or type(error).__name__
    return wording.as_options(text, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fastlogit",
        description="Train a logistic model, and score tables of any size with it.",
        epilog="'fastlogit COMMAND --help' has examples of each.  The exit status is 0 for "
        "success, 1 for an error, 2 for wrong usage, 130 for an interrupt, 141 when the reader of "
        "a pipe has gone, 143 for SIGTERM.",
    )
    parser.add_argument("--version", action="version", version=f"fastlogit {fastlogit.__version__}")
    parser.add_argument(
        "--print-completion",
        action=_Completion,
        choices=("bash", "zsh"),
        help="write a script with which the shell completes commands and options, and exit: "
        'eval "$(fastlogit --print-completion bash)"',
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    train = _command(
        commands,
        "train",
        _train,
        "train a model on a table",
        "fastlogit train flights.parquet --label late -o model.json",
        "fastlogit train flights.csv --label late --categorical month --ignore flight "
        "--missing skip -o model.json",
    )
    train.add_argument("data", metavar="DATA", help=_TABLE)
    train.add_argument(
        "--label",
        metavar="COLUMN",
        help="the target t: two labels of any kind, or numbers between 0 and 1 (in a .npy file "
        "the column's position: 0 is the first, -1 the last; LIBSVM needs none).  All other "
        "columns are features.  Each category of a column of text has a coefficient; with --l2 0, "
        "the first has none",
    )
    train.add_argument(
        "--positive",
        metavar="VALUE",
        help="the label that is t = 1 (default: the later one in their order)",
    )
    train.add_argument("--weight", metavar="COLUMN", help="how often each row counts; no feature")
    train.add_argument(
        "--offset", metavar="COLUMN", help="a known addition to each row's logit; no feature"
    )
    _add_columns(
        train,
        "--categorical",
        "columns to take as text: of text that looks like numbers, dates or identifiers, of "
        "integers, or of booleans",
    )
    _add_columns(train, "--ignore", "columns that are no features")
    train.add_argument(
        "--columns",
        dest="width",
        type=_positive,
        metavar="N",
        help="how many columns LIBSVM has (default: as many as its largest index says)",
    )
    _add_input_format(train)
    _add_output(train, "MODEL", "the model, as JSON")
    train.add_argument(
        "--l2", type=_not_negative, default=1.0, help="penalty l2/2 Σ coef² (default: %(default)s)"
    )
    train.add_argument(
        "--tol",
        type=_not_negative,
        default=1e-8,
        help="end within √TOL / 10 standard errors of the optimum (default: %(default)s)",
    )
    train.add_argument(
        "--max-passes",
        type=_positive,
        default=1000,
        metavar="N",
        help="most passes over the data (default: %(default)s)",
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
        "write what a model says of every row of a table",
        "fastlogit score model.json flights.parquet -o scores.parquet",
        "fastlogit score model.json 'flights/*.parquet' -o scores.csv.gz --keep flight "
        "--output probability --output label --threshold 0.2",
        "zcat flights.csv.gz | fastlogit score model.json - -o - > scores.csv",
    )
    score.add_argument("model", metavar="MODEL", help="what 'fastlogit train' wrote")
    _add_input(score, "INPUT")
    _add_output(
        score, "FILE", "a .parquet, .arrow, .csv, .tsv or .npy file, or - for standard output"
    )
    score.add_argument(
        "--output",
        dest="outputs",
        action="append",
        choices=OUTPUTS,
        help="what to write; may be given several times (default: probability)",
    )
    score.add_argument(
        "--name",
        dest="names",
        action="append",
        metavar="COLUMN",
        help="name of the column of an output; as often as --output",
    )
    _add_columns(score, "--keep", "columns of the input to write as well")
    _add_threshold(score, "probability above which the label is the second one")
    score.add_argument(
        "--missing",
        choices=("error", "nan", "skip"),
        default="error",
        help="what to do with a row that has a null: stop, score it as NaN, or leave it out, and "
        "all whose score is NaN (default: %(default)s)",
    )
    score.add_argument("--skipped", metavar="FILE", help="where to write which rows were left out")
    score.add_argument(
        "--output-format",
        dest="sink_format",
        metavar="NAME",
        help="default: by the suffix; csv for standard output",
    )
    score.add_argument(
        "--compression",
        metavar="NAME",
        help="of Parquet (default: snappy for what is kept) or Arrow: zstd, lz4, ...",
    )
    score.add_argument(
        "--resume",
        action="store_true",
        help="go on with what a run that died has left; if it was complete, say so",
    )
    score.add_argument(
        "--batch-rows", type=_positive, metavar="N", help="rows to read at a time, at most"
    )

    evaluate = _command(
        commands,
        "evaluate",
        _evaluate,
        "measure how good a model's probabilities are",
        "fastlogit evaluate model.json flights.parquet --label late",
    )
    evaluate.add_argument("model", metavar="MODEL", help="what 'fastlogit train' wrote")
    _add_input(evaluate, "DATA")
    evaluate.add_argument(
        "--label", metavar="COLUMN", help="the column of the labels (LIBSVM has them by itself)"
    )
    _add_threshold(evaluate, "probability above which the second label is predicted")
    evaluate.add_argument("--json", action="store_true", help="write JSON")
    for command in (score, evaluate):
        _add_unknown(command, "error")
        command.add_argument(
            "-q", "--quiet", action="store_true", help="no progress bar, and no message but errors"
        )

    plot = _command(
        commands,
        "plot",
        _plot,
        "draw the mathematics, or a model and how good it is on a table",
        "fastlogit plot cross_entropy -o loss.svg",
        "fastlogit plot tails --function softplus -o tails.png",
        "fastlogit plot coefficients model.json -o coefficients.pdf",
        "fastlogit plot reliability model.json flights.parquet --label late -o reliability.png",
    )
    plot.add_argument("name", metavar="NAME", choices=PLOTS, help=f"one of {', '.join(PLOTS)}")
    plot.add_argument(
        "model", metavar="MODEL", nargs="?", help="of all from 'convergence' on: a model file"
    )
    plot.add_argument(
        "data", metavar="DATA", nargs="?", help=f"of all from 'reliability' on: {_TABLE}"
    )
    plot.add_argument(
        "--label", metavar="COLUMN", help="the column of the labels (LIBSVM has them by itself)"
    )
    plot.add_argument(
        "--function",
        choices=("log_sigmoid", "softplus", "sigmoid", "sigmoid_derivative"),
        help="of 'tails': whose errors to draw (default: log_sigmoid)",
    )
    for command in (score, evaluate, plot):
        command.add_argument(
            "--offset",
            metavar="COLUMN",
            help="a column of numbers that is added to the logits, which a model that was trained "
            "with one needs",
        )
    for command, default in ((evaluate, "skip"), (plot, None)):
        command.add_argument(
            "--missing",
            choices=("skip", "error"),
            default=default,
            help="what to do with a row without a label or a score: leave it out, and say how many "
            "these are, or stop (default: skip)",
        )
    _add_unknown(plot, None)
    _add_input_format(plot)
    _add_output(plot, "FILE", "a .png, .svg or .pdf file")

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
    demo.add_argument("--keep", metavar="DIR", type=Path, help="keep the files in this new folder")
    for reading in (train, score, evaluate, plot):
        _add_csv_options(reading)
    for parallel in (train, score, evaluate, demo):
        parallel.add_argument(
            "--threads",
            type=_thread_count,
            metavar="N",
            help="most threads to use (default: all cores)",
        )

    _command(
        commands,
        "warmup",
        _warmup,
        "compile in advance what float32 and float64 data with float targets need",
        "fastlogit warmup",
    )
    return parser


# What can be drawn, in the order of the help.
PLOTS = (
    "logistic", "derivative", "cross_entropy", "gradient", "tails", "convergence", "coefficients",
    "reliability", "roc", "precision_recall", "decision_boundary",
)  # fmt: skip
_PICTURES = ("png", "svg", "pdf")
_SUFFIXES = tuple(f".{name}" for name in _PICTURES)
# What messages call the arguments of what draws.
_PLOTTED = {
    "model": "MODEL",
    "X": "DATA",
    "t": "--label",
    "offset": "--offset",
    "function": "--function",
    "missing": "--missing",
    "unknown": "--unknown",
    "source_format": "--input-format",
    "csv": "options of CSV",
}
_TABLE = (
    "a table: .parquet, .arrow, .csv or .tsv (with a header; also .gz, .zst), .npy, .npz or "
    ".libsvm; a folder or a 'pattern*' of such files; or - for standard input"
)
# Arguments that are files, which a shell completes by their names.
_FILES = ("DATA", "FILE", "INPUT", "MODEL")


class _Completion(argparse.Action):
    """Write a completion script, as ``--help`` writes help."""

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
            parser.exit(FAILED, f"fastlogit: error: {_one_line(error, {})}\n")
        commands = next(action.choices for action in parser._actions if action.dest == "command")
        for command in commands.values():  # type: ignore[union-attr]
            for action in command._actions:
                if action.metavar in _FILES:
                    action.complete = shtab.FILE
        print(shtab.complete(parser, shell))
        parser.exit()


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], None],
    summary: str,
    *examples: str,
) -> argparse.ArgumentParser:
    lines = [f"  {example}" for example in examples]
    parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog="\n".join(["examples:" if len(examples) > 1 else "example:", *lines]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run, threads=None, parser=parser)
    parser.add_argument("--debug", action="store_true", help="show where an error comes from")
    return parser


def _add_output(parser: argparse.ArgumentParser, metavar: str, what: str) -> None:
    parser.add_argument("-o", "--out", metavar=metavar, required=True, help=what)
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")


def _add_columns(parser: argparse.ArgumentParser, option: str, what: str) -> None:
    parser.add_argument(option, nargs="+", action="extend", default=[], metavar="COLUMN", help=what)


def _add_csv_options(parser: argparse.ArgumentParser) -> None:
    """Add what says how a CSV is written, as `_csv_options` reads it."""
    group = parser.add_argument_group("of CSV and TSV input")
    group.add_argument(
        "--delimiter", metavar="C", help="character between cells (default: a comma, or a tab)"
    )
    group.add_argument("--decimal", metavar="C", help="'.' (default) or ',', as in 1,5")
    group.add_argument(
        "--thousands", metavar="C", help="character between groups of digits, as in 1,234"
    )
    group.add_argument(
        "--encoding", metavar="NAME", help="utf-8 (default), utf-16, latin-1, cp1252, ..."
    )
    group.add_argument(
        "--null-values",
        nargs="+",
        metavar="TEXT",
        help="what stands for a missing value, instead of "
        f"{', '.join(filter(None, NULLS))}; a blank cell always does",
    )


def _csv_options(args: argparse.Namespace) -> CSVOptions | None:
    """Options of a CSV that were given; None if there are none."""
    names = [field.name for field in dataclasses.fields(CSVOptions)]
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if given.get("delimiter") == r"\t":  # as it is mostly typed
        given["delimiter"] = "\t"
    return CSVOptions(**given) if given else None


def _add_input(parser: argparse.ArgumentParser, metavar: str) -> None:
    parser.add_argument(
        "input",
        metavar=metavar,
        help=f"{_TABLE}.  Columns are found by their names",
    )
    _add_input_format(parser)


def _add_input_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--input-format",
        dest="source_format",
        metavar="NAME",
        help="default: by the suffix; csv or arrow for standard input",
    )


def _add_unknown(parser: argparse.ArgumentParser, default: str | None) -> None:
    parser.add_argument(
        "--unknown",
        choices=("error", "ignore"),
        default=default,
        help="what to do with a text that is none of the model's categories: stop, or score as if "
        "its column added nothing (default: error)",
    )


def _add_threshold(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "--threshold",
        type=_probability,
        default=0.5,
        metavar="Y",
        help=f"{what} (default: %(default)s)",
    )


def _within(kind: type[Number], least: float, most: float, rule: str) -> Callable[[str], Number]:
    """Give what turns an option's text into a number, or into an error with this rule."""

    def convert(text: str) -> Number:
        with suppress(ValueError):
            if least <= (number := kind(text)) <= most:
                return number
        raise argparse.ArgumentTypeError(f"must be {rule}; got {text!r}")

    return convert


_positive = _within(int, 1, math.inf, "a whole number of at least 1")
_thread_count = _within(
    int, 1, threads.MOST_THREADS, f"a whole number between 1 and {threads.MOST_THREADS}"
)
_probability = _within(float, 0.0, 1.0, "a number between 0 and 1")
_not_negative = _within(float, 0.0, sys.float_info.max, "a finite number that is not negative")
