"""Operators of lanes: the results of the same functions of one number, in every lane."""

from __future__ import annotations

import numba
import numpy as np

from fastlogit.kernels import exponential, lanes, multinomial
from fastlogit.kernels.ieee import fma, two_sum
from fastlogit.kernels.lane_operators import select, times_power, zero
from tests.references.multiprecision import same_bits


@numba.njit(error_model="numpy")
def every(a, b):
    return (
        a + b,
        a - 2.0,
        3.0 * a,
        a / b,
        -a,
        fma(a, b, 0.5),
        fma(a, 2.0, b),
        two_sum(a, b)[1],
        select(a < b, a, 0.0),
        select(a > b, b, a),
        select(a >= 1.0, a, b),
        select(a == 1.0, -1.0, b),
        times_power(exponential.ONE_BITS, a + exponential.SHIFT),
        a + zero(b),
        *exponential.exp_sum(select(a < -700.0, -700.0, a), zero(a)),
        *multinomial.larger_two(a, b, b),
    )


COUNT = 19


@numba.njit(error_model="numpy")
def in_lanes(a, b, out):
    for number, value in enumerate(every(lanes.load(a, 0), lanes.load(b, 0))):
        lanes.store(out[number], 0, value)


def test_each_lane_has_the_bits_of_a_number():
    a = np.array([0.0, -0.0, 1.0, -3.25, np.nan, -np.inf, -650.3, -1e-300])
    b = np.array([1.0, 0.0, 1.0, -7.5, 2.0, np.inf, np.nan, -1e-300])
    out = np.empty((COUNT, 8))
    in_lanes(a, b, out)
    for lane in range(8):
        expected = every(a[lane], b[lane])
        assert len(expected) == COUNT
        assert same_bits(out[:, lane], np.array(expected))
