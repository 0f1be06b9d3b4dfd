"""Datasets: passes are counted, and samples are reproducible and include rare columns."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from fastlogit.training.dataset import NoPassLeftError, NotFiniteError
from tests.objectives import binomial

N, SIZE = 40_000, 4_000
RNG = np.random.default_rng(8)
DENSE = RNG.normal(size=(N, 3))
RARE = (RNG.random((N, 4)) < [0.2, 0.01, 0.001, 0.0002]) * 1.0


def objective(X, weight=None):
    return binomial(X, (np.arange(N) % 2).astype(np.float64), 1.0, weight, threads=2)


def sample(X, weight=None, seed=0):
    return objective(X, weight).dataset.sample(SIZE, seed)


# Passes -----------------------------------------------------------------------------------


def test_passes_are_counted_and_come_to_an_end():
    dataset = objective(DENSE).dataset
    theta = np.ones(4)
    assert dataset.pass_count == 0
    for wanted in ("gradient", "gradient and hessian", "hessian", "hessian diagonal"):
        dataset.derivatives(wanted, theta)
    dataset.margins(theta)
    assert dataset.pass_count == 5
    few, _ = dataset.sample(SIZE, 0)
    few.derivatives("gradient", theta)
    assert dataset.counter.rows == 5 * N + SIZE
    assert dataset.pass_count == 6
    with dataset.counter.limit(7 * N):
        dataset.margins(theta)
        with pytest.raises(NoPassLeftError):
            dataset.derivatives("gradient", theta)
    assert dataset.pass_count == 7
    dataset.margins(theta)
    assert dataset.pass_count == 8


def test_a_limit_ends_with_an_error():
    dataset = objective(DENSE).dataset
    with pytest.raises(NoPassLeftError), dataset.counter.limit(N - 1):
        dataset.margins(np.ones(4))
    dataset.margins(np.ones(4))


def test_reserved_passes_are_left_for_later():
    dataset = objective(DENSE).dataset
    with dataset.counter.limit(2 * N):
        with dataset.counter.reserve(N):
            dataset.margins(np.ones(4))
            with pytest.raises(NoPassLeftError):
                dataset.margins(np.ones(4))
        dataset.margins(np.ones(4))


# Sums -------------------------------------------------------------------------------------


def test_every_pass_gives_the_sums_that_it_shares_with_others():
    dataset = small()
    theta = np.array([0.5, -1.0, 0.25, 2.0])
    whole = dataset.derivatives("gradient and hessian", theta)
    gradient = dataset.derivatives("gradient", theta)
    assert gradient.loss == whole.loss
    np.testing.assert_allclose(gradient.gradient, whole.gradient, rtol=1e-12)
    hessian = dataset.derivatives("hessian", theta).hessian
    np.testing.assert_allclose(hessian, whole.hessian, rtol=1e-12)
    diagonal = dataset.derivatives("hessian diagonal", theta).diagonal
    np.testing.assert_allclose(diagonal, np.diag(hessian), rtol=1e-12)


def test_sums_over_parts_of_the_rows_join_to_those_over_all_rows():
    X, theta = 1e8 + DENSE, np.array([1e-9, -1e-8, 0.0, 0.1])
    t = (np.arange(N) % 2).astype(np.float64)
    whole, *parts = (
        binomial(X[here], t[here]).dataset.sums("gradient and hessian", theta)
        for here in (slice(None), slice(0, 101), slice(101, 20_000), slice(20_000, None))
    )
    joined = parts[0].join(parts[1]).join(parts[2])
    expected, got = whole.merged(4, 3), joined.merged(4, 3)
    for name in ("loss", "gradient", "hessian"):
        np.testing.assert_allclose(getattr(got, name), getattr(expected, name), rtol=2e-16)
    assert joined.diagonal is None


def small(weight=None):
    t = np.array([0.0, 1.0, 0.25, 1.0, 0.0])
    return binomial(DENSE[:5], t, 1.0, weight).dataset


def test_margins_are_those_of_rows_with_a_weight():
    theta = np.array([1.0, 0.5, -2.0, 0.1])
    z = DENSE[:5] @ theta[:3] + theta[3]
    margins = np.array([-z[0], z[1], -abs(z[2]), z[3], -z[4]])
    assert small().margins(theta)[:2] == pytest.approx((margins.min(), margins.max()), rel=1e-12)
    weight = np.ones(5)
    weight[np.argmin(margins)] = 0.0
    assert small(weight).margins(theta).least == pytest.approx(np.sort(margins)[1], rel=1e-12)


# Samples ----------------------------------------------------------------------------------


def test_rows_are_drawn_alike_without_rare_columns():
    few, factor = sample(DENSE)
    assert few.n == SIZE
    assert few.weight is None
    assert factor == N / SIZE
    # One row of every ten; the column shows which.
    places = np.array([np.flatnonzero(DENSE[:, 0] == x)[0] for x in few.X.X[:, 0]])
    np.testing.assert_array_equal(places // 10, np.arange(SIZE))
    np.testing.assert_array_equal(few.t, places % 2)


@pytest.mark.parametrize("layout", [np.asarray, np.asfortranarray, sparse.csr_array])
def test_rows_of_rare_columns_are_nearly_all_drawn(layout):
    X = np.hstack([DENSE, RARE])
    few, factor = sample(layout(X))
    assert factor == 1.0
    assert 0.95 * SIZE <= few.n <= SIZE
    assert few.X.count_nonzero()[-1] == RARE[:, 3].sum()
    assert few.X.count_nonzero()[-2] >= 0.9 * RARE[:, 2].sum()
    # It estimates all rows: their number, and the entries of each column.
    assert few.total_weight == pytest.approx(N, rel=0.1)
    theta = np.zeros(8)
    diagonal = objective(X).dataset.derivatives("hessian diagonal", theta).diagonal
    estimate = few.derivatives("hessian diagonal", theta).diagonal
    np.testing.assert_allclose(estimate, diagonal, rtol=0.1)


def test_the_hessian_is_near_that_of_all_rows_in_every_direction():
    f = objective(np.hstack([DENSE, RARE]))
    theta = np.zeros(8)
    factor = np.linalg.inv(np.linalg.cholesky(f.hessian(theta)))
    ratios = np.linalg.eigvalsh(factor @ f.sample(SIZE, 1).hessian(theta) @ factor.T)
    assert ratios.min() > 0.85
    assert ratios.max() < 1.15


def test_the_sample_depends_on_the_seed_alone():
    X = np.hstack([DENSE, RARE])
    one, same, other = (sample(X, seed=seed)[0].X.X for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, same)
    assert one.shape != other.shape or (one != other).any()


@pytest.mark.parametrize("X", [DENSE, np.hstack([DENSE, RARE])], ids=["dense", "rare"])
def test_rows_without_weight_are_never_drawn(X):
    weight = (np.arange(N) >= N // 2).astype(np.float64)
    few, factor = sample(X, weight)
    assert (few.weight > 0.0).all()
    assert 0.9 * SIZE <= few.n <= SIZE
    assert factor * few.total_weight == pytest.approx(N / 2, rel=0.1)


def test_weights_are_multiplied_by_the_factors_of_a_sample():
    weight = np.arange(5.0)
    rows = np.array([1, 3])
    few = small(weight).take(rows, np.array([2.0, 10.0]))
    np.testing.assert_array_equal(few.weight, [2.0, 30.0])
    np.testing.assert_array_equal(small().take(rows, np.array([2.0, 10.0])).weight, [2.0, 10.0])
    np.testing.assert_array_equal(small(weight).take(rows).weight, [1.0, 3.0])


def test_a_column_without_any_entries_changes_nothing():
    few, _ = sample(np.column_stack([DENSE, np.zeros(N)]))
    assert few.n == SIZE
    np.testing.assert_array_equal(few.X.X[:, :3], sample(DENSE)[0].X.X)


def test_a_column_that_is_not_finite_is_found_before_rows_are_drawn_by_it():
    X = np.hstack([DENSE, RARE])
    X[3, 6] = np.inf
    with pytest.raises(NotFiniteError):
        sample(X)
