"""The pass over a feature matrix, against NumPy: loss and gradient, as many threads as each takes.

Compiling is not counted: each function is called once before the clock starts.
"""

import numpy as np
import pytest

from bench.implementations import LINEAR_LOG_LOSS_GRADIENT

# Rows: X in the second cache, at the edge of the last, far beyond it.
ROWS = [1_000, 100_000, 1_000_000]
COLUMNS = 32


@pytest.fixture(params=ROWS)
def n(request):
    return request.param


@pytest.fixture(params=["float64", "float32"])
def data(request, n):
    rng = np.random.default_rng(2013)
    X = rng.normal(size=(n, COLUMNS)).astype(request.param)
    coef = rng.normal(scale=0.2, size=COLUMNS).astype(request.param)
    return X, (rng.random(n) < 0.3).astype(request.param), coef


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the naive formulas overflow
@pytest.mark.parametrize("name", LINEAR_LOG_LOSS_GRADIENT)
def test_linear_log_loss_gradient(benchmark, data, name):
    X = data[0]
    benchmark.group = f"linear_log_loss_gradient {X.dtype} {X.shape[0]:,} x {X.shape[1]}"
    function = LINEAR_LOG_LOSS_GRADIENT[name]
    function(*data)
    benchmark.pedantic(
        function, data, rounds=7, iterations=max(1, 20_000 // X.shape[0]), warmup_rounds=1
    )
