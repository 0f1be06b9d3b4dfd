"""What a run ran on: processor, caches, versions, threads, and what changes Numba's code."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numba
from numba.core import config

import fastlogit as fl
from bench import markdown

# What is measured, measures, or is measured against, as far as it is installed.
PACKAGES = (
    "fastlogit",
    "numba",
    "llvmlite",
    "numpy",
    "scipy",
    "scikit-learn",
    "scikit-learn-intelex",
    "torch",
    "jax",
    "numexpr",
    "pyarrow",
    "polars",
    "duckdb",
    "pandas",
    "onnxruntime",
    "glum",
    "statsmodels",
    "pytest-benchmark",
)
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def describe() -> dict[str, Any]:
    """All of it, for JSON."""
    llvm = import_module("llvmlite.binding")
    features = llvm.get_host_cpu_features()
    return {
        "processor": processor(),
        "cores": cores(),
        "target": llvm.get_host_cpu_name(),
        "features": sorted(name for name, there in features.items() if there),
        "caches": caches(),
        "memory": _memory(),
        "system": platform.platform(),
        "python": _python(),
        "executable": "virtual environment" if sys.prefix != sys.base_prefix else "system",
        "versions": versions(),
        "threads": {
            "fastlogit": fl.threads.resolve(None),
            "numba": numba.config.NUMBA_NUM_THREADS,
            **{name: os.environ[name] for name in os.environ if name.endswith("_NUM_THREADS")},
        },
        "numba": {
            name: value for name, value in sorted(os.environ.items()) if name.startswith("NUMBA_")
        }
        | {"CPU_NAME": config.CPU_NAME, "ENABLE_AVX": config.ENABLE_AVX},
    }


def brief(*packages: str) -> dict[str, Any]:
    """What a reader of results needs, with the versions of some packages beside the usual ones."""
    there = versions()
    named = {name: there[name] for name in ("numpy", "numba", *packages) if name in there}
    return {
        "processor": processor(),
        "cores": cores(),
        "caches": caches(),
        "python": _python(),
        "versions": {"fastlogit": fl.__version__, **named},
    }


def revision() -> dict[str, str]:
    """Short hash of the checkout that runs, and whether its sources were changed; {} elsewhere.

    Stored results may have changed, as a run of several commands stores them one after another.
    """
    sources = Path(fl.__file__).parent
    if sources.parent != Path(__file__).parents[1]:
        return {}
    try:
        commit, changes = (
            subprocess.run(["git", *words], cwd=sources, capture_output=True, text=True, check=True)
            for words in (["rev-parse", "--short", "HEAD"], ["status", "--porcelain", "."])
        )
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"revision": commit.stdout.strip() + (" with changes" if changes.stdout else "")}


def text(*packages: str) -> str:
    """The same in a line."""
    return markdown.machine(brief(*packages))


def _python() -> str:
    return f"{platform.python_implementation()} {platform.python_version()}"


def processor() -> str:
    """Its name; where several have the same, with LLVM's name of what it can do."""
    llvm = import_module("llvmlite.binding")
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name} ({llvm.get_host_cpu_name()})"


def cores() -> int:
    """How many the process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def caches() -> dict[str, int]:
    """Bytes of each data cache of the first core, by level; empty where the system does not say."""
    found = {}
    for folder in sorted(_CACHES.glob("index*")):
        if (folder / "type").read_text().strip() != "Instruction":
            level, size = ((folder / name).read_text().strip() for name in ("level", "size"))
            found[f"L{level}"] = int(size.removesuffix("K")) << 10
    return found


def versions() -> dict[str, str]:
    """Of all packages that are installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None
