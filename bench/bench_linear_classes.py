"""Time of the loss of K classes with its gradient over a matrix, beside reading the matrix.

The table shows each time as a multiple of the shortest, usually that of reading.  All of it
takes two minutes on two cores.
"""

import pytest

from bench.measure import on_cores
from bench.registry.linear_classes import COUNTS, LIBRARIES, SHAPES, arguments, bound


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("K", COUNTS)
@pytest.mark.parametrize("threads", [1, None], ids=["one", "all"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_linear_classes(benchmark, library, threads, K, shape):
    benchmark.group = f"linear.log_loss_gradient {K} classes {shape} {threads or 'all'}"
    benchmark.extra_info.update(
        function="linear.log_loss_gradient", implementation=library, classes=K, shape=shape
    )
    with on_cores(threads):
        call = bound(library, arguments(*shape, K), threads)
        benchmark.pedantic(call, rounds=5, warmup_rounds=1)
