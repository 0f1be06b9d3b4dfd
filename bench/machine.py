"""Description of the computer: processor, caches, versions; and sizes that fit its caches."""

from __future__ import annotations

import math
import os
import platform
import subprocess
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import fastlogit as fl

# Libraries that are measured, or that the measurements depend on.
PACKAGES = (
    "fastlogit",
    "numpy",
    "numba",
    "llvmlite",
    "scipy",
    "scikit-learn",
    "torch",
    "jax",
    "pyarrow",
    "polars",
    "duckdb",
    "onnxruntime",
    "glum",
    "pytest-benchmark",
)
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def describe(*packages: str) -> dict[str, Any]:
    """Processor, caches and versions, for JSON; of all libraries unless some are named."""
    wanted = ("fastlogit", "numpy", "numba", *packages) if packages else PACKAGES
    return {
        "processor": processor(),
        "cores": cores(),
        "caches": caches(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": {name: version for name in wanted if (version := installed(name))},
    }


def revision() -> dict[str, str]:
    """Short git hash of the imported sources, marked if they were changed; {} if installed."""
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


def processor() -> str:
    """Model name, followed by LLVM's name of the architecture."""
    llvm = import_module("llvmlite.binding")
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name} ({llvm.get_host_cpu_name()})"


def cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def caches() -> dict[str, int]:
    """Bytes of each data cache of the first core, by level; empty if the system hides them."""
    found = {}
    for folder in sorted(_CACHES.glob("index*")):
        if (folder / "type").read_text().strip() != "Instruction":
            level, size = ((folder / name).read_text().strip() for name in ("level", "size"))
            found[f"L{level}"] = int(size.removesuffix("K")) << 10
    return found


def last_cache() -> int:
    """Bytes of the last cache, or a guess.

    At most 32 MiB: a virtual machine reports all of a cache that it shares with others.
    """
    return min(max(caches().values(), default=32 << 20), 32 << 20)


def installed(name: str) -> str | None:
    """Version of a package, or None."""
    if name == "fastlogit":
        return fl.__version__
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def sizes(arrays: int) -> list[int]:
    """Six powers of two, until `arrays` float32 arrays are twice as large as the last cache."""
    low, high = math.log2(4_096), math.ceil(math.log2(2 * last_cache() / (4 * arrays)))
    steps = [low + (high - low) * step / 5 for step in range(6)]
    return sorted({2 ** round(step) for step in steps})


def few(numbers: list[int]) -> list[int]:
    """The first, the middle and the last."""
    return [numbers[0], numbers[len(numbers) // 2], numbers[-1]]
