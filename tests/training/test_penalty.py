"""The l2 penalty: values, derivatives, and which elements of θ it holds."""

from __future__ import annotations

import numpy as np
import pytest

from fastlogit.training.penalty import L2, l2_penalty

THETA = np.array([1.0, -2.0, 3.0])


def test_value_gradient_and_curvature():
    penalty = L2(np.array([0.5, 0.0, 2.0]))
    assert penalty.value(THETA) == 0.25 + 9.0
    np.testing.assert_array_equal(penalty.gradient(THETA), [0.5, 0.0, 6.0])
    np.testing.assert_array_equal(penalty.curvature(THETA), [0.5, 0.0, 2.0])
    assert penalty.is_penalised.tolist() == [True, False, True]
    np.testing.assert_array_equal(penalty.residual(THETA, THETA), THETA)
    np.testing.assert_array_equal(penalty.divided_by(4.0).l2, [0.125, 0.0, 0.5])


@pytest.mark.parametrize(
    ("l2", "outputs", "with_intercept", "expected"),
    [
        (3.0, 1, True, [3.0, 3.0, 0.0]),
        (3.0, 1, False, [3.0, 3.0]),
        ([1.0, 2.0], 2, True, [1.0, 2.0, 1.0, 2.0, 0.0, 0.0]),
    ],
)
def test_columns_are_penalised_for_every_output_and_intercepts_never(
    l2, outputs, with_intercept, expected
):
    penalty = l2_penalty(np.asarray(l2), 2, outputs, with_intercept=with_intercept)
    assert penalty.l2.tolist() == expected
