"""The table of elementwise functions: its exports, their names and their docstrings."""

from __future__ import annotations

import inspect
import pickle

import numpy as np
import pytest

import fastlogit as fl
from fastlogit import elementwise, kernels
from fastlogit.kernels import functions
from fastlogit.kernels.elementwise import FUNCTIONS
from tests.references import multiprecision

every_line = pytest.mark.parametrize("line", FUNCTIONS.values(), ids=FUNCTIONS.keys())
OPTIONS = ["out", "where", "dtype", "threads"]


def test_each_name_in_the_table_is_a_line_and_is_exported():
    names = {name for name in vars(functions) if not name.startswith("_")}
    assert names == set(FUNCTIONS) == set(elementwise.__all__)
    assert names < set(kernels.__all__) < set(fl.__all__)


@every_line
def test_a_line_is_called_like_its_kernel_and_has_a_reference(line):
    assert getattr(functions, line.name) is line.kernel is getattr(kernels, line.name)
    assert line.kernel.__name__ == line.name
    assert list(inspect.signature(line.kernel).parameters) == list(line.arguments)
    assert list(inspect.signature(getattr(multiprecision, line.name)).parameters) == list(
        line.arguments
    )


@every_line
def test_the_public_function_has_the_names_of_the_line(line):
    function = getattr(fl, line.name)
    assert function is getattr(elementwise, line.name)
    assert (function.__module__, function.__qualname__) == ("fastlogit.elementwise", line.name)
    signature = inspect.signature(function)
    assert list(signature.parameters) == [*line.arguments, *OPTIONS]
    assert pickle.loads(pickle.dumps(function)) is function


@every_line
def test_arguments_can_be_given_by_name(line):
    values = dict.fromkeys(line.arguments, 0.25)
    expected = getattr(fl, line.name)(*values.values())
    assert getattr(fl, line.name)(**values) == expected
    assert line.kernel(**values) == expected
    with pytest.raises(TypeError, match=rf"^{line.name}\(\) missing"):
        getattr(fl, line.name)()
    with pytest.raises(TypeError, match=rf"^{line.name}\(\) got an unexpected keyword"):
        getattr(fl, line.name)(**values, reduction="sum")


@every_line
def test_docstrings_say_what_the_line_says(line):
    text = inspect.getdoc(getattr(fl, line.name))
    for part in (line.summary, line.derivation, line.accuracy, line.examples):
        assert part in text
    assert line.summary
    assert line.derivation
    for bound in line.max_ulp.values():
        assert f"{bound} ULP" in text
    for returned in line.returns.splitlines():
        assert returned in text
        assert returned in inspect.getdoc(line.kernel)


@every_line
def test_the_largest_errors_are_those_of_a_rounded_result(line):
    # The tests of accuracy take their bounds from the table.
    assert line.max_ulp.keys() == {"float64", "float32"}
    assert all(0.5 <= bound <= 0.75 for bound in line.max_ulp.values())
    assert np.isfinite(line.kernel(*[0.5] * len(line.arguments)))
