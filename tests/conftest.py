"""Set up a test run: where Numba keeps compiled code, and how much Hypothesis tries."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import settings

if TYPE_CHECKING:
    import pytest

settings.register_profile("fastlogit", deadline=None, derandomize=True, max_examples=200)
settings.load_profile("fastlogit")


def _kernels() -> list[Path]:
    """Sources of the installed kernels, found without importing Numba."""
    spec = importlib.util.find_spec("fastlogit")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("fastlogit is not installed")
    return sorted(Path(spec.submodule_search_locations[0], "kernels").rglob("*.py"))


def pytest_configure(config: pytest.Config) -> None:
    # Numba notices an edit in a function's own file, but not in those that it calls into; so
    # each state of the kernels gets a cache of its own.  `pytest --cache-clear` removes them.
    cache = getattr(config, "cache", None)  # None with -p no:cacheprovider
    if cache is not None and "NUMBA_CACHE_DIR" not in os.environ:
        sources = b"".join(path.read_bytes() for path in _kernels())
        folder = cache.mkdir(f"numba-{hashlib.sha256(sources).hexdigest()[:16]}")
        os.environ["NUMBA_CACHE_DIR"] = str(folder)
