"""Passes over a feature matrix: time per call, on one thread and on all."""

import pytest

from bench import sizes
from bench.data import COLUMNS
from bench.implementations import PASSES
from bench.measure import compare, grid

ROWS = [elements // COLUMNS for elements in sizes.elements(arrays=1)]


@pytest.mark.parametrize(("name", "peer", "dtype", "n", "threads"), grid(PASSES, ROWS))
def test_speed(benchmark, name, peer, dtype, n, threads):
    compare(benchmark, name, peer, dtype, n, threads)
