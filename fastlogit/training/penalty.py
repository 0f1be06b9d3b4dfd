"""Penalties: terms that training adds to the loss of the rows.

`Penalty` is the contract; `L2` implements it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from fastlogit.core.linalg import dot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fastlogit.core.linalg import Vector


class Penalty(ABC):
    """A convex function of θ that is added to the loss.

    Arguments and results have an element for each element of θ (see
    :class:`fastlogit.training.family.Family` for their order).
    """

    @property
    @abstractmethod
    def is_penalised(self) -> NDArray[np.bool_]:
        """Mask of the elements of θ that the penalty keeps finite."""

    @abstractmethod
    def value(self, theta: Vector) -> float:
        """The penalty at θ."""

    @abstractmethod
    def gradient(self, theta: Vector) -> Vector:
        """Gradient of the penalty, or of its smooth part if it has kinks."""

    @abstractmethod
    def curvature(self, theta: Vector) -> Vector:
        """Diagonal of the Hessian of the penalty; its other elements are 0."""

    def residual(self, theta: Vector, gradient: Vector) -> Vector:  # noqa: ARG002
        """A vector that is 0 at the optimum, from the gradient of the loss plus `gradient`.

        A smooth penalty returns that gradient.
        """
        return gradient

    @abstractmethod
    def divided_by(self, factor: float) -> Penalty:
        """The penalty for a loss that was divided by the same factor."""


class L2(Penalty):
    """Σ l2 θ² / 2, with an `l2` of at least 0 for each element of θ."""

    def __init__(self, l2: Vector) -> None:
        self.l2 = l2

    @property
    def is_penalised(self) -> NDArray[np.bool_]:
        """Elements with an l2 above 0."""
        return self.l2 > 0.0

    def value(self, theta: Vector) -> float:
        """Σ l2 θ² / 2."""
        return 0.5 * dot(self.l2 * theta, theta)

    def gradient(self, theta: Vector) -> Vector:
        """``l2 θ``."""
        return self.l2 * theta

    def curvature(self, theta: Vector) -> Vector:  # noqa: ARG002
        """`l2`, at any θ."""
        return self.l2

    def divided_by(self, factor: float) -> L2:
        """The penalty with each l2 divided by a factor."""
        return L2(self.l2 / factor)


def l2_penalty(l2: float | Vector, d: int, outputs: int, *, with_intercept: bool) -> L2:
    """The penalty of the coefficients of d columns, for every output; none for intercepts."""
    columns = np.broadcast_to(np.asarray(l2, np.float64), (d,))
    return L2(np.append(np.tile(columns, outputs), np.zeros(outputs * with_intercept)))
