"""Every pass over every layout: within the stated bounds, and the same bits for any threads.

Row-major arrays have their tests in test_linear.py; here are the columns of arrays and tables,
and CSR matrices.
"""

from __future__ import annotations

import functools
import sys
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

import fastlogit as fl
from fastlogit import linear
from fastlogit.matrix import as_matrix, base, csr
from tests import processes
from tests.references.multiprecision import bits
from tests.references.passes import (
    U,
    Within,
    exact,
    exact_hessian,
    exact_product,
    exact_z,
    problem,
)

DTYPES = ["float64", "float32", "float16", "bool"]
DTYPES += [f"{sign}int{size}" for sign in ("", "u") for size in (8, 16, 32, 64)]
SHAPES = [(513, d) for d in (1, 3, 4, 5, 33)] + [(n, 9) for n in (1, 7, 5000)] + [(20, 3000)]


# Layouts ----------------------------------------------------------------------------------


def as_columns(X):
    return {f"x{j}": X[:, j].copy() for j in range(X.shape[1])}


def as_chunks(X):
    """Columns of Arrow that are cut in different places."""
    columns = {}
    for j in range(X.shape[1]):
        cuts = sorted({min(len(X), cut) for cut in (0, 11 + 5 * j, 12 + 5 * j, 400)} | {len(X)})
        parts = [X[a:b, j].copy() for a, b in pairwise(cuts)]
        columns[f"x{j}"] = pa.chunked_array([pa.array(part) for part in parts])
    return columns


LAYOUTS = {
    "rows": np.ascontiguousarray,
    "columns": as_columns,
    "chunks": as_chunks,
    "csr": sparse.csr_array,
}
# How often z, and a sum over the rows, is rounded.
ROUNDINGS = {
    "rows": lambda n, d: (None, None),
    "columns": lambda n, d: (d, None),
    "chunks": lambda n, d: (d, None),
    "csr": lambda n, d: (d, n + 4),
}
# Of z from coefficients of float32 and row-major float32.
FLOAT32_PRODUCTS = 8 * 2.0**-24 * 2.0**53 + 9
every_layout = pytest.mark.parametrize("layout", LAYOUTS)
other_layouts = pytest.mark.parametrize("layout", ["columns", "chunks", "csr"])


def mostly_zeros(p):
    """The problem with a third of the elements, two empty rows and an empty column."""
    X = p.X.copy()
    X[np.random.default_rng(5).random(X.shape) < 0.67] = 0
    X[1:3] = 0
    X[:, -1] = 0
    return p._replace(X=X)


@functools.cache
def given_problem(layout, dtype="float64", n=513, d=9):
    p = problem(dtype, n, d)
    return mostly_zeros(p) if layout == "csr" else p


def direction_of(p):
    return np.cos(np.arange(p.coef.size + 1.0))


def every_result(X, p, **extra):
    """Results of every function of `fastlogit.linear`, in float64 and with all its arguments."""
    z, y = np.empty(len(p.t)), np.empty(len(p.t))
    linear.decision(X, p.coef, p.intercept, offset=p.offset, out=z, **extra)
    linear.probability(X, p.coef, p.intercept, offset=p.offset, out=y, **extra)
    return {
        "decision": z,
        "probability": y,
        "log_loss": linear.log_loss(X, p.t, p.coef, **p.data(), **extra),
        "log_loss_gradient": linear.log_loss_gradient(X, p.t, p.coef, **p.data(), **extra),
        "newton": linear.log_loss_gradient_hessian(X, p.t, p.coef, **p.data(), **extra),
        "hessian": linear.hessian(X, p.coef, **p.data(), with_intercept=True, **extra),
        "hessian_product": linear.hessian_product(
            X, p.coef, direction_of(p), **p.data(), with_intercept=True, **extra
        ),
    }


def all_bits(results):
    return {
        name: bits(*result) if isinstance(result, tuple) else bits(result)
        for name, result in results.items()
    }


def assert_all_hold(results, p, roundings=None, adding=None):
    """Check results of `every_result` against the exact ones."""
    expected = exact(p.X, p.t, p.coef, **p.data(), roundings=roundings, adding=adding)
    hessian = exact_hessian(p.X, expected)
    expected.z.assert_holds(results["decision"])
    assert bits(results["probability"]) == bits(fl.sigmoid(results["decision"]))
    loss, gradient, last = results["log_loss_gradient"]
    expected.loss.assert_holds(loss)
    expected.gradient.assert_holds([*gradient, last])
    assert bits(results["log_loss"]) == bits(loss)
    assert bits(results["newton"][0]) == bits(loss)
    expected.gradient.assert_holds(results["newton"][1])
    assert bits(results["newton"][2]) == bits(results["hessian"])
    hessian.assert_holds(results["hessian"])
    product = exact_product(p.X, expected, direction_of(p), roundings, adding)
    product.assert_holds(results["hessian_product"])


@other_layouts
@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_every_function_is_within_its_bounds(layout, n, d):
    p = given_problem(layout, "float64", n, d)
    X = LAYOUTS[layout](p.X)
    if d > 1000:  # without a Hessian of nine million elements
        expected = exact(p.X, p.t, p.coef, **p.data(), roundings=d, adding=n + 4)
        z = linear.decision(X, p.coef, p.intercept, offset=p.offset)
        loss, *gradient = linear.log_loss_gradient(X, p.t, p.coef, **p.data())
        expected.z.assert_holds(z)
        expected.loss.assert_holds(loss)
        expected.gradient.assert_holds(np.append(*gradient))
    else:
        assert_all_hold(every_result(X, p), p, *ROUNDINGS[layout](n, d))


@pytest.mark.parametrize("dtype", DTYPES)
def test_columns_of_every_dtype_are_within_the_bounds_of_every_function(dtype):
    p = problem(dtype)
    assert_all_hold(every_result(as_columns(p.X), p), p, *ROUNDINGS["columns"](513, 9))


@pytest.mark.parametrize("dtype", DTYPES)
def test_column_major_arrays_give_the_bits_of_their_columns(dtype):
    p = problem(dtype)
    expected = all_bits(every_result(as_columns(p.X), p))
    assert all_bits(every_result(np.asfortranarray(p.X), p)) == expected


@pytest.mark.parametrize("dtype", ["int16", "uint32", "uint64", "float16"])
def test_row_major_arrays_of_further_dtypes_are_within_the_bound_of_z(dtype):
    p = problem(dtype)
    # Without an offset, as other tests call kernels of these dtypes, and each takes 2 s to compile.
    z = linear.decision(p.X, p.coef, p.intercept)
    roundings = 9 if dtype == "float16" else None
    exact_z(p.X, p.coef, p.intercept, None, roundings).assert_holds(z)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_same_numbers_agree_in_every_dtype_and_layout(dtype):
    p = problem("bool")
    expected = exact_z(p.X, p.coef, p.intercept, None, roundings=9)
    X = p.X.astype(dtype)
    layouts = [np.asfortranarray(X), as_columns(X), as_chunks(X)]
    if dtype not in ("uint16", "int32"):  # which would only take time to compile
        layouts.append(X)
    for layout in layouts:
        expected.assert_holds(linear.decision(layout, p.coef, p.intercept))


@pytest.mark.parametrize(
    ("data", "index"),
    [("float32", "int64"), ("uint64", "int32"), ("int8", "int32"), ("bool", "int32")],
)
def test_csr_of_other_types_is_within_the_bound_of_z(data, index):
    p = given_problem("csr", data)
    X = sparse.csr_array(p.X)
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    z = linear.decision(X, p.coef, p.intercept, offset=p.offset)
    exact_z(p.X, p.coef, p.intercept, p.offset, roundings=9).assert_holds(z)


@every_layout
def test_float32_with_coefficients_of_float32_has_less_accurate_terms_and_sums_in_float64(layout):
    p = given_problem(layout, "float32")
    p = p._replace(coef=p.coef.astype(np.float32))
    X = LAYOUTS[layout](p.X)
    roundings, adding = ROUNDINGS[layout](513, 9)
    if layout == "rows":
        roundings = FLOAT32_PRODUCTS
    expected = exact(
        p.X, p.t, p.coef, **p.data(), roundings=roundings, adding=adding, term=2.0**-30
    )
    loss, *gradient = linear.log_loss_gradient(X, p.t, p.coef, **p.data())
    expected.loss.assert_holds(loss)
    expected.gradient.assert_holds(np.append(*gradient))
    assert linear.log_loss(X, p.t, p.coef, **p.data()) == loss
    z = linear.decision(X, p.coef, p.intercept, offset=p.offset, out=np.empty(513))
    expected.z.assert_holds(z)
    rounded = linear.decision(X, p.coef, p.intercept, offset=p.offset)
    assert rounded.dtype == np.float32
    assert (rounded == z.astype(np.float32)).all()


@pytest.mark.parametrize("d", [1, 8, 31, 33, 64, 159, 161, 300, 1000])
def test_products_in_float32_are_within_their_bound_for_rows_of_every_length(d):
    rng = np.random.default_rng(d)
    X, coef = rng.normal(size=(2, 19, d)).astype(np.float32)
    coef = coef[0]
    z = linear.decision(X, coef, out=np.empty(19))
    exact_z(X, coef, 0.0, None, roundings=FLOAT32_PRODUCTS).assert_holds(z)
    assert linear.decision(X[18:], coef, out=np.empty(1)) == z[18]
    # Coefficients of float64 are multiplied in float64.
    full = linear.decision(X, coef.astype(np.float64))
    exact_z(X, coef, 0.0, None).assert_holds(full)


@pytest.mark.parametrize("d", [3, 40, 200])
def test_products_that_overflow_in_float32_are_formed_in_float64(d):
    X, coef = np.ones((11, d), np.float32), np.ones(d, np.float32)
    X[4, :2] = 1e30, 1e30
    coef[:2] = 1e30, -1e30
    z = linear.decision(X, coef, out=np.empty(11))
    assert z[4] == linear.decision(X, coef.astype(np.float64))[4]
    assert np.isfinite(z).all()
    assert np.isnan(linear.decision(X, coef, np.nan)).all()
    X[5, 2] = np.inf
    assert linear.decision(X, coef)[5] == np.inf


@pytest.mark.parametrize("layout", ["rows", "columns", "csr"])
def test_a_hundred_thousand_columns_are_within_the_bounds(layout):
    n, d = 3, 100_000
    p = given_problem(layout, "float64", n, d)
    X = np.asfortranarray(p.X) if layout == "columns" else LAYOUTS[layout](p.X)
    z = linear.decision(X, p.coef, p.intercept, offset=p.offset)
    roundings, adding = ROUNDINGS[layout](n, d)
    expected = exact(p.X, p.t, p.coef, **p.data(), roundings=roundings, adding=adding)
    expected.z.assert_holds(z)
    loss, *gradient = linear.log_loss_gradient(X, p.t, p.coef, **p.data())
    expected.loss.assert_holds(loss)
    expected.gradient.assert_holds(np.append(*gradient))


# Where an array lies ----------------------------------------------------------------------


def mapped(X, folder):
    file = np.memmap(folder / "X", X.dtype, "w+", shape=X.shape, order="F")
    file[:] = X
    return np.memmap(folder / "X", X.dtype, "r", shape=X.shape, order="F")


def misaligned(X):
    raw = np.frombuffer(b"x" + X.T.tobytes(), np.uint8)[1:]
    return raw.view(X.dtype).reshape(X.shape[::-1]).T


PLACES = {
    "reversed": lambda X, folder: X[::-1, ::-1].copy()[::-1, ::-1],
    "every other column": lambda X, folder: np.repeat(X, 2, axis=1)[:, ::2],
    "every third row": lambda X, folder: np.asfortranarray(np.repeat(X, 3, axis=0))[::3],
    "read-only": lambda X, folder: np.frombuffer(X.T.tobytes(), X.dtype).reshape(X.T.shape).T,
    "mapped": mapped,
    "misaligned": lambda X, folder: misaligned(X),
}


@pytest.mark.parametrize("dtype", ["float64", "int16"])
@pytest.mark.parametrize("place", PLACES)
def test_columns_give_the_same_bits_wherever_they_lie(place, dtype, tmp_path):
    p = problem(dtype)
    X = PLACES[place](p.X, tmp_path)
    assert X.strides[1] != X.itemsize
    assert (X == p.X).all()
    assert all_bits(every_result(X, p)) == all_bits(every_result(as_columns(p.X), p))


def test_columns_that_are_all_the_same_are_read_in_place():
    p = problem()
    X = np.broadcast_to(p.X[:, :1], (513, 9))
    assert X.strides[1] == 0
    assert_all_hold(every_result(X, p), p._replace(X=X), 9)


def test_every_third_row_of_rows_gives_the_bits_of_a_copy():
    p = problem()
    X = np.repeat(p.X, 3, axis=0)[::3]
    z = linear.decision(X, p.coef, p.intercept, offset=p.offset)
    assert bits(z) == bits(linear.decision(p.X, p.coef, p.intercept, offset=p.offset))


def test_columns_of_mixed_types_and_strides_are_within_the_bounds():
    p = problem("bool", 700, 7)
    numbers = np.random.default_rng(1).integers(0, 100, (700, 7))
    dtypes = ["float64", "float32", "float16", "uint8", "int64", "bool", "int16"]
    steps = [1, 2, -1, 3, -2, 2, 1]
    columns = {}
    for j, (dtype, step) in enumerate(zip(dtypes, steps, strict=True)):
        column = np.repeat(numbers[:, j].astype(dtype), abs(step))[:: abs(step)]
        columns[j] = column if step > 0 else column[::-1].copy()[::-1]
    X = np.column_stack([column.astype(np.float64) for column in columns.values()])
    p = p._replace(X=X, coef=p.coef / 100)
    assert_all_hold(every_result(columns, p), p, 7)


# CSR --------------------------------------------------------------------------------------


def entries(rows, columns, values, shape):
    """A CSR matrix with just these entries, in this order."""
    rows = np.asarray(rows)
    indptr = np.searchsorted(rows, np.arange(shape[0] + 1)).astype(np.int32)
    X = sparse.csr_array(shape)
    X.data = np.asarray(values, float)
    X.indices, X.indptr = np.asarray(columns, np.int32), indptr
    return X


def test_unsorted_repeated_and_zero_entries_of_csr_are_added_up():
    rng = np.random.default_rng(8)
    rows = np.sort(rng.integers(0, 513, 6000))
    columns = rng.integers(0, 9, 6000)
    values = rng.integers(-8, 9, 6000) / 8.0  # whose sums are exact
    X = entries(rows, columns, values, (513, 9))
    assert not X.has_canonical_format
    assert (values == 0).any()
    p = problem()
    dense = np.zeros((513, 9))
    np.add.at(dense, (rows, columns), values)
    most = np.bincount(rows).max()
    p = p._replace(X=dense)
    terms = np.zeros(513, np.longdouble)
    np.add.at(terms, rows, np.abs(values * p.coef[columns]).astype(np.longdouble))
    z = exact_z(dense, p.coef, p.intercept, p.offset).value
    size = terms + abs(p.intercept) + np.abs(p.offset)
    results = every_result(X, p)
    Within(z, (most + 2) * U * size).assert_holds(results["decision"])
    ordered = every_result(sparse.csr_array(dense), p)
    for name in ("hessian", "hessian_product", "log_loss"):
        np.testing.assert_allclose(results[name], ordered[name], rtol=1e-12, atol=1e-12)
    for one, other in zip(results["newton"], ordered["newton"], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("order", ["rising", "falling", "in some rows"])
def test_the_hessian_of_few_entries_is_within_its_bound(order):
    # Two of 40 columns are filled in most rows, and all in some, which are packed with others.
    p = problem("float64", 3000, 40)
    rng = np.random.default_rng(3)
    kept = rng.random(p.X.shape) < 0.05
    kept[1500:1510] = True
    kept[100:300] = False
    p = p._replace(X=np.where(kept, p.X, 0.0))
    X = sparse.csr_array(p.X)
    changed = {"rising": [], "falling": range(3000), "in some rows": [50, 2000, 2999]}[order]
    for i in changed:
        row = slice(*X.indptr[i : i + 2])
        X.indices[row], X.data[row] = X.indices[row][::-1].copy(), X.data[row][::-1].copy()
    expected = exact_hessian(p.X, exact(p.X, p.t, p.coef, **p.data(), roundings=40))
    for threads in (1, 2):
        data = {**p.data(), "with_intercept": True, "threads": threads}
        expected.assert_holds(linear.hessian(X, p.coef, **data))


def test_the_hessian_of_few_entries_adds_a_column_up_where_it_is_repeated():
    X = entries([0, 0, 0, 1], [20, 3, 20, 3], [1.0, 2.0, 5.0, 1.0], (2, 40))
    assert linear.hessian(X, np.zeros(40))[3, [3, 20]].tolist() == [5.0 / 4, 12.0 / 4]
    assert linear.hessian(X, np.zeros(40))[20, 20] == 36.0 / 4


def test_matrices_and_arrays_give_the_same_bits():
    p = given_problem("csr")
    expected = all_bits(every_result(sparse.csr_array(p.X), p))
    assert all_bits(every_result(sparse.csr_matrix(p.X), p)) == expected


def test_csr_without_entries_has_a_z_of_intercept_and_offset():
    p = problem()
    p = p._replace(X=np.zeros((513, 9)))
    results = every_result(sparse.csr_array((513, 9)), p)
    assert (results["decision"] == p.intercept + p.offset).all()
    assert_all_hold(results, p)


def test_one_row_of_csr_may_have_all_entries():
    p = problem("float64", 600, 50)
    X = np.zeros((600, 50))
    X[577] = p.X[577]
    p = p._replace(X=X)
    assert_all_hold(every_result(sparse.csr_array(X), p), p, 50)


# Threads and parts ------------------------------------------------------------------------


@pytest.fixture
def _small_parts(monkeypatch):
    monkeypatch.setattr(base, "PART_ELEMENTS", 1 << 12)
    monkeypatch.setattr(base, "CALL_ELEMENTS", 1 << 12)
    monkeypatch.setattr(csr, "CALL_ENTRIES", 1 << 12)
    monkeypatch.setattr(csr, "PART_ENTRIES", 1 << 10)
    monkeypatch.setattr(csr, "ENTRIES_PER_COLUMN", 1)


@pytest.mark.usefixtures("_small_parts")
@every_layout
def test_bits_do_not_depend_on_threads_nor_the_bounds_on_parts(layout):
    p = given_problem(layout, "float64", 5000, 9)
    X = LAYOUTS[layout](p.X)
    assert len(as_matrix(X).parts(256)) > 2
    one, two, three = (every_result(X, p, threads=threads) for threads in (1, 2, 3))
    assert all_bits(one) == all_bits(two) == all_bits(three)
    assert_all_hold(one, p, *ROUNDINGS[layout](5000, 9))


@pytest.mark.parametrize("layout", ["columns", "csr"])
def test_bits_do_not_depend_on_threads_where_parts_have_their_usual_size(layout):
    rng = np.random.default_rng(4)
    n, d = (700_003, 3) if layout == "columns" else (100_003, 9)
    X = rng.normal(size=(n, d))
    p = problem("float64", n, d)
    X = as_columns(X) if layout == "columns" else sparse.csr_array(X)
    assert len(as_matrix(X).parts(256)) > 1
    results = [
        bits(*linear.log_loss_gradient(X, p.t, p.coef, **p.data(), threads=threads))
        for threads in (1, 2, 3)
    ]
    assert results[0] == results[1] == results[2]


# NaN, infinities and the ends of the range ------------------------------------------------

SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0]


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("layout", ["columns", "column-major"])
def test_nan_and_infinities_in_columns_do_what_they_do_in_numpy(layout, dtype):
    X = np.array([[a, b, 1.0] for a in SPECIAL for b in SPECIAL], dtype)
    here = as_columns(X) if layout == "columns" else np.asfortranarray(X)
    for coef in ([1.0, 1.0, 1.0], [0.0, -2.0, 1.0], [1.0, 0.0, 0.0]):
        with np.errstate(invalid="ignore"):
            expected = X.astype(float) @ np.array(coef)
        np.testing.assert_array_equal(linear.decision(here, coef), expected)


def test_nan_and_infinities_in_csr_do_what_they_do_in_scipy():
    X = sparse.csr_array(np.array([[a, b, 1.0] for a in SPECIAL for b in SPECIAL]))
    with np.errstate(invalid="ignore"):
        expected = X @ np.array([1.0, -2.0, 1.0])
    np.testing.assert_array_equal(linear.decision(X, [1.0, -2.0, 1.0]), expected)


@other_layouts
def test_nan_in_a_row_is_a_nan_in_all_that_it_touches(layout):
    p = problem()
    X = p.X.copy()
    X[5, 1] = np.nan
    results = every_result(LAYOUTS[layout](X), p._replace(weight=np.ones(513)))
    assert np.isnan(results["log_loss"])
    assert np.isnan(results["hessian_product"][1])
    assert np.isnan(results["newton"][2][1]).all()
    assert np.isnan(results["decision"]).tolist() == [row == 5 for row in range(513)]


@other_layouts
@pytest.mark.parametrize("z", [1e308, -1e308])
def test_the_largest_logits_give_their_limits(layout, z):
    X = LAYOUTS[layout](np.array([[1.0]]))
    one, none, right, wrong = np.ones(1), np.zeros(1), float(z > 0), float(z < 0)
    data = {"weight": one, "offset": none}
    assert linear.decision(X, [z], offset=none).tolist() == [z]
    assert linear.probability(X, [z], offset=none).tolist() == [right]
    assert linear.log_loss_gradient(X, one * right, [z], **data) == (0.0, [0.0], 0.0)
    loss, gradient, last = linear.log_loss_gradient(X, one * wrong, [z], **data)
    assert (loss, gradient.tolist(), last) == (1e308, [np.sign(z)], np.sign(z))
    assert linear.hessian(X, [z], **data).tolist() == [[0.0]]


# Properties -------------------------------------------------------------------------------

numbers = st.integers(-(2**13), 2**13).map(lambda k: k / 1024)
PROPERTIES = ["columns", "chunks", "csr"]


@st.composite
def problems(draw):
    n, d = draw(st.integers(2, 20)), draw(st.integers(1, 9))
    X = draw(st.lists(numbers | st.just(0.0), min_size=n * d, max_size=n * d))
    t = draw(st.lists(st.integers(1, 15).map(lambda k: k / 16), min_size=n, max_size=n))
    coef = draw(st.lists(numbers, min_size=d, max_size=d))
    return np.array(X).reshape(n, d), np.array(t), np.array(coef)


def together(layout, X, t, coef, weight=None):
    weight = np.ones(len(t)) if weight is None else weight
    loss, gradient, hessian = linear.log_loss_gradient_hessian(
        LAYOUTS[layout](X), t, coef, weight=weight, offset=np.zeros(len(t))
    )
    return np.concatenate([[loss], gradient, hessian.ravel()])


def bound(X, t, coef):
    whole = exact(X, t, coef, roundings=X.shape[1] + 1)
    hessian = exact_hessian(X, whole)
    return np.concatenate([[whole.loss.bound], whole.gradient.bound, hessian.bound.ravel()])


@pytest.mark.parametrize("layout", PROPERTIES)
@settings(max_examples=25)
@given(problems(), st.data())
def test_parts_of_the_rows_add_up_to_the_whole(layout, given, data):
    X, t, coef = given
    cut = data.draw(st.integers(1, len(t) - 1))
    first, second = (
        together(layout, X[:cut], t[:cut], coef),
        together(layout, X[cut:], t[cut:], coef),
    )
    error = np.abs(first + second - together(layout, X, t, coef))
    assert (error <= 2 * bound(X, t, coef)).all()


@pytest.mark.parametrize("layout", PROPERTIES)
@settings(max_examples=25)
@given(problems())
def test_a_weight_of_two_is_a_row_twice(layout, given):
    X, t, coef = given
    twice = together(layout, np.repeat(X, 2, axis=0), np.repeat(t, 2), coef)
    weighted = together(layout, X, t, coef, np.full(len(t), 2.0))
    assert (np.abs(twice - weighted) <= 4 * bound(X, t, coef)).all()


@pytest.mark.parametrize("layout", PROPERTIES)
@settings(max_examples=25)
@given(problems(), st.data())
def test_the_order_of_rows_does_not_matter_beyond_rounding(layout, given, data):
    X, t, coef = given
    order = data.draw(st.permutations(range(len(t))))
    moved = together(layout, X[order], t[order], coef)
    assert (np.abs(moved - together(layout, X, t, coef)) <= 2 * bound(X, t, coef)).all()


# Memory -----------------------------------------------------------------------------------

LIMITED = """
import resource, sys
import numpy as np
from fastlogit import linear

path, order, copy = sys.argv[1:]
n, d = 800_000, 32  # 205 MB, all zeros
t, offset, weight = np.full(n, 0.5), np.zeros(n), np.ones(n)
coef = np.ones(d)

def all_passes(X):
    data = {"weight": weight[: len(X)], "offset": offset[: len(X)], "threads": 2}
    z = linear.decision(X, coef, offset=offset[: len(X)], threads=2)
    product = linear.hessian_product(X, coef, coef, **data)
    loss, gradient, hessian = linear.log_loss_gradient_hessian(X, t[: len(X)], coef, **data)
    return loss + np.sum(z) + np.sum(gradient) + np.sum(product)

np.memmap(path, np.float64, "w+", shape=(n, d))
# Not read-only, as other tests call kernels of such arrays; nothing writes to them.
X = np.memmap(path, np.float64, "r+", shape=(n, d), order=order)
all_passes(np.memmap(path, np.float64, "r+", shape=(100, d), order=order))  # compiles
with open("/proc/self/status") as status:
    used = next(int(line.split()[1]) for line in status if line.startswith("VmData"))
most = (used << 10) + (64 << 20)
resource.setrlimit(resource.RLIMIT_DATA, (most, most))
if copy == "copy":
    np.array(X)
assert abs(all_passes(X) / n - np.log(2)) < 1e-9
print("done")
"""


def run_limited(path, order, copy):
    return processes.run(LIMITED, path, order, copy)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of this kind")
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_pass_over_a_mapped_file_takes_less_than_64_mb(order, tmp_path):
    done = run_limited(tmp_path / "X", order, "")
    assert done.stdout == "done\n", done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of this kind")
def test_that_test_would_see_a_copy(tmp_path):
    done = run_limited(tmp_path / "X", "F", "copy")
    assert "MemoryError" in done.stderr


# The diagonal of the Hessian --------------------------------------------------------------


@pytest.mark.parametrize(
    ("layout", "dtype"), [*((layout, "float64") for layout in LAYOUTS), ("rows", "float32")]
)
def test_the_diagonal_is_that_of_the_hessian(layout, dtype):
    p = problem(dtype, 5000, 9)
    X, data = LAYOUTS[layout](p.X), {**p.data(), "with_intercept": True}
    diagonal = linear.hessian_diagonal(X, p.coef, **data)
    # All terms are positive, so that no sum has a larger relative error than a term and adding.
    expected = np.diag(linear.hessian(p.X.astype(np.float64), p.coef, **data))
    rounding = (5000 if layout == "csr" else 600) * U
    np.testing.assert_allclose(diagonal, expected, rtol=rounding)
    data["with_intercept"] = False
    assert bits(linear.hessian_diagonal(X, p.coef, **data)) == bits(diagonal[:-1])


def test_repeated_entries_are_added_up_before_they_are_squared():
    X = entries([0, 0, 0], [1, 0, 1], [1.0, 5.0, 2.0], (1, 2))
    data = {"weight": np.ones(1), "offset": np.zeros(1)}
    assert linear.hessian_diagonal(X, [0.0, 0.0], **data).tolist() == [25.0 / 4, 9.0 / 4]


@every_layout
def test_the_diagonal_has_the_same_bits_for_any_number_of_threads(layout):
    p = problem("float64", 300_000, 9)
    X = LAYOUTS[layout](p.X)
    results = [linear.hessian_diagonal(X, p.coef, **p.data(), threads=n) for n in (1, 2, 3)]
    assert bits(results[0]) == bits(results[1]) == bits(results[2])
