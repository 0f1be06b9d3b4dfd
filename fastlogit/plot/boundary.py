"""The picture of a model with two features: rows on lines of probability, or on regions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np

from fastlogit import linear
from fastlogit.elementwise import logit, sigmoid
from fastlogit.models.model import loaded
from fastlogit.plot import axes
from fastlogit.plot.rows import class_label, class_name, read_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from fastlogit.core.checks import Missing
    from fastlogit.models.model import LogisticModel
    from fastlogit.plot.rows import Labels, Model, ShowProgress, Source
    from fastlogit.tables.csv_options import CSVOptions

_MOST_ROWS = 2000
# The probabilities of the lines.
_LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
# Pairs of a colour and a marker, one for each class.  In grey the first five differ.
_LOOKS = tuple((axes.STYLES[i][0], "ox^s+"[(i + turn) % 5]) for turn in range(5) for i in range(5))
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

    The line of probability 0.5 is thick.  Of more than two classes the picture shows the regions
    where each class is the most probable.  Of more than two thousand rows, an evenly spaced
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
    d = model.coef.shape[-1]
    if d != 2 or model.categories:
        found = "text" if model.categories else f"{d}"
        raise ValueError(f"model must have two numeric features; got {found}")
    rows = read_rows(
        model, X, t, missing=missing, source_format=source_format, csv=csv, threads=threads,
        progress=progress, with_features=True,
    )  # fmt: skip
    ax = axes.single(ax)
    step = -(-rows.t.size // _MOST_ROWS)
    _draw_points(ax, model, rows.X[::step], rows.t[::step])
    K = len(model.classes)
    (_draw_levels if K == 2 else _draw_regions)(ax, model)
    names = model.feature_names or ("x0", "x1")
    columns = 1 if K == 2 else min(K, 4)
    axes.finish(ax, axes.as_label(names[0]), axes.as_label(names[1]), columns=columns)
    return ax


def _draw_points(
    ax: Axes, model: LogisticModel, X: NDArray[np.float64], t: NDArray[np.float64]
) -> None:
    """Draw the rows, with a colour and a marker for each class."""
    K = len(model.classes)
    shown = (1, 0) if K == 2 else range(min(K, len(_LOOKS)))
    for (color, marker), k in zip(_LOOKS, shown, strict=False):
        label = class_label(model, k)
        ax.plot(*X[t == k].T, marker, color=color, markersize=4.0, alpha=0.6, label=label)
    if len(shown) < K:
        label = f"{K - len(shown)} other classes"
        ax.plot(*X[t >= len(shown)].T, ".", color=axes.GREY, alpha=0.6, label=label)


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
        for y, path in zip(in_view.values(), lines.get_paths(), strict=True):
            _write_inside(ax, np.asarray(path.vertices), f"{y:g}")
    ax.set(xlim=across, ylim=up)


def _draw_regions(ax: Axes, model: LogisticModel) -> None:
    """Draw the region of each class: a convex polygon, as differences of logits are linear."""
    limits = (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    view = np.array([[left, bottom], [right, bottom], [right, top], [left, top]])
    for k in range(len(model.classes)):
        region = view
        coef, intercept = model.coef[k] - model.coef, model.intercept[k] - model.intercept
        for j in range(len(model.classes)):
            region = _clipped(region, region @ coef[j] + intercept[j])
        if region.size:
            color, _ = _LOOKS[k % len(_LOOKS)]
            ax.fill(*region.T, facecolor=color, alpha=0.15, zorder=0.5)
            ax.fill(*region.T, fill=False, edgecolor="black", linewidth=1.0)
            _write_inside(ax, region, class_name(model, k))
    ax.set(xlim=limits[0], ylim=limits[1])


def _clipped(polygon: NDArray[np.float64], heights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The part of a convex polygon where a linear function, given at its corners, is at least 0."""
    inside = heights >= 0.0
    if inside.all():
        return polygon
    corners = []
    for i, following in enumerate(np.roll(np.arange(len(polygon)), -1)):
        if inside[i]:
            corners.append(polygon[i])
        if inside[i] != inside[following]:
            share = heights[i] / (heights[i] - heights[following])
            corners.append(polygon[i] + share * (polygon[following] - polygon[i]))
    return np.array(corners).reshape(-1, 2)


def _write_inside(ax: Axes, corners: NDArray[np.float64], text: str) -> None:
    """Write in the middle of a line or a region."""
    white: Any = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0}
    x, y = corners.mean(axis=0)
    ax.text(x, y, text, ha="center", va="center", bbox=white)
