"""NPY and NPZ: their types, and damaged files."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

import fastlogit as fl
from fastlogit.scoring import score
from tests.scoring_data import (
    PAIR_MODEL,
    PAIR_WRITERS,
    PAIR_X,
    PAIR_Z,
    pair_logits,
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
def test_a_header_that_promises_too_much_is_an_error(refuses, tmp_path, shape, message):
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


def test_a_header_of_more_columns_than_there_can_be(refuses, tmp_path):
    path = tmp_path / "x.npy"
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 100000000000)}".ljust(117)
    path.write_bytes(b"\x93NUMPY\x01\x00v\x00" + header.encode() + b"\n")
    assert f"{path}: must have at most 16777216 columns" in refuses(PAIR_MODEL, path)
