"""Other libraries: whichever is installed adds its functions to the table as a further key.

A library takes arguments of its own kind, so they are converted before the clock runs.  Numbers
of threads are set where a library lets one; JAX, which does not, takes all cores for large arrays
(`bench.measure.on_cores` keeps it from that), and SciPy and NumPy have one thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from scipy import special

Array = Any  # of whatever library

SCIPY = "scipy"
SKLEARN = "sklearn"
TORCH = "torch"
JAX = "jax"


def _itself(array: Array) -> Array:
    return array


def _no_options(_: int | None) -> dict[str, Any]:
    return {}


class Library(NamedTuple):
    """A peer's functions, by the names of the table, and how they want to be called."""

    functions: dict[str, Callable[..., Any]]
    # Which of them take ``out=``.
    writing: frozenset[Callable[..., Any]] = frozenset()
    # From a NumPy array.
    convert: Callable[[Array], Array] = _itself
    # For a number of threads, None for all cores; where there are no options it is set for all
    # later calls.
    options: Callable[[int | None], dict[str, Any]] = _no_options


def _scipy() -> Library:
    expit, log_expit, softplus = special.expit, special.log_expit, special.softplus

    def log_loss_gradient(z: Array, t: Array) -> tuple[float, Array]:
        return np.sum(softplus(z) - t * z), expit(z) - t

    return Library(
        {
            "sigmoid": expit,
            "sigmoid_derivative": lambda z: expit(z) * expit(-z),
            "log_sigmoid": log_expit,
            "softplus": softplus,
            "logit": special.logit,
            "logistic_loss": lambda z, t: softplus(z) - t * z,
            "residual": lambda z, t: expit(z) - t,
            "cross_entropy": lambda y, t: -special.xlogy(t, y) - special.xlog1py(1 - t, -y),
            "log_loss": lambda z, t: np.sum(softplus(z) - t * z),
            "log_loss_gradient": log_loss_gradient,
        },
        writing=frozenset([expit, log_expit, softplus, special.logit]),
    )


def _sklearn() -> Library:
    from sklearn._loss.loss import HalfBinomialLoss

    half = HalfBinomialLoss()

    @cache
    def losses(n: int, dtype: Any) -> Array:
        """Where to put what is summed afterwards: new memory would cost more than the loss."""
        return np.empty(n, dtype)

    def logistic_loss(z: Array, t: Array, out: Array = None, threads: int = 1) -> Array:
        return half.loss(t, z, loss_out=out, n_threads=threads)

    def residual(z: Array, t: Array, out: Array = None, threads: int = 1) -> Array:
        return half.gradient(t, z, gradient_out=out, n_threads=threads)

    def log_loss(z: Array, t: Array, threads: int = 1) -> float:
        return logistic_loss(z, t, losses(z.size, z.dtype), threads).sum()

    def log_loss_gradient(
        z: Array, t: Array, out: Array = None, threads: int = 1
    ) -> tuple[float, Array]:
        outputs = {"loss_out": losses(z.size, z.dtype), "gradient_out": out}
        loss, gradient = half.loss_gradient(t, z, **outputs, n_threads=threads)
        return loss.sum(), gradient

    return Library(
        {
            "logistic_loss": logistic_loss,
            "residual": residual,
            "log_loss": log_loss,
            "log_loss_gradient": log_loss_gradient,
        },
        writing=frozenset([logistic_loss, residual, log_loss_gradient]),
        options=lambda threads: {"threads": threads or _cores()},
    )


def _torch() -> Library:
    import torch
    from torch.nn import functional

    loss_with_logits = functional.binary_cross_entropy_with_logits

    def sigmoid_derivative(z: Array) -> Array:
        y = torch.sigmoid(z)
        return y * (1 - y)

    def log_loss_gradient(z: Array, t: Array) -> tuple[Array, Array]:
        z = z.detach().requires_grad_()
        loss = loss_with_logits(z, t, reduction="sum")
        loss.backward()
        return loss.detach(), z.grad

    def options(threads: int | None) -> dict[str, Any]:
        torch.set_num_threads(threads or _cores())
        return {}

    return Library(
        {
            "sigmoid": torch.sigmoid,
            "sigmoid_derivative": sigmoid_derivative,
            "log_sigmoid": functional.logsigmoid,
            "softplus": functional.softplus,
            "logit": torch.logit,
            "logistic_loss": partial(loss_with_logits, reduction="none"),
            "residual": lambda z, t: torch.sigmoid(z) - t,
            "cross_entropy": partial(functional.binary_cross_entropy, reduction="none"),
            "log_loss": partial(loss_with_logits, reduction="sum"),
            "log_loss_gradient": log_loss_gradient,
        },
        writing=frozenset([torch.sigmoid, torch.logit]),
        # NumPy's own memory (huge pages), but writable, as PyTorch knows no other.
        convert=lambda array: torch.from_numpy(np.array(array)),
        options=options,
    )


def _jax() -> Library:
    import jax
    from jax import nn
    from jax import numpy as jnp
    from jax.scipy import special

    jax.config.update("jax_enable_x64", True)

    def ready(function: Callable[..., Any]) -> Callable[..., Any]:
        compiled = jax.jit(function)
        return lambda *args: jax.block_until_ready(compiled(*args))

    def logistic_loss(z: Array, t: Array) -> Array:
        # `optax` has log_sigmoid(z) and log_sigmoid(-z), which loses less and takes twice as long.
        return nn.softplus(z) - t * z

    def log_loss(z: Array, t: Array) -> Array:
        return jnp.sum(logistic_loss(z, t))

    functions = {
        "sigmoid": nn.sigmoid,
        "sigmoid_derivative": lambda z: nn.sigmoid(z) * nn.sigmoid(-z),
        "log_sigmoid": nn.log_sigmoid,
        "softplus": nn.softplus,
        "logit": special.logit,
        "logistic_loss": logistic_loss,
        "residual": lambda z, t: nn.sigmoid(z) - t,
        "cross_entropy": lambda y, t: -special.xlogy(t, y) - special.xlog1py(1 - t, -y),
        "log_loss": log_loss,
        "log_loss_gradient": jax.value_and_grad(log_loss),
    }
    return Library({name: ready(f) for name, f in functions.items()}, convert=jnp.asarray)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_MAKERS = {SCIPY: _scipy, SKLEARN: _sklearn, TORCH: _torch, JAX: _jax}
LIBRARIES = {name: make() for name, make in _MAKERS.items() if find_spec(name)}

_helper = ThreadPoolExecutor(1, thread_name_prefix="copy")


def copy(size: int, threads: int) -> Callable[[], Any]:
    """What memory allows: reading and writing `size` bytes in all, on one or two threads."""
    source, target = np.ones(size // 2, np.uint8), np.empty(size // 2, np.uint8)
    if threads == 1:
        return partial(np.copyto, target, source)
    half = source.size // 2

    def in_halves() -> None:
        other = _helper.submit(np.copyto, target[half:], source[half:])
        np.copyto(target[:half], source[:half])
        other.result()

    return in_halves
