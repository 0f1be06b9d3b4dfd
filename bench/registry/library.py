"""One implementer of the functions: fastlogit, NumPy or another library, and how to call it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

Array = Any  # of any library
Implementation = Callable[..., Any]


def _same(array: Array) -> Array:
    return array


def _no_options(_: int | None) -> dict[str, Any]:
    return {}


class Library(NamedTuple):
    """Implementations by the names of the registry, and how to call them.

    Attributes
    ----------
    functions : dict of str to callable
    source : str
        Documentation that recommends this way to call it for speed.
    writing : frozenset of str
        Names of the functions that take ``out=``.
    convert : callable
        Makes an argument from a NumPy array.
    place : callable
        Makes the value of ``out=`` from a converted array.
    options : callable
        Keyword arguments for a number of threads (None: all cores). A library without such an
        argument sets its global number instead.
    context : callable
        Context manager around many calls.
    threaded : bool
        Whether it can use several threads.
    """

    functions: dict[str, Implementation]
    source: str = ""
    writing: frozenset[str] = frozenset()
    convert: Callable[[Array], Array] = _same
    place: Callable[[Array], Any] = _same
    options: Callable[[int | None], dict[str, Any]] = _no_options
    context: Callable[[], AbstractContextManager[Any]] = nullcontext
    threaded: bool = True
