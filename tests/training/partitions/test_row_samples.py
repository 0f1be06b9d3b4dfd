"""Samples of rows: the same for any batches and any order of merging, uniform or by scores."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats

from fastlogit.tables.table import Batch
from fastlogit.training.partitions.row_samples import draw, random_numbers, take_rows

ROWS = 1000
SEEDS = [0, 1, 2**31, 2**64, 2**200 + 7]


def batch(first=0, stop=ROWS, number=0):
    return Batch(np.arange(first, stop)[:, np.newaxis], "rows", first, number=number)


def sample_of(size, *, edges=(0, ROWS), scores=None, seed=0):
    """The samples of batches that begin at these edges."""
    samples = []
    for first, stop in pairwise(edges):
        rows = batch(first, stop)
        chances = np.ones(stop - first) if scores is None else scores[first:stop]
        keys = random_numbers(seed, rows) / chances
        samples.append(draw(rows, keys, chances, size))
    return samples


# Random numbers ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_row_has_the_same_number_in_any_batch(seed):
    whole = random_numbers(seed, batch())
    for first, stop in ((0, 1), (1, 2), (3, 10), (4, 10), (997, ROWS), (250, 250)):
        np.testing.assert_array_equal(random_numbers(seed, batch(first, stop)), whole[first:stop])


def test_rows_far_down_a_file_have_numbers():
    far = batch(2**40 + 3, 2**40 + 9)
    assert len(set(random_numbers(5, far).tolist())) == 6


def test_numbers_differ_by_seed_file_and_row():
    numbers = [random_numbers(seed, batch(number=file)) for seed in SEEDS for file in range(3)]
    together = np.concatenate(numbers)
    assert len(set(together.tolist())) == together.size
    assert 0.0 < together.min() < 0.001
    assert 0.999 < together.max() < 1.0
    correlations = np.corrcoef(numbers)[np.triu_indices(len(numbers), 1)]
    assert np.abs(correlations).max() < 5.0 / np.sqrt(ROWS)


def test_numbers_are_uniform():
    for seed in range(5):
        assert stats.kstest(random_numbers(seed, batch()), "uniform").pvalue > 1e-4


# Drawing and merging ----------------------------------------------------------------------


def rows_of(sample):
    """Keys, scores and rows of a sample, by ascending keys."""
    keys, scores, rows = sample.joined()
    order = np.argsort(keys)
    return keys[order].tolist(), scores[order].tolist(), rows.data[order].ravel().tolist()


@given(
    cuts=st.lists(st.integers(0, ROWS), max_size=8),
    size=st.integers(1, ROWS + 5),
    by_pairs=st.booleans(),
)
@settings(max_examples=50)
def test_any_batches_and_any_merging_give_the_same_sample(cuts, size, by_pairs):
    scores = np.where(np.arange(ROWS) % 7 == 0, 20.0, 1.0)
    (whole,) = sample_of(size, scores=scores)
    first, *others = sample_of(size, edges=[0, *sorted(cuts), ROWS], scores=scores)
    groups = [[one] for one in others] if by_pairs else [others] * bool(others)
    for group in groups:
        first = first.merge(group, size)
    assert rows_of(first) == rows_of(whole)
    assert first.size == min(size, ROWS)


def test_the_smallest_keys_of_a_sample_are_those_of_a_smaller_one():
    (large,), (small,) = sample_of(100), sample_of(40)
    assert rows_of(large.smallest(40)) == rows_of(small)
    assert large.smallest(100) is large


def test_a_key_of_infinity_is_never_drawn():
    keys = np.array([0.5, np.inf, 0.25, np.inf])
    found = draw(batch(0, 4), keys, np.ones(4), 4)
    assert rows_of(found)[2] == [2, 0]
    none = draw(batch(0, 2), np.full(2, np.inf), np.ones(2), 4)
    assert none.size == 0
    assert rows_of(none.merge([found, none], 4)) == rows_of(found)


def test_a_sample_has_all_rows_up_to_the_key_where_a_batch_was_cut():
    few, many = batch(0, 300), batch(300, ROWS)
    keys = [random_numbers(0, one) for one in (few, many)]
    cut = draw(many, keys[1], np.ones(700), 20)
    assert cut.limit == np.sort(keys[1])[19]
    together = draw(few, keys[0], np.ones(300), 1000).merge([cut], 500)
    every = np.concatenate(keys)
    assert rows_of(together)[0] == np.sort(every[every <= cut.limit]).tolist()


def test_every_row_is_drawn_equally_often():
    trials, size, rows = 400, 10, 50
    counts = np.zeros(rows)
    for seed in range(trials):
        drawn = draw(batch(0, rows), random_numbers(seed, batch(0, rows)), np.ones(rows), size)
        counts[rows_of(drawn)[2]] += 1
    expected = trials * size / rows
    # A row is in the sample or not; the counts have a fixed sum.
    statistic = np.square(counts - expected).sum() / (expected * (1.0 - size / rows))
    assert 1e-4 < stats.chi2.sf(statistic, rows - 1) < 1.0 - 1e-4


def test_priority_samples_estimate_sums_without_bias():
    trials, size = 400, 30
    rng = np.random.default_rng(3)
    scores = np.exp(2.0 * rng.normal(size=200)) / 100.0
    values = np.array([np.ones(200), np.sqrt(scores), rng.normal(size=200) * scores])
    estimates = []
    for seed in range(trials):
        (drawn,) = sample_of(size + 1, edges=(0, 200), scores=scores, seed=seed)
        *_, largest = rows_of(drawn)[0]
        _, drawn_scores, rows = rows_of(drawn.smallest(size))
        chances = np.minimum(1.0, largest * np.array(drawn_scores))
        estimates.append(values[:, rows] @ (1.0 / chances))
    mean, error = np.mean(estimates, axis=0), np.std(estimates, axis=0) / np.sqrt(trials)
    np.testing.assert_array_less(np.abs(mean - values.sum(axis=1)), 4.0 * error)
    assert (error < np.abs(values).sum(axis=1) / 20).all()


# What batches hold ------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [np.array([5.0, 6.0, 7.0]), pa.array(["a", "b", "c"])])
@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
def test_rows_are_taken_with_all_that_belongs_to_them(labels, layout):
    X = layout(np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]]))
    offset = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    rows = Batch(X, "rows", 8, labels, 100, np.array([0.5, 1.5, 2.5]), offset, 3)
    taken = take_rows(rows, np.array([2, 0]))
    keys = np.array([0.3, 0.1, 0.2])
    sample = draw(rows, keys, keys, 2)
    both = sample.merge([sample], 4).joined().batch
    for one, order in ((taken, [2, 0]), (both, [1, 2, 1, 2])):
        data = one.data if isinstance(one.data, np.ndarray) else one.data.toarray()
        assert data.tolist() == [[[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]][row] for row in order]
        assert np.asarray(one.labels).tolist() == [labels.tolist()[row] for row in order]
        assert one.weight.tolist() == [row + 0.5 for row in order]
        assert one.offset.tolist() == offset[order].tolist()
    assert (taken.number, taken.bytes_read) == (3, None)


BIG = 2**60 + 1
MIXED = {
    "int64 and float64": ([pa.array([1]), pa.array([0.5])], pa.float64(), [1.0, 0.5]),
    "large int64 and float32": (
        [pa.array([BIG]), pa.array([0.5], pa.float32())],
        None,
        [float(BIG), 0.5],
    ),
    "null and int8": ([pa.nulls(1), pa.array([3], pa.int8())], pa.int8(), [None, 3]),
    "bool and int16": ([pa.array([True]), pa.array([3], pa.int16())], pa.int16(), [1, 3]),
    "int32 and int64": ([pa.array([1], pa.int32()), pa.array([BIG])], pa.int64(), [1, BIG]),
    "texts": (
        [pa.array(["a"]).dictionary_encode(), pa.array(["b"], pa.large_string())],
        pa.large_string(),
        ["a", "b"],
    ),
    "dictionaries": (
        [pa.array(["a"]).dictionary_encode(), pa.array(["b"]).dictionary_encode()],
        pa.string(),
        ["a", "b"],
    ),
    "views": ([pa.array(["a"], pa.string_view()), pa.nulls(1)], pa.string(), ["a", None]),
}


@pytest.mark.parametrize("name", MIXED)
def test_partitions_may_store_a_column_in_several_types(name):
    columns, kind, values = MIXED[name]
    samples = []
    for place, column in enumerate(columns):
        rows = Batch(pa.record_batch([column], ["x"]), f"part {place}", 0)
        samples.append(draw(rows, np.array([0.1 + place]), np.ones(1), 2))
    column = samples[0].merge(samples[1:], 2).joined().batch.data.column(0)
    assert column.to_pylist() == values
    assert kind is None or column.type == kind
