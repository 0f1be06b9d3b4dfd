"""Score Dask arrays and data frames lazily, one partition at a time.

Each partition is read once and scored on one thread, as Dask's schedulers already run several
partitions at a time.  Arrays are scored as by :mod:`fastlogit.linear` and data frames as by
:func:`fastlogit.score`, with the same bits.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np

from fastlogit import linear
from fastlogit.classes import softmax
from fastlogit.core import checks
from fastlogit.dask.partitions import NAME, aligned, frame_batches, unmasked
from fastlogit.models import predictions
from fastlogit.models.input import warn_without_offset
from fastlogit.models.model import LogisticModel, loaded
from fastlogit.scoring.scorer import Scorer
from fastlogit.tables.dask_frame import is_dask_frame, open_dask_frame
from fastlogit.tables.errors import errors_naming
from fastlogit.training.partitions.contract import as_header

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from fastlogit.core.checks import Missing
    from fastlogit.matrix.onehot import Unknown
    from fastlogit.scoring.scorer import Output
    from fastlogit.tables.table import Wanted

__all__ = ["decision", "predict", "probability", "score"]

# A model, or the path of its file.
Model = LogisticModel | str | os.PathLike[str]


def decision(
    X: Any,
    model: Model,
    *,
    offset: Any = None,
    missing: Missing = "error",
    unknown: Unknown = "error",
) -> Any:
    """Logits of rows, X @ coef + intercept + offset, or for K classes a matrix of them.

    Parameters
    ----------
    X : dask array (n, d), or dask data frame
        An array: float64, float32, integer or bool; n may be unknown.  If it is chunked along the
        columns, it is rechunked to whole rows; smaller chunks of rows then save memory.  NaN and
        infinity behave as in NumPy.

        A data frame: columns are found by the names of the model's features, as in
        :func:`fastlogit.score`, and may be text where the model has `categories`.
    model : LogisticModel, or path of its file
    offset : dask array or array_like, (n,) or (n, K), or names of columns, optional
        A known addition to the logits; a model that was trained with one needs it.  For a data
        frame, the name of its column; for K classes, a list of K names.
    missing : {"error", "nan"}
        How to treat a null in a data frame: raise an error when its partition is computed, or
        give NaN.
    unknown : {"error", "ignore"}
        How to treat text that belongs to no category of the model: raise an error, or add 0.

    Returns
    -------
    dask array (n,), or dask series
        float64, chunked like the rows of X; for a data frame a series "logit" with its index.
        For K classes a dask array (n, K), or a data frame with the columns "logit_<class>".

    Raises
    ------
    TypeError, ValueError
        Before anything is computed, if X is neither, or its dtype, shape or columns are wrong.

    Warns
    -----
    OffsetWarning
        If the model was trained with an offset, and none is given.

    Examples
    --------
    >>> import dask.array as da
    >>> import fastlogit as fl
    >>> from fastlogit.dask import decision
    >>> model = fl.LogisticModel([0.5, -0.5], 1.0)
    >>> X = da.from_array([[1.0, 2.0], [3.0, 4.0], [5.0, 8.0]], chunks=(2, 2))
    >>> decision(X, model).compute()
    array([ 0.5,  0.5, -0.5])
    """
    model = _model(model, offset)
    if is_dask_frame(X):
        return _as_series(X, model, "logit", offset=offset, missing=missing, unknown=unknown)
    checks.missing(missing, ("error", "nan"))
    return _score_array(linear.decision, X, model, offset, model.coef.shape[:-1])


def probability(
    X: Any,
    model: Model,
    *,
    offset: Any = None,
    missing: Missing = "error",
    unknown: Unknown = "error",
) -> Any:
    """Probability of t = 1, σ(X @ coef + intercept + offset), or of each of K classes.

    Parameters
    ----------
    X, model, offset, missing, unknown
        As in `decision`.

    Returns
    -------
    dask array (n,), or dask series
        As in `decision`, with "probability" in place of "logit".

    Raises
    ------
    TypeError, ValueError
        As in `decision`.

    Warns
    -----
    OffsetWarning
        As in `decision`.

    Examples
    --------
    >>> import dask.array as da
    >>> import fastlogit as fl
    >>> from fastlogit.dask import probability
    >>> model = fl.LogisticModel([0.5, -0.5], 0.5)
    >>> X = da.from_array([[1.0, 2.0], [3.0, 4.0], [5.0, 8.0]], chunks=(2, 2))
    >>> probability(X, model).compute()
    array([0.5       , 0.5       , 0.26894142])
    """
    model = _model(model, offset)
    if is_dask_frame(X):
        return _as_series(X, model, "probability", offset=offset, missing=missing, unknown=unknown)
    checks.missing(missing, ("error", "nan"))
    function = linear.probability if model.coef.ndim == 1 else _class_probability
    return _score_array(function, X, model, offset, model.coef.shape[:-1])


def predict(
    X: Any,
    model: Model,
    *,
    offset: Any = None,
    threshold: float = 0.5,
    missing: Missing = "error",
    unknown: Unknown = "error",
) -> Any:
    """Labels of rows: of two classes the second, where its probability is above `threshold`.

    Of K classes the most probable, and of those that are equal the first.

    Parameters
    ----------
    X, model, offset, missing, unknown
        As in `decision`.
    threshold : float
        In [0, 1]; for two classes only.

    Returns
    -------
    dask array (n,), or dask series
        For an array the type of the classes: bool, int64, float64 or str; a row whose probability
        is NaN is an error when its partition is computed.  For a data frame a series "label" with
        its index, of a type that can be null, as the label of such a row is.

    Raises
    ------
    TypeError, ValueError
        As in `decision`, or if `threshold` is wrong.

    Warns
    -----
    OffsetWarning
        As in `decision`.

    Examples
    --------
    >>> import dask.array as da
    >>> import fastlogit as fl
    >>> from fastlogit.dask import predict
    >>> model = fl.LogisticModel([0.5, -0.5], 0.5, classes=("no", "yes"))
    >>> X = da.from_array([[1.0, 2.0], [3.0, 2.0], [5.0, 8.0]], chunks=(2, 2))
    >>> predict(X, model).compute().tolist()
    ['no', 'yes', 'no']
    """
    model = _model(model, offset)
    if is_dask_frame(X):
        options = {"offset": offset, "missing": missing, "unknown": unknown}
        return _as_series(X, model, "label", threshold=threshold, **options)
    checks.missing(missing, ("error", "nan"))
    threshold = predictions.checked_threshold(threshold, model.classes)
    function = partial(_labels, classes=model.classes, threshold=threshold)
    return _score_array(function, X, model, offset, (), np.array(model.classes).dtype)


def score(
    X: Any,
    model: Model,
    *,
    output: Output | Sequence[Output] = "probability",
    names: str | Sequence[str] | None = None,
    keep: Sequence[str] = (),
    offset: str | Sequence[str] | None = None,
    threshold: float = 0.5,
    missing: Missing = "error",
    unknown: Unknown = "error",
) -> Any:
    """Score every row of a data frame, as :func:`fastlogit.score` does.

    Parameters
    ----------
    X : dask data frame
        Its columns hold numbers of any dtype, or text where the model has `categories`.
    model : LogisticModel, or path of its file
    output, names, offset, threshold, missing, unknown
        As in :func:`fastlogit.score`.
    keep : sequence of str
        Columns of X to return before the scores, as they are.

    Returns
    -------
    dask data frame
        With the partitions of X and its index; with ``missing="skip"`` without the rows that are
        left out.  Labels have a type that can be null.

    Raises
    ------
    TypeError, ValueError
        Before anything is computed, if X does not suit the model, or another argument is wrong.
        Nulls and unknown categories are errors when their partition is computed; the message names
        partition, column and row.

    Warns
    -----
    OffsetWarning
        As in `decision`.

    Examples
    --------
    >>> import dask.dataframe as dd
    >>> import pandas as pd
    >>> import fastlogit as fl
    >>> from fastlogit.dask import score
    >>> model = fl.LogisticModel([2.0], 0.0, ("x",))
    >>> X = dd.from_pandas(pd.DataFrame({"who": [7, 8], "x": [0.0, 0.5]}), npartitions=2)
    >>> score(X, model, output=["label", "logit"], keep=["who"]).compute()
       who  label  logit
    0    7      0    0.0
    1    8      1    1.0
    """
    if not is_dask_frame(X):
        raise TypeError(
            f"X must be a Dask data frame; got {type(X).__name__} (decision, probability and "
            "predict take Dask arrays)"
        )
    return _score_frame(
        X,
        _model(model, offset),
        keep=keep,
        output=output,
        names=names,
        offset=offset,
        threshold=threshold,
        missing=missing,
        unknown=unknown,
    )


def _model(model: Model, offset: Any) -> LogisticModel:
    model = loaded(model)
    warn_without_offset(model, offset)
    return model


# Arrays -----------------------------------------------------------------------------------


def _class_probability(*rows: Any, threads: int, **options: Any) -> NDArray[Any]:
    """Probabilities of K classes, with the bits of :func:`fastlogit.score`."""
    return softmax(linear.decision(*rows, threads=threads, **options), threads=threads)


def _labels(
    *rows: Any, classes: tuple[Any, ...], threshold: float, threads: int, **options: Any
) -> NDArray[Any]:
    logits = linear.decision(*rows, threads=threads, **options)
    return predictions.labels(predictions.class_numbers(logits, threshold, threads), classes)


def _score_array(
    function: Callable[..., NDArray[Any]],
    X: Any,
    model: LogisticModel,
    offset: Any,
    columns: tuple[int, ...],
    dtype: Any = np.float64,
) -> da.Array:
    """The results of a function of rows, with these axes besides the rows."""
    if not isinstance(X, da.Array):
        raise TypeError(f"X must be a Dask array or data frame; got {type(X).__name__}")
    if X.ndim != 2:
        raise ValueError(f"X must have 2 axes; got shape {X.shape}")
    checks.real_array(np.zeros((1, 1), X.dtype), "X", 2, float16=True)  # checks the dtype
    *classes, d = model.coef.shape
    if X.shape[1] != d:
        raise ValueError(
            f"X must have one column for each coefficient of model, {d}; got shape {X.shape}"
        )
    X = X.rechunk({1: -1})
    offsets = [] if offset is None else [_offset_rows(offset, X, classes)]
    empty = np.empty((0, *columns), dtype)
    chunks = {"chunks": (X.chunks[0], columns)} if columns else {"drop_axis": 1}
    return X.map_blocks(
        _score_array_partition,
        *offsets,
        function=function,
        coef=model.coef,
        intercept=model.intercept,
        empty=empty,
        dtype=dtype,
        meta=empty,
        **chunks,
    )


def _offset_rows(offset: Any, X: da.Array, classes: list[int]) -> da.Array:
    """The offset as one column, or one for each class, chunked like the rows of X."""
    rows = aligned(offset, "offset", X, 1 + len(classes), real=True)
    if classes and rows.shape[1] != classes[0]:
        raise ValueError(
            f"offset must have one column for each class, {classes[0]}; got shape {rows.shape}"
        )
    return rows if classes else rows[:, None]


def _score_array_partition(
    X: Any,
    *offsets: NDArray[Any],
    function: Callable[..., NDArray[Any]],
    coef: NDArray[np.float64],
    intercept: float | NDArray[np.float64],
    empty: NDArray[Any],
    block_id: tuple[int, ...],
) -> NDArray[Any]:
    if X.shape[0] == 0:  # a filter may leave no rows
        return empty
    offset = None
    if offsets:
        offset = offsets[0][:, 0] if coef.ndim == 1 else offsets[0]
    # Only column-major partitions, which data frames give, are copied.
    with errors_naming(f"{NAME}, partition {block_id[0]}"):
        rows = X if hasattr(X, "indptr") else np.ascontiguousarray(unmasked(X, NAME))
        return function(rows, coef, intercept, offset=offset, threads=1)


# Data frames ------------------------------------------------------------------------------


def _as_series(X: Any, model: LogisticModel, output: Output, **options: Any) -> Any:
    """A series of scores, or a data frame if there are several columns."""
    checks.missing(options["missing"], ("error", "nan"))
    scores = _score_frame(X, model, output=output, **options)
    return scores[scores.columns[0]] if len(scores.columns) == 1 else scores


def _score_frame(X: Any, model: LogisticModel, keep: Sequence[str] = (), **options: Any) -> Any:
    # The scorer checks model, columns and options before anything is computed.
    table = as_header(open_dask_frame(NAME, X))
    names = Scorer(model, table, keep=keep, **options).names
    scorer = Scorer(model, table, **options | {"names": names})
    wanted = table.want(scorer.columns, text=scorer.text, results=len(names))
    read = [X.columns[column] for column in scorer.columns]
    chosen = X[list(dict.fromkeys([*read, *keep]))]
    meta = _score_frame_partition(chosen._meta, scorer, wanted, keep)
    return chosen.map_partitions(_score_frame_partition, scorer, wanted, keep, meta=meta)


def _score_frame_partition(
    partition: Any,
    scorer: Scorer,
    wanted: Wanted,
    keep: Sequence[str],
    partition_info: dict[str, Any] | None = None,
) -> Any:
    import pandas as pd
    import pyarrow as pa

    number = 0 if partition_info is None else partition_info["number"]
    batches = frame_batches(scorer.table, partition, number, wanted)
    scored = [scorer.score_batch(batch) for batch in batches]
    rows = pa.Table.from_batches([one.rows for one in scored], scorer.schema)
    # Labels may be null, which neither int64 nor bool of NumPy can be.
    nullable = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    scores = rows.to_pandas(types_mapper=nullable.get)
    skipped = np.concatenate([np.empty(0, np.int64), *(one.skipped for one in scored)])
    kept = partition[list(keep)]
    if skipped.size:
        kept = kept.iloc[np.setdiff1d(np.arange(len(partition)), skipped)]
    return kept.assign(**{name: column.array for name, column in scores.items()})
