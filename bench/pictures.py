"""The picture of a run: ratios to the fastest other library, in the caches and beyond.

The colours of Okabe and Ito are used, which colour-blind readers can tell apart; hatches serve in
grey.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from bench.registry import FUNCTIONS
from bench.timings import Comparison, Run

BLUE, VERMILION = "#0072B2", "#D55E00"
_OPTIONS: dict[str, Any] = {
    "svg.hashsalt": "fastlogit",
    "svg.fonttype": "none",  # text, which takes a tenth of the bytes of outlines
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def write(run: Run, folder: Path) -> Path:
    """Write the picture of ratios as SVG; the same bytes for the same run."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(_OPTIONS):
        path = folder / "ratios.svg"
        ratios(run).savefig(path, metadata={"Date": None, "Description": run.date})
    return path


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
