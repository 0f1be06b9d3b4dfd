"""The arguments of `fastlogit.fit` that do not depend on the data, and their checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, SupportsIndex, get_args

from fastlogit.core import checks
from fastlogit.core import threads as _threads
from fastlogit.training.solvers import SOLVERS

if TYPE_CHECKING:
    from fastlogit.training.checkpoint import Checkpoint
    from fastlogit.training.progress import Callback

OnSeparation = Literal["warn", "raise", "ignore"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """The arguments of `fit` that do not depend on the data, checked."""

    intercept: bool = True
    # "auto", or a key of `SOLVERS`.
    solver: str = "auto"
    tol: float = 1e-8
    max_passes: int = 1000
    max_seconds: float | None = None
    step_size: float | None = None
    seed: int = 0
    on_separation: OnSeparation = "warn"
    progress: bool = False
    callback: Callback | None = None
    checkpoint: Checkpoint | None = None
    threads: SupportsIndex | None = None

    def __post_init__(self) -> None:
        """Check everything."""
        checks.true_or_false(self.intercept, "intercept")
        checks.choice(self.solver, "solver", ("auto", *SOLVERS))
        checks.not_negative(self.tol, "tol")
        checks.whole_number(self.max_passes, "max_passes", 1)
        if self.solver != "auto":
            self._check_passes(SOLVERS[self.solver].least_passes)
        if self.max_seconds is not None:
            checks.not_negative(self.max_seconds, "max_seconds")
        if self.step_size is not None:
            self._check_step_size(self.step_size)
        checks.whole_number(self.seed, "seed", 0)
        checks.choice(self.on_separation, "on_separation", get_args(OnSeparation))
        checks.true_or_false(self.progress, "progress")
        checks.function(self.callback, "callback")
        _threads.resolve(self.threads)

    def _check_passes(self, least: int) -> None:
        if self.max_passes < least:
            raise ValueError(
                f"max_passes must be at least {least} for solver {self.solver!r}; got "
                f"{self.max_passes}"
            )

    def _check_step_size(self, step_size: float) -> None:
        takers = [name for name, solver in SOLVERS.items() if solver.has_step_size]
        if self.solver not in takers:
            names = " or ".join(map(repr, takers))
            raise ValueError(f"step_size must be None unless solver is {names}; got {step_size}")
        if checks.not_negative(step_size, "step_size") == 0.0:
            raise ValueError("step_size must be above 0; got 0.0")
