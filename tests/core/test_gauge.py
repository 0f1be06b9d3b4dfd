"""Directions of K classes' parameters in which no loss changes."""

from __future__ import annotations

import numpy as np
import pytest

from fastlogit.core import gauge

RNG = np.random.default_rng(8)
K, D = 3, 2


def test_values_are_moved_to_a_sum_of_zero():
    values = RNG.normal(size=(K, D))
    moved = gauge.without(values)
    np.testing.assert_allclose(moved.sum(axis=0), 0.0, atol=1e-15)
    np.testing.assert_allclose(np.diff(moved, axis=0), np.diff(values, axis=0), rtol=1e-12)


def softmax_hessian(shares, intercepts):
    """A Hessian of classes with these shares of the curvature, which is 0 along the gauge."""
    X = RNG.normal(size=(500, D + intercepts))
    p = RNG.dirichlet(500 * shares, 500)
    size = D + intercepts
    full = np.einsum("ik,kl,ia,ib->kalb", p, np.eye(K), X, X) - np.einsum(
        "ik,il,ia,ib->kalb", p, p, X, X
    )
    order = np.arange(K * size).reshape(K, size)
    order = np.append(order[:, :D], order[:, D:])
    return full.reshape(K * size, K * size)[np.ix_(order, order)]


@pytest.mark.parametrize("penalised", [[False] * D, [True] * D, [True, False]])
@pytest.mark.parametrize("intercepts", [0, 1])
def test_a_fixed_hessian_is_regular_and_steps_differ_along_the_gauge_alone(intercepts, penalised):
    hessian = softmax_hessian(np.array([0.5, 0.3, 0.2]), intercepts)
    assert np.linalg.matrix_rank(hessian, 1e-9, hermitian=True) == (K - 1) * (D + intercepts)
    fixed = gauge.fix(hessian, K, D, np.array(penalised))
    assert np.linalg.cond(fixed) < 1e3
    gradient = hessian @ RNG.normal(size=len(hessian))  # has no component along the gauge
    step = np.linalg.solve(fixed, gradient)
    np.testing.assert_allclose(hessian @ step, gradient, rtol=1e-9, atol=1e-9)
    if all(penalised):
        np.testing.assert_allclose(step[: K * D].reshape(K, D).sum(axis=0), 0.0, atol=1e-9)


def test_a_class_of_little_curvature_keeps_its_digits():
    hessian = softmax_hessian(np.array([0.6, 0.4, 0.0]) + 1e-3, 1)
    weak = np.r_[4, 5, 8]
    scale = np.ones(len(hessian))
    scale[weak] = 1e-7  # as if the rows of the last class had tiny weights
    fixed = gauge.fix(hessian * scale * scale[:, None], K, D, np.zeros(D, bool))
    assert (np.diag(fixed)[weak] < 3e-14 * np.diag(hessian)[weak]).all()
    roots = np.sqrt(np.diag(fixed))
    assert np.linalg.cond(fixed / roots / roots[:, None]) < 1e3


def test_estimates_are_differences_from_the_first_class():
    estimates = gauge.estimates(K, np.array([10.0, 0.0]), with_intercept=True)
    theta = np.arange(9.0)
    coef, intercepts = theta[:6].reshape(3, 2), theta[6:] - theta[:6].reshape(3, 2) @ [10.0, 0.0]
    rows = np.column_stack([coef, intercepts])
    functions = gauge.parameters(K, np.array([10.0, 0.0]), with_intercept=True)
    np.testing.assert_array_equal(functions @ theta, rows)
    np.testing.assert_array_equal(estimates @ theta, rows[1:] - rows[0])
    np.testing.assert_array_equal(gauge.differences(rows), rows[1:] - rows[0])


def test_two_classes_have_no_gauge():
    hessian = np.eye(D + 1)
    assert gauge.fix(hessian, 1, D, np.zeros(D, bool)) is hessian
    estimates = gauge.estimates(1, np.array([10.0, 0.0]), with_intercept=True)
    np.testing.assert_array_equal(estimates, [[1, 0, 0], [0, 1, 0], [-10, 0, 1]])
