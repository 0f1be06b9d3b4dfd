"""Where a column's zero lies changes no coefficient, standard error or diagnosis."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import sparse

import fastlogit as fl
from fastlogit import linear
from fastlogit.kernels.layouts.rows import CentredRows
from fastlogit.matrix import as_matrix, centring
from fastlogit.training import solvers
from fastlogit.training.messages import CollinearityWarning, SeparationWarning
from tests.hard_problems import solve

RNG = np.random.default_rng(3)
N = 1200
BASE = RNG.normal(size=(N, 3))
T = (RNG.random(N) < fl.sigmoid(BASE @ [1.0, -0.7, 0.2] - 0.3)) * 1.0
SOLVERS = list(solvers.SOLVERS)


def far(ratio):
    """The first column's mean is `ratio` of its standard deviations; the second's is 300."""
    return BASE + np.array([ratio, 300.0, 0.0])


def by_name(X):
    return {f"x{j}": X[:, j].copy() for j in range(X.shape[1])}


def unsorted(X):
    rows = sparse.csr_array(X)
    rows.indices = np.roll(rows.indices.reshape(X.shape), 1, axis=1).ravel()
    rows.data = np.roll(rows.data.reshape(X.shape), 1, axis=1).ravel()
    rows.has_sorted_indices = False
    return rows


LAYOUTS = {
    "row-major": np.ascontiguousarray,
    "column-major": np.asfortranarray,
    "every other row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "a dict": by_name,
    "pandas": lambda X: pd.DataFrame(by_name(X)),
    "Arrow": lambda X: pa.concat_tables([pa.table(by_name(X[:500])), pa.table(by_name(X[500:]))]),
    "csr": sparse.csr_array,
    "unsorted csr": unsorted,
}


def assert_right(model, X, t, rtol=1e-6, **arguments):
    coef, intercept, errors, _ = solve(X, t, **arguments)
    np.testing.assert_allclose(model.coef, coef.astype(float), rtol=rtol)
    assert model.converged
    assert model.intercept == pytest.approx(float(intercept), rel=rtol)
    if not np.any(arguments["l2"]):
        expected = errors.astype(float)
        np.testing.assert_allclose(model.standard_errors(), expected, rtol=1e-4)


@pytest.mark.parametrize("ratio", [2e5, -3e6, 1e9])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_model_of_extended_precision(layout, ratio):
    X = far(ratio)
    given = LAYOUTS[layout](X)
    model = fl.fit(given, T, l2=0.0)
    assert_right(model, X, T, l2=0.0)
    np.testing.assert_allclose(model.standard_errors(given), model.standard_errors(), rtol=1e-6)
    np.testing.assert_allclose(model.decision(X), linear.decision(BASE, *plain()), atol=1e-5)


def plain():
    model = fl.fit(BASE, T, l2=0.0)
    return model.coef, model.intercept


@pytest.mark.parametrize(
    "column",
    [
        1.0 + 1e-6 * RNG.random(N),
        1_700_000_000 + RNG.integers(3600, size=N),
        1_700_000_000_000 + RNG.integers(3_600_000, size=N),
        (1_700_000_000 + RNG.integers(3600, size=N)).astype(np.int32),
        (16_000_000 + RNG.integers(3600, size=N)).astype(np.float32),
        (200 + RNG.integers(2, size=N)).astype(np.uint8),
    ],
    ids=["1 + 1e-6 u", "seconds", "milliseconds", "int32", "float32", "uint8"],
)
def test_time_stamps_of_any_type_beside_another_column(column):
    spread = (column - column.mean(dtype=np.float64)) / column.std(dtype=np.float64)
    t = (RNG.random(N) < fl.sigmoid(BASE[:, 0] + 0.5 * spread)) * 1.0
    X = np.column_stack([column.astype(np.float64), BASE[:, 0]])
    alike = np.column_stack([column, BASE[:, 0].round()]).astype(column.dtype)
    assert_right(fl.fit({"stamp": column, "x": BASE[:, 0]}, t, l2=0.0), X, t, l2=0.0)
    if column.dtype in (np.int64, np.float32):  # rows of the others would take time to compile
        assert_right(fl.fit(alike, t, l2=0.0), alike, t, l2=0.0)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("l2", [0.0, 1.0, [0.5, 2.0, 0.0]])
def test_weights_offsets_penalties_and_every_solver(solver, l2):
    X = far(1e6)
    weight, offset = RNG.random(N), RNG.normal(size=N) + 40.0
    # A row without weight may hold anything.
    weight[::100] = 0.0
    X[::100] = RNG.choice([0.0, 1e12, -1e6], size=(N // 100, 3))
    data = {"weight": weight, "offset": offset, "l2": l2}
    model = fl.fit(X, T, solver=solver, **data)
    keep = weight > 0
    given = {"weight": weight[keep], "offset": offset[keep], "l2": l2}
    assert_right(model, X[keep], T[keep], rtol=1e-4, **given)
    again = fl.fit(X, T, solver=solver, start=model, **data)
    assert again.history.passes[-1] == 1
    np.testing.assert_allclose(again.coef, model.coef, rtol=1e-12)


def test_a_column_is_the_same_however_far_away_it_is():
    models = [
        fl.fit(BASE + np.array([shift, 0.0, 0.0]), T, l2=0.0) for shift in (0.0, 2.0**20, 2.0**29)
    ]
    for model in models[1:]:
        np.testing.assert_allclose(model.coef, models[0].coef, rtol=1e-6)
        assert model.passes == models[0].passes
        np.testing.assert_allclose(
            model.standard_errors()[:3], models[0].standard_errors()[:3], rtol=1e-5
        )


@pytest.mark.parametrize("shift", [0.0, 1e7])
def test_collinear_columns_are_found_however_far_away_they_are(shift):
    X = np.column_stack([BASE + shift, BASE[:, 0] + 2.0 * shift, np.full(N, 7.0)])
    with pytest.warns(CollinearityWarning, match="columns 3 and 4 can be made"):
        model = fl.fit(X, T, l2=0.0)
    assert np.isnan(model.standard_errors()).tolist() == [True, False, False, True, True, True]
    np.testing.assert_allclose(model.coef[1:3], plain()[0][1:], rtol=1e-6)
    assert np.abs(model.coef).max() < 10.0


@pytest.mark.parametrize("shift", [0.0, 1e7])
def test_separation_is_found_however_far_away_a_column_is(shift):
    with pytest.warns(SeparationWarning, match="mainly by column 1, so"):
        fl.fit(BASE + np.array([0.0, shift, 0.0]), BASE[:, 1] > 0.2, l2=0.0)
    with warnings.catch_warnings(action="error"):
        assert fl.fit(BASE + np.array([0.0, shift, 0.0]), T, l2=0.0).converged


def test_a_column_of_ones_but_for_a_few_rows():
    X = np.column_stack([np.ones(N), BASE[:, 0]])
    X[::60, 0] = 0.0
    assert_right(fl.fit(X, T, l2=0.0), X, T, l2=0.0)


def test_the_number_of_threads_changes_no_bit():
    X = np.tile(far(1e6), (400, 2))
    one, two = (
        linear.hessian(centring.centre_columns(as_matrix(X), None, n), np.ones(6), threads=n)
        for n in (1, 2)
    )
    assert one.tobytes() == two.tobytes()


# What is centred --------------------------------------------------------------------------


def centred(X, weight=None):
    return centring.centre_columns(as_matrix(X), weight, 1)


def test_ordinary_columns_are_read_as_before():
    for X in (BASE, BASE + 50.0, np.asfortranarray(BASE), by_name(BASE), sparse.csr_array(BASE)):
        given = as_matrix(X)
        assert centring.centre_columns(given, None, 1) is given
        assert (given.centres == 0.0).all()


def test_without_an_intercept_nothing_is_centred():
    X = BASE + np.array([0.0, 0.0, 1e4])
    model = fl.fit(X, T, l2=0.0, intercept=False)
    assert_right(model, X, T, l2=0.0, intercept=False)
    np.testing.assert_allclose(model.standard_errors(X), model.standard_errors(), rtol=1e-9)


@pytest.mark.parametrize("ratio", [1e4, 2e5, 1e6, 3e6, 1e8])
def test_without_an_intercept_standard_errors_are_right_or_there_is_a_warning(ratio):
    X = np.column_stack([BASE + np.array([ratio, 0.0, 0.0]), np.ones(N)])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = fl.fit(X, T, l2=0.0, intercept=False)
    if ratio == 1e4:
        assert not caught
        assert_right(model, X, T, l2=0.0, intercept=False)
    elif ratio <= 3e6:
        assert "nearly collinear: columns 0 and 3 can" in str(caught[-1].message)
        assert np.isnan(model.standard_errors()).all()
        assert np.isnan(model.standard_errors(X)).all()
    else:
        assert "collinear: column 0 can be made" in str(caught[-1].message)
        assert np.isnan(model.standard_errors()[[0, 3]]).all()


def test_the_centre_is_an_element_of_its_column():
    centres = centred(far(1e4) + 0.1).centres
    assert centres[0] in far(1e4)[:, 0] + 0.1
    assert centres[1] in far(1e4)[:, 1] + 0.1
    assert centres[2] == 0.0


def test_the_rows_that_count_decide():
    X = np.concatenate([BASE[:600] + 1e6, BASE[600:]])
    heavy = np.repeat([1.0, 1e-16], 600)
    assert (centred(X).centres == 0.0).all()
    assert (centred(X, heavy).centres > 9e5).all()
    assert (centred(X, heavy[::-1]).centres == 0.0).all()
    assert (centred(X, np.zeros(N)).centres == 0.0).all()


def test_what_is_not_finite_is_left_for_the_first_pass():
    for value in (np.nan, np.inf):
        X = far(1e6)
        X[:, 0] = value
        assert centred(X).centres[0] == 0.0
        X = far(1e6)
        X[N - 1, 1] = value
        with pytest.raises(ValueError, match=f"finite; got {value} in row {N - 1}, column 1"):
            fl.fit(X, T)


def with_entries(X, more_rows=(), values=(), left_out=()):
    """CSR with more entries of column 0 in some rows, and without those of others."""
    rows, columns = np.nonzero(np.ones(X.shape))
    keep = ~np.isin(rows, left_out) | (columns > 0)
    rows, columns = np.append(rows[keep], more_rows), np.append(columns[keep], 0 * more_rows)
    data = np.append(X.ravel()[keep], values)
    order = np.argsort(rows, kind="stable")
    indptr = np.append(0, np.cumsum(np.bincount(rows))).astype(np.int32)
    return sparse.csr_array((data[order], columns[order].astype(np.int32), indptr), X.shape)


FEW, MANY = np.array([7]), np.arange(0, N, 3)
NONE = np.array([], int)


@pytest.mark.parametrize("outlier", [0, 7], ids=["in the sample", "not in the sample"])
@pytest.mark.parametrize("agrees", [True, False], ids=["", "against its z"])
def test_one_row_that_is_not_far_decides_for_no_other(outlier, agrees):
    X, t = far(1e9), T.copy()
    X[outlier, 0] = 0.0
    t[outlier] = 0.0 if agrees else 1.0  # z is about -4e8
    keep = (np.arange(N) != outlier) | (not agrees)  # as the row adds nothing to f where it agrees
    coef, _, errors, _ = (np.asarray(part, float) for part in solve(X[keep], t[keep], l2=0.0))
    left_out = np.array([outlier])
    for given in (X, np.asfortranarray(X), with_entries(X, NONE, NONE, left_out)):
        assert (centred(given).centres[:2] != 0.0).all()
        model = fl.fit(given, t, l2=0.0, tol=1e-9)
        assert model.converged
        assert (np.abs(model.coef - coef) < 1e-6 * errors[:3]).all()
        np.testing.assert_allclose(model.standard_errors(), errors, rtol=1e-4)


@pytest.mark.parametrize("light", [0.0, 1e-18])
def test_light_rows_do_not_count_whatever_they_hold(light):
    X = far(1e9)
    X[MANY, 0] = 0.0
    weight = np.ones(N)
    weight[MANY] = light
    assert_light_rows_do_not_count(X, weight, with_entries(X, NONE, NONE, MANY))


def assert_light_rows_do_not_count(X, weight, rows):
    keep = weight == 1.0
    data = {"weight": weight, "offset": np.zeros(N)}
    for given in (X, np.asfortranarray(X), rows):
        model = fl.fit(given, T, l2=0.0, **data)
        assert_right(model, X[keep], T[keep], l2=0.0)
        again = model.standard_errors(given, **data)
        np.testing.assert_allclose(again, model.standard_errors(), rtol=1e-6)


def test_entries_that_are_repeated_are_added_up_before_they_are_centred():
    X = far(1e6)
    values = RNG.normal(size=MANY.size)
    total = X.copy()
    total[MANY, 0] += values
    rows = with_entries(X, MANY, values)
    data, indices = rows.data.copy(), rows.indices.copy()
    assert (centred(rows).centres[:2] != 0.0).all()
    assert_right(fl.fit(rows, T, l2=0.0), total, T, l2=0.0)
    assert (rows.data.tolist(), rows.indices.tolist()) == (data.tolist(), indices.tolist())


def test_repeated_entries_of_a_small_type_do_not_overflow():
    X = np.column_stack([np.full(N, 100), BASE[:, 1:].round()]).astype(np.int8)
    total = X.astype(float)
    total[:, 0] += 100.0 + (BASE[:, 0] > 0)
    rows = with_entries(X, np.arange(N), (100 + (BASE[:, 0] > 0)).astype(np.int8))
    assert rows.dtype == np.int8
    assert_right(fl.fit(rows, T, l2=0.0), total, T, l2=0.0)


def test_a_sparse_column_is_centred_where_nearly_every_row_has_an_entry():
    X = np.column_stack([BASE[:, :2] + 1e4, np.ones(N), BASE[:, 2]])
    assert (centred(sparse.csr_array(X)).centres != 0.0).tolist() == [True, True, True, False]
    few = with_entries(X, NONE, NONE, np.arange(0, N, 150))
    assert (centred(few).centres != 0.0).tolist() == [True, True, True, False]
    many = with_entries(X, NONE, NONE, MANY)
    assert (centred(many).centres != 0.0).tolist() == [False, True, True, False]


def test_a_row_major_array_stays_one():
    for dtype in (np.float64, np.float32, np.int32):
        given = centred(far(1e4).astype(dtype))
        ((_, layout),) = given.layouts(slice(0, 8))
        assert isinstance(layout, CentredRows)
        assert layout.array.flags.c_contiguous


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_pass_reads_a_centred_x_as_a_matrix_that_was_centred_before(layout):
    given = centred(LAYOUTS[layout](far(1e6)))
    assert (given.centres != 0.0).tolist() == [True, True, False]
    X = far(1e6) - given.centres
    coef, direction = np.array([1.0, -0.5, 0.25]), np.array([0.5, 1.0, 2.0, -1.0])
    given = given.subtract(given.centres)  # which is no other
    data = {"weight": np.ones(N), "offset": np.zeros(N)}

    def results(X):
        return [
            linear.decision(X, coef, 0.5, offset=data["offset"]),
            linear.hessian(X, coef, 0.5, **data),
            linear.hessian_diagonal(X, coef, 0.5, **data),
            *linear.log_loss_gradient_hessian(X, T, coef, 0.5, **data),
        ]

    for got, wanted in zip(results(given), results(X), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-11, atol=1e-11)
    data["with_intercept"] = True
    np.testing.assert_allclose(
        linear.hessian_product(given, coef, direction, 0.5, **data),
        linear.hessian_product(X, coef, direction, 0.5, **data),
        rtol=1e-11,
    )
    some = given.sample(np.arange(0, N, 7), 1)
    np.testing.assert_allclose(
        linear.decision(some, coef, offset=np.zeros(len(X[::7]))),
        X[::7] @ coef,
        rtol=1e-11,
        atol=1e-11,
    )
