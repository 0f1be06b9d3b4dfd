"""Functions of K classes by library, for logits (n, K) and class numbers.

Implementations take the arguments of their library, converted beforehand, and an array for the
result where they can use one.  NumPy's formula and SciPy's functions make arrays of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

import fastlogit as fl
from bench.machine import cores
from bench.registry.peers import JAX, SCIPY, SKLEARN, TORCH

FASTLOGIT, NUMPY = "fastlogit", "numpy"
SOFTMAX, LOG_SOFTMAX, GRADIENT = "softmax", "log_softmax", "softmax_log_loss_gradient"
FUNCTIONS = (SOFTMAX, LOG_SOFTMAX, GRADIENT)
COUNTS = (3, 10, 100, 1000)

Array = Any
Call = Callable[[], Any]


def arguments(n: int, K: int, dtype: str) -> tuple[Array, Array]:
    """Logits and class numbers, identical in every run."""
    rng = np.random.default_rng([2013, n, K])
    return rng.normal(scale=3.0, size=(n, K)).astype(dtype), rng.integers(0, K, n)


def _fastlogit(Z: Array, t: Array, threads: int) -> dict[str, Call]:
    out = np.empty_like(Z)
    return {
        SOFTMAX: partial(fl.softmax, Z, out, threads=threads),
        LOG_SOFTMAX: partial(fl.log_softmax, Z, out, threads=threads),
        GRADIENT: partial(fl.softmax_log_loss_gradient, Z, t, out=out, threads=threads),
    }


def _numpy(Z: Array, t: Array, _: int) -> dict[str, Call]:
    rows, out = np.arange(len(t)), np.empty_like(Z)

    def softmax() -> Array:
        np.subtract(Z, Z.max(axis=1, keepdims=True), out=out)
        np.exp(out, out=out)
        return np.divide(out, out.sum(axis=1, keepdims=True), out=out)

    def log_softmax() -> Array:
        np.subtract(Z, Z.max(axis=1, keepdims=True), out=out)
        out.__isub__(np.log(np.exp(out).sum(axis=1, keepdims=True)))
        return out

    def gradient() -> tuple[float, Array]:
        p = softmax()
        loss = -np.log(p[rows, t]).sum()
        p[rows, t] -= 1.0
        return loss, p

    return {SOFTMAX: softmax, LOG_SOFTMAX: log_softmax, GRADIENT: gradient}


def _scipy(Z: Array, _t: Array, _: int) -> dict[str, Call]:
    from scipy import special

    return {
        SOFTMAX: partial(special.softmax, Z, axis=1),
        LOG_SOFTMAX: partial(special.log_softmax, Z, axis=1),
    }


def _sklearn(Z: Array, t: Array, threads: int) -> dict[str, Call]:
    from sklearn._loss.loss import HalfMultinomialLoss

    half = HalfMultinomialLoss(n_classes=Z.shape[1])
    losses, slopes, targets = np.empty(len(t), Z.dtype), np.empty_like(Z), t.astype(Z.dtype)
    outputs = {"loss_out": losses, "gradient_out": slopes, "n_threads": threads}

    def gradient() -> tuple[float, Array]:
        loss, slopes = half.loss_gradient(targets, Z, **outputs)
        return loss.sum(), slopes

    return {GRADIENT: gradient}


def _torch(Z: Array, t: Array, threads: int) -> dict[str, Call]:
    import torch

    torch.set_num_threads(threads)
    logits, targets = torch.from_numpy(Z.copy()), torch.from_numpy(t)
    out = torch.empty_like(logits)

    def gradient() -> tuple[float, Array]:
        leaf = logits.detach().requires_grad_()
        loss = torch.nn.functional.cross_entropy(leaf, targets, reduction="sum")
        loss.backward()
        return loss.detach(), leaf.grad

    return {
        SOFTMAX: partial(torch.softmax, logits, -1, out=out),
        LOG_SOFTMAX: partial(torch.log_softmax, logits, -1, out=out),
        GRADIENT: gradient,
    }


def _jax(Z: Array, t: Array, _: int) -> dict[str, Call]:
    import jax

    jax.config.update("jax_enable_x64", True)
    logits, targets = jax.numpy.asarray(Z), jax.numpy.asarray(t)

    def loss(Z: Array) -> Array:
        logs = jax.nn.log_softmax(Z)
        return -jax.numpy.take_along_axis(logs, targets[:, None], axis=1).sum()

    functions = {
        SOFTMAX: jax.nn.softmax,
        LOG_SOFTMAX: jax.nn.log_softmax,
        GRADIENT: jax.value_and_grad(loss),
    }

    # The memory of a result is given to the next one.
    def ready(name: str) -> Call:
        place = [jax.numpy.array(logits)]

        @partial(jax.jit, donate_argnames="out", keep_unused=True)
        def donated(logits: Array, out: Array) -> Any:  # noqa: ARG001
            return functions[name](logits)

        def call() -> Any:
            result = jax.block_until_ready(donated(logits, out=place[0]))
            place[0] = result[1] if isinstance(result, tuple) else result
            return result

        return call

    return {name: ready(name) for name in functions}


_MAKERS = {NUMPY: _numpy, SCIPY: _scipy, SKLEARN: _sklearn, TORCH: _torch, JAX: _jax}
LIBRARIES = {FASTLOGIT: _fastlogit} | {
    name: make for name, make in _MAKERS.items() if find_spec(name)
}
THREADED = {FASTLOGIT, SKLEARN, TORCH, JAX}


def bound(library: str, Z: Array, t: Array, threads: int | None) -> dict[str, Call]:
    """The functions that a library has, bound to arguments and a number of threads."""
    return LIBRARIES[library](Z, t, threads or cores())


def cases() -> list[tuple[str, str, int | None]]:
    """Each function with each library that has it, on one thread and on all (None)."""
    found = []
    for library in LIBRARIES:
        names = bound(library, *arguments(8, 3, "float64"), 1)
        counts = (1, None) if library in THREADED else (1,)
        found += [(name, library, threads) for name in names for threads in counts]
    return found
