"""Functions over an array of logits or probabilities, against NumPy: time per call, one thread."""

import pytest

from bench.implementations import ELEMENTWISE, SUMS, cases
from bench.measure import compare

# Elements: in the first cache, at the edge of the second, far beyond the last.
SIZES = [4_096, 131_072, 10_000_000]


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "peer"), cases(ELEMENTWISE | SUMS))
def test_one_thread(benchmark, name, peer, dtype, n):
    compare(benchmark, name, peer, dtype, n, threads=1)
