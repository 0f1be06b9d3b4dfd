"""Pictures of a run: ratios to the fastest other library, and times by size.

The colours are those of Okabe and Ito, which colour-blind readers can tell apart; markers, dashes
and hatches serve in grey.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from bench.registry import FASTLOGIT, FUNCTIONS
from bench.timings import Comparison, Run

BLUE, VERMILION, GREY = "#0072B2", "#D55E00", "#666666"
# Colour, marker and dashes; fastlogit first.
STYLES = [
    (BLUE, "o", "-"),
    (VERMILION, "^", "--"),
    ("#CC79A7", "v", "--"),
    ("#009E73", "s", "--"),
    ("#E69F00", "D", ":"),
    ("black", "*", ":"),
    ("#56B4E9", "P", "--"),
    ("#999999", "X", ":"),
    ("#555555", "p", ":"),
    ("#BBBBBB", "x", ":"),
]
# One function of each kind: elementwise, sums, and passes over X; with the stream of its bytes.
SHOWN = {
    "sigmoid": "copy",
    "logistic_loss": "triad",
    "log_loss": "read",
    "log_loss_gradient": "triad",
    "linear.probability": "read",
    "linear.log_loss_gradient": "read",
}
_OPTIONS: dict[str, Any] = {
    "svg.hashsalt": "fastlogit",
    "svg.fonttype": "none",  # text, which takes a tenth of the bytes of outlines
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def write(run: Run, folder: Path, *names: str) -> list[Path]:
    """The pictures "ratios" and "times" as SVG, or one; the same bytes for the same run."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in names or ("ratios", "times"):
        with mpl.rc_context(_OPTIONS):
            path = folder / f"{name}.svg"
            figure = {"ratios": ratios, "times": times}[name](run)
            figure.savefig(path, metadata={"Date": None, "Description": run.name})
            written.append(path)
    return written


def ratios(run: Run) -> Figure:
    """How many times as fast fastlogit is as the fastest other: one thread, float64."""
    rows = [row for row in run.cases if (row.ours.threads, row.ours.dtype) == (1, "float64")]
    names = [name for name in FUNCTIONS if any(row.ours.function == name for row in rows)]
    figure = Figure(figsize=(8.6, 1.2 + 0.24 * len(names)), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True, sharex=True)
    for ax, place, title in zip(panels, (0, -1), ("in the caches", "beyond them"), strict=True):
        for number, name in enumerate(names):
            mine = sorted((row for row in rows if row.ours.function == name), key=_size)
            _draw_ratio(ax, number, mine[place])
        sizes = sorted({_size(row) for row in rows})
        ax.set_title(f"{title}: {sizes[place]:,} numbers", loc="left")
        ax.axvline(1, color="black", linewidth=1)
        ax.set_xlabel("times as fast as the fastest other")
    leads = [1.0, *(row.lead for row in rows)]
    panels[0].set(xscale="log", xlim=(0.8 * min(leads), 5 * max(leads)))
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.4, -0.6)
    panels[0].xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panels[0].xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    panels[0].xaxis.set_minor_formatter(NullFormatter())
    return figure


def _size(row: Comparison) -> int:
    return row.ours.elements


def _draw_ratio(ax: Axes, place: int, row: Comparison) -> None:
    loses = row.lead < 1
    color, hatch = (VERMILION, "////") if loses else (BLUE, "")
    ax.barh(place, row.lead - 1, 0.7, 1, color=color, hatch=hatch, edgecolor="white", linewidth=0.5)
    # Right of the line at 1 even for a loss, because the names stand to its left.
    text = f"{row.lead:.2f} {row.best}"
    ax.annotate(text, (1.05 * max(row.lead, 1), place), va="center", fontsize=7)


def times(run: Run) -> Figure:
    """Nanoseconds per element by the number of elements: one thread, float64."""
    libraries = list(dict.fromkeys([FASTLOGIT, *(t.implementation for t in run.timings)]))
    figure = Figure(figsize=(11, 7.4), layout="constrained")
    panels = figure.subplots(2, 3, sharey="row").ravel()
    for ax, name in zip(panels, SHOWN, strict=True):
        _draw_times(ax, run, name, libraries)
    for ax in panels[3:]:
        ax.set_xlabel("elements (logits, or numbers of X)")
    for ax in panels[::3]:
        ax.set_ylabel("time per element in ns")
    lines = {line.get_label(): line for ax in panels for line in ax.lines}
    figure.legend(handles=list(lines.values()), loc="outside lower center", ncols=5, frameon=False)
    return figure


def _draw_times(ax: Axes, run: Run, name: str, libraries: list[str]) -> None:
    ax.set(xscale="log", yscale="log")
    ax.set_title(name, loc="left")
    wanted = (name, "float64", 1)
    chosen = [t for t in run.timings if (t.function, t.dtype, t.threads) == wanted]
    for library, (color, marker, dashes) in zip(libraries, STYLES, strict=False):
        points = sorted((t.elements, t.nanoseconds) for t in chosen if t.implementation == library)
        if points:
            ax.plot(
                *zip(*points, strict=True), color=color, marker=marker, linestyle=dashes,
                linewidth=2.2 if library == FASTLOGIT else 1.1, label=library,
            )  # fmt: skip
    if not chosen:
        return
    each = chosen[0].bytes / chosen[0].elements
    at = np.geomspace(*(pick(t.elements for t in chosen) for pick in (min, max)), 25)
    rates = [run.bandwidth(SHOWN[name], elements * each, 1) for elements in at]
    if None not in rates:
        bound = each / np.array(rates, float) * 1e9
        ax.plot(at, bound, color=GREY, linewidth=3, alpha=0.5, label="moving the bytes", zorder=1)
    ax.grid(alpha=0.25)
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
