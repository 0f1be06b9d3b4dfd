"""Ratios that fastlogit promises."""

import numpy as np

from bench.implementations import LINEAR_LOG_LOSS_GRADIENT, LOG_LOSS_GRADIENT
from bench.measure import interleaved, ratio


def _measure(implementations, args, threads, capsys, what):
    seconds = interleaved(
        {
            "numpy": lambda: implementations["numpy-stable"](*args),
            "fastlogit": lambda: implementations["fastlogit"](*args, threads=threads),
        }
    )
    got = ratio(seconds, "numpy", "fastlogit")
    with capsys.disabled():
        print(f"\n{what}: {got:.2f} times as fast as NumPy")
    return got


def test_log_loss_gradient_is_6_times_as_fast_as_numpy_on_one_thread(capsys):
    rng = np.random.default_rng(2013)
    z = rng.normal(scale=3.0, size=10_000_000)
    t = (rng.random(z.size) < 0.3).astype(float)
    what = "log_loss_gradient, 10,000,000 float64, one thread"
    assert _measure(LOG_LOSS_GRADIENT, (z, t), 1, capsys, what) >= 6.0


def test_linear_log_loss_gradient_is_2_5_times_as_fast_as_numpy_on_two_threads(capsys):
    rng = np.random.default_rng(2013)
    X = rng.normal(size=(1_000_000, 32))
    coef = rng.normal(scale=0.2, size=32)
    t = (rng.random(X.shape[0]) < 0.3).astype(float)
    what = "linear.log_loss_gradient, 1,000,000 x 32 float64, two threads"
    assert _measure(LINEAR_LOG_LOSS_GRADIENT, (X, t, coef), 2, capsys, what) >= 2.5
