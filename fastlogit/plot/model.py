"""Pictures of a trained model alone: how training converged, and its coefficients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import AsinhNorm
from matplotlib.ticker import MaxNLocator

from fastlogit.core import checks
from fastlogit.models.model import loaded
from fastlogit.models.statistics import checked_level, confidence_intervals
from fastlogit.plot import axes
from fastlogit.plot.rows import class_ticks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from fastlogit.plot.rows import Model

# matplotlib finds no ticks for larger numbers.
_MOST_DRAWN = 1e300
# A matrix of more classes has no room for numbers.
_MOST_WITH_TEXT = 8


def convergence(model: Model, ax: Axes | None = None) -> Axes:
    """Draw how training converged: the loss and the gradient norm over the passes.

    The loss is the mean loss plus the penalty, in nats; the picture shows its distance from the
    smallest loss that was seen.  The norm is the largest element of the gradient.  Each trial is
    a point, also a step that was rejected.

    Parameters
    ----------
    model : LogisticModel, or path of its file
        With a `history`, as :func:`fastlogit.fit` returns it.
    ax : matplotlib Axes, optional
        Where to draw; default: a new figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError
        If `model` or `ax` is something else.
    ValueError
        If the model has no history.

    Examples
    --------
    >>> import fastlogit as fl
    >>> from fastlogit.plot import convergence
    >>> model = fl.fit([[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1])
    >>> convergence(model).get_xlabel()
    'passes over X'
    """
    axes.check(ax)
    history = loaded(model).history
    if history is None or not history.passes:
        raise ValueError(
            "model must have a history, as fastlogit.fit returns it; got a model without"
        )
    ax = axes.single(ax)
    passes = np.array(history.passes)
    objective, norm = np.array(history.objective), np.array(history.gradient_norm)
    smallest = objective.min()
    is_above = np.isfinite(objective) & (objective > smallest)
    curves = {"gradient norm": np.where(np.isfinite(norm) & (norm > 0.0), norm, np.nan)}
    if is_above.any():
        distance = np.where(is_above, objective - smallest, np.nan)
        curves = {f"loss above {smallest:.6g}": distance} | curves
    ax.set_yscale("log")
    for (label, values), (color, linestyle), marker in zip(
        curves.items(), axes.STYLES, "os", strict=False
    ):
        ax.plot(passes, values, color=color, linestyle=linestyle, marker=marker, label=label)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.finish(ax, "passes over X", "nats")
    return ax


def coefficients(
    model: Model, ax: Axes | None = None, *, level: float = 0.95, most: int = 30
) -> Axes:
    """Draw the coefficients, with confidence intervals if the model has standard errors.

    The intercept is not drawn.  A coefficient that collinear columns leave undetermined has no
    interval.

    Of more than two classes the picture is a matrix of features and classes, without intervals.
    The coefficients of a fitted model compare a class with the average of all classes.

    Parameters
    ----------
    model : LogisticModel, or path of its file
    ax : matplotlib Axes, optional
        Where to draw; default: a new figure.
    level : float
        Probability that an interval contains the true coefficient.
    most : int
        Largest number of features to draw.  Those with the coefficients furthest from 0 are drawn,
        in the order of the columns.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError
        If an argument is something else.

    Examples
    --------
    >>> import fastlogit as fl
    >>> from fastlogit.plot import coefficients
    >>> ax = coefficients(fl.LogisticModel([0.5, -2.0], 0.0, ("age", "dose")))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['age', 'dose']
    """
    axes.check(ax)
    model = loaded(model)
    most, level = checks.whole_number(most, "most", 1), checked_level(level)
    coef = np.clip(model.coef, -_MOST_DRAWN, _MOST_DRAWN)
    columns = coef.shape[-1]
    size = min(most, columns)
    farthest = np.abs(np.atleast_2d(model.coef)).max(axis=0)
    chosen = np.sort(np.argsort(-farthest, kind="stable")[:size])
    names = model.feature_names or tuple(f"x{j}" for j in range(columns))
    labels = [axes.as_label(names[j]) for j in chosen]
    height = max(2.0, 1.2 + 0.24 * size)
    selection = f" ({size} of {columns})" if size < columns else ""
    if coef.ndim == 2:
        classes = class_ticks(model)
        ax = axes.single(ax, height + 0.6 + 0.08 * max(map(len, classes.values())))
        _draw_matrix(ax, coef[:, chosen].T, dict(enumerate(labels)), classes)
        ax.set(xlabel="class", ylabel=f"feature{selection}")
        return ax
    errors = np.full(columns, np.nan)
    if model.variances is not None and not np.any(model.l2):
        errors = model.standard_errors()[:columns]
    intervals = confidence_intervals(coef, errors, level)[chosen]
    ax = axes.single(ax, height)
    _draw_points(ax, coef[chosen], intervals, labels, level)
    axes.finish(ax, f"log-odds per unit of a feature{selection}", "")
    return ax


def _draw_points(
    ax: Axes,
    coef: NDArray[np.float64],
    intervals: NDArray[np.float64],
    labels: Sequence[str],
    level: float,
) -> None:
    """Draw a point for each coefficient, on the line of its interval."""
    places = np.arange(coef.size)
    ax.axvline(0.0, color=axes.GREY, linewidth=1.0)
    label = "coefficient"
    if not np.isnan(intervals).all():
        label += f", {100 * level:g} % interval"
        ax.hlines(places, *intervals.T, color=axes.BLUE, linewidth=1.5)
    ax.plot(coef, places, "o", color=axes.BLUE, markersize=5.0, label=label)
    ax.set_yticks(places, labels)
    ax.set_ylim(coef.size - 0.5, -0.5)


def _draw_matrix(
    ax: Axes, coef: NDArray[np.float64], features: Mapping[int, str], classes: Mapping[int, str]
) -> None:
    """Draw a colour for each coefficient, from red below 0 to blue above."""
    farthest = np.abs(coef).max(axis=1)
    most = float(farthest.max()) or 1.0
    # A few large coefficients do not bleach all others.
    norm = AsinhNorm(max(float(np.median(farthest)), 0.01 * most), -most, most)
    with_text = coef.shape[1] <= _MOST_WITH_TEXT
    texts = [[axes.as_number(value) for value in row] for row in coef.tolist()] if with_text else []
    axes.draw_cells(ax, coef, texts, features, classes, "log-odds per unit", "RdBu", norm)
