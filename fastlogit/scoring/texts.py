"""Texts, from a file or standard input: uncompressed, as blocks of whole lines."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# What is read at a time: enough to hand over to another thread, and little beside a cache.
_BLOCK_BYTES = 1 << 23
# What has a longer line is no text.
_LONGEST_LINE = 1 << 24
# Suffixes of compressed texts, and Arrow's names for how.
CODECS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2", ".lz4": "lz4"}


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
        Its first lines.
    blocks : callable
        Reads it from the beginning.
    """

    name: str
    files: tuple[Path, ...]
    head: bytes
    blocks: Callable[[], Iterator[Block]]


def of_file(path: Path) -> Text:
    """Open a file, compressed as its suffix says."""

    def blocks() -> Iterator[Block]:
        with _opened(path) as (file, raw):
            yield from _blocks(file, raw.tell)

    first = next(blocks(), Block(b"", 0, 0))
    return Text(str(path), (path,), first.lines, blocks)


def of_stream(name: str, file: Any) -> Text:
    """Read a stream, once."""
    blocks = _blocks(file)
    first = next(blocks, Block(b"", 0, 0))
    return Text(name, (), first.lines, lambda: chain([first], blocks))


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


def _blocks(file: Any, position: Callable[[], int] | None = None) -> Iterator[Block]:
    """Cut at the last end of a line; by default, positions are those in the text."""
    rest, start, stop = b"", 0, 0
    while block := file.read(_BLOCK_BYTES):
        stop = stop + len(block) if position is None else position()
        lines, end, after = block.rpartition(b"\n")
        if end:
            yield Block(rest + lines + end, start, stop)
            rest, start = after, stop
        else:
            rest += block
            if len(rest) > _LONGEST_LINE:
                raise ValueError(f"a line is longer than {_LONGEST_LINE >> 20} megabytes")
    if rest:
        yield Block(rest, start, stop)
