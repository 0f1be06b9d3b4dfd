"""Sums carried from block to block, and merged partial results."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastlogit.kernels import sums


def terms(n):
    rng = np.random.default_rng(n)
    return rng.random(n) * 10.0 ** rng.integers(-12, 12, n)


@pytest.mark.parametrize("block", [8, 24, 512])
def test_a_carried_sum_is_the_rounded_exact_sum_for_any_block_size(block):
    values = terms(4800)
    state = np.zeros((2, 8))
    for start in range(0, values.size, block):
        terms_of_block = values[start : start + block]
        sums.carry(terms_of_block, terms_of_block.size, state)
    high, low = sums.carried(state)
    assert high + low == math.fsum(values)


def test_only_the_first_count_terms_are_carried():
    state = np.zeros((2, 8))
    sums.carry(np.array([1.0] * 8 + [np.nan] * 8), 8, state)
    assert sums.carried(state) == (8.0, 0.0)


@pytest.mark.parametrize("size", [1, 1023, 1024, 1025, 5000])
def test_merge_adds_high_and_low_parts_at_each_position(size):
    highs = terms(7 * size).reshape(7, size)
    partials = np.stack([highs, highs * 2.0**-55], axis=1)
    result = np.empty(size)
    sums.merge(partials, result)
    expected = [math.fsum(partials[:, :, i].ravel()) for i in range(size)]
    np.testing.assert_array_max_ulp(result, np.array(expected), 1)


def test_merge_keeps_infinities_and_nan():
    partials = np.array([[[np.inf, np.nan, 1.0, 1e308]] * 2, [[0.0, 0.0, 2.0, 1e308]] * 2])
    partials[:, 1] = np.array([[np.nan, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, np.nan]])
    result = np.empty(4)
    sums.merge(partials, result)
    np.testing.assert_array_equal(result, [np.inf, np.nan, 3.0, np.inf])


TYPES = ["?", "b", "B", "h", "i", "I", "q", "Q", "f", "d"]


@pytest.mark.parametrize("kind", TYPES)
def test_compare_is_the_comparison_of_numpy(kind):
    dtype = np.dtype(kind)
    limits = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype if kind != "?" else "b")
    numbers = [0, 1]
    if dtype.kind == "f":
        smallest, one = limits.smallest_subnormal, dtype.type(1)
        numbers += [-0.0, smallest, -smallest, 0.5, np.nextafter(one, 0), np.nextafter(one, 2)]
        numbers += [np.inf, -np.inf, np.nan, -np.nan, limits.max]
    elif kind != "?":
        numbers += [limits.min, limits.max, 2, 100]
    tops = [1] if kind == "?" else [1, limits.max]
    for top in map(dtype.type, tops):
        for number in map(dtype.type, numbers):
            for place in (0, 30, 66):
                values = np.arange(67).astype(dtype) % 2 if kind != "?" else np.zeros(67, bool)
                values[values != 0] = top
                values[place] = number
                outside = not (dtype.type(0) <= number <= top)
                between = not outside and number not in (0, top)
                found = sums.compare(values, top)
                assert found[0] == outside
                assert outside or found[1] == between
                assert sums.compare(values[::-1], top)[0] == outside
