"""The loss of K classes and its gradient over a matrix by library, and the time to read it.

Implementations take X (n, d), class numbers, `coef` (K, d) and `intercept` (K,), and return the
loss and its derivatives by `coef` and `intercept`.  NumPy uses as many threads as its BLAS may.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

import fastlogit as fl
from bench.machine import cores
from bench.registry.peers import SKLEARN, TORCH
from bench.roofline import stream
from bench.timings import READING

FASTLOGIT, NUMPY = "fastlogit", "numpy"
SHAPES = ((1_000_000, 32), (300_000, 128))
COUNTS = (3, 10)

Array = Any
Call = Callable[[], Any]


def arguments(n: int, d: int, K: int) -> tuple[Array, Array, Array, Array]:
    """Features, class numbers, coefficients and intercepts, identical in every run."""
    rng = np.random.default_rng([2013, n, d, K])
    coef = rng.normal(size=(K, d)) / np.sqrt(d)
    return rng.normal(size=(n, d)), rng.integers(0, K, n), coef, rng.normal(size=K)


def _fastlogit(X: Array, t: Array, coef: Array, intercept: Array, threads: int) -> Call:
    return partial(fl.linear.log_loss_gradient, X, t, coef, intercept, threads=threads)


def _numpy(X: Array, t: Array, coef: Array, intercept: Array, _: int) -> Call:
    rows, Z = np.arange(len(t)), np.empty((len(X), len(coef)))

    def gradient() -> tuple[float, Array, Array]:
        np.matmul(X, coef.T, out=Z)
        np.add(Z, intercept, out=Z)
        np.subtract(Z, Z.max(axis=1, keepdims=True), out=Z)
        own = Z[rows, t].sum()
        np.exp(Z, out=Z)
        totals = Z.sum(axis=1, keepdims=True)
        loss = np.log(totals).sum() - own
        np.divide(Z, totals, out=Z)
        Z[rows, t] -= 1.0
        return loss, Z.T @ X, Z.sum(axis=0)

    return gradient


def _sklearn(X: Array, t: Array, coef: Array, intercept: Array, threads: int) -> Call:
    from sklearn._loss.loss import HalfMultinomialLoss
    from sklearn.linear_model._linear_loss import LinearModelLoss

    linear = LinearModelLoss(HalfMultinomialLoss(n_classes=len(coef)), fit_intercept=True)
    both = np.column_stack([coef, intercept])
    targets = t.astype(X.dtype)

    def gradient() -> tuple[float, Array, Array]:
        loss, slopes = linear.loss_gradient(both, X, targets, n_threads=threads)  # means
        slopes *= len(t)
        return loss * len(t), slopes[:, :-1], slopes[:, -1]

    return gradient


def _torch(X: Array, t: Array, coef: Array, intercept: Array, threads: int) -> Call:
    import torch

    torch.set_num_threads(threads)
    features, targets = torch.from_numpy(X), torch.from_numpy(t)
    leaves = [torch.tensor(array, requires_grad=True) for array in (coef, intercept)]

    def gradient() -> tuple[Array, Array, Array]:
        Z = torch.nn.functional.linear(features, *leaves)
        loss = torch.nn.functional.cross_entropy(Z, targets, reduction="sum")
        return loss.detach(), *torch.autograd.grad(loss, leaves)

    return gradient


def _reading(X: Array, _t: Array, _coef: Array, _intercept: Array, threads: int) -> Call:
    return stream("read", X.nbytes, threads)


_MAKERS = {SKLEARN: _sklearn, TORCH: _torch}
LIBRARIES = {FASTLOGIT: _fastlogit, NUMPY: _numpy, READING: _reading} | {
    name: make for name, make in _MAKERS.items() if find_spec(name)
}


def bound(library: str, args: tuple[Array, Array, Array, Array], threads: int | None) -> Call:
    """The function of a library, bound to arguments and a number of threads (None: all)."""
    return LIBRARIES[library](*args, threads or cores())
