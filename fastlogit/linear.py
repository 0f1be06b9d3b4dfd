"""Passes over a feature matrix: each reads X once, from where it lies, in the dtype it has.

z = X @ coef + intercept + offset, computed in float64 whatever the dtype of X.  The work is
split by rows into parts that depend on X alone and whose results are added up in order, so that
no result depends on the number of threads.  Where X and `coef` are both float32, losses and
residuals are computed with a relative error of 2**-30 (float32 has 2**-24), and still added up in
float64; with `coef` in float64 they have the digits of float64.

X is never copied.  It may be

* an array of any strides: row-major, column-major, or a slice, of any real dtype;
* a CSR matrix or array of SciPy, whose entries may be unsorted and repeated;
* a table or record batch of Arrow, a data frame of Polars or pandas, or a dict of arrays;
  columns may differ in type, and their order is that of `coef`.

NaN and infinities in X do what they do in NumPy (elements that a CSR matrix does not store are 0,
also beside them; its Hessian may have more NaN than that).  What is n long is not read twice to
be checked: each t, and the indices of a CSR matrix, are checked as they are read, all else (and
where there is an `out`, everything) before.  The bounds on errors stand in
:mod:`fastlogit.kernels.passes`.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, SupportsIndex

import numpy as np

from fastlogit.core import checks
from fastlogit.core import threads as _threads
from fastlogit.core.docstrings import complete
from fastlogit.kernels import passes, sums
from fastlogit.matrix import features

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import ArrayLike, NDArray

    from fastlogit.core.checks import Missing
    from fastlogit.matrix.features import Features

    Array = NDArray[Any]
    Threads = SupportsIndex | None

__all__ = [
    "decision",
    "hessian",
    "hessian_diagonal",
    "hessian_product",
    "log_loss",
    "log_loss_gradient",
    "log_loss_gradient_hessian",
    "probability",
]

_public = partial(
    complete,
    X="""
X : array_like (n, d), CSR matrix (n, d), or table of n rows
    Features, of any real dtype and layout; see :mod:`fastlogit.linear`.
coef : array_like (d,)
    Coefficients.
intercept : float
    Constant part of z.
""",
    weight="""
weight : array_like (n,), optional
    Sample weights, finite and not negative.
""",
    offset="""
offset : array_like (n,), optional
    A known addition to z.
""",
    threads="""
threads : int, optional
    Most threads to use, which does not change the result; default: all cores that the process
    may use.
""",
    raises="""
TypeError, ValueError
    If an argument has a wrong shape, dtype or range; the message names it, and its place.
""",
)

# All partial results together take at most this much memory.
_PARTIAL_BYTES = 64 << 20


class _Input(NamedTuple):
    """Checked arguments, ready for the kernels."""

    X: Features
    coef: NDArray[np.float64]
    intercept: float
    weight: Array | None
    offset: Array | None
    threads: int
    # Whether X and coef are float32.
    narrow: bool

    @property
    def d(self) -> int:
        return self.X.shape[1]

    def rows(self, name: str, here: slice) -> Array | None:
        array: Array | None = getattr(self, name)
        return None if array is None else array[here]


@_public
def decision(
    X: Any,
    coef: ArrayLike,
    intercept: float = 0.0,
    *,
    offset: ArrayLike | None = None,
    missing: Missing = "error",
    out: Array | None = None,
    threads: Threads = None,
) -> Array:
    """Logits, z = X @ coef + intercept + offset.

    Parameters
    ----------
    %(X)s
    %(offset)s
    missing : {"error", "nan"}
        What to do about Arrow's nulls: an error that names the column, or take them as NaN.
    out : ndarray (n,), optional
        Where to put the result: float64 or float32.
    %(threads)s

    Returns
    -------
    ndarray (n,)
        float32 if both X and `coef` are, else float64.

    Raises
    ------
    %(raises)s

    Notes
    -----
    A logistic model takes z, the logarithm of the odds of t = 1, to be a weighted sum of the
    features; see :func:`fastlogit.sigmoid`.  A row with NaN has NaN.

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.linear.decision([[1.0, 2.0], [3.0, 4.0]], [0.5, -0.5], 1.0)
    array([0.5, 0.5])
    """
    return _score(None, X, coef, intercept, offset, missing, out, threads)


@_public
def probability(
    X: Any,
    coef: ArrayLike,
    intercept: float = 0.0,
    *,
    offset: ArrayLike | None = None,
    missing: Missing = "error",
    out: Array | None = None,
    threads: Threads = None,
) -> Array:
    """Probability of t = 1, σ(X @ coef + intercept + offset).

    Parameters
    ----------
    %(X)s
    %(offset)s
    missing : {"error", "nan"}
        What to do about Arrow's nulls: an error that names the column, or take them as NaN.
    out : ndarray (n,), optional
        Where to put the result: float64 or float32.
    %(threads)s

    Returns
    -------
    ndarray (n,)
        float32 if both X and `coef` are, else float64.

    Raises
    ------
    %(raises)s

    Notes
    -----
    Each is σ of what `decision` gives; a row with NaN has NaN.

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.linear.probability([[1.0, 2.0], [3.0, 4.0]], [0.5, -0.5], 0.5)
    array([0.5, 0.5])
    >>> fl.linear.probability({"a": [1.5, 3.5], "b": [True, False]}, [2.0, -3.0])
    array([0.5       , 0.99908895])
    """
    return _score(True, X, coef, intercept, offset, missing, out, threads)


@_public
def log_loss(
    X: Any,
    t: ArrayLike,
    coef: ArrayLike,
    intercept: float = 0.0,
    *,
    weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    threads: Threads = None,
) -> float:
    """Cross-entropy of a model, -Σ weight [t log σ(z) + (1 - t) log σ(-z)].

    Parameters
    ----------
    %(X)s
    t : array_like (n,)
        Targets in [0, 1], of any real dtype: labels 0 and 1, or probabilities.
    %(weight)s
    %(offset)s
    %(threads)s

    Returns
    -------
    float
        In nats; NaN if a row has NaN (and its weight is not 0), inf if a z is infinite on the
        wrong side.

    Raises
    ------
    %(raises)s

    Notes
    -----
    The negative logarithm of the likelihood; see :func:`fastlogit.logistic_loss`.

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.linear.log_loss([[1.0], [2.0]], [0, 1], [0.0])
    1.3862943611198906
    """
    return _derive(X, t, coef, intercept, weight, offset, threads, order=0)[0]


@_public
def log_loss_gradient(
    X: Any,
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
    %(X)s
    t : array_like (n,)
        Targets in [0, 1], of any real dtype: labels 0 and 1, or probabilities.
    %(weight)s
    %(offset)s
    %(threads)s

    Returns
    -------
    loss : float
        As by `log_loss`, to the bit.
    coef_gradient : ndarray (d,)
        float64; NaN where a row with NaN adds to it.
    intercept_gradient : float

    Raises
    ------
    %(raises)s

    Notes
    -----
    The derivative of a row's loss by its z is σ(z) - t, see :func:`fastlogit.residual`, and that of
    z by `coef` is the row of X and by the intercept 1.  Summed over rows: Xᵀ r, and Σ r.

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.linear.log_loss_gradient([[1.0], [2.0]], [0, 1], [0.0])
    (1.3862943611198906, array([-0.5]), 0.0)
    """
    loss, gradient, _ = _derive(X, t, coef, intercept, weight, offset, threads, order=1)
    return loss, gradient[:-1], float(gradient[-1])


@_public
def log_loss_gradient_hessian(
    X: Any,
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
    %(X)s
    t : array_like (n,)
        Targets in [0, 1], of any real dtype: labels 0 and 1, or probabilities.
    %(weight)s
    %(offset)s
    %(threads)s

    Returns
    -------
    loss : float
    gradient : ndarray (d + 1,)
    hessian : ndarray (d + 1, d + 1)
        float64, and NaN where a row with NaN adds to them; the intercept is the last in both.

    Raises
    ------
    %(raises)s

    Notes
    -----
    See `log_loss_gradient` and `hessian`.

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


@_public
def hessian(
    X: Any,
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
    %(X)s
    %(weight)s
    %(offset)s
    with_intercept : bool
        Also differentiate by the intercept: a last row and column more.
    %(threads)s

    Returns
    -------
    ndarray (d, d), or (d + 1, d + 1)
        float64, symmetric; NaN where a row with NaN adds to it.

    Raises
    ------
    %(raises)s

    Notes
    -----
    The derivative of σ(z) - t by z is σ(z) σ(-z), whatever t: the Hessian needs no labels.  As D is
    not negative, vᵀ Xᵀ D X v never is, and the loss is convex: each of its minima is the smallest.
    It is the matrix of Fisher's information, whose inverse estimates the covariance of `coef`.

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.linear.hessian([[1.0], [2.0]], [0.0])
    array([[1.25]])
    """
    given = _check(X, coef, intercept, weight, offset, threads)
    size = passes.hessian_size(given.d)
    partials = _curvatures(passes.hessian, given, (size, size))
    return _symmetric(partials, given.d + 1 if with_intercept else given.d)


@_public
def hessian_diagonal(
    X: Any,
    coef: ArrayLike,
    intercept: float = 0.0,
    *,
    weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    with_intercept: bool = False,
    threads: Threads = None,
) -> NDArray[np.float64]:
    """Diagonal of the Hessian, Σ D x² of each column with D = weight σ(z) σ(-z), in one read of X.

    Parameters
    ----------
    %(X)s
    %(weight)s
    %(offset)s
    with_intercept : bool
        Also that of the intercept: a last element more.
    %(threads)s

    Returns
    -------
    ndarray (d,), or (d + 1,)
        float64; NaN where a row with NaN adds to it.

    Raises
    ------
    %(raises)s

    Notes
    -----
    See `hessian`; X is read once, and nothing of size d² is made.

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.linear.hessian_diagonal([[1.0, 3.0], [2.0, 0.0]], [0.0, 0.0])
    array([1.25, 2.25])
    """
    given = _check(X, coef, intercept, weight, offset, threads)
    partials = _curvatures(passes.hessian_diagonal, given, (given.d + 1,))
    return _merged(partials)[: given.d + 1 if with_intercept else given.d]


@_public
def hessian_product(
    X: Any,
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
    %(X)s
    direction : array_like (d,), or (d + 1,)
        The vector v.
    %(weight)s
    %(offset)s
    with_intercept : bool
        Also differentiate by the intercept: the last element of `direction` and result.
    %(threads)s

    Returns
    -------
    ndarray (d,), or (d + 1,)
        float64; NaN where a row with NaN adds to it.

    Raises
    ------
    %(raises)s

    Notes
    -----
    See `hessian`, which is not made for it.

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.linear.hessian_product([[1.0], [2.0]], [0.0], [2.0])
    array([2.5])
    """
    given = _check(X, coef, intercept, weight, offset, threads)
    vector = checks.vector(
        direction,
        "direction",
        given.d + 1 if with_intercept else given.d,
        "column of X and one for the intercept" if with_intercept else "column of X",
    )
    along = checks.coefficients(vector[: given.d], "direction", given.d)
    last = float(vector[-1]) if with_intercept else 0.0
    partials = _curvatures(passes.hessian_product, given, (given.d + 1,), along, last)
    return _merged(partials)[: vector.size]


def _score(
    probability: Literal[True] | None,
    X: Any,
    coef: ArrayLike,
    intercept: float,
    offset: ArrayLike | None,
    missing: Missing,
    out: Array | None,
    threads: Threads,
) -> Array:
    given = _check(X, coef, intercept, None, offset, threads, missing)
    dtype = np.dtype(np.float32 if given.narrow else np.float64)
    result = checks.output(out, given.X.shape[:1], dtype)
    if out is not None:
        checks.separate(result, **given.X.arrays, offset=given.offset)
        given.X.check(given.threads)
    narrow = True if result.dtype == np.float32 else None
    slices = _parts(given.X, 0)

    def task(part: int) -> Iterator[bool]:
        for here, X in given.X.pieces(slices[part]):
            offset = given.rows("offset", here)
            yield passes.score(
                X, given.coef, given.intercept, offset, probability, narrow, result[here]
            )

    _run(task, len(slices), given)
    return result


def _derive(
    X: Any,
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
    targets = checks.vector(t, "t", given.X.shape[0], "row of X")
    narrow = True if given.narrow else None
    size = passes.hessian_size(given.d) if order == 2 else 0
    slices = _parts(given.X, 2 * given.d + 2 * size * size)
    losses = np.zeros((len(slices), 2, 1))
    gradients = np.zeros((len(slices), 2, given.d + 1 if order >= 1 else 0))
    hessians = np.zeros((len(slices), 2, size, size))

    def task(part: int) -> Iterator[bool]:
        for here, X in given.X.pieces(slices[part]):
            yield passes.log_loss_gradient(
                X,
                targets[here],
                narrow,
                given.coef,
                given.intercept,
                given.rows("weight", here),
                given.rows("offset", here),
                losses[part, :, 0],
                gradients[part] if order >= 1 else None,
                hessians[part] if order == 2 else None,
            )

    _run(task, len(slices), given, targets)
    return (
        float(_merged(losses)[0]),
        _merged(gradients),
        _symmetric(hessians, given.d + 1 if order == 2 else 0),
    )


def _curvatures(
    kernel: Callable[..., bool], given: _Input, shape: tuple[int, ...], *more: Any
) -> NDArray[np.float64]:
    """Partial results of a kernel that needs no t, each with high and low parts of that shape."""
    slices = _parts(given.X, 2 * math.prod(shape))
    partials = np.zeros((len(slices), 2, *shape))

    def task(part: int) -> Iterator[bool]:
        for here, X in given.X.pieces(slices[part]):
            weight, offset = given.rows("weight", here), given.rows("offset", here)
            yield kernel(X, given.coef, given.intercept, *more, weight, offset, partials[part])

    _run(task, len(slices), given)
    return partials


def _check(
    X: Any,
    coef: ArrayLike,
    intercept: float,
    weight: ArrayLike | None,
    offset: ArrayLike | None,
    threads: Threads,
    missing: Missing = "error",
) -> _Input:
    given = features.of(X, missing)
    n, d = given.shape
    count = _threads.resolve(threads, len(given.parts(checks.MOST_PARTS)))
    return _Input(
        given,
        checks.coefficients(coef, "coef", d),
        checks.number(intercept, "intercept"),
        checks.weights(weight, n, "row of X", count),
        None if offset is None else checks.vector(offset, "offset", n, "row of X"),
        count,
        given.dtype == np.asarray(coef).dtype == np.float32,
    )


def _run(
    task: Callable[[int], Iterator[bool]], parts: int, given: _Input, targets: Array | None = None
) -> None:
    """Do all parts; where a kernel says that what it read is wrong, find out what and where."""
    wrong: list[int] = []

    def checked(part: int) -> Iterator[None]:
        for good in task(part):
            if not good:
                wrong.append(part)
            if wrong:
                return
            yield

    _threads.run(checked, parts, given.threads)
    if wrong:
        given.X.check(given.threads)
        if targets is not None:
            checks.check_targets(targets, given.threads)
        raise ValueError("X or t was changed while it was read")


def _parts(X: Features, partial_size: int) -> list[slice]:
    """Parts of X whose partial results, of so many float64 each, stay small together."""
    return X.parts(min(checks.MOST_PARTS, _PARTIAL_BYTES // (8 * max(1, partial_size))))


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
