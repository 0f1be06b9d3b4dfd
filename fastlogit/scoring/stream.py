"""From a table through a model to a file, in bounded memory; what dies can be taken up again.

sources.Table ──▶ predictions.Predictions.of ──▶ sinks.open_sink
 (threads, of which each reads and scores           (another writes
  some of the rows)                                   the last part)
                                                  ──▶ journal.Journal
"""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex

from fastlogit import arrays, files
from fastlogit import threads as _threads
from fastlogit.arrow import array_of
from fastlogit.model import loaded, warn_without_offset
from fastlogit.scoring.journal import Journal, open_journal
from fastlogit.scoring.overlap import write_behind
from fastlogit.scoring.sinks import open_sink
from fastlogit.scoring.sources import STANDARD, open_table

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

    from fastlogit.model import LogisticModel
    from fastlogit.onehot import Unknown
    from fastlogit.scoring.csv_options import CSVOptions
    from fastlogit.scoring.logits import Missing
    from fastlogit.scoring.predictions import Output, Part, Predictions
    from fastlogit.scoring.table import Progress


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
    """

    rows: int
    skipped: int
    unknown: int = 0

    def plus(self, part: Part) -> Scored:
        """Count one part more; raises nothing.

        Parameters
        ----------
        part : Part

        Returns
        -------
        Scored
        """
        return Scored(
            self.rows + part.read, self.skipped + part.skipped.size, self.unknown + part.unknown
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
        appears when it is complete.  Or standard output.
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
        model, files and options give the same bytes as a run that was not interrupted.
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
    arrays.function(progress, "progress")
    arrays.true_or_false(force, "force")
    arrays.true_or_false(resume, "resume")
    if batch_rows is not None:
        arrays.whole_number(batch_rows, "batch_rows", 1)
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
    if sink is None:
        return (part.rows for part in _parts(given, batch_rows, 0, most))
    for path in (sink,) if skipped is None else (sink, skipped):
        files.keep_apart(path, *table.files)
    with ExitStack() as stack:
        journal = stack.enter_context(
            _journal(
                given,
                sink,
                resume,
                skipped=None if skipped is None else str(Path(skipped).resolve()),
                source_format=source_format,
                csv=None if csv is None else asdict(csv),
                sink_format=sink_format,
                compression=compression,
            )
        )
        write_rows = stack.enter_context(
            open_sink(
                sink, given.schema, file_format=sink_format, compression=compression, force=force
            )
        )
        resume = journal is not None and resume and journal.is_there()
        # What was left out appears before the rest, so that a run that died may have written it.
        write_skipped = stack.enter_context(_skipped_rows(skipped, force or resume))

        def write(part: Part) -> None:
            write_rows(part.rows)
            write_skipped(part)

        def note(part: Part) -> None:
            if journal is not None:
                journal.add(part)
            write(part)

        done = Scored(0, 0)
        for part in () if journal is None else journal.begin(given.schema, resume=resume):
            write(part)
            done = done.plus(part)
        for part in write_behind(_parts(given, batch_rows, done.rows, most), note):
            done = done.plus(part)
            if progress is not None:
                progress(table.progress(done.rows, part.position))
    return done


def _parts(given: Predictions, batch_rows: int | None, start: int, threads: int) -> Iterator[Part]:
    """Score all rows from `start` on, some batches at a time."""
    wanted = given.table.want(
        given.columns, text=given.text, batch_rows=batch_rows, start=start, threads=threads
    )
    return given.table.map(given.of, wanted)


@contextmanager
def _journal(
    given: Predictions, sink: str | os.PathLike[str], resume: bool, **options: Any
) -> Iterator[Journal | None]:
    """Give the journal of a run; None for one that cannot be taken up again."""
    import hashlib

    inputs = given.table.files
    if not inputs or str(sink) == STANDARD:
        if resume:
            raise ValueError("resume needs files: a stream that is gone cannot be read again")
        yield None
        return
    content = json.dumps(given.model.content(), sort_keys=True).encode()
    seen = [(str(path.resolve()), path.stat()) for path in inputs]
    run = {
        "the model": hashlib.sha256(content).hexdigest(),
        "the input": [[name, status.st_size, status.st_mtime_ns] for name, status in seen],
        "an option": given.options | options,
    }
    with open_journal(Path(sink), run) as journal:
        yield journal


@contextmanager
def _skipped_rows(
    path: str | os.PathLike[str] | None, force: bool
) -> Iterator[Callable[[Part], object]]:
    """Give a function that writes which rows of a part were left out."""
    if path is None:
        yield lambda _part: None
        return
    import pyarrow as pa

    schema = pa.schema([("file", pa.string()), ("row", pa.int64())])
    with open_sink(path, schema, force=force) as write:

        def write_skipped(part: Part) -> None:
            if part.skipped.size:
                names = pa.repeat(part.file, part.skipped.size)
                write(pa.record_batch([names, array_of(part.skipped)], schema=schema))

        yield write_skipped
