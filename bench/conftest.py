"""Set up a run of ``pytest bench``; the tests in bench/tests run like any other test."""

import os
import tempfile
import warnings
from pathlib import Path

import pytest

_TESTS = Path(__file__).with_name("tests")
_machine: dict[str, object] = {}


def _measures(config):
    """Whether benchmarks run, and not only the tests."""
    return any(Path(arg.split("::")[0]).name.startswith("bench") for arg in config.args)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    config.addinivalue_line("markers", "quick: enough for a first picture in a few minutes")
    config.addinivalue_line("markers", "proof: `compare` finds a planted slow-down; 20 minutes")
    # torch.compile warns about its own imports at its first call.
    config.addinivalue_line("filterwarnings", r"ignore::DeprecationWarning:torch(\.|$)")
    if not _measures(config):
        return
    # An empty cache, as Numba does not notice that a called function has changed.
    cache = tempfile.TemporaryDirectory(prefix="fastlogit-bench-")
    config.add_cleanup(cache.cleanup)
    os.environ["NUMBA_CACHE_DIR"] = cache.name
    # Where `python -m bench report` looks, unless another place is named.
    if not (config.option.benchmark_autosave or config.option.benchmark_save):
        config.option.benchmark_autosave = "bench"
    from bench import machine  # imports Numba, which reads NUMBA_CACHE_DIR

    _machine.update(machine.describe(), **machine.revision())


def pytest_ignore_collect(collection_path, config):
    return True if collection_path == _TESTS and _measures(config) else None


def pytest_collection_modifyitems(config, items):
    if "proof" not in config.option.markexpr:
        proofs = [item for item in items if item.get_closest_marker("proof")]
        items[:] = [item for item in items if item not in proofs]
        config.hook.pytest_deselected(items=proofs)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Not saving anything, no benchmarks have been run")
        return (yield)


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(machine_info):
    if _machine:
        machine_info.clear()
        machine_info.update(_machine)
