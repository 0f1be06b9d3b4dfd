"""``python -m bench compare BASE HEAD``: whether HEAD is slower, less accurate or larger.

Each revision is built and installed on its own.  Processes of both take turns, and the interval of
the ratio of their times gives the verdict.  The exit status is 1 if something is missing, or worse
by more than a relative and an absolute threshold with the whole interval; 2 if the comparison
failed.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bench import machine, render
from bench.commands import output, parser
from bench.regression import exactness, figures, sides, times
from bench.regression.cases import is_quick
from bench.regression.sides import Side, SideError
from bench.regression.times import Timing
from bench.regression.verdicts import FAILING, Measured

# Minutes of taking turns, besides some two for everything else; of the quick set.
MINUTES, QUICK_MINUTES = 6.0, 1.2
# Reasons why a side cannot be built or measured.
FAILURES = (SideError, OSError, subprocess.CalledProcessError)
_ORDER = (*FAILING, "inconclusive", "new", "better", "faster", "same")
_QUICK_EXACTNESS = ("sigmoid", "softplus", "logistic_loss", "linear.log_loss_gradient", "fit")


# Measuring --------------------------------------------------------------------------------


def compare(base: str, head: str, folder: Path, options: Any) -> list[Measured]:
    """Compare two revisions, which are built in `folder`."""
    with ThreadPoolExecutor(2) as pool:
        a, b = pool.map(sides.build, (base, head), (folder / "base", folder / "head"))
    say(f"built {base} and {head}")
    cases, found = matched(*listed(a, b), options)
    compiled = figures.compilation(a, b, cases=cases)
    say("compiled")
    timings = [Timing(case, threads) for case, threads in cases.items()]
    take_turns(a, b, timings, options)
    found += [timing.measured() for timing in timings]
    return found if options.only else [*found, compiled, *all_figures(a, b, quick=options.quick)]


def listed(*both: Side) -> list[dict[str, int]]:
    """Cases of each side, with their numbers of threads."""
    with sides.workers(*both) as started:
        return [worker.do("list") for worker in started]


def matched(
    base: dict[str, int], head: dict[str, int], options: Any
) -> tuple[dict[str, int], list[Measured]]:
    """The chosen cases of both sides, and those that only one side has."""

    def is_chosen(name: str) -> bool:
        in_set = not options.quick or is_quick(name)
        return in_set and all(word in name for word in options.only)

    both = {name: threads for name, threads in base.items() if name in head and is_chosen(name)}
    alone = [Measured(name, known="missing") for name in base if name not in head]
    alone += [Measured(name, known="new") for name in head if name not in base]
    alone = [measured for measured in alone if is_chosen(measured.what)]
    if not both and not alone:
        within = " of the quick set" if options.quick else ""
        raise SideError(f"no case{within} has {' and '.join(options.only)} in its name")
    return both, alone


def take_turns(base: Side, head: Side, timings: Sequence[Timing], options: Any) -> None:
    """Time all cases, with a progress bar."""
    minutes = options.minutes or (QUICK_MINUTES if options.quick else MINUTES)
    with tqdm(total=len(timings), unit="case", file=sys.stderr, disable=None) as bar:

        def progress(case: str, left: int) -> None:
            bar.n = len(timings) - left
            bar.set_postfix_str(case)

        times.measure(base, head, timings, minutes * 60, progress)


def all_figures(*both: Side, quick: bool) -> Iterator[Measured]:
    """Everything that is not the time of a call, except for the compilation."""
    yield figures.importing(*both)
    say("measured the import")
    yield from figures.memory(*both)
    say("measured the memory")
    yield figures.size(*both)
    yield from exactness.errors(*both, only=_QUICK_EXACTNESS if quick else ())
    say("measured the exactness")


# Output -----------------------------------------------------------------------------------


def table(found: Sequence[Measured]) -> str:
    """A Markdown table, which reads well as text, with the failures first."""
    lines = [
        [
            measured.what,
            *(_amount(value, measured.unit) for value in measured.values),
            "-" if measured.ratio is None else f"{measured.ratio:.3f}",
            f"{measured.interval.least:.3f} to {measured.interval.most:.3f}"
            if measured.interval
            else "-",
            measured.verdict + (f": {measured.error}" if measured.error else ""),
        ]
        for measured in sorted(found, key=lambda measured: _ORDER.index(measured.verdict))
    ]
    head = ["case", "base", "head", "head / base", "95% interval", "verdict"]
    return render.grid(head, lines, (0, 4, 5))


def summary(found: Sequence[Measured]) -> str:
    """Number of cases with each verdict."""
    verdicts = [measured.verdict for measured in found]
    counts = {word: verdicts.count(word) for word in _ORDER if word in verdicts}
    return f"{len(found)} cases: {', '.join(f'{n} {word}' for word, n in counts.items())}."


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    if unit == "s":
        return render.duration(value)
    for size, name in ((1e6, "MB"), (1e3, "kB"), (1.0, "B")) if unit == "B" else ():
        if value >= size:
            return f"{value / size:.3g} {name}"
    return f"{value:.3f} {unit}" if unit else f"{value:.2g}"


def content(
    base: str, head: str, revisions: Sequence[str | None], found: Sequence[Measured]
) -> dict[str, Any]:
    """All figures for JSON, which has no infinity."""
    rows = []
    for measured in found:
        base_value, head_value = (
            value if value is None or math.isfinite(value) else str(value)
            for value in measured.values
        )
        row = {key: asdict(measured)[key] for key in ("what", "unit", "pairs", "error")}
        row |= {"verdict": measured.verdict, "base": base_value, "head": head_value}
        rows.append(row | {"interval": measured.interval and measured.interval._asdict()})
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "base": base,
        "head": head,
        "revisions": list(revisions),
        "machine": machine.describe(),
        "rows": rows,
    }


def finish(
    base: str,
    head: str,
    revisions: Sequence[str | None],
    found: Sequence[Measured],
    options: Any,
) -> int:
    """Print and write the result; return the exit status."""
    shown = [each for each in found if options.all or each.verdict != "same"]
    print(f"{table(shown)}\n\n{summary(found)}" if shown else summary(found))
    if options.json:
        text = json.dumps(content(base, head, revisions, found), indent=1, allow_nan=False)
        options.json.write_text(f"{text}\n")
    return int(any(measured.verdict in FAILING for measured in found))


def say(message: str) -> None:
    """Report progress."""
    print(f"{datetime.now(UTC):%H:%M:%S} {message}", file=sys.stderr)


# The command ------------------------------------------------------------------------------


def add_options(command: Any) -> None:
    """Add the options that `gate` has as well."""
    command.add_argument("--quick", action="store_true", help="fewer cases, in three minutes")
    command.add_argument(
        "--minutes",
        type=float,
        help="of taking turns; every case gets five turns in any case, and one that seems slower "
        f"or faster gets twelve (default: {MINUTES:g}; quick: {QUICK_MINUTES:g})",
    )
    command.add_argument(
        "--only", nargs="+", default=(), metavar="WORD", help="times with these words in the name"
    )
    command.add_argument("--all", action="store_true", help="print every case")
    command.add_argument("--json", type=output, metavar="FILE", help="write all figures")


def report(base: str, head: str, options: Any) -> int:
    """Compare, print and write; return the exit status."""
    try:
        revisions = [sides.identity(base), sides.identity(head)]  # branches may move meanwhile
        with tempfile.TemporaryDirectory(prefix="fastlogit-compare-") as folder:
            found = compare(base, head, Path(folder), options)
        return finish(base, head, revisions, found, options)
    except FAILURES as error:
        say(str(error))
        return 2


def main(arguments: Sequence[str] = ()) -> None:
    """Compare two revisions; exit with 1 if something is worse, with 2 on failure."""
    command = parser("compare")
    command.add_argument("base", help='a git revision, a wheel, or "." for the working tree')
    command.add_argument("head", help="the revision that may be worse")
    add_options(command)
    options = command.parse_args(arguments)
    sys.exit(report(options.base, options.head, options))
