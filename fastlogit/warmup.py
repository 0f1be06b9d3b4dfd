"""``fastlogit warmup``: compile once, so that no later process has to.

What compiles is decided by the types of the arguments; here all are float32 or float64, and of
the other layouts of X what most need.  Others (integer features in rows, or integer labels, say)
compile at their first use, and are then kept as well.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from fastlogit import elementwise, linear, losses
from fastlogit.kernels import jit, sums
from fastlogit.kernels.elementwise import FUNCTIONS
from fastlogit.training import trainer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Call = Callable[[], Any]


def run() -> None:
    """Compile or load every function, and print which, and how long it took."""
    start = time.perf_counter()
    compiled = 0
    calls = [*_elementwise(), *_sums_and_passes("float64"), *_sums_and_passes("float32")]
    for name, call in [*calls, *_other_layouts()]:
        begin = time.perf_counter()
        new = jit.compiles(call)
        compiled += new
        done = "compiled" if new else "ready"
        print(f"{time.perf_counter() - begin:6.2f} s  {done:8}  {name}", flush=True)
    folder = jit.cache_folder(sums.merge)
    where = f"kept in {folder}" if folder else "not kept: no folder for a cache can be written"
    print(f"{time.perf_counter() - start:6.2f} s  {compiled} compiled, {where}")


def _elementwise() -> Iterator[tuple[str, Call]]:
    """The ufuncs, each with a loop for both types; what to call, and its name."""
    for name, function in FUNCTIONS.items():
        yield name, partial(getattr(elementwise, name), *[0.5] * len(function.arguments))


def _sums_and_passes(kind: str) -> Iterator[tuple[str, Call]]:
    """All else for float32 or float64, likewise."""
    x, X, coef, t = np.ones(8, kind), np.ones((8, 3), kind), np.ones(3, kind), np.ones(8)
    for with_weight, weight in ("", None), (", weighted", np.ones(8)):
        for kind_of_t, targets in ("labels", t), ("soft targets", np.full(8, 0.5)):
            what = f"{kind}, {kind_of_t}{with_weight}"
            yield f"log_loss {what}", partial(losses.log_loss, x, targets, weight)
            yield f"log_loss_gradient {what}", partial(losses.log_loss_gradient, x, targets, weight)
        yield from _passes(f"{kind}{with_weight}", X, t, coef, weight)
    for name in ("decision", "probability", "hessian", "hessian_diagonal"):
        yield f"linear.{name} {kind}", partial(getattr(linear, name), X, coef)
    yield f"linear.hessian_product {kind}", partial(linear.hessian_product, X, coef, coef)


def _other_layouts() -> Iterator[tuple[str, Call]]:
    """What `fit` and the scoring of data frames and sparse matrices need."""
    X, coef, t = np.eye(8, 3), np.ones(3), np.arange(8.0) % 2.0
    for what, layout in ("columns", np.asfortranarray(X)), ("CSR", sparse.csr_array(X)):
        yield f"linear.probability {what}", partial(linear.probability, layout, coef)
        yield from _passes(what, layout, t, coef, None)
        yield f"fit {what}", partial(trainer.fit, layout, t)
    for kind in ("float64", "float32"):
        yield f"fit {kind}, centred", partial(trainer.fit, (X + 1e4).astype(kind), t)


def _passes(
    what: str, X: Any, t: NDArray[Any], coef: NDArray[Any], weight: NDArray[Any] | None
) -> Iterator[tuple[str, Call]]:
    for name in ("log_loss", "log_loss_gradient", "log_loss_gradient_hessian"):
        function = getattr(linear, name)
        yield f"linear.{name} {what}", partial(function, X, t, coef, weight=weight)
