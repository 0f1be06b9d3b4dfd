"""Points with random bits, so that every exponent and sign occurs, and the exact values there.

Half of the points lie where the functions vary.
"""

from __future__ import annotations

from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.references import extended

Array = NDArray[Any]

BLOCK = 1 << 15  # points evaluated together; half or twice the number is slower
SPECIAL = "special values"
NORMAL = ("middle", "tails")
RANGES = (*NORMAL, "subnormal results", SPECIAL)
SPECIAL_VALUES = {
    "z": (0.0, -0.0, np.inf, -np.inf, np.nan),
    "y": (0.0, -0.0, 1.0, -1.0, 1.5, np.nan),
}
# The tails: |z| above the first, y nearer than the second to 0 or 1.
TAIL_Z, TAIL_Y = 30.0, 2.0**-20
# Powers of two between which half of the points lie.
VARYING = {"z": (-30, 10), "y": (-60, 0), "t": (-40, 0)}
# A residual below this share of its terms is ill-conditioned and does not count.
CONDITIONED = 2.0**-4


def draw(rng: np.random.Generator, kind: str, count: int, dtype: Any) -> Array:
    """Numbers with random bits: logits of both signs, or probabilities in (0, 1)."""
    info = np.finfo(dtype)
    integer = np.dtype(f"u{info.bits // 8}")
    low, high = VARYING[kind]
    bias = 1 - info.minexp
    every = rng.integers(0, bias + info.maxexp if kind == "z" else bias, count // 2)
    varying = rng.integers(bias + low, bias + high, count - count // 2)
    exponents = np.concatenate([every, varying]).astype(integer)
    mantissas = rng.integers(0, 2**info.nmant, count, dtype=np.uint64).astype(integer)
    numbers = ((exponents << integer.type(info.nmant)) | mantissas).view(dtype)
    flip = rng.random(count) < 0.5
    if kind == "z":
        return np.where(flip, -numbers, numbers)
    numbers = np.where(numbers > 0, numbers, info.smallest_subnormal)
    return np.where(flip & (1 - numbers < 1), 1 - numbers, numbers).astype(dtype)


def drawn(name: str, dtype: Any, soft: bool, number: int) -> list[Array]:
    """A block of random arguments of a function, with soft or hard labels."""
    rng = np.random.default_rng([2013, number])
    first, *targets = arguments(name)
    args = [draw(rng, first, BLOCK, dtype)]
    if targets and soft:
        args.append(draw(rng, "t", BLOCK, dtype))
    elif targets:
        args.append(rng.integers(0, 2, BLOCK).astype(dtype))
    return args


def special(name: str, dtype: Any, soft: bool) -> Array:
    """Limits, and arguments without a result; a row for each point."""
    first, *targets = arguments(name)
    axes = [SPECIAL_VALUES[first], *([(0.5,) if soft else (0.0, 1.0)] if targets else [])]
    grids = np.meshgrid(*axes)
    return np.stack([grid.ravel() for grid in grids], axis=1).astype(dtype)


def arguments(name: str) -> tuple[str, ...]:
    """Names of the arguments of a function: z, y or t."""
    return tuple(signature(getattr(extended, name)).parameters)


def exact_values(name: str, args: list[Array]) -> tuple[Array, dict[str, Array]]:
    """Exact results, and the points of each range; ill-conditioned results are in none."""
    x = args[0]
    with np.errstate(all="ignore"):
        wide = [arg.astype(extended.wider(x.dtype)) for arg in args]
        exact = getattr(extended, name)(*wide)
        is_logit = arguments(name)[0] == "z"
        tail = np.abs(x) > TAIL_Z if is_logit else np.abs(x - 0.5) > 0.5 - TAIL_Y
        subnormal = np.abs(exact) < float(np.finfo(x.dtype).tiny)
        normal = ~subnormal
        if name == "residual":
            good = np.abs(exact) >= CONDITIONED * extended.residual_terms(*wide)
            normal, subnormal = normal & good, subnormal & good
    return exact, dict(zip(RANGES, (normal & ~tail, normal & tail, subnormal), strict=False))
