"""Errors in units in the last place (ULP): the one measure of tests, benchmarks and plots."""

from __future__ import annotations

from typing import Any

import numpy as np


def ulp(exact: Any, dtype: Any = np.float64) -> Any:
    """Distance between neighbouring numbers of `dtype` at each exact value, as float64.

    An ULP is 2^(e - 52) for float64, where 2^e is the largest power of two up to ``|exact|``.
    Below the normal numbers it is the smallest subnormal number.
    """
    info, widest = np.finfo(dtype), np.finfo(np.float64)
    size = np.asarray(np.abs(np.asarray(exact)))
    with np.errstate(over="ignore"):
        nearest = np.clip(size.astype(np.float64), widest.tiny, widest.max)
    mantissa, exponent = np.frexp(nearest)
    # A value just below a power of two has been rounded up to it.
    exponent = exponent - ((mantissa == 0.5) & np.greater(nearest, size))
    return np.ldexp(1.0, np.clip(exponent - 1, info.minexp, info.maxexp - 1) - info.nmant)


def ulp_error(found: Any, exact: Any, dtype: Any = np.float64) -> Any:
    """Error of each result in ULP of the exact value; inf if only one of them is NaN.

    The power of two that would follow the largest number stands for everything beyond it.  So a
    result that was rounded to infinity has an error of at most half an ULP, like any rounding.
    But where the exact value is infinite, every other result has an infinite error.

    Parameters
    ----------
    found : array_like of numbers of `dtype`
    exact : array_like
        Numbers that are wider than `dtype`: float64 for float32, `numpy.longdouble`, or objects
        such as `decimal.Decimal` and `mpmath.mpf`, all of one type.
    dtype : dtype
        float64 or float32.

    Returns
    -------
    float64 or ndarray of float64
    """
    found, exact = np.asarray(found), np.asarray(exact)
    if exact.dtype == object:
        number = type(exact.item(0))
        wider = np.frompyfunc(number, 1, 1)
    else:
        number = wider = exact.dtype.type
    end = number(2) ** int(np.finfo(dtype).maxexp)
    no_result, no_value = np.isnan(found), np.not_equal(exact, exact)
    result = np.clip(wider(np.where(no_result, 0.0, found)), -end, end)
    distance = np.abs(result - np.clip(exact, -end, end))
    with np.errstate(over="ignore", invalid="ignore"):  # a result that is wrong altogether
        errors = np.asarray(distance / wider(ulp(exact, dtype)), np.float64)
    is_infinite = np.equal(np.abs(exact), np.inf) & (errors > 0)
    errors = np.where(is_infinite | (no_result != no_value), np.inf, errors)
    return np.where(no_result & no_value, 0.0, errors)[()]
