"""The softmax family: K logits for each row, one for each class.

With m the largest logit of a row and S the sum of e^(z_j - m) over all classes but one that has it:

    p_k = e^(z_k - m) / (1 + S)                loss = Σ t_k (m - z_k) + log(1 + S)
    slope_k = p_k - t_k                        curvature_kj = p_k (δ_kj - p_j)

A target is a class number, or a row of probabilities t_k.  Nothing cancels for class numbers: the
slope of the true class is minus the sum of the other p, and 1 - p_k is such a sum too.  The
relative error of a term at these logits is ``(K + 6 + |z_k - m|) u``, u = 2**-53, for the largest
distance |z_k - m| that enters it: rounding z_k has cost about as much.  The slope of a probability
t_k errs by that times ``p_k + t_k``.

z has three rows of scratch behind its K logits.  Eight rows of a block are computed at a time,
class by class.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastlogit.kernels import jit, lanes, sums
from fastlogit.kernels.exponential import SMALLEST_Z, exp_rounded, minus_log
from fastlogit.kernels.lane_operators import select

# Rows of z behind the logits: m, later the sum of all p but the largest; S, later 1 / (1 + S); and
# the term of the target.
SCRATCH = 3


class Softmax(NamedTuple):
    """K classes; see :mod:`fastlogit.kernels.families`."""


@jit.inner
def outputs(family: Softmax, coef: NDArray[Any]) -> int:
    """K."""
    return coef.shape[0]


@jit.inner
def add_constants(
    family: Softmax,
    z: NDArray[np.float64],
    first: int,
    rows: int,
    intercept: NDArray[np.float64],
    offset: NDArray[Any] | None,
) -> None:
    """Add intercepts and offsets to the logits of a block."""
    for k in range(intercept.size):
        logits, constant = z[k], intercept[k]
        known = None if offset is None else offset[first : first + rows]
        for i in range(rows):
            logits[i] += constant if known is None else constant + known[i, k]


@jit.inner
def put_logits(
    family: Softmax, z: NDArray[np.float64], first: int, rows: int, out: NDArray[Any]
) -> None:
    """Put the logits into `out` (n, K)."""
    for i in range(rows):
        for k in range(out.shape[1]):
            out[first + i, k] = z[k, i]


@jit.inner
def put_probabilities(
    family: Softmax,
    z: NDArray[np.float64],
    first: int,
    rows: int,
    float32: Literal[True] | None,
    out: NDArray[Any],
) -> None:
    """Put the probabilities into `out` (n, K)."""
    _put_shares(z, rows, float32)
    put_logits(family, z, first, rows, out)


@jit.inner
def differentiate(
    family: Softmax,
    z: NDArray[np.float64],
    t: NDArray[Any],
    weight: NDArray[Any] | None,
    float32: Literal[True] | None,
    first: int,
    rows: int,
    losses: NDArray[np.float64],
    slopes: NDArray[np.float64],
) -> bool:
    """Put the loss of each row and its derivatives by z; False unless each target is valid."""
    here = slice(first, first + rows)
    K = slopes.shape[0]
    if t.ndim == 1:
        good = _differentiate_classes(z, t[here], float32, losses, slopes)
    else:
        _exponentiate(z, rows, float32, slopes)
        good = _differentiate_probabilities(z, t[here], losses, slopes)
    for k in range(K + 1):
        values = losses if k == K else slopes[k]
        if weight is not None:
            _weigh(values, weight[here])
        values[rows : lanes.round_up(rows)] = 0.0
    return good


@jit.inner
def _weigh(values: NDArray[np.float64], weight: NDArray[Any]) -> None:
    for i in range(weight.size):
        values[i] = sums.weighted(values[i], weight[i])


@jit.inner
def prepare_curvature(family: Softmax, z: NDArray[np.float64], rows: int) -> None:
    """Replace the logits by probabilities."""
    _put_shares(z, rows, None)


@jit.inner
def put_curvature(
    family: Softmax,
    k: int,
    other: int,
    z: NDArray[np.float64],
    weight: NDArray[Any] | None,
    first: int,
    rows: int,
    curvatures: NDArray[np.float64],
) -> None:
    """Put ``p_k (1 - p_k)``, or ``-p_k p_other``."""
    own = z[k]
    if k == other:
        _put_variance(own, z[z.shape[0] - SCRATCH], rows, curvatures)
    else:
        _put_minus_product(own, z[other], rows, curvatures)
    if weight is not None:
        _weigh(curvatures, weight[first : first + rows])
    curvatures[rows : lanes.round_up(rows)] = 0.0


@jit.inner
def _put_variance(
    p: NDArray[np.float64], rest: NDArray[np.float64], rows: int, out: NDArray[np.float64]
) -> None:
    """``p (1 - p)``, without cancellation: a p above 1/2 is the largest, and `rest` all others."""
    for i in range(rows):
        out[i] = p[i] * (rest[i] if p[i] > 0.5 else 1.0 - p[i])


@jit.inner
def _put_minus_product(
    a: NDArray[np.float64], b: NDArray[np.float64], rows: int, out: NDArray[np.float64]
) -> None:
    for i in range(rows):
        out[i] = -a[i] * b[i]


# Exponentials -------------------------------------------------------------------------------


@jit.inner
def _exponentiate(
    z: NDArray[np.float64], rows: int, float32: Literal[True] | None, e: NDArray[np.float64]
) -> None:
    """Put e^(z_k - m) into the rows of `e`, which may be the logits; m and S into z's scratch."""
    jit.wide_vectors(z)
    K = z.shape[0] - SCRATCH
    for i in range(0, rows, lanes.WIDTH):
        largest = _largest(z, i)
        # Terms of 1 are counted, all but one.  So S keeps the digits of small terms.
        total, ones = lanes.zeros(), lanes.broadcast(-1.0)
        for k in range(K):
            term = _exponential(lanes.load(z, (k, i)), largest, float32)
            lanes.store(e, (k, i), term)
            total, ones = _add_term(term, total, ones)
        lanes.store(z, (K, i), largest)
        lanes.store(z, (K + 1, i), total + ones)


@jit.inlined
def _largest(z: NDArray[np.float64], i: int) -> Any:
    """Largest logits of eight rows; NaN does not count."""
    largest = lanes.broadcast(-np.inf)
    for k in range(z.shape[0] - SCRATCH):
        logit = lanes.load(z, (k, i))
        largest = select(logit > largest, logit, largest)
    return largest


@jit.scalar
def _exponential(z: Any, largest: Any, float32: Literal[True] | None) -> Any:
    """``e^(z - largest)``."""
    a = z - largest
    return exp_rounded(select(a < SMALLEST_Z, SMALLEST_Z, a), float32)


@jit.scalar
def _add_term(term: Any, total: Any, ones: Any) -> tuple[Any, Any]:
    """Add a term to the sum of those below 1, or to the number of the others."""
    is_one = term == 1.0
    return select(is_one, total, total + term), select(is_one, ones + 1.0, ones)


@jit.inner
def _put_shares(z: NDArray[np.float64], rows: int, float32: Literal[True] | None) -> None:
    """Replace the logits by probabilities, and m by the sum of all but the largest."""
    K = z.shape[0] - SCRATCH
    _exponentiate(z, rows, float32, z)
    rest, total = z[K], z[K + 1]
    for i in range(rows):
        p = 1.0 / (1.0 + total[i])
        rest[i] = total[i] * p
        total[i] = p
    for k in range(K):
        _multiply(total, rows, z[k])


@jit.inner
def _multiply(factor: NDArray[np.float64], rows: int, values: NDArray[np.float64]) -> None:
    for i in range(rows):
        values[i] *= factor[i]


# Derivatives --------------------------------------------------------------------------------


@jit.inner
def _differentiate_classes(
    z: NDArray[np.float64],
    t: NDArray[Any],
    float32: Literal[True] | None,
    losses: NDArray[np.float64],
    slopes: NDArray[np.float64],
) -> bool:
    """Losses of class numbers and slopes; False if a number is wrong."""
    good = _exponentiate_targets(z, t, float32, losses, slopes)
    K = slopes.shape[0]
    total, own = z[K + 1], z[K + 2]
    _finish(t.size, losses, total, own)
    _put_slopes(t, total, own, slopes)
    return good


@jit.inner
def _exponentiate_targets(
    z: NDArray[np.float64],
    t: NDArray[Any],
    float32: Literal[True] | None,
    losses: NDArray[np.float64],
    e: NDArray[np.float64],
) -> bool:
    """As `_exponentiate`, and ``m - z`` and the exponential of each target; False if one is wrong.

    The classes of targets are found by comparing: loads at places that depend on t would take as
    long as all exponentials of three classes.
    """
    jit.wide_vectors(z)
    K, rows = e.shape[0], t.size
    found = lanes.zeros()
    for i in range(0, rows, lanes.WIDTH):
        targets = _load_targets(t, i)
        largest = _largest(z, i)
        total, ones = lanes.zeros(), lanes.broadcast(-1.0)
        loss, own = lanes.zeros(), lanes.zeros()
        for k in range(K):
            logit = lanes.load(z, (k, i))
            term = _exponential(logit, largest, float32)
            lanes.store(e, (k, i), term)
            total, ones = _add_term(term, total, ones)
            is_target = targets == np.float64(k)
            loss = select(is_target, largest - logit, loss)
            own = select(is_target, term, own)
            found = select(is_target, found + 1.0, found)
        lanes.store(losses, i, loss)
        lanes.store(z, (K + 1, i), total + ones)
        lanes.store(z, (K + 2, i), own)
    return lanes.total(found) == lanes.round_up(rows)


@jit.inlined
def _load_targets(t: NDArray[Any], i: int) -> Any:
    """Eight targets, the last ones followed by zeros."""
    rest = t.size - i
    return lanes.load(t, i) if rest >= lanes.WIDTH else lanes.load_first(t, i, rest)


@jit.inner
def _put_slopes(
    t: NDArray[Any],
    share: NDArray[np.float64],
    own: NDArray[np.float64],
    slopes: NDArray[np.float64],
) -> None:
    """Replace exponentials by slopes: `own` for the class of the target, else a share."""
    jit.wide_vectors(share)
    for i in range(0, t.size, lanes.WIDTH):
        targets, factor, slope = _load_targets(t, i), lanes.load(share, i), lanes.load(own, i)
        for k in range(slopes.shape[0]):
            value = factor * lanes.load(slopes, (k, i))
            lanes.store(slopes, (k, i), select(targets == np.float64(k), slope, value))


@jit.inner
def _finish(
    rows: int,
    losses: NDArray[np.float64],
    total: NDArray[np.float64],
    own: NDArray[np.float64],
) -> None:
    """Add log(1 + S) to `losses`; `total` becomes 1 / (1 + S), `own` the slope of the class."""
    jit.wide_vectors(losses)
    for i in range(rows):
        s, e = total[i], own[i]
        p = 1.0 / (1.0 + s)
        losses[i] += minus_log(s * p, p)
        own[i] = -p * (s if e == 1.0 else 1.0 + s - e)
        total[i] = p


@jit.inner
def _differentiate_probabilities(
    z: NDArray[np.float64], t: NDArray[Any], losses: NDArray[np.float64], e: NDArray[np.float64]
) -> bool:
    """Losses of rows of probabilities, and slopes in place of the exponentials; False if wrong."""
    K, rows = e.shape[0], t.shape[0]
    largest, total, own = z[K], z[K + 1], z[K + 2]
    losses[:rows] = 0.0
    outside = 0
    for i in range(rows):
        for k in range(K):
            share = np.float64(t[i, k])
            outside += not (0.0 <= share <= 1.0)
            losses[i] += share * (largest[i] - z[k, i]) if share != 0.0 else 0.0
    _finish(rows, losses, total, own)
    for k in range(K):
        for i in range(rows):
            e[k, i] = total[i] * e[k, i] - np.float64(t[i, k])
    return outside == 0
