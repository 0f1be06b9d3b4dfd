"""`fastlogit.core.memory`: the memory of the machine, and the limits of containers."""

from __future__ import annotations

import os

import pytest

from fastlogit.core import memory

V2, V1 = "0::/a/b\n", "5:memory:/a\n4:cpu,cpuacct:/x\n0::/\n"
MACHINE = 1 << 30


@pytest.fixture
def machine(monkeypatch):
    sizes = {"SC_PHYS_PAGES": MACHINE >> 12, "SC_PAGE_SIZE": 1 << 12}
    monkeypatch.setattr(os, "sysconf", sizes.__getitem__)
    return monkeypatch


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        (None, {}, MACHINE),
        (V2, {}, MACHINE),
        (V2, {"a/b/memory.max": "max"}, MACHINE),
        (V2, {"a/b/memory.max": "5000000"}, 5_000_000),
        (V2, {"a/b/memory.max": "5000000", "a/memory.max": "4000000"}, 4_000_000),
        (V2, {"a/b/memory.max": "max", "memory.max": "3000000"}, 3_000_000),
        (V2, {"a/b/memory.max": "9999999999"}, MACHINE),
        (V2, {"a/b/c/memory.max": "5000000"}, MACHINE),
        (V2, {"a/b/memory.max": ""}, MACHINE),
        (V1, {"memory/a/memory.limit_in_bytes": "5000000"}, 5_000_000),
        (V1, {"memory/memory.limit_in_bytes": "9223372036854771712"}, MACHINE),
        (V1, {"memory/memory.limit_in_bytes": "7000000"}, 7_000_000),
        (V1, {"memory/x/memory.limit_in_bytes": "5000000"}, MACHINE),
    ],
)
def test_it_is_that_of_the_machine_or_the_least_limit(machine, tmp_path, groups, files, expected):
    texts = {f"sys/fs/cgroup/{name}": text + "\n" for name, text in files.items()}
    for name, text in (texts | ({"proc/self/cgroup": groups} if groups else {})).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert memory.available(tmp_path) == expected


def test_a_system_that_does_not_tell_is_none(machine, tmp_path):
    machine.delattr(os, "sysconf")
    assert memory.available(tmp_path) is None


def test_this_machine_has_some():
    assert memory.available() > 1 << 20
