"""Sources that give other rows in a later read than in the first one."""

from __future__ import annotations

import os
import re

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import sparse

import fastlogit as fl
import fastlogit.dask
from fastlogit.tables.table import Batch
from fastlogit.training.partitions import row_samples
from fastlogit.training.partitions.checksums import checksum

ROWS = 3000
RNG = np.random.default_rng(28)
X = RNG.normal(size=(ROWS, 3))
T = (X[:, 0] + RNG.logistic(size=ROWS) > 0.0).astype(int)
CODES = RNG.integers(0, 5, ROWS)
CHANGED = "has changed between two reads: its rows are not those of the first one"


def table(features=X, codes=CODES, t=T, size=700):
    columns = {
        "code": pa.array(codes.astype(str)),
        "a": features[:, 0],
        "b": features[:, 1],
        "t": t,
    }
    return pa.table(columns).to_reader(max_chunksize=size)


def noise(read):
    return table(X + 1e-12 * RNG.normal(size=X.shape))


def one_column(read):
    return table(np.column_stack([X[:, 0], RNG.permutation(X[:, 1])]))


def texts(read):
    return table(codes=RNG.permutation(CODES))


def other_order(read):
    order = RNG.permutation(ROWS)
    return table(X[order], CODES[order], T[order])


def other_batches(read):
    return table(size=100 + 50 * read)


def fit_later(change, first_change=3):
    """Train on a stream that is changed from some read on."""
    reads = 0

    def read():
        nonlocal reads
        reads += 1
        return change(reads) if reads >= first_change else table()

    return fl.fit(read, label="t", categorical=["code"], out_of_core=True, tol=1e-14)


@pytest.mark.parametrize("change", [noise, one_column, texts])
@pytest.mark.parametrize("first_change", [2, 4])
def test_other_features_in_a_later_read_are_an_error(change, first_change):
    with pytest.raises(ValueError, match=f"^function: {CHANGED}$"):
        fit_later(change, first_change)


@pytest.mark.parametrize("change", [other_order, other_batches])
def test_another_order_or_other_batches_are_none(change):
    expected = fit_later(lambda _: table())
    assert fit_later(change).coef == pytest.approx(expected.coef, rel=1e-9)


def test_a_file_whose_size_and_times_are_kept(tmp_path):
    paths = [tmp_path / f"{number}.parquet" for number in range(3)]

    def write(path, features):
        pq.write_table(table(features).read_all(), path, compression="none", use_dictionary=False)

    for path in paths:
        write(path, X)

    def overwrite(_):
        times, size = paths[1].stat(), paths[1].stat().st_size
        content = tmp_path / "other"
        write(content, -X)
        paths[1].write_bytes(content.read_bytes())
        os.utime(paths[1], ns=(times.st_atime_ns, times.st_mtime_ns))
        content.unlink()
        assert paths[1].stat().st_size == size

    with pytest.raises(ValueError, match=f"^{re.escape(str(paths[1]))}: {CHANGED}$"):
        fl.fit(
            tmp_path, label="t", ignore=["code"], out_of_core=True, callback=overwrite, tol=1e-14
        )


def random_blocks(kind, number=3):
    """Blocks of which one is drawn anew in each read."""

    def load(place):
        rows = X[place * 750 : (place + 1) * 750]
        if place == number:
            rows = np.random.default_rng().normal(size=rows.shape)
        return kind(rows)

    return [dask.delayed(load, pure=False)(place) for place in range(4)]


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_a_dask_array_that_is_random_in_one_partition(kind):
    blocks = [da.from_delayed(one, (750, 3), float) for one in random_blocks(kind)]
    with (
        dask.config.set(scheduler="synchronous"),
        pytest.raises(ValueError, match=f"^X, partition 3: {CHANGED}$"),
    ):
        fastlogit.dask.fit(da.concatenate(blocks), T)


def test_a_dask_data_frame_that_is_random_in_one_partition():
    def frame(rows):
        return pd.DataFrame({"a": rows[:, 0], "t": (np.arange(len(rows)) % 2)})

    frames = dd.from_delayed(random_blocks(frame, 1), meta=frame(X[:0]), verify_meta=False)
    with (
        dask.config.set(scheduler="synchronous"),
        pytest.raises(ValueError, match=f"^X, partition 1: {CHANGED}$"),
    ):
        fastlogit.dask.fit(frames, label="t")


def test_a_partition_with_more_rows_is_named():
    sizes = {"reads": 0}

    def frame(number):
        sizes["reads"] += number == 1
        rows = 100 + (number == 1 and sizes["reads"] > 1)
        return pd.DataFrame({"a": X[:rows, 0], "t": T[:rows]})

    parts = [dask.delayed(frame, pure=False)(number) for number in range(3)]
    frames = dd.from_delayed(parts, meta=frame(0).iloc[:0], verify_meta=False)
    message = "^X, partition 1: has changed between two reads: it had 100 rows, and now has 101$"
    with dask.config.set(scheduler="synchronous"), pytest.raises(ValueError, match=message):
        fastlogit.dask.fit(frames, label="t")


# Checksums --------------------------------------------------------------------------------


COLUMNS = {
    "float64": X[:, 0],
    "float32": X[:, 0].astype(np.float32),
    "with nulls": pa.array(X[:, 0], mask=CODES == 0),
    "int8": CODES.astype(np.int8),
    "with null integers": pa.array(CODES, mask=CODES == 0),
    "bool": CODES > 2,
    "text": pa.array(CODES.astype(str)),
    "view": pa.array(CODES.astype(str)).cast(pa.string_view()),
    "dictionary": pa.array(CODES.astype(str)).dictionary_encode(),
    "text with nulls": pa.array(CODES.astype(str), mask=CODES == 0),
    "decimal": pa.array(CODES).cast(pa.decimal128(20, 1)),
    "null": pa.nulls(ROWS),
}


@pytest.mark.parametrize("keeps_order", [True, False])
@pytest.mark.parametrize("name", COLUMNS)
def test_the_checksum_of_a_batch_is_the_sum_of_those_of_its_pieces(name, keeps_order):
    data = pa.record_batch([COLUMNS[name], X[:, 1]], ["a", "b"])
    whole = checksum(Batch(data, "rows", 10), keeps_order=keeps_order)
    pieces = [Batch(data[first : first + 450], "rows", 10 + first) for first in range(0, ROWS, 450)]
    assert sum(checksum(one, keeps_order=keeps_order) for one in pieces) % 2**64 == whole
    order = np.arange(ROWS)
    order[-2000:] = RNG.permutation(order[-2000:])
    mixed = Batch(row_samples.take_rows(Batch(data, "", 0), order).data, "rows", 10)
    assert (checksum(mixed, keeps_order=keeps_order) == whole) == (not keeps_order)


def test_a_whole_column_is_compared_where_rows_have_no_order():
    values = np.arange(ROWS) % 2 * 1.0
    expected = checksum(Batch(pa.record_batch([values], ["a"]), "rows", 0), keeps_order=False)
    values[17] = 0.5
    found = checksum(Batch(pa.record_batch([values], ["a"]), "rows", 0), keeps_order=False)
    assert found != expected
