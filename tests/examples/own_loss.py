"""A loss of your own on top of fastlogit's kernels: the focal loss, in twenty lines.

    pip install '.[cli]' && python -m tests.examples.own_loss

Lin et al., "Focal loss for dense object detection" (2017), weight the loss of a row by the error of
its prediction.  With p = σ(u) the probability of its label, u = z for t = 1 and -z for t = 0, and
q = 1 - p = σ(-u),

    loss = -q² log p,        d loss / du = -q² (q - 2 p log p).

All of its parts are kernels.  The example prints the loss far out next to the textbook's formula,
the speed relative to NumPy, and a model that is trained with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numba
import numpy as np
import pyarrow.parquet as pq
from scipy.optimize import minimize

from fastlogit.data import flights_path
from fastlogit.kernels import log_sigmoid, sigmoid

# fastmath allows the compiler to add in any order, and so in vectors.  It would also allow it to
# drop corrections of rounding errors, but fastlogit's kernels keep their own rules.


@numba.njit(fastmath=True)
def focal_loss(z, t, gradient):
    """Sum of the losses; their derivatives by z are written to `gradient`."""
    total = 0.0
    for i in range(z.size):
        sign = 1.0 if t[i] else -1.0
        p, q = sigmoid(sign * z[i]), sigmoid(-sign * z[i])
        log_p = log_sigmoid(sign * z[i])
        total -= q * q * log_p
        gradient[i] = -sign * q * q * (q - 2.0 * p * log_p)
    return total


def textbook(z, t):
    """The usual formula in NumPy."""
    y = 1.0 / (1.0 + np.exp(-z))
    p = np.where(t, y, 1.0 - y)
    loss = -np.sum((1.0 - p) ** 2 * np.log(p))
    by_p = 2.0 * (1.0 - p) * np.log(p) - (1.0 - p) ** 2 / p
    return loss, np.where(t, 1.0, -1.0) * by_p * p * (1.0 - p)


def show_tails() -> None:
    """Print both formulas where a prediction is certain."""
    print("     z   t   focal loss, fastlogit   textbook")
    with np.errstate(all="ignore"):
        for z, t in ((2.0, 1), (20.0, 1), (40.0, 1), (200.0, 1), (-40.0, 1), (800.0, 0)):
            one, label = np.array([z]), np.array([t])
            ours = focal_loss(one, label, np.empty(1))
            print(f"{z:6g}   {t}   {ours:21.15g}   {textbook(one, label)[0]:.15g}")


def show_speed(n: int = 1_000_000) -> None:
    """Time both, in turns, on one thread."""
    rng = np.random.default_rng(0)
    z, t = 3.0 * rng.normal(size=n), rng.integers(0, 2, n)
    gradient = np.empty(n)
    rounds = [
        (seconds(lambda: focal_loss(z, t, gradient)), seconds(lambda: textbook(z, t)))
        for _ in range(7)
    ]
    ratio = np.median([theirs / ours for ours, theirs in rounds])
    print(f"\n{n:,} rows: {ratio:.1f} times as fast as NumPy")


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def train(rows: int = 50_000) -> np.ndarray:
    """Minimise the mean focal loss over some flights, with SciPy's L-BFGS."""
    table = pq.read_table(flights_path()).drop_null().slice(0, rows)
    t = table["late"].to_numpy().astype(bool)
    columns = [table[name].to_numpy() for name in table.column_names if name != "late"]
    X = np.column_stack([np.ones(len(t)), *columns]).astype(np.float64)
    X[:, 1:] /= np.maximum(X[:, 1:].std(axis=0), 1e-9)
    gradient = np.empty(len(t))

    def objective(coef):
        loss = focal_loss(X @ coef, t, gradient)
        return loss / len(t), X.T @ gradient / len(t)

    found = minimize(objective, np.zeros(X.shape[1]), jac=True, method="L-BFGS-B")
    print(
        f"\ntrained on {len(t):,} flights: mean focal loss {np.log(2) / 4:.4f} -> {found.fun:.4f}, "
        f"gradient at most {np.abs(found.jac).max():.0e}, after {found.nfev} passes"
    )
    return found.x


def main() -> None:
    """Run the example."""
    show_tails()
    show_speed()
    train()


if __name__ == "__main__":
    main()
