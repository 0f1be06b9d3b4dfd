"""Families: how θ splits into coefficients and intercepts, and what two classes mean."""

from __future__ import annotations

import math

import numpy as np
import pytest

import fastlogit as fl
from fastlogit.training.family import Binomial, Softmax, from_targets

RNG = np.random.default_rng(4)
T = np.array([0.0, 1.0, 1.0, 0.25])
Z = np.array([2.0, 3.0, -1.0, 0.5])


class ThreeOutputs(Binomial):
    outputs = 3


def test_theta_is_all_coefficients_and_then_the_intercepts():
    theta = np.arange(8.0)
    coef, intercepts = Binomial().split(theta, 7)
    np.testing.assert_array_equal(coef, [theta[:7]])
    np.testing.assert_array_equal(intercepts, [7.0])
    np.testing.assert_array_equal(Binomial().split(theta, 8)[1], [0.0])
    coef, intercepts = ThreeOutputs().split(np.arange(9.0), 2)
    np.testing.assert_array_equal(coef, [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    np.testing.assert_array_equal(intercepts, [6.0, 7.0, 8.0])
    np.testing.assert_array_equal(ThreeOutputs().split(np.arange(6.0), 2)[1], np.zeros(3))


CENTRES = np.array([100.0, 0.0])


def test_theta_is_for_centred_columns_and_offsets():
    coef, intercept = np.array([2.0, 3.0]), 5.0
    theta = Binomial().to_theta(coef, intercept, CENTRES, 7.0, with_intercept=True)
    np.testing.assert_array_equal(theta, [2.0, 3.0, 5.0 + 7.0 + 200.0])
    coef, intercept = Binomial().from_theta(theta, CENTRES, 7.0)
    np.testing.assert_array_equal(coef, [2.0, 3.0])
    assert isinstance(intercept, float)
    assert intercept == 5.0


def test_theta_of_several_outputs_has_the_shapes_of_the_model():
    coef, intercept = np.arange(6.0).reshape(3, 2), np.array([1.0, 2.0, 3.0])
    offset_centre = np.array([10.0, 20.0, 30.0])
    family = ThreeOutputs()
    theta = family.to_theta(coef, intercept, CENTRES, offset_centre, with_intercept=True)
    np.testing.assert_array_equal(theta[:6], np.arange(6.0))
    np.testing.assert_array_equal(theta[6:], [11.0, 222.0, 433.0])
    got_coef, got_intercept = family.from_theta(theta, CENTRES, offset_centre)
    np.testing.assert_array_equal(got_coef, coef)
    np.testing.assert_array_equal(got_intercept, intercept)


@pytest.mark.parametrize("family", [Binomial(), ThreeOutputs()])
def test_theta_without_intercepts_is_the_coefficients(family):
    coef = np.arange(2.0 * family.outputs)
    theta = family.to_theta(coef, 0.0, np.zeros(2), 0.0, with_intercept=False)
    np.testing.assert_array_equal(theta, coef)
    assert np.all(family.from_theta(theta, np.zeros(2), 0.0)[1] == 0.0)


@pytest.mark.parametrize("with_intercept", [True, False])
@pytest.mark.parametrize("family", [Binomial(), ThreeOutputs(), Softmax(3)])
def test_estimates_are_the_coefficients_of_the_model(family, with_intercept):
    theta = RNG.normal(size=family.outputs * (2 + with_intercept))
    centres = CENTRES * with_intercept
    coef, intercept = family.from_theta(theta, centres, 0.0)
    rows = [
        np.append(a, b) for a, b in zip(np.atleast_2d(coef), np.atleast_1d(intercept), strict=True)
    ]
    expected = np.array(rows)[:, : 2 + with_intercept]
    expected = expected[0] if family.outputs == 1 else expected
    if isinstance(family, Softmax):
        expected = expected[1:] - expected[0]
    estimates = family.estimates(centres, with_intercept=with_intercept) @ theta
    np.testing.assert_allclose(estimates, expected, rtol=1e-12, atol=1e-12)


def test_two_classes_have_no_gauge():
    theta, hessian = np.arange(3.0), np.eye(3)
    assert Binomial().without_gauge(theta, 2) is theta
    assert Binomial().fix_gauge(hessian, np.zeros(2, bool)) is hessian


@pytest.mark.parametrize("with_intercept", [True, False])
def test_the_gauge_of_classes_is_removed(with_intercept):
    K, d = 3, 2
    size = K * (d + with_intercept)
    theta = RNG.normal(size=size)
    family = Softmax(K)
    bare = family.without_gauge(theta, d)
    for part in family.split(bare, d):
        np.testing.assert_allclose(part.sum(axis=0), 0.0, atol=1e-15)
    difference = theta - bare
    coef, intercepts = family.split(difference, d)
    np.testing.assert_allclose(coef, coef[:1].repeat(K, axis=0), rtol=1e-12)
    np.testing.assert_allclose(intercepts, intercepts[:1].repeat(K), rtol=1e-12)


@pytest.mark.parametrize("weight", [None, np.array([1.0, 2.0, 0.5, 3.0])])
def test_the_loss_is_the_log_loss(weight):
    assert Binomial().log_loss(Z, T, weight, 1) == fl.log_loss(Z, T, weight)


@pytest.mark.parametrize("weight", [None, np.array([1.0, 2.0, 0.5, 3.0])])
def test_the_null_model_predicts_the_mean(weight):
    y = np.average(T, weights=weight)
    expected = fl.log_loss(np.full(4, fl.logit(y)), T, weight, reduction="mean")
    family, weights = Binomial(), Binomial().class_weights(T, weight)
    got = family.mean_null_log_loss(weights, with_intercept=True)
    assert got == pytest.approx(expected, rel=1e-14)
    got = family.mean_null_log_loss(weights, with_intercept=False)
    assert got == pytest.approx(math.log(2.0), rel=1e-15)
    assert family.mean_null_log_loss(np.array([0.0, 3.0]), with_intercept=True) == 0.0


def test_margins_are_positive_on_the_side_of_the_label():
    least, largest, leads = Binomial().margins(Z, T)
    assert (least, largest, leads.size) == (-2.0, 3.0, 0)


LOGITS = np.array([[3.0, 1.0, 1.0], [-2.0, 2.0, 2.0], [0.0, 0.0, 0.0]])


def test_margins_of_classes_are_differences_of_logits():
    least, largest, leads = Softmax(3).margins(LOGITS, np.array([0, 2, 1]))
    assert (least, largest, leads.tolist()) == (0.0, 4.0, [2.0, 0.0, 0.0])
    least, largest, leads = Softmax(3).margins(LOGITS, np.array([1, 2, 2]))
    assert (least, largest, leads.tolist()) == (-2.0, 4.0, [-np.inf, -2.0, 0.0])
    rows = np.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.2, 0.3, 0.5]])
    least, largest, leads = Softmax(3).margins(LOGITS, rows)
    assert (least, largest, leads.tolist()) == (0.0, 4.0, [2.0, -np.inf, -np.inf])
    assert Softmax(3).margins(LOGITS, rows[[2, 2, 2]]).largest == 0.0


def absent_classes(family, t):
    return family.absent_classes(family.class_weights(t, None))


@pytest.mark.parametrize(
    ("t", "absent"),
    [([1.0, 1.0], [0]), ([0.0, 0.0], [1]), ([0.0, 1.0], []), ([0.5, 0.5], [])],
)
def test_a_class_is_absent_if_all_labels_are_the_other(t, absent):
    assert absent_classes(Binomial(), np.array(t)) == absent


def test_classes_are_absent_that_no_row_has():
    assert absent_classes(Softmax(4), np.array([0, 2, 2])) == [1, 3]
    assert absent_classes(Softmax(3), np.array([[0.5, 0.0, 0.5], [0.0, 0.0, 1.0]])) == [1]


@pytest.mark.parametrize("weight", [None, np.array([1.0, 2.0, 0.5, 3.0])])
@pytest.mark.parametrize("soft", [False, True])
def test_the_null_model_of_classes_predicts_their_shares(weight, soft):
    t = np.array([0, 2, 2, 1])
    rows = np.eye(3)[t] if not soft else RNG.dirichlet(np.ones(3), 4)
    shares = np.average(rows, axis=0, weights=weight)
    expected = -(shares * np.log(shares)).sum()
    given = rows if soft else t
    weights = Softmax(3).class_weights(given, weight)
    got = Softmax(3).mean_null_log_loss(weights, with_intercept=True)
    assert got == pytest.approx(expected, rel=1e-14)
    got = Softmax(3).mean_null_log_loss(weights, with_intercept=False)
    assert got == pytest.approx(math.log(3.0), rel=1e-15)
    logits = RNG.normal(size=(4, 3))
    expected = fl.softmax_log_loss(logits, given, weight)
    assert Softmax(3).log_loss(logits, given, weight, 1) == expected


def test_the_family_follows_from_the_targets():
    family, targets = from_targets(["a", "b", "a"], 3, 1)
    assert isinstance(family, Binomial)
    assert targets.t.tolist() == [0.0, 1.0, 0.0]
    family, targets = from_targets(["a", "b", "c"], 3, 1)
    assert isinstance(family, Softmax)
    assert (family.outputs, targets.t.tolist(), targets.classes) == (3, [0, 1, 2], ("a", "b", "c"))
