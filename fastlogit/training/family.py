"""Families: how the loss of a row depends on its logits, and all that depends on their number.

`Family` is the contract; `Binomial` is the family of two classes, `Softmax` of more.
`from_targets` chooses between them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit import losses
from fastlogit.classes import softmax_log_loss
from fastlogit.core import gauge
from fastlogit.kernels import families
from fastlogit.matrix.centring import shift_intercepts
from fastlogit.training.targets import read_targets

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from fastlogit.core.linalg import SquareMatrix, Vector
    from fastlogit.training.targets import Targets


class Margins(NamedTuple):
    """How far the logits of rows lie on the side of their targets.

    The margins of a row are the differences between the logit of its class and each other one.
    Along a direction of θ in which no margin is negative, and some are positive, the loss falls for
    ever: the labels are separated.
    """

    least: float
    largest: float
    # For each class, how far its logit exceeds all others in the best of its rows.  Empty for two
    # classes, which are always separated from each other.
    leads: Vector


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

    def estimates(self, centres: Vector, *, with_intercept: bool) -> NDArray[np.float64]:
        """The numbers that have standard errors, as linear functions of θ."""
        return gauge.parameters(self.outputs, centres, with_intercept=with_intercept)

    # The gauge (see fastlogit.core.gauge) ------------------------------------------------

    def without_gauge(self, theta: Vector, d: int) -> Vector:  # noqa: ARG002
        """θ without its component along the gauge.  The trainer begins and ends at such a θ."""
        return theta

    def fix_gauge(
        self,
        hessian: SquareMatrix,
        is_penalised: NDArray[np.bool_],  # noqa: ARG002
    ) -> SquareMatrix:
        """A Hessian with curvature along the gauge, where it has none.

        The mask has an element for each column.
        """
        return hessian

    # Losses and labels --------------------------------------------------------------------

    @abstractmethod
    def log_loss(
        self, logits: NDArray[Any], t: NDArray[Any], weight: NDArray[Any] | None, threads: int
    ) -> float:
        """Σ weight ξ, the loss of rows whose logits are known."""

    @abstractmethod
    def class_weights(self, t: NDArray[Any], weight: NDArray[Any] | None) -> Vector:
        """Σ weight P(class) of each class, over the rows of these targets."""

    def mean_null_log_loss(self, class_weights: Vector, *, with_intercept: bool) -> float:
        """Mean loss of the best model without coefficients.

        It is the entropy of the classes' shares; log K without an intercept.
        """
        if not with_intercept:
            return math.log(class_weights.size)
        shares = (class_weights / class_weights.sum()).tolist()
        return -math.fsum(share * math.log(share) for share in shares if share > 0.0)

    def absent_classes(self, class_weights: Vector) -> list[int]:
        """Classes that no row has, so that intercepts alone make the loss fall for ever."""
        absent: list[int] = np.flatnonzero(class_weights == 0.0).tolist()
        return absent

    @abstractmethod
    def margins(self, logits: NDArray[Any], t: NDArray[Any]) -> Margins:
        """Margins of rows."""


def from_targets(
    t: ArrayLike, n: int, threads: int, classes: tuple[Any, ...] | None = None
) -> tuple[Family, Targets]:
    """The family of the targets of n rows, and these targets as numbers for its kernels."""
    targets = read_targets(t, n, threads, classes)
    family = from_classes(targets.classes)
    if family.outputs == 1:
        targets = targets._replace(t=targets.t.astype(np.float64, copy=False))
    return family, targets


def from_classes(classes: tuple[Any, ...]) -> Family:
    """The family of targets with these classes."""
    return Softmax(len(classes)) if len(classes) > 2 else Binomial()


class Binomial(Family):
    """Two classes: t in [0, 1], P(t = 1) = σ(z)."""

    outputs = 1
    kernel_family = families.Binomial()

    def log_loss(
        self, logits: NDArray[Any], t: NDArray[Any], weight: NDArray[Any] | None, threads: int
    ) -> float:
        """Σ weight [t softplus(-z) + (1 - t) softplus(z)]."""
        return losses.log_loss(logits, t, weight, threads=threads)

    def class_weights(self, t: NDArray[Any], weight: NDArray[Any] | None) -> Vector:
        """Σ weight (1 - t) and Σ weight t."""
        shares = (1.0 - t, t) if weight is None else (weight * (1.0 - t), weight * t)
        return np.array([np.sum(share, dtype=np.float64) for share in shares])

    def margins(self, logits: NDArray[Any], t: NDArray[Any]) -> Margins:
        """Margins: z for t = 1, -z for t = 0, and -|z| for probabilities."""
        margins = np.where(t == 1, logits, np.where(t == 0, -logits, -np.abs(logits)))
        return Margins(float(margins.min()), float(margins.max()), np.empty(0))


class Softmax(Family):
    """K classes: t holds class numbers, or rows of probabilities; P(class k) = softmax(Z)_k.

    Coefficients and intercepts have the sum 0 over the classes (the symmetric gauge).  Their
    standard errors would depend on that choice.  So `estimates` are the differences from the first
    class, as in other packages.
    """

    def __init__(self, outputs: int) -> None:
        self.outputs = outputs

    kernel_family = families.Softmax()

    def from_theta(
        self, theta: Vector, centres: Vector, offset_centre: float | Vector
    ) -> tuple[Vector, Any]:
        """Coefficients and intercepts of a model, each with the sum 0 over the classes."""
        coef, intercepts = super().from_theta(theta, centres, offset_centre)
        return gauge.without(coef), gauge.without(intercepts)

    def estimates(self, centres: Vector, *, with_intercept: bool) -> NDArray[np.float64]:
        """Coefficients and intercept of each class but the first, minus those of the first."""
        return gauge.estimates(self.outputs, centres, with_intercept=with_intercept)

    def without_gauge(self, theta: Vector, d: int) -> Vector:
        """θ minus the mean over the classes of each coefficient and of the intercept."""
        coef, intercepts = self.split(theta, d)
        return np.append(gauge.without(coef), gauge.without(intercepts))[: theta.size]

    def fix_gauge(self, hessian: SquareMatrix, is_penalised: NDArray[np.bool_]) -> SquareMatrix:
        """The Hessian with a share of each column's curvature along the gauge."""
        return gauge.fix(hessian, self.outputs, is_penalised.size, is_penalised)

    def log_loss(
        self, logits: NDArray[Any], t: NDArray[Any], weight: NDArray[Any] | None, threads: int
    ) -> float:
        """Σ weight ξ, with ξ = -Σ t log softmax(Z)."""
        return float(softmax_log_loss(logits, t, weight, threads=threads))

    def class_weights(self, t: NDArray[Any], weight: NDArray[Any] | None) -> Vector:
        """Weight of each class; probabilities of a row share its weight."""
        if t.ndim == 1:
            return np.bincount(t, weight, self.outputs).astype(np.float64)
        totals: Vector = t.sum(axis=0) if weight is None else np.einsum("i,ik", weight, t)
        return totals

    def margins(self, logits: NDArray[Any], t: NDArray[Any]) -> Margins:
        """The least logit of the classes that a row may have, minus each of its logits."""
        is_own = t > 0.0 if t.ndim == 2 else t[:, np.newaxis] == np.arange(self.outputs)
        own = np.min(logits, axis=1, where=is_own, initial=np.inf)
        smallest = logits.min(axis=1)
        other = np.maximum(smallest, np.max(logits, axis=1, where=~is_own, initial=-np.inf))
        leads = np.full(self.outputs, -np.inf)
        alone = np.count_nonzero(is_own, axis=1) == 1
        np.maximum.at(leads, is_own.argmax(axis=1)[alone], (own - other)[alone])
        least = float((own - logits.max(axis=1)).min())
        return Margins(least, float((own - smallest).max()), leads)
