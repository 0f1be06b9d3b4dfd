"""Fingerprints: whether a run that is resumed is the same."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def fingerprint(run: Mapping[str, Any]) -> dict[str, str]:
    """A hash of each item of a run's identity, which reveals no path or time."""
    encoded = {name: json.dumps(value, sort_keys=True).encode() for name, value in run.items()}
    return {name: hashlib.sha256(value).hexdigest() for name, value in encoded.items()}
