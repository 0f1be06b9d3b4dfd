"""The picture of a model with two features: rows, and lines of equal probability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np

from fastlogit import linear
from fastlogit.elementwise import logit, sigmoid
from fastlogit.models.model import loaded
from fastlogit.plot import axes
from fastlogit.plot.rows import class_label, read_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastlogit.core.checks import Missing
    from fastlogit.models.model import LogisticModel
    from fastlogit.plot.rows import Labels, Model, ShowProgress, Source
    from fastlogit.tables.csv_options import CSVOptions

_MOST_ROWS = 2000
# The probabilities of the lines.
_LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
# Typographic points between lines that leave room for their numbers.
_LEAST_GAP = 14.0


def decision_boundary(
    model: Model,
    X: Source,
    t: Labels = None,
    ax: Axes | None = None,
    *,
    missing: Missing = "skip",
    source_format: str | None = None,
    csv: CSVOptions | None = None,
    threads: SupportsIndex | None = None,
    progress: ShowProgress = None,
) -> Axes:
    """Draw the rows of two features, and lines of equal probability of t = 1.

    The line of probability 0.5 is thick.  Of more than two thousand rows, an evenly spaced
    selection is drawn.

    Parameters
    ----------
    model : LogisticModel, or path of its file
        With two features.
    X, t, ax, missing, source_format, csv, threads, progress
        As in `reliability`.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    OSError, TypeError, ValueError
        As in `reliability`; and if the model does not have exactly two features.

    Examples
    --------
    >>> import fastlogit as fl
    >>> from fastlogit.plot import decision_boundary
    >>> model = fl.LogisticModel([1.0, -1.0], 0.0, ("age", "dose"))
    >>> ax = decision_boundary(model, [[0.0, 1.0], [2.0, 0.5]], [0, 1])
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('age', 'dose')
    """
    axes.check(ax)
    model = loaded(model)
    if model.coef.size != 2 or model.categories:
        found = "text" if model.categories else f"{model.coef.size}"
        raise ValueError(f"model must have two numeric features; got {found}")
    rows = read_rows(
        model, X, t, missing=missing, source_format=source_format, csv=csv, threads=threads,
        progress=progress, with_features=True,
    )  # fmt: skip
    ax = axes.single(ax)
    step = -(-rows.t.size // _MOST_ROWS)
    points, labels = rows.X[::step], rows.t[::step]
    for t_class, color, marker in ((1, axes.BLUE, "o"), (0, axes.VERMILION, "x")):
        label = class_label(model, t_class)
        x, y = points[labels == t_class].T
        ax.plot(x, y, marker, color=color, markersize=4.0, alpha=0.6, label=label)
    _draw_levels(ax, model)
    names = model.feature_names or ("x0", "x1")
    axes.finish(ax, axes.as_label(names[0]), axes.as_label(names[1]))
    return ax


def _draw_levels(ax: Axes, model: LogisticModel) -> None:
    """Draw lines of equal probability: straight lines, as their logits are equal."""
    limits = across, up = ax.get_xlim(), ax.get_ylim()
    corners = np.array([[x, y] for y in up for x in across])
    z = linear.decision(corners, model.coef, model.intercept).reshape(2, 2)
    levels = {float(logit(y)): y for y in _LEVELS}
    in_view = {at: y for at, y in levels.items() if z.min() < at < z.max()}
    label = f"probability of {class_label(model, 1)}: "
    if not in_view:
        least, most = sigmoid(np.array([z.min(), z.max()]))
        ax.plot([], [], color="black", label=f"{label}{least:.2g} to {most:.2g}")
        return
    widths = [2.5 if y == 0.5 else 1.0 for y in in_view.values()]
    options: Any = {"colors": "black", "linestyles": "-", "linewidths": widths, "alpha": 0.8}
    lines = ax.contour(across, up, z, levels=list(in_view), **options)
    ax.plot([], [], color="black", label=label + ", ".join(f"{y:g}" for y in in_view.values()))
    # Points from one line to the next.
    slopes = model.coef * [np.ptp(ends) for ends in limits]
    size = 72.0 * np.array(ax.get_window_extent().size) / ax.figure.dpi
    if np.diff(list(levels)).min() / np.hypot(*slopes / size) > _LEAST_GAP:
        white: Any = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
        for y, path in zip(in_view.values(), lines.get_paths(), strict=True):
            middle_x, middle_y = np.asarray(path.vertices).mean(axis=0)
            ax.text(middle_x, middle_y, f"{y:g}", ha="center", va="center", bbox=white)
    ax.set(xlim=across, ylim=up)
