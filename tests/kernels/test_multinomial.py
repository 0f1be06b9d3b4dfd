"""Softmax and its loss of single rows: exact for every size of the logits, in any order."""

from __future__ import annotations

import re

import mpmath
import numba
import numpy as np
import pytest
import scipy.special

from fastlogit import kernels
from fastlogit.core.ulp import ulp, ulp_error
from fastlogit.kernels import multinomial
from tests.references import multiprecision
from tests.references.multiprecision import PRECISION, same_bits

DTYPES = [np.float64, np.float32]
every_dtype = pytest.mark.parametrize("dtype", DTYPES)
NAMES = ["softmax", "log_softmax", "log_sum_exp", "softmax_loss", "softmax_residual"]
# The gaps where other implementations lose digits, up to the smallest subnormal.
GAPS = [0.0, 1e-300, 1e-9, 0.3, 20.0, 36.0, 37.0, 40.0, 87.3, 103.9, 700.0, 708.4, 730.0, 744.0]
GAPS += [745.1, 746.0, 800.0]
SIZES = [5e-324, 1e-300, 1e-5, 1.0, 30.0, 1e3, 1e9, 1e30, 1e300]


def rows(classes: int, dtype) -> list[np.ndarray]:
    """Logits of all sizes, gaps of all sizes below the largest logit, and ties."""
    rng = np.random.default_rng(classes)
    few = classes > 100
    found = [rng.normal(size=classes) * size for size in SIZES[3:5] if few] or [
        rng.normal(size=classes) * size for size in SIZES for _ in range(4)
    ]
    if classes > 1:
        for gap in GAPS[2::6] if few else GAPS:
            spread = rng.normal(size=classes) * rng.choice([0.0, 1e-3, 1.0]) - gap
            spread[rng.integers(classes)] = 0.0
            found.append(spread + rng.choice([0.0, 0.1, 35.7]))
        found.append(np.where(rng.random(classes) < 0.5, 1.5, -1.0))
    with np.errstate(over="ignore", under="ignore"):
        narrow = [row.astype(dtype) for row in found]
    return [row for row in narrow if np.isfinite(row).all()]


def assert_exact(found, exact, dtype, most=0.8) -> None:
    """At most `most` ULP; 0.51 for float32."""
    found, exact = np.atleast_1d(found), np.atleast_1d(exact)
    with mpmath.workprec(PRECISION):
        errors = ulp_error(found, exact, dtype)
    allowed = most if dtype == np.float64 else 0.51
    assert (errors <= allowed).all(), (errors.max(), found[np.argmax(errors)])


@every_dtype
@pytest.mark.parametrize("classes", [1, 2, 3, 10, 1000])
def test_rows_are_exact(classes, dtype):
    out = np.empty(classes, dtype)
    for row in rows(classes, dtype):
        exact = multiprecision.softmax(row)
        kernels.softmax(row, out)
        assert_exact(out, exact.probability, dtype)
        assert abs(out.sum(dtype=np.float64) - 1.0) <= classes * np.finfo(dtype).eps
        kernels.log_softmax(row, out)
        assert_exact(out, exact.log_probability, dtype)
        for t in {int(np.argmax(row)), int(np.argmin(row)), classes // 2}:
            with mpmath.workprec(PRECISION):
                assert_exact(dtype(kernels.softmax_loss(row, t)), -exact.log_probability[t], dtype)
            if len(exact.others):
                kernels.softmax_residual(row, t, out)
                expected = exact.probability.copy()
                with mpmath.workprec(PRECISION):
                    expected[t] = -exact.others[t]
                assert_exact(out, expected, dtype)


@every_dtype
@pytest.mark.parametrize("classes", [1, 2, 3, 10])
def test_the_logarithm_of_a_sum_is_exact_unless_its_terms_cancel(classes, dtype):
    terms = 2.0**-54 if dtype == np.float64 else 2.0**-32
    for row in rows(classes, dtype):
        exact = multiprecision.softmax(row).log_sum
        found = dtype(kernels.log_sum_exp(row))
        with mpmath.workprec(PRECISION):
            allowed = 0.8 * mpmath.mpf(float(ulp(exact, dtype))) + terms * abs(float(row.max()))
            assert abs(mpmath.mpf(float(found)) - exact) <= allowed


def test_a_loss_far_below_the_others_is_not_lost():
    row, out = np.array([40.0, 0.0, 0.0]), np.empty(3)
    assert kernels.softmax_loss(row, 0) == 8.496708510583178e-18
    kernels.log_softmax(row, out)
    assert out[0] == -8.496708510583178e-18
    kernels.softmax_residual(row, 0, out)
    assert out[0] == -8.496708510583178e-18


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_soft_targets_are_exact_within_the_documented_error(classes):
    rng = np.random.default_rng(classes)
    out = np.empty(classes)
    for row in rows(classes, np.float64):
        for sharpness in (1e-2, 1.0, 100.0):
            t = rng.dirichlet(np.full(classes, sharpness))
            exact = multiprecision.softmax(row)
            kernels.softmax_residual(row, t, out)
            loss = kernels.softmax_loss(row, t)
            for k in range(classes):
                with mpmath.workprec(PRECISION):
                    share, target = exact.probability[k], mpmath.mpf(t[k])
                    residual = (1 - target) * share - target * exact.others[k]
                    size = (1 - target) * share + target * exact.others[k]
                    allowed = 1.1 * mpmath.mpf(float(ulp(residual))) + size * mpmath.mpf(2) ** -54
                    assert abs(mpmath.mpf(out[k]) - residual) <= allowed
            with mpmath.workprec(2200):
                middle = mpmath.mpf(row.max())
                expected = exact.log_sum - middle
                expected += mpmath.fsum(
                    mpmath.mpf(t[k]) * (middle - mpmath.mpf(row[k])) for k in range(classes)
                )
                assert_exact(loss, [expected], np.float64, 1.1)


@every_dtype
@pytest.mark.parametrize("classes", [2, 3, 10, 1000, 3000])
def test_the_order_of_the_classes_changes_no_bit(classes, dtype):
    rng = np.random.default_rng(classes)
    t = rng.dirichlet(np.full(classes, 0.1))
    for row in rows(classes, dtype)[::3] if classes <= 1000 else [rng.normal(size=classes) * 9]:
        results = [np.empty((2, classes)) for _ in range(3)]
        order = rng.permutation(classes)
        for number, (logits, targets) in enumerate([(row, t), (row[order], t[order])]):
            kernels.softmax(logits, results[0][number])
            kernels.log_softmax(logits, results[1][number])
            kernels.softmax_residual(logits, targets, results[2][number])
        for first, second in results:
            assert same_bits(first[order], second)
        assert same_bits(kernels.log_sum_exp(row), kernels.log_sum_exp(row[order]))
        assert same_bits(kernels.softmax_loss(row, t), kernels.softmax_loss(row[order], t[order]))


@pytest.mark.parametrize("constant", [1024.0, -1024.0, 2.0**-20])
def test_an_exact_shift_changes_no_bit(constant):
    # Multiples of 2**-40 below 2**12 stay exact after the shift.
    rng = np.random.default_rng(1)
    row = np.round(rng.normal(scale=30.0, size=50) * 2.0**40) / 2.0**40
    shifted = row + constant
    assert (shifted - constant == row).all()
    for name in ("softmax", "log_softmax"):
        out, moved = np.empty(50), np.empty(50)
        getattr(kernels, name)(row, out)
        getattr(kernels, name)(shifted, moved)
        assert same_bits(out, moved)
    assert same_bits(kernels.softmax_loss(row, 7), kernels.softmax_loss(shifted, 7))


def test_a_plain_difference_of_logits_would_lose_digits():
    # A control: without its rounding error, the difference of these logits gives a wrong digit.
    row, out = np.array([0.0, -700.1, 0.3]), np.empty(3)
    kernels.softmax(row, out)
    exact = multiprecision.softmax(row).probability
    assert_exact(out, exact, np.float64)
    plain = np.exp(np.longdouble(row[1] - row[2])) / (1 + np.exp(np.longdouble(-0.3)))
    assert abs(float(plain) - out[1]) > 2 * np.spacing(out[1])


@every_dtype
def test_two_classes_are_the_logistic_functions(dtype):
    rng = np.random.default_rng(3)
    z = np.concatenate([rng.normal(scale=10.0, size=200), rng.uniform(-745, 745, 200)])
    for logit in z.astype(dtype):
        row, out = np.array([0.0, logit], dtype), np.empty(2, dtype)
        kernels.softmax(row, out)
        np.testing.assert_array_max_ulp(out[1], dtype(kernels.sigmoid(logit)), 1)
        np.testing.assert_array_max_ulp(out[0], dtype(kernels.sigmoid(-logit)), 1)
        for t in (0, 1):
            loss = dtype(kernels.logistic_loss(logit, t))
            np.testing.assert_array_max_ulp(dtype(kernels.softmax_loss(row, t)), loss, 1)
            kernels.softmax_residual(row, t, out)
            np.testing.assert_array_max_ulp(out[1], dtype(kernels.residual(logit, t)), 1)


SPECIAL = [
    ([0.0, -np.inf], [1.0, 0.0]),
    ([-np.inf, 2.0, 2.0], [0.0, 0.5, 0.5]),
    ([0.0, np.nan], [np.nan] * 2),
    ([np.nan, 0.0, -np.inf], [np.nan] * 3),
    ([0.0, np.inf], [np.nan] * 2),
    ([np.inf, np.inf], [np.nan] * 2),
    ([-np.inf, -np.inf], [np.nan] * 2),
    ([-np.inf], [np.nan]),
    ([np.inf, np.nan], [np.nan] * 2),
    ([3.0], [1.0]),
]


@every_dtype
@pytest.mark.parametrize(("row", "probabilities"), SPECIAL)
def test_infinities_and_nan(row, probabilities, dtype):
    row, out = np.array(row, dtype), np.empty(len(row), dtype)
    kernels.softmax(row, out)
    np.testing.assert_array_equal(out, np.array(probabilities, dtype))
    kernels.log_softmax(row, out)
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(out, np.log(probabilities), rtol=1e-6)
    # The limit that SciPy gives.
    limit = row.max() if np.isinf(row.max()) else scipy.special.logsumexp(row.astype(np.float64))
    np.testing.assert_allclose(kernels.log_sum_exp(row), limit, rtol=1e-6)


def test_targets_at_infinite_logits():
    row = np.array([0.0, -np.inf, 0.0])
    assert kernels.softmax_loss(row, 0) == np.log(2.0)
    assert kernels.softmax_loss(row, 1) == np.inf
    assert kernels.softmax_loss(row, np.array([0.5, 0.0, 0.5])) == np.log(2.0)
    assert kernels.softmax_loss(row, np.array([0.5, 0.25, 0.25])) == np.inf
    out = np.empty(3)
    kernels.softmax_residual(row, 1, out)
    assert out.tolist() == [0.5, -1.0, 0.5]


# In compiled code of a user ---------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"fastmath": True}, {"error_model": "python"}], ids=str)
def test_no_option_of_the_caller_changes_a_bit(options):
    @numba.njit(**options)
    def every(Z, t, p, logs, residuals, others):
        for i in range(Z.shape[0]):
            kernels.softmax(Z[i], p[i])
            kernels.log_softmax(Z[i], logs[i])
            kernels.softmax_residual(Z[i], t[i], residuals[i])
            others[i, 0] = kernels.log_sum_exp(Z[i])
            others[i, 1] = kernels.softmax_loss(Z[i], t[i])

    Z = np.random.default_rng(5).normal(scale=9.0, size=(6, 11))
    Z[0, 3], Z[1, 2], Z[2, 2] = -np.inf, np.nan, np.inf
    for logits in (Z, np.asfortranarray(Z)):  # rows with a stride, too
        found = [np.empty((6, 11)) for _ in range(3)] + [np.empty((6, 2))]
        every(logits, np.arange(6), *found)
        for i in range(6):
            expected = [np.empty(11) for _ in range(3)]
            kernels.softmax(Z[i], expected[0])
            kernels.log_softmax(Z[i], expected[1])
            kernels.softmax_residual(Z[i], i, expected[2])
            last = [kernels.log_sum_exp(Z[i]), kernels.softmax_loss(Z[i], i)]
            for array, row in zip(found, [*expected, np.array(last)], strict=True):
                assert same_bits(array[i], row)


def test_the_sum_over_a_row_is_vectorised():
    total = numba.njit(lambda row: multinomial._total(row))
    total.compile((numba.float64[::1],))
    (text,) = total.inspect_asm().values()
    assert re.search(r"vfn?m(?:add|sub)\d+pd\s[^\n]*%[yz]mm", text)
