"""Notes, warnings, errors and progress on standard error."""

from __future__ import annotations

import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fastlogit.cli import wording

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable, Iterator

    from fastlogit.tables.table import ReadProgress

# The extras that install packages, if not `cli`.
_EXTRAS = {"joblib": "sklearn", "matplotlib": "plot", "onnx": "onnx", "sklearn": "sklearn"}


def message(kind: str, text: str) -> None:
    """Print one line."""
    print(f"fastlogit: {kind}: {text}", file=sys.stderr)


@contextmanager
def warnings_as_messages(parser: ArgumentParser) -> Iterator[None]:
    """Report each warning of the block in one line, after the block."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for warning in caught:
        message("warning", wording.as_options(str(warning.message), parser))


def error_line(error: BaseException, parser: ArgumentParser) -> str:
    """An error in one line, which names options of the parser's command."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, ModuleNotFoundError):
        extra = _EXTRAS.get(str(error.name).partition(".")[0], "cli")
        return f"this needs {error.name}: pip install 'fastlogit[{extra}]'"
    return wording.as_options(" ".join(str(error).split()), parser) or type(error).__name__


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Callable[[ReadProgress], object]]:
    """A function that shows on a terminal how much of a table has been read."""
    from tqdm import tqdm

    # disable=None shows the bar on a terminal only.
    with tqdm(unit=" rows", unit_scale=True, leave=False, disable=quiet or None) as bar:

        def show(progress: ReadProgress) -> None:
            bar.total = progress.expected_rows
            if progress.bytes and not bar.disable:
                speed = progress.bytes / bar.format_dict["elapsed"] / 1e6
                bar.set_postfix_str(f"{speed:.0f} MB/s", False)
            bar.update(progress.rows - bar.n)

        yield show


def count_rows(number: int) -> str:
    """A number of rows in words: "1 row", "2,000 rows"."""
    return f"{number:,} row{'s' * (number != 1)}"
