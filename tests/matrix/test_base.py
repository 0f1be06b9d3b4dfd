"""All kinds of matrices alike: training, samples, and the first element that is not finite."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse

import fastlogit as fl
from fastlogit.kernels import passes
from fastlogit.matrix import Matrix, as_matrix

N = 700
NUMBERS = np.random.default_rng(12).integers(0, 100, (N, 4)).astype(float)


def test_arrays_have_no_names_and_their_own_dtype():
    for X in (NUMBERS, np.asfortranarray(NUMBERS), sparse.csr_array(NUMBERS)):
        assert as_matrix(X).names is None
        assert as_matrix(X).dtype == np.float64


def test_a_matrix_is_returned_unchanged():
    given = as_matrix(NUMBERS)
    assert as_matrix(given) is given


# Training ---------------------------------------------------------------------------------


def numbers_to_learn_from():
    rng = np.random.default_rng(5)
    X = rng.integers(-8, 9, (N, 4)).astype(float)
    t = fl.sigmoid(X @ [0.5, -0.25, 0.125, 1.0] + rng.normal(size=N))
    return X, t, {"weight": rng.random(N), "offset": rng.normal(size=N)}


def columns_of(X):
    return {f"x{j}": X[:, j].copy() for j in range(X.shape[1])}


LEARNT_FROM = {
    "column-major": np.asfortranarray,
    "float16": lambda X: X.astype(np.float16),
    "csr": sparse.csr_array,
    "a dict": columns_of,
    "Arrow": lambda X: pa.table(columns_of(X)),
    "pandas": lambda X: pd.DataFrame(columns_of(X)),
    "Polars": lambda X: pl.DataFrame(columns_of(X)),
}


@pytest.mark.parametrize("layout", LEARNT_FROM)
def test_a_model_is_the_same_for_every_kind_of_x(layout):
    X, t, data = numbers_to_learn_from()
    expected = fl.fit(X, t, tol=1e-12, **data)
    model = fl.fit(LEARNT_FROM[layout](X), t, tol=1e-12, **data)
    np.testing.assert_allclose(model.coef, expected.coef, rtol=1e-10)
    assert model.intercept == pytest.approx(expected.intercept, rel=1e-10)
    is_table = layout in ("a dict", "Arrow", "pandas", "Polars")
    assert model.feature_names == (("x0", "x1", "x2", "x3") if is_table else None)


def test_given_feature_names_take_precedence_over_those_of_the_table():
    X, t, data = numbers_to_learn_from()
    model = fl.fit(columns_of(X), t, feature_names=list("abcd"), **data)
    assert model.feature_names == ("a", "b", "c", "d")


@pytest.mark.parametrize("value", [np.nan, -np.inf])
@pytest.mark.parametrize("layout", ["row-major", *LEARNT_FROM])
def test_training_says_in_which_row_and_column_x_is_not_finite(layout, value):
    X, t, data = numbers_to_learn_from()
    X[600, 2] = X[600, 3] = X[601, 0] = value
    here = LEARNT_FROM.get(layout, np.ascontiguousarray)(X)
    named = r" \('x2'\)" if as_matrix(here).names else ""
    with pytest.raises(ValueError, match=f"finite; got {value} in row 600, column 2{named}$"):
        fl.fit(here, t, **data)


def test_the_first_element_that_is_not_finite_is_found_in_any_chunk():
    column = np.zeros(N)
    column[333] = np.inf
    table = pa.table({"a": np.arange(N), "b": pa.chunked_array(np.split(column, [10, 333, 400]))})
    assert as_matrix(table).first_not_finite() == (333, 1, np.inf)
    assert as_matrix(NUMBERS).first_not_finite() is None


# Samples ----------------------------------------------------------------------------------

SAMPLED = {
    "rows": np.ascontiguousarray,
    "columns": np.asfortranarray,
    "Arrow": lambda X: chunked(columns_of(X), [0, 3, 3, 700]),
    "CSR": sparse.csr_array,
}


def chunked(columns, cuts):
    cuts = [*cuts, len(next(iter(columns.values())))]
    return pa.table(
        {
            name: pa.chunked_array([pa.array(x[a:b]) for a, b in pairwise(cuts)])
            for name, x in columns.items()
        }
    )


@pytest.mark.parametrize("layout", SAMPLED)
def test_a_sample_has_the_rows_of_those_numbers(layout):
    X = np.random.default_rng(5).normal(size=(5000, 4)).round(1)
    X[X < 0] = 0.0
    rows = np.flatnonzero(np.random.default_rng(6).random(5000) < 0.5)
    sample = as_matrix(SAMPLED[layout](X)).sample(rows, 2)
    assert sample.shape == (rows.size, 4)
    for coef in np.eye(4):
        np.testing.assert_array_equal(fl.linear.decision(sample, coef), X[rows] @ coef)
    assert sample.count_nonzero().tolist() == np.count_nonzero(X[rows], axis=0).tolist()


def test_a_sample_of_a_damaged_sparse_matrix_is_an_error():
    X = sparse.csr_array(np.eye(3))
    X.indices[1] = 7
    with pytest.raises(ValueError, match=r"X\.indices must lie between 0 and 2; got 7 at entry 1"):
        as_matrix(X).sample(np.array([0, 2]), 1)


def test_a_kind_of_matrix_must_have_the_methods_of_the_contract():
    with pytest.raises(TypeError, match=r"abstract methods .*arrays.*layouts.*sample.*subtract"):
        Matrix((1, 1), None, None)


@pytest.mark.parametrize(
    ("shape", "rows"), [((1001, 4188), [1000, 1]), ((500, 1048), [500]), ((6, 1 << 19), [6])]
)
def test_a_kernel_call_has_whole_rows_and_a_limited_number_of_elements(shape, rows):
    matrix = as_matrix(np.zeros(shape, np.uint8))
    calls = [here for here, _ in matrix.kernel_calls(slice(0, shape[0]))]
    assert [here.stop - here.start for here in calls] == rows


@pytest.mark.parametrize("K", [2, 3])
def test_read_only_arrays_are_read_without_another_compilation(K):
    rng = np.random.default_rng(0)
    X, coef = rng.normal(size=(40, 3)), np.ones(3) if K == 2 else np.eye(3)
    t = rng.integers(0, 2, 40) if K == 2 else np.eye(3)[rng.integers(0, 3, 40)]
    given = [
        X,
        t,
        coef,
        0.5 * coef[..., 0],
        rng.random(40),
        rng.normal(size=40 if K == 2 else (40, 3)),
    ]

    def call():
        X, t, coef, intercept, weight, offset = given
        return fl.linear.log_loss_gradient(X, t, coef, intercept, weight=weight, offset=offset)

    expected, compiled = call(), set(passes.run.overloads)
    for array in given:
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
    found = call()
    assert set(passes.run.overloads) == compiled
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not X.flags.writeable
    assert np.shares_memory(as_matrix(X).X, X)
