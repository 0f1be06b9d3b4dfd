"""Sums over the parts of a matrix: exact where they are put together."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from fastlogit.matrix.passes import PartialSums, symmetric

RNG = np.random.default_rng(9)
# Axes of the sums of a loss, a gradient, a Hessian, and one of several outputs.
SHAPES = [(2, 1), (2, 5), (1, 1, 2, 3, 3), (2, 2, 2, 3, 3)]


def partial_sums(parts, shape):
    """High and low words of all sizes, which cancel in part."""
    high = RNG.normal(size=(parts, *shape)) * 10.0 ** RNG.integers(-20, 20, (parts, *shape))
    words = 3 if len(shape) == 5 else 1
    low = np.moveaxis(high, words, 0)[1]
    low[:] = np.moveaxis(high, words, 0)[0] * 2.0**-53 * RNG.uniform(-1, 1, low.shape)
    return PartialSums(high), words


def exact(partials, words):
    """The sums and the sums of absolute values, as fractions."""
    by_word = np.moveaxis(partials, words, 1).reshape(len(partials), 2, -1)
    columns = by_word.transpose(2, 0, 1).reshape(by_word.shape[2], -1).tolist()
    return [(sum(map(Fraction, one)), sum(map(abs, map(Fraction, one)))) for one in columns]


@pytest.mark.parametrize("parts", [1, 2, 9, 60])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_parts_are_joined_without_rounding_errors(shape, parts):
    given, words = partial_sums(parts, shape)
    joined = given.as_one_part()
    assert joined.partials.shape == (1, *shape)
    tolerance = Fraction(parts + 2) ** 2 / 2**106
    for (total, _), (expected, size) in zip(
        exact(joined.partials, words), exact(given.partials, words), strict=True
    ):
        assert abs(total - expected) <= tolerance * size
    # Joined again in any grouping, they are as exact.
    half = parts // 2
    if half:
        groups = [PartialSums(given.partials[here]) for here in (slice(half), slice(half, None))]
        pairs = np.concatenate([one.as_one_part().partials for one in groups])
        for (total, _), (expected, size) in zip(
            exact(PartialSums(pairs).as_one_part().partials, words),
            exact(given.partials, words),
            strict=True,
        ):
            assert abs(total - expected) <= tolerance * size


def test_joined_parts_give_the_merged_sums():
    given, _ = partial_sums(20, (2, 7))
    np.testing.assert_allclose(given.as_one_part().merged(), given.merged(), rtol=1e-15)
    given, _ = partial_sums(20, (2, 2, 2, 8, 8))
    np.testing.assert_allclose(
        symmetric(given.as_one_part(), 7), symmetric(given, 7), rtol=1e-15, atol=0
    )


@pytest.mark.parametrize(
    ("highs", "expected"),
    [
        ([1e308, 1e308, 1e308], np.inf),
        ([1e308, -np.inf, 1.0], -np.inf),
        ([1e308, 1e308, -np.inf], np.nan),
        ([np.inf, 1.0], np.inf),
        ([1.0, np.nan], np.nan),
        ([-1e308, -1e308, 5.0], -np.inf),
    ],
)
def test_overflow_is_an_infinity_and_no_warning(highs, expected):
    given = PartialSums(np.array([[[high], [0.0]] for high in highs]))
    np.testing.assert_array_equal(given.merged(), [expected])
    joined = given.as_one_part()
    np.testing.assert_array_equal(joined.merged(), [expected])
    again = PartialSums(np.concatenate([joined.partials, given.partials[:1]]))
    np.testing.assert_array_equal(again.as_one_part().merged(), [expected])
