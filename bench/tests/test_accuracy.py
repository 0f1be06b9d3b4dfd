"""A short sweep finds fastlogit exact, and the known errors of the other formulas."""

import numpy as np
import pytest

from bench import accuracy
from bench.registry import ELEMENTWISE, FASTLOGIT, STABLE


@pytest.mark.parametrize("dtype", accuracy.TYPES)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_a_short_sweep(name, dtype):
    table = accuracy.sweep(name, dtype, soft=False, count=2 * accuracy.BLOCK)
    ours = [table[FASTLOGIT, which] for which in accuracy.RANGES]
    assert all(errors.largest < 1.0 for errors in ours)
    assert sum(errors.count for errors in ours) > 2 * accuracy.BLOCK
    assert all((STABLE, which) in table for which in accuracy.RANGES)
    if (name, dtype) == ("logistic_loss", np.float64):
        found = accuracy.errors({"float64": table}, [STABLE, FASTLOGIT])
        assert found[STABLE] == {"float64": accuracy.LOST, "wrong": ["float64"]}
        assert found[FASTLOGIT] == {"float64": accuracy.largest(table, FASTLOGIT, np.float64)}


@pytest.mark.parametrize(
    ("tails", "expected"),
    [
        (2.5, {"float64": 2.5, "subnormal": ["float64"]}),
        (1e15, {"float64": accuracy.LOST}),
    ],
)
def test_lost_subnormal_results_are_marked_and_leave_the_error_of_the_others(tails, expected):
    seen = dict(zip(accuracy.RANGES, (1.5, tails, 1e15, 0.0), strict=True))
    table = {("x", which): accuracy.Errors(1, largest, largest) for which, largest in seen.items()}
    assert accuracy.errors({"float64": table}, ["x"]) == {"x": expected}
