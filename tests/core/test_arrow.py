"""Arrow arrays, compared with those that Arrow makes itself."""

from __future__ import annotations

import subprocess
import sys
from itertools import permutations

import numpy as np
import pyarrow as pa
import pytest

from fastlogit.core.arrow import (
    as_type,
    common_type,
    decoded,
    decoded_type,
    from_numpy,
    string_array,
)


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 100])
def test_numbers(dtype, n):
    values = np.arange(n).astype(dtype)
    assert from_numpy(values).equals(pa.array(values))
    valid = values % 3 != 0
    from_numpy(values, valid).validate(full=True)
    assert from_numpy(values, valid).equals(pa.array(values, mask=~valid))


@pytest.mark.parametrize("texts", [[], [""], ["a", "", "\N{GREEK SMALL LETTER SIGMA}", "long" * 9]])
def test_texts(texts):
    found = string_array(texts)
    found.validate(full=True)
    assert found.equals(pa.array(texts, pa.string()))


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.binary_view()]
)
@pytest.mark.parametrize("encoded", [False, True])
def test_plain(kind, encoded):
    values = pa.array(["a", None, "of more than twelve bytes", "a"])
    column = values.cast(kind)
    if encoded:
        codes = values.dictionary_encode()
        column = pa.DictionaryArray.from_arrays(codes.indices, codes.dictionary.cast(kind))
    found = decoded(column[1:])
    assert found.type == decoded_type(column.type)
    assert found.type in (pa.string(), pa.large_string(), pa.binary())
    assert found.cast(pa.string()).equals(values[1:])


def test_pandas_stays_away():
    script = """
import sys
from itertools import permutations
import numpy as np
from fastlogit.core.arrow import from_numpy, string_array
from_numpy(np.arange(3.0)), string_array(["a"])
assert "pandas" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)


# Types -------------------------------------------------------------------------------------

DECIMAL = pa.decimal128(9, 2)


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([], pa.null()),
        ([pa.null(), pa.null()], pa.null()),
        ([pa.null(), pa.string()], pa.string()),
        ([pa.bool_(), pa.null()], pa.bool_()),
        ([pa.bool_(), pa.int8()], pa.int8()),
        ([pa.int16(), pa.float32()], pa.float32()),
        ([pa.int32(), pa.float32()], pa.float64()),
        ([pa.int64(), pa.float16(), pa.bool_()], pa.float64()),
        ([pa.uint8(), pa.int8()], pa.int16()),
        ([DECIMAL, pa.bool_()], DECIMAL),
        ([DECIMAL, pa.int64()], pa.decimal128(22, 2)),
        ([DECIMAL, pa.float32()], pa.float64()),
        ([DECIMAL, pa.float16(), pa.uint64()], pa.float64()),
        ([DECIMAL, pa.decimal128(9, 5)], pa.decimal128(12, 5)),
        ([pa.dictionary(pa.int8(), pa.int64()), pa.float64()], pa.float64()),
        ([pa.string(), pa.dictionary(pa.int8(), pa.string()), pa.string_view()], pa.string()),
        ([pa.string(), pa.large_string()], pa.large_string()),
        ([pa.string(), pa.int8()], None),
        ([pa.bool_(), pa.string()], None),
        ([pa.date32(), pa.string()], None),
        ([pa.list_(pa.int8()), pa.int8()], None),
    ],
)
def test_the_type_that_holds_columns_of_all_types(kinds, expected):
    for order in permutations(kinds):
        assert common_type(order) == expected


def test_a_value_that_the_type_does_not_hold_is_an_error():
    assert as_type(pa.array([True, None]), DECIMAL).to_pylist() == [1, None]
    assert as_type(pa.array([2**53]), pa.float64()).to_pylist() == [2.0**53]
    with pytest.raises(pa.ArrowInvalid):
        as_type(pa.array([2**53 + 1]), pa.float64())
