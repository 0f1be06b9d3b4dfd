"""Pictures of how good a model is on data: calibration, ROC, precision and recall, confusion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, SupportsIndex, get_args

import numpy as np
from matplotlib.colors import Normalize

from fastlogit.core import checks
from fastlogit.elementwise import sigmoid
from fastlogit.models.model import loaded
from fastlogit.models.predictions import class_numbers
from fastlogit.models.statistics import proportion_intervals
from fastlogit.plot import axes
from fastlogit.plot.rows import class_label, class_ticks, contrasts, read_rows, rows_label
from fastlogit.scoring.roc import area, count_by_logit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from fastlogit.core.checks import Missing
    from fastlogit.matrix.onehot import Unknown
    from fastlogit.models.model import LogisticModel
    from fastlogit.plot.rows import Contrast, Labels, Model, Offset, Rows, ShowProgress, Source
    from fastlogit.tables.csv_options import CSVOptions

Strategy = Literal["uniform", "quantile"]

# More points of a curve could not be told apart in the largest picture.
_MOST_POINTS = 2000
_MOST_BINS = 1_000_000
# A matrix of more classes has no room for counts, or for percentages.
_MOST_WITH_COUNTS, _MOST_WITH_PERCENT = 8, 20
# The look of a calibration curve.
_POINTS: dict[str, Any] = {"linewidth": 1.0, "marker": "o", "markersize": 5.0}
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

    Of more than two classes each has a curve: how often a row is of the class, over the predicted
    probability of the class.  The five classes with most rows have colours, and the others are
    grey.  There are no bars, and the axes must be empty.

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
    offset : array_like (n,) or (n, K), or columns, optional
        A known addition to the logits, needed by a model that was trained with one; or its
        column, if `t` is a column.  Of more than two classes a column for each class.
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
    model = _checked(model, name, ax)
    bins = checks.whole_number(bins, "bins", 1)
    if bins > _MOST_BINS:
        raise ValueError(f"bins must be at most {_MOST_BINS}; got {checks.shown(bins)}")
    checks.choice(strategy, "strategy", get_args(Strategy))
    rows = read_rows(
        model, X, t, offset=offset, missing=missing, unknown=unknown, source_format=source_format,
        csv=csv, threads=threads, progress=progress,
    )  # fmt: skip
    title = rows_label(rows, name, f"{100 * level:g} % intervals")
    curves = [_calibration(one, bins, strategy) for one in contrasts(model, rows, title)]
    intervals = [proportion_intervals(curve.mean_t, curve.rows, level) for curve in curves]

    ax = axes.single(ax)
    if len(curves) == 1 and not ax.lines:
        _draw_counts(ax, curves[0])
    axes.draw_reference(ax, [0.0, 1.0], [0.0, 1.0], "calibrated")
    options = axes.curve_options(ax, [curve.label for curve in curves])
    for curve, ends, look in zip(curves, intervals, options, strict=True):
        look = _POINTS | look
        ax.vlines(curve.mean_y, *ends.T, color=look["color"], linewidth=1.5 * look["linewidth"])
        ax.plot(curve.mean_y, curve.mean_t, **look)
    ax.set(xlim=_UNIT, ylim=_UNIT)
    side = class_label(model, 1) if rows.z.ndim == 1 else "a class"
    _finish(ax, rows, title, "mean predicted probability", f"frequency of {side}")
    return ax


class _Calibration(NamedTuple):
    """The bins with rows: edges, numbers of rows, mean probabilities and mean targets."""

    label: str
    left: NDArray[np.float64]
    right: NDArray[np.float64]
    rows: NDArray[np.int64]
    mean_y: NDArray[np.float64]
    mean_t: NDArray[np.float64]


def _calibration(rows: Contrast, bins: int, strategy: Strategy) -> _Calibration:
    y = sigmoid(rows.z)
    edges = _bin_edges(y, bins, strategy)
    number, size = np.searchsorted(edges[1:-1], y), edges.size - 1
    count, sum_y, sum_t = (np.bincount(number, w, size) for w in (None, y, rows.t))
    filled = count > 0
    count, sum_y, sum_t = count[filled], sum_y[filled], sum_t[filled]
    ends = edges[:-1][filled], edges[1:][filled]
    return _Calibration(rows.label, *ends, count, sum_y / count, sum_t / count)


def _finish(ax: Axes, rows: Rows, title: str, xlabel: str, ylabel: str) -> None:
    """Label the axes; the legend of K classes has a title."""
    if rows.z.ndim == 2:
        axes.finish(ax, xlabel, ylabel, columns=2, title=title)
    else:
        axes.finish(ax, xlabel, ylabel)


def _bin_edges(y: NDArray[np.float64], bins: int, strategy: Strategy) -> NDArray[np.float64]:
    """Edges of bins of the same width, or of the same number of rows."""
    edges = np.linspace(0.0, 1.0, bins + 1)
    if strategy == "quantile":
        edges = np.unique(np.quantile(y, edges))
        edges = np.repeat(edges, 2) if edges.size == 1 else edges
    return edges


def _draw_counts(ax: Axes, curve: _Calibration) -> None:
    """Draw the numbers of rows as bars behind the curve, in the lowest quarter."""
    beside, count, width = ax.twinx(), curve.rows, curve.right - curve.left
    beside.bar(curve.left, count, width, align="edge", color=axes.LIGHT_GREY, edgecolor="white")
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

    Of more than two classes each has a curve, against all others, as in `reliability`.

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
    model = _checked(model, name, ax)
    rows = read_rows(
        model, X, t, offset=offset, missing=missing, unknown=unknown, source_format=source_format,
        csv=csv, threads=threads, progress=progress,
    )  # fmt: skip
    title = rows_label(rows, name)
    curves = [_roc_curve(one) for one in _with_both(contrasts(model, rows, title))]
    ax = axes.single(ax)
    axes.draw_reference(ax, [0.0, 1.0], [0.0, 1.0], "guessing")
    _draw_curves(ax, curves)
    ax.set(xlim=_UNIT, ylim=_UNIT, aspect="equal")
    _finish(ax, rows, title, "false positive rate", "true positive rate")
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

    Of more than two classes each has a curve, against all others, as in `reliability`.

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
    model = _checked(model, name, ax)
    rows = read_rows(
        model, X, t, offset=offset, missing=missing, unknown=unknown, source_format=source_format,
        csv=csv, threads=threads, progress=progress,
    )  # fmt: skip
    title = rows_label(rows, name)
    of_two = rows.z.ndim == 1
    fact = "average precision" if of_two else "AP"  # the legend of K classes is narrow
    curves = [
        _precision_recall_curve(one, fact) for one in _with_both(contrasts(model, rows, title))
    ]
    ax = axes.single(ax)
    if of_two:
        share = rows.t.mean()
        axes.draw_reference(ax, [0.0, 1.0], [share, share], f"guessing, {share:.4f}")
    _draw_curves(ax, curves, drawstyle="steps-pre")
    ax.set(xlim=_UNIT, ylim=_UNIT)
    _finish(ax, rows, f"{title}, average precision (AP)", "recall", "precision")
    return ax


def confusion_matrix(
    model: Model,
    X: Source,
    t: Labels = None,
    ax: Axes | None = None,
    *,
    offset: Offset = None,
    missing: Missing = "skip",
    unknown: Unknown = "error",
    source_format: str | None = None,
    csv: CSVOptions | None = None,
    threads: SupportsIndex | None = None,
    progress: ShowProgress = None,
) -> Axes:
    """Draw the confusion matrix: how the rows of each class are predicted.

    The colours are percentages of the rows of a class; a line adds up to 100.  A class without rows
    has no colour.  Up to eight classes, the cells also show the numbers of rows, and up to twenty
    classes the percentages.

    Parameters
    ----------
    model, X, t, ax, offset, missing, unknown, source_format, csv, threads, progress
        As in `reliability`.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    OSError, TypeError, ValueError
        As in `reliability`.

    Examples
    --------
    >>> import fastlogit as fl
    >>> from fastlogit.plot import confusion_matrix
    >>> model = fl.LogisticModel([1.0])
    >>> ax = confusion_matrix(model, [[-1.0], [-2.0], [2.0], [1.0]], [0, 1, 1, 1])
    >>> ax.get_title()
    '4 rows, accuracy 0.7500'
    """
    axes.check(ax)
    model = loaded(model)
    rows = read_rows(
        model, X, t, offset=offset, missing=missing, unknown=unknown, source_format=source_format,
        csv=csv, threads=threads, progress=progress,
    )  # fmt: skip
    K = len(model.classes)
    true, predicted = rows.t.astype(np.intp), class_numbers(rows.z, threads=threads)
    counts = np.bincount(K * true + predicted, minlength=K * K).reshape(K, K)
    with np.errstate(invalid="ignore"):
        percent = 100.0 * counts / counts.sum(axis=1, keepdims=True)
    texts, ticks = _cell_texts(counts, percent), class_ticks(model)
    ax = axes.single(ax, height=5.4)
    axes.draw_cells(
        ax, percent, texts, ticks, ticks, "% of the class", "Blues", Normalize(0.0, 100.0)
    )
    ax.set_title(rows_label(rows, fact=f"accuracy {np.trace(counts) / true.size:.4f}"))
    ax.set(xlabel="predicted class", ylabel="class")
    return ax


def _cell_texts(counts: NDArray[np.int64], percent: NDArray[np.float64]) -> list[list[str]]:
    """Counts and percentages, percentages alone, or nothing; an empty cell stays empty."""
    if len(counts) > _MOST_WITH_PERCENT:
        return []
    template = "{:,}\n{:.1f} %" if len(counts) <= _MOST_WITH_COUNTS else "{1:.0f}"
    return [
        [template.format(*cell) if cell[0] else "" for cell in zip(*line, strict=True)]
        for line in zip(counts.tolist(), percent.tolist(), strict=True)
    ]


def _checked(model: Model, name: str, ax: Axes | None) -> LogisticModel:
    """The model; an error if an argument is wrong, or if the axes have no room for its curves."""
    axes.check(ax)
    model = loaded(model)
    if not isinstance(name, str):
        raise TypeError(f"name must be text; got {checks.shown(name)}")
    if model.coef.ndim == 2 and ax is not None and ax.lines:
        raise ValueError(
            "ax must have no lines, as the curves of several classes need all styles; got "
            f"{len(ax.lines)}"
        )
    return model


class _Curve(NamedTuple):
    label: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]


def _roc_curve(rows: Contrast) -> _Curve:
    _, negatives, positives = count_by_logit(rows.z, rows.t)
    auc, _ = area(negatives, positives)
    false, true = _counts_above(negatives), _counts_above(positives)
    return _thinned(f"{rows.label}, AUC {auc:.4f}", false / false[-1], true / true[-1])


def _precision_recall_curve(rows: Contrast, fact: str) -> _Curve:
    _, negatives, positives = count_by_logit(rows.z, rows.t)
    false, true = _counts_above(negatives)[1:], _counts_above(positives)[1:]
    precision, recall = true / (true + false), true / true[-1]
    average = float(np.diff(recall, prepend=0.0) @ precision)
    label = f"{rows.label}, {fact} {average:.4f}"
    return _thinned(label, np.append(0.0, recall), np.append(precision[0], precision))


def _with_both(classes: Iterable[Contrast]) -> Iterator[Contrast]:
    """The classes that some rows are in and others are not; an error if there are none."""
    found = False
    for one in classes:
        if one.t.any() and not one.t.all():
            found = True
            yield one
    if not found:
        raise ValueError("t must have labels of at least two classes; got one")


def _counts_above(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Rows above each threshold, from the highest threshold down."""
    return np.concatenate([[0.0], np.cumsum(counts[::-1], dtype=np.float64)])


def _draw_curves(ax: Axes, curves: Sequence[_Curve], **look: Any) -> None:
    options = axes.curve_options(ax, [curve.label for curve in curves])
    for curve, own_look in zip(curves, options, strict=True):
        ax.plot(curve.x, curve.y, **look, **own_look)


def _thinned(label: str, x: NDArray[np.float64], y: NDArray[np.float64]) -> _Curve:
    """A curve with fewer points, evenly spaced along it."""
    if x.size <= _MOST_POINTS:
        return _Curve(label, x, y)
    length = np.cumsum(np.hypot(np.diff(x, prepend=x[0]), np.diff(y, prepend=y[0])))
    places = np.searchsorted(length, np.linspace(0.0, length[-1], _MOST_POINTS))
    chosen = np.unique(places)
    return _Curve(label, x[chosen], y[chosen])
