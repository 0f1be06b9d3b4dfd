"""Every example in a docstring gives what it says."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re

import matplotlib as mpl
import pytest

import fastlogit

mpl.use("Agg")

# Running the first would run the command line; the second needs a package that is no extra.
LEFT_OUT = {"fastlogit.__main__", "fastlogit.data.make_flights"}
MODULES = ["fastlogit"]
MODULES += [info.name for info in pkgutil.walk_packages(fastlogit.__path__, "fastlogit.")]


def check(tests):
    """Run examples, and return how many there were."""
    runner = doctest.DocTestRunner(verbose=False)
    report = []
    for test in tests:
        runner.run(test, out=report.append)
    assert not runner.failures, "".join(report)
    return runner.tries


@pytest.mark.parametrize("name", [name for name in MODULES if name not in LEFT_OUT])
def test_examples_in_docstrings_are_true(name):
    module = importlib.import_module(name)
    count = check(doctest.DocTestFinder().find(module))
    # That none is hidden from the finder, say by a decorator.
    assert count == len(re.findall(r"^ *>>> ", inspect.getsource(module), re.MULTILINE))
