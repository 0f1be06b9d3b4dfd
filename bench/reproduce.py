"""``python -m bench reproduce``: measures all that the README shows anew, and puts it there.

Each step is a command that can be run alone, in a process of its own, so that none finds the
memory, the threads or the caches of another.  A step that fails stops no other, but for the report
where nothing new was stored to report on.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.commands import parser

ROOT = Path(__file__).parents[1]
STEPS = {
    "table": "-m bench table --save",
    "passes": "-m bench passes --save",
    "fits": "-m bench fits --save",
    "scoring": "-m bench scoring --save",
    "accuracy": "-m bench accuracy --save",
    "pytest": "-m pytest bench -q",
    "report": "-m bench report --save",
    "readme": "-m bench readme",
}

_STORED = 1  # pytest's status where tests failed, and times were stored all the same


def main(arguments: Sequence[str] = ()) -> None:
    """Run the steps, all or those that are named, in their order; fail if one of them did."""
    command = parser("reproduce")
    command.add_argument(
        "steps",
        nargs="*",
        metavar="STEP",
        help=f"of {', '.join(STEPS)} (default: all, which takes two hours)",
    )
    names = command.parse_args(arguments).steps or list(STEPS)
    if unknown := [name for name in names if name not in STEPS]:
        command.error(f"no such step: {', '.join(unknown)}; they are {', '.join(STEPS)}")
    steps = [name for name in STEPS if name in names]
    failed: dict[str, int] = {}
    for number, name in enumerate(steps, 1):
        print(f"\n== {number} of {len(steps)}: python {STEPS[name]}", flush=True)
        if name == "report" and failed.get("pytest", _STORED) != _STORED:
            print("left out: pytest stored nothing")
            failed[name] = 1
        elif status := _status(name):
            failed[name] = status
    if failed:
        raise SystemExit(f"{command.prog}: failed: {', '.join(failed)}")


def _status(name: str) -> int:
    words = shlex.split(STEPS[name])
    return subprocess.run([sys.executable, *words], cwd=ROOT, check=False).returncode
