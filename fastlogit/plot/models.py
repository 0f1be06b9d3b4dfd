"""Pictures of a trained model, and of how good it is on data."""

from __future__ import annotations

import os
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
from matplotlib.ticker import MaxNLocator

from fastlogit import linear
from fastlogit.core import checks
from fastlogit.elementwise import logit, sigmoid
from fastlogit.models.model import LogisticModel, loaded, warn_without_offset
from fastlogit.models.statistics import confidence_intervals, proportion_intervals
from fastlogit.plot import axes
from fastlogit.scoring.evaluation import area, ranked
from fastlogit.scoring.labelled import labelled
from fastlogit.training.targets import t_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from fastlogit.core.checks import Missing
    from fastlogit.matrix.onehot import Unknown
    from fastlogit.tables.csv_options import CSVOptions

    Labels = ArrayLike | str | int | None
    Model = LogisticModel | str | os.PathLike[str]
    Offset = ArrayLike | str | int | None
    Source = os.PathLike[str] | str | Any

Strategy = Literal["uniform", "quantile"]

# Of a curve, as many points as can be told apart in the largest picture.
_MOST_POINTS = 2000
_MOST_ROWS = 2000
_MOST_BINS = 1_000_000
_UNIT = (-0.02, 1.02)  # of a picture of shares, so that curves do not lie under its frame
# Probabilities that decision boundaries have lines of, and points from line to line that leave
# room for numbers.
_LEAST_GAP = 14.0
_LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
_MOST_TEXT = 40
_MOST_DRAWN = 1e300


# Of a model ----------------------------------------------------------------------------


def convergence(model: Model, ax: Axes | None = None) -> Axes:
    """Draw how training came to its optimum: the loss and the gradient norm, pass by pass.

    The loss is the mean loss plus the penalty, in nats, of which what is above the smallest that
    was seen is drawn; the norm is the largest element of its gradient.  There is a point for each
    trial, also for steps that were not taken.

    Parameters
    ----------
    model : LogisticModel, or path of its file
        With a `history`, as :func:`fastlogit.fit` gives.
    ax : matplotlib Axes, optional
        Where to draw; default: a new figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError
        If `ax` is something else.
    ValueError
        If the model has no history.

    Examples
    --------
    >>> import fastlogit as fl
    >>> from fastlogit.plot import convergence
    >>> model = fl.fit([[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1])
    >>> convergence(model).get_xlabel()
    'passes over X'
    """
    model = _checked(model, ax)
    history = model.history
    if history is None or not history.passes:
        raise ValueError("model must have a history, as fastlogit.fit gives; it has none")
    ax = axes.one(ax)
    passes = np.array(history.passes)
    objective, norm = np.array(history.objective), np.array(history.gradient_norm)
    smallest = objective.min()
    with_gap = np.isfinite(objective) & (objective > smallest)
    shown = {"gradient norm": np.where(np.isfinite(norm) & (norm > 0.0), norm, np.nan)}
    if with_gap.any():
        gap = np.where(with_gap, objective - smallest, np.nan)
        shown = {f"loss above {smallest:.6g}": gap} | shown
    ax.set_yscale("log")
    for (label, values), (color, linestyle), marker in zip(
        shown.items(), axes.STYLES, "os", strict=False
    ):
        ax.plot(passes, values, color=color, linestyle=linestyle, marker=marker, label=label)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.finish(ax, "passes over X", "nats")
    return ax


def coefficients(
    model: Model, ax: Axes | None = None, *, level: float = 0.95, most: int = 30
) -> Axes:
    """Draw the coefficients, and their confidence intervals where there are standard errors.

    The intercept is not drawn; a coefficient that collinear columns leave open has no interval.

    Parameters
    ----------
    model : LogisticModel, or path of its file
    ax : matplotlib Axes, optional
        Where to draw; default: a new figure.
    level : float
        With what probability an interval holds the true coefficient.
    most : int
        How many to draw: those that are the furthest from 0, in the order of the columns.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError
        If `ax`, `level` or `most` is something else.

    Examples
    --------
    >>> import fastlogit as fl
    >>> from fastlogit.plot import coefficients
    >>> ax = coefficients(fl.LogisticModel([0.5, -2.0], 0.0, ("age", "dose")))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['age', 'dose']
    """
    model = _checked(model, ax)
    most = checks.whole_number(most, "most", 1)
    errors = np.full(model.coef.size, np.nan)
    if model.variances is not None and not np.any(model.l2):
        errors = model.standard_errors()[: model.coef.size]
    # Beyond that, matplotlib finds no ticks.
    coef = np.clip(model.coef, -_MOST_DRAWN, _MOST_DRAWN)
    intervals = confidence_intervals(coef, errors, level)
    names = model.feature_names or tuple(f"x{j}" for j in range(model.coef.size))
    size = min(most, model.coef.size)
    chosen = np.sort(np.argsort(-np.abs(model.coef), kind="stable")[:size])
    ax = axes.one(ax, height=max(2.0, 1.2 + 0.24 * size))
    places = np.arange(size)
    ax.axvline(0.0, color=axes.GREY, linewidth=1.0)
    label = "coefficient"
    if not np.isnan(intervals[chosen]).all():
        label += f", {100 * level:g} % interval"
        ax.hlines(places, *intervals[chosen].T, color=axes.BLUE, linewidth=1.5)
    ax.plot(coef[chosen], places, "o", color=axes.BLUE, markersize=5.0, label=label)
    ax.set_yticks(places, [_name(names[j]) for j in chosen])
    ax.set_ylim(size - 0.5, -0.5)
    what = "log-odds per unit of a feature"
    if size < model.coef.size:
        what += f" ({size} of {model.coef.size})"
    axes.finish(ax, what, "")
    return ax


# Of a model and data -------------------------------------------------------------------


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
) -> Axes:
    """Draw how often t = 1 among rows of about the same predicted probability.

    A calibrated model's points lie on the diagonal.  The intervals are Wilson's; the bars, with
    the logarithmic scale on the right, count the rows of each bin (of the first model alone, where
    several are drawn).

    Parameters
    ----------
    model : LogisticModel, or path of its file
    X : array_like (n, d), CSR, table, or path
        Features, of any real dtype, in the order of the coefficients; or, if `t` says which
        column the labels are, any table or file that :func:`fastlogit.score` takes, where columns
        are found by their names; it is read once.
    t : array_like (n,), or str or int
        Labels: numbers, strings or truth values, of which each is one of the model's `classes`, as
        :func:`fastlogit.scoring.evaluate` takes them.  Or their column, by its name or, where
        columns have none, its position; LIBSVM needs none.
    ax : matplotlib Axes, optional
        Where to draw; default: a new figure.
    offset : array_like (n,), or str or int, optional
        A known addition to the logits, which a model that was trained with one needs; or its
        column, where `t` is one.
    bins : int
        How many.
    strategy : {"uniform", "quantile"}
        Whether bins are equally wide, or have equally many rows.
    level : float
        With what probability an interval holds the true frequency.
    missing : {"skip", "error"}
        Whether rows without a label or a score (null or NaN) are left out, as the legend then says,
        or raise an error that names the first.
    unknown : {"error", "ignore"}
        What to do with a text that is none of the model's categories, as of
        :func:`fastlogit.score`.
    name : str
        What the legend calls the curve.
    source_format : str, optional
        The format of a file, as of :func:`fastlogit.score`; default: by the suffix.
    csv : CSVOptions, optional
        How a CSV or TSV is written: its delimiter, decimals, encoding and missing values.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    OSError
        If a file cannot be read.
    TypeError, ValueError
        If X or t does not suit the model, or there is no row with a label and a score.

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
    bins = checks.whole_number(bins, "bins", 1)
    if bins > _MOST_BINS:
        raise ValueError(f"bins must be at most {_MOST_BINS}; got {checks.shown(bins)}")
    checks.choice(strategy, "strategy", get_args(Strategy))
    name = _checked_name(name)
    model, rows = _rows(model, X, t, ax, offset, missing, unknown, source_format, csv)
    y = sigmoid(rows.z)
    edges = np.linspace(0.0, 1.0, bins + 1)
    if strategy == "quantile":
        edges = np.unique(np.quantile(y, edges))
        edges = np.repeat(edges, 2) if edges.size == 1 else edges
    number, size = np.searchsorted(edges[1:-1], y), edges.size - 1
    count, sum_y, sum_t = (np.bincount(number, w, size) for w in (None, y, rows.t))
    there = count > 0
    count, mean_y, mean_t = count[there], (sum_y[there] / count[there]), sum_t[there] / count[there]
    ends = proportion_intervals(mean_t, count, level)

    ax = axes.one(ax)
    if not ax.lines:
        _draw_counts(ax, edges, there, count)
    axes.reference(ax, [0.0, 1.0], [0.0, 1.0], "calibrated")
    color, linestyle = axes.next_style(ax)
    label = _labelled(name, rows, f"{100 * level:g} % intervals")
    ax.vlines(mean_y, *ends.T, color=color, linewidth=1.5)
    ax.plot(
        mean_y, mean_t, "o", color=color, linestyle=linestyle, linewidth=1.0, markersize=5.0,
        label=label,
    )  # fmt: skip
    ax.set(xlim=_UNIT, ylim=_UNIT)
    axes.finish(ax, "mean predicted probability", f"frequency of {_class(model, 1)}")
    return ax


def _draw_counts(
    ax: Axes, edges: NDArray[np.float64], there: NDArray[np.bool_], count: NDArray[np.int64]
) -> None:
    """Draw bars behind a curve, in the lowest quarter, of the bins in which there are rows."""
    beside = ax.twinx()
    left, right = edges[:-1][there], edges[1:][there]
    beside.bar(left, count, right - left, align="edge", color=axes.LIGHT_GREY, edgecolor="white")
    beside.set_yscale("log")
    lowest = 0.5  # so that a single row has a bar
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
) -> Axes:
    """Draw the ROC curve: true positives against false positives, for all thresholds.

    Parameters
    ----------
    model, X, t, ax, offset, missing, unknown, name, source_format, csv
        As of `reliability`.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    OSError, TypeError, ValueError
        As of `reliability`; and if the labels are all of one class.

    Examples
    --------
    >>> import fastlogit as fl
    >>> from fastlogit.plot import roc
    >>> ax = roc(fl.LogisticModel([1.0]), [[1.0], [2.0], [3.0], [4.0]], [0, 1, 0, 1])
    >>> ax.lines[-1].get_label()
    '4 rows, AUC 0.7500'
    """
    name = _checked_name(name)
    model, rows = _rows(model, X, t, ax, offset, missing, unknown, source_format, csv)
    false, true = _counts(rows)
    auc, _ = area(*ranked(rows.z, rows.t == 1.0)[1:])
    x, y = _thinned(false / false[-1], true / true[-1])
    ax = axes.one(ax)
    axes.reference(ax, [0.0, 1.0], [0.0, 1.0], "guessing")
    color, linestyle = axes.next_style(ax)
    label = _labelled(name, rows, f"AUC {auc:.4f}")
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
) -> Axes:
    """Draw precision against recall, for all thresholds.

    Parameters
    ----------
    model, X, t, ax, offset, missing, unknown, name, source_format, csv
        As of `reliability`.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    OSError, TypeError, ValueError
        As of `reliability`; and if the labels are all of one class.

    Notes
    -----
    The average precision is Σ (recall_i - recall_(i-1)) precision_i over the thresholds, as
    scikit-learn's: between two of them nothing is interpolated, so that the curve has steps.

    Examples
    --------
    >>> import fastlogit as fl
    >>> from fastlogit.plot import precision_recall
    >>> ax = precision_recall(fl.LogisticModel([1.0]), [[1.0], [2.0], [3.0], [4.0]], [0, 1, 0, 1])
    >>> ax.lines[-1].get_label()
    '4 rows, average precision 0.8333'
    """
    name = _checked_name(name)
    model, rows = _rows(model, X, t, ax, offset, missing, unknown, source_format, csv)
    false, true = (counts[1:] for counts in _counts(rows))
    precision, recall = true / (true + false), true / true[-1]
    average = float(np.diff(recall, prepend=0.0) @ precision)
    x, y = _thinned(np.append(0.0, recall), np.append(precision[0], precision))
    share = true[-1] / (true[-1] + false[-1])
    ax = axes.one(ax)
    axes.reference(ax, [0.0, 1.0], [share, share], f"guessing, {share:.4f}")
    color, linestyle = axes.next_style(ax)
    label = _labelled(name, rows, f"average precision {average:.4f}")
    ax.plot(x, y, color=color, linestyle=linestyle, drawstyle="steps-pre", label=label)
    ax.set(xlim=_UNIT, ylim=_UNIT)
    axes.finish(ax, "recall", "precision")
    return ax


def decision_boundary(
    model: Model,
    X: Source,
    t: Labels = None,
    ax: Axes | None = None,
    *,
    missing: Missing = "skip",
    source_format: str | None = None,
    csv: CSVOptions | None = None,
) -> Axes:
    """Draw the rows of two features, and lines of equal probability of t = 1 between them.

    The line of 0.5 is the thick one.  Of many rows two thousand are drawn, evenly spaced.

    Parameters
    ----------
    model : LogisticModel, or path of its file
        With two features.
    X, t, ax, missing, source_format, csv
        As of `reliability`.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    OSError, TypeError, ValueError
        As of `reliability`; and if the model has not two features.

    Examples
    --------
    >>> import fastlogit as fl
    >>> from fastlogit.plot import decision_boundary
    >>> model = fl.LogisticModel([1.0, -1.0], 0.0, ("age", "dose"))
    >>> ax = decision_boundary(model, [[0.0, 1.0], [2.0, 0.5]], [0, 1])
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('age', 'dose')
    """
    model = _checked(model, ax)
    if model.coef.size != 2 or model.categories:
        what = "text among them" if model.categories else f"{model.coef.size}"
        raise ValueError(f"model must have two features, of numbers; it has {what}")
    model, rows = _rows(
        model, X, t, ax, None, missing, "error", source_format, csv, with_features=True
    )
    ax = axes.one(ax)
    every = -(-rows.t.size // _MOST_ROWS)
    points, labels = rows.X[::every], rows.t[::every]
    for label, style, marker in ((1, axes.BLUE, "o"), (0, axes.VERMILION, "x")):
        of_label = points[labels == label]
        ax.plot(
            *of_label.T, marker, color=style, markersize=4.0, alpha=0.6, label=_class(model, label)
        )
    _draw_levels(ax, model)
    names = model.feature_names or ("x0", "x1")
    axes.finish(ax, _name(names[0]), _name(names[1]))
    return ax


def _draw_levels(ax: Axes, model: LogisticModel) -> None:
    """Draw lines of equal probability: straight lines, as logits are equal there."""
    limits = across, up = ax.get_xlim(), ax.get_ylim()
    corners = np.array([[x, y] for y in up for x in across])
    z = linear.decision(corners, model.coef, model.intercept).reshape(2, 2)
    levels = {float(logit(y)): y for y in _LEVELS}
    seen = {at: y for at, y in levels.items() if z.min() < at < z.max()}
    label = f"probability of {_class(model, 1)}: "
    if not seen:
        least, most = sigmoid(np.array([z.min(), z.max()]))
        ax.plot([], [], color="black", label=f"{label}{least:.2g} to {most:.2g}")
        return
    widths = [2.5 if y == 0.5 else 1.0 for y in seen.values()]
    options: Any = {"colors": "black", "linestyles": "-", "linewidths": widths, "alpha": 0.8}
    lines = ax.contour(across, up, z, levels=list(seen), **options)
    ax.plot([], [], color="black", label=label + ", ".join(f"{y:g}" for y in seen.values()))
    # Points of the picture from one line to the next; less than a text is high leaves no room.
    slopes = model.coef * [np.ptp(ends) for ends in limits]
    size = 72.0 * np.array(ax.get_window_extent().size) / ax.figure.dpi
    if np.diff(list(levels)).min() / np.hypot(*slopes / size) > _LEAST_GAP:
        white: Any = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
        for y, path in zip(seen.values(), lines.get_paths(), strict=True):
            middle_x, middle_y = np.asarray(path.vertices).mean(axis=0)
            ax.text(middle_x, middle_y, f"{y:g}", ha="center", va="center", bbox=white)
    ax.set(xlim=across, ylim=up)


class _Rows(NamedTuple):
    """Rows with a label and a score: logits, t, and features if asked for."""

    z: NDArray[np.float64]
    t: NDArray[np.float64]
    X: NDArray[np.float64]
    # How many more rows there are, without a label or a score.
    skipped: int


def _checked(model: Model, ax: Axes | None) -> LogisticModel:
    axes.check(ax)
    return loaded(model)


def _checked_name(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"name must be text; got {checks.shown(name)}")
    return name


def _name(text: str) -> str:
    return axes.plain(checks.cut(text, _MOST_TEXT))


def _class(model: LogisticModel, label: int) -> str:
    """What stands for rows of t = `label`."""
    if model.classes in ((0, 1), (False, True)):
        return f"t = {label}"
    return f"class {_name(str(model.classes[label]))}"


def _labelled(name: str, rows: _Rows, what: str) -> str:
    """What the legend says of a curve."""
    total = rows.z.size + rows.skipped
    count = f"{rows.z.size:,} of " * (rows.skipped > 0) + f"{total:,} row{'s' * (total != 1)}"
    return ", ".join(filter(None, [_name(name), count, what]))


def _rows(
    model: Model,
    X: Source,
    t: Labels,
    ax: Axes | None,
    offset: Offset,
    missing: Missing,
    unknown: Unknown,
    source_format: str | None,
    csv: CSVOptions | None,
    *,
    with_features: bool = False,
) -> tuple[LogisticModel, _Rows]:
    model = _checked(model, ax)
    checks.missing(missing, ("error", "skip"))
    is_path = isinstance(X, str | os.PathLike)
    if t is None and not is_path:
        raise TypeError("t must be the labels of the rows of X, or name their column")
    if t is None or isinstance(t, str | Integral):
        warn_without_offset(model, offset)
        column: Any = offset  # which is checked there
        found = labelled(
            model,
            X,
            t,
            offset=column,
            missing=missing,
            unknown=unknown,
            source_format=source_format,
            csv=csv,
            with_features=with_features,
        )
        parts = list(found)
        z, labels = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
        features = [_matrix(part.X) for part in parts] if with_features else []
    elif is_path:
        raise TypeError("t must name the column of the labels where X is a path")
    else:
        z = model.decision(X, offset=offset, missing="nan", unknown=unknown)
        given = t if isinstance(t, np.ma.MaskedArray) else np.asarray(t)
        if given.shape != z.shape:
            raise ValueError(
                f"t must have one label for each row of X, {z.size}; got shape {given.shape}"
            )
        labels = t_of(given, model.classes, "t")
        features = [_matrix(X)] if with_features else []
    known = ~(np.isnan(z) | np.isnan(labels))
    if not known.any():
        raise ValueError("there is no row with a label and a score")
    skipped = known.size - int(np.count_nonzero(known))
    if missing == "error" and skipped:
        raise ValueError(
            f"row {int(np.argmin(known))} has no label or no score (missing='skip' leaves out such "
            "rows)"
        )
    matrix = np.concatenate(features)[known] if with_features else np.empty((0, 0))
    return model, _Rows(z[known], labels[known], matrix, skipped)


def _matrix(X: Any) -> NDArray[np.float64]:
    """Two columns, of whatever they are in."""
    if hasattr(X, "toarray"):
        X = X.toarray()
    if hasattr(X, "column"):
        X = np.column_stack([X.column(j).to_numpy(zero_copy_only=False) for j in range(2)])
    if isinstance(X, dict):
        X = np.column_stack(list(X.values()))
    return np.asarray(X, dtype=np.float64)


def _counts(rows: _Rows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows of t = 0 and t = 1 that are above a threshold, from the highest threshold to none."""
    _, negatives, positives = ranked(rows.z, rows.t == 1.0)
    for label, counts in enumerate((negatives, positives)):
        if not counts.any():
            raise ValueError(f"t must have labels of both classes; none is that of t = {label}")
    return tuple(
        np.concatenate([[0.0], np.cumsum(counts[::-1], dtype=np.float64)])
        for counts in (negatives, positives)
    )  # type: ignore[return-value]


def _thinned(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A curve by fewer of its points, evenly spaced along it."""
    if x.size <= _MOST_POINTS:
        return x, y
    length = np.cumsum(np.hypot(np.diff(x, prepend=x[0]), np.diff(y, prepend=y[0])))
    places = np.searchsorted(length, np.linspace(0.0, length[-1], _MOST_POINTS))
    chosen = np.unique(places)
    return x[chosen], y[chosen]
