"""The binomial family: one logit for each row, P(t = 1) = σ(z), targets in [0, 1].

Its terms are loss = t softplus(-z) + (1 - t) softplus(z), slope = σ(z) - t and
curvature = σ(z) σ(-z).
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastlogit.kernels import jit, lanes, logistic, sums


class Binomial(NamedTuple):
    """Two classes; see :mod:`fastlogit.kernels.families`."""


@jit.inner
def outputs(family: Binomial, coef: NDArray[np.float64]) -> int:
    """1, which the compiler then knows."""
    return 1


@jit.inner
def add_constants(
    family: Binomial,
    z: NDArray[np.float64],
    first: int,
    rows: int,
    intercept: NDArray[np.float64],
    offset: NDArray[Any] | None,
) -> None:
    """Add intercept and offset to the logits of a block."""
    logits, constant = z[0], intercept[0]
    known = None if offset is None else offset[first : first + rows]
    for i in range(rows):
        logits[i] += constant if known is None else constant + known[i]


@jit.inner
def put_logits(
    family: Binomial, z: NDArray[np.float64], first: int, rows: int, out: NDArray[Any]
) -> None:
    """Put z into `out` (n,)."""
    logits, results = z[0], out[first : first + rows]
    for i in range(rows):
        results[i] = logits[i]


@jit.inner
def put_probabilities(
    family: Binomial,
    z: NDArray[np.float64],
    first: int,
    rows: int,
    float32: Literal[True] | None,
    out: NDArray[Any],
) -> None:
    """Put σ(z) into `out` (n,)."""
    logits, results = z[0], out[first : first + rows]
    # Without this, `linear.probability` of a large X took 1.6 times as long (Zen 4).
    jit.wide_vectors(logits)
    for i in range(rows):
        results[i] = (
            logistic.sigmoid(logits[i]) if float32 is None else logistic.sigmoid_float32(logits[i])
        )


@jit.inner
def differentiate(
    family: Binomial,
    z: NDArray[np.float64],
    t: NDArray[Any],
    weight: NDArray[Any] | None,
    float32: Literal[True] | None,
    first: int,
    rows: int,
    losses: NDArray[np.float64],
    slopes: NDArray[np.float64],
) -> bool:
    """Put the loss of each row and its derivative by z; False unless each t is in [0, 1]."""
    here = slice(first, first + rows)  # a slice: see sums.log_loss_gradient
    logits, derivatives, targets = z[0], slopes[0], t[here]
    weights = None if weight is None else weight[here]
    outside = 0
    for i in range(rows):
        target = np.float64(targets[i])
        outside += not (0.0 <= target <= 1.0)
        loss, slope = logistic.loss_and_residual(logits[i], target, float32 is not None)
        losses[i] = loss if weights is None else sums.weighted(loss, weights[i])
        derivatives[i] = slope if weights is None else sums.weighted(slope, weights[i])
    for i in range(rows, lanes.round_up(rows)):
        losses[i] = derivatives[i] = 0.0
    return outside == 0


@jit.inner
def prepare_curvature(family: Binomial, z: NDArray[np.float64], rows: int) -> None:
    """Leave the logits as they are."""


@jit.inner
def put_curvature(
    family: Binomial,
    k: int,
    other: int,
    z: NDArray[np.float64],
    weight: NDArray[Any] | None,
    first: int,
    rows: int,
    curvatures: NDArray[np.float64],
) -> None:
    """Put the second derivative of each row's loss by z; `k` and `other` are 0."""
    logits = z[0]
    weights = None if weight is None else weight[first : first + rows]
    for i in range(rows):
        value = logistic.curvature(logits[i])
        curvatures[i] = value if weights is None else sums.weighted(value, weights[i])
    for i in range(rows, lanes.round_up(rows)):
        curvatures[i] = 0.0
