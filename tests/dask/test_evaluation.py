"""Evaluation of Dask collections, against that of the same rows in memory."""

from __future__ import annotations

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

import fastlogit as fl
import fastlogit.dask
from fastlogit.models.model import OffsetWarning
from fastlogit.scoring import evaluate, roc

N = 5000
RNG = np.random.default_rng(8)
X = RNG.normal(size=(N, 2))
T = (RNG.random(N) < fl.sigmoid(X[:, 0])).astype(np.int64)
OFFSET = RNG.normal(size=N)
MODEL = fl.LogisticModel([1.0, -0.1], 0.1, ("a", "b"))
CLASSES = fl.LogisticModel(
    [[1.0, 0.0], [0.0, 0.5], [-1.0, 0.2]], 0.0, ("a", "b"), classes=("x", "y", "z")
)
FRAME = pd.DataFrame(X, columns=["a", "b"]).assign(
    t=T, k=np.array(list("xyz"))[RNG.integers(0, 3, N)], o=OFFSET
)


def same(found, expected):
    """Whether two results are the same except for the rounding of sums."""
    if isinstance(expected, float):
        return found == pytest.approx(expected, rel=1e-13, abs=0.0, nan_ok=True)
    if hasattr(expected, "_asdict"):
        found, expected = found._asdict(), expected._asdict()
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(found[k], expected[k]) for k in found)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    return found == expected


CASES = {
    "two classes": (MODEL, "t", {"threshold": 0.4}),
    "offset": (MODEL, "t", {"offset": "o"}),
    "three classes": (CLASSES, "k", {"top": [2]}),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_frames_as_in_memory(case, scheduler):
    model, label, options = CASES[case]
    with dask.config.set(scheduler=scheduler):
        lazy = dd.from_pandas(FRAME, npartitions=11)
        found = fastlogit.dask.evaluate(lazy, model, label=label, **options)
    assert same(found, evaluate(model, FRAME, label, **options))


@pytest.mark.parametrize("case", CASES)
def test_arrays_as_in_memory(case):
    model, label, options = CASES[case]
    offset = {"offset": OFFSET} if "offset" in options else {}
    lazy, t = da.from_array(X, chunks=(700, 1)), FRAME[label].to_numpy()
    found = fastlogit.dask.evaluate(lazy, model, t, **options | offset)
    assert same(found, evaluate(model, FRAME, label, **options))


@pytest.mark.parametrize("case", ["two classes", "three classes"])
def test_areas_of_many_rows_are_within_their_bound(case, monkeypatch):
    model, label, options = CASES[case]
    exact = evaluate(model, FRAME, label, **options)
    monkeypatch.setattr(roc, "EXACT_ROWS", 1000)
    lazy = dd.from_pandas(FRAME, npartitions=11)
    found = fastlogit.dask.evaluate(lazy, model, label=label, **options)
    area = "auc" if model is MODEL else "macro_auc"
    assert 0.0 < found.auc_error < 1e-3
    assert abs(getattr(found, area) - getattr(exact, area)) <= found.auc_error
    assert same(found, evaluate(model, FRAME, label, **options))


def test_rows_without_a_label_or_a_score():
    holes = FRAME[["a", "b", "t"]].astype({"t": "Int64"})
    holes.loc[[3, 80], "a"] = np.nan
    holes.loc[70, "t"] = pd.NA
    lazy = dd.from_pandas(holes, npartitions=5)
    found = fastlogit.dask.evaluate(lazy, MODEL, label="t")
    assert found.skipped == 3
    assert same(found, evaluate(MODEL, holes, "t"))
    with pytest.raises(ValueError, match=r"^X, partition 0: row 3 has no score, as column 'a'"):
        fastlogit.dask.evaluate(lazy, MODEL, label="t", missing="error")
    nothing = lazy[lazy["b"] > 99.0]
    with pytest.raises(ValueError, match=r"^X: has no row with a label and a score"):
        fastlogit.dask.evaluate(nothing, MODEL, label="t")


def test_a_label_that_is_no_class():
    lazy = dd.from_pandas(FRAME.assign(t=T + (np.arange(N) == 4321)), npartitions=5)
    with pytest.raises(ValueError, match=r"^X, partition 4: the label must be 0 or 1; got 2 in"):
        fastlogit.dask.evaluate(lazy, MODEL, label="t")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X": FRAME, "label": "t"}, "X must be a Dask array or data frame; got DataFrame"),
        ({"X": da.zeros((9, 2))}, "t must be given for an array"),
        ({"X": da.zeros((9, 2)), "t": np.zeros(8)}, "t must have one element for each row"),
        ({"X": da.zeros((9, 3)), "t": np.zeros(9)}, "X: must have 2 columns"),
        ({"X": dd.from_pandas(FRAME), "label": "z"}, "X: has no column 'z'"),
        ({"X": dd.from_pandas(FRAME), "label": "a"}, "X: column 'a' is a feature of the model"),
        ({"X": dd.from_pandas(FRAME), "label": "t", "top": [2]}, "top must go with more than two"),
        ({"X": dd.from_pandas(FRAME), "label": "t", "missing": "nan"}, "missing must be 'error'"),
    ],
)
def test_errors_before_any_work(arguments, message):
    with pytest.raises((TypeError, ValueError), match=f"^{message}"):
        fastlogit.dask.evaluate(model=MODEL, **arguments)


def test_a_model_that_was_trained_with_an_offset_warns_once_without_one():
    model = fl.LogisticModel([1.0, 2.0], 0.5, ("a", "b"), with_offset=True)
    with pytest.warns(OffsetWarning) as caught:
        fastlogit.dask.evaluate(dd.from_pandas(FRAME, npartitions=3), model, label="t")
    assert [warning.filename for warning in caught] == [__file__]
