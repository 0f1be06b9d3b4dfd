"""Checks of the arguments of a prediction: the columns of X, the offset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.core import arrow
from fastlogit.core.checks import listed
from fastlogit.core.warning import warn_caller
from fastlogit.matrix import Matrix, as_matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastlogit.core.checks import Missing


class OffsetWarning(UserWarning):
    """A model that was trained with an offset predicts without one."""


def checked_matrix(X: Any, names: Sequence[str] | None, d: int, missing: Missing) -> Matrix:
    """X as a matrix with the model's `d` columns; names are compared if both sides have them."""
    given = as_matrix(X, missing)
    if given.names is not None and names is not None:
        check_columns(list(map(str, given.names)), names)
    if given.shape[1] != d:
        raise ValueError(
            f"X must have {d} columns, as the model has coefficients; got {given.shape[1]}"
        )
    return given


def check_columns(given: Sequence[str], wanted: Sequence[str]) -> None:
    """Check that X has the columns that are wanted, in the same order."""
    found, known = set(given), set(wanted)
    absent = [name for name in wanted if name not in found]
    if absent:
        raise ValueError(f"X must have all columns of the model; missing {listed(absent)}")
    unknown = [name for name in given if name not in known]
    if unknown:
        raise ValueError(f"X must have only columns of the model; got also {listed(unknown)}")
    for place, (name, other) in enumerate(zip(given, wanted, strict=True)):
        if name != other:
            raise ValueError(
                f"X must have its columns in the order of the model's feature_names: column "
                f"{place} must be {other!r}; got {name!r} (X[list(model.feature_names)] reorders a "
                "data frame)"
            )


def offset_array(offset: Any, missing: Missing) -> Any:
    """An offset whose nulls, of Arrow or pandas, are NaN or an error; others are unchanged."""
    is_plain = isinstance(offset, str | list | tuple) or not hasattr(offset, "__len__")
    if is_plain or isinstance(getattr(offset, "dtype", None), np.dtype):
        return offset  # checked where it is used
    return arrow.floats(offset, "offset", missing)


def warn_without_offset(model: Any, offset: object) -> None:
    """Warn the caller if a model was trained with an offset and predicts without one."""
    if model.with_offset and offset is None:
        warn_caller(
            OffsetWarning(
                "offset must be given, as the model was trained with one; without it, the model "
                "predicts as if it were 0"
            )
        )
