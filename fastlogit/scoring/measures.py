"""Parts of an evaluation that do not depend on the number of classes: calibration, JSON."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit.scoring.model_columns import without_score

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Bins of a calibration table.
_BINS = 10


class Bin(NamedTuple):
    """The rows with a probability from `least` to below `most`."""

    least: float
    most: float
    rows: int
    mean_probability: float
    mean_target: float


class Known(NamedTuple):
    """Logits and class numbers of rows that have both."""

    z: NDArray[np.float64]
    t: NDArray[np.float64]
    # The number of other rows.
    skipped: int


def known_rows(z: NDArray[np.float64], t: NDArray[np.float64]) -> Known:
    """The rows whose logits z and class numbers t are not NaN."""
    absent = without_score(z) | np.isnan(t)
    skipped = int(np.count_nonzero(absent))
    return Known(z[~absent], t[~absent], skipped) if skipped else Known(z, t, 0)


class Calibration:
    """Collects probabilities and targets of one class or several, in bins of the probability."""

    def __init__(self, classes: int = 1) -> None:
        # Rows, and sums of their probabilities and targets.
        self.sums = np.zeros((3, classes, _BINS))

    def add(
        self, y: NDArray[np.float64], rows: NDArray[np.intp], k: NDArray[np.intp] | int = 0
    ) -> None:
        """Add the probabilities y (n, classes); `rows` have the label of class k."""
        _, count, _ = self.sums.shape
        bins = np.minimum((y * _BINS).astype(np.intp), _BINS - 1) + _BINS * np.arange(count)
        added = (
            np.bincount(bins.ravel(), minlength=count * _BINS),
            np.bincount(bins.ravel(), y.ravel(), count * _BINS),
            np.bincount(bins[rows, k], minlength=count * _BINS),
        )
        self.sums += np.reshape(added, self.sums.shape)

    def merge(self, other: Calibration) -> Calibration:
        """The calibration of these and of other rows, as a new object."""
        both = Calibration()
        both.sums = self.sums + other.sums
        return both

    def result(self) -> list[list[Bin]]:
        """The bins of each class, those with rows."""
        edges = np.linspace(0.0, 1.0, _BINS + 1).tolist()
        return [
            [
                Bin(edges[i], edges[i + 1], int(count), y / count, t / count)
                for i, (count, y, t) in enumerate(sums.T.tolist())
                if count
            ]
            for sums in self.sums.transpose(1, 0, 2)
        ]


def as_json(measures: Any) -> str:
    """A NamedTuple as JSON, with null for NaN and infinity."""
    return json.dumps(_plain(measures), indent=1)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value
