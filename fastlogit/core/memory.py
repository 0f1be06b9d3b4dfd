"""How much memory there is."""

from __future__ import annotations

import os
from pathlib import Path

from fastlogit.core import control_groups


def available(root: Path = Path("/")) -> int | None:
    """Bytes of memory of the machine or, if that is less, of the container; None if unknown."""
    groups = control_groups.limits("memory", "memory.max", ["memory.limit_in_bytes"], root)
    found = [limit for limit, *_ in groups]
    if (machine := _physical()) is not None:
        found.append(machine)
    return min(found, default=None)


def _physical() -> int | None:
    """Bytes of memory of the machine; None on systems that do not tell (Windows)."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
