"""Progress of training: callbacks after each point that was tried, and the progress bar."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastlogit.tables.table import ReadProgress


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
        Time since training began, or was resumed.
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
    shown = _bar(desc="training", unit=" passes") if bar else None

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


class ReadingBar:
    """A bar for the rows of each pass, where reading them takes long.

    It shows the pass, rows, the speed, the gradient norm of the last point, and the time left in
    the pass.
    """

    def __init__(self) -> None:
        self._bar = _bar(unit=" rows", unit_scale=True, smoothing=0.0)
        self._passes, self._norm = 0, ""
        self._rows: int | None = None

    def __enter__(self) -> ReadingBar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def begin(self, task: str, rows: int | None) -> None:
        """A pass begins, over this many rows if that is known."""
        self._passes += 1
        self._rows = rows
        self._bar.reset(rows)
        self._bar.set_description(f"pass {self._passes} ({task})", refresh=False)

    def read(self, now: ReadProgress) -> None:
        """Some rows of the pass have been read."""
        elapsed = self._bar.format_dict["elapsed"]
        speed = f"{now.bytes / elapsed / 1e6:.0f} MB/s" if now.bytes and elapsed else ""
        texts = ", ".join(filter(None, (speed, self._norm)))
        self._bar.set_postfix_str(texts, refresh=False)
        if self._rows is None:
            self._bar.total = now.expected_rows
        self._bar.update(now.rows - self._bar.n)

    def point(self, progress: Progress) -> None:
        """The solver has tried a point."""
        self._norm = f"gradient norm {progress.gradient_norm:.1e}"


def _bar(**options: Any) -> Any:
    """A progress bar of tqdm."""
    try:
        from tqdm import tqdm
    except ImportError:
        raise ImportError("progress=True needs tqdm: pip install 'fastlogit[cli]'") from None
    return tqdm(**options)


def _truth(answer: Any) -> bool:
    try:
        return bool(answer)
    except (TypeError, ValueError):  # pandas.NA and arrays have no truth value
        raise TypeError(
            f"callback must return something true or false; got {type(answer).__name__}"
        ) from None
