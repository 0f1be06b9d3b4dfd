"""A batch's rows as X, t, weights and offsets, as the whole table in memory has them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pytest
from scipy import sparse

from fastlogit.training.options import Options
from fastlogit.training.partitions import first_read
from fastlogit.training.partitions.streamed import TablePartitions
from fastlogit.training.table.reading import make_request, read_all
from tests.streaming import matrix_table, parts_table
from tests.training.partitions.test_survey import REQUEST

RNG = np.random.default_rng(4)
ROWS = 40
TABLE = pa.table(
    {
        "x": pa.array(RNG.normal(size=ROWS), mask=RNG.random(ROWS) < 0.1),
        "time": pa.array(1_700_000_000 + RNG.integers(0, 3600, ROWS)),
        "k": RNG.choice(["red", "blue", "green"], ROWS),
        "flag": RNG.random(ROWS) < 0.5,
        "w": RNG.integers(0, 3, ROWS),
        "o": RNG.normal(size=ROWS),
        "t": RNG.choice(["low", "mid", "top"], ROWS),
    }
)


def dense(rows):
    """The elements of X, minus the centres, of the datasets of several batches."""
    units = np.zeros((rows[0].d, rows[0].family.outputs * rows[0].d))
    np.fill_diagonal(units, 1.0)
    return np.concatenate(
        [
            np.column_stack([one._logits(unit).reshape(one.n, -1)[:, 0] for unit in units])
            for one in rows
        ]
    )


def read_both(table, label, *, l2=1.0, class_weight=None, intercept=False, **options):
    """The reader of a table and its rows, batch by batch; and the table as it is in memory."""
    request = make_request(table, label, **REQUEST | {"weight": None} | options)
    partitions = TablePartitions(table, 1)
    given = request._replace(table=partitions.header)
    found = first_read.read(
        partitions,
        given,
        Options(intercept=intercept),
        l2=l2,
        class_weight=class_weight,
        start=None,
        threads=1,
    )
    reader = found.problem.dataset.reader
    wanted = first_read._columns(request)
    rows = [reader.rows(batch) for batch in table.read(wanted)]
    return reader, [one for one in rows if one is not None], read_all(request)


@pytest.mark.parametrize(
    "options",
    [
        {"weight": "w"},
        {"weight": "w", "offset": ["o", "x", "time"]},
        {"categorical": ["flag", "w"], "min_count": 12},
        {"ignore": ["k"], "drop_first": True},
    ],
    ids=str,
)
def test_rows_are_those_of_the_table_in_memory(options):
    _, rows, whole = read_both(
        parts_table([TABLE.slice(0, 15), TABLE.slice(15)], 6), "t", **options
    )
    X = whole.X.toarray() if sparse.issparse(whole.X) else whole.X
    np.testing.assert_array_equal(dense(rows), X)
    np.testing.assert_array_equal(np.concatenate([one.t for one in rows]), whole.t)
    for name in ("weight", "offset"):
        found = [getattr(one, name) for one in rows]
        if getattr(whole, name) is None:
            assert not any(one is not None for one in found)
        else:
            np.testing.assert_array_equal(np.concatenate(found), getattr(whole, name))


def test_centres_are_subtracted_from_columns_and_offsets():
    binary = TABLE.filter(pa.compute.is_in(TABLE["t"], pa.array(["low", "top"])))
    reader, rows, whole = read_both(parts_table([binary], 6), "t", intercept=True, offset="o")
    centres = reader.centres
    assert centres[1] > 1.69e9
    assert np.count_nonzero(centres) == 1
    np.testing.assert_array_equal(dense(rows), whole.X.toarray() - centres)
    assert reader.offset_centre in whole.offset
    offset = np.concatenate([one.offset for one in rows])
    np.testing.assert_array_equal(offset, whole.offset - reader.offset_centre)


def test_class_weights_are_factors_of_weights():
    factors = {"low": 2.0, "mid": 0.5}
    _, rows, whole = read_both(parts_table([TABLE], 6), "t", weight="w", class_weight=factors)
    expected = whole.weight * np.array([2.0, 0.5, 1.0])[whole.t.astype(int)]
    np.testing.assert_array_equal(np.concatenate([one.weight for one in rows]), expected)


def test_a_text_that_the_first_read_did_not_find():
    reader, _, _ = read_both(parts_table([TABLE]), "t", ignore=["o", "w"])
    other = TABLE.set_column(2, "k", pa.array(["violet"] * ROWS))
    table = parts_table([other])
    request = make_request(table, "t", **REQUEST | {"weight": None, "ignore": ["o", "w"]})
    (batch,) = table.read(first_read._columns(request))
    message = "rows, part 0: has changed since the first read, which did not find 'violet'"
    with pytest.raises(ValueError, match=f"^{message}$"):
        reader.rows(batch)
    other = TABLE.set_column(6, "t", pa.array(["bottom"] * ROWS))
    (batch,) = parts_table([other]).read(first_read._columns(request))
    with pytest.raises(
        ValueError, match="the label must be one of 'low', 'mid', 'top'; got 'bottom'"
    ):
        reader.rows(batch)


def test_rare_texts_do_not_travel_with_tasks():
    texts = pa.array([f"rare {row}" if row % 2 else "often" for row in range(ROWS)])
    table = parts_table([TABLE.set_column(2, "k", texts)])
    reader, rows, whole = read_both(table, "t", min_count=2, ignore=["o", "w", "flag"])
    assert reader.texts[0].places == {"often": 0}
    np.testing.assert_array_equal(dense(rows), whole.X.toarray())


def test_an_array_is_read_in_place_unless_rows_are_left_out():
    array = np.column_stack([RNG.normal(size=(ROWS, 2)), np.arange(ROWS) % 2])
    reader, rows, whole = read_both(matrix_table(array, 16), -1, missing="error")
    np.testing.assert_array_equal(dense(rows), whole.X)
    assert not reader.skips
    skipping = dataclasses.replace(reader, skips=True)
    (batch, *_) = matrix_table(array, 16).read(matrix_table(array, 16).want(range(3)))
    batch.data[3, 1] = np.nan
    assert skipping.rows(batch).n == 15
    assert skipping.present(batch).tolist() == [row for row in range(16) if row != 3]
    batch.data[:] = np.nan
    assert skipping.rows(batch) is None
