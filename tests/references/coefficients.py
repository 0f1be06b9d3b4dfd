"""Generate the polynomial coefficients of ``fastlogit/kernels/exponential.py``.

``python tests/references/coefficients.py`` prints them, and ``test_coefficients.py`` compares them
with the source.  Each polynomial is the Chebyshev fit of a smooth function in 200-bit arithmetic,
rounded to float64.  The error of such a fit is within a small factor of the best possible for its
degree.
"""

from __future__ import annotations

from collections.abc import Callable

import mpmath
from mpmath import mpf

PRECISION = 200


def half_angle(v: mpf) -> mpf:
    """(r coth(r/2) - 2) / v for v = r²: the even part of the fraction for e^r."""
    if v < mpf(10) ** -25:
        return mpf(1) / 6 - v / 360
    r = mpmath.sqrt(v)
    return (r * mpmath.coth(r / 2) - 2) / v


def arctanh_tail(v: mpf) -> mpf:
    """(atanh(w)/w - 1) / v for v = w²."""
    if v < mpf(10) ** -25:
        return mpf(1) / 3 + v / 5
    w = mpmath.sqrt(v)
    return (mpmath.atanh(w) / w - 1) / v


def fit(function: Callable[[mpf], mpf], end: Callable[[], mpf], terms: int) -> tuple[float, ...]:
    """Coefficients of the fit of `function` on [0, end], constant term first."""
    with mpmath.workprec(PRECISION):
        return tuple(float(c) for c in mpmath.chebyfit(function, [mpf(0), end()], terms, asc=True))


def _exp_end() -> mpf:
    # |r| <= log(2)/2, and a margin for the rounding of z / log 2.
    return (mpmath.log(2) / 2 * mpf("1.001")) ** 2


def _log_end() -> mpf:
    # |w| <= (sqrt 2 - 1) / (sqrt 2 + 1), with the same margin.
    return ((mpmath.sqrt(2) - 1) / (mpmath.sqrt(2) + 1) * mpf("1.001")) ** 2


def tables() -> dict[str, tuple[float, ...]]:
    """Coefficients of every polynomial in the kernels, by the name of the constant."""
    return {
        "EXP": fit(half_angle, _exp_end, 5),
        "EXP_FLOAT32": fit(half_angle, _exp_end, 3),
        "LOG1P": fit(lambda v: 2 * arctanh_tail(v), lambda: mpf(1) / 9, 11),
        "LOG1P_FLOAT32": fit(arctanh_tail, lambda: mpf(1) / 9, 5),
        "LOG": fit(arctanh_tail, _log_end, 8),
    }


def split_ln2() -> tuple[float, float]:
    """High part of log 2 with 41 significant bits, and the rest."""
    with mpmath.workprec(PRECISION):
        ln2 = mpmath.log(2)
        high = mpmath.floor(mpmath.ldexp(ln2, 41)) / mpf(2) ** 41
        return float(high), float(ln2 - high)


if __name__ == "__main__":
    for name, values in tables().items():
        print(f"{name} = (")
        for value in values:
            print(f"    {value!r},")
        print(")")
    print("LN2_HIGH, LN2_LOW =", split_ln2())
