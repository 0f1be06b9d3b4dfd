"""LIBSVM: its columns, its rows, and damaged files."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from fastlogit.scoring import read_table
from fastlogit.tables.source import open_table
from tests.scoring_data import (
    PAIR_Z,
    pair_logits,
    write_libsvm,
)


def test_libsvm_may_count_from_0(tmp_path):
    write_libsvm(tmp_path / "x.svm", True)
    np.testing.assert_array_equal(pair_logits(tmp_path / "x.svm", source_format="libsvm0"), PAIR_Z)
    remedy = r"x\.svm: row \d+: a column has the number 0, .*\(source_format='libsvm0' counts"
    with pytest.raises(ValueError, match=remedy):
        pair_logits(tmp_path / "x.svm")
    with pytest.raises(ValueError, match=remedy) as caught:
        read_table(tmp_path / "x.svm")
    assert str(caught.value).count("x.svm: ") == 1


def test_libsvm_that_is_wider_than_it_should_be(tmp_path):
    path = tmp_path / "x.svm"
    path.write_bytes(b"1 1:2.0 2:1.0\n0 3:1.0\n")
    message = (
        r"x\.svm: row 1: there must be at most 2 columns, as the model or width=2 says; got 3$"
    )
    with pytest.raises(ValueError, match=message):
        read_table(path, width=2)
    with pytest.raises(ValueError, match=message):
        pair_logits(path)
    assert read_table(path, width=3).X.shape == (2, 3)


@pytest.mark.parametrize("bad", [b"0 1:many", b"0 7:1.0", b"0 0:1.0", b"late 1:2.0", b"0 x"])
@pytest.mark.parametrize("size", [20, 1000, 1 << 20])
def test_the_row_of_an_error_in_libsvm(tmp_path, monkeypatch, bad, size):
    monkeypatch.setattr("fastlogit.tables.text_file._BLOCK_BYTES", size)
    path = tmp_path / "x.svm"
    for row in (0, 1, 77, 200):
        path.write_bytes(b"1 1:2.0 2:1.0\n" * row + bad + b"\n" + b"0\n" * (200 - row))
        with pytest.raises(ValueError, match=rf"x\.svm: row {row}: "):
            pair_logits(path)


# LIBSVM without a width --------------------------------------------------------------------


@pytest.mark.parametrize("size", [12, 1 << 20])
def test_a_first_look_finds_how_many_columns_libsvm_has(tmp_path, monkeypatch, size):
    monkeypatch.setattr("fastlogit.tables.text_file._BLOCK_BYTES", size)
    (tmp_path / "1.svm").write_text("1 1:2.0\n\n# nothing\n0 3:1.5 # a comment\n")
    (tmp_path / "2.svm").write_text("0 2:1.0\n1 1:4.0\n")
    assert len(open_table(tmp_path / "1.svm").dtypes) == 3
    data = read_table(tmp_path)
    assert data.X.toarray().tolist() == [[2, 0, 0], [0, 0, 1.5], [0, 1, 0], [4, 0, 0]]
    assert data.t.tolist() == [1, 0, 0, 1]
    assert len(open_table(tmp_path / "1.svm", file_format="libsvm0").dtypes) == 4
    assert len(open_table(tmp_path / "1.svm", width=7).dtypes) == 7


@pytest.mark.parametrize("bad", [b"0 1:many", b"late 1:2.0", b"0 0:1.0"])
def test_a_first_look_names_the_row_of_an_error(tmp_path, bad):
    path = tmp_path / "x.svm"
    path.write_bytes(b"\n# not a row\n1 1:2.0\n\n0 2:2.0\n\n" + bad + b"\n1 1:2.0\n")
    with pytest.raises(ValueError, match=r"x\.svm: row 2: "):
        open_table(path)


def test_a_stream_of_libsvm_needs_a_width(monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"1 1:2.0\n")))
    with pytest.raises(ValueError, match=r"standard input: LIBSVM .* width must say so"):
        open_table("-", file_format="libsvm")
