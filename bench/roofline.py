"""``python -m bench roofline``: limits of this machine, and how close fastlogit comes to them.

Small Numba kernels measure, on one thread and on more, the bytes per second of reading, copying
(1 read, 1 write) and adding (a triad: 2 reads, 1 write) from each cache and from memory, and the
multiply-adds and divisions per second of numbers in the first cache.  A function cannot be faster
than the slowest of three bounds:

``memory``
    The bytes of its arguments and results, each once, at the speed of the most similar stream.
``multiply-adds``
    Its floating-point operations at the peak of multiply-adds; a single addition or
    multiplication takes the same slot in a processor.
``divisions``
    Its divisions at their peak.

Operations on a logit are counted in LLVM's optimised code; a pass adds its multiplications by X.
Comparisons, selections and conversions are not counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import types
from tqdm import tqdm

from bench import machine, render
from bench.commands import parser
from bench.data import COLUMNS, DTYPES
from bench.machine import sizes
from bench.measure import Call, on_cores, seconds_of
from bench.registry import ELEMENTWISE, FASTLOGIT, FUNCTIONS, LONG
from fastlogit import kernels

Array = Any

MEMORY = "memory"
BOUNDS = (MEMORY, "multiply-adds", "divisions")
# Seconds of a measurement; the best of the rounds counts.
SECONDS, ROUNDS = 0.02, 15

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
_compiled = numba.njit(**_OPTIONS)
_inlined = numba.njit(**_OPTIONS, forceinline=True)


# Kernels ------------------------------------------------------------------------------


@_compiled
def _read(a: Array, repeats: int) -> int:
    """Sum of integers, which unlike floats may be added in any order."""
    total = 0
    for _ in range(repeats):
        for i in range(a.size):
            total += a[i]
    return total


@_compiled
def _copy(a: Array, b: Array, repeats: int) -> int:
    for _ in range(repeats):
        for i in range(a.size):
            b[i] = a[i]
    return 0


@_compiled
def _triad(a: Array, b: Array, c: Array, repeats: int) -> int:
    for _ in range(repeats):
        for i in range(a.size):
            c[i] = a[i] + 3 * b[i]
    return 0


# With the number of arrays that each reads and writes.
STREAMS: dict[str, tuple[Any, int]] = {"read": (_read, 1), "copy": (_copy, 2), "triad": (_triad, 3)}
# Independent polynomials hide each other's latency; loops in their place would not vectorise.
_POLYNOMIALS, _DEGREE = 8, 16
# Per number; one addition before the polynomials, seven after them.
_MULTIPLY_ADDS = _POLYNOMIALS * (_DEGREE + 1)
# Per thread, in the first cache.
NUMBERS = 1024


@_inlined
def _four_degrees(a: float, v: float) -> float:
    return (((a * v + v) * v + v) * v + v) * v + v


@_inlined
def _polynomial(a: float, v: float) -> float:
    return _four_degrees(_four_degrees(_four_degrees(_four_degrees(a, v), v), v), v)


@_compiled
def _multiply_add(x: Array, out: Array, repeats: int) -> None:
    for _ in range(repeats):
        for i in range(x.size):
            v = x[i]
            w = v + v
            a, b = _polynomial(v, v), _polynomial(w, v)
            c, d = _polynomial(-v, v), _polynomial(-w, v)
            e, f = _polynomial(v, w), _polynomial(w, w)
            g, h = _polynomial(-v, w), _polynomial(-w, w)
            out[i] = ((a + b) + (c + d)) + ((e + f) + (g + h))


@_compiled
def _divide(x: Array, out: Array, repeats: int) -> None:
    for _ in range(repeats):
        for i in range(x.size):
            out[i] = out[i] / x[i]


# Limits of the machine ------------------------------------------------------------------


def stream(kind: str, size: int, threads: int, repeats: int = 1) -> Call:
    """A call that goes over `size` bytes `repeats` times, in equal shares of some threads."""
    kernel, used = STREAMS[kind]
    n = size // (8 * used * threads)
    shares = [(*(np.ones(n, np.int64) for _ in range(used)), repeats) for _ in range(threads)]
    return _in_shares(kernel, shares)


def arithmetic(kernel: Callable[..., Any], threads: int, repeats: int = 1) -> Call:
    """A call that computes with `NUMBERS` float64 numbers per thread, as fastlogit does."""
    x = np.full(NUMBERS, 0.25 if kernel is _multiply_add else 1.0)
    return _in_shares(kernel, [(x, np.ones_like(x), repeats) for _ in range(threads)])


def _in_shares(kernel: Callable[..., Any], shares: list[tuple[Any, ...]]) -> Call:
    if len(shares) == 1:
        return partial(kernel, *shares[0])
    pool = ThreadPoolExecutor(len(shares))
    return lambda: list(pool.map(lambda share: kernel(*share), shares))


def fastest(make: Callable[[int], Call]) -> float:
    """Seconds of one repeat in the best round; `make` takes a number of repeats."""
    repeats = 1
    while True:
        call = make(repeats)
        call()
        seconds = min(seconds_of(call) for _ in range(ROUNDS))
        if seconds > SECONDS / 2:
            return seconds / repeats
        repeats = max(2 * repeats, int(repeats * SECONDS / max(seconds, 1e-7)))


def capacities(threads: int) -> dict[str, int]:
    """Bytes of each cache; each core has its own except for the last one."""
    caches = machine.caches()
    last = max(caches, default="")
    return {level: size * (1 if level == last else threads) for level, size in caches.items()}


def places(threads: int) -> dict[str, int]:
    """Bytes that fill half of each cache, or lie in memory."""
    halves = {level: size // 2 for level, size in capacities(threads).items()}
    return halves | {MEMORY: 8 * machine.last_cache()}


class Rates(NamedTuple):
    """Limits of a machine per second: bytes by stream and place, and operations by kind."""

    bandwidth: dict[str, dict[str, float]]
    operations: dict[str, float]


def measure(threads: int) -> Rates:
    """All rates on a number of threads."""
    with on_cores(threads):
        bandwidth = {
            kind: {
                place: size / fastest(partial(stream, kind, size, threads))
                for place, size in places(threads).items()
            }
            for kind in STREAMS
        }
        operations = {
            kind: NUMBERS * threads * each / fastest(partial(arithmetic, kernel, threads))
            for kind, kernel, each in (
                ("multiply-adds", _multiply_add, _MULTIPLY_ADDS),
                ("divisions", _divide, 1),
            )
        }
    return Rates(bandwidth, operations)


# Needs of a function --------------------------------------------------------------------

# Multiplications per element of X, in one pass.
_MULTIPLICATIONS = {
    "linear.decision": 1,
    "linear.probability": 1,
    "linear.log_loss": 1,
    "linear.log_loss_gradient": 2,
    "linear.log_loss_gradient_hessian": 2 + (COLUMNS + 1) / 2,
    "linear.hessian": 1 + (COLUMNS + 1) / 2,
    "linear.hessian_diagonal": 3,
    "linear.hessian_product": 3,
}


def _logit_kernel(name: str) -> Callable[..., Any] | None:
    """The computation on a logit or a probability, for Numba; None for `linear.decision`."""
    sigmoid, slope = kernels.sigmoid, kernels.sigmoid_derivative
    loss, residual = kernels.logistic_loss, kernels.residual
    if name in ELEMENTWISE:
        kernel = getattr(kernels, name)
        is_unary = len(FUNCTIONS[name].arguments) == 1
        return (lambda z: kernel(z)) if is_unary else (lambda z, t: kernel(z, t))
    if name == "linear.log_loss_gradient_hessian":
        return lambda z, t: (loss(z, t), residual(z, t), slope(z))
    if name.endswith("log_loss_gradient"):
        return lambda z, t: (loss(z, t), residual(z, t))
    if name.endswith("log_loss"):
        return lambda z, t: loss(z, t)
    if name == "linear.probability":
        return lambda z: sigmoid(z)
    return (lambda z: slope(z)) if "hessian" in name else None


# An operation in LLVM's code, with the length of its vectors.
_OPERATION = re.compile(r"= .*?(?:\b(fadd|fsub|fmul|fdiv)|(@llvm\.fma)\.)(?:.*?<(\d+) x )?")


def count_operations(code: str) -> dict[str, float]:
    """Multiply-adds (or additions, or multiplications) and divisions in LLVM's code."""
    counts: dict[str, float] = {"multiply-adds": 0, "divisions": 0}
    for line in code.splitlines():
        if found := _OPERATION.search(line):
            kind = "divisions" if found[1] == "fdiv" else "multiply-adds"
            counts[kind] += int(found[3] or 1)
    return counts


def operations(name: str, dtype: str) -> dict[str, float]:
    """Multiply-adds and divisions per element, or per row of X."""
    counts = count_operations("")
    if function := _logit_kernel(name):
        number = getattr(types, dtype if name in ELEMENTWISE else "float64")
        compiled = numba.njit(error_model="numpy", no_cpython_wrapper=True)(function)
        compiled.compile((number,) * function.__code__.co_argcount)
        counts = count_operations(compiled.inspect_llvm(compiled.signatures[0]))
    counts["multiply-adds"] += COLUMNS * _MULTIPLICATIONS.get(name, 0)
    return counts


def similar_stream(name: str) -> str:
    """The stream that reads and writes arrays in the same proportion."""
    arguments = FUNCTIONS[name].arguments
    if "X" in arguments or name not in LONG:
        return "read"
    return "copy" if len(arguments) == 1 else "triad"


def place_for(size: float, threads: int) -> str:
    """The first cache with room for `size` bytes, or memory."""
    there = (level for level, room in capacities(threads).items() if size <= room)
    return next(there, MEMORY)


def bounds(
    rates: Rates, kind: str, place: str, bytes_: float, needed: dict[str, float]
) -> dict[str, float]:
    """Least seconds per element, by bound."""
    return {MEMORY: bytes_ / rates.bandwidth[kind][place]} | {
        what: count / rates.operations[what] for what, count in needed.items()
    }


# The tables -----------------------------------------------------------------------------


def closeness(rates: Rates, name: str, dtype: str, n: int, threads: int) -> dict[str, Any]:
    """Seconds per element of a function, its bounds, and the share of the highest one."""
    bytes_, needed = FUNCTIONS[name].bytes_moved(1, dtype), operations(name, dtype)
    place = place_for(n * bytes_, threads)
    call = FUNCTIONS[name].bind(FASTLOGIT, n, dtype, threads, out=True)

    def repeated(repeats: int) -> Call:
        def run() -> None:
            for _ in range(repeats):
                call()

        return run

    with on_cores(threads):
        seconds = fastest(repeated) / n
    least = bounds(rates, similar_stream(name), place, bytes_, needed)
    bound = max(least, key=least.__getitem__)
    case = {"function": name, "dtype": dtype, "n": n, "threads": threads, "place": place}
    found = {"seconds": seconds, "bytes": bytes_, "operations": needed, "bounds": least}
    return case | found | {"bound": bound, "share": least[bound] / seconds}


def main(arguments: Sequence[str] = ()) -> None:
    """Measure the machine and every function of fastlogit; print the tables."""
    command = parser("roofline")
    command.add_argument("--only", nargs="+", choices=FUNCTIONS, default=FUNCTIONS, metavar="NAME")
    options = command.parse_args(arguments)
    counts = sorted({1, machine.cores()})
    print(f"{render.machine(machine.describe('scipy'))}\n")
    rates = {threads: measure(threads) for threads in counts}
    print(_rates_table(rates))
    rows = []
    cases = list(product(options.only, DTYPES, counts))
    for name, dtype, threads in tqdm(cases, unit="function", leave=False, disable=None):
        columns = COLUMNS if "X" in FUNCTIONS[name].arguments else 1
        several = sizes(1 if columns > 1 else 2)
        ends = (several[1] // columns, several[-1] // columns)
        rows += [closeness(rates[threads], name, dtype, n, threads) for n in ends]
    print(f"\nNanoseconds per element or row of X, and their lower bounds.\n\n{_table(rows)}")


def _rates_table(rates: dict[int, Rates]) -> str:
    lines = [
        [kind, str(threads), *(f"{rate / 1e9:.1f}" for rate in found.values())]
        for threads, each in rates.items()
        for kind, found in each.bandwidth.items()
    ]
    for threads, each in rates.items():
        for kind, rate in each.operations.items():
            peak = f"{rate / 1e9:.1f}"
            lines.append([kind, str(threads), peak, *[""] * (len(places(1)) - 1)])
    return render.grid(["GB, or 10⁹, per second", "threads", *places(1)], lines)


def _table(rows: list[dict[str, Any]]) -> str:
    lines = [
        [
            f"`{row['function']}`, {row['dtype']}, {row['n']:,}, threads: {row['threads']}",
            row["place"],
            f"{row['seconds'] * 1e9:.3g}",
            *(f"{row['bounds'][bound] * 1e9:.3g}" for bound in BOUNDS),
            f"{row['share']:.0%} of {row['bound']}",
        ]
        for row in rows
    ]
    return render.grid(["function", "from", "measured", *BOUNDS, "share"], lines, (0, 1, 6))
