"""Processes that begin with fastlogit imported, for tests that need one of their own.

They are forks of a server, which has imported it and done nothing else.  A new interpreter takes
0.7 to 1 s of processor time for its imports.  Tests of an interpreter's beginning, end or standard
streams start a new one.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_PATIENCE_S = 120
_IS_POSIX = "forkserver" in multiprocessing.get_all_start_methods()
_CONTEXT = multiprocessing.get_context("forkserver" if _IS_POSIX else "spawn")
_CONTEXT.set_forkserver_preload(["fastlogit.cli.score", "pyarrow.csv", "pyarrow.parquet"])


def start(code, *arguments, output=()):
    """Process that runs Python code, with warnings as errors; `output` are ends of two pipes."""
    there = (Path.cwd(), dict(os.environ))
    process = _CONTEXT.Process(target=_execute, args=(code, arguments, there, output))
    process.start()
    return process


def run(code, *arguments):
    """Run Python code as `start` does, and wait for it; its status and output."""
    pipes = [_CONTEXT.Pipe(duplex=False) for _ in range(2)]
    process = start(code, *arguments, output=[writer for _, writer in pipes])
    for _, writer in pipes:
        writer.close()
    with ThreadPoolExecutor(2) as pool:
        texts = pool.map(_text, [reader for reader, _ in pipes])
        process.join(_PATIENCE_S)
        process.kill()
        process.join()
    return subprocess.CompletedProcess(arguments, process.exitcode, *texts)


def _text(reader):
    with reader, open(reader.fileno(), closefd=False) as file:
        return file.read()


def _execute(code, arguments, there, output):
    folder, environment = there
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for stream, writer in zip((sys.stdout, sys.stderr), output, strict=False):
        os.dup2(writer.fileno(), stream.fileno())
        writer.close()
    sys.argv = ["-c", *map(str, arguments)]
    warnings.simplefilter("error")
    # From 3.12 on, Python warns of any fork of a process with threads.
    warnings.filterwarnings("ignore", "This process", DeprecationWarning)
    exec(compile(code, "<code>", "exec"), {"__name__": "__main__"})
