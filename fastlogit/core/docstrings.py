"""Docstrings that share parameters and rules: each is complete, and each rule is written once."""

from __future__ import annotations

import inspect
import textwrap
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")


def complete(function: F, **parts: str) -> F:
    """Put each of `parts` in place of the line ``%(name)s`` of a function's docstring."""
    text = inspect.getdoc(function)
    if text is not None:  # which python -OO leaves out
        for name, part in parts.items():
            text = text.replace(f"%({name})s", textwrap.dedent(part).strip())
        function.__doc__ = text
    return function
