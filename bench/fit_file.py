"""``python -m bench.fit_file PATH``: train on a Parquet file, in a process of its own.

It prints its figures as JSON.  A fit of a small file comes first, so that compiled code is loaded.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import fastlogit as fl
from bench.files import LABEL
from bench.measure import seconds_of


def fit_file(
    path: Path, small: Path, *, tol: float, out_of_core: bool, l2: float, threads: int
) -> dict[str, Any]:
    """Figures of a fit in a new process: seconds, reads, memory and the optimum."""
    words = ["-m", __name__, path, small, "--tol", tol, "--l2", l2, "--threads", threads]
    words += ["--out-of-core"] if out_of_core else []
    done = subprocess.run(
        [sys.executable, *map(str, words)], check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def storage_bytes() -> int:
    """Bytes that this process has read from storage, and not from the page cache."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("read_bytes"))


def peak_bytes() -> int:
    """Largest resident set of this process."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """Fit, and print the figures."""
    command = argparse.ArgumentParser()
    command.add_argument("path", type=Path)
    command.add_argument("small", type=Path)
    command.add_argument("--tol", type=float)
    command.add_argument("--l2", type=float)
    command.add_argument("--threads", type=int)
    command.add_argument("--out-of-core", action="store_true")
    given = command.parse_args()
    options = {name: getattr(given, name) for name in ("tol", "l2", "threads", "out_of_core")}
    fl.fit(given.small, label=LABEL, **options)
    before, models = storage_bytes(), []
    seconds = seconds_of(lambda: models.append(fl.fit(given.path, label=LABEL, **options)))
    (model,) = models
    figures = {
        "seconds": seconds,
        "passes": model.passes,
        "peak_bytes": peak_bytes(),
        "storage_bytes": storage_bytes() - before,
        "gradient_norm": model.gradient_norm,
        "coef": model.coef.tolist(),
        "intercept": model.intercept,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
