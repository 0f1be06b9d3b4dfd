"""Text files and streams, decompressed and decoded to UTF-8, read in blocks of whole lines."""

from __future__ import annotations

import codecs
import re
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

# Suffixes of compressed texts, and Arrow's names of the codecs.
CODECS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2", ".lz4": "lz4"}
# Bytes that are read at a time: enough work for a thread, and little compared with memory.
_BLOCK_BYTES = 1 << 23
# Bytes of a compressed file that Arrow reads at a time: up to this many belong to later lines.
_READ_AHEAD = 1 << 16
# A file with a longer line is no text.
_LONGEST_LINE = 1 << 24
# Blank lines consist of these.
_LINE_ENDS = b"\r\n"
# Patterns of the first bytes of a text in UTF-16.
_UTF16 = {b"\xff\xfe|\xfe\xff": "utf-16", b".\0": "utf-16-le", b"\0.": "utf-16-be"}


class Block(NamedTuple):
    """Whole lines of a text that are read together."""

    lines: bytes
    # Bytes of the file read before and after; of a compressed file, compressed bytes.
    start: int
    stop: int

    def bytes_read(self, row: int, rows: int) -> int:
        """About how many bytes of the file precede one of the block's rows."""
        return self.start + (self.stop - self.start) * row // rows


class Text(NamedTuple):
    """A text that can be read.

    Attributes
    ----------
    name : str
        How messages name it.
    files : tuple of path
        Empty for a stream, which can be read once.
    head : bytes
        The first block, from its first line that is not blank.
    head_size : int
        Bytes of the file that were read for it.
    blocks : callable
        Reads the text from the beginning.
    """

    name: str
    files: tuple[Path, ...]
    head: bytes
    head_size: int
    blocks: Callable[[], Iterator[Block]]

    def scaled(self, count: int, size: int | None) -> int | None:
        """How often a file of `size` bytes has something that the head has `count` times.

        It is a quarter higher than the average, as later lines may be shorter.  None if the size
        is unknown.
        """
        if size is None:
            return None
        if size <= self.head_size:
            return count
        return count * size * 5 // (4 * max(1, self.head_size - _READ_AHEAD))


def open_text(path: Path, delimiter: str | None = None, encoding: str = "utf-8") -> Text:
    """Open a file, decompressed as its suffix says; its blocks are UTF-8.

    With a `delimiter`, the text is a CSV, and a block does not end within a quoted field.
    """

    def blocks() -> Iterator[Block]:
        with _opened(path) as (file, raw):
            yield from _split_blocks(_as_utf8(file, encoding), delimiter, raw.tell)

    first = _first_block(blocks())
    return Text(str(path), (path,), first.lines, first.stop, blocks)


def open_text_stream(
    name: str, file: Any, delimiter: str | None = None, encoding: str = "utf-8"
) -> Text:
    """Read a stream, once; as `open_text`."""
    blocks = _split_blocks(_as_utf8(file, encoding), delimiter)
    first = _first_block(blocks)
    return Text(name, (), first.lines, first.stop, lambda: chain([first], blocks))


def without_blank_lines(blocks: Iterable[Block], *, only_first: bool = False) -> Iterator[Block]:
    """Skip blank lines at the beginning of each block, or only at the beginning of the text."""
    has_begun = False
    for block in blocks:
        lines = block.lines if has_begun and only_first else block.lines.lstrip(_LINE_ENDS)
        if lines:
            has_begun = True
            yield block._replace(lines=lines)


def must_be_utf8(text: bytes) -> None:
    """Raise a ValueError if the first lines of a text are not UTF-8."""
    for begin, encoding in _UTF16.items():
        if re.match(begin, text, re.DOTALL):
            raise ValueError(
                "must be UTF-8 text; it looks like UTF-16 "
                f"(csv=CSVOptions(encoding={encoding!r}) reads it)"
            )
    try:
        text.decode()
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"must be UTF-8 text; got the byte {text[error.start]:#x} in line {line} "
            "(csv=CSVOptions(encoding='cp1252') reads what Windows writes)"
        ) from None


def _first_block(blocks: Iterator[Block]) -> Block:
    return next(without_blank_lines(blocks), Block(b"", 0, 0))


def _as_utf8(file: Any, encoding: str) -> Any:
    return file if encoding == "utf-8" else _DecodedFile(file, encoding)


class _DecodedFile:
    """A file in another encoding, read as UTF-8."""

    def __init__(self, file: Any, encoding: str) -> None:
        self.file, self.encoding = file, encoding
        self.decoder = codecs.getincrementaldecoder(encoding)()

    def read(self, size: int) -> bytes:
        """The next bytes, about this number of them; empty at the end."""
        try:
            while block := self.file.read(size):
                if text := self.decoder.decode(block):
                    return text.encode()
            return self.decoder.decode(b"", True).encode()
        except UnicodeError as error:
            raise ValueError(f"must be text in {self.encoding}: {error}") from None


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """Give a decompressed file, and the file as it is stored."""
    codec = CODECS.get(path.suffix.lower())
    with path.open("rb", buffering=0) as raw:
        if codec is None:
            yield raw, raw
            return
        import pyarrow as pa

        with pa.CompressedInputStream(raw, codec) as file:
            yield file, raw


def _split_blocks(
    file: Any, separator: str | None, bytes_read: Callable[[], int] | None = None
) -> Iterator[Block]:
    """Split a text at ends of lines.

    `bytes_read` tells the bytes read so far; by default the bytes of the text are counted.
    """
    delimiter = None if separator is None else separator.encode()
    rest, start, stop = b"", 0, 0
    while block := file.read(_BLOCK_BYTES):
        stop = stop + len(block) if bytes_read is None else bytes_read()
        text = rest + block
        if start == 0:
            text = text.removeprefix(codecs.BOM_UTF8)
        end = _last_line_end(text, delimiter)
        if end:
            yield Block(text[:end], start, stop)
            start = stop
        rest = text[end:]
        if len(rest) > _LONGEST_LINE:
            raise ValueError(
                f"a line, or a quoted field, is longer than {_LONGEST_LINE >> 20} megabytes"
            )
    if rest:
        if delimiter is not None and (quotes := _find_quotes(rest, delimiter)).size % 2:
            begin = rest[quotes[-1] :][:40].decode(errors="replace")
            raise ValueError(f"the quoted field that begins with {begin!r} does not end")
        yield Block(rest, start, stop)


def _last_line_end(text: bytes, delimiter: bytes | None) -> int:
    """The end of the last complete line."""
    end = text.rfind(b"\n") + 1
    if delimiter is not None and b'"' in text:
        quotes = _find_quotes(text, delimiter)
        while end and (count := int(np.searchsorted(quotes, end))) % 2:
            end = text.rfind(b"\n", 0, quotes[count - 1]) + 1
    return end


def _find_quotes(text: bytes, delimiter: bytes) -> NDArray[np.int64]:
    """Places of the quotes that begin and end fields, in turn."""
    array = np.frombuffer(text, np.uint8)
    places = np.flatnonzero(array == ord('"'))
    before = array[places[::2][places[::2] > 0] - 1]
    after = array[places[1::2][places[1::2] < array.size - 1] + 1]
    # A doubled quote counts as the end of a field and the beginning of another.
    edges = np.frombuffer(delimiter + b'\r\n"', np.uint8)
    if np.isin(before, edges).all() and np.isin(after, edges).all():
        return places
    # Some quotes within fields are plain characters: a slower search finds the others.
    quoted = rb'(?:(?<=[%b\r\n])|\A)"(?:[^"]+|"")*+("|\Z)' % re.escape(delimiter)
    found = []
    for match in re.finditer(quoted, text):
        found += [match.start(), match.end() - 1] if match[1] else [match.start()]
    return np.array(found, np.int64)
