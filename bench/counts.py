"""``python -m bench counts``: instructions per element, which do not vary from run to run.

A small process calls every function at two sizes under ``valgrind --tool=callgrind``.  The
difference of the counts, divided by the difference of the sizes, leaves the fixed cost of a call
out.  Valgrind knows no AVX-512, so on x86 everything is compiled for x86-64-v3 (AVX2).
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import fastlogit as fl
from bench import machine, render
from bench.commands import parser
from bench.data import COLUMNS, DTYPES
from bench.registry import FUNCTIONS

# Elements or rows of the two calls.
SIZES = (8_192, 32_768)
# Valgrind writes its count down, and starts again from zero, at each call of os.getppid.
_DRIVER = """
import gc, os, sys
from operator import attrgetter
import fastlogit as fl
from bench.data import argument
gc.disable()
for case in sys.argv[2:]:
    name, dtype, n, *arguments = case.split()
    function = attrgetter(name)(fl)
    values = [argument(each, int(n), dtype) for each in arguments]
    function(*values, threads=1)
    for _ in range(int(sys.argv[1])):
        os.getppid()
        function(*values, threads=1)
    os.getppid()
"""


def counts(names: Sequence[str]) -> dict[str, float]:
    """Instructions per element, or per row of X, of functions such as "sigmoid float64"."""
    cases = [_case(name, n) for name in names for n in SIZES]
    with tempfile.TemporaryDirectory(prefix="fastlogit-counts-") as folder:
        totals = _totals(cases, folder)
    pairs = zip(totals[::2], totals[1::2], strict=True)
    growth = SIZES[1] - SIZES[0]
    return {name: (more - few) / growth for name, (few, more) in zip(names, pairs, strict=True)}


def _case(name: str, n: int) -> str:
    function, dtype = name.split()
    return " ".join([function, dtype, str(n), *FUNCTIONS[function].arguments])


def _totals(cases: list[str], folder: str) -> list[int]:
    """Instructions of the second timed call of each case."""
    roots = [str(Path(fl.__file__).parents[1]), str(Path(__file__).parents[1])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(roots), "NUMBA_CACHE_DIR": folder}
    environment |= {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}
    if platform.machine() in ("x86_64", "AMD64"):
        environment |= {"NUMBA_CPU_NAME": "x86-64-v3", "NUMBA_CPU_FEATURES": ""}
    options = ["--tool=callgrind", "--dump-before=getppid"]
    valgrind = ["valgrind", *options, f"--callgrind-out-file={folder}/callgrind"]
    for before, calls in (([], 0), (valgrind, 2)):  # compiles without valgrind
        command = [*before, sys.executable, "-c", _DRIVER, str(calls), *cases]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed with {done.returncode}:\n{done.stderr}")
    # Three dumps a case: everything before its first timed call, the first, and the second.
    dumps = [Path(folder, f"callgrind.{number}") for number in range(3, 3 * len(cases) + 1, 3)]
    return [_total(dump.read_text()) for dump in dumps]


def _total(dump: str) -> int:
    found = re.search(r"^(?:totals|summary): (\d+)", dump, re.MULTILINE)
    assert found is not None
    return int(found[1])


def main(arguments: Sequence[str] = ()) -> None:
    """Count, and print a table."""
    command = parser("counts")
    command.add_argument("--only", nargs="+", choices=FUNCTIONS, default=FUNCTIONS, metavar="NAME")
    options = command.parse_args(arguments)
    if not shutil.which("valgrind"):
        command.exit(1, f"{command.prog}: valgrind is not installed\n")
    found = counts([f"{name} {dtype}" for name in options.only for dtype in DTYPES])
    print(f"{render.machine(machine.describe('scipy'))}\n")
    print(f"Instructions per element, or per row of {COLUMNS} columns; one thread, AVX2 on x86.\n")
    lines = [
        [f"`{name}`", *(f"{found[f'{name} {dtype}']:.2f}" for dtype in DTYPES)]
        for name in options.only
    ]
    print(render.grid(["function", *DTYPES], lines))
