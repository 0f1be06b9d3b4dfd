"""Functions over an array of logits, against NumPy: time per call, grouped by what is computed.

Compiling is not counted: each function is called once before the clock starts.
"""

import numpy as np
import pytest

from bench.implementations import LOG_LOSS_GRADIENT, LOGISTIC_LOSS, SIGMOID, SOFTPLUS

# Elements: in the first cache, at the edge of the second, far beyond the last.
SIZES = [4_096, 131_072, 10_000_000]
DTYPES = ["float64", "float32"]
IMPLEMENTATIONS = ["fastlogit", "numpy-naive", "numpy-stable"]


@pytest.fixture(params=SIZES)
def n(request):
    return request.param


@pytest.fixture(params=DTYPES)
def data(request, n):
    rng = np.random.default_rng(2013)
    z = rng.normal(scale=3.0, size=n).astype(request.param)
    return z, (rng.random(n) < 0.3).astype(request.param)


def _measure(benchmark, function, *args, **options):
    z = args[0]
    benchmark.group = f"{benchmark.name.split('[')[0]} {z.dtype} {z.size:,}"
    function(*args, **options)
    benchmark.pedantic(
        function, args, options, rounds=5, iterations=max(1, 200_000 // z.size), warmup_rounds=1
    )


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the naive formulas overflow
@pytest.mark.parametrize("name", IMPLEMENTATIONS)
class TestOneThread:
    def test_sigmoid(self, benchmark, data, name):
        _measure(benchmark, SIGMOID[name], data[0], **_one_thread(name))

    def test_softplus(self, benchmark, data, name):
        _measure(benchmark, SOFTPLUS[name], data[0], **_one_thread(name))

    def test_logistic_loss(self, benchmark, data, name):
        _measure(benchmark, LOGISTIC_LOSS[name], *data, **_one_thread(name))

    def test_log_loss_gradient(self, benchmark, data, name):
        _measure(benchmark, LOG_LOSS_GRADIENT[name], *data, **_one_thread(name))


def _one_thread(name):
    return {"threads": 1} if name == "fastlogit" else {}
