"""CSR in the kernels: which indices are refused, and the order of additions."""

from __future__ import annotations

import numpy as np
import pytest

from fastlogit.kernels.layouts.csr import CSR, are_below, multiply


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_are_below_knows_both_ends(dtype):
    assert are_below(np.array([0, 4], dtype), 5)
    assert not are_below(np.array([0, 5], dtype), 5)
    assert not are_below(np.array([-1, 4], dtype), 5)
    assert are_below(np.array([], dtype), 5)


def multiplied(sizes, data, indices, d, coef):
    """Logits of rows with these numbers of entries, or None if an index is wrong."""
    z = np.full(len(sizes), np.nan)
    X = CSR(data, indices, np.append(0, np.cumsum(sizes)).astype(np.int32), d)
    return z if multiply(X, 0, len(sizes), coef, z, None) else None


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("wrong", [-1, 40, np.iinfo(np.int32).max])
def test_a_wrong_index_is_found_at_every_place_of_a_row(dtype, wrong):
    sizes, indices, coef = [3, 0, 21], np.zeros(24, dtype), np.ones(40)
    assert multiplied(sizes, np.ones(24), indices, 40, coef).tolist() == [3.0, 0.0, 21.0]
    for k in range(24):
        damaged = indices.copy()
        damaged[k] = wrong
        assert multiplied(sizes, np.ones(24), damaged, 40, coef) is None


@pytest.mark.parametrize("count", range(1, 20))
def test_entry_k_of_a_row_is_added_to_lane_k_modulo_eight(count):
    rng = np.random.default_rng(count)
    data, indices = rng.normal(size=2 * count), rng.integers(0, 40, 2 * count, np.int32)
    # Powers of 2, so that products are exact and `+` rounds as a fused multiply-add does.
    coef = 2.0 ** rng.integers(-40, 40, 40)
    expected = []
    for start in (0, count):
        sums = np.zeros(8)
        for k in range(count):
            sums[k % 8] += data[start + k] * coef[indices[start + k]]
        quarters = sums[:4] + sums[4:]
        halves = quarters[:2] + quarters[2:]
        expected.append(halves[0] + halves[1])
    assert multiplied([count, count], data, indices, 40, coef).tolist() == expected


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("following", [2, 20])
def test_a_row_is_touched_by_no_other_row_nor_by_the_first_coefficient(value, following):
    data, coef = np.append(1.0, np.full(following, value)), np.ones(4)
    coef[0] = value
    z = multiplied([1, following], data, np.append(2, np.zeros(following, np.int64)), 4, coef)
    assert z[0] == 1.0
    assert not np.isfinite(z[1])
