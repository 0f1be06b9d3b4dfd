"""``python -m bench report``: tables and pictures of what ``pytest bench`` stored.

With ``--save`` they are those of the README, beside the timings that they are made of.  Ratios say
how many times as fast fastlogit is, and are of medians; where it is slower they are marked.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

from bench import markdown, pictures
from bench import results as stored
from bench.commands import parser
from bench.implementations import FASTLOGIT, FUNCTIONS, cases, thread_counts
from bench.markdown import grid
from bench.measure import DTYPES
from bench.peers import PEERS
from bench.sizes import FEW
from bench.timings import STORAGE, Comparison, Results, keep, load, newest

FOLDER = STORAGE / "report"
KEPT = "report.json"
LOSS = "▼"  # marks where fastlogit is slower
_SHOWN = 5  # of what a run is without


def tables(results: Results) -> str:
    """All tables in Markdown, aligned so that they can be read as text."""
    parts = [_about(results), _wins_and_losses(results)]
    for threads in results.thread_counts:
        rows = results.comparisons(threads)
        for dtype in dict.fromkeys(row.ours.dtype for row in rows):
            title = f"{dtype}, {'one thread' if threads == 1 else f'{threads} threads'}"
            parts.append(_ratios(title, [row for row in rows if row.ours.dtype == dtype]))
    if results.first_calls:
        parts.append(_first_calls(results))
    return "\n\n".join(parts) + "\n"


def _about(results: Results) -> str:
    machine = results.machine
    revision = machine.get("revision")
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['python']}, {versions}; "
        f"{results.date[:10]}{f', {revision}' if revision else ''}.\n\n"
        f"How many times as fast fastlogit is ({LOSS}: slower), and nanoseconds of an element: a "
        "logit, or one of X."
    )


def _wins_and_losses(results: Results) -> str:
    lost = sorted(
        (row for row in results.cases if row.ratio(row.best) < 1), key=lambda r: r.ratio(r.best)
    )
    said = markdown.report({"counts": results.counts, "parts": results.parts})
    if not lost:
        return said
    lines = [
        [
            f"`{row.ours.function}`",
            row.ours.dtype,
            f"{row.ours.n:,}",
            str(row.ours.threads),
            row.best,
            _cell(row.ratio(row.best)),
            f"{row.ours.nanoseconds:.3g}",
            f"{row.others[row.best].nanoseconds:.3g}",
        ]
        for row in lost
    ]
    header = [
        "loss",
        "type",
        "n",
        "threads",
        "to",
        "times as fast",
        f"{FASTLOGIT}, ns",
        "other, ns",
    ]
    return f"{said}\n\nWhere it is not:\n\n{grid(header, lines, (0, 1, 4), padded=True)}"


def _ratios(title: str, rows: list[Comparison]) -> str:
    peers = list(dict.fromkeys(peer for row in rows for peer in row.others))
    lines = [
        [
            f"`{row.ours.function}`",
            f"{row.ours.n:,}",
            f"{row.ours.nanoseconds:.3g}",
            *(_cell(row.ratio(peer)) if peer in row.others else "" for peer in peers),
        ]
        for row in rows
    ]
    return grid([title, "n", f"{FASTLOGIT}, ns", *peers], lines, padded=True)


def _left_out(run: Results) -> list[str]:
    """Libraries that a run is without, and what it lacks of those that are installed."""
    gone = sorted(set(PEERS) - {timing.implementation for timing in run.timings})
    sizes: dict[Any, set[int]] = {}
    for timing in run.timings:
        sizes.setdefault((*timing[:3], timing.threads), set()).add(timing.n)
    return gone + [
        f"{name} by {peer} in {dtype} at {FEW} sizes, threads: {threads or 'all'}"
        for name, peer in cases(FUNCTIONS)
        if peer not in gone
        for dtype, threads in product(DTYPES, thread_counts(name, peer))
        if len(sizes.get((name, peer, dtype, threads or run.machine["cores"]), ())) < FEW
    ]


def _cell(ratio: float) -> str:
    return f"{LOSS} {ratio:.2f}" if ratio < 1 else f"{ratio:.2f}"


def _first_calls(results: Results) -> str:
    seconds = {(call.function, call.cache): call.seconds for call in results.first_calls}
    names = dict.fromkeys(call.function for call in results.first_calls)
    found = [(name, seconds.get((name, "cold")), seconds.get((name, "cached"))) for name in names]
    lines = [
        [f"`{name}`", *("" if value is None else f"{value:.3g} s" for value in values)]
        for name, *values in found
    ]
    head = ["first call in a new process", "compiles", "from the cache"]
    return grid(head, lines, padded=True)


def main(arguments: Sequence[str] = ()) -> None:
    """Print the tables; write them, and the pictures, into a folder."""
    command = parser("report")
    command.add_argument(
        "json", type=Path, nargs="?", help=f"of pytest-benchmark (default: the newest in {STORAGE})"
    )
    where = command.add_mutually_exclusive_group()
    where.add_argument("--folder", type=Path, default=FOLDER, help="default: %(default)s")
    where.add_argument(
        "--save", action="store_true", help="into bench/results, for the README, with the timings"
    )
    options = command.parse_args(arguments)
    try:
        path = options.json or newest()
    except ValueError:
        command.error(f"{STORAGE} is empty: run pytest bench, or name a file")
    try:
        found = load(path)
    except OSError as error:
        command.error(f"{path}: {error.strerror}")
    except (ValueError, LookupError, TypeError) as error:
        command.error(f"{path}: is no file of pytest-benchmark's: {error}")
    if not found.timings:
        command.error(f"{path} holds no timings of functions")
    folder = options.folder
    if options.save:
        folder = stored.FOLDER
        if left := _left_out(found):
            shown = ", ".join(left[:_SHOWN]) + (", ..." if len(left) > _SHOWN else "")
            command.error(f"{path} is a run of a part, without {shown}")
        stored.write(folder / KEPT, [keep(found)])
        found = load(folder / KEPT)
    text = tables(found)
    try:
        written = pictures.write(found, folder)
        (folder / "report.md").write_text(text, encoding="utf-8")
    except OSError as error:
        command.error(f"{error.filename}: {error.strerror}")
    print(text)
    print("\n".join(map(str, [folder / "report.md", *written])))
