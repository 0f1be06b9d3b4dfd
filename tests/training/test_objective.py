"""The objective: derivatives against differences of its values, and the penalty's share."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastlogit import linear
from fastlogit.training.dataset import NotFiniteError
from tests.objectives import binomial

RNG = np.random.default_rng(4)
N, D = 300, 4
X = RNG.normal(size=(N, D))
T = RNG.random(N).round(1)
WEIGHT, OFFSET = RNG.random(N), RNG.normal(size=N)
PENALTIES = np.array([0.5, 0.0, 2.0, 1.0])
THETA = np.array([0.3, -0.2, 0.1, 0.7, -0.4])


def objective(intercept=True, weight=WEIGHT, X=X):
    return binomial(X, T, PENALTIES, weight, OFFSET, intercept=intercept)


@pytest.mark.parametrize("intercept", [True, False])
def test_derivatives_are_those_of_the_value(intercept):
    f = objective(intercept)
    theta = THETA if intercept else THETA[:D]
    point = f.evaluate(theta, hessian=True)
    step = 1e-6
    for j, unit in enumerate(step * np.eye(theta.size)):
        there, here = f.evaluate(theta + unit), f.evaluate(theta - unit)
        assert (there.value - here.value) / (2 * step) == pytest.approx(
            point.gradient[j], rel=1e-7, abs=1e-7
        )
        np.testing.assert_allclose(
            (there.gradient - here.gradient) / (2 * step), point.hessian[j], rtol=1e-6, atol=1e-7
        )
    np.testing.assert_allclose(f.hessian(theta), point.hessian, rtol=1e-13)
    np.testing.assert_allclose(f.hessian_diagonal(theta), np.diag(point.hessian), rtol=1e-12)


def test_the_penalty_is_no_part_of_the_loss_and_leaves_the_intercept_alone():
    point = objective().evaluate(THETA)
    data = {"weight": WEIGHT, "offset": OFFSET}
    assert point.loss == linear.log_loss(X, T, THETA[:D], THETA[D], **data)
    assert point.value == point.loss + 0.5 * (PENALTIES * THETA[:D]) @ THETA[:D]


@pytest.mark.parametrize("intercept", [True, False])
def test_the_value_at_zero_is_known_without_a_read(intercept):
    f = objective(intercept)
    expected = f.evaluate(np.zeros(f.size)).value
    passes = f.dataset.pass_count
    assert f.value_at_zero == pytest.approx(expected, rel=1e-14)
    assert f.dataset.pass_count == passes


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_a_sample_estimates_a_multiple(weight):
    f = objective(weight=weight)
    third = f.sample(N // 3, 0)
    assert third.dataset.n == N // 3
    one, whole = third.evaluate(THETA, hessian=True), f.evaluate(THETA, hessian=True)
    np.testing.assert_allclose(3.0 * one.hessian, whole.hessian, rtol=0.5, atol=0.1 * N)
    # The penalty is divided as well.
    loss = third.dataset.derivatives("gradient", THETA).loss
    assert one.value - loss == pytest.approx((whole.value - whole.loss) / 3.0, rel=1e-12)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_start_must_be_finite(value):
    broken = X.copy()
    broken[7, 2] = value
    f = objective(X=broken)
    with pytest.raises(NotFiniteError):
        f.evaluate_start(np.zeros(D + 1))
    with pytest.raises(NotFiniteError):
        f.evaluate_start(THETA, hessian=True)
    assert objective().evaluate_start(THETA).value == objective().evaluate(THETA).value


def test_the_gradient_norm_is_the_largest_element_by_weight():
    f = objective()
    point = f.evaluate(THETA)
    assert f.gradient_norm(point) == np.abs(point.gradient).max() / WEIGHT.sum()
