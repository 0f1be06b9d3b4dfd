"""The arguments of `fastlogit.fit` that do not depend on the data, and their checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, SupportsIndex, get_args

from fastlogit.core import checks
from fastlogit.core import threads as _threads
from fastlogit.models.model import LogisticModel
from fastlogit.training.solvers import LEAST_PASSES

Solver = Literal["auto", "newton", "sampled-newton", "lbfgs", "gradient-descent"]
OnSeparation = Literal["warn", "raise", "ignore"]


class Progress(NamedTuple):
    """What a callback is told after each read of X.

    Attributes
    ----------
    passes : int
        Reads of X so far.
    objective : float
        Mean loss plus penalty at the point that was tried.
    gradient_norm : float
        Largest element of its gradient.
    step : float
        How much of the solver's step was taken to get there.
    seconds : float
        Since training began.
    """

    passes: int
    objective: float
    gradient_norm: float
    step: float
    seconds: float


Callback = Callable[[Progress], object]


@dataclass(frozen=True, kw_only=True)
class Options:
    """The arguments of `fit` that do not depend on the data, checked."""

    intercept: bool = True
    start: LogisticModel | None = None
    solver: Solver = "auto"
    tol: float = 1e-8
    max_passes: int = 1000
    max_seconds: float | None = None
    step_size: float | None = None
    seed: int = 0
    on_separation: OnSeparation = "warn"
    progress: bool = False
    callback: Callback | None = None
    threads: SupportsIndex | None = None

    def __post_init__(self) -> None:
        """Check everything."""
        checks.true_or_false(self.intercept, "intercept")
        if not isinstance(self.start, LogisticModel | None):
            raise TypeError(f"start must be a LogisticModel; got {type(self.start).__name__}")
        _one_of(self.solver, "solver", get_args(Solver))
        checks.not_negative(self.tol, "tol")
        checks.whole_number(self.max_passes, "max_passes", 1)
        least = LEAST_PASSES.get(self.solver, 1)
        if self.max_passes < least:
            raise ValueError(
                f"max_passes must be at least {least} for solver {self.solver!r}; got "
                f"{self.max_passes}"
            )
        if self.max_seconds is not None:
            checks.not_negative(self.max_seconds, "max_seconds")
        if self.step_size is not None:
            if self.solver != "gradient-descent":
                raise ValueError("step_size is for solver 'gradient-descent' alone")
            if checks.not_negative(self.step_size, "step_size") == 0.0:
                raise ValueError("step_size must be above 0; got 0.0")
        checks.whole_number(self.seed, "seed", 0)
        _one_of(self.on_separation, "on_separation", get_args(OnSeparation))
        checks.true_or_false(self.progress, "progress")
        if not (self.callback is None or callable(self.callback)):
            raise TypeError(f"callback must be a function; got {type(self.callback).__name__}")
        _threads.resolve(self.threads)


def _one_of(value: Any, name: str, allowed: tuple[str, ...]) -> None:
    if not (isinstance(value, str) and value in allowed):
        wanted = ", ".join(map(repr, allowed[:-1])) + f" or {allowed[-1]!r}"
        raise ValueError(f"{name} must be {wanted}; got {value!r}")
