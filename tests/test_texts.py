"""Blocks of lines, of files and streams, compressed or not."""

from __future__ import annotations

import bz2
import gzip
import io

import pyarrow as pa
import pytest

from fastlogit.scoring import texts

LINES = b"".join(b"line %d\n" % number * (number % 5) for number in range(2000))


def write(path, content):
    suffix = path.suffix
    if suffix == ".gz":
        path.write_bytes(gzip.compress(content))
    elif suffix == ".bz2":
        path.write_bytes(bz2.compress(content))
    elif suffix == ".txt":
        path.write_bytes(content)
    else:
        with pa.output_stream(path, compression=texts.CODECS[suffix]) as file:
            file.write(content)
    return path


@pytest.mark.parametrize("content", [LINES, LINES[:-1], b"one line", b""])
@pytest.mark.parametrize("suffix", ["txt", "gz", "bz2", "zst", "lz4"])
@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
def test_blocks_of_a_file_are_whole_lines(tmp_path, monkeypatch, content, suffix, size):
    if size == 1:
        content = content[-100:]
    monkeypatch.setattr(texts, "_BLOCK_BYTES", size)
    path = write(tmp_path / f"x.{suffix}", content)
    text = texts.of_file(path)
    blocks = list(text.blocks())
    assert b"".join(block.lines for block in blocks) == content
    assert all(block.lines.endswith(b"\n") for block in blocks[:-1])
    assert text.head == (blocks[0].lines if blocks else b"")
    edges = [(block.start, block.stop) for block in blocks]
    assert [start for start, _ in edges[1:]] == [stop for _, stop in edges[:-1]]
    if blocks:
        assert edges[0][0] == 0
        assert edges[-1][1] == path.stat().st_size
    assert list(text.blocks()) == blocks  # again


def test_blocks_of_a_stream(monkeypatch):
    monkeypatch.setattr(texts, "_BLOCK_BYTES", 100)
    text = texts.of_stream("here", io.BytesIO(LINES))
    blocks = list(text.blocks())
    assert (text.name, text.files) == ("here", ())
    assert text.head == blocks[0].lines
    assert b"".join(block.lines for block in blocks) == LINES
    assert blocks[-1].stop == len(LINES)


def test_a_line_without_end_is_an_error_before_it_is_all_read(monkeypatch):
    monkeypatch.setattr(texts, "_LONGEST_LINE", 1 << 20)
    monkeypatch.setattr(texts, "_BLOCK_BYTES", 1 << 18)
    file = io.BytesIO(b"a\n" + b"x" * (1 << 22))
    text = texts.of_stream("here", file)
    with pytest.raises(ValueError, match=r"^a line is longer than 1 megabytes$"):
        list(text.blocks())
    assert file.tell() < 1 << 21


def test_where_a_row_of_a_block_is():
    block = texts.Block(b"", 100, 200)
    assert [block.position(row, 4) for row in range(5)] == [100, 125, 150, 175, 200]
