"""Benchmarks start from a Numba cache of their own, made anew for each run."""

import os
import tempfile
import warnings

import pytest

_machine: dict[str, object] = {}
_cache = tempfile.TemporaryDirectory(prefix="fastlogit-bench-")
os.environ["NUMBA_CACHE_DIR"] = _cache.name


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    # Stored unless something else is asked for, so that `python -m bench report` finds it.
    if not (config.option.benchmark_autosave or config.option.benchmark_save):
        config.option.benchmark_autosave = "bench"
    config.addinivalue_line("markers", "quick: those that give a first picture in few minutes")
    config.addinivalue_line("markers", "proof: that comparisons can be trusted; only if asked for")
    # What torch.compile imports of its own, at its first call.
    config.addinivalue_line("filterwarnings", r"ignore::DeprecationWarning:torch(\.|$)")


def pytest_sessionstart():
    from bench import machine

    _machine.update(machine.describe(), **machine.revision())


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Not saving anything, no benchmarks have been run")
        return (yield)


def pytest_collection_modifyitems(config, items):
    if "proof" not in config.option.markexpr:
        proofs = [item for item in items if item.get_closest_marker("proof")]
        items[:] = [item for item in items if item not in proofs]
        config.hook.pytest_deselected(items=proofs)


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(machine_info):
    machine_info.clear()
    machine_info.update(_machine)
