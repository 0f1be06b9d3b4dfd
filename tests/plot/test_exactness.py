"""The picture of rounding errors: exact results against mpmath, and where digits are lost."""

from __future__ import annotations

import importlib.util
import sys
import types
from typing import get_args

import matplotlib.pyplot as plt
import mpmath
import numpy as np
import pytest
import scipy

from fastlogit.plot import exactness, tails
from tests.references import multiprecision

FUNCTIONS = get_args(exactness.Function)
LOST = 2.0**53


def errors(function):
    """Logits and errors of each implementation, by name."""
    return {line.get_label(): line.get_data() for line in tails(function).get_lines()[:-1]}


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("z", [0.0, 0.5, -36.7, 36.7, -745.0, 745.0, 799.0, -1e-9])
def test_references_agree_with_mpmath(function, z):
    with mpmath.workprec(multiprecision.PRECISION):
        exact = getattr(multiprecision, function)(z)
        found = mpmath.mpf(str(exactness._EXACT[function](z)))
        assert abs(found - exact) <= abs(exact) * mpmath.mpf("1e-37")


def test_points_are_everywhere():
    z = exactness._points()
    assert np.abs(z).max() > 760
    assert z.min() < -760
    assert ((z > -750) & (z < -708)).sum() > 5
    assert ((z > 36) & (z < 40)).any()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_fastlogit_keeps_its_promise_and_the_textbook_does_not(function):
    found = errors(function)
    assert list(found)[:3] == ["fastlogit", "textbook", f"SciPy {scipy.__version__}"]
    assert found["fastlogit"][1].max() <= 0.8
    assert found["textbook"][1].max() > 1e13


def test_the_textbook_loses_its_digits_where_it_must():
    z, ulp = errors("log_sigmoid")["textbook"]
    assert (ulp[(z > 45) & (z < 600)] >= LOST / 2).all()
    assert (ulp[(z > -30) & (z < 0)] < 10).all()


@pytest.mark.parametrize("name", ["torch", "jax"])
def test_a_library_that_is_broken_is_left_out(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    broken = types.SimpleNamespace(name=name)
    original = importlib.util.find_spec
    monkeypatch.setattr(
        exactness, "find_spec", lambda module: broken if module == name else original(module)
    )
    label = {"torch": "PyTorch", "jax": "JAX"}[name]
    assert not any(found.startswith(label) for found in errors("sigmoid"))


INSTALLED = [
    name
    for name, (module, _) in exactness._LIBRARIES.items()
    if importlib.util.find_spec(module) is not None
]


@pytest.mark.parametrize("name", INSTALLED)
def test_libraries_are_right_for_small_logits(name):
    _, find = exactness._LIBRARIES[name]
    z = np.linspace(-3.0, 3.0, 7)
    for function in FUNCTIONS:
        exact = [float(exactness._EXACT[function](one)) for one in z.tolist()]
        np.testing.assert_allclose(np.asarray(find(function)(z)), exact, rtol=1e-14)


def test_another_function_is_an_error():
    with pytest.raises(ValueError, match=r"function must be 'sigmoid', .*; got 'logit'"):
        tails("logit")
    assert not plt.get_fignums()
