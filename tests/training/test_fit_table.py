"""Tables of any kind: streamed trainings end as those in memory do, with a model or an error."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastlogit as fl
from fastlogit.training.fit_table import TableOptions, fit_table
from fastlogit.training.options import Options
from tests.streaming import assert_same, fit_both, parts_table

LABELS = {
    "numbers": lambda z: (z > 0.0).astype(float),
    "booleans": lambda z: z > 0.0,
    "integers": lambda z: np.where(z > 0.0, 7, -3),
    "texts": lambda z: np.array(["no", "yes"])[(z > 0.0).astype(int)],
    "soft": lambda z: (1.0 / (1.0 + np.exp(-z))).round(2),
    "three": lambda z: np.array(["a", "b", "c"])[np.digitize(z, [-1.0, 1.0])],
    "four": lambda z: np.digitize(z, [-1.0, 0.0, 1.0]),
    "odd": lambda z: np.where(z > 0.0, 2.5, np.where(z > -1.0, 1.0, 0.0)),
}
COLUMNS = {
    "number": lambda rng, rows: rng.normal(size=rows),
    "time": lambda rng, rows: 1.7e9 + rng.integers(0, 3600, rows).astype(float),
    "whole": lambda rng, rows: rng.integers(-5, 5, rows),
    "flag": lambda rng, rows: rng.random(rows) < 0.5,
    "text": lambda rng, rows: rng.choice(["red", "blue", "green", "Zoë", ""], rows),
    "odd": lambda rng, rows: np.where(rng.random(rows) < 0.02, np.inf, 1.0),
}


@st.composite
def tables(draw):
    """Parts of a table, and options that say what its columns are."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = draw(st.integers(1, 40))
    label = draw(st.sampled_from([*LABELS]))
    names = ["number", *draw(st.lists(st.sampled_from([*COLUMNS]), max_size=3))]
    names += ["text"] * (label in ("three", "four"))  # so that fewer functions are compiled
    table = {f"{name} {place}": COLUMNS[name](rng, rows) for place, name in enumerate(names)}
    x = table["number 0"]
    table["t"] = LABELS[label](x + rng.logistic(size=rows))
    options = {"label": "t", "l2": draw(st.sampled_from([1.0, 0.1]))}
    if draw(st.booleans()):
        table["w"] = rng.integers(0, 3, rows) if draw(st.booleans()) else np.full(rows, 0.25)
        options["weight"] = "w"
    if draw(st.booleans()):
        table["o"] = rng.normal(size=rows)
        options["offset"] = "o"
    share = draw(st.sampled_from([0.0, 0.0, 0.1]))
    arrays = {name: pa.array(one, mask=rng.random(rows) < share) for name, one in table.items()}
    options["missing"] = draw(st.sampled_from(["skip", "error"]))
    options["min_count"] = draw(st.sampled_from([1, 3]))
    options["class_weight"] = draw(st.sampled_from([None, None, "balanced"]))
    edges = sorted(draw(st.lists(st.integers(0, rows), max_size=4)))
    whole = pa.table(arrays)
    stops = zip([0, *edges], [*edges, rows], strict=True)
    parts = [whole.slice(first, stop - first) for first, stop in stops]
    return parts, draw(st.integers(1, 20)), options


@given(tables())
@settings(max_examples=40)
def test_streamed_trainings_end_as_those_in_memory(case):
    parts, size, options = case
    label = options.pop("label")
    whole, streamed = fit_both(parts_table(parts, size), label, **options)
    assert_same(whole, streamed)


@pytest.mark.parametrize("out_of_core", [False, True])
def test_the_message_of_an_argument_begins_with_the_table(out_of_core):
    table = {"x": [1.0, 2.0, 3.0], "t": [0, 1, 1]}
    for options, message in (
        ({"l2": [1.0, 2.0]}, "dict: l2 must have one element for each column of X, 1; got 2"),
        ({"class_weight": {3: 1.0}}, "dict: class_weight must have the labels of t, 0, 1; got 3"),
        ({"l2": 0.0, "on_separation": "raise"}, "dict: the labels can be separated, mainly by"),
    ):
        with pytest.raises(ValueError, match=f"^{message}"):
            fl.fit(table, label="t", out_of_core=out_of_core, **options)


SMALL = pa.table({"x": np.arange(40.0), "t": [0, 1, 1, 0] * 10})
COPIED = "RecordBatchReader can be read only once, so it is copied to disk"


@pytest.mark.parametrize("memory", [1 << 40, 1 << 10])
@pytest.mark.parametrize("kind", ["stream", "table", "function", "function of streams"])
def test_a_table_that_may_not_fit_in_memory_is_read_in_every_pass(monkeypatch, kind, memory):
    calls = []

    def counted(give):
        calls.append(0)
        return give()

    source = {
        "stream": SMALL.to_reader(),
        "table": SMALL,
        "function": lambda: counted(lambda: SMALL),
        "function of streams": lambda: counted(SMALL.to_reader),
    }[kind]
    monkeypatch.setattr("fastlogit.training.fit_table.available", lambda: memory)
    notes = []
    fitted = fit_table(source, TableOptions(label="t"), Options(), note=notes.append)
    assert_same(fit_table(SMALL, TableOptions(label="t"), Options()), fitted)
    is_large = memory == 1 << 10
    assert notes == ([COPIED] if kind == "stream" and is_large else [])
    if kind.startswith("function"):
        # Its number of rows may be known.
        assert (len(calls) > 1) == (is_large or "streams" in kind)


def test_a_stream_that_may_not_be_copied_is_read_into_memory(monkeypatch):
    monkeypatch.setattr("fastlogit.training.fit_table.spooled", None)
    expected = fl.fit(SMALL, label="t")
    for options in ({"spool": False}, {"out_of_core": False}):
        model = fl.fit(SMALL.to_reader(), label="t", **options)
        np.testing.assert_array_equal(model.coef, expected.coef)
    stream = SMALL.to_reader()
    with pytest.raises(ValueError, match=r"^RecordBatchReader: can be read only once, training"):
        fl.fit(stream, label="t", spool=False, out_of_core=True)
    assert stream.read_all().num_rows == 40


@pytest.mark.parametrize("seed", [0, 2**70])
def test_any_seed(seed):
    rng = np.random.default_rng(0)
    table = {"x": rng.normal(size=100), "t": rng.integers(0, 2, 100)}
    model = fl.fit(table, label="t", out_of_core=True, seed=seed, solver="sampled-newton")
    assert model.converged


def test_a_large_copy_is_noted_before_all_is_read(monkeypatch):
    monkeypatch.setattr("fastlogit.tables.spool._NOTED_BYTES", 500)
    stream = SMALL.to_reader(max_chunksize=10)
    left = []

    def note(text):
        left.append((text, stream.read_next_batch().num_rows))

    fitted = fit_table(stream, TableOptions(label="t", out_of_core=True), Options(), note=note)
    assert (left, fitted.rows) == ([(COPIED, 10)], 30)


@pytest.mark.parametrize("changed", ["w", "t"])
def test_a_function_that_gives_other_labels_or_weights_is_found_out(changed):
    calls = []

    def source():
        calls.append(0)
        table = {"a": np.arange(36.0) % 7, "t": np.arange(36) % 4 % 2, "w": np.ones(36)}
        if len(calls) > 1:
            table[changed][3] = 0.5 if changed == "w" else 0
        return pa.table(table)

    with pytest.raises(ValueError, match="labels or weights are not those of the first one"):
        fl.fit(source, label="t", weight="w", out_of_core=True)
