"""Parquet, Arrow and CSV: their types, and what is damaged."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from scoring_data import (
    PAIR_MODEL,
    PAIR_WRITERS,
    PAIRS,
    files_in,
    pair_logits,
    scored_with_a_byte_flipped,
    write,
)

import fastlogit as fl
from fastlogit.scoring import score
from fastlogit.scoring.sources import open_table


@pytest.mark.parametrize(
    "values",
    [
        pa.array([True, False, True]),
        pa.array([1, 0, 1], pa.uint64()),
        pa.array([1, 0, 1], pa.float16()),
    ],
    ids=lambda values: str(values.type),
)
def test_types_of_arrow(tmp_path, values):
    table = pa.table({"x": pa.chunked_array([values, values.slice(1)])})
    source = write(table, tmp_path / "in.parquet")
    score(fl.LogisticModel([2.0], 0.0, ("x",)), source, tmp_path / "out.npy")
    y = np.load(tmp_path / "out.npy")
    np.testing.assert_array_equal(y, fl.sigmoid([2.0, 0.0, 2.0, 0.0, 2.0]))


def test_dots_and_prefixes_in_names(tmp_path):
    names = ("a", "a.b", "a.b.c")
    source = write(pa.table([[1.0], [2.0], [4.0]], names=names), tmp_path / "in.parquet")
    score(fl.LogisticModel([1.0, 0.5, 0.25], 0.0, names), source, tmp_path / "out.npy")
    assert np.load(tmp_path / "out.npy") == fl.sigmoid(3.0)


def test_text_late_in_a_csv_names_column_and_row(tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("k,x\n" + "1,2.5\n" * 500_000 + "1,many\n")
    with pytest.raises(ValueError, match=r"in.csv: column 'x': row 500000: .*'many'"):
        score(fl.LogisticModel([1.0], 0.0, ("x",)), source, tmp_path / "out.npy")
    assert files_in(tmp_path) == ["in.csv"]


@pytest.mark.parametrize("bad", ["", "many", "1,2"])
def test_rows_of_a_csv_are_counted_alike_whatever_is_wrong(tmp_path, bad):
    source = tmp_path / "in.csv"
    source.write_text(f"k,x\n1,2\n\n1,2\n1,{bad}\n")  # an empty line is no row
    with pytest.raises(ValueError, match=r"\brow 2\b"):
        score(fl.LogisticModel([1.0], 0.0, ("x",)), source, tmp_path / "out.npy")


def test_integers_before_fractions_in_a_csv(tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("x\n" + "1\n" * 600_000 + "0.5\n")
    score(fl.LogisticModel([1.0], 0.0, ("x",)), source, tmp_path / "out.npy")
    assert np.load(tmp_path / "out.npy")[-1] == fl.sigmoid(0.5)


@pytest.mark.parametrize("name", ["x.arrow", "x.arrows", "x.csv.gz", "x.csv.zst"])
def test_files_that_are_cut_short(tmp_path, name):
    path = tmp_path / name
    PAIR_WRITERS[name](path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(ValueError, match=rf"{name}: "):
        pair_logits(path)


def test_damage_in_the_middle(tmp_path, table, model):
    source = write(table, tmp_path / "in.parquet")
    damaged = bytearray(source.read_bytes())
    middle = pq.ParquetFile(source).metadata.row_group(2).column(0).data_page_offset
    damaged[middle : middle + 200] = bytes(200)
    source.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"in.parquet: "):
        score(model, source, tmp_path / "out.csv", batch_rows=100)
    assert files_in(tmp_path) == [source.name]


@pytest.mark.parametrize("name", ["x.parquet", "x.arrow", "x.arrows", "x.feather"])
def test_a_flipped_bit_anywhere_is_an_error_or_leaves_all_rows(tmp_path, name):
    PAIR_WRITERS[name](tmp_path / name)
    scored_with_a_byte_flipped(tmp_path / name, 60, keep=["other"])


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


@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_text_in_row_5_million_of_a_csv_names_column_and_row(refuses, tmp_path, kind):
    source = tmp_path / f"in.{kind}"
    separator = {"csv": ",", "tsv": "\t"}[kind]
    line = f"1{separator}2\n"
    source.write_text(f"k{separator}x\n" + line * 5_000_000 + f"1{separator}many\n" + line)
    message = f"{source}: column 'x': row 5000000: CSV conversion error to double: invalid value "
    error = refuses(fl.LogisticModel([1.0], 0.0, ("x",)), source, "--threads", "2")
    assert error == f"fastlogit: error: {message}'many'\n"


MEGABYTE = b"a" * 1_000_000
BOMBS = {
    "a name of 200 MB": [MEGABYTE] * 200 + [b",x\n1,2\n"],
    "names of 200 MB": [b",".join([b"a" * 999] * 1000)] * 200 + [b",x\n1,2\n"],
    "a name of 900 kB": [MEGABYTE[:900_000], b"\n1\n"],
    "a field of 200 MB": [b"x\n1\n"] + [MEGABYTE] * 200,
    "a field of 900 kB": [b"x\n1\n", MEGABYTE[:900_000], b"\n"],
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_compressed_line_without_end_is_an_error_in_one_line(refuses, tmp_path, bomb):
    source = tmp_path / "in.csv.gz"
    with gzip.open(source, "wb") as file:
        file.writelines(BOMBS[bomb])
    assert source.stat().st_size < 1_000_000
    error = refuses(fl.LogisticModel([1.0], 0.0, ("x",)), source)
    assert str(source) in error
    assert ("megabyte" in error) == ("200" in bomb)


SCORE_AND_MEASURE = """
import resource, sys
import fastlogit as fl
model = fl.LogisticModel([1.0], 0.0, ("x",))
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
small, source, sink = sys.argv[1:]
fl.score(model, small, sink)
before = peak()
try:
    fl.score(model, source, sink, force=True)
except ValueError:
    print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere ru_maxrss is in other units")
@pytest.mark.parametrize("bomb", [name for name in BOMBS if "200" in name])
def test_a_compressed_line_without_end_takes_little_memory(tmp_path, bomb):
    small, source, sink = tmp_path / "small.csv.gz", tmp_path / "in.csv.gz", tmp_path / "y.csv"
    small.write_bytes(gzip.compress(b"x\n1\n"))
    with gzip.open(source, "wb") as file:
        file.writelines(BOMBS[bomb])
    command = [sys.executable, "-c", SCORE_AND_MEASURE, str(small), str(source), str(sink)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 100_000  # kilobytes, of 200 megabytes


@pytest.mark.parametrize("name", ["missing", "twice", "text"])
def test_names_of_megabytes_are_shortened(refuses, tmp_path, name):
    long = "x" * 1_000_000
    table = pa.table([[1.0], [1.0]], names=["y", "y" if name == "missing" else long])
    if name == "twice":
        table = pa.table([[1.0], [1.0]], names=[long, long])
    if name == "text":
        table = pa.table({long: ["a"]})
    pq.write_table(table, tmp_path / "in.parquet")
    model = fl.LogisticModel([1.0], 0.0, (long,))
    assert "xxx ..." in refuses(model, tmp_path / "in.parquet")


@pytest.mark.parametrize("suffix", ["arrow", "feather", "parquet", "csv"])
def test_columns_of_the_wrong_type_are_named(refuses, tmp_path, suffix):
    path = tmp_path / f"in.{suffix}"
    table = pa.table({"a": [1.0], "b": ["many"]})
    if suffix == "parquet":
        pq.write_table(table, path)
    elif suffix == "csv":
        pa.csv.write_csv(table, path)
    else:
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    assert f"{path}: column 'b'" in refuses(PAIR_MODEL, path)


# Row groups --------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [0, 16 * 25, 16 * 45, 1 << 27])
@pytest.mark.parametrize("batch_rows", [1, 9, 10, 33, 1000])
@pytest.mark.parametrize("threads", [1, 2])
def test_row_groups_are_read_together_or_in_batches(
    tmp_path, monkeypatch, most, batch_rows, threads
):
    monkeypatch.setattr("fastlogit.scoring.columnar._GROUP_BYTES", most)
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


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("size", [20, 1000, 1 << 23])
def test_rows_of_a_csv_with_breaks_in_fields(tmp_path, monkeypatch, threads, size):
    monkeypatch.setattr("fastlogit.scoring.texts._BLOCK_BYTES", size)
    source = tmp_path / "x.csv"
    source.write_text("a,b,k\n" + "".join(f'{row},0,"x\n7,0,evil\n8,1,z"\n' for row in range(500)))
    table = open_table(source)
    batches = list(table.read(table.want(table.find(["a", "k"]), text=[2], threads=threads)))
    found = pa.Table.from_batches([batch.data for batch in batches])
    assert found["a"].to_pylist() == list(range(500))
    assert set(found["k"].to_pylist()) == {"x\n7,0,evil\n8,1,z"}


def test_a_stray_quote_in_a_csv_is_an_error(refuses, tmp_path):
    source = tmp_path / "x.csv"
    source.write_text("a,b,k\n" + "1,2,x\n" * 500 + '1,2,"5 inch disk\n' + "1,2,x\n" * 500)
    assert "the quoted field that begins with '\"5 inch disk" in refuses(PAIR_MODEL, source)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_csv_of_only_a_header(tmp_path, end):
    (tmp_path / "x.csv").write_text(f"a,b{end}")
    assert score(PAIR_MODEL, tmp_path / "x.csv", tmp_path / "y.npy") == (0, 0, 0)


@pytest.mark.parametrize("size", [3, 20, 1 << 23])
def test_empty_lines_of_a_csv_are_no_rows_wherever_they_are(tmp_path, monkeypatch, size):
    monkeypatch.setattr("fastlogit.scoring.texts._BLOCK_BYTES", size)
    source = tmp_path / "x.csv"
    source.write_bytes(b"\n" * 50 + b"a,b\r\n1,2\r\n" + b"\r\n" * 30 + b"3,4\n" + b"\n" * 40)
    table = open_table(source)
    batches = list(table.read(table.want([0, 1])))
    assert [batch.first for batch in batches] == list(range(len(batches)))[: len(batches)]
    found = pa.Table.from_batches([batch.data for batch in batches])
    assert found.to_pydict() == {"a": [1.0, 3.0], "b": [2.0, 4.0]}
    source.write_bytes(b"\n" * 50)
    with pytest.raises(ValueError, match=r"x.csv: .*Empty CSV file"):
        open_table(source)
