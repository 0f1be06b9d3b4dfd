"""From a table through a model to a file, in bounded memory; what dies can be taken up again.

sources.Table ──▶ predictions.Predictions.of ──▶ sinks.open_sink
 (threads, of which each reads and scores           (another writes
  some of the rows)                                   the last part)
                                                  ──▶ journal.Journal
"""

from __future__ import annotations

import hashlib
import json
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex

from fastlogit.core import checks, files
from fastlogit.core import threads as _threads
from fastlogit.core.arrow import array_of
from fastlogit.core.pipeline import write_behind
from fastlogit.models.model import loaded, warn_without_offset
from fastlogit.scoring.journal import Journal, fingerprint, open_journal
from fastlogit.tables.sink import open_sink, run_of, with_run
from fastlogit.tables.source import STANDARD, open_table

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

    from fastlogit.core.checks import Missing
    from fastlogit.matrix.onehot import Unknown
    from fastlogit.models.model import LogisticModel
    from fastlogit.scoring.predictions import Output, Part, Predictions
    from fastlogit.tables.csv_options import CSVOptions
    from fastlogit.tables.table import Progress


class Scored(NamedTuple):
    """What was done.

    Attributes
    ----------
    rows : int
        How many were read.
    skipped : int
        How many of them were left out.
    unknown : int
        How many texts were none of the model's categories, and ignored.
    was_complete : bool
        Whether the output was there already, complete, so that it was not written.  Parquet and
        Arrow files say it themselves: nothing is read then, and all numbers are 0.  For other
        formats all rows are scored again and compared.
    """

    rows: int
    skipped: int
    unknown: int = 0
    was_complete: bool = False

    def plus(self, part: Part) -> Scored:
        """Count one part more; raises nothing.

        Parameters
        ----------
        part : Part

        Returns
        -------
        Scored
        """
        return self._replace(
            rows=self.rows + part.read,
            skipped=self.skipped + part.skipped.size,
            unknown=self.unknown + part.unknown,
        )


def score(
    model: LogisticModel | str | os.PathLike[str],
    source: Any,
    sink: str | os.PathLike[str] | None = None,
    *,
    output: Output | Sequence[Output] = "probability",
    names: str | Sequence[str] | None = None,
    keep: Sequence[str] = (),
    offset: str | int | None = None,
    threshold: float = 0.5,
    missing: Missing = "error",
    unknown: Unknown = "error",
    skipped: str | os.PathLike[str] | None = None,
    source_format: str | None = None,
    csv: CSVOptions | None = None,
    sink_format: str | None = None,
    compression: str | None = None,
    batch_rows: int | None = None,
    threads: SupportsIndex | None = None,
    force: bool = False,
    resume: bool = False,
    progress: Callable[[Progress], object] | None = None,
) -> Any:
    """Score every row of a table, and write the scores to a file or give them batch by batch.

    Parameters
    ----------
    model : LogisticModel, or path of its file
        Its columns are found by their names, and no others are read.  If the model or the
        table has no names, columns are taken by position and their number must be the same.
    source : path, "-", or table
        A file, a folder of files, or a pattern such as ``"2013/*.parquet"``: Parquet, Arrow
        (file or stream), CSV or TSV with a header (also ``.gz``, ``.zst``), NPY or NPZ (two axes),
        LIBSVM.  Names of folders such as ``year=2013`` are columns.  Or standard input; or
        anything that gives a stream of Arrow (a frame of Polars or pandas, a relation of DuckDB, a
        table, reader or data set of pyarrow), a data frame of Dask, which is computed partition by
        partition, a dict of arrays, an array or a CSR matrix.  Columns
        are of any real dtype, or text where the model has `categories`.
    sink : path, "-", optional
        A ``.parquet``, ``.arrow``, ``.csv``, ``.tsv`` or ``.npy`` file, another than `source`; it
        appears when it is complete.  Or standard output.  In a CSV a score of NaN is ``NaN``, and
        a missing value is empty, or ``""`` in the only column: readers skip empty lines.
    output : {"probability", "logit", "label", "log-probability"}, or several of them
        A column each, in this order; all but labels are float64, so that tails are kept.
    names : str or sequence of str, optional
        Names of these columns; default: those of the outputs, with _ for -.
    keep : sequence of str
        Columns of the source that are written before them.  Of a CSV they are kept as text, also
        where they are features.
    offset : str or int, optional
        A column of numbers that is added to the logits: its name, or its position where columns
        have no names.  A model that was trained with an offset needs one.
    threshold : float
        The label is the second of the model's `classes` where the probability is above this.
    missing : {"error", "nan", "skip"}
        What a null gives: an error that names its column and row (the first row of data is
        row 0, as in all messages), the score NaN, or no row.  NaN in a column of floating-point
        numbers is data and gives NaN; "skip" leaves out every row whose score is NaN.
    unknown : {"error", "ignore"}
        What a text gives that is none of the model's categories: an error that names its column
        and row, or a score as if that column added nothing.
    skipped : path, optional
        A file for the rows that are left out: columns `file` and `row`.
    source_format, sink_format : str, optional
        Names of formats; default: by the suffix, and for standard input and output CSV, or Arrow
        if it begins like that.  "libsvm" counts columns from 1, "libsvm0" from 0.
    csv : CSVOptions, optional
        How a CSV or TSV is written: its delimiter, decimals, encoding and missing values.
    compression : str, optional
        Of Parquet ("snappy", "zstd", "none", ...; default: "snappy", and "none" for scores, which
        it would hardly make smaller) and Arrow ("lz4", "zstd").
    batch_rows : int, optional
        Rows to read at a time, at most; default: as many as take some 32 MB.
    threads : int, optional
        Most threads to use; default: all cores that the process may use.
    force : bool
        Whether to replace `sink` and `skipped` if they exist.
    resume : bool
        Go on with what a run that died has left beside `sink`, if there is something.  The same
        model, files and options give the same bytes as a run that was not interrupted.  If it
        was complete, nothing is written; an output of another run is an error without `force`.
    progress : callable, optional
        Called after each batch with the :class:`Progress`.

    Returns
    -------
    Scored, or iterator of pyarrow.RecordBatch
        Numbers of rows and of unknown values; or without a `sink` the scores.

    Raises
    ------
    OSError
        If a file cannot be read or written.
    TypeError, ValueError
        If `source` does not suit the model or has a null, naming file and column; if `sink` is
        a file of `source`, what is to be resumed has changed, or an argument is out of range.

    Warns
    -----
    OffsetWarning
        If the model was trained with an offset, and none is given.

    Examples
    --------
    >>> import fastlogit as fl
    >>> model = fl.LogisticModel([2.0, -1.0], 0.5, ("a", "b"))
    >>> for batch in fl.score(model, {"b": [0.5, 0.0], "a": [0.0, 1.0]}, output="logit"):
    ...     print(batch.to_pydict())
    {'logit': [0.0, 2.5]}
    """
    from fastlogit.scoring.predictions import Predictions

    model = loaded(model)
    warn_without_offset(model, offset)
    checks.function(progress, "progress")
    checks.true_or_false(force, "force")
    checks.true_or_false(resume, "resume")
    if batch_rows is not None:
        checks.whole_number(batch_rows, "batch_rows", 1)
    most = _threads.resolve(threads)
    if sink is not None and skipped is not None and Path(sink).resolve() == Path(skipped).resolve():
        raise ValueError(f"skipped must be another file than sink; got {skipped} for both")
    width = model.coef.size + (offset is not None)
    table = open_table(source, file_format=source_format, width=width, csv=csv)
    given = Predictions(
        model,
        table,
        output=output,
        names=names,
        keep=keep,
        offset=offset,
        threshold=threshold,
        missing=missing,
        unknown=unknown,
    )
    parts = partial(_parts, given, batch_rows, most)
    if sink is None:
        return (part.rows for part in parts(0))
    paths = [path for path in (sink, skipped) if path is not None]
    for path in paths:
        files.keep_apart(path, *table.files)
    run = _run(
        given,
        sink,
        resume,
        skipped=None if skipped is None else str(Path(skipped).resolve()),
        source_format=source_format,
        csv=None if csv is None else asdict(csv),
        sink_format=sink_format,
        compression=compression,
    )
    # Which rows are left out does not depend on where they are written.
    said = fingerprint(run | {"an option": run["an option"] | {"skipped": None}}) if run else {}
    compare = resume and not force
    if compare and _are_complete(paths, said):
        Journal(sink, run).discard()
        done = Scored(0, 0, was_complete=True)
    else:
        was_there = compare and Path(sink).is_file()
        is_resumed = resume and Journal(sink, run).is_there()
        with ExitStack() as stack:
            # A run that only compares writes nothing that could be lost.
            has_journal = run and (is_resumed or not was_there)
            journal = stack.enter_context(open_journal(sink, run)) if has_journal else None
            schema = with_run(given.schema, said)
            how = {"file_format": sink_format, "compression": compression}
            write_rows = stack.enter_context(
                open_sink(sink, schema, force=force, compare=compare, **how)
            )
            # The file of skipped rows appears first: a run that died may have written it.
            write_skipped = stack.enter_context(
                _skipped_rows(skipped, said, force=force or is_resumed, compare=compare)
            )

            def write(part: Part) -> None:
                write_rows(part.rows)
                write_skipped(part)

            done = _write(given, parts, journal, is_resumed, write, progress)
        done = done._replace(was_complete=was_there)
    if done.was_complete:
        for path in paths:
            files.remove_partial(path)
    return done


def _write(
    given: Predictions,
    parts: Callable[[int], Iterator[Part]],
    journal: Journal | None,
    is_resumed: bool,
    write: Callable[[Part], object],
    progress: Callable[[Progress], object] | None,
) -> Scored:
    """Write the parts in the journal, then all others."""

    def note(part: Part) -> None:
        if journal is not None:
            journal.add(part)
        write(part)

    done = Scored(0, 0)
    for part in () if journal is None else journal.begin(given.schema, resume=is_resumed):
        write(part)
        done = done.plus(part)
    for part in write_behind(parts(done.rows), note):
        done = done.plus(part)
        if progress is not None:
            progress(given.table.progress(done.rows, part.position))
    return done


def _are_complete(paths: Sequence[str | os.PathLike[str]], run: dict[str, str]) -> bool:
    """Whether this run has written all of these files, as far as they say it.

    Raises
    ------
    ValueError
        If another run has written one; the message says what differs.
    """
    for path in paths:
        before = run_of(path)
        if before is None:
            return False
        if changed := [name for name in run if before.get(name) != run[name]]:
            raise ValueError(
                f"{path}: exists already, of another run: {', '.join(changed)} has changed "
                "(force=True replaces it)"
            )
    return True


def _parts(given: Predictions, batch_rows: int | None, threads: int, start: int) -> Iterator[Part]:
    """Score all rows from `start` on, some batches at a time."""
    wanted = given.table.want(
        given.columns, text=given.text, batch_rows=batch_rows, start=start, threads=threads
    )
    return given.table.map(given.of, wanted)


def _run(
    given: Predictions, sink: str | os.PathLike[str], resume: bool, **options: Any
) -> dict[str, Any]:
    """What tells a run from others; empty for one that cannot be taken up again."""
    inputs = given.table.files
    if not inputs or str(sink) == STANDARD:
        if resume:
            raise ValueError("resume needs files: a stream that is gone cannot be read again")
        return {}
    content = json.dumps(given.model.content(), sort_keys=True).encode()
    seen = [(str(path.resolve()), path.stat()) for path in inputs]
    return {
        "the model": hashlib.sha256(content).hexdigest(),
        "the input": [[name, status.st_size, status.st_mtime_ns] for name, status in seen],
        "an option": given.options | options,
    }


@contextmanager
def _skipped_rows(
    path: str | os.PathLike[str] | None, run: dict[str, str], *, force: bool, compare: bool
) -> Iterator[Callable[[Part], object]]:
    """Give a function that writes which rows of a part were left out."""
    if path is None:
        yield lambda _part: None
        return
    import pyarrow as pa

    schema = pa.schema([("file", pa.string()), ("row", pa.int64())])
    compare = compare and not force
    with open_sink(path, with_run(schema, run), force=force, compare=compare) as write:

        def write_skipped(part: Part) -> None:
            if part.skipped.size:
                names = pa.repeat(part.file, part.skipped.size)
                write(pa.record_batch([names, array_of(part.skipped)], schema=schema))

        yield write_skipped
