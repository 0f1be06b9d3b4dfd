"""`fastlogit.core.files`: a file appears whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from fastlogit.core.files import keep_apart, remove_partial, replacing


def write(path, text):
    with replacing(path) as temporary:
        temporary.write_text(text)


def write_new(path, text):
    with replacing(path, force=False) as temporary:
        temporary.write_text(text)


def test_a_new_file_appears_at_the_end_of_the_block(tmp_path):
    path = tmp_path / "model.json"
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_existing_file_is_replaced_and_open_readers_keep_the_old_one(tmp_path):
    path = tmp_path / "model.json"
    path.write_text("old")
    with path.open() as reader:
        write(path, "new")
        assert reader.read() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_no_new_file_and_the_old_one_as_it_was(tmp_path, error):
    path = tmp_path / "model.json"
    path.write_text("old")

    def fail_half_way():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail_half_way()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_temporary_file_is_empty_hidden_and_in_the_same_folder(tmp_path):
    with replacing(tmp_path / "model.json") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".model.json.")
        assert temporary.stat().st_size == 0


def test_without_force_an_existing_file_is_not_replaced(tmp_path):
    path = tmp_path / "out.csv"
    write_new(path, "first")
    with pytest.raises(FileExistsError, match=r"exists already \(force=True replaces it\)$"):
        write_new(path, "second")
    assert path.read_text() == "first"
    path.unlink()

    def write_while_another_process_does():
        with replacing(path, force=False) as temporary:
            temporary.write_text("slow")
            path.write_text("of another process")

    with pytest.raises(FileExistsError):
        write_while_another_process_does()
    assert path.read_text() == "of another process"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_at_once_do_not_mix_and_the_last_to_end_wins(tmp_path):
    path = tmp_path / "model.json"
    with replacing(path) as first:
        first.write_text("first")
        write(path, "second")
        assert path.read_text() == "second"
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("as_path", [str, Path])
def test_a_name_in_the_current_folder_needs_no_folder(tmp_path, monkeypatch, as_path):
    monkeypatch.chdir(tmp_path)
    write(as_path("out.csv"), "text")
    assert (tmp_path / "out.csv").read_text() == "text"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits")
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_permissions_are_those_of_any_new_file(tmp_path, umask):
    before = os.umask(umask)
    try:
        write(tmp_path / "out.csv", "text")
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o666 & ~umask


def enter(path):
    with replacing(path):
        raise AssertionError("the block was entered")


def test_a_folder_that_does_not_exist_is_an_error_before_any_work(tmp_path):
    path = tmp_path / "missing" / "out.csv"
    with pytest.raises(FileNotFoundError) as caught:
        enter(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_folder_in_the_place_of_the_file_is_an_error_before_any_work(tmp_path):
    with pytest.raises(IsADirectoryError) as caught:
        enter(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}: ")


def test_a_pipe_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="pipe: is no regular file"):
        enter(tmp_path / "pipe")
    assert (tmp_path / "pipe").is_fifo()
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_in_the_place_of_the_folder_is_an_error_before_any_work(tmp_path):
    (tmp_path / "file").write_text("text")
    path = tmp_path / "file" / "out.csv"
    with pytest.raises(NotADirectoryError) as caught:
        enter(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert (tmp_path / "file").read_text() == "text"


def test_a_folder_that_cannot_be_written_is_an_error_before_any_work(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):  # a mode would not stop root, who runs tests in containers
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(PermissionError) as caught:
        enter(tmp_path / "out.csv")
    assert str(caught.value) == f"{tmp_path / 'out.csv'}: cannot write here: Permission denied"


def test_a_temporary_file_that_has_gone_is_an_error_and_the_old_file_stays(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), replacing(path) as temporary:
        temporary.unlink()
    assert path.read_text() == "old"


def test_the_content_is_on_disk_before_the_name(tmp_path, monkeypatch):
    path = tmp_path / "out.csv"
    seen = []
    monkeypatch.setattr(os, "fsync", lambda handle: seen.append((os.fstat(handle), path.exists())))
    write(path, "text")
    ((status, existed),) = seen
    assert status.st_ino == path.stat().st_ino
    assert status.st_size == 4
    assert not existed


def test_the_file_of_a_killed_process_is_removed_unless_another_one_writes(tmp_path):
    path = tmp_path / "out.csv"
    with replacing(path, alone=True) as temporary:
        remove_partial(path)
        assert temporary.exists()
    temporary.write_text("half")  # of a process that was killed
    remove_partial(path)
    remove_partial(path)
    assert list(tmp_path.iterdir()) == [path]


# Files that are read ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["in.csv", "./in.csv", "folder/../in.csv", "symbolic", "hard"])
def test_an_output_that_is_an_input_is_an_error(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path("in.csv").write_text("text")
    Path("folder").mkdir()
    Path("symbolic").symlink_to("in.csv")
    Path("hard").hardlink_to("in.csv")
    with pytest.raises(ValueError, match=f"^{name}: is a file to read; give the output another"):
        keep_apart(name, "other.csv", tmp_path / "in.csv")


def test_an_output_that_is_new_or_another_file_is_none(tmp_path):
    for name in ("in.csv", "out.csv"):
        (tmp_path / name).write_text("the same text")
    keep_apart(tmp_path / "out.csv", tmp_path / "in.csv")
    keep_apart(tmp_path / "new.csv", tmp_path / "in.csv", tmp_path / "gone.csv")
