"""Passes over a feature matrix, against NumPy: time per call, as many threads as each takes."""

import pytest

from bench.implementations import PASSES, cases
from bench.measure import compare

# Rows of 32 columns: X in the second cache, at the edge of the last, far beyond it.
ROWS = [1_000, 100_000, 1_000_000]


@pytest.mark.parametrize("n", ROWS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "peer"), cases(PASSES))
def test_all_threads(benchmark, name, peer, dtype, n):
    compare(benchmark, name, peer, dtype, n)
