"""What is compared: the same result from fastlogit and from plain NumPy.

``naive`` is the formula from the textbook, ``stable`` the one that a careful author writes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastlogit as fl

Array = NDArray[Any]
Implementations = dict[str, Callable[..., Any]]


def naive_sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


def stable_sigmoid(z: Array) -> Array:
    u = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, u) / (1 + u)


def naive_logistic_loss(z: Array, t: Array) -> Array:
    y = naive_sigmoid(z)
    return -t * np.log(y) - (1 - t) * np.log(1 - y)


def stable_logistic_loss(z: Array, t: Array) -> Array:
    return np.logaddexp(0, z) - t * z


def naive_log_loss_gradient(z: Array, t: Array) -> tuple[float, Array]:
    y = naive_sigmoid(z)
    return -np.sum(t * np.log(y) + (1 - t) * np.log(1 - y)), y - t


def stable_log_loss_gradient(z: Array, t: Array) -> tuple[float, Array]:
    return np.sum(np.logaddexp(0, z) - t * z), stable_sigmoid(z) - t


def _over_features(log_loss_gradient: Callable[..., Any]) -> Callable[..., Any]:
    def over_features(X: Array, t: Array, coef: Array) -> tuple[float, Array, float]:
        loss, residual = log_loss_gradient(X @ coef, t)
        return loss, X.T @ residual, residual.sum()

    return over_features


SIGMOID: Implementations = {
    "fastlogit": fl.sigmoid,
    "numpy-naive": naive_sigmoid,
    "numpy-stable": stable_sigmoid,
}
SOFTPLUS: Implementations = {
    "fastlogit": fl.softplus,
    "numpy-naive": lambda z: np.log(1 + np.exp(z)),
    "numpy-stable": lambda z: np.logaddexp(0, z),
}
LOGISTIC_LOSS: Implementations = {
    "fastlogit": fl.logistic_loss,
    "numpy-naive": naive_logistic_loss,
    "numpy-stable": stable_logistic_loss,
}
LOG_LOSS_GRADIENT: Implementations = {
    "fastlogit": fl.log_loss_gradient,
    "numpy-naive": naive_log_loss_gradient,
    "numpy-stable": stable_log_loss_gradient,
}
LINEAR_LOG_LOSS_GRADIENT: Implementations = {
    "fastlogit": fl.linear.log_loss_gradient,
    "numpy-naive": _over_features(naive_log_loss_gradient),
    "numpy-stable": _over_features(stable_log_loss_gradient),
}
