"""Outputs: every format holds the same rows, and a file appears whole or not at all."""

from __future__ import annotations

import functools
import itertools
import re
import signal
from itertools import pairwise

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

import fastlogit as fl
from fastlogit.scoring import score
from fastlogit.scoring.scorer import OUTPUTS
from fastlogit.tables.formats import format_by_suffix, output_formats
from fastlogit.tables.sink import open_sink
from fastlogit.tables.source import open_table
from tests import processes
from tests.scoring_data import (
    LONG_MODEL,
    PAIR_MODEL,
    SCORE_LONG,
    SUFFIXES,
    WRITTEN,
    WRITTEN_WITH_TEXT,
    N,
    files_in,
    read,
    write,
)

GROUPED = [one.suffixes[0] for one in output_formats() if one.writes_groups]


def test_tail_is_kept(tmp_path):
    np.save(tmp_path / "z.npy", [[-745.1], [-700.0], [0.0], [np.nan], [np.inf]])
    for suffix in SUFFIXES:
        sink = tmp_path / f"y{suffix}"
        score(fl.LogisticModel([1.0]), tmp_path / "z.npy", sink)
        np.testing.assert_array_equal(read(sink), fl.sigmoid([-745.1, -700.0, 0.0, np.nan, np.inf]))


@pytest.mark.parametrize("sink", WRITTEN)
@pytest.mark.parametrize("exists", [False, True])
def test_an_interrupt_leaves_no_output(tmp_path, table, model, sink, exists):
    source, sink = write(table, tmp_path / "in.parquet"), tmp_path / f"out{sink}"
    if exists:
        sink.write_text("of yesterday")
    before = files_in(tmp_path)

    def interrupt(done):
        assert done[:2] == (100, N)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        score(model, source, sink, batch_rows=100, force=exists, progress=interrupt)
    (tmp_path / f".{sink.name}.journal").unlink()  # to be resumed
    assert files_in(tmp_path) == before
    assert not exists or sink.read_text() == "of yesterday"


def test_an_output_is_replaced_only_by_force(tmp_path, table, model, expected):
    source, sink = write(table, tmp_path / "in.parquet"), tmp_path / "out.npy"
    sink.write_text("of yesterday")
    with pytest.raises(
        FileExistsError, match=r"out.npy: exists already \(force=True replaces it\)$"
    ):
        score(model, source, sink)
    assert sink.read_text() == "of yesterday"
    score(model, source, sink, force=True)
    np.testing.assert_array_equal(np.load(sink), expected)


@pytest.mark.parametrize("suffix", [*WRITTEN_WITH_TEXT, ".csv.gz", ".tsv.zst"])
def test_outputs_of_every_format_hold_the_same(tmp_path, long_source, suffix):
    sink = tmp_path / f"y{suffix}"
    chosen = format_by_suffix(sink, output_formats())
    compression = "zstd" if chosen.takes_compression else None
    fl.score(LONG_MODEL, long_source, sink, missing="nan", keep=["id"], compression=compression)
    found = read_by_pyarrow(sink)
    if suffix == ".parquet":
        assert pq.ParquetFile(sink).metadata.row_group(0).column(0).compression == "ZSTD"
    whole = pq.read_table(long_source)
    expected = LONG_MODEL.predict_proba(whole.select(["a", "b"]), missing="nan")[:, 1]
    scores = np.array(found["probability"], float)
    np.testing.assert_allclose(scores, expected, rtol=1e-15)
    assert found["id"] == whole["id"].to_pylist()


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_binary(), pa.int8(), pa.int64(), pa.bool_(), pa.float64()],
    ids=str,
)
@pytest.mark.parametrize("suffix", GROUPED)
def test_bytes_do_not_depend_on_how_rows_lie_in_memory(tmp_path, monkeypatch, suffix, kind):
    monkeypatch.setattr("fastlogit.tables.sink._GROUP_ROWS", 16 * 100)
    texts = [str(row % 2) for row in range(250)]
    plain = pa.array(texts) if not pa.types.is_primitive(kind) else pa.array(texts).cast(pa.int8())
    plain = plain.cast(kind)
    # There are values under nulls, which `take` does not copy.
    nulls = pa.array([row % 7 > 0 for row in range(250)]).buffers()[1]
    masked = pa.Array.from_buffers(kind, 250, [nulls, *plain.buffers()[1:]])
    batch = pa.record_batch({"x": masked, "s": texts})
    tidy = batch.take(pa.array(range(250)))
    written = set()
    for number, (rows, cuts) in enumerate(
        [(batch, [0, 250]), (tidy, [0, 250]), (batch, [0, 30, 150, 210, 250]), (tidy, [0, 3, 250])]
    ):
        sink = tmp_path / f"{number}{suffix}"
        with open_sink(sink, rows.schema) as write_rows:
            for first, stop in pairwise(cuts):
                write_rows(rows[first:stop])
        written.add(sink.read_bytes())
    assert len(written) == 1


@pytest.mark.parametrize("kind", [pa.int64(), pa.uint64()])
@pytest.mark.parametrize("others", [[], [None]])
def test_integers_of_an_array_are_exact_or_refused(tmp_path, kind, others):
    sink = tmp_path / "y.npy"
    for number in 2**53, 2**53 + 1, 2**63 - 1:
        values = [number, *others, 3]
        table = pa.table({"id": pa.array(values, kind), "a": [1.0] * len(values)})
        model = fl.LogisticModel([1.0], 0.0, ("a",))
        if number == 2**53:
            score(model, table, sink, keep=["id"])
            expected = [np.nan if value is None else value for value in values]
            np.testing.assert_array_equal(np.load(sink)[:, 0], expected)
            sink.unlink()
        else:
            with pytest.raises(ValueError, match="float64; column 'id' has larger integers"):
                score(model, table, sink, keep=["id"])
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_an_error_and_leaves_no_output(tmp_path, long_source):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
    limit += "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    done = processes.run(limit + SCORE_LONG, long_source, tmp_path / "out.csv")
    assert done.returncode == 1
    assert "OSError" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "out.csv").exists()


FILL = """
import os, resource, sys
from fastlogit.cli import main
model, source, sink, *limits = sys.argv[1:]
score = ["score", model, source, "-o", sink, "-q", "--batch-rows", "1000", "--force"]
assert main(score) == 0  # whatever is compiled is so without a limit
size = os.path.getsize(sink)
os.unlink(sink)
for limit in [0, 1, 100, 1000, size // 2, size - 1]:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    print(main(score), flush=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    print(sorted(name for name in os.listdir() if not name.endswith(".journal")), flush=True)
"""


@pytest.mark.parametrize("suffix", [*WRITTEN, ".tsv.gz"])
def test_a_disk_that_is_full_at_any_place_is_an_error_in_one_line(tmp_path, monkeypatch, suffix):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    np.save("in.npy", rng.normal(size=(20_000, 2)))
    PAIR_MODEL.save("model.json")
    done = processes.run(FILL, "model.json", "in.npy", f"y{suffix}")
    assert done.stdout.splitlines() == ["1", str(["in.npy", "model.json"])] * 6, done.stderr
    errors = done.stderr.splitlines()
    assert len(errors) == 6
    for error in errors:
        assert re.match(rf"fastlogit: error: \.?y\{suffix}(\.journal)?: cannot be written: ", error)


# Round trips -------------------------------------------------------------------------------

# The first and the last row have no score.  Readers guess types from the first 100 rows, whose
# probabilities are saturated and look like integers.
GRID_X = [None, *[-800.0] * 101, None, 0.5, -np.inf, 0.0, -0.25, 1e3, None]
GRID_ROWS = len(GRID_X)
GRID_TEXTS = ["a", "", None, " b ", "c,d", 'e"f', '"', "g\nh", "i\rj", "k\tl", "'m'", "007", "ä"]
GRID = pa.table(
    {
        "x": pa.array(GRID_X),
        "text": pa.array((GRID_TEXTS * GRID_ROWS)[:GRID_ROWS]),
        "nothing": pa.nulls(GRID_ROWS, pa.string()),
        "count": pa.array([None, *range(GRID_ROWS - 1)], pa.int64()),
        "ratio": pa.array([1.0] * (GRID_ROWS - 2) + [None, 0.5]),
        "flag": pa.array([row % 3 == 0 for row in range(GRID_ROWS - 1)] + [None]),
    }
)
GRID_KEPT = tuple(GRID.column_names[1:])
SCORES = {"probability", "logit", "log_probability"}
GRID_OUTPUTS = [*[(output,) for output in OUTPUTS], OUTPUTS]
CLASSES = {
    "int": (0, 1),
    "text": ("on time", "late, by far"),
    "bool": (False, True),
    "float": (1.0, 2.0),
}
TEXTS = (".csv", ".tsv", ".csv.gz", ".tsv.zst")


def separator(path):
    return "\t" if ".tsv" in path.name else ","


def read_by_pandas(path):
    if path.suffix in (".arrows", ".zst"):  # the latter needs another package
        return None
    if path.name.endswith(TEXTS):
        frame = pd.read_csv(path, sep=separator(path))
    else:
        frame = (pd.read_feather if path.suffix == ".arrow" else pd.read_parquet)(path)
    return {name: frame[name].tolist() for name in frame}


def read_by_polars(path):
    if path.name.endswith(TEXTS):
        frame = pl.read_csv(path, separator=separator(path))
    else:
        reading = {".arrow": pl.read_ipc, ".arrows": pl.read_ipc_stream}
        frame = reading.get(path.suffix, pl.read_parquet)(path)
    return frame.to_dict(as_series=False)


def read_by_duckdb(path):
    if path.suffix.startswith(".arrow"):
        return None
    reading = duckdb.read_csv if path.name.endswith(TEXTS) else duckdb.read_parquet
    return reading(str(path)).to_arrow_table().to_pydict()


def read_by_pyarrow(path):
    if path.name.endswith(TEXTS):
        options = csv.ParseOptions(delimiter=separator(path))
        return csv.read_csv(path, parse_options=options).to_pydict()
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pydict()
    opening = pa.ipc.open_file if path.suffix == ".arrow" else pa.ipc.open_stream
    with opening(path) as reader:
        return reader.read_all().to_pydict()


def read_by_fastlogit(path):
    table = open_table(path)
    text = {column for column, name in enumerate(table.names) if name not in SCORES}
    found = {name: [] for name in table.names}
    for batch in table.read(table.want(range(len(table.names)), text=text)):
        for name, values in batch.data.to_pydict().items():
            found[name] += values
    return found


READERS = [read_by_pandas, read_by_polars, read_by_duckdb, read_by_pyarrow, read_by_fastlogit]


def is_missing(value):
    return str(value) in ("None", "", "nan", "NaN")


def assert_same(found, expected, *, exactly):
    """Compare values; a CSV stores no types, and null, "" and NaN look alike."""
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        if is_missing(one) or is_missing(other):
            assert is_missing(one) == is_missing(other)
        elif exactly:
            assert one == other
        elif isinstance(other, float):
            assert float(one) == pytest.approx(other, rel=1e-15, abs=0)
        else:
            assert one == other or str(one).lower() == str(other).lower() or float(one) == other


GRID_RUNS = list(itertools.product(["error", "nan", "skip"], GRID_OUTPUTS, [(), GRID_KEPT]))


@functools.cache
def grid_scores(kind, run):
    """The arguments of a run of the grid, and the columns that it returns in memory."""
    missing, outputs, keep = GRID_RUNS[run]
    model = fl.LogisticModel([1.0], 0.0, ("x",), classes=CLASSES[kind])
    source = GRID.filter(GRID["x"].is_valid()) if missing == "error" else GRID
    options = {"output": outputs, "keep": keep, "missing": missing}
    (batch,) = score(model, source, **options)
    assert batch.num_rows == GRID_ROWS if missing == "nan" else GRID_ROWS - 3
    return (model, source), options, batch.to_pydict()


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [*itertools.product(WRITTEN_WITH_TEXT, CLASSES), (".csv.gz", "text"), (".tsv.zst", "float")],
)
def test_every_reader_finds_the_rows_and_values_that_were_written(tmp_path, suffix, kind):
    for run in range(len(GRID_RUNS)):
        arguments, options, expected = grid_scores(kind, run)
        sink = tmp_path / f"{run}{suffix}"
        score(*arguments, sink, **options)
        for reader in READERS:
            found = reader(sink)
            if found is not None:
                assert list(found) == list(expected)
                for name, values in expected.items():
                    assert_same(found[name], values, exactly=suffix not in TEXTS)
                for name in SCORES & set(expected):
                    assert {float, type(None)} >= set(map(type, found[name]))


@pytest.mark.parametrize("kind", CLASSES)
def test_an_array_is_read_back_or_refused(tmp_path, kind):
    for run, (_, outputs, keep) in enumerate(GRID_RUNS):
        arguments, options, expected = grid_scores(kind, run)
        sink = tmp_path / f"{run}.npy"
        is_text = kind in ("text", "bool") and "label" in outputs
        if keep or is_text:
            with pytest.raises(ValueError, match=r"a \.npy file holds numbers; column '(te|la)"):
                score(*arguments, sink, **options)
        else:
            score(*arguments, sink, **options)
            columns = np.array(list(expected.values()), float).T
            np.testing.assert_array_equal(np.load(sink).reshape(columns.shape), columns)
            if len(outputs) > 1:  # a table has two axes
                (batch,) = open_table(sink).read(open_table(sink).want(range(len(outputs))))
                np.testing.assert_array_equal(batch.data, columns)


@pytest.mark.parametrize("suffix", TEXTS)
@pytest.mark.parametrize("classes", CLASSES.values(), ids=CLASSES)
def test_a_value_that_is_missing_after_many_rows_is_found_by_every_reader(
    tmp_path, suffix, classes
):
    """Polars looks at 100 rows to find a column's type, DuckDB at 20,480."""
    model = fl.LogisticModel([1.0], 0.0, ("x",), classes=classes)
    source = pa.table({"x": [1000.0] * 25_000 + [None, 0.5, -1.0]})
    for output in "probability", "label":
        sink = tmp_path / f"{output}{suffix}"
        score(model, source, sink, output=output, missing="nan")
        expected = pa.Table.from_batches(score(model, source, output=output, missing="nan"))
        for reader in READERS:
            if (found := reader(sink)) is not None:
                assert_same(found[output][-5:], expected[output].to_pylist()[-5:], exactly=False)
                assert len(found[output]) == 25_003


@pytest.mark.parametrize("suffix", TEXTS)
def test_columns_kept_of_a_csv_are_read_back_as_from_the_csv_itself(tmp_path, suffix):
    source, sink = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    end = separator(source)
    names = ["x", "id", "when", "gaps", "comma", "quoted", "padded", "zeros"]
    line = end.join(["{0}", "{0}", "2020-01-0{0}", "{1}", f'"1{end}5"', '"a""b"', " {0}", "0{0}"])
    lines = [end.join(names), *(line.format(row, row % 3 or "") for row in range(1, 8))]
    text = "\n".join(lines).encode()
    how = {"gz": "gzip", "zst": "zstd"}.get(suffix[-3:].lstrip("."))
    source.write_bytes(pa.compress(text, how, asbytes=True) if how else text)
    score(fl.LogisticModel([1.0], 0.0, ("x",)), source, sink, keep=names[1:])
    for reader in READERS:
        if (found := reader(sink)) is not None:
            before = reader(source)
            for name in names[1:]:
                assert list(map(str, found[name])) == list(map(str, before[name]))


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.int8()),
        pa.struct({"a": pa.int8()}),
        pa.binary(),
        pa.large_binary(),
        pa.binary(1),
        pa.binary_view(),
        pa.dictionary(pa.int8(), pa.binary()),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["y.csv", "y.tsv.gz"])
def test_a_csv_refuses_a_column_that_has_no_text_before_any_work(tmp_path, kind, name):
    source = pa.table({"x": [1.0], "kept": pa.nulls(1, kind)})
    model = fl.LogisticModel([1.0], 0.0, ("x",))
    with pytest.raises(ValueError, match="a CSV file cannot hold column 'kept', which is "):
        score(model, source, tmp_path / name, keep=["kept"])
    assert not list(tmp_path.iterdir())
