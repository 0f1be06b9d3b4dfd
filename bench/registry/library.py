"""One implementer of the functions: fastlogit, NumPy or another library, and how to call it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, NamedTuple

import numpy as np

Array = Any  # of any library
Implementation = Callable[..., Any]


def _same(array: Array) -> Array:
    return array


def _no_options(_: int | None) -> dict[str, Any]:
    return {}


class Library(NamedTuple):
    """Implementations by the names of the registry, and how to call them.

    Attributes
    ----------
    functions : dict of str to callable
    source : str
        Documentation that recommends this way to call it for speed.
    writing : frozenset of str
        Names of the functions that take ``out=``.
    convert : callable
        Makes an argument from a NumPy array.
    place : callable
        Makes the value of ``out=`` from a converted array.
    options : callable
        Keyword arguments for a number of threads (None: all cores). A library without such an
        argument sets its global number instead.
    context : callable
        Context manager around many calls.
    threaded : bool
        Whether it can use several threads.
    """

    functions: dict[str, Implementation]
    source: str = ""
    writing: frozenset[str] = frozenset()
    convert: Callable[[Array], Array] = _same
    place: Callable[[Array], Any] = _same
    options: Callable[[int | None], dict[str, Any]] = _no_options
    context: Callable[[], AbstractContextManager[Any]] = nullcontext
    threaded: bool = True


@cache
def buffer(n: int, dtype: Any) -> Array:
    """Reused memory for losses that are summed afterwards; fresh memory would cost more."""
    return np.empty(n, dtype)


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
