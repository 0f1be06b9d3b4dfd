"""Blocks of a matrix in registers: what is read and written, transposed and added up."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from fastlogit.kernels import lanes, tiles
from tests.references.multiprecision import same_bits


@numba.njit
def copy_column(source, row, column, out):
    tiles.store_column(out, 1, 2, tiles.load_column(source, row, column))


@numba.njit
def transpose(source, row, column, out):
    tile = tiles.load_eight_rows(source, row, column, None)
    tiles.store_eight_rows(out, column, row, tiles.transposed(tile))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_tile_is_transposed_and_nothing_else_is_touched(dtype):
    source, out = np.arange(240.0).reshape(12, 20), np.zeros((20, 12), dtype)
    transpose(source, 3, 5, out)
    expected = np.zeros((20, 12), dtype)
    expected[5:13, 3:11] = source[3:11, 5:13].T
    assert same_bits(out, expected)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_column_is_copied_and_nothing_else_is_touched(dtype):
    source, out = np.arange(240.0).reshape(12, 20), np.zeros((10, 3), dtype)
    copy_column(source, 3, 5, out)
    expected = np.zeros((10, 3), dtype)
    expected[1:9, 2] = source[3:11, 5]
    assert same_bits(out, expected)


@numba.njit
def eight_rows(X, row, column, count, out):
    if count < 8:
        rows = tiles.load_eight_rows(X, row, column, count)
    else:
        rows = tiles.load_eight_rows(X, row, column, None)
    for k in range(8):
        lanes.store(out, (k, 0), rows[k])


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8])
@pytest.mark.parametrize("count", [0, 3, 8])
def test_eight_rows_are_loaded_each_up_to_the_count(dtype, count):
    X = np.arange(200, dtype=dtype).reshape(10, 20)[:, 1:]
    out = np.empty((8, 8))
    eight_rows(X, 2, 5, count, out)
    expected = X[2:10, 5:13].astype(np.float64)
    expected[:, count:] = 0.0
    assert same_bits(out, expected)


@numba.njit
def add_tiles(left, right, a, b, wide, narrow):
    tiles.add_tile(left, right, left.shape[0], a, b, wide)
    tiles.add_narrow_tile(left, right, left.shape[0], a, b, narrow)


def test_a_tile_is_added_with_its_rounding_errors_and_nothing_beside_it():
    rng = np.random.default_rng(7)
    a, b, rows, columns = 8, 16, tiles.TILE_ROWS, 8 * tiles.TILE_VECTORS
    left, right = rng.normal(size=(2, 9, 40))
    wide, narrow = np.zeros((2, 2, 40, 40))
    for total in (wide, narrow):
        total[0] = 1e17  # whose spacing is 16
        total[1] = 0.25
    add_tiles(left, right, a, b, wide, narrow)
    expected = left.T.astype(np.longdouble) @ right.astype(np.longdouble)
    for total, width in ((wide, columns), (narrow, 8)):
        inside = np.zeros((40, 40), bool)
        inside[a : a + rows, b : b + width] = True
        added = (total[0] - 1e17) + (total[1] - 0.25)
        np.testing.assert_allclose(added[inside], expected[inside].astype(float), rtol=1e-12)
        assert (total[0][~inside] == 1e17).all()
        assert (total[1][~inside] == 0.25).all()
