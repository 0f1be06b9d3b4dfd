"""The house: what imports what, where code is compiled, and what `import fastlogit` does.

`FLOORS` lists the floors from the top.  A module imports from its own floor or from one further
down, wherever in the file the import stands, and no modules import each other in a circle.
"""

from __future__ import annotations

import ast
import graphlib
import importlib
import importlib.metadata
import json
import os
import pkgutil
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

import fastlogit

ROOT = Path(fastlogit.__file__).parent

# Each entry stands for a module, or for a package and all that is in it.
FLOORS = [
    ["__main__"],
    ["cli", "warmup", "data.make_flights"],
    ["sklearn", "dask", "duckdb", "partitions", "plot", "polars"],
    [""],  # fastlogit/__init__.py, which re-exports what is below
    ["scoring"],
    ["training"],
    ["models"],
    ["tables"],
    ["linear", "losses", "classes", "elementwise"],
    ["matrix"],
    ["core"],
    ["kernels"],
    ["data"],
]
KERNEL_LIBRARIES = {"numba", "llvmlite", "numpy"}
# What gives Numba compile options.
COMPILERS = {
    "cfunc",
    "generated_jit",
    "guvectorize",
    "jit",
    "jit_module",
    "jitclass",
    "njit",
    "overload",
    "overload_method",
    "stencil",
    "vectorize",
}


def sources():
    """Every module of the package by its name below ``fastlogit``, and its syntax tree."""
    trees = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        trees[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return trees


TREES = sources()


def floor(name):
    """Number of the floor of a module; the most specific entry counts."""
    matching = {
        entry: number
        for number, entries in enumerate(FLOORS)
        for entry in entries
        if name == entry or (entry and name.startswith(f"{entry}."))
    }
    assert matching, f"fastlogit.{name} stands on no floor of this test"
    return matching[max(matching, key=len)]


def imported(name):
    """Modules that a module imports, full names; those of fastlogit as exactly as can be."""
    is_package = (ROOT / name.replace(".", "/")).is_dir()
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                here = ["fastlogit", *filter(None, name.split("."))]
                up = len(here) - node.level + is_package
                base = ".".join([*here[:up], *filter(None, [base])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield full if full.removeprefix("fastlogit.") in TREES else base


def own_imports(name):
    for full in imported(name):
        if full.split(".")[0] == "fastlogit":
            yield full.removeprefix("fastlogit").removeprefix(".")


@pytest.mark.parametrize("name", TREES, ids=lambda name: name or "fastlogit")
def test_a_module_imports_only_from_its_own_floor_or_below(name):
    upward = [other for other in own_imports(name) if floor(other) < floor(name)]
    assert not upward, f"fastlogit.{name} must not import {upward}"


def test_no_modules_import_each_other_in_a_circle():
    graph = {name: {other for other in own_imports(name) if other != name} for name in TREES}
    # A package's __init__.py re-exports what is in it, and may be imported from there by name.
    for name, others in graph.items():
        others -= {parent for parent in others if parent and name.startswith(f"{parent}.")}
    tuple(graphlib.TopologicalSorter(graph).static_order())


def test_every_floor_holds_a_module_and_none_is_listed_twice():
    entries = [entry for entries in FLOORS for entry in entries]
    assert len(set(entries)) == len(entries)
    assert {floor(name) for name in TREES} == set(range(len(FLOORS)))


@pytest.mark.parametrize("name", [name for name in TREES if name.split(".")[0] == "kernels"])
def test_a_kernel_needs_nothing_but_numba_and_numpy(name):
    tops = {full.split(".")[0] for full in imported(name)}
    assert tops - sys.stdlib_module_names <= KERNEL_LIBRARIES | {"fastlogit"}


@pytest.mark.parametrize("name", [name for name in TREES if name.split(".")[0] != "kernels"])
def test_only_kernels_touch_numba(name):
    tops = {full.split(".")[0] for full in imported(name)}
    assert not tops & {"numba", "llvmlite"}


@pytest.mark.parametrize("name", [name for name in TREES if name != "kernels.jit"])
def test_compile_options_are_in_one_place(name):
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("numba"):
            used = {alias.name for alias in node.names}
        elif isinstance(node, ast.Attribute):
            # jit.scalar is ours; numba.jit, numba.njit, numba.core.… are not.
            used = {node.attr} if ast.unparse(node.value).startswith("numba") else set()
        else:
            continue
        assert not used & COMPILERS, f"fastlogit.{name}, line {node.lineno}: {used & COMPILERS}"


# What importing does ----------------------------------------------------------------------


def run(script, **environment):
    """Standard output of a script in a process of its own, where warnings are errors."""
    path = os.pathsep.join([str(ROOT.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env=os.environ | {"PYTHONPATH": path} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


IMPORT_ALL = """
import json, sys
import numba
from numba.core import event

recorder = event.RecordingListener()
event.register("numba:run_pass", recorder)
before = set(sys.modules)
import fastlogit, fastlogit.kernels, fastlogit.scoring
print(json.dumps([len(recorder.buffer), sorted(set(sys.modules) - before)]))
"""


def test_importing_compiles_nothing_and_writes_no_cache(tmp_path):
    compiled, _ = json.loads(run(IMPORT_ALL, NUMBA_CACHE_DIR=str(tmp_path)))
    assert compiled == 0
    assert list(tmp_path.rglob("*.nb?")) == []


def test_that_test_would_see_a_compilation(tmp_path):
    script = IMPORT_ALL.replace("print", "fastlogit.sigmoid(1.0); print")
    compiled, _ = json.loads(run(script, NUMBA_CACHE_DIR=str(tmp_path)))
    assert compiled > 0
    assert list(tmp_path.rglob("*.nb?")) != []


def test_importing_leaves_optional_and_slow_libraries_alone():
    modules = json.loads(run("import numba\n" + IMPORT_ALL))[1]
    assert "fastlogit.training.trainer" in modules
    for slow in [
        "dask",
        "duckdb",
        "matplotlib",
        "onnx",
        "pandas",
        "polars",
        "pyarrow",
        "scipy.linalg",
        "scipy.optimize",
        "scipy.stats",
        "shtab",
        "sklearn",
        "tqdm",
    ]:
        assert slow not in modules


def test_importing_starts_no_thread():
    script = "import threading, fastlogit; print(threading.active_count())"
    assert run(script).strip() == "1"


def test_it_works_where_no_cache_can_be_written(tmp_path):
    (tmp_path / "file").touch()
    script = "import fastlogit; print(fastlogit.sigmoid(0.0), fastlogit.log_loss([0.0], [1]))"
    output = run(script, NUMBA_CACHE_DIR=str(tmp_path / "file" / "folder"))
    assert output.split() == ["0.5", "0.6931471805599453"]


# What is installed ------------------------------------------------------------------------


def test_every_public_name_exists_and_has_a_docstring():
    for name in TREES:
        # These may import extras that the tests do not ask for.
        if name in ("dask", "duckdb", "plot", "polars"):
            continue
        module = importlib.import_module(f"fastlogit.{name}".rstrip("."))
        assert module.__doc__, module.__name__
        for public in getattr(module, "__all__", []):
            assert getattr(module, public).__doc__, f"{module.__name__}.{public}"


def test_public_names_are_sorted_and_none_is_missing():
    assert fastlogit.__all__ == sorted(fastlogit.__all__)
    assert set(fastlogit.__all__) <= set(dir(fastlogit))
    assert set(fastlogit.kernels.__all__) < set(fastlogit.__all__)


def test_every_module_is_found_where_the_package_is_installed():
    found = {info.name for info in pkgutil.walk_packages([str(ROOT)], "fastlogit.")}
    assert found == {f"fastlogit.{name}" for name in TREES if name}


def test_the_version_is_that_of_the_installed_distribution():
    assert importlib.metadata.version("fastlogit") == fastlogit.__version__


def test_required_libraries_are_numba_numpy_and_scipy():
    required = importlib.metadata.requires("fastlogit") or []
    names = {line.split(">")[0] for line in required if "extra ==" not in line}
    assert names == {"numba", "numpy", "scipy"}


@pytest.mark.parametrize("name", ["py.typed", "data/flights.parquet"])
def test_files_that_are_no_code_are_installed(name):
    assert resources.files("fastlogit").joinpath(name).is_file()


def test_the_flights_take_at_most_four_megabytes():
    assert (ROOT / "data" / "flights.parquet").stat().st_size <= 4e6


def test_tests_and_benchmarks_share_references_and_nothing_else():
    top = Path(__file__).parents[1]
    for folder, other in (("bench", "tests"), ("tests", "bench")):
        for path in (top / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                wrong = [name for name in names if name.split(".")[0] == other]
                wrong = [name for name in wrong if not name.startswith("tests.references")]
                assert not wrong, f"{path} must not import {wrong}"
