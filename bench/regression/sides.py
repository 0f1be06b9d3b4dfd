"""A side of a comparison: a revision, built and installed into an environment of its own."""

from __future__ import annotations

import json
import mmap
import os
import random
import shutil
import site
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Event, Thread
from typing import Any

from bench import machine

ROOT = Path(__file__).parents[2]
# Sources of the wheel.
_SOURCES = ("fastlogit", "pyproject.toml", "README.md", "LICENSE")
WORKING_TREE = "."
# Seconds after which a side's answer is given up.
PATIENCE_S = 300.0
# Seconds that a process may take to end.
END_S = 20.0
_HUGE_PAGE = 2 << 20


class SideError(Exception):
    """A side could not be built, or failed; `worker` is the process that failed."""

    def __init__(self, message: str, worker: Worker | None = None) -> None:
        super().__init__(message)
        self.worker = worker


@dataclass
class Side:
    """An installed revision: its name as the user wrote it, its wheel and its interpreter.

    `folder` is for its files, and holds a copy of `bench` for the workers.
    """

    name: str
    wheel: Path
    python: Path
    folder: Path

    def run(self, *arguments: str) -> str:
        """Standard output of its Python."""
        try:
            done = subprocess.run(
                [self.python, *arguments],
                cwd=self.folder,
                env=self.environment(),
                capture_output=True,
                text=True,
                check=False,
                timeout=PATIENCE_S,
            )
        except subprocess.TimeoutExpired as error:
            raise SideError(f"{self.name}: not done after {PATIENCE_S:g} s") from error
        if done.returncode:
            said = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
            raise SideError(f"{self.name}: {said[-1]}")
        return done.stdout

    @property
    def cache(self) -> Path:
        """Folder of its Numba cache."""
        return self.folder / "cache"

    def environment(self) -> dict[str, str]:
        """Environment of its processes: its own Numba cache and temporary files."""
        ours = {"PYTHONPATH", "PYTHONSTARTUP", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV"}
        kept = {name: value for name, value in os.environ.items() if name not in ours}
        return kept | {"NUMBA_CACHE_DIR": str(self.cache), "TMPDIR": str(self.folder)}


# Building ---------------------------------------------------------------------------------


def build(revision: str, folder: Path) -> Side:
    """Build a git revision, the working tree (".") or a wheel, and install it."""
    folder.mkdir(parents=True)
    wheel = Path(revision)
    if wheel.suffix != ".whl":
        source = folder / "source"
        source.mkdir()
        if revision == WORKING_TREE:
            copy_sources(source)
        else:
            archive = git("archive", resolved(revision), *_SOURCES)
            subprocess.run(["tar", "--extract", "--directory", source], input=archive, check=True)
        wheel = build_wheel(source, folder)
    return install(revision, wheel, folder)


def copy_sources(source: Path) -> None:
    """Copy the sources of the working tree's wheel."""
    for name in _SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.nb?")
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source)


def build_wheel(source: Path, folder: Path) -> Path:
    """Build the wheel of some sources, in a new folder."""
    into = folder / f"wheel of {source.name}"
    _pip("wheel", "--no-deps", "--wheel-dir", str(into), str(source))
    (wheel,) = into.glob("*.whl")
    return wheel


def install(name: str, wheel: Path, folder: Path) -> Side:
    """Install a wheel into an environment of its own.

    Both sides take their dependencies from the running environment, so that only fastlogit
    differs.
    """
    environment = folder / "environment"
    venv.create(environment, with_pip=False)
    variables = {"base": str(environment), "platbase": str(environment)}
    packages = Path(sysconfig.get_path("purelib", "venv", variables))
    _pip("install", "--no-deps", "--target", str(packages), str(wheel.resolve()))
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    ignored = shutil.ignore_patterns("results", "tests", "__pycache__")
    shutil.copytree(ROOT / "bench", folder / "bench", ignore=ignored)
    programs = Path(sysconfig.get_path("scripts", "venv", variables))
    return Side(name, wheel, programs / Path(sys.executable).name, folder)


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SideError(f"pip {' '.join(arguments)}:\n{done.stderr.strip()}")


def git(*arguments: str) -> bytes:
    """Standard output of git."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise SideError("git is not installed") from error
    if done.returncode:
        said = done.stderr.decode().strip() or "there is no such revision"
        raise SideError(f"git {' '.join(arguments)}: {said}")
    return done.stdout


def resolved(revision: str) -> str:
    """Hash of a git revision."""
    return git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").decode().strip()


def identity(name: str) -> str | None:
    """Hash of a revision or a wheel; the working tree's says whether it was changed."""
    if name == WORKING_TREE:
        return machine.revision().get("revision")
    if Path(name).suffix == ".whl":
        return f"sha256 {sha256(Path(name).read_bytes()).hexdigest()}"
    try:
        return resolved(name)
    except SideError:
        return None


# Processes --------------------------------------------------------------------------------


class Worker:
    """A process of a side, which does one thing after another (`bench.regression.worker`).

    A process that dies or hangs is replaced by another one.
    """

    def __init__(self, side: Side, pages: int) -> None:
        self.side, self.pages = side, pages
        self.since: float | None = None  # when the present request began
        self.process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.side.python, "-m", "bench.regression.worker", str(self.pages)],
            cwd=self.side.folder,
            env=self.side.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def do(self, what: str, **arguments: Any) -> Any:
        """Result of a request; SideError if it failed."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        self.since = start = time.monotonic()
        try:
            print(json.dumps({"do": what, **arguments}), file=stdin, flush=True)
            answer = json.loads(stdout.readline())
        except (BrokenPipeError, ValueError) as error:
            waited, self.since = time.monotonic() - start, None
            self.end()
            ended = f"its process has ended, with status {self.process.returncode}"
            self.process = self._start()
            said = ended if waited < PATIENCE_S else f"no answer after {PATIENCE_S:g} s"
            raise SideError(f"{self.side.name}: {said}", self) from error
        self.since = None
        if "error" in answer:
            raise SideError(f"{self.side.name}: {answer['error']}", self)
        return answer["result"]

    def end(self) -> None:
        """End the process, at once if it is busy."""
        if self.since is not None:
            self.process.kill()
            self.since = None
        with suppress(BrokenPipeError):
            try:
                self.process.communicate(timeout=END_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.communicate()


@contextmanager
def workers(*sides: Side) -> Iterator[list[Worker]]:
    """Processes of some sides, started together.

    Whether results of some MB lie in huge pages depends on the place of the arrays, which is the
    same in every process of an environment.  So each call moves it, equally for all sides.
    """
    pages = random.SystemRandom().randint(1, _HUGE_PAGE // mmap.PAGESIZE)
    started: list[Worker] = []
    done = Event()
    Thread(target=_watch, args=(started, done), daemon=True).start()
    try:
        started.extend(Worker(side, pages) for side in sides)
        yield started
    finally:
        done.set()
        for worker in started:
            worker.end()


def _watch(started: list[Worker], done: Event) -> None:
    """Kill processes that hang; once a second, as timers of turns would disturb the timing."""
    while not done.wait(1.0):
        for worker in started:
            since, process = worker.since, worker.process
            if since is not None and time.monotonic() - since > PATIENCE_S:
                process.kill()
