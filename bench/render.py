"""Figures as Markdown: one function for each table of bench/README.md.

Nothing is measured or looked up, so the same figures always give the same text.  A row's name is
usually the first cell of its line.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from bench.data import DTYPES

Row = dict[str, Any]
Rows = dict[str, Row]

OURS = "fastlogit"
# Inside an engine: our function, or the model in the engine's own language.
FUNCTION, OWN = "function", "own"
SLOWER = "▼"
WRONG = "†"  # a special value is wrong
SUBNORMAL = "‡"  # subnormal results, and only these, lose all digits
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


def result(name: str, runs: Sequence[dict[str, Any]]) -> str:
    """A command's table, followed by its machine, date and versions."""
    rows = {key: row for run in runs for key, row in run["rows"].items()}
    return f"{TABLES[name](rows)}\n\n{measured(runs)}"


def measured(runs: Sequence[dict[str, Any]]) -> str:
    """Commands, date, machine and versions; one paragraph for each combination."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        groups.setdefault(f"{run['date']}, on {machine(run['machine'])}", []).append(run)
    paragraphs = []
    for where, group in groups.items():
        *others, last = dict.fromkeys(f"`{run['command']}`" for run in group)
        commands = f"{', '.join(others)} and {last}" if others else last
        rows = "; ".join(name for run in group for name in run["rows"])
        what = f"{rows}: measured" if len(groups) > 1 else "Measured"
        line = f"{what} by {commands} on {where}."
        paragraphs.append(textwrap.fill(line, 100, break_long_words=False, break_on_hyphens=False))
    return "\n\n".join(paragraphs)


def machine(described: dict[str, Any]) -> str:
    """A description of a machine in one line."""
    versions = [
        f"{library_name(name)} {version}" for name, version in described["versions"].items()
    ]
    if revision := described.get("revision"):
        versions[0] += f" ({revision})"
    cores = f"{described['cores']} core{'' if described['cores'] == 1 else 's'}"
    return ", ".join([described["processor"], cores, described["python"], *versions])


def library_name(library: str) -> str:
    """Usual name of a library."""
    return NAMES.get(library, library)


# Tables -----------------------------------------------------------------------------------


def summary(rows: Rows) -> str:
    """In how many cases fastlogit is the fastest, and the worst of them."""
    keys = ("fastest", "cases", "faster", "pairs")
    total = {key: sum(row[key] for row in rows.values()) for key in keys}
    sizes: dict[str, Rows] = {}
    for name, row in rows.items():
        size, dtype = name.split(", ")
        sizes.setdefault(size, {})[dtype] = row
    lines = []
    for size, types in sizes.items():
        worst = min(types.values(), key=lambda row: row["times_as_fast"])
        cells = [
            f"{types[t]['fastest']} of {types[t]['cases']}" if t in types else "" for t in DTYPES
        ]
        than = f"`{worst['worst']}`, {worst['times_as_fast']:.2f} x {library_name(worst['than'])}"
        lines.append([size, *cells, than])
    head = ["fastest on", *DTYPES, "worst case"]
    return (
        f"fastlogit is the fastest in {total['fastest']} of {total['cases']} cases (functions, "
        f"types, sizes). It wins {total['faster']} of\n{total['pairs']} comparisons with one "
        "other. The worst case is the function that loses most; 0.50 x takes\ntwice as long as "
        "the fastest.\n\n"
        f"{grid(head, lines, (0, 3))}"
    )


def numpy(rows: Rows) -> str:
    """Nanoseconds per element or row, and how many times as fast as NumPy's stable formulas."""
    libraries = ("numpy-naive", "numpy-stable", "numpy-tuned")
    threads = list(dict.fromkeys(count for row in rows.values() for count in row["times_as_fast"]))
    lines = []
    for name, row in rows.items():
        times, ratios = row["ns"], row["times_as_fast"]
        cells = [f"{times[library]:.1f} ns" if library in times else "" for library in libraries]
        cells += [
            f"{times[count]:.1f} ns ({ratios[count]:.1f} x)" if count in ratios else ""
            for count in threads
        ]
        lines.append([name, *cells])
    first, *rest = threads
    head = ["per element or row", *map(library_name, libraries), f"{OURS}, {first}", *rest]
    return grid(head, lines)


def passes(rows: Rows) -> str:
    """How many times as long as fastlogit others take for loss and gradient."""
    others = list(dict.fromkeys(name for row in rows.values() for name in row["times_as_long"]))
    lines = []
    for name, row in rows.items():
        times = row["times_as_long"]
        cells = [f"{times[other]:.2f} x" if other in times else "" for other in others]
        lines.append([name, duration(row["seconds"]), *cells])
    return grid(["loss and gradient, X", OURS, *map(library_name, others)], lines)


def classes(rows: Rows) -> str:
    """Times of functions of K classes, and how many times as fast as the best of the others."""
    counts = list(dict.fromkeys(count for row in rows.values() for count in row))
    lines = []
    for name, row in rows.items():
        cells = []
        for count in counts:
            if not (found := row.get(count)):
                cells += ["", "", ""]
                continue
            reading = f"{found['reading']:.2f} x" if "reading" in found else ""
            than = f"{found['times_as_fast']:.2f} x {library_name(found['than'])}"
            cells += [duration(found["seconds"]), than, reading]
        lines.append([name, *cells])
    head = [cell for count in counts for cell in (count, "times as fast", "reading X")]
    return grid(["K classes", *head], lines)


def first_calls(rows: Rows) -> str:
    """Seconds of first calls in a new process."""
    lines = [
        [f"`{name}`", *(duration(row[kind]) if kind in row else "" for kind in ("cold", "cached"))]
        for name, row in rows.items()
    ]
    return grid(["first call in a new process", "compiles", "from the cache"], lines)


def goals(rows: Rows) -> str:
    """Goals for the speed, and whether they are reached."""
    lines = [
        [name, f"{row['value']:.2f}", row["goal"], row["verdict"]] for name, row in rows.items()
    ]
    reached = sum(row["verdict"] == "reached" for row in rows.values())
    head = ["compared with", "times as fast", "goal", ""]
    return f"{grid(head, lines, (0, 2, 3))}\n\n{reached} of {len(rows)} reached."


def accuracy(rows: Rows) -> str:
    """Largest errors in ULP by function and library."""
    libraries = list(dict.fromkeys(library for row in rows.values() for library in row))
    types = ("float64", "float32")
    lines = []
    for name, row in rows.items():
        errors = ([_error(row.get(library, {}), dtype) for dtype in types] for library in libraries)
        lines.append([name, *(" / ".join(filter(None, pair)) for pair in errors)])
    return grid(
        [f"largest error in ULP, {' / '.join(types)}", *map(library_name, libraries)], lines
    )


def _error(found: Row, dtype: str) -> str:
    error = found.get(dtype, "")
    if not isinstance(error, str):
        error = f"{error:.2f}" if error < 1000 else f"{error:.0e}"
    marks = {"wrong": WRONG, "subnormal": SUBNORMAL}
    return error + "".join(mark for key, mark in marks.items() if dtype in found.get(key, ()))


def fits(rows: Rows) -> str:
    """Seconds to the optimum, and the best of the other trainers that reach it.

    Where none does, the shortest time in which one of them gave up stands for more than it.
    """
    lines = []
    for name, row in sorted(rows.items(), key=lambda item: item[1]["problem"]):
        contenders = row["contenders"]
        ours = contenders[OURS]
        took = duration(ours["seconds"]) + ("" if ours["reached"] else " (not reached)")
        others = {name: each for name, each in contenders.items() if name != OURS}
        reached = {name: each for name, each in others.items() if each["reached"]}
        cells = ["", ""]
        if found := reached or others:
            best, each = min(found.items(), key=lambda item: item[1]["seconds"])
            cells = [
                f"{best}, {duration(each['seconds'])}{'' if reached else ' (not reached)'}",
                f"{'' if reached else 'over '}{each['times_as_long']:.1f} x as fast",
            ]
        lines.append([name, took, str(row["passes"]), *cells])
    head = ["data", OURS, "passes", "best of the others", f"{OURS} is"]
    return grid(head, lines, left=(0, 3))


def scoring(rows: Rows) -> str:
    """Seconds to score files, and how many times as long as others; memory and start."""
    files = {"parquet": "Parquet to Parquet", "csv": "CSV to Parquet", "npy": "NPY to NPY"}
    lines = []
    for part, what in files.items():
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
        imports = f"Python's start and imports: {duration(row['imports_seconds'])}"
        lines.append([what, duration(row["seconds"]), imports, ""])
    return grid(["files", OURS, "compared with", f"{OURS} takes"], lines, left=(0, 2))


def engines(rows: Rows) -> str:
    """Seconds in DuckDB and Polars, next to `fl.score` and to the engine's own expressions."""
    lines = []
    for name, row in rows.items():
        first = [f"{name}, {row['rows']:,} rows", duration(row["seconds"])]
        for engine, found in row["engines"].items():
            own = f"{duration(found[OWN])} ({found['difference']:.0e})"
            times = [f"{found[key]:.2f} x" for key in ("than_score", "than_own")]
            lines.append([*first, engine, duration(found[FUNCTION]), times[0], own, times[1]])
            first = ["", ""]
    head = ["Parquet to Parquet", "`fl.score`", "engine", OURS, "of `fl.score`", "own expression"]
    return grid([*head, "of that"], lines, left=(0, 2))


def streams(rows: Rows) -> str:
    """Training on files: reads, memory, and time relative to reading and to other libraries."""
    lines = []
    if "large" in rows:
        row, ours = rows["large"], rows["large"][OURS]
        what = f"{row['rows']:,} rows, {row['file_bytes'] / 1e9:.1f} GB, to a gradient norm of 1e-7"
        took = f"{ours['passes']} reads, {duration(ours['seconds'])}"
        lines += [
            [what, took, "pyarrow, each read", f"{row['times_as_long']:.2f} x as long"],
            ["", f"peak memory {ours['peak_bytes'] / 1e6:.0f} MB", "", ""],
        ]
    if "memory" in rows:
        row = rows["memory"]
        took = f"{row['streamed']['passes']} reads, {duration(row['streamed']['seconds'])}"
        memory = f"in memory: {row['in memory']['passes']} passes, and reading as often"
        what = f"{row['rows']:,} rows, to a gradient norm of 1e-7"
        lines.append([what, took, memory, f"{row['times_as_long']:.2f} x as long"])
    if "peers" in rows:
        row = rows["peers"]
        what = f"{row['rows']:,} rows, to a mean log-loss within 1e-6 of the optimum"
        lines += _contenders(what, row["contenders"])
    return grid(["training on Parquet", OURS, "compared with", f"{OURS} takes"], lines, left=(0, 2))


def cluster(rows: Rows) -> str:
    """Training on a Dask cluster, relative to one process and to dask-ml."""
    lines = []
    if "frame" in rows:
        row = rows["frame"]
        found, alone = row["cluster"], row["process"]
        what = f"data frame of a Parquet file, {row['rows']:,} rows, {row['partitions']} partitions"
        took = f"{found['passes']} passes, {duration(found['seconds'])}"
        than = f"one process: {alone['passes']} reads, {duration(alone['seconds'])}"
        lines.append([what, took, than, f"{row['times_as_long']:.2f} x as long"])
    if "arrays" in rows:
        row = rows["arrays"]
        what = f"persisted arrays, {row['rows']:,} rows, {row['partitions']} partitions"
        lines += _contenders(what, row["contenders"])
    return grid(["training on a cluster", OURS, "compared with", f"{OURS} takes"], lines, (0, 2))


def plan(rows: Rows) -> str:
    """What travels in a pass, the merge tree, and two large problems."""
    trees = {name: row for name, row in rows.items() if "merge_seconds" in row}
    problems = {name: row for name, row in rows.items() if "read_bytes" in row}
    tree = [
        [
            name,
            size(row["task_bytes"]),
            size(row["result_bytes"]),
            f"{row['partitions']:,}",
            str(row["depth"]),
            duration(row["merge_seconds"]),
            size(row["peak_bytes"]),
        ]
        for name, row in trees.items()
    ]
    head = ["sums, float32", "task", "result", "results", "levels", "a merge", "peak memory"]
    what = {
        "read_bytes": "read in a pass",
        "partition_bytes": "a partition",
        "out_bytes": "θ and the task, sent to all workers",
        "gradient_bytes": "results of a pass, gradient",
        "hessian_bytes": "results of a pass, with the Hessian",
        "checksum_bytes": "checksums of the partitions, in a pass",
        "first_bytes": "rows that the first read sends, for the sample",
        "sample_rows": "rows of the sample",
        "client_bytes": "memory of the client",
        "merging_seconds": "merging on each worker, with the Hessian",
        "scheduler_seconds": "Dask's scheduler, for its tasks",
    }
    costs = [
        [text, *(_cost(key, row[key]) for row in problems.values())] for key, text in what.items()
    ]
    speed = (
        f"Dask's scheduler runs {rows['scheduler']['tasks']:,.0f} tasks of the tree in a second."
    )
    return f"{grid(head, tree)}\n\n{grid(['float32, two classes', *problems], costs)}\n\n{speed}"


def _cost(key: str, value: float) -> str:
    forms = {"bytes": size, "seconds": duration, "rows": "{:,.0f}".format}
    return forms[key.split("_")[1]](value)


def _contenders(what: str, contenders: Rows) -> list[list[str]]:
    """A line for each of the others: its seconds, or how far it is from the goal."""
    ours = contenders[OURS]
    first, lines = [what, duration(ours["seconds"])], []
    for name, each in contenders.items():
        if name != OURS:
            took = duration(each["seconds"]) if each["reached"] else f"not reached: {each['note']}"
            than = "" if each["reached"] else "less than "
            times = f"{than}{ours['seconds'] / each['seconds']:.2g} x as long"
            lines.append([*first, f"{name}, {took}", times])
            first = ["", ""]
    return lines


TABLES = {
    each.__name__: each
    for each in (
        summary,
        goals,
        numpy,
        passes,
        classes,
        first_calls,
        accuracy,
        fits,
        scoring,
        engines,
        streams,
        cluster,
        plan,
    )
}


# Cells ------------------------------------------------------------------------------------


def grid(head: Sequence[str], lines: Iterable[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    """A table that reads well as text: columns padded, aligned right except for those in `left`."""
    rows = [head, *lines]
    widths = [max(3, *map(len, column)) for column in zip(*rows, strict=True)]
    rule = ["-" * (w - 1) + ("-" if j in left else ":") for j, w in enumerate(widths)]
    padded = [
        [
            cell.ljust(width) if j in left else cell.rjust(width)
            for j, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        for row in rows
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [padded[0], rule, *padded[1:]])


def size(count: float) -> str:
    """Bytes with three digits and a unit."""
    for unit, least in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= least:
            return f"{_three_digits(count / least)} {unit}"
    return f"{_three_digits(count / 1e3)} kB"


def duration(seconds: float) -> str:
    """Three digits and a unit from s to ns."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= 0.9995 * size:
            return f"{_three_digits(seconds / size)} {unit}"
    return f"{_three_digits(seconds * 1e9)} ns"


def _three_digits(value: float) -> str:
    return f"{value:.3g}" if value < 999.5 else f"{value:.0f}"
