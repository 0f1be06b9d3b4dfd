"""``python -m bench accuracy``: errors in units in the last place (ULP), as Markdown.

Points are drawn by their bits, so that every exponent and sign comes up; half of them where the
functions vary.  Around fastlogit's worst points of the sweep a search then looks for worse ones.
What is printed is the largest error seen at so many points, and where: evidence, not a bound.
With ``--exhaustive`` the functions of one argument go through all 2³² numbers of float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

import fastlogit as fl
from bench import commands, machine, markdown, results
from bench.implementations import ELEMENTWISE, FASTLOGIT, Function
from bench.markdown import Row
from fastlogit.core.ulp import ulp_error
from tests.references import extended as references

Array = NDArray[Any]
Part = TypeVar("Part")

POINTS = 100_000_000
# One in how many of them each type gets.
TYPES = {np.float64: 1, np.float32: 10}
THREADS = 2
CHUNK = 1 << 15  # half as many or twice as many take longer
PEERS_EVERY = 16  # chunks: fastlogit is measured on all of them, the others on these
SPECIAL = "special values"
_NORMAL = ("middle", "tails")
RANGES = (*_NORMAL, "subnormal results", SPECIAL)
LOST = "all digits"  # instead of a number where no decimal digit is right
SPECIAL_VALUES = {
    "z": (0.0, -0.0, np.inf, -np.inf, np.nan),
    "y": (0.0, -0.0, 1.0, -1.0, 1.5, np.nan),
}
# Beyond |z| = 30, and nearer to 0 or 1 than this, is a tail.
TAIL_Z, TAIL_Y = 30.0, 2.0**-20
# Exponents of two between which half of the points are.
VARYING = {"z": (-30, 10), "y": (-60, 0), "t": (-40, 0)}
# Where terms cancel to less than this share of them, a result is ill conditioned.
CONDITIONED = 2.0**-4
SEARCH_ROUNDS, SEARCH_KEPT, SEARCH_TRIED = 8, 64, 512


@dataclass
class Errors:
    """Of one implementation over one range: how many, their sum, and the largest with its point."""

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


Table = dict[tuple[str, str], Errors]  # by implementation and range


def merged(tables: Iterable[Table]) -> Table:
    table: Table = {}
    for part in tables:
        for key, errors in part.items():
            table.setdefault(key, Errors()).merge(errors)
    return table


def draw(rng: np.random.Generator, kind: str, count: int, dtype: Any) -> Array:
    """Numbers of either sign (probabilities: of (0, 1)), their bits drawn at random."""
    info = np.finfo(dtype)
    integer = np.dtype(f"u{info.bits // 8}")
    low, high = VARYING[kind]
    bias = 1 - info.minexp
    every = rng.integers(0, bias + info.maxexp if kind == "z" else bias, count // 2)
    varying = rng.integers(bias + low, bias + high, count - count // 2)
    exponents = np.concatenate([every, varying]).astype(integer)
    mantissas = rng.integers(0, 2**info.nmant, count, dtype=np.uint64).astype(integer)
    numbers = ((exponents << integer.type(info.nmant)) | mantissas).view(dtype)
    flip = rng.random(count) < 0.5
    if kind == "z":
        return np.where(flip, -numbers, numbers)
    numbers = np.where(numbers > 0, numbers, info.smallest_subnormal)
    return np.where(flip & (1 - numbers < 1), 1 - numbers, numbers).astype(dtype)


def arguments(rng: np.random.Generator, function: Function, dtype: Any, soft: bool) -> list[Array]:
    first = draw(rng, function.arguments[0], CHUNK, dtype)
    if len(function.arguments) == 1:
        return [first]
    if soft:
        return [first, draw(rng, "t", CHUNK, dtype)]
    return [first, rng.integers(0, 2, CHUNK).astype(dtype)]


def special_points(function: Function, dtype: Any, soft: bool) -> Array:
    """Arguments that are limits, or have no result: a row for each point."""
    axes = [SPECIAL_VALUES[function.arguments[0]], (0.5,) if soft else (0.0, 1.0)]
    grids = np.meshgrid(*axes[: len(function.arguments)])
    return np.stack([grid.ravel() for grid in grids], axis=1).astype(dtype)


def in_ranges(name: str, args: list[Array], wide: list[Array], exact: Array) -> dict[str, Array]:
    """Which points belong to each range; an ill conditioned result belongs to none."""
    x = args[0]
    of_z = ELEMENTWISE[name].arguments[0] == "z"
    tail = np.abs(x) > TAIL_Z if of_z else np.abs(x - 0.5) > 0.5 - TAIL_Y
    subnormal = np.abs(exact) < float(np.finfo(x.dtype).tiny)
    normal = ~subnormal
    if name == "residual":
        good = np.abs(exact) >= CONDITIONED * references.residual_terms(*wide)
        normal, subnormal = normal & good, subnormal & good
    return dict(zip(RANGES, (normal & ~tail, normal & tail, subnormal), strict=False))


def evaluate(
    name: str, peers: Iterable[str], args: list[Array], table: Table, special: bool = False
) -> Array:
    """Add the errors at some points to a table; return those of the last peer."""
    dtype = args[0].dtype
    with np.errstate(all="ignore"):
        wide = [arg.astype(references.wider(dtype)) for arg in args]
        exact = getattr(references, name)(*wide)
        everywhere = {SPECIAL: np.ones(exact.shape, bool)}
        ranges = everywhere if special else in_ranges(name, args, wide, exact)
        for peer in peers:
            errors = ulp_error(_computed(name, peer, args), exact, dtype)
            for which, members in ranges.items():
                selected = [arg[members] for arg in args]
                table.setdefault((peer, which), Errors()).add(errors[members], selected)
    return np.where(np.logical_or.reduce(list(ranges.values())), errors, 0.0)


def _computed(name: str, peer: str, args: list[Array]) -> Array:
    try:
        return ELEMENTWISE[name].compute(peer, *args)
    except RuntimeError:  # by which PyTorch refuses what is no probability
        return np.full_like(args[0], np.nan)


def sweep(name: str, dtype: Any, soft: bool, points: int) -> Table:
    """Errors at special values, at random points, and at the neighbours of the worst of them."""
    function = ELEMENTWISE[name]
    peers = [peer for peer in function.implementations if peer != FASTLOGIT]

    def work(number: int) -> tuple[Table, list[Array]]:
        table: Table = {}
        args = arguments(np.random.default_rng([2013, number]), function, dtype, soft)
        here = peers if number % PEERS_EVERY == 0 else []
        errors = evaluate(name, [*here, FASTLOGIT], args, table)
        worst = np.argpartition(errors, -SEARCH_KEPT)[-SEARCH_KEPT:]
        return table, [arg[worst] for arg in args]

    references.check(name, arguments(np.random.default_rng(0), function, dtype, soft))
    parts = _in_threads(work, max(1, points // CHUNK), f"{name} {np.dtype(dtype)}")
    table = merged(part for part, _ in parts)
    _search(name, [np.concatenate(arg) for arg in zip(*(w for _, w in parts), strict=True)], table)
    for point in special_points(function, dtype, soft):
        evaluate(name, [*peers, FASTLOGIT], [*point[:, None]], table, special=True)
    return table


def _search(name: str, args: list[Array], table: Table) -> None:
    """Climb: try neighbours of the worst points of fastlogit, near ones and ever farther ones."""
    rng = np.random.default_rng(2013)
    info = np.finfo(args[0].dtype)
    integer = np.dtype(f"i{info.bits // 8}")
    low, high = (0, 1) if ELEMENTWISE[name].arguments[0] == "y" else (-np.inf, np.inf)
    for _ in range(SEARCH_ROUNDS):
        errors = evaluate(name, [FASTLOGIT], args, table)
        best = np.argsort(errors)[-SEARCH_KEPT:]
        args = [np.repeat(arg[best], SEARCH_TRIED) for arg in args]
        size = 2.0 ** rng.uniform(0, info.nmant, args[0].size)
        step = np.rint(rng.uniform(-1, 1, size.size) * size).astype(integer)
        moved = (args[0].view(integer) + step).view(args[0].dtype)
        args[0] = np.where((moved > low) & (moved < high), moved, args[0])


def _in_threads(work: Callable[[int], Part], count: int, what: str) -> list[Part]:
    with ThreadPoolExecutor(THREADS) as pool:
        return list(
            tqdm(pool.map(work, range(count)), what, count, unit="chunk", leave=False, disable=None)
        )


# All numbers of float32 ---------------------------------------------------------------


def exhaustive(chunks: int = 2**32 // CHUNK) -> None:
    """Print the largest errors over every float32, and what neighbours and opposites show."""
    names = [name for name, function in ELEMENTWISE.items() if len(function.arguments) == 1]
    parts = _in_threads(partial(_chunk_of_all, names), chunks, "float32")
    print("| function, every float32 | " + " | ".join(RANGES[:-1]) + " |")
    print("|---|---|---|---|")
    for name in names:
        table = merged(tables[name] for tables, _, _ in parts)
        cells = [str(table[FASTLOGIT, which]) for which in RANGES[:-1]]
        print(f"| `{name}` | {' | '.join(cells)} |")
    falls = sum(falls for _, falls, _ in parts)
    furthest = max(distance for _, _, distance in parts)
    print(f"\nPairs of neighbours where `sigmoid` or `softplus` falls: {falls}.")
    print(f"Largest distance of σ(z) + σ(-z) from 1: {furthest:.3g} ULP of 1.")


def _chunk_of_all(names: list[str], number: int) -> tuple[dict[str, Table], int, float]:
    """Errors, how often a function falls, and the distance of σ(z) + σ(-z) from 1 in ULP."""
    # One more number than in the chunk: the last one's neighbour.
    bits = np.arange(number * CHUNK, (number + 1) * CHUNK + 1).astype(np.uint32)
    z = bits.view(np.float32)
    tables: dict[str, Table] = {name: {} for name in names}
    for name in names:
        evaluate(name, [FASTLOGIT], [z[:-1]], tables[name])
    upwards = -1 if np.signbit(z[0]) else 1
    values = fl.sigmoid(z, threads=1), fl.softplus(z, threads=1)
    falls = sum(int(np.count_nonzero(upwards * np.diff(value) < 0)) for value in values)
    total = values[0].astype(np.float64) + fl.sigmoid(-z, threads=1)
    distance = np.abs(total - 1) / np.finfo(np.float32).eps
    return tables, falls, float(np.max(distance, where=~np.isnan(distance), initial=0.0))


# Tables -------------------------------------------------------------------------------


def main(arguments: Sequence[str] = ()) -> None:
    """Measure every function, and print as it goes: all ranges, then the largest errors only."""
    command = results.parser("accuracy")
    command.add_argument("--points", type=commands.count, help=f"of float64 (default: {POINTS})")
    command.add_argument(
        "--exhaustive", action="store_true", help="instead, every float32 by functions of one"
    )
    options = command.parse_args(arguments)
    if options.exhaustive:
        if options.save or options.points:
            command.error("--exhaustive takes no --save, as it is not stored, and no --points")
        exhaustive()
        return
    points = options.points or POINTS
    here = machine.brief("scipy", "torch", "jax", "numexpr", "scikit-learn")
    print(f"{markdown.machine(here)}\n")
    rows: dict[str, Row] = {}
    for name, function in ELEMENTWISE.items():
        for labels in ("hard", "soft") if "t" in function.arguments else ("",):
            what = f"`{name}`, {labels} labels" if labels else f"`{name}`"
            tables = {}
            for dtype, share in TYPES.items():
                table = sweep(name, dtype, labels == "soft", points // share)
                _print_ranges(f"{what}, {dtype.__name__}", table)
                tables[dtype.__name__] = table
            rows[what] = errors(tables, _peers(table))
    results.finish("accuracy", arguments, here, rows)
    print(f"\n{markdown.WRONG} not what it should be at 0, 1, an infinity or NaN.")
    print(f"{markdown.SUBNORMAL} and no digit of subnormal results is right.")


def _print_ranges(what: str, table: Table) -> None:
    print(f"| {what} | {' | '.join(RANGES)} |")
    print("|---|" + "---|" * len(RANGES))
    for peer in _peers(table):
        special = table[peer, SPECIAL]
        cells = [str(table.get((peer, which), "")) for which in RANGES[:-1]]
        cells.append(f"wrong at {special.where()}" if special.largest > 1 else "right")
        print(f"| {peer} | {' | '.join(cells)} |")
    print(flush=True)


def _peers(table: Table) -> list[str]:
    found = dict.fromkeys(peer for peer, _ in table)
    return sorted(found, key=lambda peer: peer != FASTLOGIT)


def errors(tables: dict[str, Table], peers: Iterable[str]) -> Row:
    """Of each implementation the largest error by type, and what else is wrong of which types.

    Where nothing but subnormal results are lost, the error is the largest of the others.
    """
    found: Row = {}
    for peer in peers:
        row: Row = {"wrong": [], "subnormal": []}
        for dtype, table in tables.items():
            row[dtype] = largest(table, peer, dtype)
            if row[dtype] == LOST:
                of_normal = largest(table, peer, dtype, _NORMAL)
                if of_normal != LOST:
                    row[dtype] = of_normal
                    row["subnormal"].append(dtype)
            if table[peer, SPECIAL].largest > 1:
                row["wrong"].append(dtype)
        found[peer] = {key: value for key, value in row.items() if value != []}
    return found


def largest(
    table: Table, peer: str, dtype: Any, ranges: Iterable[str] = RANGES[:-1]
) -> float | str:
    """The largest error over some ranges, in words where no decimal digit is right."""
    worst = max(table[peer, which].largest for which in ranges if (peer, which) in table)
    return LOST if worst >= 2.0 ** (np.finfo(dtype).nmant - 3) else worst
