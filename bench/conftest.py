"""Benchmarks start from a Numba cache of their own, made anew for each run."""

import os
import tempfile

_cache = tempfile.TemporaryDirectory(prefix="fastlogit-bench-")
os.environ["NUMBA_CACHE_DIR"] = _cache.name
