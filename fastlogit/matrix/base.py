"""The base class of every X: the methods that every matrix must have."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.kernels import passes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Layout = Any  # an instance of a class in kernels.layouts.MODULES

# Fewest elements of a part of X, which take about 0.5 ms to read.
PART_ELEMENTS = 1 << 20
# A larger part is read in several calls of about 2 ms, so that an interrupt need not wait long.
# Each call costs 25 µs.
CALL_ELEMENTS = 1 << 22
# Elements that `first_not_finite` copies at a time.
_COPIED_ELEMENTS = 1 << 20


def even(count: int) -> int:
    """`count` rounded down to an even number, so that two threads have equal shares; at least 1."""
    return max(1, count // 2 * 2)


@dataclass(frozen=True)
class Matrix(ABC):
    """X (n, d), checked, as the kernels read it in place.

    A subclass knows where X is and how its rows are passed to the kernels.  It implements `arrays`,
    `layouts`, `sample` and `subtract`.  A class whose instances `sample` returns also implements
    `count_nonzero` and `full_columns`.  Instances are never changed.

    Attributes
    ----------
    shape : tuple (n, d)
        Neither is 0.
    dtype : dtype or None
        Of all columns, or None if they differ.
    names : sequence of str or None
        Of the columns, if X has names.
    """

    shape: tuple[int, int]
    dtype: np.dtype[Any] | None
    names: Sequence[str] | None

    # Splitting ----------------------------------------------------------------------------

    @property
    def elements(self) -> int:
        """Number of stored elements."""
        return self.shape[0] * self.shape[1]

    @property
    def multiplies_float32(self) -> bool:
        """Whether kernels take float32 coefficients, and form products with them in float32."""
        return False

    @property
    def whole_rows(self) -> int:
        """Parts and kernel calls begin at multiples of this, so blocks begin at the same rows."""
        return 8

    def parts(self, most: int) -> list[slice]:
        """Split the rows into at most `most` slices, which depend on X alone."""
        n = self.shape[0]
        if self.elements < 2 * PART_ELEMENTS:  # first, as short calls count
            return [slice(0, n)]
        whole = self.whole_rows
        count = even(min(most, self.elements // PART_ELEMENTS))
        rows = -(-n // (count * whole)) * whole
        return [slice(start, min(start + rows, n)) for start in range(0, n, rows)]

    def kernel_calls(self, part: slice) -> Iterator[tuple[slice, Layout]]:
        """Split a part into slices small enough for one kernel call, each with its layout."""
        if 2 * self.elements <= CALL_ELEMENTS:  # surely one call; short calls count
            yield from self.layouts(part)
            return
        wanted = CALL_ELEMENTS * self.shape[0] // max(1, self.elements)
        rows = max(1, wanted // self.whole_rows) * self.whole_rows
        for start in range(part.start, part.stop, rows):
            yield from self.layouts(slice(start, min(start + rows, part.stop)))

    @abstractmethod
    def layouts(self, rows: slice) -> Iterator[tuple[slice, Layout]]:
        """Split rows where their storage changes; yield each slice with its layout."""

    # Contents -----------------------------------------------------------------------------

    @property
    @abstractmethod
    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Arrays that an `out` must not overlap, by the names that messages use."""

    @abstractmethod
    def sample(self, rows: NDArray[np.int64], threads: int) -> Matrix:
        """Copy the rows of these numbers, which do not decrease."""

    def count_nonzero(self) -> NDArray[np.int64]:
        """Number of elements of each column that are not 0, (d,)."""
        raise NotImplementedError

    def check(self, threads: int) -> None:  # noqa: B027  by default all is checked before
        """Check what kernels otherwise check as they read; errors name the place."""

    def first_not_finite(self) -> tuple[int, int, float] | None:
        """Row, column and value of the first element that is NaN or infinite."""
        n, d = self.shape
        step = max(1, _COPIED_ELEMENTS // d)
        copies = np.empty((min(step, n), d))
        for start in range(0, n, step):
            for here, X in self.layouts(slice(start, min(start + step, n))):
                values = copies[: here.stop - here.start]
                passes.unpack(X, values)
                if not np.isfinite(values).all():
                    row, column = np.argwhere(~np.isfinite(values))[0]
                    return here.start + int(row), int(column), float(values[row, column])
        return None

    # Centring -----------------------------------------------------------------------------

    @property
    def centres(self) -> NDArray[np.float64]:
        """Number that is subtracted from each column as it is read, (d,)."""
        return np.zeros(self.shape[1])

    @abstractmethod
    def subtract(
        self, centres: NDArray[np.float64], weight: NDArray[np.float64] | None = None
    ) -> Matrix:
        """X with a number subtracted from each column as it is read, in place of its centres.

        Rows of weight 0 may then be read wrongly.  See :mod:`fastlogit.matrix.centring`.
        """

    def useful_centres(
        self,
        centres: NDArray[np.float64],
        weight: NDArray[np.float64] | None,  # noqa: ARG002
    ) -> NDArray[np.float64]:
        """The centres that are worth subtracting, 0 for all other columns."""
        return centres

    def full_columns(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Numbers of the columns that are stored in nearly every row, and their elements."""
        raise NotImplementedError
