"""The functions that work element by element: NumPy ufuncs, on several threads.

They take what a NumPy ufunc takes, and give what it gives: scalars for scalars, arrays for
arrays, with broadcasting; float64 for float64 and integers of 32 and 64 bits, float32 for
float32 and integers of 16 bits, float16 (computed in float32) for float16, integers of 8 bits
and bool, and the widest of these for several arguments.  Numbers in foreign byte order are taken
by their value, masked arrays keep their mask, and other libraries' arrays are handed on through
``__array_ufunc__``.

All of them share this contract:

* No input gives a floating-point warning, unless NumPy has to cast it, or the result, to a type
  that is too small for it.  NaN gives NaN; infinities give the limit.
* An element's result depends on that element alone: not on its place, on strides, on the
  length of the array or on the number of threads.
* The error is at most 0.6 units in the last place (ULP), and 0.8 where the result is subnormal,
  in the far tails as elsewhere; where it is more, the function says so.
  (Bounds are what was seen over adversarial points and sweeps of all exponents against
  multi-precision arithmetic, with a margin; ``tests/test_elementwise.py`` holds them.)
* A type that is not real (complex, object, text) is a TypeError that names the argument.

The formulas, and why they lose no digits, are in :mod:`fastlogit.kernels.logistic`.
"""

from __future__ import annotations

from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeVar

import numpy as np
from numpy import ndarray  # a name less to look up in each call

from fastlogit.core import checks
from fastlogit.core import threads as _threads
from fastlogit.core.docstrings import complete
from fastlogit.kernels.ufuncs import ARGUMENTS, ufunc

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, DTypeLike, NDArray

    Out = NDArray[Any] | None
    Threads = SupportsIndex | None

F = TypeVar("F", bound="Callable[..., Any]")

__all__ = sorted(ARGUMENTS)

# Fewer elements are not worth a second thread.
_FEW = 2 * checks.PART
# Kinds of dtypes that can hold a result.
_HOLDING = "fcO"
# Enough that a thread which is held up leaves its share to the others; each takes some 10 µs.
_PARTS_PER_THREAD = 8

_SHARED = {
    "parameters": """
out : ndarray, optional
    Where to put the result; it may be an input.
where : array_like of bool, optional
    Elements for which this is False are not computed and `out` keeps its own there.
dtype : dtype, optional
    float32 or float64: the type to compute in.
threads : int, optional
    Most threads to use; default: all cores that the process may use.
""",
    "raises": """
TypeError, ValueError
    If an argument does not hold real numbers of at most 64 bits, or does not fit the others;
    the message names it.
""",
    "contract": """
The dtype is NumPy's: float64, float32 or float16.  NaN gives NaN, and no number a warning.
The formula, and where it comes from, is in :mod:`fastlogit.kernels.logistic`.  The error is at
most 0.6 units in the last place (ULP), and 0.8 where the result is subnormal.
""",
}


_MISSING: Any = object()
# Types of single numbers that NumPy's functions give no float16 for.
_NUMBERS = float, np.float64, np.float32


def _public(function: F) -> F:
    """Complete the docstring; few elements, with no option but out, go straight to the ufunc.

    The arguments are named one by one, as ``*args`` would take a good part of such a call.
    """
    name = function.__name__
    complete(function, **_SHARED)

    compute: Callable[..., Any]

    def make_and_call(*args: Any) -> Any:
        nonlocal compute
        compute = ufunc(name)
        return compute(*args)

    compute = make_and_call

    def of_one(first: Any = _MISSING, /, out: Any = None, **options: Any) -> Any:
        try:
            if options or not (out is None or type(out) is ndarray):
                pass
            elif type(first) is ndarray and first.size < _FEW and first.itemsize > 2:
                return compute(first) if out is None else compute(first, out)
            elif type(first) in _NUMBERS and out is None:
                return compute(first)
        except (TypeError, ValueError, OverflowError):
            pass  # again, for a better message
        return function(*_given(first), out=out, **options)

    def of_two(
        first: Any = _MISSING, second: Any = _MISSING, /, out: Any = None, **options: Any
    ) -> Any:
        try:
            if options or not (out is None or type(out) is ndarray):
                pass
            elif type(first) is ndarray and first.size < _FEW and first.itemsize > 2:
                return compute(first, second) if out is None else compute(first, second, out)
            elif type(first) in _NUMBERS and type(second) in (*_NUMBERS, int) and out is None:
                return compute(first, second)
        except (TypeError, ValueError, OverflowError):
            pass
        return function(*_given(first, second), out=out, **options)

    quick = of_one if len(ARGUMENTS[name]) == 1 else of_two
    return wraps(function)(quick)  # type: ignore[return-value]


def _given(*args: Any) -> list[Any]:
    return [arg for arg in args if arg is not _MISSING]


@_public
def sigmoid(
    z: ArrayLike,
    out: Out = None,
    *,
    where: ArrayLike = True,
    dtype: DTypeLike | None = None,
    threads: Threads = None,
) -> Any:
    """Logistic function, σ(z) = 1 / (1 + e^-z): the probability of t = 1 at logit z.

    The probability of t = 0 is ``sigmoid(-z)``, exact in its tail too, where ``1 - sigmoid(z)`` has
    no digits left.

    Parameters
    ----------
    z : array_like, any shape
        Logits.
    %(parameters)s

    Returns
    -------
    ndarray or scalar
        In [0, 1]; 0 at -inf, 1 at inf.

    Raises
    ------
    %(raises)s

    Notes
    -----
    A logistic model says that the logarithm of the odds is a sum of effects, z = X @ coef +
    intercept.  With y the probability of t = 1 and 1 - y that of t = 0, the odds are
    y / (1 - y) = e^z, and solving for y gives y = e^z / (1 + e^z) = σ(z).  Exchanging the two
    classes turns z into -z: σ(-z) = 1 - σ(z).

    It is computed from u = e^-|z|, which cannot overflow: σ(z) is 1 / (1 + u) for z >= 0 and
    u / (1 + u) below.  Both are quotients of positive numbers, so that nothing cancels.

    %(contract)s

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.sigmoid([0.0, 2.0, -745.1])
    array([5.00000000e-001, 8.80797078e-001, 4.94065646e-324])
    """
    return _call("sigmoid", (z,), out, where, dtype, threads)


@_public
def sigmoid_derivative(
    z: ArrayLike,
    out: Out = None,
    *,
    where: ArrayLike = True,
    dtype: DTypeLike | None = None,
    threads: Threads = None,
) -> Any:
    """Derivative of the logistic function, σ'(z) = σ(z) σ(-z).

    Parameters
    ----------
    z : array_like, any shape
        Logits.
    %(parameters)s

    Returns
    -------
    ndarray or scalar
        In [0, 1/4]: the largest at 0, and 0 at both infinities.

    Raises
    ------
    %(raises)s

    Notes
    -----
    With σ = (1 + e^-z)^-1, the chain rule gives σ' = e^-z (1 + e^-z)^-2, of which one factor is
    σ(z) = 1 / (1 + e^-z) and the other e^-z / (1 + e^-z) = σ(-z).  With y = σ(z) that is
    y (1 - y), the variance of a label.

    It is computed from u = e^-|z| as u / (1 + u)², never as y (1 - y), of which the second factor
    has no digits left where y is nearly 1.

    %(contract)s

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.sigmoid_derivative([0.0, 40.0])
    array([2.50000000e-01, 4.24835426e-18])
    """
    return _call("sigmoid_derivative", (z,), out, where, dtype, threads)


@_public
def log_sigmoid(
    z: ArrayLike,
    out: Out = None,
    *,
    where: ArrayLike = True,
    dtype: DTypeLike | None = None,
    threads: Threads = None,
) -> Any:
    """Logarithm of the logistic function, log σ(z) = -log(1 + e^-z): the log-likelihood of t = 1.

    Parameters
    ----------
    z : array_like, any shape
        Logits.
    %(parameters)s

    Returns
    -------
    ndarray or scalar
        At most 0, in nats; -inf at -inf, 0 at inf.

    Raises
    ------
    %(raises)s

    Notes
    -----
    It is -`softplus` (-z), and computed as min(z, 0) - log(1 + e^-|z|).

    %(contract)s

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.log_sigmoid([-1000.0, 0.0, 40.0])
    array([-1.00000000e+03, -6.93147181e-01, -4.24835426e-18])
    """
    return _call("log_sigmoid", (z,), out, where, dtype, threads)


@_public
def softplus(
    z: ArrayLike,
    out: Out = None,
    *,
    where: ArrayLike = True,
    dtype: DTypeLike | None = None,
    threads: Threads = None,
) -> Any:
    """Softplus, log(1 + e^z) = -log σ(-z): the loss of t = 0, and the integral of σ.

    Parameters
    ----------
    z : array_like, any shape
        Logits.
    %(parameters)s

    Returns
    -------
    ndarray or scalar
        At least 0, in nats; 0 at -inf, inf at inf.

    Raises
    ------
    %(raises)s

    Notes
    -----
    1 + e^z loses e^z where that is small, and overflows where it is large.  With e^z taken out of
    the logarithm for z > 0, both signs give max(z, 0) + log(1 + u) with u = e^-|z| <= 1.  That
    logarithm is 2 atanh(u / (2 + u)), a series in a number of at most 1/3, which is exact where u
    is tiny.

    %(contract)s

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.softplus([-40.0, 0.0, 1000.0])
    array([4.24835426e-18, 6.93147181e-01, 1.00000000e+03])
    """
    return _call("softplus", (z,), out, where, dtype, threads)


@_public
def logit(
    y: ArrayLike,
    out: Out = None,
    *,
    where: ArrayLike = True,
    dtype: DTypeLike | None = None,
    threads: Threads = None,
) -> Any:
    """Log-odds, log(y / (1 - y)): the inverse of the logistic function.

    Parameters
    ----------
    y : array_like, any shape
        Probabilities.
    %(parameters)s

    Returns
    -------
    ndarray or scalar
        -inf at 0, inf at 1, NaN outside [0, 1].

    Raises
    ------
    %(raises)s

    Notes
    -----
    The odds of t = 1 are y / (1 - y): 1 where both classes are as likely, 3 for y = 3/4, 1/3 for
    y = 1/4.  Their logarithm is 0, log 3 and -log 3: it has no bounds, and its sign changes with
    the classes.  That is why it, and not y, is what a linear model gives; see `sigmoid`.

    1 - y is kept with what float64 rounds away of it.  The quotient is divided by a power of two
    that brings it near 1, whose logarithm is a multiple of log 2; that of the rest, n / d, is
    2 atanh((n - d) / (n + d)), in which n - d is exact.  So z near 0, where y is near 1/2, has all
    its digits.

    %(contract)s

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.logit([0.0, 0.25, 0.5, 1.0, 1.5])
    array([       -inf, -1.09861229,  0.        ,         inf,         nan])
    """
    return _call("logit", (y,), out, where, dtype, threads)


@_public
def logistic_loss(
    z: ArrayLike,
    t: ArrayLike,
    out: Out = None,
    *,
    where: ArrayLike = True,
    dtype: DTypeLike | None = None,
    threads: Threads = None,
) -> Any:
    """Cross-entropy of a target and a logit, ξ = -t log σ(z) - (1 - t) log σ(-z).

    Parameters
    ----------
    z : array_like, any shape
        Logits.
    t : array_like, broadcast against `z`
        Targets in [0, 1]; not checked.
    %(parameters)s

    Returns
    -------
    ndarray or scalar
        At least 0, in nats; inf for an infinite logit on the wrong side, 0 on the right one.

    Raises
    ------
    %(raises)s

    Notes
    -----
    A model that gives t = 1 the probability y = σ(z) gives a label t the probability
    y^t (1 - y)^(1 - t), which is y for t = 1 and 1 - y for t = 0.  The likelihood of n independent
    labels is the product of n of these.  Its logarithm has its maximum at the same place, and is
    a sum: of a product of some thousand probabilities nothing is left in float64, and sums have
    simple derivatives.  The negative logarithm is the loss, -log y or -log(1 - y) of each label;
    for t in between it is the cross-entropy of the distributions (t, 1 - t) and (y, 1 - y), of
    which the smallest, at y = t, is the entropy of t.

    Computed as c |z| + log(1 + e^-|z|), with c = 1 - t for z >= 0 and c = t below: a sum of two
    terms that are never negative, so that nothing cancels (in log(1 + e^z) - t z the two are nearly
    equal for t = 1 and large z).

    %(contract)s
    For t other than 0 and 1 and losses below 1e-290 it is at most 1.2 ULP, as the error of c |z|
    cannot be told there.

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.logistic_loss([40.0, 40.0, 0.0], [1, 0, 0.5])
    array([4.24835426e-18, 4.00000000e+01, 6.93147181e-01])
    """
    return _call("logistic_loss", (z, t), out, where, dtype, threads)


@_public
def residual(
    z: ArrayLike,
    t: ArrayLike,
    out: Out = None,
    *,
    where: ArrayLike = True,
    dtype: DTypeLike | None = None,
    threads: Threads = None,
) -> Any:
    """Derivative of `logistic_loss` by z, ∂ξ/∂z = σ(z) - t.

    Parameters
    ----------
    z : array_like, any shape
        Logits.
    t : array_like, broadcast against `z`
        Targets in [0, 1]; not checked.
    %(parameters)s

    Returns
    -------
    ndarray or scalar
        In [-1, 1].

    Raises
    ------
    %(raises)s

    Notes
    -----
    By the chain rule ∂ξ/∂z = ∂ξ/∂y · ∂y/∂z.  With y = σ(z) the first is (y - t) / (y (1 - y)), see
    `cross_entropy_derivative`, and the second y (1 - y), see `sigmoid_derivative`: the denominator
    goes, and y - t remains.  However wrong a prediction is, its pull on z is at most 1.

    It is computed as (1 - t) σ(z) - t σ(-z), of which for t = 0 and t = 1 one term is left, where
    σ(z) - 1 would have no digits for large z.

    %(contract)s
    For t other than 0 and 1 it is at most 1.1 ULP plus 2**-58 (float32: 2**-38) times
    (1 - t) σ(z) + t σ(-z), which is what cancels near t = σ(z).

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.residual([40.0, 0.0], [1, 0])
    array([-4.24835426e-18,  5.00000000e-01])
    """
    return _call("residual", (z, t), out, where, dtype, threads)


@_public
def cross_entropy(
    y: ArrayLike,
    t: ArrayLike,
    out: Out = None,
    *,
    where: ArrayLike = True,
    dtype: DTypeLike | None = None,
    threads: Threads = None,
) -> Any:
    """Cross-entropy of a target and a probability, ξ = -t log y - (1 - t) log(1 - y).

    Where the logit is at hand, `logistic_loss` knows more: a probability next to 1 has lost the
    digits of its distance from it.

    Parameters
    ----------
    y : array_like, any shape
        Probabilities.
    t : array_like, broadcast against `y`
        Targets in [0, 1]; not checked.
    %(parameters)s

    Returns
    -------
    ndarray or scalar
        At least 0, in nats; NaN for `y` outside [0, 1]; 0 times an infinite logarithm counts as 0.

    Raises
    ------
    %(raises)s

    Notes
    -----
    The negative log-likelihood of a label, as derived for `logistic_loss`.  1 - y, and both
    logarithms, are kept with what float64 rounds away of them; the terms are never negative.

    %(contract)s
    For t other than 0 and 1 and results below 1e-290 it is at most 1.2 ULP.

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.cross_entropy([0.5, 1.0, 1.0], [1, 1, 0])
    array([0.69314718, 0.        ,        inf])
    """
    return _call("cross_entropy", (y, t), out, where, dtype, threads)


@_public
def cross_entropy_derivative(
    y: ArrayLike,
    t: ArrayLike,
    out: Out = None,
    *,
    where: ArrayLike = True,
    dtype: DTypeLike | None = None,
    threads: Threads = None,
) -> Any:
    """Derivative of `cross_entropy` by y, ∂ξ/∂y = (y - t) / (y (1 - y)).

    Parameters
    ----------
    y : array_like, any shape
        Probabilities.
    t : array_like, broadcast against `y`
        Targets in [0, 1]; not checked.
    %(parameters)s

    Returns
    -------
    ndarray or scalar
        Infinite where y is 0 or 1 and t is not; 1 / (1 - y) for t = 0 and -1 / y for t = 1,
        also where y = t; NaN for `y` outside [0, 1].

    Raises
    ------
    %(raises)s

    Notes
    -----
    The terms -t log y and -(1 - t) log(1 - y) have the derivatives -t / y and (1 - t) / (1 - y).
    Over their common denominator that is (-t (1 - y) + (1 - t) y) / (y (1 - y)), and in the
    numerator t y goes: y - t remains.  It has no bound where y is certain and wrong; by z it has,
    see `residual`.

    y - t, 1 - y and the product are kept with what float64 rounds away of them.

    %(contract)s

    Examples
    --------
    >>> import fastlogit as fl
    >>> fl.cross_entropy_derivative([0.0, 0.0, 0.5], [0, 1, 1])
    array([  1., -inf,  -2.])
    """
    return _call("cross_entropy_derivative", (y, t), out, where, dtype, threads)


def _call(
    name: str,
    args: tuple[Any, ...],
    out: Out,
    where: Any,
    dtype: DTypeLike | None,
    threads: Threads,
) -> Any:
    if dtype is not None:
        _check_dtype(dtype)
    if where is not True:
        where = _checked_where(where)
    if not (out is None or type(out) is np.ndarray):
        _check_out(out)
    if out is None and dtype is None and _gives_float16(args):
        with np.errstate(all="ignore"):  # infinite, or subnormal, only in float16
            return _call(name, args, None, where, np.float32, threads).astype(np.float16)
    function = ufunc(name)
    count = _threads.resolve(threads) if threads is not None else None
    if where is True and type(args[0]) is np.ndarray and args[0].size >= _FEW:
        return _call_in_parts(function, args, out, dtype, count or _threads.resolve(None))
    return _call_once(function, args, out, where, dtype)


def _gives_float16(args: tuple[Any, ...]) -> bool:
    """Whether a function of NumPy would give float16 for these."""
    dtypes: list[Any] = []
    for arg in args:
        dtype = getattr(arg, "dtype", None)
        if dtype is None and hasattr(arg, "__array_ufunc__"):
            return False  # another library's, which knows what to do
        if dtype is not None and not (isinstance(dtype, np.dtype) and dtype.itemsize <= 2):
            return False
        dtypes.append(dtype)
    alone = dtypes.count(None) == len(args)  # no array to which a number could adapt
    like = np.exp if len(args) == 1 else np.logaddexp
    try:
        for i, arg in enumerate(args):
            if dtypes[i] is None:
                adapts = type(arg) in (int, float) and not alone
                dtypes[i] = type(arg) if adapts else np.asarray(arg).dtype
        return bool(like.resolve_dtypes((*dtypes, None))[-1] == np.float16)
    except (TypeError, ValueError):  # what it is that is wrong is said later on
        return False


def _call_once(
    function: np.ufunc, args: tuple[Any, ...], out: Out, where: Any, dtype: DTypeLike | None
) -> Any:
    options: dict[str, Any] = {}  # those that are given: other libraries look at what is there
    if out is not None:
        options["out"] = out
    if where is not True:
        options["where"] = where
    if dtype is not None:
        options["dtype"] = dtype
    try:
        return function(*args, **options)
    except (TypeError, ValueError, OverflowError):
        _check(function, args, out, where)
        raise


def _call_in_parts(
    function: np.ufunc, args: tuple[Any, ...], out: Out, dtype: DTypeLike | None, threads: int
) -> Any:
    """Call a ufunc on parts of its arguments, cut along the longest axis, on several threads."""
    simple = all(type(arg) is np.ndarray or np.isscalar(arg) for arg in args)
    if threads == 1 or not simple or not (out is None or type(out) is np.ndarray):
        return _call_once(function, args, out, True, dtype)
    try:
        shape = np.broadcast_shapes(*(np.shape(arg) for arg in args))
        kinds = [arg.dtype if isinstance(arg, np.ndarray) else type(arg) for arg in args]
        result = np.dtype(dtype) if dtype else function.resolve_dtypes((*kinds, None))[-1]
    except (TypeError, ValueError):
        return _call_once(function, args, out, True, dtype)  # which has the better message
    if 0 in shape:
        return _call_once(function, args, out, True, dtype)
    if out is None:
        same = args[0].shape == shape
        out = np.empty_like(args[0], dtype=result) if same else np.empty(shape, result)
    elif (
        out.shape != shape
        or out.dtype.kind not in _HOLDING
        or not out.flags.writeable
        or any(_may_clash(out, arg) for arg in args)
    ):
        return _call_once(function, args, out, True, dtype)

    axis = int(np.argmax(shape))
    rows = out.size // shape[axis]
    slices = checks.parts(shape[axis], max(1, checks.PART // rows), _PARTS_PER_THREAD * threads)
    whole = [np.broadcast_to(arg, shape) if np.ndim(arg) else arg for arg in args]

    def task(part: int) -> None:
        where = (slice(None),) * axis + (slices[part],)
        pieces = [arg[where] if np.ndim(arg) else arg for arg in whole]
        function(*pieces, out=out[where], dtype=dtype)

    _threads.run(task, len(slices), threads)
    return out


def _may_clash(out: NDArray[Any], arg: Any) -> bool:
    if not isinstance(arg, np.ndarray):
        return False
    try:
        checks.separate(out, arg=arg)
    except ValueError:
        return True
    return False


def _check_dtype(dtype: DTypeLike) -> None:
    with suppress(TypeError, ValueError, SyntaxError):  # which it raises for what it does not know
        if np.dtype(dtype) in (np.float32, np.float64):
            return
    raise TypeError(f"dtype must be float32 or float64; got {dtype!r}")


def _checked_where(where: Any) -> Any:
    """`where` as an array of bool."""
    try:
        array = np.asarray(where)
    except (TypeError, ValueError):
        array = np.empty(0, object)
    if array.dtype != np.bool_:
        got = f"dtype {array.dtype}" if array.ndim else checks.shown(where)
        raise TypeError(f"where must be True, False or an array of these; got {got}")
    return array


def _check_out(out: Any) -> None:
    """Check that `out` is an array, or the only one in a tuple; other libraries' have a shape."""
    (array,) = out if isinstance(out, tuple) and len(out) == 1 else (out,)
    if not (hasattr(array, "__array_ufunc__") and hasattr(array, "shape")):
        raise TypeError(f"out must be an array; got {type(out).__name__}")


def _check(function: np.ufunc, args: tuple[Any, ...], out: Any, where: Any) -> None:
    """Raise the error that names the argument, where it is one of types or shapes."""
    names = ARGUMENTS[function.__name__]
    for name, arg in zip(names, args, strict=True):
        try:
            dtype = np.asarray(arg).dtype
        except ValueError:
            raise ValueError(f"{name} must have rows of the same length") from None
        if dtype.kind not in "buif":
            raise TypeError(f"{name} must hold real numbers; got dtype {dtype}") from None
        if dtype.itemsize > 8:
            raise TypeError(
                f"{name} must hold numbers of at most 64 bits; got {dtype} (.astype(np.float64) "
                "converts)"
            ) from None
    shapes = [np.shape(arg) for arg in args]
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        raise ValueError(
            f"{' and '.join(names)} must have shapes that can be broadcast together; got "
            f"{' and '.join(map(str, shapes))}"
        ) from None
    try:
        shape = np.broadcast_shapes(shape, np.shape(where))
    except ValueError:
        raise ValueError(
            f"where must have a shape that can be broadcast to {shape}; got {np.shape(where)}"
        ) from None
    out = out[0] if isinstance(out, tuple) else out
    if not isinstance(out, np.ndarray):
        return
    if out.dtype.kind not in _HOLDING:
        raise TypeError(f"out must be float64, float32 or float16; got dtype {out.dtype}") from None
    if not out.flags.writeable:
        raise ValueError("out must be writeable; it is read-only") from None
    if out.shape[out.ndim - len(shape) :] != shape:
        raise ValueError(f"out must have shape {shape}; got {out.shape}") from None
