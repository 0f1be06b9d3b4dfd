"""Pictures of a trained model, and of how good it is on data."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
from matplotlib.ticker import MaxNLocator

from fastlogit import arrays, linear
from fastlogit.elementwise import sigmoid
from fastlogit.inference import proportion_intervals
from fastlogit.model import LogisticModel
from fastlogit.plot import axes
from fastlogit.scoring.evaluation import area, ranked
from fastlogit.scoring.labelled import labelled, t_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    Labels = ArrayLike | str | int | None
    Source = os.PathLike[str] | str | Any

Strategy = Literal["uniform", "quantile"]

# Of a curve, as many points as can be told apart in the largest picture.
_MOST_POINTS = 2000
_MOST_ROWS = 2000
_GRID = 201
_LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
_MOST_TEXT = 40


# Of a model ----------------------------------------------------------------------------


def convergence(model: LogisticModel, ax: Axes | None = None) -> Axes:
    """Draw how training came to its optimum: the loss and the gradient norm, pass by pass.

    The loss is the mean loss plus the penalty, in nats, of which what is above the smallest that
    was seen is drawn; the norm is the largest element of its gradient.  There is a point for each
    trial, also for steps that were not taken.

    Parameters
    ----------
    model : LogisticModel
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
    _check(model)
    history = model.history
    if history is None or not history.passes:
        raise ValueError("model must have a history, as fastlogit.fit gives; it has none")
    ax = axes.one(ax)
    passes = np.array(history.passes)
    objective, norm = np.array(history.objective), np.array(history.gradient_norm)
    smallest = objective.min()
    with_gap = np.isfinite(objective) & (objective > smallest)
    shown = {
        f"loss above {smallest:.6g}": np.where(with_gap, objective - smallest, np.nan),
        "gradient norm": np.where(np.isfinite(norm) & (norm > 0.0), norm, np.nan),
    }
    ax.set_yscale("log")
    for (label, values), (color, linestyle), marker in zip(
        shown.items(), axes.STYLES, "os", strict=False
    ):
        ax.plot(passes, values, color=color, linestyle=linestyle, marker=marker, label=label)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.finish(ax, "passes over X", "nats")
    return ax


def coefficients(
    model: LogisticModel, ax: Axes | None = None, *, level: float = 0.95, most: int = 30
) -> Axes:
    """Draw the coefficients, and their confidence intervals where there are standard errors.

    Parameters
    ----------
    model : LogisticModel
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
    _check(model)
    most = arrays.whole_number(most, "most", 1)
    intervals = None
    if model.variances is not None:
        intervals = model.confidence_intervals(level=level)[: model.coef.size]
    names = model.feature_names or tuple(f"x{j}" for j in range(model.coef.size))
    size = min(most, model.coef.size)
    chosen = np.sort(np.argsort(-np.abs(model.coef), kind="stable")[:size])
    ax = axes.one(ax, height=max(2.0, 1.2 + 0.24 * size))
    places = np.arange(size)
    ax.axvline(0.0, color=axes.GREY, linewidth=1.0)
    label = "coefficient"
    if intervals is not None:
        label += f", {100 * level:g} % interval"
        ax.hlines(places, *intervals[chosen].T, color=axes.BLUE, linewidth=1.5)
    ax.plot(model.coef[chosen], places, "o", color=axes.BLUE, markersize=5.0, label=label)
    ax.set_yticks(places, [arrays.cut(names[j], _MOST_TEXT) for j in chosen])
    ax.set_ylim(size - 0.5, -0.5)
    what = "log-odds per unit of a feature"
    if size < model.coef.size:
        what += f" ({size} of {model.coef.size})"
    axes.finish(ax, what, "")
    return ax


# Of a model and data -------------------------------------------------------------------


def reliability(
    model: LogisticModel,
    X: Source,
    t: Labels = None,
    ax: Axes | None = None,
    *,
    bins: int = 10,
    strategy: Strategy = "uniform",
    level: float = 0.95,
) -> Axes:
    """Draw how often t = 1 among rows of about the same predicted probability.

    A calibrated model's points lie on the diagonal.  The intervals are Wilson's; the bars, with
    the scale on the right, count the rows of each bin.

    Parameters
    ----------
    model : LogisticModel
    X : array_like (n, d), CSR, table, or path
        Features; or, if `t` is the name of one of its columns, any table or file that
        :func:`fastlogit.score` takes, which is read once.
    t : array_like (n,), or str or int
        Labels, two of any kind, as the model's `classes`; or the column of the labels, by its
        name or, where columns have none, its position.  LIBSVM needs none.
    ax : matplotlib Axes, optional
        Where to draw; default: a new figure.
    bins : int
        How many.
    strategy : {"uniform", "quantile"}
        Whether bins are equally wide, or have equally many rows.
    level : float
        With what probability an interval holds the true frequency.

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
    Rows whose label or logit is missing (null or NaN) are left out.

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
    bins = arrays.whole_number(bins, "bins", 1)
    if strategy not in get_args(Strategy):
        raise ValueError(f"strategy must be 'uniform' or 'quantile'; got {strategy!r}")
    ax = axes.one(ax)
    rows = _rows(model, X, t)
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

    ax.plot([0.0, 1.0], [0.0, 1.0], color=axes.GREY, linestyle=":", label="calibrated")
    ax.vlines(mean_y, *ends.T, color=axes.BLUE, linewidth=1.5)
    label = f"{rows.z.size:,} rows, {100 * level:g} % intervals"
    ax.plot(mean_y, mean_t, "o-", color=axes.BLUE, linewidth=1.0, markersize=5.0, label=label)
    beside = ax.twinx()
    left, right = edges[:-1][there], edges[1:][there]
    beside.bar(left, count, right - left, align="edge", color=axes.LIGHT_GREY, edgecolor="white")
    beside.set(ylabel="rows in a bin", ylim=(0.0, 4.0 * count.max()))
    beside.set_yticks([0, count.max()], ["0", f"{count.max():,}"])
    # The curve over the bars.
    ax.set_zorder(beside.get_zorder() + 1)
    ax.patch.set_visible(False)
    ax.set(xlim=(0.0, 1.0), ylim=(-0.02, 1.02))
    axes.finish(ax, "mean predicted probability", "frequency of t = 1")
    return ax


def roc(model: LogisticModel, X: Source, t: Labels = None, ax: Axes | None = None) -> Axes:
    """Draw the ROC curve: true positives against false positives, for all thresholds.

    Parameters
    ----------
    model, X, t, ax
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
    ax = axes.one(ax)
    rows = _rows(model, X, t)
    false, true = _counts(rows)
    auc, _ = area(*ranked(rows.z, rows.t == 1.0)[1:])
    x, y = _thinned(false / false[-1], true / true[-1])
    ax.plot([0.0, 1.0], [0.0, 1.0], color=axes.GREY, linestyle=":", label="guessing")
    ax.plot(x, y, color=axes.BLUE, label=f"{rows.z.size:,} rows, AUC {auc:.4f}")
    ax.set(xlim=(0.0, 1.0), ylim=(0.0, 1.0), aspect="equal")
    axes.finish(ax, "false positive rate", "true positive rate")
    return ax


def precision_recall(
    model: LogisticModel, X: Source, t: Labels = None, ax: Axes | None = None
) -> Axes:
    """Draw precision against recall, for all thresholds.

    Parameters
    ----------
    model, X, t, ax
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
    ax = axes.one(ax)
    rows = _rows(model, X, t)
    false, true = (counts[1:] for counts in _counts(rows))
    precision, recall = true / (true + false), true / true[-1]
    average = float(np.diff(recall, prepend=0.0) @ precision)
    x, y = _thinned(np.append(0.0, recall), np.append(precision[0], precision))
    share = true[-1] / (true[-1] + false[-1])
    ax.axhline(share, color=axes.GREY, linestyle=":", label=f"guessing, {share:.4f}")
    label = f"{rows.z.size:,} rows, average precision {average:.4f}"
    ax.plot(x, y, color=axes.BLUE, drawstyle="steps-pre", label=label)
    ax.set(xlim=(0.0, 1.0), ylim=(0.0, 1.02))
    axes.finish(ax, "recall", "precision")
    return ax


def decision_boundary(
    model: LogisticModel, X: Source, t: Labels = None, ax: Axes | None = None
) -> Axes:
    """Draw the rows of two features, and lines of equal probability of t = 1 between them.

    Of many rows two thousand are drawn, evenly spaced.

    Parameters
    ----------
    model : LogisticModel
        With two features.
    X, t, ax
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
    _check(model)
    if model.coef.size != 2 or model.categories:
        what = "columns of text" if model.categories else f"{model.coef.size}"
        raise ValueError(f"model must have two features, of numbers; it has {what}")
    ax = axes.one(ax)
    rows = _rows(model, X, t, with_features=True)
    every = -(-rows.t.size // _MOST_ROWS)
    points, labels = rows.X[::every], rows.t[::every]
    for label, style, marker in ((1.0, axes.BLUE, "o"), (0.0, axes.VERMILION, "x")):
        of_label = points[labels == label]
        name = f"t = {label:g}" if model.classes in ((0, 1), (False, True)) else ""
        name = name or arrays.cut(str(model.classes[int(label)]), _MOST_TEXT)
        ax.plot(*of_label.T, marker, color=style, markersize=4.0, alpha=0.6, label=name)
    limits = ax.get_xlim(), ax.get_ylim()
    across, up = (np.linspace(*ends, _GRID) for ends in limits)
    grid = np.column_stack([part.ravel() for part in np.meshgrid(across, up)])
    y = linear.probability(grid, model.coef, model.intercept).reshape(_GRID, _GRID)
    lines = ax.contour(
        across, up, y, levels=_LEVELS, colors="black", linewidths=[1, 1, 2.5, 1, 1], alpha=0.8
    )
    for text in ax.clabel(lines, fmt=lambda level: f"{level:g}"):
        text.set(rotation=0.0, color="black", alpha=1.0)
        text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.0})
    ax.set(xlim=limits[0], ylim=limits[1])
    names = model.feature_names or ("x0", "x1")
    short = [arrays.cut(name, _MOST_TEXT) for name in names]
    axes.finish(ax, short[0], short[1])
    return ax


class _Rows(NamedTuple):
    """Rows with a label and a score: logits, t, and features if asked for."""

    z: NDArray[np.float64]
    t: NDArray[np.float64]
    X: NDArray[np.float64]


def _check(model: LogisticModel) -> None:
    if not isinstance(model, LogisticModel):
        raise TypeError(f"model must be a LogisticModel; got {type(model).__name__}")


def _rows(model: LogisticModel, X: Source, t: Labels, *, with_features: bool = False) -> _Rows:
    _check(model)
    is_path = isinstance(X, str | os.PathLike)
    if t is None and not is_path:
        raise TypeError("t must be the labels of the rows of X, or name their column")
    if t is None or isinstance(t, str | int):
        parts = list(labelled(model, X, t, with_features=with_features))
        z, labels = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
        features = [_matrix(part.X) for part in parts] if with_features else []
    elif is_path:
        raise TypeError("t must name the column of the labels where X is a path")
    else:
        z = model.decision(X, missing="nan")
        given = np.asarray(t)
        if given.shape != z.shape:
            raise ValueError(
                f"t must have one label for each row of X, {z.size}; got shape {given.shape}"
            )
        labels = t_of(given, model.classes, "t")
        features = [_matrix(X)] if with_features else []
    known = ~(np.isnan(z) | np.isnan(labels))
    if not known.any():
        raise ValueError("there is no row with a label and a score")
    matrix = np.concatenate(features)[known] if with_features else np.empty((0, 0))
    return _Rows(z[known], labels[known], matrix)


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
