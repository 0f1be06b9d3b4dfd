"""Literals that have every bit in the database."""

from __future__ import annotations

import numpy as np
import pytest
import sqlglot

from fastlogit.models.export.dialects import DIALECTS
from tests.models.export.databases import DuckDB

RNG = np.random.default_rng(0)
BITS = RNG.integers(0, 2**63, 2000, np.int64).view(np.float64)
NUMBERS = [0.0, 1.0, 0.1, 1e15, 1e15 + 2.0, 1e16, 1e22, 1e23, 5e-324, 2.0**-1022, 9.944932e31]
NUMBERS += [np.nextafter(2.0**-1022, 0.0), np.finfo(np.float64).max, 2.0**53, 1 / 3, 1e-5]
NUMBERS += BITS[np.isfinite(BITS)].tolist() + RNG.normal(size=1000).tolist()
NUMBERS = [float(sign * one) for one in NUMBERS for sign in (1, -1)]


def bits(rows):
    return np.array([float(value) for [value] in rows]).view(np.int64).tolist()


def test_every_literal_is_the_same_number(database):
    number = DIALECTS[database.dialect].number
    query = f"VALUES {', '.join(f'({number(one)})' for one in NUMBERS)}"
    expected = bits([one] for one in NUMBERS)
    found = bits(database.rows(query, {"x": [1.0]}))
    assert found == expected


@pytest.mark.parametrize("dialect", ["bigquery", "snowflake"])
def test_literals_of_other_dialects_are_numbers_of_64_bits(dialect):
    number = DIALECTS[dialect].number
    query = f"SELECT {', '.join(number(one) for one in NUMBERS[:50])}"
    [query] = sqlglot.transpile(query, read=dialect, write="duckdb")
    [row] = DuckDB().rows(query, {"x": [1.0]})
    assert bits([one] for one in row) == bits([one] for one in NUMBERS[:50])
