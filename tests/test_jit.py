"""Compile options: without a cache folder everything works, and types choose the precision."""

import os
import subprocess
import sys

import numba
import numpy as np

from fastlogit.kernels import jit

WITHOUT_CACHE = """
import warnings
warnings.simplefilter("error")
import fastlogit as fl
from fastlogit.kernels import jit, scalar
import numba
try:
    numba.njit(cache=True)(jit.scalar)
except RuntimeError as error:
    assert "cannot cache" in str(error)
else:
    raise AssertionError("there is a cache after all")
assert fl.sigmoid(0.0) == 0.5
assert fl.log_loss([0.0], [1]) > 0.69
"""


def test_without_a_cache_folder_everything_works_and_nothing_is_said():
    # A locator for notebooks only: none is found, as where no folder can be written.
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_CACHE],
        env=os.environ | {"NUMBA_CACHE_LOCATOR_CLASSES": "IPythonCacheLocator"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@numba.njit
def _one(*args):
    return 1.0


@numba.njit
def _two(*args):
    return 2.0


_rounded = jit.by_precision(_one, _two, rounded=True)
_unrounded = jit.by_precision(_one, _two, rounded=False)


@numba.njit
def _choose(z):
    return _rounded(z)


@numba.njit
def _choose_unrounded(z):
    return _unrounded(z)


@numba.njit
def _choose_of_two(z, t):
    return _rounded(z, t)


def _result_type(function, *args):
    function(*args)
    return function.overloads[tuple(numba.typeof(arg) for arg in args)].signature.return_type


def test_float32_chooses_the_first_function_and_all_else_the_second():
    assert _choose(np.float32(0)) == 1.0
    assert _choose(0.0) == _choose(0) == _choose(True) == 2.0


def test_labels_that_are_integer_or_bool_leave_float32_as_it_is():
    one = np.float32(1)
    assert _choose_of_two(one, one) == _choose_of_two(one, 1) == _choose_of_two(one, True) == 1.0
    assert _choose_of_two(one, 1.0) == _choose_of_two(1, one) == 2.0


def test_the_result_is_float32_only_if_it_is_rounded():
    assert _result_type(_choose, np.float32(0)) == numba.float32
    assert _result_type(_choose_unrounded, np.float32(0)) == numba.float64
    assert _result_type(_choose, 0.0) == numba.float64
