"""Inverses of Hessians in any units, of collinear columns too."""

from __future__ import annotations

import numpy as np
import pytest

from fastlogit.core import linalg

RNG = np.random.default_rng(3)
X = RNG.normal(size=(200, 6)) @ RNG.normal(size=(6, 6))
UNITS = [np.ones(6), 10.0 ** np.array([-6.0, -3.0, 0.0, 3.0, 6.0, 9.0])]


@pytest.mark.parametrize("units", UNITS, ids=["alike", "1e-6 to 1e9"])
def test_the_inverse_solves_in_any_units(units):
    exact = np.arange(1.0, 7.0) / units
    hessian = (X.T @ X) * units * units[:, None]
    np.testing.assert_allclose(linalg.invert(hessian)(hessian @ exact), exact, rtol=1e-9)
    variances = np.diag(np.linalg.inv(X.T @ X)) / units**2
    np.testing.assert_allclose(linalg.variances(hessian, np.eye(6)), variances, rtol=1e-9)
    assert linalg.dependent_columns(hessian) == []


@pytest.mark.parametrize("units", UNITS, ids=["alike", "1e-6 to 1e9"])
def test_a_singular_hessian_has_the_shortest_solution_in_units_of_its_diagonal(units):
    twice = np.column_stack([X[:, :5], X[:, 1]]) * units
    hessian = twice.T @ twice
    gradient = hessian @ (np.ones(6) / units)
    step = linalg.invert(hessian)(gradient)
    np.testing.assert_allclose(hessian @ step, gradient, rtol=1e-7)
    np.testing.assert_allclose(step[[1, 5]] * units[[1, 5]], [1.0, 1.0], rtol=1e-6)
    variances = linalg.variances(hessian, np.eye(6))
    assert np.isnan(variances).tolist() == [False, True, False, False, False, True]
    alone = np.diag(np.linalg.inv(X[:, :5].T @ X[:, :5]))[[0, 2, 3, 4]]
    np.testing.assert_allclose(variances[[0, 2, 3, 4]] * units[[0, 2, 3, 4]] ** 2, alone, rtol=1e-6)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ([X[:, 0], X[:, 1], np.ones(200)], []),
        ([X[:, 0], X[:, 0], np.ones(200)], [1]),
        ([X[:, 0], 1e5 * X[:, 0], np.ones(200)], [1]),
        ([X[:, 0], np.full(200, 3.0), np.ones(200)], [1]),
        ([np.full(200, 3.0), X[:, 0], np.ones(200)], [0]),
        ([np.zeros(200), X[:, 0], np.ones(200)], [0]),
        ([X[:, 0], X[:, 1], X[:, 0] - 2 * X[:, 1], np.ones(200)], [2]),
        ([X[:, 0], X[:, 0], X[:, 1], X[:, 1], X[:, 0], np.ones(200)], [1, 3, 4]),
        ([X[:, 0], X[:, 0] + 1e-3 * X[:, 1], np.ones(200)], []),
    ],
)
def test_dependent_columns_are_the_later_ones_and_never_the_intercept(columns, expected):
    stacked = np.column_stack(columns)
    assert linalg.dependent_columns(stacked.T @ stacked) == expected


def test_variances_of_linear_functions():
    factors = RNG.normal(size=(2, 3, 6)) * 10.0 ** np.arange(-3.0, 3.0)
    inverse = np.linalg.inv(X.T @ X)
    expected = np.einsum("kid,de,kie->ki", factors, inverse, factors)
    np.testing.assert_allclose(linalg.variances(X.T @ X, factors), expected, rtol=1e-9)


@pytest.mark.parametrize("apart", [1e-4, 1e-5, 1e-6, 1e-7, 1e-9])
def test_variances_have_four_digits_or_are_nan(apart):
    # (1, 1) and (1, -1) are eigenvectors of the first two columns.
    hessian = np.diag([1.0, 1.0, 5.0])
    hessian[0, 1] = hessian[1, 0] = 1.0 - apart**2
    found = linalg.variances(hessian, np.eye(3))
    if apart >= 1e-5:
        expected = 0.5 / (1.0 + hessian[0, 1]) + 0.5 / (1.0 - hessian[0, 1])
        assert linalg.nearly_dependent_columns(hessian) == []
        np.testing.assert_allclose(found, [expected, expected, 0.2], rtol=1e-4)
    elif apart >= 1e-7:
        assert linalg.nearly_dependent_columns(hessian) == [0, 1]
        assert np.isnan(found).all()
    else:
        assert np.isnan(found).tolist() == [True, True, False]


def test_variances_of_tiny_columns_overflow_without_a_warning():
    hessian = np.diag([1e-320, 4.0])
    np.testing.assert_array_equal(linalg.variances(hessian, np.eye(2)), [np.inf, 0.25])


def test_the_flat_part_of_a_vector():
    hessian = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 9.0]])
    part = linalg.flat_part(hessian, np.array([3.0, 1.0, 5.0]))
    np.testing.assert_allclose(part, [1.0, -1.0, 0.0], atol=1e-14)
    assert linalg.least_eigenvalue(hessian) == pytest.approx(0.0, abs=1e-15)
    assert linalg.least_eigenvalue(np.diag([1e-9, 4.0])) == 1.0
