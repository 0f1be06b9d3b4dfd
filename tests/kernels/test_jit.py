"""Compile options: without a cache folder everything works, and types choose the precision."""

import errno
import gc
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import llvmlite.binding
import numba
import numpy as np
import pytest
from numba.core.caching import IndexDataCacheFile
from scipy.sparse import csr_array

import fastlogit as fl
from fastlogit import kernels
from fastlogit.kernels import jit
from fastlogit.kernels.elementwise import FUNCTIONS
from tests.references.multiprecision import digest

WITHOUT_CACHE = """
import warnings
warnings.simplefilter("error")
import fastlogit as fl
from fastlogit.kernels import jit, logistic
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
def users_own(z):
    return kernels.sigmoid(z)


def results() -> dict[str, str]:
    """Digests of what kernels and public functions give, by their names."""
    rng = np.random.default_rng(0)
    z, y, t = rng.normal(size=50), rng.random(50), rng.random(50)
    found = {}
    for name, function in FUNCTIONS.items():
        kind, *targets = function.arguments
        args = [z if kind == "z" else y, *([t] if targets else [])]
        arrays = [getattr(fl, name)(*args, dtype=dtype) for dtype in ("float32", "float64")]
        found[name] = digest(getattr(kernels, name)(*(float(arg[0]) for arg in args)), *arrays)
    found["log_loss"] = digest(*fl.log_loss_gradient(z, t))
    X = rng.normal(size=(200, 3))
    layouts = {"rows": X, "columns": X.copy("F"), "dict": {"a": X[:, 0]}, "CSR": csr_array(X)}
    for name, layout in layouts.items():
        coef = [0.5] if name == "dict" else [0.5, -1.0, 2.0]
        derivatives = fl.linear.log_loss_gradient_hessian(layout, X[:, 0] > 0, coef)
        found[name] = digest(*derivatives, fl.linear.probability(layout, coef))
    found["fit"] = digest(fl.fit(X, X[:, 0] + X[:, 1] ** 2 > 0).coef)
    return found | {"users own": digest(users_own(0.5))}


def test_kernels_are_compiled_where_the_users_own_functions_are_not(request):
    code = """
import json, sys
sys.path.append(sys.argv[1])
from tests.kernels import test_jit
print(json.dumps([hasattr(test_jit.users_own, "py_func"), test_jit.results()]))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(request.path.parents[2])],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    compiled, without_jit = json.loads(done.stdout)
    assert not compiled
    assert hasattr(users_own, "py_func")
    assert without_jit == results()


@pytest.mark.parametrize("collects", [True, False])
def test_threads_that_compile_at_once_put_the_users_settings_back(monkeypatch, request, collects):
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    request.addfinalizer(gc.enable)
    if not collects:
        gc.disable()
    begun = [threading.Event() for _ in range(3)]
    ends = [threading.Event() for _ in range(3)]

    def compile_until(number):
        with jit._compiling(), jit._compiling():
            begun[number].set()
            assert ends[number].wait(60)

    threads = [threading.Thread(target=compile_until, args=[number]) for number in range(3)]
    for thread, event in zip(threads, begun, strict=True):
        thread.start()
        assert event.wait(60)
    for number in (0, 2, 1):  # neither in the order in which they began, nor the other way round
        assert numba.config.DISABLE_JIT == 0
        assert not gc.isenabled()
        ends[number].set()
        threads[number].join()
    assert numba.config.DISABLE_JIT == 1
    assert gc.isenabled() == collects


COMPILED_OR_LOADED = """
import sys
import warnings
warnings.simplefilter("error")
import numba
import numpy as np
from numba.core import event
import fastlogit as fl
from fastlogit.kernels import sums
total = np.zeros(1)
with event.install_recorder("numba:compile") as recorder:
    assert fl.sigmoid(0.0) == 0.5
    sums.merge(np.ones((3, 2, 1)), total)
assert total == 6.0
# What Numba compiles with is not loaded for that, and is there when it is wanted.
assert recorder.buffer or "numba.np.linalg" not in sys.modules
assert numba.njit(lambda values: values.sum())(np.ones(3)) == 3.0
print("compiled" if recorder.buffer else "loaded")
"""


def compiled_or_loaded(folder, cache) -> str:
    """Run two functions of the package in a folder, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", COMPILED_OR_LOADED],
        env=os.environ | {"NUMBA_CACHE_DIR": str(cache)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the package, and its cache, filled."""
    folder, cache = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("cache")
    shutil.copytree(
        Path(fl.__file__).parent,
        folder / "fastlogit",
        ignore=shutil.ignore_patterns("__pycache__", "*.parquet"),
    )
    assert compiled_or_loaded(folder, cache) == "compiled"
    assert compiled_or_loaded(folder, cache) == "loaded"
    return folder, cache


def test_a_truncated_cache_heals_itself(copy):
    indexes = sorted(copy[1].rglob("*.nbi"))
    assert len(indexes) > 4
    # Of every other function the index is empty, of the others half of the code is there.
    for index in indexes[::2]:
        os.truncate(index, 0)
    for index in indexes[1::2]:
        code = min(index.parent.glob(f"{index.stem}.*.nbc"))  # a damaged file clears the index
        os.truncate(code, code.stat().st_size // 2)
    assert compiled_or_loaded(*copy) == "compiled"
    assert compiled_or_loaded(*copy) == "loaded"


def test_an_edit_of_any_kernel_makes_the_cache_stale(copy):
    ieee = copy[0] / "fastlogit" / "kernels" / "ieee.py"
    ieee.write_text(ieee.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")
    assert compiled_or_loaded(*copy) == "compiled"
    assert compiled_or_loaded(*copy) == "loaded"


def test_a_full_disk_only_costs_the_cache(monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(IndexDataCacheFile, "load", lambda *args: None)
    monkeypatch.setattr(IndexDataCacheFile, "save", full)
    assert jit.scalar(lambda x: 2 * x)(21) == 42


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


LOOPS = r"""
import json
import re
import numba
import numpy as np
import fastlogit as fl
from fastlogit.kernels import jit, sums, ufuncs

def plain(z, out):
    for i in range(z.size):
        out[i] = z[i] / (z[i] + 1.0)

def hinted(z, out):
    jit.wide_vectors(z)
    for i in range(z.size):
        out[i] = z[i] / (z[i] + 1.0)
    jit.interleaved()

found = {}
for dtype in ("float64", "float32"):
    z = np.arange(1000).astype(dtype)
    results = np.empty((2, 1000), dtype)
    for function, out in zip((plain, hinted), results):
        compiled = numba.njit(error_model="numpy")(function)
        compiled(z, out)
        (assembly,) = compiled.inspect_asm().values()
        wide = re.findall(r"vdivpd.*%zmm", assembly)
        found[dtype, function.__name__] = len(wide)
    assert (results[0] == results[1]).all()
# The kernels: the float64 loop of a ufunc, and the sum over an array.
fl.sigmoid(z)
fl.log_loss(np.zeros(9), np.ones(9))
((float32_loop, float64_loop), *_) = ufuncs._kept[0]
(its_sum,) = sums.log_loss_gradient.inspect_asm().values()
for assembly in (float64_loop._library.get_asm_str(), its_sum):
    found[len(found)] = len(re.findall(r"vdivpd.*%zmm", assembly))
# A loop with more vectors than registers.
fl.residual(z, z)
((_, float64_loop), *_) = ufuncs._kept[1]
assembly = float64_loop._library.get_asm_str()
moves = re.findall(r"vmov([au])p[sd]\s+%zmm\d+, \d*\(%rsp\)", assembly)
found["aligned"], found["not aligned"] = moves.count("a"), moves.count("u")
print([found[key] for key in found])
"""


@pytest.mark.skipif(
    not llvmlite.binding.get_host_cpu_features().get("avx512vl", False),
    reason="needs a processor with AVX-512",
)
def test_hinted_float64_loops_use_four_wide_vectors_and_an_aligned_stack_on_intel(tmp_path):
    features = "+avx2,+fma,+avx512f,+avx512vl,+avx512dq,+avx512bw,+avx512cd"
    intel = {"NUMBA_CPU_NAME": "skylake-avx512", "NUMBA_CPU_FEATURES": features}
    done = subprocess.run(
        [sys.executable, "-c", LOOPS],
        env=os.environ | intel | {"NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    plain, hinted, _, _, its_ufunc, its_sum, aligned, not_aligned = json.loads(done.stdout)
    assert plain == 0
    assert hinted >= 4  # side by side
    assert its_ufunc >= 4
    assert its_sum >= 1
    assert aligned >= 1
    assert not_aligned == 0
