"""Time of the loss of K classes with its gradient over a matrix, beside reading the matrix.

All of it takes two minutes on two cores.
"""

import pytest

from bench.machine import cores
from bench.measure import on_cores
from bench.registry.linear_classes import COUNTS, LIBRARIES, SHAPES, arguments, bound


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("K", COUNTS)
@pytest.mark.parametrize("threads", [1, None], ids=["one", "all"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_linear_classes(benchmark, library, threads, K, shape):
    benchmark.group = f"linear.log_loss_gradient {K} classes {shape} {threads or 'all'}"
    case = f"`linear.log_loss_gradient`, K = {K}, {shape[0]:,} x {shape[1]}"
    benchmark.extra_info.update(classes=case, implementation=library, threads=threads or cores())
    with on_cores(threads):
        call = bound(library, arguments(*shape, K), threads)
        benchmark.pedantic(call, rounds=5, warmup_rounds=1)
