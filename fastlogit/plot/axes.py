"""Axes to draw on, colours, line styles, labels and legends, shared by all pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from fastlogit.core import checks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

# The colours of Okabe and Ito's palette that are dark enough for lines on white.
BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#008060", "#AA4499"
GREY, LIGHT_GREY = "#595959", "#D0D0D0"

# Colour and line style of the first curve (t = 1, or fastlogit), of the second, and so on.
STYLES: Sequence[tuple[str, Any]] = (
    (BLUE, "-"),
    (VERMILION, "--"),
    (GREEN, "-."),
    (PURPLE, ":"),
    (GREY, (0, (5, 1, 1, 1, 1, 1))),
)
# Longer names of classes and features would fill the picture.
_MOST_TEXT = 40


def check(ax: Axes | None) -> None:
    """Raise a TypeError unless `ax` is matplotlib's axes or None."""
    if not isinstance(ax, Axes | None):
        raise TypeError(f"ax must be a matplotlib Axes; got {type(ax).__name__}")


def single(ax: Axes | None, height: float = 4.8) -> Axes:
    """The given axes, or the axes of a new figure of this height in inches."""
    check(ax)
    return plt.subplots(figsize=(6.4, height))[1] if ax is None else ax


def pair(ax: Sequence[Axes] | None) -> NDArray[Any]:
    """The two given axes, or two axes side by side in a new figure."""
    if ax is None:
        axes: NDArray[Any] = plt.subplots(ncols=2, figsize=(9.6, 4.2))[1]
        return axes
    both = np.ravel(np.asarray(ax, dtype=object))
    if len(both) != 2 or not all(isinstance(each, Axes) for each in both):
        raise TypeError("ax must be two matplotlib Axes, as plt.subplots(ncols=2) returns")
    return both


def next_style(ax: Axes) -> tuple[str, Any]:
    """Colour and line style of the next curve: the first that is unused on these axes."""
    used = {(line.get_color(), line.get_linestyle()) for line in ax.lines}
    return next((style for style in STYLES if style not in used), STYLES[-1])


def draw_reference(ax: Axes, x: Sequence[float], y: Sequence[float], label: str) -> None:
    """Draw a line to compare curves with, once per axes."""
    if label not in (line.get_label() for line in ax.lines):
        ax.plot(x, y, color=GREY, linestyle=":", label=label)


def draw_curves(
    ax: Axes,
    x: NDArray[np.float64],
    curves: Mapping[str, NDArray[np.float64]],
    xlabel: str,
    ylabel: str,
) -> None:
    """Draw curves, named by their labels, over x."""
    for (label, y), (color, linestyle) in zip(curves.items(), STYLES, strict=False):
        ax.plot(x, y, color=color, linestyle=linestyle, label=label)
    ax.margins(x=0.0)
    finish(ax, xlabel, ylabel)


def finish(ax: Axes, xlabel: str, ylabel: str, *, columns: int = 1) -> None:
    """Label the axes, and put the legend above them, where it hides no curve.

    A layout engine makes room for the legend and for long labels.
    """
    figure = ax.figure.figure  # the whole figure, if the axes are in a subfigure
    if figure.get_layout_engine() is None:
        figure.set_layout_engine("constrained")
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.set_axisbelow(True)
    ax.grid(alpha=0.3)
    narrow: Any = {"fontsize": "small", "columnspacing": 1.0} if columns > 1 else {}
    above = (0.5, 1.0)
    ax.legend(loc="lower center", bbox_to_anchor=above, frameon=False, ncols=columns, **narrow)


def as_label(text: str) -> str:
    """A user's text, cut if it is long, and never a formula to matplotlib."""
    return checks.cut(text, _MOST_TEXT).replace("$", r"\$")
