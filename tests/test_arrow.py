"""Arrays of Arrow, against those that Arrow makes itself."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from fastlogit.arrow import array_of, plain, plain_type, texts_of


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 100])
def test_numbers(dtype, n):
    values = np.arange(n).astype(dtype)
    assert array_of(values).equals(pa.array(values))
    valid = values % 3 != 0
    array_of(values, valid).validate(full=True)
    assert array_of(values, valid).equals(pa.array(values, mask=~valid))


@pytest.mark.parametrize("texts", [[], [""], ["a", "", "\N{GREEK SMALL LETTER SIGMA}", "long" * 9]])
def test_texts(texts):
    found = texts_of(texts)
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
    found = plain(column[1:])
    assert found.type == plain_type(column.type)
    assert found.type in (pa.string(), pa.large_string(), pa.binary())
    assert found.cast(pa.string()).equals(values[1:])


def test_pandas_stays_away():
    script = """
import sys
import numpy as np
from fastlogit.arrow import array_of, texts_of
array_of(np.arange(3.0)), texts_of(["a"])
assert "pandas" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)
