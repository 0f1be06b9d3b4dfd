"""Softmax over K classes, its loss and its gradient, along the last axis of an array of logits.

The functions of each row take an array of any shape; `softmax_log_loss` and
`softmax_log_loss_gradient` add up the losses of the rows of a matrix.

Dtypes are those of :mod:`fastlogit.elementwise`: a result is float64 for float64 and for integers
of 32 and 64 bits, float32 for float32 and for integers of 16 bits, and float16 (computed in
float32) for float16, integers of 8 bits and bool.

Targets are class numbers or probabilities:

* an array of whole numbers from 0 to K - 1, with one element for each row;
* an array of the shape of Z, whose rows are in [0, 1] and have the sum 1.  The sum may be off by
  1e-6, or by √K times the precision of its dtype if that is more.

The result of a row depends on that row alone: not on strides, on the number of rows or on the
number of threads.  Exchanging classes exchanges results, to the bit.  Adding a constant to all
logits of a row changes no bit, unless it rounds one of them; only `log_sum_exp` moves with it.  No
input raises a floating-point warning, except for a result that is too large for a float32 `out`.

:mod:`fastlogit.kernels.multinomial` has the formulas, and the reasons why they lose no digits.
"""

from __future__ import annotations

from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np

from fastlogit.core import checks
from fastlogit.core import threads as _threads
from fastlogit.core.docstrings import complete
from fastlogit.kernels import class_blocks, sums
from fastlogit.kernels.class_blocks import (
    LOG_PROBABILITIES,
    LOG_SUMS,
    LOSSES,
    NOTHING,
    PROBABILITIES,
    RESIDUALS,
    Results,
    Targets,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from fastlogit.losses import Reduction

    Out = NDArray[Any] | None
    Threads = SupportsIndex | None

__all__ = [
    "log_softmax",
    "log_sum_exp",
    "softmax",
    "softmax_log_loss",
    "softmax_log_loss_gradient",
    "softmax_loss",
    "softmax_residual",
]

# Smallest part, in logits.  A part costs 15 µs of Python, and this many logits take 500 µs or more.
_PART = 8 * _threads.PART

_public = partial(
    complete,
    Z="""
Z : array_like (..., K), any shape with at least one axis
    Logits: float64, float32, float16, integer or bool.
""",
    t="""
t : array_like (...) or (..., K)
    Class numbers, or probabilities; see :mod:`fastlogit.classes`.
""",
    threads="""
threads : int, optional
    Maximum number of threads; default: all cores that the process may use.
""",
    raises="""
TypeError, ValueError
    If an argument has a wrong shape, dtype or range; the message names the argument and the place.
""",
    special="""
NaN or inf in a row makes all results of the row NaN, and so does a row of -inf alone: there is no
limit.  The probability of any other -inf is 0.
""",
)


# Of each row ----------------------------------------------------------------------------------


@_public
def softmax(Z: ArrayLike, out: Out = None, *, threads: Threads = None) -> NDArray[Any]:
    """Probabilities of K classes, p_k = e^z_k / Σ e^z_j.

    Parameters
    ----------
    %(Z)s
    out : ndarray (..., K), optional
        Array for the result, float64 or float32; it may be Z.
    %(threads)s

    Returns
    -------
    ndarray (..., K)
        Each row is in [0, 1] and has the sum 1, up to K ULP.

    Raises
    ------
    %(raises)s

    Notes
    -----
    A logistic model of K classes says that the logarithm of the odds of two classes is a difference
    of logits: log(p_k / p_j) = z_k - z_j.  So p_k = c e^z_k with one c for all classes, and c is
    1 / Σ e^z_j because the probabilities have the sum 1.  Only differences of logits matter.  With
    two classes of logits 0 and z this is `sigmoid`: p = (σ(-z), σ(z)).

    With m the largest logit and S the sum of e^(z_j - m) over the other classes, p_k is
    e^(z_k - m) / (1 + S), in which nothing overflows.

    The error is at most 0.8 ULP in float64, and 0.51 ULP in float32.  %(special)s

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.softmax([[0.0, 1.0, 2.0], [-745.1, 0.0, -1000.0]])
    array([[9.00305732e-002, 2.44728471e-001, 6.65240956e-001],
           [4.94065646e-324, 1.00000000e+000, 0.00000000e+000]])
    """
    result: NDArray[Any] = _elements(Z, None, out, threads, PROBABILITIES)
    return result


@_public
def log_softmax(Z: ArrayLike, out: Out = None, *, threads: Threads = None) -> NDArray[Any]:
    """Logarithms of the probabilities of K classes, z_k - log Σ e^z_j.

    Parameters
    ----------
    %(Z)s
    out : ndarray (..., K), optional
        Array for the result, float64 or float32; it may be Z.
    %(threads)s

    Returns
    -------
    ndarray (..., K)
        At most 0, in nats; -inf for a logit of -inf.

    Raises
    ------
    %(raises)s

    Notes
    -----
    It is computed as (z_k - m) - log(1 + S), see `softmax`.  Both terms are at most 0, so nothing
    cancels.  For a logit 40 above two others the result is -8.5e-18, where
    z_k - log Σ e^z_j would be 0.

    The error is at most 0.8 ULP in float64, and 0.51 ULP in float32.  %(special)s

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.log_softmax([40.0, 0.0, 0.0])
    array([-8.49670851e-18, -4.00000000e+01, -4.00000000e+01])
    """
    result: NDArray[Any] = _elements(Z, None, out, threads, LOG_PROBABILITIES)
    return result


@_public
def log_sum_exp(Z: ArrayLike, out: Out = None, *, threads: Threads = None) -> Any:
    """Logarithm of a sum of exponentials, log Σ e^z_j: the logarithm of the softmax's denominator.

    Parameters
    ----------
    %(Z)s
    out : ndarray (...), optional
        Array for the result, float64 or float32.
    %(threads)s

    Returns
    -------
    ndarray (...) or scalar
        Without the last axis.

    Raises
    ------
    %(raises)s

    Notes
    -----
    It is computed as m + log(1 + S), see `softmax`.  Its derivatives by the logits are the
    probabilities.

    The error is at most 0.8 ULP in float64, and 0.51 ULP in float32.  For negative m near
    -log(1 + S) the two terms cancel; there the error is at most 0.5 ULP plus 2**-54 m (float32:
    2**-32 m).

    NaN gives NaN.  As with :func:`scipy.special.logsumexp`, infinities give the limit: -inf for a
    row of -inf alone, and inf for any inf.

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.log_sum_exp([[1000.0, 1000.0], [0.0, -40.0]])
    array([1.00069315e+03, 4.24835426e-18])
    """
    return _rows(Z, None, out, threads, LOG_SUMS)


@_public
def softmax_loss(Z: ArrayLike, t: ArrayLike, out: Out = None, *, threads: Threads = None) -> Any:
    """Cross-entropy of targets and logits of K classes, ξ = -Σ t_k log p_k, for each row.

    Parameters
    ----------
    %(Z)s
    %(t)s
    out : ndarray (...), optional
        Array for the result, float64 or float32.
    %(threads)s

    Returns
    -------
    ndarray (...) or scalar
        At least 0, in nats; inf for a target with a logit of -inf.

    Raises
    ------
    %(raises)s

    Notes
    -----
    For a class number it is -log p_t, the negative logarithm of the likelihood of the label.
    :func:`fastlogit.logistic_loss` derives it for two classes.

    It is computed as Σ t_k (m - z_k) + log(1 + S), see `softmax`, where no term is negative.  The
    error is at most 0.8 ULP in float64, and 0.51 ULP in float32; for probabilities 1.1 ULP.  So
    the sum of these counts as 1, even if rounding made it another number.  A difference m - z_k
    that is too large for float64 gives inf.
    %(special)s

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.softmax_loss([[40.0, 0.0, 0.0], [0.0, 0.0, 0.0]], [0, 2])
    array([8.49670851e-18, 1.09861229e+00])
    >>> fl.softmax_loss([0.0, 0.0, 0.0], [0.5, 0.25, 0.25])
    np.float64(1.0986122886681098)
    """
    return _rows(Z, t, out, threads, LOSSES)


@_public
def softmax_residual(
    Z: ArrayLike, t: ArrayLike, out: Out = None, *, threads: Threads = None
) -> NDArray[Any]:
    """Derivative of `softmax_loss` by each logit, ∂ξ/∂z_k = p_k - t_k.

    Parameters
    ----------
    %(Z)s
    %(t)s
    out : ndarray (..., K), optional
        Array for the result, float64 or float32; it may be Z.
    %(threads)s

    Returns
    -------
    ndarray (..., K)
        In [-1, 1].

    Raises
    ------
    %(raises)s

    Notes
    -----
    With ξ = log Σ e^z_j - Σ t_j z_j, the derivative of the first term is e^z_k / Σ e^z_j = p_k, and
    the second term gives t_k.

    For the class of a label, p_k - 1 would have no digits where p_k is nearly 1.  It is computed as
    minus the sum of the other probabilities.  In general it is (1 - t_k) p_k - t_k (1 - p_k).

    For class numbers the error is at most 0.8 ULP in float64, and 0.51 ULP in float32.  For
    probabilities it is at most 1.1 ULP plus 2**-54 (float32: 2**-32) times
    (1 - t_k) p_k + t_k (1 - p_k), the size of the terms that cancel where t_k is near p_k.
    %(special)s

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.softmax_residual([[40.0, 0.0, 0.0], [0.0, 0.0, 0.0]], [0, 2])
    array([[-8.49670851e-18,  4.24835426e-18,  4.24835426e-18],
           [ 3.33333333e-01,  3.33333333e-01, -6.66666667e-01]])
    """
    result: NDArray[Any] = _elements(Z, t, out, threads, RESIDUALS)
    return result


# Sums over the rows ---------------------------------------------------------------------------


@_public
def softmax_log_loss(
    Z: ArrayLike,
    t: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    reduction: Reduction = "sum",
    threads: Threads = None,
) -> float:
    """Cross-entropy of targets and logits of K classes, -Σ weight Σ t_k log p_k.

    Parameters
    ----------
    Z : array_like (n, K)
        Logits: float64, float32, float16, integer or bool; not empty.
    t : array_like (n,) or (n, K)
        Class numbers, or probabilities; see :mod:`fastlogit.classes`.
    weight : array_like (n,), optional
        Sample weights, finite and not negative.  A row with weight 0 is ignored, even if its loss
        is infinite or NaN.
    reduction : {"sum", "mean"}
        "mean" divides the sum by the sum of the weights.
    %(threads)s

    Returns
    -------
    float
        In nats; NaN if a row has NaN or inf, inf if the logit of a target is -inf.

    Raises
    ------
    %(raises)s

    Notes
    -----
    :func:`fastlogit.softmax_loss` has the formula.  The losses are added in float64 with their
    rounding errors, so the error of the sum is that of its terms: at most 2 * 2**-53 of their sum,
    or 2**-30 for float32 logits.  The result does not depend on the number of threads.

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.softmax_log_loss([[40.0, 0.0, 0.0], [0.0, 0.0, 0.0]], [0, 2])
    1.0986122886681098
    """
    return _sum(Z, t, weight, None, reduction, threads)


@_public
def softmax_log_loss_gradient(
    Z: ArrayLike,
    t: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    out: Out = None,
    reduction: Reduction = "sum",
    threads: Threads = None,
) -> tuple[float, NDArray[Any]]:
    """Cross-entropy and its derivative by each logit, weight (p_k - t_k), in one pass.

    Parameters
    ----------
    Z, t, weight, reduction, threads
        As in `softmax_log_loss`.
    out : ndarray (n, K), optional
        Array for the gradient, float64 or float32; it may be Z.

    Returns
    -------
    loss : float
        Result of `softmax_log_loss`, to the bit.
    gradient : ndarray (n, K)
        float32 for float32 and float16 logits, else float64.

    Raises
    ------
    TypeError, ValueError
        As by `softmax_log_loss`; also if `out` has the wrong shape or dtype, is read-only or
        overlaps another argument.

    Notes
    -----
    :func:`fastlogit.softmax_residual` derives the gradient, and states its error.  For a mean, loss
    and gradient are both divided by the sum of the weights.  NaN is as in `softmax_residual`.

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.softmax_log_loss_gradient([[0.0, 0.0]], [1])
    (0.6931471805599453, array([[ 0.5, -0.5]]))
    """
    logits = checks.real_array(Z, "Z", 2)
    gradient = checks.output(out, logits.shape, _summed(logits))
    return _sum(logits, t, weight, gradient, reduction, threads), gradient


# Arguments ------------------------------------------------------------------------------------


def _logits(Z: ArrayLike) -> tuple[NDArray[Any], np.dtype[Any]]:
    """Array of logits, and the dtype of a result."""
    try:
        array = np.asarray(Z)
    except ValueError:
        raise ValueError("Z must have rows of the same length") from None
    if np.ma.is_masked(Z):
        raise ValueError(f"Z must have no masked elements; got {np.ma.getmask(Z).sum()}")
    if array.dtype.kind not in "buif":
        raise TypeError(f"Z must hold real numbers; got dtype {array.dtype}")
    if array.dtype.itemsize > 8:
        raise TypeError(
            f"Z must hold numbers of at most 64 bits; got {array.dtype} (.astype(np.float64) "
            "converts)"
        )
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ValueError(f"Z must have a last axis of at least one class; got shape {array.shape}")
    return array, np.exp.resolve_dtypes((array.dtype, None))[-1]


# Calls ----------------------------------------------------------------------------------------


def _elements(Z: ArrayLike, t: ArrayLike | None, out: Out, threads: Threads, kind: int) -> Any:
    """A result for each logit."""
    logits, dtype = _logits(Z)
    result = checks.output(out, logits.shape, _computed(dtype))
    _run(logits, _computed(dtype), t, threads, kind=kind, elements=result)
    return result if out is not None else _rounded(result, dtype)


def _rows(Z: ArrayLike, t: ArrayLike | None, out: Out, threads: Threads, kind: int) -> Any:
    """A result for each row."""
    logits, dtype = _logits(Z)
    result = checks.output(out, logits.shape[:-1], _computed(dtype))
    _run(logits, _computed(dtype), t, threads, row_kind=kind, rows=result)
    return result if out is not None else _rounded(result, dtype)[()]


def _sum(
    Z: ArrayLike,
    t: ArrayLike,
    weight: ArrayLike | None,
    gradient: Out,
    reduction: str,
    threads: Threads,
) -> float:
    checks.choice(reduction, "reduction", ("sum", "mean"))
    logits = checks.real_array(Z, "Z", 2)
    n = logits.shape[0]
    weights = checks.weights(weight, n, "row of Z", _threads.resolve(threads))
    divisor = 1.0
    if reduction == "mean":
        divisor = float(n if weights is None else checks.total_weight(weights))
    kind = NOTHING if gradient is None else RESIDUALS
    total = np.empty(1)
    _run(
        logits,
        _summed(logits),
        t,
        threads,
        kind=kind,
        elements=gradient,
        weights=weights,
        divisor=divisor,
        total=total,
    )
    return float(total[0] / divisor)


def _computed(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Dtype to compute a result of a dtype in."""
    return np.dtype(np.float32 if dtype == np.float16 else dtype)


def _summed(logits: NDArray[Any]) -> np.dtype[Any]:
    """Dtype to compute sums in."""
    return np.dtype(np.float32 if logits.dtype == np.float32 else np.float64)


def _rounded(result: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    with np.errstate(all="ignore"):  # it may be infinite or subnormal in float16 alone
        return result.astype(dtype, copy=False)


def _run(
    logits: NDArray[Any],
    dtype: np.dtype[Any],
    t: ArrayLike | None,
    threads: Threads,
    *,
    kind: int = NOTHING,
    elements: NDArray[Any] | None = None,
    row_kind: int = NOTHING,
    rows: NDArray[Any] | None = None,
    weights: NDArray[Any] | None = None,
    divisor: float = 1.0,
    total: NDArray[np.float64] | None = None,
) -> None:
    """Check the targets, then compute all results in parts of the rows."""
    needs_targets = kind == RESIDUALS or row_kind == LOSSES or total is not None
    targets = checks.class_targets(t, logits.shape) if needs_targets else None
    for result in (elements, rows):
        if result is not None:
            checks.separate(result, Z=logits, t=targets, weight=weights)
    *leading, K = logits.shape
    n = prod(leading)
    slices = _threads.parts(n, max(1, _PART // K))
    count = _threads.resolve(threads, len(slices))
    out = _plain(elements, dtype, (n, K))
    row_out = _plain(rows, dtype, (n,))
    numbers = targets if targets is not None and targets.ndim == 1 else np.empty(0, np.int64)
    shares = targets if targets is not None and targets.ndim == 2 else np.empty((0, K))
    inputs = (
        _reader(logits.reshape(n, K), dtype),
        _reader(numbers, np.int64),
        _reader(shares, np.float64),
        _reader(np.empty(0) if weights is None else weights, np.float64),
    )
    partials = np.zeros((len(slices), 2 if total is not None else 0, 1))

    def task(part: int) -> None:
        here = slices[part]
        Z, t, soft, weight = (read(here) for read in inputs)
        class_blocks.run(
            Z,
            Targets(t, soft, weight, divisor),
            Results(kind, out[here], row_kind, row_out[here], partials[part, :, 0]),
            True if dtype == np.float32 else None,
        )

    if n:
        _threads.run(task, len(slices), count)
    for result, plain in ((elements, out), (rows, row_out)):
        if result is not None and not np.may_share_memory(result, plain):
            result[...] = plain.reshape(result.shape)
    if total is not None:
        sums.merge(partials, total)


def _reader(array: NDArray[Any], dtype: DTypeLike) -> Callable[[slice], NDArray[Any]]:
    """Function from a part of the rows to an array that a kernel can read, a copy if need be."""
    flags = array.flags
    if array.dtype == dtype and flags.c_contiguous and flags.aligned and flags.writeable:
        return array.__getitem__
    return lambda here: np.require(array[here], dtype, checks.PLAIN)


def _plain(
    result: NDArray[Any] | None, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> NDArray[Any]:
    """`result` in another shape, if a kernel can write to it; else a new array, or an empty one."""
    if result is None:
        return np.empty((0, *shape[1:]), dtype)
    if result.dtype == dtype and result.flags.c_contiguous and result.flags.aligned:
        return result.reshape(shape)
    return np.empty(shape, dtype)
