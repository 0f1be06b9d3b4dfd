"""Families: kinds of targets, with everything that depends on the number of outputs.

`Family` is the contract; `Binomial` is the family of two classes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from fastlogit import losses
from fastlogit.kernels import families
from fastlogit.training import targets

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from fastlogit.core.linalg import Vector


class Family:
    """A kind of target: the number of outputs K, and everything that depends on it.

    A model has one logit for each output.  With d columns and n rows, the shapes are

    ==========  ==================  ===================
    shape of    one output (K = 1)  several outputs
    ==========  ==================  ===================
    coef        (d,)                (K, d)
    intercept   a number            (K,)
    logits      (n,)                (n, K)
    ==========  ==================  ===================

    Training sees one vector, θ = [coef.ravel(), intercept]: first all K d coefficients, then the K
    intercepts.  A model without intercepts has no elements for them.  Gradients, Hessians and
    penalties have their elements in the same order.
    """

    # K, the number of logits of a row.
    outputs: ClassVar[int]
    # An instance of the family's class in `fastlogit.kernels.families`.
    kernels: ClassVar[Any]

    def split(self, theta: Vector, d: int) -> tuple[Vector, Any]:
        """Coefficients and intercept of θ, in their own shapes; the intercept may be absent."""
        size = self.outputs * d
        coef, intercept = theta[:size], theta[size:]
        if self.outputs == 1:
            return coef, float(intercept[0]) if intercept.size else 0.0
        return coef.reshape(-1, d), intercept if intercept.size else np.zeros(self.outputs)

    def gauge(self, theta_size: int, d: int) -> NDArray[np.float64]:  # noqa: ARG002
        """Directions of θ along which no loss changes, for any X; one in each row.

        The trainer returns the θ that has no component along them.  The Hessian is singular there,
        but columns are not collinear because of it.
        """
        return np.empty((0, theta_size))

    def read_targets(self, t: ArrayLike, n: int, threads: int) -> targets.Targets:
        """Check the targets of n rows, and turn labels into numbers."""
        raise NotImplementedError

    def log_loss(
        self, logits: NDArray[Any], t: NDArray[Any], weight: NDArray[Any] | None, threads: int
    ) -> float:
        """Σ weight ξ, the loss of rows whose logits are known."""
        raise NotImplementedError

    def mean_null_log_loss(
        self, t: NDArray[Any], weight: NDArray[Any] | None, *, with_intercept: bool
    ) -> float:
        """Mean loss of the best model without coefficients."""
        raise NotImplementedError

    def margins(self, logits: NDArray[Any], t: NDArray[Any]) -> NDArray[Any]:
        """How far the logits of each row lie on the side of its target.

        Along a direction of θ in which no margin is negative, and some are positive, the loss falls
        for ever: the labels are separated.  Rows whose target is a probability have negative
        margins.
        """
        raise NotImplementedError

    def intercept_separates(self, t: NDArray[Any]) -> bool:
        """Whether an intercept can separate the labels without any column."""
        raise NotImplementedError


class Binomial(Family):
    """Two classes: t in [0, 1], P(t = 1) = σ(z)."""

    outputs = 1
    kernels = families.Binomial()

    def read_targets(self, t: ArrayLike, n: int, threads: int) -> targets.Targets:
        """Take numbers in [0, 1] as they are, and two different labels as 0 and 1."""
        return targets.read_targets(t, n, threads)

    def log_loss(
        self, logits: NDArray[Any], t: NDArray[Any], weight: NDArray[Any] | None, threads: int
    ) -> float:
        """Σ weight [t softplus(-z) + (1 - t) softplus(z)]."""
        return losses.log_loss(logits, t, weight, threads=threads)

    def mean_null_log_loss(
        self, t: NDArray[Any], weight: NDArray[Any] | None, *, with_intercept: bool
    ) -> float:
        """Entropy of the mean target; log 2 without an intercept."""
        y = _mean(t, weight) if with_intercept else 0.5
        return sum(-share * math.log(share) for share in (y, 1.0 - y) if share > 0.0)

    def margins(self, logits: NDArray[Any], t: NDArray[Any]) -> NDArray[Any]:
        """Margins: z for t = 1, -z for t = 0, and -|z| for probabilities."""
        return np.where(t == 1, logits, np.where(t == 0, -logits, -np.abs(logits)))

    def intercept_separates(self, t: NDArray[Any]) -> bool:
        """Whether all labels are the same."""
        return t[0] in (0, 1) and bool((t == t[0]).all())


def _mean(t: NDArray[Any], weight: NDArray[Any] | None) -> float:
    if weight is None:
        return float(t.mean(dtype=np.float64))
    total = float(np.sum(weight, dtype=np.float64))
    return float(np.sum(weight * t, dtype=np.float64) / total)
