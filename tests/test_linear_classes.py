"""`fastlogit.linear` for K classes, against extended precision with a bound for every error."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse

from fastlogit import linear
from fastlogit.matrix import as_matrix, passes
from tests.references.multiprecision import bits
from tests.references.passes import U, Within, exact_z, summing

LAYOUTS = {
    "columns": np.asfortranarray,
    "table": lambda X: {f"x{j}": np.ascontiguousarray(column) for j, column in enumerate(X.T)},
    "csr": scipy.sparse.csr_array,
}


class Problem(NamedTuple):
    X: np.ndarray
    t: np.ndarray
    coef: np.ndarray
    intercept: np.ndarray
    weight: np.ndarray
    offset: np.ndarray

    @property
    def data(self):
        return {"intercept": self.intercept, "weight": self.weight, "offset": self.offset}


def problem(K=4, n=513, d=9, seed=0):
    rng = np.random.default_rng([seed, K])
    weight = rng.random(n)
    weight[::7] = 0.0
    return Problem(
        X=rng.normal(size=(n, d)),
        t=rng.integers(0, K, n),
        coef=3.0 * rng.normal(size=(K, d)),
        intercept=rng.normal(size=K),
        weight=weight,
        offset=rng.normal(size=(n, K)),
    )


class Exact:
    """All results in extended precision.

    `roundings` of a logit, and `adding` of a sum over rows, are as in `tests.references.passes`.
    """

    def __init__(self, p, roundings=None, adding=None, term=None):
        n, K = p.offset.shape
        logits = [
            exact_z(p.X, p.coef[k], p.intercept[k], p.offset[:, k], roundings) for k in range(K)
        ]
        z = np.column_stack([one.value for one in logits])
        self.z = Within(z, np.column_stack([one.bound for one in logits]))
        shift = self.z.bound.max(axis=1, keepdims=True)
        own = np.exp(z - z.max(axis=1, keepdims=True))
        y = own / own.sum(axis=1, keepdims=True)
        not_y = np.column_stack([np.delete(y, k, axis=1).sum(axis=1) for k in range(K)])
        term = (K + 8) * U if term is None else term
        self.y = Within(y, y * (2 * not_y * shift + term))

        t = np.eye(K)[p.t] if p.t.ndim == 1 else p.t
        weight = p.weight[:, None].astype(np.longdouble)
        # log(1 + S) with S the sum of all terms but the largest.
        order = np.sort(own, axis=1)
        largest = z.max(axis=1, keepdims=True)
        loss = np.where(t > 0, t * (largest - z), 0).sum(axis=1) + np.log1p(
            order[:, :-1].sum(axis=1)
        )
        residual = (1 - t) * y - t * not_y
        size = (1 - t) * y + t * not_y if p.t.ndim == 1 else y + t
        slope_error = 2 * y * not_y * shift + term * size
        loss_error = (size * shift).sum(axis=1) + term * loss
        self.loss = Within((p.weight * loss).sum(), (p.weight * (loss_error + 4 * U * loss)).sum())
        ones = np.column_stack([p.X.astype(np.longdouble), np.ones(n)])
        adding = summing(n) if adding is None else adding * U
        error = weight * (slope_error + adding * np.abs(residual))
        self.gradient = Within(
            in_order((weight * residual).T @ ones), in_order(error.T @ np.abs(ones))
        )
        curvatures = -y[:, :, None] * y[:, None, :]
        for k in range(K):
            curvatures[:, k, k] = y[:, k] * not_y[:, k]
        error = np.abs(curvatures) * (4 * shift[:, :, None] + 2 * term + summing(n) + adding)
        self.hessian = Within(
            self._sum(weight[:, :, None] * curvatures, ones),
            self._sum(weight[:, :, None] * error, np.abs(ones)),
        )

    @staticmethod
    def _sum(values, ones):
        """Σ values[i, k, j] x xᵀ, ordered like θ."""
        K, size = values.shape[1], ones.shape[1]
        blocks = np.einsum("ikj,ia,ib->kajb", values, ones, ones)
        d = size - 1
        numbers = np.arange(K * size).reshape(K, size)
        order = np.append(numbers[:, :d], numbers[:, d])
        return blocks.reshape(K * size, K * size)[np.ix_(order, order)]


def in_order(rows):
    """Coefficients of all classes, then intercepts."""
    return np.append(rows[:, :-1], rows[:, -1])


def flat(loss, coef_gradient, intercept_gradient):
    return loss, np.append(coef_gradient, intercept_gradient)


@pytest.mark.parametrize("K", [2, 3, 10])
def test_every_result_is_within_its_bound(K):
    p = problem(K)
    exact = Exact(p)
    exact.z.assert_holds(linear.decision(p.X, p.coef, p.intercept, offset=p.offset))
    exact.y.assert_holds(linear.probability(p.X, p.coef, p.intercept, offset=p.offset))
    exact.loss.assert_holds(linear.log_loss(p.X, p.t, p.coef, **p.data))
    loss, gradient = flat(*linear.log_loss_gradient(p.X, p.t, p.coef, **p.data))
    exact.loss.assert_holds(loss)
    exact.gradient.assert_holds(gradient)
    loss, gradient, hessian = linear.log_loss_gradient_hessian(p.X, p.t, p.coef, **p.data)
    exact.loss.assert_holds(loss)
    exact.gradient.assert_holds(gradient)
    exact.hessian.assert_holds(hessian)
    assert bits(hessian) == bits(hessian.T)


@pytest.mark.parametrize("K", [2, 5])
def test_every_second_derivative_is_within_its_bound(K):
    p = problem(K, seed=1)
    value, bound = Exact(p).hessian
    size, v = p.coef.size, np.cos(np.arange(len(value)))
    hessian = linear.hessian(p.X, p.coef, with_intercept=True, **p.data)
    Within(value, bound).assert_holds(hessian)
    # Positive semidefinite, and 0 in the directions that add the same to all classes.
    d = p.X.shape[1]
    same = np.zeros((d + 1, len(hessian)))
    for k in range(K):
        same[:d, k * d : (k + 1) * d] = np.eye(d)
        same[d, K * d + k] = 1.0
    curvatures = np.linalg.eigvalsh(hessian)
    assert np.abs(hessian @ same.T).max() <= 1e-13 * curvatures[-1]
    assert np.abs(curvatures[: d + 1]).max() <= 1e-13 * curvatures[-1]
    assert curvatures[d + 1] > 1e-6 * curvatures[-1]
    assert bits(linear.hessian(p.X, p.coef, **p.data)) == bits(hessian[:size, :size])
    diagonal = linear.hessian_diagonal(p.X, p.coef, with_intercept=True, **p.data)
    Within(np.diag(value), np.diag(bound)).assert_holds(diagonal)
    assert bits(linear.hessian_diagonal(p.X, p.coef, **p.data)) == bits(diagonal[:size])
    product = linear.hessian_product(p.X, p.coef, v, with_intercept=True, **p.data)
    Within(value @ v, 4 * bound @ np.abs(v)).assert_holds(product)
    value, bound, v = value[:size, :size], bound[:size, :size], v[:size]
    product = linear.hessian_product(p.X, p.coef, v, **p.data)
    Within(value @ v, 4 * bound @ np.abs(v)).assert_holds(product)


@pytest.mark.parametrize("layout", ["columns", "table", "csr"])
def test_other_layouts_are_within_their_bounds(layout):
    p = problem(3)
    if layout == "csr":
        p.X[np.random.default_rng(1).random(p.X.shape) < 0.6] = 0.0
    exact = Exact(p, roundings=9, adding=len(p.X) + 4)
    X = LAYOUTS[layout](p.X)
    exact.z.assert_holds(linear.decision(X, p.coef, p.intercept, offset=p.offset))
    loss, gradient, hessian = linear.log_loss_gradient_hessian(X, p.t, p.coef, **p.data)
    exact.loss.assert_holds(loss)
    exact.gradient.assert_holds(gradient)
    exact.hessian.assert_holds(hessian)


def test_targets_may_be_rows_of_probabilities():
    p = problem(5)
    soft = np.random.default_rng(2).dirichlet(np.full(5, 0.3), len(p.X))
    soft[:50] = np.eye(5)[p.t[:50]]
    p = p._replace(t=soft)
    exact = Exact(p)
    loss, gradient = flat(*linear.log_loss_gradient(p.X, p.t, p.coef, **p.data))
    exact.loss.assert_holds(loss)
    exact.gradient.assert_holds(gradient)


@pytest.mark.parametrize("dtype", ["int8", "uint64", "float32", "bool"])
def test_class_numbers_may_have_any_dtype(dtype):
    p = problem(2)
    expected = linear.log_loss(p.X, p.t, p.coef, **p.data)
    assert linear.log_loss(p.X, p.t.astype(dtype), p.coef, **p.data) == expected


def test_float32_is_multiplied_in_float32_and_has_less_accurate_terms():
    p = problem(3)
    p = p._replace(X=p.X.astype(np.float32), coef=p.coef.astype(np.float32))
    exact = Exact(p, roundings=8 * 2.0**29 + 9, term=2.0**-30)
    z = linear.decision(p.X, p.coef, p.intercept, offset=p.offset, out=np.empty((513, 3)))
    exact.z.assert_holds(z)
    y = linear.probability(p.X, p.coef, p.intercept, offset=p.offset)
    assert y.dtype == np.float32
    value, bound = exact.y
    Within(value, bound + 2.0**-24 * value).assert_holds(y)
    loss, gradient = flat(*linear.log_loss_gradient(p.X, p.t, p.coef, **p.data))
    exact.loss.assert_holds(loss)
    exact.gradient.assert_holds(gradient)


def test_two_classes_with_logits_0_and_z_are_the_binomial_family():
    p = problem(2)
    coef = np.array([np.zeros(9), p.coef[1]])
    exact = Exact(p._replace(coef=coef, intercept=np.array([0.0, 0.5]), offset=np.zeros((513, 2))))
    exact.loss.assert_holds(linear.log_loss(p.X, p.t, p.coef[1], 0.5, weight=p.weight))
    y = linear.probability(p.X, p.coef[1], 0.5)
    value, bound = exact.y
    Within(value[:, 1], bound[:, 1]).assert_holds(y)


def known(n, K):
    """A weight and an offset that change nothing: they save compiling kernels without them."""
    return {"weight": np.ones(n), "offset": np.zeros((n, K))}


def test_nothing_is_lost_where_one_class_is_far_above_the_others():
    X, coef = np.ones((1, 1)), np.array([[40.0], [0.0], [0.0]])
    expected = 2 * math.exp(-40.0)
    loss, gradient, _ = linear.log_loss_gradient(X, [0], coef, **known(1, 3))
    assert loss == pytest.approx(expected, rel=1e-15)
    assert gradient[0, 0] == pytest.approx(-expected, rel=1e-15)
    assert linear.hessian(X, coef, **known(1, 3))[0, 0] == pytest.approx(expected, rel=1e-15)
    y = linear.probability(X, coef, offset=np.zeros((1, 3)))
    assert y[0, 1] == pytest.approx(math.exp(-40.0), rel=1e-15)
    # Several largest logits.
    tied = linear.log_loss(X, [1], [[7.0], [7.0], [7.0]], **known(1, 3))
    assert tied == pytest.approx(math.log(3.0), rel=1e-15)


def test_infinite_and_missing_logits():
    X, offset = np.ones((1, 1)), np.zeros((1, 3))
    coef = [[0.0], [0.0], [-np.inf]]
    assert linear.probability(X, coef, offset=offset)[0].tolist() == [0.5, 0.5, 0.0]
    assert linear.log_loss(X, [2], coef, **known(1, 3)) == np.inf
    loss = linear.log_loss(X, [0], coef, **known(1, 3))
    assert loss == pytest.approx(math.log(2.0), rel=1e-15)
    for value in (np.nan, np.inf):
        y = linear.probability(X, [[0.0], [value], [1.0]], offset=offset)
        assert np.isnan(y).all()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_no_bit_depends_on_threads_or_neighbours(dtype):
    p = problem(3, n=60_000, d=40)
    X, coef, given = p.X.astype(dtype), p.coef.astype(dtype), known(60_000, 3)
    offset = given["offset"]
    results = [
        [
            linear.probability(X, coef, offset=offset, threads=threads),
            *linear.log_loss_gradient(X, p.t, coef, **given, threads=threads),
            *([linear.hessian(X, coef, **given, threads=threads)] * (dtype == "float64")),
        ]
        for threads in (1, 2)
    ]
    assert [bits(one) for one in results[0]] == [bits(one) for one in results[1]]
    alone = linear.probability(X[1001:1002], coef, offset=offset[:1])
    assert bits(alone[0]) == bits(results[0][0][1001])


def test_a_hessian_of_many_products_has_two_parts_for_any_number_of_threads():
    X, coef = np.random.default_rng(3).normal(size=(2, 1000, 100))
    coef = coef[0] / 10
    cases = [(X, 1), (X[:100], 1), (X[:100], 10)]
    parts = [passes._split_pairs(as_matrix(rows), outputs, 1) for rows, outputs in cases]
    assert [len(each) for each in parts] == [2, 1, 2]
    given = {"weight": np.ones(1000), "offset": np.zeros(1000)}
    alone, together = (linear.hessian(X, coef, **given, threads=threads) for threads in (1, 2))
    assert bits(alone) == bits(together) == bits(linear.hessian(X, coef, **given))
    # The sums of two parts would take too much memory.
    assert len(passes._split_pairs(as_matrix(X), 1, passes.PARTIAL_BYTES // 8)) == 1


WRONG = [
    ({"coef": np.ones((1, 3))}, r"coef must have shape \(3,\) .* \(K, 3\) for K >= 2"),
    ({"coef": np.ones((2, 4))}, r"coef must have shape .* got \(2, 4\)"),
    ({"intercept": np.ones(3)}, "intercept must have one element for each row of coef, 2; got 3"),
    ({"t": [0, 2, 1, 0]}, "t must be a class number from 0 to 1; got 2 at index 1"),
    ({"t": np.array([0, 1, -1, 0])}, "got -1 at index 2"),
    ({"t": [0, 0.5, 1, 0]}, "got 0.5 at index 1"),
    ({"t": [0, np.nan, 1, 0]}, "got nan at index 1"),
    ({"t": [0, 1]}, r"t must have the shape \(4,\) of class numbers .*; got \(2,\)"),
    ({"t": np.full((4, 3), 1 / 3)}, r"or \(4, 2\) of probabilities; got \(4, 3\)"),
    ({"t": np.full((4, 2), 0.4)}, "every row of t must have the sum 1; got 0.8 at index 0"),
    ({"t": np.tile([np.inf, -np.inf], (4, 1))}, "or a probability between 0 and 1; got inf"),
    ({"offset": np.ones(4)}, "offset must have 2 axes"),
    ({"offset": np.ones((4, 1))}, r"offset must have one row .* \(4, 2\)"),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG, ids=str)
def test_wrong_arguments_have_clear_errors(wrong, message):
    given = {"X": np.ones((4, 3)), "t": [0, 1, 1, 0], "coef": np.ones((2, 3))} | wrong
    with pytest.raises(ValueError, match=message):
        linear.log_loss_gradient(**given)


@pytest.mark.parametrize("threads", [1, 2])
def test_wrong_class_numbers_are_found_while_x_is_read(threads):
    X, coef = np.ones((700_001, 3)), np.ones((2, 3))  # two parts
    t = np.zeros(len(X), np.int64)
    t[[400_000, -1]] = -1, 2
    wrong = {
        "got -1 at index 400000 (2 such)": t,
        "got 255 at index 400000 (2 such)": t.astype(np.uint8),
        f"got {2**64 - 1} at index 400000 (2 such)": t.view(np.uint64),
    }
    for shown, targets in wrong.items():
        with pytest.raises(ValueError, match=re.escape(f"class number from 0 to 1; {shown}")):
            linear.log_loss(X, targets, coef, threads=threads)


def test_a_direction_has_an_element_for_each_coefficient():
    with pytest.raises(ValueError, match=r"each of 2 classes, 6; got 3"):
        linear.hessian_product(np.ones((4, 3)), np.ones((2, 3)), np.ones(3))
    with pytest.raises(ValueError, match="out must have shape"):
        linear.decision(np.ones((4, 3)), np.ones((2, 3)), out=np.empty(4))
