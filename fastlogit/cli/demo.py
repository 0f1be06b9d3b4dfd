"""``fastlogit demo``: train on real flights, score millions of rows, compare with NumPy.

Each step is a command of fastlogit's own, which is printed and then run as it stands.  The
comparison does the same work as plainly as it can be done with NumPy: the same batches of the
same file, columns put side by side, the formula from the textbook, scores written in the same way.
What makes the difference is the arithmetic and that fastlogit reads ahead while it computes.
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
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.stats import rankdata

from fastlogit import linear, losses
from fastlogit.data import flights_path
from fastlogit.elementwise import logit
from fastlogit.models.model import LogisticModel, load
from fastlogit.scoring import score
from fastlogit.tables.sink import open_sink

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Main = Callable[[list[str]], int]

LABEL = "late"
HELD_OUT = 5  # every fifth row
BATCH_ROWS = 1 << 17
ROUNDS = 3
ROWS_IN_MEMORY = 1_000_000


def run(
    main: Main,
    rows: int = 10_000_000,
    *,
    threads: int | None = None,
    keep: Path | None = None,
) -> None:
    """Run the demonstration and print what it does.

    Parameters
    ----------
    main : function of a list of words
        Runs a command and returns its exit status: `fastlogit.cli.main`.
    rows : int
        How many rows to score: the flights, repeated.
    threads : int, optional
        Most threads to use; default: all cores that the process may use.
    keep : path, optional
        Folder to leave the files in, which must be new or empty; default: a temporary one.

    Raises
    ------
    ValueError
        If `rows` is not positive or `keep` is not empty.
    RuntimeError
        If a command fails or the scores are not those of NumPy.
    """
    if rows < 1:
        raise ValueError(f"rows must be at least 1; got {rows}")
    with ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory("-fastlogit")))
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ValueError(f"keep must be a new or empty folder; {folder} has files in it")
        options = [] if threads is None else ["--threads", str(threads)]

        flights = pq.read_table(flights_path())
        _say(f"{flights.num_rows:,} flights that left New York City in 2013; which were late?")
        model = _train(main, flights, folder, options)
        _score_file(main, flights, rows, model, folder, options, threads)
        _score_array(flights, min(rows, ROWS_IN_MEMORY), model, threads)
        if keep:
            _say(f"The files are in {folder}")


def _train(main: Main, flights: Any, folder: Path, options: list[str]) -> LogisticModel:
    """Train on four fifths of the flights, and say what that predicts of the others."""
    train, test = folder / "train.parquet", folder / "test.parquet"
    held_out = np.arange(flights.num_rows) % HELD_OUT == HELD_OUT - 1
    pq.write_table(flights.filter(pa.array(~held_out)), train)
    pq.write_table(flights.filter(pa.array(held_out)), test)

    model_path, scores = folder / "model.json", folder / "test_scores.parquet"
    missing = ["--missing", "skip"]  # flights that never arrived have no label
    _command(main, "train", train, "--label", LABEL, "-o", model_path, *missing, *options)
    _command(main, "score", model_path, test, "-o", scores, *options)
    _evaluate(_column(test, LABEL), _column(scores, "probability"))
    return load(model_path)


def _score_file(
    main: Main,
    flights: Any,
    rows: int,
    model: LogisticModel,
    folder: Path,
    options: list[str],
    threads: int | None,
) -> None:
    """Score the flights, repeated, from a file to a file; then once more and once with NumPy."""
    large, scores = folder / "flights.parquet", folder / "scores.parquet"
    numpy_scores = folder / "numpy_scores.parquet"
    seconds = _timed(lambda: _repeat(flights.drop_columns([LABEL]), rows, large))
    size = large.stat().st_size / 1e6
    _say(f"\nrepeated to {rows:,} rows: {large.name}, {size:,.0f} MB, written in {seconds:.1f} s")
    _command(main, "score", folder / "model.json", large, "-o", scores, *options)
    _compare(
        "file to file",
        rows,
        lambda: score(model, large, scores, batch_rows=BATCH_ROWS, threads=threads, force=True),
        lambda: _numpy_score(model, large, numpy_scores),
    )
    difference = np.abs(_column(scores, "probability") - _column(numpy_scores, "probability"))
    if not difference.max() < 1e-5:  # NumPy computes in float32
        raise RuntimeError(f"the scores differ from NumPy's by {difference.max()}")


def _score_array(flights: Any, rows: int, model: LogisticModel, threads: int | None) -> None:
    """The same without files: a float32 array in memory."""
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


def _command(main: Main, *words: Any) -> None:
    """Print a command, and run it."""
    arguments = [str(word) for word in words]
    short = [word.name if isinstance(word, Path) else str(word) for word in words]
    _say(f"\n$ fastlogit {shlex.join(short)}")
    if main(arguments) != 0:
        raise RuntimeError(f"fastlogit {shlex.join(arguments)} failed")


def _timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _repeat(table: Any, rows: int, path: Path) -> None:
    """Write a table again and again, until there are `rows` rows."""
    with pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
        for start in range(0, rows, table.num_rows):
            writer.write_table(table.slice(0, rows - start))


def _column(path: Path, name: str) -> NDArray[np.float64]:
    """One column; what is missing is NaN."""
    values: NDArray[np.float64] = pq.read_table(path, columns=[name])[name].to_numpy()
    return values.astype(np.float64)


def _evaluate(t: NDArray[np.float64], y: NDArray[np.float64]) -> None:
    known = ~np.isnan(t)
    t, y = t[known], y[known]
    accuracy = np.mean((y > 0.5) == t)
    _say(
        f"on {t.size:,} held-out flights: log-loss {losses.log_loss(logit(y), t) / t.size:.4f} "
        f"(guessing the rate: {_entropy(t.mean()):.4f}), AUC {_auc(t, y):.4f}, accuracy "
        f"{accuracy:.4f} (guessing: {max(t.mean(), 1 - t.mean()):.4f})"
    )


def _entropy(rate: float) -> float:
    return float(-rate * np.log(rate) - (1 - rate) * np.log1p(-rate))


def _auc(t: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Area under the ROC curve, as the rank sum of Mann and Whitney."""
    positives = float(t.sum())
    ranks = float(rankdata(y)[t == 1].sum())
    return (ranks - positives * (positives + 1) / 2) / (positives * (t.size - positives))


def _numpy_probability(X: NDArray[Any], model: LogisticModel) -> NDArray[Any]:
    """Compute in the dtype of X, as otherwise NumPy would make a copy of X in float64 first."""
    z = X @ model.coef.astype(X.dtype) + X.dtype.type(model.intercept)
    y: NDArray[Any] = 1 / (1 + np.exp(-z))
    return y


def _numpy_score(model: LogisticModel, source: Path, target: Path) -> None:
    """Score a Parquet file with pyarrow and NumPy."""
    names = list(model.feature_names or ())
    schema = pa.schema([("probability", pa.float64())])
    with pq.ParquetFile(source) as file, open_sink(target, schema, force=True) as write:
        for batch in file.iter_batches(BATCH_ROWS, columns=names):
            X = np.column_stack([batch.column(name).to_numpy() for name in names])
            y = _numpy_probability(X, model).astype(np.float64)
            write(pa.record_batch([y], schema=schema))


def _compare(what: str, rows: int, ours: Callable[[], Any], theirs: Callable[[], Any]) -> None:
    """Print the speed of two functions and its ratio: medians over rounds, in turn."""
    ours()  # compiles
    theirs()  # and both have touched their files and memory
    seconds = [(_timed(ours), _timed(theirs)) for _ in range(ROUNDS)]
    fast, plain = (statistics.median(times) for times in zip(*seconds, strict=True))
    ratio = statistics.median(b / a for a, b in seconds)
    _say(
        f"{what}, {rows:,} rows: fastlogit {fast:.3f} s ({rows / fast:,.0f} rows/s), "
        f"NumPy {plain:.3f} s ({rows / plain:,.0f} rows/s): {ratio:.2f} times as fast"
    )
