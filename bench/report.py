"""``python -m bench report``: tables and the picture of what ``pytest bench`` stored.

Ratios are of medians and say how many times as fast fastlogit is; losses are marked.  ``--save``
keeps the short tables and the picture of ratios for bench/README.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import pictures, render, results
from bench.commands import parser
from bench.data import COLUMNS
from bench.measure import Goal
from bench.registry import FASTLOGIT, FUNCTIONS, NAIVE, STABLE, TUNED, cases
from bench.registry.peers import JAX, PEERS, SCIPY, SKLEARN, TORCH
from bench.render import SLOWER, Rows, grid
from bench.timings import READING, STORAGE, Comparison, Run, load, newest

FOLDER = STORAGE / "report"
SHORT = "sigmoid, short"
# Functions, others, and how many times as fast as the fastest of them: at the smallest and the
# largest size.
GOALS: list[tuple[tuple[str, ...], tuple[str, ...], float]] = [
    (("sigmoid",), (TORCH,), 1.0),
    (("log_sigmoid", "softplus", "logistic_loss"), (SCIPY, TORCH, JAX), 3.0),
    (("log_loss",), (SKLEARN, TORCH, JAX), 5.0),
    (("log_loss_gradient",), (SKLEARN, TORCH, JAX), 4.0),
    (("log_loss_gradient",), (STABLE,), 6.0),
    (("linear.log_loss_gradient",), (STABLE,), 2.5),
    ((SHORT,), (SCIPY,), 1 / 1.5),
]
# Passes over X against others, against reading X, and by columns against rows.
OTHERS_GOAL, READING_GOAL, LAYOUT_GOAL = 2.3, 1 / 1.25, 1 / 1.3


def summary(run: Run) -> Rows:
    """How often fastlogit is the fastest, and its worst case by size and type."""
    groups: dict[tuple[bool, int, str], list[Comparison]] = {}
    for row in run.cases:
        is_pass = row.ours.n != row.ours.elements
        groups.setdefault((is_pass, row.ours.n, row.ours.dtype), []).append(row)
    found: Rows = {}
    for (is_pass, n, dtype), rows in sorted(groups.items(), key=lambda item: item[0][:2]):
        worst = min(rows, key=lambda row: row.lead)
        ratios = [row.ratio(library) for row in rows for library in row.others]
        found[f"{n:,} {'rows' if is_pass else 'logits'}, {dtype}"] = {
            "fastest": sum(row.lead >= 1 for row in rows),
            "cases": len(rows),
            "faster": sum(ratio >= 1 for ratio in ratios),
            "pairs": len(ratios),
            "worst": worst.ours.function,
            "than": worst.best,
            "times_as_fast": worst.lead,
        }
    return found


def numpy(run: Run) -> Rows:
    """Fastlogit and NumPy's formulas at the largest size."""
    rows: Rows = {}
    for row in run.cases:
        ours = row.ours
        stable = [row.others[each] for each in (STABLE, TUNED) if each in row.others]
        if ours.n != _sizes(run, ours.function)[-1] or not stable:
            continue
        shape = f"{ours.n:,}{f' x {COLUMNS}' if ours.n != ours.elements else ''}"
        name = f"`{ours.function}`, {shape}, {ours.dtype}"
        found = rows.setdefault(name, {"ns": {}, "times_as_fast": {}})
        for each in (NAIVE, STABLE, TUNED):
            if each in row.others:
                found["ns"].setdefault(each, row.others[each].seconds / ours.n * 1e9)
        count = "1 thread" if ours.threads == 1 else f"{ours.threads} threads"
        found["ns"][count] = ours.seconds / ours.n * 1e9
        found["times_as_fast"][count] = min(one.seconds for one in stable) / ours.seconds
    return rows


def passes(run: Run) -> Rows:
    """Loss and gradient over X in several shapes and layouts."""
    rows: Rows = {}
    for what, seconds in run.layouts.items():
        if ours := seconds.get(FASTLOGIT):
            others = {name: each / ours for name, each in seconds.items() if name != FASTLOGIT}
            rows[what] = {"seconds": ours, "times_as_long": others}
    return rows


def classes(run: Run) -> Rows:
    """Functions of K classes against the fastest of the others, by number of threads."""
    rows: Rows = {}
    for what, counts in run.classes.items():
        for threads, measured in sorted(counts.items()):
            # A library that has a single thread takes part with it.
            seconds = counts.get(1, {}) | measured
            ours, reading = seconds.pop(FASTLOGIT, None), seconds.pop(READING, None)
            if ours is None or not seconds:
                continue
            best = min(seconds, key=seconds.__getitem__)
            found = {"seconds": ours, "than": best, "times_as_fast": seconds[best] / ours}
            if reading is not None:
                found["reading"] = reading / ours
            rows.setdefault(what, {})["1 thread" if threads == 1 else f"{threads} threads"] = found
    return rows


def first_calls(run: Run) -> Rows:
    """Seconds of first calls, cold and cached."""
    rows: Rows = {}
    for (name, cache), seconds in run.first_calls.items():
        rows.setdefault(name, {})[cache] = seconds
    return rows


def goals(run: Run) -> Rows:
    """Every goal that the run can judge."""
    rows: Rows = {}
    for name, value, than, least in (*_function_goals(run), *_pass_goals(run)):
        goal = Goal(least=least)
        row = {"value": value, "than": than, "goal": str(goal), "verdict": goal.verdict(value)}
        rows[f"{name}, {render.library_name(than)}"] = row
    return rows


def _function_goals(run: Run) -> Iterator[tuple[str, float, str, float]]:
    for row in (row for threads in run.thread_counts for row in run.comparisons(threads)):
        ours, sizes = row.ours, _sizes(run, row.ours.function)
        name = f"`{ours.function}`, {ours.dtype}, {ours.n:,}, threads: {ours.threads}"
        for functions, others, least in GOALS:
            there = [each for each in others if each in row.others]
            is_end = ours.n in (sizes[0], sizes[-1]) or ours.function == SHORT
            if ours.function in functions and there and is_end:
                best = min(there, key=lambda each: row.others[each].seconds)
                yield name, row.ratio(best), best, least


def _pass_goals(run: Run) -> Iterator[tuple[str, float, str, float]]:
    for what, row in passes(run).items():
        times = dict(row["times_as_long"])
        if READING in times:
            yield what, times.pop(READING), READING, READING_GOAL
        for layout in ("column-major", "Arrow table"):
            if layout in times:
                yield f"{what}, {layout}", 1 / times.pop(layout), "rows", LAYOUT_GOAL
        if times:
            best = min(times, key=times.__getitem__)
            yield what, times[best], best, OTHERS_GOAL


def _sizes(run: Run, name: str) -> list[int]:
    return sorted({timing.n for timing in run.timings if timing.function == name})


VIEWS = (summary, goals, numpy, passes, classes, first_calls)


def tables(run: Run) -> str:
    """Every table in Markdown, which also reads well as text."""
    found = [render.machine(run.machine) + f"; {run.date[:10]}."]
    views = {make.__name__: make(run) for make in VIEWS}
    found += [render.TABLES[name](rows) for name, rows in views.items() if rows]
    found.append(f"How many times as fast fastlogit is ({SLOWER}: slower):")
    for threads in run.thread_counts:
        rows = run.comparisons(threads)
        for dtype in dict.fromkeys(row.ours.dtype for row in rows):
            title = f"{dtype}, threads: {threads}"
            found.append(_ratios(title, [row for row in rows if row.ours.dtype == dtype]))
    return "\n\n".join(found) + "\n"


def _ratios(title: str, rows: list[Comparison]) -> str:
    libraries = list(dict.fromkeys(library for row in rows for library in row.others))
    lines = []
    for row in rows:
        ratios = [row.ratio(each) if each in row.others else None for each in libraries]
        cells = ["" if r is None else f"{SLOWER} {r:.2f}" if r < 1 else f"{r:.2f}" for r in ratios]
        ours = row.ours
        lines.append([f"`{ours.function}`", f"{ours.n:,}", f"{ours.nanoseconds:.3g}", *cells])
    return grid([title, "n", "fastlogit, ns", *libraries], lines)


def missing(run: Run) -> list[str]:
    """Libraries, and functions of the others, that a whole run has and this one has not."""
    there = {(timing.function, timing.implementation) for timing in run.timings}
    gone = sorted({*PEERS} - {library for _, library in there})
    wanted = [(name, library) for name, library in cases(FUNCTIONS) if library not in gone]
    return gone + [
        f"{name} by {library}" for name, library in wanted if (name, library) not in there
    ]


def main(arguments: Sequence[str] = ()) -> None:
    """Print the tables; write them and the pictures into a folder."""
    command = parser("report")
    command.add_argument("json", type=Path, nargs="?", help=f"default: the newest in {STORAGE}")
    command.add_argument("--folder", type=Path, default=FOLDER, help="default: %(default)s")
    command.add_argument("--save", action="store_true", help="also into bench/results")
    options = command.parse_args(arguments)
    try:
        path = options.json or newest()
        run = load(path)
    except (OSError, ValueError, LookupError, TypeError) as error:
        command.error(f"no run of pytest bench to report on: {error}")
    if not run.timings:
        command.error(f"{path} holds no timings of functions")
    if options.save and (gone := missing(run)):
        command.error(f"{path} is not a whole run: without {', '.join(gone[:5])}")
    text = tables(run)
    picture = pictures.write(run, options.folder)
    picture.with_name("report.md").write_text(text, encoding="utf-8")
    print(f"{text}\n{picture}\n{picture.with_name('report.md')}")
    if options.save:
        header = {"command": "pytest bench", "date": run.date[:10], "machine": run.machine}
        for make in (summary, numpy, passes, classes, first_calls):
            if rows := make(run):
                results.save(make.__name__, header | {"rows": rows})
        pictures.write(run, results.FOLDER)
