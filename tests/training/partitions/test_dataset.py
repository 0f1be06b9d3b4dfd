"""Datasets that are read again in every pass: sums, samples and counted passes."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from fastlogit.matrix import as_matrix
from fastlogit.training.dataset import ArrayDataset, NoPassLeftError
from fastlogit.training.options import Options
from fastlogit.training.partitions import first_read
from fastlogit.training.partitions.streamed import TablePartitions
from fastlogit.training.table.reading import make_request
from tests.streaming import matrix_table
from tests.training.partitions.test_survey import REQUEST

RNG = np.random.default_rng(6)
ROWS = 3000
X = RNG.normal(size=(ROWS, 3))
WEIGHT = RNG.integers(0, 4, ROWS).astype(float)
OFFSET = RNG.normal(size=ROWS)
T = (X[:, 0] + RNG.logistic(size=ROWS) > 0.0) * 1.0
# Columns that are not 0 in few rows.
RARE = (RNG.random((ROWS, 3)) < [0.5, 0.05, 0.01]) * RNG.normal(size=(ROWS, 3))


def dataset(*columns, size=256, label=-1, **options):
    """A dataset of columns, read in batches of `size` rows; the last column has the labels."""
    table = matrix_table(np.column_stack(columns), size)
    request = make_request(table, label, **REQUEST | {"weight": None} | options)
    partitions = TablePartitions(table, 1)
    given = request._replace(table=partitions.header)
    found = first_read.read(
        partitions, given, Options(), l2=1.0, class_weight=None, start=None, threads=1
    )
    return found.problem.dataset


def in_memory(streamed, *, weight=None, offset=None, features=X):
    """The same rows in memory."""
    centred = None if offset is None else offset - streamed.reader.offset_centre
    return ArrayDataset(streamed.family, as_matrix(features), T, weight, centred)


# Passes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1000, 64])
def test_every_pass_gives_what_the_rows_in_memory_give(size):
    streamed = dataset(X, WEIGHT, OFFSET, T, weight=3, offset=4, size=size)
    memory = in_memory(streamed, weight=WEIGHT, offset=OFFSET)
    theta = np.array([0.5, -1.0, 0.25, 2.0])
    for wanted in ("gradient and hessian", "gradient", "hessian", "hessian diagonal"):
        pairs = zip(
            streamed.derivatives(wanted, theta), memory.derivatives(wanted, theta), strict=True
        )
        for found, expected in pairs:
            assert (found is None) == (expected is None)
            if found is not None:  # exact sums, rounded once, of terms in blocks of other rows
                np.testing.assert_allclose(found, expected, rtol=1e-13)
    assert streamed.margins(theta)[:2] == pytest.approx(memory.margins(theta)[:2], rel=1e-14)
    assert streamed.loss_at_zero == pytest.approx(memory.loss_at_zero, rel=1e-14)
    np.testing.assert_array_equal(streamed.class_weights, memory.class_weights)
    assert (streamed.n, streamed.d, streamed.total_weight) == (ROWS, 3, WEIGHT.sum())
    assert streamed.first_not_finite() is None


def test_passes_are_counted():
    streamed = dataset(X, OFFSET, T, offset=3)
    theta = np.zeros(4)
    assert streamed.pass_count == 1  # the first read
    streamed.derivatives("gradient", theta)
    streamed.margins(theta)
    assert streamed.pass_count == 3
    assert streamed.loss_at_zero == streamed.loss_at_zero
    assert streamed.pass_count == 4
    sample, _ = streamed.sample(streamed.cheap_sample, 0)
    sample.derivatives("gradient", theta)
    assert streamed.pass_count == 4  # a sample is in memory
    with pytest.raises(NoPassLeftError), streamed.counter.limit(4 * ROWS):
        streamed.derivatives("gradient", theta)


def test_without_offsets_the_loss_at_0_needs_no_pass():
    streamed = dataset(X, WEIGHT, T, weight=3)
    assert streamed.loss_at_zero == pytest.approx(WEIGHT.sum() * math.log(2.0), rel=1e-15)
    assert streamed.pass_count == 1


def test_rows_that_come_or_go_between_two_passes_are_an_error():
    shorter, none = (matrix_table(np.column_stack([X, T])[:rows], 256) for rows in (2990, 0))
    streamed = dataset(X, T)
    message = "rows: has changed between two reads: it had 3,000 rows without a missing value, and"
    for other, rows in ((shorter, "2,990"), (none, "0")):
        streamed._partitions = TablePartitions(other, 1)
        with pytest.raises(ValueError, match=f"^{message} now has {rows}$"):
            streamed.derivatives("gradient", np.zeros(4))
    with pytest.raises(ValueError, match=f"^{message} now has 0$"):
        streamed.margins(np.zeros(4))


# Samples ----------------------------------------------------------------------------------


def test_the_sample_of_the_first_read_needs_no_other_pass():
    streamed = dataset(X, WEIGHT, T, weight=3)
    weighted = np.count_nonzero(WEIGHT)
    assert streamed.cheap_sample == weighted // 8
    for size in (10, 1000, weighted, 10 * weighted):
        few, factor = streamed.sample(size, 0)
        assert few.n == min(size, weighted)
        assert factor == weighted / few.n
        assert few.weight.min() > 0.0
    assert streamed.pass_count == 1
    theta = np.array([0.5, -1.0, 0.25, 2.0])
    every = few.derivatives("gradient", theta)
    np.testing.assert_allclose(
        every.gradient, streamed.derivatives("gradient", theta).gradient, rtol=1e-13, atol=1e-12
    )


def test_another_seed_or_a_larger_size_needs_a_pass():
    streamed = dataset(X, T)
    first, _ = streamed.sample(100, 0)
    other, _ = streamed.sample(100, 1)
    assert streamed.pass_count == 2
    again, _ = streamed.sample(100, 1)
    assert streamed.pass_count == 2
    np.testing.assert_array_equal(again.X.X, other.X.X)
    assert not np.array_equal(first.X.X, other.X.X)
    streamed._sample = streamed._sample.smallest(50)
    larger, _ = streamed.sample(200, 1)
    assert (larger.n, streamed.pass_count) == (200, 3)


@pytest.mark.parametrize("weight", [None, 3])
def test_rare_columns_are_sampled_by_their_rows(weight):
    weights = np.ones(ROWS) if weight is None else WEIGHT
    streamed = dataset(RARE, WEIGHT, T, weight=weight) if weight else dataset(RARE, T)
    few, factor = streamed.sample(300, 0)
    assert (factor, streamed.pass_count) == (1.0, 2)
    assert few.n == 300
    counts = np.count_nonzero(few.X.X, axis=0)
    everywhere = np.count_nonzero(RARE[weights > 0.0], axis=0)
    # A uniform sample would have a tenth.
    assert (counts[1:] > 4 * 0.1 * everywhere[1:]).all()
    if weight:
        assert few.weight.min() > 0.0


def test_a_sample_by_scores_estimates_the_sums_of_all_rows():
    streamed = dataset(RARE, T)
    theta = np.array([0.5, -1.0, 0.25, 0.1])
    expected = streamed.derivatives("hessian diagonal", theta).diagonal
    found = np.array(
        [
            streamed.sample(300, seed)[0].derivatives("hessian diagonal", theta).diagonal
            for seed in range(1, 41)
        ]
    )
    mean, error = found.mean(axis=0), found.std(axis=0) / np.sqrt(len(found))
    np.testing.assert_array_less(np.abs(mean - expected), 4.0 * error + 1e-9 * expected)
    assert (error[1:3] < 0.02 * expected[1:3]).all()


def test_a_class_with_the_factor_0_leaves_a_sample():
    table = matrix_table(np.column_stack([X, np.arange(ROWS) % 3]), 256)
    request = make_request(table, -1, **REQUEST | {"weight": None})
    partitions = TablePartitions(table, 1)
    given = request._replace(table=partitions.header)
    found = first_read.read(
        partitions,
        given,
        Options(),
        l2=1.0,
        class_weight={0: 0.0},
        start=None,
        threads=1,
    )
    streamed = found.problem.dataset
    for seed in (0, 1):
        few, factor = streamed.sample(600, seed)
        assert factor == ROWS / 600
        assert 100 < np.count_nonzero(few.weight == 0.0) < 300
    assert streamed.pass_count == 2


def test_all_threads_and_batches_give_the_same_sample():
    samples = []
    for size in (64, 1000):
        streamed = dataset(RARE, T, size=size)
        samples.append(streamed.sample(300, 0)[0])
        other = dataclasses.replace(streamed.reader, skips=True)
        streamed.reader = other
        samples.append(streamed.sample(300, 0)[0])
    for sample in samples[1:]:
        np.testing.assert_array_equal(sample.X.X, samples[0].X.X)
        np.testing.assert_array_equal(sample.weight, samples[0].weight)
