"""A scoring run: from a table through a model to a file, in bounded memory.

    open_table ──▶ Scorer.score_batch ──▶ open_sink, Journal
    several threads read and score        another one writes

The journal holds the batches that are finished, so that an interrupted run can be resumed.
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
from fastlogit.core.arrow import from_numpy
from fastlogit.core.docstrings import complete
from fastlogit.core.fingerprint import fingerprint
from fastlogit.core.pipeline import write_behind
from fastlogit.models.input import warn_without_offset
from fastlogit.models.model import loaded
from fastlogit.scoring.journal import (
    Journal,
    add_fingerprint,
    open_journal,
    read_fingerprint,
)
from fastlogit.scoring.model_columns import open_model_table
from fastlogit.scoring.scorer import Scorer
from fastlogit.tables import formats
from fastlogit.tables.sink import open_sink
from fastlogit.tables.source import STANDARD

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

    from fastlogit.core.checks import Missing
    from fastlogit.matrix.onehot import Unknown
    from fastlogit.models.model import LogisticModel
    from fastlogit.scoring.scorer import Output, ScoredBatch
    from fastlogit.tables.csv_options import CSVOptions
    from fastlogit.tables.table import Columns, ReadProgress


class Scored(NamedTuple):
    """Counts of a finished run.

    Attributes
    ----------
    rows : int
        Rows read.
    skipped : int
        Rows left out of the output.
    unknown : int
        Unknown categories, which were ignored.
    was_complete : bool
        Whether a complete output was found, so that nothing was written.  Parquet and Arrow
        files identify their run; then nothing is read either, and all counts are 0.  For other
        formats all rows are scored again and compared.
    """

    rows: int
    skipped: int
    unknown: int = 0
    was_complete: bool = False

    def plus(self, batch: ScoredBatch) -> Scored:
        """The counts with one more batch; raises nothing.

        Parameters
        ----------
        batch : ScoredBatch

        Returns
        -------
        Scored
        """
        return self._replace(
            rows=self.rows + batch.read,
            skipped=self.skipped + batch.skipped.size,
            unknown=self.unknown + batch.unknown,
        )


@partial(
    complete,
    inputs=", ".join(formats.suffixes(formats.input_formats())),
    outputs=", ".join(formats.suffixes(formats.output_formats())),
)
def score(
    model: LogisticModel | str | os.PathLike[str],
    source: Any,
    sink: str | os.PathLike[str] | None = None,
    *,
    output: Output | Sequence[Output] = "probability",
    names: str | Sequence[str] | None = None,
    keep: Sequence[str] = (),
    offset: Columns = None,
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
    progress: Callable[[ReadProgress], object] | None = None,
) -> Any:
    """Score every row of a table, into a file or as record batches.

    Parameters
    ----------
    model : LogisticModel, or path of its file
        Columns are found by name, and only those that the model needs are read.  If the model or
        the table has no names, columns are taken by position and their number must match.
    source : path, "-", or table
        A file, a folder of files, or a pattern such as ``"2013/*.parquet"``, with the suffix
        %(inputs)s.
        CSV and TSV have a header, and arrays two axes; text files may be compressed (``.gz``,
        ``.zst``).  Folder names such as ``year=2013`` become columns.  "-" is standard input.
        Or a table in memory: a frame of Polars or pandas, a relation of DuckDB, a table, reader
        or dataset of pyarrow, any other object that exports an Arrow stream, a dict of arrays,
        an array or a CSR matrix, an iterator of record batches.  Or a function without arguments
        that returns one of these, with the same rows at each call.  Or a Dask data frame, computed
        partition by partition.
        Columns are of any real dtype, or text where the model has `categories`.
    sink : path, "-", optional
        A file other than `source`, written atomically, with the suffix
        %(outputs)s;
        text files may be compressed.  "-" is standard output.  In a CSV a score of NaN is ``NaN``,
        and a missing value is empty.  In a CSV with one column it is ``""``, as readers skip empty
        lines.
    output : {"probability", "logit", "label", "log-probability", "label-probability"}, or several
        Columns in this order; all but labels are float64, which keeps the tails.  Two classes have
        one column for the probability or the logit of the second; more have one for each class.
        "label-probability" is the probability of the label that "label" predicts.
    names : str or sequence of str, optional
        Names of these columns; default: the names of the outputs, with _ for -, and followed by
        _ and the class where each class has one (``probability_setosa``).
    keep : sequence of str
        Columns of the source to write before them.  Columns of a CSV are kept as text, even if
        they are features.
    offset : str or int, or sequence of these, optional
        A column of numbers that is added to the logits: its name, or its position where columns
        have no names.  A model of more than two classes needs one for each class.  A model that
        was trained with an offset needs it.
    threshold : float
        The label is the second of two `classes` where the probability is above this.  Of more
        classes, it is the most probable one.
    missing : {"error", "nan", "skip"}
        How to treat nulls: raise an error that names column and row (counted from 0), score the
        row as NaN, or leave it out.  NaN in a column of floating-point numbers is data and its
        score is NaN; "skip" leaves out every row whose score is NaN.
    unknown : {"error", "ignore"}
        How to treat text that belongs to no category of the model: raise an error that names
        column and row, or let that column add nothing to the logit.
    skipped : path, optional
        A file for the rows that are left out, with the columns `file` and `row`.
    source_format, sink_format : str, optional
        Names of formats; default: from the suffix.  Standard input and output are CSV; input is
        also recognised as Arrow.  "libsvm" counts columns from 1, "libsvm0" from 0.
    csv : CSVOptions, optional
        Delimiter, decimals, encoding and missing values of a CSV or TSV.
    compression : str, optional
        Of Parquet ("snappy", "zstd", "none", ...; default: "snappy", and "none" for scores, which
        hardly shrink) and Arrow ("lz4", "zstd").
    batch_rows : int, optional
        Largest number of rows to read at a time; default: about 32 MB of rows.
    threads : int, optional
        Maximum number of threads; default: all cores that the process may use.
    force : bool
        Whether to replace `sink` and `skipped` if they exist.
    resume : bool
        Whether to complete an interrupted run, if it left a journal in the folder of `sink`.  The
        same model, files and options give the same bytes as an uninterrupted run.  If the output is
        already complete, nothing is written.  If another run wrote it, that is an error unless
        `force` is given.
    progress : callable, optional
        Called after each batch with a :class:`ReadProgress`.

    Returns
    -------
    Scored, or iterator of pyarrow.RecordBatch
        Counts of rows and unknown categories; without a `sink`, the scores.

    Raises
    ------
    OSError
        If a file cannot be read or written.
    TypeError, ValueError
        If `source` does not suit the model or has a null, naming file and column; if `sink` is
        a file of `source`; if model, files or options changed before a `resume`; or if an
        argument is out of range.

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
    >>> model = fl.LogisticModel([[1.0], [0.0], [0.0]], 0.0, ("x",), classes=("a", "b", "c"))
    >>> next(fl.score(model, {"x": [0.0]}, output=["label", "logit"])).to_pydict()
    {'label': ['a'], 'logit_a': [0.0], 'logit_b': [0.0], 'logit_c': [0.0]}
    """
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
    table = open_model_table(source, model, offset, source_format, csv)
    scorer = Scorer(
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
    batches = partial(_scored_batches, scorer, batch_rows, most)
    if sink is None:
        return (batch.rows for batch in batches(0))
    written = _Files(sink, skipped, sink_format, compression, force)
    for path in written.paths:
        files.keep_apart(path, *table.files)
    options = {"source_format": source_format, "csv": None if csv is None else asdict(csv)}
    run = _identity(scorer, written, options)
    if resume and not run:
        given = "standard output" if table.files else table.name
        raise ValueError(f"resume must have files as input and output; got {given}")
    return _write(scorer, batches, written, run, resume, progress)


class _Files(NamedTuple):
    """The files that a run writes."""

    sink: str | os.PathLike[str]
    skipped: str | os.PathLike[str] | None
    file_format: str | None
    compression: str | None
    force: bool

    @property
    def paths(self) -> list[str | os.PathLike[str]]:
        return [path for path in (self.sink, self.skipped) if path is not None]

    @property
    def options(self) -> dict[str, Any]:
        """The options that belong to the identity of a run."""
        return {
            "skipped": None if self.skipped is None else str(Path(self.skipped).resolve()),
            "sink_format": self.file_format,
            "compression": self.compression,
        }


def _identity(scorer: Scorer, output: _Files, options: dict[str, Any]) -> dict[str, Any]:
    """Everything that determines the bytes of a run; empty for a stream, which cannot resume.

    Messages use the keys to name a change.
    """
    if not scorer.table.files or str(output.sink) == STANDARD:
        return {}
    content = json.dumps(scorer.model.content(), sort_keys=True).encode()
    return {
        "the model": hashlib.sha256(content).hexdigest(),
        "the input": scorer.table.file_states,
        "an option": scorer.options | output.options | options,
    }


def _write(
    scorer: Scorer,
    batches: Callable[[int], Iterator[ScoredBatch]],
    output: _Files,
    run: dict[str, Any],
    resume: bool,
    progress: Callable[[ReadProgress], object] | None,
) -> Scored:
    """Write the output, complete an interrupted one, or compare with one that exists."""
    # The path of the skipped rows does not change the rows.
    stored = fingerprint(run | {"an option": run["an option"] | {"skipped": None}}) if run else {}
    compare = resume and not output.force
    if compare and _are_complete(output.paths, stored):
        Journal(output.sink, run).discard()
        done = Scored(0, 0, was_complete=True)
    else:
        was_there = compare and Path(output.sink).is_file()
        is_resumed = resume and Journal(output.sink, run).is_there()
        with ExitStack() as stack:
            # A run that only compares has nothing to lose.
            has_journal = run and (is_resumed or not was_there)
            journal = stack.enter_context(open_journal(output.sink, run)) if has_journal else None
            write_rows = stack.enter_context(
                open_sink(
                    output.sink,
                    add_fingerprint(scorer.schema, stored),
                    file_format=output.file_format,
                    compression=output.compression,
                    force=output.force,
                    compare=compare,
                )
            )
            # The file of skipped rows appears first, so an interrupted run may have written it.
            write_skipped = stack.enter_context(
                _skipped_rows(
                    output.skipped, stored, force=output.force or is_resumed, compare=compare
                )
            )

            def write(batch: ScoredBatch) -> None:
                write_rows(batch.rows)
                write_skipped(batch)

            done = _write_batches(scorer, batches, journal, is_resumed, write, progress)
        done = done._replace(was_complete=was_there)
    if done.was_complete:
        for path in output.paths:
            files.remove_partial(path)
    return done


def _write_batches(
    scorer: Scorer,
    batches: Callable[[int], Iterator[ScoredBatch]],
    journal: Journal | None,
    is_resumed: bool,
    write: Callable[[ScoredBatch], object],
    progress: Callable[[ReadProgress], object] | None,
) -> Scored:
    """Write the batches in the journal, then score and write the others."""

    def write_and_note(batch: ScoredBatch) -> None:
        if journal is not None:
            journal.add(batch)
        write(batch)

    done = Scored(0, 0)
    for batch in () if journal is None else journal.begin(scorer.schema, resume=is_resumed):
        write(batch)
        done = done.plus(batch)
    for batch in write_behind(batches(done.rows), write_and_note):
        done = done.plus(batch)
        if progress is not None:
            progress(scorer.table.progress(done.rows, batch.bytes_read))
    return done


def _are_complete(paths: Sequence[str | os.PathLike[str]], run: dict[str, str]) -> bool:
    """Whether all of these files say that this run completed them.

    Raises
    ------
    ValueError
        If another run wrote one, with a list of the differences.
    """
    for path in paths:
        before = read_fingerprint(path)
        if before is None:
            return False
        if changed := [name for name in run if before.get(name) != run[name]]:
            raise ValueError(
                f"{path}: was written by another run, which differs in {', '.join(changed)} "
                "(force=True replaces it)"
            )
    return True


def _scored_batches(
    scorer: Scorer, batch_rows: int | None, threads: int, start: int
) -> Iterator[ScoredBatch]:
    """Score all rows from `start` on, several batches at a time."""
    wanted = scorer.table.want(
        scorer.columns,
        text=scorer.text,
        batch_rows=batch_rows,
        start=start,
        threads=threads,
        results=len(scorer.names),
    )
    return scorer.table.map(scorer.score_batch, wanted)


@contextmanager
def _skipped_rows(
    path: str | os.PathLike[str] | None, run: dict[str, str], *, force: bool, compare: bool
) -> Iterator[Callable[[ScoredBatch], object]]:
    """A function that writes the file and number of each row that a batch left out."""
    if path is None:
        yield lambda _batch: None
        return
    import pyarrow as pa

    schema = pa.schema([("file", pa.string()), ("row", pa.int64())])
    compare = compare and not force
    with open_sink(path, add_fingerprint(schema, run), force=force, compare=compare) as write:

        def write_skipped(batch: ScoredBatch) -> None:
            if batch.skipped.size:
                names = pa.repeat(batch.file, batch.skipped.size)
                write(pa.record_batch([names, from_numpy(batch.skipped)], schema=schema))

        yield write_skipped
