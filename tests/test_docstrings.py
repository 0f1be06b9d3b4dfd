"""Examples in docstrings are true, and docstrings of public names are complete."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re

import matplotlib as mpl
import pytest

import fastlogit
from fastlogit import scoring
from fastlogit.models.export.methods import Exports
from fastlogit.sklearn import LogisticRegression

mpl.use("Agg")

# Importing the first runs the command line; the second needs a package that no extra installs.
LEFT_OUT = {"fastlogit.__main__", "fastlogit.data.make_flights"}
# The examples of these functions are written in their table.
TABLE, FROM_TABLE = "fastlogit.kernels.functions", "fastlogit.elementwise"
MODULES = ["fastlogit"]
MODULES += [info.name for info in pkgutil.walk_packages(fastlogit.__path__, "fastlogit.")]


def check(tests):
    """Run examples and return their number."""
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
    # The finder must see all examples, even if a decorator hides a function from it.
    written = len(re.findall(r"^ *>>> ", inspect.getsource(module), re.MULTILINE))
    if name == FROM_TABLE:
        written = sum(getattr(module, public).__doc__.count(">>> ") for public in module.__all__)
        assert written == 2 * len(module.__all__)  # with the import
    assert count == (0 if name == TABLE else written)


# Required sections -------------------------------------------------------------------------

PUBLIC = [
    "fastlogit",
    "fastlogit.classes",
    "fastlogit.dask",
    "fastlogit.elementwise",
    "fastlogit.linear",
    "fastlogit.losses",
    "fastlogit.partitions",
    "fastlogit.plot",
    "fastlogit.scoring",
]
CLASSES = [fastlogit.LogisticModel, Exports, scoring.Evaluation, scoring.Scored]
CLASSES += [LogisticRegression]
# Words that name a type; "As of" refers to another function, which names it.
DTYPES = r"float64|dtype|numbers|As (of|by|in) |`ax` is"
SHAPES = r"\(n, d\)|\(n, K\)|\(n,\)|any shape|path|As (of|by|in) "


def functions():
    """Names and functions: public functions, and methods of public classes."""
    for name in PUBLIC:
        module = importlib.import_module(name)
        for public in module.__all__:
            if inspect.isfunction(found := getattr(module, public)):
                yield f"{name}.{public}", found
    for cls in CLASSES:
        for name, method in vars(cls).items():
            if inspect.isfunction(method) and not name.startswith("_"):
                yield f"{cls.__name__}.{name}", method


def lacking(function, *, method):
    """Names of everything that is missing from a docstring."""
    text = inspect.getdoc(function) or ""
    signature = inspect.signature(function)
    sections = re.split(r"^(\w+)\n-+$", text, flags=re.MULTILINE)
    found = dict(zip(sections[1::2], sections[2::2], strict=True))
    described = " ".join(re.findall(r"^\S.*$", found.get("Parameters", ""), re.MULTILINE))
    for name in signature.parameters:
        if name != "self" and not re.search(rf"(?<!\w){name}\b", described):
            yield f"parameter {name}"
    if signature.return_annotation not in (None, "None") and "Returns" not in found:
        yield "Returns"
    if "Raises" not in found and "raises nothing" not in text:
        yield "Raises"
    if not method and "Examples" not in found:
        yield "Examples"
    data = {"X", "Z", "z", "t", "y", "source"} & set(signature.parameters)
    for name in sorted(data):
        # Its own lines, or a note on all arguments.
        line = re.compile(rf"^(?=\S).*\b{name}\b.*\n(?:    .*\n?)+", re.MULTILINE)
        own = line.search(found.get("Parameters", ""))
        if not re.search(DTYPES, (own[0] if own else "") + found.get("Notes", "")):
            yield f"dtype of {name}"
    if data and not re.search(SHAPES, found.get("Parameters", "")):
        yield "shapes"
    if data and not re.search(r"NaN|null|finite|missing|As (of|by|in) `|`ax` is", text):
        yield "NaN"


def test_docstrings_have_parameters_returns_and_raises():
    found = {
        name: missing
        for name, function in functions()
        if (missing := list(lacking(function, method=name[0].isupper())))
    }
    assert found == {}
    assert len(list(functions())) > 50


@pytest.mark.parametrize("name", fastlogit.kernels.__all__)
def test_a_kernel_says_what_it_computes(name):
    text = inspect.getdoc(getattr(fastlogit.kernels, name))
    for section in ("Parameters", "Returns", "Notes"):
        assert f"\n{section}\n---" in text
    assert f":func:`fastlogit.{name}`" in text
    assert "Raises nothing" in text
    assert re.search(r"float64|float32", text)
    assert "NaN" in text


def test_that_test_finds_missing_parts():
    def poor(X: list, other: int = 0) -> float:
        """Parameters, X and other, are not described."""

    missing = ["parameter X", "parameter other", "Returns", "Raises", "Examples", "dtype of X"]
    assert list(lacking(poor, method=False)) == [*missing, "shapes", "NaN"]


def test_every_placeholder_of_a_docstring_is_filled():
    for _, function in functions():
        assert not re.search(r"%\(|\{\w+\}", inspect.getdoc(function))
