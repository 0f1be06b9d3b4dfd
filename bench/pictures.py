"""Pictures of what was measured: times, ratios, what a second thread brings, and errors.

Colours are Okabe and Ito's, which colour-blind eyes can tell apart; in grey, markers, dashes and
hatches can.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from bench import machine
from bench.implementations import FASTLOGIT, FUNCTIONS, NAIVE, STABLE, TUNED
from bench.peers import JAX, NUMEXPR, SCIPY, SKLEARN, TORCH, TORCH_COMPILE
from bench.roofline import like
from bench.timings import Comparison, Results
from fastlogit import plot

BLUE, VERMILION, GREY = "#0072B2", "#D55E00", "#666666"
# Colour, marker, dashes.
STYLES = {
    FASTLOGIT: (BLUE, "o", "-"),
    TORCH: (VERMILION, "^", "--"),
    TORCH_COMPILE: ("#CC79A7", "v", "--"),
    JAX: ("#009E73", "s", "--"),
    SCIPY: ("#E69F00", "D", ":"),
    SKLEARN: ("black", "*", ":"),
    NUMEXPR: ("#56B4E9", "P", "--"),
    TUNED: ("#999999", "X", ":"),
    STABLE: ("#555555", "p", ":"),
    NAIVE: ("#BBBBBB", "x", ":"),
}
# One of each kind: with a result of each element, a sum, both, and over X.
SHOWN = (
    "sigmoid",
    "logistic_loss",
    "log_loss",
    "log_loss_gradient",
    "linear.probability",
    "linear.log_loss_gradient",
)
DTYPES = {"float64": 1.0, "float32": 0.45}  # and how dark
_OPTIONS = {
    "svg.hashsalt": "fastlogit",
    "path.simplify": True,
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "hatch.linewidth": 0.6,
}


def write(results: Results, folder: Path) -> list[Path]:
    """All pictures, as SVG and as PNG; the same bytes for the same results."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for draw in (times, ratios, threads, tails):
        with mpl.rc_context(_OPTIONS):
            figure = draw(results)
            for kind in ("svg", "png"):
                path = folder / f"{draw.__name__}.{kind}"
                nothing = {"Date": None} if kind == "svg" else {"Software": None}
                of = f"errors, {machine.text()}" if draw is tails else results.name
                metadata = nothing | {"Description": of}
                figure.savefig(path, dpi=120, metadata=metadata)
                written.append(path)
    return written


# Time of an element, by size ----------------------------------------------------------


def times(results: Results) -> Figure:
    """Nanoseconds of an element on one thread, by the number of elements; float64."""
    figure = Figure(figsize=(11, 7.4), layout="constrained")
    panels = figure.subplots(2, 3, sharey="row").ravel()
    for ax, name in zip(panels, SHOWN, strict=True):
        _draw_times(ax, results, name)
    for ax in panels[3:]:
        ax.set_xlabel("elements (logits, or of X)")
    for ax in panels[::3]:
        ax.set_ylabel("time per element in ns")
    handles = [_key(peer) for peer in STYLES]
    handles.append(Line2D([], [], color=GREY, linewidth=3, alpha=0.5, label="moving the bytes"))
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False)
    figure.suptitle("Time per element, float64, one thread (both axes logarithmic)")
    return figure


def _key(peer: str) -> Line2D:
    color, marker, dashes = STYLES[peer]
    return Line2D([], [], color=color, marker=marker, linestyle=dashes, label=peer)


def _draw_times(ax: Axes, results: Results, name: str) -> None:
    ax.set(xscale="log", yscale="log")
    ax.set_title(name, loc="left", fontsize=10, pad=14)
    chosen = [
        timing
        for timing in results.timings
        if (timing.function, timing.dtype, timing.threads) == (name, "float64", 1)
    ]
    if not chosen:
        return
    for peer, (color, marker, dashes) in reversed(STYLES.items()):
        points = sorted((t.elements, t.nanoseconds) for t in chosen if t.implementation == peer)
        if points:
            width = 2.2 if peer == FASTLOGIT else 1.1
            ax.plot(
                *zip(*points, strict=True),
                color=color,
                marker=marker,
                linestyle=dashes,
                linewidth=width,
                markersize=5,
                label=peer,
            )
    each = chosen[0].bytes / chosen[0].elements
    low, high = (pick(timing.elements for timing in chosen) for pick in (min, max))
    _draw_bound(ax, results, like(name), each, low, high)
    for level, size in results.machine.get("caches", {}).items():
        if low < size / each < high:
            ax.axvline(size / each, color=GREY, linewidth=0.8, alpha=0.6)
            ax.annotate(
                level, (size / each, 1), xycoords=("data", "axes fraction"), xytext=(0, 2),
                textcoords="offset points", ha="center", color=GREY, fontsize=8,
            )  # fmt: skip
    ax.grid(alpha=0.25)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _draw_bound(ax: Axes, results: Results, kind: str, each: float, low: int, high: int) -> None:
    """Time that an element's bytes take the machine."""
    at = np.geomspace(low, high, 25)
    rates = [results.bandwidth(kind, elements * each, 1) for elements in at]
    found = [rate for rate in rates if rate is not None]
    if found:
        ax.plot(
            at,
            each / np.array(found) * 1e9,
            color=GREY,
            linewidth=3,
            alpha=0.5,
            label=kind,
            zorder=1,
        )


# Ratios -------------------------------------------------------------------------------


def ratios(results: Results) -> Figure:
    """How many times as fast fastlogit is as the fastest of all others, on one thread."""
    rows = [row for row in results.comparisons(1) if row.ours.function in FUNCTIONS]
    names = [name for name in FUNCTIONS if any(row.ours.function == name for row in rows)]
    sizes = {name: sorted({r.ours.n for r in rows if r.ours.function == name}) for name in names}
    places = {
        "in the first caches": slice(1),
        "in the last cache": slice(1, -1),
        "beyond all caches": slice(-1, None),
    }
    if max(map(len, sizes.values()), default=0) < len(places):
        del places["in the last cache"]
    figure = Figure(figsize=(5.2 * len(places), 1.7 + 0.42 * len(names)), layout="constrained")
    panels = figure.subplots(1, len(places), sharey=True, sharex=True)
    found: list[float] = []
    for ax, (what, which) in zip(panels, places.items(), strict=True):
        chosen = {
            (row.ours.function, row.ours.dtype): row
            for row in rows
            if row.ours.n in sizes[row.ours.function][which]
        }
        _draw_ratios(ax, names, chosen)
        elements = sorted({row.ours.elements for row in chosen.values()})
        numbers = " or ".join(f"{count:,}" for count in elements)
        ax.set_title(f"{numbers} elements: {what}", loc="left", fontsize=10)
        found += [row.ratio(row.best) for row in chosen.values()]
    panels[0].set(
        xscale="log",
        xlim=(0.8 * min([1, *found]), 4.5 * max([1, *found])),  # the names of others take room
        yticks=range(len(names)),
        yticklabels=names,
        ylim=(len(names) - 0.4, -0.6),
    )
    panels[0].xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panels[0].xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panels[0].xaxis.set_minor_formatter(NullFormatter())
    handles = [
        Patch(facecolor=color, alpha=dark, hatch=hatch, edgecolor="white", label=f"{what}, {dtype}")
        for what, color, hatch in (("faster", BLUE, ""), ("slower", VERMILION, "////"))
        for dtype, dark in DTYPES.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)
    figure.suptitle("Speed of fastlogit relative to the fastest other (named), one thread")
    return figure


def _draw_ratios(ax: Axes, names: list[str], rows: dict[tuple[str, str], Comparison]) -> None:
    for (name, dtype), row in rows.items():
        ratio = row.ratio(row.best)
        place = names.index(name) + (-0.2 if dtype == "float64" else 0.2)
        loses = ratio < 1
        ax.barh(
            place,
            ratio - 1,
            left=1,
            height=0.36,
            color=VERMILION if loses else BLUE,
            alpha=DTYPES[dtype],
            hatch="////" if loses else "",
            edgecolor="white",
            linewidth=0.5,
        )
        # Beside the line at 1, where a loss leaves room: to its left are the functions' names.
        ax.annotate(
            f"{ratio:.2f} {row.best}", (max(ratio, 1), place), xytext=(3, 0),
            textcoords="offset points", va="center", fontsize=7,
        )  # fmt: skip
    ax.axvline(1, color="black", linewidth=1)
    ax.set_xlabel("times as fast (logarithmic)")


# Threads ------------------------------------------------------------------------------


def threads(results: Results) -> Figure:
    """How many times as fast all threads are as one, beyond all caches."""
    most = results.most_threads
    pairs = _speed_ups(results)
    names = [name for name in FUNCTIONS if any(name == function for function, _ in pairs)]
    figure = Figure(figsize=(8, 1.7 + 0.3 * len(names)), layout="constrained")
    ax = figure.subplots()
    ax.axvline(most, color="black", linewidth=1, label=f"{most} times as fast")
    for kind, dashes in (("read", "--"), ("copy", ":")):
        rates = [_beyond(results, kind, count) for count in (1, most)]
        if None not in rates:
            ax.axvline(rates[1] / rates[0], color=GREY, linestyle=dashes, label=f"memory, {kind}")
    for dtype, (color, marker, face) in {
        "float64": (BLUE, "o", BLUE),
        "float32": (VERMILION, "s", "white"),
    }.items():
        found = [
            (ratio, names.index(name)) for (name, kind), ratio in pairs.items() if kind == dtype
        ]
        if found:
            ax.plot(
                *zip(*found, strict=True), color=color, marker=marker, markerfacecolor=face,
                linestyle="", label=dtype,
            )  # fmt: skip
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_xlim(0, 1.1 * max([most, *pairs.values()]))
    ax.set_xlabel(f"speed of {most} threads relative to one (times)")
    ax.grid(alpha=0.25)
    figure.legend(loc="outside lower center", ncols=5, frameon=False)
    figure.suptitle("fastlogit on all threads, beyond all caches")
    return figure


def _speed_ups(results: Results) -> dict[tuple[str, str], float]:
    """By function and type, at the most elements."""
    ours = [timing for timing in results.timings if timing.implementation == FASTLOGIT]
    most: dict[str, int] = {}
    for timing in ours:
        most[timing.function] = max(timing.n, most.get(timing.function, 0))
    seconds = {
        (timing.function, timing.dtype, timing.threads): timing.seconds
        for timing in ours
        if timing.n == most[timing.function]
    }
    count = results.most_threads
    return {
        (name, dtype): one / seconds[name, dtype, count]
        for (name, dtype, number), one in seconds.items()
        if number == 1 and name in FUNCTIONS and (name, dtype, count) in seconds
    }


def tails(_results: Results) -> Figure:
    """Errors of log σ over the logit, of all libraries that are installed here."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    plot.tails("log_sigmoid", ax=figure.subplots())
    return figure


def _beyond(results: Results, kind: str, count: int) -> float | None:
    sizes = [stream.size for stream in results.streams] or [0]
    return results.bandwidth(kind, max(sizes), count)
