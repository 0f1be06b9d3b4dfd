"""Files that are read again in every pass: formats, threads, changes, memory."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import dask.dataframe as dd
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from scipy import sparse
from sklearn.datasets import dump_svmlight_file

import fastlogit as fl
from fastlogit.tables.csv_options import CSVOptions
from fastlogit.tables.source import open_table
from fastlogit.training.partitions.streamed import TablePartitions

ROWS = 2000
RNG = np.random.default_rng(11)
NUMBERS = RNG.normal(size=(ROWS, 3)).round(3)
T = (NUMBERS @ [1.0, -1.0, 0.5] + RNG.logistic(size=ROWS) > 0.0).astype(int)
TABLE = pa.table(
    {
        "a": NUMBERS[:, 0],
        "k": RNG.choice(["red", "blue", "green"], ROWS),
        "b": NUMBERS[:, 1],
        "t": np.where(T > 0, "yes", "no"),
    }
)


def write_folder(path, write, suffix):
    path.mkdir()
    for number, first in enumerate(range(0, ROWS, 700)):
        write(path / f"{number}{suffix}", first, first + 700)
    return path


def write_parquet(path, first=0, stop=ROWS):
    pq.write_table(TABLE.slice(first, stop - first), path, row_group_size=300)
    return path


def write_csv(path, first=0, stop=ROWS):
    pa.csv.write_csv(TABLE.slice(first, stop - first), path)
    return path


def write_npy(path, first=0, stop=ROWS):
    np.save(path, np.column_stack([NUMBERS, T])[first:stop])
    return path


def write_svm(path, first=0, stop=ROWS):
    X = sparse.csr_array(np.where(NUMBERS > 0.0, NUMBERS, 0.0))
    dump_svmlight_file(X[first:stop], T[first:stop], str(path), zero_based=False)
    return path


WRITERS = {
    "in.parquet": write_parquet,
    "in.csv": write_csv,
    "in.npy": write_npy,
    "in.svm": write_svm,
    "parquet": lambda path: write_folder(path, write_parquet, ".parquet"),
    "csv": lambda path: write_folder(path, write_csv, ".csv"),
    "npy": lambda path: write_folder(path, write_npy, ".npy"),
    "svm": lambda path: write_folder(path, write_svm, ".svm"),
}
LABELS = {"npy": -1, "svm": None}


@pytest.fixture
def small_batches(monkeypatch):
    """Several batches and threads for files of a few kilobytes."""
    monkeypatch.setattr("fastlogit.tables.text_file._BLOCK_BYTES", 5000)
    monkeypatch.setattr("fastlogit.training.partitions.streamed._ARRAY_BYTES", 4000)
    monkeypatch.setattr("fastlogit.tables.array._THREAD_ROWS", 256)
    monkeypatch.setattr("fastlogit.tables.table.MOST_ROWS", 256)


@pytest.mark.parametrize("name", WRITERS)
def test_the_same_bits_for_any_number_of_threads(tmp_path, small_batches, name):
    source = WRITERS[name](tmp_path / name)
    label = LABELS.get(name.rpartition(".")[2], "t")
    models = [
        fl.fit(source, label=label, out_of_core=True, tol=1e-14, threads=threads)
        for threads in (1, 2, 8)
    ]
    for model in models[1:]:
        np.testing.assert_array_equal(model.coef, models[0].coef)
        assert (model.intercept, model.mean_log_loss) == (
            models[0].intercept,
            models[0].mean_log_loss,
        )
        assert model.history.objective == models[0].history.objective
    whole = fl.fit(source, label=label, out_of_core=False, tol=1e-14)
    np.testing.assert_allclose(models[0].coef, whole.coef, rtol=1e-9)
    assert (models[0].classes, models[0].categories) == (whole.classes, whole.categories)


class Numbers:
    """A task that tells the number of each batch."""

    name = "numbers"

    def of_batch(self, batch):
        return [batch.number]

    def merge(self, results):
        return [number for some in results for number in some]


def test_batches_have_the_number_of_their_file_or_partition(tmp_path, small_batches):
    frame = dd.from_pandas(TABLE.to_pandas(), npartitions=3)
    for source in (WRITERS["parquet"](tmp_path / "parquet"), frame):
        table = open_table(source)
        found = TablePartitions(table, 2).run(Numbers(), table.want([0]))
        assert found == sorted(found)
        assert set(found) == {0, 1, 2}
    models = [fl.fit(frame, label="t", out_of_core=one, tol=1e-14) for one in (False, True)]
    np.testing.assert_allclose(models[0].coef, models[1].coef, rtol=1e-9)


# CSV --------------------------------------------------------------------------------------


def fit_text(path, text, **options):
    """The models of a CSV, or the texts of errors: in memory and streamed."""
    path.write_text(text)
    results = []
    for out_of_core in (False, True):
        try:
            results.append(fl.fit(path, label="t", out_of_core=out_of_core, tol=1e-14, **options))
        except ValueError as error:
            results.append(str(error))
    return results


def lines(labels, values=None):
    values = NUMBERS[:, 0] if values is None else values
    return "x,t\n" + "".join(f"{x},{t}\n" for x, t in zip(values, labels, strict=False))


CSV_LABELS = {
    "numbers and words": ["1", "2"] * 500 + ["one", "two"] * 200,
    "words and numbers": ["one", "two"] * 500 + ["1", "2"] * 200,
    "booleans": ["true", "FALSE", "True"] * 300 + ["0", "1"] * 100,
    "booleans and others": ["true", "false"] * 500 + ["maybe"],
    "a third that looks missing": ["yes", "no"] * 500 + ["?"],
    "two spellings": ["1", "2.0"] * 500 + ["1.0", "2"] * 200,
    "a missing one": ["1", "0"] * 500 + ["", "NA", "1"],
    "many": [f"x{number}" for number in range(1000)],
}


@pytest.mark.parametrize("name", CSV_LABELS)
def test_labels_of_a_csv(tmp_path, small_batches, name):
    labels = CSV_LABELS[name]
    whole, streamed = fit_text(tmp_path / "in.csv", lines(labels))
    if isinstance(whole, str):
        assert streamed == whole
    else:
        assert streamed.classes == whole.classes
        assert streamed.coef == pytest.approx(whole.coef, rel=1e-9)


CSV_CELLS = {
    "a word": ["1.5"] * 900 + ["many"],
    "formatted": ["1,234"] * 900,
    "an infinity": ["1"] * 900 + ["inf"],
    "a missing one": ["1", "2"] * 450 + [""],
    "dates": ["2024-01-01"] * 900,
}


@pytest.mark.parametrize("name", CSV_CELLS)
def test_cells_of_a_csv_give_the_same_error(tmp_path, small_batches, name):
    cells = [f'"{cell}"' for cell in CSV_CELLS[name]]
    whole, streamed = fit_text(tmp_path / "in.csv", lines(T, cells))
    assert isinstance(whole, str)
    assert streamed == whole


def test_other_columns_with_fractions_change_the_remedy_for_formatted_numbers(
    tmp_path, small_batches
):
    text = "x,y,t\n" + '"1.234,5",1,0\n' * 900 + '"1.234,5",1.5,1\n'
    whole, streamed = fit_text(tmp_path / "in.csv", text)
    assert "formatted numbers" in whole
    assert streamed == whole


def test_a_csv_with_options(tmp_path, small_batches):
    text = lines(T).replace(",", ";").replace(".", ",")
    options = {"csv": CSVOptions(delimiter=";", decimal=","), "categorical": ()}
    whole, streamed = fit_text(tmp_path / "in.csv", text, **options)
    assert streamed.coef == pytest.approx(whole.coef, rel=1e-9)


# Files that change ------------------------------------------------------------------------


def grow(path):
    with path.open("ab") as file:
        file.write(path.read_bytes()[-20:])


def cut_short(path):
    os.truncate(path, path.stat().st_size // 2)


def overwrite(path):
    """Other rows of the same size."""
    content = path.read_bytes()
    path.write_bytes(content[:200] + content[200:].replace(b"1", b"2"))


def replace(path):
    """Another file of the same content."""
    content = path.read_bytes()
    path.unlink()
    path.with_name("other").write_bytes(content)
    path.with_name("other").rename(path)


CHANGES = {"grown": grow, "cut": cut_short, "overwritten": overwrite, "replaced": replace}


@pytest.mark.parametrize("change", [*CHANGES, "removed"])
@pytest.mark.parametrize("name", ["in.parquet", "in.csv", "in.npy", "in.svm", "parquet", "csv"])
def test_a_change_between_two_passes_is_told(tmp_path, small_batches, name, change):
    source = WRITERS[name](tmp_path / name)
    path = sorted(source.iterdir())[1] if source.is_dir() else source
    changing = {"removed": lambda path: path.unlink()} | CHANGES
    calls = []

    def callback(_):
        calls.append(None)
        if len(calls) == 2:
            changing[change](path)

    label = LABELS.get(name.rpartition(".")[2], "t")
    kind = FileNotFoundError if change == "removed" else ValueError
    verb = "was removed" if change == "removed" else "has changed"
    with pytest.raises(kind, match=rf"^{re.escape(str(path))}: {verb} while it was read$"):
        fl.fit(source, label=label, out_of_core=True, callback=callback, tol=1e-14)
    assert len(calls) == 2


def test_a_file_that_is_added_to_a_folder_does_not_count(tmp_path, small_batches):
    source = WRITERS["csv"](tmp_path / "csv")
    expected = fl.fit(source, label="t", out_of_core=True)
    added = source / "9.csv"
    found = fl.fit(
        source,
        label="t",
        out_of_core=True,
        callback=lambda _: shutil.copy(source / "0.csv", added) and False,
    )
    np.testing.assert_array_equal(found.coef, expected.coef)
    assert added.exists()


# Memory -----------------------------------------------------------------------------------

FIT_AND_MEASURE = """
import sys
import fastlogit as fl
from fastlogit.tables import table
from fastlogit.training.partitions.contract import Partitions

def megabytes(field):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) >> 10

# So that a file of 160 MB is large.
table._BATCH_BYTES, Partitions.sample_bytes = 1 << 22, 1 << 23
for suffix in (".npy", ".parquet"):
    options = dict(label="39", out_of_core=True, threads=2, max_passes=4)
    fl.fit("small" + suffix, **options)
    before = megabytes("VmRSS")
    open("/proc/self/clear_refs", "w").write("5")  # forgets the peak
    fl.fit("large" + suffix, **options)
    print(megabytes("VmHWM") - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the peak is not told")
def test_memory_is_bounded(tmp_path):
    rng = np.random.default_rng(0)
    block = rng.normal(size=(25_000, 40))
    block[:, -1] = block[:, 0] + rng.normal(size=25_000) > 0.0
    table = pa.table({str(j): block[:, j] for j in range(40)})
    for name, count in (("small", 1), ("large", 20)):
        np.save(tmp_path / f"{name}.npy", np.tile(block, (count, 1)))
        path = tmp_path / f"{name}.parquet"
        with pq.ParquetWriter(path, table.schema, use_dictionary=False) as file:
            for _ in range(count):
                file.write_table(table)
    assert (tmp_path / "large.parquet").stat().st_size > 150e6
    command = [sys.executable, "-c", FIT_AND_MEASURE]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    grown = list(map(int, done.stdout.split()))
    assert max(grown) < 100, grown  # megabytes, of 160
