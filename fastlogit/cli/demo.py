"""``fastlogit demo``: train on real flights, score millions of rows, compare with NumPy.

The demonstration prints the commands `train` and `score`, and runs them.  NumPy then does the same
work in the most direct way:

- It reads the same batches of the same file, and puts their columns side by side.
- It computes the formula from the textbook.
- It writes its scores in the same way.

So the difference in time comes from the arithmetic, and from reading ahead while computing.
"""

from __future__ import annotations

import shlex
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit import linear
from fastlogit.cli import options, score, train
from fastlogit.cli.parser import make_parser
from fastlogit.data import flights_path
from fastlogit.elementwise import cross_entropy
from fastlogit.models.model import LogisticModel, load

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from numpy.typing import NDArray

LABEL = "late"
HELD_OUT = 5  # every fifth row
BATCH_ROWS = 1 << 17
ROUNDS = 3
ROWS_IN_MEMORY = 1_000_000


def add_parser(commands: options.Subparsers) -> None:
    """Add the command."""
    parser = options.add_command(
        commands,
        "demo",
        run,
        "train and score on the bundled flights data, and compare with NumPy",
        "fastlogit demo --rows 1000000",
    )
    parser.add_argument(
        "--rows",
        type=options.positive,
        default=10_000_000,
        help="rows to score (default: %(default)s)",
    )
    parser.add_argument(
        "--keep", metavar="DIR", type=Path, help="keep the files in this new folder"
    )
    options.add_threads(parser)


def run(args: argparse.Namespace) -> None:
    """Run the demonstration, in a temporary folder or the one of ``--keep``."""
    with ExitStack() as stack:
        folder = args.keep or Path(stack.enter_context(tempfile.TemporaryDirectory("-fastlogit")))
        demonstrate(folder, args.rows, threads=args.threads)
        if args.keep:
            _say(f"The files are in {folder}")


def demonstrate(folder: Path, rows: int, *, threads: int | None = None) -> None:
    """Train, score and compare, printing each step.

    Parameters
    ----------
    folder : path
        A new or empty folder for the files.
    rows : int
        Rows to score: the flights, repeated.
    threads : int, optional
        Maximum number of threads; default: all cores that the process may use.

    Raises
    ------
    ValueError
        If `folder` has files in it.
    RuntimeError
        If the scores differ from NumPy's.
    """
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ValueError(f"keep must be a new or empty folder; got {folder}, which has files in it")
    flights = pq.read_table(flights_path())
    _say(f"{flights.num_rows:,} flights that left New York City in 2013; which were late?")
    model = _train(flights, folder, threads)
    _score_file(flights, rows, model, folder, threads)
    _score_array(flights, min(rows, ROWS_IN_MEMORY), model, threads)


def _train(flights: Any, folder: Path, threads: int | None) -> LogisticModel:
    """Train on four fifths of the flights, and evaluate the model on the others."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    training, test = folder / "train.parquet", folder / "test.parquet"
    held_out = np.arange(flights.num_rows) % HELD_OUT == HELD_OUT - 1
    pq.write_table(flights.filter(pa.array(~held_out)), training)
    pq.write_table(flights.filter(pa.array(held_out)), test)

    model_path, scores = folder / "model.json", folder / "test_scores.parquet"
    missing = ["--missing", "skip"]  # flights that never arrived have no label
    _run_command("train", training, "--label", LABEL, "-o", model_path, *missing, threads=threads)
    _run_command("score", model_path, test, "-o", scores, threads=threads)
    model = load(model_path)
    _say_how_good(model, test, threads)
    return model


def _say_how_good(model: LogisticModel, test: Path, threads: int | None) -> None:
    """Evaluate a model, and compare it with a constant prediction."""
    from fastlogit.scoring import evaluate

    found = evaluate(model, test, LABEL, threads=threads)
    rate = found.positives / found.rows
    _say(
        f"on {found.rows:,} held-out flights: log-loss {found.mean_log_loss:.4f} "
        f"(guessing the rate: {cross_entropy(rate, rate):.4f}), AUC {found.auc:.4f}, accuracy "
        f"{found.accuracy:.4f} (guessing: {max(rate, 1 - rate):.4f})"
    )


def _score_file(
    flights: Any, rows: int, model: LogisticModel, folder: Path, threads: int | None
) -> None:
    """Score the flights, repeated, from a file to a file, with fastlogit and with NumPy."""
    from fastlogit import scoring

    large, scores = folder / "flights.parquet", folder / "scores.parquet"
    numpy_scores = folder / "numpy_scores.parquet"
    seconds = _time(lambda: _repeat(flights.drop_columns([LABEL]), rows, large))
    size = large.stat().st_size / 1e6
    _say(f"\nrepeated to {rows:,} rows: {large.name}, {size:,.0f} MB, written in {seconds:.1f} s")
    _run_command("score", folder / "model.json", large, "-o", scores, threads=threads)
    _compare(
        "file to file",
        rows,
        lambda: scoring.score(
            model, large, scores, batch_rows=BATCH_ROWS, threads=threads, force=True
        ),
        lambda: _score_with_numpy(model, large, numpy_scores),
    )
    difference = np.abs(_read_probabilities(scores) - _read_probabilities(numpy_scores)).max()
    if not difference < 1e-5:  # NumPy computes in float32
        raise RuntimeError(f"the scores differ from NumPy's by {difference}")


def _score_array(flights: Any, rows: int, model: LogisticModel, threads: int | None) -> None:
    """Score a float32 array in memory, with fastlogit and with NumPy."""
    columns = [flights[name].to_numpy() for name in model.feature_names or ()]
    X = np.resize(np.column_stack(columns), (rows, len(columns)))
    _compare(
        "in memory",
        rows,
        lambda: linear.probability(X, model.coef, model.intercept, threads=threads),
        lambda: _numpy_probability(X, model),
    )


def _say(text: str) -> None:
    print(text, flush=True)


def _run_command(*words: Any, threads: int | None) -> None:
    """Print a command line, and run it."""
    if threads is not None:
        words += ("--threads", threads)
    names = [word.name if isinstance(word, Path) else str(word) for word in words]
    _say(f"\n$ fastlogit {shlex.join(names)}")
    args = make_parser((train, score)).parse_args([str(word) for word in words])
    args.run(args)


def _time(call: Callable[[], Any]) -> float:
    """Seconds that a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _repeat(table: Any, rows: int, path: Path) -> None:
    """Write a table again and again, up to `rows` rows."""
    import pyarrow.parquet as pq

    with pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
        for start in range(0, rows, table.num_rows):
            writer.write_table(table.slice(0, rows - start))


def _read_probabilities(path: Path) -> NDArray[np.float64]:
    """The column of scores in a Parquet file."""
    import pyarrow.parquet as pq

    y: NDArray[np.float64] = pq.read_table(path)["probability"].to_numpy()
    return y


def _numpy_probability(X: NDArray[Any], model: LogisticModel) -> NDArray[Any]:
    """The textbook's formula, in the dtype of X: NumPy would copy X to float64 first."""
    z = X @ model.coef.astype(X.dtype) + X.dtype.type(model.intercept)
    y: NDArray[Any] = 1 / (1 + np.exp(-z))
    return y


def _score_with_numpy(model: LogisticModel, source: Path, target: Path) -> None:
    """Score a Parquet file with pyarrow and NumPy."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from fastlogit.tables.sink import open_sink

    names = list(model.feature_names or ())
    schema = pa.schema([("probability", pa.float64())])
    with pq.ParquetFile(source) as file, open_sink(target, schema, force=True) as write:
        for batch in file.iter_batches(BATCH_ROWS, columns=names):
            X = np.column_stack([batch.column(name).to_numpy() for name in names])
            y = _numpy_probability(X, model).astype(np.float64)
            write(pa.record_batch([y], schema=schema))


def _compare(what: str, rows: int, ours: Callable[[], Any], theirs: Callable[[], Any]) -> None:
    """Time two calls in turns, and print the medians and the median of the ratios."""
    ours()  # compiles
    theirs()  # both have now touched their files and memory
    seconds = [(_time(ours), _time(theirs)) for _ in range(ROUNDS)]
    fastlogit_s, numpy_s = (statistics.median(times) for times in zip(*seconds, strict=True))
    ratio = statistics.median(theirs_s / ours_s for ours_s, theirs_s in seconds)
    _say(
        f"{what}, {rows:,} rows: fastlogit {fastlogit_s:.3f} s ({rows / fastlogit_s:,.0f} rows/s), "
        f"NumPy {numpy_s:.3f} s ({rows / numpy_s:,.0f} rows/s): {ratio:.2f} times as fast"
    )
