"""The measure of errors: what it must count, and that a sweep finds what is known to be wrong."""

import numpy as np
import pytest

from bench import accuracy
from bench.implementations import ELEMENTWISE, FASTLOGIT, STABLE


@pytest.mark.parametrize("dtype", accuracy.TYPES)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_a_short_sweep(name, dtype):
    table = accuracy.sweep(name, dtype, soft=False, points=2 * accuracy.CHUNK)
    ours = [table[FASTLOGIT, which] for which in accuracy.RANGES]
    assert all(errors.largest < 1.0 for errors in ours)
    assert sum(errors.count for errors in ours) > 2 * accuracy.CHUNK
    assert all((STABLE, which) in table for which in accuracy.RANGES)


def test_a_sweep_finds_lost_tails():
    table = accuracy.sweep("logistic_loss", np.float64, soft=False, points=accuracy.CHUNK)
    assert accuracy.largest(table, STABLE, np.float64) == accuracy.LOST
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
def test_an_error_is_of_the_other_results_where_subnormal_ones_alone_are_lost(tails, expected):
    seen = dict(zip(accuracy.RANGES, (1.5, tails, 1e15, 0.0), strict=True))
    table = {("x", which): accuracy.Errors(1, largest, largest) for which, largest in seen.items()}
    assert accuracy.errors({"float64": table}, ["x"]) == {"x": expected}
