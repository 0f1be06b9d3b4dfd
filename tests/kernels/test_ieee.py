"""The IEEE 754 building blocks, against exact rational arithmetic."""

from __future__ import annotations

import ctypes
import math
from fractions import Fraction

import numba
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fastlogit.kernels import ieee

# Sums and products of these neither overflow nor underflow.
numbers = st.floats(min_value=2.0**-400, max_value=2.0**400) | st.floats(
    min_value=-(2.0**400), max_value=-(2.0**-400)
)


@numba.njit
def fma(a, b, c):
    return ieee.fma(a, b, c)


@numba.njit
def to_bits(value):
    return ieee.float64_bits(value)


@numba.njit
def from_bits(value):
    return ieee.float64_from_bits(value)


@numba.njit
def rounding_error(a, b, c):
    return a * b + c - ieee.fma(a, b, c)


@given(numbers, numbers, numbers)
def test_fma_rounds_the_exact_result_once(a, b, c):
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    assert fma(a, b, c) == float(exact)


def test_fma_keeps_what_a_product_rounds_away():
    a = 1.0 + 2.0**-30
    assert fma(a, a, -(a * a)) == 2.0**-60


@numba.njit
def fma_float32(a, b, c):
    return ieee.fma_float32(a, b, c)


def test_fma_float32_rounds_once_to_float32():
    a = np.float32(1.0 + 2.0**-12)
    assert fma_float32(a, a, -(a * a)) == 2.0**-24
    # a² + 2**-60 lies above the middle of two float32.  Rounded to float64, it is the middle.
    result = fma_float32(a, a, np.float32(2.0**-60))
    assert type(result) is float
    assert result == 1.0 + 2.0**-11 + 2.0**-23


@numba.njit
def float32_round_trip(value):
    return ieee.float32_from_bits(ieee.float32_bits(value)), ieee.float32_bits(value)


@pytest.mark.parametrize("value", [0.0, -0.0, 1.5, -1e-45, 3e38, np.inf, np.nan])
def test_bits_of_a_float32_survive_a_round_trip(value):
    value = np.float32(value)
    same, pattern = float32_round_trip(value)
    assert pattern == value.view(np.int32)
    assert np.float32(same).view(np.int32) == pattern


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ((np.inf, 0.0, 1.0), np.nan),
        ((np.inf, 1.0, -np.inf), np.nan),
        ((np.inf, 2.0, 1.0), np.inf),
        ((1e200, 1e200, -np.inf), -np.inf),
        ((5e-324, 0.5, 5e-324), 1e-323),
        ((np.nan, 0.0, 0.0), np.nan),
    ],
)
def test_fma_of_special_values(args, expected):
    np.testing.assert_equal(fma(*args), expected)


@given(st.floats())
def test_bits_of_a_number_survive_a_round_trip(value):
    pattern = np.float64(value).view(np.int64)  # also for NaN
    assert to_bits(value) == pattern
    assert to_bits(from_bits(pattern)) == pattern


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_pattern_of_bits_survives(pattern):
    value = from_bits(pattern)
    assert math.isnan(value) or to_bits(value) == pattern


@given(numbers, numbers)
def test_two_sum_is_exact(a, b):
    total, error = ieee.two_sum(a, b)
    assert total == a + b
    assert Fraction(total) + Fraction(error) == Fraction(a) + Fraction(b)


@given(numbers, numbers)
def test_fast_two_sum_is_exact_for_the_larger_first(a, b):
    assume(abs(a) >= abs(b))
    total, error = ieee.fast_two_sum(a, b)
    assert total == a + b
    assert Fraction(total) + Fraction(error) == Fraction(a) + Fraction(b)


@given(numbers, numbers)
def test_two_product_is_exact(a, b):
    product, error = ieee.two_product(a, b)
    assert product == a * b
    assert Fraction(product) + Fraction(error) == Fraction(a) * Fraction(b)


def test_compiled_code_does_not_contract_products_and_sums():
    # The expression a * b + c rounds twice, so it differs from the fused operation.
    a = 1.0 + 2.0**-30
    assert rounding_error(a, a, -1.0) == (a * a - 1.0) - float(Fraction(a) ** 2 - 1) != 0.0


def test_clear_flags_leaves_no_exception_flag():
    # Set and read by C functions, because NumPy clears the flags itself.
    libm = ctypes.CDLL(None)
    flags = 0x1F
    libm.feraiseexcept(flags)
    raised = libm.fetestexcept(flags)
    ieee.clear_flags()
    assert raised != 0
    assert libm.fetestexcept(flags) == 0


def test_shifted_moves_by_bytes():
    @numba.cfunc("float64(CPointer(float64), intp)")
    def at(pointer, offset):
        return ieee.shifted(pointer, offset)[0]

    values = np.array([1.0, 2.0, 3.0])
    read = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_void_p, ctypes.c_ssize_t)(at.address)
    last = values.ctypes.data + values.nbytes - values.itemsize
    assert [read(values.ctypes.data, 8 * i) for i in range(3)] == [1.0, 2.0, 3.0]
    assert [read(last, -8 * i) for i in range(3)] == [3.0, 2.0, 1.0]


@numba.njit
def ordered(value):
    bits = ieee.ordered_bits(value)
    return bits, ieee.below(bits)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ordered_bits_are_in_the_order_of_the_numbers(dtype):
    tiny, largest = np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max
    rising = [0.0, tiny, np.finfo(dtype).tiny, 0.5, 1.0, largest, np.inf, np.nan, -tiny, -largest]
    bits = [int(ordered(dtype(value))[0]) for value in rising[:7]]
    assert bits == sorted(set(bits))
    assert ordered(dtype(-0.0))[0] == 0
    assert all(int(ordered(dtype(value))[0]) > bits[6] for value in rising[7:])


def test_the_number_below_0_is_the_largest():
    assert ordered(np.float32(0.0)) == (0, 2**32 - 1)
    assert ordered(np.float64(0.0)) == (0, 2**64 - 1)
    assert ordered(np.int8(-1)) == (255, 254)
    assert ordered(True) == (1, 0)
