"""Pictures of a trained model alone: how training converged, and its coefficients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from fastlogit.core import checks
from fastlogit.models.model import loaded
from fastlogit.models.statistics import confidence_intervals
from fastlogit.plot import axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastlogit.plot.rows import Model

# matplotlib finds no ticks for larger numbers.
_MOST_DRAWN = 1e300


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

    Parameters
    ----------
    model : LogisticModel, or path of its file
    ax : matplotlib Axes, optional
        Where to draw; default: a new figure.
    level : float
        Probability that an interval contains the true coefficient.
    most : int
        Largest number of coefficients to draw.  Those furthest from 0 are drawn, in the order of
        the columns.

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
    most = checks.whole_number(most, "most", 1)
    errors = np.full(model.coef.size, np.nan)
    if model.variances is not None and not np.any(model.l2):
        errors = model.standard_errors()[: model.coef.size]
    coef = np.clip(model.coef, -_MOST_DRAWN, _MOST_DRAWN)
    intervals = confidence_intervals(coef, errors, level)
    names = model.feature_names or tuple(f"x{j}" for j in range(model.coef.size))
    size = min(most, model.coef.size)
    chosen = np.sort(np.argsort(-np.abs(model.coef), kind="stable")[:size])
    ax = axes.single(ax, height=max(2.0, 1.2 + 0.24 * size))
    places = np.arange(size)
    ax.axvline(0.0, color=axes.GREY, linewidth=1.0)
    label = "coefficient"
    if not np.isnan(intervals[chosen]).all():
        label += f", {100 * level:g} % interval"
        ax.hlines(places, *intervals[chosen].T, color=axes.BLUE, linewidth=1.5)
    ax.plot(coef[chosen], places, "o", color=axes.BLUE, markersize=5.0, label=label)
    ax.set_yticks(places, [axes.as_label(names[j]) for j in chosen])
    ax.set_ylim(size - 0.5, -0.5)
    xlabel = "log-odds per unit of a feature"
    if size < model.coef.size:
        xlabel += f" ({size} of {model.coef.size})"
    axes.finish(ax, xlabel, "")
    return ax
