"""The table of file formats: names, suffixes, and what each format offers."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

import fastlogit as fl
from fastlogit.tables.formats import (
    FORMATS,
    choose_format,
    format_by_suffix,
    input_formats,
    output_formats,
    stream_formats,
    suffixes,
)
from fastlogit.tables.sink import open_sink
from fastlogit.tables.source import open_table

TABLE = pa.table({"a": [1.0, 2.0, 3.5], "b": [0.0, -1.0, 7.0]})


def test_names_are_unique_and_each_format_can_be_read_or_written():
    assert len({one.name for one in FORMATS}) == len(FORMATS)
    assert all(one.open_file or one.write for one in FORMATS)
    # A stream is read once, so that its format can also be read from a file.
    assert all(one.open_file for one in stream_formats())


@pytest.mark.parametrize("formats", [input_formats(), output_formats()], ids=["input", "output"])
def test_every_suffix_stands_for_a_format_in_any_case(formats):
    for suffix in suffixes(formats):
        one = format_by_suffix(Path(f"x{suffix}"), formats)
        assert suffix in one.suffixes
        assert format_by_suffix(Path(f"x.y{suffix.upper()}"), formats) == one
        if one.is_text:
            assert format_by_suffix(Path(f"x{suffix}.gz"), formats) == one
        else:
            with pytest.raises(ValueError, match=r"x.*\.gz: the suffix must be one of \.parquet, "):
                format_by_suffix(Path(f"x{suffix}.gz"), formats)


@pytest.mark.parametrize("name", ["xml", "", None, 3])
def test_an_unknown_name_is_an_error_that_lists_the_formats(name):
    with pytest.raises(ValueError, match=r"^source_format must be one of parquet, arrow, csv, tsv"):
        choose_format(input_formats(), name, "source_format")


@pytest.mark.parametrize("one", output_formats(), ids=lambda one: one.name)
def test_every_format_that_is_written_is_read_again(tmp_path, one):
    path = tmp_path / f"x{one.suffixes[0]}"
    with open_sink(path, TABLE.schema, file_format=one.name) as write:
        for batch in TABLE.to_batches(max_chunksize=2):
            write(batch)
    table = open_table(path)
    (batch,) = table.read(table.want([0, 1]))
    found = batch.data if table.names is None else batch.data.to_pandas()
    assert fl.linear.decision(found, [1.0, 10.0]).tolist() == [1.0, -8.0, 73.5]
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("one", output_formats(), ids=lambda one: one.name)
def test_a_compression_is_for_formats_that_have_one(tmp_path, one):
    path = tmp_path / f"x{one.suffixes[0]}"

    def write():
        with open_sink(path, TABLE.schema, file_format=one.name, compression="zstd"):
            pass

    if one.takes_compression:
        write()
        assert path.exists()
    else:
        message = r"^only parquet, arrow, arrow-stream take compression='zstd'; the output is "
        with pytest.raises(ValueError, match=message + one.name):
            write()
        assert not list(tmp_path.iterdir())
