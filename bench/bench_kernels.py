"""Functions over an array of logits or probabilities: time per call, on one thread and on all.

With `bench_linear` and `bench_machine` it takes some eight minutes on two cores, and three of them
with `-m quick`.
"""

import pytest

from bench import sizes
from bench.implementations import ELEMENTWISE, SUMS
from bench.measure import compare, grid

SIZES = sizes.elements(arrays=2)


@pytest.mark.parametrize(("name", "peer", "dtype", "n", "threads"), grid(ELEMENTWISE | SUMS, SIZES))
def test_speed(benchmark, name, peer, dtype, n, threads):
    compare(benchmark, name, peer, dtype, n, threads)
