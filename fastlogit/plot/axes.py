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


def one(ax: Axes | None, height: float = 4.8) -> Axes:
    """The axes that are given, or those of a new figure, of which the height is in inches."""
    if ax is None:
        return plt.subplots(figsize=(6.4, height), layout="constrained")[1]
    if not isinstance(ax, Axes):
        raise TypeError(f"ax must be a matplotlib Axes; got {type(ax).__name__}")
    return ax


def two(ax: Sequence[Axes] | None) -> NDArray[Any]:
    """The two axes that are given, or those side by side of a new figure."""
    if ax is None:
        axes: NDArray[Any] = plt.subplots(ncols=2, figsize=(9.6, 4.2), layout="constrained")[1]
        return axes
    both = np.ravel(np.asarray(ax, dtype=object))
    if len(both) != 2 or not all(isinstance(each, Axes) for each in both):
        raise TypeError("ax must be two matplotlib Axes, as plt.subplots(ncols=2) gives")
    return both


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
    """Name the axes, and put the legend above them, where it hides no curve."""
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.set_axisbelow(True)
    ax.grid(alpha=0.3)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False, ncols=columns)
