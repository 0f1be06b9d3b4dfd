"""Which sizes are measured: from the first cache to beyond the last one of this machine."""

from __future__ import annotations

import math

from bench import machine

FEWEST = 4_096
COUNT = 6
FEW = 3  # of them, for all but fastlogit
# Of an unknown machine.
_LAST_CACHE = 32 << 20


def elements(arrays: int) -> list[int]:
    """Powers of two, with even steps as far as can be.

    The most are so many that `arrays` float32 arrays take twice as much as the last cache.
    """
    last = max(machine.caches().values(), default=_LAST_CACHE)
    low, high = math.log2(FEWEST), math.ceil(math.log2(2 * last / (4 * arrays)))
    steps = [low + (high - low) * step / (COUNT - 1) for step in range(COUNT)]
    return sorted({2 ** round(step) for step in steps})


def few(of: list[int]) -> list[int]:
    """The least of some sizes, one between and the most."""
    return [of[0], of[len(of) // 2], of[-1]]
