"""Every example in a docstring and in the README gives what it says."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import matplotlib as mpl
import pytest

import fastlogit

mpl.use("Agg")

# Running the first would run the command line; the second needs a package that is no extra.
LEFT_OUT = {"fastlogit.__main__", "fastlogit.data.make_flights"}
MODULES = ["fastlogit"]
MODULES += [info.name for info in pkgutil.walk_packages(fastlogit.__path__, "fastlogit.")]

README = Path(__file__).parents[1] / "README.md"


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


@pytest.mark.skipif(not README.exists(), reason="installed without the repository's README")
def test_examples_in_the_readme_are_true():
    text = README.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    # One after the other, as a reader would type them.
    typed = "\n".join(block for block in blocks if ">>>" in block)
    test = doctest.DocTestParser().get_doctest(typed, {}, "README.md", str(README), 0)
    assert check([test]) == typed.count(">>> ")
