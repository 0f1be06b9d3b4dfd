"""Generate the polynomial coefficients of ``fastlogit/kernels/exponential.py``.

``python tests/references/coefficients.py`` prints them, and ``test_coefficients.py`` compares them
with the source.  Each polynomial is a fit of a smooth function in 200-bit arithmetic: a Chebyshev
fit, rounded to float64, or where a few bits decide, a fit to which each coefficient is rounded in
turn.  The error of either is within a small factor of the best possible for its degree.
"""

from __future__ import annotations

from collections.abc import Callable

import mpmath
from mpmath import mpf

PRECISION = 200
NODES = 60
# |r| <= log(2)/2, and a margin for the rounding of z / log 2.
EXP_ENDS = "-0.34692", "0.34692"


def half_angle(v: mpf) -> mpf:
    """(r coth(r/2) - 2) / v for v = r²: the even part of the fraction for e^r."""
    if v < mpf(10) ** -25:
        return mpf(1) / 6 - v / 360
    r = mpmath.sqrt(v)
    return (r * mpmath.coth(r / 2) - 2) / v


def rest_of_exp(r: mpf) -> mpf:
    """e^r - 1 - r."""
    return mpmath.expm1(r) - r


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


@mpmath.workprec(PRECISION)
def fit_in_turn(
    function: Callable[[mpf], mpf],
    powers: list[int],
    ends: tuple[str, str],
) -> tuple[float, ...]:
    """Coefficients of some powers, by least squares at Chebyshev's nodes.

    The first is rounded, the others are fitted again to what it leaves, and so on.
    """
    low, high = map(mpf, ends)
    angles = [mpmath.pi * (2 * i + 1) / (2 * NODES) for i in range(NODES)]
    nodes = [(low + high) / 2 + (high - low) / 2 * mpmath.cos(angle) for angle in angles]
    left = [function(x) for x in nodes]
    found = []
    for first in range(len(powers)):
        terms = [[x**power for power in powers[first:]] for x in nodes]
        best, _ = mpmath.qr_solve(mpmath.matrix(terms), mpmath.matrix(left))
        found.append(float(best[0]))
        fitted = [found[-1] * x ** powers[first] for x in nodes]
        left = [value - part for value, part in zip(left, fitted, strict=True)]
    return tuple(found)


def _exp_end() -> mpf:
    # |r| <= log(2)/2, and a margin for the rounding of z / log 2.
    return (mpmath.log(2) / 2 * mpf("1.001")) ** 2


def _log_end() -> mpf:
    # |w| <= (sqrt 2 - 1) / (sqrt 2 + 1), with the same margin.
    return ((mpmath.sqrt(2) - 1) / (mpmath.sqrt(2) + 1) * mpf("1.001")) ** 2


def _log_quotient_end() -> mpf:
    # Quotients between 2**-0.59 and 2**0.59.
    return (2 * mpmath.tanh(mpf("0.59") * mpmath.log(2) / 2)) ** 2


def tables() -> dict[str, tuple[float, ...]]:
    """Coefficients of every polynomial in the kernels, by the name of the constant."""
    return {
        "EXP": fit(half_angle, _exp_end, 5),
        "EXP_FLOAT32": fit(half_angle, _exp_end, 3),
        "EXP_SUM": fit_in_turn(rest_of_exp, list(range(2, 12)), EXP_ENDS),
        "EXP_SUM_FLOAT32": fit_in_turn(rest_of_exp, list(range(2, 8)), EXP_ENDS),
        "LOG1P": fit(lambda v: 2 * arctanh_tail(v), lambda: mpf(1) / 9, 11),
        "LOG1P_FLOAT32": fit(arctanh_tail, lambda: mpf(1) / 9, 5),
        "LOG": fit(arctanh_tail, _log_end, 8),
        "LOG_QUOTIENT": fit(lambda v: arctanh_tail(v / 4) / 4, _log_quotient_end, 8),
        # Quotients between 2**-0.59 and 2**0.59.
        "LOG_FLOAT32": fit_in_turn(
            lambda u: 2 * mpmath.atanh(u / 2) - u, [3, 5, 7, 9], ("0.001", "0.401")
        ),
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
