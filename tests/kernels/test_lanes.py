"""Vectors of eight float64: what is read and written, and in which order it is summed."""

from __future__ import annotations

import sys
from fractions import Fraction

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fastlogit.kernels import lanes
from tests import processes
from tests.references.multiprecision import same_bits

DTYPES = [np.dtype(code) for code in "?bBhHiIlLfd"]
eight = hnp.arrays(np.float64, 8, elements=st.floats(-1e300, 1e300))


@numba.njit
def load(array, index):
    result = np.empty(8)
    lanes.store(result, 0, lanes.load(array, index))
    return result


@numba.njit
def load_first(array, index, count):
    result = np.empty(8)
    lanes.store(result, 0, lanes.load_first(array, index, count))
    return result


@numba.njit
def fma(a, b, c):
    result = np.empty(8)
    product = lanes.fma(lanes.load(a, 0), lanes.load(b, 0), lanes.load(c, 0))
    lanes.store(result, 0, product)
    return result


@numba.njit
def add_and_subtract(a, b):
    sums, differences = np.empty(8), np.empty(8)
    lanes.store(sums, 0, lanes.add(lanes.load(a, 0), lanes.load(b, 0)))
    lanes.store(differences, 0, lanes.subtract(lanes.load(a, 0), lanes.load(b, 0)))
    return sums, differences


@numba.njit
def total(a):
    return lanes.total(lanes.load(a, 0))


@numba.njit
def extract(a, lane):
    return lanes.extract(lanes.load(a, 0), lane)


@numba.njit
def two_largest(a, b):
    return lanes.two_largest(lanes.load(a, 0), lanes.load(b, 0))


@numba.njit
def constants(value):
    result = np.empty(16)
    lanes.store(result, 0, lanes.zeros())
    lanes.store(result, 8, lanes.broadcast(value))
    return result


@numba.njit
def store(array, index, value):
    lanes.store(array, index, lanes.broadcast(value))


@numba.njit
def gather(array, numbers, index):
    result = np.empty(8)
    lanes.store(result, 0, lanes.gather(array, lanes.load_numbers(numbers, index)))
    return result


@numba.njit
def gather_first(array, numbers, index, count):
    result = np.empty(8)
    lanes.store(result, 0, lanes.gather(array, lanes.load_first_numbers(numbers, index, count)))
    return result


@numba.njit
def are_below(numbers, index, bound):
    return lanes.are_below(numbers, index, bound)


@numba.njit
def first_are_below(numbers, index, count, bound):
    return lanes.first_are_below(numbers, index, count, bound)


@numba.njit
def select_first(count, a, b):
    result = np.empty(8)
    lanes.store(result, 0, lanes.select_first(count, lanes.load(a, 0), lanes.load(b, 0)))
    return result


def extremes(dtype: np.dtype, n: int) -> np.ndarray:
    """The smallest and largest numbers of a type, and some between."""
    if dtype.kind == "b":
        return np.resize([True, False, True, True], n)
    info = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    return np.resize(np.array([info.min, info.max, 0, 1, 2, 3, 100], dtype), n)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_load_widens_elements_at_any_offset(dtype):
    array = extremes(dtype, 24)
    for start in range(17):
        assert (load(array, start) == array[start : start + 8].astype(np.float64)).all()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("count", range(9))
def test_load_first_puts_zero_behind_the_count(dtype, count):
    array = extremes(dtype, 17)
    expected = array[5:13].astype(np.float64)
    expected[count:] = 0.0
    assert same_bits(load_first(array, 5, count), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("count", range(9))
def test_neighbours_that_are_nan_do_not_leak_in(dtype, count):
    array = np.full(24, np.nan, dtype)
    array[8 : 8 + count] = 1.0
    assert load_first(array, 8, count).tolist() == [1.0] * count + [0.0] * (8 - count)


# The array ends where the readable memory ends: to read one byte more ends the process.
GUARDED = """
import ctypes, mmap
import numpy as np
from tests.kernels.test_lanes import DTYPES, load_first

page = mmap.PAGESIZE
memory = mmap.mmap(-1, 2 * page)
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
if ctypes.CDLL(None, use_errno=True).mprotect(ctypes.c_void_p(start + page), page, 0):
    raise OSError(ctypes.get_errno(), "mprotect")
for dtype in DTYPES:
    array = np.frombuffer(memory, dtype, page // dtype.itemsize)
    array[:] = 1
    for count in range(9):
        loaded = load_first(array, array.size - count, count)
        assert loaded.tolist() == [1.0] * count + [0.0] * (8 - count), (dtype, count)
print("touched nothing past the end", flush=True)
print(load_first(array, array.size - 7, 8))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="memory is guarded with POSIX mprotect")
def test_load_first_touches_nothing_past_the_end():
    done = processes.run(GUARDED)
    assert done.stdout == "touched nothing past the end\n", done.stderr
    assert done.returncode < 0  # as one element more was one too many


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_gather_takes_elements_by_their_numbers(dtype):
    array, numbers = np.arange(100.0), np.array([5, 0, 99, 7, 7, 3, 98, 1, 2, 50], dtype)
    assert gather(array, numbers, 1).tolist() == numbers[1:9].tolist()
    for count in range(9):
        expected = [*numbers[2 : 2 + count].tolist(), *[0] * (8 - count)]
        assert gather_first(array, numbers, 2, count).tolist() == expected


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("wrong", [-1, 50, np.iinfo(np.int32).min, np.iinfo(np.int32).max])
def test_one_number_out_of_range_is_found_in_any_lane(dtype, wrong):
    numbers = np.resize(np.array([0, 49, 20], dtype), 10)
    assert are_below(numbers, 1, 50)
    for lane in range(8):
        damaged = numbers.copy()
        damaged[1 + lane] = wrong
        assert not are_below(damaged, 1, 50)
        for count in range(9):
            assert first_are_below(damaged, 1, count, 50) == (count <= lane)


def test_a_bound_beyond_32_bits_accepts_all_numbers_that_are_not_negative():
    numbers = np.array([0, 1, 2, 3, 4, 5, 6, np.iinfo(np.int32).max], np.int32)
    assert are_below(numbers, 0, 1 << 32)
    assert not are_below(-numbers, 0, 1 << 32)


def test_select_first_takes_the_other_lanes_from_the_second_vector():
    a, b = np.arange(8.0), np.full(8, np.nan)
    for count in range(9):
        expected = np.where(np.arange(8) < count, a, b)
        assert same_bits(select_first(count, a, b), expected)


def test_rows_of_a_matrix_are_loaded_by_row_and_column():
    X = np.arange(60, dtype=np.float32).reshape(5, 12)[:, 1:]
    assert (load(X, (3, 2)) == X[3, 2:10]).all()
    assert load_first(X, (4, 8), 3).tolist() == [*X[4, 8:11].tolist(), 0, 0, 0, 0, 0]


def test_store_writes_eight_elements_and_no_more():
    array = np.zeros(24)
    store(array, 9, 2.5)
    assert array.tolist() == [0.0] * 9 + [2.5] * 8 + [0.0] * 7


@given(eight, eight)
def test_sums_and_differences_are_those_of_the_elements(a, b):
    sums, differences = add_and_subtract(a, b)
    assert same_bits(sums, a + b)
    assert same_bits(differences, a - b)


def test_fma_rounds_once_in_each_lane():
    a = 1.0 + np.arange(1, 9) * 2.0**-30
    expected = [float(Fraction(value) ** 2 - 1) for value in a]
    assert fma(a, a, np.full(8, -1.0)).tolist() == expected
    assert (a * a - 1.0 != expected).any()


@given(eight)
def test_total_adds_halves_to_halves(a):
    quarters = a[:4] + a[4:]
    halves = quarters[:2] + quarters[2:]
    assert same_bits(total(a), halves[0] + halves[1])


def test_the_order_of_the_total_matters():
    # Left to right these give 0, not 1.
    assert total(np.array([1.0, 1e16, 0.0, 0.0, 0.0, -1e16, 0.0, 0.0])) == 1.0


def test_each_lane_can_be_extracted():
    a = np.array([0.5, -1.0, np.inf, -np.inf, 5e-324, 6.0, 7.0, 8.0])
    assert [extract(a, lane) for lane in range(8)] == a.tolist()


def test_the_two_largest_numbers_may_be_in_any_lanes():
    rng = np.random.default_rng(1)
    for _ in range(100):
        pairs = np.sort(rng.choice([-np.inf, -2.5, 0.0, 1.0, 3.0, np.inf], size=(2, 8)), axis=0)
        expected = sorted(pairs.ravel())[:-3:-1]
        assert list(two_largest(pairs[1], pairs[0])) == expected


def test_zeros_and_broadcast_fill_all_lanes():
    assert constants(-3.5).tolist() == [0.0] * 8 + [-3.5] * 8


def test_padded_is_the_next_multiple_of_the_width():
    assert [lanes.round_up(n) for n in (0, 1, 7, 8, 9, 16, 17)] == [0, 8, 8, 8, 16, 16, 24]


@numba.njit
def totals(a, out):
    rows = (
        lanes.load(a, (0, 0)),
        lanes.load(a, (1, 0)),
        lanes.load(a, (2, 0)),
        lanes.load(a, (3, 0)),
        lanes.load(a, (4, 0)),
        lanes.load(a, (5, 0)),
        lanes.load(a, (6, 0)),
        lanes.load(a, (7, 0)),
    )
    lanes.store(out, 0, lanes.totals(*rows))


@given(hnp.arrays(np.float64, (8, 8), elements=st.floats(-1e300, 1e300)))
def test_totals_are_the_bits_of_each_total(a):
    out = np.empty(8)
    totals(a, out)
    assert same_bits(out, [total(row.copy()) for row in a])


@numba.njit
def four(a, start, out):
    first, second, third, fourth = lanes.load_four(a, start)
    lanes.store(out, 0, first)
    lanes.store(out, 8, second)
    lanes.store(out, 16, third)
    lanes.store(out, 24, fourth)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int8", "uint8", "uint32", "int64"])
def test_load_four_widens_32_elements_wherever_they_begin(dtype):
    a = (np.arange(40) * 37 - 100).astype(dtype)
    for start in (0, 1, 8):
        out = np.empty(32)
        four(a, start, out)
        assert out.tolist() == a[start : start + 32].astype(np.float64).tolist()


@numba.njit
def four_by_four(a, b, c, out):
    first, second, third = lanes.load_four(a, 0), lanes.load_four(b, 0), lanes.load_four(c, 0)
    lanes.store_four(out, (0, 0), lanes.fma(first, second, third))
    lanes.store_four(out, (1, 0), lanes.fma(first, lanes.load(b, 0), third))
    lanes.store_four(out, (2, 0), lanes.subtract(first, second))
    lanes.store_four(out, (3, 0), lanes.add(first, lanes.load(b, 0)))


def test_tuples_of_vectors_are_calculated_vector_by_vector():
    rng = np.random.default_rng(6)
    a, b, c = rng.normal(size=(3, 32))
    out = np.empty((4, 32))
    four_by_four(a, b, c, out)
    repeated = np.tile(b[:8], 4)
    for row, factor in ((0, b), (1, repeated)):
        numbers = zip(a, factor, c, strict=True)
        exact = [Fraction(x) * Fraction(y) + Fraction(z) for x, y, z in numbers]
        assert out[row].tolist() == [float(value) for value in exact]
    assert same_bits(out[2], a - b)
    assert same_bits(out[3], a + repeated)


@numba.njit
def fma_like(a, b, c, like, out):
    x, w = lanes.rounded(lanes.load_four(a, 0), like), lanes.rounded(lanes.load_four(b, 0), like)
    sums = lanes.rounded(lanes.load_four(c, 0), x)
    lanes.store_four(out, 0, lanes.widened(lanes.fma(x, w, sums)))
    lanes.store(out, 0, lanes.widened(lanes.rounded(lanes.load(a, 0), like)))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_vectors_are_rounded_to_a_dtype_and_calculated_in_it(dtype):
    a, b, c = np.random.default_rng(7).normal(size=(3, 32))
    out, like = np.empty(32), np.empty(1, dtype)
    fma_like(a, b, c, like, out)
    assert out[:8].tolist() == a[:8].astype(dtype).tolist()
    for result, *numbers in zip(out[8:], a[8:], b[8:], c[8:], strict=True):
        x, w, start = (Fraction(float(number)) for number in np.array(numbers).astype(dtype))
        if dtype == "float64":
            assert result == float(x * w + start)
        else:
            # The product of two float32 is exact in float64, and so is almost every sum.
            assert result == np.float32(float(x * w) + float(start))
