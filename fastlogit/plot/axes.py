"""Axes to draw on, colours, line styles, labels and legends, shared by all pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from fastlogit.core import checks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from matplotlib.colors import Normalize
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
# The curves of all further classes.
_OTHERS: dict[str, Any] = {
    "color": "#8C8C8C", "linestyle": "-", "linewidth": 0.7, "markersize": 2.5, "zorder": 1.5
}  # fmt: skip
# Longer names of classes and features would fill the picture, and so would more letters in a row.
_MOST_TEXT = 40
# Small letters across a figure of 6.4 inches.
_MOST_ACROSS = 80


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


def curve_options(ax: Axes, labels: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Label, colour and style of each curve.  Curves after the fifth share a grey line.

    Draw each curve before asking for the next one's options.
    """
    others = len(labels) - len(STYLES)
    for number, label in enumerate(labels):
        if number < len(STYLES):
            color, linestyle = next_style(ax)
            yield {"label": label, "color": color, "linestyle": linestyle}
        else:
            shared = f"{others} other class{'es' * (others > 1)}"
            yield _OTHERS | {"label": shared if number == len(STYLES) else "_other"}


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


def draw_cells(
    ax: Axes,
    values: NDArray[np.float64],
    texts: Sequence[Sequence[str]],
    rows: Mapping[int, str],
    columns: Mapping[int, str],
    label: str,
    cmap: str,
    norm: Normalize,
) -> None:
    """Draw a matrix as colours, with a text in each cell if there are texts.

    Rows and columns have labels at the given places, and `label` describes the colours.
    """
    _arrange(ax)
    image = ax.imshow(values, cmap=cmap, norm=norm, aspect="auto")
    ticks = np.ravel(norm.inverse(np.linspace(0.0, 1.0, 11))).tolist()
    bar = ax.figure.colorbar(image, ax=ax, label=label)
    bar.set_ticks(ticks, labels=[as_number(tick) for tick in ticks])
    bar.minorticks_off()
    for axis, names in ((ax.yaxis, rows), (ax.xaxis, columns)):
        axis.set_ticks(list(names), list(names.values()))
    if len(columns) * (1 + max(map(len, columns.values()))) > _MOST_TEXT:
        ax.tick_params("x", rotation=90)
    brightness = image.to_rgba(values)[..., :3] @ [0.3, 0.6, 0.1]
    middle: Any = {"fontsize": "small", "ha": "center", "va": "center"}
    for y, line in enumerate(texts):
        for x, text in enumerate(line):
            ax.text(x, y, text, color="black" if brightness[y, x] > 0.5 else "white", **middle)


def finish(
    ax: Axes, xlabel: str, ylabel: str, *, columns: int = 1, title: str | None = None
) -> None:
    """Label the axes, and put the legend above them, where it hides no curve.

    `columns` is the largest number of its columns; long labels get fewer.
    """
    _arrange(ax)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.set_axisbelow(True)
    ax.grid(alpha=0.3)
    legend: Any = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "frameon": False}
    if columns > 1:
        longest = max(len(label) for label in ax.get_legend_handles_labels()[1])
        columns = min(columns, max(1, _MOST_ACROSS // (longest + 8)))  # 8 for the line or marker
        legend |= {"ncols": columns, "fontsize": "small", "columnspacing": 1.0}
    ax.legend(title=title, **legend)


def _arrange(ax: Axes) -> None:
    """Give the figure a layout engine, which makes room for legends and long labels."""
    figure = ax.figure.figure  # the whole figure, if the axes are in a subfigure
    if figure.get_layout_engine() is None:
        figure.set_layout_engine("constrained")


def as_number(value: float) -> str:
    """A number rounded to two digits, with matplotlib's minus sign."""
    return f"{float(f'{value:.2g}'):g}".replace("-", "\N{MINUS SIGN}")


def as_label(text: str, most: int = _MOST_TEXT) -> str:
    """A user's text, cut if it is long, and never a formula to matplotlib."""
    return checks.cut(text, most).replace("$", r"\$")
