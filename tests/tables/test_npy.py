"""NPY, NPZ and LIBSVM: their types, and what is damaged."""

from __future__ import annotations

import io
import re
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse

import fastlogit as fl
from fastlogit.scoring import read_table, score
from fastlogit.tables.source import open_table
from tests.scoring_data import (
    PAIR_MODEL,
    PAIR_WRITERS,
    PAIR_X,
    PAIR_Z,
    pair_logits,
    write_libsvm,
)


@pytest.mark.parametrize("dtype", ["f2", ">f4", "<f8", ">i2", "?", "u1"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_dtypes_and_orders_of_npy(tmp_path, dtype, order):
    X = np.array([[0, 1], [1, 1], [1, 0]]).astype(dtype, order=order)
    np.save(tmp_path / "in.npy", X)
    score(fl.LogisticModel([2.0, -0.5]), tmp_path / "in.npy", tmp_path / "out.npy")
    y = np.load(tmp_path / "out.npy")
    np.testing.assert_array_equal(y, fl.sigmoid(X.astype(float) @ [2.0, -0.5]))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(3), r"must have two axes; it has shape \(3,\)"),
        (np.zeros((3, 3)), "must have 2 columns, as the model has; it has 3"),
        (np.zeros((3, 2), complex), "column 0 must hold numbers; it holds complex128"),
        (np.array([["a", "b"]]), "column 0 must hold numbers; it holds <U1"),
    ],
)
def test_unsuitable_arrays(tmp_path, array, message):
    np.save(tmp_path / "in.npy", array)
    with pytest.raises(ValueError, match=rf"in.npy: {message}"):
        score(fl.LogisticModel([1.0, 2.0]), tmp_path / "in.npy", tmp_path / "out.npy")


def test_pickles_are_not_read(tmp_path):
    np.save(tmp_path / "in.npy", np.array([[object()]]))
    with pytest.raises(ValueError, match=r"in.npy: .*Python objects"):
        score(fl.LogisticModel([1.0]), tmp_path / "in.npy", tmp_path / "out.npy")


@pytest.mark.parametrize("name", ["x.npz"])
def test_files_that_are_cut_short(tmp_path, name):
    path = tmp_path / name
    PAIR_WRITERS[name](path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(ValueError, match=rf"{name}: "):
        pair_logits(path)


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


def test_a_flipped_bit_in_an_archive_is_an_error(refuses, tmp_path):
    path = tmp_path / "x.npz"
    PAIR_WRITERS["x.npz"](path)
    whole = path.read_bytes()
    last = whole.rindex(PAIR_X[-1].tobytes())
    for place in (500, len(whole) // 2, last, last + 15):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert f"{path}: Bad CRC-32 for file 'arr_0.npy'" in refuses(PAIR_MODEL, path)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ("(3, 2)", "is cut short: it has 40 bytes for 3 rows and 2 columns"),
        ("(10**9, 2)", "Cannot parse|malformed"),
        ("(1000000000000, 2)", "is cut short: it has 40 bytes for 1000000000000 rows"),
        ("(-1, 2)", r"must have two axes; it has shape \(-1, 2\)"),
        ("(2,)", r"must have two axes; it has shape \(2,\)"),
        ("()", r"must have two axes; it has shape \(\)"),
    ],
)
def test_headers_that_promise_what_is_not_there(refuses, tmp_path, shape, message):
    path = tmp_path / "x.npy"
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00v\x00" + header.encode() + bytes(40))
    assert re.search(f"{path}: ({message})", refuses(PAIR_MODEL, path))


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_npy_is_read(tmp_path, version):
    with (tmp_path / "x.npy").open("wb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.lib.format.write_array(file, PAIR_X, version)
    np.testing.assert_array_equal(pair_logits(tmp_path / "x.npy"), PAIR_Z)


def test_an_archive_of_many_arrays_names_a_few(refuses, tmp_path):
    np.savez(tmp_path / "x.npz", **{f"a{number}": np.zeros(1) for number in range(1000)})
    message = "must have one array, or one called X; it has 'a0.npy', 'a1.npy', "
    assert message in refuses(PAIR_MODEL, tmp_path / "x.npz")


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


# What cannot be read -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["coo", "bsr", "csc", "dok", "lil"])
@pytest.mark.parametrize("form", ["array", "matrix"])
def test_a_sparse_matrix_must_be_row_major(kind, form):
    X = getattr(sparse, f"{kind}_{form}")(PAIR_X)
    with pytest.raises(TypeError, match=rf"source must be row-major .* got {kind} \(source\.tocsr"):
        pair_logits(X)
    np.testing.assert_array_equal(pair_logits(X.tocsr()), PAIR_Z)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (np.ma.array([[1.0, 2.0]], mask=[[True, False]]), "source must have no masked elements"),
        ([[1.0, 2.0], [3.0]], "source must have two axes, of rows of the same length"),
        (np.array([[1.0, None]]), "must hold numbers; it holds object"),
        (np.array([[1j, 0.0]]), "must hold numbers; it holds complex128"),
    ],
)
def test_arrays_that_hold_no_numbers(source, message):
    with pytest.raises(ValueError, match=message):
        pair_logits(source)


def test_a_header_of_more_columns_than_there_can_be(refuses, tmp_path):
    path = tmp_path / "x.npy"
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 100000000000)}".ljust(117)
    path.write_bytes(b"\x93NUMPY\x01\x00v\x00" + header.encode() + b"\n")
    assert f"{path}: must have at most 16777216 columns" in refuses(PAIR_MODEL, path)
