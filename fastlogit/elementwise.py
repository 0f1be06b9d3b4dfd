"""The elementwise functions: NumPy ufuncs, on several threads.

:mod:`fastlogit.kernels.functions` lists them, and this module makes a public function of each line.
They accept and return what a NumPy ufunc does: scalars for scalars, arrays for arrays, with
broadcasting.  The dtype of the result is

* float64 for float64 and for integers of 32 and 64 bits,
* float32 for float32 and for integers of 16 bits,
* float16 (computed in float32) for float16, integers of 8 bits and bool,
* the widest of these for several arguments.

Numbers in foreign byte order are read by value, masked arrays keep their mask, and arrays of other
libraries are passed on through ``__array_ufunc__``.

All functions share this contract:

* No input raises a floating-point warning, unless NumPy has to cast it, or the result, to a type
  that is too small for it.  NaN gives NaN; infinities give the limit.
* The result of an element depends on that element alone: not on its position, on strides, on the
  length of the array or on the number of threads.
* The error has a bound in units in the last place (ULP), in the far tails as elsewhere.  The
  docstring of each function states it.  The bounds are the largest errors seen against
  multi-precision arithmetic, over adversarial points and sweeps of all exponents, plus a margin;
  ``tests/test_elementwise.py`` checks them.
* A dtype that is not real (complex, object, text) raises a TypeError that names the argument.

The formulas, and why they lose no digits, are in :mod:`fastlogit.kernels.logistic`.
"""

from __future__ import annotations

import textwrap
from contextlib import suppress
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
from numpy import ndarray  # one lookup less in each call

from fastlogit.core import checks
from fastlogit.core import threads as _threads
from fastlogit.core.threads import is_count
from fastlogit.kernels import functions  # noqa: F401  its import fills FUNCTIONS
from fastlogit.kernels.elementwise import FUNCTIONS, Function, renamed
from fastlogit.kernels.ufuncs import addresses, ufunc

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from fastlogit.kernels.functions import *  # noqa: F403

    Out = NDArray[Any] | None
    Threads = SupportsIndex | None

__all__ = sorted(FUNCTIONS)

# With fewer elements a second thread does not pay.  With this number of float64, the sigmoid is 1.5
# times as fast on two threads, and 1.1 times if the second thread was asleep.  float32 takes half
# the time.
_FEW = 2 * _threads.PART
_FEW_BYTES = 8 * _FEW
# Kinds of dtypes that can hold a result.
_HOLDING = "fcO"
# Enough parts that the other threads take over the share of one that is held up.  A part costs some
# 10 µs.
_PARTS_PER_THREAD = 8
# Types of single numbers for which NumPy's functions do not return float16.
_NUMBERS = float, np.float64, np.float32


# The public functions ---------------------------------------------------------------------


def _public(line: Function) -> Callable[..., Any]:
    """Return the public function of a line of the table.

    A call with few elements, and no option but `out` and `threads`, goes straight to the ufunc.
    One function for any number of arguments (``*args``) would make it slower, so there are two.
    """
    name = line.name
    compute: Callable[..., Any]

    def first_call(*args: Any) -> Any:
        nonlocal compute
        compute = ufunc(name)
        return compute(*args)

    compute = first_call

    def unary(
        z: ArrayLike,
        out: Out = None,
        *,
        where: ArrayLike = True,
        dtype: DTypeLike | None = None,
        threads: Threads = None,
    ) -> Any:
        if where is True and dtype is None and (threads is None or is_count(threads)):
            with_out = type(out) is ndarray
            try:
                if type(z) is ndarray and z.nbytes < _FEW_BYTES and z.itemsize > 2:
                    if with_out or out is None:
                        return compute(z, out) if with_out else compute(z)
                elif type(z) in _NUMBERS and out is None:
                    return compute(z)
            except (TypeError, ValueError, OverflowError):
                pass  # the general way finds a better message
        return _call(name, (z,), out, where, dtype, threads)

    def binary(
        z: ArrayLike,
        t: ArrayLike,
        out: Out = None,
        *,
        where: ArrayLike = True,
        dtype: DTypeLike | None = None,
        threads: Threads = None,
    ) -> Any:
        if where is True and dtype is None and (threads is None or is_count(threads)):
            with_out = type(out) is ndarray
            try:
                if type(z) is ndarray and z.nbytes < _FEW_BYTES and z.itemsize > 2:
                    if with_out or out is None:
                        return compute(z, t, out) if with_out else compute(z, t)
                elif type(z) in _NUMBERS and type(t) in (*_NUMBERS, int) and out is None:
                    return compute(z, t)
            except (TypeError, ValueError, OverflowError):
                pass
        return _call(name, (z, t), out, where, dtype, threads)

    function = unary if len(line.arguments) == 1 else binary
    return _named(function, line)


def _named(function: Callable[..., Any], line: Function) -> Callable[..., Any]:
    """Give a function the names, the annotations and the docstring of a line of the table.

    The code is replaced so that callers can pass the arguments by their names, as in
    ``logit(y=0.5)``.  The function stays the same, with its closure.
    """
    code = renamed(function.__code__, line.name, line.arguments)
    function.__code__ = code
    function.__name__ = function.__qualname__ = line.name
    options = {name: function.__annotations__[name] for name in _OPTIONS}
    function.__annotations__ = dict.fromkeys(line.arguments, "ArrayLike") | options
    function.__doc__ = _docstring(line) if line.summary else None  # python -OO strips docstrings
    return function


_OPTIONS = "out", "where", "dtype", "threads", "return"
_PARAMETERS = {
    "z": "z : array_like, any shape\n    Logits.",
    "y": "y : array_like, any shape\n    Probabilities.",
    "t": "t : array_like, broadcast against `{first}`\n    Targets in [0, 1]; not checked.",
}
_DOCSTRING = """{summary}

Parameters
----------
{parameters}
out : ndarray, optional
    Array for the result; it may be an input.
where : array_like of bool, optional
    Elements to compute.  Where it is False, `out` keeps its element.
dtype : dtype, optional
    Type to compute in, float32 or float64.
threads : int, optional
    Maximum number of threads; default: all cores that the process may use.  A call with `where`, or
    whose first argument is not an ndarray, uses one thread.

Returns
-------
ndarray or scalar
{returns}

Raises
------
TypeError, ValueError
    If an argument does not hold real numbers of at most 64 bits, or has a shape that does not fit
    the others.  The message names the argument.

Notes
-----
{derivation}

The result is float64, float32 or float16, as from NumPy's own functions.  NaN gives NaN, and no
number raises a warning.  :mod:`fastlogit.kernels.logistic` has the algorithm and its sources.

{error} is at most {float64} ULP (units in the last place) in float64,
{subnormal} ULP where the result is subnormal, and {float32} ULP in float32.{accuracy}

Examples
--------
>>> import fastlogit as fl
{examples}"""
# Largest error of a subnormal float64, which is rounded twice.
_SUBNORMAL_ULP = 0.8


def _docstring(line: Function) -> str:
    first, *_ = line.arguments
    parameters = [_PARAMETERS[name].format(first=first) for name in line.arguments]
    return _DOCSTRING.format(
        summary=line.summary,
        parameters="\n".join(parameters),
        returns=textwrap.indent(line.returns, "    "),
        derivation=line.derivation,
        error="For targets 0 and 1 the error" if line.accuracy else "The error",
        subnormal=_SUBNORMAL_ULP,
        accuracy=line.accuracy and f"\n{line.accuracy}",
        examples=line.examples,
        **line.max_ulp,
    )


if not TYPE_CHECKING:
    globals().update({name: _public(line) for name, line in FUNCTIONS.items()})


# Calls --------------------------------------------------------------------------------------


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
        with np.errstate(all="ignore"):  # the result may be infinite or subnormal in float16 alone
            return _call(name, args, None, where, np.float32, threads).astype(np.float16)
    function = ufunc(name)
    count = _threads.resolve(threads) if threads is not None else None
    if where is True and type(args[0]) is np.ndarray and args[0].size >= _FEW:
        return _call_in_parts(function, args, out, dtype, count or _threads.resolve(None))
    return _call_once(function, args, out, where, dtype)


def _gives_float16(args: tuple[Any, ...]) -> bool:
    """Whether a function of NumPy would return float16 for these arguments."""
    dtypes: list[Any] = []
    for arg in args:
        dtype = getattr(arg, "dtype", None)
        if dtype is None and hasattr(arg, "__array_ufunc__"):
            return False  # an array of another library, which decides itself
        if dtype is not None and not (isinstance(dtype, np.dtype) and dtype.itemsize <= 2):
            return False
        dtypes.append(dtype)
    alone = dtypes.count(None) == len(args)  # there is no array to which a number could adapt
    like = np.exp if len(args) == 1 else np.logaddexp
    try:
        for i, arg in enumerate(args):
            if dtypes[i] is None:
                adapts = type(arg) in (int, float) and not alone
                dtypes[i] = type(arg) if adapts else np.asarray(arg).dtype
        return bool(like.resolve_dtypes((*dtypes, None))[-1] == np.float16)
    except (TypeError, ValueError):  # `_check` reports what is wrong
        return False


def _call_once(
    function: np.ufunc, args: tuple[Any, ...], out: Out, where: Any, dtype: DTypeLike | None
) -> Any:
    options: dict[str, Any] = {}  # only those that the caller gave: other libraries look at them
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
    """Call a ufunc on several threads.

    They share one loop if it can go over the arrays as they are.  Otherwise they call the ufunc on
    parts of the arguments along the longest axis.
    """
    arrays = args if out is None else (*args, out)
    if threads > 1 and dtype is None and (loop := _loop(function, arrays)):
        target = np.empty_like(args[0]) if out is None else out
        if out is None or (out.flags.writeable and not any(_may_clash(out, arg) for arg in args)):
            _threads.run_loop(loop, (*args, target), threads)
            return target
    simple = all(type(arg) is np.ndarray or np.isscalar(arg) for arg in args)
    if threads == 1 or not simple or not (out is None or type(out) is np.ndarray):
        return _call_once(function, args, out, True, dtype)
    try:
        shape = np.broadcast_shapes(*(np.shape(arg) for arg in args))
        kinds = [arg.dtype if isinstance(arg, np.ndarray) else type(arg) for arg in args]
        result = np.dtype(dtype) if dtype else function.resolve_dtypes((*kinds, None))[-1]
    except (TypeError, ValueError):
        return _call_once(function, args, out, True, dtype)  # it has the better message
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
    elements_per_index = out.size // shape[axis]
    smallest = max(1, _threads.PART // elements_per_index)
    slices = _threads.parts(shape[axis], smallest, _PARTS_PER_THREAD * threads)
    whole = [np.broadcast_to(arg, shape) if np.ndim(arg) else arg for arg in args]

    def task(part: int) -> None:
        here = (slice(None),) * axis + (slices[part],)
        inputs = [arg[here] if np.ndim(arg) else arg for arg in whole]
        function(*inputs, out=out[here], dtype=dtype)

    _threads.run(task, len(slices), threads)
    return out


def _loop(function: np.ufunc, arrays: tuple[Any, ...]) -> int:
    """Address of the inner loop that can go over all arrays in one call, without a cast, or 0."""
    first = arrays[0]
    for array in arrays:
        if not (
            type(array) is ndarray
            and array.dtype == first.dtype
            and array.shape == first.shape
            and array.flags.aligned
            and (array.ndim == 1 or array.flags.c_contiguous)
        ):
            return 0
    return addresses.get((function.__name__, first.dtype), 0)


def _may_clash(out: NDArray[Any], arg: Any) -> bool:
    if not isinstance(arg, np.ndarray):
        return False
    try:
        checks.separate(out, arg=arg)
    except ValueError:
        return True
    return False


def _check_dtype(dtype: DTypeLike) -> None:
    with suppress(TypeError, ValueError, SyntaxError):  # NumPy raises each of them for some values
        if np.dtype(dtype) in (np.float32, np.float64):
            return
    raise TypeError(f"dtype must be float32 or float64; got {dtype!r}")


def _checked_where(where: Any) -> Any:
    """Return `where` as an array of bool."""
    try:
        array = np.asarray(where)
    except (TypeError, ValueError):
        array = np.empty(0, object)
    if array.dtype != np.bool_:
        got = f"dtype {array.dtype}" if array.ndim else checks.shown(where)
        raise TypeError(f"where must be True, False or an array of these; got {got}")
    return array


def _check_out(out: Any) -> None:
    """Check that `out` is an array of any library, or a tuple of one."""
    (array,) = out if isinstance(out, tuple) and len(out) == 1 else (out,)
    if not (hasattr(array, "__array_ufunc__") and hasattr(array, "shape")):
        raise TypeError(f"out must be an array; got {type(out).__name__}")


def _check(function: np.ufunc, args: tuple[Any, ...], out: Any, where: Any) -> None:
    """Raise an error that names the argument, if a type or a shape is wrong."""
    names = FUNCTIONS[function.__name__].arguments
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
