"""Families: how the loss of a row depends on its logits, and all that depends on their number.

`Family` is the contract; `Binomial` is the family of two classes.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from fastlogit import losses
from fastlogit.kernels import families
from fastlogit.matrix.centring import shift_intercepts
from fastlogit.training.targets import read_targets

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from fastlogit.core.linalg import Vector
    from fastlogit.training.targets import Targets


class Family(ABC):
    """A kind of target: the number of outputs K, and everything that depends on it.

    A model has one logit for each output.  With d columns and n rows, the shapes are

    ================  ==================  ===================
    shape of          one output (K = 1)  several outputs
    ================  ==================  ===================
    coef              (d,)                (K, d)
    intercept         a number            (K,)
    logits, offset    (n,)                (n, K)
    ================  ==================  ===================

    Training sees one vector, θ = [coef.ravel(), intercept]: first all K d coefficients, then the K
    intercepts.  A model without intercepts has no elements for them.  Gradients, Hessians and
    penalties have their elements in the same order.  θ is for centred columns and offsets.

    Attributes
    ----------
    outputs : int
        K, the number of logits of a row.
    kernel_family : instance of a class of :data:`fastlogit.kernels.families.MODULES`
        How the kernels know the family.
    """

    outputs: int
    kernel_family: Any

    @classmethod
    @abstractmethod
    def from_targets(cls, t: ArrayLike, n: int, threads: int) -> tuple[Self, Targets]:
        """The family of the targets of n rows, and these targets as numbers, checked."""

    # Shapes -------------------------------------------------------------------------------

    def logits_shape(self, n: int) -> tuple[int, ...]:
        """Shape of the logits of n rows."""
        return (n,) if self.outputs == 1 else (n, self.outputs)

    def split(self, theta: Vector, d: int) -> tuple[Vector, Vector]:
        """Coefficients (K, d) and intercepts (K,) of θ; absent intercepts are 0."""
        size = self.outputs * d
        intercepts = theta[size:] if theta.size > size else np.zeros(self.outputs)
        return theta[:size].reshape(self.outputs, d), intercepts

    def to_theta(
        self,
        coef: Vector,
        intercept: float | Vector,
        centres: Vector,
        offset_centre: float | Vector,
        *,
        with_intercept: bool,
    ) -> Vector:
        """θ of a model, for columns and offsets minus their centres."""
        rows = coef.reshape(self.outputs, -1)
        if not with_intercept:
            return rows.ravel()
        intercepts = np.reshape(intercept + offset_centre, self.outputs)
        return np.append(rows, shift_intercepts(intercepts, centres, rows))

    def from_theta(
        self, theta: Vector, centres: Vector, offset_centre: float | Vector
    ) -> tuple[Vector, Any]:
        """Coefficients and intercept of a model, for the original columns and offsets."""
        coef, intercepts = self.split(theta, centres.size)
        intercepts = shift_intercepts(intercepts - offset_centre, -centres, coef)
        return (coef[0], float(intercepts[0])) if self.outputs == 1 else (coef, intercepts)

    def gauge(self, theta_size: int, d: int) -> NDArray[np.float64]:  # noqa: ARG002
        """Directions of θ along which no loss changes, for any X; one in each row.

        The trainer returns the θ that has no component along them.  The Hessian is singular there,
        but columns are not collinear because of it.
        """
        return np.empty((0, theta_size))

    # Losses and labels --------------------------------------------------------------------

    @abstractmethod
    def log_loss(
        self, logits: NDArray[Any], t: NDArray[Any], weight: NDArray[Any] | None, threads: int
    ) -> float:
        """Σ weight ξ, the loss of rows whose logits are known."""

    @abstractmethod
    def mean_null_log_loss(
        self, t: NDArray[Any], weight: NDArray[Any] | None, *, with_intercept: bool
    ) -> float:
        """Mean loss of the best model without coefficients."""

    @abstractmethod
    def margins(self, logits: NDArray[Any], t: NDArray[Any]) -> NDArray[Any]:
        """How far the logits of each row lie on the side of its target.

        Along a direction of θ in which no margin is negative, and some are positive, the loss falls
        for ever: the labels are separated.  Rows whose target is a probability have negative
        margins.
        """

    @abstractmethod
    def intercept_separates(self, t: NDArray[Any]) -> bool:
        """Whether an intercept can separate the labels without any column."""


class Binomial(Family):
    """Two classes: t in [0, 1], P(t = 1) = σ(z)."""

    outputs = 1
    kernel_family = families.Binomial()

    @classmethod
    def from_targets(cls, t: ArrayLike, n: int, threads: int) -> tuple[Self, Targets]:
        """Take numbers in [0, 1] as they are, and two different labels as 0 and 1."""
        targets = read_targets(t, n, threads)
        if len(targets.classes) > 2:
            raise ValueError(f"t must have two different labels; got {len(targets.classes)}")
        return cls(), targets

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
