"""Scores of record batches, of any schema, from several threads at once."""

from __future__ import annotations

import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest

import fastlogit as fl
from fastlogit.scoring.row_scorer import RowScorer
from tests.engine_data import MODELS, ROWS, N, must_be, null, probabilities

MODEL = MODELS["text"]
BATCHES = ROWS.to_batches(700)


def scorer(model=MODEL, **options):
    return RowScorer("rows", model, **options)


@pytest.mark.parametrize("threads", [1, 3])
def test_batches_together(threads):
    found = scorer(threads=threads).score(BATCHES)
    assert [len(chunk) for chunk in found.chunks] == [len(batch) for batch in BATCHES]
    must_be(found.combine_chunks(), probabilities(MODEL)[:, 1], null(MODEL))


def test_no_batches():
    found = scorer(MODELS["three classes"]).score([])
    assert (len(found), found.type) == (0, scorer(MODELS["three classes"]).type)


def test_the_columns_and_types():
    assert scorer().columns == ["a", "count", "kind"]
    assert scorer(offset="exposure").columns == ["a", "count", "exposure", "kind"]
    assert scorer().type == pa.float64()
    assert scorer(output="label").type == pa.int64()
    three = scorer(MODELS["three classes"]).type
    assert three.field(2) == pa.field('probability_say "hi"', pa.float64(), nullable=False)


def test_schemas_in_turn_from_many_threads():
    """Types and orders of columns differ from call to call."""
    one = scorer()
    renamed = [
        ROWS.select(order).set_column(0, order[0], ROWS[order[0]].cast(kind))
        for order in (["a", "count", "kind"], ["a", "kind", "count"])
        for kind in (pa.float64(), pa.float32())
    ]
    tables = [table.combine_chunks().to_batches()[0] for table in renamed] * 8
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda batch: one.score([batch]), tables))
    for batch, scores in zip(tables, found, strict=True):
        y = probabilities(MODEL, pa.Table.from_batches([batch]))[:, 1]
        must_be(scores.combine_chunks(), y, null(MODEL))


def test_many_schemas_are_not_kept():
    one = scorer(fl.LogisticModel([1.0], 0.0, ("x",)))
    for number in range(20):
        batch = pa.record_batch({"x": [0.0], f"other {number}": [1]})
        assert one.score([batch]).to_pylist() == [0.5]
    assert len(one._prepared) < 20


def test_a_pickle():
    one = pickle.loads(pickle.dumps(scorer()))
    must_be(one.score(BATCHES).combine_chunks(), probabilities(MODEL)[:, 1], null(MODEL))


def test_null_texts_in_a_dictionary():
    kinds = ROWS["kind"].combine_chunks().dictionary_encode()
    batch = pa.record_batch({"kind": kinds})
    found = scorer(MODELS["text alone"]).score([batch]).combine_chunks()
    must_be(found, probabilities(MODELS["text alone"])[:, 1], null(MODELS["text alone"]))
    assert len(found) == N


def test_nulls_of_a_struct():
    """A row that is null itself, and one with a null, have no score."""
    model = fl.LogisticModel([1.0], 0.0, ("x",))
    rows = pa.array([{"x": 0.0}, None, {"x": None}, {"x": np.nan}], pa.struct({"x": pa.float64()}))
    found = scorer(model).score([pa.RecordBatch.from_struct_array(rows)]).combine_chunks()
    must_be(found, [0.5, 0, 0, np.nan], [False, True, True, False])


def test_many_columns_take_little_time():
    names = [f"x{j}" for j in range(5000)]
    one = scorer(fl.LogisticModel(np.ones(5000), 0.0, tuple(names)))
    batch = pa.record_batch(dict.fromkeys(names, pa.array([0.0, 1e-3])))
    start = time.perf_counter()
    found = one.score([batch]).to_pylist()
    assert time.perf_counter() - start < 5.0  # 20 s if types are listed for each column
    assert found == pytest.approx([0.5, fl.sigmoid(5.0)], rel=1e-12, abs=0.0)
