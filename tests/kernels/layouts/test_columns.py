"""Columns in the kernels: every number of every type is widened as by NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from fastlogit.kernels import passes
from fastlogit.kernels.layouts import columns

DTYPES = ["float64", "float32", "float16", "bool"]
DTYPES += [f"{sign}int{size}" for sign in ("", "u") for size in (8, 16, 32, 64)]


def read(array, *, validity=0, reader=None):
    """A column as the kernels see it."""
    reader = columns.reader(array.dtype.name) if reader is None else reader
    address = array.__array_interface__["data"][0]
    return unpacked(address, array.strides[0], reader, validity, array.size)


def unpacked(address, stride, reader, validity, n):
    fields = (np.array([value], np.int64) for value in (address, stride, reader, validity))
    out = np.empty((n, 1))
    passes.unpack(columns.Columns(*fields, n, np.zeros(1)), out)
    return out[:, 0]


def extremes(dtype, n=1200):
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return np.resize([True, False, True], n)
    if dtype.kind == "f":
        info = np.finfo(dtype)
        ends = [info.min, info.max, info.tiny, -info.smallest_subnormal, 0.0, -0.0, 1.5]
        return np.resize(np.array([*ends, np.inf, -np.inf, np.nan], dtype), n)
    info = np.iinfo(dtype)
    return np.resize(np.array([info.min, info.max, 0, 1, info.max // 3], dtype), n)


def assert_same_numbers(result, array):
    expected = array.astype(np.float64)
    np.testing.assert_array_equal(result, expected)
    finite = ~np.isnan(expected)
    assert (np.signbit(result) == np.signbit(expected))[finite].all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("step", [1, 2, 3, -1, -5])
def test_every_type_is_widened_at_any_stride(dtype, step):
    array = extremes(dtype)[::step]
    assert_same_numbers(read(array), array)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type_is_widened_wherever_it_lies(dtype):
    array = extremes(dtype)
    for shift in range(1, 8):
        there = np.frombuffer(b"x" * shift + array.tobytes(), np.uint8)[shift:].view(dtype)
        assert_same_numbers(read(there), array)


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_element_may_stand_for_all(dtype):
    array = np.broadcast_to(extremes(dtype, 2)[1:], 1000)
    assert array.strides == (0,)
    assert_same_numbers(read(array), array)


def test_float64_side_by_side_is_read_in_place():
    array = extremes("float64")
    assert_same_numbers(read(array, reader=0), array)


def test_every_float16_is_widened_exactly():
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    assert_same_numbers(read(every), every)


def test_integers_too_long_for_float64_are_rounded_to_nearest():
    array = np.array([2**63 + 2**10, 2**63 + 2**10 + 1, 2**64 - 1, 2**53 + 1], np.uint64)
    assert_same_numbers(read(array), array)
    signed = np.array([2**62 + 2**9, -(2**62) - 2**9 - 1, -(2**53) - 1], np.int64)
    assert_same_numbers(read(signed), signed)


@pytest.mark.parametrize("start", [*range(9), 63, 64, 65])
def test_bits_are_read_from_any_place(start):
    values = np.random.default_rng(0).random(1500) < 0.5
    packed = np.packbits(values, bitorder="little")
    address = 8 * packed.__array_interface__["data"][0] + start
    n = 1500 - start
    result = unpacked(address, 1, columns.reader("bits"), 0, n)
    assert (result == values[start:]).all()


@pytest.mark.parametrize("dtype", ["float64", "uint8"])
@pytest.mark.parametrize("start", [0, 1, 7, 8, 13])
def test_what_its_bit_says_is_missing_is_nan(dtype, start):
    there = np.random.default_rng(1).random(1500) < 0.5
    packed = np.packbits(there, bitorder="little")
    validity = 8 * packed.__array_interface__["data"][0] + start
    array = np.ones(1500 - start, dtype)
    result = read(array, validity=validity)
    np.testing.assert_array_equal(result, np.where(there[start:], 1.0, np.nan))


def test_a_reader_is_compiled_once():
    assert columns.reader("int16") == columns.reader("int16") != columns.reader("uint16")
    assert columns.reader("bits", in_place=True) == columns.reader("bits")
    for kind, code in (("float64", columns.FLOAT64), ("float32", columns.FLOAT32)):
        assert columns.reader(kind, in_place=True) == code != columns.reader(kind)


@pytest.mark.parametrize("d", [1, 3, 4, 5, 1000])
def test_blocks_have_a_number_of_rows_within_the_limits(d):
    given = columns.Columns(*(np.zeros(d, np.int64) for _ in range(4)), 10**6, np.zeros(d))
    rows = columns.block_rows(given)
    assert columns.LEAST_ROWS <= rows <= columns.MOST_ROWS
    assert rows % 32 == 0
