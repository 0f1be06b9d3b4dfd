"""What the fields of a model may hold: each function checks one, and gives it back normalised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit import arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Numbers that are not negative, or NaN where they are not known.
MEASURED = ("log_loss", "null_log_loss", "total_weight", "gradient_norm", "seconds")


class History(NamedTuple):
    """What each read of X found, a tuple of as many numbers for each.

    Attributes
    ----------
    passes : tuple of int
        Reads of X so far.
    objective : tuple of float
        Mean loss plus penalty at the point that was tried.
    gradient_norm : tuple of float
        Largest element of its gradient.
    step : tuple of float
        How much of the solver's step was taken to get there.
    seconds : tuple of float
        Since training began.
    """

    passes: tuple[int, ...]
    objective: tuple[float, ...]
    gradient_norm: tuple[float, ...]
    step: tuple[float, ...]
    seconds: tuple[float, ...]


def checked_classes(classes: Any) -> tuple[Any, Any]:
    """Two different labels, as Python's own types."""
    if isinstance(classes, str) or not isinstance(classes, Iterable):
        raise TypeError(f"classes must be two labels; got {classes!r}")
    result = tuple(one.item() if isinstance(one, np.generic) else one for one in classes)
    if len(result) != 2 or result[0] == result[1]:
        raise ValueError(f"classes must be two different labels; got {arrays.short(result)}")
    for label in result:
        if not isinstance(label, bool | int | float | str) or label != label:
            raise TypeError(f"classes must be bool, int, float or str; got {arrays.short(label)}")
        if isinstance(label, int) and not -(2**63) <= label < 2**63:
            raise ValueError(f"classes must be of 64 bits; got {arrays.short(label)}")
    if isinstance(result[0], str) != isinstance(result[1], str):
        raise TypeError(f"classes must be of the same kind; got {arrays.short(result)}")
    return result


def checked_l2(l2: Any, d: int) -> float | NDArray[np.float64]:
    """One penalty, or one for each coefficient."""
    if np.ndim(l2) == 0:
        return arrays.not_negative(l2, "l2")
    penalties = arrays.vector(l2, "l2", d, "coefficient").astype(np.float64)
    for value in penalties:
        arrays.not_negative(value, "l2")
    penalties.flags.writeable = False
    return penalties


def checked_names(names: Any, d: int) -> tuple[str, ...]:
    """Feature names as a tuple of `d` different strings."""
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise TypeError(f"feature_names must be a sequence of strings; got {names!r}")
    result = tuple(names)
    if len(result) != d:
        raise ValueError(
            f"feature_names must have one name for each column, {d}; got {len(result)}"
        )
    for name in result:
        if not isinstance(name, str):
            raise TypeError(f"feature_names must be strings; got {arrays.short(name)}")
    if len(set(result)) < d:
        raise ValueError(
            f"feature_names must differ; got {arrays.short(repeated(result))} more than once"
        )
    return result


def repeated(names: Iterable[str]) -> str:
    """The first of some names that is there more than once."""
    return next(name for name, count in Counter(names).items() if count > 1)
