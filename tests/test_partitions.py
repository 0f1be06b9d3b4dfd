"""Training by the public pieces: the same bits however an engine divides and orders its work."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pyarrow as pa
import pytest

import fastlogit as fl
from fastlogit import partitions

N = 3000
rng = np.random.default_rng(5)
X = rng.normal(size=(N, 3)).astype(np.float32)
LATE = X[:, 0] - 0.5 * X[:, 1] > rng.logistic(size=N)
TABLE = pa.table({
    **{f"x{j}": x for j, x in enumerate(X.T.copy())},
    "from": rng.choice(["EWR", "JFK", "LGA"], N),
    "late": np.where(LATE, "yes", "no"),
    "w": rng.uniform(0.5, 2.0, N),
})  # fmt: skip
# An empty partition, one with a single row, and others.
EDGES = [0, 700, 700, 701, 2000, N]


class ListPartitions(partitions.Partitions):
    """Each partition is a list of record batches; tasks and results travel as bytes."""

    def __init__(self, several, schema=TABLE.schema, *, backwards=False):
        self.header = partitions.header("rows", schema)
        self.several, self.backwards = several, backwards

    def run(self, task, wanted):
        message = pickle.dumps((task, wanted, self.header))
        numbered = list(enumerate(self.several))
        results = {
            number: pickle.dumps(partitions.compute(*pickle.loads(message), number, batches))
            for number, batches in (reversed(numbered) if self.backwards else numbered)
        }
        return partitions.merged(task, (pickle.loads(results[number]) for number, _ in numbered))


def cut(rows):
    """The partitions, in record batches of at most this number of rows."""
    return [
        TABLE.slice(first, stop - first).to_batches(rows)
        for first, stop in itertools.pairwise(EDGES)
    ]


def bits(model):
    return [*np.ravel(model.coef), float(model.intercept), model.passes, model.gradient_norm]


def test_same_model_as_in_memory():
    model = partitions.fit(ListPartitions(cut(N)), "late", weight="w")
    expected = fl.fit(TABLE, label="late", weight="w")
    np.testing.assert_allclose(model.coef, expected.coef, rtol=1e-7)
    assert model.classes == expected.classes == ("no", "yes")
    assert model.categories == expected.categories
    assert model.converged


def test_same_bits_for_any_batches_and_order():
    expected = bits(partitions.fit(ListPartitions(cut(N)), "late"))
    assert bits(partitions.fit(ListPartitions(cut(11), backwards=True), "late")) == expected
    other = bits(partitions.fit(ListPartitions([TABLE.to_batches()]), "late"))
    np.testing.assert_allclose(other[:-2], expected[:-2], rtol=1e-6)


def test_errors_name_partition_and_row():
    several = cut(N)
    names = TABLE.schema.names
    x0 = TABLE["x0"].to_numpy().copy()
    x0[2100] = np.inf
    wrong = TABLE.set_column(0, "x0", pa.array(x0)).slice(2000).to_batches()
    with pytest.raises(ValueError, match=r"rows, partition 4.*'x0'.*row 100"):
        partitions.fit(ListPartitions([*several[:4], wrong]), "late")
    without = TABLE.select(names[1:]).slice(2000).to_batches()
    with pytest.raises(ValueError, match=r"rows, partition 4: .*x0"):
        partitions.fit(ListPartitions([*several[:4], without]), "late")
    with pytest.raises(ValueError, match="rows: has no column 'never'"):
        partitions.fit(ListPartitions(several), "never")
    with pytest.raises(TypeError, match=r"schema must be a pyarrow\.Schema; got list"):
        partitions.header("rows", names)


def test_a_column_of_another_type():
    text = pa.array(["a"] * N)
    wrong = TABLE.set_column(0, "x0", text).slice(2000)
    with pytest.raises(ValueError, match="4: column 'x0' holds string, and the table"):
        partitions.fit(ListPartitions([*cut(N)[:4], wrong.to_batches()]), "late")
