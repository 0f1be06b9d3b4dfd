"""The area under the ROC curve from a histogram of logits, against the exact one."""

from __future__ import annotations

import numpy as np

import fastlogit as fl
from fastlogit.scoring import evaluate, roc

RNG = np.random.default_rng(4)
MODEL = fl.LogisticModel([1.0], 0.0, ("x",))


def test_bins_of_logits_rise_and_are_narrow():
    z = np.sort(np.concatenate([RNG.normal(size=1000), [0.0, -np.inf, np.inf, 1e300, -1e-300]]))
    numbers = roc._bins(z)
    assert (np.diff(numbers) >= 0).all()
    assert numbers.min() >= 0
    assert numbers.max() < 1 << 20
    assert roc._bins(np.array([1.0]))[0] < roc._bins(np.array([1.001]))[0]


def test_the_bound_of_a_binned_area_holds_and_is_small(monkeypatch):
    z = RNG.normal(size=20_000)
    t = RNG.random(z.size) < fl.sigmoid(z)
    exact = evaluate(MODEL, {"x": z, "t": t.astype(int)}, "t").auc
    monkeypatch.setattr(roc, "EXACT_ROWS", 1)
    binned = evaluate(MODEL, {"x": z, "t": t.astype(int)}, "t")
    assert 0.0 < binned.auc_error < 1e-3
    assert abs(binned.auc - exact) <= binned.auc_error
