"""``python -m bench compare BASE HEAD``: whether HEAD is slower, less exact or hungrier.

Each is built and installed on its own; then processes of both take turns, and the interval of the
ratio of their times says what can be known.  The exit status is 1 if something is worse, by more
than a relative and an absolute threshold and with all of the interval, or is missing.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bench import machine
from bench.commands import output, parser, positive
from bench.markdown import grid
from bench.regression import exactness, others, sides, times
from bench.regression.cases import is_quick
from bench.regression.sides import Side, SideError
from bench.regression.times import Timing
from bench.regression.verdicts import Interval

# Minutes of taking turns, beside some two for all the rest; of the quick set.
MINUTES, QUICK_MINUTES = 6.0, 1.2
# What ends a comparison: whatever keeps a side from being built or measured.
FAILURES = (SideError, OSError, subprocess.CalledProcessError)
FAILING = ("slower", "worse", "missing", "failed")
_ORDER = (*FAILING, "inconclusive", "new", "better", "faster", "same")
# Columns of a table that are aligned to the left.
_LEFT = (0, 4, 5)
_QUICK_EXACTNESS = ("sigmoid", "softplus", "logistic_loss", "linear.log_loss_gradient", "fit")


@dataclass
class Row:
    """What came of one benchmark: medians of either side, and their ratio."""

    what: str
    verdict: str
    base: float | None = None
    head: float | None = None
    unit: str = ""
    interval: Interval | None = None
    pairs: int | None = None
    error: str = ""

    @property
    def ratio(self) -> float | None:
        if self.interval is not None:
            return self.interval.ratio
        if self.base is None or self.head is None:
            return None
        return self.head / self.base if self.base else None


def compare(
    base: str, head: str, folder: Path, *, quick: bool, minutes: float, only: Sequence[str] = ()
) -> list[Row]:
    """Compare two revisions; `folder` is for what is built."""
    with ThreadPoolExecutor(2) as pool:
        built = pool.map(sides.build, (base, head), (folder / "base", folder / "head"))
        a, b = built
    say(f"built {base} and {head}")
    rows: list[Row] = []
    cases, missing = chosen(a, b, quick, only)
    rows += [Row(name, verdict) for name, verdict in missing.items()]
    compiled = list(others.compile_all(a, b, cases=cases))
    say("compiled")
    timings = [Timing(case, threads) for case, threads in cases.items()]
    take_turns(a, b, timings, minutes)
    rows += map(row_of_time, timings)
    if not only:
        rows += map(row, [*compiled, *the_rest(a, b, quick=quick)])
    return rows


def take_turns(base: Side, head: Side, timings: Sequence[Timing], minutes: float) -> None:
    """Time what there is to time, with a bar of how far it is."""
    with tqdm(total=len(timings), unit="benchmark", file=sys.stderr, disable=None) as bar:

        def progress(case: str, left: int) -> None:
            bar.n = len(timings) - left
            bar.set_postfix_str(case)

        times.measure(base, head, timings, minutes * 60, progress)


def the_rest(*both: Side, quick: bool) -> list[others.Measured]:
    """Measure what is no time of a call."""
    found: list[others.Measured] = []
    only = _QUICK_EXACTNESS if quick else ()
    for what, measured in (
        ("import", others.importing(*both)),
        ("memory", others.memory(*both)),
        ("size", others.size(*both)),
        ("exactness", exactness.errors(*both, only=only)),
    ):
        found += measured
        say(f"measured {what}")
    return found


def chosen(
    base: Side, head: Side, quick: bool, only: Sequence[str]
) -> tuple[dict[str, int], dict[str, str]]:
    """Benchmarks of both sides with their numbers of threads, and those that one side has alone."""
    with sides.workers(base, head) as both:
        return matched(*(worker.do("list") for worker in both), quick, only)


def matched(
    base: dict[str, int], head: dict[str, int], quick: bool, only: Sequence[str]
) -> tuple[dict[str, int], dict[str, str]]:
    """Of all benchmarks of either side those that are wanted: of both, and missing or new ones."""

    def is_wanted(name: str) -> bool:
        return (not quick or is_quick(name)) and all(word in name for word in only)

    both = {name: threads for name, threads in base.items() if name in head and is_wanted(name)}
    others = {name: "missing" for name in base if name not in head and is_wanted(name)}
    others |= {name: "new" for name in head if name not in base and is_wanted(name)}
    if not both and not others:
        of = " of the quick set" if quick else ""
        raise SideError(f"there is no benchmark{of} with {' and '.join(only)} in its name")
    return both, others


def row_of_time(timing: Timing) -> Row:
    """What came of a time."""
    if any(timing.errors):
        # What stands for the machine (`Timing.base_case`) cannot be new.
        verdict = "failed" if timing.errors[1] or timing.base_case else "new"
        return Row(timing.case, verdict, error="; ".join(filter(None, timing.errors)))
    pairs = len(timing.samples)
    return Row(timing.case, timing.verdict, *timing.seconds, "s", timing.interval, pairs)


def row(measured: others.Measured) -> Row:
    """What came of something else, of two sides."""
    what, (base, head), unit, _, interval, error = measured
    return Row(what, others.verdict(measured), base, head, unit, interval, error=error)


def content(
    base: str, head: str, revisions: Sequence[str | None], rows: Iterable[Row]
) -> dict[str, Any]:
    """All of it, for JSON."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "base": base,
        "head": head,
        "revisions": list(revisions),
        "machine": machine.describe(),
        "rows": [
            asdict(each)
            | {"interval": each.interval and each.interval._asdict()}
            | {"base": _number(each.base), "head": _number(each.head)}
            for each in rows
        ],
    }


def _number(value: float | None) -> float | str | None:
    """As JSON has it, which knows no infinity."""
    return value if value is None or math.isfinite(value) else str(value)


def markdown(rows: Sequence[Row]) -> str:
    """Make a table of all rows, what is worse first."""
    head, *lines = _table(rows)
    return f"{grid(head, lines, _LEFT)}\n\n{summary(rows)}"


def text(rows: Sequence[Row], *, every: bool = False) -> str:
    """Align the same; without `every`, what is the same is only counted."""
    shown = [row for row in rows if every or row.verdict != "same"]
    if not shown:
        return summary(rows)
    table = _table(shown)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if place in _LEFT else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in table
    ]
    return "\n".join([*lines, "", summary(rows)])


def summary(rows: Sequence[Row]) -> str:
    """How many there are of each verdict."""
    counts = {word: sum(row.verdict == word for row in rows) for word in _ORDER}
    listed = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"{len(rows)} benchmarks: {listed}."


def _table(rows: Sequence[Row]) -> list[list[str]]:
    ordered = sorted(rows, key=lambda row: _ORDER.index(row.verdict))
    head = ["benchmark", "base", "head", "head / base", "95% interval", "verdict"]
    return [head, *map(_cells, ordered)]


def _cells(row: Row) -> list[str]:
    ratio, interval = row.ratio, row.interval
    return [
        row.what,
        _amount(row.base, row.unit),
        _amount(row.head, row.unit),
        "-" if ratio is None else f"{ratio:.3f}",
        "-" if interval is None else f"{interval.least:.3f} to {interval.most:.3f}",
        row.verdict + (f": {row.error}" if row.error else ""),
    ]


_UNITS = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")),
    "B": ((1e6, "MB"), (1e3, "kB"), (1.0, "B")),
}


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    for size, name in _UNITS.get(unit, ()):
        if value >= size:
            return f"{value / size:.3g} {name}"
    return f"{value:.3f} {unit}" if unit else f"{value:.2g}"


def say(message: str) -> None:
    """Say how far it is."""
    print(f"{datetime.now(UTC):%H:%M:%S} {message}", file=sys.stderr)


def main(arguments: Sequence[str] = ()) -> None:
    """Compare what the arguments say; exit with 1 if something is worse, with 2 if that failed."""
    command = parser("compare")
    command.add_argument("base", help='a git revision, a wheel, or "." for the working tree')
    command.add_argument("head", help="the same, of what may be worse")
    add_options(command)
    options = command.parse_args(arguments)
    sys.exit(report(options.base, options.head, options))


def add_options(command: Any) -> None:
    """Add the options that `gate` has as well."""
    command.add_argument("--quick", action="store_true", help="fewer benchmarks, in three minutes")
    command.add_argument(
        "--minutes",
        type=positive,
        help=f"of taking turns; five of each benchmark, and twelve of what seems slower or faster, "
        f"are always taken (default: {MINUTES:g}; quick: {QUICK_MINUTES:g})",
    )
    command.add_argument(
        "--only", nargs="+", default=(), metavar="WORD", help="times with these words in the name"
    )
    command.add_argument("--all", action="store_true", help="print what is the same as well")
    command.add_argument("--json", type=output, metavar="FILE", help="write everything there")
    command.add_argument("--markdown", type=output, metavar="FILE", help="write a table there")


def report(base: str, head: str, options: Any) -> int:
    """Compare, print and write; return the exit status."""
    try:
        revisions = [sides.revision_of(base), sides.revision_of(head)]  # which may move meanwhile
        with tempfile.TemporaryDirectory(prefix="fastlogit-compare-") as folder:
            rows = compare(
                base,
                head,
                Path(folder),
                quick=options.quick,
                minutes=minutes(options),
                only=options.only,
            )
        return finish(base, head, revisions, rows, options)
    except FAILURES as error:
        say(str(error))
        return 2


def minutes(options: Any) -> float:
    """How long may be sampled."""
    return float(options.minutes or (QUICK_MINUTES if options.quick else MINUTES))


def finish(
    base: str, head: str, revisions: Sequence[str | None], rows: Sequence[Row], options: Any
) -> int:
    """Print and write; return the exit status."""
    print(text(rows, every=options.all))
    if options.json:
        options.json.write_text(json.dumps(content(base, head, revisions, rows), indent=1) + "\n")
    if options.markdown:
        title = f"`{base}` against `{head}`, {machine.text()}"
        options.markdown.write_text(f"{title}\n\n{markdown(rows)}\n")
    return int(any(row.verdict in FAILING for row in rows))
