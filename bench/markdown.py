"""Stored results as Markdown: of each command the table that the README has.

Nothing is measured or looked up here, so the same results always give the same text, and none of
the libraries that are compared is needed.  Most rows are named by the first cell of their line.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

Row = dict[str, Any]
Rows = dict[str, Row]
Run = dict[str, Any]  # a command, its date and machine, and its rows: see `bench.results`

OURS = "fastlogit"
WRONG = "†"  # marks who gets a special value wrong
SUBNORMAL = "‡"  # marks who loses all digits of subnormal results, and of these alone
WIDTH = 100
NAMES = {
    "numpy-naive": "NumPy, naive",
    "numpy-stable": "NumPy, stable",
    "numpy-tuned": "NumPy, tuned",
    "numpy": "NumPy",
    "numba": "Numba",
    "scipy": "SciPy",
    "sklearn": "scikit-learn",
    "torch": "PyTorch",
    "torch-compile": "PyTorch, compiled",
    "jax": "JAX",
    "polars": "Polars",
    "duckdb": "DuckDB",
    "onnxruntime": "ONNX Runtime",
}
# Parts of `bench.scoring`, in the order of the table.
FILES = {"parquet": "Parquet to Parquet", "csv": "CSV to Parquet", "npy": "NPY to NPY"}


def result(name: str, runs: Sequence[Run]) -> str:
    """The table of a command, and by whom, when and on what it was measured."""
    rows = {key: row for run in runs for key, row in run["rows"].items()}
    return f"{TABLES[name](rows)}\n\n{measured(runs)}"


def measured(runs: Sequence[Run]) -> str:
    """Commands, date, machine and versions; where runs differ in these, also which rows."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(f"{run['date']}, on {machine(run['machine'])}", []).append(run)
    lines = []
    for where, group in groups.items():
        *others, last = dict.fromkeys(f"`{run['command']}`" for run in group)
        commands = f"{', '.join(others)} and {last}" if others else last
        rows = "; ".join(name for run in group for name in run["rows"])
        what = f"{rows}: measured" if len(groups) > 1 else "Measured"
        line = f"{what} by {commands} on {where}."
        lines.append(textwrap.fill(line, WIDTH, break_long_words=False, break_on_hyphens=False))
    return "\n\n".join(lines)


def machine(described: dict[str, Any]) -> str:
    """What `bench.machine.brief` gives, in a line."""
    versions = [f"{name_of(name)} {version}" for name, version in described["versions"].items()]
    if revision := described.get("revision"):
        versions[0] += f" ({revision})"
    cores = f"{described['cores']} core{'' if described['cores'] == 1 else 's'}"
    return ", ".join([described["processor"], cores, described["python"], *versions])


def name_of(library: str) -> str:
    return NAMES.get(library, library)


# Tables -----------------------------------------------------------------------------------


def table(rows: Rows) -> str:
    numpy = ("numpy-naive", "numpy-stable", "numpy-tuned")
    threads = list(next(iter(rows.values()))["times_as_fast"])
    lines = []
    for name, row in rows.items():
        times, ratios, errors = row["ns"], row["times_as_fast"], row.get("ulp", {})
        cells = [f"{times[peer]:.1f} ns" if peer in times else "" for peer in numpy]
        cells += [f"{times[each]:.1f} ns ({ratios[each]:.1f} x)" for each in threads]
        found = [_error(errors[peer], "float64") for peer in (*numpy, OURS) if peer in errors]
        found = [f"{error} ULP" if error[0].isdigit() else error for error in found]
        lines.append([name, *cells, ", ".join(found)])
    head = [
        "float64, per element or row",
        *map(name_of, numpy),
        f"{OURS}, {threads[0]}",
        *threads[1:],
        f"largest error: naive, stable, tuned, {OURS}",
    ]
    return grid(head, lines, left=(0, -1))


def accuracy(rows: Rows) -> str:
    peers = list(dict.fromkeys(peer for row in rows.values() for peer in row))
    types = ("float64", "float32")
    lines = []
    for name, row in rows.items():
        errors = ([_error(row.get(peer, {}), dtype) for dtype in types] for peer in peers)
        lines.append([name, *(" / ".join(filter(None, pair)) for pair in errors)])
    return grid([f"Largest error in ULP, {' / '.join(types)}", *map(name_of, peers)], lines)


def passes(rows: Rows) -> str:
    others = list(dict.fromkeys(name for row in rows.values() for name in row["times_as_long"]))
    lines = []
    for name, row in rows.items():
        times = row["times_as_long"]
        cells = [f"{times[other]:.2f} x" if other in times else "" for other in others]
        lines.append([name, duration(row["seconds"]), *cells])
    return grid(["Loss and gradient, X", OURS, *map(name_of, others)], lines)


def fits(rows: Rows) -> str:
    lines = []
    for name, row in sorted(rows.items(), key=lambda item: item[1]["problem"]):
        contenders = row["contenders"]
        ours = contenders[OURS]
        took = duration(ours["seconds"]) + ("" if ours["reached"] else " (not reached)")
        others = [each for each in contenders if each != OURS and contenders[each]["reached"]]
        cells = ["", ""]
        if others:
            best = min(others, key=lambda each: contenders[each]["seconds"])
            cells = [
                f"{best}, {duration(contenders[best]['seconds'])}",
                f"{contenders[best]['times_as_long']:.1f} x as fast",
            ]
        lines.append([name, took, str(row["passes"]), *cells])
    head = ["Data", OURS, "passes", "the best of the others", f"{OURS} is"]
    return grid(head, lines, left=(0, 3))


def scoring(rows: Rows) -> str:
    lines = []
    for part, what in FILES.items():
        if part in rows:
            row = rows[part]
            first = [f"{what}, {row['rows']:,} rows", duration(row["seconds"])]
            for other, times in row["times_as_long"].items():
                lines.append([*first, other, f"{times:.2f} x as long"])
                first = ["", ""]
    if "memory" in rows:
        row = rows["memory"]
        peaks = " and ".join(f"{size / 1e6:.0f} MB" for size in row["peak_bytes"])
        sizes = " and ".join(f"{size / 1e9:.2g} GB" for size in row["file_bytes"])
        lines.append([f"peak memory for {sizes} of Parquet", peaks, "", ""])
    if "start" in rows:
        row = rows["start"]
        what = f"`fastlogit score` of {row['rows']:,} rows, a whole process"
        imports = f"of which {duration(row['imports_seconds'])} are Python's start and imports"
        lines.append([what, duration(row["seconds"]), imports, ""])
    return grid(["Files", OURS, "compared with", f"{OURS} takes"], lines, left=(0, 2))


def report(rows: Rows) -> str:
    """How often fastlogit is the fastest; the cases are in bench/results/report.md."""
    counts = rows["counts"]
    said = (
        f"fastlogit is the fastest in {counts['fastest']} of {counts['cases']} cases; compared "
        f"with one other at a time it is faster in {counts['faster']} of {counts['pairs']}."
    )
    lines = [
        [
            f"{part['n']:,} {'rows' if part['is_pass'] else 'logits'}",
            part["dtype"],
            f"{part['fastest']} of {part['cases']}",
            f"`{part['worst']}`",
            name_of(part["than"]),
            f"{part['times_as_fast']:.2f}",
        ]
        for part in rows["parts"]
    ]
    head = ["fastest on", "type", "in", "the worst of these is", "compared with", "times as fast"]
    return f"{said}\n\n{grid(head, lines, (0, 1, 3, 4), padded=True)}"


TABLES = {each.__name__: each for each in (table, accuracy, passes, fits, scoring, report)}


# Cells ------------------------------------------------------------------------------------


def grid(
    head: Sequence[str],
    lines: Iterable[Sequence[str]],
    left: Sequence[int] = (0,),
    *,
    padded: bool = False,
) -> str:
    """A table whose columns are aligned to the right, but for those at the places `left`.

    With `padded` they have one width each, so that it can be read as text as well.
    """
    rows = [head, *lines]
    texts = {place % len(head) for place in left}
    widths = [max(3, *map(len, column)) if padded else 3 for column in zip(*rows, strict=True)]
    rule = [
        "-" * width if place in texts else "-" * (width - 1) + ":"
        for place, width in enumerate(widths)
    ]
    filled = [
        [
            cell.ljust(width * padded) if place in texts else cell.rjust(width * padded)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        for row in rows
    ]
    first, *rest = [f"| {' | '.join(cells)} |" for cells in filled]
    between = " | " if padded else "|"
    edges = ("| ", " |") if padded else ("|", "|")
    return "\n".join([first, f"{edges[0]}{between.join(rule)}{edges[1]}", *rest])


def _error(found: Row, dtype: str) -> str:
    """Of what `bench.accuracy.errors` gives of an implementation, one type's; words stay."""
    error = found.get(dtype, "")
    if not isinstance(error, str):
        error = f"{error:.2f}" if error < 1000 else f"{error:.0e}"
    marks = {"wrong": WRONG, "subnormal": SUBNORMAL}
    return error + "".join(mark for key, mark in marks.items() if dtype in found.get(key, ()))


def duration(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= 0.9995 * size:
            return f"{_three_digits(seconds / size)} {unit}"
    return f"{_three_digits(seconds * 1e9)} ns"


def _three_digits(value: float) -> str:
    return f"{value:.3g}" if value < 999.5 else f"{value:.0f}"
