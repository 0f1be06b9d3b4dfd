"""What the machine can read, copy and put together, from the first cache to memory."""

import pytest

from bench import sizes
from bench.machine import cores
from bench.measure import on_cores, time_rounds
from bench.roofline import STREAMS, stream

# Bytes: those of the arrays of a function of one argument in float64.
SIZES = [16 * elements for elements in sizes.elements(arrays=2)]
# In one measurement, as starting a thread takes as long as to read a small array many times.
LEAST_BYTES = 1 << 27


@pytest.mark.quick
@pytest.mark.parametrize("threads", [1, None], ids=["1", "all"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", STREAMS)
def test_bandwidth(benchmark, kind, size, threads):
    repeats = max(1, LEAST_BYTES // size)
    count = threads or cores()
    benchmark.group = f"{kind} {size:,} bytes {threads or 'all'}"
    benchmark.extra_info.update(
        stream=kind, size=size, bytes=size * repeats, threads=count, implementation="machine"
    )
    with on_cores(threads):
        time_rounds(benchmark, stream(kind, size, count, repeats), size * repeats // 8)
