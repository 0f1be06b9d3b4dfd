"""Blocks of lines, from files and streams, compressed or not."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import random

import pyarrow as pa
import pytest

from fastlogit.tables import text_file

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
        with pa.output_stream(path, compression=text_file.CODECS[suffix]) as file:
            file.write(content)
    return path


@pytest.mark.parametrize("content", [LINES, LINES[:-1], b"one line", b""])
@pytest.mark.parametrize("suffix", ["txt", "gz", "bz2", "zst", "lz4"])
@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
def test_blocks_of_a_file_are_whole_lines(tmp_path, monkeypatch, content, suffix, size):
    if size == 1:
        content = content[-100:]
    monkeypatch.setattr(text_file, "_BLOCK_BYTES", size)
    path = write(tmp_path / f"x.{suffix}", content)
    text = text_file.open_text(path)
    blocks = list(text.blocks())
    assert b"".join(block.lines for block in blocks) == content
    assert all(block.lines.endswith(b"\n") for block in blocks[:-1])
    assert text.head == next((block.lines.lstrip() for block in blocks if block.lines.strip()), b"")
    edges = [(block.start, block.stop) for block in blocks]
    assert [start for start, _ in edges[1:]] == [stop for _, stop in edges[:-1]]
    if blocks:
        assert edges[0][0] == 0
        assert edges[-1][1] == path.stat().st_size
    assert list(text.blocks()) == blocks  # again


def test_blocks_of_a_stream(monkeypatch):
    monkeypatch.setattr(text_file, "_BLOCK_BYTES", 100)
    text = text_file.open_text_stream("here", io.BytesIO(LINES))
    blocks = list(text.blocks())
    assert (text.name, text.files) == ("here", ())
    assert text.head == blocks[0].lines
    assert b"".join(block.lines for block in blocks) == LINES
    assert blocks[-1].stop == len(LINES)


def test_a_line_without_end_is_an_error_before_it_is_all_read(monkeypatch):
    monkeypatch.setattr(text_file, "_LONGEST_LINE", 1 << 20)
    monkeypatch.setattr(text_file, "_BLOCK_BYTES", 1 << 18)
    file = io.BytesIO(b"a\n" + b"x" * (1 << 22))
    text = text_file.open_text_stream("here", file)
    with pytest.raises(ValueError, match=r"^a line, or .*, is longer than 1 megabytes$"):
        list(text.blocks())
    assert file.tell() < 1 << 21


FIELDS = ["a", "", '5" disk', "x\ny", "\r\n", 'he said "no"', ",", '","', '"', '\n"\n', "end"]


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("size", [1, 3, 10, 50, 1 << 20])
def test_blocks_do_not_end_within_a_quoted_field(monkeypatch, quoting, size):
    monkeypatch.setattr(text_file, "_BLOCK_BYTES", size)
    rng = random.Random(1)
    rows = [["1", *rng.choices(FIELDS, k=3)] for _ in range(60)]
    written = io.StringIO()
    csv.writer(written, quoting=quoting, lineterminator="\n").writerows(rows)
    text = written.getvalue().encode()
    blocks = list(text_file.open_text_stream("here", io.BytesIO(text), ",").blocks())
    assert b"".join(block.lines for block in blocks) == text
    found = [
        row
        for block in blocks
        for row in csv.reader(io.StringIO(block.lines.decode(), newline=""), strict=True)
    ]
    assert found == rows
    if size < 50:
        assert len(blocks) > 10


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_quotes_amid_a_field_stand_for_themselves(monkeypatch, size):
    monkeypatch.setattr(text_file, "_BLOCK_BYTES", size)
    lines = [b'1,5" disk\n', b'2,"a\nb",3"\n', b'"4"\n', b'5,6",7\n']
    blocks = list(text_file.open_text_stream("here", io.BytesIO(b"".join(lines)), ",").blocks())
    assert b"".join(block.lines for block in blocks) == b"".join(lines)
    if size == 1:
        assert [block.lines for block in blocks] == lines


@pytest.mark.parametrize("size", [7, 1 << 20])
def test_a_quoted_field_without_end_is_an_error(monkeypatch, size):
    monkeypatch.setattr(text_file, "_BLOCK_BYTES", size)
    text = b'1,2,"5 inch disk\n' + b"3,4,x\n" * 100
    with pytest.raises(ValueError, match=r"quoted field that begins with '\"5 inch disk.*not end$"):
        list(text_file.open_text_stream("here", io.BytesIO(text), ",").blocks())


def test_where_a_row_of_a_block_is():
    block = text_file.Block(b"", 100, 200)
    assert [block.bytes_read(row, 4) for row in range(5)] == [100, 125, 150, 175, 200]
