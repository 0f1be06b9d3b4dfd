"""Checks that several modules share; the others are tested through the public functions."""

from __future__ import annotations

import re

import numpy as np
import pytest

from fastlogit.core import checks


def test_missing_takes_only_the_treatments_that_are_allowed():
    assert checks.missing("skip") == "skip"
    message = re.escape("missing must be 'error' or 'nan'; got 'skip'")
    with pytest.raises(ValueError, match=f"^{message}$"):
        checks.missing("skip", ("error", "nan"))


def test_one_penalty_is_a_number_and_several_are_a_copy():
    assert checks.l2(np.float32(0.5), 3) == 0.5
    given = np.array([1.0, 2.0])
    penalties = checks.l2(given, 2)
    penalties[0] = 9.0
    assert given.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (-1.0, "l2 must be finite and not negative; got -1.0"),
        ([1.0, np.inf], "l2 must be finite and not negative; got inf for column 1"),
        ([1.0], "l2 must have one element for each column of X, 2; got 1"),
    ],
)
def test_a_penalty_out_of_range(value, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        checks.l2(value, 2)


def test_names_are_a_list():
    assert checks.names(("a", "b"), "keep") == ["a", "b"]


@pytest.mark.parametrize("value", ["ab", b"ab", 3, ["a", 2], [b"a"], {"a", "b"}, None])
def test_other_values_are_no_names(value):
    message = re.escape(f"keep must be a sequence of names; got {value!r}")
    with pytest.raises(TypeError, match=f"^{message}$"):
        checks.names(value, "keep")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.int64(3), "3"),
        ("a" * 100, repr("a" * 60 + " ...")),
        ([0] * 100, "[" + "0, " * 19 + "0, ..."),
        (10**5000, "a number with thousands of digits"),
    ],
    ids=["NumPy", "text", "list", "number"],
)
def test_messages_show_a_value_in_short(value, text):
    assert checks.shown(value) == text


@pytest.mark.parametrize(
    ("items", "most", "text"),
    [
        ("a", 5, "'a'"),
        ("abcde", 5, "'a', 'b', 'c', 'd', 'e'"),
        ("abcdef", 5, "'a', 'b', 'c', 'd', 'e' and 1 more"),
        ([1, True, np.float64(0.5), "x"], 2, "1, True and 2 more"),
    ],
)
def test_messages_list_only_the_first_values(items, most, text):
    assert checks.listed(list(items), most) == text
