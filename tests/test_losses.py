"""Loss and gradient over arrays of logits: accuracy, agreement, and checks of arguments."""

from __future__ import annotations

import math
import re
from collections import Counter
from fractions import Fraction
from functools import partial
from itertools import product

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import fastlogit as fl
from fastlogit import losses
from fastlogit.core.threads import PART
from fastlogit.core.ulp import ulp
from fastlogit.kernels import jit, sums
from tests.odd_arguments import TARGETS, Text, all_happened, compared, odd, odd_arrays
from tests.references import multiprecision
from tests.references.multiprecision import same_bits

N = 2 * PART + 333
THREADS = [1, 2, 3, 4]
DTYPES = [np.float32, np.float64]
every_dtype = pytest.mark.parametrize("dtype", DTYPES)


def sample(n: int, *, soft: bool = True, dtype=np.float64, seed: int = 1) -> tuple:
    """Logits, targets and weights."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0.0, 10.0, n).astype(dtype)
    t = rng.choice([0.0, 1.0, 0.3] if soft else [0.0, 1.0], n)
    return z, t, rng.choice([0.0, 0.5, 1.0, 3.0, 1e-5], n)


# Accuracy ---------------------------------------------------------------------------------


def exact_loss(z, t, weight=None) -> mpmath.mpf:
    weight = np.ones(len(z)) if weight is None else weight
    with mpmath.workprec(multiprecision.PRECISION):
        terms = zip(weight.tolist(), z.tolist(), t.tolist(), strict=True)
        return mpmath.fsum(w * multiprecision.logistic_loss(z_i, t_i) for w, z_i, t_i in terms)


REGIONS = {
    "middle": lambda rng, n: (rng.normal(0, 3, n), rng.choice([0.0, 1.0], n)),
    "soft": lambda rng, n: (rng.normal(0, 10, n), rng.uniform(size=n)),
    "far tail": lambda rng, n: (rng.uniform(30, 700, n), np.ones(n)),
    "other far tail": lambda rng, n: (rng.uniform(-700, -30, n), np.zeros(n)),
    "wrong side": lambda rng, n: (rng.uniform(-700, -30, n), np.ones(n)),
    "every size": lambda rng, n: (np.exp(rng.uniform(-700, 700, n)), rng.choice([0.0, 1.0], n)),
    "subnormal": lambda rng, n: (rng.uniform(730, 745, n), np.ones(n)),
}


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("n", [1, 7, 500])
@pytest.mark.parametrize("weighted", [False, True])
def test_summation_adds_at_most_two_ulp_to_the_error_of_the_terms(region, n, weighted):
    rng = np.random.default_rng(2)
    z, t = REGIONS[region](rng, n)
    weight = rng.uniform(0.5, 2.0, n) if weighted else None
    exact = exact_loss(z, t, weight)
    scale = np.ones(n) if weight is None else weight
    # 0.8 ULP for each term; with a weight also the rounding of the product.
    of_terms = 0.8 * np.sum(scale * np.spacing(fl.logistic_loss(z, t)))
    if weighted:
        of_terms += 0.5 * np.sum(np.spacing(scale * fl.logistic_loss(z, t)))
    allowed = 2 * ulp(exact, np.float64) + float(of_terms)
    assert abs(mpmath.mpf(fl.log_loss(z, t, weight)) - exact) <= allowed


@pytest.mark.parametrize("n", [1, 2, 31, 32, 33, 1023, 1024, 1025, PART + 1, N, 10**6])
@pytest.mark.parametrize("soft", [False, True])
def test_the_error_of_a_sum_does_not_grow_with_its_length(n, soft):
    z, t, _ = sample(n, soft=soft)
    exact = math.fsum(fl.logistic_loss(z, t))
    assert abs(fl.log_loss(z, t) - exact) <= 2 * np.spacing(exact)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_hundred_million_terms_are_added_within_the_documented_error(dtype):
    n = 10**8
    z, t = np.broadcast_to(dtype(-1.3), n), np.broadcast_to(np.int8(0), n)
    with mpmath.workprec(200):
        exact = n * mpmath.log1p(mpmath.exp(mpmath.mpf(float(dtype(-1.3)))))
        # Every group of terms has the same error.
        allowed = exact * (20 * 2.0**-53 if dtype is np.float64 else 2.0**-30)
        assert abs(fl.log_loss(z, t) - exact) <= allowed


def test_small_terms_are_not_lost_beside_a_large_one():
    z, t = np.full(N, -1.5), np.zeros(N)
    z[5] = 3e15
    terms = fl.logistic_loss(z, t)
    exact = math.fsum(terms)
    assert abs(fl.log_loss(z, t) - exact) <= 2 * np.spacing(exact)
    assert abs(np.cumsum(terms)[-1] - exact) > 1000 * np.spacing(exact)  # a plain sum loses them


@given(
    hnp.arrays(np.float64, st.integers(1, 200), elements=st.floats(-750, 750)),
    st.integers(0, 2**32),
)
def test_the_loss_is_the_sum_of_the_losses_of_elements(z, seed):
    t = np.random.default_rng(seed).choice([0.0, 1.0, 0.3], z.size)
    exact = math.fsum(fl.logistic_loss(z, t))
    assert abs(fl.log_loss(z, t) - exact) <= 2 * np.spacing(exact)


@pytest.mark.parametrize("target", [np.float32, np.int8, np.bool_])
def test_float32_terms_are_added_unrounded(target):
    z, t, _ = sample(5000, soft=target == np.float32, dtype=np.float32)
    t = t.astype(target)
    exact = math.fsum(fl.logistic_loss(z.astype(np.float64), t))
    loss = fl.log_loss(z, t)
    assert abs(loss - exact) <= 2 * np.spacing(exact)  # their errors cancel
    # A sum of rounded terms is further off.
    assert abs(math.fsum(fl.logistic_loss(z, t.astype(np.float32))) - exact) > abs(loss - exact)


@pytest.mark.parametrize("label", [0.0, 1.0])
@pytest.mark.parametrize(("low", "high"), [(0.0, 20.0), (20.0, 100.0), (110.0, 700.0)])
def test_float32_tails_are_added_unrounded(label, low, high):
    z = np.random.default_rng(6).uniform(low, high, 100).astype(np.float32)
    for signed in (z, -z):
        exact = math.fsum(fl.logistic_loss(signed.astype(np.float64), label))
        loss = fl.log_loss(signed, np.full(100, label, np.float32))
        assert abs(loss - exact) <= 2.0**-30 * exact


@pytest.mark.parametrize("n", [1, sums.BLOCK, 3000, N])
def test_the_losses_of_two_halves_add_up_to_the_whole(n):
    z, t, weight = sample(n)
    for cut in {0, 1, n // 2, n - 1} - {0, n}:
        first = fl.log_loss(z[:cut], t[:cut], weight[:cut])
        second = fl.log_loss(z[cut:], t[cut:], weight[cut:])
        whole = fl.log_loss(z, t, weight)
        assert abs(Fraction(first) + Fraction(second) - Fraction(whole)) <= 4 * np.spacing(whole)


@pytest.mark.parametrize("n", [1, 100, N])
def test_a_weight_is_a_repetition(n):
    z, t, _ = sample(n)
    times = np.random.default_rng(3).integers(0, 4, n)
    times[0] = 2
    repeated = fl.log_loss(np.repeat(z, times), np.repeat(t, times))
    # Each product with a weight of 3 is rounded: half an ULP of every term.
    assert abs(fl.log_loss(z, t, times.astype(float)) - repeated) <= 4.5 * np.spacing(repeated)


@pytest.mark.parametrize("n", [5, 3000, N])
def test_an_element_with_weight_zero_is_ignored_for_any_logit(n):
    z, t, weight = sample(n)
    weight[::3] = 0.0
    weight[1] = 1.0
    kept = weight > 0
    loss, gradient = fl.log_loss_gradient(z, t, weight)
    for ignored in (np.nan, np.inf, -np.inf, 1e308, 0.0):
        z[::3] = ignored
        again, slopes = fl.log_loss_gradient(z, t, weight)
        assert same_bits(again, loss)
        assert same_bits(slopes, gradient)
    assert (gradient[::3] == 0).all()
    without = fl.log_loss(z[kept], t[kept], weight[kept])
    assert abs(loss - without) <= 4 * np.spacing(without)


def test_the_loss_is_zero_if_all_weights_are_zero():
    z, t, _ = sample(100)
    loss, gradient = fl.log_loss_gradient(z, t, np.zeros(100))
    assert loss == 0.0
    assert (gradient == 0.0).all()


# Loss, gradient and the elementwise functions agree ----------------------------------------


@every_dtype
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("n", [1, 9, 1025, N])
def test_the_gradient_is_the_residual_to_the_bit(dtype, soft, n):
    z, t, weight = sample(n, soft=soft, dtype=dtype)
    t = t.astype(dtype)
    loss, gradient = fl.log_loss_gradient(z, t)
    assert type(loss) is float
    assert gradient.dtype == dtype
    assert same_bits(gradient, fl.residual(z, t))
    z, t = z.astype(np.float64), t.astype(np.float64)
    assert np.array_equal(fl.log_loss_gradient(z, t, weight)[1], fl.residual(z, t) * weight)


def test_float64_targets_of_float32_logits_are_not_narrowed():
    z, t, _ = sample(1000, dtype=np.float32)
    gradient = fl.log_loss_gradient(z, t)[1]
    assert gradient.dtype == np.float32
    assert same_bits(gradient, fl.residual(z, t).astype(np.float32))


# Each kernel takes a second to compile, so labels have one reduction, with weights or without.
@pytest.mark.parametrize(
    ("dtype", "target", "reductions", "weights"),
    [
        (np.float64, np.float64, ["sum", "mean"], [False, True]),
        (np.float32, np.float32, ["sum", "mean"], [False, True]),
        (np.float64, np.int8, ["sum"], [False]),
        (np.float32, np.int8, ["sum"], [False]),
        (np.float64, np.bool_, ["mean"], [True]),
    ],
)
def test_the_loss_alone_is_the_loss_with_the_gradient(dtype, target, reductions, weights):
    z, t, weight = sample(3000, soft=np.dtype(target).kind == "f", dtype=dtype)
    t = t.astype(target)
    for reduction, weighted in product(reductions, weights):
        given = (z, t, weight if weighted else None)
        alone = fl.log_loss(*given, reduction=reduction)
        assert same_bits(fl.log_loss_gradient(*given, reduction=reduction)[0], alone)


@pytest.mark.parametrize("n", [1, 1000, N])
def test_one_element_is_its_loss_and_residual(n):
    z, t, _ = sample(n)
    for i in {0, n // 2, n - 1}:
        loss, gradient = fl.log_loss_gradient(z[i : i + 1], t[i : i + 1])
        assert abs(loss - fl.logistic_loss(z[i], t[i])) <= 5 * 2.0**-53 * loss
        assert same_bits(gradient, fl.residual(z[i : i + 1], t[i : i + 1]))


# The same bits ----------------------------------------------------------------------------


@every_dtype
@pytest.mark.parametrize("n", [100, N, 5 * PART])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_the_number_of_threads_changes_no_bit(dtype, n, reduction):
    z, t, weight = sample(n, dtype=dtype)
    t = t.astype(dtype)
    results = [
        fl.log_loss_gradient(z, t, weight, reduction=reduction, threads=threads)
        for threads in THREADS
    ]
    for threads, (loss, gradient) in zip(THREADS, results, strict=True):
        assert same_bits(fl.log_loss(z, t, weight, reduction=reduction, threads=threads), loss)
        assert same_bits(loss, results[0][0])
        assert same_bits(gradient, results[0][1])


@pytest.mark.parametrize("n", [100, N])
def test_strides_change_no_bit(n):
    z, t, weight = sample(n)
    loss, gradient = fl.log_loss_gradient(z, t, weight)
    table = np.stack([z, t, weight], axis=1)
    reverse = [np.ascontiguousarray(array[::-1])[::-1] for array in (z, t, weight)]
    for columns in (table.T, reverse):
        again, slopes = fl.log_loss_gradient(*columns)
        assert same_bits(again, loss)
        assert same_bits(slopes, gradient)


def test_columns_of_unaligned_records_change_no_bit():
    z, t, _ = sample(N, soft=False)
    records = np.zeros(N, dtype=[("name", "S3"), ("z", "f8"), ("t", "f4")])
    records["z"], records["t"] = z, t
    assert not records["z"].flags.aligned
    loss, gradient = fl.log_loss_gradient(z, t)
    again, slopes = fl.log_loss_gradient(records["z"], records["t"])
    assert same_bits(again, loss)
    assert same_bits(slopes, gradient)


@pytest.mark.parametrize("target", [np.float32, np.int8, np.bool_])
def test_labels_of_any_dtype_give_the_same_bits(target):
    z, t, _ = sample(3000, soft=False)
    loss, gradient = fl.log_loss_gradient(z, t)
    again, slopes = fl.log_loss_gradient(z, t.astype(target))
    assert same_bits(again, loss)
    assert same_bits(slopes, gradient)
    narrow = z.astype(np.float32)
    expected = fl.log_loss_gradient(narrow, t.astype(np.float32))
    again, slopes = fl.log_loss_gradient(narrow, t.astype(target))
    assert same_bits(again, expected[0])
    assert same_bits(slopes, expected[1])


@every_dtype
def test_a_soft_target_elsewhere_changes_no_bit(dtype):
    z, t, weight = sample(3000, soft=False, dtype=dtype)
    z[:8] = [0.0, -0.0, 745.1, -745.1, 1e-300, 40.0, -40.0, 1e30]
    t, weight = t.astype(dtype), np.ones(3000)
    t[-1], weight[-1] = 1.0, 0.0
    loss, gradient = fl.log_loss_gradient(z, t, weight)
    t[-1] = 0.5
    again, slopes = fl.log_loss_gradient(z, t, weight)
    assert same_bits(again, loss)
    assert same_bits(slopes, gradient)


@pytest.mark.parametrize("size", [1e300, 1e-60])
def test_a_mean_in_float32_divides_before_it_rounds(size):
    z = np.array([1.0, 2.0], np.float32)
    loss, slopes = fl.log_loss_gradient(z, [0, 0], [size, 3 * size], reduction="mean")
    expected, expected_slopes = fl.log_loss_gradient(z, [0, 0], [0.25, 0.75])
    assert loss == pytest.approx(expected, rel=1e-15)
    np.testing.assert_array_equal(slopes, expected_slopes)


def test_a_mean_is_the_sum_divided_by_the_weights():
    z, t, weight = sample(N)
    loss, gradient = fl.log_loss_gradient(z, t)
    mean, slopes = fl.log_loss_gradient(z, t, reduction="mean")
    assert same_bits(mean, loss / N)
    assert same_bits(slopes, gradient / N)
    loss, gradient = fl.log_loss_gradient(z, t, weight)
    mean, slopes = fl.log_loss_gradient(z, t, weight, reduction="mean")
    assert same_bits(mean, loss / weight.sum())
    assert same_bits(slopes, gradient / weight.sum())


# Limits -----------------------------------------------------------------------------------


@every_dtype
@pytest.mark.parametrize(
    ("z", "t", "loss", "gradient"),
    [
        (np.inf, 1.0, 0.0, 0.0),
        (np.inf, 0.0, np.inf, 1.0),
        (-np.inf, 1.0, np.inf, -1.0),
        (-np.inf, 0.0, 0.0, 0.0),
        (np.inf, 0.25, np.inf, 0.75),
        (-np.inf, 0.25, np.inf, -0.25),
        (np.nan, 0.0, np.nan, np.nan),
        (np.nan, 1.0, np.nan, np.nan),
        (np.nan, 0.5, np.nan, np.nan),
    ],
)
@pytest.mark.parametrize("n", [1, 100, N])
def test_limits_are_right(z, t, loss, gradient, n, dtype):
    # The other logits are infinite on the right side: their loss is 0.
    logits = np.full(n, np.inf, dtype)
    targets = np.ones(n, dtype)
    logits[n // 2], targets[n // 2] = z, t
    got, slopes = fl.log_loss_gradient(logits, targets)
    np.testing.assert_equal(got, loss)
    np.testing.assert_array_equal(slopes[n // 2], dtype(gradient))
    assert (np.delete(slopes, n // 2) == 0).all()
    np.testing.assert_equal(fl.log_loss(logits, targets), loss)


@pytest.mark.parametrize("n", [2, 40, 5000, N])
def test_a_loss_that_overflows_is_infinite(n):
    assert fl.log_loss(np.full(n, 1.7e308), np.zeros(n)) == np.inf
    assert fl.log_loss(np.full(n, -np.inf), np.ones(n)) == np.inf
    mixed = np.resize([np.inf, np.nan], n)
    assert np.isnan(fl.log_loss(mixed, np.zeros(n)))


def test_the_tails_are_not_lost():
    assert fl.log_loss([40.0], [1]) == 4.248354255291589e-18
    assert fl.log_loss([-745.1], [0]) == 5e-324
    assert fl.log_loss([40.0, -40.0], [1, 0]) == 2 * 4.248354255291589e-18


# Arguments that are accepted ---------------------------------------------------------------


def test_masked_arrays_without_masked_elements_are_accepted():
    z = np.ma.masked_array([0.5, 1.0], mask=[False, False])
    assert fl.log_loss(z, [0, 1]) == fl.log_loss([0.5, 1.0], [0, 1])


def test_lists_are_accepted():
    loss, gradient = fl.log_loss_gradient([0, 0], [1, 0], [2, 1], reduction="mean")
    assert loss == math.log(2.0)
    assert gradient.tolist() == [-0.5 * 2 / 3, 0.5 / 3]


@pytest.mark.parametrize("dtype", [np.uint16, np.int64, np.bool_])
def test_integer_logits_are_accepted(dtype):
    z = np.array([0, 1, 1, 0], dtype)
    t = np.array([0.0, 1.0, 0.5, 1.0])
    loss, gradient = fl.log_loss_gradient(z, t)
    expected = fl.log_loss_gradient(z.astype(np.float64), t)
    assert same_bits(loss, expected[0])
    assert same_bits(gradient, expected[1])


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_gradient_may_be_put_into_any_argument(reduction, threads):
    for chosen in range(3):
        args = sample(N)
        loss, gradient = fl.log_loss_gradient(*args, reduction=reduction)
        got, out = fl.log_loss_gradient(
            *args, out=args[chosen], reduction=reduction, threads=threads
        )
        assert out is args[chosen]
        assert same_bits(got, loss)
        assert same_bits(out, gradient)


@every_dtype
def test_the_gradient_may_be_put_into_a_column(dtype):
    z, t, weight = sample(N)
    table = np.full((N, 3), 7.0, dtype)
    _, out = fl.log_loss_gradient(z, t, weight, out=table[:, 1], threads=2)
    assert same_bits(table[:, 1], fl.log_loss_gradient(z, t, weight)[1].astype(dtype))
    assert np.shares_memory(out, table)
    assert (table[:, [0, 2]] == 7.0).all()


@pytest.mark.parametrize("n", [5, N])
def test_inputs_may_be_read_only_and_are_not_modified(n):
    args = sample(n)
    before = [arg.copy() for arg in args]
    for arg in args:
        arg.flags.writeable = False
    for reduction in ("sum", "mean"):
        fl.log_loss_gradient(*args, reduction=reduction, threads=2)
    assert all(same_bits(arg, copy) for arg, copy in zip(args, before, strict=True))


# Arguments that are errors -----------------------------------------------------------------


def read_only(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def with_element(value: float, n: int = 4) -> np.ndarray:
    array = np.full(n, 0.5)
    array[n // 2] = value
    return array


def masked(value: float) -> np.ma.MaskedArray:
    return np.ma.masked_equal(with_element(value), value)


def test_float16_is_computed_in_float32():
    z, t, weight = (np.array(values, np.float16) for values in ([40, -1.5], [1, 0], [2, 0.5]))
    assert same_bits(
        fl.log_loss(z, t, weight), fl.log_loss(*(a.astype(np.float32) for a in (z, t, weight)))
    )


WRONG = {
    "a table of logits": ({"z": np.ones((4, 1))}, ValueError, "z must have one axis"),
    "one logit": ({"z": 1.0}, ValueError, "z must have one axis"),
    "no logits": ({"z": []}, ValueError, "z must not be empty"),
    "objects for logits": ({"z": np.ones(4, object)}, TypeError, "z must hold real numbers"),
    "text for logits": ({"z": ["1"] * 4}, TypeError, "z must hold real numbers"),
    "complex logits": ({"z": np.ones(4, complex)}, TypeError, "z must hold real numbers"),
    "None for logits": ({"z": None}, (TypeError, ValueError), "z must"),
    "big-endian logits": ({"z": np.ones(4, ">f8")}, TypeError, "z must be in native byte order"),
    "long logits": (
        {"z": np.ones(4, np.longdouble)},
        TypeError,
        "z must hold numbers of at most 64 bits",
    ),
    "long weights": ({"weight": np.ones(4, "g")}, TypeError, "weight must hold numbers of at"),
    "an array for it": ({"reduction": np.ones(4)}, ValueError, "reduction must be 'sum' or 'mean'"),
    "too few targets": ({"t": np.ones(3)}, ValueError, "t must have one element for each"),
    "too many targets": ({"t": np.ones(5)}, ValueError, "t must have one element for each"),
    "one target": ({"t": 1.0}, ValueError, "t must have one axis"),
    "a table of targets": ({"t": np.ones((4, 1))}, ValueError, "t must have one axis"),
    "objects for targets": ({"t": np.ones(4, object)}, TypeError, "t must hold real numbers"),
    "text for targets": ({"t": ["yes"] * 4}, TypeError, "t must hold real numbers"),
    "a target of NaN": ({"t": with_element(np.nan)}, ValueError, "every element of t must lie"),
    "a target of 2": ({"t": with_element(2)}, ValueError, "every element of t must lie"),
    "a target of -1": ({"t": [1, 0, -1, 0]}, ValueError, "every element of t must lie"),
    "a target above 1": (
        {"t": with_element(np.nextafter(1, 2))},
        ValueError,
        "every element of t must lie",
    ),
    "a target below 0": ({"t": with_element(-5e-324)}, ValueError, "every element of t must lie"),
    "too few weights": ({"weight": np.ones(3)}, ValueError, "weight must have one element"),
    "one weight": ({"weight": 2.0}, ValueError, "weight must have one axis"),
    "objects for weights": (
        {"weight": np.ones(4, object)},
        TypeError,
        "weight must hold real numbers",
    ),
    "a negative weight": (
        {"weight": with_element(-1)},
        ValueError,
        "every element of weight must be finite and not negative",
    ),
    "a weight of NaN": ({"weight": with_element(np.nan)}, ValueError, "every element of weight"),
    "an infinite weight": ({"weight": with_element(np.inf)}, ValueError, "every element of weight"),
    "no weight for a mean": (
        {"weight": np.zeros(4), "reduction": "mean"},
        ValueError,
        "at least one weight must be above 0; all are 0",
    ),
    "weights too large for a mean": (
        {"weight": np.full(4, 1e308), "reduction": "mean"},
        ValueError,
        "weight must have a finite sum; its largest is 1e+308",
    ),
    "masked logits": ({"z": masked(-1)}, ValueError, "z must have no masked elements; got 1"),
    "masked targets": ({"t": masked(1)}, ValueError, "t must have no masked elements; got 1"),
    "masked weights": ({"weight": masked(1)}, ValueError, "weight must have no masked elements"),
    "no such reduction": ({"reduction": "none"}, ValueError, "reduction must be 'sum' or 'mean'"),
    "None for the reduction": ({"reduction": None}, ValueError, "reduction must be"),
    "no threads": ({"threads": 0}, ValueError, "threads must be between 1 and"),
    "fewer than no threads": ({"threads": -1}, ValueError, "threads must be between 1 and"),
    "very many threads": ({"threads": 10**6}, ValueError, "threads must be between 1 and"),
    "one and a half threads": ({"threads": 1.5}, TypeError, "threads must be a whole number"),
    "text for threads": ({"threads": "2"}, TypeError, "threads must be a whole number"),
    "True for threads": ({"threads": True}, TypeError, "threads must be a whole number"),
}
WRONG_OUT = {
    "a list": ([0.0] * 4, TypeError, "out must be an array; got list"),
    "masked": (np.ma.ones(4), TypeError, "out must be an array; got MaskedArray"),
    "too short": (np.ones(3), ValueError, "out must have shape (4,)"),
    "two axes": (np.ones((4, 1)), ValueError, "out must have shape (4,)"),
    "integers": (np.ones(4, int), TypeError, "out must be float64 or float32"),
    "complex": (np.ones(4, complex), TypeError, "out must be float64 or float32"),
    "big-endian": (np.ones(4, ">f8"), TypeError, "out must be float64 or float32"),
    "read-only": (read_only(np.ones(4)), ValueError, "out must be writeable"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_argument_is_named_and_nothing_is_touched(case):
    wrong, error, message = WRONG[case]
    given_arrays = {"z": np.linspace(-1, 1, 4), "t": np.array([0.0, 1.0, 0.5, 1.0])}
    arguments = given_arrays | wrong
    kept = {name: np.copy(value) for name, value in arguments.items()}
    out = np.full(4, 7.0)
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        fl.log_loss(**arguments)
    with pytest.raises(error):
        fl.log_loss_gradient(**arguments)
    # With `out`, nothing is written before the error.
    with pytest.raises(error):
        fl.log_loss_gradient(**arguments, out=out)
    assert (out == 7.0).all()
    for name, value in arguments.items():
        np.testing.assert_array_equal(np.asarray(value), kept[name])


@pytest.mark.parametrize("case", WRONG_OUT)
def test_a_wrong_output_is_named_and_not_touched(case):
    out, error, message = WRONG_OUT[case]
    before = np.copy(out)
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        fl.log_loss_gradient(np.zeros(4), np.ones(4), out=out)
    np.testing.assert_array_equal(out, before)


@pytest.mark.parametrize("name", ["z", "t", "weight"])
@pytest.mark.parametrize("n", [10, N])
def test_an_output_that_overlaps_an_argument_is_an_error(name, n):
    memory = np.full(n + 1, 0.5)
    arguments = {"z": np.zeros(n), "t": np.ones(n)} | {name: memory[1:]}
    for out in (memory[:-1], memory[:0:-1], memory[1:].view(np.float32)[:n]):
        with pytest.raises(ValueError, match=f"^out must not overlap {name}"):
            fl.log_loss_gradient(**arguments, out=out)
    assert (memory == 0.5).all()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("index", [0, 40_000, N - 1])
@pytest.mark.parametrize("name", ["t", "weight"])
def test_the_message_says_which_element_is_wrong(name, index, threads):
    arguments = {"z": np.zeros(N), "t": np.ones(N), "weight": np.ones(N)}
    arguments[name][index] = -3.0
    with pytest.raises(ValueError, match=rf"got -3\.0 at index {index} \(1 such\)"):
        fl.log_loss(**arguments, threads=threads)


# Short calls ------------------------------------------------------------------------------

ONE = np.int64(1)  # with a number of NumPy for `threads`, a call goes the general way


@every_dtype
@pytest.mark.parametrize("target", [np.float64, np.int8])
def test_short_calls_have_the_bits_of_the_general_way(dtype, target):
    for n in (1, 100, PART):
        z, t, _ = sample(n, soft=target is np.float64, dtype=dtype)
        t = t.astype(target)
        for read in (z, t):
            read.flags.writeable = False
        loss, gradient = fl.log_loss_gradient(z.copy(), t.copy(), threads=ONE)
        alone = fl.log_loss(z.copy(), t.copy(), threads=ONE)
        out = np.empty(n, dtype)
        for place in (None, out):
            call = partial(losses._short_call, z, t, place, with_gradient=True)
            assert not jit.compiles(call)
            found, slopes = call()
            assert same_bits(found, loss)
            assert same_bits(slopes, gradient)
        assert same_bits(losses._short_call(z, t, None, with_gradient=False)[0], alone)
        assert fl.log_loss_gradient(z, t, out=out)[1] is out
        assert same_bits(fl.log_loss(z, t, threads=1), loss)


def test_short_calls_take_odd_arguments_as_the_general_way_does():
    rng, outcomes = np.random.default_rng(3), Counter()
    given = {"z": rng.normal(size=5), "t": rng.choice([0.0, 1.0], 5)}
    pools = {name: odd_arrays(array) for name, array in given.items()}
    for name, pool in pools.items():  # for read-only arrays the general way would be compiled again
        pools[name] = [one for one in pool if getattr(getattr(one, "flags", 1), "writeable", 1)]
    pools["t"] += TARGETS
    pools["reduction"] = ["".join(["su", "m"]), Text("sum"), "mean", None, np.array(["sum"])]
    pools["out"] = [np.ones(5, np.float32), *odd_arrays(np.ones(5))]
    for _ in range(1500):
        arguments = odd(rng, pools, given)
        function = fl.log_loss_gradient if "out" in arguments or rng.random() < 0.5 else fl.log_loss
        call = partial(function, **arguments)
        outcomes[compared(call, partial(call, threads=ONE), (losses._threads, "run"))] += 1
    all_happened(outcomes)


@pytest.mark.parametrize("threads", [1, 2, 4096, 4097, 0, -1, True, "2", 1.5, None])
def test_short_calls_take_threads_as_the_general_way_does(threads):
    call = partial(fl.log_loss, np.zeros(4), np.ones(4), threads=threads)
    compared(call, partial(call, reduction=Text("sum")), (losses._threads, "run"))
