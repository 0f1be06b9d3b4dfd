"""``python -m bench counts``: instructions per element, which do not vary from run to run.

A small process calls every function at two sizes under ``valgrind --tool=callgrind``, or without
valgrind under ``perf stat`` where the processor counts.  The difference of the counts, divided by
the difference of the sizes, leaves the fixed cost of a call out.

Valgrind knows no AVX-512, so on x86 everything is compiled for x86-64-v3 (AVX2) there.  It counts
instructions, not time.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import fastlogit as fl
from bench import machine, render
from bench.commands import output, parser
from bench.data import COLUMNS, DTYPES
from bench.registry import FUNCTIONS

# Elements or rows of the two calls.
SIZES = (8_192, 32_768)
VALGRIND, PERF = "valgrind", "perf"
_PERF_STAT = [PERF, "stat", "-x,", "-e", "instructions:u"]
# Knows nothing of bench, so that it also runs where another version of fastlogit is installed.
# Valgrind writes its count down, and starts again from zero, at each call of os.getppid.
_DRIVER = """
import gc, os, sys
import numpy as np
import fastlogit as fl
columns, calls, *cases = sys.argv[1:]
columns, calls = int(columns), int(calls)
gc.disable()
rng = np.random.default_rng(2013)
def arrays(name, n, dtype):
    draw = dict(
        z=lambda: rng.normal(scale=3.0, size=n),
        y=lambda: rng.uniform(0.001, 0.999, n),
        t=lambda: rng.random(n) < 0.3,
        X=lambda: rng.normal(size=(n, columns)),
        coef=lambda: rng.normal(scale=0.2, size=columns),
        direction=lambda: rng.normal(size=columns),
    )
    return draw[name]().astype(dtype)
for case in cases:
    name, dtype, n, *arguments = case.split()
    function = fl
    for part in name.split("."):
        function = getattr(function, part)
    values = [arrays(argument, int(n), dtype) for argument in arguments]
    function(*values, threads=1)
    for _ in range(calls):
        os.getppid()
        function(*values, threads=1)
    os.getppid()
"""


class NoCounterError(Exception):
    """Neither tool can count here."""


def counts(python: str, names: Iterable[str]) -> dict[str, float]:
    """Instructions per element, or per row of X, of functions such as "sigmoid float64".

    Parameters
    ----------
    python : str
        Interpreter; `sys.executable` uses the fastlogit that is imported here, another one the
        fastlogit that is installed there.

    Raises
    ------
    NoCounterError
        If neither valgrind nor perf can count.
    """
    names = list(names)
    cases = [_case(name, n) for name in names for n in SIZES]
    with tempfile.TemporaryDirectory(prefix="fastlogit-counts-") as folder:
        environment = _environment(python, folder)
        if tool() == VALGRIND:
            totals = _by_valgrind(python, cases, folder, environment)
        else:
            totals = [_by_perf(python, case, folder, environment) for case in cases]
    pairs = zip(totals[::2], totals[1::2], strict=True)
    growth = SIZES[1] - SIZES[0]
    return {name: (more - few) / growth for name, (few, more) in zip(names, pairs, strict=True)}


def tool() -> str:
    """The tool that can count here."""
    if shutil.which(VALGRIND):
        return VALGRIND
    if shutil.which(PERF):
        done = subprocess.run([*_PERF_STAT, "true"], capture_output=True, text=True)
        if done.stderr.split(",")[0].isdigit():
            return PERF
    raise NoCounterError(
        "instructions cannot be counted: valgrind is not installed, and perf is not installed "
        "either or this machine has no counters for it"
    )


def _case(name: str, n: int) -> str:
    function, dtype = name.split()
    return " ".join([function, dtype, str(n), *FUNCTIONS[function].arguments])


def _environment(python: str, folder: str) -> dict[str, str]:
    """Environment in which a process does the same each time, with a cache of its own."""
    found = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if python == sys.executable:
        found["PYTHONPATH"] = str(Path(fl.__file__).parents[1])
    found |= {"NUMBA_CACHE_DIR": folder, "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}
    if tool() == VALGRIND and platform.machine() in ("x86_64", "AMD64"):
        found |= {"NUMBA_CPU_NAME": "x86-64-v3", "NUMBA_CPU_FEATURES": ""}
    return found


def _run(command: Sequence[str], folder: str, environment: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed with {done.returncode}:\n{done.stderr}")
    return done.stderr


def _driver(python: str, cases: list[str], calls: int) -> list[str]:
    return [python, "-c", _DRIVER, str(COLUMNS), str(calls), *cases]


def _by_valgrind(
    python: str, cases: list[str], folder: str, environment: dict[str, str]
) -> list[int]:
    """Instructions of the second timed call of each case."""
    _run(_driver(python, cases, 0), folder, environment)  # compiles without valgrind
    out = Path(folder, "callgrind")
    options = ["--tool=callgrind", "--dump-before=getppid", f"--callgrind-out-file={out}"]
    _run([VALGRIND, *options, *_driver(python, cases, 2)], folder, environment)
    # Three dumps a case: everything before its first timed call, the first, and the second.
    dumps = [Path(folder, f"callgrind.{number}") for number in range(3, 3 * len(cases) + 1, 3)]
    return [_total(dump.read_text()) for dump in dumps]


def _total(dump: str) -> int:
    found = re.search(r"^(?:totals|summary): (\d+)", dump, re.MULTILINE)
    assert found is not None
    return int(found[1])


def _by_perf(python: str, case: str, folder: str, environment: dict[str, str]) -> int:
    """Instructions of a call, as the mean of a hundred: what Python does besides varies."""
    _run(_driver(python, [case], 0), folder, environment)
    few, many = (
        int(_run([*_PERF_STAT, *_driver(python, [case], calls)], folder, environment).split(",")[0])
        for calls in (1, 101)
    )
    return (many - few) // 100


def main(arguments: Sequence[str] = ()) -> None:
    """Count, and print a table."""
    command = parser("counts")
    command.add_argument(
        "--only", nargs="+", choices=FUNCTIONS, default=FUNCTIONS, metavar="FUNCTION"
    )
    command.add_argument("--json", type=output, metavar="FILE", help="store the counts")
    options = command.parse_args(arguments)
    names = [f"{name} {dtype}" for name in options.only for dtype in DTYPES]
    try:
        found = counts(sys.executable, names)
    except NoCounterError as error:
        command.exit(1, f"{command.prog}: {error}\n")
    print(f"{render.machine(machine.describe('scipy'))}\n")
    if tool() == VALGRIND:
        print("Counted by callgrind; on x86, Numba compiles for x86-64-v3, without AVX-512.")
    print(f"Instructions per element, or per row of {COLUMNS} columns, on one thread.\n")
    lines = [
        [f"`{name}`", *(f"{found[f'{name} {dtype}']:.2f}" for dtype in DTYPES)]
        for name in options.only
    ]
    print(render.grid(["function", *DTYPES], lines))
    if options.json is not None:
        stored = {"machine": machine.describe(), "tool": tool(), "instructions": found}
        options.json.write_text(json.dumps(stored, indent=1) + "\n")
