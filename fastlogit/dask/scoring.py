"""Score Dask arrays and data frames lazily, one partition at a time.

Each partition is read once and scored on one thread, as Dask's schedulers already run several
partitions at a time.  Arrays are scored by :mod:`fastlogit.linear` and data frames by
:func:`fastlogit.score`, with the same bits.
"""

from __future__ import annotations

import math
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np

from fastlogit import linear
from fastlogit.classes import softmax
from fastlogit.core import checks
from fastlogit.models.model import LogisticModel, loaded, warn_without_offset
from fastlogit.scoring.run import score
from fastlogit.scoring.scorer import Output, Scorer
from fastlogit.tables.dask_frame import (
    declared_schema,
    is_dask_frame,
    open_dask_frame,
    partition_to_arrow,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from fastlogit.core.checks import Missing
    from fastlogit.matrix.onehot import Unknown

__all__ = ["decision", "probability"]

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
    return _score("logit", X, model, offset, missing, unknown)


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
    return _score("probability", X, model, offset, missing, unknown)


def _score(
    output: Output, X: Any, model: Model, offset: Any, missing: Missing, unknown: Unknown
) -> Any:
    model = loaded(model)
    warn_without_offset(model, offset)
    checks.missing(missing, ("error", "nan"))
    if is_dask_frame(X):
        options = {"output": output, "offset": offset, "missing": missing, "unknown": unknown}
        return _score_frame(X, model, options)
    if not isinstance(X, da.Array):
        raise TypeError(f"X must be a Dask array or data frame; got {type(X).__name__}")
    probability = linear.probability if model.coef.ndim == 1 else _class_probability
    return _score_array(linear.decision if output == "logit" else probability, X, model, offset)


# Arrays -----------------------------------------------------------------------------------


def _class_probability(*rows: Any, threads: int, **options: Any) -> NDArray[Any]:
    """Probabilities of K classes, with the bits of :func:`fastlogit.score`."""
    return softmax(linear.decision(*rows, threads=threads, **options), threads=threads)


def _score_array(
    function: Callable[..., NDArray[Any]], X: da.Array, model: LogisticModel, offset: Any
) -> da.Array:
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
    columns: dict[str, Any] = {"drop_axis": 1}
    if classes:
        columns = {"chunks": (X.chunks[0], tuple(classes))}
    return X.map_blocks(
        _score_array_partition,
        *offsets,
        function=function,
        coef=model.coef,
        intercept=model.intercept,
        dtype=np.float64,
        meta=np.empty((0,) * model.coef.ndim),
        **columns,
    )


def _offset_rows(offset: Any, X: da.Array, classes: list[int]) -> da.Array:
    """The offset as one column, or one for each class, chunked like the rows of X."""
    axes = 1 + len(classes)
    if isinstance(offset, da.Array):
        given = offset
        checks.real_array(np.zeros((1,) * given.ndim, given.dtype), "offset", axes)
    else:
        given = da.from_array(checks.real_array(offset, "offset", axes))
    if classes and given.shape[1] != classes[0]:
        raise ValueError(
            f"offset must have one column for each class, {classes[0]}; got shape {given.shape}"
        )
    rows, known = X.shape[0], not (math.isnan(X.shape[0]) or math.isnan(given.shape[0]))
    if known and given.shape[0] == rows:
        given = given.rechunk({0: X.chunks[0]})
    elif known or given.numblocks[0] != X.numblocks[0]:
        raise ValueError(
            f"offset must have one element for each row of X, {rows}, and the chunks of X if that "
            f"is not known; got shape {given.shape} in {given.numblocks[0]} chunks"
        )
    return given.rechunk({1: -1}) if classes else given[:, None]


def _score_array_partition(
    X: NDArray[Any],
    *offsets: NDArray[Any],
    function: Callable[..., NDArray[Any]],
    coef: NDArray[np.float64],
    intercept: float | NDArray[np.float64],
) -> NDArray[Any]:
    if X.shape[0] == 0:  # a filter may leave no rows
        return np.empty((0, *coef.shape[:-1]))
    offset = None
    if offsets:
        offset = offsets[0][:, 0] if coef.ndim == 1 else offsets[0]
    # Only column-major partitions, which data frames give, are copied.
    return function(np.ascontiguousarray(X), coef, intercept, offset=offset, threads=1)


# Data frames ------------------------------------------------------------------------------


def _score_frame(X: Any, model: LogisticModel, options: dict[str, Any]) -> Any:
    # The scorer checks model, columns and options before anything is computed.
    scorer = Scorer(model, open_dask_frame("X", X), **options)
    model = replace(model, with_offset=False)  # or each partition would warn again
    chosen = X[[X.columns[column] for column in scorer.columns]]
    return chosen.map_partitions(
        _score_frame_partition,
        model,
        declared_schema(chosen),
        options | {"names": scorer.names},
        meta=_as_pandas(dict.fromkeys(scorer.names, np.empty(0)), X._meta.index),
    )


def _score_frame_partition(
    partition: Any, model: LogisticModel, schema: Any, options: dict[str, Any]
) -> Any:
    batches = list(score(model, partition_to_arrow(partition, schema), threads=1, **options))
    scores = {
        name: np.concatenate([np.empty(0), *(batch.column(name).to_numpy() for batch in batches)])
        for name in options["names"]
    }
    return _as_pandas(scores, partition.index)


def _as_pandas(scores: dict[str, NDArray[np.float64]], index: Any) -> Any:
    """A series, or a data frame of several columns."""
    import pandas as pd

    if len(scores) > 1:
        return pd.DataFrame(scores, index)
    ((name, values),) = scores.items()
    return pd.Series(values, index, name=name)
