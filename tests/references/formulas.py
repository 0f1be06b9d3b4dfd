"""Elementwise functions, sums and passes over X in NumPy: naive, stable and tuned.

``numpy-naive``
    The textbook formula; its tails lose digits or overflow.
``numpy-stable``
    The usual remedy: `numpy.logaddexp` and `numpy.where`.
``numpy-tuned``
    Equally stable and faster: one exponential for everything, no branch on the sign, ``out=``
    where it saves an array, and blocks that stay in the cache.

A formula that equals another one is left out; a single sensible one is ``numpy-stable``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, wraps
from typing import Any

import numpy as np

Array = Any
Implementation = Callable[..., Any]

BLOCK = 32_768


@cache
def buffer(n: int, dtype: Any) -> Array:
    """Reused memory for losses that are summed afterwards; fresh memory would cost more."""
    return np.empty(n, dtype)


def _blocks(n: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, n, BLOCK))


def _in_blocks(formula: Implementation) -> Implementation:
    """Apply a formula that returns `out`, or a sum and `out`, to one block after another."""

    @wraps(formula)
    def compute(*args: Array, out: Array | None = None) -> Any:
        n = len(args[0])
        if n <= BLOCK:
            return formula(*args, out=out)
        if out is None:
            out = np.empty_like(args[0])
        found = [formula(*(arg[block] for arg in args), out=out[block]) for block in _blocks(n)]
        return (np.sum([loss for loss, _ in found]), out) if isinstance(found[0], tuple) else out

    return compute


# Naive and stable -------------------------------------------------------------------------


def _naive_sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


def _naive_derivative(z: Array) -> Array:
    y = _naive_sigmoid(z)
    return y * (1 - y)


def _naive_cross_entropy(y: Array, t: Array) -> Array:
    return -t * np.log(y) - (1 - t) * np.log(1 - y)


def _naive_loss(z: Array, t: Array) -> Array:
    return _naive_cross_entropy(_naive_sigmoid(z), t)


def _naive_loss_gradient(z: Array, t: Array) -> tuple[float, Array]:
    y = _naive_sigmoid(z)
    return np.sum(_naive_cross_entropy(y, t)), y - t


def _stable_sigmoid(z: Array) -> Array:
    u = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, u) / (1 + u)


def _stable_derivative(z: Array) -> Array:
    u = np.exp(-np.abs(z))
    return u / (1 + u) ** 2


def _stable_loss(z: Array, t: Array) -> Array:
    return np.logaddexp(0, z) - t * z


def _stable_loss_gradient(z: Array, t: Array) -> tuple[float, Array]:
    return np.sum(_stable_loss(z, t)), _stable_sigmoid(z) - t


# Tuned ------------------------------------------------------------------------------------


def _exponential(z: Array, out: Array | None = None) -> Array:
    """e^-|z|."""
    u = np.abs(z, out=out)
    np.negative(u, out=u)
    return np.exp(u, out=u)


def _to_sigmoid(u: Array, z: Array) -> Array:
    """Turn u = e^-|z| into σ(z), in place."""
    divisor = 1 + u
    np.maximum(u, z >= 0, out=u)
    return np.divide(u, divisor, out=u)


def _to_loss(u: Array, z: Array, t: Array) -> Array:
    """Turn u = e^-|z| into the loss, in place."""
    np.log1p(u, out=u)
    u += np.maximum(z, 0)
    u -= t * z
    return u


@_in_blocks
def _tuned_sigmoid(z: Array, out: Array | None = None) -> Array:
    return _to_sigmoid(_exponential(z, out), z)


@_in_blocks
def _tuned_derivative(z: Array, out: Array | None = None) -> Array:
    u = _exponential(z, out)
    divisor = 1 + u
    divisor *= divisor
    return np.divide(u, divisor, out=u)


@_in_blocks
def _tuned_log_sigmoid(z: Array, out: Array | None = None) -> Array:
    u = _exponential(z, out)
    np.log1p(u, out=u)
    return np.subtract(np.minimum(z, 0), u, out=u)


@_in_blocks
def _tuned_softplus(z: Array, out: Array | None = None) -> Array:
    u = _exponential(z, out)
    np.log1p(u, out=u)
    u += np.maximum(z, 0)
    return u


@_in_blocks
def _tuned_logit(y: Array, out: Array | None = None) -> Array:
    u = np.subtract(1, y, out=out)
    np.divide(y, u, out=u)
    return np.log(u, out=u)


@_in_blocks
def _tuned_loss(z: Array, t: Array, out: Array | None = None) -> Array:
    return _to_loss(_exponential(z, out), z, t)


@_in_blocks
def _tuned_residual(z: Array, t: Array, out: Array | None = None) -> Array:
    y = _to_sigmoid(_exponential(z, out), z)
    y -= t
    return y


@_in_blocks
def _tuned_cross_entropy(y: Array, t: Array, out: Array | None = None) -> Array:
    u = np.negative(y, out=out)
    np.log1p(u, out=u)
    u *= t - 1
    u -= t * np.log(y)
    return u


@_in_blocks
def _tuned_cross_entropy_derivative(y: Array, t: Array, out: Array | None = None) -> Array:
    u = np.subtract(1, y, out=out)
    u *= y
    return np.divide(y - t, u, out=u)


@_in_blocks
def _tuned_loss_gradient(z: Array, t: Array, out: Array | None = None) -> tuple[float, Array]:
    u = _exponential(z, buffer(z.size, z.dtype))
    gradient = _to_sigmoid(np.add(u, 0, out=out), z)
    gradient -= t
    return np.sum(_to_loss(u, z, t)), gradient


def _tuned_log_loss(z: Array, t: Array) -> float:
    parts = ((z[block], t[block]) for block in _blocks(len(z)))
    return np.sum([np.sum(_tuned_loss(a, b, out=buffer(a.size, a.dtype))) for a, b in parts])


# By name --------------------------------------------------------------------------------

NAIVE: dict[str, Implementation] = {
    "sigmoid": _naive_sigmoid,
    "sigmoid_derivative": _naive_derivative,
    "log_sigmoid": lambda z: np.log(_naive_sigmoid(z)),
    "softplus": lambda z: np.log(1 + np.exp(z)),
    "logistic_loss": _naive_loss,
    "residual": lambda z, t: _naive_sigmoid(z) - t,
    "cross_entropy": _naive_cross_entropy,
    "log_loss": lambda z, t: np.sum(_naive_loss(z, t)),
    "log_loss_gradient": _naive_loss_gradient,
}
STABLE: dict[str, Implementation] = {
    "sigmoid": _stable_sigmoid,
    "sigmoid_derivative": _stable_derivative,
    "log_sigmoid": lambda z: -np.logaddexp(0, -z),
    "softplus": lambda z: np.logaddexp(0, z),
    "logit": lambda y: np.log(y / (1 - y)),
    "logistic_loss": _stable_loss,
    "residual": lambda z, t: _stable_sigmoid(z) - t,
    "cross_entropy": lambda y, t: -t * np.log(y) - (1 - t) * np.log1p(-y),
    "cross_entropy_derivative": lambda y, t: (y - t) / (y * (1 - y)),
    "log_loss": lambda z, t: np.sum(_stable_loss(z, t)),
    "log_loss_gradient": _stable_loss_gradient,
}
TUNED: dict[str, Implementation] = {
    "sigmoid": _tuned_sigmoid,
    "sigmoid_derivative": _tuned_derivative,
    "log_sigmoid": _tuned_log_sigmoid,
    "softplus": _tuned_softplus,
    "logit": _tuned_logit,
    "logistic_loss": _tuned_loss,
    "residual": _tuned_residual,
    "cross_entropy": _tuned_cross_entropy,
    "cross_entropy_derivative": _tuned_cross_entropy_derivative,
    "log_loss": _tuned_log_loss,
    "log_loss_gradient": _tuned_loss_gradient,
}


# Passes ---------------------------------------------------------------------------------


def passes(
    sigmoid: Implementation,
    derivative: Implementation,
    log_loss: Implementation,
    log_loss_gradient: Implementation,
    append: Implementation,
    bordered: Implementation,
) -> dict[str, Implementation]:
    """Passes over X, as matrix products around functions of the logits.

    `append` adds a number to a vector; `bordered` makes the Hessian with the intercept from that
    of the columns, its border and its corner.
    """

    def linear_log_loss_gradient(X: Array, t: Array, coef: Array) -> tuple[Any, Array, Any]:
        loss, residual = log_loss_gradient(X @ coef, t)
        return loss, residual @ X, residual.sum()

    def newton(X: Array, t: Array, coef: Array) -> tuple[Any, Array, Array]:
        z = X @ coef
        loss, residual = log_loss_gradient(z, t)
        curvature = derivative(z)
        scaled = X * curvature[:, None]
        hessian = bordered(scaled.T @ X, scaled.sum(0), curvature.sum())
        return loss, append(residual @ X, residual.sum()), hessian

    return {
        "linear.decision": lambda X, coef: X @ coef,
        "linear.probability": lambda X, coef: sigmoid(X @ coef),
        "linear.log_loss": lambda X, t, coef: log_loss(X @ coef, t),
        "linear.log_loss_gradient": linear_log_loss_gradient,
        "linear.log_loss_gradient_hessian": newton,
        "linear.hessian": lambda X, coef: (X * derivative(X @ coef)[:, None]).T @ X,
        "linear.hessian_diagonal": lambda X, coef: derivative(X @ coef) @ (X * X),
        "linear.hessian_product": lambda X, coef, direction: (
            (derivative(X @ coef) * (X @ direction)) @ X
        ),
    }


def filled(empty: Callable[[tuple[int, int], Any], Array]) -> Implementation:
    """`bordered` for arrays that can be assigned to; `empty` takes a shape and an array's type."""

    def bordered(hessian: Array, border: Array, corner: Any) -> Array:
        d = len(border)
        whole = empty((d + 1, d + 1), hessian.dtype)
        whole[:d, :d] = hessian
        whole[:d, d] = whole[d, :d] = border
        whole[d, d] = corner
        return whole

    return bordered
