"""Progress of training: callbacks after each point that was tried, and the progress bar."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Progress(NamedTuple):
    """State of training after a point that the solver tried, as a callback gets it.

    Attributes
    ----------
    passes : int
        Passes over X so far.  It may grow by more than 1 from point to point, as passes for a
        Hessian alone count, and those over a sample by their share of the rows.
    objective : float
        Mean loss plus penalty at the point that was tried.
    gradient_norm : float
        Largest element of its gradient.
    step : float
        The share of the solver's step that was taken to get there.
    seconds : float
        Time since training began.
    """

    passes: int
    objective: float
    gradient_norm: float
    step: float
    seconds: float


Callback = Callable[[Progress], object]


@contextmanager
def observer(*, bar: bool, callback: Callback | None) -> Iterator[Callable[[Progress], bool]]:
    """A function that shows progress and calls back; it returns whether training should end."""
    shown: Any = None
    if bar:
        try:
            from tqdm import tqdm
        except ImportError:
            raise ImportError("progress=True needs tqdm: pip install 'fastlogit[cli]'") from None
        shown = tqdm(desc="training", unit=" passes")

    def notify(progress: Progress) -> bool:
        if shown is not None:
            loss, norm = progress.objective, progress.gradient_norm
            shown.set_postfix_str(f"loss {loss:.6g}, gradient norm {norm:.1e}", refresh=False)
            shown.update(progress.passes - shown.n)
        return callback is not None and _truth(callback(progress))

    try:
        yield notify
    finally:
        if shown is not None:
            shown.close()


def _truth(answer: Any) -> bool:
    try:
        return bool(answer)
    except (TypeError, ValueError):  # pandas.NA and arrays have no truth value
        raise TypeError(
            f"callback must return something true or false; got {type(answer).__name__}"
        ) from None
