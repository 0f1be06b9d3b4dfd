"""The functions over arrays: accuracy, limits, identities, threads, and checks of arguments."""

from __future__ import annotations

import itertools
from fractions import Fraction

import mpmath
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import fastlogit as fl
from fastlogit.core.threads import PART
from fastlogit.core.ulp import ulp, ulp_error
from fastlogit.kernels.elementwise import FUNCTIONS
from tests.references import extended, multiprecision
from tests.references.multiprecision import adversarial, is_subnormal, same_bits

NAMES = list(FUNCTIONS)
UNARY = [name for name in NAMES if len(FUNCTIONS[name].arguments) == 1]
BINARY = [name for name in NAMES if len(FUNCTIONS[name].arguments) == 2]
DTYPES = [np.float32, np.float64]

every_function = pytest.mark.parametrize("name", NAMES)
every_dtype = pytest.mark.parametrize("dtype", DTYPES)
every_binary = pytest.mark.parametrize("name", BINARY)


def call(name: str, *args, **options):
    return getattr(fl, name)(*args, **options)


# Accuracy ---------------------------------------------------------------------------------


def bound(name: str, args: list[float], exact, dtype) -> float:
    """Largest error allowed, in ULP."""
    soft = len(args) == 2 and args[1] not in (0.0, 1.0)
    # There the rounding errors of products with t are too small for a float64.
    underflows = soft and abs(exact) < 1e-300
    if name == "residual" and soft:
        # The terms that cancel near t = σ(z) were computed to this many bits.
        lost = mpmath.ldexp(1, -58 if dtype == np.float64 else -38)
        terms = (1 - args[1]) * multiprecision.sigmoid(args[0]) + args[1] * multiprecision.sigmoid(
            -args[0]
        )
        return (1.2 if underflows else 1.0) + float(lost * terms / ulp(exact, dtype))
    if dtype == np.float64 and underflows:
        return 1.2
    if dtype == np.float64 and is_subnormal(exact, dtype):
        return 0.8
    return FUNCTIONS[name].max_ulp[np.dtype(dtype).name]


def assert_exact(name: str, args: list[np.ndarray]) -> None:
    dtype = args[0].dtype.type
    formula = getattr(multiprecision, name)
    got = call(name, *args)
    assert got.dtype == dtype
    points = list(zip(*(arg.tolist() for arg in args), strict=True))
    values = np.array([formula(*point) for point in points], object)
    errors = ulp_error(got, values, dtype)
    for result, exact, error, elements in zip(got, values, errors, points, strict=True):
        assert error <= bound(name, elements, exact, dtype), (elements, result, error)


def every_exponent(kind: str, dtype) -> np.ndarray:
    """A number of each sign and exponent, with subnormals, and more in the middle of the range.

    If `kind` is "y" or "t": numbers in (0, 1), towards both ends.
    """
    rng = np.random.default_rng(2)
    info = np.finfo(dtype)
    size = info.bits - info.nmant - 1
    exponents = np.arange(2**size - 1, dtype=f"u{info.bits // 8}")
    mantissas = rng.integers(0, 2**info.nmant, exponents.size).astype(exponents.dtype)
    positive = ((exponents << info.nmant) | mantissas).view(dtype)
    if kind == "z":
        middle = rng.uniform(info.minexp * 0.75, info.maxexp * 0.75, 1000).astype(dtype)
        return np.concatenate([positive, -positive, middle])
    small = positive[(positive > 0) & (positive < 1)]
    near_one = 1 - np.ldexp(rng.uniform(0.5, 1.0, 4 * info.nmant), -np.arange(4 * info.nmant) // 4)
    middle = rng.uniform(0.0, 1.0, 1000)
    below_one = np.concatenate([near_one, middle]).astype(dtype)
    return np.concatenate([small, below_one[(below_one > 0) & (below_one < 1)]])


@every_function
@every_dtype
def test_adversarial_points_are_within_the_bound(name, dtype):
    assert_exact(name, adversarial(FUNCTIONS[name].arguments, dtype, special=False))


@every_function
@every_dtype
def test_every_exponent_is_within_the_bound(name, dtype):
    kind = FUNCTIONS[name].arguments[0]
    args = [every_exponent(kind, dtype)]
    if name in BINARY:
        rng = np.random.default_rng(3)
        targets = np.concatenate([every_exponent("t", dtype), np.resize([0.0, 1.0], 500)])
        args.append(rng.choice(targets, args[0].size).astype(dtype))
    assert_exact(name, args)


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 60, reason="needs extended precision")
@pytest.mark.parametrize("name", [name for name in UNARY if hasattr(extended, name)])
def test_one_in_a_thousand_of_all_float32_is_within_the_bound(name):
    x = np.arange(0, 2**32, 997, dtype=np.uint32).view(np.float32)
    takes_logit = FUNCTIONS[name].arguments == ("z",)
    x = x[np.isfinite(x)] if takes_logit else x[(x > 0) & (x < 1)]
    got = call(name, x)
    error = np.abs(got - getattr(extended, name)(x.astype(np.longdouble)))
    assert np.max(error / np.spacing(np.abs(got))) < 0.52


@pytest.mark.parametrize("name", ["sigmoid", "softplus"])
def test_neighbours_in_float32_are_in_order(name):
    rng = np.random.default_rng(0)
    first = rng.integers(0, 0x7F800000 - 64, (20_000, 1), dtype=np.uint32)
    x = (first + np.arange(64, dtype=np.uint32)).view(np.float32)
    assert (np.diff(call(name, x)) >= 0).all()
    assert (np.diff(call(name, -x)) <= 0).all()


def test_the_two_probabilities_add_up_to_one_in_float32():
    z = np.arange(0, 0x7F800001, 997, dtype=np.uint32).view(np.float32)
    total = fl.sigmoid(z).astype(np.float64) + fl.sigmoid(-z)
    assert np.abs(total - 1).max() <= np.finfo(np.float32).eps


@pytest.mark.parametrize("name", ["logistic_loss", "residual"])
@every_dtype
def test_every_exponent_of_z_is_within_the_bound_for_both_labels(name, dtype):
    z = every_exponent("z", dtype)
    z = z[np.abs(z) < 1000]
    for label in (0, 1):
        assert_exact(name, [z, np.full_like(z, label)])


@every_dtype
def test_residuals_next_to_the_target_are_within_the_bound(dtype):
    rng = np.random.default_rng(4)
    z = rng.normal(0.0, 10.0, 2000).astype(dtype)
    shift = 1 + rng.choice([0.0, 1e-16, -1e-12, 1e-7, -1e-3], z.size)
    t = np.minimum(fl.sigmoid(z) * shift, 1.0).astype(dtype)
    assert_exact("residual", [z, t])


@every_dtype
def test_cross_entropy_derivatives_next_to_the_target_are_within_the_bound(dtype):
    y = np.repeat(every_exponent("y", dtype)[::7], 3)
    t = np.nextafter(y, np.resize([-1, 2], y.size).astype(dtype))
    t[::3] = y[::3]
    assert_exact("cross_entropy_derivative", [y, t])


def test_the_reference_itself_sees_an_error_of_one_digit():
    # The naive formulas lose the tails: the bounds above can fail.
    naive = 1.0 - 1.0 / (1.0 + np.exp(-37.0))
    assert ulp_error(naive, multiprecision.sigmoid(-37.0), np.float64) > 1000
    assert ulp_error(0.0, multiprecision.sigmoid(-745.1), np.float64) > 0.5
    assert ulp_error(np.nextafter(0.5, 1), multiprecision.sigmoid(0.0), np.float64) == 1.0
    assert ulp_error(np.nan, multiprecision.sigmoid(0.0), np.float64) == np.inf
    assert ulp_error(np.inf, multiprecision.softplus(1e308), np.float64) > 1000
    assert ulp_error(np.inf, mpmath.mpf(10) ** 400, np.float64) == 0
    assert ulp_error(np.finfo(np.float64).max, mpmath.mpf(10) ** 400, np.float64) == 1


# Limits -----------------------------------------------------------------------------------

inf, nan = np.inf, np.nan


@every_dtype
@pytest.mark.parametrize(
    ("name", "args", "limit"),
    [
        ("sigmoid", (inf,), 1),
        ("sigmoid", (-inf,), 0),
        ("sigmoid_derivative", (inf,), 0),
        ("sigmoid_derivative", (-inf,), 0),
        ("log_sigmoid", (inf,), 0),
        ("log_sigmoid", (-inf,), -inf),
        ("softplus", (inf,), inf),
        ("softplus", (-inf,), 0),
        ("logit", (0.0,), -inf),
        ("logit", (-0.0,), -inf),
        ("logit", (1.0,), inf),
        ("logit", (1.5,), nan),
        ("logit", (-1e-30,), nan),
        ("logistic_loss", (inf, 1.0), 0),
        ("logistic_loss", (inf, 0.0), inf),
        ("logistic_loss", (inf, 0.5), inf),
        ("logistic_loss", (-inf, 1.0), inf),
        ("logistic_loss", (-inf, 0.0), 0),
        ("logistic_loss", (-inf, 0.5), inf),
        ("residual", (inf, 1.0), 0),
        ("residual", (inf, 0.0), 1),
        ("residual", (inf, 0.25), 0.75),
        ("residual", (-inf, 1.0), -1),
        ("residual", (-inf, 0.0), 0),
        ("residual", (-inf, 0.25), -0.25),
        ("cross_entropy", (0.0, 0.0), 0),
        ("cross_entropy", (0.0, 1.0), inf),
        ("cross_entropy", (0.0, 0.5), inf),
        ("cross_entropy", (1.0, 1.0), 0),
        ("cross_entropy", (1.0, 0.0), inf),
        ("cross_entropy", (1.0, 0.5), inf),
        ("cross_entropy", (1.5, 0.5), nan),
        ("cross_entropy", (-0.5, 0.5), nan),
        ("cross_entropy_derivative", (0.0, 0.0), 1),
        ("cross_entropy_derivative", (0.0, 1.0), -inf),
        ("cross_entropy_derivative", (1.0, 1.0), -1),
        ("cross_entropy_derivative", (1.0, 0.0), inf),
        ("cross_entropy_derivative", (1.0, 0.5), inf),
        ("cross_entropy_derivative", (0.5, 0.5), 0),
        ("cross_entropy_derivative", (1.5, 0.5), nan),
    ],
)
def test_limits_are_right(name, args, limit, dtype):
    got = call(name, *(dtype(arg) for arg in args))
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, dtype(limit))  # this compares 0 and -0 as equal


@every_function
@every_dtype
def test_nan_stays_nan(name, dtype):
    for position in range(len(FUNCTIONS[name].arguments)):
        for other in (0.0, 1.0, 0.25):
            args = [np.full(20, other, dtype) for _ in FUNCTIONS[name].arguments]
            args[position][:] = np.nan
            assert np.isnan(call(name, *args)).all(), (position, other)


@pytest.mark.parametrize("name", ["logistic_loss", "residual"])
@every_dtype
@pytest.mark.parametrize("z", [inf, -inf])
def test_a_target_that_is_nan_stays_nan_at_an_infinite_logit(name, dtype, z):
    assert np.isnan(call(name, dtype(z), dtype(nan)))


def test_the_smallest_tails_are_not_flushed():
    assert fl.sigmoid(-745.1) == 5e-324
    assert fl.sigmoid_derivative(745.1) == 5e-324
    assert fl.softplus(-745.1) == 5e-324
    assert fl.log_sigmoid(745.1) == -5e-324
    assert fl.logistic_loss(40.0, 1.0) == 4.248354255291589e-18
    assert fl.residual(745.1, 1.0) == -5e-324


# Mathematics ------------------------------------------------------------------------------

logits = st.floats(-750.0, 750.0)
probabilities = st.floats(0.0, 1.0)


@given(logits)
def test_the_two_probabilities_add_up_to_one(z):
    total = Fraction(float(fl.sigmoid(z))) + Fraction(float(fl.sigmoid(-z)))
    assert abs(total - 1) <= Fraction(1, 2**53)


@given(logits)
def test_symmetric_functions_are_symmetric_to_the_bit(z):
    assert same_bits(fl.sigmoid_derivative(z), fl.sigmoid_derivative(-z))
    assert same_bits(fl.log_sigmoid(z), -fl.softplus(-z))


INCREASING = ["sigmoid", "softplus", "log_sigmoid"]


@pytest.mark.parametrize("name", INCREASING)
@given(z=logits, steps=st.integers(1, 1000))
def test_a_slightly_larger_logit_gives_no_less_than_one_ulp_below(name, z, steps):
    larger = z + steps * np.spacing(abs(z))
    assert call(name, larger) >= np.nextafter(call(name, z), -np.inf)


@pytest.mark.parametrize("name", INCREASING)
def test_logits_a_hundredth_apart_are_in_order(name):
    z = np.arange(-75000, 75000) / 100.0
    rise = np.diff(call(name, z))
    assert (rise >= 0).all()
    assert (rise[(z[1:] > -700) & (z[1:] < 29)] > 0).all()


@given(st.floats(1e-300, 1.0, exclude_max=True), st.floats(0.0, 1e-3))
def test_a_larger_probability_has_a_larger_logit(y, share):
    larger = min(y * (1 + share), 1.0)
    assert fl.logit(larger) >= np.nextafter(fl.logit(y), -np.inf)


@given(st.floats(-740.0, 5.0))
def test_logit_undoes_sigmoid(z):
    y = fl.sigmoid(z)
    assume(y >= np.finfo(np.float64).tiny)
    # Half an ULP of y times the derivative of logit, and the rounding of logit itself.
    rounding = 0.51 * np.spacing(y) / (y * (1.0 - y))
    assert abs(fl.logit(y) - z) <= 1.01 * rounding + 0.6 * np.spacing(abs(z))


@given(logits, probabilities)
def test_the_loss_is_linear_in_the_target(z, t):
    losses = [Fraction(float(fl.logistic_loss(z, label))) for label in (0.0, 1.0, t)]
    combined = (1 - Fraction(t)) * losses[0] + Fraction(t) * losses[1]
    assert abs(losses[2] - combined) <= 2 * Fraction(float(np.spacing(float(losses[2]))))


@given(st.floats(-700.0, 700.0), probabilities)
def test_the_residual_is_the_derivative_of_the_loss(z, t):
    h = 2.0**-12
    assume(z + h - (z - h) == 2 * h)
    after, before = fl.logistic_loss([z + h, z - h], t)
    slope = (after - before) / (2 * h)
    # Bounds: the third derivative of the loss, and the rounding of the two losses.
    curved = h * h / 6 * fl.sigmoid_derivative(z) * 1.01
    assert abs(slope - fl.residual(z, t)) <= curved + 1.3 * np.spacing(max(after, before)) / h


@given(st.floats(1e-3, 0.999), probabilities)
def test_the_derivative_of_cross_entropy_is_its_slope(y, t):
    h = min(y, 1 - y) * 2.0**-12
    after, before = fl.cross_entropy([y + h, y - h], t)
    width = (y + h) - (y - h)
    third = 2 * t / (y - h) ** 3 + 2 * (1 - t) / (1 - y - h) ** 3
    allowed = h * h / 6 * third + (2 * np.spacing(max(after, before))) / h
    # y ± h are rounded: the middle moves by an ULP.
    curvature = t / (y - h) ** 2 + (1 - t) / (1 - y - h) ** 2
    allowed += 2 * np.spacing(y) * curvature
    assert abs((after - before) / width - fl.cross_entropy_derivative(y, t)) <= allowed


@given(logits)
def test_softplus_of_z_and_of_minus_z_differ_by_z(z):
    up, down = float(fl.softplus(z)), float(fl.softplus(-z))
    difference = Fraction(up) - Fraction(down) - Fraction(z)
    assert abs(difference) <= Fraction(0.8) * Fraction(float(np.spacing(up) + np.spacing(down)))


@every_dtype
def test_the_loss_and_residual_of_labels_are_softplus_and_sigmoid_to_the_bit(dtype):
    z = np.append(every_exponent("z", dtype), [np.inf, -np.inf, np.nan]).astype(dtype)
    ones, zeros = np.ones_like(z), np.zeros_like(z)
    assert np.array_equal(fl.logistic_loss(z, ones), -fl.log_sigmoid(z), equal_nan=True)
    assert np.array_equal(fl.logistic_loss(z, zeros), fl.softplus(z), equal_nan=True)
    assert np.array_equal(fl.residual(z, zeros), fl.sigmoid(z), equal_nan=True)
    assert np.array_equal(fl.residual(z, ones), -fl.sigmoid(-z), equal_nan=True)


@pytest.mark.parametrize("label", [np.int8, np.uint16, np.bool_])
@every_dtype
def test_labels_of_any_dtype_give_the_same_bits(label, dtype):
    z = adversarial(("z",), dtype, special=True)[0]
    for value in (0, 1):
        hard, soft = np.full(z.shape, value, label), np.full(z.shape, value, dtype)
        for name in ("logistic_loss", "residual"):
            assert same_bits(call(name, z, hard), call(name, z, soft))


# Large arrays, on several threads ---------------------------------------------------------

N = 2 * PART + 333
THREADS = [1, 2, 3]


def large(name: str, shape=(N,), dtype=np.float64) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    z = (
        rng.normal(0.0, 100.0, shape)
        if FUNCTIONS[name].arguments[0] == "z"
        else rng.uniform(size=shape)
    )
    z[::1000] = np.nan
    t = rng.choice([0.0, 1.0, 0.7], shape)
    return [array.astype(dtype) for array in (z, t)][: len(FUNCTIONS[name].arguments)]


def alone(name: str, args: list[np.ndarray]) -> np.ndarray:
    """The result of calls that are too short for a second thread."""
    flat = [arg.ravel() for arg in args]
    starts = range(0, flat[0].size, 1000)
    results = [call(name, *(arg[start : start + 1000] for arg in flat)) for start in starts]
    return np.concatenate(results).reshape(args[0].shape)


@every_function
@every_dtype
def test_the_number_of_threads_changes_no_bit(name, dtype):
    args = large(name, dtype=dtype)
    expected = alone(name, args)
    for threads in THREADS:
        assert same_bits(call(name, *args, threads=threads), expected)
        out = np.empty_like(expected)
        assert call(name, *args, out, threads=threads) is out
        assert same_bits(out, expected)


@every_function
@pytest.mark.parametrize("threads", THREADS)
def test_strides_and_shapes_change_no_bit_of_large_arrays(name, threads):
    args = large(name)
    expected = alone(name, args)
    tables = [np.stack([arg, arg + 1, arg], axis=1) for arg in args]
    doubled = [np.repeat(arg, 2) for arg in args]
    cubes = [arg[: N // 30 * 30].reshape(N // 30, 5, 6) for arg in args]
    assert same_bits(call(name, *(table[:, 2] for table in tables), threads=threads), expected)
    assert same_bits(call(name, *(arg[::2] for arg in doubled), threads=threads), expected)
    assert same_bits(call(name, *(arg[::-1] for arg in args), threads=threads), expected[::-1])
    for axes in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        turned = [cube.transpose(axes) for cube in cubes]
        whole = expected[: N // 30 * 30].reshape(cubes[0].shape).transpose(axes)
        assert same_bits(call(name, *turned, threads=threads), whole)


@every_binary
@pytest.mark.parametrize("threads", THREADS)
def test_large_arrays_are_broadcast(name, threads):
    first, targets = large(name, (300, 300))
    rows, columns = np.ascontiguousarray(targets[0]), np.ascontiguousarray(targets[:, :1])
    for other in (rows, columns, 0.7, np.float64(1.0)):
        expected = alone(name, [first, np.broadcast_to(other, first.shape)])
        assert same_bits(call(name, first, other, threads=threads), expected)
    wide = call(name, first.ravel(), columns[:3], threads=threads)
    assert wide.shape == (3, 90_000)
    for row in range(3):
        expected = alone(name, [first.ravel(), np.repeat(columns[row], 90_000)])
        assert same_bits(wide[row], expected)


@every_function
@pytest.mark.parametrize("threads", THREADS)
def test_the_output_of_large_arrays_may_be_an_input(name, threads):
    for chosen in range(len(FUNCTIONS[name].arguments)):
        args = large(name)
        expected = alone(name, args)
        assert call(name, *args, out=args[chosen], threads=threads) is args[chosen]
        assert same_bits(args[chosen], expected)


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize(
    ("source", "target"),
    [
        (slice(1, None), slice(None, -1)),
        (slice(None, -1), slice(1, None)),
        (slice(None), slice(None, None, -1)),
        (slice(PART, None), slice(None, -PART)),
    ],
)
def test_the_output_of_large_arrays_may_overlap_an_input(source, target, threads):
    (z,) = large("sigmoid")
    expected = alone("sigmoid", [z[source]])
    fl.sigmoid(z[source], out=z[target], threads=threads)
    assert same_bits(z[target], expected)


@pytest.mark.parametrize("threads", THREADS)
def test_a_column_as_output_of_large_arrays_leaves_the_others_alone(threads):
    (z,) = large("sigmoid")
    table = np.full((N, 3), 7.0)
    fl.sigmoid(z, out=table[:, 1], threads=threads)
    assert same_bits(table[:, 1], alone("sigmoid", [z]))
    assert (table[:, [0, 2]] == 7.0).all()


@pytest.mark.parametrize("threads", THREADS)
def test_large_float32_targets_do_not_narrow_float64_logits(threads):
    z, t = large("residual")
    got = fl.residual(z, t.astype(np.float32), threads=threads)
    assert same_bits(got, alone("residual", [z, t.astype(np.float32).astype(np.float64)]))


# Arguments that are accepted ---------------------------------------------------------------


@pytest.mark.parametrize("n", [7, N])
def test_where_keeps_the_other_elements_of_out(n):
    z = np.linspace(-5.0, 5.0, n)
    chosen = np.arange(n) % 3 == 0
    out = np.full(n, 7.0)
    assert fl.sigmoid(z, out, where=chosen, threads=2) is out
    assert same_bits(out, np.where(chosen, fl.sigmoid(z), 7.0))


@every_function
@pytest.mark.parametrize("n", [6, N])
def test_dtype_is_the_type_of_the_computation(name, n):
    args = large(name, (n,))
    narrow = [arg.astype(np.float32) for arg in args]
    assert same_bits(call(name, *args, dtype=np.float32, threads=2), call(name, *narrow))
    wide = [arg.astype(np.float64) for arg in narrow]
    assert same_bits(call(name, *narrow, dtype="float64", threads=2), call(name, *wide))


ALL_FLOAT16 = np.arange(2**16).astype(np.uint16).view(np.float16)


@every_function
@pytest.mark.parametrize("repeated", [1, 4])
def test_float16_is_computed_in_float32_and_rounded(name, repeated):
    given = [np.tile(ALL_FLOAT16, repeated), np.full(2**16 * repeated, 0.3, np.float16)]
    args = given[: len(FUNCTIONS[name].arguments)]
    got = call(name, *args)
    wide = call(name, *(arg.astype(np.float32) for arg in args))
    assert wide.dtype == np.float32
    with np.errstate(all="ignore"):
        assert same_bits(got, wide.astype(np.float16))
    assert same_bits(call(name, *args, out=np.empty_like(got)), got)


class Foreign:
    """An array of another library: NumPy passes calls on to it."""

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        return ufunc.__name__, method, options

    def __array__(self, *args, **options):
        raise AssertionError("it must not be converted")


@every_function
def test_arrays_of_other_libraries_are_passed_on(name):
    args = [Foreign(), 1.0][: len(FUNCTIONS[name].arguments)]
    assert call(name, *args) == (name, "__call__", {})
    assert call(name, *args[::-1], where=False) == (name, "__call__", {"where": False})


def test_series_give_series_with_their_index():
    pd = pytest.importorskip("pandas")
    values = pd.Series([0.0, 1.0], index=["a", "b"])
    expected = fl.sigmoid(values.to_numpy())
    for series in (values, values.astype(pd.SparseDtype(float)), values.astype("Float64")):
        got = fl.sigmoid(series)
        assert isinstance(got, pd.Series)
        assert got.tolist() == expected.tolist()
        assert got.index.tolist() == ["a", "b"]
    out = np.empty(2)
    fl.sigmoid(values, out=out)
    assert out.tolist() == expected.tolist()


@every_binary
def test_large_arrays_broadcast_to_an_empty_shape(name):
    assert call(name, np.full(N, 0.5), np.ones((0, 1)), threads=2).shape == (0, N)


ONE_OF_EACH_TYPE = [
    *(np.ones(1, code) for code in "?bBhHiIlLefd"),
    *(np.dtype(code).type(1) for code in "?bhlefd"),
    *(True, 1, 1.0, [True], [1], [1.0], np.ones((), np.int8), np.ones((2, 0), np.float16)),
]


@every_function
def test_the_result_has_the_type_of_numpys_functions(name):
    like = np.exp if name in UNARY else np.logaddexp
    for args in itertools.product(ONE_OF_EACH_TYPE, repeat=len(FUNCTIONS[name].arguments)):
        got, expected = call(name, *args), like(*args)
        assert type(got) is type(expected), args
        assert got.dtype == expected.dtype, args


@every_function
def test_lists_numbers_and_empty_arrays_are_accepted(name):
    k = len(FUNCTIONS[name].arguments)
    (expected,) = call(name, *([np.array([0.5])] * k))
    assert call(name, *([0.5] * k)) == expected
    assert call(name, *([[0.5, 0.5]] * k)).tolist() == [expected, expected]
    assert call(name, *([[]] * k)).shape == (0,)
    assert np.ndim(call(name, *([0.5] * k))) == 0


@every_function
@pytest.mark.parametrize("n", [6, N])
@pytest.mark.parametrize("threads", [1, 2])
def test_inputs_may_be_read_only_and_are_not_modified(name, n, threads):
    args = large(name, (n,))
    before = [arg.copy() for arg in args]
    for arg in args:
        arg.flags.writeable = False
    call(name, *args, threads=threads)
    assert all(same_bits(arg, copy) for arg, copy in zip(args, before, strict=True))


def test_big_endian_numbers_are_read_by_value():
    z = np.linspace(-5.0, 5.0, N)
    assert same_bits(fl.sigmoid(z.astype(">f8"), threads=2), fl.sigmoid(z))


class Unusual(np.ndarray):
    """Another library's array."""


@pytest.mark.parametrize("n", [6, N])
def test_subclasses_of_arrays_are_kept(n):
    assert type(fl.sigmoid(np.linspace(-1, 1, n).view(Unusual), threads=2)) is Unusual


def test_masked_arrays_keep_their_mask():
    z = np.ma.masked_greater(np.linspace(-1.0, 1.0, N), 0.5)
    got = fl.sigmoid(z, threads=2)
    assert (got.mask == z.mask).all()
    assert (fl.residual(np.zeros(N), z, threads=2).mask == z.mask).all()


# Arguments that are errors -----------------------------------------------------------------

WRONG = [
    np.array(["a"]),
    np.array([1.0], dtype=object),
    np.array([1j]),
    np.array(["2013-01-01"], dtype="M8[D]"),
    None,
    "1.5",
    1j,
    [None],
]


@every_function
@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_an_argument_that_is_not_real_is_a_type_error(name, wrong):
    for position, argument in enumerate(FUNCTIONS[name].arguments):
        args = [0.5] * len(FUNCTIONS[name].arguments)
        args[position] = wrong
        with pytest.raises(TypeError, match=rf"^{argument} must hold real numbers; got dtype"):
            call(name, *args)


@pytest.mark.parametrize("dtype", [object, "U4", complex])
def test_a_large_array_that_is_not_real_is_a_type_error(dtype):
    z = np.ones(N)
    with pytest.raises(TypeError, match=r"^z must hold real numbers"):
        fl.sigmoid(z.astype(dtype), threads=2)
    with pytest.raises(TypeError, match=r"^t must hold real numbers"):
        fl.residual(z, z.astype(dtype), threads=2)


@pytest.mark.parametrize("n", [6, N])
def test_shapes_that_cannot_be_broadcast_are_an_error(n):
    z, out = np.ones(n), np.full(n - 1, 7.0)
    with pytest.raises(ValueError, match=r"^z and t must have shapes that can be broadcast"):
        fl.residual(z, np.ones(5), threads=2)
    with pytest.raises(ValueError, match=r"^out must have shape "):
        fl.sigmoid(z, out, threads=2)
    assert (out == 7.0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones(3), np.ones(4)), r"z and t must have shapes .*; got \(3,\) and \(4,\)"),
        ((0.5, [[1], [1, 0]]), "t must have rows of the same length"),
        (([[1], [1, 0]], 1), "z must have rows of the same length"),
        ((np.ones(3), np.ones(3), np.ones(4)), r"out must have shape \(3,\); got \(4,\)"),
        ((np.ones(3), np.ones(3), [0.0] * 3), "out must be an array; got list"),
    ],
)
def test_the_error_of_a_shape_names_the_argument(arguments, message):
    with pytest.raises((TypeError, ValueError), match=f"^{message}"):
        fl.logistic_loss(*arguments)


@pytest.mark.parametrize("n", [6, N])
def test_an_output_that_cannot_hold_the_result_is_an_error(n):
    z = np.ones(n)
    read_only = np.full(n, 7.0)
    read_only.flags.writeable = False
    with pytest.raises(ValueError, match=r"^out must be writeable; it is read-only"):
        fl.sigmoid(z, read_only, threads=2)
    integers = np.full(n, 7)
    with pytest.raises(TypeError, match=r"^out must be float64, .*; got dtype int64"):
        fl.sigmoid(z, integers, threads=2)
    assert (read_only == 7.0).all()
    assert (integers == 7).all()


@pytest.mark.parametrize(
    ("where", "got"),
    [
        (pd.NA, "got <NA>"),
        (None, "got None"),
        ([1, 0], "got dtype int64"),
        (pd.Series([1.0, 0.0]), "got dtype float64"),
        ([True, pd.NA], "got dtype object"),
        ([[True], [True, False]], "got dtype object"),
    ],
    ids=str,
)
def test_a_where_that_is_not_bool_is_an_error(where, got):
    with pytest.raises(TypeError, match=f"^where must be True, False or an array of .*; {got}"):
        fl.sigmoid(np.ones(2), out=np.empty(2), where=where)


def test_where_may_be_of_any_library_and_must_have_a_fitting_shape():
    for where in (pd.Series([True, False]), pl.Series([True, False]), [True, False]):
        assert fl.sigmoid(np.zeros(2), out=np.full(2, 7.0), where=where).tolist() == [0.5, 7.0]
    with pytest.raises(ValueError, match=r"^where must have a shape .* \(2,\); got \(3,\)"):
        fl.sigmoid(np.zeros(2), out=np.empty(2), where=[True] * 3)


@pytest.mark.parametrize("out", [pd.NA, (1,), [0.0, 0.0], "a", 1.0, np.zeros(2, "M8[s]")], ids=str)
@every_function
def test_an_out_that_is_not_an_array_of_floats_is_an_error(name, out):
    with pytest.raises(TypeError, match=r"^out must be (an array|float64)"):
        call(name, *[np.full(2, 0.5)] * len(FUNCTIONS[name].arguments), out)


@every_function
def test_an_integer_too_large_for_a_float_is_an_error(name):
    for position, argument in enumerate(FUNCTIONS[name].arguments):
        args = [0.5] * len(FUNCTIONS[name].arguments)
        args[position] = 10**400
        with pytest.raises(
            TypeError, match=f"^{argument} must hold real numbers; got dtype object"
        ):
            call(name, *args)


@every_function
def test_numbers_of_more_than_64_bits_are_an_error_with_a_remedy(name):
    for position, argument in enumerate(FUNCTIONS[name].arguments):
        args = [np.full(2, 0.5)] * len(FUNCTIONS[name].arguments)
        args[position] = np.full(2, 0.5, np.longdouble)
        with pytest.raises(TypeError, match=rf"^{argument} must .* 64 bits; got .*\(.astype"):
            call(name, *args)


@every_function
@pytest.mark.parametrize("n", [1, N])
@pytest.mark.parametrize(
    "dtype", ["int64", int, bool, "f2", np.longdouble, complex, object, "U4", ">f8", "x", "i,,", {}]
)
def test_any_other_dtype_is_an_error(name, n, dtype):
    args = [np.full(n, 0.5)] * len(FUNCTIONS[name].arguments)
    with pytest.raises(TypeError, match=r"^dtype must be float32 or float64; got "):
        call(name, *args, dtype=dtype, threads=2)


@every_function
@pytest.mark.parametrize("n", [1, N])
@pytest.mark.parametrize(
    ("threads", "error"),
    [(0, ValueError), (-1, ValueError), (10**6, ValueError), (1.5, TypeError), ("2", TypeError)],
)
def test_an_invalid_number_of_threads_is_an_error(name, n, threads, error):
    args = [np.full(n, 0.5)] * len(FUNCTIONS[name].arguments)
    with pytest.raises(error, match=r"^threads must be"):
        call(name, *args, threads=threads)
