"""Train a logistic model: Newton's method, where each step costs one read of X.

Minimises, over coef and intercept,

    f = Σ weight [t softplus(-z) + (1 - t) softplus(z)] + l2/2 Σ coef²,   z = X coef + intercept

A pass gives f, its gradient g and its Hessian H at once, so that the step -H⁻¹ g is known
when the pass ends, and the next pass both checks that step and prepares the one after it.  A
step that does not lower f enough (Armijo's rule) is cut and tried again; f is convex, so that
this always ends.  What is numerical about it is in :mod:`fastlogit.kernels.dense`.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex

import numpy as np
import scipy.linalg

from fastlogit import arrays, linear
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
_SHORTEST_CUT, _LONGEST_CUT = 0.1, 0.5


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
        Where to begin; default: all coefficients 0.
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
        If an argument has the wrong shape, dtype or range, before any work; or if X or
        offset is not finite.

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
    count = _threads.resolve(threads)
    features = arrays.matrix(X)
    n, d = features.shape
    targets, _ = arrays.targets(t, n, "row of X", count)
    weights = arrays.weights(weight, n, "row of X", count)
    total = float(n) if weights is None else arrays.total_weight(weights)
    known = None if offset is None else arrays.vector(offset, "offset", n, "row of X")
    names = None if feature_names is None else checked_names(feature_names, d)
    penalty = _not_negative(l2, "l2")
    tolerance = _not_negative(tol, "tol")
    if solver not in ("auto", "newton"):
        raise ValueError(f"solver must be 'auto' or 'newton'; got {solver!r}")
    if max_passes < 1:
        raise ValueError(f"max_passes must be at least 1; got {max_passes}")

    # theta is the coefficients and then the intercept, whose elements of g and H are dropped
    # if there is none.
    theta = np.zeros(d + 1)
    if start is not None:
        if start.coef.size != d:
            raise ValueError(f"start must have {d} coefficients; it has {start.coef.size}")
        theta[:d] = start.coef
        theta[d] = start.intercept if intercept else 0.0
    free = d + 1 if intercept else d
    penalties = np.full(free, penalty)
    penalties[d:] = 0.0

    def evaluate(at: Vector) -> tuple[float, float, Vector, NDArray[np.float64]]:
        loss, gradient, hessian = linear.log_loss_gradient_hessian(
            features, targets, at[:d], float(at[d]), weight=weights, offset=known, threads=count
        )
        ridge = penalties * at[:free]
        objective = loss + 0.5 * float(ridge @ at[:free])
        return objective, loss, gradient[:free] + ridge, hessian[:free, :free] + np.diag(penalties)

    objective, loss, gradient, hessian = evaluate(theta)
    passes = 1
    if not (np.isfinite(objective) and np.isfinite(gradient).all()):
        _raise_not_finite(features, known, names)
    step = np.zeros(d + 1)
    while True:
        norm = float(np.abs(gradient).max()) / total
        if norm <= tolerance or passes >= max_passes:
            break
        step[:free] = -_solve(hessian, gradient)
        slope = float(gradient @ step[:free])
        length, done = 1.0, False
        while not done and passes < max_passes:
            trial = theta + length * step
            there = evaluate(trial)
            passes += 1
            slack = _ROUNDING * abs(objective)
            done = there[0] <= objective + _SUFFICIENT * length * slope + slack
            if not done:
                length *= _cut(there[0], objective, length * slope)
        if not done:
            break
        stalled = np.array_equal(trial, theta)
        theta = trial
        objective, loss, gradient, hessian = there
        if stalled:
            norm = float(np.abs(gradient).max()) / total
            break

    model = LogisticModel(
        theta[:d],
        float(theta[d]),
        names,
        penalty,
        loss / total,
        norm,
        norm <= tolerance,
        passes,
    )
    if not model.converged:
        warnings.warn(
            f"not converged after {passes} passes: the gradient norm is {norm:.2g}, above tol "
            f"{tolerance:.2g}; raise max_passes or tol, scale the columns of X, or raise l2",
            ConvergenceWarning,
            stacklevel=2,
        )
    return model


def _solve(hessian: NDArray[np.float64], gradient: Vector) -> Vector:
    """Solve for the Newton step; the shortest one where columns are collinear."""
    # A diagonal of ones takes the units of the columns out of the condition number.
    diagonal = np.diag(hessian)
    scale = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    scaled = hessian * scale * scale[:, np.newaxis]
    try:
        factor = scipy.linalg.cho_factor(scaled, check_finite=False)
        solution: Any = scipy.linalg.cho_solve(factor, gradient * scale, check_finite=False)
    except scipy.linalg.LinAlgError:
        solution = np.linalg.lstsq(scaled, gradient * scale, rcond=1e-12)[0]
    step: Vector = solution * scale
    return step


def _cut(trial: float, objective: float, promised: float) -> float:
    """Share of a step at which the parabola through what is known of f has its minimum."""
    if not np.isfinite(trial):
        return _SHORTEST_CUT
    share = -0.5 * promised / (trial - objective - promised)
    return float(np.clip(share, _SHORTEST_CUT, _LONGEST_CUT))


def _not_negative(value: Any, name: str) -> float:
    number = arrays.number(value, name)
    if not 0.0 <= number < np.inf:
        raise ValueError(f"{name} must be finite and not negative; got {number}")
    return number


def _raise_not_finite(
    X: NDArray[Any], offset: NDArray[Any] | None, names: tuple[str, ...] | None
) -> None:
    """Say where X or offset is NaN or infinite."""
    for here in arrays.parts(X.shape[0]):
        bad = ~np.isfinite(X[here])
        if bad.any():
            row, column = np.argwhere(bad)[0]
            name = f" ({names[column]!r})" if names else ""
            raise ValueError(
                f"X must be finite; got {X[here][row, column]} in row {here.start + row}, "
                f"column {column}{name}"
            )
    if offset is not None and not np.isfinite(offset).all():
        row = int(np.argmin(np.isfinite(offset)))
        raise ValueError(f"offset must be finite; got {offset[row]} in row {row}")
    raise ValueError("X must be small enough for its sums to be finite")
