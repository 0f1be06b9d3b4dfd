"""Benchmarks start from a Numba cache of their own, made anew for each run."""

import os
import tempfile

import pytest

_cache = tempfile.TemporaryDirectory(prefix="fastlogit-bench-")
os.environ["NUMBA_CACHE_DIR"] = _cache.name


def pytest_configure(config):
    config.addinivalue_line("markers", "quick: those that give a first picture in few minutes")
    config.addinivalue_line("markers", "proof: that comparisons can be trusted; only if asked for")
    # What torch.compile imports of its own, at its first call.
    config.addinivalue_line("filterwarnings", r"ignore::DeprecationWarning:torch(\.|$)")


def pytest_collection_modifyitems(config, items):
    if "proof" not in config.option.markexpr:
        proofs = [item for item in items if item.get_closest_marker("proof")]
        items[:] = [item for item in items if item not in proofs]
        config.hook.pytest_deselected(items=proofs)


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(machine_info):
    from bench import machine

    machine_info.clear()
    machine_info.update(machine.describe())
