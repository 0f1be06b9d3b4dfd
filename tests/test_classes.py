"""Softmax over arrays: shapes, dtypes, the same bits in every way to call, and bad arguments."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import fastlogit as fl
from fastlogit import kernels
from fastlogit.core.threads import PART
from fastlogit.kernels.class_sums import MOST_BY_CLASS
from tests.references.multiprecision import same_bits

DTYPES = [np.float64, np.float32]
every_dtype = pytest.mark.parametrize("dtype", DTYPES)
# Class by class; and row by row, in rows of one vector and of several pieces of a sum.
CLASSES = [1, 2, 3, MOST_BY_CLASS, MOST_BY_CLASS + 1, 100, 2500]


def sample(n: int, K: int, dtype=np.float64, seed: int = 1) -> tuple:
    """Logits, class numbers, probabilities and weights."""
    rng = np.random.default_rng([seed, K])
    # The last makes many probabilities subnormal.
    scales = [1.0, 9.0, 200.0, 745.0 if dtype == np.float64 else 104.0]
    Z = (rng.normal(size=(n, K)) * rng.choice(scales, size=(n, 1))).astype(dtype)
    return Z, rng.integers(0, K, n), rng.dirichlet(np.ones(K), n), rng.choice([0.0, 0.5, 3.0], n)


# The functions of a row -----------------------------------------------------------------------


@every_dtype
@pytest.mark.parametrize("K", CLASSES)
def test_a_row_has_the_bits_of_the_function_of_a_row(K, dtype):
    n = 37 if K < 1000 else 3
    Z, t, soft, _ = sample(n, K, dtype)
    Z[0, 0], Z[1, K // 2], Z[2, -1] = -np.inf, np.nan, np.inf
    probabilities, logs = fl.softmax(Z), fl.log_softmax(Z)
    sums = fl.log_sum_exp(Z)
    out = np.empty(K, dtype)
    for i in range(n):
        kernels.softmax(Z[i], out)
        assert same_bits(probabilities[i], out)
        kernels.log_softmax(Z[i], out)
        assert same_bits(logs[i], out)
        assert same_bits(sums[i], dtype(kernels.log_sum_exp(Z[i])))
    for targets in (t, soft):
        losses, residuals = fl.softmax_loss(Z, targets), fl.softmax_residual(Z, targets)
        for i in range(n):
            assert same_bits(losses[i], dtype(kernels.softmax_loss(Z[i], targets[i])))
            kernels.softmax_residual(Z[i], targets[i], out)
            assert same_bits(residuals[i], out)


@pytest.mark.parametrize("shape", [(5,), (4, 5), (2, 3, 5), (0, 5), (2, 0, 3, 5), (1, 1)])
def test_any_leading_shape(shape):
    rng = np.random.default_rng(2)
    Z, t = rng.normal(size=shape), rng.integers(0, shape[-1], shape[:-1])
    table, numbers = Z.reshape(-1, shape[-1]), t.reshape(-1)
    assert same_bits(fl.softmax(Z), fl.softmax(table).reshape(shape))
    assert same_bits(fl.softmax_residual(Z, t), fl.softmax_residual(table, numbers).reshape(shape))
    for found, rows in [
        (fl.log_sum_exp(Z), fl.log_sum_exp(table)),
        (fl.softmax_loss(Z, t), fl.softmax_loss(table, numbers)),
    ]:
        assert np.shape(found) == shape[:-1]
        assert same_bits(found, rows.reshape(shape[:-1]))


@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "i4", "u8", "f2", "f4", "f8", ">f4", ">f8"])
def test_dtypes_are_those_of_other_functions(dtype):
    Z = np.array([[0, 1, 1], [1, 0, 1]], dtype)
    expected = fl.sigmoid(Z).dtype
    assert fl.softmax(Z).dtype == fl.log_sum_exp(Z).dtype == expected
    wide = np.float32 if expected == np.float16 else expected
    assert same_bits(fl.softmax(Z), fl.softmax(Z.astype(wide)).astype(expected))
    assert fl.softmax(Z[0]).dtype == expected
    assert fl.softmax(Z.tolist()).dtype == fl.sigmoid(Z.tolist()).dtype


def test_float16_results_that_overflow_raise_no_warning():
    Z = np.array([60000.0, -60000.0], np.float16)
    assert fl.log_softmax(Z).tolist() == [0.0, -np.inf]


@every_dtype
def test_strides_change_no_bit(dtype):
    Z, t, soft, _ = sample(60, 7, dtype)
    wide = np.repeat(np.repeat(Z, 2, axis=0), 3, axis=1)
    unaligned = np.zeros(60, [("a", "u1"), ("Z", dtype, 7)])
    unaligned["Z"] = Z
    for strided in (np.asfortranarray(Z), wide[::2, ::3], Z[::-1, ::-1].copy()[::-1, ::-1]):
        assert same_bits(fl.softmax(strided), fl.softmax(Z))
        assert same_bits(fl.softmax_residual(strided, soft), fl.softmax_residual(Z, soft))
    assert same_bits(fl.softmax(unaligned["Z"]), fl.softmax(Z))
    assert same_bits(
        fl.softmax(Z.reshape(3, 4, 5, 7).transpose(2, 0, 1, 3))[1, 0],
        fl.softmax(Z.reshape(3, 4, 5, 7)[0, :, 1]),
    )
    read_only = Z.copy()
    read_only.flags.writeable = False
    assert same_bits(fl.softmax_loss(read_only, t), fl.softmax_loss(Z, t))


@pytest.mark.parametrize("K", [3, 40])
def test_the_number_of_threads_and_of_rows_changes_no_bit(K):
    Z, t, _, weight = sample(3 * PART // K + 17, K)
    results = [fl.softmax_residual(Z, t, threads=threads) for threads in (1, 2, 3)]
    results += [
        np.concatenate([fl.softmax_residual(Z[:11], t[:11]), fl.softmax_residual(Z[11:], t[11:])])
    ]
    assert all(same_bits(result, results[0]) for result in results)
    sums = [fl.softmax_log_loss_gradient(Z, t, weight, threads=threads) for threads in (1, 2, 3)]
    for loss, gradient in sums:
        assert same_bits(loss, sums[0][0])
        assert same_bits(gradient, sums[0][1])


@pytest.mark.parametrize("K", [3, 40])
def test_results_are_put_into_any_array(K):
    Z, t, soft, _ = sample(50, K)
    expected, residual = fl.softmax(Z), fl.softmax_residual(Z, soft)
    wide = np.full((50, 2 * K), 7.0)
    out = wide[:, ::2]
    assert fl.softmax(Z, out=out) is out
    assert same_bits(np.ascontiguousarray(out), expected)
    assert (wide[:, 1::2] == 7.0).all()
    narrow = np.empty((50, K), np.float32)
    fl.softmax(Z, narrow)
    assert same_bits(narrow, expected.astype(np.float32))
    fl.softmax_residual(Z, t := soft.copy(), out=t)
    assert same_bits(t, residual)
    copy = Z.copy()
    fl.softmax(copy, out=copy)
    assert same_bits(copy, expected)
    rows = np.empty((2, 50))
    fl.log_sum_exp(Z, out=rows[1])
    assert same_bits(rows[1], fl.log_sum_exp(Z))


def test_class_numbers_of_every_integer_dtype():
    Z, t, _, _ = sample(20, 2)
    expected = fl.softmax_loss(Z, t)
    for dtype in ("?", "i1", "u1", "i2", "u4", "i8", "u8", ">i4"):
        assert same_bits(fl.softmax_loss(Z, t.astype(dtype)), expected)
    assert same_bits(fl.softmax_loss(Z, np.eye(2, dtype=int)[t]), expected)
    assert fl.softmax_loss([0.0, 0.0], 1) == math.log(2.0)


@given(
    hnp.arrays(
        np.float64, st.tuples(st.integers(1, 6), st.integers(1, 30)), elements=st.floats(-300, 300)
    )
)
def test_probabilities_agree_with_their_logarithms_and_with_scipy(Z):
    p, logs = fl.softmax(Z), fl.log_softmax(Z)
    np.testing.assert_allclose(p.sum(axis=-1), 1.0, rtol=Z.shape[1] * 2.0**-52)
    np.testing.assert_allclose(np.log(p), logs, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(p, scipy.special.softmax(Z, axis=-1), rtol=1e-12)
    sums = fl.log_sum_exp(Z)
    np.testing.assert_allclose(sums, scipy.special.logsumexp(Z, axis=-1), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(logs, Z - sums[:, None], rtol=1e-9, atol=1e-12)
    order = np.argsort(Z, axis=-1)
    assert (np.diff(np.take_along_axis(p, order, -1)) >= 0).all()


def test_no_input_raises_a_floating_point_warning():
    Z = np.array([[np.nan, 0.0], [np.inf, 0.0], [-np.inf, -np.inf], [0.0, -745.1], [1e308, -1e308]])
    with np.errstate(all="raise"):
        for function in (fl.softmax, fl.log_softmax, fl.log_sum_exp):
            function(Z)
        fl.softmax_residual(Z, [0, 1, 0, 1, 0])
        fl.softmax_log_loss_gradient(Z, [0, 1, 0, 1, 0], [1.0, 0.0, 1.0, 2.0, 1.0])


# Sums -----------------------------------------------------------------------------------------


@every_dtype
@pytest.mark.parametrize("K", [1, 3, 30])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_sums_are_those_of_the_rows(K, soft, weighted, dtype):
    Z, labels, probabilities, weight = sample(700, K, dtype)
    t, weight = probabilities if soft else labels, weight if weighted else None
    loss, gradient = fl.softmax_log_loss_gradient(Z, t, weight)
    assert type(loss) is float
    assert gradient.dtype == dtype
    assert same_bits(fl.softmax_log_loss(Z, t, weight), loss)
    scale = np.ones(700) if weight is None else weight
    exact = math.fsum(fl.softmax_loss(Z.astype(np.float64), t) * scale)
    bound = 2.0**-52 if dtype == np.float64 else 2.0**-30
    assert abs(loss - exact) <= bound * exact
    residual = fl.softmax_residual(Z, t)
    info = np.finfo(dtype)
    close = {"rtol": 4 * info.eps, "atol": 4 * float(info.smallest_subnormal)}
    if weight is None:
        assert same_bits(gradient, residual)
    else:
        np.testing.assert_allclose(gradient, residual * scale[:, None], **close)
    mean, slopes = fl.softmax_log_loss_gradient(Z, t, weight, reduction="mean")
    assert same_bits(mean, loss / scale.sum())
    np.testing.assert_allclose(slopes, gradient / scale.sum(), **close)


@pytest.mark.parametrize("K", [2, 30])
def test_a_row_with_weight_zero_is_ignored(K):
    Z, t, _, weight = sample(100, K)
    weight[3] = 0.0
    loss, gradient = fl.softmax_log_loss_gradient(Z, t, weight)
    Z[3] = np.nan
    again, slopes = fl.softmax_log_loss_gradient(Z, t, weight)
    assert same_bits(again, loss)
    assert same_bits(slopes, gradient)
    assert (gradient[3] == 0.0).all()


def test_two_classes_have_the_sum_of_log_loss():
    Z, t, soft, weight = sample(1000, 2)
    z = Z[:, 1].copy()
    Z[:, 0] = 0.0
    # Numbers of one type, whose kernel other tests call.
    for targets, other in ((t, t.astype(float)), (soft, soft[:, 1].copy())):
        loss, gradient = fl.softmax_log_loss_gradient(Z, targets, weight)
        expected, slopes = fl.log_loss_gradient(z, other, weight)
        assert loss == pytest.approx(expected, rel=1e-14)
        np.testing.assert_allclose(gradient[:, 1], slopes, rtol=1e-13, atol=1e-15)


def test_the_gradient_is_the_numerical_derivative_of_the_loss():
    Z, t, soft, weight = sample(4, 3)
    Z /= 50.0
    for targets in (t, soft):
        _, gradient = fl.softmax_log_loss_gradient(Z, targets, weight)
        for i in range(Z.size):
            step = np.zeros(Z.size)
            step[i] = 1e-6
            ends = [
                fl.softmax_log_loss(Z + s * step.reshape(Z.shape), targets, weight) for s in (1, -1)
            ]
            assert gradient.flat[i] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-7)


def test_infinite_losses():
    Z = np.array([[0.0, -np.inf], [0.0, 0.0]])
    assert fl.softmax_log_loss(Z, [1, 0]) == np.inf
    assert fl.softmax_log_loss(Z, [0, 0]) == math.log(2.0)
    assert math.isnan(fl.softmax_log_loss([[np.inf, 0.0]], [0]))


# Wrong arguments ------------------------------------------------------------------------------

WRONG = {
    "text": ({"Z": [["a", "b"]]}, TypeError, "Z must hold real numbers; got dtype <U1"),
    "objects": ({"Z": np.ones((2, 3), object)}, TypeError, "Z must hold real numbers"),
    "complex": ({"Z": np.ones((2, 3), complex)}, TypeError, "Z must hold real numbers"),
    "long": ({"Z": np.ones((2, 3), "g")}, TypeError, "Z must hold numbers of at most 64 bits"),
    "ragged": ({"Z": [[1.0], [1.0, 2.0]]}, ValueError, "Z must have rows of the same length"),
    "no class number": (
        {"t": [0, 3]},
        ValueError,
        "every element of t must be a class number from 0 to 2; got 3 at index 1 (1 such)",
    ),
    "negative": (
        {"t": [-1, -2]},
        ValueError,
        "every element of t must be a class number from 0 to 2; got -1 at index 0 (2 such)",
    ),
    "no whole number": (
        {"t": [0.0, 1.5]},
        ValueError,
        "every element of t must be a class number from 0 to 2; got 1.5 at index 1 (1 such)",
    ),
    "too few": (
        {"t": [0]},
        ValueError,
        "t must have the shape (2,) of class numbers or (2, 3) of probabilities; got (1,)",
    ),
    "no t": ({"t": None}, TypeError, "t must hold class numbers or probabilities"),
    "text for t": ({"t": ["a", "b"]}, TypeError, "t must hold class numbers or probabilities"),
    "masked t": (
        {"t": np.ma.masked_equal([0, 1], 1)},
        ValueError,
        "t must have no masked elements; got 1",
    ),
    "above 1": (
        {"t": [[0.0, 1.5, 0.0]] * 2},
        ValueError,
        "every element of t must be a class number, or a probability between 0 and 1; got 1.5 at "
        "index (0, 1) (2 such)",
    ),
    "NaN": ({"t": [[1.0, 0.0, 0.0], [np.nan, 0.5, 0.5]]}, ValueError, "every element of t must be"),
    "sum": (
        {"t": [[1.0, 0.0, 0.0], [0.5, 0.25, 0.0]]},
        ValueError,
        "every row of t must have the sum 1; got 0.75 at index 1 (1 such)",
    ),
    "sum of float16": (
        {"t": np.array([[0.5, 0.5, 0.0], [0.5, 0.502, 0.0]], np.float16)},
        ValueError,
        "every row of t must have the sum 1; got 1.001953125 at index 1 (1 such)",
    ),
    "threads": ({"threads": 0}, ValueError, "threads must be between 1 and"),
}
SUMS_WRONG = {
    "one row": ({"Z": [1.0, 2.0]}, ValueError, "Z must have 2 axes; got shape (2,)"),
    "weights": ({"weight": [1.0]}, ValueError, "weight must have one element for each row of Z, 2"),
    "negative weight": ({"weight": [1.0, -1.0]}, ValueError, "every element of weight must be"),
    "no weight": ({"weight": [0, 0], "reduction": "mean"}, ValueError, "at least one weight must"),
    "reduction": ({"reduction": "max"}, ValueError, "reduction must be 'sum' or 'mean'"),
}


@pytest.mark.parametrize("case", [*WRONG, *SUMS_WRONG])
def test_a_wrong_argument_is_named_and_nothing_is_written(case):
    wrong, error, message = (WRONG | SUMS_WRONG)[case]
    arguments = {"Z": np.ones((2, 3)), "t": [0, 1]} | wrong
    out = np.full((2, 3), 7.0)
    if case in WRONG:
        for function, result in ((fl.softmax_residual, out), (fl.softmax_loss, None)):
            with pytest.raises(error, match=f"^{re.escape(message)}"):
                function(**arguments, out=result)
    if case not in ("ragged", "text"):
        with pytest.raises(error):
            fl.softmax_log_loss(**arguments)
        with pytest.raises(error, match=f"^{re.escape(message)}"):
            fl.softmax_log_loss_gradient(**arguments, out=out)
    assert (out == 7.0).all()


@pytest.mark.parametrize("Z", [1.0, np.ones((3, 0)), np.ma.masked_equal([1.0, 2.0], 1.0)])
def test_logits_without_a_class(Z):
    with pytest.raises(ValueError, match="Z must have"):
        fl.softmax(Z)


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        ([0.0] * 3, TypeError, "out must be an array; got list"),
        (np.ones((3, 2)), ValueError, "out must have shape (2, 3)"),
        (np.ones((2, 3), int), TypeError, "out must be float64 or float32"),
    ],
)
def test_a_wrong_output_is_named(out, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        fl.softmax(np.ones((2, 3)), out=out)


def test_an_output_that_overlaps_the_logits_is_an_error():
    memory = np.ones(9)
    Z, out = memory[:6].reshape(2, 3), memory[3:].reshape(2, 3)
    with pytest.raises(ValueError, match=r"^out must not overlap Z, unless it is the same array"):
        fl.softmax(Z, out=out)
