"""The first read of rows: its parts are merged exactly, and its sample is that of all rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pytest

from fastlogit.tables.table import Batch
from fastlogit.training.partitions.contract import as_header, merged
from fastlogit.training.partitions.survey import _MOST_LABELS, SurveyTask, _weights_of_numbers
from fastlogit.training.table.reading import make_request
from fastlogit.training.targets import MOST_CLASSES
from tests.streaming import matrix_table, parts_table

RNG = np.random.default_rng(2)
ROWS = 500
TABLE = pa.table(
    {
        "x": pa.array(RNG.normal(size=ROWS), mask=RNG.random(ROWS) < 0.1),
        "w": RNG.integers(0, 3, ROWS),
        "k": RNG.choice(["red", "blue"], ROWS),
        "t": RNG.choice(["low", "mid", "top"], ROWS),
    }
)
REQUEST = {
    "positive": None,
    "weight": "w",
    "offset": None,
    "missing": "skip",
    "categorical": (),
    "ignore": (),
    "min_count": 1,
    "drop_first": False,
    "intercept": True,
}


def survey(table, label, size=50, seed=3, **options):
    """The survey of a table."""
    request = make_request(table, label, **REQUEST | options)
    roles = request.roles
    columns = range(len(table.dtypes)) if roles is None else roles.order
    wanted = table.want(columns, text=() if roles is None else roles.as_stored)
    task = SurveyTask(as_header(table), roles, size, seed, size)
    return merged(task, map(task.of_batch, table.read(wanted)))


@pytest.mark.parametrize("size", [1, 7, 100, ROWS])
def test_batches_of_any_size_give_the_same_survey(size):
    found, first, weights, sample = survey(parts_table([TABLE], size), "t")
    kept = TABLE.filter(pa.compute.is_valid(TABLE["x"]))
    assert (found.read, found.kept) == (ROWS, kept.num_rows)
    assert found.absent.tolist() == [TABLE["x"].null_count, 0, 0, 0]
    row = TABLE["x"].is_null().to_numpy().argmax()
    assert first == ("rows, part 0", row)
    totals = kept.group_by("t").aggregate([("w", "sum")]).to_pydict()
    assert weights.of_labels == dict(zip(totals["t"], totals["w_sum"], strict=True))
    weighted = kept.filter(pa.compute.field("w") > 0)
    assert (weights.total, weights.rows) == (sum(totals["w_sum"]), weighted.num_rows)
    counts = dict(zip(found.texts[0].numbers, found.texts[0].counts, strict=True))
    assert counts == {one["values"]: one["counts"] for one in kept["k"].value_counts().to_pylist()}
    assert sample.size == 50
    rows = sample.joined()
    assert min(rows.batch.data["w"].to_pylist()) > 0
    assert rows.batch.data["x"].null_count == 0
    whole = survey(parts_table([TABLE]), "t").sample.joined()
    np.testing.assert_array_equal(rows.keys, whole.keys)
    assert rows.batch.data.equals(whole.batch.data)


def test_the_first_missing_value_is_that_of_the_first_batch_with_one():
    parts = [TABLE.slice(0, 0), TABLE.filter(pa.compute.is_valid(TABLE["x"])).slice(0, 9), TABLE]
    found = survey(parts_table(parts, 50), "t")
    assert found.first_absent.file == "rows, part 2"


@pytest.mark.parametrize("weight", [None, RNG.integers(0, 3, 200).astype(float)])
@pytest.mark.parametrize(
    "numbers",
    [
        RNG.integers(0, 5, 200).astype(float),
        RNG.integers(-3, 5, 200).astype(float),
        RNG.integers(0, 5, 200) / 4.0,
        np.where(RNG.random(200) < 0.5, -0.0, 1.0),
        np.ones(200),
        np.where(RNG.random(200) < 0.5, np.inf, 2.0**60),
        np.where(RNG.random(200) < 0.5, MOST_CLASSES, 1.0),
        np.empty(0),
    ],
    ids=["small", "negative", "fractions", "zeros", "ones", "large", "many", "none"],
)
def test_weights_of_numbers(numbers, weight):
    weight = None if weight is None else weight[: numbers.size]
    values, weights = _weights_of_numbers(numbers, weight)
    expected = dict.fromkeys(sorted(set(numbers.tolist())), 0.0)
    for place, number in enumerate(numbers.tolist()):
        expected[number] += 1.0 if weight is None else weight[place]
    assert dict(zip(values.tolist(), weights.tolist(), strict=True)) == expected


def test_the_weights_of_probabilities_are_those_of_the_classes():
    t = RNG.random(ROWS)
    table = matrix_table(np.column_stack([RNG.normal(size=ROWS), np.arange(ROWS) % 3, t]), 64)
    weights = survey(table, -1, weight=1).weights
    expected = [(np.arange(ROWS) % 3) @ (1.0 - t), (np.arange(ROWS) % 3) @ t]
    np.testing.assert_allclose(weights.of_classes, expected, rtol=1e-14)


def test_few_of_many_different_labels_are_kept():
    t = RNG.random(2 * _MOST_LABELS)
    X = np.column_stack([t, t])
    weights = survey(matrix_table(X, 1000), 1, weight=None).weights
    assert len(weights.of_labels) == _MOST_LABELS
    np.testing.assert_allclose(weights.of_classes.sum(), t.size, rtol=1e-14)
    assert weights.rows == t.size


def test_labels_weights_and_offsets_besides_a_matrix():
    X, t = RNG.normal(size=(20, 2)), np.arange(20) % 3
    weight = np.arange(20.0) % 4
    header = matrix_table(X, 20, labels=t)
    task = SurveyTask(as_header(header), None, 100, 0, 100)
    halves = [
        Batch(X[here], f"part {place}", 0, t[here], weight=weight[here], offset=X[here, 0])
        for place, here in enumerate((slice(0, 8), slice(8, 20)))
    ]
    found = merged(task, map(task.of_batch, halves))
    assert found.weights.of_labels == {k: weight[t == k].sum() for k in range(3)}
    sample = found.sample.joined().batch
    assert sample.weight.min() > 0.0
    np.testing.assert_array_equal(sample.offset, sample.data[:, 0])
