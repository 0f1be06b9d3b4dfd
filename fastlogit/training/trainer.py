"""Train a logistic model: the optimum, and proof of it, in few reads of X.

    options ──▶ objective f (training/objective.py)
                   │   solver (training/solvers.py): tries points θ, one read of X each
                   ▼
    for each trial:  is the optimum near enough (training/convergence.py)?
                     are the labels separated?  are reads or time used up?
                   │
                   ▼
    the best point, and what the Hessian there tells (training/diagnosis.py) ──▶ model

Far out, where every σ(z) is 0 or 1, H is nearly 0 and Newton's steps know nothing; so no start
is used that is worse than all coefficients 0, and the offset is centred.
"""

from __future__ import annotations

import math
import time
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn, SupportsIndex

import numpy as np

from fastlogit import losses
from fastlogit.core import checks
from fastlogit.core import threads as _threads
from fastlogit.matrix import centring, features
from fastlogit.models.fields import History, checked_names
from fastlogit.models.model import LogisticModel
from fastlogit.training import labels, solvers
from fastlogit.training.convergence import has_converged, is_near
from fastlogit.training.diagnosis import (
    CollinearityWarning,
    SeparationError,
    SeparationWarning,
    collinear,
    diagnose,
    lost,
    nearly_collinear,
    separated,
    separating_columns,
)
from fastlogit.training.objective import NoReadLeftError, NotFiniteError, Objective, Point
from fastlogit.training.options import Callback, OnSeparation, Options, Progress, Solver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from fastlogit.core.linalg import Vector

__all__ = [
    "CollinearityWarning",
    "ConvergenceWarning",
    "Options",
    "Progress",
    "SeparationError",
    "SeparationWarning",
    "fit",
    "train",
]


# Factor by which the gradient must shrink before separated labels are looked for again.
_VANISHED = 1e-2
# Sums of weights below this have too few digits left.
_LEAST_WEIGHT = 1e-290


class ConvergenceWarning(UserWarning):
    """Training ended before the optimum was near enough."""


def fit(
    X: Any,
    t: ArrayLike,
    *,
    l2: float | ArrayLike = 1.0,
    weight: ArrayLike | None = None,
    class_weight: labels.ClassWeight = None,
    offset: ArrayLike | None = None,
    intercept: bool = True,
    start: LogisticModel | None = None,
    solver: Solver = "auto",
    tol: float = 1e-8,
    max_passes: int = 1000,
    max_seconds: float | None = None,
    step_size: float | None = None,
    seed: int = 0,
    on_separation: OnSeparation = "warn",
    feature_names: Sequence[str] | None = None,
    progress: bool = False,
    callback: Callback | None = None,
    threads: SupportsIndex | None = None,
) -> LogisticModel:
    """Train a logistic model.

    Minimises Σ weight ξ + Σ l2 coef² / 2, where ξ is the cross-entropy of a row and the
    logit is X @ coef + intercept + offset.

    Parameters
    ----------
    X : array_like (n, d), sparse matrix (n, d), or table with n rows and d columns
        Features, finite; see :mod:`fastlogit.linear`.  Never copied (all else, as far as it is not
        float64, is).
    t : array_like (n,)
        Targets: numbers in [0, 1] (labels 0 and 1, or probabilities), or two different labels
        of any kind (bool, int, float or str), of which the later one in their order is t = 1.
    l2 : float, or array_like (d,)
        Penalty l2/2 Σ coef² on the *sum* of the losses, for all columns or one for each.
        **The default of 1.0 does penalise**, as scikit-learn's does (its ``C`` is ``1 / l2``);
        0 gives the maximum of the likelihood.  The intercept is never penalised.
    weight : array_like (n,), optional
        Sample weights, finite and not negative: how often each row counts.
    class_weight : dict of label to float, or "balanced", optional
        What the weights of each class are multiplied by (1 for a label that is not there);
        "balanced" makes both classes weigh half of what all rows weigh.
    offset : array_like (n,), optional
        A known addition to z.  It is no part of the model, whose predictions need one as well.
    intercept : bool
        Whether the model has one.
    start : LogisticModel, optional
        Where to begin, if that is better than the default: all coefficients 0.
    solver : {"auto", "newton", "sampled-newton", "lbfgs", "gradient-descent"}
        All end at the same optimum; `LogisticModel.solver` says which one it was.

        * newton: Newton's method, each step with the Hessian of all rows.  Exact and robust;
          each pass takes n d² multiplications.
        * sampled-newton: L-BFGS that begins at the optimum of a sample of at least 20 000 rows,
          or 40 for each column, with its Hessian.
        * lbfgs: L-BFGS with the diagonal of the Hessian.
        * gradient-descent: the textbook's method, slow.

        "auto" is lbfgs for more than 1000 columns, else newton for little data (n d² of at most
        2e7, or fewer than 10 rows for each column), else sampled-newton.
    tol : float
        Converged when each coefficient is within √tol / 10 of its standard error, and within
        √tol / 100 of the largest coefficient, from the optimum: at 1e-8 within 1e-5 and 1e-6.
        The distance is estimated by Newton's step (see Notes), whatever the units of columns and
        weights.
    max_passes : int
        Most reads of X before training ends.  Where columns have no penalty, a few more find out
        about standard errors, collinearity and separation; they do not change the coefficients.
    max_seconds : float, optional
        Training ends with the first pass after so many seconds.
    step_size : float, optional
        Of gradient descent, times the gradient of the mean; default: found by a line search.
    seed : int
        Of the sample of sampled-newton.
    on_separation : {"warn", "raise", "ignore"}
        What to do where labels can be separated along columns without a penalty (or all are the
        same), so that coefficients grow without end.  With more than 1000 columns it is only
        found where all rows are.
    feature_names : sequence of d str, optional
        Names of the columns, kept in the model; default: those that X has, if it has some.
    progress : bool
        Show a bar with loss and gradient norm, which needs tqdm.
    callback : function of `Progress`, optional
        Called after each read of X; training ends where it returns True.
    threads : int, optional
        Most threads to use; default: all cores that the process may use.

    Returns
    -------
    LogisticModel
        The same bits for any number of threads.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong shape, dtype or range, before any work; or if X is not
        finite, which the first pass finds.
    SeparationError
        A ValueError; see `on_separation`.

    Warns
    -----
    ConvergenceWarning
        If the model did not converge; it says what was reached and what to change.
    SeparationWarning
        See `on_separation`; it names the columns.
    CollinearityWarning
        If columns without a penalty are sums of multiples of others; it names them.  The model
        has the shortest of the best coefficients (in units in which all columns are alike).

    Notes
    -----
    f = Σ weight ξ + Σ l2 coef² / 2 has the gradient g = [X | 1]ᵀ weight (σ(z) - t) + l2 coef and
    the Hessian H = [X | 1]ᵀ diag(weight σ(z) σ(-z)) [X | 1] + diag(l2).  The optimum is where g
    is 0; see :mod:`fastlogit.training.solvers` for the ways there.  The Newton step -H⁻¹ g leads to
    it up to terms of second order.  No element of it is longer than λ = √(gᵀ H⁻¹ g) standard
    errors, the roots of the diagonal of H⁻¹.  Training ends when λ and the step are at most half of
    what `tol` allows.  With an intercept, columns whose median is more than 100 standard deviations
    from 0 are centred as they are read, so that no digits are lost.

    Examples
    --------
    >>> import fastlogit as fl
    >>> model = fl.fit([[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"])
    >>> model.coef.round(4), round(model.intercept, 4), model.converged, model.solver
    (array([0.9583]), -1.4374, True, 'newton')
    >>> model.predict([[0.5], [2.5]]).tolist()
    ['no', 'yes']
    """
    options = Options(
        intercept=intercept,
        start=start,
        solver=solver,
        tol=tol,
        max_passes=max_passes,
        max_seconds=max_seconds,
        step_size=step_size,
        seed=seed,
        on_separation=on_separation,
        progress=progress,
        callback=callback,
        threads=threads,
    )
    model, found = train(
        X,
        t,
        options,
        l2=l2,
        weight=weight,
        class_weight=class_weight,
        offset=offset,
        feature_names=feature_names,
    )
    for warning in found:
        warnings.warn(warning, stacklevel=2)
    return model


def train(
    X: Any,
    t: ArrayLike,
    options: Options,
    *,
    l2: float | ArrayLike,
    weight: ArrayLike | None = None,
    class_weight: labels.ClassWeight = None,
    offset: ArrayLike | None = None,
    feature_names: Sequence[str] | None = None,
) -> tuple[LogisticModel, list[Warning]]:
    """Do what `fit` does, but give back what it warns of."""
    begin = time.perf_counter()
    problem = _checked(X, t, l2, weight, class_weight, offset, feature_names, options)
    objective, names, d = problem.objective, problem.names, problem.objective.d
    solver: str = options.solver
    if solver == "auto":
        solver = solvers.choose(objective.n, d, options.max_passes)
    try:
        reached = _minimise(objective, options, solver, problem.start, begin)
    except NotFiniteError:
        _raise_not_finite(objective.X, names)
    point = reached.point
    found = diagnose(objective, point, reached.separating)

    warned: list[Warning] = []
    if found.separating and options.on_separation != "ignore":
        message = separated(found.separating, names, d)
        if options.on_separation == "raise":
            raise SeparationError(message)
        warned.append(SeparationWarning(message))
    converged = reached.end == "converged"
    if reached.end == "rounding" and found.dependent and point.hessian is not None:
        # The gradient has a part left along sums of columns that are 0 except for rounding.
        converged = is_near(objective, point, point.newton_step, options.tol)
    if converged and found.lost:
        converged = False
        warned.append(ConvergenceWarning(lost(found.lost, names, d)))
    elif not converged and reached.end != "separated":
        warned.append(ConvergenceWarning(_not_converged(objective, reached, options)))
    if found.dependent:
        warned.append(CollinearityWarning(collinear(found.dependent, names, d)))
    if found.nearly:
        warned.append(CollinearityWarning(nearly_collinear(found.nearly, names, d)))
    model = LogisticModel(
        coef=point.theta[:d],
        intercept=_intercept(problem, point) if options.intercept else 0.0,
        feature_names=names,
        classes=problem.classes,
        with_intercept=options.intercept,
        l2=float(objective.penalties[0]) if np.ndim(l2) == 0 else objective.penalties[:d],
        log_loss=point.loss / objective.total,
        null_log_loss=_null_log_loss(objective, options.intercept),
        total_weight=objective.total,
        gradient_norm=objective.gradient_norm(point),
        converged=converged and not found.separating,
        passes=objective.reads,
        solver=solver,
        seconds=time.perf_counter() - begin,
        history=History(*zip(*reached.seen, strict=True)),
        variances=found.variances,
        with_offset=offset is not None,
    )
    return model, warned


# The loop ---------------------------------------------------------------------------------


class _Reached(NamedTuple):
    """The best point, what was seen on the way, and why it ended."""

    point: Point
    seen: list[Progress]
    end: Literal["converged", "separated", "rounding", "passes", "seconds", "callback"]
    # Columns by which the labels are separated, where that was looked for.
    separating: list[int] | None


def _minimise(
    objective: Objective, options: Options, solver: str, start: Vector | None, begin: float
) -> _Reached:
    """Run a solver until it is near enough, or something is used up."""
    best: Point | None = None
    seen: list[Progress] = []
    end: Any = "rounding"
    separating: list[int] | None = None
    # If the labels are separated there is no optimum, but the gradient vanishes.
    vanished = options.tol
    objective.most_rows = options.max_passes * objective.n
    try:
        with _observer(options) as asks_to_stop:
            for trial in solvers.steps(
                solver,
                objective,
                start,
                tol=options.tol,
                seed=options.seed,
                step_size=options.step_size,
            ):
                near = trial.near or has_converged(objective, trial.point, options.tol)
                if best is None or near or (trial.accepted and _better(objective, trial, best)):
                    best = trial.point
                seconds = time.perf_counter() - begin
                seen.append(_progress(objective, trial, seconds))
                stops = asks_to_stop(seen[-1])
                norm = seen[-1].gradient_norm
                if not near and trial.accepted and norm <= vanished:
                    separating = separating_columns(objective, trial.point)
                    vanished = _VANISHED * norm
                if near:
                    end = "converged"
                elif separating:
                    end = "separated"
                elif stops:
                    end = "callback"
                elif options.max_seconds is not None and seconds >= options.max_seconds:
                    end = "seconds"
                else:
                    continue
                break
    except NoReadLeftError:
        end = "passes"
    objective.most_rows = np.inf
    if best is None:  # the solver has used up all reads before
        best = objective.start(np.zeros(objective.penalties.size))
        seen.append(_progress(objective, solvers.Trial(best, 0.0, True), seconds=0.0))
    elif trial.point is not best:  # the history ends with the point that is returned
        seconds = time.perf_counter() - begin
        seen.append(_progress(objective, solvers.Trial(best, 0.0, True), seconds))
    if not np.isfinite(best.value):
        raise NotFiniteError
    return _Reached(best, seen, end, separating or None)


def _better(objective: Objective, trial: solvers.Trial, best: Point) -> bool:
    """Whether f is lower, or the gradient smaller where f is the same but for rounding."""
    rise = trial.point.value - best.value
    smaller = objective.gradient_norm(trial.point) < objective.gradient_norm(best)
    return rise < 0.0 or (smaller and rise <= solvers.RISE * abs(best.value))


def _progress(objective: Objective, trial: solvers.Trial, seconds: float) -> Progress:
    return Progress(
        objective.reads,
        trial.point.value / objective.total,
        objective.gradient_norm(trial.point),
        trial.length,
        seconds,
    )


@contextmanager
def _observer(options: Options) -> Iterator[Callable[[Progress], bool]]:
    """Who is told of each trial, and says whether training shall end."""
    bar: Any = None
    if options.progress:
        try:
            from tqdm import tqdm
        except ImportError:
            raise ImportError("progress=True needs tqdm: pip install 'fastlogit[cli]'") from None
        bar = tqdm(desc="training", unit=" passes")

    def tell(progress: Progress) -> bool:
        if bar is not None:
            loss, norm = progress.objective, progress.gradient_norm
            bar.set_postfix_str(f"loss {loss:.6g}, gradient norm {norm:.1e}", refresh=False)
            bar.update(progress.passes - bar.n)
        return options.callback is not None and _is_true(options.callback(progress))

    try:
        yield tell
    finally:
        if bar is not None:
            bar.close()


def _is_true(answer: Any) -> bool:
    try:
        return bool(answer)
    except (TypeError, ValueError):  # of pandas.NA and of arrays
        raise TypeError(
            f"callback must return something true or false; got {type(answer).__name__}"
        ) from None


def _not_converged(objective: Objective, reached: _Reached, options: Options) -> str:
    reason = {
        "passes": "raise max_passes, l2 or tol",
        "seconds": "max_seconds have passed: raise that, l2 or tol",
        "callback": "the callback has ended it",
        "rounding": "rounding allows no less: raise tol",
    }[reached.end]
    if options.step_size is not None and reached.end == "rounding":
        reason = "the loss grew without end: lower step_size"
    passes = reached.seen[-1].passes
    more = objective.reads - passes
    return (
        f"not converged after {passes} pass{'es' * (passes > 1)}: the gradient norm is "
        f"{objective.gradient_norm(reached.point):.2g}, and the distance to the optimum above tol "
        f"{options.tol:.2g}{f' (the diagnosis took {more} more)' * (more > 0)}; {reason}"
    )


def _intercept(problem: _Problem, point: Point) -> float:
    """Intercept for columns and offsets that are not centred."""
    coef, intercept = point.theta[:-1], float(point.theta[-1])
    return centring.moved(intercept - problem.centre, -problem.objective.X.centres, coef)


# Data -------------------------------------------------------------------------------------


class _Problem(NamedTuple):
    """Checked data."""

    objective: Objective
    classes: tuple[labels.Label, labels.Label]
    names: tuple[str, ...] | None
    start: Vector | None
    # What the intercept has taken over from the offsets.
    centre: float


def _checked(
    X: Any,
    t: ArrayLike,
    l2: float | ArrayLike,
    weight: ArrayLike | None,
    class_weight: labels.ClassWeight,
    offset: ArrayLike | None,
    feature_names: Sequence[str] | None,
    options: Options,
) -> _Problem:
    threads = _threads.resolve(options.threads)
    given = features.of(X)
    n, d = given.shape
    targets = labels.targets(t, n, threads)
    weights = checks.weights(weight, n, "row of X", threads)
    weights = labels.class_weights(class_weight, targets, weights)
    if weights is not None and (total := checks.total_weight(weights)) < _LEAST_WEIGHT:
        raise ValueError(
            f"weight must have a sum of at least {_LEAST_WEIGHT:g}; got {total:g}: multiply weight "
            "and l2 by the same number"
        )
    offsets = None if offset is None else _finite(checks.vector(offset, "offset", n, "row of X"))
    penalties = np.append(np.full(d, checks.l2(l2, d)), np.zeros(int(options.intercept)))
    columns = given.names if feature_names is None else feature_names
    names = None if columns is None else checked_names(columns, d)
    centre = 0.0
    if options.intercept and offsets is not None:
        offsets, centre = _centred(
            _float64(offsets), _float64(targets.t), _float64(weights), threads
        )
    if options.intercept:
        given = centring.centred(given, weights, threads)
    start = _start(options.start, given, names, penalties.size, centre)
    # In float64, of which the kernels are compiled already: they are read as often as X.
    objective = Objective(
        given, _float64(targets.t), _float64(weights), _float64(offsets), penalties, threads
    )
    return _Problem(objective, targets.classes, names, start, centre)


def _float64(array: NDArray[Any] | None) -> Any:
    return None if array is None else np.asarray(array, np.float64)


def _finite(offset: NDArray[Any]) -> NDArray[Any]:
    finite = np.isfinite(offset)
    if not finite.all():
        row = int(np.argmin(finite))
        raise ValueError(f"offset must be finite; got {offset[row]} in row {row}")
    return offset


def _centred(
    offset: Vector, t: Vector, weight: Vector | None, threads: int
) -> tuple[Vector, float]:
    """Offsets less a centre, which the intercept takes over, and the centre: their median or 0.

    Digits of X @ coef are lost between a large offset and an intercept that makes up for it.  The
    median is a bad start where most rows have an offset that leaves no doubt about their label.
    """
    seen = offset if weight is None else offset[weight > 0.0]
    centre = float(np.partition(seen, seen.size // 2)[seen.size // 2])
    with np.errstate(over="ignore"):
        less = offset - np.float64(centre)
    losses_at_0 = [losses.log_loss(z, t, weight, threads=threads) for z in (offset, less)]
    return (offset, 0.0) if losses_at_0[0] < losses_at_0[1] else (less, centre)


def _start(
    start: LogisticModel | None,
    X: features.Features,
    names: Sequence[str] | None,
    free: int,
    centre: float,
) -> Vector | None:
    """Coefficients and intercept to begin with, for centred columns and offsets."""
    if start is None:
        return None
    d = X.shape[1]
    if start.coef.size != d:
        raise ValueError(f"start must have {d} coefficients; it has {start.coef.size}")
    if names is not None and start.feature_names not in (None, tuple(names)):
        raise ValueError("start must have the feature names of X, in their order")
    intercept = centring.moved(start.intercept + centre, X.centres, start.coef)
    return np.append(start.coef, intercept)[:free]


def _null_log_loss(objective: Objective, intercept: bool) -> float:
    """Mean loss of the best model without coefficients; NaN beside offsets."""
    if objective.offset is not None:
        return math.nan
    y = _mean_target(objective) if intercept else 0.5
    return sum(-share * math.log(share) for share in (y, 1.0 - y) if share > 0.0)


def _mean_target(objective: Objective) -> float:
    if objective.weight is None:
        return float(objective.t.mean(dtype=np.float64))
    return float(np.sum(objective.weight * objective.t, dtype=np.float64) / objective.total)


def _raise_not_finite(X: features.Features, names: Sequence[str] | None) -> NoReturn:
    """Say where X is NaN or infinite."""
    found = X.first_not_finite()
    if found is None:
        raise ValueError("X, offset and start must be small enough for all sums to be finite")
    row, column, value = found
    name = f" ({names[column]!r})" if names else ""
    raise ValueError(f"X must be finite; got {value} in row {row}, column {column}{name}")
