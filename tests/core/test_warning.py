"""Warnings name the line of the user's call, however deep the function that gives them."""

from __future__ import annotations

import warnings

import pytest

import fastlogit as fl
from fastlogit.core.warning import warn_caller
from fastlogit.models.model import OffsetWarning

MODEL = fl.LogisticModel([1.0], 0.0, ("x",), with_offset=True)
ROWS = {"x": [1.0, 2.0]}


@pytest.mark.parametrize(
    "call",
    [
        lambda: warn_caller(OffsetWarning("offset must be given")),
        lambda: MODEL.decision(ROWS),
        lambda: MODEL.predict(ROWS),
        lambda: list(fl.score(MODEL, ROWS)),
    ],
    ids=["directly", "decision", "predict", "score"],
)
def test_a_warning_names_the_line_of_the_caller(call):
    with pytest.warns(OffsetWarning) as caught:
        call()
    assert [(one.filename, one.lineno) for one in caught] == [
        (__file__, call.__code__.co_firstlineno)
    ]


def test_a_fit_warns_at_the_line_of_the_caller():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fl.fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1], l2=0.0, max_passes=5)
    assert caught
    assert {one.filename for one in caught} == {__file__}
