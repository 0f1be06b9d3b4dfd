"""Predictions from logits: (n,) of two classes, or (n, K) of K classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastlogit.classes import log_softmax, softmax
from fastlogit.core import checks
from fastlogit.elementwise import log_sigmoid, sigmoid

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, SupportsIndex

    from numpy.typing import NDArray

    Logits = NDArray[np.float64]


# The default; K classes take no other.
_THRESHOLD = 0.5


def probabilities(logits: Logits, threads: SupportsIndex | None = None) -> NDArray[np.float64]:
    """The probability of each class, (n, 2) or (n, K), exact in its own tail."""
    if logits.ndim == 1:
        return _both_classes(sigmoid, logits, threads)
    return softmax(logits, threads=threads)


def log_probabilities(logits: Logits, threads: SupportsIndex | None = None) -> NDArray[np.float64]:
    """The logarithms of the probabilities, (n, 2) or (n, K)."""
    if logits.ndim == 1:
        return _both_classes(log_sigmoid, logits, threads)
    return log_softmax(logits, threads=threads)


def log_odds(logits: Logits, threads: SupportsIndex | None = None) -> NDArray[np.float64]:
    """log(p / (1 - p)) of each of K classes, (n, K), with all digits where p is near 0 or near 1.

    Finite also where p is too small for float64; inf where 1 - p is, and -inf for a logit of -inf.
    """
    log_p = log_softmax(logits, threads=threads)
    with np.errstate(divide="ignore"):
        odds: NDArray[np.float64] = log_p - np.log(-np.expm1(log_p))
    return odds


def _both_classes(
    function: Callable[..., Any], z: Logits, threads: SupportsIndex | None
) -> NDArray[Any]:
    """A function of -z and of z as an array (n, 2), each column exact in its own tail."""
    result = np.empty((z.size, 2), z.dtype)
    function(-z, out=result[:, 0], threads=threads)
    function(z, out=result[:, 1], threads=threads)
    return result


def checked_threshold(threshold: float, classes: tuple[Any, ...]) -> float:
    """A threshold in [0, 1], for two classes; K classes have none but the default."""
    if len(classes) > 2 and threshold != _THRESHOLD:
        raise ValueError(f"threshold must go with two classes; the model has {len(classes)}")
    return checks.probability(threshold, "threshold")


def class_numbers(
    logits: Logits, threshold: float = _THRESHOLD, threads: SupportsIndex | None = None
) -> NDArray[np.intp]:
    """The class of each row, or -1 where its probability is NaN.

    Of two classes the second, if its probability is above `threshold`.  Of K classes the most
    probable one, or the first of them; these have no threshold.
    """
    numbers: NDArray[np.intp]
    if logits.ndim == 1:
        y = sigmoid(logits, threads=threads)
        numbers = (y > threshold).astype(np.intp)
        numbers[np.isnan(y)] = -1
    else:
        numbers = np.argmax(logits, axis=1)  # NaN counts as the largest
        largest = np.take_along_axis(logits, numbers[:, np.newaxis], axis=1)[:, 0]
        numbers[~np.isfinite(largest)] = -1
    return numbers


def labels(numbers: NDArray[np.intp], classes: tuple[Any, ...]) -> NDArray[Any]:
    """The labels of class numbers; a ValueError names the first row that has none."""
    if (numbers < 0).any():
        row = int(np.argmax(numbers < 0))
        raise ValueError(f"X gives no label in row {row}: its probability is NaN")
    found: NDArray[Any] = np.array(classes)[numbers]
    return found
