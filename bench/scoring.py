"""``python -m bench scoring``: scoring files, against reading them and against other libraries.

Everyone has two threads and the same files, warm in the page cache: `ROWS` rows of 30 float32
features from the standard normal distribution.  Parquet has pyarrow's default settings, in row
groups of 2**20 rows.  Everyone writes one probability per row, which must be within `TOLERANCE` of
ours, to a file in the same folder.  Ours is `fl.score`; ratios are medians over rounds of ratios
within a round.

Where it is reading and writing that ours is compared with, several ways to read and several ways
to write are measured, and the best of each count, one after the other.  Reading means that every
value has been in the memory of the process, not that all are there at once.

Everyone is called twice before, and what is written is checked.  A way to read or write that
takes more than `PATIENCE_S` in both calls, and `GIVE_UP` times as long as the best, is not
measured again.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial, reduce
from importlib.metadata import PackageNotFoundError, version
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

import fastlogit as fl
from bench import machine, markdown, results
from bench.commands import count
from bench.markdown import OURS, Row
from bench.measure import interleaved, on_cores, ratio

Call = Callable[[], object]
ROWS, COLUMNS = 10_000_000, 30
THREADS = 2
TOLERANCE = 1e-5
GIVE_UP, PATIENCE_S = 1.5, 2.0
GROUP_ROWS = 1 << 20
# What the others read at a time where they score in chunks: the fastest of 2**15, 2**17 and 2**20.
CHUNK_ROWS = 1 << 17
# Rows of an array that fit into the second cache, 30 float32 each.
BLOCK_ROWS = 1 << 12
LIBRARIES = ("pyarrow", "pandas", "polars", "duckdb", "onnxruntime", "scikit-learn")
NAMES = [f"x{j}" for j in range(COLUMNS)]


@dataclass(frozen=True)
class Contender:
    """Who is measured, and the file with its probabilities if it writes one."""

    name: str
    run: Call
    result: Path | None = None


@dataclass(frozen=True)
class Comparison:
    """Ours is to take at most `most` times as long, or to be at least `least` times as fast.

    As what: the best of each kind, one after the other, whom `{best}` names in `what`.
    """

    what: str
    kinds: tuple[list[Contender], ...]
    most: float | None = None
    least: float = 1.0

    @property
    def wanted(self) -> str:
        if self.most is not None:
            return f"wanted: at most {self.most:g} x"
        return f"wanted: {self.least:g} x as fast"

    def reached(self, times_as_long: float) -> bool:
        return times_as_long <= (1 / self.least if self.most is None else self.most)


@dataclass(frozen=True)
class Setting:
    """How many rows and rounds, and where the files are."""

    rows: int
    rounds: int
    folder: Path

    @property
    def model(self) -> fl.LogisticModel:
        rng = np.random.default_rng(COLUMNS)
        coef = rng.normal(scale=1 / np.sqrt(COLUMNS), size=COLUMNS)
        return fl.LogisticModel(coef, 0.0, tuple(NAMES))

    def source(self, suffix: str, rows: int | None = None, times: int = 1) -> Path:
        """The features as a file, made if it is not there, the same rows several times."""
        rows = rows or self.rows
        path = self.folder / f"features-{rows}x{times}.{suffix}"
        if not path.exists():
            unfinished = path.with_suffix(".unfinished")
            with tqdm(
                desc=path.name, total=rows * times, unit=" rows", unit_scale=True, disable=None
            ) as bar:
                WRITERS[suffix](unfinished, _features(rows, times, bar), rows * times)
            unfinished.rename(path)
        return path

    def model_file(self) -> Path:
        path = self.folder / "model.json"
        self.model.save(path)
        return path

    def result(self, name: str) -> Path:
        return self.folder / f"scores-{name}"

    def ours(self, source: Path, sink: str) -> Contender:
        """Ours, called once, so that it is compiled and its result is there."""
        result = self.result(f"fastlogit{sink}")
        score = partial(fl.score, self.model, source, result, threads=THREADS, force=True)
        score()
        return Contender(OURS, score, result)


# Files ------------------------------------------------------------------------------------


def _features(rows: int, times: int, bar: Any) -> Iterator[Any]:
    for _ in range(times):
        rng = np.random.default_rng(0)
        for start in range(0, rows, GROUP_ROWS):
            X = rng.standard_normal((min(GROUP_ROWS, rows - start), COLUMNS), np.float32)
            yield X
            bar.update(len(X))


def _tables(blocks: Iterable[Any]) -> Iterator[Any]:
    import pyarrow as pa

    for X in blocks:
        yield pa.table(list(np.ascontiguousarray(X.T)), names=NAMES)


def _schema() -> Any:
    import pyarrow as pa

    return pa.schema([(name, pa.float32()) for name in NAMES])


def _write_parquet(path: Path, blocks: Iterable[Any], _rows: int) -> None:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(path, _schema()) as writer:
        for table in _tables(blocks):
            writer.write_table(table, row_group_size=GROUP_ROWS)


def _write_csv(path: Path, blocks: Iterable[Any], _rows: int) -> None:
    from pyarrow import csv

    with csv.CSVWriter(path, _schema()) as writer:
        for table in _tables(blocks):
            writer.write_table(table)


def _write_npy(path: Path, blocks: Iterable[Any], rows: int) -> None:
    header = {"descr": "<f4", "fortran_order": False, "shape": (rows, COLUMNS)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for X in blocks:
            file.write(X.data)


WRITERS = {"parquet": _write_parquet, "csv": _write_csv, "npy": _write_npy}


def probabilities(path: Path) -> Any:
    """What a contender has written: the only column of a file."""
    if path.suffix == ".npy":
        return np.load(path)
    import pyarrow.parquet as pq

    (column,) = pq.read_table(path).columns
    return column.to_numpy()


# Reading and writing alone ----------------------------------------------------------------


def _exhaust(batches: Iterable[Any]) -> None:
    for _ in batches:
        pass


def parquet_readers(path: Path) -> list[Contender]:
    """Ways to read with pyarrow.

    Its pages "Reading and Writing the Apache Parquet Format" and "Tabular Datasets" name these
    functions and arguments for speed and memory.
    """
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    def by_groups(memory_map: bool) -> None:
        """Row groups on two threads, as Parquet is made for."""

        def read(number: int) -> None:
            with pq.ParquetFile(path, memory_map=memory_map) as file:
                for group in range(number, file.num_row_groups, THREADS):
                    file.read_row_group(group, use_threads=False)

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(read, range(THREADS)))

    def one_by_one() -> None:
        """Row groups with a small buffer for each column, as ours are read."""
        with pq.ParquetFile(path, buffer_size=1 << 18, pre_buffer=False) as file:
            for group in range(file.num_row_groups):
                file.read_row_group(group)

    def batches(use_threads: bool, **options: Any) -> None:
        with pq.ParquetFile(path, **options) as file:
            _exhaust(file.iter_batches(CHUNK_ROWS, use_threads=use_threads))

    found = [Contender("row groups, small buffers", one_by_one)]
    for memory_map in (False, True):
        mapped = ", memory_map" if memory_map else ""
        for pre_buffer in (False, True):
            options = {"memory_map": memory_map, "pre_buffer": pre_buffer}
            how = mapped + (", pre_buffer" if pre_buffer else "")
            table = partial(pq.read_table, path, **options)
            found += [
                Contender(f"read_table{how}", table),
                Contender(f"iter_batches{how}", partial(batches, True, **options)),
            ]
        found += [
            Contender(
                f"iter_batches, no threads{mapped}", partial(batches, False, memory_map=memory_map)
            ),
            Contender(f"row groups on two threads{mapped}", partial(by_groups, memory_map)),
        ]
    for rows in (CHUNK_ROWS, GROUP_ROWS):

        def scan(rows: int = rows) -> None:
            _exhaust(ds.dataset(path).scanner(batch_size=rows).to_batches())

        found.append(Contender(f"dataset scanner, {rows:,} rows", scan))
    return found


def parquet_writers(setting: Setting, scores: Any) -> list[Contender]:
    """With and without compression, and as ours is written: as a column that is never null."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = []
    for compression, nullable in (("snappy", True), ("none", True), ("none", False)):
        schema = pa.schema([pa.field("probability", pa.float64(), nullable=nullable)])
        table = pa.table([scores], schema=schema)
        how = f"{compression}{'' if nullable else ', never null'}"
        result = setting.result(f"pyarrow-{how}.parquet")
        write = partial(
            pq.write_table, table, result, compression=compression, use_dictionary=False
        )
        found.append(Contender(f"write_table, {how}", write, result))
    return found


def npy_readers(path: Path) -> list[Contender]:
    def mapped_copy() -> None:
        X = np.load(path, mmap_mode="r")
        block = np.empty((BLOCK_ROWS, COLUMNS), X.dtype)
        for start in range(0, len(X), BLOCK_ROWS):
            rows = X[start : start + BLOCK_ROWS]
            np.copyto(block[: len(rows)], rows)

    return [
        Contender("`np.load`", partial(np.load, path)),
        Contender("a map copied block by block", mapped_copy),
    ]


def npy_writers(setting: Setting, scores: Any) -> list[Contender]:
    result = setting.result("numpy.npy")
    return [Contender("`np.save`", partial(np.save, result, scores), result)]


def csv_readers(path: Path) -> list[Contender]:
    """Whole and incrementally, as on pyarrow's page "Reading and Writing CSV files"."""
    import pyarrow as pa
    from pyarrow import csv

    def options(block_size: int, dtype: Any) -> dict[str, Any]:
        return {
            "read_options": csv.ReadOptions(block_size=block_size),
            "convert_options": csv.ConvertOptions(column_types=dict.fromkeys(NAMES, dtype)),
        }

    def stream(**options: Any) -> None:
        with csv.open_csv(path, **options) as batches:
            _exhaust(batches)

    found = []
    for kilobytes in (256, 1024, 4096):  # and with 16 MB it takes twice as long
        for dtype in (pa.float32(), pa.float64()):
            how = f"{dtype}, blocks of {kilobytes} KB"
            chosen = options(kilobytes << 10, dtype)
            found += [
                Contender(f"read_csv, {how}", partial(csv.read_csv, path, **chosen)),
                Contender(f"open_csv, {how}", partial(stream, **chosen)),
            ]
    return found


# Other libraries --------------------------------------------------------------------------


def _in_chunks(
    batches: Callable[[], Iterable[Any]], of_batch: Callable[[Any], Any], result: Path
) -> None:
    """Write the probabilities of each batch, as ours are written."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    for batch in batches():
        scores = of_batch(batch)
        if writer is None:
            schema = pa.schema([("probability", pa.from_numpy_dtype(scores.dtype))])
            writer = pq.ParquetWriter(result, schema, use_dictionary=False)
        writer.write_batch(pa.record_batch([scores], schema=writer.schema), GROUP_ROWS)
    if writer is not None:
        writer.close()


def _scanned(path: Path) -> Iterable[Any]:
    """Batches that pyarrow reads ahead on its own threads.

    Its page "Tabular Datasets" iterates so over data that do not fit into memory.
    """
    import pyarrow.dataset as ds

    return ds.dataset(path).to_batches(batch_size=CHUNK_ROWS)


def sklearn_contenders(setting: Setting, source: Path) -> list[Contender]:
    """scikit-learn, "Computational Performance": predict in bulk, and `assume_finite`.

    With coefficients in float32, as a fit to float32 has them; otherwise X would be copied to
    float64.  Arrow has columns, from which an array by columns is made faster than one by rows.
    """
    import pyarrow.parquet as pq
    import sklearn
    from sklearn.linear_model import LogisticRegression

    def fitted() -> Any:
        model = LogisticRegression()
        model.coef_ = setting.model.coef[np.newaxis].astype(np.float32)
        model.intercept_ = np.zeros(1, np.float32)
        model.classes_ = np.array([0, 1])
        model.n_features_in_ = COLUMNS
        return model

    def contender(
        name: str, batches: Callable[[], Iterable[Any]], features: Callable[[Any], Any], model: Any
    ) -> Contender:
        def probability(batch: Any) -> Any:
            return model.predict_proba(features(batch))[:, 1]

        result = setting.result(f"sklearn-{name}.parquet")

        def run() -> None:
            with sklearn.config_context(assume_finite=True):
                _in_chunks(batches, probability, result)

        return Contender(f"scikit-learn in chunks of {name}", run, result)

    found = [
        contender(
            "Arrow's tensors",
            partial(_scanned, source),
            lambda batch: batch.to_tensor(row_major=False).to_numpy(),
            fitted(),
        )
    ]
    if _installed("pandas"):
        named = fitted()
        named.feature_names_in_ = np.array(NAMES, object)

        def frames() -> Iterator[Any]:
            # Frames of 2**20 rows take half as long as of 2**17.
            with pq.ParquetFile(source) as file:
                for batch in file.iter_batches(GROUP_ROWS):
                    yield batch.to_pandas()

        found.append(contender("pandas' frames", frames, lambda frame: frame, named))
    return found


def onnx_contenders(setting: Setting, source: Path) -> list[Contender]:
    """ONNX Runtime, "Thread management"; all graph optimisations are the default.

    The product is taken from either side, since Arrow's columns become an array by columns
    sooner than one by rows, which is what a converted model takes.
    """
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    coef = setting.model.coef.astype(np.float32)

    def session(by_columns: bool) -> Any:
        shapes = ([COLUMNS, None], [1, None]) if by_columns else ([None, COLUMNS], [None, 1])
        factors = ["coef", "X"] if by_columns else ["X", "coef"]
        tensors = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in zip(("X", "y"), shapes, strict=True)
        ]
        graph = helper.make_graph(
            [helper.make_node("MatMul", factors, ["z"]), helper.make_node("Sigmoid", ["z"], ["y"])],
            "logistic",
            tensors[:1],
            tensors[1:],
            [numpy_helper.from_array(coef[np.newaxis] if by_columns else coef[:, None], "coef")],
        )
        # As old as need be, so that every runtime reads it.
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        return onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def contender(by_columns: bool) -> Contender:
        running = session(by_columns)

        def probability(batch: Any) -> Any:
            if by_columns:
                X = batch.to_tensor(row_major=False).to_numpy().T
            else:
                X = np.column_stack([column.to_numpy() for column in batch.columns])
            return running.run(None, {"X": X})[0].ravel()

        layout = "columns" if by_columns else "rows"
        result = setting.result(f"onnx-{layout}.parquet")
        run = partial(_in_chunks, partial(_scanned, source), probability, result)
        return Contender(f"ONNX Runtime, by {layout}", run, result)

    return [contender(by_columns) for by_columns in (False, True)]


def polars_contenders(setting: Setting, source: Path) -> list[Contender]:
    """Polars, "Sources and sinks": scan, and sink; `sink_parquet`: lz4 for speed.

    A chain of sums takes less than `sum_horizontal`.
    """
    import polars as pl

    terms = (pl.col(name) * float(w) for name, w in zip(NAMES, setting.model.coef, strict=True))
    y = (1 / (1 + (-reduce(add, terms)).exp())).alias("probability")

    def query() -> Any:
        return pl.scan_parquet(source).select(y)

    sunk, collected = (setting.result(f"polars-{how}.parquet") for how in ("sink", "collect"))
    return [
        Contender(
            "Polars, sink_parquet", lambda: query().sink_parquet(sunk, compression="lz4"), sunk
        ),
        Contender(
            "Polars, collect and write_parquet",
            lambda: query().collect().write_parquet(collected, compression="lz4"),
            collected,
        ),
    ]


def duckdb_contenders(setting: Setting, source: Path) -> list[Contender]:
    """DuckDB, "Tuning Workloads", "Parquet Tips": COPY TO one file, whose order of rows is kept.

    Coefficients have a type, as otherwise they would be decimals.
    """
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"SET threads = {THREADS}")
    connection.execute("SET enable_progress_bar = false")

    def contender(dtype: str, compression: str) -> Contender:
        result = setting.result(f"duckdb-{dtype}-{compression}.parquet")
        coef = zip(NAMES, setting.model.coef.tolist(), strict=True)
        z = " + ".join(f"{name} * ({w!r})::{dtype}" for name, w in coef)
        query = (
            f"COPY (SELECT 1 / (1 + exp(-({z}))) AS probability FROM '{source}') "
            f"TO '{result}' (FORMAT parquet, COMPRESSION {compression})"
        )
        return Contender(
            f"DuckDB, {dtype}, {compression}", lambda: connection.execute(query), result
        )

    return [
        contender(dtype, compression)
        for dtype in ("FLOAT", "DOUBLE")
        for compression in ("snappy", "uncompressed")
    ]


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def contenders(
    setting: Setting,
    source: Path,
    *makers: Callable[[Setting, Path], list[Contender]],
) -> list[Contender]:
    """Those whose libraries are installed; the others are named."""
    found = []
    for make in makers:
        try:
            found += make(setting, source)
        except ImportError as error:
            tqdm.write(f"left out: {error}")
    return found


# Measuring --------------------------------------------------------------------------------


def _seconds(call: Call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _check(contender: Contender, expected: Any) -> None:
    """Raise unless a contender has written our probabilities."""
    if contender.result is None:
        return
    found = probabilities(contender.result)
    if found.shape != expected.shape or not np.abs(found - expected).max() <= TOLERANCE:
        raise RuntimeError(f"{contender.name} has not computed what we have")


def _first_calls(
    comparisons: Sequence[Comparison], expected: Any
) -> tuple[dict[str, float], dict[str, Call]]:
    """Check everyone, and give the lesser of two times, and the calls to be measured further."""
    once: dict[str, float] = {}
    further: dict[str, Call] = {}
    kinds = [(each, kind) for each in comparisons for kind in each.kinds]
    with tqdm(
        desc="checked", total=sum(len(kind) for _, kind in kinds), unit="contender", disable=None
    ) as bar:
        for comparison, kind in kinds:
            for contender in kind:
                once[contender.name] = min(_seconds(contender.run) for _ in range(2))
                _check(contender, expected)
                bar.update()
            most = np.inf
            if comparison.most is not None:
                most = max(PATIENCE_S, GIVE_UP * min(once[contender.name] for contender in kind))
            further |= {each.name: each.run for each in kind if once[each.name] <= most}
    return once, further


def compared(setting: Setting, ours: Contender, comparisons: Sequence[Comparison]) -> Row:
    """Measure ours and everyone else in turn, and print each, and what is reached."""
    assert ours.result is not None
    comparisons = [each for each in comparisons if all(each.kinds)]
    once, further = _first_calls(comparisons, probabilities(ours.result))
    calls = {OURS: ours.run, **further}
    with tqdm(total=setting.rounds * len(calls), unit="call", disable=None) as bar:

        def show(name: str) -> None:
            bar.set_description(name)
            bar.update()

        seconds = interleaved(calls, setting.rounds, warm=True, progress=show)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    times_as_long = {}
    for comparison in comparisons:
        best = [
            min((each.name for each in kind if each.name in medians), key=medians.__getitem__)
            for kind in comparison.kinds
        ]
        theirs = [sum(times) for times in zip(*(seconds[name] for name in best), strict=True)]
        times = ratio({OURS: seconds[OURS], "theirs": theirs}, OURS, "theirs")
        names = " and ".join(best)
        what = comparison.what.format(best=names)
        times_as_long[what] = times
        _print_all(what, comparison.kinds, once, medians)
        verdict = "reached" if comparison.reached(times) else "not reached"
        print(f"\n{times:.2f} x as long as {names}; {comparison.wanted}, {verdict}")
    return {"rows": setting.rows, "seconds": medians[OURS], "times_as_long": times_as_long}


def _print_all(
    what: str,
    kinds: Sequence[Sequence[Contender]],
    once: dict[str, float],
    medians: dict[str, float],
) -> None:
    """Print everyone's medians, or the time of who was not measured again."""
    seconds = once | medians
    print(f"\n### {what}\n\n| | seconds | times ours |\n|---|--:|--:|")
    print(f"| {OURS} | {seconds[OURS]:.3f} | |")
    for kind in kinds:
        for name in sorted((each.name for each in kind), key=seconds.__getitem__):
            note = "" if name in medians else " (once)"
            times = seconds[name] / seconds[OURS]
            print(f"| {name} | {seconds[name]:.3f}{note} | {times:.2f} |")
    sys.stdout.flush()


# Parts ------------------------------------------------------------------------------------


def score_parquet(setting: Setting) -> Row:
    source = setting.source("parquet")
    ours = setting.ours(source, ".parquet")
    scores = probabilities(setting.result("fastlogit.parquet"))
    readers, writers = parquet_readers(source), parquet_writers(setting, scores)
    ways = f"the fastest of {len(readers)} ways to read, and of {len(writers)} to write as many"
    others = contenders(setting, source, onnx_contenders, polars_contenders, duckdb_contenders)
    return compared(
        setting,
        ours,
        [
            Comparison(f"pyarrow: {ways}", (readers, writers), most=1.25),
            Comparison(
                "the fastest of ONNX Runtime, Polars and DuckDB: {best}", (others,), least=1.3
            ),
            *(
                Comparison("{best}", ([each],), least=3.0)
                for each in contenders(setting, source, sklearn_contenders)
            ),
        ],
    )


def score_npy(setting: Setting) -> Row:
    source = setting.source("npy")
    ours = setting.ours(source, ".npy")
    writers = npy_writers(setting, probabilities(setting.result("fastlogit.npy")))
    return compared(
        setting,
        ours,
        [Comparison("{best}", ([reader], writers), most=1.25) for reader in npy_readers(source)],
    )


def score_csv(setting: Setting) -> Row:
    source = setting.source("csv")
    ours = setting.ours(source, "-csv.parquet")
    readers = csv_readers(source)
    what = f"pyarrow, only reading: the fastest of {len(readers)} ways"
    return compared(setting, ours, [Comparison(what, (readers,), most=1.2)])


# A process counts the memory of the one that it was forked from, so that a small one starts it.
_PEAK = """
import json, os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
print(json.dumps([os.waitstatus_to_exitcode(status), usage.ru_maxrss]))
"""
MOST_MEMORY, MOST_GROWTH = 600e6, 1.1
# The large file has the rows of the other so many times; fewer where the disk is short.
TIMES, FEWER_TIMES = 8, 4
# Bytes of a row, and how much more of the disk is to stay free.
ROW_BYTES, SPARE_BYTES = 4 * COLUMNS, 5e9


def _command(setting: Setting, source: Path) -> list[str]:
    sink = str(setting.result("command.parquet"))
    words = ["-m", "fastlogit", "score", str(setting.model_file()), str(source), "-o", sink]
    return [sys.executable, *words, "--threads", str(THREADS), "--force", "--quiet"]


def _peak(command: list[str]) -> float:
    """Largest resident set of a process, in bytes: ru_maxrss of os.wait4."""
    words = [sys.executable, "-c", _PEAK, *command]
    status, peak = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
    if status:
        raise RuntimeError(f"{command} failed with {status}")
    return peak * (1 if sys.platform == "darwin" else 1024)


def peak_memory(setting: Setting) -> Row:
    """The largest of up to three processes each, for a small and a large file."""
    is_short = (
        shutil.disk_usage(setting.folder).free < TIMES * setting.rows * ROW_BYTES + SPARE_BYTES
    )
    times = FEWER_TIMES if is_short else TIMES
    sources = [setting.source("parquet"), setting.source("parquet", times=times)]
    rounds = min(setting.rounds, 3)
    peaks = []
    with tqdm(desc="peak memory", total=rounds * len(sources), unit="run", disable=None) as bar:
        for source in sources:
            found = []
            for _ in range(rounds):
                found.append(_peak(_command(setting, source)))
                bar.update()
            peaks.append(max(found))
    sizes = [source.stat().st_size for source in sources]
    print("\n### Peak memory (ru_maxrss)\n")
    for size, peak in zip(sizes, peaks, strict=True):
        verdict = "reached" if peak < MOST_MEMORY else "not reached"
        wanted = f"wanted: below {MOST_MEMORY / 1e6:.0f} MB, {verdict}"
        print(f"{peak / 1e6:.0f} MB for {size / 1e9:.2g} GB of Parquet; {wanted}")
    growth = peaks[1] / peaks[0]
    verdict = "reached" if growth <= MOST_GROWTH else "not reached"
    print(f"{growth:.2f} x for the large file; wanted: at most {MOST_GROWTH} x, {verdict}")
    return {"file_bytes": sizes, "peak_bytes": peaks}


def start_up(setting: Setting) -> Row:
    """Whole processes, the interpreter's own start included, with Numba's cache filled."""
    rows = 1000
    command = _command(setting, setting.source("parquet", rows))
    imports = [sys.executable, "-c", "import fastlogit.cli, pyarrow.parquet"]
    interpreter = [sys.executable, "-c", ""]
    calls = {
        " ".join(words[1:3]): partial(subprocess.run, words, check=True)
        for words in (command, imports, interpreter)
    }
    seconds = interleaved(calls, max(setting.rounds, 5))
    whole, importing, alone = (statistics.median(times) for times in seconds.values())
    print(f"\n### `fastlogit score` of {rows} rows\n")
    for what, taken, most in (("all", whole, 1.0), ("Python's start and imports", importing, 0.7)):
        verdict = "reached" if taken <= most else "not reached"
        print(f"{what}: {taken:.3f} s; wanted: at most {most} s, {verdict}")
    print(f"Python alone: {alone:.3f} s")
    return {"rows": rows, "seconds": whole, "imports_seconds": importing}


PARTS: dict[str, Callable[[Setting], Row]] = {
    "parquet": score_parquet,
    "npy": score_npy,
    "csv": score_csv,
    "memory": peak_memory,
    "start": start_up,
}


def _limit_threads(stack: ExitStack) -> None:
    """Give everyone two threads; Polars reads its number when it is imported."""
    import pyarrow as pa

    os.environ["POLARS_MAX_THREADS"] = str(THREADS)
    pa.set_cpu_count(THREADS)
    stack.enter_context(on_cores(THREADS))
    if _installed("threadpoolctl"):
        from threadpoolctl import threadpool_limits

        stack.enter_context(threadpool_limits(THREADS))


def main(arguments: Sequence[str] = ()) -> None:
    """Measure all parts, or some, and print as it goes."""
    options = _parser().parse_args(arguments)
    rows, rounds, folder = options.rows, options.rounds, options.folder
    here = machine.brief(*LIBRARIES)
    print(markdown.machine(here))
    for name in LIBRARIES:
        if name not in here["versions"]:
            print(f"left out, as not installed: {name}")
    print(f"\n{rows:,} rows x {COLUMNS} float32, {THREADS} threads, {rounds} rounds")
    with ExitStack() as stack:
        _limit_threads(stack)
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory("-fastlogit-bench")))
        folder.mkdir(parents=True, exist_ok=True)
        setting = Setting(rows, rounds, folder)
        measured = {name: PARTS[name](setting) for name in options.only or PARTS}
    results.finish("scoring", arguments, here, measured)


def _parser() -> ArgumentParser:
    command = results.parser("scoring")
    command.add_argument(
        "--rows", type=count, default=ROWS, help="of the tables (default: %(default)s)"
    )
    command.add_argument("--rounds", type=count, default=5, help="default: %(default)s")
    command.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=", ".join(PARTS))
    command.add_argument(
        "--folder", type=Path, help="for the files, which are used again (default: a temporary one)"
    )
    return command
