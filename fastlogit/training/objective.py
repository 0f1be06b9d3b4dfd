"""What training minimises: the penalised loss over coefficients and intercept, read by read.

    f(θ) = Σ weight [t softplus(-z) + (1 - t) softplus(z)] + Σ l2 θ²/2,   z = [X | 1] θ + offset

θ holds the coefficients and, if the model has one, the intercept last.  Every value and every
derivative comes from one read of X (:mod:`fastlogit.linear`), and the reads are counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit import linear, losses
from fastlogit.core.linalg import invert

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fastlogit.core.linalg import Matrix, Vector
    from fastlogit.matrix import Matrix as FeatureMatrix


class NotFiniteError(ValueError):
    """f or a derivative of it is not finite where a solver begins."""


class NoReadLeftError(Exception):
    """X has been read as often as it may be."""


def dot(a: Vector, b: Vector) -> float:
    """Σ a b, without BLAS.

    Its threads, which long vectors wake, then wait for more on cores that the next read of X
    needs; and its result depends on how many there are.
    """
    return float(np.einsum("i,i", a, b))


@dataclass(frozen=True, eq=False)
class Point:
    """θ, and what a read of X tells of it."""

    theta: Vector
    # f, and the loss alone, without the penalty.
    value: float
    loss: float
    gradient: Vector
    # None where it was not asked for.
    hessian: Matrix | None

    @cached_property
    def newton_step(self) -> Vector:
        """-H⁻¹ g, of a point with a Hessian."""
        assert self.hessian is not None
        return -invert(self.hessian)(self.gradient)


class Objective:
    """f over rows of X; `penalties` has an element for each of θ."""

    def __init__(
        self,
        X: FeatureMatrix,
        t: NDArray[Any],
        weight: NDArray[Any] | None,
        offset: NDArray[Any] | None,
        penalties: Vector,
        threads: int,
    ) -> None:
        self.X, self.t, self.weight, self.offset = X, t, weight, offset
        self.penalties, self.threads = penalties, threads
        self.n, self.d = X.shape
        self.total = float(self.n if weight is None else np.sum(weight, dtype=np.float64))
        # Of all reads together, also of samples; and how many may be read.
        self.rows_read, self.most_rows = 0, math.inf

    @property
    def reads(self) -> int:
        """How often all of X was read, or as many rows; one that was begun counts."""
        return -(-self.rows_read // self.n)

    @cached_property
    def value_at_zero(self) -> float:
        """Value of f where all of θ is 0, which does not depend on X."""
        z = np.zeros(self.n) if self.offset is None else self.offset
        return losses.log_loss(z, self.t, self.weight, threads=self.threads)

    def gradient_norm(self, point: Point) -> float:
        """Largest element of the gradient of f / Σ weight."""
        return float(np.abs(point.gradient).max()) / self.total

    @np.errstate(over="ignore", invalid="ignore")
    def at(self, theta: Vector, *, hessian: bool = False) -> Point:
        """Evaluate f, its gradient and, where wanted, its Hessian, in one read of X."""
        coef, intercept, given = self._arguments(theta)
        matrix = None
        if hessian:
            loss, gradient, matrix = linear.log_loss_gradient_hessian(
                self.X, self.t, coef, intercept, **given
            )
            matrix = self._penalised(matrix)
        else:
            loss, of_coef, last = linear.log_loss_gradient(self.X, self.t, coef, intercept, **given)
            gradient = np.append(of_coef, last)
        ridge = self.penalties * theta
        value = loss + 0.5 * dot(ridge, theta)
        return Point(theta, value, loss, gradient[: theta.size] + ridge, matrix)

    def start(self, theta: Vector, *, hessian: bool = False) -> Point:
        """Evaluate f where a solver begins: there all must be finite."""
        point = self.at(theta, hessian=hessian)
        parts = (point.value, point.gradient, 0.0 if point.hessian is None else point.hessian)
        if not all(np.isfinite(part).all() for part in parts):
            raise NotFiniteError
        return point

    def hessian(self, theta: Vector) -> Matrix:
        """Hessian of f, in one read of X."""
        coef, intercept, given = self._arguments(theta)
        return self._penalised(
            linear.hessian(self.X, coef, intercept, with_intercept=True, **given)
        )

    def hessian_diagonal(self, theta: Vector) -> Vector:
        """Diagonal of the Hessian of f, in one read of X."""
        coef, intercept, given = self._arguments(theta)
        diagonal = linear.hessian_diagonal(self.X, coef, intercept, with_intercept=True, **given)
        return diagonal[: theta.size] + self.penalties

    def logits(self, theta: Vector) -> Vector:
        """``[X | 1] θ``, without offsets, in one read of X."""
        coef, intercept, _ = self._arguments(theta)
        return linear.decision(self.X, coef, intercept, threads=self.threads)

    def of_rows(self, rows: NDArray[np.int64], factor: Vector | float) -> Objective:
        """An estimate of f from some rows, each of which stands for `factor` rows.

        Where that is one number, it is an estimate of f / factor.
        """
        weight, penalties = self.weight, self.penalties
        if isinstance(factor, float):
            weight = None if weight is None else weight[rows]
            penalties = penalties / factor
        else:
            weight = factor if weight is None else weight[rows] * factor
        return Objective(
            self.X.sample(rows, self.threads),
            self.t[rows],
            weight,
            None if self.offset is None else self.offset[rows],
            penalties,
            self.threads,
        )

    def _arguments(self, theta: Vector) -> tuple[Vector, float, dict[str, Any]]:
        """Coefficients, intercept and keywords for a read of X, which is counted."""
        if self.rows_read + self.n > self.most_rows:
            raise NoReadLeftError
        self.rows_read += self.n
        intercept = float(theta[self.d]) if theta.size > self.d else 0.0
        given = {"weight": self.weight, "offset": self.offset, "threads": self.threads}
        return theta[: self.d], intercept, given

    def _penalised(self, hessian: Matrix) -> Matrix:
        size = self.penalties.size
        return hessian[:size, :size] + np.diag(self.penalties)
