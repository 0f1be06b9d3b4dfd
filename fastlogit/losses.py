"""Loss, and loss with gradient, summed over an array of logits."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex

from numpy import dtype, empty, float32, float64, may_share_memory, ndarray, zeros

from fastlogit.core import checks
from fastlogit.core import threads as _threads
from fastlogit.core.threads import PART, is_count
from fastlogit.kernels import jit, sums
from fastlogit.matrix import short

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Reduction = Literal["sum", "mean"]

__all__ = ["log_loss", "log_loss_gradient"]

# Default of `reduction`.  Python has one object for it, which short calls look for.
_SUM: Literal["sum"] = "sum"
_FLOAT64, _FLOAT32 = dtype(float64), dtype(float32)


def log_loss(
    z: ArrayLike,
    t: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    reduction: Reduction = _SUM,
    threads: SupportsIndex | None = None,
) -> float:
    """Cross-entropy of targets and logits, -Σ weight [t log σ(z) + (1 - t) log σ(-z)].

    Parameters
    ----------
    z : array_like (n,)
        Logits: float64, float32, float16, integer or bool.
    t : array_like (n,)
        Targets in [0, 1], of the same dtypes: labels (0 or 1) or probabilities.
    weight : array_like (n,), optional
        Sample weights, finite and not negative.  An element with weight 0 is ignored, even if its
        loss is infinite or NaN.
    reduction : {"sum", "mean"}
        "mean" divides the sum by the sum of the weights.
    threads : int, optional
        Maximum number of threads; default: all cores that the process may use.

    Returns
    -------
    float
        In nats; NaN if a logit is NaN, inf if a logit is infinite on the wrong side.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong shape or dtype, is empty or has masked elements; if a target
        is NaN or outside [0, 1]; if a weight is negative or not finite; for a mean, if the sum of
        the weights is 0 or not finite.

    Notes
    -----
    This is the negative logarithm of the likelihood of all labels; :func:`fastlogit.logistic_loss`
    derives it.

    The error is at most 20 * 2**-53 of Σ|terms|, for any n; mostly it is below 2**-53.  For float32
    logits it is at most 2**-30 of Σ|terms|: a sixty-fourth of what rounding the logits costs.  A
    term of a float32 logit is 0 below e^-708.  The result does not depend on the number of threads.

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.log_loss([40.0, -1.5], [1, 0])
    0.20141327798275244
    """
    if weight is None and reduction is _SUM and (threads is None or is_count(threads)):
        found = _short_call(z, t, None, with_gradient=False)
        if found is not None:
            return found[0]
    return _sum(checks.real_array(z, "z", 1), t, weight, None, None, reduction, threads)


def log_loss_gradient(
    z: ArrayLike,
    t: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    out: NDArray[Any] | None = None,
    reduction: Reduction = _SUM,
    threads: SupportsIndex | None = None,
) -> tuple[float, NDArray[Any]]:
    """Cross-entropy and its derivative by each logit, weight (σ(z) - t), in one pass.

    Parameters
    ----------
    z, t, weight, reduction, threads
        As in `log_loss`.
    out : ndarray (n,), optional
        Array for the gradient, float64 or float32; it may be `z`.

    Returns
    -------
    loss : float
        Result of `log_loss`, to the bit.
    gradient : ndarray (n,)
        float32 for float32 logits, else float64; NaN where the logit is NaN.

    Raises
    ------
    TypeError, ValueError
        As by `log_loss`; also if `out` has the wrong shape or dtype, is read-only or overlaps
        another argument.

    Notes
    -----
    :func:`fastlogit.residual` derives the gradient, and states its error.  For a mean, loss and
    gradient are both divided by the sum of the weights.

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.log_loss_gradient([0.0, 0.0], [1, 0], reduction="mean")
    (0.6931471805599453, array([-0.25,  0.25]))
    """
    if weight is None and reduction is _SUM and (threads is None or is_count(threads)):
        found = _short_call(z, t, out, with_gradient=True)
        if found is not None:
            return found
    logits = checks.real_array(z, "z", 1)
    kind = _FLOAT32 if logits.dtype == _FLOAT32 else _FLOAT64
    gradient = checks.output(out, logits.shape, kind)
    return _sum(logits, t, weight, out, gradient, reduction, threads), gradient


# Short calls --------------------------------------------------------------------------------


def _short_call(z: Any, t: Any, out: Any, *, with_gradient: bool) -> tuple[float, Any] | None:
    """Loss and gradient of one part, or None if the call must go the general way.

    As in :mod:`fastlogit.matrix.short`: for arguments that are right at a glance, with the bits of
    the general way.
    """
    if not (
        type(z) is ndarray
        and type(t) is ndarray
        and z.ndim == t.ndim == 1
        and len(t) == len(z)
        and 0 < len(z) <= PART
        and (flags := z.flags).c_contiguous
        and flags.aligned
        and (flags := t.flags).c_contiguous
        and flags.aligned
    ):
        return None
    gradient = out
    if out is not None:
        if not (type(out) is ndarray and out.shape == z.shape and out.flags.carray):
            return None
        if may_share_memory(out, z) or may_share_memory(out, t):
            return None
    elif with_gradient:
        gradient = empty(len(z), float32 if z.dtype == _FLOAT32 else float64)
    codes = _codes(z.dtype, t.dtype, None if gradient is None else gradient.dtype)
    if codes is None:
        return None
    compute, merge = codes
    if out is not None and _compare(t.dtype)(t, t.dtype.type(1))[0]:
        return None  # nothing may be written before the error
    partial, total = empty(2), empty(1)
    if compute(z, t, None, gradient, None, partial):
        return None
    merge(partial.reshape(1, 2, 1), total)
    return float(total[0]), gradient


@cache
def _codes(
    z: dtype[Any], t: dtype[Any], gradient: dtype[Any] | None
) -> tuple[Callable[..., Any], Callable[..., Any]] | None:
    """Code of the kernel for these dtypes, and of `merge`; None: go the general way."""
    floats = _FLOAT64, _FLOAT32
    if z not in floats or t not in short.TARGETS or gradient not in (None, *floats):
        return None
    slopes = None if gradient is None else empty(1, gradient)
    given = empty(1, z), empty(1, t), None, slopes, None, empty(2)
    code = jit.compiled_code(sums.log_loss_gradient, given)
    return code, jit.compiled_code(sums.merge, (empty((1, 2, 1)), empty(1)))


@cache
def _compare(t: dtype[Any]) -> Callable[..., tuple[bool, bool]]:
    """Code of `compare` for a dtype."""
    return jit.compiled_code(sums.compare, (empty(1, t), t.type(1)))


# All calls ----------------------------------------------------------------------------------


def _sum(
    logits: NDArray[Any],
    t: ArrayLike,
    weight: ArrayLike | None,
    out: NDArray[Any] | None,
    gradient: NDArray[Any] | None,
    reduction: str,
    threads: SupportsIndex | None,
) -> float:
    checks.choice(reduction, "reduction", ("sum", "mean"))
    slices = _threads.parts(logits.size)
    count = _threads.resolve(threads, len(slices))
    targets = checks.vector(t, "t", logits.size, "element of z")
    if out is not None:  # nothing may be written before the error
        checks.check_targets(targets, count)
    weights = checks.weights(weight, logits.size, "element of z", count)
    scale = 1.0
    if reduction == "mean":
        scale = logits.size if weights is None else checks.total_weight(weights)
    if gradient is not None:
        checks.separate(gradient, z=logits, t=targets, weight=weights)

    partials = zeros((len(slices), 2, 1))
    outside = zeros(len(slices), bool)

    def task(part: int) -> None:
        here = slices[part]
        outside[part] = sums.log_loss_gradient(
            logits[here],
            targets[here],
            None if weights is None else weights[here],
            None if gradient is None else gradient[here],
            None if gradient is None or scale == 1.0 else scale,
            partials[part, :, 0],
        )

    _threads.run(task, len(slices), count)
    if outside.any():
        checks.check_targets(targets, count)  # raises an error
    total = empty(1)
    sums.merge(partials, total)
    return float(total[0] / scale)
