"""Directions of K classes' parameters in which no loss changes."""

from __future__ import annotations

import numpy as np

from fastlogit.core import gauge

RNG = np.random.default_rng(8)
K, D = 3, 2


def test_values_are_moved_to_a_sum_of_zero():
    values = RNG.normal(size=(K, D))
    moved = gauge.without(values)
    np.testing.assert_allclose(moved.sum(axis=0), 0.0, atol=1e-15)
    np.testing.assert_allclose(np.diff(moved, axis=0), np.diff(values, axis=0), rtol=1e-12)


def test_a_fixed_hessian_has_the_mean_curvature_of_each_column_along_the_gauge():
    root = RNG.normal(size=(K * (D + 1), K * (D + 1)))
    hessian = root @ root.T
    fixed = gauge.fix(hessian, K, D)
    added = fixed - hessian
    for places in ([0, 2, 4], [1, 3, 5], [6, 7, 8]):
        mean = np.diag(hessian)[places].mean()
        np.testing.assert_allclose(added[np.ix_(places, places)], mean / K, rtol=1e-9)
        added[np.ix_(places, places)] = 0.0
    np.testing.assert_array_equal(added, 0.0)
    alone = gauge.fix(hessian[:6, :6], K, D)
    np.testing.assert_array_equal(alone, fixed[:6, :6])


def test_differences_are_from_the_first_class():
    estimates = gauge.estimates(K, np.array([10.0, 0.0]), with_intercept=True)
    theta = np.arange(9.0)
    coef, intercepts = theta[:6].reshape(3, 2), theta[6:] - theta[:6].reshape(3, 2) @ [10.0, 0.0]
    rows = np.column_stack([coef, intercepts])
    np.testing.assert_array_equal(estimates @ theta, rows)
    np.testing.assert_array_equal(gauge.differences(estimates) @ theta, rows[1:] - rows[0])
