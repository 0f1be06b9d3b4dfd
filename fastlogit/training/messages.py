"""Warnings and errors about the optimum, and their texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from fastlogit.core.checks import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

# Most columns that a message names.
_NAMED = 8


class ConvergenceWarning(UserWarning):
    """Training ended before it was close enough to the optimum."""


class SeparationWarning(UserWarning):
    """The labels can be separated, so no coefficients are the best."""


class SeparationError(ValueError):
    """Raised in place of `SeparationWarning` with ``on_separation="raise"``."""


class CollinearityWarning(UserWarning):
    """Columns are linear combinations of others, so no coefficients are the only best ones."""


class Names(NamedTuple):
    """What messages call columns and classes."""

    # None for numbers.
    columns: Sequence[str] | None
    # Number of columns, which stands for the intercept.
    d: int
    classes: Sequence[Any]


def separated(columns: list[int], classes: list[int], names: Names) -> str:
    """Which columns separate the labels, or which classes from the others; and the remedy."""
    label = "labels" if len(classes) > 1 else "label"
    labels = f"{label} {listed([names.classes[k] for k in classes])}"
    if columns == [names.d]:
        if len(names.classes) == 2:
            return "the labels are all the same, so the intercept would have to be infinite"
        return (
            f"no row with a weight has the {labels}, so an intercept would have to be infinite; "
            "leave out the class and its rows"
        )
    which = f"{labels} can be separated from the others" if classes else "labels can be separated"
    return (
        f"the {which}, mainly by {_named(columns, names)}, so coefficients would have to be "
        "infinite; raise l2 above 0, or leave columns out"
    )


def collinear(columns: list[int], names: Names) -> str:
    """Which columns are linear combinations of others, and the remedy."""
    return (
        f"collinear: {_named(columns, names)} can be made from other columns (or the "
        "intercept), so other coefficients are as good, and these are the shortest; leave "
        "columns out, or raise l2 above 0"
    )


def nearly_collinear(columns: list[int], names: Names) -> str:
    """Which columns are nearly linear combinations of others, and the remedy."""
    return (
        f"nearly collinear: {_named(columns, names)} can almost be made from other columns (or "
        "the intercept), so rounding errors spoil the standard errors, which are NaN; centre "
        "columns that are far from 0, leave columns out, or raise l2 above 0"
    )


def lost(columns: list[int], names: Names) -> str:
    """Which columns rounding errors leave undetermined, and the remedy."""
    named = "the intercept" if columns == [names.d] else _named(columns, names)
    return (
        f"not converged: rounding hides what determines {named}; raise l2 above 0, or leave "
        "columns out"
    )


def _named(columns: list[int], names: Names) -> str:
    """Columns in words, without the intercept."""
    columns, given = [column for column in columns if column < names.d], names.columns
    words = [str(column) if given is None else repr(given[column]) for column in columns[:_NAMED]]
    if len(columns) > _NAMED:
        words.append(f"{len(columns) - _NAMED} more")
    text = " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
    return f"column{'s' * (len(columns) > 1)} {text}"


def not_converged(
    end: str,
    passes: int,
    more_passes: int,
    gradient_norm: float,
    tol: float,
    *,
    fixed_step: bool,
) -> str:
    """Where and why training ended, and the remedy."""
    reason = {
        "passes": "raise max_passes, l2 or tol",
        "seconds": "max_seconds have passed: raise that, l2 or tol",
        "callback": "the callback ended it",
        "rounding": "rounding allows no less: raise tol",
    }[end]
    if fixed_step and end == "rounding":
        reason = "the loss grew without end: lower step_size"
    diagnosis = f" (the diagnosis took {more_passes} more)" if more_passes > 0 else ""
    return (
        f"not converged after {passes} pass{'es' * (passes > 1)}: the gradient norm is "
        f"{gradient_norm:.2g}, and the distance to the optimum above tol {tol:.2g}{diagnosis}; "
        f"{reason}"
    )
