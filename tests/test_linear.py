"""`fastlogit.linear` against extended precision, within the bounds of ``kernels/passes.py``."""

from __future__ import annotations

import gc
import weakref

import mpmath
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

import fastlogit as fl
from fastlogit import linear
from fastlogit.kernels.passes import SUMMED_ROWS
from fastlogit.matrix import as_matrix, base, passes
from tests.references.multiprecision import bits, same_bits
from tests.references.passes import (
    U,
    Within,
    exact,
    exact_hessian,
    exact_problem,
    exact_product,
    exact_z,
    problem,
    summing,
)

DTYPES = ["float64", "float32", "uint8", "bool"]
SHAPES = [(513, d) for d in (1, 3, 7, 8, 9, 31, 32, 33, 64, 100)]
SHAPES += [(n, 9) for n in (1, 2, 7, 5000)]
WIDE = (20, 3000)


# Every dtype and shape --------------------------------------------------------------------

every_dtype = pytest.mark.parametrize("dtype", DTYPES)
# Where a further dtype would only cost time: a sibling compiled from the same code has them all.
some_dtypes = pytest.mark.parametrize("dtype", ["float64", "float32", "uint8"])
every_shape = pytest.mark.parametrize(("n", "d"), [*SHAPES, WIDE])
every_small_shape = pytest.mark.parametrize(("n", "d"), SHAPES)


@every_dtype
@every_shape
def test_decision_is_within_its_bound(dtype, n, d):
    p = problem(dtype, n, d)
    result = linear.decision(p.X, p.coef, p.intercept, offset=p.offset)
    exact_problem(dtype, n, d).z.assert_holds(result)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@every_shape
def test_decision_without_intercept_and_offset_is_within_the_stated_bound(dtype, n, d):
    p = problem(dtype, n, d)
    exact_z(p.X, p.coef, 0.0, None).assert_holds(linear.decision(p.X, p.coef))


@some_dtypes
@every_shape
def test_probability_is_the_sigmoid_of_decision(dtype, n, d):
    p = problem(dtype, n, d)
    z = linear.decision(p.X, p.coef, p.intercept, offset=p.offset)
    y = linear.probability(p.X, p.coef, p.intercept, offset=p.offset)
    assert bits(y) == bits(fl.sigmoid(z))


@some_dtypes
@every_shape
def test_loss_and_gradient_are_within_their_bounds(dtype, n, d):
    p = problem(dtype, n, d)
    loss, coef_gradient, intercept_gradient = linear.log_loss_gradient(p.X, p.t, p.coef, **p.data())
    assert isinstance(loss, float)
    assert isinstance(intercept_gradient, float)
    expected = exact_problem(dtype, n, d)
    expected.loss.assert_holds(loss)
    expected.gradient.assert_holds([*coef_gradient, intercept_gradient])


@some_dtypes
@every_shape
def test_log_loss_is_that_of_log_loss_gradient_to_the_bit(dtype, n, d):
    p = problem(dtype, n, d)
    loss = linear.log_loss(p.X, p.t, p.coef, **p.data())
    assert bits(loss) == bits(linear.log_loss_gradient(p.X, p.t, p.coef, **p.data())[0])


@some_dtypes
@every_small_shape
def test_hessian_is_within_its_bound_and_symmetric(dtype, n, d):
    p = problem(dtype, n, d)
    with_intercept = linear.hessian(p.X, p.coef, **p.data(), with_intercept=True)
    exact_hessian(p.X, exact_problem(dtype, n, d)).assert_holds(with_intercept)
    assert bits(with_intercept) == bits(with_intercept.T)
    assert bits(linear.hessian(p.X, p.coef, **p.data())) == bits(with_intercept[:-1, :-1])


@some_dtypes
@every_small_shape
def test_the_newton_pass_agrees_with_the_separate_functions(dtype, n, d):
    p = problem(dtype, n, d)
    loss, gradient, hessian = linear.log_loss_gradient_hessian(p.X, p.t, p.coef, **p.data())
    expected, *parts = linear.log_loss_gradient(p.X, p.t, p.coef, **p.data())
    assert bits(loss) == bits(expected)
    exact_problem(dtype, n, d).gradient.assert_holds(gradient)
    exact_problem(dtype, n, d).gradient.assert_holds(np.append(*parts))
    exact_hessian(p.X, exact_problem(dtype, n, d)).assert_holds(hessian)


@some_dtypes
@every_shape
def test_hessian_product_is_within_its_bound(dtype, n, d):
    p, expected = problem(dtype, n, d), exact_problem(dtype, n, d)
    direction = np.cos(np.arange(d + 1.0))
    result = linear.hessian_product(p.X, p.coef, direction, **p.data(), with_intercept=True)
    exact_product(p.X, expected, direction).assert_holds(result)


@pytest.mark.parametrize("t_dtype", ["float64", "int8", "bool"])
def test_labels_are_as_exact_as_probabilities_in_the_tails(t_dtype):
    p = problem("float64", 513, 9)
    t = (p.t < 0.5).astype(t_dtype)
    coef = 5.0 * p.coef  # z of some hundreds, where losses of the right labels are tiny
    expected = exact(p.X, t, coef, **p.data())
    loss, gradient, hessian = linear.log_loss_gradient_hessian(p.X, t, coef, **p.data())
    expected.loss.assert_holds(loss)
    expected.gradient.assert_holds(gradient)
    exact_hessian(p.X, expected).assert_holds(hessian)


@pytest.mark.parametrize("z", [-700.0, -40.0, -36.0, -20.0, 20.0, 36.0, 40.0, 700.0])
def test_one_row_keeps_every_digit_of_its_tail(z):
    with mpmath.workprec(2000):
        y = 1 / (1 + mpmath.exp(-mpmath.mpf(z)))
        t = float(z > 0)
        loss = -mpmath.log(y if t else 1 - y)
        residual, curvature = y - t, y * (1 - y)
    X, coef, plain = [[2.0]], [z / 2], {"weight": [1.0], "offset": [0.0]}
    pairs = [
        (linear.probability(X, coef, offset=[0.0])[0], y),
        (linear.log_loss(X, [t], coef, **plain), loss),
        (linear.log_loss_gradient(X, [t], coef, **plain)[1][0], 2 * residual),
        (linear.hessian(X, coef, **plain)[0, 0], 4 * curvature),
        (linear.hessian_product(X, coef, [3.0], **plain)[0], 12 * curvature),
    ]
    for result, expected in pairs:
        assert abs(result - expected) <= 4 * U * abs(expected)


def test_hessian_product_is_the_derivative_of_the_gradient():
    p = problem("float64", 513, 9)
    direction, step = np.cos(np.arange(9.0)), 1e-5
    product = linear.hessian_product(p.X, p.coef, direction, **p.data())
    there, here = (
        linear.log_loss_gradient(p.X, p.t, p.coef + sign * step * direction, **p.data())[1]
        for sign in (1, -1)
    )
    np.testing.assert_allclose((there - here) / (2 * step), product, rtol=1e-7)
    hessian = linear.hessian(p.X, p.coef, **p.data())
    np.testing.assert_allclose(hessian @ direction, product, rtol=1e-12)


def test_gradient_is_the_derivative_of_the_loss():
    p = problem("float64", 513, 9)
    step = 1e-5
    gradient = linear.log_loss_gradient(p.X, p.t, p.coef, **p.data())[1]
    for column in range(9):
        there, here = p.coef.copy(), p.coef.copy()
        there[column] += step
        here[column] -= step
        rise = linear.log_loss(p.X, p.t, there, **p.data())
        rise -= linear.log_loss(p.X, p.t, here, **p.data())
        assert rise / (2 * step) == pytest.approx(gradient[column], rel=1e-6)


def test_large_integers_are_read_as_float64():
    X = np.array([[2**62 + 1, 1 - 2**62], [2**53 + 1, -(2**53)]])
    expected = X.astype(np.float64) @ [1.0, 1.0]
    assert linear.decision(X, [1.0, 1.0]).tolist() == expected.tolist()


# Where X lies -----------------------------------------------------------------------------


def all_results(X, p):
    """Bits of one function for each way to read X: by rows, twice by rows, and by tiles."""
    d = X.shape[1]
    return bits(
        linear.decision(X, p.coef[:d], p.intercept, offset=p.offset),
        linear.hessian_product(X, p.coef[:d], p.coef[:d], **p.data()),
        *linear.log_loss_gradient_hessian(X, p.t, p.coef[:d], **p.data()),
    )


def every_other_row(X):
    return np.repeat(X, 2, axis=0)[::2]


def some_columns(X):
    return np.hstack([np.full((X.shape[0], 2), 99, X.dtype), X, X])[:, 2 : 2 + X.shape[1]]


def backwards(X):
    return X[::-1].copy()[::-1]


def unaligned(X):
    raw = np.frombuffer(bytearray(b"x" + X.tobytes()), dtype=np.uint8)[1:]
    return raw.view(X.dtype).reshape(X.shape)


@pytest.mark.parametrize("placed", [every_other_row, some_columns, backwards])
def test_slices_of_x_give_the_bits_of_a_copy(placed):
    p = problem("float64", 513, 7)
    X = placed(p.X)
    assert not X.flags.c_contiguous
    assert (p.X == X).all()
    assert all_results(X, p) == all_results(p.X, p)


def test_x_that_is_not_aligned_gives_the_bits_of_a_copy():
    p = problem("float64", 513, 7)
    X = unaligned(p.X)
    assert not X.flags.aligned
    assert all_results(X, p) == all_results(p.X, p)


def test_read_only_mapped_files_give_the_bits_of_memory(tmp_path):
    p = problem("float64", 513, 7)
    np.save(tmp_path / "X.npy", p.X)
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert isinstance(X, np.memmap)
    assert not X.flags.writeable
    assert all_results(X, p) == all_results(p.X, p)


def test_every_other_argument_may_be_strided_and_read_only():
    p = problem("float64", 513, 7)
    table = np.column_stack([p.t, p.weight, p.offset, p.t])
    table.flags.writeable = False
    q = p._replace(t=table[:, 0], weight=table[:, 1], offset=table[:, 2])
    assert all_results(q.X, q) == all_results(p.X, p)


def test_no_weight_is_a_weight_of_one_and_no_offset_is_zero():
    p = problem()
    ones, zeros = np.ones(513), np.zeros(513)
    functions = [
        lambda **extra: [linear.log_loss(p.X, p.t, p.coef, 0.5, **extra)],
        lambda **extra: linear.log_loss_gradient(p.X, p.t, p.coef, 0.5, **extra),
        lambda **extra: linear.log_loss_gradient_hessian(p.X, p.t, p.coef, 0.5, **extra),
        lambda **extra: [linear.hessian(p.X, p.coef, 0.5, **extra)],
        lambda **extra: [linear.hessian_product(p.X, p.coef, p.coef, 0.5, **extra)],
    ]
    for function in functions:
        assert bits(*function()) == bits(*function(weight=ones, offset=zeros))


def test_rows_repeated_by_broadcasting_are_read_in_place():
    X = np.broadcast_to(np.array([1.0, 2.0, 3.0]), (1000, 3))
    assert (linear.decision(X, [1.0, 1.0, 1.0]) == 6.0).all()


def test_lists_are_taken_as_float64():
    assert linear.decision([[1, 2], [3, 4]], [1, 1], 1).tolist() == [4.0, 8.0]
    assert linear.log_loss([[1, 2]], [1], [0, 0], weight=[2], offset=[0]) == 2 * np.log(2)


def test_nothing_is_read_beside_a_slice():
    X = np.full((9, 16), np.nan)
    X[2:7, 3:12] = 1.0
    p = problem("float64", 5, 9)
    loss, gradient, hessian = linear.log_loss_gradient_hessian(
        X[2:7, 3:12], p.t, p.coef, **p.data()
    )
    assert np.isfinite([loss, *gradient, *hessian.ravel()]).all()


# Columns ----------------------------------------------------------------------------------


@every_dtype
@pytest.mark.parametrize("d", [1, 7, 33])
def test_columns_are_within_a_bound_of_the_exact_z(dtype, d):
    p = problem(dtype, 513, d)
    columns = {f"x{j}": p.X[:, j] for j in range(d)}
    z = exact_z(p.X, p.coef, p.intercept, None)
    size = np.abs(p.X.astype(np.longdouble) * p.coef).sum(axis=1) + p.intercept
    result = linear.decision(columns, p.coef, p.intercept, out=np.empty(len(p.X)))
    Within(z.value, (d + 1) * U * size).assert_holds(result)
    y = linear.probability(columns, p.coef, p.intercept, out=np.empty(len(p.X)))
    assert bits(y) == bits(fl.sigmoid(result))


def test_columns_may_differ_in_dtype_and_stride():
    n = 3000
    rng = np.random.default_rng(1)
    table = rng.normal(size=(n, 4))
    columns = [
        table[:, 1],
        table[::-1, 2],
        rng.normal(size=n).astype(np.float32),
        rng.integers(-9, 9, n, dtype=np.int8),
        rng.random(n) < 0.5,
        np.broadcast_to(np.float64(3.0), n),
        rng.integers(0, 9, 2 * n, dtype=np.uint16)[::2],
    ]
    coef = rng.normal(size=len(columns))
    X = np.column_stack([column.astype(np.float64) for column in columns])
    expected = exact_z(X, coef, 0.5, None)
    size = np.abs(X * coef).sum(axis=1) + 0.5
    Within(expected.value, (len(columns) + 1) * U * size).assert_holds(
        linear.decision(dict(enumerate(columns)), coef, 0.5)
    )


def test_columns_give_the_same_bits_for_any_number_of_threads():
    rng = np.random.default_rng(2)
    columns = {name: rng.normal(size=700_003) for name in "abc"}
    one, two, three = (
        linear.probability(columns, [1.0, 2.0, 3.0], threads=threads) for threads in (1, 2, 3)
    )
    assert bits(one) == bits(two) == bits(three)


def test_columns_fill_out():
    out = np.empty(3, np.float32)
    assert linear.decision({"x": [1.0, 2.0, 3.0]}, [2.0], 1.0, out=out) is out
    assert out.tolist() == [3.0, 5.0, 7.0]


# Threads and parts ------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "d", "part_elements"), [(500_001, 9, None), (9000, 7, 1 << 11)])
def test_bits_do_not_depend_on_the_number_of_threads(n, d, part_elements, monkeypatch):
    if part_elements:
        monkeypatch.setattr(base, "PART_ELEMENTS", part_elements)
        monkeypatch.setattr(base, "CALL_ELEMENTS", part_elements)
    rng = np.random.default_rng(3)
    X, coef = rng.normal(size=(n, d)), rng.normal(size=d)
    t, weight, offset = rng.random(n), rng.random(n), rng.normal(size=n)
    assert len(passes.split(as_matrix(X), 0)) > 2
    results = [
        bits(
            linear.decision(X, coef, offset=offset, threads=threads),
            linear.probability(X, coef, offset=offset, threads=threads),
            *linear.log_loss_gradient_hessian(
                X, t, coef, 0.5, weight=weight, offset=offset, threads=threads
            ),
            linear.log_loss(X, t, coef, 0.5, weight=weight, offset=offset, threads=threads),
            linear.hessian(X, coef, weight=weight, offset=offset, threads=threads),
            linear.hessian_product(X, coef, coef, weight=weight, offset=offset, threads=threads),
        )
        for threads in (1, 2, 3)
    ]
    assert results[0] == results[1] == results[2]


def test_many_parts_stay_within_the_bounds(monkeypatch):
    monkeypatch.setattr(base, "PART_ELEMENTS", 1 << 13)
    monkeypatch.setattr(base, "CALL_ELEMENTS", 1 << 13)
    p, expected = problem("float64", 5000, 9), exact_problem("float64", 5000, 9)
    assert len(passes.split(as_matrix(p.X), 0)) > 2
    loss, gradient, hessian = linear.log_loss_gradient_hessian(
        p.X, p.t, p.coef, **p.data(), threads=2
    )
    expected.loss.assert_holds(loss)
    expected.gradient.assert_holds(gradient)
    exact_hessian(p.X, expected).assert_holds(hessian)


@pytest.fixture(scope="module")
def thousands_of_blocks():
    """One row outweighs all others: in a plain sum the blocks after the first would be lost."""
    n, tiny = 4000 * SUMMED_ROWS, 2.0**-63
    weight = np.full(n, tiny)
    weight[0] = 1.0
    return np.ones((n, 1)), {"weight": weight, "offset": np.zeros(n)}, 1 + (n - 1) * tiny


def relative(value, bound):
    return Within(np.asarray(value, np.longdouble), bound * np.asarray(value, np.longdouble))


def test_loss_and_gradient_over_thousands_of_blocks_are_as_exact_as_over_one(thousands_of_blocks):
    X, data, total = thousands_of_blocks
    t = np.zeros(len(X))
    loss, *gradient = linear.log_loss_gradient(X, t, [0.0], **data)
    relative(np.log(np.longdouble(2.0)) * total, 4 * U).assert_holds(loss)
    relative(np.full(2, total / 2), summing(len(X))).assert_holds(np.append(*gradient))
    product = linear.hessian_product(X, [0.0], [1.0], **data)
    relative([total / 4], summing(len(X))).assert_holds(product)


def test_a_hessian_over_thousands_of_blocks_is_as_exact_as_over_one(thousands_of_blocks):
    X, data, total = thousands_of_blocks
    hessian = linear.hessian(X, [0.0], **data, with_intercept=True)
    relative(np.full((2, 2), total / 4), summing(len(X))).assert_holds(hessian)


@pytest.mark.parametrize("shape", [(1, 1), (10**7, 3), (5000, 1000), (3, 10**7)])
@pytest.mark.parametrize("partial_size", [0, 100, 10**6, 10**9])
def test_parts_cover_all_rows_and_their_results_stay_small(shape, partial_size):
    X = np.broadcast_to(np.float64(0.0), shape)
    parts = passes.split(as_matrix(X), partial_size)
    assert [part.start for part in parts] == [0, *[part.stop for part in parts[:-1]]]
    assert parts[-1].stop == shape[0]
    assert len(parts) == 1 or len(parts) * partial_size * 8 <= passes.PARTIAL_BYTES


def test_probabilities_in_float32_are_rounded_once_tails_included():
    z = np.concatenate([np.linspace(-110, 110, 20_001), [np.inf, -np.inf, -746.0, 1e308]])
    expected = fl.sigmoid(z)
    result = linear.probability(z[:, None], [1.0], out=np.empty(z.size, np.float32))
    spacing = np.spacing(expected.astype(np.float32)).astype(np.float64)
    assert (np.abs(result.astype(np.float64) - expected) <= 0.5001 * spacing).all()


@pytest.mark.parametrize("order", ["C", "F"])
@some_dtypes
@pytest.mark.parametrize("d", [1, 3, 9, 33, 40, 128])
def test_a_sum_of_terms_that_each_round_down_is_within_its_bound(d, dtype, order):
    n = 3000
    weight = np.full(n, 2 * U * 0.99)  # half a unit of the first, and a little less
    weight[0] = 2.0
    X = np.ones((n, d), dtype, order=order)
    _, gradient, last = linear.log_loss_gradient(X, np.zeros(n), np.zeros(d), weight=weight)
    exact_sum = (weight.astype(np.longdouble) / 2).sum()
    for result in (*gradient, last):
        assert abs(result - exact_sum) <= (SUMMED_ROWS + 4) * U * exact_sum


@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray, sparse.csr_array])
def test_what_was_given_is_given_up_after_an_error(layout):
    X, t, weight, offset = layout(np.ones((200, 30))), np.full(200, 3.0), np.ones(200), np.ones(200)
    held = [weakref.ref(x) for x in (t, weight, offset, X)]
    for function in (linear.log_loss, linear.log_loss_gradient, linear.log_loss_gradient_hessian):
        with pytest.raises(ValueError, match=r"^every element of t must lie .*; got 3"):
            function(X, t, np.zeros(30), weight=weight, offset=offset)
    del X, t, weight, offset
    gc.collect()
    assert [reference() for reference in held] == [None] * 4


# NaN, infinities and the ends of the range ------------------------------------------------


def test_nan_and_infinities_in_x_do_what_they_do_in_numpy():
    values = [np.nan, np.inf, -np.inf, 0.0, 1.0]
    X = np.array([[a, b, 1.0] for a in values for b in values])
    for coef in ([1.0, 1.0, 1.0], [0.0, -2.0, 1.0], [1.0, 0.0, 0.0]):
        with np.errstate(invalid="ignore"):
            expected = X @ np.array(coef)
        np.testing.assert_array_equal(linear.decision(X, coef), expected)
        np.testing.assert_array_equal(linear.probability(X, coef), fl.sigmoid(expected))
        columns = linear.decision(dict(enumerate(X.T)), coef)
        np.testing.assert_array_equal(columns, expected)


def test_nan_in_a_row_is_a_nan_in_the_loss_and_in_all_that_it_touches():
    X = np.array([[1.0, np.nan], [1.0, 2.0]])
    data = {"weight": [1.0, 1.0], "offset": [0.0, 0.0]}
    loss, gradient, hessian = linear.log_loss_gradient_hessian(X, [0, 1], [0.5, 0.5], **data)
    assert np.isnan(loss)
    assert np.isnan(gradient).all()
    assert np.isnan(hessian).all()


@pytest.mark.parametrize("z", [1e308, -1e308])
def test_the_largest_logits_give_their_limits(z):
    X, right, wrong = [[1.0]], [float(z > 0)], [float(z < 0)]
    data, twice = ({"weight": [1.0] * n, "offset": [0.0] * n} for n in (1, 2))
    assert linear.decision(X, [z]).tolist() == [z]
    assert linear.probability(X, [z], offset=[0.0]).tolist() == right
    assert linear.log_loss_gradient(X, right, [z], **data) == (0.0, [0.0], 0.0)
    assert linear.log_loss_gradient(X, wrong, [z], **data) == (1e308, [np.sign(z)], np.sign(z))
    assert linear.hessian(X, [z], **data).tolist() == [[0.0]]
    assert linear.log_loss(X * 2, wrong * 2, [z], **twice) == np.inf


def test_a_weight_of_zero_takes_an_infinite_loss_out():
    X, offset = np.array([[np.inf], [0.0]]), [0.0, 0.0]
    assert linear.log_loss(X, [0, 0], [1.0], weight=[0, 1.0], offset=offset) == np.log(2)
    assert linear.log_loss(X, [0, 0], [1.0], weight=[1, 1.0], offset=offset) == np.inf


# Result and out ---------------------------------------------------------------------------


@pytest.mark.parametrize("function", [linear.decision, linear.probability])
@pytest.mark.parametrize(
    ("X_dtype", "coef_dtype", "expected"),
    [
        ("float32", "float32", "float32"),
        ("float32", "float64", "float64"),
        ("float64", "float32", "float64"),
        ("int8", "float32", "float64"),
        ("bool", "float32", "float64"),
    ],
)
def test_result_is_float32_if_both_x_and_coef_are(function, X_dtype, coef_dtype, expected):
    result = function(np.ones((2, 3), X_dtype), np.ones(3, coef_dtype))
    assert result.dtype == expected


def test_float32_results_of_columns_are_rounded_once_from_float64():
    p = problem("float32", 513, 33)
    coef = p.coef.astype(np.float32)
    z = linear.decision(np.asfortranarray(p.X), coef)
    assert z.dtype == np.float32
    exact_z = linear.decision(np.asfortranarray(p.X), coef.astype(np.float64))
    assert bits(z) == bits(exact_z.astype(np.float32))


@pytest.mark.parametrize("function", [linear.decision, linear.probability])
def test_result_from_columns_is_float32_if_all_of_them_and_coef_are(function):
    narrow, wide = np.ones(2, np.float32), np.ones(2)
    assert function({"a": narrow, "b": narrow}, narrow).dtype == np.float32
    assert function({"a": narrow, "b": narrow}, wide).dtype == np.float64
    assert function({"a": narrow, "b": wide}, narrow).dtype == np.float64


@pytest.mark.parametrize("function", [linear.decision, linear.probability])
def test_out_is_filled_and_returned(function):
    p = problem()
    expected = function(p.X, p.coef)
    for out in (np.empty(513), np.empty(513, np.float32), np.empty(1026)[::2]):
        assert function(p.X, p.coef, out=out) is out
        assert bits(out) == bits(expected.astype(out.dtype))


def test_out_may_be_the_offset():
    p = problem()
    expected = linear.decision(p.X, p.coef, offset=p.offset)
    out = p.offset.copy()
    linear.decision(p.X, p.coef, offset=out, out=out)
    assert bits(out) == bits(expected)


# Bad input --------------------------------------------------------------------------------

GOOD = {
    "X": np.ones((4, 2)),
    "t": np.array([0.0, 1.0, 0.0, 1.0]),
    "coef": np.ones(2),
    "direction": np.ones(2),
    "weight": np.ones(4),
    "offset": np.zeros(4),
    "out": None,
    "intercept": 0.0,
    "threads": 1,
}
TAKES = {
    "decision": ["X", "coef", "intercept", "offset", "out", "threads"],
    "probability": ["X", "coef", "intercept", "offset", "out", "threads"],
    "log_loss": ["X", "t", "coef", "intercept", "weight", "offset", "threads"],
    "log_loss_gradient": ["X", "t", "coef", "intercept", "weight", "offset", "threads"],
    "log_loss_gradient_hessian": ["X", "t", "coef", "intercept", "weight", "offset", "threads"],
    "hessian": ["X", "coef", "intercept", "weight", "offset", "threads"],
    "hessian_product": ["X", "coef", "direction", "intercept", "weight", "offset", "threads"],
}
READ_ONLY = np.empty(4)
READ_ONLY.flags.writeable = False
# Argument, what is wrong with it, and words that the message has beside the argument's name.
BAD = [
    ("X", np.ones(4), "2 axes"),
    ("X", np.ones((4, 2, 1)), "2 axes"),
    ("X", np.ones((4, 2), object), "object"),
    ("X", np.ones((4, 2), complex), "complex"),
    ("X", np.full((4, 2), "1"), "<U1"),
    ("X", np.full((4, 2), "2020-01-01", "M8[D]"), "datetime"),
    ("X", np.ones((4, 2), np.longdouble), "longdouble|float128"),
    ("X", np.ones((4, 2), ">f8"), "native"),
    ("X", np.ones((4, 2), ">i4"), "native"),
    ("X", np.ones((0, 2)), "empty"),
    ("X", np.ones((4, 0)), "empty"),
    ("X", [], "2 axes"),
    ("X", None, "an array of real numbers; got NoneType"),
    ("X", "text", "an array of real numbers; got str"),
    ("X", [[1.0], [1.0, 2.0]], "shape|axes|same length"),
    ("t", None, "real numbers; got NoneType"),
    ("t", np.ones(3), "row of X, 4; got 3"),
    ("t", np.ones((4, 1)), "one axis"),
    ("t", [0, 1, np.nan, 0], "nan at index 2"),
    ("t", [0, 1, 1, 2], "2.0 at index 3"),
    ("t", np.array([0, -1, 1, 1], np.int8), "-1 at index 1"),
    ("t", np.array([0, 1.5, 1, 1], np.float32), "1.5 at index 1"),
    ("t", ["no", "yes", "no", "no"], "U"),
    ("t", np.array([0, 1, 1, None]), "object"),
    ("t", [], "empty"),
    ("t", [[0.0], [0.0, 1.0]], "shape|axis|same length"),
    ("coef", np.ones(3), "2; got 3"),
    ("coef", np.ones((1, 2)), r"shape \(2,\) for two classes, or \(K, 2\)"),
    ("coef", np.ones((1, 1, 2)), "one axis"),
    ("coef", 1.0, "one axis"),
    ("coef", np.ones(2, complex), "complex"),
    ("coef", ["a", "b"], "<U1"),
    ("coef", np.ones(2, ">f8"), "native"),
    ("direction", np.ones(3), "column of X, 2; got 3"),
    ("direction", np.ones((2, 2)), "one axis"),
    ("direction", np.ones(2, object), "object"),
    ("weight", np.ones(5), "row of X, 4; got 5"),
    ("weight", [1, 1, -1, 1], "-1.0 at index 2"),
    ("weight", [1, 1, 1, np.nan], "nan at index 3"),
    ("weight", [1, np.inf, 1, 1], "inf at index 1"),
    ("weight", np.array([1, np.inf, 1, 1], np.float32), "inf at index 1"),
    ("weight", np.array([1, -1, 1, 1]), "-1 at index 1"),
    ("weight", np.ones(4, complex), "complex"),
    ("weight", 1.0, "one axis"),
    ("offset", np.ones(1), "row of X, 4; got 1"),
    ("offset", np.ones(4, "S1"), "S1"),
    ("offset", np.ones((4, 1)), "one axis"),
    ("intercept", "1", "real number"),
    ("intercept", [1.0], "real number"),
    ("intercept", 1j, "real number"),
    ("intercept", None, "real number"),
    ("intercept", [[1.0], [1.0, 2.0]], "real number"),
    ("threads", 0, "between 1 and 4096"),
    ("threads", -1, "between 1 and 4096"),
    ("threads", 4097, "between 1 and 4096"),
    ("threads", 1.5, "whole number"),
    ("threads", "2", "whole number"),
    ("threads", True, "whole number"),
    ("threads", np.ones(2, int), "whole number"),
    ("out", np.empty(3), "shape"),
    ("out", np.empty((4, 1)), "shape"),
    ("out", np.empty(4, int), "float64 or float32"),
    ("out", np.empty(4, ">f8"), "float64 or float32"),
    ("out", READ_ONLY, "read-only"),
    ("out", [0.0] * 4, "array"),
    ("X", {}, "at least one column"),
    ("X", {"a": np.ones(4), "b": np.ones(3)}, "'a' has 4 elements and 'b' has 3"),
    ("X", {"a": np.ones((4, 1)), "b": np.ones(4)}, r"\['a'\].*one axis"),
    ("X", {"a": np.ones(4), "b": np.full(4, "a")}, r"\['b'\].*<U1"),
    ("X", {"a": np.ones(4), "b": np.ones(4, ">f8")}, r"\['b'\].*native"),
    ("X", {"a": [], "b": []}, r"\['a'\].*empty"),
]


BAD += [
    ("X", np.ones((4, 2), np.longdouble), "64 bits; got .* converts"),
    ("t", np.ones(4, np.longdouble), "64 bits; got .* converts"),
]


@pytest.mark.parametrize(
    ("argument", "value", "words"),
    [
        ("X", pd.NA, "an array of real numbers; got NAType"),
        ("X", pd.NaT, "an array of real numbers; got NaTType"),
        ("X", {"a": pd.NA, "b": [1.0] * 4}, "got NAType"),
        ("intercept", pd.NA, "a real number; got <NA>"),
        ("intercept", 10**400, "a real number; got 1000"),
        ("coef", pd.NA, "an array of real numbers; got NAType"),
        ("out", pd.NA, "an array; got NAType"),
        ("missing", pd.NA, "'error' or 'nan'; got <NA>"),
        ("missing", np.ones(4), "'error' or 'nan'; got array"),
    ],
)
def test_a_value_without_truth_value_is_an_error_that_names_the_argument(argument, value, words):
    arguments = {"X": np.ones((4, 2)), "coef": np.ones(2), argument: value}
    with pytest.raises((TypeError, ValueError), match=rf"^{argument}\b.* must be .*{words}"):
        linear.decision(**arguments)


@pytest.mark.parametrize("argument", ["t", "coef", "weight", "offset", "direction"])
def test_float16_gives_what_the_same_numbers_give(argument):
    function = linear.hessian_product if argument == "direction" else linear.log_loss_gradient
    names = TAKES[function.__name__]
    arguments = {name: GOOD[name] for name in names}
    arguments[argument] = np.asarray(GOOD[argument], np.float16)
    widened = arguments | {argument: arguments[argument].astype(np.float32)}
    assert same_bits(*(np.hstack(function(**given)) for given in (arguments, widened)))


@pytest.mark.parametrize("layout", [np.asarray, np.asfortranarray, sparse.csr_array])
def test_the_diagonal_of_x_whose_squares_are_too_large(layout):
    X = layout(np.array([[1e200, 1e308]]))
    assert linear.hessian_diagonal(X, [1e-198, 1.0]).tolist() == [0.0, 0.0]  # z is infinite
    (value, infinite) = linear.hessian_diagonal(X, [1e-198, 0.0])
    exact = mpmath.mpf(1e200) ** 2 / (1 + mpmath.exp(100)) / (1 + mpmath.exp(-100))
    assert infinite == np.inf
    assert exact > 1e308
    assert value == np.inf
    assert linear.hessian_diagonal(X, [5e-198, 0.0])[0] == pytest.approx(
        float(mpmath.mpf(1e200) ** 2 * mpmath.exp(-500)), rel=1e-10
    )


def copied(value):
    if isinstance(value, list):
        return [copied(one) for one in value]
    return value.copy() if isinstance(value, np.ndarray) else value


@pytest.mark.parametrize(
    ("function", "argument", "value", "words"),
    [(f, *bad) for f in TAKES for bad in BAD if bad[0] in TAKES[f]],
)
def test_bad_input_is_an_error_that_names_the_argument(function, argument, value, words):
    arguments = {name: copied(GOOD[name]) for name in TAKES[function]}
    arguments[argument] = value
    before = {name: copied(one) for name, one in arguments.items()}
    message = rf"^(every element of )?{argument}\b.*({words})"
    with pytest.raises((TypeError, ValueError), match=message):
        getattr(linear, function)(**arguments)
    for name in arguments:
        np.testing.assert_equal(arguments[name], before[name])


@pytest.mark.parametrize("argument", ["X", "t", "coef", "weight", "offset"])
def test_masked_elements_are_an_error_that_names_the_argument(argument):
    arguments = {name: copied(GOOD[name]) for name in TAKES["log_loss"]}
    arguments[argument] = np.ma.masked_array(arguments[argument])
    before = linear.log_loss(**arguments)
    arguments[argument][..., -1] = np.ma.masked
    with pytest.raises(ValueError, match=f"^{argument} must have no masked elements; got "):
        linear.log_loss(**arguments)
    assert before == linear.log_loss(**{name: GOOD[name] for name in arguments})


def test_out_must_not_overlap_what_is_read():
    X = np.ones((4, 1))
    for out in (X[:, 0], X[::-1, 0]):
        with pytest.raises(ValueError, match=r"out must not overlap X$"):
            linear.decision(X, [1.0], out=out)
    offset = np.ones(8)
    with pytest.raises(ValueError, match="out must not overlap offset"):
        linear.decision(X, [1.0], offset=offset[:4], out=offset[1:5])
    with pytest.raises(ValueError, match=r"out must not overlap X\['a'\]"):
        linear.decision({"a": offset[:4]}, [1.0], out=offset[1:5])


def test_no_argument_is_modified():
    arguments = {name: copied(value) for name, value in GOOD.items()}
    for function, names in TAKES.items():
        getattr(linear, function)(**{name: arguments[name] for name in names})
    for name, value in GOOD.items():
        np.testing.assert_equal(arguments[name], value)


# Properties -------------------------------------------------------------------------------

numbers = st.integers(-(2**13), 2**13).map(lambda k: k / 1024)


@st.composite
def problems(draw):
    n, d = draw(st.integers(2, 20)), draw(st.integers(1, 18))
    X = draw(st.lists(numbers, min_size=n * d, max_size=n * d))
    t = draw(st.lists(st.integers(0, 16).map(lambda k: k / 16), min_size=n, max_size=n))
    coef = draw(st.lists(numbers, min_size=d, max_size=d))
    return np.array(X).reshape(n, d), np.array(t), np.array(coef)


def together(X, t, coef, weight=None):
    weight = np.ones(len(t)) if weight is None else weight
    loss, gradient, hessian = linear.log_loss_gradient_hessian(
        X, t, coef, weight=weight, offset=np.zeros(len(t))
    )
    return np.concatenate([[loss], gradient, hessian.ravel()])


def bound(X, t, coef):
    whole = exact(X, t, coef)
    hessian = exact_hessian(X, whole)
    return np.concatenate(
        [[whole.loss.bound], whole.gradient.bound, hessian.bound.ravel()], dtype=np.longdouble
    )


@given(problems(), st.data())
def test_parts_of_the_rows_add_up_to_the_whole(given, data):
    X, t, coef = given
    cut = data.draw(st.integers(1, len(t) - 1))
    parts = together(X[:cut], t[:cut], coef) + together(X[cut:], t[cut:], coef)
    assert (np.abs(parts - together(X, t, coef)) <= 2 * bound(X, t, coef)).all()


@given(problems())
def test_a_weight_of_two_is_a_row_twice(given):
    X, t, coef = given
    twice = together(np.repeat(X, 2, axis=0), np.repeat(t, 2), coef)
    weighted = together(X, t, coef, np.full(len(t), 2.0))
    assert (np.abs(twice - weighted) <= 4 * bound(X, t, coef)).all()


@given(problems(), st.data())
def test_the_order_of_rows_does_not_matter_beyond_rounding(given, data):
    X, t, coef = given
    order = data.draw(st.permutations(range(len(t))))
    moved = together(X[order], t[order], coef)
    assert (np.abs(moved - together(X, t, coef)) <= 2 * bound(X, t, coef)).all()


@given(problems())
def test_swapping_labels_and_signs_changes_the_sign_of_the_gradient(given):
    X, t, coef = given
    here, there = together(X, t, coef), together(-X, t, -coef)
    d = X.shape[1]
    assert here[0] == there[0]
    assert (here[1 : d + 1] == -there[1 : d + 1]).all()
    flipped = together(X, 1 - t, -coef)
    assert flipped[0] == here[0]
    assert (flipped[1 : d + 2] == -here[1 : d + 2]).all()


def test_more_elements_than_32_bits_can_count(tmp_path):
    n, d = 1 << 16, (1 << 15) + 1
    with (tmp_path / "zeros").open("wb") as file:
        file.truncate(n * d)  # a hole, which takes no space
    X = np.memmap(tmp_path / "zeros", np.uint8, "r", shape=(n, d))
    loss, gradient, slope = linear.log_loss_gradient(X, np.arange(n) % 2, np.zeros(d))
    assert loss == pytest.approx(n * np.log(2.0), rel=1e-15)
    assert not gradient.any()
    assert slope == 0.0
