"""X as a row-major array of any dtype but float16."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.kernels import lanes
from fastlogit.kernels.layouts.rows import CentredRows
from fastlogit.matrix.base import Matrix

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from fastlogit.matrix.base import Layout


@dataclass(frozen=True)
class RowMatrix(Matrix):
    """A row-major array.

    Attributes
    ----------
    X : ndarray (n, d)
    padded_centres : ndarray or None
        Centres, then zeros up to whole vectors; None if there are none.
    """

    X: NDArray[Any]
    padded_centres: NDArray[np.float64] | None = None

    @property
    def multiplies_float32(self) -> bool:
        return self.dtype == np.float32 and self.padded_centres is None

    @property
    def arrays(self) -> Mapping[str, NDArray[Any]]:
        return {"X": self.X}

    def layouts(self, rows: slice) -> Iterator[tuple[slice, Layout]]:
        X, centres = self.X[rows], self.padded_centres
        yield rows, X if centres is None else CentredRows(X, centres)

    def sample(self, rows: NDArray[np.int64], threads: int) -> Matrix:  # noqa: ARG002
        return replace(self, shape=(rows.size, self.shape[1]), X=self.X[rows])

    def count_nonzero(self) -> NDArray[np.int64]:
        counts: NDArray[np.int64] = np.count_nonzero(self.X, axis=0)
        return counts

    @property
    def centres(self) -> NDArray[np.float64]:
        known = self.padded_centres
        return super().centres if known is None else known[: self.shape[1]]

    def subtract(
        self,
        centres: NDArray[np.float64],
        weight: NDArray[np.float64] | None = None,  # noqa: ARG002
    ) -> Matrix:
        padded = np.zeros(lanes.round_up(centres.size))
        padded[: centres.size] = centres
        return replace(self, padded_centres=padded)

    def full_columns(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        return np.arange(self.shape[1]), self.X.astype(np.float64)


def from_array(X: NDArray[Any]) -> Matrix:
    """Matrix of a row-major array, already checked."""
    return RowMatrix(X.shape, X.dtype, None, X)
