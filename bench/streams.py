"""``python -m bench streams``: training on Parquet files that are read again in every pass.

The rows are those of :mod:`bench.files`; nobody has a penalty.  Everyone has two threads.  Three
parts:

large     a file larger than the memory that training takes, to a gradient norm of 1e-7; each read
          is compared with pyarrow, which only reads the same columns
memory    a tenth of these rows, read in every pass and read into memory once
peers     the same rows, until the mean log-loss is within 1e-6 of the optimum; see `stream_peers`

Ours runs in a process of its own for each fit, as its peak memory is measured.  Whether a file came
from the page cache or from storage is measured by the bytes that the system has read for the
process.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from bench import fits, machine, render, results, stream_peers
from bench.commands import count
from bench.files import MOST_ROWS, Files
from bench.fit_file import fit_file
from bench.measure import Call, Goal, interleaved, medians, on_cores
from bench.render import OURS, Row
from bench.scoring import parquet_streams

ROWS = 100_000_000
THREADS = 2
# Of the small file that loads compiled code.
FEW_ROWS = 10_000
# Tolerance of the fits whose optima are compared.
SMALL_TOL = 1e-12
MOST_READS, MOST_PER_READ, MOST_MEGABYTES = Goal(most=8), Goal(most=1.25), Goal(most=1000)
MOST_MORE_READS, MOST_TIMES, MOST_DISTANCE = Goal(-8, 2), Goal(most=1.3), Goal(most=1e-9)
LEAST_TIMES = Goal(least=10)


class Setting(NamedTuple):
    """The files, and how often to repeat."""

    files: Files
    times: int
    rounds: int
    patience: float

    def fit(self, path: Path, tol: float, *, out_of_core: bool = True) -> Row:
        """Figures of a fit in a process of its own."""
        small = Files(self.files.folder, FEW_ROWS).features()
        options: dict[str, Any] = {"tol": tol, "out_of_core": out_of_core}
        return fit_file(path, small, l2=0.0, threads=THREADS, **options)


def loosest_tol(setting: Setting) -> float:
    """The largest power of ten as tolerance whose optimum has a small enough gradient norm.

    The gradient is by standardised columns.  Repeated rows have the same optimum.
    """
    files = setting.files
    data = fits.Data(*files.in_memory(files.standardised()), l2=0.0)
    for exponent in range(-4, -15, -1):
        found = setting.fit(files.features(), 10.0**exponent)
        theta = files.standardised_theta(np.array(found["coef"]), found["intercept"])
        norm = fits.gradient_norm(data, *theta)
        tqdm.write(f"tol 1e{exponent}: {found['passes']} passes, gradient norm {norm:.1e}")
        if norm <= fits.TARGET:
            return 10.0**exponent
    raise RuntimeError(f"no tolerance gives a gradient norm of {fits.TARGET:g}")


def in_turns(setting: Setting, path: Path, ours: dict[str, Callable[[], Row]]) -> Row:
    """Figures of the fits, and the seconds of the fastest way of pyarrow to read the file."""
    found: dict[str, list[Row]] = {name: [] for name in ours}
    calls: dict[str, Call] = {reader.name: reader.run for reader in parquet_streams(path)}
    readers = list(calls)
    for name, fit in ours.items():
        calls[name] = lambda name=name, fit=fit: found[name].append(fit())
    with tqdm(total=setting.rounds * len(calls), unit="call", disable=None) as bar:
        seconds = interleaved(calls, setting.rounds, warm=True, progress=lambda _: bar.update())
    median = medians(seconds)
    best = min(readers, key=median.__getitem__)
    row: Row = {"reader": best, "reading_seconds": median[best]}
    for name, several in found.items():
        figures = {key: [each[key] for each in several] for key in several[0]}
        row[name] = {
            "seconds": statistics.median(figures["seconds"]),
            "passes": max(figures["passes"]),
            "peak_bytes": max(figures["peak_bytes"]),
            "storage_bytes": max(figures["storage_bytes"]),
        }
    return row


def judged(what: str, value: float, goal: Goal) -> None:
    """Print a figure with its goal."""
    print(f"{what.format(value)}; goal: {goal.judged(value)}", flush=True)


def large(setting: Setting) -> Row:
    """A large file: the number of reads, the seconds of each, and peak memory."""
    tol = loosest_tol(setting)
    path = setting.files.features(setting.times)
    row = in_turns(setting, path, {OURS: partial(setting.fit, path, tol)})
    ours = row[OURS]
    a_read = ours["seconds"] / ours["passes"]
    row |= {
        "rows": setting.files.rows * setting.times,
        "file_bytes": path.stat().st_size,
        "times_as_long": a_read / row["reading_seconds"],
    }
    print(f"\n### {row['rows']:,} rows, {row['file_bytes'] / 1e9:.1f} GB\n")
    print(f"{render.duration(a_read)} a read; pyarrow {render.duration(row['reading_seconds'])}")
    print(f"{ours['storage_bytes'] / 1e9:.1f} GB came from storage, in all reads")
    judged("{} reads", ours["passes"], MOST_READS)
    judged("{:.2f} x as long as pyarrow reads", row["times_as_long"], MOST_PER_READ)
    judged("{:.0f} MB at the peak", ours["peak_bytes"] / 1e6, MOST_MEGABYTES)
    return row


def memory(setting: Setting) -> Row:
    """The same rows streamed and in memory."""
    tol = loosest_tol(setting)
    path = setting.files.features()
    fits_by_way = {
        name: partial(setting.fit, path, out_of_core=out_of_core)
        for name, out_of_core in (("streamed", True), ("in memory", False))
    }
    exact = [fit(SMALL_TOL) for fit in fits_by_way.values()]  # the first one compiles
    streamed, whole = (
        setting.files.standardised_theta(np.array(one["coef"]), one["intercept"])[0]
        for one in exact
    )
    row = in_turns(setting, path, {name: partial(fit, tol) for name, fit in fits_by_way.items()})
    # In memory, each pass but the first saves a read.
    often = row["in memory"]["seconds"]
    often += (row["streamed"]["passes"] - 1) * row["reading_seconds"]
    row |= {
        "rows": setting.files.rows,
        "times_as_long": row["streamed"]["seconds"] / often,
        "distance": float(np.abs(streamed - whole).max() / np.abs(whole).max()),
    }
    print(f"\n### {row['rows']:,} rows, streamed and in memory\n")
    for name in fits_by_way:
        each = row[name]
        peak = f"{each['peak_bytes'] / 1e6:.0f} MB"
        print(f"{name}: {render.duration(each['seconds'])}, {each['passes']} passes, {peak}")
    print(f"pyarrow reads in {render.duration(row['reading_seconds'])}")
    more = row["streamed"]["passes"] - row["in memory"]["passes"]
    judged("{} more reads", more, MOST_MORE_READS)
    judged("{:.2f} x as long as in memory and reading as often", row["times_as_long"], MOST_TIMES)
    judged("coefficients differ by {:.1e}", row["distance"], MOST_DISTANCE)
    return row


def peers(setting: Setting) -> Row:
    """Time to the optimum, against libraries that read batches."""
    row = stream_peers.measure(setting.files, THREADS, setting.patience)
    others = {name: each for name, each in row["contenders"].items() if name != OURS}
    for name, each in others.items():
        reached = "" if each["reached"] else " (not reached)"
        print(f"{name}: {each['times_as_long']:.1f} x as long{reached}")
    if others:
        best = min(each["times_as_long"] for each in others.values())
        judged("the best of the others takes {:.1f} x as long", best, LEAST_TIMES)
    return row


PARTS: dict[str, Callable[[Setting], Row]] = {"large": large, "memory": memory, "peers": peers}


def main(arguments: Sequence[str] = ()) -> None:
    """Measure all parts, or some, and print as it goes."""
    command = results.parser("streams")
    command.add_argument("--rows", type=count, default=ROWS, help="default: %(default)s")
    command.add_argument("--rounds", type=count, default=3, help="default: %(default)s")
    command.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=", ".join(PARTS))
    command.add_argument(
        "--patience", type=count, default=60, help="seconds for a setting; default: %(default)s"
    )
    command.add_argument("--folder", type=Path, help="keep the files there for the next run")
    options = command.parse_args(arguments)
    import pyarrow as pa

    pa.set_cpu_count(THREADS)
    here = machine.describe("pyarrow", "scikit-learn", "vowpalwabbit", "xgboost")
    print(f"{render.machine(here)}\n")
    times = max(round(options.rows / MOST_ROWS), 1)
    with on_cores(THREADS), tempfile.TemporaryDirectory() as temporary:
        files = Files(options.folder or Path(temporary), options.rows // times)
        setting = Setting(files, times, options.rounds, options.patience)
        measured = {name: PARTS[name](setting) for name in options.only or PARTS}
    results.finish("streams", arguments, here, measured)
