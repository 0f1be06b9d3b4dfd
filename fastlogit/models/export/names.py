"""Names that differ from those that a model already has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection


def unused(name: str, taken: Collection[Any]) -> str:
    """The name, with primes if it is taken; raises nothing."""
    while name in taken:
        name += "'"
    return name
