"""What t may be: probabilities or two labels of any type; and the weights of classes."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from fastlogit.training.targets import Targets, class_weights, key, read_targets

WORDS = ["no", "yes", "yes", "no", "no"]
SECOND = np.array([False, True, True, False, False])


@pytest.mark.parametrize(
    "t",
    [
        WORDS,
        tuple(WORDS),
        np.array(WORDS),
        np.array(WORDS, object),
        np.array(WORDS, np.dtypes.StringDType()),
        pd.Series(WORDS),
        pd.Series(WORDS, dtype="category"),
        pl.Series(WORDS),
        pl.Series(WORDS, dtype=pl.Categorical),
        pa.array(WORDS),
        pa.chunked_array([WORDS[:2], WORDS[2:]]),
    ],
    ids=lambda t: f"{type(t).__module__}.{type(t).__name__}",
)
def test_strings_of_every_library_are_two_classes(t):
    found = read_targets(t, 5, 1)
    assert found.classes == ("no", "yes")
    assert not found.soft
    np.testing.assert_array_equal(found.t, SECOND)


@pytest.mark.parametrize(
    ("pair", "kind"),
    [
        ([1, 2], int),
        ([-1, 1], int),
        ([-1.5, 0.5], float),
        (np.array([0, 255], np.uint8), int),
        (np.array([-1.0, 1.0], np.float32), float),
        ([0, 2], int),
        ([2.0, 3.0], float),
    ],
)
def test_two_numbers_that_are_not_both_in_0_to_1_are_two_classes(pair, kind):
    found = read_targets(np.array(pair)[SECOND.astype(int)], 5, 1)
    assert found.classes == tuple(np.array(pair).tolist())
    assert all(isinstance(label, kind) for label in found.classes)
    np.testing.assert_array_equal(found.t, SECOND)
    listed = [pair[int(second)] for second in SECOND]
    for other in (listed, np.array(listed, object)):
        assert read_targets(other, 5, 1).classes == found.classes
        assert all(isinstance(label, kind) for label in read_targets(other, 5, 1).classes)


@pytest.mark.parametrize(
    ("t", "classes", "soft"),
    [
        (SECOND, (False, True), False),
        (SECOND.tolist(), (False, True), False),
        (SECOND.astype(object), (False, True), False),
        (SECOND.astype(np.int8), (0, 1), False),
        (SECOND.astype(np.float16), (0, 1), False),
        (SECOND.astype(np.int8).astype(object), (0, 1), False),
        (SECOND.astype(np.float32), (0, 1), False),
        ([0, 1, 1, 0, 0], (0, 1), False),
        ([0.0, 0.25, 1.0, 0.0, 0.0], (0, 1), True),
        ([0.2, 0.8, 0.8, 0.2, 0.2], (0, 1), True),
        (np.zeros(5), (0, 1), False),
    ],
)
def test_numbers_from_0_to_1_are_taken_as_they_are(t, classes, soft):
    found = read_targets(t, 5, 1)
    assert (found.classes, found.soft) == (classes, soft)
    np.testing.assert_array_equal(found.t, np.asarray(t))


@pytest.mark.parametrize(
    ("t", "classes"),
    [
        (list("cabca"), ("a", "b", "c")),
        (pd.Series(list("cabca"), dtype="category"), ("a", "b", "c")),
        (["b", "10", "9", "b", "10"], ("10", "9", "b")),
        ([3, 1, 2, 3, 1], (1, 2, 3)),
        (np.array([3, 0, 2, 3, 0], np.uint8), (0, 2, 3)),
        ([3.0, -1.0, 2.0, 3.0, -1.0], (-1.0, 2.0, 3.0)),
        (np.array([2, 0, 1, 2, 0], np.float16), (0.0, 1.0, 2.0)),
        (
            np.array([2**60 + 1, 2**60 - 1, 2**60, 2**60 + 1, 2**60 - 1]),
            (2**60 - 1, 2**60, 2**60 + 1),
        ),
        (np.eye(3, dtype=np.int8)[[2, 0, 1, 2, 0]], (0, 1, 2)),
    ],
)
def test_three_or_more_labels_are_numbered_in_order(t, classes):
    found = read_targets(t, 5, 1)
    assert found.classes == classes
    assert [type(label) for label in found.classes] == [type(label) for label in classes]
    assert not found.soft
    assert found.t.dtype == np.int64
    np.testing.assert_array_equal(found.t, [2, 0, 1, 2, 0])


def test_rows_of_probabilities_have_a_class_for_each_column():
    rows = np.array([[0.25, 0.5, 0.25], [0.0, 0.0, 1.0]])
    named = read_targets(pl.DataFrame(rows, schema=list("abc")), 2, 1)
    numbers = pd.get_dummies(pd.Series([30, 10, 20]))
    assert read_targets(numbers, 3, 1).classes == (10, 20, 30)
    assert read_targets(numbers.astype(object), 3, 1).classes == (10, 20, 30)
    assert read_targets(pd.get_dummies(pd.Series([True, False])), 2, 1).classes == (False, True)
    assert named.classes == ("a", "b", "c")
    np.testing.assert_array_equal(named.t, rows)
    assert read_targets(pd.get_dummies(pd.Series(["x", "y"])), 2, 1).classes == ("x", "y")
    for t in (rows, rows.astype(np.float32), pd.DataFrame(rows), rows.astype(object)):
        found = read_targets(t, 2, 1)
        assert (found.classes, found.soft, found.t.dtype) == ((0, 1, 2), True, np.float64)
        np.testing.assert_array_equal(found.t, rows)
    found = read_targets([[0.25, 0.75], [1.0, 0.0]], 2, 1)
    assert (found.classes, found.soft) == ((0, 1), True)
    np.testing.assert_array_equal(found.t, [0.75, 0.0])


def test_numbers_of_known_classes():
    for t in ([2, 0, 1], np.array([2.0, 0.0, 1.0]), np.eye(3)[[2, 0, 1]]):
        found = read_targets(t, 3, 1, ("a", "b", "c"))
        assert (found.classes, found.soft, found.t.tolist()) == (("a", "b", "c"), False, [2, 0, 1])
    assert read_targets([0, 0, 0], 3, 1, ("a", "b", "c")).t.tolist() == [0, 0, 0]
    for t in ([1, 0, 1], [True, False, True]):
        found = read_targets(t, 3, 1, ("a", "b"))
        assert (found.classes, found.t.tolist()) == (("a", "b"), t)
    assert read_targets([0.5, 0, 1], 3, 1, ("a", "b")).soft
    for t, message in (
        ([0, 1, 3], "every element of t must be a class number from 0 to 2; got 3 at index 2"),
        (["a", "b", "c"], "t must hold class numbers .*, as classes are given; got 'a'"),
        (
            np.eye(2)[[0, 1, 1]],
            r"t must have one axis, or .* \(3, 3 classes\); got the shape \(3, 2\)",
        ),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            read_targets(t, 3, 1, ("a", "b", "c"))
    with pytest.raises(ValueError, match=r"every element of t must lie between 0 and 1; got 2.0"):
        read_targets([0, 1, 2], 3, 1, ("a", "b"))


def test_an_identifier_is_no_label():
    for t in (np.arange(10_001), list(map(str, range(10_001)))):
        with pytest.raises(
            ValueError, match=r"^t must have labels with .* the 10,001 rows on aver"
        ):
            read_targets(t, 10_001, 1)
    many = np.repeat(np.arange(10_001), 3)
    with pytest.raises(ValueError, match=r"t must have at most 10,000 different .* and 9996 more"):
        read_targets(many, 30_003, 1)
    assert len(read_targets(many[:30_000], 30_000, 1).classes) == 10_000
    assert len(read_targets(np.arange(50), 50, 1).classes) == 50
    with pytest.raises(ValueError, match=r"two of the 60 rows on average; got 30 labels: 0, 1, 2"):
        read_targets(np.arange(60) // 2, 60, 1)


@pytest.mark.parametrize(
    ("t", "error", "message"),
    [
        (
            [0.5, 1, 2, 0, 0],
            ValueError,
            "every element of t must .*got 2.0 .*or more that are whole numbers; got 0.5",
        ),
        (
            [math.inf, 1, 2, 0, 0],
            ValueError,
            "every element of t must .*got inf .*or t must have two or more diff",
        ),
        ([[0.5, 0.5]] * 4, ValueError, r"t must have one axis, or .*\(5, number.* \(4, 2\)"),
        ([[0.5, 0.6]] * 5, ValueError, r"every row of t must have the sum 1; got 1.1 at index 0"),
        ([[0.5, -0.5, 1.0]] * 5, ValueError, r"every element of t must .*got -0.5 at index \(0, 1"),
        ([5, 5, 5, 5, 5], ValueError, "every element of t must lie between 0 and 1; got 5.0"),
        ([1, 1, 1, math.inf, 1], ValueError, "every element of t must .*inf at index 3"),
        (
            [1, 1, math.nan, 1, 1],
            ValueError,
            r"t must have no missing values; got nan at index 2 \(1",
        ),
        (
            ["a"] * 5,
            ValueError,
            "t must have two or more different labels; got 'a' alone",
        ),
        (list("abc"), ValueError, "t must have one element for each row of X, 5; got 3"),
        (["a", "b", "a", None, "b"], ValueError, "t must have no missing .*got None at index 3"),
        (np.array(["a", 1, "a", "a", "b"], object), TypeError, "t must .*got 1 at index 1"),
        (pd.Series(["a", "b", None, "b", "a"]), ValueError, "t must have no missing .*at index 2"),
        ([1j] * 5, TypeError, "t must hold real numbers; got dtype complex128"),
        ([["a"]] * 5, ValueError, "t must have one axis"),
        (np.ma.masked_array(np.ones(5), SECOND), ValueError, "t must have no masked elements"),
        (np.zeros(5, "M8[s]"), TypeError, "t must hold real numbers; got dtype datetime64"),
        ([[0.5, 0.5], [1.0]], ValueError, "t must have a label .* probabilities of the same len"),
        (
            np.array(["a", [1, 0], "a", np.ones(2), 1], object),
            TypeError,
            r"t must .* got \[1, 0\] at index 1",
        ),
        (
            [[0.5, 0.5], [1, None]],
            ValueError,
            r"t must have no mis.* None at index \(1, 1\) \(1 su",
        ),
        (np.ma.masked_equal(np.eye(3), 0), ValueError, r"t must have no mask.* \(0, 1\) \(6 such"),
        (
            pd.DataFrame({"a": [1, 0], "b": [0, None]}).convert_dtypes(),
            ValueError,
            r"t must have no missing values; got <NA> at index \(1, 1\) \(1 such\)$",
        ),
    ],
)
def test_anything_else_is_an_error(t, error, message):
    with pytest.raises(error, match=f"^{message}"):
        read_targets(t, 5, 1)


MASKED = np.ma.masked_array([0.0, 1.0, 5.0, 0.0], [False, False, True, False])


@pytest.mark.parametrize(
    "t",
    [
        pd.Series([False, True, None, True], dtype="boolean"),
        pd.Series([0, 1, None, 1], dtype="Int64"),
        pd.Series(["no", "yes", None, "no"], dtype="category"),
        pd.Series([-1, 1, None, 1], dtype="Float32"),
        np.array([False, True, None, True], object),
        [True, False, math.nan, True],
        pl.Series([False, True, None, True]),
        pl.Series([-1, 1, None, 1]),
        pl.Series(["no", "yes", None, "no"]),
        pa.array([False, True, None, True]),
        pa.chunked_array([[1, 2], [None, 2]]),
        pa.array([0, 1, None, 1], pa.decimal128(3, 1)),
        np.array(["no", "yes", None, "no"], np.dtypes.StringDType(na_object=None)),
        MASKED,
        MASKED.astype(int),
    ],
    ids=lambda t: f"{type(t).__module__}.{type(t).__name__}",
)
def test_the_label_that_is_missing_is_the_one_that_is_named(t):
    with pytest.raises(ValueError, match=r"^t must have no (missing|masked) .*at index 2 \(1 such"):
        read_targets(t, 4, 1)


def test_decimals_are_numbers():
    found = read_targets(pa.array([0, 1, 1], pa.decimal128(3, 1)), 3, 1)
    assert (found.t.tolist(), found.classes) == ([0.0, 1.0, 1.0], (0, 1))
    found = read_targets([Decimal("1.5"), Decimal("2.5"), 1.5], 3, 1)
    assert (found.t.tolist(), found.classes) == ([False, True, False], (1.5, 2.5))


@pytest.mark.parametrize(
    ("labels", "same"),
    [
        ([1, 1.0, True, Decimal(1), "1", "1.0", "+1", " 1 ", "1e0", "true", "True", "TRUE"], 1),
        ([-1, -1.0, "-1", "-1.00"], -1),
        ([2**53 + 1, str(2**53 + 1)], 2**53 + 1),
        ([0.25, "0.25", "25e-2"], 0.25),
    ],
)
def test_labels_of_one_meaning_have_one_key(labels, same):
    assert {key(label) for label in labels} == {same}


@pytest.mark.parametrize("text", ["yes", "1_0", "inf", "nan", "", "1,5", "9" * 5000, " yes"])
def test_other_texts_are_their_own_keys(text):
    assert key(text) == text


# Weights of classes -----------------------------------------------------------------------


def test_no_weights_of_classes_leave_those_of_rows():
    weight = np.arange(5.0)
    assert class_weights(None, read_targets(WORDS, 5, 1), weight) is weight
    assert class_weights(None, read_targets(WORDS, 5, 1), None) is None


@given(st.lists(st.integers(0, 4), min_size=5, max_size=5), st.booleans())
def test_balanced_is_what_scikit_learn_makes_of_it(weight, weighted):
    weight = np.array(weight, np.float64)
    if not (weight @ SECOND > 0 and weight @ ~SECOND > 0):
        return
    given_weight = weight if weighted else None
    result = class_weights("balanced", read_targets(WORDS, 5, 1), given_weight)
    factors = compute_class_weight(
        "balanced", classes=np.array(["no", "yes"]), y=WORDS, sample_weight=given_weight
    )
    rows = weight if weighted else np.ones(5)
    np.testing.assert_allclose(result, factors[SECOND.astype(int)] * rows, rtol=1e-15)
    np.testing.assert_allclose(result @ SECOND, result @ ~SECOND, rtol=1e-15)


def test_a_dict_has_a_weight_for_some_labels():
    found = read_targets(WORDS, 5, 1)
    result = class_weights({"yes": 3.0}, found, np.arange(5.0))
    np.testing.assert_array_equal(result, [0.0, 3.0, 6.0, 3.0, 4.0])
    numbers = read_targets([0, 1, 1, 0, 0], 5, 1)
    np.testing.assert_array_equal(
        class_weights({0: 0.5, True: 2.0}, numbers, None), np.where(SECOND, 2.0, 0.5)
    )


def test_several_classes_have_a_weight_each():
    found = Targets(np.array([0, 1, 2, 2]), ("a", "b", "c"), soft=False)
    np.testing.assert_array_equal(class_weights({"b": 5.0}, found, None), [1.0, 5.0, 1.0, 1.0])
    balanced = class_weights("balanced", found, None)
    np.testing.assert_allclose(balanced, [4 / 3, 4 / 3, 2 / 3, 2 / 3], rtol=1e-15)
