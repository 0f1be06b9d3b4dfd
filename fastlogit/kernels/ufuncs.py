"""NumPy ufuncs of the elementwise functions, in float32 and float64.

Each ufunc is made at its first use, from inner loops of our own.  ``numba.vectorize`` would not do
(as of 0.68):

* its loop ignores the stride of the output, so ``f(z, out=table[:, 0])`` writes to other columns;
* it compiles in every process;
* it leaves floating-point flags set, which NumPy turns into warnings.

Our loops are kept in the cache on disk, and clear the flags when they end.  A loop reads and writes
contiguous arrays directly.  Otherwise (strides, broadcasting, output on top of input) it copies
through a small contiguous buffer, so that the computation is always vectorised.
"""

from __future__ import annotations

import ctypes
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import carray, types

from fastlogit.kernels import jit
from fastlogit.kernels.elementwise import FUNCTIONS, specialised
from fastlogit.kernels.ieee import clear_flags, shifted

if TYPE_CHECKING:
    from collections.abc import Callable

# Elements of a buffer: three buffers are an eighth of the first cache.
_BUFFER = 256

# Inner loops ------------------------------------------------------------------------------

# Each copy of the two loops has its own.
kernel: Any = None
wide_vectors: Any = None


def _unary_loop(args: Any, dimensions: Any, steps: Any, data: Any) -> None:
    wide_vectors(args[0])
    _unary(kernel, args, dimensions, steps)


def _binary_loop(args: Any, dimensions: Any, steps: Any, data: Any) -> None:
    wide_vectors(args[0])
    _binary(kernel, args, dimensions, steps)


@jit.scalar
def _unary(function: Any, args: Any, dimensions: Any, steps: Any) -> None:
    n = dimensions[0]
    source, target = args[0], args[1]
    z, out = carray(source, (n,)), carray(target, (n,))
    size = z.itemsize
    contiguous = steps[0] == size and steps[1] == size
    if contiguous and z.ctypes.data != out.ctypes.data:
        for i in range(n):
            out[i] = function(z[i])
        jit.interleaved()
    else:
        inputs, outputs = np.empty(_BUFFER, z.dtype), np.empty(_BUFFER, z.dtype)
        for first in range(0, n, _BUFFER):
            count = min(_BUFFER, n - first)
            _copy_in(source, steps[0], first, count, inputs)
            for i in range(count):
                outputs[i] = function(inputs[i])
            _copy_out(outputs, first, count, target, steps[1])
    clear_flags()


@jit.scalar
def _binary(function: Any, args: Any, dimensions: Any, steps: Any) -> None:
    n = dimensions[0]
    left, right, target = args[0], args[1], args[2]
    z, t, out = carray(left, (n,)), carray(right, (n,)), carray(target, (n,))
    size = z.itemsize
    contiguous = steps[0] == size and steps[1] == size and steps[2] == size
    at = out.ctypes.data
    if contiguous and z.ctypes.data != at and t.ctypes.data != at:
        for i in range(n):
            out[i] = function(z[i], t[i])
        jit.interleaved()
    else:
        lefts, rights = np.empty(_BUFFER, z.dtype), np.empty(_BUFFER, z.dtype)
        outputs = np.empty(_BUFFER, z.dtype)
        for first in range(0, n, _BUFFER):
            count = min(_BUFFER, n - first)
            _copy_in(left, steps[0], first, count, lefts)
            _copy_in(right, steps[1], first, count, rights)
            for i in range(count):
                outputs[i] = function(lefts[i], rights[i])
            _copy_out(outputs, first, count, target, steps[2])
    clear_flags()


@jit.scalar
def _copy_in(source: Any, step: int, first: int, count: int, buffer: Any) -> None:
    for i in range(count):
        buffer[i] = shifted(source, (first + i) * step)[0]


@jit.scalar
def _copy_out(buffer: Any, first: int, count: int, target: Any, step: int) -> None:
    for i in range(count):
        shifted(target, (first + i) * step)[0] = buffer[i]


# Ufuncs -----------------------------------------------------------------------------------

# Inner loops of the ufuncs that were made, by name and dtype.
addresses: dict[tuple[str, np.dtype[Any]], int] = {}


@cache
def ufunc(name: str) -> np.ufunc:
    """Return the ufunc of a function of the table; the first call compiles or loads its loops."""
    function = FUNCTIONS[name]
    inputs = len(function.arguments)
    template = _unary_loop if inputs == 1 else _binary_loop
    wide = jit.wide_float32_vectors if function.float32_arithmetic else jit.wide_vectors
    loop = specialised(template, name, kernel=function.kernel, wide_vectors=wide)
    # float32 first: NumPy takes the first loop that the input can be cast to safely.
    loops = [jit.c_function(loop, _signature(dtype)) for dtype in (types.float32, types.float64)]
    dtypes: list[np.dtype[Any]] = [np.dtype(np.float32), np.dtype(np.float64)]
    for dtype, compiled in zip(dtypes, loops, strict=True):
        addresses[name, dtype] = compiled.address
    return _from_loops(name, inputs, loops, dtypes)


def __getattr__(name: str) -> np.ufunc:
    """Return the ufunc with this name: pickle looks a ufunc up by name."""
    if name in FUNCTIONS:
        return ufunc(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _signature(dtype: Any) -> Any:
    """Return the C type of an inner loop, ``PyUFuncGenericFunction``."""
    sizes = types.CPointer(types.intp)
    return types.void(types.CPointer(types.CPointer(dtype)), sizes, sizes, types.voidptr)


# A ufunc lives as long as the process, and what it points to must live as long.
_kept: list[Any] = []


def _from_loops(name: str, inputs: int, loops: list[Any], dtypes: list[Any]) -> np.ufunc:
    """Call ``PyUFunc_FromFuncAndData`` of NumPy's C interface."""
    pointers = (ctypes.c_void_p * len(loops))(*(loop.address for loop in loops))
    data = (ctypes.c_void_p * len(loops))()
    numbers = bytes(np.dtype(dtype).num for dtype in dtypes for _ in range(inputs + 1))
    label, documentation = name.encode(), f"See fastlogit.{name}.".encode()
    _kept.append((loops, pointers, data, numbers, label, documentation))
    no_identity = -1
    made: np.ufunc = _ufunc_interface()(
        pointers, data, numbers, len(loops), inputs, 1, no_identity, label, documentation, 0
    )
    return made


@cache
def _ufunc_interface() -> Callable[..., np.ufunc]:
    umath = import_module("numpy._core._multiarray_umath")  # where NumPy's own headers look
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    table = ctypes.cast(get_pointer(umath._UFUNC_API, None), ctypes.POINTER(ctypes.c_void_p))
    prototype = ctypes.PYFUNCTYPE(
        ctypes.py_object,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_char_p,
        *[ctypes.c_int] * 4,
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_int,
    )
    function: Callable[..., np.ufunc] = prototype(table[1])  # the slot is part of NumPy's ABI
    return function
