"""Families: how θ splits into coefficients and intercepts, and what two classes mean."""

from __future__ import annotations

import math

import numpy as np
import pytest

import fastlogit as fl
from fastlogit.training.family import Binomial

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


def test_two_classes_have_no_gauge():
    assert Binomial().gauge(4, 3).shape == (0, 4)


@pytest.mark.parametrize("weight", [None, np.array([1.0, 2.0, 0.5, 3.0])])
def test_the_loss_is_the_log_loss(weight):
    assert Binomial().log_loss(Z, T, weight, 1) == fl.log_loss(Z, T, weight)


@pytest.mark.parametrize("weight", [None, np.array([1.0, 2.0, 0.5, 3.0])])
def test_the_null_model_predicts_the_mean(weight):
    y = np.average(T, weights=weight)
    expected = fl.log_loss(np.full(4, fl.logit(y)), T, weight, reduction="mean")
    got = Binomial().mean_null_log_loss(T, weight, with_intercept=True)
    assert got == pytest.approx(expected, rel=1e-14)
    got = Binomial().mean_null_log_loss(T, weight, with_intercept=False)
    assert got == pytest.approx(math.log(2.0), rel=1e-15)
    assert Binomial().mean_null_log_loss(np.ones(3), None, with_intercept=True) == 0.0


def test_margins_are_positive_on_the_side_of_the_label():
    np.testing.assert_array_equal(Binomial().margins(Z, T), [-2.0, 3.0, -1.0, -0.5])


@pytest.mark.parametrize(
    ("t", "separates"),
    [([1.0, 1.0], True), ([0.0, 0.0], True), ([0.0, 1.0], False), ([0.5, 0.5], False)],
)
def test_an_intercept_separates_labels_that_are_all_the_same(t, separates):
    assert Binomial().intercept_separates(np.array(t)) == separates
