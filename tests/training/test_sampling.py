"""Samples of rows: the same for the same seed, and true to rare columns."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from fastlogit.matrix import as_matrix
from fastlogit.training.objective import NotFiniteError, Objective
from fastlogit.training.sampling import sample

N, SIZE = 40_000, 4_000
RNG = np.random.default_rng(8)
DENSE = RNG.normal(size=(N, 3))
RARE = (RNG.random((N, 4)) < [0.2, 0.01, 0.001, 0.0002]) * 1.0


def objective(X, weight=None):
    penalties = np.append(np.ones(X.shape[1]), 0.0)
    t = (np.arange(N) % 2).astype(np.float64)
    return Objective(as_matrix(X), t, weight, None, penalties, 2)


def test_rows_are_drawn_alike_without_rare_columns():
    few = sample(objective(DENSE), SIZE, 0)
    assert few.n == SIZE
    assert few.weight is None
    # One of each stretch of ten, of which the columns show the place.
    places = np.array([np.flatnonzero(DENSE[:, 0] == x)[0] for x in few.X.X[:, 0]])
    np.testing.assert_array_equal(places // 10, np.arange(SIZE))
    np.testing.assert_array_equal(few.t, places % 2)
    np.testing.assert_allclose(few.penalties, [0.1, 0.1, 0.1, 0.0])


@pytest.mark.parametrize("layout", [np.asarray, np.asfortranarray, sparse.csr_array])
def test_rows_of_rare_columns_are_nearly_all_drawn(layout):
    X = np.hstack([DENSE, RARE])
    few = sample(objective(layout(X)), SIZE, 0)
    assert 0.95 * SIZE <= few.n <= SIZE
    assert few.X.count_nonzero()[-1] == RARE[:, 3].sum()
    assert few.X.count_nonzero()[-2] >= 0.9 * RARE[:, 2].sum()
    # It is an estimate of all: of the number of rows, and of entries of each column.
    assert few.total == pytest.approx(N, rel=0.1)
    theta = np.zeros(8)
    diagonal = objective(X).hessian_diagonal(theta)
    np.testing.assert_allclose(few.hessian_diagonal(theta), diagonal, rtol=0.1)


def test_the_hessian_is_near_that_of_all_rows_in_every_direction():
    X = np.hstack([DENSE, RARE])
    f = objective(X)
    theta = np.zeros(8)
    factor = np.linalg.inv(np.linalg.cholesky(f.hessian(theta)))
    ratios = np.linalg.eigvalsh(factor @ sample(f, SIZE, 1).hessian(theta) @ factor.T)
    assert ratios.min() > 0.85
    assert ratios.max() < 1.15


def test_the_sample_depends_on_the_seed_alone():
    X = np.hstack([DENSE, RARE])
    one, same, other = (sample(objective(X), SIZE, seed).X.X for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, same)
    assert one.shape != other.shape or (one != other).any()


@pytest.mark.parametrize("X", [DENSE, np.hstack([DENSE, RARE])], ids=["dense", "rare"])
def test_rows_without_weight_are_never_drawn(X):
    weight = (np.arange(N) >= N // 2).astype(np.float64)
    few = sample(objective(X, weight), SIZE, 0)
    assert (few.weight > 0.0).all()
    assert 0.9 * SIZE <= few.n <= SIZE
    scale = 1.0 if few.total > SIZE else N / 2 / SIZE
    assert scale * few.total == pytest.approx(N / 2, rel=0.1)


def test_a_column_without_any_entries_changes_nothing():
    few = sample(objective(np.column_stack([DENSE, np.zeros(N)])), SIZE, 0)
    assert few.n == SIZE
    np.testing.assert_array_equal(few.X.X[:, :3], sample(objective(DENSE), SIZE, 0).X.X)


def test_what_is_not_finite_is_said_before_it_is_drawn_by():
    X = np.hstack([DENSE, RARE])
    X[3, 6] = np.inf
    with pytest.raises(NotFiniteError):
        sample(objective(X), SIZE, 0)
