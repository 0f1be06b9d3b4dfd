"""``python -m bench scoring``: scoring files, against reading them and against other libraries.

Everyone has two threads and the same files, warm in the page cache: 30 float32 features from the
standard normal distribution.  Everyone writes one probability per row, within `TOLERANCE` of
ours, to a file in the same folder.  Ours is `fl.score`; ratios are medians over rounds of ratios
within a round.  Everyone is called once before, and its output is checked.

Ours is also compared with reading and writing alone: the best of several ways to read plus the
best of several ways to write.  Reading means that every value has been in the memory of the
process, not that all values are in memory at once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

import fastlogit as fl
from bench import machine, render, results
from bench.commands import count
from bench.measure import Call, Goal, available, interleaved, medians, on_cores, ratio
from bench.render import OURS, Row

ROWS, COLUMNS = 10_000_000, 30
THREADS = 2
TOLERANCE = 1e-5
GROUP_ROWS = 1 << 20
# Rows that the other libraries read at once: the fastest of 2**15, 2**17 and 2**20.
BATCH_ROWS = 1 << 17
LIBRARIES = ("pyarrow", "polars", "duckdb", "onnxruntime", "scikit-learn")
NAMES = [f"x{j}" for j in range(COLUMNS)]


class Contender(NamedTuple):
    """A name, a call, and the file with its probabilities if it writes one."""

    name: str
    run: Call
    result: Path | None = None


class Comparison(NamedTuple):
    """The best contender of each kind, one after the other; `{best}` in `title` names them.

    The goal is for the time that ours takes relative to theirs.
    """

    title: str
    kinds: tuple[list[Contender], ...]
    goal: Goal


class Setting(NamedTuple):
    """Number of rows and rounds, and the folder of the files."""

    rows: int
    rounds: int
    folder: Path

    @property
    def model(self) -> fl.LogisticModel:
        rng = np.random.default_rng(COLUMNS)
        coef = rng.normal(scale=1 / np.sqrt(COLUMNS), size=COLUMNS)
        return fl.LogisticModel(coef, 0.0, tuple(NAMES))

    def source(self, suffix: str, rows: int | None = None, times: int = 1) -> Path:
        """A file of features, made if it is missing; the same rows several times."""
        rows = rows or self.rows
        path = self.folder / f"features-{rows}x{times}.{suffix}"
        if not path.exists():
            unfinished = path.with_suffix(".unfinished")
            WRITERS[suffix](unfinished, _features(rows, times), rows * times)
            unfinished.rename(path)
        return path

    def result(self, name: str) -> Path:
        return self.folder / f"scores-{name}"

    def ours(self, source: Path, sink: str) -> tuple[Contender, Any]:
        """fastlogit, called once so that it is compiled, and its probabilities."""
        result = self.result(f"fastlogit{sink}")
        score = partial(fl.score, self.model, source, result, threads=THREADS, force=True)
        score()
        return Contender(OURS, score, result), probabilities(result)


# Files ------------------------------------------------------------------------------------


def _features(rows: int, times: int) -> Iterator[Any]:
    for _ in range(times):
        rng = np.random.default_rng(0)
        for start in range(0, rows, GROUP_ROWS):
            yield rng.standard_normal((min(GROUP_ROWS, rows - start), COLUMNS), np.float32)


def _write_arrow(kind: str, path: Path, arrays: Iterable[Any], _rows: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow import csv

    schema = pa.schema([(name, pa.float32()) for name in NAMES])
    make = pq.ParquetWriter if kind == "parquet" else csv.CSVWriter
    with make(path, schema) as writer:
        for X in arrays:
            writer.write_table(pa.table(list(np.ascontiguousarray(X.T)), schema=schema), GROUP_ROWS)


def _write_npy(path: Path, arrays: Iterable[Any], rows: int) -> None:
    header = {"descr": "<f4", "fortran_order": False, "shape": (rows, COLUMNS)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for X in arrays:
            file.write(X.data)


WRITERS: dict[str, Callable[[Path, Iterable[Any], int], None]] = {
    "parquet": partial(_write_arrow, "parquet"),
    "csv": partial(_write_arrow, "csv"),
    "npy": _write_npy,
}


def probabilities(path: Path) -> Any:
    """The only column of a contender's file."""
    if path.suffix == ".npy":
        return np.load(path)
    import pyarrow.parquet as pq

    (column,) = pq.read_table(path).columns
    return column.to_numpy()


# Reading and writing alone ----------------------------------------------------------------


def parquet_readers(path: Path) -> list[Contender]:
    """Ways that pyarrow's page "Reading and Writing the Apache Parquet Format" names."""
    import pyarrow.parquet as pq

    return [*parquet_streams(path), Contender("read_table", partial(pq.read_table, path))]


def parquet_streams(path: Path) -> list[Contender]:
    """Those of these ways that hold few rows in memory."""
    import pyarrow.parquet as pq

    def groups_on_threads() -> None:
        def read(number: int) -> None:
            with pq.ParquetFile(path) as file:
                for group in range(number, file.num_row_groups, THREADS):
                    file.read_row_group(group, use_threads=False)

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(read, range(THREADS)))

    def batches(**options: Any) -> None:
        with pq.ParquetFile(path, **options) as file:
            deque(file.iter_batches(BATCH_ROWS), maxlen=0)

    return [
        Contender("row groups on two threads", groups_on_threads),
        Contender("iter_batches", batches),
        Contender("iter_batches, memory_map", partial(batches, memory_map=True)),
    ]


def parquet_writers(setting: Setting, scores: Any) -> list[Contender]:
    """With and without compression."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"probability": scores})
    found = []
    for compression in ("snappy", "none"):
        result = setting.result(f"pyarrow-{compression}.parquet")
        options = {"compression": compression, "use_dictionary": False}
        write = partial(pq.write_table, table, result, **options)
        found.append(Contender(f"write_table, {compression}", write, result))
    return found


def csv_readers(path: Path) -> list[Contender]:
    """Whole and incrementally, as on pyarrow's page "Reading and Writing CSV files"."""
    import pyarrow as pa
    from pyarrow import csv

    options = {
        "read_options": csv.ReadOptions(block_size=1 << 20),  # 16 MB take twice as long
        "convert_options": csv.ConvertOptions(column_types=dict.fromkeys(NAMES, pa.float32())),
    }

    def stream() -> None:
        with csv.open_csv(path, **options) as batches:
            deque(batches, maxlen=0)

    read = partial(csv.read_csv, path, **options)
    return [Contender("read_csv", read), Contender("open_csv", stream)]


# Other libraries --------------------------------------------------------------------------


def _by_batches(
    name: str, setting: Setting, source: Path, probability: Callable[[Any], Any]
) -> Contender:
    """Score the batches that pyarrow reads ahead on its own threads."""
    import pyarrow as pa
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    result = setting.result(f"{name}.parquet")
    schema = pa.schema([("probability", pa.float32())])

    def run() -> None:
        with pq.ParquetWriter(result, schema, use_dictionary=False) as writer:
            for batch in ds.dataset(source).to_batches(batch_size=BATCH_ROWS):
                scores = pa.array(probability(batch), pa.float32())
                writer.write_batch(pa.record_batch([scores], schema=schema), GROUP_ROWS)

    return Contender(name, run, result)


def sklearn_contender(setting: Setting, source: Path) -> Contender:
    """scikit-learn, "Computational Performance": predict in bulk, and `assume_finite`.

    The coefficients are float32, as after a fit to float32, because X would be copied to float64
    otherwise.  Arrow makes an array by columns sooner than by rows.
    """
    import sklearn
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression()
    model.coef_ = setting.model.coef[np.newaxis].astype(np.float32)
    model.intercept_ = np.zeros(1, np.float32)
    model.classes_ = np.array([0, 1])
    model.n_features_in_ = COLUMNS

    def predict(batch: Any) -> Any:
        with sklearn.config_context(assume_finite=True):
            return model.predict_proba(batch.to_tensor(row_major=False).to_numpy())[:, 1]

    return _by_batches("scikit-learn in batches of Arrow", setting, source, predict)


def onnx_contender(setting: Setting, source: Path) -> Contender:
    """ONNX Runtime, "Thread management"; all graph optimisations are on by default."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    X, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [rows, None])
        for name, rows in (("X", COLUMNS), ("y", 1))
    )
    # By columns, because Arrow makes such an array sooner.
    nodes = [
        helper.make_node("MatMul", ["coef", "X"], ["z"]),
        helper.make_node("Sigmoid", ["z"], ["y"]),
    ]
    coef = setting.model.coef[np.newaxis].astype(np.float32)
    weights = [numpy_helper.from_array(coef, "coef")]
    graph = helper.make_graph(nodes, "logistic", [X], [y], weights)
    # Old versions, which every runtime reads.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers)

    def predict(batch: Any) -> Any:
        columns = batch.to_tensor(row_major=False).to_numpy().T
        return session.run(None, {"X": columns})[0].ravel()

    return _by_batches("ONNX Runtime", setting, source, predict)


def polars_contender(setting: Setting, source: Path) -> Contender:
    """Polars, "Sources and sinks", with lz4; a chain of sums is faster than `sum_horizontal`."""
    import polars as pl

    terms = (pl.col(name) * float(w) for name, w in zip(NAMES, setting.model.coef, strict=True))
    y = (1 / (1 + (-reduce(add, terms)).exp())).alias("probability")
    result = setting.result("polars.parquet")

    def run() -> None:
        pl.scan_parquet(source).select(y).collect().write_parquet(result, compression="lz4")

    return Contender("Polars, collect and write_parquet", run, result)


def duckdb_contender(setting: Setting, source: Path) -> Contender:
    """DuckDB, "Tuning Workloads", "Parquet Tips": COPY TO one file, in the order of the rows."""
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"SET threads = {THREADS}")
    connection.execute("SET enable_progress_bar = false")
    result = setting.result("duckdb.parquet")
    # The coefficients have a type, because they would be decimals otherwise.
    coef = zip(NAMES, setting.model.coef.tolist(), strict=True)
    z = " + ".join(f"{name} * ({w!r})::FLOAT" for name, w in coef)
    query = (
        f"COPY (SELECT 1 / (1 + exp(-({z}))) AS probability FROM '{source}') "
        f"TO '{result}' (FORMAT parquet, COMPRESSION snappy)"
    )
    return Contender("DuckDB", partial(connection.execute, query), result)


# Measuring --------------------------------------------------------------------------------


def compared(
    setting: Setting, ours: Contender, expected: Any, comparisons: Sequence[Comparison]
) -> Row:
    """Seconds of ours, and how many times as long as the others; all of them are printed."""
    comparisons = [each for each in comparisons if all(each.kinds)]
    everyone = [one for each in comparisons for kind in each.kinds for one in kind]
    for contender in tqdm(everyone, desc="checked", unit="contender", disable=None):
        contender.run()
        if contender.result is None:
            continue
        found = probabilities(contender.result)
        if found.shape != expected.shape or not np.abs(found - expected).max() <= TOLERANCE:
            raise RuntimeError(f"{contender.name} writes other probabilities than fastlogit")
    calls = {contender.name: contender.run for contender in [ours, *everyone]}
    with tqdm(total=setting.rounds * len(calls), unit="call", disable=None) as bar:
        seconds = interleaved(calls, setting.rounds, warm=True, progress=lambda _: bar.update())
    median = medians(seconds)
    times_as_long = {}
    for comparison in comparisons:
        kinds = [[contender.name for contender in kind] for kind in comparison.kinds]
        best = [min(names, key=median.__getitem__) for names in kinds]
        theirs = [sum(times) for times in zip(*(seconds[name] for name in best), strict=True)]
        times = ratio(seconds[OURS], theirs)
        title = comparison.title.format(best=" and ".join(best))
        times_as_long[title] = times
        lines = [
            [name, f"{median[name]:.3f}", f"{median[name] / median[OURS]:.2f}"]
            for names in [[OURS], *kinds]
            for name in sorted(names, key=median.__getitem__)
        ]
        print(f"\n### {title}\n\n{render.grid(['contender', 'seconds', 'times ours'], lines)}")
        print(f"\n{times:.2f} x as long; goal: {comparison.goal.judged(times)}", flush=True)
    return {"rows": setting.rows, "seconds": median[OURS], "times_as_long": times_as_long}


# Parts ------------------------------------------------------------------------------------


def score_parquet(setting: Setting) -> Row:
    """Parquet to Parquet."""
    source = setting.source("parquet")
    ours, scores = setting.ours(source, ".parquet")
    readers, writers = parquet_readers(source), parquet_writers(setting, scores)
    ways = f"pyarrow: the fastest read ({len(readers)} ways) plus write ({len(writers)} ways)"
    sklearn, others = (
        available(partial(make, setting, source) for make in makers)
        for makers in ([sklearn_contender], [onnx_contender, polars_contender, duckdb_contender])
    )
    fastest = "the fastest of ONNX Runtime, Polars and DuckDB: {best}"
    comparisons = [
        Comparison(ways, (readers, writers), Goal(most=1.25)),
        Comparison(fastest, (others,), Goal(most=1 / 1.3)),
        Comparison("{best}", (sklearn,), Goal(most=1 / 3)),
    ]
    return compared(setting, ours, scores, comparisons)


def score_npy(setting: Setting) -> Row:
    """NPY to NPY."""
    source = setting.source("npy")
    ours, scores = setting.ours(source, ".npy")
    result = setting.result("numpy.npy")
    writers = [Contender("`np.save`", partial(np.save, result, scores), result)]
    goal = Goal(most=1.25)
    readers = [Contender("`np.load`", partial(np.load, source))]
    return compared(setting, ours, scores, [Comparison("{best}", (readers, writers), goal)])


def score_csv(setting: Setting) -> Row:
    """CSV to Parquet."""
    source = setting.source("csv")
    ours, scores = setting.ours(source, "-csv.parquet")
    readers = csv_readers(source)
    title = f"pyarrow, only reading: the fastest of {len(readers)} ways"
    return compared(setting, ours, scores, [Comparison(title, (readers,), Goal(most=1.2))])


# Started by a small process, because a child counts the memory of the process that forks it.
_PEAK = """
import json, os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
print(json.dumps([os.waitstatus_to_exitcode(status), usage.ru_maxrss]))
"""
MOST_MEMORY, MOST_GROWTH = Goal(most=600), Goal(most=1.1)
# How many times the rows of the small file the large one has.
TIMES = 8


def _command(setting: Setting, source: Path) -> list[str]:
    model = setting.folder / "model.json"
    setting.model.save(model)
    words = ["-m", "fastlogit", "score", model, source, "-o", setting.result("command.parquet")]
    return [sys.executable, *map(str, [*words, "--threads", THREADS, "--force", "--quiet"])]


def _peak(command: list[str]) -> float:
    """Largest resident set of a process in bytes: ru_maxrss of os.wait4."""
    words = [sys.executable, "-c", _PEAK, *command]
    status, peak = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
    if status:
        raise RuntimeError(f"{command} failed with {status}")
    return peak * (1 if sys.platform == "darwin" else 1024)


def peak_memory(setting: Setting) -> Row:
    """Peak memory for a small and a large file: the largest of up to three processes each."""
    sources = [setting.source("parquet"), setting.source("parquet", times=TIMES)]
    peaks = [
        max(_peak(_command(setting, source)) for _ in range(min(setting.rounds, 3)))
        for source in tqdm(sources, desc="peak memory", unit="file", disable=None)
    ]
    print("\n### Peak memory (ru_maxrss)\n")
    for peak in peaks:
        print(f"{peak / 1e6:.0f} MB; goal: {MOST_MEMORY.judged(peak / 1e6)}")
    growth = peaks[1] / peaks[0]
    print(f"{growth:.2f} x for the large file; goal: {MOST_GROWTH.judged(growth)}")
    return {"file_bytes": [source.stat().st_size for source in sources], "peak_bytes": peaks}


PARTS: dict[str, Callable[[Setting], Row]] = {
    "parquet": score_parquet,
    "npy": score_npy,
    "csv": score_csv,
    "memory": peak_memory,
}


def main(arguments: Sequence[str] = ()) -> None:
    """Measure all parts, or some, and print as it goes."""
    command = results.parser("scoring")
    command.add_argument("--rows", type=count, default=ROWS, help="default: %(default)s")
    command.add_argument("--rounds", type=count, default=5, help="default: %(default)s")
    command.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=", ".join(PARTS))
    options = command.parse_args(arguments)
    # Polars reads its number of threads when it is imported; pyarrow keeps its own.
    os.environ["POLARS_MAX_THREADS"] = str(THREADS)
    import pyarrow as pa

    pa.set_cpu_count(THREADS)
    here = machine.describe(*LIBRARIES)
    print(f"{render.machine(here)}\n")
    print(f"{options.rows:,} rows x {COLUMNS} float32, {THREADS} threads, {options.rounds} rounds")
    with on_cores(THREADS), tempfile.TemporaryDirectory() as folder:
        setting = Setting(options.rows, options.rounds, Path(folder))
        measured = {name: PARTS[name](setting) for name in options.only or PARTS}
    results.finish("scoring", arguments, here, measured)
