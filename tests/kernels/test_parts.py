"""Parts: compiled into their callers alone, kept on disk, and called from Python all the same."""

import os
import pickle
import re
import subprocess
import sys
from weakref import WeakValueDictionary

import numba
import numpy as np
import pytest
from numba.core.dispatcher import _MemoMixin

from fastlogit.kernels import jit, parts


def add_one(x):
    return x + 1


def add_first(values, x):
    return values[0] + x


def make(size):
    return np.full(size, 2.0)


KINDS = [
    (jit.scalar, add_one, (41,), 42),
    (jit.inlined, add_first, (np.array([2.0]), 1.0), 3.0),
    (jit.inner, add_first, (np.array([2.0]), 1.0), 3.0),
    (jit.allocating, make, (3,), [2.0, 2.0, 2.0]),
]
kinds = pytest.mark.parametrize(
    ("decorate", "function", "arguments", "expected"), KINDS, ids=[k[0].__name__ for k in KINDS]
)


def library_of(part):
    (result,) = part.overloads.values()
    return result.library


def caller_of(part):
    """A user's function that calls `part`."""

    def call(*args):
        return part(*args)

    return numba.njit(call)


@kinds
def test_compiled_code_calls_a_part_that_has_no_machine_code(
    decorate, function, arguments, expected
):
    part = decorate(function)
    assert np.array_equal(caller_of(part)(*arguments), expected)
    assert isinstance(library_of(part), parts.Library)
    assert library_of(part).get_pointer_to_function("anything") == 0


@kinds
def test_python_calls_a_part(decorate, function, arguments, expected):
    part = decorate(function)
    assert np.array_equal(part(*arguments), expected)
    assert not part.overloads  # it was compiled apart
    names = function.__code__.co_varnames[: len(arguments)]
    assert np.array_equal(part(**dict(zip(names, arguments, strict=True))), expected)


@kinds
def test_a_part_is_loaded_from_the_disk(decorate, function, arguments, expected):
    caller_of(decorate(function))(*arguments)
    again = decorate(function)
    outer = decorate(caller_of(again).py_func)  # a part that calls a part from the disk
    assert np.array_equal(caller_of(outer)(*arguments), expected)
    assert sum(again.stats.cache_hits.values()) == 1
    assert sum(again.stats.cache_misses.values()) == 0


def test_the_files_of_a_part_and_of_its_ordinary_function_differ():
    part = jit.scalar(add_one)
    caller_of(part)(41)
    assert part(41) == 42
    names = {jit.scalar(add_one)._cache._files._impl.filename_base}
    names.add(part.ordinary._cache._files._impl.filename_base)
    assert len(names) == 2


def test_a_pickled_part_is_a_part(monkeypatch):
    pickled = pickle.dumps(jit.scalar(add_one))
    monkeypatch.setattr(_MemoMixin, "_memo", WeakValueDictionary())  # as in another process
    part = pickle.loads(pickled)
    assert isinstance(part, parts.Dispatcher)
    assert caller_of(part)(41) == part(41) == 42


ONE_FUNCTION = """
import sys, numba
from fastlogit import kernels
@numba.njit
def f(z, t):
    return {}
print(f(0.25, 1.0))
"""


def test_parts_that_several_processes_compiled_are_told_apart(tmp_path):
    def run(expression):
        done = subprocess.run(
            [sys.executable, "-c", ONE_FUNCTION.format(expression)],
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        return float(done.stdout)

    one = run("kernels.logistic_loss(z, t)")
    other = run("kernels.cross_entropy(z, t)")
    assert one != other
    both = run("kernels.logistic_loss(z, t) + 1000 * kernels.cross_entropy(z, t)")
    assert both == one + 1000 * other


def ends(n):
    numbers = range(n)
    return numbers.stop - numbers.start + min(n, 3)  # Numba calls both attributes `get`


def test_every_function_in_a_part_has_a_name_of_its_own():
    outer = jit.scalar(caller_of(jit.scalar(ends)).py_func)
    assert caller_of(outer)(5) == 8
    inside = [one for one in library_of(outer)._final_module.functions if not one.is_declaration]
    names = [one.name for one in inside if one.name.startswith(parts.MADE_BY_NUMBA)]
    assert len(names) >= 5
    assert all(re.search("[0-9a-f]{32}", name) for name in names)


def test_code_of_other_types_under_the_same_key_is_not_used(monkeypatch):
    part = jit.scalar(add_one)
    caller_of(part)(41)
    (result,) = part.overloads.values()
    again = jit.scalar(add_one)
    monkeypatch.setattr(jit._CacheFiles, "_load_overload", lambda *args: result)
    monkeypatch.setattr(jit._CacheFiles, "flush", lambda *args: None)
    assert again._cache.load_overload((numba.int64,), again.targetctx) is result
    assert again._cache.load_overload((numba.float64,), again.targetctx) is None
