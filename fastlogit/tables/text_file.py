"""Texts, from a file or standard input: uncompressed, as blocks of whole lines."""

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

# What is read at a time: enough to hand over to another thread, and little beside a cache.
_BLOCK_BYTES = 1 << 23
# What has a longer line is no text.
_LONGEST_LINE = 1 << 24
# Lines with nothing are no rows; some readers want none at the beginning.
_ENDS = b"\r\n"
# Suffixes of compressed texts, and Arrow's names for how.
CODECS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2", ".lz4": "lz4"}


# What a text in UTF-16 begins with.
_UTF16 = {b"\xff\xfe|\xfe\xff": "utf-16", b".\0": "utf-16-le", b"\0.": "utf-16-be"}


class Block(NamedTuple):
    """Whole lines."""

    lines: bytes
    # Bytes of the file that have been read before and after; of what is compressed, in its file.
    start: int
    stop: int

    def position(self, row: int, rows: int) -> int:
        """About where a row of it is in the file."""
        return self.start + (self.stop - self.start) * row // rows


class Text(NamedTuple):
    """Where a text comes from.

    Attributes
    ----------
    name : str
        What messages call it.
    files : tuple of path
        Empty where it can be read once only.
    head : bytes
        Its first lines, from one that is not blank.
    blocks : callable
        Reads it from the beginning.
    """

    name: str
    files: tuple[Path, ...]
    head: bytes
    blocks: Callable[[], Iterator[Block]]


def of_file(path: Path, delimiter: str | None = None, encoding: str = "utf-8") -> Text:
    """Open a file, compressed as its suffix says; its blocks are UTF-8.

    With a `delimiter`, lines do not end within a quoted field of a CSV.
    """

    def blocks() -> Iterator[Block]:
        with _opened(path) as (file, raw):
            yield from _blocks(_as_utf8(file, encoding), delimiter, raw.tell)

    return Text(str(path), (path,), _first(blocks()).lines, blocks)


def of_stream(name: str, file: Any, delimiter: str | None = None, encoding: str = "utf-8") -> Text:
    """Read a stream, once."""
    blocks = _blocks(_as_utf8(file, encoding), delimiter)
    first = _first(blocks)
    return Text(name, (), first.lines, lambda: chain([first], blocks))


def _first(blocks: Iterator[Block]) -> Block:
    return next(without_blank_lines(blocks), Block(b"", 0, 0))


def without_blank_lines(blocks: Iterable[Block], *, only_first: bool = False) -> Iterator[Block]:
    """Skip blank lines at the beginning of each block, or only at the beginning of the text."""
    has_begun = False
    for block in blocks:
        lines = block.lines if has_begun and only_first else block.lines.lstrip(_ENDS)
        if lines:
            has_begun = True
            yield block._replace(lines=lines)


def must_be_utf8(text: bytes) -> None:
    """Check the encoding of the first lines of a text."""
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


def _as_utf8(file: Any, encoding: str) -> Any:
    return file if encoding == "utf-8" else _Decoded(file, encoding)


class _Decoded:
    """A file in another encoding, read as UTF-8."""

    def __init__(self, file: Any, encoding: str) -> None:
        self.file, self.encoding = file, encoding
        self.decoder = codecs.getincrementaldecoder(encoding)()

    def read(self, size: int) -> bytes:
        """The next bytes, about as many; none at the end."""
        try:
            while block := self.file.read(size):
                if text := self.decoder.decode(block):
                    return text.encode()
            return self.decoder.decode(b"", True).encode()
        except UnicodeError as error:
            raise ValueError(f"must be text in {self.encoding}: {error}") from None


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open a file to read it uncompressed, and as it is."""
    codec = CODECS.get(path.suffix.lower())
    with path.open("rb", buffering=0) as raw:
        if codec is None:
            yield raw, raw
            return
        import pyarrow as pa

        with pa.CompressedInputStream(raw, codec) as file:
            yield file, raw


def _blocks(
    file: Any, separator: str | None, position: Callable[[], int] | None = None
) -> Iterator[Block]:
    """Cut at the last end of a line; by default, positions are those in the text."""
    delimiter = None if separator is None else separator.encode()
    rest, start, stop = b"", 0, 0
    while block := file.read(_BLOCK_BYTES):
        stop = stop + len(block) if position is None else position()
        text = rest + block
        if start == 0:
            text = text.removeprefix(codecs.BOM_UTF8)
        end = _end_of_lines(text, delimiter)
        if end:
            yield Block(text[:end], start, stop)
            start = stop
        rest = text[end:]
        if len(rest) > _LONGEST_LINE:
            raise ValueError(
                f"a line, or a quoted field, is longer than {_LONGEST_LINE >> 20} megabytes"
            )
    if rest:
        if delimiter is not None and (quotes := _quotes(rest, delimiter)).size % 2:
            begin = rest[quotes[-1] :][:40].decode(errors="replace")
            raise ValueError(f"the quoted field that begins with {begin!r} does not end")
        yield Block(rest, start, stop)


def _end_of_lines(text: bytes, delimiter: bytes | None) -> int:
    """Where the last line ends that ends."""
    end = text.rfind(b"\n") + 1
    if delimiter is not None and b'"' in text:
        quotes = _quotes(text, delimiter)
        while end and (count := int(np.searchsorted(quotes, end))) % 2:
            end = text.rfind(b"\n", 0, quotes[count - 1]) + 1
    return end


def _quotes(text: bytes, delimiter: bytes) -> NDArray[np.int64]:
    """Places of quotes that begin and end fields, in turn."""
    array = np.frombuffer(text, np.uint8)
    places = np.flatnonzero(array == ord('"'))
    before = array[places[::2][places[::2] > 0] - 1]
    after = array[places[1::2][places[1::2] < array.size - 1] + 1]
    # One that is doubled ends a field and begins another.
    edges = np.frombuffer(delimiter + b'\r\n"', np.uint8)
    if np.isin(before, edges).all() and np.isin(after, edges).all():
        return places
    # Some stand for themselves, amid a field: the slow way.
    quoted = rb'(?:(?<=[%b\r\n])|\A)"(?:[^"]+|"")*+("|\Z)' % re.escape(delimiter)
    found = []
    for match in re.finditer(quoted, text):
        found += [match.start(), match.end() - 1] if match[1] else [match.start()]
    return np.array(found, np.int64)
