"""Passes over a feature matrix: each reads X once, from where it lies, in the dtype it has.

z = X @ coef + intercept + offset, computed in float64 whatever the dtype of X.  The work is
split by rows into parts that depend on the shape of X alone and whose results are added up in
order, so that no result depends on the number of threads.

All functions share these parameters and rules:

X : array_like (n, d)
    float64, float32, integer or bool; the elements of a row side by side (row-major, or a
    slice of it).  It is never copied; NaN and infinities in it do what they do in NumPy.
coef : array_like (d,), intercept : float
offset : array_like (n,), optional
    A known addition to z.
weight : array_like (n,), optional
    Sample weights, finite and not negative.
threads : int, optional
    Most threads to use; default: all cores that the process may use.

A wrong shape, dtype or range is a TypeError or ValueError that names the argument, before
any work.  The bounds on errors stand in :mod:`fastlogit.kernels.dense`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, SupportsIndex

import numpy as np

from fastlogit import arrays
from fastlogit import threads as _threads
from fastlogit.kernels import columns as _columns
from fastlogit.kernels import dense, sums

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[Any]
    Threads = SupportsIndex | None

__all__ = [
    "decision",
    "decision_columns",
    "hessian",
    "hessian_product",
    "log_loss",
    "log_loss_gradient",
    "log_loss_gradient_hessian",
    "probability",
    "probability_columns",
]

# A part of X has at least this many elements: some 0.5 ms of reading, against which the 25 µs
# that handing it to a kernel takes do not count ...
_PART_ELEMENTS = 1 << 20
# ... and all partial results together take at most this much memory.
_PARTIAL_BYTES = 64 << 20


class _Input(NamedTuple):
    """Checked arguments, ready for the kernels."""

    X: Array
    coef: NDArray[np.float64]
    intercept: float
    weight: Array | None
    offset: Array | None
    threads: int

    @property
    def d(self) -> int:
        return int(self.X.shape[1])

    def rows(self, name: str, here: slice) -> Array | None:
        array: Array | None = getattr(self, name)
        return None if array is None else array[here]


def decision(
    X: ArrayLike,
    coef: ArrayLike,
    intercept: float = 0.0,
    *,
    offset: ArrayLike | None = None,
    out: Array | None = None,
    threads: Threads = None,
) -> Array:
    """Logits, z = X @ coef + intercept + offset.

    Parameters
    ----------
    X, coef, intercept, offset, threads
        See :mod:`fastlogit.linear`.
    out : ndarray (n,), optional
        float64 or float32.

    Returns
    -------
    ndarray (n,)
        float32 if both X and `coef` are, else float64.

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.linear.decision([[1.0, 2.0], [3.0, 4.0]], [0.5, -0.5], 1.0)
    array([0.5, 0.5])
    """
    return _score(None, X, coef, intercept, offset, out, threads)


def probability(
    X: ArrayLike,
    coef: ArrayLike,
    intercept: float = 0.0,
    *,
    offset: ArrayLike | None = None,
    out: Array | None = None,
    threads: Threads = None,
) -> Array:
    """Probability of t = 1, σ(X @ coef + intercept + offset).

    Parameters
    ----------
    X, coef, intercept, offset, threads
        See :mod:`fastlogit.linear`.
    out : ndarray (n,), optional
        float64 or float32.

    Returns
    -------
    ndarray (n,)
        float32 if both X and `coef` are, else float64.

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.linear.probability([[1.0, 2.0], [3.0, 4.0]], [0.5, -0.5], 0.5)
    array([0.5, 0.5])
    """
    return _score(True, X, coef, intercept, offset, out, threads)


def decision_columns(
    columns: Sequence[Array],
    coef: ArrayLike,
    intercept: float = 0.0,
    *,
    out: Array | None = None,
    threads: Threads = None,
) -> Array:
    """Logits from separate columns, each in its own dtype; they are not put side by side.

    Parameters
    ----------
    columns : sequence of d array_like (n,)
        float64, float32, integer or bool, in the order of `coef`.
    coef, intercept, threads
        See :mod:`fastlogit.linear`.
    out : ndarray (n,), optional
        float64 or float32.

    Returns
    -------
    ndarray (n,)
        float64, also where all columns and `coef` are float32.

    Examples
    --------
    >>> import numpy as np
    >>> import fastlogit as fl
    >>> columns = [np.array([1.5, 3.5]), np.array([True, False])]
    >>> fl.linear.decision_columns(columns, [0.5, -0.5], 1.0)
    array([1.25, 2.75])
    """
    return _score_columns(None, columns, coef, intercept, out, threads)


def probability_columns(
    columns: Sequence[Array],
    coef: ArrayLike,
    intercept: float = 0.0,
    *,
    out: Array | None = None,
    threads: Threads = None,
) -> Array:
    """Probability of t = 1 from separate columns.

    Parameters
    ----------
    columns, coef, intercept, out, threads
        As in `decision_columns`.

    Returns
    -------
    ndarray (n,)
        float64, also where all columns and `coef` are float32.

    Examples
    --------
    >>> import numpy as np
    >>> import fastlogit as fl
    >>> columns = [np.array([1.5, 3.5]), np.array([True, False])]
    >>> fl.linear.probability_columns(columns, [2.0, -3.0])
    array([0.5       , 0.99908895])
    """
    return _score_columns(True, columns, coef, intercept, out, threads)


def log_loss(
    X: ArrayLike,
    t: ArrayLike,
    coef: ArrayLike,
    intercept: float = 0.0,
    *,
    weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    threads: Threads = None,
) -> float:
    """Cross-entropy, -Σ weight [t log σ(z) + (1 - t) log σ(-z)].

    Parameters
    ----------
    X, coef, intercept, weight, offset, threads
        See :mod:`fastlogit.linear`.
    t : array_like (n,)
        Targets in [0, 1].

    Returns
    -------
    float

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.linear.log_loss([[1.0], [2.0]], [0, 1], [0.0])
    1.3862943611198906
    """
    return _derive(X, t, coef, intercept, weight, offset, threads, order=0)[0]


def log_loss_gradient(
    X: ArrayLike,
    t: ArrayLike,
    coef: ArrayLike,
    intercept: float = 0.0,
    *,
    weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    threads: Threads = None,
) -> tuple[float, NDArray[np.float64], float]:
    """Cross-entropy and its gradient Xᵀ r, with r = weight (σ(z) - t), in one read of X.

    Parameters
    ----------
    X, coef, intercept, weight, offset, threads
        See :mod:`fastlogit.linear`.
    t : array_like (n,)
        Targets in [0, 1].

    Returns
    -------
    loss : float
        As by `log_loss`, to the bit.
    coef_gradient : ndarray (d,)
    intercept_gradient : float

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.linear.log_loss_gradient([[1.0], [2.0]], [0, 1], [0.0])
    (1.3862943611198906, array([-0.5]), 0.0)
    """
    loss, gradient, _ = _derive(X, t, coef, intercept, weight, offset, threads, order=1)
    return loss, gradient[:-1], float(gradient[-1])


def log_loss_gradient_hessian(
    X: ArrayLike,
    t: ArrayLike,
    coef: ArrayLike,
    intercept: float = 0.0,
    *,
    weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    threads: Threads = None,
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Cross-entropy, gradient and Hessian, in one read of X: all that a Newton step needs.

    Parameters
    ----------
    X, coef, intercept, weight, offset, threads
        See :mod:`fastlogit.linear`.
    t : array_like (n,)
        Targets in [0, 1].

    Returns
    -------
    loss : float
    gradient : ndarray (d + 1,)
    hessian : ndarray (d + 1, d + 1)
        The intercept is the last in both.

    Examples
    --------
    >>> import fastlogit as fl
    >>> loss, gradient, hessian = fl.linear.log_loss_gradient_hessian(
    ...     [[1.0], [2.0]], [0, 1], [0.0])
    >>> hessian
    array([[1.25, 0.75],
           [0.75, 0.5 ]])
    """
    return _derive(X, t, coef, intercept, weight, offset, threads, order=2)


def hessian(
    X: ArrayLike,
    coef: ArrayLike,
    intercept: float = 0.0,
    *,
    weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    with_intercept: bool = False,
    threads: Threads = None,
) -> NDArray[np.float64]:
    """Hessian of the cross-entropy, Xᵀ D X with D = weight σ(z) σ(-z).

    Parameters
    ----------
    X, coef, intercept, weight, offset, threads
        See :mod:`fastlogit.linear`.
    with_intercept : bool
        Also differentiate by the intercept: a last row and column more.

    Returns
    -------
    ndarray (d, d), or (d + 1, d + 1)
        Symmetric.

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.linear.hessian([[1.0], [2.0]], [0.0])
    array([[1.25]])
    """
    given = _check(X, coef, intercept, weight, offset, threads)
    size = dense.hessian_size(given.d)
    slices = _parts(given.X, 2 * size * size)
    results = np.zeros((len(slices), 2, size, size))

    def task(part: int) -> None:
        here = slices[part]
        dense.hessian(
            given.X[here],
            given.coef,
            given.intercept,
            given.rows("weight", here),
            given.rows("offset", here),
            results[part],
        )

    _threads.run(task, len(slices), given.threads)
    return _symmetric(results, given.d + 1 if with_intercept else given.d)


def hessian_product(
    X: ArrayLike,
    coef: ArrayLike,
    direction: ArrayLike,
    intercept: float = 0.0,
    *,
    weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    with_intercept: bool = False,
    threads: Threads = None,
) -> NDArray[np.float64]:
    """Hessian times a vector, Xᵀ D X v with D = weight σ(z) σ(-z), in one read of X.

    Parameters
    ----------
    X, coef, intercept, weight, offset, threads
        See :mod:`fastlogit.linear`.
    direction : array_like (d,), or (d + 1,)
        The vector v.
    with_intercept : bool
        Also differentiate by the intercept: the last element of `direction` and result.

    Returns
    -------
    ndarray, of the shape of `direction`

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.linear.hessian_product([[1.0], [2.0]], [0.0], [2.0])
    array([2.5])
    """
    given = _check(X, coef, intercept, weight, offset, threads)
    vector = arrays.vector(
        direction,
        "direction",
        given.d + 1 if with_intercept else given.d,
        "column of X and one for the intercept" if with_intercept else "column of X",
    )
    along = arrays.coefficients(vector[: given.d], "direction", given.d)
    last = float(vector[-1]) if with_intercept else 0.0
    slices = _parts(given.X, 2 * given.d)
    partials = np.zeros((len(slices), 2, given.d + 1))

    def task(part: int) -> None:
        here = slices[part]
        dense.hessian_product(
            given.X[here],
            given.coef,
            given.intercept,
            along,
            last,
            given.rows("weight", here),
            given.rows("offset", here),
            partials[part],
        )

    _threads.run(task, len(slices), given.threads)
    return _merged(partials)[: vector.size]


def _score(
    probability: Literal[True] | None,
    X: ArrayLike,
    coef: ArrayLike,
    intercept: float,
    offset: ArrayLike | None,
    out: Array | None,
    threads: Threads,
) -> Array:
    given = _check(X, coef, intercept, None, offset, threads)
    narrow = given.X.dtype == np.asarray(coef).dtype == np.float32
    result = arrays.output(out, given.X.shape[:1], np.dtype(np.float32 if narrow else np.float64))
    if out is not None:
        arrays.separate(result, X=given.X, offset=given.offset)
    slices = _parts(given.X, 0)

    def task(part: int) -> None:
        here = slices[part]
        offset = given.rows("offset", here)
        dense.score(given.X[here], given.coef, given.intercept, offset, probability, result[here])

    _threads.run(task, len(slices), given.threads)
    return result


def _score_columns(
    probability: Literal[True] | None,
    columns: Sequence[Array],
    coef: ArrayLike,
    intercept: float,
    out: Array | None,
    threads: Threads,
) -> Array:
    if len(columns) == 0:
        raise ValueError("columns must not be empty")
    count = _threads.resolve(threads)
    first = arrays.real_array(columns[0], "columns[0]", 1)
    checked = [
        arrays.vector(column, f"columns[{number}]", first.size, "element of columns[0]")
        for number, column in enumerate(columns)
    ]
    factors = arrays.vector(coef, "coef", len(checked), "column").astype(np.float64)
    start = arrays.number(intercept, "intercept")
    result = arrays.output(out, first.shape, np.dtype(np.float64))
    if out is not None:
        for number, column in enumerate(checked):
            arrays.separate(result, **{f"columns[{number}]": column})
    slices = arrays.parts(first.size, _columns.PART)

    def task(part: int) -> None:
        here = slices[part]
        z = np.full(here.stop - here.start, start)
        for column, factor in zip(checked, factors, strict=True):
            _columns.add_column(column[here], factor, z)
        _columns.score(z, probability, result[here])

    _threads.run(task, len(slices), count)
    return result


def _derive(
    X: ArrayLike,
    t: ArrayLike,
    coef: ArrayLike,
    intercept: float,
    weight: ArrayLike | None,
    offset: ArrayLike | None,
    threads: Threads,
    *,
    order: int,
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Loss, and its derivatives up to `order` by the coefficients and then the intercept."""
    given = _check(X, coef, intercept, weight, offset, threads)
    targets, soft = arrays.targets(t, given.X.shape[0], "row of X", given.threads)
    size = dense.hessian_size(given.d) if order == 2 else 0
    slices = _parts(given.X, 2 * given.d + 2 * size * size)
    losses = np.zeros((len(slices), 2, 1))
    gradients = np.zeros((len(slices), 2, given.d + 1 if order >= 1 else 0))
    hessians = np.zeros((len(slices), 2, size, size))

    def task(part: int) -> None:
        here = slices[part]
        dense.log_loss_gradient(
            given.X[here],
            targets[here],
            soft,
            given.coef,
            given.intercept,
            given.rows("weight", here),
            given.rows("offset", here),
            losses[part, :, 0],
            gradients[part] if order >= 1 else None,
            hessians[part] if order == 2 else None,
        )

    _threads.run(task, len(slices), given.threads)
    return (
        float(_merged(losses)[0]),
        _merged(gradients),
        _symmetric(hessians, given.d + 1 if order == 2 else 0),
    )


def _check(
    X: ArrayLike,
    coef: ArrayLike,
    intercept: float,
    weight: ArrayLike | None,
    offset: ArrayLike | None,
    threads: Threads,
) -> _Input:
    features = arrays.matrix(X)
    n, d = features.shape
    count = _threads.resolve(threads, -(-features.size // _PART_ELEMENTS))
    return _Input(
        features,
        arrays.coefficients(coef, "coef", d),
        arrays.number(intercept, "intercept"),
        arrays.weights(weight, n, "row of X", count),
        None if offset is None else arrays.vector(offset, "offset", n, "row of X"),
        count,
    )


def _parts(X: Array, partial_size: int) -> list[slice]:
    """Slices of rows whose partial results, of so many float64 each, stay small together."""
    n, d = X.shape
    most = min(arrays.MOST_PARTS, _PARTIAL_BYTES // (8 * max(1, partial_size)))
    return arrays.parts(n, max(1, _PART_ELEMENTS // d), max(1, most))


def _merged(partials: NDArray[np.float64]) -> NDArray[np.float64]:
    result = np.empty(partials.shape[2])
    sums.merge(partials, result)
    return result


def _symmetric(partials: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Add up partial Hessians, and mirror the upper triangle."""
    if size == 0:
        return np.empty((0, 0))
    parts, _, padded, _ = partials.shape
    total = _merged(partials.reshape(parts, 2, padded * padded)).reshape(padded, padded)
    upper = np.triu(total[:size, :size])
    full: NDArray[np.float64] = upper + np.triu(upper, 1).T
    return full
