"""``python -m bench COMMAND``."""

from __future__ import annotations

import sys

from bench.commands import run

if __name__ == "__main__":
    run(sys.argv[1:])
