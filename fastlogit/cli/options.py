"""Options that several commands share, each declared once, and the types of options.

An option's `dest` is the name of the Python argument that it sets; `wording` and `plot` rely on it.
``--out`` and the positional arguments set another argument in each command: ``--out`` is the `sink`
of `score`, but the path of the model that `train` saves.
"""

from __future__ import annotations

import argparse
from contextlib import suppress
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from fastlogit.core import checks, threads
from fastlogit.matrix import onehot
from fastlogit.models.model import load
from fastlogit.tables import formats
from fastlogit.tables.csv_options import NULLS, CSVOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fastlogit.models.model import LogisticModel

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

T = TypeVar("T")

TABLE = (
    f"a table: a file with the suffix {', '.join(formats.suffixes(formats.input_formats()))} "
    "(CSV and TSV with a header; text files also as .gz, .zst); a folder or a 'pattern*' of such "
    "files; or - for standard input"
)
# The help of ``--missing`` where rows have labels.
WITHOUT_LABEL_OR_SCORE = (
    "rows without a label or a score: 'error' stops, 'skip' leaves them out and counts them "
    "(default: skip)"
)
CSV_NAMES = tuple(field.name for field in fields(CSVOptions))


def add_command(
    commands: Subparsers,
    name: str,
    run: Callable[[argparse.Namespace], None],
    summary: str,
    *examples: str,
) -> argparse.ArgumentParser:
    """Add a command, with ``--debug``, and return its parser."""
    title = "examples:" if len(examples) > 1 else "example:"
    parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog="\n".join([title, *(f"  {example}" for example in examples)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run, threads=None, parser=parser)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


# Input --------------------------------------------------------------------------------


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the argument for the model file."""
    parser.add_argument("model", metavar="MODEL", help="a file written by 'fastlogit train'")


def add_table(parser: argparse.ArgumentParser) -> None:
    """Add the argument for the table to score."""
    parser.add_argument("data", metavar="DATA", help=f"{TABLE}.  Columns are found by name")


def add_label(parser: argparse.ArgumentParser) -> None:
    """Add ``--label``, the column that scores are compared with."""
    parser.add_argument(
        "--label",
        metavar="COLUMN",
        action=_Once,
        help="column of the labels (LIBSVM files contain their labels)",
    )


class _Once(argparse.Action):
    """An option that is an error if it is given again, as `train` takes several labels."""

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        value: Any,
        _option: str | None = None,
    ) -> None:
        if getattr(namespace, self.dest) is not None:
            raise argparse.ArgumentError(self, "must be given once, as it is one column")
        setattr(namespace, self.dest, value)


def add_offset(
    parser: argparse.ArgumentParser,
    text: str = "column added to each row's logit; needed by a model that was trained with one",
) -> None:
    """Add ``--offset``, which may be given several times."""
    parser.add_argument(
        "--offset",
        metavar="COLUMN",
        action="append",
        help=f"{text}.  With more than two labels, once for each, in sort order",
    )


def add_columns(parser: argparse.ArgumentParser, option: str, text: str) -> None:
    """Add an option that takes columns, and may be given several times."""
    text += "; end the list by another option or --"
    parser.add_argument(option, nargs="+", action="extend", default=[], metavar="COLUMN", help=text)


def add_missing(
    parser: argparse.ArgumentParser,
    text: str,
    *,
    choices: Sequence[str] = ("error", "skip"),
    default: str | None,
) -> None:
    """Add ``--missing``: how missing values are treated."""
    parser.add_argument("--missing", choices=choices, default=default, help=text)


def add_unknown(parser: argparse.ArgumentParser, default: str | None = "error") -> None:
    """Add ``--unknown``: how unknown categories are treated."""
    parser.add_argument(
        "--unknown",
        choices=get_args(onehot.Unknown),
        default=default,
        help="categories that the model does not know: 'error' stops, 'ignore' drops their "
        "contribution to the score (default: error)",
    )


def add_threshold(parser: argparse.ArgumentParser) -> None:
    """Add ``--threshold``, the probability at which the predicted label changes."""
    parser.add_argument(
        "--threshold",
        type=probability,
        default=0.5,
        metavar="Y",
        help="predict the second of two labels above this probability (default: %(default)s)",
    )


def add_input_format(parser: argparse.ArgumentParser) -> None:
    """Add ``--input-format``, and the options for CSV."""
    parser.add_argument(
        "--input-format",
        dest="source_format",
        metavar="NAME",
        help=f"format of the input: {formats.names(formats.input_formats())} (default: by suffix; "
        "standard input: csv or arrow)",
    )
    group = parser.add_argument_group("CSV and TSV input")
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
        help=f"missing values, instead of {', '.join(filter(None, NULLS))}; "
        "a blank cell is always missing",
    )


def csv_options(args: argparse.Namespace) -> CSVOptions | None:
    """The options for CSV; None if none is given."""
    given = {name: getattr(args, name) for name in CSV_NAMES if getattr(args, name) is not None}
    if given.get("delimiter") == r"\t":  # a shell does not turn it into a tab
        given["delimiter"] = "\t"
    return CSVOptions(**given) if given else None


def load_model(args: argparse.Namespace) -> LogisticModel:
    """The model that a command names; an error reminds of the order of MODEL and DATA."""
    try:
        return load(args.model)
    except ValueError as error:
        if args.data is None or args.model.endswith(".json"):
            raise
        raise ValueError(f"{error} (MODEL comes before DATA)") from error


def scoring_arguments(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments that `score` and `evaluate` share."""
    names = ("offset", "threshold", "missing", "unknown", "source_format", "threads")
    return {name: getattr(args, name) for name in names} | {"csv": csv_options(args)}


# Output and running ----------------------------------------------------------------------


def add_output(parser: argparse.ArgumentParser, metavar: str, text: str) -> None:
    """Add ``--out`` and ``--force``."""
    parser.add_argument("-o", "--out", metavar=metavar, required=True, help=text)
    parser.add_argument("--force", action="store_true", help="replace an existing output")


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add ``--threads``."""
    parser.add_argument(
        "--threads",
        type=thread_count,
        metavar="N",
        help="maximum number of threads (default: all cores that the process may use)",
    )


def add_quiet(parser: argparse.ArgumentParser) -> None:
    """Add ``--quiet``."""
    parser.add_argument(
        "-q",
        "--quiet",
        action="store_true",
        help="no progress bar, notes or summary; warnings and errors are still reported",
    )


# Types of options --------------------------------------------------------------------------


def _checked(kind: type[Any], check: Callable[[Any], T]) -> Callable[[str], T]:
    """A function that turns an option's text into a `kind`, and checks it as the library does."""

    def convert(text: str) -> T:
        value: Any = text
        with suppress(ValueError):  # `check` refuses the text
            value = kind(text)
        try:
            return check(value)
        except (TypeError, ValueError) as error:
            # argparse names the option, so `check` gets no name.
            raise argparse.ArgumentTypeError(str(error).strip()) from None

    return convert


positive = _checked(int, lambda value: checks.whole_number(value, "", 1))
thread_count = _checked(int, lambda value: threads.resolve(checks.whole_number(value, "", 1)))
probability = _checked(float, lambda value: checks.probability(value, ""))
not_negative = _checked(float, lambda value: checks.not_negative(value, ""))
