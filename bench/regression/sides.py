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
# What a wheel is made of.
_SOURCES = ("fastlogit", "pyproject.toml", "README.md", "LICENSE")
WORKING_TREE = "."
# Seconds after which what a side does is given up: it hangs.
PATIENCE_S = 300.0
# Seconds that a process may take to end.
END_S = 20.0
_HUGE_PAGE = 2 << 20


class SideError(Exception):
    """What could not be done for a side, or what it could not do, and which process of it."""

    def __init__(self, message: str, worker: Worker | None = None) -> None:
        super().__init__(message)
        self.worker = worker


@dataclass
class Side:
    """An installed revision.

    Attributes
    ----------
    name : str
        As it was asked for.
    wheel : Path
    python : Path
        Interpreter of its environment.
    folder : Path
        Where it may write; what workers import of `bench` is there as well.
    """

    name: str
    wheel: Path
    python: Path
    folder: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run its Python to the end."""
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
        return done

    def empty_cache(self) -> None:
        """Have everything compiled again."""
        shutil.rmtree(self.cache, ignore_errors=True)

    @property
    def cache(self) -> Path:
        """Folder of its Numba cache."""
        return self.folder / "cache"

    def environment(self) -> dict[str, str]:
        """Variables of its processes: a Numba cache and temporary files of its own."""
        ours = {"PYTHONPATH", "PYTHONSTARTUP", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV"}
        kept = {name: value for name, value in os.environ.items() if name not in ours}
        return kept | {"NUMBA_CACHE_DIR": str(self.cache), "TMPDIR": str(self.folder)}


def build(revision: str, folder: Path) -> Side:
    """Build a git revision, the working tree (".") or a wheel, and install it."""
    folder.mkdir(parents=True)
    wheel = Path(revision)
    if wheel.suffix != ".whl":
        source = folder / "source"
        _check_out(revision, source)
        wheel = wheel_of(source, folder)
    return install(revision, wheel, folder)


def wheel_of(source: Path, folder: Path) -> Path:
    """Build the wheel of some sources, into a new folder within one."""
    into = folder / f"wheel of {source.name}"
    _pip("wheel", "--no-deps", "--wheel-dir", str(into), str(source))
    (wheel,) = into.glob("*.whl")
    return wheel


def install(name: str, wheel: Path, folder: Path) -> Side:
    """Install a wheel into an environment of its own.

    Its dependencies are those of the running environment, the same for both sides, so that
    nothing but fastlogit differs.
    """
    environment = folder / "environment"
    venv.create(environment, with_pip=False)
    variables = {"base": str(environment), "platbase": str(environment)}
    packages = Path(sysconfig.get_path("purelib", "venv", variables))
    _pip("install", "--no-deps", "--target", str(packages), str(wheel.resolve()))
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    shutil.copytree(ROOT / "bench", folder / "bench", ignore=shutil.ignore_patterns("results"))
    programs = Path(sysconfig.get_path("scripts", "venv", variables))
    return Side(name, wheel, programs / Path(sys.executable).name, folder)


def resolved(revision: str) -> str:
    """Hash of a git revision."""
    return git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").decode().strip()


def revision_of(name: str) -> str | None:
    """Hash of what a side was asked for as, of the working tree with whether it was changed."""
    if name == WORKING_TREE:
        return machine.revision().get("revision")
    if Path(name).suffix == ".whl":
        return f"sha256 {sha256(Path(name).read_bytes()).hexdigest()}"
    try:
        return resolved(name)
    except SideError:
        return None


def _check_out(revision: str, source: Path) -> None:
    if revision == WORKING_TREE:
        copy_sources(source)
        return
    archive = git("archive", resolved(revision), *_SOURCES)
    source.mkdir()
    subprocess.run(["tar", "--extract", "--directory", source], input=archive, check=True)


def copy_sources(source: Path) -> None:
    """Copy what the working tree's wheel is made of."""
    source.mkdir()
    for name in _SOURCES:
        path = ROOT / name
        if path.is_dir():
            leave = shutil.ignore_patterns("__pycache__", "*.nb?")
            shutil.copytree(path, source / name, ignore=leave)
        else:
            shutil.copy(path, source)


def git(*arguments: str) -> bytes:
    """What git prints."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise SideError("git is not installed") from error
    if done.returncode:
        said = done.stderr.decode().strip() or "there is no such revision"
        raise SideError(f"git {' '.join(arguments)}: {said}")
    return done.stdout


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SideError(f"pip {' '.join(arguments)}:\n{done.stderr.strip()}")


class Worker:
    """A process of a side, which does one thing after another (`bench.regression.worker`).

    Where it dies of something, or hangs, that has failed, and another process does the next thing.
    """

    def __init__(self, side: Side, pages: int) -> None:
        self.side, self.pages = side, pages
        self.since: float | None = None  # when it began what it does, or did when it was left
        self.process = self._started()

    def _started(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.side.python, "-m", "bench.regression.worker", str(self.pages)],
            cwd=self.side.folder,
            env=self.side.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def do(self, what: str, **arguments: Any) -> Any:
        """Have something done, and get its result; SideError if it did not go well."""
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
            self.process = self._started()
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

    Where arrays begin within a huge page is the same in all processes of an environment, and
    decides whether results of some MB get one. So it is another place each time, and the same of
    all sides.
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
    """Kill what hangs; seldom, as a timer for each turn would disturb what is timed."""
    while not done.wait(1.0):
        for worker in started:
            since, process = worker.since, worker.process
            if since is not None and time.monotonic() - since > PATIENCE_S:
                process.kill()
