"""The objective and its derivatives against differences of itself, and the reads it counts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastlogit import linear
from fastlogit.matrix import as_matrix
from fastlogit.training.objective import NoReadLeftError, NotFiniteError, Objective

RNG = np.random.default_rng(4)
N, D = 300, 4
X = RNG.normal(size=(N, D))
T = RNG.random(N).round(1)
WEIGHT, OFFSET = RNG.random(N), RNG.normal(size=N)
PENALTIES = np.array([0.5, 0.0, 2.0, 1.0])
THETA = np.array([0.3, -0.2, 0.1, 0.7, -0.4])


def objective(intercept=True, weight=WEIGHT, X=X):
    penalties = np.append(PENALTIES, np.zeros(int(intercept)))
    return Objective(as_matrix(X), T, weight, OFFSET, penalties, 1)


@pytest.mark.parametrize("intercept", [True, False])
def test_derivatives_are_those_of_the_value(intercept):
    f = objective(intercept)
    theta = THETA if intercept else THETA[:D]
    point = f.at(theta, hessian=True)
    step = 1e-6
    for j, unit in enumerate(step * np.eye(theta.size)):
        there, here = f.at(theta + unit), f.at(theta - unit)
        assert (there.value - here.value) / (2 * step) == pytest.approx(
            point.gradient[j], rel=1e-7, abs=1e-7
        )
        np.testing.assert_allclose(
            (there.gradient - here.gradient) / (2 * step), point.hessian[j], rtol=1e-6, atol=1e-7
        )
    np.testing.assert_allclose(f.hessian(theta), point.hessian, rtol=1e-13)
    np.testing.assert_allclose(f.hessian_diagonal(theta), np.diag(point.hessian), rtol=1e-12)


def test_the_penalty_is_no_part_of_the_loss_and_leaves_the_intercept_alone():
    point = objective().at(THETA)
    data = {"weight": WEIGHT, "offset": OFFSET}
    assert point.loss == linear.log_loss(X, T, THETA[:D], THETA[D], **data)
    assert point.value == point.loss + 0.5 * (PENALTIES * THETA[:D]) @ THETA[:D]


@pytest.mark.parametrize("intercept", [True, False])
def test_the_value_at_zero_is_known_without_a_read(intercept):
    f = objective(intercept)
    expected = f.at(np.zeros(f.penalties.size)).value
    reads = f.reads
    assert f.value_at_zero == pytest.approx(expected, rel=1e-14)
    assert f.reads == reads


def test_reads_are_counted_and_come_to_an_end():
    f = objective()
    assert f.reads == 0
    f.at(THETA)
    f.hessian(THETA)
    f.hessian_diagonal(THETA)
    f.logits(THETA)
    assert f.reads == 4
    f.rows_read += 1  # of a sample, say
    assert f.reads == 5
    f.most_rows = 6 * N
    f.at(THETA)
    with pytest.raises(NoReadLeftError):
        f.at(THETA)
    assert f.reads == 6


def test_rows_that_stand_for_others_give_an_estimate():
    rows = np.arange(0, N, 3)
    f = objective(weight=None)
    third = f.of_rows(rows, 3.0)
    each = f.of_rows(rows, np.full(100, 3.0))
    one, other = third.at(THETA, hessian=True), each.at(THETA, hessian=True)
    assert 3.0 * one.value == pytest.approx(other.value, rel=1e-14)
    np.testing.assert_allclose(3.0 * one.gradient, other.gradient, rtol=1e-12)
    np.testing.assert_allclose(3.0 * one.hessian, other.hessian, rtol=1e-12)
    assert (third.total, each.total, f.total) == (100.0, 300.0, 300.0)
    weighted = objective().of_rows(rows, np.arange(100.0))
    np.testing.assert_array_equal(weighted.weight, WEIGHT[rows] * np.arange(100.0))
    assert f.reads == 0


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_start_must_be_finite(value):
    broken = X.copy()
    broken[7, 2] = value
    f = objective(X=broken)
    with pytest.raises(NotFiniteError):
        f.start(np.zeros(D + 1))
    with pytest.raises(NotFiniteError):
        f.start(THETA, hessian=True)
    assert objective().start(THETA).value == objective().at(THETA).value


def test_the_gradient_norm_is_the_largest_element_by_weight():
    f = objective()
    point = f.at(THETA)
    assert f.gradient_norm(point) == np.abs(point.gradient).max() / WEIGHT.sum()
