"""The list of file formats.  A new format needs a line here and a file in this folder."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fastlogit.core.checks import shown
from fastlogit.tables.arrow_ipc import open_arrow, open_arrow_stream, write_arrow
from fastlogit.tables.csv import open_csv, open_csv_stream, write_csv
from fastlogit.tables.file_format import Format
from fastlogit.tables.libsvm import open_libsvm, open_libsvm_stream
from fastlogit.tables.npy import open_npy, open_npz, write_npy
from fastlogit.tables.parquet import open_parquet, write_parquet
from fastlogit.tables.text_file import CODECS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from typing import Any

FORMATS = (
    Format(
        "parquet",
        (".parquet",),
        open_parquet,
        write=write_parquet,
        takes_compression=True,
        writes_groups=True,
    ),
    # Its opener tells a file from a stream by the first bytes.
    Format(
        "arrow",
        (".arrow", ".arrows", ".feather"),
        open_arrow,
        open_arrow_stream,
        write_arrow,
        takes_compression=True,
    ),
    # For output, `.arrows` means this format: `format_by_suffix` takes the later entry.
    Format(
        "arrow-stream",
        (".arrows",),
        write=partial(write_arrow, stream=True),
        takes_compression=True,
    ),
    Format(
        "csv",
        (".csv",),
        open_csv,
        open_csv_stream,
        write_csv,
        is_text=True,
        takes_csv_options=True,
    ),
    Format(
        "tsv",
        (".tsv",),
        partial(open_csv, delimiter="\t"),
        partial(open_csv_stream, delimiter="\t"),
        partial(write_csv, delimiter="\t"),
        is_text=True,
        takes_csv_options=True,
    ),
    Format("npy", (".npy",), open_npy, write=write_npy, needs_seek=True),
    Format("npz", (".npz",), open_npz),
    Format(
        "libsvm",
        (".libsvm", ".svm", ".svmlight"),
        open_libsvm,
        open_libsvm_stream,
        is_text=True,
    ),
    Format(
        "libsvm0",
        (),
        partial(open_libsvm, first_column=0),
        partial(open_libsvm_stream, first_column=0),
        is_text=True,
    ),
)


def input_formats() -> list[Format]:
    """Formats that can be read."""
    return [one for one in FORMATS if one.open_file is not None]


def stream_formats() -> list[Format]:
    """Formats that can be read from standard input or a pipe."""
    return [one for one in FORMATS if one.open_stream is not None]


def output_formats() -> list[Format]:
    """Formats that can be written."""
    return [one for one in FORMATS if one.write is not None]


def names(formats: Iterable[Format]) -> str:
    """Names of these formats, for a message."""
    return ", ".join(one.name for one in formats)


def suffixes(formats: Sequence[Format]) -> list[str]:
    """Suffixes of these formats, each once."""
    return list(dict.fromkeys(suffix for one in formats for suffix in one.suffixes))


def choose_format(formats: Sequence[Format], name: Any, argument: str) -> Format:
    """The format with this name; an error names the argument that it came from."""
    if isinstance(name, str):
        for one in formats:
            if name == one.name:
                return one
    raise ValueError(f"{argument} must be one of {names(formats)}; got {shown(name)}")


def format_by_suffix(path: Path, formats: Sequence[Format]) -> Format:
    """The format of a path's suffix, before the one that tells how a text is compressed."""
    known = {suffix: one for one in formats for suffix in one.suffixes}
    *others, last = ("", *(suffix.lower() for suffix in path.suffixes))
    if last in CODECS and others[-1] in known and known[others[-1]].is_text:
        last = others[-1]
    if last in known:
        return known[last]
    raise ValueError(f"{path}: the suffix must be one of {', '.join(known)}")
