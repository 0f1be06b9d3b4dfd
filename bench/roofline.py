"""``python -m bench roofline``: what this machine can do, and how close fastlogit comes.

Measured by small kernels of Numba's, on one thread and on more: bytes a second that can be copied
(1 read and 1 written), read, and put together (a triad: 2 read and 1 written), from each cache and
from memory; and multiply-adds and divisions a second of numbers in the first cache.

A kernel cannot take less time than any of three bounds, and the largest of them is *the* bound:

``memory``
    Bytes of its arguments and results, each once, at the speed of what is most like it: reading,
    if it writes nothing, else a copy or a triad.
``multiply-adds``
    Its floating-point operations at the peak of multiply-adds, as an addition or a multiplication
    takes the same place in a processor as both in one.
``divisions``
    Its divisions at their peak.

Operations of functions of numbers are counted in LLVM's optimised code; those of a pass are
its multiplications by X, and its function of each row's logit.  Comparisons, selections and
conversions of type are not counted, so that a bound is a little too low and a share too.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import types
from tqdm import tqdm

import fastlogit as fl
from bench import machine, sizes
from bench.commands import output, parser
from bench.data import COLUMNS
from bench.implementations import ELEMENTWISE, FASTLOGIT, FUNCTIONS, PASSES
from bench.measure import DTYPES, on_cores
from fastlogit import kernels
from fastlogit.kernels import logistic

Array = Any

# Arrays that each reads and writes.
STREAMS = {"read": 1, "copy": 2, "triad": 3}
MEMORY = "memory"
BOUNDS = (MEMORY, "multiply-adds", "divisions")
# Seconds of a measurement, of which the best of so many counts.
SECONDS, ROUNDS = 0.02, 15

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
_compiled = numba.njit(**_OPTIONS)
_inlined = numba.njit(**_OPTIONS, forceinline=True)


# Kernels ------------------------------------------------------------------------------


@_compiled
def _read(a: Array, repeats: int) -> int:
    """Sum of integers, which unlike that of floats may be added in any order."""
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


_STREAM_KERNELS = {"read": _read, "copy": _copy, "triad": _triad}
# What one polynomial waits for, the others do not.  Loops in place of these would not vectorise.
_POLYNOMIALS, _DEGREE = 8, 16
# Of each number: with one addition before, and those of the results.
_MULTIPLY_ADDS = _POLYNOMIALS * (_DEGREE + 1)
# On each thread, in the first cache.
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
            a, b, c, d = (
                _polynomial(v, v),
                _polynomial(w, v),
                _polynomial(-v, v),
                _polynomial(-w, v),
            )
            e, f, g, h = (
                _polynomial(v, w),
                _polynomial(w, w),
                _polynomial(-v, w),
                _polynomial(-w, w),
            )
            out[i] = ((a + b) + (c + d)) + ((e + f) + (g + h))


@_compiled
def _divide(x: Array, out: Array, repeats: int) -> None:
    for _ in range(repeats):
        for i in range(x.size):
            out[i] = out[i] / x[i]


# What the machine can do --------------------------------------------------------------


def stream(kind: str, size: int, threads: int, repeats: int = 1) -> Callable[[], Any]:
    """Go over `size` bytes in all, `repeats` times, in equal shares of some threads."""
    used = STREAMS[kind]
    n = size // (8 * used * threads)
    shares = [(*(np.ones(n, np.int64) for _ in range(used)), repeats) for _ in range(threads)]
    return _in_shares(_STREAM_KERNELS[kind], shares)


def arithmetic(kind: str, dtype: str, threads: int, repeats: int = 1) -> Callable[[], Any]:
    """`NUMBERS` on each thread: `_MULTIPLY_ADDS`, or one division."""
    kernel = _multiply_add if kind == "multiply-adds" else _divide
    shares = []
    for _ in range(threads):
        x = np.full(NUMBERS, 0.25 if kind == "multiply-adds" else 1.0, dtype)
        shares.append((x, np.ones_like(x), repeats))
    return _in_shares(kernel, shares)


def _in_shares(kernel: Callable[..., Any], shares: list[tuple[Any, ...]]) -> Callable[[], Any]:
    """Call a kernel with each share, on as many threads, which fastlogit keeps apart."""

    def call(number: int) -> None:
        kernel(*shares[number])

    return partial(fl.threads.run, call, len(shares), len(shares))


def fastest(make: Callable[[int], Callable[[], Any]]) -> float:
    """Seconds of one repeat, of a call that takes a number of them: the least of some rounds."""
    repeats = 1
    while True:
        call = make(repeats)
        call()
        seconds = min(_seconds(call) for _ in range(ROUNDS))
        if seconds > SECONDS / 2:
            return seconds / repeats
        repeats = max(2 * repeats, int(repeats * SECONDS / max(seconds, 1e-7)))


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def places(threads: int) -> dict[str, int]:
    """Bytes in all that lie in half of each cache (the first ones are each core's), or beyond."""
    caches = machine.caches()
    last = max(caches, default="")
    found = {level: size // 2 * (1 if level == last else threads) for level, size in caches.items()}
    return found | {MEMORY: 8 * max(caches.values(), default=32 << 20)}


class Rates(NamedTuple):
    """What a machine can do, on one number of threads."""

    # Bytes a second, by kind and place.
    bandwidth: dict[str, dict[str, float]]
    # A second, by kind and type.
    operations: dict[str, dict[str, float]]


def measure(threads: int, progress: Callable[[], object] = lambda: None) -> Rates:
    """All rates; `progress` is called after each."""
    bandwidth: dict[str, dict[str, float]] = {kind: {} for kind in STREAMS}
    operations: dict[str, dict[str, float]] = {kind: {} for kind in BOUNDS[1:]}
    with on_cores(threads):
        for kind, rates in bandwidth.items():
            for place, size in places(threads).items():
                rates[place] = size / fastest(partial(stream, kind, size, threads))
                progress()
        for kind, rates in operations.items():
            each = NUMBERS * threads * (_MULTIPLY_ADDS if kind == "multiply-adds" else 1)
            for dtype in DTYPES:
                rates[dtype] = each / fastest(partial(arithmetic, kind, dtype, threads))
                progress()
    return Rates(bandwidth, operations)


# What a function needs ----------------------------------------------------------------

_D = COLUMNS
# Of each element of X, in one pass.
_MULTIPLICATIONS = {
    "linear.decision": 1,
    "linear.probability": 1,
    "linear.log_loss": 1,
    "linear.log_loss_gradient": 2,
    "linear.log_loss_gradient_hessian": 2 + (_D + 1) / 2,
    "linear.hessian": 1 + (_D + 1) / 2,
    "linear.hessian_diagonal": 3,
    "linear.hessian_product": 3,
}


class Need(NamedTuple):
    """Of an element, or of a row: bytes, and operations by kind."""

    bytes: float
    operations: dict[str, float]


def need(name: str, dtype: str) -> Need:
    """What an element or a row of a function needs."""
    numbers = dtype if name not in PASSES else "float64"
    multiply_adds = _D * _MULTIPLICATIONS.get(name, 0)
    divisions = 0
    for function in _of_numbers(name, dtype):
        more, few = _operations(function, numbers)
        multiply_adds, divisions = multiply_adds + more, divisions + few
    moved = FUNCTIONS[name].bytes_moved(1, dtype)
    return Need(moved, {"multiply-adds": multiply_adds, "divisions": divisions})


def _of_numbers(name: str, dtype: str) -> list[Callable[..., Any]]:
    """What is computed of the numbers of each element or row."""
    short = dtype == "float32"
    loss, slope, both = (
        logistic.label_loss_term,
        logistic.label_residual_term,
        logistic.loss_and_residual,
    )
    probability = logistic.sigmoid_float32 if short else logistic.sigmoid
    if name in ELEMENTWISE:
        kernel = getattr(kernels, name)
        one = len(FUNCTIONS[name].arguments) == 1
        return [(lambda z: kernel(z)) if one else (lambda z, t: kernel(z, t))]
    if name == "log_loss":
        return [lambda z, t: loss(z, t)]
    if name == "log_loss_gradient":
        return [lambda z, t: (loss(z, t), slope(z, t))]
    if name == "linear.probability":
        return [lambda z: probability(z)]
    found: list[Callable[..., Any]] = []
    if "log_loss" in name:
        found.append(lambda z, t: both(z, t, short))
    if "hessian" in name:
        found.append(lambda z: logistic.curvature(z))
    return found


# Of functions of numbers in LLVM's code, with the length of a vector where it is one.
_OPERATION = re.compile(r"= .*?(?:\b(fadd|fsub|fmul|fdiv)|(@llvm\.fma)\.)(?:.*?<(\d+) x )?")


def _operations(function: Callable[..., Any], dtype: str) -> tuple[int, int]:
    """Multiply-adds (or additions, or multiplications) and divisions of a function of numbers."""
    compiled = numba.njit(error_model="numpy", no_cpython_wrapper=True)(function)
    compiled.compile((getattr(types, dtype),) * function.__code__.co_argcount)
    return count_operations(compiled.inspect_llvm(compiled.signatures[0]))


def count_operations(code: str) -> tuple[int, int]:
    """Multiply-adds (or additions, or multiplications) and divisions in LLVM's code."""
    multiply_adds = divisions = 0
    for line in code.splitlines():
        if (found := _OPERATION.search(line)) is None:
            continue
        lanes = int(found[3] or 1)
        if found[1] == "fdiv":
            divisions += lanes
        else:
            multiply_adds += lanes
    return multiply_adds, divisions


def place_of(size: float, threads: int) -> str:
    """The first cache that has room for so many bytes, on all threads, or memory."""
    caches = machine.caches()
    last = max(caches, default="")
    for level, room in caches.items():
        if size <= room * (1 if level == last else threads):
            return level
    return MEMORY


def like(name: str) -> str:
    """Which stream reads and writes as many arrays in proportion."""
    function = FUNCTIONS[name]
    if "X" in function.arguments or function.outputs == 0:
        return "read"
    return "copy" if len(function.arguments) == 1 else "triad"


def bounds(rates: Rates, needed: Need, kind: str, place: str) -> dict[str, float]:
    """Seconds that an element takes at least, by what bounds it.

    All arithmetic is at the peak of float64, as fastlogit computes float32 in it.
    """
    return {MEMORY: needed.bytes / rates.bandwidth[kind][place]} | {
        what: count / rates.operations[what]["float64"] for what, count in needed.operations.items()
    }


# The table ----------------------------------------------------------------------------


def close(rates: Rates, name: str, dtype: str, n: int, threads: int) -> dict[str, Any]:
    """Seconds of an element of a function of fastlogit, its bounds, and how close it comes."""
    needed = need(name, dtype)
    place = place_of(n * needed.bytes, threads)
    call = FUNCTIONS[name].bind(FASTLOGIT, n, dtype, threads, out=True)
    with on_cores(threads):
        seconds = fastest(partial(_repeated, call)) / n
    least = bounds(rates, needed, like(name), place)
    bound = max(least, key=least.__getitem__)
    return {
        "function": name,
        "dtype": dtype,
        "n": n,
        "threads": threads,
        "place": place,
        "seconds": seconds,
        "bytes": needed.bytes,
        "operations": needed.operations,
        "bounds": least,
        "bound": bound,
        "share": least[bound] / seconds,
    }


def _repeated(call: Callable[[], Any], repeats: int) -> Callable[[], Any]:
    def run() -> None:
        for _ in range(repeats):
            call()

    return run


def main(arguments: Sequence[str] = ()) -> None:
    """Measure the machine, then every function of fastlogit, and print as it goes."""
    command = parser("roofline")
    command.add_argument("--json", type=output, metavar="FILE", help="store all of it")
    options = command.parse_args(arguments)
    counts = sorted({1, *(2**k for k in range(1, 12) if 2**k < machine.cores()), machine.cores()})
    print(f"{machine.text()}\n")
    count = len(counts) * (len(STREAMS) * len(places(1)) + 2 * len(DTYPES))
    with tqdm(total=count, unit="rate", leave=False, disable=None) as bar:
        rates = {threads: measure(threads, bar.update) for threads in counts}
    _print_rates(rates)
    rows = _print_functions({threads: rates[threads] for threads in {counts[0], counts[-1]}})
    if options.json is not None:
        stored = {
            "machine": machine.describe(),
            "rates": {threads: each._asdict() for threads, each in rates.items()},
            "functions": rows,
        }
        options.json.write_text(json.dumps(stored, indent=1) + "\n")


def _print_rates(rates: dict[int, Rates]) -> None:
    where = list(places(1))
    print(f"| GB a second | threads | {' | '.join(where)} |")
    print("|---|--:" + "|--:" * len(where) + "|")
    for threads, each in rates.items():
        for kind, found in each.bandwidth.items():
            cells = [f"{found[place] / 1e9:.1f}" for place in where]
            print(f"| {kind} | {threads} | {' | '.join(cells)} |")
    print(f"\n| 10⁹ a second | threads | {' | '.join(DTYPES)} |")
    print("|---|--:" + "|--:" * len(DTYPES) + "|")
    for threads, each in rates.items():
        for kind, found in each.operations.items():
            cells = [f"{found[dtype] / 1e9:.2f}" for dtype in DTYPES]
            print(f"| {kind} | {threads} | {' | '.join(cells)} |")


def _print_functions(rates: dict[int, Rates]) -> list[dict[str, Any]]:
    print(
        "\nNanoseconds of an element (or a row of X), measured and at least, in a cache and beyond "
        "all.\nBytes are counted once; what a write reads first, and what is no floating-point "
        f"arithmetic, is not.\n\n| | elements | threads | from | measured | {' | '.join(BOUNDS)} "
        "| share of the bound |\n|---|--:|--:|---|--:" + "|--:" * len(BOUNDS) + "|---|"
    )
    rows = []
    cases = list(product(FUNCTIONS, DTYPES, rates))
    for name, dtype, threads in tqdm(cases, unit="function", leave=False, disable=None):
        wide = "X" in FUNCTIONS[name].arguments
        counted = sizes.elements(1 if wide else 2)
        for n in (counted[1], counted[-1]):
            row = close(rates[threads], name, dtype, n // COLUMNS if wide else n, threads)
            rows.append(row)
            cells = [f"{row['bounds'][bound] * 1e9:.3g}" for bound in BOUNDS]
            tqdm.write(
                f"| `{name}`, {dtype} | {row['n']:,} | {threads} | {row['place']} "
                f"| {row['seconds'] * 1e9:.3g} | {' | '.join(cells)} "
                f"| {row['share']:.0%} of {row['bound']} |"
            )
    return rows
