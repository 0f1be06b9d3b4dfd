"""Dask arrays: the same bits as without Dask, lazily, and errors before any work."""

from __future__ import annotations

import pickle

import dask
import dask.array as da
import numpy as np
import pytest

import fastlogit as fl
import fastlogit.dask

N, D = 1000, 6
X = np.random.default_rng(3).normal(size=(N, D))
MODEL = fl.LogisticModel(np.linspace(-2.0, 3.0, D), 0.25)
PAIRS = [
    (fastlogit.dask.decision, fl.linear.decision),
    (fastlogit.dask.probability, fl.linear.probability),
]
both = pytest.mark.parametrize(("lazy", "eager"), PAIRS, ids=["decision", "probability"])


@both
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int8, np.bool_])
@pytest.mark.parametrize("chunks", [(N, D), (300, D), (300, 4), (N, 1)], ids=str)
@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_same_bits(lazy, eager, dtype, chunks, scheduler):
    features = X.astype(dtype)
    result = lazy(da.from_array(features, chunks=chunks), MODEL)
    assert result.shape == (N,)
    assert result.dtype == np.float64
    assert result.chunks == da.from_array(features, chunks=chunks).chunks[:1]
    computed = result.compute(scheduler=scheduler)
    assert computed.dtype == np.float64
    np.testing.assert_array_equal(computed, eager(features, MODEL.coef, MODEL.intercept))


def unreadable(dtype=np.float64, columns=D):
    """A Dask array that fails as soon as anything is computed."""

    def fail():
        raise AssertionError("computed")

    block = dask.delayed(fail)()
    return da.from_delayed(block, (N, columns), dtype, meta=np.empty((0, 0), dtype))


@both
def test_lazy(lazy, eager):
    result = lazy(unreadable(), MODEL)
    with pytest.raises(AssertionError, match="computed"):
        result.compute(scheduler="synchronous")


@both
def test_column_major_blocks(lazy, eager):
    result = lazy(da.from_array(X.T.copy(), chunks=(D, 300)).T, MODEL)
    np.testing.assert_array_equal(result, eager(X, MODEL.coef, MODEL.intercept))


@both
def test_unknown_and_empty_chunks(lazy, eager):
    first = X[:, 0].copy()
    first[300:600] = -9.0
    features = np.column_stack([first, X[:, 1:]])
    lazy_features = da.from_array(features, chunks=(300, D))
    result = lazy(lazy_features[lazy_features[:, 0] > 0], MODEL)
    kept = features[features[:, 0] > 0]
    np.testing.assert_array_equal(result.compute(), eager(kept, MODEL.coef, MODEL.intercept))


@both
def test_nan_as_in_numpy(lazy, eager):
    features = X.copy()
    features[5, 2], features[6, 1] = np.nan, np.inf
    result = lazy(da.from_array(features, chunks=(300, D)), MODEL).compute()
    np.testing.assert_array_equal(result, eager(features, MODEL.coef, MODEL.intercept))
    assert np.isnan(result[5])


@both
def test_one_column(lazy, eager):
    model = fl.LogisticModel([2.0])
    result = lazy(da.from_array(X[:, :1], chunks=300), model)
    np.testing.assert_array_equal(result, eager(X[:, :1], model.coef))


@both
def test_can_go_to_another_process(lazy, eager):
    graph = lazy(da.from_array(X, chunks=(300, D)), MODEL)
    copy = pickle.loads(pickle.dumps(graph))
    np.testing.assert_array_equal(copy.compute(), eager(X, MODEL.coef, MODEL.intercept))


@both
def test_errors_before_any_work(lazy, eager):
    with pytest.raises(ValueError, match=r"one column for each coefficient of model, 6; got.*7"):
        lazy(unreadable(columns=7), MODEL)
    with pytest.raises(ValueError, match=r"X must have 2 axes; got shape \(1000,\)"):
        lazy(unreadable()[:, 0], MODEL)
    for dtype in (np.complex128, object, "U3", ">f8"):
        with pytest.raises(TypeError, match=r"^X must .*; got .*(complex|object|U3|>f8)"):
            lazy(unreadable(dtype), MODEL)
    with pytest.raises(TypeError, match="X must be a Dask array; got ndarray"):
        lazy(X, MODEL)


def test_same_input_gives_the_same_name():
    features = da.from_array(X, chunks=(300, D))
    names = {lazy(features, MODEL).name for lazy, _ in PAIRS for _ in range(2)}
    assert len(names) == 2


# Pickle looks into every module for what has this name, and some warn about that.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_elementwise_functions_can_go_to_another_process():
    graph = fl.sigmoid(da.from_array(X, chunks=(300, D)))
    copy = pickle.loads(pickle.dumps(graph))
    np.testing.assert_array_equal(copy.compute(), fl.sigmoid(X))
