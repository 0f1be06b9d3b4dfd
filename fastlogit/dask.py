"""Score Dask arrays: block by block, lazily, each block read once.

A Dask array stands for blocks of rows that need not be in memory together; its schedulers
run several blocks at a time, on threads, processes or a cluster.  So each block is scored on
one thread, by :mod:`fastlogit.linear`, and gives what that gives for the same rows, to the bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np

from fastlogit import arrays, linear

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from fastlogit.model import LogisticModel

__all__ = ["decision", "probability"]


def decision(X: da.Array, model: LogisticModel) -> da.Array:
    """Logits of rows, X @ coef + intercept.

    Parameters
    ----------
    X : dask array (n, d)
        float64, float32, integer or bool; n need not be known.  If it is chunked along the
        columns too, these are brought together first, so that a block holds whole rows;
        smaller chunks of rows keep such blocks small.  NaN and infinities do what they do in
        NumPy.
    model : LogisticModel

    Returns
    -------
    dask array (n,)
        float64, chunked as the rows of X.

    Raises
    ------
    TypeError, ValueError
        If X is no Dask array, or its dtype or shape is wrong; before anything is computed.

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
    return _score(linear.decision, X, model)


def probability(X: da.Array, model: LogisticModel) -> da.Array:
    """Probability of t = 1, σ(X @ coef + intercept).

    Parameters
    ----------
    X, model
        As in `decision`.

    Returns
    -------
    dask array (n,)
        float64, chunked as the rows of X.

    Raises
    ------
    TypeError, ValueError
        As `decision`.

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
    return _score(linear.probability, X, model)


def _score(function: Callable[..., NDArray[Any]], X: da.Array, model: LogisticModel) -> da.Array:
    if not isinstance(X, da.Array):
        raise TypeError(f"X must be a Dask array; got {type(X).__name__}")
    if X.ndim != 2:
        raise ValueError(f"X must have 2 axes; got shape {X.shape}")
    arrays.real_array(
        np.zeros((1, 1), X.dtype), "X", 2, float16=True
    )  # the same rules for its dtype
    if X.shape[1] != model.coef.size:
        raise ValueError(
            f"X must have one column for each coefficient of model, {model.coef.size}; "
            f"got shape {X.shape}"
        )
    return X.rechunk({1: -1}).map_blocks(
        _score_block,
        function=function,
        coef=model.coef,
        intercept=model.intercept,
        dtype=np.float64,
        drop_axis=1,
        meta=np.empty(0),
    )


def _score_block(
    X: NDArray[Any],
    function: Callable[..., NDArray[Any]],
    coef: NDArray[np.float64],
    intercept: float,
) -> NDArray[Any]:
    if X.shape[0] == 0:  # as a filter of rows may leave it
        return np.empty(0)
    # Data frames give column-major blocks; any other is not copied.
    return function(np.ascontiguousarray(X), coef, intercept, threads=1)
