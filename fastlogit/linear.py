"""Logits, losses and derivatives over a feature matrix, each in one read of X, in place.

z = X @ coef + intercept + offset, losses and residuals have the digits of float64 for every dtype
of X, unless X and `coef` are both float32.  Then less is enough, as rounding X has cost more:
losses and residuals have a relative error of 2**-30 (float32 has 2**-24), and a row-major X is
multiplied in float32, at most eight products to a sum.  All sums are still added up in float64.
The error bounds are in :mod:`fastlogit.kernels.passes`.  Of K classes, a term at given logits has a
relative error of (K + 6 + |z_k - m|) 2**-53, with the largest logit m of its row.

X is never copied.  It may be

* an array of any strides (row-major, column-major, or a slice) and any real dtype;
* a CSR matrix or array of SciPy, whose entries may be unsorted and repeated.  Arrays without unit
  stride are copied, a few rows at a time;
* a table or record batch of Arrow, a data frame of Polars or pandas, or a dict of arrays.  Its
  columns may differ in type, and `coef` has their order.

NaN and infinities in X have the same effect as in NumPy.  Elements that a CSR matrix does not store
are 0, even in a column with infinities; its Hessian may have more NaN than that of an array.

K classes.  With `coef` of shape (K, d), and `intercept` of shape (K,), the logits have shape (n, K)
and the probabilities of the classes are their softmax.  Adding the same to all K logits changes no
probability, so the Hessian is singular.  Derivatives are ordered [coef.ravel(), intercept].  A row
with a logit of inf, or with -inf alone, has no limit: its results are NaN.

For few rows, a call with two classes takes 2 to 5 µs besides the computation if X and `coef` are
arrays of NumPy of the same float type in C order, t or the direction is an array, the intercept is
a float, and there is no weight and no offset.  Otherwise it takes 10 µs more.  Logits and
probabilities of K classes take 4 µs, with an array as the intercepts and without `out`.

No result depends on the number of threads: the rows are split into parts that depend on X alone,
and the results of the parts are added up in order.

To avoid a second read, each t and the indices of a CSR matrix are checked as they are read.  All
other arguments are checked before, and so are the indices if there is an `out`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np

from fastlogit.core import checks
from fastlogit.core.docstrings import complete
from fastlogit.core.threads import is_count
from fastlogit.matrix import arguments, passes, short

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from fastlogit.core.checks import Missing

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
coef : array_like (d,), or (K, d)
    Coefficients; for K classes a row for each class.
intercept : float, or array_like (K,)
    Constant part of z.
""",
    t="""
t : array_like (n,), or (n, K)
    Targets in [0, 1], of any real dtype: labels 0 and 1, or probabilities.  For K classes class
    numbers 0 to K - 1, or rows of probabilities with sum 1.
""",
    weight="""
weight : array_like (n,), optional
    Sample weights, finite and not negative; default: all 1.
""",
    offset="""
offset : array_like (n,), or (n, K), optional
    A known addition to z; default: 0.
""",
    threads="""
threads : int, optional
    Maximum number of threads; default: all cores that the process may use.
""",
    raises="""
TypeError, ValueError
    If an argument has a wrong shape, dtype or range; the message names the argument and the place.
""",
)


@_public
def decision(
    X: Any,
    coef: ArrayLike,
    intercept: ArrayLike = 0.0,
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
        Arrow's nulls raise an error that names the column, or count as NaN.
    out : ndarray (n,), or (n, K), optional
        Array for the result, float64 or float32.
    %(threads)s

    Returns
    -------
    ndarray (n,), or (n, K)
        float32 if both X and `coef` are, else float64.

    Raises
    ------
    %(raises)s

    Notes
    -----
    In a logistic model z, the logarithm of the odds of t = 1, is a weighted sum of the features.
    See :func:`fastlogit.sigmoid`.  A row with NaN gives NaN.

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.linear.decision([[1.0, 2.0], [3.0, 4.0]], [0.5, -0.5], 1.0)
    array([0.5, 0.5])
    """
    if offset is None and missing is checks.ERROR and (threads is None or is_count(threads)):
        z: Array | None = short.call("logits", X, coef, intercept, None, out)
        if z is not None:
            return z
    return _score(X, coef, intercept, offset, missing, out, threads, probability=False)


@_public
def probability(
    X: Any,
    coef: ArrayLike,
    intercept: ArrayLike = 0.0,
    *,
    offset: ArrayLike | None = None,
    missing: Missing = "error",
    out: Array | None = None,
    threads: Threads = None,
) -> Array:
    """Probability of t = 1, σ(X @ coef + intercept + offset), or of each of K classes.

    Parameters
    ----------
    %(X)s
    %(offset)s
    missing : {"error", "nan"}
        Arrow's nulls raise an error that names the column, or count as NaN.
    out : ndarray (n,), or (n, K), optional
        Array for the result, float64 or float32.
    %(threads)s

    Returns
    -------
    ndarray (n,), or (n, K)
        float32 if both X and `coef` are, else float64.

    Raises
    ------
    %(raises)s

    Notes
    -----
    Each is σ of the logit that `decision` computes, before that is rounded to the dtype of the
    result.  A row with NaN gives NaN.

    Of K classes, it is the softmax of these logits, with a relative error of at most
    (K + 6 + |z_k - m|) 2**-53, where m is the largest logit of the row.  With
    :func:`fastlogit.softmax`, of the result of `decision`, it is 0.8 ULP.

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.linear.probability([[1.0, 2.0], [3.0, 4.0]], [0.5, -0.5], 0.5)
    array([0.5, 0.5])
    >>> fl.linear.probability({"a": [1.5, 3.5], "b": [True, False]}, [2.0, -3.0])
    array([0.5       , 0.99908895])
    """
    if offset is None and missing is checks.ERROR and (threads is None or is_count(threads)):
        y: Array | None = short.call("probabilities", X, coef, intercept, None, out)
        if y is not None:
            return y
    return _score(X, coef, intercept, offset, missing, out, threads, probability=True)


@_public
def log_loss(
    X: Any,
    t: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike = 0.0,
    *,
    weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    threads: Threads = None,
) -> float:
    """Cross-entropy of a model, summed over rows, -Σ weight [t log σ(z) + (1 - t) log σ(-z)].

    Parameters
    ----------
    %(X)s
    %(t)s
    %(weight)s
    %(offset)s
    %(threads)s

    Returns
    -------
    float
        In nats.  NaN if a row with a weight other than 0 has NaN; inf if a z is infinite on the
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
    sums = _short_sums("loss", X, coef, intercept, t, weight, offset, threads)
    if sums is None:
        given = arguments.with_targets(X, t, coef, intercept, weight, offset, threads)
        sums = [passes.derivatives(*given, order=0).loss.merged()]
    return float(sums[0][0])


@_public
def log_loss_gradient(
    X: Any,
    t: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike = 0.0,
    *,
    weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    threads: Threads = None,
) -> tuple[float, NDArray[np.float64], Any]:
    """Cross-entropy and its gradient Xᵀ r, with r = weight (σ(z) - t), in one read of X.

    Parameters
    ----------
    %(X)s
    %(t)s
    %(weight)s
    %(offset)s
    %(threads)s

    Returns
    -------
    loss : float
        Equal to `log_loss` to the bit.
    coef_gradient : ndarray (d,), or (K, d)
        float64.  NaN where a row with NaN contributes.
    intercept_gradient : float, or ndarray (K,)

    Raises
    ------
    %(raises)s

    Notes
    -----
    The derivative of a row's loss by its z is σ(z) - t; see :func:`fastlogit.residual`.  The
    derivative of z by `coef` is the row of X, and by the intercept 1.  Summed over rows, this gives
    Xᵀ r and Σ r.

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.linear.log_loss_gradient([[1.0], [2.0]], [0, 1], [0.0])
    (1.3862943611198906, array([-0.5]), 0.0)
    """
    sums = _short_sums("gradient", X, coef, intercept, t, weight, offset, threads)
    if sums is None:
        given = arguments.with_targets(X, t, coef, intercept, weight, offset, threads)
        derivatives = passes.derivatives(*given, order=1)
        sums = [derivatives.loss.merged(), derivatives.gradient.merged()]
    loss, gradient = sums
    if len(shape := np.shape(coef)) == 2:
        coef_gradient, intercept_gradient = np.split(gradient, [shape[0] * shape[1]])
        return float(loss[0]), coef_gradient.reshape(shape), intercept_gradient
    return float(loss[0]), gradient[:-1], float(gradient[-1])


@_public
def log_loss_gradient_hessian(
    X: Any,
    t: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike = 0.0,
    *,
    weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    threads: Threads = None,
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Cross-entropy, gradient and Hessian, in one read of X, as a Newton step needs them.

    Parameters
    ----------
    %(X)s
    %(t)s
    %(weight)s
    %(offset)s
    %(threads)s

    Returns
    -------
    loss : float
    gradient : ndarray (d + 1,), or (K (d + 1),)
    hessian : ndarray (d + 1, d + 1), or (K (d + 1), K (d + 1))
        float64; in both, first the elements of `coef` in order, then the intercepts.  NaN where a
        row with NaN contributes.

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
    sums = _short_sums("newton", X, coef, intercept, t, weight, offset, threads)
    if sums is None:
        model, data = arguments.with_targets(X, t, coef, intercept, weight, offset, threads)
        derivatives = passes.derivatives(model, data, order=2)
        full = passes.symmetric(derivatives.hessian, data.X.shape[1])
        sums = [derivatives.loss.merged(), derivatives.gradient.merged(), full]
    loss, gradient, hessian = sums
    return float(loss[0]), gradient, hessian


@_public
def hessian(
    X: Any,
    coef: ArrayLike,
    intercept: ArrayLike = 0.0,
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
        Also differentiate by the intercept, or the K intercepts: more rows and columns, the last.
    %(threads)s

    Returns
    -------
    ndarray (d, d), or (d + 1, d + 1); for K classes K times as many rows and columns
        float64, symmetric.  NaN where a row with NaN contributes.

    Raises
    ------
    %(raises)s

    Notes
    -----
    The derivative of σ(z) - t by z is σ(z) σ(-z), which does not depend on t.  As D is not
    negative, the Hessian is positive semidefinite and the loss is convex: every local minimum is a
    global one.  The Hessian is also the Fisher information, whose inverse estimates the covariance
    of `coef`.

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.linear.hessian([[1.0], [2.0]], [0.0])
    array([[1.25]])
    """
    given = X, coef, intercept, None, weight, offset, threads
    sums = _short_sums("hessian", *given, with_intercept=with_intercept)
    if sums is not None:
        short_hessian: Array = sums[0]
        return short_hessian
    model, data = arguments.checked(X, coef, intercept, weight, offset, threads)
    full = passes.symmetric(passes.hessian(model, data), data.X.shape[1])
    size = np.size(coef)
    return full if with_intercept else full[:size, :size].copy()


@_public
def hessian_diagonal(
    X: Any,
    coef: ArrayLike,
    intercept: ArrayLike = 0.0,
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
        Also differentiate by the intercept, or the K intercepts: more elements, the last.
    %(threads)s

    Returns
    -------
    ndarray (d,), or (d + 1,); for K classes K times as many
        float64.  NaN where a row with NaN contributes.

    Raises
    ------
    %(raises)s

    Notes
    -----
    See `hessian`.  Memory of size d² is not needed.

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.linear.hessian_diagonal([[1.0, 3.0], [2.0, 0.0]], [0.0, 0.0])
    array([1.25, 2.25])
    """
    sums = _short_sums("diagonal", X, coef, intercept, None, weight, offset, threads)
    if sums is None:
        given = arguments.checked(X, coef, intercept, weight, offset, threads)
        sums = [passes.hessian_diagonal(*given).merged()]
    (diagonal,) = sums
    return diagonal if with_intercept else diagonal[: np.size(coef)]


@_public
def hessian_product(
    X: Any,
    coef: ArrayLike,
    direction: ArrayLike,
    intercept: ArrayLike = 0.0,
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
    direction : array_like (d,), or (d + 1,); for K classes K times as many
        The vector v.
    %(weight)s
    %(offset)s
    with_intercept : bool
        Also differentiate by the intercept, or the K intercepts: the last elements of `direction`
        and of the result.
    %(threads)s

    Returns
    -------
    ndarray, of the shape of `direction`
        float64.  NaN where a row with NaN contributes.

    Raises
    ------
    %(raises)s

    Notes
    -----
    See `hessian`.  The Hessian itself is not computed.

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.linear.hessian_product([[1.0], [2.0]], [0.0], [2.0])
    array([2.5])
    """
    if not with_intercept:
        sums = _short_sums("product", X, coef, intercept, direction, weight, offset, threads)
        if sums is not None:
            product: Array = sums[0][:-1]
            return product
    given = arguments.checked(X, coef, intercept, weight, offset, threads)
    along = arguments.direction(direction, given, with_intercept=with_intercept)
    full = passes.hessian_product(*given, *along).merged()
    return full if with_intercept else full[: np.size(coef)]


def _short_sums(
    result: str,
    X: Any,
    coef: Any,
    intercept: Any,
    vector: Any,
    weight: Any,
    offset: Any,
    threads: Any,
    *,
    with_intercept: bool = True,
) -> list[Array] | None:
    """What `short.call` returns, or None if these arguments must go the general way."""
    if weight is None and offset is None and (threads is None or is_count(threads)):
        sums: list[Array] | None = short.call(
            result, X, coef, intercept, vector, with_intercept=with_intercept
        )
        return sums
    return None


def _score(
    X: Any,
    coef: ArrayLike,
    intercept: ArrayLike,
    offset: ArrayLike | None,
    missing: Missing,
    out: Array | None,
    threads: Threads,
    *,
    probability: bool,
) -> Array:
    given = arguments.checked(X, coef, intercept, None, offset, threads, missing)
    model, data = given
    dtype = np.dtype(np.float32 if model.float32 else np.float64)
    result = checks.output(out, given.logits_shape, dtype)
    if out is not None:
        checks.separate(result, **data.X.arrays, offset=data.offset)
        data.X.check(data.threads)
    passes.score(model, data, result, probability=probability)
    return result
