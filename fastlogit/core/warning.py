"""Warnings that point at the user's code."""

from __future__ import annotations

import sys
import warnings


def warn_caller(warning: Warning) -> None:
    """Give a warning that names the line of the first caller outside this package."""
    package, level = __name__.partition(".")[0], 1
    frame = sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        frame, level = frame.f_back, level + 1
    warnings.warn(warning, stacklevel=level)
