"""Ratios that fastlogit promises, each measured in one run, the two sides in turn.

A machine's speed drifts, so a ratio is taken round by round and its median is what counts.
Before each turn there is a pause, as the threads of a BLAS go on spinning for a while after it
has returned, on the cores that the other side needs.
"""

import statistics
import time

import numpy as np
from implementations import LINEAR_LOG_LOSS_GRADIENT, LOG_LOSS_GRADIENT

ROUNDS = 9
PAUSE_S = 0.2


def ratio(plain, fast):
    """How many times as fast `fast` is, the median over rounds."""
    ratios = []
    for function in (plain, fast):
        function()
    for _ in range(ROUNDS):
        seconds = []
        for function in (plain, fast):
            time.sleep(PAUSE_S)
            function()
            start = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - start)
        ratios.append(seconds[0] / seconds[1])
    return statistics.median(ratios)


def test_log_loss_gradient_is_6_times_as_fast_as_numpy_on_one_thread(capsys):
    rng = np.random.default_rng(2013)
    z = rng.normal(scale=3.0, size=10_000_000)
    t = (rng.random(z.size) < 0.3).astype(float)
    got = ratio(
        lambda: LOG_LOSS_GRADIENT["numpy-stable"](z, t),
        lambda: LOG_LOSS_GRADIENT["fastlogit"](z, t, threads=1),
    )
    with capsys.disabled():
        print(f"\nlog_loss_gradient, 10,000,000 float64, one thread: {got:.2f} x NumPy")
    assert got >= 6.0


def test_linear_log_loss_gradient_is_2_5_times_as_fast_as_numpy_on_two_threads(capsys):
    rng = np.random.default_rng(2013)
    X = rng.normal(size=(1_000_000, 32))
    coef = rng.normal(scale=0.2, size=32)
    t = (rng.random(X.shape[0]) < 0.3).astype(float)
    got = ratio(
        lambda: LINEAR_LOG_LOSS_GRADIENT["numpy-stable"](X, t, coef),
        lambda: LINEAR_LOG_LOSS_GRADIENT["fastlogit"](X, t, coef, threads=2),
    )
    with capsys.disabled():
        print(f"\nlinear.log_loss_gradient, 1,000,000 x 32 float64, two threads: {got:.2f} x NumPy")
    assert got >= 2.5
