"""The objective f that training minimises, and its derivatives at a point.

    f(θ) = Σ weight ξ(logits of a row, its target) + penalty(θ),   logits = [X | 1] θ + offset

It adds the derivatives from a :class:`fastlogit.training.dataset.Dataset` and a
:class:`fastlogit.training.penalty.Penalty`.  Its Hessians have the gauge of the family fixed (see
:class:`fastlogit.training.family.Family`).  It knows neither where the rows are nor how many
classes there are.  `evaluate`, `hessian` and `hessian_diagonal` each read X once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fastlogit.core.linalg import invert
from fastlogit.kernels.passes import hessian_size
from fastlogit.training.dataset import NotFiniteError

if TYPE_CHECKING:
    from fastlogit.core.linalg import SquareMatrix, Vector
    from fastlogit.training.dataset import Dataset, WantedSums
    from fastlogit.training.penalty import Penalty

# The Hessian of more coefficients is not formed.  For several outputs, the passes round columns up
# to eight; a Hessian with more rows after that is not formed either, as it would take over 64 MB.
MOST_COEFFICIENTS, _MOST_TILED = 1000, 2000


@dataclass(frozen=True, eq=False)
class Point:
    """θ, and f and its derivatives there."""

    theta: Vector
    value: float
    # The loss of the rows, without the penalty.
    loss: float
    # Of f; of a penalty with kinks, only the smooth part counts.
    gradient: Vector
    # None if it was not computed.
    hessian: SquareMatrix | None

    @cached_property
    def newton_step(self) -> Vector:
        """-H⁻¹ g, of a point with a Hessian."""
        assert self.hessian is not None
        return -invert(self.hessian)(self.gradient)


class Objective:
    """f over the rows of a dataset.

    Parameters
    ----------
    dataset : Dataset
    penalty : Penalty
    with_intercept : bool
        Whether the model has intercepts.

    Attributes
    ----------
    coefficients : int
        Number of coefficients, the first elements of θ.
    size : int
        Number of elements of θ, including intercepts.
    """

    def __init__(self, dataset: Dataset, penalty: Penalty, *, with_intercept: bool) -> None:
        self.dataset, self.penalty, self.with_intercept = dataset, penalty, with_intercept
        outputs = dataset.family.outputs
        self.coefficients = outputs * dataset.d
        self.size = self.coefficients + outputs * with_intercept

    @property
    def forms_hessian(self) -> bool:
        """Whether there are few enough coefficients for a Hessian."""
        outputs = self.dataset.family.outputs
        tiled = outputs * hessian_size(self.dataset.d)
        return self.coefficients <= MOST_COEFFICIENTS and (outputs == 1 or tiled <= _MOST_TILED)

    @property
    def penalises_every_coefficient(self) -> bool:
        """Whether the penalty keeps every coefficient finite."""
        return bool(self.penalty.is_penalised[: self.coefficients].all())

    @cached_property
    def value_at_zero(self) -> float:
        """Value of f where all of θ is 0, without a pass over X."""
        return self.dataset.loss_at_zero + self.penalty.value(np.zeros(self.size))

    def gradient_norm(self, point: Point) -> float:
        """Largest element of the optimality residual, divided by Σ weight."""
        residual = self.penalty.residual(point.theta, point.gradient)
        return float(np.abs(residual).max()) / self.dataset.total_weight

    @np.errstate(over="ignore", invalid="ignore")
    def evaluate(self, theta: Vector, *, hessian: bool = False) -> Point:
        """Point at θ, with the Hessian if wanted, in one pass over X."""
        wanted: WantedSums = "gradient and hessian" if hessian else "gradient"
        found = self.dataset.derivatives(wanted, theta)
        return Point(
            theta,
            found.loss + self.penalty.value(theta),
            found.loss,
            found.gradient + self.penalty.gradient(theta),
            self._penalised(found.hessian, theta) if hessian else None,
        )

    def evaluate_start(self, theta: Vector, *, hessian: bool = False) -> Point:
        """Point where a solver begins; a `NotFiniteError` if f or a derivative is not finite."""
        point = self.evaluate(theta, hessian=hessian)
        results = (point.value, point.gradient, 0.0 if point.hessian is None else point.hessian)
        if not all(np.isfinite(result).all() for result in results):
            raise NotFiniteError
        return point

    def hessian(self, theta: Vector) -> SquareMatrix:
        """Hessian of f, in one pass over X."""
        return self._penalised(self.dataset.derivatives("hessian", theta).hessian, theta)

    def hessian_diagonal(self, theta: Vector) -> Vector:
        """Diagonal of the Hessian of f, in one pass over X."""
        diagonal: Vector = self.dataset.derivatives("hessian diagonal", theta).diagonal
        return diagonal + self.penalty.curvature(theta)

    def sample(self, size: int, seed: int) -> Objective:
        """Objective of about `size` sampled rows; it estimates f divided by a constant."""
        dataset, factor = self.dataset.sample(size, seed)
        penalty = self.penalty.divided_by(factor)
        return Objective(dataset, penalty, with_intercept=self.with_intercept)

    def _penalised(self, hessian: SquareMatrix, theta: Vector) -> SquareMatrix:
        penalised = hessian + np.diag(self.penalty.curvature(theta))
        is_penalised = self.penalty.is_penalised[: self.dataset.d]
        return self.dataset.family.fix_gauge(penalised, is_penalised)
