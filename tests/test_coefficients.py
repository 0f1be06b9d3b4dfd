"""The constants of the kernels are the values that their definitions give."""

from __future__ import annotations

import mpmath
import numpy as np

from fastlogit.kernels import exponential, float32
from tests.references import coefficients


def bits(value: float) -> np.int64:
    return np.float64(value).view(np.int64)


# mpmath 1.4 has an argument for the order, which mpmath 1.3 lacks; another default would fail here.
def test_polynomials_are_those_of_the_generator():
    tables = coefficients.tables()
    assert {name: getattr(exponential, name) for name in tables} == tables


def test_log_2_is_that_of_the_generator():
    assert coefficients.split_ln2() == (exponential.LN2_HIGH, exponential.LN2_LOW)


def test_every_multiple_of_the_high_part_of_log_2_is_exact():
    with mpmath.workprec(200):
        for k in range(-1077, 1078):
            assert mpmath.mpf(k * exponential.LN2_HIGH) == k * mpmath.mpf(exponential.LN2_HIGH)


def test_the_remainder_of_a_division_by_log_2_is_exact():
    rng = np.random.default_rng(0)
    with mpmath.workprec(200):
        for a in [0.3466, 0.49999999999999994, *rng.uniform(0, 1, 500), *rng.uniform(0, 746, 2500)]:
            k = round(a * exponential.LOG2_E)
            r = mpmath.mpf(a) - k * mpmath.mpf(exponential.LN2)
            assert mpmath.mpf(float(r)) == r


def test_single_constants_are_the_nearest_numbers():
    with mpmath.workprec(200):
        assert float(1 / mpmath.log(2)) == exponential.LOG2_E
        assert float(mpmath.log(2)) == exponential.LN2
        assert float(mpmath.log(2) - mpmath.mpf(exponential.LN2)) == exponential.LN2_REST
        half_root = float(mpmath.sqrt(mpmath.mpf(1) / 2))
    assert bits(half_root) == exponential.SQRT_HALF_BITS
    assert bits(1.0) == exponential.ONE_BITS
    assert bits(2.0**52) == exponential.TWO_52_BITS
    assert bits(2.0**128) == exponential.RAISED_ONE_BITS
    assert exponential.RAISED_SHIFT - exponential.SHIFT == 128


def test_e_to_the_smallest_z_rounds_to_zero():
    with mpmath.workprec(200):
        assert mpmath.exp(exponential.SMALLEST_Z) < mpmath.mpf(2) ** -1075
        assert mpmath.exp(-exponential.LARGEST_Z_FLOAT32) < mpmath.mpf(2) ** -150
        assert mpmath.exp(exponential.SMALLEST_Z) / exponential.LOWERED > mpmath.mpf(2) ** -1022


def test_the_constants_of_float32_arithmetic():
    with mpmath.workprec(200):
        ln2 = mpmath.log(2)
        assert np.float32(float(-1 / ln2)) == float32.MINUS_LOG2_E
        assert np.float32(float(ln2)) == float32.LN2
        assert np.float32(float(ln2 - mpmath.mpf(float(float32.LN2)))) == float32.LN2_REST
