"""``python -m bench counts``: instructions of each function, which do not vary from run to run.

A small process calls every function, twice at each of two sizes, under ``valgrind
--tool=callgrind``, or where that is not installed and the processor lets count, one process for
each size under ``perf stat``.  What a call takes whatever its size is subtracted: the difference
of the counts is divided by the difference of the sizes.

Valgrind knows no AVX-512.  So everything is compiled for x86-64-v3 (AVX2) there, whatever the
processor can do, on x86; it counts instructions, not what they take.
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
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

from tqdm import tqdm

import fastlogit as fl
from bench import machine
from bench.commands import output, parser
from bench.data import COLUMNS
from bench.implementations import FUNCTIONS
from bench.measure import DTYPES

NAMES = tuple(f"{name} {dtype}" for name in FUNCTIONS for dtype in DTYPES)
# Elements, or rows of X, at which a function of fastlogit is called.
SIZES = (8_192, 32_768)
VALGRIND, PERF = "valgrind", "perf"
# Also where the other process has a fastlogit of another version, so it knows nothing of bench.
# Valgrind writes down its count, and begins anew, where os.getppid is called.
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
    """Neither tool is there, or lets count."""


def counts(
    python: str,
    names: Iterable[str] = NAMES,
    progress: Callable[[float], object] = lambda _share: None,
) -> dict[str, float]:
    """Instructions of an element (a row, where X is passed) of functions of fastlogit.

    Parameters
    ----------
    python : str
        The interpreter whose fastlogit is called.  `sys.executable` stands for the fastlogit that
        is imported here, others for the one that is installed there.
    names : iterable of str
        Such as "sigmoid float64": some of `NAMES`.
    progress : callable, optional
        Told now and then which share of it is done.

    Raises
    ------
    NoCounterError
        If there is nothing to count with.
    """
    names = list(names)
    cases = [_case(name, n) for name in names for n in SIZES]
    with tempfile.TemporaryDirectory(prefix="fastlogit-counts-") as folder:
        environment = _environment(python, folder)
        if tool() == VALGRIND:
            totals = _by_valgrind(python, cases, folder, environment, progress)
        else:
            totals = []
            for case in cases:
                totals.append(_by_perf(python, case, folder, environment))
                progress(len(totals) / len(cases))
    pairs = zip(totals[::2], totals[1::2], strict=True)
    growth = SIZES[1] - SIZES[0]
    return {name: (more - few) / growth for name, (few, more) in zip(names, pairs, strict=True)}


def tool() -> str:
    """Which of the two counts here."""
    if shutil.which(VALGRIND):
        return VALGRIND
    if shutil.which(PERF):
        command = [PERF, "stat", "-x,", "-e", "instructions:u", "true"]
        first = subprocess.run(command, capture_output=True, text=True).stderr.split(",")[0]
        if first.isdigit():
            return PERF
    raise NoCounterError(
        "instructions cannot be counted: valgrind is not installed, and perf is not either or "
        "this machine has no counters for it"
    )


def _case(name: str, n: int) -> str:
    function, dtype = name.split()
    return " ".join([function, dtype, str(n), *FUNCTIONS[function].arguments])


def _environment(python: str, folder: str) -> dict[str, str]:
    """Of a process with a cache of its own, that does the same each time."""
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
    python: str,
    cases: list[str],
    folder: str,
    environment: dict[str, str],
    progress: Callable[[float], object],
) -> list[int]:
    """Of one call of each case; its second one, when it finds everything as it left it."""
    # Three of each case: all that comes before its first call, the first, and the second.
    dumps = [Path(folder, f"callgrind.{number}") for number in range(1, 3 * len(cases) + 1)]
    done = Event()

    def tell() -> None:
        while not done.wait(0.5):
            progress(sum(dump.exists() for dump in dumps) / len(dumps))

    _run(_driver(python, cases, 0), folder, environment)  # compiles, natively
    out = Path(folder, "callgrind")
    options = ["--tool=callgrind", "--dump-before=getppid", f"--callgrind-out-file={out}"]
    with ThreadPoolExecutor(1) as pool:
        pool.submit(tell)
        try:
            _run([VALGRIND, *options, *_driver(python, cases, 2)], folder, environment)
        finally:
            done.set()
    return [_total(dump.read_text()) for dump in dumps[2::3]]


def _total(dump: str) -> int:
    return int(re.search(r"^(?:totals|summary): (\d+)", dump, re.MULTILINE)[1])


def _by_perf(python: str, case: str, folder: str, environment: dict[str, str]) -> int:
    """Of one call, from a process with many; what Python does beside varies by too much for few."""
    _run(_driver(python, [case], 0), folder, environment)
    count = [PERF, "stat", "-x,", "-e", "instructions:u"]
    few, many = (
        int(_run([*count, *_driver(python, [case], calls)], folder, environment).split(",")[0])
        for calls in (1, 101)
    )
    return (many - few) // 100


def main(arguments: Sequence[str] = ()) -> None:
    """Count, and print a table."""
    command = parser("counts")
    command.add_argument(
        "--only", nargs="+", choices=FUNCTIONS, default=FUNCTIONS, metavar="FUNCTION"
    )
    command.add_argument("--json", type=output, metavar="FILE", help="store them")
    options = command.parse_args(arguments)
    names = [name for name in NAMES if name.split()[0] in options.only]
    try:
        with tqdm(total=1.0, bar_format="{percentage:3.0f}%|{bar}| {elapsed}", disable=None) as bar:
            found = counts(sys.executable, names, lambda share: bar.update(share - bar.n))
    except NoCounterError as error:
        command.exit(1, f"{command.prog}: {error}\n")
    print(f"{machine.text()}\n")
    if tool() == VALGRIND:
        print("By callgrind; on x86, Numba compiles for x86-64-v3, as valgrind knows no AVX-512.")
    print(f"Instructions of an element, or of a row of {COLUMNS} columns, on one thread.\n")
    print(f"| | {' | '.join(DTYPES)} |\n|---|" + "--:|" * len(DTYPES))
    for name in options.only:
        cells = [f"{found[f'{name} {dtype}']:.2f}" for dtype in DTYPES]
        print(f"| `{name}` | {' | '.join(cells)} |")
    if options.json is not None:
        stored = {"machine": machine.describe(), "tool": tool(), "instructions": found}
        options.json.write_text(json.dumps(stored, indent=1) + "\n")
