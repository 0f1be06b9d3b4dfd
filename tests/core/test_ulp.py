"""The measure of errors: units in the last place, against every kind of exact number."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from fastlogit.core.ulp import ulp, ulp_error

TINY = np.longdouble(2.0) ** -1074


@pytest.mark.parametrize(
    ("got", "exact", "expected"),
    [
        (1.0, 1.0, 0.0),
        (1.0 + 2.0**-52, 1.0, 1.0),
        (1.0 - 2.0**-53, 1.0, 0.5),
        (0.0, TINY / 4, 0.25),
        (5e-324, 0.0, 1.0),
        (1.0, 1.0 - np.longdouble(2.0) ** -60, 2.0**-7),
        (3 * TINY, TINY, 2.0),
        (-0.0, 0.0, 0.0),
        (np.nan, np.nan, 0.0),
        (np.nan, 1.0, np.inf),
        (1.0, np.nan, np.inf),
        (np.inf, np.inf, 0.0),
        (-np.inf, np.inf, np.inf),
        (np.finfo(float).max, np.inf, np.inf),
        (np.finfo(float).max, np.longdouble(2.0) ** 1025, 1.0),
        (np.inf, np.longdouble(2.0) ** 1025, 0.0),
    ],
)
def test_an_error_is_in_units_of_the_last_place(got, exact, expected):
    exact = np.array([exact], np.longdouble)
    assert ulp_error(np.array([got]), exact) == [expected]


WIDER = [
    *((number, np.float64) for number in (np.longdouble, Decimal, mpmath.mpf)),
    *((number, np.float32) for number in (np.longdouble, Decimal, mpmath.mpf, float)),
]


@pytest.mark.parametrize(("number", "dtype"), WIDER)
def test_every_kind_of_number_has_the_same_error(number, dtype):
    end = Fraction(2) ** int(np.finfo(dtype).maxexp)
    for exact in (1.0, 0.75, 1e-310, 1e300, 0.0, -3.0):
        with np.errstate(over="ignore"):
            found = dtype(exact)
        for _ in range(3):
            kept = [Fraction(x) if np.isfinite(x) else end for x in (float(found), exact)]
            distance = abs(min(kept[0], end) - min(kept[1], end))
            expected = float(distance / Fraction(float(ulp(exact, dtype))))
            assert ulp_error(found, number(exact), dtype) == pytest.approx(expected, rel=1e-12)
            found = np.nextafter(found, dtype(1.0))


def test_an_array_of_objects_is_measured_element_by_element():
    exact = np.array([Decimal(1), Decimal("0.1")], object)
    np.testing.assert_allclose(ulp_error([1.0, 0.1], exact), [0.0, 0.4], atol=0.01)
    assert ulp_error([np.nan, 0.1], exact)[0] == np.inf
