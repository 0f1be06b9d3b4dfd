"""Parquet: row groups, and damage in them."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

import fastlogit as fl
from fastlogit.scoring import score
from fastlogit.tables.source import open_table
from tests.scoring_data import (
    PAIR_MODEL,
    PAIRS,
    files_in,
    pair_logits,
    write,
)


def test_dots_and_prefixes_in_names(tmp_path):
    names = ("a", "a.b", "a.b.c")
    source = write(pa.table([[1.0], [2.0], [4.0]], names=names), tmp_path / "in.parquet")
    score(fl.LogisticModel([1.0, 0.5, 0.25], 0.0, names), source, tmp_path / "out.npy")
    assert np.load(tmp_path / "out.npy") == fl.sigmoid(3.0)


def test_damage_in_the_middle(tmp_path, table, model):
    source = write(table, tmp_path / "in.parquet")
    damaged = bytearray(source.read_bytes())
    middle = pq.ParquetFile(source).metadata.row_group(2).column(0).data_page_offset
    damaged[middle : middle + 200] = bytes(200)
    source.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"in.parquet: "):
        score(model, source, tmp_path / "out.csv", batch_rows=100)
    assert files_in(tmp_path) == [source.name]


def test_a_flipped_bit_in_a_page_with_a_checksum_names_the_row_group(refuses, tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(PAIRS, path, row_group_size=300, use_dictionary=False, write_page_checksum=True)
    whole, metadata = path.read_bytes(), pq.ParquetFile(path).metadata
    rng = np.random.default_rng(5)
    for group in range(metadata.num_row_groups):
        for column in (1, 2):
            chunk = metadata.row_group(group).column(column)
            # Its one page's header is in the first half.
            size = chunk.total_compressed_size
            end = chunk.data_page_offset + size
            for place in rng.integers(end - size // 2, end, 5):
                damaged = bytearray(whole)
                damaged[place] ^= 1 << rng.integers(8)
                path.write_bytes(damaged)
                message = rf"x\.parquet: row group {group}: could not verify page integrity, CRC "
                assert re.search(message, refuses(PAIR_MODEL, path))


def test_a_damaged_row_group_among_many_is_named_in_a_part_of_the_columns(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(PAIRS, path, row_group_size=10, use_dictionary=False, write_page_checksum=True)
    chunk = pq.ParquetFile(path).metadata.row_group(77).column(1)
    damaged = bytearray(path.read_bytes())
    damaged[chunk.data_page_offset + chunk.total_compressed_size - 1] ^= 1
    path.write_bytes(damaged)
    for batch_rows in (7, 100, None):
        with pytest.raises(ValueError, match=r"x\.parquet: row group 77: "):
            pair_logits(path, batch_rows=batch_rows)
    table = open_table(path)
    batches = list(
        table.read(table.want(table.find(["other", "a"])))
    )  # of which nothing is damaged
    assert sum(batch.data.num_rows for batch in batches) == len(PAIRS)


# Row groups --------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [0, 16 * 25, 16 * 45, 1 << 27])
@pytest.mark.parametrize("batch_rows", [1, 9, 10, 33, 1000])
@pytest.mark.parametrize("threads", [1, 2])
def test_row_groups_are_read_together_or_in_batches(
    tmp_path, monkeypatch, most, batch_rows, threads
):
    monkeypatch.setattr("fastlogit.tables.parquet._GROUP_BYTES", most)
    path = tmp_path / "x.parquet"
    with pq.ParquetWriter(path, PAIRS.schema) as writer:
        for first, stop in [(0, 10), (10, 20), (20, 20), (20, 53), (53, 54), (54, len(PAIRS))]:
            writer.write_table(PAIRS.slice(first, stop - first))
    table = open_table(path)
    columns = table.find(["b", "a"])
    for start in (0, 1, 10, 19, 20, 53, len(PAIRS) - 1):
        batches = list(
            table.read(table.want(columns, batch_rows=batch_rows, start=start, threads=threads))
        )
        assert max(batch.data.num_rows for batch in batches) <= batch_rows
        assert [batch.first for batch in batches] == [
            start + sum(batch.data.num_rows for batch in batches[:number])
            for number in range(len(batches))
        ]
        found = pa.Table.from_batches([batch.data for batch in batches])
        assert found.equals(PAIRS.select(["b", "a"]).slice(start).combine_chunks())


def test_small_row_groups_are_not_read_one_by_one(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(PAIRS, path, row_group_size=5)
    table = open_table(path)
    assert len(list(table.read(table.want(table.find(["a"]))))) == 1
