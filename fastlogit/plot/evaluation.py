"""Pictures of how good a model is on data: calibration, ROC, precision and recall."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, SupportsIndex, get_args

import numpy as np

from fastlogit.core import checks
from fastlogit.elementwise import sigmoid
from fastlogit.models.model import loaded
from fastlogit.models.statistics import proportion_intervals
from fastlogit.plot import axes
from fastlogit.plot.rows import class_label, curve_label, read_rows
from fastlogit.scoring.roc import area, count_by_logit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from fastlogit.core.checks import Missing
    from fastlogit.matrix.onehot import Unknown
    from fastlogit.plot.rows import Labels, Model, Offset, Rows, ShowProgress, Source
    from fastlogit.tables.csv_options import CSVOptions

Strategy = Literal["uniform", "quantile"]

# More points of a curve could not be told apart in the largest picture.
_MOST_POINTS = 2000
_MOST_BINS = 1_000_000
# The limits of axes for shares: curves do not lie under the frame.
_UNIT = (-0.02, 1.02)


def reliability(
    model: Model,
    X: Source,
    t: Labels = None,
    ax: Axes | None = None,
    *,
    offset: Offset = None,
    bins: int = 10,
    strategy: Strategy = "uniform",
    level: float = 0.95,
    missing: Missing = "skip",
    unknown: Unknown = "error",
    name: str = "",
    source_format: str | None = None,
    csv: CSVOptions | None = None,
    threads: SupportsIndex | None = None,
    progress: ShowProgress = None,
) -> Axes:
    """Draw a calibration curve: how often t = 1 among rows of similar predicted probability.

    The points of a calibrated model lie on the diagonal.  The intervals are Wilson's.  The bars
    count the rows of each bin, on the logarithmic scale on the right.  If several models are drawn
    on the same axes, the first one has bars.

    Parameters
    ----------
    model : LogisticModel, or path of its file
    X : array_like (n, d), CSR, table, or path
        Features, of any real dtype, in the order of the coefficients.  If `t` names a column, any
        table or file that :func:`fastlogit.score` takes; its columns are found by name, and it is
        read once.
    t : array_like (n,), or str or int
        Labels: numbers, strings or truth values, each one of the model's `classes`, written as
        :func:`fastlogit.scoring.evaluate` allows.  Or their column: its name, or its position if
        columns have no names.  LIBSVM files contain their labels.
    ax : matplotlib Axes, optional
        Where to draw; default: a new figure.
    offset : array_like (n,), or str or int, optional
        A known addition to the logits, needed by a model that was trained with one; or its
        column, if `t` is a column.
    bins : int
        The number of bins.
    strategy : {"uniform", "quantile"}
        Bins of the same width, or of the same number of rows.
    level : float
        Probability that an interval contains the true frequency.
    missing : {"skip", "error"}
        "skip" leaves out the rows without a label or a score (null or NaN), and the legend counts
        them; "error" raises an error that names the first.
    unknown : {"error", "ignore"}
        An unknown category raises an error; "ignore" drops its contribution to the logit.
    name : str
        The name of the curve in the legend.
    source_format : str, optional
        The format of a file, as in :func:`fastlogit.score`; default: by the suffix.
    csv : CSVOptions, optional
        How a CSV or TSV is written: its delimiter, decimals, encoding and missing values.
    threads : int, optional
        Maximum number of threads; default: all cores that the process may use.
    progress : callable, optional
        Called with the progress after each batch of a table, as in :func:`fastlogit.score`.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    OSError
        If a file cannot be read.
    TypeError, ValueError
        If X or t does not suit the model, or no row has a label and a score.

    Notes
    -----
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    Journal of the American Statistical Association 22 (1927).

    Examples
    --------
    >>> import fastlogit as fl
    >>> from fastlogit.plot import reliability
    >>> model = fl.LogisticModel([1.0])
    >>> ax = reliability(model, [[-1.0], [-1.1], [2.0]], [0, 1, 1])
    >>> ax.lines[-1].get_xydata().round(2)
    array([[0.26, 0.5 ],
           [0.88, 1.  ]])
    """
    axes.check(ax)
    model, name = loaded(model), _checked_name(name)
    bins = checks.whole_number(bins, "bins", 1)
    if bins > _MOST_BINS:
        raise ValueError(f"bins must be at most {_MOST_BINS}; got {checks.shown(bins)}")
    checks.choice(strategy, "strategy", get_args(Strategy))
    rows = read_rows(
        model, X, t, offset=offset, missing=missing, unknown=unknown, source_format=source_format,
        csv=csv, threads=threads, progress=progress,
    )  # fmt: skip
    y = sigmoid(rows.z)
    edges = _bin_edges(y, bins, strategy)
    number, size = np.searchsorted(edges[1:-1], y), edges.size - 1
    count, sum_y, sum_t = (np.bincount(number, w, size) for w in (None, y, rows.t))
    filled = count > 0
    count, sum_y, sum_t = count[filled], sum_y[filled], sum_t[filled]
    mean_y, mean_t = sum_y / count, sum_t / count
    intervals = proportion_intervals(mean_t, count, level)

    ax = axes.single(ax)
    if not ax.lines:
        _draw_counts(ax, edges[:-1][filled], edges[1:][filled], count)
    axes.draw_reference(ax, [0.0, 1.0], [0.0, 1.0], "calibrated")
    color, linestyle = axes.next_style(ax)
    label = curve_label(name, rows, f"{100 * level:g} % intervals")
    ax.vlines(mean_y, *intervals.T, color=color, linewidth=1.5)
    ax.plot(
        mean_y, mean_t, "o", color=color, linestyle=linestyle, linewidth=1.0, markersize=5.0,
        label=label,
    )  # fmt: skip
    ax.set(xlim=_UNIT, ylim=_UNIT)
    axes.finish(ax, "mean predicted probability", f"frequency of {class_label(model, 1)}")
    return ax


def _bin_edges(y: NDArray[np.float64], bins: int, strategy: Strategy) -> NDArray[np.float64]:
    """Edges of bins of the same width, or of the same number of rows."""
    edges = np.linspace(0.0, 1.0, bins + 1)
    if strategy == "quantile":
        edges = np.unique(np.quantile(y, edges))
        edges = np.repeat(edges, 2) if edges.size == 1 else edges
    return edges


def _draw_counts(
    ax: Axes, left: NDArray[np.float64], right: NDArray[np.float64], count: NDArray[np.int64]
) -> None:
    """Draw the numbers of rows as bars behind the curve, in the lowest quarter."""
    beside = ax.twinx()
    beside.bar(left, count, right - left, align="edge", color=axes.LIGHT_GREY, edgecolor="white")
    beside.set_yscale("log")
    lowest = 0.5  # a single row has a bar
    beside.set_ylabel("rows in a bin", loc="bottom")
    beside.set(ylim=(lowest, lowest * (count.max() / lowest) ** 4.0))
    decades = range(len(str(count.max())))
    ticks = [10**decade for decade in decades[:: -(-len(decades) // 4)]]
    beside.set_yticks(ticks, [f"{tick:,}" for tick in ticks])
    beside.minorticks_off()
    ax.set_zorder(beside.get_zorder() + 1)
    ax.patch.set_visible(False)


def roc(
    model: Model,
    X: Source,
    t: Labels = None,
    ax: Axes | None = None,
    *,
    offset: Offset = None,
    missing: Missing = "skip",
    unknown: Unknown = "error",
    name: str = "",
    source_format: str | None = None,
    csv: CSVOptions | None = None,
    threads: SupportsIndex | None = None,
    progress: ShowProgress = None,
) -> Axes:
    """Draw the ROC curve: the true positive rate over the false positive rate.

    Parameters
    ----------
    model, X, t, ax, offset, missing, unknown, name, source_format, csv, threads, progress
        As in `reliability`.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    OSError, TypeError, ValueError
        As in `reliability`; and if all labels are of one class.

    Examples
    --------
    >>> import fastlogit as fl
    >>> from fastlogit.plot import roc
    >>> ax = roc(fl.LogisticModel([1.0]), [[1.0], [2.0], [3.0], [4.0]], [0, 1, 0, 1])
    >>> ax.lines[-1].get_label()
    '4 rows, AUC 0.7500'
    """
    axes.check(ax)
    model, name = loaded(model), _checked_name(name)
    rows = read_rows(
        model, X, t, offset=offset, missing=missing, unknown=unknown, source_format=source_format,
        csv=csv, threads=threads, progress=progress,
    )  # fmt: skip
    false, true = _counts_above(rows)
    auc, _ = area(*count_by_logit(rows.z, rows.t == 1.0)[1:])
    x, y = _thinned(false / false[-1], true / true[-1])
    ax = axes.single(ax)
    axes.draw_reference(ax, [0.0, 1.0], [0.0, 1.0], "guessing")
    color, linestyle = axes.next_style(ax)
    label = curve_label(name, rows, f"AUC {auc:.4f}")
    ax.plot(x, y, color=color, linestyle=linestyle, label=label)
    ax.set(xlim=_UNIT, ylim=_UNIT, aspect="equal")
    axes.finish(ax, "false positive rate", "true positive rate")
    return ax


def precision_recall(
    model: Model,
    X: Source,
    t: Labels = None,
    ax: Axes | None = None,
    *,
    offset: Offset = None,
    missing: Missing = "skip",
    unknown: Unknown = "error",
    name: str = "",
    source_format: str | None = None,
    csv: CSVOptions | None = None,
    threads: SupportsIndex | None = None,
    progress: ShowProgress = None,
) -> Axes:
    """Draw precision over recall.

    Parameters
    ----------
    model, X, t, ax, offset, missing, unknown, name, source_format, csv, threads, progress
        As in `reliability`.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    OSError, TypeError, ValueError
        As in `reliability`; and if all labels are of one class.

    Notes
    -----
    The average precision is Σ (recall_i - recall_(i-1)) precision_i over the thresholds, as in
    scikit-learn.  Precision is not interpolated between thresholds, so the curve has steps.

    Examples
    --------
    >>> import fastlogit as fl
    >>> from fastlogit.plot import precision_recall
    >>> ax = precision_recall(fl.LogisticModel([1.0]), [[1.0], [2.0], [3.0], [4.0]], [0, 1, 0, 1])
    >>> ax.lines[-1].get_label()
    '4 rows, average precision 0.8333'
    """
    axes.check(ax)
    model, name = loaded(model), _checked_name(name)
    rows = read_rows(
        model, X, t, offset=offset, missing=missing, unknown=unknown, source_format=source_format,
        csv=csv, threads=threads, progress=progress,
    )  # fmt: skip
    false, true = (counts[1:] for counts in _counts_above(rows))
    precision, recall = true / (true + false), true / true[-1]
    average = float(np.diff(recall, prepend=0.0) @ precision)
    x, y = _thinned(np.append(0.0, recall), np.append(precision[0], precision))
    share = true[-1] / (true[-1] + false[-1])
    ax = axes.single(ax)
    axes.draw_reference(ax, [0.0, 1.0], [share, share], f"guessing, {share:.4f}")
    color, linestyle = axes.next_style(ax)
    label = curve_label(name, rows, f"average precision {average:.4f}")
    ax.plot(x, y, color=color, linestyle=linestyle, drawstyle="steps-pre", label=label)
    ax.set(xlim=_UNIT, ylim=_UNIT)
    axes.finish(ax, "recall", "precision")
    return ax


def _checked_name(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"name must be text; got {checks.shown(name)}")
    return name


def _counts_above(rows: Rows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows of t = 0 and of t = 1 above each threshold, from the highest threshold down."""
    _, negatives, positives = count_by_logit(rows.z, rows.t == 1.0)
    for t, counts in enumerate((negatives, positives)):
        if not counts.any():
            raise ValueError(f"t must have labels of both classes; got none of t = {t}")
    return tuple(
        np.concatenate([[0.0], np.cumsum(counts[::-1], dtype=np.float64)])
        for counts in (negatives, positives)
    )  # type: ignore[return-value]


def _thinned(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A curve with fewer points, evenly spaced along it."""
    if x.size <= _MOST_POINTS:
        return x, y
    length = np.cumsum(np.hypot(np.diff(x, prepend=x[0]), np.diff(y, prepend=y[0])))
    places = np.searchsorted(length, np.linspace(0.0, length[-1], _MOST_POINTS))
    chosen = np.unique(places)
    return x[chosen], y[chosen]
