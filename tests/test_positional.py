"""NPY, NPZ and LIBSVM: their types, and what is damaged."""

from __future__ import annotations

import numpy as np
import pytest
from scoring_data import PAIR_WRITERS, PAIR_Z, files_in, pair_logits, write, write_libsvm

import fastlogit as fl
from fastlogit.scoring import score


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


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("in.npy", b"", "magic"),
        ("in.npy", b"not an array", "magic"),
    ],
)
def test_damaged_files(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}: .*{message}"):
        score(fl.LogisticModel([1.0], 0.0, ("x",)), tmp_path / name, tmp_path / "out.npy")
    assert files_in(tmp_path) == [name]


@pytest.mark.parametrize("suffix", [".npy"])
def test_truncated_files(tmp_path, table, model, suffix):
    source = write(table, tmp_path / f"in{suffix}")
    source.write_bytes(source.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=rf"in\{suffix}: "):
        score(model, source, tmp_path / "out.npy")
    assert files_in(tmp_path) == [source.name]


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
    with pytest.raises(ValueError, match=r"x\.svm: .*index 0 "):
        pair_logits(tmp_path / "x.svm")
