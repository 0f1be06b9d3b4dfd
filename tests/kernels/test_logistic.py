"""The kernels as users call them, from compiled code of their own.

A user's loop vectorises, keeps float32, and gives the same bits for all compile options.  The tests
of accuracy are in tests/test_elementwise.py.
"""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys

import llvmlite.binding
import mpmath
import numba
import numpy as np
import pytest
from numba import types

from fastlogit import kernels
from fastlogit.core.ulp import ulp, ulp_error
from fastlogit.kernels import logistic
from fastlogit.kernels.elementwise import FUNCTIONS
from fastlogit.kernels.ufuncs import ufunc
from tests.references.multiprecision import (
    PRECISION,
    adversarial,
    digest,
    logistic_loss,
    residual,
    same_bits,
    sigmoid,
    sigmoid_derivative,
)

NAMES = sorted(FUNCTIONS)
FUSED = llvmlite.binding.get_host_cpu_features().get("fma", False)


def user_loop(function, inputs: int):
    """A loop as a user would write it."""
    if inputs == 1:

        def loop(z, out):
            for i in range(z.size):
                out[i] = function(z[i])
    else:

        def loop(z, t, out):
            for i in range(z.size):
                out[i] = function(z[i], t[i])

    return loop


def compiled(name: str, **options):
    return numba.njit(**options)(user_loop(getattr(kernels, name), len(FUNCTIONS[name].arguments)))


def points(name: str, dtype=np.float64) -> list[np.ndarray]:
    return adversarial(FUNCTIONS[name].arguments, dtype, special=True)


# Types ------------------------------------------------------------------------------------


def returned(function, *arguments):
    """Type of the result of a caller's ``function(*arguments)``."""
    caller = numba.njit(lambda *args: function(*args))
    caller.compile((types.StarArgTuple(arguments),))
    return caller.nopython_signatures[0].return_type


@pytest.mark.parametrize("name", [name for name in NAMES if len(FUNCTIONS[name].arguments) == 1])
def test_float32_stays_float32_inside_compiled_code(name):
    function = getattr(kernels, name)
    assert returned(function, types.float32) == types.float32
    assert returned(function, types.float64) == types.float64
    assert returned(function, types.int64) == types.float64


@pytest.mark.parametrize("name", [name for name in NAMES if len(FUNCTIONS[name].arguments) == 2])
def test_float32_stays_float32_with_labels_and_float32_targets_alone(name):
    function = getattr(kernels, name)
    for other in (types.float32, types.int64, types.uint8, types.boolean):
        assert returned(function, types.float32, other) == types.float32
    assert returned(function, types.float32, types.float64) == types.float64
    assert returned(function, types.float64, types.float32) == types.float64
    assert returned(function, types.float64, types.boolean) == types.float64


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_users_loop_gives_the_bits_of_the_array_function(name, dtype):
    args = points(name, dtype)
    out = np.empty_like(args[0])
    compiled(name)(*args, out)
    assert same_bits(out, ufunc(name)(*args))


def test_they_can_be_called_from_the_interpreter():
    assert kernels.sigmoid(0.0) == 0.5
    assert kernels.logistic_loss(40.0, 1) == 4.248354255291589e-18
    assert math.isnan(kernels.softplus(math.nan))


def test_labels_may_be_integers_or_bools():
    loop = compiled("logistic_loss")
    z, out = np.array([40.0, -1.5]), np.empty(2)
    for dtype in (np.int8, np.uint8, np.int64, np.bool_):
        loop(z, np.array([1, 0], dtype), out)
        assert (out == ufunc("logistic_loss")(z, [1.0, 0.0])).all()


def every_kernel():
    """A new compiled function from a number to the results of all kernels."""
    calls = [f"{name}({', '.join('v' * len(FUNCTIONS[name].arguments))})" for name in NAMES]
    return numba.njit(eval(f"lambda v: ({', '.join(calls)})", vars(kernels)))


@pytest.mark.parametrize(
    "dtype", [types.float64, types.float32, types.int64, types.boolean], ids=str
)
def test_optional_numbers_give_what_the_numbers_give(dtype):
    optional, plain = every_kernel(), every_kernel()
    optional.compile((types.Optional(dtype),))
    optional.disable_compile()  # or it would be compiled for the number
    one = np.dtype(str(dtype)).type(1)
    expected = plain(one)
    assert len(expected) == len(NAMES)
    assert same_bits(optional(one), expected)
    (result,) = plain.nopython_signatures
    (taken,) = optional.nopython_signatures
    assert taken.args == (types.Optional(dtype),)
    assert taken.return_type == result.return_type


def test_the_values_of_a_dict_may_be_looked_up():
    @numba.njit
    def look_up(table, key):
        value = table.get(key)
        return None if value is None else kernels.sigmoid(value)

    table = numba.typed.Dict.empty(types.int64, types.float64)
    table[0] = 1.0
    assert look_up(table, 0) == kernels.sigmoid(1.0)
    assert look_up(table, 1) is None


def test_none_is_no_number():
    table = numba.typed.Dict.empty(types.int64, types.float64)
    get = numba.njit(lambda table: kernels.sigmoid(table.get(0)))
    with pytest.raises(TypeError, match="expected float64, got None"):
        get(table)
    for wrong in (None, "a", 1j):
        with pytest.raises(numba.TypingError):
            kernels.sigmoid(wrong)


IN_OTHER_DECORATORS = """
import re
import numba
import numpy as np
from fastlogit import kernels
from tests.references.multiprecision import digest
from tests.kernels.test_logistic import NAMES, check_flags, points

for name in NAMES:
    function, args = getattr(kernels, name), points(name)
    if len(args) == 1:
        args.append(args[0])  # the function ignores it
        element = lambda z, t: function(z)
    else:
        element = lambda z, t: function(z, t)
    element = numba.njit(element)
    signatures = [f"{dtype}({dtype}, {dtype})" for dtype in ("float32", "float64")]
    universal = numba.vectorize(signatures)(lambda z, t: element(z, t))
    vectorized = universal(*args)
    for dtype in ("float32", "float64"):
        check_flags(universal, name, dtype)

    def loop(z, t, out):
        for i in range(z.shape[0]):
            out[i] = element(z[i], t[i])

    def parallel_loop(z, t, out):
        for i in numba.prange(z.shape[0]):
            out[i] = element(z[i], t[i])

    signature = ["void(float64[:], float64[:], float64[:])"]
    generalised = numba.guvectorize(signature, "(n),(n)->(n)")(loop)(*args)
    parallel = np.empty_like(args[0])
    inlined = numba.njit(parallel=True)(parallel_loop)
    inlined(*args, parallel)
    (assembly,) = inlined.inspect_asm().values()
    assert not re.search("(call|jmp|movabs).*fastlogit", assembly)
    print(name, digest(vectorized), digest(generalised), digest(parallel))
"""


def check_flags(function, name, dtype) -> None:
    """Call a user's ufunc; a floating-point flag that is not documented raises an error."""
    args = points(name, dtype)
    args = args if len(args) == 2 else (args[0], args[0])
    arguments = FUNCTIONS[name].arguments
    takes_probability = arguments[0] == "y"
    too_large = np.isinf(function(*args)) & np.isfinite(args[0])
    kept = ~(np.isnan(args[0]) | np.isnan(args[1]) | too_large)
    if "t" in arguments:
        kept &= (args[1] >= 0) & (args[1] <= 1)
    if takes_probability:
        kept &= (args[0] > 0) & (args[0] < 1)
    args = [arg[kept] for arg in args]
    assert args[0].size
    assert takes_probability or np.isinf(args[0]).any()
    with np.errstate(all="raise", under="ignore"):
        function(*args)
        for point in zip(*args, strict=True):
            function(*(np.full(1, value) for value in point))
            function(*(np.full(32, value) for value in point))


def test_they_work_in_vectorize_guvectorize_and_a_parallel_loop(request):
    # In a process of its own, because Numba's threads do not survive another test's fork.
    code = f"import sys; sys.path.append({str(request.path.parents[2])!r})\n{IN_OTHER_DECORATORS}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert {name for name, *_ in lines} == set(NAMES)
    for name, *results in lines:
        assert results == [digest(ufunc(name)(*points(name)))] * 3, name


# Compile options of the caller ------------------------------------------------------------

OPTIONS = [{"fastmath": True}, {"error_model": "python", "boundscheck": True}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_no_option_of_the_caller_changes_a_bit(options):
    for name in NAMES:
        args = points(name)
        out = np.empty_like(args[0])
        compiled(name, **options)(*args, out)
        assert same_bits(out, ufunc(name)(*args)), name


FIRST_TO_COMPILE = """
import numpy as np
from tests.references.multiprecision import digest
from tests.kernels.test_logistic import compiled, points
for name in names:
    args = points(name)
    out = np.empty_like(args[0])
    compiled(name, **options)(*args, out)
    print(name, digest(out))
"""
SOME = ["sigmoid", "logistic_loss"]
ALONE = [{"fastmath": True}]
TOGETHER = {"fastmath": True, "error_model": "python", "boundscheck": True, "nogil": False}


@pytest.mark.parametrize(
    ("names", "options"), [(NAMES, TOGETHER), *((SOME, options) for options in ALONE)]
)
def test_nor_does_an_option_of_the_first_caller_to_compile_them(names, options, tmp_path, request):
    # The options of a caller could spread into kernels that are compiled for it.  In a process of
    # its own, with an empty cache, it is the first caller.
    code = (
        f"import sys; sys.path.append({str(request.path.parents[2])!r})\n"
        f"names, options = {names}, {options}\n{FIRST_TO_COMPILE}"
    )
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    lines = dict(line.split() for line in done.stdout.splitlines())
    assert lines.keys() == set(names)
    for name in names:
        assert lines[name] == digest(ufunc(name)(*points(name))), name


def test_those_options_do_change_unprotected_functions():
    # A control for the two tests above: fastmath deletes the rounding error of a sum.
    def rounding_error(a, b):
        total = a + b
        part = total - a
        return (a - (total - part)) + (b - part)

    exact = numba.njit(rounding_error)(1.0, 2.0**-60)
    assert exact == 2.0**-60
    assert numba.njit(fastmath=True)(rounding_error)(1.0, 2.0**-60) != exact


# Assembly ---------------------------------------------------------------------------------


def assembly(function, inputs: int, dtype) -> str:
    loop = numba.njit(user_loop(function, inputs))
    loop.compile((dtype[::1],) * (inputs + 1))
    (text,) = loop.inspect_asm().values()
    return text


def foreign_calls(text: str) -> set[str]:
    """Functions outside the loop that its code refers to, except Numba's own runtime.

    x86: ``movabsq $exp, %rax`` and ``callq *%rax``, or ``callq exp``.
    """
    symbols = set(re.findall(r"movabsq\s+\$\"?([A-Za-z_][\w.$]*)", text))
    symbols |= set(re.findall(r"(?:callq?|jmp)\s+\"?([A-Za-z_][\w.$]*)", text))
    return {symbol for symbol in symbols if not symbol.startswith(("NRT_", "Py", "_Py", "_ZN"))}


def packed(text: str) -> set[str]:
    """Fused multiply-adds on whole vectors."""
    return set(re.findall(r"(vfn?m(?:add|sub)\d+p[sd])\s[^\n]*%[yz]mm", text))


x86_with_fma = pytest.mark.skipif(
    not FUSED, reason="reads x86 assembly of a processor with fused multiply-add"
)


@x86_with_fma
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [types.float64, types.float32], ids=str)
def test_a_users_loop_is_vectorised_and_calls_no_library(name, dtype):
    text = assembly(getattr(kernels, name), len(FUNCTIONS[name].arguments), dtype)
    assert packed(text)
    assert foreign_calls(text) == set()


@x86_with_fma
@pytest.mark.parametrize("function", [math.exp, math.log1p, np.exp, math.tanh])
def test_the_detector_sees_calls_of_the_math_library(function):
    (symbol,) = foreign_calls(assembly(function, 1, types.float64))
    assert function.__name__ in symbol


@x86_with_fma
def test_the_detector_sees_a_loop_that_is_not_vectorised():
    # Each step needs the result of the step before.
    @numba.njit
    def chained(z, out):
        last = 0.0
        for i in range(z.size):
            last = kernels.sigmoid(z[i] + last)
            out[i] = last

    chained.compile((types.float64[::1],) * 2)
    (text,) = chained.inspect_asm().values()
    assert not packed(text)


# Terms of passes over X ---------------------------------------------------------------------


@numba.njit
def terms(z, t, float32, losses, slopes, curvatures):
    for i in range(z.size):
        losses[i], slopes[i] = logistic.loss_and_residual(z[i], t[i], float32)
        curvatures[i] = logistic.curvature(z[i])


@pytest.mark.parametrize(("float32", "bound"), [(False, 6.0), (True, 2.0**53 * 2.0**-30)])
def test_terms_of_passes_keep_their_tails(float32, bound):
    z, t = adversarial(("z", "t"), np.float64, special=False)
    rng = np.random.default_rng(0)
    z = np.concatenate([z, rng.normal(scale=10.0, size=300), rng.uniform(-746, 746, 300)])
    t = np.concatenate([t, rng.random(300), rng.integers(0, 2, 300)])
    results = np.empty((3, z.size))
    terms(z, t, float32, *results)
    for i in range(z.size):
        with mpmath.workprec(PRECISION):
            y, not_y = sigmoid(z[i]), sigmoid(-z[i])
            size = (1 - mpmath.mpf(t[i])) * y + mpmath.mpf(t[i]) * not_y
            error = abs(mpmath.mpf(results[1, i]) - residual(z[i], t[i])) / ulp(size, np.float64)
        assert error <= bound
        assert ulp_error(results[0, i], logistic_loss(z[i], t[i]), np.float64) <= bound
        assert ulp_error(results[2, i], sigmoid_derivative(z[i]), np.float64) <= 6.0


def test_terms_of_passes_at_the_ends():
    z = np.array([np.inf, -np.inf, np.inf, -np.inf, np.inf, np.nan, 0.0])
    t = np.array([1.0, 0.0, 0.0, 1.0, 0.5, 0.5, 1.0])
    losses, slopes, curvatures = np.empty((3, z.size))
    terms(z, t, False, losses, slopes, curvatures)
    np.testing.assert_array_equal(losses, [0, 0, np.inf, np.inf, np.inf, np.nan, np.log(2)])
    np.testing.assert_array_equal(slopes, [0, 0, 1, -1, 0.5, np.nan, -0.5])
    np.testing.assert_array_equal(curvatures, [0, 0, 0, 0, 0, np.nan, 0.25])
