"""Compile in advance, so that later processes load the functions from the cache.

Numba compiles a function for each combination of argument types.  Here all arguments are float32
or float64, and X is in the layouts that most people use.  Other types, such as integer features in
rows or integer labels, compile at their first use and are then cached as well.
"""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from fastlogit import classes, elementwise, linear, losses
from fastlogit.core.threads import available
from fastlogit.kernels import jit, sums, workers
from fastlogit.kernels.elementwise import FUNCTIONS
from fastlogit.training.fit import fit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Call = Callable[[], Any]


def run() -> None:
    """Compile or load every function; print their names and how long each took.

    Numba compiles on one core, so processes compile groups of functions side by side.  Groups that
    are in the cache are loaded here: to start a process takes longer.
    """
    start = time.perf_counter()
    folder = jit.cache_folder(sums.merge)
    groups = [number for number in range(len(_GROUPS)) if not _load(number)]
    processes = min(available(), len(groups)) if folder and sys.executable else 1
    compiled = _in_processes(processes, groups) if processes > 1 else 0
    for number in groups:
        for name, seconds, is_new in _compile(number):
            # Code is missing if a process failed, or if two wrote the same file of the cache.
            if is_new or processes == 1:
                print(_line(name, seconds, is_new), flush=True)
            compiled += is_new
    where = f"kept in {folder}" if folder else "not kept: no folder for a cache can be written"
    print(f"{time.perf_counter() - start:6.2f} s  {compiled} compiled, {where}")


def run_group(number: int) -> None:
    """Compile a group in a process of its own, and print its lines."""
    for line in _compile(number):
        print(_line(*line), flush=True)


def _load(number: int) -> bool:
    """Load a group from the cache and print its lines; False if anything must be compiled."""
    lines = []
    for name, call in _GROUPS[number]():
        begin = time.perf_counter()
        if not jit.loads(call):
            return False
        lines.append(_line(name, time.perf_counter() - begin, is_new=False))
    print(*lines, sep="\n", flush=True)
    return True


def _in_processes(count: int, groups: list[int]) -> int:
    """Compile groups in `count` processes at a time; the number of new functions."""
    running: list[subprocess.Popen[str]] = []
    stopping = Event()

    def compile_group(number: int) -> int:
        code = f"import sys; sys.path[:] = {sys.path!r}"  # or modules of this folder come first
        code += f"; from fastlogit import warmup; warmup.run_group({number})"
        # In a session of its own, so that an interrupt comes to this process alone.
        with subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            running.append(process)
            compiled = 0
            try:
                if stopping.is_set():
                    process.terminate()
                for line in process.stdout or ():
                    print(line, end="", flush=True)
                    compiled += _NEW in line
            except BaseException:  # such as a closed pipe
                process.terminate()
                raise
        return compiled

    with ThreadPoolExecutor(count) as pool:
        try:
            return sum(pool.map(compile_group, groups))
        except BaseException:
            stopping.set()
            pool.shutdown(wait=False, cancel_futures=True)
            for process in running:
                process.terminate()
            raise


_NEW, _READY = "compiled", "ready"


def _line(name: str, seconds: float, is_new: bool) -> str:
    return f"{seconds:6.2f} s  {_NEW if is_new else _READY:8}  {name}"


def _compile(number: int) -> Iterator[tuple[str, float, bool]]:
    """Compile or load a group; the name of each function, its seconds, and whether it is new."""
    for name, call in _GROUPS[number]():
        begin = time.perf_counter()
        is_new = jit.compiles(call)
        yield name, time.perf_counter() - begin, is_new


def _functions() -> Iterator[tuple[str, Call]]:
    """Names and calls of the functions of numbers; a ufunc has loops for both types."""
    for name, function in FUNCTIONS.items():
        yield name, partial(getattr(elementwise, name), *[0.5] * len(function.arguments))
    yield "threads", workers.functions


def _sums_and_rows(kind: str) -> Iterator[tuple[str, Call]]:
    """Sums over logits, and functions of X in rows, of this type."""
    z, X, coef, hard = np.ones(8, kind), np.ones((8, 3), kind), np.ones(3, kind), np.ones(8)
    for with_weight, weight in ("", None), (", weighted", np.ones(8)):
        for targets, t in ("labels", hard), ("soft targets", np.full(8, 0.5)):
            suffix = f"{kind}, {targets}{with_weight}"
            yield f"log_loss {suffix}", partial(losses.log_loss, z, t, weight)
            yield f"log_loss_gradient {suffix}", partial(losses.log_loss_gradient, z, t, weight)
        yield from _passes(f"{kind}{with_weight}", X, hard, coef, weight)
    for name in ("decision", "probability", "hessian", "hessian_diagonal"):
        yield f"linear.{name} {kind}", partial(getattr(linear, name), X, coef)
    yield f"linear.hessian_product {kind}", partial(linear.hessian_product, X, coef, coef)


def _classes() -> Iterator[tuple[str, Call]]:
    """Functions of K classes; one kernel computes all of them."""
    for kind in ("float64", "float32"):
        Z, t = np.ones((8, 3), kind), np.arange(8) % 3
        for name in ("softmax", "log_softmax", "log_sum_exp"):
            yield f"{name} {kind}", partial(getattr(classes, name), Z)
        for name in ("loss", "residual", "log_loss", "log_loss_gradient"):
            yield f"softmax_{name} {kind}", partial(getattr(classes, f"softmax_{name}"), Z, t)


def _layout(layout: str, convert: Callable[[Any], Any]) -> Iterator[tuple[str, Call]]:
    """Functions of a data frame or a sparse matrix, and `fit`."""
    matrix, coef, t = convert(np.eye(8, 3)), np.ones(3), np.arange(8.0) % 2.0
    for name in ("decision", "probability"):
        yield f"linear.{name} {layout}", partial(getattr(linear, name), matrix, coef)
    yield from _passes(layout, matrix, t, coef, None)
    yield f"fit {layout}", partial(fit, matrix, t)


def _centred() -> Iterator[tuple[str, Call]]:
    """`fit` of columns far from 0."""
    for kind in ("float64", "float32"):
        X = (np.eye(8, 3) + 1e4).astype(kind)
        yield f"fit {kind}, centred", partial(fit, X, np.arange(8.0) % 2.0)


def _passes(
    suffix: str, X: Any, t: NDArray[Any], coef: NDArray[Any], weight: NDArray[Any] | None
) -> Iterator[tuple[str, Call]]:
    """The passes over X that training needs."""
    for name in ("log_loss", "log_loss_gradient", "log_loss_gradient_hessian"):
        function = getattr(linear, name)
        yield f"linear.{name} {suffix}", partial(function, X, t, coef, weight=weight)


# Functions that share kernels are in one group; those that take longest come first.
_GROUPS: list[Callable[[], Iterator[tuple[str, Call]]]] = [
    partial(_sums_and_rows, "float64"),
    partial(_sums_and_rows, "float32"),
    partial(_layout, "columns", np.asfortranarray),
    partial(_layout, "CSR", sparse.csr_array),
    _functions,
    _classes,
    _centred,
]
