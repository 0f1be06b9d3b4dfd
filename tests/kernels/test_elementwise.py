"""Copies of functions under other names."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from fastlogit.kernels import elementwise, jit

constant = 1.0


def template(z: float, t: float) -> float:
    product = z * t
    return product + constant


def test_a_copy_has_its_own_names_and_constants():
    copy = elementwise.specialised(template, "copied", ("y",), constant=2.0)
    assert copy(3.0, 4.0) == copy(y=3.0, t=4.0) == 14.0
    assert template(3.0, 4.0) == 13.0
    assert (copy.__name__, copy.__qualname__, copy.__code__.co_name) == ("copied",) * 3
    assert list(inspect.signature(copy).parameters) == ["y", "t"]
    assert copy.__annotations__ == {"y": "float", "t": "float", "return": "float"}


def test_each_copy_has_compiled_code_of_its_own():
    copies = [elementwise.specialised(template, f"copy_{i}", constant=float(i)) for i in (2, 3)]
    compiled = [jit.scalar(copy) for copy in copies]
    assert [function(3.0, 4.0) for function in compiled] == [14.0, 15.0]
    assert len({function.stats.cache_path for function in compiled}) == 1
    names = {function._cache._files._cache_file._index_name for function in compiled}
    assert len(names) == 2


@pytest.fixture
def recorded(monkeypatch):
    """An empty table instead of the real one."""
    table: dict[str, elementwise.Function] = {}
    monkeypatch.setattr(elementwise, "FUNCTIONS", table)
    return table


def test_a_line_without_a_float32_kernel_rounds_the_float64_result(recorded):
    @jit.scalar
    def third(z):
        """A third.

        Of z.
        """
        return z / 3.0

    kernel = elementwise.unary(float64=third, returns="z / 3.", examples=">>> fl.third(1.0)")
    (line,) = recorded.values()
    assert line.kernel is kernel
    assert (line.name, line.arguments) == ("third", ("z",))
    assert (line.summary, line.derivation) == ("A third.", "Of z.")
    assert kernel(1.0) == 1.0 / 3.0
    assert kernel(np.float32(1.0)) == np.float32(1.0 / 3.0)


def test_the_types_of_the_arguments_choose_the_kernel(recorded):
    @jit.scalar
    def add(z, t):
        return z + t

    @jit.scalar
    def subtract(z, t):
        return z - t

    kernel = elementwise.binary(float64=add, float32=subtract, returns="", examples="")
    assert kernel(3.0, 1.0) == 4.0
    assert kernel(np.float32(3.0), 1) == 2.0
    assert kernel.__doc__ is None  # as the float64 kernel, and as with python -OO
