"""`fastlogit.fit`: train a logistic model for two or more classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, SupportsIndex

from fastlogit.core.warning import warn_caller
from fastlogit.training.checkpoint import open_checkpoint
from fastlogit.training.fit_arrays import fit_arrays
from fastlogit.training.fit_table import TableOptions, fit_table
from fastlogit.training.options import Options

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from fastlogit.core.checks import Missing
    from fastlogit.models.model import LogisticModel
    from fastlogit.tables.csv_options import CSVOptions
    from fastlogit.tables.table import Columns
    from fastlogit.training.options import OnSeparation
    from fastlogit.training.progress import Callback
    from fastlogit.training.targets import ClassWeight, Label

__all__ = ["fit"]


def fit(
    X: Any,
    t: ArrayLike | None = None,
    *,
    label: Columns = None,
    l2: float | ArrayLike = 1.0,
    weight: ArrayLike | str | int | None = None,
    class_weight: ClassWeight = None,
    classes: Sequence[Label] | None = None,
    offset: ArrayLike | Columns = None,
    intercept: bool = True,
    start: LogisticModel | None = None,
    solver: str = "auto",
    tol: float = 1e-8,
    max_passes: int = 1000,
    max_seconds: float | None = None,
    step_size: float | None = None,
    seed: int = 0,
    on_separation: OnSeparation = "warn",
    feature_names: Sequence[str] | None = None,
    positive: Label | None = None,
    missing: Missing = "error",
    categorical: Sequence[str] = (),
    ignore: Sequence[str] = (),
    min_count: int = 1,
    source_format: str | None = None,
    width: int | None = None,
    csv: CSVOptions | None = None,
    out_of_core: bool | None = None,
    spool: bool = True,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool = False,
    callback: Callback | None = None,
    threads: SupportsIndex | None = None,
) -> LogisticModel:
    """Train a logistic model, of two classes or of K (multinomial).

    Minimises Σ weight ξ + Σ l2 coef² / 2, where ξ is the cross-entropy of a row and the logits are
    X @ coef + intercept + offset.

    Parameters
    ----------
    X : array_like (n, d), sparse matrix (n, d), or table with n rows and d columns
        Features, finite; see :mod:`fastlogit.linear`.  X is never copied; the other arrays are
        copied unless they are float64.  Without `t`, it is a table with the target in the column
        `label`: anything that :func:`fastlogit.score` reads, such as the path of a file, a folder
        or a pattern of files.
    t : array_like (n,), or (n, K)
        Targets: numbers in [0, 1] (labels 0 and 1, or probabilities), or two different labels
        of any kind (bool, int, float or str).  The label that sorts last is t = 1.  Three or more
        different labels are K classes in sorted order; labels that are floats must then be whole
        numbers.  A row for each row of X has the probabilities of K classes, with the sum 1.
    label : str or int, or sequence of these, optional
        The target's column in a table, or columns with the probabilities of the classes; in place
        of `t`.  LIBSVM needs none.
    l2 : float, or array_like (d,)
        Penalty l2/2 Σ coef² on the *sum* of the losses, for all columns or one for each.
        **The default of 1.0 does penalise**, as scikit-learn's does (its ``C`` is ``1 / l2``);
        0 gives the maximum of the likelihood.  The intercept is never penalised.
    weight : array_like (n,), or column of a table, optional
        Sample weights, finite and not negative: how often each row counts.
    class_weight : dict of label to float, or "balanced", optional
        Factors for the weights of each class; labels that are not in the dict have 1.
        "balanced" gives all classes the same total weight.
    classes : sequence of two or more labels, optional
        Names of the classes for a `t` of class numbers, from 0 on, or of probabilities.  Default:
        the labels in `t`, the names of its columns, or else the numbers.
    offset : array_like (n,), or (n, K) for K classes, or columns of a table, optional
        A known addition to the logits.  It is not part of the model; predictions need one as well.
    intercept : bool
        Whether the model has one.
    start : LogisticModel, optional
        The model to begin with, if it is better than the default: all coefficients 0.  It must have
        the same classes as `t`, in any order, or the numbers from 0 on.
    solver : {"auto", "newton", "sampled-newton", "lbfgs", "gradient-descent"}
        All end at the same optimum; `LogisticModel.solver` names the one that was used.

        * newton: Newton's method, each step with the Hessian of all rows.  Exact and robust;
          each pass takes n m² multiplications, where m is the number of coefficients.
        * sampled-newton: L-BFGS that begins at the optimum of a sample of at least 20 000 rows,
          or 40 for each coefficient, with its Hessian.  Where more than half of the rows would be
          sampled, all are.
        * lbfgs: L-BFGS with the diagonal of the Hessian.
        * gradient-descent: the method of textbooks, slow.

        "auto" is lbfgs for more than 1000 coefficients, otherwise newton for little data (n m² of
        at most 2e7), otherwise sampled-newton.
    tol : float
        Converged when no coefficient differs from the optimum by more than √tol / 10 standard
        errors, nor by more than √tol / 100 of the largest coefficient: at 1e-8, 1e-5 and 1e-6.
        Newton's step estimates the distance (see Notes).  The units of columns and weights do
        not matter.
    max_passes : int
        Most reads of X before training ends.  If columns have no penalty, a few more reads find
        standard errors, collinearity and separation; they do not change the coefficients.  Out of
        core the first read counts too, and there are always two.
    max_seconds : float, optional
        Training ends with the first pass after this time, which begins anew with a `resume`.
    step_size : float, optional
        Step of gradient descent, as a multiple of the gradient of the mean; default: found by a
        line search.
    seed : int
        Seed of the sample of sampled-newton.
    on_separation : {"warn", "raise", "ignore"}
        What to do if labels can be separated along columns without a penalty (or some class has
        no row with a weight), so coefficients grow without end.  With more than 1000 coefficients
        it is found only if the columns separate all rows.
    feature_names : sequence of d str, optional
        Names of the columns, kept in the model; default: the names in X, if it has some.
    positive, missing, categorical, ignore, min_count, source_format, width, csv
        How to read a table: as in :func:`fastlogit.scoring.read_table`.  If `l2` is 0, the first
        category of each column of text has no coefficient.  A column has at most 1,000,000
        categories; a larger `min_count` groups the rare ones.
    out_of_core : bool, optional
        Whether the rows of a table are read again in each pass, so that they need not fit in
        memory; default: if they would take more than a quarter of it, or if their number is
        unknown, for example if a function gives streams.

        The first read finds labels and categories, and draws the sample of sampled-newton.  Rows
        are read in the same batches each time, and their sums are added up in a fixed order: the
        result has the same bits for any number of threads.  It differs from the result of the same
        rows in memory within `tol`.  A pass that reads other rows than the first one is an error.
        Only their numbers, the sums of labels and weights, and some features are compared.  So a
        source must not change single rows, but may give them in another order.
    spool : bool
        Whether a table that can be read only once, such as standard input or a stream, may be
        copied to disk (unless `out_of_core` is False).  Otherwise it is read into memory, and
        `out_of_core` is an error.
    checkpoint : path, optional
        A file for the result of each pass, so that training can be resumed after the process has
        been killed, or with a smaller `tol` or larger `max_passes`.  It must not exist yet unless
        `resume` is given.  It stays when training ends: remove it once the model is saved.
    resume : bool
        Whether to go on with an existing checkpoint of the same rows.  Training then begins anew,
        but makes no pass whose result is in the checkpoint.  It ends with the same bits as without
        an interruption.  Files are read once to begin, and must have their sizes and times; of
        other data the first pass is made again and compared.  Passes over samples are made again.
    progress : bool
        Show a progress bar with loss and gradient norm, and out of core with the rows of each pass;
        needs tqdm.
    callback : function of `Progress`, optional
        Called after each point that the solver tries, where it knows f; training ends if it
        returns True.  A point takes one read of X.  Reads for a Hessian alone, as after a step of K
        classes that was too long, and reads of a sample make no call.  After a resume, it is
        called for all points from the first one on.
    threads : int, optional
        Maximum number of threads; default: all cores that the process may use.

    Returns
    -------
    LogisticModel
        The same bits for any number of threads.  With a checkpoint it has no times.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong shape, dtype or range, before any work; if X is not
        finite, which the first pass finds; or if `checkpoint` is of other rows.
    OSError
        If a file cannot be read, or `checkpoint` exists, is in use or cannot be written.
    SeparationError
        A ValueError; see `on_separation`.

    Warns
    -----
    ConvergenceWarning
        If the model did not converge; the message says why and gives the remedy.
    SeparationWarning
        See `on_separation`; the message names the columns.
    CollinearityWarning
        If columns without a penalty are linear combinations of others; the message names them.
        Of all optimal coefficients, the model has those of least norm after scaling.

    Notes
    -----
    Of K classes, a number that is added to a coefficient of each class changes no probability.  The
    model has the coefficients and intercepts whose sum over the classes is 0 (the symmetric gauge).
    The differences from the first class have standard errors.

    For two classes, f = Σ weight ξ + Σ l2 coef² / 2 has the gradient
    g = [X | 1]ᵀ weight (σ(z) - t) + l2 coef and the Hessian
    H = [X | 1]ᵀ diag(weight σ(z) σ(-z)) [X | 1] + diag(l2).  At the optimum g is 0; see
    :mod:`fastlogit.training.solvers` for the ways there.  The Newton step -H⁻¹ g leads to it up to
    terms of second order.  No element of the step is longer than λ = √(gᵀ H⁻¹ g) standard errors,
    which are the roots of the diagonal of H⁻¹.  Training ends when λ and the step are at most half
    of the distance that `tol` allows.  With an intercept, columns whose median is more than 100
    standard deviations from 0 are centred as they are read, so no digits are lost.

    Examples
    --------
    >>> import fastlogit as fl
    >>> model = fl.fit([[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"])
    >>> model.coef.round(4), round(model.intercept, 4), model.converged, model.solver
    (array([0.9583]), -1.4374, True, 'newton')
    >>> model.predict([[0.5], [2.5]]).tolist()
    ['no', 'yes']
    >>> model = fl.fit([[0.0], [1.0], [2.0], [3.0]], ["low", "low", "middle", "high"])
    >>> model.classes, model.coef.shape
    (('high', 'low', 'middle'), (3, 1))
    >>> model.predict_proba([[0.0]]).round(2)
    array([[0.04, 0.85, 0.12]])
    """
    _must_not_be_of_dask(X, label)
    columns: Any = {"weight": weight, "offset": offset}
    table = TableOptions(
        **columns,
        label=label,
        positive=positive,
        missing=missing,
        categorical=categorical,
        ignore=ignore,
        min_count=min_count,
        source_format=source_format,
        width=width,
        csv=csv,
        out_of_core=out_of_core,
        spool=spool,
    )
    with open_checkpoint(checkpoint, resume=resume) as opened:
        options = Options(
            intercept=intercept,
            solver=solver,
            tol=tol,
            max_passes=max_passes,
            max_seconds=max_seconds,
            step_size=step_size,
            seed=seed,
            on_separation=on_separation,
            progress=progress,
            callback=callback,
            checkpoint=opened,
            threads=threads,
        )
        if t is None:
            _must_be_table(X, label, classes=classes, feature_names=feature_names)
            result = fit_table(X, table, options, l2=l2, class_weight=class_weight, start=start)
            model, found = result.model, result.all_warnings
        else:
            table.must_be_absent()
            model, found, _ = fit_arrays(
                X,
                t,
                options,
                l2=l2,
                weight=weight,
                class_weight=class_weight,
                classes=classes,
                offset=offset,
                start=start,
                feature_names=feature_names,
            )
    for warning in found:
        warn_caller(warning)
    return model


def _must_not_be_of_dask(X: Any, label: Columns) -> None:
    """Raise a TypeError for a collection of Dask, which other code would compute as a whole.

    A data frame with a column of labels is a table, and is read partition by partition.
    """
    if type(X).__module__.startswith(("dask.", "dask_expr.")) and label is None:
        raise TypeError(
            f"X must be in memory; got {type(X).__name__} of Dask (fastlogit.dask.fit trains where "
            "its partitions are)"
        )


def _must_be_table(X: Any, label: Columns, **others: Any) -> None:
    """Raise an error if there is neither t nor a table with a column of labels."""
    is_source = isinstance(X, str) or hasattr(X, "__fspath__")
    if label is None and not is_source:
        raise TypeError("fit needs t, the target of each row; or label, its column in a table")
    for argument, value in others.items():
        if value is not None:
            raise ValueError(f"{argument} must not be given with label, as the table has it")
