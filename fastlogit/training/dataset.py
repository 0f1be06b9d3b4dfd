"""Datasets: the rows that a model is trained on, and all passes over them.

`Dataset` is the contract; `ArrayDataset` holds a feature matrix in memory.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

import numpy as np

from fastlogit.matrix import passes
from fastlogit.training import sampling
from fastlogit.training.family import Margins

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from fastlogit.core.linalg import Vector
    from fastlogit.matrix import Matrix
    from fastlogit.training.checkpoint import Checkpoint
    from fastlogit.training.family import Family

# The sums over rows that one pass over X gives, and all that a pass can be made for.
WantedSums = Literal["gradient", "gradient and hessian", "hessian", "hessian diagonal"]
Question = WantedSums | Literal["margins"]

R = TypeVar("R", "Derivatives", "Margins")


class NotFiniteError(ValueError):
    """The loss, or a derivative of it, is not finite at a point where it must be."""


class NoPassLeftError(Exception):
    """X has been read as often as it may be."""


class PassCounter:
    """Counts the rows that were read, of a dataset and of its samples together."""

    def __init__(self) -> None:
        self.rows: int = 0
        # No pass begins that would exceed this.
        self.most_rows: float = math.inf

    def add(self, rows: int) -> None:
        """Count a pass that begins; a `NoPassLeftError` if it would be too many."""
        if self.rows + rows > self.most_rows:
            raise NoPassLeftError
        self.rows += rows

    @contextmanager
    def limit(self, rows: int) -> Iterator[None]:
        """Allow passes over this many rows in all, for a while."""
        before, self.most_rows = self.most_rows, rows
        try:
            yield
        finally:
            self.most_rows = before

    @contextmanager
    def reserve(self, rows: int) -> Iterator[None]:
        """Keep this many rows for later passes."""
        self.most_rows -= rows
        try:
            yield
        finally:
            self.most_rows += rows


class DatasetSums(NamedTuple):
    """Sums over rows, which can be joined with sums over other rows without rounding errors.

    Sums that a pass does not compute are None.  Each has a high and a low word for every part of
    the rows.  Gradient and diagonal are in the order of θ and always include intercepts; the
    Hessian is as :func:`fastlogit.matrix.passes.hessian` returns it.
    """

    loss: passes.PartialSums | None = None
    gradient: passes.PartialSums | None = None
    hessian: passes.PartialSums | None = None
    diagonal: passes.PartialSums | None = None

    def join(self, other: DatasetSums) -> DatasetSums:
        """Sums over these and other rows."""
        joined = [
            passes.PartialSums(np.concatenate([mine.partials, more.partials]))
            if mine and more
            else None
            for mine, more in zip(self, other, strict=True)
        ]
        return DatasetSums(*joined)

    def as_one_part(self) -> DatasetSums:
        """The same sums, in little memory: one part in place of many."""
        return DatasetSums(*(one and one.as_one_part() for one in self))

    def merged(self, size: int, d: int) -> Derivatives:
        """The sums over all parts, with `size` elements of θ."""
        loss, gradient, hessian, diagonal = self
        return Derivatives(
            loss=math.nan if loss is None else float(loss.merged()[0]),
            gradient=gradient and gradient.merged()[:size],
            hessian=hessian and passes.symmetric(hessian, d)[:size, :size],
            diagonal=diagonal and diagonal.merged()[:size],
        )


class Derivatives(NamedTuple):
    """Loss and derivatives, with an element for each element of θ; None if not computed."""

    loss: float
    gradient: Any = None
    hessian: Any = None
    diagonal: Any = None


class Dataset(ABC):
    """Rows with their features, targets, weights and offsets; the only way to read them.

    A subclass decides where the rows are, and implements the abstract methods.  Its `sums` and
    `read_margins` each read X once; `derivatives` and `margins` count these passes, and keep their
    results in a checkpoint if there is one.  For the shapes see
    :class:`fastlogit.training.family.Family`.

    Parameters
    ----------
    family : Family
    n, d : int
        Number of rows and columns.
    total_weight : float
        Sum of the weights; n without weights.
    counter : PassCounter
        Counts all passes over X; a dataset shares it with its samples.
    """

    def __init__(
        self,
        family: Family,
        n: int,
        d: int,
        total_weight: float,
        counter: PassCounter | None = None,
    ) -> None:
        self.family, self.n, self.d, self.total_weight = family, n, d, total_weight
        self.counter = PassCounter() if counter is None else counter
        self._checkpoint: Checkpoint | None = None

    @property
    def pass_count(self) -> int:
        """Number of passes over X; a pass over a sample counts by its share of the rows."""
        return -(-self.counter.rows // self.n)

    def derivatives(self, wanted: WantedSums, theta: Vector) -> Derivatives:
        """Loss and derivatives at θ, in one counted pass over X."""
        return self._counted(wanted, theta, Derivatives)

    def margins(self, theta: Vector) -> Margins:
        """Margins of the rows along θ, in one counted pass over X.

        Offsets, and rows without a weight, do not count.
        """
        return self._counted("margins", theta, Margins)

    def keep_results(self, checkpoint: Checkpoint) -> None:
        """Keep the results of passes in a checkpoint, and take those that it has from there.

        If nothing has told yet that it is of the same rows, its first pass is made again for that.
        """
        if not checkpoint.is_identified:
            checkpoint.begin({"the rows": [self.n, self.d, self.class_weights.tolist()]})
            with np.errstate(over="ignore", invalid="ignore"):
                checkpoint.must_agree(self._read)
        self._checkpoint = checkpoint

    def _counted(self, question: Question, theta: Vector, kind: type[R]) -> R:
        """The result of a counted pass over X."""
        self.counter.add(self.n)
        if self._checkpoint is None:
            found: R = self._read(question, theta)
            return found
        return self._checkpoint.recall(question, theta, kind, self._read)

    def _read(self, question: Question, theta: Vector) -> Any:
        """The result of a pass over X that is not counted."""
        if question == "margins":
            return self.read_margins(theta)
        return self.sums(question, theta).merged(theta.size, self.d)

    @abstractmethod
    def sums(self, wanted: WantedSums, theta: Vector) -> DatasetSums:
        """Sums of the loss and its derivatives at θ, in one pass over X that is not counted."""

    @abstractmethod
    def read_margins(self, theta: Vector) -> Margins:
        """Margins of the rows along θ, in one pass over X that is not counted."""

    @property
    @abstractmethod
    def loss_at_zero(self) -> float:
        """Loss where all of θ is 0, without a pass over X."""

    @property
    @abstractmethod
    def class_weights(self) -> Vector:
        """Σ weight P(class) of each class, without a pass over X."""

    @property
    def cheap_sample(self) -> int:
        """Size of a sample whose passes take much less time than a pass over all rows."""
        return 0

    @property
    def centres(self) -> Vector:
        """The number that is subtracted from each column as it is read."""
        return np.zeros(self.d)

    @abstractmethod
    def sample(self, size: int, seed: int) -> tuple[Dataset, float]:
        """Draw about `size` rows that have a weight.

        Returns them, and the factor by which their sums estimate the sums over all rows.  The same
        seed gives the same rows.
        """

    @abstractmethod
    def first_not_finite(self) -> tuple[int, int, float] | None:
        """Row, column and value of the first element of X that is NaN or infinite."""


class ArrayDataset(Dataset):
    """A feature matrix in memory, with arrays of targets, weights and offsets."""

    def __init__(
        self,
        family: Family,
        X: Matrix,
        t: NDArray[Any],
        weight: NDArray[Any] | None = None,
        offset: NDArray[Any] | None = None,
        *,
        threads: int = 1,
        counter: PassCounter | None = None,
    ) -> None:
        n, d = X.shape
        total = float(n if weight is None else np.sum(weight, dtype=np.float64))
        super().__init__(family, n, d, total, counter)
        self.X, self.t, self.weight, self.offset = X, t, weight, offset
        self.threads = threads
        self._data = passes.PassInput(X, t, weight, offset, threads)

    def sums(self, wanted: WantedSums, theta: Vector) -> DatasetSums:
        """Sums of the loss and its derivatives at θ, by a pass over X."""
        model = self._model(theta)
        if wanted == "hessian":
            return DatasetSums(hessian=passes.hessian(model, self._data))
        if wanted == "hessian diagonal":
            return DatasetSums(diagonal=passes.hessian_diagonal(model, self._data))
        order = 2 if wanted == "gradient and hessian" else 1
        found = passes.derivatives(model, self._data, order)
        return DatasetSums(found.loss, found.gradient, found.hessian if order == 2 else None)

    def read_margins(self, theta: Vector) -> Margins:
        """Margins of the rows that have a weight."""
        return self.family.margins(self._weighted(self._logits(theta)), self._weighted(self.t))

    @cached_property
    def loss_at_zero(self) -> float:
        """Loss of the offsets alone."""
        shape = self.family.logits_shape(self.n)
        logits = np.broadcast_to(0.0, shape) if self.offset is None else self.offset
        return self.family.log_loss(logits, self.t, self.weight, self.threads)

    @cached_property
    def class_weights(self) -> Vector:
        """Σ weight P(class) of each class."""
        return self.family.class_weights(self.t, self.weight)

    @property
    def centres(self) -> Vector:
        """Centres of the columns of X."""
        return self.X.centres

    def sample(self, size: int, seed: int) -> tuple[ArrayDataset, float]:
        """Draw rows uniformly, or by their share of rare columns; see `sampling`."""
        rng = np.random.default_rng(seed)
        rows = None if self.weight is None else np.flatnonzero(self.weight > 0.0)
        n = self.n if rows is None else rows.size
        drawn = sampling.draw_uniformly(n, size, rng)
        size = drawn.size
        uniform = self.take(drawn if rows is None else rows[drawn])
        factors = sampling.rare_column_factors(uniform.X.count_nonzero(), size, n)
        if factors is None:
            return uniform, n / size
        self.counter.add(self.n)
        scores = self.scores(factors)
        if not scores.any():
            return uniform, n / size
        chances = sampling.chances_by_score(scores, self.weight, size)
        chosen = sampling.draw_by_chance(chances, rng)
        return self.take(chosen, 1.0 / chances[chosen]), 1.0

    def take(self, rows: NDArray[np.int64], factors: Vector | None = None) -> ArrayDataset:
        """Copy some rows, with weights multiplied by factors."""
        weight = None if self.weight is None else self.weight[rows]
        if factors is not None:
            weight = factors if weight is None else weight * factors
        return ArrayDataset(
            self.family,
            self.X.sample(rows, self.threads),
            self.t[rows],
            weight,
            None if self.offset is None else self.offset[rows],
            threads=self.threads,
            counter=self.counter,
        )

    def first_not_finite(self) -> tuple[int, int, float] | None:
        """Row, column and value of the first element of X that is NaN or infinite."""
        return self.X.first_not_finite()

    def _model(self, theta: Vector) -> passes.LinearModel:
        """The family with the coefficients and intercepts of θ, as the kernels read them."""
        coef, intercept = self.family.split(theta, self.d)
        padded = passes.with_zeros(coef)
        return passes.LinearModel(self.family.kernel_family, padded, intercept, float32=False)

    def _logits(self, theta: Vector) -> Vector:
        """``[X | 1] θ``, without offsets."""
        logits = np.empty(self.family.logits_shape(self.n))
        data = self._data._replace(t=None, weight=None, offset=None)
        passes.score(self._model(theta), data, logits, probability=False)
        return logits

    def _weighted(self, values: NDArray[Any]) -> NDArray[Any]:
        return values if self.weight is None else values[self.weight > 0.0]

    def scores(self, factors: Vector) -> Vector:
        """(Σ factor x)² of each row, or 0 for rows without a weight, in a pass over X."""
        theta = np.zeros(self.family.outputs * self.d)
        theta[: self.d] = factors
        with np.errstate(over="ignore"):
            scores: Vector = np.square(self._logits(theta).reshape(self.n, -1)[:, 0])
        if self.weight is not None:
            scores[self.weight <= 0.0] = 0.0
        if not np.isfinite(scores.sum()):
            raise NotFiniteError
        return scores
