"""CSR matrices: what is accepted, what is refused, and how they are split."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

import fastlogit as fl
from fastlogit import linear
from fastlogit.matrix import as_matrix, csr


def matrix(**changed):
    """A matrix with 1, 2, 3 on the diagonal; `changed` arrays bypass the checks of SciPy."""
    X = sparse.csr_array(np.diag([1.0, 2.0, 3.0]))
    for name, value in changed.items():
        setattr(X, name, value)
    return X


INDICES = np.array([0, 1, 2], np.int32)
TAMPERED = [
    ({"indices": INDICES + 1}, "indices must lie between 0 and 2"),
    ({"indices": INDICES - 1}, "indices must lie between 0 and 2"),
    ({"indices": np.array([0, 2**40, 1])}, "indices must lie between 0 and 2"),
    ({"indices": INDICES[:2]}, "must have 3 elements, as X.indptr says; got 3 and 2"),
    ({"indices": INDICES.astype(float)}, "indices must be int32 or int64; got dtype float64"),
    ({"indices": INDICES.astype(np.uint64)}, "indices must be int32 or int64; got dtype uint64"),
    ({"indices": INDICES.astype(">i4")}, "indices must be int32 or int64; got dtype >i4"),
    ({"indices": INDICES[:, None]}, r"indices must have one axis; got shape \(3, 1\)"),
    ({"data": np.ones(2)}, "must have 3 elements, as X.indptr says; got 2 and 3"),
    ({"data": np.ones((3, 1))}, r"data must have one axis; got shape \(3, 1\)"),
    ({"data": np.ones(3, complex)}, "data must hold .*; got dtype complex128"),
    ({"data": np.ones(3, object)}, "data must hold .*; got dtype object"),
    ({"data": np.ones(3, np.float16)}, "data must hold .*; got dtype float16"),
    ({"data": np.ones(3, np.longdouble)}, "data must hold .*; got dtype float"),
    ({"data": np.ones(3, ">f8")}, "data must hold .*; got dtype >f8"),
    ({"indptr": np.array([0, 2, 1, 3])}, "indptr must rise from 0 and have 4 elements"),
    ({"indptr": np.array([1, 1, 2, 3])}, "indptr must rise from 0 and have 4 elements"),
    ({"indptr": np.array([-1, 1, 2, 3])}, "indptr must rise from 0 and have 4 elements"),
    ({"indptr": np.array([0, 1, 3])}, "indptr must rise from 0 and have 4 elements"),
    ({"indptr": np.array([], int)}, "indptr must rise from 0 and have 4 elements"),
    ({"indptr": np.zeros((4, 1), int)}, "indptr must have one axis"),
    ({"indptr": np.array([0, 1, 2, 4])}, "must have 4 elements, as X.indptr says; got 3 and 3"),
    ({"indptr": np.array([0, 1, 2, 2**62])}, "elements, as X.indptr says; got 3 and 3"),
    ({"indptr": np.array([0.0, 1.0, 2.0, 3.0])}, "indptr must be int32 or int64"),
]


@pytest.mark.parametrize(("changed", "words"), TAMPERED)
def test_a_matrix_that_is_damaged_is_an_error_that_says_where(changed, words):
    with pytest.raises((TypeError, ValueError), match=rf"^X\.{words}|^X\.data and .* {words}"):
        linear.log_loss(matrix(**changed), np.zeros(3), np.ones(3))


def test_one_index_out_of_range_is_found_among_many():
    indices = np.zeros(200_000, np.int32)
    indices[150_001] = 1
    X = sparse.csr_array((np.ones(200_000), indices, np.arange(200_001)), shape=(200_000, 2))
    X._shape = (200_000, 1)
    with pytest.raises(ValueError, match=r"^X.indices must lie .*; got 1 at entry 150001"):
        linear.decision(X, [1.0])


def test_one_step_down_is_found_among_many():
    indptr = np.full(200_001, 3)
    indptr[0], indptr[32_769] = 0, 2
    X = sparse.csr_array((200_000, 1))
    X.indptr, X.indices, X.data = indptr, np.zeros(3, int), np.ones(3)
    with pytest.raises(ValueError, match=r"^X.indptr must rise"):
        linear.decision(X, [1.0])


@pytest.mark.parametrize("kind", ["csc", "coo", "lil", "dok", "dia", "bsr"])
@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csr_matrix])
def test_other_sparse_formats_are_an_error_that_says_what_to_do(make, kind):
    X = make(np.eye(3)).asformat(kind)
    with pytest.raises(TypeError, match=rf"^X must be row-major .*; got {kind} \(X.tocsr\(\)"):
        linear.decision(X, np.ones(3))


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_sparse_without_rows_or_columns_is_an_error(shape):
    with pytest.raises(ValueError, match=r"^X must .* not be empty; got shape"):
        linear.decision(sparse.csr_array(shape), np.ones(shape[1]))


def test_sparse_with_one_axis_is_an_error():
    with pytest.raises(ValueError, match=r"^X must have 2 axes .*; got shape \(3,\)"):
        linear.decision(sparse.csr_array(np.ones(3)), np.ones(3))


def test_entries_behind_the_last_row_are_not_read():
    X = matrix(data=np.array([1, 2, 3, np.nan]), indices=np.append(INDICES, np.int32(99)))
    assert linear.decision(X, np.ones(3), offset=np.zeros(3)).tolist() == [1.0, 2.0, 3.0]


def test_the_dtype_is_that_of_the_entries():
    for dtype in (np.float32, np.int8, np.bool_):
        assert as_matrix(matrix(data=np.ones(3, dtype))).dtype == dtype


@pytest.mark.parametrize("name", ["data", "indices", "indptr"])
def test_out_must_not_overlap_any_part_of_the_matrix(name):
    first = getattr(matrix(), name)
    memory = np.zeros(8)
    inside = memory.view(first.dtype)[: first.size]
    inside[:] = first
    with pytest.raises(ValueError, match=f"^out must not overlap X.{name}$"):
        linear.decision(matrix(**{name: inside}), np.ones(3), out=memory[:3])


def test_out_must_not_be_the_entries_themselves():
    # The first row of entries stands behind rows that have none, and would be overwritten.
    n = 2000
    indptr = np.append(np.zeros(n, int), n)
    X = sparse.csr_array((np.ones(n), np.zeros(n, int), indptr), shape=(n, 1))
    with pytest.raises(ValueError, match=r"^out must not overlap X.data"):
        linear.decision(X, [1.0], out=X.data)


def test_parts_have_about_as_many_entries_and_cover_all_rows(monkeypatch):
    monkeypatch.setattr(csr, "PART_ENTRIES", 100)
    monkeypatch.setattr(csr, "ENTRIES_PER_COLUMN", 1)
    rng = np.random.default_rng(0)
    sizes = np.append(rng.integers(0, 20, 500), [0] * 500)
    indptr = np.append(0, np.cumsum(sizes)).astype(np.int32)
    entries = int(indptr[-1])
    X = sparse.csr_array((np.ones(entries), np.zeros(entries, np.int32), indptr), shape=(1000, 1))
    parts = as_matrix(X).parts(256)
    assert [part.start for part in parts] == [0, *[part.stop for part in parts[:-1]]]
    assert parts[-1].stop == 1000
    assert len(parts) > 10
    filled = [int(indptr[part.stop] - indptr[part.start]) for part in parts]
    assert max(filled) < 100 + 2 * 20


def test_two_million_columns_cost_only_the_gradient():
    d = 2_000_000
    indices, indptr = np.array([0, 5, d - 1], np.int32), np.array([0, 2, 3], np.int32)
    X = sparse.csr_array((np.ones(3), indices, indptr), shape=(2, d))
    coef = np.zeros(d)
    coef[-1] = 40.0
    assert len(as_matrix(X).parts(256)) == 1
    zeros, ones = np.zeros(2), np.ones(2)
    _, gradient, last = linear.log_loss_gradient(X, zeros + 0.5, coef, weight=ones, offset=zeros)
    assert np.flatnonzero(gradient).tolist() == [d - 1]
    assert gradient[-1] == last == 0.5


def test_entries_that_are_not_finite_are_found_in_row_and_column():
    data, indices = np.ones(70_000), np.zeros(70_000, np.int32)
    data[[40_001, 40_002, 60_000]] = np.inf, np.nan, np.nan
    indices[[40_001, 40_002]] = 2, 1
    indptr = np.append(0, np.arange(0, 70_001, 7)).astype(np.int32)
    X = as_matrix(sparse.csr_array((data, indices, indptr), shape=(10_001, 3)))
    row, column, value = X.first_not_finite()
    assert (row, column) == (40_001 // 7 + 1, 1)
    assert np.isnan(value)
    assert as_matrix(matrix()).first_not_finite() is None


def test_training_says_which_entry_is_not_finite():
    X = matrix(data=np.array([1.0, 2.0, np.inf]))
    weight, offset = np.ones(3), np.zeros(3)
    with pytest.raises(ValueError, match="X must be finite; got inf in row 2, column 2"):
        fl.fit(X, np.full(3, 0.5), weight=weight, offset=offset)


@pytest.mark.parametrize("dtype", [np.int8, np.int16])
def test_indices_of_8_or_16_bits_are_an_error(dtype):
    with pytest.raises(TypeError, match=r"^X.indices must be int32 or int64"):
        linear.decision(matrix(indices=INDICES.astype(dtype)), np.ones(3))


def test_arrays_of_any_stride_give_the_same():
    X = sparse.csr_array(np.random.default_rng(3).normal(size=(50, 11)))
    expected = linear.decision(X, np.arange(11.0))
    for name in ("data", "indices", "indptr"):
        setattr(X, name, np.repeat(getattr(X, name), 2)[::2])
        assert getattr(X, name).strides[0] == 2 * getattr(X, name).itemsize
    assert (linear.decision(X, np.arange(11.0)) == expected).all()


def test_calls_have_about_as_many_entries_where_rows_differ(monkeypatch):
    monkeypatch.setattr(csr, "CALL_ENTRIES", 1000)
    sizes = np.append(np.full(100, 100), np.zeros(5000, int))
    indptr = np.append(0, np.cumsum(sizes))
    X = sparse.csr_array((np.ones(10_000), np.zeros(10_000, int), indptr), shape=(5100, 1))
    given = as_matrix(X)
    calls = [here for here, _ in given.kernel_calls(slice(0, 5100))]
    assert [call.start for call in calls] == [0, *[call.stop for call in calls[:-1]]]
    assert calls[-1].stop == 5100
    assert max(int(indptr[call.stop] - indptr[call.start]) for call in calls) <= 1100
    assert max(call.stop - call.start for call in calls) <= 1000


def test_a_wrong_index_leaves_out_unchanged():
    n = 100_000
    indices = np.zeros(n, np.int32)
    indices[-1] = 1
    X = sparse.csr_array((np.ones(n), np.zeros(n, np.int32), np.arange(n + 1)), shape=(n, 1))
    X.indices = indices
    out = np.full(n, 7.0)
    with pytest.raises(ValueError, match=r"^X.indices must lie"):
        linear.decision(X, [1.0], out=out)
    assert (out == 7.0).all()


# Centres ----------------------------------------------------------------------------------

STORED = sparse.csr_array([[5.0, 1.0, 0.0], [6.0, 0.0, 0.0], [7.0, 2.0, 3.0]] * 40)
CENTRES = np.array([6.0, 1.5, 0.5])


def centred(X, weight=None):
    """The elements of X minus `CENTRES`, as the kernels read them."""
    X = as_matrix(X).subtract(CENTRES, weight)
    units = np.eye(3)
    return X.centres, np.column_stack([linear.decision(X, unit) for unit in units])


def test_only_columns_that_nearly_every_row_stores_have_useful_centres():
    X = as_matrix(STORED)
    assert X.useful_centres(CENTRES, None).tolist() == [6.0, 0.0, 0.0]
    weight = np.resize([1.0, 0.0, 1.0], 120)
    assert X.useful_centres(CENTRES, weight).tolist() == [6.0, 1.5, 0.0]
    few = STORED.tolil()
    few[0, 0] = 0.0  # in 119 of 120 rows
    few = as_matrix(sparse.csr_array(few))
    assert few.useful_centres(CENTRES, None).tolist() == [6.0, 0.0, 0.0]
    assert few.useful_centres(CENTRES, np.append(2.0, np.ones(119))).tolist() == [0.0] * 3


def test_centres_are_subtracted_from_rows_that_do_not_store_the_column():
    centres, found = centred(STORED)
    np.testing.assert_array_equal(centres, CENTRES)
    np.testing.assert_array_equal(found, STORED.toarray() - CENTRES)
    repeated = sparse.csr_array(
        (np.full(360, 2.0), np.tile([0, 0, 2], 120), np.arange(121) * 3), (120, 3)
    )
    assert repeated.nnz == 360
    np.testing.assert_array_equal(centred(repeated)[1], repeated.toarray() - CENTRES)


def test_rows_without_a_weight_need_no_entry():
    weight = np.resize([1.0, 0.0, 1.0], 120)
    _, found = centred(STORED, weight)
    counted = weight > 0.0
    np.testing.assert_array_equal(found[counted], (STORED.toarray() - CENTRES)[counted])
