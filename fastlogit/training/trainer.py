"""The trainer: runs a solver until the optimum is close enough, and diagnoses the point it reached.

    objective (dataset, family, penalty)
        │   solver: tries points θ, one pass over X each
        ▼
    for each trial: has it converged (convergence)?  are the labels separated (diagnosis)?
                    are passes or time used up?  does the callback end it?
        │
        ▼
    the best point, its diagnosis, and warnings

It knows neither where the rows are nor how many classes there are.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from fastlogit.training import messages, solvers
from fastlogit.training.convergence import has_converged, is_near
from fastlogit.training.dataset import NoPassLeftError, NotFiniteError
from fastlogit.training.diagnosis import diagnose, find_separation
from fastlogit.training.objective import Objective, Point
from fastlogit.training.progress import Progress, observer
from fastlogit.training.solvers.search import RISE, Settings, Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from fastlogit.core.linalg import Vector
    from fastlogit.training.dataset import Dataset
    from fastlogit.training.diagnosis import Diagnosis, Separation
    from fastlogit.training.options import Options
    from fastlogit.training.penalty import Penalty

    End = Literal["converged", "separated", "rounding", "passes", "seconds", "callback"]

# Factor by which the gradient must shrink before separated labels are looked for again.
_VANISHED = 1e-2


class Result(NamedTuple):
    """The point where training ended, for any family.

    θ is ordered as :class:`fastlogit.training.family.Family` says, for columns from which the
    centres of the dataset were subtracted.
    """

    theta: Vector
    # The loss of the rows, without the penalty.
    loss: float
    gradient_norm: float
    converged: bool
    solver: str
    # All passes over X, including the diagnosis.
    passes: int
    history: list[Progress]
    # Of the family's `estimates`; None if some have a penalty, or there are too many.
    variances: NDArray[np.float64] | None
    warnings: list[Warning]


def train(
    dataset: Dataset,
    penalty: Penalty,
    options: Options,
    *,
    start: Vector | None = None,
    names: Sequence[str] | None = None,
    classes: Sequence[Any] = (),
    began: float | None = None,
) -> Result:
    """Minimise the loss of a dataset plus a penalty.

    Parameters
    ----------
    dataset : Dataset
        The rows; its family decides about loss and shapes.
    penalty : Penalty
    options : Options
    start : ndarray, optional
        θ to begin at if that is better than 0.
    names : sequence of str, optional
        Names of the columns, for messages.
    classes : sequence of labels, optional
        Names of the classes, for messages.
    began : float, optional
        When training began, by `time.perf_counter`; default: now.

    Raises
    ------
    ValueError
        If X or f is not finite.
    SeparationError
        If labels are separated, with ``on_separation="raise"``.
    """
    began = time.perf_counter() if began is None else began
    objective = Objective(dataset, penalty, with_intercept=options.intercept)
    solver = options.solver
    if solver == "auto":
        solver = solvers.choose(objective, options.max_passes)
    try:
        reached = _minimise(objective, options, solver, start, began)
    except NotFiniteError:
        raise _not_finite(dataset, names) from None
    diagnosis = diagnose(objective, reached.point, reached.separation)
    named = messages.Names(names, dataset.d, classes)
    converged, warned = _judge(objective, options, reached, diagnosis, named)
    return Result(
        theta=dataset.family.without_gauge(reached.point.theta, dataset.d),
        loss=reached.point.loss,
        gradient_norm=objective.gradient_norm(reached.point),
        converged=converged,
        solver=solver,
        passes=dataset.pass_count,
        history=reached.history,
        variances=diagnosis.variances,
        warnings=warned,
    )


# The loop ---------------------------------------------------------------------------------


class _Reached(NamedTuple):
    """The best point, the course of training, and why it ended."""

    point: Point
    history: list[Progress]
    end: End
    separation: Separation | None


def _minimise(
    objective: Objective, options: Options, solver: str, start: Vector | None, began: float
) -> _Reached:
    """Run a solver until it has converged, or something is used up."""
    course = _Course(objective, options, began)
    dataset = objective.dataset
    settings = Settings(options.tol, options.seed, options.step_size)
    end: End = "rounding"
    try:
        with (
            dataset.counter.limit(options.max_passes * dataset.n),
            observer(bar=options.progress, callback=options.callback) as asks_to_stop,
        ):
            for trial in solvers.steps(solver, objective, start, settings):
                reason = course.note(trial, asks_to_stop)
                if reason is not None:
                    end = reason
                    break
    except NoPassLeftError:
        end = "passes"
    best = course.finish()
    return _Reached(best, course.history, end, course.separation)


class _Course:
    """The course of training: the best point so far, and the history of all trials."""

    def __init__(self, objective: Objective, options: Options, began: float) -> None:
        self.objective, self.options, self.began = objective, options, began
        self.best: Point | None = None
        self.last: Point | None = None
        self.history: list[Progress] = []
        self.separation: Separation | None = None
        # Separated labels have no optimum, but their gradient falls below this.
        self.vanished = options.tol

    def note(self, trial: Trial, asks_to_stop: Callable[[Progress], bool]) -> End | None:
        """Note a trial; the reason to end, if there is one."""
        objective, options = self.objective, self.options
        self.last = trial.point
        near = self._is_as_low(trial.point) and (
            trial.near or has_converged(objective, trial.point, options.tol)
        )
        if near or (self.best is None) or (trial.accepted and self._is_better(trial.point)):
            self.best = trial.point
        progress = self._record(trial.point, trial.length, time.perf_counter() - self.began)
        stops = asks_to_stop(progress)
        if not near and trial.accepted and progress.gradient_norm <= self.vanished:
            self.separation = find_separation(objective, trial.point)
            self.vanished = _VANISHED * progress.gradient_norm
        if near:
            return "converged"
        if self.separation is not None:
            return "separated"
        if stops:
            return "callback"
        if options.max_seconds is not None and progress.seconds >= options.max_seconds:
            return "seconds"
        return None

    def finish(self) -> Point:
        """The best point, which becomes the last entry of the history."""
        if self.best is None:  # a sample used up all passes
            self.best = self.objective.evaluate_start(np.zeros(self.objective.size))
            self._record(self.best, 0.0, seconds=0.0)
        elif self.last is not self.best:
            self._record(self.best, 0.0, time.perf_counter() - self.began)
        if not np.isfinite(self.best.value):
            raise NotFiniteError
        return self.best

    def _record(self, point: Point, length: float, seconds: float) -> Progress:
        dataset = self.objective.dataset
        progress = Progress(
            dataset.pass_count,
            point.value / dataset.total_weight,
            self.objective.gradient_norm(point),
            length,
            seconds,
        )
        self.history.append(progress)
        return progress

    def _is_better(self, point: Point) -> bool:
        """Whether f is lower than at the best point, or as low with a smaller gradient."""
        best = self.best
        assert best is not None
        smaller = self.objective.gradient_norm(point) < self.objective.gradient_norm(best)
        return point.value < best.value or (smaller and self._is_as_low(point))

    def _is_as_low(self, point: Point) -> bool:
        """Whether f is at most as high as at the best point, except for rounding.

        Far out, where all probabilities are 0 or 1 and the Hessian is 0, f is so large that a point
        would seem to have converged.
        """
        best = self.best
        # At a start that is too far out, f is NaN: every point is as low.
        return best is None or not point.value - best.value > RISE * abs(best.value)


# Verdict and warnings ---------------------------------------------------------------------


def _judge(
    objective: Objective,
    options: Options,
    reached: _Reached,
    diagnosis: Diagnosis,
    names: messages.Names,
) -> tuple[bool, list[Warning]]:
    """Whether training converged, and the warnings about it."""
    point = reached.point
    warned: list[Warning] = []
    if diagnosis.separation is not None and options.on_separation != "ignore":
        message = messages.separated(*diagnosis.separation, names)
        if options.on_separation == "raise":
            raise messages.SeparationError(message)
        warned.append(messages.SeparationWarning(message))
    converged = reached.end == "converged"
    if reached.end == "rounding" and diagnosis.dependent and point.hessian is not None:
        # Rounding leaves a gradient along combinations of columns that are 0.
        converged = is_near(objective, point, point.newton_step, options.tol)
    if converged and diagnosis.lost:
        converged = False
        warned.append(messages.ConvergenceWarning(messages.lost(diagnosis.lost, names)))
    elif not converged and reached.end != "separated":
        passes = reached.history[-1].passes
        text = messages.not_converged(
            reached.end,
            passes,
            objective.dataset.pass_count - passes,
            objective.gradient_norm(point),
            options.tol,
            fixed_step=options.step_size is not None,
        )
        warned.append(messages.ConvergenceWarning(text))
    if diagnosis.dependent:
        text = messages.collinear(diagnosis.dependent, names)
        warned.append(messages.CollinearityWarning(text))
    if diagnosis.nearly:
        text = messages.nearly_collinear(diagnosis.nearly, names)
        warned.append(messages.CollinearityWarning(text))
    return converged and diagnosis.separation is None, warned


def _not_finite(dataset: Dataset, names: Sequence[str] | None) -> ValueError:
    """The error that names the first element of X that is NaN or infinite."""
    found = dataset.first_not_finite()
    if found is None:
        return ValueError("X, offset and start must be small enough for all sums to be finite")
    row, column, value = found
    name = f" ({names[column]!r})" if names else ""
    return ValueError(f"X must be finite; got {value} in row {row}, column {column}{name}")
