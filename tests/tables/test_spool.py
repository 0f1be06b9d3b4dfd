"""Copies on disk of tables that can be read only once."""

from __future__ import annotations

import errno
import io
import os
import re
import resource
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

from fastlogit.scoring import CSVOptions
from fastlogit.tables.source import open_table
from fastlogit.tables.spool import spooled
from tests.scoring_data import (
    PAIRS,
    arrow_stream,
    fifo,
    libsvm_text,
    pair_text,
    standard_input,
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder for temporary files, in which there is and was none at the end."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    assert list(folder.iterdir()) == []
    assert open_files(folder) == 0


def open_files(folder):
    """How many open files of this process lie in a folder, with a name there or without."""
    links = []
    for path in Path("/proc/self/fd").glob("*"):
        with suppress(OSError):  # the folder of these links itself
            links.append(path.readlink())
    return sum(link.parent == folder for link in links)


def described(batch):
    """Everything in a batch, as a text that tells -0.0 from 0.0 and shows NaN."""
    data = batch.data
    if hasattr(data, "schema"):
        data = (str(data.schema), data.to_pydict())
    elif sparse.issparse(data):
        data = [data.shape, *(array.tolist() for array in (data.data, data.indices, data.indptr))]
    labels = None if batch.labels is None else batch.labels.tolist()
    return repr((data, batch.file, batch.first, labels, batch.bytes_read))


def described_rows(table, *, text=(), rows=90, start=0):
    """The batches of a table, or the error of reading it."""
    wanted = table.want(range(len(table.dtypes)), text=text, batch_rows=rows, start=start)
    try:
        return [described(batch) for batch in table.read(wanted)]
    except ValueError as error:
        return str(error)


def must_read_alike(opening, text=()):
    """A copy of a table gives the same batches and errors as the table itself."""
    every = []
    with spooled(opening()) as table:
        assert table.is_repeatable
        for start in (0, 0, 137):
            original = opening()
            for attribute in ("name", "names", "dtypes", "csv", "index", "has_labels"):
                assert getattr(table, attribute) == getattr(original, attribute)
            every.append(described_rows(original, text=text, start=start))
            assert described_rows(table, text=text, start=start) == every[-1]
    return every[0]


# Pipes ------------------------------------------------------------------------------------

ROWS = [f"{i},{i % 8 * 125};{i % 7};text {i}" for i in range(300)]


def lines(rows, header="a;b;c"):
    return "\n".join([header, *rows, ""]).encode()


GERMAN = CSVOptions(delimiter=";", decimal=",")
SIGNS = ["?;1,5;\xe9", *ROWS, '"1";"2";"a\n\nb"', "", "true;;"]
CONTENTS = {
    "csv": (pair_text(), {}, 2),
    "tsv": (pair_text("\t"), {"file_format": "tsv"}, 2),
    "options": (
        lines(SIGNS).replace(b"\xc3\xa9", b"\xe9"),
        {"csv": CSVOptions(";", ",", encoding="cp1252", null_values=["?"])},
        2,
    ),
    "a number in row 0 that is none": (lines(["x;1;y", *ROWS]), {"csv": GERMAN}, 2),
    "a number in row 250 that is none": (
        lines([*ROWS[:250], "many;1;y", *ROWS]), {"csv": GERMAN}, 2
    ),
    "a cell too few": (lines([*ROWS[:250], "1;2", *ROWS]), {"csv": GERMAN}, 2),
    "libsvm": (libsvm_text(), {"file_format": "libsvm", "width": 3}, 1),
    "libsvm from 0": (libsvm_text(True), {"file_format": "libsvm0", "width": 3}, 1),
    "a bad row of libsvm": (
        libsvm_text() + b"0 1:many\n", {"file_format": "libsvm", "width": 2}, 1
    ),
    "arrow": (arrow_stream(), {}, 0),
    "arrow, cut": (arrow_stream()[:-3000], {}, 0),
}  # fmt: skip


# In one block, a row with a cell too few would be an error of opening.
BLOCKS = [(name, 500) for name in CONTENTS]
BLOCKS += [(name, 1 << 22) for name in CONTENTS if name != "a cell too few"]


@pytest.mark.parametrize(("name", "block"), BLOCKS)
def test_a_copy_of_a_pipe_reads_like_the_pipe(monkeypatch, name, block):
    monkeypatch.setattr("fastlogit.tables.text_file._BLOCK_BYTES", block)
    content, options, text = CONTENTS[name]

    def opening():
        standard_input(monkeypatch, content)
        return open_table("-", **options)

    found = must_read_alike(opening, {text} if text > 1 else ())
    if name.startswith("a "):
        row = {"a number in row 0 that is none": 0, "a bad row of libsvm": 1000}.get(name, 250)
        assert re.match(rf"standard input: (column 'a': )?row {row}[: ]", found)
    elif name == "arrow, cut":
        assert found.startswith("standard input: ")
    else:
        assert len(found) > 3


def test_a_copy_of_a_named_pipe(tmp_path):
    opened = []

    def opening():
        opened.append(1)
        return open_table(fifo(tmp_path / f"pipe {len(opened)}", pair_text()), file_format="csv")

    with spooled(opening()) as table:
        assert table.name == str(tmp_path / "pipe 1")
        expected = [one.replace("pipe 2", "pipe 1") for one in described_rows(opening())]
        for _ in range(2):
            assert described_rows(table) == expected


def test_the_bytes_of_a_copy_are_known(monkeypatch):
    standard_input(monkeypatch, pair_text())
    with spooled(open_table("-")) as table:
        assert table.size == len(pair_text())
        assert table.progress(500, 1000) == (500, None, 1000, table.size)


def test_a_table_that_was_read_cannot_be_copied(monkeypatch):
    standard_input(monkeypatch, pair_text())
    for table in (open_table("-"), open_table(PAIRS.to_reader())):
        described_rows(table)
        with pytest.raises(ValueError, match="can be read only once"), spooled(table):
            pass


# Arrow streams ----------------------------------------------------------------------------

TYPES = pa.table(
    {
        "float": [0.0, -0.0, np.nan, None, np.inf, 5e-324],
        "small": pa.array([1.5, None, -0.0, np.nan, 0.0, 2.0], pa.float32()),
        "decimal": pa.array(["1.10", None, "-3.33", "0", "1", "2"]).cast(pa.decimal128(5, 2)),
        "dictionary": pa.array(["u", "v", None, "u", "u", "w"]).dictionary_encode(),
        "numbers": pa.array([7, None, 3, 3, 3, 7]).dictionary_encode(),
        "bool": [True, None, False, True, True, False],
        "nulls": pa.nulls(6),
        "text": ["", None, "\xe9", "a\n", "x", "y"],
        "view": pa.array(
            ["a", "b", None, "long enough to be elsewhere", "", "c"], pa.string_view()
        ),
        "list": [[1], None, [], [2, 3], [4], [5]],
        "time": pa.array([0, 1, None, 3, 4, 5], pa.timestamp("us", "UTC")),
    }
)
NUMBERS = 7  # columns; the others are read as they are


def test_a_copy_of_every_type_reads_like_the_stream():
    table = pa.concat_tables([TYPES] * 50).slice(3)
    text = {3, *range(NUMBERS, len(TYPES.columns))}
    found = must_read_alike(lambda: open_table(table.to_reader(max_chunksize=77)), text)
    assert len(found) > 3


@pytest.mark.parametrize("sizes", [[], [0], [7, 0], [0, 7, 0]])
def test_batches_without_rows(sizes):
    (whole,), schema = PAIRS.combine_chunks().to_batches(), PAIRS.schema
    batches = [whole[:size] for size in sizes]
    must_read_alike(lambda: open_table(pa.RecordBatchReader.from_batches(schema, batches)), {0})


def test_an_index_of_pandas_stays_one():
    frame = PAIRS.to_pandas().set_index("other")
    must_read_alike(lambda: open_table(pa.Table.from_pandas(frame).to_reader()), {2})


def test_names_may_be_repeated():
    table = PAIRS.rename_columns(["a", "b", "a"])
    with spooled(open_table(table.to_reader())) as copied:
        (batch,) = copied.read(copied.want(copied.find(["b"])))
    assert batch.data.column(0).equals(PAIRS["b"].combine_chunks())


def test_a_damaged_stream_is_not_copied():
    indices = pa.DictionaryArray.from_arrays(pa.array([0, 7]), pa.array(["a", "b"]), safe=False)
    table = open_table(pa.table({"k": indices, "x": [1.0, 2.0]}).to_reader())
    with pytest.raises(ValueError, match=r"^RecordBatchReader: .*out of bounds"), spooled(table):
        pass


def test_an_error_in_a_stream_ends_the_copy():
    def broken():
        yield PAIRS
        raise RuntimeError("the line is dead")

    table = open_table(broken())
    with pytest.raises(ValueError, match=r"^generator: the line is dead$"), spooled(table):
        pass


# Copies -----------------------------------------------------------------------------------


def test_a_table_that_can_be_read_again_is_no_copy(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(pair_text())
    for source in (path, PAIRS, PAIRS.to_reader, PAIRS.to_pandas()):
        table = open_table(source)
        with spooled(table) as same:
            assert same is table


def test_several_threads_can_read_a_copy(monkeypatch):
    monkeypatch.setattr("fastlogit.tables.text_file._BLOCK_BYTES", 100)
    standard_input(monkeypatch, pair_text())
    with spooled(open_table("-")) as table:
        expected = described_rows(table)
        found = [None] * 4

        def read(number):
            found[number] = described_rows(table)

        threads = [threading.Thread(target=read, args=[number]) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [expected] * 4


def test_a_copy_is_in_the_folder_for_temporary_files(folder, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(folder / "gone"))
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "gone"))
    with pytest.raises(FileNotFoundError, match="gone"), spooled(open_table(PAIRS.to_reader())):
        pass


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_nothing_is_left_after_an_error(folder, error):
    def fails():
        with spooled(open_table(PAIRS.to_reader())):
            assert list(folder.iterdir()) == []
            assert open_files(folder) == 1
            raise error

    with pytest.raises(error):
        fails()


def test_nothing_is_left_after_an_interrupted_copy(monkeypatch):
    class Interrupted(io.BytesIO):
        def read(self, size=-1):
            if self.tell() > 5000:
                raise KeyboardInterrupt
            return super().read(1000)

    monkeypatch.setattr("fastlogit.tables.text_file._BLOCK_BYTES", 1000)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=Interrupted(pair_text())))
    table = open_table("-", file_format="csv")
    with pytest.raises(KeyboardInterrupt), spooled(table):
        pass


@pytest.mark.parametrize("name", ["pipe", "stream"])
def test_a_full_disk_is_one_line_that_says_what_to_do(folder, monkeypatch, name):
    standard_input(monkeypatch, pair_text())
    table = open_table("-") if name == "pipe" else open_table(PAIRS.to_reader())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
    try:
        with pytest.raises(OSError, match="has no room") as caught, spooled(table):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(caught.value) == (
        f"{folder}: has no room for a copy of {table.name}, which can be read only once: "
        f"{os.strerror(errno.EFBIG)} (set TMPDIR to a folder with more room, or save the input as "
        "a file and read that)"
    )
