"""Every result is as it was recorded; see recorded.py."""

from __future__ import annotations

import json

import numpy as np
import pytest

import fastlogit as fl
from tests.recorded import BITS, FILE, NUMBERS, differences, elementwise, run

BEFORE = json.loads(FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("cases", [*BITS, *NUMBERS], ids=lambda cases: cases.__name__)
def test_every_result_is_as_recorded(cases):
    assert differences(BEFORE[cases.__name__], run(cases)) == []


def test_a_changed_bit_is_found_and_its_case_named(monkeypatch):
    sigmoid = fl.sigmoid

    def next_number(*args, **options):
        y = sigmoid(*args, **options)
        return np.nextafter(y, 2, out=y if isinstance(y, np.ndarray) else None)

    monkeypatch.setattr(fl, "sigmoid", next_number)
    found = differences(BEFORE["elementwise"], run(elementwise))
    assert len(found) == sum(name.startswith("sigmoid ") for name in BEFORE["elementwise"])
    assert all(one.startswith(" / sigmoid ") for one in found)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({"coef": [1.0, 2.0]}, {"coef": [1.0, 2.0 + 1e-6]}),
        ({"passes": 7}, {"passes": 8}),
        ({"passes": 7}, {"passes": 7.0}),
        ({"converged": True}, {"converged": 1}),
        ({"loss": 0.5}, {"loss": None}),
        ({"loss": 0.5}, {"mean_loss": 0.5}),
        ({"loss": [0.5]}, {"loss": [0.5, 0.5]}),
        ({"text": "loss 0.5"}, {"text": "loss 0.6"}),
        ({"text": "loss 0.5"}, {"text": "mean 0.5"}),
    ],
)
def test_what_differs_is_found(before, now):
    assert differences(before, now) != []


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({"coef": [1.0, np.nan]}, {"coef": [1.0 + 1e-12, np.nan]}),
        ({"text": "loss 0.5, AUC 1"}, {"text": "loss 0.5, AUC 1"}),
    ],
)
def test_rounding_makes_no_difference(before, now):
    assert differences(before, now) == []
