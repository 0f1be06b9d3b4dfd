"""Time of softmax, its logarithm, and its loss with the gradient, for some numbers of classes.

All of it takes five minutes on two cores.
"""

import pytest

from bench.data import DTYPES
from bench.machine import cores
from bench.measure import on_cores
from bench.registry.classes import COUNTS, arguments, bound, cases

ELEMENTS = 10_000_000


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("K", COUNTS)
@pytest.mark.parametrize(("name", "library", "threads"), cases())
def test_classes(benchmark, name, library, threads, K, dtype):
    benchmark.group = f"{name} {K} classes {dtype} {threads or 'all'}"
    case = f"`{name}`, K = {K}, {dtype}"
    benchmark.extra_info.update(classes=case, implementation=library, threads=threads or cores())
    with on_cores(threads):
        call = bound(library, *arguments(ELEMENTS // K, K, dtype), threads)[name]
        benchmark.pedantic(call, rounds=3, warmup_rounds=1)
