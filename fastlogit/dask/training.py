"""Train on Dask arrays and data frames: θ goes out to the partitions, and sums come back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, SupportsIndex

from fastlogit.dask.partitions import array_partitions, frame_partitions
from fastlogit.tables.dask_frame import is_dask_frame
from fastlogit.training.fit_table import TableOptions, fit_and_warn
from fastlogit.training.options import Options

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from fastlogit.core.checks import Missing
    from fastlogit.models.model import LogisticModel
    from fastlogit.tables.table import Columns
    from fastlogit.training.options import OnSeparation
    from fastlogit.training.progress import Callback
    from fastlogit.training.targets import ClassWeight, Label

__all__ = ["fit"]


def fit(
    X: Any,
    t: Any = None,
    *,
    label: Columns = None,
    l2: float | ArrayLike = 1.0,
    weight: Any = None,
    class_weight: ClassWeight = None,
    offset: Any = None,
    intercept: bool = True,
    start: LogisticModel | None = None,
    solver: str = "auto",
    tol: float = 1e-8,
    max_passes: int = 1000,
    max_seconds: float | None = None,
    seed: int = 0,
    on_separation: OnSeparation = "warn",
    positive: Label | None = None,
    missing: Missing = "error",
    categorical: Sequence[str] = (),
    ignore: Sequence[str] = (),
    min_count: int = 1,
    progress: bool = False,
    callback: Callback | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    threads: SupportsIndex | None = None,
) -> LogisticModel:
    """Train a logistic model on a Dask collection, whose partitions stay where they are.

    Parameters
    ----------
    X : dask array (n, d), or dask data frame
        Features: float64, float32, integer or bool.  The blocks of an array may be NumPy arrays or
        CSR matrices, and n may be unknown; an array that is chunked along the columns is rechunked
        to whole rows.  The columns of a data frame may be text.
    t : dask array or array_like, (n,) or (n, K)
        Targets for an array X: numbers in [0, 1], or labels; or the probabilities of K classes.
    label : str, or sequence of str
        The target's column in a data frame, or columns with the probabilities of the classes.
    weight : dask array or array_like (n,); or the name of a column, optional
        Sample weights.
    offset : dask array or array_like, (n,) or (n, K); or names of columns, optional
        A known addition to the logits.
    threads : int, optional
        Maximum number of threads of this process, which trains on a sample; default: all cores.
        Each partition is read on one thread.
    l2, class_weight, intercept, start, solver, tol, max_passes, max_seconds, seed
        As in :func:`fastlogit.fit`.
    on_separation, positive, missing, categorical, ignore, min_count, progress, callback
        As in :func:`fastlogit.fit`.
    checkpoint, resume
        As in :func:`fastlogit.fit`: a file of this process, for a training that this process may
        not survive.

    Returns
    -------
    LogisticModel
        The same bits for any scheduler, any number of workers and any order in which they finish,
        also after a lost worker; for other partitions of the same rows the same within `tol`.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong, before anything is computed; or if the data are, with partition and
        row.
    RuntimeError
        If a partition ends its worker each time, workers lack this package, or the client is
        asynchronous: call `fit` in a thread then, as in ``await asyncio.to_thread(fit, X, t)``.

    Warns
    -----
    ConvergenceWarning, SeparationWarning, CollinearityWarning
        As :func:`fastlogit.fit` does.

    Notes
    -----
    A pass is one task for each partition and a tree of merges.  What travels is θ, and the sums of
    each partition: one number for each coefficient, or for each pair of them with the solver
    "newton".  A collection that is not persisted is computed again in each pass; an error names a
    partition whose rows are then others, such as random numbers without a seed.  Dashboards call
    the tasks of the third pass ``fastlogit_pass_3``; after a hyphen they would omit the number.

    A pass over Parquet is fastest with ``read_parquet(..., dtype_backend="pyarrow")`` of Dask:
    columns of Arrow are read without a copy.

    Examples
    --------
    >>> import dask.array as da
    >>> from fastlogit.dask import fit
    >>> X = da.from_array([[0.0], [1.0], [2.0], [3.0]], chunks=(2, 1))
    >>> model = fit(X, ["no", "no", "yes", "yes"])
    >>> model.coef.round(4), model.classes, model.passes
    (array([0.9583]), ('no', 'yes'), 5)
    """
    options = Options(
        intercept=intercept,
        solver=solver,
        tol=tol,
        max_passes=max_passes,
        max_seconds=max_seconds,
        seed=seed,
        on_separation=on_separation,
        progress=progress,
        callback=callback,
        threads=threads,
    )
    is_frame = is_dask_frame(X)
    rows = {"weight": weight, "offset": offset}
    partitions = (
        frame_partitions(X, t, keep_nan=True)
        if is_frame
        else array_partitions(X, t, label, soft=True, **rows)
    )
    columns = TableOptions(
        **(rows if is_frame else {}),
        label=label,
        positive=positive,
        missing=missing,
        categorical=categorical,
        ignore=ignore,
        min_count=min_count,
    )
    return fit_and_warn(
        partitions,
        columns,
        options,
        l2=l2,
        class_weight=class_weight,
        start=start,
        checkpoint=checkpoint,
        resume=resume,
        offsets_apart=not is_frame and offset is not None,
    )
