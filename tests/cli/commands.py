"""Commands that the tests run, and the table that they run on."""

from __future__ import annotations

import contextlib
import subprocess
import sys

ROWS = {"t": [0, 1, 1, 0, 1], "x": [0.5, 2.0, 1.0, 0.0, -0.5], "k": [1, 0, 1, 0, 1]}
TRAIN = ["train", "data.parquet", "--label", "t", "-o", "m.json"]
SCORE = ["score", "model.json", "data.parquet", "-o", "y.csv"]


def raising(error):
    """A function that raises this error."""

    def function(*_args, **_kwargs):
        raise error

    return function


def run(*argv, given=b""):
    """Run a command in a process of its own, where warnings are errors."""
    command = [sys.executable, "-W", "error", "-m", "fastlogit", *argv]
    return subprocess.run(command, input=given, capture_output=True, check=False)


@contextlib.contextmanager
def running(*argv):
    """A command that reads from a pipe, which stays open until the command has ended."""
    with subprocess.Popen(
        [sys.executable, "-m", "fastlogit", *argv], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()


def closed(stream, *argv):
    """Run a command without one of its streams, as a shell does."""
    script = f'exec "$@" {stream}'
    command = ["sh", "-c", script, "sh", sys.executable, "-W", "error", "-m", "fastlogit", *argv]
    return subprocess.run(command, capture_output=True, check=False)
