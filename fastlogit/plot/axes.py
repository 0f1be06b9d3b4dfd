"""What all pictures share: axes to draw on, colours, line styles and legends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

# Of Okabe and Ito's palette, those that are dark enough for lines on white.
BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#008060", "#AA4499"
GREY, LIGHT_GREY = "#595959", "#D0D0D0"

# Of a first curve, a second one, and so on: the first is that for t = 1, or fastlogit's.
STYLES: Sequence[tuple[str, Any]] = (
    (BLUE, "-"),
    (VERMILION, "--"),
    (GREEN, "-."),
    (PURPLE, ":"),
    (GREY, (0, (5, 1, 1, 1, 1, 1))),
)


def check(ax: Axes | None) -> None:
    """TypeError if something else is given."""
    if not isinstance(ax, Axes | None):
        raise TypeError(f"ax must be a matplotlib Axes; got {type(ax).__name__}")


def one(ax: Axes | None, height: float = 4.8) -> Axes:
    """The axes that are given, or those of a new figure, of which the height is in inches."""
    check(ax)
    return plt.subplots(figsize=(6.4, height))[1] if ax is None else ax


def two(ax: Sequence[Axes] | None) -> NDArray[Any]:
    """The two axes that are given, or those side by side of a new figure."""
    if ax is None:
        axes: NDArray[Any] = plt.subplots(ncols=2, figsize=(9.6, 4.2))[1]
        return axes
    both = np.ravel(np.asarray(ax, dtype=object))
    if len(both) != 2 or not all(isinstance(each, Axes) for each in both):
        raise TypeError("ax must be two matplotlib Axes, as plt.subplots(ncols=2) gives")
    return both


def next_style(ax: Axes) -> tuple[str, Any]:
    """Colour and line style of a further curve: the first that no other on these axes has."""
    used = {(line.get_color(), line.get_linestyle()) for line in ax.lines}
    return next((style for style in STYLES if style not in used), STYLES[-1])


def reference(ax: Axes, x: Sequence[float], y: Sequence[float], label: str) -> None:
    """Draw a line to compare curves with, once."""
    if label not in (line.get_label() for line in ax.lines):
        ax.plot(x, y, color=GREY, linestyle=":", label=label)


def plain(text: str) -> str:
    """A text of the user's, of which matplotlib takes nothing for a formula."""
    return text.replace("$", r"\$")


def curves(
    ax: Axes,
    x: NDArray[np.float64],
    heights: Mapping[str, NDArray[np.float64]],
    xlabel: str,
    ylabel: str,
) -> None:
    """Draw curves by their labels over all of x."""
    for (label, values), (color, linestyle) in zip(heights.items(), STYLES, strict=False):
        ax.plot(x, values, color=color, linestyle=linestyle, label=label)
    ax.margins(x=0.0)
    finish(ax, xlabel, ylabel)


def finish(ax: Axes, xlabel: str, ylabel: str, *, columns: int = 1) -> None:
    """Name the axes, and put the legend above them, where it hides no curve.

    A layout engine finds the room for it, and for names of any length.
    """
    figure = ax.figure.figure  # also of axes in a subfigure
    if figure.get_layout_engine() is None:
        figure.set_layout_engine("constrained")
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.set_axisbelow(True)
    ax.grid(alpha=0.3)
    narrow: Any = {"fontsize": "small", "columnspacing": 1.0} if columns > 1 else {}
    above = (0.5, 1.0)
    ax.legend(loc="lower center", bbox_to_anchor=above, frameon=False, ncols=columns, **narrow)
