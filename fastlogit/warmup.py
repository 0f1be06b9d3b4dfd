"""Compile in advance, so that later processes load the functions from the cache.

Numba compiles a function for each combination of argument types.  Here all arguments are float32
or float64, and X is in the layouts that most people use.  Other types, such as integer features in
rows or integer labels, compile at their first use and are then cached as well.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from fastlogit import elementwise, linear, losses
from fastlogit.kernels import jit, sums, workers
from fastlogit.kernels.elementwise import FUNCTIONS
from fastlogit.training.fit import fit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Call = Callable[[], Any]


def run() -> None:
    """Compile or load every function; print their names and how long each took."""
    start = time.perf_counter()
    compiled = 0
    for name, call in _calls():
        begin = time.perf_counter()
        is_new = jit.compiles(call)
        compiled += is_new
        done = "compiled" if is_new else "ready"
        print(f"{time.perf_counter() - begin:6.2f} s  {done:8}  {name}", flush=True)
    folder = jit.cache_folder(sums.merge)
    where = f"kept in {folder}" if folder else "not kept: no folder for a cache can be written"
    print(f"{time.perf_counter() - start:6.2f} s  {compiled} compiled, {where}")


def _calls() -> Iterator[tuple[str, Call]]:
    """Names and calls of all functions."""
    for name, function in FUNCTIONS.items():  # a ufunc has loops for both types
        yield name, partial(getattr(elementwise, name), *[0.5] * len(function.arguments))
    yield "threads", workers.functions
    for kind in ("float64", "float32"):
        yield from _sums_and_rows(kind)
    yield from _other_layouts()


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


def _other_layouts() -> Iterator[tuple[str, Call]]:
    """Functions of data frames and sparse matrices, and `fit`."""
    X, coef, t = np.eye(8, 3), np.ones(3), np.arange(8.0) % 2.0
    for layout, matrix in ("columns", np.asfortranarray(X)), ("CSR", sparse.csr_array(X)):
        for name in ("decision", "probability"):
            yield f"linear.{name} {layout}", partial(getattr(linear, name), matrix, coef)
        yield from _passes(layout, matrix, t, coef, None)
        yield f"fit {layout}", partial(fit, matrix, t)
    for kind in ("float64", "float32"):
        yield f"fit {kind}, centred", partial(fit, (X + 1e4).astype(kind), t)


def _passes(
    suffix: str, X: Any, t: NDArray[Any], coef: NDArray[Any], weight: NDArray[Any] | None
) -> Iterator[tuple[str, Call]]:
    """The passes over X that training needs."""
    for name in ("log_loss", "log_loss_gradient", "log_loss_gradient_hessian"):
        function = getattr(linear, name)
        yield f"linear.{name} {suffix}", partial(function, X, t, coef, weight=weight)
