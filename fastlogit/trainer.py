"""Train a logistic model: Newton's method, where each step costs one read of X.

Minimises, over coef and intercept,

    f = Σ weight [t softplus(-z) + (1 - t) softplus(z)] + l2/2 Σ coef²,   z = X coef + intercept

A pass gives f, its gradient g and its Hessian H at once, so that the step -H⁻¹ g is known
when the pass ends, and the next pass both checks that step and prepares the one after it.  A
step that does not lower f enough (Armijo's rule) is cut and tried again; f is convex, so that
this always ends.  What is numerical about it is in :mod:`fastlogit.kernels.dense`.

Far out, where every σ(z) is 0 or 1, H is nearly 0 and Newton's steps know nothing; so no start
is used that is worse than all coefficients 0, and the offset is centred.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, SupportsIndex

import numpy as np

from fastlogit import arrays, features, linear, losses
from fastlogit import threads as _threads
from fastlogit.model import LogisticModel, checked_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Vector = NDArray[np.float64]

# Armijo's rule: a step must lower f by this share of what its slope promises, ...
_SUFFICIENT = 1e-4
# ... up to the rounding error of f, relative to f.
_ROUNDING = 1e-14
# A step that is too long is cut to between these shares of itself.
_SHORTEST_CUT, _LONGEST_CUT = 1e-15, 0.5


class ConvergenceWarning(UserWarning):
    """Training ended before the gradient came below the tolerance."""


def fit(
    X: ArrayLike,
    t: ArrayLike,
    *,
    l2: float = 1.0,
    weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    intercept: bool = True,
    start: LogisticModel | None = None,
    solver: Literal["auto", "newton"] = "auto",
    tol: float = 1e-8,
    max_passes: int = 100,
    feature_names: Sequence[str] | None = None,
    threads: SupportsIndex | None = None,
) -> LogisticModel:
    """Train a logistic model.

    Parameters
    ----------
    X : array_like (n, d)
        Features, finite; see :mod:`fastlogit.linear`.
    t : array_like (n,)
        Targets in [0, 1]: labels 0 and 1, or probabilities.
    l2 : float
        Penalty l2/2 Σ coef² on the *sum* of the losses.  **The default of 1.0 does
        penalise**, as scikit-learn's does (its ``C`` is ``1 / l2``); 0 gives the maximum
        of the likelihood.  The intercept is never penalised.
    weight : array_like (n,), optional
        Sample weights, finite and not negative.
    offset : array_like (n,), optional
        A known addition to z.  It is no part of the model.
    intercept : bool
        Whether the model has one.
    start : LogisticModel, optional
        Where to begin, if that is better than the default: all coefficients 0.
    solver : {"auto", "newton"}
        Both are Newton's method, which needs memory for d² numbers.
    tol : float
        Converged when no element of the gradient of f / Σ weight is larger than this.
    max_passes : int
        Most reads of X.
    feature_names : sequence of d str, optional
        Names of the columns, kept in the model.
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

    Warns
    -----
    ConvergenceWarning
        If the model did not converge; it says what was reached and what to change.

    Examples
    --------
    >>> import fastlogit as fl
    >>> model = fl.fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])
    >>> model.coef.round(4), round(model.intercept, 4), model.converged
    (array([0.9583]), -1.4374, True)
    """
    model = train(
        X,
        t,
        l2=l2,
        weight=weight,
        offset=offset,
        intercept=intercept,
        start=start,
        solver=solver,
        tol=tol,
        max_passes=max_passes,
        feature_names=feature_names,
        threads=threads,
    )
    if not model.converged:
        advice = (
            "rounding allows no less: centre and scale the columns of X, or raise tol"
            if model.passes < max_passes
            else "raise max_passes, l2 or tol"
        )
        warnings.warn(
            f"not converged after {model.passes} passes: the gradient norm is "
            f"{model.gradient_norm:.2g}, above tol {tol:.2g}; {advice}",
            ConvergenceWarning,
            stacklevel=2,
        )
    return model


class _Point(NamedTuple):
    """Coefficients with the intercept, if there is one, last; and what a pass tells of them."""

    theta: Vector
    objective: float
    loss: float
    gradient: Vector
    hessian: NDArray[np.float64]


def train(
    X: ArrayLike,
    t: ArrayLike,
    *,
    l2: float,
    weight: ArrayLike | None,
    offset: ArrayLike | None,
    intercept: bool,
    start: LogisticModel | None,
    solver: str,
    tol: float,
    max_passes: int,
    feature_names: Sequence[str] | None,
    threads: SupportsIndex | None,
) -> LogisticModel:
    """Do what `fit` does, but say only in the model whether it converged."""
    count = _threads.resolve(threads)
    given = features.of(X)
    n, d = given.shape
    targets, _ = arrays.targets(t, n, "row of X", count)
    weights = arrays.weights(weight, n, "row of X", count)
    total = float(n) if weights is None else arrays.total_weight(weights)
    known = None if offset is None else _finite(arrays.vector(offset, "offset", n, "row of X"))
    columns = given.names if feature_names is None else feature_names
    names = None if columns is None else checked_names(columns, d)
    tolerance = arrays.not_negative(tol, "tol")
    free = d + 1 if arrays.true_or_false(intercept, "intercept") else d
    penalties = np.full(free, arrays.not_negative(l2, "l2"))
    penalties[d:] = 0.0
    if solver not in ("auto", "newton"):
        raise ValueError(f"solver must be 'auto' or 'newton'; got {solver!r}")
    arrays.whole_number(max_passes, "max_passes", 1)
    centre = 0.0
    if intercept and known is not None:
        # Else digits of X @ coef would be lost between a large offset and what makes up for it.
        seen = known if weights is None else known[weights > 0.0]
        centre = float(np.partition(seen, seen.size // 2)[seen.size // 2])
        with np.errstate(over="ignore"):
            known = known - np.float64(centre)
    nothing = np.zeros(free)
    theta = nothing if start is None else _start(start, d, free, centre)

    @np.errstate(over="ignore", invalid="ignore")
    def evaluate(theta: Vector) -> _Point:
        """Read X once."""
        constant = float(theta[d]) if intercept else 0.0
        loss, gradient, hessian = linear.log_loss_gradient_hessian(
            given, targets, theta[:d], constant, weight=weights, offset=known, threads=count
        )
        ridge = penalties * theta
        return _Point(
            theta,
            loss + 0.5 * float(ridge @ theta),
            loss,
            gradient[:free] + ridge,
            hessian[:free, :free] + np.diag(penalties),
        )

    def norm(point: _Point) -> float:
        return float(np.abs(point.gradient).max()) / total

    point = evaluate(theta)
    passes = 1
    if start is not None and passes < max_passes:
        z = np.zeros(n) if known is None else known
        if not point.objective <= losses.log_loss(z, targets, weights, threads=count):
            point = evaluate(nothing)
            passes += 1
    if not all(np.isfinite(part).all() for part in point):
        _raise_not_finite(given, names)
    while norm(point) > tolerance and passes < max_passes:
        step = -_solve(point.hessian, point.gradient)
        slope = float(point.gradient @ step)
        slack = _ROUNDING * abs(point.objective)
        length = 1.0
        while passes < max_passes:
            trial = evaluate(point.theta + length * step)
            passes += 1
            if trial.objective <= point.objective + _SUFFICIENT * length * slope + slack:
                break
            length *= _cut(point, trial)
        else:
            break  # no pass is left, and the last step was too long
        stalled = -slope <= slack and norm(trial) > 0.5 * norm(point)
        point = trial
        if stalled:
            break  # all that changes is the rounding error

    return LogisticModel(
        point.theta[:d],
        float(point.theta[d]) - centre if intercept else 0.0,
        names,
        float(l2),
        point.loss / total,
        norm(point),
        norm(point) <= tolerance,
        passes,
    )


def _start(start: LogisticModel, d: int, free: int, centre: float) -> Vector:
    """Coefficients to begin with, and the intercept, beside centred offsets, if that is free."""
    if not isinstance(start, LogisticModel):
        raise TypeError(f"start must be a LogisticModel; got {type(start).__name__}")
    if start.coef.size != d:
        raise ValueError(f"start must have {d} coefficients; it has {start.coef.size}")
    return np.append(start.coef, start.intercept + centre)[:free]


def _solve(hessian: NDArray[np.float64], gradient: Vector) -> Vector:
    """Solve for the Newton step; the shortest one where columns are collinear."""
    from scipy import linalg  # not above: it takes longer to import than all of fastlogit

    # A diagonal of ones takes the units of the columns out of the condition number.
    diagonal = np.diag(hessian)
    scale = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    scaled = hessian * scale * scale[:, np.newaxis]
    try:
        factor = linalg.cho_factor(scaled, check_finite=False)
        solution: Any = linalg.cho_solve(factor, gradient * scale, check_finite=False)
    except linalg.LinAlgError:
        solution = np.linalg.lstsq(scaled, gradient * scale, rcond=1e-12)[0]
    step: Vector = solution * scale
    return step


@np.errstate(all="ignore")
def _cut(point: _Point, trial: _Point) -> float:
    """Share of a step at which the tangents of f at its two ends meet.

    Beyond a step or two f is nearly straight on both sides of its minimum along the step.
    """
    step = trial.theta - point.theta
    before, after = point.gradient @ step, trial.gradient @ step
    share = (after - (trial.objective - point.objective)) / (after - before)
    if not np.isfinite(share):
        return _SHORTEST_CUT
    return float(np.clip(share, _SHORTEST_CUT, _LONGEST_CUT))


def _finite(offset: NDArray[Any]) -> NDArray[Any]:
    finite = np.isfinite(offset)
    if not finite.all():
        row = int(np.argmin(finite))
        raise ValueError(f"offset must be finite; got {offset[row]} in row {row}")
    return offset


def _raise_not_finite(X: features.Features, names: tuple[str, ...] | None) -> None:
    """Say where X is NaN or infinite."""
    found = X.first_not_finite()
    if found is None:
        raise ValueError("X, offset and start must be small enough for all sums to be finite")
    row, column, value = found
    name = f" ({names[column]!r})" if names else ""
    raise ValueError(f"X must be finite; got {value} in row {row}, column {column}{name}")
