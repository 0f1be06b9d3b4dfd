"""Limits of Linux's control groups, by which containers limit cores and memory."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def limits(
    controller: str, unified: str, legacy: Sequence[str], root: Path = Path("/")
) -> Iterator[list[int]]:
    """The limits of the groups of this process, from the outermost to its own; none elsewhere.

    A group's limit also limits the groups inside it.  Many containers do not show the path of the
    process's own group; there the limit of the container is at the top.

    Parameters
    ----------
    controller : str
        "cpu" or "memory".
    unified : str
        The file with the limit in version 2.
    legacy : sequence of str
        The files in version 1, with one number each; `unified` has as many.
    root : path
        Where the file system begins.

    Yields
    ------
    list of int
        The numbers in the files of a group.  A group without a limit is left out.
    """
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
    except (OSError, ValueError):
        return
    for line in groups:
        _, controllers, path = line.split(":", 2)
        if controllers == "":  # version 2
            top, names = root / "sys/fs/cgroup", [unified]
        elif controller in controllers.split(","):
            top, names = root / "sys/fs/cgroup" / controller, list(legacy)
        else:
            continue
        inside = path.strip("/").split("/")
        for depth in range(len(inside) + 1):
            group = top.joinpath(*inside[:depth])
            with suppress(OSError, ValueError):  # the file is absent, or contains "max"
                texts = [(group / name).read_text() for name in names]
                numbers = [int(number) for number in " ".join(texts).split()]
                if len(numbers) == len(legacy):
                    yield numbers
