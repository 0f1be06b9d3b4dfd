"""The area under the ROC curve from a histogram of logits, against the exact one."""

from __future__ import annotations

import numpy as np
import pytest

import fastlogit as fl
from fastlogit.scoring import evaluate, roc

RNG = np.random.default_rng(4)
MODEL = fl.LogisticModel([1.0], 0.0, ("x",))


@pytest.mark.parametrize("bits", [20, 16, 10])
def test_bins_of_logits_rise_and_are_narrow(bits):
    z = np.sort(np.concatenate([RNG.normal(size=1000), [0.0, -np.inf, np.inf, 1e300, -1e-300]]))
    numbers = roc._bins(z, bits)
    assert (np.diff(numbers) >= 0).all()
    assert numbers.min() >= 0
    assert numbers.max() < 1 << bits
    width = 2.0 ** (9 - bits if bits > 16 else 6 - bits)
    below, one, above = roc._bins(np.array([1.0 - width, 1.0, 1.0 + width]), bits)
    assert below < one < above


def test_areas_share_the_memory_of_their_histograms():
    assert [roc.RocArea(areas).bits for areas in (1, 3, 256, 257, 1000, 10_000)] == [
        20, 16, 16, 15, 14, 10,
    ]  # fmt: skip


@pytest.mark.parametrize(("areas", "bounds"), [(1, [3e-5, 3e-4]), (256, [6e-5, 6e-4])])
def test_the_bound_of_a_binned_area_holds_near_zero_and_far_from_it(areas, bounds):
    for mean, most in zip([0.0, -8.0], bounds, strict=True):
        z = np.random.default_rng(1).normal(mean, 1.0, size=1_000_000)
        t = RNG.random(z.size) < fl.sigmoid(z)
        exact, binned = roc.RocArea(), roc.RocArea(areas)
        binned.most = 0
        for area in (exact, binned):
            area.add(z, t)
        (auc, none), (near, bound) = exact.result(), binned.result()
        assert none == 0.0
        assert abs(near - auc) <= bound < most


def test_the_bound_of_a_binned_area_holds_and_is_small(monkeypatch):
    z = RNG.normal(size=20_000)
    t = RNG.random(z.size) < fl.sigmoid(z)
    exact = evaluate(MODEL, {"x": z, "t": t.astype(int)}, "t").auc
    monkeypatch.setattr(roc, "EXACT_ROWS", 1)
    binned = evaluate(MODEL, {"x": z, "t": t.astype(int)}, "t")
    assert 0.0 < binned.auc_error < 1e-3
    assert abs(binned.auc - exact) <= binned.auc_error
