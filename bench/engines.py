"""``python -m bench engines``: models inside DuckDB and Polars, against their own expressions.

Everyone has two threads, reads the same Parquet file, warm in the page cache, and writes one
uncompressed column of probabilities, within `TOLERANCE` of ours, to a Parquet file.  In each engine
the function of `fastlogit.duckdb` or the expression of `fastlogit.polars` runs in the same query as
the model in the engine's own language: `to_sql`, and for Polars what people write.  Ratios are
medians over rounds of ratios within a round.  Everyone is called once before, and its output is
checked.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

import fastlogit as fl
from bench import machine, render, results
from bench.commands import count
from bench.measure import interleaved, medians, on_cores, ratio
from bench.render import FUNCTION, OURS, OWN, Row
from bench.scoring import COLUMNS, GROUP_ROWS, NAMES, ROWS, THREADS, TOLERANCE, probabilities

TEXT = tuple(f"text{j}" for j in range(3))
CATEGORIES = tuple(f"category {k}" for k in range(20))
LIBRARIES = ("pyarrow", "duckdb", "polars")


class Contender(NamedTuple):
    """A call that writes probabilities to a file."""

    run: Callable[[], object]
    result: Path


class Problem(NamedTuple):
    """A model, and the file of the rows that it scores."""

    model: fl.LogisticModel
    source: Path
    folder: Path

    def result(self, name: str) -> Path:
        return self.folder / f"{name}.parquet"


# Problems ---------------------------------------------------------------------------------


def _numbers(rows: int, folder: Path) -> Problem:
    """30 columns of float32, as `bench scoring` has."""
    rng = np.random.default_rng(COLUMNS)
    coef = rng.normal(scale=1 / np.sqrt(COLUMNS), size=COLUMNS)
    model = fl.LogisticModel(coef, 0.0, tuple(NAMES))
    columns = (
        {name: rng.standard_normal(size, np.float32) for name in NAMES} for size in _groups(rows)
    )
    return _written(model, columns, folder)


def _text(rows: int, folder: Path) -> Problem:
    """Five columns of float32 and three of text with 20 categories each."""
    import pyarrow as pa

    rng, numbers = np.random.default_rng(5), NAMES[:5]
    features = [*numbers, *(f"{name}={category}" for name in TEXT for category in CATEGORIES)]
    coef, categories = rng.normal(size=len(features)), dict.fromkeys(TEXT, CATEGORIES)
    model = fl.LogisticModel(coef, 0.0, tuple(features), categories=categories)

    def group(size: int) -> dict[str, Any]:
        codes = {name: rng.integers(0, len(CATEGORIES), size) for name in TEXT}
        texts = pa.array(CATEGORIES)
        return {name: rng.standard_normal(size, np.float32) for name in numbers} | {
            name: texts.take(pa.array(chosen)) for name, chosen in codes.items()
        }

    return _written(model, map(group, _groups(rows)), folder)


def _groups(rows: int) -> Iterator[int]:
    """Rows of each row group."""
    return (min(GROUP_ROWS, rows - start) for start in range(0, rows, GROUP_ROWS))


def _written(model: fl.LogisticModel, groups: Iterator[dict[str, Any]], folder: Path) -> Problem:
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = map(pa.table, groups)
    first, source = next(tables), folder / "rows.parquet"
    with pq.ParquetWriter(source, first.schema) as writer:
        for table in (first, *tables):
            writer.write_table(table, GROUP_ROWS)
    return Problem(model, source, folder)


PROBLEMS: dict[str, Callable[[int, Path], Problem]] = {
    f"{COLUMNS} columns of float32": _numbers,
    "5 columns of float32, 3 of text with 20 categories": _text,
}

# The model in the language of an engine ---------------------------------------------------


def polars_expression(model: fl.LogisticModel) -> Any:
    """The probability in Polars, as people write it; a chain of sums beats `sum_horizontal`."""
    import polars as pl

    numbers, coef, text = model.columns
    terms = [pl.col(name) * w for name, w in zip(numbers, coef.tolist(), strict=True)]
    for name, values in text.items():
        known = {one: float(w) for one, w in values.items()}
        terms.append(pl.col(name).replace_strict(known, return_dtype=pl.Float64))
    return 1 / (1 + (-reduce(add, terms)).exp())


# Contenders -------------------------------------------------------------------------------


def duckdb_contenders(problem: Problem) -> dict[str, Contender]:
    """DuckDB, "Tuning Workloads": COPY TO one file, in the order of the rows."""
    import duckdb

    import fastlogit.duckdb

    connection = duckdb.connect()
    connection.execute(f"SET threads = {THREADS}")
    connection.execute("SET enable_progress_bar = false")
    call = fastlogit.duckdb.register(connection, problem.model)

    def contender(name: str, expression: str) -> Contender:
        result = problem.result(f"duckdb {name}")
        query = (
            f"COPY (SELECT {expression} AS probability FROM '{problem.source}') "
            f"TO '{result}' (FORMAT parquet, COMPRESSION uncompressed)"
        )
        return Contender(partial(connection.execute, query), result)

    return {FUNCTION: contender(FUNCTION, call), OWN: contender(OWN, problem.model.to_sql())}


def polars_contenders(problem: Problem) -> dict[str, Contender]:
    """Polars, "Sources and sinks": the streaming engine, from scan to sink."""
    import polars as pl

    import fastlogit.polars

    def contender(name: str, expression: Any) -> Contender:
        result = problem.result(f"polars {name}")

        def run() -> None:
            scored = pl.scan_parquet(problem.source).select(probability=expression)
            scored.sink_parquet(result, compression="uncompressed")

        return Contender(run, result)

    ours = fastlogit.polars.probability(problem.model)
    return {
        FUNCTION: contender(FUNCTION, ours),
        OWN: contender(OWN, polars_expression(problem.model)),
    }


ENGINES = {"DuckDB": duckdb_contenders, "Polars": polars_contenders}

# Measuring --------------------------------------------------------------------------------


def measured(problem: Problem, rows: int, rounds: int) -> Row:
    """Seconds of `fl.score` and of the contenders in each engine, and ratios between them."""
    result = problem.result("score")
    score = partial(fl.score, problem.model, problem.source, result, threads=THREADS, force=True)
    score()
    expected = probabilities(result)
    calls, differences = {OURS: score}, {}
    for engine, make in ENGINES.items():
        for name, contender in make(problem).items():
            key = f"{engine} {name}"
            calls[key] = contender.run
            contender.run()
            differences[key] = _difference(key, probabilities(contender.result), expected)
    with tqdm(total=rounds * len(calls), unit="call", disable=None) as bar:
        seconds = interleaved(calls, rounds, warm=True, progress=lambda _: bar.update())
    median = medians(seconds)
    row: Row = {"rows": rows, "seconds": median[OURS], "engines": {}}
    for engine in ENGINES:
        function, own = f"{engine} {FUNCTION}", f"{engine} {OWN}"
        row["engines"][engine] = {
            FUNCTION: median[function],
            OWN: median[own],
            "difference": differences[own],
            "than_own": ratio(seconds[function], seconds[own]),
            "than_score": ratio(seconds[function], seconds[OURS]),
        }
    return row


def _difference(name: str, found: Any, expected: Any) -> float:
    """Largest relative difference from `fl.score`; none for our own functions."""
    if found.shape != expected.shape or not np.abs(found - expected).max() <= TOLERANCE:
        raise RuntimeError(f"{name} writes other probabilities than fl.score")
    largest = float(np.abs(found / expected - 1.0).max())
    if name.endswith(FUNCTION) and largest > 0.0:
        raise RuntimeError(f"{name} must write the bits of fl.score; one is {largest:.1e} off")
    return largest


def main(arguments: Sequence[str] = ()) -> None:
    """Measure both problems and print the table."""
    command = results.parser("engines")
    command.add_argument("--rows", type=count, default=ROWS, help="default: %(default)s")
    command.add_argument("--rounds", type=count, default=5, help="default: %(default)s")
    options = command.parse_args(arguments)
    # Polars reads its number of threads when it is imported; pyarrow keeps its own.
    os.environ["POLARS_MAX_THREADS"] = str(THREADS)
    import pyarrow as pa

    pa.set_cpu_count(THREADS)
    here = machine.describe(*LIBRARIES)
    print(f"{render.machine(here)}\n")
    rows = {}
    with on_cores(THREADS):
        for name, make in PROBLEMS.items():
            with tempfile.TemporaryDirectory() as folder:
                rows[name] = measured(
                    make(options.rows, Path(folder)), options.rows, options.rounds
                )
    results.finish("engines", arguments, here, rows)
