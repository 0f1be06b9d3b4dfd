"""Docstrings that share text: each is complete, and each shared part is written once."""

from __future__ import annotations

import inspect
import textwrap
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")


def complete(function: F, **parts: str) -> F:
    """Replace each ``%(name)s`` in a function's docstring by the part of that name."""
    text = inspect.getdoc(function)
    if text is not None:  # python -OO strips docstrings
        for name, part in parts.items():
            text = text.replace(f"%({name})s", textwrap.dedent(part).strip())
        function.__doc__ = text
    return function
