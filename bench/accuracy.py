"""``python -m bench accuracy``: largest errors in units in the last place (ULP), by library.

Points are drawn by their bits, so that every exponent and sign occurs; half of them lie where the
functions vary.  Around fastlogit's worst points a search looks for worse ones.  The result is
evidence, not a bound.  ``--exhaustive`` visits all 2³² float32 numbers, for functions of one
argument.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from bench import commands, machine, render, results
from bench.registry import ELEMENTWISE, FASTLOGIT, FUNCTIONS
from bench.render import Row
from fastlogit.core.ulp import ulp_error
from tests.references import extended, points
from tests.references.points import BLOCK, NORMAL, RANGES, SPECIAL

Array = NDArray[Any]
Task = TypeVar("Task")

POINTS = 100_000_000
# float32 has so few numbers that a tenth of the points will do.
TYPES = {np.float64: 1, np.float32: 10}
THREADS = 2
OTHERS_EVERY = 16  # blocks; fastlogit is measured in all of them, the other libraries in these
LOST = "all digits"  # replaces a number where no decimal digit is right
SEARCH_ROUNDS, SEARCH_KEPT, SEARCH_TRIED = 8, 64, 512


@dataclass
class Errors:
    """Number, sum and largest of the errors of one implementation in one range."""

    count: int = 0
    total: float = 0.0
    largest: float = 0.0
    point: tuple[float, ...] = ()

    def add(self, errors: Array, args: list[Array]) -> None:
        if errors.size:
            worst = int(np.argmax(errors))
            point = tuple(float(arg[worst]) for arg in args)
            self.merge(Errors(errors.size, float(errors.sum()), float(errors[worst]), point))

    def merge(self, other: Errors) -> None:
        self.count += other.count
        self.total += other.total
        if other.largest > self.largest or not self.point:
            self.largest, self.point = other.largest, other.point

    def __str__(self) -> str:
        if self.count == 0:
            return ""
        return f"{self.largest:.4g} (mean {self.total / self.count:.2g}) at {self.where()}"

    def where(self) -> str:
        return ", ".join(f"{value:.9g}" for value in self.point)


Table = dict[tuple[str, str], Errors]  # by library and range


def merged(tables: Iterable[Table]) -> Table:
    """The errors of several tables in one."""
    table: Table = {}
    for part in tables:
        for key, errors in part.items():
            table.setdefault(key, Errors()).merge(errors)
    return table


# Errors -----------------------------------------------------------------------------------


def evaluate(
    name: str, libraries: Iterable[str], args: list[Array], table: Table, special: bool = False
) -> Array:
    """Add the errors at some points to a table; return the errors of the last library."""
    exact, ranges = points.exact_values(name, args)
    if special:
        ranges = {SPECIAL: np.ones(exact.shape, bool)}
    for library in libraries:
        errors = ulp_error(_computed(name, library, args), exact, args[0].dtype)
        for which, members in ranges.items():
            selected = [arg[members] for arg in args]
            table.setdefault((library, which), Errors()).add(errors[members], selected)
    return np.where(np.logical_or.reduce(list(ranges.values())), errors, 0.0)


def _computed(name: str, library: str, args: list[Array]) -> Array:
    try:
        with np.errstate(all="ignore"):
            return FUNCTIONS[name].compute(library, *args)
    except RuntimeError:  # PyTorch refuses numbers that are no probabilities
        return np.full_like(args[0], np.nan)


def sweep(name: str, dtype: Any, soft: bool, count: int) -> Table:
    """Errors at special values, at random points, and near the worst of these."""
    others = [each for each in FUNCTIONS[name].implementations if each != FASTLOGIT]

    def work(number: int) -> tuple[Table, list[Array]]:
        table: Table = {}
        args = points.drawn(name, dtype, soft, number)
        here = others if number % OTHERS_EVERY == 0 else []
        errors = evaluate(name, [*here, FASTLOGIT], args, table)
        worst = np.argpartition(errors, -SEARCH_KEPT)[-SEARCH_KEPT:]
        return table, [arg[worst] for arg in args]

    extended.check(name, points.drawn(name, dtype, soft, 0))
    found = _in_threads(work, max(1, count // BLOCK), f"{name} {np.dtype(dtype)}")
    table = merged(part for part, _ in found)
    worst = [np.concatenate(arg) for arg in zip(*(args for _, args in found), strict=True)]
    _search(name, worst, table)
    for point in points.special(name, dtype, soft):
        evaluate(name, [*others, FASTLOGIT], [*point[:, None]], table, special=True)
    return table


def _search(name: str, args: list[Array], table: Table) -> None:
    """Climb from fastlogit's worst points: try their neighbours, near and far."""
    rng = np.random.default_rng(2013)
    info = np.finfo(args[0].dtype)
    integer = np.dtype(f"i{info.bits // 8}")
    low, high = (0, 1) if FUNCTIONS[name].arguments[0] == "y" else (-np.inf, np.inf)
    for _ in range(SEARCH_ROUNDS):
        errors = evaluate(name, [FASTLOGIT], args, table)
        best = np.argsort(errors)[-SEARCH_KEPT:]
        args = [np.repeat(arg[best], SEARCH_TRIED) for arg in args]
        size = 2.0 ** rng.uniform(0, info.nmant, args[0].size)
        step = np.rint(rng.uniform(-1, 1, size.size) * size).astype(integer)
        moved = (args[0].view(integer) + step).view(args[0].dtype)
        args[0] = np.where((moved > low) & (moved < high), moved, args[0])


def _in_threads(work: Callable[[int], Task], count: int, title: str) -> list[Task]:
    with ThreadPoolExecutor(THREADS) as pool:
        done = pool.map(work, range(count))
        return list(tqdm(done, title, count, unit="block", leave=False, disable=None))


# All float32 numbers ----------------------------------------------------------------------


def exhaustive(blocks: int = 2**32 // BLOCK) -> None:
    """Print the largest errors of fastlogit over every float32."""
    names = [name for name in ELEMENTWISE if len(FUNCTIONS[name].arguments) == 1]

    def work(number: int) -> dict[str, Table]:
        bits = np.arange(number * BLOCK, (number + 1) * BLOCK).astype(np.uint32)
        tables: dict[str, Table] = {name: {} for name in names}
        for name, table in tables.items():
            evaluate(name, [FASTLOGIT], [bits.view(np.float32)], table)
        return tables

    found = _in_threads(work, blocks, "float32")
    lines = []
    for name in names:
        table = merged(tables[name] for tables in found)
        lines.append([f"`{name}`", *(str(table[FASTLOGIT, which]) for which in RANGES[:-1])])
    print(render.grid(["function, every float32", *RANGES[:-1]], lines, range(4)))


# Tables -----------------------------------------------------------------------------------


def main(arguments: Sequence[str] = ()) -> None:
    """Measure every function; print every range, then the largest errors."""
    command = results.parser("accuracy")
    command.add_argument("--points", type=commands.count, help=f"of float64 (default: {POINTS})")
    command.add_argument("--exhaustive", action="store_true", help="every float32 instead")
    options = command.parse_args(arguments)
    if options.exhaustive:
        if options.save or options.points:
            command.error("--exhaustive stores nothing and visits all points: no --save, --points")
        exhaustive()
        return
    here = machine.describe("scipy", "torch", "jax", "scikit-learn")
    print(f"{render.machine(here)}\n")
    rows: dict[str, Row] = {}
    for name, function in ((name, FUNCTIONS[name]) for name in ELEMENTWISE):
        for labels in ("hard", "soft") if "t" in function.arguments else ("",):
            title = f"`{name}`, {labels} labels" if labels else f"`{name}`"
            tables = {}
            for dtype, share in TYPES.items():
                table = sweep(name, dtype, labels == "soft", (options.points or POINTS) // share)
                print(f"{_ranges(f'{title}, {dtype.__name__}', table)}\n", flush=True)
                tables[dtype.__name__] = table
            rows[title] = errors(tables, _libraries(table))
    results.finish("accuracy", arguments, here, rows)
    print(f"\n{render.WRONG} another result than at 0, 1, an infinity or NaN there should be.")
    print(f"{render.SUBNORMAL} subnormal results, and only these, have no right digit.")


def _ranges(title: str, table: Table) -> str:
    lines = []
    for library in _libraries(table):
        special = table[library, SPECIAL]
        cells = [str(table.get((library, which), "")) for which in RANGES[:-1]]
        cells.append(f"wrong at {special.where()}" if special.largest > 1 else "right")
        lines.append([library, *cells])
    return render.grid([title, *RANGES], lines, range(5))


def _libraries(table: Table) -> list[str]:
    found = dict.fromkeys(library for library, _ in table)
    return sorted(found, key=lambda library: library != FASTLOGIT)


def errors(tables: dict[str, Table], libraries: Iterable[str]) -> Row:
    """Largest error of each library by type, and the types with wrong special values.

    Where only subnormal results are lost, it is the largest error of the others.
    """
    found: Row = {}
    for library in libraries:
        row: Row = {"wrong": [], "subnormal": []}
        for dtype, table in tables.items():
            row[dtype] = largest(table, library, dtype)
            normal = largest(table, library, dtype, NORMAL)
            if row[dtype] == LOST != normal:
                row[dtype] = normal
                row["subnormal"].append(dtype)
            if table[library, SPECIAL].largest > 1:
                row["wrong"].append(dtype)
        found[library] = {key: value for key, value in row.items() if value != []}
    return found


def largest(
    table: Table, library: str, dtype: Any, ranges: Iterable[str] = RANGES[:-1]
) -> float | str:
    """The largest error over some ranges, or `LOST` if no decimal digit is right."""
    worst = max(table[library, which].largest for which in ranges if (library, which) in table)
    return LOST if worst >= 2.0 ** (np.finfo(dtype).nmant - 3) else worst
